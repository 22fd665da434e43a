/* msgpack_size.h: how long is a packed value? libmsgpack believes the lengths that a value claims and takes memory
 * for them at once; this walks over the bytes first, taking none, and says 0 where they are not all there.
 */
#ifndef RADIXSCOPE_TRACE_MSGPACK_SIZE_H
#define RADIXSCOPE_TRACE_MSGPACK_SIZE_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the value that begins at `bytes`; 0: no msgpack, or nested deeper than 16 lists, or, *cut, not all of it is
 * there. */
size_t msgpack_size(const char *bytes, size_t len, bool *cut);

#endif
