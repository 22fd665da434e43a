#include "model/config.h"

#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "model/json.h"

#define CONFIG_LIMIT ((size_t)4 << 20)

/* A config being read: the first problem stops the filling in of *e, and reading goes on harmlessly. */
struct reader {
    const char *name; /* of the file */
    const json_t *obj;
    struct err *e;
    bool bad;
};

static void refuse(struct reader *r, const char *field, const json_t *value, const char *expected)
{
    char text[80];
    r->bad = true;
    err_set(r->e, "%s: %s is %s, but %s", r->name, field, json_describe(value, text, sizeof text), expected);
}

static const json_t *look(const struct reader *r, const char *field)
{
    const json_t *value = json_object_get(r->obj, field);
    return json_is_null(value) ? NULL : value;
}

/* A whole number from 1 to max; `fallback` when the field is absent or null, where 0 means required. */
static uint32_t read_u32(struct reader *r, const char *field, uint32_t max, uint32_t fallback)
{
    const json_t *value = look(r, field);
    if (value == NULL && fallback > 0)
        return fallback;
    json_int_t n = json_is_integer(value) ? json_integer_value(value) : 0;
    if (n >= 1 && n <= (json_int_t)max)
        return (uint32_t)n;
    char expected[64];
    snprintf(expected, sizeof expected, "a whole number from 1 to %u was expected", max);
    refuse(r, field, value, expected);
    return 1;
}

static double read_number(struct reader *r, const char *field, double min, double max, double fallback)
{
    const json_t *value = look(r, field);
    if (value == NULL && fallback > 0)
        return fallback;
    double x = json_is_number(value) ? json_number_value(value) : min - 1;
    if (x >= min && x <= max)
        return x;
    char expected[80];
    snprintf(expected, sizeof expected, "a number from %g to %g was expected", min, max);
    refuse(r, field, value, expected);
    return 1;
}

static bool read_bool(struct reader *r, const char *field, bool fallback)
{
    const json_t *value = look(r, field);
    if (value == NULL)
        return fallback;
    if (!json_is_boolean(value))
        refuse(r, field, value, "true or false was expected");
    return json_is_true(value);
}

/* A field that must have one of the values we compute with, or be absent. */
static void expect_text(struct reader *r, const char *field, const char *first, const char *second)
{
    const json_t *value = look(r, field);
    const char *text = json_string_value(value);
    if (value == NULL || (text != NULL && (strcmp(text, first) == 0 || strcmp(text, second) == 0)))
        return;
    char expected[80];
    snprintf(expected, sizeof expected, "only \"%s\" is supported", first);
    refuse(r, field, value, expected);
}

static void expect_bool(struct reader *r, const char *field, bool wanted)
{
    if (read_bool(r, field, wanted) != wanted)
        refuse(r, field, look(r, field), wanted ? "only true is supported" : "only false is supported");
}

static const struct {
    const char *type, *architecture;
} families[] = {
    [FAMILY_LLAMA] = {"llama", "LlamaForCausalLM"},    [FAMILY_MISTRAL] = {"mistral", "MistralForCausalLM"},
    [FAMILY_QWEN2] = {"qwen2", "Qwen2ForCausalLM"},    [FAMILY_QWEN3] = {"qwen3", "Qwen3ForCausalLM"},
    [FAMILY_GPT2] = {"gpt2", "GPT2LMHeadModel"},
};

const char *config_family_name(enum model_family family)
{
    return families[family].type;
}

static void read_family(struct reader *r, struct model_config *c)
{
    const json_t *type = look(r, "model_type"), *first = json_array_get(look(r, "architectures"), 0);
    const char *type_text = json_string_value(type), *first_text = json_string_value(first);
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        bool type_fits = type_text != NULL && strcmp(type_text, families[i].type) == 0;
        bool arch_fits = first_text != NULL && strcmp(first_text, families[i].architecture) == 0;
        if ((type_fits && (arch_fits || first == NULL)) || (type == NULL && arch_fits)) {
            c->family = (enum model_family)i;
            return;
        }
        if (type_fits)
            refuse(r, "architectures", first, "only causal language models of that model_type are supported");
    }
    refuse(r, "model_type", type != NULL ? type : first, "llama, mistral, qwen2, qwen3 and gpt2 are supported");
}

