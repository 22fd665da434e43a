#include <inttypes.h>
#include <string.h>

#include "trace/export_run.h"
#include "trace/run_table.h"

static void json_name(const struct tape *t, const char *field, uint32_t name, struct buf *out)
{
    const char *text = store_name(tape_scene(t).s, name);
    buf_printf(out, ",\"%s\":", field);
    if (name == 0)
        buf_puts(out, "null");
    else
        buf_json(out, text, strlen(text));
}

static double ms(uint64_t us)
{
    return (double)us / 1e3;
}

/* A time that is not known is null in JSON and empty in CSV. */
static void put_ms(const char *before, bool known, double value, const char *none, struct buf *out)
{
    buf_puts(out, before);
    if (known)
        buf_printf(out, "%.3f", value);
    else
        buf_puts(out, none);
}

static bool has_ended(const struct run_request *q)
{
    return q->outcome != RUN_UNFINISHED;
}

static void json_times(const struct run_request *q, struct buf *out)
{
    bool first = q->planned && q->first != 0;
    put_ms(",\"arrived_ms\":", q->planned, ms(q->arrived), "null", out);
    put_ms(",\"finished_ms\":", q->planned && has_ended(q), ms(q->finished), "null", out);
    put_ms(",\"queued_ms\":", q->planned, ms(q->queued), "null", out);
    put_ms(",\"ttft_ms\":", first, ms(q->first - q->arrived), "null", out);
    put_ms(",\"itl_mean_ms\":", first && q->generated > 1, run_request_gap(q) / 1e3, "null", out);
    put_ms(",\"itl_longest_ms\":", first && q->generated > 1, ms(q->longest_gap), "null", out);
    buf_printf(out, ",\"good\":%s,\"retracted\":%u", q->good ? "true" : "false", q->retracted);
}

static void json_serving(const struct run_table *t, struct buf *out)
{
    const struct serving *m = &t->serving;
    bool tokens = m->firsts > 0;
    put_ms(",\"clock_ms\":", true, m->now, "null", out);
    put_ms(",\"ttft_mean_ms\":", tokens, m->first_mean, "null", out);
    put_ms(",\"ttft_median_ms\":", tokens, m->first_median, "null", out);
    put_ms(",\"ttft_p99_ms\":", tokens, m->first_p99, "null", out);
    put_ms(",\"itl_mean_ms\":", m->gap_mean > 0, m->gap_mean, "null", out);
    put_ms(",\"itl_longest_ms\":", m->gap_worst > 0, m->gap_worst, "null", out);
    buf_printf(out, ",\"tokens_per_s\":%.3f,\"good\":%u,\"goodput_per_s\":%.3f,\"queue_mean\":%.3f,\"queue_longest\":%u,"
                    "\"retracted\":%u", m->tokens_per_s, m->good, m->good_per_s, t->queue_mean, t->queue_most, m->retractions);
}

static void json_request(const struct tape *t, const struct run_request *q, bool scheduled, struct buf *out)
{
    buf_printf(out, "{\"request\":%u", q->number);
    json_name(t, "label", q->label, out);
    json_name(t, "namespace", q->ns, out);
    buf_printf(out, ",\"outcome\":\"%s\",\"reason\":", run_outcome_name(q->outcome));
    buf_json(out, finish_reason_text(q->reason), strlen(finish_reason_text(q->reason)));
    buf_printf(out, ",\"arrived\":%u,\"finished\":%u,\"prompt\":%u,\"cached\":%u,\"computed\":%u,\"generated\":%u,"
                    "\"evictions\":%u,\"evicted_tokens\":%u",
               q->begin, q->end, q->prompt, q->cached, q->computed, q->generated, q->evictions, q->evicted);
    if (scheduled)
        json_times(q, out);
    buf_puts(out, "}");
}

static double hit_rate(uint64_t cached, uint64_t prompt)
{
    return prompt > 0 ? (double)cached / (double)prompt : 0;
}

static void json_totals(const struct run_table *table, struct buf *out)
{
    struct run_totals s = run_table_totals(table);
    buf_printf(out, "\"totals\":{\"requests\":%u,\"answered\":%u,\"refused\":%u,\"aborted\":%u,\"prompt\":%" PRIu64
                    ",\"cached\":%" PRIu64 ",\"computed\":%" PRIu64 ",\"generated\":%" PRIu64
                    ",\"hit_rate\":%.6f,\"evictions\":%u,\"evicted_tokens\":%u,\"steps\":%u",
               s.requests, s.answered, s.refused, s.aborted, s.prompt, s.cached, s.computed, s.generated,
               hit_rate(s.cached, s.prompt), table->evictions, table->evicted, table->steps);
    if (table->scheduled)
        json_serving(table, out);
    buf_puts(out, "}}\n");
}

/* What time is here: steps always, and with a schedule its clock. */
static void json_clock(const struct run_table *t, struct buf *out)
{
    if (!t->scheduled) {
        buf_puts(out, "\"time\":\"step\",\n");
        return;
    }
    buf_puts(out, "\"time\":\"arrived and finished: step; all _ms: the virtual clock of the schedule\",\n\"clock\":");
    buf_json(out, t->clock, strlen(t->clock));
    buf_printf(out, ",\n\"limits\":{\"ttft_ms\":%.3f,\"itl_longest_ms\":%.3f},\n", ms(t->slo_first), ms(t->slo_gap));
}

