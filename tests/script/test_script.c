#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "script/nearest.h"
#include "script/script.h"

static struct script *parse(const char *text, struct err *e)
{
    return script_parse("t.rxs", text, strlen(text), 1, e);
}

struct bad {
    const char *text, *what, *hint;
};

static const struct bad BAD[] = {
#define COMMANDS_ARE "commands are title, pool, page, policy, rules, tokens, mode, chunk, bug, schedule, cost, system, adapter, request, turn, workload, serve, abort, " \
                     "insert, match, lock, unlock, evict, remove, set, reset, poison, share, say, expect"
    {"requst \"x\"", "t.rxs:1:1: 'requst' is no command", "did you mean request?"},
    {"\n\n  inser \"x\"", "t.rxs:3:3: 'inser' is no command", "did you mean insert?"},
    {"frobnicate", "t.rxs:1:1: 'frobnicate' is no command", COMMANDS_ARE},
    {"\"x\"", "t.rxs:1:1: '\"x\"' is no command", COMMANDS_ARE},
    {"insert", "t.rxs:1:7: insert needs a text here", "insert TEXT [ns=TEXT] [priority=NUMBER]"},
    {"insert # nothing", "t.rxs:1:8: insert needs a text here", "insert TEXT [ns=TEXT] [priority=NUMBER]"},
    {"rules", "t.rxs:1:6: rules needs a word here", "rules classic|unified"},
    {"evict 3; evic 4", "t.rxs:1:10: 'evic' is no command", "did you mean evict?"},
    {"evict 3;\nevict ; 4", "t.rxs:2:7: evict needs a number of tokens here", "evict TOKENS"},
    {"share 3", "t.rxs:1:8: share needs the number of the other slot here", "share SLOT OTHER_SLOT"},
    {"insert the cat", "t.rxs:1:12: 'cat' is one too many for insert",
     "a text with spaces stands in quotes; its options are ns, priority"},
    {"request Why is the sky blue?", "t.rxs:1:13: 'is' is one too many for request",
     "a text with spaces stands in quotes; or did you mean ns?"},
    {"request \"Why?\" nss", "t.rxs:1:16: 'nss' is one too many for request", "did you mean ns?"},
    {"say good day", "t.rxs:1:10: 'day' is one too many for say", "say takes no options; a text with spaces stands in quotes"},
    {"insert \"a\" \"b\"", "t.rxs:1:12: a text is one too many for insert", ""},
    {"reset now", "t.rxs:1:7: 'now' is one too many for reset", "reset takes nothing more"},
    {"evict 3 4", "t.rxs:1:9: '4' is one too many for evict",
     "evict takes no options"},
    {"insert a nss=b", "t.rxs:1:10: insert has no option 'nss'", "did you mean ns?"},
    {"request a max=3 max=4", "t.rxs:1:17: max is given twice", ""},
    {"request a max=", "t.rxs:1:11: max needs a value: max=COUNT", ""},
    {"request a max", "t.rxs:1:11: max needs a value: max=COUNT", ""},
    {"request a raw=1", "t.rxs:1:14: raw takes no value", ""},
    {"request a max=three", "t.rxs:1:15: max must be a whole number, not 'three'", ""},
    {"request a max=-1", "t.rxs:1:15: max must be a whole number, not '-1'", ""},
    {"evict 4294967295", "t.rxs:1:7: 4294967295 is too large: at most 4294967294", ""},
    {"insert a priority=x", "t.rxs:1:19: priority must be a whole number, not 'x'", ""},
    {"insert a priority=2147483648", "t.rxs:1:19: 2147483648 is out of range: -2147483647 to 2147483647", ""},
    {"request a temperature=hot", "t.rxs:1:23: temperature must be a number like 0.7, not 'hot'", ""},
    {"request a temperature=1.2.3", "t.rxs:1:23: temperature must be a number like 0.7, not '1.2.3'", ""},
    {"request a temperature=.", "t.rxs:1:23: temperature must be a number like 0.7, not '.'", ""},
    {"policy lruu", "t.rxs:1:8: 'lruu' is no eviction policy",
     "did you mean lru? There are lru, lfu, fifo, mru, filo, priority, slru"},
    {"policy random", "t.rxs:1:8: 'random' is no eviction policy",
     "there are lru, lfu, fifo, mru, filo, priority, slru"},
    {"rules modern", "t.rxs:1:7: 'modern' is not possible here", "possible: classic|unified"},
    {"tokens model\ntokens words", "t.rxs:2:1: tokens is set twice", ""},
    {"insert a\npool 4", "t.rxs:2:1: pool is a setting: it must stand before the first action",
     "the cache was made when the first action ran"},
    {"insert a\npolicy lfu", "t.rxs:2:1: policy is a setting: it must stand before the first action",
     "the cache was made when the first action ran; from here on use: set policy NAME"},
    {"insert \"abc", "t.rxs:1:8: this text has no closing \"", "a text ends on its own line; write \\n for a new line"},
    {"insert \"a\nb\"", "t.rxs:1:8: this text has no closing \"",
     "a text ends on its own line; write \\n for a new line"},
    {"insert \"a\\q\"", "t.rxs:1:10: '\\q' is no escape", "possible are \\\" \\\\ \\n \\t \\xHH and \\u{HEX}"},
    {"insert \"a\\", "t.rxs:1:10: '\\ ' is no escape", "possible are \\\" \\\\ \\n \\t \\xHH and \\u{HEX}"},
    {"insert \"\\x4\"", "t.rxs:1:9: \\x needs two hexadecimal digits, and not 00", ""},
    {"insert \"\\x00\"", "t.rxs:1:9: \\x needs two hexadecimal digits, and not 00", ""},
    {"insert \"\\u41\"", "t.rxs:1:9: \\u needs a character's number: \\u{1F600}", ""},
    {"insert \"\\u{d800}\"", "t.rxs:1:9: \\u needs a character's number: \\u{1F600}", ""},
    {"insert \"\\u{110000}\"", "t.rxs:1:9: \\u needs a character's number: \\u{1F600}", ""},
    {"insert \"a\"b", "t.rxs:1:11: 'b' stands directly behind a text: put a space between", ""},
    {"insert a\"b\"", "t.rxs:1:9: a \" inside a word: put the whole text in quotes", ""},
    {"lock \"two words\" x", "t.rxs:1:6: a name has 1 to 63 characters and no spaces", ""},
    {"unlock \"\"", "t.rxs:1:8: a name has 1 to 63 characters and no spaces", ""},
    {"expect", "t.rxs:1:7: expect needs something to expect, such as cached=29", ""},
    {"expect cashed=29", "t.rxs:1:8: expect has no option 'cashed'", "did you mean cached?"},
    {"expect outcome=fine", "t.rxs:1:16: 'fine' is not possible here", "possible: answered|refused|no_slots"},
    {"set page 4", "t.rxs:1:5: 'page' is not possible here", "possible: policy"},
};

