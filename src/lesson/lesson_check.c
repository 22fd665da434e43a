#include "lesson/lesson_check.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#include "base/xalloc.h"
#include "lesson/figures_parts.h"
#include "lesson/grade.h"
#include "lesson/lesson_text.h"

struct checking {
    const struct lesson_run *r;
    const struct lesson *l;
    const struct lesson_names *names;
    struct lesson_counts *n;
    struct err *e;
};

/* ---- prose -------------------------------------------------------------------------------------------- */

static const char *const COLOUR_WORDS[] = {"cached", "computed", "generated", "held", "free", "gone"};

static bool link_of_moment(const struct span *s, const struct lesson_env *env)
{
    struct err ignored = {0};
    uint32_t found;
    if (env->scene == NULL)
        return false;
    struct scene sc = env_scene(env);
    if (s->link == LINK_NODE)
        return lesson_find_node(sc, s->target, &found, &ignored) == 0;
    if (s->link == LINK_REQUEST)
        return lesson_find_request(sc, s->target, &found, &ignored) == 0;
    char *end;
    unsigned long slot = strtoul(s->target, &end, 10);
    return *end == '\0' && end != s->target && slot >= sc.w->head.page_size && slot < sc.w->head.pool + sc.w->head.page_size;
}

static bool known_word(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(COLOUR_WORDS); i++)
        if (strcmp(word, COLOUR_WORDS[i]) == 0)
            return true;
    return false;
}

static bool is_lesson(const struct checking *c, const char *id)
{
    struct lesson_head head;
    return c->names->lesson == NULL || strcmp(id, c->l->head.id) == 0 || c->names->lesson(c->names->ctx, id, &head);
}

static bool link_holds(const struct checking *c, const struct span *s, const struct lesson_env *now,
                       const struct lesson_env *soon)
{
    switch (s->link) {
    case LINK_EVENT: return event_find(s->target) >= 0;
    case LINK_KEY: return c->names->is_key == NULL || c->names->is_key(c->names->ctx, s->target);
    case LINK_LESSON: return is_lesson(c, s->target);
    case LINK_WORD: return known_word(s->target);
    default: return link_of_moment(s, now) || link_of_moment(s, soon);
    }
}

static int check_span(struct checking *c, const struct span *s, const struct lesson_env *now, const struct lesson_env *soon)
{
    struct buf b = {0};
    int rc = 0;
    if (s->link != LINK_NONE) {
        c->n->links++;
        if (!link_holds(c, s, now, soon))
            return place_fail(c->l->name, s->at, c->e, "there is no %s %s at this moment", link_name(s->link), s->target);
    }
    if (s->kind == SPAN_FIGURE) {
        c->n->figures++;
        rc = span_show(s, now, &b, c->e);
        buf_free(&b);
    }
    return rc;
}

static int check_prose(struct checking *c, const struct prose *p, const struct lesson_env *now, const struct lesson_env *soon)
{
    if (prose_check_digits(c->l, p, c->e) != 0)
        return -1;
    for (size_t i = 0; i < p->n; i++)
        if (check_span(c, &p->span[i], now, soon) != 0)
            return -1;
    return 0;
}

/* ---- questions ---------------------------------------------------------------------------------------- */

/* The answer that the lesson holds for right, and what becomes of it. */
static int grade_right(struct checking *c, size_t item, struct buf *answer, struct grade *g)
{
    return grade_solution(c->r, item, answer, c->e) != 0 ? -1 : grade_answer(c->r, item, buf_text(answer), g, c->e);
}

static int check_right(struct checking *c, size_t item)
{
    const struct question *q = c->l->item[item].question;
    struct buf answer = {0};
    struct grade g;
    int rc = grade_right(c, item, &answer, &g);
    if (rc == 0 && !g.right)
        rc = place_fail(c->l->name, q->at, c->e, "the right answer of %s, %s, is not accepted", q->id, buf_text(&answer));
    buf_free(&answer);
    return rc;
}

