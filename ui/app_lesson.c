/* A lesson on the screen: what its keys do. The player (lesson/player.h) knows the way; here it is followed. */
#include <stdio.h>
#include <string.h>

#include "ui/app_parts.h"
#include "ui/command.h"

/* ---- where the screen stands -------------------------------------------------------------------------- */

/* The player has moved: show its scene, at its step. */
void app_lesson_follow(struct app *a)
{
    struct player *p = a->feed->lesson;
    struct err e = {0};
    a->lesson.aside = false;
    a->lesson.scroll = -1;
    a->v.typed[0] = '\0';
    a->v.playing = a->v.waiting = false;
    if (a->v.focus == FOCUS_TOKENS && app_lesson_tokens(a) == 0)
        a->v.focus = FOCUS_NONE;
    if (a->feed->turn(a->feed->ctx) && app_turn(a, &e) != 0) {
        app_say(a, e.what);
        a->quit = true;
        a->exit_code = 1;
        return;
    }
    if (p->branch != a->m.branch)
        app_switch(a, p->branch, p->step);
    else
        app_goto(a, p->step);
}

int app_lesson_begin(struct app *a)
{
    a->lesson.player = a->feed->lesson;
    a->lesson.room = a->feed->room;
    if (surface_init(&a->lesson.inner, 80, 24, a->ascii, NULL) != 0 || app_work_open(a, NULL) != 0)
        return -1;
    app_lesson_follow(a);
    a->v.message[0] = '\0';
    if (a->feed->lesson->resumed)
        app_say(a, "You were here before. u goes to the parts before.");
    return 0;
}

uint32_t app_lesson_limit(const struct app *a)
{
    const struct player *p = a->feed->lesson;
    if (p == NULL || a->lesson.aside || a->m.branch != p->branch)
        return UINT32_MAX;
    return p->limit;
}

void app_lesson_at_end(struct app *a)
{
    if (a->lesson.aside) {
        app_say(a, "This is the last step. Enter leads back to the lesson.");
        return;
    }
    switch (a->feed->lesson->phase) {
    case PHASE_ACT: app_say(a, "The action ends here: Enter goes on, Left goes back."); break;
    case PHASE_ASK: app_say(a, "What comes is shown when the question is answered."); break;
    case PHASE_WRONG: app_say(a, "What comes is shown later: Enter asks again."); break;
    case PHASE_DO: app_say(a, "This is the last step so far: type : and a command."); break;
    default: app_say(a, "The lesson has not shown more yet: Enter goes on."); break;
    }
}

/* ---- what keys do ------------------------------------------------------------------------------------- */

static void tell(struct app *a, const struct err *e)
{
    snprintf(a->v.message, sizeof a->v.message, "%.300s%s%.240s", e->what, e->hint[0] != '\0' ? "; " : "", e->hint);
}

static void leave_aside(struct app *a)
{
    app_lesson_follow(a);
    app_say(a, "Back on the path: what you tried is on a branch of its own.");
}

uint32_t app_lesson_tokens(const struct app *a)
{
    const struct player *p = a->feed->lesson;
    bool asked = p != NULL && p->phase == PHASE_ASK && !a->lesson.aside && a->v.show == SHOW_STEPPER;
    return asked ? player_tokens(p) : 0;
}

bool app_lesson_click(struct app *a, int x, int y)
{
    uint32_t n = app_lesson_tokens(a);
    const struct lesson_view *l = &a->lesson;
    for (uint32_t i = 0; i < n && i < LESSON_TOKENS; i++) {
        if (l->token[i].y != y || x < l->token[i].x || x >= l->token[i].x + l->token[i].w)
            continue;
        a->v.focus = FOCUS_TOKENS;
        a->v.token = i;
        return true;
    }
    return false;
}

/* The answer that was typed, or that was chosen on the screen. "": none. */
static void take_answer(const struct app *a, char *out, size_t n)
{
    enum question_kind kind = player_question(a->feed->lesson)->kind;
    snprintf(out, n, "%.*s", (int)n - 1, a->v.typed);
    if (*out == '\0' && kind == ASK_NODE && a->v.focus == FOCUS_TREE)
        snprintf(out, n, "%u", a->m.sc.w->node[a->v.node].id);
    if (*out == '\0' && kind == ASK_SLOT && a->v.focus == FOCUS_SLOTS)
        snprintf(out, n, "%u", a->v.slot);
    uint32_t token = a->v.token;
    bool chosen = a->v.focus == FOCUS_TOKENS ||
                  (a->v.focus == FOCUS_SLOTS && kind == ASK_TOKEN && player_token_in(a->feed->lesson, a->v.slot, &token));
    if (*out == '\0' && kind == ASK_TOKEN && chosen)
        snprintf(out, n, "%u", token);
}

/* How much text is out of sight is known when it is drawn; keys that came at once were not drawn between. */
static void measure(struct app *a)
{
    struct surface s;
    if (surface_init(&s, a->w, a->h, a->ascii, NULL) != 0)
        return; /* no memory: as it was drawn last */
    app_draw(a, &s);
    surface_done(&s);
}

