#include "ui/view_lesson.h"

#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "lesson/lesson_text.h"
#include "ui/command.h"
#include "ui/screen.h"
#include "ui/view_room.h"

enum { WIDE = 104, TEXT_LEAST = 44, TEXT_MOST = 64, LOW_TREE = 3, LEAST_TEXT = 4 };

int view_lesson_columns(int w)
{
    int columns = w * 2 / 5;
    if (w < WIDE)
        return 0;
    return columns < TEXT_LEAST ? TEXT_LEAST : columns > TEXT_MOST ? TEXT_MOST : columns;
}

/* ---- the text ----------------------------------------------------------------------------------------- */

static unsigned word_style(const char *word)
{
    static const struct { const char *word; unsigned style; } STYLES[] = {
        {"cached", ROLE_CACHED}, {"computed", ROLE_COMPUTED}, {"generated", ROLE_GENERATED},
        {"held", ROLE_HELD},     {"free", ROLE_QUIET},        {"gone", ROLE_GONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(STYLES); i++)
        if (strcmp(word, STYLES[i].word) == 0)
            return STYLES[i].style;
    return ROLE_TEXT;
}

static unsigned span_style(const struct span *s, bool strong)
{
    unsigned style = strong || (s->flags & SPAN_STRONG) != 0 ? ROLE_TEXT | STYLE_BOLD : ROLE_TEXT;
    if ((s->flags & SPAN_EMPH) != 0)
        style |= STYLE_UNDER;
    if ((s->flags & SPAN_CODE) != 0)
        style = ROLE_LABEL | (style & STYLE_BOLD);
    switch (s->link) {
    case LINK_NODE: return theme_owner(span_node_id(s)) | STYLE_BOLD;
    case LINK_SLOT: return ROLE_HELD | STYLE_UNDER;
    case LINK_REQUEST: return ROLE_TITLE | STYLE_UNDER;
    case LINK_EVENT: return ROLE_CHANGED | STYLE_UNDER;
    case LINK_KEY: return ROLE_KEY;
    case LINK_WORD: return word_style(s->target) | STYLE_BOLD;
    case LINK_LESSON: return ROLE_TITLE | STYLE_UNDER;
    default: return style;
    }
}

/* What begins a paragraph, a line, an item of a list. */
static void add_break(const struct span *s, bool first, struct text *t)
{
    if (s->kind == SPAN_PARAGRAPH && !first)
        text_puts(t, ROLE_TEXT, "\n\n");
    else if (!first)
        text_puts(t, ROLE_TEXT, "\n");
    if (s->kind == SPAN_BULLET)
        text_printf(t, ROLE_TEXT, "%*s%s ", 2 * s->indent, "", *s->text != '\0' ? s->text : "-");
}

static void add_prose(const struct piece *piece, struct text *t)
{
    bool pre = false;
    for (size_t i = 0; i < piece->prose->n; i++) {
        const struct span *s = &piece->prose->span[i];
        struct buf b = {0};
        if (s->kind != SPAN_TEXT && s->kind != SPAN_FIGURE) {
            pre = s->kind == SPAN_PRE;
            add_break(s, i == 0, t);
            continue;
        }
        bool quoted = (s->flags & SPAN_CODE) != 0 && !pre;
        span_show(s, &piece->env, &b, NULL);
        if (quoted)
            text_puts(t, ROLE_QUIET, "`");
        text_add(t, span_style(s, piece->strong), buf_text(&b), b.len);
        if (quoted)
            text_puts(t, ROLE_QUIET, "`");
        buf_free(&b);
    }
}

/* Where the tokens to pick from stand in the text: glyphs. */
struct tokens {
    size_t from[LESSON_TOKENS], to[LESSON_TOKENS];
    uint32_t n;
};

static void add_tokens(const struct picture *pic, const struct player *p, struct text *t, struct tokens *at)
{
    for (uint32_t n = player_tokens(p), i = 0; i < n; i++) {
        struct buf b = {0};
        bool chosen = pic->v->focus == FOCUS_TOKENS && pic->v->token == i;
        player_token(p, i, &b);
        text_puts(t, ROLE_TEXT, i > 0 ? "  " : "");
        if (i < LESSON_TOKENS)
            at->from[at->n] = t->n;
        text_add(t, chosen ? ROLE_SELECTED | STYLE_UNDER : ROLE_TEXT, buf_text(&b), b.len);
        if (i < LESSON_TOKENS)
            at->to[at->n++] = t->n;
        buf_free(&b);
    }
}

/* All that is to be read now; *fresh: the glyph at which the newest begins. */
static void add_pieces(const struct picture *pic, const struct player *p, struct text *t, size_t *fresh, struct tokens *tokens)
{
    struct piece *piece = xcalloc(PLAYER_PIECES, sizeof *piece);
    int newest = 0, n = piece != NULL ? player_pieces(p, piece, &newest) : 0;
    *fresh = 0;
    for (int i = 0; i < n; i++) {
        bool together = i > 0 && piece[i].prose == NULL && !piece[i].strong && piece[i - 1].prose == NULL && !piece[i - 1].strong;
        if (i > 0)
            text_puts(t, ROLE_TEXT, together ? "\n" : "\n\n");
        if (i == newest)
            *fresh = t->n;
        if (piece[i].prose != NULL)
            add_prose(&piece[i], t);
        else if (piece[i].tokens)
            add_tokens(pic, p, t, tokens);
        else
            text_puts(t, piece[i].strong ? ROLE_HEAD | STYLE_BOLD : ROLE_TEXT, piece[i].words);
    }
    xfree(piece);
}

static bool wants_answer(const struct picture *p, const struct lesson_view *l)
{
    return l->player->phase == PHASE_ASK && !l->aside && p->v->typing == TYPE_NOTHING;
}

static void draw_answer(const struct picture *p, const struct lesson_view *l, struct surface *s, struct rect r)
{
    const struct question *q = player_question(l->player);
    const char *chosen = p->v->typed;
    char node[24] = "";
    if (*chosen == '\0' && p->v->focus == FOCUS_TREE && q->kind == ASK_NODE)
        snprintf(node, sizeof node, "(%c)", node_letter(p->m->sc.w, p->v->node));
    if (*chosen == '\0' && p->v->focus == FOCUS_SLOTS && q->kind == ASK_SLOT)
        snprintf(node, sizeof node, "slot %u", p->v->slot);
    uint32_t token = p->v->token;
    bool picked = p->v->focus == FOCUS_TOKENS || (p->v->focus == FOCUS_SLOTS && player_token_in(l->player, p->v->slot, &token));
    if (*chosen == '\0' && q->kind == ASK_TOKEN && picked)
        snprintf(node, sizeof node, "token %u", token);
    int x = surface_puts(s, r, r.x, r.y, ROLE_KEY, "answer:") + 1;
    x = surface_puts(s, r, x, r.y, ROLE_TEXT | STYLE_BOLD, *node != '\0' ? node : chosen);
    surface_puts(s, r, x, r.y, ROLE_QUIET, "_");
    bool picks = q->kind == ASK_NODE || q->kind == ASK_SLOT || q->kind == ASK_TOKEN;
    if (picks && *chosen == '\0' && *node == '\0')
        surface_printf(s, r, x + 2, r.y, ROLE_QUIET, "%s and arrows choose it", keymap_written(p->v->keys, CMD_FOCUS));
    if (p->v->focus == FOCUS_NONE) {
        s->cursor_x = x < r.x + r.w ? x : r.x + r.w - 1;
        s->cursor_y = r.y;
    }
}

/* The line from which the text is shown: its end is in sight, but what is newest begins in sight, too. */
static size_t first_line(const struct lesson_view *l, const struct text *t, size_t fresh, int rows)
{
    size_t most = t->lines > (size_t)rows ? t->lines - (size_t)rows : 0;
    if (l->scroll >= 0)
        return (size_t)l->scroll < most ? (size_t)l->scroll : most;
    size_t newest = text_line_of(t, fresh);
    return newest < most ? newest : most;
}

/* The chosen token is in sight, whatever else is; without one, as the text wants. */
static size_t first_with(const struct picture *p, const struct text *t, const struct tokens *at, size_t first, int rows)
{
    if (p->v->focus != FOCUS_TOKENS || p->v->token >= at->n || rows < 1)
        return first;
    size_t line = text_line_of(t, at->from[p->v->token]);
    return line < first ? line : line >= first + (size_t)rows ? line - (size_t)rows + 1 : first;
}

/* Remember where tokens were drawn, for the mouse, and put the cursor on the chosen one. */
static void place_tokens(const struct picture *p, struct lesson_view *l, const struct text *t, const struct tokens *at,
                         struct rect r, struct surface *s)
{
    for (uint32_t i = 0; i < LESSON_TOKENS; i++) {
        l->token[i].y = -1;
        int line = i < at->n ? (int)text_line_of(t, at->from[i]) - l->first : -1;
        if (line < 0 || line >= r.h)
            continue;
        l->token[i].x = r.x + text_column_of(t, at->from[i]);
        l->token[i].y = r.y + line;
        l->token[i].w = 0;
        for (size_t k = at->from[i]; k < at->to[i] && text_line_of(t, k) == text_line_of(t, at->from[i]); k++)
            l->token[i].w += t->glyph[k].width;
        if (p->v->focus == FOCUS_TOKENS && p->v->token == i) {
            s->cursor_x = l->token[i].x;
            s->cursor_y = l->token[i].y;
        }
    }
}

/* Below the text, on the rule or the empty line that is there. */
static void draw_more(const struct lesson_view *l, struct surface *s, struct rect r)
{
    int y = r.y + r.h < s->h - 1 ? r.y + r.h : s->h - 2;
    const char *sign = l->hidden > 0 && l->first > 0 ? " PgUp PgDn: more " : l->hidden > 0 ? " PgDn: more " : l->first > 0 ? " PgUp " : "";
    surface_right(s, surface_all(s), r.x + r.w, y, ROLE_KEY, sign);
}

static void draw_text(const struct picture *p, struct lesson_view *l, struct surface *s, struct rect r)
{
    struct text t = {0};
    size_t fresh;
    struct tokens tokens = {.n = 0};
    bool asks = wants_answer(p, l);
    int votes = view_room_rows(l->room, l->player, r.h);
    int rows = r.h - asks - votes;
    add_pieces(p, l->player, &t, &fresh, &tokens);
    text_wrap(&t, r.w);
    size_t first = first_with(p, &t, &tokens, first_line(l, &t, fresh, rows), rows);
    text_draw(&t, s, (struct rect){r.x, r.y, r.w, rows}, first);
    l->first = (int)first;
    l->rows = rows;
    l->hidden = (int)t.lines > (int)first + rows ? (int)t.lines - (int)first - rows : 0;
    draw_more(l, s, r);
    place_tokens(p, l, &t, &tokens, (struct rect){r.x, r.y, r.w, rows}, s);
    view_room_draw(l->room, l->player, s, (struct rect){r.x, r.y + rows, r.w, votes});
    if (asks)
        draw_answer(p, l, s, (struct rect){r.x, r.y + r.h - 1, r.w, 1});
    text_done(&t);
}

/* ---- around it ---------------------------------------------------------------------------------------- */

/* A title that does not fit ends behind a word, with a mark. */
static void put_title(struct surface *s, struct rect r, const char *title)
{
    char text[200];
    size_t n = strlen(title);
    snprintf(text, sizeof text, "%.190s", title);
    while (surface_puts(s, (struct rect){0, 0, 0, 0}, 0, 0, ROLE_TEXT, text) > r.w && n > 0) {
        for (n = n < 190 ? n - 1 : 189; n > 0 && title[n] != ' '; n--)
            ; /* the blank before the last word */
        snprintf(text, sizeof text, "%.*s%s", (int)n, title, s->ascii ? "..." : "\u2026");
    }
    surface_puts(s, r, r.x, r.y, ROLE_HEAD | STYLE_BOLD, text);
}

static void draw_title(const struct lesson_view *l, struct surface *s, int w)
{
    const struct player *p = l->player;
    const struct lesson_head *h = &p->run->lesson->head;
    struct rect r = {0, 0, w, 1};
    surface_fill(s, r, ROLE_TEXT);
    char part[48];
    snprintf(part, sizeof part, "part %zu of %zu", p->at + 1, p->parts);
    int room = w - (int)strlen(part) - 3;
    put_title(s, (struct rect){1, 0, room, 1}, h->title);
    surface_right(s, r, w - 1, 0, ROLE_LABEL, part);
}

struct footer_key {
    const char *key, *what;
};

static const char *enter_means(const struct lesson_view *l, const struct picture *p)
{
    const struct player *y = l->player;
    bool walking = p->m->at < y->limit && p->m->branch == y->branch;
    bool typed = p->v->typed[0] != '\0' || p->v->focus != FOCUS_NONE;
    if (l->aside && (l->room == NULL || !l->room->follows))
        return "back to the lesson";
    if (l->hidden > 0 && !typed && y->phase != PHASE_ACT)
        return "read on";
    if (l->room != NULL && view_room_enter(l->room, y, typed) != NULL)
        return view_room_enter(l->room, y, typed);
    switch (y->phase) {
    case PHASE_TEXT: return player_part(y)->kind == STOP_ACT ? "watch" : player_part(y)->kind == STOP_END ? "leave" : "go on";
    case PHASE_ACT: return walking ? "to its end" : "go on";
    case PHASE_ASK: return player_may_go_on(y) && !typed ? "go on" : "answer";
    case PHASE_WRONG: return "try again";
    case PHASE_DO: return walking ? "to the last step" : player_may_go_on(y) ? "go on" : "";
    case PHASE_SOLVED: return walking ? "to the last step" : "go on";
    default: return "go on";
    }
}

/* Forward while there is more to see, then back. */
static const char *step_key(const struct picture *p, const struct lesson_view *l, const char **what)
{
    const struct player *y = l->player;
    bool steps = y->phase == PHASE_ACT || y->phase == PHASE_DO || y->phase == PHASE_SOLVED || l->aside;
    bool ahead = p->m->at < p->m->length;
    *what = ahead ? "step" : "back";
    return !steps || (!ahead && p->m->at <= 1) ? "" : keymap_written(p->v->keys, ahead ? CMD_STEP : CMD_BACK);
}

static void draw_footer(const struct picture *p, const struct lesson_view *l, struct surface *s)
{
    const struct player *y = l->player;
    bool leads = l->room == NULL || !l->room->follows;
    bool mine = !l->aside && leads, asked = (y->phase == PHASE_ASK || y->phase == PHASE_DO) && mine;
    bool doing = y->phase == PHASE_DO && mine, watches = y->phase == PHASE_ACT || l->aside;
    const char *enter = enter_means(l, p), *step, *walk = step_key(p, l, &step);
    const struct keymap *k = p->v->keys;
    const struct footer_key KEYS[] = {
        {doing ? keymap_written(k, CMD_COMMAND) : "", "command"},
        {*enter != '\0' ? "Enter" : "", enter},
        {asked ? keymap_written(k, CMD_HINT) : "", "hint"},
        {asked ? keymap_written(k, CMD_SKIP) : "", "skip"},
        {doing || (y->phase == PHASE_SOLVED && mine) ? keymap_written(k, CMD_RESTART) : "", "begin anew"},
        {walk, step},
        {watches && p->m->at < p->m->length ? keymap_written(k, CMD_NEXT_OP) : "", "next op"},
        {watches && p->m->at > 0 && view_has_reasons(&p->m->step) ? keymap_written(k, CMD_WHY) : "", "why"},
        {leads ? keymap_written(k, CMD_PART) : "", "part before"},
        {doing || !leads ? "" : keymap_written(k, CMD_COMMAND), "try"},
        {keymap_written(k, CMD_HELP), "keys"},
        {keymap_written(k, CMD_QUIT), "quit"},
    };
    struct rect r = {0, s->h - 1, s->w, 1};
    surface_fill(s, r, ROLE_TEXT);
    int x = 1;
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        bool must = i + 2 >= ARRAY_LEN(KEYS);
        int cells = (int)(strlen(KEYS[i].key) + strlen(KEYS[i].what)) + 1;
        if (KEYS[i].key[0] == '\0' || (!must && x + cells + 2 > s->w - 15))
            continue;
        x = surface_puts(s, r, x, r.y, ROLE_KEY, KEYS[i].key);
        x = surface_puts(s, r, x + 1, r.y, ROLE_TEXT, KEYS[i].what) + 2;
    }
}

