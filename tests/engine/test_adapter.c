/* Adapters in the engine: their own namespace, exact with the cache, and what happens without the namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/xalloc.h"
#include "engine/engine.h"
#include "model/chat.h"
#include "model/kvrows.h"
#include "model/lora.h"
#include "tape/check.h"
#include "tape/tape_io.h"

enum { WHO = 3, MAX_NEW = 8 };

static struct model *model;
static struct lora *adapter[WHO]; /* [0] NULL: the model alone */
static struct ids prompt;

static int set_up(void **state)
{
    static const char ASKED[] = "What color is a banana?";
    struct err e = {0};
    (void)state;
    struct chat_message m = {"user", ASKED, strlen(ASKED)};
    if (model_open("data/model", &model, &e) != 0 ||
        lora_open("data/model/adapters/reason", "reason", model, &adapter[1], &e) != 0 ||
        lora_open("data/model/adapters/turned", "turned", model, &adapter[2], &e) != 0)
        return -1;
    return chat_render(model, &m, 1, true, &prompt, &e);
}

static int tear_down(void **state)
{
    (void)state;
    ids_free(&prompt);
    lora_close(adapter[1]);
    lora_close(adapter[2]);
    model_close(model);
    return 0;
}

static struct engine *engine_of(uint32_t chunk)
{
    struct err e = {0};
    struct engine_config c = {.world = {.pool = 256, .page_size = 1}, .model = model, .chunk = chunk};
    struct engine *en = engine_new(&c, &e);
    assert_non_null(en);
    return en;
}

/* The logits of the last prompt position and the tokens that followed. */
struct told {
    float *logits; /* (vocab) */
    uint32_t ids[MAX_NEW], n;
    struct request_report report;
};

static void keep_last(void *ctx, uint32_t position, const float *logits, uint32_t vocab)
{
    if (position + 1 == prompt.len)
        memcpy(((struct told *)ctx)->logits, logits, vocab * sizeof *logits);
}

static struct told ask(struct engine *en, int who, const char *extra_key, bool shared)
{
    struct err e = {0};
    struct told t = {.logits = xcalloc(model_get_config(model)->vocab, sizeof(float))};
    struct request_spec spec = {.ids = prompt.at, .n = (uint32_t)prompt.len, .max_new = MAX_NEW, .lora = adapter[who],
                                .extra_key = extra_key, .shared_namespace = shared, .logits = keep_last,
                                .logits_ctx = &t};
    if (engine_request(en, &spec, &t.report, &e) != 0 || world_check(tape_scene(engine_tape(en)), &e) != 0)
        fail_msg("%s", e.what);
    const uint32_t *made = engine_generated(en, t.report.request, &t.n);
    memcpy(t.ids, made, t.n * sizeof *made);
    return t;
}

static bool same(const struct told *a, const struct told *b)
{
    return a->n == b->n && memcmp(a->ids, b->ids, a->n * sizeof *a->ids) == 0 &&
           memcmp(a->logits, b->logits, model_get_config(model)->vocab * sizeof *a->logits) == 0;
}

static const char *namespace_of(struct engine *en, const struct told *t)
{
    struct scene sc = tape_scene(engine_tape(en));
    return store_name(sc.s, sc.w->request[t->report.request].ns);
}

/* Same tokens, three namespaces: nothing is shared between them, everything within each. */
static void each_adapter_has_its_namespace(void **state)
{
    (void)state;
    static const char *const names[WHO] = {"", "reason", "turned"};
    struct engine *en = engine_of(0);
    struct told first[WHO];
    unsigned compared = 0;
    for (int who = 0; who < WHO; who++) {
        first[who] = ask(en, who, NULL, false);
        assert_int_equal(first[who].report.cached_tokens, 0);
        assert_string_equal(namespace_of(en, &first[who]), names[who]);
    }
    for (int who = 0; who < WHO; who++, compared++) {
        struct told again = ask(en, who, NULL, false);
        assert_int_equal(again.report.cached_tokens, prompt.len - 1);
        assert_true(same(&again, &first[who]));
        assert_false(same(&again, &first[(who + 1) % WHO]));
        xfree(again.logits);
    }
    for (int who = 0; who < WHO; who++)
        xfree(first[who].logits);
    assert_int_equal(compared, WHO);
    engine_free(en);
}

/* The name is appended to the extra_key with nothing between: as in SGLang, these two meet. */
static void names_are_appended(void **state)
{
    (void)state;
    struct engine *en = engine_of(0);
    struct told a = ask(en, 1, "team-", false), b = ask(en, 0, "team-reason", false), c = ask(en, 1, NULL, false);
    assert_string_equal(namespace_of(en, &a), "team-reason");
    assert_int_equal(b.report.cached_tokens, prompt.len - 1);
    assert_int_equal(c.report.cached_tokens, 0);
    assert_true(same(&a, &c)); /* the namespace itself changes nothing */
    xfree(a.logits);
    xfree(b.logits);
    xfree(c.logits);
    engine_free(en);
}

