#include "tape/check.h"

#include <string.h>

#include "base/xalloc.h"

struct checking {
    struct scene sc;
    const struct world *w;
    const struct head *h;
    struct err *e;
    uint32_t *holders;   /* by node: requests whose node it is */
    uint32_t *owner;     /* by page: 0 nobody yet, 1 free list, 2 side list, 3 tree, 4 + request */
    uint32_t *seen;      /* open addressing over (parent, ns, first page): node + 1… 0 empty */
    uint32_t seen_mask, nodes;
};

static uint32_t name(const struct checking *k, uint32_t node)
{
    return k->w->node[node].id;
}

/* ---- 1: links ----------------------------------------------------------------------------------------- */

static int check_children(struct checking *k, uint32_t parent)
{
    uint32_t count = 0, prev = 0;
    for (uint32_t n = k->w->node[parent].first_child; n != 0; prev = n, n = k->w->node[n].next, count++) {
        if (n >= k->h->node_top || count > k->h->node_count)
            return err_set(k->e, "links: the children of node %u do not end", name(k, parent));
        if (k->w->node[n].parent != parent || k->w->node[n].prev != prev)
            return err_set(k->e, "links: node %u is a child of node %u but does not name it back", name(k, n),
                           name(k, parent));
    }
    if (k->w->node[parent].last_child != prev || k->w->node[parent].child_count != count)
        return err_set(k->e, "links: node %u has %u children, its count says %u", name(k, parent), count,
                       k->w->node[parent].child_count);
    return 0;
}

/* ---- 2: keys ------------------------------------------------------------------------------------------ */

static uint32_t first_page_hash(const struct checking *k, uint32_t n)
{
    uint32_t h = k->w->node[n].parent * 2654435761u ^ k->w->node[n].ns * 40503u;
    const uint32_t *tok = node_tokens(k->sc, n);
    for (uint32_t i = 0; i < k->h->page_size + k->h->bigram; i++)
        h = (h ^ tok[i]) * 16777619u;
    return h ^ h >> 15;
}

static bool same_first_page(const struct checking *k, uint32_t a, uint32_t b)
{
    return k->w->node[a].parent == k->w->node[b].parent && k->w->node[a].ns == k->w->node[b].ns &&
           memcmp(node_tokens(k->sc, a), node_tokens(k->sc, b), (k->h->page_size + k->h->bigram) * 4) == 0;
}

static int check_key(struct checking *k, uint32_t n)
{
    const struct node *node = &k->w->node[n], *parent = &k->w->node[node->parent];
    if (node->len == 0 || node->len % k->h->page_size != 0)
        return err_set(k->e, "keys: node %u has %u units, pages have %u", node->id, node->len, k->h->page_size);
    if (node->key_off + node->len + k->h->bigram > k->sc.s->token_top ||
        node->val_off + node->len > k->sc.s->value_top)
        return err_set(k->e, "keys: node %u lies outside the store", node->id);
    if (node->parent != ROOT && parent->ns != node->ns)
        return err_set(k->e, "keys: node %u and its parent %u are in different namespaces", node->id, parent->id);
    uint32_t i = first_page_hash(k, n) & k->seen_mask;
    for (; k->seen[i] != 0; i = (i + 1) & k->seen_mask)
        if (same_first_page(k, k->seen[i], n))
            return err_set(k->e, "keys: siblings %u and %u begin with the same page", name(k, k->seen[i]), node->id);
    k->seen[i] = n;
    return 0;
}

/* ---- 3 and 4: sums and locks -------------------------------------------------------------------------- */

static int check_lock(struct checking *k, uint32_t n)
{
    uint32_t expect = k->holders[n] + k->w->node[n].pins;
    for (uint32_t c = k->w->node[n].first_child; c != 0; c = k->w->node[c].next)
        expect += k->w->node[c].lock_ref;
    if (n == ROOT)
        expect = 1;
    if (k->w->node[n].lock_ref != expect)
        return err_set(k->e, "locks: node %u has lock_ref %u; its holders and children make %u", name(k, n),
                       k->w->node[n].lock_ref, expect);
    return 0;
}

