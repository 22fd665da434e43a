/* Fuzz targets for the three parsers of checkpoint files; fuzz.sh builds and runs them.
 * PARSER: 1 safetensors, 2 config.json, 3 tokenizer.json (and encoding and decoding with what came of it). */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "model/config.h"
#include "model/safetensors.h"
#include "model/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#if PARSER == 1

static int parse(const char *bytes, size_t len, struct err *e)
{
    struct safetensors *s;
    if (safetensors_parse("fuzz", bytes, len, &s, e) != 0)
        return -1;
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct tensor *t = safetensors_at(s, i);
        float x[64];
        char shape[64];
        if (t->dtype != DTYPE_OTHER)
            tensor_read(t, t->count / 2, t->count - t->count / 2 < 64 ? t->count - t->count / 2 : 64, x);
        tensor_shape_text(t, shape, sizeof shape);
        if (safetensors_find(s, t->name) != t)
            abort();
    }
    safetensors_close(s);
    return 0;
}

#elif PARSER == 2

static int parse(const char *bytes, size_t len, struct err *e)
{
    struct model_config c;
    if (config_parse("fuzz", bytes, len, &c, e) != 0)
        return -1;
    if (c.layers == 0 || c.kv_heads == 0 || c.heads % c.kv_heads != 0 || c.head_dim == 0 || c.vocab == 0)
        abort();
    return config_parameters(&c) > 0 ? 0 : -1;
}

#else

static int parse(const char *bytes, size_t len, struct err *e)
{
    static const char text[] = "The tree's 12 nodes\n\tab<x> caf\xc3\xa9 \xff\xe4\xb8\xad\xe6\x96\x87 abcabc  ";
    struct tokenizer *t;
    struct err encoding = {0};
    struct ids ids = {0};
    struct buf out = {0};
    if (tokenizer_parse("fuzz", bytes, len, 1000, &t, e) != 0)
        return -1;
    if (tokenizer_encode(t, text, sizeof text - 1, TOKENIZER_ADD_SPECIAL | TOKENIZER_PARSE_SPECIAL, &ids, &encoding) == 0)
        tokenizer_decode(t, ids.at, ids.len, &out);
    else if (!encoding.set)
        abort();
    ids_free(&ids);
    buf_free(&out);
    tokenizer_close(t);
    return 0;
}

#endif

/* Every refusal says why, in one line. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct err e = {0};
    char *exact = xmemdup(bytes, len); /* exactly as long, so that any over-read is seen */
    if (exact == NULL)
        return 0;
    int rc = parse(exact, len, &e);
    if ((rc != 0 && !e.set) || (rc == 0 && e.set) || strchr(e.what, '\n') != NULL)
        abort();
    xfree(exact);
    return 0;
}
