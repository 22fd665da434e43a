/* home.h: the home screen: what can be opened, each with a line on what it teaches.
 *
 *      scenarios
 *      > two-strings      The smallest radix tree that splits.        Enter opens it
 *        small-pool       Eviction: who was used longest ago …
 *      sandbox
 *        letters          An empty cache …
 *
 * The caller fills the list (the plain menu prints the same one) and opens what was chosen.
 */
#ifndef RADIXSCOPE_UI_HOME_H
#define RADIXSCOPE_UI_HOME_H

#include "ui/app.h"

struct home_entry {
    const char *group;         /* entries of one group stand together */
    const char *name, *about;
};

struct home {
    const struct home_entry *entry; /* (count) */
    int count;
    int chosen;
    int w, h;                  /* of the surface that was drawn last */
};

/* The whole screen. */
void home_draw(const struct home *h, struct surface *s);

enum home_key { HOME_STAYS, HOME_OPENS, HOME_LEAVES };
/* One key: moves the choice, opens it or leaves. */
enum home_key home_key(struct home *h, int key);

/* Show it until something is chosen. Returns 0 and h->chosen, 1 when the person leaves, 130 after ^C, -1 and *e. */
int home_run(struct home *h, const struct ui_options *options, struct err *e);

#endif
