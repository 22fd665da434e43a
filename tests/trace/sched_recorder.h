/* sched_recorder.h: writes recordings of the scheduler in the format of the real SGLang's, with the answers of a model
 * that shares nothing with src/engine: the cache is the flat table of tests/cache/naive.h, the in-batch check a set of
 * whole prefixes, every order is found by taking the best of the rest again and again, and budgets are recounted from
 * the list of what was taken. Written from sglang-semantics §7. */
#ifndef RADIXSCOPE_TESTS_SCHED_RECORDER_H
#define RADIXSCOPE_TESTS_SCHED_RECORDER_H

#include "recorder.h"

enum { SR_QUEUE = 150, SR_TOKENS = 64, SR_NONE = -1 };

struct sr_req {
    uint32_t tok[SR_TOKENS], n, ns, max_new, node, raw, prefix;
    int priority, wait, key;      /* key: 0 none, 1 empty, 2… names */
    bool held;
};

struct sr {
    struct rec r;                 /* the table, the generator, the output */
    struct sr_req q[SR_QUEUE];
    uint32_t n, order[SR_QUEUE], running, run_key[8];
    const char *policy, *active;
    bool priorities, low_first;
    int chunk, max_prefill;
    uint64_t *scratch;            /* hashes of the prefixes that are about to be computed */
    size_t scratch_n;
};

static const char *const SR_KEYS[] = {NULL, "", "x", "xy", "y"};

static inline uint32_t sr_below(struct sr *s, uint32_t n)
{
    return prng_below(&s->r.rng, n);
}

static inline void sr_words(struct sr *s, struct sr_req *q, const uint32_t *from, uint32_t keep)
{
    q->n = 0;
    for (; q->n < keep; q->n++)
        q->tok[q->n] = from[q->n];
    for (uint32_t more = 1 + sr_below(s, 30); more > 0 && q->n < SR_TOKENS; more--)
        q->tok[q->n++] = sr_below(s, 3);
}

/* ---- orders: the best of the rest ------------------------------------------------------------------------------ */

static inline const char *sr_key(const struct sr_req *q)
{
    return q->key > 1 ? SR_KEYS[q->key] : "";
}

static inline uint32_t sr_running(const struct sr *s, const struct sr_req *q)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->running && q->key > 1; i++)
        n += s->run_key[i] == (uint32_t)q->key;
    return n;
}

static inline bool sr_any_running(const struct sr *s)
{
    for (uint32_t i = 0; i < s->running; i++)
        if (s->run_key[i] > 1)
            return true;
    return false;
}

/* Is a tried strictly before b? (Ties keep the queue's order.) */
static inline bool sr_first(const struct sr *s, const struct sr_req *a, const struct sr_req *b)
{
    int pa = s->low_first ? a->priority : -a->priority, pb = s->low_first ? b->priority : -b->priority;
    if (strcmp(s->active, "lpm") == 0)
        return a->held != b->held ? b->held : !a->held && a->prefix > b->prefix;
    if (strcmp(s->policy, "fcfs") == 0 && s->priorities)
        return pa != pb ? pa < pb : a->wait < b->wait;
    if (strcmp(s->active, "lof") == 0)
        return s->priorities && pa != pb ? pa < pb : a->max_new > b->max_new;
    if (strcmp(s->active, "routing-key") == 0 && sr_any_running(s)) {
        uint32_t x = sr_running(s, a), y = sr_running(s, b);
        return x != y ? x > y : strcmp(sr_key(a), sr_key(b)) < 0;
    }
    return false;
}

static inline void sr_select(struct sr *s)
{
    bool gone[SR_QUEUE] = {false};
    for (uint32_t k = 0; k < s->n; k++) {
        uint32_t best = SR_QUEUE;
        for (uint32_t i = 0; i < s->n; i++)
            if (!gone[i] && (best == SR_QUEUE || sr_first(s, &s->q[i], &s->q[best])))
                best = i;
        gone[best] = true;
        s->order[k] = best;
    }
}

