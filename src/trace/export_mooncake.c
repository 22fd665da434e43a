#include <string.h>

#include "base/xalloc.h"
#include "trace/export_run.h"
#include "trace/run_table.h"

/* A block by its id: where its tokens stand, and what is before it. */
struct chained {
    uint32_t before;          /* id + 1 of the block before; 0: the first of a prompt */
    uint32_t ns;              /* of a first block */
    uint32_t len;
    const uint32_t *token;
};

struct chains {
    struct chained *at;       /* (n) by id */
    uint32_t n;
    size_t cap;
    uint32_t *slot;           /* (slots) open addressing: id + 1 */
    size_t slots;
};

static bool same(const struct chained *a, const struct chained *b)
{
    return a->before == b->before && a->ns == b->ns && a->len == b->len &&
           memcmp(a->token, b->token, a->len * sizeof *a->token) == 0;
}

static uint32_t *place(struct chains *c, const struct chained *b)
{
    uint32_t mix = b->before * 2654435761u ^ b->ns * 40503u ^ b->len;
    for (uint32_t i = 0; i < b->len; i++)
        mix = (mix ^ b->token[i]) * 16777619u;
    size_t at = (mix ^ mix >> 15) & (c->slots - 1);
    while (c->slot[at] != 0 && !same(&c->at[c->slot[at] - 1], b))
        at = (at + 1) & (c->slots - 1);
    return &c->slot[at];
}

static bool grow(struct chains *c)
{
    void *room = c->at;
    if (!xgrow(&room, &c->cap, c->n + 1u, sizeof *c->at))
        return false;
    c->at = room;
    if (c->n * 2u < c->slots)
        return true;
    size_t slots = c->slots == 0 ? 256 : c->slots * 2;
    uint32_t *fresh = xcalloc(slots, sizeof *fresh);
    if (fresh == NULL)
        return false;
    xfree(c->slot);
    c->slot = fresh;
    c->slots = slots;
    for (uint32_t i = 0; i < c->n; i++)
        *place(c, &c->at[i]) = i + 1;
    return true;
}

/* The block's id + 1; 0: no memory. Ids are given from 0 in the order in which blocks first appear. */
static uint32_t id_of(struct chains *c, const struct chained *b)
{
    if (!grow(c))
        return 0;
    uint32_t *slot = place(c, b);
    if (*slot == 0) {
        c->at[c->n] = *b;
        *slot = ++c->n;
    }
    return *slot;
}

static bool write_request(struct chains *c, const struct run_table *table, const struct run_request *q, uint32_t block,
                          struct buf *out)
{
    struct chained b = {.ns = q->ns};
    buf_printf(out, "{\"timestamp\": %llu, \"input_length\": %u, \"output_length\": %u, \"block_size\": %u, \"hash_ids\": [",
               q->planned ? (unsigned long long)(q->arrived / 1000) : q->begin, q->prompt, q->generated, block);
    for (uint32_t at = 0; at < q->prompt; at += block) {
        b.len = q->prompt - at < block ? q->prompt - at : block;
        b.token = table->token + q->first_token + at;
        b.before = id_of(c, &b);
        if (b.before == 0)
            return false;
        b.ns = 0;
        buf_printf(out, "%s%u", at > 0 ? ", " : "", b.before - 1);
    }
    buf_puts(out, "]}\n");
    return true;
}

int export_mooncake_trace(const struct tape *t, uint32_t block, struct buf *out, struct err *e)
{
    struct run_table table;
    struct chains c = {0};
    bool ok = true;
    int rc = run_table_of(t, &table, e);
    for (size_t i = 0; rc == 0 && ok && i < table.requests; i++) {
        const struct run_request *q = &table.request[i];
        if (q->prompt > 0 && (q->outcome == RUN_ANSWERED || q->outcome == RUN_INSERTED))
            ok = write_request(&c, &table, q, block, out);
    }
    if (rc == 0 && (!ok || out->failed))
        rc = err_memory(e, out->len, "a trace");
    else if (rc == 0 && out->len == 0)
        rc = err_set(e, "the run has no answered request and no inserted key: there is nothing to write");
    xfree(c.at);
    xfree(c.slot);
    run_table_free(&table);
    return rc;
}
