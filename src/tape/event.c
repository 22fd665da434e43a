#include "tape/event.h"

#include <string.h>

enum { QUEUE_TOLD = 12 }; /* waiting requests that a sentence names */

static const struct event_info EVENTS[EV_COUNT] = {
#define X(id, name, depth, steps, args, sentence, lesson)                                                    \
    [EV_##id] = {name, steps, args, sentence, lesson, DEPTH_##depth, 0},
    EVENT_TABLE(X)
#undef X
};

const struct event_info *event_info(unsigned kind)
{
    return kind < EV_COUNT ? &EVENTS[kind] : NULL;
}

int event_find(const char *name)
{
    for (int k = 0; k < EV_COUNT; k++)
        if (strcmp(EVENTS[k].name, name) == 0)
            return k;
    return -1;
}

/* The arg-th "name:type" of an argument list; NULL past its end. */
static const char *arg_spec(unsigned kind, int arg)
{
    const char *at = EVENTS[kind].args;
    for (; arg > 0 && at != NULL; arg--) {
        at = strchr(at, ' ');
        at = at != NULL ? at + 1 : NULL;
    }
    return at != NULL && *at != '\0' ? at : NULL;
}

const char *event_arg_name(unsigned kind, int arg, int *len)
{
    const char *spec = arg_spec(kind, arg);
    *len = spec != NULL ? (int)strcspn(spec, ":") : 0;
    return spec;
}

char event_arg_type(unsigned kind, int arg)
{
    const char *spec = arg_spec(kind, arg);
    return spec != NULL ? spec[strcspn(spec, ":") + 1] : '\0';
}

static int arg_named(unsigned kind, const char *name, size_t n)
{
    int len;
    for (int i = 0; i < EVENT_ARGS; i++) {
        const char *at = event_arg_name(kind, i, &len);
        if (at == NULL)
            return -1;
        if ((size_t)len == n && memcmp(at, name, n) == 0)
            return i;
    }
    return -1;
}

int event_arg(unsigned kind, const char *name)
{
    return arg_named(kind, name, strlen(name));
}

bool event_part_of(unsigned kind, unsigned operation)
{
    switch (kind) {
    case EV_KV_WRITE:
    case EV_SAMPLE: return operation == EV_PREFILL || operation == EV_DECODE || operation == EV_PASS;
    case EV_SHARED_READ:
    case EV_PART:
    case EV_GIVEN:
    case EV_CLOCK: return operation == EV_PASS;
    case EV_HELD_BACK:
    case EV_RANKED: return operation == EV_ROUND;
    case EV_TAKEN:
    case EV_LEFT: return operation == EV_ROUND || operation == EV_MATCH;
    case EV_TAKE:
    case EV_ALLOC_FAIL: return operation == EV_ALLOC;
    case EV_ADMIT: return operation == EV_MATCH;
    case EV_ROW: return operation == EV_CACHE_UNFINISHED;
    case EV_TAG: return operation == EV_CACHE_UNFINISHED || operation == EV_CACHE_FINISHED;
    case EV_RELEASED: return operation == EV_CACHE_FINISHED || operation == EV_ALLOC;
    default: return true;
    }
}

uint32_t event_about(unsigned kind, const uint32_t *args, char type)
{
    for (int i = 0; i < EVENT_ARGS; i++)
        if (event_arg_type(kind, i) == type && args[i] != 0)
            return args[i];
    return 0;
}

char node_letter(const struct world *w, uint32_t node)
{
    uint32_t id = w->node[node].id;
    if (node == ROOT)
        return '/';
    return id >= 1 && id <= 26 ? (char)('A' + id - 1) : '#';
}

void node_call(const struct world *w, uint32_t node, struct buf *b)
{
    if (node == ROOT) {
        buf_puts(b, "the root");
        return;
    }
    buf_printf(b, "node %u", w->node[node].id);
    if (node_letter(w, node) != '#')
        buf_printf(b, " (%c)", node_letter(w, node));
}

const char *finish_reason_text(uint32_t reason)
{
    switch (reason) {
    case FINISH_END_TOKEN: return "end token";
    case FINISH_LENGTH: return "length limit";
    case FINISH_STOP: return "stop string";
    case FINISH_TOO_LONG: return "it is longer than the context";
    case FINISH_NO_SLOTS: return "the pool is too small";
    case FINISH_ABORT: return "aborted";
    default: return "running";
    }
}

/* Why a policy takes the node it takes, for a sentence. */
static const char *policy_reason(uint32_t policy)
{
    switch (policy) {
    case POLICY_LRU: return "it was used longest ago";
    case POLICY_LFU: return "it was inserted least often, then used longest ago";
    case POLICY_FIFO: return "it was made first";
    case POLICY_MRU: return "it was used last";
    case POLICY_FILO: return "it was made last";
    case POLICY_PRIORITY: return "its priority is lowest, then it was used longest ago";
    case POLICY_SLRU: return "it was used longest ago among those inserted once, if there are any";
    case POLICY_COUNT: return "of all that may go it is read again last, or never";
    default: return "the policy's order begins with it";
    }
}

static void add_token(const struct event_words *words, uint32_t token, struct buf *b)
{
    if (token == NO_TOKEN)
        buf_puts(b, "the end");
    else if (words != NULL && words->token != NULL)
        words->token(words->ctx, token, b);
    else
        buf_printf(b, "token %u", token);
}

static void add_value(struct scene sc, const struct event_words *words, char type, uint32_t v, struct buf *b)
{
    switch (type) {
    case 'n': node_call(sc.w, v, b); break;
    case 'r': buf_printf(b, "request %u", sc.w->request[v].rid); break;
    case 't': add_token(words, v, b); break;
    case 'x': buf_puts(b, store_name(sc.s, v)); break;
    case 'p': buf_puts(b, policy_name(v)); break;
    case 'u': buf_puts(b, v == RULES_UNIFIED ? "unified" : "classic"); break;
    case 'w': buf_puts(b, policy_reason(v)); break;
    case 'f': buf_puts(b, finish_reason_text(v)); break;
    case 'i': buf_printf(b, "%d", (int)v); break;
    case 'm': buf_printf(b, "%u.%02u ms", v / 100, v % 100); break;
    case 'h': buf_puts(b, sched_why_text(v)); break;
    default: buf_printf(b, "%u", v); break;
    }
}

/* "1 token", "29 tokens", "2 leaves". */
static void add_counted(uint32_t n, const char *noun, size_t len, struct buf *b)
{
    buf_printf(b, "%u ", n);
    if (n != 1 && len > 4 && memcmp(noun + len - 4, "leaf", 4) == 0) {
        buf_add(b, noun, len - 1);
        buf_puts(b, "ves");
        return;
    }
    buf_add(b, noun, len);
    if (n != 1)
        buf_putc(b, 's');
}

struct telling {
    struct scene sc;
    const struct event_words *words;
    unsigned kind;
    const uint32_t *args;
    struct buf *b;
};

static void tell(const struct telling *t, const char *text, size_t n);

/* The length of the part of text (n bytes) before an outer `stop` or its end. */
static size_t outer_span(const char *text, size_t n, char stop)
{
    int depth = 0;
    for (size_t i = 0; i < n; i++) {
        if (depth == 0 && text[i] == stop)
            return i;
        depth += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
    }
    return n;
}

/* What counts as yes (event.h). */
static bool says_yes(unsigned kind, int arg, uint32_t v)
{
    switch (event_arg_type(kind, arg)) {
    case 't': return v != NO_TOKEN;
    case 'w': return v < POLICY_COUNT;
    default: return v != 0;
    }
}

/* "?arg:yes|no" or "arg|yes|no". */
static void tell_choice(const struct telling *t, const char *text, size_t n)
{
    size_t name = strcspn(text, ":|");
    int arg = arg_named(t->kind, text, name);
    ASSERT(arg >= 0);
    bool yes = says_yes(t->kind, arg, t->args[arg]);
    const char *rest = text + name + 1;
    size_t left = n - name - 1, first = outer_span(rest, left, '|');
    if (yes)
        tell(t, rest, first);
    else if (first < left)
        tell(t, rest + first + 1, left - first - 1);
}

/* "3 (cold), 1, 2": who waits, in this order. */
static void tell_queue(const struct telling *t)
{
    const struct world *w = t->sc.w;
    uint32_t n = 0;
    for (uint32_t r = w->head.queue_first; r != 0 && n < QUEUE_TOLD && n < w->head.queue_count; r = w->served[r].next, n++) {
        const char *label = store_name(t->sc.s, w->request[r].label);
        buf_printf(t->b, "%s%u%s%.24s%s", n > 0 ? ", " : "", w->request[r].rid, *label != '\0' ? " (" : "", label,
                   *label != '\0' ? ")" : "");
    }
    if (w->head.queue_count == 0)
        buf_puts(t->b, "nobody");
    if (w->head.queue_count > n)
        buf_printf(t->b, " and %u more", w->head.queue_count - n);
}

/* "1arg:one|many". */
static void tell_number(const struct telling *t, const char *text, size_t n)
{
    size_t name = strcspn(text, ":");
    int arg = arg_named(t->kind, text, name);
    ASSERT(arg >= 0);
    const char *rest = text + name + 1;
    size_t left = n - name - 1, first = outer_span(rest, left, '|');
    if (t->args[arg] == 1)
        tell(t, rest, first);
    else if (first < left)
        tell(t, rest + first + 1, left - first - 1);
}

/* The token, and its position, whose keys and values belong behind a slot at this moment. */
static bool slot_token(struct scene sc, uint32_t slot, uint32_t *token, uint32_t *position)
{
    for (uint32_t n = ROOT; n != 0; n = node_preorder(sc.w, n))
        for (uint32_t i = 0; i < sc.w->node[n].len; i++)
            if (node_slots(sc, n)[i] == slot) {
                *token = node_tokens(sc, n)[i];
                *position = node_start(sc.w, n) + i;
                return true;
            }
    for (uint32_t r = 1; r < sc.w->head.request_top; r++)
        for (uint32_t i = 0; i < sc.w->request[r].kv_len; i++)
            if (sc.w->request[r].node != 0 && sc.w->row_slot[sc.w->request[r].row_off + i] == slot) {
                *token = sc.w->row_token[sc.w->request[r].row_off + i];
                *position = i;
                return true;
            }
    return false;
}

/* "=slot:other": what belongs behind `slot`, and what stands there now, which was computed for `other`. */
static void tell_slots(const struct telling *t, const char *text, size_t n)
{
    size_t name = strcspn(text, ":");
    int slot = arg_named(t->kind, text, name), other = arg_named(t->kind, text + name + 1, n - name - 1);
    uint32_t mine, at, theirs, from;
    ASSERT(slot >= 0 && other >= 0);
    if (!slot_token(t->sc, t->args[slot], &mine, &at) || !slot_token(t->sc, t->args[other], &theirs, &from))
        return;
    buf_puts(t->b, mine == theirs ? ": the same token, " : ": ");
    add_token(t->words, theirs, t->b);
    if (mine == theirs && at == from)
        buf_printf(t->b, ", at the same position, %u", at);
    else if (mine == theirs)
        buf_printf(t->b, ", from position %u instead of %u", from, at);
    else {
        buf_printf(t->b, " from position %u instead of ", from);
        add_token(t->words, mine, t->b);
        buf_printf(t->b, " at position %u", at);
    }
}

static void tell_placeholder(const struct telling *t, const char *text, size_t n)
{
    switch (text[0]) {
    case '?': tell_choice(t, text + 1, n - 1); return;
    case '1': tell_number(t, text + 1, n - 1); return;
    case '=': tell_slots(t, text + 1, n - 1); return;
    default: break;
    }
    if (n == 5 && memcmp(text, "queue", 5) == 0) {
        tell_queue(t);
        return;
    }
    size_t name = 0;
    while (name < n && text[name] != ':')
        name++;
    int arg = arg_named(t->kind, text, name);
    ASSERT(arg >= 0);
    if (name < n)
        add_counted(t->args[arg], text + name + 1, n - name - 1, t->b);
    else
        add_value(t->sc, t->words, event_arg_type(t->kind, arg), t->args[arg], t->b);
}

static void tell(const struct telling *t, const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (text[i] != '{') {
            buf_putc(t->b, text[i++]);
            continue;
        }
        size_t inner = outer_span(text + i + 1, n - i - 1, '}');
        tell_placeholder(t, text + i + 1, inner);
        i += inner + 2;
    }
}

