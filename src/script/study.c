#include "script/study.h"

#include <pthread.h>
#include <stdio.h>

#include "base/xalloc.h"
#include "engine/poison.h"
#include "engine/proof.h"

struct study {
    struct worker *worker;
    pthread_mutex_t lock;     /* guards everything below */
    pthread_cond_t changed;
    struct inquiry question;
    struct answer answer;
    uint32_t waiting;         /* tasks that the worker has not called yet, or that run */
    bool cancel;              /* the question that runs is not wanted any more */
    bool begun;               /* it runs */
};

void study_compute(struct engine *en, const struct inquiry *q, const struct rerun_watch *watch, struct answer *out)
{
    struct err e = {0};
    const struct tape *t = engine_tape(en);
    *out = (struct answer){0};
    int rc = q->branch >= tape_branches(t) ? err_set(&e, "there is no branch %d", q->branch + 1)
             : q->about == ASK_PROOF       ? proof_run(en, q->branch, q->rid, q->fast, watch, &out->proof, &e)
                                           : effect_run(en, q->branch, q->step, watch, &out->effect, &e);
    out->state = rc == 0 ? ANSWER_READY : ANSWER_FAILED;
    snprintf(out->why, sizeof out->why, "%.250s", rc > 0 ? "cancelled" : e.what);
}

/* ---- the worker's thread ---------------------------------------------------------------------------------- */

static int note_progress(void *arg, double done)
{
    struct study *s = arg;
    pthread_mutex_lock(&s->lock);
    s->answer.done = done;
    int stop = s->cancel;
    pthread_mutex_unlock(&s->lock);
    return stop;
}

static void run_question(struct study *s, struct runner *r)
{
    struct rerun_watch watch = {note_progress, s};
    struct answer found;
    pthread_mutex_lock(&s->lock);
    struct inquiry q = s->question;
    bool wanted = s->answer.state == ANSWER_WAITING && s->waiting == 1; /* else a later one has been asked */
    s->begun = wanted;
    s->cancel = s->cancel && !wanted;
    pthread_mutex_unlock(&s->lock);
    if (!wanted)
        return;
    study_compute(runner_engine(r), &q, &watch, &found);
    pthread_mutex_lock(&s->lock);
    s->begun = false;
    if (inquiry_same(&q, &s->question) && !s->cancel) {
        answer_done(&s->answer);
        s->answer = found;
    } else {
        answer_done(&found);
    }
    s->cancel = false;
    pthread_mutex_unlock(&s->lock);
}

static void task(void *ctx, struct runner *r)
{
    struct study *s = ctx;
    if (r != NULL)
        run_question(s, r);
    pthread_mutex_lock(&s->lock);
    s->waiting--;
    if (r == NULL && s->waiting == 0 && s->answer.state == ANSWER_WAITING) {
        answer_done(&s->answer);
        s->answer.state = ANSWER_FAILED;
        snprintf(s->answer.why, sizeof s->answer.why, "cancelled");
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* ---- everybody else ------------------------------------------------------------------------------------ */

struct study *study_new(struct worker *w, struct err *e)
{
    struct study *s = xcalloc(1, sizeof *s);
    if (s == NULL) {
        err_memory(e, sizeof *s, "a study");
        return NULL;
    }
    s->worker = w;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    return s;
}

void study_cancel(struct study *s)
{
    pthread_mutex_lock(&s->lock);
    s->cancel = s->begun;
    answer_done(&s->answer);
    s->question = (struct inquiry){0};
    pthread_mutex_unlock(&s->lock);
}

void study_free(struct study *s)
{
    if (s == NULL)
        return;
    study_cancel(s);
    worker_cancel(s->worker); /* what waits before it would be waited for */
    pthread_mutex_lock(&s->lock);
    while (s->waiting > 0)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    answer_done(&s->answer);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    xfree(s);
}

int study_ask(struct study *s, const struct inquiry *q, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool known = s->question.about != ASK_NOTHING && inquiry_same(q, &s->question) &&
                 s->answer.state != ANSWER_FAILED;
    if (!known) {
        s->cancel = s->begun;
        answer_done(&s->answer);
        s->question = *q;
        s->answer.state = ANSWER_WAITING;
        s->waiting++;
    }
    pthread_mutex_unlock(&s->lock);
    return known ? 0 : worker_task(s->worker, task, s, e);
}

int study_answer(struct study *s, const struct inquiry *q, struct answer *out)
{
    *out = (struct answer){0};
    pthread_mutex_lock(&s->lock);
    int rc = inquiry_same(q, &s->question) ? answer_copy(out, &s->answer) : 0;
    pthread_mutex_unlock(&s->lock);
    return rc;
}
