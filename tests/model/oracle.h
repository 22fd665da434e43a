/* oracle.h: the transformer once more, as plainly as it can be written: one token at a time, double
 * precision, no cache tricks, no kernels. It reads the checkpoint's tensors itself and shares with the
 * program only the readers of safetensors and config. */
#ifndef RADIXSCOPE_TESTS_ORACLE_H
#define RADIXSCOPE_TESTS_ORACLE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"
#include "model/safetensors.h"

struct oracle {
    const struct model_config *c;
    const struct safetensors *files;
    double *k, *v; /* (layer, position, kv_heads * head_dim) */
    uint32_t n;    /* positions so far */
    const struct safetensors *lora; /* an adapter to merge into every matrix, or NULL */
    double lora_scale;
};

/* w += s B A: what an adapter comes to when it is merged. conv: w is (in, out) */
static inline void oracle_merge(const struct oracle *o, const char *name, double *w, bool conv)
{
    char full[200];
    int stem = (int)strlen(name) - (int)strlen(".weight");
    if (o->lora == NULL || stem < 0)
        return;
    snprintf(full, sizeof full, "base_model.model.%.*s.lora_A.weight", stem, name);
    const struct tensor *a = safetensors_find(o->lora, full);
    snprintf(full, sizeof full, "base_model.model.%.*s.lora_B.weight", stem, name);
    const struct tensor *b = safetensors_find(o->lora, full);
    if (a == NULL || b == NULL)
        return;
    uint64_t rank = a->shape[0], in = a->shape[1], out = b->shape[0];
    for (uint64_t n = 0; n < out; n++)
        for (uint64_t r = 0; r < rank; r++)
            for (uint64_t k = 0; k < in; k++) {
                float down, up;
                tensor_read(a, r * in + k, 1, &down);
                tensor_read(b, n * rank + r, 1, &up);
                w[conv ? k * out + n : n * in + k] += o->lora_scale * (double)up * (double)down;
            }
}

static inline double *oracle_tensor(const struct oracle *o, uint64_t count, const char *name)
{
    const struct tensor *t = safetensors_find(o->files, name);
    if (t == NULL || t->count != count) {
        fprintf(stderr, "oracle: tensor %s is missing or of another size\n", name);
        exit(1);
    }
    float *f = malloc(count * sizeof *f);
    double *d = malloc(count * sizeof *d);
    tensor_read(t, 0, count, f);
    for (uint64_t i = 0; i < count; i++)
        d[i] = (double)f[i];
    free(f);
    oracle_merge(o, name, d, o->c->conv1d);
    return d;
}

static inline double *oracle_layer(const struct oracle *o, uint64_t count, uint32_t l, const char *name)
{
    char full[160];
    snprintf(full, sizeof full, o->c->family == FAMILY_GPT2 ? "transformer.h.%u.%s" : "model.layers.%u.%s", l, name);
    return oracle_tensor(o, count, full);
}

/* y (out) = W x (+ b); W is (out, in), or (in, out) for Conv1D. Frees w and b. */
static inline void oracle_product(const struct oracle *o, double *w, double *b, const double *x, uint32_t in, uint32_t out,
                                  double *y, bool conv)
{
    (void)o;
    for (uint32_t i = 0; i < out; i++) {
        y[i] = b != NULL ? b[i] : 0;
        for (uint32_t j = 0; j < in; j++)
            y[i] += x[j] * (conv ? w[(size_t)j * out + i] : w[(size_t)i * in + j]);
    }
    free(w);
    free(b);
}

/* Frees w and b. */
static inline void oracle_norm(const struct oracle *o, const double *x, double *w, double *b, uint32_t n, double *y)
{
    double mean = 0, sum = 0;
    for (uint32_t i = 0; i < n && b != NULL; i++)
        mean += x[i] / n;
    for (uint32_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean) / n;
    for (uint32_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) / sqrt(sum + (double)o->c->norm_eps) * w[i] + (b != NULL ? b[i] : 0);
    free(w);
    free(b);
}

