/* Lessons: every one of the course proved; expressions against values worked out by hand; files that are cut off or wrong
 * refused with their place; answers, hints and challenges; progress merged, damaged, reset. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/prng.h"
#include "base/xalloc.h"
#include "lesson/figures.h"
#include "lesson/lesson_check.h"
#include "lesson/player.h"
#include "lesson/present.h"

#define MODEL "data/model"

/* Another command of the program, as the program runs it for its lessons. */
static int command(void *ctx, const char *line, const char *dir, struct buf *out, struct err *e)
{
    char shell[2200], bytes[4096], cwd[1000];
    const char *build = getenv("BUILD") != NULL ? getenv("BUILD") : "build";
    (void)ctx;
    assert_non_null(getcwd(cwd, sizeof cwd));
    snprintf(shell, sizeof shell, "p=$(cd '%s' && pwd)/radixscope; export RADIXSCOPE_DATA='%s/data'; cd '%s' && \"$p\" %.900s", build,
             cwd, dir, line);
    for (char *c = shell; *c != '\0'; c++)
        *c = *c == '\n' ? ' ' : *c;
    FILE *f = popen(shell, "r");
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        buf_add(out, bytes, n);
    int rc = pclose(f), found = strncmp(line, "lint ", 5) == 0 ? 1 << 8 : 0; /* exit code 1: it found something */
    return rc == 0 || rc == found ? 0 : err_set(e, "it failed");
}

static int workload(void *ctx, const char *name, struct buf *out, struct err *e)
{
    char path[200], *text;
    size_t len;
    (void)ctx;
    snprintf(path, sizeof path, "data/workloads/%.100s.rxs", name);
    if (file_read(path, 1 << 20, &text, &len, e) != 0)
        return -1;
    buf_add(out, text, len);
    xfree(text);
    return 0;
}

static const struct lesson_host HOST = {.model_dir = MODEL, .command = command, .workload = workload};

static struct lesson *parse(const char *text, struct err *e)
{
    return lesson_parse("t.md", text, strlen(text), e);
}

/* ---- the course --------------------------------------------------------------------------------------- */

static void every_lesson(void **state)
{
    (void)state;
    DIR *dir = opendir("lessons");
    struct dirent *entry;
    unsigned lessons = 0, undecided = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[400];
        struct err e = {0};
        struct lesson_counts n = {0};
        if (strstr(entry->d_name, ".md") == NULL)
            continue;
        snprintf(path, sizeof path, "lessons/%s", entry->d_name);
        struct lesson *l = lesson_load(path, &e);
        if (l == NULL || lesson_check(l, &HOST, NULL, &n, &e) != 0)
            fail_msg("%s; %s", e.what, e.hint);
        if (n.questions == 0 || n.challenges == 0 || n.expectations == 0)
            fail_msg("%s: %u questions, %u challenges, %u expectations", path, n.questions, n.challenges, n.expectations);
        assert_int_equal(n.hints, 3 * (n.questions + n.challenges));
        lessons++;
        undecided += n.undecided;
        lesson_free(l);
    }
    closedir(dir);
    assert_true(lessons >= 22);
    assert_int_equal(undecided, 20); /* arithmetic, a comparison, a linter, a curve: nothing of it is a step */
}

/* ---- expressions -------------------------------------------------------------------------------------- */

#define HEAD "---\nid: t\ntitle: T\nminutes: 5\nobjectives:\n  - o\n---\n"
#define BODY                                                                                                   \
    HEAD "## A {#a}\n```rxs one\ntokens letters\npool 32\ninsert \"the cat sat\"\n```\n"                       \
         "```rxs two\ninsert \"the cat ran\"\n```\n"                                                           \
         "```rxs three fresh\ntokens letters\npool 8\npage 2\ninsert \"abcd\"\ninsert \"efgh\"\nevict 3\n```\n"
#define END "## S {#sheet}\nx\n"

static void expressions(void **state)
{
    (void)state;
    static const struct { const char *text, *value; } CASES[] = {
        {"1 + 2 * 3", "7"}, {"(1 + 2) * 3", "9"}, {"7 // 2", "3"}, {"-7 // 2", "-4"}, {"-7 % 3", "2"}, {"7 / 2", "3.5"},
        {"2 - 3 - 4", "-5"}, {"1 < 2 and not 2 < 1", "yes"}, {"1 == 2 or 2 >= 2", "yes"}, {"0.1 + 0.2 == 0.3", "yes"},
        {"nodes @ one", "1"}, {"nodes @ two", "3"}, {"nodes @ before two", "1"}, {"nodes", "1"}, {"leaves @ two", "2"},
        {"used @ two - used @ one", "3"}, {"len(A) @ one", "11"}, {"len(A) @ two", "3"}, {"edge(B) @ two", "the cat "},
        {"parent(A) @ two", "B"}, {"parent(B) @ two", "root"}, {"child(B, 2) @ two", "C"}, {"children(root) @ two", "1"},
        {"depth @ two", "2"}, {"list_nodes @ two", "B A C"}, {"candidates @ two", "A C"}, {"start(C) @ two", "8"},
        {"matched(two)", "8"}, {"added(two)", "3"}, {"count(split_node, two)", "1"}, {"count(split_node, one)", "0"},
        {"field(split_node, at, 1, two)", "8"}, {"field(split_node, next, 1, two)", "r"}, {"victims", "A"}, {"keys", "abcd efgh"}, {"keys(one)", "\"the cat sat\""}, {"items(keys(two))", "3"},
        {"victim(1)", "A"}, {"freed", "4"}, {"exists(A)", "no"}, {"exists(B)", "yes"}, {"owner(2)", "free"},
        {"owner(slot(B))", "B"}, {"page", "2"}, {"free", "4"}, {"policy == lru", "yes"}, {"prefix(\"efg\")", "2"},
        {"prefix(\"the cow\") @ two", "5"}, {"node_at(\"the cow\") @ two", "B"}, {"tokens(\"abc\")", "3"},
        {"if(nodes > 5, \"many\", \"few\")", "few"}, {"item(\"x y z\", 2)", "y"}, {"items(\" x  y \")", "2"},
        {"join(\"a\", 3)", "a3"}, {"step_of(start, 1, one)", "1"},
        {"step_of(split_node, 1, two) == step_of(match_prefix, 1, two) + 1", "yes"}, {"min(2, 3) + max(2, 3)", "5"}, {"pow(2, 10)", "1024"}, {"round(2.5)", "3"}, {"ceil(2.1)", "3"},
    };
    struct err e = {0};
    struct lesson *l = parse(BODY END, &e);
    struct lesson_run *r = l != NULL ? lesson_run_new(l, &HOST, &e) : NULL;
    if (r == NULL)
        fail_msg("%s", e.what);
    struct lesson_env env = run_env(r, 2); /* behind the third block */
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct expr_source s = {"x", CASES[i].text, strlen(CASES[i].text), {1, 1}};
        struct expr *x = expr_parse(&s, &e);
        struct value v;
        struct buf b = {0};
        if (x == NULL || expr_eval(x, &env, &v, &e) != 0)
            fail_msg("%s: %s", CASES[i].text, e.what);
        value_show(&v, "", &b);
        if (strcmp(buf_text(&b), CASES[i].value) != 0)
            fail_msg("%s is %s, not %s", CASES[i].text, CASES[i].value, buf_text(&b));
        buf_free(&b);
        expr_free(x);
    }
    lesson_run_free(r);
    lesson_free(l);
}

