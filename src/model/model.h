/* model.h: a checkpoint folder, opened.
 *
 *   DIR/config.json                   the numbers (config.h)
 *   DIR/model.safetensors             the weights, or several files with model.safetensors.index.json
 *   DIR/tokenizer.json                the tokenizer (tokenizer.h)
 *   DIR/tokenizer_config.json, DIR/chat_template.jinja, DIR/generation_config.json   where present
 *
 * Opening maps the weights and computes nothing: the first screen must not wait for them. What a forward
 * pass needs besides (weights as float32, packed for the kernels) is made by the first forward_new and
 * shared by all; that is also when NaNs in the weights are found. To its users a model never changes.
 */
#ifndef RADIXSCOPE_MODEL_MODEL_H
#define RADIXSCOPE_MODEL_MODEL_H

#include "base/err.h"
#include "model/config.h"
#include "model/tokenizer.h"

struct model;

/* Open a checkpoint. Returns 0, or -1 with a sentence naming file, field or tensor, and what was expected. */
int model_open(const char *dir, struct model **out, struct err *e);
void model_close(struct model *m);

const struct model_config *model_get_config(const struct model *m);
const struct tokenizer *model_get_tokenizer(const struct model *m);
const char *model_get_dir(const struct model *m);

#endif
