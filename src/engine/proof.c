#include "engine/proof.h"

#include <string.h>

#include "base/xalloc.h"
#include "model/forward_parts.h"
#include "model/kvrows.h"
#include "model/model.h"
#include "model/sample.h"

struct forward *proof_forward(struct engine *en, bool fast, struct forward **made, struct err *e)
{
    const struct engine_config *cfg = engine_get_config(en);
    *made = NULL;
    struct forward *own = engine_forward(en, e);
    if (own == NULL || cfg->fast == fast)
        return own;
    if (!fast)
        return *made = forward_new(cfg->model, engine_kvrows(en), FORWARD_EXACT, 1, e);
    /* Fast mode may choose the exact kernels where they are quicker: rounding is what is to be seen here. */
    const struct forward_engine plain = {.blas = BLAS_SGEMM};
    return *made = forward_new_with(cfg->model, engine_kvrows(en), FORWARD_FAST, 1, &plain, e);
}

/* The two sides of a proof on their way. */
struct sides {
    struct proof *out;
    float *logits;           /* (sampled, vocab) of the cached side */
    uint32_t first;          /* position of the first of them */
};

static void keep(void *ctx, uint32_t position, const float *logits, uint32_t vocab)
{
    struct sides *s = ctx;
    memcpy(s->logits + (size_t)(position - s->first) * vocab, logits, vocab * sizeof *logits);
}

static void hold_against(void *ctx, uint32_t position, const float *logits, uint32_t vocab)
{
    struct sides *s = ctx;
    const float *cached = s->logits + (size_t)(position - s->first) * vocab; /* (vocab) */
    difference_add(&s->out->layer[s->out->layers], cached, logits, vocab, position, 0, vocab);
    s->out->sampled++;
    s->out->same_tokens += sample_argmax(cached, vocab) == sample_argmax(logits, vocab);
}

static void compare_rows(struct proof *out, const struct kvrows *rows, const struct model_config *c,
                         const uint32_t *cached, const uint32_t *cold)
{
    const uint32_t width = c->kv_heads * c->head_dim;
    for (uint32_t l = 0; l < c->layers; l++)
        for (uint32_t p = 0; p < out->n; p++) {
            difference_add(&out->layer[l], kvrows_k(rows, cached[p], l), kvrows_k(rows, cold[p], l), width, p, ROW_K,
                           c->head_dim);
            difference_add(&out->layer[l], kvrows_v(rows, cached[p], l), kvrows_v(rows, cold[p], l), width, p, ROW_V,
                           c->head_dim);
        }
}

/* Half of the work each: the cached side's share of the bar ends in the middle. */
struct half {
    const struct rerun_watch *whole;
    double from;
};

static int half_way(void *arg, double done)
{
    const struct half *h = arg;
    return h->whole != NULL && h->whole->progress != NULL ? h->whole->progress(h->whole->arg, h->from + done / 2) : 0;
}

static int run_sides(struct sides *s, struct rerun *cached, struct rerun *cold, const struct rerun_watch *watch,
                     uint32_t vocab, struct err *e)
{
    struct half halves[2] = {{watch, 0}, {watch, 0.5}};
    struct rerun_watch watches[2] = {{half_way, &halves[0]}, {half_way, &halves[1]}};
    cached->logits = keep;
    cold->logits = hold_against;
    cached->ctx = cold->ctx = s;
    cached->watch = &watches[0];
    cold->watch = &watches[1];
    int rc = rerun_run(cached, vocab, e);
    if (rc == 0)
        rc = rerun_run(cold, vocab, e);
    cached->watch = cold->watch = NULL;
    return rc;
}

static int prove(struct engine *en, const struct pass *p, struct forward *f, const struct rerun_watch *watch,
                 struct proof *out, struct err *e)
{
    const struct model_config *c = model_get_config(engine_get_config(en)->model);
    const bool own_mode = (forward_get_mode(f) == FORWARD_FAST) == engine_get_config(en)->fast;
    uint32_t first = p->prompt > 0 && p->prompt <= p->n ? p->prompt - 1 : p->n - 1;
    uint32_t from = p->cached < p->n ? p->cached : p->n - 1;
    const struct lora *lora = engine_adapter(en, p->adapter);
    struct rerun base = {.forward = f, .rows = engine_kvrows(en), .tokens = p->token, .n = p->n, .first = first,
                         .lora = lora};
    struct rerun cached = base, cold = base;
    struct sides s = {out, xcalloc((size_t)(p->n - first) * c->vocab, sizeof(float)), first};
    cached.from = from < first ? from : first;
    cached.row = xmemdup(p->row, p->n * sizeof *p->row);
    cold.row = xcalloc(p->n, sizeof *cold.row);
    out->layers = c->layers;
    out->layer = xcalloc((size_t)c->layers + 1, sizeof *out->layer);
    int rc = s.logits == NULL || cached.row == NULL || cold.row == NULL || out->layer == NULL
                 ? err_memory(e, (size_t)(p->n - first) * c->vocab * sizeof(float), "a proof")
                 : run_sides(&s, &cached, &cold, watch, c->vocab, e);
    if (rc == 0)
        compare_rows(out, base.rows, c, own_mode ? p->row : cached.row, cold.row);
    rerun_done(&cached);
    rerun_done(&cold);
    xfree(cached.row);
    xfree(cold.row);
    xfree(s.logits);
    return rc;
}

static int check_rows(const struct pass *p, struct err *e)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (p->row[i] == 0)
            return err_set(e, "request %u reads slots that hold no keys and values", p->rid);
    return 0;
}

int proof_run(struct engine *en, int branch, uint32_t rid, bool fast, const struct rerun_watch *watch,
              struct proof *out, struct err *e)
{
    struct cursor c;
    struct pass p = {0};
    struct forward *made = NULL;
    *out = (struct proof){0};
    if (cursor_init(&c, engine_tape(en), e) != 0)
        return -1;
    int rc = pass_last(&p, &c, branch, rid, e);
    if (rc == 1)
        rc = err_set(e, "nothing of request %u has been computed", rid);
    if (rc == 0) {
        struct forward *f = proof_forward(en, fast, &made, e);
        *out = (struct proof){.branch = branch, .step = p.step, .rid = p.rid, .fast = fast, .n = p.n,
                              .cached = p.cached};
        rc = f == NULL || check_rows(&p, e) != 0 ? -1 : prove(en, &p, f, watch, out, e);
    }
    if (rc != 0)
        proof_done(out);
    forward_free(made);
    pass_done(&p);
    cursor_done(&c);
    return rc;
}
