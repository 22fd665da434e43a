/* random_model.h: checkpoints of random weights, written to a folder; for tests and benches. */
#ifndef RADIXSCOPE_TESTS_RANDOM_MODEL_H
#define RADIXSCOPE_TESTS_RANDOM_MODEL_H

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/prng.h"
#include "model/config.h"
#include "model/safetensors.h"

struct random_shape {
    enum model_family family;
    uint32_t layers, dim, hidden, heads, kv_heads, head_dim, vocab, context;
    bool tied;
    const char *dtype;       /* "F32", "F16" or "BF16" */
    const char *more_config; /* more fields, each with a comma behind, or NULL */
    uint64_t seed;
};

struct random_writer {
    struct buf header, data;
    struct prng rng;
    const char *dtype;
};

static inline void random_value(struct random_writer *w, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (strcmp(w->dtype, "F32") == 0)
        buf_add(&w->data, &bits, 4);
    else if (strcmp(w->dtype, "BF16") == 0) {
        uint16_t high = (uint16_t)(bits >> 16);
        buf_add(&w->data, &high, 2);
    } else { /* a normal half: cut the fraction */
        uint32_t exponent = (bits >> 23 & 0xff) - 112;
        uint16_t half = (uint16_t)((bits >> 16 & 0x8000) | exponent << 10 | (bits >> 13 & 0x3ff));
        if (exponent - 1 > 29)
            half = 0;
        buf_add(&w->data, &half, 2);
    }
}

/* Normal-ish values of that spread around `middle`; shape (rows, columns), or (rows) if columns is 0. */
static inline void random_tensor(struct random_writer *w, uint64_t rows, uint64_t columns, double middle, double spread,
                                 const char *fmt, ...) PRINTF_LIKE(6, 7);
static inline void random_tensor(struct random_writer *w, uint64_t rows, uint64_t columns, double middle, double spread,
                                 const char *fmt, ...)
{
    size_t begin = w->data.len;
    for (uint64_t i = 0; i < rows * (columns > 0 ? columns : 1); i++)
        random_value(w, (float)(middle + spread * (prng_unit(&w->rng) + prng_unit(&w->rng) - 1) * 2.45));
    va_list args;
    va_start(args, fmt);
    buf_puts(&w->header, w->header.len > 1 ? ",\"" : "\"");
    buf_vprintf(&w->header, fmt, args);
    va_end(args);
    buf_printf(&w->header, "\":{\"dtype\":\"%s\",\"shape\":[%llu", w->dtype, (unsigned long long)rows);
    if (columns > 0)
        buf_printf(&w->header, ",%llu", (unsigned long long)columns);
    buf_printf(&w->header, "],\"data_offsets\":[%zu,%zu]}", begin, w->data.len);
}

static inline void random_llama_layer(struct random_writer *w, const struct random_shape *s, uint32_t l)
{
    uint32_t width = s->heads * s->head_dim, kv = s->kv_heads * s->head_dim;
    double in = 1 / sqrt(s->dim);
    const char letters[] = "qkv";
    for (int i = 0; i < 3; i++) {
        random_tensor(w, i == 0 ? width : kv, s->dim, 0, in, "model.layers.%u.self_attn.%c_proj.weight", l, letters[i]);
        if (s->family == FAMILY_QWEN2)
            random_tensor(w, i == 0 ? width : kv, 0, 0, 0.3, "model.layers.%u.self_attn.%c_proj.bias", l, letters[i]);
    }
    random_tensor(w, s->dim, width, 0, 1 / sqrt(width), "model.layers.%u.self_attn.o_proj.weight", l);
    random_tensor(w, s->hidden, s->dim, 0, in, "model.layers.%u.mlp.gate_proj.weight", l);
    random_tensor(w, s->hidden, s->dim, 0, in, "model.layers.%u.mlp.up_proj.weight", l);
    random_tensor(w, s->dim, s->hidden, 0, 1 / sqrt(s->hidden), "model.layers.%u.mlp.down_proj.weight", l);
    random_tensor(w, s->dim, 0, 1, 0.2, "model.layers.%u.input_layernorm.weight", l);
    random_tensor(w, s->dim, 0, 1, 0.2, "model.layers.%u.post_attention_layernorm.weight", l);
    if (s->family == FAMILY_QWEN3) {
        random_tensor(w, s->head_dim, 0, 1, 0.2, "model.layers.%u.self_attn.q_norm.weight", l);
        random_tensor(w, s->head_dim, 0, 1, 0.2, "model.layers.%u.self_attn.k_norm.weight", l);
    }
}

