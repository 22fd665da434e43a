/* kv_import.h: from the KV events of a server to the tree it had, as a script of our own language.
 *
 *      BlockStored 7 after 5, 8 after 7     ->   insert "…tokens of 1 5 7 8…"
 *      BlockRemoved 8                       ->   remove "…tokens of 1 5 7 8…" keep=…
 *      AllBlocksCleared                     ->   reset
 *      sequence numbers 4 to 6 are missing  ->   say "Gap: …"
 *
 * Blocks make a tree by their parents. What the recording cannot tell is shown as such:
 *      a parent that was never stored here   its children hang below the root in a namespace of their own,
 *                                            "after HASH, from before the recording"
 *      a removed block that is not known     counted
 *      a removed block with stored children  stays until they are gone; counted
 *      another hash for the same tokens after the same parent (salts are hashed by vLLM, namespaces lie apart in
 *                                            SGLang)   one block, held as often as it was stored; counted
 * Splits are not in the events: nodes end where the keys that were stored part, as a radix tree's do.
 */
#ifndef RADIXSCOPE_TRACE_KV_IMPORT_H
#define RADIXSCOPE_TRACE_KV_IMPORT_H

#include "trace/kv_log.h"

struct kv_summary {
    size_t stored, removed, cleared;    /* blocks, blocks, times */
    size_t gaps, orphans, unknown, inner, again, elsewhere;
    size_t now, peak;                   /* blocks in the tree at the end, at most */
    int64_t missing;                    /* batches, by their sequence numbers */
};

enum kv_rebuild {
    KV_AS_RECORDED,   /* with every removal that the recording holds */
    KV_STORES_ALONE,  /* without them: the simulator's own eviction has to make room */
};

/* The tree that the events have made so far, event after event. What the script says last waits for the next event: keys
 * that go on are one line. */
struct kv_tree; /* opaque */

/* Lines of the script go to out (NULL: only the summary is wanted); log, out and sum are borrowed. */
struct kv_tree *kv_tree_new(const struct kv_log *log, enum kv_rebuild how, struct buf *out, struct kv_summary *sum,
                            struct err *e);
void kv_tree_free(struct kv_tree *t);
/* The log may have grown since; only its events may have been taken away. */
int kv_tree_event(struct kv_tree *t, const struct kv_event *ev, struct err *e);
int kv_tree_end(struct kv_tree *t, struct err *e);      /* what still waits */

/* The settings that come before these lines. */
void kv_script_head(const struct kv_log *log, const char *title, uint32_t pool, const char *more, struct buf *out);

/* Append the script; `pool` slots, 0: as many as were ever needed at once. `more`: further lines of settings ("" for
 * none). out may be NULL: only the summary is wanted. */
int kv_import(const struct kv_log *log, const char *title, enum kv_rebuild how, uint32_t pool, const char *more,
              struct buf *out, struct kv_summary *sum, struct err *e);

/* The part of a log that its records first … last make (0: to its end), borrowed from it. -1 and *e: there are no such
 * records, or nothing is stored in them. */
int kv_log_part(const struct kv_log *log, uint64_t first, uint64_t last, struct kv_log *part, struct err *e);

/* One paragraph for people. */
void kv_summary_text(const struct kv_log *log, const struct kv_summary *sum, struct buf *out);

#endif
