/* radixscope race: designs and policies side by side (src/trace/race.h). */
#include <stdio.h>
#include <string.h>

#include "cli/show_trace.h"
#include "cli/source.h"
#include "cache/cache.h"
#include "trace/lines.h"
#include "trace/race.h"

struct racing {
    struct cli *cli;
    struct source source;
    struct runner *runner;     /* its lexicon knows the words */
    struct load load;
    struct race race;
    uint32_t differs[RACE_ENTRIES]; /* the first request from which an entry differs from the first one */
};

static double rate(const struct race_total *t)
{
    return t->prompt == 0 ? 0.0 : (double)t->hit / (double)t->prompt;
}

/* ---- text --------------------------------------------------------------------------------------------- */

static void table(const struct racing *k, struct buf *b)
{
    const struct race *r = &k->race;
    buf_printf(b, "%s: %zu requests, %u slots, pages of %u, blocks of %u\n\n", k->source.settings.title,
               r->load->requests, r->pool, r->page, r->block);
    buf_printf(b, "%-16s %7s %9s %9s %8s %8s %8s %9s %9s %9s\n", "design", "hit", "saved", "computed", "evicted",
               "victims", "refused", "metadata", "ops", "differs");
    for (uint32_t i = 0; i < r->entries; i++) {
        const struct race_entry *x = &r->entry[i];
        const struct race_total *t = &x->total;
        buf_printf(b, "%-16s %6.2f%% %9llu %9llu", x->label, 100.0 * rate(t), (unsigned long long)t->hit,
                   (unsigned long long)t->computed);
        if (x->is != NULL)
            buf_printf(b, " %8llu %8llu %8u %8zuB %9llu", (unsigned long long)t->evicted,
                       (unsigned long long)t->victims, t->refused, t->bytes, (unsigned long long)t->ops);
        else
            buf_printf(b, " %8s %8s %8u %9s %9s", "-", "-", t->refused, "-", "-");
        if (k->differs[i] == RACE_NEVER)
            buf_printf(b, " %9s\n", i == 0 ? "-" : "never");
        else
            buf_printf(b, " %9u\n", k->differs[i] + 1);
    }
    buf_puts(b, "\nhit, saved, computed, evicted: prompt tokens. metadata: bytes when it was most. differs: the first\n"
                "request that went differently than in the first line.\n");
    for (uint32_t i = 0; i < r->entries; i++) {
        if (r->entry[i].is == NULL)
            buf_puts(b, "bound: the most that any cache of this size could save, knowing what comes.\n");
        else if (r->entry[i].policy == POLICY_COUNT)
            buf_puts(b, "belady: evicts the leaf that is read again last; leaves differ in size, so it need not be best.\n");
    }
}

/* The first entry that differs from the first one; 0: none does. */
static uint32_t rival(const struct racing *k)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < k->race.entries; i++)
        if (k->differs[i] != RACE_NEVER && (best == 0 || k->differs[i] < k->differs[best]))
            best = i;
    return best;
}

enum { LEDGER_MOST = 100, STAND_MOST = 4096 };

/* What each request saved, a column an entry; of many requests those from the first difference on. */
static void ledger(const struct racing *k, struct buf *b)
{
    const struct race *r = &k->race;
    buf_printf(b, "\ntokens saved\n%8s %7s", "request", "prompt");
    for (uint32_t i = 0; i < r->entries; i++)
        buf_printf(b, " %12s", r->entry[i].label);
    uint32_t from = 0, to = (uint32_t)r->load->requests;
    if (to > LEDGER_MOST) { /* from the first difference on */
        uint32_t other = rival(k), first = other != 0 ? k->differs[other] : 0;
        from = first + LEDGER_MOST <= to ? first : to - LEDGER_MOST;
        to = from + LEDGER_MOST;
    }
    for (uint32_t q = from; q < to; q++) {
        buf_printf(b, "\n%8u %7u", q + 1, r->load->request[q].prompt);
        for (uint32_t i = 0; i < r->entries; i++) {
            if (r->entry[i].result[q].refused)
                buf_printf(b, " %12s", "refused");
            else
                buf_printf(b, " %12u", r->entry[i].result[q].hit);
        }
    }
    buf_printf(b, "\n%8s %7s", "all", "");
    for (uint32_t i = 0; i < r->entries; i++)
        buf_printf(b, " %12llu", (unsigned long long)r->entry[i].total.hit);
    buf_putc(b, '\n');
}