static int check_tree(struct checking *k)
{
    uint32_t evictable = 0, protected_ = 0;
    for (uint32_t n = ROOT; n != 0; n = node_preorder(k->w, n)) {
        if (++k->nodes > k->h->node_count)
            return err_set(k->e, "links: more than the %u nodes of node_count can be reached", k->h->node_count);
        if (check_children(k, n) != 0 || (n != ROOT && check_key(k, n) != 0) || check_lock(k, n) != 0)
            return -1;
        if (n != ROOT && k->w->node[n].lock_ref > 0)
            protected_ += k->w->node[n].len;
        else
            evictable += k->w->node[n].len;
    }
    if (k->nodes != k->h->node_count)
        return err_set(k->e, "links: %u nodes can be reached, node_count is %u", k->nodes, k->h->node_count);
    if (evictable != k->h->evictable_size || protected_ != k->h->protected_size)
        return err_set(k->e, "sums: %u evictable and %u protected units, the counters say %u and %u", evictable,
                       protected_, k->h->evictable_size, k->h->protected_size);
    return 0;
}

/* ---- 5: slots ----------------------------------------------------------------------------------------- */

static int own_page(struct checking *k, uint32_t page, uint32_t who, bool again)
{
    if (page == 0 || page > k->h->pool / k->h->page_size)
        return err_set(k->e, "slots: page %u does not exist", page);
    if (k->owner[page] != 0 && !(again && k->owner[page] == who))
        return err_set(k->e, "slots: page %u belongs to two owners (%u and %u; 1 free, 2 side, 3 tree, 4+ requests)",
                       page, k->owner[page], who);
    if ((k->w->page[page] != 0) != (who <= 2))
        return err_set(k->e, "slots: page %u is %s the free list but its owner is %u", page,
                       k->w->page[page] != 0 ? "on" : "not on", who);
    k->owner[page] = who;
    return 0;
}

static int check_list(struct checking *k, uint32_t first, uint32_t last, uint32_t count, uint32_t who)
{
    uint32_t n = 0, prev = 0;
    for (uint32_t p = first; count > 0 && p != FREE_END; prev = p, p = k->w->page[p], n++)
        if (n == count || own_page(k, p, who, false) != 0)
            return err_set(k->e, "slots: the free list is longer than its count %u", count);
    if (n != count || (count > 0 && prev != last))
        return err_set(k->e, "slots: the free list has %u pages, its count says %u", n, count);
    return 0;
}

/* Slots [from, to) of one owner: whole pages, each counted once. */
static int own_slots(struct checking *k, const uint32_t *slots, uint32_t n, uint32_t who)
{
    uint32_t size = k->h->page_size;
    for (uint32_t i = 0; i < n; i++) {
        bool inside = i % size != 0; /* runs begin on page boundaries */
        if (inside && slots[i] != slots[i - 1] + 1)
            return err_set(k->e, "slots: a page of owner %u is torn at slot %u", who, slots[i]);
        if (!inside && slots[i] % size != 0)
            return err_set(k->e, "slots: slot %u of owner %u does not begin a page", slots[i], who);
        if (own_page(k, slots[i] / size, who, inside) != 0)
            return -1;
    }
    return 0;
}

static int check_slots(struct checking *k)
{
    if (check_list(k, k->h->free_first, k->h->free_last, k->h->free_pages, 1) != 0 ||
        check_list(k, k->h->side_first, k->h->side_last, k->h->side_pages, 2) != 0)
        return -1;
    for (uint32_t n = node_preorder(k->w, ROOT); n != 0; n = node_preorder(k->w, n))
        if (own_slots(k, node_slots(k->sc, n), k->w->node[n].len, 3) != 0)
            return -1;
    for (uint32_t r = 1; r < k->h->request_top; r++) {
        const struct request *q = &k->w->request[r];
        if (request_running(q) && own_slots(k, k->w->row_slot + q->row_off + q->protected_len,
                                            q->kv_len - q->protected_len, 4 + r) != 0)
            return -1;
    }
    for (uint32_t p = 1; p <= k->h->pool / k->h->page_size; p++)
        if (k->owner[p] == 0)
            return err_set(k->e, "slots: page %u has leaked: nobody owns it", p);
    return 0;
}

