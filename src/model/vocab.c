#include "model/vocab.h"

#include <string.h>

#include "base/xalloc.h"

static size_t table_size(size_t n)
{
    size_t size = 64;
    while (size < 2 * n)
        size *= 2;
    return size;
}

static size_t hash_text(const char *text, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
    return (size_t)(h ^ h >> 29);
}

static size_t hash_pair(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    return (size_t)(h >> 20);
}

/* The place of the text, or the empty place where it would stand. */
static size_t text_place(const struct vocab *v, const char *text, size_t len)
{
    size_t i = hash_text(text, len) & (v->slots - 1);
    for (; v->slot[i] != VOCAB_NONE; i = (i + 1) & (v->slots - 1)) {
        const struct vocab_text *t = &v->text[v->slot[i]];
        if (t->len == len && memcmp(v->bytes + t->at, text, len) == 0)
            break;
    }
    return i;
}

static size_t pair_place(const struct vocab *v, uint32_t left, uint32_t right)
{
    size_t i = hash_pair(left, right) & (v->pairs - 1);
    while (v->pair[i].left != VOCAB_NONE && (v->pair[i].left != left || v->pair[i].right != right))
        i = (i + 1) & (v->pairs - 1);
    return i;
}

static bool grow_slots(struct vocab *v, size_t n)
{
    if (2 * n <= v->slots)
        return true;
    size_t slots = table_size(n);
    uint32_t *old = v->slot, *slot = xmalloc(slots * sizeof *slot);
    if (slot == NULL)
        return false;
    memset(slot, 0xff, slots * sizeof *slot);
    v->slot = slot;
    v->slots = slots;
    for (uint32_t id = 0; id < v->size; id++)
        if (v->text[id].known)
            slot[text_place(v, v->bytes + v->text[id].at, v->text[id].len)] = id;
    xfree(old);
    return true;
}

static bool grow_pairs(struct vocab *v, size_t n)
{
    if (2 * n <= v->pairs)
        return true;
    size_t pairs = table_size(n), old_pairs = v->pairs;
    struct vocab_pair *old = v->pair, *pair = xmalloc(pairs * sizeof *pair);
    if (pair == NULL)
        return false;
    memset(pair, 0xff, pairs * sizeof *pair);
    v->pair = pair;
    v->pairs = pairs;
    for (size_t i = 0; i < old_pairs; i++)
        if (old[i].left != VOCAB_NONE)
            pair[pair_place(v, old[i].left, old[i].right)] = old[i];
    xfree(old);
    return true;
}

bool vocab_reserve(struct vocab *v, size_t n_texts, size_t n_pairs)
{
    return grow_slots(v, n_texts + 1) && grow_pairs(v, n_pairs + 1);
}

void vocab_done(struct vocab *v)
{
    xfree(v->bytes);
    xfree(v->text);
    xfree(v->slot);
    xfree(v->pair);
    *v = (struct vocab){0};
}

static bool text_room(struct vocab *v, uint32_t id, size_t len)
{
    void *text = v->text, *bytes = v->bytes;
    bool room = xgrow(&text, &v->text_cap, (size_t)id + 1, sizeof *v->text);
    v->text = text;
    room = room && xgrow(&bytes, &v->bytes_cap, v->n_bytes + len + 1, 1);
    v->bytes = bytes;
    for (; room && v->size <= id; v->size++)
        v->text[v->size] = (struct vocab_text){0};
    return room;
}

enum vocab_result vocab_add(struct vocab *v, uint32_t id, const char *text, size_t len)
{
    if (len >= UINT32_MAX || !text_room(v, id, len) || !grow_slots(v, v->n_texts + 1))
        return VOCAB_NO_MEMORY;
    size_t place = text_place(v, text, len);
    if (v->text[id].known || v->slot[place] != VOCAB_NONE)
        return VOCAB_TWICE;
    memcpy(v->bytes + v->n_bytes, text, len);
    v->text[id] = (struct vocab_text){v->n_bytes, (uint32_t)len, true};
    v->n_bytes += len;
    v->slot[place] = id;
    v->n_texts++;
    return VOCAB_OK;
}

enum vocab_result vocab_add_pair(struct vocab *v, uint32_t left, uint32_t right, uint32_t rank, uint32_t id)
{
    if (!grow_pairs(v, v->n_pairs + 1))
        return VOCAB_NO_MEMORY;
    struct vocab_pair *place = &v->pair[pair_place(v, left, right)];
    if (place->left != VOCAB_NONE)
        return VOCAB_TWICE;
    *place = (struct vocab_pair){left, right, rank, id};
    v->n_pairs++;
    return VOCAB_OK;
}

uint32_t vocab_find(const struct vocab *v, const char *text, size_t len)
{
    return v->slots == 0 ? VOCAB_NONE : v->slot[text_place(v, text, len)];
}

const struct vocab_pair *vocab_find_pair(const struct vocab *v, uint32_t left, uint32_t right)
{
    if (v->pairs == 0)
        return NULL;
    const struct vocab_pair *p = &v->pair[pair_place(v, left, right)];
    return p->left != VOCAB_NONE ? p : NULL;
}

const char *vocab_text(const struct vocab *v, uint32_t id, size_t *len)
{
    bool known = id < v->size && v->text[id].known;
    *len = known ? v->text[id].len : 0;
    return known ? v->bytes + v->text[id].at : NULL;
}
