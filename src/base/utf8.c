#include "base/utf8.h"

#include <utf8proc.h>

size_t utf8_decode(const char *text, size_t n, uint32_t *code)
{
    *code = UTF8_BAD;
    if (n == 0)
        return 0;
    utf8proc_int32_t decoded;
    utf8proc_ssize_t used =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &decoded);
    if (used <= 0)
        return 1;
    *code = (uint32_t)decoded;
    return (size_t)used;
}

size_t utf8_encode(uint32_t code, char out[4])
{
    if (!utf8proc_codepoint_valid((utf8proc_int32_t)code))
        return 0;
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)code, (utf8proc_uint8_t *)out);
}

int utf8_width(uint32_t code)
{
    if (code == UTF8_BAD || code < 0x20 || (code >= 0x7f && code < 0xa0))
        return 1;
    return utf8proc_charwidth((utf8proc_int32_t)code);
}

int utf8_string_width(const char *text, size_t n)
{
    int cells = 0;
    for (size_t i = 0; i < n;) {
        uint32_t code;
        i += utf8_decode(text + i, n - i, &code);
        cells += utf8_width(code);
    }
    return cells;
}
