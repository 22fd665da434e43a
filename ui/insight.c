#include "ui/insight.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "tape/event.h"

enum { STRONGEST = 4, READERS = 64, TOKENS_TOLD = 12 };

/* ---- loading ------------------------------------------------------------------------------------------- */

void insight_load(struct insight *in, const struct ui_evidence *feed, const struct ui_words *words, struct cursor *c,
                  uint32_t at)
{
    in->feed = feed;
    in->words = words;
    in->found = pass_find(&in->pass, c, c->branch, at, NULL);
    cursor_seek(c, c->branch, at);
    in->rows = feed->observed != NULL && feed->observed(feed->ctx, &in->observed);
}

void insight_done(struct insight *in)
{
    pass_done(&in->pass);
    answer_done(&in->answer);
}

static uint32_t at_most(uint32_t a, uint32_t most)
{
    return a < most ? a : most;
}

void insight_clip(const struct insight *in, struct look *k)
{
    if (in->rows) {
        k->layer = at_most(k->layer, in->observed.shape.layers - 1);
        k->head = at_most(k->head, in->observed.shape.heads - 1);
    }
    if (in->found != 0 || in->pass.n == 0)
        return;
    k->query = at_most(k->query, in->pass.n - 1);
    k->query = k->query < in->pass.from ? in->pass.from : k->query;
    k->key = at_most(k->key, in->pass.n - 1);
}

void insight_ask(struct insight *in, const struct inquiry *q)
{
    struct err e = {0};
    const struct ui_evidence *f = in->feed;
    bool known = in->answer.state != ANSWER_NONE && inquiry_same(q, &in->question);
    if (known && in->answer.state != ANSWER_WAITING)
        return;
    answer_done(&in->answer);
    in->question = *q;
    int rc = f->ask == NULL ? -1 : known ? 0 : f->ask(f->ctx, q, &e);
    if (rc == 0 && f->answer(f->ctx, q, &in->answer) == 0)
        return;
    in->answer.state = ANSWER_FAILED;
    snprintf(in->answer.why, sizeof in->answer.why, "%.250s", e.set ? e.what : f->recording ? "not recorded"
                                                                         : "there is no engine to ask");
}

const char *insight_missing(const struct insight *in)
{
    if (in->rows)
        return NULL;
    return in->feed->recording ? "Keys, values and queries: not recorded. A recording holds them when it is made with "
                                 "radixscope record FILE.rxs --with-kv."
                               : "No model has computed anything yet: there are no keys, values and queries.";
}

bool insight_weights(const struct insight *in, uint32_t layer, uint32_t head, uint32_t query, float *out)
{
    return in->rows && in->found == 0 && query < in->pass.n && pass_attention(&in->pass, &in->observed, layer, head, query, out);
}

char insight_mark(const struct insight *in, uint32_t position, unsigned *role)
{
    const struct pass *p = &in->pass;
    char mark = p->spoiled[position] ? '!' : position < p->cached ? '=' : position < p->from ? '+' : '#';
    *role = mark == '!' ? ROLE_ALERT : mark == '=' ? ROLE_CACHED : mark == '+' ? ROLE_HELD : ROLE_COMPUTED;
    return mark;
}

void insight_token(const struct insight *in, uint32_t token, struct buf *b)
{
    if (in->words->said.token != NULL)
        in->words->said.token(in->words->said.ctx, token, b);
    else
        buf_printf(b, "token %u", token);
}

/* ---- the forward pass ------------------------------------------------------------------------------------ */

