#include "model/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "model/chat.h"
#include "model/json.h"
#include "model/safetensors.h"
#include "model/sample.h"

#define EXPECT_LIMIT ((size_t)256 << 20)

struct checker {
    const char *dir, *file;          /* the file there that says what is expected */
    struct model *model;
    const struct model_config *config;
    struct kvrows *rows;
    struct forward *forward;
    struct safetensors *tensors;
    json_t *expect;
    struct forward_engine engine[2]; /* by mode */
    struct check_mode *now;
    struct check_result *out;
    struct err *e;
};

/* One prompt of expect.json. */
struct prompt {
    uint32_t index, n, n_greedy;
    uint32_t *ids;               /* (n + n_greedy): the prompt, then the expected continuation */
    const struct tensor *logits; /* (stored, vocab): the last `stored` positions of the prompt */
    uint32_t stored;
    uint32_t *row;               /* (n + n_greedy) */
    float *cold;                 /* (n + n_greedy, vocab) our logits, one cold run for the prompt */
    float *split;                /* (n, vocab) */
};

static const char *mode_name(const struct checker *c)
{
    return c->now == &c->out->mode[FORWARD_EXACT] ? "exact" : "fast";
}

/* `pass = err_set(…) == 0` below: err_set keeps the first failure and never returns 0. */

/* ---- prompts ---- */

static uint32_t *read_ids(const struct checker *c, const json_t *first, const json_t *second, struct err *e)
{
    size_t n = json_array_size(first), all = n + json_array_size(second);
    uint32_t *ids = xmalloc(all * sizeof *ids);
    for (size_t i = 0; ids != NULL && i < all; i++) {
        const json_t *value = i < n ? json_array_get(first, i) : json_array_get(second, i - n);
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= (json_int_t)c->config->vocab) {
            err_set(e, "%s/%s: a token id is %lld, but the vocabulary has %u", c->dir, c->file, (long long)id,
                    c->config->vocab);
            xfree(ids);
            return NULL;
        }
        ids[i] = (uint32_t)id;
    }
    if (ids == NULL)
        err_memory(e, all * sizeof *ids, "the expected ids");
    return ids;
}

static void prompt_done(struct checker *c, struct prompt *p)
{
    for (uint32_t i = 0; p->row != NULL && i < p->n + p->n_greedy; i++)
        if (p->row[i] != 0)
            kvrows_release(c->rows, p->row[i]);
    xfree(p->ids);
    xfree(p->row);
    xfree(p->cold);
    xfree(p->split);
}

/* err_set always returns -1; said where a reader of this file alone can see it. */
static int refused(int from_err_set)
{
    (void)from_err_set;
    return -1;
}

static int find_logits(struct checker *c, const json_t *entry, struct prompt *p)
{
    const char *name = json_text(entry, "logits");
    const struct tensor *t = name != NULL ? safetensors_find(c->tensors, name) : NULL;
    if (name == NULL)
        return refused(err_set(c->e, "%s/%s: prompt %u names no logits", c->dir, c->file, p->index));
    if (t == NULL || t->dtype != DTYPE_F32 || t->n_dims != 2 || t->shape[1] != c->config->vocab || t->shape[0] == 0 ||
        t->shape[0] > p->n)
        return refused(err_set(c->e, "%s/expect.safetensors: tensor %s is missing or not of shape [1 to %u, %u]",
                               c->dir, name, p->n, c->config->vocab));
    p->logits = t;
    p->stored = (uint32_t)t->shape[0];
    return 0;
}

