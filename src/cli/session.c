#include "cli/session.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/inside.h"
#include "base/xalloc.h"
#include "script/nearest.h"
#include "script/script.h"
#include "tape/algorithm.h"
#include "tape/lockstep.h"
#include "tape/why.h"
#include "ui/series.h"
#include "tape/serving.h"
#include "ui/source.h"
#include "ui/view_compare.h"

/*  X(ENUM, "word", "short", "operand", "help") */
#define SESSION_COMMANDS(X)                                                                                  \
    X(NEXT, "next", "n", "[op|request|KIND]", "one step forward, or to the next operation, request or kind") \
    X(BACK, "back", "b", "[op|request|KIND]", "the same backwards")                                          \
    X(OP, "op", "o", "", "to the next operation")                                                            \
    X(REQUEST, "request", "r", "", "to the next request (with a text: run a new one; of a trace, with a number: to it)") \
    X(OUT, "out", "", "", "to the end of this operation; again: of its request")              \
    X(OUT_BACK, "outback", "", "", "to where this operation began; again: its request")         \
    X(FIND, "find", "f", "KIND", "to the next step of a kind, such as evict_node")                           \
    X(FIRST, "first", "", "", "to before the first step")                                                    \
    X(LAST, "last", "", "", "to the last step")                                                              \
    X(GOTO, "goto", "g", "STEP", "to a step by its number; the number alone will do")                                                  \
    X(WHY, "why", "w", "[STEP]", "what made this step happen")                                               \
    X(CODE, "code", "", "", "the numbered algorithm and the lines of C that did this step")                           \
    X(NUMBERS, "numbers", "", "", "hit rate, tokens saved and computed, slots: before this step and after it")             \
    X(QUEUE, "queue", "", "", "of a schedule: the waiting queue with reasons, the batch, the metrics")            \
    X(BRANCH, "branch", "", "[NUMBER]", "the same moment in another branch; alone: which there are")            \
    X(COMPARE, "compare", "c", "[NUMBER]", "this history beside another branch, or the run of rerun")        \
    X(STATE, "state", "", "", "one line with which `radixscope play` opens this scene at this step")          \
    X(FORWARD, "forward", "", "[LAYER]", "the forward pass of this step, layer by layer")                    \
    X(ATTENTION, "attention", "", "[LAYER [HEAD]]", "whom every token of this pass attends to")             \
    X(LOGITS, "logits", "", "", "the best next tokens after this pass")                                      \
    X(LENS, "lens", "", "SLOT [LAYER [HEAD]]", "the floats of K and V behind a slot, and who reads them")    \
    X(PROOF, "proof", "", "[REQUEST] [exact|fast]", "a request with the cache and without, layer by layer")  \
    X(REACH, "reach", "", "", "whom the row reaches that was spoiled last (poison, share)")                  \
    X(SHOW, "show", "s", "", "the tree, the slots and the requests as text")                                 \
    X(HELP, "help", "?", "", "this list")                                                                    \
    X(QUIT, "quit", "q", "", "leave")

enum session_command {
#define X(id, ...) DO_##id,
    SESSION_COMMANDS(X)
#undef X
    DO_COUNT
};

static const struct {
    const char *word, *brief, *operand, *help;
} COMMANDS[DO_COUNT] = {
#define X(id, word, brief, operand, help) [DO_##id] = {word, brief, operand, help},
    SESSION_COMMANDS(X)
#undef X
};

static int find_command(const char *word)
{
    for (int i = 0; i < DO_COUNT; i++)
        if (strcmp(word, COMMANDS[i].word) == 0 || (*word != '\0' && strcmp(word, COMMANDS[i].brief) == 0))
            return i;
    return -1;
}

