/* sched_round.c: one admission pass: the queue in the policy's order, then each request in turn (sglang §7). */
#include "base/prng.h"
#include "base/xalloc.h"
#include "cache/req.h"
#include "engine/sched_parts.h"

/* ---- order ---------------------------------------------------------------------------------------------------- */

static int round_scratch(struct sched *s, uint32_t waiting, uint32_t running, struct err *e)
{
    void *queue = s->queue, *keys = s->running;
    bool ok = xgrow(&queue, &s->queue_cap, (size_t)waiting + 1, sizeof *s->queue);
    s->queue = queue;
    ok = ok && xgrow(&keys, &s->running_cap, (size_t)running + 1, sizeof *s->running);
    s->running = keys;
    return ok ? 0 : err_memory(e, waiting * sizeof *s->queue, "the waiting queue");
}

static const char *key_name(const struct engine *en, uint32_t req)
{
    uint32_t name = SCHED_PART(en, req).routing_key;
    return name != 0 ? store_name(en->cache.s, name) : NULL;
}

static uint32_t gather_queue(struct engine *en)
{
    const struct world *w = SCHED_W(en);
    uint32_t n = 0;
    for (uint32_t r = w->head.queue_first; r != 0; r = w->served[r].next) {
        const struct request *q = &w->request[r];
        en->sched->queue[n] = (struct sched_waiting){
            .req = r, .tok = w->row_token + q->row_off, .n = q->total_len, .ns = q->ns, .max_new = q->max_new,
            .priority = (int32_t)q->priority, .entered = (double)word_time(w->served[r].entered),
            .routing_key = key_name(en, r)};
        n++;
    }
    return n;
}

/* The list, and what was found out about each, into the world. */
static void write_order(struct engine *en, uint32_t n)
{
    struct cache *c = &en->cache;
    const struct sched_waiting *q = en->sched->queue;
    uint32_t held = 0;
    CACHE_SET(c, c->w->head.queue_first, q[0].req);
    for (uint32_t i = 0; i < n; i++) {
        const struct served *p = &SCHED_PART(en, q[i].req);
        CACHE_SET(c, p->next, i + 1 < n ? q[i + 1].req : 0);
        CACHE_SET(c, p->rank, i + 1);
        CACHE_SET(c, p->why, SCHED_WHY_NOT_TRIED);
        CACHE_SET(c, p->prefix, q[i].prefix);
        CACHE_SET(c, p->held_by, q[i].held_back ? q[i].held_by : 0);
        CACHE_SET(c, p->shared, q[i].held_back ? q[i].shared : 0);
        held += q[i].held_back;
        if (q[i].held_back)
            CACHE_EMIT(c, HELD_BACK, q[i].req, q[i].held_by, q[i].shared, q[i].prefix);
    }
    CACHE_EMIT(c, RANKED, q[0].req, q[0].prefix, n, held);
}

static int order_queue(struct engine *en, struct err *e)
{
    struct cache *c = &en->cache;
    const struct head *h = &c->w->head;
    struct sched *s = en->sched;
    struct prng rng;
    uint32_t tokens = 64, running = 0;
    if (h->queue_count == 0)
        return 0;
    if (round_scratch(s, h->queue_count, h->batch_count, e) != 0)
        return -1;
    uint32_t n = gather_queue(en);
    for (uint32_t i = 0; i < n; i++)
        tokens = s->queue[i].n > tokens ? s->queue[i].n : tokens;
    for (uint32_t r = h->batch_first; r != 0; r = SCHED_PART(en, r).next)
        s->running[running++] = key_name(en, r);
    prng_seed(&rng, h->rounds);
    struct sched_rules rules = {.policy = s->cfg.policy, .priorities = s->cfg.priorities, .low_first = s->cfg.low_first,
                                .running_key = s->running, .n_running = running, .rng = &rng};
    enum sched_policy active = sched_active(c->w, rules.policy, n);
    uint32_t name = store_intern(c->s, sched_policy_name(active)), asked = store_intern(c->s, sched_policy_name(rules.policy));
    if (name == UINT32_MAX || asked == UINT32_MAX)
        return store_refused(c->s, "the name of a policy", e);
    if (cache_begin(c, tokens, e) != 0)
        return -1;
    CACHE_SET(c, h->rounds, h->rounds + 1);
    if (s->cfg.preempt) /* a full batch may be displaced */
        CACHE_SET(c, h->batch_full, 0);
    CACHE_EMIT(c, ROUND, name, n, running + (h->chunked_req != 0), active != rules.policy ? asked : 0,
               sched_said(sched_now(en)));
    if (!sched_order(c, &rules, s->queue, n) || !sched_room(en, 8 * n, n))
        return cache_fail(c, e);
    write_order(en, n);
    cache_end(c);
    return 0;
}

