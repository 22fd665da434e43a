/* radixscope alone: what can be opened. */
#include <stdio.h>

#include "cli/places.h"
#include "script/script.h"

struct listing {
    const struct cli *cli;
    struct buf *out;
};

/* A scenario's name, its title, and the comment in its first line: what it teaches. */
static void list_scenario(void *ctx, const char *name)
{
    struct listing *l = ctx;
    struct buf path = {0};
    struct err ignored = {0};
    if (place_scenario(l->cli, name, &path, &ignored) == 0) {
        struct script *s = script_load(buf_text(&path), &ignored);
        struct script_settings set;
        if (s != NULL) {
            script_settings(s, &set);
            buf_printf(l->out, "  %-22s %s\n", name, set.title);
        } else {
            buf_printf(l->out, "  %-22s (%s)\n", name, ignored.what);
        }
        script_free(s);
    }
    buf_free(&path);
}

int cmd_home(struct cli *c, struct err *e)
{
    struct buf b = {0};
    struct listing l = {c, &b};
    buf_puts(&b, "radixscope lets you watch RadixAttention, SGLang's KV prefix cache, work on a real CPU transformer.\n\n"
                 "Scenarios, opened with radixscope play NAME:\n");
    if (place_scenarios(c, list_scenario, &l, e) != 0) {
        buf_free(&b);
        return -1;
    }
    buf_puts(&b, "\nAlso:\n"
                 "  radixscope run \"What color is grass?\"      answer prompts, say what was reused\n"
                 "  radixscope compare                         cold and cached side by side\n"
                 "  radixscope replay FILE.rxt                 open a recording\n"
                 "  radixscope --help                          everything else\n");
    return cli_print(&b, e);
}
