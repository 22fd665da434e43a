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

/* Append the script; `pool` slots, 0: as many as were ever needed at once. `more`: further lines of settings ("" for
 * none). out may be NULL: only the summary is wanted. */
int kv_import(const struct kv_log *log, const char *title, enum kv_rebuild how, uint32_t pool, const char *more,
              struct buf *out, struct kv_summary *sum, struct err *e);

/* One paragraph for people. */
void kv_summary_text(const struct kv_log *log, const struct kv_summary *sum, struct buf *out);

#endif
