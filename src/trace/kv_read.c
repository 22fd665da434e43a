/* kv_read.c: KV events out of JSONL and msgpack. Both become JSON values first, so that one decoder checks them. */
#include <jansson.h>
#include <msgpack.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "trace/kv_log.h"
#include "trace/msgpack_size.h"

/* "FILE: line 3, event 0: field "block_hashes": reason". */
static int bad(struct kv_reader *r, const char *field, const char *reason)
{
    char where[32] = "";
    if (r->event >= 0)
        snprintf(where, sizeof where, ", event %d", r->event);
    return err_set(r->e, "%.200s: %s %u%s: field \"%s\": %s", r->name, r->text ? "line" : "value", r->record, where, field,
                   reason);
}

static int no_memory(struct kv_reader *r)
{
    return err_memory(r->e, r->log->tokens * 4, "KV events");
}

/* ---- values --------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool hash_of_hex(const char *text, size_t n, struct kv_hash *out)
{
    if (n == 0 || n % 2 != 0 || n / 2 > KV_HASH_BYTES)
        return false;
    for (size_t i = 0; i < n / 2; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->byte[i] = (uint8_t)(high << 4 | low);
    }
    out->len = (uint8_t)(n / 2);
    return true;
}

/* A number too large for JSON's reader comes as decimal text; bytes come as hexadecimal text. */
static bool hash_of_text(const char *text, struct kv_hash *out)
{
    size_t n = strlen(text);
    bool prefixed = n > 2 && text[0] == '0' && text[1] == 'x';
    if (prefixed || n == 16 || n == 32 || n == 40 || n == 64)
        return hash_of_hex(text + 2 * prefixed, n - 2 * prefixed, out);
    uint64_t id = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || id > (UINT64_MAX - (uint64_t)(text[i] - '0')) / 10)
            return false;
        id = id * 10 + (uint64_t)(text[i] - '0');
    }
    *out = kv_hash_of_id((int64_t)id);
    return n > 0;
}

static int get_hash(struct kv_reader *r, const json_t *v, const char *field, uint32_t *number)
{
    struct kv_hash h = {0};
    if (json_is_integer(v))
        h = kv_hash_of_id(json_integer_value(v));
    else if (!json_is_string(v) || !hash_of_text(json_string_value(v), &h))
        return bad(r, field, "a block's hash is a 64-bit number or up to 32 bytes");
    *number = kv_hash_number(r->log, &h);
    return *number == KV_NONE ? no_memory(r) : 0;
}

static int get_hashes(struct kv_reader *r, const json_t *v, struct kv_event *ev)
{
    if (!json_is_array(v) || json_array_size(v) == 0)
        return bad(r, "block_hashes", "a list of at least one hash is needed");
    for (size_t i = 0; i < json_array_size(v); i++) {
        uint32_t number;
        if (get_hash(r, json_array_get(v, i), "block_hashes", &number) != 0)
            return -1;
        if (!kv_log_add_hash(r->log, ev, number))
            return no_memory(r);
    }
    return 0;
}

static int get_tokens(struct kv_reader *r, const json_t *v, struct kv_event *ev)
{
    if (!json_is_array(v))
        return bad(r, "token_ids", "a list of token ids is needed");
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *t = json_array_get(v, i);
        if (json_is_array(t))
            return bad(r, "token_ids", "pairs of tokens (bigram mode of EAGLE) have a tree that cannot be shown here");
        if (!json_is_integer(t) || json_integer_value(t) < 0 || json_integer_value(t) >= UINT32_MAX)
            return bad(r, "token_ids", "a token id is a whole number from 0 to 4294967294");
        if (!kv_log_add_token(r->log, ev, (uint32_t)json_integer_value(t)))
            return no_memory(r);
    }
    return 0;
}

static int get_medium(struct kv_reader *r, const json_t *v, struct kv_event *ev)
{
    if (v == NULL || json_is_null(v))
        return 0;
    if (!json_is_string(v))
        return bad(r, "medium", "GPU, CPU_PINNED, DISK or EXTERNAL, or nothing");
    ev->elsewhere = strcmp(json_string_value(v), "GPU") != 0;
    return 0;
}

