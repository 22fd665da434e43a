/* Every version of the kernels gives the bits of the portable one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/prng.h"
#include "base/xalloc.h"
#include "model/kernel.h"

static struct prng rng;
static unsigned compared; /* versions x shapes: a run that compares nothing must not pass */

static float random_float(void)
{
    return (float)(prng_unit(&rng) * 2 - 1);
}

static float *random_floats(size_t n)
{
    float *x = xmalloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = random_float();
    return x;
}

static void same_bits(const char *version, const float *got, const float *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(got + i, wanted + i, sizeof *got) != 0)
            fail_msg("%s: element %zu is %a, the portable kernel gives %a", version, i, (double)got[i],
                     (double)wanted[i]);
    compared++;
}

static int setup(void **state)
{
    (void)state;
    prng_seed(&rng, 4);
    compared = 0;
    return 0;
}

static size_t versions(const struct kernels *out[KERNELS_MAX])
{
    size_t n = kernels_all(out);
    assert_true(n >= 1);
    assert_string_equal(out[0]->name, "portable");
    return n;
}

static void matmul_case(uint32_t in, uint32_t out, uint32_t m, bool with_bias, bool add)
{
    const struct kernels *k[KERNELS_MAX];
    size_t n = versions(k), ldx = in + 3, ldy = out + 5;
    float *w = random_floats((size_t)panel_count(out) * in * PANEL), *x = random_floats(m * ldx);
    float *bias = random_floats(out), *start = random_floats(m * ldy), *wanted = xmalloc(m * ldy * sizeof *wanted);
    struct packed packed = {w, in, out};
    memcpy(wanted, start, m * ldy * sizeof *wanted);
    k[0]->matmul(&packed, with_bias ? bias : NULL, x, ldx, m, wanted, ldy, 0, panel_count(out), add);
    for (size_t v = 0; v < n; v++) {
        float *got = xmemdup(start, m * ldy * sizeof *got);
        uint32_t cut = panel_count(out) / 2; /* in two parts, as two threads would */
        k[v]->matmul(&packed, with_bias ? bias : NULL, x, ldx, m, got, ldy, 0, cut, add);
        k[v]->matmul(&packed, with_bias ? bias : NULL, x, ldx, m, got, ldy, cut, panel_count(out), add);
        same_bits(k[v]->name, got, wanted, m * ldy);
        xfree(got);
    }
    xfree(w);
    xfree(x);
    xfree(bias);
    xfree(start);
    xfree(wanted);
}

static void test_matmul(void **state)
{
    (void)state;
    static const uint32_t in[] = {1, 7, 64, 129}, out[] = {1, 16, 17, 32, 33, 160}, m[] = {1, 2, 3, 4, 11, 12, 29};
    unsigned cases = 0;
    for (size_t a = 0; a < ARRAY_LEN(in); a++)
        for (size_t b = 0; b < ARRAY_LEN(out); b++)
            for (size_t c = 0; c < ARRAY_LEN(m); c++, cases++)
                matmul_case(in[a], out[b], m[c], cases % 2 == 0, cases % 3 == 0);
    assert_int_equal(cases, 4 * 6 * 7);
    assert_true(compared >= cases);
}

/* A result may not depend on how many rows are computed with it. */
static void test_matmul_rows_are_independent(void **state)
{
    (void)state;
    const struct kernels *k[KERNELS_MAX];
    size_t n = versions(k);
    enum { IN = 96, OUT = 70, M = 40 };
    float *w = random_floats((size_t)panel_count(OUT) * IN * PANEL), *x = random_floats(M * IN);
    struct packed packed = {w, IN, OUT};
    float all[M * OUT], some[M * OUT];
    for (size_t v = 0; v < n; v++) {
        k[v]->matmul(&packed, NULL, x, IN, M, all, OUT, 0, panel_count(OUT), false);
        for (uint32_t rows = 1; rows < M; rows++) {
            k[v]->matmul(&packed, NULL, x + (M - rows) * IN, IN, rows, some, OUT, 0, panel_count(OUT), false);
            same_bits(k[v]->name, some, all + (M - rows) * OUT, rows * OUT);
        }
    }
    assert_int_equal(compared, n * (M - 1));
    xfree(w);
    xfree(x);
}

