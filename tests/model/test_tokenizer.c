/* Tokenizers: bytes in and out, merging against the plain rule, special tokens, streaming. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "model/bpe.h"
#include "model/tokenizer.h"

static struct tokenizer *open_data(const char *name)
{
    char path[128];
    struct tokenizer *t;
    struct err e = {0};
    snprintf(path, sizeof path, "tests/model/data/%s/tokenizer.json", name);
    if (tokenizer_open(path, UINT32_MAX, &t, &e) != 0)
        fail_msg("%s", e.what);
    return t;
}

static struct tokenizer *parse(const char *json)
{
    struct tokenizer *t;
    struct err e = {0};
    if (tokenizer_parse("t", json, strlen(json), UINT32_MAX, &t, &e) != 0)
        fail_msg("%s", e.what);
    return t;
}

static struct ids encode(const struct tokenizer *t, const char *text, size_t len, unsigned flags)
{
    struct ids ids = {0};
    struct err e = {0};
    if (tokenizer_encode(t, text, len, flags, &ids, &e) != 0)
        fail_msg("%s", e.what);
    return ids;
}

static void expect_ids(const struct tokenizer *t, const char *text, unsigned flags, size_t n, ...)
{
    struct ids ids = encode(t, text, strlen(text), flags);
    va_list args;
    va_start(args, n);
    assert_int_equal(ids.len, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids.at[i], va_arg(args, unsigned));
    va_end(args);
    ids_free(&ids);
}

#define LETTERS "\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5,\"aa\":6,\"aaaa\":7,\"\\u0120\":8,\"\\u0120a\":9,\"<e>\":10}"

/* Byte level, every string of bytes survives, NULs and broken UTF-8 included (Qwen's has NFC: not there). */
static void test_any_bytes_survive(void **state)
{
    (void)state;
    char json[8192];
    size_t n = (size_t)snprintf(json, sizeof json, "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
                                "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"merges\":[\"a b\"],\"vocab\":{\"ab\":256");
    for (unsigned b = 0, shift = 0; b < 256; b++) {
        bool plain = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        n += (size_t)snprintf(json + n, sizeof json - n, ",\"\\u%04x\":%u", plain ? b : 0x100 + shift, b);
        shift += !plain;
    }
    snprintf(json + n, sizeof json - n, "}}}");
    struct tokenizer *t = parse(json);
    struct prng r;
    static const char some[] = "ab \n\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80'";
    unsigned cases = 0;
    prng_seed(&r, 3);
    for (; cases < 3000; cases++) {
        char text[80];
        size_t len = prng_below(&r, sizeof text);
        for (size_t i = 0; i < len; i++)
            text[i] = cases % 2 == 0 ? (char)prng_below(&r, 256) : some[prng_below(&r, sizeof some - 1)];
        struct ids ids = encode(t, text, len, TOKENIZER_ADD_SPECIAL | TOKENIZER_PARSE_SPECIAL);
        struct buf back = {0}, streamed = {0};
        struct tokenizer_stream s = {0};
        tokenizer_decode(t, ids.at, ids.len, &back);
        assert_int_equal(back.len, len);
        assert_true(len == 0 || memcmp(back.data, text, len) == 0);
        for (size_t i = 0; i < ids.len; i++)
            tokenizer_stream_push(t, &s, ids.at[i], &streamed);
        tokenizer_stream_end(&s, &streamed);
        assert_int_equal(streamed.len, len);
        assert_true(len == 0 || memcmp(streamed.data, text, len) == 0);
        buf_free(&back);
        buf_free(&streamed);
        ids_free(&ids);
    }
    assert_int_equal(cases, 3000);
    tokenizer_close(t);
}

/* A character spread over tokens comes out when its last byte does, never before. */
static void test_streaming_holds_back(void **state)
{
    (void)state;
    struct tokenizer *t = open_data("mistral-linear-f16");
    static const uint32_t bytes[] = {3 + 0xf0, 3 + 0x9f, 3 + 0x98, 3 + 0x80, 3 + 'x', 3 + 0xe4, 3 + 0xb8};
    static const size_t visible[] = {0, 0, 0, 4, 5, 5, 5};
    struct tokenizer_stream s = {0};
    struct buf out = {0};
    for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
        tokenizer_stream_push(t, &s, bytes[i], &out);
        assert_int_equal(out.len, visible[i]);
    }
    tokenizer_stream_end(&s, &out);
    assert_int_equal(out.len, 7);
    assert_memory_equal(out.data, "\xf0\x9f\x98\x80x\xe4\xb8", 7);
    buf_free(&out);
    tokenizer_close(t);
}

