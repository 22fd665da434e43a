/* liar.h: spot the liar: a lesson made from a seed. Three engines are given the same commands; one of them has a bug of
 * the museum, and nobody says which. Every seed is another lesson, the same everywhere.
 */
#ifndef RADIXSCOPE_LESSON_LIAR_H
#define RADIXSCOPE_LESSON_LIAR_H

#include "base/buf.h"

/* Append the lesson's file. Its blocks are north, east and west. */
void liar_write(uint64_t seed, struct buf *out);

#endif
