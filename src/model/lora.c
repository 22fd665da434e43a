#include "model/lora.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "model/json.h"
#include "model/model_parts.h"

enum {
    CONFIG_BYTES = 1 << 20,
    MOST_TARGETS = 4096,
    ROWS = 16 /* of A x that stand on the stack at a time */
};

/* A stored matrix of a layer by its name in the checkpoint, and its place in ours. */
struct slot {
    const char *name;
    enum layer_matrix matrix;
    uint32_t part;
};

static const struct slot LLAMA_SLOTS[] = {
    {"self_attn.q_proj", MATRIX_QKV, 0}, {"self_attn.k_proj", MATRIX_QKV, 1},
    {"self_attn.v_proj", MATRIX_QKV, 2}, {"self_attn.o_proj", MATRIX_O, 0},
    {"mlp.gate_proj", MATRIX_UP, 0},     {"mlp.up_proj", MATRIX_UP, 1},
    {"mlp.down_proj", MATRIX_DOWN, 0},
};
static const struct slot GPT2_SLOTS[] = {
    {"attn.c_attn", MATRIX_QKV, 0},
    {"attn.c_proj", MATRIX_O, 0},
    {"mlp.c_fc", MATRIX_UP, 0},
    {"mlp.c_proj", MATRIX_DOWN, 0},
};

struct module {
    struct packed a, b; /* (rank, in), (out, rank); .at is NULL where the adapter has nothing */
    uint32_t first;     /* outputs of the matrix before b's */
};

struct lora {
    char *name;
    const struct model *model;
    const struct slot *slot; /* (slots) */
    uint32_t slots, layers, rank;
    float scale;
    struct module *module; /* (layers, slots) */
    float *memory;         /* all panels; taken with room to begin them at a 64-byte boundary */
};

/* An adapter on its way in. */
struct reader {
    struct lora *l;
    const char *config_file, *tensor_file;
    const json_t *targets; /* a list of names, or a pattern */
    bool everywhere;       /* every layer must have every target */
    struct safetensors *files;
    const char *prefix;   /* of the tensors' names */
    size_t floats, found; /* panels' size; tensors of the file that have a place */
    struct err *e;
};

/* ---- adapter_config.json ----------------------------------------------------------------------------- */

static int refuse(struct reader *r, const char *field, const json_t *value, const char *supported)
{
    char text[80];
    return err_set(r->e, "%s: %s is %s, but supported is only %s", r->config_file, field,
                   json_describe(value, text, sizeof text), supported);
}

static bool says_nothing(const json_t *v)
{
    return v == NULL || json_is_null(v) || json_is_false(v) ||
           (json_is_array(v) && json_array_size(v) == 0) || (json_is_object(v) && json_object_size(v) == 0);
}

/* Kinds of LoRA that compute something else, or that change more than the layers' matrices. */
static int check_absent(struct reader *r, const json_t *config)
{
    static const char *const FIELDS[] = {
        "modules_to_save",         "use_dora",          "rank_pattern",            "alpha_pattern",
        "layer_replication",       "lora_bias",         "use_qalora",              "use_bdlora",
        "trainable_token_indices", "target_parameters", "alora_invocation_tokens", "arrow_config",
    };
    for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++)
        if (!says_nothing(json_object_get(config, FIELDS[i])))
            return refuse(r, FIELDS[i], json_object_get(config, FIELDS[i]), "an adapter without it");
    return 0;
}

/* Some ways to begin training change W too: such an adapter alone is not the whole difference. */
static int check_start(struct reader *r, const json_t *config)
{
    static const char *const FINE[] = {"gaussian", "eva", "orthogonal"};
    const json_t *start = json_object_get(config, "init_lora_weights");
    const char *text = json_string_value(start);
    if (start == NULL || json_is_null(start) || json_is_boolean(start))
        return 0;
    for (size_t i = 0; text != NULL && i < ARRAY_LEN(FINE); i++)
        if (strcmp(text, FINE[i]) == 0)
            return 0;
    return refuse(r, "init_lora_weights", start, "true, false, gaussian, eva or orthogonal");
}

