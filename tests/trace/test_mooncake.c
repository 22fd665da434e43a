/* Reading traces: what is right, in every packing; what is wrong, with its line and field; no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/prng.h"
#include "base/xalloc.h"
#include "trace/mooncake.h"

#define GOOD "{\"timestamp\": 1, \"input_length\": 600, \"output_length\": 2, \"hash_ids\": [7, 8]}\n"
#define CHAT "{\"chat_id\": 5, \"parent_chat_id\": -1, \"turn\": 1, \"timestamp\": 1.5, \"input_length\": 33, " \
             "\"output_length\": 4, \"type\": \"text\", \"hash_ids\": [1, 2, 3]}\n"

/* All requests of a text as one line: their ids and times. 0, or -1 and *e. */
static int read_all(const char *text, size_t len, uint32_t block, struct buf *out, uint32_t *block_is, struct err *e)
{
    struct lines *l = lines_of("t", text, len, e);
    struct mooncake *m = l != NULL ? mooncake_new(l, block, e) : NULL;
    struct mooncake_request r;
    int rc = m == NULL ? -1 : 1;
    while (rc == 1 && (rc = mooncake_next(m, &r, e)) == 1) {
        buf_printf(out, "%.0f+%u+%u:", r.ms, r.input_length, r.output_length);
        for (uint32_t i = 0; i < r.n; i++)
            buf_printf(out, "%u,", r.ids[i]);
    }
    if (block_is != NULL && m != NULL)
        *block_is = mooncake_block(m);
    mooncake_free(m);
    lines_close(l);
    return rc;
}

