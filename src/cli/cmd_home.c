/* radixscope alone: what can be opened, as a screen, or as text where there is none. One list for both. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "cli/lessons.h"
#include "cli/places.h"
#include "cli/state.h"
#include "cli/traces.h"
#include "script/workload.h"
#include "ui/home.h"

enum { HOME_ENTRIES = 256, FIRST_LINE = 4096 };

/* What an entry opens: radixscope COMMAND WHAT. */
struct opens {
    const char *command;
    char *what;        /* owned */
    char *name, *about; /* owned; the entry's */
    uint32_t step;
};

struct menu {
    struct cli *cli;
    struct home_entry entry[HOME_ENTRIES];
    struct opens opens[HOME_ENTRIES];
    int count;
    struct state last;
};

/* ---- the list --------------------------------------------------------------------------------------- */

static void menu_add(struct menu *m, const char *group, const char *name, const char *about, const char *command,
                     const char *what)
{
    if (m->count == HOME_ENTRIES)
        return;
    struct opens *o = &m->opens[m->count];
    *o = (struct opens){command, xstrdup(what), xstrdup(name), xstrdup(about), 0};
    if (o->what == NULL || o->name == NULL || o->about == NULL) { /* without memory it is left out */
        xfree(o->what);
        xfree(o->name);
        xfree(o->about);
        return;
    }
    m->entry[m->count++] = (struct home_entry){group, o->name, o->about};
}

static void menu_done(struct menu *m)
{
    for (int i = 0; i < m->count; i++) {
        xfree(m->opens[i].what);
        xfree(m->opens[i].name);
        xfree(m->opens[i].about);
    }
    m->count = 0;
}

/* What a script teaches: the comment in its first line. */
static void script_about(const char *path, char *out, size_t n)
{
    struct err ignored = {0};
    char *text;
    size_t len;
    snprintf(out, n, "a script");
    if (file_read(path, 1 << 20, &text, &len, &ignored) != 0) {
        snprintf(out, n, "(%.200s)", ignored.what);
        return;
    }
    if (strncmp(text, "# ", 2) == 0)
        snprintf(out, n, "%.*s", (int)strcspn(text + 2, "\n"), text + 2);
    xfree(text);
}

static void add_continue(struct menu *m)
{
    char about[128];
    const char *slash;
    if (!state_load(&m->last))
        return;
    slash = strrchr(m->last.what, '/');
    snprintf(about, sizeof about, "Where you were: step %u.", m->last.step);
    menu_add(m, "continue", slash != NULL ? slash + 1 : m->last.what, about, m->last.command, m->last.what);
    if (m->count > 0)
        m->opens[m->count - 1].step = m->last.step;
}

static void add_lesson(void *ctx, const struct lesson_brief *b)
{
    char about[256], number[16];
    if (b->problem[0] != '\0')
        return; /* `radixscope lesson list` says what is wrong with it */
    snprintf(number, sizeof number, "%u", b->head.number);
    snprintf(about, sizeof about, "%s%s%s (%u minutes%s)", b->head.number > 0 ? number : "", b->head.number > 0 ? "  " : "",
             b->head.title, b->head.minutes, b->done ? ", done" : b->at > 0 ? ", begun" : "");
    menu_add(ctx, "lessons", b->head.id, about, "lesson", b->head.number > 0 ? number : b->head.id);
}

