#include "engine/sched_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "cache/radix.h"

static const char *const NAMES[SCHED_POLICIES] = {"fcfs", "lpm", "dfs-weight", "lof", "random", "routing-key"};

const char *sched_policy_name(uint32_t policy)
{
    return policy < SCHED_POLICIES ? NAMES[policy] : "?";
}

int sched_policy_parse(const char *name, uint32_t *policy, struct err *e)
{
    for (uint32_t i = 0; i < SCHED_POLICIES; i++)
        if (strcmp(name, NAMES[i]) == 0) {
            *policy = i;
            return 0;
        }
    err_set(e, "'%.40s' is no schedule policy", name);
    if (strcmp(name, "priority") == 0)
        return err_hint(e, "SGLang's scheduler knows no policy of that name: use fcfs or lof with priorities");
    return err_hint(e, "there are fcfs, lpm, dfs-weight, lof, random, routing-key");
}

enum sched_policy sched_active(const struct world *w, enum sched_policy policy, uint32_t waiting)
{
    bool looks_up = policy == SCHED_LPM || policy == SCHED_DFS_WEIGHT;
    if ((looks_up && w->head.disabled) || (policy == SCHED_LPM && waiting > SCHED_FALLBACK))
        return SCHED_FCFS;
    return policy;
}

/* ---- looking up -------------------------------------------------------------------------------------------- */

static uint32_t common_prefix(const struct sched_waiting *a, const struct sched_waiting *b)
{
    uint32_t n = a->n < b->n ? a->n : b->n, i = 0;
    while (a->ns == b->ns && i < n && a->tok[i] == b->tok[i])
        i++;
    return i;
}

/* Is somebody before q about to compute 32 of its tokens? If not, those after q may wait for q. */
static void hold_back(struct sched_waiting *queue, uint32_t at)
{
    struct sched_waiting *q = &queue[at];
    for (uint32_t i = 0; i < at; i++) {
        uint32_t k = queue[i].in_round ? common_prefix(&queue[i], q) : 0;
        if (k > q->shared) {
            q->shared = k;
            q->held_by = queue[i].req;
        }
    }
    q->held_back = q->shared >= SCHED_IN_BATCH_HOLD;
    q->in_round = !q->held_back;
}

static bool look_up(struct cache *c, struct sched_waiting *queue, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct sched_waiting *q = &queue[i];
        if (!cache_more(c, q->n))
            return false;
        struct key key = key_make(c->w, q->tok, q->n, q->n, q->ns);
        struct match m = radix_match_prefix(c, &key, q->req);
        uint32_t most = q->n > 0 ? q->n - 1 : 0;
        q->raw = m.units;
        q->node = m.node;
        q->prefix = m.units < most ? m.units : most;
        if (q->raw <= SCHED_IN_BATCH_CHECK)
            hold_back(queue, i);
    }
    return true;
}

/* ---- sorting ----------------------------------------------------------------------------------------------- */

static int by_key(const void *pa, const void *pb)
{
    const struct sched_waiting *a = pa, *b = pb;
    for (int i = 0; i < 2; i++)
        if (a->key[i] != b->key[i])
            return a->key[i] < b->key[i] ? -1 : 1;
    int names = a->name != NULL && b->name != NULL ? strcmp(a->name, b->name) : 0;
    return names != 0 ? names : a->place < b->place ? -1 : 1;
}

/* Stable: equal keys stay in place order. */
static void sort(struct sched_waiting *queue, uint32_t n)
{
    qsort(queue, n, sizeof *queue, by_key);
}

static void order_lpm(struct sched_waiting *queue, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        queue[i].key[0] = queue[i].held_back;
        queue[i].key[1] = queue[i].held_back ? 0 : -(double)queue[i].prefix;
    }
    sort(queue, n);
}

/* By priority where that counts, then by `second`. */
static void order_priority(const struct sched_rules *r, struct sched_waiting *queue, uint32_t n, bool output)
{
    int sign = r->low_first ? 1 : -1;
    for (uint32_t i = 0; i < n; i++) {
        queue[i].key[0] = r->priorities ? (double)queue[i].priority * sign : 0;
        queue[i].key[1] = output ? -(double)queue[i].max_new : queue[i].entered;
    }
    sort(queue, n);
}

static void order_random(const struct sched_rules *r, struct sched_waiting *queue, uint32_t n)
{
    for (uint32_t i = n; i > 1; i--) {
        uint32_t k = prng_below(r->rng, i);
        struct sched_waiting other = queue[k];
        queue[k] = queue[i - 1];
        queue[i - 1] = other;
    }
}

static uint32_t count_running(const struct sched_rules *r, const char *key)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < r->n_running && key[0] != '\0'; i++)
        count += r->running_key[i] != NULL && strcmp(r->running_key[i], key) == 0;
    return count;
}

