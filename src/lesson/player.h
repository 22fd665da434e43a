/* player.h: taking a lesson, without any screen: what is shown, what is waited for, what an answer does.
 *
 *      part      text ── stop ── text ── stop …           a part is prose up to the next thing to do
 *      stop      READ go on    ACT watch a block    ASK answer    DO reach a goal    END the sheet
 *
 *      PHASE_TEXT ──next──> PHASE_ACT (steps of the block may be walked) ──next──> the next part
 *      PHASE_ASK ──answer──> PHASE_WRONG (the cursor is at the deciding step) ──next──> PHASE_ASK again
 *                       └──> PHASE_RIGHT ──next──> the next part
 *      PHASE_DO ──commands──> PHASE_SOLVED ──next──> the next part
 *
 * A part without a word before its action begins with the action. A question that was answered or left out once may be
 * passed by the key that goes on, when the learner has come back to it. Who gives up (the solution was shown, the question
 * is left out) is told what is right and sees the deciding step, too: PHASE_RIGHT, told.
 *
 * After every call, scene/branch/step say where the screen stands and `limit` how far the reader may go: what has not
 * been shown yet stays hidden. Nothing ever moves by itself.
 */
#ifndef RADIXSCOPE_LESSON_PLAYER_H
#define RADIXSCOPE_LESSON_PLAYER_H

#include "lesson/grade.h"
#include "lesson/progress.h"

enum stop_kind { STOP_READ, STOP_ACT, STOP_ASK, STOP_DO, STOP_END };
enum player_phase { PHASE_TEXT, PHASE_ACT, PHASE_ASK, PHASE_WRONG, PHASE_RIGHT, PHASE_DO, PHASE_SOLVED, PHASE_OVER };

struct part {
    enum stop_kind kind;
    uint32_t chunk;
    size_t first, item;       /* prose is items [first, item); item is the stop's (READ, END: behind the last) */
};

struct player {
    const struct lesson_run *run;
    struct progress *progress;  /* borrowed; changed, and saved at every new part */
    struct part *part;          /* (parts) owned */
    size_t parts, at;
    size_t reached;             /* the farthest part of this sitting */
    enum player_phase phase;
    int hints;                  /* shown of this question; LESSON_HINTS + 1: the solution, too */
    uint32_t tries;             /* wrong answers to this question */
    struct grade grade;         /* of the last answer, */
    char answered[64];          /* which was this */
    bool told;                  /* it was not given, but told */
    struct lesson_scene *scene; /* what the screen shows; NULL: nothing has run yet */
    int branch;
    uint32_t step, limit;       /* limit: of branch 0 of a scene of the lesson */
    struct lesson_scene *challenge; /* owned; while one is open */
    uint32_t commands;          /* of the challenge, all that ever ran */
    uint32_t challenges;        /* opened or begun anew so far */
    uint32_t first_rid;         /* of the challenge: the number of the first request that the learner sends */
    bool resumed;               /* it began where the learner was before */
};

/* Begins where the progress says; `again`: at the first part. */
int player_init(struct player *p, const struct lesson_run *run, struct progress *progress, bool again, struct err *e);
void player_done(struct player *p);

const struct part *player_part(const struct player *p);
const struct question *player_question(const struct player *p); /* NULL: this part asks nothing */
const struct chunk *player_chunk(const struct player *p);

/* The key that goes on. 1: it does not go on here (a question is open); -1 and *e. */
int player_next(struct player *p, struct err *e);
int player_back(struct player *p, struct err *e);   /* to the part before; 1: this is the first */
int player_goto(struct player *p, size_t part, struct err *e);

/* Answer the open question (grade.h), or answer it anew after a wrong answer. 1: no question is open; -1 and *e: not understood, nothing has changed. */
int player_answer(struct player *p, const char *answer, struct err *e);
int player_reveal(struct player *p, struct err *e); /* who gives up is told what is right; nothing is noted; as player_answer */
bool player_hint(struct player *p);                 /* one more hint, then the solution; false: nothing to hint at */
bool player_ask_again(struct player *p);            /* after a wrong answer, back to the question; false: there was none */
bool player_may_go_on(const struct player *p);      /* a question is answered or passed, or its solution was shown */
bool player_begins_anew(const struct player *p);    /* what is shown is from before, the next action has an engine of its own */
bool player_decided(const struct player *p);        /* a step that decides the question is shown: a wrong answer, or one that was told */

/* May this command be typed here? In a challenge only what it allows; elsewhere all. */
bool player_allows(const struct player *p, const char *command);

/* A challenge: run a line from a moment of its scene. Counts its commands that ran, also before one that fails (-1 and
 * *e; the player has moved then). The goal is asked afterwards. */
int player_command(struct player *p, int branch, uint32_t at, const char *line, struct err *e);
int player_restart(struct player *p, struct err *e); /* the challenge from its start, counted from 0 */
/* Would going to this part run an engine? (Commands and player_restart always do.) */
bool player_part_runs(const struct player *p, size_t part);

/* What is to be read now, as plain text: the part's prose and question (or what was said to the answer). The screen
 * draws the same pieces: player_pieces. */
struct piece {
    const struct prose *prose; /* NULL: `words` instead */
    struct lesson_env env;
    char words[400];
    bool strong;               /* a heading, a question, a verdict */
    bool tokens;               /* words are the tokens to pick one from (player_token) */
};

/* pick-token: how many tokens there are to pick from (0: none is asked for), and one of them as it is written: 2:" is". */
uint32_t player_tokens(const struct player *p);
void player_token(const struct player *p, uint32_t i, struct buf *out);
/* The position of the token whose KV a slot holds at this moment; false: it holds none of that request. */
bool player_token_in(const struct player *p, uint32_t slot, uint32_t *i);

enum { PLAYER_PIECES = 48 };
/* Fill pieces in reading order; returns how many. What the learner did last stands at the end, behind piece *fresh. */
int player_pieces(const struct player *p, struct piece *out, int *fresh);

/* Append a line on how far the open challenge's goal is reached. */
void player_goal(const struct player *p, struct buf *out);

/* The next command of a solution, for those who are shown it; the answer of a question. Append. */
int player_solution(const struct player *p, struct buf *out, struct err *e);

#endif
