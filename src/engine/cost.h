/* cost.h: how long a forward pass takes on the virtual clock of a schedule.
 *
 *      time = max( floating point operations / FLOP per second,  bytes read / bytes per second ) + overhead
 *
 *      operations  2 x parameters x new tokens  +  4 x layers x heads x head_dim x sum over new tokens of (position + 1)
 *      bytes       the weights once, and the K and V of every token that the pass reads or writes
 *
 * The roofline of one device (Williams et al. 2009): decode of a small batch waits for the weights, prefill for the
 * arithmetic. It leaves out what real servers also pay (kernel launches, sampling, the network). Devices and models are
 * tables of published figures (dense 16-bit arithmetic, memory bandwidth; shapes from the models' configurations);
 * a device can also be given by its two figures, or measured on this machine with the model at hand.
 */
#ifndef RADIXSCOPE_ENGINE_COST_H
#define RADIXSCOPE_ENGINE_COST_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct model;

struct cost_device {
    const char *name;
    double flops, bytes;       /* per second */
};

struct cost_shape {
    const char *name;
    double params;             /* weights, all of which every pass reads */
    uint32_t layers, heads, kv_heads, head_dim;
    double weight_bytes;       /* of one weight, and of one number of K or V */
};

struct cost_model {
    struct cost_device device;
    struct cost_shape shape;
    double overhead;           /* seconds a pass */
    bool measured;             /* the device's figures come from this machine */
};

/* What a pass computes: add its parts, ask for its time. */
struct cost_pass {
    double tokens, attended, kv; /* new tokens; sum of position + 1; tokens whose K and V are read or written */
};

struct cost_model cost_default(void);                       /* an H100 with Llama 3.1 8B */
int cost_device(const char *name, struct cost_device *out, struct err *e);
int cost_shape(const char *name, struct cost_shape *out, struct err *e);
struct cost_shape cost_shape_of(const struct model *m);     /* the model at hand, 4 bytes a number */
/* Run passes of the model and take their best times: FLOP/s from a long prefill, bytes/s from a decode. */
int cost_measure(struct model *m, struct cost_model *out, struct err *e);

void cost_add(struct cost_pass *p, uint32_t start, uint32_t n); /* n new tokens behind `start` earlier ones */
uint64_t cost_time(const struct cost_model *c, const struct cost_pass *p); /* microseconds, at least 1 */
void cost_tell(const struct cost_model *c, struct buf *b);  /* one line: what it is reckoned with */

#endif
