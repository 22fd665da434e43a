#include "lesson/expr.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "lesson/figures.h"
#include "lesson/run.h"
#include "script/nearest.h"

enum { EXPR_DEPTH = 40, EXPR_LENGTH = 1000 };

enum expr_kind { X_NUMBER, X_TEXT, X_NAME, X_CALL, X_AT, X_BEFORE, X_NOT, X_MINUS, X_BINARY };

enum operator { OP_NONE, OP_OR, OP_AND, OP_EQ, OP_NE, OP_LE, OP_GE, OP_LT, OP_GT, OP_ADD, OP_SUB, OP_INT, OP_MUL, OP_DIV, OP_MOD };

struct expr {
    enum expr_kind kind;
    enum operator op;
    const char *file;            /* borrowed */
    struct place at;
    double number;
    char *text;                  /* owned: the name, the text, or (at the top) nothing */
    const struct figure *figure; /* of X_CALL, and of an X_NAME that is one */
    struct expr *arg[FIGURE_ARGS];
    int args;
    char *source;                /* owned; of the whole expression and of what "and" joins */
};

int (place_fail)(const char *name, struct place at, struct err *e, const char *fmt, ...)
{
    char what[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return err_set(e, "%.90s:%u:%u: %s", name, at.line, at.column, what);
}

/* ---- values ------------------------------------------------------------------------------------------- */

void value_number(struct value *v, double number)
{
    v->kind = VALUE_NUMBER;
    v->number = number;
    v->text[0] = '\0';
}

void value_truth(struct value *v, bool truth)
{
    value_number(v, truth ? 1 : 0);
    v->kind = VALUE_TRUTH;
}

int value_text(struct value *v, const char *text, struct err *e)
{
    value_number(v, 0);
    v->kind = VALUE_TEXT;
    if (strlen(text) >= sizeof v->text)
        return err_set(e, "a text of %zu bytes is longer than a figure may be (%d)", strlen(text), VALUE_TEXT_MAX - 1);
    memcpy(v->text, text, strlen(text) + 1);
    return 0;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == VALUE_TEXT)
        return strcasecmp(a->text, b->text) == 0;
    if (isnan(a->number) || isnan(b->number))
        return false;
    double size = fmax(fabs(a->number), fabs(b->number));
    return fabs(a->number - b->number) <= size * 1e-9;
}

/* What the words of a format ask for. */
struct format {
    int decimals, width;
    bool si, percent, bytes, exponent;
};

static int read_format(const char *text, struct format *f, struct err *e)
{
    *f = (struct format){.decimals = -1};
    while (*text != '\0') {
        size_t n = strcspn(text, " ");
        char word[16], *end;
        snprintf(word, sizeof word, "%.*s", (int)(n < 15 ? n : 15), text);
        long number = strtol(word + (word[0] == '.'), &end, 10);
        bool numeric = *end == '\0' && end != word && labs(number) <= 60;
        if (n == 0)
            ;
        else if (word[0] == '.' && numeric && number >= 0 && number <= 12)
            f->decimals = (int)number;
        else if (strcmp(word, "si") == 0)
            f->si = true;
        else if (strcmp(word, "percent") == 0)
            f->percent = true;
        else if (strcmp(word, "bytes") == 0)
            f->bytes = true;
        else if (strcmp(word, "e") == 0)
            f->exponent = true;
        else if (numeric && word[0] != '.')
            f->width = (int)number;
        else {
            err_set(e, "'%s' is no format", word);
            return err_hint(e, "formats: .2 (decimals), si, percent, bytes, e, and a width such as 6 or -6");
        }
        text += n;
        text += strspn(text, " ");
    }
    return 0;
}

int value_format_check(const char *format, struct err *e)
{
    struct format f;
    return read_format(format, &f, e);
}

static const char *scale(const struct format *f, double *x)
{
    static const char *const SI[] = {"", " thousand", " million", " billion", " trillion"};
    static const char *const BYTES[] = {" bytes", " KiB", " MiB", " GiB", " TiB"};
    double by = f->bytes ? 1024 : 1000;
    int i = 0;
    for (; i < 4 && fabs(*x) >= by; i++)
        *x /= by;
    return f->bytes ? BYTES[i] : SI[i];
}

