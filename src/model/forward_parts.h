/* forward_parts.h: choosing the engine of a forward pass by hand; for proofs, tests, benches and check-model. */
#ifndef RADIXSCOPE_MODEL_FORWARD_PARTS_H
#define RADIXSCOPE_MODEL_FORWARD_PARTS_H

#include "model/blas.h"
#include "model/forward.h"
#include "model/kernel.h"

struct forward_engine {
    enum blas_engine blas;
    const struct kernels *kernels; /* NULL: the best */
    /* RoPE frequencies rounded to the precision the weights are stored in. Loading a checkpoint keeps them
     * in float32; casting a finished PyTorch model rounds them with the weights, and results that were
     * computed behind such a cast can only be met by rounding too. */
    bool cast_rope;
};

/* forward_new with an engine of the caller's choice (NULL: the mode's own). */
struct forward *forward_new_with(const struct model *m, struct kvrows *rows, enum forward_mode mode, unsigned threads,
                                 const struct forward_engine *engine, struct err *e);

#endif
