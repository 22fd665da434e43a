/* moment.h: one moment of the tape, made ready for drawing. The only thing that views read.
 *
 *        tape  … ── step at-1 ── step at ── …
 *                        |            |
 *                     "before"      "now" ──> world, who owns each slot, the request, the path,
 *                        └──── compared ────> what this step changed, value before and now
 *
 * A moment depends on (tape, branch, at) alone, never on where the cursor was before: that is why a
 * screen looks the same from either side.
 *
 * The current request is the one that the step's operation is about; between requests, nobody. The path is
 * what that request (or the key of a bare match or insert) shares with the tree at this moment: it grows
 * with the walk, so that the screen does not give away what the next step will find.
 *
 * A key that was typed (insert, match, lock without a request) has a command around its operations, which
 * no step of its own begins: it reaches from its match_prefix to the next settled step.
 *
 *      match_prefix "cherry" … matched │ alloc │ evict … evicted │ take │ insert … inserted
 *      KEY_LOOKING      then KEY_LOOKED│    KEY_NEEDS            │    KEY_TAKEN    then KEY_IN
 */
#ifndef RADIXSCOPE_UI_MOMENT_H
#define RADIXSCOPE_UI_MOMENT_H

#include "tape/check.h"
#include "ui/feed.h"

/* Owner of a slot: a node's index, OWNER_REQUEST + a request's, or one of these. ROOT owns nothing, 0 is no
 * node. (pool_owners of check.h knows settled moments; here every event has its picture.) */
#define OWNER_FREE 0u
#define OWNER_TRANSIT 1u             /* taken, not yet anybody's: what is being inserted without a request */

enum {
    SLOTS_DRAWN = 1 << 18,           /* larger pools are shown as proportions, not slot by slot */
    TOUCHED_NODES = 512,             /* a step that changes more shows the first ones */
};

struct touched {                     /* a node that the step changed */
    uint32_t node, fields;           /* bit i: word i of struct node */
    uint32_t before[sizeof(struct node) / 4];
};

enum key_state { KEY_LOOKING, KEY_LOOKED, KEY_NEEDS, KEY_FAILED, KEY_TAKEN, KEY_IN };

struct typed_key {                   /* the key of the command that the step is part of */
    uint32_t begin;                  /* the command's first step, 0: none */
    uint32_t name;                   /* its text in the store, 0: not known */
    uint32_t units, of;              /* tokens that are looked for, of all */
    uint32_t found;                  /* of them, in the tree before the command */
    enum key_state state;
};

struct moment {
    const struct tape *tape;
    const struct ui_words *words;
    struct scene sc;
    int branch;
    uint32_t at, length;             /* at 0: before the first step */
    struct step step, op;            /* op: the operation that the step is part of */
    uint32_t op_at;                  /* 0: none */
    uint32_t request;                /* index, 0: none */
    struct request request_was;      /* before the step */
    struct typed_key key;            /* key.begin 0: the step is part of no such command */
    uint32_t tip;                    /* deepest node of the path, 0: no path */
    uint32_t matched;                /* tokens on the path */
    uint32_t gone;                   /* node that this step removed, 0: none */
    uint32_t *path;                  /* from the tip up, without the root */
    uint32_t path_n;
    struct touched *touched;         /* ascending by node */
    uint32_t touched_n;
    uint32_t *owner, *owner_before;  /* by slot number; NULL in a larger pool */
    uint32_t slots;                  /* pool + one page: slot numbers end here */
    size_t path_cap;
    uint32_t *now, *was;             /* the memory behind owner and owner_before */
};

/* Memory for the moments of one tape. -1 and *e without it. */
int moment_init(struct moment *m, const struct tape *tape, const struct ui_words *words, struct err *e);
void moment_done(struct moment *m);

/* Move `c` to step `at` of `branch` and read the moment there. Costs the words on the way. */
void moment_load(struct moment *m, struct cursor *c, int branch, uint32_t at);

bool moment_on_path(const struct moment *m, uint32_t node);
const struct touched *moment_touched(const struct moment *m, uint32_t node); /* NULL: not changed */
/* Did this step change this word of the node? `field` as in NODE_FIELD(lock_ref). */
bool moment_changed(const struct moment *m, uint32_t node, unsigned field);
/* Did it change anything but the node's place among its neighbours? Those get the mark '*'. */
bool moment_marked(const struct moment *m, uint32_t node);
#define NODE_FIELD(member) ((unsigned)(offsetof(struct node, member) / 4))

/* Of the tokens of m->key, how many new ones got slots. */
uint32_t moment_key_new(const struct moment *m);

/* The node that the step is about, or the tip; ROOT when there is none. */
uint32_t moment_focus(const struct moment *m);

/* Slots that requests hold (or that are on their way): pool - free - evictable - protected. */
uint32_t moment_held(const struct moment *m);

/* Append the text of n tokens, as it stands (words->bytes) or as numbers; stops after `limit` bytes. */
void moment_tokens(const struct moment *m, const uint32_t *token, uint32_t n, size_t limit, struct buf *b);


#endif
