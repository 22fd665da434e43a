/* check.h: does a checkpoint compute here what `transformers` computed?
 *
 * The folder holds, beside the checkpoint, expect.json and expect.safetensors: prompts with their logits and
 * greedy continuations, texts with their token ids and what these decode to. Both modes are checked, cold
 * and with every prompt split at every place through the row store; in exact mode a split run must give the
 * cold run's logits to the last bit.
 *
 * A folder without expect.json may hold reference.json, as the model in the box does: conversations with their
 * token ids, greedy tokens and the answer's text. Then everything but the expected logits is checked.
 */
#ifndef RADIXSCOPE_MODEL_CHECK_H
#define RADIXSCOPE_MODEL_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/forward_parts.h"

#define CHECK_TOLERANCE 2e-4 /* largest difference of a logit that passes */
#define CHECK_MARGIN    1e-3 /* a greedy position counts if its best two logits are at least this far apart */

struct check_mode {
    double max_abs_logit_diff;  /* against expect.safetensors, cold and split */
    double max_abs_split_diff;  /* between split and cold runs */
    uint32_t prompts;
    uint32_t greedy_checked, greedy_equal;
    uint32_t ids_checked, decoded_checked;
    bool ids_equal, decoded_equal;
    uint32_t splits_checked, splits_bit_equal;
};

struct check_result {
    bool pass;
    bool reference;             /* checked against reference.json: no logits were compared */
    bool cast_rope;             /* the expected logits were computed with RoPE frequencies in the weights' dtype */
    struct check_mode mode[2]; /* FORWARD_EXACT, FORWARD_FAST */
    struct err first;           /* what differs first, in words; not set if all passed */
};

/* Check the folder. engine: NULL for the modes' own (tests force others; it then replaces exact mode's).
 * Returns 0 when the check could be made (see pass), -1 and *e when files are missing or damaged. */
int model_check(const char *dir, const struct forward_engine *engine, struct check_result *out, struct err *e);

/* {"pass":…,"modes":{"exact":{…},"fast":{…}}} */
void check_json(const struct check_result *r, struct buf *out);

/* The same for people. */
void check_text(const char *dir, const struct check_result *r, struct buf *out);

#endif