/* ---- admission ------------------------------------------------------------------------------------------------- */

static uint32_t outputs_of(const struct request *q)
{
    return q->total_len - q->prompt_len;
}

static double future_of(const struct engine *en, uint32_t req)
{
    const struct request *q = &SCHED_REQ(en, req);
    return sched_future_tokens(q->max_new, outputs_of(q), word_double(SCHED_W(en)->head.ratio));
}

static struct sched_budget round_budget(const struct engine *en)
{
    const struct head *h = &SCHED_W(en)->head;
    struct sched_budget b = {.rem_input = h->max_prefill, .rem_chunk = h->chunk_limit, .chunking = h->chunk_limit > 0};
    for (uint32_t r = h->batch_first; r != 0; r = SCHED_PART(en, r).next)
        b.reserved += future_of(en, r);
    return b;
}

/* The unfinished chunked request goes first. */
static int continue_chunk(struct engine *en, struct sched_budget *b, struct err *e)
{
    struct cache *c = &en->cache;
    uint32_t req = c->w->head.chunked_req;
    if (req == 0)
        return 0;
    const struct request *q = &SCHED_REQ(en, req);
    uint32_t from = q->kv_len, count = sched_take_chunk(b, c->w, from, q->total_len, q->max_new);
    if (count == 0)
        return 0;
    if (!sched_add_span(en->sched, req, from, from + count))
        return err_memory(e, sizeof *en->sched->span, "a pass");
    if (cache_begin(c, 64, e) != 0)
        return -1;
    if (from + count == q->total_len) { /* its last one: it joins the others */
        CACHE_SET(c, c->w->head.chunked_req, 0);
        sched_batch_push(en, req);
    }
    CACHE_EMIT(c, CHUNK, req, from, count, q->total_len - from - count);
    cache_end(c);
    return 0;
}

/* Who has waited longer than req and still waits has been passed by it. */
static void count_passed(struct engine *en, uint32_t req)
{
    const struct world *w = SCHED_W(en);
    for (uint32_t r = w->head.queue_first; r != 0; r = w->served[r].next)
        if (word_time(w->served[r].arrived) < word_time(w->served[req].arrived) ||
            (word_time(w->served[r].arrived) == word_time(w->served[req].arrived) && w->request[r].rid < w->request[req].rid))
            CACHE_SET(&en->cache, w->served[r].passed, w->served[r].passed + 1);
}

static void place(struct engine *en, uint32_t req, const struct sched_decision *d)
{
    struct cache *c = &en->cache;
    sched_queue_drop(en, req);
    count_passed(en, req);
    CACHE_SET(c, SCHED_PART(en, req).prefix, d->prefix);
    if (d->chunked)
        CACHE_SET(c, c->w->head.chunked_req, req);
    else
        sched_batch_push(en, req);
}

/* Look up, ask, hold, ask again, take (A1 to A6). */
static void try_request(struct engine *en, struct sched_budget *b, uint32_t req, struct sched_decision *d)
{
    struct cache *c = &en->cache;
    const struct request *q = &SCHED_REQ(en, req);
    uint32_t cached = q->cached_len;
    struct match m = req_match(c, req, q->total_len - 1);
    struct sched_need need = {q->total_len, m.units, q->max_new, outputs_of(q)};
    *d = sched_look(b, c->w, &need);
    if (d->result != SCHED_CONTINUE)
        return;
    CACHE_SET(c, q->state, REQ_PREFILL);
    req_hold(c, req, m);
    sched_take(b, c->w, &need, d);
    if (!d->added) {
        req_unadmit(c, req);
        CACHE_SET(c, q->state, REQ_WAITING);
    } else if (SCHED_PART(en, req).retracted > 0) /* cached tokens are not counted again */
        CACHE_SET(c, q->cached_len, cached);
}

