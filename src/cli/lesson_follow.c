/* radixscope lesson NAME --follow --plain: what the presenter shows, in lines; a line from standard input answers. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/lesson_plain.h"

struct following {
    struct lesson_room *room;
    struct room_place shown;     /* what has been printed */
    bool any;
    char line[200];
    struct room_reader in;
};

/* The steps up to where the presenter stands. */
static void show_walk(struct following *f, struct buf *out)
{
    struct player *p = f->room->player;
    bool same = f->any && f->shown.part == p->at && f->shown.phase == PHASE_ACT && f->shown.scene == f->room->news.place.scene &&
                f->shown.branch == p->branch;
    uint32_t step = p->step, limit = p->limit, from = same ? f->shown.step + 1 : step;
    if (p->scene == NULL || step == 0 || from > step)
        return;
    p->step = p->phase == PHASE_ACT && !same ? p->run->block[player_part(p)->item].before + 1 : from;
    p->limit = step;
    if (p->step <= step)
        lesson_show_steps(p, out);
    p->step = step;
    p->limit = limit;
}

static void show_place(struct following *f, struct buf *out)
{
    const struct room_place *to = &f->room->news.place;
    struct player *p = f->room->player;
    bool part = !f->any || f->shown.part != to->part;
    bool said = part || f->shown.phase != to->phase || f->shown.hints != to->hints;
    if (f->room->trouble[0] != '\0')
        return;
    if (said && p->phase != PHASE_ACT)
        lesson_show_pieces(p, !part && p->phase != PHASE_ASK, out);
    if (p->phase == PHASE_ACT || p->phase == PHASE_WRONG || (p->challenge != NULL && !part && f->shown.step != to->step))
        show_walk(f, out);
    f->shown = *to;
    f->any = true;
}

static int show_news(struct following *f, struct err *e)
{
    struct buf out = {0};
    bool shown = f->room->ui.shown;
    bool moved = lesson_room_news(f->room);
    if (moved)
        show_place(f, &out);
    if (f->room->ui.shown && !shown) {
        lesson_show_room(f->room, &out);
    } else if (strcmp(f->line, f->room->ui.line) != 0) {
        buf_printf(&out, "* %s\n", f->room->ui.line);
    }
    memcpy(f->line, f->room->ui.line, sizeof f->line);
    return out.len == 0 ? 0 : cli_print(&out, e) != 0 ? -1 : cli_flush(e);
}

static int answer_line(struct following *f, const char *line, size_t n, struct err *e)
{
    char text[ROOM_ANSWER];
    struct buf out = {0};
    struct err said = {0};
    snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), line);
    if (text[strspn(text, " \t\r")] == '\0')
        lesson_show_pieces(f->room->player, false, &out);
    else if (f->room->ui.answer(f->room, text, &said) != 0)
        buf_printf(&out, "! %s\n", said.what);
    else
        buf_printf(&out, "* %s\n", f->room->ui.line);
    memcpy(f->line, f->room->ui.line, sizeof f->line);
    return cli_print(&out, e) != 0 ? -1 : cli_flush(e);
}

/* 1: the input has ended. */
static int read_answers(struct following *f, struct err *e)
{
    char *to;
    const char *line;
    size_t room = room_reader_room(&f->in, &to), len;
    ssize_t n = read(STDIN_FILENO, to, room);
    int rc = 0, whole = 0;
    if (n <= 0)
        return n < 0 && errno == EINTR ? 0 : 1;
    room_reader_came(&f->in, (size_t)n);
    while (rc == 0 && (whole = room_reader_line(&f->in, &line, &len)) == 1)
        rc = line[0] == 'q' && len == 1 ? 1 : answer_line(f, line, len, e);
    if (whole < 0)
        f->in = (struct room_reader){0}; /* no answer is that long */
    return rc;
}

int lesson_follow_plain(struct lesson_room *room, struct err *e)
{
    struct following f = {.room = room};
    struct pollfd fd[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = lesson_room_fd(room), .events = POLLIN}};
    int rc = show_news(&f, e);
    while (rc == 0) {
        if (poll(fd, 2, -1) < 0)
            continue;
        if (fd[1].revents != 0)
            rc = show_news(&f, e);
        if (rc == 0 && fd[0].revents != 0)
            rc = read_answers(&f, e);
    }
    return rc < 0 ? -1 : 0;
}