/* The same in parts: what all queries have before them in two calls for all of them, then token by token. */
static void attend_parts(const struct kernels *k, const struct attend *all, float *got)
{
    uint32_t behind = all->first / BLOCK * BLOCK;
    struct attend a = *all;
    memset(got, 0, a.tokens * a.out_stride * sizeof *got);
    if (behind > BLOCK) {
        a.end = BLOCK;
        k->attend(&a);
        a.begin = BLOCK;
    }
    a.end = behind;
    if (behind > 0)
        k->attend(&a);
    for (uint32_t t = 0; t < all->tokens; t++) {
        struct attend one = *all;
        one.begin = behind;
        one.first = all->first + t;
        one.tokens = 1;
        one.q = all->q + t * all->q_stride;
        one.out = got + t * all->out_stride;
        one.state = attend_state(all, 0, t, 0);
        one.state_stride = (size_t)all->tokens * all->group * 2;
        k->attend(&one);
    }
}

/* `tokens` new tokens behind `first`, rows scattered in the store, in one call and token by token. */
static void attend_case(uint32_t head_dim, uint32_t kv_heads, uint32_t group, uint32_t tokens, uint32_t first)
{
    const struct kernels *k[KERNELS_MAX];
    size_t n = versions(k), keys = first + tokens, row_floats = 2 * kv_heads * head_dim + 6;
    size_t q_stride = kv_heads * group * head_dim + 2;
    float *store = random_floats(keys * row_floats), *q = random_floats(tokens * q_stride);
    const float **row = xmalloc(keys * sizeof *row);
    float *wanted = xcalloc(tokens * q_stride, sizeof *wanted), *got = xcalloc(tokens * q_stride, sizeof *got);
    float *scratch = xmalloc(tokens * kv_heads * group * 2 * sizeof *scratch);
    for (size_t i = 0; i < keys; i++)
        row[i] = store + (i * 7 % keys) * row_floats;
    for (size_t i = 0; i < tokens * q_stride; i++)
        q[i] *= 4.0f;
    struct attend a = {.row = row, .k_at = 1, .v_at = kv_heads * head_dim + 4, .kv_heads = kv_heads,
                       .group = group, .head_dim = head_dim, .tokens = tokens, .first = first, .q = q, .out = wanted,
                       .q_stride = q_stride, .out_stride = q_stride, .scale = 0.3f, .state = scratch};
    k[0]->attend(&a);
    for (size_t v = 0; v < n; v++) {
        memset(got, 0, tokens * q_stride * sizeof *got);
        a.out = got;
        k[v]->attend(&a);
        same_bits(k[v]->name, got, wanted, tokens * q_stride);
        memset(got, 0, tokens * q_stride * sizeof *got);
        for (uint32_t t = 0; t < tokens; t++) {
            struct attend one = a;
            one.first = first + t;
            one.tokens = 1;
            one.q = q + t * q_stride;
            one.out = got + t * q_stride;
            k[v]->attend(&one);
        }
        same_bits(k[v]->name, got, wanted, tokens * q_stride);
        attend_parts(k[v], &a, got);
        same_bits(k[v]->name, got, wanted, tokens * q_stride);
    }
    xfree(store);
    xfree(q);
    xfree((void *)(uintptr_t)row);
    xfree(wanted);
    xfree(got);
    xfree(scratch);
}

