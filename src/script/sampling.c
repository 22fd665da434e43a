#include "script/sampling.h"

#include <string.h>

static const char *const NAMES[SAMPLING_COUNT] = {
#define X(id, name) name,
    SAMPLING_VALUES(X)
#undef X
};

static void read_stops(struct sampling *s, const struct script_command *c)
{
    for (uint32_t i = 0; i < c->nargs; i++)
        if (strncmp(c->arg[i].spec, "stop:", 5) == 0)
            s->stop[s->stops++] = c->arg[i].text;
}

void sampling_read(struct sampling *s, const struct script_command *c)
{
    for (unsigned i = 0; i < SAMPLING_COUNT; i++) {
        const struct script_arg *a = script_arg(c, NAMES[i]);
        if (a == NULL || s->given >> i & 1)
            continue;
        s->value[i] = a->number;
        s->given |= 1u << i;
    }
    if (s->stops == 0)
        read_stops(s, c);
}

static double value_or(const struct sampling *s, enum sampling_value which, double otherwise)
{
    return s->given >> which & 1 ? s->value[which] : otherwise;
}

int sampling_params(const struct sampling *s, struct sample_params *out, struct err *e)
{
    struct sample_params usual = sample_greedy();
    out->temperature = value_or(s, SAMPLING_TEMPERATURE, usual.temperature);
    out->top_k = (uint32_t)value_or(s, SAMPLING_TOP_K, usual.top_k);
    out->top_p = value_or(s, SAMPLING_TOP_P, usual.top_p);
    out->min_p = value_or(s, SAMPLING_MIN_P, usual.min_p);
    out->repetition_penalty = value_or(s, SAMPLING_REPETITION_PENALTY, usual.repetition_penalty);
    out->seed = (uint64_t)value_or(s, SAMPLING_SEED, 0);
    for (uint32_t i = 0; i < s->stops; i++)
        if (s->stop[i][0] == '\0')
            return err_set(e, "a stop string is empty, and an empty text stands everywhere");
    return sample_check(out, e);
}
