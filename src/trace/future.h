/* future.h: what comes, for whoever may look ahead: Belady's optimum (L. A. Belady 1966, "A study of replacement
 * algorithms").
 *
 * Every prefix of every request, a page at a time, is a node of one trie; requests that share a prefix share its
 * nodes. A request *reads* the pages of its prompt that may be reused, and afterwards all pages with KV are
 * *there*.
 *
 *      path(r) = page of tokens 0…P-1, page of tokens 0…2P-1, …     (kv / P of them, the first `reads` are read)
 *
 * future_bound: the most tokens that any cache of this size can hit. State: a set of pages, closed under prefixes
 * or not; a request needs its own pages to be there while it runs, and pool / P pages are all there is. Keeping a
 * page from one request that has it to the next one that has it earns a page if that one reads it, and costs a
 * place at each request between. These are intervals of equal worth that compete for places at points in time;
 * dropping, whenever there are too many, the one that ends last is optimal (exchange argument: what ends later
 * is in the way at least as long, from here on). A child's next use is never before its parent's, so the choice
 * keeps prefixes whole by itself. So this is a bound for every design here: a token's KV takes a slot in each,
 * and each can only read whole prefixes.
 *
 * Not a bound but a policy is "belady" on the radix tree: among the leaves that eviction may take, the one whose
 * next use lies farthest ahead. Nodes differ in size and go whole, and the engine evicts the full amount, so it
 * need not be the best that the tree can do.
 */
#ifndef RADIXSCOPE_TRACE_FUTURE_H
#define RADIXSCOPE_TRACE_FUTURE_H

#include "trace/load.h"

struct future_request {
    uint32_t path;             /* its first page in page[] */
    uint32_t pages, reads;     /* pages with KV, whole ones; of these may be read */
    uint32_t slots;            /* pages it takes while it runs: the part of one, too */
};

struct future {
    struct future_request *request; /* (requests) */
    uint32_t *page;            /* (total) node of the trie, from 1 on */
    uint32_t *use_at, *use;    /* node n is read by requests use[use_at[n] … use_at[n + 1]), ascending */
    uint32_t requests, total, nodes, page_size;
    bool large_ones_read;      /* a request that is larger than the pool hits, and takes no pages */
};

#define FUTURE_NEVER 0xffffffffu

int future_make(struct future *f, const struct load *l, uint32_t page_size, struct err *e);
/* From paths of page numbers that are known already (hash_ids of a trace): request r has pages[r] of them, of
 * which it reads the first reads[r]; equal numbers are equal prefixes. `slots` of a request are its pages. */
int future_of_pages(struct future *f, const uint32_t *const *path, const uint32_t *pages, const uint32_t *reads,
                    uint32_t requests, struct err *e);
/* The requests of a trace, hash ids one after another, len[r] of request r; every id is a page, and all of them are
 * read. Equal beginnings are equal paths, whatever the ids are. A request that is larger than the pool is not left
 * out: by sweep's rule (replay.h) it hits what is there. */
int future_of_ids(struct future *f, const uint32_t *ids, const uint32_t *len, uint32_t requests, struct err *e);
void future_done(struct future *f);

/* The first request after `now` that reads the node; FUTURE_NEVER. */
uint32_t future_next(const struct future *f, uint32_t node, uint32_t now);

/* The bound: pages that each request hits at best, into hit (requests) unless NULL, and in all. A request that is
 * larger than the pool is left out, unless large_ones_read: then it hits what is there, and its pages count as there
 * afterwards, which no cache can do: a bound still, but not the least. */
int future_bound(const struct future *f, uint32_t pool_pages, uint32_t *hit, uint64_t *all, struct err *e);

#endif
