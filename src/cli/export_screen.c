#include <stdio.h>
#include <string.h>

#include "cli/export.h"

/* The stepper without a terminal: the same code draws the same cells. */
struct stand {
    struct app app;
    struct surface surface;
};

static int stand_open(struct stand *s, const struct export *x, struct err *e)
{
    *s = (struct stand){0};
    if (app_init(&s->app, x->feed, &x->look, e) != 0)
        return -1;
    while (!app_idle(&s->app))
        ; /* the timeline shows the whole run */
    if (surface_init(&s->surface, x->w, x->h, x->look.ascii, e) == 0)
        return 0;
    app_done(&s->app);
    return -1;
}

static void stand_close(struct stand *s)
{
    surface_done(&s->surface);
    app_done(&s->app);
}

static void stand_draw(struct stand *s, uint32_t step)
{
    app_goto(&s->app, step);
    app_draw(&s->app, &s->surface);
}

int export_screen(const struct export *x, struct buf *out, struct err *e)
{
    struct stand s;
    if (stand_open(&s, x, e) != 0)
        return -1;
    stand_draw(&s, x->step);
    if (strcmp(x->format, "svg") == 0)
        surface_to_svg(&s.surface, s.app.theme, out);
    else if (strcmp(x->format, "ansi") == 0)
        surface_to_ansi(&s.surface, s.app.theme, out);
    else
        surface_to_text(&s.surface, out);
    stand_close(&s);
    return 0;
}

/* ---- asciicast, version 3: https://docs.asciinema.org/manual/asciicast/v3/ ----------------------------- */

/*      {"version":3,"term":{"cols":80,"rows":24},"title":"…"}
 *      [0.500,"o","\u001b[1;1H…"]       half a second later: what the terminal is sent
 *      [0.000,"m","48 match_prefix"]    a mark: an operation begins here
 */

static const char SHOW[] = "\033[?25h\r\n", HIDE[] = "\033[?25l\033[2J";

static void cast_event(double after, char kind, const char *data, size_t n, struct buf *out)
{
    buf_printf(out, "[%.3f,\"%c\",", after, kind);
    buf_json(out, data, n);
    buf_puts(out, "]\n");
}

static void cast_head(const struct export *x, struct buf *out)
{
    buf_printf(out, "{\"version\":3,\"term\":{\"cols\":%d,\"rows\":%d},\"title\":", x->w, x->h);
    buf_json(out, x->feed->title, strlen(x->feed->title));
    buf_puts(out, "}\n");
}

/* The lines of `now` that differ from those of `before`, each sent to its place. */
static void changed_lines(const struct buf *before, const struct buf *now, struct buf *sent)
{
    const char *old = buf_text(before), *new = buf_text(now);
    for (int y = 1; *new != '\0'; y++) {
        size_t n = strcspn(new, "\n"), m = strcspn(old, "\n");
        if (n != m || memcmp(new, old, n) != 0) {
            buf_printf(sent, "\033[%d;1H\033[K", y);
            buf_add(sent, new, n);
        }
        new += n + (new[n] == '\n');
        old += m + (old[m] == '\n');
    }
}

static void cast_mark(const struct export *x, int branch, uint32_t n, struct buf *out)
{
    struct step step;
    char label[80];
    tape_step(x->feed->tape, branch, n, &step);
    if (step.depth > DEPTH_OPERATION)
        return;
    int len = snprintf(label, sizeof label, "%u %s", n, event_info(step.kind)->name);
    cast_event(0, 'm', label, (size_t)len, out);
}

static void cast_step(struct stand *s, const struct export *x, uint32_t n, struct buf *before, struct buf *out)
{
    struct buf now = {0}, sent = {0};
    stand_draw(s, n);
    surface_to_ansi(&s->surface, s->app.theme, &now);
    if (n == x->from)
        buf_puts(&sent, HIDE);
    changed_lines(before, &now, &sent);
    cast_event(n == x->from ? 0 : 1 / x->speed, 'o', buf_text(&sent), sent.len, out);
    cast_mark(x, s->app.m.branch, n, out);
    out->failed = out->failed || now.failed || sent.failed;
    buf_free(&sent);
    buf_free(before);
    *before = now;
}

int export_cast(const struct export *x, struct buf *out, struct err *e)
{
    struct stand s;
    struct buf before = {0};
    if (stand_open(&s, x, e) != 0)
        return -1;
    cast_head(x, out);
    for (uint32_t n = x->from; n <= x->to && !out->failed; n++)
        cast_step(&s, x, n, &before, out);
    cast_event(1 / x->speed, 'o', SHOW, strlen(SHOW), out);
    cast_event(0, 'x', "0", 1, out);
    buf_free(&before);
    stand_close(&s);
    return 0;
}
