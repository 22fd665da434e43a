#include <stdio.h>
#include <string.h>

#include "ui/text.h"
#include "ui/view.h"

/* The current request:
 *
 *      You are a helpful assistant.          its text, a line of its own colour and weight for each part
 *      Answer in a short sentence.|          | where the cached prefix ends
 *      Where do fish live?                   + before what is generated, where it would seem one word
 *
 *      =============================         one mark a token, in order
 *      |#######++++
 *
 *      = 29 cached in A   # 7 computed       and what they mean
 *      + 4 generated      . 0 to do
 */

enum part { PART_CACHED, PART_COMPUTED, PART_GENERATED, PART_TODO, PART_COUNT };

static const struct {
    char mark;
    unsigned style;
    const char *name;
} PARTS[PART_COUNT] = {
    {'=', ROLE_CACHED | STYLE_BOLD, "cached"},
    {'#', ROLE_COMPUTED, "computed"},
    {'+', ROLE_GENERATED, "generated"},
    {'.', ROLE_TODO, "to do"},
};

enum { TEXT_TOKENS = 768 }; /* tokens written out: from far enough before the boundary */

/* Tokens known to come from the cache: what was found at admission, or what the walk has found so far. */
static uint32_t cached_now(const struct moment *m)
{
    const struct request *q = &m->sc.w->request[m->request];
    bool looking = q->cached_len == 0 && q->computed_len == 0 && m->op.kind == EV_MATCH;
    uint32_t found = looking ? m->matched : q->cached_len;
    return found < q->prompt_len ? found : q->prompt_len;
}

static enum part part_of(const struct request *q, uint32_t cached, uint32_t p)
{
    if (p < cached)
        return PART_CACHED;
    if (p >= q->prompt_len)
        return PART_GENERATED;
    return p < q->computed_len ? PART_COMPUTED : PART_TODO;
}

static const uint32_t *request_tokens(const struct moment *m)
{
    return m->sc.w->row_token + m->sc.w->request[m->request].row_off;
}

/* ---- the text --------------------------------------------------------------------------------------- */

/* Would a text seem to be one word with what stands before it? */
static bool runs_on(const struct text *t, const char *text)
{
    uint32_t before = t->n > 0 ? t->glyph[t->n - 1].code : ' ';
    return before != ' ' && before != '\n' && before != '>' && before != '|' && *text != ' ' && *text != '\n' && *text != '\0';
}

static void add_tokens(const struct moment *m, struct text *t, uint32_t cached, uint32_t from, size_t *edge)
{
    const struct request *q = &m->sc.w->request[m->request];
    for (uint32_t p = from; p < q->total_len && p < from + TEXT_TOKENS;) {
        enum part part = part_of(q, cached, p);
        uint32_t end = p;
        while (end < q->total_len && end < from + TEXT_TOKENS && part_of(q, cached, end) == part)
            end++;
        if (p == cached && cached > 0) {
            *edge = t->n;
            text_puts(t, ROLE_CACHED | STYLE_BOLD, "|");
        }
        struct buf b = {0};
        moment_tokens(m, request_tokens(m) + p, end - p, SIZE_MAX, &b);
        if (part == PART_GENERATED && runs_on(t, buf_text(&b)))
            text_puts(t, ROLE_GENERATED | STYLE_BOLD, "+");
        text_add(t, PARTS[part].style, buf_text(&b), b.len);
        buf_free(&b);
        p = end;
    }
}

/* The line to begin with. Prompts differ at their end, and that is where tokens are generated: the end is
 * shown, unless the boundary lies so far before it that only one of them fits. */
static size_t first_line(const struct text *t, const struct request *q, size_t edge, size_t h)
{
    if (t->lines <= h)
        return 0;
    size_t last = t->lines - h, at = text_line_of(t, edge);
    bool writing = q->total_len > q->prompt_len;
    if (edge == 0 || writing || at >= last)
        return last;
    return at > h / 2 ? at - h / 2 : 0;
}

static void draw_text(const struct moment *m, struct surface *s, struct rect r)
{
    const struct request *q = &m->sc.w->request[m->request];
    struct text t = {0};
    uint32_t cached = cached_now(m), from = 0;
    if (q->total_len > TEXT_TOKENS) /* a long request: the tokens around what happens */
        from = q->total_len > q->prompt_len ? q->total_len - TEXT_TOKENS
               : cached > TEXT_TOKENS / 2   ? cached - TEXT_TOKENS / 2
                                            : 0;
    size_t edge = 0;
    add_tokens(m, &t, cached, from, &edge);
    if (r.h <= 0)
        t.n = 0;
    text_wrap(&t, r.w);
    size_t first = first_line(&t, q, edge, (size_t)(r.h > 0 ? r.h : 1));
    text_draw(&t, s, r, first);
    if (first > 0 || from > 0)
        surface_puts(s, r, r.x, r.y, ROLE_QUIET, "..");
    text_done(&t);
}

