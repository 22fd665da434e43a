/* Every kind of step, rendered: each name in braces resolves, counts agree with their nouns, and what a
 * sentence says is what its arguments are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tape/event.h"
#include "tape/tape_io.h"

static struct tape *tape;
static struct scene sc;
static uint32_t name;

/* A world with a node 4, a request 2 and a name. */
static int make_scene(void **state)
{
    struct world_config cfg = {.pool = 64, .page_size = 4};
    struct err e = {0};
    (void)state;
    tape = tape_new(&cfg, &e);
    if (tape == NULL)
        return -1;
    tape->w->node[3].id = 4;
    tape->w->node[3].parent = ROOT;
    tape->w->head.node_top = 4;
    tape->w->request[2].rid = 2;
    sc = tape_scene(tape);
    name = store_intern(tape->store, "tenant-a");
    return 0;
}

static int drop_scene(void **state)
{
    (void)state;
    tape_free(tape);
    return 0;
}

static void say_token(void *ctx, uint32_t id, struct buf *b)
{
    (void)ctx;
    buf_printf(b, "\"tok%u\"", id);
}

/* An argument of that type: the scene's node, request, name; else a number. `sample` chooses among
 * nothing, one, several and the largest. */
static uint32_t sample_argument(char type, int sample)
{
    static const uint32_t counts[] = {0, 1, 29, 4000000000u};
    switch (type) {
    case 'n': return sample == 0 ? ROOT : 3;
    case 'r': return sample == 0 ? 0 : 2;
    case 'x': return sample == 0 ? 0 : name;
    case 't': return sample == 0 ? NO_TOKEN : 17;
    case 'p':
    case 'w': return (uint32_t)sample;
    case 'f': return (uint32_t)sample;
    default: return counts[sample];
    }
}

/* Requests and names may be nobody and nothing only where the sentence asks. */
static uint32_t argument(unsigned kind, int i, int sample)
{
    char type = event_arg_type(kind, i), asks[64];
    int len;
    const char *arg = event_arg_name(kind, i, &len);
    snprintf(asks, sizeof asks, "{?%.*s:", len, arg);
    bool may = strstr(event_info(kind)->sentence, asks) != NULL;
    return sample_argument(type, (type == 'x' || type == 'r') && !may ? 2 : sample);
}

static void check_sentence(unsigned kind, const char *text)
{
    const char *bad[] = {"{", "}", "|", "  ", " 1 tokens", " 1 slots", " 1 leaves", "tokenss", "leafs", " ,", " .", ".."};
    size_t n = strlen(text);
    if (n < 2 || (text[n - 1] != '.' && kind != EV_NOTE))
        fail_msg("%s: \"%s\" is no sentence", event_info(kind)->name, text);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (strstr(text, bad[i]) != NULL && kind != EV_SET && kind != EV_NOTE)
            fail_msg("%s: \"%s\" holds \"%s\"", event_info(kind)->name, text, bad[i]);
}

static void test_every_kind_in_every_mood(void **state)
{
    unsigned rendered = 0;
    struct event_words words = {NULL, say_token};
    (void)state;
    for (unsigned kind = 0; kind < EV_COUNT; kind++)
        for (int sample = 0; sample < 4; sample++, rendered++) {
            uint32_t arg[EVENT_ARGS] = {0};
            struct buf b = {0};
            for (int i = 0; i < EVENT_ARGS && event_arg_type(kind, i) != '\0'; i++)
                arg[i] = argument(kind, i, sample);
            event_sentence(sc, sample % 2 == 0 ? &words : NULL, kind, arg, &b);
            check_sentence(kind, buf_text(&b));
            buf_clear(&b);
            event_fields(sc, &words, kind, arg, &b);
            assert_false(b.failed);
            buf_free(&b);
        }
    assert_int_equal(rendered, EV_COUNT * 4);
}

/* One argument at a time is nothing while the others are several: no choice between two wordings may
 * depend on another argument's being there. */
