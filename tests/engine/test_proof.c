/* What can be shown of a pass, of a proof and of a spoiled row, held against other ways to compute the same:
 * attention against a naive softmax and the model's own probe, FLOPs against the model's formula, a proof against
 * the bit that was flipped, the effect of a spoiled row against runs of the whole script without and with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "engine/observe.h"
#include "engine/poison.h"
#include "engine/proof.h"
#include "model/kvrows.h"
#include "model/model.h"
#include "script/runner.h"
#include "tape/check.h"

static struct model *model;

static int open_model(void **state)
{
    struct err e = {0};
    (void)state;
    return model_open("data/model", &model, &e);
}

static int close_model(void **state)
{
    (void)state;
    model_close(model);
    return 0;
}

#define HEAD "pool 128\nsystem \"You are a helpful assistant. Answer in a short sentence.\"\n"
#define ONE "request \"What color is grass?\" max=6\n"
#define TWO "request \"Where do fish live?\" max=6\n"
#define THREE "request \"How do birds fly?\" max=6\n"
#define ALONE "request \"the sky\" raw max=4\n"

static struct runner *run_text(const char *text)
{
    struct err e = {0};
    struct script *s = script_parse("t.rxs", text, strlen(text), 1, &e);
    assert_non_null(s);
    struct runner_config cfg = {.model = model};
    struct runner *r = runner_new(s, &cfg, &e);
    assert_non_null(r);
    if (runner_script(r, s, &e) != RUN_DONE)
        fail_msg("%s", e.what);
    script_free(s);
    return r;
}

static int run_more(struct runner *r, const char *text, struct err *e)
{
    struct script *s = script_parse("", text, strlen(text), 1, e);
    assert_non_null(s);
    enum run_result rc = runner_script(r, s, e);
    script_free(s);
    return rc;
}

/* ---- what a pass saw ------------------------------------------------------------------------------------ */

/* Plainly, from the rows: other order, other grouping. */
static void naive_weights(const struct kvrows *rows, const struct pass *p, uint32_t l, uint32_t h, uint32_t query,
                          double *out)
{
    const struct model_config *c = model_get_config(model);
    const float *q = kvrows_q(rows, p->row[query], l) + (size_t)h * c->head_dim;
    double sum = 0;
    for (uint32_t i = query + 1; i-- > 0;) {
        const float *k = kvrows_k(rows, p->row[i], l) + (size_t)(h * c->kv_heads / c->heads) * c->head_dim;
        double dot = 0;
        for (uint32_t d = c->head_dim; d-- > 0;)
            dot += (double)q[d] * (double)k[d];
        sum += out[i] = exp(dot / sqrt(c->head_dim));
    }
    for (uint32_t i = 0; i <= query; i++)
        out[i] /= sum;
}

static uint32_t check_pass(const struct runner *r, const struct pass *p, const struct observed *o, struct kvrows *rows)
{
    const struct model_shape *s = &o->shape;
    uint32_t compared = 0;
    (void)r;
    for (uint32_t l = 0; l < s->layers; l++)
        for (uint32_t h = 0; h < s->heads; h++)
            for (uint32_t query = p->from; query < p->n; query++) {
                float seen[256];
                double want[256], sum = 0;
                assert_true(pass_attention(p, o, l, h, query, seen));
                naive_weights(rows, p, l, h, query, want);
                for (uint32_t i = 0; i <= query; i++, compared++) {
                    sum += (double)seen[i];
                    assert_true(fabs((double)seen[i] - want[i]) < 1e-5);
                }
                assert_true(fabs(sum - 1) < 1e-5);
            }
    return compared;
}

