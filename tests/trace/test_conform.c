/* Conformance: recordings made by the naive model (recorder.h) and, where they are at hand, those of the
 * real SGLang; and what is said about files that differ, are damaged, or are of another kind.
 *
 *   GENERATE=tests/trace/data build/tests/trace/test_conform      writes the committed set again
 *   (then: zstd -19 --rm tests/trace/data/…jsonl) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "recorder.h"
#include "trace/conform.h"

#define DATA "tests/trace/data"
#define REAL "../shared/reference/sglang"

static char work[64]; /* a folder of our own */
static unsigned long all_ops;

static int make_folder(void **state)
{
    (void)state;
    snprintf(work, sizeof work, "/tmp/radixscope-conform-XXXXXX");
    return mkdtemp(work) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(work);
}

/* Replay a file that must agree. */
static void agrees(const char *path, const struct conform_options *opt)
{
    struct conform_result r = {0};
    struct err e = {0};
    if (conform_file(path, opt, &r, &e) != 0)
        fail_msg("%s", e.what);
    if (r.differs)
        fail_msg("%s", r.what);
    assert_true(r.ops > 0);
    if (opt->tape)
        assert_true(r.steps > r.ops);
    all_ops += r.ops;
}

static void write_text(char *path, size_t size, const char *name, const void *text, size_t len)
{
    struct err e = {0};
    snprintf(path, size, "%s/%s", work, name);
    assert_int_equal(file_write(path, text, len, &e), 0);
}

/* ---- the committed set ----------------------------------------------------------------------------------- */

static struct rec_config setting(uint32_t k, uint32_t ops)
{
    static const uint32_t sizes[] = {1, 2, 4, 16, 64};
    struct rec_config c = {.seed = 1000 + k, .ops = ops, .dump_every = 5, .alphabet = 3};
    c.w.policy = k % POLICY_COUNT;
    c.w.rules = k / POLICY_COUNT % 2;
    c.w.page_size = sizes[k % ARRAY_LEN(sizes)];
    c.w.bigram = k % 3 == 1;
    c.w.need_sort = k % 4 == 2;
    c.events = c.w.rules == RULES_CLASSIC && k % 2 == 0;
    c.w.sessions = c.w.rules == RULES_CLASSIC && c.w.policy == POLICY_PRIORITY;
    c.max_len = 3 * c.w.page_size + 8 < 120 ? 3 * c.w.page_size + 8 : 120;
    c.w.pool = c.w.page_size * (c.w.page_size > 4 ? 24 : 64);
    return c;
}

enum { COMMITTED = 14 };

static void generate(const char *folder)
{
    for (uint32_t k = 0; k < COMMITTED; k++) {
        struct rec_config c = setting(k, 160);
        struct buf b = {0};
        struct err e = {0};
        char path[256];
        record(&c, &b);
        snprintf(path, sizeof path, "%s/%s_%s_p%u%s%s%s%s.jsonl", folder,
                 c.w.rules == RULES_UNIFIED ? "unified" : "classic", policy_name(c.w.policy), c.w.page_size,
                 c.w.bigram ? "_bigram" : "", c.w.need_sort ? "_need_sort" : "", c.events ? "_events" : "",
                 c.w.sessions ? "_sessions" : "");
        assert_int_equal(file_write(path, b.data, b.len, &e), 0);
        buf_free(&b);
    }
}

static void test_committed_recordings(void **state)
{
    glob_t g;
    struct conform_options opt = {.tape = true, .check = true};
    (void)state;
    if (getenv("GENERATE") != NULL)
        generate(getenv("GENERATE"));
    assert_int_equal(glob(DATA "/[cu]*.jsonl.zst", 0, NULL, &g), 0);
    for (size_t i = 0; i < g.gl_pathc; i++)
        agrees(g.gl_pathv[i], &opt);
    assert_int_equal(g.gl_pathc, COMMITTED);
    globfree(&g);
}

/* ---- fresh ones: any seed, any setting --------------------------------------------------------------------- */

static void test_fresh_recordings(void **state)
{
    const char *seed = getenv("SEED");
    uint32_t from = seed != NULL ? (uint32_t)strtoul(seed, NULL, 10) : 1, cases = 0;
    (void)state;
    for (uint32_t k = 0; k < 70; k++, cases++) {
        struct conform_options opt = {.tape = k % 7 == 0, .check = true};
        struct rec_config c = setting(k, 80);
        struct buf b = {0};
        char path[128];
        c.seed += 5000 * from;
        c.w.need_sort = k % 3 == 0;
        c.w.bigram = k / 3 % 2 == 0;
        record(&c, &b);
        write_text(path, sizeof path, "fresh.jsonl", b.data, b.len);
        agrees(path, &opt);
        unlink(path);
        buf_free(&b);
    }
    assert_int_equal(cases, 70);
}

