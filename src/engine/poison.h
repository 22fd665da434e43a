/* poison.h: spoil the KV row behind a slot on purpose, and find out whom that reaches.
 *
 *      slot 12 ── row 40         poison: slot 12 ── row 97 (row 40 with a bit flipped)
 *                                share:  slot 12 ── row 98 (row 23 once more: another token's)
 *
 * Rows never change: a spoiled one is a new row and one changed word of the world, so that a step back brings the
 * right one again. The word carries KV_SPOILED until somebody writes the slot anew.
 *
 * The effect is found without running the scheduler again: the requests that came after it keep their tokens and
 * their tree; only rows are exchanged.
 *
 *      clean    row 40 ─ read by request 2, whose own rows 50 … 61 are read by request 3
 *      spoiled  row 97 ─ request 2 computed again: rows 99 … 110, and with them request 3
 *
 * Both sides are given the same tokens, so a difference is the spoiled row's alone.
 */
#ifndef RADIXSCOPE_ENGINE_POISON_H
#define RADIXSCOPE_ENGINE_POISON_H

#include "engine/rerun.h"
#include "tape/evidence.h"

/* Which floats of a row: those of one layer, head and dimension, or of all. */
struct poison {
    uint32_t slot;
    uint32_t layer, head, dim;
    bool one_layer, one_head, one_dim;
    bool keys, values;
    uint32_t bit;            /* which bit of each is flipped, 0 to 31 (the sign) */
};

/* One operation. -1 and *e: the slot holds no row, or there is no such layer. */
int engine_poison(struct engine *en, const struct poison *p, struct err *e);
int engine_share(struct engine *en, uint32_t slot, uint32_t with, struct err *e);

/* Whom the POISON or SHARE of step `step` (of `branch`) reaches, among the requests that arrived after it on that
 * branch, or, where it is the end of the branch, after the place where the branch left its parent. 0 and *out
 * (effect_done); 1: cancelled; -1 and *e. As proof_run. */
int effect_run(struct engine *en, int branch, uint32_t step, const struct rerun_watch *watch, struct effect *out,
               struct err *e);

#endif
