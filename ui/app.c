#include "ui/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/utf8.h"
#include "tape/why.h"
#include "ui/command.h"
#include "ui/lists.h"
#include "ui/screen.h"
#include "ui/term.h"

enum { KEYS_A_FRAME = 64, MARKS_AT_ONCE = 50000, LOOK_AGAIN_MS = 60, LOG_ROWS = 64,
       FIND_STEPS = 1000000 };

int view_speed_tenths(int speed)
{
    static const int TENTHS[VIEW_SPEEDS] = {5, 10, 20, 40, 80, 160, 320, 640};
    return TENTHS[speed];
}

/* ---- making -------------------------------------------------------------------------------------------- */

static const struct theme *choose_theme(const struct ui_options *o, struct err *e)
{
    const char *no_colour = getenv("NO_COLOR"); /* set and not empty: no-color.org */
    if (o->mono || (o->theme == NULL && no_colour != NULL && no_colour[0] != '\0'))
        return theme_find("mono");
    const struct theme *t = theme_find(o->theme);
    if (t == NULL) {
        err_usage(e, "there is no theme '%s'", o->theme);
        err_hint(e, "themes: default, dark, light, contrast, blue-yellow, mono");
    }
    return t;
}

static void app_progress(struct app *a)
{
    if (a->feed->progress != NULL)
        a->feed->progress(a->feed->ctx, &a->progress);
    if (a->progress.failed && !a->progress.working)
        snprintf(a->v.message, sizeof a->v.message, "%s", a->progress.line);
}

int app_init(struct app *a, const struct ui_feed *feed, const struct ui_options *options, struct err *e)
{
    *a = (struct app){.feed = feed};
    a->v.speed = VIEW_SPEED_START;
    a->theme = choose_theme(options, e);
    if (a->theme == NULL)
        return -1;
    if (cursor_init(&a->cursor, feed->tape, e) != 0 || moment_init(&a->m, feed->tape, &feed->words, e) != 0) {
        app_done(a);
        return -1;
    }
    a->m.branch = tape_branch(feed->tape);
    app_progress(a);
    app_goto(a, options->start > 0 ? options->start : 1);
    a->v.waiting = a->m.at == 0 && a->progress.working;
    app_idle(a);
    return 0;
}

void app_done(struct app *a)
{
    if (a->cursor.w != NULL)
        cursor_done(&a->cursor);
    moment_done(&a->m);
    marks_done(&a->marks);
    list_done(&a->list);
}

/* ---- moving in time --------------------------------------------------------------------------------------- */

static void say(struct app *a, const char *message)
{
    snprintf(a->v.message, sizeof a->v.message, "%s", message);
}

void app_goto(struct app *a, uint32_t at)
{
    moment_load(&a->m, &a->cursor, a->m.branch, at);
    if (a->v.focus == FOCUS_TREE && !node_live(a->m.sc.w, a->v.node))
        a->v.node = moment_focus(&a->m); /* the chosen node does not exist at this moment */
}

/* Go far away: Backspace comes back. */
static void jump(struct app *a, uint32_t at)
{
    if (at == a->m.at)
        return;
    if (a->backs == BACK_STEPS) {
        memmove(a->back, a->back + 1, (BACK_STEPS - 1) * sizeof *a->back);
        a->backs--;
    }
    a->back[a->backs++] = a->m.at;
    app_goto(a, at);
}

static void jump_return(struct app *a)
{
    if (a->backs == 0)
        say(a, "There was no jump to return from.");
    else
        app_goto(a, a->back[--a->backs]);
}

/* The end of what is known: wait where more will come, else say so. */
static void at_the_end(struct app *a)
{
    if (a->progress.working) {
        a->v.waiting = true;
        say(a, "This step is still being computed; it is shown as soon as it is there.");
        return;
    }
    a->v.playing = false;
    say(a, "This is the last step. Home goes to the first, q leaves.");
}

static void step_forward(struct app *a)
{
    if (a->m.at < tape_length(a->m.tape, a->m.branch))
        app_goto(a, a->m.at + 1);
    else
        at_the_end(a);
}

static void step_back(struct app *a)
{
    if (a->m.at > 1)
        app_goto(a, a->m.at - 1);
    else
        say(a, "This is the first step.");
}

