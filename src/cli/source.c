#include "cli/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/imported.h"
#include "cli/places.h"
#include "cli/sampling_options.h"
#include "cli/state_string.h"
#include "model/chat.h"

enum { PROMPTS_POOL = 8192 };

static bool is_script(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".rxs") == 0;
}

/* "NAME=DIR" as a line of the script; *name: how long the name is. */
static int add_adapter(const char *given, struct buf *b, int *name, struct err *e)
{
    *name = (int)strcspn(given, "=");
    bool plain = *name > 0 && *name == (int)strcspn(given, " \t\"#=");
    if (!plain || given[*name] == '\0' || given[*name + 1] == '\0')
        return err_usage(e, "--adapter is NAME=DIR, such as reason=adapters/reason, not '%.60s'", given);
    const char *dir = given + *name + 1;
    buf_printf(b, "adapter %.*s ", *name, given);
    script_quote(dir, strlen(dir), b);
    buf_putc(b, '\n');
    return 0;
}

/* The script that a person would have written for these prompts. */
static struct script *script_of_prompts(const struct cli *c, struct err *e)
{
    struct buf b = {0};
    buf_printf(&b, "title \"%d prompt%s\"\npool %d\n", c->args, c->args == 1 ? "" : "s", PROMPTS_POOL);
    if (c->option[OPT_SYSTEM] != NULL) {
        buf_puts(&b, "system ");
        script_quote(c->option[OPT_SYSTEM], strlen(c->option[OPT_SYSTEM]), &b);
        buf_putc(&b, '\n');
    }
    const char *adapter = c->option[OPT_ADAPTER];
    int name = 0;
    if (adapter != NULL && add_adapter(adapter, &b, &name, e) != 0) {
        buf_free(&b);
        return NULL;
    }
    for (int i = 0; i < c->args; i++) {
        buf_puts(&b, "request ");
        script_quote(c->arg[i], strlen(c->arg[i]), &b);
        if (adapter != NULL)
            buf_printf(&b, " adapter=%.*s", name, adapter);
        buf_putc(&b, '\n');
    }
    struct script *s = NULL;
    if (b.failed)
        err_memory(e, b.len, "the prompts");
    else
        s = script_parse("", b.data, b.len, 1, e);
    buf_free(&b);
    return s;
}

/* A single word that is a scenario's name means the scenario, as it does for play. */
static bool means_scenario(const struct cli *c)
{
    return c->args == 1 && place_is_scenario(c, c->arg[0]);
}

static struct script *load_imported(struct cli *c, const char *path, struct err *e)
{
    struct buf text = {0};
    struct script *s = NULL;
    if (imported_script(c, path, &text, e) == 0)
        s = text.failed ? (err_memory(e, text.len, "a script"), NULL) : script_parse(path, buf_text(&text), text.len, 1, e);
    buf_free(&text);
    return s;
}

static struct script *load_scenario(const struct cli *c, const char *name, struct err *e)
{
    struct buf path = {0};
    struct script *s = NULL;
    if (place_scenario(c, name, &path, e) == 0)
        s = path.failed ? (err_memory(e, path.len, "a file name"), NULL) : script_load(buf_text(&path), e);
    buf_free(&path);
    return s;
}

