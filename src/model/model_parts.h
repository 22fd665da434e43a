/* model_parts.h: what a model is made of; for src/model alone. The weights are prepared behind a lock on
 * first use, which is the one change a model ever undergoes. */
#ifndef RADIXSCOPE_MODEL_MODEL_PARTS_H
#define RADIXSCOPE_MODEL_MODEL_PARTS_H

#include "model/chat.h"
#include "model/config.h"
#include "model/safetensors.h"
#include "model/tokenizer.h"
#include "model/weights.h"

/* The template found by chat_open. Ids are TOKENIZER_NONE where the tokenizer has no such token. */
struct chat {
    enum chat_kind kind;
    char *default_system; /* what the template says when the conversation has no system message, or NULL */
    uint32_t open, close, extra; /* the template's own tokens: see chat.c */
    uint32_t role[3];            /* system, user, assistant (box) */
    uint32_t bos, eos;
};

struct model {
    char *dir;
    struct model_config config;
    struct safetensors *files;
    struct weights weights;
    struct tokenizer *tokenizer;
    struct chat chat;
};

int chat_open(const char *dir, const struct tokenizer *t, struct chat *out, struct err *e);
void chat_close(struct chat *c);

#endif
