#include "lesson/lesson_job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"

/* ---- ending what runs --------------------------------------------------------------------------------- */

void lesson_halt_init(struct lesson_halt *h)
{
    *h = (struct lesson_halt){.runner = NULL};
    pthread_mutex_init(&h->lock, NULL);
}

void lesson_halt_done(struct lesson_halt *h)
{
    pthread_mutex_destroy(&h->lock);
}

void lesson_halt_ask(struct lesson_halt *h)
{
    pthread_mutex_lock(&h->lock);
    h->asked = true;
    if (h->runner != NULL)
        runner_cancel(h->runner);
    pthread_mutex_unlock(&h->lock);
}

void lesson_halt_clear(struct lesson_halt *h)
{
    pthread_mutex_lock(&h->lock);
    h->asked = false;
    pthread_mutex_unlock(&h->lock);
}

bool lesson_halt_enter(struct lesson_halt *h, struct runner *r)
{
    if (h == NULL)
        return true;
    pthread_mutex_lock(&h->lock);
    bool free = !h->asked;
    h->runner = free ? r : h->runner;
    pthread_mutex_unlock(&h->lock);
    return free;
}

void lesson_halt_leave(struct lesson_halt *h, struct runner *r)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    h->runner = NULL;
    if (h->asked)
        runner_uncancel(r); /* the next command may run */
    pthread_mutex_unlock(&h->lock);
}

/* ---- the thread --------------------------------------------------------------------------------------- */

struct lesson_job {
    pthread_t thread;
    bool running;             /* begun, and its end not yet seen */
    int pipe[2];              /* the thread writes a byte at its end */
    void (*work)(void *ctx);
    void *ctx;
};

static void *job_main(void *arg)
{
    struct lesson_job *j = arg;
    ssize_t n;
    j->work(j->ctx);
    do
        n = write(j->pipe[1], "!", 1);
    while (n < 0 && errno == EINTR);
    return NULL;
}

struct lesson_job *lesson_job_new(struct err *e)
{
    struct lesson_job *j = xcalloc(1, sizeof *j);
    if (j == NULL) {
        err_memory(e, sizeof *j, "a lesson's thread");
        return NULL;
    }
    if (pipe(j->pipe) != 0) {
        err_set(e, "no pipe could be made: %s", strerror(errno));
        xfree(j);
        return NULL;
    }
    for (int i = 0; i < 2; i++)
        fcntl(j->pipe[i], F_SETFD, FD_CLOEXEC);
    return j;
}

/* Signals reach the thread that waits for keys. */
static bool start_job(struct lesson_job *j)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&j->thread, NULL, job_main, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

void lesson_job_begin(struct lesson_job *j, void (*work)(void *ctx), void *ctx)
{
    ASSERT(!j->running);
    j->work = work;
    j->ctx = ctx;
    j->running = start_job(j);
    if (!j->running)
        work(ctx);
}

bool lesson_job_wait(struct lesson_job *j, int ms)
{
    struct pollfd p = {.fd = j->pipe[0], .events = POLLIN};
    char byte;
    if (!j->running)
        return true;
    int rc = poll(&p, 1, ms);
    while (rc < 0 && errno == EINTR && ms < 0)
        rc = poll(&p, 1, ms);
    if (rc <= 0)
        return false;
    while (read(j->pipe[0], &byte, 1) < 0 && errno == EINTR)
        ;
    pthread_join(j->thread, NULL);
    j->running = false;
    return true;
}

int lesson_job_fd(const struct lesson_job *j)
{
    return j->pipe[0];
}

void lesson_job_free(struct lesson_job *j)
{
    if (j == NULL)
        return;
    lesson_job_wait(j, -1);
    close(j->pipe[0]);
    close(j->pipe[1]);
    xfree(j);
}
