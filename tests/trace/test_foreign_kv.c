/* KV events: what a run publishes, read back in both encodings, rebuilds the tree of the run; recordings that do not
 * know everything say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "cache/kvevents.h"
#include "script/runner.h"
#include "tape/check.h"
#include "trace/kv_diff.h"
#include "trace/kv_import.h"
#include "trace/lines.h"

/* ---- running scripts ------------------------------------------------------------------------------------ */

static struct runner *run_text(const char *text, size_t len)
{
    struct err e = {0};
    struct runner_config cfg = {0};
    struct script *s = script_parse("test.rxs", text, len, 1, &e);
    if (s == NULL)
        fail_msg("%s", e.what);
    struct runner *r = runner_new(s, &cfg, &e);
    if (r == NULL || runner_script(r, s, &e) != RUN_DONE)
        fail_msg("%s\n%.2000s", e.what, text);
    script_free(s);
    return r;
}

/* Every page of the tree by the hash of everything up to its end, sorted. */
struct pages {
    int64_t id[4096];
    size_t n;
};

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void pages_of(struct runner *r, struct pages *out)
{
    struct scene sc = tape_scene(runner_tape(r));
    struct page_hash before, page[512];
    out->n = 0;
    for (uint32_t n = node_preorder(sc.w, ROOT); n != 0; n = node_preorder(sc.w, n)) {
        node_page_hashes(sc, n, &before, page);
        for (uint32_t i = 0; i < sc.w->node[n].len / sc.w->head.page_size; i++)
            out->id[out->n++] = page_hash_id(&page[i]);
    }
    qsort(out->id, out->n, sizeof *out->id, by_id);
}

static void same_tree(struct runner *a, struct runner *b, const char *script)
{
    static struct pages x, y;
    struct err e = {0};
    pages_of(a, &x);
    pages_of(b, &y);
    if (x.n != y.n || memcmp(x.id, y.id, x.n * sizeof *x.id) != 0)
        fail_msg("%zu pages became %zu:\n%.3000s", x.n, y.n, script);
    if (world_check(tape_scene(runner_tape(b)), &e) != 0)
        fail_msg("%s", e.what);
}

static struct kv_log parsed(const char *bytes, size_t len)
{
    struct err e = {0};
    struct kv_log log;
    if (kv_log_parse("events", bytes, len, &log, &e) != 0)
        fail_msg("%s", e.what);
    return log;
}

static struct runner *rebuilt(const struct kv_log *log, struct kv_summary *sum)
{
    struct err e = {0};
    struct buf script = {0};
    if (kv_import(log, "test", KV_AS_RECORDED, 0, "", &script, sum, &e) != 0)
        fail_msg("%s", e.what);
    struct runner *r = run_text(buf_text(&script), script.len);
    buf_free(&script);
    return r;
}

/* ---- any run ---------------------------------------------------------------------------------------------- */

/* Keys that share prefixes: a few roots, then digits of a small alphabet. */
static void random_key(struct prng *rng, struct buf *b)
{
    uint32_t n = 1 + (uint32_t)prng_below(rng, 24);
    buf_puts(b, " \"");
    for (uint32_t i = 0; i < n; i++)
        buf_printf(b, "%s%u", i > 0 ? " " : "", 100 + (uint32_t)prng_below(rng, i < 6 ? 2 : 3));
    buf_putc(b, '"');
}

static void random_script(struct prng *rng, struct buf *b)
{
    static const uint32_t PAGES[] = {1, 2, 4};
    uint32_t page = PAGES[prng_below(rng, 3)];
    buf_printf(b, "tokens ids\npool %u\npage %u\npolicy %s\nrules %s\n", 32 * (1 + (uint32_t)prng_below(rng, 3)), page,
               policy_name((uint32_t)prng_below(rng, POLICY_COUNT)), prng_below(rng, 2) ? "classic" : "unified");
    for (int i = 0; i < 30; i++) {
        uint32_t what = (uint32_t)prng_below(rng, 20);
        buf_puts(b, what < 13 ? "insert" : what < 17 ? "match" : what < 19 ? "evict" : "reset");
        if (what < 17)
            random_key(rng, b);
        else if (what < 19)
            buf_printf(b, " %u", 1 + (uint32_t)prng_below(rng, 12));
        buf_putc(b, '\n');
    }
}