static int check_wrong(struct checking *c, size_t item, int i)
{
    const struct question *q = c->l->item[item].question;
    const struct option *o = q->kind == ASK_CHOOSE ? &q->option[i] : &q->wrong[i];
    struct buf answer = {0};
    struct grade g = {0};
    int rc = grade_wrong(c->r, item, i, &answer, c->e);
    if (rc == 0)
        rc = grade_answer(c->r, item, buf_text(&answer), &g, c->e);
    if (rc == 0 && g.right && q->kind == ASK_CHOOSE) {
        buf_free(&answer);
        return 0; /* the right option */
    }
    if (rc == 0 && g.right)
        rc = place_fail(c->l->name, o->at, c->e, "this wrong answer, %s, is right in the run", buf_text(&answer));
    if (rc == 0 && g.listed != i)
        rc = place_fail(c->l->name, o->at, c->e, "this wrong answer, %s, is the same as another one", buf_text(&answer));
    if (rc == 0 && g.say->n == 0)
        rc = place_fail(c->l->name, o->at, c->e, "this wrong answer has no why");
    c->n->wrongs++;
    buf_free(&answer);
    return rc;
}

static int check_texts(struct checking *c, size_t item)
{
    const struct question *q = c->l->item[item].question;
    struct lesson_env now = run_env(c->r, item), soon = run_env_decided(c->r, item);
    if (check_prose(c, &q->text, &now, &soon) != 0)
        return -1;
    for (int i = 0; i < q->hints; i++) /* a hint may not measure what is still to come */
        if (check_prose(c, &q->hint[i], &now, &soon) != 0)
            return -1;
    c->n->hints += (uint32_t)q->hints;
    if (q->kind == ASK_DO)
        return 0;
    for (int i = 0; i < LESSON_OPTIONS; i++)
        if (check_prose(c, &q->option[i].why, &soon, &soon) != 0 || check_prose(c, &q->wrong[i].why, &soon, &soon) != 0)
            return -1;
    return check_prose(c, &q->right, &soon, &soon) != 0 ? -1 : check_prose(c, &q->otherwise, &soon, &soon);
}

/* A wrong answer leads to a step, or the author has said that none decides it. */
static int check_decides(struct checking *c, size_t item)
{
    const struct question *q = c->l->item[item].question;
    struct buf answer = {0};
    struct grade g;
    int rc = grade_right(c, item, &answer, &g);
    buf_free(&answer);
    if (rc != 0)
        return -1;
    if (q->decides_nothing) {
        c->n->undecided++;
        return 0;
    }
    if (g.step > 0)
        return 0;
    place_fail(c->l->name, q->at, c->e, "a wrong answer to %s leads to no step", q->id);
    return err_hint(c->e, "say which one decides it: decides: EVENT @ BLOCK; or decides: nothing, where none does");
}

static int check_question(struct checking *c, size_t item)
{
    const struct question *q = c->l->item[item].question;
    int n = q->kind == ASK_CHOOSE ? q->options : q->wrongs;
    c->n->questions++;
    if (check_texts(c, item) != 0 || check_right(c, item) != 0)
        return -1;
    for (int i = 0; i < n; i++)
        if (check_wrong(c, item, i) != 0)
            return -1;
    if (check_decides(c, item) != 0)
        return -1;
    if (q->kind != ASK_TOKEN)
        return 0;
    struct lesson_env now = run_env(c->r, item);
    struct span s = {.link = LINK_REQUEST, .target = q->request};
    struct lesson_env soon = run_env_decided(c->r, item);
    if (link_of_moment(&s, &now) || link_of_moment(&s, &soon))
        return 0;
    return place_fail(c->l->name, q->at, c->e, "there is no request %.60s", q->request);
}

/* ---- challenges --------------------------------------------------------------------------------------- */

