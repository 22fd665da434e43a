#include "lesson/room.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const char MAGIC[] = "radixscope-room";
static const char *const ROLES[] = {[ROOM_FOLLOW] = "follow", [ROOM_NOTES] = "notes"};

/* ---- fields ------------------------------------------------------------------------------------------- */

struct fields {
    const char *at, *end;
    bool bad, open;          /* open: a blank has been read, so there must be another field */
};

/* One blank between fields, none at the ends. */
static void next_field(struct fields *f, const char **word, size_t *n)
{
    *word = f->at;
    const char *stop = memchr(f->at, ' ', (size_t)(f->end - f->at));
    *n = (size_t)((stop != NULL ? stop : f->end) - f->at);
    f->bad |= *n == 0;
    f->at = stop != NULL ? stop + 1 : f->end;
    f->open = stop != NULL;
}

static uint32_t number(struct fields *f, uint32_t most)
{
    const char *word;
    size_t n;
    uint64_t value = 0;
    next_field(f, &word, &n);
    if (n > 10 || (n > 1 && *word == '0'))
        f->bad = true;
    for (size_t i = 0; i < n && i < 10; i++) {
        f->bad |= word[i] < '0' || word[i] > '9';
        value = value * 10 + (uint64_t)(unsigned char)(word[i] - '0') % 10;
    }
    f->bad |= value > most;
    return f->bad ? 0 : (uint32_t)value;
}

/* "-": no scene, "c": the challenge's. */
static int scene_number(struct fields *f)
{
    if (f->end - f->at >= 2 && f->at[1] == ' ' && (*f->at == '-' || *f->at == 'c')) {
        int scene = *f->at == 'c' ? ROOM_CHALLENGE : ROOM_NO_SCENE;
        f->at += 2;
        f->open = true;
        return scene;
    }
    return (int)number(f, LESSON_ITEMS);
}

static bool printable(const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t used = utf8_decode(text + i, n - i, &code);
        if (code == UTF8_BAD || code < ' ' || (code >= 0x7f && code < 0xa0))
            return false;
        i += used;
    }
    return true;
}

/* The rest of the line; it may be empty only where `may`. */
static void rest(struct fields *f, char *out, size_t cap, bool may)
{
    size_t n = (size_t)(f->end - f->at);
    f->bad |= !f->open; /* the blank before it */
    f->open = false;
    f->bad |= n >= cap || (n == 0 && !may) || !printable(f->at, n);
    n = f->bad ? 0 : n;
    memcpy(out, f->at, n);
    out[n] = '\0';
    f->at = f->end;
}

static void name(struct fields *f, char out[40])
{
    const char *word;
    size_t n;
    next_field(f, &word, &n);
    for (size_t i = 0; i < n; i++)
        f->bad |= !islower((unsigned char)word[i]) && !isdigit((unsigned char)word[i]) && word[i] != '-';
    f->bad |= n >= 40;
    n = f->bad ? 0 : n;
    memcpy(out, word, n);
    out[n] = '\0';
}

/* ---- reading ------------------------------------------------------------------------------------------ */

static void read_hello(struct fields *f, struct room_line *l)
{
    for (size_t i = 0; i < ARRAY_LEN(ROLES); i++)
        if ((size_t)(f->end - f->at) == strlen(ROLES[i]) && memcmp(f->at, ROLES[i], strlen(ROLES[i])) == 0) {
            l->kind = ROOM_GUEST;
            l->u.role = (enum room_role)i;
            f->at = f->end;
            f->open = false;
            return;
        }
    l->kind = ROOM_HELLO;
    l->u.hello.session = number(f, UINT32_MAX);
    l->u.hello.seed = number(f, UINT32_MAX);
    l->u.hello.sum = number(f, UINT32_MAX);
    name(f, l->u.hello.id);
}