static const struct bad {
    const char *text;
    uint32_t block;
    const char *says[3];
} BAD[] = {
    {"", 0, {"t:", "no request"}},
    {"\n \n", 0, {"t:", "no request"}},
    {GOOD "{\"timestamp\": 1", 0, {"t:2:", "no JSON object", "column"}},
    {"[1]\n", 0, {"t:1:", "no JSON object"}},
    {GOOD GOOD "x\n", 0, {"t:3:", "no JSON object"}},
    {GOOD "{\"input_length\": 1, \"output_length\": 2, \"hash_ids\": [7]}", 0, {"t:2:", "\"timestamp\"", "missing"}},
    {"{\"timestamp\": \"1\", \"input_length\": 1, \"output_length\": 2, \"hash_ids\": [7]}", 0, {"t:1:", "\"timestamp\"", "number"}},
    {"{\"timestamp\": -1, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": [7]}", 0, {"t:1:", "\"timestamp\"", "number"}},
    {GOOD "{\"timestamp\": 1, \"output_length\": 2, \"hash_ids\": [7]}", 0, {"t:2:", "\"input_length\"", "missing"}},
    {"{\"timestamp\": 1, \"input_length\": 1.5, \"output_length\": 2, \"hash_ids\": [7]}", 0, {"t:1:", "\"input_length\"", "whole number"}},
    {"{\"timestamp\": 1, \"input_length\": -3, \"output_length\": 2, \"hash_ids\": [7]}", 0, {"t:1:", "\"input_length\"", "from 0"}},
    {"{\"timestamp\": 1, \"input_length\": 99999999999, \"output_length\": 2, \"hash_ids\": [7]}", 0, {"t:1:", "\"input_length\"", "to 2147483647"}},
    {"{\"timestamp\": 1, \"input_length\": 1, \"hash_ids\": [7]}", 0, {"t:1:", "\"output_length\"", "missing"}},
    {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": null, \"hash_ids\": [7]}", 0, {"t:1:", "\"output_length\"", "whole number"}},
    {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 2}", 0, {"t:1:", "\"hash_ids\"", "lengths only"}},
    {"arrived_at,num_prefill_tokens,num_decode_tokens\n0,1,2\n", 0, {"t:1:", "\"hash_ids\"", "lengths only"}},
    {"TIMESTAMP,ContextTokens,GeneratedTokens\n0,1,2\n", 0, {"t:1:", "\"hash_ids\"", "lengths only"}},
    {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": 7}", 0, {"t:1:", "\"hash_ids\"", "list"}},
    {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": [\"a\"]}", 0, {"t:1:", "\"hash_ids\"", "whole numbers"}},
    {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": [-7]}", 0, {"t:1:", "\"hash_ids\"", "whole numbers"}},
    {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": [7.0]}", 0, {"t:1:", "\"hash_ids\"", "whole numbers"}},
    {GOOD "{\"timestamp\": 1, \"input_length\": 513, \"output_length\": 2, \"hash_ids\": [7]}", 0, {"t:2:", "\"hash_ids\"", "has 1 ids where 513 tokens in blocks of 512 make 2"}},
    {GOOD "{\"timestamp\": 1, \"input_length\": 512, \"output_length\": 2, \"hash_ids\": [7, 8]}", 0, {"t:2:", "\"hash_ids\"", "make 1"}},
    {GOOD, 16, {"t:1:", "\"hash_ids\"", "in blocks of 16 make 38"}},
    {"{\"timestamp\": 1, \"timestamp\": 1, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": [7]}", 0, {"t:1:", "duplicate"}},
    {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": [7], \"block_size\": 0}", 0, {"t:1:", "\"block_size\"", "from 1"}},
    {"{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": [7], \"block_size\": 4}\n"
     "{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": [7], \"block_size\": 8}", 0, {"t:2:", "\"block_size\"", "differs"}},
    {CHAT GOOD, 0, {"t:2:", "\"chat_id\"", "is missing"}},
    {GOOD CHAT, 0, {"t:2:", "\"chat_id\"", "is new"}},
    {"{\"chat_id\": \"a\", \"parent_chat_id\": -1, \"turn\": 1, \"timestamp\": 1, \"input_length\": 1, \"output_length\": 4, \"hash_ids\": [1]}", 0, {"t:1:", "\"chat_id\"", "whole number"}},
    {"{\"chat_id\": 1, \"parent_chat_id\": -2, \"turn\": 1, \"timestamp\": 1, \"input_length\": 1, \"output_length\": 4, \"hash_ids\": [1]}", 0, {"t:1:", "\"parent_chat_id\"", "from -1"}},
    {"{\"chat_id\": 1, \"turn\": 1, \"timestamp\": 1, \"input_length\": 1, \"output_length\": 4, \"hash_ids\": [1]}", 0, {"t:1:", "\"parent_chat_id\"", "missing"}},
    {"{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": 1, \"input_length\": 1, \"output_length\": 4, \"hash_ids\": [1]}", 0, {"t:1:", "\"turn\"", "missing"}},
    {"{\"timestamp\": 1, \"input_length\": 513, \"output_length\": 2, \"hash_ids\": [4294967294, 9999999999]}", 0, {"t:1:", "\"hash_ids\"", "too many different ids"}},
};

static void test_bad_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct err e = {0};
        struct buf b = {0};
        assert_int_equal(read_all(BAD[i].text, strlen(BAD[i].text), BAD[i].block, &b, NULL, &e), -1);
        for (int k = 0; k < 3 && BAD[i].says[k] != NULL; k++)
            if (strstr(e.what, BAD[i].says[k]) == NULL)
                fail_msg("line %zu: \"%s\" does not say %s", i, e.what, BAD[i].says[k]);
        buf_free(&b);
    }
    assert_int_equal(ARRAY_LEN(BAD), 34);
}

