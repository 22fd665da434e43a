#include "lesson/progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"

enum { PROGRESS_BYTES = 1 << 20 };

static const char *const WORDS[FACT_COUNT] = {"at", "right", "golf", "done"};

static struct progress_fact *find(const struct progress *p, enum fact fact, const char *lesson, const char *question)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->fact[i].fact == fact && strcmp(p->fact[i].lesson, lesson) == 0 && strcmp(p->fact[i].question, question) == 0)
            return &p->fact[i];
    return NULL;
}

uint32_t progress_value(const struct progress *p, enum fact fact, const char *lesson, const char *question, uint32_t otherwise)
{
    const struct progress_fact *f = find(p, fact, lesson, question);
    return f != NULL ? f->value : otherwise;
}

int progress_note(struct progress *p, enum fact fact, const char *lesson, const char *question, uint32_t value,
                  struct err *e)
{
    struct progress_fact *f = find(p, fact, lesson, question);
    bool smaller = fact == FACT_RIGHT || fact == FACT_GOLF;
    if (f != NULL) {
        if (smaller ? value < f->value : value > f->value)
            f->value = value;
        return 0;
    }
    void *grown = p->fact;
    bool room = xgrow(&grown, &p->cap, p->n + 1, sizeof *p->fact);
    p->fact = grown;
    if (!room)
        return err_memory(e, sizeof *p->fact, "progress");
    f = &p->fact[p->n++];
    *f = (struct progress_fact){.fact = fact, .value = value};
    snprintf(f->lesson, sizeof f->lesson, "%s", lesson);
    snprintf(f->question, sizeof f->question, "%s", question);
    return 0;
}

void progress_reset(struct progress *p, const char *lesson)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->fact[i].lesson, lesson) != 0)
            p->fact[kept++] = p->fact[i];
    p->n = kept;
}

void progress_done(struct progress *p)
{
    xfree(p->fact);
    xfree(p->path);
    *p = (struct progress){0};
}

/* ---- text --------------------------------------------------------------------------------------------- */

static bool is_word(const char *w)
{
    size_t n = strspn(w, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n > 0 && n < 40 && w[n] == '\0';
}

static bool is_count(const char *w, uint32_t *out)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(w, &end, 10);
    *out = (uint32_t)n;
    return w[0] >= '0' && w[0] <= '9' && *end == '\0' && errno == 0 && n <= 1000000;
}

/* 1: understood (or nothing to understand), 0: not, -1: no memory. */
static int read_line(struct progress *p, char *line, struct err *e)
{
    char *word[5], *rest = NULL;
    int n = 0;
    uint32_t value = 1;
    if (line[0] == '#')
        return 1;
    for (char *w = strtok_r(line, " \t\r", &rest); w != NULL && n < 5; w = strtok_r(NULL, " \t\r", &rest))
        word[n++] = w;
    if (n == 0)
        return 1;
    for (int f = 0; f < FACT_COUNT; f++) {
        int words = f == FACT_DONE ? 2 : f == FACT_AT ? 3 : 4;
        if (n != words || strcmp(word[1], WORDS[f]) != 0 || !is_word(word[0]) || (words == 4 && !is_word(word[2])) ||
            (words > 2 && !is_count(word[words - 1], &value)))
            continue;
        return progress_note(p, (enum fact)f, word[0], words == 4 ? word[2] : "", value, e) == 0 ? 1 : -1;
    }
    return 0;
}

int progress_parse(struct progress *p, const char *text, size_t len, uint32_t *bad, struct err *e)
{
    char line[200];
    uint32_t number = 0;
    *bad = 0;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - text) - at : len - at;
        size_t cut = n < sizeof line - 1 ? n : sizeof line - 1;
        memcpy(line, text + at, cut);
        line[cut] = '\0';
        number++;
        int rc = n < sizeof line && memchr(line, '\0', n) == NULL ? read_line(p, line, e) : 0;
        if (rc < 0)
            return -1;
        if (rc == 0 && *bad == 0)
            *bad = number;
        at += n + 1;
    }
    return 0;
}