static int check_kind(struct reader *r, const json_t *config)
{
    const json_t *type = json_object_get(config, "peft_type"), *bias = json_object_get(config, "bias");
    const json_t *turned = json_object_get(config, "fan_in_fan_out");
    if (!json_is_string(type) || strcmp(json_string_value(type), "LORA") != 0)
        return refuse(r, "peft_type", type, "\"LORA\"");
    if (!says_nothing(bias) && (!json_is_string(bias) || strcmp(json_string_value(bias), "none") != 0))
        return refuse(r, "bias", bias, "\"none\"");
    if (!says_nothing(turned) && !json_is_true(turned))
        return refuse(r, "fan_in_fan_out", turned, "true or false");
    return check_absent(r, config) != 0 ? -1 : check_start(r, config);
}

static int read_scale(struct reader *r, const json_t *config)
{
    const json_t *rank = json_object_get(config, "r"), *alpha = json_object_get(config, "lora_alpha");
    const json_t *root = json_object_get(config, "use_rslora");
    json_int_t n = json_is_integer(rank) ? json_integer_value(rank) : 0;
    if (n < 1 || n > LORA_MAX_RANK)
        return refuse(r, "r", rank, "a whole number from 1 to 256");
    double a = json_is_number(alpha) ? json_number_value(alpha) : HUGE_VAL;
    if (!(fabs(a) <= 1e6))
        return refuse(r, "lora_alpha", alpha, "a number up to a million");
    if (!says_nothing(root) && !json_is_true(root))
        return refuse(r, "use_rslora", root, "true or false");
    r->l->rank = (uint32_t)n;
    r->l->scale = (float)(a / (json_is_true(root) ? sqrt((double)n) : (double)n));
    return 0;
}

/* "model.layers.3.self_attn.q_proj" */
static void module_name(const struct lora *l, uint32_t layer, uint32_t slot, char *out, size_t size)
{
    bool gpt2 = l->model->config.family == FAMILY_GPT2;
    snprintf(out, size, gpt2 ? "transformer.h.%u.%s" : "model.layers.%u.%s", layer, l->slot[slot].name);
}

/* PEFT's rule: the whole name, or its end behind a dot. */
static bool target_fits(const char *target, const char *module)
{
    size_t n = strlen(target), m = strlen(module);
    return n > 0 && n <= m && strcmp(module + m - n, target) == 0 && (n == m || module[m - n - 1] == '.');
}

static bool fits_somewhere(const struct lora *l, const char *target)
{
    char name[80];
    for (uint32_t i = 0; i < l->layers * l->slots; i++) {
        module_name(l, i / l->slots, i % l->slots, name, sizeof name);
        if (target_fits(target, name))
            return true;
    }
    return false;
}

static bool is_target(const struct reader *r, const char *module)
{
    if (!json_is_array(r->targets))
        return true; /* a pattern: what it fits is what the file has tensors for */
    for (size_t i = 0; i < json_array_size(r->targets); i++)
        if (target_fits(json_string_value(json_array_get(r->targets, i)), module))
            return true;
    return false;
}

static int unknown_target(struct reader *r, const json_t *target)
{
    struct buf all = {0};
    for (uint32_t i = 0; i < r->l->slots; i++)
        buf_printf(&all, "%s%s", i > 0 ? ", " : "", strchr(r->l->slot[i].name, '.') + 1);
    refuse(r, "one of target_modules", target, buf_text(&all));
    buf_free(&all);
    return -1;
}

static int read_targets(struct reader *r, const json_t *config)
{
    r->targets = json_object_get(config, "target_modules");
    r->everywhere = json_is_array(r->targets) &&
                    says_nothing(json_object_get(config, "layers_to_transform")) &&
                    says_nothing(json_object_get(config, "exclude_modules"));
    if (json_is_string(r->targets))
        return 0;
    if (!json_is_array(r->targets) || json_array_size(r->targets) == 0 ||
        json_array_size(r->targets) > MOST_TARGETS)
        return refuse(r, "target_modules", r->targets, "a list of 1 to 4096 names, or a pattern");
    for (size_t i = 0; i < json_array_size(r->targets); i++) {
        const json_t *target = json_array_get(r->targets, i);
        if (!json_is_string(target) || !fits_somewhere(r->l, json_string_value(target)))
            return unknown_target(r, target);
    }
    return 0;
}

