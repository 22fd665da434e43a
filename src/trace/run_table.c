#include "trace/run_table.h"

#include <string.h>

#include "base/xalloc.h"

struct walk {
    struct run_table *table;
    struct cursor c;
    uint32_t *open;        /* (WORLD_REQUESTS) place in the table + 1 of a request that runs */
    uint32_t evicting;     /* the request that the eviction is for, 0: nobody's */
};

void run_table_free(struct run_table *table)
{
    xfree(table->request);
    xfree(table->token);
    *table = (struct run_table){0};
}

const char *run_outcome_name(enum run_outcome o)
{
    static const char *const NAMES[] = {"unfinished", "answered", "refused", "aborted", "inserted"};
    return NAMES[o];
}

static struct run_request *add(struct walk *k, uint32_t prompt)
{
    struct run_table *t = k->table;
    void *list = t->request, *tokens = t->token;
    bool room = xgrow(&list, &t->cap, t->requests + 1, sizeof *t->request);
    t->request = list;
    room = room && xgrow(&tokens, &t->token_cap, t->tokens + prompt, sizeof *t->token);
    t->token = tokens;
    if (!room)
        return NULL;
    struct run_request *q = &t->request[t->requests++];
    *q = (struct run_request){.begin = k->c.at, .end = k->c.at, .prompt = prompt, .first_token = t->tokens};
    t->tokens += prompt;
    return q;
}

static bool arrives(struct walk *k, uint32_t r, bool planned)
{
    const struct world *w = k->c.w;
    const struct request *have = &w->request[r];
    struct run_request *q = add(k, have->prompt_len);
    if (q == NULL)
        return false;
    q->number = have->rid;
    q->entry = r;
    q->planned = planned;
    q->ns = have->ns;
    q->label = have->label;
    memcpy(k->table->token + q->first_token, w->row_token + have->row_off, have->prompt_len * sizeof(uint32_t));
    k->open[r] = (uint32_t)k->table->requests;
    return true;
}

static struct run_request *running(struct walk *k, uint32_t r)
{
    return r != 0 && r < WORLD_REQUESTS && k->open[r] != 0 ? &k->table->request[k->open[r] - 1] : NULL;
}

static uint64_t clock_of(const struct walk *k)
{
    return word_time(k->c.w->head.now);
}

static void waits(struct walk *k, uint32_t r, bool on)
{
    struct run_request *q = running(k, r);
    if (q == NULL || q->waits == on)
        return;
    uint64_t since = word_time(k->c.w->served[r].entered), now = clock_of(k);
    q->queued += !on && now > since ? now - since : 0;
    q->waits = on;
}

/* A planned request is there from now on. */
static void comes(struct walk *k, uint32_t r)
{
    struct run_request *q = running(k, r);
    if (q != NULL)
        q->begin = k->c.at;
    waits(k, r, true);
}

static void ends(struct walk *k, const struct step *s, enum run_outcome outcome, uint32_t reason)
{
    struct run_request *q = running(k, s->arg[0]);
    if (q == NULL)
        return;
    waits(k, s->arg[0], false);
    q->finished = clock_of(k);
    q->outcome = outcome;
    q->reason = reason;
    q->end = k->c.at;
    if (outcome == RUN_ANSWERED) {
        q->generated = s->arg[1];
        q->cached = s->arg[2];
        q->computed = s->arg[3];
    }
}

/* A key that no request brought: its tokens are the path to where it ended. */
static bool inserted(struct walk *k, const struct step *s)
{
    struct scene sc = cursor_scene(&k->c);
    uint32_t node = s->arg[0], units = s->arg[1] + s->arg[2];
    struct run_request *q = add(k, units);
    if (q == NULL)
        return false;
    q->outcome = RUN_INSERTED;
    q->cached = s->arg[1];
    q->computed = s->arg[2];
    q->ns = node == ROOT ? 0 : sc.w->node[node].ns;
    for (uint32_t at = units; node != ROOT && node != 0; node = sc.w->node[node].parent) {
        uint32_t len = sc.w->node[node].len < at ? sc.w->node[node].len : at;
        at -= len;
        memcpy(k->table->token + q->first_token + at, node_tokens(sc, node), len * sizeof(uint32_t));
    }
    return true;
}

