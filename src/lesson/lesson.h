/* lesson.h: a lesson file as data. docs/writing-lessons.md describes the format for authors.
 *
 *      ---                        front matter: id, number, title, minutes, needs, objectives
 *      ## Title {#anchor}         a chunk: what belongs together, with its speaker notes
 *        prose                    Markdown (md4c); {= figure }s; [words](node:A) bound to objects
 *        ```rxs name              commands, run on the real engine
 *        ```expect                what must hold then
 *        ```let, run, file        names for figures; another command's figures; a file for it
 *        ```ask KIND id           a question
 *        ```notes                 for the speaker
 *      ## Cheat sheet {#sheet}    the last chunk: one screen
 *
 * Parsing runs nothing. A lesson is immutable and owns its texts. Every error names file, line and column.
 */
#ifndef RADIXSCOPE_LESSON_LESSON_H
#define RADIXSCOPE_LESSON_LESSON_H

#include "lesson/expr.h"
#include "script/script.h"

enum {
    LESSON_BYTES = 256 * 1024, LESSON_CHUNKS = 64, LESSON_ITEMS = 400, LESSON_STEPS = 200000, LESSON_HINTS = 3,
    LESSON_OPTIONS = 12, LESSON_NEEDS = 8, LESSON_OBJECTIVES = 8,
};

/* Objects that words can be bound to.  X(ENUM, "scheme", "help") */
#define LESSON_LINKS(X)                                                                                       \
    X(NODE, "node", "a node by its letter or id: it must exist at that moment or in the next block")         \
    X(SLOT, "slot", "a slot by its number")                                                                  \
    X(REQUEST, "request", "a request by its label or number")                                                \
    X(EVENT, "event", "a kind of step, as radixscope help events lists it")                                  \
    X(KEY, "key", "a key to press, as radixscope help keys writes it")                                       \
    X(WORD, "word", "cached, computed, generated, held, free: that colour")                                  \
    X(LESSON, "lesson", "another lesson, by its id")

enum link_kind {
    LINK_NONE,
#define X(id, ...) LINK_##id,
    LESSON_LINKS(X)
#undef X
    LINK_COUNT
};

enum span_kind { SPAN_TEXT, SPAN_FIGURE, SPAN_PARAGRAPH, SPAN_LINE, SPAN_BULLET, SPAN_PRE };
enum { SPAN_EMPH = 1, SPAN_STRONG = 2, SPAN_CODE = 4 };

/* A piece of prose of one style. SPAN_PARAGRAPH, SPAN_LINE and SPAN_BULLET say what begins here. */
struct span {
    enum span_kind kind;
    unsigned flags;
    enum link_kind link;
    struct place at;
    char *text;           /* owned: the text, a bullet's number ("" for none) */
    char *target;         /* owned: of a link */
    char *format;         /* owned: of a figure */
    struct expr *expr;    /* owned: of a figure */
    int indent;           /* of a bullet */
};

struct prose {
    struct span *span;    /* (n) owned */
    size_t n, cap;
};

/*  X(ENUM, "word", "help") */
#define LESSON_QUESTIONS(X)                                                                                   \
    X(CHOOSE, "choose", "one of several answers; the engine says which is right")                            \
    X(NUMBER, "number", "a number")                                                                          \
    X(NODE, "pick-node", "a node on the screen")                                                             \
    X(SLOT, "pick-slot", "a slot on the screen")                                                             \
    X(TOKEN, "pick-token", "a token of a request on the screen, by its position")                            \
    X(ORDER, "order", "a list to be put in order")                                                           \
    X(DO, "do", "a goal to be reached by commands")

enum question_kind {
#define X(id, ...) ASK_##id,
    LESSON_QUESTIONS(X)
#undef X
    ASK_COUNT
};

struct option {           /* an answer of choose; a listed wrong answer; an item of order */
    char *label;          /* owned; of choose and order */
    struct place at;
    struct expr *expr;    /* owned: choose: is it right? wrong: its value; order: its value, NULL: the label */
    struct prose why;     /* of a wrong one */
};

