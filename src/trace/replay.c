#include "trace/replay.h"

#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "cache/evict.h"
#include "cache/radix.h"
#include "cache/req.h"
#include "cache/slots.h"

static void hear_removed(void *ctx, uint32_t node)
{
    struct replay *r = ctx;
    r->f.evicted_nodes++;
    r->f.evicted_blocks += r->cache.w->node[node].len;
    belady_removed(&r->belady, node);
}

int replay_open(struct replay *r, uint32_t capacity, uint32_t policy, uint64_t blocks, bool record, struct err *e)
{
    uint64_t pool = capacity == REPLAY_UNLIMITED ? REPLAY_MOST : capacity;
    if (blocks != 0 && pool > blocks && (!record || capacity == REPLAY_UNLIMITED))
        pool = blocks; /* it is never full then; only a screen would show what it holds more */
    struct world_config cfg = {.pool = (uint32_t)pool, .page_size = 1, .policy = policy};
    *r = (struct replay){.capacity = capacity, .t = tape_new(&cfg, e)};
    if (r->t == NULL)
        return -1;
    tape_record(r->t, record);
    if (cache_init(&r->cache, r->t, e) != 0) {
        tape_free(r->t);
        return -1;
    }
    r->cache.listen.ctx = r;
    r->cache.listen.removed = hear_removed;
    return 0;
}

void replay_close(struct replay *r)
{
    if (r->t == NULL)
        return;
    belady_free(&r->belady);
    cache_done(&r->cache);
    tape_free(r->t);
    xfree(r->slots);
    *r = (struct replay){0};
}

void replay_foresee(struct replay *r, const struct future *f)
{
    belady_init(&r->belady, f, &r->cache);
}

static void count(struct replay *r, uint32_t n, uint32_t matched)
{
    r->f.requests++;
    r->f.blocks += n;
    r->f.hit_blocks += matched;
    r->f.hits_hash = r->f.hits_hash * 1000003u + matched;
}

/* What "unlimited" promises cannot be kept beyond the largest pool. */
static int check_unlimited(const struct replay *r, struct err *e)
{
    if (r->capacity != REPLAY_UNLIMITED || (r->f.evicted_nodes == 0 && r->f.too_big == 0))
        return 0;
    err_set(e, "unlimited is more than this program can hold: the trace has over %d different blocks", REPLAY_MOST);
    return err_hint(e, "name a capacity instead");
}

static bool slots_room(struct replay *r, uint32_t n)
{
    void *slots = r->slots;
    bool ok = xgrow(&slots, &r->room, (size_t)n + 1, sizeof *r->slots);
    r->slots = slots;
    return ok;
}

/* R3. *got: whether there are enough now. false: no memory. */
static bool make_room(struct cache *c, uint32_t need, bool *got)
{
    uint32_t free = pool_free_slots(c->w), freed;
    bool ok = free >= need || evict(c, need - free, 0, &freed);
    *got = pool_free_slots(c->w) >= need;
    return ok;
}

/* What is told to Belady's choice: a request begins, its match has split a node, it has ended. */
static bool foresee(struct replay *r)
{
    return r->belady.f == NULL || belady_begin(&r->belady, (uint32_t)r->f.requests);
}

static void foresee_split(struct replay *r, struct match m, uint32_t nodes_before)
{
    if (r->cache.w->head.node_count > nodes_before)
        belady_touch(&r->belady, r->cache.w->node[m.node].first_child);
}

int replay_request(struct replay *r, const uint32_t *ids, uint32_t n, struct err *e)
{
    struct cache *c = &r->cache;
    bool got;
    if (!slots_room(r, n))
        return err_memory(e, n * sizeof *r->slots, "a request of a trace");
    if (cache_begin(c, n, e) != 0)
        return -1;
    if (!foresee(r))
        return cache_fail(c, e);
    struct key key = key_make(c->w, ids, n, n, 0);
    uint32_t nodes = c->w->head.node_count;
    struct match m = radix_match_prefix(c, &key, 0), end = m; /* R1 */
    uint32_t need = n - m.units;
    foresee_split(r, m, nodes);
    count(r, n, m.units);
    if (need == 0) { /* locking and unlocking leaves everything as it was */
        belady_touch(&r->belady, m.node);
        cache_end(c);
        return 0;
    }
    radix_inc_lock_ref(c, m.node, 0); /* R2 */
    if (!make_room(c, need, &got))
        return cache_fail(c, e);
    if (!got)
        r->f.too_big++; /* R4 */
    else {
        if (!cache_more(c, n))
            return cache_fail(c, e);
        radix_path_slots((struct scene){c->w, c->s}, m.node, r->slots); /* R5 */
        slots_alloc(c, need, r->slots + m.units);
        end = radix_insert(c, &key, r->slots, 0, false, 0, 0);
    }
    radix_dec_lock_ref(c, m.node, 0); /* R6 */
    belady_touch(&r->belady, end.node);
    cache_end(c);
    return check_unlimited(r, e);
}