static int prompt_read(struct checker *c, uint32_t index, const json_t *entry, struct prompt *p)
{
    const json_t *ids = json_object_get(entry, "ids");
    const json_t *greedy = json_object_get(entry, c->out->reference ? "greedy_ids" : "greedy");
    size_t n = json_array_size(ids), all = n + json_array_size(greedy), vocab = c->config->vocab;
    *p = (struct prompt){.index = index, .n = (uint32_t)n, .n_greedy = (uint32_t)(all - n)};
    if (n == 0 || all > c->config->context)
        return refused(err_set(c->e, "%s/%s: prompt %u has no ids or does not fit the context", c->dir, c->file, index));
    if (!c->out->reference && find_logits(c, entry, p) != 0)
        return -1;
    p->ids = read_ids(c, ids, greedy, c->e);
    if (p->ids == NULL)
        return -1;
    p->row = xcalloc(all, sizeof *p->row);
    p->cold = xmalloc(all * vocab * sizeof *p->cold);
    p->split = xmalloc(n * vocab * sizeof *p->split);
    if (p->row != NULL && p->cold != NULL && p->split != NULL)
        return 0;
    err_memory(c->e, all * vocab * 8, "the logits");
    return -1;
}

static int run(struct checker *c, const uint32_t *ids, uint32_t n, uint32_t start, uint32_t *row, float *logits)
{
    struct forward_job job = {.tokens = ids, .n = n, .start = start, .past_rows = row, .new_rows = row + start,
                              .want = LOGITS_ALL, .logits = logits};
    enum forward_status status = forward_run(c->forward, &job, 1, NULL, NULL, c->e);
    if (status == FORWARD_NO_ROWS)
        err_memory(c->e, kvrows_row_bytes(c->rows) * n, "KV rows");
    return status == FORWARD_OK ? 0 : -1;
}

/* Largest difference from what is stored; a NaN of ours counts as infinite. */
static double against_expected(const struct checker *c, const struct prompt *p, const float *ours, float *line)
{
    double worst = 0;
    uint32_t vocab = c->config->vocab, first = p->n - p->stored;
    for (uint32_t i = 0; i < p->stored; i++) {
        tensor_read(p->logits, (uint64_t)i * vocab, vocab, line);
        for (uint32_t v = 0; v < vocab; v++) {
            double d = fabs((double)ours[(size_t)(first + i) * vocab + v] - (double)line[v]);
            worst = d <= worst ? worst : d == d ? d : HUGE_VAL;
        }
    }
    return worst;
}

static void note_difference(struct checker *c, const struct prompt *p, double d, const char *how)
{
    if (!(d <= c->now->max_abs_logit_diff))
        c->now->max_abs_logit_diff = d;
    if (!(d <= CHECK_TOLERANCE))
        c->out->pass = err_set(&c->out->first, "%s mode, prompt %u, %s: a logit differs by %g, more than %g", mode_name(c), p->index, how, d,
               CHECK_TOLERANCE) == 0;
}

static double largest_difference(const float *a, const float *b, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        worst = d <= worst ? worst : d == d ? d : HUGE_VAL;
    }
    return worst;
}

/* The prompt in two runs, the second behind the first's rows: at the places that divide it. */
static int check_splits(struct checker *c, struct prompt *p, float *line)
{
    size_t vocab = c->config->vocab;
    uint32_t *row = xcalloc(p->n, sizeof *row);
    int rc = 0;
    if (row == NULL) {
        err_memory(c->e, p->n * sizeof *row, "KV rows");
        return -1;
    }
    uint32_t stride = c->out->reference ? 1 + p->n / 16 : 1; /* conversations are long: a sample of the places */
    for (uint32_t at = 1; at < p->n && rc == 0; at += stride) {
        rc = run(c, p->ids, at, 0, row, p->split);
        if (rc == 0)
            rc = run(c, p->ids + at, p->n - at, at, row, p->split + at * vocab);
        if (rc != 0)
            break;
        double apart = largest_difference(p->split, p->cold, p->n * vocab);
        bool equal = memcmp(p->split, p->cold, p->n * vocab * sizeof *p->cold) == 0;
        c->now->splits_checked++;
        c->now->splits_bit_equal += equal;
        c->now->max_abs_split_diff = fmax(c->now->max_abs_split_diff, apart);
        if (!equal && c->now == &c->out->mode[FORWARD_EXACT])
            c->out->pass = err_set(&c->out->first, "exact mode, prompt %u split at %u: logits differ from the cold run's by up to %g", p->index, at, apart) == 0;
        note_difference(c, p, against_expected(c, p, p->split, line), "split");
        for (uint32_t i = 0; i < p->n; i++) {
            kvrows_release(c->rows, row[i]);
            row[i] = 0;
        }
    }
    xfree(row);
    return rc;
}

