/* Prose: md4c reads the Markdown; figures are masked from it, so that no star in them becomes emphasis. */
#include <ctype.h>
#include <md4c.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "lesson/lesson.h"
#include "script/nearest.h"
#include "tape/event.h"

enum { LITERAL = 8 }; /* a flag of this file alone: {!2023}, digits that are meant as they stand */

struct reader {
    struct slice s;
    struct prose *out;
    char *masked;
    unsigned flags;
    enum link_kind link;
    char *target;            /* borrowed from md4c's attribute: copied into each span */
    size_t target_len;
    int depth;               /* of lists */
    int ordered[8], next[8]; /* per depth: is it numbered, and the number of its next item */
    bool fresh;              /* a bullet has just begun: its paragraph needs no break */
    bool pre;
    struct err *e;
};

static const char *const LINK_NAMES[] = {"",
#define X(id, name, help) name,
    LESSON_LINKS(X)
#undef X
};

const char *link_name(enum link_kind k)
{
    return LINK_NAMES[k];
}

static void span_done(struct span *s)
{
    xfree(s->text);
    xfree(s->target);
    xfree(s->format);
    expr_free(s->expr);
}

void prose_free(struct prose *p)
{
    for (size_t i = 0; i < p->n; i++)
        span_done(&p->span[i]);
    xfree(p->span);
    *p = (struct prose){0};
}

static struct span *add_span(struct reader *r, enum span_kind kind, size_t at)
{
    void *grown = r->out->span;
    bool room = xgrow(&grown, &r->out->cap, r->out->n + 1, sizeof *r->out->span);
    r->out->span = grown;
    if (!room) {
        err_memory(r->e, 64, "a lesson's prose");
        return NULL;
    }
    struct span *s = &r->out->span[r->out->n++];
    *s = (struct span){.kind = kind, .flags = r->flags, .link = r->link, .at = lesson_place(r->s.l, at)};
    if (r->link != LINK_NONE && (s->target = xmemdup(r->target, r->target_len + 1)) == NULL) {
        err_memory(r->e, r->target_len, "a link");
        return NULL;
    }
    return s;
}

static int add_text(struct reader *r, const char *bytes, size_t n, size_t at, unsigned more)
{
    struct span *s = n > 0 ? add_span(r, SPAN_TEXT, at) : NULL;
    if (s == NULL)
        return n > 0 ? -1 : 0;
    s->flags |= more;
    s->text = xmalloc(n + 1);
    if (s->text == NULL)
        return err_memory(r->e, n, "a lesson's prose");
    memcpy(s->text, bytes, n);
    s->text[n] = '\0';
    return 0;
}

/* ---- figures ------------------------------------------------------------------------------------------ */

/* "{= cached(2) | .1 }": bytes from the brace to behind its partner; 0: none begins here. A "}" in quotes does
 * not end it. SIZE_MAX: it has no end. */
static size_t figure_length(const char *text, size_t n)
{
    bool quoted = false;
    if (n < 3 || text[0] != '{' || (text[1] != '=' && text[1] != '!'))
        return 0;
    for (size_t i = 2; i < n; i++) {
        if (text[i] == '"' && text[1] == '=')
            quoted = !quoted;
        if (text[i] == '}' && !quoted)
            return i + 1;
    }
    return SIZE_MAX;
}

/* Where its format begins (behind the last | outside quotes); n: it has none. */
static size_t format_at(const char *text, size_t n)
{
    bool quoted = false;
    size_t at = n;
    for (size_t i = 0; i < n; i++) {
        quoted ^= text[i] == '"';
        if (text[i] == '|' && !quoted)
            at = i;
    }
    return at;
}

static int add_figure(struct reader *r, size_t from, size_t len)
{
    const char *text = r->s.l->source + from;
    size_t bar = format_at(text + 2, len - 3) + 2;
    struct err inner = {0};
    struct span *s = add_span(r, SPAN_FIGURE, from);
    if (s == NULL)
        return -1;
    s->format = slice_copy((struct slice){r->s.l, from + bar + (bar + 1 < len), from + len - 1}, r->e);
    if (s->format == NULL)
        return -1;
    if (bar + 1 >= len)
        s->format[0] = '\0';
    if (value_format_check(s->format, &inner) != 0) {
        place_fail(r->s.l->name, lesson_place(r->s.l, from + bar), r->e, "%s", inner.what);
        return err_hint(r->e, "%s", inner.hint);
    }
    s->expr = slice_expr((struct slice){r->s.l, from + 2, from + bar}, r->e);
    return s->expr != NULL ? 0 : -1;
}

