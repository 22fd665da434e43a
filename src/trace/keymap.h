/* keymap.h: from 64 bits to a number from 1 on: open addressing, linear probing, removal without tombstones.
 *
 *      entry  [key | value]        value 0: empty        at most half full
 */
#ifndef RADIXSCOPE_TRACE_KEYMAP_H
#define RADIXSCOPE_TRACE_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keymap_entry {
    uint64_t key;
    uint32_t value;
};

struct keymap {
    struct keymap_entry *entry; /* (slots) */
    uint32_t slots, count;      /* slots: 0 or a power of two */
};

uint32_t keymap_get(const struct keymap *m, uint64_t key);             /* 0: not there */
bool keymap_put(struct keymap *m, uint64_t key, uint32_t value);       /* false: no memory; value > 0 */
void keymap_remove(struct keymap *m, uint64_t key);
void keymap_free(struct keymap *m);
static inline size_t keymap_bytes(const struct keymap *m)
{
    return m->slots * sizeof(struct keymap_entry);
}

/* Mix a number into a running hash (splitmix64's finalizer). */
uint64_t hash_mix(uint64_t hash, uint64_t with);

#endif
