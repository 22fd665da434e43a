/* compare.h: every request of a script twice: on the shared cache, and alone on an empty one.
 *
 *      proof   one pass that looks at every logit of every position; it also warms the machine up
 *      time    further passes without looking, of which the medians are kept
 *
 * Times are those of the forward passes (wall clock); finding a prefix and allocating slots take
 * microseconds. Answers of the timed passes are compared too.
 */
#ifndef RADIXSCOPE_SCRIPT_COMPARE_H
#define RADIXSCOPE_SCRIPT_COMPARE_H

#include <stdatomic.h>

#include "script/runner.h"

enum compare_damage { DAMAGE_NONE, DAMAGE_ROW, DAMAGE_SLOT };

/* One side of a request. */
struct compare_side {
    enum outcome outcome;
    uint32_t reason;              /* enum finish_reason */
    char why[256];                /* one sentence when it was refused or cut off */
    uint32_t computed, generated; /* prompt tokens computed; tokens generated, the end token included */
    uint32_t *ids;                /* (generated) owned */
    double seconds, flops;        /* of the forward passes: median of the timed passes */
};

struct compare_request {
    char *prompt, *answer;        /* owned; the user's text, the cached run's answer */
    size_t prompt_len, answer_len;
    uint32_t prompt_tokens, cached_tokens;
    struct compare_side cached, cold;
    uint32_t positions;           /* that both runs computed and that were compared */
    double max_diff;              /* of any logit there; NaN if one was */
    bool tokens_equal;
};

struct compare {
    atomic_bool cancelled, locked;   /* compare_cancel's; `locked` guards what runs now: */
    struct runner *runner;
    struct engine *cold;
    struct compare_request *request; /* (count) owned */
    uint32_t count, passes;          /* passes that were timed */
    size_t capacity;
};

/* cfg as for runner_new; its callbacks are not called. `damage` spoils the cache once, before the first
 * request that finds something in it. RUN_FAILED: *e says why; the script's own expectations count. */
enum run_result compare_run(struct compare *c, const struct script *s, const struct runner_config *cfg,
                            enum compare_damage damage, struct err *e);
void compare_done(struct compare *c);

/* From any thread, also before compare_run begins: it ends within a layer, with RUN_CANCELLED. */
void compare_cancel(struct compare *c);

/* Did it end by itself? Not when it was refused or cut off: then there is nothing, or too little, to compare. */
bool compare_answered(const struct compare_side *s);

/* Is everything equal? `tolerance` for the logits: 0 in exact mode. */
bool compare_equal(const struct compare_request *r, double tolerance);

#endif
