#include "trace/conversations.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "model/chat.h"
#include "model/config.h"
#include "script/script.h"
#include "trace/excerpt.h"

enum { MESSAGES = 4096 };

struct talks {
    const char *name;
    size_t line;
    const struct model *m;
    struct conversations how;
    struct chat_message *message;  /* (messages) of the line at hand */
    char **text;                   /* (messages) owned: their texts */
    size_t messages, message_cap, text_cap;
    size_t at, turn;               /* the message to look at next; requests of this line so far */
    uint64_t seen;                 /* requests of the file so far, those that are not taken, too */
    struct ids prompt, whole;      /* of the request at hand */
    uint32_t *number;              /* (vocab) hashes_only: a token's number + 1 */
    uint32_t numbers;
    struct conversations_summary sum;
    struct err *e;                 /* of the call at hand */
};

static int bad(struct talks *r, const char *field, const char *reason)
{
    return err_set(r->e, "%.200s: line %zu: field \"%.60s\": %s", r->name, r->line, field, reason);
}

static int no_memory(struct talks *r)
{
    return err_memory(r->e, r->messages * sizeof *r->message, "conversations");
}

static void forget_line(struct talks *r)
{
    for (size_t i = 0; i < r->messages; i++)
        xfree(r->text[i]);
    r->messages = r->at = r->turn = 0;
}

/* ---- one message ------------------------------------------------------------------------------------------ */

/* The text of a list of parts, one after another. */
static int parts_text(struct talks *r, const json_t *parts, const char *field, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i), *text = json_object_get(part, "text");
        const char *type = json_string_value(json_object_get(part, "type"));
        if (type == NULL || strcmp(type, "text") != 0 || !json_is_string(text))
            return bad(r, field, "only parts of type text can be read; images, sound and files cannot");
        buf_add(out, json_string_value(text), json_string_length(text));
    }
    return 0;
}

static int content_text(struct talks *r, const json_t *content, const char *field, struct buf *out)
{
    if (json_is_array(content))
        return parts_text(r, content, field, out);
    if (!json_is_string(content))
        return bad(r, field, "a text or a list of parts is needed");
    buf_add(out, json_string_value(content), json_string_length(content));
    return 0;
}

static int check_role(struct talks *r, const json_t *v, const char *where, const char **role)
{
    static const char *const ROLES[] = {"system", "user", "assistant"};
    const char *given = json_string_value(json_object_get(v, "role"));
    char field[64];
    snprintf(field, sizeof field, "%s.role", where);
    if (json_object_get(v, "tool_calls") != NULL || json_object_get(v, "function_call") != NULL ||
        (given != NULL && (strcmp(given, "tool") == 0 || strcmp(given, "function") == 0)))
        return bad(r, field, "calls of tools are written in a form of each model's own, which is not known here");
    for (size_t i = 0; given != NULL && i < ARRAY_LEN(ROLES); i++)
        if (strcmp(given, ROLES[i]) == 0 || (i == 0 && strcmp(given, "developer") == 0)) {
            *role = ROLES[i];
            return 0;
        }
    return bad(r, field, "system, user or assistant is needed");
}

static int read_message(struct talks *r, const json_t *v, size_t i)
{
    char where[32], field[64];
    const char *role = NULL;
    struct buf text = {0};
    snprintf(where, sizeof where, "messages[%zu]", i);
    snprintf(field, sizeof field, "%s.content", where);
    if (check_role(r, v, where, &role) != 0)
        return -1;
    void *a = r->message, *b = r->text;
    bool room = xgrow(&a, &r->message_cap, i + 1, sizeof *r->message);
    r->message = a;
    room = room && xgrow(&b, &r->text_cap, i + 1, sizeof *r->text);
    r->text = b;
    int rc = room ? content_text(r, json_object_get(v, "content"), field, &text) : no_memory(r);
    size_t len = text.len;
    if (rc != 0 || text.failed) {
        buf_free(&text);
        return rc != 0 ? rc : no_memory(r);
    }
    r->text[i] = buf_take(&text, NULL);
    r->message[i] = (struct chat_message){role, r->text[i], len};
    r->messages = i + 1;
    return 0;
}

/* ---- one request ------------------------------------------------------------------------------------------ */

static uint32_t number_of(struct talks *r, uint32_t token)
{
    if (r->number == NULL)
        return token;
    if (r->number[token] == 0)
        r->number[token] = ++r->numbers;
    return r->number[token] - 1;
}

