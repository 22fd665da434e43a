#include "trace/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"

struct tracer {
    struct trace_options o;
    struct lines *lines;
    struct mooncake *trace;
    struct mooncake_request one;  /* the next request; its ids are good until the next read */
    struct replay replay;
    struct future future;         /* Belady's choice: what comes; requests == 0: nobody looks ahead */
    uint32_t *id_of;              /* (future.nodes + 1) the id that a token stands for; NULL: itself */
    uint32_t at;                  /* the next request's place in what comes */
    char note[700];
    pthread_t thread;
    bool started;
    atomic_bool cancel;
    pthread_mutex_t lock;         /* guards status */
    pthread_cond_t changed;
    struct tracer_status status;
    int pipe[2];
};

static void tell(const struct tracer *t)
{
    ssize_t n;
    do /* a full pipe is news enough */
        n = write(t->pipe[1], "!", 1);
    while (n < 0 && errno == EINTR);
}

/* What the tree is made with: where Belady chooses, its own order is not asked. */
static uint32_t tree_policy(const struct tracer *t)
{
    return t->o.policy < POLICY_COUNT ? t->o.policy : POLICY_LRU;
}

/* How large an unlimited pool must be; 0: it cannot be known. */
static uint64_t most_blocks(const struct tracer *t)
{
    return t->o.capacity == REPLAY_UNLIMITED ? lines_values(t->lines) : 0;
}

/* ---- looking ahead --------------------------------------------------------------------------------------- */

struct whole {
    uint32_t *ids, *len;
    size_t ids_n, n, ids_cap, len_cap;
};

static bool keep(struct whole *k, const struct mooncake_request *r)
{
    void *ids = k->ids, *len = k->len;
    bool ok = xgrow(&ids, &k->ids_cap, k->ids_n + r->n + 1, sizeof *k->ids);
    k->ids = ids;
    ok = ok && xgrow(&len, &k->len_cap, k->n + 1, sizeof *k->len);
    k->len = len;
    if (!ok)
        return false;
    if (r->n > 0)
        memcpy(k->ids + k->ids_n, r->ids, r->n * sizeof *r->ids);
    k->ids_n += r->n;
    k->len[k->n++] = r->n;
    return true;
}

static void note_progress(struct tracer *t, uint64_t requests);

/* The whole trace, from t->one on. */
static int read_whole(struct tracer *t, struct whole *k, struct err *e)
{
    int rc;
    do {
        if (!keep(k, &t->one))
            return err_memory(e, k->ids_cap * 8, "a trace to look ahead in");
        if ((k->n & 1023) == 0) {
            note_progress(t, 0);
            tell(t);
        }
        rc = mooncake_next(t->trace, &t->one, e);
    } while (rc == 1 && !atomic_load(&t->cancel));
    return rc;
}

static int give_future(struct tracer *t, uint32_t n)
{
    const struct future_request *q = &t->future.request[n];
    t->one = (struct mooncake_request){.ids = replay_path(&t->future, n), .n = q->pages};
    t->at = n + 1;
    return 1;
}

/* Belady's choice: what comes, and the first request as the tree sees it. */
static int look_ahead(struct tracer *t, struct err *e)
{
    struct whole k = {0};
    int rc = read_whole(t, &k, e);
    if (rc == 0)
        rc = future_of_ids(&t->future, k.ids, k.len, (uint32_t)k.n, e);
    if (rc == 0 && (t->id_of = xcalloc((size_t)t->future.nodes + 1, sizeof *t->id_of)) == NULL)
        rc = err_memory(e, t->future.nodes * sizeof *t->id_of, "a trace to look ahead in");
    for (uint32_t i = 0; rc == 0 && i < t->future.total; i++)
        t->id_of[t->future.page[i]] = k.ids[i];
    xfree(k.ids);
    xfree(k.len);
    if (rc == 0) {
        replay_foresee(&t->replay, &t->future);
        give_future(t, 0);
    }
    return rc < 0 ? -1 : 0; /* 1: cancelled */
}