static void test_good_lines(void **state)
{
    (void)state;
    static const struct { const char *text; uint32_t block, is; const char *gives; } T[] = {
        {GOOD, 0, 512, "1+600+2:7,8,"},
        {"\r\n" GOOD "  \n" GOOD, 0, 512, "1+600+2:7,8,1+600+2:7,8,"},
        {CHAT, 0, 16, "1500+33+4:1,2,3,"},
        {CHAT, 11, 11, "1500+33+4:1,2,3,"},
        {"{\"hash_ids\":[],\"input_length\":0,\"timestamp\":0.25,\"output_length\":0,\"more\":{\"a\":[{}]}}", 0, 512, "0+0+0:"},
        {"{\"timestamp\": 3, \"input_length\": 8, \"output_length\": 2, \"hash_ids\": [5, 6], \"block_size\": 4}", 0, 4, "3+8+2:5,6,"},
        {"{\"timestamp\": 3, \"input_length\": 8, \"output_length\": 2, \"hash_ids\": [5, 6], \"block_size\": 9}", 4, 4, "3+8+2:5,6,"},
        /* wide ids: equal ones stay equal, others differ, none is "no token" */
        {"{\"timestamp\": 3, \"input_length\": 5, \"output_length\": 2, \"hash_ids\": [9223372036854775807, 4294967295, 9223372036854775807, 0, 4294967296]}", 1, 1,
         "3+5+2:4294967294,4294967293,4294967294,0,4294967292,"},
    };
    for (size_t i = 0; i < ARRAY_LEN(T); i++) {
        struct err e = {0};
        struct buf b = {0};
        uint32_t block = 0;
        assert_int_equal(read_all(T[i].text, strlen(T[i].text), T[i].block, &b, &block, &e), 0);
        assert_string_equal(buf_text(&b), T[i].gives);
        assert_int_equal(block, T[i].is);
        buf_free(&b);
    }
}

/* More wide ids than the first table holds: every one keeps its number. */
static void test_many_wide_ids(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct buf text = {0}, out = {0}, want = {0};
    struct err e = {0};
    for (int round = 0; round < 2; round++) {
        buf_printf(&text, "{\"timestamp\": 0, \"input_length\": %d, \"output_length\": 0, \"hash_ids\": [", N);
        buf_printf(&want, "0+%d+0:", N);
        for (int i = 0; i < N; i++) {
            buf_printf(&text, "%s%llu", i > 0 ? "," : "", 5000000000ull + (unsigned long long)i * 4096);
            buf_printf(&want, "%u,", UINT32_MAX - 1 - (uint32_t)i);
        }
        buf_puts(&text, "]}\n");
    }
    assert_int_equal(read_all(text.data, text.len, 1, &out, NULL, &e), 0);
    assert_string_equal(buf_text(&out), buf_text(&want));
    buf_free(&text);
    buf_free(&out);
    buf_free(&want);
}

/* ---- packing --------------------------------------------------------------------------------------------- */

static void pack_gzip(const struct buf *text, struct buf *out)
{
    z_stream z = {0};
    static unsigned char room[1 << 22];
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)text->data;
    z.avail_in = (unsigned)text->len;
    z.next_out = room;
    z.avail_out = sizeof room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_add(out, room, z.total_out);
    deflateEnd(&z);
}

static void pack_zstd(const struct buf *text, struct buf *out)
{
    static char room[1 << 22];
    size_t n = ZSTD_compress(room, sizeof room, text->data, text->len, 3);
    assert_false(ZSTD_isError(n));
    buf_add(out, room, n);
}

/* A text of many lines, a few long ones among them, longer than all buffers together. */
static void big_text(struct buf *text)
{
    struct prng r;
    prng_seed(&r, 4);
    for (int i = 0; i < 3000; i++) {
        uint32_t n = i % 500 == 7 ? 60000 : prng_below(&r, 30);
        buf_printf(text, "{\"timestamp\": %d, \"input_length\": %u, \"output_length\": 1, \"hash_ids\": [", i, n);
        for (uint32_t k = 0; k < n; k++)
            buf_printf(text, "%s%u", k > 0 ? ", " : "", prng_below(&r, 1000000));
        buf_puts(text, "]}\n");
    }
}

