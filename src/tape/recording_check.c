#include "tape/recording_check.h"

#include "base/xalloc.h"
#include "tape/check.h"
#include "tape/tape_io.h"

enum {
    MOST_MINUS = 1 << 20,       /* subtractions of 0.00001 that a reader is made to do */
    CHECK_BUDGET = 20000000,    /* nodes that world_check may visit in all */
};

struct bounds {
    const struct tape *t;
    struct scene sc;
    const struct world *w;
    uint32_t *near;             /* (nears) nodes that a step touches, and their neighbours before it */
    size_t nears, near_cap;
    bool no_memory;
    const char *wrong;          /* what is out of bounds; NULL: nothing yet */
    uint32_t at;                /* where */
};

static void must(struct bounds *b, bool holds, const char *what, uint32_t at)
{
    if (holds || b->wrong != NULL)
        return;
    b->wrong = what;
    b->at = at;
}

static bool is_page(const struct bounds *b, uint32_t page)
{
    return page == FREE_END || page <= b->t->cfg.pool / b->t->cfg.page_size;
}

static bool is_slot(const struct bounds *b, uint32_t slot)
{
    return slot < b->t->cfg.pool + b->t->cfg.page_size;
}

/* n units from off inside `top`. */
static bool inside(uint32_t off, uint64_t n, uint32_t top)
{
    return off + n <= top;
}

static void check_head(struct bounds *b)
{
    const struct head *h = &b->w->head;
    const struct world_config *c = &b->t->cfg;
    must(b, h->pool == c->pool && h->page_size == c->page_size && h->rules == c->rules && h->bigram == c->bigram,
         "the configuration", 0);
    must(b, h->policy < POLICY_COUNT, "the policy", h->policy);
    must(b, h->node_top > ROOT && h->node_top <= WORLD_NODES && h->node_free < WORLD_NODES, "the nodes", h->node_top);
    must(b, h->node_count <= h->node_top, "the number of nodes", h->node_count);
    must(b, h->request_top >= 1 && h->request_top <= WORLD_REQUESTS && h->request_free < WORLD_REQUESTS,
         "the requests", h->request_top);
    must(b, h->row_top <= WORLD_ROWS, "the rows", h->row_top);
    must(b, h->tag_top <= WORLD_TAGS && h->tag_free < WORLD_TAGS, "the tags", h->tag_top);
    must(b, is_page(b, h->free_first) && is_page(b, h->free_last), "the free list", h->free_first);
    must(b, is_page(b, h->side_first) && is_page(b, h->side_last), "the side list", h->side_first);
    must(b, h->free_pages <= h->pool && h->side_pages <= h->pool, "the free pages", h->free_pages);
    must(b, h->planned_first < WORLD_REQUESTS && h->queue_first < WORLD_REQUESTS && h->batch_first < WORLD_REQUESTS &&
            h->chunked_req < WORLD_REQUESTS && h->cost_text < b->sc.s->name_count, "the schedule", 0);
    must(b, h->closed_count <= WORLD_CLOSED && h->closed_next <= WORLD_CLOSED, "the closed sessions", 0);
}

static void check_node(struct bounds *b, uint32_t i)
{
    const struct node *n = &b->w->node[i];
    const struct store *s = b->sc.s;
    must(b, n->parent < WORLD_NODES && n->first_child < WORLD_NODES && n->last_child < WORLD_NODES &&
            n->prev < WORLD_NODES && n->next < WORLD_NODES, "the links of node", i);
    must(b, n->ns < s->name_count, "the namespace of node", i);
    must(b, n->tags < WORLD_TAGS, "the tags of node", i);
    must(b, n->last_minus <= MOST_MINUS, "the last access of node", i);
    must(b, inside(n->key_off, (uint64_t)n->len + b->w->head.bigram * (n->len > 0), s->token_top),
         "the tokens of node", i);
    must(b, inside(n->val_off, n->len, s->value_top), "the slots of node", i);
}

