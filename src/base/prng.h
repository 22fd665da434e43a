/* prng.h: a small seeded random generator (xoshiro256**, Blackman and Vigna 2018), the same numbers on
 * every machine. Plain data: copy it to keep a point in the sequence. */
#ifndef RADIXSCOPE_BASE_PRNG_H
#define RADIXSCOPE_BASE_PRNG_H

#include <stdint.h>

struct prng {
    uint64_t s[4];
};

void prng_seed(struct prng *r, uint64_t seed);           /* any seed, 0 too */
uint64_t prng_next(struct prng *r);                      /* 64 random bits */
uint32_t prng_below(struct prng *r, uint32_t n);         /* uniform in [0, n); n > 0; no modulo bias */
double prng_unit(struct prng *r);                        /* uniform in [0, 1), 53 bits */

#endif
