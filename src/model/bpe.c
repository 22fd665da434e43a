#include "model/bpe.h"

#include <string.h>

#include "base/xalloc.h"

#define SHORT_WORD 48
#define NO_RANK    UINT32_MAX

struct bpe_symbol {
    uint32_t id;
    uint32_t previous, next; /* NO_RANK at the ends */
};

struct bpe_merge {
    uint32_t rank, at; /* the left symbol's place */
    uint32_t id;       /* what the pair becomes; a stale entry no longer does */
};

/* ---- short words: look for the lowest rank, merge, look again ---- */

static uint32_t pair_rank(const struct vocab *v, uint32_t left, uint32_t right, uint32_t *id)
{
    const struct vocab_pair *p = vocab_find_pair(v, left, right);
    *id = p != NULL ? p->id : 0;
    return p != NULL ? p->rank : NO_RANK;
}

static size_t merge_short(const struct vocab *v, uint32_t *ids, size_t n)
{
    uint32_t rank[SHORT_WORD], id[SHORT_WORD]; /* of the pair that begins here */
    for (size_t i = 0; i + 1 < n; i++)
        rank[i] = pair_rank(v, ids[i], ids[i + 1], &id[i]);
    if (n > 0) { /* the last symbol begins no pair */
        rank[n - 1] = NO_RANK;
        id[n - 1] = 0;
    }
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[best])
                best = i;
        if (rank[best] == NO_RANK)
            break;
        ids[best] = id[best];
        n--;
        for (size_t i = best + 1; i < n; i++) {
            ids[i] = ids[i + 1];
            rank[i] = rank[i + 1];
            id[i] = id[i + 1];
        }
        if (best > 0)
            rank[best - 1] = pair_rank(v, ids[best - 1], ids[best], &id[best - 1]);
        if (best + 1 < n)
            rank[best] = pair_rank(v, ids[best], ids[best + 1], &id[best]);
    }
    return n;
}

/* ---- long words: heap and linked list ---- */

static bool before(const struct bpe_merge *a, const struct bpe_merge *b)
{
    return a->rank < b->rank || (a->rank == b->rank && a->at < b->at);
}

static bool heap_push(struct bpe *b, struct bpe_merge m)
{
    void *heap = b->heap;
    if (!xgrow(&heap, &b->heap_cap, b->n_heap + 1, sizeof *b->heap))
        return false;
    b->heap = heap;
    size_t i = b->n_heap++;
    for (; i > 0 && before(&m, &b->heap[(i - 1) / 2]); i = (i - 1) / 2)
        b->heap[i] = b->heap[(i - 1) / 2];
    b->heap[i] = m;
    return true;
}

static struct bpe_merge heap_pop(struct bpe *b)
{
    struct bpe_merge top = b->heap[0], last = b->heap[--b->n_heap];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < b->n_heap) {
        if (child + 1 < b->n_heap && before(&b->heap[child + 1], &b->heap[child]))
            child++;
        if (!before(&b->heap[child], &last))
            break;
        b->heap[i] = b->heap[child];
        i = child;
    }
    b->heap[i] = last;
    return top;
}

/* If the symbol at `at` and the next can merge, remember it. */
static bool consider(struct bpe *b, const struct vocab *v, uint32_t at)
{
    uint32_t next = b->symbol[at].next;
    const struct vocab_pair *p = next == NO_RANK ? NULL : vocab_find_pair(v, b->symbol[at].id, b->symbol[next].id);
    return p == NULL || heap_push(b, (struct bpe_merge){p->rank, at, p->id});
}

/* Is the remembered merge still what stands there? */
static bool still_fits(const struct bpe *b, const struct vocab *v, const struct bpe_merge *m)
{
    const struct bpe_symbol *left = &b->symbol[m->at];
    if (left->id == VOCAB_NONE || left->next == NO_RANK)
        return false;
    const struct vocab_pair *p = vocab_find_pair(v, left->id, b->symbol[left->next].id);
    return p != NULL && p->id == m->id;
}

static bool merge_at(struct bpe *b, const struct vocab *v, const struct bpe_merge *m)
{
    struct bpe_symbol *left = &b->symbol[m->at], *right = &b->symbol[left->next];
    left->id = m->id;
    left->next = right->next;
    right->id = VOCAB_NONE; /* gone */
    if (left->next != NO_RANK)
        b->symbol[left->next].previous = m->at;
    return consider(b, v, m->at) && (left->previous == NO_RANK || consider(b, v, left->previous));
}

static bool link_symbols(struct bpe *b, const struct vocab *v, const uint32_t *ids, uint32_t n)
{
    void *symbol = b->symbol;
    if (!xgrow(&symbol, &b->symbol_cap, n, sizeof *b->symbol))
        return false;
    b->symbol = symbol;
    for (uint32_t i = 0; i < n; i++)
        b->symbol[i] = (struct bpe_symbol){ids[i], i > 0 ? i - 1 : NO_RANK, i + 1 < n ? i + 1 : NO_RANK};
    b->n_heap = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!consider(b, v, i))
            return false;
    return true;
}

static size_t merge_long(struct bpe *b, const struct vocab *v, uint32_t *ids, uint32_t n)
{
    if (!link_symbols(b, v, ids, n))
        return SIZE_MAX;
    while (b->n_heap > 0) {
        struct bpe_merge m = heap_pop(b);
        if (still_fits(b, v, &m) && !merge_at(b, v, &m))
            return SIZE_MAX;
    }
    size_t kept = 0;
    for (uint32_t i = 0; i != NO_RANK; i = b->symbol[i].next)
        ids[kept++] = b->symbol[i].id;
    return kept;
}

size_t bpe_merge_word(struct bpe *b, const struct vocab *v, uint32_t *ids, size_t n)
{
    if (n <= SHORT_WORD)
        return merge_short(v, ids, n);
    return n < NO_RANK ? merge_long(b, v, ids, (uint32_t)n) : SIZE_MAX;
}

void bpe_done(struct bpe *b)
{
    xfree(b->symbol);
    xfree(b->heap);
    *b = (struct bpe){0};
}
