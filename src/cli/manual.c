#include "cli/manual.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/version.h"
#include "ui/command.h"

/* ---- roff ------------------------------------------------------------------------------------------- */

/* What roff would take for something else: an escape, a hyphen that may be broken at, a curly quote. */
static const char *roff_char(uint32_t code)
{
    switch (code) {
    case '\\': return "\\e";
    case '-': return "\\-";
    case '\'': return "\\(aq";
    case '`': return "\\(ga";
    case '^': return "\\(ha";
    case '~': return "\\(ti";
    default: return NULL;
    }
}

static void roff_text(const char *text, struct buf *out)
{
    size_t n = strlen(text);
    bool line_begins = out->len == 0 || out->data[out->len - 1] == '\n';
    for (size_t i = 0; i < n;) {
        uint32_t code;
        i += utf8_decode(text + i, n - i, &code);
        if (line_begins && code == '.')
            buf_puts(out, "\\&"); /* a dot there begins a request */
        if (roff_char(code) != NULL)
            buf_puts(out, roff_char(code));
        else if (code > 126)
            buf_printf(out, "\\[u%04X]", (unsigned)code);
        else
            buf_putc(out, (char)code);
        line_begins = code == '\n';
    }
}

static void bold(const char *text, struct buf *out)
{
    buf_puts(out, "\\fB");
    roff_text(text, out);
    buf_puts(out, "\\fR");
}

static void paragraph(const char *text, struct buf *out)
{
    buf_puts(out, ".PP\n");
    roff_text(text, out);
    buf_putc(out, '\n');
}

/* A word and what it means. */
static void item(const char *word, const char *meaning, struct buf *out)
{
    buf_puts(out, ".TP\n");
    bold(word, out);
    buf_putc(out, '\n');
    roff_text(meaning, out);
    buf_putc(out, '\n');
}

/* ---- the parts that come from tables -------------------------------------------------------------------- */

static void option_name(const struct cli_option_info *o, struct buf *out)
{
    char letter[3] = {'-', o->letter, '\0'};
    if (o->letter != 0) {
        bold(letter, out);
        buf_puts(out, ", ");
    }
    buf_puts(out, "\\fB\\-\\-");
    roff_text(o->name, out);
    buf_puts(out, "\\fR");
    if (o->value != NULL) {
        buf_puts(out, " \\fI");
        roff_text(o->value, out);
        buf_puts(out, "\\fR");
    }
}

static void command_options(const struct cli_command_info *c, struct buf *out)
{
    bool any = false;
    for (int i = OPT_VERSION + 1; i < OPT_COUNT; i++) {
        if (!cli_takes(c, (enum cli_option)i))
            continue;
        buf_puts(out, any ? ", " : "Options: ");
        buf_puts(out, "\\fB\\-\\-");
        roff_text(cli_option_info((enum cli_option)i)->name, out);
        buf_puts(out, "\\fR");
        any = true;
    }
    buf_puts(out, any ? ".\n" : "");
}

static void commands(struct buf *out)
{
    struct cli_command_info c;
    buf_puts(out, ".SH COMMANDS\n");
    for (unsigned i = 0; (c = cli_command_at(i)).name != NULL; i++) {
        buf_puts(out, ".TP\n");
        bold(c.name, out);
        buf_puts(out, c.operands[0] != '\0' ? " " : "");
        roff_text(c.operands, out);
        buf_putc(out, '\n');
        roff_text(c.brief, out);
        buf_puts(out, c.brief[strlen(c.brief) - 1] == '?' ? "\n" : ".\n");
        roff_text(c.more, out);
        buf_puts(out, c.more[0] != '\0' ? "\n" : "");
        command_options(&c, out);
    }
}

static void options(struct buf *out)
{
    buf_puts(out, ".SH OPTIONS\nThey may stand anywhere behind the command; behind \\fB\\-\\-\\fR everything is an operand.\n");
    for (int i = 0; i < OPT_COUNT; i++) {
        buf_puts(out, ".TP\n");
        option_name(cli_option_info((enum cli_option)i), out);
        buf_putc(out, '\n');
        roff_text(cli_option_info((enum cli_option)i)->help, out);
        buf_putc(out, '\n');
    }
}

