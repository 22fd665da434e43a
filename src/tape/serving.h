/* serving.h: what a schedule looks like at one moment: the queue in its order, the batch, the metrics. From the world
 * alone, so that a screen, --plain and a recording say the same; all of it 0 while requests run one at a time.
 *
 *      arrived        first token      2nd   3rd      last token
 *      |--- time to first token ---|---gap---|---gap---|           gap: inter-token latency
 *
 * Goodput (as in DistServe, Zhong et al. 2024) counts only the answered requests whose time to first token and whose
 * longest gap are both within the limits of the schedule.
 */
#ifndef RADIXSCOPE_TAPE_SERVING_H
#define RADIXSCOPE_TAPE_SERVING_H

#include "tape/world.h"

/* Times are milliseconds. */
struct serving {
    double now;
    uint32_t planned, waiting, running;          /* running: with the one in chunks */
    uint32_t answered, refused, aborted, good;   /* answered: cut-off ones too; good: of them, within the limits */
    uint32_t retractions;                        /* preemptions too */
    uint32_t waits_longest, passed_most;         /* requests: the waiting one that came first; the one passed most */
    uint32_t firsts;                             /* requests with a first token, for … */
    double first_mean, first_median, first_p99;  /* … the time to first token; median of an even number: between the middle two */
    double gap_mean, gap_worst;                  /* between two tokens of a request */
    double tokens_per_s, good_per_s;             /* of all the time since 0 */
};

/* Without memory for the quantiles they are 0, and firsts says so. */
struct serving serving_metrics(const struct world *w);
bool serving_good(const struct world *w, uint32_t request); /* answered within the limits */

enum serving_style { SERVING_TITLE, SERVING_LINE, SERVING_HERE, SERVING_NOTE };

/* The whole view, line by line; HERE: the line of request `about` (0: nobody). Lines of at most 56 cells say what
 * matters; NOTE lines explain. */
typedef void (*serving_line)(void *ctx, enum serving_style style, const char *text);
void serving_tell(struct scene sc, uint32_t about, serving_line line, void *ctx);

#endif
