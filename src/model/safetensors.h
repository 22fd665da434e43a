/* safetensors.h: named tensors in mapped files.
 *
 *   8 bytes    n: length of the header, little endian
 *   n bytes    {"name": {"dtype": "BF16", "shape": [96, 256], "data_offsets": [0, 49152]}, …}
 *   the rest   the tensors' bytes; offsets count from here
 *
 * A folder holds one model.safetensors, or several files named by model.safetensors.index.json. Every
 * offset and shape is checked before a tensor can be found, so that what is found can be read. The files
 * stay mapped until safetensors_close; tensors point into them and are borrowed.
 */
#ifndef RADIXSCOPE_MODEL_SAFETENSORS_H
#define RADIXSCOPE_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum dtype { DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_OTHER };

#define TENSOR_MAX_DIMS 8

struct tensor {
    const char *name;
    const char *file;             /* the file it is in, for errors */
    enum dtype dtype;
    uint32_t n_dims;
    uint64_t shape[TENSOR_MAX_DIMS];
    uint64_t count;               /* elements: the product of shape */
    const unsigned char *data;    /* (bytes) little endian, any alignment */
    size_t bytes;
};

struct safetensors;

/* Open a checkpoint folder's weights. Returns 0, or -1 with a sentence naming file and tensor. */
int safetensors_open(const char *dir, struct safetensors **out, struct err *e);

/* Open one file. */
int safetensors_open_file(const char *path, struct safetensors **out, struct err *e);

/* Read tensors from memory that the caller keeps; `name` stands for the file in errors. */
int safetensors_parse(const char *name, const void *bytes, size_t len, struct safetensors **out, struct err *e);
void safetensors_close(struct safetensors *s);

/* What was copied need not stay in this process's memory (file_rest). Tensors stay readable. */
void safetensors_rest(const struct safetensors *s);

/* By name, or NULL. */
const struct tensor *safetensors_find(const struct safetensors *s, const char *name);
size_t safetensors_count(const struct safetensors *s);
const struct tensor *safetensors_at(const struct safetensors *s, size_t i); /* in order of names */

/* Elements [first, first + n) as float32. The tensor must be F32, F16 or BF16. out: (n) */
void tensor_read(const struct tensor *t, uint64_t first, size_t n, float *out);

/* x as a tensor of that dtype would hold it: rounded to nearest, ties to even. */
float tensor_round(enum dtype dtype, float x);

/* The elements in place when they are float32 and aligned, else NULL. */
const float *tensor_in_place(const struct tensor *t);

/* "[96, 256]" into out. Returns out. */
const char *tensor_shape_text(const struct tensor *t, char *out, size_t size);

#endif