static int get_lora(struct kv_reader *r, const json_t *v, struct kv_event *ev)
{
    if (v == NULL || json_is_null(v))
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) >= INT32_MAX)
        return bad(r, "lora_id", "a whole number, or null");
    ev->lora = (uint32_t)json_integer_value(v) + 1;
    return 0;
}

/* ---- one event ------------------------------------------------------------------------------------------ */

/* A field by its name in an object, by its place in an array. */
static const json_t *field(const json_t *v, const char *name, size_t place)
{
    return json_is_object(v) ? json_object_get(v, name) : json_array_get(v, place);
}

static int check_stored(struct kv_reader *r, const json_t *v, const struct kv_event *ev)
{
    const json_t *size = field(v, "block_size", 4);
    if (!json_is_integer(size) || json_integer_value(size) <= 0 || json_integer_value(size) > 1 << 20)
        return bad(r, "block_size", "a whole number from 1 to 1048576 is needed");
    uint32_t units = (uint32_t)json_integer_value(size);
    if (ev->tokens != (uint64_t)units * ev->hashes)
        return bad(r, "token_ids", "as many as block_size times the hashes are needed");
    if (!ev->elsewhere && r->log->block_size != 0 && r->log->block_size != units)
        return bad(r, "block_size", "another one than before: blocks of one size make a tree");
    if (!ev->elsewhere)
        r->log->block_size = units;
    return 0;
}

static int read_stored(struct kv_reader *r, const json_t *v, struct kv_event *ev)
{
    const json_t *parent = field(v, "parent_block_hash", 2);
    if (get_hashes(r, field(v, "block_hashes", 1), ev) != 0)
        return -1;
    if (parent != NULL && !json_is_null(parent) && get_hash(r, parent, "parent_block_hash", &ev->parent) != 0)
        return -1;
    if (get_tokens(r, field(v, "token_ids", 3), ev) != 0 || get_lora(r, field(v, "lora_id", 5), ev) != 0 ||
        get_medium(r, field(v, "medium", 6), ev) != 0)
        return -1;
    return check_stored(r, v, ev);
}

static int read_event(struct kv_reader *r, const json_t *v, double ts)
{
    static const char *const NAMES[] = {"BlockStored", "BlockRemoved", "AllBlocksCleared"};
    const char *type = json_string_value(field(v, "type", 0));
    int k = 0;
    while (type != NULL && k < 3 && strcmp(type, NAMES[k]) != 0)
        k++;
    if (type == NULL || k == 3)
        return bad(r, "type", "BlockStored, BlockRemoved or AllBlocksCleared");
    struct kv_event *ev = kv_log_add(r->log, (enum kv_type)k);
    if (ev == NULL)
        return no_memory(r);
    ev->record = r->record;
    ev->ts = ts;
    if (ev->type == KV_STORED)
        return read_stored(r, v, ev);
    if (ev->type == KV_REMOVED && (get_hashes(r, field(v, "block_hashes", 1), ev) != 0 ||
                                   get_medium(r, field(v, "medium", 2), ev) != 0))
        return -1;
    return 0;
}

/* ---- batches -------------------------------------------------------------------------------------------- */

static int note_seq(struct kv_reader *r, int64_t seq)
{
    struct kv_log *log = r->log;
    if (seq < 0)
        return bad(r, "seq", "a whole number from 0");
    if (log->seq < 0)
        log->first_seq = seq;
    else if (seq != log->seq + 1) {
        struct kv_event *gap = kv_log_add(log, KV_GAP);
        if (gap == NULL)
            return no_memory(r);
        gap->record = r->record;
        gap->from = log->seq + 1;
        gap->to = seq - 1;
        log->batches++;
    }
    log->seq = seq;
    return 0;
}

