#include "trace/conform_sched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cache/radix.h"
#include "cache/slots.h"
#include "engine/sched_admit.h"
#include "engine/sched_order.h"
#include "tape/check.h"

/* One case on its way. */
struct sched_case {
    const char *path;
    unsigned long line;
    const json_t *o;
    struct tape *t;
    struct cache cache;
    struct sched_waiting *queue; /* (n) in the order of the policy, once there is one; req: place in the file + 1 */
    uint32_t n;
    const char **running;        /* (n_running) */
    uint32_t n_running;
    uint32_t *room;              /* tokens of the whole case, one list behind the other */
    size_t room_at, room_n;
    uint32_t *slots;             /* of one insert */
    struct sched_budget budget;
    struct conform_result *out;
    struct err *e;
};

#define TRY(call)         \
    do {                  \
        int rc_ = (call); \
        if (rc_ != 0)     \
            return rc_;   \
    } while (0)

/* ---- reading ------------------------------------------------------------------------------------------------- */

static int bad(struct sched_case *k, const char *field, const char *expected)
{
    return err_set(k->e, "%s:%lu: sched: field \"%s\" should be %s", k->path, k->line, field, expected);
}

static int number(struct sched_case *k, const json_t *o, const char *field, json_int_t most, uint32_t *out)
{
    const json_t *v = json_object_get(o, field);
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < 0 || n > most)
        return bad(k, field, "a whole number that is not too large");
    *out = (uint32_t)n;
    return 0;
}

/* Tokens of a list, appended to the case's room. */
static int tokens(struct sched_case *k, const json_t *list, const uint32_t **tok, uint32_t *n)
{
    if (!json_is_array(list))
        return bad(k, "tokens", "a list");
    *n = (uint32_t)json_array_size(list);
    *tok = k->room + k->room_at;
    for (uint32_t i = 0; i < *n; i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) >= INT32_MAX)
            return bad(k, "tokens", "a list of numbers from 0");
        k->room[k->room_at++] = (uint32_t)json_integer_value(v);
    }
    return 0;
}

static int name(struct sched_case *k, const json_t *v, uint32_t *out)
{
    *out = store_intern(k->cache.s, json_string_value(v));
    return *out != UINT32_MAX ? 0 : store_refused(k->cache.s, "a namespace", k->e);
}

static int read_waiting(struct sched_case *k, const json_t *o, struct sched_waiting *q)
{
    const json_t *priority = json_object_get(o, "priority"), *wait = json_object_get(o, "wait");
    json_int_t p = json_integer_value(priority);
    TRY(tokens(k, json_object_get(o, "tokens"), &q->tok, &q->n));
    TRY(name(k, json_object_get(o, "extra"), &q->ns));
    TRY(number(k, o, "max_new_tokens", UINT32_MAX, &q->max_new));
    if (p < INT32_MIN || p > INT32_MAX || (priority != NULL && !json_is_integer(priority) && !json_is_null(priority)))
        return bad(k, "priority", "a number of 32 bits, or null");
    if (!json_is_number(wait) || !json_is_string(json_object_get(o, "rid")))
        return bad(k, "queue", "requests with rid and wait");
    q->priority = (int32_t)p;
    q->entered = json_number_value(wait);
    q->routing_key = json_string_value(json_object_get(o, "routing_key"));
    return 0;
}

static int read_queue(struct sched_case *k)
{
    const json_t *list = json_object_get(k->o, "queue"), *running = json_object_get(k->o, "running_routing_keys");
    k->n = (uint32_t)json_array_size(list);
    k->n_running = (uint32_t)json_array_size(running);
    k->queue = xcalloc((size_t)k->n + 1, sizeof *k->queue);
    k->running = xcalloc((size_t)k->n_running + 1, sizeof *k->running);
    if (k->queue == NULL || k->running == NULL)
        return err_memory(k->e, k->n * sizeof *k->queue, "a waiting queue");
    for (uint32_t i = 0; i < k->n; i++) {
        k->queue[i].req = i + 1;
        TRY(read_waiting(k, json_array_get(list, i), &k->queue[i]));
    }
    for (uint32_t i = 0; i < k->n_running; i++)
        k->running[i] = json_string_value(json_array_get(running, i));
    return 0;
}

