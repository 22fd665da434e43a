#include "model/forward.h"

#include <math.h>
#include <string.h>

#include "base/xalloc.h"
#include "model/cascade.h"
#include "model/forward_parts.h"
#include "model/lora.h"
#include "model/model_parts.h"

#define PASS_TOKENS 512 /* rows computed side by side; longer runs take several passes */

/* One job in the pass under way: its rows lie at [base, base + span) of the activations. With BLAS_TILE a
 * span begins where the tile of its first position begins, so that position p lies in row p mod 16; the
 * rows around it hold zeros. */
struct span {
    uint32_t base, span;
    uint32_t first, n;  /* tokens [first, first + n) of the job; row base + pad + i is token first + i */
    uint32_t pad;
    const float **row;  /* (start + n of the whole job) where each position's KV row begins */
};

struct forward {
    const struct model *model;
    const struct weights *weights;
    struct kvrows *rows;
    enum forward_mode mode;
    struct blas blas;
    struct parallel *pool;
    bool cast_rope;
    uint32_t width, kv_width, qkv_width; /* heads x head_dim, kv_heads x head_dim, their sum q + k + v */

    /* activations of one pass: (rows, …) */
    uint32_t row_cap;
    float *x;      /* (rows, dim) the residual stream */
    float *normed; /* (rows, dim) */
    float *qkv;    /* (rows, heads + 2 kv_heads, head_dim) */
    float *heads;  /* (rows, heads, head_dim) what attention gives */
    float *up;     /* (rows, 2 hidden): gate, up; or (rows, hidden) */
    float *act;    /* (rows, hidden) */
    float *state;  /* (rows, heads, 2) attention's running maximum and sum */
    float *logits; /* (16, vocab) of rows that do not go straight to a job */
    float *gather; /* (16, dim) rows of several jobs whose logits are computed together */

    float *seen;    /* (heads, position + 1) attention weights for a probe */
    size_t seen_cap;

    float *cos_sin; /* (rope_cap, head_dim): cosines of the position, then sines */
    uint32_t rope_cap;

    struct span *span; /* (jobs) */
    struct cascade_job *reader;   /* (jobs) */
    struct cascade_group *group;  /* (groups) of the pass under way */
    uint32_t *order;              /* (jobs) group by group: so their rows lie in the activations */
    uint32_t groups;
    size_t span_cap, reader_cap, group_cap, order_cap;
    bool apart;                   /* each job reads alone */
    const float **row; /* the jobs' row tables, one after another */
    size_t row_table_cap;
};

/* ---- making one ---- */

enum forward_mode forward_default_mode(const struct model_config *c)
{
    return config_parameters(c) < 50000000 ? FORWARD_EXACT : FORWARD_FAST;
}

/* Up to how many rows fast mode takes the kernels for a model that is kept in both forms. OpenBLAS knows
 * fewer processors than there are: where it falls back to AVX2 code and the kernels need not, they are
 * quicker at any size. */
static uint32_t kernel_rows(const struct kernels *kernels)
{
    static const char *const AVX2_CORES[] = {"Haswell", "Zen", "Excavator", "Barcelona", "Sandybridge", "Nehalem"};
    for (size_t i = 0; strcmp(kernels->name, "avx512") == 0 && i < ARRAY_LEN(AVX2_CORES); i++)
        if (strcmp(blas_core(), AVX2_CORES[i]) == 0)
            return UINT32_MAX;
    return BLAS_FEW_ROWS;
}

static void forward_plan(struct forward *f, enum forward_mode mode, const struct forward_engine *engine)
{
    const struct model_config *c = &f->model->config;
    f->mode = mode;
    f->blas.engine = engine != NULL ? engine->blas : mode == FORWARD_EXACT ? BLAS_KERNEL : BLAS_SGEMM;
    f->blas.kernels = engine != NULL && engine->kernels != NULL ? engine->kernels : kernels_best();
    /* In fast mode small models are kept in both forms: decode and short extensions take the kernels. Large
     * ones stay mapped as they are, and their decode waits for memory in either form. */
    if (engine == NULL && f->blas.engine == BLAS_SGEMM && forward_default_mode(c) == FORWARD_EXACT &&
        f->blas.kernels != kernels_portable())
        f->blas.kernel_rows = kernel_rows(f->blas.kernels);
    f->cast_rope = engine != NULL && engine->cast_rope;
    f->width = c->heads * c->head_dim;
    f->kv_width = c->kv_heads * c->head_dim;
    f->qkv_width = f->width + 2 * f->kv_width;
}

