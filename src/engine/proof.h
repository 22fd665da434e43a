/* proof.h: the cold run of a request beside its cached run, layer by layer, down to the first bit that differs.
 *
 *      cached   | rows as the cache gave them | the rest, computed behind them |
 *      cold     | everything computed again, behind nothing                    |
 *               0                           cached                             n
 *
 * In the engine's own mode the cached side are the very rows that the request read and wrote. In the other mode
 * its own part is computed again behind the rows from the cache: that shows what rounding alone does. Compared are
 * keys and values of every position and layer, and the logits of every position whose next token was sampled.
 */
#ifndef RADIXSCOPE_ENGINE_PROOF_H
#define RADIXSCOPE_ENGINE_PROOF_H

#include "engine/rerun.h"
#include "tape/evidence.h"

/* Request number `rid`, as far as it has come on that branch. 0 and
 * *out (proof_done); 1: cancelled; -1 and *e, also when nothing of it was computed. On the engine's thread, between
 * operations; the tape is only read. */
int proof_run(struct engine *en, int branch, uint32_t rid, bool fast, const struct rerun_watch *watch,
              struct proof *out, struct err *e);

/* A forward pass of this mode (in an exact engine, fast means OpenBLAS's plain sgemm) over the engine's rows: the engine's own, or one made now (*made, to be freed). */
struct forward *proof_forward(struct engine *en, bool fast, struct forward **made, struct err *e);

#endif
