#include "base/xalloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The hook's state is the tests' business and thread-local; the program never sets it. */
static _Thread_local unsigned long fail_at, calls, failures;
static _Thread_local bool keep_failing;

void xalloc_fail_at(unsigned long nth, bool from_then_on)
{
    fail_at = nth;
    keep_failing = from_then_on;
    calls = failures = 0;
}

unsigned long xalloc_failures(void)
{
    return failures;
}

unsigned long xalloc_calls(void)
{
    return calls;
}

static bool injected(void)
{
    calls++;
    if (fail_at == 0 || (keep_failing ? calls < fail_at : calls != fail_at))
        return false;
    failures++;
    return true;
}

void *xmalloc(size_t bytes)
{
    return injected() ? NULL : malloc(bytes > 0 ? bytes : 1);
}

void *xcalloc(size_t count, size_t size)
{
    return injected() ? NULL : calloc(count > 0 ? count : 1, size > 0 ? size : 1);
}

void *xrealloc(void *old, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    size_t bytes = count * size;
    return injected() ? NULL : realloc(old, bytes > 0 ? bytes : 1);
}

void *xmemdup(const void *bytes, size_t n)
{
    void *copy = xmalloc(n);
    if (copy != NULL && n > 0)
        memcpy(copy, bytes, n);
    return copy;
}

char *xstrdup(const char *text)
{
    return xmemdup(text, strlen(text) + 1);
}

void xfree(void *block)
{
    free(block);
}

bool xgrow(void **array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return true;
    size_t wanted = *capacity < 8 ? 16 : *capacity * 2;
    if (wanted < need)
        wanted = need;
    void *grown = xrealloc(*array, wanted, size);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

void *xreserve(size_t bytes)
{
    if (injected())
        return NULL;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;
#endif
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return block == MAP_FAILED ? NULL : block;
}

void xunreserve(void *block, size_t bytes)
{
    if (block != NULL)
        munmap(block, bytes);
}
