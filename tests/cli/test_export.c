/* What `radixscope export` writes, read back: every line of a cast played on a small terminal, every cell of
 * an SVG put back on a grid, every node of a tree added up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "tape/event.h"

/* Everything that `radixscope export ARGS` prints; it must exit with 0. */
static struct buf exported(const char *fmt, ...) PRINTF_LIKE(1, 2);

static struct buf exported(const char *fmt, ...)
{
    char args[400], command[600], chunk[4096];
    const char *build = getenv("BUILD");
    struct buf b = {0};
    va_list list;
    va_start(list, fmt);
    vsnprintf(args, sizeof args, fmt, list);
    va_end(list);
    snprintf(command, sizeof command, "%s/radixscope export %s", build != NULL ? build : "build", args);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, p)) > 0;)
        buf_add(&b, chunk, n);
    if (pclose(p) != 0)
        fail_msg("%s failed", command);
    assert_false(b.failed);
    return b;
}

static json_t *tree_at(const char *what, unsigned step)
{
    struct buf b = exported("tree %s --format json --step %u", what, step);
    json_error_t e;
    json_t *root = json_loads(buf_text(&b), 0, &e);
    if (root == NULL)
        fail_msg("%s: line %d: %s", what, e.line, e.text);
    buf_free(&b);
    return root;
}

static json_int_t whole(const json_t *o, const char *name)
{
    assert_true(json_is_integer(json_object_get(o, name)));
    return json_integer_value(json_object_get(o, name));
}

/* A script with every character that one of the formats could stumble over. */
static const char *hostile_script(void)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/test-export.rxs", getenv("BUILD") != NULL ? getenv("BUILD") : "build");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("title \"<&> \\\"quotes\\\" \\\\ ]]>\"\ntokens letters\npool 64\ninsert \"a<b>&\\\"c\\\\n]]>\"\n"
          "insert \"a<\xe4\xb8\x96\xe7\x95\x8c e\xcc\x81\\u{1F642}\\u{FFFE}\\u{FFFF}\\x1b[31m\\x07\" ns=\"<&\\\"\"\n", f);
    assert_int_equal(fclose(f), 0);
    return path;
}

/* ---- the tree as JSON ----------------------------------------------------------------------------------- */

/* Does the tree add up? Returns its nodes. */
static size_t check_tree(const json_t *root)
{
    const json_t *nodes = json_object_get(root, "nodes"), *slots = json_object_get(root, "slots");
    json_int_t evictable = 0, protected = 0, pool = whole(slots, "pool");
    bool seen[4096] = {false}, used[4096] = {false};
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *n = json_array_get(nodes, i), *own = json_object_get(n, "slots");
        assert_int_equal(json_is_null(json_object_get(n, "parent")), i == 0);
        assert_true(i == 0 || seen[whole(n, "parent")]); /* parents come first */
        assert_false(seen[whole(n, "id")]);
        seen[whole(n, "id")] = true;
        assert_int_equal(json_array_size(own), json_array_size(json_object_get(n, "tokens")));
        for (size_t k = 0; k < json_array_size(own); k++) {
            json_int_t slot = json_integer_value(json_array_get(own, k));
            assert_true(slot > 0 && slot <= pool && !used[slot]);
            used[slot] = true;
        }
        *(whole(n, "lock_ref") > 0 ? &protected : &evictable) += (json_int_t)json_array_size(own);
    }
    assert_int_equal(evictable, whole(slots, "evictable"));
    assert_int_equal(protected, whole(slots, "protected"));
    assert_int_equal(evictable + protected + whole(slots, "free") + whole(slots, "held"), pool);
    return json_array_size(nodes);
}

static unsigned steps_of(const char *what)
{
    json_t *root = tree_at(what, 1);
    unsigned steps = (unsigned)whole(root, "steps");
    json_decref(root);
    return steps;
}

