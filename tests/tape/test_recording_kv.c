/* What --with-kv adds to a recording: every row and every answer comes back to the last bit, damage is refused by
 * name, and a file that lies with right checksums is refused or harmless: all that it says can be looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <cmocka.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "cli/answers.h"
#include "cli/inside.h"
#include "engine/observe.h"
#include "tape/recording.h"
#include "ui/insight.h"

enum { FRAME = 40 };

static const char TEXT[] = "title \"Rows\"\npool 96\nrequest \"What color is grass?\" max=3 label=grass\npoison 2\n"
                           "request \"What color is snow?\" max=3\nrequest \"the sky\" raw max=2\n";

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static struct runner *runner;
static struct answers answers;
static struct observed live;
static struct buf file;

static int make_file(void **state)
{
    (void)state;
    struct err e = {0};
    struct script *s = script_parse("t.rxs", TEXT, strlen(TEXT), 1, &e);
    struct runner_config cfg = {.model_dir = "data/model"};
    runner = s != NULL ? runner_new(s, &cfg, &e) : NULL;
    if (runner == NULL || runner_script(runner, s, &e) != RUN_DONE)
        return -1;
    script_free(s);
    answers.stop = never;
    if (answers_collect(&answers, runner, &e) != 0 || !engine_observed(runner_engine(runner), &live))
        return -1;
    struct recording_kv kv = {&live, answers.one, answers.count};
    struct event_words words = lexicon_words(runner_lexicon(runner));
    struct recording_info info = {.title = "Rows", .mode = "exact", .bytes = lexicon_bytes_of, .ctx = words.ctx, .kv = &kv,
                                  .branch = -1};
    return recording_pack(runner_tape(runner), &info, &file, &e);
}

static int drop_file(void **state)
{
    (void)state;
    answers_done(&answers);
    buf_free(&file);
    runner_free(runner);
    return 0;
}

static void rows_come_back(void **state)
{
    (void)state;
    struct err e = {0};
    struct recording *rec = recording_parse("a.rxt", file.data, file.len, &e);
    struct observed o;
    struct cursor c;
    uint32_t rows = 0;
    assert_non_null(rec);
    assert_true(recording_observed(rec, &o));
    assert_memory_equal(&o.shape, &live.shape, sizeof o.shape);
    const struct model_shape *s = &o.shape;
    size_t width[] = {(size_t)s->heads * s->head_dim, (size_t)s->kv_heads * s->head_dim, (size_t)s->kv_heads * s->head_dim};
    assert_int_equal(cursor_init(&c, recording_tape(rec), &e), 0);
    for (uint32_t n = 1; n <= tape_length(c.tape, 0); n++) { /* every row that any moment names */
        cursor_seek(&c, 0, n);
        for (uint32_t slot = 1; slot <= 96; slot++)
            for (uint32_t l = 0; kv_row(c.w, slot) != 0 && l < s->layers; l++)
                for (int part = 0; part < ROW_PARTS; part++, rows++)
                    assert_memory_equal(o.row(o.ctx, kv_row(c.w, slot), l, (enum row_part)part),
                                        live.row(live.ctx, kv_row(c.w, slot), l, (enum row_part)part),
                                        width[part] * sizeof(float));
    }
    assert_true(rows > 1000);
    assert_null(o.row(o.ctx, 1000000, 0, ROW_K));
    cursor_done(&c);
    recording_free(rec);
}

