#include "tape/lockstep.h"

#include <string.h>

#include "base/xalloc.h"

int lockstep_open(struct lockstep *k, struct history one, struct history other, struct err *e)
{
    *k = (struct lockstep){0};
    for (int i = 0; i < 2; i++) {
        struct lock_side *s = &k->side[i];
        s->of = i == 0 ? one : other;
        s->length = tape_length(s->of.tape, s->of.branch);
        s->settled = true;
        if (cursor_init(&s->cursor, s->of.tape, e) != 0) {
            lockstep_done(k);
            return -1;
        }
    }
    return 0;
}

void lockstep_done(struct lockstep *k)
{
    for (int i = 0; i < 2; i++) {
        if (k->side[i].cursor.w != NULL)
            cursor_done(&k->side[i].cursor);
        xfree(k->side[i].request);
    }
    xfree(k->part);
    *k = (struct lockstep){0};
}

/* ---- reading one history ------------------------------------------------------------------------------ */

/* Steps that say or set something: they are why histories differ. */
static bool is_cause(unsigned kind)
{
    return kind == EV_NOTE || kind == EV_SET || kind == EV_START;
}

static bool begins_part(const struct step *s, bool after_settled)
{
    if (s->kind == EV_REQUEST)
        return true;
    bool alone = s->depth == DEPTH_OPERATION && event_about(s->kind, s->arg, 'r') == 0;
    return after_settled && alone && !is_cause(s->kind);
}

static void add_part(struct lockstep *k, int side, uint32_t step)
{
    struct lock_side *s = &k->side[side];
    if (s->parts == k->parts) {
        void *grown = k->part;
        bool room = xgrow(&grown, &k->part_cap, (size_t)k->parts + 1, sizeof *k->part);
        k->part = grown;
        if (!room) {
            k->failed = true;
            return;
        }
        k->part[k->parts++] = (struct lock_part){0};
    }
    k->part[s->parts++].begin[side] = step;
}

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * UINT64_C(1099511628211);
    return h;
}

static const uint64_t HASH_OF_NOTHING = UINT64_C(14695981039346656037);

static void add_row(struct lockstep *k, struct lock_side *s, const struct lock_request *row)
{
    void *grown = s->request;
    bool room = xgrow(&grown, &s->request_cap, (size_t)s->requests + 1, sizeof *s->request);
    s->request = grown;
    if (room)
        s->request[s->requests++] = *row;
    else
        k->failed = true;
}

static void add_request(struct lockstep *k, struct lock_side *s, uint32_t step, uint32_t index)
{
    const struct scene sc = cursor_scene(&s->cursor);
    const struct request *q = &sc.w->request[index];
    const char *ns = store_name(sc.s, q->ns);
    uint64_t h = mix(HASH_OF_NOTHING, ns, strlen(ns) + 1);
    h = mix(h, sc.w->row_token + q->row_off, q->prompt_len * sizeof(uint32_t));
    add_row(k, s, &(struct lock_request){.step = step, .rid = q->rid, .index = index, .prompt = q->prompt_len, .what = h});
}

/* A key is what its text, its namespace and its length say. An insert that was not looked up names no text. */
static void add_key(struct lockstep *k, struct lock_side *s, uint32_t n, const struct step *step)
{
    const struct scene sc = cursor_scene(&s->cursor);
    bool match = step->kind == EV_MATCH;
    const char *text = match ? store_name(sc.s, step->arg[event_arg(EV_MATCH, "key")]) : "";
    const char *ns = store_name(sc.s, step->arg[event_arg(step->kind, "ns")]);
    uint32_t of = step->arg[event_arg(step->kind, match ? "of" : "units")];
    uint64_t h = mix(mix(HASH_OF_NOTHING, "key", 4), text, strlen(text) + 1);
    h = mix(mix(h, ns, strlen(ns) + 1), &of, sizeof of);
    add_row(k, s, &(struct lock_request){.step = n, .key = ++s->keys, .prompt = of, .what = h});
    s->in_key = !k->failed;
}

/* What the tree had of the key whose command is being read. */
static void read_key(struct lock_side *s, const struct step *step)
{
    struct lock_request *q = &s->request[s->requests - 1];
    if (step->kind == EV_ALLOC_FAIL)
        q->refused = true;
    bool match = step->kind == EV_MATCHED;
    if (q->admitted || (!match && step->kind != EV_INSERTED))
        return; /* an insert after its match found the same */
    q->admitted = true;
    q->cached = step->arg[event_arg(step->kind, match ? "units" : "matched")];
}

/* The last request that has this entry of the world. */
static struct lock_request *find_request(struct lock_side *s, uint32_t index)
{
    for (uint32_t i = s->requests; i > 0; i--)
        if (s->request[i - 1].index == index && s->request[i - 1].key == 0)
            return &s->request[i - 1];
    return NULL;
}