static size_t count_tokens(const json_t *o)
{
    size_t i, n = 0;
    const json_t *v;
    json_array_foreach(json_object_get(o, "inserts"), i, v)
        n += json_array_size(json_array_get(v, 0));
    json_array_foreach(json_object_get(o, "queue"), i, v)
        n += json_array_size(json_object_get(v, "tokens"));
    return n;
}

static int make_world(struct sched_case *k, bool record)
{
    struct world_config w = {.policy = POLICY_LRU, .rules = RULES_CLASSIC};
    struct err inner = {0};
    TRY(number(k, k->o, "page_size", WORLD_SLOTS, &w.page_size));
    TRY(number(k, k->o, "pool", WORLD_SLOTS, &w.pool));
    if (w.page_size > 0)
        w.pool -= w.pool % w.page_size; /* upstream's allocator has size // page_size pages */
    if (world_config_check(&w, &inner) != 0)
        return err_set(k->e, "%s:%lu: sched: %s", k->path, k->line, inner.what);
    k->t = tape_new(&w, k->e);
    if (k->t == NULL)
        return -1;
    tape_record(k->t, record);
    TRY(cache_init(&k->cache, k->t, k->e));
    k->room_n = count_tokens(k->o);
    k->room = xcalloc(k->room_n + 1, sizeof *k->room);
    k->slots = xcalloc((size_t)w.pool + 1, sizeof *k->slots);
    return k->room != NULL && k->slots != NULL ? 0 : err_memory(k->e, k->room_n * 4, "a case");
}

/* ---- comparing ----------------------------------------------------------------------------------------------- */

static char *json_line(const json_t *v)
{
    char *text = v != NULL ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (text != NULL && strlen(text) > 300)
        memcpy(text + 296, "…", sizeof "…");
    return text;
}

/* Compare and forget `ours` (NULL: there was no memory to make it); 1: a difference, which is noted. */
static int equal(struct sched_case *k, const char *field, const json_t *recorded, json_t *ours)
{
    if (ours == NULL)
        return err_memory(k->e, 64, "a comparison");
    int rc = json_equal(recorded, ours) ? 0 : 1;
    if (rc != 0) {
        char *a = json_line(recorded), *b = json_line(ours);
        k->out->differs = true;
        snprintf(k->out->what, sizeof k->out->what, "%s:%lu: case %lld, %s: recorded %s, radixscope %s", k->path, k->line,
                 (long long)json_integer_value(json_object_get(k->o, "i")), field, a != NULL ? a : "nothing",
                 b != NULL ? b : "nothing");
        free(a);
        free(b);
    }
    json_decref(ours);
    return rc;
}

static int same_field(struct sched_case *k, const char *field, json_t *ours)
{
    return equal(k, field, json_object_get(k->o, field), ours);
}

static const char *rid(const struct sched_case *k, const struct sched_waiting *q)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(k->o, "queue"), q->req - 1), "rid"));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static json_t *held_back(const struct sched_case *k)
{
    const char **held = xcalloc((size_t)k->n + 1, sizeof *held);
    json_t *list = held != NULL ? json_array() : NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < k->n && held != NULL; i++)
        if (k->queue[i].held_back)
            held[n++] = rid(k, &k->queue[i]);
    if (n > 0)
        qsort(held, n, sizeof *held, by_text);
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(held[i]));
    xfree(held);
    return list;
}

static json_t *matched(const struct sched_case *k)
{
    json_t *all = json_object();
    for (uint32_t i = 0; i < k->n; i++)
        json_object_set_new(all, rid(k, &k->queue[i]), json_integer(k->queue[i].prefix));
    return all;
}

static json_t *order(const struct sched_case *k)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < k->n; i++)
        json_array_append_new(list, json_string(rid(k, &k->queue[i])));
    return list;
}

