/* engine.h: the life of a request, from arrival to insertion (sglang §4), on a real transformer.
 *
 *      arrive ─ match_prefix ─ inc_lock_ref ─ alloc (evict on demand) ─ prefill ─ cache_unfinished_req
 *        └─ decode … decode ─ cache_finished_req (insert, duplicates freed) ─ dec_lock_ref
 *
 * The engine owns a tape (the world and its history), the cache that works on it, and, when it has a
 * model, the KV rows and one forward pass. It is driven from one thread. Each operation becomes visible
 * to readers of the tape when it is complete; a request is many operations, so that a screen can follow.
 *
 * Without a model the cache's own operations still run: match, insert and evict on token ids.
 *
 * Adapters (model/lora.h) change keys and values, so a request with one lives in a namespace of its own: its
 * extra_key with the adapter's name appended, without a separator, as SGLang appends the LoRA id. (So "a" with
 * adapter "b" and "ab" without one meet, here as there.)
 *
 * Positions and slots: position p of a request lives in slot row_slot[row_off + p]; the KV row behind a
 * slot is kv[slot]. The model is given KV rows, never slots: it does not know the cache.
 */
#ifndef RADIXSCOPE_ENGINE_ENGINE_H
#define RADIXSCOPE_ENGINE_ENGINE_H

#include "base/err.h"
#include "tape/tape.h"

struct engine; /* opaque */
struct model;
struct kvrows;
struct forward;
struct lora;
struct sample_params;

struct engine_config {
    struct world_config world;
    struct model *model;      /* borrowed, must outlive the engine; NULL: no model */
    bool fast;                /* plain sgemm instead of exact mode (design §6) */
    int threads;              /* fast mode only; 0 = 1 */
    uint32_t chunk;           /* tokens of a prefill chunk, 0 = whole prompts (chunked_prefill_size) */
};

/* One request. Pointers are borrowed for the call. */
struct request_spec {
    const uint32_t *ids;      /* (n) prompt tokens */
    uint32_t n;
    uint32_t max_new;         /* at most this many new tokens, the end token included */
    const char *extra_key;    /* namespace, NULL = none */
    const char *session;      /* NULL = none */
    int32_t priority;
    const char *label;        /* what people call it, NULL = nothing */
    bool no_insert;           /* finish without inserting */
    const struct lora *lora;  /* an adapter of the engine's model, NULL = none */
    /* For lessons: leave the adapter's name out of the namespace. The request then reads rows that were
     * computed without it and leaves its own to others; logit_diff and a note say what that does. */
    bool shared_namespace;
    /* What it answers depends on these, the seed among them, and on its prompt: never on the cache or on what
     * ran before. */
    const struct sample_params *sampling; /* NULL: greedy */
    const char *const *stops; /* (n_stops) the answer ends where one of these stands in its text, whole */
    uint32_t n_stops;
    /* Called with the logits (vocab) of every computed position, in order; NULL: none wanted. */
    void (*logits)(void *ctx, uint32_t position, const float *logits, uint32_t vocab);
    void *logits_ctx;
};

enum outcome { OUTCOME_DONE, OUTCOME_REFUSED, OUTCOME_CANCELLED };

struct request_report {
    enum outcome outcome;
    uint32_t request;         /* index in the world */
    uint32_t prompt_tokens, cached_tokens, computed_tokens; /* of the prompt */
    uint32_t generated_tokens;                               /* the end token included */
    uint32_t reason;          /* enum finish_reason */
    uint32_t text_len;        /* FINISH_STOP: so many bytes of the answer's text stand before the stop string */
    double seconds;           /* wall time of the forward passes */
    double flops;             /* floating point operations of the forward passes, from the shapes */
    double logit_diff;        /* shared_namespace: how far a logit of the prompt's last position is off, at most */
    char why[256];            /* one sentence when refused */
};

struct engine *engine_new(const struct engine_config *cfg, struct err *e);
void engine_free(struct engine *en);

struct tape *engine_tape(struct engine *en);
struct cache *engine_cache(struct engine *en);
struct kvrows *engine_kvrows(struct engine *en);   /* NULL without a model */
struct forward *engine_forward(struct engine *en, struct err *e); /* made now if it must be; NULL and *e */
/* The adapter of this name (in the store) that a request had; NULL: none. */
const struct lora *engine_adapter(const struct engine *en, uint32_t name);
const struct engine_config *engine_get_config(const struct engine *en);

/* Run one request to its end. 0 and *out filled (also when refused or cancelled), or -1 and *e: nothing
 * of the failed operation remains. */
int engine_request(struct engine *en, const struct request_spec *spec, struct request_report *out,
                   struct err *e);

/* The generated token ids of a request: *n of them, in the world's row. */
const uint32_t *engine_generated(const struct engine *en, uint32_t request, uint32_t *n);

/* What people call the key of the next match, insert or lock: sentences quote it. NULL: nothing. Stays
 * until it is set again. */
int engine_name_key(struct engine *en, const char *text, struct err *e);

/* The cache's own operations, as a learner types them. Tokens are (n) ids.
 * insert: match, take slots for the rest (evicting on demand), insert, free duplicates; *added new units.
 * Returns 0, 1 when the pool is too small (shown as a step), or -1 and *e. */
int engine_insert(struct engine *en, const uint32_t *ids, uint32_t n, const char *extra_key, int32_t priority,
                  uint32_t *matched, uint32_t *added, struct err *e);
int engine_match(struct engine *en, const uint32_t *ids, uint32_t n, const char *extra_key, uint32_t *matched,
                 uint32_t *node, struct err *e);
int engine_evict(struct engine *en, uint32_t units, uint32_t *freed, struct err *e);
/* Take the tokens from position `keep` on out of the tree, whatever a policy would say: recordings of servers tell
 * what went. They must stand there, be a leaf's end and unlocked. -1 and *e otherwise, with nothing changed. */
int engine_remove(struct engine *en, const uint32_t *ids, uint32_t n, uint32_t keep, const char *extra_key,
                  uint32_t *freed, struct err *e);
/* Lock what a match of these tokens finds; *node names it for engine_unlock. */
int engine_lock(struct engine *en, const uint32_t *ids, uint32_t n, const char *extra_key, uint32_t *node,
                struct err *e);
int engine_unlock(struct engine *en, uint32_t node, struct err *e);
/* Under which name the next lock or unlock holds; it counts for one. NULL: nobody's. */
int engine_name_holder(struct engine *en, const char *name, struct err *e);
int engine_reset(struct engine *en, struct err *e);
/* Change the eviction policy from the next operation on. */
int engine_set_policy(struct engine *en, uint32_t policy, struct err *e);
/* A step that only says something (a script's `say`). */
int engine_note(struct engine *en, const char *text, struct err *e);

/* From any thread: end the forward pass that is running; its request (or, between two, the next one)
 * ends with OUTCOME_CANCELLED. */
void engine_cancel(struct engine *en);

/* Act from another moment of the history (tape_act_at) and make ready for it. */
int engine_act_at(struct engine *en, int branch, uint32_t at, struct err *e);

#endif
