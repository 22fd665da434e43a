#include "tape/recording.h"

#include <stdatomic.h>
#include <string.h>
#include <zstd.h>

#include "base/file.h"
#include "base/quote.h"
#include "base/xalloc.h"
#include "tape/recording_check.h"
#include "tape/tape_io.h"

/* The frame of a file (docs/rxt.md). Everything is little-endian, as is every machine we build on. */
struct frame {
    char magic[8];
    uint32_t version, flags;
    uint64_t raw, packed;   /* bytes of the body before and after compression */
    uint64_t checksum;      /* FNV-1a of the packed body */
};

_Static_assert(sizeof(struct frame) == 40, "the frame is written as it stands");
_Static_assert(sizeof(struct step_record) == 12 && sizeof(struct run_record) == 8, "written as they stand");

static const char MAGIC[8] = {'R', 'X', 'T', 'A', 'P', 'E', '\x1a', '\n'};

enum {
    PACK_LEVEL = 3,
    MOST_RAW = 1 << 30,     /* a recording is at most 1 GiB unpacked */
    TEXTS = 5,
    CONFIG_FLAGS = 5,       /* bits of the configuration that mean something */
};

/* One entry of the table of token texts. */
struct token_text {
    uint32_t id, at, len;   /* of bytes */
};

struct recording {
    struct tape *tape;
    char *text[TEXTS];      /* owned; title, mode, model, script, program; NULL: not given */
    struct token_text *token; /* (tokens) by id */
    uint32_t tokens;
    char *bytes;            /* of all tokens */
    struct recorded_kv kv;
};

static const char *const TEXT_TAGS[TEXTS] = {"TITL", "MODE", "MODL", "SCRI", "PROG"};

/* What the layout of a world and of observations is: recordings name words by their number. */
static const uint32_t LAYOUT[] = {WORLD_WORDS, sizeof(struct head) / 4, WORLD_NODES, sizeof(struct node) / 4,
                                  WORLD_REQUESTS, sizeof(struct request) / 4, WORLD_SLOTS, WORLD_ROWS, WORLD_TAGS,
                                  WORLD_SESSIONS, WORLD_CLOSED, sizeof(struct obs_candidate), sizeof(struct obs_logit)};

