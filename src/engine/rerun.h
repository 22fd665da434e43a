/* rerun.h: a request's tokens once more, behind rows of the caller's choice; nothing of it enters the world.
 *
 *      tokens   t0 t1 … t(from-1) │ t(from) … t(n-1)
 *      rows     the caller's      │ new ones, released by rerun_done
 *
 * Every token is given (those that were generated, too), so that two reruns of the same tokens differ only in
 * what they read. On the engine's own thread, between its operations.
 */
#ifndef RADIXSCOPE_ENGINE_RERUN_H
#define RADIXSCOPE_ENGINE_RERUN_H

#include "engine/engine.h"
#include "model/forward.h"

struct rerun_watch {
    /* After every layer, with the share that is done (0 … 1); nonzero cancels. May be NULL. */
    int (*progress)(void *arg, double done);
    void *arg;
};

struct rerun {
    struct forward *forward;
    struct kvrows *rows;
    const uint32_t *tokens;  /* (n) */
    uint32_t n, from;
    uint32_t *row;           /* (n) the first `from` are the caller's; the rest is filled in */
    uint32_t first;          /* logits are wanted from this position on */
    const struct lora *lora;
    void (*logits)(void *ctx, uint32_t position, const float *logits, uint32_t vocab); /* NULL: nobody looks */
    void *ctx;
    const struct rerun_watch *watch; /* NULL: nobody waits */
    bool begun;              /* rerun_run's: rows from `from` on are its own */
};

/* 0, 1 when it was cancelled, -1 and *e. In any case rerun_done comes after it. */
int rerun_run(struct rerun *r, uint32_t vocab, struct err *e);
void rerun_done(struct rerun *r); /* gives the new rows back */

#endif