static int admit_one(struct engine *en, struct sched_budget *b, uint32_t req, struct sched_decision *d, struct err *e)
{
    struct cache *c = &en->cache;
    const struct request *q = &SCHED_REQ(en, req);
    if (cache_begin(c, q->total_len, e) != 0)
        return -1;
    try_request(en, b, req, d);
    if (!sched_room(en, c->w->head.queue_count + 16, 8) || (d->added && !sched_add_span(en->sched, req, d->from, d->to)))
        return cache_fail(c, e);
    CACHE_SET(c, SCHED_PART(en, req).why, d->why);
    uint32_t left = d->rem_total > 0 ? (uint32_t)d->rem_total : 0;
    if (d->added) {
        place(en, req, d);
        CACHE_EMIT(c, TAKEN, req, d->from, d->to - d->from, (uint32_t)d->need, left);
    } else {
        CACHE_EMIT(c, LEFT, req, d->why, (uint32_t)d->need, left);
    }
    if (d->result == SCHED_NO_TOKEN) {
        CACHE_SET(c, c->w->head.batch_full, 1);
        CACHE_EMIT(c, FULL, c->w->head.batch_count);
    }
    cache_end(c);
    return 0;
}

/* ---- preemption -------------------------------------------------------------------------------------------------- */

static int32_t urgency(const struct engine *en, uint32_t req)
{
    int32_t p = (int32_t)SCHED_REQ(en, req).priority;
    return en->sched->cfg.low_first ? -p : p;
}

/* The least urgent running request that `req` may displace and that is not chosen yet, the latest one of equals. */
static uint32_t next_victim(const struct engine *en, uint32_t req, const bool *chosen)
{
    const struct world *w = SCHED_W(en);
    uint32_t best = 0, i = 0;
    for (uint32_t r = w->head.batch_first; r != 0; r = w->served[r].next, i++) {
        bool may = w->request[r].state == REQ_DECODE && !chosen[i] &&
                   (int64_t)urgency(en, req) - urgency(en, r) > SCHED_PREEMPT_MARGIN;
        if (may && (best == 0 || urgency(en, r) < urgency(en, best) ||
                    (urgency(en, r) == urgency(en, best) &&
                     word_time(w->served[r].entered) > word_time(w->served[best].entered))))
            best = r;
    }
    return best;
}

static uint32_t place_in_batch(const struct world *w, uint32_t req)
{
    uint32_t i = 0;
    for (uint32_t r = w->head.batch_first; r != req; r = w->served[r].next)
        i++;
    return i;
}

/* Mark enough victims for req; false: together they would not free enough. */
static bool choose_victims(const struct engine *en, const struct sched_budget *b, uint32_t req, bool *chosen)
{
    const struct request *q = &SCHED_REQ(en, req);
    uint32_t max = q->max_new < SCHED_CLIP_MAX_NEW ? q->max_new : SCHED_CLIP_MAX_NEW;
    double short_of = (double)q->total_len + max - sched_rem_total(b, SCHED_W(en));
    uint32_t n = 0, r;
    for (; (n == 0 || short_of > 0) && (r = next_victim(en, req, chosen)) != 0; n++) {
        chosen[place_in_batch(SCHED_W(en), r)] = true;
        short_of -= future_of(en, r);
    }
    return n > 0 && short_of <= 0;
}

static int displace(struct engine *en, struct sched_budget *b, uint32_t victim, uint32_t by, struct err *e)
{
    struct cache *c = &en->cache;
    double freed = future_of(en, victim);
    if (cache_begin(c, SCHED_REQ(en, victim).kv_len + 64, e) != 0)
        return -1;
    CACHE_EMIT(c, PREEMPT, victim, by, SCHED_REQ(en, victim).priority, SCHED_REQ(en, by).priority);
    if (!sched_send_back(en, victim, SCHED_WHY_PREEMPTED))
        return cache_fail(c, e);
    CACHE_EMIT(c, WAITS, victim, c->w->head.queue_count);
    cache_end(c);
    b->reserved -= freed;
    return 0;
}

