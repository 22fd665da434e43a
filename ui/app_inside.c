/* app_inside.c: the views into the model: forward pass, attention, KV lens, proof, poison. */
#include <string.h>

#include "ui/app_parts.h"
#include "ui/command.h"

bool app_is_inside(const struct app *a)
{
    enum show s = a->v.show;
    return s == SHOW_FORWARD || s == SHOW_ATTENTION || s == SHOW_LENS || s == SHOW_PROOF || s == SHOW_EFFECT;
}

/* ---- filling ----------------------------------------------------------------------------------------------- */

static uint32_t rid_here(const struct app *a)
{
    return a->m.request != 0 ? a->m.sc.w->request[a->m.request].rid : a->insight.found == 0 ? a->insight.pass.rid : 0;
}

static struct inquiry question_here(const struct app *a)
{
    struct inquiry q = {.about = ASK_PROOF, .branch = a->m.branch, .rid = rid_here(a), .fast = a->v.look.fast != 0};
    if (a->v.show == SHOW_PROOF)
        return q;
    uint32_t step = effect_find(a->m.tape, a->m.branch, a->m.at);
    return (struct inquiry){.about = step != 0 ? ASK_EFFECT : ASK_NOTHING, .branch = a->m.branch, .step = step};
}

static void ask(struct app *a)
{
    struct inquiry q = question_here(a);
    if (q.about == ASK_NOTHING || (q.about == ASK_PROOF && q.rid == 0))
        a->insight.question = (struct inquiry){0};
    else
        insight_ask(&a->insight, &q);
}

static void fill_proof(struct app *a)
{
    ask(a);
    if (a->insight.question.about == ASK_PROOF) {
        insight_proof(&a->list, &a->insight, a->m.sc);
        return;
    }
    list_clear(&a->list);
    list_add(&a->list, 0, ROLE_TEXT, "There is no request to prove yet: press ] for the next one.");
}

static uint32_t slot_here(const struct app *a)
{
    const struct world *w = a->m.sc.w;
    if (a->v.focus == FOCUS_SLOTS && a->v.slot != 0)
        return a->v.slot;
    if (a->v.focus == FOCUS_TREE && a->v.node > ROOT && node_live(w, a->v.node))
        return node_slots(a->m.sc, a->v.node)[0];
    uint32_t node = moment_focus(&a->m);
    if (a->insight.found == 0 && a->insight.pass.n > 0 && a->m.request != 0)
        return a->insight.pass.slot[a->insight.pass.n - 1];
    return node > ROOT && node_live(w, node) ? node_slots(a->m.sc, node)[0] : w->head.page_size;
}

void app_inside_fill(struct app *a)
{
    struct look *k = &a->v.look;
    insight_load(&a->insight, &a->feed->evidence, &a->feed->words, &a->cursor, a->m.at);
    insight_clip(&a->insight, k);
    if (a->v.show == SHOW_LENS && k->slot < a->m.sc.w->head.page_size)
        k->slot = slot_here(a);
    switch (a->v.show) {
    case SHOW_FORWARD: insight_forward(&a->list, &a->insight, a->m.tape, a->m.sc, k); break;
    case SHOW_LENS: insight_lens(&a->list, &a->insight, &a->cursor, k); break;
    case SHOW_PROOF: fill_proof(a); break;
    case SHOW_EFFECT:
        ask(a);
        insight_effect(&a->list, &a->insight, a->m.sc, a->m.branch);
        break;
    default: list_clear(&a->list); break;
    }
}