static void copy_cells(const struct surface *from, struct surface *to, int dx)
{
    for (int y = 0; y < from->h && y < to->h; y++)
        for (int x = 0; x < from->w && x + dx < to->w; x++)
            to->cell[y * to->w + x + dx] = from->cell[y * from->w + x];
    to->cursor_x = from->cursor_x + dx;
    to->cursor_y = from->cursor_y;
}

/* The stepper's own panes beside the text. */
static void draw_wide(const struct picture *p, struct lesson_view *l, struct surface *s, int columns)
{
    if (surface_resize(&l->inner, s->w - columns, s->h, NULL) != 0)
        return; /* no memory: the last picture stays */
    l->inner.ascii = s->ascii;
    screen_draw(p, &l->inner);
    surface_clear(s);
    copy_cells(&l->inner, s, columns);
    surface_hline(s, surface_all(s), 0, 1, columns, ROLE_FRAME);
    surface_title(s, 0, 1, columns, ROLE_TITLE, "lesson");
    draw_title(l, s, columns);
    draw_text(p, l, s, (struct rect){1, 2, columns - 3, s->h - 4});
}

/* A tree that the coming action will not begin from must not look like the one that it does, and none smaller than it is:
 * "; +2 more" do not fit. */
static void tree_title(const struct picture *p, struct rect tree, char *out, size_t n)
{
    uint32_t unseen = view_tree_unseen(p, tree);
    if (p->before)
        snprintf(out, n, "From the part before; the next action begins anew");
    else
        view_tree_title(p, out, n);
    if (unseen > 0)
        snprintf(out + strlen(out), n - strlen(out), "; +%u more", unseen);
}

