#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <cmocka.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "cache/museum.h"
#include "script/runner.h"
#include "tape/check.h"
#include "tape/recording.h"

enum { FRAME = 40 };

static const char LETTERS[] = "title \"Letters\"\ntokens letters\npool 24\n"
                              "insert \"the cat sat\" ns=\"tenant one\"\ninsert \"the cat ran\" ns=\"tenant one\"\n"
                              "insert \"a dog\"\nsay \"evict now\"\nevict 5\nmatch \"the\" ns=\"tenant one\"\n";
static const char REQUESTS[] = "title \"Requests\"\npool 64\nrequest \"What color is grass?\" label=grass\n"
                               "request \"What color is snow?\"\n";

static struct runner *ran(const char *text)
{
    struct err e = {0};
    struct script *s = script_parse("t.rxs", text, strlen(text), 1, &e);
    struct runner_config cfg = {.model_dir = "data/model"};
    struct runner *r = s != NULL ? runner_new(s, &cfg, &e) : NULL;
    if (r == NULL || runner_script(r, s, &e) != RUN_DONE)
        fail_msg("%s", e.what);
    script_free(s);
    return r;
}

/* A second branch, as somebody who went back would make it. */
static void fork_at(struct runner *r, int branch, uint32_t at, const char *line)
{
    struct err e = {0};
    struct script *s = script_parse("typed", line, strlen(line), 1, &e);
    if (s == NULL || runner_act_at(r, branch, at, &e) != 0 || runner_script(r, s, &e) != RUN_DONE)
        fail_msg("%s", e.what);
    script_free(s);
}

static struct buf packed(struct runner *r, int branch)
{
    struct buf b = {0};
    struct err e = {0};
    struct event_words words = lexicon_words(runner_lexicon(r));
    struct recording_info info = {.title = runner_settings(r)->title, .mode = "exact", .script = "# a script\n",
                                  .bytes = lexicon_bytes_of, .ctx = words.ctx, .branch = branch};
    if (recording_pack(runner_tape(r), &info, &b, &e) != 0)
        fail_msg("%s", e.what);
    return b;
}

static struct recording *opened(const struct buf *b)
{
    struct err e = {0};
    struct recording *rec = recording_parse("a.rxt", b->data, b->len, &e);
    if (rec == NULL)
        fail_msg("%s", e.what);
    return rec;
}

static void said(const struct cursor *c, const struct event_words *words, struct buf *b)
{
    struct step step;
    buf_clear(b);
    if (c->at == 0)
        return;
    tape_step(c->tape, c->branch, c->at, &step);
    event_fields(cursor_scene(c), words, step.kind, step.arg, b);
    event_sentence(cursor_scene(c), words, step.kind, step.arg, b);
}

static void same_observations(const struct cursor *a, const struct cursor *b)
{
    struct observation x, y;
    uint32_t i = 0;
    if (a->at == 0)
        return;
    while (tape_observation(a->tape, a->branch, a->at, i, &x)) {
        assert_true(tape_observation(b->tape, b->branch, b->at, i++, &y));
        assert_int_equal(x.kind, y.kind);
        assert_int_equal(x.bytes, y.bytes);
        assert_memory_equal(x.data, y.data, x.bytes);
    }
    assert_false(b->at > 0 && tape_observation(b->tape, b->branch, b->at, i, &y));
}

/* Every step of `branch` of t reads the same as branch `to` of the recording. */
static uint32_t same_branch(struct runner *r, int branch, const struct recording *rec, int to)
{
    struct cursor a, b;
    struct err e = {0};
    struct event_words from = lexicon_words(runner_lexicon(r)), words = recording_words(rec);
    struct buf x = {0}, y = {0};
    assert_int_equal(cursor_init(&a, runner_tape(r), &e), 0);
    assert_int_equal(cursor_init(&b, recording_tape(rec), &e), 0);
    uint32_t end = tape_length(runner_tape(r), branch);
    assert_int_equal(tape_length(recording_tape(rec), to), end);
    for (uint32_t n = 0; n <= end; n++) {
        cursor_seek(&a, branch, n);
        cursor_seek(&b, to, n);
        assert_true(world_equal(a.w, b.w));
        said(&a, &from, &x);
        said(&b, &words, &y);
        assert_string_equal(buf_text(&x), buf_text(&y));
        same_observations(&a, &b);
    }
    buf_free(&x);
    buf_free(&y);
    cursor_done(&a);
    cursor_done(&b);
    return end;
}