/* Node of the prefix one page shorter than where `id` begins: 0 is the root. */
static inline uint32_t sr_parent(const struct sr *s, uint32_t id)
{
    const struct naive *m = &s->r.m;
    uint32_t end = n_end(m, id), start = m->ends[end] - n_len(m, id);
    return start == 0 ? 0 : m->own[n_find(m, m->row[end].ns, m->row[end].tok, start)];
}

static inline uint32_t sr_weight(const struct sr *s, uint32_t id)
{
    uint32_t w = 0;
    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t at = s->q[i].node;; at = sr_parent(s, at)) {
            w += at == id;
            if (at == 0)
                break;
        }
    return w;
}

/* Children in the order in which their first page came into the table: nothing is evicted here. */
static inline void sr_dfs(struct sr *s, uint32_t id, uint32_t *k)
{
    const struct naive *m = &s->r.m;
    uint32_t kid[N_ROWS], weight[N_ROWS], n = 0;
    for (uint32_t i = 0; i < m->rows; i++) {
        uint32_t own = m->own[i];
        bool first = m->ends[i] == m->ends[n_end(m, own)] - n_len(m, own) + m->cfg.page_size;
        if (first && sr_parent(s, own) == id) {
            kid[n] = own;
            weight[n++] = sr_weight(s, own);
        }
    }
    for (uint32_t left = n; left > 0; left--) {
        uint32_t best = n;
        for (uint32_t i = 0; i < n; i++)
            if (kid[i] != 0 && (best == n || weight[i] > weight[best]))
                best = i;
        if (weight[best] > 0)
            sr_dfs(s, kid[best], k);
        kid[best] = 0;
    }
    for (uint32_t i = 0; i < s->n; i++)
        if (s->q[i].node == id)
            s->order[(*k)++] = i;
}

/* ---- looking up -------------------------------------------------------------------------------------------------- */

static inline uint64_t sr_hash(const struct sr_req *q, uint32_t n)
{
    uint64_t h = 77 + q->ns;
    for (uint32_t i = 0; i < n; i++)
        h = (h ^ (q->tok[i] + 1)) * 0x9e3779b97f4a7c15u + n;
    return h;
}

static inline bool sr_known(const struct sr *s, uint64_t h)
{
    for (size_t i = 0; i < s->scratch_n; i++)
        if (s->scratch[i] == h)
            return true;
    return false;
}

static inline void sr_look_up(struct sr *s)
{
    uint32_t slots[N_RAW];
    s->scratch_n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        struct sr_req *q = &s->q[i];
        struct n_match m = n_match(&s->r.m, q->ns, q->tok, q->n, slots);
        q->raw = m.units;
        q->node = m.node;
        q->prefix = m.units < q->n - 1 ? m.units : q->n - 1;
        if (q->raw > 32)
            continue;
        q->held = q->n >= 32 && sr_known(s, sr_hash(q, 32));
        for (uint32_t k = 1; k <= q->n && !q->held; k++)
            s->scratch[s->scratch_n++] = sr_hash(q, k);
    }
}

/* ---- admission --------------------------------------------------------------------------------------------------- */

static inline uint32_t sr_ceil(const struct sr *s, uint32_t n)
{
    uint32_t p = s->r.m.cfg.page_size;
    return (n + p - 1) / p * p;
}

struct sr_taken {
    uint32_t pages, output;
};

static inline long sr_left(const struct sr *s, const struct sr_taken *t, uint32_t n, bool outputs)
{
    long left = (long)n_free_slots(&s->r.m) + (long)n_sum(&s->r.m, false);
    for (uint32_t i = 0; i < n; i++)
        left -= (long)(t[i].pages + (outputs ? t[i].output : 0) + s->r.m.cfg.page_size);
    return left;
}