/* A page of the text less one line, which both pages show. */
static void scroll(struct app *a, int by)
{
    measure(a);
    struct lesson_view *l = &a->lesson;
    int to = l->first + by * (l->rows > 1 ? l->rows - 1 : 1);
    if (by < 0 || l->hidden > 0)
        l->scroll = to > 0 ? to : 0;
}

static void answer(struct app *a, const char *text)
{
    struct player *p = a->feed->lesson;
    struct err e = {0};
    if (*text == '\0') {
        app_say(a, "Type an answer first; h gives a hint, s skips the question.");
        return;
    }
    if (player_answer(p, text, &e) < 0)
        tell(a, &e);
    else
        app_lesson_follow(a);
    a->v.typed[0] = '\0';
    if (!e.set)
        a->v.focus = FOCUS_NONE;
}

/* To a part, which may have to be made by an engine. */
static void walk(struct app *a, enum work_kind kind, size_t part)
{
    if (player_part_runs(a->feed->lesson, part))
        app_work_begin(a, kind);
    else
        app_work_now(a, kind);
}

static void go_on(struct app *a)
{
    struct player *p = a->feed->lesson;
    bool leads = a->feed->room == NULL || !a->feed->room->follows;
    if (a->lesson.aside && leads) {
        leave_aside(a);
        return;
    }
    char text[64] = "";
    if (p->phase == PHASE_ASK)
        take_answer(a, text, sizeof text);
    measure(a);
    if (*text == '\0' && a->lesson.hidden > 0 && p->phase != PHASE_ACT) {
        scroll(a, 1); /* read on first */
        return;
    }
    if (app_room_enter(a, text))
        return;
    if (p->phase == PHASE_ASK && (*text != '\0' || !player_may_go_on(p))) {
        answer(a, text);
        return;
    }
    bool walked = p->challenge != NULL && a->m.branch == p->branch && a->m.at < p->limit; /* back, to look */
    if (walked) {
        app_goto(a, p->limit);
        return;
    }
    if (p->phase == PHASE_ACT)
        p->step = a->m.at; /* the reader may have walked there */
    walk(a, WORK_NEXT, p->at + 1);
}

static void skip(struct app *a)
{
    struct player *p = a->feed->lesson;
    struct err e = {0};
    if (player_question(p) == NULL) {
        app_say(a, "There is nothing to skip here; Enter goes on.");
        return;
    }
    int rc = player_reveal(p, &e); /* a question is not left out before it is told what is right; a challenge is */
    if (rc == 1) {
        a->work.part = p->at + 1 < p->parts ? p->at + 1 : p->at;
        walk(a, WORK_PART, a->work.part);
        return;
    }
    if (rc < 0)
        tell(a, &e);
    app_lesson_follow(a);
}

static void part_before(struct app *a)
{
    const struct player *p = a->feed->lesson;
    walk(a, WORK_BACK, p->at > 0 ? p->at - 1 : 0);
}

static void restart(struct app *a)
{
    if (player_part(a->feed->lesson)->kind != STOP_DO)
        app_say(a, "No challenge is open.");
    else
        app_work_begin(a, WORK_RESTART);
}

static bool is_asked(const struct app *a)
{
    const struct player *p = a->feed->lesson;
    return (p->phase == PHASE_ASK || p->phase == PHASE_WRONG) && !a->lesson.aside;
}

/* A small letter stands for a node if one of that name is on the screen; else it is a command. */
static bool names_node(const struct app *a, int letter)
{
    const struct world *w = a->m.sc.w;
    for (uint32_t n = node_preorder(w, ROOT); n != 0; n = node_preorder(w, n))
        if (node_letter(w, n) == letter)
            return true;
    return false;
}

/* What a key writes into an answer of this kind; 0: it belongs to none, ' ' in a number: it only parts digits. */
static int written(const struct app *a, enum question_kind kind, int key)
{
    bool begun = a->v.typed[0] != '\0';
    if (key >= '0' && key <= '9')
        return kind != ASK_DO ? key : 0;
    switch (kind) {
    case ASK_NUMBER:
        if (begun && (key == ',' || key == '_' || key == ' '))
            return ' ';
        return key == '.' || key == '-' || (begun && key == 'e') ? key : 0;
    case ASK_ORDER: return key == ' ' || key == ',' ? key : 0;
    case ASK_NODE:
        if (key >= 'a' && key <= 'z' && names_node(a, key - 'a' + 'A'))
            return key - 'a' + 'A';
        return key >= 'A' && key <= 'Z' ? key : 0;
    default: return 0;
    }
}

static void write_answer(struct app *a, enum question_kind kind, int c)
{
    size_t n = strlen(a->v.typed);
    if (kind == ASK_NUMBER && c == ' ')
        return; /* as in 4 033 920 */
    if (kind == ASK_NODE && (c > '9' || (n > 0 && a->v.typed[0] > '9')))
        n = 0; /* a node has one letter: another one takes its place */
    if (n >= 40)
        return;
    a->v.typed[n] = (char)c;
    a->v.typed[n + 1] = '\0';
}