static void read_place(struct fields *f, struct room_place *p)
{
    p->round = number(f, UINT32_MAX);
    p->part = number(f, 2 * LESSON_ITEMS);
    p->phase = number(f, 15);
    p->hints = number(f, LESSON_HINTS + 1);
    p->tries = number(f, UINT32_MAX);
    p->commands = number(f, UINT32_MAX);
    p->scene = scene_number(f);
    p->branch = (int)number(f, INT32_MAX);
    p->step = number(f, UINT32_MAX);
    p->limit = number(f, UINT32_MAX);
    p->epoch = number(f, UINT32_MAX);
    p->view = number(f, UINT32_MAX);
    p->elapsed = number(f, UINT32_MAX);
    p->aside = number(f, 1) != 0;
    p->open = number(f, 1) != 0;
    p->revealed = number(f, 1) != 0;
    name(f, p->chunk);
    rest(f, p->answer, sizeof p->answer, true);
}

static void read_ran(struct fields *f, struct room_ran *r)
{
    r->seq = number(f, ROOM_RAN);
    r->epoch = number(f, UINT32_MAX);
    r->scene = scene_number(f);
    r->branch = (int)number(f, INT32_MAX);
    r->at = number(f, UINT32_MAX);
    rest(f, r->line, sizeof r->line, false);
    f->bad |= r->seq == 0 || r->scene == ROOM_NO_SCENE;
}

bool room_place_same(const struct room_place *a, const struct room_place *b)
{
    return a->round == b->round && a->part == b->part && a->phase == b->phase && a->hints == b->hints && a->tries == b->tries &&
           a->commands == b->commands && a->scene == b->scene && a->branch == b->branch && a->step == b->step &&
           a->limit == b->limit && a->epoch == b->epoch && a->view == b->view && a->aside == b->aside && a->open == b->open &&
           a->revealed == b->revealed && strcmp(a->chunk, b->chunk) == 0 && strcmp(a->answer, b->answer) == 0;
}

static void read_rest(struct fields *f, const char *word, size_t n, struct room_line *l)
{
    if (n == 2 && memcmp(word, "at", n) == 0) {
        l->kind = ROOM_AT;
        read_place(f, &l->u.place);
    } else if (n == 3 && memcmp(word, "ran", n) == 0) {
        l->kind = ROOM_RAN_LINE;
        read_ran(f, &l->u.ran);
    } else if (n == 5 && memcmp(word, "votes", n) == 0) {
        l->kind = ROOM_VOTES;
        l->u.votes.present = number(f, ROOM_GUESTS);
        l->u.votes.answered = number(f, ROOM_GUESTS);
        l->u.votes.shown = number(f, 1) != 0;
    } else if (n == 4 && memcmp(word, "vote", n) == 0) {
        l->kind = ROOM_VOTE;
        l->u.vote.count = number(f, ROOM_GUESTS);
        rest(f, l->u.vote.text, sizeof l->u.vote.text, true); /* "": the others */
    } else if (n == 6 && memcmp(word, "answer", n) == 0) {
        l->kind = ROOM_ANSWERED;
        l->u.answer.round = number(f, UINT32_MAX);
        rest(f, l->u.answer.text, sizeof l->u.answer.text, false);
    } else if (n == 3 && memcmp(word, "bye", n) == 0) {
        l->kind = ROOM_BYE;
    } else if (n == 5 && memcmp(word, "error", n) == 0) {
        l->kind = ROOM_ERROR;
        rest(f, l->u.error, sizeof l->u.error, false);
    } else {
        f->at = f->end; /* of a later version */
        f->open = false;
    }
}

int room_read(const char *line, size_t n, struct room_line *out, struct err *e)
{
    struct fields f = {.at = line, .end = line + n};
    const char *word;
    size_t len;
    memset(out, 0, sizeof *out);
    if (n >= ROOM_LINE)
        return err_set(e, "a line of a classroom is longer than %d bytes", ROOM_LINE - 1);
    next_field(&f, &word, &len);
    if (len == strlen(MAGIC) && memcmp(word, MAGIC, len) == 0) {
        uint32_t version = number(&f, UINT32_MAX);
        if (!f.bad && version != ROOM_VERSION)
            return err_set(e, "the other side speaks version %u of the classroom's lines, this program version %d", version,
                           ROOM_VERSION);
        read_hello(&f, out);
    } else {
        read_rest(&f, word, len, out);
    }
    if (!f.bad && !f.open && f.at == f.end)
        return 0;
    memset(out, 0, sizeof *out);
    return err_set(e, "a line of a classroom cannot be understood");
}

