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

bool blas_worth_dividing(uint64_t m, uint64_t in, uint64_t out)
{
    return in > 128 && m * in * out >= 8000000;
}

/* A product in parts of neighbouring panels. */
struct parts {
    const struct blas *b;
    const struct linear *w;
    const float *x;
    float *y;
    uint32_t m, panels, n;
    bool add;
};

static void one_part(void *arg, uint32_t i)
{
    const struct parts *p = arg;
    uint32_t from = (uint32_t)((uint64_t)p->panels * i / p->n), to = (uint32_t)((uint64_t)p->panels * (i + 1) / p->n);
    p->b->kernels->matmul(&p->w->packed, p->w->bias, p->x, p->w->in, p->m, p->y, p->w->out, from, to, p->add);
}

static void linear_kernel(const struct blas *b, const struct linear *w, const float *x, uint32_t m, float *y, bool add)
{
    struct parts p = {b, w, x, y, m, panel_count(w->out), 1, add};
    if (b->pool != NULL && blas_worth_dividing(m, w->in, w->out))
        p.n = b->threads; /* equal parts: a thread that is late costs, many small parts cost more */
    parallel_run(b->pool, p.n, one_part, &p);
}

void blas_linear(const struct blas *b, const struct linear *w, const float *x, uint32_t m, float *y, bool add)
{
    if (m == 0)
        return;
    if (b->engine == BLAS_KERNEL || (b->engine == BLAS_SGEMM && m <= b->kernel_rows)) {
        linear_kernel(b, w, x, m, y, add);
        return;
    }
    bool divide = b->engine == BLAS_SGEMM && b->threads > 1 && blas_worth_dividing(m, w->in, w->out);
    openblas_set_num_threads(divide ? (int)b->threads : 1);
    linear_openblas(w, x, m, b->engine == BLAS_TILE ? BLAS_TILE_ROWS : m, y, add);
}

const char *blas_description(void)
{
    return openblas_get_config();
}

const char *blas_core(void)
{
    return openblas_get_corename();
}
