/* sampling_options.h: --temperature and its like. They hold for every request of a run and win over what the
 * requests of a script say themselves.
 */
#ifndef RADIXSCOPE_CLI_SAMPLING_OPTIONS_H
#define RADIXSCOPE_CLI_SAMPLING_OPTIONS_H

#include "cli/cli.h"
#include "script/sampling.h"

/* What the command line gives, into *out; its stop string is borrowed. -1 and *e: no number, or out of range. */
int sampling_options(const struct cli *c, struct sampling *out, struct err *e);

/* The first of them that was given, or OPT_COUNT. */
enum cli_option sampling_option(const struct cli *c);

#endif
