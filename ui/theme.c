#include "ui/theme.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

enum { BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE, OWN = -1 };
enum { B = STYLE_BOLD, U = STYLE_UNDER, R = STYLE_REVERSE };

/* The owner colours of a theme, in a row because nodes take them in turn. */
#define OWNERS(a, b, c, d, e)                                                                      \
    [ROLE_OWNER] = {a, OWN, 0}, [ROLE_OWNER + 1] = {b, OWN, 0}, [ROLE_OWNER + 2] = {c, OWN, 0},     \
    [ROLE_OWNER + 3] = {d, OWN, 0}, [ROLE_OWNER + 4] = {e, OWN, 0}

static const struct theme THEMES[] = {
    {.name = "default", /* readable on light and on dark: no yellow, no white, no blue text */
     .about = "the terminal's own background, light or dark",
     .role = {[ROLE_TEXT] = {OWN, OWN, 0}, [ROLE_QUIET] = {OWN, OWN, 0}, [ROLE_FRAME] = {OWN, OWN, 0},
              [ROLE_TITLE] = {OWN, OWN, B}, [ROLE_HEAD] = {OWN, OWN, B}, [ROLE_LABEL] = {CYAN, OWN, 0},
              [ROLE_KEY] = {OWN, OWN, B | U}, [ROLE_CHANGED] = {MAGENTA, OWN, B}, [ROLE_CACHED] = {GREEN, OWN, 0},
              [ROLE_COMPUTED] = {MAGENTA, OWN, 0}, [ROLE_GENERATED] = {CYAN, OWN, B},
              [ROLE_TODO] = {OWN, OWN, 0}, [ROLE_HELD] = {RED, OWN, B}, [ROLE_GONE] = {RED, OWN, 0},
              [ROLE_ALERT] = {RED, OWN, B}, [ROLE_SELECTED] = {OWN, OWN, R},
              OWNERS(GREEN, CYAN, MAGENTA, RED, OWN)}},
    {.name = "dark", .about = "bright colours, for a dark background",
     .role = {[ROLE_TEXT] = {WHITE, OWN, 0}, [ROLE_QUIET] = {WHITE, OWN, 0}, [ROLE_FRAME] = {BLUE, OWN, B},
              [ROLE_TITLE] = {YELLOW, OWN, B}, [ROLE_HEAD] = {WHITE, OWN, B}, [ROLE_LABEL] = {CYAN, OWN, 0},
              [ROLE_KEY] = {YELLOW, OWN, B}, [ROLE_CHANGED] = {YELLOW, OWN, B}, [ROLE_CACHED] = {GREEN, OWN, B},
              [ROLE_COMPUTED] = {MAGENTA, OWN, B}, [ROLE_GENERATED] = {CYAN, OWN, B},
              [ROLE_TODO] = {WHITE, OWN, 0}, [ROLE_HELD] = {RED, OWN, B}, [ROLE_GONE] = {RED, OWN, B},
              [ROLE_ALERT] = {RED, OWN, B}, [ROLE_SELECTED] = {OWN, OWN, R},
              OWNERS(GREEN, CYAN, MAGENTA, YELLOW, WHITE)}},
    {.name = "light", .about = "dark colours, for a light background",
     .role = {[ROLE_TEXT] = {BLACK, OWN, 0}, [ROLE_QUIET] = {BLACK, OWN, 0}, [ROLE_FRAME] = {BLUE, OWN, 0},
              [ROLE_TITLE] = {BLUE, OWN, B}, [ROLE_HEAD] = {BLACK, OWN, B}, [ROLE_LABEL] = {BLUE, OWN, 0},
              [ROLE_KEY] = {BLUE, OWN, B}, [ROLE_CHANGED] = {RED, OWN, B}, [ROLE_CACHED] = {GREEN, OWN, 0},
              [ROLE_COMPUTED] = {MAGENTA, OWN, 0}, [ROLE_GENERATED] = {BLUE, OWN, B},
              [ROLE_TODO] = {BLACK, OWN, 0}, [ROLE_HELD] = {RED, OWN, B}, [ROLE_GONE] = {RED, OWN, 0},
              [ROLE_ALERT] = {RED, OWN, B}, [ROLE_SELECTED] = {OWN, OWN, R},
              OWNERS(GREEN, BLUE, MAGENTA, RED, BLACK)}},
    {.name = "contrast", .about = "black on white, heavy: for projectors and weak sight",
     .role = {[ROLE_TEXT] = {BLACK, WHITE, 0}, [ROLE_QUIET] = {BLACK, WHITE, 0}, [ROLE_FRAME] = {BLACK, WHITE, 0},
              [ROLE_TITLE] = {BLACK, WHITE, B}, [ROLE_HEAD] = {WHITE, BLACK, B}, [ROLE_LABEL] = {BLACK, WHITE, U},
              [ROLE_KEY] = {WHITE, BLACK, B}, [ROLE_CHANGED] = {WHITE, BLACK, B}, [ROLE_CACHED] = {BLACK, WHITE, B},
              [ROLE_COMPUTED] = {BLACK, WHITE, U}, [ROLE_GENERATED] = {BLACK, WHITE, B | U},
              [ROLE_TODO] = {BLACK, WHITE, 0}, [ROLE_HELD] = {BLACK, WHITE, B | U}, [ROLE_GONE] = {WHITE, BLACK, U},
              [ROLE_ALERT] = {WHITE, BLACK, B}, [ROLE_SELECTED] = {WHITE, BLACK, 0},
              [ROLE_OWNER] = {BLACK, WHITE, B}, [ROLE_OWNER + 1] = {BLACK, WHITE, 0},
              [ROLE_OWNER + 2] = {BLACK, WHITE, B}, [ROLE_OWNER + 3] = {BLACK, WHITE, 0},
              [ROLE_OWNER + 4] = {BLACK, WHITE, B}}},
    {.name = "blue-yellow", .about = "no red beside green: safe for deuteranopia",
     .role = {[ROLE_TEXT] = {OWN, OWN, 0}, [ROLE_QUIET] = {OWN, OWN, 0}, [ROLE_FRAME] = {OWN, OWN, 0},
              [ROLE_TITLE] = {OWN, OWN, B}, [ROLE_HEAD] = {OWN, OWN, B}, [ROLE_LABEL] = {CYAN, OWN, 0},
              [ROLE_KEY] = {OWN, OWN, B | U}, [ROLE_CHANGED] = {YELLOW, OWN, B}, [ROLE_CACHED] = {BLUE, OWN, B},
              [ROLE_COMPUTED] = {YELLOW, OWN, 0}, [ROLE_GENERATED] = {CYAN, OWN, B},
              [ROLE_TODO] = {OWN, OWN, 0}, [ROLE_HELD] = {YELLOW, OWN, B}, [ROLE_GONE] = {YELLOW, OWN, U},
              [ROLE_ALERT] = {YELLOW, OWN, B}, [ROLE_SELECTED] = {OWN, OWN, R},
              OWNERS(CYAN, YELLOW, BLUE, OWN, CYAN)}},
    {.name = "mono", .about = "no colour: weight and lines alone",
     .role = {[ROLE_TEXT] = {OWN, OWN, 0}, [ROLE_QUIET] = {OWN, OWN, 0}, [ROLE_FRAME] = {OWN, OWN, 0},
              [ROLE_TITLE] = {OWN, OWN, B}, [ROLE_HEAD] = {OWN, OWN, B}, [ROLE_LABEL] = {OWN, OWN, 0},
              [ROLE_KEY] = {OWN, OWN, B}, [ROLE_CHANGED] = {OWN, OWN, B | R}, [ROLE_CACHED] = {OWN, OWN, B},
              [ROLE_COMPUTED] = {OWN, OWN, U}, [ROLE_GENERATED] = {OWN, OWN, B | U},
              [ROLE_TODO] = {OWN, OWN, 0}, [ROLE_HELD] = {OWN, OWN, B | U}, [ROLE_GONE] = {OWN, OWN, U},
              [ROLE_ALERT] = {OWN, OWN, B}, [ROLE_SELECTED] = {OWN, OWN, R},
              OWNERS(OWN, OWN, OWN, OWN, OWN)}},
};

const struct theme *theme_at(unsigned i)
{
    return i < ARRAY_LEN(THEMES) ? &THEMES[i] : NULL;
}

const struct theme *theme_find(const char *name)
{
    if (name == NULL)
        return &THEMES[0];
    for (unsigned i = 0; i < ARRAY_LEN(THEMES); i++)
        if (strcasecmp(THEMES[i].name, name) == 0)
            return &THEMES[i];
    return NULL;
}

const struct theme *theme_next(const struct theme *t)
{
    unsigned i = (unsigned)(t - THEMES) + 1;
    return &THEMES[i < ARRAY_LEN(THEMES) ? i : 0];
}

struct paint theme_paint(const struct theme *t, unsigned style)
{
    unsigned role = style & STYLE_ROLE;
    ASSERT(role < ROLE_COUNT);
    struct paint p = t->role[role];
    p.flags = (uint16_t)(p.flags ^ (style & STYLE_REVERSE)); /* reversed twice is not reversed */
    p.flags |= style & (STYLE_BOLD | STYLE_UNDER);
    return p;
}

unsigned theme_owner(uint32_t id)
{
    return ROLE_OWNER + (id + OWNER_COLOURS - 1) % OWNER_COLOURS;
}
