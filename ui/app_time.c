#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tape/why.h"
#include "ui/app_parts.h"

enum { FIND_NODES = 100000, FIND_BYTES = 1 << 16 };

/* ---- moving in time --------------------------------------------------------------------------------- */

void app_say(struct app *a, const char *message)
{
    snprintf(a->v.message, sizeof a->v.message, "%s", message);
}

void app_say_error(struct app *a)
{
    if (a->progress.failed)
        snprintf(a->v.message, sizeof a->v.message, "The run ended early: %s", a->progress.line);
    else
        app_say(a, "Nothing has failed.");
}

/* Steps of this branch, as far as they may be shown. */
void app_measure(struct app *a)
{
    uint32_t limit = a->feed->lesson != NULL ? app_lesson_limit(a) : UINT32_MAX;
    uint32_t length = tape_length(a->m.tape, a->m.branch);
    a->m.length = length < limit ? length : limit;
}

void app_goto(struct app *a, uint32_t at)
{
    uint32_t limit = a->feed->lesson != NULL ? app_lesson_limit(a) : UINT32_MAX;
    if (at > limit)
        app_lesson_at_end(a);
    moment_load(&a->m, &a->cursor, a->m.branch, at < limit ? at : limit);
    app_measure(a);
    if (a->v.focus == FOCUS_TREE && !node_live(a->m.sc.w, a->v.node))
        a->v.node = moment_focus(&a->m); /* the chosen node does not exist at this moment */
}

void app_switch(struct app *a, int branch, uint32_t at)
{
    a->m.branch = branch;
    app_goto(a, at);
    app_idle(a);
}

/* Go far away: Backspace comes back. */
void app_jump(struct app *a, uint32_t at)
{
    if (at == a->m.at)
        return;
    if (a->backs == BACK_STEPS) {
        memmove(a->back, a->back + 1, (BACK_STEPS - 1) * sizeof *a->back);
        a->backs--;
    }
    a->back[a->backs++] = a->m.at;
    app_goto(a, at);
}

void app_jump_return(struct app *a)
{
    if (a->backs == 0)
        app_say(a, "There was no jump to return from.");
    else
        app_goto(a, a->back[--a->backs]);
}

/* The end of what is known: wait where more will come, else say so. */
void app_at_end(struct app *a)
{
    if (a->progress.working) {
        a->v.waiting = true;
        app_say(a, "This step is still being computed; it is shown as soon as it is there.");
        return;
    }
    a->v.playing = false;
    if (a->progress.failed) {
        app_say_error(a);
        return;
    }
    if (a->feed->lesson != NULL)
        app_lesson_at_end(a);
    else
        app_say(a, "This is the last step. Home goes to the first, q leaves.");
}

/* Playing stops where two histories begin to differ. */
static void stop_at_difference(struct app *a)
{
    uint32_t step;
    if (!a->v.playing || !a->beside.open || a->v.show != SHOW_COMPARE || a->m.at == 0 ||
        lockstep_difference(&a->beside.lock, a->m.at - 1, 1, &step) == NULL || step != a->m.at)
        return;
    a->v.playing = false;
    app_say(a, "Here the two histories differ.");
}

void app_step(struct app *a)
{
    if (a->m.at < tape_length(a->m.tape, a->m.branch)) {
        app_goto(a, a->m.at + 1);
        stop_at_difference(a);
    } else
        app_at_end(a);
}

void app_back(struct app *a)
{
    if (a->m.at > 1)
        app_goto(a, a->m.at - 1);
    else
        app_say(a, "This is the first step.");
}

/* To the next step of depth `depth`; a run that is still going on may bring one. */
void app_next(struct app *a, int depth, const char *none)
{
    uint32_t at = tape_find_depth(a->m.tape, a->m.branch, a->m.at, 1, depth);
    struct step s = {0};
    if (at > a->m.at)
        tape_step(a->m.tape, a->m.branch, at, &s);
    if (at > a->m.at && s.depth <= depth)
        app_goto(a, at);
    else if (a->progress.working || depth > DEPTH_REQUEST)
        at > a->m.at ? app_goto(a, at) : app_at_end(a);
    else
        app_say(a, none);
}

void app_prev(struct app *a, int depth)
{
    if (a->m.at <= 1) {
        app_back(a); /* says so */
        return;
    }
    uint32_t at = tape_find_depth(a->m.tape, a->m.branch, a->m.at, -1, depth);
    app_goto(a, at > 0 ? at : 1);
}

