/* radixscope lint FILE|-: where prompts leave the beginning of earlier ones, what that costs, and why. */
#include <string.h>

#include "cli/cli.h"
#include "cli/places.h"
#include "trace/lines.h"
#include "trace/prompt_lint.h"

struct lint {
    struct cli *c;
    struct model *model;
    struct lines *lines;
    struct prompt kept[LINT_WINDOW];                /* a ring: the last ones, prompt i at i % LINT_WINDOW */
    size_t prompts, tokens, common, again, findings;
    bool stands_in;                                 /* something was written in a form that is not the model's */
    struct buf text;                                /* what is printed */
};

static void add_causes_json(struct buf *b, uint32_t causes)
{
    const char *comma = "";
    buf_puts(b, "\"causes\":[");
    for (unsigned i = 0; i < LINT_CAUSE_COUNT; i++)
        if (causes >> i & 1) {
            buf_printf(b, "%s\"%s\"", comma, lint_cause_info(i)->name);
            comma = ",";
        }
    buf_puts(b, "]");
}

static void write_json(struct lint *l, const struct lint_finding *f)
{
    struct buf *b = &l->text;
    buf_printf(b, "%s\n{\"line\":%lu,\"against\":%lu,\"tokens\":%zu,\"common\":%zu,\"parts\":%s,\"again\":%zu,",
               l->prompts > 0 ? "," : "", f->line, f->against, f->tokens, f->common, f->parts ? "true" : "false", f->again);
    if (f->parts) {
        if (f->message == LINT_TOOLS)
            buf_puts(b, "\"message\":null,");
        else
            buf_printf(b, "\"message\":%d,", f->message + 1);
        buf_printf(b, "\"role\":\"%s\",\"was\":", f->role);
        buf_json(b, buf_text(&f->was), f->was.len);
        buf_puts(b, ",\"is\":");
        buf_json(b, buf_text(&f->is), f->is.len);
        buf_puts(b, ",");
    }
    add_causes_json(b, f->causes);
    buf_puts(b, "}");
}

static void write_place(struct buf *b, const struct lint_finding *f)
{
    buf_printf(b, "%zu of %zu tokens begin like line %lu; they part at token %zu, in ", f->common, f->tokens, f->against,
               f->common + 1);
    if (f->message == LINT_TOOLS)
        buf_puts(b, "the tools");
    else
        buf_printf(b, "message %d (%s)", f->message + 1, f->role);
}

static void write_plain(struct lint *l, const struct lint_finding *f)
{
    struct buf *b = &l->text;
    buf_printf(b, "line %lu: ", f->line);
    if (f->against == 0)
        buf_printf(b, "%zu tokens, the first prompt\n", f->tokens);
    else if (!f->parts)
        buf_printf(b, "%zu of %zu tokens begin like line %lu, which it continues\n", f->common, f->tokens, f->against);
    else
        write_place(b, f);
    if (f->against == 0 || !f->parts)
        return;
    if (f->again == 0) {
        buf_puts(b, ", where new text begins\n");
        return;
    }
    buf_puts(b, "\n    was  ");
    buf_json(b, buf_text(&f->was), f->was.len);
    buf_puts(b, "\n    is   ");
    buf_json(b, buf_text(&f->is), f->is.len);
    buf_printf(b, "\n    cost %zu tokens behind it are in both, and computed again\n", f->again);
    for (unsigned i = 0; i < LINT_CAUSE_COUNT; i++)
        if (f->causes >> i & 1)
            buf_printf(b, "    why  %s: %s\n", lint_cause_info(i)->says, lint_cause_info(i)->remedy);
}

static bool has_tools(const struct prompt *p)
{
    bool found = p->tools != NULL;
    for (size_t i = 0; i < p->messages; i++)
        found |= strcmp(p->message[i].role, "tool") == 0;
    return found;
}

static int lint_line(struct lint *l, const char *line, size_t len, struct err *e)
{
    const struct prompt *earlier[LINT_WINDOW];
    struct prompt p;
    struct lint_finding f;
    size_t n = l->prompts < LINT_WINDOW ? l->prompts : LINT_WINDOW;
    if (prompt_read(&p, lines_name(l->lines), lines_number(l->lines), line, len, l->model, e) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        earlier[i] = &l->kept[(l->prompts - n + i) % LINT_WINDOW];
    int rc = lint_prompt(&p, earlier, n, l->model, &f, e);
    if (rc != 0) {
        prompt_done(&p);
        return -1;
    }
    (cli_has(l->c, OPT_JSON) ? write_json : write_plain)(l, &f);
    l->stands_in |= has_tools(&p);
    l->tokens += f.tokens;
    l->common += f.common;
    l->again += f.again;
    l->findings += f.again > 0;
    lint_done(&f);
    prompt_done(&l->kept[l->prompts % LINT_WINDOW]);
    l->kept[l->prompts++ % LINT_WINDOW] = p;
    return 0;
}

static bool is_blank(const char *line, size_t len)
{
    return strspn(line, " \t\r") >= len;
}

static int lint_lines(struct lint *l, struct err *e)
{
    char *line;
    size_t len;
    int rc;
    while ((rc = lines_next(l->lines, &line, &len, e)) > 0)
        if (!is_blank(line, len) && lint_line(l, line, len, e) != 0)
            return -1;
    return rc == 0 && l->prompts == 0 ? err_set(e, "%.200s holds no prompts", lines_name(l->lines)) : rc;
}

static void write_sum(struct lint *l)
{
    struct buf *b = &l->text;
    if (cli_has(l->c, OPT_JSON)) {
        buf_printf(b, "],\n\"tokens\":%zu,\"common\":%zu,\"again\":%zu,\"findings\":%zu}\n", l->tokens, l->common, l->again,
                   l->findings);
        return;
    }
    buf_printf(b, "%zu prompt%s, %zu tokens: %zu begin like an earlier prompt", l->prompts, l->prompts == 1 ? "" : "s",
               l->tokens, l->common);
    if (l->findings > 0)
        buf_printf(b, ", %zu more would in %zu prompt%s, if what changes stood last\n", l->again, l->findings,
                   l->findings == 1 ? "" : "s");
    else
        buf_puts(b, "; nothing that was there before is computed again\n");
    if (l->stands_in)
        buf_puts(b, "tools and their results are counted as JSON: each model writes them in a form of its own\n");
}

static int lint_file(struct lint *l, struct err *e)
{
    struct buf dir = {0};
    int rc = place_model(l->c, &dir, e) != 0 || model_open(buf_text(&dir), &l->model, e) != 0 ? -1 : 0;
    buf_free(&dir);
    if (rc != 0 || (l->lines = lines_open(l->c->arg[0], e)) == NULL)
        return -1;
    if (cli_has(l->c, OPT_JSON))
        buf_puts(&l->text, "{\"prompts\":[");
    if (lint_lines(l, e) != 0)
        return -1;
    write_sum(l);
    return cli_print(&l->text, e) != 0 ? -1 : l->findings > 0;
}

int cmd_lint(struct cli *c, struct err *e)
{
    struct lint l = {.c = c};
    if (c->args != 1) {
        err_usage(e, "lint takes one file, not %d", c->args);
        return err_hint(e, "radixscope help lint");
    }
    int rc = lint_file(&l, e);
    for (size_t i = 0; i < LINT_WINDOW; i++)
        prompt_done(&l.kept[i]);
    lines_close(l.lines);
    model_close(l.model);
    if (rc < 0)
        buf_free(&l.text);
    return rc;
}
