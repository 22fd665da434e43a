#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ui/app_parts.h"
#include "ui/prefs.h"
#include "ui/term.h"

enum { KEYS_A_FRAME = 64, LOOK_AGAIN_MS = 60, WORK_MS = 250 };

/* ---- the loop --------------------------------------------------------------------------------------- */

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
    if (l->a->work.busy)
        return WORK_MS; /* its end is a wake-up; what it has done so far is not */
    bool more = l->a->progress.working || (l->a->beside.open && l->a->beside.right.working);
    int patience = more ? LOOK_AGAIN_MS : -1; /* steps come without a wake-up each */
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

static void loop_click(struct loop *l)
{
    int x, y;
    term_mouse_at(l->term, &x, &y);
    app_click(l->a, x, y, l->screen.w, l->screen.h);
}

/* Where the mouse is now counts, not every place that it was dragged over. */
static void loop_drag(struct loop *l, bool *dragged)
{
    int x, y;
    term_mouse_at(l->term, &x, &y);
    if (*dragged)
        app_drag(l->a, x, y, l->screen.w, l->screen.h);
    *dragged = false;
}

static void loop_keys(struct loop *l)
{
    bool was = l->a->v.playing;
    int speed = l->a->v.speed;
    bool mouse = l->a->v.mouse, dragged = false;
    for (int n = 0, key; n < KEYS_A_FRAME && !l->a->quit && (key = term_key(l->term)) != K_NONE; n++) {
        if (key == K_RELEASE || (key != K_DRAG && key != K_CLICK))
            loop_drag(l, &dragged);
        dragged = key == K_DRAG;
        if (key == K_CLICK)
            loop_click(l);
        else if (!dragged)
            app_key(l->a, key);
    }
    loop_drag(l, &dragged);
    if (mouse != l->a->v.mouse)
        term_mouse(l->term, l->a->v.mouse);
    if (l->a->v.playing && (!was || speed != l->a->v.speed))
        l->next_tick = now_ms() + 10000 / view_speed_tenths(l->a->v.speed);
}

static int loop_run(struct loop *l, struct err *e)
{
    while (!l->a->quit) {
        if (loop_draw(l, e) != 0)
            return -1;
        bool read_all = app_idle(l->a);
        app_room_stand(l->a);
        int why = term_wait(l->term, app_wake_fd(l->a), loop_patience(l, read_all));
        if (why & TERM_WAKE)
            app_wake(l->a);
        else if (l->a->progress.working)
            app_look(l->a);
        loop_keys(l); /* also when only a signal came: a resize is read like a key */
        loop_tick(l);
        if (why & TERM_LOST)
            return err_set(e, "the terminal has gone away");
    }
    return l->a->exit_code;
}

/* Preferences are read here, so that tests of the application do not depend on whose machine they run on. */
static void prefer(struct app *a, const struct prefs *c)
{
    if (c->speed >= 0)
        a->v.speed = c->speed;
    a->keys = c->keys;
    a->v.keys = &a->keys;
    a->v.big |= c->projector;
    a->v.mouse = c->mouse;
}

static void tell_replaced(struct loop *l)
{
    bool replaced;
    const char *name = term_name(l->term, &replaced);
    if (replaced)
        snprintf(l->a->v.message, sizeof l->a->v.message, "This terminal's TERM is unknown here; taking it for %s.",
                 name);
}

static int run_on_terminal(struct app *a, bool ascii, struct err *e)
{
    struct loop l = {.a = a, .term = term_open(e)};
    int rc = -1;
    if (l.term == NULL)
        return -1;
    tell_replaced(&l);
    if (a->v.mouse)
        term_mouse(l.term, true);
    if (surface_init(&l.screen, 80, 24, ascii || !term_utf8(l.term), e) == 0)
        rc = loop_run(&l, e);
    term_close(l.term);
    surface_done(&l.screen);
    return rc;
}

int app_run(const struct ui_feed *feed, const struct ui_options *options, struct err *e)
{
    struct app a;
    struct prefs prefs;
    struct err bad = {0};
    struct ui_options with = *options;
    int rc = prefs_load(&prefs, &bad);
    const char *no_colour = getenv("NO_COLOR");
    if (with.theme == NULL && prefs.theme[0] != '\0' && (no_colour == NULL || no_colour[0] == '\0'))
        with.theme = prefs.theme;
    if (app_init(&a, feed, &with, e) != 0)
        return -1;
    prefer(&a, &prefs);
    if (rc != 0) /* the stepper opens all the same */
        snprintf(a.v.message, sizeof a.v.message, "%.240s", bad.what);
    rc = run_on_terminal(&a, options->ascii || prefs.ascii, e);
    if (options->left_at != NULL)
        *options->left_at = a.m.at;
    app_done(&a);
    return rc;
}
