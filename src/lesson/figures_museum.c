/* Figures of the bug museum: what is wrong with an engine, and where world_check finds it. */
#include <string.h>

#include "cache/museum.h"
#include "lesson/figures_parts.h"

/* The first settled step of the range behind which an invariant is broken, and the sentence; 0: none. */
static uint32_t first_broken(const struct lesson_env *range, struct err *why)
{
    struct lesson_env env = *range;
    struct step step;
    for (uint32_t n = range->from + 1; n <= range->at; n++) {
        tape_step(env.scene->cursor.tape, env.branch, n, &step);
        env.at = n;
        if (step.settled && world_check(env_scene(&env), why) != 0)
            return n;
    }
    return 0;
}

int figure_broken(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    struct err why = {0};
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    return value_text(out, first_broken(&env, &why) != 0 ? why.what : "", e);
}

/* What stands before the colon. */
int figure_broken_rule(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    struct err why = {0};
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    if (first_broken(&env, &why) == 0)
        return value_text(out, "", e);
    why.what[strcspn(why.what, ":")] = '\0';
    return value_text(out, why.what, e);
}

int figure_broken_at(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    struct err why = {0};
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    value_number(out, first_broken(&env, &why));
    return 0;
}

int figure_broken_by(const struct figure_call *call, struct value *out, struct err *e)
{
    struct lesson_env env;
    struct err why = {0};
    struct step step;
    if (call_range(call, 0, &env, e) != 0)
        return -1;
    uint32_t n = first_broken(&env, &why);
    if (n == 0)
        return value_text(out, "", e);
    const struct tape *t = env.scene->cursor.tape;
    uint32_t op = tape_operation(t, env.branch, n);
    tape_step(t, env.branch, op != 0 ? op : n, &step);
    return value_text(out, event_info(step.kind)->name, e);
}

/* A text about the engine's bug, "" when it has none. */
static int bug_text(const struct figure_call *call, size_t member, struct value *out, struct err *e)
{
    struct scene sc;
    if (!call_scene(call, &sc, e))
        return -1;
    const struct museum_info *info = museum_info(sc.w->head.bug);
    const char *const texts[] = {info != NULL ? info->name : "", info != NULL ? info->wrong : "",
                                 info != NULL ? info->thread : ""};
    return value_text(out, texts[member], e);
}

int figure_bug(const struct figure_call *call, struct value *out, struct err *e)
{
    return bug_text(call, 0, out, e);
}

int figure_bug_says(const struct figure_call *call, struct value *out, struct err *e)
{
    return bug_text(call, 1, out, e);
}

int figure_bug_thread(const struct figure_call *call, struct value *out, struct err *e)
{
    return bug_text(call, 2, out, e);
}
