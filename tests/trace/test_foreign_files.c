/* Files out and in, through the program: every export read back with another reader and added up against the run;
 * conversations in, and that --hashes-only leaves no word of them in any file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <jansson.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/prng.h"
#include "base/xalloc.h"

static const char *const RUNS[] = {"shared-system-prompt", "multi-turn", "small-pool", "adapters"};

static const char *build(void)
{
    return getenv("BUILD") != NULL ? getenv("BUILD") : "build";
}

/* What `radixscope ARGS` prints on stdout, stderr in `said`; its exit code. */
static int call(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

static int call(struct buf *b, const char *fmt, ...)
{
    char args[600], command[900], chunk[4096];
    va_list list;
    va_start(list, fmt);
    vsnprintf(args, sizeof args, fmt, list);
    va_end(list);
    snprintf(command, sizeof command, "timeout 60 %s/radixscope %s 2>&1", build(), args);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    buf_clear(b);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, p)) > 0;)
        buf_add(b, chunk, n);
    assert_false(b->failed);
    int rc = pclose(p);
    return rc == -1 ? -1 : rc >> 8;
}

static void must(struct buf *b, const char *args)
{
    if (call(b, "%s", args) != 0)
        fail_msg("%s: %s", args, buf_text(b));
}

static json_t *json_of(const char *args)
{
    struct buf b = {0};
    json_error_t e;
    must(&b, args);
    json_t *v = json_loadb(b.data, b.len, JSON_ALLOW_NUL, &e);
    if (v == NULL)
        fail_msg("%s: %s", args, e.text);
    buf_free(&b);
    return v;
}

static json_int_t whole(const json_t *o, const char *name)
{
    if (!json_is_integer(json_object_get(o, name)))
        fail_msg("no number %s", name);
    return json_integer_value(json_object_get(o, name));
}

static const char *path_of(const char *name)
{
    static char path[4][300];
    static int next;
    char *p = path[next = (next + 1) % 4];
    snprintf(p, sizeof path[0], "%s/foreign-%d-%s", build(), (int)getpid(), name);
    return p;
}

static const char *file_with(const char *name, const char *text, size_t len)
{
    const char *path = path_of(name);
    struct err e = {0};
    if (file_write(path, text, len, &e) != 0)
        fail_msg("%s", e.what);
    return path;
}

/* ---- metrics ---------------------------------------------------------------------------------------------- */

static void sum_requests(const json_t *m, const char *field, json_int_t *sum)
{
    const json_t *list = json_object_get(m, "requests");
    *sum = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        *sum += whole(json_array_get(list, i), field);
}

/* JSON against what the run itself says, request by request, and its totals against their sum. */
static void test_metrics(void **state)
{
    static const char *const FIELDS[] = {"prompt", "cached", "computed", "generated"};
    static const char *const RUN_FIELDS[] = {"prompt_tokens", "cached_tokens", "computed_tokens", "generated_tokens"};
    size_t compared = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(RUNS); i++) {
        char args[200];
        snprintf(args, sizeof args, "export metrics %s", RUNS[i]);
        json_t *m = json_of(args);
        snprintf(args, sizeof args, "run %s --json", RUNS[i]);
        json_t *run = json_of(args);
        const json_t *a = json_object_get(m, "requests"), *b = json_object_get(run, "requests");
        assert_int_equal(json_array_size(a), json_array_size(b));
        for (size_t f = 0; f < ARRAY_LEN(FIELDS); f++) {
            json_int_t sum;
            sum_requests(m, FIELDS[f], &sum);
            assert_int_equal(sum, whole(json_object_get(m, "totals"), FIELDS[f]));
            for (size_t q = 0; q < json_array_size(a); q++, compared++)
                assert_int_equal(whole(json_array_get(a, q), FIELDS[f]), whole(json_array_get(b, q), RUN_FIELDS[f]));
        }
        json_decref(m);
        json_decref(run);
    }
    assert_true(compared > 30);
}

