/* inside.h: where the views into the model get their floats and answers, and their words in the conversation.
 *
 *      a run on a worker   rows of its engine; questions go to a study (script/study.h)
 *      a recording         the rows and answers that it holds (--with-kv)
 */
#ifndef RADIXSCOPE_CLI_INSIDE_H
#define RADIXSCOPE_CLI_INSIDE_H

#include "cli/session.h"
#include "script/study.h"
#include "tape/recording.h"

/* Both must live until the feed is no longer used. `wait`: a question returns when it is answered. */
struct inside {
    struct worker *worker;
    struct study *study;
    bool wait;
};

struct ui_evidence inside_live(struct inside *in);
struct ui_evidence inside_recording(const struct recording *r);

/* The conversation's words: forward [LAYER], attention [LAYER [HEAD]], logits, lens SLOT [LAYER [HEAD]],
 * proof [REQUEST] [exact|fast], reach. */
int inside_forward(struct session *s, const char *rest, struct buf *out, struct err *e);
int inside_attention(struct session *s, const char *rest, struct buf *out, struct err *e);
int inside_logits(struct session *s, struct buf *out, struct err *e);
int inside_lens(struct session *s, const char *rest, struct buf *out, struct err *e);
int inside_proof(struct session *s, const char *rest, struct buf *out, struct err *e);
int inside_reach(struct session *s, struct buf *out, struct err *e);

#endif
