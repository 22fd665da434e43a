/* race.h: several designs, and policies of the radix tree, on one workload.
 *
 *      load ──┬── radix lru ───── results of each request ──┐
 *             ├── radix belady ── …                         ├── totals, ledger, first differences
 *             ├── chain ───────── …                         │
 *             └── bound ───────── …  (future.h: no design)  ┘
 *
 * An entry differs from another one from the first request on of which they hit, or forgot, a different number of
 * tokens, refused it or not, or (two of the radix tree) took other victims.
 */
#ifndef RADIXSCOPE_TRACE_RACE_H
#define RADIXSCOPE_TRACE_RACE_H

#include "trace/design.h"
#include "trace/future.h"

enum { RACE_ENTRIES = 16 };
#define RACE_NEVER 0xffffffffu

struct race_total {
    uint64_t prompt, hit, computed, evicted, victims, ops; /* tokens; of the requests that were not refused */
    uint32_t refused;
    size_t bytes;              /* of metadata, when it was most */
    uint32_t held;             /* tokens kept at the end */
};

struct race_entry {
    const struct design_class *is; /* NULL: the bound */
    uint32_t policy;           /* of radix: enum policy, POLICY_COUNT: Belady's choice */
    char label[32];            /* "radix lru", "chain" */
    struct design_result *result; /* (requests) */
    struct race_total total;
};

struct race {
    const struct load *load;   /* borrowed */
    struct future future;
    uint32_t pool, page, block;
    struct race_entry entry[RACE_ENTRIES];
    uint32_t entries;
};

int race_init(struct race *r, const struct load *l, uint32_t pool, uint32_t page, uint32_t block, struct err *e);
void race_done(struct race *r);

/* Add the designs of a list ("radix,chain"; "bound" is one), radix once for each policy of the other list
 * ("lru,belady"; "all"). Unknown names are errors of usage. */
int race_add(struct race *r, const char *designs, const char *policies, struct err *e);

/* Run every entry; *check: a design's own check after every request, too (tests). */
int race_run(struct race *r, bool check, struct err *e);

/* The first request from which entries a and b differ; RACE_NEVER. */
uint32_t race_differs(const struct race *r, uint32_t a, uint32_t b);

/* A design of entry `which` that has served the first `requests` requests; its class's free ends it. */
void *race_stand(const struct race *r, uint32_t which, uint32_t requests, bool record, struct err *e);

#endif
