/* tape.h: the only writer of the world, and its memory of every write.
 *
 * The engine runs one operation to its end in plain C. Each change goes through W_SET, which journals
 * {word, before, after}; each teachable moment closes a step with EMIT. Whoever moves in time applies
 * `after` words forwards or `before` words backwards: no engine code runs, nothing is computed again.
 *
 *      position 0      step 1          step 2              step 3
 *      (as made) ──[w3: 0→7 w9: 1→2]──[w3: 7→8]──[w12…w211: a run of 200]── …
 *                  kind MATCH          kind WALK  kind FREE
 *
 * Position p is the world after step p. The words of one step are disjoint and ordered; neighbouring
 * words form one run, and a run whose values rise by a constant (a list of slots usually does) is kept
 * as first value and stride, so that freeing 200 slots costs four words, not 400.
 *
 * Branches: acting while rewound begins another branch. A branch keeps its own steps and knows where it
 * left its parent; nothing is ever overwritten.
 *
 *      branch 0   1 ── 2 ── 3 ── 4 ── 5          "step n of branch b" walks to the parent when
 *      branch 1        └──── 3'── 4'             n is not beyond the fork
 *
 * Threads: one thread owns the tape and writes. Other threads read steps up to tape_length() of a
 * branch, which only grows, and keep a world of their own (struct cursor). Chunks never move.
 *
 * Off (tape_record(t, false)): W_SET is a plain store, EMIT does nothing; the same engine runs at full
 * speed without history.
 *
 * Seeking far leaps over blocks of merged changes (skip.h) and walks the rest.
 *
 * Memory is taken before anything changes: tape_room() makes room for the writes to come or fails with
 * the world untouched; W_SET without room is a programmer's error.
 */
#ifndef RADIXSCOPE_TAPE_TAPE_H
#define RADIXSCOPE_TAPE_TAPE_H

#include "tape/event.h"
#include "tape/world.h"

struct tape; /* opaque */

struct step {            /* one step as a reader sees it */
    uint16_t kind;       /* enum event_kind */
    uint8_t depth;       /* enum depth */
    bool settled;        /* an operation ends here: every invariant holds */
    uint8_t nargs;
    uint32_t arg[EVENT_ARGS];
    uint32_t words;      /* words of the world that it changed */
};

/* What hangs on a step without being part of the world. */
enum observation_kind { OBS_CANDIDATES = 1, OBS_LOGITS, OBS_ATTENTION };

struct observation {
    uint32_t kind;       /* enum observation_kind */
    uint32_t bytes;
    const void *data;    /* owned by the tape; never changes */
};

/* OBS_CANDIDATES: the best victims in order when evict began (the rest follows from the world). */
struct obs_candidate {
    uint32_t node, id, units, locked;
    double key[2];       /* the policy's key; smallest goes first */
};

/* OBS_LOGITS: the best next tokens. */
struct obs_logit {
    uint32_t token;
    float logit, probability; /* the plain softmax's */
};

/* A tape with a world made as cfg says. Recording is on. NULL and *e on failure. */
struct tape *tape_new(const struct world_config *cfg, struct err *e);
void tape_free(struct tape *t);

const struct world *tape_world(const struct tape *t); /* where the engine stands */
struct store *tape_store(struct tape *t);
struct scene tape_scene(const struct tape *t);

/* ---- writing (the owner's thread) -------------------------------------------------------------- */

void tape_record(struct tape *t, bool on);  /* only between operations; switching off forgets history */

/* Room for `writes` more W_SETs and `steps` more EMITs. false: no memory or history is full. */
bool tape_room(struct tape *t, uint32_t writes, uint32_t steps);

/* An operation: everything between begin and commit becomes visible at once, or is rolled back. They
 * nest; the outermost pair counts. */
void tape_begin(struct tape *t);
void tape_commit(struct tape *t);
/* Undo everything since the outermost begin. Whatever is derived from the world must be rebuilt. */
void tape_rollback(struct tape *t);
bool tape_in_operation(const struct tape *t);

/* What a tape begins with: all that W_SET and EMIT need, so that they cost a store when nothing records. */
struct pending {             /* a change of the step that is being made */
    uint32_t at, before, after;
};

struct tape_pen {
    struct world *w;
    struct pending *pending;
    uint32_t pending_n, room; /* room: 0 outside operations */
    bool recording;
};

/* Change one word of the world. The only place in the program that writes through a const pointer. */
#define W_SET(t, place, value) tape_set((t), &(place), (uint32_t)(value))
static inline void tape_set(struct tape *t, const uint32_t *place, uint32_t value)
{
    struct tape_pen *pen = (struct tape_pen *)t;
    if (pen->recording && *place != value) {
        ASSERT(pen->pending_n < pen->room); /* tape_room and tape_begin come first */
        pen->pending[pen->pending_n++] = (struct pending){(uint32_t)(place - pen->w->word), *place, value};
    }
    *(uint32_t *)place = value;
}

