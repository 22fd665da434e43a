/* blas.h: y = W x + b, on the engine that fits. The only door to OpenBLAS (cblas.h is included nowhere else).
 *
 *   BLAS_SGEMM    OpenBLAS in any shape: sgemv for one row, sgemm for more. Fast; the bits of a row depend on
 *                 how many rows are computed with it.
 *   BLAS_TILE     OpenBLAS in fixed tiles of 16 rows on one thread; the row of absolute position p is row
 *                 p mod 16 of its tile. Exact, whatever the other rows hold; slow for a few rows.
 *   BLAS_KERNEL   our own kernels (kernel.h) on packed weights. Exact with no tiles at all, and faster than
 *                 OpenBLAS for few rows, because nothing is packed again on every call.
 */
#ifndef RADIXSCOPE_MODEL_BLAS_H
#define RADIXSCOPE_MODEL_BLAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/kernel.h"
#include "model/parallel.h"

enum blas_engine { BLAS_SGEMM, BLAS_TILE, BLAS_KERNEL };

#define BLAS_TILE_ROWS 16

/* A weight matrix with the forms that the engines want; up to three stored matrices one after another make
 * one (q, k, v). */
struct linear {
    uint32_t in, out;
    uint32_t n_parts;
    struct linear_part {
        uint32_t out;    /* outputs of this part; the parts' sum is the matrix's */
        const float *w;  /* (out, in), or (in, out) with in_out set; NULL until prepared */
    } part[3];
    bool in_out;         /* the parts are stored the other way round (GPT-2's Conv1D) */
    const float *bias;   /* (out) or NULL */
    struct packed packed; /* .at is NULL until prepared */
};

/* Up to here the kernels beat sgemm, which packs the whole matrix on every call (bench_model). */
#define BLAS_FEW_ROWS 32

/* What multiplies. Threads are used where a product is large enough to gain by them: a sleeping thread
 * takes as long to wake as 10 million multiply-adds. BLAS_TILE always runs on one. */
struct blas {
    enum blas_engine engine;
    const struct kernels *kernels; /* BLAS_KERNEL */
    struct parallel *pool;         /* BLAS_KERNEL; NULL: one thread */
    unsigned threads;
    uint32_t kernel_rows;          /* BLAS_SGEMM: up to so many rows the kernels are used after all (0: never) */
};

/* y (m, out) = x (m, in) W^T + bias, rows one after another; with `add`, y += . For BLAS_TILE m is a
 * multiple of 16. */
void blas_linear(const struct blas *b, const struct linear *w, const float *x, uint32_t m, float *y, bool add);

/* Is a product of m x in x out worth dividing? */
bool blas_worth_dividing(uint64_t m, uint64_t in, uint64_t out);

/* "OpenBLAS 0.3.21 … SkylakeX", for `doctor`; valid for the life of the program. */
const char *blas_description(void);
const char *blas_core(void); /* the kernel family it chose, "SkylakeX" */

#endif
