/* load.h: requests as a race sees them: tokens, and nothing of what they mean.
 *
 *      token   |p p p p p p p p|a a a|p p p …           one request after another
 *      request  at      prompt  ^ kv = prompt + answer - 1: the last token of an answer gets no KV
 *
 * What a request may reuse is at most its first prompt - 1 tokens: the last one must be computed.
 */
#ifndef RADIXSCOPE_TRACE_LOAD_H
#define RADIXSCOPE_TRACE_LOAD_H

#include "script/runner.h"

struct load_request {
    size_t at;                 /* its first token */
    uint32_t prompt, kv, out;  /* tokens of the prompt; that get KV; of the answer */
    uint32_t ns;               /* namespace: 0 none */
};

struct load {
    uint32_t *token;           /* (tokens) prompt and whole answer of each request */
    size_t tokens, tokens_cap;
    struct load_request *request; /* (requests) */
    size_t requests, requests_cap;
};

/* Append a request; answer may be NULL when out is 0 (a key that is only inserted counts as answered by one
 * unnamed token). */
int load_add(struct load *l, const uint32_t *prompt, uint32_t n, const uint32_t *answer, uint32_t out, uint32_t ns,
             struct err *e);
void load_free(struct load *l);

/* Every request and insert of a script, run once with a pool that holds them all. Other commands run but are no
 * requests. Returns the runner, whose lexicon knows the tokens' words: the caller frees it. NULL and *e. */
struct runner *load_script(struct load *l, const struct script *s, const struct runner_config *cfg, struct err *e);

/* Every request of a trace of hash ids: each id stands for a token, and answers have none of their own. `lines` is
 * borrowed. */
struct lines;
int load_trace(struct load *l, struct lines *lines, struct err *e);

static inline const uint32_t *load_tokens(const struct load *l, uint32_t request)
{
    return l->token + l->request[request].at;
}

#endif
