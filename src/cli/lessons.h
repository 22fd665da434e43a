/* lessons.h: where lessons are, and which there are.
 *
 * The course is the folder lessons/ of the data folder (an installed tree) or beside it (a build tree). A lesson in
 * any other folder is named by its path.
 */
#ifndef RADIXSCOPE_CLI_LESSONS_H
#define RADIXSCOPE_CLI_LESSONS_H

#include "cli/cli.h"
#include "lesson/lesson.h"

struct lesson_brief {
    struct lesson_head head;  /* id, number, title, minutes, … */
    char path[512];
    bool done;                /* by this person */
    uint32_t at;              /* the furthest part reached; 0: not begun */
    char problem[200];        /* "" or why its front matter cannot be read */
};

/* Append the folder; -1 and *e if there is none. */
int lessons_folder(const struct cli *c, struct buf *out, struct err *e);

/* Calls visit with every lesson of the course, by number, then by name (those without a number last). No folder: none,
 * and that is no error. */
int lessons_visit(const struct cli *c, void (*visit)(void *ctx, const struct lesson_brief *b), void *ctx, struct err *e);

/* Append the file of a lesson: a path (with / or .md), an id, a number, or a file's name without .md. -1 and *e with
 * the nearest. */
int lessons_find(const struct cli *c, const char *name, struct buf *out, struct err *e);

#endif