static void every_tree_adds_up(void **state)
{
    (void)state;
    static const char *const RUNS[] = {"two-strings", "small-pool", "shared-system-prompt"};
    static const unsigned BY[] = {1, 3, 8};
    size_t nodes = 0, trees = 0, held = 0;
    for (size_t i = 0; i < ARRAY_LEN(RUNS); i++) {
        unsigned steps = steps_of(RUNS[i]);
        for (unsigned s = 1; s <= steps; s += BY[i], trees++) {
            json_t *root = tree_at(RUNS[i], s);
            assert_int_equal(whole(root, "step"), s);
            assert_int_equal(whole(root, "steps"), steps);
            assert_true(event_find(json_string_value(json_object_get(root, "event"))) >= 0);
            nodes += check_tree(root);
            held += json_array_size(json_object_get(root, "requests"));
            json_decref(root);
        }
    }
    assert_true(trees > 70 && nodes > 150 && held > 5);
}

/* The tree at the first split of a run. */
static json_t *tree_at_split(const char *what)
{
    for (unsigned s = 1, steps = steps_of(what); s <= steps; s++) {
        json_t *root = tree_at(what, s);
        if (strcmp(json_string_value(json_object_get(root, "event")), "split_node") == 0)
            return root;
        json_decref(root);
    }
    fail_msg("%s splits nothing", what);
    return NULL;
}

static void the_split_is_in_the_tree(void **state)
{
    (void)state;
    json_t *root = tree_at_split("shared-system-prompt"), *nodes = json_object_get(root, "nodes");
    static const json_int_t ID[] = {0, 3, 1, 2}, LEN[] = {0, 29, 7, 4};
    static const bool CHANGED[] = {false, true, true, false};
    assert_int_equal(json_array_size(nodes), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *n = json_array_get(nodes, i);
        assert_int_equal(whole(n, "id"), ID[i]);
        assert_int_equal(json_array_size(json_object_get(n, "tokens")), LEN[i]);
        assert_int_equal(json_is_true(json_object_get(n, "changed")), CHANGED[i]);
    }
    assert_string_equal(json_string_value(json_object_get(json_array_get(nodes, 3), "text")), "Grass is green.");
    json_decref(root);
}

/* ---- the tree for Graphviz -------------------------------------------------------------------------------- */

/* The part of the language of dot(1) that we write:
 *      graph  "digraph" id "{" { stmt ";" } "}"      stmt  id [ "->" id ] [ "[" id "=" value { "," … } "]" ]
 */
struct dot {
    const char *at;
    char token[8192];
    size_t nodes, edges;
};

static void dot_quoted(struct dot *d) /* the token begins with its quote */
{
    size_t n = 1;
    d->token[0] = *d->at++;
    while (*d->at != '"') {
        if (*d->at == '\\')
            d->token[n++] = *d->at++;
        assert_true(*d->at != '\0' && n + 3 < sizeof d->token);
        d->token[n++] = *d->at++;
    }
    d->at++;
    d->token[n] = '\0';
}

