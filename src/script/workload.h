/* workload.h: made-up request streams of the shapes that production has, a few words of .rxs each.
 *
 *      workload shared-prefix seed=1 requests=40 groups=8 zipf=1.0
 *
 * A request is a prompt and its answer, made of segments; a segment's first word names it and its others are
 * drawn from the seed, its name and its number, so that the same segment is the same text wherever it stands:
 *
 *      prompt = [system1 word word …] [question17 word …]        answer = [answer17 word …]
 *
 * The first words differ between segments, so what two prompts share ends where their segments differ: what a
 * cache can reuse can be told from the names alone. The same seed gives the same text on every machine.
 *
 * The result is a script of `request` lines, which the runner runs: with `tokens words` or `letters` the answer
 * is given and nothing is computed; on a model the model answers (`max` tokens).
 */
#ifndef RADIXSCOPE_SCRIPT_WORKLOAD_H
#define RADIXSCOPE_SCRIPT_WORKLOAD_H

#include "base/buf.h"
#include "base/err.h"
#include "script/script.h"

/* requests; groups (systems, conversations, documents …); turns (or shots, steps, branches, documents a prompt);
 * words of a prefix segment, of a question, of an answer.
 *
 *  X(ENUM, "name", requests, groups, turns, prefix, question, answer, "what it teaches") */
#define WORKLOADS(X)                                                                                         \
    X(SHARED_SYSTEM, "shared-system", 24, 1, 0, 24, 6, 4,                                                    \
      "one system prompt for everybody: computed once, then only questions cost")                            \
    X(FEW_SHOT, "few-shots", 24, 3, 4, 8, 6, 2,                                                               \
      "a few sets of worked examples: whoever uses the same set reuses all of it")                           \
    X(MULTI_TURN, "multi-turn-chat", 32, 4, 6, 12, 5, 6,                                                          \
      "conversations take turns: each prompt repeats its history, answers too")                              \
    X(AGENT, "agent", 32, 2, 8, 32, 10, 4,                                                                   \
      "an agent calls tools: the context only grows, all but the newest result is a hit")                    \
    X(TREE_OF_THOUGHT, "tree-of-thoughts", 31, 1, 2, 20, 2, 6,                                                \
      "thoughts branch: siblings share the path above them, and leaves die young")                           \
    X(SELF_CONSISTENCY, "self-consistency", 24, 0, 4, 20, 6, 8,                                              \
      "one question asked several times: all but the last token of the prompt hits")                         \
    X(RAG, "rag", 32, 6, 3, 10, 5, 4,                                                                        \
      "documents in shuffled order: only a common beginning can be reused, so order matters")                \
    X(SHARED_PREFIX, "shared-prefix", 48, 8, 0, 20, 5, 3,                                                    \
      "groups of prefixes with Zipf popularity: what deserves to stay?")                                     \
    X(THRASH, "thrash", 36, 6, 0, 16, 0, 1,                                                                  \
      "adversary of LRU: keys come round just after they were evicted")                                      \
    X(NEVER_REPEAT, "never-repeat", 24, 0, 0, 20, 0, 4,                                                      \
      "nothing comes twice: no cache can help, and each leaf is dead weight")

enum workload {
#define X(id, ...) WORKLOAD_##id,
    WORKLOADS(X)
#undef X
    WORKLOAD_COUNT
};

struct workload_shape {
    uint32_t seed, requests, groups, turns, prefix, question, answer;
    double zipf;               /* popularity of the i-th group goes with 1 / i^zipf; 0: all alike */
};

const char *workload_name(enum workload which);     /* NULL: past the end */
const char *workload_teaches(enum workload which);
int workload_find(const char *name, enum workload *which, struct err *e);
struct workload_shape workload_default(enum workload which);

/* The shape that a `workload` command asks for. */
int workload_read(const struct script_command *c, enum workload *which, struct workload_shape *shape, struct err *e);

/* Append one `request` line a request. `told`: with its answer given, else with max=answer. */
int workload_write(enum workload which, const struct workload_shape *shape, bool told, struct buf *out, struct err *e);

#endif
