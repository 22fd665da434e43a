#include "trace/mooncake.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/xalloc.h"

enum { BLOCK_MOST = 1 << 20 };

/* Ids above 32 bits, each with the number that stands for it: open addressing, at most half full. */
struct wide_id {
    uint64_t id;
    uint32_t number;              /* 0: empty */
};

struct mooncake {
    struct lines *lines;
    uint32_t asked, block;        /* tokens of a block: as the caller said (0: nothing); as it is */
    enum mooncake_kind kind;
    bool begun;
    uint32_t *ids;
    size_t ids_cap;
    uint32_t greatest;            /* of the ids that stand for themselves */
    struct wide_id *wide;
    size_t wide_cap;
    uint32_t wide_n;
};

struct mooncake *mooncake_new(struct lines *l, uint32_t block, struct err *e)
{
    struct mooncake *m = xcalloc(1, sizeof *m);
    if (m == NULL) {
        err_memory(e, sizeof *m, "a trace");
        return NULL;
    }
    m->lines = l;
    m->asked = block;
    return m;
}

void mooncake_free(struct mooncake *m)
{
    if (m == NULL)
        return;
    xfree(m->ids);
    xfree(m->wide);
    xfree(m);
}

uint32_t mooncake_block(const struct mooncake *m)
{
    return m->block;
}

enum mooncake_kind mooncake_get_kind(const struct mooncake *m)
{
    return m->kind;
}

const char *mooncake_kind_name(enum mooncake_kind kind)
{
    return kind == MOONCAKE_BAILIAN ? "Qwen-Bailian" : "Mooncake";
}

/* ---- errors ---------------------------------------------------------------------------------------------- */

static int bad_field(const struct mooncake *m, const char *field, const char *reason, struct err *e)
{
    return err_set(e, "%s:%lu: field \"%s\" %s", lines_name(m->lines), lines_number(m->lines), field, reason);
}

static int no_prefixes(const struct mooncake *m, struct err *e)
{
    err_set(e, "%s:%lu: field \"hash_ids\" is missing: the trace has lengths only, and nothing in it says which "
            "requests share a prefix", lines_name(m->lines), lines_number(m->lines));
    return err_hint(e, "a trace in Mooncake's format has hash_ids, one a block of the input");
}

/* A first line that is no JSON object: perhaps the head of a table of lengths. */
static int not_json(const struct mooncake *m, const char *line, const json_error_t *why, struct err *e)
{
    static const char *const HEADS[] = {"prefill", "ContextTokens", "GeneratedTokens", "input_length", "Request tokens"};
    for (size_t i = 0; lines_number(m->lines) == 1 && i < ARRAY_LEN(HEADS); i++)
        if (*line != '{' && strstr(line, HEADS[i]) != NULL && strchr(line, ',') != NULL)
            return no_prefixes(m, e);
    return err_set(e, "%s:%lu: column %d: field (none): the line is no JSON object: %s", lines_name(m->lines),
                   lines_number(m->lines), why->column, why->text);
}

/* ---- fields ---------------------------------------------------------------------------------------------- */

static int get_number(const struct mooncake *m, const json_t *o, const char *field, double *out, struct err *e)
{
    const json_t *v = json_object_get(o, field);
    if (v == NULL)
        return bad_field(m, field, "is missing", e);
    if (!json_is_number(v) || !(json_number_value(v) >= 0) || isinf(json_number_value(v)))
        return bad_field(m, field, "should be a number from 0", e);
    *out = json_number_value(v);
    return 0;
}

static int get_int(const struct mooncake *m, const json_t *o, const char *field, int64_t least, int64_t most,
                   int64_t *out, struct err *e)
{
    const json_t *v = json_object_get(o, field);
    char reason[80];
    if (v == NULL)
        return bad_field(m, field, "is missing", e);
    *out = json_integer_value(v);
    if (json_is_integer(v) && *out >= least && *out <= most)
        return 0;
    snprintf(reason, sizeof reason, "should be a whole number from %lld to %lld", (long long)least, (long long)most);
    return bad_field(m, field, reason, e);
}

static int get_length(const struct mooncake *m, const json_t *o, const char *field, uint32_t *out, struct err *e)
{
    int64_t v = 0;
    if (get_int(m, o, field, 0, INT32_MAX, &v, e) != 0)
        return -1;
    *out = (uint32_t)v;
    return 0;
}

/* ---- ids ------------------------------------------------------------------------------------------------- */

static struct wide_id *wide_find(const struct mooncake *m, uint64_t id)
{
    size_t i = (size_t)((id * 0x9e3779b97f4a7c15u) >> 20) & (m->wide_cap - 1);
    while (m->wide[i].number != 0 && m->wide[i].id != id)
        i = (i + 1) & (m->wide_cap - 1);
    return &m->wide[i];
}

static bool wide_room(struct mooncake *m)
{
    if ((size_t)m->wide_n * 2 < m->wide_cap)
        return true;
    struct mooncake grown = *m;
    grown.wide_cap = m->wide_cap == 0 ? 1024 : m->wide_cap * 2;
    grown.wide = xcalloc(grown.wide_cap, sizeof *grown.wide);
    if (grown.wide == NULL)
        return false;
    for (size_t i = 0; i < m->wide_cap; i++)
        if (m->wide[i].number != 0)
            *wide_find(&grown, m->wide[i].id) = m->wide[i];
    xfree(m->wide);
    *m = grown;
    return true;
}