static void show_number(double x, const struct format *f, char *out, size_t n)
{
    const char *unit = "";
    if (f->percent) {
        x *= 100;
        unit = " %";
    }
    if (f->si || f->bytes)
        unit = scale(f, &x);
    bool whole = x == floor(x) && fabs(x) < 1e15;
    if (f->exponent)
        snprintf(out, n, "%.*e%s", f->decimals < 0 ? 1 : f->decimals, x, unit);
    else if (f->decimals >= 0)
        snprintf(out, n, "%.*f%s", whole && (f->si || f->bytes) ? 0 : f->decimals, x, unit);
    else if (whole)
        snprintf(out, n, "%.0f%s", x, unit);
    else
        snprintf(out, n, f->si || f->bytes || f->percent ? "%.1f%s" : "%.4g%s", x, unit);
}

void value_show(const struct value *v, const char *format, struct buf *out)
{
    struct format f;
    char number[64];
    const char *text = v->text;
    read_format(format, &f, NULL);
    if (v->kind == VALUE_TRUTH)
        text = v->number != 0 ? "yes" : "no";
    if (v->kind == VALUE_NUMBER) {
        show_number(v->number, &f, number, sizeof number);
        text = number;
    }
    buf_printf(out, "%*s", f.width, text);
}

/* ---- parsing ------------------------------------------------------------------------------------------ */

struct parser {
    const struct expr_source *s;
    size_t at;
    int depth;
    struct err *e;
};

static struct place place_at(const struct parser *p, size_t at)
{
    struct place here = p->s->at;
    for (size_t i = 0; i < at && i < p->s->len; i++) {
        here.column++;
        if (p->s->text[i] == '\n')
            here = (struct place){here.line + 1, 1};
    }
    return here;
}

static struct expr *parse_fail(const struct parser *p, size_t at, const char *what)
{
    place_fail(p->s->name, place_at(p, at), p->e, "%s", what);
    return NULL;
}

static void skip_blank(struct parser *p)
{
    while (p->at < p->s->len && isspace((unsigned char)p->s->text[p->at]))
        p->at++;
}

static struct expr *make(struct parser *p, enum expr_kind kind, size_t at)
{
    struct expr *x = xcalloc(1, sizeof *x);
    if (x == NULL) {
        err_memory(p->e, sizeof *x, "an expression");
        return NULL;
    }
    x->kind = kind;
    x->file = p->s->name;
    x->at = place_at(p, at);
    return x;
}

void expr_free(struct expr *x)
{
    if (x == NULL)
        return;
    for (int i = 0; i < x->args; i++)
        expr_free(x->arg[i]);
    xfree(x->text);
    xfree(x->source);
    xfree(x);
}

/* Takes both; NULL when either is. */
static struct expr *join(struct expr *x, struct expr *left, struct expr *right)
{
    if (x == NULL || left == NULL) {
        expr_free(x);
        expr_free(left);
        expr_free(right);
        return NULL;
    }
    x->arg[x->args++] = left;
    if (right != NULL)
        x->arg[x->args++] = right;
    return x;
}

static size_t name_length(const struct parser *p)
{
    size_t n = p->at;
    if (n < p->s->len && (isalpha((unsigned char)p->s->text[n]) || p->s->text[n] == '_'))
        while (n < p->s->len && (isalnum((unsigned char)p->s->text[n]) || p->s->text[n] == '_'))
            n++;
    /* a name may hold a hyphen between letters: ids of blocks and labels do; "a - b" is a difference */
    while (n > p->at && n + 1 < p->s->len && p->s->text[n] == '-' && isalpha((unsigned char)p->s->text[n + 1]))
        for (n++; n < p->s->len && (isalnum((unsigned char)p->s->text[n]) || p->s->text[n] == '_'); n++)
            ;
    return n - p->at;
}

static bool take_word(struct parser *p, const char *word)
{
    skip_blank(p);
    size_t n = name_length(p);
    if (n != strlen(word) || strncmp(p->s->text + p->at, word, n) != 0)
        return false;
    p->at += n;
    return true;
}

static bool take(struct parser *p, const char *sign)
{
    skip_blank(p);
    size_t n = strlen(sign);
    if (p->s->len - p->at < n || memcmp(p->s->text + p->at, sign, n) != 0)
        return false;
    p->at += n;
    return true;
}

static struct expr *parse_or(struct parser *p);

static char *copy_name(struct parser *p, size_t n)
{
    char *text = xmalloc(n + 1);
    if (text == NULL) {
        err_memory(p->e, n, "a name");
        return NULL;
    }
    memcpy(text, p->s->text + p->at, n);
    text[n] = '\0';
    p->at += n;
    return text;
}