static void everything_comes_back(void **state)
{
    (void)state;
    const char *const TEXTS[] = {LETTERS, REQUESTS};
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct runner *r = ran(TEXTS[i]);
        struct buf b = packed(r, -1);
        struct recording *rec = opened(&b);
        assert_true(same_branch(r, 0, rec, 0) > 20);
        assert_string_equal(recording_title(rec), i == 0 ? "Letters" : "Requests");
        assert_string_equal(recording_mode(rec), "exact");
        assert_string_equal(recording_script(rec), "# a script\n");
        assert_string_equal(recording_model(rec), "");
        assert_true(world_equal(tape_world(recording_tape(rec)), tape_world(runner_tape(r))));
        recording_free(rec);
        buf_free(&b);
        runner_free(r);
    }
}

/* A request that is refused has given back what it had found, and its count stays. */
static void refused_requests_come_back(void **state)
{
    (void)state;
    struct runner *r = ran("pool 24\nsystem \"You are a helpful assistant.\"\nrequest \"What color is grass?\" max=2\n"
                           "request \"What color is grass, and where do fish live, and how do birds fly?\" max=2\n");
    struct buf b = packed(r, -1);
    struct recording *rec = opened(&b);
    uint32_t end = same_branch(r, 0, rec, 0), refused_ = 0;
    for (uint32_t n = 1; n <= end; n++) {
        struct step s;
        tape_step(recording_tape(rec), 0, n, &s);
        refused_ += s.kind == EV_REFUSE;
    }
    assert_int_equal(refused_, 1);
    recording_free(rec);
    buf_free(&b);
    runner_free(r);
}

static bool breaks_an_invariant(struct tape *t)
{
    struct cursor c;
    struct err e = {0};
    bool breaks = false;
    assert_int_equal(cursor_init(&c, t, &e), 0);
    for (uint32_t n = 1; n <= tape_length(t, 0); n++) {
        struct step s;
        tape_step(t, 0, n, &s);
        cursor_seek(&c, 0, n);
        breaks = breaks || (s.settled && world_check(cursor_scene(&c), &e) != 0);
    }
    cursor_done(&c);
    return breaks;
}

/* Broken on purpose, invariants and all. */
static void engines_of_the_museum_come_back(void **state)
{
    (void)state;
    unsigned broken = 0;
    for (unsigned bug = 1; bug < BUG_COUNT; bug++) {
        char text[400];
        snprintf(text, sizeof text, "bug %s\npool 128\nsystem \"You are a helpful assistant.\"\n"
                 "request \"What color is grass?\" max=1\nrequest \"What color is snow?\" max=1\n"
                 "turn \"And why?\" max=1\ninsert \"You are a cat\"\nlock l \"You are a cat\"\n"
                 "match \"You are a dog\"\nevict 40\n", museum_info(bug)->name);
        struct runner *r = ran(text);
        struct buf b = packed(r, -1);
        struct recording *rec = opened(&b);
        assert_int_equal(recording_world(rec)->bug, bug);
        assert_true(same_branch(r, 0, rec, 0) > 20);
        broken += breaks_an_invariant(recording_tape(rec));
        recording_free(rec);
        buf_free(&b);
        runner_free(r);
    }
    assert_int_equal(broken, 5); /* those of test_museum.c's table */
}

/* A recording that was made before there were schedules, kept as it was, and the steps as the program of that day
 * said them. It opens in every later one: each step says the same, and the way back is the way there. */