static int note_rank(struct kv_reader *r, const json_t *v)
{
    if (v == NULL || json_is_null(v))
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return bad(r, "attn_dp_rank", "a whole number, or null");
    if (r->log->rank >= 0 && r->log->rank != json_integer_value(v))
        return bad(r, "attn_dp_rank", "another rank than before: every rank has a cache of its own, give one a file");
    r->log->rank = json_integer_value(v);
    return 0;
}

static int read_events(struct kv_reader *r, const json_t *ts, const json_t *events, const json_t *rank)
{
    if (ts != NULL && !json_is_null(ts) && !json_is_number(ts))
        return bad(r, "ts", "a number of seconds");
    if (!json_is_array(events))
        return bad(r, "events", "a list is needed");
    if (note_rank(r, rank) != 0)
        return -1;
    for (size_t i = 0; i < json_array_size(events); i++) {
        r->event = (int)i;
        if (read_event(r, json_array_get(events, i), json_number_value(ts)) != 0)
            return -1;
    }
    r->event = -1;
    r->log->batches++;
    return 0;
}

/* A batch's events are its second member, and each of them is a list or an object. */
static bool is_batch(const json_t *v)
{
    const json_t *events = json_array_get(v, 1);
    return json_is_array(events) && (json_array_size(events) == 0 || !json_is_number(json_array_get(events, 0)));
}

static int read_array(struct kv_reader *r, const json_t *v)
{
    if (json_is_string(json_array_get(v, 0)) && !json_is_integer(json_array_get(v, 1))) { /* one event */
        r->event = 0;
        int rc = read_event(r, v, 0);
        r->event = -1;
        r->log->batches++;
        return rc;
    }
    if (is_batch(v))
        return read_events(r, json_array_get(v, 0), json_array_get(v, 1), json_array_get(v, 2));
    size_t n = json_array_size(v);
    const json_t *seq = n >= 2 ? json_array_get(v, n - 2) : NULL, *batch = n >= 2 ? json_array_get(v, n - 1) : NULL;
    if (!json_is_integer(seq) || !is_batch(batch))
        return bad(r, "events", "neither [ts, [event, …]] nor [seq, [ts, [event, …]]]");
    if (note_seq(r, json_integer_value(seq)) != 0)
        return -1;
    return read_events(r, json_array_get(batch, 0), json_array_get(batch, 1), json_array_get(batch, 2));
}

static int read_object(struct kv_reader *r, const json_t *v)
{
    const json_t *seq = json_object_get(v, "seq"), *rank = json_object_get(v, "attn_dp_rank");
    if (seq != NULL && !json_is_integer(seq))
        return bad(r, "seq", "a whole number from 0");
    if (seq != NULL && note_seq(r, json_integer_value(seq)) != 0)
        return -1;
    if (rank == NULL)
        rank = json_object_get(v, "data_parallel_rank");
    if (json_object_get(v, "events") != NULL)
        return read_events(r, json_object_get(v, "ts"), json_object_get(v, "events"), rank);
    int rc = note_rank(r, rank);
    r->log->batches++;
    return rc != 0 ? rc : read_event(r, v, json_number_value(json_object_get(v, "ts")));
}

static int read_record(struct kv_reader *r, const json_t *v)
{
    r->event = -1;
    if (json_is_array(v))
        return read_array(r, v);
    return json_is_object(v) ? read_object(r, v) : bad(r, "events", "a record is a list or an object");
}

/* ---- JSONL ---------------------------------------------------------------------------------------------- */

/* Leading bytes of (n) that are among `set`: there need not be a NUL behind them. */
static size_t span(const char *bytes, size_t n, const char *set)
{
    size_t i = 0;
    while (i < n && bytes[i] != '\0' && strchr(set, bytes[i]) != NULL)
        i++;
    return i;
}

