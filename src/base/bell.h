/* bell.h: a pipe by which one thread wakes another that polls: ring makes bell[0] readable, quiet makes it wait again.
 * Both ends never block: a full pipe is readable already. Whoever opened it closes both ends.
 */
#ifndef RADIXSCOPE_BASE_BELL_H
#define RADIXSCOPE_BASE_BELL_H

#include "base/err.h"

int bell_open(int bell[2], struct err *e); /* -1 and *e; ends that are open by then are the caller's to close */
void bell_ring(const int bell[2]);
void bell_quiet(const int bell[2]);

#endif
