/* run_table.h: a run as a table of its requests, read from the tape: what exports for other programs are made of.
 *
 * A request is there from its arrival to its answer, refusal or abortion. Keys that were inserted by hand stand in the
 * table as well, with the number 0: a prompt that was computed, and no answer.
 *
 * With a schedule there is a clock (tape/serving.h); its times, in microseconds, stand beside the steps:
 *
 *      arrived     first token                latest token = finished
 *      |--- waits ---|--- prefill --|--- decode ---|              queued: all its times in the waiting queue
 */
#ifndef RADIXSCOPE_TRACE_RUN_TABLE_H
#define RADIXSCOPE_TRACE_RUN_TABLE_H

#include "tape/serving.h"
#include "tape/tape.h"

enum run_outcome { RUN_UNFINISHED, RUN_ANSWERED, RUN_REFUSED, RUN_ABORTED, RUN_INSERTED };

struct run_request {
    uint32_t number;                  /* as people see it; 0: a key inserted by hand */
    enum run_outcome outcome;
    uint32_t reason;                  /* enum finish_reason */
    uint32_t begin, end;              /* steps */
    uint32_t prompt, cached, computed, generated; /* tokens */
    uint32_t evictions, evicted;      /* nodes, tokens that had to go for it */
    uint64_t arrived, first, latest, finished, queued; /* planned ones; first 0: no token yet */
    uint32_t longest_gap, retracted;  /* microseconds; times */
    uint32_t entry;                   /* in the world */
    bool planned, waits, good;        /* has times; stands in the queue; answered within the limits */
    uint32_t ns, label;               /* names in the store, 0: none */
    size_t first_token;               /* (prompt) in table.token */
};

struct run_table {
    struct run_request *request;      /* (requests) in the order of their arrival */
    size_t requests, cap;
    uint32_t *token;                  /* (tokens) the prompts */
    size_t tokens, token_cap;
    uint32_t evictions, evicted;      /* of all, whoever asked */
    uint32_t steps;
    bool scheduled;                   /* there is a clock, and … */
    struct serving serving;           /* … what it came to */
    uint64_t slo_first, slo_gap;      /* limits of good ones, microseconds */
    uint32_t queue_most;              /* requests that waited at once, at most … */
    double queue_mean;                /* … and on average, over all the time */
    const char *clock;                /* what the clock is reckoned with; the tape's */
};

/* From the first token to the last: microseconds between two, on average; 0: fewer than two. */
double run_request_gap(const struct run_request *q);

struct run_totals {                   /* over requests with a number */
    uint32_t requests, answered, refused, aborted;
    uint64_t prompt, cached, computed, generated; /* tokens of those answered */
};

/* The branch that is written. run_table_free also after a failure. */
int run_table_of(const struct tape *t, struct run_table *out, struct err *e);
void run_table_free(struct run_table *table);
struct run_totals run_table_totals(const struct run_table *table);
const char *run_outcome_name(enum run_outcome o);

#endif
