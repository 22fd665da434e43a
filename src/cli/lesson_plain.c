#include "cli/lesson_plain.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/plain.h"
#include "cli/session.h"
#include "cli/source.h"
#include "lesson/lesson_text.h"

enum { WIDTH = 78 };

/*  X(ENUM, "word", "short", "help") */
#define LESSON_WORDS(X)                                                                                       \
    X(HINT, "hint", "h", "a hint; after three the solution")                                                 \
    X(BACK, "back", "b", "to the part before")                                                               \
    X(AGAIN, "again", "", "show this part again")                                                            \
    X(SHOW, "show", "s", "the tree, the slots and the requests at this moment")                              \
    X(RESTART, "restart", "", "begin the challenge anew; its commands are counted from 0")                   \
    X(STATE, "state", "", "one line with which `radixscope play` opens this scene at this step")              \
    X(SKIP, "skip", "", "leave this question or challenge out")                                              \
    X(FIRST, "first", "", "to the beginning of the lesson")                                                  \
    X(HELP, "help", "?", "this list")                                                                        \
    X(QUIT, "quit", "q", "leave; the lesson goes on here next time")

enum lesson_word {
#define X(id, ...) DO_##id,
    LESSON_WORDS(X)
#undef X
    DO_COUNT
};

static const struct {
    const char *word, *brief, *help;
} WORD[DO_COUNT] = {
#define X(id, word, brief, help) {word, brief, help},
    LESSON_WORDS(X)
#undef X
};

static int find_word(const char *line)
{
    for (int i = 0; i < DO_COUNT; i++)
        if (strcmp(line, WORD[i].word) == 0 || (*line != '\0' && strcmp(line, WORD[i].brief) == 0))
            return i;
    return -1;
}

static void show_help(struct buf *out)
{
    buf_puts(out, "  Enter    -  go on\n");
    for (int i = 0; i < DO_COUNT; i++)
        buf_printf(out, "  %-8s %-2s %s\n", WORD[i].word, WORD[i].brief, WORD[i].help);
    buf_puts(out, "  : LINE      try a command of the script language from this moment; the lesson stays where it is\n"
                  "  Anything else is an answer, or a command of the challenge.\n");
}

/* ---- what is shown ------------------------------------------------------------------------------------ */

static void show_piece(const struct piece *piece, struct buf *out)
{
    struct buf text = {0};
    struct err ignored = {0};
    if (piece->prose != NULL)
        prose_show(piece->prose, &piece->env, WIDTH, 0, &text, &ignored);
    else
        buf_printf(&text, "%s\n", piece->words);
    buf_puts(out, buf_text(&text));
    buf_free(&text);
}

/* Paragraphs apart, the options of a question together. */
void lesson_show_pieces(const struct player *p, bool only_fresh, struct buf *out)
{
    struct piece *piece = xcalloc(PLAYER_PIECES, sizeof *piece);
    int fresh = 0, n = piece != NULL ? player_pieces(p, piece, &fresh) : 0;
    for (int i = only_fresh ? fresh : 0; i < n; i++) {
        if (piece[i].prose != NULL || piece[i].strong)
            buf_putc(out, '\n');
        show_piece(&piece[i], out);
    }
    xfree(piece);
}

void lesson_show_steps(struct player *p, struct buf *out)
{
    struct plain plain;
    struct err ignored = {0};
    struct ui_words words = source_words(runner_lexicon(p->scene->runner));
    if (plain_init(&plain, runner_tape(p->scene->runner), &words, &ignored) != 0)
        return;
    cursor_seek(&plain.cursor, p->branch, p->step - (p->step > 0));
    for (uint32_t n = p->step > 0 ? p->step : 1; n <= p->limit; n++)
        plain_step(&plain, n, out);
    plain_done(&plain);
}

void lesson_show_world(struct player *p, struct buf *out)
{
    if (p->scene == NULL) {
        buf_puts(out, "Nothing has run yet.\n");
        return;
    }
    if (player_begins_anew(p))
        buf_puts(out, "From the part before; the next action begins anew:\n");
    struct ui_words words = source_words(runner_lexicon(p->scene->runner));
    struct lesson_env env = {.run = p->run, .scene = p->scene, .branch = p->branch, .at = p->step};
    plain_scene(env_scene(&env), &words, out);
}

