/* theme.h: what things are (roles), and how a theme paints them.
 *
 * Views name roles, never colours. A style is a role and, where a cell needs more weight than its role
 * has, flags:
 *
 *      bit  15 …………… 8 7 …………… 0
 *           | flags    | role    |      ROLE_CACHED | STYLE_BOLD
 *
 * Colour is never the only sign: whatever a role says is also said by a letter, a symbol or a word. Themes
 * use the eight colours that every colour terminal has and leave the background to the person, except
 * where their name promises one.
 */
#ifndef RADIXSCOPE_UI_THEME_H
#define RADIXSCOPE_UI_THEME_H

#include <stdint.h>

enum role {
    ROLE_TEXT,      /* what is to be read */
    ROLE_QUIET,     /* what may be overlooked: separators, free slots */
    ROLE_FRAME,
    ROLE_TITLE,     /* titles of panes */
    ROLE_HEAD,      /* the first line of the screen */
    ROLE_LABEL,     /* names of columns, legends */
    ROLE_KEY,       /* a key that can be pressed */
    ROLE_CHANGED,   /* what this step changed */
    ROLE_CACHED,    /* tokens read from the cache; a hit */
    ROLE_COMPUTED,  /* tokens the model computed */
    ROLE_GENERATED, /* tokens the model wrote */
    ROLE_TODO,      /* tokens still to be computed */
    ROLE_HELD,      /* slots that belong to a running request */
    ROLE_GONE,      /* what this step took away; a miss, an eviction */
    ROLE_ALERT,     /* a message to the person */
    ROLE_SELECTED,  /* where the focus is */
    ROLE_OWNER,     /* first of OWNER_COLOURS roles: nodes by id */
};

enum { OWNER_COLOURS = 5, ROLE_COUNT = ROLE_OWNER + OWNER_COLOURS };

enum {
    STYLE_ROLE = 0x00ff,
    STYLE_BOLD = 0x0100,
    STYLE_UNDER = 0x0200,
    STYLE_REVERSE = 0x0400,
};

/* How one role looks: colours 0 to 7 as terminals number them, -1 = the person's own. */
struct paint {
    int8_t fg, bg;
    uint16_t flags; /* STYLE_BOLD, STYLE_UNDER, STYLE_REVERSE */
};

struct theme {
    const char *name, *about;
    struct paint role[ROLE_COUNT];
};

const struct theme *theme_find(const char *name); /* NULL: no such theme; NULL name: the first */
const struct theme *theme_at(unsigned i);         /* NULL past the end */
const struct theme *theme_next(const struct theme *t); /* round */

/* The paint of a style: its role's, with the style's flags added. */
struct paint theme_paint(const struct theme *t, unsigned style);

/* The role of what node `id` owns: neighbours in creation order differ. */
unsigned theme_owner(uint32_t id);

#endif
