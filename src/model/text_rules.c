#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/text_rules.h"

#include <pcre2.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "model/json.h"

#define MAX_RULES 64
#define MATCH_LIMIT 20000000 /* steps of one match, so that a hostile pattern gives up */

/* Normalising may make this much of `len` bytes (NFKD makes 18 of one): hostile replacements would double the
 * text with every step. */
#define GROWTH_LIMIT(len) (32 * (len) + 4096)

enum rule_kind { RULE_FORM, RULE_PREPEND, RULE_REPLACE, RULE_SPLIT, RULE_DIGITS, RULE_METASPACE, RULE_PREFIX_SPACE };
enum behavior { REMOVED, ISOLATED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS };
enum prepend { PREPEND_NEVER, PREPEND_FIRST, PREPEND_ALWAYS };

struct text_rule {
    enum rule_kind kind;
    char *from, *to;          /* REPLACE; PREPEND and METASPACE use `to`; SPLIT on a text uses `from` */
    size_t n_from, n_to;
    pcre2_code *pattern;      /* SPLIT */
    enum behavior behavior;   /* SPLIT */
    bool invert;              /* SPLIT: what is between the matches counts as the match */
    bool single;              /* DIGITS: each digit alone; METASPACE: cut before every "▁" */
    enum prepend prepend;     /* METASPACE */
    int form;                 /* FORM: utf8proc's options */
};

static const char GPT2_PATTERN[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* ---- reading ---- */

struct rules_reader {
    const char *file, *part; /* "normalizer" or "pre_tokenizer" */
    struct text_rules *rules;
    struct err *e;
};

static int unsupported(const struct rules_reader *r, const json_t *value, const char *supported)
{
    char text[80];
    return err_set(r->e, "%s: %s is %s, but %s", r->file, r->part, json_describe(value, text, sizeof text), supported);
}

static struct text_rule *new_rule(const struct rules_reader *r, bool normalise, enum rule_kind kind)
{
    struct text_rules *t = r->rules;
    size_t *n = normalise ? &t->n_normalise : &t->n_split;
    void *list = normalise ? t->normalise : t->split;
    if (*n >= MAX_RULES) {
        err_set(r->e, "%s: %s has more than %d steps", r->file, r->part, MAX_RULES);
        return NULL;
    }
    bool room = xgrow(&list, normalise ? &t->normalise_cap : &t->split_cap, *n + 1, sizeof(struct text_rule));
    *(normalise ? &t->normalise : &t->split) = list;
    if (!room) {
        err_memory(r->e, sizeof(struct text_rule), r->part);
        return NULL;
    }
    struct text_rule *rule = (struct text_rule *)list + (*n)++;
    *rule = (struct text_rule){.kind = kind};
    return rule;
}

static int keep_text(const struct rules_reader *r, const json_t *value, const char *field, char **text, size_t *len)
{
    if (!json_is_string(value))
        return err_set(r->e, "%s: %s has no text %s", r->file, r->part, field);
    *len = json_string_length(value);
    *text = xmemdup(json_string_value(value), *len + 1);
    return *text != NULL ? 0 : err_memory(r->e, *len, r->part);
}

static int read_replace(const struct rules_reader *r, const json_t *obj)
{
    const json_t *from = json_object_get(json_object_get(obj, "pattern"), "String");
    struct text_rule *rule = new_rule(r, true, RULE_REPLACE);
    if (rule == NULL || keep_text(r, from, "pattern.String", &rule->from, &rule->n_from) != 0 ||
        keep_text(r, json_object_get(obj, "content"), "content", &rule->to, &rule->n_to) != 0)
        return -1;
    return rule->n_from > 0 ? 0 : err_set(r->e, "%s: %s replaces an empty text", r->file, r->part);
}

static int read_normalizer(const struct rules_reader *r, const json_t *obj, int depth);

static int read_normalizers(const struct rules_reader *r, const json_t *list, int depth)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        if (read_normalizer(r, one, depth + 1) != 0)
            return -1;
    }
    return 0;
}

