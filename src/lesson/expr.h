/* expr.h: the expressions of a lesson: every figure in its prose, every expectation, every answer.
 *
 *      {= cached(fish) }   {= nodes @ first }   {= 100 * cached(fish) / prompt(fish) | .1}
 *
 *      expr   = and { "or" and }                    and  = not { "and" not }
 *      not    = [ "not" ] test                      test = sum [ (== != < <= > >=) sum ]
 *      sum    = term { (+ -) term }                 term = sign { (* / // %) sign }
 *      sign   = [ "-" ] place                       place = value [ "@" block | "@" "before" block ]
 *      value  = number | "text" | name [ "(" expr, … ")" ] | "(" expr ")"
 *
 * `x @ block` is x at the moment when that block of commands had run, `x @ before block` just before it.
 * Names are figures (figures.h), names bound by `let`, or words that a figure takes: labels, letters of nodes.
 *
 * Parsing knows every figure's name and number of arguments; evaluating knows the run. Errors name file,
 * line and column. A tree of expressions is immutable; depth and size are bounded.
 */
#ifndef RADIXSCOPE_LESSON_EXPR_H
#define RADIXSCOPE_LESSON_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct expr;
struct lesson_env; /* run.h */

/* A place in a lesson's file, from 1. */
struct place {
    uint32_t line, column;
};

enum { VALUE_TEXT_MAX = 480 };

enum value_kind { VALUE_NUMBER, VALUE_TEXT, VALUE_TRUTH };

struct value {
    enum value_kind kind;
    double number;               /* of VALUE_TRUTH: 0 or 1 */
    char text[VALUE_TEXT_MAX];   /* of VALUE_TEXT */
};

/* A text to be parsed: `at` is the place of its first byte in file `name` (borrowed: errors say it later). */
struct expr_source {
    const char *name, *text;
    size_t len;
    struct place at;
};

struct expr *expr_parse(const struct expr_source *s, struct err *e); /* NULL and *e */
void expr_free(struct expr *x);                                      /* may be NULL */

/* 0 and *out, or -1 and *e. */
int expr_eval(const struct expr *x, const struct lesson_env *env, struct value *out, struct err *e);

/* Evaluate to the given kind; a number counts as no truth and a truth as no number. */
int expr_number(const struct expr *x, const struct lesson_env *env, double *out, struct err *e);
int expr_truth(const struct expr *x, const struct lesson_env *env, bool *out, struct err *e);

/* If x is a comparison: its two sides as values, for "expected …, but it is …". false: it is none. */
bool expr_sides(const struct expr *x, const struct lesson_env *env, struct value *left, struct value *right);

/* The parts that "and" joins at the top of x, at most `most`; x itself if it joins none. Returns how many. */
int expr_parts(const struct expr *x, const struct expr **out, int most);

const char *expr_text(const struct expr *x);     /* as it was written; also of the parts that "and" joins */
struct place expr_place(const struct expr *x);

/* Values. */
void value_number(struct value *v, double number);
void value_truth(struct value *v, bool truth);
int value_text(struct value *v, const char *text, struct err *e); /* -1: longer than a value may be */
bool value_equal(const struct value *a, const struct value *b);   /* texts without regard to case; numbers to 9 digits */
/* Append a value as prose shows it. format: "" or words of lesson_formats(): ".2", "si", "percent", "bytes", "e", a width. */
void value_show(const struct value *v, const char *format, struct buf *out);
/* Is this a format? 0, or -1 and *e with a sentence without a place. */
int value_format_check(const char *format, struct err *e);

/* Set *e to "file:line:column: …". Returns -1. */
int place_fail(const char *name, struct place at, struct err *e, const char *fmt, ...) PRINTF_LIKE(4, 5);
#ifdef __clang_analyzer__ /* as in base/err.h */
#define place_fail(...) ((place_fail)(__VA_ARGS__), -1)
#endif

#endif
