#include "script/script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "script/nearest.h"
#include "script/sampling.h"
#include "tape/world.h"

static const struct script_command_info COMMANDS[RXS_COUNT] = {
#define X(id, name, role, operands, options, help) [RXS_##id] = {name, operands, options, help, ROLE_##role},
    SCRIPT_COMMANDS(X)
#undef X
};

enum { SCRIPT_BYTES = 64 << 20 };

const struct script_command_info *script_info(enum script_kind kind)
{
    return &COMMANDS[kind];
}

int script_find(const char *name)
{
    for (int k = 0; k < RXS_COUNT; k++)
        if (strcmp(COMMANDS[k].name, name) == 0)
            return k;
    return -1;
}

/* ---- specs: "name:type name:type" ---------------------------------------------------------------- */

static const char *spec_next(const char *spec)
{
    const char *space = strchr(spec, ' ');
    return space != NULL ? space + 1 : spec + strlen(spec);
}

static size_t spec_name_len(const char *spec)
{
    return strcspn(spec, ":");
}

static char spec_type(const char *spec)
{
    return spec[spec_name_len(spec) + 1];
}

/* The spec called name (n bytes) in a list; NULL if there is none. */
static const char *spec_find(const char *list, const char *name, size_t n)
{
    for (const char *s = list; *s != '\0'; s = spec_next(s))
        if (spec_name_len(s) == n && memcmp(s, name, n) == 0)
            return s;
    return NULL;
}

const struct script_arg *script_arg(const struct script_command *c, const char *name)
{
    size_t n = strlen(name);
    for (uint32_t i = 0; i < c->nargs; i++)
        if (spec_name_len(c->arg[i].spec) == n && memcmp(c->arg[i].spec, name, n) == 0)
            return &c->arg[i];
    return NULL;
}

const char *script_text(const struct script_command *c, const char *name)
{
    const struct script_arg *a = script_arg(c, name);
    return a != NULL ? a->text : NULL;
}

uint32_t script_count(const struct script_command *c, const char *name, uint32_t otherwise)
{
    const struct script_arg *a = script_arg(c, name);
    return a != NULL ? (uint32_t)a->number : otherwise;
}

static const char *type_word(char type)
{
    switch (type) {
    case 't':
    case 's': return "TEXT";
    case 'n': return "NAME";
    case 'c':
    case 'z': return "COUNT";
    case 'i': return "NUMBER";
    case 'f': return "DECIMAL";
    default: return "POLICY";
    }
}

static void spec_write_value(const char *spec, struct buf *b)
{
    const char *type = spec + spec_name_len(spec) + 1;
    if (*type == '(')
        buf_add(b, type + 1, strcspn(type + 1, ")"));
    else
        buf_puts(b, type_word(*type));
}

/* An operand that is a number is called by its own name: "share SLOT OTHER_SLOT". */
static void operand_write(const char *spec, struct buf *b)
{
    if (strchr("cz", spec_type(spec)) == NULL) {
        spec_write_value(spec, b);
        return;
    }
    for (size_t i = 0; i < spec_name_len(spec); i++)
        buf_putc(b, spec[i] >= 'a' && spec[i] <= 'z' ? (char)(spec[i] - 'a' + 'A') : spec[i]);
}

void script_synopsis(enum script_kind kind, struct buf *b)
{
    const struct script_command_info *info = &COMMANDS[kind];
    buf_puts(b, info->name);
    for (const char *s = info->operands; *s != '\0'; s = spec_next(s)) {
        buf_putc(b, ' ');
        operand_write(s, b);
    }
    for (const char *s = info->options; *s != '\0'; s = spec_next(s)) {
        buf_printf(b, " [%.*s", (int)spec_name_len(s), s);
        if (spec_type(s) != '!') {
            buf_putc(b, '=');
            spec_write_value(s, b);
        }
        buf_puts(b, spec_type(s) == 's' ? "]…" : "]");
    }
}