/* ---- writing ------------------------------------------------------------------------------------------ */

static void put_scene(int scene, struct buf *out)
{
    if (scene < 0)
        buf_puts(out, scene == ROOM_CHALLENGE ? "c" : "-");
    else
        buf_printf(out, "%d", scene);
}

static void write_place(const struct room_place *p, struct buf *out)
{
    buf_printf(out, "at %u %u %u %u %u %u ", p->round, p->part, p->phase, p->hints, p->tries, p->commands);
    put_scene(p->scene, out);
    buf_printf(out, " %d %u %u %u %u %u %d %d %d %s %s", p->branch, p->step, p->limit, p->epoch, p->view, p->elapsed, p->aside,
               p->open, p->revealed, p->chunk, p->answer);
}

void room_write(const struct room_line *l, struct buf *out)
{
    switch (l->kind) {
    case ROOM_HELLO:
        buf_printf(out, "%s %d %u %u %u %s", MAGIC, ROOM_VERSION, l->u.hello.session, l->u.hello.seed, l->u.hello.sum,
                   l->u.hello.id);
        break;
    case ROOM_GUEST: buf_printf(out, "%s %d %s", MAGIC, ROOM_VERSION, ROLES[l->u.role]); break;
    case ROOM_AT: write_place(&l->u.place, out); break;
    case ROOM_RAN_LINE:
        buf_printf(out, "ran %u %u ", l->u.ran.seq, l->u.ran.epoch);
        put_scene(l->u.ran.scene, out);
        buf_printf(out, " %d %u %s", l->u.ran.branch, l->u.ran.at, l->u.ran.line);
        break;
    case ROOM_VOTES: buf_printf(out, "votes %u %u %d", l->u.votes.present, l->u.votes.answered, l->u.votes.shown); break;
    case ROOM_VOTE: buf_printf(out, "vote %u %s", l->u.vote.count, l->u.vote.text); break;
    case ROOM_ANSWERED: buf_printf(out, "answer %u %s", l->u.answer.round, l->u.answer.text); break;
    case ROOM_BYE: buf_puts(out, "bye"); break;
    case ROOM_ERROR: buf_printf(out, "error %s", l->u.error); break;
    default: return;
    }
    buf_putc(out, '\n');
}

/* ---- bytes to lines ----------------------------------------------------------------------------------- */

size_t room_reader_room(struct room_reader *r, char **to)
{
    memmove(r->bytes, r->bytes + r->from, r->n - r->from);
    r->n -= r->from;
    r->from = 0;
    *to = r->bytes + r->n;
    return sizeof r->bytes - r->n;
}

void room_reader_came(struct room_reader *r, size_t n)
{
    ASSERT(n <= sizeof r->bytes - r->n);
    r->n += n;
}

int room_reader_line(struct room_reader *r, const char **line, size_t *n)
{
    const char *begin = r->bytes + r->from, *end = memchr(begin, '\n', r->n - r->from);
    if (end == NULL)
        return r->n - r->from == sizeof r->bytes ? -1 : 0;
    *line = begin;
    *n = (size_t)(end - begin);
    r->from += *n + 1;
    return 1;
}

/* ---- answers ------------------------------------------------------------------------------------------ */

