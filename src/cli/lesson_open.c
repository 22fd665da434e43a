#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "cli/lesson_cli.h"
#include "cli/lessons.h"
#include "cli/places.h"
#include "lesson/liar.h"
#include "model/model.h"
#include "ui/command.h"

enum { RUN_WORDS = 64, RUN_OUTPUT = 8 << 20, RUN_SECONDS = 60, OPEN_PATIENCE_MS = 700 };

/* ---- other commands of this program ------------------------------------------------------------------- */

/* Split a line into words at blanks; "quotes" keep them. Writes into line. */
static int split_words(char *line, char **word, int most, struct err *e)
{
    int n = 0;
    for (char *c = line + strspn(line, " \t\n"); *c != '\0'; c += strspn(c, " \t\n")) {
        if (n + 1 == most)
            return err_set(e, "the command has too many words");
        bool quoted = *c == '"';
        c += quoted;
        word[n++] = c;
        c += strcspn(c, quoted ? "\"" : " \t\n");
        if (quoted && *c == '\0')
            return err_set(e, "a quote of the command is not closed");
        if (*c != '\0')
            *c++ = '\0';
    }
    word[n] = NULL;
    return n;
}

/* In the child: become the program. Nothing that is not async-signal-safe runs here. */
static _Noreturn void become(const char *program, char **word, const char *dir, int out)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* a thread that blocks signals may have made it */
    if (chdir(dir) == 0 && dup2(out, STDOUT_FILENO) >= 0) {
        alarm(RUN_SECONDS);
        execv(program, word);
    }
    _exit(127);
}

static int read_all(int fd, struct buf *out, struct err *e)
{
    char bytes[4096];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || out->len > RUN_OUTPUT)
            return err_set(e, n < 0 ? "its output cannot be read" : "it prints too much");
        buf_add(out, bytes, (size_t)n);
    }
    return out->failed ? err_memory(e, out->len, "a command's output") : 0;
}