static void show_help(struct buf *out)
{
    for (int i = 0; i < DO_COUNT; i++)
        buf_printf(out, "  %-8s %-2s %-18s %s\n", COMMANDS[i].word, COMMANDS[i].brief, COMMANDS[i].operand,
                   COMMANDS[i].help);
    buf_puts(out, "  Anything else is a command of the script language, run from this step:\n   ");
    for (int k = 0; k < RXS_COUNT; k++)
        if (script_info((enum script_kind)k)->role == ROLE_ACTION)
            buf_printf(out, " %s", script_info((enum script_kind)k)->name);
    buf_putc(out, '\n');
}

/* ---- moving ------------------------------------------------------------------------------------------- */

static void stand(struct session *s, uint32_t at, struct buf *out)
{
    struct cursor *c = &s->plain.cursor;
    cursor_seek(c, c->branch, at);
    if (c->at == 0)
        buf_puts(out, "0   Before the first step.\n");
    else
        plain_step(&s->plain, c->at, out);
}

static int unknown_kind(const char *kind, struct err *e)
{
    struct nearest near = {0};
    for (unsigned k = 0; k < EV_COUNT; k++)
        nearest_try(&near, kind, event_info(k)->name);
    err_set(e, "'%.60s' is no kind of step", kind);
    if (near.name != NULL)
        err_hint(e, "did you mean %s?", near.name);
    return -1;
}

static int move(struct session *s, int dir, const char *what, struct buf *out, struct err *e)
{
    struct cursor *c = &s->plain.cursor;
    uint32_t end = tape_length(c->tape, c->branch), to;
    if (*what == '\0')
        to = dir > 0 ? c->at + 1 : c->at - (c->at > 0);
    else if (strcmp(what, "op") == 0 || strcmp(what, "request") == 0)
        to = tape_find_depth(c->tape, c->branch, c->at, dir, *what == 'o' ? DEPTH_OPERATION : DEPTH_REQUEST);
    else if (strcmp(what, "out") == 0)
        to = (dir > 0 ? tape_out : tape_out_back)(c->tape, c->branch, c->at);
    else {
        int kind = event_find(what);
        if (kind < 0)
            return unknown_kind(what, e);
        to = tape_find_kind(c->tape, c->branch, c->at, dir, kind);
        if (to == 0)
            return err_set(e, "there is no %s %s step %u", what, dir > 0 ? "after" : "before", c->at);
    }
    if (dir > 0 && c->at == end)
        return err_set(e, "this is the last step");
    stand(s, to, out);
    return 0;
}

static int go_to(struct session *s, const char *number, struct buf *out, struct err *e)
{
    const struct cursor *c = &s->plain.cursor;
    char *end;
    unsigned long n = strtoul(number, &end, 10);
    uint32_t last = tape_length(c->tape, c->branch);
    if (*number < '0' || *number > '9' || *end != '\0' || n > last)
        return err_set(e, "goto needs a step from 0 to %u, not '%.40s'", last, number);
    stand(s, (uint32_t)n, out);
    return 0;
}

static int go_to_request(struct session *s, const char *number, struct buf *out, struct err *e)
{
    const struct cursor *c = &s->plain.cursor;
    char *end;
    unsigned long rid = strtoul(number, &end, 10);
    bool good = *number >= '0' && *number <= '9' && *end == '\0' && rid > 0 && rid < UINT32_MAX;
    uint32_t at = good ? tape_find_request(c->tape, c->branch, (uint32_t)rid) : 0;
    if (at == 0)
        return err_set(e, "there is no request '%.40s' among these steps", number);
    stand(s, at, out);
    return 0;
}

static int why(struct session *s, const char *number, struct buf *out, struct err *e)
{
    struct cursor *c = &s->plain.cursor;
    struct cause causes[CAUSES];
    char *end = NULL;
    unsigned long n = *number != '\0' ? strtoul(number, &end, 10) : c->at;
    uint32_t last = tape_length(c->tape, c->branch);
    if ((*number != '\0' && (*number < '0' || *number > '9' || end == NULL || *end != '\0')) || n == 0 || n > last)
        return err_set(e, "why needs a step from 1 to %u, not '%.40s'", last, *number != '\0' ? number : "0");
    int count = why_chain(c, &s->plain.words.said, (uint32_t)n, causes);
    for (int i = 0; i < count; i++)
        buf_printf(out, "  step %u: %s\n", causes[i].step, causes[i].text);
    if (count == 0)
        buf_printf(out, "  step %lu has no other cause than its operation\n", n);
    return 0;
}

