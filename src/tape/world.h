/* world.h: everything that is true at one moment, as plain 32-bit words.
 *
 * The world is one mapping of words. It holds no pointer: nodes, requests and pages name each other by
 * index (0 = none), so a world can be compared with memcmp, saved with fwrite and moved in time by
 * writing old or new words into it. Everybody sees it `const`; only the tape (tape.h) writes it.
 *
 *      struct world (one address range, memory only where touched)
 *      +------+-----------------+--------------------+-------------+------------+---------------+
 *      | head | node[2 M] 80 B  | request[64 K] 128 B| page[32 M]  | kv[32 M]   | row token/slot|
 *      +------+-----------------+--------------------+-------------+------------+---------------+
 *      struct store (beside it, shared by every world of one tape, append-only while recording)
 *      +------------------+------------------+---------------------------+
 *      | token[] of edges | value[] of edges | names of namespaces, text |
 *      +------------------+------------------+---------------------------+
 *
 * An edge of the tree is an extent of token[] and one of value[] (the slots). Splitting a node changes
 * two offsets and two lengths; no token and no slot number is copied.
 *
 *      before   node 1  key_off 0 len 36            after   node 2  key_off  0 len 29   (upper)
 *      token[]  |----------------------|                    node 1  key_off 29 len 7    (lower)
 *
 * The arithmetic (checked by static assertions below and by tests/tape/test_world.c):
 *   nodes        2^21 x 80 B                 =  160 MiB   1,000,000 nodes touch 76 MiB
 *   pages        2^25 x  4 B                 =  128 MiB   one word a page: the next free page
 *   kv           2^25 x  4 B                 =  128 MiB   one word a slot: its immutable KV row
 *   rows         2^26 x  8 B                 =  512 MiB   token and slot of each request position
 *   requests     2^16 x 128 B                =    8 MiB, and 96 B each for the schedule
 *   tags         2^20 x 16 B                 =   16 MiB   sessions (sglang §5)
 *   store        2^28 x  8 B                 = 2048 MiB   edges: 8 B a token, never reused while recording
 * A tree of 10,000,000 tokens in 1,000,000 nodes: 80 B a node here + at most 80 B derived (index and
 * eviction order, src/cache) + 8 B a token. Page size 64 divides the page words by 64. A namespace is
 * one word a node. A fork appends to the store past every branch's high-water mark, so that no branch
 * loses what it names; with 2^28 units, 40,000 inserts of 6,000 new tokens fit before history is full.
 *
 * Invariants: world_check() re-derives them all (check.h).
 */
#ifndef RADIXSCOPE_TAPE_WORLD_H
#define RADIXSCOPE_TAPE_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    WORLD_NODES = 1 << 21,
    WORLD_REQUESTS = 1 << 16,
    WORLD_SLOTS = 1 << 25,
    WORLD_ROWS = 1 << 26,
    WORLD_TAGS = 1 << 20,
    WORLD_SESSIONS = 1 << 16,
    WORLD_CLOSED = 8192,         /* sessions remembered as closed (sglang §16) */
    STORE_UNITS = 1 << 28,
    ROOT = 1,                    /* index of the root node; 0 means "no node" */
};

#define KV_SPOILED 0x80000000u   /* in kv[slot]: spoiled on purpose, or another token's row (poison, share) */
#define FREE_END 0xffffffffu     /* page.next of the last free page; 0 = the page is in use */
#define ROOT_PRIORITY INT32_MIN  /* shown as SGLang's -(2^63 - 1) */

/* The rules that are simulated (issue: two rule sets, chosen at start). */
enum rules { RULES_CLASSIC, RULES_UNIFIED };                       /* sglang §2, §13 */
enum policy { POLICY_LRU, POLICY_LFU, POLICY_FIFO, POLICY_MRU, POLICY_FILO, POLICY_PRIORITY, POLICY_SLRU,
              POLICY_COUNT };                                      /* sglang §2 "Eviction policies" */

/* What a world is made with. All of it can be read back from world.head. */
struct world_config {
    uint32_t pool;        /* KV slots; a multiple of page_size */
    uint32_t page_size;   /* 1, 2, 4, … */
    uint32_t policy;      /* enum policy */
    uint32_t rules;       /* enum rules */
    bool bigram;          /* a unit is a pair of neighbouring tokens (EAGLE) */
    bool disabled;        /* no cache: sglang's ChunkCache */
    bool no_finished_insert; /* disable_finished_insert */
    bool need_sort;       /* freed pages wait on a side list and come back sorted (sglang §3) */
    bool sessions;        /* tag nodes with session ids (sglang §5) */
    uint8_t bug;          /* broken on purpose: a bug of cache/museum.h, 0 = none */
};

