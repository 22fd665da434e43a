#include "engine/poison.h"

#include <math.h>
#include <string.h>

#include "base/xalloc.h"
#include "cache/cache.h"
#include "engine/proof.h"
#include "model/kvrows.h"
#include "model/model.h"
#include "model/sample.h"

/* ---- spoiling ------------------------------------------------------------------------------------------- */

static uint32_t row_behind(struct engine *en, uint32_t slot, struct err *e)
{
    const struct world *w = tape_world(engine_tape(en));
    const struct head *h = &w->head;
    if (engine_kvrows(en) == NULL) {
        err_set(e, "there are no KV rows: no request has computed anything yet");
        return 0;
    }
    if (slot < h->page_size || slot >= h->pool + h->page_size) {
        err_set(e, "there is no slot %u: they go from %u to %u", slot, h->page_size, h->pool + h->page_size - 1);
        return 0;
    }
    if (kv_row(w, slot) == 0)
        err_set(e, "slot %u holds no keys and values: no request has written it", slot);
    return kv_row(w, slot);
}

static uint32_t flip(float *x, uint32_t n, uint32_t bit)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits ^= (uint32_t)1 << bit;
        memcpy(&x[i], &bits, sizeof bits);
    }
    return n;
}

/* Flip what `p` names in a part of one layer: all heads or one, all dimensions or one. */
static uint32_t flip_layer(const struct poison *p, const struct model_config *c, float *x)
{
    uint32_t from = p->one_head ? p->head : 0, to = p->one_head ? p->head + 1 : c->kv_heads, n = 0;
    for (uint32_t h = from; h < to; h++)
        n += flip(x + (size_t)h * c->head_dim + (p->one_dim ? p->dim : 0), p->one_dim ? 1 : c->head_dim, p->bit);
    return n;
}

static uint32_t flip_row(const struct poison *p, const struct model_config *c, struct kvrows *rows, uint32_t row)
{
    uint32_t from = p->one_layer ? p->layer : 0, to = p->one_layer ? p->layer + 1 : c->layers, n = 0;
    for (uint32_t l = from; l < to; l++) {
        n += p->keys ? flip_layer(p, c, kvrows_edit_k(rows, row, l)) : 0;
        n += p->values ? flip_layer(p, c, kvrows_edit_v(rows, row, l)) : 0;
    }
    return n;
}

static int check_poison(const struct poison *p, const struct model_config *c, struct err *e)
{
    if (p->one_layer && p->layer >= c->layers)
        return err_set(e, "there is no layer %u: they go from 0 to %u", p->layer, c->layers - 1);
    if (p->one_head && p->head >= c->kv_heads)
        return err_set(e, "there is no KV head %u: they go from 0 to %u", p->head, c->kv_heads - 1);
    if (p->one_dim && p->dim >= c->head_dim)
        return err_set(e, "there is no dimension %u: they go from 0 to %u", p->dim, c->head_dim - 1);
    return p->bit > 31 ? err_set(e, "a float has bits 0 to 31, not %u", p->bit) : 0;
}

/* The slot names `row` from here on. Inside an operation. */
static void put_row(struct engine *en, uint32_t slot, uint32_t row, uint32_t old)
{
    struct cache *c = engine_cache(en);
    CACHE_SET(c, c->w->kv[slot], row | KV_SPOILED);
    if (!tape_recording(engine_tape(en)))
        kvrows_release(engine_kvrows(en), old); /* no history names it */
}

int engine_poison(struct engine *en, const struct poison *p, struct err *e)
{
    struct cache *c = engine_cache(en);
    uint32_t old = row_behind(en, p->slot, e);
    if (old == 0)
        return -1;
    const struct model_config *m = model_get_config(engine_get_config(en)->model);
    struct kvrows *rows = engine_kvrows(en);
    if (check_poison(p, m, e) != 0)
        return -1;
    uint32_t row = kvrows_copy(rows, old);
    if (row == 0)
        return err_memory(e, kvrows_row_bytes(rows), "another KV row");
    if (cache_begin(c, 4, e) != 0) {
        kvrows_release(rows, row);
        return -1;
    }
    uint32_t floats = flip_row(p, m, rows, row);
    put_row(en, p->slot, row, old);
    CACHE_EMIT(c, POISON, p->slot, p->bit, floats, p->one_layer, p->layer, row, old);
    cache_end(c);
    return 0;
}

