/* lexicon_cut against lexicon_encode: the same tokens, piece by piece, and together the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "script/lexicon.h"

static const char *const TEXTS[] = {"", " ", "the cat sat", "  two  blanks ", "What color is grass?",
                                    "\xe4\xb8\x96\xe7\x95\x8c e\xcc\x81 \xff bad", "line\nline\ttab 4821"};

struct pieces {
    struct buf all;
    size_t end[128], n;
};

static void take(void *ctx, const char *bytes, size_t n)
{
    struct pieces *p = ctx;
    buf_add(&p->all, bytes, n);
    assert_true(p->n < ARRAY_LEN(p->end));
    p->end[p->n++] = p->all.len;
}

static size_t compare(struct lexicon *x, const char *text)
{
    struct pieces p = {0};
    struct ids ids = {0};
    struct buf b = {0};
    size_t len = strlen(text);
    assert_int_equal(lexicon_cut(x, text, len, take, &p, NULL), 0);
    assert_int_equal(lexicon_encode(x, text, len, &ids, NULL), 0);
    assert_int_equal(p.n, ids.len);
    for (size_t i = 0; i < ids.len; i++) {
        lexicon_bytes(x, ids.at[i], &b);
        assert_int_equal(b.len, p.end[i]);
    }
    assert_int_equal(b.len, len);
    assert_memory_equal(buf_text(&b), text, len);
    assert_memory_equal(buf_text(&p.all), text, len);
    size_t n = p.n;
    buf_free(&b);
    buf_free(&p.all);
    ids_free(&ids);
    return n;
}

static void cut_as_encoded(void **state)
{
    (void)state;
    struct model *m = NULL;
    struct err e = {0};
    size_t tokens = 0;
    assert_int_equal(model_open("data/model", &m, &e), 0);
    for (int kind = TOKENS_MODEL; kind <= TOKENS_LETTERS; kind++) {
        struct lexicon *x = lexicon_new((enum token_source)kind, kind == TOKENS_MODEL ? m : NULL, &e);
        assert_non_null(x);
        for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++)
            tokens += compare(x, TEXTS[i]);
        lexicon_free(x);
    }
    model_close(m);
    assert_true(tokens > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cut_as_encoded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
