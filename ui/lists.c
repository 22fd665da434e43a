#include "ui/lists.h"

#include <stdio.h>

#include "tape/check.h"
#include "tape/why.h"
#include "ui/theme.h"

/* ---- why -------------------------------------------------------------------------------------------- */

static void add_tokens(struct list *l, const struct moment *m, const char *who, const uint32_t *token,
                       uint32_t n)
{
    struct buf b = {0};
    for (uint32_t i = 0; i < n; i++) {
        if (m->words->said.token != NULL)
            m->words->said.token(m->words->said.ctx, token[i], &b);
        else
            buf_printf(&b, "%u", token[i]);
        buf_putc(&b, ' ');
    }
    list_add(l, 0, ROLE_TEXT, "     %s  %s", who, n > 0 ? buf_text(&b) : "(ends here)");
    buf_free(&b);
}

/* The miss doctor's words about the current request. */
static void add_miss(struct list *l, const struct moment *m, struct cursor *c)
{
    struct miss miss;
    if (m->request == 0 || !miss_examine(c, m->at, m->request, &miss))
        return;
    struct buf b = {0};
    miss_sentence(m->sc, &m->words->said, &miss, &b);
    list_add(l, 0, ROLE_TITLE, "request %u: %u of %u prompt tokens came from the cache (%s)",
             m->sc.w->request[m->request].rid, miss.matched, miss.of, miss_code_name(miss.code));
    list_add(l, miss.step, ROLE_TEXT, "  %s", buf_text(&b));
    if (miss.wants > 0 && miss.haves > 0) {
        add_tokens(l, m, "the prompt goes on:", miss.want, miss.wants);
        add_tokens(l, m, "the tree goes on:  ", miss.have, miss.haves);
    }
    list_add(l, 0, ROLE_TEXT, " ");
    buf_free(&b);
}

/* The step of this operation in which `node` was taken; 0: it was not. */
static uint32_t taken_at(const struct moment *m, uint32_t node)
{
    struct step s;
    for (uint32_t n = m->op_at + 1; n <= m->length; n++) {
        tape_step(m->tape, m->branch, n, &s);
        if (s.depth <= DEPTH_OPERATION)
            break;
        if (s.kind == EV_VICTIM && s.arg[0] == node)
            return n;
    }
    return 0;
}

/* Who could have gone, in the policy's order, and who went. */
static void add_candidates(struct list *l, const struct moment *m)
{
    struct observation o;
    if (m->op.kind != EV_EVICT || !tape_observation(m->tape, m->branch, m->op_at, 0, &o) ||
        o.kind != OBS_CANDIDATES)
        return;
    const struct obs_candidate *c = o.data;
    uint32_t n = o.bytes / sizeof *c;
    list_add(l, 0, ROLE_TITLE, "who could go when evict began, in %s's order: the first one goes first",
             policy_name(m->sc.w->head.policy));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t step = c[i].locked ? 0 : taken_at(m, c[i].node);
        char name[16];
        if (c[i].id >= 1 && c[i].id <= 26)
            snprintf(name, sizeof name, "%c", 'A' + (int)c[i].id - 1);
        else
            snprintf(name, sizeof name, "%u", c[i].id);
        const char *fate = c[i].locked ? "locked: no candidate"
                           : step != 0 ? "taken"
                                       : "kept: enough was freed";
        if (m->sc.w->head.policy == POLICY_LRU)
            list_add(l, step, ROLE_TEXT, "    %-4s %4u tokens   last used at %-6g  %s", name, c[i].units,
                     c[i].key[1], fate);
        else
            list_add(l, step, ROLE_TEXT, "    %-4s %4u tokens   key %g, %g   %s", name, c[i].units,
                     c[i].key[0], c[i].key[1], fate);
    }
    list_add(l, 0, ROLE_TEXT, " ");
}

