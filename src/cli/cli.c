#include "cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cli/cmd_check_model.h"
#include "cli/cmd_conform.h"
#include "cli/manual.h"
#include "cli/version.h"
#include "script/nearest.h"
#include "script/script.h"
#include "script/workload.h"
#include "tape/event.h"

static const struct cli_option_info OPTIONS[OPT_COUNT] = {
#define X(id, name, letter, value, help) [OPT_##id] = {name, value, help, letter},
    CLI_OPTIONS(X)
#undef X
};

static const struct cli_command {
    const char *name, *operands, *options, *brief, *more;
    cli_function run;
} COMMANDS[] = {
#define X(id, name, operands, options, brief, more) {name, operands, options, brief, more, cmd_##id},
    CLI_COMMANDS(X)
#undef X
};

static const struct tool {
    const char *name, *operands, *brief, *more;
    int (*run)(int argc, char **argv);
} TOOLS[] = {
#define X(id, name, operands, brief, more) {name, operands, brief, more, cmd_##id},
    CLI_TOOLS(X)
#undef X
};

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++)
        if (strcmp(COMMANDS[i].name, name) == 0)
            return &COMMANDS[i];
    return NULL;
}

const struct cli_option_info *cli_option_info(enum cli_option which)
{
    return &OPTIONS[which];
}

struct cli_command_info cli_command_at(unsigned i)
{
    if (i < ARRAY_LEN(COMMANDS)) {
        const struct cli_command *c = &COMMANDS[i];
        return (struct cli_command_info){c->name, c->operands, c->options, c->brief, c->more};
    }
    i -= ARRAY_LEN(COMMANDS);
    if (i < ARRAY_LEN(TOOLS))
        return (struct cli_command_info){TOOLS[i].name, TOOLS[i].operands, "", TOOLS[i].brief, TOOLS[i].more};
    return (struct cli_command_info){0};
}

static int unknown_command(const char *name, struct err *e)
{
    struct nearest near = {0};
    size_t n = strlen(name);
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++)
        nearest_try(&near, name, COMMANDS[i].name);
    for (size_t i = 0; i < ARRAY_LEN(TOOLS); i++)
        nearest_try(&near, name, TOOLS[i].name);
    err_usage(e, "'%.100s' is no command", name);
    if (n > 4 && (strcmp(name + n - 4, ".rxs") == 0 || strcmp(name + n - 4, ".rxt") == 0))
        return err_hint(e, "to open a file: radixscope %s %.100s", name[n - 1] == 's' ? "play" : "replay", name);
    if (near.name != NULL)
        return err_hint(e, "did you mean %s?", near.name);
    return err_hint(e, "radixscope --help lists the commands");
}

/* ---- help ------------------------------------------------------------------------------------------- */

static void help_option(const struct cli_option_info *o, struct buf *out)
{
    size_t start = out->len;
    if (o->letter != 0)
        buf_printf(out, "  -%c, --%s", o->letter, o->name);
    else
        buf_printf(out, "      --%s", o->name);
    if (o->value != NULL)
        buf_printf(out, " %s", o->value);
    while (out->len - start < 24 && !out->failed)
        buf_putc(out, ' ');
    buf_printf(out, " %s\n", o->help);
}

/* Is name one of the words of list? */
static bool listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
            return true;
    return false;
}

bool cli_takes(const struct cli_command_info *command, enum cli_option which)
{
    return which <= OPT_VERSION || (which < OPT_COUNT && listed(command->options, OPTIONS[which].name));
}

void cli_help(struct buf *out)
{
    buf_puts(out, "radixscope lets you watch RadixAttention, SGLang's KV prefix cache, work on a real CPU transformer.\n"
                  "\nTo begin:   radixscope lesson 1                    take the first lesson\n"
                  "            radixscope play shared-system-prompt   watch three requests\n\nCommands:\n");
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++)
        buf_printf(out, "  %-11s %s\n", COMMANDS[i].name, COMMANDS[i].brief);
    for (size_t i = 0; i < ARRAY_LEN(TOOLS); i++)
        buf_printf(out, "  %-11s %s\n", TOOLS[i].name, TOOLS[i].brief);
    buf_puts(out, "\nradixscope help COMMAND says more; help script: the language of .rxs files; help events: the steps.\n"
                  "Options of all commands (the help of a command lists its own); they may stand anywhere behind it:\n");
    for (int i = 0; i < OPT_COUNT; i++)
        help_option(&OPTIONS[i], out);
    buf_puts(out, "\nRADIXSCOPE_DATA names another folder with model/ and scenarios/.\n"
                  "Exit codes: 0 well, 1 failed or different, 2 wrong command line, 130 interrupted.\n");
}

/* The script language and the kinds of steps, as docs/commands.md shows them. */
static void help_script(struct buf *out)
{
    for (int k = 0; k < RXS_COUNT; k++) {
        struct buf line = {0};
        script_synopsis((enum script_kind)k, &line);
        buf_printf(out, "%s\n    %s\n", buf_text(&line), script_info((enum script_kind)k)->help);
        buf_free(&line);
    }
}