void app_out(struct app *a)
{
    uint32_t to = tape_out(a->m.tape, a->m.branch, a->m.at);
    to > a->m.at ? app_goto(a, to) : app_at_end(a);
}

void app_out_back(struct app *a)
{
    uint32_t to = tape_out_back(a->m.tape, a->m.branch, a->m.at);
    to > 0 ? app_goto(a, to) : app_back(a); /* says so */
}

void app_goto_typed(struct app *a)
{
    uint32_t length = tape_length(a->m.tape, a->m.branch);
    unsigned long at = a->v.typed[0] != '\0' ? strtoul(a->v.typed, NULL, 10) : length;
    if (at > length && a->v.typed[0] != '\0')
        snprintf(a->v.message, sizeof a->v.message, "There are %u steps%s.", length,
                 a->progress.working ? " so far" : "");
    else
        app_jump(a, at > 0 ? (uint32_t)at : 1);
    a->v.typed[0] = '\0';
}

void app_request_typed(struct app *a)
{
    uint32_t rid = (uint32_t)strtoul(a->v.typed, NULL, 10), at = tape_find_request(a->m.tape, a->m.branch, rid);
    if (at != 0)
        app_jump(a, at);
    else
        snprintf(a->v.message, sizeof a->v.message, "There is no request %u%s.", rid,
                 a->progress.working ? " yet" : " among these steps");
    a->v.typed[0] = '\0';
}

void app_set_speed(struct app *a, int by)
{
    int speed = a->v.speed + by;
    if (speed < 0 || speed >= VIEW_SPEEDS) {
        app_say(a, by > 0 ? "This is the fastest." : "This is the slowest.");
        return;
    }
    a->v.speed = speed;
    int tenths = view_speed_tenths(speed);
    snprintf(a->v.message, sizeof a->v.message, "Speed: %d.%d steps a second.", tenths / 10, tenths % 10);
}

void app_toggle_play(struct app *a)
{
    a->v.playing = !a->v.playing;
    if (a->v.playing && a->m.at >= tape_length(a->m.tape, a->m.branch))
        app_at_end(a);
}

/* ---- finding ---------------------------------------------------------------------------------------- */

static bool holds_text(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text != '\0'; text++)
        if (strncasecmp(text, word, n) == 0)
            return true;
    return n == 0;
}

/* ---- filters: "slot:12" instead of any text ----------------------------------------------------------- */

/* What stands behind "name:", or NULL. */
static const char *behind(const char *text, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(text, name, n) == 0 && text[n] == ':' && text[n + 1] != '\0' ? text + n + 1 : NULL;
}

/* "B" or "12" as the id of a node. */
static uint32_t node_id(const char *text)
{
    if (text[1] == '\0' && isalpha((unsigned char)text[0]))
        return (uint32_t)(toupper((unsigned char)text[0]) - 'A') + 1;
    return (uint32_t)strtoul(text, NULL, 10);
}

static bool says_token(const struct app *a, const struct step *s, const char *word)
{
    bool found = false;
    for (int i = 0; i < s->nargs && !found; i++) {
        struct buf b = {0};
        if (event_arg_type(s->kind, i) != 't' || s->arg[i] == NO_TOKEN)
            continue;
        moment_tokens(&a->m, &s->arg[i], 1, 256, &b);
        found = holds_text(buf_text(&b), word);
        buf_free(&b);
    }
    return found;
}

static bool names_node(const struct world *w, const struct step *s, uint32_t id)
{
    for (int i = 0; i < s->nargs; i++)
        if (event_arg_type(s->kind, i) == 'n' && s->arg[i] != 0 && w->node[s->arg[i]].id == id)
            return true;
    return false;
}

static bool says(struct app *a, uint32_t n, const struct step *s)
{
    struct buf b = {0};
    cursor_seek(&a->cursor, a->m.branch, n);
    event_sentence(cursor_scene(&a->cursor), &a->m.words->said, s->kind, s->arg, &b);
    bool found = holds_text(buf_text(&b), a->find);
    buf_free(&b);
    return found;
}

