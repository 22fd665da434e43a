#include "model/kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

/* Everything below may use AVX-512; it runs only where the CPU has it. One vector is 16 lanes. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Inlined so that the number of rows is a constant and the sums stay in registers. */
#define INLINE static inline __attribute__((always_inline))

/* ---- matmul ----
 *
 * A tile is R rows of x against P panels: R x 2P sums in registers. 12 rows x 1 panel keeps both
 * multipliers busy in prefill; few rows take more panels, because a sum waits 4 cycles for its last step. */

/* sum (P panels, R rows, 2 vectors) */
INLINE void tile_sums(const float *w, size_t panel, uint32_t in, const float *x, size_t ldx, int rows, int panels,
                      __m512 *sum)
{
    UNROLL
    for (int i = 0; i < rows * panels * 2; i++)
        sum[i] = _mm512_setzero_ps();
    for (uint32_t k = 0; k < in; k++) {
        UNROLL
        for (int p = 0; p < panels; p++) {
            __m512 w0 = _mm512_loadu_ps(w + p * panel + (size_t)k * PANEL);
            __m512 w1 = _mm512_loadu_ps(w + p * panel + (size_t)k * PANEL + 16);
            UNROLL
            for (int r = 0; r < rows; r++) {
                __m512 xk = _mm512_set1_ps(x[r * ldx + k]);
                sum[(p * rows + r) * 2] = _mm512_fmadd_ps(xk, w0, sum[(p * rows + r) * 2]);
                sum[(p * rows + r) * 2 + 1] = _mm512_fmadd_ps(xk, w1, sum[(p * rows + r) * 2 + 1]);
            }
        }
    }
}

INLINE void store_half(float *y, __m512 sum, const float *bias, uint32_t n, bool add)
{
    __mmask16 mask = n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1);
    if (bias != NULL)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, bias));
    if (add)
        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), sum);
    _mm512_mask_storeu_ps(y, mask, sum);
}

struct target { /* where a tile's results go */
    const float *bias;
    float *y;
    size_t ldy;
    uint32_t out, begin; /* of the first panel */
    bool add;
};

INLINE void tile(const float *w, size_t panel, uint32_t in, const float *x, size_t ldx, const struct target *t,
                 int rows, int panels)
{
    __m512 sum[24];
    tile_sums(w, panel, in, x, ldx, rows, panels, sum);
    UNROLL
    for (int p = 0; p < panels; p++) {
        uint32_t begin = t->begin + (uint32_t)p * PANEL, left = t->out - begin;
        UNROLL
        for (int r = 0; r < rows; r++) {
            float *y = t->y + r * t->ldy + begin;
            const float *bias = t->bias != NULL ? t->bias + begin : NULL;
            store_half(y, sum[(p * rows + r) * 2], bias, left, t->add);
            if (left > 16)
                store_half(y + 16, sum[(p * rows + r) * 2 + 1], bias != NULL ? bias + 16 : NULL, left - 16, t->add);
        }
    }
}

/* One to three rows: as many panels at once as keep eight sums going. */
static void few_rows(const struct packed *w, const float *x, size_t ldx, uint32_t m, struct target t, uint32_t from,
                     uint32_t to)
{
    size_t panel = (size_t)w->in * PANEL;
    uint32_t p = from;
    for (; m == 1 && p + 4 <= to; p += 4) {
        t.begin = p * PANEL;
        tile(w->at + p * panel, panel, w->in, x, ldx, &t, 1, 4);
    }
    for (; m == 2 && p + 2 <= to; p += 2) {
        t.begin = p * PANEL;
        tile(w->at + p * panel, panel, w->in, x, ldx, &t, 2, 2);
    }
    for (; m == 3 && p + 2 <= to; p += 2) {
        t.begin = p * PANEL;
        tile(w->at + p * panel, panel, w->in, x, ldx, &t, 3, 2);
    }
    for (; p < to; p++) {
        t.begin = p * PANEL;
        if (m == 1)
            tile(w->at + p * panel, panel, w->in, x, ldx, &t, 1, 1);
        else if (m == 2)
            tile(w->at + p * panel, panel, w->in, x, ldx, &t, 2, 1);
        else
            tile(w->at + p * panel, panel, w->in, x, ldx, &t, 3, 1);
    }
}

