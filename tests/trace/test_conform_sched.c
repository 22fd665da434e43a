/* Conformance of the scheduler: recordings made by another model (sched_recorder.h) and, where they are at hand, those
 * of the real SGLang; and every field that is compared is changed once, to see that it is.
 *
 *   GENERATE=tests/trace/data build/tests/trace/test_conform_sched      writes the committed set again
 *   (then: zstd -19 --rm tests/trace/data/sched….jsonl) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "sched_recorder.h"
#include "trace/conform.h"

#define DATA "tests/trace/data"
#define REAL "../shared/reference/sglang/sched"

static char work[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(work, sizeof work, "/tmp/radixscope-sched-XXXXXX");
    return mkdtemp(work) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(work);
}

static unsigned long agrees(const char *path, const struct conform_options *opt)
{
    struct conform_result r = {0};
    struct err e = {0};
    if (conform_file(path, opt, &r, &e) != 0)
        fail_msg("%s", e.what);
    if (r.differs)
        fail_msg("%s", r.what);
    if (opt->tape)
        assert_true(r.steps > r.ops);
    return r.ops;
}

static int replay(const char *text, size_t len, const struct conform_options *opt, struct conform_result *r, struct err *e)
{
    char path[128];
    snprintf(path, sizeof path, "%s/sched.jsonl", work);
    assert_int_equal(file_write(path, text, len, e), 0);
    int rc = conform_file(path, opt, r, e);
    unlink(path);
    return rc;
}

static void test_committed(void **state)
{
    struct conform_options opt = {.tape = true, .check = true};
    (void)state;
    if (getenv("GENERATE") != NULL)
        for (uint32_t seed = 1; seed <= 2; seed++) {
            struct buf b = {0};
            struct err e = {0};
            char path[256];
            snprintf(path, sizeof path, "%s/sched_%u.jsonl", getenv("GENERATE"), seed);
            sched_record(seed, 60, &b);
            assert_int_equal(file_write(path, b.data, b.len, &e), 0);
            buf_free(&b);
        }
    assert_int_equal(agrees(DATA "/sched_1.jsonl.zst", &opt) + agrees(DATA "/sched_2.jsonl.zst", &opt), 120);
}

static void test_fresh(void **state)
{
    const char *seed = getenv("SEED");
    uint32_t from = seed != NULL ? (uint32_t)strtoul(seed, NULL, 10) : 100;
    unsigned long cases = 0;
    (void)state;
    for (uint32_t k = 0; k < 4; k++) {
        struct buf b = {0};
        struct conform_options opt = {.tape = k == 0, .check = true};
        struct conform_result r = {0};
        struct err e = {0};
        sched_record(from + k, 100, &b);
        if (replay(b.data, b.len, &opt, &r, &e) != 0 || r.differs)
            fail_msg("seed %u: %s%s", from + k, r.what, e.what);
        cases += r.ops;
        buf_free(&b);
    }
    assert_int_equal(cases, 400);
}

static void test_recordings_of_sglang(void **state)
{
    glob_t g;
    struct conform_options opt = {.check = true};
    unsigned long cases = 0;
    (void)state;
    if (glob(REAL "/*.zst", 0, NULL, &g) != 0)
        skip();
    for (size_t i = 0; i < g.gl_pathc; i++)
        cases += agrees(g.gl_pathv[i], &opt);
    assert_true(cases >= 1800);
    print_message("  %lu scheduling cases of SGLang agree\n", cases);
    globfree(&g);
}

/* ---- what is compared ------------------------------------------------------------------------------------------- */

/* Change what stands behind the last `field` of some case from line `line` on: a digit, or a letter of a word. */
static bool change(struct buf *b, const char *field, unsigned skip)
{
    char *at = b->data;
    for (; (at = strstr(at, field)) != NULL; at += strlen(field)) {
        char *v = at + strlen(field);
        while (*v == '[' || *v == ' ' || *v == '"' || *v == '{' || *v == 'r')
            v++;
        if (!((*v >= '0' && *v <= '9') || (*v >= 'a' && *v <= 'z') || (*v >= 'A' && *v <= 'Z')) || skip-- > 0)
            continue;
        if (strncmp(v, "true", 4) == 0)
            memcpy(v, "null", 4);
        else if (strncmp(v, "null", 4) == 0)
            memcpy(v, "true", 4);
        else if (strncmp(v, "false", 5) == 0)
            memcpy(v, " true", 5);
        else
            *v = *v == '9' ? '8' : *v >= '0' && *v < '9' ? (char)(*v + 1) : *v == 'x' ? 'q' : 'x';
        return true;
    }
    return false;
}