static void test_every_argument_missing_once(void **state)
{
    unsigned rendered = 0;
    (void)state;
    for (unsigned kind = 0; kind < EV_COUNT; kind++)
        for (int without = 0; without < EVENT_ARGS && event_arg_type(kind, without) != '\0'; without++, rendered++) {
            uint32_t arg[EVENT_ARGS] = {0};
            struct buf b = {0};
            for (int i = 0; i < EVENT_ARGS && event_arg_type(kind, i) != '\0'; i++)
                arg[i] = argument(kind, i, i == without ? 0 : 2);
            event_sentence(sc, NULL, kind, arg, &b);
            check_sentence(kind, buf_text(&b));
            buf_free(&b);
        }
    assert_true(rendered > 3 * EV_COUNT / 2);
}

/* Behind "1 token" no verb of many stands, behind "2 tokens" none of one, and nothing says "all 1". */
static void check_number(unsigned kind, const char *text, uint32_t n)
{
    static const char *const VERB[2][10] = {{"are", "pass", "go", "remain", "have", "run", "stay", "enter", "were", "point"},
                                            {"is", "passes", "goes", "remains", "has", "runs", "stays", "enters", "was", "points"}};
    char number[4], noun[40], verb[40];
    snprintf(number, sizeof number, "%u ", n);
    for (const char *at = strstr(text, number); at != NULL; at = strstr(at + 1, number)) {
        if (sscanf(at + 2, "%39[a-z] %39[a-z]", noun, verb) < 2 || (at > text && at[-1] != ' '))
            continue;
        for (size_t i = 0; i < ARRAY_LEN(VERB[0]); i++)
            if (strcmp(verb, VERB[n - 1][i]) == 0)
                fail_msg("%s: \"%s\": %s%s %s", event_info(kind)->name, text, number, noun, verb);
        if (n == 1 && ((at - text >= 4 && strncasecmp(at - 4, "all ", 4) == 0) || strstr(text, "its slots, ") != NULL))
            fail_msg("%s: \"%s\"", event_info(kind)->name, text);
    }
}

static void test_one_and_two(void **state)
{
    unsigned rendered = 0;
    (void)state;
    for (unsigned kind = 0; kind < EV_COUNT; kind++)
        for (uint32_t n = 1; n <= 2; n++)
            for (int without = -1; without < EVENT_ARGS; without++, rendered++) { /* and with another wording */
                uint32_t arg[EVENT_ARGS] = {0};
                struct buf b = {0};
                for (int i = 0; i < EVENT_ARGS && event_arg_type(kind, i) != '\0'; i++) {
                    bool number = strchr("nrxtpwf", event_arg_type(kind, i)) == NULL;
                    arg[i] = number && i != without ? n : argument(kind, i, i == without ? 0 : 2);
                }
                event_sentence(sc, NULL, kind, arg, &b);
                check_number(kind, buf_text(&b), n);
                buf_free(&b);
            }
    assert_int_equal(rendered, EV_COUNT * 2 * (EVENT_ARGS + 1));
}

/* What share put behind a slot: the same token or another one, at the same position or another one; or nothing is said
 * of it, where a slot belongs to nobody. */
