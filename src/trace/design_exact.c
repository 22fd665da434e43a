/* design_exact.c: whole prompts only. An entry is a prompt that was answered, with the KV of all its tokens; who
 * asks the very same again reuses all but the last token. Nothing is shared between entries.
 *
 *      first (used longest ago) ── entry ── entry ── entry ── last          map: hash of prompt and namespace
 *
 * A request needs kv slots; on a hit the entry's own count towards them. Others go, the first first, until there
 * is room. The answer's KV is given back, the prompt's stays.
 *
 * Invariants: held = the prompts of all entries <= pool; every entry is on the list once and in the map once.
 */
#include <string.h>

#include "base/xalloc.h"
#include "trace/design.h"
#include "trace/keymap.h"

struct entry {
    uint64_t hash;
    uint32_t request;          /* whose prompt it is */
    uint32_t prev, next;       /* in the order of use; 0: none */
};

struct exact {
    struct design_config cfg;
    struct entry *entry;       /* (1 + requests) entry r + 1 is made by request r; unused: hash 0 */
    struct keymap by_hash;
    uint32_t first, last, held, count;
};

static uint32_t prompt_of(const struct exact *x, uint32_t entry)
{
    return x->cfg.load->request[x->entry[entry].request].prompt;
}

static void unlink_entry(struct exact *x, uint32_t at)
{
    struct entry *n = &x->entry[at];
    *(n->prev != 0 ? &x->entry[n->prev].next : &x->first) = n->next;
    *(n->next != 0 ? &x->entry[n->next].prev : &x->last) = n->prev;
}

static void link_last(struct exact *x, uint32_t at)
{
    struct entry *n = &x->entry[at];
    n->prev = x->last;
    n->next = 0;
    *(x->last != 0 ? &x->entry[x->last].next : &x->first) = at;
    x->last = at;
}

static void *exact_make(const struct design_config *cfg, struct err *e)
{
    struct exact *x = xcalloc(1, sizeof *x);
    if (x != NULL)
        x->entry = xcalloc(cfg->load->requests + 1, sizeof *x->entry);
    if (x == NULL || x->entry == NULL) {
        xfree(x);
        err_memory(e, cfg->load->requests * sizeof *x->entry, "a design");
        return NULL;
    }
    x->cfg = *cfg;
    return x;
}

static uint64_t prompt_hash(const struct exact *x, uint32_t request)
{
    const struct load_request *q = &x->cfg.load->request[request];
    uint64_t h = hash_mix(q->ns, q->prompt);
    for (uint32_t i = 0; i < q->prompt; i++)
        h = hash_mix(h, load_tokens(x->cfg.load, request)[i]);
    return h != 0 ? h : 1;
}

static bool same_prompt(const struct exact *x, uint32_t a, uint32_t b)
{
    const struct load *l = x->cfg.load;
    return l->request[a].ns == l->request[b].ns && l->request[a].prompt == l->request[b].prompt &&
           memcmp(load_tokens(l, a), load_tokens(l, b), l->request[a].prompt * sizeof(uint32_t)) == 0;
}

static void forget(struct exact *x, uint32_t at, struct design_result *out)
{
    uint32_t n = prompt_of(x, at);
    unlink_entry(x, at);
    keymap_remove(&x->by_hash, x->entry[at].hash);
    out->which = hash_mix(out->which, x->entry[at].hash);
    x->entry[at] = (struct entry){0};
    x->held -= n;
    x->count--;
    out->evicted += n;
    out->victims++;
    out->ops++;
}

static int exact_serve(void *self, uint32_t request, struct design_result *out, struct err *e)
{
    struct exact *x = self;
    const struct load_request *q = &x->cfg.load->request[request];
    *out = (struct design_result){.refused = q->kv > x->cfg.pool};
    if (out->refused)
        return 0;
    uint64_t hash = prompt_hash(x, request);
    uint32_t at = keymap_get(&x->by_hash, hash), need = q->kv;
    bool hit = at != 0 && same_prompt(x, x->entry[at].request, request);
    out->ops += 2; /* the look-up, and the move or the new entry */
    if (hit) {
        out->hit = q->prompt - 1;
        need -= q->prompt;
        unlink_entry(x, at);
        link_last(x, at); /* the others go first */
    } else if (at != 0) {
        forget(x, at, out); /* another prompt with the same hash */
    }
    while (x->held + need > x->cfg.pool)
        forget(x, x->first, out);
    if (hit)
        return 0;
    if (!keymap_put(&x->by_hash, hash, request + 1))
        return err_memory(e, keymap_bytes(&x->by_hash), "an entry");
    x->entry[request + 1] = (struct entry){.hash = hash, .request = request};
    link_last(x, request + 1);
    x->held += q->prompt;
    x->count++;
    return 0;
}

static size_t exact_bytes(const void *self)
{
    const struct exact *x = self; /* an entry keeps its tokens, to compare, and its slots */
    return x->count * sizeof(struct entry) + keymap_bytes(&x->by_hash) + x->held * 2 * sizeof(uint32_t);
}

static uint32_t exact_held(const void *self)
{
    return ((const struct exact *)self)->held;
}

static const char *exact_check(const void *self)
{
    const struct exact *x = self;
    uint32_t held = 0, count = 0;
    for (uint32_t at = x->first; at != 0 && count <= x->count; at = x->entry[at].next, count++) {
        held += prompt_of(x, at);
        if (keymap_get(&x->by_hash, x->entry[at].hash) != at)
            return "an entry is not in the map";
    }
    return count != x->count || count != x->by_hash.count ? "list, map and count differ"
           : held != x->held || held > x->cfg.pool        ? "the slots do not add up"
                                                          : NULL;
}

static void exact_list(const void *self, struct buf *out)
{
    const struct exact *x = self;
    buf_printf(out, "  %u prompts, the next to go first:", x->count);
    for (uint32_t at = x->first; at != 0; at = x->entry[at].next)
        buf_printf(out, " request %u (%u)", x->entry[at].request + 1, prompt_of(x, at));
    buf_putc(out, '\n');
}

static void exact_free(void *self)
{
    struct exact *x = self;
    if (x == NULL)
        return;
    keymap_free(&x->by_hash);
    xfree(x->entry);
    xfree(x);
}

const struct design_class DESIGN_EXACT = {"exact", "whole prompts only: a hit is the very same prompt", exact_make,
                                          exact_serve, exact_bytes, exact_held, exact_check, exact_list, exact_free};
