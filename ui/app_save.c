#include <string.h>

#include "base/file.h"
#include "ui/app_parts.h"

enum { CAST_STEPS = 5000 };

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* The screen as a terminal draws it: home, then line by line. */
static void add_frame(struct app *a, struct surface *s, struct buf *out)
{
    struct buf ansi = {0}, frame = {0};
    app_draw(a, s);
    surface_to_ansi(s, a->theme, &ansi);
    buf_puts(&frame, "\033[H\033[2J");
    for (size_t i = 0; i < ansi.len; i++) { /* no line end after the last line: it would scroll */
        if (ansi.data[i] == '\n' && i + 1 < ansi.len)
            buf_puts(&frame, "\r\n");
        else if (ansi.data[i] != '\n')
            buf_putc(&frame, ansi.data[i]);
    }
    buf_json(out, buf_text(&frame), frame.len);
    out->failed |= ansi.failed || frame.failed;
    buf_free(&ansi);
    buf_free(&frame);
}

/* The run from here on as an asciicast (version 3): a frame and a mark for every step. */
static void add_cast(struct app *a, struct surface *s, struct buf *out)
{
    uint32_t here = a->m.at, end = tape_length(a->m.tape, a->m.branch);
    end = end - here < CAST_STEPS ? end : here + CAST_STEPS;
    buf_printf(out, "{\"version\":3,\"term\":{\"cols\":%d,\"rows\":%d},\"title\":", s->w, s->h);
    buf_json(out, a->feed->title, strlen(a->feed->title));
    buf_puts(out, "}\n");
    for (uint32_t n = here; n <= end && !out->failed; n++) {
        app_goto(a, n);
        buf_printf(out, "[%d.%d,\"o\",", n > here ? 10 / view_speed_tenths(a->v.speed) : 0,
                   n > here ? 100 / view_speed_tenths(a->v.speed) % 10 : 0);
        add_frame(a, s, out);
        buf_printf(out, "]\n[0.0,\"m\",\"%u %s\"]\n", n, n > 0 ? event_info(a->m.step.kind)->name : "start");
    }
    app_goto(a, here);
}

static int keep(struct app *a, const char *path, struct err *e)
{
    if (a->feed->keep == NULL) {
        err_set(e, "what is shown is a file already");
        return err_hint(e, "a name that ends in .svg, .txt or .ansi writes the screen, .cast the run");
    }
    return a->feed->keep(a->feed->ctx, path, e);
}

int app_save(struct app *a, const char *path, struct err *e)
{
    struct surface s;
    struct buf b = {0};
    if (ends_with(path, ".rxs") || ends_with(path, ".rxt"))
        return keep(a, path, e);
    if (surface_init(&s, a->w, a->h, a->ascii, e) != 0)
        return -1;
    app_draw(a, &s);
    if (ends_with(path, ".svg"))
        surface_to_svg(&s, a->theme, &b);
    else if (ends_with(path, ".cast"))
        add_cast(a, &s, &b);
    else if (ends_with(path, ".ansi"))
        surface_to_ansi(&s, a->theme, &b);
    else
        surface_to_text(&s, &b);
    int rc = b.failed ? err_memory(e, b.len, "the picture of the screen")
                      : file_write(path, buf_text(&b), b.len, e);
    buf_free(&b);
    surface_done(&s);
    return rc;
}
