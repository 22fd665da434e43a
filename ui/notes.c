#include "ui/notes.h"

#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "lesson/room.h"
#include "ui/app_parts.h"
#include "ui/prefs.h"
#include "ui/term.h"
#include "ui/text.h"
#include "ui/view_room.h"

enum { WIDE = 100, CLOCK_MS = 1000, MODES = 3, STAGE_LEAST = 10 };

void notes_page_done(struct notes_page *p)
{
    buf_free(&p->head);
    buf_free(&p->notes);
    buf_free(&p->next);
    buf_free(&p->line);
    buf_free(&p->board);
    *p = (struct notes_page){0};
}

/* ---- the stage ---------------------------------------------------------------------------------------- */

struct notes_stage {
    struct app app;
    struct surface surface;
};

struct notes_stage *notes_stage_open(const struct ui_feed *feed, struct err *e)
{
    struct notes_stage *s = xcalloc(1, sizeof *s);
    struct ui_options options = {.big = true};
    if (s == NULL) {
        err_memory(e, sizeof *s, "the stage");
        return NULL;
    }
    if (app_init(&s->app, feed, &options, e) != 0) {
        xfree(s);
        return NULL;
    }
    if (surface_init(&s->surface, 80, 24, false, e) == 0)
        return s;
    app_done(&s->app);
    xfree(s);
    return NULL;
}

void notes_stage_close(struct notes_stage *s)
{
    if (s == NULL)
        return;
    surface_done(&s->surface);
    app_done(&s->app);
    xfree(s);
}

/* The view that the presenter has opened, if this screen knows it. */
static void open_same_view(struct app *a, uint32_t id)
{
    enum show show = SHOW_STEPPER;
    for (int i = 0; i < SHOW_COUNT; i++)
        if (app_view_id((enum show)i) == id)
            show = (enum show)i;
    if (show == a->v.show)
        return;
    a->v.show = SHOW_STEPPER;
    if (show != SHOW_STEPPER)
        app_open(a, show);
}

void notes_stage_wake(struct notes_stage *s)
{
    app_wake(&s->app);
    open_same_view(&s->app, s->app.feed->room->view);
    app_idle(&s->app);
}

/* Draw it h rows high, without its line of keys: they are not for the audience. */
static const struct surface *draw_stage(struct notes_stage *s, int w, int h, bool ascii)
{
    if (surface_resize(&s->surface, w, h + 1, NULL) == 0) {
        s->surface.ascii = ascii;
        s->app.v.message[0] = '\0';
        app_draw(&s->app, &s->surface);
    }
    return &s->surface;
}

void notes_stage_text(struct notes_stage *s, int w, int h, struct buf *out)
{
    struct buf all = {0};
    surface_to_text(draw_stage(s, w, h - 1, s->surface.ascii), &all);
    const char *text = buf_text(&all);
    for (int y = 0; y + 1 < h && *text != '\0'; y++) {
        size_t n = strcspn(text, "\n");
        buf_add(out, text, n);
        buf_putc(out, '\n');
        text += n + (text[n] == '\n');
    }
    buf_free(&all);
}

/* ---- drawing ------------------------------------------------------------------------------------------ */

static void draw_pane(struct surface *s, struct rect r, const char *title)
{
    surface_hline(s, surface_all(s), r.x, r.y, r.w, ROLE_FRAME);
    surface_title(s, r.x, r.y, r.w, ROLE_TITLE, title);
}

static void draw_words(struct surface *s, struct rect r, const char *words, int first)
{
    struct text t = {0};
    text_puts(&t, ROLE_TEXT, words);
    text_wrap(&t, r.w);
    int most = (int)t.lines > r.h ? (int)t.lines - r.h : 0;
    text_draw(&t, s, r, (size_t)(first < most ? first : most));
    if (first < most)
        surface_right(s, r, r.x + r.w, r.y + r.h - 1, ROLE_KEY, " PgDn: more");
    text_done(&t);
}

static void draw_head(const struct notes_page *p, struct surface *s)
{
    char clock[60];
    bool late = p->elapsed > p->minutes * 60;
    int n = snprintf(clock, sizeof clock, "%02u:%02u of %u min%s", p->elapsed / 60, p->elapsed % 60, p->minutes, late ? " !" : "");
    surface_puts(s, (struct rect){1, 0, s->w - n - 3, 1}, 1, 0, ROLE_HEAD | STYLE_BOLD, buf_text(&p->head));
    surface_right(s, surface_all(s), s->w - 1, 0, late ? ROLE_ALERT : ROLE_LABEL, clock);
}

static void draw_foot(struct surface *s, bool board)
{
    static const char *const KEYS[][2] = {{"Tab", "stage, notes, both"}, {"PgDn", "notes"}, {"b", "for the board"}, {"q", "quit"}};
    int x = 1, y = s->h - 1;
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        x = surface_puts(s, surface_all(s), x, y, ROLE_KEY, KEYS[i][0]);
        x = surface_puts(s, surface_all(s), x + 1, y, i == 2 && board ? ROLE_TEXT | STYLE_BOLD : ROLE_TEXT, KEYS[i][1]) + 3;
    }
    s->cursor_x = 0;
    s->cursor_y = y;
}

/* What comes next, and what the room says: the lower rows are the votes'. */
static void draw_next(const struct notes_page *p, const struct ui_room *room, struct surface *s, struct rect r)
{
    int bars = room->tally->n + (room->tally->others > 0), votes = 1 + (bars > r.h / 2 ? r.h / 2 : bars);
    draw_pane(s, r, "next");
    draw_words(s, (struct rect){r.x + 1, r.y + 1, r.w - 2, r.h - 1 - votes}, buf_text(&p->next), 0);
    struct rect v = {r.x + 1, r.y + r.h - votes, r.w - 2, votes};
    surface_puts(s, v, v.x, v.y, ROLE_TITLE | STYLE_BOLD, buf_text(&p->line));
    view_room_bars(room->tally, "", s, (struct rect){v.x, v.y + 1, v.w, v.h - 1});
}

