/* recorder.h: writes recordings in the format of the real SGLang's, with what the naive model answers.
 *
 * The model (tests/cache/naive.h) is a flat table of prefixes that shares nothing with src/cache and was
 * written from the same text as the recordings' own checkers. So these files prove conformance where the
 * recordings of the real thing are not at hand, and with any seed and setting.
 */
#ifndef RADIXSCOPE_TESTS_RECORDER_H
#define RADIXSCOPE_TESTS_RECORDER_H

#include <sha256.h>
#include <stdio.h>

#include "../cache/naive.h"
#include "base/buf.h"
#include "base/prng.h"

struct rec_config {
    struct world_config w;
    uint32_t seed, ops, dump_every, alphabet, max_len;
    bool events;
    bool tries;    /* a skipped insert has tried to take its slots: upstream's driver may or may not */
};

struct rec {
    struct rec_config cfg;
    struct naive m;
    struct prng rng;
    struct buf *out;
    struct buf frees, evicted, events;   /* of the operation at hand */
    uint32_t rid[N_REQS], prompt[N_REQS], next_rid, next_handle, session_no;
    struct { uint32_t h, id; } lock[8];
    uint32_t locks, i;
};

static const char *const REC_SPACE[] = {NULL, "A", "B"};

static inline uint32_t rec_below(struct rec *r, uint32_t n)
{
    return prng_below(&r->rng, n);
}

/* ---- JSON ------------------------------------------------------------------------------------------------- */

static inline void put_ints(struct buf *b, const uint32_t *v, uint32_t n)
{
    buf_putc(b, '[');
    for (uint32_t i = 0; i < n; i++)
        buf_printf(b, "%s%u", i > 0 ? ", " : "", v[i]);
    buf_putc(b, ']');
}

static inline void put_space(struct buf *b, uint32_t ns)
{
    if (ns == 0)
        buf_puts(b, "null");
    else
        buf_printf(b, "\"%s\"", REC_SPACE[ns]);
}

static inline void put_tick(const struct rec *r, struct buf *b, const struct n_node *x, uint32_t tick)
{
    if (r->cfg.w.rules == RULES_UNIFIED)
        buf_printf(b, "%.17g%s", x != NULL ? n_used(x) : tick, x != NULL && x->minus > 0 ? "" : ".0");
    else
        buf_printf(b, "%u", tick);
}

static inline void field(struct rec *r, const char *name)
{
    buf_printf(r->out, ", \"%s\": ", name);
}

static inline void field_u32(struct rec *r, const char *name, long long v)
{
    buf_printf(r->out, ", \"%s\": %lld", name, v);
}

static inline void field_bool(struct rec *r, const char *name, bool v)
{
    buf_printf(r->out, ", \"%s\": %s", name, v ? "true" : "false");
}

static inline void field_ints(struct rec *r, const char *name, const uint32_t *v, uint32_t n)
{
    field(r, name);
    put_ints(r->out, v, n);
}

/* ---- what is heard ------------------------------------------------------------------------------------------ */

static inline void part(struct buf *list)
{
    if (list->len > 0)
        buf_puts(list, ", ");
}

static inline void rec_freed(void *ctx, const uint32_t *slots, uint32_t n)
{
    struct rec *r = ctx;
    part(&r->frees);
    put_ints(&r->frees, slots, n);
}

static inline void hash_page(const struct naive *m, const uint32_t *tok, const uint8_t *before, uint8_t digest[32])
{
    SHA256_CTX sha;
    SHA256_Init(&sha);
    if (before != NULL)
        SHA256_Update(&sha, before, 32);
    for (uint32_t i = 0; i < m->cfg.page_size; i++)
        for (uint32_t k = i; k <= i + m->cfg.bigram; k++) {
            uint8_t le[4] = {(uint8_t)tok[k], (uint8_t)(tok[k] >> 8), (uint8_t)(tok[k] >> 16), (uint8_t)(tok[k] >> 24)};
            SHA256_Update(&sha, le, 4);
        }
    SHA256_Final(digest, &sha);
}

