#include "engine/sched.h"

#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "cache/req.h"
#include "engine/adapter.h"
#include "engine/sched_parts.h"
#include "model/lora.h"
#include "model/sample.h"

enum { DEFAULT_RUNNING = 64, DEFAULT_SLO_FIRST = 500000, DEFAULT_SLO_GAP = 50000 };

/* ---- setting up ------------------------------------------------------------------------------------------------- */

static int config_check(const struct engine *en, const struct sched_config *c, struct err *e)
{
    uint32_t page = SCHED_W(en)->head.page_size;
    if (c->policy >= SCHED_POLICIES)
        return err_set(e, "schedule policy %u does not exist", c->policy);
    if (c->priorities && c->policy != SCHED_FCFS && c->policy != SCHED_LOF) {
        err_set(e, "priorities go with fcfs and lof only, not with %s", sched_policy_name(c->policy));
        return err_hint(e, "as in SGLang; leave priorities out, or choose fcfs or lof");
    }
    if ((c->low_first || c->preempt) && !c->priorities)
        return err_set(e, "low_first and preempt mean something only with priorities");
    if (c->chunk % page != 0)
        return err_set(e, "a chunk of %u tokens is not a whole number of pages of %u", c->chunk, page);
    return 0;
}

/* The settings into the world, with the steps that say so. */
static int write_config(struct engine *en, struct err *e)
{
    struct cache *c = &en->cache;
    const struct head *h = &c->w->head;
    const struct sched_config *s = &en->sched->cfg;
    struct buf b = {0};
    cost_tell(&s->cost, &b);
    uint32_t cost = store_intern(c->s, buf_text(&b)), policy = store_intern(c->s, sched_policy_name(s->policy));
    bool failed = b.failed || cost == UINT32_MAX || policy == UINT32_MAX;
    buf_free(&b);
    if (failed)
        return err_memory(e, 64, "a schedule");
    if (cache_begin(c, 64, e) != 0)
        return -1;
    CACHE_SET(c, h->sched, 1 + s->policy);
    CACHE_SET(c, h->sched_flags, (s->priorities ? SCHED_PRIORITIES : 0) | (s->low_first ? SCHED_LOW_FIRST : 0) |
                                     (s->preempt ? SCHED_PREEMPT : 0));
    CACHE_SET(c, h->max_running, s->max_running);
    CACHE_SET(c, h->max_prefill, s->max_prefill);
    CACHE_SET(c, h->chunk_limit, s->chunk);
    CACHE_SET(c, h->slo_first, s->slo_first);
    CACHE_SET(c, h->slo_gap, s->slo_gap);
    CACHE_SET(c, h->cost_text, cost);
    sched_set_double(en, h->ratio, sched_ratio_start());
    CACHE_EMIT(c, SCHEDULE, policy, s->max_running, s->max_prefill, s->chunk, s->priorities, s->low_first, s->preempt);
    CACHE_EMIT(c, COST, cost);
    cache_end(c);
    return 0;
}

int sched_begin(struct engine *en, const struct sched_config *cfg, struct err *e)
{
    if (config_check(en, cfg, e) != 0)
        return -1;
    ASSERT(en->sched == NULL);
    struct sched *s = xcalloc(1, sizeof *s);
    if (s != NULL)
        s->job = xcalloc(WORLD_REQUESTS, sizeof(struct sched_job *));
    if (s == NULL || s->job == NULL) {
        xfree(s);
        return err_memory(e, WORLD_REQUESTS * sizeof(struct sched_job *), "a schedule");
    }
    s->cfg = *cfg;
    s->cfg.max_running = cfg->max_running > 0 ? cfg->max_running : DEFAULT_RUNNING;
    s->cfg.max_prefill = cfg->max_prefill > 0 ? cfg->max_prefill : SCHED_MAX_PREFILL;
    s->cfg.slo_first = cfg->slo_first > 0 ? cfg->slo_first : DEFAULT_SLO_FIRST;
    s->cfg.slo_gap = cfg->slo_gap > 0 ? cfg->slo_gap : DEFAULT_SLO_GAP;
    en->sched = s;
    return write_config(en, e);
}

bool sched_on(const struct engine *en)
{
    return en->sched != NULL;
}

static void forget_all(struct engine *en)
{
    for (uint32_t r = 0; r < WORLD_REQUESTS; r++)
        sched_forget(en, r);
}

void sched_moved(struct engine *en)
{
    forget_all(en);
}

