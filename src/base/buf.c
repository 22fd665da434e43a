#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

static bool buf_room(struct buf *b, size_t more)
{
    void *data = b->data;
    if (b->failed || !xgrow(&data, &b->cap, b->len + more + 1, 1)) {
        b->failed = true;
        return false;
    }
    b->data = data;
    return true;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (!buf_room(b, n))
        return;
    if (n > 0)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_putc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n >= 0 && buf_room(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

static void buf_json_ascii(struct buf *b, unsigned char c)
{
    if (c == '"' || c == '\\')
        buf_printf(b, "\\%c", c);
    else if (c == '\n')
        buf_puts(b, "\\n");
    else if (c == '\t')
        buf_puts(b, "\\t");
    else if (c < 0x20 || c == 0x7f)
        buf_printf(b, "\\u%04x", c);
    else
        buf_putc(b, (char)c);
}

void buf_json(struct buf *b, const char *bytes, size_t n)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t used = utf8_decode(bytes + i, n - i, &code);
        if (code < 0x80)
            buf_json_ascii(b, (unsigned char)code);
        else if (code == UTF8_BAD)
            buf_puts(b, "\xef\xbf\xbd");
        else
            buf_add(b, bytes + i, used);
        i += used;
    }
    buf_putc(b, '"');
}

const char *buf_text(const struct buf *b)
{
    return b->data != NULL ? b->data : "";
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
    xfree(b->data);
    *b = (struct buf){0};
}

char *buf_take(struct buf *b, size_t *len)
{
    buf_add(b, "", 0); /* an empty buffer becomes an empty string */
    if (b->failed) {
        buf_free(b);
        return NULL;
    }
    char *data = b->data;
    if (len != NULL)
        *len = b->len;
    *b = (struct buf){0};
    return data;
}