/* The table's last line is the sum of the others, and the same as the JSON's. */
static void test_metrics_csv(void **state)
{
    struct buf b = {0};
    unsigned sum[4] = {0}, total[4] = {0}, rows = 0;
    (void)state;
    must(&b, "export metrics adapters --format csv");
    for (char *save, *line = strtok_r(b.data, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        unsigned v[4];
        const char *at = line;
        for (int comma = 0; comma < 6 && at != NULL; comma++)
            at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL;
        if (at == NULL || sscanf(at, "%u,%u,%u,%u", &v[0], &v[1], &v[2], &v[3]) != 4)
            continue;
        for (int i = 0; i < 4; i++)
            *(strncmp(line, "total", 5) == 0 ? &total[i] : &sum[i]) += v[i];
        rows++;
    }
    assert_true(rows > 2);
    assert_memory_equal(sum, total, sizeof sum);
    json_t *m = json_of("export metrics adapters");
    assert_int_equal(whole(json_object_get(m, "totals"), "prompt"), total[0]);
    assert_int_equal(whole(json_object_get(m, "totals"), "generated"), total[3]);
    json_decref(m);
    buf_free(&b);
}

/* ---- Perfetto --------------------------------------------------------------------------------------------- */

struct seen {
    json_int_t requests, operations, covered, cached, flow[3000];
    size_t begun, ended;
    const json_t *slots;
};

static void see(struct seen *s, const json_t *ev)
{
    const char *ph = json_string_value(json_object_get(ev, "ph")), *cat = json_string_value(json_object_get(ev, "cat"));
    assert_int_equal(whole(ev, "pid"), 1);
    assert_non_null(strchr("XCsfM", ph[0]));
    if (*ph == 'X' && strcmp(cat, "request") == 0) {
        s->requests++;
        s->cached += whole(json_object_get(ev, "args"), "cached");
    } else if (*ph == 'X') {
        if (s->operations > 0)
            assert_int_equal(whole(ev, "ts"), s->covered + 1); /* one after the other, without holes */
        s->covered = whole(ev, "ts") + whole(ev, "dur") - 1;
        s->operations++;
    } else if (*ph == 'C' && strcmp(json_string_value(json_object_get(ev, "name")), "slots") == 0) {
        s->slots = json_object_get(ev, "args");
    } else if (*ph == 's') {
        s->flow[whole(ev, "id")] = whole(ev, "ts");
        s->begun++;
    } else if (*ph == 'f') {
        json_int_t from = s->flow[whole(ev, "id")];
        assert_true(from > 0 && from < whole(ev, "ts"));
        s->ended++;
    }
}

/* ---- the schedule's clock ------------------------------------------------------------------------------------ */

enum { CLOCKED = 16 };

/* What the steps say in words, in ms to two decimals. */
struct told {
    double at[CLOCKED], entered[CLOCKED], queued[CLOCKED], first[CLOCKED], gap[CLOCKED], total[CLOCKED], now;
    int good[CLOCKED];
    unsigned requests, forwards;
};

static double value_of(const char *line, const char *name)
{
    char key[24];
    snprintf(key, sizeof key, " %s=", name);
    const char *at = strstr(line, key);
    return at != NULL ? atof(at + strlen(key)) : 0;
}

static void tell_line(struct told *t, const char *line)
{
    unsigned r = (unsigned)value_of(line, "req");
    const char *kind = strchr(line, ' ') != NULL ? strchr(line, ' ') + 1 : "";
    assert_true(r < CLOCKED);
    if (strncmp(kind, "PLAN ", 5) == 0) {
        t->at[r] = t->entered[r] = value_of(line, "at");
        t->requests++;
    } else if (strncmp(kind, "CLOCK ", 6) == 0) {
        t->now = value_of(line, "now");
        t->forwards++;
    } else if (strncmp(kind, "WAITS_AGAIN ", 12) == 0)
        t->entered[r] = t->now;
    else if (strncmp(kind, "TAKEN ", 6) == 0)
        t->queued[r] += t->now - t->entered[r];
    else if (strncmp(kind, "TIMES ", 6) == 0) {
        t->first[r] = value_of(line, "ttft");
        t->gap[r] = value_of(line, "gap");
        t->total[r] = value_of(line, "total");
        t->good[r] = (int)value_of(line, "good");
    }
}

static void near_ms(double a, double b)
{
    if (a - b > 0.021 || b - a > 0.021)
        fail_msg("%f is not %f", a, b);
}

static double real(const json_t *o, const char *name)
{
    if (!json_is_real(json_object_get(o, name)))
        fail_msg("no time %s", name);
    return json_real_value(json_object_get(o, name));
}

static void check_times(const json_t *q, const struct told *t)
{
    json_int_t r = whole(q, "request"), out = whole(q, "generated");
    near_ms(real(q, "arrived_ms"), t->at[r]);
    near_ms(real(q, "queued_ms"), t->queued[r]);
    near_ms(real(q, "ttft_ms"), t->first[r]);
    near_ms(real(q, "itl_longest_ms"), t->gap[r]);
    near_ms(real(q, "finished_ms") - real(q, "arrived_ms"), t->total[r]);
    near_ms(real(q, "itl_mean_ms"), (t->total[r] - t->first[r]) / (double)(out - 1));
    assert_int_equal(json_is_true(json_object_get(q, "good")), t->good[r]);
}

static void check_totals(const json_t *m, const struct told *t)
{
    const json_t *totals = json_object_get(m, "totals"), *list = json_object_get(m, "requests");
    double queued = 0, first = 0, clock = real(totals, "clock_ms");
    json_int_t good = 0, out = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *q = json_array_get(list, i);
        queued += real(q, "queued_ms");
        first += real(q, "ttft_ms");
        out += whole(q, "generated");
        good += json_is_true(json_object_get(q, "good"));
    }
    near_ms(clock, t->now);
    near_ms(real(totals, "queue_mean") * clock / 100, queued / 100);
    near_ms(real(totals, "ttft_mean_ms"), first / t->requests);
    near_ms(real(totals, "tokens_per_s"), (double)out / clock * 1000);
    near_ms(real(totals, "goodput_per_s"), (double)good / clock * 1000);
    assert_int_equal(whole(totals, "good"), good);
    assert_non_null(strstr(json_string_value(json_object_get(m, "time")), "virtual clock"));
    assert_non_null(strstr(json_string_value(json_object_get(m, "clock")), "a pass takes"));
}

