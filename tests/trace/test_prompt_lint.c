/* The prompt linter: every way to spoil a beginning is done to a conversation and must be named, and nothing else; the
 * token where two prompts part is counted again from the rendered chat; what is continued is never blamed; wrong lines are
 * refused with line and field; no memory is an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "model/chat.h"
#include "trace/prompt_lint.h"

#define MODEL "data/model"
#define RULES "You are a helpful assistant. Answer in a short sentence. Be kind and clear. If you do not know, say so."
#define SYSTEM(text) "{\"role\":\"system\",\"content\":\"" text "\"}"
#define USER(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define ANSWER(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"
#define LINES(a, b, c) "Answer from these.\\n" a b c "Be short."
#define GRASS "Grass is green and grows in the fields of every farm.\\n"
#define FISH "Fish live in water and eat small plants and animals.\\n"
#define SNOW "Snow is white and cold, and it falls in the winter.\\n"

static struct model *model;

static int open_model(void **state)
{
    struct err e = {0};
    (void)state;
    return model_open(MODEL, &model, &e);
}

static int close_model(void **state)
{
    (void)state;
    model_close(model);
    return 0;
}

static struct prompt read_text(const char *json, unsigned long line)
{
    struct prompt p;
    struct err e = {0};
    if (prompt_read(&p, "t.jsonl", line, json, strlen(json), model, &e) != 0)
        fail_msg("%s: %s", e.what, json);
    return p;
}

/* Tokens at the beginning that are equal, from the chat as the model writes it, without the linter. */
static size_t common_by_hand(const struct prompt *a, const struct prompt *b)
{
    size_t n = 0;
    while (n < a->ids.len && n < b->ids.len && a->ids.at[n] == b->ids.at[n])
        n++;
    return n;
}

static struct lint_finding lint_two(const char *was, const char *is, size_t *by_hand)
{
    struct prompt a = read_text(was, 1), b = read_text(is, 2);
    const struct prompt *earlier[] = {&a};
    struct lint_finding f;
    struct err e = {0};
    assert_int_equal(lint_prompt(&b, earlier, 1, model, &f, &e), 0);
    *by_hand = common_by_hand(&a, &b);
    prompt_done(&a);
    prompt_done(&b);
    return f;
}

struct case_of {
    const char *was, *is;
    int message;
    uint32_t causes;
};

#define CHAT(first) "{\"messages\":[" first "," USER("What color is grass, and why do you think so?") "]}"
#define LONGER(first) "{\"messages\":[" first "," USER("What color is grass, and why do you think so?") "," \
    ANSWER("Grass is green because of what is in its leaves.") "," USER("And snow?") "]}"
#define TOOLED(tools) "{\"tools\":[" tools "],\"messages\":[" SYSTEM(RULES) "," USER("What color is grass?") "]}"
#define A_TOOL "{\"name\":\"search\",\"about\":\"look it up\"}"
#define A_TOOL_KEYS "{\"about\":\"look it up\",\"name\":\"search\"}"
#define B_TOOL "{\"name\":\"read\",\"about\":\"read a page\"}"
#define OLD USER("Where do fish live and what do they eat?") "," ANSWER("Fish live in water and eat plants and small animals.")
#define NEW USER("What do birds have that fish do not have?") "," ANSWER("Birds have wings, and so they fly where fish swim.")
#define BIT(id) (1u << LINT_##id)

