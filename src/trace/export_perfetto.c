#include <string.h>

#include "base/xalloc.h"
#include "trace/export_run.h"
#include "trace/run_table.h"

/* Lanes: one for operations, then one a request.
 *
 * Without a schedule a step is a microsecond. With one, time is its clock: forward passes and leaps take time and are
 * slices, all other operations happen at a moment (i). Below a request's slice stand its parts, to the first token and on.
 */
enum { PROCESS = 1, LANE_OPERATIONS = 1, LANE_REQUESTS = 10 };

struct made {
    uint64_t at;              /* when the node's tokens were inserted */
    uint32_t lane;            /* 0: not known */
};

struct timeline {
    const struct tape *t;
    const struct run_table *table;
    struct cursor c;
    struct buf *out;
    uint32_t op, op_kind;     /* the operation that runs and its kind; 0: none */
    uint64_t op_at, before;   /* when it began; the clock behind the step before */
    struct made *made;        /* (WORLD_NODES) */
    uint32_t counted[4];      /* the last counters */
    uint32_t served[2];       /* waiting, running */
    uint32_t nodes, flows;
};

/* The moment of the cursor's step. */
static uint64_t here(const struct timeline *l)
{
    return l->table->scheduled ? word_time(l->c.w->head.now) : l->c.at;
}

static void event(struct timeline *l, const char *ph, uint32_t lane, uint64_t at)
{
    buf_printf(l->out, ",\n{\"ph\":\"%s\",\"pid\":%d,\"tid\":%u,\"ts\":%llu", ph, PROCESS, lane, (unsigned long long)at);
}

static void lane_name(struct timeline *l, uint32_t lane, const char *text)
{
    buf_printf(l->out, ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%u,\"name\":\"thread_name\",\"args\":{\"name\":", PROCESS, lane);
    buf_json(l->out, text, strlen(text));
    buf_puts(l->out, "}}");
}

/* ---- requests --------------------------------------------------------------------------------------------- */

/* A part of a request's time, if it has one: the viewer puts it below the slice in which it lies. */
static void put_part(struct timeline *l, const struct run_request *q, const char *name, uint64_t from, uint64_t to)
{
    if (to <= from)
        return;
    event(l, "X", LANE_REQUESTS + q->number, from);
    buf_printf(l->out, ",\"dur\":%llu,\"cat\":\"part\",\"name\":\"%s\"}", (unsigned long long)(to - from), name);
}

/* From arrival to the end, or to where the clock stands. */
static void span_of(const struct timeline *l, const struct run_request *q, uint64_t *from, uint64_t *to)
{
    bool clock = l->table->scheduled;
    *from = !clock ? q->begin : q->planned ? q->arrived : q->finished;
    *to = !clock ? (uint64_t)q->end + 1 : q->outcome != RUN_UNFINISHED ? q->finished : (uint64_t)(l->table->serving.now * 1e3 + 0.5);
    *to = *to < *from ? *from : *to;
}

static void put_request(struct timeline *l, const struct run_request *q)
{
    struct buf name = {0};
    uint64_t from, to;
    span_of(l, q, &from, &to);
    buf_printf(&name, "request %u", q->number);
    if (q->label != 0)
        buf_printf(&name, " (%s)", store_name(tape_scene(l->t).s, q->label));
    lane_name(l, LANE_REQUESTS + q->number, buf_text(&name));
    event(l, "X", LANE_REQUESTS + q->number, from);
    buf_printf(l->out, ",\"dur\":%llu,\"cat\":\"request\",\"name\":", (unsigned long long)(to - from));
    buf_json(l->out, buf_text(&name), name.len);
    buf_printf(l->out, ",\"args\":{\"outcome\":\"%s\",\"prompt\":%u,\"cached\":%u,\"computed\":%u,\"generated\":%u,"
                       "\"evicted_tokens\":%u",
               run_outcome_name(q->outcome), q->prompt, q->cached, q->computed, q->generated, q->evicted);
    if (q->planned)
        buf_printf(l->out, ",\"queued_us\":%llu,\"longest_gap_us\":%u,\"good\":%s", (unsigned long long)q->queued,
                   q->longest_gap, q->good ? "true" : "false");
    buf_puts(l->out, "}}");
    if (q->planned && q->first != 0) {
        put_part(l, q, "to the first token", from, q->first);
        put_part(l, q, "decode", q->first, to);
    }
    l->out->failed = l->out->failed || name.failed;
    buf_free(&name);
}

/* ---- operations, counters, flows ---------------------------------------------------------------------------- */

/* `at`: the step behind it; l->before: the clock where it ends. */
static void end_operation(struct timeline *l, uint32_t at)
{
    bool clock = l->table->scheduled, moment = clock && l->before == l->op_at;
    if (l->op == 0)
        return;
    event(l, moment ? "i" : "X", LANE_OPERATIONS, l->op_at);
    if (moment)
        buf_puts(l->out, ",\"s\":\"t\"");
    else
        buf_printf(l->out, ",\"dur\":%llu", (unsigned long long)(clock ? l->before - l->op_at : at - l->op));
    buf_printf(l->out, ",\"cat\":\"operation\",\"name\":\"%s\",\"args\":{\"steps\":%u", event_info(l->op_kind)->name, at - l->op);
    if (clock)
        buf_printf(l->out, ",\"step\":%u", l->op);
    buf_puts(l->out, "}}");
}

