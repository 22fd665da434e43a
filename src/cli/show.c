#include "cli/show.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "cli/inside.h"
#include "cli/interrupt.h"
#include "cli/plain.h"
#include "cli/session.h"
#include "cli/state_string.h"
#include "cli/version.h"
#include "script/worker.h"
#include "tape/recording.h"
#include "ui/app.h"
#include "ui/theme.h"

enum show_way show_choose_way(const struct cli *c)
{
    if (!cli_has(c, OPT_PLAIN) && ui_available(NULL) == 0)
        return SHOW_ON_SCREEN;
    return cli_has(c, OPT_PLAIN) && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? SHOW_AS_SESSION : SHOW_PRINTED;
}

struct ui_options show_options(struct cli *c)
{
    return (struct ui_options){.theme = c->option[OPT_THEME], .ascii = cli_has(c, OPT_ASCII), .start = c->start,
                               .left_at = &c->left_at};
}

void show_loading(struct ui_progress *out, uint64_t n, const char *what, uint64_t bytes, uint64_t size)
{
    out->loading = true;
    int used = snprintf(out->line, sizeof out->line, "loading: %llu %s", (unsigned long long)n, what);
    if (size > 0)
        snprintf(out->line + used, sizeof out->line - (size_t)used, ", %.0f %% of the file", 100.0 * (double)bytes / (double)size);
}

static void title_line(const char *title, const char *mode, const struct world_config *w, struct buf *out)
{
    buf_printf(out, "# %s: %u slots, pages of %u, %s eviction, %s rules, %s\n", title, w->pool, w->page_size,
               policy_name(w->policy), w->rules == RULES_UNIFIED ? "unified" : "classic",
               mode == NULL ? "no model" : strcmp(mode, "fast") == 0 ? "fast mode" : "exact mode");
}

static struct world_config world_of(const struct script_settings *s)
{
    return (struct world_config){.pool = s->pool, .page_size = s->page, .policy = s->policy, .rules = s->rules,
                                 .bug = (uint8_t)s->bug};
}

/* ---- printed to the end ------------------------------------------------------------------------------- */

struct printing {
    struct plain plain;
    uint32_t printed;          /* steps of the branch that stand on stdout */
    struct runner *runner;
    struct err err;            /* of writing */
};

static int print_steps(struct printing *p, uint32_t to)
{
    struct buf b = {0};
    while (p->printed < to)
        plain_step(&p->plain, ++p->printed, &b);
    return cli_print(&b, &p->err) != 0 || cli_flush(&p->err) != 0 ? -1 : 0;
}

static void print_report(void *ctx, const struct runner_report *rep)
{
    struct printing *p = ctx;
    if (p->err.set || print_steps(p, rep->after) != 0)
        runner_cancel(p->runner); /* nobody reads any more */
}

static void cancel_runner(void *ctx)
{
    runner_cancel(ctx);
}

/* Run s with every step printed. The last steps of a failed command have been rolled back. */
static int print_run(struct printing *p, const struct source *s, struct err *e)
{
    struct interrupt interrupt;
    if (interrupt_begin(&interrupt, cancel_runner, p->runner, e) != 0)
        return -1;
    enum run_result rc = runner_script(p->runner, s->script, e);
    interrupt_end(&interrupt);
    const struct tape *t = p->plain.cursor.tape;
    if (!p->err.set)
        print_steps(p, tape_length(t, tape_branch(t)));
    if (p->err.set) {
        err_clear(e);
        *e = p->err;
        return -1;
    }
    if (rc == RUN_CANCELLED) {
        fflush(stdout);
        fputs("radixscope: interrupted; what was printed is complete up to its last line\n", stderr);
        return interrupt_code(&interrupt);
    }
    return rc == RUN_DONE ? 0 : -1;
}

static int show_printed(struct source *s, struct err *e)
{
    struct printing p = {0};
    s->config.report = print_report;
    s->config.ctx = &p;
    p.runner = runner_new(s->script, &s->config, e);
    if (p.runner == NULL)
        return -1;
    struct ui_words words = source_words(runner_lexicon(p.runner));
    struct world_config world = world_of(&s->settings);
    struct buf b = {0};
    int rc = plain_init(&p.plain, runner_tape(p.runner), &words, e);
    title_line(s->settings.title, source_mode(&s->settings), &world, &b);
    rc = cli_print(&b, e) != 0 || rc != 0 ? -1 : print_run(&p, s, e);
    plain_done(&p.plain);
    runner_free(p.runner);
    return rc;
}

