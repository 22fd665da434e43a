/* parallel.h: a piece of work divided over a few threads that live as long as their owner.
 *
 * Waking a sleeping thread costs up to 70 microseconds: the caller divides only what takes longer. Which
 * thread does which part never changes a result here: parts write to places of their own.
 */
#ifndef RADIXSCOPE_MODEL_PARALLEL_H
#define RADIXSCOPE_MODEL_PARALLEL_H

#include <stdint.h>

#include "base/err.h"

struct parallel;

/* threads counts the caller: 2 starts one more. NULL (and *e) if threads cannot be started. */
struct parallel *parallel_new(unsigned threads, struct err *e);
void parallel_free(struct parallel *p);

/* Call part(arg, i) for every i in [0, n), on whichever thread is free; returns when all are done.
 * p may be NULL: then the caller does them in order. */
void parallel_run(struct parallel *p, uint32_t n, void (*part)(void *arg, uint32_t i), void *arg);

#endif
