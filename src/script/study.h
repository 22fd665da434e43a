/* study.h: questions about a run, answered on the worker's thread: proofs and the effects of spoiled rows.
 *
 *      screen ── study_ask ──> queue of the worker ── proof_run, effect_run ──> answer
 *        └────── study_answer: waiting (so much is done), ready, failed <──────┘
 *
 * One question at a time: asking another one cancels the one before. An answer stays until then.
 */
#ifndef RADIXSCOPE_SCRIPT_STUDY_H
#define RADIXSCOPE_SCRIPT_STUDY_H

#include "engine/rerun.h"
#include "script/worker.h"
#include "tape/evidence.h"

struct study;

struct study *study_new(struct worker *w, struct err *e);

/* Ends what runs and waits for it. Before worker_free. */
void study_free(struct study *s);

/* Ask, unless the same is asked or answered already. */
int study_ask(struct study *s, const struct inquiry *q, struct err *e);
void study_cancel(struct study *s);

/* A copy of the answer to q (answer_done frees it): ANSWER_NONE if it was not asked. -1: no memory. */
int study_answer(struct study *s, const struct inquiry *q, struct answer *out);

/* Compute the answer to a question now; on the engine's thread. `watch` may be NULL. */
void study_compute(struct engine *en, const struct inquiry *q, const struct rerun_watch *watch, struct answer *out);

#endif