static void an_old_recording_opens(void **state)
{
    (void)state;
    struct err e = {0};
    struct recording *rec = recording_open("tests/tape/data/before_schedules.rxt", &e);
    FILE *steps = fopen("tests/tape/data/before_schedules.steps", "r");
    if (rec == NULL || steps == NULL)
        fail_msg("%s", rec == NULL ? e.what : "its steps cannot be read");
    struct tape *t = recording_tape(rec);
    struct event_words words = recording_words(rec);
    struct cursor c;
    uint64_t seen[256];
    uint32_t end = tape_length(t, 0), kinds = 0;
    bool known[EV_COUNT] = {false};
    assert_int_equal(end, 198);
    assert_int_equal(cursor_init(&c, t, &e), 0);
    for (uint32_t n = 0; n <= end; n++) {
        char line[512];
        struct step s;
        struct buf said_ = {0};
        cursor_seek(&c, 0, n);
        seen[n] = world_hash(c.w);
        if (n == 0)
            continue;
        tape_step(t, 0, n, &s);
        kinds += !known[s.kind];
        known[s.kind] = true;
        buf_printf(&said_, "%u ", n);
        for (const char *k = event_info(s.kind)->name; *k != '\0'; k++)
            buf_putc(&said_, (char)toupper((unsigned char)*k));
        buf_putc(&said_, ' ');
        event_fields(cursor_scene(&c), &words, s.kind, s.arg, &said_);
        buf_putc(&said_, '\n');
        assert_non_null(fgets(line, sizeof line, steps));
        assert_string_equal(buf_text(&said_), line);
        buf_free(&said_);
    }
    for (uint32_t n = end + 1; n-- > 0;) {
        cursor_seek(&c, 0, n);
        assert_true(world_hash(c.w) == seen[n]);
    }
    assert_int_equal(kinds, 37);
    assert_string_equal(recording_title(rec), "An old recording");
    fclose(steps);
    cursor_done(&c);
    recording_free(rec);
}

static void branches_come_back(void **state)
{
    (void)state;
    struct runner *r = ran(LETTERS);
    uint32_t end = tape_length(runner_tape(r), 0);
    fork_at(r, 0, end / 2, "insert \"a deer\"\n");
    fork_at(r, 1, tape_length(runner_tape(r), 1) - 1, "insert \"twice\"\n");
    fork_at(r, 0, end, "match \"a\"\n");
    assert_int_equal(tape_branches(runner_tape(r)), 3);
    struct buf b = packed(r, -1);
    struct recording *rec = opened(&b);
    for (int i = 0; i < 3; i++)
        same_branch(r, i, rec, i);
    assert_int_equal(tape_branch(recording_tape(rec)), 0);
    recording_free(rec);
    buf_free(&b);
    for (int i = 0; i < 3; i++) { /* one branch alone, with what it shares */
        b = packed(r, i);
        rec = opened(&b);
        assert_int_equal(tape_branches(recording_tape(rec)), 1);
        same_branch(r, i, rec, 0);
        recording_free(rec);
        buf_free(&b);
    }
    runner_free(r);
}

static void a_file_is_written_and_opened(void **state)
{
    (void)state;
    char path[] = "/tmp/radixscope-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct runner *r = ran(LETTERS);
    struct event_words words = lexicon_words(runner_lexicon(r));
    struct recording_info info = {.title = "T", .bytes = lexicon_bytes_of, .ctx = words.ctx, .branch = -1};
    struct err e = {0};
    assert_int_equal(recording_save(path, runner_tape(r), &info, &e), 0);
    struct recording *rec = recording_open(path, &e);
    assert_non_null(rec);
    assert_null(recording_mode(rec));
    recording_free(rec);
    assert_int_equal(recording_save("/nonexistent/x.rxt", runner_tape(r), &info, &e), -1);
    assert_string_equal(e.what, "/nonexistent/x.rxt cannot be written: No such file or directory");
    runner_free(r);
    unlink(path);
}

/* ---- refusals --------------------------------------------------------------------------------------------- */

static const char *refused(const void *bytes, size_t n, struct err *e)
{
    *e = (struct err){0};
    struct recording *rec = recording_parse("a.rxt", bytes, n, e);
    if (rec != NULL)
        fail_msg("it was opened");
    return e->what;
}

