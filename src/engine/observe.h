/* observe.h: an engine's rows as views and tools may read them (tape/observation.h). */
#ifndef RADIXSCOPE_ENGINE_OBSERVE_H
#define RADIXSCOPE_ENGINE_OBSERVE_H

#include "engine/engine.h"
#include "tape/observation.h"

/* The rows of an engine; false: it has no model. Good as long as the engine. Any thread, for rows that a world which
 * it reads names. */
bool engine_observed(struct engine *en, struct observed *out);

#endif
