/* The file: front matter, chunks, blocks. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "lesson/lesson.h"
#include "script/nearest.h"

/* ---- places, slices ----------------------------------------------------------------------------------- */

struct place lesson_place(const struct lesson *l, size_t at)
{
    struct place here = {1, 1};
    for (size_t i = 0; i < at && i < l->len; i++) {
        here.column++;
        if (l->source[i] == '\n')
            here = (struct place){here.line + 1, 1};
    }
    return here;
}

static int fail_at(const struct lesson *l, size_t at, struct err *e, const char *what)
{
    return place_fail(l->name, lesson_place(l, at), e, "%s", what);
}

static struct slice trim(struct slice s)
{
    while (s.from < s.to && isspace((unsigned char)s.l->source[s.from]))
        s.from++;
    while (s.to > s.from && isspace((unsigned char)s.l->source[s.to - 1]))
        s.to--;
    return s;
}

char *slice_copy(struct slice s, struct err *e)
{
    s = trim(s);
    char *text = xmalloc(s.to - s.from + 1);
    if (text == NULL) {
        err_memory(e, s.to - s.from, "a lesson's text");
        return NULL;
    }
    memcpy(text, s.l->source + s.from, s.to - s.from);
    text[s.to - s.from] = '\0';
    return text;
}

struct expr *slice_expr(struct slice s, struct err *e)
{
    s = trim(s);
    struct expr_source x = {s.l->name, s.l->source + s.from, s.to - s.from, lesson_place(s.l, s.from)};
    return expr_parse(&x, e);
}

static size_t line_end(const struct lesson *l, size_t at)
{
    while (at < l->len && l->source[at] != '\n')
        at++;
    return at;
}

static size_t next_line(const struct lesson *l, size_t at)
{
    at = line_end(l, at);
    return at < l->len ? at + 1 : at;
}

static bool line_begins(const struct lesson *l, size_t at, const char *with)
{
    size_t n = strlen(with);
    return l->len - at >= n && memcmp(l->source + at, with, n) == 0;
}

/* ---- front matter ------------------------------------------------------------------------------------- */

enum { HEAD_ID, HEAD_NUMBER, HEAD_TITLE, HEAD_MINUTES, HEAD_NEEDS, HEAD_OBJECTIVES, HEAD_FIELDS };
static const char *const HEAD_NAMES[] = {"id", "number", "title", "minutes", "needs", "objectives"};

static bool is_id(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '-')
            return false;
    return *text != '\0' && strlen(text) < 40 && islower((unsigned char)*text);
}

static int head_number(const struct lesson *l, size_t at, const char *value, uint32_t *out, struct err *e)
{
    char *end;
    unsigned long n = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end != '\0' || n > 999)
        return fail_at(l, at, e, "this must be a whole number below 1000");
    *out = (uint32_t)n;
    return 0;
}

static int head_needs(const struct lesson *l, size_t at, char *value, struct lesson_head *h, struct err *e)
{
    char *rest = NULL;
    size_t begin = at;
    for (char *word = strtok_r(value, ", ", &rest); word != NULL; word = strtok_r(NULL, ", ", &rest)) {
        at = begin + (size_t)(word - value);
        if (!is_id(word))
            return fail_at(l, at, e, "needs names lessons by their ids, such as: needs: kv-cache, split");
        if (h->needs_n == LESSON_NEEDS)
            return fail_at(l, at, e, "a lesson needs at most 8 others");
        h->need_at[h->needs_n] = lesson_place(l, at);
        snprintf(h->needs[h->needs_n++], sizeof h->needs[0], "%s", word);
    }
    return 0;
}

static int head_text(const struct lesson *l, size_t at, const char *value, char *out, size_t n, struct err *e)
{
    if (*value == '\0' || strlen(value) >= n)
        return fail_at(l, at, e, *value == '\0' ? "this field is empty" : "this text is too long");
    snprintf(out, n, "%s", value);
    return 0;
}