struct question {
    enum question_kind kind;
    char *id;
    struct place at;
    struct prose text, right, otherwise, hint[LESSON_HINTS];
    int hints;
    struct expr *answer;  /* of number, pick, order; the goal of do */
    struct expr *decides; /* a step number; NULL with `decides_event` -1: the last step of the next block */
    int decides_event;    /* the first event of this kind in the deciding block, -1: none given; */
    char *decides_name;   /* … in this block, or in this race's tree; NULL: in the deciding block; owned */
    uint32_t decides_request; /* of a race: in this request, from 1; 0: in the first one that went differently */
    struct place decides_at;
    bool decides_nothing; /* the author says that no step does */
    double within;        /* number: so far off is right, too */
    char *request;        /* pick-token: whose tokens */
    struct option option[LESSON_OPTIONS]; /* choose: answers; order: items */
    int options;
    struct option wrong[LESSON_OPTIONS];  /* listed wrong answers of number, pick and order */
    int wrongs;
    char *start, *solution; /* of do: scripts, owned */
    uint32_t start_line, solution_line;
    char *allow;          /* of do: words, " insert match " with blanks around; owned */
    uint32_t par;
};

enum item_kind { ITEM_PROSE, ITEM_RXS, ITEM_EXPECT, ITEM_LET, ITEM_RUN, ITEM_FILE, ITEM_ASK, ITEM_NOTES };

/* One line of an expect or let block. */
struct claim {
    char *name;           /* of let; owned */
    struct expr *expr;    /* owned */
};

struct item {
    enum item_kind kind;
    uint32_t chunk;
    struct place at;      /* of the fence's or the paragraph's first byte */
    char *name;           /* of rxs, run, file; "" when it has none; owned */
    struct prose prose;   /* of PROSE and NOTES */
    char *text;           /* of rxs, run, file: what stands in the block; owned */
    struct script *script; /* of rxs; owned */
    bool begins;          /* of rxs: begins with settings (or `fresh`), so on an engine of its own */
    struct claim *claim;  /* (claims) of expect and let; owned */
    size_t claims;
    struct question *question; /* of ASK; owned */
};

struct chunk {
    char *title, *id;     /* owned */
    struct place at;
    size_t first, items;  /* lesson->item[first …] */
};

struct lesson_head {      /* the front matter alone */
    char id[40], title[120];
    uint32_t number, minutes; /* number 0: it is in no course */
    char needs[LESSON_NEEDS][40];
    struct place need_at[LESSON_NEEDS];
    int needs_n;
    char objective[LESSON_OBJECTIVES][160];
    int objectives;
};

struct lesson {
    char *name;           /* the file's; owned */
    char *source;         /* owned */
    size_t len;
    struct lesson_head head;
    struct chunk *chunk;  /* (chunks) the last one is the sheet */
    size_t chunks, chunks_cap;
    struct item *item;    /* (items) */
    size_t items, items_cap;
};

struct lesson *lesson_parse(const char *name, const char *text, size_t len, struct err *e); /* NULL and *e */
struct lesson *lesson_load(const char *path, struct err *e);
void lesson_free(struct lesson *l);

/* Only the front matter: what a list of lessons shows. Returns the bytes it takes, 0 and *e on failure. */
size_t lesson_read_head(const char *name, const char *text, size_t len, struct lesson_head *out, struct err *e);

size_t lesson_find_block(const struct lesson *l, const char *name); /* item of an rxs block; l->items: none */
const char *link_name(enum link_kind k);
const char *question_name(enum question_kind k);

/* ---- parts, for parse*.c ---------------------------------------------------------------------------- */

/* A piece of the file: bytes [from, to). */
struct slice {
    const struct lesson *l;
    size_t from, to;
};

struct place lesson_place(const struct lesson *l, size_t at);
int prose_parse(struct slice s, struct prose *out, struct err *e);
void prose_free(struct prose *p);
struct expr *slice_expr(struct slice s, struct err *e);
char *slice_copy(struct slice s, struct err *e);          /* blanks at both ends left out */
struct question *question_parse(struct slice block, const char *kind, const char *id, struct place at, struct err *e);
void question_free(struct question *q);
/* Words in prose that stand for numbers must be figures: the first digit that is none is an error. */
int prose_check_digits(const struct lesson *l, const struct prose *p, struct err *e);

#endif
