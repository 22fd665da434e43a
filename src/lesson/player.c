#include "lesson/player.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "lesson/lesson_check.h"

enum { GOAL_PARTS = 16 };

/* ---- parts -------------------------------------------------------------------------------------------- */

static bool has_prose(const struct lesson *l, size_t from, size_t to)
{
    for (; from < to; from++)
        if (l->item[from].kind == ITEM_PROSE)
            return true;
    return false;
}

static void add_part(struct player *p, enum stop_kind kind, uint32_t chunk, size_t first, size_t item)
{
    p->part[p->parts++] = (struct part){kind, chunk, first, item};
}

/* At most one part an item, and one a chunk for what is behind its last stop. */
static void find_parts(struct player *p, const struct lesson *l)
{
    for (uint32_t c = 0; c < l->chunks; c++) {
        size_t first = l->chunk[c].first, end = first + l->chunk[c].items;
        for (size_t i = first; i < end; i++) {
            const struct item *it = &l->item[i];
            if (it->kind != ITEM_RXS && it->kind != ITEM_ASK)
                continue;
            enum stop_kind kind = it->kind == ITEM_RXS ? STOP_ACT : it->question->kind == ASK_DO ? STOP_DO : STOP_ASK;
            add_part(p, kind, c, first, i);
            first = i + 1;
        }
        if (c + 1 == l->chunks)
            add_part(p, STOP_END, c, first, end);
        else if (has_prose(l, first, end))
            add_part(p, STOP_READ, c, first, end);
    }
}

const struct part *player_part(const struct player *p)
{
    return &p->part[p->at];
}

const struct chunk *player_chunk(const struct player *p)
{
    return &p->run->lesson->chunk[player_part(p)->chunk];
}

const struct question *player_question(const struct player *p)
{
    const struct part *part = player_part(p);
    return part->kind == STOP_ASK || part->kind == STOP_DO ? p->run->lesson->item[part->item].question : NULL;
}

/* The moment at which this part begins: behind the item before it. */
static struct lesson_env part_env(const struct player *p)
{
    size_t first = player_part(p)->first;
    struct lesson_env env = {.run = p->run};
    return first > 0 ? run_env(p->run, first - 1) : env;
}

/* ---- moving ------------------------------------------------------------------------------------------- */

static void stand(struct player *p, const struct lesson_env *env)
{
    p->scene = env->scene;
    p->branch = 0;
    p->step = p->limit = env->at;
}

/* The block's first step is shown; the reader may walk as far as its last one. */
static void begin_action(struct player *p)
{
    const struct lesson_block *b = &p->run->block[player_part(p)->item];
    p->scene = p->run->scene[b->scene];
    p->branch = 0;
    p->step = b->before < b->after ? b->before + 1 : b->after;
    p->limit = b->after;
    p->phase = PHASE_ACT;
}

/* Is there anything to read before the stop of this part? */
static bool has_text(const struct player *p)
{
    const struct part *part = player_part(p);
    bool titled = p->at == 0 || p->part[p->at - 1].chunk != part->chunk;
    return titled || has_prose(p->run->lesson, part->first, part->item);
}

static int begin_part(struct player *p, struct err *e)
{
    struct lesson_env env = part_env(p);
    const struct part *part = player_part(p);
    const struct lesson_head *h = &p->run->lesson->head;
    p->hints = 0;
    p->tries = 0;
    p->told = false;
    p->commands = 0;
    scene_free(p->challenge);
    p->challenge = NULL;
    stand(p, &env);
    p->phase = part->kind == STOP_ASK ? PHASE_ASK : part->kind == STOP_DO ? PHASE_DO : PHASE_TEXT;
    if (part->kind == STOP_ACT && !has_text(p))
        begin_action(p);
    if (part->kind == STOP_DO && player_restart(p, e) != 0)
        return -1;
    if (progress_note(p->progress, FACT_AT, h->id, "", (uint32_t)p->at + 1, e) != 0)
        return -1;
    if (part->kind == STOP_END && progress_note(p->progress, FACT_DONE, h->id, "", 1, e) != 0)
        return -1;
    return progress_save(p->progress, e);
}

