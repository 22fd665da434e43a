/* naive.h: the cache again, as a flat table of prefixes. Slow, simple, and nothing like a tree.
 *
 * Every page of cached tokens is one row of the table: the whole prefix that ends with it, its slots, and
 * the number of the node that holds it. A node is nothing but a number with attributes.
 *
 *      prefix              slots   node            "the cat sat", "the cat ran", page size 1
 *      the                 1       2
 *      the cat             2       2
 *      the cat sat         3       1
 *      the cat ran         6       3
 *
 * Splitting renumbers rows; which node is a leaf, what lies above it, what is evictable and how much is
 * protected is found by looking through the whole table. There is no parent, no child and no index.
 * Written from sglang-semantics §1 to §5 and §13; it shares no code with src/cache.
 */
#ifndef RADIXSCOPE_TESTS_NAIVE_H
#define RADIXSCOPE_TESTS_NAIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tape/world.h"

enum { N_RAW = 400, N_ROWS = 600, N_PAGE = 64, N_REQS = 12, N_LOG = 4096, N_TAGS = 256 };

struct n_row {
    uint32_t ns, tok[N_RAW], slot[N_PAGE];
};

struct n_node {
    uint32_t last, minus, created, hits, lock;
    int32_t priority;
};

struct n_request {
    bool live;
    uint32_t tok[N_RAW], row[N_RAW];
    uint32_t n, kv, prot, node, ns, session;
    int32_t priority;
};

struct n_log {                   /* everything freed and evicted, in order */
    uint32_t v[N_LOG], n;
};

struct naive {
    struct world_config cfg;
    struct n_row *row;           /* (N_ROWS) the table; its small columns stand apart, to be scanned: */
    uint64_t hash[N_ROWS], up[N_ROWS]; /* of the prefix; of the prefix one page shorter */
    uint32_t ends[N_ROWS], own[N_ROWS]; /* units of the prefix; id of its node */
    uint32_t rows;
    struct n_node *node;         /* by id */
    size_t nodes, cap;
    uint32_t clock;
    uint32_t *free, free_n, *side, side_n; /* pages */
    struct n_request req[N_REQS];
    struct { uint32_t node, session; } tag[N_TAGS];
    uint32_t tags, closed[64], closed_n;
    struct n_log log;
    /* Who wants to hear it all (tests/trace); NULL: nobody. */
    void *ctx;
    void (*freed)(void *ctx, const uint32_t *slots, uint32_t n);
    void (*removed)(void *ctx, uint32_t id);
    void (*stored)(void *ctx, uint32_t id);
    bool (*before)(const struct naive *m, uint32_t a, uint32_t b); /* goes a before b? instead of the policy's order */
    const void *choose_ctx;
    unsigned long splits, evictions, duplicates, refused, merges; /* what a run has met */
};

struct n_match {
    uint32_t node, units;
};

enum { N_FREED = 0xf0000000u, N_EVICTED = 0xe0000000u };

static inline void n_note(struct n_log *l, uint32_t v)
{
    if (l->n < N_LOG)
        l->v[l->n++] = v;
}

static inline uint32_t n_tick(struct naive *m)
{
    return m->cfg.rules == RULES_UNIFIED ? m->clock++ : ++m->clock;
}

static inline uint32_t n_node_new(struct naive *m, int32_t priority)
{
    if (m->nodes == m->cap) {
        m->cap = m->cap == 0 ? 256 : 2 * m->cap;
        m->node = realloc(m->node, m->cap * sizeof *m->node);
    }
    uint32_t id = (uint32_t)m->nodes++;
    m->node[id] = (struct n_node){.priority = priority};
    m->node[id].last = n_tick(m);
    m->node[id].created = n_tick(m);
    return id;
}