static void foreign_files_are_refused(void **state)
{
    (void)state;
    struct err e;
    struct runner *r = ran(LETTERS);
    struct buf b = packed(r, -1);
    assert_string_equal(refused("", 0, &e), "a.rxt is no recording of radixscope");
    assert_string_equal(refused("#!/bin/sh\n", 10, &e), "a.rxt is no recording of radixscope");
    assert_string_equal(refused(b.data, 20, &e), "a.rxt is cut off: it ends after 20 bytes");
    assert_non_null(strstr(refused(b.data, b.len - 1, &e), "a.rxt is cut off: its body should have"));
    buf_putc(&b, 'x');
    assert_non_null(strstr(refused(b.data, b.len, &e), "a.rxt is too long"));
    b.len--;
    b.data[8] = RECORDING_VERSION + 1;
    assert_string_equal(refused(b.data, b.len, &e),
                        "a.rxt was written by a newer radixscope (format 2; this one reads up to 1)");
    b.data[8] = RECORDING_VERSION;
    b.data[b.len - 3] ^= 1;
    assert_string_equal(refused(b.data, b.len, &e), "a.rxt is damaged: its checksum is wrong");
    buf_free(&b);
    runner_free(r);
}

static void every_cut_and_every_flipped_byte_is_refused(void **state)
{
    (void)state;
    struct runner *r = ran(LETTERS);
    struct buf b = packed(r, -1);
    uint32_t cases = 0;
    struct err e;
    for (size_t n = 0; n < b.len; n++, cases++)
        refused(b.data, n, &e);
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 0x10;
        refused(b.data, b.len, &e);
        b.data[i] ^= 0x10;
        cases++;
    }
    assert_true(cases > 500);
    buf_free(&b);
    runner_free(r);
}

/* ---- files that lie: the checksum is right ----------------------------------------------------------------- */

static uint64_t fnv1a(const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * UINT64_C(1099511628211);
    return h;
}

static struct buf unpacked(const struct buf *b)
{
    uint64_t raw;
    struct buf body = {0};
    memcpy(&raw, b->data + 16, 8);
    char *bytes = malloc(raw);
    assert_int_equal(ZSTD_decompress(bytes, raw, b->data + FRAME, b->len - FRAME), raw);
    buf_add(&body, bytes, raw);
    free(bytes);
    return body;
}

static struct buf repacked(const struct buf *frame, const char *body, size_t n)
{
    struct buf b = {0};
    size_t bound = ZSTD_compressBound(n);
    char *bytes = malloc(bound);
    uint64_t raw = n, size = ZSTD_compress(bytes, bound, body, n, 1), sum = fnv1a(bytes, size);
    buf_add(&b, frame->data, 16);
    buf_add(&b, &raw, 8);
    buf_add(&b, &size, 8);
    buf_add(&b, &sum, 8);
    buf_add(&b, bytes, size);
    free(bytes);
    return b;
}

/* Whatever a file says: it is refused with a sentence, or all of it can be visited. */
static bool visit_or_refuse(const struct buf *b)
{
    struct err e = {0};
    struct recording *rec = recording_parse("a.rxt", b->data, b->len, &e);
    if (rec == NULL) {
        assert_true(e.set && strncmp(e.what, "a.rxt", 5) == 0);
        return false;
    }
    struct cursor c;
    struct buf text = {0};
    struct event_words words = recording_words(rec);
    const struct tape *t = recording_tape(rec);
    assert_int_equal(cursor_init(&c, t, &e), 0);
    for (int i = 0; i < tape_branches(t); i++) {
        for (uint32_t n = 1; n <= tape_length(t, i); n++) {
            cursor_seek(&c, i, n);
            said(&c, &words, &text);
            for (uint32_t node = node_preorder(c.w, ROOT); node != 0; node = node_preorder(c.w, node))
                if (node_raw_len(c.w, node) > 0)
                    recording_bytes(words.ctx, node_tokens(cursor_scene(&c), node)[node_raw_len(c.w, node) - 1], &text);
        }
    }
    buf_free(&text);
    cursor_done(&c);
    recording_free(rec);
    return true;
}

static void mutate(struct prng *r, char *body, size_t n)
{
    static const uint32_t EDGES[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 1 << 21, 1 << 25, 65536};
    for (uint32_t k = 1 + prng_below(r, 3); k > 0; k--) {
        size_t at = prng_below(r, (uint32_t)n);
        uint32_t v = EDGES[prng_below(r, ARRAY_LEN(EDGES))];
        switch (prng_below(r, 4)) {
        case 0: body[at] = (char)prng_next(r); break;
        case 1: body[at] ^= (char)(1 << prng_below(r, 8)); break;
        case 2: body[at] = (char)(body[at] + 1 - 2 * (int)prng_below(r, 2)); break;
        default: memcpy(body + (at < n - 4 ? at : n - 4), &v, 4); break;
        }
    }
}

