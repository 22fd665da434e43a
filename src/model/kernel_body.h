/* kernel_body.h: the kernels of kernel.h in plain C. kernel_portable.c compiles them for any machine,
 * kernel_avx2.c once more with AVX2 and FMA allowed: the text fixes every rounding, so both give the same
 * bits. All inner loops run over 16 lanes, so that a compiler can put them in vectors. */

#include <math.h>
#include <string.h>

#include "model/kernel.h"

#define LANES 16

/* e^x for x <= 88; 0 below -87, so that nothing is ever subnormal. */
static inline float body_exp(float x)
{
    float clamped = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float shifted = fmaf(clamped, 0x1.715476p+0f, 0x1.8p+23f); /* nearest whole number, in the low bits */
    float n = shifted - 0x1.8p+23f;
    float r = fmaf(n, -0x1.62e4p-1f, clamped); /* ln 2 in two parts */
    r = fmaf(n, -0x1.7f7d1cp-20f, r);
    float p = fmaf(r, 0x1.6c16c2p-10f, 0x1.111112p-7f); /* 1/720, 1/120 … 1 */
    p = fmaf(p, r, 0x1.555556p-5f);
    p = fmaf(p, r, 0x1.555556p-3f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    int32_t bits, exponent;
    memcpy(&bits, &p, sizeof bits);
    memcpy(&exponent, &shifted, sizeof exponent);
    bits = (int32_t)((uint32_t)bits + ((uint32_t)exponent << 23));
    memcpy(&p, &bits, sizeof p);
    return x < -87.0f ? 0.0f : p;
}

static inline float body_fold(float s[LANES])
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            s[i] += s[i + half];
    return s[0];
}

/* Two rows of x at a time against one panel: every weight loaded serves both. */
static inline void body_panel(const float *w, const float *bias, const float *x0, const float *x1, uint32_t in,
                              float *y0, float *y1, uint32_t n, bool add)
{
    float s0[PANEL] = {0}, s1[PANEL] = {0};
    for (uint32_t k = 0; k < in; k++, w += PANEL)
        for (int i = 0; i < PANEL; i++) {
            s0[i] = fmaf(x0[k], w[i], s0[i]);
            s1[i] = fmaf(x1[k], w[i], s1[i]);
        }
    for (uint32_t i = 0; i < n; i++) {
        float b = bias != NULL ? bias[i] : 0.0f;
        float a0 = bias != NULL ? s0[i] + b : s0[i], a1 = bias != NULL ? s1[i] + b : s1[i];
        y0[i] = add ? y0[i] + a0 : a0;
        if (y1 != NULL)
            y1[i] = add ? y1[i] + a1 : a1;
    }
}

static void body_matmul(const struct packed *w, const float *bias, const float *x, size_t ldx, uint32_t m, float *y,
                        size_t ldy, uint32_t from, uint32_t to, bool add)
{
    for (uint32_t p = from; p < to; p++) {
        uint32_t begin = p * PANEL, n = w->out - begin < PANEL ? w->out - begin : PANEL;
        const float *panel = w->at + (size_t)p * w->in * PANEL, *b = bias != NULL ? bias + begin : NULL;
        for (uint32_t i = 0; i < m; i += 2) {
            bool two = i + 1 < m;
            const float *x0 = x + i * ldx;
            float *y0 = y + i * ldy + begin;
            body_panel(panel, b, x0, two ? x0 + ldx : x0, w->in, y0, two ? y0 + ldy : NULL, n, add);
        }
    }
}

/* One query of one head, with that head's places in the rows. */
struct body_query {
    const float *q;
    float *o;
    size_t k_at, v_at;
    uint32_t head_dim, keys;
    float scale, top, sum;
};

static inline void body_scores(const struct body_query *a, const float *const *row, uint32_t count, float s[BLOCK])
{
    for (uint32_t j = 0; j < BLOCK; j++)
        s[j] = 0.0f;
    for (uint32_t j = 0; j < count; j++) {
        const float *k = row[j] + a->k_at;
        float chain = 0.0f;
        for (uint32_t d = 0; d < a->head_dim; d++)
            chain = fmaf(a->q[d], k[d], chain);
        s[j] = chain * a->scale;
    }
}

static inline void body_attend_block(struct body_query *a, const float *const *row, uint32_t count)
{
    float s[BLOCK], p[BLOCK], top = a->top;
    body_scores(a, row, count, s);
    for (uint32_t j = 0; j < count; j++)
        top = s[j] > top ? s[j] : top;
    for (uint32_t j = 0; j < BLOCK; j++)
        s[j] = j < count ? body_exp(s[j] - top) : 0.0f;
    float scale = body_exp(a->top - top);
    memcpy(p, s, sizeof p);
    a->top = top;
    a->sum = fmaf(a->sum, scale, body_fold(s));
    for (uint32_t d = 0; d < a->head_dim; d++)
        a->o[d] *= scale;
    for (uint32_t j = 0; j < count; j++) {
        const float *v = row[j] + a->v_at;
        for (uint32_t d = 0; d < a->head_dim; d++)
            a->o[d] = fmaf(p[j], v[d], a->o[d]);
    }
}