static inline void n_init(struct naive *m, const struct world_config *cfg)
{
    memset(m, 0, sizeof *m);
    m->cfg = *cfg;
    m->row = calloc(N_ROWS, sizeof *m->row);
    m->clock = cfg->rules == RULES_UNIFIED ? 1 : 0;
    n_node_new(m, INT32_MIN);
    m->node[0].lock = 1;
    uint32_t pages = cfg->pool / cfg->page_size;
    m->free = calloc(2 * (size_t)pages + 2, sizeof *m->free);
    m->side = calloc(2 * (size_t)pages + 2, sizeof *m->side);
    for (uint32_t p = 0; p < pages; p++)
        m->free[m->free_n++] = p + 1;
}

static inline void n_done(struct naive *m)
{
    free(m->row);
    free(m->node);
    free(m->free);
    free(m->side);
}

/* ---- the table -------------------------------------------------------------------------------------- */

static inline uint32_t n_units(const struct naive *m, uint32_t raw)
{
    uint32_t u = m->cfg.bigram ? (raw == 0 ? 0 : raw - 1) : raw;
    return u / m->cfg.page_size * m->cfg.page_size;
}

static inline uint32_t n_raw(const struct naive *m, uint32_t units)
{
    return units == 0 ? 0 : units + (m->cfg.bigram ? 1 : 0);
}

static inline uint64_t n_hash(const struct naive *m, uint32_t ns, const uint32_t *tok, uint32_t units)
{
    uint64_t h = (1469598103934665603u ^ ns) * 1099511628211u; /* FNV-1a over words */
    for (uint32_t i = 0; i < n_raw(m, units); i++)
        h = (h ^ tok[i]) * 1099511628211u;
    return (h ^ units) * 1099511628211u;
}

static inline int n_find(const struct naive *m, uint32_t ns, const uint32_t *tok, uint32_t units)
{
    uint64_t h = n_hash(m, ns, tok, units);
    for (uint32_t i = 0; i < m->rows; i++)
        if (m->hash[i] == h && m->row[i].ns == ns && m->ends[i] == units &&
            memcmp(m->row[i].tok, tok, n_raw(m, units) * 4) == 0)
            return (int)i;
    return -1;
}

/* The row with the longest prefix of a node: where the node ends. */
static inline uint32_t n_end(const struct naive *m, uint32_t id)
{
    uint32_t end = 0, units = 0;
    for (uint32_t i = 0; i < m->rows; i++)
        if (m->own[i] == id && m->ends[i] > units) {
            end = i;
            units = m->ends[i];
        }
    return end;
}

static inline uint32_t n_len(const struct naive *m, uint32_t id)
{
    uint32_t pages = 0;
    for (uint32_t i = 0; i < m->rows; i++)
        pages += m->own[i] == id;
    return pages * m->cfg.page_size;
}

/* The nodes on the path of a key, as far as it is cached: ids in order; *units matched. */
static inline uint32_t n_path(const struct naive *m, uint32_t ns, const uint32_t *tok, uint32_t units, uint32_t *id,
                              uint32_t *matched)
{
    uint32_t n = 0;
    *matched = 0;
    for (uint32_t u = m->cfg.page_size; u <= units; u += m->cfg.page_size) {
        int at = n_find(m, ns, tok, u);
        if (at < 0)
            break;
        if (n == 0 || id[n - 1] != m->own[at])
            id[n++] = m->own[at];
        *matched = u;
    }
    return n;
}

static inline uint32_t n_sum(const struct naive *m, bool locked)
{
    uint32_t pages = 0;
    for (uint32_t i = 0; i < m->rows; i++)
        pages += (m->node[m->own[i]].lock > 0) == locked;
    return pages * m->cfg.page_size;
}

/* ---- the pool ---------------------------------------------------------------------------------------- */

static inline uint32_t n_free_slots(const struct naive *m)
{
    return (m->free_n + m->side_n) * m->cfg.page_size;
}

static inline int n_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static inline uint32_t n_take_page(struct naive *m)
{
    uint32_t p = m->free[0];
    memmove(m->free, m->free + 1, --m->free_n * sizeof *m->free);
    return p;
}