int player_goto(struct player *p, size_t part, struct err *e)
{
    p->at = part < p->parts ? part : p->parts - 1;
    p->reached = p->at > p->reached ? p->at : p->reached;
    p->resumed = false;
    return begin_part(p, e);
}

int player_init(struct player *p, const struct lesson_run *run, struct progress *progress, bool again, struct err *e)
{
    const struct lesson *l = run->lesson;
    *p = (struct player){.run = run, .progress = progress};
    p->part = xcalloc(l->items + l->chunks + 1, sizeof *p->part);
    if (p->part == NULL)
        return err_memory(e, l->items * sizeof *p->part, "a lesson");
    find_parts(p, l);
    uint32_t at = progress_value(progress, FACT_AT, l->head.id, "", 0);
    bool done = progress_value(progress, FACT_DONE, l->head.id, "", 0) != 0; /* one that is done begins anew */
    size_t begin = !again && !done && at > 1 && at <= p->parts ? at - 1 : 0;
    if (player_goto(p, begin, e) != 0)
        return -1;
    p->resumed = begin > 0;
    return 0;
}

void player_done(struct player *p)
{
    scene_free(p->challenge);
    xfree(p->part);
    *p = (struct player){0};
}

static int next_part(struct player *p, struct err *e)
{
    if (p->at + 1 == p->parts) {
        p->phase = PHASE_OVER;
        return 0;
    }
    return player_goto(p, p->at + 1, e);
}

bool player_may_go_on(const struct player *p)
{
    return p->phase != PHASE_WRONG &&
           ((p->phase != PHASE_ASK && p->phase != PHASE_DO) || p->hints > LESSON_HINTS || p->at < p->reached);
}

bool player_decided(const struct player *p)
{
    return (p->phase == PHASE_WRONG || (p->phase == PHASE_RIGHT && p->told)) && p->grade.step > 0;
}

/* The block that runs next from here; none: all items. */
static size_t coming_block(const struct player *p)
{
    const struct part *part = player_part(p);
    if (part->kind == STOP_ACT)
        return part->item;
    return part->kind == STOP_ASK ? run_deciding_block(p->run, part->item) : p->run->lesson->items;
}

bool player_begins_anew(const struct player *p)
{
    size_t block = coming_block(p);
    if (p->scene == NULL || p->phase == PHASE_ACT || player_decided(p) || block == p->run->lesson->items)
        return false;
    return p->run->scene[p->run->block[block].scene] != p->scene;
}

bool player_ask_again(struct player *p)
{
    if (p->phase != PHASE_WRONG)
        return false;
    struct lesson_env env = part_env(p);
    stand(p, &env);
    p->phase = PHASE_ASK;
    return true;
}

int player_next(struct player *p, struct err *e)
{
    const struct part *part = player_part(p);
    if (p->phase == PHASE_TEXT && part->kind == STOP_ACT) {
        begin_action(p);
        return 0;
    }
    if (p->phase == PHASE_ACT && (p->step != p->limit || p->branch != 0)) {
        p->step = p->limit; /* the rest of the action at once; then a pause */
        p->branch = 0;
        return 0;
    }
    if (player_ask_again(p))
        return 0;
    if (p->phase == PHASE_ASK && p->hints > LESSON_HINTS && p->at >= p->reached)
        return player_reveal(p, e);
    return player_may_go_on(p) ? next_part(p, e) : 1;
}

int player_back(struct player *p, struct err *e)
{
    if (p->phase == PHASE_ACT && has_text(p))
        return player_goto(p, p->at, e);
    return p->at == 0 ? 1 : player_goto(p, p->at - 1, e);
}

/* ---- questions ---------------------------------------------------------------------------------------- */

/* To the very step that decides it. */
static void show_deciding(struct player *p)
{
    if (p->grade.step == 0)
        return;
    p->scene = p->grade.scene;
    p->branch = 0;
    p->step = p->limit = p->grade.step;
}

