/* grade.h: answers, judged by the run.
 *
 * An answer is a line of text, however it was given: the number of an option (choose), a number, a node's letter,
 * a slot, a position, or the numbers of items in the order in which they belong (order: "2 1 3"; or their values).
 */
#ifndef RADIXSCOPE_LESSON_GRADE_H
#define RADIXSCOPE_LESSON_GRADE_H

#include "lesson/run.h"

struct grade {
    bool right;
    int listed;               /* which wrong answer (or option) it was, -1: none of them */
    const struct prose *say;  /* the explanation; may be empty */
    struct lesson_scene *scene; /* where the deciding step is */
    uint32_t step;            /* of branch 0; 0: the question has none */
    uint32_t request;         /* the step is of this request of a race; 0: of a block of the lesson */
    const char *race;         /* its name; the lesson's */
};

/* 0 and *out, or -1 and *e: the answer cannot be understood (or the lesson is wrong: lesson_check finds that). */
int grade_answer(const struct lesson_run *r, size_t item, const char *answer, struct grade *out, struct err *e);

/* Append the right answer, as grade_answer takes it. */
int grade_solution(const struct lesson_run *r, size_t item, struct buf *out, struct err *e);

/* Append the answer that stands for listed wrong answer i (choose: option i), as grade_answer takes it. */
int grade_wrong(const struct lesson_run *r, size_t item, int i, struct buf *out, struct err *e);

/* The right answer in words: "2 (the root and two leaves)", for people. */
int grade_reveal(const struct lesson_run *r, size_t item, struct buf *out, struct err *e);

/* Is the goal of a challenge reached at this moment? */
int grade_goal(const struct question *q, const struct lesson_env *env, bool *reached, struct err *e);

#endif
