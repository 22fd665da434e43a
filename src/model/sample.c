#include "model/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct sampler {
    struct sample_params params;
    struct prng prng;
    uint32_t vocab;
    struct candidate *candidate; /* (vocab) */
    bool *seen;                  /* (vocab) tokens that the penalty has met */
};

struct candidate {
    double weight; /* logit, later probability */
    uint32_t id;
};

struct sample_params sample_greedy(void)
{
    return (struct sample_params){.top_p = 1, .repetition_penalty = 1};
}

int sample_check(const struct sample_params *p, struct err *e)
{
    if (!(p->temperature >= 0 && p->temperature <= 100))
        return err_set(e, "temperature is %g, but 0 (greedy) to 100 was expected", p->temperature);
    if (!(p->top_p > 0 && p->top_p <= 1))
        return err_set(e, "top-p is %g, but more than 0 and at most 1 was expected", p->top_p);
    if (!(p->min_p >= 0 && p->min_p <= 1))
        return err_set(e, "min-p is %g, but 0 to 1 was expected", p->min_p);
    if (!(p->repetition_penalty > 0 && p->repetition_penalty <= 100))
        return err_set(e, "the repetition penalty is %g, but more than 0 and at most 100 was expected",
                       p->repetition_penalty);
    return 0;
}

struct sampler *sampler_new(const struct sample_params *p, uint32_t vocab, struct err *e)
{
    if (sample_check(p, e) != 0)
        return NULL;
    struct sampler *s = xcalloc(1, sizeof *s);
    if (s != NULL) {
        s->candidate = xmalloc(vocab * sizeof *s->candidate);
        s->seen = xcalloc(vocab, sizeof *s->seen);
    }
    if (s == NULL || s->candidate == NULL || s->seen == NULL) {
        err_memory(e, vocab * sizeof *s->candidate, "sampling");
        sampler_free(s);
        return NULL;
    }
    s->params = *p;
    s->vocab = vocab;
    prng_seed(&s->prng, p->seed);
    return s;
}

void sampler_free(struct sampler *s)
{
    if (s == NULL)
        return;
    xfree(s->candidate);
    xfree(s->seen);
    xfree(s);
}

/* Best first; the lower id first among equals, so that the order is total. */
static int by_weight(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* Positive logits are divided by the penalty, negative ones multiplied; each token once. */
static void penalise(struct sampler *s, const uint32_t *history, size_t n)
{
    if (s->params.repetition_penalty == 1)
        return;
    for (size_t i = 0; i < n; i++)
        if (history[i] < s->vocab && !s->seen[history[i]]) {
            double *w = &s->candidate[history[i]].weight;
            s->seen[history[i]] = true;
            *w = *w > 0 ? *w / s->params.repetition_penalty : *w * s->params.repetition_penalty;
        }
    for (size_t i = 0; i < n; i++)
        if (history[i] < s->vocab)
            s->seen[history[i]] = false;
}

/* Logits into probabilities, summed in the order they stand in. */
static void softmax(struct candidate *c, uint32_t n, double temperature)
{
    double top = c[0].weight, sum = 0;
    for (uint32_t i = 1; i < n; i++)
        top = c[i].weight > top ? c[i].weight : top;
    for (uint32_t i = 0; i < n; i++)
        sum += c[i].weight = exp((c[i].weight - top) / temperature);
    for (uint32_t i = 0; i < n; i++)
        c[i].weight /= sum;
}

/* The best k of n to the front, in order. Sorting all of a large vocabulary would cost more than the model:
 * partition around a pivot until the first k are apart, then sort those. */
static void best_first(struct candidate *c, uint32_t n, uint32_t k)
{
    uint32_t low = 0, high = n; /* [low, high) holds the border */
    while (k < n && high - low > 16) {
        struct candidate pivot = c[low + (high - low) / 2];
        uint32_t i = low, j = high - 1;
        for (;;) {
            while (by_weight(&c[i], &pivot) < 0)
                i++;
            while (by_weight(&pivot, &c[j]) < 0)
                j--;
            if (i >= j)
                break;
            struct candidate swap = c[i];
            c[i++] = c[j];
            c[j--] = swap;
        }
        if (k <= j + 1 && j + 1 < high)
            high = j + 1;
        else
            low = j + 1;
    }
    qsort(c, k < n ? (high > k ? high : k) : n, sizeof *c, by_weight);
}

/* How many of the n candidates stay: top-p keeps the fewest that reach p, min-p those near the best. More are
 * put in order only as they are needed. */
static uint32_t keep(const struct sample_params *p, struct candidate *c, uint32_t n)
{
    double sum = 0;
    uint32_t kept = 0;
    for (uint32_t sorted = 0; kept < n; kept++) {
        if (kept == sorted) {
            sorted = sorted == 0 ? 64 : n / 8 > sorted ? 8 * sorted : n;
            best_first(c, n, sorted < n ? sorted : n);
        }
        if (sum >= p->top_p || c[kept].weight < p->min_p * c[0].weight)
            break;
        sum += c[kept].weight;
    }
    return kept > 0 ? kept : 1;
}

static uint32_t draw(struct sampler *s, uint32_t n)
{
    double sum = 0, at = prng_unit(&s->prng);
    for (uint32_t i = 0; i < n; i++)
        sum += s->candidate[i].weight;
    at *= sum;
    for (uint32_t i = 0; i + 1 < n; i++)
        if ((at -= s->candidate[i].weight) < 0)
            return s->candidate[i].id;
    return s->candidate[n - 1].id;
}

static uint32_t best_candidate(const struct sampler *s)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < s->vocab; i++)
        if (s->candidate[i].weight > s->candidate[best].weight)
            best = i;
    return best;
}

