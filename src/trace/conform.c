#include "trace/conform.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"
#include "cache/evict.h"
#include "cache/kvevents.h"
#include "cache/req.h"
#include "cache/slots.h"
#include "tape/check.h"
#include "trace/conform_sched.h"

enum {
    FILE_LIMIT = 1 << 30,
    WHOLE_WORDS = 2000000000, /* read while walking over a tape: of a larger one not every moment is looked at whole */
};

/* What a listener has heard during one operation, as JSON of the recording's shape. */
struct heard {
    json_t *frees, *evicted, *events;
};

struct replay {
    const char *path;
    unsigned long line;
    const char *op;            /* the operation at hand */
    const json_t *o;           /* its record */
    struct tape *t;
    struct cache cache;
    bool sched;                /* a recording of the scheduler: conform_sched.c replays its lines */
    bool unified, events;
    bool tries, doubt;         /* the reading of insert_skipped (skipped_insert), and whether it may matter */
    uint32_t outputs;          /* a request's row has room for so many tokens behind its prompt */
    json_t *locks, *requests;  /* handle -> node, rid -> request index */
    struct heard heard;
    uint32_t *tok, *val, *got; /* inputs and slots of the operation; `room` each */
    size_t tok_cap, val_cap, got_cap;
    struct conform_result *out;
    struct err *e;
};

/* ---- reading records ---------------------------------------------------------------------------------- */

static int bad_record(struct replay *r, const char *field, const char *expected)
{
    return err_set(r->e, "%s:%lu: %s: field \"%s\" should be %s", r->path, r->line, r->op, field, expected);
}

static int get_u32(struct replay *r, const char *field, uint32_t *out)
{
    const json_t *v = json_object_get(r->o, field);
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < 0 || n > INT32_MAX)
        return bad_record(r, field, "a whole number");
    *out = (uint32_t)n;
    return 0;
}

static bool get_bool(struct replay *r, const char *field)
{
    return json_is_true(json_object_get(r->o, field));
}

static int get_ints(struct replay *r, const char *field, uint32_t **out, size_t *cap, uint32_t *n)
{
    const json_t *list = json_object_get(r->o, field);
    if (!json_is_array(list))
        return bad_record(r, field, "a list");
    *n = (uint32_t)json_array_size(list);
    void *room = *out;
    if (!xgrow(&room, cap, (size_t)*n + 8, sizeof **out))
        return err_memory(r->e, *n, "a record");
    *out = room;
    for (uint32_t i = 0; i < *n; i++) {
        json_int_t v = json_integer_value(json_array_get(list, i));
        if (v < 0 || v >= UINT32_MAX)
            return bad_record(r, field, "a list of numbers from 0");
        (*out)[i] = (uint32_t)v;
    }
    return 0;
}

static uint32_t get_name(struct replay *r, const char *field)
{
    return store_intern(r->cache.s, json_string_value(json_object_get(r->o, field)));
}

static int get_priority(struct replay *r, int32_t *out)
{
    const json_t *v = json_object_get(r->o, "priority");
    json_int_t n = json_integer_value(v);
    if (n <= INT32_MIN || n > INT32_MAX)
        return bad_record(r, "priority", "between -2147483647 and 2147483647, or null");
    *out = (int32_t)n; /* null counts as 0 */
    return 0;
}

/* ---- comparing ---------------------------------------------------------------------------------------- */

static char *json_short(const json_t *v)
{
    char *text = v != NULL ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (text != NULL && strlen(text) > 300)
        memcpy(text + 296, "…", sizeof "…");
    return text;
}

/* Note the first difference. Returns 1, "stop here". */
static int differs(struct replay *r, const char *field, const json_t *recorded, const json_t *ours)
{
    char *a = json_short(recorded), *b = json_short(ours);
    r->out->differs = true;
    snprintf(r->out->what, sizeof r->out->what, "%s:%lu: operation %lld, %s: %s: recorded %s, radixscope %s", r->path,
             r->line, (long long)json_integer_value(json_object_get(r->o, "i")), r->op, field, a != NULL ? a : "nothing",
             b != NULL ? b : "nothing");
    free(a);
    free(b);
    return 1;
}

/* Compare and forget `ours`. */
static int same(struct replay *r, const char *field, json_t *ours)
{
    const json_t *recorded = json_object_get(r->o, field);
    int rc = json_equal(recorded, ours) ? 0 : differs(r, field, recorded, ours);
    json_decref(ours);
    return rc;
}

static int same_int(struct replay *r, const char *field, long long v)
{
    return same(r, field, json_integer(v));
}

static json_t *ints(const uint32_t *v, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(v[i]));
    return list;
}

static int same_ints(struct replay *r, const char *field, const uint32_t *v, uint32_t n)
{
    return same(r, field, ints(v, n));
}

