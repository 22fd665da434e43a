/* inside.h: pretended rows and answers for the views into the model: floats that follow from row, layer and part
 * alone, a proof with one flipped bit (none in exact mode), the reach of a spoiled row. Included by tests of ui/.
 */
#ifndef RADIXSCOPE_TESTS_UI_INSIDE_H
#define RADIXSCOPE_TESTS_UI_INSIDE_H

#include <math.h>

#include "base/xalloc.h"
#include "tests/ui/scene.h"

enum { INSIDE_LAYERS = 4, INSIDE_HEADS = 4, INSIDE_KV = 2, INSIDE_DIM = 8, INSIDE_WIDTH = INSIDE_HEADS * INSIDE_DIM };

/* Floats between -2 and 2 for a row; the same for the same question. */
static const float *inside_row(const void *ctx, uint32_t row, uint32_t layer, enum row_part part)
{
    static _Thread_local float at[4][INSIDE_WIDTH];
    static _Thread_local unsigned next;
    float *out = at[next++ % 4];
    (void)ctx;
    uint32_t x = row * 2654435761u ^ layer * 40503u ^ (uint32_t)part * 97u;
    for (int i = 0; i < INSIDE_WIDTH; i++) {
        x = x * 1664525u + 1013904223u;
        out[i] = (float)(x >> 8) / (float)(1 << 22) - 2.0f;
    }
    return out;
}

static bool inside_observed(void *ctx, struct observed *out)
{
    (void)ctx;
    *out = (struct observed){.shape = {INSIDE_LAYERS, INSIDE_HEADS, INSIDE_KV, INSIDE_DIM, 32, 96, 3, 2048},
                             .row = inside_row};
    return true;
}

static int inside_ask(void *ctx, const struct inquiry *q, struct err *e)
{
    (void)ctx;
    (void)q;
    (void)e;
    return 0;
}

static int inside_proof(const struct inquiry *q, struct proof *p)
{
    *p = (struct proof){.branch = q->branch, .step = 20, .rid = q->rid, .fast = q->fast, .n = 39, .cached = 29,
                        .sampled = 4, .same_tokens = 4, .layers = INSIDE_LAYERS};
    p->layer = xcalloc(INSIDE_LAYERS + 1, sizeof *p->layer);
    for (int l = 1; q->fast && l <= INSIDE_LAYERS; l++)
        p->layer[l] = (struct difference){.max = l * 3.1e-7, .differing_low = 17u * (uint32_t)l, .position = 30, .head = 1,
                                          .part = ROW_K, .dim = 5, .cached = 0x3f800001u, .cold = 0x3f800000u};
    return p->layer != NULL ? 0 : -1;
}

static int inside_effect(const struct inquiry *q, struct effect *f)
{
    static const struct effect_request ROWS[2] = {
        {.rid = 2, .step = 50, .reads = 1, .clean = 3, .spoiled = 7, .position = 36, .sample = 0, .changed = 2,
         .sampled = 6, .max = 21.5},
        {.rid = 3, .step = 90},
    };
    *f = (struct effect){.branch = q->branch, .step = q->step, .slot = 3, .ran_spoiled = 1, .count = 2};
    f->request = xmemdup(ROWS, sizeof ROWS);
    return f->request != NULL ? 0 : -1;
}

/* ctx: a double, what is done (below 1: still waiting); NULL: all. */
static int inside_answer(void *ctx, const struct inquiry *q, struct answer *out)
{
    *out = (struct answer){.state = ANSWER_READY};
    if (ctx != NULL && *(double *)ctx < 1) {
        out->state = ANSWER_WAITING;
        out->done = *(double *)ctx;
        return 0;
    }
    return q->about == ASK_PROOF ? inside_proof(q, &out->proof) : inside_effect(q, &out->effect);
}

static inline struct ui_evidence inside_evidence(double *done)
{
    return (struct ui_evidence){.observed = inside_observed, .ask = inside_ask, .answer = inside_answer, .ctx = done};
}

/* The three requests, with rows; after the first, somebody spoils the third slot. */
static inline void scene_inside(struct stage *g)
{
    stage_open(g, 128, 1, "shared system prompt");
    g->observe = true;
    stage_request(g, SCENE_SYSTEM " What color is the clear sky? <|assistant|>", "The sky is blue. <|end|>");
    stage_begin(g, 4);
    W_SET(g->t, g->c.w->kv[3], ++g->kv | KV_SPOILED);
    EMIT(g->t, POISON, 3, 31, 64, 0, 0, g->kv, 3);
    cache_end(&g->c);
    stage_request(g, SCENE_SYSTEM " Where do the small fish live? <|assistant|>", "They live in water. <|end|>");
    stage_request(g, SCENE_SYSTEM " What sound do most cats make? <|assistant|>", "They say meow. <|end|>");
    g->feed.evidence = inside_evidence(NULL);
}

static inline void scene_not_recorded(struct stage *g)
{
    scene_inside(g);
    g->feed.evidence = (struct ui_evidence){.recording = true};
}

#endif
