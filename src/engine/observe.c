#include "engine/observe.h"

#include "model/kvrows.h"
#include "model/model.h"

static const float *row_part(const void *ctx, uint32_t row, uint32_t layer, enum row_part part)
{
    return part == ROW_Q ? kvrows_q(ctx, row, layer) : part == ROW_K ? kvrows_k(ctx, row, layer)
                                                                    : kvrows_v(ctx, row, layer);
}

bool engine_observed(struct engine *en, struct observed *out)
{
    struct model *m = engine_get_config(en)->model;
    if (m == NULL || engine_kvrows(en) == NULL)
        return false;
    const struct model_config *c = model_get_config(m);
    *out = (struct observed){.shape = {c->layers, c->heads, c->kv_heads, c->head_dim, c->dim, c->hidden,
                                       c->gelu ? 2 : 3, c->vocab},
                             .row = row_part, .ctx = engine_kvrows(en)};
    return true;
}
