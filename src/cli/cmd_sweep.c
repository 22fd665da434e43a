/* radixscope sweep TRACE */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/sweep_plot.h"
#include "trace/sweep.h"

static const char CAPACITIES[] = "500,1000,2000,5000,10000,20000,50000,100000,unlimited";

struct sweeping {
    struct sweep s;
    atomic_bool cancel;
    bool shown;              /* a line of progress stands on the terminal */
    struct timespec told;
};

/* A line on the terminal, ten times a second at most; nothing where stderr is none. */
static void show_progress(void *ctx, const struct sweep_progress *p)
{
    struct sweeping *w = ctx;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double since = (double)(now.tv_sec - w->told.tv_sec) + (double)(now.tv_nsec - w->told.tv_nsec) / 1e9;
    if (since < 0.1 || !isatty(STDERR_FILENO))
        return;
    w->told = now;
    fprintf(stderr, "\r\033[K%llu requests", (unsigned long long)p->requests);
    if (p->size > 0)
        fprintf(stderr, ", %.0f %% of the file", 100.0 * (double)p->bytes / (double)p->size);
    fprintf(stderr, ", %u of %u points; ^C stops", p->points_done, p->points);
    fflush(stderr);
    w->shown = true;
}

static void cancel_sweep(void *ctx)
{
    atomic_store(&((struct sweeping *)ctx)->cancel, true);
}

static int sweep_trace(struct sweeping *w, const char *path, struct err *e)
{
    struct interrupt interrupt;
    struct lines *l = lines_open(path, e);
    if (l == NULL || interrupt_begin(&interrupt, cancel_sweep, w, e) != 0) {
        lines_close(l);
        return -1;
    }
    w->s.cancel = &w->cancel;
    w->s.progress = show_progress;
    w->s.ctx = w;
    clock_gettime(CLOCK_MONOTONIC, &w->told);
    enum sweep_result rc = sweep_run(&w->s, l, e);
    interrupt_end(&interrupt);
    lines_close(l);
    if (w->shown)
        fputs("\r\033[K", stderr);
    if (rc == SWEEP_CANCELLED) {
        fputs("radixscope: interrupted: the trace was not played to its end, so there are no figures\n", stderr);
        return interrupt_code(&interrupt);
    }
    return rc == SWEEP_DONE ? 0 : -1;
}

static int print_points(const struct cli *c, const struct sweep *s, const char *path, struct err *e)
{
    struct buf b = {0};
    bool json = cli_has(c, OPT_JSON), csv = cli_has(c, OPT_CSV);
    if (csv)
        sweep_csv_head(&b);
    for (uint32_t i = 0; (json || csv) && i < s->points; i++) {
        if (json)
            sweep_json(&s->point[i], &b);
        else
            sweep_csv(&s->point[i], &b);
    }
    if (!json && !csv)
        sweep_table(s, path, &b);
    return cli_print(&b, e);
}

/* Does a person look at it? */
static bool at_terminal(const struct cli *c)
{
    return !cli_has(c, OPT_JSON) && !cli_has(c, OPT_CSV) && !cli_has(c, OPT_PLAIN) && sweep_plot_possible();
}

int cmd_sweep(struct cli *c, struct err *e)
{
    struct sweeping w = {.s = {.points = 0}};
    if (c->args != 1) {
        err_usage(e, "sweep takes one trace, not %d", c->args);
        return err_hint(e, "radixscope help sweep");
    }
    if (cli_has(c, OPT_JSON) && cli_has(c, OPT_CSV))
        return err_usage(e, "--json and --csv exclude each other");
    if (cli_count(c, OPT_BLOCK, 0, &w.s.block, e) != 0)
        return -1;
    atomic_init(&w.cancel, false);
    const char *capacities = cli_has(c, OPT_CAPACITY) ? c->option[OPT_CAPACITY] : CAPACITIES;
    int rc = sweep_points(&w.s, capacities, c->option[OPT_POLICY], e);
    if (rc == 0)
        rc = sweep_trace(&w, c->arg[0], e);
    if (rc == 0)
        rc = at_terminal(c) ? sweep_plot_show(c, &w.s, c->arg[0], e) : print_points(c, &w.s, c->arg[0], e);
    sweep_done(&w.s);
    return rc;
}
