/* algorithm.h: which numbered step of SGLang's algorithms a step of the tape is.
 *
 *      tape    match_prefix   walk   split_node   matched          the numbers are those of the headers
 *      label   M1             M3b    S1           M4               src/cache/{radix,req,evict}.h
 *
 * The numbers come from the event table, as those in the sentences do; of several ("S1 S2 S3") the first is the label.
 * What the model, the scheduler and the pool do has no number.
 */
#ifndef RADIXSCOPE_TAPE_ALGORITHM_H
#define RADIXSCOPE_TAPE_ALGORITHM_H

#include "tape/tape.h"

enum { ALGORITHM_LABEL = 8 };

/* "M3b", or "" for a step without a number. `op` is the operation that the step is part of (tape_operation),
 * the step itself where it begins one. */
void algorithm_step(const struct step *s, const struct step *op, char out[ALGORITHM_LABEL]);

#endif