static const struct case_of CASES[] = {
    {CHAT(SYSTEM("It is 10:31:05. " RULES)), LONGER(SYSTEM("It is 10:31:48. " RULES)), 0, BIT(TIME)},
    {CHAT(SYSTEM("Today: 2026-11-24. " RULES)), LONGER(SYSTEM("Today: 2026-11-25. " RULES)), 0, BIT(TIME)},
    {CHAT(SYSTEM("It is Monday. " RULES)), CHAT(SYSTEM("It is Tuesday. " RULES)), 0, BIT(TIME)},
    {CHAT(SYSTEM("It is 4 March. " RULES)), CHAT(SYSTEM("It is 5 March. " RULES)), 0, BIT(TIME)},
    {CHAT(SYSTEM("Id 7f1c2a3b-0d4e-4f5a-8b6c-9d0e1f2a3b4c. " RULES)), CHAT(SYSTEM("Id 0a1c2a3b-0d4e-4f5a-8b6c-9d0e1f2a3b4c. " RULES)), 0,
     BIT(UUID)},
    {CHAT(SYSTEM("Run 1764066665. " RULES)), CHAT(SYSTEM("Run 1764066702. " RULES)), 0, BIT(NUMBER)},
    {CHAT(SYSTEM("For Ann. " RULES)), CHAT(SYSTEM("For Bob. " RULES)), 0, BIT(SYSTEM)},
    {CHAT(SYSTEM(LINES(GRASS, FISH, SNOW))), CHAT(SYSTEM(LINES(SNOW, GRASS, FISH))), 0, BIT(ORDER)},
    {CHAT(SYSTEM(RULES)), CHAT(SYSTEM(" " RULES)), 0, BIT(BLANKS)},
    {CHAT(SYSTEM("{\\\"a\\\":\\\"" RULES "\\\",\\\"b\\\":1}")), CHAT(SYSTEM("{\\\"b\\\":1,\\\"a\\\":\\\"" RULES "\\\"}")), 0, BIT(KEYS)},
    {TOOLED(A_TOOL "," B_TOOL), TOOLED(B_TOOL "," A_TOOL), LINT_TOOLS, BIT(TOOLS_ORDER)},
    {TOOLED(A_TOOL), TOOLED(A_TOOL_KEYS), LINT_TOOLS, BIT(TOOLS_KEYS)},
    {TOOLED(A_TOOL), TOOLED(A_TOOL "," B_TOOL), LINT_TOOLS, BIT(TOOLS_LIST)},
    {"{\"messages\":[" SYSTEM("S.") "," OLD "," NEW "," USER("Why?") "]}", "{\"messages\":[" SYSTEM("S.") "," NEW "," USER("Why?") "]}", 1,
     BIT(CUT)},
    {"{\"messages\":[" SYSTEM("S.") "," NEW "," USER("Why?") "]}", "{\"messages\":[" SYSTEM("S.") "," OLD "," NEW "," USER("Why?") "]}", 1,
     BIT(PUT_IN)},
    {"{\"messages\":[" OLD "," NEW "," USER("Why?") "]}", "{\"messages\":[" NEW "," OLD "," USER("Why?") "]}", 0, BIT(MOVED)},
    {"{\"messages\":[" SYSTEM("S.") "," USER("Tell me.") "," ANSWER("I think: well. " RULES) "," USER("Why?") "]}",
     "{\"messages\":[" SYSTEM("S.") "," USER("Tell me.") "," ANSWER(RULES) "," USER("Why?") "]}", 2, BIT(ANSWER)},
    {"{\"messages\":[" USER("One: " RULES) "]}", "{\"messages\":[" USER("Two: " RULES) "]}", 0, BIT(FIRST)},
};

static void every_way_to_spoil_a_beginning_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        size_t by_hand;
        struct lint_finding f = lint_two(CASES[i].was, CASES[i].is, &by_hand);
        if (f.causes != CASES[i].causes || f.message != CASES[i].message || f.common != by_hand || !f.parts)
            fail_msg("case %zu: causes %x for %x, message %d, common %zu for %zu, again %zu", i, f.causes, CASES[i].causes,
                     f.message, f.common, by_hand, f.again);
        assert_true(f.again >= LINT_LEAST && f.again <= f.tokens - f.common);
        lint_done(&f);
    }
    assert_int_equal(ARRAY_LEN(CASES), 18);
}

/* What is behind a stamp in front is all but a few tokens of what the prompt without it has. */
static void the_cost_is_the_rest_of_the_text(void **state)
{
    (void)state;
    size_t by_hand;
    struct prompt bare = read_text(CHAT(SYSTEM(RULES)), 1);
    struct lint_finding f = lint_two(CHAT(SYSTEM("It is 10:31. " RULES)), CHAT(SYSTEM("It is 10:42. " RULES)), &by_hand);
    assert_in_range(f.again, bare.ids.len - 10, bare.ids.len);
    assert_non_null(strstr(buf_text(&f.was), "10:31"));
    assert_non_null(strstr(buf_text(&f.is), "10:42"));
    lint_done(&f);
    prompt_done(&bare);
}

