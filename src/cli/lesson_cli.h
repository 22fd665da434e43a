/* lesson_cli.h: what the parts of `radixscope lesson` share: opening a lesson, and its subcommands.
 *
 *      cmd_lesson.c        the list, check, sheet, notes, figures
 *      lesson_open.c       a lesson with its model and its helpers; what its words may be bound to
 *      lesson_new.c        new, reset
 *      lesson_export.c     a handout
 *      lesson_play.c       the lesson itself: on the screen or as plain text
 */
#ifndef RADIXSCOPE_CLI_LESSON_CLI_H
#define RADIXSCOPE_CLI_LESSON_CLI_H

#include "cli/cli.h"
#include "lesson/lesson_check.h"
#include "lesson/progress.h"

/* A lesson that has been run. The host's command starts this program again for ```run blocks. */
struct lesson_open {
    struct cli *cli;
    struct lesson *lesson;   /* owned */
    struct lesson_run *run;  /* owned */
    struct model *model;     /* owned; NULL: the lesson needs none */
    struct buf model_dir;
    struct lesson_host host;
    struct lesson_halt halt; /* of everything that runs for it */
    bool opened;             /* halt is there */
    _Atomic uint32_t block, blocks; /* that runs while it is opened, of how many */
};

int lesson_open(struct lesson_open *o, struct cli *c, const char *name, struct err *e); /* lesson_close also after -1 */
void lesson_close(struct lesson_open *o);

struct lesson_names lesson_names_of(struct cli *c);

int lesson_new_file(struct cli *c, struct err *e);
int lesson_reset(struct cli *c, struct err *e);
int lesson_keys(struct cli *c, struct err *e);
int lesson_export(struct cli *c, struct err *e);
int lesson_play(struct cli *c, struct err *e);

/* The person's progress, or none with --no-save; a message about a damaged file goes to stderr. */
int lesson_progress(const struct cli *c, struct progress *p, struct err *e);

#endif