static int head_field(const struct lesson *l, size_t at, int field, char *value, struct lesson_head *h, struct err *e)
{
    switch (field) {
    case HEAD_ID:
        if (!is_id(value))
            return fail_at(l, at, e, "an id is small letters, digits and hyphens, such as two-prompts");
        return head_text(l, at, value, h->id, sizeof h->id, e);
    case HEAD_NUMBER: return head_number(l, at, value, &h->number, e);
    case HEAD_TITLE: return head_text(l, at, value, h->title, sizeof h->title, e);
    case HEAD_MINUTES: return head_number(l, at, value, &h->minutes, e);
    case HEAD_NEEDS: return head_needs(l, at, value, h, e);
    default: return *value == '\0' ? 0 : fail_at(l, at, e, "objectives stand below, one a line, each behind \"- \"");
    }
}

static int head_objective(const struct lesson *l, size_t at, const char *value, struct lesson_head *h, struct err *e)
{
    if (h->objectives == LESSON_OBJECTIVES)
        return fail_at(l, at, e, "a lesson has at most 8 objectives");
    return head_text(l, at, value, h->objective[h->objectives++], sizeof h->objective[0], e);
}

static int find_field(const char *word)
{
    for (int i = 0; i < HEAD_FIELDS; i++)
        if (strcmp(word, HEAD_NAMES[i]) == 0)
            return i;
    return -1;
}

static int unknown_field(const struct lesson *l, size_t at, const char *word, struct err *e)
{
    struct nearest near = {0};
    for (int i = 0; i < HEAD_FIELDS; i++)
        nearest_try(&near, word, HEAD_NAMES[i]);
    place_fail(l->name, lesson_place(l, at), e, "the front matter has no field '%.40s'", word);
    return near.name != NULL ? err_hint(e, "did you mean %s?", near.name)
                             : err_hint(e, "fields: id, number, title, minutes, needs, objectives");
}

static int head_line(const struct lesson *l, size_t at, char *line, struct lesson_head *h, unsigned *seen, struct err *e)
{
    size_t n = strcspn(line, ":");
    line[strcspn(line, "\r")] = '\0';
    if (strncmp(line, "- ", 2) == 0 || strncmp(line, "  - ", 4) == 0) {
        if ((*seen & 1u << HEAD_OBJECTIVES) == 0)
            return fail_at(l, at, e, "a line with \"- \" belongs below objectives:");
        return head_objective(l, at, strchr(line, '-') + 2, h, e);
    }
    if (line[strspn(line, " \t")] == '\0')
        return 0;
    if (line[n] != ':')
        return fail_at(l, at, e, "the front matter holds lines such as  title: Two prompts, one split");
    line[n] = '\0';
    int field = find_field(line);
    if (field < 0)
        return unknown_field(l, at, line, e);
    if ((*seen & 1u << field) != 0)
        return fail_at(l, at, e, "this field is there twice");
    *seen |= 1u << field;
    char *value = line + n + 1 + strspn(line + n + 1, " ");
    for (size_t k = strlen(value); k > 0 && value[k - 1] == ' '; k--)
        value[k - 1] = '\0';
    return head_field(l, at + (size_t)(value - line), field, value, h, e);
}

/* Returns the bytes of the front matter, 0 on failure. */
static size_t parse_head(const struct lesson *l, struct lesson_head *h, struct err *e)
{
    unsigned seen = 0;
    size_t at = next_line(l, 0);
    *h = (struct lesson_head){0};
    if (!line_begins(l, 0, "---") || line_end(l, 0) > 4) {
        fail_at(l, 0, e, "a lesson begins with a line --- and its front matter");
        return 0;
    }
    for (;; at = next_line(l, at)) {
        char line[400];
        size_t n = line_end(l, at) - at;
        if (at >= l->len) {
            fail_at(l, at, e, "the front matter has no closing ---: is the file cut off?");
            return 0;
        }
        if (line_begins(l, at, "---"))
            break;
        if (n >= sizeof line) {
            fail_at(l, at, e, "this line of the front matter is too long");
            return 0;
        }
        memcpy(line, l->source + at, n);
        line[n] = '\0';
        if (head_line(l, at, line, h, &seen, e) != 0)
            return 0;
    }
    for (int i = 0; i < HEAD_FIELDS; i++)
        if ((seen & 1u << i) == 0 && i != HEAD_NUMBER && i != HEAD_NEEDS) {
            place_fail(l->name, lesson_place(l, at), e, "the front matter has no %s", HEAD_NAMES[i]);
            return 0;
        }
    for (int i = 0; i < h->needs_n; i++)
        if (strcmp(h->needs[i], h->id) == 0) {
            place_fail(l->name, h->need_at[i], e, "a lesson cannot need itself");
            return 0;
        }
    if (h->objectives == 0) {
        fail_at(l, at, e, "the front matter has no objectives: say what a learner can do afterwards");
        return 0;
    }
    return next_line(l, at);
}