static void write_ids(struct talks *r, const struct ids *ids, struct buf *out)
{
    buf_puts(out, " \"");
    for (size_t i = 0; i < ids->len; i++)
        buf_printf(out, "%s%u", i > 0 ? " " : "", number_of(r, ids->at[i]));
    buf_putc(out, '"');
}

static int render(struct talks *r, size_t n, bool prompt, struct ids *out)
{
    struct err inner = {0};
    ids_clear(out);
    if (chat_render(r->m, r->message, n, prompt, out, &inner) != 0)
        return err_set(r->e, "%.200s: line %zu: field \"messages\": %.240s", r->name, r->line, inner.what);
    return 0;
}

static void count(struct talks *r, size_t answer)
{
    const struct model_config *c = model_get_config(r->m);
    r->sum.requests++;
    r->sum.tokens += r->prompt.len;
    r->sum.all += r->prompt.len + answer + 1;
    if (r->prompt.len > r->sum.longest)
        r->sum.longest = r->prompt.len;
    r->sum.too_long += r->prompt.len + answer > c->context;
}

/* The first n messages as a prompt; the next one, if there is one, is the answer. */
static int write_request(struct talks *r, size_t n, struct buf *out)
{
    bool answered = n < r->messages;
    if (render(r, n, true, &r->prompt) != 0 || render(r, answered ? n + 1 : n, !answered, &r->whole) != 0)
        return -1;
    size_t answer = r->whole.len > r->prompt.len ? r->whole.len - r->prompt.len : 1;
    if (r->how.max != 0 && answer > r->how.max)
        answer = r->how.max;
    count(r, answer);
    buf_puts(out, r->how.hashes_only ? "match" : "request");
    write_ids(r, &r->prompt, out);
    if (r->how.hashes_only) {
        buf_puts(out, "\ninsert");
        write_ids(r, &r->whole, out);
    } else {
        buf_printf(out, " ids max=%zu label=\"c%zu.%zu\"", answer, r->sum.conversations, r->turn);
    }
    buf_putc(out, '\n');
    return out->failed ? no_memory(r) : 0;
}

/* Does message i ask for an answer: is it a user's, answered or the last? */
static bool asks(const struct talks *r, size_t i)
{
    bool last = i + 1 == r->messages;
    return strcmp(r->message[i].role, "user") == 0 && (last || strcmp(r->message[i + 1].role, "assistant") == 0);
}

int talks_request(struct talks *r, struct buf *out, struct err *e)
{
    r->e = e;
    while (r->at < r->messages) {
        if (!asks(r, r->at++))
            continue;
        r->turn++;
        r->seen++;
        if (r->seen >= r->how.first && (r->how.last == 0 || r->seen <= r->how.last))
            return write_request(r, r->at, out) == 0 ? 1 : -1;
    }
    return 0;
}

/* ---- lines ------------------------------------------------------------------------------------------------ */

static int read_conversation(struct talks *r, const json_t *v)
{
    const json_t *body = json_object_get(v, "body"), *o = body != NULL ? body : v;
    const json_t *list = json_is_array(v) ? v : json_object_get(o, "messages");
    const char *tools = json_object_get(o, "tools") != NULL ? "tools" : "functions";
    if (json_array_size(json_object_get(o, tools)) > 0)
        return bad(r, tools, "tools are written into the prompt in a form of each model's own, which is not known here");
    if (!json_is_array(list) || json_array_size(list) == 0)
        return bad(r, "messages", "a list of messages is needed");
    if (json_array_size(list) > MESSAGES)
        return bad(r, "messages", "more than 4096 messages");
    forget_line(r);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (read_message(r, json_array_get(list, i), i) != 0)
            return -1;
    r->sum.conversations++;
    for (size_t i = 0; i < r->messages; i++)
        if (asks(r, i))
            return 0;
    return bad(r, "messages", "no user message asks for an answer");
}

static int read_line(struct talks *r, const char *line, size_t n)
{
    json_error_t why;
    json_t *v = json_loadb(line, n, JSON_ALLOW_NUL, &why);
    int rc = v != NULL ? read_conversation(r, v)
                       : err_set(r->e, "%.200s: line %zu is no JSON: %.120s (column %d)", r->name, r->line, why.text,
                                 why.column);
    json_decref(v);
    return rc;
}

int talks_line(struct talks *r, const char *line, size_t n, struct err *e)
{
    size_t blank = 0;
    r->e = e;
    r->line++;
    forget_line(r);
    while (blank < n && strchr(" \t\r", line[blank]) != NULL && line[blank] != '\0')
        blank++;
    return blank < n ? read_line(r, line, n) : 0;
}