static void formats(void **state)
{
    (void)state;
    static const struct { double number; const char *format, *text; } CASES[] = {
        {3, "", "3"}, {0.25, "percent", "25 %"}, {0.123, ".1 percent", "12.3 %"}, {2400000, "si", "2.4 million"},
        {2048, "bytes", "2 KiB"}, {3.14159, ".2", "3.14"}, {7, "4", "   7"}, {7, "-3", "7  "}, {1.25e-7, "e", "1.2e-07"},
        {12345678901.0, "", "12345678901"}, {-2, "", "-2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct value v;
        struct buf b = {0};
        value_number(&v, CASES[i].number);
        assert_int_equal(value_format_check(CASES[i].format, NULL), 0);
        value_show(&v, CASES[i].format, &b);
        assert_string_equal(buf_text(&b), CASES[i].text);
        buf_free(&b);
    }
}

/* ---- files that are wrong ----------------------------------------------------------------------------- */

#define ASK(fields) "```ask number q\ntext: x\n" fields "```\n"
#define GOOD "answer: nodes\notherwise: o\nright: r\nhint: a\nhint: b\nhint: c\n"

#define FILE_OF "```file few.rxs\ntokens letters\ninsert \"abcd\"\ninsert \"abce\"\n```\n```run few\nrace few.rxs --json --policies lru "
#define RACE FILE_OF "--designs radix,chain --block 2\n```\n"
#define CHAIN FILE_OF "--designs chain,radix --block 2\n```\n"
#define RADIX_ALONE FILE_OF "--designs radix\n```\n"

static void refused(void **state)
{
    (void)state;
    static const struct { const char *text, *place, *says; } CASES[] = {
        {BODY ASK(GOOD) END, "t.md:25:1", "a wrong answer to q leads to no step"},
        {BODY ASK(GOOD "decides: split_node @ nobody\n") END, "t.md:33:10", "no block of commands and no race called nobody"},
        {BODY ASK(GOOD "decides: reset @ two\n") END, "t.md:33:10", "no such step is in two"},
        {BODY ASK(GOOD "decides: split_node @ two 1\n") END, "t.md:33:10", "two is no race"},
        {BODY ASK(GOOD "decides: split_node @\n") END, "t.md:33:10", "expected EVENT @ BLOCK"},
        {BODY ASK(GOOD "decides: split_node @ two x\n") END, "t.md:33:10", "expected EVENT @ BLOCK"},
        {BODY RACE ASK(GOOD "decides: matched @ few 9\n") END, "t.md:41:10", "few has no request 9"},
        {BODY RACE ASK(GOOD "decides: evict_node @ few\n") END, "t.md:41:10", "no such step is in few"},
        {BODY CHAIN ASK(GOOD "decides: matched @ few\n") END, "t.md:41:10", "must be the radix tree"},
        {BODY RADIX_ALONE ASK(GOOD "decides: matched @ few\n") END, "t.md:41:10", "no entry of few differs"},
        {"# no front matter\n", "t.md:1:1", "begins with"},
        {"---\nid: t\n", "t.md:3:1", "closing ---"},
        {"---\nid: T\n---\n", "t.md:2:5", "an id is"},
        {"---\ntitel: x\n---\n", "t.md:2:1", "no field 'titel'"},
        {"---\nid: t\ntitle: T\nminutes: 5\nneeds: a, t\nobjectives:\n- o\n---\n", "t.md:5:11", "need itself"},
        {"---\nneeds: t\nid: t\ntitle: T\nminutes: 5\nobjectives:\n- o\n---\n", "t.md:2:8", "need itself"},
        {HEAD "## A\n" END, "t.md:8:1", "{#id}"},
        {HEAD "## A {#a}\nx\n## B {#a}\n" END, "t.md:10:6", "another chunk"},
        {HEAD "## A {#a}\nx\n", "t.md:10:1", "sheet"},
        {HEAD "## A {#a}\n```rxs\ninsert\n```\n" END, "t.md:10:", ""},
        {HEAD "## A {#a}\n```rxs\ninsert \"a\"\n", "t.md:9:1", "closing ```"},
        {HEAD "## A {#a}\n```rxs\ntokens words\npool 4000\nworkload shared-prefix requests=20000\n```\n" END, "t.md:12:1",
         "more than 200000 steps"},
        {HEAD "## A {#a}\n```rxs\ntokens letters\nrest\n```\n" END, "t.md:11:1", "belongs to no file"},
        {HEAD "## A {#a}\n```rxs\ntokens letters\nrerun pool=9\n```\n" END, "t.md:11:1", "belongs to no file"},
        {HEAD "## A {#a}\n```rxs\ntokens letters\ninclude \"t.md\"\n```\n" END, "t.md:11:1", "no command"},
        {BODY "```let\na = a + 1\n```\n" END, "t.md:26:5", "'a'"},
        {BODY "```let\na = b\nb = a\n```\n" END, "t.md:26:5", "'b'"},
        {BODY "```run x\nlesson check t.md\n```\n" END, "t.md:25:1", "may run"},
        {BODY "```ask do q\ntext: x\nstart:\n  tokens words\n  pool 4000\n  workload shared-prefix requests=20000\nallow: insert\n"
              "goal: nodes == 1\npar: 1\nsolution:\n  insert \"a\"\nhint: a\nhint: b\nhint: c\n```\n" END, "t.md:30:3",
         "more than 200000 steps"},
        {HEAD "## A {#a}\n```rsx\n```\n" END, "t.md:9:1", "no blocks called rsx"},
        {HEAD "## A {#a}\nThere are 7 nodes.\n" END, "t.md:9:11", "plain digits"},
        {BODY "{= nodez }\n" END, "t.md:25:4", "'nodez'"},
        {BODY "{= len() }\n" END, "t.md:25:4", "takes 1 argument"},
        {BODY "{= nodes + }\n" END, "t.md:25:11", "a value should be"},
        {BODY "x {= len(Q) }\n" END, "t.md:25:6", "no node Q"},
        {BODY "{= nodes | loud }\n" END, "t.md:25:10", "no format"},
        {BODY "{= nodes\n" END, "t.md:25:1", "closing }"},
        {BODY "{= nodes @ four }\n" END, "t.md:25:12", "no block"},
        {BODY "{= 1 / 0 }\n" END, "t.md:25:6", "division"},
        {BODY "[x](node:Q)\n" END, "t.md:25:", "no node Q"},
        {BODY "[x](nod:Q)\n" END, "t.md:25:", "binds words to nothing"},
        {BODY "[x](event:splitt)\n" END, "t.md:25:", "no event splitt"},
        {BODY "```expect\nnodes == 2\n```\n" END, "t.md:26:7", "the left side is 1, the right side 2"},
        {BODY "```expect\nnodes\n```\n" END, "t.md:26:1", "true or false"},
        {BODY "```run x\nexport screen two-strings\n```\n" END, "t.md:25:1", "may run"},
        {BODY "```run x\nrace two-strings -o f\n```\n" END, "t.md:25:1", "may run"},
        {BODY "```ask nunber q\n```\n" END, "t.md:25:1", "no question of the kind"},
        {BODY ASK("answer: nodes\n") END, "t.md:25:1", "0 hints"},
        {BODY ASK(GOOD "colour: red\n") END, "t.md:33:1", "no field 'colour'"},
        {BODY ASK(GOOD "par: 3\n") END, "t.md:33:1", "has no field par"},
        {BODY ASK(GOOD "wrong: 7\n") END, "t.md:33:7", "no why"},
        {BODY ASK(GOOD "wrong: nodes\n  why: w\n") END, "t.md:33:7", "is right in the run"},
        {BODY ASK(GOOD "wrong: 5\n  why: w\nwrong: 6 - 1\n  why: w\n") END, "t.md:35:7", "the same as another"},
        {BODY ASK(GOOD "decides: reset\n") END, "t.md:25:1", "no such step"},
        {BODY "```ask choose q\ntext: x\nright: r\nhint: a\nhint: b\nhint: c\noption: y\n  when: nodes == 1\noption: n\n"
              "  when: nodes < 2\n  why: w\n```\n" END, "t.md:25:1", "2 options of q are right"},
        {BODY "```ask do q\ntext: x\nstart:\n  tokens letters\n  say \"a\"\nallow: insert\ngoal: nodes == 0\npar: 1\nsolution:\n"
              "  insert \"a\"\nhint: a\nhint: b\nhint: c\n```\n" END, "t.md:25:1", "before anything is done"},
        {BODY "```ask do q\ntext: x\nstart:\n  tokens letters\n  say \"a\"\nallow: insert\ngoal: nodes == 1\npar: 2\nsolution:\n"
              "  insert \"a\"\nhint: a\nhint: b\nhint: c\n```\n" END, "t.md:25:1", "takes 1 commands, but its par is 2"},
        {BODY "```ask do q\ntext: x\nstart:\n  tokens letters\n  say \"a\"\nallow: match\ngoal: nodes == 1\npar: 1\nsolution:\n"
              "  insert \"a\"\nhint: a\nhint: b\nhint: c\n```\n" END, "t.md:25:1", "not allowed"},
        {BODY "```ask do q\ntext: x\nstart:\n  tokens letters\n  say \"a\"\nallow: insert\ngoal: cached(7) == 1\npar: 1\nsolution:\n"
              "  insert \"a\"\nhint: a\nhint: b\nhint: c\n```\n" END, "t.md:25:1", "no request 7"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err e = {0};
        struct lesson_counts n;
        struct lesson *l = parse(CASES[i].text, &e);
        int rc = l != NULL ? lesson_check(l, &HOST, NULL, &n, &e) : -1;
        lesson_free(l);
        if (rc == 0)
            fail_msg("case %zu (%s) was accepted", i, CASES[i].says);
        if (strncmp(e.what, CASES[i].place, strlen(CASES[i].place)) != 0 || strstr(e.what, CASES[i].says) == NULL)
            fail_msg("case %zu: \"%s\" is neither at %s nor says \"%s\"", i, e.what, CASES[i].place, CASES[i].says);
    }
}

/* A course of letters: bit j of needs[i]: lesson i needs lesson j. */
enum { COURSE = 6 };
struct course {
    unsigned needs[COURSE];
};

static void write_head(const struct course *c, int i, struct buf *out)
{
    buf_printf(out, "---\nid: %c\ntitle: T\nminutes: 5\nneeds: x", 'a' + i);
    for (int j = 0; j < COURSE; j++)
        if ((c->needs[i] >> j & 1) != 0)
            buf_printf(out, ", %c", 'a' + j);
    buf_puts(out, "\nobjectives:\n  - o\n---\n");
}

static bool lesson_of(void *ctx, const char *id, struct lesson_head *out)
{
    struct buf b = {0};
    struct err e;
    static const struct course ALONE = {{0}};
    buf_puts(&b, "");
    const struct course *c = *id == 'x' ? &ALONE : ctx; /* x needs nobody that matters */
    write_head(c, *id == 'x' ? 0 : *id - 'a', &b);
    assert_true(lesson_read_head("h", buf_text(&b), b.len, out, &e) > 0);
    out->needs_n = *id == 'x' ? 0 : out->needs_n;
    buf_free(&b);
    return true;
}

/* Which lessons can be reached over needs: Warshall's closure. */
static void reach(const struct course *c, unsigned *out)
{
    memcpy(out, c->needs, sizeof c->needs);
    for (int k = 0; k < COURSE; k++)
        for (int i = 0; i < COURSE; i++)
            out[i] |= (out[i] >> k & 1) != 0 ? out[k] : 0;
}

/* A lesson that needs itself through others is refused at the word that leads round, and no other is. */
static void rings(void **state)
{
    (void)state;
    struct prng r;
    unsigned refusals = 0, fine = 0;
    prng_seed(&r, 19);
    for (int round = 0; round < 200; round++) {
        struct course c = {{0}};
        unsigned closed[COURSE];
        for (int i = 0; i < COURSE; i++)
            for (int j = 0; j < COURSE; j++)
                c.needs[i] |= i != j && prng_below(&r, 6) == 0 ? 1u << j : 0;
        reach(&c, closed);
        for (int i = 0; i < COURSE; i++) {
            struct buf b = {0};
            struct err e = {0};
            struct lesson_counts n;
            struct lesson_names names = {.lesson = lesson_of, .ctx = &c};
            write_head(&c, i, &b);
            buf_puts(&b, "## A {#a}\nx\n## S {#sheet}\nx\n");
            struct lesson *l = parse(buf_text(&b), &e);
            int rc = l != NULL ? lesson_check(l, &HOST, &names, &n, &e) : -1, line = 0, column = 0;
            assert_int_equal(rc, (closed[i] >> i & 1) != 0 ? -1 : 0);
            if (rc != 0) {
                assert_int_equal(sscanf(e.what, "t.md:%d:%d: ", &line, &column), 2);
                assert_int_equal(line, 5);
                unsigned first = 1u << (buf_text(&b)[strstr(buf_text(&b), "needs:") - buf_text(&b) + column - 1] - 'a');
                assert_true((c.needs[i] & first) != 0);
                for (int j = 0; j < COURSE; j++)
                    assert_true(first != 1u << j || (closed[j] >> i & 1) != 0);
            }
            refusals += rc != 0;
            fine += rc == 0;
            lesson_free(l);
            buf_free(&b);
        }
    }
    assert_true(refusals > 100 && fine > 100);
}

/* Cut off anywhere before its sheet's text, a lesson is refused with its place; nothing crashes. */
static void cut_off(void **state)
{
    (void)state;
    char *text;
    size_t len, refusals = 0;
    assert_int_equal(file_read("lessons/04-split.md", 1 << 20, &text, &len, NULL), 0);
    size_t sheet = (size_t)(strstr(text, "{#sheet}") - text) + strlen("{#sheet}");
    for (size_t n = 0; n < sheet; n += n < 400 ? 1 : 13) {
        struct err e = {0};
        struct lesson *l = lesson_parse("t.md", text, n, &e);
        assert_null(l);
        assert_int_equal(strncmp(e.what, "t.md:", 5), 0);
        refusals++;
    }
    assert_true(refusals > 400);
    xfree(text);
}

/* Random bytes changed in a lesson: it is accepted or refused, never worse. */
static void changed_bytes(void **state)
{
    (void)state;
    struct prng r;
    char *text;
    size_t len;
    prng_seed(&r, 6);
    assert_int_equal(file_read("lessons/09-eviction.md", 1 << 20, &text, &len, NULL), 0);
    for (int round = 0; round < 300; round++) {
        struct err e = {0};
        char *copy = xmemdup(text, len + 1);
        for (int k = 0; k < 4; k++)
            copy[prng_below(&r, (uint32_t)len)] = "`{}=:#-[]()|\"\n @A1"[prng_below(&r, 18)];
        struct lesson *l = lesson_parse("t.md", copy, len, &e);
        assert_true(l != NULL || e.what[0] != '\0');
        lesson_free(l);
        xfree(copy);
    }
    xfree(text);
}

static void no_memory(void **state)
{
    (void)state;
    unsigned long injected = 0;
    for (unsigned long n = 1; n < 400; n++) {
        struct err e = {0};
        xalloc_fail_at(n, false);
        struct lesson *l = parse(BODY "x [y](node:B) {= nodes | 3 }\n" ASK(GOOD) END, &e);
        unsigned long failed = xalloc_failures();
        xalloc_fail_at(0, false);
        injected += failed;
        if (failed > 0 && l == NULL)
            assert_true(e.set);
        lesson_free(l);
        if (failed == 0)
            break;
    }
    assert_true(injected > 50);
}

/* ---- taking one --------------------------------------------------------------------------------------- */

static struct lesson_run *open_split(struct lesson **l)
{
    struct err e = {0};
    *l = lesson_load("lessons/04-split.md", &e);
    struct lesson_run *r = *l != NULL ? lesson_run_new(*l, &HOST, &e) : NULL;
    if (r == NULL)
        fail_msg("%s", e.what);
    return r;
}

static void go_to_kind(struct player *p, enum stop_kind kind)
{
    struct err e = {0};
    while (player_part(p)->kind != kind)
        assert_int_equal(player_goto(p, p->at + 1, &e), 0);
}

/* A wrong answer leads to the deciding step, and the way back hides it again; right goes on. Nothing can be walked past
 * what was shown. */
static void predict_then_reveal(void **state)
{
    (void)state;
    struct lesson *l;
    struct lesson_run *r = open_split(&l);
    struct progress none = {0};
    struct player p;
    struct err e = {0};
    struct step step;
    assert_int_equal(player_init(&p, r, &none, true, &e), 0);
    go_to_kind(&p, STOP_ASK);
    uint32_t before = p.limit;
    assert_int_equal(player_next(&p, &e), 1); /* a question is open */
    assert_int_equal(player_answer(&p, "many", &e), -1);
    assert_int_equal(p.phase, PHASE_ASK);
    assert_int_equal(player_answer(&p, ",11", &e), -1);
    assert_int_equal(player_answer(&p, "1,1", &(struct err){0}), 0); /* digits may be parted */
    assert_int_equal(p.phase, PHASE_WRONG);
    assert_true(p.grade.listed == 0 && p.grade.say->n > 0);
    assert_true(p.step > before && p.limit == p.step);
    tape_step(p.scene->cursor.tape, 0, p.step, &step);
    assert_int_equal(step.kind, EV_MATCHED);
    assert_true(player_decided(&p));
    assert_int_equal(player_answer(&p, "4", &(struct err){0}), 0); /* anew, without going back first */
    assert_true(p.phase == PHASE_WRONG && p.tries == 2);
    assert_true(player_hint(&p) && p.phase == PHASE_ASK && p.limit == before);
    assert_int_equal(player_answer(&p, "5", &(struct err){0}), 0);
    assert_int_equal(player_next(&p, &e), 0);
    assert_true(p.phase == PHASE_ASK && p.limit == before);
    assert_int_equal(player_answer(&p, " 3 ", &(struct err){0}), 0);
    assert_int_equal(p.phase, PHASE_RIGHT);
    assert_int_equal(progress_value(&none, FACT_RIGHT, "split", "how-much-new", 0), 4);
    player_done(&p);
    progress_done(&none);
    lesson_run_free(r);
    lesson_free(l);
}

/* A question that no step decides leaves the screen where it is; one that is decided by an earlier block leads back to it,
 * also into another engine. */
static void no_step_to_show(void **state)
{
    (void)state;
    static const struct { const char *decides; uint32_t scene; int kind; } CASES[] = {
        {"nothing", UINT32_MAX, 0}, {"split_node @ two", 0, EV_SPLIT}, {"new_leaf @ three", 1, EV_LEAF},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err e = {0};
        struct buf b = {0};
        struct progress none = {0};
        struct player p;
        buf_printf(&b, "%s" ASK(GOOD "decides: %s\n") END, BODY, CASES[i].decides);
        struct lesson *l = parse(buf_text(&b), &e);
        struct lesson_run *r = l != NULL ? lesson_run_new(l, &HOST, &e) : NULL;
        if (r == NULL || player_init(&p, r, &none, true, &e) != 0)
            fail_msg("%s", e.what);
        go_to_kind(&p, STOP_ASK);
        uint32_t before = p.step;
        const struct lesson_scene *stood = p.scene;
        assert_int_equal(player_answer(&p, "77", &e), 0);
        assert_int_equal(p.phase, PHASE_WRONG);
        assert_int_equal(player_decided(&p), CASES[i].scene != UINT32_MAX);
        if (CASES[i].scene == UINT32_MAX) {
            assert_int_equal(p.step, before);
            assert_ptr_equal(p.scene, stood);
        } else {
            struct step step;
            assert_ptr_equal(p.scene, r->scene[CASES[i].scene]);
            tape_step(runner_tape(p.scene->runner), 0, p.step, &step);
            assert_int_equal(step.kind, CASES[i].kind);
        }
        player_done(&p);
        progress_done(&none);
        lesson_run_free(r);
        lesson_free(l);
        buf_free(&b);
    }
}

/* A wrong answer about a race leads into the tree's own run of it: to the request that went differently first, or to the one
 * that is named; by the JSON of the race itself. */
static void into_the_race(void **state)
{
    (void)state;
    static const struct { const char *decides, *says; uint32_t request; int kind; } CASES[] = {
        {"matched @ few", "at request 2, the first one that went differently.", 2, EV_MATCHED},
        {"new_leaf @ few 1", "at request 1.", 1, EV_LEAF},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err e = {0};
        struct buf b = {0};
        struct progress none = {0};
        struct player p;
        struct step step;
        bool said = false;
        buf_printf(&b, "%s" FILE_OF "--designs radix,chain --block 2\n```\n```ask number q\ntext: x\n" GOOD "decides: %s\n```\n" END, BODY,
                   CASES[i].decides);
        struct lesson *l = parse(buf_text(&b), &e);
        struct lesson_run *r = l != NULL ? lesson_run_new(l, &HOST, &e) : NULL;
        if (r == NULL || player_init(&p, r, &none, true, &e) != 0)
            fail_msg("%s", e.what);
        go_to_kind(&p, STOP_ASK);
        const struct lesson_scene *before = p.scene;
        assert_int_equal(player_answer(&p, "77", &e), 0);
        assert_true(p.phase == PHASE_WRONG && p.scene != before && p.scene->serveds == 2);
        const struct lesson_served *s = &p.scene->served[CASES[i].request - 1];
        assert_true(p.step > s->before && p.step <= s->after);
        assert_int_equal(p.limit, p.step);
        tape_step(runner_tape(p.scene->runner), 0, p.step, &step);
        assert_int_equal(step.kind, CASES[i].kind);
        static struct piece piece[PLAYER_PIECES];
        int fresh;
        for (int k = player_pieces(&p, piece, &fresh) - 1; k >= 0; k--)
            said |= strstr(piece[k].words, CASES[i].says) != NULL;
        assert_true(said);
        char *script = present_script(&p, &e); /* it can be opened elsewhere */
        assert_non_null(strstr(script, "insert \"abce\""));
        xfree(script);
        assert_true(player_ask_again(&p) && p.scene == before);
        player_done(&p);
        progress_done(&none);
        lesson_run_free(r);
        lesson_free(l);
        buf_free(&b);
    }
}

/* A race that says other hits than the tree has is not believed. */
static int boast(void *ctx, const char *line, const char *dir, struct buf *out, struct err *e)
{
    (void)ctx, (void)line, (void)dir, (void)e;
    buf_puts(out, "{\"pool\":256,\"page\":1,\"entries\":[{\"design\":\"radix\",\"policy\":\"lru\",\"hits\":[0,4]},"
                  "{\"design\":\"chain\",\"differs_at\":2,\"hits\":[0,2]}]}");
    return 0;
}

static void another_race(void **state)
{
    (void)state;
    static const struct lesson_host BOASTER = {.model_dir = MODEL, .command = boast};
    struct err e = {0};
    struct lesson *l = parse(BODY RACE ASK(GOOD "decides: matched @ few\n") END, &e);
    assert_non_null(l);
    assert_null(lesson_run_new(l, &BOASTER, &e));
    assert_string_equal(e.what, "t.md:41:10: few: request 2 found 4 tokens in the race, and 3 in the tree that is shown");
    lesson_free(l);
}

static void hints(void **state)
{
    (void)state;
    struct lesson *l;
    struct lesson_run *r = open_split(&l);
    struct progress none = {0};
    struct player p;
    struct err e = {0};
    static struct piece piece[PLAYER_PIECES];
    int fresh, last = 0;
    assert_int_equal(player_init(&p, r, &none, true, &e), 0);
    go_to_kind(&p, STOP_ASK);
    for (int i = 0; i <= LESSON_HINTS; i++) {
        assert_false(player_may_go_on(&p));
        assert_true(player_hint(&p));
        int n = player_pieces(&p, piece, &fresh);
        assert_true(n > last);
        assert_true(fresh == last || i == 0); /* what is new is the last hint, not all of them */
        last = n;
    }
    assert_non_null(strstr(piece[last - 1].words, "The solution: 3"));
    assert_true(player_may_go_on(&p));
    size_t at = p.at;
    assert_int_equal(player_next(&p, &e), 0); /* who was shown the solution reads why, too, and nothing is noted */
    assert_true(p.at == at && p.phase == PHASE_RIGHT && p.told && player_decided(&p) && p.step == p.grade.step);
    last = player_pieces(&p, piece, &fresh);
    assert_string_equal(piece[fresh].words, "The answer: 3. The step that decides it is shown.");
    assert_true(last == fresh + 2 && piece[fresh + 1].prose == &player_question(&p)->right);
    assert_int_equal(progress_value(&none, FACT_RIGHT, "split", "how-much-new", 0), 0);
    assert_int_equal(player_reveal(&p, &e), 1);
    assert_int_equal(player_next(&p, &e), 0);
    assert_int_equal(p.at, at + 1);
    player_done(&p);
    progress_done(&none);
    lesson_run_free(r);
    lesson_free(l);
}

/* Nobody meets an empty page: a part without words is its action. What was passed once may be passed again. */
static void no_empty_page(void **state)
{
    (void)state;
    struct err e = {0};
    struct lesson *l = lesson_load("lessons/01-recompute.md", &e);
    struct lesson_run *r = l != NULL ? lesson_run_new(l, &HOST, &e) : NULL;
    struct progress none = {0};
    struct player p;
    static struct piece piece[PLAYER_PIECES];
    int fresh, silent = 0;
    assert_non_null(r);
    assert_int_equal(player_init(&p, r, &none, true, &e), 0);
    for (size_t at = 0; at < p.parts; at++) {
        assert_int_equal(player_goto(&p, at, &e), 0);
        bool words = player_pieces(&p, piece, &fresh) > 0;
        assert_true(words || p.phase == PHASE_ACT);
        silent += !words;
        if (!words) {
            assert_int_equal(player_back(&p, &e), 0);
            assert_int_equal(p.at, at - 1);
            assert_true(player_may_go_on(&p)); /* the question before it was passed */
        }
    }
    assert_true(silent > 0);
    player_done(&p);
    progress_done(&none);
    lesson_run_free(r);
    lesson_free(l);
}

/* Going back and acting again counts; only a new beginning counts from 0. */
static void undo_counts(void **state)
{
    (void)state;
    struct lesson *l;
    struct lesson_run *r = open_split(&l);
    struct progress none = {0};
    struct player p;
    struct err e = {0};
    assert_int_equal(player_init(&p, r, &none, true, &e), 0);
    go_to_kind(&p, STOP_DO);
    uint32_t start = p.step;
    assert_int_equal(player_command(&p, p.branch, p.step, "insert \"zz\"", &e), 0);
    assert_int_equal(player_command(&p, 0, start, "insert \"ab\"", &e), 0); /* back, and another way */
    assert_int_equal(p.commands, 2);
    assert_int_equal(p.branch, 1);
    assert_int_equal(player_command(&p, p.branch, p.step, "evict 3", &e), -1); /* not allowed: does not count */
    assert_int_equal(p.commands, 2);
    assert_int_equal(player_command(&p, p.branch, p.step, "insert \"acd\"", &(struct err){0}), 0);
    assert_int_equal(p.phase, PHASE_DO);
    assert_int_equal(player_command(&p, p.branch, p.step, "insert \"ace\"", &(struct err){0}), 0);
    assert_int_equal(p.phase, PHASE_SOLVED);
    assert_int_equal(p.commands, 4); /* par is 3, and the command that was gone back behind is in it */
    assert_int_equal(progress_value(&none, FACT_GOLF, "split", player_question(&p)->id, 0), 4);
    assert_int_equal(player_command(&p, p.branch, p.step, "match \"a\"", &(struct err){0}), 0); /* only to look */
    assert_int_equal(p.commands, 4);
    assert_int_equal(player_command(&p, 0, start, "insert \"abc\"", &(struct err){0}), 0);
    assert_int_equal(p.commands, 4);
    assert_int_equal(progress_value(&none, FACT_GOLF, "split", player_question(&p)->id, 0), 4);
    assert_int_equal(player_restart(&p, &(struct err){0}), 0);
    assert_int_equal(p.commands, 0);
    assert_int_equal(p.step, start);
    player_done(&p);
    progress_done(&none);
    lesson_run_free(r);
    lesson_free(l);
}

static bool page_says(const struct player *p, const char *words)
{
    static struct piece piece[PLAYER_PIECES];
    int fresh, n = player_pieces(p, piece, &fresh);
    for (int i = 0; i < n; i++)
        if (piece[i].prose == NULL && strstr(piece[i].words, words) != NULL)
            return true;
    return false;
}

/* In a challenge the model's answer to the last request stands on the page, not one of its start, and none is kept. */
static void answers_are_shown(void **state)
{
    (void)state;
    struct err e = {0};
    struct lesson *l = lesson_load("lessons/03-prefixes.md", &e);
    struct lesson_run *r = l != NULL ? lesson_run_new(l, &HOST, &e) : NULL;
    struct progress none = {0};
    struct player p;
    char want[200];
    assert_non_null(r);
    assert_int_equal(player_init(&p, r, &none, true, &e), 0);
    go_to_kind(&p, STOP_DO);
    assert_false(page_says(&p, " answers: "));
    assert_int_equal(player_command(&p, p.branch, p.step, "share 30 9", &e), 0);
    assert_false(page_says(&p, " answers: "));
    assert_int_equal(player_command(&p, p.branch, p.step, "request \"What is the door code?\"", &e), 0);
    struct lesson_env env = challenge_env(r, p.challenge, player_part(&p)->item, p.branch, p.step);
    const struct world *w = env_scene(&env).w;
    const struct request *q = NULL;
    for (uint32_t i = 1; i < w->head.request_top; i++)
        q = w->request[i].state == REQ_FINISHED && (q == NULL || w->request[i].rid > q->rid) ? &w->request[i] : q;
    assert_non_null(q);
    struct buf text = {0};
    for (uint32_t i = q->prompt_len; i + 1 < q->total_len; i++)
        lexicon_bytes(runner_lexicon(p.challenge->runner), w->row_token[q->row_off + i], &text);
    snprintf(want, sizeof want, "Request %u answers: %.100s", q->rid, buf_text(&text) + strspn(buf_text(&text), " "));
    assert_true(text.len > 4);
    if (!page_says(&p, want))
        fail_msg("'%s' is not said", want);
    buf_free(&text);
    assert_int_equal(player_restart(&p, &e), 0);
    assert_false(page_says(&p, " answers: "));
    player_done(&p);
    progress_done(&none);
    lesson_run_free(r);
    lesson_free(l);
}

/* Several commands on one line are as many commands; those before one that fails have run, and count. */
static void commands_on_one_line_count(void **state)
{
    (void)state;
    struct err e = {0};
    struct lesson *l = lesson_load("lessons/08-locks.md", &e);
    struct lesson_run *r = l != NULL ? lesson_run_new(l, &HOST, &e) : NULL;
    struct progress none = {0};
    struct player p;
    assert_non_null(r);
    assert_int_equal(player_init(&p, r, &none, true, &e), 0);
    go_to_kind(&p, STOP_DO);
    uint32_t start = p.step;
    assert_int_equal(player_command(&p, 0, start, "evict 3; insert \"ab\"", &e), -1); /* forbidden: none of it has run */
    assert_int_equal(p.commands, 0);
    assert_int_equal(p.step, start);
    assert_int_equal(player_command(&p, 0, start, "evict 3; unlock you; evict 24", &(struct err){0}), -1);
    assert_int_equal(p.commands, 1);
    assert_true(p.step > start);
    assert_int_equal(player_command(&p, 0, start, "# nothing", &(struct err){0}), 0);
    assert_int_equal(p.commands, 1);
    assert_int_equal(player_command(&p, 0, start, "lock me \"teapot\"; evict 24; unlock me", &(struct err){0}), 0);
    assert_int_equal(p.phase, PHASE_SOLVED);
    assert_int_equal(p.commands, 4);
    player_done(&p);
    progress_done(&none);
    lesson_run_free(r);
    lesson_free(l);
}

/* Lesson 11: the course of a challenge as somebody types it. true: solved; *commands: that were counted. */
static bool play_game(const struct lesson_run *r, size_t item, const char *lines, uint32_t *commands)
{
    const struct question *q = r->lesson->item[item].question;
    struct err e = {0};
    struct lesson_scene *s = challenge_new(r, q, &e);
    char line[80];
    bool reached = false;
    uint32_t more;
    assert_non_null(s);
    for (*commands = 0; *lines != '\0' && !reached; lines += *lines == '\n') {
        size_t n = strcspn(lines, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, lines);
        lines += n;
        assert_int_equal(challenge_allows(q, line, &more, &e), 0);
        if (challenge_run(s, line, &(struct err){0}) != 0)
            continue; /* refused: nothing has happened */
        *commands += more;
        const struct tape *t = runner_tape(s->runner);
        struct lesson_env env = challenge_env(r, s, item, 0, tape_length(t, 0));
        reached = grade_goal(q, &env, &reached, &(struct err){0}) == 0 && reached;
    }
    scene_free(s);
    return reached;
}

static size_t find_question(const struct lesson *l, const char *id)
{
    for (size_t i = 0; i < l->items; i++)
        if (l->item[i].question != NULL && strcmp(l->item[i].question->id, id) == 0)
            return i;
    fail_msg("no question %s", id);
    return 0;
}

/* You are the policy: only who inserts the seven keys in their order and chooses victims well has solved it; and nobody
 * does it with fewer commands than par, whatever is removed, whole or in part, wherever. */
static void the_policy_is_played(void **state)
{
    (void)state;
    static const char *const SEVEN[] = {"dates", "apple", "bread", "elder", "apple", "cocoa", "bread"};
    static const char *const KEYS[] = {"apple", "bread", "cocoa", "dates", "elder"};
    static const char *const NOT_PLAYED[] = {
        "insert apple\ninsert bread\ninsert apple\ninsert bread\ninsert dates\ninsert elder\ninsert cocoa\n", /* another order */
        "remove cocoa\ninsert d\ninsert apple\ninsert bread\ninsert e\ninsert apple\ninsert cocoa\ninsert bread\n", /* other keys */
        "remove cocoa\ninsert dates\ninsert apple\ninsert bread\ninsert elder\ninsert apple\nremove elder\ninsert cocoa\n"
        "insert \"bread apple\"\n",
        "remove cocoa\ninsert dates ns=x\ninsert apple\ninsert bread\ninsert elder\ninsert apple\nremove elder\ninsert cocoa\n"
        "insert bread\n",
    };
    struct err e = {0};
    struct lesson *l = lesson_load("lessons/11-you-evict.md", &e);
    struct lesson_run *r = l != NULL ? lesson_run_new(l, &HOST, &e) : NULL;
    uint32_t commands, games = 0;
    if (r == NULL)
        fail_msg("%s", e.what);
    size_t item = find_question(l, "belady-golf");
    assert_true(play_game(r, item, l->item[item].question->solution, &commands));
    assert_int_equal(commands, l->item[item].question->par);
    for (size_t i = 0; i < ARRAY_LEN(NOT_PLAYED); i++)
        assert_false(play_game(r, item, NOT_PLAYED[i], &commands));
    for (size_t at = 0; at < ARRAY_LEN(SEVEN); at++)
        for (size_t k = 0; k < ARRAY_LEN(KEYS) * 5; k++) { /* one removal: eight commands */
            struct buf b = {0};
            for (size_t i = 0; i < ARRAY_LEN(SEVEN); i++) {
                if (i == at)
                    buf_printf(&b, "remove %s keep=%zu\n", KEYS[k / 5], k % 5);
                buf_printf(&b, "insert %s\n", SEVEN[i]);
            }
            assert_false(play_game(r, item, buf_text(&b), &commands));
            games++;
            buf_free(&b);
        }
    assert_int_equal(games, 175);
    lesson_run_free(r);
    lesson_free(l);
}

/* ---- progress ----------------------------------------------------------------------------------------- */

static void add_random(struct progress *p, struct prng *r, int n)
{
    static const char *const LESSON[] = {"split", "kv-cache", "locks"}, *const QUESTION[] = {"a", "b-2"};
    for (int i = 0; i < n; i++) {
        enum fact f = (enum fact)prng_below(r, FACT_COUNT);
        bool asks = f == FACT_RIGHT || f == FACT_GOLF;
        progress_note(p, f, LESSON[prng_below(r, 3)], asks ? QUESTION[prng_below(r, 2)] : "", f == FACT_DONE ? 1 : prng_below(r, 9),
                      NULL);
    }
}

static void print_of(const char *text, size_t len, struct buf *out)
{
    struct progress p = {0};
    uint32_t bad;
    assert_int_equal(progress_parse(&p, text, len, &bad, NULL), 0);
    assert_int_equal(bad, 0);
    progress_print(&p, out);
    progress_done(&p);
}

/* a + b is b + a, a + a is a, and no fact is lost. */
static void merging(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 1);
    for (int round = 0; round < 200; round++) {
        struct progress a = {0}, b = {0};
        struct buf ta = {0}, tb = {0}, ab = {0}, ba = {0}, one = {0}, two = {0}, twice = {0}, same = {0};
        add_random(&a, &r, 8);
        add_random(&b, &r, 8);
        progress_print(&a, &ta);
        progress_print(&b, &tb);
        buf_printf(&ab, "%s%s", buf_text(&ta), buf_text(&tb));
        buf_printf(&ba, "%s%s", buf_text(&tb), buf_text(&ta));
        buf_printf(&twice, "%s%s", buf_text(&ta), buf_text(&ta));
        print_of(ab.data, ab.len, &one);
        print_of(ba.data, ba.len, &two);
        print_of(twice.data, twice.len, &same);
        assert_string_equal(buf_text(&one), buf_text(&two));
        assert_string_equal(buf_text(&same), buf_text(&ta));
        for (size_t i = 0; i < a.n; i++) /* whoever was done stays done */
            if (a.fact[i].fact == FACT_DONE) {
                char line[80];
                snprintf(line, sizeof line, "%s done\n", a.fact[i].lesson);
                assert_non_null(strstr(buf_text(&one), line));
            }
        struct buf *all[] = {&ta, &tb, &ab, &ba, &one, &two, &twice, &same};
        for (size_t i = 0; i < ARRAY_LEN(all); i++)
            buf_free(all[i]);
        progress_done(&a);
        progress_done(&b);
    }
}

static void damaged(void **state)
{
    (void)state;
    char dir[] = "/tmp/radixscope-test-XXXXXX", path[200], aside[220], message[700], *kept;
    static const char TEXT[] = "# radixscope progress\nsplit at 4\nsplit \x01 what\nlocks done\n";
    struct progress p;
    struct err e = {0};
    size_t len;
    assert_non_null(mkdtemp(dir));
    setenv("XDG_STATE_HOME", dir, 1);
    assert_int_equal(progress_load(&p, message, sizeof message, &e), 0); /* no file */
    assert_int_equal(progress_note(&p, FACT_AT, "split", "", 4, &e), 0);
    assert_int_equal(progress_save(&p, &e), 0);
    progress_done(&p);
    snprintf(path, sizeof path, "%s/radixscope/progress", dir);
    snprintf(aside, sizeof aside, "%s.damaged-1", path);
    assert_int_equal(file_write(path, TEXT, sizeof TEXT - 1, &e), 0);
    assert_int_equal(progress_load(&p, message, sizeof message, &e), 0);
    assert_non_null(strstr(message, "Line 3"));
    assert_int_equal(progress_value(&p, FACT_AT, "split", "", 0), 4);
    assert_int_equal(progress_value(&p, FACT_DONE, "locks", "", 0), 1);
    progress_done(&p);
    assert_int_equal(file_read(aside, 1000, &kept, &len, &e), 0); /* nothing is lost */
    assert_string_equal(kept, TEXT);
    xfree(kept);
    assert_int_equal(progress_load(&p, message, sizeof message, &e), 0); /* and it is whole again */
    assert_string_equal(message, "");
    progress_reset(&p, "split");
    assert_int_equal(progress_value(&p, FACT_AT, "split", "", 0), 0);
    assert_int_equal(progress_value(&p, FACT_DONE, "locks", "", 0), 1);
    progress_done(&p);
    unlink(path);
    unlink(aside);
    snprintf(path, sizeof path, "%s/radixscope", dir);
    rmdir(path);
    rmdir(dir);
}

/* A goal may speak of a node that does not exist yet: it is not reached, and no error. */
static void goal_of_what_is_not_there(void **state)
{
    (void)state;
    struct err e = {0};
    struct lesson_counts n;
    struct lesson *l = parse(BODY "```ask do q\ntext: x\nstart:\n  tokens letters\n  say \"a\"\nallow: insert\ngoal: len(B) == 2\n"
                             "par: 2\nsolution:\n  insert \"a\"\n  insert \"bc\"\nhint: a\nhint: b\nhint: c\n```\n" END, &e);
    struct lesson_run *r = l != NULL ? lesson_run_new(l, &HOST, &e) : NULL;
    struct progress none = {0};
    struct player p;
    if (r == NULL || lesson_check_run(r, NULL, &n, &e) != 0)
        fail_msg("%s", e.what);
    assert_int_equal(player_init(&p, r, &none, true, &e), 0);
    go_to_kind(&p, STOP_DO);
    assert_int_equal(player_command(&p, p.branch, p.step, "insert \"a\"", &e), 0);
    assert_int_equal(p.phase, PHASE_DO);
    struct buf b = {0};
    player_goal(&p, &b);
    assert_string_equal(buf_text(&b), "Not yet: len(B) == 2\n");
    buf_free(&b);
    assert_int_equal(player_command(&p, p.branch, p.step, "insert \"bc\"", &e), 0);
    assert_int_equal(p.phase, PHASE_SOLVED);
    player_done(&p);
    progress_done(&none);
    lesson_run_free(r);
    lesson_free(l);
}

/* What is missing for a goal, part by part, with what is there instead. */
static void goal_in_parts(void **state)
{
    (void)state;
    static const struct { const char *goal, *says; } CASES[] = {
        {"nodes == 2", "Not yet: nodes == 2 (now 1)\n"},
        {"nodes == 1 and used == 5", "Of the goal 1 of 2 holds. Not yet: used == 5 (now 3)\n"},
        {"nodes == 1 and used == 5 and edge(A) == \"abx\"",
         "Of the goal 1 of 3 holds. Not yet: used == 5 (now 3); edge(A) == \"abx\" (now abc)\n"},
        {"nodes == 1 and (used == 5 or used == 6 and free == 1)",
         "Of the goal 1 of 2 holds. Not yet: (used == 5 or used == 6 and free == 1)\n"},
        {"used == 3 and len(B) == nodes + 1 and nodes == used - 1 and 1 < 2",
         "Of the goal 2 of 4 hold. Not yet: len(B) == nodes + 1; nodes == used - 1 (now 1 and 2)\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err e = {0};
        struct buf b = {0}, said = {0};
        buf_printf(&b, "%s```ask do q\ntext: x\nstart:\n  tokens letters\n  pool 8\nallow: insert\ngoal: %s\npar: 2\nsolution:\n"
                       "  insert \"a\"\nhint: a\nhint: b\nhint: c\n```\n" END, BODY, CASES[i].goal);
        struct lesson *l = parse(buf_text(&b), &e);
        struct lesson_run *r = l != NULL ? lesson_run_new(l, &HOST, &e) : NULL;
        struct progress none = {0};
        struct player p;
        if (r == NULL || player_init(&p, r, &none, true, &e) != 0)
            fail_msg("%s", e.what);
        go_to_kind(&p, STOP_DO);
        assert_int_equal(player_command(&p, p.branch, p.step, "insert \"abc\"", &e), 0);
        player_goal(&p, &said);
        assert_string_equal(buf_text(&said), CASES[i].says);
        player_done(&p);
        progress_done(&none);
        lesson_run_free(r);
        lesson_free(l);
        buf_free(&said);
        buf_free(&b);
    }
}

/* docs/writing-lessons.md lists the figures as the program does. */
static void figures_in_docs(void **state)
{
    (void)state;
    char *doc;
    size_t len;
    struct buf list = {0};
    assert_int_equal(file_read("docs/writing-lessons.md", 1 << 20, &doc, &len, NULL), 0);
    figures_list(&list);
    assert_non_null(strstr(doc, buf_text(&list)));
    buf_free(&list);
    xfree(doc);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(every_lesson), cmocka_unit_test(expressions),         cmocka_unit_test(formats),
        cmocka_unit_test(refused),      cmocka_unit_test(rings),               cmocka_unit_test(cut_off),             cmocka_unit_test(changed_bytes),
        cmocka_unit_test(no_memory),    cmocka_unit_test(predict_then_reveal),
        cmocka_unit_test(no_step_to_show), cmocka_unit_test(into_the_race), cmocka_unit_test(another_race), cmocka_unit_test(hints),
        cmocka_unit_test(no_empty_page),
        cmocka_unit_test(undo_counts), cmocka_unit_test(commands_on_one_line_count), cmocka_unit_test(answers_are_shown), cmocka_unit_test(the_policy_is_played),  cmocka_unit_test(goal_of_what_is_not_there), cmocka_unit_test(goal_in_parts), cmocka_unit_test(merging),             cmocka_unit_test(damaged),
        cmocka_unit_test(figures_in_docs),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