static void attention_of_every_pass(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE TWO);
    struct observed o;
    struct cursor c;
    struct pass p = {0};
    struct err e = {0};
    uint32_t passes = 0, compared = 0, last = 0;
    const struct tape *t = runner_tape(r);
    assert_true(engine_observed(runner_engine(r), &o));
    assert_int_equal(cursor_init(&c, t, &e), 0);
    for (uint32_t n = 1; n <= tape_length(t, 0); n++) {
        int rc = pass_find(&p, &c, 0, n, &e);
        assert_true(rc == 0 || (rc == 1 && passes == 0));
        if (rc != 0 || p.step == last)
            continue;
        last = p.step;
        passes++;
        uint32_t top;
        const struct obs_logit *logit = pass_logits(&p, t, &top);
        assert_int_equal(top, 8);
        struct step s;
        tape_step(t, 0, p.sample, &s);
        assert_int_equal(s.arg[1], logit[0].token); /* greedy: the likeliest is what was sampled */
        for (uint32_t i = 0; i < p.from; i++)
            assert_true(p.owner[i] != 0 || i >= p.cached);
        compared += check_pass(r, &p, &o, engine_kvrows(runner_engine(r)));
    }
    assert_true(passes >= 6 && compared > 10000);
    assert_int_equal(p.rid, 2);
    assert_true(p.cached > 10);
    pass_done(&p);
    cursor_done(&c);
    runner_free(r);
}

struct probed {
    const struct pass *p;
    const struct observed *o;
    uint32_t layers;
};

static void hold_probe(void *arg, const struct forward_probe *f)
{
    struct probed *x = arg;
    float seen[256];
    if (f->what != PROBE_ATTENTION)
        return;
    for (uint32_t h = 0; h < f->rows; h++) {
        assert_true(pass_attention(x->p, x->o, f->layer, h, f->position, seen));
        assert_memory_equal(seen, f->data + (size_t)h * f->columns, f->columns * sizeof *seen);
    }
    x->layers++;
}

/* The forward pass's own probe, on the same tokens computed once more from nothing: the same bits. */
static void attention_as_the_model_saw_it(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE TWO);
    struct engine *en = runner_engine(r);
    struct observed o;
    struct cursor c;
    struct pass p = {0};
    struct err e = {0};
    assert_true(engine_observed(en, &o));
    assert_int_equal(cursor_init(&c, runner_tape(r), &e), 0);
    assert_int_equal(pass_find(&p, &c, 0, tape_length(runner_tape(r), 0), &e), 0);
    uint32_t *rows = xcalloc(p.n, sizeof *rows);
    struct forward_job job = {.tokens = p.token, .n = p.n, .new_rows = rows, .want = LOGITS_NONE};
    struct probed x = {&p, &o, 0};
    struct forward_watch watch = {.probe = hold_probe, .arg = &x};
    assert_int_equal(forward_run(engine_forward(en, &e), &job, 1, &watch, NULL, &e), FORWARD_OK);
    assert_int_equal(x.layers, o.shape.layers);
    xfree(rows);
    pass_done(&p);
    cursor_done(&c);
    runner_free(r);
}

static void flops_add_up(void **state)
{
    (void)state;
    const struct model_config *c = model_get_config(model);
    struct model_shape s = {c->layers, c->heads, c->kv_heads, c->head_dim, c->dim, c->hidden, 3, c->vocab};
    for (uint32_t n = 1; n < 40; n += 3)
        for (uint32_t start = 0; start < 900; start += 77) {
            struct layer_flops f = shape_flops(&s, n, start);
            assert_int_equal(s.layers * (f.qkv + f.attention + f.output + f.mlp) + shape_head_flops(&s, 1),
                             forward_flops(c, n, start, 1));
        }
}

