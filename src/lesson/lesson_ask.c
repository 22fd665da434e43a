/* Questions: the fields of an ```ask block.
 *
 *      text: How many tokens …?          a field begins in the first column and goes on in indented lines
 *      wrong: prompt(fish)
 *        why: That would be all of them.  `when` and `why` stand indented below what they belong to
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "lesson/lesson.h"
#include "script/nearest.h"
#include "tape/event.h"

/*  X(ENUM, "word", kinds it belongs to: c n p t o d, * all) */
#define FIELDS(X)                                                                                             \
    X(TEXT, "text", "*")                                                                                     \
    X(RIGHT, "right", "*")                                                                                   \
    X(HINT, "hint", "*")                                                                                     \
    X(OPTION, "option", "c")                                                                                 \
    X(ITEM, "item", "o")                                                                                     \
    X(ANSWER, "answer", "npto")                                                                              \
    X(WITHIN, "within", "n")                                                                                 \
    X(WRONG, "wrong", "npto")                                                                                \
    X(OTHERWISE, "otherwise", "npto")                                                                        \
    X(DECIDES, "decides", "cnpto")                                                                           \
    X(REQUEST, "request", "t")                                                                               \
    X(WHEN, "when", "c")                                                                                     \
    X(WHY, "why", "cnpto")                                                                                   \
    X(START, "start", "d")                                                                                   \
    X(ALLOW, "allow", "d")                                                                                   \
    X(GOAL, "goal", "d")                                                                                     \
    X(PAR, "par", "d")                                                                                       \
    X(SOLUTION, "solution", "d")

enum field {
#define X(id, word, kinds) FIELD_##id,
    FIELDS(X)
#undef X
    FIELD_COUNT
};

static const struct {
    const char *word, *kinds;
} FIELD[FIELD_COUNT] = {
#define X(id, word, kinds) {word, kinds},
    FIELDS(X)
#undef X
};

static const char *const KINDS[] = {
#define X(id, word, help) word,
    LESSON_QUESTIONS(X)
#undef X
};

const char *question_name(enum question_kind k)
{
    return KINDS[k];
}

static char kind_letter(enum question_kind k)
{
    return k == ASK_CHOOSE ? 'c' : k == ASK_NUMBER ? 'n' : k == ASK_TOKEN ? 't' : k == ASK_ORDER ? 'o' : k == ASK_DO ? 'd' : 'p';
}

struct asking {
    struct question *q;
    const struct lesson *l;
    unsigned seen;
    struct err *e;
};

static int fail(struct asking *a, size_t at, const char *what)
{
    return place_fail(a->l->name, lesson_place(a->l, at), a->e, "%s", what);
}

static void option_done(struct option *o)
{
    xfree(o->label);
    expr_free(o->expr);
    prose_free(&o->why);
}

void question_free(struct question *q)
{
    if (q == NULL)
        return;
    prose_free(&q->text);
    prose_free(&q->right);
    prose_free(&q->otherwise);
    for (int i = 0; i < LESSON_HINTS; i++)
        prose_free(&q->hint[i]);
    for (int i = 0; i < LESSON_OPTIONS; i++) {
        option_done(&q->option[i]);
        option_done(&q->wrong[i]);
    }
    expr_free(q->answer);
    expr_free(q->decides);
    xfree(q->decides_name);
    xfree(q->id);
    xfree(q->request);
    xfree(q->start);
    xfree(q->solution);
    xfree(q->allow);
    xfree(q);
}

/* ---- one field ---------------------------------------------------------------------------------------- */

static int take_option(struct asking *a, struct option *list, int *n, struct slice s, bool label)
{
    if (*n == LESSON_OPTIONS)
        return fail(a, s.from, "a question has at most 12 answers of a kind");
    struct option *o = &list[(*n)++];
    o->at = lesson_place(a->l, s.from);
    if (!label)
        return (o->expr = slice_expr(s, a->e)) != NULL ? 0 : -1;
    o->label = slice_copy(s, a->e);
    if (o->label == NULL)
        return -1;
    return *o->label != '\0' ? 0 : fail(a, s.from, "this answer is empty");
}

/* "item: banana = B": label and value; the label alone is its own value. */
static int take_item(struct asking *a, struct slice s)
{
    struct question *q = a->q;
    size_t equal = s.from;
    while (equal < s.to && a->l->source[equal] != '=')
        equal++;
    if (take_option(a, q->option, &q->options, (struct slice){s.l, s.from, equal}, true) != 0)
        return -1;
    if (equal == s.to)
        return 0;
    q->option[q->options - 1].expr = slice_expr((struct slice){s.l, equal + 1, s.to}, a->e);
    return q->option[q->options - 1].expr != NULL ? 0 : -1;
}