static void note_outcome(struct lock_side *s, const struct step *step)
{
    struct lock_request *q = find_request(s, step->arg[0]);
    if (q == NULL)
        return;
    if (step->kind == EV_REFUSE) {
        q->refused = true;
    } else if (!q->admitted) {
        q->admitted = true;
        q->cached = step->arg[event_arg(EV_ADMIT, "units")];
    }
}

static void read_step(struct lockstep *k, int side)
{
    struct lock_side *s = &k->side[side];
    struct step step;
    uint32_t n = ++s->read;
    tape_step(s->of.tape, s->of.branch, n, &step);
    bool key = (step.kind == EV_MATCH || step.kind == EV_INSERT) && s->settled && event_about(step.kind, step.arg, 'r') == 0;
    if (n == 1 || begins_part(&step, s->settled)) {
        add_part(k, side, n);
        s->in_key = false;
    }
    s->settled = step.settled;
    if (key)
        add_key(k, s, n, &step);
    else if (s->in_key)
        read_key(s, &step);
    if (step.kind == EV_REQUEST) {
        cursor_seek(&s->cursor, s->of.branch, n);
        add_request(k, s, n, step.arg[0]);
    } else if (step.kind == EV_ADMIT || step.kind == EV_REFUSE) {
        note_outcome(s, &step);
    }
}

/* ---- comparing ------------------------------------------------------------------------------------------ */

static uint32_t part_end(const struct lockstep *k, int side, uint32_t part)
{
    bool last = part + 1 >= k->parts || k->part[part + 1].begin[side] == 0;
    return last ? k->side[side].length + 1 : k->part[part + 1].begin[side];
}

/* Equal, as far as both say what the cache did: ticks depend on what was set in between, numbers of names on the tape. */
static bool same_step(const struct lockstep *k, const struct step *a, const struct step *b)
{
    if (a->kind != b->kind)
        return false;
    for (int i = 0; i < a->nargs; i++) {
        char type = event_arg_type(a->kind, i);
        if (type == 'k' || type == 'p' || type == 'w' || type == 'u')
            continue;
        if (type == 'x') {
            struct scene one = cursor_scene(&k->side[0].cursor), other = cursor_scene(&k->side[1].cursor);
            if (strcmp(store_name(one.s, a->arg[i]), store_name(other.s, b->arg[i])) != 0)
                return false;
        } else if (a->arg[i] != b->arg[i]) {
            return false;
        }
    }
    return true;
}

/* The next step from *n on that is no cause, before `end`; false: none. */
static bool next_effect(const struct lock_side *s, uint32_t *n, uint32_t end, struct step *out)
{
    for (; *n < end; ++*n) {
        tape_step(s->of.tape, s->of.branch, *n, out);
        if (!is_cause(out->kind))
            return true;
    }
    return false;
}

/* Fill in where part `i` differs first; returns the steps looked at. */
static uint32_t compare_part(struct lockstep *k, uint32_t i)
{
    struct lock_part *p = &k->part[i];
    uint32_t n[2] = {p->begin[0], p->begin[1]}, end[2] = {part_end(k, 0, i), part_end(k, 1, i)}, seen = 0;
    if (n[0] == 0 || n[1] == 0) {
        p->differ[0] = n[0];
        p->differ[1] = n[1];
        return 1;
    }
    for (;; n[0]++, n[1]++, seen++) {
        struct step a, b;
        bool one = next_effect(&k->side[0], &n[0], end[0], &a), other = next_effect(&k->side[1], &n[1], end[1], &b);
        if (!one && !other)
            return seen + 1;
        if (one && other && same_step(k, &a, &b))
            continue;
        p->differ[0] = one ? n[0] : 0;
        p->differ[1] = other ? n[1] : 0;
        return seen + 1;
    }
}

enum { PAIR_WINDOW = 256 }; /* how far from its place in the other history a request is looked for */

static void pair(struct lock_side *a, struct lock_side *b, uint32_t i, uint32_t j)
{
    a->request[i].partner = j + 1;
    b->request[j].partner = i + 1;
}

static void pair_requests(struct lockstep *k)
{
    struct lock_side *a = &k->side[0], *b = &k->side[1];
    for (uint32_t i = 0; i < a->requests; i++) {
        uint32_t from = i > PAIR_WINDOW ? i - PAIR_WINDOW : 0, to = i + PAIR_WINDOW;
        bool here = i < b->requests && b->request[i].partner == 0 && b->request[i].what == a->request[i].what;
        for (uint32_t j = here ? i : from; j < to && j < b->requests && a->request[i].partner == 0; j++)
            if (b->request[j].partner == 0 && b->request[j].what == a->request[i].what)
                pair(a, b, i, j);
    }
    for (uint32_t i = 0, j = 0; i < a->requests; i++) { /* what is left: in order */
        while (j < b->requests && b->request[j].partner != 0)
            j++;
        if (j < b->requests && a->request[i].partner == 0)
            pair(a, b, i, j);
    }
    k->paired = true;
}