/* The event id of the page of row `row`: the chain from the key's beginning. */
static inline long long page_id(const struct naive *m, const uint32_t *tok, uint32_t units)
{
    uint8_t digest[32];
    uint64_t id = 0;
    for (uint32_t u = 0; u < units; u += m->cfg.page_size)
        hash_page(m, tok + u, u > 0 ? digest : NULL, digest);
    for (int i = 0; i < 8; i++)
        id = id << 8 | digest[i];
    return (long long)(int64_t)id;
}

static inline void rec_removed(void *ctx, uint32_t id)
{
    struct rec *r = ctx;
    struct naive *m = &r->m;
    uint32_t end = n_end(m, id), len = n_len(m, id), start = m->ends[end] - len, size = m->cfg.page_size;
    const struct n_row *row = &m->row[end];
    part(&r->evicted);
    buf_printf(&r->evicted, "{\"id\": %u, \"start\": %u, \"key\": ", id, start);
    put_ints(&r->evicted, row->tok + start, n_raw(m, len));
    buf_puts(&r->evicted, ", \"extra\": ");
    put_space(&r->evicted, row->ns);
    buf_puts(&r->evicted, ", \"value\": ");
    uint32_t slots[N_RAW];
    for (uint32_t u = start + size; u <= m->ends[end]; u += size)
        memcpy(slots + u - size - start, m->row[n_find(m, row->ns, row->tok, u)].slot, size * 4);
    put_ints(&r->evicted, slots, len);
    buf_putc(&r->evicted, '}');
    part(&r->events);
    buf_puts(&r->events, "{\"t\": \"BlockRemoved\", \"hashes\": [");
    for (uint32_t u = start + size; u <= m->ends[end]; u += size)
        buf_printf(&r->events, "%s%lld", u > start + size ? ", " : "", page_id(m, row->tok, u));
    buf_puts(&r->events, "], \"medium\": \"GPU\"}");
}

static inline void rec_stored(void *ctx, uint32_t id)
{
    struct rec *r = ctx;
    struct naive *m = &r->m;
    uint32_t end = n_end(m, id), size = m->cfg.page_size;
    const uint32_t *tok = m->row[end].tok;
    for (uint32_t u = m->ends[end] - n_len(m, id) + size; u <= m->ends[end]; u += size) {
        part(&r->events);
        buf_printf(&r->events, "{\"t\": \"BlockStored\", \"hashes\": [%lld], \"parent\": ", page_id(m, tok, u));
        if (u > size)
            buf_printf(&r->events, "%lld", page_id(m, tok, u - size));
        else
            buf_puts(&r->events, "null");
        buf_puts(&r->events, ", \"tokens\": [");
        for (uint32_t i = u - size; i < u; i++) {
            buf_puts(&r->events, i > u - size ? ", " : "");
            if (m->cfg.bigram)
                put_ints(&r->events, tok + i, 2);
            else
                buf_printf(&r->events, "%u", tok[i]);
        }
        buf_printf(&r->events, "], \"block_size\": %u, \"medium\": \"GPU\"}", size);
    }
}

/* ---- the tree: nodes by namespace and path are the rows in preorder ----------------------------------------- */

static inline int path_order(const struct naive *m, uint32_t a, uint32_t b)
{
    uint32_t x = n_end(m, a), y = n_end(m, b), n = n_raw(m, m->ends[x]), k = n_raw(m, m->ends[y]);
    if (m->row[x].ns != m->row[y].ns)
        return m->row[x].ns < m->row[y].ns ? -1 : 1;
    for (uint32_t i = 0; i < n && i < k; i++)
        if (m->row[x].tok[i] != m->row[y].tok[i])
            return m->row[x].tok[i] < m->row[y].tok[i] ? -1 : 1;
    return n < k ? -1 : n > k;
}

