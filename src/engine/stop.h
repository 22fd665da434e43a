/* stop.h: the text of an answer while it grows, watched for stop strings.
 *
 * A stop string may begin in one token and end in another, and so may a character: the text grows by whole
 * characters. Zero the struct, fill in the first three members; stop_done at the end.
 */
#ifndef RADIXSCOPE_ENGINE_STOP_H
#define RADIXSCOPE_ENGINE_STOP_H

#include "base/buf.h"
#include "base/err.h"
#include "model/tokenizer.h"

struct stop_watch {
    const struct tokenizer *tokenizer;
    const char *const *stops;        /* (count) borrowed */
    size_t count;
    struct tokenizer_stream stream;
    struct buf text;                 /* what the tokens so far say */
};

/* One more token. 1: a stop string is whole, and *before bytes of the text stand before it; 0: none; -1 and *e. */
int stop_push(struct stop_watch *s, uint32_t token, uint32_t *before, struct err *e);
void stop_done(struct stop_watch *s);

#endif
