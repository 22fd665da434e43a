/* Handouts: the Markdown and the page say the same, word by word (one is read by md4c, of the other the tags are taken
 * away); the page's tags are closed and it loads nothing; without answers no answer is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ctype.h>
#include <md4c.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/handout.h"
#include "lesson/lesson_text.h"

static const char *const LESSONS[] = {"lessons/04-split.md", "lessons/09-eviction.md", "lessons/22-museum-quiet.md"};
static const char SCREEN[] = "| <screen> & `tick` \"q\"\n|  ```\n| *no* _mark_\n";

static int draw(void *ctx, struct lesson_scene *s, uint32_t step, struct buf *out, struct err *e)
{
    (void)ctx;
    (void)e;
    assert_true(s != NULL);
    buf_puts(out, SCREEN);
    buf_printf(out, "step %u\n", step);
    return 0;
}

static struct lesson_run *open_lesson(const char *path, struct lesson **l)
{
    static const struct lesson_host HOST;
    struct err e = {0};
    *l = lesson_load(path, &e);
    struct lesson_run *r = *l != NULL ? lesson_run_new(*l, &HOST, &e) : NULL;
    if (r == NULL)
        fail_msg("%s", e.what);
    return r;
}

static void write_handout(const struct lesson_run *r, bool html, bool answers, struct buf *out)
{
    struct handout h = {.run = r, .html = html, .answers = answers, .screen = draw};
    struct err e = {0};
    if (handout_write(&h, out, &e) != 0)
        fail_msg("%s", e.what);
}

/* ---- the words of each -------------------------------------------------------------------------------- */

static int add_break(MD_BLOCKTYPE type, void *detail, void *out)
{
    (void)type;
    (void)detail;
    buf_putc(out, '\n');
    return 0;
}

static int no_span(MD_SPANTYPE type, void *detail, void *out)
{
    (void)type;
    (void)detail;
    (void)out;
    return 0;
}

static int add_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE n, void *out)
{
    assert_true(type != MD_TEXT_HTML && type != MD_TEXT_ENTITY); /* everything that could be either is escaped */
    if (type == MD_TEXT_BR || type == MD_TEXT_SOFTBR)
        buf_putc(out, ' ');
    else
        buf_add(out, text, n);
    return 0;
}

static void words_of_markdown(const struct buf *md, struct buf *out)
{
    MD_PARSER p = {.enter_block = add_break, .leave_block = add_break, .enter_span = no_span, .leave_span = no_span,
                   .text = add_text};
    assert_int_equal(md_parse(buf_text(md), (MD_SIZE)md->len, &p, out), 0);
}

static char entity(const char **c)
{
    static const struct { const char *name; char is; } NAMES[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (strncmp(*c, NAMES[i].name, strlen(NAMES[i].name)) == 0) {
            *c += strlen(NAMES[i].name);
            return NAMES[i].is;
        }
    fail_msg("a bare & in the page: %.20s", *c);
    return 0;
}

/* Also: every tag that is opened is closed, in order. */
static void words_of_page(const struct buf *html, struct buf *out)
{
    char open[32][16];
    int depth = 0;
    const char *c = strstr(buf_text(html), "<body>");
    assert_non_null(c);
    while (*c != '\0') {
        char name[16] = "";
        if (*c == '&') {
            buf_putc(out, entity(&c));
            continue;
        }
        assert_true(*c != '>' && *c != '"');
        if (*c != '<') {
            buf_putc(out, *c++);
            continue;
        }
        bool closes = c[1] == '/';
        size_t n = strspn(c + 1 + closes, "abcdefghijklmnopqrstuvwxyz123456");
        assert_true(n > 0 && n < sizeof name);
        memcpy(name, c + 1 + closes, n);
        if (closes && strcmp(name, "html") != 0) {
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        } else if (!closes && strcmp(name, "br") != 0) {
            assert_true(depth < 32);
            memcpy(open[depth++], name, sizeof name);
        }
        if (strcmp(name, "code") != 0 && strcmp(name, "strong") != 0 && strcmp(name, "em") != 0)
            buf_putc(out, '\n');
        c = strchr(c, '>') + 1;
    }
    assert_int_equal(depth, 0);
}

static void squeeze(const struct buf *words, struct buf *out)
{
    for (const char *c = buf_text(words); *c != '\0'; c++)
        if (!isspace((unsigned char)*c))
            buf_putc(out, *c);
        else if (out->len > 0 && out->data[out->len - 1] != ' ')
            buf_putc(out, ' ');
}

static void same_words(const struct buf *a, const struct buf *b)
{
    struct buf x = {0}, y = {0};
    squeeze(a, &x);
    squeeze(b, &y);
    size_t i = 0;
    while (i < x.len && i < y.len && x.data[i] == y.data[i])
        i++;
    size_t from = i > 60 ? i - 60 : 0;
    if (i < x.len || i < y.len)
        if (strspn(x.data + i, " ") != x.len - i || strspn(y.data + i, " ") != y.len - i)
            fail_msg("Markdown: ...%.100s\npage: ...%.100s", x.data + from, y.data + from);
    assert_true(x.len > 1000);
    buf_free(&x);
    buf_free(&y);
}

static void both_forms_say_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(LESSONS); i++) {
        struct lesson *l;
        struct lesson_run *r = open_lesson(LESSONS[i], &l);
        struct buf md = {0}, html = {0}, a = {0}, b = {0};
        write_handout(r, false, true, &md);
        write_handout(r, true, true, &html);
        words_of_markdown(&md, &a);
        words_of_page(&html, &b);
        same_words(&a, &b);
        assert_non_null(strstr(buf_text(&a), SCREEN));
        static const char *const NONE[] = {"<script", "src=", "href=", "http", "url(", "@import", "onload"};
        for (size_t k = 0; k < ARRAY_LEN(NONE); k++)
            assert_null(strstr(buf_text(&html), NONE[k]));
        buf_free(&md);
        buf_free(&html);
        buf_free(&a);
        buf_free(&b);
        lesson_run_free(r);
        lesson_free(l);
    }
}

