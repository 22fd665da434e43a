/* Figures of requests and of the model. */
#include <math.h>
#include <string.h>

#include "base/xalloc.h"
#include "lesson/figures_parts.h"
#include "model/forward.h"
#include "tape/why.h"

#define REQUEST_FIGURE(id, expression)                                                              \
    int figure_##id(const struct figure_call *call, struct value *out, struct err *e)               \
    {                                                                                               \
        struct scene sc;                                                                            \
        uint32_t req;                                                                               \
        if (call_request(call, 0, &sc, &req, e) != 0)                                               \
            return -1;                                                                              \
        const struct request *q = &sc.w->request[req];                                              \
        value_number(out, (double)(expression));                                                    \
        return 0;                                                                                   \
    }

REQUEST_FIGURE(prompt, q->prompt_len)
REQUEST_FIGURE(cached, q->cached_len)
REQUEST_FIGURE(computed, q->prompt_len - q->cached_len)
REQUEST_FIGURE(generated, q->total_len - q->prompt_len)

static int token_text(const struct figure_call *call, uint32_t token, struct value *out, struct err *e)
{
    struct buf b = {0};
    lexicon_bytes(runner_lexicon(call->env->scene->runner), token, &b);
    int rc = value_text(out, buf_text(&b), e);
    buf_free(&b);
    return rc;
}

int figure_answer(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t req;
    struct buf b = {0};
    if (call_request(call, 0, &sc, &req, e) != 0)
        return -1;
    const struct request *q = &sc.w->request[req];
    uint32_t end = q->total_len - (q->finish_reason == FINISH_END_TOKEN && q->total_len > q->prompt_len);
    for (uint32_t i = q->prompt_len; i < end; i++)
        lexicon_bytes(runner_lexicon(call->env->scene->runner), sc.w->row_token[q->row_off + i], &b);
    const char *text = buf_text(&b) + strspn(buf_text(&b), " \n");
    int rc = value_text(out, text, e);
    buf_free(&b);
    return rc;
}

int figure_state(const struct figure_call *call, struct value *out, struct err *e)
{
    static const char *const NAMES[] = {"free", "waiting", "prefill", "decode", "finished", "refused", "aborted"};
    struct scene sc;
    uint32_t req;
    if (call_request(call, 0, &sc, &req, e) != 0)
        return -1;
    uint32_t state = sc.w->request[req].state;
    return value_text(out, state < ARRAY_LEN(NAMES) ? NAMES[state] : "waiting", e);
}

/* The index in the rows of a request's position. */
static int call_position(const struct figure_call *call, int arg, struct scene *sc, uint32_t *req, uint32_t *row,
                         struct err *e)
{
    uint32_t k;
    if (call_request(call, 0, sc, req, e) != 0 || call_count(call, arg, 0, &k, e) != 0)
        return -1;
    const struct request *q = &sc->w->request[*req];
    if (k >= q->total_len)
        return err_set(e, "this request has %u tokens; the first is at position 0", q->total_len);
    *row = q->row_off + k;
    return 0;
}

int figure_token(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t req, row;
    return call_position(call, 1, &sc, &req, &row, e) != 0 ? -1 : token_text(call, sc.w->row_token[row], out, e);
}

int figure_slot_of(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t req, row;
    if (call_position(call, 1, &sc, &req, &row, e) != 0)
        return -1;
    if (sc.w->row_slot[row] == 0)
        return err_set(e, "this position has no slot");
    value_number(out, sc.w->row_slot[row]);
    return 0;
}

int figure_node_of(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t req;
    char name[16];
    if (call_request(call, 0, &sc, &req, e) != 0)
        return -1;
    if (sc.w->request[req].node == 0)
        return err_set(e, "this request holds no node at this moment");
    node_name(sc.w, sc.w->request[req].node, name);
    return value_text(out, name, e);
}

int figure_miss(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t req;
    struct miss miss;
    if (call_request(call, 0, &sc, &req, e) != 0)
        return -1;
    if (!miss_examine(&call->env->scene->cursor, call->env->at, req, &miss))
        return err_set(e, "this request has not been looked up yet");
    return value_text(out, miss_code_name(miss.code), e);
}

static const struct model_config *call_model(const struct figure_call *call, struct err *e)
{
    struct scene sc;
    if (!call_scene(call, &sc, e))
        return NULL;
    struct model *m = runner_model(call->env->scene->runner);
    if (m == NULL)
        err_set(e, "there is no model here: this engine runs on words or letters");
    return m != NULL ? model_get_config(m) : NULL;
}