/* Would a name read as a name without quotes? */
static bool stands_bare(const char *name)
{
    size_t n = strlen(name);
    return name[0] != '#' && strpbrk(name, "\"\\;") == NULL && n > 0;
}

/* Texts are quoted; names, numbers and words stand bare. */
void script_write(const struct script_command *c, struct buf *b)
{
    const struct script_command_info *info = &COMMANDS[c->kind];
    buf_puts(b, info->name);
    for (uint32_t i = 0; i < c->nargs; i++) {
        const struct script_arg *a = &c->arg[i];
        bool operand = a->spec >= info->operands && a->spec < info->operands + strlen(info->operands);
        char type = spec_type(a->spec);
        buf_putc(b, ' ');
        if (!operand)
            buf_printf(b, "%.*s%s", (int)spec_name_len(a->spec), a->spec, type == '!' ? "" : "=");
        if (type == 't' || type == 's' || (type != '!' && !stands_bare(a->text)))
            script_quote(a->text, a->len, b);
        else if (type != '!')
            buf_add(b, a->text, a->len);
    }
}

/* ---- errors ----------------------------------------------------------------------------------------- */

static int fail_at(const char *name, uint32_t line, uint32_t column, struct err *e, const char *fmt, va_list args)
{
    char what[400];
    vsnprintf(what, sizeof what, fmt, args);
    if (*name == '\0') /* typed: the person sees the line */
        return err_set(e, "%s", what);
    return err_set(e, "%s:%u:%u: %s", name, line, column, what);
}

int script_fail(const struct script *s, const struct script_command *c, uint32_t column, struct err *e,
                const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_at(s->name, c->line, column != 0 ? column : c->column, e, fmt, args);
    va_end(args);
    return -1;
}

/* ---- reading one line ---------------------------------------------------------------------------------- */

struct reader {
    struct script *script;
    size_t capacity;         /* of script->command */
    const char *text, *end;  /* of the present line */
    const char *at;
    uint32_t line;
    bool acted;              /* an action stands above */
    uint64_t set;            /* settings seen, by kind */
    struct script_arg args[SCRIPT_ARGS];
    uint32_t nargs;
    struct err *e;
};

_Static_assert(RXS_COUNT <= 64, "settings seen are a set of 64 bits");

static uint32_t column_of(const struct reader *r, const char *at)
{
    return (uint32_t)(at - r->text) + 1;
}