size_t lesson_read_head(const char *name, const char *text, size_t len, struct lesson_head *out, struct err *e)
{
    struct lesson view = {.name = (char *)(uintptr_t)name, .source = (char *)(uintptr_t)text, .len = len}; /* read only */
    return parse_head(&view, out, e);
}

/* ---- items -------------------------------------------------------------------------------------------- */

static struct item *add_item(struct lesson *l, enum item_kind kind, size_t at, struct err *e)
{
    void *grown = l->item;
    bool room = l->items < LESSON_ITEMS && xgrow(&grown, &l->items_cap, l->items + 1, sizeof *l->item);
    l->item = grown;
    if (!room) {
        l->items < LESSON_ITEMS ? err_memory(e, 64, "a lesson") : fail_at(l, at, e, "a lesson has at most 400 paragraphs and blocks");
        return NULL;
    }
    struct item *i = &l->item[l->items++];
    *i = (struct item){.kind = kind, .chunk = (uint32_t)l->chunks - 1, .at = lesson_place(l, at)};
    l->chunk[l->chunks - 1].items++;
    return i;
}

static bool blank(const struct lesson *l, size_t from, size_t to)
{
    struct slice s = trim((struct slice){l, from, to});
    return s.from == s.to;
}

static int add_prose(struct lesson *l, size_t from, size_t to, struct err *e)
{
    if (from >= to || blank(l, from, to))
        return 0;
    if (l->chunks == 0)
        return fail_at(l, from, e, "a lesson's text begins with a heading: ## Title {#id}");
    struct item *i = add_item(l, ITEM_PROSE, from, e);
    return i == NULL ? -1 : prose_parse((struct slice){l, from, to}, &i->prose, e);
}

static int parse_heading(struct lesson *l, size_t at, struct err *e)
{
    size_t end = line_end(l, at), brace = at;
    while (brace < end && !line_begins(l, brace, "{#"))
        brace++;
    if (brace == end || l->source[end - 1] != '}')
        return fail_at(l, at, e, "a heading names its chunk: ## Title {#id}");
    void *grown = l->chunk;
    bool room = l->chunks < LESSON_CHUNKS && xgrow(&grown, &l->chunks_cap, l->chunks + 1, sizeof *l->chunk);
    l->chunk = grown;
    if (!room)
        return fail_at(l, at, e, "a lesson has at most 64 chunks");
    struct chunk *c = &l->chunk[l->chunks++];
    *c = (struct chunk){.at = lesson_place(l, at), .first = l->items};
    c->title = slice_copy((struct slice){l, at + 2, brace}, e);
    c->id = slice_copy((struct slice){l, brace + 2, end - 1}, e);
    if (c->title == NULL || c->id == NULL)
        return -1;
    if (!is_id(c->id) || c->title[0] == '\0')
        return fail_at(l, brace, e, "a chunk has a title, and an id of small letters, digits and hyphens: ## Title {#id}");
    for (size_t i = 0; i + 1 < l->chunks; i++)
        if (strcmp(l->chunk[i].id, c->id) == 0)
            return fail_at(l, brace, e, "another chunk has this id");
    return 0;
}

/* ---- blocks ------------------------------------------------------------------------------------------- */