static struct expr *parse_number(struct parser *p)
{
    struct expr *x = make(p, X_NUMBER, p->at);
    char digits[64], *end;
    size_t n = 0;
    while (n + 1 < sizeof digits && p->at + n < p->s->len &&
           (isalnum((unsigned char)p->s->text[p->at + n]) || p->s->text[p->at + n] == '.'))
        n++;
    memcpy(digits, p->s->text + p->at, n);
    digits[n] = '\0';
    double number = strtod(digits, &end);
    if (x != NULL && *end != '\0') {
        expr_free(x);
        return parse_fail(p, p->at, "this is no number");
    }
    if (x != NULL)
        x->number = number;
    p->at += n;
    return x;
}

static struct expr *parse_text(struct parser *p)
{
    size_t from = p->at++, n = 0;
    while (p->at + n < p->s->len && p->s->text[p->at + n] != '"')
        n++;
    if (p->at + n == p->s->len)
        return parse_fail(p, from, "this text has no closing quote");
    if (n >= VALUE_TEXT_MAX)
        return parse_fail(p, from, "this text is too long");
    struct expr *x = make(p, X_TEXT, from);
    char *text = x != NULL ? copy_name(p, n) : NULL;
    if (text == NULL) {
        expr_free(x);
        return NULL;
    }
    x->text = text;
    p->at++;
    return x;
}

static bool parse_arguments(struct parser *p, struct expr *x)
{
    if (take(p, ")"))
        return true;
    do {
        if (x->args == FIGURE_ARGS) {
            parse_fail(p, p->at, "too many arguments");
            return false;
        }
        struct expr *arg = parse_or(p);
        if (arg == NULL)
            return false;
        x->arg[x->args++] = arg;
    } while (take(p, ","));
    if (take(p, ")"))
        return true;
    parse_fail(p, p->at, "expected , or ) here");
    return false;
}

static bool check_call(struct parser *p, const struct expr *x)
{
    struct err inner = {0};
    if (x->figure == NULL) {
        figure_unknown(x->text, &inner);
        place_fail(x->file, x->at, p->e, "%s", inner.what);
        err_hint(p->e, "%s", inner.hint);
        return false;
    }
    if (figure_takes(x->figure, x->args, &inner))
        return true;
    place_fail(x->file, x->at, p->e, "%s", inner.what);
    return false;
}

static struct expr *parse_name(struct parser *p, size_t n)
{
    struct expr *x = make(p, X_NAME, p->at);
    if (x == NULL || (x->text = copy_name(p, n)) == NULL) {
        expr_free(x);
        return NULL;
    }
    x->figure = figure_find(x->text);
    if (p->at >= p->s->len || p->s->text[p->at] != '(')
        return x;
    p->at++;
    x->kind = X_CALL;
    if (parse_arguments(p, x) && check_call(p, x))
        return x;
    expr_free(x);
    return NULL;
}

static struct expr *parse_value(struct parser *p)
{
    skip_blank(p);
    if (p->at >= p->s->len)
        return parse_fail(p, p->at, "the expression ends where a value should be");
    char c = p->s->text[p->at];
    size_t n = name_length(p);
    if (n > 0)
        return parse_name(p, n);
    if (isdigit((unsigned char)c))
        return parse_number(p);
    if (c == '"')
        return parse_text(p);
    if (!take(p, "("))
        return parse_fail(p, p->at, "expected a number, a \"text\", a name or ( here");
    struct expr *x = parse_or(p);
    if (x != NULL && !take(p, ")")) {
        expr_free(x);
        return parse_fail(p, p->at, "expected ) here");
    }
    return x;
}

static struct expr *parse_place(struct parser *p)
{
    struct expr *x = parse_value(p);
    while (x != NULL && take(p, "@")) {
        enum expr_kind kind = take_word(p, "before") ? X_BEFORE : X_AT;
        skip_blank(p);
        size_t n = name_length(p);
        if (n == 0) {
            expr_free(x);
            return parse_fail(p, p->at, "@ wants the name of a block of commands");
        }
        struct expr *at = make(p, kind, p->at);
        if (at != NULL)
            at->text = copy_name(p, n);
        x = join(at, x, NULL);
    }
    return x;
}

