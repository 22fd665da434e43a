/* buf.h: a growing string of bytes, always followed by a NUL.
 *
 * The owner calls buf_free (or takes the bytes with buf_take). Appending to a buffer whose memory ran
 * out does nothing and leaves `failed` set, so that a long report checks once, at its end.
 */
#ifndef RADIXSCOPE_BASE_BUF_H
#define RADIXSCOPE_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
    char *data;       /* NULL while empty; read it through buf_text() */
    size_t len, cap;
    bool failed;
};

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args);
void buf_json(struct buf *b, const char *bytes, size_t n); /* quoted and escaped; bad UTF-8 becomes U+FFFD */
const char *buf_text(const struct buf *b);                 /* never NULL */
void buf_clear(struct buf *b);
void buf_free(struct buf *b);
char *buf_take(struct buf *b, size_t *len);                /* the caller frees with xfree; NULL if failed */

#endif