static void help_workloads(struct buf *out)
{
    for (unsigned i = 0; workload_name((enum workload)i) != NULL; i++) {
        struct workload_shape s = workload_default((enum workload)i);
        buf_printf(out, "%s\n    %s\n    seed=%u requests=%u", workload_name((enum workload)i),
                   workload_teaches((enum workload)i), s.seed, s.requests);
        if (s.groups > 0)
            buf_printf(out, " groups=%u", s.groups);
        if (s.turns > 0)
            buf_printf(out, " turns=%u", s.turns);
        buf_printf(out, " prefix=%u question=%u answer=%u\n", s.prefix, s.question, s.answer);
    }
}

static void help_events(struct buf *out)
{
    static const char *const DEPTHS[] = {"request", "operation", "event"};
    for (unsigned k = 0; k < EV_COUNT; k++)
        buf_printf(out, "%-22s %-10s %s\n", event_info(k)->name, DEPTHS[event_info(k)->depth], event_info(k)->args);
}

int cli_help_command(const char *name, struct buf *out, struct err *e)
{
    if (strcmp(name, "workloads") == 0) {
        help_workloads(out);
        return 0;
    }
    if (strcmp(name, "script") == 0 || strcmp(name, "events") == 0 || strcmp(name, "man") == 0) {
        if (*name == 's')
            help_script(out);
        else if (*name == 'e')
            help_events(out);
        else
            manual_print(out);
        return 0;
    }
    struct cli_command_info command;
    unsigned at = 0;
    while ((command = cli_command_at(at)).name != NULL && strcmp(command.name, name) != 0)
        at++;
    if (command.name == NULL)
        return unknown_command(name, e);
    buf_printf(out, "radixscope %s %s\n  %s\n", command.name, command.operands, command.brief);
    if (command.more[0] != '\0')
        buf_printf(out, "\n%s\n", command.more);
    if (command.options[0] != '\0')
        buf_puts(out, "\nOptions:\n");
    for (int i = 0; i < OPT_COUNT; i++)
        if (listed(command.options, OPTIONS[i].name))
            help_option(&OPTIONS[i], out);
    return 0;
}

int cmd_help(struct cli *c, struct err *e)
{
    struct buf b = {0};
    if (c->args > 1)
        return err_usage(e, "help takes one command, not %d", c->args);
    if (c->args == 0)
        cli_help(&b);
    else if (cli_help_command(c->arg[0], &b, e) != 0)
        return -1;
    return cli_print(&b, e);
}

/* ---- parsing ------------------------------------------------------------------------------------------ */

static int unknown_option(const char *typed, const struct cli_command *command, struct err *e)
{
    struct nearest near = {0};
    for (int i = 0; i < OPT_COUNT; i++)
        if (i <= OPT_VERSION || command == NULL || listed(command->options, OPTIONS[i].name))
            nearest_try(&near, typed, OPTIONS[i].name);
    err_usage(e, "unknown option --%.60s", typed);
    if (near.name != NULL)
        return err_hint(e, "did you mean --%s?", near.name);
    return err_hint(e, "radixscope help %s lists the options", command != NULL ? command->name : "");
}

/* The option of "--name…" or "-x"; OPT_COUNT if there is none. `len` bytes of the name count. */
static int find_option(const char *name, size_t len, bool is_letter)
{
    for (int i = 0; i < OPT_COUNT; i++)
        if (is_letter ? OPTIONS[i].letter == name[0]
                      : strlen(OPTIONS[i].name) == len && memcmp(OPTIONS[i].name, name, len) == 0)
            return i;
    return OPT_COUNT;
}

/* Read the option at argv[*at] (and its value, which may be the next word). */
static int read_option(struct cli *c, int argc, char **argv, int *at, struct err *e)
{
    const char *word = argv[*at];
    bool is_letter = word[1] != '-';
    const char *name = word + (is_letter ? 1 : 2), *value = NULL;
    size_t len = is_letter ? 1 : strcspn(name, "=");
    int which = find_option(name, len, is_letter);
    if (which == OPT_COUNT && is_letter) {
        err_usage(e, "unknown option -%c", name[0]);
        return err_hint(e, "radixscope --help lists the options; behind -- everything is an operand");
    }
    if (which == OPT_COUNT)
        return unknown_option(name, c->name != NULL ? find_command(c->name) : NULL, e);
    const struct cli_option_info *o = &OPTIONS[which];
    if (name[len] != '\0')
        value = name + len + (is_letter && name[len] != '=' ? 0 : 1);
    if (o->value == NULL && value != NULL)
        return err_usage(e, "--%s takes no value", o->name);
    if (o->value != NULL && value == NULL) {
        if (*at + 1 >= argc)
            return err_usage(e, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        value = argv[++*at];
    }
    if (c->option[which] != NULL && o->value != NULL)
        return err_usage(e, "--%s is given twice", o->name);
    c->option[which] = value != NULL ? value : "";
    return 0;
}

/* The first word that is no option is the command; it is known before options are judged. */
static const char *command_word(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-')
            return argv[i];
        bool is_letter = argv[i][1] != '-';
        const char *name = argv[i] + (is_letter ? 1 : 2);
        size_t len = is_letter ? 1 : strcspn(name, "=");
        int which = *name != '\0' ? find_option(name, len, is_letter) : OPT_COUNT;
        if (which < OPT_COUNT && OPTIONS[which].value != NULL && name[len] == '\0')
            i++;
    }
    return NULL;
}