/* All m rows against one panel, which stays in the cache. */
static uint32_t many_rows(const float *w, uint32_t in, const float *x, size_t ldx, uint32_t m, struct target t)
{
    uint32_t i = 0;
    for (; m - i >= 12; i += 12, x += 12 * ldx, t.y += 12 * t.ldy)
        tile(w, 0, in, x, ldx, &t, 12, 1);
    for (; m - i >= 8; i += 8, x += 8 * ldx, t.y += 8 * t.ldy)
        tile(w, 0, in, x, ldx, &t, 8, 1);
    for (; m - i >= 4; i += 4, x += 4 * ldx, t.y += 4 * t.ldy)
        tile(w, 0, in, x, ldx, &t, 4, 1);
    return i;
}

static void matmul(const struct packed *w, const float *bias, const float *x, size_t ldx, uint32_t m, float *y,
                   size_t ldy, uint32_t from, uint32_t to, bool add)
{
    struct target t = {bias, y, ldy, w->out, 0, add};
    /* So many rows at a time that they stay in the second-level cache while the panels pass by. */
    uint32_t block = (1u << 17) / w->in / 12 * 12;
    block = block < 12 ? 12 : block;
    while (m >= 4) {
        uint32_t rows = m < block ? m : block, done = 0;
        for (uint32_t p = from; p < to; p++) {
            t.begin = p * PANEL;
            done = many_rows(w->at + (size_t)p * w->in * PANEL, w->in, x, ldx, rows, t);
        }
        if (from == to)
            return;
        x += done * ldx;
        t.y += done * ldy;
        m -= done;
    }
    if (m > 0)
        few_rows(w, x, ldx, m, t, from, to);
}

/* ---- exp, fold ---- */

INLINE __m512 exp16(__m512 x)
{
    const __m512 magic = _mm512_set1_ps(0x1.8p+23f);
    __mmask16 alive = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-87.0f), _CMP_NLT_UQ);
    __m512 clamped = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(-87.0f)), _mm512_set1_ps(88.0f));
    __m512 shifted = _mm512_fmadd_ps(clamped, _mm512_set1_ps(0x1.715476p+0f), magic);
    __m512 n = _mm512_sub_ps(shifted, magic);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0x1.62e4p-1f), clamped);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0x1.7f7d1cp-20f), r);
    __m512 p = _mm512_fmadd_ps(r, _mm512_set1_ps(0x1.6c16c2p-10f), _mm512_set1_ps(0x1.111112p-7f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.555556p-5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.555556p-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    __m512i power = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_maskz_mov_ps(alive, _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), power)));
}

