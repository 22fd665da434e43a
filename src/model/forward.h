/* forward.h: the transformer. Tokens and the rows of everything before them in, rows and logits out.
 *
 *   tokens ─ embed ─┬─ norm ─ q,k,v ─ rope ─ attention ─ o ─ + ─┬─ norm ─ MLP ─ + ─┐ … norm ─ head → logits
 *                   └──────────────────────────────────────────┘└─────────────────┘ x layers
 *                                  │ new rows (K after RoPE, V)
 *                                  ▼
 *                   kvrows ─ read through row indices, in any order in the store
 *
 * EXACT mode: a token's logits depend on the tokens before it and on nothing else, to the last bit. Not
 * on how prefill was split, not on what came from a cache, not on other sequences in the batch, not on
 * threads. Every sum is taken in an order fixed by absolute positions and weight indices alone.
 * FAST mode: OpenBLAS in whatever shape is quickest, or the kernels where they are quicker; equal within
 * rounding (about 1e-4 in a logit).
 *
 * A struct forward is scratch memory for one thread at a time; several may share a model and a row store.
 */
#ifndef RADIXSCOPE_MODEL_FORWARD_H
#define RADIXSCOPE_MODEL_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/kvrows.h"
#include "model/model.h"

struct lora; /* lora.h */

enum forward_mode { FORWARD_EXACT, FORWARD_FAST };
enum forward_logits { LOGITS_NONE, LOGITS_LAST, LOGITS_ALL };

enum forward_status {
    FORWARD_OK = 0,
    FORWARD_ERROR = -1, /* *e says why */
    FORWARD_CANCELLED = 1,
    FORWARD_NO_ROWS = 2 /* the row store is full (its cap, or no memory for it) */
};

enum probe_what {
    PROBE_ATTENTION, /* (head, position + 1): softmax weights of the probed token */
    PROBE_RESIDUAL   /* (dim): the residual stream behind the layer */
};

struct forward_probe {
    enum probe_what what;
    uint32_t layer, job, position;
    const float *data; /* (rows, columns), valid during the call */
    uint32_t rows, columns;
};

struct forward_progress {
    uint32_t layer, layers;      /* this layer (from 0) of so many is done … */
    uint32_t tokens, all_tokens; /* … for the tokens up to here, of so many in the run */
};

/* One sequence of a batch. */
struct forward_job {
    const uint32_t *tokens;    /* (n) ids to compute, n >= 1 */
    uint32_t n;
    uint32_t start;            /* absolute position of tokens[0] */
    const uint32_t *past_rows; /* (start) the row of every earlier position */
    uint32_t *new_rows;        /* (n) out: the rows of the new tokens; zeros unless FORWARD_OK */
    enum forward_logits want;
    float *logits;             /* (1, vocab) for LOGITS_LAST, (n, vocab) for LOGITS_ALL, else unused */
    const struct lora *lora;   /* an adapter of this model, NULL: none. past_rows are its own rows */
};

/* What the caller wants to see while a run is under way; any pointer may be NULL. */
struct forward_watch {
    /* After every layer. Nonzero cancels the run: nothing is kept, all its new rows are released. */
    int (*progress)(void *arg, const struct forward_progress *p);
    /* For the last new token of every job, after every layer. */
    void (*probe)(void *arg, const struct forward_probe *p);
    void *arg;
};

struct forward_stats {
    uint64_t flops;      /* by the formula of forward_flops */
    uint32_t tokens;     /* computed */
    /* Attention over a shared prefix (cascade.h), of the last pass: */
    uint32_t shared_jobs;      /* jobs in the largest group that read a prefix together; 0: nobody shared */
    uint32_t shared_positions; /* its length */
    uint64_t rows_read;        /* KV rows that attention read in each layer, in all passes, ... */
    uint64_t rows_alone;       /* ... and what the jobs would have read one by one */
};

struct forward;

/* Scratch for running m with its rows in `rows` (of the same config). The first call for a mode prepares
 * the weights, which takes a while for large models and finds NaNs in them. threads: 0 or 1 means one. */
struct forward *forward_new(const struct model *m, struct kvrows *rows, enum forward_mode mode, unsigned threads,
                            struct err *e);
void forward_free(struct forward *f);
enum forward_mode forward_get_mode(const struct forward *f);

/* Read a prefix that several jobs of a batch share once (cascade.h; the default), or for each job again. The bits
 * are the same. With BLAS_TILE, whose rows have gaps, nothing is shared. */
void forward_share(struct forward *f, bool share);

/* The mode a model gets unless the user chooses: exact under 50 million parameters. */
enum forward_mode forward_default_mode(const struct model_config *c);

/* Compute a batch of n_jobs sequences in one pass. watch and stats may be NULL. On anything but FORWARD_OK
 * no row is kept. Positions beyond the model's context and ids beyond its vocabulary are errors. */
enum forward_status forward_run(struct forward *f, struct forward_job *jobs, uint32_t n_jobs,
                                const struct forward_watch *watch, struct forward_stats *stats, struct err *e);

/* Floating-point operations (a multiply-add counts two) for computing n tokens behind `start` earlier ones,
 * with the logits of `logit_rows` of them:
 *
 *   n x layers x 2 x (dim x (heads + 2 kv_heads) x head_dim + heads x head_dim x dim + m x dim x hidden)
 *   + layers x 4 x heads x head_dim x (sum over the n tokens of position + 1)
 *   + logit_rows x 2 x dim x vocab
 *
 * with m = 3 matrices in a SwiGLU MLP and 2 in GPT-2's. Norms, RoPE and activations are left out. A run counts
 * n x lora_flops besides for a job with an adapter. */
uint64_t forward_flops(const struct model_config *c, uint32_t n, uint32_t start, uint32_t logit_rows);

#endif
