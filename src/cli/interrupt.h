/* interrupt.h: ^C while something runs. The signal's handler writes a byte; a thread of ours reads it and
 * calls a function in an ordinary context, where locks may be taken. A second ^C ends the program at once.
 *
 * Waiting for the signal instead (sigwait) would not do: OpenBLAS starts threads of its own before main,
 * which do not block it, so that it would end the program there.
 */
#ifndef RADIXSCOPE_CLI_INTERRUPT_H
#define RADIXSCOPE_CLI_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

struct interrupt {
    void (*told)(void *ctx);
    void *ctx;
    atomic_int hit;      /* the signal that came, 0: none */
    bool on;
    int pipe[2];
    pthread_t thread;
    struct sigaction before[2];
};

/* From here to interrupt_end, SIGINT and SIGTERM call told(ctx), unless they are ignored. One at a time. */
int interrupt_begin(struct interrupt *i, void (*told)(void *ctx), void *ctx, struct err *e);
void interrupt_end(struct interrupt *i);
int interrupt_code(const struct interrupt *i); /* the exit code after it: 130 for ^C */

#endif
