#include "trace/kv_log.h"

#include <inttypes.h>
#include <string.h>

#include "base/xalloc.h"
#include "cache/kvevents.h"
#include "tape/tape.h"

void kv_log_free(struct kv_log *log)
{
    xfree(log->event);
    xfree(log->hash);
    xfree(log->list);
    xfree(log->token);
    xfree(log->slot);
    *log = (struct kv_log){0};
}

/* ---- hashes --------------------------------------------------------------------------------------------- */

struct kv_hash kv_hash_of_id(int64_t id)
{
    struct kv_hash h = {.len = 8};
    for (int i = 0; i < 8; i++)
        h.byte[i] = (uint8_t)((uint64_t)id >> (56 - 8 * i));
    return h;
}

void kv_hash_text(const struct kv_hash *h, struct buf *out)
{
    uint64_t id = 0;
    for (int i = 0; i < h->len; i++) {
        id = id << 8 | h->byte[i];
        if (h->len != 8)
            buf_printf(out, "%02x", h->byte[i]);
    }
    if (h->len == 8)
        buf_printf(out, "%" PRId64, (int64_t)id);
}

/* Where the hash is, or would be, in the table. */
static size_t hash_slot(const struct kv_log *log, const struct kv_hash *h)
{
    uint32_t mix = 2166136261u;
    for (int i = 0; i < h->len; i++)
        mix = (mix ^ h->byte[i]) * 16777619u;
    size_t at = (mix ^ mix >> 15) & (log->slots - 1);
    while (log->slot[at] != 0 && memcmp(&log->hash[log->slot[at] - 1], h, sizeof *h) != 0)
        at = (at + 1) & (log->slots - 1);
    return at;
}

static bool grow_table(struct kv_log *log)
{
    if (log->hashes * 2 < log->slots)
        return true;
    size_t slots = log->slots == 0 ? 256 : log->slots * 2;
    uint32_t *fresh = xcalloc(slots, sizeof *fresh);
    if (fresh == NULL)
        return false;
    xfree(log->slot);
    log->slot = fresh;
    log->slots = slots;
    for (size_t i = 0; i < log->hashes; i++)
        log->slot[hash_slot(log, &log->hash[i])] = (uint32_t)i + 1;
    return true;
}

uint32_t kv_hash_number(struct kv_log *log, const struct kv_hash *h)
{
    void *room = log->hash;
    if (log->hashes >= KV_NONE - 1 || !grow_table(log))
        return KV_NONE;
    size_t at = hash_slot(log, h);
    if (log->slot[at] != 0)
        return log->slot[at] - 1;
    if (!xgrow(&room, &log->hash_cap, log->hashes + 1, sizeof *h))
        return KV_NONE;
    log->hash = room;
    log->hash[log->hashes++] = *h;
    log->slot[at] = (uint32_t)log->hashes;
    return (uint32_t)log->hashes - 1;
}

/* ---- events --------------------------------------------------------------------------------------------- */

struct kv_event *kv_log_add(struct kv_log *log, enum kv_type type)
{
    void *room = log->event;
    if (!xgrow(&room, &log->event_cap, log->events + 1, sizeof *log->event))
        return NULL;
    log->event = room;
    struct kv_event *ev = &log->event[log->events++];
    *ev = (struct kv_event){.type = type, .parent = KV_NONE, .first = (uint32_t)log->lists,
                            .first_token = (uint32_t)log->tokens, .batch = log->batches};
    return ev;
}

static bool add_word(uint32_t **list, size_t *n, size_t *cap, uint32_t word)
{
    void *room = *list;
    if (*n >= UINT32_MAX || !xgrow(&room, cap, *n + 1, sizeof **list))
        return false;
    *list = room;
    (*list)[(*n)++] = word;
    return true;
}

bool kv_log_add_hash(struct kv_log *log, struct kv_event *ev, uint32_t number)
{
    if (number == KV_NONE || !add_word(&log->list, &log->lists, &log->list_cap, number))
        return false;
    ev->hashes++;
    return true;
}

bool kv_log_add_token(struct kv_log *log, struct kv_event *ev, uint32_t token)
{
    if (!add_word(&log->token, &log->tokens, &log->token_cap, token))
        return false;
    ev->tokens++;
    return true;
}

/* ---- from a tape ---------------------------------------------------------------------------------------- */