/* The slices: requests as the metrics have them, operations one after the other, as long as the clock went. */
static void check_slices(const json_t *p, const json_t *m)
{
    const json_t *events = json_object_get(p, "traceEvents"), *list = json_object_get(m, "requests");
    json_int_t covered = 0, from[64] = {0};
    size_t requests = 0, parts = 0;
    assert_non_null(strstr(json_string_value(json_object_get(json_object_get(p, "otherData"), "time")), "virtual clock"));
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *ev = json_array_get(events, i);
        const char *ph = json_string_value(json_object_get(ev, "ph")), *cat = json_string_value(json_object_get(ev, "cat"));
        double ts = (double)json_integer_value(json_object_get(ev, "ts")) / 1000;
        double dur = (double)json_integer_value(json_object_get(ev, "dur")) / 1000;
        const json_t *q = *ph == 'X' && strcmp(cat, "operation") != 0 ? json_array_get(list, (size_t)whole(ev, "tid") - 11) : NULL;
        if (q != NULL && strcmp(cat, "request") == 0) {
            near_ms(ts, real(q, "arrived_ms"));
            near_ms(ts + dur, real(q, "finished_ms"));
            requests++;
        } else if (q != NULL) {
            bool decode = strcmp(json_string_value(json_object_get(ev, "name")), "decode") == 0;
            near_ms(decode ? ts : dur, real(q, "ttft_ms") + (decode ? real(q, "arrived_ms") : 0));
            parts++;
        } else if (*ph == 'X') {
            assert_int_equal(whole(ev, "ts"), covered);
            covered += whole(ev, "dur");
        } else if (*ph == 'i')
            assert_int_equal(whole(ev, "ts"), covered);
        else if (*ph == 's')
            from[whole(ev, "id")] = whole(ev, "ts");
        else if (*ph == 'f')
            assert_true(from[whole(ev, "id")] > 0 && from[whole(ev, "id")] < whole(ev, "ts"));
    }
    assert_int_equal(requests, json_array_size(list));
    assert_int_equal(parts, 2 * requests);
    near_ms((double)covered / 1000, real(json_object_get(m, "totals"), "clock_ms"));
}

