#include "trace/stream.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/xalloc.h"
#include "trace/conversations.h"
#include "trace/kv_import.h"

struct stream {
    struct lines *lines;           /* owned */
    enum foreign_format format;
    struct stream_options o;
    uint32_t pool;
    struct kv_log log;             /* its events are played and forgotten; its hashes and tokens stay */
    struct kv_reader reader;
    struct kv_tree *tree;          /* owned; NULL: conversations */
    struct kv_summary sum;
    struct talks *talks;           /* owned; NULL: KV events */
    struct buf text;               /* head and every script so far */
    char *head;                    /* owned */
    size_t given;                  /* text up to here is a script's already */
    struct script *ready;          /* the first one, if it was made to see whether there is one */
    bool over;                     /* nothing more is read */
    struct err failure;            /* why, if not for the file's end */
    atomic_bool ended, stopped;
    _Atomic uint64_t done, bytes;
};

/* ---- KV events -------------------------------------------------------------------------------------------- */

/* As kv_reader_line: 1, or 0 at the end. */
static int read_value(struct stream *s, struct err *e)
{
    char *bytes;
    size_t n = 0, used = 0, least = 1;
    do {
        if (lines_peek(s->lines, least, &bytes, &n, e) != 0)
            return -1;
        if (n == 0)
            return 0;
        if (kv_reader_value(&s->reader, bytes, n, n >= least, &used, e) != 0)
            return -1;
        least = 2 * n;
    } while (used == 0);
    lines_take(s->lines, used);
    return 1;
}

/* One more record into the log. 0: the file has ended. */
static int read_record(struct stream *s, struct err *e)
{
    char *line;
    size_t n;
    if (!s->reader.text)
        return read_value(s, e);
    int rc = lines_next(s->lines, &line, &n, e);
    return rc == 1 && kv_reader_line(&s->reader, line, n, e) != 0 ? -1 : rc;
}

static int check_room(const struct stream *s, struct err *e)
{
    if (s->o.pool != 0 || (uint64_t)s->sum.now * s->log.block_size <= s->pool)
        return 0;
    err_set(e, "%.200s: %s %u: the tree holds more than the %u tokens of the pool", lines_name(s->lines),
            s->reader.text ? "line" : "value", s->reader.record, s->pool);
    return err_hint(e, "--pool SLOTS says how many it shall have");
}

/* What the log has is the tree's; then it is forgotten. */
static int play_events(struct stream *s, struct err *e)
{
    struct err inner = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->log.events; i++)
        rc = kv_tree_event(s->tree, &s->log.event[i], &inner);
    s->log.events = s->log.lists = 0;
    return rc == 0 ? check_room(s, e) : err_set(e, "%.200s: %.280s", lines_name(s->lines), inner.what);
}

static int read_kv(struct stream *s, struct err *e)
{
    int rc = read_record(s, e);
    if (rc == 1 && play_events(s, e) != 0)
        rc = -1;
    struct err inner = {0};
    if (rc != 1 && kv_tree_end(s->tree, &inner) != 0 && rc == 0) { /* what waited is from before */
        *e = inner;
        rc = -1;
    }
    return rc;
}

/* The block size is a setting: it must be known. */
static int open_kv(struct stream *s, struct err *e)
{
    char *bytes;
    size_t n;
    int rc = 1;
    if (lines_first(s->lines, &bytes, &n, e) != 0)
        return -1;
    kv_reader_begin(&s->reader, lines_name(s->lines), kv_is_text(bytes, n), &s->log);
    while (rc == 1 && s->log.block_size == 0)
        rc = read_record(s, e);
    if (rc == 0 && s->log.events == 0)
        return err_set(e, "%.200s holds no KV events", lines_name(s->lines));
    if (rc == 0)
        return err_set(e, "%.200s: nothing is stored in it: without BlockStored events there is no tree", lines_name(s->lines));
    s->tree = rc == 1 ? kv_tree_new(&s->log, KV_AS_RECORDED, &s->text, &s->sum, e) : NULL;
    return s->tree != NULL ? 0 : -1;
}

/* ---- conversations ---------------------------------------------------------------------------------------- */

static int read_request(struct stream *s, struct err *e)
{
    char *line;
    size_t n;
    int rc = talks_request(s->talks, &s->text, e);
    if (rc != 0)
        return rc;
    rc = lines_next(s->lines, &line, &n, e);
    return rc == 1 && talks_line(s->talks, line, n, e) != 0 ? -1 : rc;
}

/* ---- scripts ---------------------------------------------------------------------------------------------- */

static bool is_kv(const struct stream *s)
{
    return s->format == FOREIGN_KV_EVENTS;
}

static uint64_t records(const struct stream *s)
{
    return is_kv(s) ? s->reader.record : talks_summary(s->talks)->requests;
}

/* Until there is text for a script; 0 at the end. */
static int read_on(struct stream *s, struct err *e)
{
    while (!s->over && s->text.len == s->given && !atomic_load(&s->stopped)) {
        int rc = is_kv(s) ? read_kv(s, &s->failure) : read_request(s, &s->failure);
        s->over = rc != 1;
        atomic_store(&s->bytes, lines_taken(s->lines));
    }
    return s->text.failed ? err_memory(e, s->text.len, "a script") : s->text.len > s->given;
}