static struct script *load(struct source *source, struct cli *c, bool prompts, const char *otherwise,
                           struct err *e)
{
    if (c->place != NULL && c->place->script != NULL) {
        source->given = true;
        return script_parse("", c->place->script, strlen(c->place->script), 1, e);
    }
    if (c->args == 0 && otherwise == NULL) {
        err_usage(e, "%s needs something to run", c->name);
        err_hint(e, "radixscope help %s", c->name);
        return NULL;
    }
    for (int i = 0; i < c->args; i++) {
        if (c->args > 1 && (is_script(c->arg[i]) || !prompts)) {
            err_usage(e, "%s takes one script or scenario, not %d operands", c->name, c->args);
            return NULL;
        }
    }
    if (c->args == 1 && is_imported(c->arg[0])) {
        source->given = true;
        return load_imported(c, c->arg[0], e);
    }
    if (c->args == 0 || !prompts || is_script(c->arg[0]) || means_scenario(c)) {
        if (c->option[OPT_SYSTEM] != NULL) {
            err_usage(e, "--system is for PROMPTS; a script has a system line of its own");
            return NULL;
        }
        if (c->option[OPT_ADAPTER] != NULL) {
            err_usage(e, "--adapter is for PROMPTS; a script has adapter lines of its own");
            return NULL;
        }
        source->given = c->args > 0 && !place_is_scenario(c, c->arg[0]);
        return load_scenario(c, c->args > 0 ? c->arg[0] : otherwise, e);
    }
    source->prompts = true;
    return script_of_prompts(c, e);
}

/* --history-mb; parts of one count, so that small ones can be tried. */
int source_history_limit(const struct cli *c, size_t *limit, struct err *e)
{
    const char *text = c->option[OPT_HISTORY];
    char *end;
    *limit = 0;
    if (text == NULL)
        return 0;
    double mb = strtod(text, &end);
    if (*end != '\0' || end == text || !(mb > 0 && mb <= 1e6))
        return err_usage(e, "--history-mb is a number of megabytes, more than 0, not '%.40s'", text);
    *limit = (size_t)(mb * 1e6) + 1;
    return 0;
}

static int apply_options(struct source *s, const struct cli *c, struct err *e)
{
    struct script_settings *set = &s->settings;
    if (cli_count(c, OPT_POOL, set->pool, &set->pool, e) != 0 ||
        cli_count(c, OPT_PAGE, set->page, &set->page, e) != 0 || cli_count(c, OPT_MAX, 0, &s->config.max_new, e) != 0 ||
        source_history_limit(c, &s->config.history_limit, e) != 0)
        return -1;
    if (cli_has(c, OPT_FAST))
        set->fast = true;
    const char *rules = c->option[OPT_RULES];
    if (rules != NULL) {
        if (strcmp(rules, "classic") != 0 && strcmp(rules, "unified") != 0)
            return err_usage(e, "--rules is classic or unified, not '%.40s'", rules);
        set->rules = strcmp(rules, "unified") == 0 ? RULES_UNIFIED : RULES_CLASSIC;
    }
    if (c->option[OPT_POLICY] != NULL && policy_parse(c->option[OPT_POLICY], &set->policy, e) != 0) {
        e->usage = true;
        return -1;
    }
    return 0;
}

/* ---- expectations -------------------------------------------------------------------------------------- */

/* The first option that makes this run another one than the script was written for, and in `was` what that was;
 * OPT_COUNT: none. */
static enum cli_option find_override(const struct cli *c, const struct script_settings *own,
                                     const struct script_settings *now, struct buf *was)
{
    if (now->pool != own->pool) {
        buf_printf(was, "pool %u", own->pool);
        return OPT_POOL;
    }
    if (now->page != own->page) {
        buf_printf(was, "page %u", own->page);
        return OPT_PAGE;
    }
    if (now->policy != own->policy) {
        buf_printf(was, "policy %s", policy_name(own->policy));
        return OPT_POLICY;
    }
    if (now->rules != own->rules) {
        buf_printf(was, "rules %s", own->rules == RULES_UNIFIED ? "unified" : "classic");
        return OPT_RULES;
    }
    if (own->tokens != TOKENS_MODEL)
        return OPT_COUNT;
    enum cli_option which = cli_has(c, OPT_MAX) ? OPT_MAX : cli_has(c, OPT_MODEL) ? OPT_MODEL : sampling_option(c);
    buf_puts(was, which == OPT_MAX     ? "whole answers"
                  : which == OPT_MODEL ? "the model in the box"
                                       : "the script's own sampling");
    return which;
}