static void lies_are_refused_or_harmless(void **state)
{
    (void)state;
    const char *iters = getenv("ITERS"), *seed = getenv("SEED");
    uint32_t rounds = iters != NULL ? (uint32_t)atoi(iters) : 3000, harmless = 0;
    struct prng r;
    prng_seed(&r, seed != NULL ? (uint64_t)atoi(seed) : 5);
    struct runner *run = ran(LETTERS);
    fork_at(run, 0, 12, "insert \"a deer\"\nlock k \"a d\"\n");
    struct buf b = packed(run, -1), body = unpacked(&b);
    char *copy = malloc(body.len);
    for (uint32_t i = 0; i < rounds; i++) {
        memcpy(copy, body.data, body.len);
        mutate(&r, copy, body.len);
        size_t n = prng_below(&r, 20) == 0 ? prng_below(&r, (uint32_t)body.len) + 1 : body.len;
        struct buf lie = repacked(&b, copy, n);
        harmless += visit_or_refuse(&lie);
        buf_free(&lie);
    }
    struct buf same = repacked(&b, body.data, body.len);
    assert_true(visit_or_refuse(&same));
    print_message("%u of %u lies were harmless\n", harmless, rounds);
    assert_true(harmless < rounds);
    free(copy);
    buf_free(&same);
    buf_free(&body);
    buf_free(&b);
    runner_free(run);
}

/* A section of a body that begins at `at`; 0: none does. */
static size_t section_length(const struct buf *body, size_t at)
{
    uint64_t len;
    if (at + 12 > body->len)
        return 0;
    memcpy(&len, body->data + at + 4, 8);
    return 12 + (size_t)len;
}

static bool section_is(const struct buf *body, size_t at, const char *tag)
{
    return memcmp(body->data + at, tag, 4) == 0;
}

/* The configuration and the branches of a body, one behind the other. */
static struct buf judged(const struct buf *body)
{
    struct buf b = {0};
    for (size_t at = 0, len; (len = section_length(body, at)) > 0; at += len)
        if (section_is(body, at, "CONF") || section_is(body, at, "BRCH"))
            buf_add(&b, body->data + at, len);
    return b;
}

/* What a file holds is refused or means something: written again, an accepted file gives the same. */
static bool kept_or_refused(const struct buf *frame, const struct buf *body)
{
    struct err e = {0};
    struct buf b = repacked(frame, body->data, body->len), out = {0};
    struct recording *rec = recording_parse("a.rxt", b.data, b.len, &e);
    bool fine = true;
    if (rec != NULL) {
        struct recording_info info = {.title = recording_title(rec), .mode = recording_mode(rec),
                                      .script = recording_script(rec), .bytes = recording_bytes, .ctx = rec, .branch = -1};
        assert_int_equal(recording_pack(recording_tape(rec), &info, &out, &e), 0);
        struct buf again = unpacked(&out), x = judged(body), y = judged(&again);
        fine = x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
        buf_free(&again);
        buf_free(&x);
        buf_free(&y);
        recording_free(rec);
    }
    buf_free(&out);
    buf_free(&b);
    return fine;
}