bool solution_line(const struct question *q, size_t *at, char *out, size_t n)
{
    while (q->solution[*at] != '\0') {
        const char *line = q->solution + *at;
        size_t len = strcspn(line, "\n"), blanks = strspn(line, " \t");
        *at += len + (line[len] == '\n');
        if (blanks >= len || line[blanks] == '#')
            continue;
        snprintf(out, n, "%.*s", (int)(len - blanks), line + blanks);
        return true;
    }
    return false;
}

/* A goal may speak of what is not there yet, such as a second request: then it is not reached, and *why says so. */
static bool reached(struct checking *c, size_t item, struct lesson_scene *s, struct err *why)
{
    const struct tape *t = runner_tape(s->runner);
    int branch = tape_branch(t);
    struct lesson_env env = challenge_env(c->r, s, item, branch, tape_length(t, branch));
    bool yes = false;
    *why = (struct err){0};
    return grade_goal(c->l->item[item].question, &env, &yes, why) == 0 && yes;
}

static int solve(struct checking *c, size_t item, struct lesson_scene *s)
{
    const struct question *q = c->l->item[item].question;
    char line[1024];
    uint32_t commands = 0, more;
    struct err why;
    bool done = reached(c, item, s, &why);
    if (done)
        return place_fail(c->l->name, q->at, c->e, "the goal of %s holds before anything is done", q->id);
    for (size_t at = 0; solution_line(q, &at, line, sizeof line);) {
        struct err inner = {0};
        if (done)
            return place_fail(c->l->name, q->at, c->e, "the goal of %s holds after %u commands, but its solution goes on", q->id,
                              commands);
        if (challenge_allows(q, line, &more, &inner) != 0 || challenge_run(s, line, &inner) != 0)
            return place_fail(c->l->name, q->at, c->e, "the solution of %s fails at %.80s: %.200s", q->id, line, inner.what);
        commands += more;
        done = reached(c, item, s, &why);
    }
    if (!done)
        return place_fail(c->l->name, q->at, c->e, "the solution of %s does not reach its goal%s%.200s", q->id,
                          why.set ? ": " : "", why.set ? why.what : "");
    if (commands != q->par)
        return place_fail(c->l->name, q->at, c->e, "the solution of %s takes %u commands, but its par is %u", q->id, commands,
                          q->par);
    return 0;
}

