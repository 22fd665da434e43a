/* scene.h: small histories to draw, made with the real cache and a pretended model: the answers are given,
 * tokens are words. `scene_three` is the run that the first screen shows: three requests of 36 tokens with
 * the first 29 in common. Included by the tests of ui/.
 */
#ifndef RADIXSCOPE_TESTS_UI_SCENE_H
#define RADIXSCOPE_TESTS_UI_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache/cache.h"
#include "cache/evict.h"
#include "cache/radix.h"
#include "cache/req.h"
#include "cache/slots.h"
#include "engine/engine.h"
#include "ui/app.h"

enum { SCENE_WORDS = 1024, SCENE_TOKENS = 4096, SCENE_KV = 1 };

struct stage {
    struct tape *t;
    struct cache c;
    char *word[SCENE_WORDS];
    uint32_t words, kv;
    bool observe;        /* hang the best next tokens on every sample */
    struct ui_feed feed;
    struct engine *engine; /* owns the tape then (queue_scene.h); NULL: c and t are the stage's own */
};

/* ---- words as tokens -------------------------------------------------------------------------------- */

static uint32_t stage_word(struct stage *g, const char *text, size_t n)
{
    for (uint32_t i = 0; i < g->words; i++)
        if (strlen(g->word[i]) == n && memcmp(g->word[i], text, n) == 0)
            return i;
    assert_true(g->words < SCENE_WORDS);
    g->word[g->words] = malloc(n + 1);
    memcpy(g->word[g->words], text, n);
    g->word[g->words][n] = '\0';
    return g->words++;
}

/* "You are" → "You", " are". A newline is the beginning of a token. */
static uint32_t stage_tokens(struct stage *g, const char *text, uint32_t *out)
{
    uint32_t n = 0;
    while (*text != '\0') {
        size_t len = 1 + strcspn(text + 1, " \n");
        out[n++] = stage_word(g, text, len);
        text += len;
    }
    return n;
}

static void stage_quoted(void *ctx, uint32_t id, struct buf *b)
{
    struct stage *g = ctx;
    buf_json(b, g->word[id], strlen(g->word[id]));
}

static void stage_bytes(void *ctx, uint32_t id, struct buf *b)
{
    buf_puts(b, ((struct stage *)ctx)->word[id]);
}

/* As the words are cut, for what is typed; nothing is added. */
static void stage_cut(void *ctx, const char *text, size_t n, void (*piece)(void *, const char *, size_t), void *to)
{
    (void)ctx;
    for (size_t i = 0, len; i < n; i += len) {
        len = 1;
        while (i + len < n && text[i + len] != ' ' && text[i + len] != '\n')
            len++;
        piece(to, text + i, len);
    }
}

/* ---- making ----------------------------------------------------------------------------------------- */

static void stage_open(struct stage *g, uint32_t pool, uint32_t page, const char *title)
{
    struct world_config cfg = {.pool = pool, .page_size = page};
    struct err e = {0};
    memset(g, 0, sizeof *g);
    g->t = tape_new(&cfg, &e);
    assert_non_null(g->t);
    assert_int_equal(cache_init(&g->c, g->t, &e), 0);
    g->feed = (struct ui_feed){.tape = g->t, .title = title, .mode = "exact", .wake_fd = -1,
                               .words = {{g, stage_quoted}, stage_bytes, g}, .cut = stage_cut};
    assert_int_equal(cache_begin(&g->c, 0, &e), 0);
    EMIT(g->t, START, pool, page, cfg.policy, cfg.rules);
    cache_end(&g->c);
}

static inline void stage_close(struct stage *g)
{
    if (g->engine != NULL) {
        engine_free(g->engine);
    } else {
        cache_done(&g->c);
        tape_free(g->t);
    }
    for (uint32_t i = 0; i < g->words; i++)
        free(g->word[i]);
}

static void stage_begin(struct stage *g, uint32_t units)
{
    assert_int_equal(cache_begin(&g->c, units + 64, NULL), 0);
}

/* "Compute" positions [from, to): every slot gets a row. */
static void stage_compute(struct stage *g, uint32_t req, uint32_t from, uint32_t to)
{
    const struct request *q = &g->c.w->request[req];
    const uint32_t *slot = g->c.w->row_slot + q->row_off;
    for (uint32_t p = from; p < to; p++)
        W_SET(g->t, g->c.w->kv[slot[p]], ++g->kv);
    W_SET(g->t, q->computed_len, to);
    EMIT(g->t, KV_WRITE, req, from, to - from, slot[from]);
}

static void stage_sample(struct stage *g, uint32_t req, uint32_t token)
{
    uint32_t pos = g->c.w->request[req].total_len;
    req_push_token(&g->c, req, token);
    struct obs_logit best[3] = {{token, 17.5f, 0.9f}, {0, 15.0f, 0.07f}, {1, 14.0f, 0.03f}};
    if (g->observe)
        tape_observe(g->t, OBS_LOGITS, best, sizeof best);
    W_SET(g->t, g->c.w->request[req].state, REQ_DECODE);
    EMIT(g->t, SAMPLE, req, token, pos);
}

static uint32_t stage_arrive(struct stage *g, const char *prompt, uint32_t room)
{
    uint32_t tok[SCENE_TOKENS];
    uint32_t n = stage_tokens(g, prompt, tok);
    stage_begin(g, n);
    struct req_spec spec = {.tok = tok, .n = n, .cap = n + room, .max_new = room};
    uint32_t req = req_new(&g->c, &spec);
    cache_end(&g->c);
    return req;
}