/* Our best token at every position of the continuation, the expected ones fed in. */
static void check_greedy(struct checker *c, const struct prompt *p)
{
    uint32_t vocab = c->config->vocab;
    for (uint32_t i = 0; i < p->n_greedy; i++) {
        const float *logits = p->cold + (size_t)(p->n - 1 + i) * vocab;
        uint32_t best = sample_argmax(logits, vocab), second = best == 0 && vocab > 1 ? 1 : 0;
        for (uint32_t v = 0; v < vocab; v++)
            if (v != best && logits[v] > logits[second])
                second = v;
        if ((double)logits[best] - (double)logits[second] < CHECK_MARGIN)
            continue;
        c->now->greedy_checked++;
        if (best == p->ids[p->n + i])
            c->now->greedy_equal++;
        else
            c->out->pass = err_set(&c->out->first, "%s mode, prompt %u: greedy token %u is %u, but %u was expected", mode_name(c), p->index, i, best,
                   p->ids[p->n + i]) == 0;
    }
}

static int check_prompt(struct checker *c, struct prompt *p)
{
    size_t vocab = c->config->vocab;
    float *line = xmalloc(vocab * sizeof *line);
    if (line == NULL)
        return err_memory(c->e, vocab * sizeof *line, "the logits");
    int rc = run(c, p->ids, p->n, 0, p->row, p->cold);
    for (uint32_t i = 0; i < p->n_greedy && rc == 0; i++)
        rc = run(c, p->ids + p->n + i, 1, p->n + i, p->row, p->cold + (p->n + i) * vocab);
    if (rc == 0) {
        note_difference(c, p, against_expected(c, p, p->cold, line), "cold");
        check_greedy(c, p);
        rc = check_splits(c, p, line);
    }
    c->now->prompts++;
    xfree(line);
    return rc;
}

static int check_prompts(struct checker *c)
{
    const json_t *prompts = json_object_get(c->expect, "prompts");
    size_t i;
    json_t *entry;
    if (json_array_size(prompts) == 0)
        return err_set(c->e, "%s/%s holds no prompts", c->dir, c->file);
    json_array_foreach((json_t *)(uintptr_t)prompts, i, entry)
    {
        struct prompt p;
        int rc = prompt_read(c, (uint32_t)i, entry, &p);
        if (rc == 0)
            rc = check_prompt(c, &p);
        prompt_done(c, &p);
        if (rc != 0)
            return -1;
    }
    return 0;
}

/* ---- texts ---- */

static void compare_ids(struct checker *c, size_t index, const struct ids *ids, const json_t *wanted)
{
    bool equal = ids->len == json_array_size(wanted);
    size_t i = 0;
    while (equal && i < ids->len && json_integer_value(json_array_get(wanted, i)) == (json_int_t)ids->at[i])
        i++;
    equal = equal && i == ids->len;
    c->now->ids_checked++;
    c->now->ids_equal = c->now->ids_equal && equal;
    if (!equal)
        c->out->pass = err_set(&c->out->first, "text %zu: token ids differ (%zu where %zu were expected)", index,
                               ids->len, json_array_size(wanted)) == 0;
}

static int check_ids(struct checker *c, size_t index, const json_t *text, const json_t *wanted, unsigned flags)
{
    struct ids ids = {0};
    int rc = tokenizer_encode(model_get_tokenizer(c->model), json_string_value(text), json_string_length(text), flags,
                              &ids, c->e);
    if (rc == 0)
        compare_ids(c, index, &ids, wanted);
    ids_free(&ids);
    return rc;
}