/* The lines of the program that did this step. */
static int code(struct session *s, struct buf *out, struct err *e)
{
    const struct cursor *c = &s->plain.cursor;
    struct step step, op;
    if (c->at == 0)
        return err_set(e, "before the first step nothing has run");
    tape_step(c->tape, c->branch, c->at, &step);
    uint32_t n = tape_operation(c->tape, c->branch, c->at);
    tape_step(c->tape, c->branch, n != 0 ? n : c->at, &op);
    char label[ALGORITHM_LABEL];
    algorithm_step(&step, &op, label);
    if (*label == '\0')
        return err_set(e, "step %u (%s) is none of the numbered steps of the radix tree", c->at, event_info(step.kind)->name);
    source_tell(label, event_info(op.kind)->name, out);
    return 0;
}

static void number_line(struct buf *out, const char *name, uint64_t was, uint64_t now, const char *unit)
{
    buf_printf(out, "  %-16s %llu%s", name, (unsigned long long)now, unit);
    if (was != now)
        buf_printf(out, " (before this step: %llu%s)", (unsigned long long)was, unit);
    buf_putc(out, '\n');
}

/* What the numbers' view shows, for this step. */
static int numbers(struct session *s, struct buf *out, struct err *e)
{
    struct cursor *c = &s->plain.cursor;
    uint32_t at = c->at;
    struct series *all = xcalloc(1, sizeof *all);
    struct numbers n[2] = {{{0}, false}, {{0}, false}};
    if (all == NULL)
        return err_memory(e, sizeof *all, "the numbers");
    series_read(all, c->tape, c->branch, at);
    for (uint32_t i = 0; i < 2 && at > 0 && all->read == at; i++) {
        n[i] = series_sums(all, c->tape, at - 1 + i);
        cursor_seek(c, c->branch, at - 1 + i);
        numbers_slots(cursor_scene(c).w, &n[i]);
    }
    for (unsigned k = 0; k < NUM_COUNT; k++)
        number_line(out, numbers_name(k), numbers_value(&n[0], k), numbers_value(&n[1], k), k == 0 ? " %" : "");
    buf_printf(out, "  %llu of %llu tokens that were looked for stood in the tree\n",
               (unsigned long long)n[1].n[NUM_FOUND], (unsigned long long)n[1].n[NUM_LOOKED]);
    series_done(all);
    xfree(all);
    return 0;
}

static void queue_line(void *ctx, enum serving_style style, const char *text)
{
    buf_printf(ctx, "%s %s\n", style == SERVING_HERE ? ">" : " ", text);
}

/* What the queue's view shows, for this step. */
static int queue(struct session *s, struct buf *out)
{
    const struct cursor *c = &s->plain.cursor;
    struct step step = {.kind = EV_COUNT};
    if (c->at > 0)
        tape_step(c->tape, c->branch, c->at, &step);
    serving_tell(cursor_scene(c), c->at > 0 ? event_about(step.kind, step.arg, 'r') : 0, queue_line, out);
    return 0;
}

/* ---- branches ------------------------------------------------------------------------------------------- */

static void list_branches(const struct session *s, struct buf *out)
{
    const struct cursor *c = &s->plain.cursor;
    for (int b = 0; b < tape_branches(c->tape); b++) {
        buf_printf(out, "%c branch %d, %u steps: ", b == c->branch ? '>' : ' ', b + 1, tape_length(c->tape, b));
        lockstep_origin((struct history){c->tape, b}, &s->plain.words.said, out);
        buf_putc(out, '\n');
    }
}

