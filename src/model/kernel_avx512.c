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

/* The same for n <= 16, without a branch. */
INLINE __mmask16 few_lanes(uint32_t n)
{
    return (__mmask16)((1u << n) - 1);
}

/* ---- attention ---- */

#define KEYS_WIDE 512 /* head_dim at most; several narrow heads are taken together */
#define TILE      8   /* queries side by side */

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

/* kt (width, 16): `width` neighbouring floats of the block's keys, position by position in the lanes; zeros
 * where there is no position. Several heads may lie in them. */
static void gather_keys(const float *const *row, size_t k_at, uint32_t width, uint32_t count, float *kt)
{
    for (uint32_t d = 0; d < width; d += 16) {
        __m512 r[16];
        __mmask16 mask = first_lanes(width - d);
        UNROLL
        for (uint32_t j = 0; j < 16; j++)
            r[j] = j < count ? _mm512_maskz_loadu_ps(mask, row[j] + k_at + d) : _mm512_setzero_ps();
        transpose16(r);
        UNROLL
        for (uint32_t i = 0; i < 16; i++) /* kt has room for a multiple of 16 */
            _mm512_store_ps(kt + (size_t)(d + i) * 16, r[i]);
    }
}

/* Eight vectors folded at once, each by the tree of fold(): upper half onto lower half. The result of vector
 * i < 4 is in lane 4 i, of i >= 4 in lane 4 (i - 4) + 2 (and in the lane behind). */
#define FOLD8(name, op)                                                                                        \
    INLINE __m512 name(const __m512 *s)                                                                        \
    {                                                                                                          \
        __m512 a[4], b[2];                                                                                     \
        UNROLL                                                                                                 \
        for (int i = 0; i < 4; i++) { /* 0 with 1, 2 with 3, … so that the last step leaves them as said */    \
            __m512 x = s[2 * i], y = s[2 * i + 1];                                                             \
            a[i] = op(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xee));                     \
        }                                                                                                      \
        UNROLL                                                                                                 \
        for (int i = 0; i < 2; i++)                                                                            \
            b[i] = op(_mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0x88),                                      \
                      _mm512_shuffle_f32x4(a[2 * i], a[2 * i + 1], 0xdd));                                     \
        __m512 c = op(_mm512_shuffle_ps(b[0], b[1], 0x44), _mm512_shuffle_ps(b[0], b[1], 0xee));               \
        return op(c, _mm512_permute_ps(c, 0xb1));                                                              \
    }
FOLD8(sums8, _mm512_add_ps)
FOLD8(tops8, _mm512_max_ps)

/* One query of a tile: where it is read and written, and how many positions of the block it sees. */
struct query {
    const float *q;
    float *o;
    const float *kt;    /* its head's keys (head_dim, 16) */
    size_t v_at;        /* its head's values in a row */
    uint32_t count;
};

/* A tile's scores, softmax weights p (TILE, 16) and what the earlier sum is scaled by (TILE). `share`: so many
 * neighbouring queries read the same KV head. state (n, 2) of the tile's n real queries; the others repeat the last. */
