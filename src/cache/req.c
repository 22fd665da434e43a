#include "cache/req.h"

#include "cache/evict.h"
#include "cache/slots.h"

#define REQ(r) (c->w->request[r])

static const uint32_t *row_tokens(const struct cache *c, uint32_t req)
{
    return c->w->row_token + REQ(req).row_off;
}

static const uint32_t *row_slots(const struct cache *c, uint32_t req)
{
    return c->w->row_slot + REQ(req).row_off;
}

static bool session_closed(const struct cache *c, uint32_t session)
{
    for (uint32_t i = 0; i < c->w->head.closed_count; i++)
        if (c->w->closed[i] == session)
            return true;
    return false;
}

/* While nothing is recorded: an ended request whose row is large enough, the oldest first; 0: none. The
 * search goes on where the last one stopped. */
static uint32_t req_ended(const struct cache *c, uint32_t cap)
{
    const struct head *h = &c->w->head;
    uint32_t req = h->request_free;
    for (uint32_t i = 1; i < h->request_top && !tape_recording(c->t); i++) {
        req = req + 1 < h->request_top ? req + 1 : 1;
        if (REQ(req).state >= REQ_FINISHED && REQ(req).row_cap >= cap)
            return req;
    }
    return 0;
}

/* An entry with a row for `cap` positions: a fresh one, or, when there is none and nothing is recorded, an
 * ended request's. 0: neither. */
static uint32_t req_entry(struct cache *c, uint32_t cap)
{
    const struct head *h = &c->w->head;
    if (!tape_recording(c->t) && h->request_count == 0) {
        CACHE_SET(c, h->request_top, 1);
        CACHE_SET(c, h->row_top, 1);
    }
    bool fresh = h->request_top < WORLD_REQUESTS && cap < WORLD_ROWS - h->row_top;
    uint32_t req = fresh ? h->request_top : req_ended(c, cap);
    if (req == 0)
        return 0;
    uint32_t row = fresh ? h->row_top : REQ(req).row_off, room = fresh ? cap : REQ(req).row_cap;
    if (fresh) {
        CACHE_SET(c, h->request_top, req + 1);
        CACHE_SET(c, h->row_top, row + cap + 1); /* the last token has no slot */
    } else
        CACHE_SET(c, h->request_free, req);
    CACHE_SET(c, h->request_count, h->request_count + 1);
    const uint32_t *word = (const uint32_t *)&REQ(req);
    for (uint32_t i = 0; i < sizeof(struct request) / 4; i++)
        CACHE_SET(c, word[i], 0);
    CACHE_SET(c, REQ(req).rid, h->next_rid);
    CACHE_SET(c, h->next_rid, h->next_rid + 1);
    CACHE_SET(c, REQ(req).row_off, row);
    CACHE_SET(c, REQ(req).row_cap, room);
    return req;
}

uint32_t req_new(struct cache *c, const struct req_spec *spec)
{
    uint32_t req = req_entry(c, spec->cap);
    if (req == 0)
        return 0;
    CACHE_SET(c, REQ(req).state, REQ_WAITING);
    CACHE_SET(c, REQ(req).ns, spec->ns);
    CACHE_SET(c, REQ(req).priority, spec->priority);
    CACHE_SET(c, REQ(req).session, spec->session);
    CACHE_SET(c, REQ(req).label, spec->label);
    CACHE_SET(c, REQ(req).adapter, spec->adapter);
    CACHE_SET(c, REQ(req).prompt_len, spec->n);
    CACHE_SET(c, REQ(req).total_len, spec->n);
    CACHE_SET(c, REQ(req).max_new, spec->max_new);
    CACHE_SET(c, REQ(req).seed, spec->seed);
    CACHE_SET(c, REQ(req).arrived, c->w->head.clock);
    for (uint32_t i = 0; i < spec->n; i++)
        CACHE_SET(c, row_tokens(c, req)[i], spec->tok[i]);
    if (!spec->planned)
        CACHE_EMIT(c, REQUEST, req, spec->n, spec->ns, spec->label);
    return req;
}

void req_push_token(struct cache *c, uint32_t req, uint32_t token)
{
    CACHE_SET(c, row_tokens(c, req)[REQ(req).total_len], token);
    CACHE_SET(c, REQ(req).total_len, REQ(req).total_len + 1);
}