/* The branch that a person means by its number, from 1. */
static int read_branch(const struct session *s, const char *number, int *branch, struct err *e)
{
    char *end;
    long n = strtol(number, &end, 10);
    int most = tape_branches(s->plain.cursor.tape);
    if (*number == '\0' || *end != '\0' || n < 1 || n > most)
        return err_set(e, "there are branches 1 to %d, not '%.40s'", most, number);
    *branch = (int)n - 1;
    return 0;
}

static int go_branch(struct session *s, const char *number, struct buf *out, struct err *e)
{
    struct cursor *c = &s->plain.cursor;
    int branch;
    if (*number == '\0') {
        list_branches(s, out);
        return 0;
    }
    if (read_branch(s, number, &branch, e) != 0)
        return -1;
    cursor_seek(c, branch, c->at);
    stand(s, c->at, out);
    return 0;
}

/* What stands on the right: the branch that is named, else the other run, else the branch this one left, else the last. */
static int choose_right(struct session *s, const char *number, struct ui_history *right, struct err *e)
{
    const struct cursor *c = &s->plain.cursor;
    *right = (struct ui_history){.tape = c->tape, .words = s->plain.words};
    if (*number != '\0')
        return read_branch(s, number, &right->branch, e);
    if (s->other != NULL && s->other(s->ctx, right))
        return 0;
    int parent = tape_parent(c->tape, c->branch, NULL), last = tape_branches(c->tape) - 1;
    right->branch = parent >= 0 ? parent : last;
    return right->branch != c->branch ? 0
                                      : err_set(e, "there is one branch: a command, rest or rerun at an earlier step makes another");
}

static int compare(struct session *s, const char *number, struct buf *out, struct err *e)
{
    const struct cursor *c = &s->plain.cursor;
    struct ui_history right;
    struct lockstep k;
    if (choose_right(s, number, &right, e) != 0)
        return -1;
    if (lockstep_open(&k, (struct history){c->tape, c->branch}, (struct history){right.tape, right.branch}, e) != 0)
        return -1;
    while (!lockstep_read(&k, UINT32_MAX))
        ;
    compare_text(&k, &s->plain.words, &right.words, right.why, c->at, out);
    lockstep_done(&k);
    return 0;
}

static int state(struct session *s, struct buf *out, struct err *e)
{
    struct ui_place place = {.branch = s->plain.cursor.branch, .at = s->plain.cursor.at};
    if (s->state == NULL)
        return err_set(e, "this is a recording: its file and the number of the step say where you are");
    int rc = s->state(s->ctx, &place, out, e);
    buf_putc(out, '\n');
    return rc;
}

int session_go(struct session *s, int branch, uint32_t at, struct buf *out, struct err *e)
{
    const struct tape *t = s->plain.cursor.tape;
    if (branch >= tape_branches(t) || at > tape_length(t, branch))
        return err_set(e, "this run has no step %u on branch %d", at, branch + 1);
    cursor_seek(&s->plain.cursor, branch, at);
    stand(s, at, out);
    return 0;
}

/* Run a line of the script language from here and show the steps it made. */
static int act(struct session *s, const char *line, struct buf *out, struct err *e)
{
    struct cursor *c = &s->plain.cursor;
    if (s->act == NULL) {
        err_set(e, "'%.60s' is not understood", line);
        return err_hint(e, "help lists the commands; a recording has no engine to run others");
    }
    uint32_t from = tape_length(c->tape, c->branch), branches = (uint32_t)tape_branches(c->tape);
    int rc = s->act(s->ctx, c->branch, c->at, line, e);
    int branch = tape_branch(c->tape);
    if ((uint32_t)tape_branches(c->tape) > branches) {
        tape_parent(c->tape, branch, &from);
        buf_printf(out, "# a new branch, %d, from step %u on\n", branch + 1, from);
    }
    cursor_seek(c, branch, from);
    for (uint32_t n = from + 1; n <= tape_length(c->tape, branch); n++)
        plain_step(&s->plain, n, out);
    return rc;
}