struct forward *forward_new_with(const struct model *m, struct kvrows *rows, enum forward_mode mode, unsigned threads,
                                 const struct forward_engine *engine, struct err *e)
{
    struct forward *f = xcalloc(1, sizeof *f);
    if (f == NULL) {
        err_memory(e, sizeof *f, "the forward pass");
        return NULL;
    }
    f->model = m;
    f->weights = &m->weights;
    f->rows = rows;
    f->blas.threads = threads > 1 ? threads : 1;
    forward_plan(f, mode, engine);
    if (threads > 1 && m->config.dim > 128)
        f->pool = f->blas.pool = parallel_new(threads, e);
    /* The lock inside makes this safe although the model is const to its users. */
    if ((threads > 1 && m->config.dim > 128 && f->pool == NULL) ||
        weights_prepare((struct weights *)(uintptr_t)f->weights, f->blas.engine, f->blas.kernel_rows > 0, e) != 0) {
        forward_free(f);
        return NULL;
    }
    if ((f->blas.engine == BLAS_KERNEL || f->blas.kernel_rows > 0) && m->files != NULL)
        safetensors_rest(m->files); /* the kernels read their own copy, in their own order */
    return f;
}

struct forward *forward_new(const struct model *m, struct kvrows *rows, enum forward_mode mode, unsigned threads,
                            struct err *e)
{
    return forward_new_with(m, rows, mode, threads, NULL, e);
}

void forward_free(struct forward *f)
{
    if (f == NULL)
        return;
    xfree(f->x);
    xfree(f->cos_sin);
    xfree(f->seen);
    parallel_free(f->pool);
    xfree(f->span);
    xfree(f->reader);
    xfree(f->group);
    xfree(f->order);
    xfree(f->row);
    xfree(f);
}

enum forward_mode forward_get_mode(const struct forward *f)
{
    return f->mode;
}

