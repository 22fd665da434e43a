/* lesson_job.h: engines of a lesson run in a thread of their own, so that the screen's thread answers keys meanwhile.
 *
 *      screen's thread                                  the job's thread
 *      lesson_job_begin(j, work, ctx) ────────────────> work(ctx): the player, its scenes, the room
 *      lesson_job_wait(j, 40 ms): done? go on at once
 *      else draw, read keys; wait for lesson_job_fd
 *      lesson_halt_ask ───────────────────────────────> the scene that runs is cancelled (lesson_scene_run)
 *      lesson_job_wait(j, 0): done <────────────────────
 *
 * One job at a time. While it runs the caller leaves alone what work() touches: all of it, without locks.
 */
#ifndef RADIXSCOPE_LESSON_LESSON_JOB_H
#define RADIXSCOPE_LESSON_LESSON_JOB_H

#include <pthread.h>

#include "script/runner.h"

/* Whoever runs commands on a scene stands here, so that another thread can end it. */
struct lesson_halt {
    pthread_mutex_t lock;     /* guards the rest */
    struct runner *runner;    /* that runs now; NULL: none */
    bool asked;               /* whoever comes next ends at once, too, until it is cleared */
};

void lesson_halt_init(struct lesson_halt *h);
void lesson_halt_done(struct lesson_halt *h);
void lesson_halt_ask(struct lesson_halt *h);
void lesson_halt_clear(struct lesson_halt *h);
/* Around commands; h NULL: nobody can end them. false: it has been asked for already. */
bool lesson_halt_enter(struct lesson_halt *h, struct runner *r);
void lesson_halt_leave(struct lesson_halt *h, struct runner *r);

struct lesson_job;

struct lesson_job *lesson_job_new(struct err *e);
void lesson_job_free(struct lesson_job *j);              /* waits for the work; NULL: nothing */

/* Where no thread can be had, the work is done before this returns. */
void lesson_job_begin(struct lesson_job *j, void (*work)(void *ctx), void *ctx);
bool lesson_job_wait(struct lesson_job *j, int ms);      /* at most so long, -1: to its end; true: nothing runs any more */
int lesson_job_fd(const struct lesson_job *j);           /* readable: it is done */

#endif