static int serve(struct session *s, enum session_command command, const char *rest, struct buf *out, struct err *e)
{
    switch (command) {
    case DO_NEXT: return move(s, 1, rest, out, e);
    case DO_BACK: return move(s, -1, rest, out, e);
    case DO_OP: return move(s, 1, "op", out, e);
    case DO_REQUEST: return move(s, 1, "request", out, e);
    case DO_OUT: return move(s, 1, "out", out, e);
    case DO_OUT_BACK: return move(s, -1, "out", out, e);
    case DO_FIND: return *rest == '\0' ? err_set(e, "find needs a kind of step") : move(s, 1, rest, out, e);
    case DO_FIRST: stand(s, 0, out); return 0;
    case DO_LAST: stand(s, UINT32_MAX, out); return 0;
    case DO_GOTO: return go_to(s, rest, out, e);
    case DO_WHY: return why(s, rest, out, e);
    case DO_CODE: return code(s, out, e);
    case DO_QUEUE: return queue(s, out);
    case DO_NUMBERS: return numbers(s, out, e);
    case DO_BRANCH: return go_branch(s, rest, out, e);
    case DO_COMPARE: return compare(s, rest, out, e);
    case DO_STATE: return state(s, out, e);
    case DO_FORWARD: return inside_forward(s, rest, out, e);
    case DO_ATTENTION: return inside_attention(s, rest, out, e);
    case DO_LOGITS: return inside_logits(s, out, e);
    case DO_LENS: return inside_lens(s, rest, out, e);
    case DO_PROOF: return inside_proof(s, rest, out, e);
    case DO_REACH: return inside_reach(s, out, e);
    case DO_SHOW: plain_scene(cursor_scene(&s->plain.cursor), &s->plain.words, out); return 0;
    case DO_HELP: show_help(out); return 0;
    default: return 0;
    }
}

/* One line: a session's command, or a script's. "request TEXT" is the script's. */
static int one_line(struct session *s, char *line, bool *quit, struct buf *out, struct err *e)
{
    line += strspn(line, " \t");
    line[strcspn(line, "\r\n")] = '\0';
    if (*line == '\0')
        return 0;
    size_t n = strcspn(line, " \t");
    char word[16] = "";
    memcpy(word, line, n < sizeof word ? n : 0);
    char *rest = line + n + strspn(line + n, " \t");
    int command = find_command(word);
    if (n > 0 && strspn(line, "0123456789") == n && *rest == '\0') { /* a bare number is a step */
        command = DO_GOTO;
        rest = line;
    }
    *quit = command == DO_QUIT;
    if (s->act == NULL && command == DO_REQUEST && *rest != '\0')
        return go_to_request(s, rest, out, e);
    if (command < 0 || (command == DO_REQUEST && *rest != '\0'))
        return act(s, line, out, e);
    return serve(s, (enum session_command)command, rest, out, e);
}

static int answer(struct buf *out, const struct err *e, struct err *fatal)
{
    if (e->set)
        buf_printf(out, "! %s%s%s\n", e->what, e->hint[0] != '\0' ? "; " : "", e->hint);
    if (cli_print(out, fatal) != 0)
        return -1;
    return cli_flush(fatal);
}

int session_run(struct session *s, FILE *in, struct err *e)
{
    char *line = NULL;
    size_t cap = 0;
    bool quit = false;
    int rc = 0;
    while (rc == 0 && !quit) {
        fputs("> ", stdout);
        fflush(stdout);
        if (getline(&line, &cap, in) < 0)
            break;
        struct buf out = {0};
        struct err said = {0};
        one_line(s, line, &quit, &out, &said);
        rc = answer(&out, &said, e);
    }
    free(line); /* getline's, not ours */
    if (!quit)
        fputc('\n', stdout);
    return rc;
}