/* A small pool whose slots are sorted back (need_sort): every allocation that fails shows in the slots after it. A
 * skipped insert has tried to allocate in every second recording; conform must find out which. */
static void test_failed_allocations(void **state)
{
    uint32_t no_memory = 0, skipped = 0;
    (void)state;
    for (uint32_t k = 0; k < 60; k++) {
        struct conform_options opt = {.check = true};
        struct rec_config c = setting(k, 200);
        struct buf b = {0};
        char path[128];
        c.w.page_size = k % 3 == 0 ? 1 : 2;
        c.w.pool = 24;
        c.max_len = 20;
        c.w.need_sort = true;
        c.tries = k % 2 == 0;
        c.dump_every = 50;
        record(&c, &b);
        write_text(path, sizeof path, "full.jsonl", b.data, b.len);
        agrees(path, &opt);
        for (const char *at = b.data; (at = strstr(at, "no_memory")) != NULL; at++)
            no_memory++;
        for (const char *at = b.data; (at = strstr(at, "insert_skipped")) != NULL; at++)
            skipped++;
        unlink(path);
        buf_free(&b);
    }
    assert_true(no_memory > 20 && skipped > 200);
}

/* A pool that is no whole number of pages has the whole ones; blank lines say nothing; a row is as long as the
 * longest answer needs, whatever the pool. */
static void test_unusual_files(void **state)
{
    struct conform_options opt = {.tape = true, .check = true};
    struct rec_config c = setting(2, 60); /* pages of 4 */
    struct buf b = {0}, odd = {0};
    char path[128];
    (void)state;
    record(&c, &b);
    const char *pool = strstr(b.data, "\"pool\": 256"), *end = strchr(b.data, '\n') + 1;
    assert_non_null(pool);
    buf_add(&odd, b.data, (size_t)(pool - b.data));
    buf_puts(&odd, "\"pool\": 259");
    buf_add(&odd, pool + 11, (size_t)(end - pool) - 11);
    buf_puts(&odd, " \t\r\n");
    buf_puts(&odd, end);
    buf_puts(&odd, "\n");
    write_text(path, sizeof path, "odd.jsonl", odd.data, odd.len);
    agrees(path, &opt);
    unlink(path);
    buf_free(&b);
    buf_free(&odd);

    char packed[256];
    struct conform_result r = {0};
    struct err e = {0};
    size_t n = ZSTD_compress(packed, sizeof packed, "{}\n", 3, 1);
    write_text(path, sizeof path, "renamed", packed, n); /* no .zst behind its name */
    assert_int_equal(conform_file(path, &opt, &r, &e), -1);
    assert_non_null(strstr(e.what, "its first line is not a config"));
    unlink(path);

    buf_puts(&b, "{\"type\": \"config\", \"impl\": \"radix\", \"policy\": \"lru\", \"page_size\": 1, \"pool\": 20000000}\n");
    for (int i = 0; i < 8; i++) /* eight rows as long as the pool would be more than there is room for */
        buf_printf(&b, "{\"i\": %d, \"op\": \"start\", \"rid\": %d, \"tokens\": [%d], \"extra\": null, \"priority\": 0, "
                       "\"session\": null, \"limit\": 0, \"matched\": 0, \"indices\": [], \"node\": 0, \"admitted\": true, "
                       "\"lock_delta\": 0, \"extend_to\": 1, \"new_slots\": [%d], \"frees\": [], \"evicted\": [], "
                       "\"evictable\": 0, \"protected\": 0, \"avail\": %d, \"clock\": 2}\n", i, i, i, i + 1, 19999999 - i);
    opt = (struct conform_options){0};
    write_text(path, sizeof path, "large.jsonl", b.data, b.len);
    agrees(path, &opt);
    unlink(path);
    buf_free(&b);
}

/* ---- the real SGLang ------------------------------------------------------------------------------------------ */

