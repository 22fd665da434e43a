/* Adapters: against peft and a merged oracle, exact however the work is cut, and damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/xalloc.h"
#include "model/forward_parts.h"
#include "model/json.h"
#include "model/lora.h"
#include "model/sample.h"
#include "tests/model/oracle.h"
#include "tests/model/random_adapter.h"

enum { TOKENS = 37, CONTEXT = 64 };

#define ALL_LLAMA "\"q_proj\",\"k_proj\",\"v_proj\",\"o_proj\",\"gate_proj\",\"up_proj\",\"down_proj\""
#define ALL_GPT2 "\"c_attn\",\"c_proj\",\"c_fc\""

/* A model and two adapters that change different things. */
static const struct {
    struct random_shape shape;
    struct random_adapter adapter[2];
} cases[] = {
    {{FAMILY_LLAMA, 2, 48, 72, 4, 2, 12, 261, CONTEXT, false, "F32", NULL, 1},
     {{3, 6, false, "F32", ALL_LLAMA, 11}, {8, 4, true, "F16", "\"q_proj\",\"v_proj\"", 12}}},
    {{FAMILY_LLAMA, 2, 40, 100, 5, 5, 8, 300, CONTEXT, true, "BF16", NULL, 2},
     {{40, 20, false, "BF16", ALL_LLAMA, 21}, {1, 1, false, "F32", "\"down_proj\"", 22}}},
    {{FAMILY_MISTRAL, 2, 64, 96, 8, 2, 8, 256, CONTEXT, false, "F16", NULL, 5},
     {{4, 8, false, "F16", "\"k_proj\",\"up_proj\"", 31}, {5, 5, true, "BF16", ALL_LLAMA, 32}}},
    {{FAMILY_QWEN2, 2, 36, 50, 6, 3, 6, 260, CONTEXT, true, "BF16", NULL, 6},
     {{2, 4, false, "F32", ALL_LLAMA, 41}, {2, 4, false, "F32", "\"o_proj\",\"gate_proj\"", 42}}},
    {{FAMILY_QWEN3, 2, 40, 56, 4, 2, 20, 257, CONTEXT, true, "F32", NULL, 7},
     {{6, 3, true, "F32", ALL_LLAMA, 51}, {6, 3, false, "BF16", "\"k_proj\"", 52}}},
    {{FAMILY_GPT2, 2, 48, 80, 3, 3, 16, 256, CONTEXT, true, "F32", NULL, 8},
     {{4, 4, false, "F32", ALL_GPT2, 61}, {3, 9, true, "F16", "\"c_attn\"", 62}}},
};

struct fixture {
    char dir[64], adapter_dir[2][64];
    struct model *m;
    const struct model_config *c;
    struct lora *lora[3]; /* two, and NULL: the model alone */
    struct kvrows *rows;
    uint32_t ids[TOKENS];
    float *cold, *again; /* (TOKENS, vocab) */
    struct err e;
};

static void open_fixture(struct fixture *f, size_t n)
{
    struct prng rng;
    *f = (struct fixture){0};
    random_model(&cases[n].shape, f->dir);
    if (model_open(f->dir, &f->m, &f->e) != 0)
        fail_msg("%s", f->e.what);
    for (int i = 0; i < 2; i++) {
        random_adapter(&cases[n].adapter[i], &cases[n].shape, f->adapter_dir[i]);
        if (lora_open(f->adapter_dir[i], i == 0 ? "one" : "two", f->m, &f->lora[i], &f->e) != 0)
            fail_msg("%s", f->e.what);
    }
    f->c = model_get_config(f->m);
    f->rows = kvrows_new(f->c, 8 * TOKENS, &f->e);
    prng_seed(&rng, n + 100);
    for (uint32_t i = 0; i < TOKENS; i++)
        f->ids[i] = prng_below(&rng, f->c->vocab);
    f->cold = xmalloc(TOKENS * f->c->vocab * sizeof(float));
    f->again = xmalloc(TOKENS * f->c->vocab * sizeof(float));
}

static void close_fixture(struct fixture *f)
{
    xfree(f->cold);
    xfree(f->again);
    kvrows_free(f->rows);
    for (int i = 0; i < 2; i++) {
        lora_close(f->lora[i]);
        random_adapter_remove(f->adapter_dir[i]);
    }
    model_close(f->m);
    random_model_remove(f->dir);
}