/* The commands of the text that is new. Errors tell the line of the file. */
static struct script *take_text(struct stream *s, struct err *e)
{
    size_t line = is_kv(s) ? s->reader.record : talks_line_number(s->talks);
    struct script *made = script_parse(lines_name(s->lines), s->text.data + s->given, s->text.len - s->given, 1, e);
    for (uint32_t i = 0; made != NULL && i < made->count; i++)
        made->command[i].line = (uint32_t)line;
    s->given = s->text.len;
    return made;
}

/* Nothing more comes; what was read and not given is no part of the text. */
static struct script *end_here(struct stream *s)
{
    s->text.len = s->given;
    if (s->text.data != NULL)
        s->text.data[s->given] = '\0';
    atomic_store(&s->ended, true);
    return NULL;
}

struct script *stream_next(void *stream, struct err *e)
{
    struct stream *s = stream;
    struct script *made = s->ready;
    s->ready = NULL;
    if (made != NULL)
        return made;
    int rc = read_on(s, e);
    if (atomic_load(&s->stopped))
        return end_here(s);
    if (rc == 0 && s->failure.set)
        *e = s->failure;
    made = rc == 1 ? take_text(s, e) : NULL;
    return made != NULL ? made : end_here(s);
}

void stream_done(void *stream)
{
    struct stream *s = stream;
    atomic_store(&s->done, records(s));
}

void stream_stop(void *stream)
{
    struct stream *s = stream;
    atomic_store(&s->stopped, true);
    lines_stop(s->lines);
}

/* ---- making ----------------------------------------------------------------------------------------------- */

/* Every token takes two bytes of JSON at least, one of msgpack. A text has no more tokens than bytes, and is answered with
 * as many once more. */
static uint32_t roomy_pool(const struct stream *s)
{
    uint64_t values = lines_values(s->lines), most = !is_kv(s) ? values * 4 : s->reader.text ? values : values * 2;
    uint64_t page = is_kv(s) ? s->log.block_size : 1;
    uint64_t limit = s->o.most != 0 ? s->o.most : STREAM_POOL;
    most = values == 0 || most + 4096 > limit ? limit : most + 4096;
    return (uint32_t)((most + page - 1) / page * page);
}

static void write_head(struct stream *s)
{
    const char *path = lines_name(s->lines), *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    if (is_kv(s)) {
        kv_script_head(&s->log, name, s->pool, "", &s->text);
        return;
    }
    buf_puts(&s->text, "title ");
    script_quote(name, strlen(name), &s->text);
    buf_printf(&s->text, "\npool %u\npage 1\n", s->pool);
}

struct stream *stream_new(struct lines *l, enum foreign_format format, const struct stream_options *o, struct err *e)
{
    struct stream *s = xcalloc(1, sizeof *s);
    if (s == NULL) {
        lines_close(l);
        err_memory(e, sizeof *s, "a recording");
        return NULL;
    }
    s->lines = l;
    s->format = format;
    s->o = *o;
    char *bytes;
    size_t n;
    int rc = is_kv(s) ? open_kv(s, e) : lines_first(l, &bytes, &n, e);
    if (rc == 0) {
        s->pool = o->pool != 0 ? o->pool : roomy_pool(s);
        write_head(s);
    }
    if (rc == 0 && (s->text.failed || (s->head = xstrdup(buf_text(&s->text))) == NULL))
        rc = err_memory(e, s->text.len, "a recording");
    s->given = s->text.len;
    if (rc == 0 && is_kv(s))
        rc = play_events(s, e);
    if (rc == 0)
        return s;
    stream_free(s);
    return NULL;
}

void stream_free(struct stream *s)
{
    if (s == NULL)
        return;
    script_free(s->ready);
    kv_tree_free(s->tree);
    kv_log_free(&s->log);
    talks_free(s->talks);
    lines_close(s->lines);
    buf_free(&s->text);
    xfree(s->head);
    xfree(s);
}

const char *stream_head(const struct stream *s)
{
    return s->head;
}

int stream_begin(struct stream *s, const struct model *m, struct err *e)
{
    struct conversations how = {.max = s->o.max, .more = ""};
    if (is_kv(s))
        return 0;
    s->talks = talks_new(lines_name(s->lines), m, &how, e);
    s->ready = s->talks != NULL ? stream_next(s, e) : NULL;
    if (s->ready != NULL || e->set)
        return s->ready != NULL ? 0 : -1;
    return err_set(e, "%.200s holds no conversations", lines_name(s->lines));
}

/* ---- everybody else --------------------------------------------------------------------------------------- */

void stream_get_status(const struct stream *s, struct stream_status *out)
{
    *out = (struct stream_status){.ended = atomic_load(&s->ended), .done = atomic_load(&s->done),
                                  .what = is_kv(s) ? "records" : "requests", .bytes = atomic_load(&s->bytes),
                                  .size = lines_size(s->lines)};
}

const char *stream_text(const struct stream *s)
{
    return buf_text(&s->text);
}