static inline void put_row(struct rec *r, uint32_t id)
{
    struct naive *m = &r->m;
    struct buf *b = r->out;
    const struct n_node *x = &m->node[id];
    uint32_t end = id == 0 ? 0 : n_end(m, id), len = id == 0 ? 0 : n_len(m, id), size = m->cfg.page_size;
    uint32_t start = id == 0 ? 0 : m->ends[end] - len, slots[N_RAW];
    const struct n_row *row = &m->row[end];
    int up = start > 0 ? n_find(m, row->ns, row->tok, start) : -1;
    for (uint32_t u = start + size; u <= start + len; u += size)
        memcpy(slots + u - size - start, m->row[n_find(m, row->ns, row->tok, u)].slot, size * 4);
    buf_printf(b, "[%u, %d, ", id, id == 0 ? -1 : up >= 0 ? (int)m->own[up] : 0);
    put_space(b, id == 0 ? 0 : row->ns);
    buf_puts(b, ", ");
    put_ints(b, row->tok + start, n_raw(m, len));
    buf_puts(b, ", ");
    put_ints(b, slots, len);
    if (id == 0 && x->priority == INT32_MIN)
        buf_printf(b, ", %u, %u, -9223372036854775807, ", x->lock, x->hits);
    else
        buf_printf(b, ", %u, %u, %d, ", x->lock, x->hits, (int)x->priority);
    put_tick(r, b, x, x->last);
    buf_puts(b, ", ");
    put_tick(r, b, NULL, x->created);
    buf_printf(b, ", %d]", n_evictable(m, id));
}

static inline void put_tree(struct rec *r)
{
    uint32_t id[N_ROWS], n = 0;
    for (uint32_t i = 0; i < r->m.rows; i++) {
        uint32_t k = 0;
        while (k < n && id[k] != r->m.own[i])
            k++;
        if (k == n)
            id[n++] = r->m.own[i];
    }
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0 && path_order(&r->m, id[k], id[k - 1]) < 0; k--) {
            uint32_t t = id[k];
            id[k] = id[k - 1];
            id[k - 1] = t;
        }
    field(r, "tree");
    buf_putc(r->out, '[');
    put_row(r, 0);
    for (uint32_t i = 0; i < n; i++) {
        buf_puts(r->out, ", ");
        put_row(r, id[i]);
    }
    buf_putc(r->out, ']');
}

/* ---- one operation ---------------------------------------------------------------------------------------------- */

static inline void op_begin(struct rec *r, const char *op)
{
    r->frees.len = r->evicted.len = r->events.len = 0;
    r->m.log.n = 0;
    buf_printf(r->out, "{\"type\": \"op\", \"i\": %u, \"op\": \"%s\"", r->i, op);
}

static inline void put_list(struct rec *r, const char *name, const struct buf *list)
{
    field(r, name);
    buf_putc(r->out, '[');
    buf_add(r->out, list->data, list->len);
    buf_putc(r->out, ']');
}

static inline void op_end(struct rec *r)
{
    put_list(r, "frees", &r->frees);
    put_list(r, "evicted", &r->evicted);
    field_u32(r, "evictable", n_sum(&r->m, false));
    field_u32(r, "protected", n_sum(&r->m, true));
    field_u32(r, "avail", n_free_slots(&r->m));
    field(r, "clock");
    put_tick(r, r->out, NULL, r->m.clock);
    if (r->cfg.events)
        put_list(r, "events", &r->events);
    if (r->i % r->cfg.dump_every == 0)
        put_tree(r);
    buf_puts(r->out, "}\n");
    r->i++;
}

struct rec_key {
    uint32_t tok[N_RAW], n, ns;
};

static inline struct rec_key rec_key(struct rec *r)
{
    struct rec_key k = {.n = 1 + rec_below(r, r->cfg.max_len), .ns = rec_below(r, 3)};
    for (uint32_t i = 0; i < k.n; i++)
        k.tok[i] = rec_below(r, r->cfg.alphabet);
    return k;
}

static inline void put_key(struct rec *r, const struct rec_key *k)
{
    field_ints(r, "tokens", k->tok, k->n);
    field(r, "extra");
    put_space(r->out, k->ns);
}

static inline void rec_match(struct rec *r)
{
    struct rec_key k = rec_key(r);
    uint32_t slots[N_RAW], limit = rec_below(r, 3) == 0 ? rec_below(r, k.n + 1) : k.n;
    op_begin(r, "match");
    put_key(r, &k);
    field_u32(r, "limit", limit);
    struct n_match f = n_match(&r->m, k.ns, k.tok, limit, slots);
    field_u32(r, "matched", f.units);
    field_ints(r, "indices", slots, f.units);
    field_u32(r, "node", f.node);
    op_end(r);
}

