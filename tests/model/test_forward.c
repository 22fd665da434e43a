/* The forward pass: against an oracle, and exact against itself however the work is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/xalloc.h"
#include "model/cascade.h"
#include "model/forward_parts.h"
#include "model/sample.h"
#include "tests/model/oracle.h"
#include "tests/model/random_model.h"

enum { TOKENS = 53, CONTEXT = 96 };

static const struct random_shape shapes[] = {
    {FAMILY_LLAMA, 2, 48, 72, 4, 2, 12, 261, CONTEXT, false, "F32", NULL, 1},
    {FAMILY_LLAMA, 3, 40, 100, 5, 5, 8, 300, CONTEXT, true, "BF16", "\"rope_theta\":500.0,", 2},
    {FAMILY_LLAMA, 2, 32, 64, 4, 1, 16, 256, CONTEXT, true, "F32",
     "\"rope_parameters\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
     "\"original_max_position_embeddings\":32,\"rope_theta\":5000.0},", 3},
    {FAMILY_LLAMA, 2, 32, 64, 4, 2, 8, 256, CONTEXT, true, "F16",
     "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5},", 4},
    {FAMILY_MISTRAL, 2, 64, 96, 8, 2, 8, 256, CONTEXT, false, "F16", NULL, 5},
    {FAMILY_QWEN2, 2, 36, 50, 6, 3, 6, 260, CONTEXT, true, "BF16", NULL, 6},
    {FAMILY_QWEN3, 2, 40, 56, 4, 2, 20, 257, CONTEXT, true, "F32", NULL, 7},
    {FAMILY_GPT2, 2, 48, 80, 3, 3, 16, 256, CONTEXT, true, "F32", NULL, 8},
};

struct fixture {
    char dir[64];
    struct model *m;
    const struct model_config *c;
    struct kvrows *rows;
    uint32_t ids[TOKENS], row[TOKENS];
    float *cold, *again; /* (TOKENS, vocab) */
    struct err e;
};

static void open_fixture(struct fixture *f, const struct random_shape *s)
{
    struct prng rng;
    *f = (struct fixture){0};
    random_model(s, f->dir);
    if (model_open(f->dir, &f->m, &f->e) != 0)
        fail_msg("%s", f->e.what);
    f->c = model_get_config(f->m);
    f->rows = kvrows_new(f->c, 4 * TOKENS, &f->e);
    prng_seed(&rng, s->seed + 100);
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
    model_close(f->m);
    random_model_remove(f->dir);
}