static void dot_next(struct dot *d)
{
    d->at += strspn(d->at, " \t\n");
    while (strncmp(d->at, "//", 2) == 0) {
        d->at += strcspn(d->at, "\n");
        d->at += strspn(d->at, " \t\n");
    }
    if (*d->at == '"') {
        dot_quoted(d);
        return;
    }
    size_t n = strspn(d->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.");
    if (n == 0)
        n = strncmp(d->at, "->", 2) == 0 ? 2 : *d->at != '\0';
    snprintf(d->token, sizeof d->token, "%.*s", (int)n, d->at);
    d->at += n;
}

static void dot_expect(struct dot *d, const char *token)
{
    dot_next(d);
    assert_string_equal(d->token, token);
}

static void dot_attributes(struct dot *d)
{
    do {
        dot_next(d);
        assert_true(d->token[0] >= 'a' && d->token[0] <= 'z');
        dot_expect(d, "=");
        dot_next(d);
        assert_true(strchr("];,", d->token[0]) == NULL); /* nor is it empty */
        dot_next(d);
    } while (strcmp(d->token, ",") == 0);
    assert_string_equal(d->token, "]");
    dot_next(d);
}

static void dot_graph(struct dot *d)
{
    dot_expect(d, "digraph");
    dot_next(d);
    dot_expect(d, "{");
    for (dot_next(d); strcmp(d->token, "}") != 0; dot_next(d)) {
        bool own = d->token[0] == 'n' && d->token[1] >= '0' && d->token[1] <= '9', edge = false;
        dot_next(d);
        if (strcmp(d->token, "->") == 0) {
            edge = true;
            dot_next(d);
            dot_next(d);
        }
        if (strcmp(d->token, "[") == 0)
            dot_attributes(d);
        assert_string_equal(d->token, ";");
        d->edges += edge;
        d->nodes += own && !edge;
    }
    d->at += strspn(d->at, "\n");
    assert_string_equal(d->at, "");
}

static void dot_keeps_its_grammar(void **state)
{
    (void)state;
    const char *const RUNS[] = {"two-strings", "small-pool", hostile_script()};
    size_t nodes = 0;
    for (size_t i = 0; i < ARRAY_LEN(RUNS); i++) {
        for (unsigned s = 1; s <= 17; s += 2) {
            struct buf b = exported("tree %s --step %u", RUNS[i], s);
            struct dot d = {.at = buf_text(&b)};
            json_t *root = tree_at(RUNS[i], s);
            dot_graph(&d);
            assert_int_equal(d.nodes, json_array_size(json_object_get(root, "nodes")));
            assert_int_equal(d.edges, d.nodes - 1);
            nodes += d.nodes;
            json_decref(root);
            buf_free(&b);
        }
    }
    assert_true(nodes > 40);
}

/* ---- screens as SVG ------------------------------------------------------------------------------------------ */

enum { W = 80, H = 24 };

struct grid {
    struct buf cell[H][W];
};

static void grid_free(struct grid *g)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            buf_free(&g->cell[y][x]);
}

static void xml_text(const char **at, struct buf *out)
{
    static const struct {
        const char *name, *text;
    } ENTITIES[] = {{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}, {"&quot;", "\""}};
    size_t n = strlen(*at), e = 0;
    uint32_t code;
    if (**at == '&') {
        while (e < ARRAY_LEN(ENTITIES) && strncmp(*at, ENTITIES[e].name, strlen(ENTITIES[e].name)) != 0)
            e++;
        assert_true(e < ARRAY_LEN(ENTITIES));
        buf_puts(out, ENTITIES[e].text);
        *at += strlen(ENTITIES[e].name);
        return;
    }
    size_t len = utf8_decode(*at, n, &code);
    assert_true(code == '\n' || (code >= 0x20 && code != 0xfffe && code != 0xffff && code <= 0x10ffff));
    buf_add(out, *at, len);
    *at += len;
}

/* A tag with attributes in quotes; x and y are read. Returns +1 for an opening tag, -1 for an end, 0 for one
 * that is both; the name goes to `name`. */
static int xml_tag(const char **at, char name[16], int *x, int *y)
{
    bool end = (*at)[1] == '/';
    *at += end ? 2 : 1;
    size_t n = strspn(*at, "abcdefghijklmnopqrstuvwxyz");
    assert_true(n > 0 && n < 16);
    snprintf(name, 16, "%.*s", (int)n, *at);
    *at += n;
    while (**at == ' ') {
        char attribute[32];
        n = strcspn(++*at, "=");
        snprintf(attribute, sizeof attribute, "%.*s", (int)n, *at);
        *at += n + 1;
        assert_int_equal(**at, '"');
        if (strcmp(attribute, "x") == 0)
            *x = atoi(*at + 1);
        if (strcmp(attribute, "y") == 0)
            *y = atoi(*at + 1);
        n = strcspn(*at + 1, "\"<&");
        *at += n + 1;
        assert_int_equal(**at, '"');
        ++*at;
    }
    bool both = **at == '/';
    *at += both;
    assert_int_equal(**at, '>');
    ++*at;
    return end ? -1 : both ? 0 : 1;
}