static void export_then_import(const struct kv_log *log, struct runner *run, const char *script, bool packed)
{
    struct buf out = {0};
    struct err e = {0};
    struct kv_summary sum;
    struct kv_difference d;
    static const char *const names[] = {"written", "read"};
    if (packed)
        assert_int_equal(kv_log_write_msgpack(log, &out, &e), 0);
    else
        kv_log_write_json(log, &out);
    struct kv_log back = parsed(out.data, out.len);
    assert_int_equal(back.events, log->events);
    assert_int_equal(back.tokens, log->tokens);
    assert_int_equal(kv_diff(log, &back, names, &d, &e), 0);
    if (d.differs)
        fail_msg("%s", d.what);
    if (back.block_size != 0) {
        struct runner *again = rebuilt(&back, &sum);
        same_tree(run, again, script);
        assert_int_equal(sum.gaps + sum.orphans + sum.unknown + sum.inner, 0);
        runner_free(again);
    }
    kv_log_free(&back);
    buf_free(&out);
}

static void test_any_run_comes_back(void **state)
{
    struct prng rng;
    struct err e = {0};
    size_t removed = 0, trees = 0;
    (void)state;
    prng_seed(&rng, 7);
    for (int round = 0; round < 60; round++) {
        struct buf b = {0};
        struct kv_log log;
        random_script(&rng, &b);
        struct runner *r = run_text(buf_text(&b), b.len);
        assert_int_equal(kv_log_of_tape(runner_tape(r), &log, &e), 0);
        export_then_import(&log, r, buf_text(&b), false);
        export_then_import(&log, r, buf_text(&b), true);
        for (size_t i = 0; i < log.events; i++)
            removed += log.event[i].type == KV_REMOVED;
        trees += tape_scene(runner_tape(r)).w->head.node_count > 4;
        kv_log_free(&log);
        runner_free(r);
        buf_free(&b);
    }
    assert_true(removed > 100 && trees > 20);
}

/* ---- the wire's shapes ------------------------------------------------------------------------------------ */

static void imported(const char *text, struct kv_summary *sum, size_t nodes)
{
    struct kv_log log = parsed(text, strlen(text));
    struct runner *r = rebuilt(&log, sum);
    assert_int_equal(tape_scene(runner_tape(r)).w->head.node_count, nodes);
    runner_free(r);
    kv_log_free(&log);
}

/* Arrays as the structs are sent, several hashes an event as vLLM does, hashes above 2^63 and as bytes. */
static void test_shapes(void **state)
{
    struct kv_summary sum;
    (void)state;
    imported("[1.5, [[\"BlockStored\", [18446744073709551615, 9223372036854775809], null, [1,2,3,4], 2, null],"
             "[\"BlockStored\", [7], -1, [9,9], 2, null, \"GPU\"]], 0]\n"
             "[2.5, [[\"BlockRemoved\", [9223372036854775809]]]]\n", &sum, 3);
    assert_int_equal(sum.stored, 3);
    assert_int_equal(sum.removed, 1);
    assert_int_equal(sum.now, 2);
    assert_int_equal(sum.orphans + sum.unknown, 0);
    imported("{\"type\":\"BlockStored\",\"block_hashes\":[\"0x0a0b\",\"0x0c\"],\"parent_block_hash\":null,"
             "\"token_ids\":[1,2],\"block_size\":1,\"medium\":null}\n"
             "{\"type\":\"BlockStored\",\"block_hashes\":[\"0xff\"],\"parent_block_hash\":\"0x0a0b\","
             "\"token_ids\":[5],\"block_size\":1}\n", &sum, 4);
}

static void test_what_is_not_known(void **state)
{
    struct kv_summary sum;
    (void)state;
    imported("{\"seq\":5,\"events\":[{\"type\":\"BlockStored\",\"block_hashes\":[11],\"parent_block_hash\":10,"
             "\"token_ids\":[1],\"block_size\":1}]}\n"
             "{\"seq\":9,\"events\":[{\"type\":\"BlockRemoved\",\"block_hashes\":[10]},"
             "{\"type\":\"BlockStored\",\"block_hashes\":[20,21],\"parent_block_hash\":null,\"token_ids\":[1,2],"
             "\"block_size\":1},{\"type\":\"BlockRemoved\",\"block_hashes\":[20]},"
             "{\"type\":\"BlockStored\",\"block_hashes\":[99],\"parent_block_hash\":null,\"token_ids\":[1],\"block_size\":1,"
             "\"medium\":\"CPU_PINNED\"}]}\n", &sum, 3);
    assert_int_equal(sum.gaps, 1);
    assert_int_equal(sum.missing, 3);
    assert_int_equal(sum.orphans, 1);
    assert_int_equal(sum.unknown, 1);
    assert_int_equal(sum.inner, 1);
    assert_int_equal(sum.elsewhere, 1);
    assert_int_equal(sum.now, 3);
}

