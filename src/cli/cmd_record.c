/* radixscope record FILE.rxs [-o FILE.rxt] */
#include <stdio.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/source.h"
#include "cli/version.h"
#include "tape/recording.h"

static void output_name(const struct cli *c, const struct source *s, struct buf *out)
{
    if (c->option[OPT_OUTPUT] != NULL) {
        buf_puts(out, c->option[OPT_OUTPUT]);
        return;
    }
    size_t n = strlen(s->script->name);
    buf_add(out, s->script->name, n > 4 && strcmp(s->script->name + n - 4, ".rxs") == 0 ? n - 4 : n);
    buf_puts(out, ".rxt");
}

static int save(struct runner *r, const struct source *s, const char *path, struct err *e)
{
    const struct tape *t = runner_tape(r);
    struct event_words words = lexicon_words(runner_lexicon(r));
    struct recording_info info = {.title = s->settings.title, .mode = source_mode(&s->settings),
                                  .script = s->script->source, .program = RADIXSCOPE_VERSION,
                                  .bytes = lexicon_bytes_of, .ctx = words.ctx, .branch = -1};
    if (recording_save(path, t, &info, e) != 0)
        return -1;
    struct buf b = {0};
    buf_printf(&b, "%s: %u steps\n", path, tape_length(t, tape_branch(t)));
    return cli_print(&b, e);
}

static void cancel_runner(void *ctx)
{
    runner_cancel(ctx);
}

static int record(const struct cli *c, struct source *s, struct err *e)
{
    struct runner *r = runner_new(s->script, &s->config, e);
    struct interrupt interrupt;
    struct buf path = {0};
    if (r == NULL)
        return -1;
    int rc = interrupt_begin(&interrupt, cancel_runner, r, e);
    if (rc == 0) {
        rc = (int)runner_script(r, s->script, e);
        interrupt_end(&interrupt);
    }
    output_name(c, s, &path);
    if (rc == RUN_CANCELLED) {
        fputs("radixscope: interrupted; nothing was written\n", stderr);
        rc = interrupt_code(&interrupt);
    } else if (rc == 0) {
        rc = path.failed ? err_memory(e, 64, "a file name") : save(r, s, buf_text(&path), e);
    } else if (tape_full(runner_tape(r)) && !path.failed) {
        struct err unsaved = {0}; /* what fitted into the history is saved; that it is full remains the error */
        if (save(r, s, buf_text(&path), &unsaved) != 0)
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
