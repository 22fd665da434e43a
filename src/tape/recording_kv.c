#include "tape/recording_kv.h"

#include <string.h>

#include "base/xalloc.h"

enum { MOST_LAYERS = 4096, MOST_HEADS = 4096, MOST_HEAD_DIM = 4096, ROW_HAS_Q = 1, SET_WORDS = 1 << 26 };

static uint64_t sum_of(const void *bytes, size_t n) /* FNV-1a */
{
    const unsigned char *at = bytes;
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * UINT64_C(1099511628211);
    return h;
}

/* ---- writing ------------------------------------------------------------------------------------------------ */

/* The rows that any moment of any branch names, as a set of bits. */
struct row_set {
    uint32_t *bit;           /* SET_WORDS of them, touched where needed */
    uint32_t top;            /* one more than the largest */
    const struct world *w;
};

static void add_rows(void *ctx, uint32_t word, uint32_t count)
{
    struct row_set *set = ctx;
    uint32_t first = (uint32_t)(set->w->kv - set->w->word);
    for (uint32_t i = word; i < word + count; i++) {
        uint32_t row = i >= first && i - first < WORLD_SLOTS ? set->w->word[i] & ~KV_SPOILED : 0;
        if (row == 0)
            continue;
        set->bit[row / 32] |= UINT32_C(1) << (row % 32);
        set->top = row >= set->top ? row + 1 : set->top;
    }
}

static int collect_rows(const struct tape *t, struct row_set *set, struct err *e)
{
    struct cursor c;
    if (cursor_init(&c, t, e) != 0)
        return -1;
    set->w = c.w;
    for (int branch = 0; branch < tape_branches(t); branch++) {
        uint32_t base = 0, end = tape_length(t, branch);
        tape_parent(t, branch, &base);
        for (uint32_t n = base + 1; n <= end; n++) {
            cursor_seek(&c, branch, n);
            tape_changes(t, branch, n, add_rows, set);
        }
    }
    cursor_done(&c);
    return 0;
}

static void put_u32(struct buf *b, uint32_t v)
{
    buf_add(b, &v, sizeof v);
}

static void put_row(struct buf *b, const struct observed *o, uint32_t row)
{
    const struct model_shape *s = &o->shape;
    const size_t kv = (size_t)s->kv_heads * s->head_dim * sizeof(float), q = (size_t)s->heads * s->head_dim * sizeof(float);
    bool has_q = o->row(o->ctx, row, 0, ROW_Q) != NULL;
    put_u32(b, row);
    put_u32(b, has_q ? ROW_HAS_Q : 0);
    for (uint32_t l = 0; l < s->layers; l++) {
        buf_add(b, o->row(o->ctx, row, l, ROW_K), kv);
        buf_add(b, o->row(o->ctx, row, l, ROW_V), kv);
        if (has_q)
            buf_add(b, o->row(o->ctx, row, l, ROW_Q), q);
    }
}

/* Room for the checksum of what follows, to be filled in. */
static size_t begin_sum(struct buf *b)
{
    uint64_t later = 0;
    buf_add(b, &later, sizeof later);
    return b->len;
}

static void end_sum(struct buf *b, size_t from)
{
    if (b->failed)
        return;
    uint64_t sum = sum_of(b->data + from, b->len - from);
    memcpy(b->data + from - sizeof sum, &sum, sizeof sum);
}

int recording_put_rows(struct buf *b, const struct tape *t, const struct recording_kv *kv, struct err *e)
{
    struct row_set set = {.bit = xreserve(SET_WORDS * sizeof(uint32_t))};
    if (set.bit == NULL)
        return err_memory(e, SET_WORDS, "the rows of a recording");
    int rc = collect_rows(t, &set, e);
    size_t from = begin_sum(b);
    buf_add(b, &kv->observed->shape, sizeof kv->observed->shape);
    for (uint32_t row = 1; rc == 0 && row < set.top; row++)
        if (set.bit[row / 32] >> (row % 32) & 1)
            put_row(b, kv->observed, row);
    end_sum(b, from);
    xunreserve(set.bit, SET_WORDS * sizeof(uint32_t));
    return rc;
}

static void put_double(struct buf *b, double v)
{
    buf_add(b, &v, sizeof v);
}

static void put_difference(struct buf *b, const struct difference *d)
{
    put_double(b, d->max);
    const uint32_t word[] = {d->differing_low, d->differing_high, d->position, d->part, d->head, d->dim, d->cached, d->cold};
    buf_add(b, word, sizeof word);
}

static void put_proof(struct buf *b, const struct proof *p)
{
    const uint32_t word[] = {(uint32_t)p->branch, p->step, p->rid, p->fast, p->n, p->cached, p->sampled, p->same_tokens,
                             p->layers};
    buf_add(b, word, sizeof word);
    for (uint32_t i = 0; i <= p->layers; i++)
        put_difference(b, &p->layer[i]);
}