INLINE float fold(__m512 s)
{
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

INLINE __mmask16 first_lanes(uint32_t n)
{
    return n >= 16 ? 0xffff : (__mmask16)((1u << n) - 1);
}

/* ---- attention ---- */

#define MAX_HEAD_DIM 512

/* 16 rows of 16 floats become 16 columns: out[d] holds element d of every row. */
INLINE void transpose16(__m512 *r)
{
    __m512 t[16];
    UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* kt (head_dim, 16): the block's keys, position by position in the lanes; zeros where there is none. */
static void gather_keys(const struct attend *a, const float *const *row, uint32_t count, float *kt)
{
    for (uint32_t d = 0; d < a->head_dim; d += 16) {
        __m512 r[16];
        uint32_t n = a->head_dim - d < 16 ? a->head_dim - d : 16;
        UNROLL
        for (uint32_t j = 0; j < 16; j++)
            r[j] = j < count ? _mm512_maskz_loadu_ps(first_lanes(n), row[j] + a->k_at + d) : _mm512_setzero_ps();
        transpose16(r);
        UNROLL
        for (uint32_t i = 0; i < 16; i++)
            if (i < n)
                _mm512_store_ps(kt + (size_t)(d + i) * 16, r[i]);
    }
}

/* One query of a tile: where it is read and written, and how many positions of the block it sees. */
struct query {
    const float *q;
    float *o, *state; /* state: the running maximum and sum */
    uint32_t count;
};

/* Scores, softmax step; p (queries, 16) and scale (queries) are left for the values. */
INLINE void tile_scores(const struct query *query, uint32_t head_dim, float score_scale, const float *kt, int queries,
                        float *p, float *scale)
{
    __m512 s[8];
    UNROLL
    for (int i = 0; i < queries; i++)
        s[i] = _mm512_setzero_ps();
    for (uint32_t d = 0; d < head_dim; d++) {
        __m512 k = _mm512_load_ps(kt + (size_t)d * 16);
        UNROLL
        for (int i = 0; i < queries; i++)
            s[i] = _mm512_fmadd_ps(_mm512_set1_ps(query[i].q[d]), k, s[i]);
    }
    UNROLL
    for (int i = 0; i < queries; i++) {
        __mmask16 seen = first_lanes(query[i].count);
        __m512 scored = _mm512_mask_mul_ps(_mm512_set1_ps(-INFINITY), seen, s[i], _mm512_set1_ps(score_scale));
        float before = query[i].state[0], here = _mm512_reduce_max_ps(scored);
        float top = here > before ? here : before;
        __m512 weights = _mm512_maskz_mov_ps(seen, exp16(_mm512_sub_ps(scored, _mm512_set1_ps(top))));
        scale[i] = before == top ? 1.0f : _mm512_cvtss_f32(exp16(_mm512_set1_ps(before - top)));
        _mm512_store_ps(p + i * 16, weights);
        query[i].state[0] = top;
        query[i].state[1] = fmaf(query[i].state[1], scale[i], fold(weights));
    }
}

/* All queries see the whole block: every value loaded serves them all. `chunks` vectors of the head at once. */
INLINE void tile_values(const struct query *query, const float *const *v, uint32_t d, uint32_t n, const float *p,
                        const float *scale, int queries, int chunks)
{
    __m512 o[8];
    __mmask16 mask = first_lanes(n);
    UNROLL
    for (int i = 0; i < queries; i++)
        UNROLL
        for (int c = 0; c < chunks; c++)
            o[i * chunks + c] = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, query[i].o + d + c * 16),
                                              _mm512_set1_ps(scale[i]));
    for (int j = 0; j < BLOCK; j++)
        UNROLL
        for (int c = 0; c < chunks; c++) {
            __m512 value = _mm512_maskz_loadu_ps(mask, v[j] + d + c * 16);
            UNROLL
            for (int i = 0; i < queries; i++)
                o[i * chunks + c] = _mm512_fmadd_ps(_mm512_set1_ps(p[i * 16 + j]), value, o[i * chunks + c]);
        }
    UNROLL
    for (int i = 0; i < queries; i++)
        UNROLL
        for (int c = 0; c < chunks; c++)
            _mm512_mask_storeu_ps(query[i].o + d + c * 16, mask, o[i * chunks + c]);
}

/* One query that sees part of the block. */
static void part_values(const struct query *query, const float *const *v, uint32_t head_dim, const float *p, float scale)
{
    for (uint32_t d = 0; d < head_dim; d += 16) {
        __mmask16 mask = first_lanes(head_dim - d);
        __m512 o = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, query->o + d), _mm512_set1_ps(scale));
        for (uint32_t j = 0; j < query->count; j++)
            o = _mm512_fmadd_ps(_mm512_set1_ps(p[j]), _mm512_maskz_loadu_ps(mask, v[j] + d), o);
        _mm512_mask_storeu_ps(query->o + d, mask, o);
    }
}

INLINE void tile_queries(const struct attend *a, const struct query *query, const float *kt, const float *const *v,
                         int queries, int chunks)
{
    float p[8 * 16] __attribute__((aligned(64))), scale[8];
    bool whole = true;
    tile_scores(query, a->head_dim, a->scale, kt, queries, p, scale);
    for (int i = 0; i < queries; i++)
        whole = whole && query[i].count == BLOCK;
    if (!whole) {
        for (int i = 0; i < queries; i++)
            part_values(&query[i], v, a->head_dim, p + i * 16, scale[i]);
        return;
    }
    uint32_t d = 0;
    for (; d + 16 * (uint32_t)chunks <= a->head_dim; d += 16 * (uint32_t)chunks)
        tile_values(query, v, d, 16, p, scale, queries, chunks);
    for (; d < a->head_dim; d += 16)
        tile_values(query, v, d, a->head_dim - d, p, scale, queries, 1);
}