static void run_part(struct fixture *f, struct forward *forward, const struct lora *lora, uint32_t from, uint32_t to,
                     uint32_t *row, float *out)
{
    struct forward_job job = {.tokens = f->ids + from, .n = to - from, .start = from, .past_rows = row, .lora = lora,
                              .new_rows = row + from, .want = LOGITS_ALL, .logits = out + (size_t)from * f->c->vocab};
    if (forward_run(forward, &job, 1, NULL, NULL, &f->e) != FORWARD_OK)
        fail_msg("%s", f->e.what);
}

static struct forward *new_forward(struct fixture *f, enum forward_mode mode, const struct forward_engine *engine)
{
    struct forward *forward = forward_new_with(f->m, f->rows, mode, 1, engine, &f->e);
    if (forward == NULL)
        fail_msg("%s", f->e.what);
    return forward;
}

/* ---- right -------------------------------------------------------------------------------------------- */

static void against_oracle(struct fixture *f, int which, double scale, const struct safetensors *files)
{
    struct safetensors *adapter;
    struct oracle o;
    char path[128];
    uint32_t row[TOKENS];
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", f->adapter_dir[which]);
    assert_int_equal(safetensors_open_file(path, &adapter, &f->e), 0);
    oracle_init(&o, f->c, files);
    o.lora = adapter;
    o.lora_scale = scale;
    double *wanted = xmalloc(f->c->vocab * sizeof *wanted), changed = 0;
    struct forward *exact = new_forward(f, FORWARD_EXACT, NULL), *fast = new_forward(f, FORWARD_FAST, NULL);
    run_part(f, exact, NULL, 0, TOKENS, row, f->again);
    float *alone = xmemdup(f->again, TOKENS * f->c->vocab * sizeof *alone);
    run_part(f, exact, f->lora[which], 0, TOKENS, row, f->cold);
    run_part(f, fast, f->lora[which], 0, TOKENS, row, f->again);
    for (uint32_t t = 0; t < TOKENS; t++) {
        oracle_step(&o, f->ids[t], wanted);
        for (uint32_t v = 0; v < f->c->vocab; v++) {
            size_t at = (size_t)t * f->c->vocab + v;
            assert_true(fabs((double)f->cold[at] - wanted[v]) < 1e-4);
            assert_true(fabs((double)f->again[at] - wanted[v]) < 1e-4);
            changed = fmax(changed, fabs((double)alone[at] - wanted[v]));
        }
    }
    assert_true(changed > 0.1); /* an adapter that changes nothing proves nothing */
    xfree(alone);
    xfree(wanted);
    oracle_done(&o);
    safetensors_close(adapter);
    forward_free(exact);
    forward_free(fast);
}

static void test_against_a_merged_oracle(void **state)
{
    (void)state;
    unsigned ran = 0;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        struct fixture f;
        struct safetensors *files;
        open_fixture(&f, n);
        assert_int_equal(safetensors_open(f.dir, &files, &f.e), 0);
        for (int i = 0; i < 2; i++, ran++) {
            const struct random_adapter *a = &cases[n].adapter[i];
            double scale = a->alpha / (a->rslora ? sqrt(a->rank) : a->rank);
            assert_int_equal(lora_rank(f.lora[i]), a->rank);
            assert_true(fabs((double)lora_scale(f.lora[i]) - scale) < 1e-6);
            against_oracle(&f, i, scale, files);
            kvrows_clear(f.rows);
        }
        safetensors_close(files);
        close_fixture(&f);
    }
    assert_int_equal(ran, 2 * ARRAY_LEN(cases));
}

