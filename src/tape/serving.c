#include "tape/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"

enum { MOST_LINES = 100, LABEL_CELLS = 8 };

static double ms(uint64_t us)
{
    return (double)us / 1e3;
}

static double since(const struct world *w, const uint32_t at[2])
{
    uint64_t now = word_time(w->head.now), then = word_time(at);
    return now > then ? ms(now - then) : 0;
}

static bool has_first(const struct world *w, uint32_t r)
{
    return word_time(w->served[r].first) != 0;
}

static double first_ms(const struct world *w, uint32_t r)
{
    uint64_t came = word_time(w->served[r].arrived), first = word_time(w->served[r].first);
    return first > came ? ms(first - came) : 0;
}

bool serving_good(const struct world *w, uint32_t r)
{
    const struct request *q = &w->request[r];
    return q->state == REQ_FINISHED && q->finish_reason != FINISH_NO_SLOTS && has_first(w, r) &&
           first_ms(w, r) <= ms(w->head.slo_first) && w->served[r].longest_gap <= w->head.slo_gap;
}

/* ---- metrics ------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void quantiles(const struct world *w, struct serving *m)
{
    double *first = xcalloc((size_t)m->firsts + 1, sizeof *first);
    uint32_t n = 0;
    if (first == NULL)
        m->firsts = 0;
    for (uint32_t r = 1; r < w->head.request_top && n < m->firsts; r++)
        if (has_first(w, r))
            first[n++] = first_ms(w, r);
    if (n > 0) {
        qsort(first, n, sizeof *first, by_value);
        m->first_median = (first[(n - 1) / 2] + first[n / 2]) / 2;
        m->first_p99 = first[(uint32_t)(((uint64_t)n * 99 + 99) / 100) - 1];
    }
    xfree(first);
}

static void add_request(const struct world *w, uint32_t r, struct serving *m, double *gaps, uint64_t *gap_n, uint64_t *made)
{
    const struct request *q = &w->request[r];
    const struct served *s = &w->served[r];
    uint32_t out = q->total_len - q->prompt_len;
    m->answered += q->state == REQ_FINISHED;
    m->refused += q->state == REQ_REFUSED;
    m->aborted += q->state == REQ_ABORTED;
    m->good += serving_good(w, r);
    m->retractions += s->retracted;
    *made += out;
    if (q->state == REQ_WAITING &&
        (m->waits_longest == 0 || word_time(s->arrived) < word_time(w->served[m->waits_longest].arrived)))
        m->waits_longest = r;
    if (s->passed > 0 && (m->passed_most == 0 || s->passed > w->served[m->passed_most].passed))
        m->passed_most = r;
    if (!has_first(w, r))
        return;
    m->firsts++;
    m->first_mean += first_ms(w, r);
    if (out > 1) {
        *gaps += ms(word_time(s->latest) - word_time(s->first));
        *gap_n += out - 1;
    }
    m->gap_worst = ms(s->longest_gap) > m->gap_worst ? ms(s->longest_gap) : m->gap_worst;
}

struct serving serving_metrics(const struct world *w)
{
    const struct head *h = &w->head;
    struct serving m = {.now = ms(word_time(h->now)), .waiting = h->queue_count,
                        .running = h->batch_count + (h->chunked_req != 0)};
    uint64_t gap_n = 0, made = 0;
    double gaps = 0;
    if (h->sched == 0)
        return m;
    for (uint32_t r = 1; r < h->request_top; r++) {
        m.planned += w->request[r].state == REQ_PLANNED;
        add_request(w, r, &m, &gaps, &gap_n, &made);
    }
    m.first_mean /= m.firsts > 0 ? m.firsts : 1;
    m.gap_mean = gap_n > 0 ? gaps / (double)gap_n : 0;
    m.tokens_per_s = m.now > 0 ? (double)made / m.now * 1e3 : 0;
    m.good_per_s = m.now > 0 ? m.good / m.now * 1e3 : 0;
    quantiles(w, &m);
    return m;
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

struct telling_of {
    struct scene sc;
    const struct world *w;
    uint32_t about;
    serving_line line;
    void *ctx;
};

static void say(const struct telling_of *t, enum serving_style style, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void say(const struct telling_of *t, enum serving_style style, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    t->line(t->ctx, style, text);
}

/* "r3 cold   ": the number that people see, and its label. */
static const char *name_of(const struct telling_of *t, uint32_t r, char *out, size_t n)
{
    snprintf(out, n, "r%u %.*s", t->w->request[r].rid, LABEL_CELLS, store_name(t->sc.s, t->w->request[r].label));
    return out;
}

static enum serving_style style_of(const struct telling_of *t, uint32_t r)
{
    return r == t->about && r != 0 ? SERVING_HERE : SERVING_LINE;
}

static const char *policy_text(const struct world *w)
{
    static const char *const names[] = {"fcfs", "lpm", "dfs-weight", "lof", "random", "routing-key"};
    return w->head.sched >= 1 && w->head.sched <= ARRAY_LEN(names) ? names[w->head.sched - 1] : "?";
}

static void tell_budgets(const struct telling_of *t)
{
    const struct head *h = &t->w->head;
    say(t, SERVING_TITLE, "%.2f ms   %s   pass %u   round %u", ms(word_time(h->now)), policy_text(t->w), h->passes, h->rounds);
    say(t, SERVING_LINE, "slots: %u free + %u evictable   new_token_ratio %.3f", pool_free_slots(t->w), h->evictable_size,
        word_double(h->ratio));
    if (h->chunk_limit > 0)
        say(t, SERVING_LINE, "a prefill pass: at most %u tokens, chunks of %u", h->max_prefill, h->chunk_limit);
    else
        say(t, SERVING_LINE, "a prefill pass: at most %u tokens, whole prompts", h->max_prefill);
}