static struct option *last_option(struct asking *a)
{
    struct question *q = a->q;
    if (q->kind == ASK_CHOOSE)
        return q->options > 0 ? &q->option[q->options - 1] : NULL;
    return q->wrongs > 0 ? &q->wrong[q->wrongs - 1] : NULL;
}

static int take_detail(struct asking *a, enum field f, size_t at, struct slice s)
{
    struct option *o = last_option(a);
    if (o == NULL)
        return fail(a, at, "this belongs below an option or a wrong answer");
    if ((f == FIELD_WHEN && o->expr != NULL) || (f == FIELD_WHY && o->why.n > 0))
        return fail(a, at, "this answer has it already");
    if (f == FIELD_WHEN)
        return (o->expr = slice_expr(s, a->e)) != NULL ? 0 : -1;
    return prose_parse(s, &o->why, a->e);
}

/* "EVENT @ NAME", "EVENT @ NAME REQUEST": where the event is looked for. */
static int take_where(struct asking *a, const char *words, size_t at)
{
    char name[64] = "", *end;
    const char *rest = words + strspn(words, " ");
    size_t n = strcspn(rest, " ");
    snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), rest);
    rest += n;
    unsigned long request = strtoul(rest, &end, 10);
    if (n == 0 || end[strspn(end, " ")] != '\0' || request > UINT32_MAX || (rest[strspn(rest, " ")] != '\0' && request == 0))
        return fail(a, at, "expected EVENT @ BLOCK, or EVENT @ RACE and the number of a request");
    a->q->decides_request = (uint32_t)request;
    a->q->decides_name = xstrdup(name);
    return a->q->decides_name != NULL ? 0 : err_memory(a->e, n, "a question");
}

static int take_decides(struct asking *a, struct slice s)
{
    char *word = slice_copy(s, a->e);
    if (word == NULL)
        return -1;
    size_t n = strcspn(word, " @");
    const char *rest = word + n + strspn(word + n, " ");
    char kept = word[n];
    word[n] = '\0';
    int event = event_find(word), rc = 1;
    s.from += strspn(a->l->source + s.from, " ");
    a->q->decides_at = lesson_place(a->l, s.from);
    a->q->decides_nothing = kept == '\0' && strcmp(word, "nothing") == 0;
    if (a->q->decides_nothing || (event >= 0 && *rest == '\0'))
        rc = 0;
    else if (event >= 0 && *rest == '@')
        rc = take_where(a, rest + 1, s.from);
    xfree(word);
    if (rc <= 0) {
        a->q->decides_event = event;
        return rc;
    }
    a->q->decides = slice_expr(s, a->e);
    return a->q->decides != NULL ? 0 : -1;
}

static int take_count(struct asking *a, struct slice s, double *out)
{
    char *text = slice_copy(s, a->e), *end;
    if (text == NULL)
        return -1;
    *out = strtod(text, &end);
    bool good = *text != '\0' && *end == '\0' && *out >= 0 && *out < 1e9;
    xfree(text);
    return good ? 0 : fail(a, s.from, "expected a number here");
}

/* A script: the indented lines below the field's name. */
static int take_script(struct asking *a, struct slice s, char **text, uint32_t *line)
{
    while (s.from < s.to && a->l->source[s.from] != '\n')
        if (!isspace((unsigned char)a->l->source[s.from++]))
            return fail(a, s.from - 1, "commands stand in the lines below, indented");
    s.from += s.from < s.to;
    *line = lesson_place(a->l, s.from).line;
    *text = xmalloc(s.to - s.from + 1);
    if (*text == NULL)
        return err_memory(a->e, s.to - s.from, "a challenge");
    memcpy(*text, a->l->source + s.from, s.to - s.from);
    (*text)[s.to - s.from] = '\0';
    struct script *script = script_parse(a->l->name, *text, s.to - s.from, *line, a->e);
    bool good = script != NULL;
    if (good && script->count == 0)
        fail(a, s.from, "there are no commands here");
    good = good && script->count > 0;
    script_free(script);
    return good ? 0 : -1;
}

