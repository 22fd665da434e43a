#include "cache/radix.h"

#include <string.h>

#include "cache/slots.h"

#define NODE(n) (c->w->node[n])

static struct scene cache_scene(const struct cache *c)
{
    return (struct scene){c->w, c->s};
}

/* Equal leading tokens of two runs of n. Most edges are equal as a whole; of others memcmp finds the differing
 * block, a loop the token. */
static uint32_t equal_tokens(const uint32_t *a, const uint32_t *b, uint32_t n)
{
    enum { BLOCK = 64 };
    uint32_t i = 0;
    if (memcmp(a, b, n * sizeof *a) == 0)
        return n;
    while (n - i >= BLOCK && memcmp(a + i, b + i, BLOCK * sizeof *a) == 0)
        i += BLOCK;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* Equal leading units of a node's key and of key[at…], whole pages only (sglang §1 "common length").
 * In bigram mode n equal raw tokens are n - 1 equal pairs. */
static uint32_t common_units(const struct cache *c, uint32_t node, const struct key *key, uint32_t at)
{
    uint32_t bigram = c->w->head.bigram, left = key->units - at;
    uint32_t units = NODE(node).len < left ? NODE(node).len : left;
    uint32_t equal = equal_tokens(node_tokens(cache_scene(c), node), key->tok + at, units + bigram);
    equal = equal > bigram ? equal - bigram : 0;
    return equal - equal % c->w->head.page_size;
}

static uint32_t find_child(const struct cache *c, uint32_t node, const struct key *key, uint32_t at)
{
    return index_find(&c->index, cache_scene(c), node, key->ns, key->tok + at);
}

#if defined(__GNUC__)
#define FETCH_SOON(place) __builtin_prefetch((place), 0, 2) /* read; to the second level: it can wait for more lines */
#else
#define FETCH_SOON(place) ((void)(place))
#endif

/* Ask for the key's cache lines at once, so that they arrive while the first node is still looked up. */
static void fetch_key(const struct key *key)
{
    for (uint32_t i = 0; i < key->units; i += 16)
        FETCH_SOON(key->tok + i);
}

/* The child that follows once the whole edge of `node`, at unit `at`, is walked; 0: none, or the key ends. It is
 * looked up before that edge is compared, so that its memory is on its way meanwhile. */
static uint32_t child_after(const struct cache *c, uint32_t node, const struct key *key, uint32_t at)
{
    uint32_t end = at + NODE(node).len;
    return end < key->units ? find_child(c, node, key, end) : 0;
}

/* The key's token at unit `at`, or "the key ends". */
static uint32_t key_token(const struct cache *c, const struct key *key, uint32_t at)
{
    return at < key->units ? key->tok[at + c->w->head.bigram] : NO_TOKEN;
}

static void stamp(struct cache *c, uint32_t node, uint32_t now, uint32_t minus)
{
    CACHE_SET(c, NODE(node).last_access, now);
    if (NODE(node).last_minus != minus) /* always 0 in the classic rules */
        CACHE_SET(c, NODE(node).last_minus, minus);
    if (c->w->head.policy == POLICY_MRU)
        leaves_touch(&c->leaves, c->w, node);
}

/* An unused entry, all 0 but its id and its two times (two calls of the clock, sglang §1.1). */
static uint32_t node_new(struct cache *c)
{
    const struct head *h = &c->w->head;
    uint32_t node = h->node_free;
    if (node != 0)
        CACHE_SET(c, h->node_free, NODE(node).next);
    else {
        node = h->node_top;
        CACHE_SET(c, h->node_top, node + 1);
    }
    const uint32_t *word = (const uint32_t *)&NODE(node);
    for (uint32_t i = 0; i < sizeof(struct node) / 4; i++)
        if (word[i] != 0)
            CACHE_SET(c, word[i], 0);
    CACHE_SET(c, NODE(node).id, h->next_id);
    CACHE_SET(c, h->next_id, h->next_id + 1);
    CACHE_SET(c, h->node_count, h->node_count + 1);
    CACHE_SET(c, NODE(node).last_access, cache_tick(c));
    CACHE_SET(c, NODE(node).creation_time, cache_tick(c));
    return node;
}

static void attach_last(struct cache *c, uint32_t node, uint32_t parent)
{
    uint32_t last = NODE(parent).last_child;
    CACHE_SET(c, NODE(node).parent, parent);
    CACHE_SET(c, NODE(node).prev, last);
    if (last != 0)
        CACHE_SET(c, NODE(last).next, node);
    else
        CACHE_SET(c, NODE(parent).first_child, node);
    CACHE_SET(c, NODE(parent).last_child, node);
    CACHE_SET(c, NODE(parent).child_count, NODE(parent).child_count + 1);
}

static void detach(struct cache *c, uint32_t node)
{
    uint32_t parent = NODE(node).parent, prev = NODE(node).prev, next = NODE(node).next;
    if (prev != 0)
        CACHE_SET(c, NODE(prev).next, next);
    else
        CACHE_SET(c, NODE(parent).first_child, next);
    if (next != 0)
        CACHE_SET(c, NODE(next).prev, prev);
    else
        CACHE_SET(c, NODE(parent).last_child, prev);
    CACHE_SET(c, NODE(parent).child_count, NODE(parent).child_count - 1);
}

/* `upper` stands where `child` stood among its siblings; `child` hangs below it alone. */
static void take_place(struct cache *c, uint32_t upper, uint32_t child)
{
    uint32_t parent = NODE(child).parent, prev = NODE(child).prev, next = NODE(child).next;
    CACHE_SET(c, NODE(upper).parent, parent);
    CACHE_SET(c, NODE(upper).prev, prev);
    CACHE_SET(c, NODE(upper).next, next);
    if (prev != 0)
        CACHE_SET(c, NODE(prev).next, upper);
    else
        CACHE_SET(c, NODE(parent).first_child, upper);
    if (next != 0)
        CACHE_SET(c, NODE(next).prev, upper);
    else
        CACHE_SET(c, NODE(parent).last_child, upper);
    CACHE_SET(c, NODE(upper).first_child, child);
    CACHE_SET(c, NODE(upper).last_child, child);
    CACHE_SET(c, NODE(upper).child_count, 1);
    CACHE_SET(c, NODE(child).parent, upper);
    CACHE_SET(c, NODE(child).prev, 0);
    CACHE_SET(c, NODE(child).next, 0);
}

uint32_t radix_split_node(struct cache *c, uint32_t child, uint32_t k)
{
    /* S1 */
    uint32_t upper = node_new(c);
    CACHE_SET(c, NODE(upper).ns, NODE(child).ns);
    CACHE_SET(c, NODE(upper).lock_ref, NODE(child).lock_ref);
    CACHE_SET(c, NODE(upper).hit_count, NODE(child).hit_count);
    CACHE_SET(c, NODE(upper).priority, NODE(child).priority);
    if (c->w->head.rules == RULES_UNIFIED) /* §13: the upper part keeps the birth, the lower is stamped */
        CACHE_SET(c, NODE(upper).creation_time, NODE(child).creation_time);
    /* S2 */
    take_place(c, upper, child);
    /* S3 */
    CACHE_SET(c, NODE(upper).key_off, NODE(child).key_off);
    CACHE_SET(c, NODE(upper).val_off, NODE(child).val_off);
    CACHE_SET(c, NODE(upper).len, k);
    CACHE_SET(c, NODE(child).key_off, NODE(child).key_off + k);
    CACHE_SET(c, NODE(child).val_off, NODE(child).val_off + k);
    CACHE_SET(c, NODE(child).len, NODE(child).len - k);
    if (c->w->head.rules == RULES_UNIFIED)
        stamp(c, child, cache_tick(c), 0);
    index_replace(&c->index, child, upper);
    index_add(&c->index, cache_scene(c), child);
    return upper;
}

/* Split where the key leaves the edge, and say so: with the first token that differs, which stands in the
 * lower part's first page (or pair), not always at its very beginning. */
static uint32_t split_at(struct cache *c, uint32_t child, uint32_t k, const struct key *key, uint32_t at,
                         uint32_t req)
{
    uint32_t whole = NODE(child).len, bigram = c->w->head.bigram;
    uint32_t upper = radix_split_node(c, child, k);
    uint32_t mine = node_raw_len(c->w, child), theirs = key->units + bigram - at - k;
    const uint32_t *have = node_tokens(cache_scene(c), child), *next = key->tok + at + k;
    uint32_t d = equal_tokens(have, next, mine < theirs ? mine : theirs);
    CACHE_EMIT(c, SPLIT, child, upper, k, whole, req, d < theirs ? next[d] : NO_TOKEN, have[d < mine ? d : 0],
               whole - k);
    return upper;
}

/* §13: the end of a match gets one read of the clock, each ancestor 0.00001 less. */
static void stamp_path(struct cache *c, uint32_t node)
{
    uint32_t now = cache_tick(c);
    for (uint32_t minus = 0;; node = NODE(node).parent, minus++) {
        stamp(c, node, now, minus);
        if (node == ROOT)
            return;
    }
}

struct match radix_match_prefix(struct cache *c, const struct key *key, uint32_t req)
{
    struct match m = {ROOT, 0};
    bool classic = c->w->head.rules == RULES_CLASSIC;
    uint32_t page = c->w->head.page_size > 1 ? c->w->head.page_size : 0; /* said only when it rounds */
    CACHE_EMIT(c, MATCH, req, key->units, key->raw, key->ns, key->raw - key->units, page, key->again,
               req == 0 ? c->key_text : 0);
    if (key->units == 0 || c->w->head.disabled) { /* M1 */
        CACHE_EMIT(c, MATCH_NOTHING, key->raw, c->w->head.disabled ? 0 : c->w->head.page_size);
        return m;
    }
    fetch_key(key);
    uint32_t now = classic ? cache_tick(c) : 0; /* M2 */
    if (classic)
        stamp(c, ROOT, now, 0);
    uint32_t next = find_child(c, ROOT, key, 0);
    while (m.units < key->units) { /* M3 */
        uint32_t child = next;
        if (child == 0) {
            CACHE_EMIT(c, MISS, m.node, key_token(c, key, m.units));
            break;
        }
        next = child_after(c, child, key, m.units);
        if (classic)
            stamp(c, child, now, 0);
        uint32_t equal = common_units(c, child, key, m.units);
        if (equal < NODE(child).len) { /* M3a */
            m.node = split_at(c, child, equal, key, m.units, req);
            m.units += equal;
            break;
        }
        m.node = child; /* M3b */
        m.units += equal;
        CACHE_EMIT(c, WALK, child, equal, m.units);
    }
    if (!classic)
        stamp_path(c, m.node);
    CACHE_EMIT(c, MATCHED, m.node, m.units, key->raw, req, key->raw - m.units); /* M4 */
    return m;
}

static void raise_priority(struct cache *c, uint32_t node, int32_t priority)
{
    if ((int32_t)NODE(node).priority < priority)
        CACHE_SET(c, NODE(node).priority, priority);
}

/* §13: a visited node's part of the caller's slots is freed at once, from what the request owns on. */
static void free_part(struct cache *c, const uint32_t *slots, uint32_t from, uint32_t to, uint32_t owned,
                      uint32_t req)
{
    from = from > owned ? from : owned;
    if (c->w->head.rules != RULES_UNIFIED || from >= to)
        return;
    slots_free(c, slots + from, to - from);
    CACHE_EMIT(c, FREE_DUPLICATES, req, to - from, slots[from], pool_free_slots(c->w));
}

/* A leaf for what remains of the key. */
static uint32_t insert_leaf(struct cache *c, uint32_t parent, const struct key *key, const uint32_t *slots,
                            uint32_t at, int32_t priority, bool chunked)
{
    uint32_t units = key->units - at, raw = units + c->w->head.bigram;
    uint32_t tokens = tape_tokens_new(c->t, raw), values = tape_values_new(c->t, units);
    ASSERT(tokens != UINT32_MAX && values != UINT32_MAX); /* cache_more made sure */
    memcpy(c->s->token + tokens, key->tok + at, raw * sizeof *key->tok);
    memcpy(c->s->value + values, slots + at, units * sizeof *slots);
    uint32_t leaf = node_new(c);
    CACHE_SET(c, NODE(leaf).ns, key->ns);
    CACHE_SET(c, NODE(leaf).key_off, tokens);
    CACHE_SET(c, NODE(leaf).val_off, values);
    CACHE_SET(c, NODE(leaf).len, units);
    CACHE_SET(c, NODE(leaf).hit_count, chunked ? 0 : 1);
    CACHE_SET(c, NODE(leaf).priority, priority);
    CACHE_SET(c, c->w->head.evictable_size, c->w->head.evictable_size + units);
    attach_last(c, leaf, parent);
    index_add(&c->index, cache_scene(c), leaf);
    leaves_update(&c->leaves, c->w, parent);
    leaves_update(&c->leaves, c->w, leaf);
    CACHE_EMIT(c, LEAF, leaf, parent, units, key->tok[at]);
    if (c->listen.stored != NULL)
        c->listen.stored(c->listen.ctx, leaf);
    return leaf;
}

struct match radix_insert(struct cache *c, const struct key *key, const uint32_t *slots, int32_t priority,
                          bool chunked, uint32_t owned, uint32_t req)
{
    bool classic = c->w->head.rules == RULES_CLASSIC;
    struct match m = {ROOT, 0};
    uint32_t now = cache_tick(c); /* I1 */
    stamp(c, ROOT, now, 0);
    raise_priority(c, ROOT, priority);
    CACHE_EMIT(c, INSERT, req, key->units, key->ns);
    while (m.units < key->units) { /* I2 */
        uint32_t child = find_child(c, m.node, key, m.units);
        if (child == 0)
            break;
        stamp(c, child, classic ? now : cache_tick(c), 0);
        uint32_t equal = common_units(c, child, key, m.units);
        if (equal < NODE(child).len) /* I3 */
            child = split_at(c, child, equal, key, m.units, req);
        raise_priority(c, child, priority); /* I2 */
        if (!chunked)
            CACHE_SET(c, NODE(child).hit_count, NODE(child).hit_count + 1);
        CACHE_EMIT(c, INSERT_WALK, child, equal, NODE(child).hit_count);
        free_part(c, slots, m.units, m.units + equal, owned, req); /* U2 */
        m.node = child;
        m.units += equal;
    }
    if (m.units < key->units) /* I4 */
        m.node = insert_leaf(c, m.node, key, slots, m.units, priority, chunked);
    CACHE_EMIT(c, INSERTED, m.node, m.units, key->units - m.units); /* I5 */
    return m;
}

/* A length moves between the two sums. */
static void move_protected(struct cache *c, uint32_t len, bool to_protected)
{
    const struct head *h = &c->w->head;
    uint32_t up = to_protected ? 0u - len : len;
    CACHE_SET(c, h->evictable_size, h->evictable_size + up);
    CACHE_SET(c, h->protected_size, h->protected_size - up);
}

int32_t radix_inc_lock_ref(struct cache *c, uint32_t node, uint32_t req)
{
    int32_t delta = 0;
    if (node == ROOT)
        return 0;
    CACHE_EMIT(c, LOCK, node, req, req == 0 ? c->holder : 0);
    for (; node != ROOT; node = NODE(node).parent) {
        uint32_t moved = NODE(node).lock_ref == 0 ? NODE(node).len : 0; /* L1 */
        if (moved > 0)
            move_protected(c, moved, true);
        delta -= (int32_t)moved;
        CACHE_SET(c, NODE(node).lock_ref, NODE(node).lock_ref + 1); /* L2 */
        leaves_update(&c->leaves, c->w, node);
        CACHE_EMIT(c, LOCK_NODE, node, NODE(node).lock_ref, moved);
    }
    return delta;
}

int32_t radix_dec_lock_ref(struct cache *c, uint32_t node, uint32_t req)
{
    int32_t delta = 0;
    if (node == ROOT)
        return 0;
    CACHE_EMIT(c, UNLOCK, node, req, req == 0 ? c->holder : 0);
    for (; node != ROOT; node = NODE(node).parent) {
        ASSERT(NODE(node).lock_ref > 0);
        uint32_t moved = NODE(node).lock_ref == 1 ? NODE(node).len : 0; /* L1 */
        if (moved > 0)
            move_protected(c, moved, false);
        delta += (int32_t)moved;
        CACHE_SET(c, NODE(node).lock_ref, NODE(node).lock_ref - 1); /* L2 */
        leaves_update(&c->leaves, c->w, node);
        CACHE_EMIT(c, UNLOCK_NODE, node, NODE(node).lock_ref, moved);
    }
    return delta;
}

int32_t radix_pin(struct cache *c, uint32_t node)
{
    if (node != ROOT)
        CACHE_SET(c, NODE(node).pins, NODE(node).pins + 1);
    return radix_inc_lock_ref(c, node, 0);
}

int32_t radix_unpin(struct cache *c, uint32_t node)
{
    if (node != ROOT)
        CACHE_SET(c, NODE(node).pins, NODE(node).pins - 1);
    return radix_dec_lock_ref(c, node, 0);
}

void radix_delete_leaf(struct cache *c, uint32_t node)
{
    const struct head *h = &c->w->head;
    uint32_t parent = NODE(node).parent;
    ASSERT(node_evictable(c->w, node));
    index_remove(&c->index, node);
    leaves_remove(&c->leaves, node);
    detach(c, node);
    CACHE_SET(c, h->evictable_size, h->evictable_size - NODE(node).len);
    CACHE_SET(c, h->node_count, h->node_count - 1);
    CACHE_SET(c, NODE(node).parent, 0);
    CACHE_SET(c, NODE(node).next, h->node_free);
    CACHE_SET(c, h->node_free, node);
    leaves_update(&c->leaves, c->w, parent);
}

void radix_path_slots(struct scene sc, uint32_t node, uint32_t *out)
{
    uint32_t at = node_start(sc.w, node);
    while (node != ROOT) {
        memcpy(out + at, node_slots(sc, node), sc.w->node[node].len * sizeof *out);
        node = sc.w->node[node].parent;
        at -= sc.w->node[node].len;
    }
}

void radix_reset(struct cache *c)
{
    const struct head *h = &c->w->head;
    uint32_t units = h->evictable_size + h->protected_size, pages = h->pool / h->page_size;
    CACHE_SET(c, h->node_top, ROOT + 1);
    CACHE_SET(c, h->node_free, 0);
    CACHE_SET(c, h->node_count, 1);
    CACHE_SET(c, h->evictable_size, 0);
    CACHE_SET(c, h->protected_size, 0);
    CACHE_SET(c, NODE(ROOT).first_child, 0);
    CACHE_SET(c, NODE(ROOT).last_child, 0);
    CACHE_SET(c, NODE(ROOT).child_count, 0);
    CACHE_SET(c, NODE(ROOT).id, h->next_id); /* a new root: ids go on */
    CACHE_SET(c, h->next_id, h->next_id + 1);
    CACHE_SET(c, NODE(ROOT).priority, ROOT_PRIORITY);
    CACHE_SET(c, NODE(ROOT).last_minus, 0);
    CACHE_SET(c, NODE(ROOT).last_access, cache_tick(c));
    CACHE_SET(c, NODE(ROOT).creation_time, cache_tick(c));
    slots_clear(c);
    CACHE_EMIT(c, RESET, units, pages);
    index_clear(&c->index);
    leaves_clear(&c->leaves);
    if (!tape_recording(c->t)) /* no history names the edges */
        c->s->token_top = c->s->value_top = 0;
    if (c->listen.cleared != NULL)
        c->listen.cleared(c->listen.ctx);
}