/* ---- one mark a token ------------------------------------------------------------------------------- */

/* Rows for the marks: each token has a cell, the boundary one more; a long request gets the tail of it. */
static int strip_rows(const struct request *q, int width, int most)
{
    int rows = (int)((q->total_len + (uint32_t)width) / (uint32_t)width);
    return rows < most ? rows : most;
}

/* Does this step write the keys and values of one of the tokens p … p + n - 1? */
static bool kv_written(const struct moment *m, uint32_t p, uint32_t n)
{
    if (m->at == 0 || m->step.kind != EV_KV_WRITE)
        return false;
    uint32_t from = m->step.arg[event_arg(EV_KV_WRITE, "from")];
    uint64_t end = (uint64_t)from + m->step.arg[event_arg(EV_KV_WRITE, "count")]; /* a file may lie */
    return p < end && (uint64_t)p + n > from;
}

static void draw_strip(const struct moment *m, struct surface *s, struct rect r)
{
    const struct request *q = &m->sc.w->request[m->request];
    uint32_t cached = cached_now(m), cells = (uint32_t)(r.w * r.h), each = 1;
    while ((q->total_len + each - 1) / each + 1 > cells)
        each *= 2; /* a mark for several tokens */
    int at = 0;
    for (uint32_t p = 0; p < q->total_len; p += each, at++) {
        if (cached > 0 && p >= cached && p < cached + each) {
            surface_put(s, r, r.x + at % r.w, r.y + at / r.w, ROLE_TEXT | STYLE_BOLD, '|');
            at++;
        }
        enum part part = part_of(q, cached, p);
        unsigned style = PARTS[part].style | (kv_written(m, p, each) ? STYLE_REVERSE : 0);
        surface_put(s, r, r.x + at % r.w, r.y + at / r.w, style, (uint32_t)PARTS[part].mark);
    }
}

/* ---- what the marks mean ---------------------------------------------------------------------------- */

static void count_parts(const struct request *q, uint32_t cached, uint32_t count[PART_COUNT])
{
    uint32_t done = q->computed_len < q->prompt_len ? q->computed_len : q->prompt_len;
    count[PART_CACHED] = cached;
    count[PART_COMPUTED] = done > cached ? done - cached : 0;
    count[PART_GENERATED] = q->total_len - q->prompt_len;
    count[PART_TODO] = q->prompt_len - cached - count[PART_COMPUTED];
}

/* Did this step change the part? A generated token changes twice: when it is chosen, and when its keys and
 * values are written. */
static bool part_changed(const struct moment *m, enum part part)
{
    const struct request *q = &m->sc.w->request[m->request], *was = &m->request_was;
    uint32_t now[PART_COUNT], before[PART_COUNT];
    if (q->rid != was->rid)
        return false; /* it has just arrived */
    count_parts(q, q->cached_len, now);
    count_parts(was, was->cached_len, before);
    bool written = part == PART_GENERATED && q->computed_len > q->prompt_len && q->computed_len != was->computed_len;
    return written || now[part] != before[part];
}

/* "in A C": the nodes that the cached tokens are read from. */
static void draw_sources(const struct moment *m, struct surface *s, struct rect r, int x, uint32_t cached)
{
    uint32_t units = 0, shown = 0;
    x = surface_puts(s, r, x, r.y, ROLE_TEXT, " in");
    for (uint32_t i = m->path_n; i > 0 && units < cached; i--, shown++) {
        uint32_t node = m->path[i - 1];
        units += m->sc.w->node[node].len;
        if (shown < 5)
            x = surface_printf(s, r, x, r.y, theme_owner(m->sc.w->node[node].id) | STYLE_BOLD, " %c",
                               view_node_sign(m->sc.w, node));
    }
    if (shown > 5)
        surface_puts(s, r, x, r.y, ROLE_TEXT, " ..");
}

static void draw_part(const struct moment *m, struct surface *s, struct rect r, enum part part,
                      uint32_t count)
{
    bool changed = part_changed(m, part) && count > 0;
    int x = surface_put(s, r, r.x, r.y, PARTS[part].style, (uint32_t)PARTS[part].mark) + r.x + 1;
    x = surface_printf(s, r, x, r.y, changed ? ROLE_CHANGED : ROLE_TEXT, "%u %s%s", count, PARTS[part].name,
                       changed ? "*" : "");
    if (part == PART_CACHED && m->path_n > 0 && count > 0)
        draw_sources(m, s, r, x, count);
}

