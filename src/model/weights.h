/* weights.h: a checkpoint's tensors in their places in the network.
 *
 * Two stages. weights_open finds every tensor and checks dtype and shape against the config: it touches
 * headers only. weights_prepare makes what an engine multiplies with, on first use and once for all users:
 * float32 matrices for OpenBLAS (in place where the file has them so), packed panels for our kernels, and
 * it looks at every number it passes for NaN and infinity.
 */
#ifndef RADIXSCOPE_MODEL_WEIGHTS_H
#define RADIXSCOPE_MODEL_WEIGHTS_H

#include "base/err.h"
#include "model/blas.h"
#include "model/config.h"
#include "model/safetensors.h"

enum layer_matrix { MATRIX_QKV, MATRIX_O, MATRIX_UP, MATRIX_DOWN, MATRICES }; /* UP: gate and up in one */

enum layer_vector { ATTN_NORM, ATTN_NORM_BIAS, MLP_NORM, MLP_NORM_BIAS, Q_NORM, K_NORM, VECTORS };

struct layer {
    struct linear matrix[MATRICES];
    const float *vector[VECTORS]; /* (dim), q_norm and k_norm (head_dim); NULL where the family has none */
};

struct weights {
    struct layer *layer;                            /* (layers) */
    struct linear head;                             /* (vocab, dim) */
    const float *final_norm, *final_norm_bias;      /* (dim) */
    const struct tensor *embedding;                 /* (vocab, dim) */
    const struct tensor *positions;                 /* (context, dim) or NULL */
    struct weights_store *store;
};

/* Find and check every tensor; takes no ownership of files, which must outlive w. 0, or -1 and *e. */
int weights_open(struct weights *w, const struct model_config *c, const struct safetensors *files, struct err *e);

/* Make ready for an engine, and the packed panels with it if packed_too; safe from any thread, quick when done
 * before. 0, or -1 and *e. */
int weights_prepare(struct weights *w, enum blas_engine engine, bool packed_too, struct err *e);
void weights_close(struct weights *w);

#endif