INLINE void tile_scores(const struct query *query, uint32_t head_dim, float score_scale, float *state, uint32_t n,
                        int share, float *p, float *scale)
{
    /* state holds maximum and sum by turns; in registers query i has its place as FOLD8 leaves it */
    const __m512i spread = _mm512_setr_epi32(0, 0, 8, 8, 2, 2, 10, 10, 4, 4, 12, 12, 6, 6, 14, 14);
    const __m512i merge = _mm512_setr_epi32(0, 16, 4, 20, 8, 24, 12, 28, 2, 18, 6, 22, 10, 26, 14, 30);
    __m512 s[TILE], before, total, top, factor;
    UNROLL
    for (int i = 0; i < TILE; i++)
        s[i] = _mm512_setzero_ps();
    for (uint32_t d = 0; d < head_dim; d++) {
        __m512 k = _mm512_setzero_ps();
        UNROLL
        for (int i = 0; i < TILE; i++) {
            if (i % share == 0)
                k = _mm512_load_ps(query[i].kt + (size_t)d * 16);
            s[i] = _mm512_fmadd_ps(_mm512_set1_ps(query[i].q[d]), k, s[i]);
        }
    }
    UNROLL
    for (int i = 0; i < TILE; i++)
        s[i] = _mm512_mask_mul_ps(_mm512_set1_ps(-INFINITY), few_lanes(query[i].count), s[i],
                                  _mm512_set1_ps(score_scale));
    __m512 old = _mm512_maskz_loadu_ps(few_lanes(2 * n), state);
    before = _mm512_permutexvar_ps(spread, old);
    total = _mm512_permutexvar_ps(_mm512_add_epi32(spread, _mm512_set1_epi32(1)), old);
    top = _mm512_max_ps(tops8(s), before);
    factor = exp16(_mm512_sub_ps(before, top));
    UNROLL
    for (int i = 0; i < TILE; i++) {
        __m512 own = _mm512_permutexvar_ps(_mm512_set1_epi32(i < 4 ? 4 * i : 4 * (i - 4) + 2), top);
        s[i] = _mm512_maskz_mov_ps(few_lanes(query[i].count), exp16(_mm512_sub_ps(s[i], own)));
        _mm512_store_ps(p + i * 16, s[i]);
    }
    total = _mm512_fmadd_ps(total, factor, sums8(s));
    _mm512_mask_storeu_ps(state, few_lanes(2 * n), _mm512_permutex2var_ps(top, merge, total));
    _mm256_store_ps(scale, _mm512_castps512_ps256(_mm512_permutexvar_ps(
                               _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0), factor)));
}

/* All queries see the whole block: its values added to 16 elements of every query's sum. */
INLINE void tile_values(const struct query *query, uint32_t n, const float *const *row, uint32_t d, __mmask16 mask,
                        const float *p, const float *scale, int share)
{
    __m512 o[TILE];
    UNROLL
    for (int i = 0; i < TILE; i++)
        o[i] = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, query[i].o + d), _mm512_set1_ps(scale[i]));
    for (int j = 0; j < BLOCK; j++) {
        __m512 v = _mm512_setzero_ps();
        UNROLL
        for (int i = 0; i < TILE; i++) {
            if (i % share == 0)
                v = _mm512_maskz_loadu_ps(mask, row[j] + query[i].v_at + d);
            o[i] = _mm512_fmadd_ps(_mm512_set1_ps(p[i * 16 + j]), v, o[i]);
        }
    }
    UNROLL
    for (uint32_t i = 0; i < TILE; i++)
        if (i < n)
            _mm512_mask_storeu_ps(query[i].o + d, mask, o[i]);
}

/* One query that sees part of the block. */
static void part_values(const struct query *query, const float *const *row, uint32_t head_dim, const float *p,
                        float scale)
{
    for (uint32_t d = 0; d < head_dim; d += 16) {
        __mmask16 mask = first_lanes(head_dim - d);
        __m512 o = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, query->o + d), _mm512_set1_ps(scale));
        for (uint32_t j = 0; j < query->count; j++)
            o = _mm512_fmadd_ps(_mm512_set1_ps(p[j]), _mm512_maskz_loadu_ps(mask, row[j] + query->v_at + d), o);
        _mm512_mask_storeu_ps(query->o + d, mask, o);
    }
}

INLINE void tile_queries(const struct attend *a, const struct query *query, const float *const *row, float *state,
                         uint32_t n, int share)
{
    float p[TILE * 16] __attribute__((aligned(64))), scale[TILE] __attribute__((aligned(32)));
    bool whole = true;
    tile_scores(query, a->head_dim, a->scale, state, n, share, p, scale);
    for (int i = 0; i < TILE; i++)
        whole = whole && query[i].count == BLOCK;
    for (uint32_t i = 0; i < n && !whole; i++)
        part_values(&query[i], row, a->head_dim, p + i * 16, scale[i]);
    for (uint32_t d = 0; d < a->head_dim && whole; d += 16)
        tile_values(query, n, row, d, first_lanes(a->head_dim - d), p, scale, share);
}

