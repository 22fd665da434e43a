/* plain.c: a Llama forward pass as one writes it first: one token at a time, a loop for every product, float32.
 * bench_model.c compiles it with -O3 -march=native -ffast-math and measures the program against it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct plain {
    int layers, dim, hidden, heads, kv_heads, head_dim, vocab, context;
    float theta, eps;
    const float *embed, *final_norm;   /* (vocab, dim), (dim); the head is the embedding */
    const float *attn_norm[64], *q[64], *k[64], *v[64], *o[64], *mlp_norm[64], *gate[64], *up[64], *down[64];
    float *keys, *values;              /* (layer, position, kv_heads * head_dim) */
    float *x, *n, *query, *mix, *a, *b, *score, *logits;
};

void plain_step(struct plain *p, int token, int position);
void plain_init(struct plain *p);
void plain_done(struct plain *p);

static void product(float *y, const float *w, const float *x, int in, int out)
{
    for (int i = 0; i < out; i++) {
        float sum = 0;
        for (int j = 0; j < in; j++)
            sum += w[(size_t)i * in + j] * x[j];
        y[i] = sum;
    }
}

static void norm(float *y, const float *x, const float *w, int n, float eps)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    float scale = 1 / sqrtf(sum / n + eps);
    for (int i = 0; i < n; i++)
        y[i] = x[i] * scale * w[i];
}

static void turn(const struct plain *p, float *x, int heads, int position)
{
    int half = p->head_dim / 2;
    for (int i = 0; i < half; i++) {
        float angle = position * powf(p->theta, -2.0f * i / p->head_dim), c = cosf(angle), s = sinf(angle);
        for (int h = 0; h < heads; h++) {
            float *at = x + h * p->head_dim + i, a = at[0], b = at[half];
            at[0] = a * c - b * s;
            at[half] = b * c + a * s;
        }
    }
}

static void attention(struct plain *p, int layer, int position)
{
    int kv = p->kv_heads * p->head_dim, group = p->heads / p->kv_heads;
    const float *keys = p->keys + (size_t)layer * p->context * kv, *values = p->values + (size_t)layer * p->context * kv;
    float scale = 1 / sqrtf(p->head_dim);
    for (int h = 0; h < p->heads; h++) {
        const float *q = p->query + h * p->head_dim;
        float *out = p->mix + h * p->head_dim, top = -1e30f, sum = 0;
        for (int t = 0; t <= position; t++) {
            const float *k = keys + (size_t)t * kv + h / group * p->head_dim;
            float dot = 0;
            for (int d = 0; d < p->head_dim; d++)
                dot += q[d] * k[d];
            p->score[t] = dot * scale;
            top = p->score[t] > top ? p->score[t] : top;
        }
        for (int t = 0; t <= position; t++)
            sum += p->score[t] = expf(p->score[t] - top);
        memset(out, 0, p->head_dim * sizeof *out);
        for (int t = 0; t <= position; t++) {
            const float *v = values + (size_t)t * kv + h / group * p->head_dim, weight = p->score[t] / sum;
            for (int d = 0; d < p->head_dim; d++)
                out[d] += weight * v[d];
        }
    }
}

/* The token's logits are left in p->logits. */
void plain_step(struct plain *p, int token, int position)
{
    int kv = p->kv_heads * p->head_dim, width = p->heads * p->head_dim;
    memcpy(p->x, p->embed + (size_t)token * p->dim, p->dim * sizeof *p->x);
    for (int l = 0; l < p->layers; l++) {
        float *k = p->keys + ((size_t)l * p->context + position) * kv;
        float *v = p->values + ((size_t)l * p->context + position) * kv;
        norm(p->n, p->x, p->attn_norm[l], p->dim, p->eps);
        product(p->query, p->q[l], p->n, p->dim, width);
        product(k, p->k[l], p->n, p->dim, kv);
        product(v, p->v[l], p->n, p->dim, kv);
        turn(p, p->query, p->heads, position);
        turn(p, k, p->kv_heads, position);
        attention(p, l, position);
        product(p->n, p->o[l], p->mix, width, p->dim);
        for (int i = 0; i < p->dim; i++)
            p->x[i] += p->n[i];
        norm(p->n, p->x, p->mlp_norm[l], p->dim, p->eps);
        product(p->a, p->gate[l], p->n, p->dim, p->hidden);
        product(p->b, p->up[l], p->n, p->dim, p->hidden);
        for (int i = 0; i < p->hidden; i++)
            p->a[i] = p->a[i] / (1 + expf(-p->a[i])) * p->b[i];
        product(p->n, p->down[l], p->a, p->hidden, p->dim);
        for (int i = 0; i < p->dim; i++)
            p->x[i] += p->n[i];
    }
    norm(p->n, p->x, p->final_norm, p->dim, p->eps);
    product(p->logits, p->embed, p->n, p->dim, p->vocab);
}

void plain_init(struct plain *p)
{
    size_t cache = (size_t)p->layers * p->context * p->kv_heads * p->head_dim, width = (size_t)p->heads * p->head_dim;
    p->keys = calloc(cache, sizeof(float));
    p->values = calloc(cache, sizeof(float));
    p->x = calloc(p->dim, sizeof(float));
    p->n = calloc(p->dim, sizeof(float));
    p->query = calloc(width, sizeof(float));
    p->mix = calloc(width, sizeof(float));
    p->a = calloc(p->hidden, sizeof(float));
    p->b = calloc(p->hidden, sizeof(float));
    p->score = calloc(p->context, sizeof(float));
    p->logits = calloc(p->vocab, sizeof(float));
}

void plain_done(struct plain *p)
{
    float *all[] = {p->keys, p->values, p->x, p->n, p->query, p->mix, p->a, p->b, p->score, p->logits};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}