/* ---- with a worker: the screen and the conversation ------------------------------------------------------- */

/* What is on the screen: the scenario, and then the commands that a person types. */
struct live {
    struct worker *w;
    const struct source *source;
    const struct cli *cli;
    struct inside inside; /* the views into the model; its study is owned */
    char *text;          /* owned; of the script, for rerun; of a stream its head */
    struct rx_log log; /* what was typed */
    struct worker *again; /* the run that rerun began last; owned */
    char why[160];       /* what is different in it */
    bool over;           /* the scenario has come to its end; what fails now was typed */
    struct err failure;  /* the scenario's */
};

static void note_end(struct live *l, const struct worker_status *st)
{
    if (l->over)
        return;
    l->over = st->state == WORKER_FAILED || (st->state != WORKER_RUNNING && st->queued == 0);
    if (st->state == WORKER_FAILED)
        l->failure = st->failure;
}

/* The script's text, as far as it is known; NULL and *e: its file is still being read. */
static const char *text_of(const struct live *l, struct err *e)
{
    struct stream *from = l->source->stream;
    struct worker_status st;
    struct stream_status read;
    if (from == NULL)
        return l->text;
    worker_get_status(l->w, &st); /* first: what waits behind the stream does not read */
    stream_get_status(from, &read);
    if (read.ended || (st.state != WORKER_RUNNING && st.queued == 0))
        return stream_text(from);
    err_set(e, "the file is still being read: this can be done when all of it is there");
    return NULL;
}

/* "/a/b/c.rxs:13:25: expected …" from "c.rxs" on: the folder is known, and the line is short. */
static const char *without_folder(const char *what)
{
    const char *name = what;
    for (size_t i = 0; what[i] != '\0' && what[i] != ':' && what[i] != ' '; i++)
        if (what[i] == '/')
            name = what + i + 1;
    return name;
}

static void take_progress(void *ctx, struct ui_progress *out)
{
    struct live *l = ctx;
    struct worker_status st;
    struct stream_status read = {.ended = true};
    worker_drain(l->w);
    if (l->source->stream != NULL)
        stream_get_status(l->source->stream, &read);
    worker_get_status(l->w, &st);
    note_end(l, &st);
    /* what waits is work, too: between two scripts nothing runs for a moment */
    *out = (struct ui_progress){.working = st.state == WORKER_RUNNING || st.queued > 0,
                                .failed = st.state == WORKER_FAILED && st.queued == 0};
    if (out->failed)
        snprintf(out->line, sizeof out->line, "%.300s%s%.200s", without_folder(st.failure.what),
                 st.failure.hint[0] != '\0' ? "; " : "", st.failure.hint);
    else if (st.state == WORKER_CANCELLED)
        snprintf(out->line, sizeof out->line, "cancelled");
    else if (l->source->stream != NULL && !read.ended && out->working)
        show_loading(out, read.done, read.what, read.bytes, read.size);
    else if (st.state == WORKER_RUNNING && st.command != NULL)
        snprintf(out->line, sizeof out->line, "running %s (%u of %u)", st.command, st.done + 1, st.commands);
}

/* ---- rerun: the whole script with other settings, on a tape of its own ------------------------------------ */

static void add_setting(char *why, size_t n, const char *name, const char *value)
{
    size_t used = strlen(why);
    snprintf(why + used, n - used, "%s%s %s", used > 0 ? ", " : "the whole script again with ", name, value);
}

static void rerun_settings(const struct script_command *c, struct script_settings *set, char *why, size_t n)
{
    why[0] = '\0';
    set->page = script_count(c, "page", set->page);
    set->pool = script_count(c, "pool", set->pool);
    set->rules = script_count(c, "rules", set->rules);
    set->policy = script_count(c, "policy", set->policy);
    set->fast = script_count(c, "mode", set->fast) != 0;
    for (uint32_t i = 0; i < c->nargs; i++) {
        char name[16];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(c->arg[i].spec, ":"), c->arg[i].spec);
        add_setting(why, n, name, c->arg[i].text);
    }
    if (why[0] == '\0')
        snprintf(why, n, "the whole script again, with the same settings");
}

