/* conform.h: replay a recorded run of the real SGLang and compare everything after every operation.
 *
 * A recording is JSON lines (plain or .zst): a config, then one object an operation with its inputs and
 * with what upstream answered: match lengths and indices, returned lengths, slots freed in order, victims
 * in order, counters, the clock, KV events, and the whole tree. The first difference ends the file.
 * Recordings of the scheduler (conform_sched.h) are told by their first line.
 */
#ifndef RADIXSCOPE_TRACE_CONFORM_H
#define RADIXSCOPE_TRACE_CONFORM_H

#include <jansson.h>

#include "base/err.h"

struct cache;

struct conform_options {
    bool tape;     /* record; afterwards step back and forward over everything, checking every moment */
    bool check;    /* world_check after every operation */
};

struct conform_result {
    unsigned long ops;       /* operations compared */
    bool differs;            /* the first difference is in `what` */
    char what[1024];         /* file, line, operation, both values */
    unsigned long steps;     /* with tape: steps walked back and forward */
};

/* 0 when the file could be replayed to its end or to its first difference; -1 and *e when it is not a
 * recording of the cache, or is damaged. */
int conform_file(const char *path, const struct conform_options *opt, struct conform_result *out, struct err *e);

/* What both kinds share. The tree as recordings dump it: */
json_t *conform_tree_json(const struct cache *c, bool unified);
/* Step over branch 0 of the cache's tape, back and forward: every moment must be the same both times, and every settled
 * one in order. *steps counts them. */
int conform_walk_tape(const char *path, const struct cache *c, unsigned long *steps, struct err *e);

#endif