static int read_normalizer(const struct rules_reader *r, const json_t *obj, int depth)
{
    static const struct {
        const char *name;
        int form;
    } forms[] = {{"NFC", UTF8PROC_COMPOSE},
                 {"NFD", UTF8PROC_DECOMPOSE},
                 {"NFKC", UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
                 {"NFKD", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};
    const char *type = json_text(obj, "type");
    if (type != NULL && strcmp(type, "Sequence") == 0 && depth < 8)
        return read_normalizers(r, json_object_get(obj, "normalizers"), depth);
    if (type != NULL && strcmp(type, "Replace") == 0)
        return read_replace(r, obj);
    if (type != NULL && strcmp(type, "Prepend") == 0) {
        struct text_rule *rule = new_rule(r, true, RULE_PREPEND);
        return rule == NULL ? -1 : keep_text(r, json_object_get(obj, "prepend"), "prepend", &rule->to, &rule->n_to);
    }
    for (size_t i = 0; type != NULL && i < ARRAY_LEN(forms); i++)
        if (strcmp(type, forms[i].name) == 0) {
            struct text_rule *rule = new_rule(r, true, RULE_FORM);
            if (rule != NULL)
                rule->form = forms[i].form;
            return rule != NULL ? 0 : -1;
        }
    return unsupported(r, json_object_get(obj, "type"), "Sequence, NFC, NFD, NFKC, NFKD, Prepend and Replace are supported");
}

static int compile(const struct rules_reader *r, struct text_rule *rule, const char *pattern, size_t len)
{
    int code;
    size_t at;
    rule->pattern = pcre2_compile((PCRE2_SPTR)pattern, len, PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
    if (rule->pattern == NULL) {
        PCRE2_UCHAR why[128];
        pcre2_get_error_message(code, why, sizeof why);
        return err_set(r->e, "%s: the pattern of %s cannot be used: %s at its byte %zu", r->file, r->part,
                       (const char *)why, at);
    }
    pcre2_jit_compile(rule->pattern, PCRE2_JIT_COMPLETE); /* without JIT it is interpreted, only slower */
    return 0;
}

static int add_pattern(const struct rules_reader *r, const char *pattern)
{
    struct text_rule *rule = new_rule(r, false, RULE_SPLIT);
    if (rule == NULL)
        return -1;
    rule->behavior = ISOLATED;
    return compile(r, rule, pattern, strlen(pattern));
}

static int read_split(const struct rules_reader *r, const json_t *obj)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const json_t *pattern = json_object_get(obj, "pattern"), *regex = json_object_get(pattern, "Regex");
    const char *behavior = json_text(obj, "behavior");
    struct text_rule *rule = new_rule(r, false, RULE_SPLIT);
    size_t b = 0;
    if (rule == NULL)
        return -1;
    while (b < ARRAY_LEN(names) && (behavior == NULL || strcmp(behavior, names[b]) != 0))
        b++;
    if (b == ARRAY_LEN(names))
        return unsupported(r, json_object_get(obj, "behavior"), "a Split needs one of the known behaviors");
    rule->behavior = (enum behavior)b;
    rule->invert = json_is_true(json_object_get(obj, "invert"));
    if (json_is_string(regex))
        return compile(r, rule, json_string_value(regex), json_string_length(regex));
    if (keep_text(r, json_object_get(pattern, "String"), "pattern", &rule->from, &rule->n_from) != 0)
        return -1;
    return rule->n_from > 0 ? 0 : err_set(r->e, "%s: %s splits at an empty text", r->file, r->part);
}

static int read_byte_level(const struct rules_reader *r, const json_t *obj)
{
    const json_t *regex = json_object_get(obj, "use_regex");
    r->rules->byte_level = true;
    if (json_is_true(json_object_get(obj, "add_prefix_space")) && new_rule(r, false, RULE_PREFIX_SPACE) == NULL)
        return -1;
    return regex == NULL || json_is_true(regex) ? add_pattern(r, GPT2_PATTERN) : 0;
}

static int read_metaspace(const struct rules_reader *r, const json_t *obj)
{
    struct text_rule *rule = new_rule(r, false, RULE_METASPACE);
    const char *scheme = json_text(obj, "prepend_scheme");
    const json_t *old = json_object_get(obj, "add_prefix_space"), *split = json_object_get(obj, "split");
    if (rule == NULL || keep_text(r, json_object_get(obj, "replacement"), "replacement", &rule->to, &rule->n_to) != 0)
        return -1;
    uint32_t code;
    if (utf8_decode(rule->to, rule->n_to, &code) != rule->n_to || rule->n_to == 0)
        return unsupported(r, json_object_get(obj, "replacement"), "a Metaspace replacement is one character");
    rule->prepend = old == NULL || json_is_true(old) ? PREPEND_ALWAYS : PREPEND_NEVER;
    if (scheme != NULL)
        rule->prepend = strcmp(scheme, "never") == 0 ? PREPEND_NEVER
                        : strcmp(scheme, "first") == 0 ? PREPEND_FIRST : PREPEND_ALWAYS;
    rule->single = split == NULL || json_is_true(split);
    return 0;
}

static int read_pre_tokenizer(const struct rules_reader *r, const json_t *obj, int depth);

static int read_pre_tokenizers(const struct rules_reader *r, const json_t *list, int depth)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        if (read_pre_tokenizer(r, one, depth + 1) != 0)
            return -1;
    }
    return 0;
}

