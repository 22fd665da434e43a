#include "ui/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "ui/app_parts.h"
#include "ui/lists.h"
#include "ui/screen.h"

enum { MARKS_AT_ONCE = 50000, NUMBERS_AT_ONCE = 2000, LOG_ROWS = 64 };

int view_speed_tenths(int speed)
{
    static const int TENTHS[VIEW_SPEEDS] = {5, 10, 20, 40, 80, 160, 320, 640};
    return TENTHS[speed];
}

/* ---- a place that was asked for ---------------------------------------------------------------------- */

uint32_t app_view_id(enum show show)
{
    uint32_t h = 2166136261u;
    for (const char *c = show == SHOW_STEPPER ? "" : screen_show_title(show); *c != '\0'; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    return show == SHOW_STEPPER ? 0 : h >> 1;
}

static enum show view_of(uint32_t id)
{
    for (int show = 0; show < SHOW_COUNT; show++)
        if (app_view_id((enum show)show) == id)
            return (enum show)show;
    return SHOW_STEPPER; /* a view of another version */
}

/* The run may not be so far yet; then it is looked for again when there is more. */
static void app_go_wanted(struct app *a)
{
    struct ui_place to = a->wanted;
    bool there = to.at > 0 && to.branch < tape_branches(a->m.tape) && to.at <= tape_length(a->m.tape, to.branch);
    if (!there && (a->progress.working || to.at == 0))
        return;
    a->wanted.at = 0;
    if (!there) {
        app_say(a, "The step to open at was not reached.");
        return;
    }
    app_switch(a, to.branch, to.at);
    a->v.beside = to.beside;
    a->v.waiting = false;
    a->v.message[0] = '\0';
    if (to.view != 0)
        app_open(a, view_of(to.view));
}

/* ---- making ----------------------------------------------------------------------------------------- */

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
        app_say_error(a);
}

int app_init(struct app *a, const struct ui_feed *feed, const struct ui_options *options, struct err *e)
{
    *a = (struct app){.feed = feed};
    a->v.speed = VIEW_SPEED_START;
    a->v.big = options->big;
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
    a->wanted = options->place;
    if (options->place.at == 0 && options->start > a->m.at && a->progress.working)
        a->wanted = (struct ui_place){.branch = a->m.branch, .at = options->start};
    app_idle(a);
    app_go_wanted(a);
    if (feed->lesson != NULL && app_lesson_begin(a) != 0) {
        app_done(a);
        return err_memory(e, 0, "the screen of a lesson");
    }
    if (options->compare)
        app_key(a, 'B');
    return 0;
}

/* Forget what was remembered of the tape that was shown, and read the new one. */
int app_turn(struct app *a, struct err *e)
{
    if (a->cursor.w != NULL)
        cursor_done(&a->cursor);
    a->cursor = (struct cursor){0};
    moment_done(&a->m);
    marks_done(&a->marks);
    series_done(&a->series);
    beside_close(&a->beside);
    a->m = (struct moment){0};
    a->marks = (struct marks){0};
    a->series = (struct series){0};
    a->beside = (struct beside){0};
    a->list_key = (struct list_key){0};
    a->v.folds = a->backs = 0;
    a->v.focus = FOCUS_NONE;
    a->v.node = a->v.slot = 0;
    if (cursor_init(&a->cursor, a->feed->tape, e) != 0 || moment_init(&a->m, a->feed->tape, &a->feed->words, e) != 0)
        return -1;
    return 0;
}

void app_done(struct app *a)
{
    app_work_close(a);
    if (a->feed->lesson != NULL)
        surface_done(&a->lesson.inner);
    if (a->cursor.w != NULL)
        cursor_done(&a->cursor);
    moment_done(&a->m);
    marks_done(&a->marks);
    list_done(&a->list);
    insight_done(&a->insight);
    series_done(&a->series);
    beside_close(&a->beside);
    for (int i = 0; i < a->pasts; i++)
        xfree(a->past[i]);
}

/* ---- what comes by itself --------------------------------------------------------------------------- */

/* What was typed runs on the branch that is written now: a new one, if it began before the end of another. */
static void follow(struct app *a)
{
    int branch = tape_branch(a->m.tape);
    if (a->following && branch != a->m.branch)
        app_switch(a, branch, a->m.at);
}

static void stop_waiting(struct app *a)
{
    a->v.waiting = false;
    a->v.message[0] = '\0';
    if (a->progress.failed)
        app_say_error(a);
}