static void test_every_field_counts(void **state)
{
    static const char *const fields[] = {
        "\"active_policy\": ", "\"num_matched\": {\"r0\": ", "\"deprioritized\": [\"", "\"order\": ", "\"admission\": [{\"rid\": ",
        "\"prefix\": ", "\"result\": ", "\"added\": ", "\"extend\": ", "\"chunked\": ", "\"rem_total\": ", "\"cur_rem\": ",
        "\"rem_input\": ", "\"rem_chunk\": ", "\"log_hit_tokens\": ", "\"log_input_tokens\": ", "\"evictable\": ",
        "\"protected\": ", "\"avail\": ", "\"tree\": [[0, -1, null, [], [], ",
    };
    unsigned noticed = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        for (unsigned nth = 0; nth < 5; nth++) {
            struct buf b = {0};
            struct conform_options opt = {0};
            struct conform_result r = {0};
            struct err e = {0};
            sched_record(7, 60, &b);
            if (!change(&b, fields[i], nth))
                fail_msg("no place %u to change %s", nth, fields[i]);
            if (replay(b.data, b.len, &opt, &r, &e) != 0 || !r.differs)
                fail_msg("a changed %s (%u) was not noticed %s", fields[i], nth, e.what);
            assert_true(strstr(r.what, ": case ") != NULL && strstr(r.what, "recorded ") != NULL);
            noticed++;
            buf_free(&b);
        }
    assert_int_equal(noticed, 5 * ARRAY_LEN(fields));
}

static void test_no_case(void **state)
{
    static const struct {
        const char *line, *says;
    } bad[] = {
        {"{\"type\": \"op\"}", "no case of the scheduler"},
        {"{\"type\": \"sched\"}", "\"page_size\""},
        {"{\"type\": \"sched\", \"page_size\": 1, \"pool\": 0}", "pool"},
        {"{\"type\": \"sched\", \"page_size\": 1, \"pool\": 8, \"inserts\": [[[1,2,3,4,5,6,7,8,9], null]]}", "\"inserts\""},
        {"{\"type\": \"sched\", \"page_size\": 1, \"pool\": 8, \"inserts\": [], \"queue\": [], \"policy\": \"random\"}", "random"},
        {"{\"type\": \"sched\", \"page_size\": 1, \"pool\": 8, \"inserts\": [], \"queue\": [], \"policy\": \"priority\"}", "\"policy\""},
        {"{\"type\": \"sched\", \"page_size\": 1, \"pool\": 8, \"inserts\": [], \"queue\": [{\"tokens\": [-1]}]}", "\"tokens\""},
        {"{\"type\": \"sched\", \"page_size\": 1, \"pool\": 8, \"inserts\": [], \"queue\": [{\"tokens\": [1], \"max_new_tokens\": "
         "1}]}", "\"queue\""},
    };
    size_t cases = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++, cases++) {
        struct buf b = {0};
        struct conform_options opt = {0};
        struct conform_result r = {0};
        struct err e = {0};
        buf_printf(&b, "{\"type\": \"config\", \"cases\": 1}\n%s\n", bad[i].line);
        assert_int_equal(replay(b.data, b.len, &opt, &r, &e), -1);
        if (strstr(e.what, bad[i].says) == NULL || strstr(e.what, "sched.jsonl") == NULL)
            fail_msg("case %zu: %s", i, e.what);
        buf_free(&b);
    }
    assert_int_equal(cases, 8);
}

static void test_no_memory_for_a_case(void **state)
{
    unsigned long injected = 0;
    struct buf b = {0};
    (void)state;
    sched_record(3, 4, &b);
    for (unsigned long n = 1;; n++) {
        struct conform_options opt = {.tape = true, .check = true};
        struct conform_result r = {0};
        struct err e = {0};
        char path[128];
        snprintf(path, sizeof path, "%s/sched.jsonl", work);
        assert_int_equal(file_write(path, b.data, b.len, &e), 0);
        xalloc_fail_at(n, false);
        int rc = conform_file(path, &opt, &r, &e);
        unsigned long failed = xalloc_failures();
        xalloc_fail_at(0, false);
        unlink(path);
        injected += failed;
        assert_int_equal(rc != 0, e.set);
        assert_false(r.differs);
        if (failed == 0)
            assert_int_equal(rc, 0);
        if (failed == 0)
            break;
    }
    assert_true(injected > 20);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_committed),          cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_recordings_of_sglang), cmocka_unit_test(test_every_field_counts),
        cmocka_unit_test(test_no_case),            cmocka_unit_test(test_no_memory_for_a_case),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