/* A dumped tree without times, and with parents by row instead of by id. */
static json_t *plain_tree(const json_t *rows)
{
    json_t *out = json_array(), *at = json_object();
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) {
        char id[24];
        snprintf(id, sizeof id, "%lld", (long long)json_integer_value(json_array_get(row, 0)));
        json_object_set_new(at, id, json_integer((json_int_t)i));
        snprintf(id, sizeof id, "%lld", (long long)json_integer_value(json_array_get(row, 1)));
        json_t *parent = json_object_get(at, id), *plain = json_deep_copy(row);
        json_array_set_new(plain, 0, json_integer((json_int_t)i));
        json_array_set_new(plain, 1, json_integer(parent != NULL ? json_integer_value(parent) : -1));
        json_array_set_new(plain, 8, json_null());
        json_array_set_new(plain, 9, json_null());
        json_array_append_new(out, plain);
    }
    json_decref(at);
    return out;
}

static int same_tree(struct sched_case *k)
{
    const json_t *recorded = json_object_get(k->o, "tree");
    if (recorded == NULL)
        return 0;
    json_t *rows = conform_tree_json(&k->cache, false), *theirs = plain_tree(recorded);
    int rc = equal(k, "tree", theirs, rows != NULL ? plain_tree(rows) : NULL);
    json_decref(rows);
    json_decref(theirs);
    return rc;
}

/* ---- the case ------------------------------------------------------------------------------------------------ */

/* As the recorder did it: slots for the whole key, insert, the duplicates back. */
static int run_insert(struct sched_case *k, const json_t *pair)
{
    struct cache *c = &k->cache;
    const uint32_t *tok;
    uint32_t n, ns;
    TRY(tokens(k, json_array_get(pair, 0), &tok, &n));
    TRY(name(k, json_array_get(pair, 1), &ns));
    TRY(cache_begin(c, n, k->e));
    struct key key = key_make(c->w, tok, n, n, ns);
    if (!slots_alloc(c, key.units, k->slots))
        return bad(k, "inserts", "keys that fit into the pool");
    struct match m = radix_insert(c, &key, k->slots, 0, false, 0, 0);
    slots_free(c, k->slots, m.units);
    CACHE_EMIT(c, FREE_DUPLICATES, 0, m.units, k->slots[0], pool_free_slots(c->w));
    cache_end(c);
    return 0;
}

static int run_inserts(struct sched_case *k)
{
    size_t i;
    const json_t *pair;
    json_array_foreach(json_object_get(k->o, "inserts"), i, pair)
        TRY(run_insert(k, pair));
    return 0;
}

static int run_order(struct sched_case *k)
{
    struct cache *c = &k->cache;
    uint32_t policy;
    struct err inner = {0};
    const char *text = json_string_value(json_object_get(k->o, "policy"));
    if (text == NULL || sched_policy_parse(text, &policy, &inner) != 0)
        return bad(k, "policy", "a schedule policy");
    if (policy == SCHED_RANDOM)
        return bad(k, "policy", "one whose order can be told beforehand: random's cannot");
    struct sched_rules rules = {.policy = (enum sched_policy)policy,
                                .priorities = json_is_true(json_object_get(k->o, "priority_scheduling")),
                                .low_first = json_is_true(json_object_get(k->o, "low_values_first")),
                                .running_key = k->running, .n_running = k->n_running};
    enum sched_policy active = sched_active(c->w, rules.policy, k->n);
    TRY(same_field(k, "active_policy", json_string(sched_policy_name(active))));
    TRY(cache_begin(c, (uint32_t)k->room_n + 64, k->e));
    if (!sched_order(c, &rules, k->queue, k->n))
        return cache_fail(c, k->e);
    cache_end(c);
    TRY(same_field(k, "deprioritized", held_back(k)));
    if (active == SCHED_LPM || active == SCHED_DFS_WEIGHT)
        TRY(same_field(k, "num_matched", matched(k)));
    return same_field(k, "order", order(k));
}

static json_t *decision_json(const struct sched_case *k, const struct sched_waiting *q, const struct sched_decision *d)
{
    static const char *const names[] = {"CONTINUE", "NO_TOKEN", "OTHER"};
    const struct sched_budget *b = &k->budget;
    json_t *row = json_pack("{s:s s:i s:s s:b s:b}", "rid", rid(k, q), "prefix", (int)d->prefix, "result",
                            names[d->result], "added", d->added, "chunked", d->chunked);
    json_object_set_new(row, "extend", d->added ? json_pack("[i i]", (int)d->from, (int)d->to) : json_null());
    json_object_set_new(row, "rem_total", json_real(sched_rem_total(b, k->cache.w)));
    json_object_set_new(row, "cur_rem", json_real(sched_rem_current(b, k->cache.w)));
    json_object_set_new(row, "rem_input", json_integer(b->rem_input));
    json_object_set_new(row, "rem_chunk", b->chunking ? json_integer(b->rem_chunk) : json_null());
    return row;
}