static int complain(struct reader *r, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int complain(struct reader *r, const char *at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_at(r->script->name, r->line, column_of(r, at), r->e, fmt, args);
    va_end(args);
    return -1;
}

static int no_memory(struct reader *r, size_t bytes)
{
    return err_memory(r->e, bytes, "a script");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool in_word(const struct reader *r, const char *at)
{
    return at < r->end && !is_blank(*at) && *at != ';';
}

static bool skip_blanks(struct reader *r) /* false at the command's end or a comment */
{
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
    return r->at < r->end && *r->at != '#' && *r->at != ';';
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int read_unicode(struct reader *r, const char *start, struct buf *b)
{
    uint32_t code = 0;
    int digits = 0;
    if (r->at < r->end && *r->at == '{')
        for (r->at++; r->at < r->end && hex_digit(*r->at) >= 0 && digits < 6; digits++)
            code = code * 16 + (uint32_t)hex_digit(*r->at++);
    char out[4];
    size_t n = digits > 0 && r->at < r->end && *r->at == '}' && code != 0 ? utf8_encode(code, out) : 0;
    if (n == 0)
        return complain(r, start, "\\u needs a character's number: \\u{1F600}");
    r->at++;
    buf_add(b, out, n);
    return 0;
}

static int read_escape(struct reader *r, struct buf *b)
{
    const char *start = r->at++;
    char c = r->at < r->end ? *r->at++ : '\0';
    switch (c) {
    case 'n': buf_putc(b, '\n'); return 0;
    case 't': buf_putc(b, '\t'); return 0;
    case '"':
    case '\\': buf_putc(b, c); return 0;
    case 'u': return read_unicode(r, start, b);
    case 'x': {
        int high = r->at < r->end ? hex_digit(r->at[0]) : -1;
        int low = r->at + 1 < r->end ? hex_digit(r->at[1]) : -1;
        if (high < 0 || low < 0 || high + low == 0)
            return complain(r, start, "\\x needs two hexadecimal digits, and not 00");
        r->at += 2;
        buf_putc(b, (char)(high * 16 + low));
        return 0;
    }
    default:
        complain(r, start, "'\\%c' is no escape", c == '\0' ? ' ' : c);
        return err_hint(r->e, "possible are \\\" \\\\ \\n \\t \\xHH and \\u{HEX}");
    }
}

static int read_quoted(struct reader *r, struct buf *b)
{
    const char *start = r->at++;
    while (r->at < r->end && *r->at != '"') {
        if (*r->at == '\\') {
            if (read_escape(r, b) != 0)
                return -1;
        } else {
            buf_putc(b, *r->at++);
        }
    }
    if (r->at == r->end) {
        complain(r, start, "this text has no closing \"");
        return err_hint(r->e, "a text ends on its own line; write \\n for a new line");
    }
    r->at++;
    if (r->at < r->end && !is_blank(*r->at) && *r->at != '#' && *r->at != ';')
        return complain(r, r->at, "'%c' stands directly behind a text: put a space between", *r->at);
    return 0;
}

/* A value: "text" or a bare word. */
static int read_value(struct reader *r, struct buf *b)
{
    if (r->at < r->end && *r->at == '"')
        return read_quoted(r, b);
    const char *start = r->at;
    while (in_word(r, r->at) && *r->at != '"')
        r->at++;
    if (r->at < r->end && *r->at == '"')
        return complain(r, r->at, "a \" inside a word: put the whole text in quotes");
    buf_add(b, start, (size_t)(r->at - start));
    return 0;
}

/* ---- values ----------------------------------------------------------------------------------------------- */

static bool all_digits(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int value_count(struct reader *r, const char *at, struct script_arg *a)
{
    if (!all_digits(a->text))
        return complain(r, at, "%.*s must be a whole number, not '%.40s'", (int)spec_name_len(a->spec), a->spec,
                        a->text);
    a->number = strtod(a->text, NULL);
    if (a->number > 4294967294.0)
        return complain(r, at, "%.40s is too large: at most 4294967294", a->text);
    return 0;
}

static int value_signed(struct reader *r, const char *at, struct script_arg *a)
{
    const char *digits = a->text[0] == '-' ? a->text + 1 : a->text;
    a->number = strtod(a->text, NULL);
    if (!all_digits(digits))
        return complain(r, at, "%.*s must be a whole number, not '%.40s'", (int)spec_name_len(a->spec), a->spec,
                        a->text);
    if (a->number < -2147483647.0 || a->number > 2147483647.0)
        return complain(r, at, "%.40s is out of range: -2147483647 to 2147483647", a->text);
    return 0;
}

static int value_decimal(struct reader *r, const char *at, struct script_arg *a)
{
    size_t n = strspn(a->text, "0123456789.");
    const char *dot = strchr(a->text, '.');
    a->number = strtod(a->text, NULL);
    if (n == 0 || n != a->len || (n == 1 && dot != NULL) || (dot != NULL && strchr(dot + 1, '.') != NULL) || n > 30)
        return complain(r, at, "%.*s must be a number like 0.7, not '%.40s'", (int)spec_name_len(a->spec), a->spec,
                        a->text);
    return 0;
}

static int value_policy(struct reader *r, const char *at, struct script_arg *a)
{
    uint32_t policy;
    if (policy_parse(a->text, &policy, NULL) == 0) {
        a->number = policy;
        return 0;
    }
    struct nearest near = {0};
    struct buf all = {0};
    for (uint32_t i = 0; i < POLICY_COUNT; i++) {
        nearest_try(&near, a->text, policy_name(i));
        buf_printf(&all, "%s%s", i > 0 ? ", " : "", policy_name(i));
    }
    complain(r, at, "'%.40s' is no eviction policy", a->text);
    if (near.name != NULL)
        err_hint(r->e, "did you mean %s? There are %s", near.name, buf_text(&all));
    err_hint(r->e, "there are %s", buf_text(&all));
    buf_free(&all);
    return -1;
}

static int value_choice(struct reader *r, const char *at, struct script_arg *a)
{
    const char *word = a->spec + spec_name_len(a->spec) + 2;
    for (int i = 0; *word != ')'; i++) {
        size_t n = strcspn(word, "|)");
        if (n == a->len && memcmp(word, a->text, n) == 0) {
            a->number = i;
            return 0;
        }
        word += n + (word[n] == '|');
    }
    const char *all = a->spec + spec_name_len(a->spec) + 2;
    complain(r, at, "'%.40s' is not possible here", a->text);
    return err_hint(r->e, "possible: %.*s", (int)strcspn(all, ")"), all);
}

static int value_name(struct reader *r, const char *at, const struct script_arg *a)
{
    if (a->len == 0 || a->len > 63 || strcspn(a->text, " \t\n") != a->len)
        return complain(r, at, "a name has 1 to 63 characters and no spaces");
    return 0;
}

/* A world needs at least one slot, and a page one token. */
static int value_size(struct reader *r, const char *at, struct script_arg *a)
{
    if (value_count(r, at, a) != 0)
        return -1;
    return a->number >= 1.0 ? 0 : complain(r, at, "%.*s must be at least 1", (int)spec_name_len(a->spec), a->spec);
}

static int value_check(struct reader *r, const char *at, struct script_arg *a)
{
    switch (spec_type(a->spec)) {
    case 'c': return value_count(r, at, a);
    case 'z': return value_size(r, at, a);
    case 'i': return value_signed(r, at, a);
    case 'f': return value_decimal(r, at, a);
    case 'p': return value_policy(r, at, a);
    case '(': return value_choice(r, at, a);
    case 'n': return value_name(r, at, a);
    default: return 0;
    }
}

/* ---- a command ---------------------------------------------------------------------------------------------- */

static int add_arg(struct reader *r, const char *spec, const char *at, struct buf *value)
{
    if (r->nargs == SCRIPT_ARGS)
        return complain(r, at, "too many values on one line: at most %d", SCRIPT_ARGS);
    struct script_arg *a = &r->args[r->nargs];
    *a = (struct script_arg){.spec = spec, .column = column_of(r, at)};
    if (value->data == NULL)
        buf_puts(value, ""); /* an empty text is a text */
    a->text = value->failed ? NULL : value->data != NULL ? buf_take(value, &a->len) : xstrdup("");
    if (a->text == NULL)
        return no_memory(r, value->len);
    r->nargs++;
    return value_check(r, at, a);
}

static int read_into(struct reader *r, const char *spec)
{
    struct buf value = {0};
    const char *at = r->at;
    int rc = read_value(r, &value);
    if (rc == 0)
        rc = add_arg(r, spec, at, &value);
    buf_free(&value);
    return rc;
}

/* A typed word as a string, cut at 63 bytes. */
struct typed {
    char text[64];
};

static struct typed typed_word(const char *at, size_t n)
{
    struct typed t = {""};
    memcpy(t.text, at, n < sizeof t.text - 1 ? n : sizeof t.text - 1);
    return t;
}

/* Was the last operand a text without quotes? Then what follows was probably meant to be its end. */
static bool bare_text(const struct reader *r, const struct script_command_info *info)
{
    const struct script_arg *last = r->nargs > 0 ? &r->args[r->nargs - 1] : NULL;
    return last != NULL && last->spec >= info->operands && last->spec < info->operands + strlen(info->operands) &&
           spec_type(last->spec) == 't' && r->text[last->column - 1] != '"';
}

static int unknown_option(struct reader *r, const char *at, size_t n, const struct script_command_info *info)
{
    char name[SCRIPT_ARGS][24];
    int names = 0;
    struct typed typed = typed_word(at, n);
    struct nearest near = {0};
    struct buf all = {0};
    for (const char *s = info->options; *s != '\0'; s = spec_next(s), names++) {
        ASSERT(names < SCRIPT_ARGS);
        snprintf(name[names], sizeof name[names], "%.*s", (int)spec_name_len(s), s);
        nearest_try(&near, typed.text, name[names]);
        buf_printf(&all, "%s%s", names > 0 ? ", " : "", name[names]);
    }
    if (at + n < r->end && at[n] == '=')
        complain(r, at, "%s has no option '%s'", info->name, typed.text);
    else
        complain(r, at, "'%s' is one too many for %s", typed.text, info->name);
    bool value = at + n < r->end && at[n] == '=', text = !value && bare_text(r, info);
    if (near.name != NULL)
        err_hint(r->e, text ? "a text with spaces stands in quotes; or did you mean %s?" : "did you mean %s?", near.name);
    else if (names == 0)
        err_hint(r->e, "%s takes %s", info->name, info->operands[0] == '\0' ? "nothing more" : text ?
                 "no options; a text with spaces stands in quotes" : "no options");
    err_hint(r->e, "%sits options are %s", text ? "a text with spaces stands in quotes; " : "", buf_text(&all));
    buf_free(&all);
    return -1;
}

static bool given(const struct reader *r, const char *spec)
{
    for (uint32_t i = 0; i < r->nargs; i++)
        if (r->args[i].spec == spec)
            return true;
    return false;
}

/* name=value, name value, or a flag's name. */
static int read_option(struct reader *r, const struct script_command_info *info)
{
    const char *at = r->at;
    if (*at == '"')
        return complain(r, at, "a text is one too many for %s", info->name);
    size_t n = 0;
    while (in_word(r, at + n) && at[n] != '=' && at[n] != '"')
        n++;
    const char *spec = spec_find(info->options, at, n);
    if (spec == NULL)
        return unknown_option(r, at, n, info);
    if (given(r, spec) && info != &COMMANDS[RXS_EXPECT] && spec_type(spec) != 's')
        return complain(r, at, "%.*s is given twice", (int)n, at);
    r->at += n;
    bool equals = r->at < r->end && *r->at == '=';
    if (spec_type(spec) == '!') {
        struct buf none = {0};
        return equals ? complain(r, r->at, "%.*s takes no value", (int)n, at) : add_arg(r, spec, at, &none);
    }
    if (equals)
        r->at++;
    if (equals ? !in_word(r, r->at) : !skip_blanks(r))
        return complain(r, at, "%.*s needs a value: %.*s=%s", (int)n, at, (int)n, at,
                        spec_type(spec) == '(' ? "WORD" : type_word(spec_type(spec)));
    return read_into(r, spec);
}

/* "a text", "a number of tokens", "the number of the other slot": what kind of value it is, by the operand's own name. */
static void operand_phrase(const char *spec, struct buf *b)
{
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)spec_name_len(spec), spec);
    for (char *c = name; *c != '\0'; c++)
        *c = *c == '_' ? ' ' : *c;
    const char *kind = spec_type(spec) == 't' ? "text" : "name";
    switch (spec_type(spec)) {
    case 't':
    case 'n': buf_printf(b, strcmp(name, kind) == 0 ? "a %s" : "a %s (%s)", kind, name); break;
    case 'p': buf_puts(b, "a policy"); break;
    case '(': buf_puts(b, "a word"); break;
    default: buf_printf(b, name[strlen(name) - 1] == 's' ? "a number of %s" : "the number of the %s", name); break;
    }
}

static int missing_operand(struct reader *r, enum script_kind kind, const char *spec)
{
    struct buf synopsis = {0}, what = {0};
    script_synopsis(kind, &synopsis);
    operand_phrase(spec, &what);
    complain(r, r->at, "%s needs %s here", COMMANDS[kind].name, buf_text(&what));
    err_hint(r->e, "%.240s", buf_text(&synopsis));
    buf_free(&synopsis);
    buf_free(&what);
    return -1;
}

static int read_args(struct reader *r, enum script_kind kind)
{
    const struct script_command_info *info = &COMMANDS[kind];
    for (const char *s = info->operands; *s != '\0'; s = spec_next(s)) {
        if (!skip_blanks(r))
            return missing_operand(r, kind, s);
        if (read_into(r, s) != 0)
            return -1;
    }
    while (skip_blanks(r))
        if (read_option(r, info) != 0)
            return -1;
    if (kind == RXS_EXPECT && r->nargs == 0)
        return complain(r, r->at, "expect needs something to expect, such as cached=29");
    return 0;
}

static int unknown_command(struct reader *r, const char *at, size_t n)
{
    struct typed typed = typed_word(at, n);
    struct nearest near = {0};
    struct buf all = {0};
    for (int k = 0; k < RXS_COUNT; k++) {
        if (COMMANDS[k].role == ROLE_PROMPT && r->script->name[0] != '\0')
            continue; /* belongs to no file */
        nearest_try(&near, typed.text, COMMANDS[k].name);
        buf_printf(&all, "%s%s", k > 0 ? ", " : "", COMMANDS[k].name);
    }
    complain(r, at, "'%s' is no command", typed.text);
    if (near.name != NULL)
        err_hint(r->e, "did you mean %s?", near.name);
    err_hint(r->e, "commands are %s", buf_text(&all));
    buf_free(&all);
    return -1;
}

static int check_role(struct reader *r, enum script_kind kind, const char *at)
{
    const struct script_command_info *info = &COMMANDS[kind];
    if (info->role == ROLE_PROMPT && r->script->name[0] != '\0') {
        complain(r, at, "%s is typed at a step of a history; it belongs to no file", info->name);
        return err_hint(r->e, "radixscope play FILE.rxs, then : at the step");
    }
    r->acted = r->acted || info->role == ROLE_ACTION;
    if (info->role != ROLE_SETTING)
        return 0;
    if (r->acted) {
        complain(r, at, "%s is a setting: it must stand before the first action", info->name);
        return err_hint(r->e, "the cache was made when the first action ran%s",
                        kind == RXS_POLICY ? "; from here on use: set policy NAME" : "");
    }
    if (r->set >> kind & 1)
        return complain(r, at, "%s is set twice", info->name);
    r->set |= UINT64_C(1) << kind;
    return 0;
}

static int keep_command(struct reader *r, enum script_kind kind, uint32_t column)
{
    struct script *s = r->script;
    void *commands = s->command;
    bool room = xgrow(&commands, &r->capacity, (size_t)s->count + 1, sizeof *s->command);
    s->command = commands;
    struct script_arg *args = room ? xmemdup(r->args, r->nargs * sizeof *args) : NULL;
    if (args == NULL)
        return no_memory(r, r->nargs * sizeof *args);
    s->command[s->count++] = (struct script_command){kind, r->line, column, r->nargs, args};
    r->nargs = 0; /* the texts have a new owner */
    return 0;
}

static int read_command(struct reader *r)
{
    const char *at = r->at;
    size_t n = 0;
    char name[32] = "";
    while (in_word(r, at + n) && at[n] != '#')
        n++;
    if (n < sizeof name)
        memcpy(name, at, n);
    int kind = script_find(name);
    if (kind < 0)
        return unknown_command(r, at, n);
    r->at += n;
    if (read_args(r, (enum script_kind)kind) != 0 || check_role(r, (enum script_kind)kind, at) != 0)
        return -1;
    return keep_command(r, (enum script_kind)kind, column_of(r, at));
}

static int read_line(struct reader *r, const char *text, size_t n)
{
    if (n > 0 && text[n - 1] == '\r')
        n--;
    r->text = r->at = text;
    r->end = text + n;
    const char *nul = memchr(text, '\0', n);
    if (nul != NULL) {
        complain(r, nul, "a NUL byte: this is no script");
        return -1;
    }
    int rc = 0;
    for (bool more = true; more && rc == 0; r->at += more) {
        rc = skip_blanks(r) ? read_command(r) : 0;
        for (uint32_t i = 0; i < r->nargs; i++)
            xfree(r->args[i].text);
        r->nargs = 0;
        more = r->at < r->end && *r->at == ';';
    }
    return rc;
}

/* ---- whole scripts -------------------------------------------------------------------------------------------- */

static int read_lines(struct reader *r, const char *text, size_t len)
{
    const char *end = text + len;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3; /* the mark some editors put before UTF-8 */
    for (; text < end; r->line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop != NULL ? stop : end) - text);
        if (read_line(r, text, n) != 0)
            return -1;
        text += n + 1;
    }
    return 0;
}

