/* What the forward pass costs: prefill, decode, extending a cached prefix, time saved by the cache.
 *
 * Every figure is a median of one run and is given as a ratio to something measured in the same run: OpenBLAS's
 * sgemm, the memory's read bandwidth, and plain.c (one token at a time, logits for each, -O3 -march=native
 * -ffast-math). The bounds are checked on CPUs with AVX-512, on one thread; elsewhere they are printed only.
 * Two threads are judged only when two loops at once really ran on two cores.
 *
 *     build/bench/bench_model [box|260K|15M|42M|110M]…
 */
#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

#include "base/xalloc.h"
#include "model/forward_parts.h"
#include "tests/model/random_model.h"

enum { PROMPT = 512, AT = 448, REPEATS = 9 };

struct plain; /* tests/bench/plain.c */
struct plain_numbers {
    int layers, dim, hidden, heads, kv_heads, head_dim, vocab, context;
    float theta, eps;
    const float *embed, *final_norm;
    const float *attn_norm[64], *q[64], *k[64], *v[64], *o[64], *mlp_norm[64], *gate[64], *up[64], *down[64];
    void *scratch[10];
};

struct plain_code {
    void *handle;
    void (*init)(struct plain_numbers *), (*step)(struct plain_numbers *, int, int), (*done)(struct plain_numbers *);
};

static const struct {
    const char *name;
    struct random_shape shape;
    double plain_prefill, plain_decode; /* fast mode must be that many times faster; 0: no bound */
    double share_of_sgemm;              /* of prefill, fast mode */
    double share_of_reads;              /* of decode, fast mode */
    double extend_16;                   /* exact: this much cheaper than a cold run */
} models[] = {
    {"box", {FAMILY_LLAMA, 4, 192, 512, 6, 3, 32, 1024, 1024, true, "F32", NULL, 1}, 0, 0, 0, 0, 0},
    {"260K", {FAMILY_LLAMA, 5, 64, 172, 8, 4, 8, 512, 1024, true, "F32", NULL, 1}, 4, 3, 0, 0, 15},
    {"15M", {FAMILY_LLAMA, 6, 288, 768, 6, 6, 48, 32000, 1024, true, "F32", NULL, 1}, 18, 0, 0.6, 0, 8},
    {"42M", {FAMILY_LLAMA, 8, 512, 1376, 8, 8, 64, 32000, 1024, true, "F32", NULL, 1}, 0, 0, 0, 0.85, 0},
    {"110M", {FAMILY_LLAMA, 12, 768, 2048, 12, 12, 64, 32000, 1024, true, "F32", NULL, 1}, 0, 0, 0, 0.85, 0},
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, by_size);
    return x[n / 2];
}

static unsigned missed;

/* A figure with its bound, if it has one here. */
static void judge(const char *what, double value, double bound, bool at_least)
{
    bool avx512 = kernels_avx512() != NULL, good = at_least ? value >= bound : value <= bound;
    printf("    %-58s %8.2f", what, value);
    if (bound > 0)
        printf("   (%s %.2f%s)", at_least ? "at least" : "at most", bound, !avx512 ? ", no bound here" : good ? ", met" : ", MISSED");
    printf("\n");
    missed += bound > 0 && avx512 && !good;
}

/* ---- what this machine can do ---- */

/* GFLOP/s of OpenBLAS in the model's largest layer product, 512 rows, one thread. */
static double sgemm_rate(uint32_t in, uint32_t out)
{
    double t[REPEATS];
    float *w = xcalloc((size_t)in * out, sizeof *w), *x = xcalloc((size_t)PROMPT * in, sizeof *x);
    float *y = xcalloc((size_t)PROMPT * out, sizeof *y);
    struct linear l = {.in = in, .out = out, .n_parts = 1, .part = {{out, w}}};
    struct blas b = {.engine = BLAS_SGEMM, .threads = 1};
    for (int i = 0; i < REPEATS; i++) {
        double begin = now();
        for (int k = 0; k < 4; k++)
            blas_linear(&b, &l, x, PROMPT, y, false);
        t[i] = (now() - begin) / 4;
    }
    xfree(w);
    xfree(x);
    xfree(y);
    return 2e-9 * PROMPT * in * out / median(t, REPEATS);
}

