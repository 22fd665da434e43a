#include "tape/observation.h"

#include <math.h>
#include <string.h>

#include "base/xalloc.h"
#include "tape/check.h"

/* ---- which pass ---------------------------------------------------------------------------------------- */

static bool about(const struct tape *t, int branch, uint32_t n, unsigned kind, uint32_t request)
{
    struct step s;
    tape_step(t, branch, n, &s);
    return s.kind == kind && (request == 0 || s.arg[0] == request);
}

/* The request of a step; nobody where a file names one that cannot be. */
static const struct request *request_of(const struct world *w, const struct step *s)
{
    return &w->request[s->arg[0] < WORLD_REQUESTS ? s->arg[0] : 0];
}

/* The KV_WRITE of the operation that begins at `op`, about its request; 0: none. */
static uint32_t write_of(const struct tape *t, int branch, uint32_t op)
{
    struct step s;
    tape_step(t, branch, op, &s);
    if (s.kind != EV_PREFILL && s.kind != EV_DECODE)
        return 0;
    uint32_t n = op;
    while ((n = tape_find_kind(t, branch, n, 1, EV_KV_WRITE)) != 0)
        if (about(t, branch, n, EV_KV_WRITE, s.arg[0]))
            return n;
    return 0;
}

/* The PREFILL or DECODE of a KV_WRITE. */
static uint32_t op_of(const struct tape *t, int branch, uint32_t write, uint32_t request)
{
    for (uint32_t n = write; n > 0; n--)
        if (about(t, branch, n, EV_PREFILL, request) || about(t, branch, n, EV_DECODE, request))
            return n;
    return write;
}

/* The token that was sampled behind a KV_WRITE, before the request's next one. */
static uint32_t sample_of(const struct tape *t, int branch, uint32_t write, uint32_t request)
{
    uint32_t end = tape_length(t, branch);
    for (uint32_t n = write + 1; n <= end; n++) {
        if (about(t, branch, n, EV_SAMPLE, request))
            return n;
        if (about(t, branch, n, EV_KV_WRITE, request))
            return 0;
        struct step s;
        tape_step(t, branch, n, &s);
        if (s.settled) /* a pass samples before its operation ends */
            return 0;
    }
    return 0;
}

/* ---- what it read and wrote ----------------------------------------------------------------------------- */

static int pass_room(struct pass *p, uint32_t n, struct err *e)
{
    if (n <= p->cap && p->cap > 0)
        return 0;
    pass_done(p);
    size_t cap = (size_t)n + 64;
    p->token = xcalloc(cap, sizeof *p->token);
    p->slot = xcalloc(cap, sizeof *p->slot);
    p->row = xcalloc(cap, sizeof *p->row);
    p->owner = xcalloc(cap, sizeof *p->owner);
    p->spoiled = xcalloc(cap, sizeof *p->spoiled);
    if (p->token == NULL || p->slot == NULL || p->row == NULL || p->owner == NULL || p->spoiled == NULL) {
        pass_done(p);
        return err_memory(e, cap * 20, "the positions of a pass");
    }
    p->cap = cap;
    return 0;
}

void pass_done(struct pass *p)
{
    xfree(p->token);
    xfree(p->slot);
    xfree(p->row);
    xfree(p->owner);
    xfree(p->spoiled);
    *p = (struct pass){0};
}

/* Owners of the positions that belong to the tree: the path of the node that the request holds. */
static void fill_owners(struct pass *p, const struct world *w)
{
    const struct request *q = &w->request[p->request];
    memset(p->owner, 0, p->n * sizeof *p->owner);
    for (uint32_t node = q->node; node > ROOT && node_live(w, node); node = w->node[node].parent) {
        uint32_t start = node_start(w, node);
        for (uint32_t i = 0; i < w->node[node].len && start + i < p->n && start + i < q->protected_len; i++)
            p->owner[start + i] = node;
    }
}

static int fill(struct pass *p, struct cursor *c, int branch, uint32_t write, struct err *e)
{
    struct step s;
    tape_step(c->tape, branch, write, &s);
    cursor_seek(c, branch, write);
    const struct request *q = request_of(c->w, &s);
    uint64_t n = (uint64_t)s.arg[1] + s.arg[2];
    if (n == 0 || n > q->row_cap || s.arg[2] == 0) /* only a file can say so */
        return err_set(e, "step %u writes more positions than its request has", write);
    if (pass_room(p, (uint32_t)n, e) != 0)
        return -1;
    p->step = write;
    p->branch = branch;
    p->request = s.arg[0] < WORLD_REQUESTS ? s.arg[0] : 0;
    p->rid = q->rid;
    p->from = s.arg[1];
    p->n = (uint32_t)n;
    p->cached = q->cached_len < p->from ? q->cached_len : p->from;
    p->prompt = q->prompt_len;
    p->adapter = q->adapter;
    p->op = op_of(c->tape, branch, write, p->request);
    p->sample = sample_of(c->tape, branch, write, p->request);
    for (uint32_t i = 0; i < p->n; i++) {
        p->token[i] = c->w->row_token[q->row_off + i];
        p->slot[i] = c->w->row_slot[q->row_off + i];
        p->row[i] = kv_row(c->w, p->slot[i]);
        p->spoiled[i] = (c->w->kv[p->slot[i]] & KV_SPOILED) != 0;
    }
    fill_owners(p, c->w);
    return 0;
}

int pass_find(struct pass *p, struct cursor *c, int branch, uint32_t at, struct err *e)
{
    const struct tape *t = c->tape;
    uint32_t op = at > 0 ? tape_operation(t, branch, at) : 0, write = op != 0 ? write_of(t, branch, op) : 0;
    if (write == 0 && at > 0)
        write = tape_find_kind(t, branch, at + 1, -1, EV_KV_WRITE);
    return write != 0 ? fill(p, c, branch, write, e) : 1;
}