static void what_goes_on_is_not_blamed(void **state)
{
    (void)state;
    static const char *const PAIRS[][2] = {
        {CHAT(SYSTEM(RULES)), LONGER(SYSTEM(RULES))},
        {CHAT(SYSTEM(RULES)), CHAT(SYSTEM(RULES))},
        {LONGER(SYSTEM(RULES)), CHAT(SYSTEM(RULES))},
        {TOOLED(A_TOOL), TOOLED(A_TOOL)},
        {CHAT(SYSTEM(RULES)), "{\"messages\":[" SYSTEM(RULES) "," USER("Where do fish live?") "]}"},
        {CHAT(SYSTEM(RULES)), "{\"messages\":[" USER("Something else.") "]}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(PAIRS); i++) {
        size_t by_hand;
        struct lint_finding f = lint_two(PAIRS[i][0], PAIRS[i][1], &by_hand);
        if (f.again != 0 || f.causes != 0 || f.common != by_hand)
            fail_msg("pair %zu: again %zu, causes %x, common %zu for %zu", i, f.again, f.causes, f.common, by_hand);
        assert_int_equal(f.parts, i >= 4);
        lint_done(&f);
    }
}

/* Two conversations in turn: each is compared with its own past. */
static void conversations_are_told_apart(void **state)
{
    (void)state;
    struct prompt a = read_text(CHAT(SYSTEM(RULES)), 1), b = read_text(CHAT(SYSTEM("You write poems about farms.")), 2),
                  c = read_text(LONGER(SYSTEM(RULES)), 3);
    const struct prompt *earlier[] = {&a, &b};
    struct lint_finding f;
    struct err e = {0};
    assert_int_equal(lint_prompt(&c, earlier, 2, model, &f, &e), 0);
    assert_int_equal(f.against, 1);
    assert_false(f.parts);
    lint_done(&f);
    prompt_done(&a);
    prompt_done(&b);
    prompt_done(&c);
}

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    static const char *const WRONG[][2] = {
        {"{", "t.jsonl: line 7 is no JSON"},
        {"[]", "field \"messages\""},
        {"{\"messages\":[" ANSWER("x") "]}", "one of which asks"},
        {"{\"messages\":[{\"role\":\"x\",\"content\":\"y\"}]}", "field \"role\""},
        {"{\"messages\":[{\"role\":\"user\",\"content\":7}]}", "field \"content\""},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", "parts of type text"},
        {"{\"tools\":{},\"messages\":[" USER("x") "]}", "field \"tools\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
        struct prompt p;
        struct err e = {0};
        assert_int_equal(prompt_read(&p, "t.jsonl", 7, WRONG[i][0], strlen(WRONG[i][0]), model, &e), -1);
        if (strstr(e.what, WRONG[i][1]) == NULL || strstr(e.what, "line 7") == NULL)
            fail_msg("%s: %s", WRONG[i][0], e.what);
        assert_null(p.message);
    }
}

/* Bytes of a good line changed at random: an error or a prompt, never anything else. */
static void spoiled_lines(void **state)
{
    (void)state;
    struct prng r;
    unsigned read = 0, refused = 0;
    prng_seed(&r, 5);
    for (unsigned i = 0; i < 3000; i++) {
        char line[] = TOOLED(A_TOOL "," B_TOOL);
        struct prompt p;
        struct err e = {0};
        for (uint32_t k = 0; k < 3; k++)
            line[prng_below(&r, sizeof line - 1)] = "{}[]\",:a7\\\n"[prng_below(&r, 11)];
        int rc = prompt_read(&p, "t", 1, line, sizeof line - 1, model, &e);
        assert_true(rc == 0 || e.set);
        read += rc == 0;
        refused += rc != 0;
        if (rc == 0)
            prompt_done(&p);
    }
    assert_true(read > 300 && refused > 300);
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    unsigned long injected = 0, nth = 1;
    for (bool more = true; more; nth++) {
        struct prompt a = read_text(CASES[7].was, 1), b = {0};
        const struct prompt *earlier[] = {&a};
        struct lint_finding f = {0};
        struct err e = {0};
        xalloc_fail_at(nth, nth % 2 == 0);
        int rc = prompt_read(&b, "t", 2, CASES[7].is, strlen(CASES[7].is), model, &e);
        if (rc == 0)
            rc = lint_prompt(&b, earlier, 1, model, &f, &e);
        more = xalloc_failures() > 0;
        xalloc_fail_at(0, false);
        assert_true(rc == 0 || e.set);
        injected += more;
        lint_done(&f);
        prompt_done(&a);
        prompt_done(&b);
    }
    assert_true(injected > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_spoil_a_beginning_is_named),
        cmocka_unit_test(the_cost_is_the_rest_of_the_text),
        cmocka_unit_test(what_goes_on_is_not_blamed),
        cmocka_unit_test(conversations_are_told_apart),
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(spoiled_lines),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