/* To the next step of depth `depth`; a run that is still going on may bring one. */
static void jump_forward(struct app *a, int depth, const char *none)
{
    uint32_t at = tape_find_depth(a->m.tape, a->m.branch, a->m.at, 1, depth);
    struct step s = {0};
    if (at > a->m.at)
        tape_step(a->m.tape, a->m.branch, at, &s);
    if (at > a->m.at && s.depth <= depth)
        app_goto(a, at);
    else if (a->progress.working || depth > DEPTH_REQUEST)
        at > a->m.at ? app_goto(a, at) : at_the_end(a);
    else
        say(a, none);
}

static void jump_back(struct app *a, int depth)
{
    if (a->m.at <= 1) {
        step_back(a); /* says so */
        return;
    }
    uint32_t at = tape_find_depth(a->m.tape, a->m.branch, a->m.at, -1, depth);
    app_goto(a, at > 0 ? at : 1);
}

static void go_to_typed(struct app *a)
{
    uint32_t length = tape_length(a->m.tape, a->m.branch);
    unsigned long at = a->v.typed[0] != '\0' ? strtoul(a->v.typed, NULL, 10) : length;
    if (at > length && a->v.typed[0] != '\0')
        snprintf(a->v.message, sizeof a->v.message, "There are %u steps%s.", length,
                 a->progress.working ? " so far" : "");
    else
        jump(a, at > 0 ? (uint32_t)at : 1);
    a->v.typed[0] = '\0';
}

static void set_speed(struct app *a, int by)
{
    int speed = a->v.speed + by;
    if (speed < 0 || speed >= VIEW_SPEEDS) {
        say(a, by > 0 ? "This is the fastest." : "This is the slowest.");
        return;
    }
    a->v.speed = speed;
    int tenths = view_speed_tenths(speed);
    snprintf(a->v.message, sizeof a->v.message, "Speed: %d.%d steps a second.", tenths / 10, tenths % 10);
}

static void toggle_play(struct app *a)
{
    a->v.playing = !a->v.playing;
    if (a->v.playing && a->m.at >= tape_length(a->m.tape, a->m.branch))
        at_the_end(a);
}

/* ---- choosing ------------------------------------------------------------------------------------------------ */

static void next_focus(struct app *a)
{
    a->v.focus = (enum focus)((a->v.focus + 1) % FOCUS_COUNT);
    if (a->v.focus == FOCUS_SLOTS && a->m.owner == NULL)
        a->v.focus = FOCUS_NONE;
    if (a->v.focus == FOCUS_TREE && (a->v.node == 0 || !node_live(a->m.sc.w, a->v.node)))
        a->v.node = moment_focus(&a->m);
    if (a->v.focus == FOCUS_SLOTS && a->v.slot == 0)
        a->v.slot = a->m.sc.w->head.page_size;
}

static void choose(struct app *a, int dir)
{
    if (a->v.focus == FOCUS_TREE) {
        a->v.node = view_tree_neighbour(&a->m, a->v.node, dir);
        return;
    }
    uint32_t first = a->m.sc.w->head.page_size, slot = a->v.slot + (uint32_t)dir;
    if (slot >= first && slot < a->m.slots)
        a->v.slot = slot;
}

/* ---- finding ------------------------------------------------------------------------------------------------- */

static bool holds_text(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text != '\0'; text++)
        if (strncasecmp(text, word, n) == 0)
            return true;
    return n == 0;
}

static bool step_matches(struct app *a, uint32_t n)
{
    struct step s;
    struct buf b = {0};
    tape_step(a->m.tape, a->m.branch, n, &s);
    if (holds_text(event_info(s.kind)->name, a->find))
        return true;
    cursor_seek(&a->cursor, a->m.branch, n);
    event_sentence(cursor_scene(&a->cursor), &a->m.words->said, s.kind, s.arg, &b);
    bool found = holds_text(buf_text(&b), a->find);
    buf_free(&b);
    return found;
}

/* The nearest step in a direction whose kind or sentence holds the text. Sentences name what they change,
 * so "(B)" finds what happened to node B. */
static void find_step(struct app *a, int dir)
{
    uint32_t length = tape_length(a->m.tape, a->m.branch), here = a->m.at, looked = 0;
    if (a->find[0] == '\0') {
        say(a, "Type / and a word first: split, evict, (B), slot 12, any text of a sentence.");
        return;
    }
    for (uint32_t n = here + (uint32_t)dir; n >= 1 && n <= length && looked < FIND_STEPS; n += (uint32_t)dir, looked++) {
        if (step_matches(a, n)) {
            cursor_seek(&a->cursor, a->m.branch, here);
            jump(a, n);
            return;
        }
    }
    cursor_seek(&a->cursor, a->m.branch, here);
    snprintf(a->v.message, sizeof a->v.message, "No step %s this one says \"%s\".", dir > 0 ? "after" : "before",
             a->find);
}