struct script *script_parse(const char *name, const char *text, size_t len, uint32_t first_line, struct err *e)
{
    struct script *s = xcalloc(1, sizeof *s);
    if (s == NULL || (s->name = xstrdup(name)) == NULL || (s->source = xmalloc(len + 1)) == NULL) {
        err_memory(e, len + sizeof *s, "a script");
        script_free(s);
        return NULL;
    }
    memcpy(s->source, text, len);
    s->source[len] = '\0';
    s->source_len = len;
    struct reader r = {.script = s, .line = first_line, .e = e};
    if (read_lines(&r, s->source, len) != 0) {
        script_free(s);
        return NULL;
    }
    return s;
}

struct script *script_load(const char *path, struct err *e)
{
    char *text;
    size_t len;
    if (file_read(path, SCRIPT_BYTES, &text, &len, e) != 0)
        return NULL;
    struct script *s = script_parse(path, text, len, 1, e);
    xfree(text);
    return s;
}

void script_free(struct script *s)
{
    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->count; i++) {
        for (uint32_t k = 0; k < s->command[i].nargs; k++)
            xfree(s->command[i].arg[k].text);
        xfree(s->command[i].arg);
    }
    xfree(s->command);
    xfree(s->source);
    xfree(s->name);
    xfree(s);
}

