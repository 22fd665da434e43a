#include "tape/why.h"

#include <stdio.h>
#include <string.h>

static const char *const CODES[MISS_CODES] = {"last-token", "evicted", "namespace", "page",
                                              "diverged",   "cold",    "too-big",   "off"};

const char *miss_code_name(enum miss_code code)
{
    return CODES[code];
}

/* ---- reading a moment -------------------------------------------------------------------------------- */

static const uint32_t *prompt_of(const struct world *w, uint32_t req)
{
    return w->row_token + w->request[req].row_off;
}

static uint32_t equal_run(const uint32_t *a, const uint32_t *b, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* Raw tokens of the prompt that node's key equals, from position `at` on. */
static uint32_t node_equal(struct scene sc, uint32_t node, const uint32_t *prompt, uint32_t len, uint32_t at)
{
    uint32_t raw = node_raw_len(sc.w, node), left = len - at;
    return equal_run(node_tokens(sc, node), prompt + at, raw < left ? raw : left);
}

/* The child of `node` in namespace ns (any child when ns is UINT32_MAX) that shares most tokens. */
static uint32_t best_child(struct scene sc, uint32_t node, const uint32_t *prompt, uint32_t len, uint32_t at,
                           uint32_t ns, uint32_t *equal)
{
    uint32_t best = 0;
    *equal = 0;
    for (uint32_t c = sc.w->node[node].first_child; c != 0; c = sc.w->node[c].next) {
        if (ns != UINT32_MAX && sc.w->node[c].ns != ns)
            continue;
        uint32_t e = node_equal(sc, c, prompt, len, at);
        if (best == 0 || e > *equal) {
            best = c;
            *equal = e;
        }
    }
    return best;
}

/* How many raw tokens of the prompt the tree holds in namespaces other than `mine`, and where. */
static uint32_t elsewhere(struct scene sc, const uint32_t *prompt, uint32_t len, uint32_t mine, uint32_t *where)
{
    uint32_t most = 0;
    for (uint32_t c = sc.w->node[ROOT].first_child; c != 0; c = sc.w->node[c].next) {
        uint32_t node = c, at = 0, e;
        if (sc.w->node[c].ns == mine)
            continue;
        while (node != 0 && (e = node_equal(sc, node, prompt, len, at)) >= sc.w->node[node].len && at + e < len) {
            at += sc.w->node[node].len;
            uint32_t shared;
            node = best_child(sc, node, prompt, len, at, UINT32_MAX, &shared);
        }
        at += node != 0 ? node_equal(sc, node, prompt, len, at) : 0;
        if (at > most) {
            most = at;
            *where = c;
        }
    }
    return most;
}

/* Raw tokens of the prompt on the path to `node`, whose ancestors must be equal as a whole; 0 if not. */
static uint32_t path_equal(struct scene sc, uint32_t node, const uint32_t *prompt, uint32_t len, uint32_t ns)
{
    uint32_t at = node_start(sc.w, node);
    if (sc.w->node[node].ns != ns || at >= len)
        return 0;
    uint32_t total = at + node_equal(sc, node, prompt, len, at);
    for (uint32_t n = sc.w->node[node].parent; n != ROOT; n = sc.w->node[n].parent) {
        at -= sc.w->node[n].len;
        if (node_equal(sc, n, prompt, len, at) < sc.w->node[n].len)
            return 0;
    }
    return total;
}

/* ---- the miss doctor ----------------------------------------------------------------------------------- */

/* The step up to `upto` at which the request was admitted, or refused afterwards; 0: neither. */
static uint32_t decided_at(const struct tape *t, int branch, uint32_t upto, uint32_t req, struct step *out)
{
    uint32_t found = 0;
    struct step s;
    for (uint32_t n = 1; n <= upto; n++) {
        tape_step(t, branch, n, &s);
        if ((s.kind == EV_ADMIT || s.kind == EV_REFUSE) && s.arg[0] == req) {
            found = n;
            *out = s;
        }
    }
    return found;
}

/* The last eviction before step `match` that took most of what the prompt could have used. */
static void look_for_eviction(struct cursor *c, uint32_t match, struct miss *m, const uint32_t *prompt, uint32_t ns)
{
    uint32_t most = m->matched;
    for (uint32_t n = 0; (n = tape_find_kind(c->tape, c->branch, n, 1, EV_VICTIM)) != 0 && n < match;) {
        struct step s;
        tape_step(c->tape, c->branch, n, &s);
        cursor_seek(c, c->branch, n - 1);
        uint32_t equal = path_equal(cursor_scene(c), s.arg[0], prompt, m->of - 1, ns);
        equal -= equal % c->w->head.page_size;
        if (equal > most || (equal == most && equal > m->matched)) {
            most = equal;
            m->step = n;
            m->node = s.arg[0];
        }
    }
    m->lost = most - m->matched;
    if (m->lost > 0)
        m->code = MISS_EVICTED;
}

static void fill_windows(struct scene sc, struct miss *m, const uint32_t *prompt, uint32_t node, uint32_t equal)
{
    m->node = node;
    m->at = m->matched + equal;
    for (m->wants = 0; m->wants < MISS_WINDOW && m->at + m->wants < m->of; m->wants++)
        m->want[m->wants] = prompt[m->at + m->wants];
    uint32_t raw = node != 0 ? node_raw_len(sc.w, node) : 0;
    for (m->haves = 0; m->haves < MISS_WINDOW && equal + m->haves < raw; m->haves++)
        m->have[m->haves] = node_tokens(sc, node)[equal + m->haves];
}

/* The step that made what stands at `node`: where its leaf came into the tree. */
static uint32_t made_at(const struct tape *t, int branch, uint32_t before, uint32_t node)
{
    struct step s;
    for (uint32_t n = before; (n = tape_find_kind(t, branch, n, -1, EV_LEAF)) != 0;) {
        tape_step(t, branch, n, &s);
        if (s.arg[0] == node)
            return n;
    }
    return 0;
}

/* The prompt leaves the tree at the match's end: on one page, at another branch, or into the unknown. */
static void look_at_the_end(struct cursor *c, uint32_t match, struct miss *m, const uint32_t *prompt, uint32_t end,
                            uint32_t ns)
{
    struct scene sc = cursor_scene(c);
    uint32_t equal, child = best_child(sc, end, prompt, m->of, m->matched, end == ROOT ? ns : UINT32_MAX, &equal);
    fill_windows(sc, m, prompt, child, equal);
    uint32_t made = child != 0 ? made_at(c->tape, c->branch, match, child) : 0;
    m->step = made != 0 ? made : match;
    if (equal > 0 && sc.w->head.page_size > 1) {
        m->code = MISS_PAGE;
        m->lost = equal;
        m->step = match;
    } else if (child != 0 && (m->matched > 0 || equal > 0)) {
        m->code = MISS_DIVERGED;
    } else {
        m->code = MISS_COLD;
        m->step = match;
    }
}

static void look_elsewhere(struct cursor *c, uint32_t match, struct miss *m, const uint32_t *prompt, uint32_t ns)
{
    uint32_t where = 0, most = elsewhere(cursor_scene(c), prompt, m->of - 1, ns, &where);
    most -= most % c->w->head.page_size;
    if (most <= m->matched)
        return;
    m->code = MISS_NAMESPACE;
    m->lost = most - m->matched;
    m->node = where;
    m->ns = c->w->node[where].ns;
    uint32_t made = made_at(c->tape, c->branch, match, where);
    m->step = made != 0 ? made : match;
}

/* The request stands admitted at step n with `matched` tokens. */
static void examine_match(struct cursor *c, uint32_t n, struct miss *m)
{
    cursor_seek(c, c->branch, n);
    const struct world *w = c->w;
    uint32_t ns = w->request[m->req].ns, end = w->request[m->req].node, size = w->head.page_size;
    uint32_t raw = m->of - 1 - (m->of > 1 ? w->head.bigram : 0);
    m->step = n;
    if (w->head.disabled) {
        m->code = MISS_OFF;
        return;
    }
    if (m->matched == raw - raw % size) {
        m->code = MISS_LAST_TOKEN;
        return;
    }
    /* requests' rows are never used again while recording, so the prompt stays readable */
    look_at_the_end(c, n, m, prompt_of(w, m->req), end, ns);
    look_elsewhere(c, n, m, prompt_of(w, m->req), ns);
    cursor_seek(c, c->branch, n);
    struct miss evicted = *m;
    /* a copy, because the cursor goes to moments before the request; evictions are looked for that far */
    uint32_t prompt[4096], most = m->of < ARRAY_LEN(prompt) ? m->of : ARRAY_LEN(prompt);
    memcpy(prompt, prompt_of(w, m->req), most * sizeof *prompt);
    evicted.of = most;
    look_for_eviction(c, n, &evicted, prompt, ns);
    if (evicted.code == MISS_EVICTED && evicted.lost > 0) {
        evicted.of = m->of;
        *m = evicted;
    }
}

bool miss_examine(struct cursor *c, uint32_t upto, uint32_t req, struct miss *out)
{
    struct step s = {0};
    uint32_t here = c->at, n = decided_at(c->tape, c->branch, upto, req, &s);
    *out = (struct miss){.req = req};
    if (n == 0)
        return false;
    if (s.kind == EV_REFUSE) {
        out->code = MISS_TOO_BIG;
        out->step = n;
        return true;
    }
    out->matched = s.arg[1];
    out->of = s.arg[2];
    examine_match(c, n, out);
    cursor_seek(c, c->branch, here);
    return true;
}

/* ---- sentences ------------------------------------------------------------------------------------------ */

static void add_tokens(const struct event_words *words, const uint32_t *tok, uint32_t n, struct buf *b)
{
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(b, ' ');
        if (words != NULL && words->token != NULL)
            words->token(words->ctx, tok[i], b);
        else
            buf_printf(b, "%u", tok[i]);
    }
}