static void test_merge_order(void **state)
{
    (void)state;
    struct tokenizer *t = parse("{\"model\":{" LETTERS ",\"merges\":[\"b c\",\"a b\",\"a bc\",\"a a\",\"aa aa\"]}}");
    expect_ids(t, "abc", 0, 1, 5);
    expect_ids(t, "ab", 0, 1, 3);
    expect_ids(t, "aaa", 0, 2, 6, 0);      /* the leftmost first */
    expect_ids(t, "aaaaa", 0, 2, 7, 0);
    expect_ids(t, "aabc", 0, 2, 0, 5);     /* lower ranks first: bc, then a bc; then no "a a" is left */
    expect_ids(t, "", TOKENIZER_ADD_SPECIAL, 0);
    tokenizer_close(t);
}

static void test_ignore_merges(void **state)
{
    (void)state;
    struct tokenizer *t = parse("{\"model\":{\"ignore_merges\":true," LETTERS ",\"merges\":[]},"
                                "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}}");
    expect_ids(t, "abc", 0, 1, 5);
    expect_ids(t, "abcb", 0, 4, 0, 1, 2, 1);
    expect_ids(t, "abc a", 0, 2, 5, 9);
    tokenizer_close(t);
}

static void test_special_tokens(void **state)
{
    (void)state;
    struct tokenizer *t = parse(
        "{\"added_tokens\":[{\"id\":10,\"content\":\"<e>\",\"special\":true},{\"id\":11,\"content\":\"<e>a\",\"special\":true},"
        "{\"id\":12,\"content\":\"aab\",\"special\":false},{\"id\":13,\"content\":\"<l>\",\"special\":true,\"lstrip\":true,\"rstrip\":true},"
        "{\"id\":14,\"content\":\"ca\",\"special\":true,\"single_word\":true}],\"model\":{" LETTERS ",\"merges\":[]},"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"post_processor\":{\"type\":\"TemplateProcessing\","
        "\"single\":[{\"SpecialToken\":{\"id\":\"e\"}},{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"l\"}}],"
        "\"special_tokens\":{\"e\":{\"ids\":[10]},\"l\":{\"ids\":[13,13]}}}}");
    expect_ids(t, "b<e>b", TOKENIZER_PARSE_SPECIAL, 3, 1, 10, 1);
    expect_ids(t, "b<e>a", TOKENIZER_PARSE_SPECIAL, 2, 1, 11); /* the longest */
    expect_ids(t, "aab", TOKENIZER_PARSE_SPECIAL, 1, 12);
    expect_ids(t, "aab", TOKENIZER_PLAIN, 1, 12);              /* added, but not special */
    expect_ids(t, "b<e>", TOKENIZER_PLAIN, 1, 1);              /* plain text: no token of this vocabulary has "<" */
    expect_ids(t, "b <l> \n b", TOKENIZER_PARSE_SPECIAL, 3, 1, 13, 1);
    expect_ids(t, "ca cab", TOKENIZER_PARSE_SPECIAL, 5, 14, 8, 2, 0, 1);
    expect_ids(t, "a", TOKENIZER_ADD_SPECIAL, 4, 10, 0, 13, 13);
    assert_int_equal(tokenizer_special(t, "<e>"), 10);
    assert_int_equal(tokenizer_special(t, "<nope>"), TOKENIZER_NONE);
    assert_true(tokenizer_is_special(t, 10));
    assert_false(tokenizer_is_special(t, 12));
    assert_false(tokenizer_is_special(t, 1000));
    assert_int_equal(tokenizer_size(t), 15);
    tokenizer_close(t);
}

static void test_token_bytes(void **state)
{
    (void)state;
    struct tokenizer *t = parse("{\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{" LETTERS ",\"merges\":[]}}");
    size_t len;
    assert_memory_equal(tokenizer_token_bytes(t, 9, &len), " a", 2);
    assert_int_equal(len, 2);
    assert_null(tokenizer_token_bytes(t, 99, &len));
    assert_int_equal(len, 0);
    tokenizer_close(t);
}