static int read_pre_tokenizer(const struct rules_reader *r, const json_t *obj, int depth)
{
    const char *type = json_text(obj, "type");
    if (type != NULL && strcmp(type, "Sequence") == 0 && depth < 8)
        return read_pre_tokenizers(r, json_object_get(obj, "pretokenizers"), depth);
    if (type != NULL && strcmp(type, "Split") == 0)
        return read_split(r, obj);
    if (type != NULL && strcmp(type, "ByteLevel") == 0)
        return read_byte_level(r, obj);
    if (type != NULL && strcmp(type, "Metaspace") == 0)
        return read_metaspace(r, obj);
    if (type != NULL && strcmp(type, "Digits") == 0) {
        struct text_rule *rule = new_rule(r, false, RULE_DIGITS);
        if (rule != NULL)
            rule->single = json_is_true(json_object_get(obj, "individual_digits"));
        return rule != NULL ? 0 : -1;
    }
    return unsupported(r, json_object_get(obj, "type"), "Sequence, Split, ByteLevel, Digits and Metaspace are supported");
}

int text_rules_read(const char *file, const json_t *root, struct text_rules *out, struct err *e)
{
    const json_t *normalizer = json_object_get(root, "normalizer"), *pre = json_object_get(root, "pre_tokenizer");
    struct rules_reader r = {file, "normalizer", out, e};
    *out = (struct text_rules){0};
    if (normalizer != NULL && !json_is_null(normalizer) && read_normalizer(&r, normalizer, 0) != 0)
        return -1;
    r.part = "pre_tokenizer";
    return pre != NULL && !json_is_null(pre) ? read_pre_tokenizer(&r, pre, 0) : 0;
}

static void rules_free(struct text_rule *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        xfree(list[i].from);
        xfree(list[i].to);
        pcre2_code_free(list[i].pattern);
    }
    xfree(list);
}

void text_rules_done(struct text_rules *r)
{
    rules_free(r->normalise, r->n_normalise);
    rules_free(r->split, r->n_split);
    *r = (struct text_rules){0};
}

/* ---- normalising ---- */

/* How many bytes from here are whole characters. */
static size_t valid_run(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        uint32_t code = (unsigned char)text[at];
        size_t used = code < 0x80 ? 1 : utf8_decode(text + at, len - at, &code);
        if (code == UTF8_BAD)
            break;
        at += used;
    }
    return at;
}

static size_t invalid_run(const char *text, size_t len)
{
    size_t at = 0;
    uint32_t code = UTF8_BAD;
    while (at < len && (utf8_decode(text + at, len - at, &code), code == UTF8_BAD))
        at++;
    return at;
}

static bool all_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

/* One run of valid UTF-8 into a normalisation form: decompose into code points, compose in place. */
static int form_run(int form, const char *text, size_t len, struct buf *out, struct err *e)
{
    int options = UTF8PROC_STABLE | form;
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t n = utf8proc_decompose(bytes, (utf8proc_ssize_t)len, NULL, 0, (utf8proc_option_t)options);
    utf8proc_int32_t *points = n < 0 ? NULL : xcalloc((size_t)n + 1, sizeof *points);
    if (points == NULL)
        return err_memory(e, len * sizeof *points, "normalising text");
    utf8proc_decompose(bytes, (utf8proc_ssize_t)len, points, n, (utf8proc_option_t)options);
    n = utf8proc_reencode(points, n, (utf8proc_option_t)options);
    if (n > 0)
        buf_add(out, points, (size_t)n);
    xfree(points);
    return n >= 0 ? 0 : err_set(e, "text could not be normalised: %s", utf8proc_errmsg(n));
}

