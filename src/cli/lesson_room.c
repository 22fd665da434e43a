#include "cli/lesson_room.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"

static uint32_t seconds_since(const struct timespec *begun)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)(now.tv_sec - begun->tv_sec - (now.tv_nsec < begun->tv_nsec));
}

uint32_t lesson_room_elapsed(const struct lesson_room *r)
{
    struct timespec now;
    if (r->part == ROOM_PRESENTS)
        return seconds_since(&r->begun);
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - r->news.place_ms;
    return r->news.placed ? r->news.place.elapsed + (uint32_t)(ms / 1000) : 0;
}

/* ---- what screens say --------------------------------------------------------------------------------- */

static void present_line(struct lesson_room *r)
{
    const struct room_tally *t = &r->tally;
    const char *id = r->player->run->lesson->head.id;
    if (t->present == 0)
        snprintf(r->ui.line, sizeof r->ui.line, "Nobody follows yet: radixscope lesson %.40s --follow", id);
    else if (r->player->phase == PHASE_ASK)
        snprintf(r->ui.line, sizeof r->ui.line, "%u of %u have answered", t->answered, t->present);
    else
        snprintf(r->ui.line, sizeof r->ui.line, t->present == 1 ? "1 follows" : "%u follow", t->present);
}

static void follow_line(struct lesson_room *r)
{
    const struct room_news *n = &r->news;
    char *out = r->ui.line;
    size_t size = sizeof r->ui.line;
    r->ui.mine[0] = n->link == ROOM_THERE ? r->ui.mine[0] : '\0';
    if (r->trouble[0] != '\0')
        snprintf(out, size, "%.190s", r->trouble);
    else if (n->link == ROOM_REFUSED)
        snprintf(out, size, "%.190s", n->why);
    else if (n->link == ROOM_GONE)
        snprintf(out, size, "The presenter is gone. This screen waits for them.");
    else if (n->link == ROOM_SEEKS)
        snprintf(out, size, "Nobody presents this lesson yet. This screen waits.");
    else if (n->placed && n->place.open && r->ui.mine[0] != '\0')
        snprintf(out, size, "%u of %u have answered; yours: %.60s (can be changed)", n->tally.answered, n->tally.present, r->ui.mine);
    else if (n->placed && n->place.open)
        snprintf(out, size, "%u of %u have answered", n->tally.answered, n->tally.present);
    else
        snprintf(out, size, r->tally.present == 1 ? "1 follows" : "%u follow", r->tally.present);
}

/* ---- presenting --------------------------------------------------------------------------------------- */

/* A question that opens, again too, is another round: what was answered before does not count. */
static void number_round(struct lesson_room *r, struct room_place *p)
{
    bool again = r->told && r->place.open && r->place.part == p->part;
    p->round = r->place.round + (p->open && !again);
    if (p->round != r->place.round)
        r->ui.shown = false;
}

void lesson_room_stand(struct lesson_room *r, int branch, uint32_t at, uint32_t view, bool aside)
{
    struct room_place p;
    if (r->part != ROOM_PRESENTS)
        return;
    present_place(r->player, &p);
    if (p.scene != ROOM_NO_SCENE) { /* the reader walks */
        p.branch = branch;
        p.step = at;
        p.limit = aside || branch != r->player->branch ? UINT32_MAX : p.limit;
    }
    p.view = view;
    p.aside = aside;
    number_round(r, &p);
    if (r->told && room_place_same(&p, &r->place) && r->told_shown == r->ui.shown)
        return;
    p.elapsed = lesson_room_elapsed(r);
    r->place = p;
    r->told = true;
    r->told_shown = r->ui.shown;
    room_host_place(r->host, &p, player_question(r->player), r->ui.shown);
    room_host_tally(r->host, &r->tally);
    present_line(r);
}

static bool present_news(struct lesson_room *r)
{
    room_host_tally(r->host, &r->tally);
    present_line(r);
    return false;
}

