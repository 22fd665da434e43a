#include "cli/lessons.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "cli/places.h"
#include "lesson/progress.h"
#include "script/nearest.h"

enum { LESSONS_MAX = 200 };

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int lessons_folder(const struct cli *c, struct buf *out, struct err *e)
{
    struct buf data = {0};
    bool found = false;
    if (place_data(c, &data, e) != 0)
        return -1;
    for (int up = 0; up < 2 && !found; up++) {
        struct buf path = {0};
        buf_printf(&path, up ? "%s/../lessons" : "%s/lessons", buf_text(&data));
        found = !path.failed && is_folder(buf_text(&path));
        if (found)
            buf_puts(out, buf_text(&path));
        buf_free(&path);
    }
    buf_free(&data);
    return found ? 0 : err_set(e, "there is no folder with lessons beside the program's data");
}

static bool ends_md(const char *name)
{
    size_t n = strlen(name);
    return n > 3 && strcmp(name + n - 3, ".md") == 0;
}

static void read_brief(struct lesson_brief *b, const struct progress *p)
{
    struct err e = {0};
    char *text;
    size_t len;
    if (file_read(b->path, LESSON_BYTES + 1, &text, &len, &e) == 0) {
        lesson_read_head(b->path, text, len, &b->head, &e);
        xfree(text);
    }
    if (e.set)
        snprintf(b->problem, sizeof b->problem, "%.190s", e.what);
    b->done = progress_value(p, FACT_DONE, b->head.id, "", 0) != 0;
    b->at = progress_value(p, FACT_AT, b->head.id, "", 0);
}

static int by_number(const void *a, const void *b)
{
    const struct lesson_brief *x = a, *y = b;
    uint32_t i = x->head.number == 0 ? UINT32_MAX : x->head.number, j = y->head.number == 0 ? UINT32_MAX : y->head.number;
    return i != j ? (i < j ? -1 : 1) : strcmp(x->path, y->path);
}

static size_t read_folder(const char *folder, const struct progress *p, struct lesson_brief *list)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t n = 0;
    while (dir != NULL && n < LESSONS_MAX && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' || !ends_md(entry->d_name))
            continue;
        struct lesson_brief *b = &list[n];
        if (snprintf(b->path, sizeof b->path, "%s/%s", folder, entry->d_name) >= (int)sizeof b->path)
            continue;
        read_brief(b, p);
        n++;
    }
    if (dir != NULL)
        closedir(dir);
    qsort(list, n, sizeof *list, by_number);
    return n;
}

int lessons_visit(const struct cli *c, void (*visit)(void *ctx, const struct lesson_brief *b), void *ctx, struct err *e)
{
    struct buf folder = {0};
    struct err ignored = {0};
    struct progress p;
    char message[600];
    if (lessons_folder(c, &folder, &ignored) != 0)
        return 0;
    struct lesson_brief *list = xcalloc(LESSONS_MAX, sizeof *list);
    if (list == NULL) {
        buf_free(&folder);
        return err_memory(e, LESSONS_MAX * sizeof *list, "a list of lessons");
    }
    progress_load(&p, message, sizeof message, &ignored); /* unreadable: nothing counts as done */
    size_t n = read_folder(buf_text(&folder), &p, list);
    for (size_t i = 0; i < n; i++)
        visit(ctx, &list[i]);
    progress_done(&p);
    xfree(list);
    buf_free(&folder);
    return 0;
}

struct finding {
    const char *name;
    struct nearest near;
    char found[512], close[64];
};

static void try_lesson(void *ctx, const struct lesson_brief *b)
{
    struct finding *f = ctx;
    const char *file = strrchr(b->path, '/') + 1;
    char *end;
    unsigned long number = strtoul(f->name, &end, 10);
    bool by_digits = *f->name != '\0' && *end == '\0' && number != 0 && number == b->head.number;
    bool by_file = strlen(file) == strlen(f->name) + 3 && strncmp(file, f->name, strlen(f->name)) == 0;
    if (strcmp(f->name, b->head.id) == 0 || by_digits || by_file)
        snprintf(f->found, sizeof f->found, "%s", b->path);
    unsigned before = f->near.name != NULL ? f->near.distance : 1000;
    nearest_try(&f->near, f->name, b->head.id);
    if (f->near.name != NULL && f->near.distance < before) {
        snprintf(f->close, sizeof f->close, "%s", b->head.id);
        f->near.name = f->close; /* the brief goes away */
    }
}

int lessons_find(const struct cli *c, const char *name, struct buf *out, struct err *e)
{
    struct finding f = {.name = name};
    if (strchr(name, '/') != NULL || ends_md(name)) {
        buf_puts(out, name);
        return 0;
    }
    if (lessons_visit(c, try_lesson, &f, e) != 0)
        return -1;
    if (f.found[0] != '\0') {
        buf_puts(out, f.found);
        return 0;
    }
    err_set(e, "there is no lesson called %.100s", name);
    if (f.close[0] != '\0')
        return err_hint(e, "did you mean %s?", f.close);
    return err_hint(e, "radixscope lesson lists them; a file's name ends in .md");
}