/* Well-formed XML, and what its texts put where. */
static void read_svg(const char *at, struct grid *g)
{
    char open[8][16], name[16];
    int depth = 0, x = 0, y = 0;
    struct buf text = {0};
    do {
        if (*at == '<') {
            int kind = xml_tag(&at, name, &x, &y);
            if (kind > 0) {
                assert_true(depth < 8);
                memcpy(open[depth++], name, sizeof name);
                buf_clear(&text);
            } else if (kind < 0) {
                assert_true(depth > 0);
                assert_string_equal(open[--depth], name);
            }
            if (kind < 0 && strcmp(name, "text") == 0) {
                assert_true(x / 9 < W && y / 19 < H && x % 9 == 0);
                buf_add(&g->cell[y / 19][x / 9], buf_text(&text), text.len);
            }
        } else {
            xml_text(&at, &text);
        }
    } while (*at != '\0' && (depth > 0 || *at == '\n'));
    assert_int_equal(depth, 0);
    assert_string_equal(at, "");
    buf_free(&text);
}

/* The grid's line y as text; a wide character has no cell to its right. */
static void grid_line(const struct grid *g, int y, struct buf *out)
{
    size_t used = out->len;
    for (int x = 0; x < W; x++) {
        const struct buf *c = &g->cell[y][x];
        if (c->len == 0)
            buf_putc(out, ' ');
        buf_add(out, buf_text(c), c->len);
        if (c->len > 0)
            x += utf8_string_width(buf_text(c), c->len) - 1;
        if (c->len > 0 && strcmp(buf_text(c), " ") != 0)
            used = out->len;
    }
    out->len = used;
    buf_putc(out, '\n');
}

static void svg_holds_the_same_cells(void **state)
{
    (void)state;
    const char *const RUNS[] = {"two-strings", "small-pool", "shared-system-prompt", hostile_script()};
    size_t screens = 0;
    for (size_t i = 0; i < ARRAY_LEN(RUNS); i++) {
        for (unsigned s = 1; s <= 17; s += 2, screens++) {
            struct buf svg = exported("screen %s --step %u --format svg", RUNS[i], s), read = {0};
            struct buf text = exported("screen %s --step %u --format text", RUNS[i], s);
            struct grid *g = calloc(1, sizeof *g);
            read_svg(buf_text(&svg), g);
            for (int y = 0; y < H; y++)
                grid_line(g, y, &read);
            assert_string_equal(buf_text(&read), buf_text(&text));
            grid_free(g);
            free(g);
            buf_free(&svg);
            buf_free(&read);
            buf_free(&text);
        }
    }
    assert_true(screens > 30);
}

/* ---- casts --------------------------------------------------------------------------------------------------- */

/* A terminal that understands what a cast sends: go to a line, erase it, colours (dropped), text. */
struct terminal {
    struct buf line[H];
    int y;
};

static void terminal_escape(struct terminal *t, const char **at)
{
    int row = 0;
    size_t n = strspn(*at + 2, "0123456789;?");
    char end = (*at)[2 + n];
    if (end == 'H' && sscanf(*at + 2, "%d;1H", &row) == 1)
        t->y = row - 1;
    else if (end == 'K')
        buf_clear(&t->line[t->y]);
    else
        assert_true(end == 'm' || (end == 'J' && (*at)[2] == '2') || ((end == 'l' || end == 'h') && (*at)[2] == '?'));
    assert_true(t->y >= 0 && t->y < H);
    *at += 3 + n;
}

static void terminal_write(struct terminal *t, const char *at)
{
    while (*at != '\0') {
        if (*at == '\033') {
            terminal_escape(t, &at);
        } else {
            if (*at != '\r' && *at != '\n')
                buf_putc(&t->line[t->y], *at);
            at++;
        }
    }
}

static void terminal_text(const struct terminal *t, struct buf *out)
{
    for (int y = 0; y < H; y++) {
        size_t n = t->line[y].len;
        while (n > 0 && t->line[y].data[n - 1] == ' ')
            n--;
        buf_add(out, buf_text(&t->line[y]), n);
        buf_putc(out, '\n');
    }
}

struct playing {
    struct terminal t;
    const char *what;
    unsigned steps, marks;
    double seconds;
    bool ended;
};

static void check_step(struct playing *p)
{
    struct buf shown = {0}, want = exported("screen %s --step %u", p->what, p->steps);
    terminal_text(&p->t, &shown);
    assert_string_equal(buf_text(&shown), buf_text(&want));
    buf_free(&shown);
    buf_free(&want);
}