static void bad_input_names_its_place(void **state)
{
    (void)state;
    size_t run = 0;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++, run++) {
        struct err e = {0};
        assert_null(parse(BAD[i].text, &e));
        assert_string_equal(e.what, BAD[i].what);
        assert_string_equal(e.hint, BAD[i].hint);
    }
    assert_int_equal(run, ARRAY_LEN(BAD));
    print_message("%zu kinds of bad input\n", run);
}

static void a_nul_byte_is_refused(void **state)
{
    (void)state;
    struct err e = {0};
    assert_null(script_parse("t.rxs", "reset\nre\0set\n", 13, 1, &e));
    assert_string_equal(e.what, "t.rxs:2:3: a NUL byte: this is no script");
}

static void every_form_is_read(void **state)
{
    (void)state;
    struct err e = {0};
    struct script *s = parse("\xef\xbb\xbf# a comment\r\n"
                             "title \"A \\\"b\\\" \\u{e9}\\x41\\n\"  # behind\r\n"
                             "pool 128\n\n\tpage 4\npolicy SLRU\nrules unified\ntokens letters\nmode fast\nchunk 7\n"
                             "insert \"the cat\" ns=\"tenant one\" priority=-3\n"
                             "request hello max 7 raw temperature=0.5 label=\"\"\n"
                             "expect cached=3 event split_node event=walk text \"x\"",
                             &e);
    assert_non_null(s);
    assert_int_equal(s->count, 11);
    struct script_settings set;
    script_settings(s, &set);
    assert_string_equal(set.title, "A \"b\" \xc3\xa9" "A\n");
    assert_int_equal(set.pool, 128);
    assert_int_equal(set.page, 4);
    assert_int_equal(set.policy, 6);
    assert_int_equal(set.rules, 1);
    assert_int_equal(set.tokens, TOKENS_LETTERS);
    assert_true(set.fast);
    assert_int_equal(set.chunk, 7);
    const struct script_command *insert = &s->command[8], *request = &s->command[9], *expect = &s->command[10];
    assert_string_equal(script_text(insert, "ns"), "tenant one");
    assert_int_equal(script_arg(insert, "priority")->number, -3);
    assert_int_equal(insert->line, 11);
    assert_int_equal(script_count(request, "max", 0), 7);
    assert_non_null(script_arg(request, "raw"));
    assert_string_equal(script_text(request, "label"), "");
    assert_null(script_text(request, "ns"));
    assert_int_equal(expect->nargs, 4);
    assert_int_equal(script_check(s, &set, &e), -1);
    assert_string_equal(e.what, "t.rxs:12:1: request needs the model, but this script has tokens letters");
    script_free(s);
}

