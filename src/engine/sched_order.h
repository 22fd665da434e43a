/* sched_order.h: in which order the waiting requests are tried (SGLang: SchedulePolicy.calc_priority, sglang §7).
 *
 *      waiting, as they came      r1 r2 r3 r4
 *      prefixes in the tree        0 29 29  4        (lpm and dfs-weight look every one of them up)
 *      lpm                        r2 r3 r4 r1        longest cached prefix first
 *
 *   fcfs         as they came; with priorities: by priority, then by arrival in the queue
 *   lpm          longest cached prefix first; more than 128 waiting: as fcfs, nothing is looked up
 *   dfs-weight   depth first through the tree, the child with more waiting requests first; a node's own requests
 *                come after its children's
 *   lof          longest allowed output first; with priorities: by priority before that
 *   random       shuffled
 *   routing-key  requests whose routing key is running come first, the most frequent key first
 *   Every sort is stable.
 *
 * In-batch prefix caching (lpm): a request of which the tree holds at most 32 tokens is compared with those before it
 * in the queue that are tried this round. If 32 or more of its first tokens are also the first tokens of one of
 * these, it is held back: it goes to the end this round, because in the next one the other's tokens are cached.
 *
 *      r1 "You are a helpful assistant. …(60 tokens)"    nothing cached: will be computed
 *      r2 the same 60, another question                  held back: r1 is about to compute 60 of its tokens
 *
 * SGLang keeps the candidates of this round in a scratch radix tree of page size 1; what it answers is the longest
 * common prefix with any of them, which is what is computed here: so the screen can say with whom.
 *
 * Looking up is a real match_prefix: it stamps nodes and may split one, as upstream. Pure otherwise: the queue is an
 * array of the caller's, nothing else is written.
 */
#ifndef RADIXSCOPE_ENGINE_SCHED_ORDER_H
#define RADIXSCOPE_ENGINE_SCHED_ORDER_H

#include "cache/cache.h"

struct prng;

enum {
    SCHED_FALLBACK = 128,        /* lpm looks nothing up when more are waiting */
    SCHED_IN_BATCH_CHECK = 32,   /* IN_BATCH_PREFIX_CACHING_CHECK_THRESHOLD */
    SCHED_IN_BATCH_HOLD = 32,    /* IN_BATCH_PREFIX_CACHING_DEPRIORITIZE_THRESHOLD */
};

enum sched_policy { SCHED_FCFS, SCHED_LPM, SCHED_DFS_WEIGHT, SCHED_LOF, SCHED_RANDOM, SCHED_ROUTING_KEY, SCHED_POLICIES };

/* A waiting request, as the policy sees it, and what the policy finds out about it. */
struct sched_waiting {
    uint32_t req;             /* the caller's number */
    const uint32_t *tok;      /* (n) prompt and outputs so far */
    uint32_t n, ns;
    uint32_t max_new;
    int32_t priority;
    double entered;           /* when it entered the queue */
    const char *routing_key;  /* NULL or "": none */
    /* found out */
    uint32_t raw;             /* tokens in the tree; 0 where nothing is looked up */
    uint32_t prefix;          /* the same, but one token must be computed: what lpm sorts by */
    uint32_t node;            /* where the look-up ended */
    bool held_back;           /* somebody before it is about to compute … (dfs-weight finds it out and ignores it) */
    uint32_t held_by, shared; /* … so many of its first tokens: whose they are (req) */
    uint32_t weight;          /* dfs-weight: requests at or below its node; routing-key: how often its key runs */
    bool in_round;            /* others may be held back because of it */
    double key[2];            /* sorted by these, the smaller first, … */
    const char *name;         /* … then by this name (NULL: none), then by place */
    uint32_t place;           /* in the queue as it came */
};

struct sched_rules {
    enum sched_policy policy;
    bool priorities;          /* priority scheduling: fcfs and lof only */
    bool low_first;           /* the lower priority value is the more urgent one */
    const char *const *running_key; /* (n_running) routing keys of the running batch */
    uint32_t n_running;
    struct prng *rng;         /* random */
};

/* What runs: lpm is fcfs when too many wait; lpm and dfs-weight are fcfs without a cache. */
enum sched_policy sched_active(const struct world *w, enum sched_policy policy, uint32_t waiting);

/* Put the queue (n) into the order in which its requests are tried. Inside an operation of the cache. false: no
 * memory; the queue is as it was. */
bool sched_order(struct cache *c, const struct sched_rules *rules, struct sched_waiting *queue, uint32_t n);

const char *sched_policy_name(uint32_t policy);
int sched_policy_parse(const char *name, uint32_t *policy, struct err *e);

#endif
