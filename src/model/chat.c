#include "model/chat.h"

#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "model/json.h"
#include "model/model_parts.h"

#define CHAT_LIMIT ((size_t)16 << 20)

enum { ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT };

/* Which tokens `open`, `close` and `extra` of struct chat are:
 *            open                  close         extra
 *   box      (role[] instead)      <|end|>
 *   chatml   <|im_start|>          <|im_end|>
 *   llama3   <|start_header_id|>   <|eot_id|>    <|end_header_id|>
 *   mistral  [INST] if a token                   [/INST] if a token
 */

const char *chat_kind_name(enum chat_kind kind)
{
    static const char *const names[] = {[CHAT_PLAIN] = "plain",   [CHAT_UNKNOWN] = "unknown", [CHAT_BOX] = "box",
                                        [CHAT_CHATML] = "chatml", [CHAT_LLAMA2] = "llama2",   [CHAT_LLAMA3] = "llama3",
                                        [CHAT_MISTRAL] = "mistral"};
    return names[kind];
}

enum chat_kind chat_get_kind(const struct model *m)
{
    return m->chat.kind;
}

/* ---- finding the template ---- */

/* "eos_token": "</s>", or {"content": "</s>", …} */
static uint32_t named_token(const struct tokenizer *t, const json_t *config, const char *field)
{
    const json_t *value = json_object_get(config, field);
    const char *text = json_is_object(value) ? json_text(value, "content") : json_string_value(value);
    return text != NULL ? tokenizer_special(t, text) : TOKENIZER_NONE;
}

/* A text, or a list of named texts of which "default" counts. */
static const char *template_of(const json_t *config)
{
    const json_t *value = json_object_get(config, "chat_template");
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)value, i, one)
    {
        const char *name = json_text(one, "name");
        if (name != NULL && strcmp(name, "default") == 0)
            return json_text(one, "template");
    }
    return json_string_value(value);
}

static bool recognise_box(struct chat *c, const struct tokenizer *t, const char *text)
{
    c->close = tokenizer_special(t, "<|end|>");
    c->role[ROLE_SYSTEM] = tokenizer_special(t, "<|system|>");
    c->role[ROLE_USER] = tokenizer_special(t, "<|user|>");
    c->role[ROLE_ASSISTANT] = tokenizer_special(t, "<|assistant|>");
    return strstr(text, "'<|' + message['role'] + '|>' + message['content'] + '<|end|>'") != NULL &&
           c->close != TOKENIZER_NONE && c->role[ROLE_SYSTEM] != TOKENIZER_NONE &&
           c->role[ROLE_USER] != TOKENIZER_NONE && c->role[ROLE_ASSISTANT] != TOKENIZER_NONE;
}

/* The system message that a ChatML template falls back to stands in it as a literal. */
static char *default_system(const char *text)
{
    static const char opening[] = "<|im_start|>system";
    for (const char *at = strstr(text, opening); at != NULL; at = strstr(at + 1, opening)) {
        const char *from = at + strlen(opening), *to;
        if (strncmp(from, "\\n", 2) == 0)
            from += 2;
        else if (*from == '\n')
            from++;
        else
            continue;
        to = strstr(from, "<|im_end|>");
        if (to != NULL && to > from && strcspn(from, "'\"{}\\") >= (size_t)(to - from)) {
            char *copy = xmemdup(from, (size_t)(to - from) + 1);
            if (copy != NULL)
                copy[to - from] = '\0';
            return copy;
        }
    }
    return NULL;
}

static enum chat_kind recognise(struct chat *c, const struct tokenizer *t, const char *text)
{
    if (strstr(text, "<|im_start|>") != NULL) {
        c->open = tokenizer_special(t, "<|im_start|>");
        c->close = tokenizer_special(t, "<|im_end|>");
        c->default_system = default_system(text);
        return c->open != TOKENIZER_NONE && c->close != TOKENIZER_NONE ? CHAT_CHATML : CHAT_UNKNOWN;
    }
    if (strstr(text, "<|start_header_id|>") != NULL) {
        c->open = tokenizer_special(t, "<|start_header_id|>");
        c->extra = tokenizer_special(t, "<|end_header_id|>");
        c->close = tokenizer_special(t, "<|eot_id|>");
        bool all = c->open != TOKENIZER_NONE && c->extra != TOKENIZER_NONE && c->close != TOKENIZER_NONE;
        return all ? CHAT_LLAMA3 : CHAT_UNKNOWN;
    }
    if (strstr(text, "[INST]") != NULL && strstr(text, "<<SYS>>") != NULL)
        return CHAT_LLAMA2;
    if (strstr(text, "[INST]") != NULL) {
        c->open = tokenizer_special(t, "[INST]");
        c->extra = tokenizer_special(t, "[/INST]");
        return CHAT_MISTRAL;
    }
    return recognise_box(c, t, text) ? CHAT_BOX : CHAT_UNKNOWN;
}

