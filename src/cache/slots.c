#include "cache/slots.h"

#include <stdlib.h>

static int page_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Chain n pages into a list that ends at `tail`. */
static void link_pages(struct cache *c, const uint32_t *pages, uint32_t n, uint32_t tail)
{
    for (uint32_t i = 0; i < n; i++)
        CACHE_SET(c, c->w->page[pages[i]], i + 1 < n ? pages[i + 1] : tail);
}

/* Join the side list to the free list and sort both ascending (need_sort). */
static bool merge_and_sort_free(struct cache *c)
{
    const struct head *h = &c->w->head;
    uint32_t n = 0, all = h->free_pages + h->side_pages;
    if (!cache_more(c, all))
        return false;
    for (uint32_t p = h->free_first; h->free_pages > 0 && p != FREE_END; p = c->w->page[p])
        c->scratch[n++] = p;
    for (uint32_t p = h->side_first; h->side_pages > 0 && p != FREE_END; p = c->w->page[p])
        c->scratch[n++] = p;
    ASSERT(n == all);
    qsort(c->scratch, n, sizeof *c->scratch, page_order);
    link_pages(c, c->scratch, n, FREE_END);
    CACHE_SET(c, h->free_first, n > 0 ? c->scratch[0] : 0);
    CACHE_SET(c, h->free_last, n > 0 ? c->scratch[n - 1] : 0);
    CACHE_SET(c, h->free_pages, n);
    CACHE_SET(c, h->side_first, 0);
    CACHE_SET(c, h->side_last, 0);
    CACHE_SET(c, h->side_pages, 0);
    return true;
}

/* The pages up to, but not including, `next` have been taken from the front. */
static void front_taken(struct cache *c, uint32_t pages, uint32_t next)
{
    const struct head *h = &c->w->head;
    CACHE_SET(c, h->free_first, next == FREE_END ? 0 : next);
    if (next == FREE_END)
        CACHE_SET(c, h->free_last, 0);
    CACHE_SET(c, h->free_pages, h->free_pages - pages);
}

uint32_t slots_pages_needed(const struct world *w, uint32_t have, uint32_t count)
{
    uint32_t size = w->head.page_size;
    return (have + count + size - 1) / size - (have + size - 1) / size;
}

/* Hand out `count` slots behind `have`; `wary` pages must be in front or the side list is joined first. */
static bool take_slots(struct cache *c, uint32_t have, uint32_t last, uint32_t count, uint32_t wary, uint32_t *out)
{
    const struct head *h = &c->w->head;
    uint32_t size = h->page_size;
    if (wary > h->free_pages && h->side_pages > 0 && !merge_and_sort_free(c))
        return false;
    if (slots_pages_needed(c->w, have, count) > h->free_pages)
        return false;
    uint32_t slot = last, page = h->free_first, pages = 0;
    for (uint32_t i = 0; i < count; i++) {
        slot++;
        if ((have + i) % size == 0) {
            uint32_t next = c->w->page[page];
            CACHE_SET(c, c->w->page[page], 0);
            slot = page * size;
            page = next;
            pages++;
        }
        out[i] = slot;
    }
    if (pages > 0)
        front_taken(c, pages, page);
    return true;
}

bool slots_alloc_extend(struct cache *c, uint32_t have, uint32_t last, uint32_t count, uint32_t *out)
{
    /* With pages, upstream joins the lists earlier than it must: tokens // P + batch size + 1. The
     * recording cache/long_13 shows it. */
    uint32_t size = c->w->head.page_size, wary = size == 1 ? count : count / size + 2;
    return take_slots(c, have, last, count, wary, out);
}

bool slots_alloc(struct cache *c, uint32_t count, uint32_t *out)
{
    return take_slots(c, 0, 0, count, slots_pages_needed(c->w, 0, count), out);
}

/* The sorted distinct pages of n slots; they usually come in order already. */
static uint32_t pages_of(struct cache *c, const uint32_t *slots, uint32_t n)
{
    uint32_t size = c->w->head.page_size, pages = 0;
    bool sorted = true;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = slots[i] / size;
        if (pages > 0 && c->scratch[pages - 1] == p)
            continue;
        sorted = sorted && (pages == 0 || c->scratch[pages - 1] < p);
        c->scratch[pages++] = p;
    }
    if (sorted || size == 1) /* a queue keeps the order in which slots are given back */
        return pages;
    qsort(c->scratch, pages, sizeof *c->scratch, page_order);
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < pages; i++)
        if (i == 0 || c->scratch[i] != c->scratch[i - 1])
            c->scratch[distinct++] = c->scratch[i];
    return distinct;
}

/* A list of the pool: its three words in the head. */
struct list {
    const uint32_t *first, *last, *count;
};

static void list_append(struct cache *c, struct list l, const uint32_t *pages, uint32_t n)
{
    link_pages(c, pages, n, FREE_END);
    if (*l.count > 0)
        CACHE_SET(c, c->w->page[*l.last], pages[0]);
    else
        CACHE_SET(c, *l.first, pages[0]);
    CACHE_SET(c, *l.last, pages[n - 1]);
    CACHE_SET(c, *l.count, *l.count + n);
}

static void list_prepend(struct cache *c, struct list l, const uint32_t *pages, uint32_t n)
{
    link_pages(c, pages, n, *l.count > 0 ? *l.first : FREE_END);
    if (*l.count == 0)
        CACHE_SET(c, *l.last, pages[n - 1]);
    CACHE_SET(c, *l.first, pages[0]);
    CACHE_SET(c, *l.count, *l.count + n);
}

void slots_free(struct cache *c, const uint32_t *slots, uint32_t n)
{
    if (n == 0)
        return;
    const struct head *h = &c->w->head;
    if (c->listen.freed != NULL)
        c->listen.freed(c->listen.ctx, slots, n);
    uint32_t pages = pages_of(c, slots, n);
    struct list list = {&h->free_first, &h->free_last, &h->free_pages};
    if (h->need_sort)
        list = (struct list){&h->side_first, &h->side_last, &h->side_pages};
    if (h->page_size == 1)
        list_append(c, list, c->scratch, pages);
    else
        list_prepend(c, list, c->scratch, pages);
}

void slots_clear(struct cache *c)
{
    const struct head *h = &c->w->head;
    uint32_t pages = h->pool / h->page_size;
    for (uint32_t p = 1; p <= pages; p++)
        CACHE_SET(c, c->w->page[p], p < pages ? p + 1 : FREE_END);
    CACHE_SET(c, h->free_first, 1);
    CACHE_SET(c, h->free_last, pages);
    CACHE_SET(c, h->free_pages, pages);
    CACHE_SET(c, h->side_first, 0);
    CACHE_SET(c, h->side_last, 0);
    CACHE_SET(c, h->side_pages, 0);
}
