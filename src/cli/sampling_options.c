#include "cli/sampling_options.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(OPT_SEED - OPT_TEMPERATURE == SAMPLING_SEED - SAMPLING_TEMPERATURE && OPT_STOP == OPT_SEED + 1,
               "the options stand in the order of the values");

enum { DIGITS = 30 };       /* no number that anyone types is longer */
#define LARGEST 4294967294.0 /* as in scripts */

static int read_number(const char *name, const char *text, bool whole, double *out, struct err *e)
{
    const char *point = strchr(text, '.');
    size_t n = strlen(text);
    bool decimal = strspn(text, "0123456789.") == n && (point == NULL || strchr(point + 1, '.') == NULL);
    if (whole && (point != NULL || !decimal || n == 0 || n > DIGITS || strtod(text, NULL) > LARGEST))
        return err_usage(e, "--%s must be a whole number from 0 to 4294967294, not '%.40s'", name, text);
    if (!decimal || n == (point != NULL) || n > DIGITS)
        return err_usage(e, "--%s must be a number like 0.7, not '%.40s'", name, text);
    *out = strtod(text, NULL);
    return 0;
}

int sampling_options(const struct cli *c, struct sampling *out, struct err *e)
{
    struct sample_params params;
    *out = (struct sampling){0};
    for (unsigned i = 0; i < SAMPLING_COUNT; i++) {
        enum cli_option which = (enum cli_option)(OPT_TEMPERATURE + i);
        if (!cli_has(c, which))
            continue;
        bool whole = which == OPT_TOP_K || which == OPT_SEED;
        if (read_number(cli_option_info(which)->name, c->option[which], whole, &out->value[i], e) != 0)
            return -1;
        out->given |= 1u << i;
    }
    if (cli_has(c, OPT_STOP))
        out->stop[out->stops++] = c->option[OPT_STOP];
    if (sampling_params(out, &params, e) == 0)
        return 0;
    e->usage = true;
    return -1;
}

enum cli_option sampling_option(const struct cli *c)
{
    int which = OPT_TEMPERATURE;
    while (which <= OPT_STOP && !cli_has(c, (enum cli_option)which))
        which++;
    return which <= OPT_STOP ? (enum cli_option)which : OPT_COUNT;
}