static void test_share_says_what_differs(void **state)
{
    static const struct { uint32_t with; const char *says, *never; } CASES[] = {
        {12, "slot 10 now leads to a copy of what was computed for slot 12: the same token, \"tok5\", from position 2 instead of 0, with the past that it has there.", NULL},
        {11, "for slot 11: \"tok6\" from position 1 instead of \"tok5\" at position 0, with the past", "same"},
        {20, "for slot 20: the same token, \"tok5\", at the same position, 0, with the past", "instead"},
        {40, "for slot 40, with the past", "token"},
    };
    static const uint32_t TOKENS[] = {5, 6, 5, 5}, SLOTS[] = {10, 11, 12, 20};
    (void)state;
    memcpy(tape->store->token, TOKENS, sizeof TOKENS);
    memcpy(tape->store->value, SLOTS, sizeof SLOTS);
    struct node *a = &tape->w->node[3], *b = &tape->w->node[2], before = *a;
    a->len = 3;
    *b = (struct node){.id = 5, .parent = ROOT, .key_off = 3, .val_off = 3, .len = 1};
    tape->w->node[ROOT].first_child = 3;
    a->next = 2;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct event_words words = {NULL, say_token};
        const uint32_t arg[EVENT_ARGS] = {10, CASES[i].with, 41, 24};
        struct buf said = {0};
        event_sentence(sc, &words, EV_SHARE, arg, &said);
        if (strstr(buf_text(&said), CASES[i].says) == NULL || strstr(buf_text(&said), "41") != NULL ||
            (CASES[i].never != NULL && strstr(buf_text(&said), CASES[i].never) != NULL))
            fail_msg("slot %u: %s", CASES[i].with, buf_text(&said));
        buf_free(&said);
    }
    tape->w->node[ROOT].first_child = 0;
    *a = before;
    *b = (struct node){0};
}

static void test_the_table(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < EV_COUNT; kind++) {
        const struct event_info *info = event_info(kind);
        assert_int_equal(event_find(info->name), (int)kind); /* names are unique */
        assert_true(info->lesson[0] != '\0' && info->depth <= DEPTH_EVENT);
        int args = 0;
        for (const char *at = info->args; *at != '\0'; args++) {
            size_t len = strcspn(at, " ");
            assert_true(args < EVENT_ARGS && at[len - 2] == ':');
            assert_non_null(strchr("nrtsckxpwifoumh", at[len - 1]));
            at += len + (at[len] == ' ');
        }
    }
    assert_int_equal(event_find("no such step"), -1);
    assert_null(event_info(EV_COUNT));
    assert_int_equal(event_arg(EV_WALK, "units"), 1);
    assert_int_equal(event_arg(EV_WALK, "nothing"), -1);
}

