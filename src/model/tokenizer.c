#include "model/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "model/bpe.h"
#include "model/json.h"
#include "model/text_rules.h"
#include "model/vocab.h"

#define TOKENIZER_LIMIT ((size_t)256 << 20)
#define MAX_TOKEN_ID    (1u << 24)
#define MAX_ADDED       100000
#define MAX_TEMPLATE    16

/* A token that is looked for in the text before anything else. */
struct added {
    uint32_t id;
    char *text;      /* as looked for: normalised if the token says so */
    size_t len;
    bool special, normalized, single_word, lstrip, rstrip;
};

/* The added tokens of one kind (raw or normalised), sorted by text: a range of them is a trie. */
struct added_set {
    struct added *at;
    size_t n, cap;
    bool first[256]; /* does one begin with this byte? */
};

struct tokenizer {
    struct vocab vocab;
    struct text_rules rules;
    struct added_set raw, normalised;
    uint32_t byte_id[256];       /* the token of a byte: "Ġ" and its like, or "<0x20>" */
    uint32_t ascii_id[128];      /* the token of a character, without byte level */
    bool byte_level, byte_fallback, fuse_unk, ignore_merges;
    uint32_t unk;                /* TOKENIZER_NONE if there is none */
    uint32_t before[MAX_TEMPLATE], after[MAX_TEMPLATE]; /* what the post-processor puts around a text */
    size_t n_before, n_after;
    bool *special;               /* (size) */
    uint32_t size;
    /* decoding */
    char *bytes;                 /* every token's bytes, one after another */
    size_t n_bytes, bytes_cap;
    size_t *bytes_at;            /* (size + 1) */
    bool byte_decode, fallback_decode;
    char *from[4], *to[4];       /* replacements made in each token */
    size_t n_from[4], n_to[4], n_replace;
    char strip;                  /* a byte taken off the front of a text, or 0 */
};

struct reader {
    const char *file;
    struct tokenizer *t;
    uint32_t vocab_limit;
    struct err *e;
};

/* ---- bytes written as characters (GPT-2) ---- */