static void test_recordings_of_sglang(void **state)
{
    glob_t g;
    struct conform_options opt = {.check = true}, taped = {.tape = true};
    (void)state;
    if (glob(REAL "/cache/*.zst", 0, NULL, &g) != 0)
        skip();
    assert_int_equal(glob(REAL "/unified/*.zst", GLOB_APPEND, NULL, &g), 0);
    all_ops = 0;
    for (size_t i = 0; i < g.gl_pathc; i++) /* some with the tape; all of them: conform --tape --check */
        agrees(g.gl_pathv[i], i % 25 == 0 ? &taped : &opt);
    assert_true(g.gl_pathc >= 100 && all_ops > 50000);
    print_message("  %zu recordings of SGLang, %lu operations agree\n", g.gl_pathc, all_ops);
    globfree(&g);
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

static struct buf sample(void)
{
    struct rec_config c = setting(0, 60);
    struct buf b = {0};
    c.dump_every = 1;
    c.events = true;
    record(&c, &b);
    return b;
}

/* The place of line `line` (from 1) in text. */
static char *line_at(char *text, unsigned line)
{
    for (; line > 1; line--)
        text = strchr(text, '\n') + 1;
    return text;
}

/* Change the first digit after the field's name in the first line from `line` on that has the field with
 * a number; returns the line, 0 when there is none. */
static unsigned perturb(char *text, const char *field, unsigned line)
{
    char name[64];
    snprintf(name, sizeof name, "\"%s\": ", field);
    for (char *at = line_at(text, line); *at != '\0'; at = strchr(at, '\n') + 1, line++) {
        char *end = strchr(at, '\n'), *found = strstr(at, name);
        if (found == NULL || found > end)
            continue;
        for (found += strlen(name); found < end && strchr("[{, ", *found) != NULL; found++)
            ;
        if (*found < '0' || *found > '9')
            continue;
        *found = *found == '9' ? '8' : *found == '0' && found[1] >= '0' && found[1] <= '9' ? '1' : (char)(*found + 1);
        return line;
    }
    return 0;
}

static void test_differences_are_found(void **state)
{
    static const char *const fields[] = {"matched", "indices",   "node",    "num_evicted", "prefix_len", "delta",
                                         "evictable", "protected", "avail",   "clock",       "new_slots",  "lock_delta",
                                         "row",     "protected_len", "prefix_indices", "tree"};
    size_t found = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct buf b = sample();
        char path[128], where[160];
        struct conform_result r = {0};
        struct err e = {0};
        struct conform_options opt = {0};
        unsigned line = perturb(b.data, fields[i], 2);
        assert_true(line > 0);
        write_text(path, sizeof path, "changed.jsonl", b.data, b.len);
        int rc = conform_file(path, &opt, &r, &e);
        if (rc != 0 || !r.differs)
            fail_msg("a changed %s in line %u was not noticed", fields[i], line);
        snprintf(where, sizeof where, "%s:%u: operation %u, ", path, line, line - 2);
        assert_non_null(strstr(r.what, where));
        assert_non_null(strstr(r.what, fields[i]));
        assert_true(strstr(r.what, "recorded ") != NULL && strstr(r.what, "radixscope ") != NULL);
        found++;
        unlink(path);
        buf_free(&b);
    }
    assert_int_equal(found, ARRAY_LEN(fields));
}

static void test_events_and_victims_count(void **state)
{
    static const char *const what[] = {"BlockRemoved", "BlockStored", "\"frees\": [[", "\"evicted\": [{\"id\": "};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(what); i++) {
        struct buf b = sample();
        char path[128], *at = strstr(b.data, what[i]);
        struct conform_result r = {0};
        struct err e = {0};
        struct conform_options opt = {0};
        assert_non_null(at);
        at += strlen(what[i]);
        if (i < 2)
            at[-1] = 'x';
        else
            *at = *at == '9' ? '1' : (char)(*at + 1);
        write_text(path, sizeof path, "changed.jsonl", b.data, b.len);
        assert_int_equal(conform_file(path, &opt, &r, &e), 0);
        assert_true(r.differs);
        unlink(path);
        buf_free(&b);
    }
}