static void queries_8(const struct attend *a, const struct query *q, const float *kt, const float *const *v)
{
    tile_queries(a, q, kt, v, 8, 1);
}

static void queries_4(const struct attend *a, const struct query *q, const float *kt, const float *const *v)
{
    tile_queries(a, q, kt, v, 4, 2);
}

static void queries_2(const struct attend *a, const struct query *q, const float *kt, const float *const *v)
{
    tile_queries(a, q, kt, v, 2, 4);
}

static void queries_1(const struct attend *a, const struct query *q, const float *kt, const float *const *v)
{
    tile_queries(a, q, kt, v, 1, 4);
}

/* Query number i of all: token i / group, head i mod group. */
INLINE struct query query_at(const struct attend *a, uint32_t i, uint32_t block)
{
    uint32_t token = i / a->group, head = i % a->group, seen = a->first + token + 1 - block;
    return (struct query){a->q + token * a->q_stride + head * a->head_dim,
                          a->out + token * a->out_stride + head * a->head_dim, a->state + (size_t)i * 2,
                          seen < BLOCK ? seen : BLOCK};
}

static void attend_block(const struct attend *a, uint32_t block, float *kt)
{
    uint32_t keys = a->first + a->tokens - block, count = keys < BLOCK ? keys : BLOCK;
    uint32_t all = a->tokens * a->group, i = block > a->first ? (block - a->first) * a->group : 0;
    const float *v[BLOCK] = {NULL};
    for (uint32_t j = 0; j < count; j++)
        v[j] = a->row[block + j] + a->v_at;
    gather_keys(a, a->row + block, count, kt);
    while (i < all) {
        struct query query[8];
        uint32_t n = all - i >= 8 ? 8 : all - i >= 4 ? 4 : all - i >= 2 ? 2 : 1;
        for (uint32_t k = 0; k < n; k++)
            query[k] = query_at(a, i + k, block);
        (n == 8 ? queries_8 : n == 4 ? queries_4 : n == 2 ? queries_2 : queries_1)(a, query, kt, v);
        i += n;
    }
}

static void attend(const struct attend *a)
{
    float kt[MAX_HEAD_DIM * 16] __attribute__((aligned(64)));
    for (uint32_t i = 0; i < a->tokens * a->group; i++) {
        struct query q = query_at(a, i, 0);
        q.state[0] = -INFINITY;
        q.state[1] = 0.0f;
        memset(q.o, 0, a->head_dim * sizeof *q.o);
    }
    for (uint32_t block = 0; block < a->first + a->tokens; block += BLOCK)
        attend_block(a, block, kt);
    for (uint32_t i = 0; i < a->tokens * a->group; i++) {
        struct query q = query_at(a, i, 0);
        for (uint32_t d = 0; d < a->head_dim; d += 16) {
            __mmask16 mask = first_lanes(a->head_dim - d);
            __m512 o = _mm512_maskz_loadu_ps(mask, q.o + d);
            _mm512_mask_storeu_ps(q.o + d, mask, _mm512_div_ps(o, _mm512_set1_ps(q.state[1])));
        }
    }
}

/* ---- norms and activations ---- */

static void rms_norm(const float *x, const float *w, uint32_t n, float eps, float *y)
{
    __m512 s = _mm512_setzero_ps();
    for (uint32_t i = 0; i < n; i += 16) {
        __mmask16 mask = first_lanes(n - i);
        __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        s = _mm512_mask3_fmadd_ps(v, v, s, mask);
    }
    __m512 scale = _mm512_set1_ps(1.0f / sqrtf(fold(s) / (float)n + eps));
    for (uint32_t i = 0; i < n; i += 16) {
        __mmask16 mask = first_lanes(n - i);
        __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), scale);
        _mm512_mask_storeu_ps(y + i, mask, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, w + i)));
    }
}