/* One node of the radix tree. The edge that leads to it carries its key and its value. */
struct node {
    uint32_t id;            /* SGLang's node id: counts creations, the root is 0 */
    uint32_t parent;        /* 0: this entry is free (or the root) */
    uint32_t first_child, last_child; /* children in insertion order, which is visible (sglang §7) */
    uint32_t prev, next;    /* siblings; of a free entry: next = the next free entry */
    uint32_t child_count;
    uint32_t key_off;       /* first raw token in store.token; bigram keys hold len + 1 raw tokens */
    uint32_t val_off;       /* first slot in store.value */
    uint32_t len;           /* units: tokens, or pairs in bigram mode; a multiple of page_size */
    uint32_t ns;            /* namespace (extra_key): index into store.name, 0 = none */
    uint32_t lock_ref;
    uint32_t hit_count;     /* counts inserts, not matches */
    uint32_t priority;      /* int32_t */
    uint32_t last_access;   /* tick of the logical clock (sglang §1.1) */
    uint32_t last_minus;    /* unified rules: subtract 0.00001 this many times from last_access */
    uint32_t creation_time; /* tick */
    uint32_t tags;          /* first session tag, 0 = none */
    uint32_t pins;          /* locks held by hand (lock … unlock), besides those of requests */
    uint32_t spare;         /* 0 */
};

/* Where a request is in its life (sglang §4). */
enum request_state {
    REQ_FREE,      /* unused entry */
    REQ_WAITING,   /* arrived, not admitted */
    REQ_PREFILL,   /* admitted: matched, locked, slots allocated, prompt not yet computed */
    REQ_DECODE,    /* generating */
    REQ_FINISHED,  /* answered */
    REQ_REFUSED,   /* could not run: the pool is too small, the prompt too long */
    REQ_ABORTED,
    REQ_PLANNED,   /* with a schedule: known, but it arrives later */
};

struct request {
    uint32_t rid;           /* number shown to people, from 1 */
    uint32_t state;         /* enum request_state */
    uint32_t ns, priority, session;
    uint32_t row_off, row_cap;   /* extent of world.row_token / row_slot */
    uint32_t prompt_len;         /* tokens of the prompt */
    uint32_t total_len;          /* prompt + generated so far */
    uint32_t max_new;            /* tokens it may generate */
    uint32_t kv_len;             /* leading positions that have a slot */
    uint32_t computed_len;       /* leading positions whose KV row is written */
    uint32_t cached_len;         /* prefix found at admission ("cached tokens") */
    uint32_t protected_len;      /* leading slots that belong to the tree (cache_protected_len) */
    uint32_t node;               /* locked node, ROOT when nothing matched, 0 = not running */
    uint32_t recomputed;         /* prompt tokens computed = prompt_len - cached_len, counted as they are */
    uint32_t arrived, finished;  /* ticks */
    uint32_t label;              /* store text shown as its name, 0 = none */
    uint32_t finish_reason;      /* enum finish_reason */
    uint32_t seed, flags;
    uint32_t adapter;            /* store text: name of its LoRA adapter, 0 = none */
    uint32_t spare[9];
};

enum finish_reason { FINISH_NONE, FINISH_END_TOKEN, FINISH_LENGTH, FINISH_STOP, FINISH_TOO_LONG, FINISH_NO_SLOTS,
                     FINISH_ABORT };

/* What the last admission pass found about a waiting request (src/engine/sched_admit.h, steps A1 to A6). */
enum sched_why {
    SCHED_WHY_NOT_TRIED,       /* the pass ended before its turn */
    SCHED_WHY_FITS, SCHED_WHY_CHUNK, SCHED_WHY_NO_TOKEN, SCHED_WHY_NO_TOKEN_LOCKED, SCHED_WHY_INPUT,
    SCHED_WHY_NO_CHUNK, SCHED_WHY_BATCH, SCHED_WHY_PREEMPTED, SCHED_WHY_RETRACTED, SCHED_WHYS
};

/* A request's part in a schedule; all 0 while requests run one at a time. Times are microseconds of the virtual
 * clock, low word first. */