/* Every slot of the tree: its place, and that its readers are those whose rows name it. */
static void readers_of_slots(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE TWO THREE);
    const struct tape *t = runner_tape(r);
    struct scene sc = tape_scene(t);
    struct cursor c;
    struct err e = {0};
    uint32_t shared = 0, alone = 0;
    assert_int_equal(cursor_init(&c, t, &e), 0);
    for (uint32_t n = node_preorder(sc.w, ROOT); n != 0; n = node_preorder(sc.w, n))
        for (uint32_t i = 0; i < sc.w->node[n].len; i++) {
            uint32_t slot = node_slots(sc, n)[i], node, req, position, token;
            struct reader_of_slot who[8];
            assert_true(slot_place(sc, slot, &node, &req, &position, &token));
            assert_int_equal(node, n);
            assert_int_equal(position, node_start(sc.w, n) + i);
            assert_int_equal(token, node_tokens(sc, n)[i]);
            cursor_seek(&c, 0, tape_length(t, 0));
            uint32_t count = slot_readers(&c, slot, kv_row(sc.w, slot), position, who, 8);
            bool common = sc.w->node[n].parent == ROOT;
            assert_int_equal(count, common ? 3 : 1); /* the first node is the shared one, the rest one request's */
            assert_true(who[0].writes);
            shared += common;
            alone += !common;
        }
    assert_true(shared > 10 && alone > 10);
    cursor_done(&c);
    runner_free(r);
}

/* ---- proofs ------------------------------------------------------------------------------------------------ */

static struct proof proof_of(struct runner *r, uint32_t request, bool fast)
{
    struct proof p;
    struct err e = {0};
    const struct tape *t = runner_tape(r);
    if (proof_run(runner_engine(r), tape_branch(t), request, fast, NULL, &p, &e) != 0)
        fail_msg("%s", e.what);
    return p;
}

static void exact_proof_finds_nothing(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE TWO THREE);
    uint32_t live = kvrows_live(engine_kvrows(runner_engine(r))), layers = 0;
    for (uint32_t q = 1; q <= 3; q++) {
        struct proof p = proof_of(r, q, false);
        assert_int_equal(p.rid, q);
        assert_true(q == 1 ? p.cached == 0 : p.cached > 10);
        assert_true(p.sampled > 1);
        assert_int_equal(p.same_tokens, p.sampled);
        for (uint32_t l = 0; l <= p.layers; l++, layers++)
            assert_true(difference_count(&p.layer[l]) == 0 && p.layer[l].max == 0);
        proof_done(&p);
    }
    assert_int_equal(layers, 15);
    assert_int_equal(kvrows_live(engine_kvrows(runner_engine(r))), live); /* nothing of it stays */
    runner_free(r);
}

static void fast_proof_shows_rounding(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE TWO);
    struct proof p = proof_of(r, 2, true);
    uint64_t differing = 0;
    for (uint32_t l = 0; l <= p.layers; l++) {
        differing += difference_count(&p.layer[l]);
        assert_true(p.layer[l].max < 1e-3);
    }
    assert_true(differing > 0);
    assert_int_equal(p.same_tokens, p.sampled);
    proof_done(&p);
    runner_free(r);
}

static void poison_bit(struct runner *r, const struct poison *p)
{
    struct err e = {0};
    if (engine_poison(runner_engine(r), p, &e) != 0)
        fail_msg("%s", e.what);
    assert_int_equal(world_check(tape_scene(runner_tape(r)), &e), 0);
}

/* One flipped bit in one float of a cached row: the proof of whoever reads it next names exactly that bit. */
static void proof_finds_the_flipped_bit(void **state)
{
    (void)state;
    const struct model_config *c = model_get_config(model);
    struct prng g;
    prng_seed(&g, 7);
    for (uint32_t trial = 0; trial < 12; trial++) {
        struct runner *r = run_text(HEAD ONE);
        struct scene sc = tape_scene(runner_tape(r));
        struct err e = {0};
        uint32_t node = sc.w->node[ROOT].first_child, position = (uint32_t)prng_below(&g, 10);
        bool value = trial % 2 == 1;
        struct poison p = {.slot = node_slots(sc, node)[position], .layer = (uint32_t)prng_below(&g, c->layers),
                           .head = (uint32_t)prng_below(&g, c->kv_heads), .dim = (uint32_t)prng_below(&g, c->head_dim),
                           .one_layer = true, .one_head = true, .one_dim = true, .keys = !value, .values = value,
                           .bit = (uint32_t)prng_below(&g, 32)};
        poison_bit(r, &p);
        assert_int_equal(run_more(r, TWO, &e), 0);
        struct proof f = proof_of(r, 2, false);
        for (uint32_t l = 0; l < p.layer; l++)
            assert_true(difference_count(&f.layer[l]) == 0);
        const struct difference *d = &f.layer[p.layer];
        assert_true(difference_count(d) == 1); /* behind it, in the same layer, nothing has been mixed yet */
        assert_int_equal(d->position, position);
        assert_int_equal(d->part, value ? ROW_V : ROW_K);
        assert_int_equal(d->head, p.head);
        assert_int_equal(d->dim, p.dim);
        assert_int_equal(d->cached ^ d->cold, (uint32_t)1 << p.bit);
        proof_done(&f);
        runner_free(r);
    }
}

