#include "script/lexicon.h"

#include <string.h>

#include "base/quote.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "model/tokenizer.h"
#include "model/model.h"

enum {
    CHUNK_WORDS = 256,
    CHUNKS = 4096,            /* a million different words */
    BAD_BYTE = 0x110000,      /* letters: id of byte B that is no UTF-8 is BAD_BYTE + B */
};

struct word {
    char *text;
    size_t len;
};

struct lexicon {
    enum token_source kind;
    const struct tokenizer *tokenizer;
    struct word *chunk[CHUNKS]; /* never move: other threads read them */
    uint32_t words;             /* ids 1 to words exist */
    uint32_t *slot;             /* (slots) open addressing: word id or 0; the encoding thread's alone */
    uint32_t slots;
};

struct lexicon *lexicon_new(enum token_source kind, const struct model *m, struct err *e)
{
    struct lexicon *x = xcalloc(1, sizeof *x);
    if (x == NULL) {
        err_memory(e, sizeof *x, "the words of a script");
        return NULL;
    }
    x->kind = kind;
    x->tokenizer = m != NULL ? model_get_tokenizer(m) : NULL;
    ASSERT(kind != TOKENS_MODEL || x->tokenizer != NULL);
    return x;
}

static struct word *word_at(const struct lexicon *x, uint32_t id)
{
    return &x->chunk[(id - 1) / CHUNK_WORDS][(id - 1) % CHUNK_WORDS];
}

void lexicon_free(struct lexicon *x)
{
    if (x == NULL)
        return;
    for (uint32_t id = 1; id <= x->words; id++)
        xfree(word_at(x, id)->text);
    for (uint32_t i = 0; i < CHUNKS && x->chunk[i] != NULL; i++)
        xfree(x->chunk[i]);
    xfree(x->slot);
    xfree(x);
}

/* ---- words ------------------------------------------------------------------------------------------ */

static uint32_t hash_text(const char *text, size_t len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 16777619u;
    return h;
}

/* Where text is, or would be, in the table. */
static uint32_t *word_slot(const struct lexicon *x, const char *text, size_t len)
{
    uint32_t i = hash_text(text, len) & (x->slots - 1);
    for (; x->slot[i] != 0; i = (i + 1) & (x->slots - 1)) {
        const struct word *w = word_at(x, x->slot[i]);
        if (w->len == len && memcmp(w->text, text, len) == 0)
            break;
    }
    return &x->slot[i];
}

static bool grow_slots(struct lexicon *x)
{
    if (x->words * 2 < x->slots)
        return true;
    uint32_t *old = x->slot, slots = x->slots == 0 ? 256 : x->slots * 2;
    uint32_t *fresh = xcalloc(slots, sizeof *fresh);
    if (fresh == NULL)
        return false;
    x->slot = fresh;
    x->slots = slots;
    for (uint32_t id = 1; id <= x->words; id++)
        *word_slot(x, word_at(x, id)->text, word_at(x, id)->len) = id;
    xfree(old);
    return true;
}

static uint32_t word_add(struct lexicon *x, const char *text, size_t len) /* 0: no room */
{
    uint32_t chunk = x->words / CHUNK_WORDS;
    if (chunk == CHUNKS)
        return 0;
    if (x->chunk[chunk] == NULL && (x->chunk[chunk] = xcalloc(CHUNK_WORDS, sizeof(struct word))) == NULL)
        return 0;
    char *copy = xmemdup(text, len);
    if (copy == NULL)
        return 0;
    *word_at(x, x->words + 1) = (struct word){copy, len};
    return ++x->words;
}

static uint32_t word_id(struct lexicon *x, const char *text, size_t len)
{
    if (!grow_slots(x))
        return 0;
    uint32_t *slot = word_slot(x, text, len);
    if (*slot == 0)
        *slot = word_add(x, text, len);
    return *slot;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t';
}

/* The end of the word that begins at i: its blanks come first. */
static size_t word_end(const char *text, size_t i, size_t len)
{
    while (i < len && is_space(text[i]))
        i++;
    while (i < len && !is_space(text[i]))
        i++;
    return i;
}

static bool encode_words(struct lexicon *x, const char *text, size_t len, struct ids *out)
{
    for (size_t i = 0; i < len;) {
        size_t start = i;
        i = word_end(text, i, len);
        uint32_t id = word_id(x, text + start, i - start);
        if (id == 0 || !ids_add(out, id))
            return false;
    }
    return true;
}