/* A removed block goes when the last block below it does. */
static void test_inner_block_goes_later(void **state)
{
    struct kv_summary sum;
    (void)state;
    imported("[0,[[\"BlockStored\",[1,2,3],null,[5,6,7],1],[\"BlockRemoved\",[1]],[\"BlockRemoved\",[2]],"
             "[\"BlockRemoved\",[3]],[\"BlockStored\",[4],null,[8],1]]]", &sum, 2);
    assert_int_equal(sum.inner, 2);
    assert_int_equal(sum.now, 1);
}

/* The same tokens under two hashes (salted) are one block that goes with the second removal. */
static void test_same_tokens_twice(void **state)
{
    struct kv_summary sum;
    (void)state;
    imported("[0,[[\"BlockStored\",[1],null,[5],1],[\"BlockStored\",[2],null,[5],1],[\"BlockStored\",[3],2,[6],1],"
             "[\"BlockRemoved\",[3]],[\"BlockRemoved\",[1]]]]", &sum, 2);
    assert_int_equal(sum.again, 1);
    imported("[0,[[\"BlockStored\",[1],null,[5],1],[\"BlockStored\",[2],null,[5],1],[\"BlockRemoved\",[1]],"
             "[\"BlockRemoved\",[2]]]]", &sum, 1);
    assert_int_equal(sum.now, 0);
}

/* ---- refusals --------------------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    static const char *const CASES[][2] = {
        {"{\"type\":\"BlockStored\",\"block_hashes\":[1],\"token_ids\":[1,2],\"block_size\":1}", "field \"token_ids\""},
        {"[0,[[\"BlockStored\",[],null,[],1]]]", "event 0: field \"block_hashes\""},
        {"\n[0,[[\"AllBlocksCleared\"],[\"BlockStored\",[1.5],null,[1],1]]]", "line 2, event 1: field \"block_hashes\""},
        {"[0,[[\"BlockStored\",[1],null,[[1,2]],1]]]", "bigram"},
        {"[0,[[\"BlockStored\",[1],null,[1],1]],0]\n[0,[],1]", "field \"attn_dp_rank\""},
        {"[0,[[\"BlockStored\",[1],null,[1],1],[\"BlockStored\",[2],null,[1,2],2]]]", "field \"block_size\""},
        {"[0,[[\"BlockMoved\",[1]]]]", "field \"type\""},
        {"{\"seq\":-1,\"events\":[]}", "field \"seq\""},
        {"[0,[[\"BlockStored\"", "line 1 is no JSON"},
        {"\xdd\xff\xff\xff\xff", "value 1 (byte 0) is damaged"},
        {"\xc1", "value 1"},
        {"", "no KV events"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err e = {0};
        struct kv_log log;
        assert_int_equal(kv_log_parse("f.jsonl", CASES[i][0], strlen(CASES[i][0]), &log, &e), -1);
        if (strstr(e.what, CASES[i][1]) == NULL || strstr(e.what, "f.jsonl") == NULL)
            fail_msg("case %zu: %s", i, e.what);
        kv_log_free(&log);
    }
}

/* ---- differences ------------------------------------------------------------------------------------------ */

static void test_first_difference(void **state)
{
    static const char *const names[] = {"recorded", "simulated"};
    struct kv_difference d;
    struct err e = {0};
    (void)state;
    const char *x = "[0,[[\"BlockStored\",[1,2],null,[5,6],1],[\"BlockRemoved\",[1,2]],[\"BlockStored\",[3],null,[7],1]]]";
    const char *y = "[0,[[\"BlockStored\",[10],null,[5],1],[\"BlockStored\",[11],10,[6],1],[\"BlockRemoved\",[11]],"
                    "[\"BlockRemoved\",[10]],[\"BlockStored\",[3],null,[8],1]]]";
    struct kv_log a = parsed(x, strlen(x)), b = parsed(y, strlen(y));
    assert_int_equal(kv_diff(&a, &b, names, &d, &e), 0);
    assert_true(d.differs);
    assert_int_equal(d.same, 4);
    assert_non_null(strstr(d.what, "recorded stores block 3 (tokens 7)"));
    assert_non_null(strstr(d.what, "simulated stores block 3 (tokens 8)"));
    assert_int_equal(kv_diff(&a, &a, names, &d, &e), 0);
    assert_false(d.differs);
    assert_int_equal(d.same, 5);
    kv_log_free(&a);
    kv_log_free(&b);
}

