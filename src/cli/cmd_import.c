/* radixscope import FILE [--from FORMAT] [-o OUT.rxs | OUT.rxt] [--diff | --against RUN] */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "cli/imported.h"
#include "cli/interrupt.h"
#include "cli/places.h"
#include "cli/show_trace.h"
#include "cli/source.h"
#include "cli/version.h"
#include "tape/recording.h"
#include "trace/conversations.h"
#include "trace/excerpt.h"
#include "trace/foreign.h"
#include "trace/kv_diff.h"
#include "trace/kv_import.h"
#include "trace/tracer.h"

enum { LARGEST = 1 << 30 };

struct import {
    struct cli *c;
    const char *path, *out;      /* out NULL: only look */
    bool keep;                   /* the script is wanted, nothing is written */
    char *bytes;                 /* owned: the file */
    size_t len;
    enum foreign_format format;
    uint32_t pool, page;         /* 0: as the file needs them */
    uint64_t first, last;        /* --requests: the part to take; 0: all, to the end */
    struct buf more, script;     /* settings of the command line; what came of it all */
    struct buf said;             /* for people */
};

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n > k && strcmp(name + n - k, end) == 0;
}

/* ---- running ---------------------------------------------------------------------------------------------- */

/* A runner that has run the script; NULL and *e, or NULL and *code for an interruption. */
struct run {
    struct script *script;
    struct source source;
    struct runner *runner;
    int code;
};

static void run_done(struct run *r)
{
    runner_free(r->runner);
    source_done(&r->source);
    script_free(r->script);
}

static void cancel_runner(void *ctx)
{
    runner_cancel(ctx);
}

static int run_to_end(struct run *r, const struct script *s, const struct runner_config *cfg, struct err *e)
{
    struct interrupt interrupt;
    r->runner = runner_new(s, cfg, e);
    if (r->runner == NULL || interrupt_begin(&interrupt, cancel_runner, r->runner, e) != 0)
        return -1;
    enum run_result ran = runner_script(r->runner, s, e);
    interrupt_end(&interrupt);
    if (ran == RUN_CANCELLED) {
        fputs("radixscope: interrupted; nothing was written\n", stderr);
        r->code = interrupt_code(&interrupt);
    }
    return ran == RUN_FAILED ? -1 : 0;
}

/* The imported script, with the model if it needs one. */
static int run_imported(struct import *m, const struct buf *text, struct run *r, struct err *e)
{
    struct buf model = {0};
    *r = (struct run){0};
    r->script = script_parse("", text->data, text->len, 1, e);
    int rc = r->script == NULL || place_model(m->c, &model, e) != 0 ? -1 : 0;
    struct runner_config cfg = {.model_dir = buf_text(&model)};
    if (rc == 0)
        rc = run_to_end(r, r->script, &cfg, e);
    buf_free(&model);
    return rc;
}

static int save_recording(struct import *m, struct err *e)
{
    struct run r;
    int rc = run_imported(m, &m->script, &r, e);
    if (rc == 0 && r.code == 0) {
        const struct script_settings *set = runner_settings(r.runner);
        struct event_words words = lexicon_words(runner_lexicon(r.runner));
        struct recording_info info = {.title = set->title, .mode = source_mode(set), .script = r.script->source,
                                      .program = RADIXSCOPE_VERSION, .bytes = lexicon_bytes_of, .ctx = words.ctx,
                                      .branch = -1};
        rc = recording_save(m->out, runner_tape(r.runner), &info, e);
        buf_printf(&m->said, "%s: %u steps\n", m->out, tape_length(runner_tape(r.runner), 0));
    }
    if (rc == 0)
        rc = r.code;
    run_done(&r);
    return rc;
}

static int save(struct import *m, struct err *e)
{
    if (m->out == NULL)
        return 0;
    if (ends_with(m->out, ".rxt"))
        return save_recording(m, e);
    buf_printf(&m->said, "%s: a script of %zu bytes\n", m->out, m->script.len);
    return file_write(m->out, buf_text(&m->script), m->script.len, e);
}

/* ---- KV events -------------------------------------------------------------------------------------------- */

/* The KV events of --against: a file of events, a recording, or a script that is run now. */
static int events_of_recording(const char *path, struct kv_log *out, struct err *e)
{
    struct recording *r = recording_open(path, e);
    int rc = r == NULL ? -1 : kv_log_of_tape(recording_tape(r), out, e);
    recording_free(r);
    return rc;
}

