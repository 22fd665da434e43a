#include "ui/beside.h"

#include <string.h>

enum { STEPS_AT_ONCE = 60000 };

static bool other_run(const struct ui_feed *feed, struct ui_history *out)
{
    return feed->other != NULL && feed->other(feed->ctx, out);
}

int beside_choices(const struct ui_feed *feed, int branch)
{
    struct ui_history ignored;
    (void)branch;
    return tape_branches(feed->tape) - 1 + other_run(feed, &ignored);
}

/* First the other run, then the branch that this one left, then the latest branches. */
static bool choose(const struct ui_feed *feed, int which, int branch, struct ui_history *out)
{
    int n = beside_choices(feed, branch);
    if (n == 0)
        return false;
    which %= n;
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
    *b = (struct beside){0};
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
    if (!choose(feed, which, branch, &right)) {
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