/* ---- with a tape ----------------------------------------------------------------------------------------- */

/* One operation each, as the engine makes them: arrival, match and lock, allocation, insertion. */
static int arrive(struct replay *r, const uint32_t *ids, uint32_t n, uint32_t *req, struct err *e)
{
    struct cache *c = &r->cache;
    struct req_spec spec = {.tok = ids, .n = n, .cap = n};
    if (cache_begin(c, n + 8, e) != 0)
        return -1;
    *req = req_new(c, &spec);
    if (*req != 0) {
        cache_end(c);
        return 0;
    }
    cache_fail(c, NULL);
    err_set(e, "history is full: no more than %d requests and %d blocks of them fit", WORLD_REQUESTS - 1, WORLD_ROWS);
    return err_hint(e, "every step so far is kept; --requests A-B opens another part of the trace");
}

static int admit(struct replay *r, uint32_t req, uint32_t n, bool *got, struct err *e)
{
    struct cache *c = &r->cache;
    if (cache_begin(c, n, e) != 0)
        return -1;
    if (!foresee(r))
        return cache_fail(c, e);
    uint32_t nodes = c->w->head.node_count;
    req_set_state(c, req, REQ_PREFILL, FINISH_NONE);
    struct match m = req_match_and_lock(c, req, n);
    foresee_split(r, m, nodes);
    count(r, n, m.units);
    cache_end(c);
    if (cache_begin(c, n, e) != 0)
        return -1;
    uint32_t need = n - m.units, free = pool_free_slots(c->w);
    if (need > free) { /* R3: the shortfall */
        uint32_t freed;
        if (!evict(c, need - free, req, &freed))
            return cache_fail(c, e);
    }
    if (!req_alloc(c, req, n, 0, got))
        return cache_fail(c, e);
    if (!*got) {
        req_unadmit(c, req);
        belady_touch(&r->belady, m.node);
    }
    cache_end(c);
    return 0;
}

static int refuse(struct replay *r, uint32_t req, uint32_t n, struct err *e)
{
    struct cache *c = &r->cache;
    r->f.too_big++;
    if (cache_begin(c, n, e) != 0)
        return -1;
    req_set_state(c, req, REQ_REFUSED, FINISH_NO_SLOTS);
    CACHE_EMIT(c, REFUSE, req, n - c->w->request[req].cached_len, pool_free_slots(c->w), FINISH_NO_SLOTS);
    cache_end(c);
    return 0;
}

/* Where the path of ids ends in the tree: they are all there. */
static uint32_t end_of(const struct cache *c, const uint32_t *ids, uint32_t n)
{
    uint32_t node = ROOT;
    for (uint32_t at = 0; at < n && node != 0; at += c->w->node[node].len)
        node = index_find(&c->index, (struct scene){c->w, c->s}, node, 0, ids + at);
    return node;
}

static int serve(struct replay *r, uint32_t req, const uint32_t *ids, uint32_t n, struct err *e)
{
    struct cache *c = &r->cache;
    const struct request *q = &c->w->request[req];
    if (cache_begin(c, n, e) != 0)
        return -1;
    CACHE_SET(c, q->computed_len, n);
    CACHE_SET(c, q->recomputed, n - q->cached_len);
    req_set_state(c, req, REQ_FINISHED, FINISH_LENGTH);
    if (!req_cache_finished(c, req, n, q->cached_len < n))
        return cache_fail(c, e);
    if (r->belady.f != NULL)
        belady_touch(&r->belady, end_of(c, ids, n));
    CACHE_EMIT(c, SERVED, req, q->cached_len, n - q->cached_len);
    cache_end(c);
    return 0;
}

