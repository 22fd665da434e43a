/* evidence.h: what was found out by computing something once more: plain tables, made by the engine
 * (engine/proof.h, engine/poison.h), held by recordings, drawn by views.
 *
 *      struct proof     one request, cached run beside cold run, layer by layer
 *      struct effect    one poisoned row: which requests' next tokens it changes
 */
#ifndef RADIXSCOPE_TAPE_EVIDENCE_H
#define RADIXSCOPE_TAPE_EVIDENCE_H

#include "tape/observation.h"

/* Two tables of floats, held against each other bit by bit. */
struct difference {
    double max;              /* largest |a - b|; NaN if one is */
    uint32_t differing_low, differing_high; /* how many floats differ in a bit: low and high 32 bits */
    uint32_t position;       /* the first that does, by position, then */
    uint32_t part;           /* ROW_K before ROW_V (logits: 0), */
    uint32_t head, dim;      /* (logits: head 0, dim the token's id) */
    uint32_t cached, cold;   /* its bits on either side */
};

struct proof {
    int32_t branch;
    uint32_t step, rid;      /* the request's last pass, a KV_WRITE */
    uint32_t fast;           /* 1: both sides were computed in fast mode */
    uint32_t n, cached;      /* positions compared; of them, came from the cache */
    uint32_t sampled;        /* positions whose next token was compared, */
    uint32_t same_tokens;    /* of them, with the same best one */
    uint32_t layers;         /* entries of `layer`, without the last */
    struct difference *layer; /* (layers + 1) owned; the last one: the logits of the sampled positions */
};

struct effect_request {
    uint32_t rid, label, step; /* its first pass, PREFILL */
    uint32_t reads;          /* spoiled rows among those that it read from the cache */
    uint32_t clean, spoiled; /* the best next token where they first differ, else after the prompt */
    uint32_t position;       /* the next token's position, */
    uint32_t sample;         /* and the step that sampled it (0: none) */
    uint32_t changed;        /* next tokens that are another one, */
    uint32_t sampled;        /* of so many */
    double max;              /* largest difference of a logit */
};

struct effect {
    int32_t branch;          /* of the requests */
    uint32_t step;           /* POISON or SHARE, on its own branch */
    uint32_t slot;
    uint32_t ran_spoiled;    /* 1: the requests ran behind it, the clean side was computed; 0: the other way round */
    uint32_t count;
    struct effect_request *request; /* (count) owned; in the order of arrival */
};

/* What can be asked of whoever has an engine, or a recording that was made with answers. */
enum inquiry_about { ASK_NOTHING, ASK_PROOF, ASK_EFFECT };

struct inquiry {
    enum inquiry_about about;
    int branch;
    uint32_t rid;            /* of a proof */
    bool fast;
    uint32_t step;           /* of an effect: POISON or SHARE on that branch */
};

enum answer_state { ANSWER_NONE, ANSWER_WAITING, ANSWER_READY, ANSWER_FAILED };

struct answer {
    enum answer_state state;
    double done;             /* while waiting: 0 … 1 */
    struct proof proof;      /* ready: one of these, owned */
    struct effect effect;
    char why[256];           /* failed: one sentence */
};

bool inquiry_same(const struct inquiry *a, const struct inquiry *b);
/* The last POISON or SHARE up to step `at`; 0: none. */
uint32_t effect_find(const struct tape *t, int branch, uint32_t at);

void answer_done(struct answer *a);
int answer_copy(struct answer *to, const struct answer *from);

static inline uint64_t difference_count(const struct difference *d)
{
    return (uint64_t)d->differing_high << 32 | d->differing_low;
}

void proof_done(struct proof *p);
void effect_done(struct effect *f);
int proof_copy(struct proof *to, const struct proof *from);    /* -1: no memory */
int effect_copy(struct effect *to, const struct effect *from);

/* Compare `a` (cached) and `b` (cold), (n) each, into d; `position`, `part`, `width` (floats of a head; n: there
 * are no heads) say where they stand. Call in the order of positions, K before V. */
void difference_add(struct difference *d, const float *a, const float *b, uint32_t n, uint32_t position, uint32_t part,
                    uint32_t width);

#endif