static size_t round16(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

/* All activations in one block, made again when more rows are needed than ever before. */
static int forward_room(struct forward *f, uint32_t rows, struct err *e)
{
    const struct model_config *c = &f->model->config;
    size_t up = (c->gelu ? 1u : 2u) * (size_t)c->hidden;
    if (rows <= f->row_cap)
        return 0;
    size_t size[] = {(size_t)rows * c->dim,    (size_t)rows * c->dim, (size_t)rows * f->qkv_width,
                     (size_t)rows * f->width,  rows * up,             (size_t)rows * c->hidden,
                     (size_t)rows * c->heads * 2, (size_t)BLAS_TILE_ROWS * c->vocab,
                     (size_t)BLAS_TILE_ROWS * c->dim};
    float **part[] = {&f->x, &f->normed, &f->qkv, &f->heads, &f->up, &f->act, &f->state, &f->logits, &f->gather};
    size_t all = 0;
    for (size_t i = 0; i < ARRAY_LEN(size); i++)
        all += round16(size[i]);
    float *block = xmalloc(all * sizeof *block);
    if (block == NULL)
        return err_memory(e, all * sizeof *block, "the forward pass");
    xfree(f->x);
    for (size_t i = 0; i < ARRAY_LEN(size); block += round16(size[i++]))
        *part[i] = block;
    f->row_cap = rows;
    return 0;
}

/* ---- RoPE ---- */

/* The angle per position of each pair, as Hugging Face computes it: in float32. */
static float rope_frequency(const struct model_config *c, uint32_t pair)
{
    double pi = 3.14159265358979323846;
    float f = (float)(1.0 / pow(c->rope_theta, 2.0 * pair / c->head_dim));
    if (c->rope == ROPE_LINEAR)
        return f / (float)c->rope_factor;
    if (c->rope != ROPE_LLAMA3)
        return f;
    double wave = 2.0 * pi / (double)f, context = c->rope_original_context;
    if (wave < context / c->rope_high_freq)
        return f;
    if (wave > context / c->rope_low_freq)
        return (float)((double)f / c->rope_factor);
    double blend = (context / wave - c->rope_low_freq) / (c->rope_high_freq - c->rope_low_freq);
    return (float)((1.0 - blend) * (double)f / c->rope_factor + blend * (double)f);
}

/* Make sure that the table of cosines and sines covers positions below `end`. */
static int rope_room(struct forward *f, uint32_t end, struct err *e)
{
    const struct model_config *c = &f->model->config;
    if (c->rope == ROPE_NONE || end <= f->rope_cap)
        return 0;
    uint32_t cap = end < 256 ? 256 : end + end / 2, half = c->head_dim / 2;
    float *table = xrealloc(f->cos_sin, (size_t)cap * c->head_dim, sizeof *table);
    if (table == NULL)
        return err_memory(e, (size_t)cap * c->head_dim * sizeof *table, "the RoPE table");
    f->cos_sin = table;
    for (uint32_t pair = 0; pair < half; pair++) {
        float frequency = rope_frequency(c, pair);
        if (f->cast_rope)
            frequency = tensor_round(f->weights->embedding->dtype, frequency);
        for (uint32_t p = f->rope_cap; p < cap; p++) {
            float angle = (float)p * frequency;
            table[(size_t)p * c->head_dim + pair] = (float)cos((double)angle);
            table[(size_t)p * c->head_dim + half + pair] = (float)sin((double)angle);
        }
    }
    f->rope_cap = cap;
    return 0;
}

void forward_share(struct forward *f, bool share)
{
    f->apart = !share;
}

/* ---- one pass ---- */

struct pass {
    struct forward *f;
    struct forward_job *job;
    uint32_t n_jobs, rows;
    uint32_t tokens, done, all;  /* in this pass, before it, in the run */
    const struct forward_watch *watch;
};

/* The activation row of the i-th token of a span, and that token's absolute position. */
static uint32_t span_row(const struct span *s, uint32_t i)
{
    return s->base + s->pad + i;
}

static uint32_t span_position(const struct pass *p, uint32_t j, uint32_t i)
{
    return p->job[j].start + p->f->span[j].first + i;
}

static void embed(struct pass *p)
{
    struct forward *f = p->f;
    const struct model_config *c = &f->model->config;
    memset(f->x, 0, (size_t)p->rows * c->dim * sizeof *f->x);
    for (uint32_t j = 0; j < p->n_jobs; j++)
        for (uint32_t i = 0; i < f->span[j].n; i++) {
            float *x = f->x + (size_t)span_row(&f->span[j], i) * c->dim;
            uint32_t token = p->job[j].tokens[f->span[j].first + i];
            tensor_read(f->weights->embedding, (uint64_t)token * c->dim, c->dim, x);
            if (!c->learned_positions)
                continue;
            tensor_read(f->weights->positions, (uint64_t)span_position(p, j, i) * c->dim, c->dim, f->normed);
            for (uint32_t d = 0; d < c->dim; d++)
                x[d] += f->normed[d];
        }
}

/* y (rows, dim) from x (rows, dim) */
static void norm(const struct forward *f, const float *x, const float *w, const float *b, uint32_t rows, float *y)
{
    const struct model_config *c = &f->model->config;
    for (uint32_t i = 0; i < rows; i++, x += c->dim, y += c->dim) {
        if (c->layer_norm)
            f->blas.kernels->layer_norm(x, w, b, c->dim, c->norm_eps, y);
        else
            f->blas.kernels->rms_norm(x, w, c->dim, c->norm_eps, y);
    }
}

static void linear(const struct forward *f, const struct linear *w, const float *x, uint32_t rows, float *y, bool add)
{
    blas_linear(&f->blas, w, x, rows, y, add);
}

/* What the jobs' adapters add to a product of this layer. x (rows, in), y (rows, out) */
static void adapt(const struct pass *p, uint32_t l, enum layer_matrix m, const float *x, float *y)
{
    const struct linear *w = &p->f->weights->layer[l].matrix[m];
    for (uint32_t j = 0; j < p->n_jobs; j++) {
        const size_t row = span_row(&p->f->span[j], 0);
        if (p->job[j].lora != NULL)
            lora_add(p->job[j].lora, p->f->blas.kernels, l, m, x + row * w->in, p->f->span[j].n, y + row * w->out);
    }
}

static void norm_heads(const struct forward *f, const float *w, float *x, uint32_t heads)
{
    const struct model_config *c = &f->model->config;
    for (uint32_t h = 0; h < heads; h++, x += c->head_dim)
        f->blas.kernels->rms_norm(x, w, c->head_dim, c->norm_eps, x);
}

/* Turn one token's q and k to its position and put k and v into its row. */
static void place_token(const struct forward *f, const struct layer *layer, uint32_t l, float *qkv, uint32_t position,
                        uint32_t row)
{
    const struct model_config *c = &f->model->config;
    float *k = qkv + f->width, *v = k + f->kv_width;
    if (c->qk_norm) {
        norm_heads(f, layer->vector[Q_NORM], qkv, c->heads);
        norm_heads(f, layer->vector[K_NORM], k, c->kv_heads);
    }
    if (c->rope != ROPE_NONE)
        f->blas.kernels->rope(qkv, f->cos_sin + (size_t)position * c->head_dim, c->heads + c->kv_heads, c->head_dim);
    memcpy(kvrows_edit_k(f->rows, row, l), k, f->kv_width * sizeof *k);
    memcpy(kvrows_edit_v(f->rows, row, l), v, f->kv_width * sizeof *v);
    float *kept = kvrows_edit_q(f->rows, row, l);
    if (kept != NULL)
        memcpy(kept, qkv, f->width * sizeof *kept);
}

/* Attention of a group of jobs in one layer, the KV heads divided into `parts`. */
struct heads {
    const struct pass *pass;
    const struct cascade_group *group;
    uint32_t layer, parts;
};

/* KV heads [from, to) of `tokens` rows of activations from `row` on. state: the group's */
static struct attend attend_rows(const struct heads *work, uint32_t from, uint32_t to, uint32_t row, uint32_t tokens)
{
    const struct forward *f = work->pass->f;
    const struct model_config *c = &f->model->config;
    uint32_t group = c->heads / c->kv_heads;
    size_t q_at = (size_t)from * group * c->head_dim, kv_at = (size_t)from * c->head_dim;
    return (struct attend){
        .row = f->span[f->order[work->group->first]].row,
        .k_at = (size_t)work->layer * 2 * f->kv_width + kv_at,
        .v_at = ((size_t)work->layer * 2 + 1) * f->kv_width + kv_at,
        .kv_heads = to - from,
        .group = group,
        .head_dim = c->head_dim,
        .tokens = tokens,
        .q = f->qkv + (size_t)row * f->qkv_width + q_at,
        .out = f->heads + (size_t)row * f->width + q_at,
        .q_stride = f->qkv_width,
        .out_stride = f->width,
        .scale = 1.0f / sqrtf((float)c->head_dim),
        .state = f->state + (size_t)from * f->row_cap * group * 2,
    };
}

/* The rows of activations that a group's jobs have together. */
static uint32_t group_rows(const struct forward *f, const struct cascade_group *g)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < g->count; i++)
        rows += f->span[f->order[g->first + i]].n;
    return rows;
}

