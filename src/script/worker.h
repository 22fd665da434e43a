/* worker.h: one thread that owns a runner and works through a queue of scripts.
 *
 *      any thread ── worker_submit ──> queue ──> worker thread ── runner ── engine ── tape
 *      screen     <── worker_fd: readable ── steps were committed, or the state changed
 *
 * The runner is made by worker_new, in the caller's thread: the tape exists at once and a cursor can be
 * put on it, while nothing has been computed. From then on only the worker's thread runs commands. The
 * worker blocks all signals, so that they reach the thread that reads keys.
 */
#ifndef RADIXSCOPE_SCRIPT_WORKER_H
#define RADIXSCOPE_SCRIPT_WORKER_H

#include "script/runner.h"

struct worker;

/* Scripts that come one after another while they run. */
struct worker_source {
    struct script *(*next)(void *ctx, struct err *e); /* asked on the worker's thread, which frees it; NULL: that was all,
                                                         or *e is set */
    void (*done)(void *ctx);                          /* on the worker's thread: its commands have run */
    void (*stop)(void *ctx);                          /* from any thread: what `next` waits for is not worth waiting for */
    void *ctx;
};

enum worker_state { WORKER_IDLE, WORKER_RUNNING, WORKER_FAILED, WORKER_CANCELLED };

struct worker_status {
    enum worker_state state;   /* FAILED and CANCELLED: of the last script, until the next begins */
    uint32_t queued;           /* scripts that wait */
    uint32_t done, commands;   /* of the present script */
    uint32_t line;             /* of the command that runs */
    const char *command;       /* its word; NULL when none runs */
    int branch;                /* the branch that is written */
    struct err failure;        /* of the last script, when FAILED */
};

/* A worker for s; nothing runs before worker_submit. The report callback of cfg is called in the worker's
 * thread. */
struct worker *worker_new(const struct script *s, const struct runner_config *cfg, struct err *e);

/* Cancels what runs, forgets what waits, ends the thread, frees the runner. */
void worker_free(struct worker *w);

/* Run a script after those that wait. Takes it (also on failure). `branch` >= 0: act from step `at` of
 * that branch; -1: from where the work stands. */
int worker_submit(struct worker *w, struct script *s, int branch, uint32_t at, struct err *e);

/* All scripts of a source, after what waits, as if they were one. */
int worker_stream(struct worker *w, const struct worker_source *from, struct err *e);

/* The same for one typed line; refused at once when it cannot be understood. */
int worker_submit_line(struct worker *w, const char *line, int branch, uint32_t at, struct err *e);

/* Run something else on the worker's thread, after what waits; the status stays what it was, but for RUNNING. It is
 * called exactly once, with NULL when it was dropped before it began. */
int worker_task(struct worker *w, void (*task)(void *ctx, struct runner *r), void *ctx, struct err *e);

void worker_cancel(struct worker *w);         /* what runs, and what waits; a task that runs is left alone */
void worker_wait(struct worker *w);           /* until nothing runs or waits */
void worker_get_status(struct worker *w, struct worker_status *out);

int worker_fd(const struct worker *w);        /* becomes readable when there is news */
void worker_drain(struct worker *w);          /* empty it; then ask for the status */

struct tape *worker_tape(struct worker *w);   /* read only for everybody else */
struct runner *worker_runner(struct worker *w); /* only while the worker is idle */

#endif