/* GB/s of reading `bytes` of memory again and again: sums in 16 lanes. */
static double read_rate(size_t bytes)
{
    size_t n = bytes / sizeof(uint64_t) / 16 * 16;
    uint64_t *x = xmalloc(n * sizeof *x);
    double t[REPEATS];
    volatile uint64_t keep = 0;
    memset(x, 1, n * sizeof *x);
    for (int i = 0; i < REPEATS; i++) {
        uint64_t sum[16] = {0};
        double begin = now();
        for (size_t k = 0; k < n; k += 16)
            for (int j = 0; j < 16; j++)
                sum[j] += x[k + (size_t)j];
        t[i] = now() - begin;
        for (int j = 0; j < 16; j++)
            keep += sum[j];
    }
    xfree(x);
    return 1e-9 * (double)(n * sizeof *x) / median(t, REPEATS);
}

static void *spin(void *arg)
{
    double *seconds = arg, x = 1;
    double begin = now();
    for (int i = 0; i < 30000000; i++)
        x = x * 1.0000001 + 1e-9;
    *seconds = now() - begin + (x < 0 ? 1 : 0);
    return NULL;
}

/* How much two threads get done at once, compared with one: 2 on two cores, 1 when they share one. */
static double two_cores(void)
{
    double alone, first, second, both;
    pthread_t other;
    spin(&alone);
    double begin = now();
    if (pthread_create(&other, NULL, spin, &second) != 0)
        return 1;
    spin(&first);
    pthread_join(other, NULL);
    both = now() - begin;
    return 2 * alone / both;
}

/* ---- the plain pass ---- */

static bool plain_load(struct plain_code *c)
{
    char path[] = "/tmp/radixscope-plain-XXXXXX", command[256];
    int fd = mkstemp(path);
    if (fd < 0)
        return false;
    close(fd);
    snprintf(command, sizeof command,
             "${CC:-cc} -O3 -march=native -ffast-math -w -shared -fPIC -o %s tests/bench/plain.c -lm", path);
    c->handle = system(command) == 0 ? dlopen(path, RTLD_NOW) : NULL;
    unlink(path);
    if (c->handle == NULL)
        return false;
    *(void **)&c->init = dlsym(c->handle, "plain_init");
    *(void **)&c->step = dlsym(c->handle, "plain_step");
    *(void **)&c->done = dlsym(c->handle, "plain_done");
    return c->init != NULL && c->step != NULL && c->done != NULL;
}

static const float *weight(const struct safetensors *s, uint32_t l, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "model.layers.%u.%s.weight", l, name);
    return tensor_in_place(safetensors_find(s, full));
}

static void plain_fill(struct plain_numbers *p, const struct random_shape *s, const struct safetensors *files)
{
    *p = (struct plain_numbers){.layers = (int)s->layers, .dim = (int)s->dim, .hidden = (int)s->hidden,
                                .heads = (int)s->heads, .kv_heads = (int)s->kv_heads, .head_dim = (int)s->head_dim,
                                .vocab = (int)s->vocab, .context = (int)s->context, .theta = 10000.0f, .eps = 1e-5f};
    p->embed = tensor_in_place(safetensors_find(files, "model.embed_tokens.weight"));
    p->final_norm = tensor_in_place(safetensors_find(files, "model.norm.weight"));
    for (uint32_t l = 0; l < s->layers; l++) {
        p->attn_norm[l] = weight(files, l, "input_layernorm");
        p->q[l] = weight(files, l, "self_attn.q_proj");
        p->k[l] = weight(files, l, "self_attn.k_proj");
        p->v[l] = weight(files, l, "self_attn.v_proj");
        p->o[l] = weight(files, l, "self_attn.o_proj");
        p->mlp_norm[l] = weight(files, l, "post_attention_layernorm");
        p->gate[l] = weight(files, l, "mlp.gate_proj");
        p->up[l] = weight(files, l, "mlp.up_proj");
        p->down[l] = weight(files, l, "mlp.down_proj");
    }
}

