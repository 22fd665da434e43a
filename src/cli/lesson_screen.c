#include "cli/lesson_screen.h"

#include "cli/source.h"
#include "ui/app.h"

enum { EMPTY_POOL = 64 };

/* Before the first block of commands, its engine is shown as it was made. */
static struct lesson_scene *scene_of(const struct player *p)
{
    return p->scene != NULL ? p->scene : p->run->scenes > 0 ? p->run->scene[0] : NULL;
}

static bool turn(void *ctx)
{
    struct screening *s = ctx;
    struct lesson_scene *scene = scene_of(s->player);
    const struct tape *t = scene != NULL ? runner_tape(scene->runner) : s->empty;
    if (t == s->shown && s->player->challenges == s->challenges)
        return false; /* a new challenge's tape may stand where the one before stood */
    s->challenges = s->player->challenges;
    s->shown = s->feed.tape = t;
    s->feed.words = scene != NULL ? source_words(runner_lexicon(scene->runner)) : (struct ui_words){0};
    s->feed.mode = scene != NULL ? source_mode(runner_settings(scene->runner)) : NULL;
    return true;
}

static int run_line(struct screening *s, struct lesson_scene *scene, int branch, uint32_t at, const char *line, struct err *e)
{
    if (s->player->challenge != NULL)
        return player_command(s->player, branch, at, line, e);
    return runner_act_at(scene->runner, branch, at, e) != 0 ? -1 : challenge_run(scene, line, e);
}

/* In a challenge the player runs and counts it; elsewhere it is the learner's own, beside the path. Whoever follows runs
 * it, too, also one that fails: it may have done something before. */
static int command(void *ctx, int branch, uint32_t at, const char *line, struct err *e)
{
    struct screening *s = ctx;
    struct lesson_scene *scene = scene_of(s->player);
    if (s->player->scene == NULL)
        return err_set(e, "nothing has run yet: there is nothing to try a command on");
    if (lesson_room_may_run(s->room, line, e) != 0)
        return -1;
    int rc = run_line(s, scene, branch, at, line, e);
    lesson_room_ran(s->room, scene, branch, at, line);
    return rc;
}

static int state(void *ctx, const struct ui_place *place, struct buf *out, struct err *e)
{
    struct screening *s = ctx;
    return lesson_room_state(s->room, place, out, e);
}

int screening_open(struct screening *s, struct player *p, struct lesson_room *room, struct err *e)
{
    struct world_config world = {.pool = EMPTY_POOL, .page_size = 1};
    bool follows = room->part == ROOM_FOLLOWS || room->part == ROOM_SPEAKS;
    *s = (struct screening){.player = p, .room = room};
    s->empty = tape_new(&world, e);
    if (s->empty == NULL)
        return -1;
    s->feed = (struct ui_feed){.title = p->run->lesson->head.title, .wake_fd = lesson_room_fd(room), .ctx = s, .lesson = p,
                               .command = follows ? NULL : command, .turn = turn, .state = state,
                               .room = room->part == ROOM_ALONE ? NULL : &room->ui};
    turn(s);
    return 0;
}

void screening_close(struct screening *s)
{
    if (s->empty != NULL)
        tape_free(s->empty);
    s->empty = NULL;
}

int lesson_screen(struct cli *c, struct player *p, struct lesson_room *room, struct err *e)
{
    struct screening s;
    struct ui_options options = {.theme = c->option[OPT_THEME], .ascii = cli_has(c, OPT_ASCII), .big = room->part == ROOM_PRESENTS};
    int rc = screening_open(&s, p, room, e);
    if (rc == 0)
        rc = app_run(&s.feed, &options, e);
    screening_close(&s);
    return rc;
}