static int stand_of(const struct racing *k, uint32_t which, uint32_t requests, struct buf *b, struct err *e)
{
    const struct race_entry *x = &k->race.entry[which];
    buf_printf(b, "%s:\n", x->label);
    if (x->is == NULL) {
        buf_puts(b, "  no design: nothing stands anywhere\n");
        return 0;
    }
    void *design = race_stand(&k->race, which, requests, false, e);
    if (design == NULL)
        return -1;
    x->is->list(design, b);
    x->is->free(design);
    return 0;
}

static void one_result(const char *label, const struct design_result *x, struct buf *b)
{
    if (x->refused)
        buf_printf(b, "  %-16s refused\n", label);
    else
        buf_printf(b, "  %-16s saves %u, evicts %u tokens (%u victims)\n", label, x->hit, x->evicted, x->victims);
}

/* Where two first part: what each does there, and what stood before it. */
static int difference(const struct racing *k, struct buf *b, struct err *e)
{
    uint32_t other = rival(k);
    if (other == 0) {
        buf_puts(b, "\nNo entry differs from the first one.\n");
        return 0;
    }
    const struct race_entry *one = &k->race.entry[0], *two = &k->race.entry[other];
    uint32_t at = k->differs[other];
    buf_printf(b, "\nfirst difference: request %u of %zu, %s and %s\n", at + 1, k->race.load->requests, one->label,
               two->label);
    one_result(one->label, &one->result[at], b);
    one_result(two->label, &two->result[at], b);
    if (k->race.pool > STAND_MOST) {
        buf_puts(b, "(what stands in a pool of this size is not listed)\n");
        return 0;
    }
    buf_printf(b, "what stands %s request %u:\n", at == 0 ? "after" : "before", at + 1);
    uint32_t served = at == 0 ? 1 : at;
    return stand_of(k, 0, served, b, e) != 0 || stand_of(k, other, served, b, e) != 0 ? -1 : 0;
}

/* ---- JSON and CSV ------------------------------------------------------------------------------------- */

static const char *design_name(const struct race_entry *x)
{
    return x->is != NULL ? x->is->name : "bound";
}

static void json_entry(const struct racing *k, uint32_t i, struct buf *b)
{
    const struct race_entry *x = &k->race.entry[i];
    const struct race_total *t = &x->total;
    buf_printf(b, "%s\n{\"design\":\"%s\",\"policy\":", i > 0 ? "," : "", design_name(x));
    buf_printf(b, x->is == &DESIGN_RADIX ? "\"%s\"" : "null", policy_name(x->policy));
    buf_printf(b, ",\"prompt_tokens\":%llu,\"hit_tokens\":%llu,\"computed_tokens\":%llu,\"hit_rate\":%.6f,\"refused\":%u",
               (unsigned long long)t->prompt, (unsigned long long)t->hit, (unsigned long long)t->computed, rate(t),
               t->refused);
    if (x->is != NULL)
        buf_printf(b, ",\"evicted_tokens\":%llu,\"victims\":%llu,\"metadata_bytes\":%zu,\"operations\":%llu",
                   (unsigned long long)t->evicted, (unsigned long long)t->victims, t->bytes,
                   (unsigned long long)t->ops);
    if (k->differs[i] == RACE_NEVER)
        buf_puts(b, ",\"differs_at\":null,\"hits\":[");
    else
        buf_printf(b, ",\"differs_at\":%u,\"hits\":[", k->differs[i] + 1);
    for (uint32_t q = 0; q < k->race.load->requests; q++)
        buf_printf(b, "%s%u", q > 0 ? "," : "", x->result[q].hit);
    buf_puts(b, "]}");
}