static double arg_number(const struct script_command *c, const char *name)
{
    const struct script_arg *a = script_arg(c, name);
    return a != NULL ? a->number : 0;
}

static void schedule_settings(const struct script_command *c, struct script_schedule *out)
{
    out->on = true;
    out->policy = (uint32_t)c->arg[0].number;
    out->priorities = script_arg(c, "priorities") != NULL;
    out->low_first = script_arg(c, "low_first") != NULL;
    out->preempt = script_arg(c, "preempt") != NULL;
    out->batch = script_count(c, "batch", 0);
    out->prefill = script_count(c, "prefill", 0);
    out->ttft = arg_number(c, "ttft");
    out->itl = arg_number(c, "itl");
}

static void cost_settings(const struct script_command *c, struct script_schedule *out)
{
    out->gpu = script_text(c, "gpu");
    out->model = script_text(c, "model");
    out->tflops = arg_number(c, "tflops");
    out->gbps = arg_number(c, "gbps");
    out->overhead = arg_number(c, "overhead");
    out->measured = script_arg(c, "measured") != NULL;
}

void script_settings(const struct script *s, struct script_settings *out)
{
    *out = (struct script_settings){.title = s->name, .pool = SCRIPT_POOL, .page = 1};
    for (uint32_t i = 0; i < s->count; i++) {
        const struct script_command *c = &s->command[i];
        uint32_t v = c->nargs > 0 ? (uint32_t)c->arg[0].number : 0;
        switch (c->kind) {
        case RXS_TITLE: out->title = c->arg[0].text; break;
        case RXS_POOL: out->pool = v; out->pool_given = true; break;
        case RXS_PAGE: out->page = v; break;
        case RXS_POLICY: out->policy = v; break;
        case RXS_RULES: out->rules = v; break;
        case RXS_TOKENS: out->tokens = (enum token_source)v; break;
        case RXS_MODE: out->fast = v == 1; break;
        case RXS_BUG: out->bug = v | (script_arg(c, "hidden") != NULL ? BUG_HIDDEN : 0); break;
        case RXS_CHUNK: out->chunk = v; break;
        case RXS_SCHEDULE: schedule_settings(c, &out->schedule); break;
        case RXS_COST: cost_settings(c, &out->schedule); break;
        default: break;
        }
    }
}

