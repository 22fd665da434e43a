/* kvrows.h: the store of key and value rows, one row per token, written once.
 *
 *   row 7:  layer 0 [ K: kv_heads x head_dim | V: kv_heads x head_dim ]
 *           layer 1 [ K                      | V                      ]
 *           …
 *
 * K is stored after RoPE at the token's absolute position, so a row can be used again only at that
 * position behind that prefix: exactly what a radix tree guarantees.
 *
 * Beside a row may stand the queries of its token (heads x head_dim a layer, after RoPE): nobody computes with
 * them again, but with them everything that attention weighed can be told later, from rows alone.
 *
 * Invariants: row 0 means none. A row's address never changes (rows live in chunks that are never moved),
 * and a row that was handed out by forward_run is never written again, so that any thread may read it
 * while one thread appends. Slots that name rows change; rows do not: undoing copies no floats.
 */
#ifndef RADIXSCOPE_MODEL_KVROWS_H
#define RADIXSCOPE_MODEL_KVROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/config.h"

struct kvrows;

/* A store for at most max_rows rows (memory is taken in chunks as rows are added). */
struct kvrows *kvrows_new(const struct model_config *c, uint32_t max_rows, struct err *e);
void kvrows_free(struct kvrows *s);

/* From here on keep the queries of new rows, too: q_width floats a layer, in at most `most` bytes. Rows for which
 * there is no room have none. Before the first row. */
void kvrows_keep_queries(struct kvrows *s, uint32_t q_width, size_t most);

/* A new row, contents undefined; 0 when the cap is reached or there is no memory. One thread at a time. */
uint32_t kvrows_append(struct kvrows *s);

/* Give a row back to be used again. Only when nothing (no branch of a history) can name it any more. */
void kvrows_release(struct kvrows *s, uint32_t row);

/* Forget every row, keep the memory. */
void kvrows_clear(struct kvrows *s);

const float *kvrows_k(const struct kvrows *s, uint32_t row, uint32_t layer); /* (kv_head, head_dim) */
const float *kvrows_v(const struct kvrows *s, uint32_t row, uint32_t layer); /* (kv_head, head_dim) */

const float *kvrows_q(const struct kvrows *s, uint32_t row, uint32_t layer); /* (head, head_dim); NULL: not kept */

/* A new row with the contents of another; 0 as kvrows_append. */
uint32_t kvrows_copy(struct kvrows *s, uint32_t row);

/* For the forward pass, before the row is handed out, and for tests that break a cache on purpose. */
float *kvrows_edit_k(struct kvrows *s, uint32_t row, uint32_t layer); /* (kv_head, head_dim) */
float *kvrows_edit_v(struct kvrows *s, uint32_t row, uint32_t layer); /* (kv_head, head_dim) */
float *kvrows_edit_q(struct kvrows *s, uint32_t row, uint32_t layer); /* (head, head_dim); NULL: not kept */

uint32_t kvrows_live(const struct kvrows *s);    /* rows in use */
uint32_t kvrows_cap(const struct kvrows *s);     /* max_rows */
size_t kvrows_row_bytes(const struct kvrows *s); /* bytes of one row: layers x 2 x kv_heads x head_dim x 4 */
size_t kvrows_bytes(const struct kvrows *s);     /* memory taken from the system by now */

#endif
