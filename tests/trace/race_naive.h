/* race_naive.h: the designs again, as flat lists of token sequences; slow, and sharing no code with src/trace.
 *
 *      radix   tests/cache/naive.h, run through a request's life
 *      chain   blocks in an array in the order of the free list; a block is the whole prefix it ends, looked for by
 *              comparing tokens
 *      trie    the list of cached prefixes in the order of their last use; who goes: the first one that is the
 *              beginning of no other
 *      exact   the list of prompts in the order of their last use
 */
#ifndef RADIXSCOPE_TESTS_RACE_NAIVE_H
#define RADIXSCOPE_TESTS_RACE_NAIVE_H

#include "../cache/naive.h"
#include "trace/load.h"

enum { RN_MOST = 700 };

struct rn_result {
    uint32_t hit, evicted, victims;
    bool refused;
};

/* The first n tokens of request r. */
struct rn_prefix {
    uint32_t request, n;
};

static inline bool rn_begins(const struct load *l, struct rn_prefix a, struct rn_prefix b) /* is a a beginning of b? */
{
    return l->request[a.request].ns == l->request[b.request].ns && a.n <= b.n &&
           memcmp(load_tokens(l, a.request), load_tokens(l, b.request), a.n * 4) == 0;
}

static inline bool rn_same(const struct load *l, struct rn_prefix a, struct rn_prefix b)
{
    return a.n == b.n && rn_begins(l, a, b);
}

/* ---- radix ---------------------------------------------------------------------------------------------- */

static inline uint32_t rn_nodes(const struct naive *m)
{
    uint32_t n = 0;
    for (uint32_t id = 1; id < m->nodes; id++)
        for (uint32_t i = 0; i < m->rows; i++)
            if (m->own[i] == id) {
                n++;
                break;
            }
    return n;
}

static inline uint32_t rn_units(const struct naive *m)
{
    return n_sum(m, true) + n_sum(m, false);
}

/* What goes, for naive.removed with the naive cache's ctx. */
struct rn_gone {
    struct naive *m;
    uint32_t units, nodes;
};

static inline void rn_removed(void *ctx, uint32_t id)
{
    struct rn_gone *g = ctx;
    g->units += n_len(g->m, id);
    g->nodes++;
}

static inline struct rn_result rn_radix(struct naive *m, const struct load *l, uint32_t r)
{
    const struct load_request *s = &l->request[r];
    struct n_request *q = &m->req[0];
    uint32_t P = m->cfg.page_size;
    struct rn_result out = {0};
    if ((s->kv + P - 1) / P * P > m->cfg.pool)
        return (struct rn_result){.refused = true};
    *q = (struct n_request){.n = s->prompt, .ns = s->ns};
    memcpy(q->tok, load_tokens(l, r), (s->prompt + s->out) * 4);
    struct rn_gone gone = {.m = m};
    m->ctx = &gone;
    m->removed = rn_removed;
    out.hit = n_start(m, q, s->prompt - 1).units;
    if (!n_admit(m, q, s->prompt))
        abort();
    q->n = s->prompt + 1;
    if (s->out > 1)
        n_unfinished(m, q, s->prompt, false);
    for (uint32_t i = 1; i < s->out; i++, q->n++)
        if (!n_alloc(m, q, q->kv + 1, q->kv % P == 0 ? P : 0))
            abort();
    n_finish(m, q, true);
    out.evicted = gone.units;
    out.victims = gone.nodes;
    return out;
}

/* ---- chain ---------------------------------------------------------------------------------------------- */

struct rn_block {
    bool full;
    struct rn_prefix what;
    uint32_t age;              /* when it got its tokens */
};

struct rn_chain {
    struct rn_block list[RN_MOST]; /* (blocks) the free list in order; between requests all of them */
    uint32_t blocks, size, clock;
};