static int events_of_script(struct import *m, const char *name, struct kv_log *out, struct err *e)
{
    struct run r = {0};
    struct cli rest = *m->c;
    char *arg[] = {(char *)(uintptr_t)name};
    rest.arg = arg;
    rest.args = 1;
    int rc = source_open(&r.source, &rest, false, NULL, e);
    if (rc == 0)
        rc = run_to_end(&r, r.source.script, &r.source.config, e);
    if (rc == 0 && r.code == 0)
        rc = kv_log_of_tape(runner_tape(r.runner), out, e);
    if (rc == 0)
        rc = r.code;
    run_done(&r);
    return rc;
}

static int events_of_file(const char *path, struct kv_log *out, struct err *e)
{
    char *bytes;
    size_t len;
    if (file_read(path, LARGEST, &bytes, &len, e) != 0)
        return -1;
    int rc = kv_log_parse(path, bytes, len, out, e);
    xfree(bytes);
    return rc;
}

static int events_of(struct import *m, const char *what, struct kv_log *out, struct err *e)
{
    if (ends_with(what, ".rxt"))
        return events_of_recording(what, out, e);
    if (ends_with(what, ".rxs") || place_is_scenario(m->c, what))
        return events_of_script(m, what, out, e);
    return events_of_file(what, out, e);
}

/* What the simulator does when the same keys are stored and its own policy has to make room. */
static int events_of_simulator(struct import *m, const struct kv_log *log, struct kv_log *out, struct err *e)
{
    struct buf text = {0};
    struct kv_summary sum;
    struct run r = {0};
    int rc = kv_import(log, m->path, KV_STORES_ALONE, m->pool, buf_text(&m->more), &text, &sum, e);
    if (rc == 0)
        rc = run_imported(m, &text, &r, e);
    if (rc == 0 && r.code == 0)
        rc = kv_log_of_tape(runner_tape(r.runner), out, e);
    if (rc == 0)
        rc = r.code;
    run_done(&r);
    buf_free(&text);
    return rc;
}

/* Exit code 1 if they differ, as compare. */
static int compare(struct import *m, const struct kv_log *log, struct err *e)
{
    struct kv_log other = {0};
    struct kv_difference d;
    const char *against = m->c->option[OPT_AGAINST];
    const char *const names[] = {"the recording", against != NULL ? "the run" : "the simulator"};
    int rc = against != NULL ? events_of(m, against, &other, e) : events_of_simulator(m, log, &other, e);
    if (rc == 0 && kv_diff(log, &other, names, &d, e) != 0)
        rc = -1;
    else if (rc == 0) {
        if (d.differs)
            buf_printf(&m->said, "first difference %s\n", d.what);
        else
            buf_printf(&m->said, "no difference in %zu blocks stored and removed\n", d.same);
        rc = d.differs;
    }
    kv_log_free(&other);
    return rc;
}

/* What --requests leaves of the log, borrowed from it: an excerpt has few records, as of traces it has few requests. */
static int take_part(struct import *m, const struct kv_log *log, struct kv_log *part, struct err *e)
{
    struct err inner = {0};
    *part = *log;
    if (m->first == 0)
        return 0;
    if ((m->last == 0 ? log->records : m->last) >= m->first + EXCERPT_MOST) {
        err_set(e, "%.200s: an excerpt has at most %d records", m->path, EXCERPT_MOST);
        return err_hint(e, "--requests A-B says which, such as --requests 1-20");
    }
    if (kv_log_part(log, m->first, m->last, part, &inner) != 0)
        return err_set(e, "%.200s: %.200s", m->path, inner.what);
    buf_printf(&m->more, "say \"Records %u to %u of a recording: what was stored before them is not known.\"\n",
               (uint32_t)m->first, m->last != 0 ? (uint32_t)m->last : log->records);
    return 0;
}

static int import_kv_events(struct import *m, struct err *e)
{
    struct kv_log log = {0}, part;
    struct kv_summary sum;
    bool asked = cli_has(m->c, OPT_DIFF) || cli_has(m->c, OPT_AGAINST);
    int rc = kv_log_parse(m->path, m->bytes, m->len, &log, e);
    if (rc == 0)
        rc = take_part(m, &log, &part, e);
    if (rc == 0)
        rc = kv_import(&part, m->path, KV_AS_RECORDED, m->pool, buf_text(&m->more), m->out != NULL || m->keep ? &m->script : NULL,
                       &sum, e);
    if (rc == 0)
        kv_summary_text(&part, &sum, &m->said);
    if (rc == 0)
        rc = save(m, e);
    if (rc == 0 && asked)
        rc = compare(m, &log, e);
    kv_log_free(&log);
    return rc;
}