/* The same numbers, behind the columns that there always are. */
static void check_csv(struct buf *b, const json_t *m)
{
    static const char *const COLUMN[] = {"arrived_ms", "finished_ms", "queued_ms", "ttft_ms", "itl_mean_ms", "itl_longest_ms"};
    const json_t *list = json_object_get(m, "requests");
    char *save, *line = strtok_r(b->data, "\n", &save);
    assert_non_null(strstr(line, ",evicted_tokens,arrived_ms,finished_ms,queued_ms,ttft_ms,itl_mean_ms,itl_longest_ms,good,retracted"));
    for (size_t i = 0; (line = strtok_r(NULL, "\n", &save)) != NULL && i < json_array_size(list); i++) {
        char *at = line;
        for (int comma = 0; comma < 13; comma++)
            at = strchr(at, ',') + 1;
        for (size_t k = 0; k < ARRAY_LEN(COLUMN); k++) {
            assert_true(strtod(at, &at) == real(json_array_get(list, i), COLUMN[k]));
            at++;
        }
    }
    assert_memory_equal(line, "total,", 6);
}

static void test_clock(void **state)
{
    static const char *const SCHEDULED[] = {"lpm-starves", "retraction", "shared-attention"};
    unsigned requests = 0, forwards = 0, retracted = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(SCHEDULED); i++) {
        char args[100];
        struct buf b = {0};
        struct told t = {.now = 0};
        snprintf(args, sizeof args, "play %s --plain", SCHEDULED[i]);
        must(&b, args);
        for (char *save, *line = strtok_r(b.data, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
            if (*line >= '0' && *line <= '9')
                tell_line(&t, line);
        snprintf(args, sizeof args, "export metrics %s", SCHEDULED[i]);
        json_t *m = json_of(args);
        const json_t *list = json_object_get(m, "requests");
        assert_int_equal(json_array_size(list), t.requests);
        for (size_t q = 0; q < json_array_size(list); q++)
            check_times(json_array_get(list, q), &t);
        check_totals(m, &t);
        snprintf(args, sizeof args, "export perfetto %s", SCHEDULED[i]);
        json_t *p = json_of(args);
        check_slices(p, m);
        snprintf(args, sizeof args, "export metrics %s --format csv", SCHEDULED[i]);
        must(&b, args);
        check_csv(&b, m);
        retracted += (unsigned)whole(json_object_get(m, "totals"), "retracted");
        requests += t.requests;
        forwards += t.forwards;
        json_decref(m);
        json_decref(p);
        buf_free(&b);
    }
    assert_true(requests > 10 && forwards > 80 && retracted > 0);
    json_t *m = json_of("export metrics two-strings");
    assert_string_equal(json_string_value(json_object_get(m, "time")), "step");
    json_decref(m);
}

static void test_perfetto(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(RUNS); i++) {
        char args[200];
        struct seen s = {0};
        snprintf(args, sizeof args, "export perfetto %s", RUNS[i]);
        json_t *p = json_of(args);
        snprintf(args, sizeof args, "export metrics %s", RUNS[i]);
        json_t *m = json_of(args);
        snprintf(args, sizeof args, "export tree %s --format json", RUNS[i]);
        json_t *tree = json_of(args);
        const json_t *events = json_object_get(p, "traceEvents"), *totals = json_object_get(m, "totals");
        for (size_t k = 0; k < json_array_size(events); k++)
            see(&s, json_array_get(events, k));
        assert_int_equal(s.requests, whole(totals, "requests"));
        assert_int_equal(s.cached, whole(totals, "cached"));
        assert_int_equal(s.covered, whole(totals, "steps"));
        assert_int_equal(s.begun, s.ended);
        assert_true(i == 2 || s.begun > 0);
        const json_t *slots = json_object_get(tree, "slots");
        assert_int_equal(whole(s.slots, "free"), whole(slots, "free"));
        assert_int_equal(whole(s.slots, "evictable"), whole(slots, "evictable"));
        json_decref(p);
        json_decref(m);
        json_decref(tree);
    }
}