static void attend_heads(void *arg, uint32_t part)
{
    const struct heads *work = arg;
    const struct forward *f = work->pass->f;
    const struct cascade_group *g = work->group;
    uint32_t kv_heads = f->model->config.kv_heads, from = kv_heads * part / work->parts;
    uint32_t to = kv_heads * (part + 1) / work->parts, rows = group_rows(f, g), first = span_row(&f->span[f->order[g->first]], 0);
    struct attend shared = attend_rows(work, from, to, first, rows);
    shared.first = shared.end = g->shared;
    if (g->shared > 0)
        f->blas.kernels->attend(&shared);
    for (uint32_t i = 0; i < g->count; i++) {
        const struct span *s = &f->span[f->order[g->first + i]];
        struct attend own = attend_rows(work, from, to, span_row(s, 0), s->n);
        own.row = s->row;
        own.first = span_position(work->pass, f->order[g->first + i], 0);
        own.begin = g->shared;
        own.state += (size_t)(span_row(s, 0) - first) * own.group * 2;
        own.state_stride = (size_t)rows * own.group * 2;
        if (g->shared == 0)
            own.state_stride = 0;
        f->blas.kernels->attend(&own);
    }
}

static void attend_group(const struct pass *p, const struct cascade_group *g, uint32_t l)
{
    const struct forward *f = p->f;
    uint32_t kv_heads = f->model->config.kv_heads, rows = group_rows(f, g), last = f->order[g->first + g->count - 1];
    struct heads work = {p, g, l, 1};
    if (rows == 0)
        return;
    if (f->pool != NULL && blas_worth_dividing(rows, f->width, span_position(p, last, f->span[last].n)))
        work.parts = f->blas.threads < kv_heads ? f->blas.threads : kv_heads;
    parallel_run(f->pool, work.parts, attend_heads, &work);
}

