/* radixscope completion SHELL: what a shell needs to complete our command lines, from the tables of cli.h.
 *
 *      operands of a command, as help shows them      what is offered
 *      [SCENARIO | FILE.rxs]                          names of scenarios, files that end in .rxs, folders
 *      (bash | zsh | fish)                            these words, and only in the first place
 *      [COMMAND | script | events]                    commands, these words
 *      [--tape] FILE…, DIR                            any file; --tape among the options
 *      PROMPT…                                        nothing: it is the person's own text
 */
#include <ctype.h>
#include <string.h>

#include "cli/places.h"
#include "script/workload.h"
#include "tape/world.h"
#include "ui/theme.h"

enum { OFFER_SCENARIOS = 1, OFFER_RXS = 2, OFFER_RXT = 4, OFFER_COMMANDS = 8, OFFER_PATHS = 16 };

/* What may stand as an operand of a command. */
struct offer {
    struct buf first;   /* words of ( ): these alone in the first place */
    struct buf words;   /* other words of the language */
    struct buf flags;   /* options that the command reads by itself */
    unsigned kinds;     /* OFFER_… */
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '-';
}

static unsigned kind_of(const char *word, size_t n)
{
    static const struct {
        const char *word;
        unsigned kind;
    } KINDS[] = {{"SCENARIO", OFFER_SCENARIOS}, {"WORKLOAD", OFFER_SCENARIOS}, {"FILE.rxs", OFFER_RXS},
                 {"SCENARIO.rxs", OFFER_RXS},
                 {"FILE.rxt", OFFER_RXT}, {"COMMAND", OFFER_COMMANDS}, {"FILE", OFFER_PATHS},
                 {"DIR", OFFER_PATHS}};
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++)
        if (strlen(KINDS[i].word) == n && memcmp(KINDS[i].word, word, n) == 0)
            return KINDS[i].kind;
    return 0;
}

static void add_word(struct buf *list, const char *word, size_t n)
{
    if (list->len > 0)
        buf_putc(list, ' ');
    buf_add(list, word, n);
}

static void offer_read(const char *operands, struct offer *o)
{
    bool inside = false;
    *o = (struct offer){0};
    while (*operands != '\0') {
        size_t n = 0;
        while (is_word(operands[n]))
            n++;
        if (n == 0) {
            inside = *operands == '(' || (inside && *operands != ')');
            operands++;
        } else {
            o->kinds |= kind_of(operands, n);
            if (*operands == '-')
                add_word(&o->flags, operands, n);
            else if (islower((unsigned char)*operands) && operands[n] != ':') /* rx1:… is what a person pastes */
                add_word(inside ? &o->first : &o->words, operands, n);
            operands += n;
        }
    }
}

static void offer_done(struct offer *o)
{
    buf_free(&o->first);
    buf_free(&o->words);
    buf_free(&o->flags);
}

/* The words that an option's value can be, with spaces between; none: it is a number, a name, a file. */
static void option_words(enum cli_option which, struct buf *out)
{
    const char *value = cli_option_info(which)->value;
    if (which == OPT_POLICY) {
        for (uint32_t i = 0; i < POLICY_COUNT; i++)
            add_word(out, policy_name(i), strlen(policy_name(i)));
    } else if (which == OPT_THEME) {
        for (unsigned i = 0; theme_at(i) != NULL; i++)
            add_word(out, theme_at(i)->name, strlen(theme_at(i)->name));
    } else if (value != NULL && strchr(value, '|') != NULL) {
        for (const char *at = value; *at != '\0'; at += strcspn(at, "|"), at += *at == '|')
            add_word(out, at, strcspn(at, "|"));
    }
}

static bool takes_folder(enum cli_option which)
{
    const char *value = cli_option_info(which)->value;
    return value != NULL && strcmp(value, "DIR") == 0;
}

static bool takes_file(enum cli_option which)
{
    const char *value = cli_option_info(which)->value;
    return value != NULL && strcmp(value, "FILE") == 0;
}

static void command_words(struct buf *out)
{
    struct cli_command_info c;
    for (unsigned i = 0; (c = cli_command_at(i)).name != NULL; i++)
        add_word(out, c.name, strlen(c.name));
}

/* Text between single quotes: '\'' ends them, says a quote and begins them anew. `also` needs a backslash. */
static void quoted(const char *text, const char *also, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            buf_puts(out, "'\\''");
            continue;
        }
        if (strchr(also, *text) != NULL)
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

/* ---- bash --------------------------------------------------------------------------------------------- */

