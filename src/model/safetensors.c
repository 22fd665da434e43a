#include "model/safetensors.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "model/json.h"

#define HEADER_LIMIT ((size_t)100 << 20) /* the format's own limit */
#define MAX_TENSORS  1000000
#define MAX_SHARDS   1000

struct safetensors {
    struct file_map *map; /* (n_maps) */
    char **path;          /* (n_maps) */
    size_t n_maps, map_cap, path_cap;
    struct tensor *at;    /* (n) sorted by name once reading is done */
    size_t n, cap;
};

static size_t dtype_size(const char *text, enum dtype *dtype)
{
    static const struct {
        const char *name;
        enum dtype dtype;
        size_t size;
    } known[] = {
        {"F32", DTYPE_F32, 4},   {"F16", DTYPE_F16, 2},   {"BF16", DTYPE_BF16, 2}, {"F64", DTYPE_OTHER, 8},
        {"I64", DTYPE_OTHER, 8}, {"I32", DTYPE_OTHER, 4}, {"I16", DTYPE_OTHER, 2}, {"I8", DTYPE_OTHER, 1},
        {"U64", DTYPE_OTHER, 8}, {"U32", DTYPE_OTHER, 4}, {"U16", DTYPE_OTHER, 2}, {"U8", DTYPE_OTHER, 1},
        {"BOOL", DTYPE_OTHER, 1}, {"F8_E4M3", DTYPE_OTHER, 1}, {"F8_E5M2", DTYPE_OTHER, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(text, known[i].name) == 0) {
            *dtype = known[i].dtype;
            return known[i].size;
        }
    return 0;
}

static int read_shape(const json_t *entry, struct tensor *t, struct err *e)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape) || json_array_size(shape) > TENSOR_MAX_DIMS)
        return err_set(e, "%s: tensor %s has no shape of at most %d numbers", t->file, t->name, TENSOR_MAX_DIMS);
    t->n_dims = (uint32_t)json_array_size(shape);
    t->count = 1;
    for (uint32_t i = 0; i < t->n_dims; i++) {
        const json_t *number = json_array_get(shape, i);
        json_int_t d = json_is_integer(number) ? json_integer_value(number) : -1;
        if (d < 0 || (d > 0 && t->count > ((uint64_t)1 << 48) / (uint64_t)d))
            return err_set(e, "%s: tensor %s has an impossible shape (number %u of it)", t->file, t->name, i + 1);
        t->shape[i] = (uint64_t)d;
        t->count *= (uint64_t)d;
    }
    return 0;
}

static int read_offsets(const json_t *entry, struct tensor *t, const unsigned char *data, size_t len, struct err *e)
{
    const json_t *pair = json_object_get(entry, "data_offsets");
    const json_t *from = json_array_get(pair, 0), *to = json_array_get(pair, 1);
    if (json_array_size(pair) != 2 || !json_is_integer(from) || !json_is_integer(to))
        return err_set(e, "%s: tensor %s has no data_offsets of two whole numbers", t->file, t->name);
    json_int_t begin = json_integer_value(from), end = json_integer_value(to);
    if (begin < 0 || end < begin)
        return err_set(e, "%s: tensor %s has data_offsets [%lld, %lld], which is no range", t->file, t->name,
                       (long long)begin, (long long)end);
    if ((uint64_t)end > len)
        return err_set(e, "%s is cut off: tensor %s ends at byte %lld of the data, and there are only %zu", t->file,
                       t->name, (long long)end, len);
    t->data = data + begin;
    t->bytes = (size_t)(end - begin);
    return 0;
}

