/* The metrics of a schedule, against figures worked out by hand: a world is filled with times, nothing runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "tape/serving.h"
#include "tape/tape_io.h"

static struct tape *tape;
static struct world *w;

static int make_world(void **state)
{
    struct world_config cfg = {.pool = 32, .page_size = 1};
    struct err e = {0};
    (void)state;
    tape = tape_new(&cfg, &e);
    w = tape != NULL ? tape->w : NULL;
    return tape != NULL ? 0 : -1;
}

static int drop_world(void **state)
{
    (void)state;
    tape_free(tape);
    return 0;
}

/* A request that came, had its first and its latest token at these milliseconds (0: not), of so many tokens. */
static uint32_t add(uint32_t state, uint32_t came, uint32_t first, uint32_t latest, uint32_t out, uint32_t gap)
{
    uint32_t r = w->head.request_top > 0 ? w->head.request_top : 1;
    w->head.request_top = r + 1;
    w->request[r] = (struct request){.rid = r, .state = state, .prompt_len = 4, .total_len = 4 + out, .max_new = 20};
    w->served[r] = (struct served){.arrived = {came * 1000, 0}, .first = {first * 1000, 0}, .latest = {latest * 1000, 0},
                                   .longest_gap = gap * 1000};
    return r;
}

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static void test_figures(void **state)
{
    (void)state;
    w->head.sched = 2;
    w->head.slo_first = 20000;
    w->head.slo_gap = 8000;
    w->head.now[0] = 100000;
    add(REQ_FINISHED, 0, 10, 30, 5, 6);        /* TTFT 10, gaps 20 ms over 4 */
    add(REQ_FINISHED, 5, 35, 45, 3, 7);        /* TTFT 30: too late */
    add(REQ_FINISHED, 10, 20, 40, 3, 12);      /* a gap too long */
    uint32_t cut = add(REQ_FINISHED, 10, 22, 22, 1, 0);
    w->request[cut].finish_reason = FINISH_NO_SLOTS; /* cut off: answered, not good */
    add(REQ_ABORTED, 20, 0, 0, 0, 0);
    add(REQ_REFUSED, 20, 0, 0, 0, 0);
    uint32_t old = add(REQ_WAITING, 40, 0, 0, 0, 0), young = add(REQ_WAITING, 60, 0, 0, 0, 0);
    w->served[old].passed = 3;
    w->served[young].passed = 1;
    w->served[young].retracted = 2;
    w->head.queue_first = young;
    w->served[young].next = old;
    w->head.queue_count = 2;
    struct serving m = serving_metrics(w);
    assert_true(near(m.now, 100) && near(m.first_mean, (10 + 30 + 10 + 12) / 4.0));
    assert_true(near(m.first_median, 11) && near(m.first_p99, 30));
    assert_true(near(m.gap_mean, (20 + 10 + 20) / 8.0) && near(m.gap_worst, 12));
    assert_true(near(m.tokens_per_s, 120) && near(m.good_per_s, 10));
    assert_int_equal(m.answered, 4);
    assert_int_equal(m.good, 1);
    assert_int_equal(m.refused + m.aborted, 2);
    assert_int_equal(m.waits_longest, old);
    assert_int_equal(m.passed_most, old);
    assert_int_equal(m.retractions, 2);
    assert_int_equal(m.firsts, 4);
}

static void collect(void *ctx, enum serving_style style, const char *text)
{
    buf_printf(ctx, "%d%s\n", (int)style, text);
}

static void test_lines(void **state)
{
    struct buf b = {0};
    (void)state;
    serving_tell((struct scene){w, tape->store}, w->head.queue_first, collect, &b);
    const char *queue = strstr(buf_text(&b), "0Waiting: 2");
    assert_non_null(queue);
    assert_true(strstr(queue, "2   1  r8") < strstr(queue, "1   2  r7")); /* in the queue's order, the asked one marked */
    assert_non_null(strstr(queue, "waits longest: r7"));
    assert_non_null(strstr(queue, "goodput 10.00 requests/s"));
    buf_free(&b);
    w->served[w->served[w->head.queue_first].next].next = w->head.queue_first; /* a damaged list ends, too */
    serving_tell((struct scene){w, tape->store}, 0, collect, &b);
    assert_true(b.len > 0 && b.len < 8000);
    buf_free(&b);
    w->head.sched = 0;
    serving_tell((struct scene){w, tape->store}, 0, collect, &b);
    assert_non_null(strstr(buf_text(&b), "one at a time"));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_figures), cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, make_world, drop_world);
}
