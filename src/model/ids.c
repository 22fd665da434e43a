#include "model/ids.h"

#include <string.h>

#include "base/xalloc.h"

static bool ids_room(struct ids *list, size_t more)
{
    void *at = list->at;
    if (list->failed || !xgrow(&at, &list->cap, list->len + more, sizeof *list->at)) {
        list->failed = true;
        return false;
    }
    list->at = at;
    return true;
}

bool ids_add(struct ids *list, uint32_t id)
{
    if (list->len == list->cap && !ids_room(list, 1))
        return false;
    list->at[list->len++] = id;
    return true;
}

bool ids_add_all(struct ids *list, const uint32_t *ids, size_t n)
{
    if (n == 0)
        return true;
    if (!ids_room(list, n))
        return false;
    memcpy(list->at + list->len, ids, n * sizeof *ids);
    list->len += n;
    return true;
}

void ids_clear(struct ids *list)
{
    list->len = 0;
    list->failed = false;
}

void ids_free(struct ids *list)
{
    xfree(list->at);
    *list = (struct ids){0};
}
