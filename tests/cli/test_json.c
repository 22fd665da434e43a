#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include <jansson.h>

/* The JSON that `radixscope ARGS` prints alone on stdout, and its exit code. */
static json_t *printed(const char *args, int *code)
{
    char command[512];
    const char *build = getenv("BUILD");
    snprintf(command, sizeof command, "%s/radixscope %s", build != NULL ? build : "build", args);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    json_error_t e;
    json_t *root = json_loadf(p, 0, &e); /* fails if anything stands behind it */
    int status = pclose(p);
    if (root == NULL)
        fail_msg("%s: line %d: %s", args, e.line, e.text);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return root;
}

static void compare_says_what_it_must(void **state)
{
    (void)state;
    static const int CACHED[] = {0, 29, 29};
    static const char *const ANSWER[] = {"Grass is green.", "Fish live in water.", "Birds fly with wings."};
    int code;
    json_t *root = printed("compare --json", &code), *list = json_object_get(root, "requests");
    assert_int_equal(code, 0);
    assert_int_equal(json_array_size(list), 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *q = json_array_get(list, i), *tokens = json_object_get(json_object_get(q, "cold"), "tokens");
        assert_int_equal(json_integer_value(json_object_get(q, "prompt_tokens")), 36);
        assert_int_equal(json_integer_value(json_object_get(q, "cached_tokens")), CACHED[i]);
        assert_true(json_is_true(json_object_get(q, "tokens_equal")));
        assert_true(json_is_real(json_object_get(q, "max_abs_logit_diff")));
        assert_true(json_real_value(json_object_get(q, "max_abs_logit_diff")) == 0.0);
        assert_string_equal(json_string_value(json_object_get(q, "text")), ANSWER[i]);
        assert_int_equal(json_integer_value(json_object_get(q, "generated_tokens")), json_array_size(tokens));
    }
    json_decref(root);
}

static void a_broken_cache_is_a_difference(void **state)
{
    (void)state;
    const char *const DAMAGE[] = {"compare --json --break=row", "compare --break slot --json"};
    for (size_t i = 0; i < 2; i++) {
        int code;
        json_t *root = printed(DAMAGE[i], &code);
        assert_int_equal(code, 1);
        assert_true(json_is_false(json_object_get(root, "equal")));
        json_decref(root);
    }
}

static void texts_of_any_bytes_are_json(void **state)
{
    (void)state;
    int code;
    json_t *root = printed("run --json -n 3 \"$(printf 'a\\001\\\"\\\\\\\\\\377\\nb')\" 'caf\xc3\xa9'", &code);
    assert_int_equal(code, 0);
    assert_int_equal(json_array_size(json_object_get(root, "requests")), 2);
    json_decref(root);
    root = printed("doctor --json", &code);
    assert_int_equal(code, 0);
    assert_true(json_array_size(json_object_get(root, "checks")) > 5);
    json_decref(root);
    root = printed("run --json data/scenarios/two-strings.rxs", &code);
    assert_int_equal(code, 0);
    assert_int_equal(json_array_size(json_object_get(root, "requests")), 0);
    json_decref(root);
}

/* A race's totals are the sums of its requests, and the bound is one. */
static void a_race_adds_up(void **state)
{
    (void)state;
    int code;
    json_t *root = printed("race shared-prefix --policies all --json", &code), *list = json_object_get(root, "entries");
    assert_int_equal(code, 0);
    assert_int_equal(json_array_size(list), 13);
    json_int_t bound = json_integer_value(json_object_get(json_array_get(list, 12), "hit_tokens"));
    for (size_t i = 0; i < 13; i++) {
        json_t *entry = json_array_get(list, i), *hits = json_object_get(entry, "hits");
        json_int_t sum = 0, hit = json_integer_value(json_object_get(entry, "hit_tokens"));
        assert_int_equal(json_array_size(hits), json_integer_value(json_object_get(root, "requests")));
        for (size_t k = 0; k < json_array_size(hits); k++)
            sum += json_integer_value(json_array_get(hits, k));
        assert_int_equal(sum, hit);
        assert_int_equal(hit + json_integer_value(json_object_get(entry, "computed_tokens")),
                         json_integer_value(json_object_get(entry, "prompt_tokens")));
        assert_true(hit <= bound);
    }
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "design")), "radix");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 7), "policy")), "belady");
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compare_says_what_it_must),
        cmocka_unit_test(a_broken_cache_is_a_difference),
        cmocka_unit_test(texts_of_any_bytes_are_json),
        cmocka_unit_test(a_race_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