static int rerun(struct live *l, const struct script_command *c, struct err *e)
{
    struct script_settings set = l->source->settings;
    struct runner_config cfg = l->source->config;
    char why[sizeof l->why];
    rerun_settings(c, &set, why, sizeof why);
    cfg.settings = &set;
    cfg.report = NULL;
    const char *text = text_of(l, e);
    struct script *s = text != NULL ? script_parse("", text, strlen(text), 1, e) : NULL;
    struct worker *w = NULL;
    if (s != NULL) {
        s->unchecked = true; /* its numbers are those of other settings */
        w = worker_new(s, &cfg, e);
    }
    if (w == NULL) {
        script_free(s);
        return -1;
    }
    worker_free(l->again);
    l->again = w;
    memcpy(l->why, why, sizeof why);
    return worker_submit(w, s, -1, 0, e) == 0 ? 1 : -1;
}

/* A line that asks for a run of its own; false: it is for the worker. */
static bool asks_rerun(struct live *l, const char *line, int *rc, struct err *e)
{
    struct script *s = strncmp(line + strspn(line, " "), "rerun", 5) == 0 ? script_parse("", line, strlen(line), 1, e) : NULL;
    bool asks = s != NULL && s->count == 1 && s->command[0].kind == RXS_RERUN;
    if (asks)
        *rc = rerun(l, &s->command[0], e);
    script_free(s);
    if (!asks)
        err_clear(e);
    return asks;
}

/* The last run of that kind. It is computed when a screen wants it: a moment ago it was begun. */
static bool other_run(void *ctx, struct ui_history *out)
{
    struct live *l = ctx;
    if (l->again == NULL)
        return false;
    *out = (struct ui_history){.tape = worker_tape(l->again), .branch = 0,
                               .words = source_words(runner_lexicon(worker_runner(l->again)))};
    struct worker_status st;
    worker_get_status(l->again, &st);
    out->working = st.state == WORKER_RUNNING || st.queued > 0;
    memcpy(out->why, l->why, sizeof out->why);
    return true;
}

static int write_state(void *ctx, const struct ui_place *place, struct buf *out, struct err *e)
{
    struct live *l = ctx;
    const struct source *s = l->source;
    struct scene_string state = {.log = l->log, .branch = place->branch, .at = place->at, .view = place->view,
                          .beside = place->beside};
    const char *scene = l->cli->args > 0 ? l->cli->arg[0] : "shared-system-prompt";
    const char *text = text_of(l, e);
    if (text == NULL)
        return -1;
    if (s->given) /* only read: rx_write changes nothing */
        state.script = (char *)(uintptr_t)text;
    else
        state.scene = (char *)(uintptr_t)scene;
    for (int i = 0; i < OPT_COUNT; i++)
        state.option[i] = (char *)(uintptr_t)l->cli->option[i];
    return rx_write(&state, out, e);
}

static void live_done(struct live *l)
{
    rx_log_free(&l->log);
    worker_free(l->again);
    xfree(l->text);
}

static int submit_line(void *ctx, int branch, uint32_t at, const char *line, struct err *e)
{
    struct live *l = ctx;
    int rc = 0;
    if (!asks_rerun(l, line, &rc, e))
        rc = worker_submit_line(l->w, line, branch, at, e);
    if (rc >= 0 && rx_log_add(&l->log, branch, at, line, e) != 0)
        return -1;
    return rc;
}