int export_metrics_json(const struct tape *t, const char *title, struct buf *out, struct err *e)
{
    struct run_table table;
    const struct world *w = tape_scene(t).w;
    bool any = false;
    int rc = run_table_of(t, &table, e);
    if (rc == 0) {
        buf_puts(out, "{\"format\":\"radixscope metrics\",\"version\":1,\"title\":");
        buf_json(out, title, strlen(title));
        buf_printf(out, ",\n\"policy\":\"%s\",\"rules\":\"%s\",\"page_size\":%u,\"pool\":%u,\n",
                   policy_name(w->head.policy), w->head.rules == RULES_UNIFIED ? "unified" : "classic", w->head.page_size,
                   w->head.pool);
        json_clock(&table, out);
        buf_puts(out, "\"requests\":[");
        for (size_t i = 0; i < table.requests; i++)
            if (table.request[i].number != 0) {
                buf_puts(out, any ? ",\n  " : "\n  ");
                json_request(t, &table.request[i], table.scheduled, out);
                any = true;
            }
        buf_puts(out, "],\n");
        json_totals(&table, out);
    }
    run_table_free(&table);
    return rc;
}

/* Quoted where a comma, a quote or a line's end is in it; a quote is doubled. */
static void csv_text(const char *text, struct buf *out)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    buf_puts(out, quoted ? "\"" : "");
    for (; *text != '\0'; text++) {
        buf_puts(out, *text == '"' ? "\"" : "");
        buf_putc(out, *text);
    }
    buf_puts(out, quoted ? "\"" : "");
}

static const char CSV_TIMES[] = ",arrived_ms,finished_ms,queued_ms,ttft_ms,itl_mean_ms,itl_longest_ms,good,retracted";

static void csv_times(const struct run_request *q, struct buf *out)
{
    bool first = q->planned && q->first != 0;
    put_ms(",", q->planned, ms(q->arrived), "", out);
    put_ms(",", q->planned && has_ended(q), ms(q->finished), "", out);
    put_ms(",", q->planned, ms(q->queued), "", out);
    put_ms(",", first, ms(q->first - q->arrived), "", out);
    put_ms(",", first && q->generated > 1, run_request_gap(q) / 1e3, "", out);
    put_ms(",", first && q->generated > 1, ms(q->longest_gap), "", out);
    buf_printf(out, ",%d,%u", q->good, q->retracted);
}

/* The same columns of the total: from 0 to the clock's end, means, the longest gap, the number of good ones. */
static void csv_serving(const struct run_table *t, struct buf *out)
{
    const struct serving *m = &t->serving;
    size_t planned = 0;
    double queued = 0;
    for (size_t i = 0; i < t->requests; i++) {
        planned += t->request[i].planned;
        queued += ms(t->request[i].queued);
    }
    put_ms(",0.000,", true, m->now, "", out);
    put_ms(",", planned > 0, queued / (double)(planned > 0 ? planned : 1), "", out);
    put_ms(",", m->firsts > 0, m->first_mean, "", out);
    put_ms(",", m->gap_mean > 0, m->gap_mean, "", out);
    put_ms(",", m->gap_worst > 0, m->gap_worst, "", out);
    buf_printf(out, ",%u,%u", m->good, m->retractions);
}

static void csv_request(const struct tape *t, const struct run_request *q, bool scheduled, struct buf *out)
{
    buf_printf(out, "%u,", q->number);
    csv_text(store_name(tape_scene(t).s, q->label), out);
    buf_putc(out, ',');
    csv_text(store_name(tape_scene(t).s, q->ns), out);
    buf_printf(out, ",%s,%u,%u,%u,%u,%u,%u,%.6f,%u,%u", run_outcome_name(q->outcome), q->begin, q->end, q->prompt, q->cached,
               q->computed, q->generated, hit_rate(q->cached, q->prompt), q->evictions, q->evicted);
    if (scheduled)
        csv_times(q, out);
    buf_putc(out, '\n');
}

int export_metrics_csv(const struct tape *t, struct buf *out, struct err *e)
{
    struct run_table table;
    int rc = run_table_of(t, &table, e);
    if (rc == 0) {
        struct run_totals s = run_table_totals(&table);
        buf_puts(out, "request,label,namespace,outcome,arrived,finished,prompt,cached,computed,generated,hit_rate,evictions,"
                      "evicted_tokens");
        buf_printf(out, "%s\n", table.scheduled ? CSV_TIMES : "");
        for (size_t i = 0; i < table.requests; i++)
            if (table.request[i].number != 0)
                csv_request(t, &table.request[i], table.scheduled, out);
        buf_printf(out, "total,,,%u answered,1,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.6f,%u,%u", s.answered,
                   table.steps, s.prompt, s.cached, s.computed, s.generated, hit_rate(s.cached, s.prompt), table.evictions,
                   table.evicted);
        if (table.scheduled)
            csv_serving(&table, out);
        buf_putc(out, '\n');
    }
    run_table_free(&table);
    return rc;
}
