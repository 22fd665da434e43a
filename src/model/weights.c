#include "model/weights.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"

/* A matrix is made of at most three stored tensors, each perhaps with a bias. */
struct source {
    const struct tensor *w[3], *b[3];
};

struct weights_store {
    struct model_config config;
    const struct safetensors *files;
    struct source *matrix;               /* (layers x MATRICES, then the head) */
    const struct tensor **vector;        /* (layers x VECTORS, then final norm and its bias) */
    void **block;                        /* everything allocated for prepared weights */
    size_t n_blocks, block_cap;
    pthread_mutex_t lock;
    bool vectors_ready, floats_ready, packed_ready;
};

/* ---- finding tensors ---- */

struct finder {
    struct weights_store *s;
    const char *prefix; /* "model.", "transformer." or "" */
    struct err *e;
    bool bad;
};

static const struct tensor *check_tensor(struct finder *f, const struct tensor *t, uint64_t rows, uint64_t columns)
{
    char shape[128];
    uint32_t dims = columns > 0 ? 2 : 1;
    if (t->dtype == DTYPE_OTHER)
        err_set(f->e, "%s: tensor %s is neither F32 nor F16 nor BF16, and only those are supported", t->file, t->name);
    else if (t->n_dims == dims && t->shape[0] == rows && (dims == 1 || t->shape[1] == columns))
        return t;
    else if (dims == 2)
        err_set(f->e, "%s: tensor %s has shape %s, but config.json asks for [%llu, %llu]", t->file, t->name,
                tensor_shape_text(t, shape, sizeof shape), (unsigned long long)rows, (unsigned long long)columns);
    else
        err_set(f->e, "%s: tensor %s has shape %s, but config.json asks for [%llu]", t->file, t->name,
                tensor_shape_text(t, shape, sizeof shape), (unsigned long long)rows);
    f->bad = true;
    return NULL;
}

/* The tensor of that name with shape (rows, columns), or (rows) if columns is 0. */
static const struct tensor *find(struct finder *f, uint64_t rows, uint64_t columns, const char *name)
{
    char full[192];
    snprintf(full, sizeof full, "%s%s", f->prefix, name);
    const struct tensor *t = safetensors_find(f->s->files, full);
    if (t != NULL)
        return check_tensor(f, t, rows, columns);
    const char *file = safetensors_count(f->s->files) > 0 ? safetensors_at(f->s->files, 0)->file : "the checkpoint";
    err_set(f->e, "%s: tensor %s is missing; a %s of %u layers has it", file, full,
            config_family_name(f->s->config.family), f->s->config.layers);
    f->bad = true;
    return NULL;
}

/* The same for a tensor of layer l: "layers.3.mlp.up_proj.weight", "h.3.mlp.c_fc.weight". */
static const struct tensor *find_in(struct finder *f, uint32_t l, uint64_t rows, uint64_t columns, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%u.%s", f->s->config.family == FAMILY_GPT2 ? "h" : "layers", l, name);
    return find(f, rows, columns, full);
}

static void find_llama_layer(struct finder *f, uint32_t l, struct source *m, const struct tensor **v)
{
    const struct model_config *c = &f->s->config;
    const uint32_t width = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    static const char *const qkv[3] = {"self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"};
    static const char *const bias[3] = {"self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"};
    for (int i = 0; i < 3; i++) {
        m[MATRIX_QKV].w[i] = find_in(f, l, i == 0 ? width : kv, c->dim, qkv[i]);
        if (c->qkv_bias)
            m[MATRIX_QKV].b[i] = find_in(f, l, i == 0 ? width : kv, 0, bias[i]);
    }
    m[MATRIX_O].w[0] = find_in(f, l, c->dim, width, "self_attn.o_proj.weight");
    if (c->o_bias)
        m[MATRIX_O].b[0] = find_in(f, l, c->dim, 0, "self_attn.o_proj.bias");
    m[MATRIX_UP].w[0] = find_in(f, l, c->hidden, c->dim, "mlp.gate_proj.weight");
    m[MATRIX_UP].w[1] = find_in(f, l, c->hidden, c->dim, "mlp.up_proj.weight");
    m[MATRIX_DOWN].w[0] = find_in(f, l, c->dim, c->hidden, "mlp.down_proj.weight");
    if (c->mlp_bias) {
        m[MATRIX_UP].b[0] = find_in(f, l, c->hidden, 0, "mlp.gate_proj.bias");
        m[MATRIX_UP].b[1] = find_in(f, l, c->hidden, 0, "mlp.up_proj.bias");
        m[MATRIX_DOWN].b[0] = find_in(f, l, c->dim, 0, "mlp.down_proj.bias");
    }
    v[ATTN_NORM] = find_in(f, l, c->dim, 0, "input_layernorm.weight");
    v[MLP_NORM] = find_in(f, l, c->dim, 0, "post_attention_layernorm.weight");
    if (c->qk_norm) {
        v[Q_NORM] = find_in(f, l, c->head_dim, 0, "self_attn.q_norm.weight");
        v[K_NORM] = find_in(f, l, c->head_dim, 0, "self_attn.k_norm.weight");
    }
}