/* Text with figures between. */
static int add_mixed(struct reader *r, size_t from, size_t n)
{
    const char *source = r->s.l->source;
    size_t begin = from, end = from + n;
    for (size_t at = from; at < end;) {
        size_t len = figure_length(source + at, end - at);
        if (len == SIZE_MAX) {
            place_fail(r->s.l->name, lesson_place(r->s.l, at), r->e, "this figure has no closing }");
            return -1;
        }
        if (len == 0) {
            at++;
            continue;
        }
        if (add_text(r, source + begin, at - begin, begin, 0) != 0)
            return -1;
        int rc = source[at + 1] == '=' ? add_figure(r, at, len) : add_text(r, source + at + 2, len - 3, at, LITERAL);
        if (rc != 0)
            return -1;
        begin = at += len;
    }
    return add_text(r, source + begin, end - begin, begin, 0);
}

/* ---- md4c --------------------------------------------------------------------------------------------- */

static size_t here(const struct reader *r)
{
    return r->s.from;
}

static int refuse(struct reader *r, const char *what)
{
    place_fail(r->s.l->name, lesson_place(r->s.l, here(r)), r->e, "a lesson's prose may hold no %s", what);
    return -1;
}

static int begin_item(struct reader *r)
{
    int d = r->depth < 8 ? r->depth - 1 : 7;
    struct span *s = add_span(r, SPAN_BULLET, here(r));
    char number[16] = "";
    if (s == NULL)
        return -1;
    if (r->ordered[d])
        snprintf(number, sizeof number, "%d.", r->next[d]++);
    s->indent = d;
    s->text = xstrdup(number);
    r->fresh = true;
    return s->text != NULL ? 0 : err_memory(r->e, sizeof number, "a list");
}

static int begin_list(struct reader *r, bool ordered, unsigned start)
{
    int d = r->depth < 7 ? r->depth : 7;
    r->ordered[d] = ordered;
    r->next[d] = (int)start;
    r->depth++;
    return 0;
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    struct reader *r = ctx;
    switch (type) {
    case MD_BLOCK_UL: return begin_list(r, false, 0);
    case MD_BLOCK_OL: return begin_list(r, true, ((MD_BLOCK_OL_DETAIL *)detail)->start);
    case MD_BLOCK_LI: return begin_item(r);
    case MD_BLOCK_H:
        r->flags |= SPAN_STRONG; /* fall through */
    case MD_BLOCK_P:
        if (r->fresh) {
            r->fresh = false;
            return 0;
        }
        return add_span(r, SPAN_PARAGRAPH, here(r)) != NULL ? 0 : -1;
    case MD_BLOCK_CODE:
        r->pre = true;
        r->flags |= SPAN_CODE;
        return add_span(r, SPAN_PRE, here(r)) != NULL ? 0 : -1;
    case MD_BLOCK_DOC: return 0;
    case MD_BLOCK_QUOTE: return refuse(r, "quoted block (>)");
    case MD_BLOCK_HR: return refuse(r, "ruled line");
    default: return refuse(r, "HTML and no table");
    }
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    struct reader *r = ctx;
    (void)detail;
    if (type == MD_BLOCK_UL || type == MD_BLOCK_OL)
        r->depth--;
    if (type == MD_BLOCK_H)
        r->flags &= ~(unsigned)SPAN_STRONG;
    if (type == MD_BLOCK_CODE) {
        r->pre = false;
        r->flags &= ~(unsigned)SPAN_CODE;
    }
    return 0;
}

static int begin_link(struct reader *r, const MD_ATTRIBUTE *href)
{
    struct nearest near = {0};
    size_t colon = 0;
    while (colon < href->size && href->text[colon] != ':')
        colon++;
    for (int k = LINK_NONE + 1; k < LINK_COUNT; k++) {
        char scheme[32];
        snprintf(scheme, sizeof scheme, "%.*s", (int)(colon < 31 ? colon : 31), href->text);
        nearest_try(&near, scheme, LINK_NAMES[k]);
        if (strcmp(scheme, LINK_NAMES[k]) != 0 || colon + 1 >= href->size)
            continue;
        r->target_len = href->size - colon - 1;
        r->target = xmalloc(r->target_len + 1);
        if (r->target == NULL)
            return err_memory(r->e, r->target_len, "a link");
        memcpy(r->target, href->text + colon + 1, r->target_len);
        r->target[r->target_len] = '\0';
        r->link = (enum link_kind)k;
        return 0;
    }
    place_fail(r->s.l->name, lesson_place(r->s.l, here(r)), r->e, "'%.*s' binds words to nothing on the screen",
               (int)(href->size < 60 ? href->size : 60), href->text);
    return near.name != NULL ? err_hint(r->e, "did you mean %s:…?", near.name)
                             : err_hint(r->e, "node:A, slot:12, request:fish, event:split_node, key:w, word:cached, lesson:split");
}

