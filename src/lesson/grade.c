#include "lesson/grade.h"

#include "lesson/race_scene.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the deciding step -------------------------------------------------------------------------------- */

static int event_step(const struct lesson_env *env, int kind, uint32_t *step)
{
    struct step s;
    for (uint32_t n = env->from + 1; n <= env->at; n++) {
        tape_step(env->scene->cursor.tape, env->branch, n, &s);
        if (s.kind == kind) {
            *step = n;
            return 0;
        }
    }
    return -1;
}

/* The first such event of the block or of the race's request that `decides` names. */
static int named_step(const struct lesson_env *env, const struct question *q, struct grade *out, struct err *e)
{
    const struct lesson_run *r = env->run;
    const struct lesson_race *race = race_scene_of(r, q);
    struct lesson_env there = {.run = r};
    struct err inner = {0};
    if (race != NULL) {
        out->request = race_scene_request(race, q);
        out->race = q->decides_name;
        there.scene = r->scene[race->scene];
        there.from = there.scene->served[out->request - 1].before;
        there.at = there.scene->served[out->request - 1].after;
    } else if (env_at_block(env, q->decides_name, false, &there, &inner) != 0) {
        return place_fail(r->lesson->name, q->decides_at, e, "%s", inner.what);
    }
    out->scene = there.scene;
    if (there.scene != NULL && event_step(&there, q->decides_event, &out->step) == 0)
        return 0;
    return place_fail(r->lesson->name, q->decides_at, e, "%s is decided by %s, but no such step is in %s", q->id,
                      event_info((unsigned)q->decides_event)->name, q->decides_name);
}

/* With no block behind the question and no step named, no step decides it: a step that happens to stand there would
 * mislead. */
static int deciding_step(size_t item, const struct lesson_env *env, struct grade *out, struct err *e)
{
    const struct lesson *l = env->run->lesson;
    const struct question *q = l->item[item].question;
    double number;
    out->scene = env->scene;
    out->step = 0;
    if (q->decides_nothing)
        return 0;
    if (q->decides_name != NULL)
        return named_step(env, q, out, e);
    out->step = env->scene != NULL && run_deciding_block(env->run, item) < l->items ? env->at : 0;
    if (q->decides_event >= 0) {
        if (env->scene == NULL || event_step(env, q->decides_event, &out->step) != 0)
            return place_fail(env->run->lesson->name, q->at, e, "%s is decided by %s, but no such step is in the block", q->id,
                              event_info((unsigned)q->decides_event)->name);
        return 0;
    }
    if (q->decides == NULL)
        return 0;
    if (expr_number(q->decides, env, &number, e) != 0)
        return -1;
    if (env->scene == NULL || number < 1 || number > env->at || number != floor(number))
        return place_fail(env->run->lesson->name, expr_place(q->decides), e, "this is no step before the end of the block");
    out->step = (uint32_t)number;
    return 0;
}

/* ---- values ------------------------------------------------------------------------------------------- */

/* An answer that names something is a text; a number is a number. */
/* People write 4,033,920 as they read it: what stands between two digits only to part them is left out. */
static void join_digits(char *word)
{
    char *to = word;
    for (const char *c = word; *c != '\0'; c++)
        if (c == word || strchr(",_ ", *c) == NULL || !isdigit((unsigned char)c[-1]) || !isdigit((unsigned char)c[1]))
            *to++ = *c;
    *to = '\0';
}

static int read_value(const struct question *q, const char *answer, struct value *out, struct err *e)
{
    char *end, word[64];
    snprintf(word, sizeof word, "%.60s", answer + strspn(answer, " "));
    for (size_t n = strlen(word); n > 0 && word[n - 1] == ' '; n--)
        word[n - 1] = '\0';
    if (q->kind == ASK_NUMBER)
        join_digits(word);
    if (*word == '\0')
        return err_set(e, "the answer is empty");
    if (q->kind == ASK_NODE)
        return value_text(out, word, e);
    double number = strtod(word, &end);
    if (*end != '\0' || !isfinite(number))
        return err_set(e, "the answer must be a number, not '%.40s'", word);
    value_number(out, number);
    return 0;
}