/* Characters that Markdown or HTML would take for something else; the words are known. */
static void characters_stay_what_they_are(void **state)
{
    static const char TEXT[] = "---\nid: odd\ntitle: Odd *title* <b> & _x_\nminutes: 5\nobjectives:\n  - Say `a` < *b*\n---\n\n"
                               "## Begin {#begin}\n\n"
                               "\\- no list, \\*no emphasis\\*, \\_none\\_, a \\< b \\& c, \\`no code\\`, \\[no\\] \\\\ link.\n\n"
                               "\\# no title\n\n`` a ` b ``\n\n"
                               "```rxs first\ntokens letters\npool 32\ninsert \"a\"\n```\n\n"
                               "## Sheet {#sheet}\n\nThe end.\n";
    static const char *const WORDS[] = {"- no list, *no emphasis*, _none_, a < b & c, `no code`, [no] \\ link.", "# no title", "a ` b",
                                        "Odd *title* <b> & _x_", "Say `a` < *b*"};
    static const struct lesson_host HOST;
    struct err e = {0};
    struct lesson *l = lesson_parse("odd.md", TEXT, strlen(TEXT), &e);
    struct lesson_run *r = l != NULL ? lesson_run_new(l, &HOST, &e) : NULL;
    (void)state;
    if (r == NULL)
        fail_msg("%s", e.what);
    for (int html = 0; html < 2; html++) {
        struct buf out = {0}, words = {0};
        write_handout(r, html != 0, true, &out);
        html ? words_of_page(&out, &words) : words_of_markdown(&out, &words);
        for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
            if (strstr(buf_text(&words), WORDS[i]) == NULL)
                fail_msg("%s is not in: %s", WORDS[i], buf_text(&words));
        buf_free(&out);
        buf_free(&words);
    }
    lesson_run_free(r);
    lesson_free(l);
}

/* What is said to a right answer, in the words of the lesson; every figure of prose behind a question. */
static void without_answers_nothing_is_given_away(void **state)
{
    unsigned questions = 0, blanks = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(LESSONS); i++) {
        struct lesson *l;
        struct lesson_run *r = open_lesson(LESSONS[i], &l);
        for (int html = 0; html < 2; html++) {
            struct buf out = {0}, all = {0};
            write_handout(r, html != 0, false, &out);
            write_handout(r, html != 0, true, &all);
            assert_null(strstr(buf_text(&out), "Answer:"));
            assert_null(strstr(buf_text(&out), "Solution:"));
            for (size_t k = 0; k < l->items; k++)
                questions += l->item[k].kind == ITEM_ASK && l->item[k].question->kind != ASK_DO;
            for (const char *c = buf_text(&out); html && (c = strstr(c, "______")) != NULL; c += 6)
                blanks++; /* in the page no line has any */
            unsigned given = 0;
            for (const char *c = buf_text(&all); (c = strstr(c, "Answer:")) != NULL; c += 6)
                given++;
            for (size_t k = 0; k < l->items; k++)
                given -= l->item[k].kind == ITEM_ASK && l->item[k].question->kind != ASK_DO;
            assert_int_equal(given, 0); /* one each */
            assert_null(strstr(buf_text(&all), "______"));
            buf_free(&out);
            buf_free(&all);
        }
        lesson_run_free(r);
        lesson_free(l);
    }
    assert_true(questions >= 20 && blanks >= 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_say_the_same),
        cmocka_unit_test(characters_stay_what_they_are),
        cmocka_unit_test(without_answers_nothing_is_given_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
