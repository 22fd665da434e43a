#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "ui/text.h"
#include "ui/view.h"

/* The sentence: what just happened and why, with the real values. "(A)" in it has the colour that node A
 * has everywhere else. */

/* Length of "(A)" at text, 0 if there is none. */
static size_t named_node(const char *text)
{
    return text[0] == '(' && isupper((unsigned char)text[1]) && text[2] == ')' ? 3 : 0;
}

static void add_sentence(struct text *t, const char *words)
{
    while (*words != '\0') {
        size_t plain = 0;
        while (words[plain] != '\0' && named_node(words + plain) == 0)
            plain++;
        text_add(t, ROLE_TEXT, words, plain);
        words += plain;
        if (*words != '\0') {
            text_add(t, theme_owner((uint32_t)(words[1] - 'A') + 1) | STYLE_BOLD, words, 3);
            words += 3;
        }
    }
}

static void add_beginning(const struct picture *p, struct text *t)
{
    if (p->m->length == 0 && p->progress->working)
        text_puts(t, ROLE_TEXT, "The first step is being computed.");
    else if (p->m->length == 0)
        text_puts(t, ROLE_TEXT, "There is no step to show.");
    else
        text_puts(t, ROLE_TEXT,
                  "Before the first step. The tree is empty and every slot is free. Press Right for the "
                  "first step, Down for the next operation, or ? for all keys.");
}

/* ---- what is chosen -------------------------------------------------------------------------------- */

/* "slots 1-29 45": runs of neighbours. */
static void add_slot_runs(struct scene sc, uint32_t node, struct buf *b)
{
    const uint32_t *slot = node_slots(sc, node);
    uint32_t n = sc.w->node[node].len, runs = 0;
    for (uint32_t i = 0; i < n; runs++) {
        uint32_t end = i + 1;
        while (end < n && slot[end] == slot[end - 1] + 1)
            end++;
        if (runs < 6)
            buf_printf(b, end - i > 1 ? " %u-%u" : " %u", slot[i], slot[end - 1]);
        i = end;
    }
    buf_puts(b, runs > 6 ? " .." : "");
}

static void tell_node(const struct moment *m, uint32_t node, struct buf *b)
{
    const struct node *n = &m->sc.w->node[node];
    uint32_t start = node_start(m->sc.w, node);
    node_call(m->sc.w, node, b);
    if (node == ROOT) {
        buf_printf(b, " has %u child%s.", n->child_count, n->child_count == 1 ? "" : "ren");
        return;
    }
    buf_printf(b, ": %u tokens, positions %u to %u, in slots", n->len, start, start + n->len - 1);
    add_slot_runs(m->sc, node, b);
    buf_printf(b, ". %s; last used at tick %u, %u hits, %u child%s. \"",
               n->lock_ref > 0            ? "Held: it may not be evicted"
               : node_evictable(m->sc.w, node) ? "Nobody holds it: it may be evicted"
                                               : "Nobody holds it, but its children go first",
               n->last_access, n->hit_count, n->child_count, n->child_count == 1 ? "" : "ren");
    moment_tokens(m, node_tokens(m->sc, node), node_raw_len(m->sc.w, node), 400 + b->len, b);
    buf_putc(b, '"');
}

static void add_token(const struct moment *m, uint32_t id, struct buf *b)
{
    if (m->words->said.token != NULL)
        m->words->said.token(m->words->said.ctx, id, b);
    else
        buf_printf(b, "%u", id);
}

/* The token whose keys and values a slot of a node holds. */
static void tell_slot_of_node(const struct moment *m, uint32_t node, uint32_t slot, struct buf *b)
{
    const uint32_t *slots = node_slots(m->sc, node);
    uint32_t i = 0;
    while (i < m->sc.w->node[node].len && slots[i] != slot)
        i++;
    buf_puts(b, " is part of ");
    node_call(m->sc.w, node, b);
    if (i == m->sc.w->node[node].len)
        return;
    buf_puts(b, ": it holds the keys and values of ");
    add_token(m, node_tokens(m->sc, node)[i], b);
    buf_printf(b, " at position %u. Every request that goes through this node reads it.", node_start(m->sc.w, node) + i);
}