static void tile_share_8(const struct attend *a, const struct query *query, const float *const *row, float *state,
                         uint32_t n)
{
    tile_queries(a, query, row, state, n, 8);
}

static void tile_share_4(const struct attend *a, const struct query *query, const float *const *row, float *state,
                         uint32_t n)
{
    tile_queries(a, query, row, state, n, 4);
}

static void tile_share_2(const struct attend *a, const struct query *query, const float *const *row, float *state,
                         uint32_t n)
{
    tile_queries(a, query, row, state, n, 2);
}

static void tile_share_1(const struct attend *a, const struct query *query, const float *const *row, float *state,
                         uint32_t n)
{
    tile_queries(a, query, row, state, n, 1);
}

/* Queries of one KV head stand together, so that it is enough to look at the ends of each part. */
INLINE bool parts_share(const struct query *query, int share)
{
    bool same = true;
    for (int i = 0; i < TILE; i += share)
        same = same && query[i].v_at == query[i + share - 1].v_at;
    return same;
}

/* Queries come KV head by KV head, token by token, head by head of the group; this is the next one. */
struct walk {
    const struct attend *a;
    const float *kt;       /* keys of KV head head_from */
    uint32_t block, head_from;
    uint32_t kv_head, token, member;
};

INLINE struct query walk_next(struct walk *w)
{
    const struct attend *a = w->a;
    size_t head = (size_t)w->kv_head * a->group + w->member, seen = a->first + w->token + 1 - w->block;
    struct query q = {a->q + w->token * a->q_stride + head * a->head_dim,
                      a->out + w->token * a->out_stride + head * a->head_dim,
                      w->kt != NULL ? w->kt + (size_t)(w->kv_head - w->head_from) * a->head_dim * 16 : NULL,
                      a->v_at + (size_t)w->kv_head * a->head_dim, seen < BLOCK ? (uint32_t)seen : BLOCK};
    if (++w->member == a->group) {
        w->member = 0;
        if (++w->token == a->tokens) {
            w->token = 0;
            w->kv_head++;
        }
    }
    return q;
}

/* n queries from w on, in tiles of eight. */
static void attend_walk(struct walk w, uint32_t n)
{
    const float *const *row = w.a->row + w.block;
    float *state = attend_state(w.a, w.kv_head, w.token, w.member);
    for (uint32_t some; n > 0; n -= some, state += 2 * TILE) {
        struct query query[TILE];
        some = n < TILE ? n : TILE;
        query[0] = walk_next(&w);
        for (uint32_t k = 1; k < TILE; k++) {
            if (k < some)
                query[k] = walk_next(&w);
            else
                query[k] = query[k - 1];
        }
        (parts_share(query, 8)   ? tile_share_8
         : parts_share(query, 4) ? tile_share_4
         : parts_share(query, 2) ? tile_share_2
                                 : tile_share_1)(w.a, query, row, state, some);
    }
}

/* KV heads [from, to) in one block: their keys fit kt together. */
static void attend_block(const struct attend *a, uint32_t block, uint32_t from, uint32_t to, float *kt)
{
    uint32_t end = a->end != 0 ? a->end : a->first + a->tokens, count = end - block < BLOCK ? end - block : BLOCK;
    uint32_t skip = block > a->first ? block - a->first : 0; /* tokens before the block */
    struct walk w = {a, kt, block, from, from, skip, 0};
    gather_keys(a->row + block, a->k_at + (size_t)from * a->head_dim, (to - from) * a->head_dim, count, kt);
    if (skip == 0 && a->state_stride == 0) {
        attend_walk(w, (to - from) * a->tokens * a->group);
        return;
    }
    for (; w.kv_head < to; w.kv_head++)
        attend_walk(w, (a->tokens - skip) * a->group);
}