/* One line, with quotes around whole numbers of 19 digits and more: hashes go to 2^64, JSON's reader to 2^63. */
static void quote_large(const char *line, size_t len, struct buf *out)
{
    bool text = false;
    for (size_t i = 0; i < len;) {
        size_t n = text ? 0 : span(line + i, len - i, "0123456789");
        bool large = n >= 19 && (i == 0 || strchr("-.eE+", line[i - 1]) == NULL) &&
                     (i + n == len || strchr(".eE", line[i + n]) == NULL);
        buf_puts(out, large ? "\"" : "");
        buf_add(out, line + i, n > 0 ? n : 1);
        buf_puts(out, large ? "\"" : "");
        if (n == 0 && text && line[i] == '\\' && i + 1 < len)
            buf_putc(out, line[++i]);
        else if (n == 0 && line[i] == '"')
            text = !text;
        i += n > 0 ? n : 1;
    }
}

static int read_line(struct kv_reader *r, const char *line, size_t len)
{
    json_error_t why;
    struct buf b = {0};
    quote_large(line, len, &b);
    json_t *v = b.failed ? NULL : json_loadb(b.data, b.len, 0, &why);
    int rc;
    if (b.failed)
        rc = no_memory(r);
    else if (v == NULL)
        rc = err_set(r->e, "%.200s: line %u is no JSON: %.120s (column %d)", r->name, r->record, why.text, why.column);
    else
        rc = read_record(r, v);
    json_decref(v);
    buf_free(&b);
    return rc;
}

int kv_reader_line(struct kv_reader *r, const char *line, size_t len, struct err *e)
{
    r->e = e;
    r->record++;
    return span(line, len, " \t\r") < len ? read_line(r, line, len) : 0;
}

static int read_lines(struct kv_reader *r, const char *bytes, size_t len, struct err *e)
{
    for (size_t at = 0; at < len;) {
        const char *end = memchr(bytes + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - bytes) - at : len - at;
        if (kv_reader_line(r, bytes + at, n, e) != 0)
            return -1;
        at += n + 1;
    }
    return 0;
}

/* ---- msgpack -------------------------------------------------------------------------------------------- */

static json_t *hex_value(const char *bytes, size_t n)
{
    struct buf b = {0};
    buf_puts(&b, "0x");
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%02x", (unsigned char)bytes[i]);
    json_t *v = b.failed ? NULL : json_string(buf_text(&b));
    buf_free(&b);
    return v;
}

static json_t *value_of(const msgpack_object *o);

