#include "cli/lesson_speaker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/lesson_plain.h"
#include "cli/lesson_screen.h"
#include "lesson/lesson_text.h"
#include "ui/notes.h"

enum { NOTES_WIDTH = 78, STAGE_W = 80, STAGE_H = 24 };

/* ---- texts -------------------------------------------------------------------------------------------- */

void speaker_notes(const struct player *p, int width, struct buf *out)
{
    const struct chunk *k = player_chunk(p);
    const struct lesson *l = p->run->lesson;
    struct err ignored = {0};
    size_t begin = out->len;
    for (size_t i = k->first; i < k->first + k->items; i++) {
        struct lesson_env env = run_env(p->run, i);
        if (l->item[i].kind == ITEM_NOTES)
            prose_show(&l->item[i].prose, &env, width, 0, out, &ignored);
    }
    if (out->len == begin)
        buf_puts(out, "No notes for this chunk.\n");
}

/* The commands of the part's block, a line each. */
static void add_block(const struct player *p, struct buf *out)
{
    const struct item *it = &p->run->lesson->item[player_part(p)->item];
    const struct lesson_block *b = &p->run->block[player_part(p)->item];
    buf_printf(out, "Enter: watch %s (%u steps):\n", it->name[0] != '\0' ? it->name : "the engine", b->after - b->before);
    for (const char *c = it->text; *c != '\0';) {
        size_t n = strcspn(c, "\n");
        buf_printf(out, "  %.*s\n", (int)n, c);
        c += n + (c[n] == '\n');
    }
}

static void add_solution(const struct player *p, const char *before, struct buf *out)
{
    struct buf b = {0};
    struct err ignored = {0};
    if (player_solution(p, &b, &ignored) == 0)
        buf_printf(out, "%s%s\n", before, buf_text(&b));
    buf_free(&b);
}

static void add_now(const struct player *p, struct buf *out)
{
    const struct part *part = player_part(p);
    switch (p->phase) {
    case PHASE_TEXT:
        if (part->kind == STOP_ACT)
            add_block(p, out);
        else
            buf_puts(out, part->kind == STOP_END ? "Enter: leave. This is the end.\n" : "Enter: go on.\n");
        break;
    case PHASE_ACT:
        buf_printf(out, p->step < p->limit ? "Right: a step (%u of %u); Enter: to the last one.\n" : "Enter: go on.\n", p->step,
                   p->limit);
        break;
    case PHASE_ASK:
        buf_puts(out, "A question is open. Enter: what the room says; Enter again: what is right.\n");
        add_solution(p, "Right is: ", out);
        break;
    case PHASE_WRONG: buf_puts(out, "The deciding step is shown. Enter: ask again.\n"); break;
    case PHASE_DO:
        buf_printf(out, "A challenge, par %u. Type : and a command; s leaves it out.\n", player_question(p)->par);
        add_solution(p, "Solution: ", out);
        break;
    default: buf_puts(out, "Enter: go on.\n"); break;
    }
}

static void add_then(const struct player *p, struct buf *out)
{
    static const char *const WHAT[] = {[STOP_READ] = "text", [STOP_ACT] = "text, then the engine acts", [STOP_ASK] = "a question",
                                       [STOP_DO] = "a challenge", [STOP_END] = "the cheat sheet"};
    if (p->at + 1 >= p->parts)
        return;
    const struct part *then = &p->part[p->at + 1];
    const struct lesson *l = p->run->lesson;
    if (then->chunk != player_part(p)->chunk)
        buf_printf(out, "Then: %s (%s).\n", l->chunk[then->chunk].title, WHAT[then->kind]);
    else
        buf_printf(out, "Then: %s.\n", WHAT[then->kind]);
}

void speaker_next(const struct player *p, struct buf *out)
{
    add_now(p, out);
    add_then(p, out);
}

struct speaking {
    struct screening s;
    struct lesson_room *room;
};

static void add_board(struct lesson_room *r, struct buf *out)
{
    struct err ignored = {0};
    const struct player *p = r->player;
    if (p->scene != NULL)
        lesson_room_state(r, &(struct ui_place){.branch = p->branch, .at = p->step}, out, &ignored);
}

static void make_page(void *ctx, struct notes_page *page, int width)
{
    struct speaking *k = ctx;
    const struct player *p = k->room->player;
    const struct lesson *l = p->run->lesson;
    struct room_news *n = &k->room->news;
    buf_printf(&page->head, "%s  %u of %zu: %s", l->head.title, player_part(p)->chunk + 1, l->chunks, player_chunk(p)->title);
    page->here = n->link == ROOM_THERE && n->placed && k->room->trouble[0] == '\0';
    page->elapsed = lesson_room_elapsed(k->room);
    page->minutes = l->head.minutes;
    buf_puts(&page->line, k->room->ui.line);
    if (!n->placed)
        return;
    speaker_notes(p, width, &page->notes);
    speaker_next(p, &page->next);
    add_board(k->room, &page->board);
}

/* ---- in lines ----------------------------------------------------------------------------------------- */

static int plain_page(struct speaking *k, struct notes_stage *stage, struct err *e)
{
    struct notes_page page = {0};
    struct buf out = {0};
    make_page(k, &page, NOTES_WIDTH);
    buf_printf(&out, "== %s\nclock %u:%02u of %u minutes\n", buf_text(&page.head), page.elapsed / 60, page.elapsed % 60, page.minutes);
    if (page.here) {
        buf_printf(&out, "-- notes\n%s-- next\n%s-- room\n", buf_text(&page.notes), buf_text(&page.next));
        lesson_show_room(k->room, &out);
        if (page.board.len > 0)
            buf_printf(&out, "-- board: radixscope play %s\n", buf_text(&page.board));
        buf_puts(&out, "-- stage\n");
        notes_stage_text(stage, STAGE_W, STAGE_H, &out);
    } else {
        buf_printf(&out, "%s\n", buf_text(&page.line));
    }
    notes_page_done(&page);
    return cli_print(&out, e) != 0 ? -1 : cli_flush(e);
}

/* 0: go on; 1: the input has ended; 2: a line came. */
static int read_enter(void)
{
    char bytes[256];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    if (n <= 0)
        return n < 0 && errno == EINTR ? 0 : 1;
    return memchr(bytes, 'q', (size_t)n) != NULL ? 1 : 2;
}

static int speak_in_lines(struct speaking *k, struct err *e)
{
    struct notes_stage *stage = notes_stage_open(&k->s.feed, e);
    struct pollfd fd[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = lesson_room_fd(k->room), .events = POLLIN}};
    if (stage == NULL)
        return -1;
    int rc = plain_page(k, stage, e), typed = 0;
    while (rc == 0 && typed != 1) {
        if (poll(fd, 2, -1) < 0)
            continue;
        if (fd[1].revents != 0)
            notes_stage_wake(stage);
        typed = fd[0].revents != 0 ? read_enter() : 0;
        if (fd[1].revents != 0 || typed == 2)
            rc = plain_page(k, stage, e);
    }
    notes_stage_close(stage);
    return rc;
}

int lesson_notes_live(struct cli *c, struct player *p, struct lesson_room *room, bool screen, struct err *e)
{
    struct speaking k = {.room = room};
    struct ui_options options = {.theme = c->option[OPT_THEME], .ascii = cli_has(c, OPT_ASCII)};
    struct notes_feed feed = {.feed = &k.s.feed, .page = make_page, .ctx = &k};
    int rc = screening_open(&k.s, p, room, e);
    if (rc == 0)
        rc = screen ? notes_run(&feed, &options, e) : speak_in_lines(&k, e);
    screening_close(&k.s);
    return rc;
}
