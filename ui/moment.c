#include "ui/moment.h"

#include <string.h>

#include "base/xalloc.h"

int moment_init(struct moment *m, const struct tape *tape, const struct ui_words *words, struct err *e)
{
    const struct head *h = &tape_world(tape)->head; /* pool and page size never change */
    *m = (struct moment){.tape = tape, .words = words, .slots = h->pool + h->page_size};
    m->touched = xcalloc(TOUCHED_NODES, sizeof *m->touched);
    bool ok = m->touched != NULL;
    if (m->slots <= SLOTS_DRAWN) {
        m->now = xcalloc(m->slots, sizeof *m->now);
        m->was = xcalloc(m->slots, sizeof *m->was);
        ok = ok && m->now != NULL && m->was != NULL;
    }
    if (ok)
        return 0;
    moment_done(m);
    return err_memory(e, (size_t)m->slots * 8, "the picture of a moment");
}

void moment_done(struct moment *m)
{
    xfree(m->touched);
    xfree(m->path);
    xfree(m->now);
    xfree(m->was);
    *m = (struct moment){0};
}

/* ---- who owns each slot ----------------------------------------------------------------------------- */

static void own_by_nodes(struct scene sc, uint32_t *owner, uint32_t slots)
{
    for (uint32_t n = ROOT; n != 0; n = node_preorder(sc.w, n)) {
        const uint32_t *slot = node_slots(sc, n);
        for (uint32_t i = 0; i < sc.w->node[n].len; i++)
            if (slot[i] < slots)
                owner[slot[i]] = n;
    }
}

/* A slot, and with it the rest of its page: pages are not shared. */
static void own_page(const struct world *w, uint32_t *owner, uint32_t slots, uint32_t slot, uint32_t r)
{
    uint32_t page = w->head.page_size, first = slot / page * page;
    for (uint32_t i = first; i < first + page && i < slots; i++)
        if (owner[i] == OWNER_TRANSIT)
            owner[i] = OWNER_REQUEST + r;
}

/* Slots of running requests that are not the tree's. `current` may be on its way out: what it still holds
 * is its own until it is released. */
static void own_by_requests(const struct world *w, uint32_t current, uint32_t *owner, uint32_t slots)
{
    for (uint32_t r = 1; r < w->head.request_top; r++) {
        const struct request *q = &w->request[r];
        if (q->state != REQ_PREFILL && q->state != REQ_DECODE && r != current)
            continue;
        for (uint32_t p = q->protected_len; p < q->kv_len; p++)
            own_page(w, owner, slots, w->row_slot[q->row_off + p], r);
    }
}

static void find_owners(struct scene sc, uint32_t current, uint32_t *owner, uint32_t slots)
{
    uint32_t page = sc.w->head.page_size;
    ASSERT(page > 0);
    for (uint32_t s = 0; s < slots; s++)
        owner[s] = s < page || sc.w->page[s / page] != 0 ? OWNER_FREE : OWNER_TRANSIT;
    own_by_nodes(sc, owner, slots);
    own_by_requests(sc.w, current, owner, slots);
}

/* ---- what the step changed -------------------------------------------------------------------------- */

#define NODES_AT (offsetof(struct world, node) / 4)
#define NODE_WORDS (sizeof(struct node) / 4)
#define REQUESTS_AT (offsetof(struct world, request) / 4)

static void touch_node(struct moment *m, uint32_t node, unsigned field, uint32_t before)
{
    ASSERT(m->touched != NULL);
    struct touched *last = m->touched_n > 0 ? &m->touched[m->touched_n - 1] : NULL;
    if (last == NULL || last->node != node) { /* runs come in ascending order */
        if (m->touched_n == TOUCHED_NODES)
            return;
        last = &m->touched[m->touched_n++];
        last->node = node;
        last->fields = 0;
    }
    last->fields |= 1u << field;
    last->before[field] = before;
}

/* tape_changes calls this while the cursor stands before the step. */
static void visit_change(void *ctx, uint32_t word, uint32_t count)
{
    struct moment *m = ctx;
    for (uint32_t i = word; i < word + count; i++) {
        if (i >= NODES_AT && i < REQUESTS_AT) /* requests stand behind the nodes */
            touch_node(m, (i - NODES_AT) / NODE_WORDS, (i - NODES_AT) % NODE_WORDS, m->sc.w->word[i]);
    }
}