/* ---- a file ----------------------------------------------------------------------------------------------- */

struct talks *talks_new(const char *name, const struct model *m, const struct conversations *how, struct err *e)
{
    struct talks *r = xcalloc(1, sizeof *r);
    size_t vocab = model_get_config(m)->vocab;
    if (r != NULL)
        *r = (struct talks){.name = name, .m = m, .how = *how};
    if (r != NULL && how->hashes_only)
        r->number = xcalloc(vocab, sizeof *r->number);
    if (r != NULL && (!how->hashes_only || r->number != NULL))
        return r;
    err_memory(e, vocab * sizeof *r->number, "conversations");
    talks_free(r);
    return NULL;
}

void talks_free(struct talks *r)
{
    if (r == NULL)
        return;
    forget_line(r);
    xfree(r->message);
    xfree(r->text);
    xfree(r->number);
    ids_free(&r->prompt);
    ids_free(&r->whole);
    xfree(r);
}

size_t talks_line_number(const struct talks *r)
{
    return r->line;
}

const struct conversations_summary *talks_summary(const struct talks *r)
{
    return &r->sum;
}

static bool is_part(const struct conversations *how)
{
    return how->first > 0;
}

static int too_many(const struct talks *r, struct err *e)
{
    err_set(e, "%.200s: an excerpt has at most %d requests", r->name, EXCERPT_MOST);
    return err_hint(e, "--requests A-B says which, such as --requests 1-20");
}

static int read_lines(struct talks *r, const char *bytes, size_t len, struct buf *out, struct err *e)
{
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < len && (r->how.last == 0 || r->seen < r->how.last);) {
        const char *end = memchr(bytes + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - bytes) - at : len - at;
        rc = talks_line(r, bytes + at, n, e);
        while (rc == 0 && (rc = talks_request(r, out, e)) == 1)
            rc = is_part(&r->how) && r->sum.requests > EXCERPT_MOST ? too_many(r, e) : 0;
        at += n + 1;
    }
    return rc;
}

static int check_requests(const struct talks *r, struct err *e)
{
    uint64_t last = r->how.last != 0 ? r->how.last : r->how.first;
    if (r->seen == 0)
        return err_set(e, "%.200s holds no conversations", r->name);
    if (r->seen < last)
        return err_set(e, "%.200s has %" PRIu64 " requests; there is no request %" PRIu64, r->name, r->seen, last);
    return 0;
}

static int write_script(const struct talks *r, const struct buf *body, struct buf *out, struct err *e)
{
    uint64_t page = r->how.page > 0 ? r->how.page : 1;
    uint64_t pool = r->how.pool != 0 ? r->how.pool : (r->sum.all + r->sum.requests * page + page - 1) / page * page;
    const char *slash = strrchr(r->name, '/'), *file = slash != NULL ? slash + 1 : r->name;
    struct buf title = {0};
    if (pool > UINT32_MAX / 2)
        return err_set(e, "%.200s: its requests have more tokens than a pool can hold; give --pool", r->name);
    if (is_part(&r->how))
        buf_printf(&title, "%zu request%s of %s", r->sum.requests, r->sum.requests == 1 ? "" : "s", file);
    else
        buf_printf(&title, "%zu conversation%s", r->sum.conversations, r->sum.conversations == 1 ? "" : "s");
    buf_puts(out, "title ");
    script_quote(buf_text(&title), title.len, out);
    buf_free(&title);
    buf_printf(out, "\n%spool %u\npage %u\n%s", r->how.hashes_only ? "tokens ids\n" : "", (uint32_t)pool, (uint32_t)page,
               r->how.more);
    buf_add(out, buf_text(body), body->len);
    return out->failed ? err_memory(e, out->len, "conversations") : 0;
}

int conversations_import(const char *name, const char *bytes, size_t len, const struct model *m,
                         const struct conversations *how, struct buf *out, struct conversations_summary *sum,
                         struct err *e)
{
    struct buf body = {0};
    if (how->last != 0 && how->last - how->first >= EXCERPT_MOST)
        return too_many(&(struct talks){.name = name}, e);
    struct talks *r = talks_new(name, m, how, e);
    int rc = r == NULL ? -1 : read_lines(r, bytes, len, &body, e);
    if (rc == 0)
        rc = check_requests(r, e);
    if (rc == 0)
        rc = write_script(r, &body, out, e);
    *sum = r != NULL ? r->sum : (struct conversations_summary){0};
    talks_free(r);
    buf_free(&body);
    return rc;
}