int lesson_room_may_run(const struct lesson_room *r, const char *line, struct err *e)
{
    if (r->part != ROOM_PRESENTS || room_carries(line))
        return 0;
    return err_set(e, "this line is too long, or has characters in it, that those who follow cannot be told");
}

static void keep_for_state(struct lesson_room *r, const struct lesson_scene *s, int branch, uint32_t at, const char *line)
{
    struct err ignored = {0};
    if (s != r->logged || r->logged_epoch != r->player->challenges)
        rx_log_free(&r->log);
    r->logged = s;
    r->logged_epoch = r->player->challenges;
    rx_log_add(&r->log, branch, at, line, &ignored);
}

void lesson_room_ran(struct lesson_room *r, const struct lesson_scene *s, int branch, uint32_t at, const char *line)
{
    struct room_ran ran = {.scene = present_scene(r->player, s), .branch = branch, .at = at};
    struct err e = {0};
    keep_for_state(r, s, branch, at, line);
    if (r->part != ROOM_PRESENTS)
        return;
    ran.epoch = ran.scene == ROOM_CHALLENGE ? r->player->challenges : 0;
    snprintf(ran.line, sizeof ran.line, "%.*s", ROOM_TEXT - 1, line);
    if (room_host_ran(r->host, &ran, &e) != 0)
        snprintf(r->ui.line, sizeof r->ui.line, "%.190s", e.what);
}

/* ---- following ---------------------------------------------------------------------------------------- */

/* Another presenter's session: what the one before had typed must not be here any more. */
static int begin_session(struct lesson_room *r, struct err *e)
{
    struct follower *f = &r->follower;
    f->ran = 0;
    f->epoch = 0;
    if (!f->typed)
        return 0;
    struct lesson_run *anew = lesson_run_new(r->open->lesson, &r->open->host, e);
    struct progress *progress = r->player->progress;
    if (anew == NULL)
        return -1;
    player_done(r->player);
    lesson_run_free(r->spare);
    r->spare = r->open->run;
    r->open->run = anew;
    f->typed = false;
    return player_init(r->player, anew, progress, true, e);
}

static int take_place(struct lesson_room *r, uint32_t session, struct err *e)
{
    struct room_ran ran;
    const struct room_place *to = &r->news.place;
    if (session != r->news.session && begin_session(r, e) != 0)
        return -1;
    if (follow_part(&r->follower, to, e) != 0)
        return -1;
    while (room_guest_ran(r->guest, r->news.session, r->follower.ran, &ran) && ran.epoch <= to->epoch)
        follow_ran(&r->follower, &ran);
    return follow_stand(&r->follower, to, e);
}

static bool follow_news(struct lesson_room *r)
{
    struct room_place before = r->news.place;
    uint32_t session = r->news.session;
    bool placed = r->news.placed && r->news.link == ROOM_THERE;
    struct err e = {0};
    room_guest_news(r->guest, &r->news);
    r->tally = r->news.tally;
    r->ui.shown = r->news.tally.shown;
    r->ui.aside = r->news.place.aside;
    r->ui.view = r->news.place.view;
    bool same = placed && session == r->news.session && room_place_same(&before, &r->news.place);
    if (before.round != r->news.place.round || session != r->news.session)
        r->ui.mine[0] = '\0';
    bool moves = r->news.placed && r->news.link == ROOM_THERE && !same;
    if (moves) {
        bool fine = take_place(r, session, &e) == 0;
        snprintf(r->trouble, sizeof r->trouble, "%.190s", fine ? "" : e.what);
    }
    follow_line(r);
    return moves;
}

static int give_answer(void *ctx, const char *text, struct err *e)
{
    struct lesson_room *r = ctx;
    const struct question *q = player_question(r->player);
    char form[ROOM_ANSWER];
    if (q == NULL || r->news.link != ROOM_THERE || !r->news.place.open)
        return err_set(e, "no question is open now");
    if (room_answer(q, text, form, e) != 0)
        return -1;
    snprintf(r->ui.mine, sizeof r->ui.mine, "%s", form);
    room_guest_answer(r->guest, r->news.place.round, form);
    follow_line(r);
    return 0;
}