/* One case of tests/model/data/adapters.json, which `transformers` and `peft` computed. */
static void against_peft(const struct model *m, const struct lora *lora, enum forward_mode mode, const json_t *c,
                         const struct tensor *expected)
{
    const json_t *prompt = json_object_get(c, "ids"), *more = json_object_get(c, "greedy_ids");
    uint32_t n = (uint32_t)json_array_size(prompt), all = n + (uint32_t)json_array_size(more), vocab = 2048, row[128];
    uint32_t ids[128];
    struct err e = {0};
    assert_true(n > 0 && all > n && all <= ARRAY_LEN(ids));
    for (uint32_t i = 0; i < all; i++)
        ids[i] = (uint32_t)json_integer_value(i < n ? json_array_get(prompt, i) : json_array_get(more, i - n));
    struct kvrows *rows = kvrows_new(model_get_config(m), 128, &e);
    struct forward *f = forward_new(m, rows, mode, 1, &e);
    float *logits = xmalloc(all * vocab * sizeof *logits), *want = xmalloc(2 * vocab * sizeof *want);
    struct forward_job job = {.tokens = ids, .n = all - 1, .new_rows = row, .want = LOGITS_ALL, .logits = logits,
                              .lora = lora};
    assert_int_equal(forward_run(f, &job, 1, NULL, NULL, &e), FORWARD_OK);
    tensor_read(expected, 0, 2 * vocab, want);
    for (uint32_t v = 0; v < vocab; v++) {
        assert_true(fabsf(logits[(n - 1) * vocab + v] - want[v]) <= 2e-4f);
        assert_true(fabsf(logits[(all - 2) * vocab + v] - want[vocab + v]) <= 2e-4f);
    }
    for (uint32_t i = n; i < all; i++)
        assert_int_equal(sample_argmax(logits + (size_t)(i - 1) * vocab, vocab), ids[i]);
    xfree(logits);
    xfree(want);
    forward_free(f);
    kvrows_free(rows);
}

static void test_against_peft(void **state)
{
    (void)state;
    static const char *const names[] = {"", "reason", "turned"};
    struct err e = {0};
    struct model *m;
    struct lora *lora[3] = {NULL};
    struct safetensors *logits;
    unsigned ran = 0;
    assert_int_equal(model_open("data/model", &m, &e), 0);
    assert_int_equal(lora_open("data/model/adapters/reason", "reason", m, &lora[1], &e), 0);
    assert_int_equal(lora_open("data/model/adapters/turned", "turned", m, &lora[2], &e), 0);
    json_t *root = json_from_file("tests/model/data/adapters.json", 1 << 20, &e);
    assert_int_equal(safetensors_open_file("tests/model/data/adapters.safetensors", &logits, &e), 0);
    const json_t *list = json_object_get(root, "cases");
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t a = 0; a < 3; a++) {
            char name[32];
            const json_t *c = json_array_get(list, i);
            if (strcmp(json_text(c, "adapter"), names[a]) != 0)
                continue;
            snprintf(name, sizeof name, "logits.%zu", i);
            for (int mode = 0; mode < 2; mode++, ran++)
                against_peft(m, lora[a], mode == 0 ? FORWARD_EXACT : FORWARD_FAST, c, safetensors_find(logits, name));
        }
    assert_int_equal(ran, 14);
    json_decref(root);
    safetensors_close(logits);
    lora_close(lora[1]);
    lora_close(lora[2]);
    model_close(m);
}

/* ---- exact -------------------------------------------------------------------------------------------- */

static unsigned split_everywhere(struct fixture *f, struct forward *forward, const struct lora *lora)
{
    size_t bytes = TOKENS * f->c->vocab * sizeof(float);
    uint32_t row[TOKENS], at = 1;
    run_part(f, forward, lora, 0, TOKENS, row, f->cold);
    for (; at < TOKENS; at++) {
        kvrows_clear(f->rows);
        run_part(f, forward, lora, 0, at, row, f->again);
        run_part(f, forward, lora, at, TOKENS, row, f->again);
        assert_memory_equal(f->again, f->cold, bytes);
    }
    for (uint32_t i = 0; i < TOKENS; i++)
        run_part(f, forward, lora, i, i + 1, row, f->again);
    assert_memory_equal(f->again, f->cold, bytes);
    kvrows_clear(f->rows);
    return at - 1;
}

/* Every split gives the cold run's bits, in every exact engine, with every adapter. */
static void test_splits_are_bit_equal(void **state)
{
    (void)state;
    const struct kernels *k[KERNELS_MAX];
    size_t n_kernels = kernels_all(k);
    unsigned splits = 0;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        struct fixture f;
        open_fixture(&f, n);
        for (size_t g = 0; g <= n_kernels; g++) {
            struct forward_engine engine = {.blas = g < n_kernels ? BLAS_KERNEL : BLAS_TILE,
                                            .kernels = g < n_kernels ? k[g] : NULL};
            struct forward *forward = new_forward(&f, FORWARD_EXACT, &engine);
            splits += split_everywhere(&f, forward, f.lora[0]);
            splits += split_everywhere(&f, forward, f.lora[1]);
            forward_free(forward);
        }
        close_fixture(&f);
    }
    assert_int_equal(splits, ARRAY_LEN(cases) * (n_kernels + 1) * 2 * (TOKENS - 1));
}