static struct expr *parse_sign(struct parser *p)
{
    skip_blank(p);
    size_t from = p->at;
    if (!take(p, "-"))
        return parse_place(p);
    if (++p->depth > EXPR_DEPTH)
        return parse_fail(p, from, "this expression is nested too deeply");
    struct expr *x = join(make(p, X_MINUS, from), parse_sign(p), NULL);
    p->depth--;
    return x;
}

static const struct operator_info {
    const char *sign;
    enum operator op;
    int level; /* 1 test, 2 sum, 3 term */
} OPERATORS[] = {{"==", OP_EQ, 1}, {"!=", OP_NE, 1}, {"<=", OP_LE, 1}, {">=", OP_GE, 1}, {"<", OP_LT, 1}, {">", OP_GT, 1},
                 {"+", OP_ADD, 2}, {"-", OP_SUB, 2}, {"//", OP_INT, 3}, {"*", OP_MUL, 3}, {"/", OP_DIV, 3}, {"%", OP_MOD, 3}};

static enum operator take_operator(struct parser *p, int level)
{
    for (size_t i = 0; i < ARRAY_LEN(OPERATORS); i++)
        if (OPERATORS[i].level == level && take(p, OPERATORS[i].sign))
            return OPERATORS[i].op;
    return OP_NONE;
}

static struct expr *binary(struct parser *p, enum operator op, size_t at, struct expr *left, struct expr *right)
{
    if (right == NULL) {
        expr_free(left);
        return NULL;
    }
    struct expr *x = make(p, X_BINARY, at);
    if (x != NULL)
        x->op = op;
    return join(x, left, right);
}

/* Sums and terms: one level of operators that join from the left. */
static struct expr *parse_level(struct parser *p, int level)
{
    enum operator op;
    struct expr *x = level == 2 ? parse_level(p, 3) : parse_sign(p);
    for (size_t at = p->at; x != NULL && (op = take_operator(p, level)) != OP_NONE; at = p->at)
        x = binary(p, op, at, x, level == 2 ? parse_level(p, 3) : parse_sign(p));
    return x;
}

static struct expr *parse_test(struct parser *p)
{
    skip_blank(p);
    size_t from = p->at;
    if (take_word(p, "not"))
        return join(make(p, X_NOT, from), parse_test(p), NULL);
    struct expr *x = parse_level(p, 2);
    size_t at = p->at;
    enum operator op = x != NULL ? take_operator(p, 1) : OP_NONE;
    return op != OP_NONE ? binary(p, op, at, x, parse_level(p, 2)) : x;
}

/* Text [from, to) as x's own, blanks at its end left out. */
static struct expr *keep_source(struct parser *p, struct expr *x, size_t from, size_t to)
{
    size_t here = p->at;
    while (to > from && isspace((unsigned char)p->s->text[to - 1]))
        to--;
    xfree(x->source);
    p->at = from;
    x->source = copy_name(p, to - from);
    p->at = here;
    if (x->source != NULL)
        return x;
    expr_free(x);
    return NULL;
}

/* What "and" joins keeps its text, so that a goal can be told part by part. */
static struct expr *parse_part(struct parser *p)
{
    skip_blank(p);
    size_t from = p->at;
    struct expr *x = parse_test(p);
    return x != NULL ? keep_source(p, x, from, p->at) : NULL;
}

static struct expr *parse_and(struct parser *p)
{
    struct expr *x = parse_part(p);
    for (size_t at = p->at; x != NULL && take_word(p, "and"); at = p->at)
        x = binary(p, OP_AND, at, x, parse_part(p));
    return x;
}

static struct expr *parse_or(struct parser *p)
{
    if (++p->depth > EXPR_DEPTH)
        return parse_fail(p, p->at, "this expression is nested too deeply");
    struct expr *x = parse_and(p);
    for (size_t at = p->at; x != NULL && take_word(p, "or"); at = p->at)
        x = binary(p, OP_OR, at, x, parse_and(p));
    p->depth--;
    return x;
}

struct expr *expr_parse(const struct expr_source *s, struct err *e)
{
    struct parser p = {.s = s, .e = e};
    if (s->len > EXPR_LENGTH)
        return parse_fail(&p, 0, "this expression is too long");
    struct expr *x = parse_or(&p);
    skip_blank(&p);
    if (x == NULL || p.at == s->len)
        return x != NULL ? keep_source(&p, x, strspn(s->text, " \t\n"), s->len) : NULL;
    expr_free(x);
    return parse_fail(&p, p.at, "the expression should end here");
}