/* The step that touched what is chosen; without a choice: what this step is about. */
static void find_touch(struct app *a, int dir)
{
    bool slot = a->v.focus == FOCUS_SLOTS;
    uint32_t node = a->v.focus == FOCUS_TREE ? a->v.node : moment_focus(&a->m);
    uint32_t at = watch_find(a->m.tape, a->m.branch, a->m.at, dir, slot ? WATCH_SLOT : WATCH_NODE,
                             slot ? a->v.slot : node);
    struct buf b = {0};
    if (slot)
        buf_printf(&b, "slot %u", a->v.slot);
    else
        node_call(a->m.sc.w, node, &b);
    if (at == 0)
        snprintf(a->v.message, sizeof a->v.message, "No step %s this one touches %s.", dir > 0 ? "after" : "before",
                 buf_text(&b));
    else
        jump(a, at);
    if (at != 0)
        snprintf(a->v.message, sizeof a->v.message, "This step touched %s. Backspace returns.", buf_text(&b));
    buf_free(&b);
}

static void start_typing(struct app *a)
{
    a->v.typing = true;
    a->v.playing = false;
    a->v.typed[0] = '\0';
}

static void type_key(struct app *a, int key)
{
    size_t n = strlen(a->v.typed);
    if (key == K_ESC) {
        a->v.typing = false;
        a->v.typed[0] = '\0';
    } else if (key == K_ENTER || key == '\n') {
        a->v.typing = false;
        if (n > 0)
            snprintf(a->find, sizeof a->find, "%s", a->v.typed);
        a->v.typed[0] = '\0';
        find_step(a, 1);
    } else if (key == K_BACKSPACE || key == K_DELETE || key == 8) {
        while (n > 0 && ((unsigned char)a->v.typed[--n] & 0xc0) == 0x80)
            ; /* a whole character */
        a->v.typed[n] = '\0';
    } else if (key >= ' ' && key < K_LEFT && n + 5 < sizeof a->v.typed) {
        a->v.typed[n + utf8_encode((uint32_t)key, a->v.typed + n)] = '\0';
    }
}

/* ---- views over the stepper ---------------------------------------------------------------------------------- */

static void close_view(struct app *a)
{
    if (a->v.show != SHOW_STEPPER)
        a->v.show = SHOW_STEPPER;
    else
        a->v.focus = FOCUS_NONE;
    a->v.playing = false;
    a->v.waiting = false;
    a->v.typed[0] = '\0';
}

/* The list of the open view, for this moment: filled anew when either has changed. */
static const struct list *list_ready(struct app *a)
{
    struct list_key key = {a->v.show, a->m.branch, a->m.at, a->m.length};
    if (memcmp(&key, &a->list_key, sizeof key) == 0)
        return &a->list;
    a->list_key = key;
    switch (a->v.show) {
    case SHOW_WHY: lists_why(&a->list, &a->m, &a->cursor); break;
    case SHOW_LOG: a->list.here = lists_log(&a->list, &a->m, &a->cursor, LOG_ROWS); break;
    case SHOW_INVARIANTS: lists_invariants(&a->list, &a->m); break;
    default: break;
    }
    return &a->list;
}

/* The nearest line in a direction that leads to a step; the same one if there is none. */
static int next_choice(const struct list *l, int line, int dir)
{
    for (int i = line + dir; i >= 0 && i < l->n; i += dir)
        if (l->line[i].step != 0)
            return i;
    return line;
}

static void open_list(struct app *a)
{
    int first = next_choice(list_ready(a), -1, 1);
    a->v.line = a->v.show == SHOW_WHY && first >= 0 ? first : 0;
}

static void open_view(struct app *a, enum show show)
{
    a->v.show = a->v.show == show ? SHOW_STEPPER : show;
    a->v.playing = false;
    open_list(a);
}

static void choose_line(struct app *a)
{
    const struct list *l = list_ready(a);
    if (a->v.show != SHOW_WHY || a->v.line >= l->n || l->line[a->v.line].step == 0) {
        say(a, "This line leads to no step.");
        return;
    }
    uint32_t step = l->line[a->v.line].step;
    a->v.show = SHOW_STEPPER;
    jump(a, step);
    say(a, "Backspace returns to where you came from.");
}

/* Up and Down, where a list is open that they move in; false: the key means what it always means. In the log
 * and the invariants that is time: they show the step wherever it is. */