static void check_request(struct bounds *b, uint32_t i)
{
    const struct request *q = &b->w->request[i];
    const struct store *s = b->sc.s;
    must(b, q->state <= REQ_PLANNED, "the state of request", i);
    must(b, q->ns < s->name_count && q->label < s->name_count && q->adapter < s->name_count && q->session < WORLD_SESSIONS &&
            q->session < s->name_count, "the names of request", i);
    must(b, inside(q->row_off, q->row_cap, WORLD_ROWS), "the row of request", i);
    must(b, q->total_len <= q->row_cap && q->prompt_len <= q->row_cap && q->kv_len <= q->row_cap &&
            (q->cached_len <= q->row_cap || b->w->head.bug != 0) && q->protected_len <= q->row_cap && q->computed_len <= q->row_cap,
         "the lengths of request", i);
    must(b, q->total_len >= q->prompt_len || q->state == REQ_FREE, "the lengths of request", i);
    must(b, q->node < WORLD_NODES, "the node of request", i);
}

static void check_served(struct bounds *b, uint32_t i)
{
    const struct served *q = &b->w->served[i];
    must(b, q->next < WORLD_REQUESTS && q->held_by < WORLD_REQUESTS && q->routing_key < b->sc.s->name_count,
         "the schedule of request", i);
}

static void check_tag(struct bounds *b, uint32_t i)
{
    const struct tag *t = &b->w->tag[i];
    must(b, t->node < WORLD_NODES && t->session < WORLD_SESSIONS && t->next_of_node < WORLD_TAGS &&
            t->next_of_session < WORLD_TAGS, "tag", i);
}

/* Words of an array whose entries are checked whole: the first and last entry that [word, end) touches. */
static void check_entries(struct bounds *b, uint32_t word, uint32_t end, const void *array, uint32_t count,
                          uint32_t words, void (*check)(struct bounds *b, uint32_t i))
{
    uint32_t first = (uint32_t)((const uint32_t *)array - b->w->word);
    uint32_t from = word > first ? word - first : 0, to = end > first ? end - first : 0;
    if (to > count * words)
        to = count * words;
    for (uint32_t i = from / words; from < to && i <= (to - 1) / words; i++)
        check(b, i);
}

static void check_page(struct bounds *b, uint32_t i)
{
    must(b, is_page(b, b->w->page[i]), "page", i);
}

static void check_row_slot(struct bounds *b, uint32_t i)
{
    must(b, is_slot(b, b->w->row_slot[i]), "the slot of row", i);
}

static void check_session(struct bounds *b, uint32_t i)
{
    must(b, b->w->session_tags[i] < WORLD_TAGS, "session", i);
}

static void check_closed(struct bounds *b, uint32_t i)
{
    must(b, b->w->closed[i] < b->sc.s->name_count, "closed session", i);
}

static void check_words(void *ctx, uint32_t word, uint32_t count)
{
    struct bounds *b = ctx;
    const struct world *w = b->w;
    uint32_t end = word + count;
    if (word < sizeof(struct head) / 4)
        check_head(b);
    check_entries(b, word, end, w->node, WORLD_NODES, sizeof(struct node) / 4, check_node);
    check_entries(b, word, end, w->request, WORLD_REQUESTS, sizeof(struct request) / 4, check_request);
    check_entries(b, word, end, w->page, WORLD_SLOTS, 1, check_page);
    check_entries(b, word, end, w->row_slot, WORLD_ROWS, 1, check_row_slot);
    check_entries(b, word, end, w->tag, WORLD_TAGS, sizeof(struct tag) / 4, check_tag);
    check_entries(b, word, end, w->session_tags, WORLD_SESSIONS, 1, check_session);
    check_entries(b, word, end, w->closed, WORLD_CLOSED, 1, check_closed);
    check_entries(b, word, end, w->served, WORLD_REQUESTS, sizeof(struct served) / 4, check_served);
}

/* ---- links: also between settled steps nobody may run in circles ------------------------------------------
 *
 * Siblings name each other both ways and the first has no prev: then no walk along `next` can come back to
 * where it was. Whose parent changed reaches the root: then no walk along `parent` can. Both held before the
 * step (by induction), so only what it touched has to be looked at, and who was a neighbour of that before. */

static void add_near(struct bounds *b, uint32_t node)
{
    if (node == 0)
        return;
    void *grown = b->near;
    if (!xgrow(&grown, &b->near_cap, b->nears + 1, sizeof *b->near))
        b->no_memory = true;
    else
        ((uint32_t *)grown)[b->nears++] = node;
    b->near = grown;
}

static void add_neighbours(struct bounds *b, uint32_t i)
{
    const struct node *n = &b->w->node[i];
    add_near(b, i);
    if (!node_live(b->w, i))
        return;
    add_near(b, n->parent);
    add_near(b, n->prev);
    add_near(b, n->next);
    add_near(b, n->first_child);
    add_near(b, n->last_child);
}