static void evicts(struct walk *k, uint32_t units)
{
    struct run_request *q = running(k, k->evicting);
    k->table->evictions++;
    k->table->evicted += units;
    if (q != NULL) {
        q->evictions++;
        q->evicted += units;
    }
}

static bool take_step(struct walk *k, const struct step *s, bool *by_hand)
{
    switch (s->kind) {
    case EV_REQUEST:
    case EV_PLAN: return arrives(k, s->arg[0], s->kind == EV_PLAN);
    case EV_ARRIVE: comes(k, s->arg[0]); break;
    case EV_WAITS: waits(k, s->arg[0], true); break;
    case EV_TAKEN: waits(k, s->arg[0], false); break;
    case EV_ANSWER: ends(k, s, RUN_ANSWERED, s->arg[4]); break;
    case EV_REFUSE: ends(k, s, RUN_REFUSED, s->arg[3]); break;
    case EV_ABORT: ends(k, s, RUN_ABORTED, FINISH_ABORT); break;
    case EV_EVICT: k->evicting = s->arg[4]; break;
    case EV_VICTIM: evicts(k, s->arg[1]); break;
    case EV_INSERT: *by_hand = s->arg[0] == 0; break;
    case EV_INSERTED: return !*by_hand || inserted(k, s);
    default: break;
    }
    return true;
}

/* What the last world says of them. While a tape records, no entry is used twice. */
static void read_times(struct walk *k)
{
    const struct world *w = k->c.w;
    struct run_table *t = k->table;
    double queued = 0;
    t->scheduled = w->head.sched != 0;
    for (size_t i = 0; t->scheduled && i < t->requests; i++) {
        struct run_request *q = &t->request[i];
        const struct served *s = &w->served[q->entry];
        if (!q->planned)
            continue;
        waits(k, q->entry, false);
        q->arrived = word_time(s->arrived);
        q->first = word_time(s->first);
        q->latest = word_time(s->latest);
        q->longest_gap = s->longest_gap;
        q->retracted = s->retracted;
        q->good = serving_good(w, q->entry);
        queued += (double)q->queued;
    }
    t->serving = serving_metrics(w);
    t->slo_first = w->head.slo_first;
    t->slo_gap = w->head.slo_gap;
    t->queue_mean = clock_of(k) > 0 ? queued / (double)clock_of(k) : 0;
    t->clock = store_name(cursor_scene(&k->c).s, w->head.cost_text);
}

double run_request_gap(const struct run_request *q)
{
    return q->generated > 1 ? (double)(q->latest - q->first) / (q->generated - 1) : 0;
}

int run_table_of(const struct tape *t, struct run_table *out, struct err *e)
{
    struct walk k = {.table = out};
    int branch = tape_branch(t);
    bool by_hand = false;
    *out = (struct run_table){.steps = tape_length(t, branch)};
    k.open = xcalloc(WORLD_REQUESTS, sizeof *k.open);
    bool ok = k.open != NULL;
    if (ok && cursor_init(&k.c, t, e) != 0) {
        xfree(k.open);
        return -1;
    }
    for (uint32_t n = 1; ok && n <= out->steps; n++) {
        struct step s;
        tape_step(t, branch, n, &s);
        cursor_seek(&k.c, branch, n);
        ok = take_step(&k, &s, &by_hand);
        uint32_t waiting = k.c.w->head.queue_count;
        out->queue_most = waiting > out->queue_most ? waiting : out->queue_most;
    }
    if (ok)
        read_times(&k);
    if (k.open != NULL)
        cursor_done(&k.c);
    xfree(k.open);
    return ok ? 0 : err_memory(e, out->tokens * 4, "the table of a run");
}

struct run_totals run_table_totals(const struct run_table *table)
{
    struct run_totals sum = {0};
    for (size_t i = 0; i < table->requests; i++) {
        const struct run_request *q = &table->request[i];
        if (q->number == 0)
            continue;
        sum.requests++;
        sum.refused += q->outcome == RUN_REFUSED;
        sum.aborted += q->outcome == RUN_ABORTED;
        if (q->outcome != RUN_ANSWERED)
            continue;
        sum.answered++;
        sum.prompt += q->prompt;
        sum.cached += q->cached;
        sum.computed += q->computed;
        sum.generated += q->generated;
    }
    return sum;
}