/* ---- both --------------------------------------------------------------------------------------------- */

bool lesson_room_news(struct lesson_room *r)
{
    return r->part == ROOM_PRESENTS ? present_news(r) : r->part != ROOM_ALONE && follow_news(r);
}

static bool news_hook(void *ctx)
{
    return lesson_room_news(ctx);
}

static void stand_hook(void *ctx, int branch, uint32_t at, uint32_t view, bool aside)
{
    lesson_room_stand(ctx, branch, at, view, aside);
}

int lesson_room_part(const struct cli *c, enum room_part *out, struct err *e)
{
    int given = cli_has(c, OPT_PRESENT) + cli_has(c, OPT_FOLLOW) + cli_has(c, OPT_NOTES);
    *out = cli_has(c, OPT_PRESENT) ? ROOM_PRESENTS : cli_has(c, OPT_FOLLOW) ? ROOM_FOLLOWS : given > 0 ? ROOM_SPEAKS : ROOM_ALONE;
    if (given > 1)
        return err_usage(e, "--present, --notes and --follow are for three terminals: give one of them");
    if (cli_has(c, OPT_GROUP) && *out != ROOM_PRESENTS)
        return err_usage(e, "--group belongs to --present: it says who may follow");
    if (cli_has(c, OPT_ROOM) && *out != ROOM_FOLLOWS && *out != ROOM_SPEAKS)
        return err_usage(e, "--room belongs to --follow and --notes: it says where the presenter is");
    return 0;
}

int lesson_room_open(struct lesson_room *r, struct cli *c, enum room_part part, struct lesson_open *o, struct player *p,
                     struct err *e)
{
    struct room_hello hello = {.sum = room_sum(o->lesson->source, o->lesson->len)};
    *r = (struct lesson_room){.part = part, .open = o, .player = p, .follower = {.player = p}};
    clock_gettime(CLOCK_MONOTONIC, &r->begun);
    r->ui = (struct ui_room){.follows = part != ROOM_PRESENTS, .tally = &r->tally, .news = news_hook, .answer = give_answer, .ctx = r};
    if (part == ROOM_ALONE)
        return 0;
    if (cli_count(c, OPT_SEED, 0, &hello.seed, e) != 0)
        return -1;
    snprintf(hello.id, sizeof hello.id, "%s", o->lesson->head.id);
    if (part == ROOM_PRESENTS) {
        r->ui.stand = stand_hook;
        r->host = room_host_open(&hello, c->option[OPT_GROUP], e);
        present_line(r);
        return r->host != NULL ? 0 : -1;
    }
    r->guest = room_guest_open(&hello, c->option[OPT_ROOM], part == ROOM_SPEAKS ? ROOM_NOTES : ROOM_FOLLOW, e);
    follow_line(r);
    return r->guest != NULL ? 0 : -1;
}

void lesson_room_close(struct lesson_room *r)
{
    room_host_close(r->host);
    room_guest_close(r->guest);
    lesson_run_free(r->spare);
    rx_log_free(&r->log);
    *r = (struct lesson_room){0};
}

int lesson_room_fd(const struct lesson_room *r)
{
    return r->host != NULL ? room_host_fd(r->host) : r->guest != NULL ? room_guest_fd(r->guest) : -1;
}

int lesson_room_state(struct lesson_room *r, const struct ui_place *place, struct buf *out, struct err *e)
{
    char *script = present_script(r->player, e);
    if (script == NULL)
        return -1;
    struct scene_string s = {.script = script, .branch = place->branch, .at = place->at, .view = place->view,
                             .beside = place->beside};
    if (r->logged == r->player->scene && r->logged_epoch == r->player->challenges)
        s.log = r->log; /* only read: rx_write changes nothing */
    int rc = rx_write(&s, out, e);
    xfree(script);
    return rc;
}