/* Called before the step is applied. */
static void note_touched(void *ctx, uint32_t word, uint32_t count)
{
    struct bounds *b = ctx;
    check_entries(b, word, word + count, b->w->node, WORLD_NODES, sizeof(struct node) / 4, add_neighbours);
}

static bool links_fit(const struct bounds *b, uint32_t i)
{
    const struct node *all = b->w->node, *n = &all[i];
    if (!node_live(b->w, i))
        return true;
    if (n->first_child != 0 && (all[n->first_child].parent != i || all[n->first_child].prev != 0))
        return false;
    if (i == ROOT)
        return n->parent == 0 && n->next == 0;
    if (n->next != 0 && (all[n->next].prev != i || all[n->next].parent != n->parent))
        return false;
    return n->prev != 0 ? all[n->prev].next == i && all[n->prev].parent == n->parent : all[n->parent].first_child == i;
}

static bool reaches_root(const struct bounds *b, uint32_t i)
{
    uint32_t steps = 0;
    for (; i != ROOT && steps <= b->w->head.node_top; steps++)
        if ((i = b->w->node[i].parent) == 0)
            return false;
    return i == ROOT;
}

static void check_links(struct bounds *b)
{
    for (size_t k = 0; k < b->nears && b->wrong == NULL; k++) {
        uint32_t i = b->near[k];
        must(b, i < WORLD_NODES && links_fit(b, i), "the links of node", i);
        must(b, b->wrong != NULL || !node_live(b->w, i) || reaches_root(b, i), "the way up from node", i);
    }
}

static void check_args(struct bounds *b, const struct step *step)
{
    for (int i = 0; i < step->nargs; i++) {
        uint32_t v = step->arg[i];
        switch (event_arg_type(step->kind, i)) {
        case 'n': must(b, v < WORLD_NODES, "a node in a step", v); break;
        case 'r': must(b, v < WORLD_REQUESTS, "a request in a step", v); break;
        case 'x': must(b, v < b->sc.s->name_count, "a name in a step", v); break;
        case 'p':
        case 'w': must(b, v <= POLICY_COUNT, "a policy in a step", v); break; /* the last one: Belady's choice */
        default: break;
        }
    }
}

static int check_branch(struct bounds *b, struct cursor *c, int branch, int64_t *budget, struct err *e)
{
    const struct tape *t = b->t;
    uint32_t base = 0, end = tape_length(t, branch);
    tape_parent(t, branch, &base);
    for (uint32_t n = base + 1; n <= end; n++) {
        struct step step;
        cursor_seek(c, branch, n - 1);
        b->nears = 0;
        tape_changes(t, branch, n, note_touched, b);
        cursor_seek(c, branch, n);
        tape_step(t, branch, n, &step);
        check_args(b, &step);
        tape_changes(t, branch, n, check_words, b);
        check_links(b);
        if (b->no_memory)
            return err_memory(e, b->near_cap * 4, "checking a recording");
        if (b->wrong != NULL)
            return err_set(e, "step %u of branch %d leads outside: %s %u", n, branch, b->wrong, b->at);
        if (!step.settled || b->w->head.bug != 0 || (*budget < 0 && n != end)) /* a bug of the museum breaks them */
            continue;
        *budget -= b->w->head.node_count + b->w->head.pool / b->w->head.page_size / 4;
        struct err inner = {0};
        if (world_check(b->sc, &inner) != 0)
            return err_set(e, "step %u of branch %d breaks an invariant: %s", n, branch, inner.what);
    }
    return 0;
}

int recording_check(const struct tape *t, struct err *e)
{
    struct cursor c;
    int64_t budget = CHECK_BUDGET;
    if (cursor_init(&c, t, e) != 0)
        return -1;
    struct bounds b = {.t = t, .sc = cursor_scene(&c), .w = c.w};
    for (uint32_t i = 0; i < t->store->value_top; i++)
        must(&b, is_slot(&b, t->store->value[i]), "slot", t->store->value[i]);
    int rc = b.wrong != NULL ? err_set(e, "the store leads outside: %s %u", b.wrong, b.at) : 0;
    for (int i = 0; rc == 0 && i < tape_branches(t); i++)
        rc = check_branch(&b, &c, i, &budget, e);
    cursor_done(&c);
    xfree(b.near);
    return rc;
}