static void read_file(const struct buf *bytes, struct buf *out, int want, struct err *e)
{
    char path[] = "/tmp/radixscope-trace-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(file_write(path, bytes->data, bytes->len, e), 0);
    struct lines *l = lines_open(path, e);
    char *line;
    size_t len;
    int rc;
    assert_non_null(l);
    while ((rc = lines_next(l, &line, &len, e)) == 1) {
        buf_add(out, line, len);
        buf_putc(out, '\n');
    }
    if (rc != want)
        fail_msg("%d: %s", rc, e->what);
    if (rc == 0)
        assert_int_equal(lines_taken(l), lines_size(l));
    lines_close(l);
    unlink(path);
}

static void test_packed(void **state)
{
    (void)state;
    struct buf text = {0};
    big_text(&text);
    for (int way = 0; way < 5; way++) { /* plain, zstd, gzip, two zstd frames, two gzip members */
        struct buf bytes = {0}, out = {0}, want = {0};
        struct err e = {0};
        for (int part = 0; part < (way > 2 ? 2 : 1); part++) {
            buf_add(&want, text.data, text.len);
            if (way == 0)
                buf_add(&bytes, text.data, text.len);
            else if (way % 2 == 1)
                pack_zstd(&text, &bytes);
            else
                pack_gzip(&text, &bytes);
        }
        read_file(&bytes, &out, 0, &e);
        assert_int_equal(out.len, want.len);
        assert_memory_equal(out.data, want.data, out.len);
        buf_clear(&out);
        bytes.len -= 20; /* cut off */
        if (way > 0) {
            read_file(&bytes, &out, -1, &e);
            assert_non_null(strstr(e.what, "cut off"));
        }
        buf_free(&bytes);
        buf_free(&out);
        buf_free(&want);
    }
    buf_free(&text);
}

static void test_damaged(void **state)
{
    (void)state;
    struct buf text = {0};
    unsigned long refused = 0;
    big_text(&text);
    for (int way = 0; way < 2; way++)
        for (size_t at = 18; at < 4000; at += 97) {
            struct buf bytes = {0}, b = {0};
            struct err e = {0};
            if (way == 0)
                pack_zstd(&text, &bytes);
            else
                pack_gzip(&text, &bytes);
            bytes.data[at] ^= 0x55;
            int rc = read_all(bytes.data, bytes.len, 1, &b, NULL, &e);
            assert_int_equal(rc != 0, e.set);
            refused += rc != 0;
            assert_true(way == 0 || rc == -1); /* gzip has a checksum */
            buf_free(&bytes);
            buf_free(&b);
        }
    assert_true(refused > 41);
    buf_free(&text);
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    struct err e = {0};
    assert_null(lines_open("/nowhere/at all.jsonl", &e));
    assert_non_null(strstr(e.what, "cannot be opened"));
    err_clear(&e);
    assert_null(lines_open("/tmp", &e));
    assert_non_null(strstr(e.what, "is a folder"));
}

static void test_no_memory(void **state)
{
    static const char WIDE[] = GOOD "{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": [9999999999]}";
    (void)state;
    unsigned long injected = 0;
    for (unsigned long n = 1; n < 100; n++) {
        struct err e = {0};
        struct buf b = {0};
        xalloc_fail_at(n, true);
        int rc = read_all(WIDE, sizeof WIDE - 1, 0, &b, NULL, &e);
        unsigned long failed = xalloc_failures();
        xalloc_fail_at(0, false);
        injected += failed;
        bool whole = !b.failed;
        buf_free(&b);
        assert_int_equal(rc < 0, e.set);
        if (failed == 0) {
            assert_true(whole);
            break;
        }
    }
    assert_true(injected > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_lines),  cmocka_unit_test(test_good_lines), cmocka_unit_test(test_many_wide_ids),
        cmocka_unit_test(test_packed),     cmocka_unit_test(test_damaged),    cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
