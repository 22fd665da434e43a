/* museum.h: bugs that real prefix caches had, to be switched on in ours on purpose.
 *
 *      radix.c, req.c, ...  ── CACHE_EMIT(kind, args) ──> museum_spoil: makes the change that the bug would have
 *                                      │                  made, inside the same step
 *                                      └─> the step is closed
 *
 * The cache itself stays as it is; a bug is what happens behind its back just before a step closes. Which one is in
 * the world (head.bug), so that recordings keep it and every screen can say that this engine is broken on purpose.
 * world_check finds some of them at once, some only where they have done harm, three never: those change what is
 * found or who is evicted, and no sum is wrong.
 *
 * Each is a bug that was reported somewhere; the lessons of the museum name the thread.
 */
#ifndef RADIXSCOPE_CACHE_MUSEUM_H
#define RADIXSCOPE_CACHE_MUSEUM_H

#include "base/buf.h"

struct cache;

/*  X(ENUM, "name", "what is wrong", "where it was reported") */
#define MUSEUM_TABLE(X)                                                                                      \
    X(LOCK_SKIPS_NODE, "lock-skips-node", "inc_lock_ref begins at the parent: the node itself is not held",  \
      "mini-sglang#52")                                                                                      \
    X(SPLIT_OLD_TIME, "split-old-time", "the upper node of a split keeps an old last access",                \
      "mini-sglang#124")                                                                                     \
    X(SPLIT_SUM, "split-sum", "a split takes the upper node's tokens from evictable_size once more", "mllm#656")\
    X(SPLIT_FORGETS_LOCK, "split-forgets-lock", "the upper node of a split does not inherit lock_ref",       \
      "sglang#38480")                                                                                        \
    X(SPLIT_WRONG_KEY, "split-wrong-key", "the lower node of a split keeps the key's beginning, not its end",\
      "sglang#36696")                                                                                        \
    X(LOCK_LEAKS, "lock-leaks", "what hangs below the node that was matched is locked, too, and never let go of",\
      "bytedance-iaas/sglang#508")                                                                           \
    X(COUNTED_TWICE, "counted-twice", "the tokens of a hit are counted twice", "sglang#25972")               \
    X(FIFO_NAMED_LRU, "fifo-named-lru", "a hit does not stamp the node: first in, first out under the name of LRU",\
      "ferrox prefix_cache")

enum museum_bug {
    BUG_NONE,
#define X(id, ...) BUG_##id,
    MUSEUM_TABLE(X)
#undef X
    BUG_COUNT,
    BUG_HIDDEN = 0x80 /* the screen does not say which: to be found */
};

/* The names, in the order of the table behind "none" (an honest engine, for those who are to find out), as a choice
 * of the script language. */
#define MUSEUM_NAMES                                                                                         \
    "none|lock-skips-node|split-old-time|split-sum|split-forgets-lock|split-wrong-key|lock-leaks|counted-twice|"  \
    "fifo-named-lru"

struct museum_info {
    const char *name, *wrong, *thread;
};
const struct museum_info *museum_info(unsigned bug); /* BUG_HIDDEN is ignored; NULL for none */

/* Append "This engine has a bug on purpose: …", or, when it is hidden, that there may be one. */
void museum_notice(unsigned bug, struct buf *out);

/* Called by CACHE_EMIT when head.bug is set: a step of this kind is about to close. args: the step's */
void museum_spoil(struct cache *c, unsigned kind, const uint32_t *args);

#endif