static bool move_in_list(struct app *a, enum command c)
{
    int by = c == CMD_NEXT_OP ? 1 : c == CMD_PREV_OP ? -1 : c == CMD_PLAY ? 10 : 0;
    if (a->v.show == SHOW_WHY && (by == 1 || by == -1)) {
        a->v.line = next_choice(list_ready(a), a->v.line, by);
        return true;
    }
    if (a->v.show == SHOW_LOG && by == 1)
        step_forward(a);
    if (a->v.show == SHOW_LOG && by == -1)
        step_back(a);
    if (a->v.show == SHOW_LOG && (by == 1 || by == -1))
        return true;
    if (a->v.show != SHOW_HELP || (by == 0 && c != CMD_FIRST && c != CMD_LAST))
        return false;
    int last = view_help_lines(76) - 1, line = c == CMD_FIRST ? 0 : c == CMD_LAST ? last : a->v.line + by;
    a->v.line = line < 0 ? 0 : line > last ? last : line;
    return true;
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

static void run_command(struct app *a, enum command c)
{
    bool choosing = a->v.focus != FOCUS_NONE && a->v.show == SHOW_STEPPER;
    uint32_t before = a->m.at;
    if (move_in_list(a, c))
        return;
    switch (c) {
    case CMD_STEP: step_forward(a); break;
    case CMD_BACK: step_back(a); break;
    case CMD_NEXT_OP: choosing ? choose(a, 1) : jump_forward(a, DEPTH_OPERATION, ""); break;
    case CMD_PREV_OP: choosing ? choose(a, -1) : jump_back(a, DEPTH_OPERATION); break;
    case CMD_NEXT_REQUEST: jump_forward(a, DEPTH_REQUEST, "There is no later request."); break;
    case CMD_PREV_REQUEST: jump_back(a, DEPTH_REQUEST); break;
    case CMD_FIRST: app_goto(a, 1); break;
    case CMD_LAST: app_goto(a, UINT32_MAX); break;
    case CMD_PLAY: toggle_play(a); break;
    case CMD_FASTER: set_speed(a, 1); break;
    case CMD_SLOWER: set_speed(a, -1); break;
    case CMD_GOTO: go_to_typed(a); break;
    case CMD_FIND: start_typing(a); break;
    case CMD_FIND_NEXT: find_step(a, 1); break;
    case CMD_FIND_PREV: find_step(a, -1); break;
    case CMD_TOUCH_NEXT: find_touch(a, 1); break;
    case CMD_TOUCH_PREV: find_touch(a, -1); break;
    case CMD_RETURN: jump_return(a); break;
    case CMD_WHY: open_view(a, SHOW_WHY); break;
    case CMD_LOG: open_view(a, SHOW_LOG); break;
    case CMD_INVARIANTS: open_view(a, SHOW_INVARIANTS); break;
    case CMD_CHOOSE: choose_line(a); break;
    case CMD_FOCUS: next_focus(a); break;
    case CMD_THEME:
        a->theme = theme_next(a->theme);
        snprintf(a->v.message, sizeof a->v.message, "Theme %s: %s.", a->theme->name, a->theme->about);
        break;
    case CMD_HELP: open_view(a, SHOW_HELP); break;
    case CMD_CLOSE: close_view(a); break;
    case CMD_QUIT: a->quit = true; break;
    default: break;
    }
    if (a->v.show != SHOW_STEPPER && a->m.at != before)
        open_list(a);
}

static bool type_digit(struct app *a, int key)
{
    size_t n = strlen(a->v.typed);
    if (key < '0' || key > '9' || a->v.show != SHOW_STEPPER)
        return false;
    if (n < 9) {
        a->v.typed[n] = (char)key;
        a->v.typed[n + 1] = '\0';
    }
    return true;
}

static void unknown_key(struct app *a, int key)
{
    if (key > ' ' && key < 0x7f)
        snprintf(a->v.message, sizeof a->v.message, "'%c' does nothing here; ? lists the keys.", key);
    else
        say(a, "This key does nothing here; ? lists the keys.");
}

void app_key(struct app *a, int key)
{
    if (key == K_NONE || key == K_RESIZE)
        return;
    if (key == K_INTERRUPT) {
        a->quit = true;
        a->exit_code = 130;
        return;
    }
    a->v.message[0] = '\0';
    if (a->v.typing) {
        type_key(a, key);
        return;
    }
    if (type_digit(a, key))
        return;
    enum command c = command_of(key);
    if (c == CMD_NONE)
        unknown_key(a, key);
    else
        run_command(a, c);
    if (c != CMD_GOTO)
        a->v.typed[0] = '\0';
    if (c != CMD_STEP && c != CMD_NEXT_OP && c != CMD_NEXT_REQUEST)
        a->v.waiting = false;
}

/* ---- what comes by itself ------------------------------------------------------------------------------------ */

void app_wake(struct app *a)
{
    uint32_t length = tape_length(a->m.tape, a->m.branch);
    bool more = length > a->m.at;
    app_progress(a);
    if (a->v.waiting && more) {
        a->v.waiting = false;
        a->v.message[0] = '\0';
        app_goto(a, a->m.at + 1);
    } else if (a->v.waiting && !a->progress.working) {
        a->v.waiting = false;
        at_the_end(a);
    }
    a->m.length = length;
    app_idle(a);
}

void app_tick(struct app *a)
{
    if (a->v.playing && !a->v.waiting)
        step_forward(a);
}

bool app_idle(struct app *a)
{
    return marks_read(&a->marks, a->m.tape, a->m.branch, MARKS_AT_ONCE);
}

void app_draw(struct app *a, struct surface *s)
{
    struct picture p = {&a->m, &a->v, &a->marks, a->feed, &a->progress, list_ready(a)};
    screen_draw(&p, s);
}

/* ---- the loop ------------------------------------------------------------------------------------------------ */

int ui_available(struct err *e)
{
    return term_check(e);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct loop {
    struct app *a;
    struct term *term;
    struct surface screen;
    bool ascii;
    int64_t next_tick;
};

static int loop_draw(struct loop *l, struct err *e)
{
    int w, h;
    term_size(l->term, &w, &h);
    if ((w != l->screen.w || h != l->screen.h) && surface_resize(&l->screen, w, h, e) != 0)
        return -1;
    app_draw(l->a, &l->screen);
    term_draw(l->term, &l->screen, l->a->theme);
    return 0;
}

/* Milliseconds until something happens by itself; -1: nothing will. */
static int loop_patience(const struct loop *l, bool read_all)
{
    if (!read_all)
        return 0;
    int patience = l->a->progress.working ? LOOK_AGAIN_MS : -1; /* steps come without a wake-up each */
    if (!l->a->v.playing || l->a->v.waiting)
        return patience;
    int64_t left = l->next_tick - now_ms();
    left = left > 0 ? left : 0;
    return patience >= 0 && left > patience ? patience : (int)left;
}

static void loop_tick(struct loop *l)
{
    int64_t now = now_ms();
    if (!l->a->v.playing || now < l->next_tick)
        return;
    app_tick(l->a);
    l->next_tick = now + 10000 / view_speed_tenths(l->a->v.speed);
}

static void loop_keys(struct loop *l)
{
    bool was = l->a->v.playing;
    int speed = l->a->v.speed;
    for (int n = 0, key; n < KEYS_A_FRAME && !l->a->quit && (key = term_key(l->term)) != K_NONE; n++)
        app_key(l->a, key);
    if (l->a->v.playing && (!was || speed != l->a->v.speed))
        l->next_tick = now_ms() + 10000 / view_speed_tenths(l->a->v.speed);
}

static int loop_run(struct loop *l, struct err *e)
{
    while (!l->a->quit) {
        if (loop_draw(l, e) != 0)
            return -1;
        bool read_all = app_idle(l->a);
        int why = term_wait(l->term, l->a->feed->wake_fd, loop_patience(l, read_all));
        if ((why & TERM_WAKE) || l->a->progress.working)
            app_wake(l->a);
        loop_keys(l); /* also when only a signal came: a resize is read like a key */
        loop_tick(l);
        if (why & TERM_LOST)
            return err_set(e, "the terminal has gone away");
    }
    return l->a->exit_code;
}

int app_run(const struct ui_feed *feed, const struct ui_options *options, struct err *e)
{
    struct app a;
    if (app_init(&a, feed, options, e) != 0)
        return -1;
    struct loop l = {.a = &a, .term = term_open(e)};
    int rc = -1;
    if (l.term != NULL) {
        bool replaced;
        const char *name = term_name(l.term, &replaced);
        if (replaced)
            snprintf(a.v.message, sizeof a.v.message, "This terminal's TERM is unknown here; taking it for %s.", name);
        if (surface_init(&l.screen, 80, 24, options->ascii || !term_utf8(l.term), e) == 0)
            rc = loop_run(&l, e);
        term_close(l.term);
        surface_done(&l.screen);
    }
    app_done(&a);
    return rc;
}
