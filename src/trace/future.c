#include "trace/future.h"

#include <string.h>

#include "base/xalloc.h"
#include "trace/keymap.h"

static int room(struct future *f, uint32_t requests, uint32_t pages, struct err *e)
{
    *f = (struct future){.requests = requests, .page_size = 1};
    f->request = xcalloc((size_t)requests + 1, sizeof *f->request);
    f->page = xcalloc((size_t)pages + 1, sizeof *f->page);
    return f->request != NULL && f->page != NULL ? 0 : err_memory(e, (size_t)pages * 4, "what comes");
}

/* Who reads each node, in order. */
static int index_uses(struct future *f, struct err *e)
{
    f->use_at = xcalloc((size_t)f->nodes + 2, sizeof *f->use_at);
    f->use = xcalloc((size_t)f->total + 1, sizeof *f->use);
    uint32_t *fill = xcalloc((size_t)f->nodes + 2, sizeof *fill);
    if (f->use_at == NULL || f->use == NULL || fill == NULL) {
        xfree(fill);
        return err_memory(e, (size_t)f->total * 4, "what comes");
    }
    for (uint32_t r = 0; r < f->requests; r++)
        for (uint32_t i = 0; i < f->request[r].reads; i++)
            f->use_at[f->page[f->request[r].path + i] + 1]++;
    for (uint32_t n = 0; n <= f->nodes; n++)
        f->use_at[n + 1] += f->use_at[n];
    memcpy(fill, f->use_at, ((size_t)f->nodes + 2) * sizeof *fill);
    for (uint32_t r = 0; r < f->requests; r++)
        for (uint32_t i = 0; i < f->request[r].reads; i++)
            f->use[fill[f->page[f->request[r].path + i]]++] = r;
    xfree(fill);
    return 0;
}

/* From a node of the trie one token down; a new node where none is. 0: no memory. */
static uint32_t trie_step(struct keymap *trie, uint64_t at, uint32_t tok, uint32_t *nodes)
{
    uint64_t key = at << 32 | tok;
    uint32_t next = keymap_get(trie, key);
    if (next == 0 && keymap_put(trie, key, *nodes + 1))
        next = ++*nodes;
    return next;
}

/* The pages of one request: down the trie token by token, a new node where none is. */
static bool add_path(struct future *f, struct keymap *trie, const struct load *l, uint32_t r, uint32_t *nodes)
{
    const struct load_request *q = &l->request[r];
    const uint32_t *tok = load_tokens(l, r);
    struct future_request *out = &f->request[r];
    *out = (struct future_request){.path = f->total, .reads = (q->prompt - 1) / f->page_size,
                                   .slots = (q->kv + f->page_size - 1) / f->page_size};
    uint64_t at = 0x80000000u | q->ns; /* each namespace has a root of its own */
    for (uint32_t i = 0; i < q->kv / f->page_size * f->page_size; i++) {
        at = trie_step(trie, at, tok[i], nodes);
        if (at == 0)
            return false;
        if ((i + 1) % f->page_size == 0)
            f->page[f->total++] = (uint32_t)at;
    }
    out->pages = f->total - out->path;
    return true;
}

int future_make(struct future *f, const struct load *l, uint32_t page_size, struct err *e)
{
    struct keymap trie = {0};
    if (l->tokens > UINT32_MAX / 4)
        return err_set(e, "the workload is too large to look ahead in: %zu tokens", l->tokens);
    int rc = room(f, (uint32_t)l->requests, (uint32_t)(l->tokens / page_size), e);
    f->page_size = page_size;
    for (uint32_t r = 0; rc == 0 && r < f->requests; r++)
        if (!add_path(f, &trie, l, r, &f->nodes))
            rc = err_memory(e, keymap_bytes(&trie), "what comes");
    keymap_free(&trie);
    return rc == 0 ? index_uses(f, e) : -1;
}

int future_of_pages(struct future *f, const uint32_t *const *path, const uint32_t *pages, const uint32_t *reads,
                    uint32_t requests, struct err *e)
{
    struct keymap number = {0};
    uint32_t total = 0;
    for (uint32_t r = 0; r < requests; r++)
        total += pages[r];
    int rc = room(f, requests, total, e);
    for (uint32_t r = 0; rc == 0 && r < requests; r++) {
        f->request[r] = (struct future_request){f->total, pages[r], reads[r], pages[r]};
        for (uint32_t i = 0; rc == 0 && i < pages[r]; i++) {
            uint32_t node = keymap_get(&number, path[r][i]);
            if (node == 0 && !keymap_put(&number, path[r][i], node = ++f->nodes))
                rc = err_memory(e, keymap_bytes(&number), "what comes");
            f->page[f->total++] = node;
        }
    }
    keymap_free(&number);
    return rc == 0 ? index_uses(f, e) : -1;
}

int future_of_ids(struct future *f, const uint32_t *ids, const uint32_t *len, uint32_t requests, struct err *e)
{
    struct keymap trie = {0};
    uint64_t total = 0;
    for (uint32_t r = 0; r < requests; r++)
        total += len[r];
    if (total > UINT32_MAX / 4) {
        *f = (struct future){0};
        return err_set(e, "the trace is too large to look ahead in: %llu blocks", (unsigned long long)total);
    }
    int rc = room(f, requests, (uint32_t)total, e);
    f->large_ones_read = true;
    for (uint32_t r = 0; rc == 0 && r < requests; ids += len[r++]) {
        f->request[r] = (struct future_request){f->total, len[r], len[r], len[r]};
        uint32_t at = 0;
        for (uint32_t i = 0; rc == 0 && i < len[r]; i++) {
            at = trie_step(&trie, at, ids[i], &f->nodes);
            if (at == 0)
                rc = err_memory(e, keymap_bytes(&trie), "what comes");
            f->page[f->total++] = at;
        }
    }
    keymap_free(&trie);
    return rc == 0 ? index_uses(f, e) : -1;
}

