#include "tape/world.h"

#include <string.h>
#include <strings.h>

#include "base/xalloc.h"

static const char *const POLICY_NAMES[POLICY_COUNT] = {
    [POLICY_LRU] = "lru",   [POLICY_LFU] = "lfu",           [POLICY_FIFO] = "fifo", [POLICY_MRU] = "mru",
    [POLICY_FILO] = "filo", [POLICY_PRIORITY] = "priority", [POLICY_SLRU] = "slru",
};

const char *policy_name(uint32_t policy)
{
    return policy < POLICY_COUNT ? POLICY_NAMES[policy] : policy == POLICY_COUNT ? "belady" : "?";
}

int policy_parse(const char *name, uint32_t *policy, struct err *e)
{
    for (uint32_t i = 0; i < POLICY_COUNT; i++) {
        if (strcasecmp(name, POLICY_NAMES[i]) == 0) {
            *policy = i;
            return 0;
        }
    }
    err_set(e, "'%s' is no eviction policy", name);
    return err_hint(e, "use lru, lfu, fifo, mru, filo, priority or slru");
}

int world_config_check(const struct world_config *c, struct err *e)
{
    if (c->page_size == 0 || c->page_size > 4096)
        return err_set(e, "page size %u is not possible: it must be 1 to 4096", c->page_size);
    if (c->pool == 0 || c->pool >= WORLD_SLOTS - 4096)
        return err_set(e, "a pool of %u slots is not possible: it must hold 1 to %u", c->pool, WORLD_SLOTS - 4097);
    if (c->pool % c->page_size != 0)
        return err_set(e, "a pool of %u slots is not a whole number of pages of %u", c->pool, c->page_size);
    if (c->policy >= POLICY_COUNT || c->rules > RULES_UNIFIED)
        return err_set(e, "unknown policy %u or rule set %u", c->policy, c->rules);
    return 0;
}

static void world_fill_head(struct head *h, const struct world_config *c)
{
    h->pool = c->pool;
    h->page_size = c->page_size;
    h->policy = c->policy;
    h->rules = c->rules;
    h->bigram = c->bigram;
    h->disabled = c->disabled;
    h->no_finished_insert = c->no_finished_insert;
    h->need_sort = c->need_sort;
    h->sessions = c->sessions;
    h->bug = c->bug;
    h->node_count = 1;
    h->node_top = ROOT + 1;
    h->next_id = 1;
    h->request_top = h->tag_top = 1; /* entry 0 means "none" */
    h->next_rid = 1;
    h->row_top = 1;
}

struct world *world_new(const struct world_config *cfg, struct err *e)
{
    if (world_config_check(cfg, e) != 0)
        return NULL;
    struct world *w = xreserve(sizeof *w);
    if (w == NULL) {
        err_memory(e, sizeof *w, "the address range of a world");
        return NULL;
    }
    world_fill_head(&w->head, cfg);
    /* Making the root takes two calls of the clock, last access then creation (sglang §1.1). The unified
     * rules read their clock, which starts at 1, and then add (§13). */
    struct node *root = &w->node[ROOT];
    root->last_access = 1;
    root->creation_time = 2;
    w->head.clock = cfg->rules == RULES_UNIFIED ? 3 : 2;
    root->lock_ref = 1;
    root->priority = (uint32_t)ROOT_PRIORITY;
    /* Page 0 is never handed out: padding goes there. */
    uint32_t pages = cfg->pool / cfg->page_size;
    for (uint32_t p = 1; p < pages; p++)
        w->page[p] = p + 1;
    w->page[pages] = FREE_END;
    w->head.free_first = 1;
    w->head.free_last = pages;
    w->head.free_pages = pages;
    return w;
}

void world_free(struct world *w)
{
    xunreserve(w, sizeof *w);
}

/* The parts of the world that can be in use, so that comparing or copying touches no more memory. */
struct part {
    size_t at, n; /* words */
};

static int world_parts(const struct world *w, struct part part[11])
{
    const struct head *h = &w->head;
    size_t n = 0;
    uint32_t pages = h->pool / h->page_size;
#define PART(array, count) \
    part[n++] = (struct part){(size_t)((const uint32_t *)(array) - w->word), (size_t)(count) * sizeof((array)[0]) / 4}
    PART(&w->head, 1);
    PART(w->node, h->node_top);
    PART(w->request, h->request_top);
    PART(w->page, pages + 1);
    PART(w->kv, h->pool + h->page_size);
    PART(w->row_token, h->row_top);
    PART(w->row_slot, h->row_top);
    PART(w->tag, h->tag_top);
    PART(w->session_tags, h->sessions ? ARRAY_LEN(w->session_tags) : 0);
    PART(w->closed, h->sessions ? WORLD_CLOSED : 0);
    PART(w->served, h->sched != 0 ? h->request_top : 0);
#undef PART
    return (int)n;
}

bool world_equal(const struct world *a, const struct world *b)
{
    struct part part[11];
    int n = world_parts(a, part);
    for (int i = 0; i < n; i++)
        if (memcmp(a->word + part[i].at, b->word + part[i].at, part[i].n * 4) != 0)
            return false;
    return true;
}