int player_answer(struct player *p, const char *answer, struct err *e)
{
    struct grade g;
    if (p->phase != PHASE_ASK && p->phase != PHASE_WRONG)
        return 1;
    if (grade_answer(p->run, player_part(p)->item, answer, &g, e) != 0)
        return -1;
    player_ask_again(p);
    p->grade = g;
    snprintf(p->answered, sizeof p->answered, "%.60s", answer);
    p->phase = g.right ? PHASE_RIGHT : PHASE_WRONG;
    p->tries += !g.right;
    if (g.right)
        return progress_note(p->progress, FACT_RIGHT, p->run->lesson->head.id, player_question(p)->id, p->tries + 1, e) == 0
                   ? progress_save(p->progress, e)
                   : -1;
    show_deciding(p);
    return 0;
}

int player_reveal(struct player *p, struct err *e)
{
    struct buf answer = {0};
    struct grade g = {0};
    size_t item = player_part(p)->item;
    if (p->phase != PHASE_ASK && p->phase != PHASE_WRONG)
        return 1;
    int rc = grade_solution(p->run, item, &answer, e);
    if (rc == 0)
        rc = grade_answer(p->run, item, buf_text(&answer), &g, e);
    if (rc == 0) {
        player_ask_again(p);
        p->grade = g;
        p->told = true;
        p->phase = PHASE_RIGHT;
        snprintf(p->answered, sizeof p->answered, "%.60s", buf_text(&answer));
        show_deciding(p);
    }
    buf_free(&answer);
    return rc;
}

bool player_hint(struct player *p)
{
    player_ask_again(p);
    if (p->phase != PHASE_ASK && p->phase != PHASE_DO)
        return false;
    p->hints += p->hints <= LESSON_HINTS;
    return true;
}

int player_solution(const struct player *p, struct buf *out, struct err *e)
{
    const struct question *q = player_question(p);
    char line[400];
    if (q == NULL)
        return err_set(e, "nothing is asked here");
    if (q->kind != ASK_DO)
        return grade_reveal(p->run, player_part(p)->item, out, e);
    for (size_t at = 0, n = 0; solution_line(q, &at, line, sizeof line); n++)
        buf_printf(out, "%s%s", n > 0 ? "; " : "", line);
    return 0;
}

/* ---- challenges --------------------------------------------------------------------------------------- */

static void stand_at_end(struct player *p)
{
    const struct tape *t = runner_tape(p->challenge->runner);
    p->scene = p->challenge;
    p->branch = tape_branch(t);
    p->step = p->limit = tape_length(t, p->branch);
}

int player_restart(struct player *p, struct err *e)
{
    struct lesson_scene *s = challenge_new(p->run, player_question(p), e);
    if (s == NULL)
        return -1;
    scene_free(p->challenge);
    p->challenge = s;
    p->challenges++;
    p->commands = 0;
    p->phase = PHASE_DO;
    stand_at_end(p);
    struct lesson_env env = challenge_env(p->run, s, player_part(p)->item, p->branch, p->step);
    p->first_rid = env_scene(&env).w->head.next_rid;
    return 0;
}

bool player_allows(const struct player *p, const char *command)
{
    char word[40];
    snprintf(word, sizeof word, " %s ", command);
    return p->challenge == NULL || strstr(player_question(p)->allow, word) != NULL;
}

bool player_part_runs(const struct player *p, size_t part)
{
    return part < p->parts && p->part[part].kind == STOP_DO;
}

int player_command(struct player *p, int branch, uint32_t at, const char *line, struct err *e)
{
    const struct question *q = player_question(p);
    uint32_t commands;
    bool reached;
    if (p->challenge == NULL)
        return err_set(e, "no challenge is open");
    if (challenge_allows(q, line, &commands, e) != 0 || runner_act_at(p->challenge->runner, branch, at, e) != 0)
        return -1;
    int rc = challenge_run(p->challenge, line, e);
    if (rc != 0 && p->challenge->ran == 0)
        return -1;
    if (p->phase == PHASE_DO) /* once it is solved, what else is tried says nothing about it */
        p->commands += p->challenge->ran;
    stand_at_end(p);
    struct lesson_env env = challenge_env(p->run, p->challenge, player_part(p)->item, p->branch, p->step);
    struct err not_there = {0}; /* the goal may speak of a request that does not exist yet */
    if (grade_goal(q, &env, &reached, &not_there) != 0)
        reached = false;
    if (!reached || p->phase != PHASE_DO)
        return rc;
    p->phase = PHASE_SOLVED;
    if (progress_note(p->progress, FACT_GOLF, p->run->lesson->head.id, q->id, p->commands, e) != 0 ||
        progress_save(p->progress, e) != 0)
        return -1;
    return rc;
}

