/* run.h: a lesson that has been run: its blocks of commands, in order, on real engines.
 *
 *      block      first        second       pages           one engine (scene) serves the blocks up to the
 *      scene      |------ 0 -------|        |-- 1 --|        next one that begins with settings
 *      steps      0 ..... 9 ..... 24        0 .... 40        each block knows its first and last step
 *
 * Everything runs once, before the first word is shown; the reader then moves over the tape. A question before a
 * block is graded at the moment behind that block, although the reader has not seen it.
 *
 * A challenge has a scene of its own, made when it is opened (challenge_*), as often as the learner wants.
 */
#ifndef RADIXSCOPE_LESSON_RUN_H
#define RADIXSCOPE_LESSON_RUN_H

#include "lesson/lesson.h"
#include "lesson/lesson_job.h"
#include "script/runner.h"

struct json_t;

/* What the lesson cannot do by itself. */
struct lesson_host {
    const char *model_dir;
    struct model *model;     /* lent to every scene; may be NULL: each opens model_dir */
    /* Run radixscope with these words (a `run` block) in folder `dir`, its standard output into *out. NULL: run
     * blocks are refused. */
    int (*command)(void *ctx, const char *line, const char *dir, struct buf *out, struct err *e);
    /* Append the script of a workload or scenario of this name. NULL: nobody knows them. */
    int (*workload)(void *ctx, const char *name, struct buf *out, struct err *e);
    /* Block n of `blocks` (from 1) begins to run. NULL: nobody wants to know. */
    void (*begins)(void *ctx, uint32_t n, uint32_t blocks);
    struct lesson_halt *halt; /* with which another thread ends what runs; NULL: none does */
    void *ctx;
};

struct lesson_request {      /* what a finished request left behind that the world does not hold */
    int branch;
    uint32_t after, rid;
    double flops, logit_diff;
};

struct lesson_served {       /* a request of a race */
    uint32_t before, after;  /* its steps are (before, after] of branch 0 */
    uint32_t hit;            /* tokens that were found */
};

struct lesson_scene {
    struct runner *runner;   /* owned */
    struct cursor cursor;    /* for measuring */
    struct lesson_request *request; /* (requests) owned */
    size_t requests, requests_cap;
    char *text;              /* owned; of a race: the script that made it; NULL: blocks did */
    struct lesson_served *served; /* (serveds) owned; of a race */
    size_t serveds, serveds_cap;
    struct lesson_halt *halt; /* the host's */
    bool challenge;
    uint32_t ran;            /* commands of the script that was run last, up to the one that failed */
};

struct lesson_race {         /* of an ITEM_RUN that a question speaks of (race_scene.h) */
    size_t item;
    uint32_t scene;          /* behind all those of the blocks */
    uint32_t first;          /* the first request that went differently, from 1; 0: none did */
};

struct lesson_block {        /* of an ITEM_RXS */
    uint32_t scene, before, after; /* steps (before, after] of branch 0 */
};

struct lesson_moment {       /* after an item */
    uint32_t scene, at, from;      /* from: where the block that ran last began */
    uint32_t lets;                 /* names bound by now */
    bool any;                      /* a block has run */
};

struct lesson_binding {
    const char *name;        /* the lesson's */
    struct value value;
};

struct lesson_output {       /* of an ITEM_RUN */
    const char *name;
    struct json_t *json;     /* owned; NULL: it printed something else */
};

struct lesson_run {
    const struct lesson *lesson; /* borrowed */
    struct lesson_host host;
    struct lesson_scene **scene; /* (scenes) owned */
    size_t scenes, scenes_cap;
    struct lesson_block *block;  /* (lesson->items) */
    struct lesson_moment *moment; /* (lesson->items) */
    struct lesson_binding *let;  /* (lets) */
    size_t lets, lets_cap;
    struct lesson_output *output; /* (outputs) */
    size_t outputs, outputs_cap;
    struct lesson_race *race;    /* (races) */
    size_t races, races_cap;
    char *folder;                /* of `file` blocks; removed by lesson_run_free; NULL: none */
};

/* A moment at which expressions are evaluated. */
struct lesson_env {
    const struct lesson_run *run;
    struct lesson_scene *scene;  /* NULL: no block has run */
    int branch;
    uint32_t at, from;
    uint32_t lets;
};

/* Run all blocks and check all ```expect blocks. NULL and *e (file, line, column). l and host outlive it. */
struct lesson_run *lesson_run_new(const struct lesson *l, const struct lesson_host *host, struct err *e);
void lesson_run_free(struct lesson_run *r);

/* The moment after item i; a question before a block in its chunk is judged behind that block (run_env_decided). */
struct lesson_env run_env(const struct lesson_run *r, size_t item);
struct lesson_env run_env_decided(const struct lesson_run *r, size_t item);
/* The block whose run decides the question at `item`: the next one in its chunk, or lesson->items. */
size_t run_deciding_block(const struct lesson_run *r, size_t item);

/* A scene of its own for a script; text: of a race, taken. The caller frees it (scene_free) or puts it into r->scene. */
struct lesson_scene *lesson_scene_new(const struct lesson_run *r, const struct script *script, char *text, struct err *e);
int lesson_scene_run(struct lesson_scene *s, const struct script *script, struct err *e);
int lesson_scene_keep(struct lesson_run *r, struct lesson_scene *s, struct err *e); /* takes s, also after -1 */

/* Evaluation's view of a moment. */
struct scene env_scene(const struct lesson_env *env); /* env->scene must be there */
const struct value *env_let(const struct lesson_env *env, const char *name);
int env_at_block(const struct lesson_env *env, const char *name, bool before, struct lesson_env *out, struct err *e);
const struct lesson_request *env_request(const struct lesson_env *env, uint32_t rid);

/* A challenge's scene: its start has run. Free with scene_free. */
struct lesson_scene *challenge_new(const struct lesson_run *r, const struct question *q, struct err *e);
void scene_free(struct lesson_scene *s);
struct lesson_env challenge_env(const struct lesson_run *r, struct lesson_scene *s, size_t item, int branch, uint32_t at);
/* May this line be run in the challenge? *commands: how many it has (0: a comment). -1 and *e: no. */
int challenge_allows(const struct question *q, const char *line, uint32_t *commands, struct err *e);
/* Run a line at the end of the branch; s->ran says how much of it. */
int challenge_run(struct lesson_scene *s, const char *line, struct err *e);

#endif