/* ---- conversations ---------------------------------------------------------------------------------------- */

static int import_conversations(struct import *m, struct err *e)
{
    struct buf dir = {0};
    struct model *model = NULL;
    struct conversations_summary sum;
    struct conversations how = {.hashes_only = cli_has(m->c, OPT_HASHES_ONLY), .pool = m->pool, .page = m->page,
                                .first = m->first, .last = m->last, .more = buf_text(&m->more)};
    int rc = cli_count(m->c, OPT_MAX, 0, &how.max, e);
    if (rc == 0 && (place_model(m->c, &dir, e) != 0 || model_open(buf_text(&dir), &model, e) != 0))
        rc = -1;
    if (rc == 0)
        rc = conversations_import(m->path, m->bytes, m->len, model, &how, &m->script, &sum, e);
    model_close(model);
    buf_free(&dir);
    if (rc != 0)
        return rc;
    if (m->first == 0)
        buf_printf(&m->said, "%zu conversation%s, ", sum.conversations, sum.conversations == 1 ? "" : "s");
    buf_printf(&m->said, "%zu request%s, %zu prompt tokens; the longest prompt has %zu\n",
               sum.requests, sum.requests == 1 ? "" : "s", sum.tokens, sum.longest);
    if (sum.too_long > 0 && !how.hashes_only)
        buf_printf(&m->said, "  %zu do not fit into the model's context and will be refused or cut\n", sum.too_long);
    return save(m, e);
}

/* ---- requests of a trace ---------------------------------------------------------------------------------- */

/* Read line by line: a trace may be larger than memory, and packed with gzip. */
static int import_mooncake(struct import *m, struct err *e)
{
    struct excerpt x = {.first = m->first, .last = m->last, .pool = m->pool, .more = buf_text(&m->more)};
    struct excerpt_summary sum;
    uint32_t block;
    if (cli_count(m->c, OPT_BLOCK, 0, &block, e) != 0)
        return -1;
    struct lines *l = lines_open(m->path, e);
    int rc = l != NULL ? excerpt_write(l, block, &x, &m->script, &sum, e) : -1;
    lines_close(l);
    if (rc != 0)
        return -1;
    buf_printf(&m->said, "%u requests, %u blocks of %u tokens, %u different ones\n", sum.requests, sum.blocks, sum.block,
               sum.distinct);
    return save(m, e);
}

/* ---- what is asked for ------------------------------------------------------------------------------------ */

static int read_options(struct import *m, struct err *e)
{
    struct cli *c = m->c;
    uint32_t policy;
    const char *rules = c->option[OPT_RULES], *from = c->option[OPT_FROM], *part = c->option[OPT_REQUESTS];
    if (cli_count(c, OPT_POOL, 0, &m->pool, e) != 0 || cli_count(c, OPT_PAGE, 0, &m->page, e) != 0 ||
        (part != NULL && trace_range_parse(part, &m->first, &m->last, e) != 0))
        return -1;
    if (part != NULL && (cli_has(c, OPT_DIFF) || cli_has(c, OPT_AGAINST)))
        return err_usage(e, "--requests takes a part, and --diff and --against compare the whole recording");
    if (c->option[OPT_POLICY] != NULL) {
        if (policy_parse(c->option[OPT_POLICY], &policy, e) != 0) {
            e->usage = true;
            return -1;
        }
        buf_printf(&m->more, "policy %s\n", policy_name(policy));
    }
    if (rules != NULL && strcmp(rules, "classic") != 0 && strcmp(rules, "unified") != 0)
        return err_usage(e, "--rules is classic or unified, not '%.40s'", rules);
    if (rules != NULL)
        buf_printf(&m->more, "rules %s\n", rules);
    if (from != NULL && foreign_find(from) < 0)
        return err_usage(e, "--from is kv-events, conversations or mooncake, not '%.40s'", from);
    if (m->out != NULL && !ends_with(m->out, ".rxs") && !ends_with(m->out, ".rxt"))
        return err_usage(e, "-o names a script (.rxs) or a recording (.rxt), not '%.200s'", m->out);
    return m->more.failed ? err_memory(e, 64, "settings") : 0;
}