static void order_routing_key(const struct sched_rules *r, struct sched_waiting *queue, uint32_t n)
{
    bool any = false;
    for (uint32_t i = 0; i < r->n_running; i++)
        any = any || (r->running_key[i] != NULL && r->running_key[i][0] != '\0');
    for (uint32_t i = 0; i < n && any; i++) {
        queue[i].name = queue[i].routing_key != NULL ? queue[i].routing_key : "";
        queue[i].weight = count_running(r, queue[i].name);
        queue[i].key[0] = queue[i].weight == 0;
        queue[i].key[1] = -(double)queue[i].weight;
    }
    if (any)
        sort(queue, n);
}

/* ---- dfs-weight -------------------------------------------------------------------------------------------- */

struct dfs {
    const struct world *w;
    uint32_t *weight;      /* by node: waiting requests at or below it */
    uint32_t *first, *last, *after; /* by node, by node, by place: its own requests in queue order; place + 1 */
    uint32_t *stack;       /* nodes; DFS_DONE: its children have been visited */
    uint32_t *kids;        /* children of the node at hand that weigh something */
    struct sched_waiting *out;
};

#define DFS_DONE 0x80000000u

static bool dfs_room(struct dfs *d, uint32_t n)
{
    uint32_t top = d->w->head.node_top;
    d->weight = xcalloc(top, 4);
    d->first = xcalloc(top, 4);
    d->last = xcalloc(top, 4);
    d->after = xcalloc(n, 4);
    d->stack = xcalloc((size_t)top * 2, 4);
    d->kids = xcalloc(top, 4);
    d->out = xcalloc(n, sizeof *d->out);
    return d->weight != NULL && d->first != NULL && d->last != NULL && d->after != NULL && d->stack != NULL &&
           d->kids != NULL && d->out != NULL;
}

static void dfs_free(struct dfs *d)
{
    xfree(d->weight);
    xfree(d->first);
    xfree(d->last);
    xfree(d->after);
    xfree(d->stack);
    xfree(d->kids);
    xfree(d->out);
}

static void dfs_weigh(struct dfs *d, const struct sched_waiting *queue, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t node = queue[i].node;
        if (d->first[node] == 0)
            d->first[node] = i + 1;
        else
            d->after[d->last[node] - 1] = i + 1;
        d->last[node] = i + 1;
        for (uint32_t up = node; up != 0; up = d->w->node[up].parent)
            d->weight[up]++;
    }
}

/* Children that weigh something, heaviest first, equal ones in insertion order. */
static uint32_t dfs_children(struct dfs *d, uint32_t node)
{
    uint32_t k = 0;
    for (uint32_t c = d->w->node[node].first_child; c != 0; c = d->w->node[c].next) {
        if (d->weight[c] == 0)
            continue;
        uint32_t i = k++;
        for (; i > 0 && d->weight[d->kids[i - 1]] < d->weight[c]; i--)
            d->kids[i] = d->kids[i - 1];
        d->kids[i] = c;
    }
    return k;
}

static void dfs_walk(struct dfs *d, struct sched_waiting *queue)
{
    uint32_t top = 0, n = 0;
    d->stack[top++] = ROOT;
    while (top > 0) {
        uint32_t node = d->stack[--top];
        for (uint32_t i = node & DFS_DONE ? d->first[node & ~DFS_DONE] : 0; i != 0; i = d->after[i - 1]) {
            d->out[n] = queue[i - 1];
            d->out[n++].weight = d->weight[node & ~DFS_DONE];
        }
        if (node & DFS_DONE)
            continue;
        d->stack[top++] = node | DFS_DONE;
        for (uint32_t k = dfs_children(d, node); k > 0; k--)
            d->stack[top++] = d->kids[k - 1];
    }
}

static bool order_dfs(const struct world *w, struct sched_waiting *queue, uint32_t n)
{
    struct dfs d = {.w = w};
    bool ok = dfs_room(&d, n);
    if (ok) {
        dfs_weigh(&d, queue, n);
        dfs_walk(&d, queue);
        memcpy(queue, d.out, n * sizeof *queue);
    }
    dfs_free(&d);
    return ok;
}

bool sched_order(struct cache *c, const struct sched_rules *r, struct sched_waiting *queue, uint32_t n)
{
    enum sched_policy active = sched_active(c->w, r->policy, n);
    for (uint32_t i = 0; i < n; i++)
        queue[i].place = i;
    if (n == 0)
        return true;
    switch (active) {
    case SCHED_LPM:
        if (!look_up(c, queue, n))
            return false;
        order_lpm(queue, n);
        return true;
    case SCHED_DFS_WEIGHT:
        return look_up(c, queue, n) && order_dfs(c->w, queue, n);
    case SCHED_FCFS:
        if (r->policy == SCHED_FCFS && r->priorities)
            order_priority(r, queue, n, false);
        return true;
    case SCHED_LOF: order_priority(r, queue, n, true); return true;
    case SCHED_RANDOM: order_random(r, queue, n); return true;
    case SCHED_ROUTING_KEY: order_routing_key(r, queue, n); return true;
    default: return true;
    }
}