int replay_recorded(struct replay *r, const uint32_t *ids, uint32_t n, struct err *e)
{
    uint32_t req;
    bool got = false;
    if (arrive(r, ids, n, &req, e) != 0 || admit(r, req, n, &got, e) != 0 ||
        (got ? serve(r, req, ids, n, e) : refuse(r, req, n, e)) != 0)
        return -1;
    return check_unlimited(r, e);
}

/* The words of `from` from `at` on, n of them, as changes of our world. */
static bool take_words(struct replay *r, const uint32_t *from, const uint32_t *to, uint64_t n)
{
    enum { PART = 1 << 20 };
    for (uint64_t i = 0; i < n; i++) {
        if (i % PART == 0 && !tape_room(r->t, (uint32_t)(n - i < PART ? n - i : PART), 1))
            return false;
        W_SET(r->t, to[i], from[i]);
    }
    return true;
}

int replay_begin(struct replay *r, const struct replay *before, const char *note, struct err *e)
{
    struct cache *c = &r->cache;
    uint32_t text = store_intern(c->s, note);
    if (text == UINT32_MAX)
        return store_refused(c->s, "a note", e);
    if (cache_begin(c, 8, e) != 0)
        return -1;
    CACHE_EMIT(c, START, c->w->head.pool, 1, r->belady.f != NULL ? POLICY_COUNT : c->w->head.policy, c->w->head.rules);
    CACHE_EMIT(c, NOTE, text);
    cache_end(c);
    if (before == NULL || before->f.requests == 0)
        return 0;
    const struct world *w = before->cache.w;
    const struct store *s = before->cache.s;
    if (cache_begin(c, s->token_top + s->value_top, e) != 0)
        return -1;
    uint32_t tokens = tape_tokens_new(r->t, s->token_top), values = tape_values_new(r->t, s->value_top);
    ASSERT(tokens == 0 && values == 0); /* offsets stay what they are */
    memcpy(c->s->token, s->token, s->token_top * sizeof *s->token);
    memcpy(c->s->value, s->value, s->value_top * sizeof *s->value);
    bool ok = take_words(r, (const uint32_t *)&w->head, (const uint32_t *)&c->w->head, sizeof w->head / 4) &&
              take_words(r, (const uint32_t *)w->node, (const uint32_t *)c->w->node,
                         (uint64_t)w->head.node_top * sizeof *w->node / 4) &&
              take_words(r, w->page, c->w->page, (uint64_t)w->head.pool + 1) && tape_room(r->t, 8, 1);
    if (!ok)
        return cache_fail(c, e);
    CACHE_SET(c, c->w->head.next_rid, (uint32_t)before->f.requests + 1);
    CACHE_EMIT(c, SKIPPED, (uint32_t)before->f.requests, (uint32_t)before->f.blocks, (uint32_t)before->f.hit_blocks);
    cache_end(c);
    cache_moved(c); /* the child index and the leaves are those of an empty tree */
    r->belady.whole = false;
    r->f = before->f;
    return 0;
}

double replay_hit_rate(const struct replay_figures *f)
{
    return f->blocks == 0 ? 0 : (double)f->hit_blocks / (double)f->blocks;
}

uint32_t replay_cached(const struct replay *r)
{
    return r->cache.w->head.evictable_size + r->cache.w->head.protected_size;
}

int replay_capacity_parse(const char *text, size_t n, uint32_t *out, struct err *e)
{
    uint64_t v = 0;
    size_t i = 0;
    if (n == strlen("unlimited") && strncasecmp(text, "unlimited", n) == 0) {
        *out = REPLAY_UNLIMITED;
        return 0;
    }
    while (i < n && text[i] >= '0' && text[i] <= '9' && v <= REPLAY_MOST)
        v = v * 10 + (uint64_t)(text[i++] - '0');
    if (i == 0 || i < n || v == 0 || v > REPLAY_MOST)
        return err_usage(e, "a capacity is a number of blocks from 1 to %d, or unlimited, not '%.*s'", REPLAY_MOST,
                         (int)(n < 40 ? n : 40), text);
    *out = (uint32_t)v;
    return 0;
}
