#include "tape/evidence.h"

#include <math.h>
#include <string.h>

#include "base/xalloc.h"

void proof_done(struct proof *p)
{
    xfree(p->layer);
    *p = (struct proof){0};
}

void effect_done(struct effect *f)
{
    xfree(f->request);
    *f = (struct effect){0};
}

int proof_copy(struct proof *to, const struct proof *from)
{
    *to = *from;
    to->layer = from->layer != NULL ? xmemdup(from->layer, (from->layers + 1) * sizeof *from->layer) : NULL;
    return to->layer != NULL || from->layer == NULL ? 0 : -1;
}

int effect_copy(struct effect *to, const struct effect *from)
{
    *to = *from;
    to->request = from->count > 0 ? xmemdup(from->request, from->count * sizeof *from->request) : NULL;
    return to->request != NULL || from->count == 0 ? 0 : -1;
}

bool inquiry_same(const struct inquiry *a, const struct inquiry *b)
{
    return a->about == b->about && a->branch == b->branch &&
           (a->about == ASK_PROOF ? a->rid == b->rid && a->fast == b->fast : a->step == b->step);
}

void answer_done(struct answer *a)
{
    proof_done(&a->proof);
    effect_done(&a->effect);
    *a = (struct answer){0};
}

int answer_copy(struct answer *to, const struct answer *from)
{
    *to = *from;
    to->proof = (struct proof){0};
    to->effect = (struct effect){0};
    if (proof_copy(&to->proof, &from->proof) == 0 && effect_copy(&to->effect, &from->effect) == 0)
        return 0;
    answer_done(to);
    return -1;
}

uint32_t effect_find(const struct tape *t, int branch, uint32_t at)
{
    uint32_t poison = tape_find_kind(t, branch, at + 1, -1, EV_POISON);
    uint32_t share = tape_find_kind(t, branch, at + 1, -1, EV_SHARE);
    return poison > share ? poison : share;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void note_first(struct difference *d, const float *a, const float *b, uint32_t i, uint32_t position,
                       uint32_t part, uint32_t width)
{
    d->position = position;
    d->part = part;
    d->head = i / width;
    d->dim = i % width;
    d->cached = bits_of(a[i]);
    d->cold = bits_of(b[i]);
}

void difference_add(struct difference *d, const float *a, const float *b, uint32_t n, uint32_t position, uint32_t part,
                    uint32_t width)
{
    uint64_t count = difference_count(d);
    for (uint32_t i = 0; i < n; i++) {
        if (bits_of(a[i]) == bits_of(b[i]))
            continue;
        if (count++ == 0)
            note_first(d, a, b, i, position, part, width);
        double by = fabs((double)a[i] - (double)b[i]);
        d->max = isnan(by) || by > d->max ? by : d->max;
    }
    d->differing_low = (uint32_t)count;
    d->differing_high = (uint32_t)(count >> 32);
}
