#include "cli/sweep_plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "cli/show_trace.h"
#include "ui/app.h"
#include "ui/term.h"

/* ---- the table ------------------------------------------------------------------------------------------- */

static uint32_t policies_of(const struct sweep *s)
{
    uint32_t n = 1;
    while (n < s->points && s->point[n].capacity == s->point[0].capacity && s->point[n].policy != s->point[0].policy)
        n++;
    return n;
}

void sweep_table(const struct sweep *s, const char *path, struct buf *out)
{
    const struct replay_figures *f = &s->point[0].f;
    uint32_t policies = policies_of(s);
    ASSERT(policies > 0);
    buf_printf(out, "# %s: %llu requests, %llu blocks of %u tokens (%s)\n", path, (unsigned long long)f->requests,
               (unsigned long long)f->blocks, s->block, mooncake_kind_name(s->kind));
    buf_puts(out, "# blocks that hit, in %; when slots are missing, the shortfall is evicted\n");
    for (uint32_t k = 0; k < policies; k++)
        if (s->point[k].policy >= POLICY_COUNT)
            buf_printf(out, "# %s\n", sweep_policy_about(s->point[k].policy));
    buf_printf(out, "%12s", "capacity");
    for (uint32_t k = 0; k < policies; k++)
        buf_printf(out, " %9s", sweep_policy_name(s->point[k].policy));
    buf_putc(out, '\n');
    for (uint32_t i = 0; i < s->points; i++) {
        struct buf capacity = {0};
        sweep_capacity(s->point[i].capacity, &capacity);
        if (i % policies == 0)
            buf_printf(out, "%12s", buf_text(&capacity));
        buf_printf(out, " %9.4f%s", 100 * replay_hit_rate(&s->point[i].f), (i + 1) % policies == 0 ? "\n" : "");
        buf_free(&capacity);
    }
}

/* ---- choosing -------------------------------------------------------------------------------------------- */

static uint32_t capacity_at(const struct sweep_plot *p, uint32_t column)
{
    return p->s->point[p->order[column] * p->policies].capacity;
}

void sweep_plot_init(struct sweep_plot *p, const struct sweep *s, const char *title)
{
    *p = (struct sweep_plot){.s = s, .title = title, .policies = policies_of(s)};
    p->capacities = s->points / p->policies;
    for (uint32_t i = 0; i < p->capacities; i++) { /* a handful: straight insertion; 0, unlimited, counts as the most */
        uint32_t k = i, mine = s->point[i * p->policies].capacity - 1;
        for (; k > 0 && s->point[p->order[k - 1] * p->policies].capacity - 1 > mine; k--)
            p->order[k] = p->order[k - 1];
        p->order[k] = i;
    }
}

static const struct sweep_point *point_of(const struct sweep_plot *p, uint32_t column, uint32_t row)
{
    return &p->s->point[p->order[column] * p->policies + row];
}

const struct sweep_point *sweep_plot_at(const struct sweep_plot *p)
{
    return point_of(p, p->column, p->row);
}

/* The next policy upwards or downwards on the plot at this capacity: by hit rate, equal ones by their row. */
static void choose_policy(struct sweep_plot *p, bool up)
{
    uint64_t here = sweep_plot_at(p)->f.hit_blocks;
    uint32_t best = p->row;
    for (uint32_t k = 0; k < p->policies; k++) {
        uint64_t there = point_of(p, p->column, k)->f.hit_blocks, chosen = point_of(p, p->column, best)->f.hit_blocks;
        bool beyond = up ? there > here || (there == here && k < p->row) : there < here || (there == here && k > p->row);
        bool nearer = up ? there < chosen || (there == chosen && k > best) : there > chosen || (there == chosen && k < best);
        if (beyond && (best == p->row || nearer))
            best = k;
    }
    p->row = best;
}

bool sweep_plot_key(struct sweep_plot *p, int key)
{
    p->message[0] = '\0';
    switch (key) {
    case K_LEFT: p->column -= p->column > 0; return true;
    case K_RIGHT: p->column += p->column + 1 < p->capacities; return true;
    case K_HOME: p->column = 0; return true;
    case K_END: p->column = p->capacities - 1; return true;
    case K_UP: choose_policy(p, true); return true;
    case K_DOWN: choose_policy(p, false); return true;
    default: return false;
    }
}

/* ---- drawing --------------------------------------------------------------------------------------------- */

enum { AXIS = 7, FOOT = 5 };  /* columns left of the plot, lines below it */

static char letter(uint32_t policy)
{
    static const char LETTERS[SWEEP_POLICIES + 1] = "LFIMOPSBU=";
    return policy < SWEEP_POLICIES ? LETTERS[policy] : '?';
}

static unsigned colour(uint32_t policy)
{
    return ROLE_OWNER + policy % OWNER_COLOURS;
}

