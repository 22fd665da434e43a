/* mooncake.h: traces of requests as Mooncake publishes them, one JSON object a line:
 *
 *      {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, …, 57, 2353]}
 *
 * timestamp: ms since the beginning. hash_ids: one a block of the input, the last one maybe partly filled;
 * equal ids say that the whole input up to there is equal. So they can stand for tokens: a tree of them is the
 * tree of prefixes. Block: 512 tokens, unless the caller says otherwise or the lines do ("block_size").
 *
 * Qwen-Bailian's variant is known by its chat_id (with parent_chat_id, -1 for none, and turn): its
 * timestamps are seconds, its blocks 16 tokens.
 *
 * Every line is checked: fields, types, ranges, len(hash_ids) == ceil(input_length / block). Errors name file,
 * line, field and reason. Fields that nobody here knows are passed over. A trace with lengths alone says
 * nothing about shared prefixes, and is refused with that reason. Empty lines are passed over.
 *
 * Memory: one line and one request, whatever the trace's length. (Ids of 32 bits are what they are; larger ones
 * get numbers from the top down and are remembered: 16 bytes each.)
 *
 * Sources: Mooncake (FAST 2025), the traces of kvcache-ai/Mooncake; qwen-bailian-usagetraces-anon.
 */
#ifndef RADIXSCOPE_TRACE_MOONCAKE_H
#define RADIXSCOPE_TRACE_MOONCAKE_H

#include <stdint.h>

#include "trace/lines.h"

enum mooncake_kind { MOONCAKE_PLAIN, MOONCAKE_BAILIAN };
enum { MOONCAKE_BLOCK = 512, BAILIAN_BLOCK = 16 };

struct mooncake_request {
    double ms;                    /* since the trace's beginning */
    uint32_t input_length, output_length; /* tokens */
    int64_t chat, parent;         /* Qwen-Bailian's; -1: none */
    uint32_t turn;
    const uint32_t *ids;          /* (n) one a block; good until the next call */
    uint32_t n;
};

struct mooncake; /* opaque */

/* Read from `l` (borrowed). block: tokens of a block, 0: what the trace's kind has. */
struct mooncake *mooncake_new(struct lines *l, uint32_t block, struct err *e);
void mooncake_free(struct mooncake *m);

/* 1 and the next request, 0 at the end (a trace without any request is an error), -1 and *e. */
int mooncake_next(struct mooncake *m, struct mooncake_request *out, struct err *e);

uint32_t mooncake_block(const struct mooncake *m);          /* tokens; known from the first request on */
enum mooncake_kind mooncake_get_kind(const struct mooncake *m);
const char *mooncake_kind_name(enum mooncake_kind kind);

#endif
