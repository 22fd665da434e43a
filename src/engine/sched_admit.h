/* sched_admit.h: which waiting requests may run now (SGLang: PrefillAdder, sglang §7).
 *
 *      |<--------------------------- the pool ---------------------------->|
 *      | protected | evictable | free |                    rem_total = evictable + free - reserved
 *                  |<-- can be had -->|
 *      reserved: what the running requests may still generate, times new_token_ratio, and what this pass has taken
 *
 * For each request in the order of the policy:
 *   A1  look its prefix up (one token must be computed); need = rest + min(max_new, 4096) + page
 *       need >= rem_total: NO_TOKEN, the pass ends
 *   A2  without chunked prefill: a pass that has somebody already stops at rem_input (max_prefill_tokens): OTHER
 *   A3  lock the prefix (what was evictable may not be now) and ask both again
 *   A4  the rest fits rem_chunk: take all of it, reserve its output too
 *   A5  else take whole pages of rem_chunk, ending on a page: it becomes the chunked request; none: OTHER
 *   A6  anything left of every budget: CONTINUE with the next one
 *
 * A budget is plain numbers; the functions read the world's counters and write nothing. The caller locks between
 * sched_look (A1, A2) and sched_take (A3 to A6), and unlocks when nothing was added.
 */
#ifndef RADIXSCOPE_ENGINE_SCHED_ADMIT_H
#define RADIXSCOPE_ENGINE_SCHED_ADMIT_H

#include "tape/world.h"

enum {
    SCHED_CLIP_MAX_NEW = 4096,     /* CLIP_MAX_NEW_TOKENS: nobody is counted with more than this */
    SCHED_MAX_PREFILL = 16384,     /* max_prefill_tokens */
    SCHED_PREEMPT_MARGIN = 10,     /* priorities must differ by more than this */
    SCHED_RETRACT_STEPS = 20,      /* RETRACT_DECODE_STEPS: room for so many more tokens each */
    SCHED_RATIO_STEPS = 600,       /* decode steps until new_token_ratio has reached its minimum */
};

enum sched_result { SCHED_CONTINUE, SCHED_NO_TOKEN, SCHED_OTHER };

struct sched_budget {
    double reserved;               /* rem_total_token_offset */
    uint32_t current;              /* cur_rem_token_offset */
    int64_t rem_input, rem_chunk;  /* max_prefill_tokens, chunked_prefill_size, less what was taken */
    bool chunking;                 /* there is a chunk limit */
    uint32_t taken;                /* requests of this pass */
    uint32_t hit_tokens, input_tokens; /* as the prefill log line counts them: input in whole pages */
};

/* A request as admission sees it. max_new counts in full when it is taken, what is left of it when it is looked at. */
struct sched_need {
    uint32_t len, prefix;          /* tokens (prompt and outputs so far), and how many of them are cached */
    uint32_t max_new, outputs;
};

/* What was decided about one request. */
struct sched_decision {
    enum sched_result result;
    enum sched_why why;
    bool added, chunked;
    uint32_t prefix, from, to;     /* added: positions [from, to) are computed in this pass */
    double need, rem_total;        /* A1: asked for, and what was left then */
};

/* new_token_ratio: where it begins, and one decode pass later. */
double sched_ratio_start(void);
double sched_ratio_lower(double ratio);

double sched_rem_total(const struct sched_budget *b, const struct world *w);
double sched_rem_current(const struct sched_budget *b, const struct world *w);

/* What a running request may still generate, as admission reckons: min(max_new - outputs, 4096) x ratio. */
double sched_future_tokens(uint32_t max_new, uint32_t outputs, double ratio);

/* A1, A2. A result other than CONTINUE ends the pass. */
struct sched_decision sched_look(const struct sched_budget *b, const struct world *w, const struct sched_need *n);
/* A3 to A6, the prefix being locked: changes *b and completes *d. */
void sched_take(struct sched_budget *b, const struct world *w, const struct sched_need *n, struct sched_decision *d);
/* The unfinished chunked request goes first: how many of its tokens from position `from` to `len` now? 0: there is
 * not even a page of slots (upstream would stop). */
uint32_t sched_take_chunk(struct sched_budget *b, const struct world *w, uint32_t from, uint32_t len, uint32_t max_new);

#endif