static void answers_come_back(void **state)
{
    (void)state;
    struct err e = {0};
    struct recording *rec = recording_parse("a.rxt", file.data, file.len, &e);
    assert_non_null(rec);
    assert_int_equal(answers.count, 7); /* three requests in two modes, one spoiled row */
    for (uint32_t i = 0; i < answers.count; i++) {
        const struct answer *was = &answers.one[i].a, *now = recording_answer(rec, &answers.one[i].q);
        assert_non_null(now);
        assert_int_equal(now->state, ANSWER_READY);
        if (answers.one[i].q.about == ASK_PROOF) {
            assert_int_equal(now->proof.n, was->proof.n);
            assert_int_equal(now->proof.same_tokens, was->proof.same_tokens);
            assert_int_equal(now->proof.layers, was->proof.layers);
            assert_memory_equal(now->proof.layer, was->proof.layer, (was->proof.layers + 1) * sizeof *was->proof.layer);
        } else {
            assert_int_equal(now->effect.count, 2);
            assert_true(now->effect.request[0].reads > 0 && now->effect.request[1].reads == 0);
            assert_memory_equal(now->effect.request, was->effect.request, 2 * sizeof *was->effect.request);
        }
    }
    struct inquiry other = {.about = ASK_PROOF, .rid = 9};
    assert_null(recording_answer(rec, &other));
    recording_free(rec);
}

static void without_it_nothing_is_there(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf plain = {0};
    struct recording_info info = {.mode = "exact", .branch = -1};
    struct observed o;
    assert_int_equal(recording_pack(runner_tape(runner), &info, &plain, &e), 0);
    assert_true(plain.len * 4 < file.len);
    struct recording *rec = recording_parse("a.rxt", plain.data, plain.len, &e);
    assert_non_null(rec);
    assert_false(recording_observed(rec, &o));
    struct insight in = {0};
    struct cursor c;
    struct list l = {0};
    struct ui_evidence feed = inside_recording(rec);
    struct ui_words words = {.said = recording_words(rec), .bytes = recording_bytes, .ctx = rec};
    assert_int_equal(cursor_init(&c, recording_tape(rec), &e), 0);
    insight_load(&in, &feed, &words, &c, tape_length(c.tape, 0));
    insight_attention(&l, &in, &(struct look){0});
    assert_non_null(strstr(list_text(&l, 0), "not recorded"));
    assert_non_null(strstr(list_text(&l, 0), "--with-kv"));
    insight_ask(&in, &answers.one[0].q);
    insight_proof(&l, &in, cursor_scene(&c));
    assert_non_null(strstr(list_text(&l, 1), "--with-kv"));
    list_done(&l);
    insight_done(&in);
    cursor_done(&c);
    recording_free(rec);
    buf_free(&plain);
}

/* ---- damage -------------------------------------------------------------------------------------------------- */

static uint64_t fnv1a(const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * UINT64_C(1099511628211);
    return h;
}

static char *unpacked(size_t *n)
{
    uint64_t raw;
    memcpy(&raw, file.data + 16, 8);
    char *bytes = malloc(raw);
    assert_int_equal(ZSTD_decompress(bytes, raw, file.data + FRAME, file.len - FRAME), raw);
    *n = raw;
    return bytes;
}

static struct recording *reopened(const char *body, size_t n, struct err *e)
{
    struct buf b = {0};
    size_t bound = ZSTD_compressBound(n);
    char *bytes = malloc(bound);
    uint64_t raw = n, size = ZSTD_compress(bytes, bound, body, n, 1), sum = fnv1a(bytes, size);
    buf_add(&b, file.data, 16);
    buf_add(&b, &raw, 8);
    buf_add(&b, &size, 8);
    buf_add(&b, &sum, 8);
    buf_add(&b, bytes, size);
    free(bytes);
    struct recording *rec = recording_parse("a.rxt", b.data, b.len, e);
    buf_free(&b);
    return rec;
}

/* Where a section's bytes are. */
static char *section(char *body, size_t n, const char *tag, uint64_t *len)
{
    for (char *at = body; at < body + n;) {
        memcpy(len, at + 4, 8);
        if (memcmp(at, tag, 4) == 0)
            return at + 12;
        at += 12 + *len;
    }
    fail_msg("no section %s", tag);
    return NULL;
}