/* Printable bytes stand for themselves, the others for U+0100 and up, in order. */
static bool byte_is_plain(unsigned b)
{
    return (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
}

static uint32_t byte_to_code(unsigned byte)
{
    uint32_t shift = 0;
    for (unsigned b = 0; b < byte && !byte_is_plain(byte); b++)
        shift += !byte_is_plain(b);
    return byte_is_plain(byte) ? byte : 0x100 + shift;
}

static int code_to_byte(uint32_t code)
{
    if (code < 0x100)
        return byte_is_plain(code) ? (int)code : -1;
    uint32_t shift = code - 0x100;
    for (unsigned b = 0; b < 256; b++)
        if (!byte_is_plain(b) && shift-- == 0)
            return (int)b;
    return -1;
}

/* ---- reading: vocabulary and merges ---- */

static int bad(const struct reader *r, const json_t *value, const char *where, const char *expected)
{
    char text[80];
    return err_set(r->e, "%s: %s is %s, but %s", r->file, where, json_describe(value, text, sizeof text), expected);
}

/* A token's text for an error: its beginning, without bytes that could steer a terminal. */
struct shown {
    char text[41];
};

static struct shown show(const char *text, size_t len)
{
    struct shown s = {{0}};
    for (size_t i = 0; i < len && i < sizeof s.text - 1; i++)
        s.text[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    return s;
}

static int add_token(const struct reader *r, const char *text, size_t len, json_int_t id)
{
    if (id < 0 || id >= MAX_TOKEN_ID || id >= (json_int_t)r->vocab_limit)
        return err_set(r->e, "%s: token \"%s\" has id %lld, but the embedding has %u rows", r->file, show(text, len).text,
                       (long long)id, r->vocab_limit < MAX_TOKEN_ID ? r->vocab_limit : MAX_TOKEN_ID);
    enum vocab_result result = vocab_add(&r->t->vocab, (uint32_t)id, text, len);
    if (result == VOCAB_TWICE)
        return err_set(r->e, "%s: token \"%s\" with id %lld: the text or the id is there twice", r->file,
                       show(text, len).text, (long long)id);
    return result == VOCAB_OK ? 0 : err_memory(r->e, len, "the vocabulary");
}

static int read_vocab(const struct reader *r, const json_t *model)
{
    const json_t *vocab = json_object_get(model, "vocab"), *merges = json_object_get(model, "merges");
    if (!json_is_object(vocab) || json_object_size(vocab) == 0)
        return bad(r, vocab, "model.vocab", "an object of tokens and ids was expected");
    if (!json_is_array(merges))
        return bad(r, merges, "model.merges", "a list of merges was expected");
    if (!vocab_reserve(&r->t->vocab, json_object_size(vocab), json_array_size(merges)))
        return err_memory(r->e, json_object_size(vocab), "the vocabulary");
    const char *text;
    size_t len;
    json_t *id;
    json_object_keylen_foreach((json_t *)(uintptr_t)vocab, text, len, id)
    {
        if (add_token(r, text, len, json_is_integer(id) ? json_integer_value(id) : -1) != 0)
            return -1;
    }
    return 0;
}

struct merge_text {
    const char *left, *right;
    size_t n_left, n_right;
};

/* "a b" in older files, ["a", "b"] in newer ones. */
static bool merge_parts(const json_t *merge, struct merge_text *m)
{
    if (json_is_array(merge)) {
        const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);
        if (json_array_size(merge) != 2 || !json_is_string(left) || !json_is_string(right))
            return false;
        *m = (struct merge_text){json_string_value(left), json_string_value(right), json_string_length(left),
                                 json_string_length(right)};
        return true;
    }
    const char *text = json_string_value(merge), *blank = text != NULL ? strchr(text, ' ') : NULL;
    if (blank == NULL || strchr(blank + 1, ' ') != NULL)
        return false;
    *m = (struct merge_text){text, blank + 1, (size_t)(blank - text),
                             json_string_length(merge) - (size_t)(blank + 1 - text)};
    return true;
}

static int add_merge(const struct reader *r, size_t rank, const struct merge_text *m, struct buf *joined)
{
    struct vocab *v = &r->t->vocab;
    buf_clear(joined);
    buf_add(joined, m->left, m->n_left);
    buf_add(joined, m->right, m->n_right);
    if (joined->failed)
        return err_memory(r->e, m->n_left + m->n_right, "the merges");
    uint32_t left = vocab_find(v, m->left, m->n_left), right = vocab_find(v, m->right, m->n_right);
    uint32_t whole = vocab_find(v, joined->data, joined->len);
    if (left == VOCAB_NONE || right == VOCAB_NONE || whole == VOCAB_NONE)
        return err_set(r->e, "%s: merge %zu needs token \"%s\", which is not in the vocabulary", r->file, rank,
                       left == VOCAB_NONE    ? show(m->left, m->n_left).text
                       : right == VOCAB_NONE ? show(m->right, m->n_right).text
                                             : show(joined->data, joined->len).text);
    enum vocab_result result = vocab_add_pair(v, left, right, (uint32_t)rank, whole);
    if (result == VOCAB_TWICE)
        return err_set(r->e, "%s: merge %zu (\"%s\" and \"%s\") is there twice", r->file, rank,
                       show(m->left, m->n_left).text, show(m->right, m->n_right).text);
    return result == VOCAB_OK ? 0 : err_memory(r->e, 1, "the merges");
}

static int read_merges(const struct reader *r, const json_t *merges)
{
    struct buf joined = {0};
    size_t rank;
    json_t *merge;
    int rc = 0;
    json_array_foreach((json_t *)(uintptr_t)merges, rank, merge)
    {
        struct merge_text m;
        if (!merge_parts(merge, &m))
            rc = err_set(r->e, "%s: merge %zu is no pair of tokens", r->file, rank);
        else
            rc = add_merge(r, rank, &m, &joined);
        if (rc != 0)
            break;
    }
    buf_free(&joined);
    return rc;
}

static int read_model(const struct reader *r, const json_t *root)
{
    static const char *const refused[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    const json_t *model = json_object_get(root, "model"), *type = json_object_get(model, "type");
    if (!json_is_object(model))
        return bad(r, model, "model", "an object was expected");
    if (type != NULL && (!json_is_string(type) || strcmp(json_string_value(type), "BPE") != 0))
        return bad(r, type, "model.type", "only BPE is supported");
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const char *text = json_text(model, refused[i]);
        if (text != NULL && text[0] != '\0')
            return err_set(r->e, "%s: model.%s is \"%s\", but only null is supported", r->file, refused[i],
                           show(text, strlen(text)).text);
    }
    r->t->byte_fallback = json_is_true(json_object_get(model, "byte_fallback"));
    r->t->fuse_unk = json_is_true(json_object_get(model, "fuse_unk"));
    r->t->ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    if (read_vocab(r, model) != 0 || read_merges(r, json_object_get(model, "merges")) != 0)
        return -1;
    const char *unk = json_text(model, "unk_token");
    r->t->unk = unk != NULL ? vocab_find(&r->t->vocab, unk, strlen(unk)) : TOKENIZER_NONE;
    return 0;
}

/* ---- reading: added tokens, post-processor, decoder ---- */

static int keep_added(const struct reader *r, struct added_set *set, const struct added *token)
{
    void *at = set->at;
    if (!xgrow(&at, &set->cap, set->n + 1, sizeof *set->at))
        return err_memory(r->e, (set->n + 1) * sizeof *set->at, "added tokens");
    set->at = at;
    set->at[set->n++] = *token;
    set->first[(unsigned char)token->text[0]] = true;
    return 0;
}

static int add_added(const struct reader *r, const json_t *entry)
{
    const json_t *id = json_object_get(entry, "id"), *content = json_object_get(entry, "content");
    if (!json_is_integer(id) || !json_is_string(content) || json_string_length(content) == 0)
        return bad(r, entry, "an entry of added_tokens", "id and content were expected");
    struct added a = {.id = (uint32_t)json_integer_value(id),
                      .special = json_is_true(json_object_get(entry, "special")),
                      .normalized = json_is_true(json_object_get(entry, "normalized")),
                      .single_word = json_is_true(json_object_get(entry, "single_word")),
                      .lstrip = json_is_true(json_object_get(entry, "lstrip")),
                      .rstrip = json_is_true(json_object_get(entry, "rstrip"))};
    const char *text = json_string_value(content);
    size_t len = json_string_length(content);
    uint32_t there = vocab_find(&r->t->vocab, text, len);
    if (there == VOCAB_NONE ? add_token(r, text, len, json_integer_value(id)) != 0
                            : there != (uint32_t)json_integer_value(id))
        return err_set(r->e, "%s: added token \"%s\" has id %lld, but the vocabulary gives it %u", r->file,
                       show(text, len).text, (long long)json_integer_value(id), there);
    struct buf wanted = {0};
    if (a.normalized) {
        if (text_normalise(&r->t->rules, text, len, &wanted, r->e) != 0)
            return -1;
    } else
        buf_add(&wanted, text, len);
    a.text = buf_take(&wanted, &a.len);
    if (a.text == NULL)
        return err_memory(r->e, len, "added tokens");
    if (a.len > 0 && keep_added(r, a.normalized ? &r->t->normalised : &r->t->raw, &a) == 0)
        return 0;
    xfree(a.text);
    return a.len > 0 ? -1 : 0;
}

static int by_text(const void *a, const void *b)
{
    const struct added *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static int read_added(const struct reader *r, const json_t *root)
{
    const json_t *list = json_object_get(root, "added_tokens");
    if (json_array_size(list) > MAX_ADDED)
        return err_set(r->e, "%s: more than %d added tokens", r->file, MAX_ADDED);
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)(uintptr_t)list, i, entry)
    {
        if (add_added(r, entry) != 0)
            return -1;
    }
    struct added_set *set[] = {&r->t->raw, &r->t->normalised};
    for (size_t s = 0; s < ARRAY_LEN(set); s++)
        if (set[s]->n > 0)
            qsort(set[s]->at, set[s]->n, sizeof *set[s]->at, by_text);
    return 0;
}

