#include "engine/engine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "cache/evict.h"
#include "cache/req.h"
#include "cache/slots.h"
#include "engine/adapter.h"
#include "engine/engine_parts.h"
#include "engine/sched.h"
#include "engine/stop.h"
#include "model/chat.h"
#include "model/forward.h"
#include "model/lora.h"
#include "model/sample.h"

enum { TOP_LOGITS = 8, MOST_QUERIES = 256 << 20 };

/* A request on its way. */
struct running {
    const struct request_spec *spec;
    struct request_report *out;
    struct sampler *sampler;
    struct stop_watch watch;
    uint32_t req, next;        /* next: the token just sampled */
};

/* An engine of the museum says so before anything happens. */
static void say_bug(struct engine *en)
{
    struct buf notice = {0};
    museum_notice(en->cfg.world.bug, &notice);
    uint32_t text = notice.len > 0 ? store_intern(en->cache.s, buf_text(&notice)) : 0;
    if (text != 0 && text != UINT32_MAX)
        CACHE_EMIT(&en->cache, NOTE, text);
    buf_free(&notice);
}

struct engine *engine_new(const struct engine_config *cfg, struct err *e)
{
    struct engine *en = xcalloc(1, sizeof *en);
    if (en == NULL) {
        err_memory(e, sizeof *en, "the engine");
        return NULL;
    }
    en->cfg = *cfg;
    atomic_init(&en->cancel, false);
    en->t = tape_new(&cfg->world, e);
    if (cfg->model != NULL) /* takes no memory yet; from here on other threads may ask for it */
        en->rows = kvrows_new(model_get_config(cfg->model), UINT32_MAX / 2, e);
    if ((cfg->model != NULL && en->rows == NULL) || en->t == NULL || cache_init(&en->cache, en->t, e) != 0 || cache_begin(&en->cache, 0, e) != 0) {
        engine_free(en);
        return NULL;
    }
    const struct world_config *w = &cfg->world;
    EMIT(en->t, START, w->pool, w->page_size, w->policy, w->rules);
    say_bug(en);
    cache_end(&en->cache);
    return en;
}

void engine_free(struct engine *en)
{
    if (en == NULL)
        return;
    sched_free(en->sched);
    forward_free(en->forward);
    kvrows_free(en->rows);
    cache_done(&en->cache);
    tape_free(en->t);
    xfree(en->past);
    xfree(en->fresh);
    xfree(en->logits);
    xfree(en->adapter);
    xfree(en);
}

struct tape *engine_tape(struct engine *en)
{
    return en->t;
}

struct cache *engine_cache(struct engine *en)
{
    return &en->cache;
}

struct kvrows *engine_kvrows(struct engine *en)
{
    return en->rows;
}

const struct engine_config *engine_get_config(const struct engine *en)
{
    return &en->cfg;
}

void engine_cancel(struct engine *en)
{
    atomic_store(&en->cancel, true);
}

static const struct request *request_at(const struct engine *en, uint32_t req)
{
    return &en->cache.w->request[req];
}

const uint32_t *engine_generated(const struct engine *en, uint32_t request, uint32_t *n)
{
    const struct request *q = request_at(en, request);
    *n = q->total_len - q->prompt_len;
    return en->cache.w->row_token + q->row_off + q->prompt_len;
}

/* ---- the model's side --------------------------------------------------------------------------------- */

/* Rows and scratch for the forward pass, when the first request wants them. */
int engine_warm(struct engine *en, struct err *e)
{
    if (en->forward != NULL)
        return 0;
    if (en->cfg.model == NULL)
        return err_set(e, "a request needs a model, and none is loaded");
    const struct model_config *m = model_get_config(en->cfg.model);
    if (en->past == NULL && tape_recording(en->t))
        kvrows_keep_queries(en->rows, m->heads * m->head_dim, MOST_QUERIES);
    if (en->past == NULL)
        en->past = xcalloc(m->context, sizeof *en->past);
    if (en->fresh == NULL)
        en->fresh = xcalloc(m->context, sizeof *en->fresh);
    if (en->past == NULL || en->fresh == NULL)
        return err_memory(e, m->context, "the forward pass");
    enum forward_mode mode = en->cfg.fast ? FORWARD_FAST : FORWARD_EXACT;
    en->forward = forward_new(en->cfg.model, en->rows, mode, en->cfg.threads > 0 ? (unsigned)en->cfg.threads : 1, e);
    return en->forward != NULL ? 0 : -1;
}