struct served {
    uint32_t next;             /* the next one of its list (planned, waiting or running); 0: it is the last */
    uint32_t routing_key;      /* name, 0 = none */
    uint32_t arrived[2];       /* when it came, or will come */
    uint32_t entered[2];       /* when it entered the queue last: again after a retraction */
    uint32_t first[2];         /* when its first token stood; 0: none yet */
    uint32_t latest[2];        /* when its latest token stood */
    uint32_t abort_at[2];      /* when it will be aborted; 0: never */
    uint32_t longest_gap;      /* microseconds between two of its tokens, at most */
    uint32_t retracted;        /* how often it had to give its slots back */
    uint32_t passed;           /* how often somebody who had come later was taken before it */
    uint32_t rank, why;        /* of the last pass: its place in the order, from 1; enum sched_why */
    uint32_t prefix;           /* tokens of it that the policy found in the tree */
    uint32_t held_by, shared;  /* in-batch prefix caching: held back for this request, for so many tokens */
    uint32_t given;            /* 1: its answer is given by the script, no model runs */
    uint32_t text_len;         /* FINISH_STOP: so many bytes of the answer stand before the stop string */
    uint32_t spare[2];
};

/* One session tag: on the list of its node and on the list of its session. */
struct tag {
    uint32_t node, session, next_of_node, next_of_session; /* node 0: free, next_of_node = next free */
};

struct head {
    /* what the world was made with (struct world_config) */
    uint32_t pool, page_size, policy, rules, bigram, disabled, no_finished_insert, need_sort, sessions;
    /* the logical clock: calls so far; in the unified rules the next value to hand out */
    uint32_t clock;
    /* the tree */
    uint32_t next_id;                        /* id of the next node to be made */
    uint32_t node_count, node_top, node_free; /* live nodes with the root; first never-used entry; free list */
    uint32_t evictable_size, protected_size; /* units in nodes with lock_ref 0, > 0 */
    /* the pool (sglang §3): a list of free pages in the order in which they will be handed out */
    uint32_t free_first, free_last, free_pages;
    uint32_t side_first, side_last, side_pages;   /* need_sort: freed, not yet sorted back */
    /* requests */
    uint32_t request_count, request_top, request_free, row_top, next_rid;
    /* sessions */
    uint32_t tag_top, tag_free, closed_count, closed_next;
    /* the schedule (src/engine/sched.h); all 0 while requests run one at a time */
    uint32_t sched;                          /* 1 + enum sched_policy; 0: one at a time */
    uint32_t sched_flags;                    /* SCHED_PRIORITIES … */
    uint32_t max_running, max_prefill, chunk_limit; /* budgets; chunk_limit 0: whole prompts */
    uint32_t slo_first, slo_gap;             /* goodput: time to first token and gap that are still good, µs */
    uint32_t cost_text;                      /* name: what the virtual clock is reckoned with */
    uint32_t now[2];                         /* the virtual clock, microseconds, low word first */
    uint32_t ratio[2];                       /* new_token_ratio: the two words of a double */
    uint32_t planned_first;                  /* lists of requests, by served.next: to come, by time, … */
    uint32_t queue_first, queue_count;       /* … waiting, in the order of the policy … */
    uint32_t batch_first, batch_count;       /* … running: decode computes all of them in one pass */
    uint32_t chunked_req;                    /* its prompt is computed in chunks: in none of the lists */
    uint32_t batch_full, rounds, passes;     /* flag; admission passes and forward passes so far */
    uint32_t spare[11];
    uint32_t bug;                            /* as world_config's */
};

enum { SCHED_PRIORITIES = 1, SCHED_LOW_FIRST = 2, SCHED_PREEMPT = 4 };

/* Words in all; each term is one member of struct world, in order. */
#define WORLD_WORDS                                                                                          \
    (64u + WORLD_NODES * 20u + WORLD_REQUESTS * 32u + WORLD_SLOTS * 2u + WORLD_ROWS * 2u + WORLD_TAGS * 4u + \
     WORLD_SESSIONS + WORLD_CLOSED + WORLD_REQUESTS * 24u)
#define WORLD_WORDS_UNSCHEDULED (WORLD_WORDS - WORLD_REQUESTS * 24u) /* worlds of older recordings end before `served` */

/* Indexing the world by word is what undo and redo do; naming its parts is what everybody else does. */
struct world {
    union {
        struct {
            struct head head;
            struct node node[WORLD_NODES];
            struct request request[WORLD_REQUESTS];
            uint32_t page[WORLD_SLOTS];             /* next free page; by page number, 1…pool/page_size */
            uint32_t kv[WORLD_SLOTS];               /* KV row behind each slot (kv_row), 0 = never written */
            uint32_t row_token[WORLD_ROWS];         /* requests' tokens, by position */
            uint32_t row_slot[WORLD_ROWS];          /* requests' slots, by position */
            struct tag tag[WORLD_TAGS];
            uint32_t session_tags[WORLD_SESSIONS];  /* first tag of each session, by its name's number */
            uint32_t closed[WORLD_CLOSED];          /* ring of closed sessions' numbers */
            struct served served[WORLD_REQUESTS];
        };
        uint32_t word[WORLD_WORDS];
    };
};

