/* slots.h: the pool of KV slots and its free list (sglang §3).
 *
 * A slot names one token's K and V row in every layer. Slots are handed out by pages of page_size; slots
 * of page p are p*P … p*P+P-1; page 0 is never handed out. The order of the free list is part of the
 * result, so it is kept as upstream keeps it:
 *
 *      P = 1   a queue:   take from the front, freed slots go to the end
 *      P > 1   a stack:   take from the front, freed pages (sorted, distinct) go to the front
 *      need_sort          freed pages wait on a side list; when the front cannot satisfy a request, both
 *                         are joined and sorted ascending
 *
 *      head.free_first -> page[p] = next -> … -> page[last] = FREE_END          0: the page is in use
 *
 * Freeing any slot of a page frees the page; callers free only what ends on page boundaries or is their
 * own tail.
 */
#ifndef RADIXSCOPE_CACHE_SLOTS_H
#define RADIXSCOPE_CACHE_SLOTS_H

#include "cache/cache.h"

/* Take slots for `count` tokens after `last` (the last slot already held by the same sequence of `have`
 * tokens; ignored when have is a multiple of the page size): first the rest of last's page, then whole
 * pages, then the start of one more (sglang §3 "extend allocation"). out: (count). false, nothing taken:
 * not enough. Room for `count` units must have been made. */
bool slots_alloc_extend(struct cache *c, uint32_t have, uint32_t last, uint32_t count, uint32_t *out);

/* Take slots for `count` tokens of nobody's sequence: whole pages from the front. */
bool slots_alloc(struct cache *c, uint32_t count, uint32_t *out);

/* Pages that slots_alloc_extend would take. */
uint32_t slots_pages_needed(const struct world *w, uint32_t have, uint32_t count);

/* Give n slots back in one call. n = 0 does nothing. */
void slots_free(struct cache *c, const uint32_t *slots, uint32_t n);

/* Every slot is free again, in ascending order. */
void slots_clear(struct cache *c);

#endif
