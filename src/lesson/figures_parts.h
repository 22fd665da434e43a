/* figures_parts.h: what the functions behind the table of figures share. */
#ifndef RADIXSCOPE_LESSON_FIGURES_PARTS_H
#define RADIXSCOPE_LESSON_FIGURES_PARTS_H

#include "lesson/figures.h"
#include "lesson/run.h"
#include "tape/check.h"

bool call_scene(const struct figure_call *c, struct scene *sc, struct err *e); /* false: no block has run */
int call_number(const struct figure_call *c, int arg, double *out, struct err *e);
int call_count(const struct figure_call *c, int arg, uint32_t otherwise, uint32_t *out, struct err *e);
int call_node(const struct figure_call *c, int arg, struct scene *sc, uint32_t *node, struct err *e);
int call_request(const struct figure_call *c, int arg, struct scene *sc, uint32_t *req, struct err *e);

/* The steps of the block that the argument names, or of the one that ran last (as far as this moment). */
int call_range(const struct figure_call *c, int arg, struct lesson_env *env, struct err *e);

/* The live node or the request that a text names at a moment. -1 and *e: there is none. */
int lesson_find_node(struct scene sc, const char *text, uint32_t *node, struct err *e);
int lesson_find_request(struct scene sc, const char *text, uint32_t *req, struct err *e);

/* "A", "27", "root". */
void node_name(const struct world *w, uint32_t node, char out[16]);

#endif
