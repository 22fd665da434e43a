#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "ui/command.h"
#include "ui/text.h"
#include "ui/view.h"

/* The keys: six of them in the footer, all of them behind `?`. Both come from the table of commands. */

bool view_has_reasons(const struct step *s)
{
    return s->kind == EV_VICTIM || s->kind == EV_EVICT || s->kind == EV_SPLIT || s->kind == EV_REFUSE ||
           s->kind == EV_MISS || s->kind == EV_MATCHED || s->kind == EV_ADMIT || s->kind == EV_ALLOC_FAIL ||
           s->kind == EV_SAMPLE;
}

static void footer_keys(const struct picture *p, enum command out[6])
{
    static const enum command FIRST[6] = {CMD_STEP, CMD_NEXT_OP, CMD_NEXT_REQUEST,
                                          CMD_PLAY, CMD_HELP,    CMD_QUIT};
    static const enum command MIDDLE[6] = {CMD_STEP, CMD_BACK, CMD_NEXT_OP, CMD_PLAY, CMD_HELP, CMD_QUIT};
    static const enum command END[6] = {CMD_BACK,  CMD_PREV_OP, CMD_PREV_REQUEST,
                                        CMD_FIRST, CMD_HELP,    CMD_QUIT};
    static const enum command PLAYING[6] = {CMD_PLAY, CMD_FASTER, CMD_SLOWER, CMD_STEP, CMD_HELP, CMD_QUIT};
    static const enum command CHOOSING[6] = {CMD_NEXT_OP, CMD_TOUCH_PREV, CMD_TOUCH_NEXT,
                                             CMD_CLOSE,   CMD_HELP,       CMD_QUIT};
    static const enum command CAUSES[6] = {CMD_NEXT_OP, CMD_PREV_OP, CMD_CHOOSE,
                                           CMD_CLOSE,   CMD_HELP,    CMD_QUIT};
    static const enum command LIST[6] = {CMD_NEXT_OP, CMD_PREV_OP, CMD_FIRST, CMD_CLOSE, CMD_HELP, CMD_QUIT};
    static const enum command KEYS[6] = {CMD_NEXT_OP, CMD_CHOOSE, CMD_FIND, CMD_CLOSE, CMD_HELP, CMD_QUIT};
    static const enum command TIMED[6] = {CMD_STEP, CMD_BACK, CMD_NEXT_OP, CMD_CLOSE, CMD_HELP, CMD_QUIT};
    static const enum command REASONS[6] = {CMD_STEP, CMD_BACK, CMD_NEXT_OP, CMD_WHY, CMD_HELP, CMD_QUIT};
    static const enum command BESIDE[6] = {CMD_STEP, CMD_NEXT_OP, CMD_DIFFERENCE, CMD_CLOSE, CMD_HELP, CMD_QUIT};
    static const enum command LAYERS[6] = {CMD_NEXT_OP, CMD_CHOOSE, CMD_STEP, CMD_CLOSE, CMD_HELP, CMD_QUIT};
    static const enum command MAP[6] = {CMD_NEXT_OP, CMD_TOKEN_NEXT, CMD_HEAD_NEXT, CMD_LAYER_NEXT, CMD_CLOSE, CMD_HELP};
    static const enum command PROVE[6] = {CMD_PROOF, CMD_NEXT_OP, CMD_CHOOSE, CMD_CLOSE, CMD_HELP, CMD_QUIT};
    const enum command *six = MIDDLE;
    if (p->v->show == SHOW_CODE || p->v->show == SHOW_NUMBERS || p->v->show == SHOW_QUEUE)
        six = TIMED;
    else if (p->v->show == SHOW_COMPARE)
        six = BESIDE;
    else if (p->v->show == SHOW_FORWARD)
        six = LAYERS;
    else if (p->v->show == SHOW_ATTENTION || p->v->show == SHOW_LENS)
        six = MAP;
    else if (p->v->show == SHOW_PROOF)
        six = PROVE;
    else if (p->v->show == SHOW_HELP)
        six = KEYS;
    else if (p->v->show != SHOW_STEPPER)
        six = p->v->show == SHOW_WHY || p->v->show == SHOW_REQUESTS ? CAUSES : LIST;
    else if (p->v->playing)
        six = PLAYING;
    else if (p->v->focus != FOCUS_NONE)
        six = CHOOSING;
    else if (p->m->at <= 1)
        six = FIRST;
    else if (p->m->at == p->m->length && !p->progress->working)
        six = END;
    else if (view_has_reasons(&p->m->step))
        six = REASONS;
    memcpy(out, six, 6 * sizeof *six);
    for (int i = 0; i < 6 && p->progress->failed; i++)
        if (six == END && out[i] == CMD_PREV_REQUEST)
            out[i] = CMD_ERROR;
    bool none = p->marks->requests == 0 && !p->progress->working; /* typed keys alone: what else can be done */
    for (int i = 0; i < 6 && none; i++)
        if (out[i] == CMD_NEXT_REQUEST || out[i] == CMD_PREV_REQUEST)
            out[i] = CMD_COMMAND;
}

