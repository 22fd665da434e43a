/* A lesson in a room: the presenter's screen tells where it stands; the others' follow it and may answer. */
#include <stdio.h>
#include <string.h>

#include "lesson/present.h"
#include "ui/app_parts.h"

/* Who follows may have to run what was typed there. */
void app_room_wake(struct app *a)
{
    const struct ui_room *r = a->feed->room;
    if (r != NULL && r->follows)
        app_work_begin(a, WORK_NEWS);
    else if (r != NULL && r->news(r->ctx))
        app_room_moved(a);
}

void app_room_moved(struct app *a)
{
    const struct ui_room *r = a->feed->room;
    char typed[sizeof a->v.typed];
    enum typing typing = a->v.typing;
    memcpy(typed, a->v.typed, sizeof typed);
    app_lesson_follow(a);
    a->lesson.aside = r->aside;
    if (typing != TYPE_NOTHING) { /* who is typing goes on */
        a->v.typing = typing;
        memcpy(a->v.typed, typed, sizeof typed);
    }
}

void app_room_stand(struct app *a)
{
    const struct ui_room *r = a->feed->room;
    if (r != NULL && r->stand != NULL && !a->work.busy)
        r->stand(r->ctx, a->m.branch, a->m.at, app_view_id(a->v.show), a->lesson.aside);
}

bool app_room_refuses(struct app *a)
{
    if (a->feed->room == NULL || !a->feed->room->follows)
        return false;
    app_say(a, "The presenter leads here; you can look around and answer.");
    return true;
}

static void reveal(struct app *a)
{
    struct ui_room *r = a->feed->room;
    struct err e = {0};
    if (r->tally->answered > 0 && !r->shown) {
        r->shown = true;
        return;
    }
    if (present_reveal(a->feed->lesson, &e) < 0)
        app_say(a, e.what);
    app_lesson_follow(a);
}

static void give(struct app *a, const char *answer)
{
    struct ui_room *r = a->feed->room;
    struct err e = {0};
    if (r->answer(r->ctx, answer, &e) != 0)
        app_say(a, e.what);
    a->v.typed[0] = '\0';
}

/* Followers: an answer, or back to where the presenter is. The presenter: the distribution, then what is right. */
bool app_room_enter(struct app *a, const char *answer)
{
    const struct ui_room *r = a->feed->room;
    bool asks = a->feed->lesson->phase == PHASE_ASK && !a->lesson.aside;
    if (r == NULL)
        return false;
    if (!r->follows && asks && *answer == '\0') {
        reveal(a);
        return true;
    }
    if (r->follows && asks && *answer != '\0')
        give(a, answer);
    else if (r->follows) {
        app_lesson_follow(a);
        a->lesson.aside = r->aside;
    }
    return r->follows;
}