/* "slots 1-29 of node 1 (A), 30-36 of its own" for positions [from, to). */
static void add_slots(const struct insight *in, struct scene sc, uint32_t from, uint32_t to, struct buf *b)
{
    const struct pass *p = &in->pass;
    for (uint32_t i = from, end; i < to; i = end) {
        for (end = i + 1; end < to && p->slot[end] == p->slot[end - 1] + 1 && p->owner[end] == p->owner[i]; end++)
            ;
        buf_puts(b, i > from ? ", " : "");
        buf_printf(b, end - i > 1 ? "%u-%u" : "%u", p->slot[i], p->slot[end - 1]);
        if (end < to && p->owner[end] == p->owner[i])
            continue;
        buf_puts(b, " of ");
        if (p->owner[i] != 0 && node_live(sc.w, p->owner[i]))
            node_call(sc.w, p->owner[i], b);
        else
            buf_puts(b, p->owner[i] != 0 ? "the tree" : "its own");
    }
}

static void add_what_runs(struct list *l, const struct insight *in, struct scene sc)
{
    const struct pass *p = &in->pass;
    struct buf b = {0};
    list_add(l, p->op, ROLE_TITLE, "request %u: %u %s run in one pass, position%s %u%s", p->rid, p->n - p->from,
             p->n - p->from == 1 ? "token" : "tokens", p->n - p->from == 1 ? "" : "s", p->from,
             p->n - p->from == 1 ? "" : " and on");
    for (uint32_t i = p->from; i < p->n && i < p->from + TOKENS_TOLD; i++) {
        buf_puts(&b, i > p->from ? " " : "");
        insight_token(in, p->token[i], &b);
    }
    list_add(l, 0, ROLE_COMPUTED, "  run      %s%s", buf_text(&b), p->n - p->from > TOKENS_TOLD ? " .." : "");
    buf_clear(&b);
    add_slots(in, sc, 0, p->from, &b);
    list_add(l, 0, ROLE_CACHED, "  read     KV rows of %u earlier positions (%u of them from the cache)%s%s", p->from,
             p->cached, p->from > 0 ? ": slots " : "", buf_text(&b));
    buf_clear(&b);
    add_slots(in, sc, p->from, p->n, &b);
    list_add(l, p->step, ROLE_HELD, "  written  slots %s", buf_text(&b));
    uint32_t spoiled = 0;
    for (uint32_t i = 0; i < p->n; i++)
        spoiled += p->spoiled[i];
    if (spoiled > 0)
        list_add(l, 0, ROLE_ALERT, "  spoiled  %u of the rows that it reads: poison or share did it (P: whom it reaches)",
                 spoiled);
    buf_free(&b);
}

/* Of the last token's attention, all heads of a layer: the part that went to rows from the cache. */
static bool attention_share(const struct insight *in, uint32_t layer, double *cached)
{
    const struct pass *p = &in->pass;
    float *weight = xmalloc(p->n * sizeof *weight);
    bool known = weight != NULL;
    *cached = 0;
    for (uint32_t h = 0; known && h < in->observed.shape.heads; h++) {
        known = insight_weights(in, layer, h, p->n - 1, weight);
        for (uint32_t i = 0; known && i < p->cached; i++)
            *cached += (double)weight[i];
    }
    *cached /= in->observed.shape.heads;
    xfree(weight);
    return known;
}

static void add_layer(struct list *l, const struct insight *in, uint32_t layer)
{
    const struct pass *p = &in->pass;
    struct layer_flops f = shape_flops(&in->observed.shape, p->n - p->from, p->from);
    double cached;
    char share[32] = "not kept";
    if (attention_share(in, layer, &cached))
        snprintf(share, sizeof share, "%6.1f %%", cached * 100);
    list_add(l, 0, ROLE_TEXT, "layer %-3u %8.3f %8.3f %8.3f %8.3f %s", layer, (double)f.qkv / 1e6,
             (double)f.attention / 1e6, (double)f.output / 1e6, (double)f.mlp / 1e6, share);
}

static double pass_mflop(const struct model_shape *s, uint32_t n, uint32_t start)
{
    struct layer_flops f = shape_flops(s, n, start);
    return ((double)s->layers * (double)(f.qkv + f.attention + f.output + f.mlp) + (double)shape_head_flops(s, 1)) / 1e6;
}

