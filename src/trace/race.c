#include "trace/race.h"

#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "script/nearest.h"

int race_init(struct race *r, const struct load *l, uint32_t pool, uint32_t page, uint32_t block, struct err *e)
{
    *r = (struct race){.load = l, .pool = pool / page * page, .page = page, .block = block};
    if (l->requests == 0)
        return err_set(e, "there is nothing to race on: the workload has no request");
    for (size_t i = 0; i < l->requests; i++)
        if (l->request[i].prompt == 0)
            return err_set(e, "request %zu has no prompt", i + 1);
    return future_make(&r->future, l, page, e);
}

void race_done(struct race *r)
{
    for (uint32_t i = 0; i < r->entries; i++)
        xfree(r->entry[i].result);
    future_done(&r->future);
    *r = (struct race){0};
}

/* ---- who runs ------------------------------------------------------------------------------------------- */

static int add_entry(struct race *r, const struct design_class *is, uint32_t policy, struct err *e)
{
    if (r->entries == RACE_ENTRIES)
        return err_usage(e, "at most %d designs and policies can race", RACE_ENTRIES);
    struct race_entry *entry = &r->entry[r->entries];
    *entry = (struct race_entry){.is = is, .policy = policy};
    if (is == &DESIGN_RADIX)
        snprintf(entry->label, sizeof entry->label, "radix %s", policy_name(policy));
    else
        snprintf(entry->label, sizeof entry->label, "%s", is != NULL ? is->name : "bound");
    for (uint32_t i = 0; i < r->entries; i++)
        if (strcmp(r->entry[i].label, entry->label) == 0)
            return err_usage(e, "%s is given twice", entry->label);
    entry->result = xcalloc(r->load->requests, sizeof *entry->result);
    if (entry->result == NULL)
        return err_memory(e, r->load->requests * sizeof *entry->result, "a race");
    r->entries++;
    return 0;
}

static int unknown(const char *what, const char *name, const struct nearest *near, const char *all, struct err *e)
{
    err_usage(e, "'%.40s' is no %s", name, what);
    if (near->name != NULL)
        return err_hint(e, "did you mean %s?", near->name);
    return err_hint(e, "there are %s", all);
}

static int add_policy(struct race *r, const char *name, struct err *e)
{
    struct nearest near = {0};
    for (uint32_t p = 0; p <= POLICY_COUNT; p++) {
        if (strcmp(name, policy_name(p)) == 0)
            return add_entry(r, &DESIGN_RADIX, p, e);
        nearest_try(&near, name, policy_name(p));
    }
    return unknown("eviction policy", name, &near, "lru, lfu, fifo, mru, filo, priority, slru and belady", e);
}

/* Calls add with each word of a list separated by commas. */
static int each_word(struct race *r, const char *list, int (*add)(struct race *, const char *, struct err *),
                     struct err *e)
{
    for (;;) {
        char word[40] = "";
        size_t n = strcspn(list, ",");
        memcpy(word, list, n < sizeof word - 1 ? n : sizeof word - 1);
        if (add(r, word, e) != 0)
            return -1;
        if (list[n] == '\0')
            return 0;
        list += n + 1;
    }
}

int race_add(struct race *r, const char *designs, const char *policies, struct err *e)
{
    if (strcmp(policies, "all") == 0)
        policies = "lru,lfu,fifo,mru,filo,priority,slru,belady";
    for (;;) {
        char word[40] = "";
        size_t n = strcspn(designs, ",");
        struct nearest near = {0};
        memcpy(word, designs, n < sizeof word - 1 ? n : sizeof word - 1);
        const struct design_class *found = NULL;
        for (unsigned i = 0; design_at(i) != NULL; i++) {
            nearest_try(&near, word, design_at(i)->name);
            if (strcmp(word, design_at(i)->name) == 0)
                found = design_at(i);
        }
        nearest_try(&near, word, "bound");
        if (found == NULL && strcmp(word, "bound") != 0)
            return unknown("design", word, &near, "radix, chain, trie, exact, none and bound", e);
        if ((found == &DESIGN_RADIX ? each_word(r, policies, add_policy, e) : add_entry(r, found, 0, e)) != 0)
            return -1;
        if (designs[n] == '\0')
            return 0;
        designs += n + 1;
    }
}

