/* expect.h: what `expect` can ask about the command above it, and about the world.
 *
 *      prompt cached computed generated outcome answer text   the last request
 *      diff_over                                              one in a shared_namespace: is logit_diff larger?
 *      matched added freed outcome                            the last insert, match or evict
 *      event no_event                                         the steps that the command above made
 *      nodes leaves free used evictable protected requests    the world now; the root counts as no node
 */
#ifndef RADIXSCOPE_SCRIPT_EXPECT_H
#define RADIXSCOPE_SCRIPT_EXPECT_H

#include "engine/engine.h"
#include "script/script.h"

/* What the last action did. */
struct measured {
    int branch;
    uint32_t before, after;
    bool has_request, no_slots;
    struct request_report request;
    uint32_t matched, added, freed;
    const char *answer;             /* the runner's; NULL without a request */
    size_t answer_len;
};

/* 0 if all holds; else -1 and *e with file, line, column and both values. */
int expect_check(const struct tape *t, const struct measured *last, const struct script *s, const struct script_command *c,
                 struct err *e);

/* Does the command expect something to be refused? */
bool expect_of_refusal(const struct script_command *c);

#endif