void miss_sentence(struct scene sc, const struct event_words *words, const struct miss *m, struct buf *b)
{
    uint32_t left = m->of - m->matched;
    buf_printf(b, "Request %u: ", sc.w->request[m->req].rid);
    switch (m->code) {
    case MISS_LAST_TOKEN:
        buf_printf(b, "all it may reuse was cached, %u of %u tokens; the last one is always computed", m->matched,
                   m->of);
        if (sc.w->head.page_size > 1)
            buf_printf(b, ", and only whole pages of %u count", sc.w->head.page_size);
        buf_puts(b, ".");
        return;
    case MISS_EVICTED:
        buf_printf(b, "%u more of its tokens were cached, but evicted at step %u.", m->lost, m->step);
        return;
    case MISS_NAMESPACE:
        buf_printf(b, "%u more of its tokens are cached, but in %s%s: namespaces share nothing.", m->lost,
                   m->ns == 0 ? "no namespace" : "namespace ", m->ns == 0 ? "" : store_name(sc.s, m->ns));
        return;
    case MISS_PAGE:
        buf_printf(b, "%u more %s equal, but a page has %u and only whole pages are shared.", m->lost,
                   m->lost == 1 ? "token was" : "tokens were", sc.w->head.page_size);
        return;
    case MISS_DIVERGED:
        buf_printf(b, "it leaves the tree at token %u: it has ", m->at + 1);
        add_tokens(words, m->want, m->wants < 2 ? m->wants : 2, b);
        buf_puts(b, " where the tree has ");
        add_tokens(words, m->have, m->haves < 2 ? m->haves : 2, b);
        buf_printf(b, "; %u of %u tokens are computed.", left, m->of);
        return;
    case MISS_COLD:
        if (m->matched == 0)
            buf_printf(b, "cold: nobody has sent these %u tokens before.", m->of);
        else
            buf_printf(b, "new from token %u on: nobody has gone on from there before.", m->matched + 1);
        return;
    case MISS_TOO_BIG:
        buf_puts(b, "it was refused, so it reuses nothing.");
        return;
    default:
        buf_puts(b, "the cache is switched off.");
        return;
    }
}

