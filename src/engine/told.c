#include "engine/told.h"

#include "cache/req.h"

struct telling {
    struct cache *c;
    const struct told_request *q;
    struct told_report *out;
    uint32_t req;
};

static const struct request *request_of(const struct telling *t)
{
    return &t->c->w->request[t->req];
}

/* Nodes from below the root down to `node`. */
static uint32_t depth_of(const struct world *w, uint32_t node)
{
    uint32_t n = 0;
    for (; node != ROOT && node != 0; node = w->node[node].parent)
        n++;
    return n;
}

static int arrive(struct telling *t, struct err *e)
{
    struct cache *c = t->c;
    const struct told_request *q = t->q;
    struct req_spec spec = {.tok = q->prompt, .n = q->n, .cap = q->n + q->out, .max_new = q->out,
                            .priority = q->priority, .ns = store_intern(c->s, q->extra_key),
                            .label = store_intern(c->s, q->label)};
    if (spec.ns == UINT32_MAX || spec.label == UINT32_MAX)
        return store_refused(c->s, "the name of a namespace or request", e);
    if (cache_begin(c, q->n + 8, e) != 0)
        return -1;
    t->req = req_new(c, &spec);
    if (t->req == 0) {
        cache_fail(c, NULL);
        return err_set(e, "no more than %d requests and %d positions fit into one history", WORLD_REQUESTS - 1,
                       WORLD_ROWS);
    }
    cache_end(c);
    t->out->request = t->req;
    return 0;
}

/* It would not fit even alone. */
static int refuse(struct telling *t, uint32_t need, struct err *e)
{
    struct cache *c = t->c;
    if (cache_begin(c, 8, e) != 0)
        return -1;
    req_set_state(c, t->req, REQ_REFUSED, FINISH_NO_SLOTS);
    CACHE_EMIT(c, REFUSE, t->req, need, c->w->head.pool, FINISH_NO_SLOTS);
    cache_end(c);
    t->out->refused = true;
    return 0;
}

/* Slots up to `upto`; the request is alone, so what it does not hold itself can be evicted. */
static int take(struct telling *t, uint32_t upto, uint32_t ask, struct err *e)
{
    bool got;
    if (!req_alloc(t->c, t->req, upto, ask, &got))
        return cache_fail(t->c, e);
    if (got)
        return 0;
    cache_fail(t->c, NULL);
    return err_set(e, "request %u finds no slots though nobody else runs: something is locked by hand",
                   request_of(t)->rid);
}

static int admit(struct telling *t, struct err *e)
{
    struct cache *c = t->c;
    uint32_t len = t->q->n, size = c->w->head.page_size;
    if (cache_begin(c, len, e) != 0)
        return -1;
    req_set_state(c, t->req, REQ_PREFILL, FINISH_NONE);
    struct match m = req_match_and_lock(c, t->req, len - 1); /* one token must be computed */
    t->out->cached = m.units;
    t->out->walked += depth_of(c->w, m.node);
    cache_end(c);
    if (cache_begin(c, len, e) != 0 || take(t, len, len - m.units + (size > 1 ? size : 0), e) != 0)
        return -1;
    CACHE_EMIT(c, PREFILL, t->req, m.units, len - m.units, m.units);
    CACHE_SET(c, request_of(t)->computed_len, len);
    CACHE_SET(c, request_of(t)->state, REQ_DECODE);
    req_push_token(c, t->req, t->q->answer[0]);
    CACHE_EMIT(c, SAMPLE, t->req, t->q->answer[0], len);
    cache_end(c);
    return 0;
}

static int unfinished(struct telling *t, struct err *e)
{
    struct cache *c = t->c;
    if (cache_begin(c, t->q->n, e) != 0)
        return -1;
    if (!req_cache_unfinished(c, t->req, t->q->n, false))
        return cache_fail(c, e);
    t->out->walked += 2u * depth_of(c->w, request_of(t)->node); /* inserted, then matched again */
    cache_end(c);
    return 0;
}

static int decode(struct telling *t, uint32_t i, struct err *e)
{
    struct cache *c = t->c;
    uint32_t pos = request_of(t)->kv_len, size = c->w->head.page_size;
    if (cache_begin(c, size + 16, e) != 0)
        return -1;
    CACHE_EMIT(c, DECODE, t->req, pos, t->q->answer[i - 1]);
    if (take(t, pos + 1, pos % size == 0 ? size : 0, e) != 0)
        return -1;
    CACHE_SET(c, request_of(t)->computed_len, pos + 1);
    req_push_token(c, t->req, t->q->answer[i]);
    CACHE_EMIT(c, SAMPLE, t->req, t->q->answer[i], pos + 1);
    cache_end(c);
    return 0;
}

static int finish(struct telling *t, struct err *e)
{
    struct cache *c = t->c;
    uint32_t kv = request_of(t)->kv_len;
    if (cache_begin(c, kv, e) != 0)
        return -1;
    req_set_state(c, t->req, REQ_FINISHED, FINISH_LENGTH);
    if (!req_cache_finished(c, t->req, kv, !c->w->head.no_finished_insert))
        return cache_fail(c, e);
    struct key key = key_make(c->w, c->w->row_token + request_of(t)->row_off, kv, kv, request_of(t)->ns);
    uint32_t node = ROOT, units = 0;
    while (units < key.units && node != 0) { /* the path it was inserted along */
        const uint32_t *rest = key.tok + units;
        node = index_find(&c->index, (struct scene){c->w, c->s}, node, key.ns, rest);
        units += node != 0 ? c->w->node[node].len : 0;
        t->out->walked += node != 0;
    }
    CACHE_EMIT(c, ANSWER, t->req, t->q->out, t->out->cached, t->q->n - t->out->cached, FINISH_LENGTH, 0);
    cache_end(c);
    return 0;
}

static int live(struct telling *t, struct err *e)
{
    const struct world *w = t->c->w;
    uint32_t size = w->head.page_size, kv = t->q->n + t->q->out - 1;
    if (arrive(t, e) != 0)
        return -1;
    if ((kv + size - 1) / size * size > w->head.pool)
        return refuse(t, kv, e);
    if (admit(t, e) != 0 || (t->q->out > 1 && unfinished(t, e) != 0))
        return -1;
    for (uint32_t i = 1; i < t->q->out; i++)
        if (decode(t, i, e) != 0)
            return -1;
    return finish(t, e);
}

int told_run(struct cache *c, const struct told_request *q, struct told_report *out, struct err *e)
{
    struct telling t = {.c = c, .q = q, .out = out};
    uint32_t id = c->w->head.next_id, count = c->w->head.node_count;
    *out = (struct told_report){0};
    if (q->n == 0 || q->out == 0)
        return err_set(e, "a request needs at least one prompt token and one token of an answer");
    if (live(&t, e) != 0)
        return -1;
    uint32_t made = c->w->head.next_id - id;
    out->walked += made + (count + made - c->w->head.node_count);
    return 0;
}