static int answer_node(const char *word, char *out, struct err *e)
{
    char *end;
    unsigned long id = strtoul(word, &end, 10);
    bool digits = isdigit((unsigned char)*word) && *end == '\0';
    if (digits && id >= 1 && id <= 26)
        snprintf(out, ROOM_ANSWER, "%c", (char)('A' + id - 1));
    else if (digits && id < UINT32_MAX)
        snprintf(out, ROOM_ANSWER, "%lu", id);
    else if (isalpha((unsigned char)*word) && word[1] == '\0')
        snprintf(out, ROOM_ANSWER, "%c", toupper((unsigned char)*word));
    else if (strcmp(word, "root") == 0)
        snprintf(out, ROOM_ANSWER, "root");
    else
        return err_set(e, "the answer must be the letter of a node, not '%.40s'", word);
    return 0;
}

/* The numbers 1 to q->options, each once; "213" where they have one digit. */
static int answer_order(const struct question *q, const char *word, char *out, struct err *e)
{
    bool used[LESSON_OPTIONS] = {false};
    bool packed = q->options < 10 && (int)strspn(word, "0123456789") == q->options && word[q->options] == '\0';
    int n = 0, len = 0;
    for (const char *c = word; *c != '\0'; n++) {
        char *end;
        long k = packed ? *c - '0' : strtol(c, &end, 10);
        const char *behind = packed ? c + 1 : end;
        if (behind == c || k < 1 || k > q->options || used[k - 1])
            return err_set(e, "an order is the numbers 1 to %d, each once, such as 2 1 …", q->options);
        used[k - 1] = true;
        len += snprintf(out + len, (size_t)(ROOM_ANSWER - len), "%s%ld", n > 0 ? " " : "", k);
        c = behind + strspn(behind, " ,");
    }
    return n == q->options ? 0 : err_set(e, "there are %d things to be put in order, not %d", q->options, n);
}

int room_answer(const struct question *q, const char *answer, char out[ROOM_ANSWER], struct err *e)
{
    char word[ROOM_ANSWER], *end;
    size_t n = strlen(answer += strspn(answer, " \t"));
    while (n > 0 && isspace((unsigned char)answer[n - 1]))
        n--;
    if (n == 0 || n >= sizeof word || !printable(answer, n))
        return err_set(e, n == 0 ? "the answer is empty" : "this is no answer");
    memcpy(word, answer, n);
    word[n] = '\0';
    if (q->kind == ASK_DO)
        return err_set(e, "a challenge is solved by commands, not by an answer");
    if (q->kind == ASK_NODE)
        return answer_node(word, out, e);
    if (q->kind == ASK_ORDER)
        return answer_order(q, word, out, e);
    double value = strtod(word, &end);
    if (*end != '\0' || !isfinite(value))
        return err_set(e, "the answer must be a number, not '%.40s'", word);
    if (q->kind == ASK_CHOOSE && (value != floor(value) || value < 1 || value > q->options))
        return err_set(e, "the answer is a number from 1 to %d", q->options);
    snprintf(out, ROOM_ANSWER, "%.15g", value + 0.0); /* -0 is 0 */
    return 0;
}

void room_tally_add(struct room_tally *t, const char *answer)
{
    t->answered++;
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->one[i].text, answer) == 0) {
            t->one[i].count++;
            return;
        }
    if (t->n == ROOM_DIFFERENT) {
        t->others++;
        return;
    }
    snprintf(t->one[t->n].text, ROOM_ANSWER, "%.*s", ROOM_ANSWER - 1, answer);
    t->one[t->n++].count = 1;
}

void room_tally_sort(struct room_tally *t)
{
    for (int i = 1; i < t->n; i++)
        for (int k = i; k > 0; k--) {
            bool before = t->one[k].count > t->one[k - 1].count ||
                          (t->one[k].count == t->one[k - 1].count && strcmp(t->one[k].text, t->one[k - 1].text) < 0);
            if (!before)
                break;
            struct { uint32_t count; char text[ROOM_ANSWER]; } other;
            memcpy(&other, &t->one[k], sizeof other);
            t->one[k] = t->one[k - 1];
            memcpy(&t->one[k - 1], &other, sizeof other);
        }
}

bool room_carries(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && n < ROOM_TEXT && printable(text, n);
}

uint32_t room_sum(const char *text, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * 16777619u;
    return h;
}