static void tell_slot_of_request(const struct moment *m, uint32_t req, uint32_t slot, struct buf *b)
{
    const struct request *q = &m->sc.w->request[req];
    uint32_t p = q->protected_len;
    while (p < q->kv_len && m->sc.w->row_slot[q->row_off + p] != slot)
        p++;
    buf_printf(b, " is held by request %u alone", q->rid);
    if (p == q->kv_len) {
        buf_puts(b, ": the rest of its last page.");
        return;
    }
    buf_puts(b, p < q->computed_len ? ": it holds the keys and values of " : ": it waits for those of ");
    add_token(m, m->sc.w->row_token[q->row_off + p], b);
    buf_printf(b, " at position %u.", p);
}

static void tell_slot(const struct moment *m, uint32_t slot, struct buf *b)
{
    uint32_t owner = m->owner[slot];
    buf_printf(b, "Slot %u", slot);
    if (owner == OWNER_FREE)
        buf_puts(b, " is free.");
    else if (owner == OWNER_TRANSIT)
        buf_puts(b, " has been taken for the key that is being inserted.");
    else if (owner & OWNER_REQUEST)
        tell_slot_of_request(m, owner & ~OWNER_REQUEST, slot, b);
    else
        tell_slot_of_node(m, owner, slot, b);
}

static void add_choice(const struct picture *p, struct text *t)
{
    struct buf b = {0};
    if (p->v->focus == FOCUS_TREE && node_live(p->m->sc.w, p->v->node))
        tell_node(p->m, p->v->node, &b);
    else if (p->v->focus == FOCUS_SLOTS && p->m->owner != NULL && p->v->slot < p->m->slots)
        tell_slot(p->m, p->v->slot, &b);
    if (b.len > 0)
        b.data[0] = (char)toupper((unsigned char)b.data[0]);
    add_sentence(t, buf_text(&b));
    buf_free(&b);
}

struct cutting {
    struct text *t;
    uint32_t tokens;
};

/* Tokens side by side in two styles, with a line between them, so that blanks and lengths can be seen. */
static void add_piece(void *to, const char *bytes, size_t n)
{
    struct cutting *c = to;
    if (c->tokens > 0)
        text_puts(c->t, ROLE_LABEL, "|");
    text_add(c->t, c->tokens % 2 != 0 ? ROLE_CACHED : ROLE_TEXT, bytes, n);
    c->tokens++;
}

size_t view_typed_text(const struct picture *p, const char **text)
{
    const char *at = p->v->typed + strspn(p->v->typed, " ");
    size_t word = strcspn(at, " ");
    if (p->v->typing != TYPE_COMMAND || p->feed->cut == NULL || at[word] == '\0')
        return 0;
    at += word;
    if (strchr(at, '"') == NULL)
        return 0;
    *text = strchr(at, '"') + 1;
    return strcspn(*text, "\"");
}

/* What is being typed, as tokens. */
static void add_typed(const struct picture *p, struct text *t, const char *text, size_t len)
{
    struct text pieces = {0};
    struct cutting c = {&pieces, 0};
    p->feed->cut(p->feed->ctx, text, len, add_piece, &c);
    text_printf(t, ROLE_LABEL, "%u token%s: ", c.tokens, c.tokens == 1 ? "" : "s");
    c = (struct cutting){t, 0};
    p->feed->cut(p->feed->ctx, text, len, add_piece, &c);
    text_done(&pieces);
}

static void add_story(const struct picture *p, struct text *t, bool message)
{
    const struct moment *m = p->m;
    if (message) {
        text_puts(t, ROLE_ALERT, p->v->message);
        return;
    }
    const char *typed;
    size_t len = view_typed_text(p, &typed);
    if (len > 0) {
        add_typed(p, t, typed, len);
        return;
    }
    if (p->v->focus == FOCUS_TREE || p->v->focus == FOCUS_SLOTS) {
        add_choice(p, t);
        return;
    }
    if (m->at == 0) {
        add_beginning(p, t);
        return;
    }
    struct buf b = {0};
    event_sentence(m->sc, &m->words->said, m->step.kind, m->step.arg, &b);
    add_sentence(t, buf_text(&b));
    buf_free(&b);
}

