/* runner.h: runs the commands of a script on an engine of its own.
 *
 *      script ── runner ── lexicon (text to tokens)
 *                   ├───── model   (opened: mapped, nothing computed)
 *                   ├───── adapters (read whole by the `adapter` command)
 *                   └───── engine  (tape, cache, KV rows; the forward pass is made by the first request)
 *
 * The runner owns the engine, the words, the adapters and, unless it was lent one, the model. Making it is cheap, so
 * that a screen can have the tape before anything is computed. One thread at a time may run commands;
 * runner_cancel may be called from any thread.
 *
 * What a command did is told to `report` at once, in the same thread, before the next one begins.
 */
#ifndef RADIXSCOPE_SCRIPT_RUNNER_H
#define RADIXSCOPE_SCRIPT_RUNNER_H

#include "engine/engine.h"
#include "script/lexicon.h"
#include "script/sampling.h"
#include "script/script.h"

struct runner;

/* What one command did. Pointers are good during the call. */
struct runner_report {
    const struct script *script;
    const struct script_command *command;
    int branch;
    uint32_t before, after;             /* steps (before, after] of the branch are the command's */
    const struct request_spec *spec;    /* of a request, else NULL */
    const struct request_report *request;
    const char *prompt, *answer;        /* the user's text; the answer without its end token */
    size_t prompt_len, answer_len;
    const uint32_t *ids;                /* (units) of an insert or match, of a request's prompt; else NULL */
    const uint32_t *told;               /* (told_n) the answer's tokens where it was given, else NULL */
    uint32_t told_n;
    uint32_t units, matched, added, freed;
    bool no_slots;                      /* an insert that the pool was too small for */
};

struct runner_config {
    const char *model_dir;              /* opened only if the script needs a model */
    struct model *model;                /* lent instead; must outlive the runner; NULL: open model_dir */
    const struct script_settings *settings; /* instead of the script's own; NULL: the script's */
    struct sampling sampling;           /* wins over what requests say themselves */
    uint32_t max_new;                   /* no answer is longer; 0: as the script says */
    bool no_history;                    /* do not record: nobody will step through it */
    size_t history_limit;               /* bytes of recorded steps; 0: as many as memory holds */
    uint32_t step_limit;                /* no command goes on behind this step; 0: none (tape_full: it was reached) */
    void (*prepare)(void *ctx, struct request_spec *spec);        /* may change it before it runs */
    void (*report)(void *ctx, const struct runner_report *report);
    void *ctx;
};

enum { RUNNER_MAX_NEW = 64 };           /* tokens of an answer where nothing else is said */

enum run_result { RUN_DONE = 0, RUN_FAILED = -1, RUN_CANCELLED = 1 };

/* Ready to run s, of which only the settings are used yet. NULL and *e when they are impossible, when a
 * command needs what they exclude, or when the model cannot be opened. */
struct runner *runner_new(const struct script *s, const struct runner_config *cfg, struct err *e);
void runner_free(struct runner *r);

/* Run one command, or all. RUN_FAILED: *e says where and why, and nothing of the command remains. */
enum run_result runner_command(struct runner *r, const struct script *s, const struct script_command *c, struct err *e);
enum run_result runner_script(struct runner *r, const struct script *s, struct err *e);

/* Check a script that was typed later: it may not bring settings. */
int runner_accepts(const struct runner *r, const struct script *s, struct err *e);

/* From any thread: the command that runs ends early, and so does runner_script. */
void runner_cancel(struct runner *r);
void runner_uncancel(struct runner *r);

/* The next command acts from this moment of the history, or from the last one before it at which an operation
 * has ended and no request runs. At the end of what has happened it goes on there, also when scheduled requests are
 * under way. */
int runner_act_at(struct runner *r, int branch, uint32_t at, struct err *e);

struct engine *runner_engine(struct runner *r);
struct tape *runner_tape(struct runner *r);
struct model *runner_model(struct runner *r);            /* NULL without one */
const struct lexicon *runner_lexicon(const struct runner *r);
const struct script_settings *runner_settings(const struct runner *r);
uint32_t runner_refused(const struct runner *r);         /* requests and inserts refused and not expected to be */

#endif