/* ---- evaluating --------------------------------------------------------------------------------------- */

static int eval_fail(const struct expr *x, const struct err *inner, struct err *e)
{
    place_fail(x->file, x->at, e, "%s", inner->what);
    return inner->hint[0] != '\0' ? err_hint(e, "%s", inner->hint) : -1;
}

/* A word without parentheses: a name that `let` bound, a figure without arguments, or (where a word may
 * stand) itself. */
static int eval_name(const struct expr *x, const struct lesson_env *env, bool word, struct value *out, struct err *e)
{
    struct err inner = {0};
    const struct value *bound = env_let(env, x->text);
    if (bound != NULL) {
        *out = *bound;
        return 0;
    }
    if (x->figure != NULL && figure_takes(x->figure, 0, NULL)) {
        struct figure_call call = {.env = env};
        return figure_measure(x->figure, &call, out, &inner) == 0 ? 0 : eval_fail(x, &inner, e);
    }
    bool letter = x->text[0] >= 'A' && x->text[0] <= 'Z' && x->text[1] == '\0'; /* a node */
    if (word || letter)
        return value_text(out, x->text, e);
    if (x->figure != NULL)
        figure_takes(x->figure, 0, &inner);
    else
        figure_unknown(x->text, &inner);
    return eval_fail(x, &inner, e);
}

static int eval_any(const struct expr *x, const struct lesson_env *env, bool word, struct value *out, struct err *e);

/* Names given to a figure that takes nodes, requests, … are words even where a figure has that name. */
static int eval_argument(const struct expr *x, const struct lesson_env *env, char type, struct value *out, struct err *e)
{
    if (x->kind == X_NAME && type != 'k' && env_let(env, x->text) == NULL &&
        (type != 'v' && !(type == 'n' && x->figure != NULL)))
        return value_text(out, x->text, e);
    return eval_any(x, env, true, out, e);
}

static int eval_call(const struct expr *x, const struct lesson_env *env, struct value *out, struct err *e)
{
    struct figure_call call = {.env = env, .args = x->args};
    struct err inner = {0};
    for (int i = 0; i < x->args; i++)
        if (eval_argument(x->arg[i], env, figure_type(x->figure, i), &call.arg[i], e) != 0)
            return -1;
    return figure_measure(x->figure, &call, out, &inner) == 0 ? 0 : eval_fail(x, &inner, e);
}

static int eval_elsewhere(const struct expr *x, const struct lesson_env *env, bool word, struct value *out, struct err *e)
{
    struct lesson_env there;
    struct err inner = {0};
    if (env_at_block(env, x->text, x->kind == X_BEFORE, &there, &inner) != 0)
        return eval_fail(x, &inner, e);
    return eval_any(x->arg[0], &there, word, out, e);
}

static int need(const struct expr *x, const struct value *v, enum value_kind kind, struct err *e)
{
    static const char *const NAMES[] = {"a number", "a text", "true or false"};
    if (v->kind == kind)
        return 0;
    return place_fail(x->file, x->at, e, "expected %s here, not %s%s%.60s%s", NAMES[kind], NAMES[v->kind],
                      v->kind == VALUE_TEXT ? " (\"" : "", v->kind == VALUE_TEXT ? v->text : "",
                      v->kind == VALUE_TEXT ? "\")" : "");
}

int expr_number(const struct expr *x, const struct lesson_env *env, double *out, struct err *e)
{
    struct value v;
    if (expr_eval(x, env, &v, e) != 0 || need(x, &v, VALUE_NUMBER, e) != 0)
        return -1;
    *out = v.number;
    return 0;
}

int expr_truth(const struct expr *x, const struct lesson_env *env, bool *out, struct err *e)
{
    struct value v;
    if (expr_eval(x, env, &v, e) != 0 || need(x, &v, VALUE_TRUTH, e) != 0)
        return -1;
    *out = v.number != 0;
    return 0;
}

static bool compares(enum operator op)
{
    return op >= OP_EQ && op <= OP_GT;
}