static void attend_begin(const struct attend *a, uint32_t n)
{
    for (uint32_t h = 0, each = n / a->kv_heads; h < a->kv_heads; h++)
        for (uint32_t i = 0; i < each; i++) {
            float *state = attend_state(a, h, 0, 0) + 2 * (size_t)i;
            state[0] = -INFINITY;
            state[1] = 0.0f;
        }
    for (uint32_t t = 0; t < a->tokens; t++)
        memset(a->out + t * a->out_stride, 0, (size_t)a->kv_heads * a->group * a->head_dim * sizeof *a->out);
}

static void attend_end(const struct attend *a, uint32_t n)
{
    struct walk w = {.a = a};
    for (uint32_t i = 0; i < n; i++) {
        __m512 sum = _mm512_set1_ps(attend_state(a, w.kv_head, w.token, w.member)[1]);
        struct query q = walk_next(&w);
        for (uint32_t d = 0; d < a->head_dim; d += 16) {
            __mmask16 mask = first_lanes(a->head_dim - d);
            _mm512_mask_storeu_ps(q.o + d, mask, _mm512_div_ps(_mm512_maskz_loadu_ps(mask, q.o + d), sum));
        }
    }
}

/* ---- attention of one token with heads of 8 floats ----
 *
 * In decode all queries see the same positions, and heads of 8 floats leave half of a vector empty. So four
 * neighbouring KV heads share a vector, a quarter each; a quarter holds 4 positions (scores) or 4 elements
 * (keys, values), and a query's maximum, sum and weights never leave its quarter. Each step is done for a run
 * of blocks before the next, so that none waits for the one before. */

#define NARROW       8 /* head_dim */
#define RUN          8 /* blocks */
#define NARROW_GROUP 8 /* query heads per KV head, at most */

struct narrow {
    __m512 q[NARROW_GROUP][2], o[NARROW_GROUP][2]; /* elements 0-3 and 4-7 of each member of the group */
    __m512 top[NARROW_GROUP], sum[NARROW_GROUP];
    __m512 s[NARROW_GROUP][RUN][4];   /* scores, then weights: positions 0-3, 4-7, 8-11, 12-15 of a block */
    __m512 factor[NARROW_GROUP][RUN]; /* what all before the block is scaled by */
};

/* Elements 0-3 and 4-7 of the four heads at x. */
INLINE void quarters(const float *x, __m512 half[2])
{
    __m512 first = _mm512_loadu_ps(x), last = _mm512_loadu_ps(x + 16);
    half[0] = _mm512_shuffle_f32x4(first, last, 0x88);
    half[1] = _mm512_shuffle_f32x4(first, last, 0xdd);
}

/* Rows become columns in every quarter: out[i] holds element i of each row. */
INLINE void transpose_quarters(__m512 r0, __m512 r1, __m512 r2, __m512 r3, __m512 *out)
{
    __m512 a = _mm512_unpacklo_ps(r0, r1), b = _mm512_unpackhi_ps(r0, r1);
    __m512 c = _mm512_unpacklo_ps(r2, r3), d = _mm512_unpackhi_ps(r2, r3);
    out[0] = _mm512_shuffle_ps(a, c, 0x44);
    out[1] = _mm512_shuffle_ps(a, c, 0xee);
    out[2] = _mm512_shuffle_ps(b, d, 0x44);
    out[3] = _mm512_shuffle_ps(b, d, 0xee);
}

