#include "trace/keymap.h"

#include "base/xalloc.h"

uint64_t hash_mix(uint64_t hash, uint64_t with)
{
    uint64_t z = (hash ^ with) + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t home(const struct keymap *m, uint64_t key)
{
    return (uint32_t)hash_mix(0, key) & (m->slots - 1);
}

/* Where key is, or would be. */
static uint32_t place(const struct keymap *m, uint64_t key)
{
    uint32_t i = home(m, key);
    while (m->entry[i].value != 0 && m->entry[i].key != key)
        i = (i + 1) & (m->slots - 1);
    return i;
}

uint32_t keymap_get(const struct keymap *m, uint64_t key)
{
    return m->slots == 0 ? 0 : m->entry[place(m, key)].value;
}

static bool grow(struct keymap *m)
{
    struct keymap bigger = {.slots = m->slots == 0 ? 64 : m->slots * 2, .count = m->count};
    bigger.entry = xcalloc(bigger.slots, sizeof *bigger.entry);
    if (bigger.entry == NULL)
        return false;
    for (uint32_t i = 0; i < m->slots; i++)
        if (m->entry[i].value != 0)
            bigger.entry[place(&bigger, m->entry[i].key)] = m->entry[i];
    xfree(m->entry);
    *m = bigger;
    return true;
}

bool keymap_put(struct keymap *m, uint64_t key, uint32_t value)
{
    if (m->count * 2 >= m->slots && !grow(m))
        return false;
    struct keymap_entry *entry = &m->entry[place(m, key)];
    m->count += entry->value == 0;
    *entry = (struct keymap_entry){key, value};
    return true;
}

void keymap_remove(struct keymap *m, uint64_t key)
{
    if (m->slots == 0)
        return;
    uint32_t hole = place(m, key), mask = m->slots - 1;
    if (m->entry[hole].value == 0)
        return;
    m->count--;
    for (uint32_t i = (hole + 1) & mask; m->entry[i].value != 0; i = (i + 1) & mask) {
        uint32_t want = home(m, m->entry[i].key);
        if (((i - want) & mask) >= ((i - hole) & mask)) { /* it may stand as far forward as the hole */
            m->entry[hole] = m->entry[i];
            hole = i;
        }
    }
    m->entry[hole] = (struct keymap_entry){0};
}

void keymap_free(struct keymap *m)
{
    xfree(m->entry);
    *m = (struct keymap){0};
}