static json_t *name_json(const struct replay *r, uint32_t name)
{
    return name == 0 ? json_null() : json_string(store_name(r->cache.s, name));
}

/* A tick as the recording writes it: a whole number, or in the unified rules a float. */
static json_t *tick_json(const struct replay *r, double t)
{
    return r->unified ? json_real(t) : json_integer((json_int_t)t);
}

/* ---- the listener --------------------------------------------------------------------------------------- */

static void hear_freed(void *ctx, const uint32_t *slots, uint32_t n)
{
    json_array_append_new(((struct replay *)ctx)->heard.frees, ints(slots, n));
}

static struct scene replay_scene(const struct replay *r)
{
    return (struct scene){r->cache.w, r->cache.s};
}

static json_t *node_key_json(const struct replay *r, uint32_t n)
{
    return ints(node_tokens(replay_scene(r), n), node_raw_len(r->cache.w, n));
}

static struct page_hash *hashes_of(struct replay *r, uint32_t node, struct page_hash *before, bool *any)
{
    struct page_hash *all = xcalloc(r->cache.w->node[node].len / r->cache.w->head.page_size, sizeof *all);
    if (all != NULL)
        *any = node_page_hashes(replay_scene(r), node, before, all);
    return all;
}

static json_t *units_json(const struct world *w, const uint32_t *tok)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < w->head.page_size; i++)
        json_array_append_new(list, w->head.bigram ? ints(tok + i, 2) : json_integer(tok[i]));
    return list;
}

static void hear_stored(void *ctx, uint32_t node)
{
    struct replay *r = ctx;
    const struct world *w = r->cache.w;
    bool any = false;
    struct page_hash before, *all = r->events ? hashes_of(r, node, &before, &any) : NULL;
    for (uint32_t i = 0; all != NULL && i * w->head.page_size < w->node[node].len; i++) {
        json_t *parent = i > 0 ? json_integer(page_hash_id(&all[i - 1]))
                         : any ? json_integer(page_hash_id(&before)) : json_null();
        const uint32_t *tok = node_tokens(replay_scene(r), node) + i * w->head.page_size;
        json_array_append_new(r->heard.events,
                              json_pack("{s:s s:[I] s:o s:o s:i s:s}", "t", "BlockStored", "hashes",
                                        (json_int_t)page_hash_id(&all[i]), "parent", parent, "tokens",
                                        units_json(w, tok), "block_size", (int)w->head.page_size, "medium", "GPU"));
    }
    xfree(all);
}

static void hear_removed_event(struct replay *r, uint32_t node)
{
    bool any;
    struct page_hash before, *all = hashes_of(r, node, &before, &any);
    json_t *ids = json_array();
    for (uint32_t i = 0; all != NULL && i * r->cache.w->head.page_size < r->cache.w->node[node].len; i++)
        json_array_append_new(ids, json_integer(page_hash_id(&all[i])));
    json_array_append_new(r->heard.events,
                          json_pack("{s:s s:o s:s}", "t", "BlockRemoved", "hashes", ids, "medium", "GPU"));
    xfree(all);
}

static void hear_removed(void *ctx, uint32_t node)
{
    struct replay *r = ctx;
    const struct node *n = &r->cache.w->node[node];
    json_array_append_new(
        r->heard.evicted,
        json_pack("{s:i s:i s:o s:o s:o}", "id", (int)n->id, "start", (int)node_start(r->cache.w, node), "key",
                  node_key_json(r, node), "extra", name_json(r, n->ns), "value",
                  ints(node_slots(replay_scene(r), node), n->len)));
    if (r->events && strcmp(r->op, "close_session") != 0) /* closing a session publishes nothing (§5) */
        hear_removed_event(r, node);
}

/* ---- the tree --------------------------------------------------------------------------------------------- */

static json_t *row_json(const struct replay *r, uint32_t n)
{
    const struct node *x = &r->cache.w->node[n];
    json_t *priority = n == ROOT && (int32_t)x->priority == ROOT_PRIORITY ? json_integer(-9223372036854775807LL)
                                                                         : json_integer((int32_t)x->priority);
    json_t *row = json_array();
    json_array_append_new(row, json_integer(x->id));
    json_array_append_new(row, json_integer(n == ROOT ? -1 : (json_int_t)r->cache.w->node[x->parent].id));
    json_array_append_new(row, name_json(r, x->ns));
    json_array_append_new(row, node_key_json(r, n));
    json_array_append_new(row, ints(node_slots(replay_scene(r), n), x->len));
    json_array_append_new(row, json_integer(x->lock_ref));
    json_array_append_new(row, json_integer(x->hit_count));
    json_array_append_new(row, priority);
    json_array_append_new(row, tick_json(r, node_last_access(r->cache.w, n)));
    json_array_append_new(row, tick_json(r, x->creation_time));
    json_array_append_new(row, json_integer(node_evictable(r->cache.w, n)));
    return row;
}

