#include "trace/kv_diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* One block stored or removed, or everything cleared. */
struct act {
    enum kv_type type;
    uint32_t hash, record;
    uint64_t content;      /* of the tokens up to the block's end; 0: not known */
};

struct side {
    const struct kv_log *log;
    const char *name;
    struct act *act;       /* (acts) */
    size_t acts, at, cap;
    uint64_t *content;     /* (log.hashes) */
    uint32_t *first_token; /* (log.hashes) */
};

static uint64_t content_of(const struct side *s, uint64_t before, uint32_t first_token)
{
    uint64_t h = before ^ 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < s->log->block_size; i++)
        h = (h ^ s->log->token[first_token + i]) * 0x100000001b3u ^ h >> 29;
    return h != 0 ? h : 1;
}

static bool add_act(struct side *s, const struct kv_event *ev, uint32_t hash)
{
    void *room = s->act;
    if (!xgrow(&room, &s->cap, s->acts + 1, sizeof *s->act))
        return false;
    s->act = room;
    s->act[s->acts++] = (struct act){ev->type, hash, ev->record, hash != KV_NONE ? s->content[hash] : 0};
    return true;
}

static bool add_event(struct side *s, const struct kv_event *ev)
{
    uint64_t before = ev->parent != KV_NONE ? s->content[ev->parent] : 0;
    if (ev->elsewhere || ev->type == KV_GAP)
        return true;
    if (ev->type == KV_CLEARED)
        return s->acts == 0 || add_act(s, ev, KV_NONE);
    for (uint32_t i = 0; i < ev->hashes; i++) {
        uint32_t hash = s->log->list[ev->first + i];
        if (ev->type == KV_STORED) {
            s->first_token[hash] = ev->first_token + i * s->log->block_size;
            before = s->content[hash] = content_of(s, before, s->first_token[hash]);
        }
        if (!add_act(s, ev, hash))
            return false;
    }
    return true;
}

static int open_side(struct side *s, const struct kv_log *log, const char *name, struct err *e)
{
    *s = (struct side){.log = log, .name = name};
    s->content = xcalloc(log->hashes + 1, sizeof *s->content);
    s->first_token = xcalloc(log->hashes + 1, sizeof *s->first_token);
    bool ok = s->content != NULL && s->first_token != NULL;
    for (size_t i = 0; ok && i < log->events; i++)
        ok = add_event(s, &log->event[i]);
    return ok ? 0 : err_memory(e, log->events * sizeof *s->act, "the comparison of KV events");
}

static void close_side(struct side *s)
{
    xfree(s->act);
    xfree(s->content);
    xfree(s->first_token);
}

/* How many removals stand at the present place. */
static size_t removals(const struct side *s)
{
    size_t n = 0;
    while (s->at + n < s->acts && s->act[s->at + n].type == KV_REMOVED)
        n++;
    return n;
}

static int by_content(const void *a, const void *b)
{
    const struct act *x = a, *y = b;
    return x->content < y->content ? -1 : x->content > y->content;
}

static void describe(const struct side *s, const struct act *a, struct buf *out)
{
    static const char *const DID[] = {"stores", "removes"};
    if (a == NULL || a->type == KV_CLEARED) {
        buf_puts(out, a == NULL ? "does nothing more of the kind" : "clears everything");
        return;
    }
    buf_printf(out, "%s block ", DID[a->type]);
    kv_hash_text(&s->log->hash[a->hash], out);
    buf_puts(out, a->content == 0 ? " (never stored here)" : " (tokens");
    for (uint32_t i = 0; a->content != 0 && i < s->log->block_size && i < 8; i++)
        buf_printf(out, " %u", s->log->token[s->first_token[a->hash] + i]);
    if (a->content != 0)
        buf_puts(out, s->log->block_size > 8 ? " …)" : ")");
}

static void say(const struct side *a, const struct act *x, const struct side *b, const struct act *y,
                struct kv_difference *out)
{
    struct buf left = {0}, right = {0};
    describe(a, x, &left);
    describe(b, y, &right);
    out->differs = true;
    snprintf(out->what, sizeof out->what, "after %zu equal blocks: %s %s (record %u), %s %s (record %u)", out->same, a->name,
             buf_text(&left), x != NULL ? x->record : 0, b->name, buf_text(&right), y != NULL ? y->record : 0);
    buf_free(&left);
    buf_free(&right);
}

/* The removals that stand here on both sides, as sets. */
static void compare_removals(struct side *a, struct side *b, struct kv_difference *out)
{
    size_t na = removals(a), nb = removals(b), i = 0;
    if (na > 0) /* without any there may be no array */
        qsort(a->act + a->at, na, sizeof *a->act, by_content);
    if (nb > 0)
        qsort(b->act + b->at, nb, sizeof *b->act, by_content);
    while (i < na && i < nb && a->act[a->at + i].content == b->act[b->at + i].content)
        i++;
    out->same += i;
    if (i < na || i < nb)
        say(a, i < na ? &a->act[a->at + i] : NULL, b, i < nb ? &b->act[b->at + i] : NULL, out);
    a->at += na;
    b->at += nb;
}

static void compare(struct side *a, struct side *b, struct kv_difference *out)
{
    while (!out->differs && (a->at < a->acts || b->at < b->acts)) {
        compare_removals(a, b, out);
        if (out->differs)
            return;
        const struct act *x = a->at < a->acts ? &a->act[a->at++] : NULL, *y = b->at < b->acts ? &b->act[b->at++] : NULL;
        if (x == NULL && y == NULL)
            return;
        if (x == NULL || y == NULL || x->type != y->type || x->content != y->content)
            say(a, x, b, y, out);
        else
            out->same++;
    }
}

int kv_diff(const struct kv_log *a, const struct kv_log *b, const char *const names[2], struct kv_difference *out,
            struct err *e)
{
    struct side left, right = {0};
    *out = (struct kv_difference){0};
    int rc = open_side(&left, a, names[0], e);
    if (rc == 0)
        rc = open_side(&right, b, names[1], e);
    if (rc == 0 && a->block_size != b->block_size) {
        out->differs = true;
        snprintf(out->what, sizeof out->what, "%s has blocks of %u tokens, %s of %u", names[0], a->block_size, names[1],
                 b->block_size);
    } else if (rc == 0) {
        compare(&left, &right, out);
    }
    close_side(&left);
    close_side(&right);
    return rc;
}
