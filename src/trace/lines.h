/* lines.h: a file of text, line by line, in the memory of its longest line: plain, zstd or gzip (told by
 * its first bytes, not by its name), from a file, a FIFO or standard input ("-").
 *
 *      file ── fill ──> packed[64 K] ── zstd | gzip | as it is ──> text ── lines_next ──> line, number
 *
 * A line is good until the next call. It ends with a NUL instead of its newline; it may hold others. What is not made
 * of lines (msgpack) is peeked at and taken by bytes.
 *
 * One thread reads; any thread may stop it, also while it waits for a FIFO's next bytes.
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

/* The next bytes, at least so many unless the text ends before; nothing is given out. Good until the next call. */
int lines_peek(struct lines *l, size_t least, char **bytes, size_t *n, struct err *e);
void lines_take(struct lines *l, size_t n);          /* give out so many of them */
/* The same, as much as shows what kind of file it is: the first line, or less of what begins with no text (from 0x80). */
int lines_first(struct lines *l, char **bytes, size_t *n, struct err *e);

void lines_stop(struct lines *l);                    /* from here on every further read of the file is an error */

const char *lines_name(const struct lines *l);
unsigned long lines_number(const struct lines *l);   /* of the line given last, from 1 */
uint64_t lines_taken(const struct lines *l);         /* bytes of the file read so far, packed as it is */
uint64_t lines_values(const struct lines *l);        /* more numbers than this cannot be in it; 0: nobody knows. After
                                                        the first line */
uint64_t lines_size(const struct lines *l);          /* bytes of the whole file; 0: nobody knows */

#endif
