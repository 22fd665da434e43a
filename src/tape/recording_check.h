/* recording_check.h: may a tape that came from a file be walked? For recording.c alone.
 *
 * The checksum finds damage; this finds files that lie. After every step each word that it changed is
 * held against the bounds of its field, each node and request that it touched against the store; at
 * settled steps world_check derives all the rest (in very large recordings at some of them, the last of
 * every branch always). An engine that was broken on purpose keeps the bounds alone: its sums are wrong.
 */
#ifndef RADIXSCOPE_TAPE_RECORDING_CHECK_H
#define RADIXSCOPE_TAPE_RECORDING_CHECK_H

#include "tape/tape.h"

int recording_check(const struct tape *t, struct err *e);

#endif
