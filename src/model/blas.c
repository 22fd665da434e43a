#include "model/blas.h"

#include <cblas.h>

/* One stored matrix: y (m, out) with rows ldy apart. */
static void multiply(const struct linear_part *p, bool in_out, uint32_t in, const float *x, uint32_t m, float *y,
                     uint32_t ldy, float beta)
{
    int k = (int)in, n = (int)p->out, ldw = in_out ? n : k;
    if (m == 1)
        cblas_sgemv(CblasRowMajor, in_out ? CblasTrans : CblasNoTrans, in_out ? k : n, in_out ? n : k, 1.0f, p->w, ldw,
                    x, 1, beta, y, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, in_out ? CblasNoTrans : CblasTrans, (int)m, n, k, 1.0f, x, k, p->w,
                    ldw, beta, y, (int)ldy);
}

static void add_bias(const struct linear *w, uint32_t m, float *y)
{
    for (uint32_t i = 0; i < m; i++, y += w->out)
        for (uint32_t j = 0; j < w->out; j++)
            y[j] += w->bias[j];
}

static void linear_openblas(const struct linear *w, const float *x, uint32_t m, uint32_t rows_a_call, float *y, bool add)
{
    for (uint32_t i = 0; i < m; i += rows_a_call) {
        float *out = y + (size_t)i * w->out;
        for (uint32_t p = 0; p < w->n_parts; out += w->part[p++].out)
            multiply(&w->part[p], w->in_out, w->in, x + (size_t)i * w->in, rows_a_call, out, w->out, add ? 1.0f : 0.0f);
    }
    if (w->bias != NULL)
        add_bias(w, m, y);
}

void blas_linear(enum blas_engine engine, const struct kernels *kernels, const struct linear *w, const float *x,
                 uint32_t m, float *y, bool add)
{
    if (m == 0)
        return;
    if (engine == BLAS_KERNEL)
        kernels->matmul(&w->packed, w->bias, x, w->in, m, y, w->out, 0, panel_count(w->out), add);
    else
        linear_openblas(w, x, m, engine == BLAS_TILE ? BLAS_TILE_ROWS : m, y, add);
}

void blas_set_threads(unsigned n)
{
    openblas_set_num_threads(n > 0 ? (int)n : 1);
}

const char *blas_description(void)
{
    return openblas_get_config();
}

const char *blas_core(void)
{
    return openblas_get_corename();
}
