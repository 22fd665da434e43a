/* lexicon.h: which tokens a text is made of, and which text a token is.
 *
 *   model     the model's tokenizer
 *   words     every word is a token, with the blanks before it: "the cat" = "the" + " cat"
 *   letters   every character is a token; its number is its code point
 *   ids       texts are lists of token ids, "17 4 2": recordings of servers know no text
 *
 * Words are numbered from 1 in the order in which they are first met. One thread encodes; any thread may
 * ask for the text of a token that it has read from a committed step, because a word never moves.
 */
#ifndef RADIXSCOPE_SCRIPT_LEXICON_H
#define RADIXSCOPE_SCRIPT_LEXICON_H

#include "base/err.h"
#include "model/ids.h"
#include "script/script.h"
#include "tape/event.h"

struct lexicon;
struct model;

/* m is borrowed; NULL unless kind is TOKENS_MODEL. */
struct lexicon *lexicon_new(enum token_source kind, const struct model *m, struct err *e);
void lexicon_free(struct lexicon *x);

/* Append the tokens of text to *out. */
int lexicon_encode(struct lexicon *x, const char *text, size_t len, struct ids *out, struct err *e);

/* Say piece by piece how text would be cut into tokens; nothing is numbered, so any thread may ask. */
int lexicon_cut(const struct lexicon *x, const char *text, size_t len,
                void (*piece)(void *ctx, const char *bytes, size_t n), void *ctx, struct err *e);

/* Append the token ids that text lists in decimal, with blanks between them; no lexicon is asked. */
int lexicon_encode_ids(const char *text, size_t len, struct ids *out, struct err *e);

/* Append the bytes of a token as they stand in the text; nothing for an unknown one. */
void lexicon_bytes(const struct lexicon *x, uint32_t id, struct buf *out);
void lexicon_bytes_of(void *lexicon, uint32_t id, struct buf *out); /* the same, as a callback */

/* How sentences write tokens: " Where" with its quotes. Valid as long as x. */
struct event_words lexicon_words(const struct lexicon *x);

#endif