/* Nodes are compared as names: A is a, and 1 is A. */
static void normal_node(struct value *v)
{
    char *end;
    unsigned long id = v->kind == VALUE_NUMBER ? (unsigned long)v->number : strtoul(v->text, &end, 10);
    bool number = v->kind == VALUE_NUMBER || (v->text[0] >= '0' && v->text[0] <= '9' && *end == '\0');
    if (number && id >= 1 && id <= 26)
        snprintf(v->text, sizeof v->text, "%c", (char)('A' + id - 1));
    else if (number)
        snprintf(v->text, sizeof v->text, "%lu", id);
    v->kind = VALUE_TEXT;
    v->number = 0;
}

static bool same(const struct question *q, struct value a, struct value b)
{
    if (q->kind == ASK_NODE) {
        normal_node(&a);
        normal_node(&b);
    }
    if (q->kind == ASK_NUMBER && a.kind == VALUE_NUMBER && b.kind == VALUE_NUMBER && q->within > 0)
        return fabs(a.number - b.number) <= q->within * (1 + 1e-9);
    return value_equal(&a, &b);
}

/* ---- order -------------------------------------------------------------------------------------------- */

static int item_value(const struct lesson_env *env, const struct option *o, struct buf *b, struct err *e)
{
    struct value v;
    if (o->expr == NULL) {
        buf_puts(b, o->label);
        return 0;
    }
    if (expr_eval(o->expr, env, &v, e) != 0)
        return -1;
    value_show(&v, "", b);
    return 0;
}

/* "2 1 3" as the items' values: "B A C". */
static int order_values(const struct question *q, const struct lesson_env *env, const char *answer, struct value *out,
                        struct err *e)
{
    struct buf b = {0};
    bool used[LESSON_OPTIONS] = {false};
    int n = 0;
    bool packed = q->options < 10 && (int)strspn(answer, "0123456789") == q->options;
    for (const char *c = answer + strspn(answer, " ,"); *c != '\0'; n++) {
        char *end, digit[2] = {*c, '\0'};
        long k = strtol(c, &end, 10);
        if (packed) { /* "213": fewer than ten items need no blanks */
            k = strtol(digit, NULL, 10);
            end = (char *)(uintptr_t)c + 1;
        }
        if (end == c || k < 1 || k > q->options || used[k - 1]) {
            buf_free(&b);
            return err_set(e, "an order is the numbers 1 to %d, each once, such as 2 1 …", q->options);
        }
        used[k - 1] = true;
        buf_puts(&b, n > 0 ? " " : "");
        if (item_value(env, &q->option[k - 1], &b, e) != 0)
            return -1;
        c = end + strspn(end, " ,");
    }
    int rc = n == q->options ? value_text(out, buf_text(&b), e)
                             : err_set(e, "there are %d things to be put in order, not %d", q->options, n);
    buf_free(&b);
    return rc;
}

/* "B A C" as the items' numbers. */
static int order_numbers(const struct question *q, const struct lesson_env *env, const char *values, struct buf *out,
                         struct err *e)
{
    size_t begin = out->len;
    for (const char *c = values + strspn(values, " "); *c != '\0';) {
        size_t n = strcspn(c, " ");
        int found = 0;
        for (int i = 0; i < q->options && found == 0; i++) {
            struct buf b = {0};
            if (item_value(env, &q->option[i], &b, e) != 0)
                return -1;
            found = b.len == n && strncasecmp(buf_text(&b), c, n) == 0 ? i + 1 : 0;
            buf_free(&b);
        }
        if (found == 0)
            return place_fail(env->run->lesson->name, q->at, e, "no item of %s has the value %.*s", q->id, (int)n, c);
        buf_printf(out, "%s%d", out->len > begin ? " " : "", found);
        c += n;
        c += strspn(c, " ");
    }
    return 0;
}

/* ---- choose ------------------------------------------------------------------------------------------- */

static int grade_choice(const struct question *q, const struct lesson_env *env, const char *answer, struct grade *out,
                        struct err *e)
{
    char *end;
    long k = strtol(answer, &end, 10);
    if (end == answer || end[strspn(end, " ")] != '\0' || k < 1 || k > q->options)
        return err_set(e, "the answer is the number of an option, 1 to %d", q->options);
    out->listed = (int)k - 1;
    if (expr_truth(q->option[k - 1].expr, env, &out->right, e) != 0)
        return -1;
    out->say = out->right ? &q->right : &q->option[k - 1].why;
    return 0;
}

