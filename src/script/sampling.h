/* sampling.h: how the tokens of an answer are chosen, as a script or the command line says it.
 *
 * Whoever speaks first wins: start from what the command line gives (or from zero) and read the request into it.
 */
#ifndef RADIXSCOPE_SCRIPT_SAMPLING_H
#define RADIXSCOPE_SCRIPT_SAMPLING_H

#include "base/err.h"
#include "model/sample.h"
#include "script/script.h"

/* In the order of the command line's options (cli.h).
 *
 *  X(ENUM, "option of a request") */
#define SAMPLING_VALUES(X)                                                                                   \
    X(TEMPERATURE, "temperature")                                                                            \
    X(TOP_K, "top_k")                                                                                        \
    X(TOP_P, "top_p")                                                                                        \
    X(MIN_P, "min_p")                                                                                        \
    X(REPETITION_PENALTY, "repetition_penalty")                                                              \
    X(SEED, "seed")

enum sampling_value {
#define X(id, name) SAMPLING_##id,
    SAMPLING_VALUES(X)
#undef X
    SAMPLING_COUNT
};

struct sampling {
    unsigned given;                /* which values, as a set of bits */
    double value[SAMPLING_COUNT];
    const char *stop[SCRIPT_ARGS]; /* (stops) borrowed from the command that was read */
    uint32_t stops;
};

/* What the command says and s does not. */
void sampling_read(struct sampling *s, const struct script_command *c);

/* With the usual values where nothing was said. 0, or -1 and *e: a value out of range, or an empty stop string. */
int sampling_params(const struct sampling *s, struct sample_params *out, struct err *e);

#endif