static int check_challenge(struct checking *c, size_t item)
{
    const struct question *q = c->l->item[item].question;
    c->n->challenges++;
    if (check_texts(c, item) != 0)
        return -1;
    struct lesson_scene *s = challenge_new(c->r, q, c->e);
    if (s == NULL)
        return -1;
    int rc = solve(c, item, s);
    const struct tape *t = runner_tape(s->runner);
    struct lesson_env env = challenge_env(c->r, s, item, 0, tape_length(t, 0));
    if (rc == 0)
        rc = check_prose(c, &q->right, &env, &env);
    scene_free(s);
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static int check_item(struct checking *c, size_t at)
{
    const struct item *i = &c->l->item[at];
    struct lesson_env now = run_env(c->r, at), soon = run_env_decided(c->r, at);
    switch (i->kind) {
    case ITEM_PROSE:
    case ITEM_NOTES: return check_prose(c, &i->prose, &now, &soon);
    case ITEM_RXS:
        c->n->blocks++;
        c->n->steps += c->r->block[at].after - c->r->block[at].before;
        return 0;
    case ITEM_EXPECT: c->n->expectations += (uint32_t)i->claims; return 0;
    case ITEM_ASK: return i->question->kind == ASK_DO ? check_challenge(c, at) : check_question(c, at);
    default: return 0;
    }
}

/* A lesson that is needed, and who needs it. */
struct needed {
    char id[40];
    size_t by;                /* place in the list; 0: the lesson itself */
};

struct ring {
    struct needed *list;      /* (n) owned; breadth first, the lesson that is checked comes first */
    size_t n, cap;
};

static int add_needed(struct ring *r, const char *id, size_t by, struct err *e)
{
    void *grown = r->list;
    bool room = xgrow(&grown, &r->cap, r->n + 1, sizeof *r->list);
    r->list = grown;
    if (!room)
        return err_memory(e, sizeof *r->list, "what a lesson needs");
    struct needed *one = &r->list[r->n++];
    one->by = by;
    snprintf(one->id, sizeof one->id, "%s", id);
    return 0;
}

/* Add those that h needs and that are not there yet. 1: the lesson itself is needed, 0, or -1 and *e. */
static int add_needs(struct ring *r, const struct lesson_head *h, size_t by, struct err *e)
{
    for (int i = 0; i < h->needs_n; i++) {
        size_t at = 0;
        while (at < r->n && strcmp(r->list[at].id, h->needs[i]) != 0)
            at++;
        if (at == 0)
            return 1;
        if (at == r->n && add_needed(r, h->needs[i], by, e) != 0)
            return -1;
    }
    return 0;
}

/* "b, which needs c": the way down to list[at]. *first: what the lesson itself needs of it. */
static void add_way(const struct ring *r, size_t at, struct buf *out, size_t *first)
{
    if (r->list[at].by == 0)
        *first = at;
    else
        add_way(r, r->list[at].by, out, first);
    buf_printf(out, "%s%s", r->list[at].by == 0 ? "" : ", which needs ", r->list[at].id);
}

static int tell_ring(struct checking *c, const struct ring *r, size_t last)
{
    const struct lesson_head *h = &c->l->head;
    struct buf way = {0};
    size_t first = last;
    int k = 0;
    add_way(r, last, &way, &first);
    while (strcmp(h->needs[k], r->list[first].id) != 0)
        k++;
    place_fail(c->l->name, h->need_at[k], c->e, "%s needs %.300s, which needs %s: nobody could begin with any of them", h->id,
               buf_text(&way), h->id);
    buf_free(&way);
    return err_hint(c->e, "a lesson needs those that come before it: leave one of them out");
}

/* Does it need itself, through others? (That it names itself, the parser refuses.) */
static int check_ring(struct checking *c)
{
    struct ring r = {0};
    int rc = add_needed(&r, c->l->head.id, 0, c->e);
    rc = rc == 0 ? add_needs(&r, &c->l->head, 0, c->e) : rc;
    for (size_t at = 1; rc == 0 && at < r.n; at++) {
        struct lesson_head h;
        if (!c->names->lesson(c->names->ctx, r.list[at].id, &h))
            continue; /* said where that lesson is checked */
        rc = add_needs(&r, &h, at, c->e);
        if (rc == 1)
            tell_ring(c, &r, at);
    }
    xfree(r.list);
    return rc == 0 ? 0 : -1;
}

static int check_needs(struct checking *c)
{
    const struct lesson_head *h = &c->l->head;
    if (c->names->lesson == NULL)
        return 0;
    for (int i = 0; i < h->needs_n; i++)
        if (!is_lesson(c, h->needs[i]))
            return place_fail(c->l->name, h->need_at[i], c->e, "it needs %s, and there is no such lesson", h->needs[i]);
    return check_ring(c);
}

int lesson_check_run(const struct lesson_run *r, const struct lesson_names *names, struct lesson_counts *counts, struct err *e)
{
    static const struct lesson_names NOBODY = {0};
    struct checking c = {r, r->lesson, names != NULL ? names : &NOBODY, counts, e};
    *counts = (struct lesson_counts){.chunks = (uint32_t)r->lesson->chunks};
    if (check_needs(&c) != 0)
        return -1;
    for (size_t i = 0; i < r->lesson->items; i++)
        if (check_item(&c, i) != 0)
            return -1;
    return 0;
}

int lesson_check(const struct lesson *l, const struct lesson_host *host, const struct lesson_names *names,
                 struct lesson_counts *counts, struct err *e)
{
    struct lesson_run *r = lesson_run_new(l, host, e);
    int rc = r != NULL ? lesson_check_run(r, names, counts, e) : -1;
    lesson_run_free(r);
    return rc;
}
