/* figures.h: what a lesson can measure. One table: `lesson check`, the evaluator and `radixscope lesson figures`
 * (which docs/writing-lessons.md quotes) come from it. A new row here and its function in figures*.c are all that a
 * new figure takes.
 *
 * Arguments, one letter each, ? before those that may be left out:
 *   n node: its letter or its id, root        q request: its label, or its number as text or number
 *   e kind of event (radixscope help events)  b name of a block; without it: the block that ran last
 *   k number    t text    v any value
 *
 *  X(function, "name", "arguments", "help", "group") */
#ifndef RADIXSCOPE_LESSON_FIGURES_H
#define RADIXSCOPE_LESSON_FIGURES_H

#include "lesson/expr.h"

#define LESSON_FIGURES(X)                                                                                     \
    X(nodes, "nodes", "", "nodes of the tree, without the root", "the world now")                            \
    X(leaves, "leaves", "", "nodes without children, the root counting as none", "the world now")            \
    X(used, "used", "", "slots that are not free", "the world now")                                          \
    X(free, "free", "", "slots that can be handed out", "the world now")                                     \
    X(pool, "pool", "", "slots in all", "the world now")                                                     \
    X(page, "page", "", "tokens of a page", "the world now")                                                 \
    X(evictable, "evictable", "", "tokens in nodes that nobody holds", "the world now")                      \
    X(protected, "protected", "", "tokens in nodes that somebody holds", "the world now")                    \
    X(clock, "clock", "", "ticks of the logical clock so far", "the world now")                              \
    X(policy, "policy", "", "the eviction policy's name", "the world now")                                   \
    X(requests, "requests", "", "requests that wait or run", "the world now")                                \
    X(depth, "depth", "", "nodes on the longest path from the root", "the world now")                        \
    X(list_nodes, "list_nodes", "", "all nodes in preorder: \"A B C\"", "the world now")                     \
    X(candidates, "candidates", "", "leaves that eviction may take: \"A C\"", "the world now")               \
    X(exists, "exists", "n", "is there such a node now?", "a node")                                          \
    X(len, "len", "n", "tokens on the node's edge", "a node")                                                \
    X(start, "start", "n", "tokens above the node on its path", "a node")                                    \
    X(lock, "lock", "n", "lock_ref: holders of the node and of what is below", "a node")                     \
    X(hits, "hits", "n", "hit_count", "a node")                                                              \
    X(last_access, "last_access", "n", "tick of the last access", "a node")                                  \
    X(created, "created", "n", "tick at which the node was made", "a node")                                  \
    X(priority, "priority", "n", "the node's priority", "a node")                                            \
    X(children, "children", "n", "how many children", "a node")                                              \
    X(child, "child", "n k", "the k-th child (from 1), in the order of insertion", "a node")                 \
    X(parent, "parent", "n", "the node above", "a node")                                                     \
    X(edge, "edge", "n", "the text of the edge's tokens", "a node")                                          \
    X(ns, "namespace", "n", "its extra_key; empty without one", "a node")                                    \
    X(slot, "slot", "n ?k", "the slot of the k-th token of the edge (from 1; left out: the first)", "a node")\
    X(owner, "owner", "k", "who owns slot k: a node's letter, free, or request N", "a node")                 \
    X(at_key, "node_at", "t ?t", "the node where the walk for this key ends (second: namespace); looks, splits nothing", \
      "a node")                                                                                              \
    X(prefix, "prefix", "t ?t", "tokens of this key that are in the tree (second: namespace); looks, changes nothing", \
      "a node")                                                                                              \
    X(prompt, "prompt", "q", "tokens of the prompt", "a request")                                            \
    X(cached, "cached", "q", "prompt tokens found in the cache when it was admitted", "a request")           \
    X(computed, "computed", "q", "prompt tokens that had to be computed", "a request")                       \
    X(generated, "generated", "q", "tokens of the answer, the end token included", "a request")              \
    X(answer, "answer", "q", "the text of the answer", "a request")                                          \
    X(state, "state", "q", "waiting, prefill, decode, finished, refused or aborted", "a request")            \
    X(token, "token", "q k", "the text of the token at position k (from 0)", "a request")                    \
    X(slot_of, "slot_of", "q k", "the slot of position k (from 0)", "a request")                             \
    X(node_of, "node_of", "q", "the node that the request holds", "a request")                               \
    X(miss, "miss", "q", "why not more was cached: last-token, evicted, namespace, page, diverged, cold, ...", \
      "a request")                                                                                           \
    X(flops, "flops", "q", "operations of its forward passes", "a request")                                  \
    X(flops_cold, "flops_cold", "q", "the same, had nothing been cached", "a request")                       \
    X(logit_diff, "logit_diff", "q", "shared_namespace: the largest error of a logit", "a request")          \
    X(likely, "likely", "q k k", "text of the model's choice number r (from 1) for the i-th token of the answer (from 1)", \
      "a request")                                                                                           \
    X(probability, "probability", "q k k", "its probability, from 0 to 1", "a request")                      \
    X(logit, "logit", "q k k", "its logit", "a request")                                                     \
    X(matched, "matched", "?b", "tokens that the last match or insert found", "what happened")               \
    X(added, "added", "?b", "new tokens of the last insert", "what happened")                                \
    X(freed, "freed", "?b", "slots that the last evict freed", "what happened")                              \
    X(count, "count", "e ?b", "events of this kind", "what happened")                                        \
    X(steps, "steps", "?b", "steps of the block", "what happened")                                           \
    X(field, "field", "e t ?k ?b", "an argument of the k-th such event (from 1): field(evict_node, key)", "what happened") \
    X(step_of, "step_of", "e ?k ?b", "the number of the k-th such step (from 1)", "what happened")           \
    X(victim, "victim", "?k ?b", "the k-th node that was evicted (from 1)", "what happened")                 \
    X(victims, "victims", "?b", "all of them, in order: \"B A\"", "what happened")                           \
    X(keys, "keys", "?b", "the keys that were inserted, in order: \"ab cd\"; one with blanks or of a namespace in quotes", \
      "what happened")                                                                                         \
    X(admitted, "admitted", "?b", "the labels (or numbers) of requests in the order in which they were admitted", "what happened") \
    X(broken, "broken", "?b", "the first invariant that broke in the block; empty: none", "the bug museum")   \
    X(broken_rule, "broken_rule", "?b", "which: locks, sums, slots, links, keys, requests, tags; empty: none", \
      "the bug museum")                                                                                      \
    X(broken_at, "broken_at", "?b", "the step behind which it broke; 0: none", "the bug museum")             \
    X(broken_by, "broken_by", "?b", "the kind of that step's operation", "the bug museum")                   \
    X(bug, "bug", "", "the name of the bug that this engine has; empty: none", "the bug museum")             \
    X(bug_says, "bug_says", "", "what is wrong in it", "the bug museum")                                     \
    X(bug_thread, "bug_thread", "", "where it was reported", "the bug museum")                               \
    X(now, "now", "", "milliseconds on the virtual clock", "a schedule")                                     \
    X(ttft, "ttft", "q", "milliseconds from its arrival to its first token", "a schedule")                   \
    X(took, "took", "q", "milliseconds from its arrival to its latest token", "a schedule")                  \
    X(overtaken, "overtaken", "q", "how often one that came later was taken before it", "a schedule")        \
    X(taken, "taken", "?b", "requests in the order in which they were taken: \"a c b\"", "a schedule")       \
    X(in_pass, "in_pass", "k ?b", "requests of the block's k-th forward pass (from 1)", "a schedule")        \
    X(answered, "answered", "", "requests that were answered so far", "a schedule")                          \
    X(all_cached, "all_cached", "", "their prompt tokens that came from the cache", "a schedule")            \
    X(all_prompts, "all_prompts", "", "all their prompt tokens", "a schedule")                               \
    X(rows_read, "rows_read", "?b", "KV rows that attention read in a layer, in the block's passes that shared a prefix", "a schedule") \
    X(rows_alone, "rows_alone", "?b", "what it would have read there, each request for itself", "a schedule")      \
    X(layers, "layers", "", "layers of the model", "the model")                                              \
    X(dim, "dim", "", "width of the residual stream", "the model")                                           \
    X(hidden, "hidden", "", "width inside the MLP", "the model")                                             \
    X(heads, "heads", "", "query heads of a layer", "the model")                                             \
    X(kv_heads, "kv_heads", "", "key and value heads of a layer", "the model")                               \
    X(head_dim, "head_dim", "", "numbers of one head", "the model")                                          \
    X(vocab, "vocab", "", "tokens that it knows", "the model")                                               \
    X(parameters, "parameters", "", "weights", "the model")                                                  \
    X(kv_bytes, "kv_bytes", "", "bytes of keys and values of one token", "the model")                        \
    X(forward_flops, "forward_flops", "k k ?k", "operations for n tokens behind m earlier ones (third: rows of logits, 1)", \
      "the model")                                                                                           \
    X(key, "key", "q k k k k", "key of position p, layer l, kv head h, element i (all from 0)", "the model") \
    X(value, "value", "q k k k k", "the same of the value", "the model")                                     \
    X(attention, "attention", "q k k k k", "weight that position p gives to position o in layer l, head h: (q p l h o)", \
      "the model")                                                                                           \
    X(tokens, "tokens", "t", "how many tokens a text is", "the model")                                       \
    X(json, "json", "b t", "a field of what a run block printed: json(race, \"entries[0].hit_tokens\")", "other commands") \
    X(min, "min", "k k", "the smaller", "arithmetic")                                                        \
    X(max, "max", "k k", "the larger", "arithmetic")                                                         \
    X(abs, "abs", "k", "without its sign", "arithmetic")                                                     \
    X(round, "round", "k", "to the nearest whole number", "arithmetic")                                      \
    X(ceil, "ceil", "k", "up to a whole number", "arithmetic")                                               \
    X(pow, "pow", "k k", "first to the power of second", "arithmetic")                                       \
    X(either, "if", "v v v", "the second if the first is true, else the third", "arithmetic")                \
    X(item, "item", "t k", "the k-th word of a list (from 1)", "arithmetic")                                 \
    X(items, "items", "t", "how many words a list has", "arithmetic")                                        \
    X(join, "join", "v v", "two texts as one", "arithmetic")

enum { FIGURE_ARGS = 5 };

struct figure_call {
    const struct lesson_env *env;
    struct value arg[FIGURE_ARGS];
    int args;
};

struct figure {
    const char *name, *arguments, *help, *group;
    int (*measure)(const struct figure_call *call, struct value *out, struct err *e);
};

const struct figure *figure_find(const char *name);  /* NULL: no such figure */
const struct figure *figure_at(unsigned i);          /* NULL past the end */
char figure_type(const struct figure *f, int arg);   /* its letter */
/* May it have so many arguments? If not: *e says how many. */
bool figure_takes(const struct figure *f, int args, struct err *e);
int figure_unknown(const char *name, struct err *e); /* "there is no figure …", and the nearest */
int figure_measure(const struct figure *f, const struct figure_call *call, struct value *out, struct err *e);

/* Append the table as docs/writing-lessons.md has it. */
void figures_list(struct buf *out);

/* The functions, by group: figures.c, figures_model.c, figures_museum.c, figures_sched.c. Errors have no place. */
#define X(id, name, args, help, group) \
    int figure_##id(const struct figure_call *call, struct value *out, struct err *e);
LESSON_FIGURES(X)
#undef X

#endif