static inline bool tape_recording(const struct tape *t)
{
    return ((const struct tape_pen *)t)->recording;
}

/* Close a step. EMIT(t, SPLIT, node, upper, at, …): the arguments of the event table, in its order. They
 * are not even looked at when nothing records. */
#define EMIT(t, kind, ...)                                                                   \
    (tape_recording(t) ? tape_emit((t), EV_##kind, (const uint32_t[]){__VA_ARGS__},          \
                                   sizeof((const uint32_t[]){__VA_ARGS__}) / 4)              \
                       : (void)0)
void tape_emit(struct tape *t, unsigned kind, const uint32_t *args, size_t nargs);

/* Hang an observation on the next step to be closed. Copies the bytes; dropped when out of memory,
 * because nothing depends on it. */
void tape_observe(struct tape *t, unsigned kind, const void *bytes, size_t n);

/* Space for n units in the store: returns the offset, UINT32_MAX when it is full. While recording, what
 * any branch names is never reused. */
uint32_t tape_tokens_new(struct tape *t, uint32_t n);
uint32_t tape_values_new(struct tape *t, uint32_t n);

/* Limit of history in bytes, observations included (0: none). Reached: tape_room fails, *full says so. */
void tape_limit(struct tape *t, size_t bytes);
/* The same by the number of a step: no operation begins or goes on behind it. 0: none. */
void tape_limit_steps(struct tape *t, uint32_t steps);
bool tape_full(const struct tape *t);

/* Move the owner's world to position `at` of `branch` and act from there: if that is not the end of the
 * branch, the next operation begins a new branch. Between operations only. Returns the branch that
 * will be written (== `branch` at its end). */
int tape_act_at(struct tape *t, int branch, uint32_t at, struct err *e);

/* ---- reading (any thread) ----------------------------------------------------------------------- */

int tape_branches(const struct tape *t);
int tape_branch(const struct tape *t);               /* the branch being written */
int tape_parent(const struct tape *t, int branch, uint32_t *at); /* parent and fork position; -1 for branch 0 */
uint32_t tape_length(const struct tape *t, int branch);          /* steps from position 0 to its end */
void tape_step(const struct tape *t, int branch, uint32_t n, struct step *out); /* 1 <= n <= length */
/* The i-th observation of a step; false when there is none. */
bool tape_observation(const struct tape *t, int branch, uint32_t n, uint32_t i, struct observation *out);
/* Calls `visit` for each run of words that step n changed. */
typedef void (*run_visitor)(void *ctx, uint32_t word, uint32_t count);
void tape_changes(const struct tape *t, int branch, uint32_t n, run_visitor visit, void *ctx);
size_t tape_bytes(const struct tape *t); /* of the journal; observations apart; the owner's thread */
size_t tape_observation_bytes(const struct tape *t);
size_t tape_skip_bytes(const struct tape *t); /* of the skip index; part of tape_bytes */

/* The nearest step after (dir = +1) or before (dir = -1) position `from` whose depth is at most `depth`;
 * forwards: the last step of the branch if there is none, backwards: 0. */
uint32_t tape_find_depth(const struct tape *t, int branch, uint32_t from, int dir, int depth);

/* Out of what step n is a part of: the last step of its operation; from there, the last one before the next request; from
 * there, that of the next request. n at the end of the branch. */
uint32_t tape_out(const struct tape *t, int branch, uint32_t n);
/* And back: the first step of its operation; from there, of its request; from there, of the one before. 0: there is none. */
uint32_t tape_out_back(const struct tape *t, int branch, uint32_t n);

/* The operation that step n is a part of: n itself, or the nearest operation before it that it can belong
 * to. (A KV write after an allocation belongs to the prefill or decode around both.) 0: none. */
uint32_t tape_operation(const struct tape *t, int branch, uint32_t n);
/* The nearest step of kind `kind` (or whose settled flag is set, kind = -1); 0 when there is none. */
uint32_t tape_find_kind(const struct tape *t, int branch, uint32_t from, int dir, int kind);
/* The step at which request number `rid` of this branch arrives; 0: it is not there. Numbers go up by one from
 * where the branch begins; what a trace skipped (EV_SKIPPED) counts. */
uint32_t tape_find_request(const struct tape *t, int branch, uint32_t rid);

/* ---- a world of one's own ----------------------------------------------------------------------- */

/* A reader's world at a position of a branch. The tape must outlive it. */
struct cursor {
    const struct tape *tape;
    struct world *w;     /* read it const: cursor_scene() */
    int branch;
    uint32_t at;
};

int cursor_init(struct cursor *c, const struct tape *t, struct err *e); /* at position 0 of branch 0 */
void cursor_done(struct cursor *c);
/* Go to position `at` (clipped to the length) of `branch`. Costs the words between, or a skip. */
void cursor_seek(struct cursor *c, int branch, uint32_t at);
struct scene cursor_scene(const struct cursor *c);

#endif