static void every_section_has_its_own_checksum(void **state)
{
    (void)state;
    static const struct { const char *tag, *says; } CASES[] = {{"KVRW", "its KV rows"}, {"PROV", "its proofs"}};
    size_t n;
    char *body = unpacked(&n);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        uint64_t len;
        char *at = section(body, n, CASES[i].tag, &len);
        for (uint64_t k = 0; k < len; k += len / 20 + 1) {
            struct err e = {0};
            at[k] ^= 4;
            assert_null(reopened(body, n, &e));
            assert_non_null(strstr(e.what, CASES[i].says));
            at[k] ^= 4;
        }
    }
    struct err e = {0};
    struct recording *rec = reopened(body, n, &e);
    assert_non_null(rec);
    recording_free(rec);
    free(body);
}

/* Everything that the views ask for. */
static void look_at_all(struct recording *rec)
{
    struct insight in = {0};
    struct cursor c;
    struct list l = {0};
    struct err e = {0};
    struct ui_evidence feed = inside_recording(rec);
    struct ui_words words = {.said = recording_words(rec), .bytes = recording_bytes, .ctx = rec};
    assert_int_equal(cursor_init(&c, recording_tape(rec), &e), 0);
    for (uint32_t n = 1; n <= tape_length(c.tape, 0); n += 9) {
        struct look k = {.layer = n % 7, .head = n % 11, .slot = 1 + n % 90};
        cursor_seek(&c, 0, n);
        insight_load(&in, &feed, &words, &c, n);
        insight_clip(&in, &k);
        insight_forward(&l, &in, c.tape, cursor_scene(&c), &k);
        insight_attention(&l, &in, &k);
        insight_lens(&l, &in, &c, &k);
        assert_int_equal(c.at, n);
    }
    for (uint32_t i = 0; i < answers.count; i++) {
        insight_ask(&in, &answers.one[i].q);
        insight_proof(&l, &in, cursor_scene(&c));
        insight_effect(&l, &in, cursor_scene(&c), 0);
    }
    list_done(&l);
    insight_done(&in);
    cursor_done(&c);
}

static void lies_with_right_checksums(void **state)
{
    (void)state;
    static const uint32_t EDGES[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 65536, 7};
    struct prng r;
    size_t n;
    uint32_t refused = 0, harmless = 0;
    char *body = unpacked(&n);
    prng_seed(&r, 11);
    for (int trial = 0; trial < 120; trial++) {
        uint64_t len;
        struct err e = {0};
        char *copy = malloc(n);
        memcpy(copy, body, n);
        char *at = section(copy, n, trial % 2 == 0 ? "KVRW" : "PROV", &len);
        uint32_t v = EDGES[prng_below(&r, ARRAY_LEN(EDGES))];
        size_t k = 8 + 4 * (size_t)prng_below(&r, trial % 3 == 0 ? 10 : (uint32_t)(len / 4 - 3));
        memcpy(at + k, &v, 4);
        uint64_t sum = fnv1a(at + 8, len - 8);
        memcpy(at, &sum, 8);
        struct recording *rec = reopened(copy, n, &e);
        assert_true(rec != NULL || e.set);
        if (rec != NULL)
            look_at_all(rec);
        *(rec != NULL ? &harmless : &refused) += 1;
        recording_free(rec);
        free(copy);
    }
    assert_true(refused > 10 && harmless > 10);
    free(body);
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    unsigned long injected = 0;
    for (unsigned long nth = 1; nth < 200; nth++) {
        struct err e = {0};
        xalloc_fail_at(nth, false);
        struct recording *rec = recording_parse("a.rxt", file.data, file.len, &e);
        bool more = xalloc_failures() > 0;
        xalloc_fail_at(0, false);
        injected += more;
        assert_true(rec != NULL || e.set);
        recording_free(rec);
        if (!more)
            break;
    }
    assert_true(injected > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back), cmocka_unit_test(answers_come_back),
        cmocka_unit_test(without_it_nothing_is_there), cmocka_unit_test(every_section_has_its_own_checksum),
        cmocka_unit_test(lies_with_right_checksums), cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_file, drop_file);
}
