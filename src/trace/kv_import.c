#include "trace/kv_import.h"

#include <inttypes.h>
#include <string.h>

#include "base/xalloc.h"
#include "script/script.h"

/* A block by the number of its hash. */
struct block {
    uint32_t parent;       /* its parent's number; KV_NONE: below the root */
    uint32_t first_token;  /* (block_size) in log.token */
    uint32_t copies;       /* how often it is stored; 0: it is not there */
    uint32_t children;     /* stored ones; of a hash that another block stands for: how often it is stored */
    uint32_t same_as;      /* number + 1 of the block with the same tokens that stands for it; 0: itself */
    uint32_t lora;
    bool orphan;           /* its parent is from before the recording */
    bool hole;             /* removed, but children are stored */
};

struct kv_tree {
    const struct kv_log *log;
    enum kv_rebuild how;
    struct buf *out;
    struct kv_summary *sum;
    struct block *block;   /* (blocks) by the number of its hash; made up to the last hash that was seen */
    size_t blocks, blocks_cap;
    uint32_t *twin;        /* (twins) open addressing over parent, lora and tokens: number + 1 */
    size_t twins, twins_used;
    uint32_t tip;          /* the end of the chain that is being stored, not yet written; KV_NONE */
    uint32_t bottom, top;  /* the chain that is being removed; bottom KV_NONE: none */
};

/* ---- blocks ----------------------------------------------------------------------------------------------- */

static const uint32_t *tokens_of(const struct kv_tree *r, uint32_t n)
{
    return r->log->token + r->block[n].first_token;
}

static bool same_place(const struct kv_tree *r, uint32_t a, uint32_t b)
{
    const struct block *x = &r->block[a], *y = &r->block[b];
    return x->parent == y->parent && x->lora == y->lora && x->orphan == y->orphan &&
           memcmp(tokens_of(r, a), tokens_of(r, b), r->log->block_size * sizeof(uint32_t)) == 0;
}

/* Where the block stands, or would, in the table of contents; entries that are gone are taken over. */
static uint32_t *twin_slot(struct kv_tree *r, uint32_t n)
{
    uint32_t mix = r->block[n].parent * 2654435761u ^ r->block[n].lora;
    for (uint32_t i = 0; i < r->log->block_size; i++)
        mix = (mix ^ tokens_of(r, n)[i]) * 16777619u;
    size_t at = (mix ^ mix >> 16) & (r->twins - 1);
    while (r->twin[at] != 0 && !same_place(r, r->twin[at] - 1, n))
        at = (at + 1) & (r->twins - 1);
    return &r->twin[at];
}

static uint32_t stands_for(const struct kv_tree *r, uint32_t n)
{
    return n != KV_NONE && r->block[n].same_as != 0 ? r->block[n].same_as - 1 : n;
}

static bool there(const struct kv_tree *r, uint32_t n)
{
    return n != KV_NONE && (r->block[n].copies > 0 || r->block[n].hole);
}

/* ---- lines of the script ---------------------------------------------------------------------------------- */

static uint32_t depth_of(const struct kv_tree *r, uint32_t n) /* blocks from the root to n */
{
    uint32_t depth = 1;
    for (; !r->block[n].orphan && r->block[n].parent != KV_NONE; n = r->block[n].parent)
        depth++;
    return depth;
}

/* The quoted tokens of the path that ends with n, and its namespace. */
static int write_path(struct kv_tree *r, uint32_t n, struct err *e)
{
    uint32_t depth = depth_of(r, n), *path = xcalloc(depth, sizeof *path), root = n;
    if (path == NULL)
        return err_memory(e, depth * sizeof *path, "a path of blocks");
    for (uint32_t i = depth; i-- > 0; n = r->block[n].parent)
        path[i] = root = n;
    for (uint32_t i = 0; i < depth; i++)
        for (uint32_t j = 0; j < r->log->block_size; j++)
            buf_printf(r->out, "%s%u", i + j > 0 ? " " : " \"", tokens_of(r, path[i])[j]);
    buf_putc(r->out, '"');
    xfree(path);
    const struct block *b = &r->block[root];
    if (b->orphan || b->lora != 0)
        buf_puts(r->out, " ns=\"");
    if (b->lora != 0)
        buf_printf(r->out, "lora %u%s", b->lora - 1, b->orphan ? ", " : "");
    if (b->orphan) {
        buf_puts(r->out, "after ");
        kv_hash_text(&r->log->hash[b->parent], r->out);
        buf_puts(r->out, ", from before the recording");
    }
    buf_puts(r->out, b->orphan || b->lora != 0 ? "\"" : "");
    return 0;
}