bool lockstep_read(struct lockstep *k, uint32_t budget)
{
    for (int i = 0; i < 2; i++)
        for (; budget > 0 && k->side[i].read < k->side[i].length; budget--)
            read_step(k, i);
    if (k->side[0].read < k->side[0].length || k->side[1].read < k->side[1].length)
        return false;
    if (!k->paired)
        pair_requests(k);
    while (k->compared < k->parts && budget > 0) {
        uint32_t seen = compare_part(k, k->compared++);
        budget -= seen < budget ? seen : budget;
    }
    return k->compared == k->parts;
}

unsigned lockstep_percent(const struct lockstep *k)
{
    uint64_t all = (uint64_t)k->side[0].length + k->side[1].length + k->parts;
    uint64_t done = (uint64_t)k->side[0].read + k->side[1].read + k->compared;
    return all > 0 ? (unsigned)(done * 100 / all) : 100;
}

bool lockstep_stale(const struct lockstep *k)
{
    for (int i = 0; i < 2; i++)
        if (k->side[i].length != tape_length(k->side[i].of.tape, k->side[i].of.branch))
            return true;
    return false;
}

/* ---- asking --------------------------------------------------------------------------------------------- */

/* The part that holds position `at` of a side. */
static uint32_t part_at(const struct lockstep *k, int side, uint32_t at)
{
    uint32_t low = 0, high = k->side[side].parts;
    while (low + 1 < high) {
        uint32_t mid = low + (high - low) / 2;
        *(k->part[mid].begin[side] <= at ? &low : &high) = mid;
    }
    return low;
}

uint32_t lockstep_partner(const struct lockstep *k, int side, uint32_t at)
{
    int o = 1 - side;
    if (at == 0 || k->side[side].parts == 0 || k->side[o].parts == 0)
        return at == 0 ? 0 : k->side[o].length;
    uint32_t part = part_at(k, side, at), ops = 0, events = 0;
    struct step s;
    if (part >= k->side[o].parts)
        return k->side[o].length;
    for (uint32_t n = k->part[part].begin[side]; next_effect(&k->side[side], &n, at + 1, &s); n++) {
        events = s.depth <= DEPTH_OPERATION ? 0 : events + 1;
        ops += s.depth <= DEPTH_OPERATION;
    }
    uint32_t first = k->part[part].begin[o], end = part_end(k, o, part), to = first;
    for (uint32_t n = first; next_effect(&k->side[o], &n, end, &s); n++) {
        if (s.depth <= DEPTH_OPERATION ? ops-- == 0 : ops == 0 && events-- == 0)
            break;
        to = n;
    }
    return to;
}

const struct lock_part *lockstep_difference(const struct lockstep *k, uint32_t at, int dir, uint32_t *step)
{
    if (k->parts == 0 || k->side[0].parts == 0)
        return NULL;
    for (uint32_t i = part_at(k, 0, at); i < k->compared; i += (uint32_t)dir) {
        const struct lock_part *p = &k->part[i];
        if (p->differ[0] == 0 && p->differ[1] == 0)
            continue;
        /* nothing on this side: the last step of the part is where the other one goes on */
        *step = p->differ[0] != 0 ? p->differ[0] : p->begin[0] != 0 ? part_end(k, 0, i) - 1 : k->side[0].length;
        if (dir > 0 ? *step > at : *step < at)
            return p;
    }
    return NULL;
}

struct lock_sum lockstep_sum(const struct lockstep *k, int side, uint32_t at)
{
    struct lock_sum sum = {0};
    for (uint32_t i = 0; i < k->side[side].requests && k->side[side].request[i].step <= at; i++) {
        const struct lock_request *q = &k->side[side].request[i];
        sum.requests++;
        sum.prompt += q->prompt;
        sum.cached += q->cached;
    }
    return sum;
}

void lockstep_origin(struct history h, const struct event_words *words, struct buf *b)
{
    uint32_t fork;
    int parent = tape_parent(h.tape, h.branch, &fork);
    if (parent < 0) {
        buf_puts(b, "as it ran first");
        return;
    }
    buf_printf(b, "left branch %d after step %u", parent + 1, fork);
    if (tape_length(h.tape, h.branch) == fork)
        return;
    struct cursor c;
    struct err ignored = {0};
    struct step s;
    if (cursor_init(&c, h.tape, &ignored) != 0)
        return;
    cursor_seek(&c, h.branch, fork + 1);
    tape_step(h.tape, h.branch, fork + 1, &s);
    buf_puts(b, ": ");
    event_sentence(cursor_scene(&c), words, s.kind, s.arg, b);
    cursor_done(&c);
}