/* A fenced block: its words, its inside. */
struct fence {
    size_t at, from, to, after;
    char word[5][64];
    int words;
};

static int read_fence(const struct lesson *l, size_t at, struct fence *f, struct err *e)
{
    *f = (struct fence){.at = at, .from = next_line(l, at)};
    for (size_t i = at + 3; i < line_end(l, at);) {
        size_t n = 0, end = line_end(l, at);
        while (i + n < end && !isspace((unsigned char)l->source[i + n]))
            n++;
        if (n > 0 && (f->words == 5 || n >= sizeof f->word[0]))
            return fail_at(l, i, e, "a block's first line has too many or too long words");
        if (n > 0) {
            memcpy(f->word[f->words], l->source + i, n);
            f->word[f->words++][n] = '\0';
        }
        i += n + 1;
    }
    for (f->to = f->from; !line_begins(l, f->to, "```"); f->to = next_line(l, f->to))
        if (f->to >= l->len)
            return fail_at(l, at, e, "this block has no closing ```: is the file cut off?");
    f->after = next_line(l, f->to);
    return 0;
}

static bool name_taken(const struct lesson *l, const char *name)
{
    for (size_t i = 0; i + 1 < l->items; i++) {
        const struct item *o = &l->item[i];
        if ((o->name != NULL && strcmp(o->name, name) == 0) || (o->question != NULL && strcmp(o->question->id, name) == 0))
            return true;
    }
    return false;
}

static int take_name(struct lesson *l, struct item *i, const struct fence *f, const char *name, struct err *e)
{
    if (*name != '\0' && i->kind != ITEM_FILE && !is_id(name))
        return fail_at(l, f->at, e, "a block's name is small letters, digits and hyphens");
    if (*name != '\0' && name_taken(l, name))
        return place_fail(l->name, lesson_place(l, f->at), e, "another block or question has the name %s", name);
    i->name = xstrdup(name);
    return i->name != NULL ? 0 : err_memory(e, 64, "a lesson");
}

static int parse_rxs(struct lesson *l, struct item *i, const struct fence *f, struct err *e)
{
    bool fresh = f->words > 1 && strcmp(f->word[f->words - 1], "fresh") == 0;
    if (f->words - fresh > 2)
        return fail_at(l, f->at, e, "expected ```rxs NAME, or ```rxs NAME fresh");
    if (take_name(l, i, f, f->words - fresh == 2 ? f->word[1] : "", e) != 0)
        return -1;
    i->script = script_parse(l->name, i->text, strlen(i->text), lesson_place(l, f->from).line, e);
    if (i->script == NULL)
        return -1;
    i->begins = fresh;
    for (uint32_t k = 0; k < i->script->count; k++)
        i->begins |= script_info(i->script->command[k].kind)->role == ROLE_SETTING;
    return i->script->count > 0 ? 0 : fail_at(l, f->at, e, "this block has no commands");
}

static int parse_claim(struct lesson *l, struct item *i, size_t from, size_t to, struct err *e)
{
    void *grown = i->claim;
    size_t cap = i->claims; /* few: each takes its room when it comes */
    bool room = xgrow(&grown, &cap, i->claims + 1, sizeof *i->claim);
    i->claim = grown;
    if (!room)
        return err_memory(e, 64, "a lesson");
    struct claim *c = &i->claim[i->claims++];
    *c = (struct claim){0};
    size_t equal = from;
    if (i->kind == ITEM_LET) {
        while (equal < to && l->source[equal] != '=')
            equal++;
        if (equal == to)
            return fail_at(l, from, e, "expected NAME = FIGURE");
        c->name = slice_copy((struct slice){l, from, equal}, e);
        if (c->name == NULL)
            return -1;
        if (!is_id(c->name) || strchr(c->name, '-') != NULL)
            return fail_at(l, from, e, "a name is small letters and digits");
        from = equal + 1;
    }
    c->expr = slice_expr((struct slice){l, from, to}, e);
    return c->expr != NULL ? 0 : -1;
}