static int cancel_at_once(void *arg, double done)
{
    ++*(int *)arg;
    assert_true(done >= 0 && done <= 1.0001);
    return *(int *)arg == 3;
}

static void a_proof_can_be_cancelled(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE TWO);
    struct engine *en = runner_engine(r);
    struct proof p;
    struct err e = {0};
    int calls = 0;
    struct rerun_watch watch = {cancel_at_once, &calls};
    uint32_t live = kvrows_live(engine_kvrows(en));
    assert_int_equal(proof_run(en, 0, 2, false, &watch, &p, &e), 1);
    assert_int_equal(calls, 3);
    assert_false(e.set);
    assert_int_equal(kvrows_live(engine_kvrows(en)), live);
    runner_free(r);
}

/* ---- spoiled rows ------------------------------------------------------------------------------------------ */

static struct effect effect_of(struct runner *r, int branch, uint32_t step)
{
    struct effect f;
    struct err e = {0};
    if (effect_run(runner_engine(r), branch, step, NULL, &f, &e) != 0)
        fail_msg("%s", e.what);
    return f;
}

/* The slot behind a position of the path that begins with the root's child number `child`. */
static uint32_t slot_of(struct runner *r, uint32_t child, uint32_t position)
{
    struct scene sc = tape_scene(runner_tape(r));
    uint32_t node = sc.w->node[ROOT].first_child;
    while (child-- > 0)
        node = sc.w->node[node].next;
    assert_true(position < sc.w->node[node].len);
    return node_slots(sc, node)[position];
}

/* A request's generated tokens. */
static uint32_t answer(struct runner *r, uint32_t request, uint32_t *out)
{
    uint32_t n;
    const uint32_t *made = engine_generated(runner_engine(r), request, &n);
    memcpy(out, made, n * sizeof *out);
    return n;
}

/* Rewound to before the second request and spoiled there: the table foretells what the requests do when they are
 * sent again on the spoiled branch. */