/* Tokens [from, to) behind the rows in `row`, all logits to their places in `out`. */
static void run_part(struct fixture *f, struct forward *forward, uint32_t from, uint32_t to, uint32_t *row, float *out)
{
    struct forward_job job = {.tokens = f->ids + from, .n = to - from, .start = from, .past_rows = row,
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

static void test_against_the_oracle(void **state)
{
    (void)state;
    unsigned compared = 0;
    for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
        struct fixture f;
        struct oracle o;
        struct safetensors *files;
        open_fixture(&f, &shapes[s]);
        assert_int_equal(safetensors_open(f.dir, &files, &f.e), 0);
        oracle_init(&o, f.c, files);
        double *wanted = xmalloc(f.c->vocab * sizeof *wanted);
        struct forward *exact = new_forward(&f, FORWARD_EXACT, NULL), *fast = new_forward(&f, FORWARD_FAST, NULL);
        run_part(&f, exact, 0, TOKENS, f.row, f.cold);
        run_part(&f, fast, 0, TOKENS, f.row, f.again);
        for (uint32_t t = 0; t < TOKENS; t++) {
            oracle_step(&o, f.ids[t], wanted);
            for (uint32_t v = 0; v < f.c->vocab; v++, compared++) {
                assert_true(fabs((double)f.cold[t * f.c->vocab + v] - wanted[v]) < 1e-4);
                assert_true(fabs((double)f.again[t * f.c->vocab + v] - wanted[v]) < 1e-4);
            }
        }
        xfree(wanted);
        oracle_done(&o);
        safetensors_close(files);
        forward_free(exact);
        forward_free(fast);
        close_fixture(&f);
    }
    assert_true(compared > TOKENS * 256 * ARRAY_LEN(shapes));
}

/* Every split into two runs, and token by token, gives the cold run's bits, in every exact engine. */
static void test_splits_are_bit_equal(void **state)
{
    (void)state;
    const struct kernels *k[KERNELS_MAX];
    size_t n_kernels = kernels_all(k);
    unsigned splits = 0;
    for (size_t s = 0; s < ARRAY_LEN(shapes); s++)
        for (size_t g = 0; g <= n_kernels; g++) {
            struct forward_engine engine = {.blas = g < n_kernels ? BLAS_KERNEL : BLAS_TILE,
                                            .kernels = g < n_kernels ? k[g] : NULL};
            struct fixture f;
            open_fixture(&f, &shapes[s]);
            struct forward *forward = new_forward(&f, FORWARD_EXACT, &engine);
            size_t bytes = TOKENS * f.c->vocab * sizeof(float);
            run_part(&f, forward, 0, TOKENS, f.row, f.cold);
            for (uint32_t at = 1; at < TOKENS; at++, splits++) {
                uint32_t row[TOKENS];
                run_part(&f, forward, 0, at, row, f.again);
                run_part(&f, forward, at, TOKENS, row, f.again);
                assert_memory_equal(f.again, f.cold, bytes);
                for (uint32_t i = 0; i < TOKENS; i++)
                    kvrows_release(f.rows, row[i]);
            }
            uint32_t row[TOKENS];
            for (uint32_t i = 0; i < TOKENS; i++)
                run_part(&f, forward, i, i + 1, row, f.again);
            assert_memory_equal(f.again, f.cold, bytes);
            forward_free(forward);
            close_fixture(&f);
        }
    assert_int_equal(splits, ARRAY_LEN(shapes) * (n_kernels + 1) * (TOKENS - 1));
}

/* The kernels' versions agree on whole models, so that logits are the same on every machine. */
static void test_versions_agree(void **state)
{
    (void)state;
    const struct kernels *k[KERNELS_MAX];
    size_t n_kernels = kernels_all(k), models = 0;
    for (size_t s = 0; s < ARRAY_LEN(shapes); s++, models++) {
        struct fixture f;
        open_fixture(&f, &shapes[s]);
        for (size_t g = 0; g < n_kernels; g++) {
            struct forward_engine engine = {.blas = BLAS_KERNEL, .kernels = k[g]};
            struct forward *forward = new_forward(&f, FORWARD_EXACT, &engine);
            kvrows_clear(f.rows);
            run_part(&f, forward, 0, TOKENS, f.row, g == 0 ? f.cold : f.again);
            if (g > 0)
                assert_memory_equal(f.again, f.cold, TOKENS * f.c->vocab * sizeof(float));
            forward_free(forward);
        }
        close_fixture(&f);
    }
    assert_int_equal(models, ARRAY_LEN(shapes));
}

/* Three sequences that share a prefix's rows, at different positions, in one batch and alone. */
static void test_batch_is_bit_equal(void **state)
{
    (void)state;
    unsigned compared = 0;
    for (int tile = 0; tile < 2; tile++)
        for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
            static const uint32_t from[3] = {20, 33, 7}, to[3] = {41, 34, 53};
            struct forward_engine engine = {.blas = tile ? BLAS_TILE : BLAS_KERNEL};
            struct fixture f;
            open_fixture(&f, &shapes[s]);
            struct forward *forward = new_forward(&f, FORWARD_EXACT, &engine);
            run_part(&f, forward, 0, TOKENS, f.row, f.cold);
            struct forward_job job[3];
            uint32_t row[3][TOKENS];
            float *out[3];
            for (int j = 0; j < 3; j++) {
                out[j] = xmalloc(TOKENS * f.c->vocab * sizeof(float));
                job[j] = (struct forward_job){.tokens = f.ids + from[j], .n = to[j] - from[j], .start = from[j],
                                              .past_rows = f.row, .new_rows = row[j],
                                              .want = j == 0 ? LOGITS_LAST : LOGITS_ALL, .logits = out[j]};
            }
            assert_int_equal(forward_run(forward, job, 3, NULL, NULL, &f.e), FORWARD_OK);
            for (int j = 0; j < 3; j++, compared++) {
                uint32_t first = j == 0 ? to[j] - 1 : from[j], n = to[j] - first;
                assert_memory_equal(out[j], f.cold + (size_t)first * f.c->vocab, n * f.c->vocab * sizeof(float));
                xfree(out[j]);
            }
            forward_free(forward);
            close_fixture(&f);
        }
    assert_int_equal(compared, 2 * 3 * ARRAY_LEN(shapes));
}

