/* source.h: the program's own source, for the code pane: the text of src/cache/{radix,req,evict}.{h,c} as it
 * was compiled (source.awk puts it into the program; no file is read at run time).
 *
 *      radix.h    *      M3a     fewer tokens equal than it has: …       the numbered algorithm
 *      radix.c    if (equal < NODE(child).len) { / * M3a * /             the lines that do it
 *
 * A place is found by the number in its comment, never by a line's number: that is counted. An anchor reaches
 * to the next one, or to where its block ends.
 */
#ifndef RADIXSCOPE_UI_SOURCE_H
#define RADIXSCOPE_UI_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct source_file {
    const char *path;           /* "src/cache/radix.c" */
    const char *const *line;    /* (lines) */
    int lines;
};

/* Lines first … end - 1 of a file; file NULL: there is no such place. */
struct source_part {
    const struct source_file *file;
    int first, end;
};

const struct source_file *source_file(int i); /* NULL past the end */

/* The function that does a step ("M3a"). Of several the one whose name holds `hint` ("dec_lock_ref"). */
struct source_part source_function(const char *label, const char *hint);
/* Is this line of a function one of the step's? */
bool source_does(struct source_part function, int line, const char *label);
int source_first(struct source_part function, const char *label); /* the first such line */
/* The name of the function, at most n - 1 bytes. */
void source_name(struct source_part function, char *out, size_t n);

/* The algorithm that a step belongs to: its title and its numbered lines, from the header. */
struct source_part source_algorithm(const char *label);
/* Does this line of it say the step? Its text, without the comment's star. */
bool source_says(struct source_part algorithm, int line, const char *label);
const char *source_text(struct source_part algorithm, int line);

/* Algorithm and code as text, the step's lines marked with '>': what --plain says. */
void source_tell(const char *label, const char *hint, struct buf *out);

#endif