/* Two adapters and the model alone in one batch, at different positions: the bits of each alone. */
static void test_batch_of_adapters(void **state)
{
    (void)state;
    static const uint32_t from[3] = {9, 16, 0}, to[3] = {30, 17, TOKENS};
    unsigned compared = 0;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++)
        for (int tile = 0; tile < 2; tile++) {
            struct forward_engine engine = {.blas = tile ? BLAS_TILE : BLAS_KERNEL};
            struct fixture f;
            struct forward_job job[3];
            uint32_t row[3][TOKENS];
            float *alone[3], *out[3];
            open_fixture(&f, n);
            struct forward *forward = new_forward(&f, FORWARD_EXACT, &engine);
            for (int j = 0; j < 3; j++) {
                alone[j] = xcalloc(TOKENS * f.c->vocab, sizeof(float));
                out[j] = xcalloc(TOKENS * f.c->vocab, sizeof(float));
                run_part(&f, forward, f.lora[j], 0, TOKENS, row[j], alone[j]);
                job[j] = (struct forward_job){.tokens = f.ids + from[j], .n = to[j] - from[j], .start = from[j],
                                              .past_rows = row[j], .new_rows = row[j] + from[j], .lora = f.lora[j],
                                              .want = LOGITS_ALL, .logits = out[j]};
            }
            assert_int_equal(forward_run(forward, job, 3, NULL, NULL, &f.e), FORWARD_OK);
            for (int j = 0; j < 3; j++, compared++) {
                size_t begin = (size_t)from[j] * f.c->vocab;
                assert_memory_equal(out[j], alone[j] + begin, (to[j] - from[j]) * f.c->vocab * sizeof(float));
                xfree(alone[j]);
                xfree(out[j]);
            }
            forward_free(forward);
            close_fixture(&f);
        }
    assert_int_equal(compared, 6 * ARRAY_LEN(cases));
}

/* What the namespace is for: behind another's rows an adapter computes other logits. */
static void test_rows_of_another_adapter_show(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        struct fixture f;
        uint32_t row[TOKENS];
        open_fixture(&f, n);
        struct forward *forward = new_forward(&f, FORWARD_EXACT, NULL);
        run_part(&f, forward, f.lora[0], 0, TOKENS, row, f.cold);
        run_part(&f, forward, NULL, 0, TOKENS - 1, row, f.again);
        run_part(&f, forward, f.lora[0], TOKENS - 1, TOKENS, row, f.again);
        size_t last = (size_t)(TOKENS - 1) * f.c->vocab;
        double most = 0;
        for (uint32_t v = 0; v < f.c->vocab; v++)
            most = fmax(most, fabs((double)f.cold[last + v] - (double)f.again[last + v]));
        seen += most > 0.01;
        forward_free(forward);
        close_fixture(&f);
    }
    assert_int_equal(seen, ARRAY_LEN(cases));
}

static void test_flops_are_counted(void **state)
{
    (void)state;
    struct fixture f;
    struct forward_stats stats;
    uint32_t row[TOKENS];
    open_fixture(&f, 0);
    struct forward *forward = new_forward(&f, FORWARD_EXACT, NULL);
    struct forward_job job = {.tokens = f.ids, .n = 5, .new_rows = row, .lora = f.lora[1]};
    /* the second adapter of the first case: rank 8 on q (48 to 48) and v (48 to 24) of 2 layers */
    assert_int_equal(lora_flops(f.lora[1]), 2 * 2 * 8 * (48 + 48 + 48 + 24));
    assert_int_equal(forward_run(forward, &job, 1, NULL, &stats, &f.e), FORWARD_OK);
    assert_int_equal(stats.flops, forward_flops(f.c, 5, 0, 0) + 5 * lora_flops(f.lora[1]));
    forward_free(forward);
    close_fixture(&f);
}

/* ---- damaged ------------------------------------------------------------------------------------------ */

struct config_case {
    const char *config, *about;
};

#define GOOD "\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"target_modules\":[\"q_proj\"]"

