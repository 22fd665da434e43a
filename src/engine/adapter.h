/* adapter.h: what an adapter means for a request's namespace; for engine.c alone.
 *
 * Keys and values computed with an adapter are that adapter's own. SGLang keeps them apart with the tree's
 * own means: the LoRA id is appended to the extra_key. Lessons may leave that out on purpose, to show what
 * goes wrong: the request then reads rows of the model alone (or of whoever came first), and two notes say
 * so, with the largest difference of a logit at the prompt's last position.
 */
#ifndef RADIXSCOPE_ENGINE_ADAPTER_H
#define RADIXSCOPE_ENGINE_ADAPTER_H

#include "engine/engine.h"

/* The request's namespace in the store; UINT32_MAX: no memory. */
uint32_t adapter_namespace(struct store *s, const struct request_spec *spec);

/* Has the request an adapter whose name is left out of the namespace? */
bool adapter_is_mistaken(const struct request_spec *spec);

/* The largest difference of a, b (n); NaN if one is. */
double adapter_difference(const float *a, const float *b, uint32_t n);

/* Steps that say it: before such a request, and after it. 0, or -1 and *e. Nothing for other requests. */
int adapter_note_before(struct engine *en, const struct request_spec *spec, struct err *e);
int adapter_note_after(struct engine *en, const struct request_spec *spec, const struct request_report *done,
                       struct err *e);

#endif
