/* radixscope record FILE.rxs [-o FILE.rxt] [--with-kv] */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "cli/answers.h"
#include "cli/interrupt.h"
#include "cli/source.h"
#include "cli/version.h"
#include "engine/observe.h"
#include "tape/recording.h"

/* In the folder where the person is: a scenario's own belongs to the program. */
static void output_name(const struct cli *c, const struct source *s, struct buf *out)
{
    if (c->option[OPT_OUTPUT] != NULL) {
        buf_puts(out, c->option[OPT_OUTPUT]);
        return;
    }
    const char *slash = strrchr(s->script->name, '/'), *name = slash != NULL ? slash + 1 : s->script->name;
    size_t n = strlen(name);
    buf_add(out, name, n > 4 && strcmp(name + n - 4, ".rxs") == 0 ? n - 4 : n);
    buf_puts(out, ".rxt");
}

static int write_recording(struct runner *r, const struct source *s, const struct recording_kv *kv, const char *path,
                           struct err *e)
{
    const struct tape *t = runner_tape(r);
    struct event_words words = lexicon_words(runner_lexicon(r));
    struct recording_info info = {.title = s->settings.title, .mode = source_mode(&s->settings),
                                  .script = s->script->source, .program = RADIXSCOPE_VERSION,
                                  .bytes = lexicon_bytes_of, .ctx = words.ctx, .kv = kv, .branch = -1};
    if (recording_save(path, t, &info, e) != 0)
        return -1;
    struct buf b = {0};
    buf_printf(&b, "%s: %u steps\n", path, tape_length(t, tape_branch(t)));
    return cli_print(&b, e);
}

/* What runs: the script, then what --with-kv computes besides. */
struct job {
    struct runner *runner;
    atomic_bool cancelled;
};

static void cancel_job(void *ctx)
{
    struct job *j = ctx;
    atomic_store(&j->cancelled, true);
    runner_cancel(j->runner);
}

static bool job_cancelled(void *ctx)
{
    return atomic_load(&((struct job *)ctx)->cancelled);
}

/* RUN_CANCELLED: nothing was written. */
static int save(const struct cli *c, struct job *j, const struct source *s, const char *path, struct err *e)
{
    struct answers answers = {.stop = job_cancelled, .ctx = j};
    struct observed observed;
    bool with_kv = cli_has(c, OPT_WITH_KV) && engine_observed(runner_engine(j->runner), &observed);
    int rc = with_kv ? answers_collect(&answers, j->runner, e) : 0;
    struct recording_kv kv = {&observed, answers.one, answers.count};
    if (rc == 0)
        rc = write_recording(j->runner, s, with_kv ? &kv : NULL, path, e);
    answers_done(&answers);
    return rc > 0 ? RUN_CANCELLED : rc;
}

static int record(const struct cli *c, struct source *s, struct err *e)
{
    struct runner *r = runner_new(s->script, &s->config, e);
    struct job job = {.runner = r};
    struct interrupt interrupt;
    struct buf path = {0};
    if (r == NULL)
        return -1;
    int rc = interrupt_begin(&interrupt, cancel_job, &job, e);
    bool began = rc == 0;
    output_name(c, s, &path);
    if (rc == 0)
        rc = (int)runner_script(r, s->script, e);
    if (rc == 0)
        rc = path.failed ? err_memory(e, 64, "a file name") : save(c, &job, s, buf_text(&path), e);
    if (began)
        interrupt_end(&interrupt);
    if (rc == RUN_CANCELLED) {
        fputs("radixscope: interrupted; nothing was written\n", stderr);
        rc = interrupt_code(&interrupt);
    } else if (rc != 0 && tape_full(runner_tape(r)) && !path.failed) {
        struct err unsaved = {0}; /* what fitted into the history is saved; that it is full remains the error */
        if (save(c, &job, s, buf_text(&path), &unsaved) != 0)
            *e = unsaved;
    }
    buf_free(&path);
    runner_free(r);
    return rc;
}

int cmd_record(struct cli *c, struct err *e)
{
    struct source s;
    int rc = source_open(&s, c, false, NULL, e);
    if (rc == 0)
        rc = record(c, &s, e);
    source_done(&s);
    return rc;
}
