#include "cli/state_string.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/xalloc.h"

enum { MOST_TEXT = 1 << 24, PACK_LEVEL = 19, HEAD = 5 };

static const char MARK[] = "rx1:";
static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool rx_is(const char *text)
{
    return strncmp(text, "rx", 2) == 0 && text[2] >= '0' && text[2] <= '9' && strchr(text, ':') != NULL;
}

bool rx_keeps(enum cli_option which)
{
    bool sampling = which >= OPT_TEMPERATURE && which <= OPT_STOP;
    return which == OPT_POOL || which == OPT_PAGE || which == OPT_POLICY || which == OPT_RULES || which == OPT_FAST ||
           which == OPT_MAX || sampling;
}

int rx_log_add(struct rx_log *log, int branch, uint32_t at, const char *line, struct err *e)
{
    void *grown = log->line;
    bool room = xgrow(&grown, &log->capacity, log->count + 1, sizeof *log->line);
    log->line = grown;
    char *copy = room ? xstrdup(line) : NULL;
    if (copy == NULL)
        return err_memory(e, strlen(line), "what was typed");
    log->line[log->count++] = (struct rx_line){branch, at, copy};
    return 0;
}

void rx_log_free(struct rx_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        xfree(log->line[i].line);
    xfree(log->line);
    *log = (struct rx_log){0};
}

void rx_done(struct scene_string *s)
{
    rx_log_free(&s->log);
    for (int i = 0; i < OPT_COUNT; i++)
        xfree(s->option[i]);
    xfree(s->scene);
    xfree(s->script);
    *s = (struct scene_string){0};
}

static uint32_t checksum(const char *bytes, size_t n)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
    return (uint32_t)(h ^ h >> 32);
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static void encode(const unsigned char *bytes, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16 | (i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0) | (i + 2 < n ? bytes[i + 2] : 0);
        for (size_t k = 0; k < (n - i < 3 ? n - i : 3) + 1; k++)
            buf_putc(out, DIGITS[v >> (18 - 6 * k) & 63]);
    }
}

/* Lengths stand before what may hold any byte. */
static void write_text(const struct scene_string *s, struct buf *b)
{
    if (s->scene != NULL)
        buf_printf(b, "scene %s\n", s->scene);
    else
        buf_printf(b, "script %zu\n%s\n", strlen(s->script), s->script);
    for (int i = 0; i < OPT_COUNT; i++)
        if (s->option[i] != NULL && rx_keeps((enum cli_option)i))
            buf_printf(b, "--%s %zu %s\n", cli_option_info((enum cli_option)i)->name, strlen(s->option[i]), s->option[i]);
    for (size_t i = 0; i < s->log.count; i++)
        buf_printf(b, ":%d %u %s\n", s->log.line[i].branch, s->log.line[i].at, s->log.line[i].line);
    buf_printf(b, "at %d %u %u %d\n", s->branch, s->at, s->view, s->beside);
}

/* Checksum, form, bytes: packed where that is shorter. */
static int pack(const struct buf *text, struct buf *out, struct err *e)
{
    size_t most = ZSTD_compressBound(text->len);
    char *packed = xmalloc(most);
    if (packed == NULL)
        return err_memory(e, most, "a state string");
    size_t n = ZSTD_compress(packed, most, text->data, text->len, PACK_LEVEL);
    bool shorter = !ZSTD_isError(n) && n < text->len;
    const char *bytes = shorter ? packed : text->data;
    n = shorter ? n : text->len;
    struct buf raw = {0};
    char head[HEAD] = {0, 0, 0, 0, shorter};
    buf_add(&raw, head, sizeof head);
    buf_add(&raw, bytes, n);
    xfree(packed);
    if (!raw.failed) {
        uint32_t sum = checksum(raw.data + 4, raw.len - 4);
        for (int i = 0; i < 4; i++)
            raw.data[i] = (char)(sum >> 8 * i);
        buf_puts(out, MARK);
        encode((const unsigned char *)raw.data, raw.len, out);
    }
    bool failed = raw.failed || out->failed;
    buf_free(&raw);
    return failed ? err_memory(e, most, "a state string") : 0;
}

int rx_write(const struct scene_string *s, struct buf *out, struct err *e)
{
    struct buf text = {0};
    write_text(s, &text);
    int rc = text.failed ? err_memory(e, text.len, "a state string") : pack(&text, out, e);
    buf_free(&text);
    return rc;
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static int cut_or_changed(struct err *e)
{
    err_set(e, "this state string is cut off or a letter in it has changed: its checksum is wrong");
    return err_hint(e, "copy the whole line, from rx1: to its last letter");
}

static int decode(const char *text, struct buf *out, struct err *e)
{
    size_t n = strlen(text);
    uint32_t v = 0, bits = 0;
    for (size_t i = 0; i < n; i++) {
        const char *digit = strchr(DIGITS, text[i]);
        if (digit == NULL)
            return err_usage(e, "'%c' cannot stand in a state string (letter %zu)", text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?',
                             i + sizeof MARK);
        v = v << 6 | (uint32_t)(digit - DIGITS);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_putc(out, (char)(v >> bits));
        }
    }
    bool clean = bits < 6 && (v & ((1u << bits) - 1)) == 0; /* one form only */
    if (out->failed)
        return err_memory(e, n, "a state string");
    return clean && out->len > HEAD ? 0 : cut_or_changed(e);
}

