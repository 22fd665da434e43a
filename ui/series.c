#include "ui/series.h"

#include <string.h>

void series_done(struct series *s)
{
    if (s->cursor.w != NULL)
        cursor_done(&s->cursor);
    *s = (struct series){0};
}

void numbers_slots(const struct world *w, struct numbers *out)
{
    const struct head *h = &w->head;
    out->n[NUM_EVICTABLE] = h->evictable_size;
    out->n[NUM_PROTECTED] = h->protected_size;
    out->n[NUM_FREE] = pool_free_slots(w);
    out->n[NUM_HELD] = h->pool - out->n[NUM_FREE] - h->evictable_size - h->protected_size;
}

uint64_t numbers_value(const struct numbers *n, enum number which)
{
    if (which != NUM_LOOKED)
        return n->n[which];
    return n->n[NUM_LOOKED] == 0 ? 0 : (n->n[NUM_FOUND] * 100 + n->n[NUM_LOOKED] / 2) / n->n[NUM_LOOKED];
}

const char *numbers_name(enum number which)
{
    static const char *const NAME[NUM_COUNT] = {"hit rate", "tokens saved", "tokens computed", "slots evictable",
                                                "slots protected", "slots held", "slots free"};
    return NAME[which];
}

static uint32_t arg(const struct step *s, const char *name)
{
    return s->arg[event_arg(s->kind, name)];
}

/* A request looks twice: the second look-up is for what it has just inserted, and proves nothing. */
static void add_sums(struct numbers *out, const struct step *s)
{
    switch (s->kind) {
    case EV_MATCH: out->again = arg(s, "again") != 0; break;
    case EV_MATCH_NOTHING: out->n[NUM_LOOKED] += out->again ? 0 : arg(s, "units"); break;
    case EV_MATCHED:
        out->n[NUM_LOOKED] += out->again ? 0 : arg(s, "of");
        out->n[NUM_FOUND] += out->again ? 0 : arg(s, "units");
        break;
    case EV_KV_WRITE: out->n[NUM_COMPUTED] += arg(s, "count"); break;
    default: break;
    }
}

static void begin(struct series *s, int branch)
{
    s->branch = branch;
    s->read = 0;
    s->stride = 1;
    s->last = (struct numbers){0};
}

static void put(struct series *s)
{
    uint32_t at = (s->read - 1) / s->stride;
    if (at == SERIES_BUCKETS) {
        for (uint32_t i = 0; i < SERIES_BUCKETS / 2; i++)
            s->bucket[i] = s->bucket[2 * i + 1];
        s->stride *= 2;
        at = (s->read - 1) / s->stride;
    }
    s->bucket[at] = s->last;
}

bool series_read(struct series *s, const struct tape *t, int branch, uint32_t budget)
{
    struct step step;
    struct err ignored = {0};
    if (s->cursor.w == NULL && cursor_init(&s->cursor, t, &ignored) != 0)
        return true;
    if (s->branch != branch || s->stride == 0)
        begin(s, branch);
    s->length = tape_length(t, branch);
    for (; s->read < s->length && budget > 0; budget--) {
        tape_step(t, branch, ++s->read, &step);
        cursor_seek(&s->cursor, branch, s->read);
        add_sums(&s->last, &step);
        numbers_slots(cursor_scene(&s->cursor).w, &s->last);
        put(s);
    }
    return s->read == s->length;
}

struct numbers series_near(const struct series *s, uint32_t n)
{
    return n == 0 ? (struct numbers){0} : s->bucket[(n - 1) / s->stride];
}

struct numbers series_sums(const struct series *s, const struct tape *t, uint32_t n)
{
    struct step step;
    uint32_t from = n / s->stride * s->stride; /* the last step of a whole bucket */
    struct numbers sums = from == 0 ? (struct numbers){0} : s->bucket[from / s->stride - 1];
    for (uint32_t k = from + 1; k <= n; k++) {
        tape_step(t, s->branch, k, &step);
        add_sums(&sums, &step);
    }
    return sums;
}
