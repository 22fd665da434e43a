/* xalloc.h: the only way to the heap, with a hook that makes the Nth allocation fail.
 *
 * Every function returns NULL on failure, never exits: the caller reports it and undoes what it began.
 * Tests sweep N = 1, 2, 3, … ("fail once" and "fail from then on") and count the injections, so that
 * no path that handles a failure goes unrun. Sizes are checked for overflow.
 */
#ifndef RADIXSCOPE_BASE_XALLOC_H
#define RADIXSCOPE_BASE_XALLOC_H

#include <stdbool.h>
#include <stddef.h>

void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t size);               /* zeroed; NULL if count * size overflows */
void *xrealloc(void *old, size_t count, size_t size);   /* the old block stays valid on failure */
char *xstrdup(const char *text);
void *xmemdup(const void *bytes, size_t n);
void xfree(void *block);

/* Grow *array (of elements of `size` bytes, *capacity of them) to hold at least `need`, doubling.
 * Returns false, with everything as it was, when there is no memory. */
bool xgrow(void **array, size_t *capacity, size_t need, size_t size);

/* Reserve `bytes` of zeroed address space that takes memory only where it is touched. */
void *xreserve(size_t bytes);
void xunreserve(void *block, size_t bytes);

/* Tests: fail the nth allocation from now (1 = the next); `from_then_on` keeps failing.
 * nth = 0 switches the hook off. Thread-local, so that a sweep does not hit other threads. */
void xalloc_fail_at(unsigned long nth, bool from_then_on);
unsigned long xalloc_failures(void); /* how many were injected since xalloc_fail_at */
unsigned long xalloc_calls(void);    /* how many allocations were asked for since then */

#endif
