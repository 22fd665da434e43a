/* Damaged checkpoint files: each gives one sentence that names what is wrong, and nothing else happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "model/safetensors.h"
#include "model/forward.h"
#include "model/tokenizer.h"
#include "tests/model/random_model.h"

static void one_sentence(const struct err *e, const char *file, const char *about, size_t n)
{
    if (!e->set || strstr(e->what, file) == NULL || strstr(e->what, about) == NULL || strchr(e->what, '\n') != NULL)
        fail_msg("case %zu: \"%s\" should name %s and say \"%s\"", n, e->what, file, about);
}

/* ---- safetensors ---- */

struct tensors_case {
    uint64_t length;    /* written as the header's length; 0: the true one */
    const char *header;
    size_t data;        /* bytes behind the header */
    const char *about;
};

static const struct tensors_case tensors_cases[] = {
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "cut off: tensor a"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],"
        "\"data_offsets\":[4,8]}}", 8, "overlap"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "tensor a has 8 bytes"},
    {0, "{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "F33"},
    {0, "{\"a\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "(none)"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "impossible shape"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,8]}}", 8, "impossible"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, "shape"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":\"2\",\"data_offsets\":[0,8]}}", 8, "shape"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "no range"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "no range"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "data_offsets"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,1e30]}}", 8, "data_offsets"},
    {0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[9223372036854775800,9223372036854775807]}}", 8, "cut off"},
    {0, "{\"a\":[1,2,3]}", 8, "no object"},
    {0, "{\"a\\u001b[31m\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "control characters"},
    {0, "{\"a\":{},\"a\":{}}", 8, "not valid JSON"},
    {0, "[1,2]", 8, "no JSON object"},
    {0, "{\"a\":", 8, "not valid JSON"},
    {0, "", 0, "not valid JSON"},
    {999, "{}", 0, "header should have 999 bytes"},
    {UINT64_MAX, "{}", 0, "header should have"},
    {(uint64_t)1 << 40, "{}", 0, "header should have"},
};

static void test_safetensors(void **state)
{
    (void)state;
    size_t run = 0;
    for (; run < ARRAY_LEN(tensors_cases); run++) {
        const struct tensors_case *c = &tensors_cases[run];
        struct safetensors *s;
        struct buf b = {0};
        struct err e = {0};
        uint64_t n = c->length > 0 ? c->length : strlen(c->header);
        buf_add(&b, &n, 8);
        buf_puts(&b, c->header);
        for (size_t i = 0; i < c->data; i++)
            buf_putc(&b, 'x');
        char *exact = xmemdup(b.data, b.len); /* no byte behind it, so that an over-read is seen */
        assert_int_equal(safetensors_parse("w.safetensors", exact, b.len, &s, &e), -1);
        assert_null(s);
        one_sentence(&e, "w.safetensors", c->about, run);
        xfree(exact);
        buf_free(&b);
    }
    assert_int_equal(run, ARRAY_LEN(tensors_cases));
    struct safetensors *s;
    struct err e = {0};
    assert_int_equal(safetensors_parse("w", "1234567", 7, &s, &e), -1);
    one_sentence(&e, "w", "7 bytes", run);
}

/* ---- config.json ---- */

static const char good_config[] =
    "{\"model_type\":\"llama\",\"vocab_size\":10,\"hidden_size\":8,\"intermediate_size\":16,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"max_position_embeddings\":64%s}";

static const struct {
    const char *more, *about; /* more fields; an earlier field given twice is refused as JSON, so they differ */
} config_cases[] = {
    {",\"hidden_act\":\"gelu\"", "hidden_act is \"gelu\""},
    {",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":2}", "rope_type is \"yarn\""},
    {",\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}", "default, linear and llama3"},
    {",\"rope_scaling\":{\"type\":\"linear\"}", "factor is nothing"},
    {",\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":1,"
     "\"original_max_position_embeddings\":64}", "high_freq_factor"},
    {",\"rope_scaling\":[]", "rope_scaling is []"},
    {",\"rope_theta\":\"big\"", "rope_theta is \"big\""},
    {",\"rope_theta\":-1", "rope_theta is -1"},
    {",\"head_dim\":3", "head_dim is 3"},
    {",\"head_dim\":0", "head_dim is 0"},
    {",\"head_dim\":100000", "head_dim is 100000"},
    {",\"rms_norm_eps\":0", "rms_norm_eps is 0"},
    {",\"eos_token_id\":-4", "eos_token_id is -4"},
    {",\"eos_token_id\":[1,\"x\"]", "eos_token_id is \"x\""},
    {",\"quantization_config\":{}", "quantization_config"},
    {",\"architectures\":[\"LlamaForSequenceClassification\"]", "architectures is \"LlamaForSequenceClassification\""},
    {",\"partial_rotary_factor\":0.5", "partial_rotary_factor is 0.5"},
    {",\"tie_word_embeddings\":3", "tie_word_embeddings is 3"},
};