/* What the model took into account when it wrote a token: its best choices. */
static void add_choices(struct list *l, const struct moment *m)
{
    struct observation o;
    if (m->step.kind != EV_SAMPLE || !tape_observation(m->tape, m->branch, m->at, 0, &o) ||
        o.kind != OBS_LOGITS)
        return;
    const struct obs_logit *c = o.data;
    list_add(l, 0, ROLE_TITLE, "the model's best next tokens, the likeliest first");
    for (uint32_t i = 0; i < o.bytes / sizeof *c; i++) {
        struct buf b = {0};
        char bar[21] = "####################";
        float part =
            c[i].probability > 0 && c[i].probability <= 1 ? c[i].probability : 0; /* a file may lie */
        bar[(int)(part * 20.0f + 0.5f)] = '\0';
        if (m->words->said.token != NULL)
            m->words->said.token(m->words->said.ctx, c[i].token, &b);
        list_add(l, 0, c[i].token == m->step.arg[1] ? ROLE_GENERATED : ROLE_TEXT, "  %c %5.1f %%  %-20s %s",
                 c[i].token == m->step.arg[1] ? '*' : ' ', (double)part * 100, bar, buf_text(&b));
        buf_free(&b);
    }
    list_add(l, 0, ROLE_TEXT, " ");
}

/* ---- what an ordinary step belongs to --------------------------------------------------------------- */

/* Why an operation of this kind runs at all. */
static const char *purpose(const struct moment *m, const struct step *op)
{
    bool needed = m->request != 0 || m->key.begin != 0; /* by somebody, not by the command evict */
    switch (op->kind) {
    case EV_START: return "Everything begins here: no request has come yet, and nothing is cached.";
    case EV_SET: return "The scenario or a command changes a setting.";
    case EV_NOTE: return "The scenario says something; nothing is done.";
    case EV_RESET: return "A command empties the cache.";
    case EV_SCHEDULE: return "The scenario asks for a schedule: requests wait and run together.";
    case EV_PLAN: return "The scenario or a command will send it: it arrives when the clock gets there.";
    case EV_ARRIVE: return "Its time has come; whoever runs goes on, it waits for the next admission pass.";
    case EV_IDLE: return "Nobody waits or runs, and more will come: there is nothing else to do.";
    case EV_ROUND: return "Before every pass the waiting requests are ordered, and tried in that order.";
    case EV_CHUNK: return "Its prompt was cut at the chunk limit; what remains goes before anybody else.";
    case EV_PASS: return "Somebody was admitted (prefill), or everybody who runs gets one more token (decode).";
    case EV_SHORT: return "Every running request needs a slot for its next token, and eviction cannot free as many.";
    case EV_RETRACT: return "Decode cannot give everybody a slot: who has generated fewest gives way.";
    case EV_PREEMPT: return "There was no room for a much more urgent request.";
    case EV_ABORT_PLANNED: return "The scenario or a command asks for it.";
    case EV_REQUEST: return "The scenario or a command sends it; from here on it looks for its prefix.";
    case EV_PREFILL: return "The tokens that did not come from the cache have to be computed before it can answer.";
    case EV_DECODE: return "An answer is made token by token: each one needs a pass of its own.";
    case EV_ANSWER: return "Nothing more is generated: the request is counted, and gone.";
    case EV_ABORT: return "A command gave it up.";
    case EV_MATCH:
        return op->arg[event_arg(EV_MATCH, "again")] != 0
                   ? "What has just been inserted may stand in the tree twice: from now on it reads the tree's slots."
                   : "What is cached already need not be computed or stored again, so it looks there first.";
    case EV_LOCK: return "While somebody reads these slots, eviction must leave them alone.";
    case EV_UNLOCK: return "It does not need them any more: they stay cached, and may be evicted.";
    case EV_ALLOC: return "Keys and values of every token that was not cached need a slot.";
    case EV_INSERT: return "What stands in the tree can be shared by whoever comes next.";
    case EV_CACHE_UNFINISHED: return "Others can share the prompt while the answer is still being made.";
    case EV_CACHE_FINISHED: return "It ends: what it computed stays for others, what is its own goes back.";
    case EV_EVICT:
        return needed ? "Fewer slots are free than are needed, so leaves that nobody uses have to go."
                      : "A command asks for free slots.";
    case EV_CLOSE_SESSION: return "A session has ended: what it alone used is of no use any more.";
    default: return "";
    }
}