static void add_layers(struct list *l, const struct insight *in, const struct look *k)
{
    const struct model_shape *s = &in->observed.shape;
    const struct pass *p = &in->pass;
    list_add(l, 0, ROLE_LABEL, "of every   MFLOP:                            attention");
    list_add(l, 0, ROLE_LABEL, "layer        q,k,v   attend   output      MLP  on cache");
    for (uint32_t i = 0; i < s->layers; i++) {
        if (i == k->layer)
            l->here = l->n;
        add_layer(l, in, i);
    }
    double now = pass_mflop(s, p->n - p->from, p->from), all = pass_mflop(s, p->n, 0);
    list_add(l, 0, ROLE_TEXT | STYLE_BOLD, "all layers and the logits: %.3f MFLOP; without any earlier row %.3f (%.1f times)",
             now, all, all / now);
}

void insight_logits(struct list *l, const struct insight *in, const struct tape *t)
{
    uint32_t n;
    const struct obs_logit *c = in->found == 0 ? pass_logits(&in->pass, t, &n) : NULL;
    if (in->found == 0 && c == NULL)
        list_add(l, 0, ROLE_TEXT, "This pass ends inside the prompt: no next token is chosen behind it.");
    if (c == NULL)
        return;
    struct step s;
    tape_step(t, in->pass.branch, in->pass.sample, &s);
    list_add(l, in->pass.sample, ROLE_TITLE, "top logits behind position %u", in->pass.n - 1);
    for (uint32_t i = 0; i < n; i++) {
        struct buf b = {0};
        char bar[21] = "####################";
        float part = c[i].probability > 0 && c[i].probability <= 1 ? c[i].probability : 0; /* a file may lie */
        bar[(int)(part * 20.0f + 0.5f)] = '\0';
        insight_token(in, c[i].token, &b);
        list_add(l, 0, c[i].token == s.arg[1] ? ROLE_GENERATED : ROLE_TEXT, "  %c %8.4f  %5.1f %%  %-20s %s",
                 c[i].token == s.arg[1] ? '*' : ' ', (double)c[i].logit, (double)part * 100, bar, buf_text(&b));
        buf_free(&b);
    }
}

static bool add_no_pass(struct list *l, const struct insight *in)
{
    if (in->found != 0)
        list_add(l, 0, ROLE_TEXT, in->found < 0 ? "There is no memory to show the pass."
                                                : "No forward pass has run by this step: press ] for the next request.");
    return in->found != 0;
}

void insight_forward(struct list *l, const struct insight *in, const struct tape *t, struct scene sc, const struct look *k)
{
    list_clear(l);
    l->here = 0;
    if (add_no_pass(l, in))
        return;
    add_what_runs(l, in, sc);
    const char *missing = insight_missing(in);
    if (missing != NULL)
        list_add(l, 0, ROLE_ALERT, "%s", missing);
    else
        add_layers(l, in, k);
    insight_logits(l, in, t);
}

/* ---- attention as words ---------------------------------------------------------------------------------- */

static void add_strongest(struct list *l, const struct insight *in, uint32_t query, float *weight)
{
    struct buf b = {0};
    double cached = 0;
    for (uint32_t i = 0; i <= query && i < in->pass.cached; i++)
        cached += (double)weight[i];
    insight_token(in, in->pass.token[query], &b);
    buf_printf(&b, " at %u: %.1f %% on cached rows;", query, cached * 100);
    for (int k = 0; k < STRONGEST; k++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i <= query; i++)
            if (weight[i] > weight[best])
                best = i;
        if (!(weight[best] > 0))
            break;
        buf_printf(&b, "%s %.1f %% on ", k > 0 ? "," : "", (double)weight[best] * 100);
        insight_token(in, in->pass.token[best], &b);
        unsigned role;
        buf_printf(&b, " at %u %c", best, insight_mark(in, best, &role));
        weight[best] = 0;
    }
    list_add(l, 0, ROLE_TEXT, "%s", buf_text(&b));
    buf_free(&b);
}

