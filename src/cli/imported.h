/* imported.h: recorded KV events and conversations opened as they are: what `import -o FILE.rxs` would write is made
 * in memory and run like any script; on the screen while the file is still being read (trace/stream.h). Traces with
 * hash_ids have a way of their own (show_trace.h).
 */
#ifndef RADIXSCOPE_CLI_IMPORTED_H
#define RADIXSCOPE_CLI_IMPORTED_H

#include <stdbool.h>

#include "cli/cli.h"
#include "trace/foreign.h"
#include "trace/lines.h"

/* Is this a file (.jsonl, maybe packed, .msgpack) with KV events or conversations? Looks at its first line only; false too
 * when it cannot be read. */
bool is_imported(const char *path);

/* The same, opened; nothing is read of it but its beginning, which comes again. NULL: it is none, or cannot be read. */
struct lines *imported_open(const char *path, enum foreign_format *format);

/* Append the script to out. -1 and *e. */
int imported_script(struct cli *c, const char *path, struct buf *out, struct err *e);

#endif