/* The scores of four positions, unscaled: vector i of a block. */
INLINE void narrow_scores(struct narrow *w, const float *const *row, size_t k_at, uint32_t block, uint32_t i,
                          uint32_t group)
{
    __m512 r[4][2], k[8];
    UNROLL
    for (int j = 0; j < 4; j++)
        quarters(row[j] + k_at, r[j]);
    transpose_quarters(r[0][0], r[1][0], r[2][0], r[3][0], k);
    transpose_quarters(r[0][1], r[1][1], r[2][1], r[3][1], k + 4);
    for (uint32_t m = 0; m < group; m++) {
        __m512 s = _mm512_setzero_ps();
        UNROLL
        for (int half = 0; half < 2; half++) {
            s = _mm512_fmadd_ps(_mm512_permute_ps(w->q[m][half], 0x00), k[half * 4], s);
            s = _mm512_fmadd_ps(_mm512_permute_ps(w->q[m][half], 0x55), k[half * 4 + 1], s);
            s = _mm512_fmadd_ps(_mm512_permute_ps(w->q[m][half], 0xaa), k[half * 4 + 2], s);
            s = _mm512_fmadd_ps(_mm512_permute_ps(w->q[m][half], 0xff), k[half * 4 + 3], s);
        }
        w->s[m][block][i] = s;
    }
}

/* A block's scores of one query per quarter become weights; maximum and sum go on. Returns the factor. */
INLINE __m512 narrow_softmax(__m512 *s, uint32_t count, float scale, __m512 *top, __m512 *sum)
{
    __m512 before = *top;
    __mmask16 seen[4];
    UNROLL
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t n = count < i * 4 ? 0 : count - i * 4;
        seen[i] = (__mmask16)(few_lanes(n < 4 ? n : 4) * 0x1111u);
        s[i] = _mm512_mask_mul_ps(_mm512_set1_ps(-INFINITY), seen[i], s[i], _mm512_set1_ps(scale));
    }
    __m512 most = _mm512_max_ps(_mm512_max_ps(s[0], s[2]), _mm512_max_ps(s[1], s[3]));
    most = _mm512_max_ps(most, _mm512_permute_ps(most, 0x4e));
    *top = _mm512_max_ps(_mm512_max_ps(most, _mm512_permute_ps(most, 0xb1)), before);
    UNROLL
    for (int i = 0; i < 4; i++)
        s[i] = _mm512_maskz_mov_ps(seen[i], exp16(_mm512_sub_ps(s[i], *top)));
    __m512 all = _mm512_add_ps(_mm512_add_ps(s[0], s[2]), _mm512_add_ps(s[1], s[3])); /* as fold() adds */
    all = _mm512_add_ps(all, _mm512_permute_ps(all, 0x4e));
    all = _mm512_add_ps(all, _mm512_permute_ps(all, 0xb1));
    __m512 factor = exp16(_mm512_sub_ps(before, *top));
    *sum = _mm512_fmadd_ps(*sum, factor, all);
    return factor;
}

/* A run's values for members m and, where there is one, m + 1: four sums to keep the multipliers busy. */
INLINE void narrow_values(struct narrow *w, const float *const *row, size_t v_at, uint32_t keys, uint32_t m,
                          int members)
{
    __m512 o[4], v[2];
    UNROLL
    for (int i = 0; i < members * 2; i++)
        o[i] = w->o[m + i / 2][i % 2];
    for (uint32_t at = 0; at < keys; at += BLOCK) {
        uint32_t block = at / BLOCK, count = keys - at < BLOCK ? keys - at : BLOCK;
        UNROLL
        for (int i = 0; i < members * 2; i++)
            o[i] = _mm512_mul_ps(o[i], w->factor[m + i / 2][block]);
        for (uint32_t j = 0; j < count; j++) {
            const __m512i lane = _mm512_set1_epi32((int)(j % 4));
            quarters(row[at + j] + v_at, v);
            UNROLL
            for (int i = 0; i < members * 2; i++)
                o[i] = _mm512_fmadd_ps(_mm512_permutevar_ps(w->s[m + i / 2][block][j / 4], lane), v[i % 2],
                                       o[i]);
        }
    }
    UNROLL
    for (int i = 0; i < members * 2; i++)
        w->o[m + i / 2][i % 2] = o[i];
}

