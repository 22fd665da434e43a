#include "tape/tape.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "tape/tape_io.h"

/* ---- piles: growing arrays whose elements never move, so that other threads may read them --------- */

static bool pile_room(struct pile *p, uint32_t more)
{
    if (p->chunk == NULL && (p->chunk = xcalloc(PILE_CHUNKS, sizeof *p->chunk)) == NULL)
        return false;
    uint64_t need = (uint64_t)p->n + more;
    if (need > (uint64_t)PILE_CHUNKS << PILE_SHIFT)
        return false;
    for (; (uint64_t)p->chunks << PILE_SHIFT < need; p->chunks++)
        if ((p->chunk[p->chunks] = xmalloc(p->size << PILE_SHIFT)) == NULL)
            return false;
    return true;
}

static void *pile_push(struct pile *p)
{
    ASSERT(p->n >> PILE_SHIFT < p->chunks); /* tape_room comes first */
    return pile_at(p, p->n++);
}

static void pile_free(struct pile *p)
{
    for (uint32_t i = 0; i < p->chunks; i++)
        xfree(p->chunk[i]);
    xfree(p->chunk);
}

static void push_word(struct branch *b, uint32_t v)
{
    *(uint32_t *)pile_push(&b->words) = v;
}

/* ---- branches ---------------------------------------------------------------------------------------- */

/* Its history goes, and what that took. */
static void branch_clear(struct branch *b)
{
    for (uint32_t i = 0; i < b->obs.n; i++)
        xfree(((struct obs_record *)pile_at(&b->obs, i))->data);
    for (uint32_t i = 0; i < b->skips.n; i++)
        skip_free(pile_at(&b->skips, i));
    pile_free(&b->steps);
    pile_free(&b->runs);
    pile_free(&b->words);
    pile_free(&b->obs);
    pile_free(&b->skips);
}

static void branch_free(struct branch *b)
{
    if (b != NULL)
        branch_clear(b);
    xfree(b);
}

static void branch_init(struct branch *b, int parent, uint32_t base)
{
    *b = (struct branch){.parent = parent, .base = base};
    b->steps.size = sizeof(struct step_record);
    b->runs.size = sizeof(struct run_record);
    b->words.size = sizeof(uint32_t);
    b->obs.size = sizeof(struct obs_record);
    b->skips.size = sizeof(struct skip_block);
    atomic_init(&b->length, base);
    atomic_init(&b->obs_length, 0);
    atomic_init(&b->skip_count, 0);
}

static bool tape_add_branch(struct tape *t, int parent, uint32_t base)
{
    int n = atomic_load(&t->branch_count);
    if (n == TAPE_BRANCHES)
        return false;
    struct branch *b = xcalloc(1, sizeof *b);
    if (b == NULL)
        return false;
    branch_init(b, parent, base);
    t->branch[n] = b;
    atomic_store(&t->branch_count, n + 1);
    t->current = n;
    return true;
}

/* The branch that holds step n of `branch` itself: up through the parents to before each fork. */
static const struct branch *step_home(const struct tape *t, int branch, uint32_t n)
{
    const struct branch *b = t->branch[branch];
    while (n <= b->base && b->parent >= 0)
        b = t->branch[b->parent];
    return b;
}

static const struct step_record *step_record(const struct branch *b, uint32_t n)
{
    return pile_at(&b->steps, n - b->base - 1);
}

/* Where step n's runs and words begin: at the end of the step before it. */
static struct step_record step_begin(const struct branch *b, uint32_t n)
{
    static const struct step_record START;
    return n - b->base == 1 ? START : *step_record(b, n - 1);
}

/* ---- moving a world in time --------------------------------------------------------------------------- */

/* One side (before or after) of a run: n words from pile word *at, as a stride or one by one. Written to
 * `to` if wanted, else passed over. */
