/* layout.h: where everything goes, from the size of the screen alone.
 *
 *      80x24 and larger               60x16 to 79x23                 smaller
 *      title                          title                          title
 *      ┌─ tree ────┬─ request ─┐      ┌─ tree ────┬─ request ─┐      the sentence,
 *      │           │           │      │           │           │      then the request,
 *      ├─ slots ───┴───────────┤      ├─ slots ───┴───────────┤      then the tree,
 *      │                       │      │                       │      one column, no frames;
 *      ├─ what happened ───────┤      ├─ what happened ───────┤      what does not fit
 *      │                       │      │                       │      is left out from below
 *      ├─ time ────────────────┤      timeline                       keys
 *      │ timeline              │      keys
 *      └───────────────────────┘
 *      keys
 *
 * Rectangles are the insides of panes. They depend on the size and on the number of slots, which never
 * change while stepping: nothing moves but what changed.
 */
#ifndef RADIXSCOPE_UI_LAYOUT_H
#define RADIXSCOPE_UI_LAYOUT_H

#include "ui/surface.h"

enum layout_kind { LAYOUT_PLAIN, LAYOUT_SMALL, LAYOUT_FULL };

struct layout {
    enum layout_kind kind;
    struct rect title, tree, request, slots, story, time, keys;
    struct rect body;          /* between title and keys: a full view (help, why) draws here */
    bool big;
    int slots_edge, story_edge, time_edge; /* rows of the lines above these panes; -1: none */
};

/* A row of the slot grid: a label with the first slot's number, then groups of slots with a space between:
 * a group is a page where pages are 4 to 16 slots, else 8 slots. */
int layout_slot_label(uint32_t slots);   /* cells of the label, with the space behind it */
int layout_slot_group(uint32_t page);
int layout_slots_per_row(int width, uint32_t slots, uint32_t page);

/* `big`: for a projector, two panes and a large sentence; the slots are left out. */
struct layout layout_make(int w, int h, uint32_t slots, uint32_t page, bool big);

/* Draw the lines between the panes. */
void layout_draw(const struct layout *l, struct surface *s);

#endif
