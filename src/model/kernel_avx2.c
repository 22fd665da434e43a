#include "model/kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

/* Everything below may use AVX2 and FMA; it runs only where the CPU has them. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#pragma GCC optimize("O3") /* -O2 leaves loops of unknown length to single floats */
#endif

#include "model/kernel_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const struct kernels *kernels_avx2(void)
{
    static const struct kernels avx2 = BODY_KERNELS("avx2");
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &avx2 : NULL;
}

#else

const struct kernels *kernels_avx2(void)
{
    return NULL;
}

#endif