int engine_watch_cancel(void *arg, const struct forward_progress *p)
{
    (void)p;
    return atomic_load(&((struct engine *)arg)->cancel);
}

struct forward *engine_forward(struct engine *en, struct err *e)
{
    return engine_warm(en, e) == 0 ? en->forward : NULL;
}

/* The rows behind positions 0 … n-1: through the slots of the request's row. */
int engine_gather_rows(struct engine *en, uint32_t req, uint32_t n, uint32_t *out, struct err *e)
{
    const struct world *w = en->cache.w;
    const uint32_t *slots = w->row_slot + request_at(en, req)->row_off;
    for (uint32_t p = 0; p < n; p++) {
        out[p] = kv_row(w, slots[p]);
        if (out[p] == 0) {
            err_set(e, "request %u matches tokens that were inserted by hand: their slots hold no keys and values",
                    request_at(en, req)->rid);
            return err_hint(e, "reset the cache first, or give the request a namespace of its own");
        }
    }
    return 0;
}

static double seconds_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static int logits_room(struct engine *en, uint32_t positions, struct err *e)
{
    void *grown = en->logits;
    size_t need = (size_t)positions * model_get_config(en->cfg.model)->vocab;
    if (!xgrow(&grown, &en->logits_cap, need, sizeof *en->logits))
        return err_memory(e, need * sizeof *en->logits, "logits");
    en->logits = grown;
    return 0;
}

/* Compute positions [from, to) of the request. FORWARD_OK: en->fresh holds their rows, en->logits the
 * last position's logits (or all of them, if the caller of the request wants to see them). */
static enum forward_status compute(struct engine *en, struct running *r, uint32_t from, uint32_t to, struct err *e)
{
    const struct request *q = request_at(en, r->req);
    bool all = r->spec->logits != NULL;
    if (engine_gather_rows(en, r->req, from, en->past, e) != 0 || logits_room(en, all ? to - from : 1, e) != 0)
        return FORWARD_ERROR;
    struct forward_job job = {.tokens = en->cache.w->row_token + q->row_off + from, .n = to - from, .start = from,
                              .past_rows = en->past, .new_rows = en->fresh,
                              .want = all ? LOGITS_ALL : LOGITS_LAST, .logits = en->logits,
                              .lora = r->spec->lora};
    struct forward_watch watch = {.progress = engine_watch_cancel, .arg = en};
    struct forward_stats stats = {0};
    double start = seconds_now();
    enum forward_status rc = forward_run(en->forward, &job, 1, &watch, &stats, e);
    r->out->seconds += seconds_now() - start;
    r->out->flops += (double)stats.flops;
    if (rc == FORWARD_NO_ROWS)
        err_memory(e, kvrows_row_bytes(en->rows), "another KV row");
    return rc;
}

/* The rows of positions [from, to) stand behind their slots now. */
void engine_write_rows(struct engine *en, uint32_t req, uint32_t from, uint32_t to, const uint32_t *rows)
{
    struct cache *c = &en->cache;
    const uint32_t *slots = c->w->row_slot + request_at(en, req)->row_off;
    for (uint32_t p = from; p < to; p++) {
        uint32_t old = kv_row(c->w, slots[p]);
        if (old != 0 && !tape_recording(en->t))
            kvrows_release(en->rows, old); /* no history names it */
        CACHE_SET(c, c->w->kv[slots[p]], rows[p - from]);
    }
    CACHE_SET(c, request_at(en, req)->computed_len, to);
    CACHE_EMIT(c, KV_WRITE, req, from, to - from, slots[from]);
}