static inline void oracle_rope(const struct oracle *o, double *x, uint32_t heads, uint32_t position)
{
    const struct model_config *c = o->c;
    uint32_t half = c->head_dim / 2;
    for (uint32_t h = 0; h < heads; h++, x += c->head_dim)
        for (uint32_t i = 0; i < half; i++) {
            double f = pow(c->rope_theta, -2.0 * i / c->head_dim), wave = 2 * acos(-1.0) / f;
            if (c->rope == ROPE_LINEAR)
                f /= c->rope_factor;
            if (c->rope == ROPE_LLAMA3 && wave > c->rope_original_context / c->rope_low_freq)
                f /= c->rope_factor;
            else if (c->rope == ROPE_LLAMA3 && wave > c->rope_original_context / c->rope_high_freq) {
                double s = (c->rope_original_context / wave - c->rope_low_freq) / (c->rope_high_freq - c->rope_low_freq);
                f = (1 - s) * f / c->rope_factor + s * f;
            }
            double a = x[i], b = x[i + half], angle = position * f;
            x[i] = a * cos(angle) - b * sin(angle);
            x[i + half] = b * cos(angle) + a * sin(angle);
        }
}

static inline void oracle_qkv(const struct oracle *o, uint32_t l, const double *x, double *q, double *k, double *v)
{
    const struct model_config *c = o->c;
    uint32_t width = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    if (c->family == FAMILY_GPT2) {
        double *all = malloc(3 * width * sizeof *all);
        oracle_product(o, oracle_layer(o, (uint64_t)c->dim * 3 * width, l, "attn.c_attn.weight"),
                       oracle_layer(o, 3 * width, l, "attn.c_attn.bias"), x, c->dim, 3 * width, all, true);
        memcpy(q, all, width * sizeof *q);
        memcpy(k, all + width, width * sizeof *k);
        memcpy(v, all + 2 * width, width * sizeof *v);
        free(all);
        return;
    }
    double *to[] = {q, k, v};
    for (int i = 0; i < 3; i++) {
        char name[64];
        uint32_t out = i == 0 ? width : kv;
        snprintf(name, sizeof name, "self_attn.%c_proj.weight", "qkv"[i]);
        double *w = oracle_layer(o, (uint64_t)out * c->dim, l, name);
        snprintf(name, sizeof name, "self_attn.%c_proj.bias", "qkv"[i]);
        oracle_product(o, w, c->qkv_bias ? oracle_layer(o, out, l, name) : NULL, x, c->dim, out, to[i], false);
    }
    for (uint32_t h = 0; h < c->heads && c->qk_norm; h++)
        oracle_norm(o, q + h * c->head_dim, oracle_layer(o, c->head_dim, l, "self_attn.q_norm.weight"), NULL, c->head_dim,
                    q + h * c->head_dim);
    for (uint32_t h = 0; h < c->kv_heads && c->qk_norm; h++)
        oracle_norm(o, k + h * c->head_dim, oracle_layer(o, c->head_dim, l, "self_attn.k_norm.weight"), NULL, c->head_dim,
                    k + h * c->head_dim);
    oracle_rope(o, q, c->heads, o->n);
    oracle_rope(o, k, c->kv_heads, o->n);
}

static inline void oracle_attention(const struct oracle *o, uint32_t l, const double *q, double *out)
{
    const struct model_config *c = o->c;
    uint32_t kv = c->kv_heads * c->head_dim, group = c->heads / c->kv_heads;
    double *p = malloc((o->n + 1) * sizeof *p);
    for (uint32_t h = 0; h < c->heads; h++) {
        double top = -HUGE_VAL, sum = 0;
        for (uint32_t t = 0; t <= o->n; t++) {
            const double *k = o->k + ((size_t)l * c->context + t) * kv + h / group * c->head_dim;
            p[t] = 0;
            for (uint32_t d = 0; d < c->head_dim; d++)
                p[t] += q[h * c->head_dim + d] * k[d] / sqrt(c->head_dim);
            top = fmax(top, p[t]);
        }
        for (uint32_t t = 0; t <= o->n; t++)
            sum += p[t] = exp(p[t] - top);
        for (uint32_t d = 0; d < c->head_dim; d++) {
            out[h * c->head_dim + d] = 0;
            for (uint32_t t = 0; t <= o->n; t++)
                out[h * c->head_dim + d] +=
                    p[t] / sum * o->v[((size_t)l * c->context + t) * kv + h / group * c->head_dim + d];
        }
    }
    free(p);
}