static int by_lesson(const void *a, const void *b)
{
    const struct progress_fact *x = a, *y = b;
    int c = strcmp(x->lesson, y->lesson);
    if (c == 0)
        c = (int)x->fact - (int)y->fact;
    return c != 0 ? c : strcmp(x->question, y->question);
}

void progress_print(const struct progress *p, struct buf *out)
{
    buf_puts(out, "# radixscope progress\n");
    if (p->n > 0)
        qsort(p->fact, p->n, sizeof *p->fact, by_lesson);
    for (size_t i = 0; i < p->n; i++) {
        const struct progress_fact *f = &p->fact[i];
        buf_printf(out, "%s %s", f->lesson, WORDS[f->fact]);
        if (f->question[0] != '\0')
            buf_printf(out, " %s", f->question);
        if (f->fact != FACT_DONE)
            buf_printf(out, " %u", f->value);
        buf_putc(out, '\n');
    }
}

/* ---- the file ----------------------------------------------------------------------------------------- */

/* Folder and file; false: nobody knows where (no HOME). */
static bool find_path(struct buf *folder)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state != NULL && state[0] == '/')
        buf_printf(folder, "%s/radixscope", state);
    else if (home != NULL && home[0] == '/')
        buf_printf(folder, "%s/.local/state/radixscope", home);
    return folder->len > 0 && !folder->failed;
}

static void make_folders(char *path)
{
    for (char *c = path + 1; *c != '\0'; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        mkdir(path, 0700);
        *c = '/';
    }
    mkdir(path, 0700);
}

/* Rename path to the first free "path.damaged-N". */
static int set_aside(const char *path, uint32_t line, char *message, size_t n, struct err *e)
{
    struct buf to = {0};
    int rc = -1;
    for (int i = 1; i < 1000 && rc != 0; i++) {
        buf_clear(&to);
        buf_printf(&to, "%s.damaged-%d", path, i);
        if (access(buf_text(&to), F_OK) != 0)
            rc = rename(path, buf_text(&to));
    }
    if (rc == 0)
        snprintf(message, n, "Line %u of your progress cannot be understood. The file was kept as %s; what could be read counts.",
                 line, buf_text(&to));
    else
        err_set(e, "%s: line %u cannot be understood, and the file cannot be renamed", path, line);
    buf_free(&to);
    return rc;
}

static int load_file(struct progress *p, char *message, size_t n, struct err *e)
{
    char *text;
    size_t len;
    uint32_t bad;
    if (access(p->path, F_OK) != 0)
        return 0;
    if (file_read(p->path, PROGRESS_BYTES, &text, &len, e) != 0)
        return -1;
    int rc = progress_parse(p, text, len, &bad, e);
    xfree(text);
    if (rc == 0 && bad > 0)
        rc = set_aside(p->path, bad, message, n, e) == 0 ? progress_save(p, e) : -1;
    return rc;
}

int progress_load(struct progress *p, char *message, size_t n, struct err *e)
{
    struct buf path = {0};
    *p = (struct progress){0};
    message[0] = '\0';
    if (!find_path(&path))
        return 0; /* nowhere to save */
    buf_puts(&path, "/progress");
    p->path = buf_take(&path, NULL);
    if (p->path == NULL)
        return err_memory(e, 64, "progress");
    if (load_file(p, message, n, e) == 0)
        return 0;
    xfree(p->path);
    p->path = NULL;
    return -1;
}

int progress_save(const struct progress *p, struct err *e)
{
    struct buf b = {0};
    if (p->path == NULL)
        return 0;
    char *folder = xstrdup(p->path);
    if (folder == NULL)
        return err_memory(e, 64, "progress");
    *strrchr(folder, '/') = '\0';
    make_folders(folder);
    xfree(folder);
    progress_print(p, &b);
    int rc = b.failed ? err_memory(e, b.len, "progress") : file_write(p->path, buf_text(&b), b.len, e);
    buf_free(&b);
    return rc;
}
