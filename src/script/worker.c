#include "script/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"

struct job {
    struct job *next;
    struct script *script; /* owned; NULL: a task or a stream */
    struct worker_source source;
    void (*task)(void *ctx, struct runner *r);
    void *ctx;
    int branch;
    uint32_t at;
};

struct worker {
    struct runner *runner;
    pthread_t thread;
    pthread_mutex_t lock;    /* guards everything below */
    pthread_cond_t changed;
    struct job *first, *last;
    bool running, task_runs, quit, started;
    enum worker_state before; /* the task: what the state was */
    struct worker_source source; /* of the stream that runs; next NULL: none does */
    bool stopped;            /* it was told to stop */
    struct worker_status status;
    int pipe[2];             /* the worker writes a byte for news */
};

static void tell(const struct worker *w)
{
    ssize_t n;
    do /* a full pipe is news enough */
        n = write(w->pipe[1], "!", 1);
    while (n < 0 && errno == EINTR);
}

/* ---- the worker's thread ------------------------------------------------------------------------------ */

static void job_free(struct job *j)
{
    if (j->task != NULL)
        j->task(j->ctx, NULL);
    script_free(j->script);
    xfree(j);
}

static void set_command(struct worker *w, const struct script *s, uint32_t i)
{
    pthread_mutex_lock(&w->lock);
    w->status.done = i;
    w->status.commands = s->count;
    w->status.command = i < s->count ? script_info(s->command[i].kind)->name : NULL;
    w->status.line = i < s->count ? s->command[i].line : 0;
    w->status.branch = tape_branch(runner_tape(w->runner));
    pthread_mutex_unlock(&w->lock);
    tell(w);
}

static enum run_result run_commands(struct worker *w, const struct script *s, struct err *e)
{
    for (uint32_t i = 0; i < s->count; i++) {
        set_command(w, s, i);
        enum run_result rc = runner_command(w->runner, s, &s->command[i], e);
        if (rc != RUN_DONE)
            return rc;
    }
    return RUN_DONE;
}

static bool was_stopped(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool stopped = w->stopped;
    pthread_mutex_unlock(&w->lock);
    return stopped;
}

static enum run_result run_stream(struct worker *w, const struct worker_source *from, struct err *e)
{
    enum run_result rc = RUN_DONE;
    struct script *s;
    while (rc == RUN_DONE && !was_stopped(w) && (s = from->next(from->ctx, e)) != NULL) {
        rc = run_commands(w, s, e);
        script_free(s);
        if (rc == RUN_DONE)
            from->done(from->ctx);
        tell(w); /* the next one may be long in coming */
    }
    return was_stopped(w) ? RUN_CANCELLED : e->set ? RUN_FAILED : rc;
}

static enum run_result run_job(struct worker *w, struct job *j, struct err *e)
{
    if (j->task != NULL) {
        tell(w); /* whoever waits for the answer looks again and again from here on */
        j->task(j->ctx, w->runner);
        j->task = NULL; /* it has been called */
        return RUN_DONE;
    }
    if (j->source.next != NULL)
        return run_stream(w, &j->source, e);
    if (j->branch >= 0 && runner_act_at(w->runner, j->branch, j->at, e) != 0)
        return RUN_FAILED;
    return run_commands(w, j->script, e);
}

static struct job *next_job(struct worker *w) /* NULL: quit */
{
    pthread_mutex_lock(&w->lock);
    while (w->first == NULL && !w->quit)
        pthread_cond_wait(&w->changed, &w->lock);
    struct job *j = w->quit ? NULL : w->first;
    if (j != NULL) {
        w->first = j->next;
        if (w->first == NULL)
            w->last = NULL;
        w->status.queued--;
        w->task_runs = j->task != NULL;
        w->source = j->source;
        w->stopped = false;
        w->before = w->status.state;
        w->status.state = WORKER_RUNNING;
        w->running = true;
        runner_uncancel(w->runner); /* under the lock: worker_cancel means what runs from here on */
    }
    pthread_mutex_unlock(&w->lock);
    return j;
}

static void job_done(struct worker *w, enum run_result rc, const struct err *e)
{
    pthread_mutex_lock(&w->lock);
    w->status.state = rc == RUN_DONE ? WORKER_IDLE : rc == RUN_FAILED ? WORKER_FAILED : WORKER_CANCELLED;
    if (w->task_runs)
        w->status.state = w->before == WORKER_RUNNING ? WORKER_IDLE : w->before;
    else
        w->status.failure = *e;
    w->task_runs = false;
    w->source = (struct worker_source){0};
    w->status.command = NULL;
    w->status.branch = tape_branch(runner_tape(w->runner));
    w->running = false;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    tell(w);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct job *j;
    while ((j = next_job(w)) != NULL) {
        struct err e = {0};
        enum run_result rc = run_job(w, j, &e);
        job_free(j); /* before anybody who waits is told */
        job_done(w, rc, &e);
    }
    return NULL;
}

