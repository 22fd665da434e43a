/* manual.h: the manual page, made from the same tables as the help and the keys, so that it cannot say
 * anything else. docs/radixscope.1 is what this prints; tests/cli/test_manual.sh compares the two.
 */
#ifndef RADIXSCOPE_CLI_MANUAL_H
#define RADIXSCOPE_CLI_MANUAL_H

#include "base/buf.h"

/* Append the page, in the man(7) macros that every man(1) understands. */
void manual_print(struct buf *out);

#endif