/* ---- what is to be read ------------------------------------------------------------------------------- */

struct pieces {
    struct piece *out;
    int n;
};

static struct piece *add_piece(struct pieces *s, const struct prose *prose, struct lesson_env env)
{
    if (s->n == PLAYER_PIECES || (prose != NULL && prose->n == 0))
        return NULL;
    struct piece *one = &s->out[s->n++];
    *one = (struct piece){.prose = prose, .env = env};
    return one;
}

static void add_words(struct pieces *s, bool strong, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void add_words(struct pieces *s, bool strong, const char *fmt, ...)
{
    struct piece *one = add_piece(s, NULL, (struct lesson_env){0});
    if (one == NULL)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(one->words, sizeof one->words, fmt, args);
    va_end(args);
    one->strong = strong;
}

static void add_options(struct pieces *s, const struct question *q)
{
    for (int i = 0; i < q->options; i++)
        add_words(s, false, "%d  %s", i + 1, q->option[i].label);
}

/* A figure of the request whose tokens are asked for; false: it cannot be measured. */
static bool token_figure(const char *call, struct lesson_env env, struct value *out)
{
    struct expr_source x = {"", call, strlen(call), {1, 1}};
    struct err ignored = {0};
    struct expr *parsed = expr_parse(&x, &ignored);
    bool fine = parsed != NULL && expr_eval(parsed, &env, out, &ignored) == 0;
    expr_free(parsed);
    return fine;
}

static bool asks_token(const struct player *p)
{
    const struct question *q = player_question(p);
    return q != NULL && q->kind == ASK_TOKEN;
}

uint32_t player_tokens(const struct player *p)
{
    char call[120];
    struct value n;
    if (!asks_token(p))
        return 0;
    snprintf(call, sizeof call, "prompt(\"%.80s\")", player_question(p)->request);
    return token_figure(call, run_env_decided(p->run, player_part(p)->item), &n) ? (uint32_t)n.number : 0;
}

void player_token(const struct player *p, uint32_t i, struct buf *out)
{
    char call[120];
    struct value v;
    snprintf(call, sizeof call, "token(\"%.80s\", %u)", player_question(p)->request, i);
    bool fine = token_figure(call, run_env_decided(p->run, player_part(p)->item), &v);
    buf_printf(out, "%u:%s", i, fine ? v.text : "?");
}

bool player_token_in(const struct player *p, uint32_t slot, uint32_t *i)
{
    for (uint32_t n = player_tokens(p), k = 0; k < n; k++) {
        char call[120];
        struct value v;
        snprintf(call, sizeof call, "slot_of(\"%.80s\", %u)", player_question(p)->request, k);
        *i = k;
        if (token_figure(call, run_env(p->run, player_part(p)->item), &v) && (uint32_t)v.number == slot)
            return true;
    }
    return false;
}

/* Tokens with their positions, so that one can be named: 0:Where  1: do … */
static void add_tokens(const struct player *p, struct pieces *s)
{
    struct buf b = {0};
    for (uint32_t n = player_tokens(p), i = 0; i < n; i++) {
        buf_puts(&b, i > 0 ? "  " : "");
        player_token(p, i, &b);
    }
    struct piece *one = add_piece(s, NULL, (struct lesson_env){0});
    if (one != NULL) {
        snprintf(one->words, sizeof one->words, "%.390s", buf_text(&b));
        one->tokens = true;
    }
    buf_free(&b);
}

static const char *how_to_answer(enum question_kind kind)
{
    switch (kind) {
    case ASK_CHOOSE: return "Answer with the number of one of these.";
    case ASK_NUMBER: return "Answer with a number.";
    case ASK_NODE: return "Answer with the letter of a node.";
    case ASK_SLOT: return "Answer with the number of a slot.";
    case ASK_TOKEN: return "Answer with the position of a token.";
    case ASK_ORDER: return "Answer with all the numbers in the right order, such as 2 1 3.";
    default: return "";
    }
}

static void add_question(const struct player *p, struct pieces *s)
{
    const struct question *q = player_question(p);
    size_t item = player_part(p)->item;
    struct lesson_env now = run_env(p->run, item);
    struct piece *text = add_piece(s, &q->text, now);
    if (text != NULL)
        text->strong = true;
    add_options(s, q);
    if (q->kind == ASK_TOKEN)
        add_tokens(p, s);
    if (q->kind != ASK_DO && p->phase == PHASE_ASK)
        add_words(s, false, "%s%s", how_to_answer(q->kind), p->at < p->reached ? " (Or go on: you were past this.)" : "");
}

static void add_challenge(const struct player *p, struct pieces *s)
{
    const struct question *q = player_question(p);
    uint32_t best = progress_value(p->progress, FACT_GOLF, p->run->lesson->head.id, q->id, 0);
    char line[40] = "";
    if (best > 0)
        snprintf(line, sizeof line, ", your best %u", best);
    add_words(s, false, "Commands so far: %u (par %u%s). Allowed:%s", p->commands, q->par, line, q->allow);
}

/* "cached(2) >= 30 (now 12)": a part of a goal that does not hold yet, and what is there instead. */
static void add_missing(const struct expr *x, const struct lesson_env *env, struct buf *b)
{
    struct value left, right;
    struct buf now = {0}, wanted = {0};
    buf_printf(b, "%s%s", b->len > 0 ? "; " : "", expr_text(x));
    if (!expr_sides(x, env, &left, &right))
        return; /* it speaks of what is not there yet */
    value_show(&left, "", &now);
    value_show(&right, "", &wanted);
    if (strstr(expr_text(x), buf_text(&wanted)) != NULL)
        buf_printf(b, " (now %s)", now.len > 0 ? buf_text(&now) : "nothing");
    else
        buf_printf(b, " (now %s and %s)", buf_text(&now), buf_text(&wanted));
    buf_free(&now);
    buf_free(&wanted);
}

void player_goal(const struct player *p, struct buf *out)
{
    const struct expr *part[GOAL_PARTS];
    struct buf missing = {0};
    struct lesson_env env = challenge_env(p->run, p->challenge, player_part(p)->item, p->branch, p->step);
    int n = expr_parts(player_question(p)->answer, part, GOAL_PARTS), holding = 0;
    for (int i = 0; i < n; i++) {
        struct err ignored = {0};
        bool holds = false;
        if (expr_truth(part[i], &env, &holds, &ignored) == 0 && holds)
            holding++;
        else
            add_missing(part[i], &env, &missing);
    }
    if (n > 1)
        buf_printf(out, "Of the goal %d of %d hold%s. ", holding, n, holding == 1 ? "s" : "");
    buf_printf(out, "Not yet: %s\n", buf_text(&missing));
    buf_free(&missing);
}

/* What the model said last in this challenge. */
static void add_answer(const struct player *p, struct pieces *s)
{
    struct lesson_env env = challenge_env(p->run, p->challenge, player_part(p)->item, p->branch, p->step);
    const struct world *w = env_scene(&env).w;
    uint32_t rid = 0;
    for (uint32_t r = 1; r < w->head.request_top; r++)
        if (w->request[r].state == REQ_FINISHED && w->request[r].rid >= p->first_rid && w->request[r].rid > rid)
            rid = w->request[r].rid;
    char call[40];
    struct value answer;
    snprintf(call, sizeof call, "answer(%u)", rid);
    if (rid > 0 && runner_settings(p->challenge->runner)->tokens == TOKENS_MODEL && token_figure(call, env, &answer))
        add_words(s, false, "Request %u answers: %.300s", rid, answer.text);
}

/* After a command that did not reach the goal. */
static void add_goal(const struct player *p, struct pieces *s)
{
    struct buf b = {0};
    player_goal(p, &b);
    add_words(s, false, "%.*s", b.len > 390 ? 390 : (int)b.len - 1, buf_text(&b));
    buf_free(&b);
}

/* *fresh: the hint that was asked for last. */
static void add_hints(const struct player *p, struct pieces *s, int *fresh)
{
    const struct question *q = player_question(p);
    struct lesson_env now = run_env(p->run, player_part(p)->item);
    for (int i = 0; i < p->hints && i < LESSON_HINTS; i++) {
        *fresh = s->n;
        add_words(s, true, "Hint %d of %d", i + 1, LESSON_HINTS);
        add_piece(s, &q->hint[i], now);
    }
    if (p->hints <= LESSON_HINTS)
        return;
    *fresh = s->n;
    struct buf b = {0};
    struct err ignored = {0};
    player_solution(p, &b, &ignored);
    add_words(s, true, "The solution: %.380s", buf_text(&b));
    buf_free(&b);
}

/* The verdict, and what the screen shows for it. */
static void add_shown(const struct player *p, struct pieces *s, const char *verdict)
{
    if (p->grade.request > 0)
        add_words(s, true, "%s Shown is the tree in this race, at request %u%s.", verdict, p->grade.request,
                  player_question(p)->decides_request == 0 ? ", the first one that went differently" : "");
    else
        add_words(s, true, "%s%s", verdict, p->grade.step > 0 ? " The step that decides it is shown." : "");
}

static void add_told(const struct player *p, struct pieces *s)
{
    struct buf b = {0};
    char verdict[300];
    struct err ignored = {0};
    player_solution(p, &b, &ignored);
    snprintf(verdict, sizeof verdict, "The answer: %.250s.", buf_text(&b));
    add_shown(p, s, verdict);
    buf_free(&b);
}

static void add_verdict(const struct player *p, struct pieces *s)
{
    const struct question *q = player_question(p);
    struct lesson_env soon = run_env_decided(p->run, player_part(p)->item);
    if (p->phase == PHASE_SOLVED) {
        add_words(s, true, "Solved with %u command%s; par is %u.", p->commands, p->commands == 1 ? "" : "s", q->par);
        soon = challenge_env(p->run, p->challenge, player_part(p)->item, p->branch, p->step);
        add_piece(s, &q->right, soon);
    }
    if (p->phase == PHASE_RIGHT && p->told)
        add_told(p, s);
    else if (p->phase == PHASE_RIGHT)
        add_words(s, true, "Right.");
    if (p->phase == PHASE_RIGHT)
        add_piece(s, &q->right, soon);
    if (p->phase == PHASE_WRONG) {
        add_shown(p, s, "Not so.");
        add_piece(s, p->grade.say, soon);
    }
}

int player_pieces(const struct player *p, struct piece *out, int *fresh)
{
    struct pieces s = {.out = out};
    const struct lesson *l = p->run->lesson;
    const struct part *part = player_part(p);
    if (p->at == 0 || p->part[p->at - 1].chunk != part->chunk)
        add_words(&s, true, "%s", player_chunk(p)->title);
    for (size_t i = part->first; i < part->item; i++)
        if (l->item[i].kind == ITEM_PROSE)
            add_piece(&s, &l->item[i].prose, run_env(p->run, i));
    *fresh = s.n;
    if (player_question(p) == NULL)
        return s.n;
    add_question(p, &s);
    if (part->kind == STOP_DO)
        add_challenge(p, &s);
    if (part->kind == STOP_DO && p->commands > 0)
        add_answer(p, &s);
    if (part->kind == STOP_DO && p->phase == PHASE_DO && p->commands > 0)
        add_goal(p, &s);
    *fresh = s.n;
    add_hints(p, &s, fresh);
    if (p->phase == PHASE_RIGHT || p->phase == PHASE_WRONG || p->phase == PHASE_SOLVED)
        *fresh = s.n;
    add_verdict(p, &s);
    return s.n;
}
