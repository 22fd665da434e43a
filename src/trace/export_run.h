/* export_run.h: a run for programs that know nothing of trees: metrics, Mooncake's trace, Perfetto's timeline.
 * docs/export.md says what each holds. Time is the schedule's virtual clock, and without one the number of the step; the
 * files say which.
 */
#ifndef RADIXSCOPE_TRACE_EXPORT_RUN_H
#define RADIXSCOPE_TRACE_EXPORT_RUN_H

#include "base/buf.h"
#include "tape/tape.h"

/* Per request, and in all: JSON, or a CSV with the totals in its last line. */
int export_metrics_json(const struct tape *t, const char *title, struct buf *out, struct err *e);
int export_metrics_csv(const struct tape *t, struct buf *out, struct err *e);

/* One line a request that is answered, and one a key that was inserted by hand: timestamp, input_length, output_length,
 * hash_ids and block_size. Equal ids: everything up to the end of the block is equal, the namespace too. */
int export_mooncake_trace(const struct tape *t, uint32_t block, struct buf *out, struct err *e);

/* Chrome's trace events: requests and operations (X), slots and nodes (C), who reused whose tokens (s, f). */
int export_perfetto_trace(const struct tape *t, const char *title, struct buf *out, struct err *e);

#endif
