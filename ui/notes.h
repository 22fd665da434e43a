/* notes.h: the speaker's screen in a second terminal.
 *
 *      Two prompts, one split  2 of 5: The second prompt            04:10 of 7 min
 *      ── notes ────────────────────────── next ──────────────────────────────
 *      Point at the slots pane …           A question is open. Enter: …
 *                                          5 of 7 have answered
 *                                          3   ######## 4
 *      ── stage ──────────────────────────────────────────────────────────────
 *      what the audience sees, drawn for this place by the same code
 *      Tab stage  b board  q quit
 *
 * The stage is the stepper (ui/app.h) of a lesson that follows; nothing typed here reaches it. The clock is drawn once a
 * second; else the screen sleeps until the presenter moves or a key comes.
 */
#ifndef RADIXSCOPE_UI_NOTES_H
#define RADIXSCOPE_UI_NOTES_H

#include "ui/app.h"

struct notes_page {
    struct buf head, notes, next, line, board; /* line: about the room; board: the state string, may be empty */
    uint32_t elapsed, minutes;                 /* seconds since the beginning; minutes planned */
    bool here;                                 /* the presenter is there */
};

void notes_page_done(struct notes_page *p);

struct notes_feed {
    const struct ui_feed *feed;                /* of the stage; its room has the votes */
    void (*page)(void *ctx, struct notes_page *out, int width); /* fills an empty page; notes wrapped at width */
    void *ctx;
};

int notes_run(const struct notes_feed *feed, const struct ui_options *options, struct err *e);

/* The stage alone, without a terminal. */
struct notes_stage;
struct notes_stage *notes_stage_open(const struct ui_feed *feed, struct err *e);
void notes_stage_close(struct notes_stage *s);
void notes_stage_wake(struct notes_stage *s);  /* the feed's wake_fd was readable */
void notes_stage_text(struct notes_stage *s, int w, int h, struct buf *out);

/* Draw the whole screen: for tests, too. mode: 0 both, 1 the stage alone, 2 the notes alone. */
void notes_draw(const struct notes_page *page, struct notes_stage *stage, const struct ui_room *room, int mode, int scroll,
                bool board, struct surface *s);

#endif
