/* recording.h: a tape in a file (.rxt), to be opened without engine, model or weights.
 *
 * It holds what a person can see: the configuration, every branch with its steps, changes and
 * observations, the store, the text of every token, and the script that caused it all. Keys and values
 * are in it only when they were asked for (recording_kv.h). docs/rxt.md has the layout.
 *
 * A file is refused with one sentence when it is no recording, damaged, cut off, of a newer version, or
 * when it would lead a reader outside its world: after recording_open succeeds, every step of the tape
 * can be visited. A recording owns its tape.
 */
#ifndef RADIXSCOPE_TAPE_RECORDING_H
#define RADIXSCOPE_TAPE_RECORDING_H

#include "tape/recording_kv.h"
#include "tape/tape.h"

struct recording;

#define RECORDING_VERSION 1

/* What the tape itself does not know. Any text may be NULL. */
struct recording_info {
    const char *title, *mode, *model, *script, *program;
    void (*bytes)(void *ctx, uint32_t id, struct buf *b); /* appends the text of a token; NULL: none */
    void *ctx;
    const struct recording_kv *kv; /* NULL: no rows and answers; only with all branches */
    int branch;               /* -1: all branches; else this one alone, with what it shares with others */
};

/* Append the file's bytes. Only between operations of the tape's owner. */
int recording_pack(const struct tape *t, const struct recording_info *info, struct buf *out, struct err *e);
int recording_save(const char *path, const struct tape *t, const struct recording_info *info, struct err *e);

struct recording *recording_open(const char *path, struct err *e);
/* The same from memory; `name` stands for the file in errors. */
struct recording *recording_parse(const char *name, const void *bytes, size_t len, struct err *e);
void recording_free(struct recording *r);

struct tape *recording_tape(const struct recording *r);
const struct world_config *recording_world(const struct recording *r);
const char *recording_title(const struct recording *r);   /* "" where nothing was said */
const char *recording_mode(const struct recording *r);    /* "exact", "fast"; NULL: no model ran */
const char *recording_model(const struct recording *r);
const char *recording_script(const struct recording *r);

/* The rows that it holds; false: none were recorded. Good as long as the recording. */
bool recording_observed(const struct recording *r, struct observed *out);
/* The recorded answer to an inquiry; NULL: it was not recorded. */
const struct answer *recording_answer(const struct recording *r, const struct inquiry *q);

struct event_words recording_words(const struct recording *r);
void recording_bytes(void *recording, uint32_t id, struct buf *out); /* the text of a token, as a callback */

#endif
