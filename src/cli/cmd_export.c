/* radixscope export KIND SCENARIO | FILE.rxs | FILE.rxt */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/export.h"
#include "cli/inside.h"
#include "cli/interrupt.h"
#include "cli/show.h"
#include "tape/recording.h"

enum { LEAST_COLUMNS = 20, LEAST_LINES = 5, MOST_CELLS = 1000, BLOCK = 16, MOST_BLOCK = 1 << 20 };
#define ALL_KINDS "screen, cast, tree, metrics, mooncake, perfetto, kv-events and rxs"

static const struct kind {
    const char *name, *formats, *options; /* the first format is the default */
    int (*write)(const struct export *x, struct buf *out, struct err *e);
} KINDS[] = {
    {"screen", "text ansi svg", "step size format theme ascii", export_screen},
    {"cast", "cast", "size speed theme ascii from to", export_cast},
    {"tree", "dot json", "step format", export_tree},
    {"metrics", "json csv", "format", export_metrics},
    {"mooncake", "jsonl", "block", export_mooncake},
    {"perfetto", "json", "", export_perfetto},
    {"kv-events", "jsonl msgpack", "format", export_kv_events},
    {"rxs", "rxs", "", export_rxs},
};

/* ---- what is asked for ---------------------------------------------------------------------------------- */

static const struct kind *find_kind(const struct cli *c, struct err *e)
{
    for (size_t i = 0; c->args > 0 && i < ARRAY_LEN(KINDS); i++)
        if (strcmp(c->arg[0], KINDS[i].name) == 0)
            return &KINDS[i];
    if (c->args == 0)
        err_usage(e, "export needs to know what: one of " ALL_KINDS);
    else
        err_usage(e, "export knows " ALL_KINDS ", not '%.40s'", c->arg[0]);
    err_hint(e, "radixscope help export");
    return NULL;
}

/* An option of `all` that is given, but not one of `taken`: OPT_COUNT if there is none. */
static int stray_option(const struct cli *c, const char *all, const char *taken)
{
    struct cli_command_info wide = {.options = all}, narrow = {.options = taken};
    for (int i = OPT_VERSION + 1; i < OPT_COUNT; i++)
        if (c->option[i] != NULL && cli_takes(&wide, (enum cli_option)i) && !cli_takes(&narrow, (enum cli_option)i))
            return i;
    return OPT_COUNT;
}

static int check_kind_options(const struct cli *c, const struct kind *k, struct err *e)
{
    int stray = stray_option(c, CLI_EXPORT_OPTIONS, k->options);
    if (stray == OPT_COUNT)
        return 0;
    return err_usage(e, "--%s means nothing for a %s", cli_option_info((enum cli_option)stray)->name, k->name);
}

/* Is `word` one of the formats? Returns the list's own copy's place and length. */
static size_t format_in(const struct kind *k, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = k->formats; *at != '\0'; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == n && memcmp(at, word, n) == 0)
            return n;
    return 0;
}

/* --format, or the end of the file's name, or the first there is. */
static int choose_format(const struct cli *c, const struct kind *k, char out[8], struct err *e)
{
    const char *given = c->option[OPT_FORMAT], *file = c->option[OPT_OUTPUT];
    const char *end = file != NULL ? strrchr(file, '.') : NULL;
    if (given != NULL && format_in(k, given) == 0)
        return err_usage(e, "a %s is written as one of: %s; not as '%.40s'", k->name, k->formats, given);
    if (given == NULL && end != NULL && format_in(k, end + 1) > 0)
        given = end + 1;
    size_t n = given != NULL ? strlen(given) : strcspn(k->formats, " ");
    snprintf(out, 8, "%.*s", (int)n, given != NULL ? given : k->formats);
    return 0;
}

static int read_size(const struct cli *c, struct export *x, struct err *e)
{
    const char *text = c->option[OPT_SIZE];
    int end = 0;
    x->w = 80;
    x->h = 24;
    if (text == NULL)
        return 0;
    if (sscanf(text, "%4dx%4d%n", &x->w, &x->h, &end) == 2 && text[end] == '\0' && x->w >= LEAST_COLUMNS &&
        x->h >= LEAST_LINES && x->w <= MOST_CELLS && x->h <= MOST_CELLS)
        return 0;
    return err_usage(e, "--size is columns x lines, from %dx%d to %dx%d, not '%.40s'", LEAST_COLUMNS, LEAST_LINES,
                     MOST_CELLS, MOST_CELLS, text);
}

static int read_speed(const struct cli *c, struct export *x, struct err *e)
{
    const char *text = c->option[OPT_SPEED];
    char *end;
    x->speed = text != NULL ? strtod(text, &end) : 2;
    if (text != NULL && (*end != '\0' || end == text || !(x->speed >= 0.01 && x->speed <= 1000)))
        return err_usage(e, "--speed is a number of steps a second, from 0.01 to 1000, not '%.40s'", text);
    return 0;
}

