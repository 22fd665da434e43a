#include "engine/rerun.h"

#include "base/xalloc.h"
#include "model/kvrows.h"

enum { LOGITS_AT_ONCE = 32 }; /* positions */

struct part {
    const struct rerun *r;
    uint32_t done, tokens;
};

static int tell(void *arg, const struct forward_progress *p)
{
    const struct part *part = arg;
    const struct rerun *r = part->r;
    double layer = (p->layer + 1.0) / p->layers;
    double tokens = (part->done - r->from) + part->tokens * ((p->tokens - 1.0 + layer) / p->all_tokens);
    return r->watch->progress(r->watch->arg, tokens / (r->n - r->from));
}

/* Positions [at, to), with logits or without. */
static int run_part(struct rerun *r, uint32_t at, uint32_t to, float *logits, uint32_t vocab, struct err *e)
{
    struct part part = {r, at, to - at};
    struct forward_watch watch = {.progress = tell, .arg = &part};
    struct forward_job job = {.tokens = r->tokens + at, .n = to - at, .start = at, .past_rows = r->row,
                              .new_rows = r->row + at, .want = logits != NULL ? LOGITS_ALL : LOGITS_NONE,
                              .logits = logits, .lora = r->lora};
    bool watched = r->watch != NULL && r->watch->progress != NULL;
    enum forward_status rc = forward_run(r->forward, &job, 1, watched ? &watch : NULL, NULL, e);
    if (rc == FORWARD_NO_ROWS)
        return err_memory(e, kvrows_row_bytes(r->rows), "another KV row");
    for (uint32_t p = at; rc == FORWARD_OK && logits != NULL && p < to; p++)
        r->logits(r->ctx, p, logits + (size_t)(p - at) * vocab, vocab);
    return rc == FORWARD_OK ? 0 : rc == FORWARD_CANCELLED ? 1 : -1;
}

int rerun_run(struct rerun *r, uint32_t vocab, struct err *e)
{
    uint32_t quiet = r->logits == NULL || r->first > r->n ? r->n : r->first > r->from ? r->first : r->from;
    float *logits = NULL;
    int rc = 0;
    for (uint32_t p = r->from; p < r->n; p++)
        r->row[p] = 0;
    r->begun = true;
    if (quiet < r->n && (logits = xmalloc((size_t)LOGITS_AT_ONCE * vocab * sizeof *logits)) == NULL)
        return err_memory(e, (size_t)LOGITS_AT_ONCE * vocab * sizeof *logits, "logits");
    if (quiet > r->from)
        rc = run_part(r, r->from, quiet, NULL, vocab, e);
    for (uint32_t at = quiet; rc == 0 && at < r->n; at += LOGITS_AT_ONCE) {
        uint32_t to = r->n - at < LOGITS_AT_ONCE ? r->n : at + LOGITS_AT_ONCE;
        rc = run_part(r, at, to, logits, vocab, e);
    }
    xfree(logits);
    return rc;
}

void rerun_done(struct rerun *r)
{
    for (uint32_t p = r->from; r->begun && p < r->n; p++) {
        if (r->row[p] != 0)
            kvrows_release(r->rows, r->row[p]);
        r->row[p] = 0;
    }
}
