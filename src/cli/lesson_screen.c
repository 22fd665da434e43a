#include "cli/lesson_screen.h"

#include "cli/source.h"
#include "ui/app.h"

enum { EMPTY_POOL = 64 };

struct screening {
    struct player *player;
    struct ui_feed feed;
    struct tape *empty;          /* shown while no engine has run */
    const struct tape *shown;
};

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
    if (t == s->shown)
        return false;
    s->shown = s->feed.tape = t;
    s->feed.words = scene != NULL ? source_words(runner_lexicon(scene->runner)) : (struct ui_words){0};
    s->feed.mode = scene != NULL ? source_mode(runner_settings(scene->runner)) : NULL;
    return true;
}

/* In a challenge the player runs and counts it; elsewhere it is the learner's own, beside the path. */
static int command(void *ctx, int branch, uint32_t at, const char *line, struct err *e)
{
    struct screening *s = ctx;
    struct lesson_scene *scene = scene_of(s->player);
    if (s->player->challenge != NULL)
        return player_command(s->player, branch, at, line, e);
    if (s->player->scene == NULL)
        return err_set(e, "nothing has run yet: there is nothing to try a command on");
    return runner_act_at(scene->runner, branch, at, e) != 0 ? -1 : challenge_run(scene, line, e);
}

int lesson_screen(struct cli *c, struct player *p, struct err *e)
{
    struct world_config world = {.pool = EMPTY_POOL, .page_size = 1};
    struct screening s = {.player = p};
    struct ui_options options = {.theme = c->option[OPT_THEME], .ascii = cli_has(c, OPT_ASCII)};
    s.empty = tape_new(&world, e);
    if (s.empty == NULL)
        return -1;
    s.feed = (struct ui_feed){.title = p->run->lesson->head.title, .wake_fd = -1, .command = command, .ctx = &s, .lesson = p,
                              .turn = turn};
    turn(&s);
    int rc = app_run(&s.feed, &options, e);
    tape_free(s.empty);
    return rc;
}