static void stage_prefill(struct stage *g, uint32_t req, uint32_t first_answer)
{
    const struct request *q = &g->c.w->request[req];
    uint32_t len = q->prompt_len;
    bool got;
    stage_begin(g, len);
    req_set_state(&g->c, req, REQ_PREFILL, FINISH_NONE);
    struct match m = req_match_and_lock(&g->c, req, len - 1);
    cache_end(&g->c);
    stage_begin(g, len);
    assert_true(req_alloc(&g->c, req, len, len - m.units, &got) && got);
    cache_end(&g->c);
    stage_begin(g, len);
    EMIT(g->t, PREFILL, req, m.units, len - m.units, m.units);
    stage_compute(g, req, m.units, len);
    stage_sample(g, req, first_answer);
    cache_end(&g->c);
    stage_begin(g, len);
    assert_true(req_cache_unfinished(&g->c, req, len, false));
    cache_end(&g->c);
}

static void stage_decode(struct stage *g, uint32_t req, uint32_t token)
{
    const struct request *q = &g->c.w->request[req];
    uint32_t pos = q->kv_len;
    bool got;
    stage_begin(g, 1);
    EMIT(g->t, DECODE, req, pos, g->c.w->row_token[q->row_off + q->total_len - 1]);
    assert_true(req_alloc(&g->c, req, pos + 1, 0, &got) && got);
    stage_compute(g, req, pos, pos + 1);
    stage_sample(g, req, token);
    cache_end(&g->c);
}

/* A whole request with a given answer. */
static void stage_request(struct stage *g, const char *prompt, const char *answer)
{
    uint32_t tok[SCENE_TOKENS], n = stage_tokens(g, answer, tok);
    uint32_t req = stage_arrive(g, prompt, n);
    stage_prefill(g, req, tok[0]);
    for (uint32_t i = 1; i < n; i++)
        stage_decode(g, req, tok[i]);
    const struct request *q = &g->c.w->request[req];
    stage_begin(g, q->kv_len);
    req_set_state(&g->c, req, REQ_FINISHED, FINISH_END_TOKEN);
    assert_true(req_cache_finished(&g->c, req, q->kv_len, true));
    EMIT(g->t, ANSWER, req, n, q->cached_len, q->prompt_len - q->cached_len, FINISH_END_TOKEN);
    cache_end(&g->c);
}

/* A key that was typed, as the command `insert` does it. */
static void stage_key(struct stage *g, const char *text)
{
    uint32_t tok[SCENE_TOKENS], slots[SCENE_TOKENS], n = stage_tokens(g, text, tok), freed;
    struct cache *c = &g->c;
    c->key_text = store_intern(tape_store(g->t), text);
    stage_begin(g, 4 * n);
    struct key key = key_make(c->w, tok, n, n, 0);
    struct match have = radix_match_prefix(c, &key, 0);
    uint32_t need = n - have.units;
    radix_pin(c, have.node);
    EMIT(g->t, ALLOC, 0, need, pool_free_slots(c->w), c->key_text);
    if (pool_free_slots(c->w) < need)
        assert_true(evict(c, need, 0, &freed));
    bool got = slots_alloc(c, need, slots + have.units);
    if (got)
        EMIT(g->t, TAKE, 0, need, slots[have.units], pool_free_slots(c->w));
    else
        EMIT(g->t, ALLOC_FAIL, need, pool_free_slots(c->w), c->w->head.protected_size);
    radix_unpin(c, have.node);
    radix_path_slots((struct scene){c->w, c->s}, have.node, slots);
    if (got)
        radix_insert(c, &key, slots, 0, false, have.units, 0);
    cache_end(c);
}

#define SCENE_SYSTEM                                                                                              \
    "<|system|> You are a helpful assistant who knows many things about the world. Answer every question in one " \
    "short and very friendly sentence that a child can understand.\n<|user|>"

/* Three requests of 36 tokens, 29 in common. */
static inline void scene_three(struct stage *g)
{
    stage_open(g, 128, 1, "shared system prompt");
    stage_request(g, SCENE_SYSTEM " What color is the clear sky? <|assistant|>", "The sky is blue. <|end|>");
    stage_request(g, SCENE_SYSTEM " Where do the small fish live? <|assistant|>",
                  "They live in water. <|end|>");
    stage_request(g, SCENE_SYSTEM " What sound do most cats make? <|assistant|>", "They say meow. <|end|>");
}

/* A pool that is too small for everything: the oldest leaves have to go. */
static inline void scene_evict(struct stage *g)
{
    stage_open(g, 64, 1, "a small pool");
    stage_request(g, SCENE_SYSTEM " What color is the clear sky? <|assistant|>", "The sky is blue. <|end|>");
    stage_request(g, SCENE_SYSTEM " Where do the small fish live? <|assistant|>", "They live in water. <|end|>");
    stage_request(g, SCENE_SYSTEM " What sound do most cats make? <|assistant|>", "They say meow. <|end|>");
    stage_request(g, "<|user|> Say something else that is not in the cache at all <|assistant|>",
                  "Hello. <|end|>");
}

/* Typed keys alone: one that shares a beginning, one that needs an eviction, one that is too long. */
static inline void scene_typed(struct stage *g)
{
    stage_open(g, 12, 1, "typed keys");
    stage_key(g, "the quick brown fox");
    stage_key(g, "the quick red fox");
    stage_key(g, "a b c d e f g h");
    stage_key(g, "1 2 3 4 5 6 7 8 9 10 11 12 13 14");
}

/* A node with many children. */
static inline void scene_fan(struct stage *g, int children)
{
    char prompt[200];
    stage_open(g, 8192, 1, "one system prompt, many questions");
    for (int i = 0; i < children; i++) {
        snprintf(prompt, sizeof prompt, "You are a helpful assistant. Question%d of many <|end|>", i);
        stage_request(g, prompt, "Yes. <|end|>");
    }
}

#endif