static int run_program(const char *program, char **word, const char *dir, struct buf *out, struct err *e)
{
    int pipes[2], status = 0;
    if (pipe(pipes) != 0)
        return err_set(e, "no pipe can be made: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0)
        become(program, word, dir, pipes[1]);
    close(pipes[1]);
    int rc = child > 0 ? read_all(pipes[0], out, e) : err_set(e, "no process can be made: %s", strerror(errno));
    close(pipes[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc == 0 && WIFSIGNALED(status))
        return err_set(e, WTERMSIG(status) == SIGALRM ? "it took longer than a minute" : "it was ended by a signal");
    bool told = WEXITSTATUS(status) == 1 && strcmp(word[1], "lint") == 0 && out->len > 0; /* it found something */
    if (rc == 0 && WEXITSTATUS(status) != 0 && !told)
        return err_set(e, "it ends with exit code %d", WEXITSTATUS(status));
    return rc;
}

static int host_command(void *ctx, const char *line, const char *dir, struct buf *out, struct err *e)
{
    const struct lesson_open *o = ctx;
    struct cli *c = o->cli;
    char program[PATH_MAX], *copy = xstrdup(line), *word[RUN_WORDS];
    if (copy == NULL)
        return err_memory(e, strlen(line), "a command");
    word[0] = program;
    int rc = place_program(c, program, e);
    if (rc == 0)
        rc = split_words(copy, word + 1, RUN_WORDS - 1, e) < 0 ? -1 : 0;
    if (rc == 0)
        rc = run_program(program, word, dir, out, e);
    xfree(copy);
    return rc;
}

static int host_workload(void *ctx, const char *name, struct buf *out, struct err *e)
{
    const struct lesson_open *o = ctx;
    struct buf path = {0};
    char *text = NULL;
    size_t len;
    int rc = place_scenario(o->cli, name, &path, e);
    if (rc == 0)
        rc = path.failed ? err_memory(e, path.len, "a file name") : file_read(buf_text(&path), LESSON_BYTES, &text, &len, e);
    if (rc == 0)
        buf_add(out, text, len);
    xfree(text);
    buf_free(&path);
    return rc;
}

/* ---- names -------------------------------------------------------------------------------------------- */

static bool is_key(void *ctx, const char *key)
{
    (void)ctx;
    for (int k = 0; k < CMD_COUNT; k++)
        if (strcmp(command_info((enum command)k)->written, key) == 0)
            return true;
    return false;
}

struct looking_for {
    const char *id;
    struct lesson_head *out;
    bool found;
};

static void compare_id(void *ctx, const struct lesson_brief *b)
{
    struct looking_for *l = ctx;
    if (l->found || strcmp(b->head.id, l->id) != 0)
        return;
    *l->out = b->head;
    l->found = true;
}

static bool find_lesson(void *ctx, const char *id, struct lesson_head *out)
{
    struct looking_for l = {.id = id, .out = out};
    struct err ignored = {0};
    return lessons_visit(ctx, compare_id, &l, &ignored) == 0 && l.found;
}

struct lesson_names lesson_names_of(struct cli *c)
{
    return (struct lesson_names){is_key, find_lesson, c};
}

/* ---- opening ------------------------------------------------------------------------------------------ */

static bool wants_model(const struct script *s)
{
    struct script_settings set;
    script_settings(s, &set);
    return set.tokens == TOKENS_MODEL;
}

/* Does any engine of the lesson run on the model's tokens? */
static bool needs_model(const struct lesson *l)
{
    bool first = true;
    for (size_t i = 0; i < l->items; i++) {
        const struct item *it = &l->item[i];
        if (it->kind == ITEM_RXS && (it->begins || first) && wants_model(it->script))
            return true;
        first = first && it->kind != ITEM_RXS;
        if (it->kind != ITEM_ASK || it->question->kind != ASK_DO)
            continue;
        struct err ignored = {0};
        struct script *s = script_parse("", it->question->start, strlen(it->question->start), 1, &ignored);
        bool wants = s != NULL && wants_model(s);
        script_free(s);
        if (wants)
            return true;
    }
    return false;
}

/* "liar" is made from --seed; every other lesson is a file. NULL and *e. */
static struct lesson *load_lesson(struct cli *c, const char *name, struct err *e)
{
    struct buf b = {0};
    struct lesson *l = NULL;
    uint32_t seed;
    bool made = strcmp(name, "liar") == 0;
    if (cli_count(c, OPT_SEED, 0, &seed, e) != 0)
        return NULL;
    if (made)
        liar_write(seed, &b);
    if ((made || lessons_find(c, name, &b, e) == 0) && b.failed)
        err_memory(e, b.len, "a lesson");
    else if (b.len > 0)
        l = made ? lesson_parse("liar", buf_text(&b), b.len, e) : lesson_load(buf_text(&b), e);
    buf_free(&b);
    return l;
}

static void host_begins(void *ctx, uint32_t n, uint32_t blocks)
{
    struct lesson_open *o = ctx;
    atomic_store(&o->block, n);
    atomic_store(&o->blocks, blocks);
}

struct opening {
    struct lesson_open *o;
    struct err err;
};

static void run_blocks(void *ctx)
{
    struct opening *k = ctx;
    k->o->run = lesson_run_new(k->o->lesson, &k->o->host, &k->err);
}

/* All its commands run before the first word. Who waits for them at a terminal is told why. */
static int open_run(struct lesson_open *o, struct err *e)
{
    struct opening k = {.o = o};
    struct err ignored = {0};
    struct lesson_job *job = isatty(STDERR_FILENO) ? lesson_job_new(&ignored) : NULL;
    bool told = false;
    if (job == NULL)
        run_blocks(&k);
    else
        lesson_job_begin(job, run_blocks, &k);
    while (job != NULL && !lesson_job_wait(job, OPEN_PATIENCE_MS)) {
        fprintf(stderr, "\rThe lesson's commands run first: block %u of %u (Ctrl-C ends it) ", atomic_load(&o->block),
                atomic_load(&o->blocks));
        fflush(stderr);
        told = true;
    }
    if (told)
        fputs("\r\033[K", stderr);
    lesson_job_free(job);
    if (o->run == NULL && e != NULL)
        *e = k.err;
    return o->run != NULL ? 0 : -1;
}

int lesson_open(struct lesson_open *o, struct cli *c, const char *name, struct err *e)
{
    *o = (struct lesson_open){.cli = c, .opened = true};
    lesson_halt_init(&o->halt);
    o->lesson = load_lesson(c, name, e);
    if (o->lesson == NULL)
        return -1;
    if (place_model(c, &o->model_dir, e) != 0 ||
        (needs_model(o->lesson) && model_open(buf_text(&o->model_dir), &o->model, e) != 0))
        return -1;
    o->host = (struct lesson_host){.model_dir = buf_text(&o->model_dir), .model = o->model, .command = host_command,
                                   .workload = host_workload, .begins = host_begins, .halt = &o->halt, .ctx = o};
    return open_run(o, e);
}

void lesson_close(struct lesson_open *o)
{
    lesson_run_free(o->run);
    lesson_free(o->lesson);
    model_close(o->model);
    buf_free(&o->model_dir);
    if (o->opened)
        lesson_halt_done(&o->halt);
    *o = (struct lesson_open){0};
}

int lesson_progress(const struct cli *c, struct progress *p, struct err *e)
{
    char message[700];
    *p = (struct progress){0};
    if (cli_has(c, OPT_NO_SAVE))
        return 0;
    if (progress_load(p, message, sizeof message, e) != 0)
        return -1;
    if (message[0] != '\0')
        fprintf(stderr, "radixscope: %s\n", message);
    return 0;
}
