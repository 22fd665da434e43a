/* random_adapter.h: LoRA adapters of random numbers for the checkpoints of random_model.h. */
#ifndef RADIXSCOPE_TESTS_RANDOM_ADAPTER_H
#define RADIXSCOPE_TESTS_RANDOM_ADAPTER_H

#include "tests/model/random_model.h"

struct random_adapter {
    uint32_t rank;
    double alpha;
    bool rslora;
    const char *dtype;
    const char *targets; /* as in target_modules: "\"q_proj\",\"v_proj\"" */
    uint64_t seed;
};

static inline void adapter_module(struct random_writer *w, const struct random_adapter *a, const char *name, uint32_t in,
                                  uint32_t out)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", strrchr(name, '.') + 1);
    if (strstr(a->targets, quoted) == NULL)
        return;
    random_tensor(w, a->rank, in, 0, 1 / sqrt(in), "base_model.model.%s.lora_A.weight", name);
    random_tensor(w, out, a->rank, 0, 0.3, "base_model.model.%s.lora_B.weight", name);
}

static inline void adapter_layer(struct random_writer *w, const struct random_adapter *a, const struct random_shape *s,
                                 uint32_t l)
{
    uint32_t width = s->heads * s->head_dim, kv = s->kv_heads * s->head_dim;
    const struct { const char *name; uint32_t in, out; } llama[] = {
        {"self_attn.q_proj", s->dim, width}, {"self_attn.k_proj", s->dim, kv},   {"self_attn.v_proj", s->dim, kv},
        {"self_attn.o_proj", width, s->dim}, {"mlp.gate_proj", s->dim, s->hidden}, {"mlp.up_proj", s->dim, s->hidden},
        {"mlp.down_proj", s->hidden, s->dim},
    }, gpt2[] = {
        {"attn.c_attn", s->dim, 3 * width}, {"attn.c_proj", width, s->dim}, {"mlp.c_fc", s->dim, s->hidden},
        {"mlp.c_proj", s->hidden, s->dim},
    };
    bool is_gpt2 = s->family == FAMILY_GPT2;
    char name[96];
    for (size_t i = 0; i < (is_gpt2 ? ARRAY_LEN(gpt2) : ARRAY_LEN(llama)); i++) {
        snprintf(name, sizeof name, is_gpt2 ? "transformer.h.%u.%s" : "model.layers.%u.%s", l,
                 is_gpt2 ? gpt2[i].name : llama[i].name);
        adapter_module(w, a, name, is_gpt2 ? gpt2[i].in : llama[i].in, is_gpt2 ? gpt2[i].out : llama[i].out);
    }
}

/* Write one into a new folder whose name goes to `dir`. */
static inline void random_adapter(const struct random_adapter *a, const struct random_shape *s, char dir[64])
{
    struct random_writer w = {.dtype = a->dtype};
    struct buf config = {0}, file = {0};
    strcpy(dir, "/tmp/radixscope-adapter-XXXXXX");
    if (mkdtemp(dir) == NULL)
        exit(1);
    prng_seed(&w.rng, a->seed);
    buf_puts(&w.header, "{");
    for (uint32_t l = 0; l < s->layers; l++)
        adapter_layer(&w, a, s, l);
    buf_puts(&w.header, "}");
    uint64_t n = w.header.len;
    buf_add(&file, &n, 8);
    buf_add(&file, w.header.data, w.header.len);
    buf_add(&file, w.data.data, w.data.len);
    random_write(dir, "adapter_model.safetensors", file.data, file.len);
    buf_printf(&config, "{\"peft_type\":\"LORA\",\"r\":%u,\"lora_alpha\":%g,\"use_rslora\":%s,\"bias\":\"none\","
               "\"fan_in_fan_out\":%s,\"target_modules\":[%s]}", a->rank, a->alpha, a->rslora ? "true" : "false",
               s->family == FAMILY_GPT2 ? "true" : "false", a->targets);
    random_write(dir, "adapter_config.json", config.data, config.len);
    buf_free(&config);
    buf_free(&file);
    buf_free(&w.header);
    buf_free(&w.data);
}

static inline void random_adapter_remove(const char *dir)
{
    char path[512];
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/adapter_config.json", dir);
    unlink(path);
    rmdir(dir);
}

#endif