static void effect_is_what_happens(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE TWO THREE ALONE);
    struct err e = {0};
    const struct tape *t = runner_tape(r);
    uint32_t clean[5][64], n[5], token[64], before = 0, position = 0;
    for (uint32_t q = 1; q <= 4; q++)
        n[q] = answer(r, q, clean[q]);
    for (uint32_t i = 0; i < 2; i++)
        before = tape_find_kind(t, 0, before, 1, EV_REQUEST);
    struct effect f = {0};
    int branch = 0;
    uint32_t step = 0;
    for (; f.count == 0 || f.request[0].changed == 0; position++) { /* until one changes the next answer */
        assert_true(position < 16);
        effect_done(&f);
        assert_int_equal(runner_act_at(r, 0, before - 1, &e), 0);
        struct poison p = {.slot = slot_of(r, 0, position), .keys = true, .values = true, .bit = 31};
        poison_bit(r, &p);
        branch = tape_branch(t);
        step = tape_length(t, branch);
        assert_int_equal(branch, position + 1);
        assert_int_equal(effect_find(t, branch, step), step);
        f = effect_of(r, branch, step);
    }
    assert_int_equal(f.branch, 0);
    assert_int_equal(f.ran_spoiled, 0);
    assert_int_equal(f.count, 3);
    assert_true(f.request[0].reads > 0 && f.request[1].reads > 0);
    assert_true(f.request[0].max > 0 && f.request[1].max > 0);
    assert_int_equal(f.request[2].reads, 0); /* it reads nothing of the others */
    assert_true(f.request[2].max == 0 && f.request[2].changed == 0);
    uint32_t changed = 0;
    for (uint32_t k = 0; k < 2; k++) { /* now really */
        uint32_t q = k + 2;
        assert_int_equal(run_more(r, k == 0 ? TWO : THREE, &e), 0);
        uint32_t m = answer(r, q, token), first = 0;
        while (first < m && first < n[q] && token[first] == clean[q][first])
            first++;
        const struct effect_request *x = &f.request[k];
        assert_int_equal(x->changed == 0, first == n[q]);
        if (x->changed > 0) {
            changed++;
            uint32_t prompt = tape_world(t)->request[q].prompt_len;
            assert_int_equal(x->position, prompt + first);
            assert_int_equal(x->clean, clean[q][first]);
            assert_int_equal(x->spoiled, token[first]);
        }
    }
    assert_true(changed > 0);
    effect_done(&f);
    f = effect_of(r, branch, step); /* the same from the other side: the requests ran behind the spoiled row */
    assert_int_equal(f.branch, branch);
    assert_int_equal(f.ran_spoiled, 1);
    assert_int_equal(f.count, 2);
    assert_true(f.request[0].max > 0 && f.request[0].changed > 0);
    effect_done(&f);
    runner_free(r);
}

/* A row that nobody reads again changes nobody; nor does one that is put back by a step back. */
static void unread_rows_reach_nobody(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE ALONE);
    struct err e = {0};
    struct poison p = {.slot = slot_of(r, 1, 1), .keys = true, .values = true, .bit = 31};
    const struct tape *t = runner_tape(r);
    uint32_t at = tape_length(t, 0), row = kv_row(tape_world(t), p.slot);
    poison_bit(r, &p);
    assert_true((tape_world(t)->kv[p.slot] & KV_SPOILED) != 0);
    assert_int_not_equal(kv_row(tape_world(t), p.slot), row);
    assert_int_equal(run_more(r, TWO, &e), 0);
    struct effect f = effect_of(r, 0, at + 1);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.request[0].reads, 0);
    assert_true(f.request[0].max == 0);
    effect_done(&f);
    struct proof proof = proof_of(r, 3, false);
    assert_true(difference_count(&proof.layer[proof.layers]) == 0);
    proof_done(&proof);
    assert_int_equal(engine_act_at(runner_engine(r), 0, at, &e), 0);
    assert_int_equal(tape_world(t)->kv[p.slot], row); /* a step back: the row that was there */
    runner_free(r);
}

/* Whoever reads rows that were computed from a spoiled one reads spoiled rows, too: every single one of them. */
static void what_was_computed_from_it_counts(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE);
    struct err e = {0};
    uint32_t at = tape_length(runner_tape(r), 0);
    struct poison p = {.slot = slot_of(r, 0, 4), .keys = true, .values = true, .bit = 31};
    poison_bit(r, &p);
    assert_int_equal(run_more(r, TWO, &e), 0);
    assert_int_equal(run_more(r, "turn \"What color is the sea?\" max=3\n", &e), 0);
    const struct world *w = tape_world(runner_tape(r));
    uint32_t first = w->request[2].cached_len, second = w->request[3].cached_len;
    assert_true(second > first + 5);
    struct effect f = effect_of(r, 0, at + 1);
    assert_int_equal(f.request[0].reads, 1);
    assert_int_equal(f.request[1].reads, 1 + second - first); /* the spoiled row and all that the request before computed */
    effect_done(&f);
    runner_free(r);
}

