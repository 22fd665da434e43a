#include "script/expect.h"

#include <string.h>

#include "script/nearest.h"

enum { OUTCOME_WORD_ANSWERED, OUTCOME_WORD_REFUSED, OUTCOME_WORD_NO_SLOTS };
static const char *const OUTCOME_WORDS[] = {"answered", "refused", "no_slots"};

static uint32_t count_leaves(const struct world *w)
{
    uint32_t leaves = 0;
    for (uint32_t n = node_preorder(w, ROOT); n != 0; n = node_preorder(w, n))
        leaves += w->node[n].first_child == 0;
    return leaves;
}

static bool named(const struct script_arg *a, const char *name)
{
    size_t n = strlen(name);
    return strncmp(a->spec, name, n) == 0 && a->spec[n] == ':';
}

/* The number that an expectation is about; false: it is not about a number, or there is none. */
static bool measure(const struct tape *t, const struct measured *m, const struct script_arg *a, uint32_t *value)
{
    const struct world *w = tape_world(t);
    const struct { const char *name; bool known; uint32_t value; } TABLE[] = {
        {"prompt", m->has_request, m->request.prompt_tokens},
        {"cached", m->has_request, m->request.cached_tokens},
        {"computed", m->has_request, m->request.computed_tokens},
        {"generated", m->has_request, m->request.generated_tokens},
        {"matched", !m->has_request, m->matched},
        {"added", !m->has_request, m->added},
        {"freed", !m->has_request, m->freed},
        {"nodes", true, w->head.node_count - 1},
        {"leaves", named(a, "leaves"), named(a, "leaves") ? count_leaves(w) : 0},
        {"free", true, pool_free_slots(w)},
        {"used", true, w->head.pool - pool_free_slots(w)},
        {"evictable", true, w->head.evictable_size},
        {"protected", true, w->head.protected_size},
        {"requests", true, w->head.request_count},
    };
    for (size_t i = 0; i < ARRAY_LEN(TABLE); i++) {
        if (!named(a, TABLE[i].name))
            continue;
        *value = TABLE[i].value;
        return TABLE[i].known;
    }
    return false;
}

static uint32_t count_events(const struct tape *t, const struct measured *m, int kind)
{
    uint32_t n = 0;
    struct step step;
    for (uint32_t at = m->before + 1; at <= m->after; at++) {
        tape_step(t, m->branch, at, &step);
        n += step.kind == kind;
    }
    return n;
}

static int unknown_event(const struct script *s, const struct script_command *c, const struct script_arg *a, struct err *e)
{
    struct nearest near = {0};
    for (unsigned k = 0; k < EV_COUNT; k++)
        nearest_try(&near, a->text, event_info(k)->name);
    script_fail(s, c, a->column, e, "'%.60s' is no event", a->text);
    return near.name != NULL ? err_hint(e, "did you mean %s?", near.name)
                             : err_hint(e, "radixscope help events lists them");
}

static int check_event(const struct tape *t, const struct measured *m, const struct script *s,
                       const struct script_command *c, const struct script_arg *a, struct err *e)
{
    int kind = event_find(a->text);
    if (kind < 0)
        return unknown_event(s, c, a, e);
    bool wanted = named(a, "event");
    uint32_t seen = count_events(t, m, kind);
    if (wanted == (seen > 0))
        return 0;
    if (wanted)
        return script_fail(s, c, a->column, e, "expected the event %s, but none of the %u steps is one", a->text,
                           m->after - m->before);
    return script_fail(s, c, a->column, e, "expected no event %s, but there are %u", a->text, seen);
}

static bool contains(const char *text, size_t len, const char *part, size_t n)
{
    for (size_t i = 0; i + n <= len; i++)
        if (memcmp(text + i, part, n) == 0)
            return true;
    return false;
}

static int check_answer(const struct measured *m, const struct script *s, const struct script_command *c,
                        const struct script_arg *a, struct err *e)
{
    if (m->answer == NULL)
        return script_fail(s, c, a->column, e, "the command above gave no answer");
    bool whole = named(a, "answer");
    if (whole ? m->answer_len == a->len && memcmp(m->answer, a->text, a->len) == 0
              : contains(m->answer, m->answer_len, a->text, a->len))
        return 0;
    return script_fail(s, c, a->column, e, "expected the answer %s\"%.80s\", but it is \"%.120s\"",
                       whole ? "" : "to hold ", a->text, m->answer);
}

static int check_difference(const struct measured *m, const struct script *s, const struct script_command *c,
                            const struct script_arg *a, struct err *e)
{
    if (!m->has_request)
        return script_fail(s, c, a->column, e, "the command above has no %s to expect", "diff_over");
    if (m->request.logit_diff > a->number)
        return 0;
    return script_fail(s, c, a->column, e, "expected a logit that is off by more than %s, but the largest is %.3g",
                       a->text, m->request.logit_diff);
}

static int check_outcome(const struct measured *m, const struct script *s, const struct script_command *c,
                         const struct script_arg *a, struct err *e)
{
    int is = OUTCOME_WORD_ANSWERED;
    if (m->no_slots || (m->has_request && m->request.reason == FINISH_NO_SLOTS))
        is = OUTCOME_WORD_NO_SLOTS;
    else if (m->has_request && m->request.outcome == OUTCOME_REFUSED)
        is = OUTCOME_WORD_REFUSED;
    bool refused = is != OUTCOME_WORD_ANSWERED && !(m->has_request && m->request.outcome == OUTCOME_DONE);
    int want = (int)a->number;
    if (is == want || (want == OUTCOME_WORD_REFUSED && refused))
        return 0;
    return script_fail(s, c, a->column, e, "expected outcome=%s, but it is %s", a->text, OUTCOME_WORDS[is]);
}

bool expect_of_refusal(const struct script_command *c)
{
    const struct script_arg *a = script_arg(c, "outcome");
    return a != NULL && a->number > 0.0;
}

static int check_one(const struct tape *t, const struct measured *m, const struct script *s, const struct script_command *c,
                     const struct script_arg *a, struct err *e)
{
    if (named(a, "event") || named(a, "no_event"))
        return check_event(t, m, s, c, a, e);
    if (named(a, "text") || named(a, "answer"))
        return check_answer(m, s, c, a, e);
    if (named(a, "outcome"))
        return check_outcome(m, s, c, a, e);
    if (named(a, "diff_over"))
        return check_difference(m, s, c, a, e);
    uint32_t is, want = (uint32_t)a->number;
    int name = (int)strcspn(a->spec, ":");
    if (!measure(t, m, a, &is))
        return script_fail(s, c, a->column, e, "the command above has no %.*s to expect", name, a->spec);
    if (is == want)
        return 0;
    return script_fail(s, c, a->column, e, "expected %.*s=%u, but it is %u", name, a->spec, want, is);
}

int expect_check(const struct tape *t, const struct measured *last, const struct script *s, const struct script_command *c,
                 struct err *e)
{
    for (uint32_t i = 0; i < c->nargs; i++)
        if (check_one(t, last, s, c, &c->arg[i], e) != 0)
            return -1;
    return 0;
}