static const struct lesson_request *call_finished(const struct figure_call *call, struct scene *sc, uint32_t *req, struct err *e)
{
    if (call_request(call, 0, sc, req, e) != 0)
        return NULL;
    const struct lesson_request *done = env_request(call->env, sc->w->request[*req].rid);
    if (done == NULL)
        err_set(e, "this request has not been answered yet");
    return done;
}

int figure_flops(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t req;
    const struct lesson_request *done = call_finished(call, &sc, &req, e);
    if (done == NULL)
        return -1;
    value_number(out, done->flops);
    return 0;
}

int figure_logit_diff(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t req;
    const struct lesson_request *done = call_finished(call, &sc, &req, e);
    if (done == NULL)
        return -1;
    value_number(out, done->logit_diff);
    return 0;
}

/* Whatever else it cost, plus the cached part: one prefill of n tokens instead of one behind `cached`. */
int figure_flops_cold(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t req;
    const struct lesson_request *done = call_finished(call, &sc, &req, e);
    const struct model_config *m = done != NULL ? call_model(call, e) : NULL;
    if (m == NULL)
        return -1;
    const struct request *q = &sc.w->request[req];
    uint64_t saved = q->cached_len > 0 ? forward_flops(m, q->cached_len, 0, 0) : 0;
    value_number(out, done->flops + (double)saved);
    return 0;
}

/* ---- the model's choices ------------------------------------------------------------------------------ */

/* The r-th best token for the i-th token of an answer, as it was observed when it was chosen. */
static int find_logit(const struct figure_call *call, struct obs_logit *out, struct err *e)
{
    struct scene sc;
    uint32_t req, i, rank;
    struct step step;
    struct observation seen;
    const struct lesson_env *env = call->env;
    if (call_request(call, 0, &sc, &req, e) != 0 || call_count(call, 1, 1, &i, e) != 0 || call_count(call, 2, 1, &rank, e) != 0)
        return -1;
    for (uint32_t n = 1; n <= env->at && rank > 0; n++) {
        tape_step(env->scene->cursor.tape, env->branch, n, &step);
        if (step.kind != EV_SAMPLE || step.arg[0] != req || --i != 0)
            continue;
        for (uint32_t k = 0; tape_observation(env->scene->cursor.tape, env->branch, n, k, &seen); k++) {
            if (seen.kind != OBS_LOGITS || rank > seen.bytes / sizeof *out)
                continue;
            memcpy(out, (const struct obs_logit *)seen.data + rank - 1, sizeof *out);
            return 0;
        }
    }
    return err_set(e, "no such choice of the model was recorded");
}

int figure_likely(const struct figure_call *call, struct value *out, struct err *e)
{
    struct obs_logit best;
    return find_logit(call, &best, e) != 0 ? -1 : token_text(call, best.token, out, e);
}

int figure_probability(const struct figure_call *call, struct value *out, struct err *e)
{
    struct obs_logit best;
    if (find_logit(call, &best, e) != 0)
        return -1;
    value_number(out, (double)best.probability);
    return 0;
}

int figure_logit(const struct figure_call *call, struct value *out, struct err *e)
{
    struct obs_logit best;
    if (find_logit(call, &best, e) != 0)
        return -1;
    value_number(out, (double)best.logit);
    return 0;
}

/* ---- the model's numbers ------------------------------------------------------------------------------ */

#define MODEL_FIGURE(id, expression)                                                                \
    int figure_##id(const struct figure_call *call, struct value *out, struct err *e)               \
    {                                                                                               \
        const struct model_config *m = call_model(call, e);                                         \
        if (m == NULL)                                                                              \
            return -1;                                                                              \
        value_number(out, (double)(expression));                                                    \
        return 0;                                                                                   \
    }

MODEL_FIGURE(layers, m->layers)
MODEL_FIGURE(dim, m->dim)
MODEL_FIGURE(hidden, m->hidden)
MODEL_FIGURE(heads, m->heads)
MODEL_FIGURE(kv_heads, m->kv_heads)
MODEL_FIGURE(head_dim, m->head_dim)
MODEL_FIGURE(vocab, m->vocab)
MODEL_FIGURE(parameters, config_parameters(m))
MODEL_FIGURE(kv_bytes, (double)m->layers * 2 * m->kv_heads * m->head_dim * sizeof(float))

