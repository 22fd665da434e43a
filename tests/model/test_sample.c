/* Sampling: greedy, the filters, the penalty, seeds, stop strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "model/sample.h"

enum { VOCAB = 6, DRAWS = 20000 };
static const float logits[VOCAB] = {1.0f, 3.0f, 2.0f, 3.0f, -1.0f, 0.0f};

static struct sample_params plain(double temperature)
{
    struct sample_params p = sample_greedy();
    p.temperature = temperature;
    return p;
}

static void count_draws(const struct sample_params *p, unsigned count[VOCAB])
{
    struct err e = {0};
    struct sampler *s = sampler_new(p, VOCAB, &e);
    assert_non_null(s);
    memset(count, 0, VOCAB * sizeof *count);
    for (int i = 0; i < DRAWS; i++)
        count[sampler_next(s, logits, NULL, 0)]++;
    sampler_free(s);
}

static void test_greedy_takes_the_lowest_of_equals(void **state)
{
    (void)state;
    struct sample_params p = sample_greedy();
    unsigned count[VOCAB];
    assert_int_equal(sample_argmax(logits, VOCAB), 1);
    count_draws(&p, count);
    assert_int_equal(count[1], DRAWS);
}

static void test_draws_follow_the_softmax(void **state)
{
    (void)state;
    struct sample_params p = plain(0.8);
    unsigned count[VOCAB];
    double sum = 0;
    for (int i = 0; i < VOCAB; i++)
        sum += exp((double)logits[i] / 0.8);
    count_draws(&p, count);
    for (int i = 0; i < VOCAB; i++)
        assert_true(fabs(count[i] / (double)DRAWS - exp((double)logits[i] / 0.8) / sum) < 0.012);
}

static void test_filters(void **state)
{
    (void)state;
    unsigned count[VOCAB];
    struct sample_params p = plain(1);
    p.top_k = 3;
    count_draws(&p, count);
    assert_true(count[1] > 0 && count[2] > 0 && count[3] > 0 && count[0] + count[4] + count[5] == 0);
    p = plain(1);
    p.top_k = 1; /* the lowest id of the two best */
    count_draws(&p, count);
    assert_int_equal(count[1], DRAWS);
    p = plain(1);
    p.top_p = 0.5; /* one best has 0.40, two have 0.80 */
    count_draws(&p, count);
    assert_true(count[1] > 0 && count[3] > 0 && count[1] + count[3] == DRAWS);
    p = plain(1);
    p.min_p = 0.3; /* exp(-1) of the best stays, exp(-2) does not */
    count_draws(&p, count);
    assert_true(count[2] > 0 && count[0] + count[4] + count[5] == 0);
}

/* Large vocabularies are put in order only in part: the same tokens must stay as when all are sorted. */
static int by_logit(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return x[0] != y[0] ? (x[0] > y[0] ? -1 : 1) : (x[1] < y[1] ? -1 : 1);
}

static void test_filters_of_a_large_vocabulary(void **state)
{
    (void)state;
    enum { LARGE = 3000, ROUNDS = 60, TRIES = 200 };
    static float large[LARGE], sorted[LARGE][2];
    struct prng r;
    struct err e = {0};
    unsigned inside = 0;
    prng_seed(&r, 6);
    for (int round = 0; round < ROUNDS; round++) {
        double sum = 0, reached = 0, top_p = 0.2 + 0.013 * round;
        uint32_t top_k = round % 2 == 0 ? 0 : 1 + prng_below(&r, LARGE), last = 0, k = top_k > 0 ? top_k : LARGE;
        for (int i = 0; i < LARGE; i++) { /* many equal logits */
            large[i] = (float)prng_below(&r, 40 + 7 * (uint32_t)round) * 0.05f;
            sorted[i][0] = large[i];
            sorted[i][1] = (float)i;
        }
        qsort(sorted, LARGE, sizeof sorted[0], by_logit);
        for (uint32_t i = 0; i < k; i++)
            sum += exp((double)sorted[i][0]);
        while (last < k && reached < top_p * sum * (1 - 1e-12))
            reached += exp((double)sorted[last++][0]);
        struct sample_params p = plain(1);
        p.top_k = top_k;
        p.top_p = top_p;
        p.seed = (uint64_t)round;
        struct sampler *s = sampler_new(&p, LARGE, &e);
        for (int t = 0; t < TRIES; t++, inside++) {
            uint32_t drawn = sampler_next(s, large, NULL, 0);
            float key[2] = {large[drawn], (float)drawn};
            assert_true(by_logit(key, sorted[last - 1]) <= 0 || drawn == (uint32_t)sorted[last - 1][1]);
        }
        sampler_free(s);
    }
    assert_int_equal(inside, ROUNDS * TRIES);
}