/* ---- chains of causes ------------------------------------------------------------------------------------ */

struct chain {
    struct cursor *c;
    const struct event_words *words;
    struct cause *out;
    int n;
};

/* Step n itself, in its own words. */
static void chain_step(struct chain *k, uint32_t n)
{
    struct step s;
    struct buf b = {0};
    if (k->n == CAUSES || n == 0)
        return;
    tape_step(k->c->tape, k->c->branch, n, &s);
    cursor_seek(k->c, k->c->branch, n);
    event_sentence(cursor_scene(k->c), k->words, s.kind, s.arg, &b);
    struct cause *out = &k->out[k->n++];
    out->step = n;
    snprintf(out->text, sizeof out->text, "%s", buf_text(&b));
    buf_free(&b);
}

static void chain_say(struct chain *k, uint32_t n, const char *text)
{
    if (k->n == CAUSES)
        return;
    k->out[k->n].step = n;
    snprintf(k->out[k->n++].text, sizeof k->out[0].text, "%s", text);
}

/* The nearest earlier step that used the node: walked it, made it, split it. */
static uint32_t last_use(const struct tape *t, int branch, uint32_t before, uint32_t node)
{
    struct step s;
    for (uint32_t n = before; n > 0; n--) {
        tape_step(t, branch, n, &s);
        bool uses = s.kind == EV_WALK || s.kind == EV_LEAF || s.kind == EV_SPLIT || s.kind == EV_INSERT_WALK;
        if (uses && s.arg[0] == node)
            return n;
    }
    return 0;
}