static int form(int which, const char *text, size_t len, struct buf *out, struct err *e)
{
    for (size_t at = 0; at < len;) {
        size_t good = valid_run(text + at, len - at);
        if (all_ascii(text + at, good))
            buf_add(out, text + at, good);
        else if (form_run(which, text + at, good, out, e) != 0)
            return -1;
        at += good;
        size_t bad = invalid_run(text + at, len - at);
        buf_add(out, text + at, bad);
        at += bad;
    }
    return 0;
}

/* Where `what` next stands in text, or len. */
static size_t find_text(const char *text, size_t len, size_t from, const char *what, size_t n)
{
    while (from + n <= len) {
        const char *first = memchr(text + from, what[0], len - from - n + 1);
        if (first == NULL)
            break;
        from = (size_t)(first - text);
        if (memcmp(first, what, n) == 0)
            return from;
        from++;
    }
    return len;
}

static void replace(const struct text_rule *rule, const char *text, size_t len, size_t limit, struct buf *out)
{
    for (size_t at = 0; at < len && out->len <= limit;) {
        size_t hit = find_text(text, len, at, rule->from, rule->n_from);
        buf_add(out, text + at, hit - at);
        if (hit < len)
            buf_add(out, rule->to, rule->n_to);
        at = hit < len ? hit + rule->n_from : len;
    }
}

/* One step. What exceeds `limit` is left out; the caller refuses it. */
static int apply(const struct text_rule *rule, const char *text, size_t len, size_t limit, struct buf *out,
                 struct err *e)
{
    if (rule->kind == RULE_FORM)
        return form(rule->form, text, len, out, e);
    if (rule->kind == RULE_REPLACE) {
        replace(rule, text, len, limit, out);
        return 0;
    }
    if (len > 0)
        buf_add(out, rule->to, rule->n_to);
    buf_add(out, text, len);
    return 0;
}

int text_normalise(const struct text_rules *r, const char *text, size_t len, struct buf *out, struct err *e)
{
    struct buf now = {0}, next = {0};
    int rc = 0;
    for (size_t i = 0; i < r->n_normalise && rc == 0; i++) {
        rc = apply(&r->normalise[i], i == 0 ? text : buf_text(&now), i == 0 ? len : now.len, GROWTH_LIMIT(len), &next, e);
        struct buf swap = now;
        now = next;
        next = swap;
        buf_clear(&next);
        if (now.failed)
            rc = err_memory(e, len, "normalising text");
        else if (rc == 0 && now.len > GROWTH_LIMIT(len))
            rc = err_set(e, "the tokenizer's normalizer makes more than %zu bytes of %zu", GROWTH_LIMIT(len), len);
    }
    buf_add(out, r->n_normalise > 0 ? buf_text(&now) : text, r->n_normalise > 0 ? now.len : len);
    buf_free(&now);
    buf_free(&next);
    return rc == 0 && out->failed ? err_memory(e, len, "normalising text") : rc;
}

/* ---- splitting ---- */

void pieces_done(struct pieces *p)
{
    buf_free(&p->text);
    xfree(p->at);
    *p = (struct pieces){0};
}

static void add_piece(struct pieces *p, size_t at, size_t len)
{
    void *list = p->at;
    if (len == 0)
        return;
    if (p->failed || !xgrow(&list, &p->cap, p->n + 1, sizeof *p->at)) {
        p->failed = true;
        return;
    }
    p->at = list;
    p->at[p->n++] = (struct piece){at, len};
}

/* A splitting rule hands its cuts over one after another; the behavior decides what becomes of them. */
struct cutter {
    struct pieces *out;
    enum behavior behavior;
    bool invert;
    size_t at, len;  /* the piece being gathered */
    bool match;      /* what it ends with */
};

static void cut_flush(struct cutter *c)
{
    add_piece(c->out, c->at, c->len);
    c->at += c->len;
    c->len = 0;
}