static int compare_values(const struct expr *x, const struct value *a, const struct value *b, struct value *out,
                          struct err *e)
{
    if (x->op == OP_EQ || x->op == OP_NE) {
        if (a->kind != b->kind)
            return need(x->arg[1], b, a->kind, e);
        value_truth(out, value_equal(a, b) == (x->op == OP_EQ));
        return 0;
    }
    if (need(x->arg[0], a, VALUE_NUMBER, e) != 0 || need(x->arg[1], b, VALUE_NUMBER, e) != 0)
        return -1;
    bool equal = value_equal(a, b), less = !equal && a->number < b->number, more = !equal && a->number > b->number;
    value_truth(out, x->op == OP_LT ? less : x->op == OP_GT ? more : x->op == OP_LE ? equal || less : equal || more);
    return 0;
}

static int calculate(const struct expr *x, double a, double b, struct value *out, struct err *e)
{
    if (b == 0 && (x->op == OP_DIV || x->op == OP_INT || x->op == OP_MOD))
        return place_fail(x->file, x->at, e, "division by 0");
    switch (x->op) {
    case OP_ADD: value_number(out, a + b); break;
    case OP_SUB: value_number(out, a - b); break;
    case OP_MUL: value_number(out, a * b); break;
    case OP_DIV: value_number(out, a / b); break;
    case OP_INT: value_number(out, floor(a / b)); break;
    default: value_number(out, a - b * floor(a / b)); break;
    }
    return 0;
}

static int eval_logic(const struct expr *x, const struct lesson_env *env, struct value *out, struct err *e)
{
    bool a, b;
    if (expr_truth(x->arg[0], env, &a, e) != 0 || expr_truth(x->arg[1], env, &b, e) != 0)
        return -1; /* both sides, always: a mistake must not hide behind the other side */
    value_truth(out, x->op == OP_AND ? a && b : a || b);
    return 0;
}

static int eval_binary(const struct expr *x, const struct lesson_env *env, struct value *out, struct err *e)
{
    struct value a, b;
    if (x->op == OP_AND || x->op == OP_OR)
        return eval_logic(x, env, out, e);
    bool word = x->op == OP_EQ || x->op == OP_NE; /* policy == lru */
    if (eval_any(x->arg[0], env, false, &a, e) != 0 || eval_any(x->arg[1], env, word, &b, e) != 0)
        return -1;
    if (compares(x->op))
        return compare_values(x, &a, &b, out, e);
    if (need(x->arg[0], &a, VALUE_NUMBER, e) != 0 || need(x->arg[1], &b, VALUE_NUMBER, e) != 0)
        return -1;
    return calculate(x, a.number, b.number, out, e);
}

static int eval_any(const struct expr *x, const struct lesson_env *env, bool word, struct value *out, struct err *e)
{
    double number;
    bool truth;
    value_number(out, 0); /* also when it fails */
    switch (x->kind) {
    case X_NUMBER: value_number(out, x->number); return 0;
    case X_TEXT: return value_text(out, x->text, e);
    case X_NAME: return eval_name(x, env, word, out, e);
    case X_CALL: return eval_call(x, env, out, e);
    case X_AT:
    case X_BEFORE: return eval_elsewhere(x, env, word, out, e);
    case X_NOT:
        if (expr_truth(x->arg[0], env, &truth, e) != 0)
            return -1;
        value_truth(out, !truth);
        return 0;
    case X_MINUS:
        if (expr_number(x->arg[0], env, &number, e) != 0)
            return -1;
        value_number(out, -number);
        return 0;
    default: return eval_binary(x, env, out, e);
    }
}

int expr_eval(const struct expr *x, const struct lesson_env *env, struct value *out, struct err *e)
{
    return eval_any(x, env, false, out, e);
}

bool expr_sides(const struct expr *x, const struct lesson_env *env, struct value *left, struct value *right)
{
    struct err ignored = {0};
    return x->kind == X_BINARY && compares(x->op) && eval_any(x->arg[0], env, false, left, &ignored) == 0 &&
           eval_any(x->arg[1], env, true, right, &ignored) == 0;
}

int expr_parts(const struct expr *x, const struct expr **out, int most)
{
    if (x->kind != X_BINARY || x->op != OP_AND) {
        *out = x;
        return most > 0;
    }
    int n = expr_parts(x->arg[0], out, most);
    return n < most ? n + expr_parts(x->arg[1], out + n, most - n) : n;
}

const char *expr_text(const struct expr *x)
{
    return x->source != NULL ? x->source : x->text != NULL ? x->text : "";
}

struct place expr_place(const struct expr *x)
{
    return x->at;
}