static void json(const struct racing *k, struct buf *b)
{
    const struct race *r = &k->race;
    const char *title = k->source.settings.title;
    buf_puts(b, "{\"workload\":");
    buf_json(b, title, strlen(title));
    buf_printf(b, ",\"requests\":%zu,\"pool\":%u,\"page\":%u,\"block\":%u,\"entries\":[", r->load->requests, r->pool,
               r->page, r->block);
    for (uint32_t i = 0; i < r->entries; i++)
        json_entry(k, i, b);
    buf_puts(b, "\n]}\n");
}

static void csv(const struct racing *k, struct buf *b)
{
    buf_puts(b, "design,policy,requests,prompt_tokens,hit_tokens,computed_tokens,hit_rate,refused,evicted_tokens,victims,"
                "metadata_bytes,operations,differs_at\n");
    for (uint32_t i = 0; i < k->race.entries; i++) {
        const struct race_entry *x = &k->race.entry[i];
        const struct race_total *t = &x->total;
        buf_printf(b, "%s,%s,%zu,%llu,%llu,%llu,%.6f,%u,", design_name(x),
                   x->is == &DESIGN_RADIX ? policy_name(x->policy) : "", k->race.load->requests,
                   (unsigned long long)t->prompt, (unsigned long long)t->hit, (unsigned long long)t->computed, rate(t),
                   t->refused);
        if (x->is != NULL)
            buf_printf(b, "%llu,%llu,%zu,%llu,", (unsigned long long)t->evicted, (unsigned long long)t->victims,
                       t->bytes, (unsigned long long)t->ops);
        else
            buf_puts(b, ",,,,");
        if (k->differs[i] != RACE_NEVER)
            buf_printf(b, "%u", k->differs[i] + 1);
        buf_putc(b, '\n');
    }
}

/* ---- the stepper ---------------------------------------------------------------------------------------- */

struct two {
    const struct racing *k;
    void *design[2];           /* radix designs with their history */
    struct ui_history right;
    uint32_t left;             /* the entry that the screen shows */
    struct ui_designs without; /* those that have no history: */
    uint32_t entry[RACE_ENTRIES];
    void *stands;              /* … one of them, entry `stands_for`, after `served` requests */
    uint32_t stands_for, served;
};

static const char *design_label(void *ctx, int which)
{
    const struct two *t = ctx;
    return t->k->race.entry[t->entry[which]].label;
}

/* A design only goes forward: for an earlier moment it begins anew. */
static int design_list(void *ctx, int which, uint32_t requests, struct buf *out, struct err *e)
{
    struct two *t = ctx;
    const struct race *r = &t->k->race;
    const struct design_class *is = r->entry[t->entry[which]].is;
    struct design_result ignored;
    requests = requests < r->load->requests ? requests : (uint32_t)r->load->requests;
    if (t->stands != NULL && (t->stands_for != t->entry[which] || t->served > requests)) {
        r->entry[t->stands_for].is->free(t->stands);
        t->stands = NULL;
    }
    if (t->stands == NULL) {
        t->served = 0;
        t->stands_for = t->entry[which];
        t->stands = race_stand(r, t->stands_for, 0, false, e);
    }
    if (t->stands == NULL)
        return -1;
    for (; t->served < requests; t->served++)
        if (is->serve(t->stands, t->served, &ignored, e) != 0) {
            is->free(t->stands); /* it may stand half way */
            t->stands = NULL;
            return -1;
        }
    buf_printf(out, "keeps %u tokens in %zu bytes of lists\n", is->held(t->stands), is->bytes(t->stands));
    is->list(t->stands, out);
    return 0;
}

