/* run_table.h: a run as a table of its requests, read from the tape: what exports for other programs are made of.
 *
 * A request is there from its arrival to its answer, refusal or abortion. Keys that were inserted by hand stand in the
 * table as well, with the number 0: a prompt that was computed, and no answer.
 */
#ifndef RADIXSCOPE_TRACE_RUN_TABLE_H
#define RADIXSCOPE_TRACE_RUN_TABLE_H

#include "tape/tape.h"

enum run_outcome { RUN_UNFINISHED, RUN_ANSWERED, RUN_REFUSED, RUN_ABORTED, RUN_INSERTED };

struct run_request {
    uint32_t number;                  /* as people see it; 0: a key inserted by hand */
    enum run_outcome outcome;
    uint32_t reason;                  /* enum finish_reason */
    uint32_t begin, end;              /* steps */
    uint32_t prompt, cached, computed, generated; /* tokens */
    uint32_t evictions, evicted;      /* nodes, tokens that had to go for it */
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
};

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
