#include "ui/beside.h"

#include <string.h>

enum { STEPS_AT_ONCE = 60000 };

static bool other_run(const struct ui_feed *feed, struct ui_history *out)
{
    return feed->other != NULL && feed->other(feed->ctx, out);
}

static int histories(const struct ui_feed *feed)
{
    struct ui_history ignored;
    return tape_branches(feed->tape) - 1 + other_run(feed, &ignored);
}

int beside_choices(const struct ui_feed *feed, int branch)
{
    (void)branch;
    return histories(feed) + (feed->designs != NULL ? feed->designs->count : 0);
}

/* First the other run, then the branch that this one left, then the latest branches. */
static bool choose(const struct ui_feed *feed, int which, int branch, struct ui_history *out)
{
    if (other_run(feed, out) && which-- == 0)
        return true;
    int parent = tape_parent(feed->tape, branch, NULL);
    *out = (struct ui_history){.tape = feed->tape, .words = feed->words, .branch = parent};
    if (parent >= 0 && which-- == 0)
        return true;
    for (int b = tape_branches(feed->tape) - 1; b >= 0; b--) {
        if (b == branch || b == parent || which-- > 0)
            continue;
        out->branch = b;
        return true;
    }
    return false;
}

static bool same_history(const struct ui_history *a, const struct ui_history *b)
{
    return a->tape == b->tape && a->branch == b->branch;
}

static int open_beside(struct beside *b, const struct ui_feed *feed, const struct ui_history *right, int branch,
                       struct err *e)
{
    beside_close(b);
    b->right = *right;
    struct history left = {feed->tape, branch}, other = {right->tape, right->branch};
    if (cursor_init(&b->cursor, right->tape, e) != 0)
        return -1;
    b->open = true;
    if (moment_init(&b->m, right->tape, &b->right.words, e) == 0 && lockstep_open(&b->lock, left, other, e) == 0)
        return 0;
    beside_close(b);
    return -1;
}

void beside_close(struct beside *b)
{
    if (b->open) {
        lockstep_done(&b->lock);
        moment_done(&b->m);
        cursor_done(&b->cursor);
    }
    buf_free(&b->list);
    *b = (struct beside){0};
}

/* A design, after the requests that have come on the left by now. */
static int stand_design(struct beside *b, const struct ui_feed *feed, int which, int branch, uint32_t at, struct err *e)
{
    struct cursor c;
    if (b->designs != feed->designs)
        beside_close(b);
    if (cursor_init(&c, feed->tape, e) != 0)
        return -1;
    cursor_seek(&c, branch, at);
    uint32_t requests = c.w->head.next_rid - 1;
    cursor_done(&c);
    if (b->designs != NULL && b->which == which && b->requests == requests)
        return 0;
    buf_clear(&b->list);
    b->designs = feed->designs;
    b->which = which;
    b->requests = requests;
    if (feed->designs->list(feed->designs->ctx, which, requests, &b->list, e) == 0)
        return 0;
    beside_close(b);
    return -1;
}

uint32_t beside_next_otherwise(const struct beside *b, uint32_t request)
{
    struct ui_asked a;
    while (b->designs->asked(b->designs->ctx, b->which, ++request, &a))
        if (a.left != a.right || a.left_refused != a.right_refused)
            return request;
    return 0;
}

bool beside_idle(struct beside *b)
{
    if (b->open && !b->read)
        b->read = lockstep_read(&b->lock, STEPS_AT_ONCE);
    return !b->open || b->read;
}

int beside_stand(struct beside *b, const struct ui_feed *feed, int which, int branch, uint32_t at, struct err *e)
{
    struct ui_history right;
    int n = beside_choices(feed, branch), runs = histories(feed);
    which = n > 0 ? which % n : 0;
    if (n > runs && feed->designs->first) /* round so far that the histories come first */
        which = (which + runs) % n;
    if (which >= runs && n > runs)
        return stand_design(b, feed, which - runs, branch, at, e);
    if (b->designs != NULL)
        beside_close(b);
    if (n == 0 || !choose(feed, which, branch, &right)) {
        beside_close(b);
        err_set(e, "There is nothing to compare with: rewind, then : rest, rerun or another command makes a second history.");
        return -1;
    }
    bool stands = b->open && same_history(&right, &b->right) && b->lock.side[0].of.branch == branch;
    if (!stands || (b->read && lockstep_stale(&b->lock))) {
        if (open_beside(b, feed, &right, branch, e) != 0)
            return -1;
        beside_idle(b);
    }
    b->right.working = right.working;
    moment_load(&b->m, &b->cursor, right.branch, lockstep_partner(&b->lock, 0, at));
    return 0;
}