/* A decode batch of eight: five read the first 48 rows of one run, three the first 32 of another. */
static void shared_batch(struct fixture *f, struct forward *forward, const uint32_t *other, float *out,
                         struct forward_stats *stats)
{
    static const uint32_t start[8] = {48, 34, 50, 33, 52, 48, 35, 49};
    struct forward_job job[8];
    uint32_t row[8][2];
    for (uint32_t j = 0; j < 8; j++) {
        bool second = start[j] < 40;
        job[j] = (struct forward_job){.tokens = f->ids + start[j], .n = 1 + j % 2, .start = start[j],
                                      .past_rows = second ? other : f->row, .new_rows = row[j],
                                      .want = LOGITS_LAST, .logits = out + (size_t)j * f->c->vocab};
    }
    assert_int_equal(forward_run(forward, job, 8, NULL, stats, &f->e), FORWARD_OK);
}

static void test_shared_prefix_is_bit_equal(void **state)
{
    (void)state;
    unsigned compared = 0, sharing = 0;
    for (int mode = 0; mode < 3; mode++)
        for (size_t s = 0; s < ARRAY_LEN(shapes); s++, compared++) {
            struct forward_engine engine = {.blas = mode == 2 ? BLAS_TILE : BLAS_KERNEL};
            struct fixture f;
            uint32_t other[TOKENS];
            open_fixture(&f, &shapes[s]);
            struct forward *forward = new_forward(&f, mode == 0 ? FORWARD_FAST : FORWARD_EXACT, mode == 0 ? NULL : &engine);
            bool shares = mode != 2 && f.c->head_dim >= CASCADE_HEAD_DIM;
            sharing += shares;
            run_part(&f, forward, 0, TOKENS, f.row, f.cold);
            run_part(&f, forward, 0, TOKENS, other, f.again);
            struct forward_stats apart, together;
            forward_share(forward, false);
            shared_batch(&f, forward, other, f.cold, &apart);
            forward_share(forward, true);
            shared_batch(&f, forward, other, f.again, &together);
            assert_memory_equal(f.cold, f.again, 8 * f.c->vocab * sizeof(float));
            assert_int_equal(apart.rows_read, apart.rows_alone);
            assert_int_equal(together.rows_alone, apart.rows_alone);
            assert_int_equal(together.shared_jobs, shares ? 5 : 0);
            assert_int_equal(together.shared_positions, shares ? 48 : 0);
            assert_int_equal(together.rows_alone - together.rows_read, shares ? 4 * 48 + 2 * 32 : 0);
            forward_free(forward);
            close_fixture(&f);
        }
    assert_int_equal(compared, 3 * ARRAY_LEN(shapes));
    assert_true(sharing >= 2);
}