static bool step_matches(struct app *a, uint32_t n)
{
    struct step s;
    const char *what;
    tape_step(a->m.tape, a->m.branch, n, &s);
    if ((what = behind(a->find, "kind")) != NULL)
        return holds_text(event_info(s.kind)->name, what);
    if ((what = behind(a->find, "token")) != NULL)
        return says_token(a, &s, what);
    if ((what = behind(a->find, "slot")) != NULL)
        return watch_find_near(a->m.tape, a->m.branch, n - 1, 1, 1, WATCH_SLOT, (uint32_t)strtoul(what, NULL, 10)) == n;
    if ((what = behind(a->find, "node")) != NULL) {
        cursor_seek(&a->cursor, a->m.branch, n);
        return names_node(a->cursor.w, &s, node_id(what));
    }
    if ((what = behind(a->find, "request")) != NULL) {
        uint32_t r = event_about(s.kind, s.arg, 'r');
        cursor_seek(&a->cursor, a->m.branch, n);
        return r != 0 && a->cursor.w->request[r].rid == strtoul(what, NULL, 10);
    }
    return holds_text(event_info(s.kind)->name, a->find) || says(a, n, &s);
}

/* ---- looking, a slice at a time: a screen stays alive over a million steps ---------------------------- */

enum { LOOK_STEPS = 1000, LOOK_TOUCHES = 100000 };

static void add_chosen(const struct app *a, struct buf *b)
{
    if (!a->search.touch)
        buf_printf(b, "\"%s\"", a->find);
    else if (a->search.slot)
        buf_printf(b, "slot %u", a->search.what);
    else
        node_call(a->m.sc.w, a->search.what, b);
}

static void search_end(struct app *a, uint32_t found)
{
    struct buf b = {0};
    int dir = a->search.dir;
    add_chosen(a, &b);
    a->search.dir = 0;
    if (found == 0)
        snprintf(a->v.message, sizeof a->v.message, "No step %s this one %s %s.", dir > 0 ? "after" : "before",
                 a->search.touch ? "touches" : "says", buf_text(&b));
    else {
        a->v.message[0] = '\0';
        app_jump(a, found);
    }
    if (found != 0 && a->search.touch)
        snprintf(a->v.message, sizeof a->v.message, "This step touched %s. Backspace returns.", buf_text(&b));
    buf_free(&b);
}

/* The step found within the next slice, 0: none there. */
static uint32_t look(struct app *a, uint32_t length)
{
    struct search *s = &a->search;
    if (s->touch) {
        uint32_t from = s->at, found = watch_find_near(a->m.tape, a->m.branch, from, s->dir, LOOK_TOUCHES,
                                                       s->slot ? WATCH_SLOT : WATCH_NODE, s->what);
        s->at = s->dir > 0 ? (length - from > LOOK_TOUCHES ? from + LOOK_TOUCHES : length)
                           : (from > LOOK_TOUCHES ? from - LOOK_TOUCHES : 0);
        return found;
    }
    for (int i = 0; i < LOOK_STEPS && (s->dir > 0 ? s->at < length : s->at > 1); i++) {
        s->at += (uint32_t)s->dir;
        if (step_matches(a, s->at))
            return s->at;
    }
    if (s->dir < 0 && s->at <= 1)
        s->at = 0;
    return 0;
}

bool app_search_on(struct app *a)
{
    struct search *s = &a->search;
    if (s->dir == 0)
        return true;
    uint32_t length = tape_length(a->m.tape, a->m.branch), found = look(a, length);
    cursor_seek(&a->cursor, a->m.branch, a->m.at); /* the moment that is shown reads its world */
    if (found != 0 || s->at == 0 || s->at >= length) {
        search_end(a, found);
        return true;
    }
    struct buf b = {0};
    add_chosen(a, &b);
    snprintf(a->v.message, sizeof a->v.message, "Looking for %s: step %u of %u. Any key stops.", buf_text(&b), s->at, length);
    buf_free(&b);
    return false;
}

/* The nearest step in a direction whose kind or sentence holds the text, or that a filter fits; a kind of that very name
 * before all others. Sentences name what they change, so "(B)" finds what happened to node B. */
void app_find(struct app *a, int dir)
{
    if (a->find[0] == '\0') {
        app_say(a, "Type / and a word first: split, evict, (B), slot:12, node:B, request:2, token:sky, any text.");
        return;
    }
    int kind = event_find(a->find);
    uint32_t named = kind >= 0 ? tape_find_kind(a->m.tape, a->m.branch, a->m.at, dir, kind) : 0;
    a->search = (struct search){.dir = dir, .at = a->m.at};
    if (named != 0)
        search_end(a, named);
    else
        app_search_on(a);
}

static bool node_holds(const struct moment *m, uint32_t node, const char *word)
{
    struct buf b = {0};
    moment_tokens(m, node_tokens(m->sc, node), node_raw_len(m->sc.w, node), FIND_BYTES, &b);
    bool holds = holds_text(buf_text(&b), word);
    buf_free(&b);
    return holds;
}

