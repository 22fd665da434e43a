#include "tape/skip.h"

#include <string.h>

#include "base/xalloc.h"

/* One more than a whole number, because the world's last bits may be few. */
#define BIT_WORDS ((size_t)WORLD_WORDS / 64 + 1)
#define GROUP_WORDS (BIT_WORDS / 64 + 1)

bool skip_init(struct skip_maker *m)
{
    *m = (struct skip_maker){0};
    m->bit = xreserve(BIT_WORDS * sizeof *m->bit);
    m->group = xreserve(GROUP_WORDS * sizeof *m->group);
    m->rank = xreserve(BIT_WORDS * sizeof *m->rank);
    return m->bit != NULL && m->group != NULL && m->rank != NULL;
}

void skip_done(struct skip_maker *m)
{
    xunreserve(m->bit, BIT_WORDS * sizeof *m->bit);
    xunreserve(m->group, GROUP_WORDS * sizeof *m->group);
    xunreserve(m->rank, BIT_WORDS * sizeof *m->rank);
    xfree(m->noted);
    *m = (struct skip_maker){0};
}

bool skip_room(struct skip_maker *m, uint32_t words)
{
    void *noted = m->noted;
    bool ok = xgrow(&noted, &m->noted_cap, (size_t)m->noted_n + words, sizeof *m->noted);
    m->noted = noted;
    m->broken = m->broken || !ok;
    return ok;
}

void skip_restart(struct skip_maker *m, int branch, uint32_t at)
{
    for (uint32_t i = 0; i < m->noted_n; i++) {
        m->bit[m->noted[i].at >> 6] = 0;
        m->group[m->noted[i].at >> 12] = 0;
    }
    m->noted_n = 0;
    m->broken = false;
    m->branch = branch;
    m->from = m->at = at;
}

static uint32_t lowest(uint64_t bits)
{
#if defined(__GNUC__)
    return (uint32_t)__builtin_ctzll(bits);
#else
    uint32_t n = 0;
    for (; (bits & 1) == 0; bits >>= 1)
        n++;
    return n;
#endif
}

static uint32_t count_bits(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)(x * 0x0101010101010101u >> 56);
}

/* The runs of the noted words in order, into run if there is one; returns how many. Ranks the words. */
static uint32_t find_runs(struct skip_maker *m, struct skip_run *run)
{
    uint32_t runs = 0, rank = 0, next = UINT32_MAX; /* next: the word that would continue the last run */
    for (size_t g = 0; g < GROUP_WORDS; g++)
        for (uint64_t some = m->group[g]; some != 0; some &= some - 1) {
            uint32_t i = (uint32_t)g * 64 + lowest(some);
            m->rank[i] = rank;
            for (uint64_t bits = m->bit[i]; bits != 0; bits &= bits - 1, rank++) {
                uint32_t at = i * 64 + lowest(bits);
                if (at != next && run != NULL)
                    run[runs] = (struct skip_run){.at = at};
                runs += at != next;
                if (run != NULL)
                    run[runs - 1].n++;
                next = at + 1;
            }
        }
    return runs;
}

static bool is_even(const uint32_t *v, uint32_t n)
{
    uint32_t i = 2;
    while (i < n && v[i] - v[i - 1] == v[1] - v[0])
        i++;
    return n > 2 && i == n;
}

/* Write n values, or first and stride, to `out`, which may overlap; returns how many words. */
static uint32_t pack(const uint32_t *v, uint32_t n, bool even, uint32_t *out)
{
    if (even) {
        uint32_t first = v[0], second = v[1]; /* out may be v */
        out[0] = first;
        out[1] = second - first;
        return 2;
    }
    memmove(out, v, n * sizeof *v);
    return n;
}

/* The noted words' values before, in order. */
static void befores_in_order(const struct skip_maker *m, uint32_t *before)
{
    for (uint32_t i = 0; i < m->noted_n; i++) {
        uint32_t at = m->noted[i].at;
        uint64_t under = m->bit[at >> 6] & (((uint64_t)1 << (at & 63)) - 1);
        before[m->rank[at >> 6] + count_bits(under)] = m->noted[i].before;
    }
}

/* Pack both sides in place: what is packed is never longer than what has been read. */
static void pack_sides(struct skip_block *b, const struct world *w, uint32_t *before, uint32_t *after)
{
    for (uint32_t r = 0, k = 0; r < b->runs; r++) {
        struct skip_run *run = &b->run[r];
        run->before_even = is_even(before + k, run->n);
        run->after_even = is_even(w->word + run->at, run->n);
        b->befores += pack(before + k, run->n, run->before_even, before + b->befores);
        b->afters += pack(w->word + run->at, run->n, run->after_even, after + b->afters);
        k += run->n;
    }
}

/* Find the runs, pack both sides into scratch (twice the words), then keep what they need. */
static bool make_block(struct skip_maker *m, const struct world *w, uint32_t *scratch, struct skip_block *b)
{
    uint32_t *after = scratch + m->noted_n;
    find_runs(m, b->run);
    befores_in_order(m, scratch);
    pack_sides(b, w, scratch, after);
    b->before = xmalloc(((size_t)b->befores + b->afters) * sizeof *scratch);
    if (b->before == NULL)
        return false;
    b->after = b->before + b->befores;
    memcpy(b->before, scratch, b->befores * sizeof *scratch);
    memcpy(b->after, after, b->afters * sizeof *scratch);
    return true;
}

bool skip_make(struct skip_maker *m, const struct world *w, uint32_t to, struct skip_block *out)
{
    *out = (struct skip_block){.from = m->from, .to = to};
    if (m->broken)
        return false;
    out->runs = find_runs(m, NULL);
    out->run = xmalloc(out->runs * sizeof *out->run);
    uint32_t *scratch = xmalloc(2 * (size_t)m->noted_n * sizeof *scratch);
    bool made = out->run != NULL && scratch != NULL && make_block(m, w, scratch, out);
    if (!made)
        xfree(out->run);
    xfree(scratch);
    return made;
}

void skip_apply(const struct skip_block *b, struct world *w, bool forward)
{
    const uint32_t *value = forward ? b->after : b->before;
    for (uint32_t r = 0; r < b->runs; r++) {
        const struct skip_run *run = &b->run[r];
        uint32_t *to = w->word + run->at, n = run->n;
        if (forward ? run->after_even : run->before_even) {
            for (uint32_t i = 0; i < n; i++)
                to[i] = value[0] + i * value[1];
            value += 2;
            continue;
        }
        for (uint32_t i = 0; i < n; i++) /* most runs are a word or two */
            to[i] = *value++;
    }
}

size_t skip_bytes(const struct skip_block *b)
{
    return sizeof *b + b->runs * sizeof *b->run + ((size_t)b->befores + b->afters) * sizeof *b->before;
}

void skip_free(struct skip_block *b)
{
    xfree(b->run);
    xfree(b->before); /* after stands behind it */
}