uint32_t sampler_next(struct sampler *s, const float *logits, const uint32_t *history, size_t n_history)
{
    const struct sample_params *p = &s->params;
    if (p->temperature == 0 && p->repetition_penalty == 1)
        return sample_argmax(logits, s->vocab);
    for (uint32_t i = 0; i < s->vocab; i++)
        s->candidate[i] = (struct candidate){(double)logits[i], i};
    penalise(s, history, n_history);
    if (p->temperature == 0)
        return best_candidate(s);
    uint32_t n = p->top_k > 0 && p->top_k < s->vocab ? p->top_k : s->vocab;
    if (n < s->vocab)
        best_first(s->candidate, s->vocab, n);
    softmax(s->candidate, n, p->temperature);
    return draw(s, p->top_p < 1 || p->min_p > 0 ? keep(p, s->candidate, n) : n);
}

uint32_t sample_argmax(const float *logits, uint32_t vocab)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < vocab; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static bool taken(const uint32_t *ids, uint32_t n, uint32_t id)
{
    for (uint32_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

uint32_t sample_top(const float *logits, uint32_t vocab, uint32_t k, uint32_t *ids, float *probabilities)
{
    double sum = 0;
    uint32_t n = k < vocab ? k : vocab, best = sample_argmax(logits, vocab);
    for (uint32_t i = 0; i < vocab; i++)
        sum += exp((double)logits[i] - (double)logits[best]);
    for (uint32_t found = 0; found < n; found++) {
        uint32_t at = vocab;
        for (uint32_t i = 0; i < vocab; i++)
            if ((at == vocab || logits[i] > logits[at]) && !taken(ids, found, i))
                at = i;
        ids[found] = at;
        probabilities[found] = (float)(exp((double)logits[at] - (double)logits[best]) / sum);
    }
    return n;
}

size_t sample_find_stop(const char *text, size_t len, size_t seen, const char *const *stops, size_t n_stops)
{
    size_t first = len;
    for (size_t s = 0; s < n_stops; s++) {
        size_t n = strlen(stops[s]);
        size_t at = n > 0 && seen + 1 > n ? seen + 1 - n : 0;
        for (; n > 0 && at + n <= len && at < first; at++)
            if (memcmp(text + at, stops[s], n) == 0) {
                first = at;
                break;
            }
    }
    return first;
}