void world_copy(struct world *to, const struct world *from)
{
    struct part part[11];
    int n = world_parts(from, part);
    for (int i = 0; i < n; i++)
        memcpy(to->word + part[i].at, from->word + part[i].at, part[i].n * 4);
}

uint64_t world_hash(const struct world *w)
{
    struct part part[11];
    int n = world_parts(w, part);
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a over words */
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < part[i].n; k++)
            h = (h ^ w->word[part[i].at + k]) * 0x100000001b3u;
    return h;
}

struct store *store_new(struct err *e)
{
    struct store *s = xcalloc(1, sizeof *s);
    if (s == NULL) {
        err_memory(e, sizeof *s, "the store of edges");
        return NULL;
    }
    s->token = xreserve((size_t)STORE_UNITS * 4);
    s->value = xreserve((size_t)STORE_UNITS * 4);
    s->name_cap = 1 << 16; /* a fixed table: other threads read it while names are added */
    s->name = xcalloc(s->name_cap, sizeof *s->name);
    s->name_at = xcalloc((size_t)s->name_cap * 2, sizeof *s->name_at);
    if (s->name != NULL)
        s->name[0] = xstrdup("");
    s->name_count = 1;
    if (s->token == NULL || s->value == NULL || s->name == NULL || s->name[0] == NULL ||
        s->name_at == NULL) {
        err_memory(e, (size_t)STORE_UNITS * 8, "the store of edges");
        store_free(s);
        return NULL;
    }
    return s;
}

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    xunreserve(s->token, (size_t)STORE_UNITS * 4);
    xunreserve(s->value, (size_t)STORE_UNITS * 4);
    for (uint32_t i = 0; s->name != NULL && i < s->name_count; i++)
        xfree(s->name[i]);
    xfree(s->name);
    xfree(s->name_at);
    xfree(s);
}

/* Where a name's number stands, or would stand: half of the places are free at least. A session may type 60,000 keys. */
static _Atomic uint32_t *name_place(const struct store *s, const char *name)
{
    uint32_t mask = 2 * s->name_cap - 1, h = 2166136261u;
    for (const char *c = name; *c != '\0'; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    for (uint32_t i = h ^ h >> 15;; i++) {
        uint32_t number = s->name_at[i & mask];
        if (number == 0 || strcmp(s->name[number], name) == 0)
            return &s->name_at[i & mask];
    }
}

uint32_t store_find(const struct store *s, const char *name)
{
    uint32_t number = name != NULL ? *name_place(s, name) : 0;
    return number != 0 || name == NULL ? number : UINT32_MAX;
}

uint32_t store_intern(struct store *s, const char *name)
{
    uint32_t at = store_find(s, name);
    if (at != UINT32_MAX)
        return at;
    if (s->name_count == s->name_cap)
        return UINT32_MAX;
    char *copy = xstrdup(name);
    if (copy == NULL)
        return UINT32_MAX;
    s->name[s->name_count] = copy;
    uint32_t number = atomic_fetch_add(&s->name_count, 1); /* the name stands before its number counts */
    *name_place(s, copy) = number;
    return number;
}

int store_refused(const struct store *s, const char *what, struct err *e)
{
    if (s->name_count < s->name_cap)
        return err_memory(e, 64, what);
    err_set(e, "history is full: it can hold %u different names and typed keys, and they are all taken", s->name_cap - 1);
    return err_hint(e, "those that were typed before can be used again; for others, save it and begin a new one");
}

const char *store_name(const struct store *s, uint32_t number)
{
    return number < s->name_count ? s->name[number] : "?";
}

double node_last_access(const struct world *w, uint32_t node)
{
    double t = (double)w->node[node].last_access;
    for (uint32_t k = w->node[node].last_minus; k > 0; k--)
        t -= 0.00001;
    return t;
}

double word_double(const uint32_t at[2])
{
    double d;
    memcpy(&d, at, sizeof d);
    return d;
}

const char *sched_why_text(uint32_t why)
{
    static const char *const texts[SCHED_WHYS] = {
        "no turn in this pass so far",
        "it fits",
        "a chunk of it fits",
        "more slots than can be had",
        "more slots than can be had once its own prefix is locked",
        "the pass has computed as much as it may",
        "no whole page is left of this pass's chunk",
        "the batch is full",
        "a more urgent request took its place",
        "decode ran out of slots",
    };
    return why < SCHED_WHYS ? texts[why] : "?";
}

uint32_t node_start(const struct world *w, uint32_t node)
{
    uint32_t units = 0;
    while (node != ROOT) {
        node = w->node[node].parent;
        units += w->node[node].len;
    }
    return units;
}

uint32_t pool_free_slots(const struct world *w)
{
    return (w->head.free_pages + w->head.side_pages) * w->head.page_size;
}

uint32_t node_preorder(const struct world *w, uint32_t node)
{
    if (w->node[node].first_child != 0)
        return w->node[node].first_child;
    while (node != ROOT && w->node[node].next == 0)
        node = w->node[node].parent;
    return node == ROOT ? 0 : w->node[node].next;
}