static inline void n_give(struct naive *m, const uint32_t *slots, uint32_t n)
{
    uint32_t page[N_RAW], pages = 0, size = m->cfg.page_size;
    if (n == 0)
        return;
    if (m->freed != NULL)
        m->freed(m->ctx, slots, n);
    n_note(&m->log, N_FREED + n);
    for (uint32_t i = 0; i < n; i++) {
        n_note(&m->log, slots[i]);
        page[pages++] = slots[i] / size;
    }
    uint32_t *list = m->cfg.need_sort ? m->side : m->free, *count = m->cfg.need_sort ? &m->side_n : &m->free_n;
    if (size == 1) {
        memcpy(list + *count, page, pages * sizeof *page);
        *count += pages;
        return;
    }
    qsort(page, pages, sizeof *page, n_order);
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < pages; i++)
        if (distinct == 0 || page[distinct - 1] != page[i])
            page[distinct++] = page[i];
    memmove(list + distinct, list, *count * sizeof *list);
    memcpy(list, page, distinct * sizeof *page);
    *count += distinct;
}

static inline bool n_take(struct naive *m, uint32_t have, uint32_t last, uint32_t count, bool extend, uint32_t *out)
{
    uint32_t size = m->cfg.page_size, full = (have + size - 1) / size * size;
    uint32_t pages = have + count <= full ? 0 : (have + count - full + size - 1) / size;
    uint32_t wary = !extend || size == 1 ? pages : count / size + 2;
    if (wary > m->free_n && m->side_n > 0) {
        memcpy(m->free + m->free_n, m->side, m->side_n * sizeof *m->side);
        m->free_n += m->side_n;
        m->side_n = 0;
        qsort(m->free, m->free_n, sizeof *m->free, n_order);
        m->merges++;
    }
    if (pages > m->free_n)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        last = (have + i) % size == 0 ? n_take_page(m) * size : last + 1;
        out[i] = last;
    }
    return true;
}

/* ---- match, insert ------------------------------------------------------------------------------------- */

static inline void n_split(struct naive *m, uint32_t upto, uint32_t child)
{
    struct n_node old = m->node[child];
    uint32_t upper = n_node_new(m, old.priority);
    m->node[upper].hits = old.hits;
    m->node[upper].lock = old.lock;
    if (m->cfg.rules == RULES_UNIFIED) {
        m->node[upper].created = old.created;
        m->node[child].last = n_tick(m);
        m->node[child].minus = 0;
    }
    for (uint32_t i = 0; i < m->rows; i++)
        if (m->own[i] == child && m->ends[i] <= upto)
            m->own[i] = upper;
    m->splits++;
}

static inline void n_stamp(struct naive *m, uint32_t id, uint32_t now, uint32_t minus)
{
    m->node[id].last = now;
    m->node[id].minus = minus;
}

/* If the match ends inside its last node, split it; the last id becomes the upper one. */
static inline void n_cut(struct naive *m, uint32_t matched, uint32_t *id, uint32_t n)
{
    if (n == 0 || m->ends[n_end(m, id[n - 1])] == matched)
        return;
    n_split(m, matched, id[n - 1]);
    id[n - 1] = (uint32_t)m->nodes - 1;
}

static inline struct n_match n_match(struct naive *m, uint32_t ns, const uint32_t *tok, uint32_t raw, uint32_t *slots)
{
    uint32_t id[N_RAW], units = n_units(m, raw), matched;
    if (units == 0)
        return (struct n_match){0, 0};
    bool classic = m->cfg.rules == RULES_CLASSIC;
    uint32_t now = classic ? n_tick(m) : 0, n = n_path(m, ns, tok, units, id, &matched);
    if (classic) {
        n_stamp(m, 0, now, 0);
        for (uint32_t i = 0; i < n; i++)
            n_stamp(m, id[i], now, 0);
    }
    n_cut(m, matched, id, n);
    if (!classic) {
        now = n_tick(m);
        for (uint32_t i = 0; i < n; i++)
            n_stamp(m, id[i], now, n - 1 - i);
        n_stamp(m, 0, now, n);
    }
    for (uint32_t u = m->cfg.page_size; u <= matched; u += m->cfg.page_size)
        memcpy(slots + u - m->cfg.page_size, m->row[n_find(m, ns, tok, u)].slot, m->cfg.page_size * 4);
    return (struct n_match){n > 0 ? id[n - 1] : 0, matched};
}