static inline void random_gpt2_layer(struct random_writer *w, const struct random_shape *s, uint32_t l)
{
    double in = 1 / sqrt(s->dim);
    random_tensor(w, s->dim, 3 * s->dim, 0, in, "transformer.h.%u.attn.c_attn.weight", l);
    random_tensor(w, 3 * s->dim, 0, 0, 0.2, "transformer.h.%u.attn.c_attn.bias", l);
    random_tensor(w, s->dim, s->dim, 0, in, "transformer.h.%u.attn.c_proj.weight", l);
    random_tensor(w, s->dim, 0, 0, 0.2, "transformer.h.%u.attn.c_proj.bias", l);
    random_tensor(w, s->dim, s->hidden, 0, in, "transformer.h.%u.mlp.c_fc.weight", l);
    random_tensor(w, s->hidden, 0, 0, 0.2, "transformer.h.%u.mlp.c_fc.bias", l);
    random_tensor(w, s->hidden, s->dim, 0, 1 / sqrt(s->hidden), "transformer.h.%u.mlp.c_proj.weight", l);
    random_tensor(w, s->dim, 0, 0, 0.2, "transformer.h.%u.mlp.c_proj.bias", l);
    for (int n = 1; n <= 2; n++) {
        random_tensor(w, s->dim, 0, 1, 0.2, "transformer.h.%u.ln_%d.weight", l, n);
        random_tensor(w, s->dim, 0, 0, 0.2, "transformer.h.%u.ln_%d.bias", l, n);
    }
}

static inline void random_write(const char *dir, const char *name, const void *bytes, size_t len)
{
    char path[512];
    struct err e = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (file_write(path, bytes, len, &e) != 0) {
        fprintf(stderr, "%s\n", e.what);
        exit(1);
    }
}

static inline void random_weights(const char *dir, const struct random_shape *s)
{
    struct random_writer w = {.dtype = s->dtype};
    bool gpt2 = s->family == FAMILY_GPT2;
    prng_seed(&w.rng, s->seed);
    buf_puts(&w.header, "{");
    random_tensor(&w, s->vocab, s->dim, 0, 0.5, gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight");
    if (gpt2)
        random_tensor(&w, s->context, s->dim, 0, 0.2, "transformer.wpe.weight");
    for (uint32_t l = 0; l < s->layers; l++)
        (gpt2 ? random_gpt2_layer : random_llama_layer)(&w, s, l);
    random_tensor(&w, s->dim, 0, 1, 0.2, gpt2 ? "transformer.ln_f.weight" : "model.norm.weight");
    if (gpt2)
        random_tensor(&w, s->dim, 0, 0, 0.2, "transformer.ln_f.bias");
    if (!s->tied)
        random_tensor(&w, s->vocab, s->dim, 0, 1 / sqrt(s->dim), "lm_head.weight");
    buf_puts(&w.header, "}");
    while (w.header.len % 8 != 0)
        buf_putc(&w.header, ' ');
    struct buf file = {0};
    uint64_t n = w.header.len;
    buf_add(&file, &n, 8);
    buf_add(&file, w.header.data, w.header.len);
    buf_add(&file, w.data.data, w.data.len);
    random_write(dir, "model.safetensors", file.data, file.len);
    buf_free(&file);
    buf_free(&w.header);
    buf_free(&w.data);
}

static inline void random_config(const char *dir, const struct random_shape *s)
{
    static const char *const architecture[] = {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM",
                                               "Qwen3ForCausalLM", "GPT2LMHeadModel"};
    struct buf c = {0};
    buf_printf(&c, "{\"model_type\":\"%s\",\"architectures\":[\"%s\"],\"vocab_size\":%u,\"tie_word_embeddings\":%s,%s",
               config_family_name(s->family), architecture[s->family], s->vocab, s->tied ? "true" : "false",
               s->more_config != NULL ? s->more_config : "");
    if (s->family == FAMILY_GPT2)
        buf_printf(&c, "\"n_layer\":%u,\"n_embd\":%u,\"n_inner\":%u,\"n_head\":%u,\"n_positions\":%u}", s->layers, s->dim,
                   s->hidden, s->heads, s->context);
    else
        buf_printf(&c, "\"num_hidden_layers\":%u,\"hidden_size\":%u,\"intermediate_size\":%u,"
                       "\"num_attention_heads\":%u,\"num_key_value_heads\":%u,\"head_dim\":%u,"
                       "\"max_position_embeddings\":%u,\"rms_norm_eps\":1e-05}",
                   s->layers, s->dim, s->hidden, s->heads, s->kv_heads, s->head_dim, s->context);
    random_write(dir, "config.json", c.data, c.len);
    buf_free(&c);
}

/* A tokenizer of single bytes; ids beyond 256 are in the model but stand for nothing. */
static inline void random_tokenizer(const char *dir)
{
    struct buf t = {0};
    buf_puts(&t, "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"decoder\":{\"type\":\"ByteLevel\"},"
                 "\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{");
    for (uint32_t b = 0, shift = 0; b < 256; b++) {
        bool plain = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        buf_printf(&t, "%s\"\\u%04x\":%u", b > 0 ? "," : "", plain ? b : 0x100 + shift, b);
        shift += !plain;
    }
    buf_puts(&t, "}}}");
    random_write(dir, "tokenizer.json", t.data, t.len);
    buf_free(&t);
}

/* Write a checkpoint into a new folder whose name goes to `dir`. */
static inline void random_model(const struct random_shape *s, char dir[64])
{
    strcpy(dir, "/tmp/radixscope-model-XXXXXX");
    if (mkdtemp(dir) == NULL)
        exit(1);
    random_weights(dir, s);
    random_config(dir, s);
    random_tokenizer(dir);
}

static inline void random_model_remove(const char *dir)
{
    static const char *const names[] = {"model.safetensors", "config.json", "tokenizer.json"};
    char path[512];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

#endif