/* In a list the arrows choose lines. */
static const char *brief_of(const struct picture *p, enum command c)
{
    bool timed = p->v->show == SHOW_STEPPER || p->v->show == SHOW_INVARIANTS ||
                 p->v->show == SHOW_CODE || p->v->show == SHOW_NUMBERS || p->v->show == SHOW_COMPARE;
    bool list = !timed || p->v->focus != FOCUS_NONE;
    bool slots = p->v->focus == FOCUS_SLOTS, tokens = p->v->focus == FOCUS_TOKENS, stepper = p->v->show == SHOW_STEPPER;
    if (p->v->show == SHOW_HELP && c == CMD_CHOOSE)
        return "do it";
    if (p->v->show == SHOW_HELP && c == CMD_FIND)
        return "search";
    if (list && c == CMD_NEXT_OP)
        return !stepper ? "next line" : tokens ? "next token" : slots ? "next slot" : "next node";
    if (list && c == CMD_PREV_OP)
        return !stepper ? "line before" : tokens ? "token before" : slots ? "slot before" : "node before";
    if (p->v->playing && c == CMD_PLAY)
        return "stop";
    if (p->v->show == SHOW_PROOF && c == CMD_PROOF)
        return p->v->look.fast ? "exact mode" : "fast mode";
    if (p->v->show == SHOW_FORWARD && c == CMD_CHOOSE)
        return "attention";
    return command_info(c)->brief;
}

static const char *field_name(enum typing what)
{
    return what == TYPE_FIND ? "find:" : what == TYPE_NODE ? "find node:" : what == TYPE_KEYS ? "find key:" : what == TYPE_SAVE ? "save as:" : ":";
}

/* The text field takes the last line; a long text shows its end. */
static void draw_typing(const struct picture *p, struct surface *s, struct rect r)
{
    const char *text = p->v->typed;
    int x = surface_puts(s, r, r.x, r.y, ROLE_KEY, field_name(p->v->typing)) + 1;
    int room = r.x + r.w - x - 2, width = utf8_string_width(text, strlen(text));
    struct rect field = {x, r.y, room, 1};
    surface_puts(s, field, width > room ? x + room - width : x, r.y, ROLE_TEXT, text);
    x += width < room ? width : room;
    s->cursor_x = x;
    s->cursor_y = r.y;
    x = surface_puts(s, r, x, r.y, ROLE_QUIET, "_");
    int left = r.x + r.w - x - 2, n = (int)strlen(p->v->hint), whole = n;
    while (n > 0 && n > (n < whole ? left - 3 : left)) /* whole words */
        for (n--; n > 0 && p->v->hint[n] != ' '; n--)
            ;
    surface_printf(s, r, x + 2, r.y, ROLE_LABEL, "%.*s%s", n, p->v->hint, n < whole && n > 0 ? " .." : "");
}

/* Is there a last line that nobody types in? (layout.c: none on a screen of three) */
static bool line_is_free(const struct picture *p, const struct surface *s)
{
    return p->v->typing == TYPE_NOTHING && s->h > 3;
}

bool view_message_long(const struct picture *p, const struct surface *s)
{
    int width = utf8_string_width(p->v->message, strlen(p->v->message));
    return width > 0 && (!line_is_free(p, s) || width > s->w - 2);
}

static int draw_key(struct surface *s, struct rect r, int x, const char *written, const char *brief, int gap)
{
    x = surface_puts(s, r, x, r.y, ROLE_KEY, written);
    return surface_puts(s, r, x + 1, r.y, ROLE_TEXT, brief) + gap;
}

/* The message and, where there is room, the way to the keys and the way out. */
static void draw_message(const struct picture *p, struct surface *s, struct rect r)
{
    int x = surface_puts(s, r, r.x, r.y, ROLE_ALERT, p->v->message) + 3;
    for (int i = 0; i < 2; i++) {
        enum command c = i == 0 ? CMD_HELP : CMD_QUIT;
        const char *written = keymap_written(p->v->keys, c), *brief = command_info(c)->brief;
        if (x + (int)(strlen(written) + strlen(brief)) + 1 <= r.x + r.w)
            x = draw_key(s, r, x, written, brief, 3);
    }
}

void view_keys_draw(const struct picture *p, struct surface *s, struct rect r)
{
    enum command six[6];
    if (p->v->typing != TYPE_NOTHING) {
        draw_typing(p, s, r);
        return;
    }
    if (p->v->message[0] != '\0' && !view_message_long(p, s)) {
        draw_message(p, s, r);
        return;
    }
    footer_keys(p, six);
    int x = r.x, gap = r.w >= 78 ? 3 : 2;
    for (int i = 0; i < 6; i++) {
        const char *written = keymap_written(p->v->keys, six[i]);
        const char *brief = brief_of(p, six[i]);
        bool must = six[i] == CMD_HELP || six[i] == CMD_QUIT;
        if (!must && x + (int)(strlen(written) + strlen(brief)) + 1 + gap > r.x + r.w - 14)
            continue; /* the way to the other keys and the way out are always there */
        x = draw_key(s, r, x, written, brief, gap);
    }
    if (p->v->typed[0] != '\0')
        surface_printf(s, r, r.x + r.w - 8, r.y, ROLE_ALERT, "%6s G", p->v->typed);
}