/* Memory that runs out anywhere is an error and leaves nothing behind. */
static void test_no_memory(void **state)
{
    const char *x = "[0,[[\"BlockStored\",[1,2],null,[5,6],1],[\"BlockRemoved\",[2]],[\"BlockStored\",[3],9,[7],1]]]";
    unsigned long failed = 0;
    (void)state;
    for (unsigned long n = 1; n < 60; n++) {
        struct err e = {0};
        struct kv_log log;
        struct kv_summary sum;
        struct buf b = {0};
        xalloc_fail_at(n, true);
        int rc = kv_log_parse("x", x, strlen(x), &log, &e);
        if (rc == 0)
            rc = kv_import(&log, "x", KV_AS_RECORDED, 0, "", &b, &sum, &e);
        failed += xalloc_failures() > 0;
        assert_int_equal(rc != 0, xalloc_failures() > 0);
        assert_int_equal(rc != 0, e.set);
        xalloc_fail_at(0, false);
        kv_log_free(&log);
        buf_free(&b);
    }
    assert_true(failed > 8);
}

/* ---- the real SGLang's events ----------------------------------------------------------------------------- */

#define REAL "../shared/reference/sglang/cache/"

/* Prefixes at the ends of blocks, by a hash of their tokens (FNV-1a), sorted, each once. */
struct prefixes {
    uint64_t of[20000];
    size_t n;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void put_prefix(struct prefixes *p, const uint32_t *tok, size_t n)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ tok[i]) * 1099511628211u;
    assert_true(p->n < ARRAY_LEN(p->of));
    p->of[p->n++] = h;
}

static void sort_prefixes(struct prefixes *p)
{
    size_t n = 0;
    qsort(p->of, p->n, sizeof *p->of, by_value);
    for (size_t i = 0; i < p->n; i++)
        if (i == 0 || p->of[i] != p->of[i - 1])
            p->of[n++] = p->of[i];
    p->n = n;
}

/* Of the tree that the recording shows: rows [id, parent, extra, tokens, …] in preorder. Events know no namespace, so
 * equal tokens are one block in all of them. */
static void recorded_prefixes(const json_t *tree, uint32_t page, struct prefixes *out)
{
    static uint32_t path[400][600], len[400];
    static json_int_t id[400];
    out->n = 0;
    assert_true(json_array_size(tree) < ARRAY_LEN(path));
    for (size_t i = 0; i < json_array_size(tree); i++) {
        const json_t *row = json_array_get(tree, i), *tok = json_array_get(row, 3);
        json_int_t parent = json_integer_value(json_array_get(row, 1));
        size_t up = 0;
        id[i] = json_integer_value(json_array_get(row, 0));
        while (up < i && id[up] != parent)
            up++;
        uint32_t before = len[i] = up < i ? len[up] : 0;
        memcpy(path[i], path[up], before * sizeof(uint32_t));
        for (size_t k = 0; k < json_array_size(tok); k++)
            path[i][len[i]++] = (uint32_t)json_integer_value(json_array_get(tok, k));
        for (uint32_t end = before + page; end <= len[i]; end += page)
            put_prefix(out, path[i], end);
    }
    sort_prefixes(out);
}

static void rebuilt_prefixes(struct scene sc, struct prefixes *out)
{
    out->n = 0;
    for (uint32_t n = node_preorder(sc.w, ROOT); n != 0; n = node_preorder(sc.w, n)) {
        uint32_t path[600], start = node_start(sc.w, n), end = start + sc.w->node[n].len;
        for (uint32_t up = n, at = end; up != ROOT; up = sc.w->node[up].parent) {
            at -= sc.w->node[up].len;
            memcpy(path + at, node_tokens(sc, up), sc.w->node[up].len * sizeof *path);
        }
        for (uint32_t at = start + sc.w->head.page_size; at <= end; at += sc.w->head.page_size)
            put_prefix(out, path, at);
    }
    sort_prefixes(out);
}