/* All at once, and once more token by token. */
static int check_decoded(struct checker *c, size_t index, const json_t *wanted, const json_t *list)
{
    const struct tokenizer *t = model_get_tokenizer(c->model);
    size_t n = json_array_size(list), len = json_string_length(wanted);
    uint32_t *ids = read_ids(c, list, NULL, c->e);
    struct buf whole = {0}, streamed = {0};
    struct tokenizer_stream stream = {0};
    if (ids == NULL)
        return -1;
    tokenizer_decode(t, ids, n, &whole);
    for (size_t i = 0; i < n; i++)
        tokenizer_stream_push(t, &stream, ids[i], &streamed);
    tokenizer_stream_end(&stream, &streamed);
    bool equal = whole.len == len && memcmp(buf_text(&whole), json_string_value(wanted), len) == 0 &&
                 streamed.len == len && memcmp(buf_text(&streamed), json_string_value(wanted), len) == 0;
    c->now->decoded_checked++;
    c->now->decoded_equal = c->now->decoded_equal && equal;
    if (!equal)
        c->out->pass = err_set(&c->out->first, "text %zu: its ids decode to something else", index) == 0;
    buf_free(&whole);
    buf_free(&streamed);
    xfree(ids);
    return 0;
}

static int check_texts(struct checker *c)
{
    size_t i;
    json_t *entry;
    c->now->ids_equal = c->now->decoded_equal = true;
    json_array_foreach(json_object_get(c->expect, "texts"), i, entry)
    {
        const json_t *text = json_object_get(entry, "text"), *decoded = json_object_get(entry, "decoded");
        const json_t *plain = json_object_get(entry, "ids_without_specials");
        if (!json_is_string(text) || !json_is_string(decoded))
            return err_set(c->e, "%s/%s: text %zu has no text and decoded", c->dir, c->file, i);
        if (check_ids(c, i, text, json_object_get(entry, "ids"), TOKENIZER_ADD_SPECIAL | TOKENIZER_PARSE_SPECIAL) != 0 ||
            check_ids(c, i, text, plain, TOKENIZER_PARSE_SPECIAL) != 0 || check_decoded(c, i, decoded, plain) != 0)
            return -1;
    }
    return 0;
}

/* ---- conversations, of reference.json ---- */

static int render(struct checker *c, const json_t *messages, struct ids *ids)
{
    size_t n = json_array_size(messages), i;
    json_t *one;
    struct chat_message *list = xcalloc(n + 1, sizeof *list);
    int rc = 0;
    if (list == NULL)
        return refused(err_memory(c->e, (n + 1) * sizeof *list, "a conversation"));
    json_array_foreach((json_t *)(uintptr_t)messages, i, one)
    {
        const json_t *text = json_object_get(one, "content");
        const char *role = json_text(one, "role");
        if (rc == 0 && (role == NULL || !json_is_string(text)))
            rc = err_set(c->e, "%s/%s: message %zu has no role and content", c->dir, c->file, i);
        if (rc == 0)
            list[i] = (struct chat_message){role, json_string_value(text), json_string_length(text)};
    }
    if (rc == 0)
        rc = chat_render(c->model, list, n, true, ids, c->e);
    xfree(list);
    return rc;
}

/* A conversation in the model's chat form, and the text of its answer. */
static bool can_be_written(const json_t *messages)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)messages, i, one)
    {
        const char *role = json_text(one, "role");
        if (role != NULL && strcmp(role, "tool") == 0)
            return false; /* chat.h has no form for it */
    }
    return true;
}

static int check_conversation(struct checker *c, size_t index, const json_t *entry)
{
    const json_t *text = json_object_get(entry, "text"), *wanted = json_object_get(entry, "ids");
    struct ids ids = {0};
    bool written = can_be_written(json_object_get(entry, "messages"));
    int rc = written ? render(c, json_object_get(entry, "messages"), &ids) : 0;
    if (rc == 0 && written)
        compare_ids(c, index, &ids, wanted);
    ids_free(&ids);
    if (rc != 0)
        return -1;
    json_t *answer = json_copy(json_object_get(entry, "greedy_ids"));
    size_t n = json_array_size(answer);
    if (n > 0 && chat_is_end(c->model, (uint32_t)json_integer_value(json_array_get(answer, n - 1))))
        json_array_remove(answer, n - 1); /* the end token is no text */
    if (answer == NULL || !json_is_string(text))
        rc = err_set(c->e, "%s/%s: prompt %zu has no greedy_ids and text", c->dir, c->file, index);
    else
        rc = check_decoded(c, index, text, answer);
    json_decref(answer);
    return rc;
}