static const struct config_case config_cases[] = {
    {"", "is empty"},
    {"[1]", "no JSON object"},
    {"{\"r\":", "not valid JSON"},
    {"{}", "peft_type is nothing, but supported is only \"LORA\""},
    {"{\"peft_type\":\"IA3\"}", "peft_type is \"IA3\""},
    {"{\"peft_type\":7}", "peft_type is 7"},
    {"{\"peft_type\":\"LORA\"}", "r is nothing"},
    {"{\"peft_type\":\"LORA\",\"r\":0}", "r is 0"},
    {"{\"peft_type\":\"LORA\",\"r\":-3}", "r is -3"},
    {"{\"peft_type\":\"LORA\",\"r\":2.5}", "r is 2.5"},
    {"{\"peft_type\":\"LORA\",\"r\":257}", "r is 257, but supported is only a whole number from 1 to 256"},
    {"{\"peft_type\":\"LORA\",\"r\":9223372036854775807}", "r is 9223372036854775807"},
    {"{\"peft_type\":\"LORA\",\"r\":2}", "lora_alpha is nothing"},
    {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":\"4\"}", "lora_alpha is \"4\""},
    {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":1e300}", "lora_alpha is 1"},
    {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"use_rslora\":\"yes\"}", "use_rslora is \"yes\""},
    {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4}", "target_modules is nothing"},
    {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"target_modules\":[]}", "target_modules is []"},
    {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"target_modules\":[3]}", "one of target_modules is 3"},
    {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"target_modules\":[\"lm_head\"]}",
     "one of target_modules is \"lm_head\", but supported is only q_proj, k_proj, v_proj, o_proj, gate_proj"},
    {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"target_modules\":[\"proj\"]}", "is \"proj\""},
    {"{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,\"target_modules\":[\"\"]}", "is \"\""},
    {"{" GOOD ",\"bias\":\"all\"}", "bias is \"all\", but supported is only \"none\""},
    {"{" GOOD ",\"fan_in_fan_out\":1}", "fan_in_fan_out is 1"},
    {"{" GOOD ",\"use_dora\":true}", "use_dora is true, but supported is only an adapter without it"},
    {"{" GOOD ",\"modules_to_save\":[\"lm_head\"]}", "modules_to_save is [\"lm_head\"]"},
    {"{" GOOD ",\"rank_pattern\":{\"q_proj\":4}}", "rank_pattern"},
    {"{" GOOD ",\"alpha_pattern\":{\"q_proj\":4}}", "alpha_pattern"},
    {"{" GOOD ",\"layer_replication\":[[0,1],[0,1]]}", "layer_replication"},
    {"{" GOOD ",\"lora_bias\":true}", "lora_bias"},
    {"{" GOOD ",\"trainable_token_indices\":[1]}", "trainable_token_indices"},
    {"{" GOOD ",\"init_lora_weights\":\"pissa\"}", "init_lora_weights is \"pissa\""},
    {"{" GOOD ",\"init_lora_weights\":\"\\u001b[2J\"}", "init_lora_weights"},
    {"{" GOOD ",\"target_modules\":[\"k_proj\"]}", "not valid JSON"}, /* a field twice */
};

static void one_sentence(const struct err *e, const char *file, const char *about, size_t n)
{
    if (!e->set || strstr(e->what, file) == NULL || strstr(e->what, about) == NULL || strchr(e->what, '\n') != NULL ||
        strchr(e->what, '\033') != NULL)
        fail_msg("case %zu: \"%s\" should name %s and say \"%s\"", n, e->what, file, about);
}

static void refused(struct fixture *f, const char *file, const char *about, size_t n)
{
    struct err e = {0};
    struct lora *l;
    if (lora_open(f->adapter_dir[0], "bad", f->m, &l, &e) == 0)
        fail_msg("case %zu was accepted, though \"%s\"", n, about);
    assert_null(l);
    one_sentence(&e, file, about, n);
}

static void test_hostile_configs(void **state)
{
    (void)state;
    struct fixture f;
    size_t run = 0;
    open_fixture(&f, 0);
    for (; run < ARRAY_LEN(config_cases); run++) {
        random_write(f.adapter_dir[0], "adapter_config.json", config_cases[run].config, strlen(config_cases[run].config));
        refused(&f, "adapter_config.json", config_cases[run].about, run);
    }
    assert_int_equal(run, ARRAY_LEN(config_cases));
    close_fixture(&f);
}

