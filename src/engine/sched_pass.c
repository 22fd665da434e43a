/* sched_pass.c: one forward pass of a schedule: slots, computing, tokens, and what comes of them. */
#include "base/xalloc.h"
#include "cache/evict.h"
#include "cache/req.h"
#include "cache/slots.h"
#include "engine/sched_parts.h"
#include "model/chat.h"
#include "model/sample.h"

bool sched_add_span(struct sched *s, uint32_t req, uint32_t from, uint32_t to)
{
    void *grown = s->span;
    bool ok = xgrow(&grown, &s->span_cap, (size_t)s->spans + 1, sizeof *s->span);
    s->span = grown;
    if (ok)
        s->span[s->spans++] = (struct sched_span){req, from, to};
    return ok;
}

static uint32_t new_tokens(const struct sched *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->spans; i++)
        n += s->span[i].to - s->span[i].from;
    return n;
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

/* Slots for every span, evicting once for all of them (sglang §3): 0, 1 when there are too few, -1 no memory. */
static int take_all_slots(struct engine *en, bool decode)
{
    struct cache *c = &en->cache;
    struct sched *s = en->sched;
    uint32_t size = c->w->head.page_size, freed, ask = new_tokens(s) + (size > 1 ? s->spans * size : 0);
    if (!decode && pool_free_slots(c->w) < ask && !evict(c, ask, s->span[0].req, &freed))
        return -1;
    for (uint32_t i = 0; i < s->spans; i++) {
        bool got;
        if (!cache_more(c, s->span[i].to) || !req_alloc(c, s->span[i].req, s->span[i].to, 0, &got))
            return -1;
        if (!got)
            return 1;
    }
    return 0;
}

/* ---- computing --------------------------------------------------------------------------------------------------- */

static int pass_memory(struct engine *en, struct err *e)
{
    struct sched *s = en->sched;
    uint32_t vocab = model_get_config(en->cfg.model)->vocab;
    size_t rows = 0;
    for (uint32_t i = 0; i < s->spans; i++)
        rows += s->span[i].to;
    void *a = s->rows, *b = s->fjobs, *d = s->logits;
    bool ok = xgrow(&a, &s->rows_cap, rows + 1, sizeof *s->rows);
    s->rows = a;
    ok = ok && xgrow(&b, &s->fjobs_cap, s->spans, sizeof *s->fjobs);
    s->fjobs = b;
    ok = ok && xgrow(&d, &s->logits_cap, (size_t)s->spans * vocab, sizeof *s->logits);
    s->logits = d;
    return ok ? 0 : err_memory(e, rows * 4 + (size_t)s->spans * vocab * 4, "a forward pass");
}

/* All spans in one forward pass. FORWARD_OK: s->rows holds, span by span, the rows of positions 0 … to-1. */
static enum forward_status compute_all(struct engine *en, struct forward_stats *stats, struct err *e)
{
    struct sched *s = en->sched;
    uint32_t vocab = model_get_config(en->cfg.model)->vocab;
    if (pass_memory(en, e) != 0)
        return FORWARD_ERROR;
    uint32_t *rows = s->rows;
    for (uint32_t i = 0; i < s->spans; rows += s->span[i++].to) {
        const struct sched_span *p = &s->span[i];
        const struct request *q = &SCHED_REQ(en, p->req);
        if (engine_gather_rows(en, p->req, p->from, rows, e) != 0)
            return FORWARD_ERROR;
        s->fjobs[i] = (struct forward_job){.tokens = SCHED_W(en)->row_token + q->row_off + p->from, .n = p->to - p->from,
                                           .start = p->from, .past_rows = rows, .new_rows = rows + p->from,
                                           .want = p->to == q->total_len ? LOGITS_LAST : LOGITS_NONE,
                                           .logits = s->logits + (size_t)i * vocab, .lora = s->job[p->req]->lora};
    }
    struct forward_watch watch = {.progress = engine_watch_cancel, .arg = en};
    enum forward_status rc = forward_run(en->forward, s->fjobs, s->spans, &watch, stats, e);
    if (rc == FORWARD_NO_ROWS)
        err_memory(e, kvrows_row_bytes(en->rows), "another KV row");
    return rc;
}

/* ---- tokens -------------------------------------------------------------------------------------------------------- */

/* The next token of the span's request: the model's, or the given one. */
static uint32_t choose_token(struct engine *en, const struct sched_span *p, const float *logits)
{
    const struct sched_job *j = en->sched->job[p->req];
    const struct request *q = &SCHED_REQ(en, p->req);
    if (j->sampler == NULL)
        return j->given[q->total_len - q->prompt_len];
    engine_observe_logits(en, logits);
    return sampler_next(j->sampler, logits, SCHED_W(en)->row_token + q->row_off, q->total_len);
}

