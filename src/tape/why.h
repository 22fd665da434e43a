/* why.h: the causes of what a tape shows, read back from the tape alone.
 *
 * The miss doctor says for each request, in one sentence and one reason code, why not more of its prompt
 * came from the cache, and which step decided that:
 *
 *      last-token   all that may be cached was: the last token is always computed
 *      evicted      more was cached once; the step is the eviction that took it
 *      namespace    the same tokens are cached under another extra_key
 *      page         more tokens were equal, but they do not fill a page
 *      diverged     at token N the prompt leaves the tree; both sides are shown side by side
 *      cold         nobody has sent these tokens before
 *      too-big      the request was refused
 *      off          the cache is switched off
 *
 * When several hold, the first in this list is named: it is the one that cost most or can be mended.
 *
 * A chain of causes leads from a step (an eviction, a refusal, a split) back to what made it happen, one
 * entry a line, each with the step to look at.
 */
#ifndef RADIXSCOPE_TAPE_WHY_H
#define RADIXSCOPE_TAPE_WHY_H

#include "tape/tape.h"

enum miss_code { MISS_LAST_TOKEN, MISS_EVICTED, MISS_NAMESPACE, MISS_PAGE, MISS_DIVERGED, MISS_COLD, MISS_TOO_BIG,
                 MISS_OFF, MISS_CODES };

enum { MISS_WINDOW = 6 };

struct miss {
    enum miss_code code;
    uint32_t req;              /* index of the request */
    uint32_t matched, of;      /* tokens found; tokens of the prompt */
    uint32_t at;               /* first token that the tree does not have as well, from 0 */
    uint32_t lost;             /* tokens that were cached, but not for this request; 0: none */
    uint32_t node;             /* the node that shows it, 0: none */
    uint32_t ns;               /* MISS_NAMESPACE: where it is cached */
    uint32_t step;             /* the step that decided it */
    uint32_t want[MISS_WINDOW], have[MISS_WINDOW]; /* tokens from `at` on: the prompt's, the tree's */
    uint32_t wants, haves;     /* how many of them */
};

const char *miss_code_name(enum miss_code code);

/* Examine a request that has been matched (or refused) by step `upto`. `c` is a cursor of the caller's
 * that may be moved; afterwards it stands where it stood. false: the request has not been looked up yet. */
bool miss_examine(struct cursor *c, uint32_t upto, uint32_t req, struct miss *out);

/* Append the sentence. `sc`: any moment after the request arrived. */
void miss_sentence(struct scene sc, const struct event_words *words, const struct miss *m, struct buf *b);

/* One cause: what and where. */
struct cause {
    uint32_t step;
    char text[320];
};

enum { CAUSES = 12 };

/* The chain of causes of step n on the cursor's branch, nearest first; returns how many (0: the step has
 * no cause worth a chain). The cursor may be moved; afterwards it stands where it stood. */
int why_chain(struct cursor *c, const struct event_words *words, uint32_t n, struct cause out[CAUSES]);

/* What is being watched. */
enum watch_kind { WATCH_NODE, WATCH_SLOT, WATCH_REQUEST, WATCH_TOKEN };

/* The nearest step after (dir +1) or before (dir -1) `from` that touched it: changed one of its words or
 * names it. token: a token id that the step speaks of. 0: none. */
uint32_t watch_find(const struct tape *t, int branch, uint32_t from, int dir, enum watch_kind kind, uint32_t what);

/* The same, no farther than `most` steps from `from`. */
uint32_t watch_find_near(const struct tape *t, int branch, uint32_t from, int dir, uint32_t most, enum watch_kind kind,
                         uint32_t what);

#endif
