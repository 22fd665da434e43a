#include "script/past.h"

#include <string.h>

#include "base/xalloc.h"

void past_free(struct past *p)
{
    for (size_t i = 0; i < p->count; i++)
        xfree(p->command[i].line);
    xfree(p->command);
    *p = (struct past){0};
}

int past_note(struct past *p, const struct script_command *c, int branch, uint32_t before, uint32_t after, size_t talk,
              struct err *e)
{
    struct buf b = {0};
    void *grown = p->command;
    bool room = xgrow(&grown, &p->capacity, p->count + 1, sizeof *p->command);
    p->command = grown;
    script_write(c, &b);
    size_t n;
    char *line = room && !b.failed ? buf_take(&b, &n) : NULL;
    buf_free(&b);
    if (line == NULL)
        return err_memory(e, sizeof *p->command, "a command to be run again");
    p->command[p->count++] = (struct past_command){c->kind, branch, before, after, talk, line};
    return 0;
}

/* The branch on which a command that began at `before` stands, seen from `branch`. */
static bool on_the_way(const struct tape *t, int branch, const struct past_command *c)
{
    uint32_t base;
    int parent;
    while ((parent = tape_parent(t, branch, &base)) >= 0 && c->before < base)
        branch = parent;
    return c->branch == branch;
}

size_t past_talk(const struct past *p, const struct tape *t, int branch, uint32_t at)
{
    size_t talk = 0;
    for (size_t i = 0; i < p->count; i++) /* on one way they ran in the order of their steps */
        if (p->command[i].after <= at && on_the_way(t, branch, &p->command[i]))
            talk = p->command[i].talk;
    return talk;
}

/* Append the commands that stand behind step `at` on a branch, a line each; returns how many make steps. */
static int following(const struct past *p, const struct tape *t, int branch, uint32_t at,
                     const struct past_command **out, size_t *n)
{
    int acts = 0;
    *n = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct past_command *c = &p->command[i];
        if (c->before < at || !on_the_way(t, branch, c) || c->kind == RXS_SAY)
            continue;
        out[(*n)++] = c;
        acts += c->after > c->before;
    }
    return acts;
}

/* The first two requests or keys change places. */
static int swap(const struct past_command **c, size_t n, struct err *e)
{
    size_t first = n;
    for (size_t i = 0; i < n; i++) {
        if (c[i]->kind != RXS_REQUEST && c[i]->kind != RXS_INSERT && c[i]->kind != RXS_MATCH)
            continue;
        if (first == n) {
            first = i;
            continue;
        }
        const struct past_command *x = c[first];
        c[first] = c[i];
        c[i] = x;
        return 0;
    }
    err_set(e, "rest swap needs two requests or keys behind this step");
    return err_hint(e, "go back to before two of them");
}

/* Put `to` in the place of the first `from` of the first line that holds it. */
static int replace(struct buf *lines, const char *from, const char *to, struct err *e)
{
    struct buf b = {0}, old = {0}, new = {0};
    script_quote(from, strlen(from), &old); /* as it stands in a line, without its quotes */
    script_quote(to, strlen(to), &new);
    const char *all = buf_text(lines);
    char *what = xmalloc(old.len + 1);
    if (what == NULL || old.failed || new.failed) {
        xfree(what);
        buf_free(&old);
        buf_free(&new);
        return err_memory(e, old.len, "a text");
    }
    memcpy(what, old.data + 1, old.len - 2);
    what[old.len - 2] = '\0';
    const char *place = *what != '\0' ? strstr(all, what) : NULL;
    if (place != NULL) {
        buf_add(&b, all, (size_t)(place - all));
        buf_add(&b, new.data + 1, new.len - 2);
        buf_puts(&b, place + strlen(what));
        buf_clear(lines);
        buf_add(lines, buf_text(&b), b.len);
        lines->failed = lines->failed || b.failed;
    } else {
        err_set(e, "nothing behind this step holds the text \"%.60s\"", from);
    }
    xfree(what);
    buf_free(&b);
    buf_free(&old);
    buf_free(&new);
    return place != NULL ? 0 : -1;
}

/* What is different on the new branch, as its first step says it, and the setting that makes it so. */
static void say_why(const struct script_command *c, struct buf *b)
{
    struct buf why = {0};
    const char *from = script_text(c, "from"), *to = script_text(c, "to");
    const struct script_arg *policy = script_arg(c, "policy");
    buf_puts(&why, "The rest of the script once more");
    if (policy != NULL)
        buf_printf(&why, ", with policy %s", policy_name((uint32_t)policy->number));
    if (script_arg(c, "swap") != NULL)
        buf_puts(&why, ", the two next requests in the other order");
    if (from != NULL && to != NULL)
        buf_printf(&why, ", with \"%s\" in place of \"%s\"", to, from);
    buf_putc(&why, '.');
    buf_puts(b, "say ");
    script_quote(buf_text(&why), why.len, b);
    buf_putc(b, '\n');
    if (policy != NULL)
        buf_printf(b, "set policy %s\n", policy_name((uint32_t)policy->number));
    buf_free(&why);
}

static struct script *write_rest(const struct past_command **c, size_t n, const struct script_command *how, struct err *e)
{
    struct buf lines = {0}, b = {0};
    const char *from = script_text(how, "from"), *to = script_text(how, "to");
    struct script *s = NULL;
    for (size_t i = 0; i < n; i++)
        buf_printf(&lines, "%s\n", c[i]->line);
    if (from == NULL || replace(&lines, from, to, e) == 0) {
        say_why(how, &b);
        buf_add(&b, buf_text(&lines), lines.len);
        if (b.failed || lines.failed)
            err_memory(e, lines.len, "the rest of a script");
        else
            s = script_parse("", buf_text(&b), b.len, 1, e);
    }
    buf_free(&lines);
    buf_free(&b);
    return s;
}

struct script *past_rest(const struct past *p, const struct tape *t, int branch, uint32_t at,
                         const struct script_command *c, struct err *e)
{
    struct script *s = NULL;
    if ((script_text(c, "from") == NULL) != (script_text(c, "to") == NULL)) {
        err_set(e, "rest needs both from=TEXT and to=TEXT, or neither");
        return NULL;
    }
    const struct past_command **list = xcalloc(p->count + 1, sizeof(struct past_command *));
    size_t n = 0;
    if (list == NULL) {
        err_memory(e, p->count * sizeof(struct past_command *), "the rest of a script");
        return NULL;
    }
    int acts = following(p, t, branch, at, list, &n);
    for (uint32_t base; acts == 0 && (branch = tape_parent(t, branch, &base)) >= 0;)
        acts = following(p, t, branch, base, list, &n);
    if (acts == 0) {
        err_set(e, "nothing of the script comes after this step");
        err_hint(e, "go back to an earlier step first");
    } else if (script_arg(c, "swap") == NULL || swap(list, n, e) == 0) {
        s = write_rest(list, n, c, e);
    }
    xfree(list);
    return s;
}