static const struct {
    const char *json, *about;
} whole_configs[] = {
    {"{}", "model_type is nothing"},
    {"{\"model_type\":\"mamba\"}", "model_type is \"mamba\", but llama, mistral"},
    {"{\"model_type\":7}", "model_type is 7"},
    {"{\"model_type\":\"llama\"}", "vocab_size is nothing"},
    {"{\"model_type\":\"llama\",\"vocab_size\":1e3}", "vocab_size is 1000.0"},
    {"{\"model_type\":\"llama\",\"vocab_size\":99999999999}", "vocab_size is 99999999999"},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":10,\"n_layer\":1,\"n_embd\":10,\"n_head\":3}", "n_head is 3"},
    {"{\"model_type\":\"gpt2\",\"vocab_size\":10,\"n_layer\":1,\"n_embd\":8,\"n_head\":2,\"activation_function\":\"relu\"}",
     "activation_function is \"relu\""},
    {"{\"model_type\":\"llama\",\"vocab_size\":10,\"hidden_size\":8,\"intermediate_size\":1,\"num_hidden_layers\":1,"
     "\"num_attention_heads\":4,\"num_key_value_heads\":3}", "num_key_value_heads is 3"},
    {"nonsense", "not valid JSON"},
    {"", "not valid JSON"},
    {"[\"llama\"]", "no JSON object"},
};

static void test_config(void **state)
{
    (void)state;
    struct model_config c;
    size_t run = 0;
    for (; run < ARRAY_LEN(config_cases); run++) {
        char json[1024];
        struct err e = {0};
        int n = snprintf(json, sizeof json, good_config, config_cases[run].more);
        assert_int_equal(config_parse("config.json", json, (size_t)n, &c, &e), -1);
        one_sentence(&e, "config.json", config_cases[run].about, run);
    }
    for (size_t i = 0; i < ARRAY_LEN(whole_configs); i++, run++) {
        struct err e = {0};
        assert_int_equal(config_parse("config.json", whole_configs[i].json, strlen(whole_configs[i].json), &c, &e), -1);
        one_sentence(&e, "config.json", whole_configs[i].about, run);
    }
    assert_int_equal(run, ARRAY_LEN(config_cases) + ARRAY_LEN(whole_configs));
    char json[1024];
    struct err e = {0};
    int n = snprintf(json, sizeof json, good_config, "");
    assert_int_equal(config_parse("config.json", json, (size_t)n, &c, &e), 0);
}

/* ---- tokenizer.json ---- */