void lesson_show_room(const struct lesson_room *room, struct buf *out)
{
    const struct room_tally *t = &room->tally;
    buf_printf(out, "%s\n", room->ui.line);
    for (int i = 0; i < t->n; i++)
        buf_printf(out, "  %-20s %u\n", t->one[i].text, t->one[i].count);
    if (t->others > 0)
        buf_printf(out, "  %-20s %u\n", "others", t->others);
}

/* ---- what is done ------------------------------------------------------------------------------------- */

/* Run a line beside the path: on another branch, which the lesson never sees. */
static int try_line(struct player *p, struct lesson_room *room, const char *line, struct buf *out, struct err *e)
{
    if (p->scene == NULL)
        return err_set(e, "nothing has run yet: there is nothing to try a command on");
    if (p->challenge != NULL)
        return err_set(e, "in a challenge every command counts: type it without the colon");
    struct runner *r = p->scene->runner;
    struct tape *t = runner_tape(r);
    if (lesson_room_may_run(room, line, e) != 0 || runner_act_at(r, p->branch, p->step, e) != 0)
        return -1;
    struct plain plain;
    struct ui_words words = source_words(runner_lexicon(r));
    uint32_t from = tape_length(t, tape_branch(t));
    int rc = challenge_run(p->scene, line, e);
    lesson_room_ran(room, p->scene, p->branch, p->step, line);
    int branch = tape_branch(t);
    if (plain_init(&plain, t, &words, e) == 0) {
        cursor_seek(&plain.cursor, branch, from);
        for (uint32_t n = from + 1; n <= tape_length(t, branch); n++)
            plain_step(&plain, n, out);
        plain_done(&plain);
        buf_puts(out, "(That was beside the path. The lesson stands where it was.)\n");
    }
    return rc;
}

/* The part that has begun: its text, or its action where nothing is said before it. */
static void show_part(struct player *p, struct buf *out)
{
    if (p->phase != PHASE_ACT) {
        lesson_show_pieces(p, false, out);
        return;
    }
    lesson_show_steps(p, out);
    p->step = p->limit; /* in lines the whole action has been read */
}

/* What is right, and the step that decides it. */
static void show_told(struct player *p, struct buf *out)
{
    lesson_show_pieces(p, true, out);
    if (!player_decided(p))
        return;
    buf_putc(out, '\n');
    lesson_show_steps(p, out);
}

static int go_on(struct player *p, struct buf *out, struct err *e)
{
    int rc = player_next(p, e);
    if (rc == 1 && p->phase == PHASE_DO)
        buf_puts(out, "Type a command; hint helps, skip leaves the challenge out.\n");
    else if (rc == 1)
        buf_puts(out, "Type an answer; hint helps, skip leaves the question out.\n");
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (p->phase == PHASE_RIGHT)
        show_told(p, out);
    else if (p->phase != PHASE_OVER)
        show_part(p, out);
    return 0;
}

/* A question is not left out before it is told what is right; a challenge is. */
static int skip(struct player *p, struct buf *out, struct err *e)
{
    int rc = player_reveal(p, e);
    if (rc <= 0) {
        if (rc == 0)
            show_told(p, out);
        return rc;
    }
    if (p->at + 1 < p->parts && player_goto(p, p->at + 1, e) != 0)
        return -1;
    show_part(p, out);
    return 0;
}

static int reply(struct player *p, struct lesson_room *room, const char *line, struct buf *out, struct err *e)
{
    int rc;
    if (p->challenge != NULL) {
        uint32_t from = p->step;
        int branch = p->branch;
        if (lesson_room_may_run(room, line, e) != 0)
            return -1;
        rc = player_command(p, p->branch, p->step, line, e);
        lesson_room_ran(room, p->challenge, branch, from, line);
        if (rc != 0)
            return -1;
        uint32_t to = p->step;
        p->step = branch == p->branch ? from + 1 : p->step;
        lesson_show_steps(p, out);
        p->step = to;
        if (p->phase == PHASE_SOLVED)
            lesson_show_pieces(p, true, out);
        else
            player_goal(p, out);
        return 0;
    }
    rc = player_answer(p, line, e);
    if (rc == 1)
        return err_set(e, "nothing is asked here: Enter goes on, help lists what can be typed");
    if (rc != 0)
        return -1;
    struct buf steps = {0};
    lesson_show_pieces(p, true, out);
    if (player_decided(p)) {
        lesson_show_steps(p, &steps);
        buf_printf(out, "\n%s\nTry again: type another answer.\n", buf_text(&steps));
        buf_free(&steps);
    } else if (p->phase == PHASE_WRONG) {
        buf_puts(out, "\nTry again: type another answer.\n");
    }
    return 0;
}