/* 1: somebody made room, 0: nobody may be displaced. */
static int preempt_to_schedule(struct engine *en, struct sched_budget *b, uint32_t req, struct err *e)
{
    uint32_t n = SCHED_W(en)->head.batch_count, victims = 0;
    bool *chosen = xcalloc((size_t)n + 1, sizeof *chosen);
    uint32_t *victim = xcalloc((size_t)n + 1, sizeof *victim);
    int rc = chosen != NULL && victim != NULL ? 0 : err_memory(e, n, "preemption");
    if (rc == 0 && choose_victims(en, b, req, chosen)) {
        uint32_t i = 0;
        for (uint32_t r = SCHED_W(en)->head.batch_first; r != 0; r = SCHED_PART(en, r).next, i++)
            if (chosen[i])
                victim[victims++] = r;
        for (i = 0; rc == 0 && i < victims; i++)
            rc = displace(en, b, victim[i], req, e);
    }
    xfree(chosen);
    xfree(victim);
    return rc != 0 ? -1 : victims > 0;
}

/* ---- the pass ------------------------------------------------------------------------------------------------------ */

static bool batch_full(const struct engine *en)
{
    const struct head *h = &SCHED_W(en)->head;
    return h->batch_full || h->batch_count + (h->chunked_req != 0) >= h->max_running;
}

static int say_full(struct engine *en, uint32_t req, struct err *e)
{
    struct cache *c = &en->cache;
    if (cache_begin(c, 0, e) != 0)
        return -1;
    CACHE_SET(c, c->w->head.batch_full, 1);
    CACHE_SET(c, SCHED_PART(en, req).why, SCHED_WHY_BATCH);
    CACHE_EMIT(c, FULL, c->w->head.batch_count);
    cache_end(c);
    return 0;
}

/* Nothing runs and it does not fit: it never will. */
static int refuse_waiting(struct engine *en, uint32_t req, const struct sched_decision *d, struct err *e)
{
    struct cache *c = &en->cache;
    if (cache_begin(c, 64, e) != 0)
        return -1;
    sched_queue_drop(en, req);
    CACHE_SET(c, c->w->head.batch_full, 0);
    req_set_state(c, req, REQ_REFUSED, FINISH_NO_SLOTS);
    CACHE_EMIT(c, REFUSE, req, (uint32_t)d->need, d->rem_total > 0 ? (uint32_t)d->rem_total : 0, FINISH_NO_SLOTS);
    cache_end(c);
    sched_forget(en, req);
    return 0;
}

/* One request's turn. *go: with the next one. */
static int take_turn(struct engine *en, struct sched_budget *b, uint32_t req, bool *go, struct err *e)
{
    struct sched *s = en->sched;
    struct sched_decision d;
    *go = false;
    if (batch_full(en)) {
        int made = s->cfg.preempt ? preempt_to_schedule(en, b, req, e) : 0;
        if (made < 0 || (made == 0 && say_full(en, req, e) != 0))
            return -1;
        if (made == 0)
            return 0;
    }
    if (admit_one(en, b, req, &d, e) != 0)
        return -1;
    if (!d.added && d.result == SCHED_NO_TOKEN && s->cfg.preempt) {
        int made = preempt_to_schedule(en, b, req, e);
        if (made < 0 || (made > 0 && admit_one(en, b, req, &d, e) != 0))
            return -1;
    }
    const struct head *h = &SCHED_W(en)->head;
    if (!d.added && d.result == SCHED_NO_TOKEN && h->batch_count == 0 && h->chunked_req == 0)
        return refuse_waiting(en, req, &d, e);
    *go = d.result == SCHED_CONTINUE;
    return 0;
}

int sched_round(struct engine *en, struct err *e)
{
    struct sched *s = en->sched;
    const struct head *h = &SCHED_W(en)->head;
    struct sched_budget b = round_budget(en);
    bool go = true;
    s->spans = 0;
    if (((h->batch_full && !s->cfg.preempt) || h->queue_count == 0) && h->chunked_req == 0)
        return 0;
    if (order_queue(en, e) != 0 || continue_chunk(en, &b, e) != 0)
        return -1;
    if (h->chunked_req != 0 && b.rem_chunk > 0)
        return 0; /* it found fewer slots than its chunk: there can be no second one in chunks */
    uint32_t n = h->queue_count; /* who is sent back meanwhile waits for the next round */
    for (uint32_t i = 0; go && i < n; i++)
        if (take_turn(en, &b, s->queue[i].req, &go, e) != 0)
            return -1;
    return 0;
}