static int right_option(const struct question *q, const struct lesson_env *env, int *out, struct err *e)
{
    int n = 0;
    for (int i = 0; i < q->options; i++) {
        bool holds;
        if (expr_truth(q->option[i].expr, env, &holds, e) != 0)
            return -1;
        *out = holds ? i : *out;
        n += holds;
    }
    return n == 1 ? 0 : place_fail(env->run->lesson->name, q->at, e, "%d options of %s are right in the run, not one", n, q->id);
}

/* ---- all kinds ---------------------------------------------------------------------------------------- */

static int listed_wrong(const struct question *q, const struct lesson_env *env, const struct value *given, struct grade *out,
                        struct err *e)
{
    for (int i = 0; i < q->wrongs; i++) {
        struct value v;
        if (expr_eval(q->wrong[i].expr, env, &v, e) != 0)
            return -1;
        if (out->listed < 0 && same(q, *given, v)) {
            out->listed = i;
            out->say = &q->wrong[i].why;
        }
    }
    return 0;
}

int grade_answer(const struct lesson_run *r, size_t item, const char *answer, struct grade *out, struct err *e)
{
    const struct question *q = r->lesson->item[item].question;
    struct lesson_env env = run_env_decided(r, item);
    struct value given, right;
    *out = (struct grade){.listed = -1, .say = &q->otherwise};
    if (q->kind == ASK_DO)
        return err_set(e, "a challenge is answered by commands");
    if (deciding_step(item, &env, out, e) != 0)
        return -1;
    if (q->kind == ASK_CHOOSE)
        return grade_choice(q, &env, answer, out, e);
    int rc = q->kind == ASK_ORDER ? order_values(q, &env, answer, &given, e) : read_value(q, answer, &given, e);
    if (rc != 0 || expr_eval(q->answer, &env, &right, e) != 0)
        return -1;
    out->right = same(q, given, right);
    if (!out->right)
        return listed_wrong(q, &env, &given, out, e);
    out->say = &q->right;
    return 0;
}

static int value_answer(const struct question *q, const struct lesson_env *env, const struct expr *x, struct buf *out,
                        struct err *e)
{
    struct value v;
    if (expr_eval(x, env, &v, e) != 0)
        return -1;
    if (q->kind == ASK_ORDER)
        return order_numbers(q, env, v.text, out, e);
    if (v.kind == VALUE_NUMBER)
        buf_printf(out, "%.12g", v.number);
    else
        value_show(&v, "", out);
    return 0;
}

int grade_solution(const struct lesson_run *r, size_t item, struct buf *out, struct err *e)
{
    const struct question *q = r->lesson->item[item].question;
    struct lesson_env env = run_env_decided(r, item);
    int right = 0;
    if (q->kind != ASK_CHOOSE)
        return value_answer(q, &env, q->answer, out, e);
    if (right_option(q, &env, &right, e) != 0)
        return -1;
    buf_printf(out, "%d", right + 1);
    return 0;
}

int grade_wrong(const struct lesson_run *r, size_t item, int i, struct buf *out, struct err *e)
{
    const struct question *q = r->lesson->item[item].question;
    struct lesson_env env = run_env_decided(r, item);
    if (q->kind != ASK_CHOOSE)
        return value_answer(q, &env, q->wrong[i].expr, out, e);
    buf_printf(out, "%d", i + 1);
    return 0;
}

int grade_reveal(const struct lesson_run *r, size_t item, struct buf *out, struct err *e)
{
    const struct question *q = r->lesson->item[item].question;
    struct buf answer = {0};
    int rc = grade_solution(r, item, &answer, e);
    const char *c = buf_text(&answer);
    if (rc == 0 && q->kind == ASK_CHOOSE)
        buf_printf(out, "%s: %s", c, q->option[atoi(c) - 1].label);
    else if (rc == 0 && q->kind == ASK_ORDER)
        for (char *end; *c != '\0'; c = end)
            buf_printf(out, "%s%s", c > buf_text(&answer) ? ", " : "", q->option[strtol(c, &end, 10) - 1].label);
    else if (rc == 0)
        buf_puts(out, c);
    buf_free(&answer);
    return rc;
}

int grade_goal(const struct question *q, const struct lesson_env *env, bool *reached, struct err *e)
{
    return expr_truth(q->answer, env, reached, e);
}
