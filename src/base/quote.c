#include "base/quote.h"

#include "base/utf8.h"

void quote_bytes(const char *bytes, size_t n, struct buf *out)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t used = utf8_decode(bytes + i, n - i, &code);
        if (code == '"' || code == '\\')
            buf_printf(out, "\\%c", (char)code);
        else if (code == '\n')
            buf_puts(out, "\\n");
        else if (code == UTF8_BAD || code < ' ' || (code >= 0x7f && code < 0xa0))
            for (size_t k = 0; k < used; k++)
                buf_printf(out, "\\x%02x", (unsigned char)bytes[i + k]);
        else
            buf_add(out, bytes + i, used);
        i += used;
    }
    buf_putc(out, '"');
}