static inline void oracle_mlp(const struct oracle *o, uint32_t l, const double *x, double *y)
{
    const struct model_config *c = o->c;
    double *gate = malloc(c->hidden * sizeof *gate), *up = malloc(c->hidden * sizeof *up);
    uint64_t size = (uint64_t)c->hidden * c->dim;
    if (c->family == FAMILY_GPT2) {
        oracle_product(o, oracle_layer(o, size, l, "mlp.c_fc.weight"), oracle_layer(o, c->hidden, l, "mlp.c_fc.bias"), x,
                       c->dim, c->hidden, up, true);
        for (uint32_t i = 0; i < c->hidden; i++)
            up[i] = 0.5 * up[i] * (1 + tanh(sqrt(2 / acos(-1.0)) * (up[i] + 0.044715 * pow(up[i], 3))));
        oracle_product(o, oracle_layer(o, size, l, "mlp.c_proj.weight"), oracle_layer(o, c->dim, l, "mlp.c_proj.bias"), up,
                       c->hidden, c->dim, y, true);
    } else {
        oracle_product(o, oracle_layer(o, size, l, "mlp.gate_proj.weight"), NULL, x, c->dim, c->hidden, gate, false);
        oracle_product(o, oracle_layer(o, size, l, "mlp.up_proj.weight"), NULL, x, c->dim, c->hidden, up, false);
        for (uint32_t i = 0; i < c->hidden; i++)
            up[i] *= gate[i] / (1 + exp(-gate[i]));
        oracle_product(o, oracle_layer(o, size, l, "mlp.down_proj.weight"), NULL, up, c->hidden, c->dim, y, false);
    }
    free(gate);
    free(up);
}

/* One more token; its logits go to out (vocab). */
static inline void oracle_step(struct oracle *o, uint32_t token, double *out)
{
    const struct model_config *c = o->c;
    bool gpt2 = c->family == FAMILY_GPT2;
    uint32_t width = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    double *x = malloc(c->dim * sizeof *x), *n = malloc(c->dim * sizeof *n), *y = malloc(c->dim * sizeof *y);
    double *q = malloc(width * sizeof *q), *a = malloc(width * sizeof *a);
    double *embed = oracle_tensor(o, (uint64_t)c->vocab * c->dim, gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight");
    memcpy(x, embed + (size_t)token * c->dim, c->dim * sizeof *x);
    if (gpt2) {
        double *wpe = oracle_tensor(o, (uint64_t)c->context * c->dim, "transformer.wpe.weight");
        for (uint32_t i = 0; i < c->dim; i++)
            x[i] += wpe[(size_t)o->n * c->dim + i];
        free(wpe);
    }
    for (uint32_t l = 0; l < c->layers; l++) {
        size_t at = ((size_t)l * c->context + o->n) * kv;
        oracle_norm(o, x, oracle_layer(o, c->dim, l, gpt2 ? "ln_1.weight" : "input_layernorm.weight"),
                    gpt2 ? oracle_layer(o, c->dim, l, "ln_1.bias") : NULL, c->dim, n);
        oracle_qkv(o, l, n, q, o->k + at, o->v + at);
        oracle_attention(o, l, q, a);
        oracle_product(o, oracle_layer(o, (uint64_t)c->dim * width, l, gpt2 ? "attn.c_proj.weight" : "self_attn.o_proj.weight"),
                       gpt2 ? oracle_layer(o, c->dim, l, "attn.c_proj.bias") : NULL, a, width, c->dim, y, gpt2);
        for (uint32_t i = 0; i < c->dim; i++)
            x[i] += y[i];
        oracle_norm(o, x, oracle_layer(o, c->dim, l, gpt2 ? "ln_2.weight" : "post_attention_layernorm.weight"),
                    gpt2 ? oracle_layer(o, c->dim, l, "ln_2.bias") : NULL, c->dim, n);
        oracle_mlp(o, l, n, y);
        for (uint32_t i = 0; i < c->dim; i++)
            x[i] += y[i];
    }
    oracle_norm(o, x, oracle_tensor(o, c->dim, gpt2 ? "transformer.ln_f.weight" : "model.norm.weight"),
                gpt2 ? oracle_tensor(o, c->dim, "transformer.ln_f.bias") : NULL, c->dim, n);
    if (!c->tied) {
        free(embed);
        embed = oracle_tensor(o, (uint64_t)c->vocab * c->dim, "lm_head.weight");
    }
    oracle_product(o, embed, NULL, n, c->dim, c->vocab, out, false);
    o->n++;
    free(x);
    free(n);
    free(y);
    free(q);
    free(a);
}

static inline void oracle_init(struct oracle *o, const struct model_config *c, const struct safetensors *files)
{
    size_t floats = (size_t)c->layers * c->context * c->kv_heads * c->head_dim;
    *o = (struct oracle){c, files, calloc(floats, sizeof(double)), calloc(floats, sizeof(double)), 0, NULL, 0};
}

static inline void oracle_done(struct oracle *o)
{
    free(o->k);
    free(o->v);
}

#endif