void req_set_state(struct cache *c, uint32_t req, uint32_t state, uint32_t reason)
{
    bool ended = state == REQ_FINISHED || state == REQ_REFUSED || state == REQ_ABORTED;
    CACHE_SET(c, REQ(req).state, state);
    CACHE_SET(c, REQ(req).finish_reason, reason);
    if (ended) {
        CACHE_SET(c, REQ(req).finished, c->w->head.clock);
        CACHE_SET(c, c->w->head.request_count, c->w->head.request_count - 1);
    }
}

void req_unadmit(struct cache *c, uint32_t req)
{
    uint32_t node = REQ(req).node;
    radix_dec_lock_ref(c, node, req);
    CACHE_SET(c, REQ(req).node, 0);
    CACHE_SET(c, REQ(req).protected_len, 0);
    CACHE_SET(c, REQ(req).kv_len, 0);
    CACHE_SET(c, REQ(req).computed_len, 0);
    CACHE_EMIT(c, RELEASED, req, node);
}

/* Give row[from:to] back; as duplicates of what the tree has, or as what was never inserted. */
static void free_row(struct cache *c, uint32_t req, uint32_t from, uint32_t to, bool duplicates)
{
    if (from >= to)
        return;
    const uint32_t *slots = row_slots(c, req) + from;
    slots_free(c, slots, to - from);
    uint32_t first = slots[0], n = to - from, free = pool_free_slots(c->w);
    if (duplicates)
        CACHE_EMIT(c, FREE_DUPLICATES, req, n, first, free);
    else
        CACHE_EMIT(c, FREE_TAIL, req, n, first, free);
}

static void row_write(struct cache *c, uint32_t req, uint32_t at, const uint32_t *slots, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        CACHE_SET(c, row_slots(c, req)[at + i], slots[i]);
}

/* The node's slots from position `from` on go into the row; says so if any differ. */
static bool row_from_tree(struct cache *c, uint32_t req, struct match m, uint32_t from)
{
    if (!cache_more(c, m.units))
        return false;
    radix_path_slots((struct scene){c->w, c->s}, m.node, c->scratch);
    row_write(c, req, from, c->scratch + from, m.units > from ? m.units - from : 0);
    return true;
}

struct match req_match(struct cache *c, uint32_t req, uint32_t limit)
{
    struct key key = key_make(c->w, row_tokens(c, req), REQ(req).total_len, limit, REQ(req).ns);
    return radix_match_prefix(c, &key, req);
}

void req_hold(struct cache *c, uint32_t req, struct match m)
{
    radix_path_slots((struct scene){c->w, c->s}, m.node, c->scratch);
    row_write(c, req, 0, c->scratch, m.units);
    CACHE_SET(c, REQ(req).cached_len, m.units);
    CACHE_SET(c, REQ(req).protected_len, m.units);
    CACHE_SET(c, REQ(req).kv_len, m.units);
    CACHE_SET(c, REQ(req).computed_len, m.units);
    CACHE_SET(c, REQ(req).node, m.node);
    CACHE_EMIT(c, ADMIT, req, m.units, REQ(req).total_len);
    radix_inc_lock_ref(c, m.node, req);
}

struct match req_match_and_lock(struct cache *c, uint32_t req, uint32_t limit)
{
    struct match m = req_match(c, req, limit);
    req_hold(c, req, m);
    return m;
}

bool req_alloc(struct cache *c, uint32_t req, uint32_t upto, uint32_t ask, bool *got)
{
    uint32_t have = REQ(req).kv_len, count = upto - have, freed = 0;
    *got = true;
    if (count == 0)
        return true;
    CACHE_EMIT(c, ALLOC, req, count, pool_free_slots(c->w), 0);
    if (pool_free_slots(c->w) < ask && !evict(c, ask, req, &freed))
        return false;
    if (!cache_more(c, count))
        return false;
    uint32_t last = have > 0 ? row_slots(c, req)[have - 1] : 0;
    const uint32_t *row = row_slots(c, req) + have;
    /* the row is written through the tape, so the slots come by way of the scratch */
    *got = slots_alloc_extend(c, have, last, count, c->scratch);
    if (!*got) {
        CACHE_EMIT(c, ALLOC_FAIL, count, pool_free_slots(c->w), c->w->head.protected_size);
        return true;
    }
    row_write(c, req, have, c->scratch, count);
    CACHE_SET(c, REQ(req).kv_len, upto);
    CACHE_EMIT(c, TAKE, req, count, row[0], pool_free_slots(c->w));
    return true;
}