/* ---- 6 and 7 ------------------------------------------------------------------------------------------ */

static int check_requests(struct checking *k)
{
    for (uint32_t r = 1; r < k->h->request_top; r++) {
        const struct request *q = &k->w->request[r];
        if (q->protected_len > q->kv_len || q->kv_len > q->row_cap || q->total_len > q->row_cap + 1)
            return err_set(k->e, "requests: %u of request %u are protected, %u have slots, its row holds %u",
                           q->protected_len, q->rid, q->kv_len, q->row_cap);
        /* once it has given its slots back, the count is history */
        if (request_running(q) && q->node != 0 && k->w->served[r].retracted == 0 && q->cached_len > q->kv_len)
            return err_set(k->e, "requests: request %u counts %u cached tokens, but only %u have slots", q->rid,
                           q->cached_len, q->kv_len);
        if (!request_running(q) && (q->node != 0 || q->protected_len != 0))
            return err_set(k->e, "requests: request %u has ended but still holds node %u", q->rid, name(k, q->node));
        if (q->node != 0 && !node_live(k->w, q->node))
            return err_set(k->e, "requests: request %u holds a node that is gone", q->rid);
        if (request_running(q))
            k->holders[q->node]++;
    }
    return 0;
}

static int check_tags(struct checking *k)
{
    if (!k->h->sessions)
        return 0;
    uint32_t by_node = 0, by_session = 0;
    for (uint32_t n = ROOT; n != 0; n = node_preorder(k->w, n))
        for (uint32_t t = k->w->node[n].tags; t != 0; t = k->w->tag[t].next_of_node, by_node++)
            if (k->w->tag[t].node != n || by_node >= k->h->tag_top)
                return err_set(k->e, "tags: tag %u hangs on node %u but names another", t, name(k, n));
    for (uint32_t s = 0; s < k->sc.s->name_count && s < WORLD_SESSIONS; s++)
        for (uint32_t t = k->w->session_tags[s]; t != 0; t = k->w->tag[t].next_of_session, by_session++)
            if (k->w->tag[t].session != s || by_session >= k->h->tag_top)
                return err_set(k->e, "tags: tag %u is on the list of session %u but names another", t, s);
    if (by_node != by_session)
        return err_set(k->e, "tags: %u hang on nodes, %u on sessions", by_node, by_session);
    return 0;
}

/* ---- 8 ----------------------------------------------------------------------------------------------------- */

/* One list: its requests are in `state` (or `also`), each on no other one. seen: by request. */
static int check_served(struct checking *k, const char *list, uint32_t first, uint32_t count, uint32_t state,
                        uint32_t also, uint32_t *seen)
{
    uint32_t n = 0;
    for (uint32_t r = first; r != 0; r = k->w->served[r].next, n++) {
        const struct request *q = &k->w->request[r];
        if (r >= k->h->request_top || n >= k->h->request_top)
            return err_set(k->e, "schedule: the list of %s requests does not end", list);
        if (q->state != state && q->state != also)
            return err_set(k->e, "schedule: request %u is on the list of %s requests, its state is %u", q->rid, list, q->state);
        if (seen[r]++ != 0)
            return err_set(k->e, "schedule: request %u is on two lists", q->rid);
    }
    if (count != UINT32_MAX && n != count)
        return err_set(k->e, "schedule: %u %s requests, the count says %u", n, list, count);
    return 0;
}

static int check_planned(struct checking *k)
{
    for (uint32_t r = k->h->planned_first, next; r != 0; r = next) {
        next = k->w->served[r].next;
        if (next != 0 && word_time(k->w->served[next].arrived) < word_time(k->w->served[r].arrived))
            return err_set(k->e, "schedule: request %u will come before the one that stands before it",
                           k->w->request[next].rid);
    }
    return 0;
}