static const char BASH_HEAD[] =
    "# bash completion of radixscope. Made by: radixscope completion bash\n"
    "_radixscope_words() { COMPREPLY+=($(compgen -W \"$1\" -- \"$2\")); }\n"
    "_radixscope_files() { # PATTERN WORD: files that match it, and folders\n"
    "    local IFS=$'\\n'\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    COMPREPLY+=($(compgen -f -X \"!$1\" -- \"$2\") $(compgen -d -- \"$2\"))\n"
    "}\n"
    "_radixscope() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= place=0 i\n"
    "    COMPREPLY=()\n"
    "    [ \"$cur\" = = ] && cur=\n"
    "    [ \"$prev\" = = ] && prev=${COMP_WORDS[COMP_CWORD-2]}\n";

/* The word behind an option that takes a value. */
static void bash_values(struct buf *out)
{
    buf_puts(out, "    case $prev in\n");
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct cli_option_info *o = cli_option_info((enum cli_option)i);
        struct buf words = {0};
        if (o->value == NULL)
            continue;
        option_words((enum cli_option)i, &words);
        if (o->letter != 0)
            buf_printf(out, "    -%c | --%s)", o->letter, o->name);
        else
            buf_printf(out, "    --%s)", o->name);
        if (takes_folder((enum cli_option)i) || takes_file((enum cli_option)i))
            buf_printf(out, " _radixscope_files %s \"$cur\"; return ;;\n", takes_file((enum cli_option)i) ? "'*'" : "''");
        else if (words.len > 0)
            buf_printf(out, " _radixscope_words '%s' \"$cur\"; return ;;\n", buf_text(&words));
        else
            buf_puts(out, " return ;;\n");
        buf_free(&words);
    }
    buf_puts(out, "    esac\n");
}

/* Which word is the command, and how many operands stand before the cursor: options and values do not count. */
static void bash_place(struct buf *out)
{
    buf_puts(out, "    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in\n        ");
    bool any = false;
    for (int i = 0; i < OPT_COUNT; i++) {
        const struct cli_option_info *o = cli_option_info((enum cli_option)i);
        if (o->value == NULL)
            continue;
        if (o->letter != 0)
            buf_printf(out, "%s-%c", any ? " | " : "", o->letter);
        buf_printf(out, "%s--%s", any || o->letter != 0 ? " | " : "", o->name);
        any = true;
    }
    buf_puts(out, ")\n            [ \"${COMP_WORDS[i+1]}\" = = ] && ((i++))\n            ((i++)) ;;\n"
                  "        -*) ;;\n"
                  "        *) if [ -z \"$command\" ]; then command=${COMP_WORDS[i]}; else ((place++)); fi ;;\n"
                  "        esac\n    done\n");
}

static void bash_options(const struct cli_command_info *c, struct buf *out)
{
    struct offer o;
    offer_read(c->operands, &o);
    buf_printf(out, "    %s) _radixscope_words '", c->name);
    for (int i = 0; i < OPT_COUNT; i++)
        if (cli_takes(c, (enum cli_option)i))
            buf_printf(out, "%s--%s", i > 0 ? " " : "", cli_option_info((enum cli_option)i)->name);
    buf_printf(out, "%s%s' \"$cur\" ;;\n", o.flags.len > 0 ? " " : "", buf_text(&o.flags));
    offer_done(&o);
}

static void bash_operands(const struct cli_command_info *c, const char *commands, struct buf *out)
{
    struct offer o;
    offer_read(c->operands, &o);
    buf_printf(out, "    %s)\n", c->name);
    if (o.first.len > 0)
        buf_printf(out, "        [ $place = 0 ] && { _radixscope_words '%s' \"$cur\"; return; }\n", buf_text(&o.first));
    if (o.words.len > 0)
        buf_printf(out, "        _radixscope_words '%s' \"$cur\"\n", buf_text(&o.words));
    if (o.kinds & OFFER_COMMANDS)
        buf_printf(out, "        _radixscope_words '%s' \"$cur\"\n", commands);
    if (o.kinds & OFFER_SCENARIOS)
        buf_puts(out, "        _radixscope_words \"$(\"$1\" completion scenarios 2>/dev/null)\" \"$cur\"\n");
    if (o.kinds & OFFER_RXS)
        buf_puts(out, "        _radixscope_files '*.rxs' \"$cur\"\n");
    if (o.kinds & OFFER_RXT)
        buf_puts(out, "        _radixscope_files '*.rxt' \"$cur\"\n");
    if (o.kinds & OFFER_PATHS)
        buf_puts(out, "        _radixscope_files '*' \"$cur\"\n");
    buf_puts(out, "        ;;\n");
    offer_done(&o);
}