static void side_write(const struct branch *b, uint32_t *at, bool stride, uint32_t n, uint32_t *to, bool wanted)
{
    if (stride) {
        uint32_t first = pile_word(b, *at), step = pile_word(b, *at + 1);
        for (uint32_t i = 0; wanted && i < n; i++)
            to[i] = first + i * step;
        *at += 2;
        return;
    }
    for (uint32_t i = 0; wanted && i < n; i++)
        to[i] = pile_word(b, *at + i);
    *at += n;
}

static void step_apply(const struct branch *b, uint32_t n, struct world *w, bool forward)
{
    struct step_record from = step_begin(b, n);
    uint32_t word = from.word_end, last = step_record(b, n)->run_end;
    for (uint32_t r = from.run_end; r < last; r++) {
        const struct run_record *run = pile_at(&b->runs, r);
        uint32_t *to = w->word + run->at;
        if (run->info & RUN_SMALL) {
            uint32_t diff = (uint32_t)((int32_t)run->info >> 1);
            *to = forward ? *to + diff : *to - diff;
            continue;
        }
        uint32_t len = run->info >> RUN_SHIFT;
        side_write(b, &word, (run->info & RUN_BEFORE_STRIDE) != 0, len, to, !forward);
        side_write(b, &word, (run->info & RUN_AFTER_STRIDE) != 0, len, to, forward);
    }
}

static int branch_up(const struct tape *t, int branch, uint32_t *at)
{
    const struct branch *b = t->branch[branch];
    *at = *at < b->base ? *at : b->base;
    return b->parent;
}

/* How many of a branch's blocks end at or before position n. */
static uint32_t blocks_before(const struct branch *b, uint32_t count, uint32_t n)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (((const struct skip_block *)pile_at(&b->skips, mid))->to <= n)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Within one branch, from position n back to `low`. */
static void branch_back(const struct branch *b, struct world *w, uint32_t n, uint32_t low)
{
    uint32_t count = atomic_load_explicit(&b->skip_count, memory_order_acquire);
    for (uint32_t k = n - low < SKIP_STEPS ? 0 : blocks_before(b, count, n); k > 0; k--) {
        const struct skip_block *s = pile_at(&b->skips, k - 1);
        if (s->from < low)
            break;
        for (; n > s->to; n--)
            step_apply(b, n, w, false);
        skip_apply(s, w, false);
        n = s->from;
    }
    for (; n > low; n--)
        step_apply(b, n, w, false);
}

static void branch_forward(const struct branch *b, struct world *w, uint32_t n, uint32_t high)
{
    uint32_t count = atomic_load_explicit(&b->skip_count, memory_order_acquire);
    for (uint32_t k = high - n < SKIP_STEPS ? count : blocks_before(b, count, n); k < count; k++) {
        const struct skip_block *s = pile_at(&b->skips, k);
        if (s->to > high)
            break;
        if (s->from < n)
            continue; /* n lies within it */
        for (; n < s->from; n++)
            step_apply(b, n + 1, w, true);
        skip_apply(s, w, true);
        n = s->to;
    }
    for (; n < high; n++)
        step_apply(b, n + 1, w, true);
}

/* From position n of `branch` back to `low`, through the parents that hold the steps. */
static void go_back(const struct tape *t, struct world *w, int branch, uint32_t n, uint32_t low)
{
    while (n > low) {
        const struct branch *b = step_home(t, branch, n);
        uint32_t end = b->parent >= 0 && b->base > low ? b->base : low;
        branch_back(b, w, n, end);
        n = end;
    }
}

/* Where the way to position `to` of `branch` leaves b. */
static uint32_t home_end(const struct tape *t, int branch, const struct branch *b, uint32_t to)
{
    for (int i = branch; t->branch[i] != b; i = t->branch[i]->parent)
        to = to < t->branch[i]->base ? to : t->branch[i]->base;
    return to;
}

static void go_forward(const struct tape *t, struct world *w, int branch, uint32_t n, uint32_t to)
{
    while (n < to) {
        const struct branch *b = step_home(t, branch, n + 1);
        uint32_t end = home_end(t, branch, b, to);
        branch_forward(b, w, n, end);
        n = end;
    }
}