void engine_observe_logits(struct engine *en, const float *logits)
{
    uint32_t id[TOP_LOGITS];
    float probability[TOP_LOGITS];
    struct obs_logit top[TOP_LOGITS];
    if (!tape_recording(en->t))
        return;
    uint32_t n = sample_top(logits, model_get_config(en->cfg.model)->vocab, TOP_LOGITS, id, probability);
    for (uint32_t i = 0; i < n; i++)
        top[i] = (struct obs_logit){id[i], logits[id[i]], probability[i]};
    tape_observe(en->t, OBS_LOGITS, top, n * sizeof *top);
}

/* Show the logits to whoever asked, take the next token, append it. */
static void sample_next(struct engine *en, struct running *r, uint32_t from, uint32_t to)
{
    uint32_t vocab = model_get_config(en->cfg.model)->vocab;
    const struct request *q = request_at(en, r->req);
    const float *last = en->logits;
    for (uint32_t p = from; r->spec->logits != NULL && p < to; p++) {
        last = en->logits + (size_t)(p - from) * vocab; /* (vocab) */
        r->spec->logits(r->spec->logits_ctx, p, last, vocab);
    }
    r->next = sampler_next(r->sampler, last, en->cache.w->row_token + q->row_off, q->total_len);
    engine_observe_logits(en, last);
    uint32_t pos = q->total_len;
    req_push_token(&en->cache, r->req, r->next);
    CACHE_SET(&en->cache, request_at(en, r->req)->state, REQ_DECODE);
    CACHE_EMIT(&en->cache, SAMPLE, r->req, r->next, pos);
}

/* ---- the request's life --------------------------------------------------------------------------------- */

static int refuse(struct engine *en, struct running *r, uint32_t reason, uint32_t need, uint32_t have, struct err *e)
{
    struct cache *c = &en->cache;
    if (cache_begin(c, 0, e) != 0)
        return -1;
    req_set_state(c, r->req, REQ_REFUSED, reason);
    CACHE_EMIT(c, REFUSE, r->req, need, have, reason);
    cache_end(c);
    r->out->outcome = OUTCOME_REFUSED;
    r->out->reason = reason;
    snprintf(r->out->why, sizeof r->out->why, "request %u cannot run: %s (it needs %u, there are %u)",
             request_at(en, r->req)->rid, finish_reason_text(reason), need, have);
    return 0;
}

/* Remember an adapter by its name: whoever computes a request again needs it. */
int engine_keep_adapter(struct engine *en, const struct lora *lora, struct err *e)
{
    void *grown = (void *)(uintptr_t)en->adapter;
    for (size_t i = 0; i < en->adapters; i++)
        if (en->adapter[i] == lora)
            return 0;
    if (lora == NULL)
        return 0;
    bool room = xgrow(&grown, &en->adapters_cap, en->adapters + 1, sizeof(struct lora *));
    en->adapter = grown;
    if (!room)
        return err_memory(e, sizeof(struct lora *), "an adapter");
    en->adapter[en->adapters++] = lora;
    return 0;
}

const struct lora *engine_adapter(const struct engine *en, uint32_t name)
{
    for (size_t i = 0; name != 0 && i < en->adapters; i++)
        if (strcmp(lora_name(en->adapter[i]), store_name(en->cache.s, name)) == 0)
            return en->adapter[i];
    return NULL;
}

static int arrive(struct engine *en, struct running *r, struct err *e)
{
    struct cache *c = &en->cache;
    const struct request_spec *s = r->spec;
    uint32_t context = model_get_config(en->cfg.model)->context;
    uint32_t cap = s->n + s->max_new < context ? s->n + s->max_new : context > s->n ? context : s->n;
    struct req_spec spec = {.tok = s->ids, .n = s->n, .cap = cap, .max_new = s->max_new, .priority = s->priority,
                            .seed = s->sampling != NULL ? (uint32_t)s->sampling->seed : 0,
                            .ns = adapter_namespace(c->s, s),
                            .session = store_intern(c->s, s->session), .label = store_intern(c->s, s->label),
                            .adapter = store_intern(c->s, s->lora != NULL ? lora_name(s->lora) : NULL)};
    if (engine_keep_adapter(en, s->lora, e) != 0)
        return -1;
    if (spec.ns == UINT32_MAX || spec.adapter == UINT32_MAX || spec.session >= WORLD_SESSIONS || spec.label == UINT32_MAX)
        return store_refused(c->s, "the name of a namespace, session or request", e);
    if (cache_begin(c, s->n + 8, e) != 0)
        return -1;
    r->req = req_new(c, &spec);
    if (r->req == 0) {
        cache_fail(c, NULL);
        return err_set(e, "no more than %d requests and %d positions fit into one history", WORLD_REQUESTS - 1,
                       WORLD_ROWS);
    }
    cache_end(c);
    r->out->request = r->req;
    return 0;
}