/* A SpecialToken of the template stands for the ids that special_tokens gives it. */
static int add_template_token(const struct reader *r, const json_t *processor, const json_t *token, bool behind)
{
    const char *name = json_text(token, "id");
    const json_t *special = name != NULL ? json_object_get(json_object_get(processor, "special_tokens"), name) : NULL;
    const json_t *ids = json_object_get(special, "ids");
    size_t i, *n = behind ? &r->t->n_after : &r->t->n_before;
    uint32_t *list = behind ? r->t->after : r->t->before;
    json_t *id;
    if (json_array_size(ids) == 0)
        return bad(r, token, "a token of the post_processor's template", "special_tokens does not say what it is");
    json_array_foreach((json_t *)(uintptr_t)ids, i, id)
    {
        size_t len;
        json_int_t value = json_is_integer(id) ? json_integer_value(id) : -1;
        if (value < 0 || value >= MAX_TOKEN_ID || vocab_text(&r->t->vocab, (uint32_t)value, &len) == NULL)
            return bad(r, id, "an id in post_processor.special_tokens", "no token has it");
        if (*n == MAX_TEMPLATE)
            return err_set(r->e, "%s: post_processor adds more than %d tokens", r->file, MAX_TEMPLATE);
        list[(*n)++] = (uint32_t)value;
    }
    return 0;
}