static void sharing_wrongly(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE);
    struct err e = {0};
    uint32_t at = tape_length(runner_tape(r), 0), a = slot_of(r, 0, 3), b = slot_of(r, 0, 9);
    assert_int_equal(engine_share(runner_engine(r), a, b, &e), 0);
    struct kvrows *rows = engine_kvrows(runner_engine(r));
    const struct world *w = tape_world(runner_tape(r));
    assert_memory_equal(kvrows_k(rows, kv_row(w, a), 0), kvrows_k(rows, kv_row(w, b), 0), kvrows_row_bytes(rows));
    assert_int_equal(run_more(r, TWO, &e), 0);
    struct effect f = effect_of(r, 0, at + 1);
    assert_int_equal(f.request[0].reads, 1);
    assert_true(f.request[0].max > 0);
    effect_done(&f);
    struct proof p = proof_of(r, 2, false);
    assert_int_equal(p.layer[0].position, 3);
    proof_done(&p);
    runner_free(r);
}

static void refusals(void **state)
{
    (void)state;
    static const struct { const char *line, *says; } CASES[] = {
        {"poison 500", "no slot 500"}, {"poison 120", "holds no keys"},
        {"poison 1 layer=9", "no layer 9"}, {"poison 1 head=3", "no KV head 3"},
        {"poison 1 dim=32", "no dimension 32"}, {"poison 1 bit=32", "bits 0 to 31"},
        {"share 1 1", "already"}, {"share 1 120", "holds no keys"},
    };
    struct runner *r = run_text(HEAD ONE);
    uint32_t length = tape_length(runner_tape(r), 0), live = kvrows_live(engine_kvrows(runner_engine(r)));
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err e = {0};
        assert_int_equal(run_more(r, CASES[i].line, &e), RUN_FAILED);
        if (strstr(e.what, CASES[i].says) == NULL)
            fail_msg("%s: %s", CASES[i].line, e.what);
    }
    assert_int_equal(tape_length(runner_tape(r), 0), length);
    assert_int_equal(kvrows_live(engine_kvrows(runner_engine(r))), live);
    runner_free(r);
}

/* No memory, at every single allocation: an error, and no row is lost. */
static void out_of_memory(void **state)
{
    (void)state;
    struct runner *r = run_text(HEAD ONE "poison 3\n" TWO);
    struct engine *en = runner_engine(r);
    const struct tape *t = runner_tape(r);
    uint32_t live = kvrows_live(engine_kvrows(en)), step = effect_find(t, 0, tape_length(t, 0)), failed = 0;
    for (int what = 0; what < 2; what++) {
        for (unsigned long nth = 1; nth < 400; nth++) {
            struct err e = {0};
            struct proof p = {0};
            struct effect f = {0};
            xalloc_fail_at(nth, false);
            int rc = what == 0 ? proof_run(en, 0, 2, false, NULL, &p, &e)
                               : effect_run(en, 0, step, NULL, &f, &e);
            bool injected = xalloc_failures() > 0;
            xalloc_fail_at(0, false);
            assert_true(rc == 0 || e.set);
            proof_done(&p);
            effect_done(&f);
            assert_int_equal(kvrows_live(engine_kvrows(en)), live);
            if (!injected)
                break;
            failed++;
        }
    }
    assert_true(failed > 15);
    runner_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_of_every_pass), cmocka_unit_test(attention_as_the_model_saw_it),
        cmocka_unit_test(flops_add_up), cmocka_unit_test(readers_of_slots),
        cmocka_unit_test(exact_proof_finds_nothing), cmocka_unit_test(fast_proof_shows_rounding),
        cmocka_unit_test(proof_finds_the_flipped_bit), cmocka_unit_test(a_proof_can_be_cancelled),
        cmocka_unit_test(effect_is_what_happens), cmocka_unit_test(unread_rows_reach_nobody),
        cmocka_unit_test(what_was_computed_from_it_counts), cmocka_unit_test(sharing_wrongly), cmocka_unit_test(refusals), cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