static inline uint32_t sr_input(const struct sr_taken *t, uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += t[i].pages;
    return sum;
}

static inline void sr_admit(struct sr *s)
{
    struct sr_taken taken[SR_QUEUE];
    uint32_t n = 0, hit = 0, slots[N_RAW];
    const char *result = "CONTINUE";
    field(&s->r, "admission");
    buf_putc(s->r.out, '[');
    for (uint32_t k = 0; k < s->n && strcmp(result, "CONTINUE") == 0; k++) {
        struct sr_req *q = &s->q[s->order[k]];
        struct n_match m = n_match(&s->r.m, q->ns, q->tok, q->n - 1, slots);
        uint32_t rest = q->n - m.units, out = q->max_new < 4096 ? q->max_new : 4096, size = s->r.m.cfg.page_size;
        long need = (long)rest + out + size, chunk = s->chunk - (long)sr_input(taken, n);
        long input = s->max_prefill - (long)sr_input(taken, n);
        uint32_t to = 0;
        bool full = s->chunk == SR_NONE && n > 0 && (long)sr_ceil(s, rest) >= input;
        result = need >= sr_left(s, taken, n, true) ? "NO_TOKEN" : full ? "OTHER" : NULL;
        if (result == NULL) {
            n_lock(&s->r.m, m.node, 1);
            result = need >= sr_left(s, taken, n, true) ? "NO_TOKEN" : NULL;
            if (result == NULL && (s->chunk == SR_NONE || (long)sr_ceil(s, rest) <= chunk))
                to = q->n;
            else if (result == NULL && chunk >= (long)size)
                to = (m.units + (uint32_t)chunk / size * size) / size * size;
            if (to <= m.units) {
                result = result == NULL ? "OTHER" : result;
                n_lock(&s->r.m, m.node, -1);
            }
        }
        bool added = to > m.units, chunked = added && to < q->n;
        if (added) {
            taken[n++] = (struct sr_taken){sr_ceil(s, to - m.units), chunked ? 0 : out};
            hit += m.units;
            bool none = s->max_prefill <= (int)sr_input(taken, n) || (s->chunk != SR_NONE && s->chunk <= (int)sr_input(taken, n));
            result = sr_left(s, taken, n, true) <= 0 || sr_left(s, taken, n, false) <= 0 ? "NO_TOKEN" : none ? "OTHER" : "CONTINUE";
        }
        buf_printf(s->r.out, "%s{\"rid\": \"r%u\", \"prefix\": %u, \"result\": \"%s\", \"added\": %s, \"extend\": ",
                   k > 0 ? ", " : "", s->order[k], m.units, result, added ? "true" : "false");
        if (added)
            buf_printf(s->r.out, "[%u, %u]", m.units, to);
        else
            buf_puts(s->r.out, "null");
        buf_printf(s->r.out, ", \"chunked\": %s, \"rem_total\": %ld.0, \"cur_rem\": %ld.0, \"rem_input\": %d, \"rem_chunk\": ",
                   chunked ? "true" : "false", sr_left(s, taken, n, true), sr_left(s, taken, n, false),
                   s->max_prefill - (int)sr_input(taken, n));
        if (s->chunk == SR_NONE)
            buf_puts(s->r.out, "null}");
        else
            buf_printf(s->r.out, "%d}", s->chunk - (int)sr_input(taken, n));
    }
    buf_putc(s->r.out, ']');
    field_u32(&s->r, "log_hit_tokens", hit);
    field_u32(&s->r, "log_input_tokens", sr_input(taken, n));
}

/* ---- one case ---------------------------------------------------------------------------------------------------- */