static int read_entry(const json_t *entry, struct tensor *t, const unsigned char *data, size_t len, struct err *e)
{
    const char *type = json_text(entry, "dtype");
    size_t size = type != NULL ? dtype_size(type, &t->dtype) : 0;
    if (size == 0)
        return err_set(e, "%s: tensor %s has dtype %.32s, which is no dtype of safetensors", t->file, t->name,
                       type != NULL ? type : "(none)");
    if (read_shape(entry, t, e) != 0 || read_offsets(entry, t, data, len, e) != 0)
        return -1;
    char shape[128];
    uint64_t wanted = t->count * size;
    if (t->bytes != wanted)
        return err_set(e, "%s: tensor %s has %zu bytes, but shape %s of %s takes %llu", t->file, t->name, t->bytes,
                       tensor_shape_text(t, shape, sizeof shape), type, (unsigned long long)wanted);
    return 0;
}

static int add_tensor(struct safetensors *s, const struct tensor *t, struct err *e)
{
    void *at = s->at;
    if (s->n >= MAX_TENSORS)
        return err_set(e, "%s: more than %d tensors", t->file, MAX_TENSORS);
    if (!xgrow(&at, &s->cap, s->n + 1, sizeof *s->at))
        return err_memory(e, (s->n + 1) * sizeof *s->at, "the list of tensors");
    s->at = at;
    s->at[s->n] = *t;
    s->at[s->n].name = xstrdup(t->name);
    if (s->at[s->n].name == NULL)
        return err_memory(e, strlen(t->name) + 1, "a tensor's name");
    s->n++;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

/* Names are printed in errors: one that could steer a terminal is refused. */
static bool name_is_plain(const char *name)
{
    for (; *name != '\0'; name++)
        if ((unsigned char)*name < 0x20 || *name == 0x7f)
            return false;
    return true;
}

/* Two tensors of one file may not share bytes. */
static int check_overlap(struct tensor *at, size_t n, struct err *e)
{
    qsort(at, n, sizeof *at, by_place);
    for (size_t i = 1; i < n; i++)
        if (at[i].bytes > 0 && at[i - 1].data + at[i - 1].bytes > at[i].data)
            return err_set(e, "%s: tensors %s and %s overlap", at[i].file, at[i - 1].name, at[i].name);
    return 0;
}

static int read_tensors(struct safetensors *s, const char *file, const json_t *header, const unsigned char *data,
                        size_t len, struct err *e)
{
    size_t first = s->n;
    const char *name;
    json_t *entry;
    json_object_foreach((json_t *)(uintptr_t)header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        struct tensor t = {.name = name, .file = file};
        if (!name_is_plain(name))
            return err_set(e, "%s: a tensor's name holds control characters", file);
        if (!json_is_object(entry))
            return err_set(e, "%s: the header's entry for tensor %s is no object", file, name);
        if (read_entry(entry, &t, data, len, e) != 0 || add_tensor(s, &t, e) != 0)
            return -1;
    }
    return s->n > first ? check_overlap(s->at + first, s->n - first, e) : 0;
}

/* One file's bytes into the list. `file` must live as long as s. */
static int read_bytes(struct safetensors *s, const char *file, const void *bytes, size_t len, struct err *e)
{
    const unsigned char *b = bytes;
    if (len < 8)
        return err_set(e, "%s has %zu bytes, too few for a safetensors file (8 and a header)", file, len);
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--)
        n = n << 8 | b[i];
    if (n > len - 8 || n > HEADER_LIMIT)
        return err_set(e, "%s: its header should have %llu bytes, but only %zu follow (at most %zu are read)", file,
                       (unsigned long long)n, len - 8, HEADER_LIMIT);
    json_t *header = json_from_bytes(file, (const char *)b + 8, (size_t)n, e);
    if (header == NULL)
        return -1;
    int rc = read_tensors(s, file, header, b + 8 + n, len - 8 - (size_t)n, e);
    json_decref(header);
    return rc;
}

static int finish(struct safetensors *s, struct err *e)
{
    if (s->n > 0)
        qsort(s->at, s->n, sizeof *s->at, by_name);
    for (size_t i = 1; i < s->n; i++)
        if (strcmp(s->at[i - 1].name, s->at[i].name) == 0)
            return err_set(e, "tensor %s is both in %s and in %s", s->at[i].name, s->at[i - 1].file, s->at[i].file);
    return 0;
}