/* An entry that is free now keeps stale words: fill in what a removed node was, to draw it once more. */
static void find_gone(struct moment *m)
{
    uint32_t node = event_about(m->step.kind, m->step.arg, 'n');
    m->gone = 0;
    if (m->at == 0 || node == 0 || node_live(m->sc.w, node))
        return;
    struct touched *t = (struct touched *)moment_touched(m, node);
    if (t == NULL)
        return;
    const uint32_t *word = (const uint32_t *)&m->sc.w->node[node];
    for (unsigned f = 0; f < NODE_WORDS; f++)
        if (!(t->fields >> f & 1))
            t->before[f] = word[f];
    m->gone = t->before[NODE_FIELD(parent)] != 0 ? node : 0;
}

/* ---- the step and its request ----------------------------------------------------------------------- */

static void load_step(struct moment *m, uint32_t at)
{
    m->at = at;
    m->op_at = 0;
    m->request = 0;
    m->step = m->op = (struct step){0};
    if (at == 0)
        return;
    tape_step(m->tape, m->branch, at, &m->step);
    m->op_at = tape_operation(m->tape, m->branch, at);
    if (m->op_at != 0)
        tape_step(m->tape, m->branch, m->op_at, &m->op);
    m->request = event_about(m->step.kind, m->step.arg, 'r');
    if (m->request == 0 && m->op_at != 0)
        m->request = event_about(m->op.kind, m->op.arg, 'r');
}

/* ---- the key that was typed ------------------------------------------------------------------------- */

/* Does a command about a bare key begin with this step? An insert that was not looked up is one, too. */
static bool begins_key(const struct step *s)
{
    bool key = s->kind == EV_MATCH || s->kind == EV_INSERT;
    return key && event_about(s->kind, s->arg, 'r') == 0;
}

/* The first step of the command around the moment; 0: it is about no key. */
static uint32_t key_begin(const struct moment *m)
{
    struct step s;
    uint32_t begin = 0;
    for (uint32_t n = m->at; n > 0 && m->request == 0; n--) {
        tape_step(m->tape, m->branch, n, &s);
        if ((s.settled && n != m->at) || event_about(s.kind, s.arg, 'r') != 0)
            break;
        if (begins_key(&s))
            begin = n;
    }
    return begin;
}

static void key_step(struct typed_key *k, const struct step *s, bool bare)
{
    switch (s->kind) {
    case EV_WALK:
    case EV_MATCHED: k->found = s->arg[event_arg(s->kind, s->kind == EV_WALK ? "total" : "units")]; break;
    case EV_SPLIT: k->found += k->state == KEY_LOOKING ? s->arg[event_arg(EV_SPLIT, "at")] : 0; break;
    case EV_INSERT_WALK: k->found += bare ? s->arg[event_arg(EV_INSERT_WALK, "units")] : 0; break;
    default: break;
    }
    switch (s->kind) {
    case EV_MATCHED: k->state = KEY_LOOKED; break;
    case EV_ALLOC: k->state = KEY_NEEDS; break;
    case EV_ALLOC_FAIL: k->state = KEY_FAILED; break;
    case EV_TAKE:
    case EV_INSERT: k->state = KEY_TAKEN; break;
    case EV_LEAF:
    case EV_INSERTED: k->state = KEY_IN; break;
    default: break;
    }
}

static void load_key(struct moment *m)
{
    struct step s;
    m->key = (struct typed_key){.begin = m->at > 0 ? key_begin(m) : 0};
    if (m->key.begin == 0)
        return;
    tape_step(m->tape, m->branch, m->key.begin, &s);
    bool bare = s.kind == EV_INSERT; /* not looked up before */
    m->key.units = m->key.of = s.arg[event_arg(s.kind, "units")];
    if (!bare) {
        m->key.of = s.arg[event_arg(EV_MATCH, "of")];
        m->key.name = s.arg[event_arg(EV_MATCH, "key")];
    }
    for (uint32_t n = m->key.begin; n <= m->at; n++) {
        tape_step(m->tape, m->branch, n, &s);
        key_step(&m->key, &s, bare);
    }
}

uint32_t moment_key_new(const struct moment *m)
{
    bool got = m->key.state == KEY_TAKEN || m->key.state == KEY_IN;
    return got && m->key.units > m->key.found ? m->key.units - m->key.found : 0;
}

/* ---- the path --------------------------------------------------------------------------------------- */

/* The node that this kind of step leaves the walk at; 0: none. */
static uint32_t walk_end(const struct step *s)
{
    switch (s->kind) {
    case EV_SPLIT: return s->arg[1]; /* the upper half is what is shared */
    case EV_WALK:
    case EV_MATCHED:
    case EV_INSERT_WALK:
    case EV_LEAF:
    case EV_INSERTED:
    case EV_LOCK:
    case EV_UNLOCK: return s->arg[0];
    default: return 0;
    }
}