static inline void rec_insert(struct rec *r)
{
    struct rec_key k = rec_key(r);
    uint32_t slots[N_RAW], units = n_units(&r->m, k.n);
    bool pre = rec_below(r, 2) == 0, skipped, chunked = rec_below(r, 4) == 0, unified = r->cfg.w.rules == RULES_UNIFIED;
    int32_t priority = (int32_t)rec_below(r, 6);
    struct n_match have = {0, 0};
    size_t line = r->out->len;
    op_begin(r, "insert");
    if (pre)
        have = n_match(&r->m, k.ns, k.tok, k.n, slots);
    skipped = n_free_slots(&r->m) < units - have.units;
    if (skipped) {
        r->out->len = line;
        op_begin(r, "insert_skipped");
    }
    put_key(r, &k);
    field_bool(r, "pre_match", pre);
    if (skipped) {
        if (r->cfg.tries)
            n_take(&r->m, 0, 0, units - have.units, false, slots + have.units);
        field_u32(r, "n", units - have.units);
        field_u32(r, "num_evicted", n_evict(&r->m, units - have.units));
        op_end(r);
        return;
    }
    n_take(&r->m, 0, 0, units - have.units, false, slots + have.units);
    field_ints(r, "value", slots, units);
    field_u32(r, "priority", priority);
    field_bool(r, "chunked", chunked);
    struct n_match f = n_insert(&r->m, k.ns, k.tok, k.n, slots, priority, chunked, have.units);
    uint32_t dup = unified || f.units < have.units ? 0 : f.units - have.units;
    n_give(&r->m, slots + have.units, dup);
    field_u32(r, "prefix_len", f.units);
    if (unified) {
        field(r, "node");
        buf_puts(r->out, "null");
    } else
        field_u32(r, "node", f.node);
    field_ints(r, "dup_freed", slots + have.units, dup);
    op_end(r);
}

static inline void rec_evict(struct rec *r)
{
    uint32_t n = rec_below(r, 3 * r->cfg.w.page_size + 2);
    op_begin(r, "evict");
    field_u32(r, "n", n);
    field_u32(r, "num_evicted", n_evict(&r->m, n));
    op_end(r);
}

static inline void rec_lock(struct rec *r)
{
    struct rec_key k = rec_key(r);
    uint32_t slots[N_RAW];
    if (r->locks == 4)
        return;
    op_begin(r, "lock");
    put_key(r, &k);
    field_u32(r, "h", r->next_handle);
    struct n_match f = n_match(&r->m, k.ns, k.tok, k.n, slots);
    uint32_t before = n_sum(&r->m, false);
    n_lock(&r->m, f.node, 1);
    long long delta = (long long)n_sum(&r->m, false) - before;
    field_u32(r, "node", f.node);
    field_u32(r, "delta", r->cfg.w.rules == RULES_UNIFIED ? -delta : delta);
    r->lock[r->locks].h = r->next_handle++;
    r->lock[r->locks++].id = f.node;
    op_end(r);
}

static inline void rec_unlock(struct rec *r)
{
    if (r->locks == 0)
        return;
    uint32_t at = rec_below(r, r->locks), before = n_sum(&r->m, false);
    op_begin(r, "unlock");
    field_u32(r, "h", r->lock[at].h);
    field_u32(r, "node", r->lock[at].id);
    n_lock(&r->m, r->lock[at].id, -1);
    field_u32(r, "delta", (long long)n_sum(&r->m, false) - before);
    r->lock[at] = r->lock[--r->locks];
    op_end(r);
}

static inline void put_session(struct rec *r, uint32_t session)
{
    field(r, "session");
    if (session == 0)
        buf_puts(r->out, "null");
    else
        buf_printf(r->out, "\"s%u\"", session);
}

static inline int rec_request(struct rec *r, bool live)
{
    for (uint32_t i = 0, at = rec_below(r, N_REQS / 2); i < N_REQS / 2; i++, at = (at + 1) % (N_REQS / 2))
        if (r->m.req[at].live == live)
            return (int)at;
    return -1;
}