/* Positions from `begin` to a->keys; `last`: then divide by the sum. */
static inline void body_attend_query(struct body_query *a, const float *const *row, uint32_t begin, bool last)
{
    if (begin == 0)
        memset(a->o, 0, a->head_dim * sizeof *a->o);
    for (uint32_t at = begin; at < a->keys; at += BLOCK)
        body_attend_block(a, row + at, a->keys - at < BLOCK ? a->keys - at : BLOCK);
    for (uint32_t d = 0; d < a->head_dim && last; d++)
        a->o[d] /= a->sum;
}

static void body_attend(const struct attend *a)
{
    for (uint32_t t = 0; t < a->tokens; t++)
        for (uint32_t h = 0; h < a->kv_heads * a->group; h++) {
            size_t kv_at = (size_t)(h / a->group) * a->head_dim;
            float *state = attend_state(a, h / a->group, t, h % a->group);
            struct body_query query = {.q = a->q + t * a->q_stride + (size_t)h * a->head_dim,
                                       .o = a->out + t * a->out_stride + (size_t)h * a->head_dim,
                                       .k_at = a->k_at + kv_at, .v_at = a->v_at + kv_at, .head_dim = a->head_dim,
                                       .keys = a->end != 0 ? a->end : a->first + t + 1, .scale = a->scale,
                                       .top = a->begin != 0 ? state[0] : -INFINITY,
                                       .sum = a->begin != 0 ? state[1] : 0.0f};
            body_attend_query(&query, a->row, a->begin, a->end == 0);
            state[0] = query.top;
            state[1] = query.sum;
        }
}

static void body_rms_norm(const float *x, const float *w, uint32_t n, float eps, float *y)
{
    float s[LANES] = {0};
    uint32_t whole = n - n % LANES;
    for (uint32_t at = 0; at < whole; at += LANES)
        for (uint32_t i = 0; i < LANES; i++)
            s[i] = fmaf(x[at + i], x[at + i], s[i]);
    for (uint32_t i = 0; i < n - whole; i++)
        s[i] = fmaf(x[whole + i], x[whole + i], s[i]);
    float scale = 1.0f / sqrtf(body_fold(s) / (float)n + eps);
    for (uint32_t i = 0; i < n; i++)
        y[i] = x[i] * scale * w[i];
}

static void body_layer_norm(const float *x, const float *w, const float *b, uint32_t n, float eps, float *y)
{
    float s[LANES] = {0};
    for (uint32_t i = 0; i < n; i++)
        s[i % LANES] += x[i];
    float mean = body_fold(s) / (float)n;
    memset(s, 0, sizeof s);
    for (uint32_t i = 0; i < n; i++)
        s[i % LANES] = fmaf(x[i] - mean, x[i] - mean, s[i % LANES]);
    float scale = 1.0f / sqrtf(body_fold(s) / (float)n + eps);
    for (uint32_t i = 0; i < n; i++)
        y[i] = fmaf((x[i] - mean) * scale, w[i], b[i]);
}

static void body_swiglu(const float *gate, const float *up, uint32_t n, float *y)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = gate[i] / (1.0f + body_exp(-gate[i])) * up[i];
}

/* x * (1 + tanh(u)) / 2 is x / (1 + e^(-2u)), with u = sqrt(2 / pi) (x + 0.044715 x^3). */
static void body_gelu(const float *x, uint32_t n, float *y)
{
    for (uint32_t i = 0; i < n; i++) {
        float cube = x[i] * x[i] * x[i];
        float u = fmaf(cube, 0.044715f, x[i]) * 0x1.988454p+0f; /* 2 sqrt(2 / pi) */
        y[i] = x[i] / (1.0f + body_exp(-u));
    }
}

static void body_rope(float *x, const float *cos_sin, uint32_t heads, uint32_t head_dim)
{
    uint32_t half = head_dim / 2;
    for (uint32_t h = 0; h < heads; h++, x += head_dim)
        for (uint32_t i = 0; i < half; i++) {
            float a = x[i], b = x[i + half], c = cos_sin[i], s = cos_sin[half + i];
            x[i] = a * c - b * s;
            x[i + half] = b * c + a * s;
        }
}

#define BODY_KERNELS(version)                                                                                  \
    {                                                                                                          \
        .name = (version), .matmul = body_matmul, .attend = body_attend, .rms_norm = body_rms_norm,              \
        .layer_norm = body_layer_norm, .swiglu = body_swiglu, .gelu = body_gelu, .rope = body_rope,            \
    }