INLINE void narrow_run(struct narrow *w, const struct attend *a, const float *const *row, uint32_t keys,
                       size_t head, uint32_t group)
{
    for (uint32_t at = 0; at < keys; at += 4) {
        const float *four[4]; /* beyond the last position any row does: it is masked out later */
        UNROLL
        for (uint32_t j = 0; j < 4; j++)
            four[j] = row[at + j < keys ? at + j : at];
        narrow_scores(w, four, a->k_at + head, at / BLOCK, at % BLOCK / 4, group);
    }
    for (uint32_t i = (keys + 3) / 4; i % 4 != 0; i++)
        for (uint32_t m = 0; m < group; m++)
            w->s[m][i / 4][i % 4] = _mm512_setzero_ps();
    for (uint32_t m = 0; m < group; m++) {
        __m512 top = w->top[m], sum = w->sum[m];
        for (uint32_t at = 0; at < keys; at += BLOCK)
            w->factor[m][at / BLOCK] = narrow_softmax(w->s[m][at / BLOCK], keys - at, a->scale, &top, &sum);
        w->top[m] = top;
        w->sum[m] = sum;
    }
    uint32_t m = 0;
    for (; m + 2 <= group; m += 2)
        narrow_values(w, row, a->v_at + head, keys, m, 2);
    for (; m < group; m++)
        narrow_values(w, row, a->v_at + head, keys, m, 1);
}

/* KV heads [from, from + 4) */
INLINE void attend_narrow(const struct attend *a, uint32_t from, uint32_t group)
{
    struct narrow w;
    const uint32_t keys = a->first + 1;
    const size_t head = (size_t)from * NARROW;
    float x[4 * NARROW];
    for (uint32_t m = 0; m < group; m++) {
        for (size_t h = 0; h < 4; h++)
            memcpy(x + h * NARROW, a->q + ((from + h) * group + m) * NARROW, NARROW * sizeof *x);
        quarters(x, w.q[m]);
        w.o[m][0] = w.o[m][1] = w.sum[m] = _mm512_setzero_ps();
        w.top[m] = _mm512_set1_ps(-INFINITY);
    }
    for (uint32_t at = 0; at < keys; at += RUN * BLOCK)
        narrow_run(&w, a, a->row + at, keys - at < RUN * BLOCK ? keys - at : RUN * BLOCK, head, group);
    for (uint32_t m = 0; m < group; m++)
        for (uint32_t i = 0; i < 2; i++) {
            _mm512_storeu_ps(x, _mm512_div_ps(w.o[m][i], w.sum[m]));
            for (size_t h = 0; h < 4; h++)
                memcpy(a->out + ((from + h) * group + m) * NARROW + 4 * i, x + 4 * h, 4 * sizeof *x);
        }
}

static bool is_narrow(const struct attend *a)
{
    return a->begin == 0 && a->end == 0 && a->tokens == 1 && a->head_dim == NARROW && a->group <= NARROW_GROUP && a->kv_heads % 4 == 0;
}

static void attend_one_narrow(const struct attend *a)
{
    for (uint32_t from = 0; from < a->kv_heads; from += 4) {
        if (a->group == 2) /* a constant keeps everything in registers */
            attend_narrow(a, from, 2);
        else
            attend_narrow(a, from, a->group);
    }
}

static void attend(const struct attend *a)
{
    float kt[KEYS_WIDE * 16] __attribute__((aligned(64)));
    uint32_t n = a->kv_heads * a->tokens * a->group, together = KEYS_WIDE / a->head_dim;
    if (is_narrow(a)) {
        attend_one_narrow(a);
        return;
    }
    if (a->begin == 0)
        attend_begin(a, n);
    for (uint32_t from = 0; from < a->kv_heads; from += together) {
        uint32_t to = a->kv_heads - from < together ? a->kv_heads : from + together;
        for (uint32_t block = a->begin; block < (a->end != 0 ? a->end : a->first + a->tokens); block += BLOCK)
            attend_block(a, block, from, to, kt);
    }
    if (a->end == 0)
        attend_end(a, n);
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
