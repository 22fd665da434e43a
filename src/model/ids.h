/* ids.h: a growing list of token ids.
 *
 * The owner calls ids_free. An append that finds no memory leaves the list as it was and sets `failed`,
 * so that a caller who appends many checks once, at the end.
 */
#ifndef RADIXSCOPE_MODEL_IDS_H
#define RADIXSCOPE_MODEL_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ids {
    uint32_t *at; /* (len) */
    size_t len, cap;
    bool failed;
};

bool ids_add(struct ids *list, uint32_t id);
bool ids_add_all(struct ids *list, const uint32_t *ids, size_t n);
void ids_clear(struct ids *list); /* keeps the memory */
void ids_free(struct ids *list);

#endif
