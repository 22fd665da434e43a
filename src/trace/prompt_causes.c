/* prompt_causes.c: what can be proved about the place where two texts part. */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "trace/prompt_lint.h"

enum { WORD_MOST = 64, LINE_LEAST = 8 };

/* ---- time stamps and ids ---------------------------------------------------------------------------------- */

/* Does the text (n) match a pattern at its beginning? 9 a digit, h a hexadecimal one, - one of -/. and all else itself. */
static bool matches(const char *text, size_t n, const char *pattern)
{
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        if (i >= n)
            return false;
        unsigned char c = (unsigned char)text[i];
        bool ok = pattern[i] == '9'   ? isdigit(c) != 0
                  : pattern[i] == 'h' ? isxdigit(c) != 0
                  : pattern[i] == '-' ? strchr("-/.", c) != NULL && c != '\0'
                                      : c == (unsigned char)pattern[i];
        if (!ok)
            return false;
    }
    return true;
}

static bool holds(const char *word, size_t n, const char *pattern)
{
    for (size_t i = 0; i < n; i++)
        if (matches(word + i, n - i, pattern))
            return true;
    return false;
}

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr(":-+./_", c) != NULL);
}

/* The word around byte `at`: [*from, *to), at most WORD_MOST bytes to each side. */
static void word_around(const char *text, size_t len, size_t at, size_t *from, size_t *to)
{
    *from = *to = at < len ? at : len;
    while (*from > 0 && at - *from < WORD_MOST && word_char(text[*from - 1]))
        --*from;
    while (*to < len && *to - at < WORD_MOST && word_char(text[*to]))
        ++*to;
}

static bool names_day_or_month(const char *word, size_t n)
{
    static const char *const NAMES[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
                                        "january", "february", "march", "april", "may", "june", "july", "august",
                                        "september", "october", "november", "december"};
    char lower[16] = "";
    while (n > 0 && !isalpha((unsigned char)word[n - 1]))
        n--;
    for (size_t i = 0; i < n && n < sizeof lower; i++)
        lower[i] = (char)tolower((unsigned char)word[i]);
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (strcmp(lower, NAMES[i]) == 0 || (n == 3 && strncmp(lower, NAMES[i], 3) == 0))
            return true;
    return false;
}

/* A number beside the name of a month: "25 November". */
static bool beside_a_month(const char *text, size_t len, size_t from, size_t to)
{
    size_t a, b;
    if (!isdigit((unsigned char)text[from]))
        return false;
    if (from > 1 && text[from - 1] == ' ') {
        word_around(text, len, from - 2, &a, &b);
        if (names_day_or_month(text + a, b - a))
            return true;
    }
    if (to + 1 >= len || text[to] != ' ')
        return false;
    word_around(text, len, to + 1, &a, &b);
    return names_day_or_month(text + a, b - a);
}

