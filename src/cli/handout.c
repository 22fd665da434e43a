#include "cli/handout.h"

#include <stdio.h>
#include <string.h>

#include "lesson/lesson_text.h"

enum { BLANK_LINES = 3 };

struct paper {
    const struct handout *h;
    struct buf *out;
    struct err *e;
    const char *list;      /* HTML: the open list, "ul" or "ol"; NULL: none */
    bool item, paragraph, pre;
    bool blanks;           /* figures are to be filled in */
    unsigned flags;        /* of the span before */
    unsigned questions;    /* so far */
};

static const char STYLE[] =
    "body{font:11pt/1.45 Georgia,serif;max-width:44em;margin:2em auto;padding:0 1em;color:#000;background:#fff}\n"
    "h1,h2{font-family:Helvetica,Arial,sans-serif;line-height:1.2;break-after:avoid}\n"
    "code,pre{font-family:\"DejaVu Sans Mono\",Menlo,Consolas,monospace;font-size:.82em}\n"
    "pre{line-height:1.2;overflow-x:auto;border:1px solid #999;padding:.5em;break-inside:avoid}\n"
    "pre.run{border-left:4px solid #555}\n"
    "section.ask{border:1px solid #000;padding:.2em 1em;margin:1em 0;break-inside:avoid}\n"
    "p.line{border-bottom:1px solid #000;height:1.6em}\n"
    "div.draw{border:1px dashed #555;height:9em;padding:.3em;break-inside:avoid}\n"
    "@page{margin:18mm}\n"
    "@media print{body{font-size:10pt;max-width:none;margin:0;padding:0}h2{break-before:auto}pre{white-space:pre-wrap}}\n";

/* ---- characters --------------------------------------------------------------------------------------- */

static void html_text(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '&': buf_puts(out, "&amp;"); break;
        case '<': buf_puts(out, "&lt;"); break;
        case '>': buf_puts(out, "&gt;"); break;
        case '"': buf_puts(out, "&quot;"); break;
        default: buf_putc(out, *text);
        }
}

/* What Markdown would take for more than a character. At the start of a line also what would begin a list or a title. */
static void markdown_text(struct buf *out, const char *text)
{
    bool start = out->len == 0 || out->data[out->len - 1] == '\n';
    size_t digits = start ? strspn(text, "0123456789") : 0;
    if (start && (*text == '-' || *text == '+' || *text == '#' || *text == '=' || *text == '~'))
        buf_putc(out, '\\');
    for (size_t i = 0; text[i] != '\0'; i++) {
        bool list = digits > 0 && i == digits && (text[i] == '.' || text[i] == ')');
        if (list || strchr("\\`*_[]<>&|", text[i]) != NULL)
            buf_putc(out, '\\');
        buf_putc(out, text[i]);
    }
}

static void put_text(struct paper *p, const char *text)
{
    if (p->h->html)
        html_text(p->out, text);
    else
        markdown_text(p->out, text);
}

/* `code`, with more backticks than the code has in a row. */
static void put_code(struct paper *p, const char *text)
{
    size_t longest = 0;
    if (p->h->html) {
        buf_puts(p->out, "<code>");
        html_text(p->out, text);
        buf_puts(p->out, "</code>");
        return;
    }
    for (const char *c = text; *c != '\0'; c++)
        longest = strspn(c, "`") > longest ? strspn(c, "`") : longest;
    bool apart = *text == '`' || longest > 0;
    for (size_t i = 0; i <= longest; i++)
        buf_putc(p->out, '`');
    buf_printf(p->out, apart ? " %s " : "%s", text);
    for (size_t i = 0; i <= longest; i++)
        buf_putc(p->out, '`');
}

