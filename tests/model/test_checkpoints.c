/* Checkpoints against what others computed: our two always, the seven of ../shared where they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "model/check.h"
#include "model/sample.h"

static const char *const ours[] = {"tests/model/data/qwen3-sharded-bf16", "tests/model/data/mistral-linear-f16"};

static const char *const shared[] = {
    "../shared/reference/hf/llama-mha-f32",       "../shared/reference/hf/llama3-gqa-bf16",
    "../shared/reference/hf/qwen2-bias-bf16",     "../shared/reference/hf/qwen3-qknorm-f32",
    "../shared/reference/hf/mistral-sharded-f16", "../shared/reference/hf/smollm-tied-bf16",
    "../shared/reference/hf/gpt2-f32",
};

static bool is_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static void check_one(const char *dir, const struct forward_engine *engine, uint32_t least_splits)
{
    struct check_result r;
    struct err e = {0};
    if (model_check(dir, engine, &r, &e) != 0)
        fail_msg("%s", e.what);
    if (!r.pass)
        fail_msg("%s: %s", dir, r.first.what);
    for (int mode = 0; mode < 2; mode++) {
        assert_true(r.mode[mode].greedy_checked >= 16);
        assert_int_equal(r.mode[mode].greedy_equal, r.mode[mode].greedy_checked);
        assert_true(r.mode[mode].decoded_checked >= 20);
        assert_true(r.mode[mode].splits_checked >= least_splits);
    }
    assert_int_equal(r.mode[FORWARD_EXACT].splits_bit_equal, r.mode[FORWARD_EXACT].splits_checked);
}

static void test_our_checkpoints(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        check_one(ours[i], NULL, 38);
}

static void test_our_checkpoints_in_openblas_tiles(void **state)
{
    (void)state;
    struct forward_engine tile = {.blas = BLAS_TILE};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        check_one(ours[i], &tile, 38);
}

static void test_shared_checkpoints(void **state)
{
    (void)state;
    unsigned checked = 0;
    if (!is_there(shared[0]))
        skip();
    for (size_t i = 0; i < ARRAY_LEN(shared); i++, checked++)
        check_one(shared[i], NULL, 200);
    assert_int_equal(checked, 7);
}

/* A check that cannot fail proves nothing: a copy with one changed expectation must not pass. */
static void test_a_wrong_expectation_fails(void **state)
{
    (void)state;
    char dir[] = "/tmp/radixscope-check-XXXXXX", command[512];
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof command, "cp %s/* %s && sed -i.old 's/\"ids\": \\[\\([0-9]*\\), /\"ids\": [3\\1, /' %s/expect.json",
             ours[1], dir, dir);
    assert_int_equal(system(command), 0);
    struct check_result r;
    struct err e = {0};
    bool passed = model_check(dir, NULL, &r, &e) == 0 && r.pass;
    assert_false(passed);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static void test_json(void **state)
{
    (void)state;
    struct check_result r = {.pass = true};
    struct buf out = {0};
    r.mode[FORWARD_EXACT] = (struct check_mode){.max_abs_logit_diff = 0.5, .greedy_checked = 3, .greedy_equal = 2,
                                                .ids_equal = true, .splits_checked = 5, .splits_bit_equal = 4};
    check_json(&r, &out);
    assert_string_equal(buf_text(&out),
                        "{\"pass\":true,\"modes\":{\"exact\":{\"max_abs_logit_diff\":0.5,\"greedy_checked\":3,"
                        "\"greedy_equal\":2,\"ids_equal\":true,\"decoded_equal\":false,\"splits_checked\":5,"
                        "\"splits_bit_equal\":4},\"fast\":{\"max_abs_logit_diff\":0,\"greedy_checked\":0,"
                        "\"greedy_equal\":0,\"ids_equal\":false,\"decoded_equal\":false,\"splits_checked\":0,"
                        "\"splits_bit_equal\":0}}}\n");
    buf_free(&out);
}

