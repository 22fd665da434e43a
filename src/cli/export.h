/* export.h: a run for other programs: a screen, the whole run as a film, the tree. docs/export.md says what
 * each holds. Everything is read from the tape through a cursor, so that a recording and a run give the same
 * bytes, today and tomorrow.
 */
#ifndef RADIXSCOPE_CLI_EXPORT_H
#define RADIXSCOPE_CLI_EXPORT_H

#include "ui/app.h"

struct export {
    const struct ui_feed *feed;
    struct ui_options look;   /* theme, ascii */
    int w, h;                 /* of the screen */
    uint32_t step;            /* 1 … the run's length */
    double speed;             /* steps a second of a cast */
    uint32_t from, to;        /* steps of a cast */
    uint32_t block;           /* tokens of a block of a trace */
    const char *script;       /* the run's cause; NULL: nobody knows */
    const char *format;
};

/* Each appends its bytes; -1 and *e when it cannot. */
int export_screen(const struct export *x, struct buf *out, struct err *e); /* text, ansi, svg */
int export_cast(const struct export *x, struct buf *out, struct err *e);   /* asciicast v3 */
int export_tree(const struct export *x, struct buf *out, struct err *e);   /* dot, json */
int export_metrics(const struct export *x, struct buf *out, struct err *e);   /* json, csv */
int export_mooncake(const struct export *x, struct buf *out, struct err *e);  /* jsonl */
int export_perfetto(const struct export *x, struct buf *out, struct err *e);  /* Chrome's trace events */
int export_kv_events(const struct export *x, struct buf *out, struct err *e); /* jsonl, msgpack */
int export_rxs(const struct export *x, struct buf *out, struct err *e);       /* the script */

#endif
