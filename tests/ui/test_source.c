/* The code pane: every numbered step has its text in a header and its place in the code, and every step of
 * real histories leads to one of them, in the function that closed the step. */
#include "tests/ui/scene.h"

#include "tape/algorithm.h"
#include "ui/source.h"

static const char *const LABELS[] = {"M1", "M2", "M3", "M3a", "M3b", "M4", "I1", "I2", "I3", "I4", "I5", "S1", "S2", "S3", "L1",
                                     "L2", "U1", "U2", "U3", "U4", "F1", "F2", "F3", "E1", "E2", "E2a", "E2b"};

static void every_label_has_text_and_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(LABELS); i++) {
        struct source_part a = source_algorithm(LABELS[i]), f = source_function(LABELS[i], "");
        int said = 0, done = 0;
        if (a.file == NULL || f.file == NULL)
            fail_msg("%s: %s", LABELS[i], a.file == NULL ? "no text in a header" : "no anchor in the code");
        for (int k = a.first; k < a.end; k++)
            said += source_says(a, k, LABELS[i]);
        for (int k = f.first; k < f.end; k++)
            done += source_does(f, k, LABELS[i]);
        assert_in_range(said, 1, 3);
        assert_in_range(done, 1, 16);
        assert_true(source_first(f, LABELS[i]) < f.end);
    }
    assert_null(source_algorithm("M9").file);
    assert_null(source_function("M9", "").file);
}

/* Anchors in the files on disk, read with other means: the same names, each in one function (the locks in two). */
static void anchors_are_the_files(void **state)
{
    (void)state;
    size_t anchors = 0;
    const struct source_file *f;
    for (int i = 0; (f = source_file(i)) != NULL; i++) {
        FILE *in = fopen(f->path, "r");
        char line[512];
        int n = 0;
        assert_non_null(in);
        for (; fgets(line, sizeof line, in) != NULL; n++) {
            line[strcspn(line, "\n")] = '\0';
            assert_true(n < f->lines);
            assert_string_equal(line, f->line[n]);
            const char *at = strstr(line, "/* ");
            for (size_t k = 0; at != NULL && k < ARRAY_LEN(LABELS); k++) {
                size_t len = strlen(LABELS[k]);
                anchors += strncmp(at + 3, LABELS[k], len) == 0 && strcmp(at + 3 + len, " */") == 0;
            }
        }
        assert_int_equal(n, f->lines);
        fclose(in);
    }
    assert_true(anchors >= ARRAY_LEN(LABELS));
}

/* The name of the event in the code: "SPLIT". */
static const char *const IDS[EV_COUNT] = {
#define X(id, ...) [EV_##id] = #id,
    EVENT_TABLE(X)
#undef X
};

/* Does the function emit an event of this kind? Some events are closed by a helper. */
static bool emits(struct source_part f, unsigned kind)
{
    char emit[64];
    snprintf(emit, sizeof emit, "EMIT(c, %s,", IDS[kind]);
    for (int k = f.first; k < f.end; k++)
        if (strstr(f.file->line[k], emit) != NULL)
            return true;
    return kind == EV_SPLIT || kind == EV_LEAF || kind == EV_FREE_DUPLICATES || kind == EV_FREE_TAIL;
}

static void every_step_finds_its_code(void **state)
{
    (void)state;
    void (*const scenes[])(struct stage *) = {scene_three, scene_evict, scene_typed};
    size_t coded = 0;
    bool seen[ARRAY_LEN(LABELS)] = {false};
    for (size_t k = 0; k < ARRAY_LEN(scenes); k++) {
        struct stage g;
        scenes[k](&g);
        for (uint32_t n = 1; n <= tape_length(g.t, 0); n++) {
            struct step s, op;
            tape_step(g.t, 0, n, &s);
            uint32_t at = tape_operation(g.t, 0, n);
            tape_step(g.t, 0, at != 0 ? at : n, &op);
            char label[ALGORITHM_LABEL];
            algorithm_step(&s, &op, label);
            if (*label == '\0')
                continue;
            size_t known = 0;
            while (known < ARRAY_LEN(LABELS) && strcmp(LABELS[known], label) != 0)
                known++;
            assert_true(known < ARRAY_LEN(LABELS));
            seen[known] = true;
            struct source_part f = source_function(label, event_info(op.kind)->name);
            assert_non_null(f.file);
            char name[64];
            source_name(f, name, sizeof name);
            if (!emits(f, s.kind))
                fail_msg("step %u (%s): %s has no EMIT of it", n, event_info(s.kind)->name, name);
            if (op.kind == EV_UNLOCK || op.kind == EV_LOCK)
                assert_non_null(strstr(name, event_info(op.kind)->name));
            coded++;
        }
        stage_close(&g);
    }
    size_t kinds = 0;
    for (size_t i = 0; i < ARRAY_LEN(LABELS); i++)
        kinds += seen[i];
    assert_true(coded > 150 && kinds >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_label_has_text_and_code),
        cmocka_unit_test(anchors_are_the_files),
        cmocka_unit_test(every_step_finds_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