static uint64_t fnv1a(const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * UINT64_C(1099511628211);
    return h;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static void put32(struct buf *b, uint32_t v)
{
    buf_add(b, &v, sizeof v);
}

/* A section is tag, length, bytes. Returns where the length goes. */
static size_t begin_section(struct buf *b, const char *tag)
{
    uint64_t unknown = 0;
    buf_add(b, tag, 4);
    buf_add(b, &unknown, sizeof unknown);
    return b->len - sizeof unknown;
}

static void end_section(struct buf *b, size_t at)
{
    uint64_t len = b->len - at - sizeof len;
    if (!b->failed)
        memcpy(b->data + at, &len, sizeof len);
}

static void put_section(struct buf *b, const char *tag, const void *bytes, size_t n)
{
    size_t at = begin_section(b, tag);
    buf_add(b, bytes, n);
    end_section(b, at);
}

static void put_config(struct buf *b, const struct tape *t, int branches, int current)
{
    const struct world_config *c = &t->cfg;
    size_t at = begin_section(b, "CONF");
    put32(b, c->pool);
    put32(b, c->page_size);
    put32(b, c->policy);
    put32(b, c->rules);
    put32(b, (uint32_t)c->bigram | (uint32_t)c->disabled << 1 | (uint32_t)c->no_finished_insert << 2 |
             (uint32_t)c->need_sort << 3 | (uint32_t)c->sessions << 4 | (uint32_t)c->bug << 8);
    put32(b, (uint32_t)branches);
    put32(b, (uint32_t)current);
    for (size_t i = 0; i < ARRAY_LEN(LAYOUT); i++)
        put32(b, LAYOUT[i]);
    end_section(b, at);
}

static void put_kinds(struct buf *b)
{
    size_t at = begin_section(b, "KIND");
    for (unsigned k = 0; k < EV_COUNT; k++) {
        const struct event_info *info = event_info(k);
        buf_add(b, info->name, strlen(info->name) + 1);
        buf_add(b, info->args, strlen(info->args) + 1);
    }
    end_section(b, at);
}

static void put_names(struct buf *b, const struct store *s)
{
    size_t at = begin_section(b, "NAME");
    for (uint32_t i = 0; i < s->name_count; i++)
        buf_add(b, s->name[i], strlen(s->name[i]) + 1);
    end_section(b, at);
}

/* The tokens that a reader may ask about, as a set of bits. */
struct token_set {
    uint64_t *bit;          /* 2^32 of them, touched where needed */
    uint32_t top;           /* one more than the largest */
    const struct world *w;  /* while steps are visited */
};

enum { SET_BYTES = 1 << 29 };

static void set_add(struct token_set *set, uint32_t id)
{
    if (id >= NO_TOKEN)
        return;
    set->bit[id / 64] |= UINT64_C(1) << (id % 64);
    if (id >= set->top)
        set->top = id + 1;
}

static void add_row_tokens(void *ctx, uint32_t word, uint32_t count)
{
    struct token_set *set = ctx;
    uint32_t first = (uint32_t)(set->w->row_token - set->w->word);
    for (uint32_t i = word; i < word + count; i++)
        if (i >= first && i - first < WORLD_ROWS)
            set_add(set, set->w->word[i]);
}

static void add_step_tokens(struct token_set *set, const struct cursor *c)
{
    struct step step;
    struct observation o;
    tape_step(c->tape, c->branch, c->at, &step);
    for (int i = 0; i < step.nargs; i++)
        if (event_arg_type(step.kind, i) == 't')
            set_add(set, step.arg[i]);
    tape_changes(c->tape, c->branch, c->at, add_row_tokens, set);
    for (uint32_t i = 0; tape_observation(c->tape, c->branch, c->at, i, &o); i++)
        for (size_t k = 0; o.kind == OBS_LOGITS && k < o.bytes / sizeof(struct obs_logit); k++)
            set_add(set, ((const struct obs_logit *)o.data)[k].token);
}

static int collect_tokens(const struct tape *t, struct token_set *set, struct err *e)
{
    struct cursor c;
    set->bit = xreserve(SET_BYTES);
    if (set->bit == NULL)
        return err_memory(e, SET_BYTES, "the tokens of a recording");
    if (cursor_init(&c, t, e) != 0)
        return -1;
    set->w = c.w;
    for (uint32_t i = 0; i < t->store->token_top; i++)
        set_add(set, t->store->token[i]);
    for (int branch = 0; branch < tape_branches(t); branch++) {
        uint32_t base = 0, end = tape_length(t, branch);
        tape_parent(t, branch, &base);
        for (uint32_t n = base + 1; n <= end; n++) {
            cursor_seek(&c, branch, n);
            add_step_tokens(set, &c);
        }
    }
    cursor_done(&c);
    return 0;
}

static void add_answer_tokens(struct token_set *set, const struct answer *a)
{
    for (uint32_t i = 0; i < a->effect.count; i++) {
        set_add(set, a->effect.request[i].clean);
        set_add(set, a->effect.request[i].spoiled);
    }
}

static int put_token_texts(struct buf *b, const struct tape *t, const struct recording_info *info, struct err *e)
{
    struct token_set set = {0};
    int rc = info->bytes != NULL ? collect_tokens(t, &set, e) : 0;
    for (uint32_t i = 0; rc == 0 && info->bytes != NULL && info->kv != NULL && i < info->kv->answers; i++)
        add_answer_tokens(&set, &info->kv->answer[i].a);
    size_t at = begin_section(b, "TEXT");
    struct buf text = {0};
    for (uint32_t word = 0; rc == 0 && word < (set.top + 63) / 64; word++) {
        for (uint32_t k = 0; set.bit[word] >> k != 0; k++) {
            if ((set.bit[word] >> k & 1) == 0)
                continue;
            buf_clear(&text);
            info->bytes(info->ctx, word * 64 + k, &text);
            put32(b, word * 64 + k);
            put32(b, (uint32_t)text.len);
            buf_add(b, buf_text(&text), text.len);
            if (k == 63)
                break;
        }
    }
    b->failed = b->failed || text.failed;
    buf_free(&text);
    end_section(b, at);
    xunreserve(set.bit, SET_BYTES);
    return rc;
}

/* Steps (from, to] of branch b, with their runs and words counted from 0 again. */
struct slice {
    const struct branch *b;
    uint32_t from, to;      /* indices in its pile of steps */
};

/* Where the runs and words of the first n steps end. */
static struct step_record end_of(const struct branch *b, uint32_t n)
{
    struct step_record none = {0};
    return n == 0 ? none : *(const struct step_record *)pile_at(&b->steps, n - 1);
}

static struct step_record slice_begin(const struct slice *s)
{
    return end_of(s->b, s->from);
}

static struct step_record slice_end(const struct slice *s)
{
    return end_of(s->b, s->to);
}

static void put_pile(struct buf *b, const struct pile *p, uint32_t from, uint32_t to)
{
    while (from < to) { /* a chunk at a time: they are not neighbours */
        uint32_t n = (1u << PILE_SHIFT) - (from & ((1u << PILE_SHIFT) - 1));
        n = n < to - from ? n : to - from;
        buf_add(b, pile_at(p, from), n * p->size);
        from += n;
    }
}

static void put_observations(struct buf *b, const struct slice *s)
{
    uint32_t seen = atomic_load(&s->b->obs_length);
    for (uint32_t i = 0; i < seen; i++) {
        const struct obs_record *o = pile_at(&s->b->obs, i);
        if (o->step - s->b->base <= s->from || o->step - s->b->base > s->to)
            continue;
        put32(b, o->step);
        put32(b, o->kind);
        put32(b, o->bytes);
        buf_add(b, o->data, o->bytes);
    }
}

/* One branch made of slices of one or more. */
static void put_branch(struct buf *b, int parent, uint32_t base, const struct slice *slice, int slices)
{
    uint32_t steps = 0, runs = 0, words = 0;
    for (int i = 0; i < slices; i++) {
        steps += slice[i].to - slice[i].from;
        runs += slice_end(&slice[i]).run_end - slice_begin(&slice[i]).run_end;
        words += slice_end(&slice[i]).word_end - slice_begin(&slice[i]).word_end;
    }
    size_t at = begin_section(b, "BRCH");
    put32(b, (uint32_t)parent);
    put32(b, base);
    put32(b, steps);
    put32(b, runs);
    put32(b, words);
    runs = words = 0;
    for (int i = 0; i < slices; i++) {
        struct step_record start = slice_begin(&slice[i]), end = slice_end(&slice[i]);
        for (uint32_t n = slice[i].from; n < slice[i].to; n++) {
            struct step_record s = *(struct step_record *)pile_at(&slice[i].b->steps, n);
            s.run_end = s.run_end - start.run_end + runs;
            s.word_end = s.word_end - start.word_end + words;
            buf_add(b, &s, sizeof s);
        }
        runs += end.run_end - start.run_end;
        words += end.word_end - start.word_end;
    }
    for (int i = 0; i < slices; i++)
        put_pile(b, &slice[i].b->runs, slice_begin(&slice[i]).run_end, slice_end(&slice[i]).run_end);
    for (int i = 0; i < slices; i++)
        put_pile(b, &slice[i].b->words, slice_begin(&slice[i]).word_end, slice_end(&slice[i]).word_end);
    for (int i = 0; i < slices; i++)
        put_observations(b, &slice[i]);
    end_section(b, at);
}

/* A branch from its very first step, as if it had never left its parents. */
static int put_flat(struct buf *b, const struct tape *t, int branch, struct err *e)
{
    int depth = 1;
    for (int i = branch; t->branch[i]->parent >= 0; i = t->branch[i]->parent)
        depth++;
    struct slice *slice = xcalloc((size_t)depth, sizeof *slice);
    if (slice == NULL)
        return err_memory(e, (size_t)depth * sizeof *slice, "a recording");
    uint32_t to = tape_length(t, branch);
    for (int i = branch, k = depth - 1; k >= 0; i = t->branch[i]->parent, k--) {
        const struct branch *one = t->branch[i];
        slice[k] = (struct slice){one, 0, to > one->base ? to - one->base : 0};
        to = to < one->base ? to : one->base;
    }
    put_branch(b, -1, 0, slice, depth);
    xfree(slice);
    return 0;
}

static int put_branches(struct buf *b, const struct tape *t, int branch, struct err *e)
{
    if (branch >= 0)
        return put_flat(b, t, branch, e);
    for (int i = 0; i < tape_branches(t); i++) {
        const struct branch *one = t->branch[i];
        struct slice slice = {one, 0, tape_length(t, i) - one->base};
        put_branch(b, one->parent, one->base, &slice, 1);
    }
    return 0;
}

static int put_kv(struct buf *b, const struct tape *t, const struct recording_kv *kv, struct err *e)
{
    size_t at = begin_section(b, "KVRW");
    if (recording_put_rows(b, t, kv, e) != 0)
        return -1;
    end_section(b, at);
    at = begin_section(b, "PROV");
    recording_put_answers(b, kv);
    end_section(b, at);
    return 0;
}

static int put_body(struct buf *b, const struct tape *t, const struct recording_info *info, struct err *e)
{
    const char *text[TEXTS] = {info->title, info->mode, info->model, info->script, info->program};
    const struct store *s = t->store;
    bool all = info->branch < 0;
    put_config(b, t, all ? tape_branches(t) : 1, all ? tape_branch(t) : 0);
    for (int i = 0; i < TEXTS; i++)
        if (text[i] != NULL)
            put_section(b, TEXT_TAGS[i], text[i], strlen(text[i]));
    put_kinds(b);
    put_names(b, s);
    put_section(b, "TOKN", s->token, (size_t)s->token_top * 4);
    put_section(b, "VALU", s->value, (size_t)s->value_top * 4);
    if (put_token_texts(b, t, info, e) != 0 || put_branches(b, t, info->branch, e) != 0)
        return -1;
    if (info->kv != NULL && put_kv(b, t, info->kv, e) != 0)
        return -1;
    put_section(b, "DONE", NULL, 0);
    if (b->failed)
        return err_memory(e, b->len, "a recording");
    if (b->len > MOST_RAW)
        return err_set(e, "this history%s takes %zu MB: a recording holds at most %d",
                       info->kv != NULL ? " with its KV rows" : "", b->len >> 20, MOST_RAW >> 20);
    return 0;
}

static int pack_body(const struct buf *body, struct buf *out, struct err *e)
{
    size_t bound = ZSTD_compressBound(body->len);
    char *packed = xmalloc(bound);
    if (packed == NULL)
        return err_memory(e, bound, "packing a recording");
    size_t n = ZSTD_compress(packed, bound, body->data, body->len, PACK_LEVEL);
    int rc = ZSTD_isError(n) ? err_set(e, "the recording cannot be packed: %s", ZSTD_getErrorName(n)) : 0;
    if (rc == 0) {
        struct frame f = {.version = RECORDING_VERSION, .raw = body->len, .packed = n};
        memcpy(f.magic, MAGIC, sizeof MAGIC);
        f.checksum = fnv1a(packed, n);
        buf_add(out, &f, sizeof f);
        buf_add(out, packed, n);
        if (out->failed)
            rc = err_memory(e, n, "a recording");
    }
    xfree(packed);
    return rc;
}

int recording_pack(const struct tape *t, const struct recording_info *info, struct buf *out, struct err *e)
{
    struct buf body = {0};
    int rc = put_body(&body, t, info, e);
    if (rc == 0)
        rc = pack_body(&body, out, e);
    buf_free(&body);
    return rc;
}

int recording_save(const char *path, const struct tape *t, const struct recording_info *info, struct err *e)
{
    struct buf b = {0};
    int rc = recording_pack(t, info, &b, e);
    if (rc == 0)
        rc = file_write(path, b.data, b.len, e);
    buf_free(&b);
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

struct reader {
    const char *name;       /* the file's */
    const char *at, *end;
    struct recording *r;
    uint16_t kind[256];     /* its kinds in our numbers */
    uint32_t kinds;
    uint32_t branches, current, branches_read;
    bool configured, done;
    struct err *e;
};

static int damaged(struct reader *r, const char *what)
{
    return err_set(r->e, "%s is damaged: %s", r->name, what);
}

static bool get(struct reader *r, void *to, size_t n)
{
    if ((size_t)(r->end - r->at) < n)
        return false;
    memcpy(to, r->at, n);
    r->at += n;
    return true;
}

static bool get32(struct reader *r, uint32_t *v)
{
    return get(r, v, sizeof *v);
}

static size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

static int read_config(struct reader *r)
{
    struct world_config c = {0};
    uint32_t flags, layout[ARRAY_LEN(LAYOUT)];
    if (r->configured || !get32(r, &c.pool) || !get32(r, &c.page_size) || !get32(r, &c.policy) ||
        !get32(r, &c.rules) || !get32(r, &flags) || !get32(r, &r->branches) || !get32(r, &r->current) ||
        !get(r, layout, sizeof layout))
        return damaged(r, "its configuration is cut off");
    if (layout[0] == WORLD_WORDS_UNSCHEDULED)
        layout[0] = WORLD_WORDS; /* what was added since begins behind all that it names */
    if (memcmp(layout, LAYOUT, sizeof LAYOUT) != 0)
        return err_set(r->e, "%s was made by a version of radixscope that lays its world out differently", r->name);
    if ((flags & 0xff) >> CONFIG_FLAGS != 0 || flags >> 16 != 0) /* it ran under rules that we do not have */
        return damaged(r, "its configuration has a flag that nobody knows");
    if (r->branches == 0 || r->branches > TAPE_BRANCHES || r->current >= r->branches)
        return damaged(r, "the number of its branches");
    c.bigram = flags & 1;
    c.disabled = flags >> 1 & 1;
    c.no_finished_insert = flags >> 2 & 1;
    c.need_sort = flags >> 3 & 1;
    c.sessions = flags >> 4 & 1;
    c.bug = (uint8_t)(flags >> 8);
    r->configured = true;
    struct err inner = {0};
    r->r->tape = tape_new(&c, &inner);
    return r->r->tape != NULL ? 0 : err_set(r->e, "%s cannot be opened: %s", r->name, inner.what);
}

/* The next NUL-terminated string of a section; NULL at its end or when none ends. */
static const char *next_string(struct reader *r)
{
    const char *start = r->at, *nul = left(r) > 0 ? memchr(start, '\0', left(r)) : NULL;
    if (nul == NULL)
        return NULL;
    r->at = nul + 1;
    return start;
}

static int read_kinds(struct reader *r)
{
    const char *name, *args;
    while ((name = next_string(r)) != NULL) {
        args = next_string(r);
        int kind = event_find(name);
        if (args == NULL || r->kinds == ARRAY_LEN(r->kind))
            return damaged(r, "its table of events");
        if (kind < 0 || strcmp(event_info((unsigned)kind)->args, args) != 0)
            return err_set(r->e, "%s has an event '%.40s' that this version of radixscope does not know", r->name,
                           name);
        r->kind[r->kinds++] = (uint16_t)kind;
    }
    return left(r) == 0 ? 0 : damaged(r, "its table of events");
}

static int read_names(struct reader *r)
{
    struct store *s = tape_store(r->r->tape);
    const char *name = next_string(r); /* number 0 is no name; it stands in every store */
    if (name == NULL || *name != '\0')
        return damaged(r, "its names");
    for (uint32_t i = 1; (name = next_string(r)) != NULL; i++) {
        uint32_t number = store_intern(s, name);
        if (number == UINT32_MAX)
            return store_refused(s, "a name", r->e);
        if (number != i)
            return damaged(r, "a name is there twice");
    }
    return left(r) == 0 ? 0 : damaged(r, "its names");
}

static int read_units(struct reader *r, uint32_t *to, uint32_t *top)
{
    size_t n = left(r) / 4;
    if (left(r) % 4 != 0 || n > STORE_UNITS || *top != 0)
        return damaged(r, "its store");
    get(r, to, n * 4);
    *top = (uint32_t)n;
    return 0;
}

static int read_token_texts(struct reader *r)
{
    struct recording *rec = r->r;
    size_t cap = 0;
    struct buf bytes = {0};
    uint32_t id, len;
    if (rec->bytes != NULL)
        return damaged(r, "its texts stand twice");
    while (left(r) > 0) {
        void *grown = rec->token;
        if (!get32(r, &id) || !get32(r, &len) || len > left(r) || bytes.len + len > UINT32_MAX / 2 ||
            (rec->tokens > 0 && id <= rec->token[rec->tokens - 1].id)) {
            buf_free(&bytes);
            return damaged(r, "the texts of its tokens");
        }
        bool room = xgrow(&grown, &cap, (size_t)rec->tokens + 1, sizeof *rec->token);
        rec->token = grown;
        if (!room)
            bytes.failed = true;
        else
            rec->token[rec->tokens++] = (struct token_text){id, (uint32_t)bytes.len, len};
        buf_add(&bytes, r->at, len);
        r->at += len;
    }
    size_t n;
    buf_add(&bytes, "", 1);
    rec->bytes = buf_take(&bytes, &n);
    return rec->bytes != NULL ? 0 : err_memory(r->e, bytes.len, "the texts of a recording");
}

/* n elements into a pile whose chunks are made here. */
static int read_pile(struct reader *r, struct pile *p, uint32_t n)
{
    if (left(r) < (uint64_t)n * p->size || n > (uint64_t)PILE_CHUNKS << PILE_SHIFT)
        return damaged(r, "a branch is cut off");
    if (p->chunk == NULL && (p->chunk = xcalloc(PILE_CHUNKS, sizeof *p->chunk)) == NULL)
        return err_memory(r->e, PILE_CHUNKS * sizeof *p->chunk, "a recording");
    for (uint32_t done = 0; done < n;) {
        uint32_t some = n - done < 1u << PILE_SHIFT ? n - done : 1u << PILE_SHIFT;
        void *chunk = xcalloc((size_t)1 << PILE_SHIFT, p->size);
        if (chunk == NULL)
            return err_memory(r->e, p->size << PILE_SHIFT, "a recording");
        p->chunk[p->chunks++] = chunk;
        get(r, chunk, some * p->size);
        done += some;
        p->n = done;
    }
    return 0;
}

/* Words that a run takes in the pile of words; UINT64_MAX: it is wrong. */
static uint64_t run_words(const struct run_record *run)
{
    uint32_t n = run->info & RUN_SMALL ? 1 : run->info >> RUN_SHIFT;
    if (n == 0 || run->at >= WORLD_WORDS || n > WORLD_WORDS - run->at)
        return UINT64_MAX;
    if (run->info & RUN_SMALL)
        return 0;
    return (run->info & RUN_BEFORE_STRIDE ? 2 : n) + (uint64_t)(run->info & RUN_AFTER_STRIDE ? 2 : n);
}

static uint8_t kind_args(unsigned kind)
{
    int len;
    uint8_t n = 0;
    while (n < EVENT_ARGS && event_arg_name(kind, n, &len) != NULL)
        n++;
    return n;
}

/* One step: its kind in our numbers, its runs inside the world, its words exactly used up. */
static int check_step(struct reader *r, struct branch *b, uint32_t i, const struct step_record *before)
{
    struct step_record *s = pile_at(&b->steps, i);
    if (s->kind >= r->kinds)
        return damaged(r, "a step of an unknown kind");
    s->kind = r->kind[s->kind];
    if (s->nargs != kind_args(s->kind) || s->depth != event_info(s->kind)->depth || s->run_end < before->run_end ||
        s->run_end > b->runs.n || s->word_end > b->words.n)
        return damaged(r, "a step that points outside");
    uint64_t words = (uint64_t)before->word_end + s->nargs;
    for (uint32_t k = before->run_end; k < s->run_end; k++) {
        uint64_t n = run_words(pile_at(&b->runs, k));
        if (n == UINT64_MAX)
            return damaged(r, "a change outside the world");
        words += n;
    }
    return words == s->word_end ? 0 : damaged(r, "a step and its changes disagree");
}

static int check_steps(struct reader *r, struct branch *b)
{
    struct step_record before = {0};
    for (uint32_t i = 0; i < b->steps.n; i++) {
        if (check_step(r, b, i, &before) != 0)
            return -1;
        before = *(struct step_record *)pile_at(&b->steps, i);
    }
    if (before.run_end != b->runs.n || before.word_end != b->words.n)
        return damaged(r, "changes that belong to no step");
    if (b->steps.n > 0 && !before.settled)
        return damaged(r, "it ends within an operation");
    return 0;
}

static size_t observation_size(uint32_t kind)
{
    switch (kind) {
    case OBS_CANDIDATES: return sizeof(struct obs_candidate);
    case OBS_LOGITS: return sizeof(struct obs_logit);
    case OBS_ATTENTION: return sizeof(float);
    default: return 0;
    }
}

static int push_observation(struct reader *r, struct branch *b, const struct obs_record *head)
{
    struct pile *p = &b->obs;
    if (p->chunk == NULL && (p->chunk = xcalloc(PILE_CHUNKS, sizeof *p->chunk)) == NULL)
        return err_memory(r->e, PILE_CHUNKS * sizeof *p->chunk, "a recording");
    if (p->n >> PILE_SHIFT == p->chunks) {
        if (p->chunks == PILE_CHUNKS || (p->chunk[p->chunks] = xcalloc((size_t)1 << PILE_SHIFT, p->size)) == NULL)
            return err_memory(r->e, p->size << PILE_SHIFT, "a recording");
        p->chunks++;
    }
    struct obs_record *o = pile_at(p, p->n);
    *o = *head;
    o->data = xmemdup(r->at, head->bytes);
    if (o->data == NULL)
        return err_memory(r->e, head->bytes, "an observation");
    r->at += head->bytes;
    p->n++;
    r->r->tape->obs_bytes += head->bytes;
    return 0;
}

static int read_observations(struct reader *r, struct branch *b)
{
    uint32_t last = b->base + 1;
    while (left(r) > 0) {
        struct obs_record o = {0};
        if (!get32(r, &o.step) || !get32(r, &o.kind) || !get32(r, &o.bytes) || o.bytes > left(r) || o.step < last ||
            o.step > b->base + b->steps.n)
            return damaged(r, "its observations");
        size_t size = observation_size(o.kind);
        if (size == 0 || o.bytes % size != 0)
            return damaged(r, "an observation of an unknown kind");
        last = o.step;
        if (push_observation(r, b, &o) != 0)
            return -1;
    }
    return 0;
}

/* The branch to fill: the first one was made with the tape. */
static struct branch *new_branch(struct reader *r, int parent, uint32_t base)
{
    struct tape *t = r->r->tape;
    if (r->branches_read == 0)
        return t->branch[0];
    struct branch *b = xcalloc(1, sizeof *b);
    if (b == NULL) {
        err_memory(r->e, sizeof *b, "a branch");
        return NULL;
    }
    *b = (struct branch){.parent = parent, .base = base};
    b->steps.size = sizeof(struct step_record);
    b->runs.size = sizeof(struct run_record);
    b->words.size = sizeof(uint32_t);
    b->obs.size = sizeof(struct obs_record);
    t->branch[r->branches_read] = b;
    atomic_store(&t->branch_count, (int)r->branches_read + 1);
    return b;
}

static int read_branch(struct reader *r)
{
    uint32_t parent, base, steps, runs, words;
    const struct tape *t = r->r->tape;
    if (!get32(r, &parent) || !get32(r, &base) || !get32(r, &steps) || !get32(r, &runs) || !get32(r, &words))
        return damaged(r, "a branch is cut off");
    bool first = r->branches_read == 0;
    if (r->branches_read == r->branches || base > UINT32_MAX - steps ||
        (first ? parent != UINT32_MAX || base != 0
               : parent >= r->branches_read || base > tape_length(t, (int)parent)))
        return damaged(r, "the branches do not fit together");
    struct branch *b = new_branch(r, (int)parent, base);
    if (b == NULL || read_pile(r, &b->steps, steps) != 0 || read_pile(r, &b->runs, runs) != 0 ||
        read_pile(r, &b->words, words) != 0 || check_steps(r, b) != 0 || read_observations(r, b) != 0)
        return -1;
    atomic_store(&b->length, base + steps);
    atomic_store(&b->obs_length, b->obs.n);
    r->branches_read++;
    return 0;
}

static int read_text(struct reader *r, int which)
{
    char **text = &r->r->text[which];
    size_t n = left(r);
    if (*text != NULL || memchr(r->at, '\0', n) != NULL)
        return damaged(r, "its title");
    *text = xmalloc(n + 1);
    if (*text == NULL)
        return err_memory(r->e, n, "a recording");
    (*text)[n] = '\0';
    get(r, *text, n);
    return 0;
}

static int read_kv(struct reader *r, int (*read)(struct recorded_kv *, const char *, size_t, const char **))
{
    const char *wrong = NULL;
    size_t n = left(r);
    if (read(&r->r->kv, r->at, n, &wrong) != 0)
        return wrong != NULL ? damaged(r, wrong) : err_memory(r->e, n, "a recording");
    r->at = r->end;
    return 0;
}

static int read_section(struct reader *r, const char *tag)
{
    if (memcmp(tag, "CONF", 4) == 0)
        return read_config(r);
    if (!r->configured)
        return damaged(r, "it does not begin with its configuration");
    struct store *s = tape_store(r->r->tape);
    for (int i = 0; i < TEXTS; i++)
        if (memcmp(tag, TEXT_TAGS[i], 4) == 0)
            return read_text(r, i);
    if (memcmp(tag, "KIND", 4) == 0)
        return read_kinds(r);
    if (memcmp(tag, "NAME", 4) == 0)
        return read_names(r);
    if (memcmp(tag, "TOKN", 4) == 0)
        return read_units(r, s->token, &s->token_top);
    if (memcmp(tag, "VALU", 4) == 0)
        return read_units(r, s->value, &s->value_top);
    if (memcmp(tag, "TEXT", 4) == 0)
        return read_token_texts(r);
    if (memcmp(tag, "BRCH", 4) == 0)
        return read_branch(r);
    if (memcmp(tag, "KVRW", 4) == 0)
        return read_kv(r, recording_read_rows);
    if (memcmp(tag, "PROV", 4) == 0)
        return read_kv(r, recording_read_answers);
    r->done = memcmp(tag, "DONE", 4) == 0;
    r->at = r->end; /* a section that we do not know says nothing we need */
    return 0;
}

static int read_sections(struct reader *r, const char *end)
{
    while (!r->done) {
        char tag[4];
        uint64_t len;
        r->end = end;
        if (!get(r, tag, sizeof tag) || !get(r, &len, sizeof len) || len > left(r))
            return damaged(r, "it is cut off");
        r->end = r->at + len;
        if (read_section(r, tag) != 0)
            return -1;
        if (r->at != r->end)
            return damaged(r, "a part of it is longer than it says");
    }
    if (r->branches_read != r->branches)
        return damaged(r, "branches are missing");
    if (!recorded_kv_fits(&r->r->kv, r->r->tape))
        return damaged(r, "its proofs name steps that are not there");
    return 0;
}

/* Stand where the recorded engine stood: at the end of the branch it was writing. */
static int settle(struct reader *r)
{
    struct tape *t = r->r->tape;
    struct err inner = {0};
    if (recording_check(t, &inner) != 0)
        return err_set(r->e, "%s cannot be opened: %s", r->name, inner.what);
    struct cursor c;
    tape_make_skips(t);
    if (cursor_init(&c, t, r->e) != 0)
        return -1;
    cursor_seek(&c, (int)r->current, UINT32_MAX);
    world_copy(t->w, c.w);
    t->current = (int)r->current;
    cursor_done(&c);
    return 0;
}

static int check_frame(const char *name, const void *bytes, size_t len, struct frame *f, struct err *e)
{
    if (len < sizeof f->magic || memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        return err_set(e, "%s is no recording of radixscope", name);
    if (len < sizeof *f)
        return err_set(e, "%s is cut off: it ends after %zu bytes", name, len);
    memcpy(f, bytes, sizeof *f);
    if (f->version > RECORDING_VERSION)
        return err_set(e, "%s was written by a newer radixscope (format %u; this one reads up to %d)", name,
                       f->version, RECORDING_VERSION);
    if (f->flags != 0)
        return err_set(e, "%s has flags (%#x) that this version of radixscope does not know", name, f->flags);
    if (f->packed != len - sizeof *f)
        return err_set(e, "%s is %s: its body should have %llu bytes and has %zu", name,
                       f->packed > len - sizeof *f ? "cut off" : "too long", (unsigned long long)f->packed,
                       len - sizeof *f);
    if (f->version == 0 || f->raw > MOST_RAW || f->raw == 0)
        return err_set(e, "%s is damaged: its first bytes make no sense", name);
    if (fnv1a((const char *)bytes + sizeof *f, len - sizeof *f) != f->checksum)
        return err_set(e, "%s is damaged: its checksum is wrong", name);
    return 0;
}

static struct recording *read_body(const char *name, const char *body, size_t len, struct err *e)
{
    struct reader r = {.name = name, .at = body, .end = body + len, .e = e};
    r.r = xcalloc(1, sizeof *r.r);
    if (r.r == NULL) {
        err_memory(e, sizeof *r.r, "a recording");
        return NULL;
    }
    if (read_sections(&r, body + len) != 0 || settle(&r) != 0) {
        recording_free(r.r);
        return NULL;
    }
    return r.r;
}

struct recording *recording_parse(const char *name, const void *bytes, size_t len, struct err *e)
{
    struct frame f = {0};
    if (check_frame(name, bytes, len, &f, e) != 0)
        return NULL;
    char *body = xmalloc(f.raw);
    if (body == NULL) {
        err_memory(e, f.raw, "a recording");
        return NULL;
    }
    struct recording *r = NULL;
    if (ZSTD_decompress(body, f.raw, (const char *)bytes + sizeof f, len - sizeof f) != f.raw)
        err_set(e, "%s is damaged: it cannot be unpacked", name);
    else
        r = read_body(name, body, f.raw, e);
    xfree(body);
    return r;
}

struct recording *recording_open(const char *path, struct err *e)
{
    struct file_map m;
    if (file_map(path, &m, e) != 0)
        return NULL;
    struct recording *r = recording_parse(path, m.data, m.len, e);
    file_unmap(&m);
    return r;
}

void recording_free(struct recording *r)
{
    if (r == NULL)
        return;
    tape_free(r->tape);
    for (int i = 0; i < TEXTS; i++)
        xfree(r->text[i]);
    xfree(r->token);
    xfree(r->bytes);
    recorded_kv_done(&r->kv);
    xfree(r);
}

/* ---- asking ------------------------------------------------------------------------------------------------ */

struct tape *recording_tape(const struct recording *r)
{
    return r->tape;
}

const struct world_config *recording_world(const struct recording *r)
{
    return &r->tape->cfg;
}

const char *recording_title(const struct recording *r)
{
    return r->text[0] != NULL ? r->text[0] : "";
}

const char *recording_mode(const struct recording *r)
{
    return r->text[1];
}

const char *recording_model(const struct recording *r)
{
    return r->text[2] != NULL ? r->text[2] : "";
}

const char *recording_script(const struct recording *r)
{
    return r->text[3] != NULL ? r->text[3] : "";
}

bool recording_observed(const struct recording *r, struct observed *out)
{
    if (r->kv.id == NULL)
        return false;
    *out = (struct observed){.shape = r->kv.shape, .row = recorded_row, .ctx = &r->kv};
    return true;
}

const struct answer *recording_answer(const struct recording *r, const struct inquiry *q)
{
    for (uint32_t i = 0; i < r->kv.answers; i++)
        if (inquiry_same(q, &r->kv.answer[i].q))
            return &r->kv.answer[i].a;
    return NULL;
}

void recording_bytes(void *recording, uint32_t id, struct buf *out)
{
    const struct recording *r = recording;
    uint32_t low = 0, high = r->tokens;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (r->token[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < r->tokens && r->token[low].id == id)
        buf_add(out, r->bytes + r->token[low].at, r->token[low].len);
}

static void quoted_token(void *ctx, uint32_t id, struct buf *b)
{
    struct buf bytes = {0};
    recording_bytes(ctx, id, &bytes);
    if (bytes.len == 0)
        buf_printf(b, "token %u", id);
    else
        quote_bytes(bytes.data, bytes.len, b);
    buf_free(&bytes);
}

struct event_words recording_words(const struct recording *r)
{
    /* the callback only reads */
    return (struct event_words){.ctx = (void *)(uintptr_t)r, .token = quoted_token};
}
