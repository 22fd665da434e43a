#include "cache/kvevents.h"

#include <sha256.h>

static void add_token(SHA256_CTX *sha, uint32_t token)
{
    uint8_t le[4] = {(uint8_t)token, (uint8_t)(token >> 8), (uint8_t)(token >> 16), (uint8_t)(token >> 24)};
    SHA256_Update(sha, le, sizeof le);
}

struct page_hash page_hash_next(const struct world *w, const struct page_hash *before, const uint32_t *tok)
{
    struct page_hash h;
    SHA256_CTX sha;
    SHA256_Init(&sha);
    if (before != NULL)
        SHA256_Update(&sha, before->digest, PAGE_DIGEST);
    for (uint32_t i = 0; i < w->head.page_size; i++) {
        add_token(&sha, tok[i]);
        if (w->head.bigram)
            add_token(&sha, tok[i + 1]);
    }
    SHA256_Final(h.digest, &sha);
    return h;
}

int64_t page_hash_id(const struct page_hash *h)
{
    uint64_t id = 0;
    for (int i = 0; i < 8; i++)
        id = id << 8 | h->digest[i];
    return (int64_t)id;
}

/* The hash of the last page at or above `node`: the chain is made again from the root down. */
static bool last_hash(struct scene sc, uint32_t node, struct page_hash *out)
{
    if (node == ROOT)
        return false;
    struct page_hash before;
    bool any = last_hash(sc, sc.w->node[node].parent, &before);
    for (uint32_t at = 0; at < sc.w->node[node].len; at += sc.w->head.page_size) {
        *out = page_hash_next(sc.w, any ? &before : NULL, node_tokens(sc, node) + at);
        before = *out;
        any = true;
    }
    return true;
}

bool node_page_hashes(struct scene sc, uint32_t node, struct page_hash *before, struct page_hash *out)
{
    *before = (struct page_hash){{0}};
    bool first = last_hash(sc, sc.w->node[node].parent, before), any = first;
    struct page_hash last = *before;
    uint32_t size = sc.w->head.page_size;
    for (uint32_t i = 0; i * size < sc.w->node[node].len; i++) {
        out[i] = page_hash_next(sc.w, any ? &last : NULL, node_tokens(sc, node) + i * size);
        last = out[i];
        any = true;
    }
    return first;
}
