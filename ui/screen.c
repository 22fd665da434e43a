#include "ui/screen.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "ui/text.h"
#include "ui/view_compare.h"

enum { TITLE_MAX = 160 };

/* A title at the right end of an edge, if it does not run into the left one (`taken` cells). */
static void right_title(struct surface *s, int y, int taken, unsigned style, const char *text)
{
    int width = utf8_string_width(text, strlen(text)) + 5;
    if (taken + width + 3 <= s->w)
        surface_title(s, s->w - width, y, width, style, text);
}

static void draw_slots_title(const struct picture *p, const struct layout *l, struct surface *s)
{
    char left[TITLE_MAX], counts[TITLE_MAX];
    view_slots_title(p, l->slots, left, sizeof left);
    surface_title(s, 0, l->slots_edge, s->w, ROLE_TITLE, left);
    view_slots_counts(p, counts, sizeof counts);
    right_title(s, l->slots_edge, (int)strlen(left) + 4, ROLE_TEXT, counts);
}

static void draw_time_title(const struct picture *p, const struct layout *l, struct surface *s)
{
    const struct ui_progress *g = p->progress;
    char text[TITLE_MAX];
    surface_title(s, 0, l->time_edge, s->w, ROLE_TITLE, "time");
    if (p->v->playing) {
        int tenths = view_speed_tenths(p->v->speed);
        snprintf(text, sizeof text, "playing, %d.%d steps a second", tenths / 10, tenths % 10);
        right_title(s, l->time_edge, 10, ROLE_CHANGED, text);
    } else if (g->working) {
        if (g->loading)
            snprintf(text, sizeof text, "%s%.80s", p->v->waiting ? "waiting: " : "", g->line);
        else
            snprintf(text, sizeof text, "%s%u steps so far",
                     p->v->waiting ? "waiting for the next step: " : "computing: ", p->m->length);
        right_title(s, l->time_edge, 10, ROLE_CHANGED, text);
    } else if (g->failed) {
        right_title(s, l->time_edge, 10, ROLE_ALERT, "the run ended early (e: why)");
    }
}

static void draw_titles(const struct picture *p, const struct layout *l, struct surface *s)
{
    char text[TITLE_MAX];
    view_tree_title(p, text, sizeof text);
    surface_title(s, 0, 1, l->request.x - 1, ROLE_TITLE, text);
    view_request_title(p, text, l->request.w < TITLE_MAX ? (size_t)l->request.w : sizeof text);
    surface_title(s, l->request.x - 1, 1, l->request.w + 2, ROLE_TITLE, text);
    if (l->slots_edge >= 0)
        draw_slots_title(p, l, s);
    view_story_title(p, s, text, sizeof text);
    surface_title(s, 0, l->story_edge, s->w, ROLE_TITLE, text);
    if (l->time_edge >= 0)
        draw_time_title(p, l, s);
}

static void draw_stepper(const struct picture *p, const struct layout *l, struct surface *s)
{
    view_tree_draw(p, s, l->tree);
    view_tree_map(p, s, l->tree, l->tree.x - 1);
    view_request_draw(p, s, l->request);
    if (l->slots_edge >= 0)
        view_slots_draw(p, s, l->slots);
    view_story_draw(p, s, l->story);
    view_timeline_draw(p, s, l->time);
}

/* One column for a very small screen: what happened first, because it is what matters most. */
static void draw_plain(const struct picture *p, const struct layout *l, struct surface *s)
{
    struct rect b = l->body;
    int story = b.h > 8 ? 5 : b.h;
    view_story_draw(p, s, (struct rect){b.x, b.y, b.w, story});
    int left = b.h - story - 1, tree = left * 3 / 5;
    if (left < 4 || b.w < 24)
        return;
    view_tree_draw(p, s, (struct rect){b.x, b.y + story + 1, b.w, tree});
    view_request_draw(p, s, (struct rect){b.x - 1, b.y + story + 1 + tree, b.w + 2, left - tree});
}

const char *screen_show_title(enum show show)
{
    switch (show) {
    case SHOW_WHY: return "why";
    case SHOW_LOG: return "log";
    case SHOW_REQUESTS: return "requests";
    case SHOW_FORWARD: return "forward pass";
    case SHOW_ATTENTION: return "attention";
    case SHOW_LENS: return "KV lens";
    case SHOW_PROOF: return "proof: with the cache and without it";
    case SHOW_EFFECT: return "poison: whom a spoiled row reaches";
    case SHOW_NUMBERS: return "numbers over time";
    case SHOW_QUEUE: return "queue and batch";
    case SHOW_CODE: return "code: the step in the program's own source";
    case SHOW_COMPARE: return "two histories side by side";
    case SHOW_INVARIANTS: return "what must always hold";
    default: return "keys and marks";
    }
}

static void draw_list(const struct picture *p, struct surface *s, struct rect r)
{
    enum show show = p->v->show;
    bool choose = show == SHOW_WHY || show == SHOW_REQUESTS || show == SHOW_LENS || show == SHOW_PROOF ||
                  show == SHOW_EFFECT || show == SHOW_QUEUE;
    int chosen = choose ? p->v->line : show == SHOW_LOG || show == SHOW_FORWARD ? p->list->here : -1;
    bool message = view_message_long(p, s);
    if (message && r.h > 1)
        r.h--;
    list_draw(p->list, chosen, s, r);
    if (message)
        surface_puts(s, (struct rect){r.x, r.y + r.h, r.w, 1}, r.x, r.y + r.h, ROLE_ALERT, p->v->message);
}

/* A view that takes the place of the panes. */
static void draw_full_view(const struct picture *p, const struct layout *l, struct surface *s)
{
    struct rect r = l->body;
    if (l->kind != LAYOUT_PLAIN) {
        surface_box(s, (struct rect){0, 1, s->w, s->h - 2}, ROLE_FRAME);
        r = (struct rect){2, 2, s->w - 4, s->h - 4};
        surface_title(s, 0, 1, s->w, ROLE_TITLE, screen_show_title(p->v->show));
    }
    if (p->v->show == SHOW_HELP)
        view_help_draw(p, s, r);
    else if (p->v->show == SHOW_NUMBERS)
        view_numbers_draw(p, s, r);
    else if (p->v->show == SHOW_ATTENTION)
        view_attention_draw(p, s, r);
    else if (p->v->show == SHOW_CODE)
        view_code_draw(p, s, r);
    else if (p->v->show == SHOW_COMPARE)
        view_compare_draw(p, s, r);
    else
        draw_list(p, s, r);
}

void screen_draw(const struct picture *p, struct surface *s)
{
    const struct world *w = p->m->sc.w;
    struct layout l = layout_make(s->w, s->h, w->head.pool, w->head.page_size, p->v->big);
    surface_clear(s);
    view_title_draw(p, s, l.title);
    if (p->v->show != SHOW_STEPPER) {
        draw_full_view(p, &l, s);
    } else if (l.kind == LAYOUT_PLAIN) {
        draw_plain(p, &l, s);
    } else {
        layout_draw(&l, s);
        draw_titles(p, &l, s);
        draw_stepper(p, &l, s);
    }
    view_keys_draw(p, s, l.keys);
}
