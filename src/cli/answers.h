/* answers.h: everything that a recording with --with-kv must know beforehand, because nobody can compute it later:
 * the proof of every request in both modes, and the reach of every spoiled row. */
#ifndef RADIXSCOPE_CLI_ANSWERS_H
#define RADIXSCOPE_CLI_ANSWERS_H

#include "script/runner.h"
#include "tape/recording_kv.h"

struct answers {
    struct answered *one;   /* (count) owned */
    uint32_t count;
    size_t cap;
    bool (*stop)(void *ctx); /* asked now and then; true: leave off */
    void *ctx;
};

/* 0; 1: stopped; -1 and *e. Start with stop and ctx set, the rest zero; end with answers_done. Requests of which
 * nothing was computed have no proof. */
int answers_collect(struct answers *a, struct runner *r, struct err *e);
void answers_done(struct answers *a);

#endif
