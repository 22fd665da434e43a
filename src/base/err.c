#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The one exception to "no globals": an assertion fails far from whoever owns the terminal, and the
 * terminal must be restored before the message can be read. */
static panic_hook hook_function;
static void *hook_argument;

static void err_fill(struct err *e, bool usage, const char *fmt, va_list args)
{
    if (e == NULL || e->set)
        return;
    e->set = true;
    e->usage = usage;
    e->hint[0] = '\0';
    vsnprintf(e->what, sizeof e->what, fmt, args); /* NOLINT: the callers start args */
    for (char *c = e->what; *c != '\0'; c++) /* names out of files may hold what steers a terminal */
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

int (err_set)(struct err *e, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    err_fill(e, false, fmt, args);
    va_end(args);
    return -1;
}

int (err_usage)(struct err *e, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    err_fill(e, true, fmt, args);
    va_end(args);
    return -1;
}

int (err_hint)(struct err *e, const char *fmt, ...)
{
    if (e == NULL || !e->set || e->hint[0] != '\0')
        return -1;
    va_list args;
    va_start(args, fmt);
    vsnprintf(e->hint, sizeof e->hint, fmt, args); /* NOLINT: started just above */
    va_end(args);
    return -1;
}

int (err_memory)(struct err *e, size_t bytes, const char *purpose)
{
    return err_set(e, "not enough memory: %zu bytes for %s could not be had", bytes, purpose);
}

void err_clear(struct err *e)
{
    if (e != NULL)
        *e = (struct err){0};
}

void panic_set_hook(panic_hook hook, void *arg)
{
    hook_function = hook;
    hook_argument = arg;
}

void panic(const char *file, int line, const char *claim)
{
    panic_hook hook = hook_function;
    hook_function = NULL; /* a hook that fails must not call itself */
    if (hook != NULL)
        hook(hook_argument);
    fprintf(stderr, "radixscope: internal error at %s:%d: this should hold: %s\n", file, line, claim);
    abort();
}
