/* utf8.h: bytes to code points and code points to screen cells (utf8proc has the tables). */
#ifndef RADIXSCOPE_BASE_UTF8_H
#define RADIXSCOPE_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_BAD 0xffffffffu /* not a code point: a wrong, overlong, surrogate or cut-off byte */

/* Decode the code point at text (n bytes left, n > 0). Returns the bytes used (1 with *code = UTF8_BAD
 * for a byte that starts nothing valid), 0 only if n == 0. */
size_t utf8_decode(const char *text, size_t n, uint32_t *code);

/* Write code as UTF-8; returns 1..4, or 0 if it is no code point. */
size_t utf8_encode(uint32_t code, char out[4]);

/* Cells a code point takes on a terminal: 0 (combining), 1 or 2; control characters give 1, because
 * they are drawn as a stand-in. */
int utf8_width(uint32_t code);

/* Cells of a whole string; bad bytes count 1. */
int utf8_string_width(const char *text, size_t n);

#endif