static int flush_stored(struct kv_tree *r, struct err *e)
{
    uint32_t n = r->tip;
    r->tip = KV_NONE;
    if (n == KV_NONE || r->out == NULL)
        return 0;
    buf_puts(r->out, "insert");
    int rc = write_path(r, n, e);
    buf_putc(r->out, '\n');
    return rc;
}

static int flush_removed(struct kv_tree *r, struct err *e)
{
    uint32_t n = r->bottom;
    r->bottom = KV_NONE;
    if (n == KV_NONE || r->out == NULL || r->how == KV_STORES_ALONE)
        return 0;
    uint32_t keep = (depth_of(r, r->top) - 1) * r->log->block_size;
    buf_puts(r->out, "remove");
    int rc = write_path(r, n, e);
    if (keep > 0)
        buf_printf(r->out, " keep=%u", keep);
    buf_putc(r->out, '\n');
    return rc;
}

/* ---- stored ----------------------------------------------------------------------------------------------- */

static void count_present(struct kv_tree *r)
{
    r->sum->now++;
    if (r->sum->now > r->sum->peak)
        r->sum->peak = r->sum->now;
}

static void new_block(struct kv_tree *r, uint32_t n, uint32_t parent, uint32_t first_token, uint32_t lora)
{
    bool orphan = parent != KV_NONE && !there(r, parent);
    r->block[n] = (struct block){.parent = parent, .first_token = first_token, .orphan = orphan, .lora = lora};
    if (parent != KV_NONE && !orphan)
        r->block[n].lora = 0; /* said at the path's beginning */
}

static size_t count_there(const struct kv_tree *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->blocks; i++)
        n += there(r, (uint32_t)i);
    return n;
}

/* Blocks that moved leave entries behind: with too many of them the table is made anew, larger if it has to be. */
static int tidy_twins(struct kv_tree *r, struct err *e)
{
    if (r->twins_used * 2 < r->twins)
        return 0;
    size_t live = count_there(r), size = r->twins > 0 ? r->twins : 64;
    while (size < live * 4)
        size *= 2;
    uint32_t *fresh = xcalloc(size, sizeof *fresh);
    if (fresh == NULL)
        return err_memory(e, size * sizeof *fresh, "the blocks of a recording");
    xfree(r->twin);
    r->twin = fresh;
    r->twins = size;
    r->twins_used = live;
    for (uint32_t n = 0; n < r->blocks; n++)
        if (there(r, n))
            *twin_slot(r, n) = n + 1;
    return 0;
}

/* A block that was not there under this hash. Returns the one that stands for it. */
static uint32_t place_block(struct kv_tree *r, uint32_t n)
{
    uint32_t *slot = twin_slot(r, n);
    if (*slot != 0 && *slot != n + 1 && there(r, *slot - 1)) {
        r->block[n].same_as = *slot;
        r->block[n].children = 1;
        r->sum->again++;
        return *slot - 1;
    }
    r->twins_used += *slot == 0;
    *slot = n + 1;
    r->sum->orphans += r->block[n].orphan;
    if (r->block[n].parent != KV_NONE && !r->block[n].orphan)
        r->block[r->block[n].parent].children++;
    count_present(r);
    return n;
}

static int store_block(struct kv_tree *r, uint32_t hash, uint32_t parent, uint32_t first_token, uint32_t lora,
                       struct err *e)
{
    uint32_t n = stands_for(r, hash), above = stands_for(r, parent);
    r->sum->stored++;
    if (there(r, n)) {
        r->sum->again += !r->block[n].hole;
        r->block[n].hole = false;
        r->block[n].copies++;
        r->block[hash].children += n != hash;
        return 0;
    }
    /* what the line for the last chain needs must not be written over */
    if (((r->tip != above || r->tip == KV_NONE) && flush_stored(r, e) != 0) || tidy_twins(r, e) != 0)
        return -1;
    new_block(r, hash, above, first_token, lora);
    n = place_block(r, hash);
    r->block[n].copies++;
    r->block[n].hole = false;
    r->tip = n;
    return 0;
}

static int on_stored(struct kv_tree *r, const struct kv_event *ev, struct err *e)
{
    uint32_t parent = ev->parent;
    if (flush_removed(r, e) != 0)
        return -1;
    for (uint32_t i = 0; i < ev->hashes; i++) {
        uint32_t hash = r->log->list[ev->first + i];
        if (hash == parent) {
            struct buf b = {0};
            kv_hash_text(&r->log->hash[hash], &b);
            err_set(e, "record %u: block %.80s is stored as its own parent", ev->record, buf_text(&b));
            buf_free(&b);
            return -1;
        }
        if (store_block(r, hash, parent, ev->first_token + i * r->log->block_size, ev->lora, e) != 0)
            return -1;
        parent = hash;
    }
    return 0;
}

