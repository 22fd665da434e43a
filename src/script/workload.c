#include "script/workload.h"

#include <math.h>
#include <string.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "script/nearest.h"

enum { MAX_REQUESTS = 20000, MAX_WORDS = 4096, MAX_GROUPS = 1024, MAX_TURNS = 64 };

static const struct {
    const char *name, *teaches;
    struct workload_shape shape;
} TABLE[WORKLOAD_COUNT] = {
#define X(id, name, requests, groups, turns, prefix, question, answer, teaches)                              \
    [WORKLOAD_##id] = {name, teaches, {1, requests, groups, turns, prefix, question, answer, 1.0}},
    WORKLOADS(X)
#undef X
};

static const char *const WORDS[] = {
    "sky", "grass", "river", "stone", "bird", "fish", "cat", "dog", "sun", "moon", "rain", "snow", "tree", "leaf",
    "red", "blue", "green", "warm", "cold", "small", "large", "old", "new", "runs", "sleeps", "swims", "flies",
    "sings", "sees", "finds", "gives", "takes", "with", "under", "over", "near", "from", "house", "road", "field",
    "boat", "lamp", "book", "door", "hand", "word", "song", "night", "day", "water", "light", "wind", "salt",
    "bread", "glass", "paper", "wood", "gold", "king", "child", "town", "hill", "star", "sea",
};

const char *workload_name(enum workload which)
{
    return which < WORKLOAD_COUNT ? TABLE[which].name : NULL;
}

const char *workload_teaches(enum workload which)
{
    return TABLE[which].teaches;
}

struct workload_shape workload_default(enum workload which)
{
    return TABLE[which].shape;
}

int workload_find(const char *name, enum workload *which, struct err *e)
{
    struct nearest near = {0};
    struct buf all = {0};
    for (unsigned i = 0; i < WORKLOAD_COUNT; i++) {
        if (strcmp(name, TABLE[i].name) == 0) {
            *which = (enum workload)i;
            buf_free(&all);
            return 0;
        }
        nearest_try(&near, name, TABLE[i].name);
        buf_printf(&all, "%s%s", i > 0 ? ", " : "", TABLE[i].name);
    }
    err_set(e, "'%.60s' is no workload", name);
    if (near.name != NULL)
        err_hint(e, "did you mean %s?", near.name);
    err_hint(e, "there are %s", buf_text(&all));
    buf_free(&all);
    return -1;
}

static int read_one(const struct script_command *c, const char *name, uint32_t most, uint32_t *out, struct err *e)
{
    *out = script_count(c, name, *out);
    return *out <= most ? 0 : err_set(e, "%s is %u, but at most %u is possible", name, *out, most);
}

int workload_read(const struct script_command *c, enum workload *which, struct workload_shape *shape, struct err *e)
{
    if (workload_find(script_text(c, "name"), which, e) != 0)
        return -1;
    *shape = workload_default(*which);
    if (read_one(c, "seed", UINT32_MAX, &shape->seed, e) != 0 ||
        read_one(c, "requests", MAX_REQUESTS, &shape->requests, e) != 0 ||
        read_one(c, "groups", MAX_GROUPS, &shape->groups, e) != 0 ||
        read_one(c, "turns", MAX_TURNS, &shape->turns, e) != 0 ||
        read_one(c, "prefix", MAX_WORDS, &shape->prefix, e) != 0 ||
        read_one(c, "question", MAX_WORDS, &shape->question, e) != 0 ||
        read_one(c, "answer", MAX_WORDS, &shape->answer, e) != 0)
        return -1;
    const struct script_arg *zipf = script_arg(c, "zipf");
    if (zipf != NULL)
        shape->zipf = zipf->number;
    return 0;
}

/* ---- making text -------------------------------------------------------------------------------------- */

/* A context that grows: a conversation, an agent's run, a path of thoughts. */
struct context {
    struct buf text;
    uint32_t turns, number;
};

struct maker {
    struct workload_shape shape;
    struct prng r;             /* who comes next */
    struct buf prompt, answer;
    struct context *context;   /* (contexts) */
    uint32_t contexts, made;   /* made: numbers given out */
    uint32_t i;                /* the request at hand */
};

static uint64_t seed_of(const struct maker *m, const char *kind, uint32_t number)
{
    uint64_t h = 1469598103934665603u ^ m->shape.seed;
    for (; *kind != '\0'; kind++)
        h = (h ^ (unsigned char)*kind) * 1099511628211u;
    return (h ^ number) * 1099511628211u;
}

/* The segment's text: `words` words, the first one its name. 0 words: nothing. */
static void segment(const struct maker *m, const char *kind, uint32_t number, uint32_t words, struct buf *out)
{
    struct prng r;
    prng_seed(&r, seed_of(m, kind, number));
    for (uint32_t i = 0; i < words; i++) {
        if (out->len > 0)
            buf_putc(out, ' ');
        if (i == 0)
            buf_printf(out, "%s%u", kind, number + 1);
        else
            buf_puts(out, WORDS[prng_below(&r, ARRAY_LEN(WORDS))]);
    }
}

/* One of n, the i-th with probability in proportion to 1 / (i + 1)^zipf. */
static uint32_t pick_popular(struct maker *m, uint32_t n)
{
    double all = 0, at = 0;
    for (uint32_t i = 0; i < n; i++)
        all += pow(i + 1, -m->shape.zipf);
    double want = prng_unit(&m->r) * all;
    for (uint32_t i = 0; i + 1 < n; i++) {
        at += pow(i + 1, -m->shape.zipf);
        if (want < at)
            return i;
    }
    return n - 1;
}

static void ask(struct maker *m)
{
    segment(m, "question", m->i, m->shape.question, &m->prompt);
}

static void append(struct buf *to, const struct buf *text)
{
    if (to->len > 0 && text->len > 0)
        buf_putc(to, ' ');
    buf_add(to, buf_text(text), text->len);
}

/* ---- one function a shape: the prompt and the answer of request m->i ---------------------------------- */

static void make_shared_system(struct maker *m)
{
    segment(m, "system", m->i % m->shape.groups, m->shape.prefix, &m->prompt);
    ask(m);
}

static void make_few_shot(struct maker *m)
{
    uint32_t set = prng_below(&m->r, m->shape.groups);
    for (uint32_t shot = 0; shot < m->shape.turns; shot++)
        segment(m, "shot", set * m->shape.turns + shot, m->shape.prefix, &m->prompt);
    ask(m);
}

/* One of the open contexts asks and is answered; a full one makes room for a new one. */
static void make_turn(struct maker *m, uint32_t which, const char *opening, bool own)
{
    struct context *c = &m->context[which];
    if (c->text.len == 0 || c->turns == m->shape.turns) {
        buf_clear(&c->text);
        c->turns = 0;
        c->number = m->made++;
        segment(m, opening, own ? c->number : 0, m->shape.prefix, &c->text);
    }
    struct buf asked = {0};
    segment(m, strcmp(opening, "tools") == 0 ? "result" : "question", m->i, m->shape.question, &asked);
    append(&c->text, &asked);
    buf_free(&asked);
    append(&m->prompt, &c->text);
    append(&c->text, &m->answer);
    c->turns++;
}

static void make_multi_turn(struct maker *m)
{
    make_turn(m, prng_below(&m->r, m->contexts), "user", true);
}

static void make_agent(struct maker *m)
{
    make_turn(m, m->i % m->contexts, "tools", false);
}

/* Thought i grows from thought (i - 1) / turns: breadth first. Thought 0 is the problem itself. */
static void make_tree_of_thought(struct maker *m)
{
    struct context *c = &m->context[m->i];
    if (m->i == 0)
        segment(m, "problem", 0, m->shape.prefix, &c->text);
    else
        append(&c->text, &m->context[(m->i - 1) / m->shape.turns].text);
    append(&m->prompt, &c->text);
    segment(m, "step", m->i, m->shape.question, &m->prompt);
    buf_clear(&c->text);
    append(&c->text, &m->prompt);
    append(&c->text, &m->answer);
}

static void make_self_consistency(struct maker *m)
{
    segment(m, "instruction", 0, m->shape.prefix, &m->prompt);
    segment(m, "question", m->i / m->shape.turns, m->shape.question, &m->prompt);
}

static void make_rag(struct maker *m)
{
    uint32_t doc[MAX_TURNS], n = 0, want = m->shape.turns < m->shape.groups ? m->shape.turns : m->shape.groups;
    while (n < want) {
        uint32_t d = pick_popular(m, m->shape.groups), k = 0;
        while (k < n && doc[k] != d)
            k++;
        if (k == n)
            doc[n++] = d;
    }
    for (uint32_t k = 0; k < n; k++)
        segment(m, "doc", doc[k], m->shape.prefix, &m->prompt);
    ask(m);
}

static void make_shared_prefix(struct maker *m)
{
    segment(m, "group", pick_popular(m, m->shape.groups), m->shape.prefix, &m->prompt);
    ask(m);
}

static void make_thrash(struct maker *m)
{
    segment(m, "key", m->i % m->shape.groups, m->shape.prefix, &m->prompt);
    ask(m);
}

static void make_never_repeat(struct maker *m)
{
    segment(m, "once", m->i, m->shape.prefix, &m->prompt);
    ask(m);
}

static void make_one(struct maker *m, enum workload which)
{
    buf_clear(&m->prompt);
    buf_clear(&m->answer);
    segment(m, "answer", m->i, m->shape.answer, &m->answer);
    switch (which) {
    case WORKLOAD_SHARED_SYSTEM: make_shared_system(m); break;
    case WORKLOAD_FEW_SHOT: make_few_shot(m); break;
    case WORKLOAD_MULTI_TURN: make_multi_turn(m); break;
    case WORKLOAD_AGENT: make_agent(m); break;
    case WORKLOAD_TREE_OF_THOUGHT: make_tree_of_thought(m); break;
    case WORKLOAD_SELF_CONSISTENCY: make_self_consistency(m); break;
    case WORKLOAD_RAG: make_rag(m); break;
    case WORKLOAD_SHARED_PREFIX: make_shared_prefix(m); break;
    case WORKLOAD_THRASH: make_thrash(m); break;
    default: make_never_repeat(m); break;
    }
}

static void write_one(const struct maker *m, bool told, struct buf *out)
{
    buf_puts(out, "request ");
    script_quote(buf_text(&m->prompt), m->prompt.len, out);
    if (told)
        buf_printf(out, " answer=\" %s\"", buf_text(&m->answer));
    else
        buf_printf(out, " raw max=%u", m->shape.answer);
    buf_printf(out, " label=%u\n", m->i + 1);
}

static int check_shape(enum workload which, const struct workload_shape *s, struct err *e)
{
    const struct workload_shape *own = &TABLE[which].shape;
    if (s->requests == 0 || s->answer == 0)
        return err_set(e, "a workload needs at least one request, and answers of at least one word");
    if ((own->groups > 0 && s->groups == 0) || (own->turns > 0 && s->turns == 0))
        return err_set(e, "%s needs at least one of groups and of turns", TABLE[which].name);
    if (s->prefix == 0)
        return err_set(e, "%s needs a prefix of at least one word", TABLE[which].name);
    return 0;
}

int workload_write(enum workload which, const struct workload_shape *shape, bool told, struct buf *out, struct err *e)
{
    if (check_shape(which, shape, e) != 0)
        return -1;
    struct maker m = {.shape = *shape};
    m.contexts = which == WORKLOAD_TREE_OF_THOUGHT ? shape->requests : shape->groups + 1;
    if (which == WORKLOAD_MULTI_TURN || which == WORKLOAD_AGENT)
        m.contexts = shape->groups;
    m.context = xcalloc(m.contexts, sizeof *m.context);
    bool failed = m.context == NULL;
    prng_seed(&m.r, seed_of(&m, TABLE[which].name, 0));
    for (m.i = 0; m.i < shape->requests && !failed; m.i++) {
        make_one(&m, which);
        write_one(&m, told, out);
        failed = m.prompt.failed || m.answer.failed || out->failed;
    }
    for (uint32_t i = 0; m.context != NULL && i < m.contexts; i++) {
        failed = failed || m.context[i].text.failed;
        buf_free(&m.context[i].text);
    }
    xfree(m.context);
    buf_free(&m.prompt);
    buf_free(&m.answer);
    return failed ? err_memory(e, out->len, "a workload") : 0;
}
