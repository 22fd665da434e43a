#include "engine/sched_admit.h"

/* 0.7 x schedule conservativeness (1.0); at least 0.14 of that. */
static const double RATIO_START = 0.7, RATIO_LEAST = 0.14 * 0.7;

double sched_ratio_start(void)
{
    return RATIO_START;
}

double sched_ratio_lower(double ratio)
{
    double lower = ratio - (RATIO_START - RATIO_LEAST) / SCHED_RATIO_STEPS;
    return lower > RATIO_LEAST ? lower : RATIO_LEAST;
}

static uint32_t whole_pages(uint32_t n, uint32_t page)
{
    return (n + page - 1) / page * page;
}

static uint32_t clip(uint32_t max_new)
{
    return max_new < SCHED_CLIP_MAX_NEW ? max_new : SCHED_CLIP_MAX_NEW;
}

static double can_be_had(const struct world *w)
{
    return (double)pool_free_slots(w) + (double)w->head.evictable_size;
}

double sched_rem_total(const struct sched_budget *b, const struct world *w)
{
    return can_be_had(w) - b->reserved;
}

double sched_rem_current(const struct sched_budget *b, const struct world *w)
{
    return can_be_had(w) - (double)b->current;
}

double sched_future_tokens(uint32_t max_new, uint32_t outputs, double ratio)
{
    return (double)clip(max_new > outputs ? max_new - outputs : 0) * ratio;
}

static void stop(struct sched_decision *d, enum sched_result result, enum sched_why why)
{
    d->result = result;
    d->why = why;
}

/* Steps A1 and A2, asked before and after the prefix is locked. */
static void look(const struct sched_budget *b, const struct world *w, uint32_t rest, bool locked,
                 struct sched_decision *d)
{
    d->rem_total = sched_rem_total(b, w);
    if (d->need >= d->rem_total)
        stop(d, SCHED_NO_TOKEN, locked ? SCHED_WHY_NO_TOKEN_LOCKED : SCHED_WHY_NO_TOKEN);
    else if (!b->chunking && b->taken > 0 && (int64_t)whole_pages(rest, w->head.page_size) >= b->rem_input)
        stop(d, SCHED_OTHER, SCHED_WHY_INPUT);
}

struct sched_decision sched_look(const struct sched_budget *b, const struct world *w, const struct sched_need *n)
{
    struct sched_decision d = {.prefix = n->prefix, .from = n->prefix, .to = n->prefix};
    uint32_t left = clip(n->max_new > n->outputs ? n->max_new - n->outputs : 0);
    d.need = (double)(n->len - n->prefix) + (double)left + (double)w->head.page_size;
    look(b, w, n->len - n->prefix, false, &d);
    return d;
}

/* What taking `tokens` more costs every budget. Reserving and the chunk limit go by whole pages. */
static void charge(struct sched_budget *b, const struct world *w, uint32_t prefix, uint32_t tokens, uint32_t max_new)
{
    uint32_t pages = whole_pages(tokens, w->head.page_size);
    b->reserved += (double)pages + (double)max_new + (double)w->head.page_size;
    b->current += pages + w->head.page_size;
    b->rem_input -= pages;
    b->rem_chunk -= b->chunking ? pages : 0;
    b->hit_tokens += prefix;
    b->input_tokens += pages;
}

/* A5: whole pages of what the chunk limit leaves, so that prefix and chunk together end on a page. */
static uint32_t chunk_tokens(const struct sched_budget *b, const struct world *w, uint32_t prefix)
{
    uint32_t page = w->head.page_size;
    if (b->rem_chunk <= 0)
        return 0;
    int64_t most = b->rem_chunk / page * page;
    int64_t end = (most + prefix) / page * page;
    return end > prefix && most > 0 ? (uint32_t)(end - prefix) : 0;
}

static void anything_left(const struct sched_budget *b, const struct world *w, struct sched_decision *d)
{
    if (sched_rem_total(b, w) <= 0 || sched_rem_current(b, w) <= 0)
        d->result = SCHED_NO_TOKEN;
    else if (b->rem_input <= 0 || (b->chunking && b->rem_chunk <= 0))
        d->result = SCHED_OTHER;
    else
        d->result = SCHED_CONTINUE;
}

void sched_take(struct sched_budget *b, const struct world *w, const struct sched_need *n, struct sched_decision *d)
{
    uint32_t rest = n->len - n->prefix;
    look(b, w, rest, true, d);
    if (d->result != SCHED_CONTINUE)
        return;
    bool whole = !b->chunking || (int64_t)whole_pages(rest, w->head.page_size) <= b->rem_chunk;
    uint32_t tokens = whole ? rest : chunk_tokens(b, w, n->prefix);
    if (tokens == 0) {
        stop(d, SCHED_OTHER, SCHED_WHY_NO_CHUNK);
        return;
    }
    charge(b, w, n->prefix, tokens, whole ? clip(n->max_new) : 0);
    b->taken++;
    d->added = true;
    d->chunked = !whole;
    d->why = whole ? SCHED_WHY_FITS : SCHED_WHY_CHUNK;
    d->to = n->prefix + tokens;
    anything_left(b, w, d);
}

uint32_t sched_take_chunk(struct sched_budget *b, const struct world *w, uint32_t from, uint32_t len, uint32_t max_new)
{
    double total = sched_rem_total(b, w), most = b->chunking ? (double)b->rem_chunk : (double)(len - from);
    if (total > 0 && total < most)
        most = total;
    if (can_be_had(w) < most)
        most = can_be_had(w);
    uint32_t to = most >= (double)(len - from) ? len : from + (uint32_t)most;
    if (to < len)
        to = to / w->head.page_size * w->head.page_size;
    if (to <= from)
        return 0;
    charge(b, w, 0, to - from, to == len ? clip(max_new) : 0);
    b->taken++;
    return to - from;
}