static void put_effect(struct buf *b, const struct effect *f)
{
    const uint32_t word[] = {(uint32_t)f->branch, f->step, f->slot, f->ran_spoiled, f->count};
    buf_add(b, word, sizeof word);
    for (uint32_t i = 0; i < f->count; i++) {
        const struct effect_request *q = &f->request[i];
        const uint32_t row[] = {q->rid, q->label, q->step, q->reads, q->clean, q->spoiled, q->position, q->sample,
                                q->changed, q->sampled};
        buf_add(b, row, sizeof row);
        put_double(b, q->max);
    }
}

void recording_put_answers(struct buf *b, const struct recording_kv *kv)
{
    size_t from = begin_sum(b);
    for (uint32_t i = 0; i < kv->answers; i++) {
        const struct answered *x = &kv->answer[i];
        const uint32_t word[] = {(uint32_t)x->q.about, (uint32_t)x->q.branch, x->q.rid, x->q.fast, x->q.step};
        buf_add(b, word, sizeof word);
        if (x->q.about == ASK_PROOF)
            put_proof(b, &x->a.proof);
        else
            put_effect(b, &x->a.effect);
    }
    end_sum(b, from);
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

struct bytes {
    const char *at, *end;
};

static bool take(struct bytes *r, void *to, size_t n)
{
    if ((size_t)(r->end - r->at) < n)
        return false;
    memcpy(to, r->at, n);
    r->at += n;
    return true;
}

static bool check_sum(struct bytes *r, const char *bytes, size_t n)
{
    uint64_t sum;
    *r = (struct bytes){bytes, bytes + n};
    return take(r, &sum, sizeof sum) && sum == sum_of(r->at, (size_t)(r->end - r->at));
}

static bool shape_makes_sense(const struct model_shape *s)
{
    return s->layers >= 1 && s->layers <= MOST_LAYERS && s->kv_heads >= 1 && s->heads <= MOST_HEADS &&
           s->heads >= s->kv_heads && s->heads % s->kv_heads == 0 && s->head_dim >= 1 && s->head_dim <= MOST_HEAD_DIM;
}

/* How many rows there are, without keeping them; false: their lengths do not fit. */
static bool count_rows(const struct model_shape *s, struct bytes r, uint32_t *rows)
{
    size_t kv = (size_t)s->kv_heads * s->head_dim * 2, q = (size_t)s->heads * s->head_dim;
    uint32_t head[2], last = 0;
    for (*rows = 0; r.at < r.end; ++*rows) {
        if (!take(&r, head, sizeof head) || head[0] <= last || head[1] > ROW_HAS_Q)
            return false;
        size_t bytes = s->layers * (kv + (head[1] ? q : 0)) * sizeof(float);
        if ((size_t)(r.end - r.at) < bytes)
            return false;
        r.at += bytes;
        last = head[0];
    }
    return true;
}

static bool room_for_rows(struct recorded_kv *kv, size_t bytes)
{
    kv->id = xcalloc((size_t)kv->rows + 1, sizeof *kv->id);
    kv->has_q = xcalloc((size_t)kv->rows + 1, 1);
    kv->at = xcalloc((size_t)kv->rows + 1, sizeof *kv->at);
    kv->floats = xmalloc(bytes + sizeof(float));
    return kv->id != NULL && kv->has_q != NULL && kv->at != NULL && kv->floats != NULL;
}

int recording_read_rows(struct recorded_kv *kv, const char *bytes, size_t n, const char **wrong)
{
    struct bytes r;
    const struct model_shape *s = &kv->shape;
    *wrong = "its KV rows";
    if (kv->id != NULL || !check_sum(&r, bytes, n) || !take(&r, &kv->shape, sizeof kv->shape) || !shape_makes_sense(s) ||
        !count_rows(s, r, &kv->rows))
        return -1;
    if (!room_for_rows(kv, (size_t)(r.end - r.at))) {
        *wrong = NULL;
        return -1;
    }
    size_t used = 0;
    for (uint32_t i = 0; i < kv->rows; i++) {
        uint32_t head[2] = {0};
        take(&r, head, sizeof head);
        size_t floats = s->layers * (size_t)s->head_dim * (2 * (size_t)s->kv_heads + (head[1] ? s->heads : 0));
        kv->id[i] = head[0];
        kv->has_q[i] = (uint8_t)head[1];
        kv->at[i] = used;
        take(&r, kv->floats + used, floats * sizeof(float));
        used += floats;
    }
    return 0;
}

static bool take_proof(struct bytes *r, struct proof *p, bool *memory)
{
    uint32_t w[9];
    if (!take(r, w, sizeof w) || w[8] < 1 || w[8] > MOST_LAYERS)
        return false;
    *p = (struct proof){.branch = (int32_t)w[0], .step = w[1], .rid = w[2], .fast = w[3], .n = w[4], .cached = w[5],
                        .sampled = w[6], .same_tokens = w[7], .layers = w[8]};
    p->layer = xcalloc((size_t)p->layers + 1, sizeof *p->layer);
    *memory = p->layer != NULL;
    for (uint32_t i = 0; p->layer != NULL && i <= p->layers; i++) {
        uint32_t d[8];
        if (!take(r, &p->layer[i].max, sizeof(double)) || !take(r, d, sizeof d))
            return false;
        p->layer[i] = (struct difference){.max = p->layer[i].max, .differing_low = d[0], .differing_high = d[1],
                                          .position = d[2], .part = d[3], .head = d[4], .dim = d[5], .cached = d[6],
                                          .cold = d[7]};
    }
    return p->layer != NULL;
}

static bool take_effect(struct bytes *r, struct effect *f, bool *memory)
{
    uint32_t w[5];
    if (!take(r, w, sizeof w) || w[4] > (size_t)(r->end - r->at) / 48)
        return false;
    *f = (struct effect){.branch = (int32_t)w[0], .step = w[1], .slot = w[2], .ran_spoiled = w[3], .count = w[4]};
    f->request = xcalloc((size_t)f->count + 1, sizeof *f->request);
    *memory = f->request != NULL;
    for (uint32_t i = 0; f->request != NULL && i < f->count; i++) {
        uint32_t q[10];
        double max;
        if (!take(r, q, sizeof q) || !take(r, &max, sizeof max))
            return false;
        f->request[i] = (struct effect_request){.rid = q[0], .label = q[1], .step = q[2], .reads = q[3], .clean = q[4],
                                                .spoiled = q[5], .position = q[6], .sample = q[7], .changed = q[8],
                                                .sampled = q[9], .max = max};
    }
    return f->request != NULL;
}

int recording_read_answers(struct recorded_kv *kv, const char *bytes, size_t n, const char **wrong)
{
    struct bytes r;
    size_t cap = 0;
    bool memory = true;
    *wrong = "its proofs";
    if (kv->answered || !check_sum(&r, bytes, n))
        return -1;
    kv->answered = true;
    while (r.at < r.end) {
        uint32_t w[5];
        void *grown = kv->answer;
        if (!take(&r, w, sizeof w) || (w[0] != ASK_PROOF && w[0] != ASK_EFFECT))
            return -1;
        memory = xgrow(&grown, &cap, (size_t)kv->answers + 1, sizeof *kv->answer);
        kv->answer = grown;
        struct answered *x = memory ? &kv->answer[kv->answers++] : NULL;
        if (x != NULL)
            *x = (struct answered){{(enum inquiry_about)w[0], (int)w[1], w[2], w[3] != 0, w[4]}, {.state = ANSWER_READY}};
        if (x == NULL || !(w[0] == ASK_PROOF ? take_proof(&r, &x->a.proof, &memory)
                                             : take_effect(&r, &x->a.effect, &memory))) {
            *wrong = memory ? *wrong : NULL;
            return -1;
        }
    }
    return 0;
}

static bool on_branch(const struct tape *t, int branch, uint32_t step)
{
    return branch >= 0 && branch < tape_branches(t) && step <= tape_length(t, branch);
}

static bool effect_fits(const struct effect *f, const struct tape *t)
{
    bool fits = on_branch(t, f->branch, 0);
    for (uint32_t i = 0; fits && i < f->count; i++)
        fits = f->request[i].label < tape_scene(t).s->name_count && on_branch(t, f->branch, f->request[i].step) &&
               on_branch(t, f->branch, f->request[i].sample);
    return fits;
}

bool recorded_kv_fits(const struct recorded_kv *kv, const struct tape *t)
{
    for (uint32_t i = 0; i < kv->answers; i++) {
        const struct answered *x = &kv->answer[i];
        if (!on_branch(t, x->q.branch, x->q.step) ||
            (x->q.about == ASK_PROOF ? !on_branch(t, x->a.proof.branch, x->a.proof.step) : !effect_fits(&x->a.effect, t)))
            return false;
    }
    return true;
}

void recorded_kv_done(struct recorded_kv *kv)
{
    for (uint32_t i = 0; i < kv->answers; i++)
        answer_done(&kv->answer[i].a);
    xfree(kv->answer);
    xfree(kv->id);
    xfree(kv->has_q);
    xfree(kv->at);
    xfree(kv->floats);
    *kv = (struct recorded_kv){0};
}

const float *recorded_row(const void *ctx, uint32_t row, uint32_t layer, enum row_part part)
{
    const struct recorded_kv *kv = ctx;
    const struct model_shape *s = &kv->shape;
    uint32_t low = 0, high = kv->rows;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (kv->id[mid] < row)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == kv->rows || kv->id[low] != row || (part == ROW_Q && !kv->has_q[low]))
        return NULL;
    size_t width = (size_t)s->kv_heads * s->head_dim, q = kv->has_q[low] ? (size_t)s->heads * s->head_dim : 0;
    return kv->floats + kv->at[low] + layer * (2 * width + q) + (part == ROW_K ? 0 : part == ROW_V ? width : 2 * width);
}
