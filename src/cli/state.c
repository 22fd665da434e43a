#include "cli/state.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "cli/places.h"

enum { STATE_MAX = 4096, TRACES_MAX = STATE_TRACES * PATH_MAX };

/* A file's path; its folders are made where `make` says so. */
static bool state_path(const char *name, char out[PATH_MAX], bool make)
{
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    bool absolute = xdg != NULL && xdg[0] == '/'; /* a relative one is to be ignored, says the standard */
    if (!absolute && (home == NULL || home[0] != '/'))
        return false;
    int n = snprintf(out, PATH_MAX, "%s%s/radixscope/%s", absolute ? xdg : home, absolute ? "" : "/.local/state", name);
    if (n < 0 || n >= PATH_MAX)
        return false;
    for (char *slash = strchr(out + 1, '/'); make && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(out, 0700); /* one that is there already is as good */
        *slash = '/';
    }
    return true;
}

static bool take_line(const char **at, char *out, size_t n)
{
    size_t len = strcspn(*at, "\n");
    if ((*at)[len] != '\n' || len == 0 || len >= n)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at += len + 1;
    return true;
}

bool state_load(struct state *out)
{
    char path[PATH_MAX], number[16], *text, *end;
    struct err ignored = {0};
    size_t len;
    *out = (struct state){0};
    if (!state_path("last", path, false) || file_read(path, STATE_MAX, &text, &len, &ignored) != 0)
        return false;
    const char *at = text;
    bool ok = take_line(&at, out->command, sizeof out->command) && take_line(&at, out->what, sizeof out->what) &&
              take_line(&at, number, sizeof number);
    unsigned long step = ok ? strtoul(number, &end, 10) : 0;
    ok = ok && *end == '\0' && step > 0 && step < UINT32_MAX &&
         (strcmp(out->command, "play") == 0 || strcmp(out->command, "replay") == 0);
    out->step = (uint32_t)step;
    xfree(text);
    return ok;
}

void state_save(const struct state *s)
{
    char path[PATH_MAX];
    struct buf b = {0};
    struct err ignored = {0};
    buf_printf(&b, "%s\n%s\n%u\n", s->command, s->what, s->step);
    if (!b.failed && state_path("last", path, true))
        file_write(path, b.data, b.len, &ignored);
    buf_free(&b);
}

/* Options that make another run of the same name. */
static bool changes_run(const struct cli *c)
{
    for (int i = 0; i < OPT_COUNT; i++)
        if (c->option[i] != NULL && i != OPT_ASCII && i != OPT_THEME && i != OPT_HISTORY)
            return true;
    return false;
}

void state_remember(const struct cli *c, const char *command, const char *what)
{
    struct state s = {.step = c->left_at};
    char path[PATH_MAX];
    if (c->left_at == 0 || changes_run(c))
        return;
    if (!place_is_scenario(c, what)) {
        if (realpath(what, path) == NULL)
            return;
        what = path;
    }
    if (strlen(what) >= sizeof s.what || strchr(what, '\n') != NULL)
        return;
    snprintf(s.command, sizeof s.command, "%s", command);
    memcpy(s.what, what, strlen(what) + 1);
    state_save(&s);
}

/* ---- traces --------------------------------------------------------------------------------------------- */

int state_traces(char *out[STATE_TRACES])
{
    char path[PATH_MAX], line[PATH_MAX], *text;
    struct err ignored = {0};
    size_t len;
    int n = 0;
    if (!state_path("traces", path, false) || file_read(path, TRACES_MAX, &text, &len, &ignored) != 0)
        return 0;
    for (const char *at = text; n < STATE_TRACES && take_line(&at, line, sizeof line);)
        if (line[0] == '/' && (out[n] = xstrdup(line)) != NULL)
            n++;
    xfree(text);
    return n;
}

void state_trace_opened(const char *path)
{
    char whole[PATH_MAX], where[PATH_MAX], *before[STATE_TRACES];
    struct buf b = {0};
    struct err ignored = {0};
    int n = state_traces(before), kept = 1;
    bool good = realpath(path, whole) != NULL && strchr(whole, '\n') == NULL;
    buf_printf(&b, "%s\n", good ? whole : "");
    for (int i = 0; i < n; i++) {
        if (good && kept < STATE_TRACES && strcmp(before[i], whole) != 0) {
            buf_printf(&b, "%s\n", before[i]);
            kept++;
        }
        xfree(before[i]);
    }
    if (good && !b.failed && state_path("traces", where, true))
        file_write(where, b.data, b.len, &ignored);
    buf_free(&b);
}