/* ---- Mooncake --------------------------------------------------------------------------------------------- */

static void random_inserts(struct buf *b, uint64_t seed, uint32_t page)
{
    struct prng rng;
    prng_seed(&rng, seed);
    buf_printf(b, "tokens ids\npool 8192\npage %u\n", page);
    for (int i = 0; i < 40; i++) {
        uint32_t n = page * (1 + prng_below(&rng, 6));
        buf_puts(b, "insert \"");
        for (uint32_t k = 0; k < n; k++)
            buf_printf(b, "%s%u", k > 0 ? " " : "", prng_below(&rng, k % page == 0 ? 3 : 1));
        buf_printf(b, "\"%s\n", prng_below(&rng, 4) == 0 ? " ns=\"b\"" : "");
    }
}

/* Leading blocks whose ids an earlier line had are exactly those that the run found, when nothing is evicted. */
static void test_mooncake(void **state)
{
    uint32_t hits = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct buf script = {0}, out = {0}, plain = {0};
        uint32_t page = seed % 2 ? 4 : 2, block = page, before = 0;
        bool had[8192] = {false};
        random_inserts(&script, seed, page);
        const char *path = file_with("m.rxs", script.data, script.len);
        assert_int_equal(call(&out, "export mooncake %s --block %u", path, block), 0);
        assert_int_equal(call(&plain, "run %s", path), 0);
        char *at = plain.data;
        for (char *save, *line = strtok_r(out.data, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
            json_t *v = json_loads(line, 0, NULL);
            const json_t *ids = json_object_get(v, "hash_ids");
            assert_int_equal(json_array_size(ids), (whole(v, "input_length") + block - 1) / block);
            uint32_t found = 0, there = 0;
            while (found < json_array_size(ids) && had[json_integer_value(json_array_get(ids, found))])
                found++;
            for (size_t k = 0; k < json_array_size(ids); k++)
                had[json_integer_value(json_array_get(ids, k))] = true;
            at = strstr(at, "insert: ");
            assert_non_null(at);
            assert_int_equal(sscanf(at, "insert: %u token", &there), 1);
            at += 8;
            assert_int_equal(there, found * block);
            assert_true(whole(v, "timestamp") > before);
            before = (uint32_t)whole(v, "timestamp");
            hits += found;
            json_decref(v);
        }
        assert_null(strstr(at, "insert: "));
        unlink(path);
        buf_free(&script);
        buf_free(&out);
        buf_free(&plain);
    }
    assert_true(hits > 100);
}

/* ---- the cause, events, films ------------------------------------------------------------------------------ */

static struct buf bytes_of(const char *path)
{
    struct buf b = {0};
    struct err e = {0};
    struct file_map m;
    if (file_map(path, &m, &e) != 0)
        fail_msg("%s", e.what);
    buf_add(&b, m.data, m.len);
    file_unmap(&m);
    return b;
}

static void same_files(const char *a, const char *b)
{
    struct buf x = bytes_of(a), y = bytes_of(b);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
    buf_free(&x);
    buf_free(&y);
}

/* Script from a run, from its recording, and with other settings: running it gives the same run again. */
static void test_script_again(void **state)
{
    struct buf b = {0};
    const char *a = path_of("a.rxs"), *rec = path_of("a.rxt"), *again = path_of("b.rxt");
    (void)state;
    assert_int_equal(call(&b, "export rxs small-pool --policy mru -o %s", a), 0);
    assert_int_equal(call(&b, "record %s -o %s", a, rec), 0);
    assert_int_equal(call(&b, "export rxs %s -o %s", rec, a), 0);
    assert_int_equal(call(&b, "record %s -o %s", a, again), 0);
    same_files(rec, again);
    struct buf direct = {0};
    must(&direct, "export tree small-pool --policy mru --format json 2>/dev/null");
    assert_int_equal(call(&b, "export tree %s --format json", rec), 0);
    assert_string_equal(strstr(buf_text(&direct), "{\"format\""), buf_text(&b));
    unlink(a);
    unlink(rec);
    unlink(again);
    buf_free(&b);
    buf_free(&direct);
}