static void find_gpt2_layer(struct finder *f, uint32_t l, struct source *m, const struct tensor **v)
{
    const struct model_config *c = &f->s->config;
    m[MATRIX_QKV].w[0] = find_in(f, l, c->dim, 3 * (uint64_t)c->dim, "attn.c_attn.weight");
    m[MATRIX_QKV].b[0] = find_in(f, l, 3 * (uint64_t)c->dim, 0, "attn.c_attn.bias");
    m[MATRIX_O].w[0] = find_in(f, l, c->dim, c->dim, "attn.c_proj.weight");
    m[MATRIX_O].b[0] = find_in(f, l, c->dim, 0, "attn.c_proj.bias");
    m[MATRIX_UP].w[0] = find_in(f, l, c->dim, c->hidden, "mlp.c_fc.weight");
    m[MATRIX_UP].b[0] = find_in(f, l, c->hidden, 0, "mlp.c_fc.bias");
    m[MATRIX_DOWN].w[0] = find_in(f, l, c->hidden, c->dim, "mlp.c_proj.weight");
    m[MATRIX_DOWN].b[0] = find_in(f, l, c->dim, 0, "mlp.c_proj.bias");
    v[ATTN_NORM] = find_in(f, l, c->dim, 0, "ln_1.weight");
    v[ATTN_NORM_BIAS] = find_in(f, l, c->dim, 0, "ln_1.bias");
    v[MLP_NORM] = find_in(f, l, c->dim, 0, "ln_2.weight");
    v[MLP_NORM_BIAS] = find_in(f, l, c->dim, 0, "ln_2.bias");
}

/* Checkpoints of the bare model leave the prefix out. */
static const char *find_prefix(const struct safetensors *files, bool gpt2)
{
    if (gpt2)
        return safetensors_find(files, "wte.weight") != NULL ? "" : "transformer.";
    return safetensors_find(files, "embed_tokens.weight") != NULL ? "" : "model.";
}

static void find_outer(struct finder *f, struct weights *w)
{
    const struct model_config *c = &f->s->config;
    struct weights_store *s = f->s;
    bool gpt2 = c->family == FAMILY_GPT2;
    w->embedding = find(f, c->vocab, c->dim, gpt2 ? "wte.weight" : "embed_tokens.weight");
    if (c->learned_positions)
        w->positions = find(f, c->context, c->dim, "wpe.weight");
    s->vector[c->layers * VECTORS] = find(f, c->dim, 0, gpt2 ? "ln_f.weight" : "norm.weight");
    if (c->layer_norm)
        s->vector[c->layers * VECTORS + 1] = find(f, c->dim, 0, "ln_f.bias");
    struct source *head = &s->matrix[c->layers * MATRICES];
    head->w[0] = w->embedding;
    if (!c->tied) {
        f->prefix = "";
        head->w[0] = find(f, c->vocab, c->dim, "lm_head.weight");
    }
}

/* What the sources say about a matrix's shape, before any number is read. */
static void describe(struct linear *m, const struct source *from, bool in_out)
{
    *m = (struct linear){.in_out = in_out};
    for (; m->n_parts < 3 && from->w[m->n_parts] != NULL; m->n_parts++) {
        const struct tensor *t = from->w[m->n_parts];
        m->part[m->n_parts].out = (uint32_t)t->shape[in_out ? 1 : 0];
        m->in = (uint32_t)t->shape[in_out ? 0 : 1];
        m->out += m->part[m->n_parts].out;
    }
    m->packed.in = m->in;
    m->packed.out = m->out;
}

static int find_all(struct weights *w, struct err *e)
{
    struct weights_store *s = w->store;
    const struct model_config *c = &s->config;
    bool gpt2 = c->family == FAMILY_GPT2;
    struct finder f = {s, find_prefix(s->files, gpt2), e, false};
    for (uint32_t l = 0; l < c->layers && !f.bad; l++)
        (gpt2 ? find_gpt2_layer : find_llama_layer)(&f, l, s->matrix + l * MATRICES, s->vector + l * VECTORS);
    if (!f.bad)
        find_outer(&f, w);
    if (f.bad)
        return -1;
    for (uint32_t i = 0; i < c->layers * MATRICES; i++)
        describe(&w->layer[i / MATRICES].matrix[i % MATRICES], &s->matrix[i], c->conv1d);
    describe(&w->head, &s->matrix[c->layers * MATRICES], false);
    return 0;
}