static void keys(struct buf *out)
{
    const char *group = "";
    buf_puts(out, ".SH KEYS\nThe keys of the stepper that \\fBplay\\fR and \\fBreplay\\fR open.\n");
    for (int i = 0; i < CMD_COUNT; i++) {
        const struct command_info *c = command_info((enum command)i);
        if (strcmp(group, c->group) != 0)
            buf_printf(out, ".SS %c%s\n", toupper((unsigned char)c->group[0]), c->group + 1);
        group = c->group;
        item(c->written, c->help, out);
    }
}

/* ---- the parts that are written here ---------------------------------------------------------------------- */

static void introduction(struct buf *out)
{
    buf_puts(out, ".\\\" Made by: radixscope help man\n"
                  ".TH RADIXSCOPE 1 \"\" \"radixscope " RADIXSCOPE_VERSION "\" \"User Commands\"\n.SH NAME\n");
    roff_text("radixscope - watch SGLang's KV prefix cache work, step by step\n", out);
    buf_puts(out, ".SH SYNOPSIS\n\\fBradixscope\\fR [\\fICOMMAND\\fR] [\\fIoperands and options\\fR]\n.SH DESCRIPTION\n");
    roff_text("radixscope shows RadixAttention, SGLang's way of reusing KV cache, in a terminal: real requests on a real\n"
              "transformer, one step at a time, forwards and backwards. Without a command it lists the scenarios that\n"
              "can be opened. To begin:\n", out);
    buf_puts(out, ".PP\n.RS\nradixscope play shared\\-system\\-prompt\n.RE\n");
    paragraph("Every screen has a twin in plain text, chosen by itself when there is no terminal, and with --plain.", out);
}

static void surroundings(struct buf *out)
{
    buf_puts(out, ".SH ENVIRONMENT\n");
    item("RADIXSCOPE_DATA", "another folder with model/ and scenarios/.", out);
    item("NO_COLOR", "set and not empty: no colours, unless --theme asks for some.", out);
    item("TERM", "the terminal; dumb, or none at all, means plain text.", out);
    buf_puts(out, ".SH FILES\n");
    item("$XDG_CONFIG_HOME/radixscope/config", "theme, speed and other preferences, one a line: theme = dark. Without\n"
         "XDG_CONFIG_HOME it is ~/.config/radixscope/config.", out);
    item("*.rxs", "a script: what happens to a cache, one command a line (radixscope help script).", out);
    item("*.rxt", "a recording: a run that opens without model or engine.", out);
    buf_puts(out, ".SH EXIT STATUS\n");
    item("0", "all is well.", out);
    item("1", "something failed, or differs.", out);
    item("2", "the command line is wrong.", out);
    item("130", "interrupted.", out);
}

static void example(const char *line, const char *meaning, struct buf *out)
{
    buf_puts(out, ".TP\n");
    roff_text(line, out);
    buf_putc(out, '\n');
    roff_text(meaning, out);
    buf_putc(out, '\n');
}

static void examples(struct buf *out)
{
    buf_puts(out, ".SH EXAMPLES\n");
    example("radixscope run \"Where do fish live?\" \"Where do bees live?\"",
            "Two prompts of your own: answers, tokens cached and computed.", out);
    example("radixscope play two-strings --plain | less", "A split, without any model, a step a line.", out);
    example("radixscope record my.rxs -o my.rxt && radixscope replay my.rxt", "A run as a file.", out);
    example("radixscope export tree small-pool --format dot | dot -Tsvg -o tree.svg", "A picture of the tree.", out);
}

void manual_print(struct buf *out)
{
    introduction(out);
    commands(out);
    options(out);
    keys(out);
    surroundings(out);
    examples(out);
}