static int check_sampling(const struct script *s, const struct script_command *c, struct err *e)
{
    struct sampling sampling = {0};
    struct sample_params params;
    struct err inner = {0};
    sampling_read(&sampling, c);
    if (sampling_params(&sampling, &params, &inner) == 0)
        return 0;
    return script_fail(s, c, 0, e, "%s", inner.what);
}

static const char *token_source_name(enum token_source t)
{
    static const char *const NAMES[] = {"model", "words", "letters", "ids"};
    return NAMES[t];
}

/* Words that mean something only with a schedule, or only without. */
static int check_schedule(const struct script *s, const struct script_command *c, const struct script_settings *with,
                          struct err *e)
{
    static const char *const only[] = {"at", "routing"};
    const char *word = c->kind == RXS_SERVE || c->kind == RXS_ABORT || c->kind == RXS_COST ? script_info(c->kind)->name : NULL;
    for (size_t i = 0; i < ARRAY_LEN(only) && word == NULL && c->kind == RXS_REQUEST; i++)
        if (script_arg(c, only[i]) != NULL)
            word = only[i];
    if (!with->schedule.on && word != NULL) {
        script_fail(s, c, 0, e, "%s means something only with a schedule", word);
        return err_hint(e, "put a line like `schedule lpm` among the first ones");
    }
    if (with->schedule.on && c->kind == RXS_TURN) {
        script_fail(s, c, 0, e, "turn continues a conversation that has been answered; with a schedule requests only arrive");
        return err_hint(e, "write the whole prompt as a request");
    }
    return 0;
}