static int check_conversations(struct checker *c)
{
    size_t i;
    json_t *entry;
    c->now->ids_equal = c->now->decoded_equal = true;
    json_array_foreach(json_object_get(c->expect, "prompts"), i, entry)
        if (check_conversation(c, i, entry) != 0)
            return -1;
    return 0;
}

/* ---- all of it ---- */

static int check_mode(struct checker *c, enum forward_mode mode)
{
    c->now = &c->out->mode[mode];
    kvrows_clear(c->rows);
    c->forward = forward_new_with(c->model, c->rows, mode, 1, &c->engine[mode], c->e);
    if (c->forward == NULL)
        return -1;
    int rc = check_prompts(c);
    if (rc == 0)
        rc = c->out->reference ? check_conversations(c) : check_texts(c);
    forward_free(c->forward);
    c->forward = NULL;
    return rc;
}

/* The largest difference of cold runs of all prompts. */
static int cold_difference(struct checker *c, bool cast_rope, double *worst)
{
    struct forward_engine engine = {.blas = BLAS_SGEMM, .cast_rope = cast_rope};
    float *line = xmalloc(c->config->vocab * sizeof *line);
    size_t i;
    json_t *entry;
    *worst = 0;
    if (line == NULL)
        return refused(err_memory(c->e, c->config->vocab * sizeof *line, "the logits"));
    c->forward = forward_new_with(c->model, c->rows, FORWARD_FAST, 1, &engine, c->e);
    int rc = c->forward == NULL ? -1 : 0;
    json_array_foreach(json_object_get(c->expect, "prompts"), i, entry)
    {
        struct prompt p = {0};
        if (rc == 0 && (rc = prompt_read(c, (uint32_t)i, entry, &p)) == 0 &&
            (rc = run(c, p.ids, p.n, 0, p.row, p.cold)) == 0)
            *worst = fmax(*worst, against_expected(c, &p, p.cold, line));
        prompt_done(c, &p);
    }
    forward_free(c->forward);
    c->forward = NULL;
    xfree(line);
    return rc;
}

static int choose_rope(struct checker *c)
{
    double plain, cast;
    if (c->config->rope == ROPE_NONE || c->out->reference)
        return 0; /* without logits nobody can tell */
    if (cold_difference(c, false, &plain) != 0 || cold_difference(c, true, &cast) != 0)
        return -1;
    c->out->cast_rope = cast < plain;
    c->engine[FORWARD_EXACT].cast_rope = c->engine[FORWARD_FAST].cast_rope = c->out->cast_rope;
    return 0;
}

static int open_expect(struct checker *c)
{
    c->out->reference = !json_file_exists(c->dir, "expect.json") && json_file_exists(c->dir, "reference.json");
    c->file = c->out->reference ? "reference.json" : "expect.json";
    char *json = json_path(c->dir, c->file, c->e), *tensors = json_path(c->dir, "expect.safetensors", c->e);
    if (json != NULL && tensors != NULL) {
        c->expect = json_from_file(json, EXPECT_LIMIT, c->e);
        if (c->expect != NULL && !c->out->reference)
            safetensors_open_file(tensors, &c->tensors, c->e);
    }
    xfree(json);
    xfree(tensors);
    if (c->expect != NULL && (c->out->reference || c->tensors != NULL))
        return 0;
    return err_hint(c->e, "check-model needs expect.json and expect.safetensors, or reference.json, beside the checkpoint");
}

