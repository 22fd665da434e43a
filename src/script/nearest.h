/* nearest.h: "did you mean": the name that is closest to what was typed.
 *
 * Distance is the number of letters to insert, remove, change or swap with their neighbour; a name
 * counts as near when that is at most a third of its length, at least 1, so that nonsense suggests nothing.
 */
#ifndef RADIXSCOPE_SCRIPT_NEAREST_H
#define RADIXSCOPE_SCRIPT_NEAREST_H

#include <stddef.h>

/* Letters between two names (Damerau's distance, neighbours swapped at most once); names are cut at 63. */
unsigned nearest_distance(const char *a, const char *b);

/* Walk candidates with this: the best so far. Start from zero; `name` is NULL while nothing is near. */
struct nearest {
    const char *name;
    unsigned distance;
};
void nearest_try(struct nearest *best, const char *typed, const char *candidate);

#endif
