/* compact.h: memory that follows the live tree while nothing is recorded.
 *
 * New edges append their tokens and slots to the store; an evicted edge leaves a hole. While a tape
 * records, holes are history and stay. Without one, live extents are slid down over the holes as soon as
 * these are more than half of what is in use:
 *
 *      before  |AAAA|····|BB|·········|CCC|··|      top
 *      after   |AAAA|BB|CCC|  top
 *
 * In bigram mode neighbours on one path share a token at their border; they still do afterwards. Only
 * offsets in the world change; the child index, which repeats them, is rebuilt.
 */
#ifndef RADIXSCOPE_CACHE_COMPACT_H
#define RADIXSCOPE_CACHE_COMPACT_H

#include "cache/cache.h"

/* Slide if it is worth it: between operations, not while recording. Without memory to do it, nothing
 * happens: the store is merely fuller. */
void cache_compact_if_due(struct cache *c);
void cache_compact(struct cache *c); /* slide now */

#endif