static inline void rec_start(struct rec *r)
{
    struct rec_key k = rec_key(r);
    int at = rec_request(r, false);
    if (at < 0)
        return;
    struct n_request *q = &r->m.req[at];
    *q = (struct n_request){.n = k.n, .ns = k.ns, .priority = (int32_t)rec_below(r, 4)};
    memcpy(q->tok, k.tok, k.n * 4);
    q->session = r->cfg.w.sessions && rec_below(r, 2) == 0 ? 1 + r->session_no + rec_below(r, 3) : 0;
    r->rid[at] = r->next_rid++;
    r->prompt[at] = k.n;
    op_begin(r, "start");
    field_u32(r, "rid", r->rid[at]);
    put_key(r, &k);
    field_u32(r, "priority", q->priority);
    put_session(r, q->session);
    field_u32(r, "limit", k.n - 1);
    struct n_match f = n_start(&r->m, q, k.n - 1);
    n_lock(&r->m, f.node, -1);
    uint32_t before = n_sum(&r->m, false);
    n_lock(&r->m, f.node, 1);
    long long delta = (long long)n_sum(&r->m, false) - before;
    uint32_t extend = rec_below(r, 3) == 0 ? f.units + 1 + rec_below(r, k.n - f.units) : k.n;
    field_u32(r, "matched", f.units);
    field_ints(r, "indices", q->row, f.units);
    field_u32(r, "node", f.node);
    bool got = n_admit(&r->m, q, extend);
    field_bool(r, "admitted", got);
    field_u32(r, "lock_delta", r->cfg.w.rules == RULES_UNIFIED ? -delta : delta);
    field_u32(r, "extend_to", extend);
    field_ints(r, "new_slots", q->row + f.units, got ? extend - f.units : 0);
    op_end(r);
}

/* The rest of a record whose allocation failed: it is a finish. What was freed and evicted for it stays. */
static inline void rec_no_memory(struct rec *r, int at, uint32_t ask)
{
    struct n_request *q = &r->m.req[at];
    buf_printf(r->out, "{\"type\": \"op\", \"i\": %u, \"op\": \"finish\"", r->i);
    field_u32(r, "rid", r->rid[at]);
    field_bool(r, "is_insert", false);
    field(r, "why");
    buf_puts(r->out, "\"no_memory\"");
    field_ints(r, "tokens", q->tok, q->kv);
    field_ints(r, "row", q->row, q->kv);
    field_u32(r, "protected_len", q->prot);
    field_u32(r, "evict_ask", ask);
    n_finish(&r->m, q, false);
    op_end(r);
}

static inline void rec_next_chunk(struct rec *r, int at)
{
    struct n_request *q = &r->m.req[at];
    uint32_t start = q->kv, size = r->cfg.w.page_size, upto = start + 1 + rec_below(r, r->prompt[at] - start);
    uint32_t ask = size > 1 ? upto - start + size : upto - start;
    size_t line = r->out->len;
    op_begin(r, "next_chunk");
    field_u32(r, "rid", r->rid[at]);
    field_u32(r, "start", start);
    field_u32(r, "extend_to", upto);
    if (!n_alloc(&r->m, q, upto, ask)) {
        r->out->len = line;
        rec_no_memory(r, at, ask);
        return;
    }
    field_ints(r, "new_slots", q->row + start, upto - start);
    op_end(r);
}

static inline void rec_decode(struct rec *r, int at)
{
    struct n_request *q = &r->m.req[at];
    uint32_t first = q->kv, want = 1 + rec_below(r, 3), size = r->cfg.w.page_size;
    bool oom = false;
    op_begin(r, "decode");
    field_u32(r, "rid", r->rid[at]);
    for (uint32_t i = 0; i < want && !oom && q->n < N_RAW - 1; i++) {
        q->tok[q->n++] = rec_below(r, r->cfg.alphabet);
        oom = !n_alloc(&r->m, q, q->kv + 1, size);
    }
    field_ints(r, "new_slots", q->row + first, q->kv - first);
    field_ints(r, "output", q->tok + r->prompt[at], q->n - r->prompt[at]);
    field_bool(r, "oom", oom);
    op_end(r);
}