/* Match, lock, allocate. 1: refused. */
static int admit(struct engine *en, struct running *r, struct err *e)
{
    struct cache *c = &en->cache;
    const struct request *q = request_at(en, r->req);
    uint32_t len = q->prompt_len, size = c->w->head.page_size;
    if (cache_begin(c, len, e) != 0)
        return -1;
    req_set_state(c, r->req, REQ_PREFILL, FINISH_NONE);
    struct match m = req_match_and_lock(c, r->req, len - 1); /* one token must be computed */
    cache_end(c);
    r->out->cached_tokens = m.units;
    r->out->computed_tokens = len - m.units;
    if (cache_begin(c, len, e) != 0)
        return -1;
    bool got;
    if (!req_alloc(c, r->req, len, len - m.units + (size > 1 ? size : 0), &got))
        return cache_fail(c, e);
    if (!got)
        req_unadmit(c, r->req);
    cache_end(c);
    if (got)
        return 0;
    return refuse(en, r, FINISH_NO_SLOTS, len - m.units, pool_free_slots(c->w), e) != 0 ? -1 : 1;
}

/* Cancelled or failed: what the request holds goes back, what is in the tree stays. */
static int abandon(struct engine *en, struct running *r, struct err *e)
{
    struct cache *c = &en->cache;
    const struct request *q = request_at(en, r->req);
    if (cache_begin(c, q->kv_len + 8, e) != 0)
        return -1;
    CACHE_EMIT(c, ABORT, r->req);
    req_set_state(c, r->req, REQ_ABORTED, FINISH_ABORT);
    if (!req_cache_finished(c, r->req, q->kv_len, false))
        return cache_fail(c, e);
    cache_end(c);
    r->out->outcome = OUTCOME_CANCELLED;
    r->out->reason = FINISH_ABORT;
    return 0;
}

/* Compute [from, to) as one operation that is rolled back when it fails. 1: cancelled. */
static int compute_step(struct engine *en, struct running *r, uint32_t from, uint32_t to, bool sample, struct err *e)
{
    struct cache *c = &en->cache;
    enum forward_status rc = compute(en, r, from, to, e);
    if (rc != FORWARD_OK) {
        tape_rollback(en->t);
        cache_moved(c);
        return rc == FORWARD_CANCELLED ? 1 : -1;
    }
    engine_write_rows(en, r->req, from, to, en->fresh);
    if (sample)
        sample_next(en, r, from, to);
    else if (r->spec->logits != NULL)
        for (uint32_t p = from, v = model_get_config(en->cfg.model)->vocab; p < to; p++)
            r->spec->logits(r->spec->logits_ctx, p, en->logits + (size_t)(p - from) * v, v);
    cache_end(c);
    return 0;
}

static int cache_unfinished(struct engine *en, uint32_t req, uint32_t filled, bool chunked, struct err *e)
{
    struct cache *c = &en->cache;
    if (cache_begin(c, filled, e) != 0)
        return -1;
    if (!req_cache_unfinished(c, req, filled, chunked))
        return cache_fail(c, e);
    cache_end(c);
    return 0;
}

/* The prompt once more with no cache, for its last logits; its rows are given back. out: (vocab) */
static enum forward_status compute_alone(struct engine *en, struct running *r, float *out, struct err *e)
{
    const struct request *q = request_at(en, r->req);
    struct forward_job job = {.tokens = en->cache.w->row_token + q->row_off, .n = q->prompt_len,
                              .new_rows = en->fresh, .want = LOGITS_LAST, .logits = out, .lora = r->spec->lora};
    struct forward_watch watch = {.progress = engine_watch_cancel, .arg = en};
    enum forward_status rc = forward_run(en->forward, &job, 1, &watch, NULL, e);
    for (uint32_t i = 0; rc == FORWARD_OK && i < q->prompt_len; i++)
        kvrows_release(en->rows, en->fresh[i]);
    if (rc == FORWARD_NO_ROWS)
        err_memory(e, kvrows_row_bytes(en->rows), "another KV row");
    return rc;
}