/* Seconds for the prompt and for one token behind AT others. */
static void plain_times(const struct plain_code *c, const struct random_shape *s, const char *dir, const uint32_t *ids,
                        double *prefill, double *decode)
{
    struct plain_numbers p;
    struct safetensors *files;
    struct err e = {0};
    double t[3], one[2 * REPEATS];
    if (safetensors_open(dir, &files, &e) != 0)
        exit(1);
    plain_fill(&p, s, files);
    c->init(&p);
    int repeats = s->dim < 300 ? 3 : 1;
    for (int i = 0; i < repeats; i++) {
        double begin = now();
        for (int k = 0; k < PROMPT; k++)
            c->step(&p, (int)ids[k], k);
        t[i] = now() - begin;
    }
    for (int i = 0; i < 2 * REPEATS; i++) {
        double begin = now();
        c->step(&p, (int)ids[AT], AT);
        one[i] = now() - begin;
    }
    *prefill = median(t, repeats);
    *decode = median(one, 2 * REPEATS);
    c->done(&p);
    safetensors_close(files);
}

/* ---- the program ---- */

struct times {
    double cold;         /* PROMPT tokens, logits of the last */
    double extend[3];    /* 1, 16, 64 tokens that end at PROMPT (1: behind AT) */
    double shared[5];    /* PROMPT tokens of which 0, 50, 75, 90, 99 % are cached */
};

static const uint32_t extensions[] = {1, 16, 64};
static const uint32_t percent[] = {0, 50, 75, 90, 99};

static double run(struct forward *f, const uint32_t *ids, uint32_t n, uint32_t start, uint32_t *row, uint32_t *new_row,
                  float *logits)
{
    struct err e = {0};
    struct forward_job job = {.tokens = ids + start, .n = n, .start = start, .past_rows = row, .new_rows = new_row,
                              .want = LOGITS_LAST, .logits = logits};
    double begin = now();
    if (forward_run(f, &job, 1, NULL, NULL, &e) != FORWARD_OK) {
        fprintf(stderr, "%s\n", e.what);
        exit(1);
    }
    return now() - begin;
}

static struct times measure(const struct model *m, enum forward_mode mode, unsigned threads, const uint32_t *ids)
{
    const struct model_config *c = model_get_config(m);
    struct err e = {0};
    struct kvrows *rows = kvrows_new(c, 16 * PROMPT, &e);
    struct forward *f = forward_new(m, rows, mode, threads, &e);
    float *logits = xmalloc(c->vocab * sizeof *logits);
    uint32_t row[PROMPT], extra[PROMPT];
    double cold[REPEATS], extend[3][REPEATS], shared[5][REPEATS];
    int repeats = c->dim < 300 ? REPEATS : 5;
    struct times t;
    if (f == NULL) {
        fprintf(stderr, "%s\n", e.what);
        exit(1);
    }
    for (int i = -1; i < repeats; i++) { /* the first is thrown away */
        int at = i < 0 ? 0 : i;
        kvrows_clear(rows);
        cold[at] = run(f, ids, PROMPT, 0, row, row, logits);
        for (int k = 0; k < 3; k++) {
            uint32_t n = extensions[k], times = n == 1 ? 8 : 1;
            double begin = now();
            for (uint32_t j = 0; j < times; j++)
                run(f, ids, n, n == 1 ? AT : PROMPT - n, row, extra, logits);
            extend[k][at] = (now() - begin) / times;
        }
        for (int k = 0; k < 5; k++) {
            uint32_t cached = PROMPT * percent[k] / 100;
            shared[k][at] = run(f, ids, PROMPT - cached, cached, row, extra, logits);
        }
    }
    t.cold = median(cold, repeats);
    for (int k = 0; k < 3; k++)
        t.extend[k] = median(extend[k], repeats);
    for (int k = 0; k < 5; k++)
        t.shared[k] = median(shared[k], repeats);
    xfree(logits);
    forward_free(f);
    kvrows_free(rows);
    return t;
}