static void test_files_that_are_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "is empty"},
        {"no JSON\n", ":1: this line is not a JSON object"},
        {"[1, 2]\n", ":1: this line is not a JSON object"},
        {"{\"type\": \"op\"}\n", "its first line is not a config"},
        {"{\"type\": \"config\", \"write_policy\": \"write_through\", \"page_size\": 1}\n", "HiCache"},
        {"{\"type\": \"config\", \"impl\": \"other\", \"policy\": \"lru\"}\n", "\"impl\""},
        {"{\"type\": \"config\", \"impl\": \"radix\", \"policy\": \"lru\", \"page_size\": 0, \"pool\": 8}\n", "\"page_size\""},
        {"{\"type\": \"config\", \"impl\": \"radix\", \"policy\": \"arc\", \"page_size\": 1, \"pool\": 8}\n", "arc"},
        {"{\"type\": \"config\", \"impl\": \"radix\", \"policy\": \"lru\", \"page_size\": 9, \"pool\": 8}\n", "\"pool\""},
        {"{\"type\": \"config\", \"impl\": \"radix\", \"policy\": \"lru\", \"page_size\": 1, \"pool\": 8}\n{\"op\": \"fly\"}\n",
         ":2: operation \"fly\""},
        {"{\"type\": \"config\", \"impl\": \"radix\", \"policy\": \"lru\", \"page_size\": 1, \"pool\": 8}\n{\"op\": \"evict\", \"n\": "
         "\"all\"}\n", ":2: evict: field \"n\""},
        {"{\"type\": \"config\", \"impl\": \"radix\", \"policy\": \"lru\", \"page_size\": 1, \"pool\": 8}\n{\"op\": \"match\", \"to",
         ":2: this line is not a JSON object"},
        {"{\"type\": \"config\", \"impl\": \"radix\", \"policy\": \"lru\", \"page_size\": 1, \"pool\": 8}\n{\"op\": \"unlock\", \"h\": "
         "7}\n", "handle"},
        {"{\"type\": \"config\", \"impl\": \"radix\", \"policy\": \"lru\", \"page_size\": 1, \"pool\": 8}\n{\"op\": \"finish\", \"rid\": "
         "7}\n", "running request"},
    };
    size_t cases = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++, cases++) {
        char path[128];
        struct conform_result r = {0};
        struct err e = {0};
        struct conform_options opt = {.check = true};
        write_text(path, sizeof path, "bad.jsonl", bad[i].text, strlen(bad[i].text));
        assert_int_equal(conform_file(path, &opt, &r, &e), -1);
        if (strstr(e.what, bad[i].says) == NULL || strstr(e.what, "bad.jsonl") == NULL)
            fail_msg("case %zu: %s", i, e.what);
        unlink(path);
    }
    assert_int_equal(cases, 14);
}

/* Flipped bytes: a difference, a refusal or luck, but never a crash. */
static void test_damaged_files(void **state)
{
    struct prng rng;
    uint32_t noticed = 0;
    (void)state;
    prng_seed(&rng, 3);
    for (int i = 0; i < 200; i++) {
        struct rec_config c = setting((uint32_t)i % COMMITTED, 30);
        struct buf b = {0};
        char path[128];
        struct conform_result r = {0};
        struct err e = {0};
        struct conform_options opt = {.check = true};
        record(&c, &b);
        for (uint32_t n = 1 + prng_below(&rng, 4); n > 0; n--)
            b.data[prng_below(&rng, (uint32_t)b.len)] = (char)("0123456789{}[]\", \n"[prng_below(&rng, 18)]);
        write_text(path, sizeof path, "damaged.jsonl", b.data, prng_below(&rng, 3) == 0 ? prng_below(&rng, (uint32_t)b.len) : b.len);
        int rc = conform_file(path, &opt, &r, &e);
        assert_int_equal(rc != 0, e.set);
        noticed += rc != 0 || r.differs;
        unlink(path);
        buf_free(&b);
    }
    assert_true(noticed > 100);
}

/* Without memory a file is refused, never half compared. */
static void test_no_memory(void **state)
{
    unsigned long injected = 0;
    (void)state;
    struct rec_config c = setting(3, 12);
    struct buf b = {0};
    char path[128];
    record(&c, &b);
    write_text(path, sizeof path, "memory.jsonl", b.data, b.len);
    for (int forever = 0; forever < 2; forever++)
        for (unsigned long n = 1;; n++) {
            struct conform_result r = {0};
            struct err e = {0};
            struct conform_options opt = {.tape = true, .check = true};
            xalloc_fail_at(n, forever);
            int rc = conform_file(path, &opt, &r, &e);
            unsigned long failed = xalloc_failures();
            xalloc_fail_at(0, false);
            injected += failed;
            assert_int_equal(rc != 0, e.set);
            if (failed == 0) {
                assert_int_equal(rc, 0);
                assert_false(r.differs);
                break;
            }
        }
    assert_true(injected > 20);
    unlink(path);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_committed_recordings),  cmocka_unit_test(test_fresh_recordings),
        cmocka_unit_test(test_failed_allocations),    cmocka_unit_test(test_unusual_files),
        cmocka_unit_test(test_recordings_of_sglang),  cmocka_unit_test(test_differences_are_found),
        cmocka_unit_test(test_events_and_victims_count), cmocka_unit_test(test_files_that_are_refused),
        cmocka_unit_test(test_damaged_files),         cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