/* What the request has computed enters the tree. */
static struct match req_insert(struct cache *c, uint32_t req, const struct key *key, bool chunked)
{
    return radix_insert(c, key, row_slots(c, req), (int32_t)REQ(req).priority, chunked, REQ(req).protected_len,
                        req);
}

bool req_cache_unfinished(struct cache *c, uint32_t req, uint32_t filled, bool chunked)
{
    struct key key = key_make(c->w, row_tokens(c, req), filled, filled, REQ(req).ns);
    uint32_t owned = REQ(req).protected_len, old = REQ(req).node;
    CACHE_EMIT(c, CACHE_UNFINISHED, req, c->w->head.disabled ? 0 : key.units, chunked);
    if (c->w->head.disabled) /* sglang's ChunkCache: the request keeps its slots, nobody else learns of them */
        return true;
    struct match m = req_insert(c, req, &key, chunked); /* U1 */
    if (c->w->head.rules == RULES_CLASSIC)              /* U2 */
        free_row(c, req, owned, m.units, true);
    key.again = true; /* U3 */
    struct match again = radix_match_prefix(c, &key, req);
    ASSERT(again.units == key.units);
    if (!row_from_tree(c, req, again, owned))
        return false;
    CACHE_SET(c, REQ(req).protected_len, key.units); /* U4 */
    CACHE_SET(c, REQ(req).node, again.node);
    CACHE_EMIT(c, ROW, req, owned, m.units > owned ? m.units - owned : 0, key.units);
    radix_dec_lock_ref(c, old, req);
    radix_inc_lock_ref(c, again.node, req);
    req_tag(c, again.node, REQ(req).session);
    return true;
}

/* cache_finished_req without insert. Unified rules give everything back in one call (sglang §13). */
static void req_forget(struct cache *c, uint32_t req, uint32_t units, uint32_t filled)
{
    bool unified = c->w->head.rules == RULES_UNIFIED;
    free_row(c, req, REQ(req).protected_len, unified ? filled : units, false);
    if (!unified)
        free_row(c, req, units > REQ(req).protected_len ? units : REQ(req).protected_len, filled, false);
}

bool req_cache_finished(struct cache *c, uint32_t req, uint32_t filled, bool insert)
{
    struct key key = key_make(c->w, row_tokens(c, req), filled, filled, REQ(req).ns);
    uint32_t node = REQ(req).node, owned = REQ(req).protected_len;
    struct match m = {ROOT, 0};
    if (c->w->head.disabled) {
        insert = false;
        key.units = 0;
    }
    CACHE_EMIT(c, CACHE_FINISHED, req, key.units, insert);
    if (insert) { /* F1 */
        m = req_insert(c, req, &key, false);
        if (c->w->head.rules == RULES_CLASSIC)
            free_row(c, req, owned, m.units, true); /* U2 */
        free_row(c, req, key.units, filled, false); /* F2 */
    } else {
        req_forget(c, req, key.units, filled); /* F2 */
        if (c->w->head.sessions && REQ(req).session != 0 && !session_closed(c, REQ(req).session))
            m = radix_match_prefix(c, &key, req);
    }
    req_tag(c, m.node, REQ(req).session);
    radix_dec_lock_ref(c, node, req); /* F3 */
    CACHE_SET(c, REQ(req).node, 0);
    CACHE_SET(c, REQ(req).protected_len, 0);
    CACHE_EMIT(c, RELEASED, req, m.node);
    return true;
}

/* ---- sessions (sglang §5) ---------------------------------------------------------------------------- */

/* The tag of a session on a node, 0 if it has none. */
static uint32_t tag_find(const struct cache *c, uint32_t node, uint32_t session)
{
    uint32_t tag = c->w->node[node].tags;
    while (tag != 0 && c->w->tag[tag].session != session)
        tag = c->w->tag[tag].next_of_node;
    return tag;
}