static bool design_asked(void *ctx, int which, uint32_t request, struct ui_asked *out)
{
    const struct two *t = ctx;
    const struct race *r = &t->k->race;
    if (request == 0 || request > r->load->requests)
        return false;
    const struct design_result *one = &r->entry[t->left].result[request - 1], *two = &r->entry[t->entry[which]].result[request - 1];
    *out = (struct ui_asked){r->load->request[request - 1].prompt, one->hit, two->hit, one->refused, two->refused};
    return true;
}

static void find_designs(struct two *t)
{
    t->without = (struct ui_designs){.name = design_label, .list = design_list, .asked = design_asked, .ctx = t};
    for (uint32_t i = 0; i < t->k->race.entries; i++)
        if (t->k->race.entry[i].is != NULL && t->k->race.entry[i].is != &DESIGN_RADIX)
            t->entry[t->without.count++] = i;
    for (int i = 1; i < t->without.count; i++) /* the one that differs first comes first */
        if (t->entry[i] == rival(t->k)) {
            t->entry[i] = t->entry[0];
            t->entry[0] = rival(t->k);
        }
}

static bool give_other(void *ctx, struct ui_history *out)
{
    *out = ((const struct two *)ctx)->right;
    return true;
}

/* The step with which request n (from 1) arrives. */
static uint32_t step_of_request(const struct tape *t, uint32_t n)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t next = tape_find_kind(t, tape_branch(t), at, 1, EV_REQUEST);
        if (next == 0)
            break;
        at = next;
    }
    return at;
}

/* The first radix entry, and the one that differs from it first; the first alone if there is no such. */
static uint32_t pick_two(const struct racing *k, uint32_t pick[2], uint32_t *at)
{
    const struct race *r = &k->race;
    uint32_t n = 0;
    *at = RACE_NEVER;
    for (uint32_t i = 0; i < r->entries; i++) {
        if (r->entry[i].is != &DESIGN_RADIX)
            continue;
        uint32_t differs = n == 0 ? RACE_NEVER : race_differs(r, pick[0], i);
        if (n < 2 || differs < *at)
            pick[n == 0 ? 0 : 1] = i;
        *at = n > 0 && differs < *at ? differs : *at;
        n++;
    }
    if (*at == RACE_NEVER && rival(k) != 0)
        *at = k->differs[rival(k)];
    return n < 2 ? n : 2;
}

static int watch(struct racing *k, struct err *e)
{
    const struct race *r = &k->race;
    struct two two = {.k = k};
    char title[160];
    uint32_t pick[2], at, n = pick_two(k, pick, &at);
    int rc = 0;
    if (n == 0)
        return 0;
    two.left = pick[0];
    find_designs(&two);
    two.without.first = n == 2 && two.without.count > 0 && two.entry[0] == rival(k) &&
                        race_differs(r, pick[0], pick[1]) == RACE_NEVER; /* they do the same, and it does not */
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        two.design[i] = race_stand(r, pick[i], (uint32_t)r->load->requests, true, e);
        rc = two.design[i] != NULL ? 0 : -1;
    }
    snprintf(title, sizeof title, "%.80s: %s%s%s", k->source.settings.title, r->entry[pick[0]].label,
             n == 2 ? " | " : "", n == 2 ? r->entry[pick[1]].label : "");
    if (rc == 0) {
        struct ui_words words = {0};
        if (k->runner != NULL)
            words = source_words(runner_lexicon(k->runner));
        struct ui_feed feed = {.tape = design_radix_cache(two.design[0])->t, .title = title,
                               .words = words, .wake_fd = -1, .ctx = &two};
        if (n == 2) {
            two.right = (struct ui_history){.tape = design_radix_cache(two.design[1])->t, .words = words};
            snprintf(two.right.why, sizeof two.right.why, "%s", r->entry[pick[1]].label);
            feed.other = give_other;
        }
        feed.own = r->entry[pick[0]].label;
        feed.designs = two.without.count > 0 ? &two.without : NULL;
        rc = show_feed(k->cli, &feed, step_of_request(feed.tape, at == RACE_NEVER ? 1 : at + 1),
                       n == 2 || feed.designs != NULL, e);
    }
    for (uint32_t i = 0; i < 2; i++)
        DESIGN_RADIX.free(two.design[i]);
    if (two.stands != NULL)
        r->entry[two.stands_for].is->free(two.stands);
    return rc;
}

