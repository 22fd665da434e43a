/* sample.h: the next token from logits.
 *
 * The order of the steps is Hugging Face's: repetition penalty, temperature, top-k, top-p, min-p, draw.
 * A request draws from its own generator, seeded by its own seed and advanced once per token, so that its
 * text depends on seed and logits alone, never on the batch or the cache. Ties go to the lowest id.
 */
#ifndef RADIXSCOPE_MODEL_SAMPLE_H
#define RADIXSCOPE_MODEL_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/prng.h"

struct sample_params {
    double temperature;        /* 0: greedy */
    uint32_t top_k;            /* 0: all */
    double top_p;              /* 1: all */
    double min_p;              /* 0: all */
    double repetition_penalty; /* 1: none */
    uint64_t seed;
};

struct sample_params sample_greedy(void);

/* Check the ranges. Returns 0, or -1 naming the parameter, its value and the range. */
int sample_check(const struct sample_params *p, struct err *e);

struct sampler; /* scratch and generator of one request */
struct sampler *sampler_new(const struct sample_params *p, uint32_t vocab, struct err *e);
void sampler_free(struct sampler *s);

/* The next token. logits: (vocab), unchanged; history: the n_history tokens so far (for the penalty). */
uint32_t sampler_next(struct sampler *s, const float *logits, const uint32_t *history, size_t n_history);

/* The largest logit's id; the lowest id among equals. logits: (vocab) */
uint32_t sample_argmax(const float *logits, uint32_t vocab);

/* The best k ids in falling order (lowest id first among equals) with their probabilities under a plain
 * softmax over all. Returns how many were written (at most vocab). logits: (vocab) */
uint32_t sample_top(const float *logits, uint32_t vocab, uint32_t k, uint32_t *ids, float *probabilities);

/* Stop strings: does any of them occur in text[0 .. len), looking only at places that end after `seen`?
 * Returns the offset where the earliest begins, or len. */
size_t sample_find_stop(const char *text, size_t len, size_t seen, const char *const *stops, size_t n_stops);

#endif