static inline struct rn_result rn_chain_serve(struct rn_chain *c, const struct load *l, uint32_t r)
{
    const struct load_request *s = &l->request[r];
    uint32_t want = (s->kv + c->size - 1) / c->size, have = 0, left = 0;
    struct rn_block mine[RN_MOST];
    bool taken[RN_MOST] = {false};
    struct rn_result out = {0};
    if (want > c->blocks)
        return (struct rn_result){.refused = true};
    for (; (have + 1) * c->size < s->prompt; have++) {
        uint32_t best = RN_MOST;
        for (uint32_t i = 0; i < c->blocks; i++)
            if (c->list[i].full && rn_same(l, c->list[i].what, (struct rn_prefix){r, (have + 1) * c->size}) &&
                (best == RN_MOST || c->list[i].age < c->list[best].age))
                best = i;
        if (best == RN_MOST)
            break;
        taken[best] = true;
        mine[have] = c->list[best];
    }
    out.hit = have * c->size;
    for (uint32_t n = have; n < want; n++) {
        uint32_t i = 0;
        while (taken[i])
            i++;
        taken[i] = true;
        out.victims += c->list[i].full;
        mine[n] = (struct rn_block){(n + 1) * c->size <= s->kv, {r, (n + 1) * c->size}, ++c->clock};
    }
    for (uint32_t i = 0; i < c->blocks; i++)
        if (!taken[i])
            c->list[left++] = c->list[i];
    for (uint32_t n = want; n-- > 0;)
        c->list[left++] = mine[n];
    out.evicted = out.victims * c->size;
    return out;
}

/* ---- trie and exact ------------------------------------------------------------------------------------- */

struct rn_list {
    struct rn_prefix at[RN_MOST]; /* used longest ago first */
    uint32_t n, pool;
};

static inline void rn_drop(struct rn_list *x, uint32_t i)
{
    memmove(&x->at[i], &x->at[i + 1], (--x->n - i) * sizeof x->at[0]);
}

static inline bool rn_is_leaf(const struct load *l, const struct rn_list *x, uint32_t i)
{
    for (uint32_t k = 0; k < x->n; k++)
        if (k != i && x->at[k].n > x->at[i].n && rn_begins(l, x->at[i], x->at[k]))
            return false;
    return true;
}

static inline struct rn_result rn_trie(struct rn_list *x, const struct load *l, uint32_t r)
{
    const struct load_request *s = &l->request[r];
    struct rn_result out = {.refused = s->kv > x->pool};
    uint32_t there = 0;
    if (out.refused)
        return out;
    for (uint32_t i = 0; i < x->n;) { /* what is mine leaves the list, so nothing of it can go */
        if (rn_begins(l, x->at[i], (struct rn_prefix){r, s->kv})) {
            there++;
            rn_drop(x, i);
        } else
            i++;
    }
    out.hit = there < s->prompt ? there : s->prompt - 1;
    while (x->n + s->kv > x->pool) {
        uint32_t i = 0;
        while (!rn_is_leaf(l, x, i))
            i++;
        rn_drop(x, i);
        out.evicted++;
    }
    out.victims = out.evicted;
    for (uint32_t n = s->kv; n > 0; n--)
        x->at[x->n++] = (struct rn_prefix){r, n};
    return out;
}

static inline struct rn_result rn_exact(struct rn_list *x, const struct load *l, uint32_t r)
{
    const struct load_request *s = &l->request[r];
    struct rn_prefix me = {r, s->prompt};
    struct rn_result out = {.refused = s->kv > x->pool};
    uint32_t held = 0;
    if (out.refused)
        return out;
    for (uint32_t i = 0; i < x->n; i++) {
        if (rn_same(l, x->at[i], me)) {
            out.hit = s->prompt - 1;
            rn_drop(x, i--);
        } else
            held += x->at[i].n;
    }
    while (held + s->kv > x->pool) {
        held -= x->at[0].n;
        out.evicted += x->at[0].n;
        out.victims++;
        rn_drop(x, 0);
    }
    x->at[x->n++] = me;
    return out;
}

#endif
