/* radixscope lesson new, radixscope lesson reset */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/lesson_cli.h"
#include "cli/lessons.h"

/* A lesson that passes `lesson check` as it stands: every part once, to be written over. */
static const char TEMPLATE[] =
    "minutes: 5\n"
    "objectives:\n"
    "  - Say what a learner can do afterwards\n"
    "---\n\n"
    "## The first chunk {#begin}\n\n"
    "Some text, and then the engine acts. There are {= pool @ first} slots.\n\n"
    "```ask number how-much-new\n"
    "text: How many new slots does `the cat ran` need, when `the cat sat` is there?\n"
    "answer: added(first)\n"
    "wrong: tokens(\"the cat ran\")\n"
    "  why: The first {= matched(first)} tokens are in the tree already.\n"
    "otherwise: Count what is behind the shared beginning.\n"
    "right: {= added(first)} new ones.\n"
    "hint: What do both keys share?\n"
    "hint: They share everything up to the second blank.\n"
    "hint: Only `ran` is new.\n"
    "decides: split_node\n"
    "```\n\n"
    "```rxs first\n"
    "tokens letters\n"
    "pool 32\n"
    "insert \"the cat sat\"\n"
    "insert \"the cat ran\"\n"
    "```\n\n"
    "```expect\n"
    "nodes == 3\n"
    "```\n\n"
    "[B](node:B) is `{= edge(B)}`, which both keys share; {= used} slots are used.\n\n"
    "```notes\n"
    "What the speaker says here.\n"
    "```\n\n"
    "## Challenge {#challenge}\n\n"
    "```ask do golf\n"
    "text: Make a tree of three nodes.\n"
    "start:\n"
    "  tokens letters\n"
    "  pool 32\n"
    "allow: insert, match\n"
    "goal: nodes == 3\n"
    "par: 2\n"
    "solution:\n"
    "  insert \"ab\"\n"
    "  insert \"ac\"\n"
    "hint: Two keys that share a beginning make a fork.\n"
    "hint: A fork is three nodes.\n"
    "hint: Insert two keys of two letters each.\n"
    "```\n\n"
    "## Cheat sheet {#sheet}\n\n"
    "- What to remember, on one screen.\n";

/* "my-lesson.md": the id my-lesson. */
static void id_of(const char *path, char out[40])
{
    const char *name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;
    name += strspn(name, "0123456789-_ ");
    size_t n = 0;
    for (; *name != '\0' && *name != '.' && n < 39; name++)
        if (isalnum((unsigned char)*name) || *name == '-' || *name == '_')
            out[n++] = *name == '_' ? '-' : (char)tolower((unsigned char)*name);
    out[n] = '\0';
    if (n == 0)
        snprintf(out, 40, "my-lesson");
}

int lesson_new_file(struct cli *c, struct err *e)
{
    char id[40];
    struct buf b = {0};
    if (c->args != 2)
        return err_usage(e, "lesson new needs the name of one file");
    const char *path = c->arg[1];
    size_t n = strlen(path);
    if (n < 4 || strcmp(path + n - 3, ".md") != 0)
        return err_usage(e, "a lesson's file ends in .md, such as my-lesson.md");
    if (access(path, F_OK) == 0)
        return err_set(e, "%.200s is there already: a lesson is not written over", path);
    id_of(path, id);
    buf_printf(&b, "---\nid: %s\ntitle: A new lesson\n%s", id, TEMPLATE);
    int rc = b.failed ? err_memory(e, b.len, "a lesson") : file_write(path, buf_text(&b), b.len, e);
    buf_free(&b);
    if (rc == 0)
        printf("%s is a lesson that works: radixscope lesson %s%s takes it, radixscope lesson check proves it.\n", path,
               strchr(path, '/') != NULL ? "" : "./", path);
    return rc;
}

/* ---- reset -------------------------------------------------------------------------------------------- */

static void find_id(void *ctx, const struct lesson_brief *b)
{
    struct lesson_brief *want = ctx;
    if (strcmp(b->path, want->path) == 0)
        want->head = b->head;
}

static bool confirmed(const struct cli *c, const char *id)
{
    char line[16] = "";
    if (cli_has(c, OPT_YES))
        return true;
    printf("Forget all progress in lesson %s? (yes/no) ", id);
    fflush(stdout);
    return fgets(line, sizeof line, stdin) != NULL && (strncmp(line, "yes", 3) == 0 || strcmp(line, "y\n") == 0);
}

int lesson_reset(struct cli *c, struct err *e)
{
    struct lesson_brief b = {0};
    struct buf path = {0};
    struct progress p;
    if (c->args != 2)
        return err_usage(e, "lesson reset needs the name of one lesson");
    if (lessons_find(c, c->arg[1], &path, e) != 0)
        return -1;
    snprintf(b.path, sizeof b.path, "%s", buf_text(&path));
    buf_free(&path);
    lessons_visit(c, find_id, &b, e);
    if (b.head.id[0] == '\0') { /* a lesson elsewhere */
        struct lesson *l = lesson_load(b.path, e);
        if (l == NULL)
            return -1;
        b.head = l->head;
        lesson_free(l);
    }
    if (lesson_progress(c, &p, e) != 0)
        return -1;
    int rc = 0;
    if (confirmed(c, b.head.id)) {
        progress_reset(&p, b.head.id);
        rc = progress_save(&p, e);
        if (rc == 0)
            printf("Forgotten: lesson %s begins anew.\n", b.head.id);
    } else {
        puts("Nothing was changed.");
    }
    progress_done(&p);
    return rc;
}
