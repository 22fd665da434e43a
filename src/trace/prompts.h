/* prompts.h: the prompts that a program sent, one request a line (JSONL, OpenAI's messages).
 *
 *      {"tools":[…],"messages":[{"role":"system","content":"…"},{"role":"user","content":"…"}]}
 *
 *      ids   |== tools ==|== message 0 ==|== message 1 ==| … |opening of the answer|
 *
 * A line is one prompt, as it was sent: all its messages. {"body":{…}} (a batch file) and a bare list of messages are
 * taken, too; assistant messages at the end are the answer, and left out. Messages are written in the model's chat
 * form. What each model writes in a form of its own is written as JSON here: tools before everything else, a call of
 * a tool behind the text of its message, a tool's result as a user's message.
 */
#ifndef RADIXSCOPE_TRACE_PROMPTS_H
#define RADIXSCOPE_TRACE_PROMPTS_H

#include "base/err.h"
#include "model/ids.h"
#include "model/model.h"

enum { PROMPT_MESSAGES = 4096 };

struct prompt_message {
    const char *role;        /* "system", "user", "assistant" or "tool" */
    char *text;              /* owned */
    size_t len;
};

struct prompt {
    unsigned long line;
    struct prompt_message *message; /* (messages) owned */
    size_t messages, cap;
    char *tools;             /* owned: a JSON list in one line; NULL: none */
    struct ids ids;
};

/* Read one line. -1 and *e, which says line, field and reason; *p is empty then. */
int prompt_read(struct prompt *p, const char *name, unsigned long line, const char *json, size_t len,
                const struct model *m, struct err *e);
void prompt_done(struct prompt *p);

bool prompt_message_equal(const struct prompt_message *a, const struct prompt_message *b);

#endif
