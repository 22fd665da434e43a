/* The numbers over time against what the requests and the world say, in runs with fewer and with more steps
 * than there are buckets, read at once and in small parts. */
#include "tests/ui/scene.h"

#include "ui/series.h"
#include "ui/view.h"

static void scene_fan_90(struct stage *g)
{
    scene_fan(g, 90);
}

/* Sums by other means: of the requests answered so far, and of the KV rows the pretended model wrote. */
static void sums_are_the_requests(void **state)
{
    (void)state;
    void (*const scenes[])(struct stage *) = {scene_three, scene_evict, scene_fan_90};
    bool merged = false;
    size_t answers = 0;
    for (size_t k = 0; k < ARRAY_LEN(scenes); k++) {
        struct stage g;
        struct series *s = calloc(1, sizeof *s);
        uint64_t looked = 0, found = 0;
        scenes[k](&g);
        while (!series_read(s, g.t, 0, 7))
            ;
        uint32_t length = tape_length(g.t, 0);
        assert_int_equal(s->read, length);
        merged |= s->stride > 1;
        assert_true(length <= (uint64_t)s->stride * SERIES_BUCKETS);
        for (uint32_t n = 1; n <= length; n++) {
            struct step step;
            tape_step(g.t, 0, n, &step);
            if (step.kind != EV_ANSWER)
                continue;
            found += step.arg[event_arg(EV_ANSWER, "cached")];
            looked += step.arg[event_arg(EV_ANSWER, "cached")] + step.arg[event_arg(EV_ANSWER, "computed")];
            struct numbers now = series_sums(s, g.t, n);
            assert_int_equal(now.n[NUM_FOUND], found);
            assert_int_equal(now.n[NUM_LOOKED], looked);
            answers++;
        }
        assert_int_equal(s->last.n[NUM_COMPUTED], g.kv);
        series_done(s);
        free(s);
        stage_close(&g);
    }
    assert_true(merged && answers > 90);
}

/* Each bucket holds the moment of its last step. */
static void buckets_are_the_moments(void **state)
{
    (void)state;
    struct stage g;
    struct cursor c;
    struct series *s = calloc(1, sizeof *s);
    scene_fan_90(&g);
    assert_int_equal(cursor_init(&c, g.t, NULL), 0);
    assert_true(series_read(s, g.t, 0, UINT32_MAX));
    size_t compared = 0;
    for (uint32_t n = s->stride; n <= s->read; n += s->stride, compared++) {
        struct numbers near = series_near(s, n), sums = series_sums(s, g.t, n);
        cursor_seek(&c, 0, n);
        numbers_slots(cursor_scene(&c).w, &sums);
        assert_memory_equal(near.n, sums.n, sizeof near.n);
        assert_int_equal(near.n[NUM_FREE] + near.n[NUM_HELD] + near.n[NUM_EVICTABLE] + near.n[NUM_PROTECTED], 8192);
    }
    assert_true(compared > 100);
    cursor_done(&c);
    series_done(s);
    free(s);
    stage_close(&g);
}

/* A column is a step; the ends of the line are the ends of the run. */
static void columns_are_steps(void **state)
{
    (void)state;
    for (int columns = 2; columns < 200; columns++) {
        uint32_t last = 0;
        assert_int_equal(numbers_step(columns, 0, 1000000), 0);
        assert_int_equal(numbers_step(columns, columns - 1, 1000000), 1000000);
        for (int i = 1; i < columns; i++) {
            assert_true(numbers_step(columns, i, 1000000) > last);
            last = numbers_step(columns, i, 1000000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_the_requests),
        cmocka_unit_test(buckets_are_the_moments),
        cmocka_unit_test(columns_are_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