static json_t *list_of(const msgpack_object_array *a)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < a->size; i++)
        if (json_array_append_new(list, value_of(&a->ptr[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *object_of(const msgpack_object_map *m)
{
    json_t *object = json_object();
    for (uint32_t i = 0; object != NULL && i < m->size; i++) {
        const msgpack_object *key = &m->ptr[i].key;
        json_t *name = key->type == MSGPACK_OBJECT_STR ? json_stringn(key->via.str.ptr, key->via.str.size) : NULL;
        json_t *v = value_of(&m->ptr[i].val);
        int rc = name == NULL || v == NULL ? -1 : json_object_set(object, json_string_value(name), v);
        json_decref(name);
        json_decref(v);
        if (rc != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* NULL: no memory, or nothing that JSON can say. */
static json_t *value_of(const msgpack_object *o)
{
    char large[24];
    switch (o->type) {
    case MSGPACK_OBJECT_NIL: return json_null();
    case MSGPACK_OBJECT_BOOLEAN: return json_boolean(o->via.boolean);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: return json_integer(o->via.i64);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (o->via.u64 <= INT64_MAX)
            return json_integer((json_int_t)o->via.u64);
        snprintf(large, sizeof large, "%" PRIu64, o->via.u64);
        return json_string(large);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: return json_real(o->via.f64);
    case MSGPACK_OBJECT_STR: return json_stringn(o->via.str.ptr, o->via.str.size);
    case MSGPACK_OBJECT_BIN: return hex_value(o->via.bin.ptr, o->via.bin.size);
    case MSGPACK_OBJECT_ARRAY: return list_of(&o->via.array);
    case MSGPACK_OBJECT_MAP: return object_of(&o->via.map);
    default: return NULL;
    }
}

static int damaged(struct kv_reader *r)
{
    return err_set(r->e, "%.200s: value %u (byte %" PRIu64 ") is damaged or cut off, or no msgpack", r->name, r->record, r->byte);
}

/* One packed value of `size` bytes as JSON. */
static json_t *unpack(struct kv_reader *r, const char *bytes, size_t size)
{
    msgpack_unpacked u;
    msgpack_unpacked_init(&u);
    json_t *v = NULL;
    if (size > 0 && msgpack_unpack_next(&u, bytes, size, NULL) == MSGPACK_UNPACK_SUCCESS)
        v = value_of(&u.data);
    msgpack_unpacked_destroy(&u);
    if (v == NULL)
        damaged(r);
    return v;
}

static size_t unhex(const char *text, char *out)
{
    size_t n = strlen(text) / 2 - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)((unsigned)hex_digit(text[2 * i + 2]) << 4 | (unsigned)hex_digit(text[2 * i + 3]));
    return n;
}

static bool is_bytes(const json_t *v)
{
    return json_is_string(v) && strncmp(json_string_value(v), "0x", 2) == 0 && json_string_length(v) % 2 == 0;
}

/* The frames of a ZMQ message, [topic, seq as 8 bytes, packed batch]: the last two as values. */
static int open_frames(struct kv_reader *r, json_t *v)
{
    size_t n = json_array_size(v);
    bool cut;
    const json_t *seq = n >= 2 ? json_array_get(v, n - 2) : NULL, *packed = n >= 2 ? json_array_get(v, n - 1) : NULL;
    if (!is_bytes(packed) || n > 3)
        return 0;
    char *bytes = xmalloc(json_string_length(packed));
    if (bytes == NULL)
        return no_memory(r);
    size_t len = unhex(json_string_value(packed), bytes);
    json_t *batch = unpack(r, bytes, msgpack_size(bytes, len, &cut));
    xfree(bytes);
    if (batch == NULL || json_array_set_new(v, n - 1, batch) != 0)
        return -1;
    if (is_bytes(seq) && json_string_length(seq) == 18)
        json_array_set_new(v, n - 2, json_integer((json_int_t)strtoull(json_string_value(seq), NULL, 16)));
    return 0;
}

int kv_reader_value(struct kv_reader *r, const char *bytes, size_t len, bool more, size_t *used, struct err *e)
{
    bool cut;
    r->e = e;
    *used = msgpack_size(bytes, len, &cut);
    if (*used == 0 && cut && more)
        return 0;
    r->record++;
    json_t *v = unpack(r, bytes, *used);
    int rc = v == NULL || (json_is_array(v) && open_frames(r, v) != 0) ? -1 : read_record(r, v);
    json_decref(v);
    r->byte += *used;
    return rc;
}

static int read_values(struct kv_reader *r, const char *bytes, size_t len, struct err *e)
{
    size_t used;
    for (size_t at = 0; at < len; at += used)
        if (kv_reader_value(r, bytes + at, len - at, false, &used, e) != 0)
            return -1;
    return 0;
}

bool kv_is_text(const char *bytes, size_t len)
{
    size_t blank = 0;
    while (blank < len && strchr(" \t\r\n", bytes[blank]) != NULL && bytes[blank] != '\0')
        blank++;
    return blank < len && (bytes[blank] == '{' || bytes[blank] == '[');
}

void kv_reader_begin(struct kv_reader *r, const char *name, bool text, struct kv_log *log)
{
    *log = (struct kv_log){.seq = -1, .first_seq = -1, .rank = -1};
    *r = (struct kv_reader){.name = name, .text = text, .log = log, .event = -1};
}

int kv_log_parse(const char *name, const char *bytes, size_t len, struct kv_log *out, struct err *e)
{
    struct kv_reader r;
    kv_reader_begin(&r, name, kv_is_text(bytes, len), out);
    int rc = (r.text ? read_lines : read_values)(&r, bytes, len, e);
    out->records = r.record;
    if (rc == 0 && out->events == 0)
        rc = err_set(e, "%.200s holds no KV events", name);
    return rc;
}