/* How far are the logits of the last of `computed` positions from those of a run of the adapter's own?
 * 1: cancelled. */
static int measure_mistake(struct engine *en, struct running *r, uint32_t computed, struct err *e)
{
    uint32_t vocab = model_get_config(en->cfg.model)->vocab;
    const float *seen = en->logits + (r->spec->logits != NULL ? (size_t)(computed - 1) * vocab : 0);
    float *alone = xcalloc(vocab, sizeof *alone);
    if (alone == NULL)
        return err_memory(e, vocab * sizeof *alone, "logits");
    enum forward_status rc = compute_alone(en, r, alone, e);
    if (rc == FORWARD_OK)
        r->out->logit_diff = adapter_difference(seen, alone, vocab);
    xfree(alone);
    return rc == FORWARD_OK ? 0 : rc == FORWARD_CANCELLED ? 1 : -1;
}

/* Prefill in chunks; every chunk but the last is inserted as "one more will follow". 1: cancelled. */
static int prefill(struct engine *en, struct running *r, struct err *e)
{
    struct cache *c = &en->cache;
    const struct request *q = request_at(en, r->req);
    uint32_t len = q->prompt_len, from = q->computed_len;
    while (from < len) {
        bool more = en->cfg.chunk > 0 && len - from > en->cfg.chunk;
        uint32_t to = more ? from + en->cfg.chunk : len;
        if (cache_begin(c, to - from + 8, e) != 0)
            return -1;
        CACHE_EMIT(c, PREFILL, r->req, from, to - from, from);
        int rc = compute_step(en, r, from, to, !more, e);
        if (rc == 0 && !more && adapter_is_mistaken(r->spec))
            rc = measure_mistake(en, r, to - from, e);
        if (rc != 0)
            return rc;
        if (more && cache_unfinished(en, r->req, to, true, e) != 0)
            return -1;
        from = to;
    }
    return 0;
}

/* Is the token just sampled the last one, and why? Ask once a token. */
static int why_finished(const struct engine *en, struct running *r, uint32_t *reason, struct err *e)
{
    const struct request *q = request_at(en, r->req);
    bool end = chat_is_end(en->cfg.model, r->next);
    int stop = end ? 0 : stop_push(&r->watch, r->next, &r->out->text_len, e);
    bool full = q->total_len - q->prompt_len >= q->max_new || q->total_len >= model_get_config(en->cfg.model)->context;
    *reason = end ? FINISH_END_TOKEN : stop > 0 ? FINISH_STOP : full ? FINISH_LENGTH : FINISH_NONE;
    return stop < 0 ? -1 : 0;
}

/* One more token: a slot for the last one, compute it, sample. 1: cancelled, 2: no slot left. */
static int decode(struct engine *en, struct running *r, struct err *e)
{
    struct cache *c = &en->cache;
    const struct request *q = request_at(en, r->req);
    uint32_t pos = q->kv_len, size = c->w->head.page_size;
    bool got;
    if (cache_begin(c, size + 16, e) != 0)
        return -1;
    CACHE_EMIT(c, DECODE, r->req, pos, r->next);
    if (!req_alloc(c, r->req, pos + 1, pos % size == 0 ? size : 0, &got))
        return cache_fail(c, e);
    if (!got) {
        cache_end(c);
        return 2;
    }
    return compute_step(en, r, pos, pos + 1, true, e);
}