_Static_assert(sizeof(struct node) == 20 * 4, "a node is 20 words");
_Static_assert(sizeof(struct request) == 32 * 4, "a request is 32 words");
_Static_assert(sizeof(struct served) == 24 * 4, "a request's part in a schedule is 24 words");
_Static_assert(sizeof(struct head) == 64 * 4, "the head is 64 words");
_Static_assert(sizeof(struct world) == WORLD_WORDS * sizeof(uint32_t), "a world is nothing but words");

/* What worlds of one tape share: bytes that never change once a world names them. */
struct store {
    uint32_t *token;      /* (STORE_UNITS) raw tokens of edges */
    uint32_t *value;      /* (STORE_UNITS) slots of edges */
    uint32_t token_top, value_top; /* first unused; only grows while a tape records */
    char **name;          /* namespaces, sessions and labels by number; name[0] is "" */
    _Atomic uint32_t name_count; /* other threads read names while new ones are added */
    uint32_t name_cap;
    _Atomic uint32_t *name_at; /* (2 * name_cap) numbers of names by their hash, 0: free; a number stands after its name */
};

/* A world and its store: what a view, a checker or a sentence needs to read a moment. */
struct scene {
    const struct world *w;
    const struct store *s;
};

/* An address range for one world, filled as `cfg` says: a root, a full free list, everything else 0.
 * Returns NULL (and *e) when cfg makes no sense or there is no memory. Free with world_free. */
struct world *world_new(const struct world_config *cfg, struct err *e);
void world_free(struct world *w);

/* One sentence in *e if the configuration is impossible; 0 if it is fine. */
int world_config_check(const struct world_config *cfg, struct err *e);

/* True if both are the same moment: compares every word that either uses. */
bool world_equal(const struct world *a, const struct world *b);
void world_copy(struct world *to, const struct world *from); /* `to` must come from world_new */
uint64_t world_hash(const struct world *w);

struct store *store_new(struct err *e);
void store_free(struct store *s);

/* The number of a name, made if it is new. 0 for NULL (no namespace). UINT32_MAX when there is no
 * memory, or no number left: store_refused says which. "" is a name of its own. */
uint32_t store_intern(struct store *s, const char *name);
int store_refused(const struct store *s, const char *what, struct err *e); /* -1 */
uint32_t store_find(const struct store *s, const char *name); /* UINT32_MAX: never seen */
const char *store_name(const struct store *s, uint32_t number); /* "" for 0 */

/* Reading. */
static inline const uint32_t *node_tokens(struct scene sc, uint32_t node) /* (len), or (len + 1) in bigram mode */
{
    return sc.s->token + sc.w->node[node].key_off;
}

static inline const uint32_t *node_slots(struct scene sc, uint32_t node) /* (len) */
{
    return sc.s->value + sc.w->node[node].val_off;
}

static inline uint32_t node_raw_len(const struct world *w, uint32_t node) /* raw tokens of its key */
{
    return w->node[node].len == 0 ? 0 : w->node[node].len + w->head.bigram;
}

static inline bool node_live(const struct world *w, uint32_t node)
{
    return node == ROOT || (node != 0 && node < w->head.node_top && w->node[node].parent != 0);
}

/* The KV row behind a slot, 0: none. */
static inline uint32_t kv_row(const struct world *w, uint32_t slot)
{
    return w->kv[slot] & ~KV_SPOILED;
}

/* A leaf that eviction may take: has units, unlocked, no child (sglang §1). */
static inline bool node_evictable(const struct world *w, uint32_t node)
{
    return node != ROOT && w->node[node].lock_ref == 0 && w->node[node].first_child == 0;
}

/* last_access as SGLang holds it: the tick, in the unified rules minus k times 0.00001, subtracted one
 * by one in double precision as upstream does. */
double node_last_access(const struct world *w, uint32_t node);

/* The two words of a time as microseconds, and of a double. */
static inline uint64_t word_time(const uint32_t at[2])
{
    return (uint64_t)at[1] << 32 | at[0];
}

double word_double(const uint32_t at[2]);
const char *sched_why_text(uint32_t why);

uint32_t node_start(const struct world *w, uint32_t node); /* units above it on its path */
uint32_t pool_free_slots(const struct world *w);           /* slots that can be handed out, side list too */
const char *policy_name(uint32_t policy); /* POLICY_COUNT, which no world has: "belady" (trace/future.h) */
int policy_parse(const char *name, uint32_t *policy, struct err *e); /* any case */

/* The next node in preorder after `node` (children in insertion order); 0 at the end. Start with ROOT. */
uint32_t node_preorder(const struct world *w, uint32_t node);

#endif
