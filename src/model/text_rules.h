/* text_rules.h: what happens to text before BPE sees it: normalisers and pre-tokenizers of tokenizer.json.
 *
 * Normalisers rewrite the text (NFC, a leading "▁", " " → "▁"). Pre-tokenizers cut it into pieces, inside
 * which alone BPE may merge:
 *
 *   "Hello world 42"  ─ GPT-2's pattern →  [Hello][ world][ 42]
 *
 * Patterns are PCRE2, compiled once. Bytes that are no UTF-8 are no text to a pattern: each run of them is
 * a piece of its own.
 */
#ifndef RADIXSCOPE_MODEL_TEXT_RULES_H
#define RADIXSCOPE_MODEL_TEXT_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct text_rule;

struct text_rules {
    struct text_rule *normalise, *split; /* lists, in order of use */
    size_t n_normalise, normalise_cap, n_split, split_cap;
    bool byte_level; /* a ByteLevel pre-tokenizer: BPE works on bytes written as characters */
};

struct piece {
    size_t at, len; /* in pieces.text */
};

struct pieces {
    struct buf text;
    struct piece *at; /* (n) */
    size_t n, cap;
    bool failed;
};

/* Read "normalizer" and "pre_tokenizer" of a tokenizer.json. Returns 0, or -1 naming the unsupported part. */
int text_rules_read(const char *file, const json_t *root, struct text_rules *out, struct err *e);
void text_rules_done(struct text_rules *r);

/* Append the normalised text to *out. */
int text_normalise(const struct text_rules *r, const char *text, size_t len, struct buf *out, struct err *e);

/* Cut text into pieces (which may differ from it: a blank or "▁" is put in front where the rules say so).
 * `first`: the text begins where the whole input begins. */
int text_split(const struct text_rules *r, const char *text, size_t len, bool first, struct pieces *out,
               struct err *e);
void pieces_done(struct pieces *p);

#endif
