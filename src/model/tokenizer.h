/* tokenizer.h: text to token ids and back, as tokenizer.json says.
 *
 *   text ─ split at added tokens ─ normalise ─ pre-tokenise ─ BPE ─ post-process → ids
 *          "<|end|>"               NFC, ▁      regex words   merges   begin token
 *
 * Byte-level BPE (GPT-2, Llama 3, Qwen, SmolLM) and SentencePiece-style BPE with byte fallback (Llama 2,
 * Mistral). A tokenizer is immutable once opened: any number of threads may use it.
 *
 * Text is bytes and may hold NULs and wrong UTF-8. With byte-level BPE and no normaliser,
 * decode(encode(text)) == text for every string of bytes.
 */
#ifndef RADIXSCOPE_MODEL_TOKENIZER_H
#define RADIXSCOPE_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/ids.h"

struct tokenizer;

#define TOKENIZER_NONE UINT32_MAX /* not a token */

enum tokenizer_flags {
    TOKENIZER_PLAIN = 0,       /* nothing added, "<|end|>" in the text is seven characters of text */
    TOKENIZER_ADD_SPECIAL = 1, /* add what the post-processor adds (a begin token) */
    TOKENIZER_PARSE_SPECIAL = 2 /* special tokens written in the text become their ids: never for user text */
};

/* Read a tokenizer.json. `vocab` is the number of rows of the embedding: a token id beyond it is an error
 * (pass UINT32_MAX to accept any). Returns 0, or -1 with a sentence naming file and field. */
int tokenizer_open(const char *path, uint32_t vocab, struct tokenizer **out, struct err *e);

/* The same from memory; `name` stands for the file in errors. */
int tokenizer_parse(const char *name, const char *json, size_t len, uint32_t vocab, struct tokenizer **out,
                    struct err *e);
void tokenizer_close(struct tokenizer *t);

/* Append the ids of text to *out. Fails only for lack of memory or text of 2^31 bytes and more. */
int tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, unsigned flags, struct ids *out,
                     struct err *e);

/* Append the exact bytes of ids to *out (they need not be whole UTF-8). Unknown ids add nothing. */
void tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n, struct buf *out);

/* The bytes that one token stands for inside a text; NULL and 0 for an unknown id. For drawing tokens. */
const char *tokenizer_token_bytes(const struct tokenizer *t, uint32_t id, size_t *len);

/* The id of a special or added token by its written form, or TOKENIZER_NONE. */
uint32_t tokenizer_special(const struct tokenizer *t, const char *written);
bool tokenizer_is_special(const struct tokenizer *t, uint32_t id);

/* One more than the largest id. */
uint32_t tokenizer_size(const struct tokenizer *t);

/* Decoding while tokens arrive: a character whose bytes are spread over several tokens is held back until
 * it is whole. Start from a zeroed struct. */
struct tokenizer_stream {
    char held[4];   /* the beginning of a character */
    uint8_t n_held;
    bool begun;     /* the first token is behind us: the leading space of SentencePiece is gone */
};
void tokenizer_stream_push(const struct tokenizer *t, struct tokenizer_stream *s, uint32_t id, struct buf *out);
void tokenizer_stream_end(struct tokenizer_stream *s, struct buf *out); /* what was held back, as it is */

#endif
