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

static void json_request(const struct tape *t, const struct run_request *q, struct buf *out)
{
    buf_printf(out, "{\"request\":%u", q->number);
    json_name(t, "label", q->label, out);
    json_name(t, "namespace", q->ns, out);
    buf_printf(out, ",\"outcome\":\"%s\",\"reason\":", run_outcome_name(q->outcome));
    buf_json(out, finish_reason_text(q->reason), strlen(finish_reason_text(q->reason)));
    buf_printf(out, ",\"arrived\":%u,\"finished\":%u,\"prompt\":%u,\"cached\":%u,\"computed\":%u,\"generated\":%u,"
                    "\"evictions\":%u,\"evicted_tokens\":%u}",
               q->begin, q->end, q->prompt, q->cached, q->computed, q->generated, q->evictions, q->evicted);
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
                    ",\"hit_rate\":%.6f,\"evictions\":%u,\"evicted_tokens\":%u,\"steps\":%u}}\n",
               s.requests, s.answered, s.refused, s.aborted, s.prompt, s.cached, s.computed, s.generated,
               hit_rate(s.cached, s.prompt), table->evictions, table->evicted, table->steps);
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
        buf_printf(out, ",\n\"policy\":\"%s\",\"rules\":\"%s\",\"page_size\":%u,\"pool\":%u,\"time\":\"step\",\n\"requests\":[",
                   policy_name(w->head.policy), w->head.rules == RULES_UNIFIED ? "unified" : "classic", w->head.page_size,
                   w->head.pool);
        for (size_t i = 0; i < table.requests; i++)
            if (table.request[i].number != 0) {
                buf_puts(out, any ? ",\n  " : "\n  ");
                json_request(t, &table.request[i], out);
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

static void csv_request(const struct tape *t, const struct run_request *q, struct buf *out)
{
    buf_printf(out, "%u,", q->number);
    csv_text(store_name(tape_scene(t).s, q->label), out);
    buf_putc(out, ',');
    csv_text(store_name(tape_scene(t).s, q->ns), out);
    buf_printf(out, ",%s,%u,%u,%u,%u,%u,%u,%.6f,%u,%u\n", run_outcome_name(q->outcome), q->begin, q->end, q->prompt, q->cached,
               q->computed, q->generated, hit_rate(q->cached, q->prompt), q->evictions, q->evicted);
}

int export_metrics_csv(const struct tape *t, struct buf *out, struct err *e)
{
    struct run_table table;
    int rc = run_table_of(t, &table, e);
    if (rc == 0) {
        struct run_totals s = run_table_totals(&table);
        buf_puts(out, "request,label,namespace,outcome,arrived,finished,prompt,cached,computed,generated,hit_rate,evictions,"
                      "evicted_tokens\n");
        for (size_t i = 0; i < table.requests; i++)
            if (table.request[i].number != 0)
                csv_request(t, &table.request[i], out);
        buf_printf(out, "total,,,%u answered,1,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.6f,%u,%u\n", s.answered,
                   table.steps, s.prompt, s.cached, s.computed, s.generated, hit_rate(s.cached, s.prompt), table.evictions,
                   table.evicted);
    }
    run_table_free(&table);
    return rc;
}