/* rope_parameters (newer) or rope_scaling (older); both name the kind rope_type or type. */
static void read_rope(struct reader *r, struct model_config *c)
{
    const json_t *scaling = look(r, "rope_parameters");
    const char *field = scaling != NULL ? "rope_parameters" : "rope_scaling";
    scaling = scaling != NULL ? scaling : look(r, "rope_scaling");
    c->rope = ROPE_DEFAULT;
    c->rope_factor = 1;
    c->rope_theta = read_number(r, "rope_theta", 1, 1e12, 10000);
    if (read_number(r, "partial_rotary_factor", 0, 1, 1) < 1)
        refuse(r, "partial_rotary_factor", look(r, "partial_rotary_factor"), "only 1 is supported");
    if (scaling == NULL)
        return;
    struct reader inner = {r->name, scaling, r->e, r->bad};
    if (!json_is_object(scaling))
        refuse(&inner, field, scaling, "an object was expected");
    const json_t *type = look(&inner, "rope_type") != NULL ? look(&inner, "rope_type") : look(&inner, "type");
    const char *kind = type == NULL ? "default" : json_string_value(type);
    c->rope_theta = read_number(&inner, "rope_theta", 1, 1e12, c->rope_theta);
    if (kind != NULL && strcmp(kind, "linear") == 0)
        c->rope = ROPE_LINEAR;
    else if (kind != NULL && strcmp(kind, "llama3") == 0)
        c->rope = ROPE_LLAMA3;
    else if (kind == NULL || strcmp(kind, "default") != 0)
        refuse(&inner, "rope_type", type, "default, linear and llama3 are supported");
    if (c->rope != ROPE_DEFAULT)
        c->rope_factor = read_number(&inner, "factor", 1, 1e6, 0);
    if (c->rope == ROPE_LLAMA3) {
        c->rope_low_freq = read_number(&inner, "low_freq_factor", 1e-3, 1e6, 0);
        c->rope_high_freq = read_number(&inner, "high_freq_factor", 1e-3, 1e6, 0);
        c->rope_original_context = read_number(&inner, "original_max_position_embeddings", 1, 1e9, 0);
        if (!inner.bad && c->rope_high_freq <= c->rope_low_freq)
            refuse(&inner, "high_freq_factor", look(&inner, "high_freq_factor"), "it must exceed low_freq_factor");
    }
    r->bad = r->bad || inner.bad;
}

/* A sliding window is no window as long as no prompt is longer: the context is cut to it. */
static void read_window(struct reader *r, struct model_config *c)
{
    bool used = c->family == FAMILY_MISTRAL || read_bool(r, "use_sliding_window", false);
    uint32_t window = used && look(r, "sliding_window") != NULL ? read_u32(r, "sliding_window", UINT32_MAX, 0) : 0;
    if (window > 0 && window < c->context)
        c->context = window;
}

static void read_llama_like(struct reader *r, struct model_config *c)
{
    c->layers = read_u32(r, "num_hidden_layers", 1024, 0);
    c->dim = read_u32(r, "hidden_size", 1 << 16, 0);
    c->hidden = read_u32(r, "intermediate_size", 1 << 20, 0);
    c->heads = read_u32(r, "num_attention_heads", 1024, 0);
    c->kv_heads = read_u32(r, "num_key_value_heads", 1024, c->heads);
    uint32_t head_dim = c->family == FAMILY_QWEN3 ? 128 : c->dim >= c->heads ? c->dim / c->heads : 1;
    if (look(r, "head_dim") == NULL && c->family != FAMILY_QWEN3 && c->dim % c->heads != 0)
        refuse(r, "hidden_size", look(r, "hidden_size"), "without head_dim it must be a multiple of num_attention_heads");
    c->head_dim = read_u32(r, "head_dim", 512, head_dim);
    c->context = read_u32(r, "max_position_embeddings", 1 << 24, 2048);
    c->norm_eps = (float)read_number(r, "rms_norm_eps", 1e-12, 1, 1e-6);
    c->tied = read_bool(r, "tie_word_embeddings", false);
    bool bias = read_bool(r, "attention_bias", false);
    c->qkv_bias = bias || c->family == FAMILY_QWEN2;
    c->o_bias = bias;
    c->mlp_bias = read_bool(r, "mlp_bias", false);
    c->qk_norm = c->family == FAMILY_QWEN3;
    expect_text(r, "hidden_act", "silu", "swish");
    read_rope(r, c);
    read_window(r, c);
    if (c->head_dim % 2 != 0)
        refuse(r, "head_dim", look(r, "head_dim"), "RoPE needs an even number");
}

static void read_gpt2(struct reader *r, struct model_config *c)
{
    c->layers = read_u32(r, "n_layer", 1024, 0);
    c->dim = read_u32(r, "n_embd", 1 << 16, 0);
    c->hidden = read_u32(r, "n_inner", 1 << 20, 4 * c->dim);
    c->heads = c->kv_heads = read_u32(r, "n_head", 1024, 0);
    c->head_dim = c->dim / c->heads;
    if (c->dim % c->heads != 0 || c->head_dim > 512)
        refuse(r, "n_head", look(r, "n_head"), "it must divide n_embd into heads of at most 512");
    c->context = read_u32(r, "n_positions", 1 << 24, 1024);
    c->norm_eps = (float)read_number(r, "layer_norm_epsilon", 1e-12, 1, 1e-5);
    c->tied = read_bool(r, "tie_word_embeddings", true);
    c->layer_norm = c->learned_positions = c->conv1d = c->fused_qkv = c->gelu = true;
    c->qkv_bias = c->o_bias = c->mlp_bias = true;
    c->rope = ROPE_NONE;
    expect_text(r, "activation_function", "gelu_new", "gelu_pytorch_tanh");
    expect_bool(r, "scale_attn_weights", true);
    expect_bool(r, "scale_attn_by_inverse_layer_idx", false);
}