/* ---- removed ---------------------------------------------------------------------------------------------- */

/* The block leaves the tree; so do removed ones above it that waited for it. */
static int take_out(struct kv_tree *r, uint32_t n, struct err *e)
{
    for (;;) {
        struct block *b = &r->block[n];
        bool follows = r->bottom != KV_NONE && !r->block[r->top].orphan && r->block[r->top].parent == n;
        if (!follows && flush_removed(r, e) != 0)
            return -1;
        if (!follows)
            r->bottom = n;
        r->top = n;
        b->hole = false;
        r->sum->now--;
        if (b->orphan || b->parent == KV_NONE)
            return 0;
        n = b->parent;
        r->block[n].children--;
        if (!r->block[n].hole || r->block[n].children > 0)
            return 0;
    }
}

static int remove_block(struct kv_tree *r, uint32_t hash, struct err *e)
{
    uint32_t n = stands_for(r, hash);
    if (r->block[n].copies == 0) {
        r->sum->unknown++;
        return 0;
    }
    if (n != hash && --r->block[hash].children == 0)
        r->block[hash].same_as = 0;
    r->sum->removed++;
    if (--r->block[n].copies > 0)
        return 0;
    r->block[n].hole = true;
    return r->block[n].children > 0 ? 0 : take_out(r, n, e);
}

/* A node's pages come from its first to its last: the last must go first. */
static int on_removed(struct kv_tree *r, const struct kv_event *ev, struct err *e)
{
    if (flush_stored(r, e) != 0)
        return -1;
    for (uint32_t i = ev->hashes; i-- > 0;)
        if (remove_block(r, r->log->list[ev->first + i], e) != 0)
            return -1;
    for (uint32_t i = 0; i < ev->hashes; i++)
        r->sum->inner += r->block[stands_for(r, r->log->list[ev->first + i])].hole;
    return 0;
}

/* ---- the rest --------------------------------------------------------------------------------------------- */

static void on_cleared(struct kv_tree *r)
{
    if (r->out != NULL && r->sum->stored > 0)
        buf_puts(r->out, "reset\n");
    memset(r->block, 0, r->blocks * sizeof *r->block);
    if (r->twins > 0)
        memset(r->twin, 0, r->twins * sizeof *r->twin);
    r->twins_used = 0;
    r->sum->now = 0;
    r->sum->cleared++;
}

static void on_gap(struct kv_tree *r, const struct kv_event *ev)
{
    r->sum->gaps++;
    r->sum->missing += ev->to >= ev->from ? ev->to - ev->from + 1 : 0;
    if (r->out == NULL)
        return;
    if (ev->to < ev->from)
        buf_printf(r->out, "say \"The sequence numbers begin again at %" PRId64 ", after %" PRId64
                           ": the server was started anew, or the recording is out of order.\"\n",
                   ev->to + 1, ev->from - 1);
    else
        buf_printf(r->out, "say \"Gap: the batches %" PRId64 " to %" PRId64
                           " are missing. What they stored or removed is not known from here on.\"\n", ev->from, ev->to);
}

/* A block for every hash that the log knows by now. */
static int grow_blocks(struct kv_tree *r, struct err *e)
{
    void *room = r->block;
    size_t n = r->log->hashes;
    if (n <= r->blocks)
        return 0;
    bool grown = xgrow(&room, &r->blocks_cap, n, sizeof *r->block);
    r->block = room;
    if (!grown)
        return err_memory(e, n * sizeof *r->block, "the blocks of a recording");
    memset(r->block + r->blocks, 0, (n - r->blocks) * sizeof *r->block);
    r->blocks = n;
    return 0;
}

int kv_tree_event(struct kv_tree *r, const struct kv_event *ev, struct err *e)
{
    if (grow_blocks(r, e) != 0)
        return -1;
    if (ev->elsewhere) {
        r->sum->elsewhere++;
        return 0;
    }
    if (ev->type == KV_STORED)
        return on_stored(r, ev, e);
    if (ev->type == KV_REMOVED)
        return on_removed(r, ev, e);
    if (flush_stored(r, e) != 0 || flush_removed(r, e) != 0)
        return -1;
    if (ev->type == KV_CLEARED)
        on_cleared(r);
    else
        on_gap(r, ev);
    return 0;
}