/* Lines as they stand, behind a fence that they do not hold. */
static void put_pre(struct paper *p, const char *kind, const char *text)
{
    size_t n = strlen(text), ticks = 3;
    if (p->h->html) {
        buf_printf(p->out, "<pre%s%s%s>", *kind != '\0' ? " class=\"" : "", kind, *kind != '\0' ? "\"" : "");
        html_text(p->out, text);
        buf_puts(p->out, "</pre>\n");
        return;
    }
    for (const char *c = text; *c != '\0'; c++)
        ticks = strspn(c, "`") >= ticks ? strspn(c, "`") + 1 : ticks;
    for (size_t i = 0; i < ticks; i++)
        buf_putc(p->out, '`');
    buf_printf(p->out, "%s\n%s%s", strcmp(kind, "run") == 0 ? "rxs" : "text", text, n > 0 && text[n - 1] == '\n' ? "" : "\n");
    for (size_t i = 0; i < ticks; i++)
        buf_putc(p->out, '`');
    buf_puts(p->out, "\n\n");
}

static void heading(struct paper *p, int level, const char *text)
{
    if (p->h->html)
        buf_printf(p->out, "<h%d>", level);
    else
        buf_printf(p->out, "%.*s ", level, "######");
    put_text(p, text);
    if (p->h->html)
        buf_printf(p->out, "</h%d>\n", level);
    else
        buf_puts(p->out, "\n\n");
}

static void paragraph(struct paper *p, const char *before, const char *text)
{
    buf_puts(p->out, p->h->html ? "<p>" : "");
    if (*before != '\0')
        buf_printf(p->out, p->h->html ? "<strong>%s</strong>%s" : "**%s**%s", before, *text != '\0' ? " " : "");
    put_text(p, text);
    buf_puts(p->out, p->h->html ? "</p>\n" : "\n\n");
}

/* ---- prose -------------------------------------------------------------------------------------------- */

static void set_flags(struct paper *p, unsigned flags)
{
    static const struct { unsigned flag; const char *on, *off, *mark; } MARKS[] = {
        {SPAN_STRONG, "<strong>", "</strong>", "**"}, {SPAN_EMPH, "<em>", "</em>", "*"}};
    if (flags == p->flags)
        return;
    for (size_t i = ARRAY_LEN(MARKS); i-- > 0;) /* all close, innermost first, and open again */
        if ((p->flags & MARKS[i].flag) != 0)
            buf_puts(p->out, p->h->html ? MARKS[i].off : MARKS[i].mark);
    for (size_t i = 0; i < ARRAY_LEN(MARKS); i++)
        if ((flags & MARKS[i].flag) != 0)
            buf_puts(p->out, p->h->html ? MARKS[i].on : MARKS[i].mark);
    p->flags = flags;
}

static void end_block(struct paper *p)
{
    bool html = p->h->html;
    set_flags(p, 0);
    if (p->pre)
        buf_printf(p->out, html ? "</pre>\n" : "%s```\n\n", p->out->data[p->out->len - 1] == '\n' ? "" : "\n");
    if (p->paragraph)
        buf_puts(p->out, html ? "</p>\n" : "\n\n");
    if (p->item)
        buf_puts(p->out, html ? "</li>\n" : "\n");
    p->pre = p->paragraph = p->item = false;
}

static void end_list(struct paper *p)
{
    end_block(p);
    if (p->list == NULL)
        return;
    if (p->h->html)
        buf_printf(p->out, "</%s>\n", p->list);
    else
        buf_putc(p->out, '\n');
    p->list = NULL;
}

static void begin_item(struct paper *p, const struct span *s)
{
    const char *list = *s->text != '\0' ? "ol" : "ul";
    end_block(p);
    if (p->list != NULL && strcmp(p->list, list) != 0)
        end_list(p);
    if (p->h->html && p->list == NULL)
        buf_printf(p->out, "<%s>\n", list);
    p->list = list;
    p->item = true;
    if (p->h->html)
        buf_printf(p->out, "<li style=\"margin-left:%dem\">", 2 * s->indent);
    else
        buf_printf(p->out, "%*s%s ", 3 * s->indent, "", *s->text != '\0' ? s->text : "-");
}