static void test_attend(void **state)
{
    (void)state;
    static const uint32_t head_dim[] = {2, 8, 16, 24, 48, 64, 80}, group[] = {1, 2, 3, 8}, first[] = {0, 5, 16, 47};
    unsigned cases = 0;
    for (size_t a = 0; a < ARRAY_LEN(head_dim); a++)
        for (size_t b = 0; b < ARRAY_LEN(group); b++)
            for (size_t c = 0; c < ARRAY_LEN(first); c++, cases++)
                attend_case(head_dim[a], 1 + cases % 5, group[b], 1 + (cases * 5) % 37, first[c]);
    assert_int_equal(cases, 7 * 4 * 4);
    assert_true(compared >= 2 * cases);
    /* Narrow heads, four at a time, over the seams between runs of 128 positions. */
    for (uint32_t g = 1; g <= 9; g++, cases++)
        attend_case(8, g % 2 == 0 ? 4 : 8, g, 20, 120 + 128 * (g % 3));
    assert_true(compared >= 2 * cases);
}

static void test_elementwise(void **state)
{
    (void)state;
    const struct kernels *k[KERNELS_MAX];
    size_t count = versions(k);
    enum { MAX = 100 };
    for (uint32_t n = 1; n <= MAX; n++) {
        float x[MAX], w[MAX], b[MAX], wanted[MAX], got[MAX];
        for (uint32_t i = 0; i < n; i++) {
            x[i] = random_float() * (n % 3 == 0 ? 60.0f : 3.0f);
            w[i] = random_float();
            b[i] = random_float();
        }
        for (size_t v = 0; v < count; v++) {
            k[0]->rms_norm(x, w, n, 1e-6f, wanted);
            k[v]->rms_norm(x, w, n, 1e-6f, got);
            same_bits(k[v]->name, got, wanted, n);
            k[0]->layer_norm(x, w, b, n, 1e-5f, wanted);
            k[v]->layer_norm(x, w, b, n, 1e-5f, got);
            same_bits(k[v]->name, got, wanted, n);
            k[0]->swiglu(x, w, n, wanted);
            k[v]->swiglu(x, w, n, got);
            same_bits(k[v]->name, got, wanted, n);
            k[0]->gelu(x, n, wanted);
            k[v]->gelu(x, n, got);
            same_bits(k[v]->name, got, wanted, n);
        }
    }
    assert_int_equal(compared, MAX * count * 4);
}

static void test_rope(void **state)
{
    (void)state;
    const struct kernels *k[KERNELS_MAX];
    size_t count = versions(k);
    for (uint32_t head_dim = 2; head_dim <= 96; head_dim += 2) {
        float x[3 * 96], wanted[3 * 96], got[3 * 96], table[96];
        for (uint32_t i = 0; i < 3 * head_dim; i++)
            x[i] = random_float();
        for (uint32_t i = 0; i < head_dim; i++)
            table[i] = random_float();
        memcpy(wanted, x, sizeof x);
        k[0]->rope(wanted, table, 3, head_dim);
        for (size_t v = 0; v < count; v++) {
            memcpy(got, x, sizeof x);
            k[v]->rope(got, table, 3, head_dim);
            same_bits(k[v]->name, got, wanted, 3 * head_dim);
        }
    }
    assert_int_equal(compared, 48 * count);
}

/* The kernels' exp against the library's, seen through softmax weights: swiglu(x, 1) is x / (1 + e^-x). */
static void test_exp_is_close(void **state)
{
    (void)state;
    const struct kernels *k = kernels_portable();
    unsigned points = 0;
    for (float x = -90.0f; x < 90.0f; x += 0.0173f, points++) {
        float one = 1.0f, y;
        k->swiglu(&x, &one, 1, &y);
        double wanted = (double)x / (1 + exp(-(double)x));
        assert_true(fabs((double)y - wanted) <= 4e-7 * fabs(wanted) + 1e-35);
    }
    assert_true(points > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_matmul, setup),      cmocka_unit_test_setup(test_matmul_rows_are_independent, setup),
        cmocka_unit_test_setup(test_attend, setup),      cmocka_unit_test_setup(test_elementwise, setup),
        cmocka_unit_test_setup(test_rope, setup),        cmocka_unit_test_setup(test_exp_is_close, setup),
    };
    return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