/* The first later request that had to compute what step n evicted. */
static void chain_cost(struct chain *k, uint32_t n)
{
    const struct tape *t = k->c->tape;
    uint32_t end = tape_length(t, k->c->branch);
    for (uint32_t a = n; (a = tape_find_kind(t, k->c->branch, a, 1, EV_ADMIT)) != 0;) {
        struct step s;
        struct miss m;
        char text[120];
        tape_step(t, k->c->branch, a, &s);
        if (!miss_examine(k->c, end, s.arg[0], &m) || m.code != MISS_EVICTED || m.step != n)
            continue;
        cursor_seek(k->c, k->c->branch, a);
        snprintf(text, sizeof text, "What it cost: request %u computes %u tokens again.",
                 k->c->w->request[s.arg[0]].rid, m.lost);
        chain_say(k, a, text);
        return;
    }
}

static void chain_victim(struct chain *k, uint32_t n, const struct step *s)
{
    const struct tape *t = k->c->tape;
    uint32_t evict = tape_find_kind(t, k->c->branch, n, -1, EV_EVICT);
    uint32_t alloc = tape_find_kind(t, k->c->branch, evict, -1, EV_ALLOC);
    chain_step(k, alloc);
    chain_step(k, evict);
    chain_step(k, n);
    uint32_t used = last_use(t, k->c->branch, n - 1, s->arg[0]);
    if (used != 0)
        chain_say(k, used, "It was last used here.");
    chain_cost(k, n);
}

