#include "model/parallel.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/xalloc.h"

#define MAX_THREADS 64

struct parallel {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    void (*part)(void *arg, uint32_t i);
    void *arg;
    uint32_t next, n;      /* parts not yet begun: [next, n) */
    unsigned busy;         /* workers inside a part */
    bool stop;
    pthread_t thread[MAX_THREADS];
    unsigned threads;      /* started, the caller not counted */
};

/* Take parts until none is left. The lock is held on entry and on return. */
static void take_parts(struct parallel *p)
{
    while (p->next < p->n) {
        uint32_t i = p->next++;
        p->busy++;
        pthread_mutex_unlock(&p->lock);
        p->part(p->arg, i);
        pthread_mutex_lock(&p->lock);
        p->busy--;
    }
}

static void *worker(void *arg)
{
    struct parallel *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        take_parts(p);
        if (p->busy == 0)
            pthread_cond_signal(&p->done);
        if (!p->stop)
            pthread_cond_wait(&p->work, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Workers must not catch signals that are meant for the program. */
static bool start_worker(struct parallel *p)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool started = pthread_create(&p->thread[p->threads], NULL, worker, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    p->threads += started;
    return started;
}

struct parallel *parallel_new(unsigned threads, struct err *e)
{
    struct parallel *p = xcalloc(1, sizeof *p);
    if (p == NULL) {
        err_memory(e, sizeof *p, "threads");
        return NULL;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    threads = threads < MAX_THREADS ? threads : MAX_THREADS;
    while (p->threads + 1 < threads)
        if (!start_worker(p)) {
            err_set(e, "%u threads were asked for, but only %u could be started", threads, p->threads + 1);
            parallel_free(p);
            return NULL;
        }
    return p;
}

void parallel_free(struct parallel *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    xfree(p);
}

void parallel_run(struct parallel *p, uint32_t n, void (*part)(void *arg, uint32_t i), void *arg)
{
    if (p == NULL || p->threads == 0 || n <= 1) {
        for (uint32_t i = 0; i < n; i++)
            part(arg, i);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->part = part;
    p->arg = arg;
    p->next = 0;
    p->n = n;
    pthread_cond_broadcast(&p->work);
    take_parts(p);
    while (p->busy > 0)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}
