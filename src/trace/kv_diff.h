/* kv_diff.h: two rows of KV events, compared block by block up to the first disagreement.
 *
 * Blocks are compared by what they hold (their tokens and those before them), not by their hashes, which every
 * server makes in its own way. Removals between two stores are compared as a set: servers free the blocks of one
 * victim in different orders. Gaps are passed over.
 */
#ifndef RADIXSCOPE_TRACE_KV_DIFF_H
#define RADIXSCOPE_TRACE_KV_DIFF_H

#include "trace/kv_log.h"

struct kv_difference {
    bool differs;
    size_t same;          /* blocks stored and removed alike before it, or in all */
    char what[1024];      /* one sentence with both values */
};

/* `names`: what the two are called in the sentence. -1 and *e: no memory. */
int kv_diff(const struct kv_log *a, const struct kv_log *b, const char *const names[2], struct kv_difference *out,
            struct err *e);

#endif