/* Can `outer` be the operation that runs an `inner` one? */
static bool runs(unsigned outer, unsigned inner)
{
    switch (inner) {
    case EV_EVICT: return outer == EV_ALLOC;
    case EV_ALLOC: return outer == EV_DECODE;
    case EV_INSERT: return outer == EV_CACHE_UNFINISHED || outer == EV_CACHE_FINISHED;
    case EV_LOCK:
    case EV_UNLOCK: return outer == EV_CACHE_UNFINISHED || outer == EV_CACHE_FINISHED || outer == EV_MATCH;
    case EV_MATCH: return outer == EV_CACHE_UNFINISHED;
    default: return false;
    }
}

/* The operation around operation n, before the last settled step; 0: none. */
static uint32_t around(const struct moment *m, uint32_t n, unsigned inner)
{
    struct step s;
    for (uint32_t k = n - 1; k > 0; k--) {
        tape_step(m->tape, m->branch, k, &s);
        if (s.settled)
            return 0;
        if (runs(s.kind, inner))
            return k;
    }
    return 0;
}

/* Operation n in its own words, and why it runs. */
static void add_operation(struct list *l, const struct moment *m, struct cursor *c, uint32_t n)
{
    struct step op;
    struct buf b = {0};
    tape_step(m->tape, m->branch, n, &op);
    cursor_seek(c, m->branch, n);
    event_sentence(cursor_scene(c), &m->words->said, op.kind, op.arg, &b);
    cursor_seek(c, m->branch, m->at);
    list_add(l, n, ROLE_TEXT, "%s", buf_text(&b));
    list_add(l, 0, ROLE_TEXT, "     %s", purpose(m, &op));
    buf_free(&b);
}

/* Where the request arrived, or the command about a key began. */
static void add_owner(struct list *l, const struct moment *m)
{
    struct step s;
    uint32_t n = m->at + 1;
    while (m->request != 0 && (n = tape_find_kind(m->tape, m->branch, n, -1, EV_REQUEST)) != 0) {
        tape_step(m->tape, m->branch, n, &s);
        if (s.arg[0] != m->request)
            continue;
        list_add(l, n, ROLE_TEXT, "all of it for request %u, which arrived at step %u",
                 m->sc.w->request[m->request].rid, n);
        return;
    }
    if (m->key.begin != 0 && m->key.name != 0)
        list_add(l, m->key.begin, ROLE_TEXT, "all of it for the key \"%s\", from step %u on", store_name(m->sc.s, m->key.name),
                 m->key.begin);
    else if (m->key.begin != 0)
        list_add(l, m->key.begin, ROLE_TEXT, "all of it for a key, from step %u on", m->key.begin);
}

/* From the operation that the step is part of outwards, to who needs it. */
static void add_belonging(struct list *l, const struct moment *m, struct cursor *c)
{
    if (m->op_at == 0)
        return;
    list_add(l, 0, ROLE_TITLE, m->op_at == m->at ? "why step %u (%s) runs" : "what step %u (%s) is a part of", m->at,
             event_info(m->step.kind)->name);
    struct step op = m->op;
    for (uint32_t n = m->op_at; n != 0; n = around(m, n, op.kind)) {
        tape_step(m->tape, m->branch, n, &op);
        add_operation(l, m, c, n);
    }
    add_owner(l, m);
    list_add(l, 0, ROLE_TEXT, " ");
}

void lists_why(struct list *l, const struct moment *m, struct cursor *c)
{
    struct cause cause[CAUSES];
    list_clear(l);
    int n = m->at > 0 ? why_chain(c, &m->words->said, m->at, cause) : 0;
    add_choices(l, m);
    if (n == 0 && m->step.kind != EV_ADMIT) /* what decided about an admission is the miss below */
        add_belonging(l, m, c);
    if (m->op.kind == EV_EVICT && m->op_at != 0)
        add_candidates(l, m);
    else
        add_miss(l, m, c);
    if (n > 0)
        list_add(l, 0, ROLE_TITLE, "what led to step %u (%s)", m->at, event_info(m->step.kind)->name);
    for (int i = 0; i < n; i++)
        list_add(l, cause[i].step, ROLE_TEXT, "%2d  %s", i + 1, cause[i].text);
    if (l->n == 0)
        list_add(l, 0, ROLE_TEXT,
                 "Step %u follows from the step before it; there is no more to say about it. Splits, "
                 "evictions, refusals and look-ups have reasons: press / to find one.",
                 m->at);
}