static double highest(const struct sweep_plot *p)
{
    double most = 0;
    for (uint32_t i = 0; i < p->s->points; i++)
        most = fmax(most, replay_hit_rate(&p->s->point[i].f));
    return most > 0 ? most : 1;
}

/* Columns: the logarithm of the capacity; unlimited stands at the end, a little beyond the largest number. */
static int column_x(const struct sweep_plot *p, uint32_t column, struct rect r)
{
    uint32_t last = p->capacities - 1, c = capacity_at(p, column);
    bool open = capacity_at(p, last) == REPLAY_UNLIMITED;
    if (p->capacities == 1)
        return r.x + r.w / 2;
    if (c == REPLAY_UNLIMITED)
        return r.x + r.w - 1;
    double low = log(capacity_at(p, 0)), high = log(capacity_at(p, open ? last - 1 : last));
    int room = r.w - 1 - (open ? r.w / 6 : 0);
    return r.x + (high > low ? (int)lround((log(c) - low) / (high - low) * room) : 0);
}

static int rate_y(const struct sweep_plot *p, double rate, struct rect r)
{
    return r.y + r.h - 1 - (int)lround(rate / highest(p) * (r.h - 1));
}

static void draw_axes(const struct sweep_plot *p, struct rect r, struct surface *s)
{
    struct rect all = surface_all(s);
    surface_vline(s, all, r.x - 1, r.y, r.h + 1, ROLE_FRAME);
    surface_hline(s, all, r.x - 1, r.y + r.h, r.w + 1, ROLE_FRAME);
    for (int i = 0; i <= 4; i++) {
        char text[16];
        snprintf(text, sizeof text, "%.1f%%", highest(p) * 25 * i);
        surface_right(s, all, r.x - 1, r.y + r.h - 1 - (r.h - 1) * i / 4, ROLE_LABEL, text);
    }
    int free_from = 0;
    for (uint32_t i = 0; i < p->capacities; i++) {
        struct buf b = {0};
        sweep_capacity(capacity_at(p, i), &b);
        int w = (int)b.len, x = column_x(p, i, r) - w / 2;
        x = x + w > s->w ? s->w - w : x;
        if (x >= free_from || i == p->column) {
            surface_puts(s, all, x, r.y + r.h + 1, i == p->column ? ROLE_SELECTED : ROLE_LABEL, buf_text(&b));
            free_from = x + w + 1;
        }
        buf_free(&b);
    }
}

static void draw_point(const struct sweep_plot *p, uint32_t column, uint32_t row, struct rect r, struct surface *s)
{
    const struct sweep_point *q = point_of(p, column, row);
    int x = column_x(p, column, r), y = rate_y(p, replay_hit_rate(&q->f), r);
    const struct cell *there = surface_cell(s, x, y);
    bool chosen = column == p->column && row == p->row;
    char mark[2] = {letter(q->policy), '\0'};
    if (!chosen && there->code != ' ' && there->code != (uint32_t)mark[0])
        mark[0] = '*';
    surface_puts(s, surface_all(s), x, y, chosen ? ROLE_SELECTED | STYLE_BOLD : mark[0] == '*' ? ROLE_TEXT : colour(q->policy),
                 mark);
    if (chosen) {
        s->cursor_x = x;
        s->cursor_y = y;
    }
}

static void draw_legend(const struct sweep_plot *p, struct surface *s)
{
    int x = 1, y = 1;
    for (uint32_t k = 0; k < p->policies; k++) {
        uint32_t policy = point_of(p, 0, k)->policy;
        unsigned style = k == p->row ? ROLE_SELECTED : colour(policy);
        if (y == 1 && x + 2 + (int)strlen(sweep_policy_name(policy)) > s->w) {
            y = 2;
            x = 1;
        }
        x = surface_printf(s, surface_all(s), x, y, style, "%c %s", letter(policy), sweep_policy_name(policy)) + 2;
    }
    y = x + 9 > s->w ? 2 : y;
    surface_puts(s, surface_all(s), x + 9 > s->w ? 1 : x, y, ROLE_QUIET, "* several");
}

/* The line below the hit rate: what was evicted, or why nothing was. */
static void draw_what(const struct sweep_point *q, struct surface *s)
{
    struct rect all = surface_all(s);
    if (!sweep_has_cache(q))
        surface_puts(s, all, 1, s->h - 2, ROLE_TEXT, sweep_policy_about(q->policy));
    else
        surface_printf(s, all, 1, s->h - 2, ROLE_TEXT, "evicted: %llu nodes, %llu blocks; requests too big: %llu",
                       (unsigned long long)q->f.evicted_nodes, (unsigned long long)q->f.evicted_blocks,
                       (unsigned long long)q->f.too_big);
}