static json_t *read_tokenizer_config(const char *dir, struct err *e)
{
    if (!json_file_exists(dir, "tokenizer_config.json"))
        return json_object();
    char *path = json_path(dir, "tokenizer_config.json", e);
    json_t *root = path == NULL ? NULL : json_from_file(path, CHAT_LIMIT, e);
    xfree(path);
    return root;
}

/* chat_template.jinja, where present, in fresh memory; *jinja stays NULL without it. */
static int read_jinja(const char *dir, char **jinja, struct err *e)
{
    size_t len;
    if (!json_file_exists(dir, "chat_template.jinja"))
        return 0;
    char *path = json_path(dir, "chat_template.jinja", e);
    int rc = path == NULL ? -1 : file_read(path, CHAT_LIMIT, jinja, &len, e);
    xfree(path);
    return rc;
}

int chat_open(const char *dir, const struct tokenizer *t, struct chat *out, struct err *e)
{
    *out = (struct chat){.open = TOKENIZER_NONE, .close = TOKENIZER_NONE, .extra = TOKENIZER_NONE,
                         .bos = TOKENIZER_NONE, .eos = TOKENIZER_NONE};
    json_t *config = read_tokenizer_config(dir, e);
    char *jinja = NULL;
    if (config == NULL || read_jinja(dir, &jinja, e) != 0) {
        json_decref(config);
        return config == NULL && e != NULL && !e->set ? err_memory(e, 1, "the chat template") : -1;
    }
    const char *text = jinja != NULL ? jinja : template_of(config);
    out->bos = named_token(t, config, "bos_token");
    out->eos = named_token(t, config, "eos_token");
    if (text != NULL)
        out->kind = recognise(out, t, text);
    json_decref(config);
    xfree(jinja);
    return 0;
}

void chat_close(struct chat *c)
{
    xfree(c->default_system);
    c->default_system = NULL;
}

/* ---- writing a conversation ---- */

struct writer {
    const struct tokenizer *t;
    const struct chat *chat;
    struct ids *out;
    struct buf text; /* plain text gathered since the last special token */
    struct err *e;
};

/* A special token; the text before it is encoded first, as one piece, and never parsed for specials. */
static int put_token(struct writer *w, uint32_t id)
{
    if (w->text.failed)
        return err_memory(w->e, w->text.len, "the conversation");
    if (w->text.len > 0 &&
        tokenizer_encode(w->t, buf_text(&w->text), w->text.len, TOKENIZER_PLAIN, w->out, w->e) != 0)
        return -1;
    buf_clear(&w->text);
    if (id != TOKENIZER_NONE)
        ids_add(w->out, id);
    return w->out->failed ? err_memory(w->e, w->out->len, "the conversation") : 0;
}

static void put_trimmed(struct writer *w, const char *text, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", text[0]) != NULL && text[0] != '\0') {
        text++;
        len--;
    }
    while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL && text[len - 1] != '\0')
        len--;
    buf_add(&w->text, text, len);
}

static int role_of(const struct chat_message *m, struct err *e)
{
    static const char *const names[] = {"system", "user", "assistant"};
    for (int i = 0; i < 3; i++)
        if (strcmp(m->role, names[i]) == 0)
            return i;
    return err_set(e, "the role of a message is \"%.40s\", but system, user and assistant are known", m->role);
}

static int write_box(struct writer *w, const struct chat_message *m, size_t n, bool prompt)
{
    for (size_t i = 0; i < n; i++) {
        if (put_token(w, w->chat->role[role_of(&m[i], NULL)]) != 0)
            return -1;
        buf_add(&w->text, m[i].text, m[i].len);
        if (put_token(w, w->chat->close) != 0)
            return -1;
    }
    return prompt ? put_token(w, w->chat->role[ROLE_ASSISTANT]) : 0;
}

static int write_chatml_turn(struct writer *w, const char *role, const char *text, size_t len)
{
    if (put_token(w, w->chat->open) != 0)
        return -1;
    buf_printf(&w->text, "%s\n", role);
    buf_add(&w->text, text, len);
    int rc = put_token(w, w->chat->close);
    buf_puts(&w->text, "\n");
    return rc;
}