static const struct {
    const char *json, *about;
} tokenizer_cases[] = {
    {"{}", "model is nothing"},
    {"{\"model\":{\"type\":\"Unigram\"}}", "only BPE"},
    {"{\"model\":{\"vocab\":{\"a\":0}}}", "model.merges is nothing"},
    {"{\"model\":{\"vocab\":[],\"merges\":[]}}", "model.vocab is []"},
    {"{\"model\":{\"vocab\":{},\"merges\":[]}}", "model.vocab is {}"},
    {"{\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "there twice"},
    {"{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}", "id -1"},
    {"{\"model\":{\"vocab\":{\"a\":\"0\"},\"merges\":[]}}", "id -1"},
    {"{\"model\":{\"vocab\":{\"a\":100},\"merges\":[]}}", "embedding has 100 rows"},
    {"{\"model\":{\"vocab\":{\"a\":4294967295},\"merges\":[]}}", "embedding has 100 rows"},
    {"{\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\",\"a b\"]}}", "merge 1 (\"a\" and \"b\") is there twice"},
    {"{\"model\":{\"vocab\":{\"a\":0,\"b\":1},\"merges\":[\"a b\"]}}", "needs token \"ab\""},
    {"{\"model\":{\"vocab\":{\"a\":0,\"ab\":1},\"merges\":[\"a b\"]}}", "needs token \"b\""},
    {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"ab\"]}}", "merge 0 is no pair"},
    {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}", "merge 0 is no pair"},
    {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[[\"a\",1]]}}", "merge 0 is no pair"},
    {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[7]}}", "merge 0 is no pair"},
    {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"end_of_word_suffix\":\"</w>\"}}", "end_of_word_suffix"},
    {"{\"normalizer\":{\"type\":\"BertNormalizer\"},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "normalizer is \"BertNormalizer\""},
    {"{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"x\"},\"model\":{}}", "empty text"},
    {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"},\"model\":{}}", "one character"},
    {"{\"pre_tokenizer\":{\"type\":\"Whitespace\"},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "pre_tokenizer is \"Whitespace\""},
    {"{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"(\"}},\"model\":{}}", "cannot be used"},
    {"{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Wild\",\"pattern\":{\"Regex\":\"a\"}},\"model\":{}}", "Wild"},
    {"{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{}},\"model\":{}}", "pattern"},
    {"{\"added_tokens\":[{\"id\":5}],\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "added_tokens"},
    {"{\"added_tokens\":[{\"id\":5,\"content\":\"a\"}],\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "the vocabulary gives it 0"},
    {"{\"added_tokens\":[{\"id\":500,\"content\":\"<x>\"}],\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "embedding has 100 rows"},
    {"{\"post_processor\":{\"type\":\"RobertaProcessing\"},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "RobertaProcessing"},
    {"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}]},"
     "\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "special_tokens"},
    {"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}],"
     "\"special_tokens\":{\"x\":{\"ids\":[77]}}},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "no token has it"},
    {"{\"decoder\":{\"type\":\"WordPiece\"},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "decoder is \"WordPiece\""},
    {"{\"decoder\":{\"type\":\"Strip\",\"content\":\" \",\"start\":9,\"stop\":0},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "Strip"},
    {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}", "not valid JSON"},
    {"\"\\ud800\"", "not valid JSON"},
};

static void test_tokenizer(void **state)
{
    (void)state;
    size_t run = 0;
    for (; run < ARRAY_LEN(tokenizer_cases); run++) {
        struct tokenizer *t;
        struct err e = {0};
        const char *json = tokenizer_cases[run].json;
        assert_int_equal(tokenizer_parse("tokenizer.json", json, strlen(json), 100, &t, &e), -1);
        assert_null(t);
        one_sentence(&e, "tokenizer.json", tokenizer_cases[run].about, run);
    }
    assert_int_equal(run, ARRAY_LEN(tokenizer_cases));
}

/* Twenty replacements, each of which doubles the text, would make a megabyte of a byte and a gigabyte of a
 * kilobyte: encoding refuses. */
static void test_a_normalizer_that_grows(void **state)
{
    (void)state;
    struct buf json = {0};
    struct tokenizer *t;
    struct err e = {0};
    struct ids ids = {0};
    buf_puts(&json, "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[");
    for (int i = 0; i < 20; i++)
        buf_printf(&json, "%s{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aa\"}", i > 0 ? "," : "");
    buf_puts(&json, "]},\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}");
    assert_int_equal(tokenizer_parse("t", json.data, json.len, 100, &t, &e), 0);
    assert_int_equal(tokenizer_encode(t, "aaaa", 4, TOKENIZER_PLAIN, &ids, &e), -1);
    one_sentence(&e, "normalizer", "more than 4224 bytes of 4", 0);
    ids_free(&ids);
    tokenizer_close(t);
    buf_free(&json);
}

/* ---- whole folders ---- */

static const struct random_shape shape = {FAMILY_LLAMA, 2, 16, 24, 2, 1, 8, 256, 64, false, "F32", NULL, 1};

/* Read a file, change it, write it back. */
static void edit_file(const char *dir, const char *name, void (*edit)(char *bytes, size_t *len))
{
    char path[256], *bytes;
    size_t len;
    struct err e = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(file_read(path, 1 << 20, &bytes, &len, &e), 0);
    edit(bytes, &len);
    assert_int_equal(file_write(path, bytes, len, &e), 0);
    xfree(bytes);
}

static char *find_bytes(char *bytes, size_t len, const char *what)
{
    for (size_t i = 0; i + strlen(what) <= len; i++)
        if (memcmp(bytes + i, what, strlen(what)) == 0)
            return bytes + i;
    fail_msg("%s is not in the file", what);
    return NULL;
}

static void cut_tail(char *bytes, size_t *len)
{
    (void)bytes;
    *len -= 5;
}

static void put_nan(char *bytes, size_t *len)
{
    memset(bytes + *len - 8, 0xff, 4);
}

static void rename_tensor(char *bytes, size_t *len)
{
    char *at = find_bytes(bytes, *len, "layers.1.mlp.up_proj");
    memcpy(at + 9, "nlp", 3);
}

static void change_hidden(char *bytes, size_t *len)
{
    char *at = find_bytes(bytes, *len, "intermediate_size\":24");
    at[19] = '3';
}

static void change_vocab(char *bytes, size_t *len)
{
    char *at = find_bytes(bytes, *len, "vocab_size\":256");
    at[12] = '1';
}

static void test_folders(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        void (*edit)(char *, size_t *);
        const char *names, *about;
    } cases[] = {
        {"model.safetensors", cut_tail, "model.safetensors", "cut off"},
        {"model.safetensors", put_nan, "model.safetensors", "lm_head.weight holds a NaN"},
        {"model.safetensors", rename_tensor, "model.safetensors", "model.layers.1.mlp.up_proj.weight is missing"},
        {"config.json", change_hidden, "model.safetensors", "has shape [24, 16], but config.json asks for [34, 16]"},
        {"config.json", change_vocab, "model.safetensors", "asks for [156, 16]"},
        {"tokenizer.json", cut_tail, "tokenizer.json", "not valid JSON"},
    };
    size_t run = 0;
    for (; run < ARRAY_LEN(cases); run++)
        for (int mode = 0; mode < 2; mode++) {
            char dir[64];
            struct model *m = NULL;
            struct err e = {0};
            random_model(&shape, dir);
            edit_file(dir, cases[run].file, cases[run].edit);
            if (model_open(dir, &m, &e) == 0) { /* NaNs are found on first use */
                struct kvrows *rows = kvrows_new(model_get_config(m), 10, &e);
                assert_null(forward_new(m, rows, (enum forward_mode)mode, 1, &e));
                kvrows_free(rows);
                model_close(m);
            }
            one_sentence(&e, cases[run].names, cases[run].about, run);
            random_model_remove(dir);
        }
    assert_int_equal(run, ARRAY_LEN(cases));
}

static void test_missing_files(void **state)
{
    (void)state;
    static const char *const names[] = {"config.json", "model.safetensors", "tokenizer.json"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char dir[64], path[128];
        struct model *m;
        struct err e = {0};
        random_model(&shape, dir);
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(model_open(dir, &m, &e), -1);
        one_sentence(&e, names[i], "cannot be opened", i);
        assert_true(e.hint[0] != '\0');
        random_model_remove(dir);
    }
}

static void write_index(const char *dir, const char *json)
{
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/model.safetensors", dir);
    snprintf(to, sizeof to, "%s/a.safetensors", dir);
    if (rename(from, to) != 0)
        assert_int_equal(access(to, F_OK), 0);
    random_write(dir, "model.safetensors.index.json", json, strlen(json));
}

static void test_shards(void **state)
{
    (void)state;
    static const struct {
        const char *index, *names, *about;
    } cases[] = {
        {"{\"weight_map\":{\"x\":\"b.safetensors\"}}", "b.safetensors", "cannot be opened"},
        {"{\"weight_map\":{\"x\":\"../a.safetensors\"}}", "index.json", "no plain file name"},
        {"{\"weight_map\":{\"x\":\"/etc/passwd\"}}", "index.json", "no plain file name"},
        {"{\"weight_map\":{\"x\":7}}", "index.json", "no plain file name"},
        {"{\"weight_map\":{\"x\":\"a.safetensors\"}}", "index.json", "tensor x is in a.safetensors, but it is not"},
        {"{\"weight_map\":{}}", "index.json", "no weight_map"},
        {"{}", "index.json", "no weight_map"},
        {"{", "index.json", "not valid JSON"},
    };
    size_t run = 0;
    char dir[64], path[128];
    random_model(&shape, dir);
    for (; run < ARRAY_LEN(cases); run++) {
        struct model *m;
        struct err e = {0};
        write_index(dir, cases[run].index);
        assert_int_equal(model_open(dir, &m, &e), -1);
        one_sentence(&e, cases[run].names, cases[run].about, run);
    }
    assert_int_equal(run, ARRAY_LEN(cases));
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/model.safetensors.index.json", dir);
    unlink(path);
    random_model_remove(dir);
}

/* ---- random damage: no crash, no over-read (the sanitizers watch), an answer every time ---- */

static const char tokenizer_seed[] =
    "{\"added_tokens\":[{\"id\":5,\"content\":\"<x>\",\"special\":true}],\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":"
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Split\",\"pattern\":"
    "{\"Regex\":\" ?\\\\p{L}+|\\\\s+\"},\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\"}]},\"decoder\":{\"type\":\"ByteLevel\"},"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"c\":3,\"abc\":4},\"merges\":[\"a b\",[\"ab\",\"c\"]]}}";

static const char tensors_seed[] =
    "................{\"a\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"BF16\",\"shape\":[3],"
    "\"data_offsets\":[8,14]}}01234567890123";

static void damage(struct prng *r, char *bytes, size_t *len)
{
    for (uint32_t times = 1 + prng_below(r, 4); times > 0; times--) {
        size_t at = prng_below(r, (uint32_t)*len);
        switch (prng_below(r, 4)) {
        case 0:
            bytes[at] = (char)prng_below(r, 256);
            break;
        case 1:
            bytes[at] = (char)(bytes[at] ^ 1 << prng_below(r, 8));
            break;
        case 2:
            bytes[at] = "0123456789{}[],:\"-"[prng_below(r, 18)];
            break;
        default:
            memmove(bytes + at, bytes + at + 1, *len - at - 1);
            *len -= *len > 20;
        }
    }
}

static void try_tensors(const char *bytes, size_t len)
{
    struct safetensors *s;
    struct err e = {0};
    if (safetensors_parse("w", bytes, len, &s, &e) != 0) {
        assert_true(e.set);
        return;
    }
    for (size_t i = 0; i < safetensors_count(s); i++) {
        float x[64];
        const struct tensor *t = safetensors_at(s, i);
        if (t->dtype != DTYPE_OTHER)
            tensor_read(t, 0, t->count < 64 ? t->count : 64, x);
    }
    safetensors_close(s);
}

static void try_tokenizer(const char *bytes, size_t len)
{
    static const char text[] = "abc <x> 12\xff caf\xc3\xa9 cababc";
    struct tokenizer *t;
    struct err e = {0};
    if (tokenizer_parse("t", bytes, len, 100, &t, &e) != 0) {
        assert_true(e.set);
        return;
    }
    struct ids ids = {0};
    struct buf out = {0};
    if (tokenizer_encode(t, text, sizeof text - 1, TOKENIZER_ADD_SPECIAL | TOKENIZER_PARSE_SPECIAL, &ids, &e) == 0)
        tokenizer_decode(t, ids.at, ids.len, &out);
    ids_free(&ids);
    buf_free(&out);
    tokenizer_close(t);
}

static void test_random_damage(void **state)
{
    (void)state;
    struct prng r;
    unsigned tried = 0;
    prng_seed(&r, 11);
    for (; tried < 30000; tried++) {
        char bytes[2048];
        struct model_config c;
        struct err e = {0};
        size_t len = sizeof tensors_seed - 1;
        uint64_t header = len - 16 - 14 + 8;
        memcpy(bytes, tensors_seed + 8, len - 8);
        len -= 8;
        header -= 8;
        memcpy(bytes, &header, 8);
        damage(&r, bytes, &len);
        try_tensors(bytes, len);
        len = (size_t)snprintf(bytes, sizeof bytes, good_config, ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}");
        damage(&r, bytes, &len);
        if (config_parse("c", bytes, len, &c, &e) != 0)
            assert_true(e.set);
        if (tried % 8 == 0) {
            len = sizeof tokenizer_seed - 1;
            memcpy(bytes, tokenizer_seed, len);
            damage(&r, bytes, &len);
            try_tokenizer(bytes, len);
        }
    }
    assert_int_equal(tried, 30000);
    try_tokenizer(tokenizer_seed, sizeof tokenizer_seed - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors),   cmocka_unit_test(test_config),        cmocka_unit_test(test_tokenizer),
        cmocka_unit_test(test_folders),       cmocka_unit_test(test_missing_files), cmocka_unit_test(test_shards),
        cmocka_unit_test(test_random_damage), cmocka_unit_test(test_a_normalizer_that_grows),
    };
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
