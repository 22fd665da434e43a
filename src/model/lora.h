/* lora.h: adapters. A LoRA adapter adds a product of two thin matrices to some of a model's matrices:
 *
 *      y = W x + s B (A x)          A (rank, in), B (out, rank), s = alpha / rank  or  alpha / sqrt(rank)
 *
 *      x ──┬──────── W ──────── + ── y           W stays as it is and serves every request; A and B are
 *          └── A ── s ── B ─────┘                small, so many adapters stand beside one model
 *
 * The sum is never merged into W: each sequence of a batch names its own adapter, or none. Rows of K and V
 * that were computed with an adapter are that adapter's alone; whoever shares them with the bare model or
 * with another adapter gets wrong answers (engine.h keeps them apart).
 *
 * EXACT mode holds: both products run on the kernels of kernel.h in every mode, whose sums depend on one
 * row and on indices alone: first W's product complete with its bias, then s (A x), then B's on top.
 *
 * Read is PEFT's layout: adapter_config.json and adapter_model.safetensors. PEFT's fan_in_fan_out says how
 * W is stored, for merging; A and B look the same either way, so it makes no difference here.
 *
 * A struct lora is immutable; any thread may use it. It must not outlive its model.
 */
#ifndef RADIXSCOPE_MODEL_LORA_H
#define RADIXSCOPE_MODEL_LORA_H

#include <stdint.h>

#include "base/err.h"
#include "model/kernel.h"
#include "model/model.h"
#include "model/weights.h"

struct lora;

#define LORA_MAX_RANK 256

/* Read DIR for model m; people call it `name`. 0, or -1 with one sentence naming file, field or tensor, its
 * value and what is supported. */
int lora_open(const char *dir, const char *name, const struct model *m, struct lora **out, struct err *e);
void lora_close(struct lora *l);

const char *lora_name(const struct lora *l);
const struct model *lora_model(const struct lora *l);
uint32_t lora_rank(const struct lora *l);
float lora_scale(const struct lora *l); /* s */

/* y (n, out) += s B (A x) of one matrix, x (n, in); nothing if the adapter leaves that matrix alone. */
void lora_add(const struct lora *l, const struct kernels *k, uint32_t layer, enum layer_matrix m,
              const float *x, uint32_t n, float *y);

/* Floating-point operations it adds for each token: the sum of 2 rank (in + out) over its matrices. */
uint64_t lora_flops(const struct lora *l);

#endif
