/* plain.h: the plain twin of every screen: text for pipes, tests and screen readers.
 *
 *      47 SPLIT_NODE node=1 upper=2 at=29 …   Node 1 (A) is split after 29 of 36 tokens: …
 *
 * One step a line: its number, its kind, its arguments, its sentence. Nothing is said by place or colour.
 */
#ifndef RADIXSCOPE_CLI_PLAIN_H
#define RADIXSCOPE_CLI_PLAIN_H

#include "base/buf.h"
#include "tape/tape.h"
#include "ui/feed.h"

struct plain {
    struct cursor cursor;
    struct ui_words words;
};

int plain_init(struct plain *p, const struct tape *t, const struct ui_words *words, struct err *e);
void plain_done(struct plain *p);

/* Append the line of a step of the cursor's branch; the cursor goes there. */
void plain_step(struct plain *p, uint32_t n, struct buf *out);

/* Append a moment: the tree (a node a line, children indented), the slots, the requests. */
void plain_scene(struct scene sc, const struct ui_words *words, struct buf *out);

/* Append the text of n tokens, quoted, cut to `cells`. */
void plain_tokens(const struct ui_words *words, const uint32_t *tokens, uint32_t n, int cells, struct buf *out);

#endif