/* Prefill in chunks of every size, cached after each: the bits of one cold pass. */
static void every_chunk_gives_the_same_bits(void **state)
{
    (void)state;
    unsigned compared = 0;
    for (int who = 1; who < WHO; who++) {
        struct engine *en = engine_of(0);
        struct told cold = ask(en, who, NULL, false);
        engine_free(en);
        for (uint32_t chunk = 1; chunk < prompt.len; chunk++, compared++) {
            en = engine_of(chunk);
            struct told cut = ask(en, who, NULL, false), again = ask(en, who, NULL, false);
            assert_true(same(&cut, &cold) && same(&again, &cold));
            xfree(cut.logits);
            xfree(again.logits);
            engine_free(en);
        }
        xfree(cold.logits);
    }
    assert_int_equal(compared, 2 * (prompt.len - 1));
}

static uint32_t count_notes(struct engine *en)
{
    struct tape *t = engine_tape(en);
    struct step step;
    uint32_t notes = 0;
    for (uint32_t at = 1; at <= tape_length(t, 0); at++) {
        tape_step(t, 0, at, &step);
        notes += step.kind == EV_NOTE;
    }
    return notes;
}

/* Without its name in the namespace an adapter reads the model's rows; notes and logit_diff say it. */
static void sharing_a_namespace_goes_wrong(void **state)
{
    (void)state;
    struct engine *en = engine_of(0);
    struct told right = ask(en, 1, NULL, false), base = ask(en, 0, NULL, false);
    assert_int_equal(count_notes(en), 0);
    uint32_t rows = kvrows_live(engine_kvrows(en));
    struct told wrong = ask(en, 1, NULL, true);
    assert_int_equal(wrong.report.cached_tokens, prompt.len - 1);
    assert_int_equal(count_notes(en), 2);
    assert_false(same(&wrong, &right));
    double most = 0;
    for (uint32_t v = 0; v < model_get_config(model)->vocab; v++) {
        double d = (double)wrong.logits[v] - (double)right.logits[v];
        most = d > most ? d : -d > most ? -d : most;
    }
    assert_true(most > 1.0);
    assert_true(wrong.report.logit_diff == most); /* measured against the right logits, to the last bit */
    assert_true(right.report.logit_diff == 0.0);
    assert_int_equal(kvrows_live(engine_kvrows(en)), rows + wrong.report.computed_tokens + wrong.n - 1);
    xfree(right.logits);
    xfree(base.logits);
    xfree(wrong.logits);
    engine_free(en);
}

/* The first to come finds nothing and is right; whoever comes behind it is not, though nobody changed it. */
static void a_poisoned_namespace(void **state)
{
    (void)state;
    struct engine *en = engine_of(5);
    struct told first = ask(en, 2, NULL, true), behind = ask(en, 0, NULL, false);
    assert_int_equal(first.report.cached_tokens, 0);
    assert_true(first.report.logit_diff == 0.0);
    assert_int_equal(behind.report.cached_tokens, prompt.len - 1);
    struct engine *clean = engine_of(0);
    struct told right = ask(clean, 0, NULL, false);
    assert_false(same(&behind, &right));
    xfree(first.logits);
    xfree(behind.logits);
    xfree(right.logits);
    engine_free(clean);
    engine_free(en);
}

static void an_adapter_of_another_model(void **state)
{
    (void)state;
    struct err e = {0};
    struct model *other;
    struct lora *l;
    struct request_report out;
    assert_int_equal(model_open("data/model", &other, &e), 0);
    assert_int_equal(lora_open("data/model/adapters/turned", "turned", other, &l, &e), 0);
    struct engine *en = engine_of(0);
    struct request_spec spec = {.ids = prompt.at, .n = (uint32_t)prompt.len, .max_new = 1, .lora = l};
    assert_int_equal(engine_request(en, &spec, &out, &e), -1);
    assert_string_equal(e.what, "adapter turned was loaded for another model");
    engine_free(en);
    lora_close(l);
    model_close(other);
}

/* Every allocation of the mistaken request fails once: an error each time, and a whole world behind it. */
static void no_memory(void **state)
{
    (void)state;
    unsigned long injected = 0;
    for (unsigned long nth = 1;; nth++) {
        struct engine *en = engine_of(0);
        struct told base = ask(en, 0, NULL, false);
        struct request_spec spec = {.ids = prompt.at, .n = (uint32_t)prompt.len, .max_new = 1, .lora = adapter[1],
                                    .shared_namespace = true};
        struct request_report out;
        struct err e = {0};
        xalloc_fail_at(nth, false);
        int rc = engine_request(en, &spec, &out, &e);
        unsigned long failures = xalloc_failures();
        xalloc_fail_at(0, false);
        injected += failures;
        assert_true(rc == 0 || e.set);
        struct err broken = {0};
        if (world_check(tape_scene(engine_tape(en)), &broken) != 0)
            fail_msg("%s", broken.what);
        assert_int_equal(tape_world(engine_tape(en))->head.request_count, 0);
        xfree(base.logits);
        engine_free(en);
        if (failures == 0)
            break;
    }
    assert_true(injected > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_adapter_has_its_namespace),
        cmocka_unit_test(names_are_appended),
        cmocka_unit_test(every_chunk_gives_the_same_bits),
        cmocka_unit_test(sharing_a_namespace_goes_wrong),
        cmocka_unit_test(a_poisoned_namespace),
        cmocka_unit_test(an_adapter_of_another_model),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
