#include "model/kvrows.h"

#include <stdbool.h>
#include <string.h>

#include "base/xalloc.h"

/* Rows live in chunks of a power of two rows, about a megabyte each; the table of chunks is made once, so
 * that a reader never meets a table that moves. */
struct kvrows {
    uint32_t layers, kv_width; /* kv_width = kv_heads x head_dim */
    size_t row_floats;         /* layers x 2 x kv_width */
    uint32_t max_rows, used;   /* rows 1 .. used were handed out at some time */
    uint32_t shift;            /* rows a chunk = 1 << shift */
    float **chunk;             /* (chunks) each (rows a chunk, layer, K|V, kv_head, head_dim), or NULL */
    uint32_t n_chunks, chunks_made; /* the first chunks_made exist */
    uint32_t *spare;           /* released rows, a stack */
    size_t n_spare, spare_cap;
    uint32_t lost;             /* released rows that found no room on the stack: never used again */
    size_t bytes;
};

static uint32_t chunk_shift(size_t row_bytes, uint32_t max_rows)
{
    uint32_t shift = 0;
    while ((row_bytes << shift) < ((size_t)1 << 20) && ((uint64_t)1 << shift) <= max_rows)
        shift++;
    return shift;
}

struct kvrows *kvrows_new(const struct model_config *c, uint32_t max_rows, struct err *e)
{
    struct kvrows *s = xcalloc(1, sizeof *s);
    if (s == NULL || max_rows == UINT32_MAX) {
        xfree(s);
        err_memory(e, sizeof *s, "the store of KV rows");
        return NULL;
    }
    s->layers = c->layers;
    s->kv_width = c->kv_heads * c->head_dim;
    s->row_floats = (size_t)s->layers * 2 * s->kv_width;
    s->max_rows = max_rows;
    s->shift = chunk_shift(s->row_floats * sizeof(float), max_rows);
    s->n_chunks = (uint32_t)((((uint64_t)max_rows + 1) >> s->shift) + 1);
    s->chunk = xreserve(s->n_chunks * sizeof *s->chunk); /* a large cap costs address space, not memory */
    if (s->chunk == NULL) {
        err_memory(e, s->n_chunks * sizeof *s->chunk, "the store of KV rows");
        xfree(s);
        return NULL;
    }
    s->bytes = sizeof *s;
    return s;
}

void kvrows_free(struct kvrows *s)
{
    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->chunks_made; i++)
        xfree(s->chunk[i]);
    xunreserve(s->chunk, s->n_chunks * sizeof *s->chunk);
    xfree(s->spare);
    xfree(s);
}

static bool chunk_ready(struct kvrows *s, uint32_t row)
{
    float **chunk = &s->chunk[row >> s->shift];
    size_t bytes = (s->row_floats << s->shift) * sizeof(float);
    if (*chunk == NULL) {
        *chunk = xmalloc(bytes);
        s->bytes += *chunk != NULL ? bytes : 0;
        s->chunks_made += *chunk != NULL;
    }
    return *chunk != NULL;
}

uint32_t kvrows_append(struct kvrows *s)
{
    if (s->n_spare > 0)
        return s->spare[--s->n_spare];
    if (s->used == s->max_rows || !chunk_ready(s, s->used + 1))
        return 0;
    return ++s->used;
}

void kvrows_release(struct kvrows *s, uint32_t row)
{
    ASSERT(row >= 1 && row <= s->used);
    void *spare = s->spare;
    if (!xgrow(&spare, &s->spare_cap, s->n_spare + 1, sizeof *s->spare)) {
        s->lost++; /* no memory to remember it: it stays unused, which harms nobody */
        return;
    }
    s->spare = spare;
    s->spare[s->n_spare++] = row;
}

void kvrows_clear(struct kvrows *s)
{
    s->used = s->lost = 0;
    s->n_spare = 0;
}

static float *row_at(const struct kvrows *s, uint32_t row, uint32_t layer, uint32_t k_or_v)
{
    ASSERT(row >= 1 && row <= s->used && layer < s->layers);
    size_t in_chunk = row & (((uint32_t)1 << s->shift) - 1);
    return s->chunk[row >> s->shift] + in_chunk * s->row_floats + ((size_t)layer * 2 + k_or_v) * s->kv_width;
}

const float *kvrows_k(const struct kvrows *s, uint32_t row, uint32_t layer)
{
    return row_at(s, row, layer, 0);
}

const float *kvrows_v(const struct kvrows *s, uint32_t row, uint32_t layer)
{
    return row_at(s, row, layer, 1);
}

float *kvrows_edit_k(struct kvrows *s, uint32_t row, uint32_t layer)
{
    return row_at(s, row, layer, 0);
}

float *kvrows_edit_v(struct kvrows *s, uint32_t row, uint32_t layer)
{
    return row_at(s, row, layer, 1);
}

uint32_t kvrows_live(const struct kvrows *s)
{
    return s->used - (uint32_t)s->n_spare - s->lost;
}

uint32_t kvrows_cap(const struct kvrows *s)
{
    return s->max_rows;
}

size_t kvrows_row_bytes(const struct kvrows *s)
{
    return s->row_floats * sizeof(float);
}

size_t kvrows_bytes(const struct kvrows *s)
{
    return s->bytes;
}