static void draw_words(const struct sweep_plot *p, struct surface *s)
{
    struct rect all = surface_all(s);
    const struct sweep_point *q = sweep_plot_at(p);
    struct buf c = {0};
    sweep_capacity(q->capacity, &c);
    int x = surface_printf(s, all, 1, s->h - 3, ROLE_TEXT | STYLE_BOLD, "%s at %s blocks: %.4f %% hit", sweep_policy_name(q->policy),
                           buf_text(&c), 100 * replay_hit_rate(&q->f));
    surface_printf(s, all, x, s->h - 3, ROLE_TEXT, " (%llu of %llu blocks)", (unsigned long long)q->f.hit_blocks,
                   (unsigned long long)q->f.blocks);
    if (p->message[0] != '\0')
        surface_puts(s, all, 1, s->h - 2, ROLE_ALERT, p->message);
    else
        draw_what(q, s);
    surface_puts(s, all, 1, s->h - 1, ROLE_KEY, "arrows choose   Enter: step through it   q quit");
    buf_free(&c);
}

void sweep_plot_draw(const struct sweep_plot *p, struct surface *s)
{
    struct rect all = surface_all(s), r = {AXIS, 3, s->w - AXIS - 1, s->h - 3 - FOOT - 1};
    surface_clear(s);
    surface_fill(s, (struct rect){0, 0, s->w, 1}, ROLE_HEAD);
    surface_printf(s, all, 1, 0, ROLE_HEAD, "%s: hit rate of %llu blocks of %u tokens by capacity", p->title,
                   (unsigned long long)p->s->point[0].f.blocks, p->s->block);
    if (r.w < 10 || r.h < 3) {
        draw_words(p, s);
        return;
    }
    draw_legend(p, s);
    draw_axes(p, r, s);
    for (uint32_t i = 0; i < p->s->points; i++)
        draw_point(p, i / p->policies, i % p->policies, r, s);
    draw_point(p, p->column, p->row, r, s); /* on top of the others */
    draw_words(p, s);
}

/* ---- the loop -------------------------------------------------------------------------------------------- */

bool sweep_plot_possible(void)
{
    return ui_available(NULL) == 0;
}

enum leave { LEAVE_NOT, LEAVE_QUIT, LEAVE_INTERRUPT, LEAVE_OPEN };

static enum leave serve_keys(struct sweep_plot *p, struct term *t)
{
    int key;
    while ((key = term_key(t)) != K_NONE) {
        if (key == 'q' || key == K_ESC)
            return LEAVE_QUIT;
        if (key == K_INTERRUPT)
            return LEAVE_INTERRUPT;
        if (key == K_ENTER || key == '\n')
            return LEAVE_OPEN;
        sweep_plot_key(p, key);
    }
    return LEAVE_NOT;
}

/* Until the person leaves, in some way; -1 and *e. */
static int plot_run(struct sweep_plot *p, const struct cli *c, enum leave *how, struct err *e)
{
    const char *no_colour = getenv("NO_COLOR"), *name = c->option[OPT_THEME];
    const struct theme *theme = theme_find(name == NULL && no_colour != NULL && no_colour[0] != '\0' ? "mono" : name);
    struct term *t = term_open(e);
    struct surface s;
    int w, h, rc = t != NULL && surface_init(&s, 80, 24, cli_has(c, OPT_ASCII) || !term_utf8(t), e) == 0 ? 0 : -1;
    bool made = rc == 0;
    for (*how = LEAVE_NOT; rc == 0 && *how == LEAVE_NOT;) {
        term_size(t, &w, &h);
        if ((w != s.w || h != s.h) && (rc = surface_resize(&s, w, h, e)) != 0)
            break;
        sweep_plot_draw(p, &s);
        term_draw(t, &s, theme);
        if ((term_wait(t, -1, -1) & TERM_LOST) != 0)
            rc = err_set(e, "the terminal has gone away");
        *how = serve_keys(p, t);
    }
    term_close(t);
    if (made)
        surface_done(&s);
    return rc;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

int sweep_plot_show(struct cli *c, const struct sweep *s, const char *path, struct err *e)
{
    struct sweep_plot *p = xmalloc(sizeof *p);
    enum leave how = LEAVE_OPEN;
    int rc = p == NULL ? err_memory(e, sizeof *p, "a plot") : show_check_theme(c, e);
    if (rc == 0)
        sweep_plot_init(p, s, base_name(path));
    while (rc == 0 && how == LEAVE_OPEN) {
        rc = plot_run(p, c, &how, e);
        if (rc != 0 || how != LEAVE_OPEN)
            break;
        struct trace_options o = {.capacity = sweep_plot_at(p)->capacity, .policy = sweep_plot_at(p)->policy, .block = s->block};
        struct err why = {0};
        if (!sweep_has_cache(sweep_plot_at(p)))
            snprintf(p->message, sizeof p->message, "no cache stands behind %s: choose another curve to step through",
                     sweep_policy_name(o.policy));
        else if (show_trace(c, path, &o, &why) < 0)
            snprintf(p->message, sizeof p->message, "%.150s", why.what);
    }
    xfree(p);
    return rc != 0 ? -1 : how == LEAVE_INTERRUPT ? 130 : 0;
}
