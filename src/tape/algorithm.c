#include "tape/algorithm.h"

#include <string.h>

void algorithm_step(const struct step *s, const struct step *op, char out[ALGORITHM_LABEL])
{
    struct buf steps = {0};
    out[0] = '\0';
    if (s->kind == EV_RELEASED && op->kind != EV_CACHE_FINISHED)
        return; /* an admission that found no slots */
    event_steps(s->kind, s->arg, &steps);
    const char *text = buf_text(&steps);
    size_t n = strcspn(text, " ");
    if (n < ALGORITHM_LABEL) {
        memcpy(out, text, n);
        out[n] = '\0';
    }
    buf_free(&steps);
}