/* A real small model that others trained goes on as it should. */
static void test_stories(void **state)
{
    (void)state;
    static const char dir[] = "../shared/models/stories260k", start[] = "Once upon a time";
    if (!is_there(dir))
        skip();
    for (int mode = 0; mode < 2; mode++) {
        struct model *m;
        struct err e = {0};
        struct ids ids = {0};
        struct buf text = {0};
        assert_int_equal(model_open(dir, &m, &e), 0);
        uint32_t vocab = model_get_config(m)->vocab, row[64], n = 0;
        struct kvrows *rows = kvrows_new(model_get_config(m), 64, &e);
        struct forward *f = forward_new(m, rows, (enum forward_mode)mode, 1, &e);
        float *logits = xmalloc(vocab * sizeof *logits);
        assert_int_equal(tokenizer_encode(model_get_tokenizer(m), start, strlen(start), TOKENIZER_ADD_SPECIAL, &ids, &e), 0);
        while (n < 40) {
            struct forward_job job = {.tokens = ids.at + n, .n = (uint32_t)ids.len - n, .start = n, .past_rows = row,
                                      .new_rows = row + n, .want = LOGITS_LAST, .logits = logits};
            assert_int_equal(forward_run(f, &job, 1, NULL, NULL, &e), FORWARD_OK);
            n = (uint32_t)ids.len;
            ids_add(&ids, sample_argmax(logits, vocab));
        }
        tokenizer_decode(model_get_tokenizer(m), ids.at + 1, ids.len - 1, &text);
        assert_non_null(strstr(buf_text(&text), "Once upon a time, there was a little girl named Lily. She loved to play"));
        xfree(logits);
        ids_free(&ids);
        buf_free(&text);
        forward_free(f);
        kvrows_free(rows);
        model_close(m);
    }
}

/* ---- every OpenBLAS kernel family that this CPU can run ---- */

static bool cpu_can(const char *core)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (strcmp(core, "SkylakeX") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    if (strcmp(core, "Haswell") == 0 || strcmp(core, "Zen") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (strcmp(core, "Sandybridge") == 0)
        return __builtin_cpu_supports("avx");
    return strcmp(core, "Nehalem") == 0 && __builtin_cpu_supports("sse4.2");
#else
    (void)core;
    return false;
#endif
}

/* OpenBLAS reads its environment when it is loaded: each family needs a process of its own. */
static int child(void)
{
    struct forward_engine tile = {.blas = BLAS_TILE};
    struct check_result r;
    struct err e = {0};
    printf("core %s\n", blas_core());
    fflush(stdout);
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (model_check(ours[i], &tile, &r, &e) != 0 || !r.pass) {
            printf("%s: %s%s\n", ours[i], e.what, r.first.what);
            return 1;
        }
    return 0;
}

static const char *self;

static void test_every_openblas_family(void **state)
{
    (void)state;
    static const char *const cores[] = {"Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX"};
    unsigned ran = 0;
    for (size_t i = 0; i < ARRAY_LEN(cores); i++) {
        if (!cpu_can(cores[i]))
            continue;
        pid_t pid = fork();
        if (pid == 0) {
            setenv("OPENBLAS_CORETYPE", cores[i], 1);
            execl(self, self, "child", (char *)NULL);
            _exit(127);
        }
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("exact mode fails on OpenBLAS's %s kernels", cores[i]);
        ran++;
    }
    if (ran == 0)
        skip();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_checkpoints),
        cmocka_unit_test(test_our_checkpoints_in_openblas_tiles),
        cmocka_unit_test(test_shared_checkpoints),
        cmocka_unit_test(test_a_wrong_expectation_fails),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_every_openblas_family),
    };
    self = argv[0];
    if (argc > 1 && strcmp(argv[1], "child") == 0)
        return child();
    return cmocka_run_group_tests_name("checkpoints", tests, NULL, NULL);
}
