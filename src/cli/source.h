/* source.h: what a command is asked to run (a scenario, a script, prompts), as a script and the
 * configuration of a runner. The command line's options win over the script's settings.
 */
#ifndef RADIXSCOPE_CLI_SOURCE_H
#define RADIXSCOPE_CLI_SOURCE_H

#include "cli/cli.h"
#include "script/runner.h"
#include "trace/stream.h"
#include "ui/feed.h"

struct source {
    struct script *script;             /* owned */
    struct stream *stream;             /* owned: the commands behind it, from a file that is still being read; NULL: none */
    struct script_settings settings;   /* the script's, with --pool and so on */
    bool given;                        /* its text came with the command, not from our scenarios */
    bool prompts;                      /* made from bare prompts: nothing in it asks for history */
    struct buf model_dir;
    struct model *model;               /* owned; NULL: the script needs none. Runners end before source_done */
    struct runner_config config;       /* settings and model_dir filled in */
};

/* Operands that are no single .rxs file and no scenario's name are prompts (`prompts` allows them), else a
 * scenario's name;
 * without operands: `otherwise`. source_done also after a failure. */
int source_open(struct source *s, struct cli *c, bool prompts, const char *otherwise, struct err *e);
void source_done(struct source *s);

/* KV events or conversations, to be read while they run. Takes the lines. source_done also after a failure. */
int source_open_stream(struct source *s, struct cli *c, struct lines *l, enum foreign_format format, struct err *e);

/* --history-mb in bytes; 0: it is not given. */
int source_history_limit(const struct cli *c, size_t *limit, struct err *e);

/* "exact", "fast", or NULL: nothing is computed. */
const char *source_mode(const struct script_settings *s);

/* The words of a run as screens and sentences need them; good as long as x. */
struct ui_words source_words(const struct lexicon *x);

#endif
