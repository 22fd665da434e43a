/* prompt_lint.h: where does a prompt leave the beginning of an earlier one, what does that cost, and why?
 *
 *      earlier  | system … 10:31 … rules … | question | answer |
 *      later    | system … 10:32 … rules … | question | answer | next question |
 *                          ^ parts here    |<------- again: both have it ------->|
 *
 * The earlier prompt is the one, of the last LINT_WINDOW, with which this one has most text in common, message by
 * message (of equals the nearest; nothing in common: the one before). `common` are equal tokens at the beginning: what a
 * prefix cache with room for everything reuses. `again` counts, behind that, tokens of text that both prompts have all
 * the same: messages, lines of the message in which they part, or its end. Prompts that part where new text begins
 * cost nothing.
 *
 * A cause is named only when it can be proved from the two texts.
 */
#ifndef RADIXSCOPE_TRACE_PROMPT_LINT_H
#define RADIXSCOPE_TRACE_PROMPT_LINT_H

#include "base/buf.h"
#include "trace/prompts.h"

enum {
    LINT_WINDOW = 16,
    LINT_LEAST = 16,             /* fewer tokens are not worth a word: `again` is 0 then */
};

/*  X(ENUM, "name", "what is so", "what to do") */
#define LINT_CAUSES(X)                                                                                       \
    X(TIME, "time", "a date or a time stands where they part",                                               \
      "say it at the end, in the newest message, or round it")                                               \
    X(UUID, "uuid", "a UUID stands where they part", "keep ids out of the prompt, or at its end")            \
    X(NUMBER, "number", "a long number stands where they part (an id, a counter, a time stamp)",             \
      "keep it out of the prompt, or at its end")                                                            \
    X(TOOLS_ORDER, "tools-order", "the same tools stand in another order", "sort them by name")              \
    X(TOOLS_KEYS, "tools-keys", "the same tools are written in another way (order of keys)", "write JSON with sorted keys") \
    X(TOOLS_LIST, "tools", "the list of tools changed", "declare all tools from the beginning on")                \
    X(SYSTEM, "system", "the system prompt changed", "keep it as it is; put news into the newest message")   \
    X(ORDER, "order", "lines that both have stand in another order", "sort documents, or keep the order they had") \
    X(CUT, "cut", "messages of the earlier prompt are gone: the history was cut at its beginning",           \
      "cut rarely and much at once, or summarise at the end")                                                \
    X(PUT_IN, "put-in", "messages were put in before older ones", "add messages at the end only")            \
    X(MOVED, "moved", "the same messages stand in another order", "keep their order")                        \
    X(ANSWER, "answer", "an earlier answer was rewritten", "send answers back as the model gave them")       \
    X(BLANKS, "blanks", "the texts differ in white space alone", "do not format a message anew")             \
    X(KEYS, "keys", "the same JSON is written in another way (order of keys, blanks)", "write JSON with sorted keys") \
    X(FIRST, "changing-first", "text that changes stands before text that stays", "put what changes last")

enum lint_cause {
#define X(id, ...) LINT_##id,
    LINT_CAUSES(X)
#undef X
    LINT_CAUSE_COUNT
};

struct lint_cause_info {
    const char *name, *says, *remedy;
};

enum { LINT_TOOLS = -1 };

struct lint_finding {
    unsigned long line, against; /* lines of the file; against 0: it is the first prompt */
    size_t tokens, common;       /* of this prompt; equal to the other's at the beginning */
    bool parts;                  /* false: it only adds to the other one, or is its beginning */
    int message;                 /* where they part, from 0; LINT_TOOLS */
    const char *role;            /* its role, "tools" */
    size_t again;                /* tokens */
    uint32_t causes;             /* bit of enum lint_cause; 0 when again is 0 */
    struct buf was, is;          /* a few words around the place in both */
};

const struct lint_cause_info *lint_cause_info(enum lint_cause which);

/* p against n earlier prompts (pointers, the nearest last). 0, or -1 and *e (memory). Free with lint_done. */
int lint_prompt(const struct prompt *p, const struct prompt *const *earlier, size_t n, const struct model *m,
                struct lint_finding *out, struct err *e);
void lint_done(struct lint_finding *f);

/* The causes alone (prompt_causes.c), for messages a and b that part at byte `at`, or for tools. */
uint32_t lint_text_causes(const struct prompt_message *was, const struct prompt_message *is, size_t at);
uint32_t lint_tools_causes(const char *was, const char *is);

/* Calls visit with each line of the later text behind its first `from` bytes (equal in both) that stands behind them in
 * the earlier text, too, at byte `where`; lines of fewer than 8 bytes and lines that are there twice are left out.
 * false: no memory. */
bool lint_common_lines(const struct prompt_message *was, const struct prompt_message *is, size_t from,
                       bool (*visit)(void *ctx, const char *line, size_t len, size_t where), void *ctx);

#endif