/* Tensors of rank 2 for q_proj of the first case's two layers; %s: the second layer's, given by the case. */
#define A(layer) "\"base_model.model.model.layers." layer ".self_attn.q_proj.lora_A.weight\":"
#define B(layer) "\"base_model.model.model.layers." layer ".self_attn.q_proj.lora_B.weight\":"
#define AT(dtype, shape, from, to) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"
#define FIRST A("0") AT("F32", "[2,48]", "0", "384") "," B("0") AT("F32", "[48,2]", "384", "768") ","
#define GOOD_A1 A("1") AT("F32", "[2,48]", "768", "1152")
#define GOOD_B1 B("1") AT("F32", "[48,2]", "1152", "1536")

enum { DATA = 1536 };

static const struct tensors_case {
    const char *header;
    size_t data;     /* bytes behind the header */
    uint32_t pattern; /* of every 4 bytes */
    const char *about;
} tensors_cases[] = {
    {"{}", 0, 0, "q_proj.lora_A.weight is missing; target_modules asks for it"},
    {"{" FIRST GOOD_A1 "," GOOD_B1 "}", DATA - 1, 0, "cut off"},
    {"{" FIRST GOOD_A1 "}", DATA, 0, "layers.1.self_attn.q_proj.lora_B.weight is missing; A and B come in pairs"},
    {"{" FIRST GOOD_B1 "}", DATA, 0, "layers.1.self_attn.q_proj.lora_A.weight is missing; A and B come in pairs"},
    {"{" FIRST A("1") AT("F32", "[48,2]", "768", "1152") "," GOOD_B1 "}", DATA, 0,
     "has shape [48, 2], but rank 2 and the model ask for [2, 48]"},
    {"{" FIRST A("1") AT("F32", "[3,32]", "768", "1152") "," GOOD_B1 "}", DATA, 0, "has shape [3, 32]"},
    {"{" FIRST A("1") AT("F32", "[96]", "768", "1152") "," GOOD_B1 "}", DATA, 0, "has shape [96]"},
    {"{" FIRST GOOD_A1 "," B("1") AT("F32", "[24,4]", "1152", "1536") "}", DATA, 0, "ask for [48, 2]"},
    {"{" FIRST A("1") AT("I32", "[2,48]", "768", "1152") "," GOOD_B1 "}", DATA, 0, "neither F32 nor F16 nor BF16"},
    {"{" FIRST A("1") AT("F32", "[2,48]", "700", "1084") "," GOOD_B1 "}", DATA, 0, "overlap"},
    {"{" FIRST GOOD_A1 "," GOOD_B1 "}", DATA, 0x7fc00000u, "holds no number at element 0"},
    {"{" FIRST GOOD_A1 "," GOOD_B1 "}", DATA, 0xff800000u, "holds no number at element 0"},
    {"{" FIRST GOOD_A1 "," GOOD_B1 "," A("2") AT("F32", "[0]", "0", "0") "}", DATA, 0,
     "belongs to no matrix of the model's 2 layers"},
    {"{" FIRST GOOD_A1 "," GOOD_B1 ",\"base_model.model.lm_head.weight\":" AT("F32", "[0]", "0", "0") "}", DATA, 0,
     "lm_head.weight belongs to no matrix"},
    {"{" FIRST GOOD_A1 "," GOOD_B1 ",\"base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight\":"
     AT("F32", "[0]", "0", "0") "}", DATA, 0, "layers.0.self_attn.k_proj, which target_modules does not name"},
    {"{" FIRST "\"base_model.model.model.layers.1.self_attn.q_proj.lora_A.default.weight\":"
     AT("F32", "[2,48]", "768", "1152") "," GOOD_B1 "}", DATA, 0, "lora_A.weight is missing"},
};

static void write_tensors(struct fixture *f, const struct tensors_case *c)
{
    struct buf b = {0};
    uint64_t n = strlen(c->header);
    buf_add(&b, &n, 8);
    buf_puts(&b, c->header);
    for (size_t i = 0; i < c->data; i++)
        buf_putc(&b, (char)(c->pattern >> i % 4 * 8 & 0xff));
    random_write(f->adapter_dir[0], "adapter_model.safetensors", b.data, b.len);
    buf_free(&b);
}