/* Rows of the narrow screen's panes, inside. */
struct narrow {
    int text, story, tree, slots;
};

/* Lines of what is to be read, with the answer's and the room's. */
static int text_lines(const struct picture *p, const struct lesson_view *l, int w, int h)
{
    struct text t = {0};
    size_t fresh;
    struct tokens tokens = {.n = 0};
    add_pieces(p, l->player, &t, &fresh, &tokens);
    text_wrap(&t, w);
    int lines = (int)t.lines;
    text_done(&t);
    return lines + wants_answer(p, l) + view_room_rows(l->room, l->player, h);
}

static int between(int low, int x, int high)
{
    return x < low ? low : x > high ? high : x;
}

/* The tree has a few rows, fewer where the text needs them and the tree does not, more where the text leaves some; then
 * the slots. */
static struct narrow share_rows(const struct picture *p, const struct lesson_view *l, int w, int h)
{
    const struct head *head = &p->m->sc.w->head;
    struct narrow n = {.story = player_decided(l->player) && h >= 16 ? 3 : 0, .slots = h >= 20 ? 2 : 1};
    int room = h - 4 - (n.story > 0 ? n.story + 1 : 0) - n.slots; /* title, two edges, keys */
    int whole = view_tree_rows(p, w, room), usual = h >= 24 ? 6 : LOW_TREE;
    int lines = text_lines(p, l, w, room - usual) + 1, spare = room - (lines > LEAST_TEXT ? lines : LEAST_TEXT);
    n.tree = between(whole < usual ? whole : usual, spare, whole > usual ? whole : usual);
    uint32_t row = (uint32_t)layout_slots_per_row(w, p->m->slots - head->page_size, head->page_size);
    uint32_t rows = (p->m->slots - head->page_size + row - 1) / row;
    int more = between(0, spare - n.tree, rows > (uint32_t)n.slots ? (int)rows - n.slots : 0);
    n.slots += more;
    n.text = room - n.tree - more;
    return n;
}

