/* app_parts.h: what the parts of the application share, and nobody else uses.
 *
 *      app.c        making, drawing, what comes by itself
 *      app_time.c   moving in time, jumping, finding
 *      app_keys.c   what each key does
 *      app_type.c   the text field: find, commands
 *      app_lesson.c a lesson's keys
 *      app_work.c   what a lesson's screen asks an engine for, while keys are answered
 *      app_room.c   a lesson that is given to a room, or followed
 *      app_save.c   the screen and the run as files
 *      app_inside.c the views into the model
 *      app_run.c    the loop with the terminal
 */
#ifndef RADIXSCOPE_UI_APP_PARTS_H
#define RADIXSCOPE_UI_APP_PARTS_H

#include "ui/app.h"
#include "ui/command.h"

void app_say(struct app *a, const char *message);      /* shown until the next key */
void app_say_error(struct app *a);                     /* the run's, if it has failed */

void app_step(struct app *a);                          /* one forward; at the end: waits or says so */
void app_back(struct app *a);
void app_at_end(struct app *a);
void app_next(struct app *a, int depth, const char *none); /* to the next step of this depth; `none`: there is none */
void app_prev(struct app *a, int depth);
void app_out(struct app *a);                           /* to the end of what this step is a part of */
void app_out_back(struct app *a);                      /* to its beginning */
void app_toggle_play(struct app *a);
void app_set_speed(struct app *a, int by);
void app_goto_typed(struct app *a);
void app_request_typed(struct app *a);   /* to the request whose number was typed */                    /* the number in view.typed */
void app_jump(struct app *a, uint32_t at);             /* far away: can be returned from */
void app_jump_return(struct app *a);
bool app_search_on(struct app *a);                      /* a slice more; true: it is over */
void app_find(struct app *a, int dir);                 /* the nearest step that says a->find */
void app_find_node(struct app *a);                     /* the next node whose edge holds a->find_node */
void app_find_touch(struct app *a, int dir);           /* the nearest step that touched what is chosen */

/* Where a command would act: this moment, or the next one that is between operations and requests. */
uint32_t app_act_point(struct app *a);
void app_next_branch(struct app *a);
void app_next_beside(struct app *a);                   /* while comparing: another history on the right */
void app_difference(struct app *a);                    /* to the next step where the two differ */

/* A lesson (feed->lesson). */
int app_lesson_begin(struct app *a);
uint32_t app_lesson_tokens(const struct app *a);       /* to pick one from, here and now; 0: none */
bool app_lesson_click(struct app *a, int x, int y);    /* true: it was one of them */
bool app_lesson_key(struct app *a, int key);           /* false: the key means what it always means */
void app_lesson_command(struct app *a, int command);   /* hint, skip, … */
void app_lesson_done(struct app *a);                   /* the work has ended (a->work): show what it has led to */
void app_lesson_run(struct app *a, uint32_t from, const char *line); /* a typed command, from this step */
uint32_t app_lesson_limit(const struct app *a);        /* the last step that may be shown */
void app_lesson_at_end(struct app *a);                 /* say what comes behind the last step that may be shown */
void app_lesson_follow(struct app *a);                 /* the player has moved: show where it stands */
void app_measure(struct app *a);                       /* how many steps there are to be seen, into a->m.length */
int app_turn(struct app *a, struct err *e);            /* the feed has another tape */

/* Work for an engine: done at once if it takes no longer than a frame, else behind a picture of the screen. */
int app_work_open(struct app *a, struct err *e);       /* of a lesson */
void app_work_close(struct app *a);                    /* cancels it */
void app_work_begin(struct app *a, enum work_kind kind);
void app_work_now(struct app *a, enum work_kind kind); /* what is known to take no time */
void app_work_key(struct app *a, int key);             /* while it runs */
void app_work_draw(struct app *a, struct surface *s);
bool app_work_look(struct app *a);                     /* is it done? true: it still runs */
void app_remember(struct app *a, const char *line);    /* can be called back with Up */
void app_room_moved(struct app *a);                    /* the one who follows was moved */

/* A lesson in a room (feed->room; NULL: they do nothing). */
void app_room_wake(struct app *a);
void app_room_stand(struct app *a);                    /* tell the others where this screen is */
bool app_room_enter(struct app *a, const char *answer); /* Enter: true if it meant something to the room */
bool app_room_refuses(struct app *a);                  /* says why, if this screen only follows */

void app_type(struct app *a, int key);                 /* a key while the text field is open */
void app_type_begin(struct app *a, enum typing what);

/* Write the screen (or, for .cast, the run from here on) in the form that the name's ending asks for. */
int app_save(struct app *a, const char *path, struct err *e);

void app_open(struct app *a, enum show show);          /* a view over the stepper, its first line chosen */
/* The views into the model. */
bool app_is_inside(const struct app *a);
void app_inside_open(struct app *a, enum show show);
void app_inside_fill(struct app *a);                   /* list and insight for this moment and look */
void app_inside_look(struct app *a);                   /* how far is what is being computed? */
bool app_inside_key(struct app *a, enum command c);    /* false: the key means what it always means */

const struct list *app_list(struct app *a);            /* of the open view, for this moment */

#endif
