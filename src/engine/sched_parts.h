/* sched_parts.h: what the files of the scheduler share; nobody else includes it.
 *
 *      sched.c        the loop, arrivals, aborts
 *      sched_queue.c  the lists in the world, requests that go back to the queue, times
 *      sched_round.c  order and admission
 *      sched_pass.c   one forward pass, what comes of it
 */
#ifndef RADIXSCOPE_ENGINE_SCHED_PARTS_H
#define RADIXSCOPE_ENGINE_SCHED_PARTS_H

#include "engine/engine_parts.h"
#include "engine/sched.h"
#include "engine/sched_admit.h"
#include "engine/stop.h"

struct sampler;

/* What a request needs besides its words in the world. */
struct sched_job {
    uint32_t *given, n_given;      /* owned; its answer, where no model runs */
    struct sampler *sampler;       /* owned; NULL where no model runs */
    char **stop;                   /* (watch.count) owned, what `watch` looks for */
    struct stop_watch watch;
    const struct lora *lora;       /* borrowed */
    bool no_insert;
    uint32_t text_len;             /* of the answer before a stop string */
};

/* One request's part of a pass: positions [from, to). */
struct sched_span {
    uint32_t req, from, to;
};

struct sched {
    struct sched_config cfg;
    struct sched_job **job;        /* (WORLD_REQUESTS) by request; NULL: it has ended */
    struct sched_waiting *queue;   /* scratch of a round */
    const char **running;          /* scratch: routing keys */
    struct sched_span *span;       /* (spans) the pass that is being made */
    uint32_t spans;
    bool calm;                     /* the decode pass that is being made needed no retraction */
    size_t queue_cap, running_cap, span_cap, rows_cap, fjobs_cap, logits_cap;
    uint32_t *rows;                /* past and new rows of every span, one behind the other */
    struct forward_job *fjobs;     /* (spans) */
    float *logits;                 /* (spans, vocab) */
};

#define SCHED_W(en) ((en)->cache.w)
#define SCHED_REQ(en, r) ((en)->cache.w->request[r])
#define SCHED_PART(en, r) ((en)->cache.w->served[r])

/* ---- sched_queue.c: all inside an operation; room is made by the caller unless it says so -------------------------- */

/* Room for so many writes and steps besides what cache_begin makes. false: cache_fail. */
bool sched_room(struct engine *en, uint32_t writes, uint32_t steps);
void sched_set_time(struct engine *en, const uint32_t at[2], uint64_t us);
void sched_set_double(struct engine *en, const uint32_t at[2], double v);
uint32_t sched_said(uint64_t us);            /* for an event: hundredths of a millisecond */
uint64_t sched_now(const struct engine *en);

void sched_queue_push(struct engine *en, uint32_t req);  /* to the queue's end; EMITs nothing */
void sched_queue_drop(struct engine *en, uint32_t req);
void sched_batch_push(struct engine *en, uint32_t req);
void sched_batch_drop(struct engine *en, uint32_t req);  /* from the batch or from being in chunks */
void sched_planned_push(struct engine *en, uint32_t req); /* by time */
void sched_planned_drop(struct engine *en, uint32_t req);

/* A running request gives its own slots back, nothing inserted, and waits again at the queue's end. false: no memory. */
bool sched_send_back(struct engine *en, uint32_t req, enum sched_why why);
void sched_forget(struct engine *en, uint32_t req);      /* its job; it has ended */

/* ---- sched_round.c ------------------------------------------------------------------------------------------------- */

/* Order the queue, admit: fills s->span. 0, or -1 and *e. */
int sched_round(struct engine *en, struct err *e);

/* ---- sched_pass.c: 0, 1 cancelled, -1 and *e ----------------------------------------------------------------------- */

int sched_pass(struct engine *en, bool decode, struct err *e);
/* Slots for a decode pass, retracting if need be; fills s->span with what goes on. */
int sched_prepare_decode(struct engine *en, struct err *e);
int sched_finish(struct engine *en, uint32_t req, uint32_t reason, struct err *e);
bool sched_add_span(struct sched *s, uint32_t req, uint32_t from, uint32_t to);

#endif