/* ---- the command ------------------------------------------------------------------------------------------ */

/* A trace: each hash id is a token, so slots and blocks are counted in the trace's blocks. */
static int open_trace(struct racing *k, const char *path, struct err *e)
{
    struct script_settings *set = &k->source.settings;
    const char *slash = strrchr(path, '/');
    *set = (struct script_settings){.title = slash != NULL ? slash + 1 : path, .pool = TRACE_CAPACITY, .page = 1};
    if (cli_count(k->cli, OPT_POOL, set->pool, &set->pool, e) != 0 ||
        cli_count(k->cli, OPT_PAGE, set->page, &set->page, e) != 0)
        return -1;
    struct lines *lines = lines_open(path, e);
    int rc = lines != NULL ? load_trace(&k->load, lines, e) : -1;
    lines_close(lines);
    return rc;
}

static int open_workload(struct racing *k, struct err *e)
{
    struct cli *c = k->cli;
    if (c->args == 1 && is_trace_name(c->arg[0]))
        return open_trace(k, c->arg[0], e);
    if (source_open(&k->source, c, false, NULL, e) != 0)
        return -1;
    k->source.script->unchecked = true; /* its expectations were written for its own pool */
    k->runner = load_script(&k->load, k->source.script, &k->source.config, e);
    return k->runner != NULL ? 0 : -1;
}

static int run(struct racing *k, struct err *e)
{
    struct cli *c = k->cli;
    const struct script_settings *set = &k->source.settings;
    const char *designs = c->option[OPT_DESIGNS], *policies = c->option[OPT_POLICIES];
    bool trace = k->runner == NULL;
    uint32_t block = trace ? 1 : DESIGN_BLOCK;
    if (cli_count(c, OPT_BLOCK, block, &block, e) != 0)
        return -1;
    if (set->pool % set->page != 0)
        return err_set(e, "a pool of %u slots is not a whole number of pages of %u", set->pool, set->page);
    if (race_init(&k->race, &k->load, set->pool, set->page, block, e) != 0 ||
        race_add(&k->race, designs != NULL ? designs : "radix,chain,trie,exact,none,bound",
                 policies != NULL ? policies : trace ? "lru" : "lru,belady", e) != 0 ||
        race_run(&k->race, false, e) != 0)
        return -1;
    for (uint32_t i = 0; i < k->race.entries; i++)
        k->differs[i] = race_differs(&k->race, 0, i);
    return 0;
}

static int tell(struct racing *k, struct err *e)
{
    struct cli *c = k->cli;
    struct buf b = {0};
    if (cli_has(c, OPT_JSON))
        json(k, &b);
    else if (cli_has(c, OPT_CSV))
        csv(k, &b);
    else {
        int seen = show_choose_way(c) == SHOW_ON_SCREEN ? watch(k, e) : 0;
        if (seen != 0)
            return seen;
        table(k, &b);
        ledger(k, &b);
        if (difference(k, &b, e) != 0) {
            buf_free(&b);
            return -1;
        }
    }
    return cli_print(&b, e);
}

int cmd_race(struct cli *c, struct err *e)
{
    struct racing k = {.cli = c};
    if (cli_has(c, OPT_JSON) && cli_has(c, OPT_CSV))
        return err_usage(e, "--json and --csv exclude each other");
    int rc = open_workload(&k, e) != 0 || run(&k, e) != 0 ? -1 : tell(&k, e);
    race_done(&k.race);
    load_free(&k.load);
    runner_free(k.runner);
    source_done(&k.source);
    return rc;
}
