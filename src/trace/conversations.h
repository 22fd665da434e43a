/* conversations.h: recorded conversations (JSONL, OpenAI's messages) as requests of our own language.
 *
 *      {"messages":[{"role":"system","content":"…"},{"role":"user","content":"…"},
 *                   {"role":"assistant","content":"…"},{"role":"user","content":[{"type":"text","text":"…"}]}]}
 *
 * A line is a conversation; {"body":{"messages":…}} (a batch file) and a bare list of messages are taken, too. Every
 * user message that an assistant answers, or that is the last, is one request: the messages up to it in the loaded
 * model's chat form, as token ids. What the assistant said then is part of the next request, as it was recorded.
 *
 *      request "257 12 …" ids max=9 label="c1.2"        with texts: the model runs, and answers itself
 *
 * With hashes_only no token can be read back: every token is replaced by a number, given in the order in which tokens
 * first appear in the file; equal tokens have equal numbers, so that prefixes are what they were. No model can run on
 * such numbers; the cache does what it would have done:
 *
 *      match "0 1 2 3"                                   what the request looked for
 *      insert "0 1 2 3 4 5"                              what it left: prompt and recorded answer
 */
#ifndef RADIXSCOPE_TRACE_CONVERSATIONS_H
#define RADIXSCOPE_TRACE_CONVERSATIONS_H

#include "base/buf.h"
#include "base/err.h"
#include "model/model.h"

struct conversations {
    bool hashes_only;
    uint32_t max;         /* no answer is longer; 0: as long as the recorded one */
    uint64_t first, last; /* requests to take, from 1, at most EXCERPT_MOST; 0: from the beginning, to the end */
    uint32_t pool, page;  /* pool 0: as many slots as all requests together have tokens */
    const char *more;     /* further lines of settings, "" for none */
};

struct conversations_summary {
    size_t conversations, requests, tokens; /* of all prompts */
    size_t longest, too_long;               /* prompt; requests longer than the model's context */
    uint64_t all;                           /* tokens of prompts and answers */
};

/* The same request after request, for files that are still being read. */
struct talks; /* opaque */

/* name is borrowed, m, too; how: its settings are not asked. */
struct talks *talks_new(const char *name, const struct model *m, const struct conversations *how, struct err *e);
void talks_free(struct talks *t);
int talks_line(struct talks *t, const char *line, size_t len, struct err *e);  /* the next one of the file; may be blank */
/* 1: the next request of this line, its commands appended to out; 0: it has no more; -1 and *e. */
int talks_request(struct talks *t, struct buf *out, struct err *e);
size_t talks_line_number(const struct talks *t);
const struct conversations_summary *talks_summary(const struct talks *t);

/* Append the script. `name` stands for the file in errors, which say line, field and reason. */
int conversations_import(const char *name, const char *bytes, size_t len, const struct model *m,
                         const struct conversations *how, struct buf *out, struct conversations_summary *sum,
                         struct err *e);

#endif
