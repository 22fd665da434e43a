/* radixscope lesson export NAME [-o FILE] [--answers]: a handout. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/export.h"
#include "cli/handout.h"
#include "cli/lesson_cli.h"
#include "cli/source.h"

enum { SCREEN_W = 79, SCREEN_H = 21, LEFT_OUT = 2 }; /* timeline and keys: they tell what comes */

/* The stepper's screen at this step, without its last lines. */
static int draw_screen(void *ctx, struct lesson_scene *s, uint32_t step, struct buf *out, struct err *e)
{
    const char *title = ctx;
    struct ui_feed feed = {.tape = runner_tape(s->runner), .title = title, .words = source_words(runner_lexicon(s->runner)),
                           .mode = source_mode(runner_settings(s->runner)), .wake_fd = -1};
    struct export x = {.feed = &feed, .look = {.mono = true}, .w = SCREEN_W, .h = SCREEN_H, .step = step, .format = "text"};
    struct buf all = {0};
    int rc = export_screen(&x, &all, e);
    const char *text = buf_text(&all);
    for (int y = 0; rc == 0 && y + LEFT_OUT < SCREEN_H && *text != '\0'; y++) {
        size_t n = strcspn(text, "\n");
        buf_add(out, text, n);
        buf_putc(out, '\n');
        text += n + (text[n] == '\n');
    }
    buf_free(&all);
    return rc;
}

static bool is_page(const char *path)
{
    size_t n = path != NULL ? strlen(path) : 0;
    return n > 5 && strcmp(path + n - 5, ".html") == 0;
}

int lesson_export(struct cli *c, struct err *e)
{
    const char *path = c->option[OPT_OUTPUT];
    struct lesson_open o = {0};
    struct buf b = {0};
    if (c->args != 2)
        return err_usage(e, "lesson export needs the name of one lesson");
    int rc = lesson_open(&o, c, c->arg[1], e);
    if (rc == 0) {
        struct handout h = {.run = o.run, .html = is_page(path), .answers = cli_has(c, OPT_ANSWERS), .screen = draw_screen,
                            .ctx = o.lesson->head.title};
        rc = handout_write(&h, &b, e);
    }
    lesson_close(&o);
    if (rc == 0 && path == NULL)
        return cli_print(&b, e);
    if (rc == 0)
        rc = file_write(path, buf_text(&b), b.len, e);
    buf_free(&b);
    return rc;
}
