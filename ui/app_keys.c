#include <stdio.h>
#include <string.h>

#include "ui/app_parts.h"
#include "ui/command.h"
#include "ui/view_lesson.h"

enum { LINES_OF_PAGE = 10 };

/* ---- choosing --------------------------------------------------------------------------------------- */

/* Where a lesson asks for a token, its list comes first. */
static enum focus behind(const struct app *a, enum focus f)
{
    if (f == FOCUS_NONE && app_lesson_tokens(a) > 0)
        return FOCUS_TOKENS;
    return f == FOCUS_NONE || f == FOCUS_TOKENS ? FOCUS_TREE : f == FOCUS_TREE ? FOCUS_SLOTS : FOCUS_NONE;
}

static void next_focus(struct app *a)
{
    a->v.focus = behind(a, a->v.focus);
    a->v.token = 0;
    if (a->v.focus == FOCUS_SLOTS && (a->m.owner == NULL || a->v.big))
        a->v.focus = FOCUS_NONE;
    if (a->v.focus == FOCUS_TREE && (a->v.node == 0 || !node_live(a->m.sc.w, a->v.node)))
        a->v.node = moment_focus(&a->m);
    if (a->v.focus == FOCUS_SLOTS && a->v.slot == 0)
        a->v.slot = a->m.sc.w->head.page_size;
}

static struct picture picture_of(struct app *a)
{
    return (struct picture){.m = &a->m, .v = &a->v, .marks = &a->marks, .feed = a->feed,
                            .progress = &a->progress, .list = &a->list, .series = &a->series,
                            .beside = &a->beside, .insight = &a->insight};
}

static void fold(struct app *a)
{
    struct view *v = &a->v;
    uint32_t node = v->focus == FOCUS_TREE ? v->node : moment_focus(&a->m), id = a->m.sc.w->node[node].id;
    for (int i = 0; i < v->folds; i++) {
        if (v->folded[i] != node || v->folded_id[i] != id)
            continue;
        v->folds--;
        v->folded[i] = v->folded[v->folds];
        v->folded_id[i] = v->folded_id[v->folds];
        return;
    }
    if (v->folds == VIEW_FOLDS || a->m.sc.w->node[node].child_count == 0) {
        app_say(a, v->folds == VIEW_FOLDS ? "No more nodes can be folded."
                                          : "This node has no children to fold.");
        return;
    }
    v->folded[v->folds] = node;
    v->folded_id[v->folds++] = id;
}

static void choose(struct app *a, int dir)
{
    if (a->v.focus == FOCUS_TREE) {
        struct picture p = picture_of(a);
        a->v.node = view_tree_neighbour(&p, a->v.node, dir);
        return;
    }
    if (a->v.focus == FOCUS_TOKENS) {
        uint32_t token = a->v.token + (uint32_t)dir;
        a->v.token = token < app_lesson_tokens(a) ? token : a->v.token;
        a->lesson.scroll = -1; /* it is brought into sight */
        return;
    }
    uint32_t first = a->m.sc.w->head.page_size, slot = a->v.slot + (uint32_t)dir;
    if (slot >= first && slot < a->m.slots)
        a->v.slot = slot;
}

/* ---- views over the stepper ------------------------------------------------------------------------- */

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

/* The nearest line in a direction that leads to a step; the same one if there is none. */
static int next_choice(const struct list *l, int line, int dir)
{
    for (int i = line + dir; i >= 0 && i < l->n; i += dir)
        if (l->line[i].step != 0)
            return i;
    return line;
}

/* Lists whose lines are chosen, to go to their steps. */
static bool chooses(const struct app *a)
{
    return a->v.show == SHOW_WHY || a->v.show == SHOW_REQUESTS || a->v.show == SHOW_LENS || a->v.show == SHOW_PROOF ||
           a->v.show == SHOW_EFFECT;
}

static void open_list(struct app *a)
{
    const struct list *l = app_list(a);
    int first = next_choice(l, -1, 1);
    if (a->v.show == SHOW_QUEUE) { /* it stays where it is while time goes by */
        a->v.line = a->v.line < l->n ? a->v.line : l->n - 1;
        return;
    }
    a->v.line = chooses(a) && first >= 0 ? first : 0;
}

