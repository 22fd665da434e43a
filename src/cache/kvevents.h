/* kvevents.h: the KV events that SGLang publishes for routers (sglang §8), from what the cache does.
 *
 * A page is named by the first 8 bytes, big-endian and signed, of
 *      SHA-256( digest of the page before it, if any | each token as 4 bytes little-endian )
 * where a unit in bigram mode gives both of its tokens. extra_key is not hashed (issue 24568 there): the
 * same tokens in two namespaces have equal names. A split emits nothing.
 */
#ifndef RADIXSCOPE_CACHE_KVEVENTS_H
#define RADIXSCOPE_CACHE_KVEVENTS_H

#include "tape/world.h"

enum { PAGE_DIGEST = 32 };

struct page_hash {
    uint8_t digest[PAGE_DIGEST];
};

/* The hash of one page of units that begins at tok, after the page `before` (NULL: it is the first). */
struct page_hash page_hash_next(const struct world *w, const struct page_hash *before, const uint32_t *tok);
int64_t page_hash_id(const struct page_hash *h); /* the 64-bit name */

/* The hashes of the pages of `node` into out (len / page_size of them); returns true and *before if a
 * page stands before them on the path. */
bool node_page_hashes(struct scene sc, uint32_t node, struct page_hash *before, struct page_hash *out);

#endif
