#include "script/nearest.h"

#include <string.h>

enum { LONGEST = 63 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned nearest_distance(const char *a, const char *b)
{
    unsigned row[3][LONGEST + 1]; /* two rows above the present one: a swap looks two back */
    size_t n = strnlen(a, LONGEST), m = strnlen(b, LONGEST);
    for (unsigned j = 0; j <= m; j++)
        row[0][j] = j;
    for (unsigned i = 1; i <= n; i++) {
        unsigned *now = row[i % 3], *up = row[(i - 1) % 3], *above = row[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            now[j] = least(least(up[j] + 1, now[j - 1] + 1), up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], above[j - 2] + 1);
        }
    }
    return row[n % 3][m];
}

void nearest_try(struct nearest *best, const char *typed, const char *candidate)
{
    size_t len = strlen(candidate);
    unsigned d = nearest_distance(typed, candidate), allowed = len < 6 ? 1 : (unsigned)len / 3;
    if (len == 4 || len == 5)
        allowed = 2;
    if (d <= allowed && (best->name == NULL || d < best->distance))
        *best = (struct nearest){candidate, d};
}
