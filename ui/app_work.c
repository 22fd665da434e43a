/* What a lesson's screen asks an engine for. It runs in a thread of its own, and all that it touches is that thread's until it
 * is done: meanwhile the screen shows the picture of before, says what runs, and answers keys. */
#include <stdio.h>
#include <string.h>

#include "ui/app_parts.h"
#include "ui/command.h"

enum { A_FRAME_MS = 40 };

int app_work_open(struct app *a, struct err *e)
{
    a->work.halt = a->feed->lesson->run->host.halt;
    a->work.job = lesson_job_new(e);
    return a->work.job != NULL ? surface_init(&a->work.picture, 80, 24, a->ascii, e) : -1;
}

void app_work_close(struct app *a)
{
    if (a->work.busy && a->work.halt != NULL)
        lesson_halt_ask(a->work.halt);
    lesson_job_free(a->work.job);
    surface_done(&a->work.picture);
    a->work = (struct app_work){0};
}

/* In the job's thread. */
static void work(void *ctx)
{
    struct app *a = ctx;
    struct app_work *w = &a->work;
    struct player *p = a->feed->lesson;
    switch (w->kind) {
    case WORK_COMMAND: w->rc = a->feed->command(a->feed->ctx, w->branch, w->from, w->line, &w->err); break;
    case WORK_NEXT: w->rc = player_next(p, &w->err); break;
    case WORK_BACK: w->rc = player_back(p, &w->err); break;
    case WORK_PART: w->rc = player_goto(p, w->part, &w->err); break;
    case WORK_RESTART: w->rc = player_restart(p, &w->err); break;
    case WORK_NEWS: w->rc = a->feed->room->news(a->feed->room->ctx); break;
    }
}

static void ended(struct app *a)
{
    a->work.busy = false;
    if (a->work.halt != NULL)
        lesson_halt_clear(a->work.halt);
    app_lesson_done(a);
}

void app_work_now(struct app *a, enum work_kind kind)
{
    a->work.kind = kind;
    a->work.err = (struct err){0};
    work(a);
    app_lesson_done(a);
}

void app_work_begin(struct app *a, enum work_kind kind)
{
    struct app_work *w = &a->work;
    struct surface *s = &w->picture;
    s->ascii = a->ascii;
    if (a->w > 0 && surface_resize(s, a->w, a->h, NULL) == 0) /* no memory: the picture of another moment */
        app_draw(a, s);
    w->kind = kind;
    w->err = (struct err){0};
    w->busy = true;
    lesson_job_begin(w->job, work, a);
    if (lesson_job_wait(w->job, A_FRAME_MS))
        ended(a);
}

int app_wake_fd(const struct app *a)
{
    return a->work.busy ? lesson_job_fd(a->work.job) : a->feed->wake_fd;
}

bool app_work_look(struct app *a)
{
    if (a->work.busy && lesson_job_wait(a->work.job, 0))
        ended(a);
    return a->work.busy;
}

void app_settle(struct app *a)
{
    while (a->work.busy) {
        lesson_job_wait(a->work.job, -1);
        ended(a);
    }
}

/* Those who follow run the same commands: one that is cut short here would be another one there. */
static bool may_cancel(const struct app *a)
{
    return a->work.halt != NULL && a->feed->room == NULL;
}

void app_work_key(struct app *a, int key)
{
    bool leave = key == K_INTERRUPT || keymap_command(&a->keys, key) == CMD_QUIT;
    a->v.message[0] = '\0';
    if (leave) {
        a->quit = true;
        a->exit_code = key == K_INTERRUPT ? 130 : 0;
    } else if (key == K_ESC && may_cancel(a)) {
        lesson_halt_ask(a->work.halt);
        app_say(a, "It is being cancelled: the layer that is computed now is the last one.");
    } else if (key == K_ESC) {
        app_say(a, "It runs at the others' places, too, and so to its end.");
    } else {
        app_say(a, may_cancel(a) ? "Something is being computed: Esc cancels it." : "Something is being computed.");
    }
}

static void say_what(const struct app *a, char *out, size_t n)
{
    const struct app_work *w = &a->work;
    const char *esc = may_cancel(a) ? " Esc cancels it." : "";
    if (a->v.message[0] != '\0')
        snprintf(out, n, "%s", a->v.message);
    else if (w->kind == WORK_COMMAND) /* the tape that is shown is being written, and may be read */
        snprintf(out, n, "%.*s runs, step %u so far.%s", (int)strcspn(w->line, " "), w->line,
                 tape_length(a->m.tape, tape_branch(a->m.tape)), esc);
    else if (w->kind == WORK_NEWS)
        snprintf(out, n, "What the presenter has typed runs here, too.");
    else
        snprintf(out, n, "The challenge is being made.%s", esc);
}

void app_work_draw(struct app *a, struct surface *s)
{
    const struct surface *was = &a->work.picture;
    struct rect last = {0, s->h - 1, s->w, 1};
    char line[600];
    surface_clear(s);
    for (int y = 0; y < was->h && y < s->h; y++)
        for (int x = 0; x < was->w && x < s->w; x++)
            s->cell[y * s->w + x] = was->cell[y * was->w + x];
    say_what(a, line, sizeof line);
    surface_fill(s, last, ROLE_TEXT);
    int x = surface_puts(s, last, 1, last.y, ROLE_HEAD | STYLE_BOLD, line);
    s->cursor_x = x < s->w ? x : s->w - 1;
    s->cursor_y = last.y;
}