static int write_chatml(struct writer *w, const struct chat_message *m, size_t n, bool prompt)
{
    const char *fallback = w->chat->default_system;
    if (fallback != NULL && (n == 0 || role_of(&m[0], NULL) != ROLE_SYSTEM) &&
        write_chatml_turn(w, "system", fallback, strlen(fallback)) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (write_chatml_turn(w, m[i].role, m[i].text, m[i].len) != 0)
            return -1;
    if (prompt && put_token(w, w->chat->open) != 0)
        return -1;
    if (prompt)
        buf_puts(&w->text, "assistant\n");
    return 0;
}

static int write_llama3_head(struct writer *w, const char *role)
{
    if (put_token(w, w->chat->open) != 0)
        return -1;
    buf_puts(&w->text, role);
    if (put_token(w, w->chat->extra) != 0)
        return -1;
    buf_puts(&w->text, "\n\n");
    return 0;
}

static int write_llama3(struct writer *w, const struct chat_message *m, size_t n, bool prompt)
{
    if (put_token(w, w->chat->bos) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (write_llama3_head(w, m[i].role) != 0)
            return -1;
        put_trimmed(w, m[i].text, m[i].len);
        if (put_token(w, w->chat->close) != 0)
            return -1;
    }
    return prompt ? write_llama3_head(w, "assistant") : 0;
}

/* Llama 2 and Mistral have no system turn: the message goes into the first user's. */
static int write_inst(struct writer *w, const struct chat_message *m, size_t n, bool llama2)
{
    const struct chat_message *system = NULL;
    if (!llama2 && put_token(w, w->chat->bos) != 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int role = role_of(&m[i], NULL);
        if (role == ROLE_SYSTEM) {
            system = &m[i];
        } else if (role == ROLE_ASSISTANT) {
            buf_puts(&w->text, llama2 ? " " : "");
            put_trimmed(w, m[i].text, m[i].len);
            buf_puts(&w->text, llama2 ? " " : "");
            if (put_token(w, w->chat->eos) != 0)
                return -1;
        } else {
            if (llama2 && put_token(w, w->chat->bos) != 0)
                return -1;
            if (w->chat->open == TOKENIZER_NONE)
                buf_puts(&w->text, "[INST] ");
            else if (put_token(w, w->chat->open) != 0)
                return -1;
            if (system != NULL) {
                buf_puts(&w->text, llama2 ? "<<SYS>>\n" : "");
                buf_add(&w->text, system->text, system->len);
                buf_puts(&w->text, llama2 ? "\n<</SYS>>\n\n" : "\n\n");
                system = NULL;
            }
            put_trimmed(w, m[i].text, m[i].len);
            if (w->chat->extra == TOKENIZER_NONE)
                buf_puts(&w->text, " [/INST]");
            else if (put_token(w, w->chat->extra) != 0)
                return -1;
        }
    }
    return system == NULL ? 0 : err_set(w->e, "this template needs a user's message behind the system message");
}

static int write_plain(struct writer *w, const struct chat_message *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(&w->text, '\n');
        buf_add(&w->text, m[i].text, m[i].len);
    }
    if (w->text.failed)
        return err_memory(w->e, w->text.len, "the conversation");
    int rc = tokenizer_encode(w->t, buf_text(&w->text), w->text.len, TOKENIZER_ADD_SPECIAL, w->out, w->e);
    buf_clear(&w->text);
    return rc;
}

int chat_render(const struct model *m, const struct chat_message *messages, size_t n, bool prompt, struct ids *out,
                struct err *e)
{
    struct writer w = {.t = m->tokenizer, .chat = &m->chat, .out = out, .e = e};
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        if (role_of(&messages[i], e) < 0)
            return -1;
    switch (m->chat.kind) {
    case CHAT_BOX:
        rc = write_box(&w, messages, n, prompt);
        break;
    case CHAT_CHATML:
        rc = write_chatml(&w, messages, n, prompt);
        break;
    case CHAT_LLAMA3:
        rc = write_llama3(&w, messages, n, prompt);
        break;
    case CHAT_LLAMA2:
    case CHAT_MISTRAL:
        rc = write_inst(&w, messages, n, m->chat.kind == CHAT_LLAMA2);
        break;
    case CHAT_PLAIN:
    case CHAT_UNKNOWN:
        rc = write_plain(&w, messages, n);
        break;
    }
    if (rc == 0)
        rc = put_token(&w, TOKENIZER_NONE); /* what is left of the text */
    buf_free(&w.text);
    return rc;
}

bool chat_is_end(const struct model *m, uint32_t id)
{
    return id != TOKENIZER_NONE && (config_is_eos(&m->config, id) || id == m->chat.close || id == m->chat.eos);
}