static int read_template(const struct reader *r, const json_t *processor)
{
    size_t i;
    json_t *part;
    bool behind = false;
    json_array_foreach(json_object_get(processor, "single"), i, part)
    {
        const json_t *token = json_object_get(part, "SpecialToken");
        if (token == NULL)
            behind = true; /* the text itself */
        else if (add_template_token(r, processor, token, behind) != 0)
            return -1;
    }
    return 0;
}

static int read_post_processor(const struct reader *r, const json_t *processor)
{
    const char *type = json_text(processor, "type");
    size_t i;
    json_t *one;
    if (processor == NULL || json_is_null(processor) || (type != NULL && strcmp(type, "ByteLevel") == 0))
        return 0;
    if (type != NULL && strcmp(type, "TemplateProcessing") == 0)
        return read_template(r, processor);
    if (type == NULL || strcmp(type, "Sequence") != 0)
        return bad(r, json_object_get(processor, "type"), "post_processor",
                   "Sequence, ByteLevel and TemplateProcessing are supported");
    json_array_foreach(json_object_get(processor, "processors"), i, one)
    {
        const char *inner = json_text(one, "type");
        if ((inner != NULL && strcmp(inner, "Sequence") == 0) || read_post_processor(r, one) != 0)
            return bad(r, one, "post_processor", "a Sequence inside a Sequence is not supported");
    }
    return 0;
}

static int add_replacement(const struct reader *r, const json_t *from, const json_t *to)
{
    struct tokenizer *t = r->t;
    size_t i = t->n_replace;
    if (i == ARRAY_LEN(t->from) || !json_is_string(from) || !json_is_string(to) || json_string_length(from) == 0)
        return err_set(r->e, "%s: the decoder's replacement %zu is not supported", r->file, i);
    t->n_from[i] = json_string_length(from);
    t->n_to[i] = json_string_length(to);
    t->from[i] = xmemdup(json_string_value(from), t->n_from[i] + 1);
    t->to[i] = xmemdup(json_string_value(to), t->n_to[i] + 1);
    t->n_replace++;
    return t->from[i] != NULL && t->to[i] != NULL ? 0 : err_memory(r->e, t->n_from[i], "the decoder");
}

static int read_strip(const struct reader *r, const json_t *decoder)
{
    const char *content = json_text(decoder, "content");
    json_int_t start = json_integer_value(json_object_get(decoder, "start"));
    if (content == NULL || strlen(content) != 1 || start < 0 || start > 1 ||
        json_integer_value(json_object_get(decoder, "stop")) != 0)
        return bad(r, decoder, "the decoder's Strip", "one character off the start is supported");
    r->t->strip = start == 1 ? content[0] : '\0';
    return 0;
}

static int read_metaspace_decoder(const struct reader *r, const json_t *decoder)
{
    const char *scheme = json_text(decoder, "prepend_scheme");
    const json_t *old = json_object_get(decoder, "add_prefix_space");
    json_t *blank = json_string(" ");
    bool strips = scheme != NULL ? strcmp(scheme, "never") != 0 : !json_is_false(old);
    int rc = add_replacement(r, json_object_get(decoder, "replacement"), blank);
    json_decref(blank);
    r->t->strip = strips ? ' ' : '\0';
    return rc;
}

