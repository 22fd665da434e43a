/* algorithm.h: which numbered step of SGLang's algorithms a step of the tape is.
 *
 *      tape    match_prefix   walk   split_node   matched          the numbers are those of the headers
 *      label   M1             M3b    M3a          M4               src/cache/{radix,req,evict}.h
 *
 * The same event can be another step of another algorithm: a split belongs to a match (M3a) or to an insert
 * (I3). What the model, the scheduler and the pool do has no number.
 */
#ifndef RADIXSCOPE_TAPE_ALGORITHM_H
#define RADIXSCOPE_TAPE_ALGORITHM_H

#include "tape/tape.h"

/* "M3a", or "" for a step without a number. `op` is the operation that the step is part of (tape_operation),
 * the step itself where it begins one. */
const char *algorithm_step(const struct step *s, const struct step *op);

#endif
