/* radixscope lesson …: the course. */
#include <stdio.h>
#include <string.h>

#include "cli/lesson_cli.h"
#include "cli/lessons.h"
#include "lesson/figures.h"
#include "lesson/lesson_text.h"
#include "lesson/progress.h"

enum { PAGE_WIDTH = 78 };

/* ---- the list ----------------------------------------------------------------------------------------- */

static void list_lesson(void *ctx, const struct lesson_brief *b)
{
    struct buf *out = ctx;
    char number[16] = "";
    if (b->problem[0] != '\0') {
        buf_printf(out, "  !  %s\n", b->problem);
        return;
    }
    if (b->head.number > 0)
        snprintf(number, sizeof number, "%u", b->head.number);
    buf_printf(out, "  %-5s %2s  %-18s %-52s %2u min\n", b->done ? "done" : b->at > 0 ? "begun" : "", number, b->head.id,
               b->head.title, b->head.minutes);
}

static int list_lessons(struct cli *c, struct err *e)
{
    struct buf b = {0};
    buf_puts(&b, "Lessons, opened with radixscope lesson NAME or NUMBER:\n");
    if (lessons_visit(c, list_lesson, &b, e) != 0) {
        buf_free(&b);
        return -1;
    }
    return cli_print(&b, e);
}

/* ---- tools for authors -------------------------------------------------------------------------------- */

static int check_one(struct cli *c, const char *name, struct err *e)
{
    struct lesson_open o;
    struct lesson_counts n;
    struct lesson_names names = lesson_names_of(c);
    struct buf b = {0};
    int rc = lesson_open(&o, c, name, e);
    if (rc == 0)
        rc = lesson_check_run(o.run, &names, &n, e);
    if (rc == 0)
        buf_printf(&b, "%s: ok: %u chunks, %u blocks, %u steps, %u figures, %u links, %u expectations, %u questions, "
                       "%u answers refused, %u hints, %u challenges\n",
                   o.lesson->head.id, n.chunks, n.blocks, n.steps, n.figures, n.links, n.expectations, n.questions, n.wrongs,
                   n.hints, n.challenges);
    lesson_close(&o);
    return rc == 0 ? cli_print(&b, e) : -1;
}

static int check_lessons(struct cli *c, struct err *e)
{
    if (c->args < 2)
        return err_usage(e, "lesson check needs a FILE.md or a lesson's name");
    for (int i = 1; i < c->args; i++)
        if (check_one(c, c->arg[i], e) != 0)
            return -1;
    return 0;
}

static int print_figures(struct cli *c, struct err *e)
{
    struct buf b = {0};
    (void)c;
    figures_list(&b);
    return cli_print(&b, e);
}

/* ---- texts -------------------------------------------------------------------------------------------- */

static int one_operand(const struct cli *c, struct err *e)
{
    if (c->args == 2)
        return 0;
    return err_usage(e, "lesson %s needs the name of one lesson", c->arg[0]);
}

static void show_items(const struct lesson_open *o, const struct chunk *k, enum item_kind kind, int indent, struct buf *out)
{
    struct err ignored = {0};
    for (size_t i = k->first; i < k->first + k->items; i++) {
        struct lesson_env env = run_env(o->run, i);
        if (o->lesson->item[i].kind == kind)
            prose_show(&o->lesson->item[i].prose, &env, PAGE_WIDTH, indent, out, &ignored);
    }
}

static int print_sheet(struct cli *c, struct err *e)
{
    struct lesson_open o = {0};
    struct buf b = {0};
    int rc = one_operand(c, e);
    if (rc == 0)
        rc = lesson_open(&o, c, c->arg[1], e);
    if (rc == 0) {
        struct buf text = {0};
        show_items(&o, &o.lesson->chunk[o.lesson->chunks - 1], ITEM_PROSE, 0, &text);
        buf_printf(&b, "%s\n\n%s", o.lesson->head.title, buf_text(&text));
        buf_free(&text);
    }
    lesson_close(&o);
    return rc == 0 ? cli_print(&b, e) : -1;
}

static int print_notes(struct cli *c, struct err *e)
{
    struct lesson_open o = {0};
    struct buf b = {0};
    int rc = one_operand(c, e);
    if (rc == 0)
        rc = lesson_open(&o, c, c->arg[1], e);
    for (size_t k = 0; rc == 0 && k < o.lesson->chunks; k++) {
        struct buf text = {0};
        show_items(&o, &o.lesson->chunk[k], ITEM_NOTES, 2, &text);
        buf_printf(&b, "%s\n%s", o.lesson->chunk[k].title, text.len > 0 ? buf_text(&text) : "  (no notes)\n");
        buf_free(&text);
    }
    lesson_close(&o);
    return rc == 0 ? cli_print(&b, e) : -1;
}

/* ---- the command -------------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    int (*run)(struct cli *c, struct err *e);
} WORDS[] = {{"list", list_lessons},   {"check", check_lessons}, {"figures", print_figures}, {"sheet", print_sheet},
             {"notes", print_notes},   {"new", lesson_new_file}, {"reset", lesson_reset},
             {"keys", lesson_keys},    {"export", lesson_export}};

int cmd_lesson(struct cli *c, struct err *e)
{
    if (c->args == 0)
        return list_lessons(c, e);
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (strcmp(c->arg[0], WORDS[i].word) == 0)
            return WORDS[i].run(c, e);
    if (c->args > 1)
        return err_usage(e, "lesson takes one lesson, not %d operands", c->args);
    return lesson_play(c, e);
}
