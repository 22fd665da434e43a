/* Chat templates: recognised by what they hold, written with special tokens as ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/chat.h"
#include "tests/model/random_model.h"

static const struct random_shape shape = {FAMILY_LLAMA, 1, 16, 24, 2, 1, 8, 300, 64, true, "F32", NULL, 1};

/* A model whose tokenizer knows single bytes and the given special tokens, ids from 256. */
struct chat_model {
    char dir[64];
    struct model *m;
    struct err e;
};

static void open_model(struct chat_model *c, const char *const *specials, const char *tokenizer_config, const char *jinja)
{
    char path[128], *bytes;
    size_t len;
    struct buf t = {0};
    *c = (struct chat_model){0};
    random_model(&shape, c->dir);
    snprintf(path, sizeof path, "%s/tokenizer.json", c->dir);
    assert_int_equal(file_read(path, 1 << 20, &bytes, &len, &c->e), 0);
    buf_puts(&t, "{\"added_tokens\":[");
    for (unsigned i = 0; specials[i] != NULL; i++)
        buf_printf(&t, "%s{\"id\":%u,\"content\":\"%s\",\"special\":true}", i > 0 ? "," : "", 256 + i, specials[i]);
    buf_puts(&t, "],");
    buf_add(&t, bytes + 1, len - 1);
    random_write(c->dir, "tokenizer.json", t.data, t.len);
    free(bytes);
    buf_free(&t);
    if (tokenizer_config != NULL)
        random_write(c->dir, "tokenizer_config.json", tokenizer_config, strlen(tokenizer_config));
    if (jinja != NULL)
        random_write(c->dir, "chat_template.jinja", jinja, strlen(jinja));
    if (model_open(c->dir, &c->m, &c->e) != 0)
        fail_msg("%s", c->e.what);
}

static void close_model(struct chat_model *c)
{
    static const char *const more[] = {"tokenizer_config.json", "chat_template.jinja"};
    char path[128];
    model_close(c->m);
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        snprintf(path, sizeof path, "%s/%s", c->dir, more[i]);
        unlink(path);
    }
    random_model_remove(c->dir);
}

/* Special tokens written as {n}, n counted from the first; everything else is bytes. */
static void expect(struct chat_model *c, const struct chat_message *messages, size_t n, bool prompt, const char *wanted)
{
    struct ids ids = {0};
    struct buf got = {0};
    if (chat_render(c->m, messages, n, prompt, &ids, &c->e) != 0)
        fail_msg("%s", c->e.what);
    for (size_t i = 0; i < ids.len; i++)
        if (ids.at[i] >= 256)
            buf_printf(&got, "{%u}", ids.at[i] - 256);
        else
            buf_putc(&got, (char)ids.at[i]);
    assert_string_equal(buf_text(&got), wanted);
    buf_free(&got);
    ids_free(&ids);
}

#define SAY(role, text) {role, text, sizeof text - 1}

static const struct chat_message talk[] = {SAY("system", "Be kind."), SAY("user", "Hi <|end|></s> there"),
                                           SAY("assistant", "Yes."), SAY("user", " Bye ")};