/* Two rows of two, or in a narrow pane three: the last one holds two parts. */
static void draw_counts(const struct moment *m, struct surface *s, struct rect r)
{
    uint32_t count[PART_COUNT];
    count_parts(&m->sc.w->request[m->request], cached_now(m), count);
    bool wide = r.h == 2;
    int half = r.w / 2;
    for (int part = 0; part < PART_COUNT; part++) {
        struct rect place = {r.x, r.y + part, r.w, 1};
        if (wide)
            place = (struct rect){r.x + part % 2 * half, r.y + part / 2, half, 1};
        else if (part == PART_TODO)
            place = (struct rect){r.x + half + 2, r.y + part - 1, r.w - half - 2, 1};
        draw_part(m, s, place, (enum part)part, count[part]);
    }
}

/* The same in one line, for a pane without room: "= 29  # 7  + 4  . 0". */
static void draw_counts_short(const struct moment *m, struct surface *s, struct rect r)
{
    uint32_t count[PART_COUNT];
    int x = r.x;
    count_parts(&m->sc.w->request[m->request], cached_now(m), count);
    for (int part = 0; part < PART_COUNT; part++) {
        bool changed = part_changed(m, (enum part)part) && count[part] > 0;
        x = surface_printf(s, r, x, r.y, PARTS[part].style, "%c ", PARTS[part].mark);
        x = surface_printf(s, r, x, r.y, changed ? ROLE_CHANGED : ROLE_TEXT, "%u%s ", count[part],
                           changed ? "*" : " ");
    }
}

/* ---- a key that was typed --------------------------------------------------------------------------- */

/* The text of the path's nodes, as far as the key was found in them. */
static void add_found(const struct moment *m, struct buf *b)
{
    uint32_t units = 0;
    for (uint32_t i = m->path_n; i > 0 && units < m->key.found; i--) {
        uint32_t node = m->path[i - 1];
        units += m->sc.w->node[node].len;
        moment_tokens(m, node_tokens(m->sc, node), node_raw_len(m->sc.w, node), b->len + 2048, b);
    }
}

/* "the cat |ran": what was found, the boundary, the rest. A key whose text is not known shows what the tree
 * has of it; a text that its tokens do not repeat (a number for each) is written without a boundary. */
static void add_key_text(const struct moment *m, struct text *t)
{
    bool some = m->key.found > 0 && m->key.found < m->key.units;
    const char *key = m->key.name != 0 ? store_name(m->sc.s, m->key.name) : "";
    struct buf found = {0};
    add_found(m, &found);
    size_t n = m->key.name == 0 ? 0 : strlen(key) < found.len ? strlen(key) : found.len;
    if (memcmp(key, buf_text(&found), n) != 0) {
        text_puts(t, ROLE_TEXT, key);
    } else {
        text_add(t, PARTS[PART_CACHED].style, buf_text(&found), found.len);
        text_puts(t, ROLE_TEXT | STYLE_BOLD, some ? "|" : "");
        text_puts(t, ROLE_TODO, key + n);
    }
    buf_free(&found);
}

static void draw_key_strip(const struct moment *m, struct surface *s, struct rect r)
{
    uint64_t units = m->key.units, cells = (uint64_t)r.w * (uint64_t)r.h; /* 64 bits: a file may lie */
    uint64_t each = (units + cells - 1) / cells, found = m->key.found, end = found + moment_key_new(m);
    int at = 0;
    for (uint64_t p = 0; p < units; p += each, at++) {
        enum part part = p < found ? PART_CACHED : p < end ? PART_GENERATED : PART_TODO;
        surface_put(s, r, r.x + at % r.w, r.y + at / r.w, PARTS[part].style, (uint32_t)PARTS[part].mark);
    }
}

static const char *key_rest(enum key_state state)
{
    switch (state) {
    case KEY_LOOKING: return "not found so far";
    case KEY_NEEDS: return "need slots";
    case KEY_FAILED: return "get no slots";
    default: return "not cached";
    }
}

static void draw_key_counts(const struct moment *m, struct surface *s, struct rect r)
{
    uint32_t found = m->key.found < m->key.units ? m->key.found : m->key.units, fresh = moment_key_new(m);
    int x = surface_puts(s, r, r.x, r.y, PARTS[PART_CACHED].style, "=");
    x = surface_printf(s, r, x, r.y, ROLE_TEXT, " %u cached", found);
    if (found > 0)
        draw_sources(m, s, (struct rect){r.x, r.y, r.w, 1}, x, found);
    x = surface_puts(s, r, r.x, r.y + 1, PARTS[PART_GENERATED].style, "+");
    surface_printf(s, r, x, r.y + 1, ROLE_TEXT, " %u %s", fresh,
                   fresh == 0 ? "new" : m->key.state == KEY_IN ? "cached now" : "being inserted");
    x = surface_puts(s, r, r.x, r.y + 2, PARTS[PART_TODO].style, ".");
    surface_printf(s, r, x, r.y + 2, ROLE_TEXT, " %u %s", m->key.units - found - fresh, key_rest(m->key.state));
}