/* One operation's events as a batch with its number, in the names that msgspec gives them. */
static void put_batch(const json_t *op, struct buf *out)
{
    static const char *const NAMES[][2] = {{"t", "type"}, {"hashes", "block_hashes"}, {"parent", "parent_block_hash"},
                                           {"tokens", "token_ids"}, {"block_size", "block_size"}, {"medium", "medium"}};
    const json_t *events = json_object_get(op, "events");
    json_int_t i = json_integer_value(json_object_get(op, "i"));
    buf_printf(out, "{\"seq\":%lld,\"ts\":%lld,\"events\":[", (long long)i, (long long)i);
    for (size_t k = 0; k < json_array_size(events); k++) {
        buf_puts(out, k > 0 ? ",{" : "{");
        for (size_t f = 0, any = 0; f < ARRAY_LEN(NAMES); f++) {
            json_t *v = json_object_get(json_array_get(events, k), NAMES[f][0]);
            char *text = v != NULL ? json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
            if (text != NULL)
                buf_printf(out, "%s\"%s\":%s", any++ > 0 ? "," : "", NAMES[f][1], text);
            free(text);
        }
        buf_puts(out, "}");
    }
    buf_puts(out, "]}\n");
}

static bool all_of(const struct prefixes *want, const struct prefixes *got)
{
    for (size_t i = 0; i < want->n; i++)
        if (bsearch(&want->of[i], got->of, got->n, sizeof *got->of, by_value) == NULL)
            return false;
    return true;
}

/* After every so many operations: the tree that the events rebuild holds the blocks that SGLang's tree holds. What goes
 * with a closed session is not published (SGLang's own omission), so from the first one on it may hold more. */
static size_t follow_recording(const char *path, size_t every)
{
    static struct prefixes want, got;
    struct err e = {0};
    struct lines *l = lines_open(path, &e);
    struct buf events = {0};
    uint32_t page = 0;
    size_t len, ops = 0, blocks = 0, exact = 0;
    bool closed = false;
    char *line;
    assert_non_null(l);
    while (lines_next(l, &line, &len, &e) == 1) {
        json_t *op = json_loadb(line, len, 0, NULL);
        assert_non_null(op);
        if (page == 0)
            page = (uint32_t)json_integer_value(json_object_get(op, "page_size"));
        else {
            put_batch(op, &events);
            closed = closed || json_integer_value(json_object_get(op, "nodes_freed")) > 0;
            if (++ops % every == 0 && json_object_get(op, "tree") != NULL) {
                struct kv_summary sum;
                struct kv_log log = parsed(events.data, events.len);
                struct runner *r = rebuilt(&log, &sum);
                recorded_prefixes(json_object_get(op, "tree"), page, &want);
                rebuilt_prefixes(tape_scene(runner_tape(r)), &got);
                if (closed ? !all_of(&want, &got) : want.n != got.n || memcmp(want.of, got.of, want.n * sizeof *want.of) != 0)
                    fail_msg("%s, operation %zu: %zu blocks are %zu", path, ops, want.n, got.n);
                assert_int_equal(sum.now, got.n);
                assert_int_equal(sum.gaps + sum.orphans + sum.unknown, 0);
                exact += !closed;
                blocks += want.n;
                runner_free(r);
                kv_log_free(&log);
            }
        }
        json_decref(op);
    }
    lines_close(l);
    buf_free(&events);
    assert_true(exact > 0);
    return blocks;
}

/* Pairs of tokens (EAGLE) are refused, with that reason. */
static void pairs_are_refused(const char *path)
{
    struct err e = {0};
    struct lines *l = lines_open(path, &e);
    struct buf events = {0};
    struct kv_log log;
    size_t len;
    char *line;
    assert_non_null(l);
    while (lines_next(l, &line, &len, &e) == 1) {
        json_t *op = json_loadb(line, len, 0, NULL);
        if (json_object_get(op, "events") != NULL && json_is_array(json_object_get(op, "events")))
            put_batch(op, &events);
        json_decref(op);
    }
    assert_int_equal(kv_log_parse("pairs", events.data, events.len, &log, &e), -1);
    assert_non_null(strstr(e.what, "pair"));
    kv_log_free(&log);
    lines_close(l);
    buf_free(&events);
}

static void test_events_of_sglang(void **state)
{
    (void)state;
    if (access(REAL "events_p1.jsonl.zst", R_OK) != 0)
        skip();
    pairs_are_refused(REAL "events_bigram_p2.jsonl.zst");
    assert_true(follow_recording(REAL "events_p1.jsonl.zst", 30) > 150);
    assert_true(follow_recording(REAL "events_sessions_p4.jsonl.zst", 30) > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_run_comes_back), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_what_is_not_known),  cmocka_unit_test(test_inner_block_goes_later),
        cmocka_unit_test(test_same_tokens_twice),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_first_difference),   cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_events_of_sglang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
