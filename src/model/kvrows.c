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
    float **queries;           /* (chunks) each (rows a chunk, layer, q_width), or NULL */
    uint32_t q_width;          /* 0: none are kept */
    size_t q_bytes, q_most;
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
    for (uint32_t i = 0; s->queries != NULL && i < s->chunks_made; i++)
        xfree(s->queries[i]);
    xunreserve(s->chunk, s->n_chunks * sizeof *s->chunk);
    if (s->queries != NULL)
        xunreserve(s->queries, s->n_chunks * sizeof *s->queries);
    xfree(s->spare);
    xfree(s);
}

void kvrows_keep_queries(struct kvrows *s, uint32_t q_width, size_t most)
{
    ASSERT(s->chunks_made == 0);
    if (s->queries == NULL)
        s->queries = xreserve(s->n_chunks * sizeof *s->queries);
    s->q_width = s->queries != NULL ? q_width : 0;
    s->q_most = most;
}

/* Queries for a chunk of rows, if there is room for them: nothing depends on it. */
static void make_queries(struct kvrows *s, uint32_t chunk)
{
    size_t bytes = ((size_t)s->layers * s->q_width << s->shift) * sizeof(float);
    if (s->q_width == 0 || s->q_bytes + bytes > s->q_most)
        return;
    s->queries[chunk] = xmalloc(bytes);
    s->q_bytes += s->queries[chunk] != NULL ? bytes : 0;
}

static bool chunk_ready(struct kvrows *s, uint32_t row)
{
    float **chunk = &s->chunk[row >> s->shift];
    size_t bytes = (s->row_floats << s->shift) * sizeof(float);
    if (*chunk == NULL) {
        *chunk = xmalloc(bytes);
        s->bytes += *chunk != NULL ? bytes : 0;
        s->chunks_made += *chunk != NULL;
        if (*chunk != NULL)
            make_queries(s, row >> s->shift);
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
    ASSERT(row >= 1 && layer < s->layers); /* nothing that an append changes is looked at: other threads read */
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

float *kvrows_edit_q(struct kvrows *s, uint32_t row, uint32_t layer)
{
    ASSERT(row >= 1 && layer < s->layers);
    float *chunk = s->q_width > 0 ? s->queries[row >> s->shift] : NULL;
    size_t in_chunk = row & (((uint32_t)1 << s->shift) - 1);
    return chunk != NULL ? chunk + (in_chunk * s->layers + layer) * s->q_width : NULL;
}

const float *kvrows_q(const struct kvrows *s, uint32_t row, uint32_t layer)
{
    return kvrows_edit_q((struct kvrows *)(uintptr_t)s, row, layer); /* looked at only */
}

uint32_t kvrows_copy(struct kvrows *s, uint32_t row)
{
    uint32_t copy = kvrows_append(s);
    if (copy == 0)
        return 0;
    memcpy(row_at(s, copy, 0, 0), row_at(s, row, 0, 0), s->row_floats * sizeof(float));
    const float *q = kvrows_q(s, row, 0);
    float *to = kvrows_edit_q(s, copy, 0);
    if (q != NULL && to != NULL)
        memcpy(to, q, (size_t)s->layers * s->q_width * sizeof *to);
    return copy;
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
    return s->bytes + s->q_bytes;
}