int model_check(const char *dir, const struct forward_engine *engine, struct check_result *out, struct err *e)
{
    struct checker c = {.dir = dir, .out = out, .e = e};
    c.engine[FORWARD_EXACT] = engine != NULL ? *engine : (struct forward_engine){.blas = BLAS_KERNEL};
    c.engine[FORWARD_FAST] = (struct forward_engine){.blas = BLAS_SGEMM};
    *out = (struct check_result){.pass = true};
    int rc = model_open(dir, &c.model, e);
    if (rc == 0) {
        c.config = model_get_config(c.model);
        c.rows = kvrows_new(c.config, 2 * c.config->context, e);
        rc = c.rows == NULL || open_expect(&c) != 0 || choose_rope(&c) != 0 ||
                     check_mode(&c, FORWARD_EXACT) != 0 || check_mode(&c, FORWARD_FAST) != 0
                 ? -1
                 : 0;
    }
    json_decref(c.expect);
    safetensors_close(c.tensors);
    kvrows_free(c.rows);
    model_close(c.model);
    out->pass = out->pass && rc == 0;
    return rc;
}

static void mode_json(const struct check_mode *m, bool reference, struct buf *out)
{
    buf_puts(out, "{\"max_abs_logit_diff\":");
    if (!reference && m->max_abs_logit_diff < HUGE_VAL)
        buf_printf(out, "%.9g", m->max_abs_logit_diff);
    else
        buf_puts(out, "null");
    buf_printf(out,
               ",\"greedy_checked\":%u,\"greedy_equal\":%u,\"ids_equal\":%s,\"decoded_equal\":%s,"
               "\"splits_checked\":%u,\"splits_bit_equal\":%u}",
               m->greedy_checked, m->greedy_equal, m->ids_equal ? "true" : "false", m->decoded_equal ? "true" : "false",
               m->splits_checked, m->splits_bit_equal);
}

void check_json(const struct check_result *r, struct buf *out)
{
    buf_printf(out, "{\"pass\":%s,\"modes\":{\"exact\":", r->pass ? "true" : "false");
    mode_json(&r->mode[FORWARD_EXACT], r->reference, out);
    buf_puts(out, ",\"fast\":");
    mode_json(&r->mode[FORWARD_FAST], r->reference, out);
    buf_puts(out, "}}\n");
}

static void conversations_text(const struct check_mode *m, const char *name, struct buf *out)
{
    buf_printf(out,
               "  %s  %u conversations: greedy tokens %u of %u; token ids of %u %s; text of the answers %s; "
               "%u of %u splits equal to the last bit (largest difference %.2g)\n",
               name, m->decoded_checked, m->greedy_equal, m->greedy_checked, m->ids_checked,
               m->ids_equal ? "equal" : "DIFFER",
               m->decoded_equal ? "equal" : "DIFFERS", m->splits_bit_equal, m->splits_checked, m->max_abs_split_diff);
}

void check_text(const char *dir, const struct check_result *r, struct buf *out)
{
    static const char *const names[] = {"exact", "fast "};
    buf_printf(out, "%s: %s%s\n", dir, r->pass ? "pass" : "FAIL",
               r->reference ? " (against reference.json, which holds no logits)" : "");
    for (int i = 0; i < 2; i++) {
        const struct check_mode *m = &r->mode[i];
        if (r->reference) {
            conversations_text(m, names[i], out);
            continue;
        }
        buf_printf(out,
                   "  %s  largest logit difference %.2g (at most %g passes); greedy %u of %u; token ids of %u texts %s; "
                   "decoding %s; %u of %u splits equal to the last bit (largest difference %.2g)\n",
                   names[i], m->max_abs_logit_diff, CHECK_TOLERANCE, m->greedy_equal, m->greedy_checked,
                   m->decoded_checked, m->ids_equal ? "equal" : "DIFFER", m->decoded_equal ? "equal" : "DIFFERS",
                   m->splits_bit_equal, m->splits_checked, m->max_abs_split_diff);
    }
    if (r->cast_rope)
        buf_puts(out, "  the expected logits were computed with RoPE frequencies rounded to the weights' precision "
                      "(a model that was cast, not loaded); so were these\n");
    if (r->first.set)
        buf_printf(out, "  first: %s\n", r->first.what);
}
