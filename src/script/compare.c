#include "script/compare.h"

#include <math.h>
#include <string.h>

#include "base/xalloc.h"
#include "model/forward.h"
#include "model/kvrows.h"
#include "model/model.h"

enum { TIMED_PASSES = 5 };
#define PATIENCE 2.0 /* seconds of forward passes after which one timed pass must do */

/* Logits of the positions that the cached run computed. */
struct kept_logits {
    float *at;               /* (positions, vocab) */
    uint32_t *position;      /* (positions) */
    uint32_t positions, vocab;
    size_t cap, position_cap;
    bool failed;
};

struct pass {
    struct compare *c;
    const struct runner_config *cfg;
    struct runner *runner;
    struct kept_logits kept;
    struct compare_request *request; /* the one at hand */
    uint32_t index;          /* its number in this pass */
    int timed;               /* -1: the proof; else which timed pass */
    enum compare_damage damage;
    struct request_spec spec; /* as it runs on the cached side */
    struct err *e;
    bool failed;
    double (*seconds)[2][TIMED_PASSES]; /* (count) cached, cold */
};

/* ---- logits ------------------------------------------------------------------------------------------- */

static void keep_logits(void *ctx, uint32_t position, const float *logits, uint32_t vocab)
{
    struct kept_logits *k = ctx;
    void *at = k->at, *positions = k->position;
    bool room = xgrow(&at, &k->cap, ((size_t)k->positions + 1) * vocab, sizeof *k->at);
    k->at = at;
    room = xgrow(&positions, &k->position_cap, (size_t)k->positions + 1, sizeof *k->position) && room;
    k->position = positions;
    k->vocab = vocab;
    if (!room) {
        k->failed = true;
        return;
    }
    memcpy(k->at + (size_t)k->positions * vocab, logits, vocab * sizeof *logits);
    k->position[k->positions++] = position;
}