/* Groups against what they must be: every job once, what is shared is shared, nobody is left who belongs. */
static void test_groups(void **state)
{
    (void)state;
    enum { JOBS = 9, ROWS = 200 };
    static float store[2 * JOBS * ROWS];
    const float *table[JOBS][ROWS];
    unsigned shared = 0;
    struct prng rng;
    prng_seed(&rng, 5);
    for (int round = 0; round < 500; round++) {
        struct cascade_job job[JOBS];
        struct cascade_group group[JOBS];
        uint32_t order[JOBS], seen = 0, jobs = 1 + prng_below(&rng, JOBS);
        for (uint32_t j = 0; j < jobs; j++) {
            uint32_t like = prng_below(&rng, j + 1), until = prng_below(&rng, ROWS);
            for (uint32_t i = 0; i < ROWS; i++)
                table[j][i] = like < j && i < until ? table[like][i] : &store[(j * ROWS + i) * 2];
            job[j] = (struct cascade_job){table[j], prng_below(&rng, ROWS + 1)};
        }
        uint32_t groups = cascade_plan(job, jobs, order, group), at = 0;
        for (uint32_t g = 0; g < groups; at += group[g++].count) {
            assert_int_equal(group[g].first, at);
            assert_true(group[g].count > 0 && (group[g].count > 1) == (group[g].shared > 0));
            assert_true(group[g].shared % 16 == 0 && (group[g].shared == 0 || group[g].shared >= CASCADE_LEAST));
            for (uint32_t k = at; k < at + group[g].count; k++) {
                seen |= 1u << order[k];
                assert_true(job[order[k]].before >= group[g].shared);
                assert_memory_equal(table[order[k]], table[order[at]], group[g].shared * sizeof *table[0]);
            }
            shared += group[g].count - 1;
        }
        assert_int_equal(at, jobs);
        assert_int_equal(seen, (1u << jobs) - 1);
    }
    assert_true(shared > 500);
}

/* A cache that is wrong in one place must show in the logits. */
static void test_broken_cache_is_seen(void **state)
{
    (void)state;
    unsigned broken = 0;
    for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
        struct fixture f;
        open_fixture(&f, &shapes[s]);
        struct forward *forward = new_forward(&f, FORWARD_EXACT, NULL);
        size_t last = f.c->vocab * sizeof(float);
        run_part(&f, forward, 0, TOKENS, f.row, f.cold);
        const float *wanted = f.cold + (size_t)(TOKENS - 1) * f.c->vocab;
        uint32_t new_row;
        struct forward_job job = {.tokens = f.ids + TOKENS - 1, .n = 1, .start = TOKENS - 1, .past_rows = f.row,
                                  .new_rows = &new_row, .want = LOGITS_LAST, .logits = f.again};
        assert_int_equal(forward_run(forward, &job, 1, NULL, NULL, &f.e), FORWARD_OK);
        assert_memory_equal(f.again, wanted, last);
        float *k = kvrows_edit_k(f.rows, f.row[9], f.c->layers - 1), *v = kvrows_edit_v(f.rows, f.row[30], 0);
        float k_was = *k, v_was = *v;
        *k += 0.5f;
        assert_int_equal(forward_run(forward, &job, 1, NULL, NULL, &f.e), FORWARD_OK);
        assert_memory_not_equal(f.again, wanted, last);
        *k = k_was;
        *v += 0.5f;
        assert_int_equal(forward_run(forward, &job, 1, NULL, NULL, &f.e), FORWARD_OK);
        assert_memory_not_equal(f.again, wanted, last);
        *v = v_was;
        uint32_t was = f.row[9];
        f.row[9] = f.row[30]; /* one slot points to another token's row */
        assert_int_equal(forward_run(forward, &job, 1, NULL, NULL, &f.e), FORWARD_OK);
        assert_memory_not_equal(f.again, wanted, last);
        f.row[9] = was;
        assert_int_equal(forward_run(forward, &job, 1, NULL, NULL, &f.e), FORWARD_OK);
        assert_memory_equal(f.again, wanted, last);
        broken += 3;
        forward_free(forward);
        close_fixture(&f);
    }
    assert_int_equal(broken, 3 * ARRAY_LEN(shapes));
}

