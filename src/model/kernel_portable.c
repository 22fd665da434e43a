#include "model/kernel.h"

#include "model/kernel_body.h"

const struct kernels *kernels_portable(void)
{
    static const struct kernels portable = BODY_KERNELS("portable");
    return &portable;
}

const struct kernels *kernels_best(void)
{
    const struct kernels *best = kernels_avx512() != NULL ? kernels_avx512() : kernels_avx2();
    return best != NULL ? best : kernels_portable();
}

size_t kernels_all(const struct kernels *out[KERNELS_MAX])
{
    const struct kernels *each[KERNELS_MAX] = {kernels_portable(), kernels_avx2(), kernels_avx512()};
    size_t n = 0;
    for (size_t i = 0; i < KERNELS_MAX; i++)
        if (each[i] != NULL)
            out[n++] = each[i];
    return n;
}
