/* stream.h: recorded KV events or conversations as scripts that come one after another, while the file is read.
 *
 *      file ── lines ─┬─ kv_reader ── kv_tree ─┬─> text ── stream_next ──> script, to be run (script/worker.h)
 *                     └─ talks ────────────────┘    └── all of it, once the file has ended: what import would write
 *
 * In the thread that opens it: the beginning is read, as much as the settings need and a wrong file shows (up to the
 * first block that is stored, up to the first request). From then on one other thread asks for scripts; everybody may
 * ask how far it is, and stop it.
 *
 * How many slots all of it needs is not known before the end. The pool is as large as a file of this size could need, at
 * most STREAM_POOL; of a packed file or a FIFO nobody knows the size, and it is STREAM_POOL. Otherwise the commands are
 * those of the whole file. A KV event that goes beyond is an error, not an eviction that the server never made.
 *
 * What was read before a line that is wrong comes first, then the error.
 */
#ifndef RADIXSCOPE_TRACE_STREAM_H
#define RADIXSCOPE_TRACE_STREAM_H

#include "model/model.h"
#include "script/script.h"
#include "trace/foreign.h"
#include "trace/lines.h"

enum { STREAM_POOL = 1 << 23 };

struct stream; /* opaque */

struct stream_options {
    uint32_t pool;        /* slots; 0: as many as a file of this size could need */
    uint32_t most;        /* … and no more than this; 0: STREAM_POOL */
    uint32_t max;         /* no answer is longer; 0: as long as the recorded one */
};

struct stream_status {
    bool ended;           /* nothing more comes */
    uint64_t done;        /* requests or records whose commands have run */
    const char *what;     /* "requests", "records" */
    uint64_t bytes, size; /* of the file; size 0: unknown */
};

/* KV events or conversations. Takes the lines, also on failure. NULL and *e. */
struct stream *stream_new(struct lines *l, enum foreign_format format, const struct stream_options *o, struct err *e);
void stream_free(struct stream *s);

/* The settings with which all of it runs, as lines of a script. */
const char *stream_head(const struct stream *s);
/* Conversations need the model (borrowed), KV events none. Before the first script. */
int stream_begin(struct stream *s, const struct model *m, struct err *e);

/* The next script, for the caller to free. NULL: that was all, or it was stopped; or *e is set. */
struct script *stream_next(void *stream, struct err *e);
void stream_done(void *stream);                                            /* the thread that asks: it has run */
void stream_stop(void *stream);                                            /* any thread */
void stream_get_status(const struct stream *s, struct stream_status *out); /* any thread */
const char *stream_text(const struct stream *s); /* all scripts so far with their head; only while nobody asks for one */

#endif