static void draw_edge(struct surface *s, int y, const char *title)
{
    surface_hline(s, surface_all(s), 0, y, s->w, ROLE_FRAME);
    surface_title(s, 0, y, s->w, ROLE_TITLE, title);
}

/* Text above, what it speaks of below. */
static void draw_narrow(const struct picture *p, struct lesson_view *l, struct surface *s)
{
    struct narrow n = share_rows(p, l, s->w - 2, s->h);
    char title[160];
    surface_clear(s);
    draw_title(l, s, s->w);
    if (n.text < LEAST_TEXT) { /* very small: the text alone */
        draw_text(p, l, s, (struct rect){0, 1, s->w, s->h - 2});
        return;
    }
    int y = 1 + n.text;
    if (n.story > 0) {
        view_story_title(p, s, title, sizeof title);
        draw_edge(s, y, title);
        view_story_draw(p, s, (struct rect){1, y + 1, s->w - 2, n.story});
        y += n.story + 1;
    }
    struct rect tree = {1, y + 1, s->w - 2, n.tree}, grid = {1, y + n.tree + 2, s->w - 2, n.slots};
    tree_title(p, tree, title, sizeof title);
    draw_edge(s, y, title);
    view_tree_draw(p, s, tree);
    view_slots_title(p, grid, title, sizeof title);
    draw_edge(s, grid.y - 1, title);
    view_slots_draw(p, s, grid);
    draw_text(p, l, s, (struct rect){1, 1, s->w - 2, n.text});
}

