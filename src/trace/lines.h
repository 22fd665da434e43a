/* lines.h: a file of text, line by line, in the memory of its longest line: plain, zstd or gzip (told by
 * its first bytes, not by its name), from a file, a FIFO or standard input ("-").
 *
 *      file ── fill ──> packed[64 K] ── zstd | gzip | as it is ──> text ── lines_next ──> line, number
 *
 * A line is good until the next call. It ends with a NUL instead of its newline; it may hold others.
 */
#ifndef RADIXSCOPE_TRACE_LINES_H
#define RADIXSCOPE_TRACE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { LINE_LIMIT = 1 << 26 };          /* bytes of one line; a longer one is refused */

struct lines; /* opaque */

struct lines *lines_open(const char *path, struct err *e); /* NULL and *e */
struct lines *lines_of(const char *name, const char *text, size_t len, struct err *e); /* of bytes at hand: borrowed */
void lines_close(struct lines *l);

/* 1 and the next line, 0 at the end, -1 and *e (damaged, cut off, too long, no memory). */
int lines_next(struct lines *l, char **line, size_t *len, struct err *e);

const char *lines_name(const struct lines *l);
unsigned long lines_number(const struct lines *l);   /* of the line given last, from 1 */
uint64_t lines_taken(const struct lines *l);         /* bytes of the file read so far, packed as it is */
uint64_t lines_values(const struct lines *l);        /* more numbers than this cannot be in it; 0: nobody knows. After
                                                        the first line */
uint64_t lines_size(const struct lines *l);          /* bytes of the whole file; 0: nobody knows */

#endif