int figure_forward_flops(const struct figure_call *call, struct value *out, struct err *e)
{
    const struct model_config *m = call_model(call, e);
    uint32_t n, start, rows;
    if (m == NULL || call_count(call, 0, 0, &n, e) != 0 || call_count(call, 1, 0, &start, e) != 0 ||
        call_count(call, 2, 1, &rows, e) != 0)
        return -1;
    value_number(out, (double)forward_flops(m, n, start, rows));
    return 0;
}

int figure_tokens(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    struct ids ids = {0};
    if (!call_scene(call, &sc, e))
        return -1;
    struct lexicon *x = (struct lexicon *)(uintptr_t)runner_lexicon(call->env->scene->runner); /* the runner is idle */
    int rc = lexicon_encode(x, call->arg[0].text, strlen(call->arg[0].text), &ids, e);
    value_number(out, (double)ids.len);
    ids_free(&ids);
    return rc;
}

/* ---- keys, values, attention -------------------------------------------------------------------------- */

/* The arguments (position, layer, head, element) of key, value. */
static int kv_element(const struct figure_call *call, bool key, struct value *out, struct err *e)
{
    const struct model_config *m = call_model(call, e);
    struct scene sc;
    uint32_t req, row, layer, head, i;
    if (m == NULL || call_position(call, 1, &sc, &req, &row, e) != 0 || call_count(call, 2, 0, &layer, e) != 0 ||
        call_count(call, 3, 0, &head, e) != 0 || call_count(call, 4, 0, &i, e) != 0)
        return -1;
    if (layer >= m->layers || head >= m->kv_heads || i >= m->head_dim)
        return err_set(e, "the model has %u layers with %u key and value heads of %u numbers, counted from 0", m->layers,
                       m->kv_heads, m->head_dim);
    uint32_t slot = sc.w->row_slot[row], kv = slot != 0 ? sc.w->kv[slot] : 0;
    if (kv == 0)
        return err_set(e, "no keys and values are written for this position");
    const struct kvrows *rows = engine_kvrows(runner_engine(call->env->scene->runner));
    const float *from = key ? kvrows_k(rows, kv, layer) : kvrows_v(rows, kv, layer);
    value_number(out, (double)from[head * m->head_dim + i]);
    return 0;
}

int figure_key(const struct figure_call *call, struct value *out, struct err *e)
{
    return kv_element(call, true, out, e);
}

int figure_value(const struct figure_call *call, struct value *out, struct err *e)
{
    return kv_element(call, false, out, e);
}

struct looking {
    uint32_t layer, head, onto;
    double weight;
    bool seen;
};

static void look(void *ctx, const struct forward_probe *p)
{
    struct looking *l = ctx;
    if (p->what != PROBE_ATTENTION || p->layer != l->layer || l->head >= p->rows || l->onto >= p->columns)
        return;
    l->weight = (double)p->data[l->head * p->columns + l->onto];
    l->seen = true;
}

/* Compute the tokens up to the position once more, by themselves, and look at the last one's weights. */
static int compute_attention(const struct model *m, const uint32_t *tokens, uint32_t n, struct looking *l, struct err *e)
{
    struct kvrows *rows = kvrows_new(model_get_config(m), n + 1, e);
    uint32_t *new_rows = xcalloc(n, sizeof *new_rows);
    struct forward *f = rows != NULL && new_rows != NULL ? forward_new(m, rows, FORWARD_EXACT, 1, e) : NULL;
    struct forward_job job = {.tokens = tokens, .n = n, .new_rows = new_rows, .want = LOGITS_NONE};
    struct forward_watch watch = {.probe = look, .arg = l};
    int rc = -1;
    if (f != NULL)
        rc = forward_run(f, &job, 1, &watch, NULL, e) == FORWARD_OK ? 0 : -1;
    else
        err_memory(e, n * sizeof *new_rows, "attention");
    forward_free(f);
    kvrows_free(rows);
    xfree(new_rows);
    return rc;
}

int figure_attention(const struct figure_call *call, struct value *out, struct err *e)
{
    struct scene sc;
    uint32_t req, row;
    struct looking l = {0};
    if (call_model(call, e) == NULL || call_position(call, 1, &sc, &req, &row, e) != 0 ||
        call_count(call, 2, 0, &l.layer, e) != 0 || call_count(call, 3, 0, &l.head, e) != 0 ||
        call_count(call, 4, 0, &l.onto, e) != 0)
        return -1;
    uint32_t first = sc.w->request[req].row_off;
    if (compute_attention(runner_model(call->env->scene->runner), sc.w->row_token + first, row - first + 1, &l, e) != 0)
        return -1;
    if (!l.seen)
        return err_set(e, "there is no such layer, head or earlier position");
    value_number(out, l.weight);
    return 0;
}