/* Move w from one moment to another: back to the last moment that both branches share, then forward. */
static void travel(const struct tape *t, struct world *w, int from, uint32_t from_at, int to, uint32_t to_at)
{
    int a = from, b = to;
    uint32_t a_at = from_at, b_at = to_at;
    while (a != b) { /* a parent's number is smaller than its children's */
        if (a > b)
            a = branch_up(t, a, &a_at);
        else
            b = branch_up(t, b, &b_at);
    }
    uint32_t shared = a_at < b_at ? a_at : b_at;
    go_back(t, w, from, from_at, shared);
    go_forward(t, w, to, shared, to_at);
}

/* ---- making ---------------------------------------------------------------------------------------------- */

struct tape *tape_new(const struct world_config *cfg, struct err *e)
{
    struct tape *t = xcalloc(1, sizeof *t);
    if (t == NULL) {
        err_memory(e, sizeof *t, "a tape");
        return NULL;
    }
    atomic_init(&t->branch_count, 0);
    t->cfg = *cfg;
    t->pen.recording = true;
    t->pen.w = t->w = world_new(cfg, e);
    t->store = t->w != NULL ? store_new(e) : NULL;
    if (t->store == NULL || !skip_init(&t->skip) || !tape_add_branch(t, -1, 0)) {
        err_memory(e, sizeof(struct branch), "a tape");
        tape_free(t);
        return NULL;
    }
    return t;
}

static void tape_drop_branches(struct tape *t)
{
    for (int i = 0; i < atomic_load(&t->branch_count); i++)
        branch_free(t->branch[i]);
    atomic_store(&t->branch_count, 0);
    t->skip_bytes = 0;
}

void tape_free(struct tape *t)
{
    if (t == NULL)
        return;
    tape_drop_branches(t);
    for (uint32_t i = 0; i < t->hanging_n; i++)
        xfree(t->hanging[i].data);
    skip_done(&t->skip);
    world_free(t->w);
    store_free(t->store);
    xfree(t->pen.pending);
    xfree(t->spare);
    xfree(t);
}

const struct world *tape_world(const struct tape *t)
{
    return t->w;
}

struct store *tape_store(struct tape *t)
{
    return t->store;
}

struct scene tape_scene(const struct tape *t)
{
    return (struct scene){t->w, t->store};
}

/* ---- writing ----------------------------------------------------------------------------------------------- */

/* History goes; the first branch stays and is empty. Nothing is allocated, so nothing can fail. */
static void tape_forget(struct tape *t)
{
    for (int i = 1; i < atomic_load(&t->branch_count); i++)
        branch_free(t->branch[i]);
    branch_clear(t->branch[0]);
    branch_init(t->branch[0], -1, 0);
    atomic_store(&t->branch_count, 1);
    t->current = 0;
    t->skip_bytes = t->obs_bytes = 0;
}

void tape_record(struct tape *t, bool on)
{
    ASSERT(t->nesting == 0);
    if (t->pen.recording && !on)
        tape_forget(t);
    t->pen.recording = on;
}

bool tape_room(struct tape *t, uint32_t writes, uint32_t steps)
{
    if (!t->pen.recording)
        return true;
    bool behind = t->step_limit != 0 && tape_length(t, t->current) > t->step_limit;
    if (behind || (t->limit != 0 && tape_bytes(t) + t->obs_bytes > t->limit)) {
        t->full = true;
        return false;
    }
    struct branch *b = t->branch[t->current];
    void *pending = t->pen.pending;
    bool ok = xgrow(&pending, &t->pending_cap, (size_t)t->pen.pending_n + writes, sizeof *t->pen.pending);
    t->pen.pending = pending;
    void *spare = t->spare;
    ok = ok && xgrow(&spare, &t->spare_cap, t->pending_cap, sizeof *t->spare);
    t->spare = spare;
    t->pen.room = t->nesting > 0 ? (uint32_t)t->pending_cap : 0;
    uint32_t all = t->pen.pending_n + writes;
    if (ok)
        skip_room(&t->skip, all); /* without it there will be no block, and that is all */
    return ok && pile_room(&b->steps, steps) && pile_room(&b->runs, all) && pile_room(&b->obs, 2 * steps) &&
           pile_room(&b->words, 2 * all + EVENT_ARGS * steps);
}