/* As mooncake_next, from the trace or from what was read of it. */
static int next_request(struct tracer *t, struct err *e)
{
    if (t->future.requests == 0)
        return mooncake_next(t->trace, &t->one, e);
    return t->at < t->future.requests ? give_future(t, t->at) : 0;
}

/* ---- the thread ------------------------------------------------------------------------------------------ */

static void note_progress(struct tracer *t, uint64_t requests)
{
    pthread_mutex_lock(&t->lock);
    t->status.requests = requests;
    t->status.bytes = lines_taken(t->lines);
    pthread_mutex_unlock(&t->lock);
}

/* Requests before the first that is to be shown, without a tape. 0: the trace ended before it. */
static int skip_to_first(struct tracer *t, struct replay *before, struct err *e)
{
    int rc = 1;
    while (rc == 1 && before->f.requests + 1 < t->o.first && !atomic_load(&t->cancel)) {
        if (replay_request(before, t->one.ids, t->one.n, e) != 0)
            return -1;
        if ((before->f.requests & 1023) == 0) {
            note_progress(t, before->f.requests);
            tell(t);
        }
        rc = next_request(t, e);
    }
    if (rc == 0)
        return err_set(e, "%s has %llu requests; there is no request %llu", lines_name(t->lines),
                       (unsigned long long)before->f.requests, (unsigned long long)t->o.first);
    return rc;
}

static int begin(struct tracer *t, struct err *e)
{
    struct replay before;
    if (t->o.first <= 1)
        return replay_begin(&t->replay, NULL, t->note, e);
    if (replay_open(&before, t->o.capacity, tree_policy(t), most_blocks(t), false, e) != 0)
        return -1;
    if (t->future.requests != 0)
        replay_foresee(&before, &t->future);
    int rc = skip_to_first(t, &before, e);
    if (rc == 1 && !atomic_load(&t->cancel))
        rc = replay_begin(&t->replay, &before, t->note, e);
    replay_close(&before);
    return rc < 0 ? -1 : 0;
}

static int play(struct tracer *t, struct err *e)
{
    int rc = t->o.policy == POLICY_COUNT ? look_ahead(t, e) : 0;
    rc = rc == 0 && begin(t, e) == 0 ? 1 : -1;
    tell(t);
    while (rc == 1 && !atomic_load(&t->cancel)) {
        if (replay_recorded(&t->replay, t->one.ids, t->one.n, e) != 0)
            return -1;
        uint64_t n = t->replay.f.requests;
        if ((n & 63) == 1) {
            note_progress(t, n);
            tell(t);
        }
        if (n == t->o.last)
            break;
        rc = next_request(t, e);
    }
    return rc < 0 ? -1 : 0;
}

static void *work(void *arg)
{
    struct tracer *t = arg;
    struct err e = {0};
    int rc = play(t, &e);
    if (atomic_load(&t->cancel))
        rc = 0; /* what was stopped is no failure */
    note_progress(t, t->replay.f.requests);
    pthread_mutex_lock(&t->lock);
    t->status.running = false;
    t->status.failed = rc != 0;
    t->status.cancelled = rc == 0 && atomic_load(&t->cancel);
    t->status.failure = e;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    tell(t);
    return NULL;
}

/* ---- everybody else -------------------------------------------------------------------------------------- */

static int open_pipe(struct tracer *t, struct err *e)
{
    if (pipe(t->pipe) != 0) {
        t->pipe[0] = t->pipe[1] = -1;
        return err_set(e, "no pipe could be made: %s", strerror(errno));
    }
    for (int i = 0; i < 2; i++) {
        fcntl(t->pipe[i], F_SETFL, O_NONBLOCK);
        fcntl(t->pipe[i], F_SETFD, FD_CLOEXEC);
    }
    return 0;
}

