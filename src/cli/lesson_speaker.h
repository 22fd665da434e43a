/* lesson_speaker.h: radixscope lesson NAME --notes: what the speaker needs beside the projector: the notes of this chunk,
 * what comes next, the clock, who has answered what, and what the audience sees. Follows the presenter. */
#ifndef RADIXSCOPE_CLI_LESSON_SPEAKER_H
#define RADIXSCOPE_CLI_LESSON_SPEAKER_H

#include "cli/lesson_room.h"

/* On the screen, or (plain) in lines: a page whenever something changes, and for every Enter. */
int lesson_notes_live(struct cli *c, struct player *p, struct lesson_room *room, bool screen, struct err *e);

/* Append what Enter does at the presenter's place, and what comes then. */
void speaker_next(const struct player *p, struct buf *out);
/* Append the notes of the chunk. */
void speaker_notes(const struct player *p, int width, struct buf *out);

#endif
