/* quote.h: bytes as people may see them: in quotes, control characters and wrong UTF-8 as \xHH. */
#ifndef RADIXSCOPE_BASE_QUOTE_H
#define RADIXSCOPE_BASE_QUOTE_H

#include "base/buf.h"

void quote_bytes(const char *bytes, size_t n, struct buf *out);

#endif