/* ---- adapter_model.safetensors ----------------------------------------------------------------------- */

static const struct linear *slot_matrix(const struct lora *l, uint32_t layer, uint32_t slot)
{
    return &l->model->weights.layer[layer].matrix[l->slot[slot].matrix];
}

static void tensor_name(const struct reader *r, uint32_t layer, uint32_t slot, char letter, char *out,
                        size_t size)
{
    char module[80];
    module_name(r->l, layer, slot, module, sizeof module);
    snprintf(out, size, "%s%s.lora_%c.weight", r->prefix, module, letter);
}

static const struct tensor *find(const struct reader *r, uint32_t layer, uint32_t slot, char letter)
{
    char name[160];
    tensor_name(r, layer, slot, letter, name, sizeof name);
    return safetensors_find(r->files, name);
}

static int check_tensor(struct reader *r, const struct tensor *t, uint32_t rows, uint32_t columns)
{
    char shape[128];
    if (t->dtype == DTYPE_OTHER)
        return err_set(r->e, "%s: tensor %s is neither F32 nor F16 nor BF16, and only those are supported",
                       t->file, t->name);
    if (t->n_dims != 2 || t->shape[0] != rows || t->shape[1] != columns)
        return err_set(r->e, "%s: tensor %s has shape %s, but rank %u and the model ask for [%u, %u]",
                       t->file, t->name, tensor_shape_text(t, shape, sizeof shape), r->l->rank, rows,
                       columns);
    return 0;
}

static int missing(struct reader *r, uint32_t layer, uint32_t slot, char letter, const char *why)
{
    char name[160];
    tensor_name(r, layer, slot, letter, name, sizeof name);
    return err_set(r->e, "%s: tensor %s is missing; %s", r->tensor_file, name, why);
}

/* Does the file have this module, and may it? Fills in the shapes of its A and B. */
static int plan_module(struct reader *r, uint32_t layer, uint32_t slot)
{
    struct lora *l = r->l;
    char name[80];
    const struct tensor *a = find(r, layer, slot, 'A'), *b = find(r, layer, slot, 'B');
    const struct linear *w = slot_matrix(l, layer, slot);
    const uint32_t out = w->part[l->slot[slot].part].out;
    module_name(l, layer, slot, name, sizeof name);
    bool wanted = is_target(r, name);
    if (a == NULL && b == NULL)
        return wanted && r->everywhere ? missing(r, layer, slot, 'A', "target_modules asks for it") : 0;
    if (!wanted)
        return err_set(r->e, "%s holds tensors for %s, which target_modules does not name", r->tensor_file,
                       name);
    if (a == NULL || b == NULL)
        return missing(r, layer, slot, a == NULL ? 'A' : 'B', "A and B come in pairs");
    if (check_tensor(r, a, l->rank, w->in) != 0 || check_tensor(r, b, out, l->rank) != 0)
        return -1;
    struct module *m = &l->module[layer * l->slots + slot];
    *m = (struct module){.a = {NULL, w->in, l->rank}, .b = {NULL, l->rank, out}};
    for (uint32_t p = 0; p < l->slot[slot].part; p++)
        m->first += w->part[p].out;
    r->floats += (size_t)panel_count(l->rank) * w->in * PANEL + (size_t)panel_count(out) * l->rank * PANEL;
    r->found += 2;
    return 0;
}