void event_steps(unsigned kind, const uint32_t *args, struct buf *b)
{
    struct telling t = {{0}, NULL, kind, args, b}; /* steps hold conditions, no values */
    tell(&t, EVENTS[kind].steps, strlen(EVENTS[kind].steps));
}

/* "[M3] ", or nothing where no numbered algorithm runs. */
static void add_steps(const struct telling *t)
{
    struct buf steps = {0};
    event_steps(t->kind, t->args, &steps);
    if (steps.len > 0)
        buf_printf(t->b, "[%s] ", buf_text(&steps));
    t->b->failed = t->b->failed || steps.failed;
    buf_free(&steps);
}

void event_sentence(struct scene sc, const struct event_words *words, unsigned kind, const uint32_t *args,
                    struct buf *b)
{
    struct telling t = {sc, words, kind, args, b};
    add_steps(&t);
    size_t start = b->len;
    tell(&t, EVENTS[kind].sentence, strlen(EVENTS[kind].sentence));
    /* a sentence may begin with a name: "node 4 (D) is split …" */
    if (!b->failed && b->len > start && b->data[start] >= 'a' && b->data[start] <= 'z' &&
        EVENTS[kind].sentence[0] == '{')
        b->data[start] = (char)(b->data[start] - 'a' + 'A');
}

void event_fields(struct scene sc, const struct event_words *words, unsigned kind, const uint32_t *args,
                  struct buf *b)
{
    int len;
    const char *name;
    for (int i = 0; i < EVENT_ARGS && (name = event_arg_name(kind, i, &len)) != NULL; i++) {
        char type = event_arg_type(kind, i);
        if (args[i] == 0 && strchr("nrxo", type) != NULL)
            continue; /* nobody, nothing */
        buf_printf(b, "%s%.*s=", i > 0 && b->len > 0 && b->data[b->len - 1] != ' ' ? " " : "", len, name);
        if (type == 'n')
            buf_printf(b, "%u", sc.w->node[args[i]].id);
        else if (type == 'r')
            buf_printf(b, "%u", sc.w->request[args[i]].rid);
        else if (type == 'x')
            buf_json(b, store_name(sc.s, args[i]), strlen(store_name(sc.s, args[i])));
        else if (type == 'h')
            buf_json(b, sched_why_text(args[i]), strlen(sched_why_text(args[i])));
        else if (type == 'm')
            buf_printf(b, "%u.%02u", args[i] / 100, args[i] % 100); /* milliseconds */
        else
            add_value(sc, words, type, args[i], b);
    }
}