/* The number that stands for an id: itself, or for a wide one the next from the top. The largest 32-bit word
 * means "no token" to the tree and is wide, too. */
static int id_number(struct mooncake *m, json_int_t id, uint32_t *out, struct err *e)
{
    if (id < UINT32_MAX) {
        *out = (uint32_t)id;
        m->greatest = *out > m->greatest ? *out : m->greatest;
    } else {
        if (!wide_room(m))
            return err_memory(e, m->wide_cap * 32, "the wide hash ids of a trace");
        struct wide_id *w = wide_find(m, (uint64_t)id);
        if (w->number == 0)
            *w = (struct wide_id){(uint64_t)id, UINT32_MAX - ++m->wide_n};
        *out = w->number;
    }
    if (m->wide_n > 0 && m->greatest >= UINT32_MAX - m->wide_n)
        return bad_field(m, "hash_ids", "has too many different ids of more than 32 bits beside such of almost 32", e);
    return 0;
}

static int get_ids(struct mooncake *m, const json_t *o, struct mooncake_request *out, struct err *e)
{
    const json_t *list = json_object_get(o, "hash_ids");
    if (list == NULL)
        return no_prefixes(m, e);
    size_t n = json_array_size(list);
    void *ids = m->ids;
    if (!json_is_array(list))
        return bad_field(m, "hash_ids", "should be a list", e);
    if (!xgrow(&ids, &m->ids_cap, n, sizeof *m->ids))
        return err_memory(e, n * sizeof *m->ids, "a request's hash ids");
    m->ids = ids;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return bad_field(m, "hash_ids", "should hold whole numbers from 0 alone", e);
        if (id_number(m, json_integer_value(v), &m->ids[i], e) != 0)
            return -1;
    }
    out->ids = m->ids;
    out->n = (uint32_t)n;
    return 0;
}

/* ---- a line ---------------------------------------------------------------------------------------------- */

/* The first request says what kind of trace it is; a "block_size" counts unless the caller has said one. */
static int learn_kind(struct mooncake *m, const json_t *o, struct err *e)
{
    int64_t block = 0;
    enum mooncake_kind kind = json_object_get(o, "chat_id") != NULL ? MOONCAKE_BAILIAN : MOONCAKE_PLAIN;
    if (m->begun && kind != m->kind)
        return bad_field(m, "chat_id", kind == MOONCAKE_BAILIAN ? "is new: the lines before have none"
                                                                : "is missing: the lines before have one", e);
    if (json_object_get(o, "block_size") != NULL && get_int(m, o, "block_size", 1, BLOCK_MOST, &block, e) != 0)
        return -1;
    if (!m->begun) {
        m->block = m->asked != 0 ? m->asked : block != 0 ? (uint32_t)block
                   : kind == MOONCAKE_BAILIAN ? BAILIAN_BLOCK : MOONCAKE_BLOCK;
        m->kind = kind;
    } else if (block != 0 && block != m->block && m->asked == 0)
        return bad_field(m, "block_size", "differs from the lines before", e);
    return 0;
}

static int get_chat(const struct mooncake *m, const json_t *o, struct mooncake_request *out, struct err *e)
{
    int64_t turn = 0;
    out->chat = out->parent = -1;
    out->turn = 0;
    if (m->kind != MOONCAKE_BAILIAN)
        return 0;
    if (get_int(m, o, "chat_id", 0, INT64_MAX, &out->chat, e) != 0 ||
        get_int(m, o, "parent_chat_id", -1, INT64_MAX, &out->parent, e) != 0 ||
        get_int(m, o, "turn", 0, INT32_MAX, &turn, e) != 0)
        return -1;
    out->turn = (uint32_t)turn;
    return 0;
}

static int check_count(const struct mooncake *m, const struct mooncake_request *r, struct err *e)
{
    uint64_t want = ((uint64_t)r->input_length + m->block - 1) / m->block;
    char reason[160];
    if (want == r->n)
        return 0;
    snprintf(reason, sizeof reason, "has %u ids where %u tokens in blocks of %u make %llu", r->n, r->input_length,
             m->block, (unsigned long long)want);
    bad_field(m, "hash_ids", reason, e);
    return err_hint(e, "--block says how many tokens a block has");
}

static int read_object(struct mooncake *m, const json_t *o, struct mooncake_request *out, struct err *e)
{
    if (learn_kind(m, o, e) != 0 || get_number(m, o, "timestamp", &out->ms, e) != 0 ||
        get_length(m, o, "input_length", &out->input_length, e) != 0 ||
        get_length(m, o, "output_length", &out->output_length, e) != 0 || get_ids(m, o, out, e) != 0 ||
        get_chat(m, o, out, e) != 0 || check_count(m, out, e) != 0)
        return -1;
    if (m->kind == MOONCAKE_BAILIAN)
        out->ms *= 1000;
    m->begun = true;
    return 1;
}

int mooncake_next(struct mooncake *m, struct mooncake_request *out, struct err *e)
{
    char *line;
    size_t len;
    int rc;
    do {
        rc = lines_next(m->lines, &line, &len, e);
        if (rc == 0 && !m->begun)
            return err_set(e, "%s: there is no request in it", lines_name(m->lines));
        if (rc <= 0)
            return rc;
    } while (strspn(line, " \t\r") == len);
    json_error_t why = {.column = 1, .text = "it is a value of another kind"};
    json_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
    rc = json_is_object(o) ? read_object(m, o, out, e) : not_json(m, line, &why, e);
    json_decref(o);
    return rc;
}