/* Map a file and keep its path; takes `path`, also when it fails. */
static int map_take(struct safetensors *s, char *path, struct err *e)
{
    void *map = s->map, *paths = s->path;
    bool room = xgrow(&map, &s->map_cap, s->n_maps + 1, sizeof *s->map);
    s->map = map;
    room = xgrow(&paths, &s->path_cap, s->n_maps + 1, sizeof *s->path) && room;
    s->path = paths;
    struct file_map m;
    if (!room)
        err_memory(e, (s->n_maps + 1) * sizeof *s->map, "the list of files");
    if (!room || file_map(path, &m, e) != 0) {
        xfree(path);
        return -1;
    }
    s->map[s->n_maps] = m;
    s->path[s->n_maps++] = path;
    return read_bytes(s, path, m.data, m.len, e);
}

static const char *shard_name(const json_t *value)
{
    const char *name = json_string_value(value);
    if (name == NULL || name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
        strlen(name) != json_string_length(value))
        return NULL;
    return name;
}

static bool shard_known(const struct safetensors *s, const char *path)
{
    for (size_t i = 0; i < s->n_maps; i++)
        if (strcmp(s->path[i], path) == 0)
            return true;
    return false;
}

static int open_shards(struct safetensors *s, const char *dir, const char *index, const json_t *map, struct err *e)
{
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        const char *name = shard_name(value);
        if (name == NULL)
            return err_set(e, "%s: weight_map[%s] is no plain file name", index, tensor);
        char *path = json_path(dir, name, e);
        if (path == NULL)
            return -1;
        if (shard_known(s, path))
            xfree(path);
        else if (s->n_maps >= MAX_SHARDS) {
            xfree(path);
            return err_set(e, "%s names more than %d files", index, MAX_SHARDS);
        } else if (map_take(s, path, e) != 0)
            return err_hint(e, "%s names this file; is the checkpoint complete?", index);
    }
    return finish(s, e);
}

static int check_index(const struct safetensors *s, const char *index, const json_t *map, struct err *e)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, name, value)
    {
        const struct tensor *t = safetensors_find(s, name);
        const char *file = json_string_value(value), *slash = t != NULL ? strrchr(t->file, '/') : NULL;
        if (t == NULL || slash == NULL || strcmp(slash + 1, file) != 0)
            return err_set(e, "%s says that tensor %s is in %s, but it is not", index, name, file);
    }
    return 0;
}

static int open_index(struct safetensors *s, const char *dir, struct err *e)
{
    char *index = json_path(dir, "model.safetensors.index.json", e);
    if (index == NULL)
        return -1;
    json_t *root = json_from_file(index, HEADER_LIMIT, e);
    const json_t *map = json_object_get(root, "weight_map");
    int rc = -1;
    if (root != NULL && (!json_is_object(map) || json_object_size(map) == 0))
        err_set(e, "%s has no weight_map that says which tensor is in which file", index);
    else if (root != NULL)
        rc = open_shards(s, dir, index, map, e) != 0 ? -1 : check_index(s, index, map, e);
    json_decref(root);
    xfree(index);
    return rc;
}

static int open_single(struct safetensors *s, const char *path, struct err *e)
{
    char *own = xstrdup(path);
    if (own == NULL)
        return err_memory(e, strlen(path) + 1, "a file name");
    return map_take(s, own, e) != 0 ? -1 : finish(s, e);
}

static struct safetensors *fresh(struct err *e)
{
    struct safetensors *s = xcalloc(1, sizeof *s);
    if (s == NULL)
        err_memory(e, sizeof *s, "the list of tensors");
    return s;
}

static int give(struct safetensors *s, int rc, struct safetensors **out)
{
    if (rc != 0) {
        safetensors_close(s);
        s = NULL;
    }
    *out = s;
    return rc;
}

int safetensors_open_file(const char *path, struct safetensors **out, struct err *e)
{
    struct safetensors *s = fresh(e);
    return give(s, s == NULL ? -1 : open_single(s, path, e), out);
}

