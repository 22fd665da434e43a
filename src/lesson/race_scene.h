/* race_scene.h: the tree's own run of a race, step by step, so that a wrong answer about the race leads to a step.
 *
 *      ```run shots                            question: decides: evict_node @ shots
 *      race few-shots --designs radix,…            │
 *            │                                     v
 *            ├── JSON: entries, hits ──> the first request at which an entry differs from the first one
 *            └── the workload ── settings of the first entry, the radix tree ──> a scene, a step of that request
 *
 * Such a scene stands behind those of the lesson's blocks. It is believed only because it finds for every request what
 * the race says that the tree found: else the lesson is refused.
 */
#ifndef RADIXSCOPE_LESSON_RACE_SCENE_H
#define RADIXSCOPE_LESSON_RACE_SCENE_H

#include "lesson/run.h"

/* Make the scene that q's `decides` names, unless it is there or is a block of commands. -1 and *e, with its place. */
int race_scene_open(struct lesson_run *r, const struct question *q, struct err *e);

/* The race that q's `decides` names; NULL: it names none. */
const struct lesson_race *race_scene_of(const struct lesson_run *r, const struct question *q);

/* The request that q's `decides` means, from 1. */
uint32_t race_scene_request(const struct lesson_race *race, const struct question *q);

/* For the runner's report: a command of a race's scene has run. */
void race_scene_note(struct lesson_scene *s, const struct runner_report *rep);

#endif