static void bash(struct buf *out)
{
    struct buf commands = {0};
    struct cli_command_info c;
    command_words(&commands);
    buf_puts(out, BASH_HEAD);
    bash_values(out);
    bash_place(out);
    buf_puts(out, "    case $cur in\n    -*)\n    case $command in\n");
    for (unsigned i = 0; (c = cli_command_at(i)).name != NULL; i++)
        bash_options(&c, out);
    buf_printf(out, "    '') _radixscope_words '--help --version' \"$cur\" ;;\n    esac\n    return ;;\n    esac\n"
               "    case $command in\n    '') _radixscope_words '%s' \"$cur\" ;;\n", buf_text(&commands));
    for (unsigned i = 0; (c = cli_command_at(i)).name != NULL; i++)
        bash_operands(&c, buf_text(&commands), out);
    buf_puts(out, "    esac\n}\ncomplete -F _radixscope radixscope\n");
    buf_free(&commands);
}

/* ---- zsh ------------------------------------------------------------------------------------------------ */

static void zsh_option(enum cli_option which, struct buf *out)
{
    const struct cli_option_info *o = cli_option_info(which);
    struct buf words = {0};
    const char *join = o->value != NULL ? "=" : "";
    option_words(which, &words);
    if (o->letter != 0)
        buf_printf(out, " \\\n            '(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name, o->letter,
                   o->value != NULL ? "+" : "", o->name, join);
    else
        buf_printf(out, " \\\n            '--%s%s[", o->name, join);
    quoted(o->help, "[]\\", out);
    buf_putc(out, ']');
    if (o->value != NULL)
        buf_printf(out, ":%s:", o->name);
    if (takes_folder(which) || takes_file(which))
        buf_puts(out, takes_file(which) ? "_files" : "_directories");
    else if (words.len > 0)
        buf_printf(out, "(%s)", buf_text(&words));
    else if (o->value != NULL)
        buf_putc(out, ' ');
    buf_putc(out, '\'');
    buf_free(&words);
}

static void zsh_operands(const struct offer *o, struct buf *out)
{
    for (const char *at = buf_text(&o->flags); *at != '\0'; at += strcspn(at, " "), at += *at == ' ')
        buf_printf(out, " \\\n            '%.*s'", (int)strcspn(at, " "), at);
    if (o->first.len > 0)
        buf_printf(out, " \\\n            '1:what:(%s)'", buf_text(&o->first));
    buf_puts(out, " \\\n            '*: :{");
    if (o->words.len > 0)
        buf_printf(out, "compadd %s; ", buf_text(&o->words));
    if (o->kinds & OFFER_COMMANDS)
        buf_puts(out, "_describe command commands; ");
    if (o->kinds & OFFER_SCENARIOS)
        buf_puts(out, "compadd ${(f)\"$($program completion scenarios 2>/dev/null)\"}; ");
    if (o->kinds & (OFFER_RXS | OFFER_RXT))
        buf_printf(out, "_files -g \"*.%s\"; ", (o->kinds & OFFER_RXS) == 0 ? "rxt"
                                               : (o->kinds & OFFER_RXT) == 0 ? "rxs" : "rx[st]");
    if (o->kinds & OFFER_PATHS)
        buf_puts(out, "_files; ");
    buf_puts(out, ":}'");
}

static void zsh_command(const struct cli_command_info *c, struct buf *out)
{
    struct offer o;
    offer_read(c->operands, &o);
    buf_printf(out, "        %s)\n            _arguments", c->name);
    for (int i = 0; i < OPT_COUNT; i++)
        if (cli_takes(c, (enum cli_option)i))
            zsh_option((enum cli_option)i, out);
    zsh_operands(&o, out);
    buf_puts(out, " ;;\n");
    offer_done(&o);
}

static void zsh(struct buf *out)
{
    struct cli_command_info c;
    buf_puts(out, "#compdef radixscope\n# zsh completion of radixscope. Made by: radixscope completion zsh\n_radixscope() {\n"
                  "    local curcontext=$curcontext state line program=$words[1]\n    local -a commands\n    commands=(\n");
    for (unsigned i = 0; (c = cli_command_at(i)).name != NULL; i++) {
        buf_printf(out, "        '%s:", c.name);
        quoted(c.brief, ":\\", out);
        buf_puts(out, "'\n");
    }
    buf_puts(out, "    )\n    _arguments -C '(- *)'{-h,--help}'[help]' '(- *)'{-V,--version}'[the version]' \\\n"
                  "        '1: :->command' '*:: :->operand' && return\n"
                  "    case $state in\n    command) _describe command commands ;;\n    operand)\n        case $words[1] in\n");
    for (unsigned i = 0; (c = cli_command_at(i)).name != NULL; i++)
        zsh_command(&c, out);
    buf_puts(out, "        esac ;;\n    esac\n}\n"
                  "if [ \"$funcstack[1]\" = _radixscope ]; then _radixscope \"$@\"; else compdef _radixscope radixscope; fi\n");
}

/* ---- fish ----------------------------------------------------------------------------------------------- */