void req_tag(struct cache *c, uint32_t node, uint32_t session)
{
    const struct head *h = &c->w->head;
    if (!h->sessions || session == 0 || node == ROOT || node == 0 || session_closed(c, session) ||
        tag_find(c, node, session) != 0)
        return;
    uint32_t tag = h->tag_free;
    if (tag != 0)
        CACHE_SET(c, h->tag_free, c->w->tag[tag].next_of_node);
    else {
        tag = h->tag_top;
        ASSERT(tag < WORLD_TAGS);
        CACHE_SET(c, h->tag_top, tag + 1);
    }
    CACHE_SET(c, c->w->tag[tag].node, node);
    CACHE_SET(c, c->w->tag[tag].session, session);
    CACHE_SET(c, c->w->tag[tag].next_of_node, c->w->node[node].tags);
    CACHE_SET(c, c->w->tag[tag].next_of_session, c->w->session_tags[session]);
    CACHE_SET(c, c->w->node[node].tags, tag);
    CACHE_SET(c, c->w->session_tags[session], tag);
    CACHE_EMIT(c, TAG, node, session);
}

static void unlink_from_session(struct cache *c, uint32_t tag)
{
    const uint32_t *link = &c->w->session_tags[c->w->tag[tag].session];
    while (*link != tag)
        link = &c->w->tag[*link].next_of_session;
    CACHE_SET(c, *link, c->w->tag[tag].next_of_session);
}

static void tag_drop(struct cache *c, uint32_t node, uint32_t tag)
{
    const uint32_t *link = &c->w->node[node].tags;
    while (*link != tag)
        link = &c->w->tag[*link].next_of_node;
    CACHE_SET(c, *link, c->w->tag[tag].next_of_node);
    unlink_from_session(c, tag);
    CACHE_SET(c, c->w->tag[tag].node, 0);
    CACHE_SET(c, c->w->tag[tag].session, 0);
    CACHE_SET(c, c->w->tag[tag].next_of_session, 0);
    CACHE_SET(c, c->w->tag[tag].next_of_node, c->w->head.tag_free);
    CACHE_SET(c, c->w->head.tag_free, tag);
}

void req_drop_tags(struct cache *c, uint32_t node)
{
    while (c->w->node[node].tags != 0)
        tag_drop(c, node, c->w->node[node].tags);
}

/* From a tagged leaf upwards: nodes that only this session wanted go. */
static bool close_from(struct cache *c, uint32_t node, uint32_t session, uint32_t *nodes)
{
    for (;;) {
        uint32_t tag = tag_find(c, node, session);
        if (tag != 0)
            tag_drop(c, node, tag);
        if (!node_evictable(c->w, node) || c->w->node[node].tags != 0)
            return true;
        uint32_t parent = c->w->node[node].parent, len = c->w->node[node].len;
        if (!cache_more(c, len))
            return false;
        if (c->listen.removed != NULL)
            c->listen.removed(c->listen.ctx, node);
        slots_free(c, node_slots((struct scene){c->w, c->s}, node), len);
        radix_delete_leaf(c, node);
        CACHE_EMIT(c, CLOSED_NODE, node, len);
        ++*nodes;
        node = parent;
    }
}

static void remember_closed(struct cache *c, uint32_t session)
{
    const struct head *h = &c->w->head;
    CACHE_SET(c, c->w->closed[h->closed_next], session);
    CACHE_SET(c, h->closed_next, (h->closed_next + 1) % WORLD_CLOSED);
    if (h->closed_count < WORLD_CLOSED)
        CACHE_SET(c, h->closed_count, h->closed_count + 1);
}

bool req_close_session(struct cache *c, uint32_t session, tag_picker pick, void *ctx, uint32_t *nodes)
{
    uint32_t leaves = 0;
    *nodes = 0;
    remember_closed(c, session);
    for (uint32_t tag = c->w->session_tags[session]; tag != 0; tag = c->w->tag[tag].next_of_session)
        leaves++;
    CACHE_EMIT(c, CLOSE_SESSION, session, leaves);
    while (c->w->session_tags[session] != 0) {
        uint32_t tag = pick != NULL ? pick(ctx, c->w, session) : c->w->session_tags[session];
        if (!cache_more(c, 64) || !close_from(c, c->w->tag[tag].node, session, nodes))
            return false;
    }
    CACHE_EMIT(c, CLOSED, session, *nodes);
    return true;
}