/* One expression a line; # begins a comment line. */
static int parse_claims(struct lesson *l, struct item *i, const struct fence *f, struct err *e)
{
    for (size_t at = f->from; at < f->to; at = next_line(l, at)) {
        struct slice line = trim((struct slice){l, at, line_end(l, at)});
        if (line.from < line.to && l->source[line.from] != '#' && parse_claim(l, i, line.from, line.to, e) != 0)
            return -1;
    }
    return i->claims > 0 ? 0 : fail_at(l, f->at, e, "this block is empty");
}

static int parse_named(struct lesson *l, struct item *i, const struct fence *f, struct err *e)
{
    if (f->words != 2)
        return fail_at(l, f->at, e, i->kind == ITEM_RUN ? "expected ```run NAME" : "expected ```file NAME");
    if (i->kind == ITEM_FILE && (strchr(f->word[1], '/') != NULL || f->word[1][0] == '.' || f->word[1][0] == '-'))
        return fail_at(l, f->at, e, "a file's name holds no / and begins with a letter");
    return take_name(l, i, f, f->word[1], e);
}

static int parse_ask(struct lesson *l, struct item *i, const struct fence *f, struct err *e)
{
    if (f->words != 3 || !is_id(f->word[2]))
        return fail_at(l, f->at, e, "expected ```ask KIND id, with an id of small letters, digits and hyphens");
    if (name_taken(l, f->word[2]))
        return place_fail(l->name, lesson_place(l, f->at), e, "another block or question has the name %s", f->word[2]);
    i->question = question_parse((struct slice){l, f->from, f->to}, f->word[1], f->word[2], lesson_place(l, f->at), e);
    return i->question != NULL ? 0 : -1;
}

static const struct block_kind {
    const char *word;
    enum item_kind kind;
} BLOCKS[] = {{"rxs", ITEM_RXS}, {"expect", ITEM_EXPECT}, {"let", ITEM_LET},    {"run", ITEM_RUN},
              {"file", ITEM_FILE}, {"ask", ITEM_ASK},     {"notes", ITEM_NOTES}};

static const struct block_kind *find_kind(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(BLOCKS); i++)
        if (strcmp(word, BLOCKS[i].word) == 0)
            return &BLOCKS[i];
    return NULL;
}

static int unknown_block(struct lesson *l, const struct fence *f, struct err *e)
{
    struct nearest near = {0};
    for (size_t i = 0; i < ARRAY_LEN(BLOCKS); i++)
        nearest_try(&near, f->word[0], BLOCKS[i].word);
    place_fail(l->name, lesson_place(l, f->at), e, "a lesson has no blocks called %s", f->word[0]);
    return near.name != NULL ? err_hint(e, "did you mean %s?", near.name)
                             : err_hint(e, "blocks: rxs, expect, let, run, file, ask, notes, text");
}

static int parse_block(struct lesson *l, const struct fence *f, struct err *e)
{
    const struct block_kind *kind = find_kind(f->word[0]);
    if (kind == NULL)
        return unknown_block(l, f, e);
    if (l->chunks == 0)
        return fail_at(l, f->at, e, "a lesson's text begins with a heading: ## Title {#id}");
    struct item *i = add_item(l, kind->kind, f->at, e);
    if (i == NULL)
        return -1;
    size_t n = f->to - f->from;
    i->text = xmalloc(n + 1);
    if (i->text == NULL)
        return err_memory(e, n, "a lesson");
    memcpy(i->text, l->source + f->from, n);
    i->text[n] = '\0';
    switch (kind->kind) {
    case ITEM_RXS: return parse_rxs(l, i, f, e);
    case ITEM_EXPECT:
    case ITEM_LET: return parse_claims(l, i, f, e);
    case ITEM_RUN:
    case ITEM_FILE: return parse_named(l, i, f, e);
    case ITEM_ASK: return parse_ask(l, i, f, e);
    default: return prose_parse((struct slice){l, f->from, f->to}, &i->prose, e);
    }
}

/* ---- the body ----------------------------------------------------------------------------------------- */