int engine_share(struct engine *en, uint32_t slot, uint32_t with, struct err *e)
{
    struct cache *c = engine_cache(en);
    uint32_t old = row_behind(en, slot, e), other = old != 0 ? row_behind(en, with, e) : 0;
    if (other == 0)
        return -1;
    if (slot == with)
        return err_set(e, "slot %u shares with itself already: name another one", slot);
    struct kvrows *rows = engine_kvrows(en);
    uint32_t row = kvrows_copy(rows, other);
    if (row == 0)
        return err_memory(e, kvrows_row_bytes(rows), "another KV row");
    if (cache_begin(c, 4, e) != 0) {
        kvrows_release(rows, row);
        return -1;
    }
    put_row(en, slot, row, old);
    CACHE_EMIT(c, SHARE, slot, with, row, old);
    cache_end(c);
    return 0;
}

/* ---- the effect ------------------------------------------------------------------------------------------- */

/* Rows of the run as it was, and what stands in their place on the other side. */
struct exchange {
    uint32_t *from, *to;     /* (n) */
    uint32_t n;
    size_t from_cap, to_cap;
};

static int exchange_add(struct exchange *x, uint32_t from, uint32_t to, struct err *e)
{
    void *f = x->from, *t = x->to;
    bool room = xgrow(&f, &x->from_cap, (size_t)x->n + 1, sizeof *x->from);
    x->from = f;
    room = xgrow(&t, &x->to_cap, (size_t)x->n + 1, sizeof *x->to) && room;
    x->to = t;
    if (!room)
        return err_memory(e, 8, "the effect of a spoiled row");
    x->from[x->n] = from;
    x->to[x->n++] = to;
    return 0;
}

/* The rows as the other side has them; returns how many are others among the first `n`. */
static uint32_t exchange_rows(const struct exchange *x, uint32_t *row, uint32_t n)
{
    uint32_t changed = 0;
    for (uint32_t p = 0; p < n; p++)
        for (uint32_t i = x->n; i > 0; i--) {
            if (x->from[i - 1] != row[p])
                continue;
            row[p] = x->to[i - 1];
            changed++;
            break;
        }
    return changed;
}

struct effect_work {
    struct engine *en;
    struct forward *forward;
    struct exchange exchange;
    struct effect *out;
    struct pass pass;
    struct cursor c;
    size_t cap;
    const struct rerun_watch *watch;
    struct effect_request *request; /* the one at hand */
    float *logits;                  /* (positions, vocab) of the run as it was */
    uint32_t first;                 /* position of the first of them */
};

static void keep_logits(void *ctx, uint32_t position, const float *logits, uint32_t vocab)
{
    struct effect_work *w = ctx;
    memcpy(w->logits + (size_t)(position - w->first) * vocab, logits, vocab * sizeof *logits);
}

/* The other side's logits of a position; the run as it was is in w->logits. */
static void compare_logits(void *ctx, uint32_t position, const float *logits, uint32_t vocab)
{
    struct effect_work *w = ctx;
    struct effect_request *q = w->request;
    const float *ran = w->logits + (size_t)(position - w->first) * vocab;
    uint32_t was = sample_argmax(ran, vocab), other = sample_argmax(logits, vocab);
    for (uint32_t i = 0; i < vocab; i++) {
        double by = fabs((double)ran[i] - (double)logits[i]);
        q->max = isnan(by) || by > q->max ? by : q->max;
    }
    if (q->sampled++ == 0 || (was != other && q->changed == 0)) {
        q->clean = w->out->ran_spoiled ? other : was;
        q->spoiled = w->out->ran_spoiled ? was : other;
        q->position = position + 1;
    }
    q->changed += was != other;
}

/* The step that sampled the token of a position of the request; 0: none did. */
static uint32_t find_sample(const struct effect_work *w, uint32_t position)
{
    struct step s;
    const struct tape *t = engine_tape(w->en);
    for (uint32_t n = w->request->step; (n = tape_find_kind(t, w->out->branch, n, 1, EV_SAMPLE)) != 0;) {
        tape_step(t, w->out->branch, n, &s);
        if (s.arg[0] == w->pass.request && s.arg[2] == position)
            return n;
        if (n > w->pass.sample && w->pass.sample != 0)
            break;
    }
    return 0;
}

/* Both sides of a request that reads exchanged rows. */
static int run_both(struct effect_work *w, uint32_t *row, uint32_t from, struct err *e)
{
    const struct pass *p = &w->pass;
    uint32_t vocab = model_get_config(engine_get_config(w->en)->model)->vocab;
    struct rerun ran = {.forward = w->forward, .rows = engine_kvrows(w->en), .tokens = p->token, .n = p->n, .from = from,
                        .first = w->first, .lora = engine_adapter(w->en, p->adapter), .logits = keep_logits, .ctx = w,
                        .watch = w->watch};
    struct rerun other = ran;
    ran.row = xmemdup(p->row, p->n * sizeof *row);
    other.row = row;
    other.logits = compare_logits;
    w->logits = xmalloc((size_t)(p->n - w->first) * vocab * sizeof(float));
    int rc = ran.row == NULL || w->logits == NULL
                 ? err_memory(e, (size_t)(p->n - w->first) * vocab * sizeof(float), "logits")
                 : rerun_run(&ran, vocab, e);
    rerun_done(&ran);
    if (rc == 0)
        rc = rerun_run(&other, vocab, e);
    /* its rows stand for those that the run as it was wrote: later requests may read them */
    for (uint32_t i = from; rc == 0 && i < p->n; i++)
        if ((rc = exchange_add(&w->exchange, p->row[i], row[i], e)) == 0)
            row[i] = 0; /* give_back's from here on */
    rerun_done(&other);
    xfree(ran.row);
    xfree(w->logits);
    return rc;
}

