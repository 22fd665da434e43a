#include "cli/interrupt.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A handler is given nothing but the signal's number: where it writes must be a global. */
static atomic_int write_to = -1;

static const int SIGNALS[] = {SIGINT, SIGTERM};

static void on_signal(int signal)
{
    int kept = errno, fd = atomic_load(&write_to);
    unsigned char byte = (unsigned char)signal;
    if (fd >= 0 && write(fd, &byte, 1) < 0)
        errno = kept; /* nothing can be done about it here */
    errno = kept;
}

static void *serve(void *arg)
{
    struct interrupt *i = arg;
    unsigned char byte;
    for (;;) {
        ssize_t n = read(i->pipe[0], &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || byte == 0)
            return NULL;
        if (atomic_exchange(&i->hit, byte) != 0)
            _exit(128 + byte); /* asked twice: whatever runs does not answer */
        i->told(i->ctx);
    }
}

static void take_signals(struct interrupt *i)
{
    struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&ours.sa_mask);
    for (size_t k = 0; k < ARRAY_LEN(SIGNALS); k++) {
        sigaction(SIGNALS[k], NULL, &i->before[k]);
        if (i->before[k].sa_handler != SIG_IGN)
            sigaction(SIGNALS[k], &ours, NULL);
    }
}

int interrupt_begin(struct interrupt *i, void (*told)(void *ctx), void *ctx, struct err *e)
{
    *i = (struct interrupt){.told = told, .ctx = ctx};
    if (pipe(i->pipe) != 0)
        return err_set(e, "no pipe could be made: %s", strerror(errno));
    int rc = pthread_create(&i->thread, NULL, serve, i);
    if (rc != 0) {
        close(i->pipe[0]);
        close(i->pipe[1]);
        return err_set(e, "no thread could be started: %s", strerror(rc));
    }
    i->on = true;
    atomic_store(&write_to, i->pipe[1]);
    take_signals(i);
    return 0;
}

void interrupt_end(struct interrupt *i)
{
    if (!i->on)
        return;
    for (size_t k = 0; k < ARRAY_LEN(SIGNALS); k++)
        sigaction(SIGNALS[k], &i->before[k], NULL);
    atomic_store(&write_to, -1);
    ssize_t n;
    do
        n = write(i->pipe[1], "", 1); /* a 0 ends the thread */
    while (n < 0 && errno == EINTR);
    pthread_join(i->thread, NULL);
    close(i->pipe[0]);
    close(i->pipe[1]);
    i->on = false;
}

int interrupt_code(const struct interrupt *i)
{
    int signal = atomic_load(&i->hit);
    return 128 + (signal != 0 ? signal : SIGINT);
}