static inline void rec_extend(struct rec *r)
{
    int at = rec_request(r, true);
    if (at < 0 || r->m.req[at].kv + 4 >= N_RAW)
        return;
    if (r->m.req[at].kv < r->prompt[at])
        rec_next_chunk(r, at);
    else if (r->m.req[at].kv == r->m.req[at].n)
        rec_decode(r, at);
}

static inline void rec_unfinished(struct rec *r)
{
    int at = rec_request(r, true);
    if (at < 0)
        return;
    struct n_request *q = &r->m.req[at];
    op_begin(r, "unfinished");
    field_u32(r, "rid", r->rid[at]);
    field_u32(r, "fill_len", q->kv);
    field_bool(r, "chunked", q->kv < r->prompt[at]);
    n_unfinished(&r->m, q, q->kv, q->kv < r->prompt[at]);
    field_u32(r, "protected_len", q->prot);
    field_u32(r, "node", q->node);
    field_ints(r, "prefix_indices", q->row, q->kv);
    field_ints(r, "row", q->row, q->kv);
    op_end(r);
}

static inline void rec_finish(struct rec *r)
{
    int at = rec_request(r, true);
    if (at < 0)
        return;
    struct n_request *q = &r->m.req[at];
    bool insert = rec_below(r, 4) > 0;
    op_begin(r, "finish");
    field_u32(r, "rid", r->rid[at]);
    field_bool(r, "is_insert", insert);
    field(r, "why");
    buf_puts(r->out, insert ? "null" : "\"abort\"");
    field_ints(r, "tokens", q->tok, q->kv);
    field_ints(r, "row", q->row, q->kv);
    field_u32(r, "protected_len", q->prot);
    n_finish(&r->m, q, insert);
    op_end(r);
}

static inline void rec_close(struct rec *r)
{
    if (!r->cfg.w.sessions || rec_below(r, 4) > 0)
        return;
    uint32_t session = 1 + r->session_no++;
    op_begin(r, "close_session");
    put_session(r, session);
    field_u32(r, "nodes_freed", n_close(&r->m, session));
    r->events.len = 0; /* closing publishes nothing */
    op_end(r);
}

/* A whole recording of cfg.ops operations, appended to out. */
static inline void record(const struct rec_config *cfg, struct buf *out)
{
    static void (*const ops[])(struct rec *) = {rec_match,  rec_insert, rec_insert,     rec_evict,  rec_lock,  rec_unlock,
                                                rec_start,  rec_start,  rec_extend,     rec_extend, rec_close, rec_unfinished,
                                                rec_finish, rec_finish};
    struct rec *r = calloc(1, sizeof *r);
    r->cfg = *cfg;
    r->out = out;
    prng_seed(&r->rng, cfg->seed);
    n_init(&r->m, &cfg->w);
    r->m.ctx = r;
    r->m.freed = rec_freed;
    r->m.removed = rec_removed;
    r->m.stored = rec_stored;
    buf_printf(out, "{\"type\": \"config\", \"impl\": \"%s\", \"seed\": %u, \"ops\": %u, \"page_size\": %u, \"policy\": \"%s\"",
               cfg->w.rules == RULES_UNIFIED ? "unified" : "radix", cfg->seed, cfg->ops, cfg->w.page_size,
               policy_name(cfg->w.policy));
    field_u32(r, "pool", cfg->w.pool);
    field_bool(r, "bigram", cfg->w.bigram);
    field_bool(r, "need_sort", cfg->w.need_sort);
    field_bool(r, "sessions", cfg->w.sessions);
    field_bool(r, "events", cfg->events);
    buf_printf(out, ", \"dump_every\": %u, \"made_by\": \"tests/trace/recorder.h\"}\n", cfg->dump_every);
    while (r->i < cfg->ops)
        ops[rec_below(r, sizeof ops / sizeof *ops)](r);
    n_done(&r->m);
    buf_free(&r->frees);
    buf_free(&r->evicted);
    buf_free(&r->events);
    free(r);
}

#endif