static int read_decoder(const struct reader *r, const json_t *decoder, int depth)
{
    const char *type = json_text(decoder, "type");
    size_t i;
    json_t *one;
    if (decoder == NULL || json_is_null(decoder))
        return 0;
    if (type != NULL && strcmp(type, "ByteLevel") == 0)
        r->t->byte_decode = true;
    else if (type != NULL && strcmp(type, "ByteFallback") == 0)
        r->t->fallback_decode = true;
    else if (type != NULL && strcmp(type, "Replace") == 0)
        return add_replacement(r, json_object_get(json_object_get(decoder, "pattern"), "String"),
                               json_object_get(decoder, "content"));
    else if (type != NULL && strcmp(type, "Strip") == 0)
        return read_strip(r, decoder);
    else if (type != NULL && strcmp(type, "Metaspace") == 0)
        return read_metaspace_decoder(r, decoder);
    else if (type != NULL && strcmp(type, "Sequence") == 0 && depth < 4) {
        json_array_foreach(json_object_get(decoder, "decoders"), i, one)
        {
            if (read_decoder(r, one, depth + 1) != 0)
                return -1;
        }
    } else if (type == NULL || strcmp(type, "Fuse") != 0)
        return bad(r, json_object_get(decoder, "type"), "decoder",
                   "Sequence, ByteLevel, ByteFallback, Replace, Fuse, Strip and Metaspace are supported");
    return 0;
}

/* ---- what is derived once everything is read ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "<0x2A>" stands for a byte. */
static int fallback_byte(const char *text, size_t len)
{
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high >= 0 && low >= 0 ? high * 16 + low : -1;
}

static void find_byte_tokens(struct tokenizer *t)
{
    static const char digits[] = "0123456789ABCDEF";
    for (unsigned b = 0; b < 256; b++) {
        char level[4], fallback[6] = {'<', '0', 'x', digits[b / 16], digits[b % 16], '>'};
        size_t n = utf8_encode(byte_to_code(b), level);
        t->byte_id[b] = t->byte_level ? vocab_find(&t->vocab, level, n) : vocab_find(&t->vocab, fallback, 6);
        if (b < 128) {
            char one = (char)b;
            t->ascii_id[b] = vocab_find(&t->vocab, &one, 1);
        }
    }
}

static void append_bytes(struct tokenizer *t, struct buf *all, const char *text, size_t len)
{
    int byte = t->fallback_decode ? fallback_byte(text, len) : -1;
    if (byte >= 0) {
        buf_putc(all, (char)byte);
        return;
    }
    for (size_t i = 0; i < len;) {
        size_t k = 0;
        while (k < t->n_replace && (len - i < t->n_from[k] || memcmp(text + i, t->from[k], t->n_from[k]) != 0))
            k++;
        if (k < t->n_replace)
            buf_add(all, t->to[k], t->n_to[k]);
        else
            buf_putc(all, text[i]);
        i += k < t->n_replace ? t->n_from[k] : 1;
    }
}

/* A token whose characters all stand for bytes is those bytes; any other is its text. */
static void append_level(struct buf *all, const char *text, size_t len, const int *byte_of)
{
    size_t start = all->len;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        i += utf8_decode(text + i, len - i, &code);
        int byte = code < 512 ? byte_of[code] : -1;
        if (byte < 0) {
            all->len = start;
            buf_add(all, text, len);
            return;
        }
        buf_putc(all, (char)byte);
    }
}

static int build_bytes(const struct reader *r)
{
    struct tokenizer *t = r->t;
    int byte_of[512];
    for (uint32_t code = 0; code < 512; code++)
        byte_of[code] = code_to_byte(code);
    t->size = (uint32_t)t->vocab.size;
    t->special = xcalloc(t->size, sizeof *t->special);
    t->bytes_at = xmalloc(((size_t)t->size + 1) * sizeof *t->bytes_at);
    if (t->special == NULL || t->bytes_at == NULL)
        return err_memory(r->e, t->size * sizeof *t->bytes_at, "the tokens' bytes");
    struct buf all = {0};
    for (uint32_t id = 0; id < t->size; id++) {
        size_t len;
        const char *text = vocab_text(&t->vocab, id, &len);
        t->bytes_at[id] = all.len;
        if (text != NULL && t->byte_decode)
            append_level(&all, text, len, byte_of);
        else if (text != NULL)
            append_bytes(t, &all, text, len);
    }
    t->bytes_at[t->size] = all.len;
    t->bytes = buf_take(&all, &t->n_bytes);
    for (size_t i = 0; i < t->raw.n; i++)
        t->special[t->raw.at[i].id] = t->raw.at[i].special;
    for (size_t i = 0; i < t->normalised.n; i++)
        t->special[t->normalised.at[i].id] = t->normalised.at[i].special;
    return t->bytes != NULL ? 0 : err_memory(r->e, t->n_bytes, "the tokens' bytes");
}