void insight_attention(struct list *l, const struct insight *in, const struct look *k)
{
    list_clear(l);
    const char *missing = insight_missing(in);
    if (add_no_pass(l, in))
        return;
    if (missing != NULL) {
        list_add(l, 0, ROLE_ALERT, "%s", missing);
        return;
    }
    float *weight = xmalloc(in->pass.n * sizeof *weight);
    list_add(l, 0, ROLE_TITLE, "attention of layer %u, head %u: request %u, step %u (= cached, + computed earlier, # now)",
             k->layer, k->head, in->pass.rid, in->pass.step);
    for (uint32_t q = in->pass.from; weight != NULL && q < in->pass.n; q++) {
        if (insight_weights(in, k->layer, k->head, q, weight))
            add_strongest(l, in, q, weight);
        else
            list_add(l, 0, ROLE_ALERT, "position %u: its query was not kept", q);
    }
    xfree(weight);
}

/* ---- the lens -------------------------------------------------------------------------------------------- */

static uint32_t bits_of_float(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void add_readers(struct list *l, struct cursor *c, uint32_t slot, uint32_t row, uint32_t position)
{
    struct reader_of_slot who[READERS];
    uint32_t at = c->at, n = slot_readers(c, slot, row, position, who, READERS);
    cursor_seek(c, c->branch, at);
    for (uint32_t i = 0; i < n && i < READERS; i++) {
        const char *label = store_name(cursor_scene(c).s, who[i].label);
        list_add(l, who[i].op, ROLE_TEXT, "  request %u%s%s%s %s", who[i].rid, *label != '\0' ? " (" : "", label,
                 *label != '\0' ? ")" : "", who[i].writes ? "computed it, and reads it" : "reads it from the cache");
    }
    if (n > READERS)
        list_add(l, 0, ROLE_QUIET, "  .. and %u more requests", n - READERS);
    if (n == 0)
        list_add(l, 0, ROLE_TEXT, "  nobody reads it at this position");
}

static void add_floats(struct list *l, const struct insight *in, uint32_t row, const struct look *k)
{
    const struct model_shape *s = &in->observed.shape;
    uint32_t kv = k->head / (s->heads / s->kv_heads);
    const float *key = in->observed.row(in->observed.ctx, row, k->layer, ROW_K);
    const float *value = in->observed.row(in->observed.ctx, row, k->layer, ROW_V);
    if (key == NULL || value == NULL) {
        list_add(l, 0, ROLE_ALERT, "Row %u: not recorded.", row);
        return;
    }
    list_add(l, 0, ROLE_TITLE, "layer %u of 0-%u, KV head %u of 0-%u (query heads %u-%u read it), row %u", k->layer,
             s->layers - 1, kv, s->kv_heads - 1, kv * (s->heads / s->kv_heads), (kv + 1) * (s->heads / s->kv_heads) - 1,
             row);
    list_add(l, 0, ROLE_LABEL, " dim            K  bits                V  bits");
    for (uint32_t d = 0; d < s->head_dim; d++) {
        float a = key[(size_t)kv * s->head_dim + d], b = value[(size_t)kv * s->head_dim + d];
        list_add(l, 0, ROLE_TEXT, "%4u %12.8g  %08x %12.8g  %08x", d, (double)a, bits_of_float(a), (double)b,
                 bits_of_float(b));
    }
}

void insight_lens(struct list *l, const struct insight *in, struct cursor *c, const struct look *k)
{
    struct scene sc = cursor_scene(c);
    uint32_t node, request, position, token, row = kv_row(sc.w, k->slot);
    bool spoiled = (sc.w->kv[k->slot] & KV_SPOILED) != 0;
    struct buf b = {0};
    list_clear(l);
    if (!slot_place(sc, k->slot, &node, &request, &position, &token)) {
        list_add(l, 0, ROLE_TEXT, "Slot %u is free: nobody's keys and values stand in it.", k->slot);
        return;
    }
    insight_token(in, token, &b);
    buf_printf(&b, ", position %u, of ", position);
    if (node != 0)
        node_call(sc.w, node, &b);
    else
        buf_printf(&b, "request %u", sc.w->request[request].rid);
    list_add(l, 0, ROLE_TEXT | STYLE_BOLD, "slot %u: %s%s", k->slot, buf_text(&b),
             spoiled ? "  ! spoiled on purpose (poison or share)" : "");
    buf_free(&b);
    if (row == 0) {
        list_add(l, 0, ROLE_TEXT, "Nothing was computed for it: it was inserted by hand, or is about to be written.");
        return;
    }
    list_add(l, 0, ROLE_LABEL, "who reads this row");
    add_readers(l, c, k->slot, row, position);
    const char *missing = insight_missing(in);
    if (missing != NULL)
        list_add(l, 0, ROLE_ALERT, "%s", missing);
    else
        add_floats(l, in, row, k);
}

/* ---- the proof ------------------------------------------------------------------------------------------- */

/* The lines of a question that has no answer yet; true: there is one. */
static bool add_state(struct list *l, const struct insight *in, const char *what)
{
    const struct answer *a = &in->answer;
    if (a->state == ANSWER_WAITING) {
        char bar[41] = "----------------------------------------";
        for (int i = 0; i < 40 && i < (int)(a->done * 40); i++)
            bar[i] = '#';
        list_add(l, 0, ROLE_CHANGED, "computing %s: [%s] %.0f %%", what, bar, a->done * 100);
    } else if (a->state == ANSWER_FAILED && strcmp(a->why, "not recorded") == 0) {
        list_add(l, 0, ROLE_ALERT, "The answer was not recorded. A recording holds it when it is made with radixscope "
                                   "record FILE.rxs --with-kv.");
    } else if (a->state != ANSWER_READY) {
        list_add(l, 0, ROLE_ALERT, "No answer: %s.", a->why[0] != '\0' ? a->why : "nothing was asked");
    }
    return a->state == ANSWER_READY;
}

static void add_difference(struct list *l, const char *name, const struct difference *d, bool logits)
{
    char where[40];
    if (difference_count(d) == 0) {
        list_add(l, 0, ROLE_CACHED, "%-7s 0            0 none", name);
        return;
    }
    if (logits)
        snprintf(where, sizeof where, "%5u token %u", d->position, d->dim);
    else
        snprintf(where, sizeof where, "%5u %c %3u %3u", d->position, d->part == ROW_K ? 'K' : 'V', d->head, d->dim);
    list_add(l, 0, ROLE_GONE, "%-7s %-7.1e %6llu %08x %08x %s", name, d->max, (unsigned long long)difference_count(d),
             d->cached, d->cold, where);
}

static void add_verdict(struct list *l, const struct proof *p)
{
    uint64_t all = 0;
    uint32_t first = p->layers + 1;
    for (uint32_t i = p->layers + 1; i > 0; i--) {
        all += difference_count(&p->layer[i - 1]);
        first = difference_count(&p->layer[i - 1]) > 0 ? i - 1 : first;
    }
    if (all == 0)
        list_add(l, 0, ROLE_CACHED | STYLE_BOLD, "first differing bit: none. With the cache and without it: the same bits.");
    else if (first < p->layers)
        list_add(l, 0, ROLE_GONE | STYLE_BOLD, "first differing bit: in layer %u, at position %u.", first,
                 p->layer[first].position);
    else
        list_add(l, 0, ROLE_GONE | STYLE_BOLD, "first differing bit: in the logits, at position %u.",
                 p->layer[first].position);
    list_add(l, 0, ROLE_TEXT, "next tokens: %u of %u the same.", p->same_tokens, p->sampled);
}

void insight_proof(struct list *l, const struct insight *in, struct scene sc)
{
    const struct inquiry *q = &in->question;
    const struct proof *p = &in->answer.proof;
    (void)sc;
    list_clear(l);
    list_add(l, 0, ROLE_TITLE, "request %u: the run with the cache beside a cold run, in %s mode (=: %s)", q->rid,
             q->fast ? "fast" : "exact", q->fast ? "exact" : "fast");
    if (!add_state(l, in, "the cold run") || p->layer == NULL)
        return;
    list_add(l, p->step, ROLE_TEXT, "%u positions, %u of them read from the cache; keys and values of all of them, and the "
                                    "logits behind %u.", p->n, p->cached, p->sampled);
    list_add(l, 0, ROLE_LABEL, "        largest floats the first: bits   at position");
    list_add(l, 0, ROLE_LABEL, "        |diff|  differ cached   cold         head dim");
    for (uint32_t i = 0; i <= p->layers; i++) {
        char name[16];
        snprintf(name, sizeof name, "layer %u", i);
        add_difference(l, i < p->layers ? name : "logits", &p->layer[i], i == p->layers);
    }
    add_verdict(l, p);
}

/* ---- the reach of a spoiled row ------------------------------------------------------------------------------ */

static void add_reached(struct list *l, const struct insight *in, struct scene sc, const struct effect_request *q,
                        bool here)
{
    struct buf clean = {0}, spoiled = {0};
    const char *label = store_name(sc.s, q->label);
    char name[40];
    snprintf(name, sizeof name, "%u %.6s", q->rid, label);
    if (q->reads == 0) {
        list_add(l, here ? q->step : 0, ROLE_CACHED, "%-9s reads none of it", name);
        return;
    }
    insight_token(in, q->clean, &clean);
    insight_token(in, q->spoiled, &spoiled);
    list_add(l, here ? (q->sample != 0 ? q->sample : q->step) : 0, q->changed > 0 ? ROLE_GONE : ROLE_TEXT,
             "%-8s%4u %-10s %-10s %8.3g %c %u of %u from %u", name, q->reads, buf_text(&clean), buf_text(&spoiled),
             q->max, q->changed > 0 ? '*' : ' ', q->changed, q->sampled, q->position);
    buf_free(&clean);
    buf_free(&spoiled);
}

void insight_effect(struct list *l, const struct insight *in, struct scene sc, int branch)
{
    const struct effect *f = &in->answer.effect;
    uint32_t changed = 0, reached = 0;
    list_clear(l);
    if (in->question.about != ASK_EFFECT) {
        list_add(l, 0, ROLE_TEXT, "Nothing was spoiled up to this step. Type : and poison SLOT, or share SLOT SLOT; then "
                                  "come back here to see whom it reaches.");
        return;
    }
    list_add(l, in->question.step, ROLE_TITLE, "whom the row reaches that was spoiled at step %u", in->question.step);
    if (!add_state(l, in, "both sides of every later request"))
        return;
    list_add(l, 0, ROLE_TEXT, f->ran_spoiled ? "The requests behind it ran with it; the clean side was computed."
                                             : "The requests of branch %d ran without it; the spoiled side was computed.",
             f->branch + 1);
    list_add(l, 0, ROLE_LABEL, "request rows clean      spoiled     largest   next tokens");
    list_add(l, 0, ROLE_LABEL, "        read next token next token    logit   that change,");
    list_add(l, 0, ROLE_LABEL, "                                       diff   from position");
    for (uint32_t i = 0; i < f->count; i++) {
        add_reached(l, in, sc, &f->request[i], f->branch == branch);
        changed += f->request[i].changed > 0;
        reached += f->request[i].reads > 0;
    }
    list_add(l, 0, ROLE_TEXT | STYLE_BOLD, "%u of %u requests read it, directly or through others; the next tokens of %u change.",
             reached, f->count, changed);
}
