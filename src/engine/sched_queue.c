/* sched_queue.c: the schedule's lists and times, which are words of the world. */
#include <string.h>

#include "base/xalloc.h"
#include "cache/req.h"
#include "engine/sched_parts.h"
#include "model/sample.h"

bool sched_room(struct engine *en, uint32_t writes, uint32_t steps)
{
    return tape_room(en->t, writes + 64, steps + 8);
}

void sched_set_time(struct engine *en, const uint32_t at[2], uint64_t us)
{
    CACHE_SET(&en->cache, at[0], (uint32_t)us);
    CACHE_SET(&en->cache, at[1], (uint32_t)(us >> 32));
}

void sched_set_double(struct engine *en, const uint32_t at[2], double v)
{
    uint32_t word[2];
    memcpy(word, &v, sizeof v);
    CACHE_SET(&en->cache, at[0], word[0]);
    CACHE_SET(&en->cache, at[1], word[1]);
}

uint32_t sched_said(uint64_t us)
{
    uint64_t hundredths = (us + 5) / 10;
    return hundredths < UINT32_MAX ? (uint32_t)hundredths : UINT32_MAX;
}

uint64_t sched_now(const struct engine *en)
{
    return word_time(SCHED_W(en)->head.now);
}

/* ---- lists --------------------------------------------------------------------------------------------------- */

static void list_push(struct engine *en, const uint32_t *first, uint32_t req)
{
    const uint32_t *link = first;
    while (*link != 0)
        link = &SCHED_PART(en, *link).next;
    CACHE_SET(&en->cache, SCHED_PART(en, req).next, 0);
    CACHE_SET(&en->cache, *link, req);
}

static void list_drop(struct engine *en, const uint32_t *first, uint32_t req)
{
    const uint32_t *link = first;
    while (*link != req) {
        ASSERT(*link != 0);
        link = &SCHED_PART(en, *link).next;
    }
    CACHE_SET(&en->cache, *link, SCHED_PART(en, req).next);
    CACHE_SET(&en->cache, SCHED_PART(en, req).next, 0);
}

void sched_queue_push(struct engine *en, uint32_t req)
{
    const struct head *h = &SCHED_W(en)->head;
    list_push(en, &h->queue_first, req);
    CACHE_SET(&en->cache, h->queue_count, h->queue_count + 1);
    sched_set_time(en, SCHED_PART(en, req).entered, sched_now(en));
}

void sched_queue_drop(struct engine *en, uint32_t req)
{
    const struct head *h = &SCHED_W(en)->head;
    list_drop(en, &h->queue_first, req);
    CACHE_SET(&en->cache, h->queue_count, h->queue_count - 1);
}

void sched_batch_push(struct engine *en, uint32_t req)
{
    const struct head *h = &SCHED_W(en)->head;
    list_push(en, &h->batch_first, req);
    CACHE_SET(&en->cache, h->batch_count, h->batch_count + 1);
}

void sched_batch_drop(struct engine *en, uint32_t req)
{
    const struct head *h = &SCHED_W(en)->head;
    CACHE_SET(&en->cache, h->batch_full, 0); /* somebody left: there may be room again */
    if (h->chunked_req == req) {
        CACHE_SET(&en->cache, h->chunked_req, 0);
        return;
    }
    list_drop(en, &h->batch_first, req);
    CACHE_SET(&en->cache, h->batch_count, h->batch_count - 1);
}

void sched_planned_push(struct engine *en, uint32_t req)
{
    const uint32_t *link = &SCHED_W(en)->head.planned_first;
    while (*link != 0 && word_time(SCHED_PART(en, *link).arrived) <= word_time(SCHED_PART(en, req).arrived))
        link = &SCHED_PART(en, *link).next;
    CACHE_SET(&en->cache, SCHED_PART(en, req).next, *link);
    CACHE_SET(&en->cache, *link, req);
}

void sched_planned_drop(struct engine *en, uint32_t req)
{
    list_drop(en, &SCHED_W(en)->head.planned_first, req);
}

/* ---- going back, ending ----------------------------------------------------------------------------------------- */

bool sched_send_back(struct engine *en, uint32_t req, enum sched_why why)
{
    struct cache *c = &en->cache;
    const struct request *q = &SCHED_REQ(en, req);
    if (!cache_more(c, q->kv_len) || !req_cache_finished(c, req, q->kv_len, false) || !sched_room(en, 64, 8))
        return false;
    sched_batch_drop(en, req);
    CACHE_SET(c, q->state, REQ_WAITING);
    CACHE_SET(c, q->kv_len, 0);
    CACHE_SET(c, q->computed_len, 0);
    CACHE_SET(c, SCHED_PART(en, req).why, why);
    CACHE_SET(c, SCHED_PART(en, req).retracted, SCHED_PART(en, req).retracted + 1);
    sched_queue_push(en, req);
    return true;
}

void sched_forget(struct engine *en, uint32_t req)
{
    struct sched_job *j = en->sched->job[req];
    if (j == NULL)
        return;
    en->sched->job[req] = NULL;
    sampler_free(j->sampler);
    for (size_t i = 0; j->stop != NULL && i < j->watch.count; i++)
        xfree(j->stop[i]);
    xfree(j->stop);
    stop_done(&j->watch);
    xfree(j->given);
    xfree(j);
}