struct taking {
    struct kv_log *log;
    struct cursor c;
    struct page_hash *page;  /* of the node at hand */
    size_t cap;
    uint32_t first_event;    /* of the batch that is being filled */
};

static uint32_t number_of_page(struct kv_log *log, const struct page_hash *h)
{
    struct kv_hash id = kv_hash_of_id(page_hash_id(h));
    return kv_hash_number(log, &id);
}

/* The hashes of the node's pages into k->page; *parent: the page before them. */
static bool node_pages(struct taking *k, uint32_t node, uint32_t *pages, uint32_t *parent)
{
    struct scene sc = cursor_scene(&k->c);
    struct page_hash before;
    void *room = k->page;
    *pages = sc.w->node[node].len / sc.w->head.page_size;
    if (!xgrow(&room, &k->cap, *pages, sizeof *k->page))
        return false;
    k->page = room;
    bool any = node_page_hashes(sc, node, &before, k->page);
    *parent = any ? number_of_page(k->log, &before) : KV_NONE;
    return !any || *parent != KV_NONE;
}

/* One BlockStored a page of a new leaf. */
static bool take_stored(struct taking *k, uint32_t node)
{
    struct scene sc = cursor_scene(&k->c);
    uint32_t pages, parent, size = sc.w->head.page_size, raw = size + sc.w->head.bigram;
    bool ok = node_pages(k, node, &pages, &parent);
    k->log->block_size = size;
    for (uint32_t i = 0; ok && i < pages; i++) {
        struct kv_event *ev = kv_log_add(k->log, KV_STORED);
        uint32_t number = number_of_page(k->log, &k->page[i]);
        if (ev == NULL || !kv_log_add_hash(k->log, ev, number))
            return false;
        ev->record = k->c.at;
        ev->parent = parent;
        for (uint32_t j = 0; ok && j < raw; j++)
            ok = kv_log_add_token(k->log, ev, node_tokens(sc, node)[i * size + j]);
        parent = number;
    }
    return ok;
}

/* One BlockRemoved for all pages of a node: read where it still stands. */
static bool take_removed(struct taking *k, uint32_t node)
{
    uint32_t at = k->c.at, pages, parent;
    cursor_seek(&k->c, k->c.branch, at - 1);
    bool ok = node_pages(k, node, &pages, &parent);
    cursor_seek(&k->c, k->c.branch, at);
    struct kv_event *ev = ok ? kv_log_add(k->log, KV_REMOVED) : NULL;
    for (uint32_t i = 0; ev != NULL && ok && i < pages; i++)
        ok = kv_log_add_hash(k->log, ev, number_of_page(k->log, &k->page[i]));
    if (ev != NULL)
        ev->record = at;
    return ev != NULL && ok;
}

static bool take_step(struct taking *k, const struct step *s)
{
    struct kv_event *ev;
    switch (s->kind) {
    case EV_LEAF: return take_stored(k, s->arg[0]);
    case EV_VICTIM:
    case EV_REMOVED_NODE: return take_removed(k, s->arg[0]);
    case EV_START:
    case EV_RESET:
        ev = kv_log_add(k->log, KV_CLEARED);
        if (ev != NULL)
            ev->record = k->c.at;
        return ev != NULL;
    default: return true;
    }
}

/* The batch ends where the operation does, if anything happened in it. */
static void end_batch(struct taking *k)
{
    for (size_t i = k->first_event; i < k->log->events; i++)
        k->log->event[i].ts = k->c.at;
    k->log->batches += k->log->events > k->first_event;
    k->first_event = (uint32_t)k->log->events;
}

int kv_log_of_tape(const struct tape *t, struct kv_log *out, struct err *e)
{
    struct taking k = {.log = out};
    int branch = tape_branch(t);
    uint32_t end = tape_length(t, branch);
    bool ok = true;
    *out = (struct kv_log){.seq = -1, .first_seq = 0, .rank = -1};
    if (cursor_init(&k.c, t, e) != 0)
        return -1;
    for (uint32_t n = 1; ok && n <= end; n++) {
        struct step s;
        tape_step(t, branch, n, &s);
        cursor_seek(&k.c, branch, n);
        ok = take_step(&k, &s);
        if (s.settled || n == end)
            end_batch(&k);
    }
    cursor_done(&k.c);
    xfree(k.page);
    return ok ? 0 : err_memory(e, out->events * sizeof *out->event, "the KV events of a run");
}
