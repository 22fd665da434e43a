#include "cli/places.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#include "base/xalloc.h"
#include "script/nearest.h"

#ifndef RADIXSCOPE_PREFIX
#define RADIXSCOPE_PREFIX "/usr/local" /* the Makefile's PREFIX */
#endif

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The program's own file with links resolved; false if the system does not tell. */
static bool program_path(const char *argv0, char out[PATH_MAX])
{
#ifdef __APPLE__
    char raw[PATH_MAX];
    uint32_t size = sizeof raw;
    if (_NSGetExecutablePath(raw, &size) == 0 && realpath(raw, out) != NULL)
        return true;
#else
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (n > 0) {
        out[n] = '\0';
        return true;
    }
#endif
    return strchr(argv0, '/') != NULL && realpath(argv0, out) != NULL;
}

/* Does folder/below hold scenarios? Then it is appended. */
static bool data_in(const char *folder, const char *below, struct buf *out)
{
    size_t start = out->len;
    buf_printf(out, "%s%s/scenarios", folder, below);
    bool found = !out->failed && is_folder(out->data + start);
    if (!out->failed) {
        out->len = found ? out->len - strlen("/scenarios") : start;
        out->data[out->len] = '\0';
    }
    return found;
}

/* build/radixscope and build/asan/radixscope find data/ one and two folders up; an installed bin/radixscope
 * finds share/radixscope one folder up, wherever the tree was moved. */
static bool beside_program(const char *argv0, struct buf *out)
{
    char path[PATH_MAX];
    if (!program_path(argv0, path))
        return false;
    for (int up = 0; up < 4; up++) {
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return false;
        *slash = '\0';
        if (data_in(path, "/share/radixscope", out) || data_in(path, "/data", out))
            return true;
    }
    return false;
}

int place_program(const struct cli *c, char out[PATH_MAX], struct err *e)
{
    return program_path(c->program, out) ? 0 : err_set(e, "the program's own file cannot be found");
}

int place_data(const struct cli *c, struct buf *out, struct err *e)
{
    const char *given = getenv("RADIXSCOPE_DATA");
    if (given != NULL && given[0] != '\0') {
        if (!is_folder(given))
            return err_set(e, "RADIXSCOPE_DATA names %s, which is no folder", given);
        buf_puts(out, given);
        return 0;
    }
    if (beside_program(c->program, out))
        return 0;
    if (is_folder(RADIXSCOPE_PREFIX "/share/radixscope/scenarios")) {
        buf_puts(out, RADIXSCOPE_PREFIX "/share/radixscope");
        return 0;
    }
    err_set(e, "the folder with the model and the scenarios was not found");
    return err_hint(e, "set RADIXSCOPE_DATA to the data/ folder of radixscope");
}

int place_model(const struct cli *c, struct buf *out, struct err *e)
{
    if (c->option[OPT_MODEL] != NULL) {
        if (!is_folder(c->option[OPT_MODEL]))
            return err_set(e, "%s is no folder: --model wants one with config.json and the weights",
                           c->option[OPT_MODEL]);
        buf_puts(out, c->option[OPT_MODEL]);
        return 0;
    }
    if (place_data(c, out, e) != 0)
        return -1;
    buf_puts(out, "/model");
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int place_scenarios(const struct cli *c, void (*visit)(void *ctx, const char *name), void *ctx, struct err *e)
{
    struct buf path = {0};
    if (place_data(c, &path, e) != 0)
        return -1;
    buf_puts(&path, "/scenarios");
    DIR *dir = opendir(buf_text(&path));
    char *names[256];
    size_t n = 0;
    struct dirent *entry;
    while (dir != NULL && n < ARRAY_LEN(names) && (entry = readdir(dir)) != NULL) {
        if (!ends_with(entry->d_name, ".rxs") || entry->d_name[0] == '.')
            continue;
        char *name = xstrdup(entry->d_name);
        if (name == NULL)
            break;
        name[strlen(name) - strlen(".rxs")] = '\0';
        names[n++] = name;
    }
    if (dir != NULL)
        closedir(dir);
    buf_free(&path);
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        visit(ctx, names[i]);
        xfree(names[i]);
    }
    return 0;
}

struct near_scenario {
    const char *typed;
    unsigned distance;
    char name[64];
    struct buf all;
};

static void try_scenario(void *ctx, const char *name)
{
    struct near_scenario *near = ctx;
    struct nearest best = {near->name[0] != '\0' ? near->name : NULL, near->distance};
    nearest_try(&best, near->typed, name);
    if (best.name == name && strlen(name) < sizeof near->name) {
        memcpy(near->name, name, strlen(name) + 1);
        near->distance = best.distance;
    }
    buf_printf(&near->all, "%s%s", near->all.len > 0 ? ", " : "", name);
}

static int unknown_scenario(const struct cli *c, const char *name, struct err *e)
{
    struct near_scenario near = {.typed = name};
    struct err ignored = {0};
    place_scenarios(c, try_scenario, &near, &ignored);
    err_set(e, "there is no scenario called %.100s", name);
    if (near.name[0] != '\0')
        err_hint(e, "did you mean %s?", near.name);
    else
        err_hint(e, "there are %s; a file's name ends in .rxs", buf_text(&near.all));
    buf_free(&near.all);
    return -1;
}

/* The file of a scenario, workload or sandbox below the data folder *path, appended; false: there is none. */
static bool named_script(const char *name, struct buf *path)
{
    static const char *const FOLDERS[] = {"scenarios", "workloads", "sandbox"};
    size_t data = path->len;
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++) {
        buf_printf(path, "/%s/%s.rxs", FOLDERS[i], name);
        if (path->failed)
            return false;
        if (access(path->data, R_OK) == 0)
            return true;
        path->len = data;
        path->data[data] = '\0';
    }
    return false;
}

bool place_is_scenario(const struct cli *c, const char *name)
{
    struct buf path = {0};
    struct err ignored = {0};
    bool is = *name != '\0' && strchr(name, '/') == NULL && place_data(c, &path, &ignored) == 0;
    is = is && named_script(name, &path);
    buf_free(&path);
    return is;
}

int place_scenario(const struct cli *c, const char *name, struct buf *out, struct err *e)
{
    if (strchr(name, '/') != NULL || ends_with(name, ".rxs")) {
        buf_puts(out, name);
        return 0;
    }
    size_t start = out->len;
    if (place_data(c, out, e) != 0)
        return -1;
    struct buf path = {0};
    buf_puts(&path, out->data + start);
    bool found = named_script(name, &path);
    out->len = start;
    buf_puts(out, buf_text(&path));
    buf_free(&path);
    if (found)
        return 0;
    return unknown_scenario(c, name, e);
}