static void open_view(struct app *a, enum show show)
{
    a->v.show = a->v.show == show ? SHOW_STEPPER : show;
    a->v.playing = false;
    a->v.line = 0;
    open_list(a);
}

void app_open(struct app *a, enum show show)
{
    a->v.show = show;
    open_list(a);
}

static void choose_line(struct app *a)
{
    const struct list *l = app_list(a);
    if (!chooses(a) || a->v.line >= l->n || l->line[a->v.line].step == 0) {
        app_say(a, "This line leads to no step.");
        return;
    }
    uint32_t step = l->line[a->v.line].step;
    a->v.show = SHOW_STEPPER;
    app_jump(a, step);
    app_say(a, "Backspace returns to where you came from.");
}

/* Up and Down, where a list is open that they move in; false: the key means what it always means. In the log
 * and the invariants that is time: they show the step wherever it is. */
static bool move_in_list(struct app *a, enum command c)
{
    int by = c == CMD_NEXT_OP ? 1 : c == CMD_PREV_OP ? -1 : c == CMD_PLAY ? 10 : 0;
    if (chooses(a) && (by == 1 || by == -1)) {
        a->v.line = next_choice(app_list(a), a->v.line, by);
        return true;
    }
    if (a->v.show == SHOW_QUEUE && (by == 1 || by == -1)) {
        int line = a->v.line + by, last = app_list(a)->n - 1;
        a->v.line = line < 0 ? 0 : line > last ? last : line;
        return true;
    }
    if (a->v.show == SHOW_LOG && by == 1)
        app_step(a);
    if (a->v.show == SHOW_LOG && by == -1)
        app_back(a);
    if (a->v.show == SHOW_LOG && (by == 1 || by == -1))
        return true;
    if (a->v.show != SHOW_HELP || (by == 0 && c != CMD_FIRST && c != CMD_LAST))
        return false;
    int last = view_help_last(&a->v), line = c == CMD_FIRST ? 0 : c == CMD_LAST ? last : a->v.line + by;
    a->v.line = line < 0 ? 0 : line > last ? last : line;
    return true;
}

/* A page of lines; false: the key means nothing here. */
static bool move_page(struct app *a, int key)
{
    enum command c = key == K_PAGE_DOWN ? CMD_NEXT_OP : key == K_PAGE_UP ? CMD_PREV_OP : CMD_NONE;
    bool moved = c != CMD_NONE;
    for (int i = 0; moved && i < LINES_OF_PAGE; i++)
        moved = move_in_list(a, c);
    return moved;
}

static void open_compare(struct app *a)
{
    struct err e = {0};
    if (a->v.show != SHOW_COMPARE && beside_stand(&a->beside, a->feed, a->v.beside, a->m.branch, a->m.at, &e) != 0)
        app_say(a, e.what);
    else
        open_view(a, SHOW_COMPARE);
    if (a->v.show != SHOW_COMPARE)
        beside_close(&a->beside);
}

/* ---- keys ------------------------------------------------------------------------------------------- */

static void run_command(struct app *a, enum command c);

/* Enter in the list of keys does what the chosen one does. */
static void choose_key(struct app *a)
{
    int c = view_help_command(&a->v);
    a->v.show = SHOW_STEPPER;
    if (c != CMD_NONE && c != CMD_HELP && c != CMD_CHOOSE && c != CMD_CLOSE)
        run_command(a, (enum command)c);
}