/* ; parts commands where a word or a text ends, and nowhere else. */
static void several_on_one_line(void **state)
{
    (void)state;
    struct err e = {0};
    struct script *s = parse(";; insert \"a;b\";insert a ;insert \"c # d\" ns=x; reset;evict 3;# insert no\n"
                             "request x raw; request y label=\"q;\" max=3 ;\nlock \"n;\" z;unlock \"n;\"",
                             &e);
    assert_non_null(s);
    static const struct { uint32_t line, column; const char *text; } IS[] = {
        {1, 4, "insert \"a;b\""}, {1, 17, "insert \"a\""}, {1, 27, "insert \"c # d\" ns=\"x\""}, {1, 48, "reset"}, {1, 54, "evict 3"},
        {2, 1, "request \"x\" raw"}, {2, 16, "request \"y\" label=\"q;\" max=3"}, {3, 1, "lock \"n;\" \"z\""}, {3, 13, "unlock \"n;\""},
    };
    assert_non_null(s);
    assert_int_equal(s->count, ARRAY_LEN(IS));
    for (uint32_t i = 0; i < s->count; i++) {
        struct buf b = {0};
        script_write(&s->command[i], &b);
        assert_string_equal(buf_text(&b), IS[i].text);
        assert_int_equal(s->command[i].line, IS[i].line);
        assert_int_equal(s->command[i].column, IS[i].column);
        buf_free(&b);
    }
    script_free(s);
}

/* A value of an operand's type, as it is typed. */
static const char *sample(const char *spec)
{
    static char word[40];
    const char *type = strchr(spec, ':') + 1;
    if (*type == '(') {
        snprintf(word, sizeof word, "%.*s", (int)strcspn(type + 1, "|)"), type + 1);
        return word;
    }
    return strchr("cz", *type) != NULL ? "1" : *type == 'p' ? "lru" : "x";
}

/* "a number of tokens", "the number of the slot", "a text (dir)": what is missing is said in English. */
static void check_missing(const char *command, const char *what)
{
    static const char *const FORMS[] = {"a text", "a name", "a word", "a policy"};
    char text[80];
    size_t n = strlen(command), len = strlen(what);
    assert_true(strncmp(what, command, n) == 0 && strncmp(what + n, " needs ", 7) == 0);
    assert_true(len > 5 && strcmp(what + len - 5, " here") == 0);
    snprintf(text, sizeof text, "%.*s", (int)(len - 5 - n - 7), what + n + 7);
    bool plural = text[strlen(text) - 1] == 's', good = false;
    for (size_t i = 0; i < ARRAY_LEN(FORMS); i++) {
        size_t form = strlen(FORMS[i]);
        good = good || (strncmp(text, FORMS[i], form) == 0 && (text[form] == '\0' || (text[form] == ' ' && text[form + 1] == '(')));
    }
    good = good || (strncmp(text, "a number of ", 12) == 0 && plural) || (strncmp(text, "the number of the ", 18) == 0 && !plural);
    if (!good || strchr(text, '_') != NULL)
        fail_msg("\"%s\" is no English", what);
}