static int take_allow(struct asking *a, struct slice s)
{
    char *words = slice_copy(s, a->e), *rest = NULL;
    struct buf b = {0};
    int rc = words != NULL ? 0 : -1;
    buf_putc(&b, ' ');
    for (char *w = words != NULL ? strtok_r(words, ", \n", &rest) : NULL; w != NULL && rc == 0; w = strtok_r(NULL, ", \n", &rest)) {
        int kind = script_find(w);
        if (kind < 0 || script_info((enum script_kind)kind)->role != ROLE_ACTION)
            rc = place_fail(a->l->name, lesson_place(a->l, s.from), a->e, "'%.40s' is no command that can be allowed", w);
        buf_printf(&b, "%s ", w);
    }
    xfree(words);
    a->q->allow = buf_take(&b, NULL);
    return rc == 0 && a->q->allow == NULL ? err_memory(a->e, 64, "a challenge") : rc;
}

static int take_field(struct asking *a, enum field f, size_t at, struct slice s)
{
    struct question *q = a->q;
    double number;
    switch (f) {
    case FIELD_TEXT: return prose_parse(s, &q->text, a->e);
    case FIELD_RIGHT: return prose_parse(s, &q->right, a->e);
    case FIELD_OTHERWISE: return prose_parse(s, &q->otherwise, a->e);
    case FIELD_HINT:
        return q->hints == LESSON_HINTS ? fail(a, at, "three hints are enough; then comes the solution")
                                        : prose_parse(s, &q->hint[q->hints++], a->e);
    case FIELD_OPTION: return take_option(a, q->option, &q->options, s, true);
    case FIELD_ITEM: return take_item(a, s);
    case FIELD_WRONG: return take_option(a, q->wrong, &q->wrongs, s, false);
    case FIELD_ANSWER:
    case FIELD_GOAL: return (q->answer = slice_expr(s, a->e)) != NULL ? 0 : -1;
    case FIELD_WITHIN: return take_count(a, s, &q->within);
    case FIELD_DECIDES: return take_decides(a, s);
    case FIELD_REQUEST: return (q->request = slice_copy(s, a->e)) != NULL ? 0 : -1;
    case FIELD_START: return take_script(a, s, &q->start, &q->start_line);
    case FIELD_SOLUTION: return take_script(a, s, &q->solution, &q->solution_line);
    case FIELD_ALLOW: return take_allow(a, s);
    case FIELD_PAR:
        if (take_count(a, s, &number) != 0)
            return -1;
        q->par = (uint32_t)number;
        return 0;
    default: return take_detail(a, f, at, s);
    }
}

/* ---- all fields --------------------------------------------------------------------------------------- */

static bool repeats(enum field f)
{
    return f == FIELD_HINT || f == FIELD_OPTION || f == FIELD_ITEM || f == FIELD_WRONG || f == FIELD_WHEN || f == FIELD_WHY;
}

/* The field whose name stands at `at`; FIELD_COUNT: none. *value: behind the colon. */
static enum field field_at(const struct lesson *l, size_t at, size_t to, size_t *value)
{
    size_t n = 0;
    while (at + n < to && islower((unsigned char)l->source[at + n]))
        n++;
    *value = at + n + 1;
    for (int f = 0; f < FIELD_COUNT && at + n < to && l->source[at + n] == ':'; f++)
        if (strlen(FIELD[f].word) == n && memcmp(l->source + at, FIELD[f].word, n) == 0)
            return (enum field)f;
    return FIELD_COUNT;
}

static int unknown(struct asking *a, size_t at)
{
    char word[40] = "";
    struct nearest near = {0};
    for (size_t n = 0; n < 39 && isalpha((unsigned char)a->l->source[at + n]); n++)
        word[n] = a->l->source[at + n];
    for (int f = 0; f < FIELD_COUNT; f++)
        nearest_try(&near, word, FIELD[f].word);
    place_fail(a->l->name, lesson_place(a->l, at), a->e, "a question has no field '%s'", word);
    return near.name != NULL ? err_hint(a->e, "did you mean %s:?", near.name)
                             : err_hint(a->e, "a field is its name and a colon; its text goes on in indented lines");
}

static int one_field(struct asking *a, enum field f, size_t at, struct slice value)
{
    if (strchr(FIELD[f].kinds, '*') == NULL && strchr(FIELD[f].kinds, kind_letter(a->q->kind)) == NULL) {
        char what[100];
        snprintf(what, sizeof what, "a question of the kind %s has no field %s", KINDS[a->q->kind], FIELD[f].word);
        return fail(a, at, what);
    }
    if ((a->seen & 1u << f) != 0 && !repeats(f))
        return fail(a, at, "this field is there twice");
    a->seen |= 1u << f;
    return take_field(a, f, at, value);
}

static size_t line_after(const struct lesson *l, size_t at, size_t to)
{
    while (at < to && l->source[at] != '\n')
        at++;
    return at < to ? at + 1 : to;
}

