/* The table, and the figures that the world and the tape know. */
#include "lesson/figures.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lesson/figures_parts.h"
#include "script/nearest.h"
#include "tape/why.h"

static const struct figure FIGURES[] = {
#define X(id, name, args, help, group) {name, args, help, group, figure_##id},
    LESSON_FIGURES(X)
#undef X
};

const struct figure *figure_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(FIGURES); i++)
        if (strcmp(name, FIGURES[i].name) == 0)
            return &FIGURES[i];
    return NULL;
}

const struct figure *figure_at(unsigned i)
{
    return i < ARRAY_LEN(FIGURES) ? &FIGURES[i] : NULL;
}

/* "n ?k": how many at least, at most. */
static void count_arguments(const struct figure *f, int *least, int *most)
{
    *least = *most = 0;
    for (const char *c = f->arguments; *c != '\0'; c++) {
        bool may = *c == '?';
        if (*c == ' ')
            continue;
        c += may;
        *least += !may;
        *most += 1;
    }
}

char figure_type(const struct figure *f, int arg)
{
    for (const char *c = f->arguments; *c != '\0'; c++)
        if (*c != ' ' && *c != '?' && arg-- == 0)
            return *c;
    return 'v';
}

bool figure_takes(const struct figure *f, int args, struct err *e)
{
    int least, most;
    count_arguments(f, &least, &most);
    if (args >= least && args <= most)
        return true;
    if (least == most)
        err_set(e, "%s takes %d argument%s, not %d", f->name, least, least == 1 ? "" : "s", args);
    else
        err_set(e, "%s takes %d to %d arguments, not %d", f->name, least, most, args);
    return false;
}

int figure_unknown(const char *name, struct err *e)
{
    struct nearest near = {0};
    for (size_t i = 0; i < ARRAY_LEN(FIGURES); i++)
        nearest_try(&near, name, FIGURES[i].name);
    err_set(e, "there is no figure and no name '%.60s'", name);
    return near.name != NULL ? err_hint(e, "did you mean %s?", near.name)
                             : err_hint(e, "radixscope lesson figures lists them; a word that is meant as it is stands in quotes");
}

int figure_measure(const struct figure *f, const struct figure_call *call, struct value *out, struct err *e)
{
    return f->measure(call, out, e);
}

static const char *argument_name(char type)
{
    switch (type) {
    case 'n': return "node";
    case 'q': return "request";
    case 'e': return "event";
    case 'b': return "block";
    case 'k': return "number";
    case 't': return "text";
    default: return "value";
    }
}

void figures_list(struct buf *out)
{
    const char *group = "";
    for (size_t i = 0; i < ARRAY_LEN(FIGURES); i++) {
        const struct figure *f = &FIGURES[i];
        int least, most;
        count_arguments(f, &least, &most);
        if (strcmp(group, f->group) != 0)
            buf_printf(out, "%s%s\n", i > 0 ? "\n" : "", f->group);
        group = f->group;
        struct buf call = {0};
        buf_printf(&call, "%s%s", f->name, most > 0 ? "(" : "");
        for (int a = 0; a < most; a++)
            buf_printf(&call, "%s%s%s%s", a > 0 ? ", " : "", a >= least ? "[" : "", argument_name(figure_type(f, a)),
                       a >= least ? "]" : "");
        buf_printf(&call, "%s", most > 0 ? ")" : "");
        buf_printf(out, "  %-34s %s\n", buf_text(&call), f->help);
        buf_free(&call);
    }
}

/* ---- arguments ---------------------------------------------------------------------------------------- */

bool call_scene(const struct figure_call *c, struct scene *sc, struct err *e)
{
    if (c->env->scene == NULL) {
        err_set(e, "no block of commands has run here yet");
        return false;
    }
    *sc = env_scene(c->env);
    return true;
}

int call_number(const struct figure_call *c, int arg, double *out, struct err *e)
{
    if (c->arg[arg].kind != VALUE_NUMBER)
        return err_set(e, "argument %d must be a number", arg + 1);
    *out = c->arg[arg].number;
    return 0;
}

