/* bpe.h: byte-pair merging of one word.
 *
 * The rule: of all neighbours that can merge, the pair of the lowest rank merges first, the leftmost among
 * equals; again until none can. Short words do just that; long ones keep the pairs in a heap and the
 * symbols in a linked list, so that a megabyte without a blank takes n log n steps.
 */
#ifndef RADIXSCOPE_MODEL_BPE_H
#define RADIXSCOPE_MODEL_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/vocab.h"

/* Scratch that grows with the longest word and is used again. Start from a zeroed struct. */
struct bpe {
    struct bpe_symbol *symbol;
    struct bpe_merge *heap;
    size_t symbol_cap, heap_cap, n_heap;
};

/* Merge ids[0 .. n) in place. Returns the new count, or SIZE_MAX without memory. */
size_t bpe_merge_word(struct bpe *b, const struct vocab *v, uint32_t *ids, size_t n);
void bpe_done(struct bpe *b);

#endif
