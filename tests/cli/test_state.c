/* State strings: what is written can be read and is written the same again; whatever else is refused with a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "cli/state_string.h"

static char *random_text(struct prng *r, uint32_t most, bool lines)
{
    uint32_t n = prng_below(r, most);
    char *text = xmalloc(n + 1);
    for (uint32_t i = 0; i < n; i++) {
        text[i] = (char)(1 + prng_below(r, 255));
        if (text[i] == '\n' && !lines)
            text[i] = ' ';
    }
    text[n] = '\0';
    return text;
}

static struct scene_string random_state(struct prng *r)
{
    struct scene_string s = {.branch = (int)prng_below(r, 9), .at = prng_below(r, 2000000), .view = prng_below(r, INT32_MAX),
                      .beside = (int)prng_below(r, 5)};
    if (prng_below(r, 2) == 0)
        s.scene = xstrdup("shared-system-prompt");
    else
        s.script = random_text(r, 3000, true);
    for (int i = 0; i < OPT_COUNT; i++)
        if (rx_keeps((enum cli_option)i) && prng_below(r, 4) == 0)
            s.option[i] = random_text(r, 20, true);
    for (uint32_t i = prng_below(r, 5); i > 0; i--) {
        char *line = random_text(r, 80, false);
        assert_int_equal(rx_log_add(&s.log, (int)prng_below(r, 7), prng_below(r, 500), line, NULL), 0);
        xfree(line);
    }
    return s;
}

static void round_trip(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 11);
    for (int i = 0; i < 400; i++) {
        struct scene_string s = random_state(&r), t;
        struct buf once = {0}, twice = {0};
        struct err e = {0};
        assert_int_equal(rx_write(&s, &once, &e), 0);
        assert_true(rx_is(buf_text(&once)));
        assert_null(strpbrk(buf_text(&once), " \n\t\"'$"));
        if (rx_read(buf_text(&once), &t, &e) != 0)
            fail_msg("%s", e.what);
        assert_int_equal(t.at, s.at);
        assert_int_equal(t.log.count, s.log.count);
        assert_int_equal(t.scene == NULL, s.scene == NULL);
        assert_true(s.script == NULL || strcmp(t.script, s.script) == 0);
        for (size_t k = 0; k < s.log.count; k++)
            assert_string_equal(t.log.line[k].line, s.log.line[k].line);
        assert_int_equal(rx_write(&t, &twice, &e), 0);
        assert_string_equal(buf_text(&once), buf_text(&twice));
        rx_done(&s);
        rx_done(&t);
        buf_free(&once);
        buf_free(&twice);
    }
}

/* One letter changed, added or missing anywhere: refused, and nothing is left. */
static void damage(void **state)
{
    (void)state;
    struct prng r;
    int refused = 0;
    prng_seed(&r, 12);
    for (int i = 0; i < 6; i++) {
        struct scene_string s = random_state(&r), t;
        struct buf b = {0};
        assert_int_equal(rx_write(&s, &b, NULL), 0);
        for (size_t k = 0; k < b.len; k += 1 + b.len / 300) {
            struct buf bad = {0};
            struct err e = {0};
            buf_add(&bad, b.data, b.len);
            buf_text(&bad);
            switch (prng_below(&r, 3)) {
            case 0: bad.data[k] = bad.data[k] == 'A' ? 'B' : 'A'; break;
            case 1: bad.data[k] = '\0'; break;
            default: buf_puts(&bad, "AAAA"); break;
            }
            assert_int_equal(rx_read(buf_text(&bad), &t, &e), -1);
            assert_true(e.set && strchr(e.what, '\n') == NULL);
            assert_true(t.scene == NULL && t.script == NULL && t.log.count == 0);
            refused++;
            buf_free(&bad);
        }
        rx_done(&s);
        buf_free(&b);
    }
    assert_true(refused > 500);
}

static void versions(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        bool is;
    } CASES[] = {
        {"rx2:AAAA", "newer radixscope (rx2", true}, {"rx1:", "cut off", true}, {"rx1:AAAAAAAAAAAA", "checksum", true},
        {"rx1:AA!A", "'!' cannot stand", true},      {"rx:AAAA", "no state string", false}, {"hello", "no state string", false},
        {"rx1:A", "cut off", true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct scene_string s;
        struct err e = {0};
        assert_int_equal(rx_is(CASES[i].text), CASES[i].is);
        assert_int_equal(rx_read(CASES[i].text, &s, &e), -1);
        assert_non_null(strstr(e.what, CASES[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(damage), cmocka_unit_test(versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