/* Order writes by word, equal words in the order in which they were made. Most steps have a handful; the
 * large ones are a few ascending runs (a list of slots, then the head), which merge at once. */
static void pending_sort(struct pending *p, uint32_t n, struct pending *spare)
{
    uint32_t half = 1;
    while (half < n && p[half - 1].at <= p[half].at)
        half++;
    if (half >= n)
        return;
    if (n <= 16) {
        for (uint32_t i = half; i < n; i++) {
            struct pending x = p[i];
            uint32_t k = i;
            for (; k > 0 && p[k - 1].at > x.at; k--)
                p[k] = p[k - 1];
            p[k] = x;
        }
        return;
    }
    if (half < n / 4)
        half = n / 2;
    pending_sort(p, half, spare);
    pending_sort(p + half, n - half, spare);
    uint32_t a = 0, b = half, k = 0;
    while (a < half && b < n)
        spare[k++] = p[b].at < p[a].at ? p[b++] : p[a++];
    while (a < half)
        spare[k++] = p[a++];
    memcpy(p, spare, k * sizeof *p);
}

/* Keep one entry a word (first before, last after), and none that changes nothing. */
static uint32_t pending_merge(struct pending *p, uint32_t n)
{
    uint32_t out = 0;
    for (uint32_t i = 0; i < n;) {
        struct pending x = p[i++];
        for (; i < n && p[i].at == x.at; i++)
            x.after = p[i].after;
        if (x.before != x.after)
            p[out++] = x;
    }
    return out;
}

static bool is_stride(const struct pending *p, uint32_t n, bool after)
{
    if (n < 3)
        return false;
    const uint32_t *v = after ? &p->after : &p->before;
    const size_t each = sizeof *p / sizeof *v;
    uint32_t step = v[each] - v[0];
    for (uint32_t i = 2; i < n; i++)
        if (v[i * each] - v[(i - 1) * each] != step)
            return false;
    return true;
}

