/* view.h: the views and what they may read. Each draws into its rectangle of the surface and nothing else:
 * it sends nothing, remembers nothing and knows no terminal.
 *
 *      struct picture = moment (what is true) + view state (what the person chose)
 *                     + marks (the timeline) + feed (titles) + progress (is more coming?)
 */
#ifndef RADIXSCOPE_UI_VIEW_H
#define RADIXSCOPE_UI_VIEW_H

#include "ui/beside.h"
#include "ui/command.h"
#include "ui/feed.h"
#include "ui/insight.h"
#include "ui/layout.h"
#include "ui/list.h"
#include "ui/marks.h"
#include "ui/moment.h"
#include "ui/rows.h"
#include "ui/series.h"
#include "ui/surface.h"

enum typing { TYPE_NOTHING, TYPE_FIND, TYPE_NODE, TYPE_KEYS, TYPE_COMMAND, TYPE_SAVE };

enum show { SHOW_STEPPER, SHOW_HELP, SHOW_WHY, SHOW_LOG, SHOW_INVARIANTS, SHOW_REQUESTS, SHOW_CODE, SHOW_NUMBERS,
            SHOW_COMPARE, SHOW_FORWARD, SHOW_ATTENTION, SHOW_LENS, SHOW_PROOF, SHOW_EFFECT, SHOW_QUEUE, SHOW_COUNT };

enum focus { FOCUS_NONE, FOCUS_TREE, FOCUS_SLOTS, FOCUS_TOKENS }; /* TOKENS: of a lesson's question */

enum { VIEW_FOLDS = 32 };

/* What the person chose; everything else on the screen follows from the moment. */
struct view {
    enum show show;
    enum focus focus;
    uint32_t node, slot, token; /* chosen, while the focus is there */
    enum order order;       /* of siblings in the tree */
    bool only;              /* of the tree, only the way to the node that matters */
    uint32_t folded[VIEW_FOLDS]; /* nodes whose children are not shown, */
    uint32_t folded_id[VIEW_FOLDS]; /* and their ids: an entry is used again for other nodes */
    int folds;
    const struct keymap *keys; /* as the person has bound them; NULL: as they are */
    int beside;             /* which history stands on the right while comparing */
    int line;               /* of a list: the chosen line */
    char search[32];        /* in the list of keys: what was looked for */
    bool playing;
    struct look look;       /* in the views into the model */
    int speed;              /* index into VIEW_SPEEDS */
    bool big;               /* the projector's layout */
    bool mouse;             /* the program has the mouse */
    bool waiting;           /* a step was asked for that is not computed yet */
    enum typing typing;     /* what the text field is for, while it is open */
    char typed[256];        /* the text in it; or a number before G */
    char hint[160];         /* what could be typed next */
    char message[560];      /* for the person, until the next key */
};

struct picture {
    const struct moment *m;
    const struct view *v;
    struct marks *marks;
    const struct ui_feed *feed;
    const struct ui_progress *progress;
    const struct list *list;  /* of the open list view */
    const struct series *series; /* of the numbers, as far as they are read */
    struct numbers now[2];    /* before this step and after it, while the numbers are shown */
    const struct beside *beside; /* while comparing */
    const struct insight *insight; /* in the views into the model */
    uint32_t limit;           /* the last step that may be shown; UINT32_MAX: all may */
    bool before;              /* a lesson speaks of what comes, and that begins anew: this is from the part before */
};

/* Steps a second at each speed, in tenths. */
enum { VIEW_SPEEDS = 8, VIEW_SPEED_START = 2 };
int view_speed_tenths(int speed);

void view_title_draw(const struct picture *p, struct surface *s, struct rect r);
void view_tree_draw(const struct picture *p, struct surface *s, struct rect r);
void view_request_draw(const struct picture *p, struct surface *s, struct rect r);
void view_slots_draw(const struct picture *p, struct surface *s, struct rect r);
void view_story_draw(const struct picture *p, struct surface *s, struct rect r);
void view_timeline_draw(const struct picture *p, struct surface *s, struct rect r);
void view_keys_draw(const struct picture *p, struct surface *s, struct rect r);
void view_numbers_draw(const struct picture *p, struct surface *s, struct rect r);
void view_attention_draw(const struct picture *p, struct surface *s, struct rect r);
void view_code_draw(const struct picture *p, struct surface *s, struct rect r);
void view_help_draw(const struct picture *p, struct surface *s, struct rect r);

/* Titles on the edges of panes, of at most n - 1 bytes. */
void view_tree_title(const struct picture *p, char *out, size_t n);
void view_request_title(const struct picture *p, char *out, size_t n);
void view_slots_title(const struct picture *p, struct rect r, char *out, size_t n);
void view_slots_counts(const struct picture *p, char *out, size_t n);
void view_story_title(const struct picture *p, const struct surface *s, char *out, size_t n);

/* The node above or below another in the tree as it is drawn (for choosing); the same one at the ends. */
uint32_t view_tree_neighbour(const struct picture *p, uint32_t node, int dir);

/* Rows that the whole tree takes in a pane of this width, with its heads, at most `most`; and nodes, the root apart, that
 * a pane does not show. */
int view_tree_rows(const struct picture *p, int w, int most);
uint32_t view_tree_unseen(const struct picture *p, struct rect r);

/* What is drawn at a cell of these views' rectangles; 0: nothing that can be chosen (no step). */
uint32_t view_tree_at(const struct picture *p, struct rect r, int y);
uint32_t view_slots_at(const struct picture *p, struct rect r, int x, int y);
uint32_t view_timeline_at(const struct picture *p, struct rect r, int x);

/* Steps that a person may ask the reason of (the key `w`). */
bool view_has_reasons(const struct step *s);

/* A message to the person stands in the last line of the screen; is this one too long for that? Then it takes
 * the place of the sentence, as a whole. */
bool view_message_long(const struct picture *p, const struct surface *s);

/* The step that a column of the numbers stands for; the last column is the last step. */
uint32_t numbers_step(int columns, int column, uint32_t length);

/* The text in quotes of the command that is being typed, while it can be cut into tokens; returns its bytes. */
size_t view_typed_text(const struct picture *p, const char **text);

/* The list of keys: the command that is chosen (v->line of those that v->search finds), -1 for none; and the last
 * line one can go down to. */
int view_help_command(const struct view *v);
int view_help_marks(const struct view *v);                /* the line at which the marks begin */
int view_help_last(const struct view *v);

/* Where the window of the tree is in the whole tree, for the pane's edge; nothing when all of it is seen. `r` is
 * the pane's rectangle, `x` the column of the edge. */
void view_tree_map(const struct picture *p, struct surface *s, struct rect r, int x);

/* The sign of a node in the slots: 'A' to 'Z' for the first 26, then 'a' to 'z', again and again. */
char view_node_sign(const struct world *w, uint32_t node);

/* The character and style of a slot's owner. */
char view_owner_letter(const struct world *w, uint32_t owner, unsigned *style);

#endif
