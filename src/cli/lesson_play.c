/* radixscope lesson NAME */
#include <stdio.h>
#include <unistd.h>

#include "cli/lesson_plain.h"
#include "cli/lesson_screen.h"
#include "cli/lesson_speaker.h"
#include "cli/lessons.h"
#include "ui/app.h"
#include "ui/theme.h"

static int check_theme_name(const struct cli *c, struct err *e)
{
    const char *name = c->option[OPT_THEME];
    return name == NULL || theme_find(name) != NULL ? 0 : err_usage(e, "there is no theme '%.60s'", name);
}

static int serve(struct cli *c, struct player *p, struct lesson_room *room, bool screen, struct err *e)
{
    if (room->part == ROOM_SPEAKS)
        return lesson_notes_live(c, p, room, screen, e);
    if (screen)
        return lesson_screen(c, p, room, e);
    return room->part == ROOM_FOLLOWS ? lesson_follow_plain(room, e) : lesson_converse(p, room, stdin, e);
}

struct next {
    uint32_t number;
    struct lesson_head head; /* number 0: none */
};

static void look_for_next(void *ctx, const struct lesson_brief *b)
{
    struct next *n = ctx;
    if (b->problem[0] == '\0' && b->head.number > n->number && n->head.number == 0) /* they come by number */
        n->head = b->head;
}

/* Who has come to the end is told what is next; the home screen shows it by itself. */
static int say_next(const struct cli *c, const struct lesson_head *done, struct err *e)
{
    struct next next = {.number = done->number};
    struct buf b = {0};
    if (c->home || done->number == 0)
        return 0;
    if (lessons_visit(c, look_for_next, &next, e) != 0)
        return -1;
    buf_printf(&b, "Lesson %u is done.", done->number);
    if (next.head.number > 0)
        buf_printf(&b, " Next: %s lesson %u (%s)", c->program, next.head.number, next.head.title);
    buf_putc(&b, '\n');
    return cli_print(&b, e);
}

int lesson_play(struct cli *c, struct err *e)
{
    struct lesson_open o = {0};
    struct progress progress = {0};
    struct player p = {0};
    struct lesson_room room = {0};
    enum room_part part = ROOM_ALONE;
    bool screen = !cli_has(c, OPT_PLAIN) && ui_available(NULL) == 0;
    int rc = check_theme_name(c, e);
    if (rc == 0)
        rc = lesson_room_part(c, &part, e);
    if (rc == 0)
        rc = lesson_open(&o, c, c->arg[0], e);
    if (rc == 0)
        rc = part == ROOM_ALONE || part == ROOM_PRESENTS ? lesson_progress(c, &progress, e) : 0; /* who follows, has none */
    if (rc == 0)
        rc = player_init(&p, o.run, &progress, false, e);
    if (rc == 0)
        rc = lesson_room_open(&room, c, part, &o, &p, e);
    if (rc == 0)
        rc = serve(c, &p, &room, screen, e);
    if (rc == 0 && part == ROOM_ALONE && p.phase == PHASE_OVER)
        rc = say_next(c, &o.lesson->head, e);
    lesson_room_close(&room);
    player_done(&p);
    progress_done(&progress);
    lesson_close(&o);
    return rc;
}