static int read_all(const struct reader *r, const json_t *root)
{
    struct tokenizer *t = r->t;
    if (text_rules_read(r->file, root, &t->rules, r->e) != 0 || read_model(r, root) != 0)
        return -1;
    t->byte_level = t->rules.byte_level;
    if (read_added(r, root) != 0 || read_post_processor(r, json_object_get(root, "post_processor")) != 0 ||
        read_decoder(r, json_object_get(root, "decoder"), 0) != 0)
        return -1;
    find_byte_tokens(t);
    return build_bytes(r);
}

static int read_root(const char *name, const json_t *root, uint32_t vocab, struct tokenizer **out, struct err *e)
{
    struct tokenizer *t = xcalloc(1, sizeof *t);
    *out = NULL;
    if (t == NULL)
        return err_memory(e, sizeof *t, "the tokenizer");
    struct reader r = {name, t, vocab, e};
    if (read_all(&r, root) != 0) {
        tokenizer_close(t);
        return -1;
    }
    *out = t;
    return 0;
}

int tokenizer_parse(const char *name, const char *json, size_t len, uint32_t vocab, struct tokenizer **out,
                    struct err *e)
{
    *out = NULL;
    json_t *root = json_from_bytes(name, json, len, e);
    int rc = root == NULL ? -1 : read_root(name, root, vocab, out, e);
    json_decref(root);
    return rc;
}

int tokenizer_open(const char *path, uint32_t vocab, struct tokenizer **out, struct err *e)
{
    *out = NULL;
    json_t *root = json_from_file(path, TOKENIZER_LIMIT, e);
    int rc = root == NULL ? -1 : read_root(path, root, vocab, out, e);
    json_decref(root);
    return rc;
}

static void added_done(struct added_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        xfree(set->at[i].text);
    xfree(set->at);
}

void tokenizer_close(struct tokenizer *t)
{
    if (t == NULL)
        return;
    vocab_done(&t->vocab);
    text_rules_done(&t->rules);
    added_done(&t->raw);
    added_done(&t->normalised);
    for (size_t i = 0; i < t->n_replace; i++) {
        xfree(t->from[i]);
        xfree(t->to[i]);
    }
    xfree(t->special);
    xfree(t->bytes);
    xfree(t->bytes_at);
    xfree(t);
}

/* ---- encoding ---- */

struct encoder {
    const struct tokenizer *t;
    unsigned flags;
    struct ids *out;
    struct ids word;
    struct bpe bpe;
    struct pieces pieces;
    struct buf normalised;
    struct err *e;
};

static int no_memory(const struct encoder *c)
{
    return err_memory(c->e, c->out->len * sizeof(uint32_t), "encoding text");
}

/* A piece that is a token as it stands is taken without merging, where the model says so. */
static bool whole_word(const struct encoder *c, const char *text, size_t len)
{
    char written[256];
    size_t n = 0;
    if (!c->t->byte_level) {
        uint32_t id = vocab_find(&c->t->vocab, text, len);
        return id != VOCAB_NONE && ids_add(c->out, id);
    }
    for (size_t i = 0; i < len; i++) {
        if (n + 4 > sizeof written)
            return false;
        n += utf8_encode(byte_to_code((unsigned char)text[i]), written + n);
    }
    uint32_t id = vocab_find(&c->t->vocab, written, n);
    return id != VOCAB_NONE && ids_add(c->out, id);
}

static void add_unknown(struct encoder *c, bool *after_unknown)
{
    if (c->t->unk != TOKENIZER_NONE && !(*after_unknown && c->t->fuse_unk))
        ids_add(&c->word, c->t->unk);
    *after_unknown = true;
}

/* One character that is no token: its bytes, if each has a token, else the unknown token. */
static void add_fallback(struct encoder *c, const char *text, size_t len, bool *after_unknown)
{
    bool every = c->t->byte_fallback;
    for (size_t i = 0; i < len && every; i++)
        every = c->t->byte_id[(unsigned char)text[i]] != TOKENIZER_NONE;
    if (!every) {
        add_unknown(c, after_unknown);
        return;
    }
    for (size_t i = 0; i < len; i++)
        ids_add(&c->word, c->t->byte_id[(unsigned char)text[i]]);
    *after_unknown = false;
}