/* Options that belong to one format. */
static int check_format_options(const struct import *m, struct err *e)
{
    const struct cli *c = m->c;
    static const enum cli_option KV[] = {OPT_DIFF, OPT_AGAINST}, TRACE[] = {OPT_BLOCK}, TALK[] = {OPT_HASHES_ONLY, OPT_MAX, OPT_MODEL, OPT_PAGE};
    for (size_t i = 0; m->format != FOREIGN_KV_EVENTS && i < ARRAY_LEN(KV); i++)
        if (cli_has(c, KV[i]))
            return err_usage(e, "--%s is for kv-events, and %.200s holds %s", cli_option_info(KV[i])->name, m->path,
                             foreign_name(m->format));
    for (size_t i = 0; m->format != FOREIGN_MOONCAKE && i < ARRAY_LEN(TRACE); i++)
        if (cli_has(c, TRACE[i]))
            return err_usage(e, "--%s is for traces, and %.200s holds %s", cli_option_info(TRACE[i])->name, m->path,
                             foreign_name(m->format));
    for (size_t i = 0; m->format != FOREIGN_CONVERSATIONS && i < ARRAY_LEN(TALK); i++)
        if (cli_has(c, TALK[i]) && (TALK[i] != OPT_MODEL && TALK[i] != OPT_MAX ? true : !cli_has(c, OPT_AGAINST)))
            return err_usage(e, "--%s is for conversations, and %.200s holds %s", cli_option_info(TALK[i])->name, m->path,
                             foreign_name(m->format));
    return 0;
}

static int import(struct import *m, struct err *e)
{
    const char *from = m->c->option[OPT_FROM];
    if (read_options(m, e) != 0)
        return -1;
    if (ends_with(m->path, ".gz") || (from != NULL && foreign_find(from) == FOREIGN_MOONCAKE)) {
        m->format = FOREIGN_MOONCAKE;
        return check_format_options(m, e) != 0 ? -1 : import_mooncake(m, e);
    }
    if (file_read(m->path, LARGEST, &m->bytes, &m->len, e) != 0)
        return -1;
    if (from != NULL)
        m->format = (enum foreign_format)foreign_find(from);
    else if (foreign_detect(m->path, m->bytes, m->len, &m->format, e) != 0)
        return -1;
    if (check_format_options(m, e) != 0)
        return -1;
    switch (m->format) {
    case FOREIGN_KV_EVENTS: return import_kv_events(m, e);
    case FOREIGN_CONVERSATIONS: return import_conversations(m, e);
    default: return import_mooncake(m, e);
    }
}

struct lines *imported_open(const char *path, enum foreign_format *format)
{
    struct err ignored = {0};
    bool named = is_trace_name(path) || ends_with(path, ".msgpack");
    struct lines *l = named ? lines_open(path, &ignored) : NULL;
    char *bytes;
    size_t n;
    if (l != NULL && lines_first(l, &bytes, &n, &ignored) == 0 && foreign_detect(path, bytes, n, format, &ignored) == 0 &&
        *format != FOREIGN_MOONCAKE)
        return l;
    lines_close(l);
    return NULL;
}

bool is_imported(const char *path)
{
    enum foreign_format format;
    struct lines *l = imported_open(path, &format);
    lines_close(l);
    return l != NULL;
}

int imported_script(struct cli *c, const char *path, struct buf *out, struct err *e)
{
    struct import m = {.c = c, .path = path, .keep = true};
    int rc = file_read(path, LARGEST, &m.bytes, &m.len, e);
    if (rc == 0)
        rc = foreign_detect(path, m.bytes, m.len, &m.format, e);
    if (rc == 0)
        rc = m.format == FOREIGN_KV_EVENTS ? import_kv_events(&m, e) : import_conversations(&m, e);
    if (rc == 0)
        buf_add(out, m.script.data, m.script.len);
    xfree(m.bytes);
    buf_free(&m.more);
    buf_free(&m.script);
    buf_free(&m.said);
    return rc;
}

int cmd_import(struct cli *c, struct err *e)
{
    if (c->args != 1)
        return err_usage(e, "import takes one file, not %d", c->args);
    struct import m = {.c = c, .path = c->arg[0], .out = c->option[OPT_OUTPUT]};
    int rc = import(&m, e);
    xfree(m.bytes);
    buf_free(&m.more);
    buf_free(&m.script);
    if (rc >= 0 && cli_print(&m.said, e) != 0)
        return -1;
    if (rc < 0)
        buf_free(&m.said);
    return rc;
}