static void says(unsigned kind, const uint32_t *arg, const char *part)
{
    struct event_words words = {NULL, say_token};
    struct buf b = {0};
    event_sentence(sc, &words, kind, arg, &b);
    if (strstr(buf_text(&b), part) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", event_info(kind)->name, buf_text(&b), part);
    buf_free(&b);
}

/* The numbers in the sentences are those of the algorithm in the headers: M1, S1 S2 S3, E2a ... */
static void test_steps_of_the_algorithm(void **state)
{
    uint32_t split[EVENT_ARGS] = {3, 4, 29, 36, 2, 17, 18, 7}, lock[EVENT_ARGS] = {3, 1, 5}, again[EVENT_ARGS] = {3, 2, 0};
    (void)state;
    says(EV_SPLIT, split, "[S1 S2 S3] ");
    says(EV_LOCK_NODE, lock, "[L1 L2] ");
    says(EV_LOCK_NODE, again, "[L2] ");
    unsigned numbered = 0;
    for (unsigned kind = 0; kind < EV_COUNT; kind++) {
        uint32_t arg[EVENT_ARGS] = {0};
        struct buf b = {0};
        for (int i = 0; i < EVENT_ARGS && event_arg_type(kind, i) != '\0'; i++)
            arg[i] = argument(kind, i, 2);
        event_steps(kind, arg, &b);
        const char *at = buf_text(&b);
        for (; *at != '\0'; numbered++) {
            size_t n = strcspn(at, " ");
            assert_non_null(strchr("MISLUFE", at[0]));
            assert_true(at[1] >= '1' && at[1] <= '5' && n <= 3);
            at += n + (at[n] == ' ');
        }
        buf_free(&b);
    }
    assert_true(numbered >= 24);
}

static void test_values_are_said(void **state)
{
    (void)state;
    says(EV_WALK, (const uint32_t[]){3, 29, 29}, "29 tokens");
    says(EV_WALK, (const uint32_t[]){3, 1, 29}, "1 token ");
    says(EV_WALK, (const uint32_t[]){3, 1, 29}, "node 4 (D)");
    says(EV_MISS, (const uint32_t[]){ROOT, 17}, "The root");
    says(EV_MISS, (const uint32_t[]){3, 17}, "\"tok17\"");
    uint32_t split[EVENT_ARGS] = {3, 3, 5, 7, 2, 17, 18, 2};
    says(EV_SPLIT, split, "after 5 of 7 tokens");
    says(EV_SPLIT, split, "request 2 goes on with \"tok17\" where the tree has \"tok18\"");
    split[5] = NO_TOKEN;
    says(EV_SPLIT, split, "request 2 ends");
    split[4] = 0;
    says(EV_SPLIT, split, "the key ends");
    uint32_t evict[EVENT_ARGS] = {10, 3, 2, POLICY_SLRU, 2};
    says(EV_EVICT, evict, "2 unlocked leaves");
    evict[2] = 1;
    says(EV_EVICT, evict, "1 unlocked leaf");
    says(EV_EVICT, evict, "slru");
    uint32_t victim[EVENT_ARGS] = {3, 4, 4, 9, 14, POLICY_LRU, 3, 17};
    says(EV_VICTIM, victim, "of the leaves that may go, it was used longest ago (tick 14; next would be node 4 (D), tick 17)");
    victim[6] = 0; /* it was compared with nobody */
    says(EV_VICTIM, victim, "goes: no other leaf may go (tick 14). 4 slots");
    victim[5] = POLICY_COUNT; /* who knows the future says nothing of a next one */
    says(EV_VICTIM, victim, "goes: of all that may go it is read again last, or never (tick 14)");
    assert_int_equal(event_about(EV_SPLIT, split, 'n'), 3);
    assert_int_equal(event_about(EV_SPLIT, split, 's'), 0);
}

/* The queue is the world's: numbers, labels, and no more than a sentence bears. */
static void test_the_queue_is_said(void **state)
{
    enum { MANY = 15 };
    uint32_t ranked[EVENT_ARGS] = {2, 5, 2, 0};
    struct world *w = tape->w;
    (void)state;
    says(EV_RANKED, ranked, "stands: nobody; ");
    for (uint32_t r = 2; r < 2 + MANY; r++) {
        w->request[r].rid = r;
        w->served[r].next = r + 1 < 2 + MANY ? r + 1 : 0;
    }
    w->request[3].label = name;
    w->head.queue_first = 2;
    w->head.queue_count = 2;
    says(EV_RANKED, ranked, "stands: 2, 3 (tenant-a); request 2 is first (5 tokens cached) of 2.");
    w->head.queue_count = MANY;
    says(EV_RANKED, ranked, ", 13 and 3 more; ");
    w->served[4].next = 2; /* a damaged recording may lead round */
    says(EV_RANKED, ranked, " and 3 more; ");
    w->head.queue_first = w->head.queue_count = 0;
}

static void test_names_of_nodes(void **state)
{
    struct buf b = {0};
    (void)state;
    assert_int_equal(node_letter(sc.w, ROOT), '/');
    assert_int_equal(node_letter(sc.w, 3), 'D');
    tape->w->node[3].id = 27; /* no letter left: the number alone */
    assert_int_equal(node_letter(sc.w, 3), '#');
    node_call(sc.w, 3, &b);
    assert_string_equal(buf_text(&b), "node 27");
    tape->w->node[3].id = 4;
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_in_every_mood), cmocka_unit_test(test_every_argument_missing_once),
        cmocka_unit_test(test_the_table),                cmocka_unit_test(test_steps_of_the_algorithm),
        cmocka_unit_test(test_values_are_said),          cmocka_unit_test(test_the_queue_is_said),
        cmocka_unit_test(test_names_of_nodes),
        cmocka_unit_test(test_one_and_two),             cmocka_unit_test(test_share_says_what_differs),
    };
    return cmocka_run_group_tests(tests, make_scene, drop_scene);
}