/* --from, --to of a cast, --block of a trace. */
static int read_range(const struct cli *c, uint32_t length, struct export *x, struct err *e)
{
    if (cli_count(c, OPT_FROM, 1, &x->from, e) != 0 || cli_count(c, OPT_TO, length, &x->to, e) != 0 ||
        cli_count(c, OPT_BLOCK, BLOCK, &x->block, e) != 0)
        return -1;
    if (x->from > x->to || x->to > length)
        return err_set(e, "there are no steps %u to %u: the run has steps 1 to %u", x->from, x->to, length);
    return x->block <= MOST_BLOCK ? 0 : err_usage(e, "--block is at most %d tokens, not %u", MOST_BLOCK, x->block);
}

/* ---- what is exported ------------------------------------------------------------------------------------ */

static int write_out(const struct cli *c, const struct kind *k, const struct export *x, struct err *e)
{
    const char *path = c->option[OPT_OUTPUT];
    struct buf out = {0};
    int rc = k->write(x, &out, e);
    if (rc == 0 && out.failed)
        rc = err_memory(e, out.len, "the export");
    if (rc == 0 && (path == NULL || strcmp(path, "-") == 0))
        return cli_print(&out, e);
    if (rc == 0)
        rc = file_write(path, buf_text(&out), out.len, e);
    buf_free(&out);
    return rc;
}

static int export_feed(const struct cli *c, const struct kind *k, const struct ui_feed *feed, const char *script,
                       struct err *e)
{
    struct export x = {.feed = feed, .script = script, .look = {.theme = c->option[OPT_THEME], .ascii = cli_has(c, OPT_ASCII)}};
    char format[8];
    uint32_t length = tape_length(feed->tape, tape_branch(feed->tape));
    x.format = format;
    if (choose_format(c, k, format, e) != 0 || read_size(c, &x, e) != 0 || read_speed(c, &x, e) != 0 ||
        cli_count(c, OPT_STEP, length, &x.step, e) != 0)
        return -1;
    if (read_range(c, length, &x, e) != 0)
        return -1;
    if (x.step > length)
        return err_set(e, "there is no step %u: the run has %u steps", x.step, length);
    return write_out(c, k, &x, e);
}

static int export_recording(const struct cli *c, const struct kind *k, struct err *e)
{
    int stray = stray_option(c, CLI_RUN_OPTIONS "history-mb ", "");
    if (stray < OPT_COUNT)
        return err_usage(e, "--%s changes a run, and a recording has run", cli_option_info((enum cli_option)stray)->name);
    struct recording *r = recording_open(c->arg[1], e);
    if (r == NULL)
        return -1;
    struct event_words said = recording_words(r);
    struct ui_feed feed = {.tape = recording_tape(r), .title = recording_title(r), .mode = recording_mode(r),
                           .words = {.said = said, .bytes = recording_bytes, .ctx = said.ctx}, .wake_fd = -1,
                           .evidence = inside_recording(r)};
    int rc = export_feed(c, k, &feed, recording_script(r), e);
    recording_free(r);
    return rc;
}

static void cancel_runner(void *ctx)
{
    runner_cancel(ctx);
}

static int export_run(const struct cli *c, const struct kind *k, struct source *s, struct runner *r, struct err *e)
{
    struct interrupt interrupt;
    if (interrupt_begin(&interrupt, cancel_runner, r, e) != 0)
        return -1;
    enum run_result ran = runner_script(r, s->script, e);
    interrupt_end(&interrupt);
    if (ran == RUN_CANCELLED) {
        fputs("radixscope: interrupted; nothing was written\n", stderr);
        return interrupt_code(&interrupt);
    }
    struct ui_feed feed = {.tape = runner_tape(r), .title = s->settings.title, .mode = source_mode(&s->settings),
                           .words = source_words(runner_lexicon(r)), .wake_fd = -1};
    return ran == RUN_DONE ? export_feed(c, k, &feed, s->script->source, e) : -1;
}

static int export_source(const struct cli *c, const struct kind *k, struct err *e)
{
    struct cli rest = *c; /* without the kind: what is to run */
    struct source s;
    rest.arg++;
    rest.args--;
    int stray = k->write == export_rxs ? stray_option(c, CLI_SAMPLING_OPTIONS "max ", "") : OPT_COUNT;
    if (stray < OPT_COUNT)
        return err_usage(e, "--%s changes every request, which a script says at each of them: it cannot be exported",
                         cli_option_info((enum cli_option)stray)->name);
    int rc = source_open(&s, &rest, false, NULL, e);
    struct runner *r = rc == 0 ? runner_new(s.script, &s.config, e) : NULL;
    rc = r == NULL ? -1 : export_run(c, k, &s, r, e);
    runner_free(r);
    source_done(&s);
    return rc;
}

int cmd_export(struct cli *c, struct err *e)
{
    const struct kind *k = find_kind(c, e);
    if (k == NULL || check_kind_options(c, k, e) != 0)
        return -1;
    const char *name = c->args == 2 ? c->arg[1] : "";
    size_t n = strlen(name);
    if (n > 4 && strcmp(name + n - 4, ".rxt") == 0)
        return export_recording(c, k, e);
    return export_source(c, k, e);
}