/* ---- running ---------------------------------------------------------------------------------------------- */

static void count(const struct race *r, struct race_entry *entry)
{
    struct race_total *t = &entry->total;
    for (uint32_t i = 0; i < r->load->requests; i++) {
        const struct design_result *one = &entry->result[i];
        uint32_t prompt = r->load->request[i].prompt;
        t->refused += one->refused;
        t->prompt += one->refused ? 0 : prompt;
        t->hit += one->hit;
        t->computed += one->refused ? 0 : prompt - one->hit;
        t->evicted += one->evicted;
        t->victims += one->victims;
        t->ops += one->ops;
    }
}

static void *make(const struct race *r, const struct race_entry *entry, bool record, struct err *e)
{
    struct design_config cfg = {.load = r->load, .pool = r->pool, .page = r->page, .block = r->block,
                                .policy = entry->policy, .record = record,
                                .future = entry->policy == POLICY_COUNT ? &r->future : NULL};
    void *made = entry->is->make(&cfg, e); /* it keeps a copy */
    return made;
}

static int run_design(const struct race *r, struct race_entry *entry, bool check, struct err *e)
{
    void *design = make(r, entry, false, e);
    int rc = design != NULL ? 0 : -1;
    for (uint32_t i = 0; rc == 0 && i < r->load->requests; i++) {
        rc = entry->is->serve(design, i, &entry->result[i], e);
        if (rc != 0)
            break;
        size_t bytes = entry->is->bytes(design);
        entry->total.bytes = bytes > entry->total.bytes ? bytes : entry->total.bytes;
        const char *broken = check ? entry->is->check(design) : NULL;
        if (broken != NULL)
            rc = err_set(e, "%s after request %u: %s", entry->label, i + 1, broken);
    }
    if (rc == 0)
        entry->total.held = entry->is->held(design);
    entry->is->free(design);
    return rc;
}

static int run_bound(const struct race *r, struct race_entry *entry, struct err *e)
{
    uint64_t all;
    uint32_t *hit = xcalloc(r->load->requests, sizeof *hit);
    if (hit == NULL)
        return err_memory(e, r->load->requests * sizeof *hit, "the optimum");
    int rc = future_bound(&r->future, r->pool / r->page, hit, &all, e);
    for (uint32_t i = 0; i < r->load->requests; i++)
        entry->result[i] = (struct design_result){.hit = hit[i] * r->page,
                                                  .refused = r->future.request[i].slots > r->pool / r->page};
    xfree(hit);
    return rc;
}

int race_run(struct race *r, bool check, struct err *e)
{
    for (uint32_t i = 0; i < r->entries; i++) {
        struct race_entry *entry = &r->entry[i];
        if ((entry->is != NULL ? run_design(r, entry, check, e) : run_bound(r, entry, e)) != 0)
            return -1;
        count(r, entry);
    }
    return 0;
}

uint32_t race_differs(const struct race *r, uint32_t a, uint32_t b)
{
    const struct race_entry *x = &r->entry[a], *y = &r->entry[b];
    for (uint32_t i = 0; i < r->load->requests; i++) {
        const struct design_result *p = &x->result[i], *q = &y->result[i];
        bool one_kind = x->is == y->is, bound = x->is == NULL || y->is == NULL; /* the bound names no victims */
        if (p->hit != q->hit || p->refused != q->refused || (!bound && p->evicted != q->evicted) ||
            (one_kind && p->which != q->which))
            return i;
    }
    return RACE_NEVER;
}

void *race_stand(const struct race *r, uint32_t which, uint32_t requests, bool record, struct err *e)
{
    const struct race_entry *entry = &r->entry[which];
    void *design = make(r, entry, record, e);
    for (uint32_t i = 0; design != NULL && i < requests; i++) {
        struct design_result ignored;
        if (entry->is->serve(design, i, &ignored, e) != 0) {
            entry->is->free(design);
            return NULL;
        }
    }
    return design;
}