/* ---- the log ---------------------------------------------------------------------------------------- */

static void add_step(struct list *l, const struct moment *m, struct cursor *c, uint32_t n)
{
    struct step s;
    struct buf b = {0};
    cursor_seek(c, m->branch, n);
    tape_step(m->tape, m->branch, n, &s);
    event_sentence(cursor_scene(c), &m->words->said, s.kind, s.arg, &b);
    unsigned style = n == m->at ? ROLE_TEXT | STYLE_BOLD : s.depth == DEPTH_REQUEST ? ROLE_TITLE : ROLE_TEXT;
    list_add(l, 0, style, "%c%5u %s%s", n == m->at ? '>' : ' ', n,
             s.depth == DEPTH_EVENT ? "    " : s.depth == DEPTH_OPERATION ? "  " : "", buf_text(&b));
    buf_free(&b);
}

int lists_log(struct list *l, const struct moment *m, struct cursor *c, int rows)
{
    uint32_t half = (uint32_t)rows / 2, from = m->at > half ? m->at - half : 1;
    list_clear(l);
    for (uint32_t n = from; n <= m->length && n < from + (uint32_t)rows; n++)
        add_step(l, m, c, n);
    cursor_seek(c, m->branch, m->at);
    return m->at >= from ? (int)(m->at - from) : 0;
}

/* ---- invariants ------------------------------------------------------------------------------------- */

static void add_equation(struct list *l, bool holds, const char *what, const char *equation)
{
    list_add(l, 0, holds ? ROLE_TEXT : ROLE_ALERT, "%s  %s", holds ? "holds " : "BROKEN", what);
    list_add(l, 0, holds ? ROLE_TEXT : ROLE_ALERT, "          %s", equation);
}

static void add_slots(struct list *l, const struct moment *m)
{
    struct pool_sum p = pool_sums(m->sc.w);
    char line[160];
    snprintf(line, sizeof line,
             "free %u + evictable %u + protected %u + held by requests %u = %u; the pool has %u", p.free,
             p.evictable, p.protected_, p.held, p.free + p.evictable + p.protected_ + p.held, p.pool);
    add_equation(l, p.free + p.evictable + p.protected_ + p.held == p.pool,
                 "Every slot has exactly one owner.", line);
}

static void add_tree(struct list *l, const struct moment *m)
{
    const struct world *w = m->sc.w;
    uint64_t locked = 0, open = 0;
    uint32_t nodes = 0;
    for (uint32_t n = ROOT; n != 0; n = node_preorder(w, n), nodes++)
        *(n != ROOT && w->node[n].lock_ref > 0 ? &locked : &open) += w->node[n].len;
    char line[160];
    snprintf(line, sizeof line, "%u nodes: evictable %llu, counted %u; protected %llu, counted %u", nodes - 1,
             (unsigned long long)open, w->head.evictable_size, (unsigned long long)locked,
             w->head.protected_size);
    add_equation(l, open == w->head.evictable_size && locked == w->head.protected_size,
                 "The tree's tokens are evictable (lock 0) or protected (lock > 0).", line);
}

static void add_locks(struct list *l, const struct moment *m)
{
    const struct world *w = m->sc.w;
    uint32_t running = 0, held = 0;
    for (uint32_t r = 1; r < w->head.request_top; r++) {
        running += request_running(&w->request[r]);
        held += request_running(&w->request[r]) && w->request[r].node > ROOT;
    }
    char line[160];
    snprintf(line, sizeof line, "%u requests run, %u of them hold a path from a node up to the root", running,
             held);
    add_equation(l, true, "A node's lock count is the number of its holders and those of its children.",
                 line);
}