int pass_last(struct pass *p, struct cursor *c, int branch, uint32_t rid, struct err *e)
{
    uint32_t n = tape_length(c->tape, branch) + 1;
    while ((n = tape_find_kind(c->tape, branch, n, -1, EV_KV_WRITE)) != 0) {
        struct step s;
        tape_step(c->tape, branch, n, &s);
        cursor_seek(c, branch, n);
        if (request_of(c->w, &s)->rid == rid)
            return fill(p, c, branch, n, e);
    }
    return 1;
}

const struct obs_logit *pass_logits(const struct pass *p, const struct tape *t, uint32_t *n)
{
    struct observation o;
    *n = 0;
    for (uint32_t i = 0; p->sample != 0 && tape_observation(t, p->branch, p->sample, i, &o); i++) {
        if (o.kind != OBS_LOGITS)
            continue;
        *n = o.bytes / (uint32_t)sizeof(struct obs_logit);
        return o.data;
    }
    return NULL;
}

/* ---- attention -------------------------------------------------------------------------------------------- */

bool pass_attention(const struct pass *p, const struct observed *o, uint32_t layer, uint32_t head, uint32_t query,
                    float *out)
{
    const struct model_shape *s = &o->shape;
    const uint32_t group = s->heads / s->kv_heads;
    const float *q = p->row[query] != 0 ? o->row(o->ctx, p->row[query], layer, ROW_Q) : NULL;
    double top = -HUGE_VAL, sum = 0;
    if (q == NULL)
        return false;
    q += (size_t)head * s->head_dim;
    for (uint32_t i = 0; i <= query; i++) {
        const float *k = p->row[i] != 0 ? o->row(o->ctx, p->row[i], layer, ROW_K) : NULL;
        if (k == NULL)
            return false;
        k += (size_t)(head / group) * s->head_dim;
        double dot = 0;
        for (uint32_t d = 0; d < s->head_dim; d++)
            dot += (double)q[d] * (double)k[d];
        out[i] = (float)(dot / sqrt((double)s->head_dim));
        top = fmax(top, (double)out[i]);
    }
    for (uint32_t i = 0; i <= query; i++)
        sum += exp((double)out[i] - top);
    for (uint32_t i = 0; i <= query; i++)
        out[i] = (float)(exp((double)out[i] - top) / sum);
    return true;
}

struct layer_flops shape_flops(const struct model_shape *s, uint32_t n, uint32_t start)
{
    uint64_t width = (uint64_t)s->heads * s->head_dim, kv = (uint64_t)s->kv_heads * s->head_dim, tokens = n;
    uint64_t keys = tokens * start + tokens * (tokens + 1) / 2; /* sum of position + 1 */
    return (struct layer_flops){.qkv = tokens * 2 * s->dim * (width + 2 * kv),
                                .attention = 4 * width * keys,
                                .output = tokens * 2 * width * s->dim,
                                .mlp = tokens * 2 * s->matrices * s->dim * s->hidden};
}

uint64_t shape_head_flops(const struct model_shape *s, uint32_t rows)
{
    return (uint64_t)rows * 2 * s->dim * s->vocab;
}

/* ---- slots -------------------------------------------------------------------------------------------------- */

static bool reads(const struct world *w, const struct step *s, uint32_t slot, uint32_t row, uint32_t position)
{
    const struct request *q = request_of(w, s);
    uint64_t n = (uint64_t)s->arg[1] + s->arg[2];
    return position < n && position < q->row_cap && w->row_slot[q->row_off + position] == slot && kv_row(w, slot) == row;
}

uint32_t slot_readers(struct cursor *c, uint32_t slot, uint32_t row, uint32_t position, struct reader_of_slot *out,
                      uint32_t most)
{
    const struct tape *t = c->tape;
    uint32_t found = 0, last_rid = 0;
    const int branch = c->branch;
    for (uint32_t n = 0; (n = tape_find_kind(t, branch, n, 1, EV_KV_WRITE)) != 0;) {
        struct step s;
        tape_step(t, branch, n, &s);
        cursor_seek(c, branch, n);
        const struct request *q = request_of(c->w, &s);
        if (q->rid == last_rid || !reads(c->w, &s, slot, row, position))
            continue;
        bool told = false; /* several requests may run in turns */
        for (uint32_t i = 0; i < found && i < most; i++)
            told = told || out[i].rid == q->rid;
        last_rid = q->rid;
        if (told)
            continue;
        if (found < most)
            out[found] = (struct reader_of_slot){q->rid, n, op_of(t, branch, n, s.arg[0]), q->label,
                                                 position >= s.arg[1]};
        found++;
    }
    return found;
}

bool slot_place(struct scene sc, uint32_t slot, uint32_t *node, uint32_t *request, uint32_t *position, uint32_t *token)
{
    const struct world *w = sc.w;
    *node = *request = 0;
    for (uint32_t n = node_preorder(w, ROOT); n != 0; n = node_preorder(w, n))
        for (uint32_t i = 0; i < w->node[n].len; i++)
            if (node_slots(sc, n)[i] == slot) {
                *node = n;
                *position = node_start(w, n) + i;
                *token = node_tokens(sc, n)[i];
                return true;
            }
    for (uint32_t r = 1; r < w->head.request_top; r++) {
        const struct request *q = &w->request[r];
        for (uint32_t i = 0; request_running(q) && i < q->kv_len; i++)
            if (w->row_slot[q->row_off + i] == slot) {
                *request = r;
                *position = i;
                *token = w->row_token[q->row_off + i];
                return true;
            }
    }
    return false;
}