/* Type again what a state string says was typed. */
static int type_again(struct live *l, const struct scene_string *s, struct err *e)
{
    for (size_t i = 0; s != NULL && i < s->log.count; i++)
        if (submit_line(l, s->log.line[i].branch, s->log.line[i].at, s->log.line[i].line, e) < 0)
            return -1;
    return 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* The script and what was typed behind it. A line that made no step failed, and is left out. */
static int keep_script(const struct live *l, const char *path, struct err *e)
{
    const struct tape *t = worker_tape(l->w);
    struct buf b = {0};
    if (tape_branches(t) > 1) {
        err_set(e, "this history has branches, which a script cannot tell");
        return err_hint(e, "a name that ends in .rxt keeps all of them");
    }
    const char *text = text_of(l, e);
    if (text == NULL)
        return -1;
    buf_puts(&b, text);
    if (b.len > 0 && b.data[b.len - 1] != '\n')
        buf_putc(&b, '\n');
    for (size_t i = 0; i < l->log.count; i++) {
        uint32_t next = i + 1 < l->log.count ? l->log.line[i + 1].at : tape_length(t, 0);
        if (next > l->log.line[i].at)
            buf_printf(&b, "%s\n", l->log.line[i].line);
    }
    int rc = b.failed ? err_memory(e, b.len, "the script") : file_write(path, b.data, b.len, e);
    buf_free(&b);
    return rc;
}

static int keep_session(void *ctx, const char *path, struct err *e)
{
    const struct live *l = ctx;
    struct worker_status st;
    worker_get_status(l->w, &st);
    if (st.state == WORKER_RUNNING || st.queued > 0) /* the tape belongs to the worker */
        return err_set(e, "the run is still being computed: save it when it is done");
    if (ends_with(path, ".rxs"))
        return keep_script(l, path, e);
    const struct script_settings *set = &l->source->settings;
    struct event_words words = lexicon_words(runner_lexicon(worker_runner(l->w)));
    struct recording_info info = {.title = set->title, .mode = source_mode(set), .script = text_of(l, e),
                                  .program = RADIXSCOPE_VERSION, .bytes = lexicon_bytes_of, .ctx = words.ctx, .branch = -1};
    return recording_save(path, worker_tape(l->w), &info, e);
}

static void cut_text(void *ctx, const char *text, size_t len, void (*piece)(void *to, const char *bytes, size_t n),
                     void *to)
{
    struct live *l = ctx;
    struct err ignored = {0};
    lexicon_cut(runner_lexicon(worker_runner(l->w)), text, len, piece, to, &ignored);
}

/* The screen until the person leaves. A scenario that failed is told once more when the terminal is back. */
static int show_screen(struct cli *c, struct live *l, const struct ui_words *words, struct err *e)
{
    struct worker *w = l->w;
    const struct source *s = l->source;
    struct ui_feed feed = {.tape = worker_tape(w), .title = s->settings.title, .mode = source_mode(&s->settings),
                           .words = *words, .wake_fd = worker_fd(w), .progress = take_progress,
                           .command = submit_line, .other = other_run, .state = write_state, .keep = keep_session, .cut = cut_text,
                           .ctx = l, .evidence = inside_live(&l->inside)};
    struct ui_options options = show_options(c);
    if (c->place != NULL)
        options.place = (struct ui_place){c->place->branch, c->place->at, c->place->view, c->place->beside};
    struct worker_status st;
    int rc = app_run(&feed, &options, e);
    worker_get_status(w, &st);
    note_end(l, &st);
    if (rc != 0 || !l->failure.set)
        return rc;
    *e = l->failure;
    return -1;
}

/* The same, and wait until it has run. */
static int act_and_wait(void *ctx, int branch, uint32_t at, const char *line, struct err *e)
{
    struct live *l = ctx;
    struct worker_status st;
    struct worker *before = l->again;
    if (submit_line(l, branch, at, line, e) < 0)
        return -1;
    struct worker *w = l->again != before ? l->again : l->w;
    worker_wait(w);
    worker_get_status(w, &st);
    if (st.state != WORKER_FAILED)
        return 0;
    err_set(e, "%s", st.failure.what);
    return err_hint(e, "%s", st.failure.hint);
}

/* `print`: nobody answers; say where the state string leads, and end. */
static int converse(struct live *l, const struct ui_words *words, bool print, struct err *e)
{
    struct worker *w = l->w;
    const struct source *s = l->source;
    l->inside.wait = true;
    struct session session = {.act = act_and_wait, .other = other_run, .state = write_state, .ctx = l,
                              .evidence = inside_live(&l->inside), .fast = s->settings.fast};
    struct worker_status st;
    struct buf b = {0};
    struct world_config world = world_of(&s->settings);
    worker_wait(w);
    if (l->again != NULL)
        worker_wait(l->again);
    worker_get_status(w, &st);
    title_line(s->settings.title, source_mode(&s->settings), &world, &b);
    buf_printf(&b, "# %u steps; help lists the commands\n",
               tape_length(worker_tape(w), tape_branch(worker_tape(w))));
    if (st.state == WORKER_FAILED)
        buf_printf(&b, "! %s%s%s\n", st.failure.what, st.failure.hint[0] != '\0' ? "; " : "", st.failure.hint);
    int rc = plain_init(&session.plain, worker_tape(w), words, e);
    if (rc == 0 && l->cli->place != NULL) /* where the state string says */
        rc = session_go(&session, l->cli->place->branch, l->cli->place->at, &b, e);
    if (rc == 0 && print)
        plain_scene(cursor_scene(&session.plain.cursor), words, &b);
    if (cli_print(&b, e) == 0 && rc == 0 && !print)
        rc = session_run(&session, stdin, e);
    plain_done(&session.plain);
    return rc;
}

static int show_live(struct cli *c, struct source *s, enum show_way way, struct err *e)
{
    struct worker *w = worker_new(s->script, &s->config, e);
    if (w == NULL)
        return -1;
    struct ui_words words = source_words(runner_lexicon(worker_runner(w)));
    const char *title = runner_settings(worker_runner(w))->title; /* a copy: the worker takes the script */
    s->settings.title = title;
    struct live live = {.w = w, .cli = c, .source = s, .text = xstrdup(s->script->source)};
    live.inside = (struct inside){.worker = w, .study = study_new(w, e)};
    if (live.inside.study == NULL) {
        xfree(live.text);
        worker_free(w);
        return -1;
    }
    int rc = live.text != NULL ? worker_submit(w, s->script, -1, 0, e) : err_memory(e, 64, "the script's text");
    if (live.text != NULL)
        s->script = NULL;
    struct worker_source from = {.next = stream_next, .done = stream_done, .stop = stream_stop, .ctx = s->stream};
    if (rc == 0 && s->stream != NULL)
        rc = worker_stream(w, &from, e);
    if (rc == 0)
        rc = type_again(&live, c->place, e);
    if (rc == 0 && way != SHOW_ON_SCREEN)
        rc = converse(&live, &words, way == SHOW_PRINTED, e);
    else if (rc == 0)
        rc = show_screen(c, &live, &words, e);
    study_free(live.inside.study);
    worker_free(w);
    live_done(&live);
    return rc;
}

/* A name that no theme has is a wrong command line, also where nothing is drawn. */
int show_check_theme(const struct cli *c, struct err *e)
{
    const char *name = c->option[OPT_THEME];
    if (name == NULL || theme_find(name) != NULL)
        return 0;
    struct buf all = {0};
    for (unsigned i = 0; theme_at(i) != NULL; i++)
        buf_printf(&all, "%s%s", i > 0 ? ", " : "", theme_at(i)->name);
    err_usage(e, "there is no theme '%.60s'", name);
    err_hint(e, "themes: %s", buf_text(&all));
    buf_free(&all);
    return -1;
}

int show_source(struct cli *c, struct source *s, struct err *e)
{
    if (show_check_theme(c, e) != 0)
        return -1;
    enum show_way way = show_choose_way(c);
    return way == SHOW_PRINTED && c->place == NULL ? show_printed(s, e) : show_live(c, s, way, e);
}

/* ---- recordings ------------------------------------------------------------------------------------------- */

static int print_recording(const struct recording *r, const struct ui_words *words, struct err *e)
{
    struct printing p = {0};
    struct buf b = {0};
    title_line(recording_title(r), recording_mode(r), recording_world(r), &b);
    int rc = plain_init(&p.plain, recording_tape(r), words, e);
    if (cli_print(&b, e) != 0)
        rc = -1;
    if (rc == 0) {
        int branch = tape_branch(recording_tape(r));
        cursor_seek(&p.plain.cursor, branch, 0);
        if (print_steps(&p, tape_length(recording_tape(r), branch)) != 0) {
            *e = p.err;
            rc = -1;
        }
    }
    plain_done(&p.plain);
    return rc;
}

static int talk_about(const struct recording *r, const struct ui_words *words, struct err *e)
{
    const char *mode = recording_mode(r);
    struct session session = {.evidence = inside_recording(r), .fast = mode != NULL && strcmp(mode, "fast") == 0};
    int rc = plain_init(&session.plain, recording_tape(r), words, e);
    if (rc == 0)
        rc = session_run(&session, stdin, e);
    plain_done(&session.plain);
    return rc;
}

int show_recording(struct cli *c, const char *path, struct err *e)
{
    struct recording *r = show_check_theme(c, e) == 0 ? recording_open(path, e) : NULL;
    if (r == NULL)
        return -1;
    struct event_words said = recording_words(r);
    struct ui_words words = {.said = said, .bytes = recording_bytes, .ctx = said.ctx};
    enum show_way way = show_choose_way(c);
    int rc;
    if (way == SHOW_PRINTED)
        rc = print_recording(r, &words, e);
    else if (way == SHOW_AS_SESSION)
        rc = talk_about(r, &words, e);
    else {
        struct ui_feed feed = {.tape = recording_tape(r), .title = recording_title(r), .mode = recording_mode(r),
                               .words = words, .wake_fd = -1, .evidence = inside_recording(r)};
        struct ui_options options = show_options(c);
        rc = app_run(&feed, &options, e);
    }
    recording_free(r);
    return rc;
}

int show_feed(struct cli *c, const struct ui_feed *feed, uint32_t start, bool compare, struct err *e)
{
    if (show_check_theme(c, e) != 0)
        return -1;
    struct ui_options options = show_options(c);
    options.start = start;
    options.compare = compare;
    return app_run(feed, &options, e);
}