static void every_missing_operand_is_named(void **state)
{
    (void)state;
    int missing = 0;
    for (int k = 0; k < RXS_COUNT; k++) {
        const struct script_command_info *info = script_info((enum script_kind)k);
        struct buf line = {0};
        buf_puts(&line, info->name);
        for (const char *spec = info->operands; *spec != '\0'; missing++) {
            struct err e = {0};
            assert_null(script_parse("", buf_text(&line), line.len, 1, &e));
            check_missing(info->name, e.what);
            buf_printf(&line, " %s", sample(spec));
            spec += strcspn(spec, " ");
            spec += *spec == ' ';
        }
        buf_free(&line);
    }
    assert_int_equal(missing, 30);
}

static void quoting_is_undone_by_parsing(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 7);
    for (int round = 0; round < 2000; round++) {
        char text[40];
        size_t n = prng_below(&r, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(1 + prng_below(&r, 255));
        struct buf b = {0};
        buf_puts(&b, "say ");
        script_quote(text, n, &b);
        struct err e = {0};
        struct script *s = script_parse("q", b.data, b.len, 1, &e);
        assert_non_null(s);
        assert_int_equal(s->command[0].arg[0].len, n);
        assert_memory_equal(s->command[0].arg[0].text, text, n);
        script_free(s);
        buf_free(&b);
    }
}

/* Any bytes give a script or one sentence with a place in the file; never both, never a crash. */
static void random_bytes_are_survived(void **state)
{
    (void)state;
    static const char *const PIECES[] = {"insert", " ", "\"", "\\", "=", "#", "max", "request", "\n", "ns", "expect",
                                         "a", "1", ";", "pool", "policy", "lru", "\\u{", "}", "event", "raw", "\xff", "\0"};
    struct prng r;
    prng_seed(&r, 11);
    int good = 0, bad = 0;
    for (int round = 0; round < 20000; round++) {
        struct buf b = {0};
        for (uint32_t n = prng_below(&r, 14); n > 0; n--) {
            uint32_t k = prng_below(&r, ARRAY_LEN(PIECES));
            buf_add(&b, PIECES[k], PIECES[k][0] == '\0' ? 1 : strlen(PIECES[k]));
        }
        struct err e = {0};
        struct script *s = script_parse("f", buf_text(&b), b.len, 1, &e);
        assert_int_equal(s == NULL, e.set);
        assert_true(s != NULL || strncmp(e.what, "f:", 2) == 0);
        good += s != NULL;
        bad += s == NULL;
        script_free(s);
        buf_free(&b);
    }
    assert_true(good > 100 && bad > 100);
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    unsigned long injected = 0;
    for (unsigned long nth = 1;; nth++) {
        struct err e = {0};
        xalloc_fail_at(nth, nth % 2 == 0);
        struct script *s = parse("pool 8\ninsert \"abc\" ns=x\nexpect nodes=2\n", &e);
        unsigned long failures = xalloc_failures();
        xalloc_fail_at(0, false);
        injected += failures;
        assert_true(failures == 0 ? s != NULL : s == NULL && e.set);
        script_free(s);
        if (failures == 0)
            break;
    }
    assert_true(injected >= 8);
}

static void near_names_are_found(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance("kitten", "sitting"), 3);
    assert_int_equal(nearest_distance("", "abc"), 3);
    assert_int_equal(nearest_distance("ab", "ba"), 1);
    assert_int_equal(nearest_distance("same", "same"), 0);
    struct nearest best = {0};
    nearest_try(&best, "mtach", "insert");
    assert_null(best.name);
    nearest_try(&best, "mtach", "match");
    assert_string_equal(best.name, "match");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input_names_its_place),   cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(every_form_is_read),          cmocka_unit_test(quoting_is_undone_by_parsing),
        cmocka_unit_test(random_bytes_are_survived),   cmocka_unit_test(no_memory_is_an_error),
        cmocka_unit_test(near_names_are_found),        cmocka_unit_test(several_on_one_line),
        cmocka_unit_test(every_missing_operand_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