static uint32_t find_tip(const struct moment *m)
{
    struct step s;
    uint32_t first = m->key.begin != 0 ? m->key.begin : m->op_at; /* of a typed key the whole command */
    for (uint32_t n = m->at; n >= first && n > 0; n--) {
        tape_step(m->tape, m->branch, n, &s);
        uint32_t node = walk_end(&s);
        if (node != 0 && node_live(m->sc.w, node))
            return node;
    }
    uint32_t held = m->request != 0 ? m->sc.w->request[m->request].node : 0;
    return node_live(m->sc.w, held) ? held : 0;
}

static void load_path(struct moment *m)
{
    m->tip = find_tip(m);
    m->path_n = m->matched = 0;
    void *path = m->path;
    for (uint32_t n = m->tip; n > ROOT; n = m->sc.w->node[n].parent) {
        bool room = xgrow(&path, &m->path_cap, m->path_n + 1u, sizeof *m->path);
        m->path = path;
        if (!room)
            break;
        m->path[m->path_n++] = n;
        m->matched += m->sc.w->node[n].len;
    }
}

/* ---- the moment ------------------------------------------------------------------------------------- */

static void load_before(struct moment *m, struct cursor *c)
{
    m->touched_n = 0;
    m->request_was = (struct request){0};
    m->owner_before = NULL;
    if (m->at == 0)
        return;
    cursor_seek(c, m->branch, m->at - 1);
    m->sc = cursor_scene(c);
    m->request_was = m->sc.w->request[m->request];
    tape_changes(m->tape, m->branch, m->at, visit_change, m);
    if (m->was != NULL) {
        find_owners(m->sc, m->request, m->was, m->slots);
        m->owner_before = m->was;
    }
}

void moment_load(struct moment *m, struct cursor *c, int branch, uint32_t at)
{
    m->branch = branch;
    m->length = tape_length(m->tape, branch);
    load_step(m, at < m->length ? at : m->length);
    load_before(m, c);
    cursor_seek(c, branch, m->at);
    m->sc = cursor_scene(c);
    m->owner = m->now;
    if (m->owner != NULL)
        find_owners(m->sc, m->request, m->owner, m->slots);
    find_gone(m);
    load_key(m);
    load_path(m);
}

bool moment_on_path(const struct moment *m, uint32_t node)
{
    for (uint32_t i = 0; i < m->path_n; i++)
        if (m->path[i] == node)
            return true;
    return node == ROOT && m->tip != 0;
}

const struct touched *moment_touched(const struct moment *m, uint32_t node)
{
    uint32_t low = 0, high = m->touched_n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (m->touched[mid].node < node)
            low = mid + 1;
        else
            high = mid;
    }
    return low < m->touched_n && m->touched[low].node == node ? &m->touched[low] : NULL;
}

bool moment_marked(const struct moment *m, uint32_t node)
{
    const struct touched *t = moment_touched(m, node);
    const unsigned links = 1u << NODE_FIELD(prev) | 1u << NODE_FIELD(next) | 1u << NODE_FIELD(first_child) |
                           1u << NODE_FIELD(last_child) | 1u << NODE_FIELD(child_count) |
                           1u << NODE_FIELD(tags);
    return t != NULL && (t->fields & ~links) != 0;
}

bool moment_changed(const struct moment *m, uint32_t node, unsigned field)
{
    const struct touched *t = moment_touched(m, node);
    return t != NULL && (t->fields >> field & 1) != 0;
}

uint32_t moment_focus(const struct moment *m)
{
    uint32_t node = m->at != 0 ? event_about(m->step.kind, m->step.arg, 'n') : 0;
    if (node != 0 && node == m->gone)
        node = moment_touched(m, node)->before[NODE_FIELD(parent)];
    if (node_live(m->sc.w, node))
        return node;
    return m->tip != 0 ? m->tip : ROOT;
}

uint32_t moment_held(const struct moment *m)
{
    const struct head *h = &m->sc.w->head;
    return h->pool - pool_free_slots(m->sc.w) - h->evictable_size - h->protected_size;
}

/* ---- the text of tokens ----------------------------------------------------------------------------- */

static void add_token(const struct ui_words *words, uint32_t id, struct buf *b)
{
    if (words->bytes != NULL)
        words->bytes(words->ctx, id, b);
    else if (words->said.token != NULL)
        words->said.token(words->said.ctx, id, b);
    else
        buf_printf(b, "%s%u", b->len > 0 ? " " : "", id);
}

void moment_tokens(const struct moment *m, const uint32_t *token, uint32_t n, size_t limit, struct buf *b)
{
    for (uint32_t i = 0; i < n && b->len < limit; i++)
        add_token(m->words, token[i], b);
}
