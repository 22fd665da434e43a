#include "trace/prompt_lint.h"

#include <string.h>

#include "model/tokenizer.h"

enum { SHOWN = 28 }; /* bytes of a text on each side of the place */

struct comparing {
    const struct prompt *was, *is;
    const struct model *m;
    struct lint_finding *out;
    struct ids ids;          /* scratch */
    struct err *e;
    bool failed;
};

static const struct lint_cause_info CAUSES[] = {
#define X(id, name, says, remedy) {name, says, remedy},
    LINT_CAUSES(X)
#undef X
};

const struct lint_cause_info *lint_cause_info(enum lint_cause which)
{
    return &CAUSES[which];
}

void lint_done(struct lint_finding *f)
{
    buf_free(&f->was);
    buf_free(&f->is);
}

static size_t tokens_of(struct comparing *c, const char *text, size_t len)
{
    ids_clear(&c->ids);
    if (!c->failed && tokenizer_encode(model_get_tokenizer(c->m), text, len, 0, &c->ids, c->e) != 0)
        c->failed = true;
    return c->failed ? 0 : c->ids.len;
}

/* ---- whom to compare with --------------------------------------------------------------------------------- */

/* The first message from `from` on that equals one; messages: none does. */
static size_t find_message(const struct prompt *p, size_t from, const struct prompt_message *one)
{
    while (from < p->messages && !prompt_message_equal(&p->message[from], one))
        from++;
    return from;
}

/* Bytes of messages that both have. */
static size_t text_in_common(const struct prompt *was, const struct prompt *is)
{
    size_t bytes = 0;
    for (size_t i = 0; i < is->messages; i++)
        if (find_message(was, 0, &is->message[i]) < was->messages)
            bytes += is->message[i].len + 1;
    return bytes;
}

static const struct prompt *most_alike(const struct prompt *p, const struct prompt *const *earlier, size_t n)
{
    const struct prompt *best = earlier[n - 1];
    size_t most = text_in_common(best, p);
    for (size_t i = n - 1; i-- > 0 && n - i <= LINT_WINDOW;) {
        size_t common = text_in_common(earlier[i], p);
        if (common > most) {
            most = common;
            best = earlier[i];
        }
    }
    return best;
}

/* ---- where they part -------------------------------------------------------------------------------------- */

static size_t common_ids(const struct ids *a, const struct ids *b)
{
    size_t n = 0;
    while (n < a->len && n < b->len && a->at[n] == b->at[n])
        n++;
    return n;
}

static size_t common_bytes(const struct prompt_message *a, const struct prompt_message *b)
{
    size_t n = 0;
    while (n < a->len && n < b->len && a->text[n] == b->text[n])
        n++;
    return n;
}

static bool is_middle(const char *text, size_t len, size_t at)
{
    return at < len && ((unsigned char)text[at] & 0xC0) == 0x80;
}

/* Some words of the text around byte `at`. */
static void show_place(const char *text, size_t len, size_t at, struct buf *out)
{
    size_t from = at > SHOWN ? at - SHOWN : 0, to = len - at > SHOWN ? at + SHOWN : len;
    while (is_middle(text, len, from))
        from++;
    while (is_middle(text, len, to))
        to++;
    buf_puts(out, from > 0 ? "…" : "");
    buf_add(out, text + from, to - from);
    buf_puts(out, to < len ? "…" : "");
}

/* ---- what it costs ---------------------------------------------------------------------------------------- */

static bool count_line(void *ctx, const char *line, size_t len, size_t where)
{
    struct comparing *c = ctx;
    (void)where;
    c->out->again += tokens_of(c, line, len);
    return !c->failed;
}

/* Messages of the later prompt from `from` on that the earlier one has, too. */
static void count_messages(struct comparing *c, size_t from, size_t from_was)
{
    for (size_t i = from; i < c->is->messages; i++)
        if (find_message(c->was, from_was, &c->is->message[i]) < c->was->messages)
            c->out->again += tokens_of(c, c->is->message[i].text, c->is->message[i].len);
}