static void add_token(struct engine *en, const struct sched_span *p, const float *logits, uint64_t now)
{
    struct cache *c = &en->cache;
    const struct request *q = &SCHED_REQ(en, p->req);
    const struct served *t = &SCHED_PART(en, p->req);
    uint32_t token = choose_token(en, p, logits), pos = q->total_len;
    bool given = en->sched->job[p->req]->sampler == NULL;
    if (pos == q->prompt_len)
        sched_set_time(en, t->first, now);
    else if (now - word_time(t->latest) > t->longest_gap)
        CACHE_SET(c, t->longest_gap, now - word_time(t->latest) < UINT32_MAX ? now - word_time(t->latest) : UINT32_MAX);
    sched_set_time(en, t->latest, now);
    req_push_token(c, p->req, token);
    CACHE_SET(c, q->state, REQ_DECODE);
    if (given)
        CACHE_EMIT(c, GIVEN, p->req, token, pos);
    else
        CACHE_EMIT(c, SAMPLE, p->req, token, pos);
}

/* Rows behind their slots, tokens behind their prompts, the clock on. */
static void write_pass(struct engine *en, uint64_t now)
{
    struct cache *c = &en->cache;
    struct sched *s = en->sched;
    uint32_t vocab = en->cfg.model != NULL ? model_get_config(en->cfg.model)->vocab : 0, *rows = s->rows;
    for (uint32_t i = 0; i < s->spans; i++) {
        const struct sched_span *p = &s->span[i];
        if (s->job[p->req]->sampler != NULL) {
            engine_write_rows(en, p->req, p->from, p->to, rows + p->from);
            rows += p->to;
        } else {
            CACHE_SET(c, SCHED_REQ(en, p->req).computed_len, p->to);
        }
        if (p->to == SCHED_REQ(en, p->req).total_len)
            add_token(en, p, vocab > 0 ? s->logits + (size_t)i * vocab : NULL, now);
    }
    sched_set_time(en, c->w->head.now, now);
    CACHE_SET(c, c->w->head.passes, c->w->head.passes + 1);
    CACHE_EMIT(c, CLOCK, sched_said(now), c->w->head.queue_count, c->w->head.batch_count + (c->w->head.chunked_req != 0));
}

static uint64_t pass_time(const struct sched *s)
{
    struct cost_pass cost = {0};
    for (uint32_t i = 0; i < s->spans; i++)
        cost_add(&cost, s->span[i].from, s->span[i].to - s->span[i].from);
    return cost_time(&s->cfg.cost, &cost);
}

/* One operation, rolled back when it fails. 2: too few slots after all. */
static int run_pass(struct engine *en, bool decode, struct err *e)
{
    struct cache *c = &en->cache;
    struct sched *s = en->sched;
    bool model = en->cfg.model != NULL;
    uint64_t took = pass_time(s), now = sched_now(en) + took;
    if (cache_begin(c, 64, e) != 0)
        return -1;
    int rc = take_all_slots(en, decode);
    if (rc == 0 && !sched_room(en, 4 * new_tokens(s) + 32 * s->spans, 4 * s->spans + 4))
        rc = -1;
    if (rc < 0)
        return cache_fail(c, e);
    if (rc > 0) {
        tape_rollback(en->t);
        cache_moved(c);
        return 2;
    }
    CACHE_EMIT(c, PASS, s->spans, new_tokens(s), decode, !model, sched_said(took), sched_said(now));
    for (uint32_t i = 0; i < s->spans; i++)
        CACHE_EMIT(c, PART, s->span[i].req, s->span[i].from, s->span[i].to - s->span[i].from);
    struct forward_stats stats = {0};
    enum forward_status done = model ? compute_all(en, &stats, e) : FORWARD_OK;
    if (done != FORWARD_OK) {
        tape_rollback(en->t);
        cache_moved(c);
        return done == FORWARD_CANCELLED ? 1 : -1;
    }
    if (stats.shared_jobs > 0)
        CACHE_EMIT(c, SHARED_READ, stats.shared_jobs, stats.shared_positions, (uint32_t)stats.rows_read,
                   (uint32_t)stats.rows_alone);
    if (decode && s->calm)
        sched_set_double(en, c->w->head.ratio, sched_ratio_lower(word_double(c->w->head.ratio)));
    write_pass(en, now);
    cache_end(c);
    return 0;
}

/* ---- what comes of it ------------------------------------------------------------------------------------------------ */