/* The order of the recording's dump: no namespace first, then by name, then by tokens. */
static int child_order(const struct replay *r, uint32_t a, uint32_t b)
{
    const struct world *w = r->cache.w;
    if (w->node[a].ns != w->node[b].ns) {
        if (w->node[a].ns == 0 || w->node[b].ns == 0)
            return w->node[a].ns == 0 ? -1 : 1;
        return strcmp(store_name(r->cache.s, w->node[a].ns), store_name(r->cache.s, w->node[b].ns));
    }
    const uint32_t *x = node_tokens(replay_scene(r), a), *y = node_tokens(replay_scene(r), b);
    for (uint32_t i = 0; i < w->head.page_size + w->head.bigram; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

/* Children of n, sorted, into list (child_count of them). Simple insertion: recordings are small. */
static void sorted_children(const struct replay *r, uint32_t n, uint32_t *list)
{
    uint32_t k = 0;
    for (uint32_t c = r->cache.w->node[n].first_child; c != 0; c = r->cache.w->node[c].next, k++) {
        uint32_t i = k;
        for (; i > 0 && child_order(r, c, list[i - 1]) < 0; i--)
            list[i] = list[i - 1];
        list[i] = c;
    }
}

static json_t *tree_json(const struct replay *r)
{
    json_t *rows = json_array();
    uint32_t count = r->cache.w->head.node_count, top = 0;
    uint32_t *stack = xcalloc((size_t)count + 1, sizeof *stack), *kids = xcalloc((size_t)count + 1, sizeof *kids);
    if (stack == NULL || kids == NULL) {
        json_decref(rows);
        rows = NULL; /* no tree at all equals no recorded one */
    } else
        stack[top++] = ROOT;
    while (top > 0) {
        uint32_t n = stack[--top], m = r->cache.w->node[n].child_count;
        json_array_append_new(rows, row_json(r, n));
        sorted_children(r, n, kids);
        for (uint32_t i = m; i > 0; i--)
            stack[top++] = kids[i - 1];
    }
    xfree(stack);
    xfree(kids);
    return rows;
}

json_t *conform_tree_json(const struct cache *c, bool unified)
{
    struct replay r = {.cache = *c, .unified = unified};
    return tree_json(&r);
}

/* ---- operations: each returns 0, 1 (a difference was noted) or -1 (*e) --------------------------------------- */

#define TRY(call)           \
    do {                    \
        int rc_ = (call);   \
        if (rc_ != 0)       \
            return rc_;     \
    } while (0)

static struct key input_key(struct replay *r, uint32_t n, uint32_t limit)
{
    return key_make(r->cache.w, r->tok, n, limit, get_name(r, "extra"));
}

static uint32_t node_id(const struct replay *r, uint32_t node)
{
    return r->cache.w->node[node].id;
}

static int compare_match(struct replay *r, struct match m)
{
    radix_path_slots(replay_scene(r), m.node, r->got);
    TRY(same_int(r, "matched", m.units));
    TRY(same_ints(r, "indices", r->got, m.units));
    return same_int(r, "node", node_id(r, m.node));
}

static int room(struct replay *r, uint32_t n)
{
    void *got = r->got;
    bool ok = xgrow(&got, &r->got_cap, (size_t)n + 8, sizeof *r->got);
    r->got = got;
    return ok ? 0 : err_memory(r->e, n, "a record");
}

static uint32_t limit_of(struct replay *r)
{
    const json_t *limit = json_object_get(r->o, "limit");
    return json_is_integer(limit) ? (uint32_t)json_integer_value(limit) : UINT32_MAX;
}

static int op_match(struct replay *r)
{
    uint32_t n;
    TRY(get_ints(r, "tokens", &r->tok, &r->tok_cap, &n));
    TRY(room(r, n));
    struct key key = input_key(r, n, limit_of(r));
    return compare_match(r, radix_match_prefix(&r->cache, &key, 0));
}

static int do_evict(struct replay *r, uint32_t n, uint32_t *freed)
{
    return evict(&r->cache, n, 0, freed) ? 0 : err_memory(r->e, n, "evicting");
}

static int op_evict(struct replay *r)
{
    uint32_t n, freed;
    TRY(get_u32(r, "n", &n));
    TRY(do_evict(r, n, &freed));
    return same_int(r, "num_evicted", freed);
}

/* The driver's own insert: match, take slots for the rest, insert, free the duplicates. */
/* The pool was full: the driver evicted instead. Whether it had tried to take slots before is not in the recording,
 * and with need_sort a try that fails joins the side list to the free list, which shows in every slot from then on.
 * So there are two readings; conform_file takes the one that agrees. */
static int skipped_insert(struct replay *r, uint32_t tokens, uint32_t matched)
{
    uint32_t n;
    TRY(get_u32(r, "n", &n));
    r->doubt = r->doubt || r->cache.w->head.side_pages > 0;
    if (r->tries && n <= tokens - matched && n > pool_free_slots(r->cache.w))
        slots_alloc(&r->cache, n, r->got + matched);
    return op_evict(r);
}

static int op_insert(struct replay *r, bool skipped)
{
    struct cache *c = &r->cache;
    uint32_t n, values;
    int32_t priority = 0;
    TRY(get_ints(r, "tokens", &r->tok, &r->tok_cap, &n));
    TRY(room(r, n));
    struct key key = input_key(r, n, UINT32_MAX);
    struct match have = {ROOT, 0};
    if (get_bool(r, "pre_match"))
        have = radix_match_prefix(c, &key, 0);
    if (skipped)
        return skipped_insert(r, n, have.units);
    TRY(get_ints(r, "value", &r->val, &r->val_cap, &values));
    TRY(get_priority(r, &priority));
    radix_path_slots(replay_scene(r), have.node, r->got);
    if (values < have.units || !cache_more(c, n) || values > n ||
        !slots_alloc(c, values - have.units, r->got + have.units))
        return bad_record(r, "value", "as many slots as the pool has free");
    TRY(same_ints(r, "value", r->got, values));
    struct match m = radix_insert(c, &key, r->got, priority, get_bool(r, "chunked"), have.units, 0);
    TRY(same_int(r, "prefix_len", m.units));
    TRY(same(r, "node", r->unified ? json_null() : json_integer(node_id(r, m.node))));
    uint32_t dup = r->unified || m.units < have.units ? 0 : m.units - have.units;
    TRY(same_ints(r, "dup_freed", r->got + have.units, dup));
    slots_free(c, r->got + have.units, dup);
    if (dup > 0)
        CACHE_EMIT(c, FREE_DUPLICATES, 0, dup, r->got[have.units], pool_free_slots(c->w));
    return 0;
}

static int op_lock(struct replay *r)
{
    uint32_t n, h;
    char handle[24];
    TRY(get_ints(r, "tokens", &r->tok, &r->tok_cap, &n));
    TRY(get_u32(r, "h", &h));
    TRY(room(r, n));
    struct key key = input_key(r, n, UINT32_MAX);
    struct match m = radix_match_prefix(&r->cache, &key, 0);
    int32_t delta = radix_pin(&r->cache, m.node);
    snprintf(handle, sizeof handle, "%u", h);
    json_object_set_new(r->locks, handle, json_integer(m.node));
    TRY(same_int(r, "node", node_id(r, m.node)));
    return same_int(r, "delta", r->unified ? -delta : delta); /* the unified receipt counts up */
}

static int op_unlock(struct replay *r)
{
    uint32_t h;
    char handle[24];
    TRY(get_u32(r, "h", &h));
    snprintf(handle, sizeof handle, "%u", h);
    uint32_t node = (uint32_t)json_integer_value(json_object_get(r->locks, handle));
    if (node == 0)
        return bad_record(r, "h", "the handle of a lock that is held");
    json_object_del(r->locks, handle);
    TRY(same_int(r, "node", node_id(r, node)));
    int32_t delta = radix_unpin(&r->cache, node);
    return r->unified ? 0 : same_int(r, "delta", delta);
}

static uint32_t request_of(struct replay *r)
{
    char rid[24];
    snprintf(rid, sizeof rid, "%lld", (long long)json_integer_value(json_object_get(r->o, "rid")));
    return (uint32_t)json_integer_value(json_object_get(r->requests, rid));
}

static const uint32_t *row_of(const struct replay *r, uint32_t req)
{
    return r->cache.w->row_slot + r->cache.w->request[req].row_off;
}

/* Slots for `upto` tokens by §3's rule; `got` false when there are none. */
static int take(struct replay *r, uint32_t req, uint32_t upto, bool *got)
{
    uint32_t need = upto - r->cache.w->request[req].kv_len, size = r->cache.w->head.page_size;
    return req_alloc(&r->cache, req, upto, size > 1 ? need + size : need, got) ? 0
                                                                               : err_memory(r->e, need, "slots");
}

static int op_start(struct replay *r)
{
    struct cache *c = &r->cache;
    uint32_t n, extend_to = 0;
    char rid[24];
    bool got;
    struct req_spec spec = {0};
    TRY(get_ints(r, "tokens", &r->tok, &r->tok_cap, &n));
    TRY(get_u32(r, "extend_to", &extend_to));
    TRY(get_priority(r, &spec.priority));
    TRY(room(r, n));
    spec = (struct req_spec){.tok = r->tok, .n = n, .cap = n + r->outputs, .max_new = 1,
                             .ns = get_name(r, "extra"), .session = get_name(r, "session"), .priority = spec.priority};
    uint32_t req = extend_to <= n ? req_new(c, &spec) : 0;
    if (req == 0)
        return bad_record(r, "extend_to", "at most the number of tokens, of not too many requests");
    req_set_state(c, req, REQ_PREFILL, FINISH_NONE);
    uint32_t before = c->w->head.evictable_size;
    struct match m = req_match_and_lock(c, req, limit_of(r));
    TRY(compare_match(r, m));
    int32_t delta = (int32_t)(c->w->head.evictable_size - before);
    TRY(same_int(r, "lock_delta", r->unified ? -delta : delta));
    TRY(take(r, req, extend_to, &got));
    TRY(same(r, "admitted", json_boolean(got)));
    if (!got) {
        req_unadmit(c, req);
        req_set_state(c, req, REQ_REFUSED, FINISH_NO_SLOTS);
        CACHE_EMIT(c, REFUSE, req, extend_to, m.units, FINISH_NO_SLOTS);
        return 0;
    }
    TRY(same_ints(r, "new_slots", row_of(r, req) + m.units, extend_to - m.units));
    snprintf(rid, sizeof rid, "%lld", (long long)json_integer_value(json_object_get(r->o, "rid")));
    json_object_set_new(r->requests, rid, json_integer(req));
    return 0;
}

static int op_next_chunk(struct replay *r)
{
    uint32_t req = request_of(r), start = 0, extend_to = 0;
    bool got;
    TRY(get_u32(r, "start", &start));
    TRY(get_u32(r, "extend_to", &extend_to));
    if (req == 0 || r->cache.w->request[req].kv_len != start || extend_to < start)
        return bad_record(r, "start", "where the request's slots end");
    TRY(take(r, req, extend_to, &got));
    return same_ints(r, "new_slots", row_of(r, req) + start, got ? extend_to - start : 0);
}

static int op_unfinished(struct replay *r)
{
    uint32_t req = request_of(r), fill = 0;
    TRY(get_u32(r, "fill_len", &fill));
    const struct request *q = &r->cache.w->request[req];
    if (req == 0 || fill > q->kv_len)
        return bad_record(r, "fill_len", "at most the slots of a running request");
    if (!req_cache_unfinished(&r->cache, req, fill, get_bool(r, "chunked")))
        return err_memory(r->e, fill, "inserting");
    TRY(same_int(r, "protected_len", q->protected_len));
    TRY(same_int(r, "node", node_id(r, q->node)));
    TRY(same_ints(r, "prefix_indices", row_of(r, req), fill));
    return same_ints(r, "row", row_of(r, req), q->kv_len);
}

static int op_decode(struct replay *r)
{
    struct cache *c = &r->cache;
    uint32_t req = request_of(r), outputs, slots, size = c->w->head.page_size, freed;
    TRY(get_ints(r, "output", &r->tok, &r->tok_cap, &outputs));
    TRY(get_ints(r, "new_slots", &r->val, &r->val_cap, &slots));
    const struct request *q = &c->w->request[req];
    if (req == 0 || q->prompt_len + outputs > q->row_cap)
        return bad_record(r, "output", "the outputs of a running request");
    uint32_t first = q->kv_len;
    for (uint32_t i = 0; i < slots; i++) {
        bool got;
        if (!req_alloc(c, req, q->kv_len + 1, size, &got))
            return err_memory(r->e, 1, "slots");
        if (!got)
            break;
    }
    TRY(same_ints(r, "new_slots", row_of(r, req) + first, q->kv_len - first));
    if (get_bool(r, "oom") && pool_free_slots(c->w) < size)
        TRY(do_evict(r, size, &freed));
    for (uint32_t i = q->total_len - q->prompt_len; i < outputs; i++)
        req_push_token(c, req, r->tok[i]);
    CACHE_EMIT(c, SAMPLE, req, outputs > 0 ? r->tok[outputs - 1] : 0, q->total_len);
    return 0;
}

/* The driver wanted another chunk, asked the tree and got nothing. The try is part of the result: with need_sort
 * even one that fails has joined the side list to the free list. */
static int no_memory(struct replay *r, uint32_t req)
{
    const struct request *q = &r->cache.w->request[req];
    uint32_t ask = 0, size = r->cache.w->head.page_size, page = size > 1 ? size : 0;
    bool got;
    TRY(get_u32(r, "evict_ask", &ask));
    if (ask <= page || ask - page > q->total_len - q->kv_len)
        return bad_record(r, "evict_ask", "what the rest of the prompt needs");
    TRY(take(r, req, q->kv_len + ask - page, &got));
    return got ? same(r, "why", json_null()) : 0;
}

static int op_finish(struct replay *r)
{
    struct cache *c = &r->cache;
    uint32_t req = request_of(r), n;
    char rid[24];
    if (req == 0)
        return bad_record(r, "rid", "a running request");
    TRY(get_ints(r, "tokens", &r->tok, &r->tok_cap, &n));
    const char *why = json_string_value(json_object_get(r->o, "why"));
    if (why != NULL && strcmp(why, "no_memory") == 0)
        TRY(no_memory(r, req));
    const struct request *q = &c->w->request[req];
    TRY(same_ints(r, "row", row_of(r, req), q->kv_len));
    TRY(same_int(r, "protected_len", q->protected_len));
    TRY(same_ints(r, "tokens", c->w->row_token + q->row_off, q->kv_len));
    req_set_state(c, req, REQ_FINISHED, FINISH_LENGTH);
    if (!req_cache_finished(c, req, q->kv_len, get_bool(r, "is_insert")))
        return err_memory(r->e, n, "finishing");
    snprintf(rid, sizeof rid, "%lld", (long long)json_integer_value(json_object_get(r->o, "rid")));
    json_object_del(r->requests, rid);
    return 0;
}

/* The order in which one session's nodes go is a set's: take the recorded one. The first recorded victim
 * that still carries the tag is next. */
static uint32_t recorded_tag(void *ctx, const struct world *w, uint32_t session)
{
    struct replay *r = ctx;
    size_t i;
    json_t *victim;
    json_array_foreach(json_object_get(r->o, "evicted"), i, victim) {
        json_int_t id = json_integer_value(json_object_get(victim, "id"));
        for (uint32_t t = w->session_tags[session]; t != 0; t = w->tag[t].next_of_session)
            if (w->node[w->tag[t].node].id == id)
                return t;
    }
    return w->session_tags[session];
}

static int op_close_session(struct replay *r)
{
    uint32_t nodes, session = get_name(r, "session");
    if (session == 0 || session >= WORLD_SESSIONS)
        return bad_record(r, "session", "a name");
    if (!req_close_session(&r->cache, session, recorded_tag, r, &nodes))
        return err_memory(r->e, 64, "closing a session");
    return same_int(r, "nodes_freed", nodes);
}

static int run_op(struct replay *r)
{
    static const struct {
        const char *name;
        int (*run)(struct replay *r);
    } ops[] = {{"match", op_match},       {"evict", op_evict},
               {"lock", op_lock},         {"unlock", op_unlock},
               {"start", op_start},       {"next_chunk", op_next_chunk},
               {"unfinished", op_unfinished}, {"decode", op_decode},
               {"finish", op_finish},     {"close_session", op_close_session}};
    if (strcmp(r->op, "insert") == 0 || strcmp(r->op, "insert_skipped") == 0)
        return op_insert(r, r->op[6] != '\0');
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (strcmp(r->op, ops[i].name) == 0)
            return ops[i].run(r);
    return err_set(r->e, "%s:%lu: operation \"%s\" is none of the cache's", r->path, r->line, r->op);
}

/* What every record says after its operation. */
static int compare_common(struct replay *r)
{
    const struct head *h = &r->cache.w->head;
    TRY(same(r, "evicted", json_incref(r->heard.evicted)));
    TRY(same(r, "frees", json_incref(r->heard.frees)));
    TRY(same_int(r, "evictable", h->evictable_size));
    TRY(same_int(r, "protected", h->protected_size));
    TRY(same_int(r, "avail", pool_free_slots(r->cache.w)));
    TRY(same(r, "clock", tick_json(r, h->clock)));
    if (r->events)
        TRY(same(r, "events", json_incref(r->heard.events)));
    return json_object_get(r->o, "tree") != NULL ? same(r, "tree", tree_json(r)) : 0;
}

static void hear_nothing(struct heard *h)
{
    json_decref(h->frees);
    json_decref(h->evicted);
    json_decref(h->events);
    *h = (struct heard){0};
}

static int replay_line(struct replay *r, const struct conform_options *opt)
{
    r->op = json_string_value(json_object_get(r->o, "op"));
    if (r->op == NULL)
        return err_set(r->e, "%s:%lu: the record has no field \"op\"", r->path, r->line);
    r->heard = (struct heard){json_array(), json_array(), json_array()};
    size_t tokens = json_array_size(json_object_get(r->o, "tokens"));
    int rc = cache_begin(&r->cache, (uint32_t)tokens + r->cache.w->head.pool + 64, r->e);
    if (rc == 0) {
        rc = run_op(r);
        if (rc == 0)
            rc = compare_common(r);
        if (rc == 0)
            cache_end(&r->cache);
    }
    hear_nothing(&r->heard);
    if (rc == 0 && opt->check)
        rc = world_check(replay_scene(r), r->e);
    r->out->ops += rc >= 0;
    return rc;
}

/* ---- files -------------------------------------------------------------------------------------------------- */

static int config_u32(struct replay *r, const char *field, uint32_t least, uint32_t *out)
{
    TRY(get_u32(r, field, out));
    return *out >= least ? 0 : bad_record(r, field, "larger");
}

static int open_config(struct replay *r, bool record)
{
    struct world_config w = {0};
    r->op = "config";
    const char *impl = json_string_value(json_object_get(r->o, "impl"));
    const char *type = json_string_value(json_object_get(r->o, "type"));
    const char *policy = json_string_value(json_object_get(r->o, "policy"));
    if (type == NULL || strcmp(type, "config") != 0)
        return err_set(r->e, "%s:%lu: this is no recording: its first line is not a config", r->path, r->line);
    if (json_object_get(r->o, "write_policy") != NULL)
        return err_set(r->e, "%s: this is a recording of HiCache (host tier), which conform does not replay", r->path);
    if (impl == NULL || policy == NULL || (strcmp(impl, "radix") != 0 && strcmp(impl, "unified") != 0))
        return bad_record(r, "impl", "\"radix\" or \"unified\", beside a policy");
    TRY(config_u32(r, "page_size", 1, &w.page_size));
    TRY(config_u32(r, "pool", w.page_size, &w.pool));
    w.pool -= w.pool % w.page_size; /* upstream's allocator has size // page_size pages */
    struct err inner = {0};
    if (policy_parse(policy, &w.policy, &inner) != 0 || world_config_check(&w, &inner) != 0)
        return err_set(r->e, "%s:%lu: config: %s", r->path, r->line, inner.what);
    r->unified = strcmp(impl, "unified") == 0;
    r->events = get_bool(r, "events");
    w.rules = r->unified ? RULES_UNIFIED : RULES_CLASSIC;
    w.bigram = get_bool(r, "bigram");
    w.need_sort = get_bool(r, "need_sort");
    w.sessions = get_bool(r, "sessions");
    r->t = tape_new(&w, r->e);
    if (r->t == NULL)
        return -1;
    tape_record(r->t, record);
    TRY(cache_init(&r->cache, r->t, r->e));
    r->cache.listen = (struct cache_listener){r, hear_freed, hear_stored, hear_removed, NULL};
    return 0;
}

/* One walk over a tape. The hash of a moment is made from that of its neighbour and the words that the step
 * between them names; now and then the whole world is hashed too, for the words that no step names. */
struct walk {
    struct cursor c;
    const struct tape *t;
    uint64_t hash;
};

static void hash_run(void *ctx, uint32_t word, uint32_t count)
{
    struct walk *k = ctx;
    for (uint32_t i = word; i < word + count; i++) {
        uint64_t h = ((uint64_t)i << 32 | k->c.w->word[i]) * 0x9e3779b97f4a7c15u; /* Fibonacci's, then mixed */
        h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
        k->hash ^= h ^ h >> 32;
    }
}

/* Go to position `at`, across the one step `step`. */
static void walk_to(struct walk *k, uint32_t at, uint32_t step)
{
    tape_changes(k->t, 0, step, hash_run, k); /* what was, out; what is, in */
    cursor_seek(&k->c, 0, at);
    tape_changes(k->t, 0, step, hash_run, k);
}

static uint64_t walk_hash(const struct walk *k, uint32_t at, uint32_t stride)
{
    return at % stride == 0 ? k->hash ^ world_hash(k->c.w) : k->hash;
}

/* To the end, noting every moment's hash (n + 1) and checking the settled ones; a long tape's every stride-th. */
static int walk_forward(struct walk *k, uint64_t *hash, uint32_t n, uint32_t stride, struct err *e)
{
    uint32_t checked = 0;
    hash[0] = walk_hash(k, 0, stride);
    for (uint32_t i = 1; i <= n; i++) {
        struct step s = {0};
        walk_to(k, i, i);
        hash[i] = walk_hash(k, i, stride);
        tape_step(k->t, 0, i, &s);
        if (!s.settled || i - checked < stride)
            continue;
        checked = i;
        TRY(world_check(cursor_scene(&k->c), e));
    }
    return 0;
}

/* Every so many moments the whole world is hashed and checked; 1 in all recordings at hand. */
static uint32_t walk_stride(const struct world *w, uint32_t steps)
{
    const struct head *h = &w->head;
    uint64_t words = h->pool / h->page_size * 2u + h->row_top * 2u + h->node_top * 20u + h->request_top * 32u +
                     (h->sessions ? WORLD_SESSIONS + WORLD_CLOSED : 0);
    return 1 + (uint32_t)(words * steps / WHOLE_WORDS);
}

int conform_walk_tape(const char *path, const struct cache *cache, unsigned long *steps, struct err *e)
{
    struct walk k = {.t = cache->t};
    TRY(cursor_init(&k.c, cache->t, e));
    uint32_t n = tape_length(cache->t, 0), stride = walk_stride(cache->w, n);
    uint64_t *hash = xcalloc((size_t)n + 1, sizeof *hash);
    int rc = hash != NULL ? 0 : err_memory(e, n, "walking the tape");
    cursor_seek(&k.c, 0, 0);
    if (rc == 0)
        rc = walk_forward(&k, hash, n, stride, e);
    if (rc == 0 && !world_equal(k.c.w, cache->w))
        rc = err_set(e, "%s: the tape's end is not the world that was played", path);
    for (uint32_t i = n; rc == 0 && i > 0; i--) {
        walk_to(&k, i - 1, i);
        if (walk_hash(&k, i - 1, stride) != hash[i - 1])
            rc = err_set(e, "%s: stepping back to step %u gives another world", path, i - 1);
    }
    *steps += n;
    xfree(hash);
    cursor_done(&k.c);
    return rc;
}

/* Outputs of the longest answer in the file, so that rows need not be as long as the pool: the longest list behind
 * a field "output". */
static uint32_t longest_output(const char *text, const char *end)
{
    static const char name[] = "\"output\"";
    uint32_t longest = 0;
    for (const char *at = text; (at = strstr(at, name)) != NULL; at += sizeof name - 1) {
        uint32_t n = 1;
        for (const char *p = at + sizeof name - 1; p < end && *p != ']'; p++)
            n += *p == ',';
        longest = n > longest ? n : longest;
    }
    return longest;
}

static bool blank(const char *line, size_t n)
{
    size_t i = 0;
    while (i < n && strchr(" \t\r", line[i]) != NULL && line[i] != '\0')
        i++;
    return i == n;
}

static int replay_text(struct replay *r, char *text, size_t len, const struct conform_options *opt)
{
    int rc = 0;
    for (char *line = text, *end = text + len; rc == 0 && line < end;) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((stop != NULL ? stop : end) - line);
        json_error_t je;
        r->line++;
        if (r->line > 1 && blank(line, n)) {
            line += n + 1;
            continue;
        }
        json_t *o = json_loadb(line, n, JSON_ALLOW_NUL, &je);
        line += n + 1;
        if (!json_is_object(o)) {
            json_decref(o);
            return err_set(r->e, "%s:%lu: this line is not a JSON object: %s", r->path, r->line, je.text);
        }
        r->o = o;
        if (r->line == 1 && conform_is_sched(o))
            r->sched = true;
        else if (r->sched)
            rc = conform_sched_case(r->path, r->line, o, opt, r->out, r->e);
        else
            rc = r->line == 1 ? open_config(r, opt->tape) : replay_line(r, opt);
        json_decref(o);
    }
    if (rc == 0 && r->line == 0)
        return err_set(r->e, "%s is empty", r->path);
    return rc == 0 && opt->tape && r->t != NULL ? conform_walk_tape(r->path, &r->cache, &r->out->steps, r->e) : rc;
}

/* One reading of the text, from its first line. *doubt: the other reading may give other slots. */
static int replay_reading(const char *path, char *text, size_t len, bool tries, const struct conform_options *opt,
                          struct conform_result *out, bool *doubt, struct err *e)
{
    struct replay r = {.path = path, .out = out, .e = e, .locks = json_object(), .requests = json_object(), .tries = tries};
    r.outputs = longest_output(text, text + len);
    int rc = replay_text(&r, text, len, opt);
    if (r.t != NULL && tape_in_operation(r.t))
        tape_rollback(r.t); /* a difference ends the file inside an operation */
    cache_done(&r.cache);
    tape_free(r.t);
    json_decref(r.locks);
    json_decref(r.requests);
    xfree(r.tok);
    xfree(r.val);
    xfree(r.got);
    *doubt = r.doubt;
    return rc < 0 ? -1 : 0;
}

int conform_file(const char *path, const struct conform_options *opt, struct conform_result *out, struct err *e)
{
    char *text;
    size_t len;
    bool doubt = false, unused;
    struct conform_result other = {0};
    struct err inner = {0};
    if (file_read(path, FILE_LIMIT, &text, &len, e) != 0)
        return -1;
    int rc = replay_reading(path, text, len, false, opt, out, &doubt, e);
    if (rc == 0 && out->differs && doubt &&
        replay_reading(path, text, len, true, opt, &other, &unused, &inner) == 0 && !other.differs)
        *out = other;
    xfree(text);
    return rc;
}