static void test_kv_events(void **state)
{
    struct buf b = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(RUNS); i++) {
        const char *events = path_of(i % 2 ? "e.msgpack" : "e.jsonl");
        assert_int_equal(call(&b, "export kv-events %s -o %s", RUNS[i], events), 0);
        if (call(&b, "import %s --against %s", events, RUNS[i]) != 0)
            fail_msg("%s: %s", RUNS[i], buf_text(&b));
        assert_non_null(strstr(buf_text(&b), "no difference"));
        unlink(events);
    }
    const char *events = path_of("e.jsonl");
    assert_int_equal(call(&b, "export kv-events small-pool -o %s", events), 0);
    assert_int_equal(call(&b, "import %s --against small-pool --policy mru", events), 1);
    assert_non_null(strstr(buf_text(&b), "first difference after"));
    unlink(events);
    buf_free(&b);
}

/* Screens 40 to 45: a head, six screens, the cursor's return, the end. */
static void test_part_of_a_cast(void **state)
{
    struct buf b = {0};
    size_t outputs = 0;
    (void)state;
    must(&b, "export cast shared-system-prompt --from 40 --to 45");
    for (const char *at = buf_text(&b); (at = strstr(at, "\"o\"")) != NULL; at++)
        outputs++;
    assert_int_equal(outputs, 7);
    assert_int_equal(call(&b, "export cast shared-system-prompt --from 45 --to 40"), 1);
    assert_int_equal(call(&b, "export cast shared-system-prompt --to 9999"), 1);
    assert_int_equal(call(&b, "export tree shared-system-prompt --to 5"), 2);
    buf_free(&b);
}

/* ---- conversations ---------------------------------------------------------------------------------------- */

static const char TALK[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Behave like a penguin.\"},"
    "{\"role\":\"user\",\"content\":\"Where is Zanzibar hidden?\"},{\"role\":\"assistant\",\"content\":\"Beyond the mountains.\"},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Tell me \"},{\"type\":\"text\",\"text\":\"everything secret.\"}]}]}\n"
    "\n[{\"role\":\"user\",\"content\":\"Zanzibar password\"}]\n";
static const char *const WORDS[] = {"ehave", "penguin", "pengu", "guin", "Where", "anzibar", "Zan", "hidden", "eyond", "mountain",
                                    "tains", "Tell", "everything", "secret", "password", "assistant"};

/* All that a recording packs, unpacked. */
static struct buf unpacked(const char *path)
{
    static const char MAGIC[] = "\x28\xb5\x2f\xfd";
    struct buf raw = bytes_of(path), all = {0};
    char chunk[1 << 16];
    buf_add(&all, raw.data, raw.len);
    for (size_t i = 0; i + 4 < raw.len; i++) {
        if (memcmp(raw.data + i, MAGIC, 4) != 0)
            continue;
        ZSTD_DStream *z = ZSTD_createDStream();
        ZSTD_inBuffer in = {raw.data + i, raw.len - i, 0};
        for (size_t left = 1; left != 0 && !ZSTD_isError(left);) {
            ZSTD_outBuffer out = {chunk, sizeof chunk, 0};
            left = ZSTD_decompressStream(z, &out, &in);
            buf_add(&all, chunk, out.pos);
            if (in.pos == in.size && out.pos == 0)
                break;
        }
        ZSTD_freeDStream(z);
    }
    buf_free(&raw);
    return all;
}

static bool holds(const struct buf *b, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= b->len; i++)
        if (memcmp(b->data + i, word, n) == 0)
            return true;
    return false;
}