static int parse(struct cli *c, int argc, char **argv, struct err *e)
{
    bool named = false, only_operands = false;
    c->name = command_word(argc, argv);
    if (c->name != NULL && find_command(c->name) == NULL)
        return unknown_command(c->name, e);
    for (int i = 1; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (read_option(c, argc, argv, &i, e) != 0)
                return -1;
        } else if (!named && argv[i] == c->name)
            named = true;
        else
            c->arg[c->args++] = argv[i];
    }
    return 0;
}

static int check_options(const struct cli *c, const struct cli_command *command, struct err *e)
{
    for (int i = OPT_VERSION + 1; i < OPT_COUNT; i++) {
        if (c->option[i] == NULL || listed(command->options, OPTIONS[i].name))
            continue;
        err_usage(e, "%s has no option --%s", command->name, OPTIONS[i].name);
        return err_hint(e, "radixscope help %s lists its options", command->name);
    }
    return 0;
}

int cli_count(const struct cli *c, enum cli_option which, uint32_t otherwise, uint32_t *out, struct err *e)
{
    const char *text = c->option[which];
    *out = otherwise;
    if (text == NULL)
        return 0;
    char *end;
    errno = 0;
    unsigned long v = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v == 0 || v > 0x7fffffff)
        return err_usage(e, "--%s must be a whole number from 1 to 2147483647, not '%.40s'", OPTIONS[which].name, text);
    *out = (uint32_t)v;
    return 0;
}

/* ---- output ------------------------------------------------------------------------------------------- */

int cli_flush(struct err *e)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    if (errno == EPIPE)
        return err_set(e, "%s", ""); /* the reader has gone: nobody to tell */
    return err_set(e, "standard output cannot be written: %s", strerror(errno));
}

int cli_print(struct buf *b, struct err *e)
{
    int rc = 0;
    if (b->failed)
        rc = err_memory(e, b->len, "the output");
    else if (b->len > 0 && fwrite(b->data, 1, b->len, stdout) != b->len)
        rc = cli_flush(e) != 0 ? -1 : err_set(e, "standard output cannot be written: %s", strerror(errno));
    buf_free(b);
    return rc;
}

static int report_error(const struct err *e)
{
    if (e->what[0] == '\0')
        return 0; /* a closed pipe */
    fflush(stdout);
    fprintf(stderr, "radixscope: %s\n", e->what);
    if (e->hint[0] != '\0')
        fprintf(stderr, "  %s\n", e->hint);
    return e->usage ? 2 : 1;
}

/* ---- the whole ------------------------------------------------------------------------------------------ */

static int print_version(struct err *e)
{
    struct buf b = {0};
    buf_puts(&b, "radixscope " RADIXSCOPE_VERSION "\n");
    return cli_print(&b, e);
}

static int print_help(const char *command, struct err *e)
{
    struct buf b = {0};
    if (command == NULL)
        cli_help(&b);
    else
        cli_help_command(command, &b, e);
    return cli_print(&b, e);
}

static int run_command(struct cli *c, struct err *e)
{
    const struct cli_command *command = c->name != NULL ? find_command(c->name) : NULL;
    if (cli_has(c, OPT_VERSION))
        return print_version(e);
    if (cli_has(c, OPT_HELP))
        return print_help(c->name, e);
    if (command == NULL)
        return cmd_home(c, e);
    return check_options(c, command, e) != 0 ? -1 : command->run(c, e);
}

/* Tools read their own words, but all commands are asked for help in the same way. */
static bool wants_help(int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* Which tool is meant? NULL: none. */
static const struct tool *find_tool(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(TOOLS); i++)
        if (strcmp(TOOLS[i].name, argv[1]) == 0)
            return &TOOLS[i];
    return NULL;
}

int cli_main(int argc, char **argv)
{
    const struct tool *tool = find_tool(argc, argv);
    bool help = tool != NULL && wants_help(argc, argv);
    if (tool != NULL && !help)
        return tool->run(argc - 1, argv + 1);
    struct err e = {0};
    struct cli c = {.program = argc > 0 ? argv[0] : "radixscope"};
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN); /* a write that fails says so; a recording being saved is not lost */
    c.arg = xcalloc((size_t)argc + 1, sizeof *c.arg);
    int rc = c.arg == NULL ? err_memory(&e, (size_t)argc * sizeof *c.arg, "the command line")
           : help          ? print_help(tool->name, &e)
                           : parse(&c, argc, argv, &e);
    if (rc == 0 && !help)
        rc = run_command(&c, &e);
    if (rc >= 0 && cli_flush(&e) != 0)
        rc = -1;
    xfree(c.arg);
    return rc >= 0 ? rc : report_error(&e);
}