static void attention(const struct pass *p, const struct layer *layer, uint32_t l)
{
    struct forward *f = p->f;
    norm(f, f->x, layer->vector[ATTN_NORM], layer->vector[ATTN_NORM_BIAS], p->rows, f->normed);
    linear(f, &layer->matrix[MATRIX_QKV], f->normed, p->rows, f->qkv, false);
    adapt(p, l, MATRIX_QKV, f->normed, f->qkv);
    if (f->blas.engine == BLAS_TILE)
        memset(f->heads, 0, (size_t)p->rows * f->width * sizeof *f->heads);
    for (uint32_t j = 0; j < p->n_jobs; j++)
        for (uint32_t i = 0; i < f->span[j].n; i++)
            place_token(f, layer, l, f->qkv + (size_t)span_row(&f->span[j], i) * f->qkv_width, span_position(p, j, i),
                        p->job[j].new_rows[f->span[j].first + i]);
    for (uint32_t g = 0; g < f->groups; g++)
        attend_group(p, &f->group[g], l);
    linear(f, &layer->matrix[MATRIX_O], f->heads, p->rows, f->x, true);
    adapt(p, l, MATRIX_O, f->heads, f->x);
}

static void mlp(const struct pass *p, const struct layer *layer, uint32_t l)
{
    struct forward *f = p->f;
    const uint32_t hidden = f->model->config.hidden;
    norm(f, f->x, layer->vector[MLP_NORM], layer->vector[MLP_NORM_BIAS], p->rows, f->normed);
    linear(f, &layer->matrix[MATRIX_UP], f->normed, p->rows, f->up, false);
    adapt(p, l, MATRIX_UP, f->normed, f->up);
    for (uint32_t i = 0; i < p->rows; i++) {
        float *act = f->act + (size_t)i * hidden;
        if (f->model->config.gelu)
            f->blas.kernels->gelu(f->up + (size_t)i * hidden, hidden, act);
        else
            f->blas.kernels->swiglu(f->up + (size_t)i * 2 * hidden, f->up + ((size_t)i * 2 + 1) * hidden, hidden, act);
    }
    linear(f, &layer->matrix[MATRIX_DOWN], f->act, p->rows, f->x, true);
    adapt(p, l, MATRIX_DOWN, f->act, f->x);
}

/* ---- logits ---- */

/* Logits of `n` consecutive rows of f->normed, of which the first has tile slot `slot`, to out (n, vocab). */
static void head_rows(const struct forward *f, uint32_t row, uint32_t slot, uint32_t n, float *out)
{
    const struct model_config *c = &f->model->config;
    if (f->blas.engine != BLAS_TILE) {
        linear(f, &f->weights->head, f->normed + (size_t)row * c->dim, n, out, false);
        return;
    }
    for (uint32_t first = row - slot; first < row + n; first += BLAS_TILE_ROWS) {
        linear(f, &f->weights->head, f->normed + (size_t)first * c->dim, BLAS_TILE_ROWS, f->logits, false);
        for (uint32_t i = 0; i < BLAS_TILE_ROWS; i++)
            if (first + i >= row && first + i < row + n)
                memcpy(out + (size_t)(first + i - row) * c->vocab, f->logits + (size_t)i * c->vocab,
                       c->vocab * sizeof *out);
    }
}

/* Several jobs that want one row each share a product, so that the head is read once for all of them. */
static void head_gathered(const struct forward *f, struct forward_job *const *job, uint32_t n)
{
    const struct model_config *c = &f->model->config;
    linear(f, &f->weights->head, f->gather, n, n == 1 ? job[0]->logits : f->logits, false);
    for (uint32_t i = 0; i < n && n > 1; i++)
        memcpy(job[i]->logits, f->logits + (size_t)i * c->vocab, c->vocab * sizeof *f->logits);
}

static void last_rows(const struct pass *p)
{
    struct forward *f = p->f;
    const struct model_config *c = &f->model->config;
    struct forward_job *waiting[BLAS_TILE_ROWS];
    uint32_t n = 0;
    for (uint32_t j = 0; j < p->n_jobs; j++) {
        const struct span *s = &f->span[j];
        if (p->job[j].want != LOGITS_LAST || s->n == 0 || s->first + s->n < p->job[j].n)
            continue;
        uint32_t row = span_row(s, s->n - 1), slot = span_position(p, j, s->n - 1) % BLAS_TILE_ROWS;
        if (f->blas.engine == BLAS_TILE) {
            head_rows(f, row, slot, 1, p->job[j].logits);
            continue;
        }
        memcpy(f->gather + (size_t)n * c->dim, f->normed + (size_t)row * c->dim, c->dim * sizeof *f->gather);
        waiting[n++] = &p->job[j];
        if (n == ARRAY_LEN(waiting)) {
            head_gathered(f, waiting, n);
            n = 0;
        }
    }
    if (n > 0)
        head_gathered(f, waiting, n);
}