void view_story_draw(const struct picture *p, struct surface *s, struct rect r)
{
    struct text t = {0};
    add_story(p, &t, view_message_long(p, s));
    text_wrap(&t, p->v->big ? r.w - 8 : r.w);
    bool spaced = p->v->big && (int)t.lines * 2 - 1 <= r.h; /* for a projector: room between the lines */
    for (int i = 0; spaced && (size_t)i < t.lines; i++)
        text_draw(&t, s, (struct rect){r.x + 4, r.y + 2 * i, r.w - 8, 1}, (size_t)i);
    if (!spaced)
        text_draw(&t, s, p->v->big ? (struct rect){r.x + 4, r.y, r.w - 8, r.h} : r, 0);
    if (t.lines > (size_t)r.h && r.h > 0)
        surface_puts(s, r, r.x + r.w - 2, r.y + r.h - 1, ROLE_QUIET, "..");
    text_done(&t);
}

/* "cache_finished_req: insert_walk", the operation and the event within it. */
void view_story_title(const struct picture *p, const struct surface *s, char *out, size_t n)
{
    const char *typed;
    const struct moment *m = p->m;
    if (view_message_long(p, s))
        snprintf(out, n, "message (any key: back to what happened)");
    else if (view_typed_text(p, &typed) > 0)
        snprintf(out, n, "what is typed, as tokens (| stands between them)");
    else if (p->v->focus == FOCUS_TREE || p->v->focus == FOCUS_SLOTS)
        snprintf(out, n, "the %s that is chosen (Esc: back to what happened)",
                 p->v->focus == FOCUS_TREE ? "node" : "slot");
    else if (p->before)
        snprintf(out, n, "the part before; the next action begins anew");
    else if (m->at == 0)
        snprintf(out, n, "start");
    else if (m->op_at == 0 || m->op_at == m->at)
        snprintf(out, n, "%s", event_info(m->step.kind)->name);
    else
        snprintf(out, n, "%s: %s", event_info(m->op.kind)->name, event_info(m->step.kind)->name);
}

/* " · request 2 of 3 · match_prefix" */
static void add_place(const struct picture *p, const char *dot, bool wide, char *out, size_t n)
{
    const struct moment *m = p->m;
    int used = 0;
    out[0] = '\0';
    if (m->request != 0)
        used =
            snprintf(out, n, "%srequest %u of %u", dot, m->sc.w->request[m->request].rid, p->marks->requests);
    if (m->op_at != 0 && wide)
        snprintf(out + used, n - (size_t)used, "%s%s", dot, event_info(m->op.kind)->name);
}

/* An engine of the bug museum (cache/museum.h): its upper bit says that nobody is to be told whether it has a bug. */
static const char *bug_on_purpose(uint32_t bug, bool wide)
{
    if (bug == 0)
        return "";
    if (bug >= 0x80)
        return wide ? "IS THERE A BUG?" : "BUG?";
    return wide ? "BUG ON PURPOSE" : "BUG";
}

/* The first line of the screen: scenario, request, operation; mode and step at its right end. What is long
 * is the title: it is what gets cut. */
void view_title_draw(const struct picture *p, struct surface *s, struct rect r)
{
    const struct moment *m = p->m;
    const char *dot = surface_glyph(s, " \xc2\xb7 ", " | "), *mode = p->feed->mode;
    bool wide = r.w >= 70; /* the operation stands above the sentence too */
    char branch[48] = "", right[160], place[128];
    const char *bug = bug_on_purpose(m->sc.w->head.bug, wide);
    if (tape_branches(m->tape) > 1 && wide)
        snprintf(branch, sizeof branch, "branch %d of %d%s", m->branch + 1, tape_branches(m->tape), dot);
    snprintf(right, sizeof right, "%s%s%s%s%sstep %u of %u%s", bug, *bug != '\0' ? dot : "", branch, mode != NULL && wide ? mode : "",
             mode != NULL && wide ? dot : "", m->at, m->length, p->progress->working ? "+" : "");
    add_place(p, dot, wide, place, sizeof place);
    int end = r.x + r.w, room = r.w - utf8_string_width(right, strlen(right)) - 1;
    int title = utf8_string_width(p->feed->title, strlen(p->feed->title));
    int least = utf8_string_width(place, strlen(place));
    surface_right(s, r, end, r.y, ROLE_HEAD, right);
    title = title < room - least ? title : room - least;
    if (title < 4) {
        if (room > 16)
            surface_puts(s, (struct rect){r.x, r.y, room, 1}, r.x - 3, r.y, ROLE_TEXT, place);
        return;
    }
    surface_puts(s, (struct rect){r.x, r.y, title, 1}, r.x, r.y, ROLE_HEAD, p->feed->title);
    surface_puts(s, (struct rect){r.x, r.y, room, 1}, r.x + title, r.y, ROLE_TEXT, place);
}