static inline void n_add(struct naive *m, uint32_t ns, const uint32_t *tok, const uint32_t *slots, uint32_t from,
                         uint32_t to, uint32_t id)
{
    uint32_t size = m->cfg.page_size;
    for (uint32_t u = from + size; u <= to; u += size) {
        if (m->rows == N_ROWS)
            abort();
        uint32_t i = m->rows++;
        m->row[i].ns = ns;
        memcpy(m->row[i].tok, tok, n_raw(m, u) * 4);
        memcpy(m->row[i].slot, slots + u - size, size * 4);
        m->ends[i] = u;
        m->own[i] = id;
        m->hash[i] = n_hash(m, ns, tok, u);
        m->up[i] = n_hash(m, ns, tok, u - size);
    }
}

static inline struct n_match n_insert(struct naive *m, uint32_t ns, const uint32_t *tok, uint32_t raw,
                                      const uint32_t *slots, int32_t priority, bool chunked, uint32_t owned)
{
    uint32_t id[N_RAW], units = n_units(m, raw), matched, start = 0;
    bool classic = m->cfg.rules == RULES_CLASSIC;
    uint32_t now = n_tick(m);
    n_stamp(m, 0, now, 0);
    if (m->node[0].priority < priority)
        m->node[0].priority = priority;
    uint32_t n = n_path(m, ns, tok, units, id, &matched);
    for (uint32_t i = 0; i < n; i++)
        n_stamp(m, id[i], classic ? now : n_tick(m), 0);
    n_cut(m, matched, id, n);
    for (uint32_t i = 0; i < n; i++) {
        struct n_node *x = &m->node[id[i]];
        if (x->priority < priority)
            x->priority = priority;
        x->hits += !chunked;
        uint32_t end = m->ends[n_end(m, id[i])], from = start > owned ? start : owned;
        if (!classic && from < end)
            n_give(m, slots + from, end - from);
        start = end;
    }
    uint32_t last = n > 0 ? id[n - 1] : 0;
    if (matched < units) {
        last = n_node_new(m, priority);
        m->node[last].hits = !chunked;
        n_add(m, ns, tok, slots, matched, units, last);
        if (m->stored != NULL)
            m->stored(m->ctx, last);
    }
    return (struct n_match){last, matched};
}

/* ---- locks, eviction, sessions --------------------------------------------------------------------------- */

static inline void n_lock(struct naive *m, uint32_t id, int d)
{
    if (id == 0)
        return;
    uint32_t path[N_RAW], matched;
    uint32_t end = n_end(m, id);
    uint32_t n = n_path(m, m->row[end].ns, m->row[end].tok, m->ends[end], path, &matched);
    for (uint32_t i = 0; i < n; i++)
        m->node[path[i]].lock += (uint32_t)d;
}

static inline double n_used(const struct n_node *x)
{
    double t = x->last;
    for (uint32_t k = 0; k < x->minus; k++)
        t -= 0.00001;
    return t;
}

/* Does a go before b? */
static inline bool n_before(const struct naive *m, uint32_t a, uint32_t b)
{
    const struct n_node *x = &m->node[a], *y = &m->node[b];
    switch (m->cfg.policy) {
    case POLICY_FIFO: return x->created < y->created;
    case POLICY_FILO: return x->created > y->created;
    case POLICY_MRU: return n_used(x) > n_used(y);
    case POLICY_LFU:
        if (x->hits != y->hits)
            return x->hits < y->hits;
        break;
    case POLICY_SLRU:
        if ((x->hits >= 2) != (y->hits >= 2))
            return x->hits < 2;
        break;
    case POLICY_PRIORITY:
        if (x->priority != y->priority)
            return x->priority < y->priority;
        break;
    default: break;
    }
    return n_used(x) < n_used(y);
}