/* The first blank of a SentencePiece text is its own and comes off, once. */
static void test_leading_blank(void **state)
{
    (void)state;
    struct tokenizer *t = open_data("mistral-linear-f16");
    static const char *const texts[] = {"the tree", " the tree", "  x", ""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct ids ids = encode(t, texts[i], strlen(texts[i]), 0);
        struct buf out = {0};
        tokenizer_decode(t, ids.at, ids.len, &out);
        /* "first": a text that begins with a blank gets no other, so one of its own is lost */
        assert_string_equal(buf_text(&out), texts[i][0] == ' ' ? texts[i] + 1 : texts[i]);
        buf_free(&out);
        ids_free(&ids);
    }
    tokenizer_close(t);
}

/* Long words take the heap, short ones the scan: the same merges, and those of the rule said plainly. */
static size_t merge_plainly(const struct vocab *v, uint32_t *ids, size_t n)
{
    for (;;) {
        const struct vocab_pair *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            const struct vocab_pair *p = vocab_find_pair(v, ids[i], ids[i + 1]);
            if (p != NULL && (best == NULL || p->rank < best->rank)) {
                best = p;
                at = i;
            }
        }
        if (best == NULL)
            return n;
        ids[at] = best->id;
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        n--;
    }
}

static void test_merging_follows_the_rule(void **state)
{
    (void)state;
    struct vocab v = {0};
    struct bpe b = {0};
    struct prng r;
    unsigned cases = 0, merged = 0;
    prng_seed(&r, 8);
    assert_true(vocab_reserve(&v, 10, 10));
    for (uint32_t rank = 0, id = 4; rank < 60; rank++) { /* random merges over four letters */
        uint32_t left = prng_below(&r, id), right = prng_below(&r, id);
        if (vocab_add_pair(&v, left, right, rank, id) == VOCAB_OK)
            id++;
    }
    for (; cases < 4000; cases++) {
        uint32_t ids[200], wanted[200];
        size_t n = 1 + prng_below(&r, cases % 2 == 0 ? 40 : 200);
        for (size_t i = 0; i < n; i++)
            ids[i] = wanted[i] = prng_below(&r, 4);
        size_t expected = merge_plainly(&v, wanted, n), got = bpe_merge_word(&b, &v, ids, n);
        assert_int_equal(got, expected);
        assert_memory_equal(ids, wanted, got * sizeof *ids);
        merged += got < n;
    }
    assert_true(merged > 1000);
    bpe_done(&b);
    vocab_done(&v);
}

/* A megabyte without a blank must not take quadratic time: it would not end. */
static void test_a_long_word(void **state)
{
    (void)state;
    struct tokenizer *t = parse("{\"model\":{" LETTERS ",\"merges\":[\"b c\",\"a b\",\"a bc\",\"a a\",\"aa aa\"]}}");
    size_t n = 1 << 20;
    char *text = xmalloc(n);
    memset(text, 'a', n);
    struct ids ids = encode(t, text, n, 0);
    assert_int_equal(ids.len, n / 4);
    ids_free(&ids);
    xfree(text);
    tokenizer_close(t);
}

static void test_encoding_without_memory(void **state)
{
    (void)state;
    struct tokenizer *t = open_data("qwen3-sharded-bf16");
    static const char text[] = "The radix tree, caf\xc3\xa9 42 <|end|> and a word: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    unsigned long failed = 0;
    for (unsigned long nth = 1; nth < 200; nth++) {
        struct ids ids = {0};
        struct err e = {0};
        xalloc_fail_at(nth, false);
        int rc = tokenizer_encode(t, text, sizeof text - 1, TOKENIZER_PARSE_SPECIAL, &ids, &e);
        unsigned long injected = xalloc_failures();
        xalloc_fail_at(0, false);
        ids_free(&ids);
        if (injected == 0)
            break;
        assert_true(rc == -1 && e.set);
        failed++;
    }
    assert_true(failed >= 5);
    tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bytes_survive),       cmocka_unit_test(test_streaming_holds_back),
        cmocka_unit_test(test_merge_order),             cmocka_unit_test(test_ignore_merges),
        cmocka_unit_test(test_special_tokens),          cmocka_unit_test(test_token_bytes),
        cmocka_unit_test(test_leading_blank),           cmocka_unit_test(test_merging_follows_the_rule),
        cmocka_unit_test(test_a_long_word),             cmocka_unit_test(test_encoding_without_memory),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}