static int unknown_tensor(struct reader *r)
{
    char name[160];
    for (size_t i = 0; i < safetensors_count(r->files); i++) {
        const struct tensor *t = safetensors_at(r->files, i);
        bool known = false;
        for (uint32_t m = 0; m < r->l->layers * r->l->slots * 2 && !known; m++) {
            tensor_name(r, m / 2 / r->l->slots, m / 2 % r->l->slots, m % 2 == 0 ? 'A' : 'B', name,
                        sizeof name);
            known = strcmp(name, t->name) == 0;
        }
        if (!known)
            return err_set(r->e, "%s: tensor %.150s belongs to no matrix of the model's %u layers", t->file,
                           t->name, r->l->layers);
    }
    return 0;
}

/* Row n of the tensor into lane n mod PANEL of its panel; the rest stays zero. line: (in) */
static int pack(struct reader *r, const struct tensor *t, struct packed *p, float *panels, float *line)
{
    for (uint32_t n = 0; n < p->out; n++) {
        float *lane = panels + (size_t)(n / PANEL) * p->in * PANEL + n % PANEL;
        tensor_read(t, (uint64_t)n * p->in, p->in, line);
        for (uint32_t k = 0; k < p->in; k++) {
            if (!(line[k] - line[k] == 0.0f))
                return err_set(r->e, "%s: tensor %s holds no number at element %llu", t->file, t->name,
                               (unsigned long long)n * p->in + k);
            lane[(size_t)k * PANEL] = line[k];
        }
    }
    p->at = panels;
    return 0;
}

static int pack_modules(struct reader *r, float *panels, float *line)
{
    struct lora *l = r->l;
    for (uint32_t i = 0; i < l->layers * l->slots; i++) {
        struct module *m = &l->module[i];
        if (m->a.out == 0)
            continue;
        if (pack(r, find(r, i / l->slots, i % l->slots, 'A'), &m->a, panels, line) != 0)
            return -1;
        panels += (size_t)panel_count(m->a.out) * m->a.in * PANEL;
        if (pack(r, find(r, i / l->slots, i % l->slots, 'B'), &m->b, panels, line) != 0)
            return -1;
        panels += (size_t)panel_count(m->b.out) * m->b.in * PANEL;
    }
    return 0;
}

static int load_modules(struct reader *r)
{
    struct lora *l = r->l;
    const struct model_config *c = &l->model->config;
    size_t longest = LORA_MAX_RANK + (size_t)c->dim + c->hidden + (size_t)c->heads * c->head_dim;
    float *line = xmalloc(longest * sizeof *line);
    l->memory = xcalloc(r->floats + 16, sizeof *l->memory);
    int rc = -1;
    if (line == NULL || l->memory == NULL)
        err_memory(r->e, (r->floats + longest) * sizeof *line, "an adapter");
    else
        rc = pack_modules(r, l->memory + (64 - (uintptr_t)l->memory % 64) % 64 / sizeof *l->memory, line);
    xfree(line);
    return rc;
}

/* PEFT puts "base_model.model." before a module's name; an adapter of the bare model, without its head, has
 * one "model." less. */
static const char *find_prefix(const struct safetensors *files)
{
    static const char BARE[] = "base_model.model.layers.";
    bool bare =
        safetensors_count(files) > 0 && strncmp(safetensors_at(files, 0)->name, BARE, strlen(BARE)) == 0;
    return bare ? "base_model." : "base_model.model.";
}

static int read_tensors(struct reader *r)
{
    struct lora *l = r->l;
    r->prefix = find_prefix(r->files);
    for (uint32_t i = 0; i < l->layers * l->slots; i++)
        if (plan_module(r, i / l->slots, i % l->slots) != 0)
            return -1;
    if (r->found < safetensors_count(r->files))
        return unknown_tensor(r);
    if (r->found == 0)
        return err_set(r->e, "%s holds no tensor at all", r->tensor_file);
    return load_modules(r);
}

/* ---- opening ----------------------------------------------------------------------------------------- */