static int parse_body(struct lesson *l, size_t from, struct err *e)
{
    size_t begin = from;
    for (size_t at = from; at < l->len;) {
        struct fence f = {0};
        bool fenced = line_begins(l, at, "```"), heading = line_begins(l, at, "## ");
        if (fenced && read_fence(l, at, &f, e) != 0)
            return -1;
        if (fenced && (f.words == 0 || strcmp(f.word[0], "text") == 0)) {
            at = f.after; /* part of the prose */
            continue;
        }
        if (!fenced && !heading) {
            at = next_line(l, at);
            continue;
        }
        if (add_prose(l, begin, at, e) != 0 || (heading ? parse_heading(l, at, e) : parse_block(l, &f, e)) != 0)
            return -1;
        begin = at = heading ? next_line(l, at) : f.after;
    }
    return add_prose(l, begin, l->len, e);
}

/* What must be true of every lesson. */
static int check_whole(struct lesson *l, struct err *e)
{
    if (l->chunks < 2 || strcmp(l->chunk[l->chunks - 1].id, "sheet") != 0) {
        fail_at(l, l->len, e, "the last chunk must be the sheet: ## Title {#sheet}");
        return err_hint(e, "is the file cut off?");
    }
    for (size_t i = 0; i < l->items; i++)
        if (l->item[i].chunk + 1 == l->chunks && l->item[i].kind != ITEM_PROSE && l->item[i].kind != ITEM_NOTES)
            return place_fail(l->name, l->item[i].at, e, "the sheet is text alone: no commands, no questions");
    return 0;
}

static int check_utf8(const struct lesson *l, struct err *e)
{
    uint32_t code;
    for (size_t at = 0, n; at < l->len; at += n) {
        n = utf8_decode(l->source + at, l->len - at, &code);
        if (code == UTF8_BAD || (code < ' ' && code != '\n' && code != '\t' && code != '\r'))
            return fail_at(l, at, e, "this byte is no text: a lesson is UTF-8");
    }
    return 0;
}

struct lesson *lesson_parse(const char *name, const char *text, size_t len, struct err *e)
{
    struct lesson *l = xcalloc(1, sizeof *l);
    size_t body;
    if (l == NULL || (l->name = xstrdup(name)) == NULL || (l->source = xmalloc(len + 1)) == NULL) {
        err_memory(e, len, "a lesson");
        lesson_free(l);
        return NULL;
    }
    memcpy(l->source, text, len);
    l->source[len] = '\0';
    l->len = len;
    if (len > LESSON_BYTES)
        err_set(e, "%.100s: a lesson has at most %d bytes, not %zu", name, LESSON_BYTES, len);
    else if (check_utf8(l, e) == 0 && (body = parse_head(l, &l->head, e)) != 0 && parse_body(l, body, e) == 0 &&
             check_whole(l, e) == 0)
        return l;
    lesson_free(l);
    return NULL;
}

struct lesson *lesson_load(const char *path, struct err *e)
{
    char *text;
    size_t len;
    if (file_read(path, LESSON_BYTES + 1, &text, &len, e) != 0)
        return NULL;
    struct lesson *l = lesson_parse(path, text, len, e);
    xfree(text);
    return l;
}

size_t lesson_find_block(const struct lesson *l, const char *name)
{
    size_t i = 0;
    while (i < l->items && (l->item[i].kind != ITEM_RXS || strcmp(l->item[i].name, name) != 0))
        i++;
    return i;
}

static void item_done(struct item *i)
{
    xfree(i->name);
    xfree(i->text);
    prose_free(&i->prose);
    script_free(i->script);
    for (size_t k = 0; k < i->claims; k++) {
        xfree(i->claim[k].name);
        expr_free(i->claim[k].expr);
    }
    xfree(i->claim);
    question_free(i->question);
}

void lesson_free(struct lesson *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->items; i++)
        item_done(&l->item[i]);
    for (size_t i = 0; i < l->chunks; i++) {
        xfree(l->chunk[i].title);
        xfree(l->chunk[i].id);
    }
    xfree(l->item);
    xfree(l->chunk);
    xfree(l->name);
    xfree(l->source);
    xfree(l);
}