int weights_open(struct weights *w, const struct model_config *c, const struct safetensors *files, struct err *e)
{
    *w = (struct weights){0};
    struct weights_store *s = xcalloc(1, sizeof *s);
    if (s == NULL)
        return err_memory(e, sizeof *s, "the weights");
    s->config = *c;
    s->files = files;
    pthread_mutex_init(&s->lock, NULL);
    w->store = s;
    w->layer = xcalloc(c->layers, sizeof *w->layer);
    s->matrix = xcalloc(c->layers * MATRICES + 1, sizeof *s->matrix);
    s->vector = xcalloc(c->layers * VECTORS + 2, sizeof(const struct tensor *));
    bool room = w->layer != NULL && s->matrix != NULL && s->vector != NULL;
    if (!room)
        err_memory(e, c->layers * sizeof *w->layer, "the list of layers");
    if (!room || find_all(w, e) != 0) {
        weights_close(w);
        return -1;
    }
    return 0;
}

void weights_close(struct weights *w)
{
    struct weights_store *s = w->store;
    if (s != NULL) {
        for (size_t i = 0; i < s->n_blocks; i++)
            xfree(s->block[i]);
        xfree(s->block);
        xfree(s->matrix);
        xfree(s->vector);
        pthread_mutex_destroy(&s->lock);
        xfree(s);
    }
    xfree(w->layer);
    *w = (struct weights){0};
}

/* ---- preparing ---- */

/* Memory for n floats at a 64-byte boundary that lives until weights_close. */
static float *new_floats(struct weights_store *s, size_t n, struct err *e)
{
    void *list = s->block;
    size_t bytes = n * sizeof(float) + 64;
    char *block = xgrow(&list, &s->block_cap, s->n_blocks + 1, sizeof *s->block) ? xmalloc(bytes) : NULL;
    s->block = list;
    if (block == NULL) {
        err_memory(e, bytes, "the weights");
        return NULL;
    }
    s->block[s->n_blocks++] = block;
    return (float *)(void *)(block + (64 - (uintptr_t)block % 64));
}

static int check_finite(const struct tensor *t, const float *x, uint64_t first, size_t n, struct err *e)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    for (size_t i = 0; bad && i < n; i++, first++) /* slow, to name the place */
        if (!(x[i] - x[i] == 0.0f))
            return err_set(e, "%s: tensor %s holds %s at element %llu, a number was expected", t->file, t->name,
                           x[i] != x[i] ? "a NaN" : "an infinity", (unsigned long long)first);
    return 0;
}

static const float *copy_tensor(struct weights_store *s, const struct tensor *t, struct err *e)
{
    float *copy = new_floats(s, t->count, e);
    if (copy == NULL)
        return NULL;
    tensor_read(t, 0, t->count, copy);
    return check_finite(t, copy, 0, t->count, e) == 0 ? copy : NULL;
}

/* Float32 in the file's own layout: the mapped file itself where it is that already. */
static const float *floats_of(struct weights_store *s, const struct tensor *t, struct err *e)
{
    const float *mapped = tensor_in_place(t);
    if (mapped == NULL)
        return copy_tensor(s, t, e);
    return check_finite(t, mapped, 0, t->count, e) == 0 ? mapped : NULL;
}

static int prepare_bias(struct weights_store *s, struct linear *m, const struct source *from, struct err *e)
{
    if (from->b[0] == NULL)
        return 0;
    float *bias = new_floats(s, m->out, e);
    uint32_t at = 0;
    if (bias == NULL)
        return -1;
    for (uint32_t p = 0; p < m->n_parts; at += m->part[p++].out) {
        tensor_read(from->b[p], 0, m->part[p].out, bias + at);
        if (check_finite(from->b[p], bias + at, 0, m->part[p].out, e) != 0)
            return -1;
    }
    m->bias = bias;
    return 0;
}

static struct linear *matrix_at(struct weights *w, uint32_t i)
{
    uint32_t all = w->store->config.layers * MATRICES;
    return i < all ? &w->layer[i / MATRICES].matrix[i % MATRICES] : &w->head;
}

/* Norms, biases, and a look at the embeddings, which are read from the file as they are needed. */
static int prepare_vectors(struct weights *w, struct err *e)
{
    struct weights_store *s = w->store;
    uint32_t layers = s->config.layers;
    const float *made;
    for (uint32_t i = 0; i < layers * VECTORS + 2; i++) {
        if (s->vector[i] == NULL)
            continue;
        if ((made = copy_tensor(s, s->vector[i], e)) == NULL)
            return -1;
        if (i < layers * VECTORS)
            w->layer[i / VECTORS].vector[i % VECTORS] = made;
        else if (i == layers * VECTORS)
            w->final_norm = made;
        else
            w->final_norm_bias = made;
    }
    for (uint32_t i = 0; i <= layers * MATRICES; i++)
        if (prepare_bias(s, matrix_at(w, i), &s->matrix[i], e) != 0)
            return -1;
    return 0;
}

