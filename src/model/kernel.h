/* kernel.h: the inner loops of the forward pass, in versions that give the same bits.
 *
 * Every result is defined by the order of its operations, written here once; a version may only choose
 * which results it computes side by side. `fma` rounds once. Lanes: 16 partial results, folded as
 *     fold(s): s[i] + s[i + 8], then + 4, + 2, + 1        (upper half onto lower half)
 *
 *   matmul    y[n] = bias[n] + chain, chain = fma(x[k], w[n][k], chain) for k = 0, 1, 2, … from 0
 *   rms_norm  lane i sums fma(x, x, lane) over i, i + 16, …; fold; y = (x * (1 / sqrt(mean + eps))) * w
 *   attend    per query: blocks of 16 absolute positions, in order. In a block
 *               s[j] = scale * chain over d of fma(q[d], k[j][d], chain)          (position j of the block)
 *               m' = max(m, s), p[j] = exp(s[j] - m'), a = exp(m - m')
 *               l = fma(l, a, fold(p)), o[d] = o[d] * a, then o[d] = fma(p[j], v[j][d], o[d]) for j = 0, 1, …
 *             and o[d] / l at the end. Positions beyond the query's own take no part.
 *   exp       n = nearest(x * log2(e)), r = x - n ln 2 in two parts, a polynomial of degree 6, times 2^n
 *
 * Whoever writes a version for another machine runs tests/model/test_kernel.c on it.
 */
#ifndef RADIXSCOPE_MODEL_KERNEL_H
#define RADIXSCOPE_MODEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PANEL 32 /* outputs side by side in a packed matrix */
#define BLOCK 16 /* positions that attention takes at a time */

/* A weight matrix packed for matmul: (panel, in, PANEL), zeros beyond the last output, 64-byte aligned. */
struct packed {
    const float *at;
    uint32_t in, out;
};

static inline uint32_t panel_count(uint32_t out)
{
    return (out + PANEL - 1) / PANEL;
}

/* Attention of `tokens` consecutive tokens, the first at position `first`. Query head h reads KV head
 * h / group. */
struct attend {
    const float *const *row;   /* (position) where each token's KV row begins */
    size_t k_at, v_at;         /* this layer's K and V of the first KV head inside a row, in floats */
    uint32_t kv_heads, group, head_dim, tokens, first;
    const float *q;            /* (token, kv_head, group, head_dim), tokens q_stride floats apart */
    float *out;                /* the same shape, tokens out_stride floats apart */
    size_t q_stride, out_stride;
    float scale;
    float *state;              /* scratch: (kv_head, token, group, 2) the running maximum and sum */
    /* A part of the positions; the bits are those of one call for all, because blocks are merged in order.
     * begin, end: multiples of BLOCK. begin > 0: out and state hold what the positions before gave. end > 0:
     * every query is behind `end`, reads up to it, and a later call goes on from out and state; 0: up to the
     * query's own position, and out is finished. */
    uint32_t begin, end;
    size_t state_stride;       /* floats from one KV head's state to the next's; 0: they stand close */
};

static inline float *attend_state(const struct attend *a, uint32_t kv_head, uint32_t token, uint32_t member)
{
    size_t stride = a->state_stride != 0 ? a->state_stride : (size_t)a->tokens * a->group * 2;
    return a->state + kv_head * stride + ((size_t)token * a->group + member) * 2;
}

struct kernels {
    const char *name; /* "portable", "avx2", "avx512" */
    /* y (m, out) from x (m, in); rows ldx and ldy floats apart. Only panels [from, to). bias (out) or NULL.
     * With `add`, y += instead of y =. */
    void (*matmul)(const struct packed *w, const float *bias, const float *x, size_t ldx, uint32_t m, float *y,
                   size_t ldy, uint32_t from, uint32_t to, bool add);
    void (*attend)(const struct attend *a);
    void (*rms_norm)(const float *x, const float *w, uint32_t n, float eps, float *y);                   /* (n) */
    void (*layer_norm)(const float *x, const float *w, const float *b, uint32_t n, float eps, float *y); /* (n) */
    void (*swiglu)(const float *gate, const float *up, uint32_t n, float *y); /* y = gate / (1 + exp(-gate)) * up */
    void (*gelu)(const float *x, uint32_t n, float *y);                       /* the tanh form, gelu_new */
    void (*rope)(float *x, const float *cos_sin, uint32_t heads, uint32_t head_dim); /* x (heads, head_dim) */
};

/* The best version for this CPU. */
const struct kernels *kernels_best(void);

/* Every version this CPU can run, the portable one first. Returns how many. */
#define KERNELS_MAX 3
size_t kernels_all(const struct kernels *out[KERNELS_MAX]);

/* One per file; NULL when the compiler or the CPU lacks what it needs. */
const struct kernels *kernels_portable(void);
const struct kernels *kernels_avx2(void);
const struct kernels *kernels_avx512(void);

#endif