static void fish_option(enum cli_option which, struct buf *out)
{
    const struct cli_option_info *o = cli_option_info(which);
    struct cli_command_info c;
    struct buf words = {0};
    option_words(which, &words);
    buf_puts(out, "complete -c radixscope");
    if (which > OPT_VERSION) {
        buf_puts(out, " -n '__fish_seen_subcommand_from");
        for (unsigned i = 0; (c = cli_command_at(i)).name != NULL; i++)
            if (cli_takes(&c, which))
                buf_printf(out, " %s", c.name);
        buf_putc(out, '\'');
    }
    buf_printf(out, " -l %s", o->name);
    if (o->letter != 0)
        buf_printf(out, " -s %c", o->letter);
    if (takes_folder(which))
        buf_puts(out, " -x -a '(__fish_complete_directories)'");
    else if (takes_file(which))
        buf_puts(out, " -r -F");
    else if (o->value != NULL)
        buf_printf(out, " -x -a '%s'", buf_text(&words));
    buf_puts(out, " -d '");
    quoted(o->help, "\\", out);
    buf_puts(out, "'\n");
    buf_free(&words);
}

static void fish_offer(const char *command, const char *what, struct buf *out)
{
    buf_printf(out, "complete -c radixscope -n '__fish_seen_subcommand_from %s' -a '%s'\n", command, what);
}

static void fish_operands(const struct cli_command_info *c, const char *commands, struct buf *out)
{
    struct offer o;
    offer_read(c->operands, &o);
    for (const char *at = buf_text(&o.flags); *at != '\0'; at += strcspn(at, " "), at += *at == ' ')
        buf_printf(out, "complete -c radixscope -n '__fish_seen_subcommand_from %s' -l %.*s\n", c->name,
                   (int)strcspn(at, " ") - 2, at + 2);
    if (o.first.len > 0) /* only while none of them stands there */
        buf_printf(out, "complete -c radixscope -n '__fish_seen_subcommand_from %s; "
                        "and not __fish_seen_subcommand_from %s' -a '%s'\n", c->name, buf_text(&o.first),
                   buf_text(&o.first));
    if (o.words.len > 0)
        fish_offer(c->name, buf_text(&o.words), out);
    if (o.kinds & OFFER_COMMANDS)
        fish_offer(c->name, commands, out);
    if (o.kinds & OFFER_SCENARIOS)
        fish_offer(c->name, "(radixscope completion scenarios 2>/dev/null)", out);
    if (o.kinds & OFFER_RXS)
        fish_offer(c->name, "(__fish_complete_suffix .rxs)", out);
    if (o.kinds & OFFER_RXT)
        fish_offer(c->name, "(__fish_complete_suffix .rxt)", out);
    if (o.kinds & OFFER_PATHS)
        buf_printf(out, "complete -c radixscope -n '__fish_seen_subcommand_from %s' -F\n", c->name);
    offer_done(&o);
}

static void fish(struct buf *out)
{
    struct buf commands = {0};
    struct cli_command_info c;
    command_words(&commands);
    buf_puts(out, "# fish completion of radixscope. Made by: radixscope completion fish\ncomplete -c radixscope -f\n");
    for (unsigned i = 0; (c = cli_command_at(i)).name != NULL; i++) {
        buf_printf(out, "complete -c radixscope -n __fish_use_subcommand -a %s -d '", c.name);
        quoted(c.brief, "\\", out);
        buf_puts(out, "'\n");
    }
    for (int i = 0; i < OPT_COUNT; i++)
        fish_option((enum cli_option)i, out);
    for (unsigned i = 0; (c = cli_command_at(i)).name != NULL; i++)
        fish_operands(&c, buf_text(&commands), out);
    buf_free(&commands);
}

/* ---- the command ------------------------------------------------------------------------------------------ */

static void print_name(void *ctx, const char *name)
{
    buf_printf(ctx, "%s\n", name);
}

int cmd_completion(struct cli *c, struct err *e)
{
    static const struct {
        const char *name;
        void (*print)(struct buf *out);
    } SHELLS[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    struct buf b = {0};
    if (c->args != 1)
        return err_usage(e, "completion takes the name of one shell: bash, zsh or fish");
    if (strcmp(c->arg[0], "scenarios") == 0) {
        int rc = place_scenarios(c, print_name, &b, e);
        for (unsigned i = 0; workload_name((enum workload)i) != NULL; i++)
            print_name(&b, workload_name((enum workload)i));
        return cli_print(&b, e) != 0 || rc != 0 ? -1 : 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(SHELLS); i++) {
        if (strcmp(c->arg[0], SHELLS[i].name) == 0) {
            SHELLS[i].print(&b);
            return cli_print(&b, e);
        }
    }
    return err_usage(e, "completion is for bash, zsh and fish, not '%.40s'", c->arg[0]);
}
