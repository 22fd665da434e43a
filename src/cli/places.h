/* places.h: where the program's own data is: the model in the box and the scenarios.
 *
 * The first of these that has a scenarios folder:
 *   $RADIXSCOPE_DATA; beside or above the program share/radixscope (an installed tree) or data/ (a build
 *   tree); PREFIX/share/radixscope
 */
#ifndef RADIXSCOPE_CLI_PLACES_H
#define RADIXSCOPE_CLI_PLACES_H

#include <limits.h>

#include "cli/cli.h"

/* The program's own file, links resolved. -1 and *e if the system does not tell. */
int place_program(const struct cli *c, char out[PATH_MAX], struct err *e);

/* Append the data folder; -1 and *e if there is none. */
int place_data(const struct cli *c, struct buf *out, struct err *e);

/* Append the model folder: --model, or the one in the box. */
int place_model(const struct cli *c, struct buf *out, struct err *e);

/* Append the file of a scenario: a name from the data folder, or a path (with / or .rxs). */
int place_scenario(const struct cli *c, const char *name, struct buf *out, struct err *e);

/* Is this word, without / and .rxs, the name of one of our scenarios? */
bool place_is_scenario(const struct cli *c, const char *name);

/* Calls visit with the name of each scenario, in order. */
int place_scenarios(const struct cli *c, void (*visit)(void *ctx, const char *name), void *ctx, struct err *e);

#endif
