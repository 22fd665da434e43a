/* interrupt.h: ^C while something runs. A thread waits for SIGINT and SIGTERM and calls a function of
 * ours, in an ordinary context where locks may be taken; a second ^C ends the program at once.
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
    atomic_bool hit;
    bool on;
    pthread_t thread;
    sigset_t before;
};

/* From here to interrupt_end, ^C calls told(ctx). Threads started meanwhile leave the signals alone. */
int interrupt_begin(struct interrupt *i, void (*told)(void *ctx), void *ctx, struct err *e);
void interrupt_end(struct interrupt *i);
bool interrupt_hit(const struct interrupt *i);

#endif