/* ---- everybody else ------------------------------------------------------------------------------------ */

static int open_pipe(struct worker *w, struct err *e)
{
    if (pipe(w->pipe) != 0) {
        w->pipe[0] = w->pipe[1] = -1;
        return err_set(e, "no pipe could be made: %s", strerror(errno));
    }
    for (int i = 0; i < 2; i++) {
        fcntl(w->pipe[i], F_SETFL, O_NONBLOCK);
        fcntl(w->pipe[i], F_SETFD, FD_CLOEXEC);
    }
    return 0;
}

static int start_thread(struct worker *w, struct err *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return err_set(e, "no thread could be started: %s", strerror(rc));
    w->started = true;
    return 0;
}

struct worker *worker_new(const struct script *s, const struct runner_config *cfg, struct err *e)
{
    struct worker *w = xcalloc(1, sizeof *w);
    if (w == NULL) {
        err_memory(e, sizeof *w, "a worker");
        return NULL;
    }
    w->pipe[0] = w->pipe[1] = -1;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->runner = runner_new(s, cfg, e);
    if (w->runner == NULL || open_pipe(w, e) != 0 || start_thread(w, e) != 0) {
        worker_free(w);
        return NULL;
    }
    return w;
}

static void drop_queue(struct worker *w) /* under the lock */
{
    while (w->first != NULL) {
        struct job *j = w->first;
        w->first = j->next;
        job_free(j);
    }
    w->last = NULL;
    w->status.queued = 0;
}

static void stop_running(struct worker *w) /* under the lock */
{
    runner_cancel(w->runner);
    w->stopped = true;
    if (w->source.next != NULL)
        w->source.stop(w->source.ctx);
}

void worker_free(struct worker *w)
{
    if (w == NULL)
        return;
    if (w->started) {
        pthread_mutex_lock(&w->lock);
        drop_queue(w);
        w->quit = true;
        stop_running(w);
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    runner_free(w->runner);
    for (int i = 0; i < 2; i++)
        if (w->pipe[i] >= 0)
            close(w->pipe[i]);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    xfree(w);
}

static void enqueue(struct worker *w, struct job *j)
{
    pthread_mutex_lock(&w->lock);
    if (w->last != NULL)
        w->last->next = j;
    else
        w->first = j;
    w->last = j;
    w->status.queued++;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

int worker_submit(struct worker *w, struct script *s, int branch, uint32_t at, struct err *e)
{
    struct job *j = xcalloc(1, sizeof *j);
    if (j == NULL) {
        script_free(s);
        return err_memory(e, sizeof *j, "a command");
    }
    *j = (struct job){.script = s, .branch = branch, .at = at};
    enqueue(w, j);
    return 0;
}

int worker_stream(struct worker *w, const struct worker_source *from, struct err *e)
{
    struct job *j = xcalloc(1, sizeof *j);
    if (j == NULL)
        return err_memory(e, sizeof *j, "a stream of commands");
    *j = (struct job){.source = *from};
    enqueue(w, j);
    return 0;
}

int worker_task(struct worker *w, void (*task)(void *ctx, struct runner *r), void *ctx, struct err *e)
{
    struct job *j = xcalloc(1, sizeof *j);
    if (j == NULL) {
        task(ctx, NULL);
        return err_memory(e, sizeof *j, "a task");
    }
    *j = (struct job){.task = task, .ctx = ctx};
    enqueue(w, j);
    return 0;
}

int worker_submit_line(struct worker *w, const char *line, int branch, uint32_t at, struct err *e)
{
    struct script *s = script_parse("", line, strlen(line), 1, e);
    if (s == NULL)
        return -1;
    if (runner_accepts(w->runner, s, e) != 0) { /* reads settings only: they never change */
        script_free(s);
        return -1;
    }
    return worker_submit(w, s, branch, at, e);
}

void worker_cancel(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    drop_queue(w);
    if (w->running && !w->task_runs)
        stop_running(w);
    pthread_mutex_unlock(&w->lock);
}

void worker_wait(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->running || w->first != NULL)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

void worker_get_status(struct worker *w, struct worker_status *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->status;
    if (w->first != NULL && !w->running)
        out->state = WORKER_RUNNING; /* it is about to */
    pthread_mutex_unlock(&w->lock);
}

int worker_fd(const struct worker *w)
{
    return w->pipe[0];
}

void worker_drain(struct worker *w)
{
    char bytes[256];
    ssize_t n;
    do
        n = read(w->pipe[0], bytes, sizeof bytes);
    while (n == sizeof bytes || (n < 0 && errno == EINTR));
}

struct tape *worker_tape(struct worker *w)
{
    return runner_tape(w->runner);
}

struct runner *worker_runner(struct worker *w)
{
    return w->runner;
}