/* In preorder from the chosen node on, and round to the beginning. */
void app_find_node(struct app *a)
{
    const struct world *w = a->m.sc.w;
    uint32_t here = a->v.focus == FOCUS_TREE ? a->v.node : moment_focus(&a->m), node = here;
    if (a->find_node[0] == '\0') {
        app_say(a, "Type t and a part of a node's text.");
        return;
    }
    for (uint32_t looked = 0; looked < w->head.node_count && looked < FIND_NODES; looked++) {
        node = node_preorder(w, node);
        node = node != 0 ? node : ROOT;
        if (node == ROOT || !node_holds(&a->m, node, a->find_node))
            continue;
        a->v.focus = FOCUS_TREE;
        a->v.node = node;
        snprintf(a->v.message, sizeof a->v.message, node == here ? "No other node says \"%s\"." : "t and Enter: the next node with \"%s\".",
                 a->find_node);
        return;
    }
    snprintf(a->v.message, sizeof a->v.message, "No node says \"%s\"%s.", a->find_node,
             w->head.node_count > FIND_NODES ? " among those that were looked at" : "");
}

/* The step that touched what is chosen; without a choice: what this step is about. */
void app_find_touch(struct app *a, int dir)
{
    bool slot = a->v.focus == FOCUS_SLOTS;
    uint32_t node = a->v.focus == FOCUS_TREE ? a->v.node : moment_focus(&a->m);
    a->search = (struct search){.dir = dir, .at = a->m.at, .touch = true, .slot = slot, .what = slot ? a->v.slot : node};
    app_search_on(a);
}

/* ---- acting ----------------------------------------------------------------------------------------- */

static bool nobody_runs(const struct world *w)
{
    for (uint32_t r = 1; r < w->head.request_top; r++)
        if (request_running(&w->request[r]))
            return false;
    return true;
}

uint32_t app_act_point(struct app *a)
{
    uint32_t here = a->m.at, length = tape_length(a->m.tape, a->m.branch), at = here;
    for (; at < length; at++) {
        struct step s = {.settled = true};
        if (at > 0)
            tape_step(a->m.tape, a->m.branch, at, &s);
        cursor_seek(&a->cursor, a->m.branch, at);
        if (s.settled && nobody_runs(a->cursor.w))
            break;
    }
    cursor_seek(&a->cursor, a->m.branch, here);
    return at;
}

void app_next_branch(struct app *a)
{
    int n = tape_branches(a->m.tape);
    if (n == 1) {
        app_say(a, "There is one branch. A command (:) at an earlier step begins another one.");
        return;
    }
    app_switch(a, (a->m.branch + 1) % n, a->m.at);
    uint32_t fork;
    int parent = tape_parent(a->m.tape, a->m.branch, &fork);
    if (parent < 0)
        snprintf(a->v.message, sizeof a->v.message, "Branch 1 of %d: the first one.", n);
    else
        snprintf(a->v.message, sizeof a->v.message, "Branch %d of %d: it left branch %d after step %u.",
                 a->m.branch + 1, n, parent + 1, fork);
}

/* ---- comparing -------------------------------------------------------------------------------------- */

void app_next_beside(struct app *a)
{
    int n = beside_choices(a->feed, a->m.branch);
    if (n < 2) {
        app_say(a, "There is nothing else to put on the right.");
        return;
    }
    a->v.beside = (a->v.beside + 1) % n;
    snprintf(a->v.message, sizeof a->v.message, "%d of %d on the right.", a->v.beside + 1, n);
}

void app_difference(struct app *a)
{
    uint32_t step;
    if (a->v.show != SHOW_COMPARE || beside_stand(&a->beside, a->feed, a->v.beside, a->m.branch, a->m.at, NULL) != 0)
        app_say(a, "This key goes to differences while two histories stand side by side: B first.");
    else if (a->beside.designs != NULL) {
        uint32_t next = beside_next_otherwise(&a->beside, a->beside.requests);
        step = next != 0 ? tape_find_request(a->m.tape, a->m.branch, next) : 0;
        if (step != 0)
            app_jump(a, step);
        else
            app_say(a, "After this request they save the same.");
    } else if (lockstep_difference(&a->beside.lock, a->m.at, 1, &step) != NULL)
        app_jump(a, step);
    else
        app_say(a, a->beside.read ? "They do not differ after this step." : "They are still being compared.");
}