/* One bit of every byte of the configuration and of the branches: no byte is accepted and then not looked at. */
static void no_byte_is_accepted_silently(void **state)
{
    (void)state;
    struct runner *run = ran(LETTERS);
    fork_at(run, 0, 12, "insert \"a deer\"\nlock k \"a d\"\n");
    struct buf b = packed(run, -1), body = unpacked(&b);
    uint32_t cases = 0, silent = 0;
    assert_true(kept_or_refused(&b, &body));
    for (size_t at = 0, len; (len = section_length(&body, at)) > 0; at += len) {
        if (!section_is(&body, at, "CONF") && !section_is(&body, at, "BRCH"))
            continue;
        for (size_t i = at + 12; i < at + len; i++, cases++) {
            for (int bit = (int)(i % 2); bit < 8; bit += section_is(&body, at, "CONF") ? 1 : 5) {
                body.data[i] ^= (char)(1 << bit);
                if (!kept_or_refused(&b, &body)) {
                    print_message("byte %zu of %.4s, bit %d\n", i - at - 12, body.data + at, bit);
                    silent++;
                }
                body.data[i] ^= (char)(1 << bit);
            }
        }
    }
    print_message("%u bytes\n", cases);
    assert_true(cases > 500);
    assert_int_equal(silent, 0);
    buf_free(&body);
    buf_free(&b);
    runner_free(run);
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    struct runner *r = ran(LETTERS);
    struct buf b = packed(r, -1);
    unsigned long injected = 0, nth = 1;
    for (bool more = true; more; nth++) {
        struct err e = {0};
        xalloc_fail_at(nth, nth % 2 == 0);
        struct recording *rec = recording_parse("a.rxt", b.data, b.len, &e);
        more = xalloc_failures() > 0;
        xalloc_fail_at(0, false);
        injected += more;
        assert_true(rec != NULL || e.set);
        recording_free(rec);
    }
    assert_true(injected > 10);
    struct recording_info info = {.branch = 0};
    for (bool more = true; more; nth++) {
        struct err e = {0};
        struct buf out = {0};
        xalloc_fail_at(nth % 40 + 1, false);
        int rc = recording_pack(runner_tape(r), &info, &out, &e);
        more = xalloc_failures() > 0;
        xalloc_fail_at(0, false);
        assert_true(rc == 0 || e.set);
        buf_free(&out);
    }
    buf_free(&b);
    runner_free(r);
}

/* A long recording leaps like the tape that was recorded: wherever one jumps, on whichever branch, both worlds are
 * equal; and there are blocks to leap over. */
static void long_ones_leap(void **state)
{
    (void)state;
    struct buf text = {0};
    struct prng p;
    prng_seed(&p, 3);
    buf_puts(&text, "tokens letters\npool 400\n");
    for (int i = 0; i < 3200; i++) {
        buf_printf(&text, "%s \"", prng_below(&p, 3) == 0 ? "match" : "insert");
        for (uint32_t k = 1 + prng_below(&p, 12); k > 0; k--)
            buf_putc(&text, (char)('a' + prng_below(&p, 4)));
        buf_puts(&text, "\"\n");
    }
    struct runner *r = ran(buf_text(&text));
    struct tape *t = runner_tape(r);
    uint32_t length = tape_length(t, 0);
    assert_true(length > 20000);
    fork_at(r, 0, length * 3 / 4, "insert \"abcabcabc\"");
    struct buf b = packed(r, -1);
    struct err e = {0};
    struct recording *rec = recording_parse("long", b.data, b.len, &e);
    if (rec == NULL)
        fail_msg("%s", e.what);
    struct tape *u = recording_tape(rec);
    assert_true(tape_skip_bytes(u) > 0);
    assert_true(tape_skip_bytes(u) < tape_bytes(u));
    struct cursor one, other;
    assert_int_equal(cursor_init(&one, t, &e), 0);
    assert_int_equal(cursor_init(&other, u, &e), 0);
    for (int i = 0; i < 400; i++) {
        int branch = (int)prng_below(&p, 2);
        uint32_t at = prng_below(&p, tape_length(t, branch) + 1);
        cursor_seek(&one, branch, at);
        cursor_seek(&other, branch, at);
        assert_true(world_equal(one.w, other.w));
    }
    cursor_done(&one);
    cursor_done(&other);
    recording_free(rec);
    buf_free(&b);
    buf_free(&text);
    runner_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(refused_requests_come_back),
        cmocka_unit_test(engines_of_the_museum_come_back),
        cmocka_unit_test(an_old_recording_opens),
        cmocka_unit_test(branches_come_back),
        cmocka_unit_test(a_file_is_written_and_opened),
        cmocka_unit_test(foreign_files_are_refused),
        cmocka_unit_test(every_cut_and_every_flipped_byte_is_refused),
        cmocka_unit_test(lies_are_refused_or_harmless),
        cmocka_unit_test(no_byte_is_accepted_silently),
        cmocka_unit_test(long_ones_leap),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