static inline bool n_continued(const struct naive *m, uint32_t row)
{
    for (uint32_t i = 0; i < m->rows; i++)
        if (m->up[i] == m->hash[row] && m->ends[i] == m->ends[row] + m->cfg.page_size)
            return true;
    return false;
}

static inline bool n_evictable(const struct naive *m, uint32_t id)
{
    return id != 0 && m->node[id].lock == 0 && !n_continued(m, n_end(m, id));
}

static inline void n_move_row(struct naive *m, uint32_t to, uint32_t from)
{
    m->row[to] = m->row[from];
    m->hash[to] = m->hash[from];
    m->up[to] = m->up[from];
    m->ends[to] = m->ends[from];
    m->own[to] = m->own[from];
}

static inline void n_remove(struct naive *m, uint32_t id)
{
    uint32_t slots[N_RAW], n = 0, end = m->ends[n_end(m, id)], len = n_len(m, id), size = m->cfg.page_size;
    for (uint32_t u = end - len + size; u <= end; u += size)
        for (uint32_t i = 0; i < m->rows; i++)
            if (m->own[i] == id && m->ends[i] == u) {
                memcpy(slots + n, m->row[i].slot, size * 4);
                n += size;
            }
    if (m->removed != NULL)
        m->removed(m->ctx, id);
    n_note(&m->log, N_EVICTED + id);
    n_give(m, slots, n);
    for (uint32_t i = 0; i < m->rows;)
        if (m->own[i] == id)
            n_move_row(m, i, --m->rows);
        else
            i++;
    for (uint32_t i = 0; i < m->tags;)
        if (m->tag[i].node == id)
            memmove(&m->tag[i], &m->tag[i + 1], (--m->tags - i) * sizeof m->tag[0]);
        else
            i++;
}

/* The leaf that the policy takes next; 0 when there is none. */
static inline uint32_t n_victim(const struct naive *m)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < m->rows; i++) {
        uint32_t id = m->own[i];
        if (m->node[id].lock == 0 && (best == 0 || (m->before != NULL ? m->before : n_before)(m, id, best)) && n_evictable(m, id))
            best = id;
    }
    return best;
}

static inline uint32_t n_evict(struct naive *m, uint32_t want)
{
    uint32_t freed = 0, id;
    while (freed < want && (id = n_victim(m)) != 0) {
        freed += n_len(m, id);
        n_remove(m, id);
        m->evictions++;
    }
    return freed;
}

static inline bool n_is_closed(const struct naive *m, uint32_t session)
{
    for (uint32_t i = 0; i < m->closed_n; i++)
        if (m->closed[i] == session)
            return true;
    return false;
}

static inline void n_tag(struct naive *m, uint32_t id, uint32_t session)
{
    if (!m->cfg.sessions || session == 0 || id == 0 || n_is_closed(m, session) || m->tags == N_TAGS)
        return;
    for (uint32_t i = 0; i < m->tags; i++)
        if (m->tag[i].node == id && m->tag[i].session == session)
            return;
    m->tag[m->tags].node = id;
    m->tag[m->tags++].session = session;
}

static inline bool n_tagged(const struct naive *m, uint32_t id)
{
    for (uint32_t i = 0; i < m->tags; i++)
        if (m->tag[i].node == id)
            return true;
    return false;
}

static inline void n_untag(struct naive *m, uint32_t id, uint32_t session)
{
    for (uint32_t i = 0; i < m->tags; i++)
        if (m->tag[i].node == id && m->tag[i].session == session) {
            memmove(&m->tag[i], &m->tag[i + 1], (--m->tags - i) * sizeof m->tag[0]);
            return;
        }
}