int call_count(const struct figure_call *c, int arg, uint32_t otherwise, uint32_t *out, struct err *e)
{
    double number = otherwise;
    if (arg < c->args && call_number(c, arg, &number, e) != 0)
        return -1;
    if (number < 0 || number != floor(number) || number > 4e9)
        return err_set(e, "argument %d must be a whole number, not negative", arg + 1);
    *out = (uint32_t)number;
    return 0;
}

/* An argument as text: a number is its digits. */
static void argument_text(const struct figure_call *c, int arg, char *out, size_t n)
{
    if (c->arg[arg].kind == VALUE_TEXT)
        snprintf(out, n, "%.*s", (int)n - 1, c->arg[arg].text);
    else
        snprintf(out, n, "%.0f", c->arg[arg].number);
}

static uint32_t find_node(const struct world *w, uint32_t id)
{
    for (uint32_t n = ROOT; n < w->head.node_top; n++)
        if (node_live(w, n) && w->node[n].id == id)
            return n;
    return 0;
}

/* Its letter or its id; UINT32_MAX: neither. */
static uint32_t node_id(const char *text)
{
    char *end;
    if (text[0] != '\0' && text[1] == '\0' && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ", text[0]) != NULL)
        return (uint32_t)(text[0] - 'A') + 1;
    unsigned long id = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && id < UINT32_MAX ? (uint32_t)id : UINT32_MAX;
}

int lesson_find_node(struct scene sc, const char *text, uint32_t *node, struct err *e)
{
    *node = ROOT;
    if (strcasecmp(text, "root") == 0)
        return 0;
    uint32_t id = node_id(text);
    if (id == UINT32_MAX)
        return err_set(e, "'%.40s' is no node: nodes are A to Z, or numbers, or root", text);
    *node = find_node(sc.w, id);
    return *node != 0 ? 0 : err_set(e, "there is no node %.40s at this moment", text);
}

int call_node(const struct figure_call *c, int arg, struct scene *sc, uint32_t *node, struct err *e)
{
    char text[64];
    if (!call_scene(c, sc, e))
        return -1;
    argument_text(c, arg, text, sizeof text);
    return lesson_find_node(*sc, text, node, e);
}

int lesson_find_request(struct scene sc, const char *text, uint32_t *req, struct err *e)
{
    char *end;
    unsigned long rid = strtoul(text, &end, 10);
    bool number = *text >= '0' && *text <= '9' && *end == '\0';
    *req = 0;
    for (uint32_t r = 1; r < sc.w->head.request_top; r++) {
        const struct request *q = &sc.w->request[r];
        if (q->state != REQ_FREE && (number ? q->rid == rid : strcmp(store_name(sc.s, q->label), text) == 0 && *text != '\0'))
            *req = r;
    }
    if (*req != 0)
        return 0;
    err_set(e, "there is no request %.60s at this moment", text);
    return err_hint(e, "a request's name is its label=…, or its number");
}

int call_request(const struct figure_call *c, int arg, struct scene *sc, uint32_t *req, struct err *e)
{
    char text[VALUE_TEXT_MAX];
    if (!call_scene(c, sc, e))
        return -1;
    argument_text(c, arg, text, sizeof text);
    return lesson_find_request(*sc, text, req, e);
}

static int call_event(const struct figure_call *c, int arg, int *kind, struct err *e)
{
    char name[64];
    struct nearest near = {0};
    argument_text(c, arg, name, sizeof name);
    *kind = event_find(name);
    if (*kind >= 0)
        return 0;
    for (unsigned k = 0; k < EV_COUNT; k++)
        nearest_try(&near, name, event_info(k)->name);
    err_set(e, "'%.60s' is no kind of event", name);
    return near.name != NULL ? err_hint(e, "did you mean %s?", near.name)
                             : err_hint(e, "radixscope help events lists them");
}

int call_range(const struct figure_call *c, int arg, struct lesson_env *env, struct err *e)
{
    struct scene sc;
    *env = *c->env;
    if (!call_scene(c, &sc, e))
        return -1;
    return arg < c->args ? env_at_block(c->env, c->arg[arg].text, false, env, e) : 0;
}

/* The k-th event of a kind in a range; 0: there are not so many. k = UINT32_MAX: the last one. */
static uint32_t find_event(const struct lesson_env *env, int kind, uint32_t k)
{
    const struct tape *t = env->scene->cursor.tape;
    uint32_t found = 0;
    struct step step;
    for (uint32_t n = env->from + 1; n <= env->at; n++) {
        tape_step(t, env->branch, n, &step);
        if (step.kind != kind)
            continue;
        if (--k == 0)
            return n;
        found = n;
    }
    return k > UINT32_MAX / 2 ? found : 0;
}

void node_name(const struct world *w, uint32_t node, char out[16])
{
    uint32_t id = w->node[node].id;
    if (node == ROOT)
        snprintf(out, 16, "root");
    else if (id >= 1 && id <= 26)
        snprintf(out, 16, "%c", (char)('A' + id - 1));
    else
        snprintf(out, 16, "%u", id);
}

static int out_node(const struct world *w, uint32_t node, struct value *out, struct err *e)
{
    char name[16];
    node_name(w, node, name);
    return value_text(out, name, e);
}

static int out_buf(struct buf *b, struct value *out, struct err *e)
{
    int rc = b->failed ? err_memory(e, b->len, "a figure") : value_text(out, buf_text(b), e);
    buf_free(b);
    return rc;
}

/* ---- the world ---------------------------------------------------------------------------------------- */

/* A figure that is one number of the world. */
#define WORLD_FIGURE(id, expression)                                                                \
    int figure_##id(const struct figure_call *call, struct value *out, struct err *e)               \
    {                                                                                               \
        struct scene sc;                                                                            \
        if (!call_scene(call, &sc, e))                                                              \
            return -1;                                                                              \
        const struct head *h = &sc.w->head;                                                         \
        value_number(out, (double)(expression));                                                    \
        (void)h;                                                                                    \
        return 0;                                                                                   \
    }

static uint32_t count_leaves(const struct world *w)
{
    uint32_t leaves = 0;
    for (uint32_t n = node_preorder(w, ROOT); n != 0; n = node_preorder(w, n))
        leaves += w->node[n].first_child == 0;
    return leaves;
}

static uint32_t deepest(const struct world *w)
{
    uint32_t most = 0;
    for (uint32_t n = node_preorder(w, ROOT); n != 0; n = node_preorder(w, n)) {
        uint32_t depth = 0;
        for (uint32_t up = n; up != ROOT; up = w->node[up].parent)
            depth++;
        most = depth > most ? depth : most;
    }
    return most;
}

WORLD_FIGURE(nodes, h->node_count - 1)
WORLD_FIGURE(leaves, count_leaves(sc.w))
WORLD_FIGURE(used, h->pool - pool_free_slots(sc.w))
WORLD_FIGURE(free, pool_free_slots(sc.w))
WORLD_FIGURE(pool, h->pool)
WORLD_FIGURE(page, h->page_size)
WORLD_FIGURE(evictable, h->evictable_size)
WORLD_FIGURE(protected, h->protected_size)
WORLD_FIGURE(clock, h->clock)
WORLD_FIGURE(requests, h->request_count)
WORLD_FIGURE(depth, deepest(sc.w))

int figure_policy(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    return call_scene(call, &sc, e) ? value_text(out, policy_name(sc.w->head.policy), e) : -1;
}

static int name_nodes(const struct figure_call *call, bool all, struct value *out, struct err *e)
{
    struct scene sc;
    struct buf b = {0};
    char name[16];
    if (!call_scene(call, &sc, e))
        return -1;
    for (uint32_t n = node_preorder(sc.w, ROOT); n != 0; n = node_preorder(sc.w, n)) {
        if (!all && !node_evictable(sc.w, n))
            continue;
        node_name(sc.w, n, name);
        buf_printf(&b, "%s%s", b.len > 0 ? " " : "", name);
    }
    return out_buf(&b, out, e);
}

int figure_list_nodes(const struct figure_call *call, struct value *out, struct err *e)
{
    return name_nodes(call, true, out, e);
}

int figure_candidates(const struct figure_call *call, struct value *out, struct err *e)
{
    return name_nodes(call, false, out, e);
}

/* ---- nodes -------------------------------------------------------------------------------------------- */

#define NODE_FIGURE(id, expression)                                                                 \
    int figure_##id(const struct figure_call *call, struct value *out, struct err *e)               \
    {                                                                                               \
        struct scene sc;                                                                            \
        uint32_t node;                                                                              \
        if (call_node(call, 0, &sc, &node, e) != 0)                                                 \
            return -1;                                                                              \
        const struct node *n = &sc.w->node[node];                                                   \
        value_number(out, (double)(expression));                                                    \
        (void)n;                                                                                    \
        return 0;                                                                                   \
    }

NODE_FIGURE(len, n->len)
NODE_FIGURE(start, node_start(sc.w, node))
NODE_FIGURE(lock, n->lock_ref)
NODE_FIGURE(hits, n->hit_count)
NODE_FIGURE(last_access, node_last_access(sc.w, node))
NODE_FIGURE(created, n->creation_time)
NODE_FIGURE(priority, (int32_t)n->priority)
NODE_FIGURE(children, n->child_count)

int figure_exists(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t node;
    struct err gone = {0};
    if (!call_scene(call, &sc, e))
        return -1;
    value_truth(out, call_node(call, 0, &sc, &node, &gone) == 0);
    return 0;
}

int figure_child(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t node, k;
    if (call_node(call, 0, &sc, &node, e) != 0 || call_count(call, 1, 1, &k, e) != 0)
        return -1;
    uint32_t child = sc.w->node[node].first_child;
    for (uint32_t i = 1; i < k && child != 0; i++)
        child = sc.w->node[child].next;
    return child != 0 && k > 0 ? out_node(sc.w, child, out, e) : err_set(e, "this node has no child number %u", k);
}

int figure_parent(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t node;
    if (call_node(call, 0, &sc, &node, e) != 0)
        return -1;
    return node == ROOT ? err_set(e, "the root has no parent") : out_node(sc.w, sc.w->node[node].parent, out, e);
}

int figure_edge(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t node;
    struct buf b = {0};
    if (call_node(call, 0, &sc, &node, e) != 0)
        return -1;
    const struct lexicon *x = runner_lexicon(call->env->scene->runner);
    for (uint32_t i = 0; i < node_raw_len(sc.w, node); i++)
        lexicon_bytes(x, node_tokens(sc, node)[i], &b);
    return out_buf(&b, out, e);
}

int figure_ns(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t node;
    return call_node(call, 0, &sc, &node, e) != 0 ? -1 : value_text(out, store_name(sc.s, sc.w->node[node].ns), e);
}

int figure_slot(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t node, k;
    if (call_node(call, 0, &sc, &node, e) != 0 || call_count(call, 1, 1, &k, e) != 0)
        return -1;
    if (k < 1 || k > sc.w->node[node].len)
        return err_set(e, "this edge has %u tokens", sc.w->node[node].len);
    value_number(out, node_slots(sc, node)[k - 1]);
    return 0;
}

int figure_owner(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t slot;
    char text[32] = "free";
    if (!call_scene(call, &sc, e) || call_count(call, 0, 0, &slot, e) != 0)
        return -1;
    const struct world *w = sc.w;
    if (slot < w->head.page_size || slot >= w->head.pool + w->head.page_size)
        return err_set(e, "there is no slot %u", slot);
    for (uint32_t n = node_preorder(w, ROOT); n != 0; n = node_preorder(w, n))
        for (uint32_t i = 0; i < w->node[n].len; i++)
            if (node_slots(sc, n)[i] == slot)
                return out_node(w, n, out, e);
    for (uint32_t r = 1; r < w->head.request_top; r++)
        for (uint32_t i = 0; request_running(&w->request[r]) && i < w->request[r].kv_len; i++)
            if (w->row_slot[w->request[r].row_off + i] == slot)
                snprintf(text, sizeof text, "request %u", w->request[r].rid);
    return value_text(out, text, e);
}

/* How far a key is in the tree, and the node where that ends. Changes nothing. */
static int walk_key(const struct figure_call *call, uint32_t *matched, uint32_t *node, struct err *e)
{
    struct scene sc;
    struct ids ids = {0};
    *matched = 0;
    *node = ROOT;
    if (!call_scene(call, &sc, e))
        return -1;
    /* the words are numbered by whoever meets them: a word that only this figure speaks of matches nothing */
    struct lexicon *x = (struct lexicon *)(uintptr_t)runner_lexicon(call->env->scene->runner);
    uint32_t ns = call->args > 1 ? store_find(sc.s, call->arg[1].text) : 0;
    if (lexicon_encode(x, call->arg[0].text, strlen(call->arg[0].text), &ids, e) != 0)
        return -1;
    for (uint32_t child = sc.w->node[ROOT].first_child; child != 0;) {
        const struct node *n = &sc.w->node[child];
        uint32_t equal = 0;
        while (n->ns == ns && equal < n->len && *matched + equal < ids.len &&
               node_tokens(sc, child)[equal] == ids.at[*matched + equal])
            equal++;
        equal -= equal % sc.w->head.page_size;
        *matched += equal;
        *node = equal > 0 ? child : *node;
        child = equal == 0 ? n->next : equal == n->len ? n->first_child : 0;
    }
    ids_free(&ids);
    return 0;
}

int figure_at_key(const struct figure_call *call, struct value *out, struct err *e)
{
    uint32_t matched, node;
    return walk_key(call, &matched, &node, e) != 0 ? -1 : out_node(env_scene(call->env).w, node, out, e);
}

int figure_prefix(const struct figure_call *call, struct value *out, struct err *e)
{
    uint32_t matched, node;
    if (walk_key(call, &matched, &node, e) != 0)
        return -1;
    value_number(out, matched);
    return 0;
}

/* ---- what happened ------------------------------------------------------------------------------------ */

/* An argument of the last event of a kind. */
static int last_field(const struct figure_call *call, int kind, const char *field, struct value *out, struct err *e)
{
    struct lesson_env env;
    struct step step;
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    uint32_t n = find_event(&env, kind, UINT32_MAX);
    if (n == 0)
        return err_set(e, "nothing of the kind %s happened in this block", event_info((unsigned)kind)->name);
    tape_step(env.scene->cursor.tape, env.branch, n, &step);
    value_number(out, step.arg[event_arg((unsigned)kind, field)]);
    return 0;
}

/* A key without a whole page is not looked for (match_nothing), which says no number: 0 tokens were found. */
int figure_matched(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    uint32_t nothing = find_event(&env, EV_MATCH_NOTHING, UINT32_MAX);
    if (nothing > find_event(&env, EV_MATCHED, UINT32_MAX)) {
        value_number(out, 0);
        return 0;
    }
    return last_field(call, EV_MATCHED, "units", out, e);
}

int figure_added(const struct figure_call *call, struct value *out, struct err *e)
{
    return last_field(call, EV_INSERTED, "added", out, e);
}

int figure_freed(const struct figure_call *call, struct value *out, struct err *e)
{
    return last_field(call, EV_EVICTED, "freed", out, e);
}

int figure_count(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    int kind;
    uint32_t n = 0;
    struct step step;
    if (call_event(call, 0, &kind, e) != 0 || call_range(call, 1, &env, e) != 0)
        return -1;
    for (uint32_t at = env.from + 1; at <= env.at; at++) {
        tape_step(env.scene->cursor.tape, env.branch, at, &step);
        n += step.kind == kind;
    }
    value_number(out, n);
    return 0;
}

int figure_steps(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    value_number(out, env.at - env.from);
    return 0;
}

/* Word `value` of type `type` at step n, as a value. */
static int event_value(const struct lesson_env *env, char type, uint32_t value, struct value *out, struct err *e)
{
    struct scene sc = env_scene(env);
    struct buf b = {0};
    switch (type) {
    case 'n': return out_node(sc.w, value, out, e);
    case 'r':
        value_number(out, sc.w->request[value].rid);
        return 0;
    case 'x': return value_text(out, store_name(sc.s, value), e);
    case 'p': return value_text(out, policy_name(value), e);
    case 'f': return value_text(out, finish_reason_text(value), e);
    case 't':
        if (value != NO_TOKEN)
            lexicon_bytes(runner_lexicon(env->scene->runner), value, &b);
        return out_buf(&b, out, e);
    case 'i':
        value_number(out, (int32_t)value);
        return 0;
    default:
        value_number(out, value);
        return 0;
    }
}

int figure_field(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    int kind;
    uint32_t k;
    struct step step;
    if (call_event(call, 0, &kind, e) != 0 || call_count(call, 2, 1, &k, e) != 0 || call_range(call, 3, &env, e) != 0)
        return -1;
    int arg = event_arg((unsigned)kind, call->arg[1].text);
    if (arg < 0)
        return err_set(e, "%s has no argument '%.40s': it has %s", event_info((unsigned)kind)->name, call->arg[1].text,
                       event_info((unsigned)kind)->args);
    uint32_t n = k > 0 ? find_event(&env, kind, k) : 0;
    if (n == 0)
        return err_set(e, "there is no %s number %u in this block", event_info((unsigned)kind)->name, k);
    tape_step(env.scene->cursor.tape, env.branch, n, &step);
    env.at = n;
    return event_value(&env, event_arg_type((unsigned)kind, arg), step.arg[arg], out, e);
}

int figure_step_of(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    int kind;
    uint32_t k;
    if (call_event(call, 0, &kind, e) != 0 || call_count(call, 1, 1, &k, e) != 0 || call_range(call, 2, &env, e) != 0)
        return -1;
    uint32_t n = k > 0 ? find_event(&env, kind, k) : 0;
    value_number(out, n);
    return n != 0 ? 0 : err_set(e, "there is no %s number %u in this block", event_info((unsigned)kind)->name, k);
}

/* The node that was evicted at step n keeps its id where it stood. */
static void victim_name(struct lesson_env env, uint32_t n, char name[16])
{
    struct step step;
    tape_step(env.scene->cursor.tape, env.branch, n, &step);
    env.at = n;
    node_name(env_scene(&env).w, step.arg[event_arg(EV_VICTIM, "node")], name);
}

int figure_victim(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    uint32_t k;
    char name[16];
    if (call_count(call, 0, 1, &k, e) != 0 || call_range(call, 1, &env, e) != 0)
        return -1;
    uint32_t n = k > 0 ? find_event(&env, EV_VICTIM, k) : 0;
    if (n == 0)
        return err_set(e, "no node number %u was evicted in this block", k);
    victim_name(env, n, name);
    return value_text(out, name, e);
}

int figure_victims(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    struct buf b = {0};
    char name[16];
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    for (uint32_t k = 1, n; (n = find_event(&env, EV_VICTIM, k)) != 0; k++) {
        victim_name(env, n, name);
        buf_printf(&b, "%s%s", k > 1 ? " " : "", name);
    }
    return out_buf(&b, out, e);
}

/* A key as one word of a list. */
static void add_key(const struct lesson_env *env, const struct step *match, struct buf *b)
{
    const struct store *s = env_scene(env).s;
    const char *key = store_name(s, match->arg[event_arg(EV_MATCH, "key")]);
    const char *ns = store_name(s, match->arg[event_arg(EV_MATCH, "ns")]);
    bool plain = *ns == '\0' && *key != '\0' && strchr(key, ' ') == NULL;
    buf_printf(b, plain ? "%s%s%s" : "\"%s%s%s\"", ns, *ns != '\0' ? ":" : "", key);
}

int figure_keys(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    struct step step, match = {0};
    struct buf b = {0};
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    for (uint32_t at = env.from + 1; at <= env.at; at++) {
        tape_step(env.scene->cursor.tape, env.branch, at, &step);
        if (step.kind == EV_MATCH) /* every insert looks its key up first */
            match = step;
        if (step.kind != EV_INSERTED || match.kind != EV_MATCH || match.arg[event_arg(EV_MATCH, "req")] != 0)
            continue; /* a request's tokens are no key that somebody typed */
        buf_puts(&b, b.len > 0 ? " " : "");
        add_key(&env, &match, &b);
    }
    return out_buf(&b, out, e);
}

int figure_admitted(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    struct step step;
    struct buf b = {0};
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    for (uint32_t k = 1, n; (n = find_event(&env, EV_ADMIT, k)) != 0; k++) {
        tape_step(env.scene->cursor.tape, env.branch, n, &step);
        struct lesson_env then = env;
        then.at = n;
        struct scene sc = env_scene(&then);
        const struct request *q = &sc.w->request[step.arg[event_arg(EV_ADMIT, "req")]];
        buf_puts(&b, k > 1 ? " " : "");
        if (q->label != 0)
            buf_puts(&b, store_name(sc.s, q->label));
        else
            buf_printf(&b, "%u", q->rid);
    }
    return out_buf(&b, out, e);
}

/* ---- other commands ----------------------------------------------------------------------------------- */

/* "rows[0].hits": one step into a document; NULL: it is not there. */
static const json_t *json_follow(const json_t *at, const char **path)
{
    char name[80];
    size_t n = strcspn(*path, ".[");
    if (**path == '[') {
        unsigned long i = strtoul(*path + 1, NULL, 10);
        *path += strcspn(*path, "]");
        *path += **path == ']';
        at = json_array_get(at, i);
    } else {
        snprintf(name, sizeof name, "%.*s", (int)n, *path);
        *path += n;
        at = json_object_get(at, name);
    }
    *path += **path == '.';
    return at;
}

int figure_json(const struct figure_call *call, struct value *out, struct err *e)
{
    const struct lesson_run *r = call->env->run;
    const json_t *at = NULL;
    const char *path = call->arg[1].text;
    for (size_t i = 0; i < r->outputs; i++)
        if (strcmp(r->output[i].name, call->arg[0].text) == 0)
            at = r->output[i].json;
    if (at == NULL)
        return err_set(e, "no run block called %.60s has run yet", call->arg[0].text);
    while (*path != '\0' && at != NULL)
        at = json_follow(at, &path);
    if (json_is_string(at))
        return value_text(out, json_string_value(at), e);
    if (json_is_boolean(at))
        value_truth(out, json_is_true(at));
    else if (json_is_number(at))
        value_number(out, json_number_value(at));
    else if (json_is_array(at))
        value_number(out, (double)json_array_size(at));
    else
        return err_set(e, "%.60s has no field %.100s that is a number, a text or a list", call->arg[0].text, call->arg[1].text);
    return 0;
}

/* ---- arithmetic --------------------------------------------------------------------------------------- */

#define NUMBER_FIGURE(id, expression)                                                               \
    int figure_##id(const struct figure_call *call, struct value *out, struct err *e)               \
    {                                                                                               \
        double a = 0, b = 0;                                                                        \
        if (call_number(call, 0, &a, e) != 0 || (call->args > 1 && call_number(call, 1, &b, e) != 0)) \
            return -1;                                                                              \
        value_number(out, (expression));                                                            \
        return 0;                                                                                   \
    }

NUMBER_FIGURE(min, fmin(a, b))
NUMBER_FIGURE(max, fmax(a, b))
NUMBER_FIGURE(abs, fabs(a))
NUMBER_FIGURE(round, floor(a + 0.5))
NUMBER_FIGURE(ceil, ceil(a))
NUMBER_FIGURE(pow, pow(a, b))

int figure_either(const struct figure_call *call, struct value *out, struct err *e)
{
    if (call->arg[0].kind != VALUE_TRUTH)
        return err_set(e, "the first argument of if must be true or false");
    *out = call->arg[0].number != 0 ? call->arg[1] : call->arg[2];
    return 0;
}

static uint32_t count_words(const char *list)
{
    uint32_t n = 0;
    for (list += strspn(list, " "); *list != '\0'; n++) {
        list += strcspn(list, " ");
        list += strspn(list, " ");
    }
    return n;
}

int figure_items(const struct figure_call *call, struct value *out, struct err *e)
{
    (void)e;
    value_number(out, count_words(call->arg[0].text));
    return 0;
}

int figure_item(const struct figure_call *call, struct value *out, struct err *e)
{
    uint32_t k;
    const char *list = call->arg[0].text;
    char word[VALUE_TEXT_MAX];
    if (call_count(call, 1, 1, &k, e) != 0)
        return -1;
    if (k < 1 || k > count_words(list))
        return err_set(e, "this list has %u words, not %u", count_words(list), k);
    for (list += strspn(list, " "); k > 1; k--) {
        list += strcspn(list, " ");
        list += strspn(list, " ");
    }
    snprintf(word, sizeof word, "%.*s", (int)strcspn(list, " "), list);
    return value_text(out, word, e);
}

int figure_join(const struct figure_call *call, struct value *out, struct err *e)
{
    struct buf b = {0};
    value_show(&call->arg[0], "", &b);
    value_show(&call->arg[1], "", &b);
    return out_buf(&b, out, e);
}