/* The larger of two differences, where NaN is larger than everything. */
static double worse(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

/* A position of the cold run, held against the cached one. Positions come in order in both. */
static void compare_logits(void *ctx, uint32_t position, const float *logits, uint32_t vocab)
{
    struct pass *p = ctx;
    const struct kept_logits *k = &p->kept;
    uint32_t first = k->positions > 0 ? k->position[0] : UINT32_MAX;
    if (position < first || position - first >= k->positions)
        return;
    const float *other = k->at + (size_t)(position - first) * vocab; /* (vocab) */
    ASSERT(k->position[position - first] == position && k->vocab == vocab);
    double max = p->request->max_diff;
    for (uint32_t i = 0; i < vocab; i++)
        max = worse(fabs((double)logits[i] - (double)other[i]), max);
    p->request->max_diff = max;
    p->request->positions++;
}

/* ---- damage, for tests ---------------------------------------------------------------------------------- */

/* The deepest chain's first node: its tokens are what the next request finds. */
static void damage_row(struct runner *r)
{
    struct scene sc = tape_scene(runner_tape(r));
    uint32_t node = sc.w->node[ROOT].first_child;
    uint32_t row = sc.w->kv[node_slots(sc, node)[0]];
    kvrows_edit_v(engine_kvrows(runner_engine(r)), row, 0)[0] += 1.0f;
}

/* The first slot of the first node changes places with its last, which lies beyond the shared prefix. */
static void damage_slot(struct runner *r)
{
    struct scene sc = tape_scene(runner_tape(r));
    struct store *s = tape_store(runner_tape(r));
    const struct node *node = &sc.w->node[sc.w->node[ROOT].first_child];
    uint32_t *slot = s->value + node->val_off, first = slot[0];
    slot[0] = slot[node->len - 1];
    slot[node->len - 1] = first;
}

static void do_damage(struct pass *p)
{
    if (p->damage == DAMAGE_NONE || tape_world(runner_tape(p->runner))->node[ROOT].first_child == 0)
        return;
    if (p->damage == DAMAGE_ROW)
        damage_row(p->runner);
    else
        damage_slot(p->runner);
    p->damage = DAMAGE_NONE;
}

/* ---- cancelling ------------------------------------------------------------------------------------------ */

/* The engines of a comparison come and go while another thread may want to stop one. They are looked at for a
 * few instructions, so that spinning will do. */
static void lock(struct compare *c)
{
    while (atomic_exchange(&c->locked, true))
        continue;
}

static void unlock(struct compare *c)
{
    atomic_store(&c->locked, false);
}

/* Under the lock. */
static void stop_all(struct compare *c)
{
    if (c->runner != NULL)
        runner_cancel(c->runner);
    if (c->cold != NULL)
        engine_cancel(c->cold);
}

/* From here on these two are what runs; NULL: nothing. */
static void now_runs(struct compare *c, struct runner *runner, struct engine *cold)
{
    lock(c);
    c->runner = runner;
    c->cold = cold;
    if (atomic_load(&c->cancelled))
        stop_all(c);
    unlock(c);
}

void compare_cancel(struct compare *c)
{
    lock(c);
    atomic_store(&c->cancelled, true);
    stop_all(c);
    unlock(c);
}

/* ---- one request ------------------------------------------------------------------------------------------ */

static int pass_failed(struct pass *p)
{
    p->failed = true;
    runner_cancel(p->runner);
    return -1;
}

static struct compare_request *new_request(struct compare *c)
{
    void *grown = c->request;
    bool room = xgrow(&grown, &c->capacity, (size_t)c->count + 1, sizeof *c->request);
    c->request = grown;
    if (!room)
        return NULL;
    c->request[c->count] = (struct compare_request){0};
    return &c->request[c->count++];
}

static int fill_side(struct compare_side *side, struct engine *en, const struct request_report *rep, struct err *e)
{
    uint32_t n;
    const uint32_t *ids = engine_generated(en, rep->request, &n);
    *side = (struct compare_side){.outcome = rep->outcome, .reason = rep->reason, .computed = rep->computed_tokens,
                                  .generated = n, .seconds = rep->seconds, .flops = rep->flops};
    memcpy(side->why, rep->why, sizeof side->why);
    side->ids = xmemdup(ids, n * sizeof *ids);
    return side->ids != NULL ? 0 : err_memory(e, n * sizeof *ids, "the tokens of an answer");
}

static int fill_request(struct pass *p, const struct runner_report *rep)
{
    struct compare_request *q = p->request;
    q->prompt = xmemdup(rep->prompt, rep->prompt_len + 1);
    q->answer = xmemdup(rep->answer, rep->answer_len + 1);
    if (q->prompt == NULL || q->answer == NULL)
        return err_memory(p->e, rep->answer_len, "an answer");
    q->prompt_len = rep->prompt_len;
    q->answer_len = rep->answer_len;
    q->prompt_tokens = rep->request->prompt_tokens;
    q->cached_tokens = rep->request->cached_tokens;
    return fill_side(&q->cached, runner_engine(p->runner), rep->request, p->e);
}

/* The same request alone, on an engine and a cache of its own. */
static int run_cold(struct pass *p, struct compare_side *side)
{
    struct request_spec spec = p->spec;
    struct request_report rep;
    struct engine_config cfg = *engine_get_config(runner_engine(p->runner));
    struct engine *en = engine_new(&cfg, p->e);
    if (en == NULL)
        return -1;
    tape_record(engine_tape(en), false);
    spec.logits = p->timed < 0 ? compare_logits : NULL;
    spec.logits_ctx = p;
    now_runs(p->c, p->runner, en);
    int rc = engine_request(en, &spec, &rep, p->e);
    if (rc == 0)
        rc = fill_side(side, en, &rep, p->e);
    now_runs(p->c, p->runner, NULL);
    engine_free(en);
    return rc;
}

/* The proof computes the logits of every position of the prompt; without it a pass needs its last one's only. */
static void leave_out_proof(const struct pass *p, struct compare_side *side)
{
    if (side->outcome != OUTCOME_DONE)
        return;
    const struct model_config *m = model_get_config(runner_model(p->runner));
    uint32_t chunk = runner_settings(p->runner)->chunk, n = side->computed;
    uint32_t passes = chunk > 0 ? (n + chunk - 1) / chunk : n > 0;
    side->flops -= (double)(n - passes) * (double)(forward_flops(m, 1, 0, 1) - forward_flops(m, 1, 0, 0));
}

static bool same_tokens(const struct compare_side *a, const struct compare_side *b)
{
    return a->outcome == b->outcome && a->reason == b->reason && a->generated == b->generated &&
           memcmp(a->ids, b->ids, a->generated * sizeof *a->ids) == 0;
}

static int prove(struct pass *p, const struct runner_report *rep)
{
    p->request = new_request(p->c);
    if (p->request == NULL)
        return err_memory(p->e, sizeof *p->request, "a comparison");
    if (fill_request(p, rep) != 0 || run_cold(p, &p->request->cold) != 0)
        return -1;
    if (p->kept.failed)
        return err_memory(p->e, p->kept.cap * sizeof(float), "the logits of a request");
    leave_out_proof(p, &p->request->cached);
    leave_out_proof(p, &p->request->cold);
    p->request->tokens_equal = same_tokens(&p->request->cached, &p->request->cold);
    return 0;
}

/* A timed pass: times; answers and FLOPs (those of the proof's logits are not in them) must be the same again. */
static int measure(struct pass *p, const struct runner_report *rep)
{
    if (p->index >= p->c->count)
        return err_set(p->e, "the script ran differently the second time");
    struct compare_request *q = &p->c->request[p->index];
    struct compare_side cached = {0}, cold = {0};
    int rc = fill_side(&cached, runner_engine(p->runner), rep->request, p->e);
    if (rc == 0)
        rc = run_cold(p, &cold);
    if (rc == 0) {
        q->tokens_equal = q->tokens_equal && same_tokens(&cached, &q->cached) && same_tokens(&cold, &q->cold);
        p->seconds[p->index][0][p->timed] = cached.seconds;
        p->seconds[p->index][1][p->timed] = cold.seconds;
    }
    xfree(cached.ids);
    xfree(cold.ids);
    return rc;
}

static void on_prepare(void *ctx, struct request_spec *spec)
{
    struct pass *p = ctx;
    p->kept.positions = 0;
    do_damage(p);
    if (p->timed < 0) {
        spec->logits = keep_logits;
        spec->logits_ctx = &p->kept;
    }
    p->spec = *spec;
}

static void on_report(void *ctx, const struct runner_report *rep)
{
    struct pass *p = ctx;
    if (rep->request == NULL || p->failed || rep->request->outcome == OUTCOME_CANCELLED)
        return;
    if ((p->timed < 0 ? prove(p, rep) : measure(p, rep)) != 0)
        pass_failed(p);
    p->index++;
}

/* ---- passes ------------------------------------------------------------------------------------------------- */

static enum run_result run_pass(struct pass *p, const struct script *s)
{
    struct runner_config cfg = *p->cfg;
    struct err inner = {0};
    cfg.prepare = on_prepare;
    cfg.report = on_report;
    cfg.ctx = p;
    cfg.no_history = false; /* expectations may ask for events */
    p->index = 0;
    p->failed = false;
    p->runner = runner_new(s, &cfg, p->e);
    if (p->runner == NULL)
        return RUN_FAILED;
    now_runs(p->c, p->runner, NULL);
    enum run_result rc = runner_script(p->runner, s, &inner);
    now_runs(p->c, NULL, NULL);
    runner_free(p->runner);
    if (p->failed)
        return RUN_FAILED;
    if (rc == RUN_DONE && atomic_load(&p->c->cancelled))
        return RUN_CANCELLED; /* the cold run of the last request was */
    if (rc == RUN_FAILED) {
        err_set(p->e, "%s", inner.what);
        err_hint(p->e, "%s", inner.hint);
    }
    return rc;
}

static double median(double *v, int n)
{
    for (int i = 1; i < n; i++) {
        double x = v[i];
        int k = i;
        for (; k > 0 && v[k - 1] > x; k--)
            v[k] = v[k - 1];
        v[k] = x;
    }
    return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static enum run_result run_timed(struct pass *p, const struct script *s)
{
    struct compare *c = p->c;
    double total = 0;
    for (uint32_t i = 0; i < c->count; i++)
        total += c->request[i].cached.seconds + c->request[i].cold.seconds;
    c->passes = total > PATIENCE ? 1 : TIMED_PASSES;
    p->seconds = xcalloc((size_t)c->count + 1, sizeof *p->seconds);
    if (p->seconds == NULL)
        return (enum run_result)err_memory(p->e, c->count * sizeof *p->seconds, "the times of a comparison");
    enum run_result rc = RUN_DONE;
    for (p->timed = 0; rc == RUN_DONE && p->timed < (int)c->passes; p->timed++)
        rc = run_pass(p, s);
    for (uint32_t i = 0; rc == RUN_DONE && i < c->count; i++) {
        c->request[i].cached.seconds = median(p->seconds[i][0], (int)c->passes);
        c->request[i].cold.seconds = median(p->seconds[i][1], (int)c->passes);
    }
    xfree(p->seconds);
    return rc;
}

enum run_result compare_run(struct compare *c, const struct script *s, const struct runner_config *cfg,
                            enum compare_damage damage, struct err *e)
{
    struct pass p = {.c = c, .cfg = cfg, .timed = -1, .damage = damage, .e = e};
    enum run_result rc = run_pass(&p, s);
    if (rc == RUN_DONE && damage == DAMAGE_NONE)
        rc = run_timed(&p, s);
    xfree(p.kept.at);
    xfree(p.kept.position);
    return rc;
}

void compare_done(struct compare *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        struct compare_request *q = &c->request[i];
        xfree(q->prompt);
        xfree(q->answer);
        xfree(q->cached.ids);
        xfree(q->cold.ids);
    }
    xfree(c->request);
    c->request = NULL;
    c->count = 0;
}

bool compare_answered(const struct compare_side *s)
{
    return s->outcome == OUTCOME_DONE && s->reason != FINISH_NO_SLOTS;
}

bool compare_equal(const struct compare_request *r, double tolerance)
{
    return r->tokens_equal && r->max_diff <= tolerance; /* NaN is not */
}
