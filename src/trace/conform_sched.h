/* conform_sched.h: replay recorded decisions of the real SGLang's scheduler.
 *
 * One line a case: what was inserted into an empty cache, the waiting queue, the policy; and what upstream answered:
 * the policy that was active, what it found for each request, who was held back, the order, and for each request
 * that the admission pass tried: prefix, verdict, extent, and what was left of every budget. All of it is compared,
 * and besides the free slots and the tree afterwards, but for its times and ids (upstream's clock and counter also
 * count the scratch tree of the in-batch check, which is not built here).
 */
#ifndef RADIXSCOPE_TRACE_CONFORM_SCHED_H
#define RADIXSCOPE_TRACE_CONFORM_SCHED_H

#include <jansson.h>

#include "trace/conform.h"

/* Is this first line that of a recording of the scheduler? */
bool conform_is_sched(const json_t *config);

/* Replay one case, the line-th of the file. 0: agrees, or differs and out says how; -1 and *e: no case. */
int conform_sched_case(const char *path, unsigned long line, const json_t *o, const struct conform_options *opt,
                       struct conform_result *out, struct err *e);

#endif