static void run_command(struct app *a, enum command c)
{
    bool choosing = a->v.focus != FOCUS_NONE && a->v.show == SHOW_STEPPER;
    bool along = choosing && a->v.focus == FOCUS_TOKENS; /* they stand side by side */
    uint32_t before = a->m.at;
    if (app_inside_key(a, c) || move_in_list(a, c))
        return;
    switch (c) {
    case CMD_STEP: along ? choose(a, 1) : app_step(a); break;
    case CMD_BACK: along ? choose(a, -1) : app_back(a); break;
    case CMD_NEXT_OP: choosing ? choose(a, 1) : app_next(a, DEPTH_OPERATION, ""); break;
    case CMD_PREV_OP: choosing ? choose(a, -1) : app_prev(a, DEPTH_OPERATION); break;
    case CMD_NEXT_REQUEST:
        a->v.typed[0] != '\0' ? app_request_typed(a) : app_next(a, DEPTH_REQUEST, "There is no later request.");
        break;
    case CMD_PREV_REQUEST: app_prev(a, DEPTH_REQUEST); break;
    case CMD_OUT: app_out(a); break;
    case CMD_OUT_BACK: app_out_back(a); break;
    case CMD_FIRST: app_goto(a, 1); break;
    case CMD_LAST: app_goto(a, UINT32_MAX); break;
    case CMD_PLAY: app_toggle_play(a); break;
    case CMD_FASTER: app_set_speed(a, 1); break;
    case CMD_SLOWER: app_set_speed(a, -1); break;
    case CMD_GOTO: app_goto_typed(a); break;
    case CMD_FIND: app_type_begin(a, a->v.show == SHOW_HELP ? TYPE_KEYS : TYPE_FIND); break;
    case CMD_COMMAND: app_type_begin(a, TYPE_COMMAND); break;
    case CMD_BRANCH: a->v.show == SHOW_COMPARE ? app_next_beside(a) : app_next_branch(a); break;
    case CMD_COMPARE: open_compare(a); break;
    case CMD_DIFFERENCE: app_difference(a); break;
    case CMD_FIND_NEXT: app_find(a, 1); break;
    case CMD_FIND_PREV: app_find(a, -1); break;
    case CMD_TOUCH_NEXT: app_find_touch(a, 1); break;
    case CMD_TOUCH_PREV: app_find_touch(a, -1); break;
    case CMD_RETURN: app_jump_return(a); break;
    case CMD_WHY: open_view(a, SHOW_WHY); break;
    case CMD_LOG: open_view(a, SHOW_LOG); break;
    case CMD_REQUESTS: open_view(a, SHOW_REQUESTS); break;
    case CMD_INVARIANTS: open_view(a, SHOW_INVARIANTS); break;
    case CMD_QUEUE: open_view(a, SHOW_QUEUE); break;
    case CMD_FORWARD: app_inside_open(a, SHOW_FORWARD); break;
    case CMD_ATTENTION: app_inside_open(a, SHOW_ATTENTION); break;
    case CMD_LENS: app_inside_open(a, SHOW_LENS); break;
    case CMD_PROOF: app_inside_open(a, SHOW_PROOF); break;
    case CMD_EFFECT: app_inside_open(a, SHOW_EFFECT); break;
    case CMD_LAYER_PREV:
    case CMD_LAYER_NEXT:
    case CMD_HEAD_PREV:
    case CMD_HEAD_NEXT:
    case CMD_TOKEN_PREV:
    case CMD_TOKEN_NEXT: app_say(a, "This key is for the views into the model: M, A, K."); break;
    case CMD_CODE: open_view(a, SHOW_CODE); break;
    case CMD_NUMBERS:
        open_view(a, SHOW_NUMBERS);
        app_idle(a);
        break;
    case CMD_ERROR: app_say_error(a); break;
    case CMD_CHOOSE: a->v.show == SHOW_HELP ? choose_key(a) : choose_line(a); break;
    case CMD_FOCUS: next_focus(a); break;
    case CMD_FOLD: fold(a); break;
    case CMD_ONLY: a->v.only = !a->v.only; break;
    case CMD_NODE: app_type_begin(a, TYPE_NODE); break;
    case CMD_ORDER: a->v.order = (enum order)((a->v.order + 1) % ORDER_COUNT); break;
    case CMD_MOUSE:
        a->v.mouse = !a->v.mouse;
        app_say(a, a->v.mouse
                       ? "Mouse on: click a node, a slot or the timeline. m leaves it to the terminal again."
                       : "Mouse off.");
        break;
    case CMD_BIG:
        a->v.big = !a->v.big;
        a->v.focus = FOCUS_NONE;
        break;
    case CMD_SAVE: app_type_begin(a, TYPE_SAVE); break;
    case CMD_THEME:
        a->theme = theme_next(a->theme);
        snprintf(a->v.message, sizeof a->v.message, "Theme %s: %s.", a->theme->name, a->theme->about);
        break;
    case CMD_HINT:
    case CMD_SKIP:
    case CMD_RESTART:
    case CMD_PART:
        if (a->feed->lesson != NULL)
            app_lesson_command(a, c);
        else
            app_say(a, "This is a key of lessons: radixscope lesson lists them.");
        break;
    case CMD_HELP:
        a->v.search[0] = '\0';
        open_view(a, SHOW_HELP);
        if (a->feed->lesson != NULL)
            a->v.line = view_help_marks(&a->v); /* what a newcomer looks for; its keys stand in the footer */
        break;
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
        app_say(a, "This key does nothing here; ? lists the keys.");
}

static bool inside(struct rect r, int x, int y)
{
    return x >= r.x && x < r.x + r.w && y >= r.y && y < r.y + r.h;
}

/* In a lesson the panes stand beside the text, if they are there at all. */
static bool to_panes(const struct app *a, int *x, int *w)
{
    int columns = a->feed->lesson != NULL ? view_lesson_columns(*w) : 0;
    *x -= columns;
    *w -= columns;
    return a->v.show == SHOW_STEPPER && (a->feed->lesson == NULL || columns > 0);
}

void app_drag(struct app *a, int x, int y, int w, int h)
{
    (void)y; /* a hand does not keep to one line */
    if (a->work.busy || !a->dragging || !to_panes(a, &x, &w))
        return;
    const struct head *head = &a->m.sc.w->head;
    struct layout l = layout_make(w, h, head->pool, head->page_size, a->v.big);
    struct picture p = picture_of(a);
    uint32_t step = 0;
    for (int at = x < l.time.x ? l.time.x : x < l.time.x + l.time.w ? x : l.time.x + l.time.w - 1; step == 0 && at >= l.time.x; at--)
        step = view_timeline_at(&p, l.time, at);
    if (step != 0)
        app_goto(a, step);
}

void app_click(struct app *a, int x, int y, int w, int h)
{
    a->dragging = false;
    if (a->work.busy || app_lesson_click(a, x, y) || !to_panes(a, &x, &w))
        return;
    const struct head *head = &a->m.sc.w->head;
    struct layout l = layout_make(w, h, head->pool, head->page_size, a->v.big);
    struct picture p = picture_of(a);
    uint32_t node, slot, step;
    if (l.kind == LAYOUT_PLAIN)
        return;
    if (inside(l.tree, x, y) && (node = view_tree_at(&p, l.tree, y)) != 0) {
        a->v.focus = FOCUS_TREE;
        a->v.node = node;
    } else if (l.slots_edge >= 0 && inside(l.slots, x, y) && (slot = view_slots_at(&p, l.slots, x, y)) != 0) {
        a->v.focus = FOCUS_SLOTS;
        a->v.slot = slot;
    } else if (inside(l.time, x, y) && (step = view_timeline_at(&p, l.time, x)) != 0) {
        a->dragging = true;
        a->v.playing = false;
        app_jump(a, step);
    }
}

void app_key(struct app *a, int key)
{
    if (key == K_NONE || key == K_RESIZE)
        return;
    a->dragging = false;
    if (key == K_RELEASE || key == K_DRAG)
        return;
    if (a->work.busy) {
        app_work_key(a, key);
        return;
    }
    if (key == K_WHEEL_UP || key == K_WHEEL_DOWN)
        key = key == K_WHEEL_UP ? K_LEFT : K_RIGHT;
    if (key == K_INTERRUPT) {
        a->quit = true;
        a->exit_code = 130;
        return;
    }
    a->v.message[0] = '\0';
    a->search.dir = 0; /* a key stops it, and does what it does */
    a->wanted.at = 0; /* who presses a key goes elsewhere */
    if (a->v.typing != TYPE_NOTHING) {
        app_type(a, key);
        return;
    }
    if (app_lesson_key(a, key) || type_digit(a, key))
        return;
    enum command c = keymap_command(&a->keys, key);
    if (c == CMD_NONE && move_page(a, key))
        return;
    if (c == CMD_NONE)
        unknown_key(a, key);
    else
        run_command(a, c);
    if (c != CMD_GOTO && a->v.typing == TYPE_NOTHING)
        a->v.typed[0] = '\0';
    if (c != CMD_STEP && c != CMD_NEXT_OP && c != CMD_NEXT_REQUEST)
        a->v.waiting = false;
}