static int read_fields(struct asking *a, struct slice block)
{
    enum field open = FIELD_COUNT;
    size_t open_at = 0, open_value = 0, value;
    for (size_t at = block.from; at <= block.to; at = line_after(a->l, at, block.to)) {
        size_t word = at;
        while (word < block.to && a->l->source[word] == ' ')
            word++;
        bool last = at == block.to, empty = !last && (word == block.to || a->l->source[word] == '\n');
        enum field f = last || empty ? FIELD_COUNT : field_at(a->l, word, block.to, &value);
        bool begins = f < FIELD_COUNT && (word == at) == (f != FIELD_WHEN && f != FIELD_WHY);
        if ((last || begins) && open < FIELD_COUNT && one_field(a, open, open_at, (struct slice){a->l, open_value, at}) != 0)
            return -1;
        if (last)
            break;
        if (begins) {
            open = f;
            open_at = word;
            open_value = value;
        } else if (!empty && (word == at || open == FIELD_COUNT)) {
            return unknown(a, word);
        }
    }
    return 0;
}

/* ---- what a question must have ------------------------------------------------------------------------ */

static int need(struct asking *a, enum field f)
{
    if ((a->seen & 1u << f) != 0)
        return 0;
    return place_fail(a->l->name, a->q->at, a->e, "the question %s has no %s", a->q->id, FIELD[f].word);
}

static int check_options(struct asking *a)
{
    struct question *q = a->q;
    if (q->options < 2)
        return place_fail(a->l->name, q->at, a->e, "the question %s has fewer than two %ss", q->id,
                          q->kind == ASK_CHOOSE ? "option" : "item");
    for (int i = 0; i < q->options && q->kind == ASK_CHOOSE; i++)
        if (q->option[i].expr == NULL)
            return place_fail(a->l->name, q->option[i].at, a->e, "this option has no when: under which condition is it right?");
    return 0;
}

static int check_whys(struct asking *a)
{
    for (int i = 0; i < a->q->wrongs; i++)
        if (a->q->wrong[i].why.n == 0)
            return place_fail(a->l->name, a->q->wrong[i].at, a->e, "this wrong answer has no why");
    return 0;
}

static int check_question(struct asking *a)
{
    struct question *q = a->q;
    static const enum field DO[] = {FIELD_START, FIELD_GOAL, FIELD_PAR, FIELD_SOLUTION, FIELD_ALLOW};
    if (need(a, FIELD_TEXT) != 0)
        return -1;
    if (q->hints != LESSON_HINTS)
        return place_fail(a->l->name, q->at, a->e, "the question %s has %d hints, not three", q->id, q->hints);
    if (q->kind == ASK_DO) {
        for (size_t i = 0; i < ARRAY_LEN(DO); i++)
            if (need(a, DO[i]) != 0)
                return -1;
        return q->par > 0 ? 0 : place_fail(a->l->name, q->at, a->e, "the par of %s must be at least 1", q->id);
    }
    if (need(a, FIELD_RIGHT) != 0 || ((q->kind == ASK_CHOOSE || q->kind == ASK_ORDER) && check_options(a) != 0))
        return -1;
    if (q->kind == ASK_CHOOSE)
        return 0;
    if (q->kind == ASK_TOKEN && need(a, FIELD_REQUEST) != 0)
        return -1;
    return need(a, FIELD_ANSWER) != 0 || need(a, FIELD_OTHERWISE) != 0 ? -1 : check_whys(a);
}

static int find_question(struct asking *a, const char *kind, struct place at)
{
    struct nearest near = {0};
    for (int k = 0; k < ASK_COUNT; k++) {
        nearest_try(&near, kind, KINDS[k]);
        if (strcmp(kind, KINDS[k]) == 0) {
            a->q->kind = (enum question_kind)k;
            return 0;
        }
    }
    place_fail(a->l->name, at, a->e, "there is no question of the kind '%.40s'", kind);
    return near.name != NULL ? err_hint(a->e, "did you mean %s?", near.name)
                             : err_hint(a->e, "kinds: choose, number, pick-node, pick-slot, pick-token, order, do");
}

struct question *question_parse(struct slice block, const char *kind, const char *id, struct place at, struct err *e)
{
    struct asking a = {.q = xcalloc(1, sizeof *a.q), .l = block.l, .e = e};
    if (a.q == NULL || (a.q->id = xstrdup(id)) == NULL) {
        err_memory(e, sizeof *a.q, "a question");
        question_free(a.q);
        return NULL;
    }
    a.q->at = at;
    a.q->decides_event = -1;
    if (find_question(&a, kind, at) == 0 && read_fields(&a, block) == 0 && check_question(&a) == 0)
        return a.q;
    question_free(a.q);
    return NULL;
}
