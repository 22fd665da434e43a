/* lesson_text.h: prose with its figures in place, as plain text. The screen draws the same pieces in colour. */
#ifndef RADIXSCOPE_LESSON_LESSON_TEXT_H
#define RADIXSCOPE_LESSON_LESSON_TEXT_H

#include "lesson/run.h"

/* Append what a piece of text or a figure shows at this moment, with the mark of its object behind it: "the shared
 * part (B)". An error of a figure is shown as "?" and told in *e. */
int span_show(const struct span *s, const struct lesson_env *env, struct buf *out, struct err *e);

/* Append the whole, wrapped at `width` cells, `indent` blanks before each line. */
int prose_show(const struct prose *p, const struct lesson_env *env, int width, int indent, struct buf *out, struct err *e);

/* The id that a node's name means ("A": 1); 0: none. */
uint32_t span_node_id(const struct span *s);

#endif
