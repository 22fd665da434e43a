#include "cli/answers.h"

#include "base/xalloc.h"
#include "script/study.h"

static int told(void *arg, double done)
{
    const struct answers *a = arg;
    (void)done;
    return a->stop(a->ctx);
}

static int answer_one(struct answers *a, struct engine *en, const struct inquiry *q, struct err *e)
{
    struct rerun_watch watch = {told, a};
    void *grown = a->one;
    bool room = xgrow(&grown, &a->cap, (size_t)a->count + 1, sizeof *a->one);
    a->one = grown;
    if (!room)
        return err_memory(e, sizeof *a->one, "the proofs of a recording");
    struct answered *x = &a->one[a->count];
    x->q = *q;
    study_compute(en, q, &watch, &x->a);
    a->count += x->a.state == ANSWER_READY;
    return a->stop(a->ctx) ? 1 : 0;
}

static int answer_proofs(struct answers *a, struct engine *en, int branch, uint32_t rid, struct err *e)
{
    int rc = 0;
    for (int fast = 0; rc == 0 && fast < 2; fast++) {
        struct inquiry q = {.about = ASK_PROOF, .branch = branch, .rid = rid, .fast = fast != 0};
        rc = answer_one(a, en, &q, e);
    }
    return rc;
}

/* Requests are asked for on every branch on which they can be seen; a row where it was spoiled and behind. */
static int answer_branch(struct answers *a, struct engine *en, int branch, struct err *e)
{
    const struct tape *t = engine_tape(en);
    struct cursor c;
    int rc = cursor_init(&c, t, e);
    for (uint32_t n = 1; rc == 0 && n <= tape_length(t, branch); n++) {
        struct step s;
        tape_step(t, branch, n, &s);
        if (s.kind == EV_REQUEST) {
            cursor_seek(&c, branch, n);
            rc = answer_proofs(a, en, branch, c.w->request[s.arg[0]].rid, e);
        } else if (s.kind == EV_POISON || s.kind == EV_SHARE) {
            struct inquiry q = {.about = ASK_EFFECT, .branch = branch, .step = n};
            rc = answer_one(a, en, &q, e);
        }
    }
    if (c.w != NULL)
        cursor_done(&c);
    return rc;
}

int answers_collect(struct answers *a, struct runner *r, struct err *e)
{
    struct engine *en = runner_engine(r);
    int rc = 0;
    for (int branch = 0; rc == 0 && branch < tape_branches(engine_tape(en)); branch++)
        rc = answer_branch(a, en, branch, e);
    return rc;
}

void answers_done(struct answers *a)
{
    for (uint32_t i = 0; i < a->count; i++)
        answer_done(&a->one[i].a);
    xfree(a->one);
    a->one = NULL;
    a->count = 0;
}