static int enter_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    struct reader *r = ctx;
    switch (type) {
    case MD_SPAN_EM: r->flags |= SPAN_EMPH; return 0;
    case MD_SPAN_STRONG: r->flags |= SPAN_STRONG; return 0;
    case MD_SPAN_CODE: r->flags |= SPAN_CODE; return 0;
    case MD_SPAN_A: return begin_link(r, &((MD_SPAN_A_DETAIL *)detail)->href);
    default: return refuse(r, "images");
    }
}

static int leave_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    struct reader *r = ctx;
    (void)detail;
    if (type == MD_SPAN_EM)
        r->flags &= ~(unsigned)SPAN_EMPH;
    if (type == MD_SPAN_STRONG)
        r->flags &= ~(unsigned)SPAN_STRONG;
    if (type == MD_SPAN_CODE)
        r->flags &= ~(unsigned)SPAN_CODE;
    if (type == MD_SPAN_A) {
        r->link = LINK_NONE;
        xfree(r->target);
        r->target = NULL;
    }
    return 0;
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *ctx)
{
    struct reader *r = ctx;
    size_t n = r->s.to - r->s.from, at = (size_t)(text - r->masked);
    bool ours = text >= r->masked && text < r->masked + n;
    r->fresh = false;
    if (type == MD_TEXT_BR)
        return add_span(r, SPAN_LINE, here(r)) != NULL ? 0 : -1;
    if (type == MD_TEXT_SOFTBR)
        return add_text(r, " ", 1, here(r), 0);
    if (r->pre && size == 1 && text[0] == '\n')
        return add_span(r, SPAN_PRE, here(r)) != NULL ? 0 : -1;
    if (!ours)
        return add_text(r, text, size, here(r), 0);
    return add_mixed(r, r->s.from + at, size);
}

/* The text with every figure's inside as x. */
static char *mask(struct slice s)
{
    size_t n = s.to - s.from;
    char *m = xmalloc(n + 1);
    if (m == NULL)
        return NULL;
    memcpy(m, s.l->source + s.from, n);
    m[n] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t len = figure_length(m + i, n - i);
        if (len != 0 && len != SIZE_MAX) {
            memset(m + i + 1, 'x', len - 2);
            i += len - 1;
        }
    }
    return m;
}

int prose_parse(struct slice s, struct prose *out, struct err *e)
{
    struct reader r = {.s = s, .out = out, .e = e};
    static const MD_PARSER PARSER = {.flags = MD_FLAG_NOHTML | MD_FLAG_NOINDENTEDCODEBLOCKS, .enter_block = enter_block,
                                     .leave_block = leave_block, .enter_span = enter_span, .leave_span = leave_span,
                                     .text = on_text};
    while (s.from < s.to && isspace((unsigned char)s.l->source[s.from]) && s.l->source[s.from] != '\n')
        s.from++; /* a field's value begins behind its name */
    r.s = s;
    r.masked = mask(s);
    if (r.masked == NULL)
        return err_memory(e, s.to - s.from, "a lesson's prose");
    int rc = md_parse(r.masked, (MD_SIZE)(s.to - s.from), &PARSER, &r);
    xfree(r.masked);
    xfree(r.target);
    if (rc == 0)
        return 0;
    return e != NULL && e->set ? -1 : err_memory(e, s.to - s.from, "a lesson's prose");
}

int prose_check_digits(const struct lesson *l, const struct prose *p, struct err *e)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct span *s = &p->span[i];
        if (s->kind != SPAN_TEXT || (s->flags & (SPAN_CODE | LITERAL)) != 0)
            continue;
        size_t d = strcspn(s->text, "0123456789");
        if (s->text[d] == '\0')
            continue;
        place_fail(l->name, (struct place){s->at.line, s->at.column + (uint32_t)d}, e,
                   "the number %.*s stands in the prose as plain digits", (int)strspn(s->text + d, "0123456789"), s->text + d);
        return err_hint(e, "measure it: {= cached(fish) }; or say that it is meant as it stands: {!%.*s} or `code`",
                        (int)strspn(s->text + d, "0123456789"), s->text + d);
    }
    return 0;
}
