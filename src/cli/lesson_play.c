/* radixscope lesson NAME */
#include <stdio.h>
#include <unistd.h>

#include "cli/lesson_plain.h"
#include "ui/app.h"

int lesson_play(struct cli *c, struct err *e)
{
    struct lesson_open o;
    struct progress progress = {0};
    struct player p = {0};
    int rc = lesson_open(&o, c, c->arg[0], e);
    if (rc == 0)
        rc = lesson_progress(c, &progress, e);
    if (rc == 0)
        rc = player_init(&p, o.run, &progress, false, e);
    if (rc == 0)
        rc = lesson_converse(&p, stdin, e);
    player_done(&p);
    progress_done(&progress);
    lesson_close(&o);
    return rc;
}
