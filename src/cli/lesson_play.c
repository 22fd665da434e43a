/* radixscope lesson NAME */
#include <stdio.h>
#include <unistd.h>

#include "cli/lesson_plain.h"
#include "cli/lesson_screen.h"
#include "ui/app.h"
#include "ui/theme.h"

static int check_theme_name(const struct cli *c, struct err *e)
{
    const char *name = c->option[OPT_THEME];
    return name == NULL || theme_find(name) != NULL ? 0 : err_usage(e, "there is no theme '%.60s'", name);
}

int lesson_play(struct cli *c, struct err *e)
{
    struct lesson_open o = {0};
    struct progress progress = {0};
    struct player p = {0};
    bool screen = !cli_has(c, OPT_PLAIN) && ui_available(NULL) == 0;
    int rc = check_theme_name(c, e);
    if (rc == 0)
        rc = lesson_open(&o, c, c->arg[0], e);
    if (rc == 0)
        rc = lesson_progress(c, &progress, e);
    if (rc == 0)
        rc = player_init(&p, o.run, &progress, false, e);
    if (rc == 0)
        rc = screen ? lesson_screen(c, &p, e) : lesson_converse(&p, stdin, e);
    player_done(&p);
    progress_done(&progress);
    lesson_close(&o);
    return rc;
}