/* How much faster one decode step of 16 requests behind the same AT tokens is when those are read once (cascade.h).
 * The two ways take turns. */
static double shared_gain(const struct model *m, enum forward_mode mode, const uint32_t *ids)
{
    enum { JOBS = 16, TURNS = 15 };
    const struct model_config *c = model_get_config(m);
    struct err e = {0};
    struct kvrows *rows = kvrows_new(c, 4 * PROMPT, &e);
    struct forward *f = forward_new(m, rows, mode, 1, &e);
    float *logits = xmalloc((size_t)JOBS * c->vocab * sizeof *logits);
    uint32_t row[PROMPT], new_row[JOBS];
    double took[2][TURNS], ratio[TURNS];
    struct forward_job job[JOBS];
    if (f == NULL)
        exit(1);
    run(f, ids, AT, 0, row, row, logits);
    for (uint32_t j = 0; j < JOBS; j++)
        job[j] = (struct forward_job){.tokens = ids + AT + j, .n = 1, .start = AT, .past_rows = row,
                                      .new_rows = new_row + j, .want = LOGITS_LAST, .logits = logits + (size_t)j * c->vocab};
    for (int i = 0; i < TURNS; i++) {
        for (int share = 0; share < 2; share++) {
            forward_share(f, share == 1);
            double begin = now();
            if (forward_run(f, job, JOBS, NULL, NULL, &e) != FORWARD_OK)
                exit(1);
            took[share][i] = now() - begin;
            for (uint32_t j = 0; j < JOBS; j++)
                kvrows_release(rows, new_row[j]);
        }
        ratio[i] = took[0][i] / took[1][i];
    }
    xfree(logits);
    forward_free(f);
    kvrows_free(rows);
    return median(ratio, TURNS);
}

static void print_mode(const char *name, const struct times *t, const struct model_config *c, double sgemm, double reads)
{
    double bytes = 4.0 * (double)config_parameters(c);
    printf("  %s: prefill %.0f tokens/s (%.2f ms, %.0f %% of sgemm), decode at %d %.0f tokens/s (%.3f ms, %.0f %% of read bandwidth)\n",
           name, PROMPT / t->cold, t->cold * 1e3, 1e-7 * (double)forward_flops(c, PROMPT, 0, 1) / t->cold / sgemm, AT,
           1 / t->extend[0], t->extend[0] * 1e3, 1e-7 * bytes / t->extend[0] / reads);
    printf("    behind a hit, compared with a cold run:");
    for (int k = 0; k < 3; k++)
        printf("  +%u %.3f ms (%.1fx cheaper)", extensions[k], t->extend[k] * 1e3, t->cold / t->extend[k]);
    printf("\n    time saved with a shared prefix of");
    for (int k = 0; k < 5; k++)
        printf("  %u %%: %.0f %%", percent[k], 100 * (1 - t->shared[k] / t->shared[0]));
    printf("\n");
}