static int unpack(const struct buf *raw, struct buf *text, struct err *e)
{
    uint32_t sum = 0;
    for (int i = 0; i < 4; i++)
        sum |= (uint32_t)(unsigned char)raw->data[i] << 8 * i;
    if (sum != checksum(raw->data + 4, raw->len - 4))
        return cut_or_changed(e);
    if (raw->data[4] == 0) {
        buf_add(text, raw->data + HEAD, raw->len - HEAD);
        return 0;
    }
    unsigned long long n = ZSTD_getFrameContentSize(raw->data + HEAD, raw->len - HEAD);
    if (raw->data[4] != 1 || n > MOST_TEXT)
        return err_set(e, "this state string makes no sense: it was not written by radixscope");
    char *bytes = xmalloc((size_t)n + 1);
    if (bytes == NULL)
        return err_memory(e, (size_t)n, "a state string");
    size_t got = ZSTD_decompress(bytes, (size_t)n, raw->data + HEAD, raw->len - HEAD);
    if (got == n)
        buf_add(text, bytes, got);
    xfree(bytes);
    return got == n ? 0 : err_set(e, "this state string cannot be unpacked");
}

/* What is still to be read. */
struct reading {
    const char *at, *end;
};

static char *take(struct reading *r, size_t n)
{
    if (n > (size_t)(r->end - r->at) || memchr(r->at, '\0', n) != NULL)
        return NULL;
    char *copy = xmalloc(n + 1);
    if (copy != NULL) {
        memcpy(copy, r->at, n);
        copy[n] = '\0';
        r->at += n;
        r->at += r->at < r->end && *r->at == '\n';
    }
    return copy;
}

static char *take_line(struct reading *r)
{
    const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
    return take(r, stop != NULL ? (size_t)(stop - r->at) : (size_t)(r->end - r->at));
}

/* A number and the byte behind it. */
static bool take_number(struct reading *r, long long *out)
{
    char digits[24];
    size_t n = 0;
    while (r->at + n < r->end && n + 1 < sizeof digits && (r->at[n] == '-' || (r->at[n] >= '0' && r->at[n] <= '9')))
        n++;
    memcpy(digits, r->at, n);
    digits[n] = '\0';
    *out = strtoll(digits, NULL, 10);
    r->at += n;
    r->at += r->at < r->end;
    return n > 0 && *out <= (long long)UINT32_MAX;
}

static bool read_option(struct reading *r, struct scene_string *s)
{
    for (int i = 0; i < OPT_COUNT; i++) {
        const char *name = cli_option_info((enum cli_option)i)->name;
        size_t n = strlen(name);
        if ((size_t)(r->end - r->at) <= n || memcmp(r->at, name, n) != 0 || r->at[n] != ' ' ||
            !rx_keeps((enum cli_option)i) || s->option[i] != NULL)
            continue;
        long long len;
        r->at += n + 1;
        return take_number(r, &len) && len >= 0 && (s->option[i] = take(r, (size_t)len)) != NULL;
    }
    return false;
}

static bool read_typed(struct reading *r, struct scene_string *s, struct err *e)
{
    long long branch, at;
    if (!take_number(r, &branch) || !take_number(r, &at) || branch < 0 || branch > 4096 || at < 0)
        return false;
    char *line = take_line(r);
    bool kept = line != NULL && rx_log_add(&s->log, (int)branch, (uint32_t)at, line, e) == 0;
    xfree(line);
    return kept;
}

static bool read_place(struct reading *r, struct scene_string *s)
{
    long long v[4];
    for (int i = 0; i < 4; i++)
        if (!take_number(r, &v[i]) || v[i] < 0)
            return false;
    s->branch = (int)(v[0] & 0xffff);
    s->at = (uint32_t)v[1];
    s->view = (uint32_t)v[2];
    s->beside = (int)(v[3] & 0xffff);
    return r->at == r->end;
}

static bool starts(struct reading *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return false;
    r->at += n;
    return true;
}

static bool read_text(struct reading *r, struct scene_string *s, struct err *e)
{
    long long n;
    if (starts(r, "scene "))
        s->scene = take_line(r);
    else if (starts(r, "script ") && take_number(r, &n) && n >= 0)
        s->script = take(r, (size_t)n);
    if (s->scene == NULL && s->script == NULL)
        return false;
    while (starts(r, "--"))
        if (!read_option(r, s))
            return false;
    while (starts(r, ":"))
        if (!read_typed(r, s, e))
            return false;
    return starts(r, "at ") && read_place(r, s);
}

int rx_read(const char *text, struct scene_string *out, struct err *e)
{
    struct buf raw = {0}, plain = {0};
    *out = (struct scene_string){0};
    if (strncmp(text, MARK, sizeof MARK - 1) != 0)
        return rx_is(text) ? err_usage(e, "this state string is of a newer radixscope (%.*s; this one reads rx1)",
                                          (int)strcspn(text, ":"), text)
                              : err_usage(e, "this is no state string: those begin with rx1:");
    int rc = decode(text + sizeof MARK - 1, &raw, e);
    if (rc == 0)
        rc = unpack(&raw, &plain, e);
    struct reading r = {buf_text(&plain), buf_text(&plain) + plain.len};
    if (rc == 0 && !read_text(&r, out, e))
        rc = e != NULL && e->set ? -1 : err_set(e, "this state string makes no sense: it was not written by radixscope");
    buf_free(&raw);
    buf_free(&plain);
    if (rc != 0)
        rx_done(out);
    return rc;
}
