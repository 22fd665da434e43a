#include "model/cascade.h"

#include "model/kernel.h"

/* Positions at which both read the same rows, in whole blocks. */
static uint32_t common_rows(const struct cascade_job *a, const struct cascade_job *b)
{
    uint32_t least = a->before < b->before ? a->before : b->before, n = 0;
    while (n < least && a->row[n] == b->row[n])
        n++;
    return n - n % BLOCK;
}

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t kept = *a;
    *a = *b;
    *b = kept;
}

/* Bring the jobs that belong to order[first] behind it; returns the group. order (n) */
static struct cascade_group gather_group(const struct cascade_job *job, uint32_t n, uint32_t *order, uint32_t first)
{
    struct cascade_group g = {first, 1, 0};
    const struct cascade_job *seed = &job[order[first]];
    uint32_t most = 0;
    for (uint32_t i = first + 1; i < n; i++) {
        uint32_t common = common_rows(seed, &job[order[i]]);
        most = common > most ? common : most;
    }
    if (most < CASCADE_LEAST)
        return g;
    g.shared = most;
    for (uint32_t i = first + 1; i < n; i++) {
        uint32_t common = common_rows(seed, &job[order[i]]);
        if (common < CASCADE_LEAST || common < most / 2)
            continue;
        swap(&order[first + g.count++], &order[i]);
        g.shared = common < g.shared ? common : g.shared;
    }
    return g;
}

uint32_t cascade_plan(const struct cascade_job *job, uint32_t n, uint32_t *order, struct cascade_group *group)
{
    uint32_t groups = 0;
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t first = 0; first < n; first += group[groups++].count)
        group[groups] = gather_group(job, n, order, first);
    return groups;
}