static void layer_norm(const float *x, const float *w, const float *b, uint32_t n, float eps, float *y)
{
    __m512 s = _mm512_setzero_ps();
    for (uint32_t i = 0; i < n; i += 16)
        s = _mm512_mask_add_ps(s, first_lanes(n - i), s, _mm512_maskz_loadu_ps(first_lanes(n - i), x + i));
    __m512 mean = _mm512_set1_ps(fold(s) / (float)n);
    s = _mm512_setzero_ps();
    for (uint32_t i = 0; i < n; i += 16) {
        __m512 d = _mm512_sub_ps(_mm512_maskz_loadu_ps(first_lanes(n - i), x + i), mean);
        s = _mm512_mask3_fmadd_ps(d, d, s, first_lanes(n - i));
    }
    __m512 scale = _mm512_set1_ps(1.0f / sqrtf(fold(s) / (float)n + eps));
    for (uint32_t i = 0; i < n; i += 16) {
        __mmask16 mask = first_lanes(n - i);
        __m512 v = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), mean), scale);
        v = _mm512_fmadd_ps(v, _mm512_maskz_loadu_ps(mask, w + i), _mm512_maskz_loadu_ps(mask, b + i));
        _mm512_mask_storeu_ps(y + i, mask, v);
    }
}

INLINE __m512 negate(__m512 x)
{
    return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f));
}

/* x / (1 + e^-z) */
INLINE __m512 gated(__m512 x, __m512 z)
{
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), exp16(negate(z))));
}

static void swiglu(const float *gate, const float *up, uint32_t n, float *y)
{
    for (uint32_t i = 0; i < n; i += 16) {
        __mmask16 mask = first_lanes(n - i);
        __m512 g = _mm512_maskz_loadu_ps(mask, gate + i), u = _mm512_maskz_loadu_ps(mask, up + i);
        _mm512_mask_storeu_ps(y + i, mask, _mm512_mul_ps(gated(g, g), u));
    }
}

static void gelu(const float *x, uint32_t n, float *y)
{
    for (uint32_t i = 0; i < n; i += 16) {
        __mmask16 mask = first_lanes(n - i);
        __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        __m512 cube = _mm512_mul_ps(_mm512_mul_ps(v, v), v);
        __m512 u = _mm512_fmadd_ps(cube, _mm512_set1_ps(0.044715f), v);
        _mm512_mask_storeu_ps(y + i, mask, gated(v, _mm512_mul_ps(u, _mm512_set1_ps(0x1.988454p+0f))));
    }
}

static void rope(float *x, const float *cos_sin, uint32_t heads, uint32_t head_dim)
{
    uint32_t half = head_dim / 2;
    for (uint32_t h = 0; h < heads; h++, x += head_dim)
        for (uint32_t i = 0; i < half; i += 16) {
            __mmask16 mask = first_lanes(half - i);
            __m512 a = _mm512_maskz_loadu_ps(mask, x + i), b = _mm512_maskz_loadu_ps(mask, x + half + i);
            __m512 c = _mm512_maskz_loadu_ps(mask, cos_sin + i), s = _mm512_maskz_loadu_ps(mask, cos_sin + half + i);
            _mm512_mask_storeu_ps(x + i, mask, _mm512_sub_ps(_mm512_mul_ps(a, c), _mm512_mul_ps(b, s)));
            _mm512_mask_storeu_ps(x + half + i, mask, _mm512_add_ps(_mm512_mul_ps(b, c), _mm512_mul_ps(a, s)));
        }
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const struct kernels *kernels_avx512(void)
{
    static const struct kernels avx512 = {
        .name = "avx512", .matmul = matmul, .attend = attend, .rms_norm = rms_norm, .layer_norm = layer_norm,
        .swiglu = swiglu, .gelu = gelu, .rope = rope,
    };
    bool able = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return able ? &avx512 : NULL;
}

#else

const struct kernels *kernels_avx512(void)
{
    return NULL;
}

#endif