/* While an answer is computed: how far is it? */
void app_inside_look(struct app *a)
{
    if ((a->v.show == SHOW_PROOF || a->v.show == SHOW_EFFECT) && a->insight.answer.state == ANSWER_WAITING)
        ask(a);
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

void app_inside_open(struct app *a, enum show show)
{
    struct look *k = &a->v.look;
    insight_load(&a->insight, &a->feed->evidence, &a->feed->words, &a->cursor, a->m.at);
    if (show == SHOW_PROOF)
        k->fast = a->v.show == SHOW_PROOF ? !k->fast : a->feed->mode != NULL && strcmp(a->feed->mode, "fast") == 0;
    if (show == SHOW_LENS && a->v.show != SHOW_LENS)
        k->slot = slot_here(a);
    if (show == SHOW_ATTENTION && a->insight.found == 0)
        k->query = a->insight.pass.n - 1;
    a->v.show = a->v.show == show && show != SHOW_PROOF ? SHOW_STEPPER : show;
    a->v.playing = false;
    a->v.line = 0;
}

static void change(uint32_t *what, int by, uint32_t end)
{
    if (by < 0 ? *what > 0 : *what + 1 < end)
        *what += (uint32_t)by;
}

/* To the next slot of the same node or request, by position. */
static void next_slot(struct app *a, int by)
{
    struct scene sc = a->m.sc;
    uint32_t node, request, position, token;
    if (!slot_place(sc, a->v.look.slot, &node, &request, &position, &token)) {
        change(&a->v.look.slot, by, a->m.slots);
        a->v.look.slot = a->v.look.slot < sc.w->head.page_size ? sc.w->head.page_size : a->v.look.slot;
        return;
    }
    uint32_t first = node != 0 ? node_start(sc.w, node) : 0, n = node != 0 ? sc.w->node[node].len : sc.w->request[request].kv_len;
    const uint32_t *slot = node != 0 ? node_slots(sc, node) : sc.w->row_slot + sc.w->request[request].row_off;
    uint32_t at = position - first;
    change(&at, by, n);
    a->v.look.slot = slot[at];
}

static void move_line(struct app *a, int by)
{
    const struct list *l = app_list(a);
    int i = a->v.line + by;
    if (a->v.show != SHOW_LENS)
        for (; i >= 0 && i < l->n && l->line[i].step == 0; i += by)
            ;
    if (i >= 0 && i < l->n)
        a->v.line = i;
}

static void move(struct app *a, int by)
{
    struct look *k = &a->v.look;
    const struct insight *in = &a->insight;
    uint32_t heads = in->rows ? in->observed.shape.heads : 1;
    if (a->v.show == SHOW_FORWARD)
        change(&k->layer, by, in->rows ? in->observed.shape.layers : 1);
    else if (a->v.show != SHOW_ATTENTION)
        move_line(a, by);
    else if (in->found == 0 && in->pass.n - in->pass.from == 1)
        change(&k->head, by, heads);
    else if (in->found == 0 && (by > 0 || k->query > in->pass.from))
        change(&k->query, by, in->pass.n);
}

bool app_inside_key(struct app *a, enum command c)
{
    struct look *k = &a->v.look;
    const struct insight *in = &a->insight;
    if (!app_is_inside(a))
        return false;
    bool rows = in->rows;
    switch (c) {
    case CMD_NEXT_OP: move(a, 1); return true;
    case CMD_PREV_OP: move(a, -1); return true;
    case CMD_LAYER_PREV: change(&k->layer, -1, 1); return true;
    case CMD_LAYER_NEXT: change(&k->layer, 1, rows ? in->observed.shape.layers : 1); return true;
    case CMD_HEAD_PREV: change(&k->head, -1, 1); return true;
    case CMD_HEAD_NEXT: change(&k->head, 1, rows ? in->observed.shape.heads : 1); return true;
    case CMD_TOKEN_PREV:
    case CMD_TOKEN_NEXT:
        if (a->v.show == SHOW_LENS)
            next_slot(a, c == CMD_TOKEN_NEXT ? 1 : -1);
        else
            change(&k->key, c == CMD_TOKEN_NEXT ? 1 : -1, in->found == 0 ? in->pass.n : 1);
        return true;
    case CMD_CHOOSE:
        if (a->v.show != SHOW_FORWARD)
            return false;
        app_inside_open(a, SHOW_ATTENTION);
        return true;
    default: return false;
    }
}
