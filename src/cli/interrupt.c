#include "cli/interrupt.h"

#include <string.h>
#include <unistd.h>

static void waited_for(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

static void *wait_for_signals(void *arg)
{
    struct interrupt *i = arg;
    sigset_t set;
    int signal;
    waited_for(&set);
    while (sigwait(&set, &signal) == 0) {
        if (atomic_exchange(&i->hit, true))
            _exit(130); /* asked twice: whatever runs does not answer */
        i->told(i->ctx);
    }
    return NULL;
}

int interrupt_begin(struct interrupt *i, void (*told)(void *ctx), void *ctx, struct err *e)
{
    sigset_t set;
    waited_for(&set);
    i->told = told;
    i->ctx = ctx;
    atomic_init(&i->hit, false);
    pthread_sigmask(SIG_BLOCK, &set, &i->before);
    int rc = pthread_create(&i->thread, NULL, wait_for_signals, i);
    i->on = rc == 0;
    if (rc != 0) {
        pthread_sigmask(SIG_SETMASK, &i->before, NULL);
        return err_set(e, "no thread could be started: %s", strerror(rc));
    }
    return 0;
}

void interrupt_end(struct interrupt *i)
{
    if (!i->on)
        return;
    pthread_cancel(i->thread); /* it waits in sigwait, where that is allowed */
    pthread_join(i->thread, NULL);
    pthread_sigmask(SIG_SETMASK, &i->before, NULL);
    i->on = false;
}

bool interrupt_hit(const struct interrupt *i)
{
    return atomic_load(&i->hit);
}