static int serve(struct player *p, struct lesson_room *room, enum lesson_word word, struct buf *out, struct err *e)
{
    switch (word) {
    case DO_HINT:
        if (!player_hint(p))
            return err_set(e, "nothing is asked here");
        lesson_show_pieces(p, true, out);
        return 0;
    case DO_BACK:
        if (player_back(p, e) < 0)
            return -1;
        show_part(p, out);
        return 0;
    case DO_AGAIN: lesson_show_pieces(p, false, out); return 0;
    case DO_SHOW: lesson_show_world(p, out); return 0;
    case DO_RESTART:
        if (p->challenge == NULL)
            return err_set(e, "no challenge is open");
        if (player_restart(p, e) != 0)
            return -1;
        buf_puts(out, "The challenge begins anew.\n");
        return 0;
    case DO_SKIP: return skip(p, out, e);
    case DO_STATE:
        if (lesson_room_state(room, &(struct ui_place){.branch = p->branch, .at = p->step}, out, e) != 0)
            return -1;
        buf_putc(out, '\n');
        return 0;
    case DO_FIRST:
        if (player_goto(p, 0, e) != 0)
            return -1;
        lesson_show_pieces(p, false, out);
        return 0;
    default: show_help(out); return 0;
    }
}

/* The presenter's Enter at a question: what the room says, then what is right. */
static int reveal(struct player *p, struct lesson_room *room, struct buf *out, struct err *e)
{
    lesson_room_news(room);
    if (room->tally.answered > 0 && !room->ui.shown) {
        room->ui.shown = true;
        lesson_show_room(room, out);
        return 0;
    }
    if (present_reveal(p, e) != 0)
        return -1;
    lesson_show_pieces(p, true, out);
    return 0;
}

static int one_line(struct player *p, struct lesson_room *room, char *line, bool *quit, struct buf *out, struct err *e)
{
    line += strspn(line, " \t");
    line[strcspn(line, "\r\n")] = '\0';
    for (size_t n = strlen(line); n > 0 && line[n - 1] == ' '; n--)
        line[n - 1] = '\0';
    if (*line == '\0')
        return room->part == ROOM_PRESENTS && p->phase == PHASE_ASK ? reveal(p, room, out, e) : go_on(p, out, e);
    int word = find_word(line);
    *quit = word == DO_QUIT;
    if (*line == ':')
        return try_line(p, room, line + 1 + strspn(line + 1, " "), out, e);
    if (word == DO_QUIT)
        return 0;
    return word >= 0 ? serve(p, room, (enum lesson_word)word, out, e) : reply(p, room, line, out, e);
}

/* ---- the conversation --------------------------------------------------------------------------------- */

static int print(struct buf *out, const struct err *said, struct err *e)
{
    if (said->set)
        buf_printf(out, "! %s%s%s\n", said->what, said->hint[0] != '\0' ? "; " : "", said->hint);
    return cli_print(out, e) != 0 ? -1 : cli_flush(e);
}

static int greet(struct player *p, struct err *e)
{
    const struct lesson_head *h = &p->run->lesson->head;
    struct buf b = {0};
    buf_printf(&b, "%s: about %u minutes. Enter goes on, help lists the rest.\n", h->title, h->minutes);
    for (int i = 0; i < h->objectives && !p->resumed; i++)
        buf_printf(&b, "  - %s\n", h->objective[i]);
    if (p->resumed)
        buf_printf(&b, "You were here before: part %zu of %zu (first begins anew).\n", p->at + 1, p->parts);
    show_part(p, &b);
    return print(&b, &(struct err){0}, e);
}

int lesson_converse(struct player *p, struct lesson_room *room, FILE *in, struct err *e)
{
    char *line = NULL;
    size_t cap = 0;
    bool quit = false;
    int rc = greet(p, e);
    while (rc == 0 && !quit && p->phase != PHASE_OVER) {
        struct buf out = {0};
        struct err said = {0};
        lesson_room_stand(room, p->branch, p->step, 0, false);
        fputs(player_question(p) != NULL && p->phase != PHASE_RIGHT && p->phase != PHASE_SOLVED ? "? " : "> ", stdout);
        fflush(stdout);
        if (getline(&line, &cap, in) < 0)
            break;
        one_line(p, room, line, &quit, &out, &said);
        rc = print(&out, &said, e);
    }
    free(line); /* getline's, not ours */
    if (rc == 0 && !quit && p->phase != PHASE_OVER)
        fputc('\n', stdout);
    return rc;
}
