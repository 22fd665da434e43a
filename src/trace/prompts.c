#include "trace/prompts.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "model/chat.h"

struct place {
    const char *name;
    unsigned long line;
    struct err *e;
};

static int bad(const struct place *at, const char *field, const char *reason)
{
    return err_set(at->e, "%.200s: line %lu: field \"%.60s\": %s", at->name, at->line, field, reason);
}

bool prompt_message_equal(const struct prompt_message *a, const struct prompt_message *b)
{
    return a->len == b->len && strcmp(a->role, b->role) == 0 && memcmp(a->text, b->text, a->len) == 0;
}

/* ---- one message ------------------------------------------------------------------------------------------ */

static void add_json(struct buf *out, const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL)
        out->failed = true;
    else
        buf_puts(out, text);
    free(text);
}

static int add_content(const struct place *at, const json_t *content, struct buf *out)
{
    for (size_t i = 0; json_is_array(content) && i < json_array_size(content); i++) {
        const json_t *part = json_array_get(content, i), *text = json_object_get(part, "text");
        if (!json_is_string(text))
            return bad(at, "content", "only parts of type text can be read; images, sound and files cannot");
        buf_add(out, json_string_value(text), json_string_length(text));
    }
    if (json_is_string(content))
        buf_add(out, json_string_value(content), json_string_length(content));
    else if (!json_is_array(content) && content != NULL && !json_is_null(content))
        return bad(at, "content", "a text or a list of parts is needed");
    return 0;
}

static const char *role_of(const json_t *v)
{
    static const char *const ROLES[][2] = {{"system", "system"}, {"developer", "system"}, {"user", "user"},
                                           {"assistant", "assistant"}, {"tool", "tool"}, {"function", "tool"}};
    const char *given = json_string_value(json_object_get(v, "role"));
    for (size_t i = 0; given != NULL && i < ARRAY_LEN(ROLES); i++)
        if (strcmp(given, ROLES[i][0]) == 0)
            return ROLES[i][1];
    return NULL;
}

static int read_message(struct prompt *p, const struct place *at, const json_t *v)
{
    struct buf text = {0};
    const char *role = role_of(v);
    if (role == NULL)
        return bad(at, "role", "system, developer, user, assistant or tool is needed");
    int rc = add_content(at, json_object_get(v, "content"), &text);
    const json_t *calls = json_object_get(v, "tool_calls");
    if (rc == 0 && calls != NULL && !json_is_null(calls))
        add_json(&text, calls);
    void *grown = p->message;
    bool room = xgrow(&grown, &p->cap, p->messages + 1, sizeof *p->message);
    p->message = grown;
    size_t len = text.len;
    buf_putc(&text, '\0'); /* an empty text is one, too */
    char *kept = rc == 0 && room ? buf_take(&text, NULL) : NULL;
    buf_free(&text);
    if (rc == 0 && kept == NULL)
        rc = err_memory(at->e, len, "a message");
    if (rc == 0)
        p->message[p->messages++] = (struct prompt_message){role, kept, len};
    return rc;
}

/* ---- tokens ----------------------------------------------------------------------------------------------- */

static int write_messages(struct prompt *p, const struct place *at, const struct model *m)
{
    struct err inner = {0};
    struct chat_message *chat = xcalloc(p->messages + 1, sizeof *chat);
    if (chat == NULL)
        return err_memory(at->e, p->messages * sizeof *chat, "messages");
    for (size_t i = 0; i < p->messages; i++) {
        const struct prompt_message *one = &p->message[i];
        chat[i] = (struct chat_message){strcmp(one->role, "tool") == 0 ? "user" : one->role, one->text, one->len};
    }
    int rc = chat_render(m, chat, p->messages, true, &p->ids, &inner);
    xfree(chat);
    return rc == 0 ? 0 : bad(at, "messages", inner.what);
}

static int write_ids(struct prompt *p, const struct place *at, const struct model *m)
{
    if (p->tools != NULL &&
        tokenizer_encode(model_get_tokenizer(m), p->tools, strlen(p->tools), 0, &p->ids, at->e) != 0)
        return -1;
    return write_messages(p, at, m);
}

/* ---- lines ------------------------------------------------------------------------------------------------ */

static int read_tools(struct prompt *p, const struct place *at, const json_t *request)
{
    struct buf text = {0};
    const json_t *tools = json_object_get(request, "tools");
    tools = tools != NULL ? tools : json_object_get(request, "functions");
    if (tools == NULL || json_is_null(tools) || json_array_size(tools) == 0)
        return tools == NULL || json_is_null(tools) || json_is_array(tools) ? 0 : bad(at, "tools", "a list is needed");
    add_json(&text, tools);
    p->tools = buf_take(&text, NULL);
    buf_free(&text);
    return p->tools != NULL ? 0 : err_memory(at->e, 64, "tools");
}

static int read_request(struct prompt *p, const struct place *at, const json_t *v)
{
    const json_t *body = json_object_get(v, "body"), *request = body != NULL ? body : v;
    const json_t *list = json_is_array(v) ? v : json_object_get(request, "messages");
    size_t n = json_array_size(list);
    if (n > PROMPT_MESSAGES)
        return bad(at, "messages", "more than 4096 messages");
    while (n > 0 && strcmp(role_of(json_array_get(list, n - 1)) != NULL ? role_of(json_array_get(list, n - 1)) : "", "assistant") == 0)
        n--; /* the answer */
    if (n == 0)
        return bad(at, "messages", "a list of messages is needed, one of which asks for an answer");
    if (read_tools(p, at, request) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (read_message(p, at, json_array_get(list, i)) != 0)
            return -1;
    return 0;
}

int prompt_read(struct prompt *p, const char *name, unsigned long line, const char *json, size_t len,
                const struct model *m, struct err *e)
{
    json_error_t why;
    struct place at = {name, line, e};
    *p = (struct prompt){.line = line};
    json_t *v = json_loadb(json, len, JSON_ALLOW_NUL, &why);
    int rc = v != NULL ? read_request(p, &at, v)
                       : err_set(e, "%.200s: line %lu is no JSON: %.120s (column %d)", name, line, why.text, why.column);
    json_decref(v);
    if (rc == 0)
        rc = write_ids(p, &at, m);
    if (rc != 0)
        prompt_done(p);
    return rc;
}

void prompt_done(struct prompt *p)
{
    for (size_t i = 0; i < p->messages; i++)
        xfree(p->message[i].text);
    xfree(p->message);
    xfree(p->tools);
    ids_free(&p->ids);
    *p = (struct prompt){0};
}