/* "48 match_prefix": the step that is shown, and a kind that begins an operation or a request. */
static void check_mark(struct playing *p, const char *label)
{
    char *name;
    assert_int_equal(strtoul(label, &name, 10), p->steps);
    assert_int_equal(*name, ' ');
    int kind = event_find(name + 1);
    assert_true(kind >= 0 && event_info((unsigned)kind)->depth <= DEPTH_OPERATION);
    p->marks++;
}

static void play_line(struct playing *p, const char *line, size_t n)
{
    json_error_t e;
    json_t *event = json_loadb(line, n, 0, &e);
    assert_true(json_is_array(event) && json_array_size(event) == 3 && !p->ended);
    assert_true(json_is_number(json_array_get(event, 0)));
    double after = json_number_value(json_array_get(event, 0));
    const char *kind = json_string_value(json_array_get(event, 1)), *data = json_string_value(json_array_get(event, 2));
    p->seconds += after;
    if (strcmp(kind, "o") == 0 && strstr(data, "\033[?25h") == NULL) {
        p->steps++;
        terminal_write(&p->t, data);
        check_step(p);
    } else if (strcmp(kind, "m") == 0) {
        assert_true(after < 1e-9);
        check_mark(p, data);
    } else if (strcmp(kind, "x") == 0) {
        p->ended = true;
    }
    json_decref(event);
}

static void play(const char *what, unsigned steps, unsigned marks)
{
    struct playing p = {.what = what};
    struct buf b = exported("cast %s --speed 4", what);
    const char *at = buf_text(&b), *end = strchr(at, '\n');
    json_error_t e;
    json_t *head = json_loadb(at, (size_t)(end - at), 0, &e);
    assert_int_equal(whole(head, "version"), 3);
    assert_int_equal(whole(json_object_get(head, "term"), "cols"), W);
    assert_int_equal(whole(json_object_get(head, "term"), "rows"), H);
    assert_true(json_is_string(json_object_get(head, "title")));
    json_decref(head);
    for (at = end + 1; (end = strchr(at, '\n')) != NULL; at = end + 1)
        play_line(&p, at, (size_t)(end - at));
    assert_true(p.ended && *at == '\0');
    assert_int_equal(p.steps, steps);
    assert_int_equal(p.marks, marks);
    assert_true(p.seconds > steps / 4.0 - 0.01 && p.seconds < steps / 4.0 + 0.01);
    for (int y = 0; y < H; y++)
        buf_free(&p.t.line[y]);
    buf_free(&b);
}

/* Steps of a run that begin an operation or a request, as --plain lists them. */
static unsigned operations(const char *what, unsigned *steps)
{
    char command[600], line[8192], name[40];
    unsigned n = 0;
    const char *build = getenv("BUILD");
    snprintf(command, sizeof command, "%s/radixscope play %s --plain </dev/null", build != NULL ? build : "build", what);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    *steps = 0;
    while (fgets(line, sizeof line, p) != NULL) {
        if (sscanf(line, "%*u %39[A-Z_]", name) != 1)
            continue;
        for (char *c = name; *c != '\0'; c++)
            *c = (char)(*c == '_' ? '_' : *c - 'A' + 'a');
        n += event_info((unsigned)event_find(name))->depth <= DEPTH_OPERATION;
        ++*steps;
    }
    assert_int_equal(pclose(p), 0);
    return n;
}

static void a_cast_plays_every_screen(void **state)
{
    (void)state;
    const char *const RUNS[] = {"two-strings", "small-pool", hostile_script()};
    for (size_t i = 0; i < ARRAY_LEN(RUNS); i++) {
        unsigned steps, marks = operations(RUNS[i], &steps);
        assert_true(steps > 10 && marks > 3 && marks < steps);
        play(RUNS[i], steps, marks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tree_adds_up),
        cmocka_unit_test(the_split_is_in_the_tree),
        cmocka_unit_test(dot_keeps_its_grammar),
        cmocka_unit_test(svg_holds_the_same_cells),
        cmocka_unit_test(a_cast_plays_every_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
