#include "engine/adapter.h"

#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "model/lora.h"

uint32_t adapter_namespace(struct store *s, const struct request_spec *spec)
{
    if (spec->lora == NULL || spec->shared_namespace)
        return store_intern(s, spec->extra_key);
    struct buf b = {0};
    buf_printf(&b, "%s%s", spec->extra_key != NULL ? spec->extra_key : "", lora_name(spec->lora));
    uint32_t ns = b.failed ? UINT32_MAX : store_intern(s, buf_text(&b));
    buf_free(&b);
    return ns;
}

bool adapter_is_mistaken(const struct request_spec *spec)
{
    return spec->lora != NULL && spec->shared_namespace;
}

double adapter_difference(const float *a, const float *b, uint32_t n)
{
    double most = 0;
    for (uint32_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        most = isnan(d) || d > most ? d : most;
    }
    return most;
}

int adapter_note_before(struct engine *en, const struct request_spec *spec, struct err *e)
{
    char text[160];
    if (!adapter_is_mistaken(spec))
        return 0;
    snprintf(text, sizeof text, "On purpose: adapter %.60s is left out of the next request's namespace.",
             lora_name(spec->lora));
    return engine_note(en, text, e);
}

int adapter_note_after(struct engine *en, const struct request_spec *spec, const struct request_report *done,
                       struct err *e)
{
    char text[200];
    if (!adapter_is_mistaken(spec) || done->outcome != OUTCOME_DONE)
        return 0;
    if (done->cached_tokens == 0)
        snprintf(text, sizeof text, "Nothing was cached there: this time adapter %.60s read no other's rows.",
                 lora_name(spec->lora));
    else
        snprintf(text, sizeof text,
                 "%u tokens' keys and values were not adapter %.60s's: a logit is off by %.3g.",
                 done->cached_tokens, lora_name(spec->lora), done->logit_diff);
    return engine_note(en, text, e);
}