static struct lora *lora_new(const char *name, const struct model *m, struct err *e)
{
    bool gpt2 = m->config.family == FAMILY_GPT2;
    struct lora *l = xcalloc(1, sizeof *l);
    if (l == NULL) {
        err_memory(e, sizeof *l, "an adapter");
        return NULL;
    }
    l->model = m;
    l->layers = m->config.layers;
    l->slot = gpt2 ? GPT2_SLOTS : LLAMA_SLOTS;
    l->slots = gpt2 ? ARRAY_LEN(GPT2_SLOTS) : ARRAY_LEN(LLAMA_SLOTS);
    l->name = xstrdup(name);
    l->module = xcalloc((size_t)l->layers * l->slots, sizeof *l->module);
    if (l->name != NULL && l->module != NULL)
        return l;
    err_memory(e, (size_t)l->layers * l->slots * sizeof *l->module, "an adapter");
    lora_close(l);
    return NULL;
}

static int read_all(struct reader *r)
{
    json_t *config = json_from_file(r->config_file, CONFIG_BYTES, r->e);
    int rc = config == NULL || check_kind(r, config) != 0 || read_scale(r, config) != 0 ||
                     read_targets(r, config) != 0 ||
                     safetensors_open_file(r->tensor_file, &r->files, r->e) != 0
                 ? -1
                 : read_tensors(r);
    safetensors_close(r->files);
    json_decref(config);
    return rc;
}

int lora_open(const char *dir, const char *name, const struct model *m, struct lora **out, struct err *e)
{
    char *config = json_path(dir, "adapter_config.json", e),
         *tensors = json_path(dir, "adapter_model.safetensors", e);
    struct reader r = {.l = lora_new(name, m, e), .config_file = config, .tensor_file = tensors, .e = e};
    *out = NULL;
    if (config != NULL && tensors != NULL && r.l != NULL && read_all(&r) == 0) {
        *out = r.l;
    } else {
        lora_close(r.l);
        err_hint(e, "an adapter is a folder with adapter_config.json and adapter_model.safetensors");
    }
    xfree(config);
    xfree(tensors);
    return *out != NULL ? 0 : -1;
}

void lora_close(struct lora *l)
{
    if (l == NULL)
        return;
    xfree(l->memory);
    xfree(l->module);
    xfree(l->name);
    xfree(l);
}

const char *lora_name(const struct lora *l)
{
    return l->name;
}

const struct model *lora_model(const struct lora *l)
{
    return l->model;
}

uint32_t lora_rank(const struct lora *l)
{
    return l->rank;
}

float lora_scale(const struct lora *l)
{
    return l->scale;
}

/* ---- computing --------------------------------------------------------------------------------------- */

/* At most ROWS rows through one module; y points at the module's first output, rows ldy apart. */
static void add_rows(const struct lora *l, const struct kernels *k, const struct module *m, const float *x,
                     uint32_t n, float *y, size_t ldy)
{
    float thin[ROWS * LORA_MAX_RANK]; /* (n, rank) */
    k->matmul(&m->a, NULL, x, m->a.in, n, thin, l->rank, 0, panel_count(l->rank), false);
    for (uint32_t i = 0; i < n * l->rank; i++)
        thin[i] *= l->scale;
    k->matmul(&m->b, NULL, thin, l->rank, n, y, ldy, 0, panel_count(m->b.out), true);
}

void lora_add(const struct lora *l, const struct kernels *k, uint32_t layer, enum layer_matrix matrix,
              const float *x, uint32_t n, float *y)
{
    for (uint32_t s = 0; s < l->slots; s++) {
        const struct module *m = &l->module[layer * l->slots + s];
        if (l->slot[s].matrix != matrix || m->a.at == NULL)
            continue;
        const size_t ldx = m->a.in, ldy = slot_matrix(l, layer, s)->out;
        for (uint32_t i = 0; i < n; i += ROWS)
            add_rows(l, k, m, x + i * ldx, n - i < ROWS ? n - i : ROWS, y + i * ldy + m->first, ldy);
    }
}

uint64_t lora_flops(const struct lora *l)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < l->layers * l->slots; i++)
        sum += 2 * (uint64_t)l->rank * ((uint64_t)l->module[i].a.in + l->module[i].b.out);
    return sum;
}
