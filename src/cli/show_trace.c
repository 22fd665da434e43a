#include "cli/show_trace.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli/interrupt.h"
#include "cli/plain.h"
#include "cli/session.h"

bool is_trace_name(const char *path)
{
    static const char *const ENDS[] = {".jsonl", ".jsonl.zst", ".jsonl.gz"};
    size_t n = strlen(path);
    for (size_t i = 0; i < ARRAY_LEN(ENDS); i++)
        if (n > strlen(ENDS[i]) && strcmp(path + n - strlen(ENDS[i]), ENDS[i]) == 0)
            return true;
    return false;
}

int trace_options_of(const struct cli *c, struct trace_options *o, struct err *e)
{
    const char *capacity = c->option[OPT_CAPACITY], *policy = c->option[OPT_POLICY], *part = c->option[OPT_REQUESTS];
    *o = (struct trace_options){.capacity = TRACE_CAPACITY};
    if (capacity != NULL && replay_capacity_parse(capacity, strlen(capacity), &o->capacity, e) != 0)
        return -1;
    bool belady = policy != NULL && strcasecmp(policy, policy_name(POLICY_COUNT)) == 0;
    if (belady)
        o->policy = POLICY_COUNT;
    else if (policy != NULL && policy_parse(policy, &o->policy, e) != 0) {
        e->usage = true;
        return -1;
    }
    if (cli_count(c, OPT_BLOCK, 0, &o->block, e) != 0)
        return -1;
    return part != NULL ? trace_range_parse(part, &o->first, &o->last, e) : 0;
}

/* ---- words ----------------------------------------------------------------------------------------------- */

static void block_text(void *ctx, uint32_t id, struct buf *b)
{
    buf_printf(b, "#%u", tracer_id(ctx, id));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* "sweep's rule, 512-token ids: trace.jsonl": what matters most first, because the rest may be cut; in the first line of the screen at every moment. */
static void title_of(const char *path, struct tracer *t, char *out, size_t size)
{
    struct tracer_status st;
    tracer_get_status(t, &st);
    snprintf(out, size, "sweep's rule, %u-token ids: %.40s", st.block, base_name(path));
}

static void print_head(const char *title, const struct tracer *t, const struct trace_options *o, struct buf *b)
{
    struct buf capacity = {0};
    if (o->capacity == REPLAY_UNLIMITED)
        buf_puts(&capacity, "unlimited");
    else
        buf_printf(&capacity, "%u", o->capacity);
    buf_printf(b, "# %s: %s slots, %s eviction\n# %s\n", title, buf_text(&capacity), policy_name(o->policy), tracer_note(t));
    buf_free(&capacity);
}

/* ---- printed --------------------------------------------------------------------------------------------- */

static void cancel_tracer(void *ctx)
{
    tracer_cancel(ctx);
}

/* What is there is printed while more comes. */
static int print_all(struct tracer *t, struct plain *p, struct err *e)
{
    struct tracer_status st = {.running = true};
    uint32_t printed = 0;
    while (st.running) {
        struct buf b = {0};
        tracer_get_status(t, &st); /* before the length: after the last step it stands still */
        uint32_t end = tape_length(tracer_tape(t), 0), part = end - printed > 4096 ? printed + 4096 : end;
        while (printed < part)
            plain_step(p, ++printed, &b);
        if (cli_print(&b, e) != 0)
            return -1;
        st.running = st.running || printed < end;
        if (st.running && printed == end) {
            struct timespec soon = {0, 2000000};
            nanosleep(&soon, NULL);
        }
    }
    return cli_flush(e);
}

static int print_trace(struct tracer *t, struct plain *p, struct err *e)
{
    struct interrupt interrupt;
    struct tracer_status st;
    if (interrupt_begin(&interrupt, cancel_tracer, t, e) != 0)
        return -1;
    int rc = tracer_start(t, e) == 0 ? print_all(t, p, e) : -1;
    interrupt_end(&interrupt);
    tracer_get_status(t, &st);
    if (rc == 0 && st.failed) {
        *e = st.failure;
        return -1;
    }
    if (rc == 0 && st.cancelled) {
        fflush(stdout);
        fputs("radixscope: interrupted; what was printed is complete up to its last line\n", stderr);
        return interrupt_code(&interrupt);
    }
    return rc;
}

/* ---- a conversation, the screen -------------------------------------------------------------------------- */

static int talk(struct tracer *t, struct session *s, struct err *e)
{
    struct tracer_status st;
    struct buf b = {0};
    if (tracer_start(t, e) != 0)
        return -1;
    tracer_wait(t);
    tracer_get_status(t, &st);
    buf_printf(&b, "# %llu requests, %u steps; help lists the commands\n", (unsigned long long)st.requests,
               tape_length(tracer_tape(t), 0));
    if (st.failed)
        buf_printf(&b, "! %s%s%s\n", st.failure.what, st.failure.hint[0] != '\0' ? "; " : "", st.failure.hint);
    return cli_print(&b, e) != 0 ? -1 : session_run(s, stdin, e);
}

static void take_trace_progress(void *ctx, struct ui_progress *out)
{
    struct tracer *t = ctx;
    struct tracer_status st;
    tracer_drain(t);
    tracer_get_status(t, &st);
    *out = (struct ui_progress){.working = st.running, .failed = st.failed};
    if (st.failed)
        snprintf(out->line, sizeof out->line, "%.300s%s%.200s", st.failure.what, st.failure.hint[0] != '\0' ? "; " : "",
                 st.failure.hint);
    else if (st.running)
        show_loading(out, st.requests, "requests", st.bytes, st.size);
}

static int watch(struct cli *c, struct tracer *t, const char *title, const struct ui_words *words, struct err *e)
{
    struct ui_feed feed = {.tape = tracer_tape(t), .title = title, .words = *words, .wake_fd = tracer_fd(t),
                           .progress = take_trace_progress, .ctx = t};
    struct ui_options options = show_options(c);
    struct tracer_status st;
    if (tracer_start(t, e) != 0)
        return -1;
    int rc = app_run(&feed, &options, e);
    tracer_get_status(t, &st);
    if (rc != 0 || !st.failed)
        return rc;
    *e = st.failure;
    return -1;
}

int show_trace(struct cli *c, const char *path, const struct trace_options *o, struct err *e)
{
    struct tracer *t = show_check_theme(c, e) == 0 ? tracer_new(path, o, e) : NULL;
    struct ui_words words = {.said = {.ctx = t, .token = block_text}, .bytes = block_text, .ctx = t};
    struct session s = {.act = NULL};
    struct buf b = {0};
    char title[128];
    if (t == NULL)
        return -1;
    enum show_way way = show_choose_way(c);
    title_of(path, t, title, sizeof title);
    print_head(title, t, o, &b);
    int rc = way == SHOW_ON_SCREEN ? watch(c, t, title, &words, e) : plain_init(&s.plain, tracer_tape(t), &words, e);
    if (way != SHOW_ON_SCREEN && rc == 0)
        rc = cli_print(&b, e) != 0            ? -1
             : way == SHOW_AS_SESSION         ? talk(t, &s, e)
                                              : print_trace(t, &s.plain, e);
    if (way != SHOW_ON_SCREEN)
        plain_done(&s.plain);
    buf_free(&b);
    tracer_free(t);
    return rc;
}