static void test_repetition_penalty(void **state)
{
    (void)state;
    struct sample_params p = sample_greedy();
    struct err e = {0};
    static const uint32_t history[] = {1, 1, 1, 4, 99};
    p.repetition_penalty = 1.2;
    struct sampler *s = sampler_new(&p, VOCAB, &e);
    assert_int_equal(sampler_next(s, logits, history, 5), 3);
    assert_int_equal(sampler_next(s, logits, history, 0), 1); /* nothing is remembered */
    static const float close[3] = {1.0f, 1.1f, -5.0f};
    static const uint32_t thrice[] = {1, 1, 1};
    sampler_free(s);
    p.repetition_penalty = 1.05; /* each token once: 1.1 / 1.05 stays above 1, 1.1 / 1.05^3 would not */
    s = sampler_new(&p, 3, &e);
    assert_int_equal(sampler_next(s, close, thrice, 3), 1);
    sampler_free(s);
}

static void test_the_seed_decides(void **state)
{
    (void)state;
    struct sample_params p = plain(1.5);
    struct err e = {0};
    unsigned different = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        p.seed = seed;
        struct sampler *a = sampler_new(&p, VOCAB, &e), *b = sampler_new(&p, VOCAB, &e);
        p.seed = seed + 1000;
        struct sampler *other = sampler_new(&p, VOCAB, &e);
        for (int i = 0; i < 50; i++) {
            uint32_t drawn = sampler_next(a, logits, NULL, 0);
            assert_int_equal(drawn, sampler_next(b, logits, NULL, 0));
            different += drawn != sampler_next(other, logits, NULL, 0);
        }
        sampler_free(a);
        sampler_free(b);
        sampler_free(other);
    }
    assert_true(different > 200);
}

static void test_ranges(void **state)
{
    (void)state;
    struct {
        struct sample_params p;
        const char *about;
    } cases[] = {
        {{-1, 0, 1, 0, 1, 0}, "temperature is -1"}, {{1, 0, 0, 0, 1, 0}, "top-p is 0"},
        {{1, 0, 1.5, 0, 1, 0}, "top-p is 1.5"},     {{1, 0, 1, 2, 1, 0}, "min-p is 2"},
        {{1, 0, 1, 0, 0, 0}, "penalty is 0"},       {{(double)NAN, 0, 1, 0, 1, 0}, "temperature is"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        assert_null(sampler_new(&cases[i].p, VOCAB, &e));
        assert_non_null(strstr(e.what, cases[i].about));
    }
}

static void test_top(void **state)
{
    (void)state;
    uint32_t ids[8];
    float p[8], sum = 0;
    assert_int_equal(sample_top(logits, VOCAB, 8, ids, p), VOCAB);
    static const uint32_t order[VOCAB] = {1, 3, 2, 0, 5, 4};
    assert_memory_equal(ids, order, sizeof order);
    for (int i = 0; i < VOCAB; i++)
        sum += p[i];
    assert_true(fabsf(sum - 1) < 1e-5f);
    assert_int_equal(sample_top(logits, VOCAB, 2, ids, p), 2);
}

static void test_stop_strings(void **state)
{
    (void)state;
    static const char *const stops[] = {"END", "\n\n", ""};
    static const char text[] = "one END two\n\nEND";
    assert_int_equal(sample_find_stop(text, 16, 0, stops, 3), 4);
    assert_int_equal(sample_find_stop(text, 6, 0, stops, 3), 6);   /* not whole yet */
    assert_int_equal(sample_find_stop(text, 7, 6, stops, 3), 4);   /* the last byte made it whole */
    assert_int_equal(sample_find_stop(text, 16, 8, stops, 3), 11); /* what was seen is not looked at again */
    assert_int_equal(sample_find_stop(text, 0, 0, stops, 3), 0);
    assert_int_equal(sample_find_stop(text, 16, 0, NULL, 0), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy_takes_the_lowest_of_equals),
        cmocka_unit_test(test_draws_follow_the_softmax),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_filters_of_a_large_vocabulary),
        cmocka_unit_test(test_repetition_penalty),
        cmocka_unit_test(test_the_seed_decides),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_top),
        cmocka_unit_test(test_stop_strings),
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