/* While an answer is typed, a slip must not do something else: leave, save, wipe it. */
static bool guards(struct app *a, enum question_kind kind, int key)
{
    switch (key) {
    case K_ENTER:
    case '\n':
    case K_PAGE_UP:
    case K_PAGE_DOWN: return false;
    case K_ESC: a->v.typed[0] = '\0'; return true;
    default:
        app_say(a, kind == ASK_NUMBER ? "A number stands in digits alone, such as 2500000. Enter gives it, Esc clears it."
                                      : "An answer is being typed: Enter gives it, Esc clears it.");
        return true;
    }
}

static bool type_answer(struct app *a, int key)
{
    struct player *p = a->feed->lesson;
    size_t n = strlen(a->v.typed);
    if (!is_asked(a))
        return false;
    if ((key == K_BACKSPACE || key == K_DELETE || key == 8) && n > 0) {
        a->v.typed[n - 1] = '\0';
        return true;
    }
    enum question_kind kind = player_question(p)->kind;
    int c = written(a, kind, key);
    if (c == 0)
        return n > 0 && guards(a, kind, key);
    if (player_ask_again(p))
        app_lesson_follow(a);
    write_answer(a, kind, c);
    return true;
}

void app_lesson_command(struct app *a, int command)
{
    if (app_room_refuses(a))
        return;
    switch (command) {
    case CMD_HINT:
        if (player_ask_again(a->feed->lesson))
            app_lesson_follow(a);
        if (player_hint(a->feed->lesson))
            a->lesson.scroll = -1;
        else
            app_say(a, "Nothing is asked here.");
        break;
    case CMD_SKIP: skip(a); break;
    case CMD_RESTART: restart(a); break;
    case CMD_PART: part_before(a); break;
    default: break;
    }
}

bool app_lesson_key(struct app *a, int key)
{
    if (a->feed->lesson == NULL || a->v.show != SHOW_STEPPER)
        return false;
    if (type_answer(a, key))
        return true;
    switch (key) {
    case K_ENTER:
    case '\n': go_on(a); return true;
    case K_PAGE_UP: scroll(a, -1); return true;
    case K_PAGE_DOWN: scroll(a, 1); return true;
    case K_ESC:
        if (!a->lesson.aside)
            return false;
        leave_aside(a);
        return true;
    default: return false;
    }
}

/* A typed command has run. In a challenge the player has counted it, and its last step is shown: the next command goes on
 * from there. Elsewhere it leads beside the path, from its first step on. */
static void sent(struct app *a, uint32_t from)
{
    const struct player *p = a->feed->lesson;
    int branch = tape_branch(a->m.tape);
    a->lesson.scroll = -1;
    if (p->challenge != NULL) {
        app_switch(a, p->branch, p->step);
        return;
    }
    a->lesson.aside = true;
    uint32_t fork = from;
    if (branch != a->m.branch)
        tape_parent(a->m.tape, branch, &fork);
    app_switch(a, branch, fork + 1);
    app_say(a, "This is beside the path: Right walks on, Enter leads back to the lesson.");
}

void app_lesson_run(struct app *a, uint32_t from, const char *line)
{
    const struct player *p = a->feed->lesson;
    if (player_part(p)->kind == STOP_DO && p->challenge == NULL) {
        snprintf(a->v.message, sizeof a->v.message, "The challenge was not made: %s makes it.", keymap_written(a->v.keys, CMD_RESTART));
        return;
    }
    a->work.branch = a->m.branch;
    a->work.from = from;
    a->work.ran = p->commands;
    snprintf(a->work.line, sizeof a->work.line, "%s", line);
    app_work_begin(a, WORK_COMMAND);
}

void app_lesson_done(struct app *a)
{
    const struct app_work *w = &a->work;
    if (w->kind == WORK_NEWS) {
        if (w->rc != 0)
            app_room_moved(a);
        return;
    }
    if (w->kind == WORK_COMMAND && w->rc >= 0) {
        app_remember(a, w->line);
        sent(a, w->from);
        return;
    }
    if (w->kind == WORK_COMMAND && a->feed->lesson->commands > w->ran)
        sent(a, w->from); /* those before the one that failed have run */
    if (w->kind != WORK_COMMAND && (w->rc == 0 || w->rc == -1))
        app_lesson_follow(a);
    if (w->rc < 0)
        tell(a, &w->err);
    else if (w->kind == WORK_NEXT && w->rc == 1)
        app_say(a, "Type : and a command; h gives a hint, s skips the challenge.");
    else if (w->kind == WORK_BACK && w->rc == 1)
        app_say(a, "This is the first part.");
    else if (w->kind == WORK_NEXT && a->feed->lesson->phase == PHASE_OVER)
        a->quit = true;
    else if (w->kind == WORK_RESTART)
        app_say(a, "The challenge begins anew; commands are counted from 0.");
}
