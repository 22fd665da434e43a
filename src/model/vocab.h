/* vocab.h: the token texts of a BPE model and its merges, as two hash tables made once.
 *
 *   text  "Ġthe" → 262        pair  (262, 81) → rank 4711, makes 9013
 *
 * Texts are kept as tokenizer.json writes them (byte-level vocabularies write a space as "Ġ").
 */
#ifndef RADIXSCOPE_MODEL_VOCAB_H
#define RADIXSCOPE_MODEL_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VOCAB_NONE UINT32_MAX

struct vocab_text {
    size_t at;         /* in `bytes` */
    uint32_t len;
    bool known;
};

struct vocab_pair {
    uint32_t left, right; /* left is VOCAB_NONE in an empty place */
    uint32_t rank, id;
};

struct vocab {
    char *bytes;              /* all texts, one after another */
    size_t n_bytes, bytes_cap;
    struct vocab_text *text;  /* (size) by id */
    size_t size, text_cap;    /* one more than the largest id */
    uint32_t *slot;           /* (slots) open addressing: id, or VOCAB_NONE */
    size_t slots, n_texts;
    struct vocab_pair *pair;  /* (pairs) open addressing */
    size_t pairs, n_pairs;
};

/* Make room for about n texts / merges beforehand. False without memory. */
bool vocab_reserve(struct vocab *v, size_t n_texts, size_t n_pairs);
void vocab_done(struct vocab *v);

enum vocab_result { VOCAB_OK, VOCAB_TWICE, VOCAB_NO_MEMORY };

/* Give `id` this text. VOCAB_TWICE when the id has a text already, or the text an id. */
enum vocab_result vocab_add(struct vocab *v, uint32_t id, const char *text, size_t len);

/* Let left and right merge into id. VOCAB_TWICE when they merge already. */
enum vocab_result vocab_add_pair(struct vocab *v, uint32_t left, uint32_t right, uint32_t rank, uint32_t id);

uint32_t vocab_find(const struct vocab *v, const char *text, size_t len); /* an id, or VOCAB_NONE */
const struct vocab_pair *vocab_find_pair(const struct vocab *v, uint32_t left, uint32_t right); /* or NULL */

/* The text of id as written, or NULL. */
const char *vocab_text(const struct vocab *v, uint32_t id, size_t *len);

#endif