static void add_eos(struct reader *r, struct model_config *c, const json_t *value)
{
    json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    if (id < 0 || id >= (json_int_t)UINT32_MAX)
        refuse(r, "eos_token_id", value, "a token id or a list of them was expected");
    else if (!config_is_eos(c, (uint32_t)id) && c->n_eos < CONFIG_MAX_EOS)
        c->eos[c->n_eos++] = (uint32_t)id;
}

/* Both files may name end tokens, and an answer ends at any of them. */
static void read_ends(struct reader *r, struct model_config *c)
{
    const json_t *bos = look(r, "bos_token_id"), *eos = look(r, "eos_token_id");
    if (json_is_integer(bos) && json_integer_value(bos) >= 0 && json_integer_value(bos) < (json_int_t)c->vocab) {
        c->has_bos = true;
        c->bos = (uint32_t)json_integer_value(bos);
    }
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)eos, i, one)
    {
        add_eos(r, c, one);
    }
    if (eos != NULL && !json_is_array(eos))
        add_eos(r, c, eos);
}

static int read_config(const char *name, const json_t *root, struct model_config *c, struct err *e)
{
    struct reader r = {name, root, e, false};
    *c = (struct model_config){0};
    read_family(&r, c);
    if (r.bad)
        return -1;
    c->vocab = read_u32(&r, "vocab_size", 1 << 24, 0);
    if (c->family == FAMILY_GPT2)
        read_gpt2(&r, c);
    else
        read_llama_like(&r, c);
    if (!r.bad && c->heads % c->kv_heads != 0)
        refuse(&r, "num_key_value_heads", look(&r, "num_key_value_heads"), "it must divide num_attention_heads");
    if (look(&r, "quantization_config") != NULL)
        refuse(&r, "quantization_config", look(&r, "quantization_config"), "only f32, f16 and bf16 weights are supported");
    read_ends(&r, c);
    return r.bad ? -1 : 0;
}

int config_parse(const char *name, const char *json, size_t len, struct model_config *out, struct err *e)
{
    json_t *root = json_from_bytes(name, json, len, e);
    int rc = root == NULL ? -1 : read_config(name, root, out, e);
    json_decref(root);
    return rc;
}

static int read_generation(const char *dir, struct model_config *c, struct err *e)
{
    if (!json_file_exists(dir, "generation_config.json"))
        return 0;
    char *path = json_path(dir, "generation_config.json", e);
    json_t *root = path == NULL ? NULL : json_from_file(path, CONFIG_LIMIT, e);
    struct reader r = {path, root, e, root == NULL};
    if (!r.bad)
        read_ends(&r, c);
    json_decref(root);
    xfree(path);
    return r.bad ? -1 : 0;
}

int config_read(const char *dir, struct model_config *out, struct err *e)
{
    char *path = json_path(dir, "config.json", e);
    json_t *root = path == NULL ? NULL : json_from_file(path, CONFIG_LIMIT, e);
    int rc = root == NULL ? -1 : read_config(path, root, out, e);
    json_decref(root);
    xfree(path);
    return rc != 0 ? -1 : read_generation(dir, out, e);
}

uint64_t config_parameters(const struct model_config *c)
{
    uint64_t width = (uint64_t)c->heads * c->head_dim, kv = (uint64_t)c->kv_heads * c->head_dim;
    uint64_t layer = c->dim * (width + 2 * kv) + width * c->dim + (c->gelu ? 2u : 3u) * (uint64_t)c->dim * c->hidden;
    layer += 2 * (uint64_t)c->dim * (c->layer_norm ? 2 : 1) + (c->qk_norm ? 2 * c->head_dim : 0);
    layer += c->qkv_bias ? width + 2 * kv : 0;
    layer += c->o_bias ? c->dim : 0;
    layer += c->mlp_bias ? (c->gelu ? 1u : 2u) * (uint64_t)c->hidden + c->dim : 0;
    uint64_t embed = (uint64_t)c->vocab * c->dim;
    return layer * c->layers + embed * (c->tied ? 1 : 2) + (uint64_t)c->dim * (c->layer_norm ? 2 : 1) +
           (c->learned_positions ? (uint64_t)c->context * c->dim : 0);
}

bool config_is_eos(const struct model_config *c, uint32_t id)
{
    for (uint32_t i = 0; i < c->n_eos; i++)
        if (c->eos[i] == id)
            return true;
    return false;
}