void lists_invariants(struct list *l, const struct moment *m)
{
    struct err e = {0};
    list_clear(l);
    if (m->at > 0 && !m->step.settled) {
        list_add(l, 0, ROLE_TEXT,
                 "This step is in the middle of %s: invariants hold again when it is done. The numbers "
                 "now, on the way:",
                 m->op_at != 0 ? event_info(m->op.kind)->name : "an operation");
    } else if (world_check(m->sc, &e) == 0) {
        list_add(l, 0, ROLE_CACHED | STYLE_BOLD,
                 "All invariants hold at step %u: links, keys, sums, locks, slots, "
                 "requests and tags were derived again from nothing.",
                 m->at);
    } else {
        list_add(l, 0, ROLE_ALERT, "BROKEN at step %u: %s", m->at, e.what);
    }
    list_add(l, 0, ROLE_TEXT, " ");
    add_slots(l, m);
    add_tree(l, m);
    add_locks(l, m);
}

/* ---- requests --------------------------------------------------------------------------------------- */

enum { BAR = 12, LISTED = 200 };

/* "==========#####.........": cached, computed, to do of a prompt. */
static void draw_bar(const struct request *q, char bar[BAR + 1])
{
    uint32_t n = q->prompt_len > 0 ? q->prompt_len : 1;
    uint32_t done = q->computed_len < q->prompt_len ? q->computed_len : q->prompt_len;
    done = done > q->cached_len ? done : q->cached_len;
    for (uint32_t i = 0; i < BAR; i++) {
        uint32_t token = (uint32_t)((uint64_t)i * n / BAR);
        bar[i] = token < q->cached_len ? '=' : token < done ? '#' : '.';
    }
    bar[BAR] = '\0';
}

static void add_request(struct list *l, const struct moment *m, struct cursor *c, uint32_t step, uint32_t r)
{
    const struct request *q = &m->sc.w->request[r];
    struct miss miss;
    char bar[BAR + 1];
    draw_bar(q, bar);
    bool known = miss_examine(c, m->at, r, &miss);
    list_add(l, step, r == m->request ? ROLE_TEXT | STYLE_BOLD : ROLE_TEXT, "%3u  %s %6u %6u %8u %9u  %s",
             q->rid, bar, q->prompt_len, q->cached_len, q->prompt_len - q->cached_len,
             q->total_len - q->prompt_len, known ? miss_code_name(miss.code) : "");
}

/* The next step at which a request comes, or is planned to; 0: none. */
static uint32_t next_request(const struct moment *m, uint32_t at)
{
    uint32_t a = tape_find_kind(m->tape, m->branch, at, 1, EV_REQUEST);
    uint32_t b = tape_find_kind(m->tape, m->branch, at, 1, EV_PLAN);
    return a == 0 || (b != 0 && b < a) ? b : a;
}

void lists_requests(struct list *l, const struct moment *m, struct cursor *c)
{
    uint64_t prompt = 0, cached = 0, generated = 0;
    uint32_t n = 0;
    struct step s;
    list_clear(l);
    list_add(l, 0, ROLE_LABEL, "  n  = cached #  prompt cached computed generated  why not more");
    for (uint32_t at = 0; (at = next_request(m, at)) != 0 && at <= m->at; n++) {
        tape_step(m->tape, m->branch, at, &s);
        const struct request *q = &m->sc.w->request[s.arg[0]];
        if (n < LISTED)
            add_request(l, m, c, at, s.arg[0]);
        prompt += q->prompt_len;
        cached += q->cached_len;
        generated += q->total_len - q->prompt_len;
    }
    if (n == 0)
        list_add(l, 0, ROLE_TEXT, "No request has arrived by this step.");
    if (n > LISTED)
        list_add(l, 0, ROLE_QUIET, "     .. and %u more", n - LISTED);
    list_add(l, 0, ROLE_TEXT, " ");
    list_add(l, 0, ROLE_TEXT | STYLE_BOLD,
             "So far: %llu prompt tokens, %llu of them (%.0f %%) not computed again; %llu "
             "generated.",
             (unsigned long long)prompt, (unsigned long long)cached,
             prompt > 0 ? (double)cached * 100 / (double)prompt : 0.0, (unsigned long long)generated);
}