static void count(struct timeline *l)
{
    const struct world *w = l->c.w;
    uint32_t free_slots = pool_free_slots(w), used = free_slots + w->head.evictable_size + w->head.protected_size;
    uint32_t now[4] = {free_slots, w->head.evictable_size, w->head.protected_size, w->head.pool - used};
    if (memcmp(now, l->counted, sizeof now) != 0 || l->c.at == 1) {
        event(l, "C", 0, here(l));
        buf_printf(l->out, ",\"name\":\"slots\",\"args\":{\"free\":%u,\"evictable\":%u,\"protected\":%u,\"held\":%u}}", now[0],
                   now[1], now[2], now[3]);
        memcpy(l->counted, now, sizeof now);
    }
    if (w->head.node_count != l->nodes) {
        event(l, "C", 0, here(l));
        buf_printf(l->out, ",\"name\":\"nodes\",\"args\":{\"nodes\":%u}}", w->head.node_count);
        l->nodes = w->head.node_count;
    }
    uint32_t served[2] = {w->head.queue_count, w->head.batch_count + (w->head.chunked_req != 0)};
    if (l->table->scheduled && memcmp(served, l->served, sizeof served) != 0) {
        event(l, "C", 0, here(l));
        buf_printf(l->out, ",\"name\":\"requests\",\"args\":{\"waiting\":%u,\"running\":%u}}", served[0], served[1]);
        memcpy(l->served, served, sizeof served);
    }
}

/* The lane of a request of the world; that of operations for nobody's. Without a clock all stand in the latter. */
static uint32_t lane_of(const struct timeline *l, uint32_t req)
{
    bool own = l->table->scheduled && req != 0 && req < WORLD_REQUESTS;
    return own ? LANE_REQUESTS + l->c.w->request[req].rid : LANE_OPERATIONS;
}

/* An arrow from where the tokens were inserted to the match that found them. With a clock both ends lie in the slices of
 * the two requests; an insertion may be the last thing in one, so the arrow leaves a microsecond before it. */
static void flow(struct timeline *l, uint32_t node, uint32_t req)
{
    if (node == 0 || node >= WORLD_NODES || l->made[node].lane == 0)
        return;
    bool clock = l->table->scheduled && l->made[node].at > 0;
    l->flows++;
    event(l, "s", l->made[node].lane, l->made[node].at - clock);
    buf_printf(l->out, ",\"cat\":\"reuse\",\"name\":\"reuse\",\"id\":%u}", l->flows);
    event(l, "f", lane_of(l, req), here(l));
    buf_printf(l->out, ",\"bp\":\"e\",\"cat\":\"reuse\",\"name\":\"reuse\",\"id\":%u}", l->flows);
}

/* A flow begins in a request's first match alone: the second one finds what it has just inserted itself. */
static void take_step(struct timeline *l, const struct step *s, bool *again, uint32_t *by)
{
    if (s->depth <= DEPTH_OPERATION) {
        end_operation(l, l->c.at);
        l->op = l->c.at;
        l->op_at = l->table->scheduled ? l->before : l->c.at;
        l->op_kind = s->kind;
    }
    switch (s->kind) {
    case EV_MATCH: *again = s->arg[event_arg(EV_MATCH, "again")] != 0; break;
    case EV_INSERT: *by = s->arg[0]; break;
    case EV_LEAF: l->made[s->arg[0]] = (struct made){here(l), lane_of(l, *by)}; break;
    case EV_SPLIT: l->made[s->arg[1]] = l->made[s->arg[0]]; break;
    case EV_MATCHED:
        if (!*again && s->arg[1] > 0)
            flow(l, s->arg[0], s->arg[event_arg(EV_MATCHED, "req")]);
        break;
    default: break;
    }
    if (s->settled)
        count(l);
    l->before = here(l);
}

static void head(struct timeline *l, const char *title)
{
    buf_puts(l->out, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"program\":\"radixscope\",\"title\":");
    buf_json(l->out, title, strlen(title));
    if (l->table->scheduled) {
        buf_puts(l->out, ",\"time\":\"the virtual clock of the schedule, microseconds\",\"clock\":");
        buf_json(l->out, l->table->clock, strlen(l->table->clock));
    } else
        buf_puts(l->out, ",\"time\":\"the number of the step: one step is one microsecond\"");
    buf_printf(l->out, "},\"traceEvents\":[\n"
                       "{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":{\"name\":", PROCESS);
    buf_json(l->out, title, strlen(title));
    buf_puts(l->out, "}}");
    lane_name(l, LANE_OPERATIONS, "operations");
}

static void write_steps(struct timeline *l)
{
    int branch = tape_branch(l->t);
    uint32_t end = tape_length(l->t, branch);
    uint32_t by = 0; /* who inserts */
    bool again = false;
    for (uint32_t n = 1; n <= end && !l->out->failed; n++) {
        struct step s;
        tape_step(l->t, branch, n, &s);
        cursor_seek(&l->c, branch, n);
        take_step(l, &s, &again, &by);
    }
    end_operation(l, end + 1);
}

int export_perfetto_trace(const struct tape *t, const char *title, struct buf *out, struct err *e)
{
    struct run_table table;
    struct timeline l = {.t = t, .table = &table, .out = out};
    int rc = run_table_of(t, &table, e);
    if (rc == 0 && (l.made = xreserve(WORLD_NODES * sizeof *l.made)) == NULL)
        rc = err_memory(e, WORLD_NODES * sizeof *l.made, "a timeline");
    if (rc == 0)
        rc = cursor_init(&l.c, t, e);
    if (rc == 0) {
        head(&l, title);
        for (size_t i = 0; i < table.requests; i++)
            if (table.request[i].number != 0)
                put_request(&l, &table.request[i]);
        write_steps(&l);
        buf_puts(out, "\n]}\n");
        cursor_done(&l.c);
    }
    if (l.made != NULL)
        xunreserve(l.made, WORLD_NODES * sizeof *l.made);
    run_table_free(&table);
    return rc;
}