/* Newest tag first, as radixscope chooses where upstream leaves it open. */
static inline uint32_t n_close(struct naive *m, uint32_t session)
{
    uint32_t gone = 0;
    m->closed[m->closed_n++] = session;
    for (uint32_t i = m->tags; i-- > 0;) {
        if (i >= m->tags || m->tag[i].session != session)
            continue;
        uint32_t id = m->tag[i].node;
        for (;;) {
            n_untag(m, id, session);
            if (!n_evictable(m, id) || n_tagged(m, id))
                break;
            uint32_t end = n_end(m, id), above = m->ends[end] - n_len(m, id);
            int up = above > 0 ? n_find(m, m->row[end].ns, m->row[end].tok, above) : -1;
            uint32_t parent = up >= 0 ? m->own[up] : 0;
            n_remove(m, id);
            gone++;
            id = parent;
        }
        i = m->tags; /* the list has changed: begin again with the newest */
    }
    return gone;
}

/* ---- a request's life --------------------------------------------------------------------------------------- */

static inline bool n_alloc(struct naive *m, struct n_request *q, uint32_t upto, uint32_t ask)
{
    if (upto == q->kv)
        return true;
    if (n_free_slots(m) < ask)
        n_evict(m, ask);
    if (!n_take(m, q->kv, q->kv > 0 ? q->row[q->kv - 1] : 0, upto - q->kv, true, q->row + q->kv))
        return false;
    q->kv = upto;
    return true;
}

static inline struct n_match n_start(struct naive *m, struct n_request *q, uint32_t limit)
{
    struct n_match f = n_match(m, q->ns, q->tok, q->n < limit ? q->n : limit, q->row);
    n_lock(m, f.node, 1);
    q->node = f.node;
    q->kv = q->prot = f.units;
    return f;
}

static inline bool n_admit(struct naive *m, struct n_request *q, uint32_t extend)
{
    uint32_t need = extend - q->kv;
    q->live = n_alloc(m, q, extend, m->cfg.page_size == 1 ? need : need + m->cfg.page_size);
    if (!q->live) {
        n_lock(m, q->node, -1);
        m->refused++;
    }
    return q->live;
}

static inline void n_give_row(struct naive *m, struct n_request *q, uint32_t from, uint32_t to, bool duplicate)
{
    if (from < to) {
        n_give(m, q->row + from, to - from);
        m->duplicates += duplicate;
    }
}

static inline void n_unfinished(struct naive *m, struct n_request *q, uint32_t filled, bool chunked)
{
    uint32_t units = n_units(m, filled), slots[N_RAW], old = q->node;
    struct n_match f = n_insert(m, q->ns, q->tok, filled, q->row, q->priority, chunked, q->prot);
    if (m->cfg.rules == RULES_CLASSIC)
        n_give_row(m, q, q->prot, f.units, true);
    struct n_match again = n_match(m, q->ns, q->tok, filled, slots);
    for (uint32_t i = q->prot; i < units; i++)
        q->row[i] = slots[i];
    q->prot = units;
    q->node = again.node;
    n_lock(m, old, -1);
    n_lock(m, again.node, 1);
    n_tag(m, again.node, q->session);
}

static inline void n_finish(struct naive *m, struct n_request *q, bool insert)
{
    uint32_t units = n_units(m, q->kv), slots[N_RAW];
    struct n_match f = {0, 0};
    if (insert) {
        f = n_insert(m, q->ns, q->tok, q->kv, q->row, q->priority, false, q->prot);
        if (m->cfg.rules == RULES_CLASSIC)
            n_give_row(m, q, q->prot, f.units, true);
        n_give_row(m, q, units, q->kv, false);
    } else {
        if (m->cfg.rules == RULES_UNIFIED)
            n_give_row(m, q, q->prot, q->kv, false);
        else {
            n_give_row(m, q, q->prot, units, false);
            n_give_row(m, q, units > q->prot ? units : q->prot, q->kv, false);
        }
        if (m->cfg.sessions && q->session != 0 && !n_is_closed(m, q->session))
            f = n_match(m, q->ns, q->tok, q->kv, slots);
    }
    n_tag(m, f.node, q->session);
    n_lock(m, q->node, -1);
    q->live = false;
}

#endif