/* What two texts that part at byte `at` have in common behind it: their ends, or whole lines, whichever is more. */
static void count_text(struct comparing *c, const struct prompt_message *was, const struct prompt_message *is, size_t at)
{
    size_t end = 0, before = c->out->again;
    while (end < was->len - at && end < is->len - at && was->text[was->len - 1 - end] == is->text[is->len - 1 - end])
        end++;
    if (!lint_common_lines(was, is, at, count_line, c) && !c->failed) {
        c->failed = true;
        err_memory(c->e, was->len, "the lines of a message");
    }
    size_t lines = c->out->again - before, tail = tokens_of(c, is->text + is->len - end, end);
    c->out->again = before + (tail > lines ? tail : lines);
}

/* ---- why -------------------------------------------------------------------------------------------------- */

/* Message k differs: was it moved, are earlier ones gone, or was something put in? */
static uint32_t message_causes(const struct comparing *c, size_t k)
{
    bool older = find_message(c->was, k + 1, &c->is->message[k]) < c->was->messages;
    bool later = find_message(c->is, k + 1, &c->was->message[k]) < c->is->messages;
    return older && later ? 1u << LINT_MOVED : older ? 1u << LINT_CUT : later ? 1u << LINT_PUT_IN : 0;
}

static void part_at_message(struct comparing *c, size_t k)
{
    const struct prompt_message *was = &c->was->message[k], *is = &c->is->message[k];
    struct lint_finding *f = c->out;
    size_t at = common_bytes(was, is);
    f->message = (int)k;
    f->role = is->role;
    f->causes = message_causes(c, k);
    if (f->causes == 0) {
        f->causes = lint_text_causes(was, is, at);
        if (f->causes & (1u << LINT_BLANKS | 1u << LINT_KEYS))
            f->again += tokens_of(c, is->text + at, is->len - at); /* all of it says the same */
        else
            count_text(c, was, is, at);
        count_messages(c, k + 1, k);
    } else {
        count_messages(c, k, k);
    }
    show_place(was->text, was->len, at, &f->was);
    show_place(is->text, is->len, at, &f->is);
}

static void part_at_tools(struct comparing *c)
{
    const char *was = c->was->tools != NULL ? c->was->tools : "", *is = c->is->tools != NULL ? c->is->tools : "";
    size_t at = 0;
    while (was[at] != '\0' && was[at] == is[at])
        at++;
    c->out->message = LINT_TOOLS;
    c->out->role = "tools";
    c->out->causes = lint_tools_causes(c->was->tools, c->is->tools);
    if (c->out->causes & (1u << LINT_TOOLS_ORDER | 1u << LINT_TOOLS_KEYS))
        c->out->again += tokens_of(c, is + at, strlen(is) - at);
    count_messages(c, 0, 0);
    show_place(was, strlen(was), at, &c->out->was);
    show_place(is, strlen(is), at, &c->out->is);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void compare(struct comparing *c)
{
    size_t k = 0;
    struct lint_finding *f = c->out;
    f->against = c->was->line;
    f->common = common_ids(&c->was->ids, &c->is->ids);
    while (k < c->was->messages && k < c->is->messages && prompt_message_equal(&c->was->message[k], &c->is->message[k]))
        k++;
    f->parts = true;
    if (!same_text(c->was->tools, c->is->tools))
        part_at_tools(c);
    else if (k < c->was->messages && k < c->is->messages)
        part_at_message(c, k);
    else
        f->parts = false;
    if (f->again > f->tokens - f->common)
        f->again = f->tokens - f->common;
    if (f->again < LINT_LEAST)
        f->again = f->causes = 0;
    else if (f->causes == 0)
        f->causes = 1u << LINT_FIRST;
}

int lint_prompt(const struct prompt *p, const struct prompt *const *earlier, size_t n, const struct model *m,
                struct lint_finding *out, struct err *e)
{
    struct comparing c = {.is = p, .m = m, .out = out, .e = e};
    *out = (struct lint_finding){.line = p->line, .tokens = p->ids.len, .role = ""};
    if (n == 0)
        return 0;
    c.was = most_alike(p, earlier, n);
    compare(&c);
    ids_free(&c.ids);
    if (!c.failed && (out->was.failed || out->is.failed)) {
        c.failed = true;
        err_memory(e, 64, "a finding");
    }
    if (c.failed)
        lint_done(out);
    return c.failed ? -1 : 0;
}