static void logits(const struct pass *p)
{
    struct forward *f = p->f;
    const struct model_config *c = &f->model->config;
    bool any = false;
    for (uint32_t j = 0; j < p->n_jobs; j++)
        any = any || p->job[j].want != LOGITS_NONE;
    if (!any)
        return;
    norm(f, f->x, f->weights->final_norm, f->weights->final_norm_bias, p->rows, f->normed);
    for (uint32_t j = 0; j < p->n_jobs; j++)
        if (p->job[j].want == LOGITS_ALL && f->span[j].n > 0)
            head_rows(f, span_row(&f->span[j], 0), span_position(p, j, 0) % BLAS_TILE_ROWS, f->span[j].n,
                      p->job[j].logits + (size_t)f->span[j].first * c->vocab);
    last_rows(p);
}

/* ---- a run ---- */

/* One head's softmax over all keys, plainly: scores, largest, exp, sum. weight: (keys) */
static void head_weights(const struct forward *f, const float *q, const float **row, size_t k_at, uint32_t keys,
                         float *weight)
{
    const uint32_t head_dim = f->model->config.head_dim;
    double top = -HUGE_VAL, sum = 0;
    for (uint32_t i = 0; i < keys; i++) {
        double dot = 0;
        for (uint32_t d = 0; d < head_dim; d++)
            dot += (double)q[d] * (double)row[i][k_at + d];
        weight[i] = (float)(dot / sqrt((double)head_dim));
        top = fmax(top, (double)weight[i]);
    }
    for (uint32_t i = 0; i < keys; i++)
        sum += exp((double)weight[i] - top);
    for (uint32_t i = 0; i < keys; i++)
        weight[i] = (float)(exp((double)weight[i] - top) / sum);
}

/* What a job's last token attends to in this layer, computed once more for the eye alone. */
static int probe_attention(const struct pass *p, uint32_t j, uint32_t l)
{
    struct forward *f = p->f;
    const struct model_config *c = &f->model->config;
    const struct span *s = &f->span[j];
    uint32_t keys = span_position(p, j, s->n - 1) + 1, group = c->heads / c->kv_heads;
    const float *q = f->qkv + (size_t)span_row(s, s->n - 1) * f->qkv_width;
    void *seen = f->seen;
    if (!xgrow(&seen, &f->seen_cap, (size_t)c->heads * keys, sizeof *f->seen))
        return -1;
    f->seen = seen;
    for (uint32_t h = 0; h < c->heads; h++)
        head_weights(f, q + (size_t)h * c->head_dim, s->row,
                     (size_t)l * 2 * f->kv_width + (size_t)(h / group) * c->head_dim, keys, f->seen + (size_t)h * keys);
    struct forward_probe probe = {PROBE_ATTENTION, l, j, keys - 1, f->seen, c->heads, keys};
    p->watch->probe(p->watch->arg, &probe);
    return 0;
}

static int probe_job(const struct pass *p, uint32_t j, uint32_t l)
{
    const struct span *s = &p->f->span[j];
    const uint32_t dim = p->f->model->config.dim;
    if (s->n == 0 || s->first + s->n < p->job[j].n)
        return 0;
    if (probe_attention(p, j, l) != 0)
        return -1;
    const float *x = p->f->x + (size_t)span_row(s, s->n - 1) * dim;
    struct forward_probe residual = {PROBE_RESIDUAL, l, j, span_position(p, j, s->n - 1), x, 1, dim};
    p->watch->probe(p->watch->arg, &residual);
    return 0;
}

/* Tell the watcher that a layer is done. */
static enum forward_status report(const struct pass *p, uint32_t layer, struct err *e)
{
    const struct forward_watch *w = p->watch;
    for (uint32_t j = 0; w != NULL && w->probe != NULL && j < p->n_jobs; j++)
        if (probe_job(p, j, layer) != 0)
            return (enum forward_status)err_memory(e, p->f->seen_cap, "attention weights");
    if (w == NULL || w->progress == NULL)
        return FORWARD_OK;
    struct forward_progress now = {layer, p->f->model->config.layers, p->done + p->tokens, p->all};
    return w->progress(w->arg, &now) != 0 ? FORWARD_CANCELLED : FORWARD_OK;
}

static enum forward_status run_pass(struct pass *p, struct err *e)
{
    struct forward *f = p->f;
    enum forward_status status = FORWARD_OK;
    embed(p);
    for (uint32_t l = 0; l < f->model->config.layers && status == FORWARD_OK; l++) {
        attention(p, &f->weights->layer[l], l);
        mlp(p, &f->weights->layer[l], l);
        status = report(p, l, e);
    }
    if (status == FORWARD_OK)
        logits(p);
    return status;
}