static void write_note(struct tracer *t)
{
    snprintf(t->note, sizeof t->note,
             "A trace: a token here is a hash id and stands for a block of %u tokens, a slot holds a block. Nothing is "
             "computed. The rule is that of `sweep`: when slots are missing, only the shortfall is evicted; the engine "
             "asks for the full amount.%s", mooncake_block(t->trace),
             t->o.policy < POLICY_COUNT ? "" : " Who goes is Belady's choice: the leaf that the trace reads again last.");
}

struct tracer *tracer_new(const char *path, const struct trace_options *o, struct err *e)
{
    struct tracer *t = xcalloc(1, sizeof *t);
    if (t == NULL) {
        err_memory(e, sizeof *t, path);
        return NULL;
    }
    t->o = *o;
    t->pipe[0] = t->pipe[1] = -1;
    atomic_init(&t->cancel, false);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    if (open_pipe(t, e) != 0 || (t->lines = lines_open(path, e)) == NULL ||
        (t->trace = mooncake_new(t->lines, o->block, e)) == NULL || mooncake_next(t->trace, &t->one, e) != 1 ||
        replay_open(&t->replay, o->capacity, tree_policy(t), most_blocks(t), true, e) != 0) {
        tracer_free(t);
        return NULL;
    }
    tape_limit(t->replay.t, o->history_limit);
    t->status = (struct tracer_status){.first = o->first > 1 ? o->first : 1, .size = lines_size(t->lines),
                                       .block = mooncake_block(t->trace)};
    write_note(t);
    return t;
}

int tracer_start(struct tracer *t, struct err *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    t->status.running = true;
    int rc = pthread_create(&t->thread, NULL, work, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    t->started = rc == 0;
    return rc == 0 ? 0 : err_set(e, "no thread could be started: %s", strerror(rc));
}

void tracer_cancel(struct tracer *t)
{
    atomic_store(&t->cancel, true);
    if (t->lines != NULL)
        lines_stop(t->lines);
}

void tracer_free(struct tracer *t)
{
    if (t == NULL)
        return;
    tracer_cancel(t);
    if (t->started)
        pthread_join(t->thread, NULL);
    replay_close(&t->replay);
    future_done(&t->future);
    xfree(t->id_of);
    mooncake_free(t->trace);
    lines_close(t->lines);
    for (int i = 0; i < 2; i++)
        if (t->pipe[i] >= 0)
            close(t->pipe[i]);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    xfree(t);
}

void tracer_wait(struct tracer *t)
{
    pthread_mutex_lock(&t->lock);
    while (t->status.running)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

void tracer_get_status(struct tracer *t, struct tracer_status *out)
{
    pthread_mutex_lock(&t->lock);
    *out = t->status;
    pthread_mutex_unlock(&t->lock);
}

struct tape *tracer_tape(const struct tracer *t)
{
    return t->replay.t;
}

int tracer_fd(const struct tracer *t)
{
    return t->pipe[0];
}

void tracer_drain(struct tracer *t)
{
    char some[64];
    while (read(t->pipe[0], some, sizeof some) > 0)
        ;
}

uint32_t tracer_id(const struct tracer *t, uint32_t token)
{
    return t->id_of != NULL && token <= t->future.nodes ? t->id_of[token] : token;
}

const char *tracer_note(const struct tracer *t)
{
    return t->note;
}

/* A number of digits alone; *text goes behind it. 0: there is none. */
static uint64_t take_number(const char **text)
{
    uint64_t v = 0;
    while (**text >= '0' && **text <= '9' && v < UINT64_MAX / 100)
        v = v * 10 + (uint64_t)(*(*text)++ - '0');
    return v;
}

int trace_range_parse(const char *text, uint64_t *first, uint64_t *last, struct err *e)
{
    const char *at = text;
    *first = *last = take_number(&at);
    bool open = at[0] == '-' && at[1] == '\0';
    if (*at == '-') {
        at++;
        *last = open ? 0 : take_number(&at);
    }
    if (*at != '\0' || *first == 0 || *first > UINT32_MAX / 2 || (!open && *last < *first))
        return err_usage(e, "requests are A-B, counted from 1, such as 17-60, not '%.40s'", text);
    return 0;
}