struct kv_tree *kv_tree_new(const struct kv_log *log, enum kv_rebuild how, struct buf *out, struct kv_summary *sum,
                            struct err *e)
{
    struct kv_tree *r = xcalloc(1, sizeof *r);
    if (r == NULL) {
        err_memory(e, sizeof *r, "the tree of a recording");
        return NULL;
    }
    *r = (struct kv_tree){.log = log, .how = how, .out = out, .sum = sum, .tip = KV_NONE, .bottom = KV_NONE};
    *sum = (struct kv_summary){0};
    return r;
}

void kv_tree_free(struct kv_tree *r)
{
    if (r == NULL)
        return;
    xfree(r->twin);
    xfree(r->block);
    xfree(r);
}

int kv_tree_end(struct kv_tree *r, struct err *e)
{
    return flush_stored(r, e) != 0 || flush_removed(r, e) != 0 ? -1 : 0;
}

static int rebuild(const struct kv_log *log, enum kv_rebuild how, struct buf *out, struct kv_summary *sum, struct err *e)
{
    struct kv_tree *r = kv_tree_new(log, how, out, sum, e);
    int rc = r == NULL ? -1 : 0;
    for (size_t i = 0; rc == 0 && i < log->events; i++)
        rc = kv_tree_event(r, &log->event[i], e);
    if (rc == 0)
        rc = kv_tree_end(r, e);
    kv_tree_free(r);
    return rc;
}

void kv_script_head(const struct kv_log *log, const char *title, uint32_t pool, const char *more, struct buf *out)
{
    buf_puts(out, "title ");
    script_quote(title, strlen(title), out);
    buf_printf(out, "\ntokens ids\npool %u\npage %u\n%s", pool, log->block_size, more);
    if (log->first_seq > 0)
        buf_printf(out, "say \"The recording begins with batch %" PRId64 ": what was stored before is not known.\"\n",
                   log->first_seq);
}

int kv_import(const struct kv_log *log, const char *title, enum kv_rebuild how, uint32_t pool, const char *more,
              struct buf *out, struct kv_summary *sum, struct err *e)
{
    if (log->block_size == 0)
        return err_set(e, "nothing is stored in it: without BlockStored events there is no tree");
    if (rebuild(log, how, NULL, sum, e) != 0) /* first for the size of the pool */
        return -1;
    if (out == NULL)
        return 0;
    uint64_t need = (uint64_t)sum->peak * log->block_size;
    if (need > UINT32_MAX / 2)
        return err_set(e, "the tree held %" PRIu64 " tokens at once: more than a pool can have", need);
    kv_script_head(log, title, pool != 0 ? pool : (uint32_t)need, more, out);
    if (rebuild(log, how, out, sum, e) != 0)
        return -1;
    return out->failed ? err_memory(e, out->len, "a script") : 0;
}

int kv_log_part(const struct kv_log *log, uint64_t first, uint64_t last, struct kv_log *part, struct err *e)
{
    size_t from = 0, to, stored = 0;
    while (from < log->events && log->event[from].record < first)
        from++;
    for (to = from; to < log->events && (last == 0 || log->event[to].record <= last); to++)
        stored += log->event[to].type == KV_STORED && !log->event[to].elsewhere;
    if (log->records < first || log->records < last)
        return err_set(e, "there are %u records; there is no record %" PRIu64, log->records, last != 0 ? last : first);
    if (stored == 0)
        return err_set(e, "nothing is stored by these records: without BlockStored events there is no tree");
    *part = *log;
    part->event = log->event + from;
    part->events = to - from;
    part->first_seq = -1;
    return 0;
}

void kv_summary_text(const struct kv_log *log, const struct kv_summary *s, struct buf *out)
{
    buf_printf(out, "%zu blocks of %u tokens stored, %zu removed, cleared %zu times; %zu in the tree at the end, %zu at most\n",
               s->stored, log->block_size, s->removed, s->cleared, s->now, s->peak);
    if (log->first_seq > 0)
        buf_printf(out, "  the recording begins with batch %" PRId64 "\n", log->first_seq);
    if (s->gaps > 0)
        buf_printf(out, "  gaps in the sequence numbers: %zu, %" PRId64 " batches missing\n", s->gaps, s->missing);
    const struct {
        size_t n;
        const char *what;
    } said[] = {{s->orphans, "blocks whose parent is from before the recording"},
                {s->unknown, "removed blocks that were never stored here"},
                {s->inner, "removed blocks whose children are still stored: they stay until those go"},
                {s->again, "blocks stored again, or the same tokens under another hash: shown once"},
                {s->elsewhere, "events of other tiers than the GPU: left out"}};
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        if (said[i].n > 0)
            buf_printf(out, "  %zu %s\n", said[i].n, said[i].what);
}