static void cut_take(struct cutter *c, size_t len, bool match)
{
    if (len == 0)
        return;
    match = match != c->invert;
    bool join = false;
    if (c->len > 0 && c->behavior == CONTIGUOUS)
        join = match == c->match;
    else if (c->len > 0 && c->behavior == MERGED_WITH_PREVIOUS)
        join = match && !c->match;
    else if (c->len > 0 && c->behavior == MERGED_WITH_NEXT)
        join = c->match && !match;
    if (!join)
        cut_flush(c);
    c->len += len;
    c->match = match;
    if (c->behavior == REMOVED && match) {
        c->at += c->len;
        c->len = 0;
    }
}

/* The runs between matches of the pattern, and the matches. `text` is valid UTF-8. */
static int cut_pattern(const struct text_rule *rule, pcre2_match_data *data, pcre2_match_context *limits,
                       const char *text, size_t len, struct cutter *c, struct err *e)
{
    const PCRE2_SIZE *found = pcre2_get_ovector_pointer(data);
    uint32_t options = PCRE2_NO_UTF_CHECK;
    size_t done = 0, from = 0;
    while (from < len) {
        int n = pcre2_match(rule->pattern, (PCRE2_SPTR)text, len, from, options, data, limits);
        if (n == PCRE2_ERROR_JIT_STACKLIMIT && options == PCRE2_NO_UTF_CHECK) {
            options |= PCRE2_NO_JIT; /* slower, and bounded by memory instead of the stack */
            continue;
        }
        if (n == PCRE2_ERROR_NOMATCH)
            break;
        if (n < 0)
            return err_set(e, "the tokenizer's pattern gave up near byte %zu of the text (PCRE2 error %d)", from, n);
        if (found[0] < done || found[1] <= found[0]) { /* an empty match cuts nothing */
            uint32_t code;
            from += utf8_decode(text + from, len - from, &code);
            continue;
        }
        cut_take(c, found[0] - done, false);
        cut_take(c, found[1] - found[0], true);
        done = from = found[1];
    }
    cut_take(c, len - done, false);
    return 0;
}

static void cut_text(const struct text_rule *rule, const char *text, size_t len, struct cutter *c)
{
    for (size_t at = 0; at < len;) {
        size_t hit = find_text(text, len, at, rule->from, rule->n_from);
        cut_take(c, hit - at, false);
        if (hit < len)
            cut_take(c, rule->n_from, true);
        at = hit < len ? hit + rule->n_from : len;
    }
}

/* "Digits" means every number: decimal digits, letters that count, fractions. */
static bool is_numeric(uint32_t code)
{
    if (code < 0x80)
        return code >= '0' && code <= '9';
    utf8proc_category_t category = code == UTF8_BAD ? UTF8PROC_CATEGORY_CN : utf8proc_category((utf8proc_int32_t)code);
    return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
}

static void cut_digits(const char *text, size_t len, struct cutter *c)
{
    size_t between = 0; /* bytes since the last digit */
    for (size_t at = 0; at < len;) {
        uint32_t code;
        size_t used = utf8_decode(text + at, len - at, &code);
        at += used;
        between += used;
        if (!is_numeric(code))
            continue;
        cut_take(c, between - used, false);
        cut_take(c, used, true);
        between = 0;
    }
    cut_take(c, between, false);
}

struct splitter {
    const struct text_rule *rule;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    struct cutter cut;
    struct err *e;
};

/* Cut one piece; patterns see its valid runs one by one. */
static int split_piece(struct splitter *s, const char *text, size_t at, size_t len)
{
    s->cut.at = at;
    s->cut.len = 0;
    text += at;
    for (size_t done = 0; done < len;) {
        size_t good = s->rule->kind == RULE_SPLIT && s->rule->pattern != NULL ? valid_run(text + done, len - done) : len;
        if (s->rule->kind == RULE_DIGITS)
            cut_digits(text, len, &s->cut);
        else if (s->rule->pattern == NULL)
            cut_text(s->rule, text, len, &s->cut);
        else if (cut_pattern(s->rule, s->data, s->limits, text + done, good, &s->cut, s->e) != 0)
            return -1;
        done += good;
        size_t bad = done < len ? invalid_run(text + done, len - done) : 0;
        cut_flush(&s->cut);
        s->cut.len = bad;
        cut_flush(&s->cut);
        done += bad;
    }
    cut_flush(&s->cut);
    return 0;
}