static inline void sr_inserts(struct sr *s, struct sr_req *known, uint32_t keys)
{
    uint32_t slots[N_RAW], got;
    field(&s->r, "inserts");
    buf_putc(s->r.out, '[');
    for (uint32_t i = 0; i < keys; i++) {
        struct sr_req *k = &known[i], *old = &known[i > 0 ? sr_below(s, i) : 0];
        k->ns = i > 0 && sr_below(s, 3) > 0 ? old->ns : sr_below(s, 2);
        sr_words(s, k, old->tok, i > 0 && old->ns == k->ns ? sr_below(s, old->n) : 0);
        got = n_units(&s->r.m, k->n);
        n_take(&s->r.m, 0, 0, got, false, slots);
        struct n_match m = n_insert(&s->r.m, k->ns, k->tok, k->n, slots, 0, false, 0);
        n_give(&s->r.m, slots, m.units);
        buf_puts(s->r.out, i > 0 ? ", [" : "[");
        put_ints(s->r.out, k->tok, k->n);
        buf_puts(s->r.out, ", ");
        put_space(s->r.out, k->ns);
        buf_putc(s->r.out, ']');
    }
    buf_putc(s->r.out, ']');
}

static inline void sr_queue(struct sr *s, struct sr_req *known, uint32_t keys)
{
    field(&s->r, "queue");
    buf_putc(s->r.out, '[');
    for (uint32_t i = 0; i < s->n; i++) {
        static const uint32_t outputs[] = {1, 4, 16, 64, 8192};
        struct sr_req *q = &s->q[i], *old = i > 0 && sr_below(s, 2) == 0 ? &s->q[sr_below(s, i)] : &known[sr_below(s, keys)];
        *q = (struct sr_req){.ns = old->ns, .max_new = outputs[sr_below(s, 5)], .priority = (int)sr_below(s, 5) - 2,
                             .wait = (int)sr_below(s, 10), .key = (int)sr_below(s, 5)};
        sr_words(s, q, old->tok, sr_below(s, old->n + 1));
        buf_printf(s->r.out, "%s{\"rid\": \"r%u\", \"tokens\": ", i > 0 ? ", " : "", i);
        put_ints(s->r.out, q->tok, q->n);
        buf_puts(s->r.out, ", \"extra\": ");
        put_space(s->r.out, q->ns);
        buf_printf(s->r.out, ", \"max_new_tokens\": %u, \"priority\": ", q->max_new);
        buf_printf(s->r.out, s->priorities ? "%d" : "null", q->priority);
        buf_printf(s->r.out, q->key > 0 ? ", \"routing_key\": \"%s\"" : ", \"routing_key\": null", q->key > 0 ? SR_KEYS[q->key] : "");
        buf_printf(s->r.out, ", \"wait\": %d.0}", q->wait);
    }
    buf_puts(s->r.out, "], \"running_routing_keys\": [");
    s->running = sr_below(s, 6);
    for (uint32_t i = 0; i < s->running; i++) {
        s->run_key[i] = 1 + sr_below(s, 4);
        buf_printf(s->r.out, "%s\"%s\"", i > 0 ? ", " : "", SR_KEYS[s->run_key[i]]);
    }
    buf_putc(s->r.out, ']');
}

static inline void sr_answers(struct sr *s)
{
    uint32_t k = 0;
    bool looks = strcmp(s->active, "lpm") == 0 || strcmp(s->active, "dfs-weight") == 0;
    if (looks)
        sr_look_up(s);
    if (strcmp(s->active, "dfs-weight") == 0)
        sr_dfs(s, 0, &k);
    else
        sr_select(s);
    buf_printf(s->r.out, ", \"active_policy\": \"%s\", \"num_matched\": {", s->active);
    for (uint32_t i = 0; looks && i < s->n; i++)
        buf_printf(s->r.out, "%s\"r%u\": %u", i > 0 ? ", " : "", i, s->q[i].prefix);
    buf_puts(s->r.out, "}, \"deprioritized\": [");
    bool any = false;
    char last[16] = "", next[16], name[16];
    for (;;) { /* in the order of their names */
        next[0] = '\0';
        for (uint32_t i = 0; i < s->n; i++) {
            snprintf(name, sizeof name, "r%u", i);
            if (s->q[i].held && strcmp(name, last) > 0 && (next[0] == '\0' || strcmp(name, next) < 0))
                memcpy(next, name, sizeof next);
        }
        if (next[0] == '\0')
            break;
        buf_printf(s->r.out, "%s\"%s\"", any ? ", " : "", next);
        memcpy(last, next, sizeof last);
        any = true;
    }
    buf_puts(s->r.out, "], \"order\": [");
    for (uint32_t i = 0; i < s->n; i++)
        buf_printf(s->r.out, "%s\"r%u\"", i > 0 ? ", " : "", s->order[i]);
    buf_putc(s->r.out, ']');
}