int script_check(const struct script *s, const struct script_settings *with, struct err *e)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct script_command *c = &s->command[i];
        bool told = c->kind == RXS_REQUEST && (script_arg(c, "answer") != NULL || with->schedule.on); /* no model runs */
        bool wants_model = (c->kind == RXS_REQUEST && !told) || c->kind == RXS_TURN || c->kind == RXS_ADAPTER;
        if (check_schedule(s, c, with, e) != 0)
            return -1;
        if (script_arg(c, "answer") != NULL && c->kind == RXS_REQUEST && with->tokens == TOKENS_MODEL)
            return script_fail(s, c, 0, e, "answer= is for tokens words or letters: here the model answers");
        if (wants_model && with->tokens != TOKENS_MODEL) {
            script_fail(s, c, 0, e, "%s needs the model, but this script has tokens %s", script_info(c->kind)->name,
                        token_source_name(with->tokens));
            return err_hint(e, "request with answer=\"…\", insert and match work without a model; or leave the tokens line out");
        }
        if (check_sampling(s, c, e) != 0)
            return -1;
    }
    return 0;
}

size_t script_last(const char *line)
{
    size_t begin = 0;
    bool quoted = false;
    for (size_t i = 0; line[i] != '\0'; i++) {
        if (quoted && line[i] == '\\' && line[i + 1] != '\0')
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
        else if (line[i] == ';' && !quoted)
            begin = i + 1 + strspn(line + i + 1, " ");
    }
    return begin;
}

void script_quote(const char *text, size_t len, struct buf *b)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '\n' || c == '\t')
            buf_puts(b, c == '\n' ? "\\n" : "\\t");
        else if (c < ' ' || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_putc(b, (char)c);
    }
    buf_putc(b, '"');
}
