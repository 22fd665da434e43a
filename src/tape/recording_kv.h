/* recording_kv.h: the parts of a recording that --with-kv adds: rows of keys, values and queries, and answers
 * (proofs, reaches of spoiled rows) that only an engine can compute. docs/rxt.md has the layout.
 *
 *      KVRW   shape, then every row that a world of the tape names     each section begins with a checksum
 *      PROV   answered inquiries                                       of its own
 */
#ifndef RADIXSCOPE_TAPE_RECORDING_KV_H
#define RADIXSCOPE_TAPE_RECORDING_KV_H

#include "base/buf.h"
#include "tape/evidence.h"

/* An inquiry and its answer (ANSWER_READY), for a recording that is made. */
struct answered {
    struct inquiry q;
    struct answer a;
};

/* What is written besides, when it is wanted. */
struct recording_kv {
    const struct observed *observed;
    const struct answered *answer; /* (answers) */
    uint32_t answers;
};

/* What was read. Owned by the recording. */
struct recorded_kv {
    struct model_shape shape;
    uint32_t rows;
    uint32_t *id;            /* (rows) rising */
    uint8_t *has_q;          /* (rows) */
    size_t *at;              /* (rows) where its floats begin: layer after layer K, V, and Q if it has them */
    float *floats;           /* (all rows: layers x parts) as `at` says; parts have the shape of observed.row */
    struct answered *answer; /* (answers) */
    uint32_t answers;
    bool answered;           /* the section is there */
};

/* Append the bodies of the sections. put_rows: -1 and *e without memory. */
int recording_put_rows(struct buf *b, const struct tape *t, const struct recording_kv *kv, struct err *e);
void recording_put_answers(struct buf *b, const struct recording_kv *kv);

/* Read a section's body. 0; or -1 and what is wrong with it in *wrong (NULL: no memory). The tape's names are there
 * when answers are read; steps and branches are checked by recorded_kv_fits when all is read. */
int recording_read_rows(struct recorded_kv *kv, const char *bytes, size_t n, const char **wrong);
int recording_read_answers(struct recorded_kv *kv, const char *bytes, size_t n, const char **wrong);
bool recorded_kv_fits(const struct recorded_kv *kv, const struct tape *t);
void recorded_kv_done(struct recorded_kv *kv);

/* A row's floats, of the shape struct observed says. ctx: a struct recorded_kv. */
const float *recorded_row(const void *ctx, uint32_t row, uint32_t layer, enum row_part part);

#endif