static void push_side(struct branch *b, const struct pending *p, uint32_t n, bool after, bool stride)
{
    if (stride) {
        uint32_t first = after ? p[0].after : p[0].before, second = after ? p[1].after : p[1].before;
        push_word(b, first);
        push_word(b, second - first);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        push_word(b, after ? p[i].after : p[i].before);
}

static void push_run(struct branch *b, const struct pending *p, uint32_t n)
{
    struct run_record *run = pile_push(&b->runs);
    run->at = p->at;
    int32_t diff = (int32_t)(p->after - p->before);
    if (n == 1 && diff > -(1 << 30) && diff < 1 << 30) {
        run->info = (uint32_t)diff << 1 | RUN_SMALL;
        return;
    }
    bool before = is_stride(p, n, false), after = is_stride(p, n, true);
    run->info = n << RUN_SHIFT | (before ? RUN_BEFORE_STRIDE : 0) | (after ? RUN_AFTER_STRIDE : 0);
    push_side(b, p, n, false, before);
    push_side(b, p, n, true, after);
}

/* Bytes of n neighbouring words as one run; a small change on its own takes 8. */
static uint32_t run_bytes(const struct pending *p, uint32_t n)
{
    return 8 + (is_stride(p, n, false) ? 8 : 4 * n) + (is_stride(p, n, true) ? 8 : 4 * n);
}

/* Neighbouring words become one run where that is shorter. */
static void push_runs(struct branch *b, const struct pending *p, uint32_t n)
{
    for (uint32_t i = 0; i < n;) {
        uint32_t k = i + 1;
        while (k < n && p[k].at == p[k - 1].at + 1)
            k++;
        uint32_t each = k - i == 1 || run_bytes(p + i, k - i) >= 8 * (k - i) ? 1 : k - i;
        for (; i < k; i += each)
            push_run(b, p + i, each);
    }
}

static void push_hanging(struct tape *t, struct branch *b, uint32_t n)
{
    for (uint32_t i = 0; i < t->hanging_n; i++) {
        struct obs_record *o = pile_push(&b->obs);
        *o = t->hanging[i];
        o->step = n;
        t->obs_bytes += o->bytes;
    }
    t->hanging_n = 0;
}

void tape_emit(struct tape *t, unsigned kind, const uint32_t *args, size_t nargs)
{
    if (!t->pen.recording)
        return;
    ASSERT(t->nesting > 0 && nargs <= EVENT_ARGS);
    struct branch *b = t->branch[t->current];
    uint32_t n = t->pen.pending_n;
    pending_sort(t->pen.pending, n, t->spare);
    n = pending_merge(t->pen.pending, n);
    for (uint32_t i = 0; i < n; i++)
        skip_note(&t->skip, t->pen.pending[i].at, t->pen.pending[i].before);
    push_runs(b, t->pen.pending, n);
    for (size_t i = 0; i < nargs; i++)
        push_word(b, args[i]);
    struct step_record *s = pile_push(&b->steps);
    *s = (struct step_record){.run_end = b->runs.n, .word_end = b->words.n, .kind = (uint16_t)kind,
                              .depth = event_info(kind)->depth & 0xf, .nargs = (uint8_t)nargs};
    t->pen.pending_n = 0;
    push_hanging(t, b, b->base + b->steps.n);
}

void tape_observe(struct tape *t, unsigned kind, const void *bytes, size_t n)
{
    if (!t->pen.recording || t->hanging_n == TAPE_HANGING)
        return;
    void *copy = xmemdup(bytes, n);
    if (copy != NULL)
        t->hanging[t->hanging_n++] = (struct obs_record){0, kind, (uint32_t)n, copy};
}

/* A block is due, or what was noted belongs to another moment than the one that is written now. */
static void skip_commit(struct tape *t, struct branch *b, uint32_t length)
{
    struct skip_block block;
    t->skip.at = length;
    if (length - t->skip.from < SKIP_STEPS)
        return;
    if (b->skips.size == 0) /* a loaded branch; nobody reads its blocks yet */
        b->skips.size = sizeof block;
    if (pile_room(&b->skips, 1) && skip_make(&t->skip, t->w, length, &block)) {
        *(struct skip_block *)pile_push(&b->skips) = block;
        t->skip_bytes += skip_bytes(&block);
        atomic_store_explicit(&b->skip_count, b->skips.n, memory_order_release);
    }
    skip_restart(&t->skip, t->current, length);
}

/* What a walk over loaded steps notes. */
struct noting {
    struct skip_maker *m;
    const struct world *w;     /* before the step */
};

static void note_run(void *ctx, uint32_t word, uint32_t count)
{
    struct noting *k = ctx;
    for (uint32_t i = word; i < word + count; i++)
        skip_note(k->m, i, k->w->word[i]);
}

static void skip_branch(struct tape *t, int branch, struct cursor *c)
{
    struct branch *b = t->branch[branch];
    struct noting k = {&t->skip, c->w};
    struct skip_block block;
    cursor_seek(c, branch, b->base);
    skip_restart(&t->skip, branch, b->base);
    b->skips.size = sizeof block;
    for (uint32_t n = b->base + 1; n <= b->base + b->steps.n; n++) {
        struct step step;
        tape_step(t, branch, n, &step);
        skip_room(&t->skip, step.words);
        tape_changes(t, branch, n, note_run, &k);
        cursor_seek(c, branch, n);
        if (!step.settled || n - t->skip.from < SKIP_STEPS)
            continue;
        if (pile_room(&b->skips, 1) && skip_make(&t->skip, c->w, n, &block)) {
            *(struct skip_block *)pile_push(&b->skips) = block;
            t->skip_bytes += skip_bytes(&block);
        }
        skip_restart(&t->skip, branch, n);
    }
    atomic_store_explicit(&b->skip_count, b->skips.n, memory_order_release);
}

void tape_make_skips(struct tape *t)
{
    struct cursor c;
    struct err ignored = {0};
    if (cursor_init(&c, t, &ignored) != 0)
        return;
    for (int i = 0; i < tape_branches(t); i++)
        if (t->branch[i]->steps.n >= SKIP_STEPS)
            skip_branch(t, i, &c);
    skip_restart(&t->skip, t->current, tape_length(t, t->current));
    cursor_done(&c);
}

void tape_begin(struct tape *t)
{
    if (t->nesting++ > 0 || !t->pen.recording)
        return;
    t->pen.room = (uint32_t)t->pending_cap;
    const struct branch *b = t->branch[t->current];
    if (t->skip.branch != t->current || t->skip.at != b->base + b->steps.n)
        skip_restart(&t->skip, t->current, b->base + b->steps.n);
    t->start.steps = b->steps.n;
    t->start.runs = b->runs.n;
    t->start.words = b->words.n;
    t->start.obs = b->obs.n;
}

void tape_commit(struct tape *t)
{
    ASSERT(t->nesting > 0);
    if (--t->nesting > 0 || !t->pen.recording)
        return;
    t->pen.room = 0;
    ASSERT(t->pen.pending_n == 0); /* every change belongs to a step */
    struct branch *b = t->branch[t->current];
    if (b->steps.n > t->start.steps)
        ((struct step_record *)pile_at(&b->steps, b->steps.n - 1))->settled = 1;
    atomic_store_explicit(&b->obs_length, b->obs.n, memory_order_release);
    atomic_store_explicit(&b->length, b->base + b->steps.n, memory_order_release);
    skip_commit(t, b, b->base + b->steps.n);
}

static void drop_observations(struct tape *t, struct branch *b, uint32_t keep)
{
    for (; b->obs.n > keep; b->obs.n--) {
        struct obs_record *o = pile_at(&b->obs, b->obs.n - 1);
        t->obs_bytes -= o->bytes;
        xfree(o->data);
    }
    for (uint32_t i = 0; i < t->hanging_n; i++)
        xfree(t->hanging[i].data);
    t->hanging_n = 0;
}

void tape_rollback(struct tape *t)
{
    ASSERT(t->nesting > 0);
    t->nesting = 0;
    t->pen.room = 0;
    if (!t->pen.recording)
        return;
    while (t->pen.pending_n > 0) {
        const struct pending *p = &t->pen.pending[--t->pen.pending_n];
        t->w->word[p->at] = p->before;
    }
    struct branch *b = t->branch[t->current];
    for (; b->steps.n > t->start.steps; b->steps.n--)
        step_apply(b, b->base + b->steps.n, t->w, false);
    b->runs.n = t->start.runs;
    b->words.n = t->start.words;
    drop_observations(t, b, t->start.obs);
}

bool tape_in_operation(const struct tape *t)
{
    return t->nesting > 0;
}

static uint32_t store_take(uint32_t *top, uint32_t n)
{
    if (n > STORE_UNITS - *top)
        return UINT32_MAX;
    uint32_t at = *top;
    *top += n;
    return at;
}

uint32_t tape_tokens_new(struct tape *t, uint32_t n)
{
    return store_take(&t->store->token_top, n);
}

uint32_t tape_values_new(struct tape *t, uint32_t n)
{
    return store_take(&t->store->value_top, n);
}

void tape_limit(struct tape *t, size_t bytes)
{
    t->limit = bytes;
}

void tape_limit_steps(struct tape *t, uint32_t steps)
{
    t->step_limit = steps;
}

bool tape_full(const struct tape *t)
{
    return t->full;
}

int tape_act_at(struct tape *t, int branch, uint32_t at, struct err *e)
{
    ASSERT(t->nesting == 0 && t->pen.recording);
    if (branch < 0 || branch >= tape_branches(t) || at > tape_length(t, branch))
        return err_set(e, "there is no step %u on branch %d", at, branch);
    int last = tape_branches(t) - 1;
    travel(t, t->w, t->current, tape_length(t, t->current), branch, at);
    if (at == tape_length(t, branch)) {
        t->current = branch;
        return branch;
    }
    if (!tape_add_branch(t, branch, at)) {
        travel(t, t->w, branch, at, t->current, tape_length(t, t->current));
        return err_set(e, "no memory, or too many branches (%d), to act from step %u", last + 1, at);
    }
    return t->current;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

int tape_branches(const struct tape *t)
{
    return atomic_load(&t->branch_count);
}

int tape_branch(const struct tape *t)
{
    return t->current;
}

int tape_parent(const struct tape *t, int branch, uint32_t *at)
{
    if (at != NULL)
        *at = t->branch[branch]->base;
    return t->branch[branch]->parent;
}

uint32_t tape_length(const struct tape *t, int branch)
{
    return atomic_load_explicit(&t->branch[branch]->length, memory_order_acquire);
}

static uint32_t run_len(const struct run_record *run)
{
    return run->info & RUN_SMALL ? 1 : run->info >> RUN_SHIFT;
}

void tape_step(const struct tape *t, int branch, uint32_t n, struct step *out)
{
    ASSERT(n >= 1 && n <= tape_length(t, branch));
    const struct branch *b = step_home(t, branch, n);
    const struct step_record *s = step_record(b, n);
    *out = (struct step){.kind = s->kind, .depth = s->depth, .settled = s->settled, .nargs = s->nargs};
    for (uint32_t i = 0; i < s->nargs; i++)
        out->arg[i] = pile_word(b, s->word_end - s->nargs + i);
    for (uint32_t r = step_begin(b, n).run_end; r < s->run_end; r++)
        out->words += run_len(pile_at(&b->runs, r));
}

bool tape_observation(const struct tape *t, int branch, uint32_t n, uint32_t i, struct observation *out)
{
    const struct branch *b = step_home(t, branch, n);
    uint32_t seen = atomic_load_explicit(&b->obs_length, memory_order_acquire);
    uint32_t low = 0, high = seen; /* the first observation of step n or later */
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (((struct obs_record *)pile_at(&b->obs, mid))->step < n)
            low = mid + 1;
        else
            high = mid;
    }
    if (low + i >= seen)
        return false;
    const struct obs_record *o = pile_at(&b->obs, low + i);
    if (o->step != n)
        return false;
    *out = (struct observation){o->kind, o->bytes, o->data};
    return true;
}

void tape_changes(const struct tape *t, int branch, uint32_t n, run_visitor visit, void *ctx)
{
    const struct branch *b = step_home(t, branch, n);
    for (uint32_t r = step_begin(b, n).run_end; r < step_record(b, n)->run_end; r++) {
        const struct run_record *run = pile_at(&b->runs, r);
        visit(ctx, run->at, run_len(run));
    }
}

size_t tape_skip_bytes(const struct tape *t)
{
    return t->skip_bytes;
}

size_t tape_bytes(const struct tape *t)
{
    size_t bytes = t->skip_bytes;
    for (int i = 0; i < tape_branches(t); i++) {
        const struct branch *b = t->branch[i];
        bytes += b->steps.n * b->steps.size + b->runs.n * b->runs.size + b->words.n * b->words.size;
    }
    return bytes;
}

size_t tape_observation_bytes(const struct tape *t)
{
    return t->obs_bytes;
}

uint32_t tape_find_depth(const struct tape *t, int branch, uint32_t from, int dir, int depth)
{
    uint32_t end = tape_length(t, branch);
    for (uint32_t n = from + (uint32_t)dir; n >= 1 && n <= end; n += (uint32_t)dir)
        if (step_record(step_home(t, branch, n), n)->depth <= depth)
            return n;
    return dir > 0 ? end : 0;
}

/* Where the part that a step belongs to ends: before the next step of this depth. */
static uint32_t part_end(const struct tape *t, int branch, uint32_t n, int depth)
{
    struct step s;
    uint32_t next = tape_find_depth(t, branch, n, 1, depth);
    if (next <= n)
        return n;
    tape_step(t, branch, next, &s);
    return s.depth <= depth ? next - 1 : next; /* the last one is of any depth */
}

uint32_t tape_out(const struct tape *t, int branch, uint32_t n)
{
    uint32_t to = part_end(t, branch, n, DEPTH_OPERATION);
    if (to == n)
        to = part_end(t, branch, n, DEPTH_REQUEST);
    return to == n && n < tape_length(t, branch) ? part_end(t, branch, n + 1, DEPTH_REQUEST) : to;
}

uint32_t tape_out_back(const struct tape *t, int branch, uint32_t n)
{
    uint32_t begin = n > 0 ? tape_operation(t, branch, n) : 0;
    if (begin != 0 && begin < n)
        return begin;
    begin = n > 1 ? tape_find_depth(t, branch, n, -1, DEPTH_REQUEST) : 0;
    return begin == 0 && n > 1 ? 1 : begin;
}

uint32_t tape_operation(const struct tape *t, int branch, uint32_t n)
{
    const struct step_record *s = n > 0 ? step_record(step_home(t, branch, n), n) : NULL;
    if (s == NULL || s->depth <= DEPTH_OPERATION)
        return n;
    for (uint32_t op = n - 1; op > 0; op--) {
        const struct step_record *o = step_record(step_home(t, branch, op), op);
        if (o->depth == DEPTH_REQUEST)
            break;
        if (o->depth == DEPTH_OPERATION && event_part_of(s->kind, o->kind))
            return op;
    }
    return tape_find_depth(t, branch, n, -1, DEPTH_OPERATION);
}

uint32_t tape_find_kind(const struct tape *t, int branch, uint32_t from, int dir, int kind)
{
    uint32_t end = tape_length(t, branch);
    for (uint32_t n = from + (uint32_t)dir; n >= 1 && n <= end; n += (uint32_t)dir) {
        const struct step_record *s = step_record(step_home(t, branch, n), n);
        if (kind < 0 ? s->settled != 0 : s->kind == kind)
            return n;
    }
    return 0;
}

uint32_t tape_find_request(const struct tape *t, int branch, uint32_t rid)
{
    uint32_t end = tape_length(t, branch), last = 0;
    for (uint32_t n = 1; n <= end && last < rid; n++) {
        const struct step_record *s = step_record(step_home(t, branch, n), n);
        if (s->kind == EV_SKIPPED) {
            struct step skipped;
            tape_step(t, branch, n, &skipped);
            last = skipped.arg[0];
        } else if ((s->kind == EV_REQUEST || s->kind == EV_PLAN) && ++last == rid)
            return n;
    }
    return 0;
}

/* ---- cursors --------------------------------------------------------------------------------------------- */

int cursor_init(struct cursor *c, const struct tape *t, struct err *e)
{
    *c = (struct cursor){.tape = t};
    c->w = world_new(&t->cfg, e);
    return c->w != NULL ? 0 : -1;
}

void cursor_done(struct cursor *c)
{
    world_free(c->w);
    *c = (struct cursor){0};
}

void cursor_seek(struct cursor *c, int branch, uint32_t at)
{
    uint32_t end = tape_length(c->tape, branch);
    at = at < end ? at : end;
    travel(c->tape, c->w, c->branch, c->at, branch, at);
    c->branch = branch;
    c->at = at;
}

struct scene cursor_scene(const struct cursor *c)
{
    return (struct scene){c->w, c->tape->store};
}
