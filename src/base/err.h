/* err.h: what went wrong, where, and what to do about it.
 *
 * There are three kinds of failure in radixscope and they are never mixed:
 *   a programmer's error      ASSERT(): always compiled in, no side effects, ends the program;
 *   an error of the world     a file, a number, no memory: the function returns -1 (or NULL) and
 *                             fills a struct err that main prints once the terminal is restored;
 *   a result of the domain    pool full, nothing to evict: an enum, because it is the lesson.
 *
 * A struct err is plain data owned by the caller; the first error set wins, later ones are dropped,
 * so that the deepest (most exact) sentence survives on its way up.
 */
#ifndef RADIXSCOPE_BASE_ERR_H
#define RADIXSCOPE_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

struct err {
    bool set;
    bool usage;      /* the command line is wrong: exit code 2 instead of 1 */
    char what[512];  /* one sentence: what, where (file, line, field) */
    char hint[256];  /* what to do; may be empty */
};

#if defined(__GNUC__)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define PRINTF_LIKE(fmt, args)
#endif

/* Fill *e unless it is set already; e may be NULL. Always returns -1, for `return err_set(…)`. */
int err_set(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The same, marked as a wrong command line. */
int err_usage(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Add advice to an error that is set and has none. Returns -1. */
int err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The error for a failed allocation of `bytes` for `purpose`. Returns -1. */
int err_memory(struct err *e, size_t bytes, const char *purpose);

#ifdef __clang_analyzer__ /* it sees one file at a time, and would try "-1" and "0" for each of these */
#define err_set(...) ((err_set)(__VA_ARGS__), -1)
#define err_usage(...) ((err_usage)(__VA_ARGS__), -1)
#define err_hint(...) ((err_hint)(__VA_ARGS__), -1)
#define err_memory(...) ((err_memory)(__VA_ARGS__), -1)
#endif

/* Forget an error so that the struct can be used again. */
void err_clear(struct err *e);

/* Called by a failed ASSERT before it aborts: the screen registers its restore function here. */
typedef void (*panic_hook)(void *arg);
void panic_set_hook(panic_hook hook, void *arg);

/* Print where an invariant was broken and abort. */
_Noreturn void panic(const char *file, int line, const char *claim);

#define ASSERT(claim) ((claim) ? (void)0 : panic(__FILE__, __LINE__, #claim))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