void future_done(struct future *f)
{
    xfree(f->request);
    xfree(f->page);
    xfree(f->use_at);
    xfree(f->use);
    *f = (struct future){0};
}

uint32_t future_next(const struct future *f, uint32_t node, uint32_t now)
{
    uint32_t low = f->use_at[node], high = f->use_at[node + 1];
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (f->use[mid] > now)
            high = mid;
        else
            low = mid + 1;
    }
    return low < f->use_at[node + 1] ? f->use[low] : FUTURE_NEVER;
}

/* ---- the bound ------------------------------------------------------------------------------------------ */

/* A page that is kept until request `until` reads it. */
struct kept {
    uint32_t until, node;
};

struct bound {
    const struct future *f;
    uint32_t *until;           /* (nodes + 1) by node: kept until then; 0: not kept */
    uint32_t *next;            /* (total) by place in page[]: who has the page next and reads it, or NEVER */
    struct kept *heap;         /* (count) the one that ends last first */
    uint32_t count, kept;      /* heap entries, stale ones too; pages kept */
};

static bool ends_later(struct kept a, struct kept b)
{
    return a.until != b.until ? a.until > b.until : a.node > b.node; /* a child has a higher number */
}

static void heap_push(struct bound *b, struct kept k)
{
    uint32_t i = b->count++;
    for (; i > 0 && ends_later(k, b->heap[(i - 1) / 2]); i = (i - 1) / 2)
        b->heap[i] = b->heap[(i - 1) / 2];
    b->heap[i] = k;
}

static struct kept heap_pop(struct bound *b)
{
    struct kept top = b->heap[0], last = b->heap[--b->count];
    uint32_t i = 0;
    for (uint32_t child; (child = 2 * i + 1) < b->count; i = child) {
        if (child + 1 < b->count && ends_later(b->heap[child + 1], b->heap[child]))
            child++;
        if (!ends_later(b->heap[child], last))
            break;
        b->heap[i] = b->heap[child];
    }
    b->heap[i] = last;
    return top;
}

/* For each page of each request: the next request that has it, if that one reads it. */
static bool look_ahead(struct bound *b, uint32_t pool_pages)
{
    const struct future *f = b->f;
    uint32_t *next_of = xcalloc((size_t)f->nodes + 1, sizeof *next_of); /* 2 r + reads + 1 */
    if (next_of == NULL)
        return false;
    for (uint32_t r = f->requests; r-- > 0;) {
        const struct future_request *q = &f->request[r];
        if (q->slots > pool_pages && !f->large_ones_read)
            continue;
        for (uint32_t i = 0; i < q->pages; i++) {
            uint32_t *seen = &next_of[f->page[q->path + i]];
            b->next[q->path + i] = *seen != 0 && (*seen - 1) % 2 == 1 ? (*seen - 1) / 2 : FUTURE_NEVER;
            *seen = 2 * r + (i < q->reads) + 1;
        }
    }
    xfree(next_of);
    return true;
}

/* Request r comes: what of it is there, what must go for it, what of it is worth keeping. Returns its hits. */
static uint32_t bound_step(struct bound *b, uint32_t r, uint32_t pool_pages)
{
    const struct future_request *q = &b->f->request[r];
    uint32_t hits = 0, takes = q->slots > pool_pages ? 0 : q->slots;
    for (uint32_t i = 0; i < q->pages; i++) {
        uint32_t node = b->f->page[q->path + i];
        bool there = b->until[node] != 0; /* kept only for the next one who has it: us */
        ASSERT(!there || (b->until[node] == r && i < q->reads));
        hits += there;
        b->kept -= there;
        b->until[node] = 0;
    }
    while (b->kept > pool_pages - takes) {
        struct kept k = heap_pop(b);
        if (b->until[k.node] != k.until)
            continue; /* dropped or used since */
        b->until[k.node] = 0;
        b->kept--;
    }
    for (uint32_t i = 0; i < q->pages; i++) {
        uint32_t until = b->next[q->path + i], node = b->f->page[q->path + i];
        if (until == FUTURE_NEVER)
            continue;
        b->until[node] = until;
        b->kept++;
        heap_push(b, (struct kept){until, node});
    }
    return hits;
}

int future_bound(const struct future *f, uint32_t pool_pages, uint32_t *hit, uint64_t *all, struct err *e)
{
    struct bound b = {.f = f};
    b.until = xcalloc((size_t)f->nodes + 1, sizeof *b.until);
    b.next = xcalloc((size_t)f->total + 1, sizeof *b.next);
    b.heap = xcalloc((size_t)f->total + 1, sizeof *b.heap);
    *all = 0;
    bool ok = b.until != NULL && b.next != NULL && b.heap != NULL && look_ahead(&b, pool_pages);
    for (uint32_t r = 0; ok && r < f->requests; r++) {
        bool out = f->request[r].slots > pool_pages && !f->large_ones_read;
        uint32_t hits = out ? 0 : bound_step(&b, r, pool_pages);
        *all += hits;
        if (hit != NULL)
            hit[r] = hits;
    }
    xfree(b.until);
    xfree(b.next);
    xfree(b.heap);
    return ok ? 0 : err_memory(e, (size_t)f->total * 12, "the optimum");
}
