/* engine_parts.h: what the files of the engine share; nobody else includes it. */
#ifndef RADIXSCOPE_ENGINE_ENGINE_PARTS_H
#define RADIXSCOPE_ENGINE_ENGINE_PARTS_H

#include <stdatomic.h>

#include "cache/cache.h"
#include "engine/engine.h"
#include "model/forward.h"

struct sched;

struct engine {
    struct engine_config cfg;
    struct tape *t;
    struct cache cache;
    struct kvrows *rows;       /* NULL without a model */
    struct forward *forward;   /* made by the first request: opening computes nothing */
    uint32_t *past, *fresh;    /* (context) rows of earlier positions; rows of the new ones */
    float *logits;             /* (context or 1, vocab) */
    size_t logits_cap;
    const struct lora **adapter; /* (adapters) those that requests had */
    size_t adapters, adapters_cap;
    atomic_bool cancel;
    struct sched *sched;       /* NULL while requests run one at a time */
};

/* Rows and scratch for the forward pass, when the first request wants them. */
int engine_warm(struct engine *en, struct err *e);
int engine_keep_adapter(struct engine *en, const struct lora *lora, struct err *e); /* by its name, for later */
int engine_request_check(const struct engine *en, const struct request_spec *s, struct err *e);
/* The KV rows behind positions 0 … n-1, through the slots of the request's row. out: (n) */
int engine_gather_rows(struct engine *en, uint32_t req, uint32_t n, uint32_t *out, struct err *e);
/* The rows (to - from) stand behind the slots of positions [from, to) now. EMITs KV_WRITE. */
void engine_write_rows(struct engine *en, uint32_t req, uint32_t from, uint32_t to, const uint32_t *rows);
/* The best next tokens, for the next step. logits: (vocab) */
void engine_observe_logits(struct engine *en, const float *logits);
int engine_watch_cancel(void *engine, const struct forward_progress *p); /* of struct forward_watch */

#endif
