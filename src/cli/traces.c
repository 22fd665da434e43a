#include "cli/traces.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "cli/show_trace.h"
#include "cli/state.h"
#include "trace/mooncake.h"

enum { TRACES = 64 };

/* What its first request says; false: it cannot be read. A FIFO would let nobody look twice. */
static bool trace_about(const char *path, char *out, size_t n)
{
    struct stat st;
    struct err ignored = {0};
    struct mooncake_request first;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    struct lines *l = lines_open(path, &ignored);
    struct mooncake *m = l != NULL ? mooncake_new(l, 0, &ignored) : NULL;
    bool good = m != NULL && mooncake_next(m, &first, &ignored) == 1;
    if (good)
        snprintf(out, n, "%s, blocks of %u tokens, %.1f MB.", mooncake_kind_name(mooncake_get_kind(m)), mooncake_block(m),
                 (double)st.st_size / 1e6);
    mooncake_free(m);
    lines_close(l);
    return good;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static int wanted(const struct dirent *d)
{
    return d->d_name[0] != '.' && is_trace_name(d->d_name);
}

/* Is the file one of this folder's, which have been told already? */
static bool is_here(const char *path)
{
    char here[PATH_MAX], *folder = realpath(".", here);
    size_t n = folder != NULL ? strlen(here) : 0;
    return n > 0 && strncmp(path, here, n) == 0 && path[n] == '/' && strchr(path + n + 1, '/') == NULL;
}

void traces_visit(void (*one)(void *ctx, const char *name, const char *about, const char *path), void *ctx)
{
    struct dirent **file = NULL;
    char *lately[STATE_TRACES], about[256], path[PATH_MAX];
    int n = scandir(".", &file, wanted, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "./%s", file[i]->d_name);
        if (i < TRACES && trace_about(path, about, sizeof about))
            one(ctx, name_of(path), about, path);
        free(file[i]); /* scandir's, not ours */
    }
    free(file);
    n = state_traces(lately);
    for (int i = 0; i < n; i++) {
        if (!is_here(lately[i]) && trace_about(lately[i], about, sizeof about))
            one(ctx, name_of(lately[i]), about, lately[i]);
        xfree(lately[i]);
    }
}