/* Who reads a prefix together in this pass. Jobs that have no token left in it stand alone. */
static void plan_groups(struct pass *p)
{
    struct forward *f = p->f;
    for (uint32_t j = 0; j < p->n_jobs; j++) {
        bool alone = f->apart || f->model->config.head_dim < CASCADE_HEAD_DIM || f->blas.engine == BLAS_TILE || f->span[j].n == 0;
        f->reader[j] = (struct cascade_job){f->span[j].row, alone ? 0 : span_position(p, j, 0)};
    }
    f->groups = cascade_plan(f->reader, p->n_jobs, f->order, f->group);
}

/* How many KV rows attention reads in a layer of this pass. */
static void count_reads(const struct pass *p, struct forward_stats *stats)
{
    const struct forward *f = p->f;
    stats->shared_jobs = stats->shared_positions = 0;
    for (uint32_t j = 0; j < p->n_jobs; j++)
        if (f->span[j].n > 0)
            stats->rows_alone += span_position(p, j, f->span[j].n);
    for (uint32_t g = 0; g < f->groups; g++) {
        const struct cascade_group *group = &f->group[g];
        for (uint32_t i = 0; i < group->count; i++) {
            uint32_t j = f->order[group->first + i];
            stats->rows_read += f->span[j].n > 0 ? span_position(p, j, f->span[j].n) - group->shared : 0;
        }
        stats->rows_read += group->shared;
        if (group->shared > 0 && group->count > stats->shared_jobs) {
            stats->shared_jobs = group->count;
            stats->shared_positions = group->shared;
        }
    }
}

/* Give every job its share of the next pass, and the jobs that share a prefix neighbouring rows. */
static void plan_pass(struct pass *p)
{
    struct forward *f = p->f;
    uint32_t share = p->n_jobs < PASS_TOKENS / BLAS_TILE_ROWS ? PASS_TOKENS / p->n_jobs : BLAS_TILE_ROWS;
    for (uint32_t j = 0; j < p->n_jobs; j++) {
        struct span *s = &f->span[j];
        s->first += s->n;
        uint32_t left = p->job[j].n - s->first;
        s->n = left < share ? left : share;
    }
    plan_groups(p);
    p->rows = p->tokens = 0;
    for (uint32_t i = 0; i < p->n_jobs; i++) {
        uint32_t j = f->order[i];
        struct span *s = &f->span[j];
        s->base = p->rows;
        s->pad = f->blas.engine == BLAS_TILE ? span_position(p, j, 0) % BLAS_TILE_ROWS : 0;
        s->span = f->blas.engine == BLAS_TILE && s->n > 0 ? (uint32_t)round16(s->pad + s->n) : s->n;
        p->rows += s->span;
        p->tokens += s->n;
    }
}

static int check_jobs(const struct forward *f, const struct forward_job *jobs, uint32_t n_jobs, struct err *e)
{
    const struct model_config *c = &f->model->config;
    uint64_t all = 0;
    for (uint32_t j = 0; j < n_jobs; j++) {
        const struct forward_job *job = &jobs[j];
        ASSERT(job->n >= 1 && (job->want == LOGITS_NONE || job->logits != NULL));
        ASSERT(job->lora == NULL || lora_model(job->lora) == f->model);
        all += job->n;
        if ((uint64_t)job->start + job->n > c->context)
            return err_set(e, "the prompt reaches position %llu, but the model's context ends after %u tokens",
                           (unsigned long long)job->start + job->n, c->context);
        for (uint32_t i = 0; i < job->n; i++)
            if (job->tokens[i] >= c->vocab)
                return err_set(e, "token id %u does not exist: the model's vocabulary has %u", job->tokens[i], c->vocab);
    }
    return all > UINT32_MAX ? err_set(e, "more than %u tokens in one run", UINT32_MAX) : 0;
}

static void release_rows(struct forward *f, struct forward_job *jobs, uint32_t n_jobs)
{
    for (uint32_t j = 0; j < n_jobs; j++)
        for (uint32_t i = 0; i < jobs[j].n; i++) {
            if (jobs[j].new_rows[i] != 0)
                kvrows_release(f->rows, jobs[j].new_rows[i]);
            jobs[j].new_rows[i] = 0;
        }
}

static bool jobs_room(struct forward *f, uint32_t n)
{
    void *span = f->span, *reader = f->reader, *group = f->group, *order = f->order;
    bool room = xgrow(&span, &f->span_cap, n, sizeof *f->span);
    room = xgrow(&reader, &f->reader_cap, n, sizeof *f->reader) && room;
    room = xgrow(&group, &f->group_cap, n, sizeof *f->group) && room;
    room = xgrow(&order, &f->order_cap, n, sizeof *f->order) && room;
    f->span = span;
    f->reader = reader;
    f->group = group;
    f->order = order;
    return room;
}