static int check_schedule(struct checking *k)
{
    const struct head *h = k->h;
    if (h->sched == 0)
        return 0;
    uint32_t *seen = xcalloc((size_t)h->request_top + 1, sizeof *seen);
    if (seen == NULL)
        return err_memory(k->e, h->request_top * sizeof *seen, "checking the schedule");
    int rc = check_served(k, "planned", h->planned_first, UINT32_MAX, REQ_PLANNED, REQ_PLANNED, seen);
    if (rc == 0)
        rc = check_served(k, "waiting", h->queue_first, h->queue_count, REQ_WAITING, REQ_WAITING, seen);
    if (rc == 0)
        rc = check_served(k, "running", h->batch_first, h->batch_count, REQ_DECODE, REQ_PREFILL, seen);
    if (rc == 0)
        rc = check_planned(k);
    if (rc == 0 && h->chunked_req != 0)
        seen[h->chunked_req]++;
    for (uint32_t r = 1; rc == 0 && r < h->request_top; r++) {
        uint32_t state = k->w->request[r].state;
        bool listed = state == REQ_PLANNED || state == REQ_WAITING || state == REQ_PREFILL || state == REQ_DECODE;
        bool waits = state == REQ_PLANNED || state == REQ_WAITING;
        if (rc == 0 && waits && (k->w->request[r].kv_len != 0 || k->w->request[r].computed_len != 0))
            rc = err_set(k->e, "schedule: request %u waits, but still has slots", k->w->request[r].rid);
        if (rc == 0 && seen[r] != listed)
            rc = err_set(k->e, "schedule: request %u in state %u is on %u lists", k->w->request[r].rid, state, seen[r]);
    }
    xfree(seen);
    return rc;
}

int world_check(struct scene sc, struct err *e)
{
    const struct head *h = &sc.w->head;
    struct checking k = {.sc = sc, .w = sc.w, .h = h, .e = e, .seen_mask = 63};
    while (k.seen_mask < 2 * h->node_count)
        k.seen_mask = 2 * k.seen_mask + 1;
    k.holders = xcalloc(h->node_top, sizeof *k.holders);
    k.owner = xcalloc((size_t)h->pool / h->page_size + 1, sizeof *k.owner);
    k.seen = xcalloc((size_t)k.seen_mask + 1, sizeof *k.seen);
    int rc = -1;
    if (k.holders == NULL || k.owner == NULL || k.seen == NULL)
        err_memory(e, h->node_top, "checking the world");
    else if (check_requests(&k) == 0 && check_tree(&k) == 0 && check_slots(&k) == 0)
        rc = check_tags(&k) == 0 && check_schedule(&k) == 0 ? 0 : -1;
    xfree(k.holders);
    xfree(k.owner);
    xfree(k.seen);
    return rc;
}

struct pool_sum pool_sums(const struct world *w)
{
    struct pool_sum s = {w->head.pool, pool_free_slots(w), w->head.evictable_size, w->head.protected_size, 0, 0};
    uint32_t size = w->head.page_size;
    for (uint32_t r = 1; r < w->head.request_top; r++) {
        const struct request *q = &w->request[r];
        if (!request_running(q))
            continue;
        uint32_t whole = (q->kv_len + size - 1) / size * size;
        s.held += whole - q->protected_len;
        s.slack += whole - q->kv_len;
    }
    return s;
}

void pool_owners(struct scene sc, uint32_t *out)
{
    memset(out, 0, ((size_t)sc.w->head.pool + sc.w->head.page_size) * sizeof *out);
    for (uint32_t n = node_preorder(sc.w, ROOT); n != 0; n = node_preorder(sc.w, n))
        for (uint32_t i = 0; i < sc.w->node[n].len; i++)
            out[node_slots(sc, n)[i]] = n;
    for (uint32_t r = 1; r < sc.w->head.request_top; r++) {
        const struct request *q = &sc.w->request[r];
        for (uint32_t i = q->protected_len; request_running(q) && i < q->kv_len; i++)
            out[sc.w->row_slot[q->row_off + i]] = OWNER_REQUEST + r;
    }
}
