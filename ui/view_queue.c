#include "tape/serving.h"
#include "ui/lists.h"

/* The queue and the batch of a schedule, as a list (tape/serving.h says the lines, for --plain too). */

static void add_line(void *ctx, enum serving_style style, const char *text)
{
    static const uint16_t styles[] = {
        [SERVING_TITLE] = ROLE_LABEL | STYLE_BOLD,
        [SERVING_LINE] = ROLE_TEXT,
        [SERVING_HERE] = ROLE_CHANGED | STYLE_BOLD,
        [SERVING_NOTE] = ROLE_QUIET,
    };
    list_add(ctx, 0, styles[style], "%s%s", style == SERVING_HERE ? "*" : "", style == SERVING_HERE && text[0] == ' ' ? text + 1 : text);
}

void lists_queue(struct list *l, const struct moment *m)
{
    list_clear(l);
    uint32_t about = event_about(m->step.kind, m->step.arg, 'r');
    serving_tell(m->sc, m->at > 0 ? about : 0, add_line, l);
}
