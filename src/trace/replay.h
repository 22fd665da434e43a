/* replay.h: a trace of hash ids on the project's own cache, by sweep's rule.
 *
 * Page size 1, one token a hash id, so one slot a block; no namespace; classic RadixCache; a pool of `capacity`
 * slots. For each request, over all its ids:
 *
 *      R1  match_prefix: m are there; hit_blocks += m
 *      R2  lock the node
 *      R3  need = length - m; if fewer are free: evict(need - free), the shortfall alone
 *      R4  still too few: unlock, requests_too_big += 1; that is all
 *      R5  take need slots; if need > 0 insert all ids with the matched and the new slots
 *      R6  unlock
 *
 * The engine (engine.h, sglang §3) asks eviction for the full amount in R3, which gives other figures.
 *
 * Two ways to the same figures (tests compare them): `replay_request` without a tape, at full speed, without
 * requests in the world; `replay_recorded` with every step on the tape, each request an entry with a row.
 */
#ifndef RADIXSCOPE_TRACE_REPLAY_H
#define RADIXSCOPE_TRACE_REPLAY_H

#include "trace/belady.h"

#define REPLAY_UNLIMITED 0u                           /* a capacity */
enum { REPLAY_MOST = WORLD_SLOTS - 4097 };            /* the largest pool */

struct replay_figures {
    uint64_t requests, blocks, hit_blocks, too_big, evicted_nodes, evicted_blocks;
    uint64_t hits_hash;       /* h*1000003 + m for each request: where two replays first differ */
};

struct replay {
    struct tape *t;           /* owned */
    struct cache cache;
    uint32_t capacity;        /* as asked for; REPLAY_UNLIMITED */
    struct belady belady;     /* at rest unless somebody looks ahead */
    uint32_t *slots;          /* (room) of the request at hand */
    size_t room;
    struct replay_figures f;
};

/* capacity: slots, or REPLAY_UNLIMITED. `blocks`: no trace that will be played has more (0: unknown): a pool
 * need not be larger. -1 and *e: nothing to close. */
int replay_open(struct replay *r, uint32_t capacity, uint32_t policy, uint64_t blocks, bool record, struct err *e);
void replay_close(struct replay *r);

/* From here on the victims are Belady's (belady.h), and the ids of request i are those of replay_path(f, i): not the
 * trace's own, but the same tree. `f` is borrowed. Before the first request. */
void replay_foresee(struct replay *r, const struct future *f);
static inline const uint32_t *replay_path(const struct future *f, uint32_t i)
{
    return f->page + f->request[i].path;
}

int replay_request(struct replay *r, const uint32_t *ids, uint32_t n, struct err *e);

/* The same as steps. */
int replay_recorded(struct replay *r, const uint32_t *ids, uint32_t n, struct err *e);

/* The first steps of a recorded replay: START, a note, and, when others were played before it without a tape
 * (`before`, of the same capacity and policy), one step that makes our world theirs. NULL: nothing was. */
int replay_begin(struct replay *r, const struct replay *before, const char *note, struct err *e);

double replay_hit_rate(const struct replay_figures *f);   /* 0 … 1; of no blocks: 0 */
uint32_t replay_cached(const struct replay *r);           /* blocks in the tree now */

/* "20000", "unlimited": one capacity. */
int replay_capacity_parse(const char *text, size_t n, uint32_t *out, struct err *e);

#endif