/* A script's numbers hold for its own settings. With others it still runs, and nobody is told that it failed. */
static void leave_expectations(struct source *s, const struct cli *c)
{
    struct script_settings own;
    struct buf was = {0};
    bool any = false;
    for (uint32_t i = 0; i < s->script->count; i++)
        any = any || s->script->command[i].kind == RXS_EXPECT;
    script_settings(s->script, &own);
    enum cli_option which = any ? find_override(c, &own, &s->settings, &was) : OPT_COUNT;
    s->script->unchecked = which != OPT_COUNT;
    if (s->script->unchecked)
        fprintf(stderr, "radixscope: expectations belong to %s; not checked with --%s %s\n", buf_text(&was),
                cli_option_info(which)->name, c->option[which]);
    buf_free(&was);
}

/* ---- the model ----------------------------------------------------------------------------------------- */

static bool has_conversation(const struct script *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        if ((s->command[i].kind == RXS_REQUEST || s->command[i].kind == RXS_TURN) &&
            script_arg(&s->command[i], "raw") == NULL)
            return true;
    return false;
}

/* Opened here and lent to every runner: compare makes several. */
static int open_model(struct source *s, const struct cli *c, struct err *e)
{
    if (place_model(c, &s->model_dir, e) != 0 || model_open(buf_text(&s->model_dir), &s->model, e) != 0)
        return -1;
    if (chat_get_kind(s->model) == CHAT_UNKNOWN && (s->stream != NULL || has_conversation(s->script)))
        fprintf(stderr, "radixscope: the chat template of %s is none of ChatML, Llama-2, Llama-3, Mistral and the box's;\n"
                "  messages are written as plain text\n", buf_text(&s->model_dir));
    return 0;
}

/* The script is there: with what and how it runs. */
static int prepare(struct source *s, struct cli *c, struct err *e)
{
    script_settings(s->script, &s->settings);
    if (apply_options(s, c, e) != 0 || sampling_options(c, &s->config.sampling, e) != 0)
        return -1;
    leave_expectations(s, c);
    if (s->settings.tokens == TOKENS_MODEL && open_model(s, c, e) != 0)
        return -1;
    s->config.model_dir = buf_text(&s->model_dir);
    s->config.model = s->model;
    s->config.settings = &s->settings;
    return 0;
}

int source_open(struct source *s, struct cli *c, bool prompts, const char *otherwise, struct err *e)
{
    *s = (struct source){0};
    s->script = load(s, c, prompts, otherwise, e);
    return s->script != NULL ? prepare(s, c, e) : -1;
}

int source_open_stream(struct source *s, struct cli *c, struct lines *l, enum foreign_format format, struct err *e)
{
    struct stream_options o = {0};
    *s = (struct source){.given = true};
    if (cli_count(c, OPT_POOL, 0, &o.pool, e) != 0 || cli_count(c, OPT_MAX, 0, &o.max, e) != 0) {
        lines_close(l);
        return -1;
    }
    s->stream = stream_new(l, format, &o, e);
    if (s->stream == NULL)
        return -1;
    const char *head = stream_head(s->stream);
    s->script = script_parse("", head, strlen(head), 1, e);
    return s->script != NULL && prepare(s, c, e) == 0 ? stream_begin(s->stream, s->model, e) : -1;
}

void source_done(struct source *s)
{
    script_free(s->script);
    stream_free(s->stream);
    model_close(s->model);
    buf_free(&s->model_dir);
    *s = (struct source){0};
}

const char *source_mode(const struct script_settings *s)
{
    return s->tokens != TOKENS_MODEL ? NULL : s->fast ? "fast" : "exact";
}

struct ui_words source_words(const struct lexicon *x)
{
    struct event_words said = lexicon_words(x);
    return (struct ui_words){.said = said, .bytes = lexicon_bytes_of, .ctx = said.ctx};
}