/* A message that the last line is too short for lies over the panes until the next key: nothing moves. */
static void draw_message(const struct picture *p, struct surface *s)
{
    struct text t = {0};
    text_puts(&t, ROLE_ALERT, p->v->message);
    text_wrap(&t, s->w - 2);
    int rows = between(1, (int)t.lines, s->h - 4), y = s->h - 1 - rows;
    surface_fill(s, (struct rect){0, y - 1, s->w, rows + 1}, ROLE_TEXT);
    draw_edge(s, y - 1, "message (any key takes it away)");
    text_draw(&t, s, (struct rect){1, y, s->w - 2, rows}, 0);
    text_done(&t);
}

/* The stepper as it always is: an action is watched, or what was tried. */
static bool shows_stepper(const struct picture *p, const struct lesson_view *l)
{
    enum player_phase phase = l->player->phase;
    return phase == PHASE_ACT || l->aside || ((phase == PHASE_DO || phase == PHASE_SOLVED) && p->m->at < l->player->limit);
}

void view_lesson_draw(const struct picture *p, struct lesson_view *l, struct surface *s)
{
    int columns = view_lesson_columns(s->w);
    l->hidden = 0;
    if (columns > 0) {
        draw_wide(p, l, s, columns);
    } else if (shows_stepper(p, l)) {
        screen_draw(p, s);
    } else {
        draw_narrow(p, l, s);
        view_keys_draw(p, s, (struct rect){1, s->h - 1, s->w - 2, 1}); /* a text field, a message */
        if (p->v->typing == TYPE_NOTHING && view_message_long(p, s))
            draw_message(p, s);
    }
    bool said = p->v->message[0] != '\0' && !view_message_long(p, columns > 0 ? &l->inner : s); /* it stands where the keys do */
    if (p->v->typing == TYPE_NOTHING && !said)
        draw_footer(p, l, s);
}
