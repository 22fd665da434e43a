/* show_trace.h: a trace of hash ids in the stepper, as a conversation, or printed, like show.h. */
#ifndef RADIXSCOPE_CLI_SHOW_TRACE_H
#define RADIXSCOPE_CLI_SHOW_TRACE_H

#include "cli/show.h"
#include "trace/tracer.h"

enum { TRACE_CAPACITY = 1000 };   /* blocks, where nothing else is said */

/* Is this the name of a trace: .jsonl, maybe .zst or .gz behind it? */
bool is_trace_name(const char *path);

/* What --capacity, --policy, --block and --requests ask for. -1 and *e. */
int trace_options_of(const struct cli *c, struct trace_options *o, struct err *e);

int show_trace(struct cli *c, const char *path, const struct trace_options *o, struct err *e);

#endif