static size_t words_in(const struct buf *b)
{
    size_t found = 0;
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        found += holds(b, WORDS[i]) && strlen(WORDS[i]) > 3; /* shorter ones may stand in packed bytes by chance */
    return found;
}

static void test_hashes_only(void **state)
{
    struct buf b = {0};
    const char *talk = file_with("talk.jsonl", TALK, sizeof TALK - 1), *rxs = path_of("t.rxs"), *rxt = path_of("t.rxt");
    (void)state;
    assert_int_equal(call(&b, "import %s --hashes-only -o %s", talk, rxs), 0);
    assert_non_null(strstr(buf_text(&b), "2 conversations, 3 requests"));
    assert_int_equal(call(&b, "import %s --hashes-only -o %s", talk, rxt), 0);
    struct buf script = bytes_of(rxs), recording = unpacked(rxt);
    assert_int_equal(words_in(&script), 0);
    assert_int_equal(words_in(&recording), 0);
    assert_true(recording.len > 2000);
    buf_free(&recording);
    assert_int_equal(call(&b, "import %s -o %s", talk, rxt), 0); /* the search would find them */
    recording = unpacked(rxt);
    assert_true(words_in(&recording) > 2);
    assert_int_equal(call(&b, "export metrics %s", rxt), 0);
    assert_non_null(strstr(buf_text(&b), "\"label\":\"c1.2\""));
    buf_free(&recording);
    buf_free(&script);
    buf_free(&b);
    unlink(talk);
    unlink(rxs);
    unlink(rxt);
}

/* Numbered tokens share exactly the prefixes that the real ones do. */
static void test_numbers_keep_prefixes(void **state)
{
    struct buf b = {0};
    const char *talk = file_with("talk.jsonl", TALK, sizeof TALK - 1), *rxs = path_of("t.rxs");
    unsigned there = 0, fresh = 0;
    (void)state;
    assert_int_equal(call(&b, "import %s --hashes-only -o %s", talk, rxs), 0);
    assert_int_equal(call(&b, "run %s", rxs), 0);
    const char *second = strstr(strstr(buf_text(&b), "insert: ") + 1, "insert: ");
    assert_int_equal(sscanf(second, "insert: %u tokens were there, %u are new", &there, &fresh), 2);
    assert_true(there > 10 && fresh > 5);
    unlink(talk);
    unlink(rxs);
    buf_free(&b);
}

static void test_refusals(void **state)
{
    static const char *const CASES[][2] = {
        {"{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "messages[0].role"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":[{}]}", "field \"tools\""},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", "images"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":3}]}", "messages[0].content"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n{\"messages\":[]}", "line 2: field \"messages\""},
        {"{\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}", "no user message"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n{\"messages\"", "line 2 is no JSON"},
        {"{\"timestamp\":1,\"input_length\":9,\"output_length\":2}", "lengths alone"},
        {"TIMESTAMP,ContextTokens,GeneratedTokens\n2023,1,2\n", "lengths alone"},
        {"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n", "lengths alone"},
        {"hello\n", "no format"},
        {"   \n", "is empty"},
    };
    struct buf b = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        const char *path = file_with("bad", CASES[i][0], strlen(CASES[i][0]));
        assert_int_equal(call(&b, "import %s", path), 1);
        if (strstr(buf_text(&b), CASES[i][1]) == NULL || strstr(buf_text(&b), path) == NULL)
            fail_msg("case %zu: %s", i, buf_text(&b));
        unlink(path);
    }
    assert_int_equal(call(&b, "import README.md -o x.txt"), 2);
    assert_int_equal(call(&b, "import README.md --from csv"), 2);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics),        cmocka_unit_test(test_metrics_csv),
        cmocka_unit_test(test_perfetto),       cmocka_unit_test(test_clock),
             cmocka_unit_test(test_mooncake),
        cmocka_unit_test(test_script_again),   cmocka_unit_test(test_kv_events),
        cmocka_unit_test(test_part_of_a_cast), cmocka_unit_test(test_hashes_only),
        cmocka_unit_test(test_numbers_keep_prefixes), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