/* The key of a command without a request: its text, a mark for each token, and what the marks mean. */
static void draw_key(const struct moment *m, struct surface *s, struct rect r)
{
    struct text t = {0};
    int counts = r.h > 3 ? 3 : r.h, strip = r.h >= 8 ? 2 : r.h > counts ? 1 : 0, words = r.h - counts - strip;
    add_key_text(m, &t);
    text_wrap(&t, r.w);
    text_draw(&t, s, (struct rect){r.x, r.y, r.w, words}, 0);
    text_done(&t);
    if (strip > 0)
        draw_key_strip(m, s, (struct rect){r.x, r.y + words, r.w, strip});
    draw_key_counts(m, s, (struct rect){r.x, r.y + r.h - counts, r.w, counts});
}

/* Room that nobody needs now tells how to read the rest. */
static void draw_nobody(struct surface *s, struct rect r)
{
    struct text t = {0};
    text_puts(&t, ROLE_TEXT, "This step is about no request.\n\n");
    text_puts(&t, ROLE_LABEL,
              "Tree: what is cached, a row for each node. Slots: where its KV is kept, a cell for each "
              "token, with the letter of its node.\n");
    text_puts(&t, ROLE_LABEL, "* changed by this step\n> shared with this request");
    text_wrap(&t, r.w);
    text_draw(&t, s, r, 0);
    text_done(&t);
}

void view_request_draw(const struct picture *p, struct surface *s, struct rect r)
{
    const struct moment *m = p->m;
    r = (struct rect){r.x + 1, r.y, r.w - 2, r.h};
    if (m->key.units > 0 && r.w >= 4) {
        draw_key(m, s, r);
        return;
    }
    if (m->request == 0 || r.w < 4) {
        draw_nobody(s, r);
        return;
    }
    const struct request *q = &m->sc.w->request[m->request];
    if (r.h < 3) {
        draw_counts_short(m, s, r);
        return;
    }
    int counts = r.h < 8 ? 1 : r.w >= 44 ? 2 : 3;
    int room = r.h - counts;
    int strip = strip_rows(q, r.w, room > 8 ? room / 3 : room > 3 ? 2 : 1);
    int gap = room - strip >= 5, gaps = gap + (room - strip >= 8); /* empty rows, where there is room */
    int words = room - strip - gaps;
    draw_text(m, s, (struct rect){r.x, r.y, r.w, words});
    draw_strip(m, s, (struct rect){r.x, r.y + words + gap, r.w, strip});
    struct rect last = {r.x, r.y + r.h - counts, r.w, counts};
    if (counts == 1)
        draw_counts_short(m, s, last);
    else
        draw_counts(m, s, last);
}

/* What becomes of the request now. Between its look-up and the forward pass it is neither waiting nor
 * computed: it has been let in. */
static const char *state_text(const struct moment *m, const struct request *q)
{
    bool running = q->state == REQ_PREFILL || q->state == REQ_DECODE;
    if (running && m->op.kind == EV_MATCH)
        return "looking up";
    switch (q->state) {
    case REQ_WAITING: return "waiting";
    case REQ_PREFILL: return q->computed_len > q->cached_len || m->op.kind == EV_PREFILL ? "prefill" : "admitted";
    case REQ_DECODE: return "decode";
    case REQ_FINISHED: return "answered";
    case REQ_REFUSED: return "refused";
    case REQ_ABORTED: return "aborted";
    default: return "gone";
    }
}

void view_request_title(const struct picture *p, char *out, size_t n)
{
    const struct moment *m = p->m;
    if (m->request == 0) {
        if (m->key.units == 0)
            snprintf(out, n, "Request");
        else if (m->key.units < m->key.of) /* the rest does not fill a page */
            snprintf(out, n, "Key: %u of %u tokens", m->key.units, m->key.of);
        else
            snprintf(out, n, "Key: %u token%s", m->key.units, m->key.units == 1 ? "" : "s");
        return;
    }
    const struct request *q = &m->sc.w->request[m->request];
    if (n < 26)
        snprintf(out, n, "Request %u", q->rid);
    else
        snprintf(out, n, "Request %u: %u tokens%s%s", q->rid, q->total_len, n > 40 ? ", " : "",
             n > 40 ? state_text(m, q) : "");
}