static bool encode_letters(const char *text, size_t len, struct ids *out)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = utf8_decode(text + i, len - i, &code);
        if (!ids_add(out, code != UTF8_BAD ? code : BAD_BYTE + (uint32_t)(unsigned char)text[i]))
            return false;
        i += n;
    }
    return true;
}

/* Decimal numbers with blanks between them. */
int lexicon_encode_ids(const char *text, size_t len, struct ids *out, struct err *e)
{
    for (size_t i = 0; i < len;) {
        size_t start = i;
        uint64_t id = 0;
        for (; i < len && text[i] >= '0' && text[i] <= '9' && id < NO_TOKEN; i++)
            id = id * 10 + (uint64_t)(text[i] - '0');
        bool number = i > start && id < NO_TOKEN && (i == len || is_space(text[i]));
        if (!number && !is_space(text[start])) {
            int n = (int)(len - start < 20 ? len - start : 20);
            return err_set(e, "token ids are numbers below 4294967295 with blanks between them, not '%.*s'", n, text + start);
        }
        if (number && !ids_add(out, (uint32_t)id))
            return err_memory(e, len, "the tokens of a text");
        i += i < len;
    }
    return 0;
}

int lexicon_encode(struct lexicon *x, const char *text, size_t len, struct ids *out, struct err *e)
{
    if (x->kind == TOKENS_MODEL)
        return tokenizer_encode(x->tokenizer, text, len, TOKENIZER_PLAIN, out, e);
    if (x->kind == TOKENS_IDS)
        return lexicon_encode_ids(text, len, out, e);
    bool ok = x->kind == TOKENS_WORDS ? encode_words(x, text, len, out) : encode_letters(text, len, out);
    return ok ? 0 : err_memory(e, len, "the tokens of a text");
}

int lexicon_cut(const struct lexicon *x, const char *text, size_t len,
                void (*piece)(void *ctx, const char *bytes, size_t n), void *ctx, struct err *e)
{
    struct ids ids = {0};
    if (x->kind == TOKENS_MODEL && tokenizer_encode(x->tokenizer, text, len, TOKENIZER_PLAIN, &ids, e) != 0)
        return -1;
    for (size_t i = 0; i < ids.len; i++) {
        size_t n;
        const char *bytes = tokenizer_token_bytes(x->tokenizer, ids.at[i], &n);
        piece(ctx, bytes != NULL ? bytes : "", bytes != NULL ? n : 0);
    }
    ids_free(&ids);
    for (size_t i = 0, end; i < len && x->kind != TOKENS_MODEL; i = end) {
        uint32_t code;
        end = x->kind == TOKENS_LETTERS ? i + utf8_decode(text + i, len - i, &code) : word_end(text, i, len);
        piece(ctx, text + i, end - i);
    }
    return 0;
}

/* ---- text of a token ---------------------------------------------------------------------------------- */

void lexicon_bytes(const struct lexicon *x, uint32_t id, struct buf *out)
{
    char utf8[4];
    size_t n;
    switch (x->kind) {
    case TOKENS_MODEL: {
        const char *bytes = tokenizer_token_bytes(x->tokenizer, id, &n);
        if (bytes != NULL)
            buf_add(out, bytes, n);
        break;
    }
    case TOKENS_WORDS:
        if (id != 0 && id - 1 < CHUNKS * CHUNK_WORDS && x->chunk[(id - 1) / CHUNK_WORDS] != NULL &&
            word_at(x, id)->text != NULL)
            buf_add(out, word_at(x, id)->text, word_at(x, id)->len);
        break;
    case TOKENS_LETTERS:
        if (id >= BAD_BYTE && id - BAD_BYTE < 256)
            buf_putc(out, (char)(id - BAD_BYTE));
        else if ((n = utf8_encode(id, utf8)) > 0)
            buf_add(out, utf8, n);
        break;
    case TOKENS_IDS: buf_printf(out, " %u", id); break;
    }
}

void lexicon_bytes_of(void *lexicon, uint32_t id, struct buf *out)
{
    lexicon_bytes(lexicon, id, out);
}

static void quoted_token(void *ctx, uint32_t id, struct buf *b)
{
    struct buf bytes = {0};
    lexicon_bytes(ctx, id, &bytes);
    if (bytes.len == 0)
        buf_printf(b, "token %u", id);
    else
        quote_bytes(bytes.data, bytes.len, b);
    buf_free(&bytes);
}

struct event_words lexicon_words(const struct lexicon *x)
{
    /* the callbacks only read */
    return (struct event_words){.ctx = (void *)(uintptr_t)x, .token = quoted_token};
}