static int finish(struct engine *en, struct running *r, uint32_t reason, struct err *e)
{
    struct cache *c = &en->cache;
    const struct request *q = request_at(en, r->req);
    bool insert = !r->spec->no_insert && !c->w->head.no_finished_insert && reason != FINISH_NO_SLOTS;
    if (cache_begin(c, q->kv_len, e) != 0)
        return -1;
    req_set_state(c, r->req, REQ_FINISHED, reason);
    if (!req_cache_finished(c, r->req, q->kv_len, insert))
        return cache_fail(c, e);
    uint32_t made = q->total_len - q->prompt_len;
    CACHE_EMIT(c, ANSWER, r->req, made, r->out->cached_tokens, r->out->computed_tokens, reason,
               reason == FINISH_NO_SLOTS);
    cache_end(c);
    r->out->generated_tokens = made;
    r->out->reason = reason;
    if (reason == FINISH_NO_SLOTS)
        snprintf(r->out->why, sizeof r->out->why,
                 "request %u was cut off after %u token%s: the pool of %u slots is too small for more", q->rid, made,
                 made == 1 ? "" : "s", c->w->head.pool);
    return 0;
}

/* From admission to the last token. 1: cancelled, 2: refused. */
static int live(struct engine *en, struct running *r, struct err *e)
{
    int rc = admit(en, r, e);
    if (rc != 0)
        return rc < 0 ? -1 : 2;
    rc = prefill(en, r, e);
    if (rc != 0)
        return rc;
    uint32_t reason;
    if (why_finished(en, r, &reason, e) != 0)
        return -1;
    if (reason == FINISH_NONE && cache_unfinished(en, r->req, request_at(en, r->req)->prompt_len, false, e) != 0)
        return -1;
    while (reason == FINISH_NONE) {
        rc = decode(en, r, e);
        if (rc == 1 || rc < 0)
            return rc;
        reason = FINISH_NO_SLOTS;
        if (rc == 0 && why_finished(en, r, &reason, e) != 0)
            return -1;
    }
    return finish(en, r, reason, e);
}

int engine_request_check(const struct engine *en, const struct request_spec *s, struct err *e)
{
    uint32_t vocab = model_get_config(en->cfg.model)->vocab;
    if (s->n == 0)
        return err_set(e, "a request needs at least one prompt token");
    if (s->max_new == 0)
        return err_set(e, "a request must be allowed at least one new token");
    if (s->lora != NULL && lora_model(s->lora) != en->cfg.model)
        return err_set(e, "adapter %.60s was loaded for another model", lora_name(s->lora));
    for (uint32_t i = 0; i < s->n; i++)
        if (s->ids[i] >= vocab)
            return err_set(e, "token %u of the prompt is %u; the model's vocabulary ends at %u", i + 1, s->ids[i],
                           vocab - 1);
    return 0;
}

static int request_run(struct engine *en, struct running *r, struct err *e)
{
    uint32_t context = model_get_config(en->cfg.model)->context;
    if (arrive(en, r, e) != 0)
        return -1;
    if (r->spec->n + 1 > context)
        return refuse(en, r, FINISH_TOO_LONG, r->spec->n + 1, context, e);
    int rc = live(en, r, e);
    if (rc == 0 || rc == 2)
        return 0;
    struct err second = {0};
    if (abandon(en, r, &second) != 0 && rc > 0)
        return err_set(e, "%s", second.what);
    return rc > 0 ? 0 : -1;
}

int engine_request(struct engine *en, const struct request_spec *spec, struct request_report *out, struct err *e)
{
    if (en->sched != NULL)
        return err_set(e, "this engine schedules its requests: enqueue them, then serve");
    *out = (struct request_report){.prompt_tokens = spec->n};
    if (engine_warm(en, e) != 0 || engine_request_check(en, spec, e) != 0)
        return -1;
    struct sample_params greedy = sample_greedy();
    struct running r = {.spec = spec, .out = out,
                        .watch = {.tokenizer = model_get_tokenizer(en->cfg.model), .stops = spec->stops,
                                  .count = spec->n_stops}};
    r.sampler = sampler_new(spec->sampling != NULL ? spec->sampling : &greedy,
                            model_get_config(en->cfg.model)->vocab, e);
    if (r.sampler == NULL)
        return -1;
    int rc = adapter_note_before(en, spec, e);
    if (rc == 0)
        rc = request_run(en, &r, e);
    if (rc == 0)
        rc = adapter_note_after(en, spec, out, e);
    atomic_store(&en->cancel, false); /* it counts for one request, even if it came just before it began */
    sampler_free(r.sampler);
    stop_done(&r.watch);
    return rc;
}
