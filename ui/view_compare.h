/* view_compare.h: two histories side by side.
 *
 *      | left   branch 1, as it ran first       | right  branch 2, left branch 1 after step 60: policy is now lfu |
 *      | step 75 evict_node …                   | step 76 evict_node …                                             |
 *      |   its sentence                         |   its sentence                                                   |
 *      |   its tree                             |   its tree                                                       |
 *      | request   prompt     left cached    right cached     saved or lost on the right                           |
 *      | so far, in all, and where they differ first                                                               |
 *
 * Or a history beside a design that has no steps (feed->designs): its lists on the right, after the request that has come
 * last on the left, and the same ledger.
 */
#ifndef RADIXSCOPE_UI_VIEW_COMPARE_H
#define RADIXSCOPE_UI_VIEW_COMPARE_H

#include "ui/beside.h"
#include "ui/view.h"

void view_compare_draw(const struct picture *p, struct surface *s, struct rect r);

/* Which histories these are and why they were made, the ledger and the first difference, as text: what --plain
 * prints. `at`: the position in the left one. Everything must be read. */
void compare_text(const struct lockstep *k, const struct ui_words *left, const struct ui_words *right,
                  const char *why_right, uint32_t at, struct buf *out);

#endif