void app_look(struct app *a)
{
    if (app_work_look(a))
        return;
    follow(a);
    app_measure(a);
    app_go_wanted(a);
    app_inside_look(a);
    if (a->v.waiting && a->m.length > a->m.at) {
        stop_waiting(a);
        app_goto(a, a->m.at + 1);
    }
    app_idle(a);
}

void app_wake(struct app *a)
{
    if (app_work_look(a))
        return;
    app_room_wake(a);
    if (a->work.busy)
        return;
    app_progress(a);
    app_look(a);
    a->following = a->following && a->progress.working;
    if (!a->v.waiting || a->progress.working)
        return;
    stop_waiting(a);
    if (!a->progress.failed)
        app_at_end(a);
}

void app_tick(struct app *a)
{
    if (a->v.playing && !a->v.waiting && !a->work.busy)
        app_step(a);
}

/* What the views read. */
static bool read_on(struct app *a)
{
    bool all = marks_read(&a->marks, a->m.tape, a->m.branch, MARKS_AT_ONCE);
    if (a->v.show != SHOW_NUMBERS)
        return beside_idle(&a->beside) && all;
    return series_read(&a->series, a->m.tape, a->m.branch, NUMBERS_AT_ONCE) && all;
}

bool app_idle(struct app *a)
{
    if (a->work.busy)
        return true;
    bool found = app_search_on(a);
    return read_on(a) && found;
}

/* The other history, where it belongs to this moment. */
static const struct beside *app_beside(struct app *a)
{
    if (a->v.show == SHOW_COMPARE)
        beside_stand(&a->beside, a->feed, a->v.beside, a->m.branch, a->m.at, NULL); /* the view says if there is none */
    return a->v.show == SHOW_COMPARE ? &a->beside : NULL;
}

/* The list of the open view, for this moment: filled anew when either has changed. */
const struct list *app_list(struct app *a)
{
    struct list_key key = {a->v.show, a->m.branch, a->m.at, a->m.length, a->v.look,
                           {a->insight.answer.state, (uint32_t)(a->insight.answer.done * 1000)}};
    if (memcmp(&key, &a->list_key, sizeof key) == 0)
        return &a->list;
    a->list_key = key;
    switch (a->v.show) {
    case SHOW_WHY: lists_why(&a->list, &a->m, &a->cursor); break;
    case SHOW_LOG: a->list.here = lists_log(&a->list, &a->m, &a->cursor, LOG_ROWS); break;
    case SHOW_REQUESTS: lists_requests(&a->list, &a->m, &a->cursor); break;
    case SHOW_INVARIANTS: lists_invariants(&a->list, &a->m); break;
    case SHOW_QUEUE: lists_queue(&a->list, &a->m); break;
    default:
        if (app_is_inside(a)) { /* filling asks, and brings what is looked at into bounds */
            app_inside_fill(a);
            a->list_key.look = a->v.look;
            a->list_key.answer[0] = a->insight.answer.state;
            a->list_key.answer[1] = (uint32_t)(a->insight.answer.done * 1000);
        }
        break;
    }
    return &a->list;
}

/* The numbers before this step and after it; the cursor goes one back and returns. */
static void fill_numbers(struct app *a, struct picture *p)
{
    uint32_t at = a->m.at;
    for (uint32_t i = 0; i < 2 && at > 0; i++) {
        uint32_t n = at - 1 + i;
        if (at <= a->series.read && a->series.branch == a->m.branch)
            p->now[i] = series_sums(&a->series, a->m.tape, n);
        cursor_seek(&a->cursor, a->m.branch, n);
        numbers_slots(a->cursor.w, &p->now[i]);
    }
}

void app_draw(struct app *a, struct surface *s)
{
    a->w = s->w;
    a->h = s->h;
    a->ascii = s->ascii;
    if (a->work.busy) {
        app_work_draw(a, s);
        return;
    }
    struct picture p = {.m = &a->m, .v = &a->v, .marks = &a->marks, .feed = a->feed, .progress = &a->progress,
                        .list = app_list(a), .series = &a->series, .beside = app_beside(a), .insight = &a->insight,
                        .limit = a->feed->lesson != NULL ? app_lesson_limit(a) : UINT32_MAX,
                        .before = a->feed->lesson != NULL && !a->lesson.aside && player_begins_anew(a->feed->lesson)};
    if (a->v.show == SHOW_NUMBERS)
        fill_numbers(a, &p);
    if (a->feed->lesson != NULL && a->v.show == SHOW_STEPPER)
        view_lesson_draw(&p, &a->lesson, s);
    else
        screen_draw(&p, s);
}