static uint32_t capped(uint64_t us)
{
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static void say_times(struct engine *en, uint32_t req)
{
    const struct served *t = &SCHED_PART(en, req);
    const struct head *h = &SCHED_W(en)->head;
    uint64_t came = word_time(t->arrived), first = word_time(t->first) - came, all = sched_now(en) - came;
    bool good = capped(first) <= h->slo_first && t->longest_gap <= h->slo_gap;
    CACHE_EMIT(&en->cache, TIMES, req, sched_said(first), sched_said(t->longest_gap), sched_said(all), good);
}

int sched_finish(struct engine *en, uint32_t req, uint32_t reason, struct err *e)
{
    struct cache *c = &en->cache;
    const struct request *q = &SCHED_REQ(en, req);
    bool cut = reason == FINISH_NO_SLOTS;
    bool insert = !en->sched->job[req]->no_insert && !c->w->head.no_finished_insert && !cut;
    if (cache_begin(c, q->kv_len, e) != 0)
        return -1;
    sched_batch_drop(en, req);
    CACHE_SET(c, SCHED_PART(en, req).text_len, en->sched->job[req]->text_len);
    req_set_state(c, req, REQ_FINISHED, reason);
    if (!req_cache_finished(c, req, q->kv_len, insert))
        return cache_fail(c, e);
    CACHE_EMIT(c, ANSWER, req, q->total_len - q->prompt_len, q->cached_len, q->prompt_len - q->cached_len, reason, cut);
    if (!cut)
        say_times(en, req);
    cache_end(c);
    sched_forget(en, req);
    return 0;
}

static int why_over(struct engine *en, uint32_t req, uint32_t *reason, struct err *e)
{
    struct sched_job *j = en->sched->job[req];
    const struct request *q = &SCHED_REQ(en, req);
    uint32_t made = q->total_len - q->prompt_len, token = SCHED_W(en)->row_token[q->row_off + q->total_len - 1];
    bool model = j->sampler != NULL;
    bool end = model ? chat_is_end(en->cfg.model, token) : made == j->n_given;
    int stop = end || !model ? 0 : stop_push(&j->watch, token, &j->text_len, e);
    bool full = made >= q->max_new || (model && q->total_len >= model_get_config(en->cfg.model)->context);
    *reason = full && !model ? FINISH_LENGTH : end ? FINISH_END_TOKEN : stop > 0 ? FINISH_STOP : full ? FINISH_LENGTH : FINISH_NONE;
    return stop < 0 ? -1 : 0;
}

/* After its part of a pass: a chunk enters the tree, a complete prompt too, an answer that is over ends. */
static int settle(struct engine *en, const struct sched_span *p, bool decode, struct err *e)
{
    struct cache *c = &en->cache;
    uint32_t reason = FINISH_NONE;
    bool chunk = c->w->head.chunked_req == p->req; /* more of its prompt will follow */
    if (!chunk && why_over(en, p->req, &reason, e) != 0)
        return -1;
    if (!chunk && reason != FINISH_NONE)
        return sched_finish(en, p->req, reason, e);
    if (decode)
        return 0; /* decode does not touch the tree */
    if (cache_begin(c, p->to, e) != 0)
        return -1;
    if (!req_cache_unfinished(c, p->req, p->to, chunk))
        return cache_fail(c, e);
    cache_end(c);
    return 0;
}

int sched_pass(struct engine *en, bool decode, struct err *e)
{
    struct sched *s = en->sched;
    int rc = run_pass(en, decode, e);
    if (rc != 0)
        return rc;
    uint32_t chunked = SCHED_W(en)->head.chunked_req;
    for (int last = 0; last < 2; last++) /* the chunked request comes last, as upstream's does */
        for (uint32_t i = 0; i < s->spans; i++)
            if ((s->span[i].req == chunked) == last && settle(en, &s->span[i], decode, e) != 0)
                return -1;
    return 0;
}

/* ---- decode: is there a slot for everybody? (sglang §6) ----------------------------------------------------------------- */

static uint32_t decode_needs(const struct engine *en)
{
    const struct world *w = SCHED_W(en);
    uint32_t n = 0;
    for (uint32_t r = w->head.batch_first; r != 0; r = w->served[r].next)
        n += w->request[r].kv_len % w->head.page_size == 0 ? w->head.page_size : 0;
    return n;
}

/* Evict what is needed, if it is. 0: enough is free now, 1: still short, -1: *e. */
static int make_room(struct engine *en, uint32_t need, struct err *e)
{
    struct cache *c = &en->cache;
    uint32_t freed;
    if (pool_free_slots(c->w) >= need)
        return 0;
    if (c->w->head.evictable_size > 0) {
        if (cache_begin(c, 64, e) != 0)
            return -1;
        if (!evict(c, need, 0, &freed))
            return cache_fail(c, e);
        cache_end(c);
    }
    return pool_free_slots(c->w) >= need ? 0 : 1;
}

/* Does a go before b when somebody must be retracted? Fewest outputs, then longest prompt, then who stands last. */
static bool weaker(const struct request *a, const struct request *b)
{
    uint32_t x = a->total_len - a->prompt_len, y = b->total_len - b->prompt_len;
    return x != y ? x < y : a->prompt_len >= b->prompt_len;
}

static uint32_t weakest(const struct engine *en)
{
    const struct world *w = SCHED_W(en);
    uint32_t best = w->head.batch_first;
    for (uint32_t r = best; r != 0; r = w->served[r].next)
        if (r != best && weaker(&w->request[r], &w->request[best]))
            best = r;
    return best;
}

static int retract_one(struct engine *en, uint32_t need, struct err *e)
{
    struct cache *c = &en->cache;
    uint32_t req = weakest(en), free = pool_free_slots(c->w), freed;
    const struct request *q = &SCHED_REQ(en, req);
    uint32_t left = c->w->head.batch_count - 1;
    if (cache_begin(c, q->kv_len + 64, e) != 0)
        return -1;
    CACHE_EMIT(c, RETRACT, req, q->total_len - q->prompt_len, need, free, left);
    if (!sched_send_back(en, req, SCHED_WHY_RETRACTED))
        return cache_fail(c, e);
    CACHE_EMIT(c, WAITS, req, c->w->head.queue_count);
    uint32_t steps = left * SCHED_RETRACT_STEPS;
    if (pool_free_slots(c->w) < steps && c->w->head.evictable_size > 0 && !evict(c, steps, req, &freed))
        return cache_fail(c, e);
    cache_end(c);
    return 0;
}

/* After a retraction: what the others have generated and are likely to, of what they may (sglang §6). */
static double ratio_now(const struct engine *en)
{
    const struct world *w = SCHED_W(en);
    double made = 0, may = 1;
    for (uint32_t r = w->head.batch_first; r != 0; r = w->served[r].next) {
        made += w->request[r].total_len - w->request[r].prompt_len + SCHED_RETRACT_STEPS;
        may += w->request[r].max_new;
    }
    return made / may < 1 ? made / may : 1;
}

static int ratio_after_retraction(struct engine *en, struct err *e)
{
    struct cache *c = &en->cache;
    double was = word_double(c->w->head.ratio), ratio = ratio_now(en);
    if (cache_begin(c, 0, e) != 0)
        return -1;
    sched_set_double(en, c->w->head.ratio, ratio);
    CACHE_EMIT(c, RATIO, (uint32_t)(ratio * 1000 + 0.5), (uint32_t)(was * 1000 + 0.5));
    cache_end(c);
    return 0;
}

/* The batch into the order in which upstream keeps it: strongest first, so that victims are taken from the end. */
static int sort_batch(struct engine *en, struct err *e)
{
    struct cache *c = &en->cache;
    struct sched *s = en->sched;
    uint32_t n = 0;
    for (uint32_t r = c->w->head.batch_first; r != 0; r = SCHED_PART(en, r).next, n++) {
        if (!sched_add_span(s, r, 0, 0))
            return err_memory(e, n, "a retraction");
        for (uint32_t i = n; i > 0 && weaker(&SCHED_REQ(en, s->span[i - 1].req), &SCHED_REQ(en, r)) &&
                             !weaker(&SCHED_REQ(en, r), &SCHED_REQ(en, s->span[i - 1].req)); i--) {
            s->span[i].req = s->span[i - 1].req;
            s->span[i - 1].req = r;
        }
    }
    if (cache_begin(c, 64, e) != 0)
        return -1;
    if (!sched_room(en, n, 2))
        return cache_fail(c, e);
    const uint32_t *link = &c->w->head.batch_first;
    for (uint32_t i = 0; i < n; i++, link = &SCHED_PART(en, s->span[i - 1].req).next)
        CACHE_SET(c, *link, s->span[i].req);
    CACHE_SET(c, *link, 0);
    CACHE_EMIT(c, SHORT, decode_needs(en), pool_free_slots(c->w), n);
    cache_end(c);
    s->spans = 0;
    return 0;
}

int sched_prepare_decode(struct engine *en, struct err *e)
{
    const struct head *h = &SCHED_W(en)->head;
    struct sched *s = en->sched;
    int rc;
    s->spans = 0;
    s->calm = true;
    while ((rc = make_room(en, decode_needs(en), e)) > 0 && h->batch_count > 1) {
        if ((s->calm && sort_batch(en, e) != 0) || retract_one(en, decode_needs(en), e) != 0)
            return -1;
        s->calm = false;
    }
    if (rc > 0 && h->batch_count == 1) /* the last one cannot go on either */
        return sched_finish(en, h->batch_first, FINISH_NO_SLOTS, e);
    if (rc < 0 || (!s->calm && ratio_after_retraction(en, e) != 0))
        return -1;
    for (uint32_t r = h->batch_first; r != 0; r = SCHED_PART(en, r).next)
        if (!sched_add_span(s, r, SCHED_REQ(en, r).kv_len, SCHED_REQ(en, r).kv_len + 1))
            return err_memory(e, sizeof *s->span, "a pass");
    return 0;
}