/* The kind of stamp that byte `at` stands in, as a bit; 0: none. */
static uint32_t stamp_at(const struct prompt_message *m, size_t at)
{
    size_t from, to;
    word_around(m->text, m->len, at, &from, &to);
    const char *word = m->text + from;
    size_t n = to - from;
    if (n == 0)
        return 0;
    if (holds(word, n, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"))
        return 1u << LINT_UUID;
    if (holds(word, n, "9999-99-99") || holds(word, n, "99-99-9999") || holds(word, n, "9:99") ||
        names_day_or_month(word, n) || beside_a_month(m->text, m->len, from, to))
        return 1u << LINT_TIME;
    return holds(word, n, "999999999") ? 1u << LINT_NUMBER : 0;
}

/* ---- the same, written in another way --------------------------------------------------------------------- */

static bool differ_in_blanks(const struct prompt_message *a, const struct prompt_message *b)
{
    size_t i = 0, j = 0;
    for (;; i++, j++) {
        while (i < a->len && isspace((unsigned char)a->text[i]))
            i++;
        while (j < b->len && isspace((unsigned char)b->text[j]))
            j++;
        if (i == a->len || j == b->len)
            return i == a->len && j == b->len;
        if (a->text[i] != b->text[j])
            return false;
    }
}

static bool same_json(const char *a, size_t n, const char *b, size_t k)
{
    json_t *x = json_loadb(a, n, JSON_ALLOW_NUL, NULL), *y = json_loadb(b, k, JSON_ALLOW_NUL, NULL);
    bool same = x != NULL && y != NULL && json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return same;
}

/* ---- lines ------------------------------------------------------------------------------------------------ */

struct line {
    const char *text;
    size_t len, where;
};

static int by_text(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    size_t least = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->text, y->text, least);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* The next line at *pos or behind it that is long enough. */
static bool next_line(const struct prompt_message *m, size_t *pos, struct line *out)
{
    while (*pos < m->len) {
        const char *end = memchr(m->text + *pos, '\n', m->len - *pos);
        size_t n = end != NULL ? (size_t)(end - (m->text + *pos)) : m->len - *pos;
        *out = (struct line){m->text + *pos, n, *pos};
        *pos += n + 1;
        if (n >= LINE_LEAST)
            return true;
    }
    return false;
}

/* Where the first whole line behind `from` begins. */
static size_t first_line(const struct prompt_message *m, size_t from)
{
    const char *end = from > 0 && m->text[from - 1] != '\n' ? memchr(m->text + from, '\n', m->len - from) : NULL;
    if (from == 0 || m->text[from - 1] == '\n')
        return from;
    return end != NULL ? (size_t)(end - m->text) + 1 : m->len;
}

/* The lines behind `from`, sorted. NULL and *n = 0 without any; *failed: no memory. */
static struct line *sorted_lines(const struct prompt_message *m, size_t from, size_t *n, bool *failed)
{
    void *list = NULL;
    size_t cap = 0;
    struct line one;
    *n = 0;
    *failed = false;
    for (size_t pos = first_line(m, from); next_line(m, &pos, &one);) {
        if (!xgrow(&list, &cap, *n + 1, sizeof one)) {
            *failed = true;
            break;
        }
        ((struct line *)list)[(*n)++] = one;
    }
    if (*n > 0)
        qsort(list, *n, sizeof one, by_text);
    return list;
}

bool lint_common_lines(const struct prompt_message *was, const struct prompt_message *is, size_t from,
                       bool (*visit)(void *ctx, const char *line, size_t len, size_t where), void *ctx)
{
    size_t n;
    bool failed;
    struct line *list = sorted_lines(was, from, &n, &failed), one;
    for (size_t pos = first_line(is, from); !failed && n > 0 && next_line(is, &pos, &one);) {
        const struct line *found = bsearch(&one, list, n, sizeof one, by_text);
        bool twice = found != NULL && ((found > list && by_text(found - 1, found) == 0) ||
                                       (found + 1 < list + n && by_text(found + 1, found) == 0));
        if (found != NULL && !twice)
            failed = !visit(ctx, one.text, one.len, found->where);
    }
    xfree(list);
    return !failed;
}

struct order_seen {
    size_t last;
    bool back;
};

static bool see_order(void *ctx, const char *line, size_t len, size_t where)
{
    struct order_seen *o = ctx;
    (void)line;
    (void)len;
    o->back |= where < o->last;
    o->last = where;
    return true;
}

/* ---- together --------------------------------------------------------------------------------------------- */

uint32_t lint_text_causes(const struct prompt_message *was, const struct prompt_message *is, size_t at)
{
    struct order_seen order = {0};
    uint32_t a = stamp_at(was, at), found = 0;
    if (a != 0 && a == stamp_at(is, at))
        found |= a;
    if (differ_in_blanks(was, is))
        found |= 1u << LINT_BLANKS;
    else if (same_json(was->text, was->len, is->text, is->len))
        found |= 1u << LINT_KEYS;
    if (lint_common_lines(was, is, at, see_order, &order) && order.back)
        found |= 1u << LINT_ORDER;
    if (strcmp(was->role, is->role) != 0)
        return found;
    if (strcmp(is->role, "assistant") == 0)
        found |= 1u << LINT_ANSWER;
    if (found == 0 && strcmp(is->role, "system") == 0)
        found |= 1u << LINT_SYSTEM;
    return found;
}

/* Is every tool of a in b, and as often? */
static bool same_tools(const json_t *a, const json_t *b)
{
    size_t n = json_array_size(a);
    bool same = n == json_array_size(b);
    for (size_t i = 0; same && i < n; i++) {
        size_t in_a = 0, in_b = 0;
        for (size_t k = 0; k < n; k++) {
            in_a += (size_t)json_equal(json_array_get(a, i), json_array_get(a, k));
            in_b += (size_t)json_equal(json_array_get(a, i), json_array_get(b, k));
        }
        same = in_a == in_b;
    }
    return same;
}

uint32_t lint_tools_causes(const char *was, const char *is)
{
    json_t *a = was != NULL ? json_loads(was, 0, NULL) : NULL, *b = is != NULL ? json_loads(is, 0, NULL) : NULL;
    enum lint_cause cause = a == NULL || b == NULL ? LINT_TOOLS_LIST
                            : json_equal(a, b)     ? LINT_TOOLS_KEYS
                            : same_tools(a, b)     ? LINT_TOOLS_ORDER
                                                   : LINT_TOOLS_LIST;
    json_decref(a);
    json_decref(b);
    return 1u << cause;
}