static void begin_span(struct paper *p, const struct span *s)
{
    switch (s->kind) {
    case SPAN_LINE:
        buf_puts(p->out, p->h->html ? "<br>\n" : "\\\n");
        return;
    case SPAN_PRE:
        if (p->pre) {
            buf_putc(p->out, '\n');
            return;
        }
        end_list(p);
        buf_puts(p->out, p->h->html ? "<pre>" : "```text\n");
        p->pre = true;
        return;
    case SPAN_BULLET: begin_item(p, s); return;
    default:
        end_list(p);
        buf_puts(p->out, p->h->html ? "<p>" : "");
        p->paragraph = true;
    }
}

static int put_span(struct paper *p, const struct span *s, const struct lesson_env *env)
{
    struct buf text = {0};
    bool blank = p->blanks && s->kind == SPAN_FIGURE;
    if (blank)
        buf_puts(&text, "______");
    else if (span_show(s, env, &text, p->e) != 0)
        return -1;
    if (!p->pre && !p->paragraph && !p->item) { /* the first words of a field */
        buf_puts(p->out, p->h->html ? "<p>" : "");
        p->paragraph = true;
    }
    if (p->pre && !p->h->html) {
        buf_puts(p->out, buf_text(&text));
    } else if ((s->flags & SPAN_CODE) != 0 && !p->pre && !blank) {
        set_flags(p, s->flags & (SPAN_STRONG | SPAN_EMPH));
        put_code(p, buf_text(&text));
    } else {
        set_flags(p, p->pre ? 0 : s->flags & (SPAN_STRONG | SPAN_EMPH));
        put_text(p, buf_text(&text));
    }
    buf_free(&text);
    return 0;
}

static int put_prose(struct paper *p, const struct prose *prose, const struct lesson_env *env)
{
    for (size_t i = 0; i < prose->n; i++) {
        const struct span *s = &prose->span[i];
        if (s->kind != SPAN_TEXT && s->kind != SPAN_FIGURE)
            begin_span(p, s);
        else if (put_span(p, s, env) != 0)
            return -1;
    }
    end_list(p);
    return 0;
}

/* ---- questions ---------------------------------------------------------------------------------------- */

static void put_options(struct paper *p, const struct question *q)
{
    buf_puts(p->out, p->h->html && q->options > 0 ? "<ol>\n" : "");
    for (int i = 0; i < q->options; i++) {
        if (p->h->html)
            buf_puts(p->out, "<li>");
        else
            buf_printf(p->out, "%d. ", i + 1);
        put_text(p, q->option[i].label);
        buf_puts(p->out, p->h->html ? "</li>\n" : "\n");
    }
    buf_puts(p->out, q->options == 0 ? "" : p->h->html ? "</ol>\n" : "\n");
}

static void put_lines(struct paper *p)
{
    for (int i = 0; i < BLANK_LINES; i++)
        buf_puts(p->out, p->h->html ? "<p class=\"line\"></p>\n" : "\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\\_\n\n");
}

static int put_answer(struct paper *p, size_t item)
{
    const struct question *q = p->h->run->lesson->item[item].question;
    struct lesson_env env = run_env_decided(p->h->run, item);
    struct buf b = {0};
    if (q->kind == ASK_DO) {
        buf_printf(&b, "%s\n", q->solution);
        paragraph(p, "Solution:", "");
        put_pre(p, "run", buf_text(&b));
        buf_free(&b);
        return 0; /* what is said to it speaks of the learner's own run */
    }
    int rc = grade_reveal(p->h->run, item, &b, p->e);
    if (rc == 0)
        paragraph(p, "Answer:", buf_text(&b));
    buf_free(&b);
    return rc == 0 ? put_prose(p, &q->right, &env) : -1;
}