/* One, two and three threads: the same bits; large enough that the work is divided. */
static void test_threads_do_not_matter(void **state)
{
    (void)state;
    static const struct random_shape wide = {FAMILY_LLAMA, 2, 160, 480, 8, 4, 20, 320, 400, true, "BF16", NULL, 21};
    enum { MANY = 320 };
    struct fixture f;
    open_fixture(&f, &wide);
    struct kvrows *rows = kvrows_new(f.c, 2 * MANY, &f.e);
    uint32_t ids[MANY], row[MANY];
    float *one = xmalloc(MANY * f.c->vocab * sizeof *one), *more = xmalloc(MANY * f.c->vocab * sizeof *more);
    unsigned compared = 0;
    for (uint32_t i = 0; i < MANY; i++)
        ids[i] = i * 7 % f.c->vocab;
    assert_true(blas_worth_dividing(MANY, f.c->dim, f.c->dim));
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct forward *forward = forward_new(f.m, rows, FORWARD_EXACT, threads, &f.e);
        for (uint32_t cut = 100; cut < MANY; cut += 73, compared++) {
            struct forward_job job = {.tokens = ids, .n = cut, .new_rows = row, .want = LOGITS_ALL,
                                      .logits = threads == 1 && cut == 100 ? one : more};
            kvrows_clear(rows);
            assert_int_equal(forward_run(forward, &job, 1, NULL, NULL, &f.e), FORWARD_OK);
            job = (struct forward_job){.tokens = ids + cut, .n = MANY - cut, .start = cut, .past_rows = row,
                                       .new_rows = row + cut, .want = LOGITS_ALL,
                                       .logits = job.logits + (size_t)cut * f.c->vocab};
            assert_int_equal(forward_run(forward, &job, 1, NULL, NULL, &f.e), FORWARD_OK);
            if (threads > 1 || cut > 100)
                assert_memory_equal(one, more, MANY * f.c->vocab * sizeof *one);
        }
        forward_free(forward);
    }
    assert_int_equal(compared, 12);
    xfree(one);
    xfree(more);
    kvrows_free(rows);
    close_fixture(&f);
}

struct watcher {
    uint32_t calls, stop_at, attention, residual;
    double sum;
};

static int count_layers(void *arg, const struct forward_progress *p)
{
    struct watcher *w = arg;
    assert_true(p->layer < p->layers && p->tokens <= p->all_tokens);
    return ++w->calls == w->stop_at;
}

static void count_probes(void *arg, const struct forward_probe *p)
{
    struct watcher *w = arg;
    if (p->what == PROBE_RESIDUAL) {
        w->residual++;
        return;
    }
    w->attention++;
    assert_int_equal(p->columns, p->position + 1);
    for (uint32_t i = 0; i < p->rows * p->columns; i++)
        w->sum += (double)p->data[i];
}

static void test_progress_cancel_and_probe(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, &shapes[1]);
    struct forward *forward = new_forward(&f, FORWARD_EXACT, NULL);
    struct forward_job job = {.tokens = f.ids, .n = TOKENS, .new_rows = f.row, .want = LOGITS_ALL, .logits = f.cold};
    struct watcher w = {0};
    struct forward_watch watch = {count_layers, count_probes, &w};
    struct forward_stats stats;
    assert_int_equal(forward_run(forward, &job, 1, &watch, &stats, &f.e), FORWARD_OK);
    assert_int_equal(w.calls, f.c->layers);
    assert_int_equal(w.residual, f.c->layers);
    assert_int_equal(w.attention, f.c->layers);
    assert_true(fabs(w.sum - (double)f.c->layers * f.c->heads) < 1e-3);
    assert_int_equal(stats.tokens, TOKENS);
    assert_int_equal(stats.flops, forward_flops(f.c, TOKENS, 0, TOKENS));
    uint32_t live = kvrows_live(f.rows), first = f.row[0];
    assert_int_equal(live, TOKENS);
    for (uint32_t stop = 1; stop <= f.c->layers; stop++) {
        uint32_t row[TOKENS];
        w = (struct watcher){.stop_at = stop};
        job.new_rows = row;
        job.logits = f.again;
        assert_int_equal(forward_run(forward, &job, 1, &watch, NULL, &f.e), FORWARD_CANCELLED);
        assert_int_equal(w.calls, stop);
        assert_int_equal(kvrows_live(f.rows), live);
        assert_int_equal(row[0], 0);
    }
    assert_int_equal(f.row[0], first);
    forward_free(forward);
    close_fixture(&f);
}