void sched_free(struct sched *s)
{
    if (s == NULL)
        return;
    struct engine shell = {.sched = s};
    forget_all(&shell);
    xfree(s->job);
    xfree(s->queue);
    xfree(s->running);
    xfree(s->span);
    xfree(s->rows);
    xfree(s->fjobs);
    xfree(s->logits);
    xfree(s);
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

static int copy_stops(struct sched_job *j, const struct request_spec *spec)
{
    j->stop = xcalloc((size_t)spec->n_stops + 1, sizeof *j->stop);
    for (uint32_t i = 0; j->stop != NULL && i < spec->n_stops; i++, j->watch.count++)
        if ((j->stop[i] = xstrdup(spec->stops[i])) == NULL)
            return -1;
    j->watch.stops = (const char *const *)j->stop;
    return j->stop != NULL ? 0 : -1;
}

static int fill_job(struct engine *en, struct sched_job *j, const struct request_spec *spec,
                    const struct sched_extra *x, struct err *e)
{
    struct sample_params greedy = sample_greedy();
    j->lora = spec->lora;
    j->no_insert = spec->no_insert;
    if (copy_stops(j, spec) != 0)
        return err_memory(e, 64, "a request");
    if (x->given != NULL) {
        j->n_given = x->n_given;
        j->given = xmemdup(x->given, x->n_given * sizeof *j->given);
        return j->given != NULL ? 0 : err_memory(e, x->n_given * sizeof *j->given, "an answer");
    }
    j->watch.tokenizer = model_get_tokenizer(en->cfg.model);
    j->sampler = sampler_new(spec->sampling != NULL ? spec->sampling : &greedy, model_get_config(en->cfg.model)->vocab, e);
    return j->sampler != NULL ? 0 : -1;
}

/* The request with everything it needs: planned, in the world. */
static int plan(struct engine *en, const struct request_spec *s, const struct sched_extra *x, uint32_t *req, struct err *e)
{
    struct cache *c = &en->cache;
    uint32_t cap = s->n + s->max_new, context = en->cfg.model != NULL ? model_get_config(en->cfg.model)->context : cap;
    uint32_t key = store_intern(c->s, x->routing_key);
    if (cap > context)
        cap = context > s->n ? context : s->n;
    struct req_spec spec = {.tok = s->ids, .n = s->n, .cap = cap, .max_new = s->max_new, .priority = s->priority,
                            .seed = s->sampling != NULL ? (uint32_t)s->sampling->seed : 0, .planned = true,
                            .ns = adapter_namespace(c->s, s),
                            .session = store_intern(c->s, s->session), .label = store_intern(c->s, s->label),
                            .adapter = store_intern(c->s, s->lora != NULL ? lora_name(s->lora) : NULL)};
    if (engine_keep_adapter(en, s->lora, e) != 0)
        return -1;
    if (key == UINT32_MAX || spec.adapter == UINT32_MAX || spec.ns == UINT32_MAX || spec.session >= WORLD_SESSIONS || spec.label == UINT32_MAX)
        return store_refused(c->s, "the name of a namespace, session or request", e);
    if (cache_begin(c, s->n + 64, e) != 0)
        return -1;
    *req = req_new(c, &spec);
    if (*req == 0 || !sched_room(en, 64, 4)) {
        cache_fail(c, NULL);
        return err_set(e, "no more than %d requests and %d positions fit into one history", WORLD_REQUESTS - 1, WORLD_ROWS);
    }
    const uint32_t *word = (const uint32_t *)&SCHED_PART(en, *req);
    for (uint32_t i = 0; i < sizeof(struct served) / 4; i++)
        CACHE_SET(c, word[i], 0);
    CACHE_SET(c, SCHED_REQ(en, *req).state, REQ_PLANNED);
    CACHE_SET(c, SCHED_PART(en, *req).routing_key, key);
    CACHE_SET(c, SCHED_PART(en, *req).given, x->given != NULL);
    sched_set_time(en, SCHED_PART(en, *req).arrived, x->at > sched_now(en) ? x->at : sched_now(en));
    sched_planned_push(en, *req);
    CACHE_EMIT(c, PLAN, *req, s->n, s->max_new, sched_said(word_time(SCHED_PART(en, *req).arrived)), spec.ns, spec.label,
               x->given != NULL);
    cache_end(c);
    return 0;
}

static int spec_check(struct engine *en, const struct request_spec *s, const struct sched_extra *x, struct err *e)
{
    if (x->given == NULL)
        return engine_warm(en, e) != 0 || engine_request_check(en, s, e) != 0 ? -1 : 0;
    if (en->cfg.model != NULL)
        return err_set(e, "the model answers this request: its answer cannot be given");
    if (s->n == 0 || s->max_new == 0 || x->n_given == 0)
        return err_set(e, "a request needs at least one prompt token and one token of an answer");
    return 0;
}

int sched_enqueue(struct engine *en, const struct request_spec *spec, const struct sched_extra *x, uint32_t *req,
                  struct err *e)
{
    ASSERT(en->sched != NULL);
    if (spec_check(en, spec, x, e) != 0)
        return -1;
    if (SCHED_W(en)->head.sched == 0 && write_config(en, e) != 0) /* rewound to before it was said */
        return -1;
    struct sched_job *j = xcalloc(1, sizeof *j);
    if (j == NULL)
        return err_memory(e, sizeof *j, "a request");
    en->sched->job[0] = j; /* nobody's yet; index 0 is no request */
    if (fill_job(en, j, spec, x, e) != 0 || plan(en, spec, x, req, e) != 0) {
        sched_forget(en, 0);
        return -1;
    }
    en->sched->job[0] = NULL;
    sched_forget(en, *req);
    en->sched->job[*req] = j;
    return 0;
}

/* ---- aborts --------------------------------------------------------------------------------------------------------- */

static bool under_way(const struct request *q)
{
    return q->state == REQ_PLANNED || q->state == REQ_WAITING || q->state == REQ_PREFILL || q->state == REQ_DECODE;
}

static int abort_now(struct engine *en, uint32_t req, struct err *e)
{
    struct cache *c = &en->cache;
    const struct request *q = &SCHED_REQ(en, req);
    uint32_t state = q->state;
    if (cache_begin(c, q->kv_len + 64, e) != 0)
        return -1;
    if (state == REQ_PLANNED)
        sched_planned_drop(en, req);
    else if (state == REQ_WAITING)
        sched_queue_drop(en, req);
    else
        sched_batch_drop(en, req);
    CACHE_EMIT(c, ABORT, req);
    req_set_state(c, req, REQ_ABORTED, FINISH_ABORT);
    bool running = state == REQ_PREFILL || state == REQ_DECODE;
    if (running && !req_cache_finished(c, req, q->kv_len, false))
        return cache_fail(c, e);
    CACHE_EMIT(c, GONE, req, c->w->head.queue_count, c->w->head.batch_count + (c->w->head.chunked_req != 0));
    cache_end(c);
    sched_forget(en, req);
    return 0;
}

int sched_abort(struct engine *en, uint32_t req, uint64_t at, struct err *e)
{
    struct cache *c = &en->cache;
    if (req == 0 || req >= c->w->head.request_top || !under_way(&SCHED_REQ(en, req)))
        return err_set(e, "that request is over: it cannot be aborted");
    if (at <= sched_now(en))
        return abort_now(en, req, e);
    if (cache_begin(c, 0, e) != 0)
        return -1;
    sched_set_time(en, SCHED_PART(en, req).abort_at, at);
    CACHE_EMIT(c, ABORT_PLANNED, req, sched_said(at));
    cache_end(c);
    return 0;
}

/* The first one of a list whose abort is due. */
static uint32_t due_in(const struct engine *en, uint32_t first)
{
    for (uint32_t r = first; r != 0; r = SCHED_PART(en, r).next) {
        uint64_t at = word_time(SCHED_PART(en, r).abort_at);
        if (at != 0 && at <= sched_now(en))
            return r;
    }
    return 0;
}

static uint32_t abort_due(const struct engine *en)
{
    const struct head *h = &SCHED_W(en)->head;
    uint32_t r = due_in(en, h->planned_first);
    r = r != 0 ? r : due_in(en, h->queue_first);
    r = r != 0 ? r : due_in(en, h->batch_first);
    uint64_t at = h->chunked_req != 0 ? word_time(SCHED_PART(en, h->chunked_req).abort_at) : 0;
    return r != 0 ? r : at != 0 && at <= sched_now(en) ? h->chunked_req : 0;
}

/* ---- the loop ------------------------------------------------------------------------------------------------------- */

static int refuse_too_long(struct engine *en, uint32_t req, uint32_t context, struct err *e)
{
    struct cache *c = &en->cache;
    if (cache_begin(c, 64, e) != 0)
        return -1;
    sched_planned_drop(en, req);
    req_set_state(c, req, REQ_REFUSED, FINISH_TOO_LONG);
    CACHE_EMIT(c, REFUSE, req, SCHED_REQ(en, req).prompt_len + 1, context, FINISH_TOO_LONG);
    cache_end(c);
    sched_forget(en, req);
    return 0;
}

/* B1 */
static int arrivals(struct engine *en, struct err *e)
{
    struct cache *c = &en->cache;
    uint32_t context = en->cfg.model != NULL ? model_get_config(en->cfg.model)->context : UINT32_MAX, r;
    while ((r = c->w->head.planned_first) != 0 && word_time(SCHED_PART(en, r).arrived) <= sched_now(en)) {
        if (SCHED_REQ(en, r).prompt_len >= context) {
            if (refuse_too_long(en, r, context, e) != 0)
                return -1;
            continue;
        }
        if (cache_begin(c, 64, e) != 0)
            return -1;
        sched_planned_drop(en, r);
        CACHE_SET(c, SCHED_REQ(en, r).state, REQ_WAITING);
        sched_queue_push(en, r);
        sched_set_time(en, SCHED_PART(en, r).entered, word_time(SCHED_PART(en, r).arrived)); /* it came during a pass */
        CACHE_EMIT(c, ARRIVE, r, c->w->head.queue_count, sched_said(word_time(SCHED_PART(en, r).arrived)));
        cache_end(c);
    }
    while ((r = abort_due(en)) != 0)
        if (abort_now(en, r, e) != 0)
            return -1;
    return 0;
}

/* B2 */
static int leap(struct engine *en, struct err *e)
{
    struct cache *c = &en->cache;
    uint64_t to = word_time(SCHED_PART(en, c->w->head.planned_first).arrived);
    if (cache_begin(c, 0, e) != 0)
        return -1;
    sched_set_time(en, c->w->head.now, to);
    sched_set_double(en, c->w->head.ratio, sched_ratio_start());
    CACHE_SET(c, c->w->head.batch_full, 0);
    CACHE_EMIT(c, IDLE, sched_said(to));
    cache_end(c);
    return 0;
}

/* The admitted ones found no slots after all: back to the queue. Upstream would stop the server here. */
static int send_all_back(struct engine *en, struct err *e)
{
    struct sched *s = en->sched;
    struct cache *c = &en->cache;
    for (uint32_t i = 0; i < s->spans; i++) {
        if (cache_begin(c, SCHED_REQ(en, s->span[i].req).kv_len + 64, e) != 0)
            return -1;
        if (!sched_send_back(en, s->span[i].req, SCHED_WHY_RETRACTED))
            return cache_fail(c, e);
        CACHE_EMIT(c, WAITS, s->span[i].req, c->w->head.queue_count);
        cache_end(c);
    }
    return 0;
}

/* One turn (B1 to B5). *more: somebody is still under way. */
static int turn(struct engine *en, bool *more, struct err *e)
{
    const struct head *h = &SCHED_W(en)->head;
    struct sched *s = en->sched;
    if (arrivals(en, e) != 0)
        return -1;
    *more = h->planned_first != 0 || h->queue_count + h->batch_count != 0 || h->chunked_req != 0;
    if (h->queue_count + h->batch_count == 0 && h->chunked_req == 0)
        return *more ? leap(en, e) : 0;
    if (sched_round(en, e) != 0)
        return -1;
    bool decode = s->spans == 0;
    if (decode && h->batch_count == 0) /* a chunk without a slot, and nobody to wait for */
        return h->chunked_req != 0 ? sched_finish(en, h->chunked_req, FINISH_NO_SLOTS, e) : 0;
    if (decode && sched_prepare_decode(en, e) != 0)
        return -1;
    int rc = s->spans > 0 ? sched_pass(en, decode, e) : 0;
    return rc == 2 ? send_all_back(en, e) : rc;
}

static int cancel_all(struct engine *en, struct err *e)
{
    atomic_store(&en->cancel, false);
    for (uint32_t r = 1; r < SCHED_W(en)->head.request_top; r++)
        if (under_way(&SCHED_REQ(en, r)) && abort_now(en, r, e) != 0)
            return -1;
    return 1;
}

int sched_serve(struct engine *en, uint32_t passes, struct err *e)
{
    const struct head *h = &SCHED_W(en)->head;
    uint32_t until = h->passes + passes;
    bool more = h->sched != 0;
    while (more && (passes == 0 || h->passes < until)) {
        int rc = atomic_load(&en->cancel) ? 1 : turn(en, &more, e);
        if (rc < 0)
            return -1;
        if (rc > 0)
            return cancel_all(en, e);
    }
    return 0;
}
