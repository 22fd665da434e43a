/* config.h: the numbers that describe a model, read from a checkpoint's config.json.
 *
 * Plain data. Five families are supported; what sets them apart is written out as fields here, so that the
 * forward pass asks for the feature and never for the family:
 *
 *             norm       positions   attention extras       MLP               weights
 *   llama     RMSNorm    RoPE        (bias if configured)   SwiGLU            (out, in)
 *   mistral   RMSNorm    RoPE                               SwiGLU            (out, in)
 *   qwen2     RMSNorm    RoPE        bias on q, k, v        SwiGLU            (out, in)
 *   qwen3     RMSNorm    RoPE        norm on q, k heads     SwiGLU            (out, in)
 *   gpt2      LayerNorm  learned     bias everywhere        gelu_new, bias    (in, out): Conv1D
 *
 * Both spellings of config.json are read: rope_theta + rope_scaling, or rope_parameters.
 */
#ifndef RADIXSCOPE_MODEL_CONFIG_H
#define RADIXSCOPE_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum model_family { FAMILY_LLAMA, FAMILY_MISTRAL, FAMILY_QWEN2, FAMILY_QWEN3, FAMILY_GPT2 };
enum rope_kind { ROPE_NONE, ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3 };

#define CONFIG_MAX_EOS 16

struct model_config {
    enum model_family family;
    uint32_t layers;
    uint32_t dim;       /* width of the residual stream (hidden_size) */
    uint32_t hidden;    /* width inside the MLP (intermediate_size) */
    uint32_t heads;     /* query heads */
    uint32_t kv_heads;  /* key and value heads; heads is a multiple of it */
    uint32_t head_dim;
    uint32_t vocab;     /* rows of the embedding; the tokenizer may use fewer */
    uint32_t context;   /* most positions the model was made for */
    bool tied;          /* the head is the embedding */
    bool layer_norm;    /* LayerNorm with bias instead of RMSNorm */
    bool learned_positions;
    bool conv1d;        /* weights stored (in, out) */
    bool fused_qkv;     /* one matrix for q, k, v */
    bool gelu;          /* one MLP matrix and gelu_new instead of SwiGLU */
    bool qkv_bias, o_bias, mlp_bias;
    bool qk_norm;
    float norm_eps;
    enum rope_kind rope;
    double rope_theta;
    double rope_factor;                       /* linear, llama3 */
    double rope_low_freq, rope_high_freq;     /* llama3 */
    double rope_original_context;             /* llama3 */
    bool has_bos;
    uint32_t bos;
    uint32_t eos[CONFIG_MAX_EOS], n_eos;      /* tokens that end an answer; generation_config.json wins */
};

/* Read DIR/config.json and, where present, DIR/generation_config.json. Returns 0, or -1 with a sentence
 * naming the file, the field, its value and what is supported. */
int config_read(const char *dir, struct model_config *out, struct err *e);

/* Parse config.json from memory; `name` stands for the file in errors. Used by config_read and by tests. */
int config_parse(const char *name, const char *json, size_t len, struct model_config *out, struct err *e);

/* Weights in all (a tied head counts once). */
uint64_t config_parameters(const struct model_config *c);

bool config_is_eos(const struct model_config *c, uint32_t id);
const char *config_family_name(enum model_family family);

#endif
