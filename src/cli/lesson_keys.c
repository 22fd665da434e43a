/* radixscope lesson keys NAME: what to press, or with --plain what to type, for a way through the lesson on which every
 * answer is right. Tests of the whole program take it; so can a person who gives a talk.
 *
 *      key Enter
 *      type 3
 */
#include <stdio.h>

#include "cli/lesson_cli.h"
#include "lesson/player.h"

static int solve_challenge(struct player *p, bool plain, struct buf *out, struct err *e)
{
    char line[1024];
    for (size_t at = 0; solution_line(player_question(p), &at, line, sizeof line);) {
        buf_printf(out, plain ? "type %s\n" : "key :\ntype %s\n", line);
        buf_puts(out, "key Enter\n");
        if (player_command(p, p->branch, p->step, line, e) != 0)
            return -1;
    }
    return 0;
}

static int answer_question(struct player *p, struct buf *out, struct err *e)
{
    struct buf answer = {0};
    int rc = grade_solution(p->run, player_part(p)->item, &answer, e);
    buf_printf(out, "type %s\nkey Enter\n", buf_text(&answer));
    if (rc == 0)
        rc = player_answer(p, buf_text(&answer), e);
    buf_free(&answer);
    return rc;
}

/* Everything up to the next part. */
static int one_part(struct player *p, bool plain, struct buf *out, struct err *e)
{
    size_t at = p->at;
    if (p->phase == PHASE_DO && solve_challenge(p, plain, out, e) != 0)
        return -1;
    if (p->phase == PHASE_ASK && answer_question(p, out, e) != 0)
        return -1;
    while (p->at == at && p->phase != PHASE_OVER) {
        buf_puts(out, "key Enter\n");
        if (player_next(p, e) != 0)
            return -1;
        if (plain && p->phase == PHASE_ACT)
            p->step = p->limit; /* in lines the whole action comes at once */
    }
    return 0;
}

int lesson_keys(struct cli *c, struct err *e)
{
    struct lesson_open o = {0};
    struct progress nobody = {0};
    struct player p = {0};
    struct buf b = {0};
    if (c->args != 2)
        return err_usage(e, "lesson keys needs the name of one lesson");
    int rc = lesson_open(&o, c, c->arg[1], e);
    if (rc == 0)
        rc = player_init(&p, o.run, &nobody, true, e);
    while (rc == 0 && p.phase != PHASE_OVER)
        rc = one_part(&p, cli_has(c, OPT_PLAIN), &b, e);
    player_done(&p);
    progress_done(&nobody);
    lesson_close(&o);
    if (rc == 0)
        return cli_print(&b, e);
    buf_free(&b);
    return -1;
}
