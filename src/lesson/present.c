#include "lesson/present.h"

#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"

/* ---- the presenter ------------------------------------------------------------------------------------ */

int present_scene(const struct player *p, const struct lesson_scene *s)
{
    if (s != NULL && s == p->challenge)
        return ROOM_CHALLENGE;
    for (size_t i = 0; i < p->run->scenes; i++)
        if (p->run->scene[i] == s)
            return (int)i;
    return ROOM_NO_SCENE;
}

void present_place(const struct player *p, struct room_place *out)
{
    struct err ignored = {0};
    *out = (struct room_place){0};
    out->part = (uint32_t)p->at;
    out->phase = (uint32_t)p->phase;
    out->hints = (uint32_t)p->hints;
    out->tries = p->tries;
    out->commands = p->commands;
    out->scene = present_scene(p, p->scene);
    out->branch = p->branch;
    out->step = p->step;
    out->limit = p->limit;
    out->epoch = p->challenges;
    out->open = p->phase == PHASE_ASK;
    out->revealed = p->phase == PHASE_RIGHT || p->phase == PHASE_WRONG;
    snprintf(out->chunk, sizeof out->chunk, "%.39s", player_chunk(p)->id);
    if (out->revealed && room_answer(player_question(p), p->answered, out->answer, &ignored) != 0)
        snprintf(out->answer, sizeof out->answer, "?"); /* a name of no node: wrong, and nothing else */
}

int present_reveal(struct player *p, struct err *e)
{
    struct buf answer = {0};
    if (p->phase != PHASE_ASK)
        return 1;
    int rc = grade_solution(p->run, player_part(p)->item, &answer, e);
    if (rc == 0)
        rc = answer.failed ? err_memory(e, answer.len, "an answer") : player_answer(p, buf_text(&answer), e);
    buf_free(&answer);
    return rc;
}

/* The blocks that run on this scene, one behind the other. */
static void scene_blocks(const struct player *p, uint32_t scene, struct buf *out)
{
    const struct lesson *l = p->run->lesson;
    if (p->run->scene[scene]->text != NULL) /* of a race: no block runs there */
        buf_puts(out, p->run->scene[scene]->text);
    for (size_t i = 0; i < l->items; i++)
        if (l->item[i].kind == ITEM_RXS && p->run->block[i].scene == scene)
            buf_printf(out, "%s\n", l->item[i].text);
}

char *present_script(const struct player *p, struct err *e)
{
    struct buf b = {0};
    int scene = present_scene(p, p->scene);
    if (scene == ROOM_NO_SCENE) {
        err_set(e, "nothing has run yet: there is no scene that could be opened elsewhere");
        return NULL;
    }
    if (scene == ROOM_CHALLENGE)
        buf_printf(&b, "%s\n", player_question(p)->start);
    else
        scene_blocks(p, (uint32_t)scene, &b);
    size_t n = b.len;
    char *text = buf_take(&b, &n);
    if (text == NULL)
        err_memory(e, n, "a scene");
    return text;
}

/* ---- those who follow --------------------------------------------------------------------------------- */

static int no_such_place(struct err *e)
{
    return err_set(e, "the presenter stands where this copy of the lesson has nothing: another version of radixscope?");
}

int follow_part(struct follower *f, const struct room_place *to, struct err *e)
{
    struct player *p = f->player;
    if (to->part >= p->parts || to->phase > PHASE_OVER)
        return no_such_place(e);
    bool anew = p->part[to->part].kind == STOP_DO && f->epoch != to->epoch;
    if (p->at == to->part && !anew)
        return 0;
    if ((p->at == to->part ? player_restart(p, e) : player_goto(p, to->part, e)) != 0)
        return -1;
    f->epoch = p->challenge != NULL ? to->epoch : 0;
    return 0;
}

static struct lesson_scene *scene_at(const struct player *p, int scene)
{
    if (scene == ROOM_CHALLENGE)
        return p->challenge;
    return scene >= 0 && (size_t)scene < p->run->scenes ? p->run->scene[scene] : NULL;
}

void follow_ran(struct follower *f, const struct room_ran *ran)
{
    struct player *p = f->player;
    struct lesson_scene *s = scene_at(p, ran->scene);
    struct err ignored = {0};
    bool mine = ran->scene != ROOM_CHALLENGE || ran->epoch == f->epoch; /* else of a challenge that is over */
    f->ran++;
    if (s == NULL || !mine)
        return;
    const struct tape *t = runner_tape(s->runner);
    if (ran->branch >= tape_branches(t) || ran->at > tape_length(t, ran->branch))
        return;
    if (ran->scene == ROOM_CHALLENGE) {
        player_command(p, ran->branch, ran->at, ran->line, &ignored);
        return;
    }
    f->typed = true;
    if (runner_act_at(s->runner, ran->branch, ran->at, &ignored) == 0)
        challenge_run(s, ran->line, &ignored);
}

/* Grades what the presenter answered, for the words that are said to it. */
static int hear_verdict(struct player *p, const struct room_place *to, struct err *e)
{
    if (!to->revealed)
        return 0;
    p->phase = PHASE_ASK;
    return player_answer(p, to->answer, e) == 0 && p->phase == (enum player_phase)to->phase ? 0 : no_such_place(e);
}

/* Can this part be in that phase? */
static bool phase_fits(const struct player *p, uint32_t phase)
{
    switch (player_part(p)->kind) {
    case STOP_ASK: return phase == PHASE_ASK || phase == PHASE_WRONG || phase == PHASE_RIGHT;
    case STOP_DO: return phase == PHASE_DO || phase == PHASE_SOLVED;
    case STOP_ACT: return phase == PHASE_TEXT || phase == PHASE_ACT;
    case STOP_END: return phase == PHASE_TEXT || phase == PHASE_OVER;
    default: return phase == PHASE_TEXT;
    }
}

int follow_stand(struct follower *f, const struct room_place *to, struct err *e)
{
    struct player *p = f->player;
    struct lesson_scene *s = scene_at(p, to->scene);
    const struct tape *t = s != NULL ? runner_tape(s->runner) : NULL;
    if (p->at != to->part || !phase_fits(p, to->phase) || (s == NULL) != (to->scene == ROOM_NO_SCENE) ||
        (t != NULL && (to->branch >= tape_branches(t) || to->step > tape_length(t, to->branch))))
        return no_such_place(e);
    if (t == NULL && (to->step > 0 || to->branch > 0))
        return no_such_place(e);
    if (hear_verdict(p, to, e) != 0)
        return -1;
    p->phase = (enum player_phase)to->phase;
    p->hints = (int)to->hints;
    p->tries = to->tries;
    p->commands = to->commands;
    p->scene = s;
    p->branch = to->branch;
    p->step = to->step;
    p->limit = to->limit >= to->step ? to->limit : to->step;
    if (t != NULL && p->limit > tape_length(t, p->branch))
        p->limit = tape_length(t, p->branch);
    return 0;
}