static inline void sr_case(struct sr *s, uint32_t i)
{
    static const char *const policies[] = {"fcfs", "lpm", "dfs-weight", "lof", "routing-key", "lpm"};
    static const uint32_t pages[] = {1, 4, 16}, pools[] = {400, 640, 4000};
    static const int chunks[] = {SR_NONE, 8, 32, 128};
    struct sr_req known[8];
    uint32_t keys = 1 + sr_below(s, 7), big = sr_below(s, 12) == 0;
    struct world_config w = {.page_size = pages[sr_below(s, 3)], .policy = POLICY_LRU};
    w.pool = pools[sr_below(s, 3)];
    n_init(&s->r.m, &w);
    s->r.cfg.w = w;
    s->policy = policies[sr_below(s, 6)];
    s->n = big ? 126 + sr_below(s, 6) : 1 + sr_below(s, 14);
    s->active = strcmp(s->policy, "lpm") == 0 && s->n > 128 ? "fcfs" : s->policy;
    s->priorities = (strcmp(s->policy, "fcfs") == 0 || strcmp(s->policy, "lof") == 0) && sr_below(s, 2) == 0;
    s->low_first = sr_below(s, 2) == 0;
    s->chunk = chunks[sr_below(s, 4)];
    s->max_prefill = sr_below(s, 2) == 0 ? 64 : 16384;
    buf_printf(s->r.out, "{\"type\": \"sched\", \"i\": %u, \"page_size\": %u, \"policy\": \"%s\", \"pool\": %u", i,
               w.page_size, s->policy, w.pool);
    sr_inserts(s, known, keys);
    field_bool(&s->r, "priority_scheduling", s->priorities);
    field_bool(&s->r, "low_values_first", s->low_first);
    sr_queue(s, known, keys);
    sr_answers(s);
    buf_printf(s->r.out, s->chunk == SR_NONE ? ", \"chunk\": null" : ", \"chunk\": %d", s->chunk);
    field_u32(&s->r, "max_prefill_tokens", s->max_prefill);
    buf_puts(s->r.out, ", \"new_token_ratio\": 0.7");
    sr_admit(s);
    field_u32(&s->r, "evictable", n_sum(&s->r.m, false));
    field_u32(&s->r, "protected", n_sum(&s->r.m, true));
    field_u32(&s->r, "avail", n_free_slots(&s->r.m));
    put_tree(&s->r);
    buf_puts(s->r.out, "}\n");
    n_done(&s->r.m);
}

/* A recording of `cases` cases. */
static inline void sched_record(uint32_t seed, uint32_t cases, struct buf *out)
{
    struct sr *s = calloc(1, sizeof *s);
    s->scratch = calloc((size_t)SR_QUEUE * SR_TOKENS, sizeof *s->scratch);
    s->r.out = out;
    prng_seed(&s->r.rng, seed);
    buf_printf(out, "{\"type\": \"config\", \"seed\": %u, \"cases\": %u}\n", seed, cases);
    for (uint32_t i = 0; i < cases; i++)
        sr_case(s, i);
    free(s->scratch);
    free(s);
}

#endif