int safetensors_open(const char *dir, struct safetensors **out, struct err *e)
{
    struct safetensors *s = fresh(e);
    if (s == NULL)
        return give(s, -1, out);
    if (!json_file_exists(dir, "model.safetensors") && json_file_exists(dir, "model.safetensors.index.json"))
        return give(s, open_index(s, dir, e), out);
    char *path = json_path(dir, "model.safetensors", e);
    int rc = path == NULL ? -1 : open_single(s, path, e);
    xfree(path);
    return give(s, rc, out);
}

int safetensors_parse(const char *name, const void *bytes, size_t len, struct safetensors **out, struct err *e)
{
    struct safetensors *s = fresh(e);
    int rc = s == NULL || read_bytes(s, name, bytes, len, e) != 0 ? -1 : finish(s, e);
    return give(s, rc, out);
}

void safetensors_rest(const struct safetensors *s)
{
    for (size_t i = 0; i < s->n_maps; i++)
        file_rest(&s->map[i]);
}

void safetensors_close(struct safetensors *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n; i++)
        xfree((void *)(uintptr_t)s->at[i].name);
    for (size_t i = 0; i < s->n_maps; i++) {
        file_unmap(&s->map[i]);
        xfree(s->path[i]);
    }
    xfree(s->map);
    xfree(s->path);
    xfree(s->at);
    xfree(s);
}

const struct tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    struct tensor key = {.name = name};
    return s->n == 0 ? NULL : bsearch(&key, s->at, s->n, sizeof key, by_name);
}

size_t safetensors_count(const struct safetensors *s)
{
    return s->n;
}

const struct tensor *safetensors_at(const struct safetensors *s, size_t i)
{
    ASSERT(i < s->n);
    return &s->at[i];
}

/* IEEE half to float: the exponent is moved from bias 15 to 127; halves below 2^-14 become normal floats. */
static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, fraction = h & 0x3ffu, bits;
    if (exponent == 31)
        bits = sign | 0x7f800000u | fraction << 13;
    else if (exponent > 0)
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    else {
        float small = (float)fraction * 0x1.0p-24f; /* exact */
        memcpy(&bits, &small, 4);
        bits |= sign;
    }
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static void read_two_bytes(const struct tensor *t, const unsigned char *from, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, 2);
        uint32_t bits = (uint32_t)half << 16;
        if (t->dtype == DTYPE_BF16)
            memcpy(out + i, &bits, 4);
        else
            out[i] = half_to_float(half);
    }
}

void tensor_read(const struct tensor *t, uint64_t first, size_t n, float *out)
{
    ASSERT(t->dtype != DTYPE_OTHER && first <= t->count && n <= t->count - first);
    if (n == 0)
        return;
    if (t->dtype == DTYPE_F32)
        memcpy(out, t->data + 4 * first, 4 * n);
    else
        read_two_bytes(t, t->data + 2 * first, n, out);
}

float tensor_round(enum dtype dtype, float x)
{
    int exponent;
    if (dtype == DTYPE_F32 || dtype == DTYPE_OTHER || x == 0.0f || !(x - x == 0.0f))
        return x;
    int digits = dtype == DTYPE_BF16 ? 8 : 11; /* of the significand, the leading one included */
    (void)frexpf(x, &exponent);
    if (dtype == DTYPE_F16 && exponent < -13)
        digits -= -13 - exponent; /* below 2^-14 halves lose digits */
    return ldexpf(rintf(ldexpf(x, digits - exponent)), exponent - digits);
}

const float *tensor_in_place(const struct tensor *t)
{
    if (t->dtype != DTYPE_F32 || (uintptr_t)t->data % sizeof(float) != 0)
        return NULL;
    return (const float *)(const void *)t->data;
}

const char *tensor_shape_text(const struct tensor *t, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "[");
    for (uint32_t i = 0; i < t->n_dims && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%llu", i > 0 ? ", " : "", (unsigned long long)t->shape[i]);
    if (n < size)
        snprintf(out + n, size - n, "]");
    return out;
}