static void add_scenario(void *ctx, const char *name)
{
    struct menu *m = ctx;
    struct buf path = {0};
    struct err ignored = {0};
    char about[FIRST_LINE];
    if (place_scenario(m->cli, name, &path, &ignored) == 0) {
        script_about(buf_text(&path), about, sizeof about);
        menu_add(m, "scenarios", name, about, "play", name);
    }
    buf_free(&path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The files of a folder whose names end so, sorted. */
static void add_files(struct menu *m, const char *group, const char *folder, const char *ending, const char *command)
{
    DIR *dir = opendir(folder);
    char *name[64], path[2048], about[FIRST_LINE];
    size_t n = 0;
    for (struct dirent *d; dir != NULL && n < ARRAY_LEN(name) && (d = readdir(dir)) != NULL;) {
        size_t len = strlen(d->d_name), end = strlen(ending);
        if (d->d_name[0] != '.' && len > end && strcmp(d->d_name + len - end, ending) == 0 &&
            (name[n] = xstrdup(d->d_name)) != NULL)
            n++;
    }
    if (dir != NULL)
        closedir(dir);
    qsort(name, n, sizeof *name, by_name);
    for (size_t i = 0; i < n; i++) {
        bool script = strcmp(ending, ".rxs") == 0;
        int used = snprintf(path, sizeof path, "%s/%s", folder, name[i]);
        snprintf(about, sizeof about, "A recorded run, opened without a model.");
        if (script)
            script_about(path, about, sizeof about);
        if (script)
            name[i][strlen(name[i]) - strlen(ending)] = '\0';
        if (used > 0 && (size_t)used < sizeof path)
            menu_add(m, group, name[i], about, command, path);
        xfree(name[i]);
    }
}

static void add_trace(void *ctx, const char *name, const char *about, const char *path)
{
    menu_add(ctx, "traces", name, about, "replay", path);
}

static int menu_fill(struct menu *m, struct err *e)
{
    struct buf path = {0};
    menu_done(m);
    add_continue(m);
    if (lessons_visit(m->cli, add_lesson, m, e) != 0 || place_scenarios(m->cli, add_scenario, m, e) != 0 || place_data(m->cli, &path, e) != 0) {
        buf_free(&path);
        return -1;
    }
    for (unsigned i = 0; workload_name((enum workload)i) != NULL; i++)
        menu_add(m, "workloads", workload_name((enum workload)i), workload_teaches((enum workload)i), "play",
                 workload_name((enum workload)i));
    size_t data = path.len;
    buf_puts(&path, "/sandbox");
    if (!path.failed)
        add_files(m, "sandbox", path.data, ".rxs", "play");
    traces_visit(add_trace, m);
    if (!path.failed) {
        path.len = data;
        path.data[data] = '\0';
        buf_puts(&path, "/recordings");
        add_files(m, "recordings", buf_text(&path), ".rxt", "replay");
    }
    add_files(m, "recordings", ".", ".rxt", "replay");
    buf_free(&path);
    return 0;
}

/* ---- as text ---------------------------------------------------------------------------------------- */

static const char *group_help(const char *group)
{
    if (strcmp(group, "lessons") == 0)
        return "Lessons, opened with radixscope lesson NAME or NUMBER";
    if (strcmp(group, "scenarios") == 0)
        return "Scenarios, opened with radixscope play NAME";
    if (strcmp(group, "workloads") == 0)
        return "Workloads: made-up request streams, opened with radixscope play NAME or radixscope race NAME";
    if (strcmp(group, "sandbox") == 0)
        return "Sandbox: an empty tree for your own commands, opened with radixscope play FILE";
    if (strcmp(group, "traces") == 0)
        return "Traces of hash ids, opened with radixscope replay FILE or radixscope sweep FILE";
    if (strcmp(group, "recordings") == 0)
        return "Recordings, opened with radixscope replay FILE";
    return "Where you were";
}

static int print_menu(const struct menu *m, struct err *e)
{
    struct buf b = {0};
    buf_puts(&b, "radixscope lets you watch RadixAttention, SGLang's KV prefix cache, work on a real CPU transformer.\n");
    for (int i = 0; i < m->count; i++) {
        bool file = strchr(m->opens[i].what, '/') != NULL;
        if (i == 0 || strcmp(m->entry[i].group, m->entry[i - 1].group) != 0)
            buf_printf(&b, "\n%s:\n", group_help(m->entry[i].group));
        buf_printf(&b, "  %-22s %s\n", m->entry[i].name, m->entry[i].about);
        if (file)
            buf_printf(&b, "  %-22s %s\n", "", m->opens[i].what);
    }
    buf_puts(&b, "\nAlso:\n"
                 "  radixscope run \"What color is grass?\"      answer prompts, say what was reused\n"
                 "  radixscope compare                         cold and cached side by side\n"
                 "  radixscope replay FILE                     open a recording or a trace\n"
                 "  radixscope --help                          everything else\n");
    return cli_print(&b, e);
}

/* ---- as a screen ------------------------------------------------------------------------------------ */

static int open_entry(const struct menu *m, int i, struct err *e)
{
    struct cli sub = *m->cli;
    const struct opens *o = &m->opens[i];
    char *arg[] = {o->what};
    sub.name = o->command;
    sub.arg = arg;
    sub.args = 1;
    sub.start = o->step;
    sub.home = true;
    if (strcmp(o->command, "lesson") == 0)
        return cmd_lesson(&sub, e);
    return strcmp(o->command, "replay") == 0 ? cmd_replay(&sub, e) : cmd_play(&sub, e);
}

/* Open what is chosen, come back, until the person leaves here. */
static int show_menu(struct menu *m, struct err *e)
{
    struct ui_options options = {.theme = m->cli->option[OPT_THEME], .ascii = cli_has(m->cli, OPT_ASCII)};
    struct home h = {0};
    char chosen[64] = "";
    for (;;) {
        h.entry = m->entry;
        h.count = m->count;
        for (int i = 0; i < m->count; i++) /* where the choice was, also when the list has grown */
            if (strcmp(m->entry[i].name, chosen) == 0)
                h.chosen = i;
        int rc = home_run(&h, &options, e);
        if (rc != 0)
            return rc == 1 ? 0 : rc;
        snprintf(chosen, sizeof chosen, "%s", m->entry[h.chosen].name);
        rc = open_entry(m, h.chosen, e);
        if (rc != 0)
            return rc;
        if (menu_fill(m, e) != 0)
            return -1;
    }
}

int cmd_home(struct cli *c, struct err *e)
{
    struct menu *m = xcalloc(1, sizeof *m);
    if (m == NULL)
        return err_memory(e, sizeof *m, "the home screen");
    m->cli = c;
    int rc = menu_fill(m, e);
    if (rc == 0)
        rc = cli_has(c, OPT_PLAIN) || ui_available(NULL) != 0 ? print_menu(m, e) : show_menu(m, e);
    menu_done(m);
    xfree(m);
    return rc;
}
