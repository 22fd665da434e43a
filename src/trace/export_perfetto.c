#include <string.h>

#include "base/xalloc.h"
#include "trace/export_run.h"
#include "trace/run_table.h"

/* Lanes: one for operations, then one a request. A step is a microsecond. */
enum { PROCESS = 1, LANE_OPERATIONS = 1, LANE_REQUESTS = 10 };

struct timeline {
    const struct tape *t;
    struct cursor c;
    struct buf *out;
    uint32_t op, op_kind;     /* the operation that runs and its kind; 0: none */
    uint32_t *made;           /* (WORLD_NODES) step at which the node's tokens were inserted; 0: not known */
    uint32_t counted[4];      /* the last counters */
    uint32_t nodes, flows;
};

static void event(struct timeline *l, const char *ph, uint32_t lane, uint32_t at)
{
    buf_printf(l->out, ",\n{\"ph\":\"%s\",\"pid\":%d,\"tid\":%u,\"ts\":%u", ph, PROCESS, lane, at);
}

static void lane_name(struct timeline *l, uint32_t lane, const char *text)
{
    buf_printf(l->out, ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%u,\"name\":\"thread_name\",\"args\":{\"name\":", PROCESS, lane);
    buf_json(l->out, text, strlen(text));
    buf_puts(l->out, "}}");
}

/* ---- requests --------------------------------------------------------------------------------------------- */

static void put_request(struct timeline *l, const struct run_request *q)
{
    struct buf name = {0};
    buf_printf(&name, "request %u", q->number);
    if (q->label != 0)
        buf_printf(&name, " (%s)", store_name(tape_scene(l->t).s, q->label));
    lane_name(l, LANE_REQUESTS + q->number, buf_text(&name));
    event(l, "X", LANE_REQUESTS + q->number, q->begin);
    buf_printf(l->out, ",\"dur\":%u,\"cat\":\"request\",\"name\":", q->end - q->begin + 1);
    buf_json(l->out, buf_text(&name), name.len);
    buf_printf(l->out, ",\"args\":{\"outcome\":\"%s\",\"prompt\":%u,\"cached\":%u,\"computed\":%u,\"generated\":%u,"
                       "\"evicted_tokens\":%u}}",
               run_outcome_name(q->outcome), q->prompt, q->cached, q->computed, q->generated, q->evicted);
    l->out->failed = l->out->failed || name.failed;
    buf_free(&name);
}

/* ---- operations, counters, flows ---------------------------------------------------------------------------- */

static void end_operation(struct timeline *l, uint32_t at)
{
    if (l->op == 0)
        return;
    event(l, "X", LANE_OPERATIONS, l->op);
    buf_printf(l->out, ",\"dur\":%u,\"cat\":\"operation\",\"name\":\"%s\",\"args\":{\"steps\":%u}}", at - l->op,
               event_info(l->op_kind)->name, at - l->op);
}

static void count(struct timeline *l)
{
    const struct world *w = l->c.w;
    uint32_t free_slots = pool_free_slots(w), used = free_slots + w->head.evictable_size + w->head.protected_size;
    uint32_t now[4] = {free_slots, w->head.evictable_size, w->head.protected_size, w->head.pool - used};
    if (memcmp(now, l->counted, sizeof now) != 0 || l->c.at == 1) {
        event(l, "C", 0, l->c.at);
        buf_printf(l->out, ",\"name\":\"slots\",\"args\":{\"free\":%u,\"evictable\":%u,\"protected\":%u,\"held\":%u}}", now[0],
                   now[1], now[2], now[3]);
        memcpy(l->counted, now, sizeof now);
    }
    if (w->head.node_count != l->nodes) {
        event(l, "C", 0, l->c.at);
        buf_printf(l->out, ",\"name\":\"nodes\",\"args\":{\"nodes\":%u}}", w->head.node_count);
        l->nodes = w->head.node_count;
    }
}

/* An arrow from where the tokens were inserted to the match that found them. */
static void flow(struct timeline *l, uint32_t node)
{
    if (node == 0 || node >= WORLD_NODES || l->made[node] == 0)
        return;
    l->flows++;
    event(l, "s", LANE_OPERATIONS, l->made[node]);
    buf_printf(l->out, ",\"cat\":\"reuse\",\"name\":\"reuse\",\"id\":%u}", l->flows);
    event(l, "f", LANE_OPERATIONS, l->c.at);
    buf_printf(l->out, ",\"bp\":\"e\",\"cat\":\"reuse\",\"name\":\"reuse\",\"id\":%u}", l->flows);
}

/* A flow begins in a request's first match alone: the second one finds what it has just inserted itself. */
static void take_step(struct timeline *l, const struct step *s, bool *again)
{
    if (s->depth <= DEPTH_OPERATION) {
        end_operation(l, l->c.at);
        l->op = l->c.at;
        l->op_kind = s->kind;
    }
    switch (s->kind) {
    case EV_MATCH: *again = s->arg[event_arg(EV_MATCH, "again")] != 0; break;
    case EV_LEAF: l->made[s->arg[0]] = l->c.at; break;
    case EV_SPLIT: l->made[s->arg[1]] = l->made[s->arg[0]]; break;
    case EV_MATCHED:
        if (!*again && s->arg[1] > 0)
            flow(l, s->arg[0]);
        break;
    default: break;
    }
    if (s->settled)
        count(l);
}

static void head(struct timeline *l, const char *title)
{
    buf_puts(l->out, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"program\":\"radixscope\",\"title\":");
    buf_json(l->out, title, strlen(title));
    buf_printf(l->out, ",\"time\":\"the number of the step: one step is one microsecond\"},\"traceEvents\":[\n"
                       "{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":{\"name\":", PROCESS);
    buf_json(l->out, title, strlen(title));
    buf_puts(l->out, "}}");
    lane_name(l, LANE_OPERATIONS, "operations");
}

static void write_steps(struct timeline *l)
{
    int branch = tape_branch(l->t);
    uint32_t end = tape_length(l->t, branch);
    bool again = false;
    for (uint32_t n = 1; n <= end && !l->out->failed; n++) {
        struct step s;
        tape_step(l->t, branch, n, &s);
        cursor_seek(&l->c, branch, n);
        take_step(l, &s, &again);
    }
    end_operation(l, end + 1);
}

int export_perfetto_trace(const struct tape *t, const char *title, struct buf *out, struct err *e)
{
    struct run_table table;
    struct timeline l = {.t = t, .out = out};
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