static void test_box(void **state)
{
    (void)state;
    static const char *const specials[] = {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>", NULL};
    struct chat_model c;
    open_model(&c, specials, "{\"eos_token\":\"<|end|>\",\"chat_template\":\"{% for message in messages %}{{ '<|' + "
               "message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}\"}", NULL);
    assert_int_equal(chat_get_kind(c.m), CHAT_BOX);
    expect(&c, talk, 4, true, "{0}Be kind.{3}{1}Hi <|end|></s> there{3}{2}Yes.{3}{1} Bye {3}{2}");
    expect(&c, talk + 1, 1, false, "{1}Hi <|end|></s> there{3}");
    assert_true(chat_is_end(c.m, 259));
    assert_false(chat_is_end(c.m, 257));
    close_model(&c);
}

static void test_chatml(void **state)
{
    (void)state;
    static const char *const specials[] = {"<|im_start|>", "<|im_end|>", NULL};
    struct chat_model c;
    open_model(&c, specials, "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"x\"},{\"name\":\"default\",\"template\":"
               "\"{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\\\nYou are small.<|im_end|>\\\\n' }}\"}]}", NULL);
    assert_int_equal(chat_get_kind(c.m), CHAT_CHATML);
    expect(&c, talk, 2, true, "{0}system\nBe kind.{1}\n{0}user\nHi <|end|></s> there{1}\n{0}assistant\n");
    expect(&c, talk + 3, 1, false, "{0}system\nYou are small.{1}\n{0}user\n Bye {1}\n");
    assert_true(chat_is_end(c.m, 257));
    close_model(&c);
}

static void test_llama3(void **state)
{
    (void)state;
    static const char *const specials[] = {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", NULL};
    struct chat_model c;
    open_model(&c, specials, "{\"bos_token\":{\"content\":\"<|begin_of_text|>\"}}",
               "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim }}");
    assert_int_equal(chat_get_kind(c.m), CHAT_LLAMA3);
    expect(&c, talk + 2, 2, true, "{0}{1}assistant{2}\n\nYes.{3}{1}user{2}\n\nBye{3}{1}assistant{2}\n\n");
    close_model(&c);
}

static void test_llama2_and_mistral(void **state)
{
    (void)state;
    static const char *const specials[] = {"<s>", "</s>", NULL};
    static const char *const newer[] = {"<s>", "</s>", "[INST]", "[/INST]", NULL};
    struct chat_model c;
    open_model(&c, specials, "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"chat_template\":\"[INST] <<SYS>>\"}", NULL);
    assert_int_equal(chat_get_kind(c.m), CHAT_LLAMA2);
    expect(&c, talk, 4, true, "{0}[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi <|end|></s> there [/INST] Yes. {1}{0}[INST] Bye [/INST]");
    assert_true(chat_is_end(c.m, 257));
    struct ids ids = {0};
    assert_int_equal(chat_render(c.m, talk, 1, true, &ids, &c.e), -1); /* a system message alone has no place */
    assert_non_null(strstr(c.e.what, "user"));
    ids_free(&ids);
    close_model(&c);
    open_model(&c, specials, "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"chat_template\":\"[INST] \"}", NULL);
    assert_int_equal(chat_get_kind(c.m), CHAT_MISTRAL);
    expect(&c, talk, 4, true, "{0}[INST] Be kind.\n\nHi <|end|></s> there [/INST]Yes.{1}[INST] Bye [/INST]");
    close_model(&c);
    open_model(&c, newer, "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"chat_template\":\"[INST] \"}", NULL);
    expect(&c, talk + 1, 1, true, "{0}{2}Hi <|end|></s> there{3}");
    close_model(&c);
}

static void test_plain_and_unknown(void **state)
{
    (void)state;
    static const char *const specials[] = {"<|end|>", NULL};
    struct chat_model c;
    open_model(&c, specials, NULL, NULL);
    assert_int_equal(chat_get_kind(c.m), CHAT_PLAIN);
    expect(&c, talk, 2, true, "Be kind.\nHi <|end|></s> there");
    close_model(&c);
    open_model(&c, specials, "{\"chat_template\":\"{{ 'User: ' + message['content'] }}\"}", NULL);
    assert_int_equal(chat_get_kind(c.m), CHAT_UNKNOWN);
    expect(&c, talk, 1, true, "Be kind.");
    assert_string_equal(chat_kind_name(CHAT_UNKNOWN), "unknown");
    close_model(&c);
    /* a template whose tokens the tokenizer lacks is no use */
    open_model(&c, specials, "{\"chat_template\":\"<|im_start|>\"}", NULL);
    assert_int_equal(chat_get_kind(c.m), CHAT_UNKNOWN);
    struct chat_message robot = SAY("robot", "beep");
    struct ids ids = {0};
    assert_int_equal(chat_render(c.m, &robot, 1, true, &ids, &c.e), -1);
    assert_non_null(strstr(c.e.what, "robot"));
    close_model(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_box),    cmocka_unit_test(test_chatml),
        cmocka_unit_test(test_llama3), cmocka_unit_test(test_llama2_and_mistral),
        cmocka_unit_test(test_plain_and_unknown),
    };
    return cmocka_run_group_tests_name("chat", tests, NULL, NULL);
}