int why_chain(struct cursor *c, const struct event_words *words, uint32_t n, struct cause out[CAUSES])
{
    struct chain k = {c, words, out, 0};
    struct step s;
    uint32_t here = c->at;
    if (n == 0 || n > tape_length(c->tape, c->branch))
        return 0;
    tape_step(c->tape, c->branch, n, &s);
    if (s.kind == EV_VICTIM)
        chain_victim(&k, n, &s);
    else if (s.kind == EV_SPLIT) {
        chain_step(&k, tape_find_depth(c->tape, c->branch, n, -1, DEPTH_OPERATION));
        chain_step(&k, n);
        chain_step(&k, made_at(c->tape, c->branch, n, s.arg[0]));
    } else if (s.kind == EV_REFUSE || s.kind == EV_ALLOC_FAIL) {
        chain_step(&k, tape_find_kind(c->tape, c->branch, n, -1, EV_ALLOC));
        chain_step(&k, tape_find_kind(c->tape, c->branch, n, -1, EV_EVICTED));
        chain_step(&k, n);
    } else if (s.kind == EV_MISS || s.kind == EV_MATCHED) {
        struct miss m;
        struct buf b = {0};
        uint32_t admit = tape_find_kind(c->tape, c->branch, n, 1, EV_ADMIT);
        struct step a = {0};
        if (admit != 0)
            tape_step(c->tape, c->branch, admit, &a);
        if (admit != 0 && miss_examine(c, admit, a.arg[0], &m)) {
            cursor_seek(c, c->branch, admit);
            miss_sentence(cursor_scene(c), words, &m, &b);
            chain_say(&k, n, buf_text(&b));
            if (m.step != admit)
                chain_step(&k, m.step);
        }
        buf_free(&b);
    }
    cursor_seek(c, c->branch, here);
    return k.n;
}

/* ---- reverse watch ---------------------------------------------------------------------------------------- */

struct watching {
    uint32_t low, high; /* words [low, high) that belong to it */
    bool touched;
};

static void see_run(void *ctx, uint32_t word, uint32_t count)
{
    struct watching *k = ctx;
    k->touched = k->touched || (word < k->high && word + count > k->low);
}

static struct watching watched_words(const struct tape *t, enum watch_kind kind, uint32_t what)
{
    const struct world *w = tape_world(t);
    const uint32_t *at = kind == WATCH_NODE      ? &w->node[what].id
                         : kind == WATCH_REQUEST ? &w->request[what].rid
                         : kind == WATCH_SLOT    ? &w->kv[what]
                                                 : NULL;
    uint32_t n = kind == WATCH_NODE ? sizeof(struct node) / 4 : kind == WATCH_REQUEST ? sizeof(struct request) / 4 : 1;
    uint32_t low = at != NULL ? (uint32_t)(at - w->word) : 0;
    return (struct watching){low, at != NULL ? low + n : 0, false};
}

/* Does the step name it? A slot also when its page left or joined the free list. */
static bool step_names(const struct tape *t, const struct step *s, enum watch_kind kind, uint32_t what)
{
    static const char TYPE[] = {[WATCH_NODE] = 'n', [WATCH_SLOT] = 's', [WATCH_REQUEST] = 'r', [WATCH_TOKEN] = 't'};
    (void)t;
    for (int i = 0; i < s->nargs; i++)
        if (event_arg_type(s->kind, i) == TYPE[kind] && s->arg[i] == what)
            return true;
    return false;
}

uint32_t watch_find(const struct tape *t, int branch, uint32_t from, int dir, enum watch_kind kind, uint32_t what)
{
    return watch_find_near(t, branch, from, dir, UINT32_MAX, kind, what);
}

uint32_t watch_find_near(const struct tape *t, int branch, uint32_t from, int dir, uint32_t most, enum watch_kind kind,
                         uint32_t what)
{
    uint32_t end = tape_length(t, branch), page = what / tape_world(t)->head.page_size;
    for (uint32_t n = from + (uint32_t)dir; n >= 1 && n <= end && most > 0; n += (uint32_t)dir, most--) {
        struct step s;
        struct watching k = watched_words(t, kind, what), list = k;
        tape_step(t, branch, n, &s);
        if (kind == WATCH_SLOT) {
            list.low = (uint32_t)(&tape_world(t)->page[page] - tape_world(t)->word);
            list.high = list.low + 1;
            tape_changes(t, branch, n, see_run, &list);
        }
        if (kind != WATCH_TOKEN)
            tape_changes(t, branch, n, see_run, &k);
        if (k.touched || list.touched || step_names(t, &s, kind, what))
            return n;
    }
    return 0;
}