static int scan_embedding(const struct tensor *t, struct err *e)
{
    float some[1024];
    for (uint64_t at = 0; t != NULL && at < t->count; at += ARRAY_LEN(some)) {
        size_t n = t->count - at < ARRAY_LEN(some) ? (size_t)(t->count - at) : ARRAY_LEN(some);
        tensor_read(t, at, n, some);
        if (check_finite(t, some, at, n, e) != 0)
            return -1;
    }
    return 0;
}

static int prepare_floats(struct weights *w, struct err *e)
{
    struct weights_store *s = w->store;
    for (uint32_t i = 0; i <= s->config.layers * MATRICES; i++) {
        struct linear *m = matrix_at(w, i);
        for (uint32_t p = 0; p < m->n_parts; p++)
            if ((m->part[p].w = floats_of(s, s->matrix[i].w[p], e)) == NULL)
                return -1;
    }
    return 0;
}

/* Row n of the stored tensor into lane n mod PANEL of its panel. `line` has room for one row (in). */
static int pack_rows(const struct tensor *t, uint32_t first, float *panels, uint32_t in, float *line, struct err *e)
{
    for (uint32_t n = 0; n < t->shape[0]; n++) {
        uint32_t to = first + n;
        float *lane = panels + (size_t)(to / PANEL) * in * PANEL + to % PANEL;
        tensor_read(t, (uint64_t)n * in, in, line);
        if (check_finite(t, line, (uint64_t)n * in, in, e) != 0)
            return -1;
        for (uint32_t k = 0; k < in; k++)
            lane[(size_t)k * PANEL] = line[k];
    }
    return 0;
}

/* The same from a tensor stored (in, out). `line` has room for one of its rows (out). */
static int pack_columns(const struct tensor *t, float *panels, uint32_t in, float *line, struct err *e)
{
    uint32_t out = (uint32_t)t->shape[1];
    for (uint32_t k = 0; k < in; k++) {
        tensor_read(t, (uint64_t)k * out, out, line);
        if (check_finite(t, line, (uint64_t)k * out, out, e) != 0)
            return -1;
        for (uint32_t n = 0; n < out; n++)
            panels[(size_t)(n / PANEL) * in * PANEL + (size_t)k * PANEL + n % PANEL] = line[n];
    }
    return 0;
}

static int pack(struct weights_store *s, struct linear *m, const struct source *from, struct err *e)
{
    size_t floats = (size_t)panel_count(m->out) * m->in * PANEL, last = (size_t)m->in * PANEL;
    float *panels = new_floats(s, floats, e);
    float *line = xmalloc((m->in > m->out ? m->in : m->out) * sizeof *line);
    int rc = 0;
    if (panels == NULL || line == NULL) {
        xfree(line);
        err_memory(e, floats * sizeof *panels, "the weights");
        return -1;
    }
    memset(panels + floats - last, 0, last * sizeof *panels);
    for (uint32_t p = 0, at = 0; rc == 0 && p < m->n_parts; at += m->part[p++].out)
        rc = m->in_out ? pack_columns(from->w[p], panels, m->in, line, e)
                       : pack_rows(from->w[p], at, panels, m->in, line, e);
    xfree(line);
    if (rc == 0)
        m->packed.at = panels;
    return rc;
}

static int prepare_packed(struct weights *w, struct err *e)
{
    struct weights_store *s = w->store;
    for (uint32_t i = 0; i <= s->config.layers * MATRICES; i++) {
        struct linear *m = matrix_at(w, i);
        if (m->packed.at == NULL && pack(s, m, &s->matrix[i], e) != 0)
            return -1;
    }
    return 0;
}

static int prepare_locked(struct weights *w, enum blas_engine engine, bool packed_too, struct err *e)
{
    struct weights_store *s = w->store;
    if (!s->vectors_ready) {
        if (prepare_vectors(w, e) != 0 || scan_embedding(w->positions, e) != 0 ||
            (!s->config.tied && scan_embedding(w->embedding, e) != 0))
            return -1;
        s->vectors_ready = true;
    }
    if (engine != BLAS_KERNEL && !s->floats_ready) {
        if (prepare_floats(w, e) != 0)
            return -1;
        s->floats_ready = true;
    }
    if ((engine == BLAS_KERNEL || packed_too) && !s->packed_ready) {
        if (prepare_packed(w, e) != 0)
            return -1;
        s->packed_ready = true;
    }
    return 0;
}

int weights_prepare(struct weights *w, enum blas_engine engine, bool packed_too, struct err *e)
{
    pthread_mutex_lock(&w->store->lock);
    int rc = prepare_locked(w, engine, packed_too, e);
    pthread_mutex_unlock(&w->store->lock);
    return rc;
}
