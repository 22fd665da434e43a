/* observation.h: what the model saw at one of its passes, derived from the tape and from rows.
 *
 *      tape: PREFILL or DECODE … KV_WRITE (request, from, count) … SAMPLE
 *                                   │
 *      struct pass   0 ……… cached ……… from ……… n        positions; token, slot, row, owner of each
 *                    read from the    own,     computed
 *                    tree             earlier  by this pass
 *                                   │  + rows (queries, keys, values of a layer)
 *                                   ▼
 *      weights of any layer, head and query: softmax(q . k / sqrt(head_dim)) over keys 0 … query
 *
 * Weights are not stored: rows never change, so they are computed when somebody looks. Rows come from a live
 * engine or from a recording that holds them (struct observed); nothing here knows a model.
 */
#ifndef RADIXSCOPE_TAPE_OBSERVATION_H
#define RADIXSCOPE_TAPE_OBSERVATION_H

#include "tape/tape.h"

/* The numbers of a transformer that its rows and its FLOPs follow from. */
struct model_shape {
    uint32_t layers, heads, kv_heads, head_dim; /* heads is a multiple of kv_heads */
    uint32_t dim, hidden, matrices, vocab;      /* matrices: of an MLP, 3 (SwiGLU) or 2 */
};

enum row_part { ROW_Q, ROW_K, ROW_V, ROW_PARTS };

/* Where rows can be read. */
struct observed {
    struct model_shape shape;
    /* ROW_Q: (heads, head_dim), else (kv_heads, head_dim). NULL: not kept. Any thread, for rows that a world names. */
    const float *(*row)(const void *ctx, uint32_t row, uint32_t layer, enum row_part part);
    const void *ctx;
};

struct pass {
    uint32_t step, op, sample;  /* the KV_WRITE; its PREFILL or DECODE; the SAMPLE behind it (0: none) */
    int branch;
    uint32_t request, rid;
    uint32_t cached, from, n;   /* see above; at most `from` came from the tree */
    uint32_t prompt;            /* tokens of the prompt */
    uint32_t adapter;           /* name, 0: none */
    uint32_t *token, *slot;     /* (n) owned, as all of these */
    uint32_t *row;              /* (n) 0: none */
    uint32_t *owner;            /* (n) the node that holds it, 0: the request's own */
    bool *spoiled;              /* (n) KV_SPOILED */
    size_t cap;
};

/* The pass that step `at` is a part of, or the last one before it. 0; 1: there is none yet; -1 and *e. The cursor
 * is left at the pass's KV_WRITE. Start from a zeroed struct; pass_done frees it. */
int pass_find(struct pass *p, struct cursor *c, int branch, uint32_t at, struct err *e);

/* The last pass of request number `rid` on a branch; 1: there is none. */
int pass_last(struct pass *p, struct cursor *c, int branch, uint32_t rid, struct err *e);
void pass_done(struct pass *p);

/* The best next tokens after the pass; NULL and *n = 0: it sampled none. */
const struct obs_logit *pass_logits(const struct pass *p, const struct tape *t, uint32_t *n);

/* Softmax weights of position `query` (query < n) over keys 0 … query, into out (query + 1), in double precision
 * and rounded once. false: the queries or keys of a row were not kept. */
bool pass_attention(const struct pass *p, const struct observed *o, uint32_t layer, uint32_t head, uint32_t query,
                    float *out);

/* Floating point operations of one layer for n tokens behind `start` others; a multiply-add counts two. */
struct layer_flops {
    uint64_t qkv, attention, output, mlp;
};
struct layer_flops shape_flops(const struct model_shape *s, uint32_t n, uint32_t start);
uint64_t shape_head_flops(const struct model_shape *s, uint32_t rows); /* of the logits of so many positions */

/* Who reads row `row` behind `slot`, as position `position`: passes that find it there, one entry a request, in
 * order. Fills out[most], returns how many there are in all. */
struct reader_of_slot {
    uint32_t rid, step, op;     /* its first pass that reads it: KV_WRITE, PREFILL or DECODE */
    uint32_t label;
    bool writes;                /* this request computed it */
};
uint32_t slot_readers(struct cursor *c, uint32_t slot, uint32_t row, uint32_t position, struct reader_of_slot *out,
                      uint32_t most);

/* Which node's slot it is and which position it holds; false: no node and no running request has it. */
bool slot_place(struct scene sc, uint32_t slot, uint32_t *node, uint32_t *request, uint32_t *position, uint32_t *token);

#endif