/* One request of the pass: look up, test, lock, test, take. */
static int try_one(struct sched_case *k, const struct sched_waiting *q, struct sched_decision *d)
{
    struct cache *c = &k->cache;
    TRY(cache_begin(c, q->n, k->e));
    struct key key = key_make(c->w, q->tok, q->n, q->n > 0 ? q->n - 1 : 0, q->ns);
    struct match m = radix_match_prefix(c, &key, 0);
    struct sched_need need = {q->n, m.units, q->max_new, 0};
    *d = sched_look(&k->budget, c->w, &need);
    if (d->result == SCHED_CONTINUE) {
        radix_pin(c, m.node);
        sched_take(&k->budget, c->w, &need, d);
        if (!d->added)
            radix_unpin(c, m.node);
    }
    cache_end(c);
    return 0;
}

static int read_budget(struct sched_case *k)
{
    const json_t *chunk = json_object_get(k->o, "chunk");
    uint32_t input, limit = 0;
    TRY(number(k, k->o, "max_prefill_tokens", INT32_MAX, &input));
    if (chunk != NULL && !json_is_null(chunk))
        TRY(number(k, k->o, "chunk", INT32_MAX, &limit));
    k->budget = (struct sched_budget){.rem_input = input, .rem_chunk = limit, .chunking = json_is_integer(chunk)};
    return 0;
}

static int run_admission(struct sched_case *k)
{
    const json_t *recorded = json_object_get(k->o, "admission");
    struct sched_decision d = {.result = SCHED_CONTINUE};
    uint32_t tried = 0;
    TRY(read_budget(k));
    for (; tried < k->n && d.result == SCHED_CONTINUE; tried++) {
        char what[48];
        TRY(try_one(k, &k->queue[tried], &d));
        snprintf(what, sizeof what, "admission %u", tried + 1);
        TRY(equal(k, what, json_array_get(recorded, tried), decision_json(k, &k->queue[tried], &d)));
    }
    if (tried != json_array_size(recorded))
        return equal(k, "admission", recorded, json_integer(tried));
    TRY(same_field(k, "log_hit_tokens", json_integer(k->budget.hit_tokens)));
    TRY(same_field(k, "log_input_tokens", json_integer(k->budget.input_tokens)));
    TRY(same_field(k, "evictable", json_integer(k->cache.w->head.evictable_size)));
    TRY(same_field(k, "protected", json_integer(k->cache.w->head.protected_size)));
    TRY(same_field(k, "avail", json_integer(pool_free_slots(k->cache.w))));
    return same_tree(k);
}

static int run_case(struct sched_case *k, const struct conform_options *opt)
{
    TRY(make_world(k, opt->tape));
    TRY(run_inserts(k));
    TRY(read_queue(k));
    TRY(run_order(k));
    TRY(run_admission(k));
    if (opt->tape)
        TRY(conform_walk_tape(k->path, &k->cache, &k->out->steps, k->e));
    return opt->check ? world_check((struct scene){k->cache.w, k->cache.s}, k->e) : 0;
}

bool conform_is_sched(const json_t *config)
{
    return json_object_get(config, "cases") != NULL;
}

int conform_sched_case(const char *path, unsigned long line, const json_t *o, const struct conform_options *opt,
                       struct conform_result *out, struct err *e)
{
    struct sched_case k = {.path = path, .line = line, .o = o, .out = out, .e = e};
    const char *type = json_string_value(json_object_get(o, "type"));
    if (type == NULL || strcmp(type, "sched") != 0)
        return err_set(e, "%s:%lu: this is no case of the scheduler: its type is not \"sched\"", path, line);
    int rc = run_case(&k, opt);
    if (k.t != NULL && tape_in_operation(k.t))
        tape_rollback(k.t);
    cache_done(&k.cache);
    tape_free(k.t);
    xfree(k.queue);
    xfree(k.running);
    xfree(k.room);
    xfree(k.slots);
    out->ops += rc >= 0;
    return rc;
}