/* Rows for every new token, and a table of where each position's row begins, for every job. */
static enum forward_status take_rows(struct forward *f, struct forward_job *jobs, uint32_t n_jobs, struct err *e)
{
    size_t positions = 0, at = 0;
    for (uint32_t j = 0; j < n_jobs; j++) {
        positions += (size_t)jobs[j].start + jobs[j].n;
        memset(jobs[j].new_rows, 0, jobs[j].n * sizeof *jobs[j].new_rows);
    }
    void *table = (void *)(uintptr_t)f->row;
    bool room = xgrow(&table, &f->row_table_cap, positions, sizeof *f->row);
    f->row = table;
    if (!jobs_room(f, n_jobs) || !room)
        return (enum forward_status)err_memory(e, positions * sizeof *f->row, "the table of KV rows");
    for (uint32_t j = 0; j < n_jobs; j++) {
        f->span[j] = (struct span){.row = f->row + at};
        for (uint32_t i = 0; i < jobs[j].start; i++)
            f->row[at++] = kvrows_k(f->rows, jobs[j].past_rows[i], 0);
        for (uint32_t i = 0; i < jobs[j].n; i++) {
            if ((jobs[j].new_rows[i] = kvrows_append(f->rows)) == 0)
                return FORWARD_NO_ROWS;
            f->row[at++] = kvrows_k(f->rows, jobs[j].new_rows[i], 0);
        }
    }
    return FORWARD_OK;
}

static enum forward_status run_passes(struct forward *f, struct forward_job *jobs, uint32_t n_jobs,
                                      const struct forward_watch *watch, struct forward_stats *stats, struct err *e)
{
    struct pass p = {.f = f, .job = jobs, .n_jobs = n_jobs, .watch = watch};
    uint32_t end = 0;
    for (uint32_t j = 0; j < n_jobs; j++) {
        p.all += jobs[j].n;
        end = jobs[j].start + jobs[j].n > end ? jobs[j].start + jobs[j].n : end;
    }
    if (rope_room(f, end, e) != 0)
        return FORWARD_ERROR;
    while (p.done < p.all) {
        plan_pass(&p);
        count_reads(&p, stats);
        if (forward_room(f, p.rows, e) != 0)
            return FORWARD_ERROR;
        enum forward_status status = run_pass(&p, e);
        if (status != FORWARD_OK)
            return status;
        p.done += p.tokens;
    }
    return FORWARD_OK;
}

enum forward_status forward_run(struct forward *f, struct forward_job *jobs, uint32_t n_jobs,
                                const struct forward_watch *watch, struct forward_stats *stats, struct err *e)
{
    if (check_jobs(f, jobs, n_jobs, e) != 0)
        return FORWARD_ERROR;
    struct forward_stats sum = {0};
    for (uint32_t j = 0; j < n_jobs; j++) {
        uint32_t wanted = jobs[j].want == LOGITS_ALL ? jobs[j].n : jobs[j].want == LOGITS_LAST ? 1 : 0;
        sum.flops += forward_flops(&f->model->config, jobs[j].n, jobs[j].start, wanted);
        sum.flops += jobs[j].lora != NULL ? jobs[j].n * lora_flops(jobs[j].lora) : 0;
        sum.tokens += jobs[j].n;
    }
    enum forward_status status = take_rows(f, jobs, n_jobs, e);
    if (status == FORWARD_OK)
        status = run_passes(f, jobs, n_jobs, watch, &sum, e);
    if (status != FORWARD_OK)
        release_rows(f, jobs, n_jobs);
    else if (stats != NULL)
        *stats = sum;
    return status;
}

uint64_t forward_flops(const struct model_config *c, uint32_t n, uint32_t start, uint32_t logit_rows)
{
    uint64_t width = (uint64_t)c->heads * c->head_dim, kv = (uint64_t)c->kv_heads * c->head_dim;
    uint64_t weights = c->dim * (width + 2 * kv) + width * c->dim + (c->gelu ? 2u : 3u) * (uint64_t)c->dim * c->hidden;
    uint64_t keys = (uint64_t)n * start + (uint64_t)n * ((uint64_t)n + 1) / 2; /* sum of position + 1 */
    return n * c->layers * 2 * weights + c->layers * 4 * width * keys + (uint64_t)logit_rows * 2 * c->dim * c->vocab;
}
