/* Figures of schedules: when requests came, in which order they were taken, what a pass computed. Times are
 * milliseconds of the virtual clock. */
#include <string.h>

#include "lesson/figures_parts.h"

int figure_now(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    if (!call_scene(call, &sc, e))
        return -1;
    value_number(out, (double)word_time(sc.w->head.now) / 1000);
    return 0;
}

/* A request and its part in the schedule. */
static const struct served *call_served(const struct figure_call *call, struct err *e)
{
    struct scene sc;
    uint32_t req;
    return call_request(call, 0, &sc, &req, e) == 0 ? &sc.w->served[req] : NULL;
}

/* From its arrival until `then`; 0 stands for never. */
static int since_arrival(const struct served *p, const uint32_t then[2], struct value *out, struct err *e)
{
    if (word_time(then) == 0)
        return err_set(e, "this request has no token yet, or there is no schedule");
    value_number(out, (double)(word_time(then) - word_time(p->arrived)) / 1000);
    return 0;
}

int figure_ttft(const struct figure_call *call, struct value *out, struct err *e)
{
    const struct served *p = call_served(call, e);
    return p != NULL ? since_arrival(p, p->first, out, e) : -1;
}

int figure_took(const struct figure_call *call, struct value *out, struct err *e)
{
    const struct served *p = call_served(call, e);
    return p != NULL ? since_arrival(p, p->latest, out, e) : -1;
}

int figure_overtaken(const struct figure_call *call, struct value *out, struct err *e)
{
    const struct served *p = call_served(call, e);
    if (p == NULL)
        return -1;
    value_number(out, p->passed);
    return 0;
}

/* ---- what requests found, all together ------------------------------------------------------------------ */

static int sum_requests(const struct figure_call *call, bool cached, struct value *out, struct err *e)
{
    struct scene sc;
    double sum = 0;
    if (!call_scene(call, &sc, e))
        return -1;
    for (uint32_t r = 1; r < sc.w->head.request_top; r++)
        if (sc.w->request[r].state == REQ_FINISHED)
            sum += cached ? sc.w->request[r].cached_len : sc.w->request[r].prompt_len;
    value_number(out, sum);
    return 0;
}

int figure_all_cached(const struct figure_call *call, struct value *out, struct err *e)
{
    return sum_requests(call, true, out, e);
}

int figure_all_prompts(const struct figure_call *call, struct value *out, struct err *e)
{
    return sum_requests(call, false, out, e);
}

int figure_answered(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t n = 0;
    if (!call_scene(call, &sc, e))
        return -1;
    for (uint32_t r = 1; r < sc.w->head.request_top; r++)
        n += sc.w->request[r].state == REQ_FINISHED;
    value_number(out, n);
    return 0;
}

/* ---- orders and passes ------------------------------------------------------------------------------------ */

/* Its label, or its number. */
static void request_name(struct scene sc, uint32_t req, struct buf *b)
{
    const struct request *q = &sc.w->request[req];
    buf_puts(b, b->len > 0 ? " " : "");
    if (q->label != 0)
        buf_puts(b, store_name(sc.s, q->label));
    else
        buf_printf(b, "%u", q->rid);
}

/* The requests of all events of `kind` between the pass numbers `first` and `last` (from 1; 0: before the first one). */
static int name_requests(struct lesson_env env, unsigned kind, uint32_t first, uint32_t last, struct value *out,
                         struct err *e)
{
    struct buf b = {0};
    struct step step;
    struct scene sc = env_scene(&env);
    uint32_t pass = 0;
    for (uint32_t n = env.from + 1; n <= env.at; n++) {
        tape_step(env.scene->cursor.tape, env.branch, n, &step);
        pass += step.kind == EV_PASS;
        if (step.kind == kind && pass >= first && pass <= last)
            request_name(sc, step.arg[event_arg(kind, "req")], &b);
    }
    int rc = b.failed ? err_memory(e, b.len, "a figure") : value_text(out, buf_text(&b), e);
    buf_free(&b);
    return rc;
}

int figure_taken(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    return call_range(call, 0, &env, e) != 0 ? -1 : name_requests(env, EV_TAKEN, 0, UINT32_MAX, out, e);
}

int figure_in_pass(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    uint32_t k;
    if (call_count(call, 0, 1, &k, e) != 0 || call_range(call, 1, &env, e) != 0)
        return -1;
    return name_requests(env, EV_PART, k, k, out, e);
}

/* ---- what attention read ------------------------------------------------------------------------------------ */

/* An argument of all shared_read steps of a block, added up. */
static int sum_reads(const struct figure_call *call, const char *field, struct value *out, struct err *e)
{
    struct lesson_env env;
    struct step step;
    double sum = 0;
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    for (uint32_t n = env.from + 1; n <= env.at; n++) {
        tape_step(env.scene->cursor.tape, env.branch, n, &step);
        if (step.kind == EV_SHARED_READ)
            sum += step.arg[event_arg(EV_SHARED_READ, field)];
    }
    value_number(out, sum);
    return 0;
}

int figure_rows_read(const struct figure_call *call, struct value *out, struct err *e)
{
    return sum_reads(call, "rows", out, e);
}

int figure_rows_alone(const struct figure_call *call, struct value *out, struct err *e)
{
    return sum_reads(call, "alone", out, e);
}
