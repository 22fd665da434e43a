/* told.h: a request's life when its answer is known beforehand and nothing is computed (no model): the same
 * operations on tree, locks and slots, in the same order, as engine_request makes them (sglang §4).
 *
 *      arrive ─ match_prefix ─ inc_lock_ref ─ alloc ─ (prefill) ─ cache_unfinished_req
 *        └─ (decode): a slot a token ─ cache_finished_req ─ dec_lock_ref
 *
 * Workloads and races use it: what a cache does depends on the tokens alone, not on what they compute to. The
 * rows of its slots stay unwritten (world.kv is 0 there), so a request on a model cannot read them.
 */
#ifndef RADIXSCOPE_ENGINE_TOLD_H
#define RADIXSCOPE_ENGINE_TOLD_H

#include "cache/cache.h"

struct told_request {
    const uint32_t *prompt;    /* (n) */
    uint32_t n;
    const uint32_t *answer;    /* (out) out >= 1; the last one gets no KV */
    uint32_t out;
    const char *extra_key, *label;   /* NULL: none */
    int32_t priority;
};

struct told_report {
    uint32_t request;          /* index in the world */
    uint32_t cached;           /* prompt tokens found in the cache */
    bool refused;              /* prompt and answer do not fit into the whole pool */
    uint64_t walked;           /* nodes on the paths of its look-ups and inserts, made, split, taken out */
};

/* 0, or -1 and *e: nothing of the failed operation remains. */
int told_run(struct cache *c, const struct told_request *q, struct told_report *out, struct err *e);

#endif
