#include "trace/foreign.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/xalloc.h"

static const char *const NAMES[FOREIGN_COUNT] = {
#define X(id, name, what) [FOREIGN_##id] = (name),
    FOREIGN_FORMATS(X)
#undef X
};

const char *foreign_name(enum foreign_format f)
{
    return NAMES[f];
}

int foreign_find(const char *name)
{
    for (int i = 0; i < FOREIGN_COUNT; i++)
        if (strcmp(NAMES[i], name) == 0)
            return i;
    return -1;
}

static int only_lengths(const char *name, const char *field, struct err *e)
{
    err_set(e, "%.200s: line 1: field \"%.60s\": the trace holds lengths alone, nothing says which prompts begin alike",
            name, field);
    return err_hint(e, "prefix reuse needs hash_ids, token ids or texts");
}

static int unknown(const char *name, struct err *e)
{
    err_set(e, "%.200s is in no format that can be imported", name);
    return err_hint(e, "known: kv-events, conversations, mooncake; say which with --from to see what is wrong");
}

static bool has(const json_t *o, const char *field)
{
    return json_object_get(o, field) != NULL;
}

static int detect_object(const char *name, const json_t *o, enum foreign_format *out, struct err *e)
{
    static const char *const LENGTHS[] = {"input_length", "prompt_len", "prompt_length", "num_prefill_tokens", "input_tokens",
                                          "prompt_tokens", "ContextTokens", "context_tokens"};
    const json_t *body = json_object_get(o, "body");
    if (has(o, "hash_ids"))
        *out = FOREIGN_MOONCAKE;
    else if (has(o, "messages") || has(body, "messages"))
        *out = FOREIGN_CONVERSATIONS;
    else if (has(o, "events") || has(o, "block_hashes") || has(o, "type"))
        *out = FOREIGN_KV_EVENTS;
    else {
        for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++)
            if (has(o, LENGTHS[i]))
                return only_lengths(name, LENGTHS[i], e);
        return unknown(name, e);
    }
    return 0;
}

/* A bare list of messages, or a batch of events. */
static enum foreign_format of_array(const json_t *a)
{
    return has(json_array_get(a, 0), "role") ? FOREIGN_CONVERSATIONS : FOREIGN_KV_EVENTS;
}

/* Tables of the public traces that have lengths alone: the header names them. */
static int detect_table(const char *name, const char *line, size_t n, struct err *e)
{
    static const char *const COLUMNS[] = {"ContextTokens", "Request tokens", "input_length", "prompt_tokens",
                                          "num_prefill_tokens"};
    char head[256];
    size_t keep = n < sizeof head - 1 ? n : sizeof head - 1;
    memcpy(head, line, keep);
    head[keep] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++)
        if (strstr(head, COLUMNS[i]) != NULL)
            return only_lengths(name, COLUMNS[i], e);
    return unknown(name, e);
}

int foreign_detect(const char *name, const char *bytes, size_t len, enum foreign_format *out, struct err *e)
{
    size_t at = 0;
    while (at < len && (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\r' || bytes[at] == '\n'))
        at++;
    if (at == len)
        return err_set(e, "%.200s is empty", name);
    const char *end = memchr(bytes + at, '\n', len - at);
    size_t n = end != NULL ? (size_t)(end - bytes) - at : len - at;
    if ((unsigned char)bytes[at] >= 0x80) { /* msgpack's lists and maps */
        *out = FOREIGN_KV_EVENTS;
        return 0;
    }
    if (bytes[at] != '{' && bytes[at] != '[')
        return detect_table(name, bytes + at, n, e);
    json_error_t why;
    json_t *v = json_loadb(bytes + at, n, 0, &why);
    int rc = 0;
    if (v == NULL && strstr(why.text, "integer") != NULL) /* hashes up to 2^64 */
        *out = FOREIGN_KV_EVENTS;
    else if (v == NULL)
        rc = err_set(e, "%.200s: the first line is no JSON: %.120s (column %d)", name, why.text, why.column);
    else if (json_is_array(v))
        *out = of_array(v);
    else
        rc = detect_object(name, v, out, e);
    json_decref(v);
    return rc;
}