static void draw_notes(const struct notes_page *p, const struct ui_room *room, int scroll, bool board, struct surface *s,
                       struct rect r)
{
    const char *words = board ? (p->board.len > 0 ? buf_text(&p->board) : "Nothing has run yet.") : buf_text(&p->notes);
    const char *title = board ? "for the board: radixscope play and this" : "notes";
    if (s->w >= WIDE) {
        int half = r.w / 2;
        draw_pane(s, (struct rect){r.x, r.y, half, r.h}, title);
        draw_words(s, (struct rect){r.x + 1, r.y + 1, half - 2, r.h - 1}, words, scroll);
        draw_next(p, room, s, (struct rect){r.x + half, r.y, r.w - half, r.h});
        return;
    }
    int upper = r.h / 2;
    draw_pane(s, (struct rect){r.x, r.y, r.w, upper}, title);
    draw_words(s, (struct rect){r.x + 1, r.y + 1, r.w - 2, upper - 1}, words, scroll);
    draw_next(p, room, s, (struct rect){r.x, r.y + upper, r.w, r.h - upper});
}

static void copy_stage(const struct surface *from, struct surface *s, int y, int h)
{
    for (int row = 0; row < h && row < from->h && y + row < s->h; row++)
        memcpy(&s->cell[(y + row) * s->w], &from->cell[row * from->w], (size_t)s->w * sizeof *s->cell);
}

void notes_draw(const struct notes_page *p, struct notes_stage *stage, const struct ui_room *room, int mode, int scroll,
                bool board, struct surface *s)
{
    int rows = s->h - 2, below = mode == 1 ? rows : mode == 2 || rows < STAGE_LEAST + 6 ? 0 : rows * 3 / 5;
    surface_clear(s);
    if (!p->here) { /* what was on the stage is of no use */
        draw_head(p, s);
        draw_words(s, (struct rect){1, 2, s->w - 2, rows - 2}, buf_text(&p->line), 0);
        draw_foot(s, board);
        return;
    }
    if (below > 1) {
        copy_stage(draw_stage(stage, s->w, below - 1, s->ascii), s, 1 + rows - (below - 1), below - 1);
        draw_pane(s, (struct rect){0, 1 + rows - below, s->w, 1}, "what the audience sees");
    }
    draw_head(p, s);
    if (mode != 1)
        draw_notes(p, room, scroll, board, s, (struct rect){0, 1, s->w, rows - below});
    draw_foot(s, board);
}

/* ---- with the terminal -------------------------------------------------------------------------------- */

struct speaker {
    const struct notes_feed *feed;
    struct notes_stage *stage;
    struct term *term;
    struct surface screen;
    const struct theme *theme;
    int mode, scroll;
    bool board, quit;
    int exit_code;
};

static int draw_speaker(struct speaker *k, struct err *e)
{
    struct notes_page page = {0};
    int w, h;
    term_size(k->term, &w, &h);
    if ((w != k->screen.w || h != k->screen.h) && surface_resize(&k->screen, w, h, e) != 0)
        return -1;
    k->feed->page(k->feed->ctx, &page, w >= WIDE ? w / 2 - 2 : w - 2);
    notes_draw(&page, k->stage, k->feed->feed->room, k->mode, k->scroll, k->board, &k->screen);
    notes_page_done(&page);
    term_draw(k->term, &k->screen, k->theme);
    return 0;
}

static void speaker_key(struct speaker *k, int key)
{
    switch (key) {
    case K_INTERRUPT: k->exit_code = 130; k->quit = true; break;
    case 'q': k->quit = true; break;
    case K_TAB: k->mode = (k->mode + 1) % MODES; break;
    case 'b': k->board = !k->board; break;
    case K_PAGE_DOWN:
    case K_DOWN: k->scroll++; break;
    case K_PAGE_UP:
    case K_UP: k->scroll -= k->scroll > 0; break;
    default: break;
    }
}

static int run_speaker(struct speaker *k, struct err *e)
{
    while (!k->quit) {
        if (draw_speaker(k, e) != 0)
            return -1;
        int why = term_wait(k->term, k->feed->feed->wake_fd, CLOCK_MS);
        if (why & TERM_WAKE) {
            notes_stage_wake(k->stage);
            k->scroll = 0;
        }
        for (int key; !k->quit && (key = term_key(k->term)) != K_NONE;)
            speaker_key(k, key);
        if (why & TERM_LOST)
            return err_set(e, "the terminal has gone away");
    }
    return k->exit_code;
}

int notes_run(const struct notes_feed *feed, const struct ui_options *options, struct err *e)
{
    struct prefs prefs;
    struct err bad = {0};
    struct speaker k = {.feed = feed};
    int rc = -1;
    prefs_load(&prefs, &bad); /* what is wrong there is said by the stepper */
    k.stage = notes_stage_open(feed->feed, e);
    if (k.stage == NULL)
        return -1;
    k.theme = k.stage->app.theme;
    if (options->theme != NULL && theme_find(options->theme) != NULL)
        k.theme = theme_find(options->theme);
    k.term = term_open(e);
    if (k.term != NULL && surface_init(&k.screen, 80, 24, options->ascii || prefs.ascii || !term_utf8(k.term), e) == 0)
        rc = run_speaker(&k, e);
    if (k.term != NULL)
        term_close(k.term);
    surface_done(&k.screen);
    notes_stage_close(k.stage);
    return rc;
}