/* ---- the help screen -------------------------------------------------------------------------------- */

static const char *const LEGEND[] = {
    "Every node has a letter, the same in the tree, in the slots and in the sentence. * marks what this step",
    "changed; \"36>7\" in a column: it was 36 before. > before a row: on the path of the current request.",
    "tokens: length of the edge. lock: running requests that use the node (0: it may be evicted). used: when it",
    "was last used, in ticks of the clock. hits: how often an insert walked through it. prio: what the policy priority goes by.",
    "In the request: = read from the cache, # computed by the model, + generated, . still to compute.",
    "Of a key that was typed: = found in the tree, + new, with slots of its own, . not cached.",
    "In the slots: the letter of the node that owns the slot (a to z again and again after the 26th), the number of the request that holds it, + for one",
    "that an insert without a request has taken, or a dot for a free one. Reversed: this step changed it. !: its KV row was spoiled on purpose.",
    "The sum over the slots: free + evictable (in the tree, nobody holds it) + protected (in the tree, held) + held by a request alone.",
    "[M1], [S1 S2 S3] before a sentence: the steps of the algorithm that it shows, M match, S split, I insert, L lock, U and F what a",
    "request leaves in the tree, E evict; the key c shows them. exact, at the top: what is computed is the same to the last bit with",
    "the cache and without it; fast: it may be rounded otherwise. pages of 1 token: any prefix can be shared; of 4: only whole fours.",
};

enum { LEGEND_LINES = 40 }; /* to go down by, behind the last key */

static bool holds(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text != '\0'; text++)
        if (strncasecmp(text, word, n) == 0)
            return true;
    return n == 0;
}

/* Does the search find this command: by its key, its name or what is said about it? */
static bool found(const struct view *v, int c)
{
    const struct command_info *i = command_info((enum command)c);
    return holds(keymap_written(v->keys, (enum command)c), v->search) || holds(i->brief, v->search) || holds(i->help, v->search);
}

static int found_count(const struct view *v)
{
    int n = 0;
    for (int c = 0; c < CMD_COUNT; c++)
        n += found(v, c);
    return n;
}

int view_help_command(const struct view *v)
{
    int at = v->line; /* behind the last key: none, these are the marks */
    for (int c = 0; c < CMD_COUNT; c++)
        if (found(v, c) && at-- == 0)
            return c;
    return CMD_NONE;
}

int view_help_marks(const struct view *v)
{
    return found_count(v);
}

int view_help_last(const struct view *v)
{
    int n = found_count(v);
    return v->search[0] != '\0' ? (n > 0 ? n - 1 : 0) : n - 1 + LEGEND_LINES;
}

/* Keys and marks; *chosen gets the place of the chosen key, *marks where those begin. */
static void add_help(struct text *t, const struct view *v, size_t *chosen, size_t *marks)
{
    const char *group = "";
    int choice = view_help_command(v);
    *chosen = *marks = 0;
    for (int c = 0; c < CMD_COUNT; c++) {
        const struct command_info *i = command_info((enum command)c);
        if (!found(v, c))
            continue;
        if (strcmp(group, i->group) != 0)
            text_printf(t, ROLE_TITLE, "%s%s\n", t->n > 0 ? "\n" : "", i->group);
        group = i->group;
        if (c == choice)
            *chosen = t->n;
        unsigned more = c == choice ? STYLE_BOLD : 0;
        text_printf(t, ROLE_KEY | more, c == choice ? ">%6s" : "%7s",
                    keymap_written(v->keys, (enum command)c));
        text_printf(t, ROLE_TEXT | more, "  %s\n", i->help);
    }
    if (t->n == 0)
        text_printf(t, ROLE_ALERT, "No key does anything with \"%s\".\n", v->search);
    if (v->search[0] != '\0')
        return;
    *marks = t->n + 1;
    text_puts(t, ROLE_TITLE, "\nmarks\n");
    for (size_t i = 0; i < ARRAY_LEN(LEGEND); i++)
        text_printf(t, ROLE_TEXT, "%s%s", i > 0 ? " " : "", LEGEND[i]);
}

void view_help_draw(const struct picture *p, struct surface *s, struct rect r)
{
    struct text t = {0};
    size_t chosen, marks;
    add_help(&t, p->v, &chosen, &marks);
    text_wrap(&t, r.w);
    int most = (int)t.lines > r.h ? (int)t.lines - r.h : 0, line = (int)text_line_of(&t, chosen);
    int more = p->v->line - found_count(p->v) + 1; /* behind the last key: the marks */
    int top = line < r.h * 2 / 3 ? 0 : line - r.h * 2 / 3;
    top = more > 0 ? (int)text_line_of(&t, marks) + more - 1 : top;
    top = top < most ? top : most;
    text_draw(&t, s, r, (size_t)top);
    text_done(&t);
    s->cursor_x = r.x;
    s->cursor_y = line >= top && line < top + r.h ? r.y + line - top : r.y;
}