/* Why it still waits, in the words of the last pass. */
static void tell_reason(const struct telling_of *t, uint32_t r)
{
    const struct served *s = &t->w->served[r];
    char who[40];
    if (s->held_by != 0)
        say(t, SERVING_NOTE, "     held back: %.24s computes %u of its tokens", name_of(t, s->held_by, who, sizeof who), s->shared);
    if (s->rank == 0)
        say(t, SERVING_NOTE, "     new: no pass has looked at it yet");
    else if (s->held_by == 0 || s->why != SCHED_WHY_NOT_TRIED)
        say(t, SERVING_NOTE, "     %s", sched_why_text(s->why));
    if (s->passed == 1)
        say(t, SERVING_NOTE, "     passed once by a later one");
    else if (s->passed > 1)
        say(t, SERVING_NOTE, "     passed %u times by later ones", s->passed);
}

static void tell_queue(const struct telling_of *t)
{
    const struct world *w = t->w;
    uint32_t n = 0;
    char who[40];
    say(t, SERVING_TITLE, "Waiting: %u, in the order of the last pass", w->head.queue_count);
    if (w->head.queue_first != 0)
        say(t, SERVING_NOTE, "   #  request     cached of length   max out    waited");
    for (uint32_t r = w->head.queue_first; r != 0 && n < MOST_LINES && n < w->head.request_top; r = w->served[r].next, n++) {
        const struct request *q = &w->request[r];
        say(t, style_of(t, r), "%4u  %-12s %5u of %-6u %7u  %8.2f ms", n + 1, name_of(t, r, who, sizeof who), w->served[r].prefix,
            q->total_len, q->max_new, since(w, w->served[r].arrived));
        tell_reason(t, r);
    }
    if (w->head.queue_count > n)
        say(t, SERVING_NOTE, "     and %u more", w->head.queue_count - n);
}

static void tell_running(const struct telling_of *t, uint32_t r)
{
    const struct request *q = &t->w->request[r];
    char who[40];
    if (q->state == REQ_DECODE)
        say(t, style_of(t, r), "      %-12s decode: %u of at most %u tokens", name_of(t, r, who, sizeof who), q->total_len - q->prompt_len,
            q->max_new);
    else
        say(t, style_of(t, r), "      %-12s prefill: %u of %u tokens computed%s", name_of(t, r, who, sizeof who), q->computed_len,
            q->total_len, r == t->w->head.chunked_req ? ", in chunks" : "");
}

static void tell_batch(const struct telling_of *t)
{
    const struct head *h = &t->w->head;
    uint32_t n = 0;
    say(t, SERVING_TITLE, "Running: %u of at most %u%s", h->batch_count + (h->chunked_req != 0), h->max_running,
        h->batch_full ? " (full: nobody is admitted)" : "");
    if (h->chunked_req != 0)
        tell_running(t, h->chunked_req);
    for (uint32_t r = h->batch_first; r != 0 && n < MOST_LINES && n < h->request_top; r = t->w->served[r].next, n++)
        tell_running(t, r);
}

static void tell_waits(const struct telling_of *t, const struct serving *m)
{
    char who[40];
    if (m->waits_longest != 0)
        say(t, SERVING_LINE, "waits longest: %.24s, %.2f ms", name_of(t, m->waits_longest, who, sizeof who),
            since(t->w, t->w->served[m->waits_longest].arrived));
    if (m->passed_most != 0)
        say(t, SERVING_LINE, "passed most: %.24s, by %u that came later", name_of(t, m->passed_most, who, sizeof who),
            t->w->served[m->passed_most].passed);
}

static void tell_metrics(const struct telling_of *t)
{
    struct serving m = serving_metrics(t->w);
    const struct head *h = &t->w->head;
    say(t, SERVING_TITLE, "So far: %u answered, %u refused, %u aborted, %u to come", m.answered, m.refused, m.aborted, m.planned);
    tell_waits(t, &m);
    if (m.retractions > 0)
        say(t, SERVING_LINE, "sent back to the queue: %u times", m.retractions);
    if (m.firsts > 0)
        say(t, SERVING_LINE, "TTFT mean %.2f, median %.2f, p99 %.2f ms", m.first_mean, m.first_median, m.first_p99);
    if (m.gap_worst > 0)
        say(t, SERVING_LINE, "ITL mean %.2f, worst %.2f ms", m.gap_mean, m.gap_worst);
    say(t, SERVING_LINE, "throughput %.1f tokens/s, goodput %.2f requests/s", m.tokens_per_s, m.good_per_s);
    say(t, SERVING_NOTE, "good: TTFT up to %.4g ms and every gap up to %.4g ms", ms(h->slo_first), ms(h->slo_gap));
    say(t, SERVING_NOTE, "the clock is virtual: %.160s", store_name(t->sc.s, h->cost_text));
    for (uint32_t r = 1; r < h->request_top; r++)
        if (t->w->served[r].given) {
            say(t, SERVING_NOTE, "no model runs: the script gives the answers");
            break;
        }
}

void serving_tell(struct scene sc, uint32_t about, serving_line line, void *ctx)
{
    struct telling_of t = {sc, sc.w, about, line, ctx};
    if (sc.w->head.sched == 0) {
        say(&t, SERVING_LINE, "No schedule here: requests run one at a time.");
        say(&t, SERVING_NOTE, "A scenario with a line like `schedule lpm` has a queue and a batch: try lpm-starves.");
        return;
    }
    tell_budgets(&t);
    tell_queue(&t);
    tell_batch(&t);
    tell_metrics(&t);
}