static int put_question(struct paper *p, size_t item)
{
    const struct question *q = p->h->run->lesson->item[item].question;
    struct lesson_env env = run_env(p->h->run, item);
    struct buf b = {0};
    char name[40];
    p->blanks = false; /* it says what is known when it is asked */
    snprintf(name, sizeof name, q->kind == ASK_DO ? "Challenge." : "Question %u.", ++p->questions);
    buf_puts(p->out, p->h->html ? "<section class=\"ask\">\n" : "");
    paragraph(p, name, "");
    if (put_prose(p, &q->text, &env) != 0)
        return -1;
    put_options(p, q);
    if (q->kind == ASK_DO) {
        put_pre(p, "run", q->start);
        const char *allow = q->allow + strspn(q->allow, " ");
        int n = (int)strlen(allow);
        buf_printf(&b, "%.*s; par %u commands", n > 0 && allow[n - 1] == ' ' ? n - 1 : n, allow, q->par);
        paragraph(p, "Allowed:", buf_text(&b));
        buf_free(&b);
    }
    int rc = 0;
    if (p->h->answers)
        rc = put_answer(p, item);
    else
        put_lines(p);
    buf_puts(p->out, p->h->html ? "</section>\n" : "");
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static int put_block(struct paper *p, size_t item, bool hidden)
{
    const struct lesson_run *r = p->h->run;
    const struct lesson_block *b = &r->block[item];
    struct buf screen = {0};
    put_pre(p, "run", r->lesson->item[item].text);
    if (hidden) {
        if (p->h->html)
            buf_puts(p->out, "<div class=\"draw\">Draw the tree here.</div>\n");
        else
            buf_puts(p->out, "*Draw the tree here.*\n\n");
        return 0;
    }
    int rc = p->h->screen(p->h->ctx, r->scene[b->scene], b->after, &screen, p->e);
    if (rc == 0)
        put_pre(p, "", buf_text(&screen));
    buf_free(&screen);
    return rc;
}

static int put_chunk(struct paper *p, const struct chunk *k)
{
    const struct lesson *l = p->h->run->lesson;
    bool asked = false;
    int rc = 0;
    heading(p, 2, k->title);
    for (size_t i = k->first; rc == 0 && i < k->first + k->items; i++) {
        struct lesson_env env = run_env(p->h->run, i);
        p->blanks = asked && !p->h->answers;
        if (l->item[i].kind == ITEM_PROSE)
            rc = put_prose(p, &l->item[i].prose, &env);
        else if (l->item[i].kind == ITEM_RXS)
            rc = put_block(p, i, p->blanks);
        else if (l->item[i].kind == ITEM_ASK)
            rc = put_question(p, i);
        asked |= l->item[i].kind == ITEM_ASK && l->item[i].question->kind != ASK_DO;
    }
    p->blanks = false;
    return rc;
}

static void put_front(struct paper *p)
{
    const struct lesson_head *h = &p->h->run->lesson->head;
    if (p->h->html) {
        buf_puts(p->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
        html_text(p->out, h->title);
        buf_printf(p->out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", STYLE);
    }
    heading(p, 1, h->title);
    buf_printf(p->out, p->h->html ? "<p>About %u minutes. Every number was measured in a run of the engine: <code>radixscope lesson "
                                    "%s</code>.</p>\n<ul>\n"
                                  : "About %u minutes. Every number was measured in a run of the engine: `radixscope lesson %s`.\n\n",
               h->minutes, h->id);
    for (int i = 0; i < h->objectives; i++) {
        buf_puts(p->out, p->h->html ? "<li>" : "- ");
        put_text(p, h->objective[i]);
        buf_puts(p->out, p->h->html ? "</li>\n" : "\n");
    }
    buf_puts(p->out, p->h->html ? "</ul>\n" : "\n");
}

int handout_write(const struct handout *h, struct buf *out, struct err *e)
{
    struct paper p = {.h = h, .out = out, .e = e};
    int rc = 0;
    put_front(&p);
    for (size_t k = 0; rc == 0 && k < h->run->lesson->chunks; k++)
        rc = put_chunk(&p, &h->run->lesson->chunk[k]);
    if (h->html)
        buf_puts(out, "</body>\n</html>\n");
    return rc == 0 && out->failed ? err_memory(e, out->len, "a handout") : rc;
}
