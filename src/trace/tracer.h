/* tracer.h: a trace opened for the stepper: read and replayed with a tape by a thread of its own, while the steps
 * that are there are shown already.
 *
 *      file ── mooncake_next ── requests before `first`: without steps ──> one step "skipped"
 *                          └─── first … last: replay_recorded ──> tape ──> screen
 *      screen <── tracer_fd: readable ── steps were committed, or the state changed
 *
 * Made in the caller's thread: the file opens and its first request is read, so that a wrong file is an error at
 * once. From then on only the thread writes the tape. It blocks all signals.
 */
#ifndef RADIXSCOPE_TRACE_TRACER_H
#define RADIXSCOPE_TRACE_TRACER_H

#include "trace/mooncake.h"
#include "trace/replay.h"

struct tracer; /* opaque */

struct trace_options {
    uint32_t capacity;       /* REPLAY_UNLIMITED */
    uint32_t policy;         /* POLICY_COUNT: Belady's choice, for which the whole trace is read first */
    uint32_t block;          /* tokens of a block; 0: the trace's own */
    uint64_t first, last;    /* requests to show, from 1; 0: from the beginning, to the end */
    size_t history_limit;    /* bytes; 0: none */
};

struct tracer_status {
    bool running, failed, cancelled;
    struct err failure;      /* when failed */
    uint64_t requests;       /* played so far, those without steps too */
    uint64_t first;          /* the first one with steps */
    uint64_t bytes, size;    /* of the file; size 0: unknown */
    uint32_t block;
};

/* Nothing is replayed before tracer_start. NULL and *e. */
struct tracer *tracer_new(const char *path, const struct trace_options *o, struct err *e);
int tracer_start(struct tracer *t, struct err *e);
/* Cancels and frees. The tape goes with it. */
void tracer_free(struct tracer *t);

struct tape *tracer_tape(const struct tracer *t);
void tracer_cancel(struct tracer *t);
void tracer_wait(struct tracer *t);                 /* until it has ended */
void tracer_get_status(struct tracer *t, struct tracer_status *out);
int tracer_fd(const struct tracer *t);
void tracer_drain(struct tracer *t);
/* The hash id that a token of the tape stands for: itself, but where Belady chooses (replay_foresee). */
uint32_t tracer_id(const struct tracer *t, uint32_t token);
const char *tracer_note(const struct tracer *t);    /* what a token is here, and whose rule it is */

/* "17-60", "17-", "17": requests of a trace. -1 and *e (a usage error). */
int trace_range_parse(const char *text, uint64_t *first, uint64_t *last, struct err *e);

#endif
