/* insight.h: what is inside the model at this moment: the forward pass of the step, the floats behind a slot, a
 * proof, the reach of a spoiled row. The lists that show them; --plain prints the same lines.
 *
 *      tape ── pass_find ──> struct pass ──┐
 *      feed ── observed ───> rows ─────────┼──> lists, heat map (view_attention.c)
 *      feed ── ask, answer > proof, effect ┘    computing … until the worker has it
 *
 * Nothing here runs a model: weights are a softmax over rows that never change (tape/observation.h).
 */
#ifndef RADIXSCOPE_UI_INSIGHT_H
#define RADIXSCOPE_UI_INSIGHT_H

#include "ui/feed.h"
#include "ui/list.h"

/* What is looked at; all of it is brought into bounds by insight_clip. */
struct look {
    uint32_t layer, head;     /* head: a query head */
    uint32_t query, key;      /* positions, in the heat map */
    uint32_t slot;            /* of the lens */
    uint32_t fast;            /* of the proof: 1 or 0 */
};

struct insight {
    const struct ui_evidence *feed;
    const struct ui_words *words;
    struct pass pass;
    int found;                /* of pass_find: 0, 1 none yet, -1 no memory */
    bool rows;                /* `observed` can be read */
    struct observed observed;
    struct inquiry question;
    struct answer answer;
};

/* Find the pass of step `at`. Moves the cursor there and back. */
void insight_load(struct insight *in, const struct ui_evidence *feed, const struct ui_words *words, struct cursor *c,
                  uint32_t at);
void insight_done(struct insight *in);
void insight_clip(const struct insight *in, struct look *k);

/* Ask (once) and take what is there: in->answer. */
void insight_ask(struct insight *in, const struct inquiry *q);

/* Why there are no floats to show, as a sentence; NULL: there are. */
const char *insight_missing(const struct insight *in);

/* Weights of a query over keys 0 … query, into out (query + 1); false: not kept. `query` is a position of the pass. */
bool insight_weights(const struct insight *in, uint32_t layer, uint32_t head, uint32_t query, float *out);

/* '=' read from the cache, '+' computed by an earlier pass of this request, '#' by this one, '!' spoiled. */
char insight_mark(const struct insight *in, uint32_t position, unsigned *role);

/* Append a token's text, quoted. */
void insight_token(const struct insight *in, uint32_t token, struct buf *b);

/* Layer by layer; list.here is the line of look.layer. */
void insight_forward(struct list *l, const struct insight *in, const struct tape *t, struct scene sc, const struct look *k);
void insight_logits(struct list *l, const struct insight *in, const struct tape *t);
/* The weights of every query of the pass as words: the strongest keys each. */
void insight_attention(struct list *l, const struct insight *in, const struct look *k);
/* The floats behind a slot, who wrote it and who reads it. `c` stands at the moment; it is moved and put back. */
void insight_lens(struct list *l, const struct insight *in, struct cursor *c, const struct look *k);
void insight_proof(struct list *l, const struct insight *in, struct scene sc);
void insight_effect(struct list *l, const struct insight *in, struct scene sc, int branch);

#endif