/* The request of w->pass: does it read an exchanged row, and what does that do? */
static int examine(struct effect_work *w, uint32_t arrived, struct err *e)
{
    struct effect *out = w->out;
    const struct pass *p = &w->pass;
    void *grown = out->request;
    bool room = xgrow(&grown, &w->cap, (size_t)out->count + 1, sizeof *out->request);
    out->request = grown;
    uint32_t *row = xmemdup(p->row, p->n * sizeof *row), from = p->cached < p->n ? p->cached : p->n - 1;
    if (!room || row == NULL) {
        xfree(row);
        return err_memory(e, p->n * sizeof *row, "the effect of a spoiled row");
    }
    w->request = &out->request[out->count++];
    *w->request = (struct effect_request){.rid = p->rid, .step = arrived,
                                          .label = w->c.w->request[p->request].label};
    w->first = p->prompt > 0 && p->prompt <= p->n ? p->prompt - 1 : p->n - 1;
    from = from < w->first ? from : w->first;
    w->request->reads = exchange_rows(&w->exchange, row, from);
    int rc = w->request->reads > 0 ? run_both(w, row, from, e) : 0;
    if (rc == 0)
        w->request->sample = w->request->sampled > 0 ? find_sample(w, w->request->position) : 0;
    xfree(row);
    return rc;
}

/* Every request that arrives behind step `after` of the branch. */
static int examine_all(struct effect_work *w, uint32_t after, struct err *e)
{
    const struct tape *t = engine_tape(w->en);
    const int branch = w->out->branch;
    int rc = 0;
    for (uint32_t n = after; rc == 0 && (n = tape_find_kind(t, branch, n, 1, EV_REQUEST)) != 0;) {
        struct step s;
        tape_step(t, branch, n, &s);
        cursor_seek(&w->c, branch, n);
        rc = pass_last(&w->pass, &w->c, branch, w->c.w->request[s.arg[0]].rid, e);
        if (rc == 0)
            rc = examine(w, n, e);
        else if (rc == 1)
            rc = 0; /* it never computed anything */
    }
    return rc;
}

/* Which requests to look at: those behind it, or those of the history that it was done to. */
static uint32_t choose_branch(const struct tape *t, int branch, uint32_t step, struct effect *out)
{
    uint32_t fork = 0;
    out->branch = branch;
    out->ran_spoiled = tape_find_kind(t, branch, step, 1, EV_REQUEST) != 0;
    int parent = tape_parent(t, branch, &fork);
    if (out->ran_spoiled || parent < 0 || fork >= step)
        return step;
    out->branch = parent;
    return fork;
}

/* Rows of requests that were computed again go back. The first entry is the world's. */
static void give_back(struct effect_work *w)
{
    for (uint32_t i = 1; i < w->exchange.n; i++)
        kvrows_release(engine_kvrows(w->en), w->exchange.to[i]);
    xfree(w->exchange.from);
    xfree(w->exchange.to);
    pass_done(&w->pass);
    cursor_done(&w->c);
}

int effect_run(struct engine *en, int branch, uint32_t step, const struct rerun_watch *watch, struct effect *out,
               struct err *e)
{
    struct effect_work w = {.en = en, .out = out, .watch = watch};
    const struct tape *t = engine_tape(en);
    struct step s;
    *out = (struct effect){0};
    tape_step(t, branch, step, &s);
    ASSERT(s.kind == EV_POISON || s.kind == EV_SHARE);
    if ((w.forward = engine_forward(en, e)) == NULL || cursor_init(&w.c, t, e) != 0)
        return -1;
    uint32_t row = s.arg[event_arg(s.kind, "row")], old = s.arg[event_arg(s.kind, "old")];
    uint32_t after = choose_branch(t, branch, step, out);
    out->step = step;
    out->slot = s.arg[0];
    int rc = exchange_add(&w.exchange, out->ran_spoiled ? row : old, out->ran_spoiled ? old : row, e);
    if (rc == 0)
        rc = examine_all(&w, after, e);
    give_back(&w);
    if (rc != 0)
        effect_done(out);
    return rc;
}
