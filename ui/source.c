#include "ui/source.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- anchors ---------------------------------------------------------------------------------------- */

static size_t label_len(const char *text)
{
    if (*text == '\0' || strchr("MISLUFE", *text) == NULL || !isdigit((unsigned char)text[1]))
        return 0;
    return text[2] == 'a' || text[2] == 'b' ? 3 : 2;
}

/* The label of a line's anchor, a comment that holds nothing else; NULL: it has none. */
static const char *anchor(const char *line)
{
    const char *at = strstr(line, "/* ");
    size_t n = at != NULL ? label_len(at + 3) : 0;
    return n > 0 && strcmp(at + 3 + n, " */") == 0 ? at + 3 : NULL;
}

static bool is_label(const char *text, const char *label)
{
    return text != NULL && label_len(text) == strlen(label) && strncmp(text, label, strlen(label)) == 0;
}

static int indent(const char *line)
{
    return (int)strspn(line, " ");
}

static bool is_c(const struct source_file *f)
{
    size_t n = strlen(f->path);
    return n > 2 && strcmp(f->path + n - 2, ".c") == 0;
}

/* ---- the code --------------------------------------------------------------------------------------- */

static bool begins_function(const char *line)
{
    return (isalpha((unsigned char)*line) || *line == '_') && strchr(line, '(') != NULL;
}

static struct source_part function_around(const struct source_file *f, int line)
{
    struct source_part p = {f, line, line};
    while (p.first > 0 && !begins_function(f->line[p.first]))
        p.first--;
    while (p.end < f->lines && strcmp(f->line[p.end], "}") != 0)
        p.end++;
    p.end += p.end < f->lines;
    return p;
}

void source_name(struct source_part function, char *out, size_t n)
{
    const char *line = function.file->line[function.first], *end = strchr(line, '('), *begin = end;
    while (begin > line && (isalnum((unsigned char)begin[-1]) || begin[-1] == '_'))
        begin--;
    snprintf(out, n, "%.*s", (int)(end - begin), begin);
}

/* Is this the function of that operation? "req_cache_finished" does cache_finished_req. */
static bool names(const char *function, const char *operation)
{
    char bare[64];
    size_t n = strlen(operation);
    if (n > 4 && n < sizeof bare && strcmp(operation + n - 4, "_req") == 0)
        n -= 4;
    snprintf(bare, sizeof bare, "%.*s", (int)n, operation);
    return strstr(function, bare) != NULL;
}

struct source_part source_function(const char *label, const char *hint)
{
    struct source_part found = {0};
    char name[64];
    const struct source_file *f;
    for (int i = 0; (f = source_file(i)) != NULL; i++) {
        for (int k = 0; is_c(f) && k < f->lines; k++) {
            if (!is_label(anchor(f->line[k]), label))
                continue;
            struct source_part p = function_around(f, k);
            source_name(p, name, sizeof name);
            if (names(name, hint))
                return p;
            found = found.file == NULL ? p : found;
        }
    }
    return found;
}

/* Where the lines of the anchor at `line` end: at the next anchor, or where its block does. */
static int anchor_end(struct source_part p, int line)
{
    const char *const *text = p.file->line;
    int in = indent(text[line]), k = line + 1;
    bool head = k < p.end && indent(text[k]) > in; /* of a block: it ends when the indent comes back */
    for (; k < p.end - 1 && anchor(text[k]) == NULL; k++) {
        if (*text[k] != '\0' && indent(text[k]) < in)
            return k;
        if (head && indent(text[k]) == in && *text[k] != '\0')
            return text[k][in] == '}' ? k + 1 : k;
    }
    return k;
}

bool source_does(struct source_part function, int line, const char *label)
{
    for (int k = line; k >= function.first; k--)
        if (anchor(function.file->line[k]) != NULL)
            return is_label(anchor(function.file->line[k]), label) && line < anchor_end(function, k);
    return false;
}

int source_first(struct source_part function, const char *label)
{
    int line = function.first;
    while (line < function.end && !source_does(function, line, label))
        line++;
    return line;
}

/* ---- the algorithm ---------------------------------------------------------------------------------- */

/* A numbered line of a header's comment: " *      M3a     fewer …" */
static const char *numbered(const char *line)
{
    const char *text = line + strspn(line, " *");
    size_t n = label_len(text);
    return text - line > 4 && n > 0 && strncmp(text + n, "  ", 2) == 0 ? text : NULL;
}

struct source_part source_algorithm(const char *label)
{
    const struct source_file *f;
    for (int i = 0; (f = source_file(i)) != NULL; i++) {
        for (int k = 0; !is_c(f) && k < f->lines; k++) {
            if (!is_label(numbered(f->line[k]), label))
                continue;
            struct source_part p = {f, k, k};
            while (p.first > 0 && strncmp(f->line[p.first], " *   ", 5) == 0)
                p.first--;
            while (p.end < f->lines && strncmp(f->line[p.end], " *   ", 5) == 0)
                p.end++;
            return p;
        }
    }
    return (struct source_part){0};
}

bool source_says(struct source_part algorithm, int line, const char *label)
{
    while (line > algorithm.first && numbered(algorithm.file->line[line]) == NULL)
        line--;
    return is_label(numbered(algorithm.file->line[line]), label);
}

const char *source_text(struct source_part algorithm, int line)
{
    const char *text = algorithm.file->line[line];
    size_t skip = strspn(text, " *");
    return text + (skip > 7 ? 7 : skip); /* " *      " without what every line has */
}

/* ---- as text ---------------------------------------------------------------------------------------- */

void source_tell(const char *label, const char *hint, struct buf *out)
{
    struct source_part a = source_algorithm(label), f = source_function(label, hint);
    for (int k = a.first; k < a.end; k++)
        buf_printf(out, "%c %s\n", source_says(a, k, label) ? '>' : ' ', source_text(a, k));
    if (f.file == NULL)
        return;
    buf_printf(out, "  %s:%d\n", f.file->path, source_first(f, label) + 1);
    for (int k = f.first; k < f.end; k++)
        buf_printf(out, "%c %4d %s\n", source_does(f, k, label) ? '>' : ' ', k + 1, f.file->line[k]);
}