static void bench_one(size_t i, const struct plain_code *plain)
{
    const struct random_shape *s = &models[i].shape;
    struct model *m;
    struct err e = {0};
    char dir[64];
    uint32_t ids[PROMPT];
    double plain_prefill = 0, plain_decode = 0;
    random_model(s, dir);
    if (model_open(dir, &m, &e) != 0) {
        fprintf(stderr, "%s\n", e.what);
        exit(1);
    }
    const struct model_config *c = model_get_config(m);
    for (uint32_t k = 0; k < PROMPT; k++)
        ids[k] = (k * 7919 + 13) % c->vocab;
    double sgemm = sgemm_rate(c->dim, c->hidden), reads = read_rate((size_t)config_parameters(c) * 4);
    if (plain->handle != NULL)
        plain_times(plain, s, dir, ids, &plain_prefill, &plain_decode);
    struct times exact = measure(m, FORWARD_EXACT, 1, ids), fast = measure(m, FORWARD_FAST, 1, ids);
    printf("%s: %.2f M parameters; in this run sgemm(512) %.1f GFLOP/s, reads %.1f GB/s", models[i].name,
           1e-6 * (double)config_parameters(c), sgemm, reads);
    if (plain_prefill > 0)
        printf(", plain pass %.0f and %.0f tokens/s", PROMPT / plain_prefill, 1 / plain_decode);
    printf("\n");
    print_mode("exact", &exact, c, sgemm, reads);
    print_mode("fast ", &fast, c, sgemm, reads);
    judge("exact / fast, prefill time", exact.cold / fast.cold, 1.35, false);
    judge("exact: +16 cheaper than cold", exact.cold / exact.extend[1], models[i].extend_16, true);
    judge("fast: share of sgemm in prefill", 1e-9 * (double)forward_flops(c, PROMPT, 0, 1) / fast.cold / sgemm,
          models[i].share_of_sgemm, true);
    judge("fast: share of read bandwidth in decode", 4e-9 * (double)config_parameters(c) / fast.extend[0] / reads,
          models[i].share_of_reads, true);
    if (plain_prefill > 0) {
        judge("fast: prefill, times the plain pass", plain_prefill / fast.cold, models[i].plain_prefill, true);
        judge("fast: decode, times the plain pass", plain_decode / fast.extend[0], models[i].plain_decode, true);
        judge("exact: prefill, times the plain pass", plain_prefill / exact.cold, 0, true);
        judge("exact: decode, times the plain pass", plain_decode / exact.extend[0], 0, true);
    }
    judge("exact: decode of 16 behind a shared prefix read once, times faster", shared_gain(m, FORWARD_EXACT, ids), c->head_dim < 16 ? 0 : 1, true);
    judge("fast: the same", shared_gain(m, FORWARD_FAST, ids), c->head_dim < 16 ? 0 : 1, true);
    double cores = two_cores();
    struct times two = measure(m, FORWARD_EXACT, 2, ids), two_fast = measure(m, FORWARD_FAST, 2, ids);
    cores = cores < two_cores() ? cores : two_cores(); /* they come and go: both before and after */
    printf("    two threads (this machine gives them %.2f cores):\n", cores);
    double bound = cores >= 1.8 ? 0.95 : 0; /* never slower; 5 % is noise */
    judge("exact: prefill, times one thread", exact.cold / two.cold, bound, true);
    judge("exact: decode, times one thread", exact.extend[0] / two.extend[0], bound, true);
    judge("fast: prefill, times one thread", fast.cold / two_fast.cold, bound, true);
    judge("fast: decode, times one thread", fast.extend[0] / two_fast.extend[0], bound, true);
    model_close(m);
    random_model_remove(dir);
}

int main(int argc, char **argv)
{
    struct plain_code plain = {0};
    if (!plain_load(&plain))
        printf("plain.c could not be compiled here: no ratios to it\n");
    printf("%s kernels; %s\n", kernels_best()->name, blas_description());
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        bool wanted = argc == 1;
        for (int k = 1; k < argc; k++)
            wanted = wanted || strcmp(argv[k], models[i].name) == 0;
        if (wanted)
            bench_one(i, &plain);
    }
    printf("%u bounds missed\n", missed);
    if (plain.handle != NULL)
        dlclose(plain.handle);
    return missed == 0 ? 0 : 1;
}