static void first_symbols(struct encoder *c, const char *text, size_t len)
{
    const struct tokenizer *t = c->t;
    bool after_unknown = false;
    ids_clear(&c->word);
    for (size_t i = 0; i < len && t->byte_level; i++) {
        uint32_t id = t->byte_id[(unsigned char)text[i]];
        if (id == TOKENIZER_NONE)
            add_unknown(c, &after_unknown);
        else if (ids_add(&c->word, id))
            after_unknown = false;
    }
    for (size_t i = 0; i < len && !t->byte_level;) {
        uint32_t code = (unsigned char)text[i];
        size_t used = code < 0x80 ? 1 : utf8_decode(text + i, len - i, &code);
        uint32_t id = code < 0x80 ? t->ascii_id[code] : vocab_find(&t->vocab, text + i, used);
        if (id == VOCAB_NONE || code == UTF8_BAD)
            add_fallback(c, text + i, used, &after_unknown);
        else if (ids_add(&c->word, id))
            after_unknown = false;
        i += used;
    }
}

static int encode_piece(struct encoder *c, const char *text, size_t len)
{
    if (c->t->ignore_merges && whole_word(c, text, len))
        return 0;
    first_symbols(c, text, len);
    size_t n = c->word.failed ? SIZE_MAX : bpe_merge_word(&c->bpe, &c->t->vocab, c->word.at, c->word.len);
    return n != SIZE_MAX && ids_add_all(c->out, c->word.at, n) ? 0 : no_memory(c);
}

static int encode_normalised(struct encoder *c, const char *text, size_t len, bool first)
{
    if (len == 0)
        return 0;
    if (text_split(&c->t->rules, text, len, first, &c->pieces, c->e) != 0)
        return -1;
    for (size_t i = 0; i < c->pieces.n; i++)
        if (encode_piece(c, buf_text(&c->pieces.text) + c->pieces.at[i].at, c->pieces.at[i].len) != 0)
            return -1;
    return 0;
}

/* ---- added tokens ---- */

/* The longest token of the set that stands at text. Sorted texts are a trie: the range of those that agree
 * so far narrows byte by byte. */
static const struct added *longest_at(const struct added_set *set, const char *text, size_t len, bool specials)
{
    const struct added *best = NULL;
    size_t low = 0, high = set->n;
    for (size_t d = 0; low < high; d++) {
        while (low < high && set->at[low].len == d) { /* this one ends here; the others go on */
            if (specials || !set->at[low].special)
                best = &set->at[low];
            low++;
        }
        if (d == len)
            break;
        unsigned char c = (unsigned char)text[d];
        size_t end = high;
        for (size_t from = low; from < end;) { /* the first that has a byte >= c here */
            size_t mid = from + (end - from) / 2;
            if ((unsigned char)set->at[mid].text[d] < c)
                from = low = mid + 1;
            else
                end = mid;
        }
        for (size_t from = low, to = high; from < to;) { /* the first that has a byte > c */
            size_t mid = from + (to - from) / 2;
            if ((unsigned char)set->at[mid].text[d] <= c)
                from = mid + 1;
            else
                to = high = mid;
        }
    }
    return best;
}