static void test_hostile_tensors(void **state)
{
    (void)state;
    const struct tensors_case good = {"{" FIRST GOOD_A1 "," GOOD_B1 "}", DATA, 0x3f800000u, ""};
    struct fixture f;
    size_t run = 0;
    struct lora *l;
    open_fixture(&f, 0);
    random_write(f.adapter_dir[0], "adapter_config.json", "{" GOOD "}", strlen("{" GOOD "}"));
    for (; run < ARRAY_LEN(tensors_cases); run++) {
        write_tensors(&f, &tensors_cases[run]);
        refused(&f, "adapter_model.safetensors", tensors_cases[run].about, run);
    }
    assert_int_equal(run, ARRAY_LEN(tensors_cases));
    write_tensors(&f, &good);
    assert_int_equal(lora_open(f.adapter_dir[0], "good", f.m, &l, &f.e), 0);
    assert_true(lora_scale(l) == 2.0f);
    lora_close(l);
    random_adapter_remove(f.adapter_dir[0]);
    refused(&f, "adapter_config.json", "No such file", 0);
    close_fixture(&f);
}

/* Every length of a good file but its own is refused. */
static void test_every_cut(void **state)
{
    (void)state;
    struct fixture f;
    char path[128], *bytes;
    size_t len, cut = 0;
    open_fixture(&f, 0);
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", f.adapter_dir[0]);
    assert_int_equal(file_read(path, 1 << 20, &bytes, &len, &f.e), 0);
    for (; cut < len; cut += cut < 40 ? 1 : 97) {
        random_write(f.adapter_dir[0], "adapter_model.safetensors", bytes, cut);
        refused(&f, "adapter_model.safetensors", "", cut);
    }
    assert_true(cut >= len && len > 10000);
    xfree(bytes);
    close_fixture(&f);
}

/* PEFT's other ways to name what is adapted: whole names, a pattern, some layers; and the bare model. */
static void test_ways_to_name_targets(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "\"target_modules\":[\"self_attn.q_proj\"]",
        "\"target_modules\":[\"model.layers.0.self_attn.q_proj\",\"model.layers.1.self_attn.q_proj\"]",
        "\"target_modules\":\".*q_proj\"",
        "\"target_modules\":[\"q_proj\",\"v_proj\"],\"layers_to_transform\":[0,1]",
        "\"target_modules\":[\"q_proj\"],\"bias\":null,\"modules_to_save\":null,\"rank_pattern\":{},\"use_dora\":false",
        "\"target_modules\":[\"q_proj\"],\"init_lora_weights\":\"gaussian\",\"fan_in_fan_out\":true",
    };
    const struct tensors_case good = {"{" FIRST GOOD_A1 "," GOOD_B1 "}", DATA, 0x3f800000u, ""};
    struct fixture f;
    size_t run = 0;
    open_fixture(&f, 0);
    write_tensors(&f, &good);
    for (; run < ARRAY_LEN(ways); run++) {
        struct lora *l;
        struct buf b = {0};
        buf_printf(&b, "{\"peft_type\":\"LORA\",\"r\":2,\"lora_alpha\":4,%s}", ways[run]);
        random_write(f.adapter_dir[0], "adapter_config.json", b.data, b.len);
        if (lora_open(f.adapter_dir[0], "good", f.m, &l, &f.e) != 0)
            fail_msg("case %zu: %s", run, f.e.what);
        assert_int_equal(lora_flops(l), 2 * 2 * 2 * (48 + 48));
        lora_close(l);
        buf_free(&b);
    }
    assert_int_equal(run, ARRAY_LEN(ways));
    close_fixture(&f);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    unsigned long injected = 0;
    open_fixture(&f, 3);
    for (unsigned long nth = 1;; nth++) {
        struct lora *l;
        struct err e = {0};
        xalloc_fail_at(nth, false);
        int rc = lora_open(f.adapter_dir[0], "again", f.m, &l, &e);
        unsigned long failures = xalloc_failures();
        xalloc_fail_at(0, false);
        injected += failures;
        assert_true(rc == 0 || (e.set && l == NULL));
        lora_close(l);
        if (failures == 0)
            break;
    }
    assert_true(injected > 20);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_peft),
        cmocka_unit_test(test_against_a_merged_oracle),
        cmocka_unit_test(test_splits_are_bit_equal),
        cmocka_unit_test(test_batch_of_adapters),
        cmocka_unit_test(test_rows_of_another_adapter_show),
        cmocka_unit_test(test_flops_are_counted),
        cmocka_unit_test(test_hostile_configs),
        cmocka_unit_test(test_hostile_tensors),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_ways_to_name_targets),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
