#include "engine/cost.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "model/forward.h"

/* Dense 16-bit FLOP/s and memory bandwidth, from the makers' data sheets. */
static const struct cost_device DEVICES[] = {
    {"h100", 989.4e12, 3.35e12}, {"h200", 989.4e12, 4.8e12}, {"a100", 312e12, 2.039e12},
    {"l4", 121e12, 300e9},       {"l40s", 362e12, 864e9},    {"rtx4090", 165.2e12, 1008e9},
};

static const struct cost_shape SHAPES[] = {
    {"llama-3.1-8b", 8.03e9, 32, 32, 8, 128, 2},   {"llama-3.1-70b", 70.55e9, 80, 64, 8, 128, 2},
    {"llama-3.2-1b", 1.24e9, 16, 32, 8, 64, 2},    {"qwen2.5-7b", 7.62e9, 28, 28, 4, 128, 2},
};

struct cost_model cost_default(void)
{
    return (struct cost_model){.device = DEVICES[0], .shape = SHAPES[0]};
}

static int unknown(const char *what, const char *name, const struct buf *all, struct err *e)
{
    err_set(e, "'%.40s' is no %s that is known", name, what);
    return err_hint(e, "there are %s", buf_text(all));
}

int cost_device(const char *name, struct cost_device *out, struct err *e)
{
    struct buf all = {0};
    for (size_t i = 0; i < ARRAY_LEN(DEVICES); i++) {
        buf_printf(&all, "%s%s", i > 0 ? ", " : "", DEVICES[i].name);
        if (strcmp(name, DEVICES[i].name) == 0) {
            *out = DEVICES[i];
            buf_free(&all);
            return 0;
        }
    }
    int rc = unknown("GPU", name, &all, e);
    buf_free(&all);
    return rc;
}

int cost_shape(const char *name, struct cost_shape *out, struct err *e)
{
    struct buf all = {0};
    for (size_t i = 0; i < ARRAY_LEN(SHAPES); i++) {
        buf_printf(&all, "%s%s", i > 0 ? ", " : "", SHAPES[i].name);
        if (strcmp(name, SHAPES[i].name) == 0) {
            *out = SHAPES[i];
            buf_free(&all);
            return 0;
        }
    }
    int rc = unknown("model", name, &all, e);
    buf_free(&all);
    return rc;
}

struct cost_shape cost_shape_of(const struct model *m)
{
    const struct model_config *c = model_get_config(m);
    struct cost_shape s = {.name = "the model at hand", .layers = c->layers, .heads = c->heads, .kv_heads = c->kv_heads,
                           .head_dim = c->head_dim, .weight_bytes = 4};
    /* the weights that one more token multiplies with, from the same formula that counts its operations */
    double one = (double)forward_flops(c, 1, 0, 1) - 4.0 * c->layers * c->heads * c->head_dim;
    s.params = one / 2;
    return s;
}

void cost_add(struct cost_pass *p, uint32_t start, uint32_t n)
{
    p->tokens += n;
    p->attended += (double)n * start + (double)n * (n + 1.0) / 2;
    p->kv += (double)start + n;
}

static double pass_flops(const struct cost_shape *s, const struct cost_pass *p)
{
    return 2 * s->params * p->tokens + 4.0 * s->layers * s->heads * s->head_dim * p->attended;
}

static double pass_bytes(const struct cost_shape *s, const struct cost_pass *p)
{
    return s->weight_bytes * (s->params + 2.0 * s->layers * s->kv_heads * s->head_dim * p->kv);
}

uint64_t cost_time(const struct cost_model *c, const struct cost_pass *p)
{
    double compute = pass_flops(&c->shape, p) / c->device.flops, read = pass_bytes(&c->shape, p) / c->device.bytes;
    double us = ((compute > read ? compute : read) + c->overhead) * 1e6;
    return us > 1 ? (uint64_t)llround(us) : 1;
}

void cost_tell(const struct cost_model *c, struct buf *b)
{
    buf_printf(b, "a pass takes as long as %s needs for %s%s: %.4g TFLOP/s, %.*g GB/s", c->device.name, c->shape.name,
               c->measured ? " (measured)" : "", c->device.flops / 1e12, c->device.bytes < 1e13 ? 4 : 9,
               c->device.bytes / 1e9);
    if (c->overhead > 0)
        buf_printf(b, ", and %.4g ms besides", c->overhead * 1e3);
}

/* ---- measuring ---------------------------------------------------------------------------------------------------- */

enum { MEASURE_RUNS = 3 };

static double now_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* The best of a few runs of one job; negative and *e: it failed. */
static double best_time(struct forward *f, struct kvrows *rows, struct forward_job *job, struct err *e)
{
    double best = -1;
    for (int i = 0; i < MEASURE_RUNS; i++) {
        double start = now_seconds();
        enum forward_status rc = forward_run(f, job, 1, NULL, NULL, e);
        double took = now_seconds() - start;
        if (rc != FORWARD_OK)
            return rc == FORWARD_NO_ROWS ? (double)err_memory(e, 1, "measuring") : -1;
        for (uint32_t k = 0; k < job->n; k++)
            kvrows_release(rows, job->new_rows[k]);
        best = best < 0 || took < best ? took : best;
    }
    return best;
}

int cost_measure(struct model *m, struct cost_model *out, struct err *e)
{
    const struct model_config *c = model_get_config(m);
    uint32_t n = c->context < 128 ? c->context : 128;
    struct kvrows *rows = kvrows_new(c, 4096, e);
    struct forward *f = rows != NULL ? forward_new(m, rows, FORWARD_EXACT, 1, e) : NULL;
    uint32_t *tokens = xcalloc(2 * (size_t)n, sizeof *tokens);
    float *logits = xcalloc(c->vocab, sizeof *logits);
    double prefill = -1, decode = -1;
    if (f != NULL && tokens != NULL && logits != NULL) {
        struct forward_job job = {.tokens = tokens, .n = n, .new_rows = tokens + n, .want = LOGITS_LAST, .logits = logits};
        prefill = best_time(f, rows, &job, e);
        job.n = 1;
        decode = prefill > 0 ? best_time(f, rows, &job, e) : -1;
    } else if (f != NULL)
        err_memory(e, n * 8, "measuring");
    forward_free(f);
    kvrows_free(rows);
    xfree(tokens);
    xfree(logits);
    if (decode <= 0)
        return -1;
    struct cost_pass one = {0};
    cost_add(&one, 0, 1);
    *out = (struct cost_model){.device = {.name = "this machine"}, .shape = cost_shape_of(m), .measured = true};
    out->device.flops = (double)forward_flops(c, n, 0, 1) / prefill;
    out->device.bytes = pass_bytes(&out->shape, &one) / decode;
    return 0;
}
