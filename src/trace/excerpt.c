#include "trace/excerpt.h"

#include <string.h>

#include "trace/replay.h"

/* The last part of a path. */
static const char *name_of(const struct lines *l)
{
    const char *slash = strrchr(lines_name(l), '/');
    return slash != NULL ? slash + 1 : lines_name(l);
}

static void write_request(const struct mooncake_request *r, uint64_t number, struct buf *out)
{
    buf_printf(out, "# request %llu, at %.0f ms: %u prompt tokens, %u generated\ninsert \"", (unsigned long long)number, r->ms,
               r->input_length, r->output_length);
    for (uint32_t i = 0; i < r->n; i++)
        buf_printf(out, "%s%u", i > 0 ? " " : "", r->ids[i]);
    buf_puts(out, "\"\n");
}

static int too_many(const struct lines *l, struct err *e)
{
    err_set(e, "%s: an excerpt has at most %d requests", lines_name(l), EXCERPT_MOST);
    return err_hint(e, "--requests A-B says which, such as --requests 1-20");
}

/* Find the requests and write each; `tree` is played beside, without limit, to count distinct blocks. */
static int write_requests(struct lines *l, struct mooncake *m, const struct excerpt *x, struct replay *tree,
                          struct buf *out, struct err *e)
{
    struct mooncake_request r;
    uint64_t number = 0;
    int rc = 1;
    while ((x->last == 0 || number < x->last) && (rc = mooncake_next(m, &r, e)) == 1) {
        if (++number < x->first || r.n == 0)
            continue;
        if (tree->f.requests == EXCERPT_MOST)
            return too_many(l, e);
        write_request(&r, number, out);
        if (replay_request(tree, r.ids, r.n, e) != 0)
            return -1;
    }
    if (rc < 0)
        return -1;
    if (number < x->last || number < x->first)
        return err_set(e, "%s has %llu requests; there is no request %llu", lines_name(l), (unsigned long long)number,
                       (unsigned long long)(x->last != 0 ? x->last : x->first));
    return tree->f.requests > 0 ? 0 : err_set(e, "%s: none of these requests has a block", lines_name(l));
}

static void write_head(const struct lines *l, const struct excerpt *x, const struct excerpt_summary *s, struct buf *out)
{
    buf_printf(out, "# %u requests of %s. A token is a hash id and stands for a block of %u tokens.\n", s->requests, name_of(l),
               s->block);
    buf_puts(out, "# When slots are missing, eviction is asked for the full amount, as in the engine (sweep: the shortfall).\n");
    buf_printf(out, "title \"%u requests of a trace, %u-token blocks\"\ntokens ids\npool %u\n%s", s->requests, s->block,
               x->pool != 0 ? x->pool : s->distinct, x->more != NULL ? x->more : "");
}

int excerpt_write(struct lines *l, uint32_t block, const struct excerpt *x, struct buf *out, struct excerpt_summary *sum,
                  struct err *e)
{
    struct replay tree = {.t = NULL};
    struct buf body = {0};
    struct mooncake *m = mooncake_new(l, block, e);
    if (x->last != 0 && x->last - x->first >= EXCERPT_MOST)
        too_many(l, e);
    else if (m != NULL && replay_open(&tree, REPLAY_UNLIMITED, POLICY_LRU, 1 << 22, false, e) == 0 &&
             write_requests(l, m, x, &tree, &body, e) == 0) {
        *sum = (struct excerpt_summary){.requests = (uint32_t)tree.f.requests, .blocks = (uint32_t)tree.f.blocks,
                                        .distinct = replay_cached(&tree), .block = mooncake_block(m)};
        write_head(l, x, sum, out);
        buf_add(out, buf_text(&body), body.len);
    }
    bool failed = out->failed || body.failed;
    replay_close(&tree);
    mooncake_free(m);
    buf_free(&body);
    return failed ? err_memory(e, out->len, "an excerpt") : e->set ? -1 : 0;
}