static bool is_word(uint32_t code)
{
    return code != UTF8_BAD && (code == '_' || (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
                                (code >= 'A' && code <= 'Z') || code >= 0xaa);
}

/* A token marked single_word may not touch letters. */
static bool stands_alone(const char *text, size_t len, size_t at, size_t n)
{
    uint32_t left = ' ', right = ' ';
    size_t back = at;
    while (back > 0 && at - back < 4 && ((unsigned char)text[--back] & 0xc0) == 0x80)
        ;
    if (at > 0)
        utf8_decode(text + back, at - back, &left);
    if (at + n < len)
        utf8_decode(text + at + n, len - at - n, &right);
    return !is_word(left) && !is_word(right);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

typedef int (*encode_rest)(struct encoder *c, const char *text, size_t len, bool first);

/* Cut text at the tokens of the set, hand what is between them to `rest`. */
static int encode_around(struct encoder *c, const struct added_set *set, const char *text, size_t len, bool first,
                         encode_rest rest)
{
    bool specials = (c->flags & TOKENIZER_PARSE_SPECIAL) != 0;
    size_t done = 0;
    for (size_t at = 0; at < len && set->n > 0;) {
        const struct added *a =
            set->first[(unsigned char)text[at]] ? longest_at(set, text + at, len - at, specials) : NULL;
        if (a == NULL || (a->single_word && !stands_alone(text, len, at, a->len))) {
            at++;
            continue;
        }
        size_t begin = at, end = at + a->len;
        while (a->lstrip && begin > done && is_blank(text[begin - 1]))
            begin--;
        while (a->rstrip && end < len && is_blank(text[end]))
            end++;
        if (rest(c, text + done, begin - done, first && done == 0) != 0)
            return -1;
        if (!ids_add(c->out, a->id))
            return no_memory(c);
        at = done = end;
    }
    return rest(c, text + done, len - done, first && done == 0);
}

static int encode_raw(struct encoder *c, const char *text, size_t len, bool first)
{
    if (len == 0)
        return 0;
    buf_clear(&c->normalised);
    if (text_normalise(&c->t->rules, text, len, &c->normalised, c->e) != 0)
        return -1;
    return encode_around(c, &c->t->normalised, buf_text(&c->normalised), c->normalised.len, first, encode_normalised);
}

int tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, unsigned flags, struct ids *out,
                     struct err *e)
{
    struct encoder c = {.t = t, .flags = flags, .out = out, .e = e};
    bool around = (flags & TOKENIZER_ADD_SPECIAL) != 0;
    if (len > INT32_MAX)
        return err_set(e, "a text of %zu bytes is too long to encode (at most 2147483647)", len);
    if (around)
        ids_add_all(out, t->before, t->n_before);
    int rc = encode_around(&c, &t->raw, text, len, true, encode_raw);
    if (around)
        ids_add_all(out, t->after, t->n_after);
    ids_free(&c.word);
    bpe_done(&c.bpe);
    pieces_done(&c.pieces);
    buf_free(&c.normalised);
    return rc == 0 && out->failed ? no_memory(&c) : rc;
}

/* ---- decoding ---- */

const char *tokenizer_token_bytes(const struct tokenizer *t, uint32_t id, size_t *len)
{
    size_t unused;
    bool known = id < t->size && vocab_text(&t->vocab, id, &unused) != NULL;
    *len = known ? t->bytes_at[id + 1] - t->bytes_at[id] : 0;
    return known ? t->bytes + t->bytes_at[id] : NULL;
}

/* Append a token's bytes; the first of a text may lose a blank. */
static void append_token(const struct tokenizer *t, uint32_t id, bool *begun, struct buf *out)
{
    size_t len;
    const char *bytes = tokenizer_token_bytes(t, id, &len);
    if (len == 0)
        return;
    size_t skip = !*begun && t->strip != '\0' && bytes[0] == t->strip ? 1 : 0;
    *begun = true;
    buf_add(out, bytes + skip, len - skip);
}

void tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n, struct buf *out)
{
    bool begun = false;
    for (size_t i = 0; i < n; i++)
        append_token(t, ids[i], &begun, out);
}

/* How many bytes at the end of text begin a character without finishing it. */
static size_t unfinished(const char *text, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)text[len - back];
        size_t whole = c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 1;
        if (c >= 0xc0)
            return whole > back ? back : 0;
        if (c < 0x80)
            return 0;
    }
    return 0;
}

void tokenizer_stream_push(const struct tokenizer *t, struct tokenizer_stream *s, uint32_t id, struct buf *out)
{
    size_t start = out->len;
    buf_add(out, s->held, s->n_held);
    append_token(t, id, &s->begun, out);
    if (out->failed)
        return;
    s->n_held = (uint8_t)unfinished(out->data + start, out->len - start);
    memcpy(s->held, out->data + out->len - s->n_held, s->n_held);
    out->len -= s->n_held;
    out->data[out->len] = '\0';
}

void tokenizer_stream_end(struct tokenizer_stream *s, struct buf *out)
{
    buf_add(out, s->held, s->n_held);
    *s = (struct tokenizer_stream){0};
}

uint32_t tokenizer_special(const struct tokenizer *t, const char *written)
{
    size_t len = strlen(written);
    for (size_t i = 0; i < t->raw.n; i++)
        if (t->raw.at[i].len == len && memcmp(t->raw.at[i].text, written, len) == 0)
            return t->raw.at[i].id;
    uint32_t id = vocab_find(&t->vocab, written, len);
    return id != VOCAB_NONE && t->special[id] ? id : TOKENIZER_NONE;
}

bool tokenizer_is_special(const struct tokenizer *t, uint32_t id)
{
    return id < t->size && t->special[id];
}

uint32_t tokenizer_size(const struct tokenizer *t)
{
    return t->size;
}