static void test_limits(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, &shapes[0]);
    struct forward *forward = new_forward(&f, FORWARD_EXACT, NULL);
    uint32_t row[TOKENS], bad = f.c->vocab;
    struct forward_job job = {.tokens = f.ids, .n = TOKENS, .start = CONTEXT - TOKENS + 1, .past_rows = row,
                              .new_rows = row, .want = LOGITS_NONE};
    assert_int_equal(forward_run(forward, &job, 1, NULL, NULL, &f.e), FORWARD_ERROR);
    assert_non_null(strstr(f.e.what, "context"));
    err_clear(&f.e);
    job = (struct forward_job){.tokens = &bad, .n = 1, .new_rows = row, .want = LOGITS_NONE};
    assert_int_equal(forward_run(forward, &job, 1, NULL, NULL, &f.e), FORWARD_ERROR);
    assert_non_null(strstr(f.e.what, "vocabulary"));
    err_clear(&f.e);
    struct kvrows *small = kvrows_new(f.c, 10, &f.e);
    struct forward *cramped = forward_new(f.m, small, FORWARD_EXACT, 1, &f.e);
    job = (struct forward_job){.tokens = f.ids, .n = 11, .new_rows = row, .want = LOGITS_NONE};
    assert_int_equal(forward_run(cramped, &job, 1, NULL, NULL, &f.e), FORWARD_NO_ROWS);
    assert_int_equal(kvrows_live(small), 0);
    job.n = 10;
    assert_int_equal(forward_run(cramped, &job, 1, NULL, NULL, &f.e), FORWARD_OK);
    assert_int_equal(kvrows_live(small), 10);
    forward_free(cramped);
    kvrows_free(small);
    forward_free(forward);
    close_fixture(&f);
}

/* Every allocation of opening and running fails once; each failure is an error, nothing leaks or breaks. */
static void test_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, &shapes[5]);
    unsigned long injected = 0;
    bool done = false;
    for (unsigned long nth = 1; !done; nth++) {
        struct model *m = NULL;
        struct kvrows *rows = NULL;
        struct forward *forward = NULL;
        struct err e = {0};
        uint32_t row[TOKENS];
        struct forward_job job = {.tokens = f.ids, .n = TOKENS, .new_rows = row, .want = LOGITS_ALL, .logits = f.again};
        xalloc_fail_at(nth, false);
        done = model_open(f.dir, &m, &e) == 0 && (rows = kvrows_new(f.c, 100, &e)) != NULL &&
               (forward = forward_new(m, rows, FORWARD_EXACT, 1, &e)) != NULL &&
               forward_run(forward, &job, 1, NULL, NULL, &e) == FORWARD_OK;
        unsigned long failures = xalloc_failures();
        xalloc_fail_at(0, false);
        injected += failures;
        assert_true(failures > 0 || done);
        forward_free(forward);
        kvrows_free(rows);
        model_close(m);
        assert_true(nth < 5000);
        if (failures > 0)
            done = false; /* a failure that was absorbed: go on */
    }
    assert_true(injected > 50);
    close_fixture(&f);
}

static void test_flops(void **state)
{
    (void)state;
    struct model_config c = {.layers = 2, .dim = 10, .hidden = 20, .heads = 4, .kv_heads = 2, .head_dim = 3, .vocab = 100};
    uint64_t matrices = 2 * (10 * (12 + 12) + 12 * 10 + 3 * 10 * 20), attention = 4 * 12;
    assert_int_equal(forward_flops(&c, 1, 0, 0), 2 * matrices + 2 * attention);
    assert_int_equal(forward_flops(&c, 3, 5, 1), 3 * 2 * matrices + 2 * attention * (6 + 7 + 8) + 2 * 10 * 100);
    assert_int_equal(forward_flops(&c, 8, 0, 0), forward_flops(&c, 5, 0, 0) + forward_flops(&c, 3, 5, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_oracle),   cmocka_unit_test(test_splits_are_bit_equal),
        cmocka_unit_test(test_versions_agree),       cmocka_unit_test(test_batch_is_bit_equal),
        cmocka_unit_test(test_shared_prefix_is_bit_equal), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_broken_cache_is_seen), cmocka_unit_test(test_progress_cancel_and_probe),
        cmocka_unit_test(test_limits),               cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_flops),                cmocka_unit_test(test_threads_do_not_matter),
    };
    return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
