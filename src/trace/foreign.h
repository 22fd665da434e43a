/* foreign.h: which format is a file in? Seen from its content alone.
 */
#ifndef RADIXSCOPE_TRACE_FOREIGN_H
#define RADIXSCOPE_TRACE_FOREIGN_H

#include <stddef.h>

#include "base/err.h"

/*  X(ENUM, "name for --from", "what it is") */
#define FOREIGN_FORMATS(X)                                                                                   \
    X(KV_EVENTS, "kv-events", "KV events of SGLang or vLLM, JSONL or msgpack")                               \
    X(CONVERSATIONS, "conversations", "conversations, JSONL with a list of messages a line")                 \
    X(MOONCAKE, "mooncake", "a trace of requests with hash_ids, JSONL")

enum foreign_format {
#define X(id, ...) FOREIGN_##id,
    FOREIGN_FORMATS(X)
#undef X
    FOREIGN_COUNT
};

const char *foreign_name(enum foreign_format f);
int foreign_find(const char *name); /* -1: no such format */

/* -1 and *e: it is none of them, among them traces that hold nothing but lengths. */
int foreign_detect(const char *name, const char *bytes, size_t len, enum foreign_format *out, struct err *e);

#endif