static int split_all(const struct text_rule *rule, struct pieces *p, struct err *e)
{
    struct pieces out = {0};
    struct splitter s = {.rule = rule, .e = e};
    s.cut.out = &out;
    s.cut.behavior = rule->kind == RULE_DIGITS ? (rule->single ? ISOLATED : CONTIGUOUS) : rule->behavior;
    s.cut.invert = rule->invert;
    int rc = 0;
    if (rule->pattern != NULL) {
        s.data = pcre2_match_data_create_from_pattern(rule->pattern, NULL);
        s.limits = pcre2_match_context_create(NULL);
        if (s.data == NULL || s.limits == NULL)
            rc = err_memory(e, 1, "matching a pattern");
        else
            pcre2_set_match_limit(s.limits, MATCH_LIMIT);
    }
    for (size_t i = 0; i < p->n && rc == 0; i++)
        rc = split_piece(&s, buf_text(&p->text), p->at[i].at, p->at[i].len);
    pcre2_match_data_free(s.data);
    pcre2_match_context_free(s.limits);
    xfree(p->at);
    p->at = out.at;
    p->n = out.n;
    p->cap = out.cap;
    p->failed = p->failed || out.failed;
    return rc;
}

/* Put a blank in front of every piece that has none. */
static void prefix_space(struct pieces *p)
{
    struct pieces out = {0};
    for (size_t i = 0; i < p->n; i++) {
        const char *text = buf_text(&p->text) + p->at[i].at;
        size_t at = out.text.len;
        if (text[0] != ' ')
            buf_putc(&out.text, ' ');
        buf_add(&out.text, text, p->at[i].len);
        add_piece(&out, at, out.text.len - at);
    }
    out.failed = out.failed || out.text.failed || p->failed;
    pieces_done(p);
    *p = out;
}

static bool begins_with(const char *text, size_t len, const char *with, size_t n)
{
    return len >= n && memcmp(text, with, n) == 0;
}

/* " " → "▁", one more in front where the scheme says so, and a cut before every "▁". */
static void metaspace(const struct text_rule *rule, bool first, struct pieces *p)
{
    struct pieces out = {0};
    struct text_rule blank = {.from = (char *)(uintptr_t)" ", .n_from = 1, .to = rule->to, .n_to = rule->n_to};
    for (size_t i = 0; i < p->n; i++) {
        size_t at = out.text.len, len = p->at[i].len;
        const char *text = buf_text(&p->text) + p->at[i].at;
        bool there = text[0] == ' ' || begins_with(text, len, rule->to, rule->n_to);
        bool wanted = rule->prepend == PREPEND_ALWAYS || (rule->prepend == PREPEND_FIRST && first && i == 0);
        if (wanted && !there)
            buf_add(&out.text, rule->to, rule->n_to);
        replace(&blank, text, len, SIZE_MAX, &out.text);
        if (rule->single) {
            struct text_rule mark = {.from = rule->to, .n_from = rule->n_to};
            struct cutter c = {.out = &out, .behavior = MERGED_WITH_NEXT, .at = at};
            cut_text(&mark, buf_text(&out.text) + at, out.text.len - at, &c);
            cut_flush(&c);
        } else
            add_piece(&out, at, out.text.len - at);
    }
    out.failed = out.failed || out.text.failed || p->failed;
    pieces_done(p);
    *p = out;
}

int text_split(const struct text_rules *r, const char *text, size_t len, bool first, struct pieces *out, struct err *e)
{
    out->n = 0;
    buf_clear(&out->text);
    buf_add(&out->text, text, len);
    add_piece(out, 0, len);
    for (size_t i = 0; i < r->n_split && !out->failed && !out->text.failed; i++) {
        if (r->split[i].kind == RULE_PREFIX_SPACE)
            prefix_space(out);
        else if (r->split[i].kind == RULE_METASPACE)
            metaspace(&r->split[i], first, out);
        else if (split_all(&r->split[i], out, e) != 0)
            return -1;
    }
    return out->failed || out->text.failed ? err_memory(e, len, "splitting text") : 0;
}
