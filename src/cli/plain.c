#include "cli/plain.h"

#include <ctype.h>

#include "base/quote.h"
#include "base/utf8.h"

enum { EDGE_CELLS = 48 };

int plain_init(struct plain *p, const struct tape *t, const struct ui_words *words, struct err *e)
{
    p->words = *words;
    return cursor_init(&p->cursor, t, e);
}

void plain_done(struct plain *p)
{
    cursor_done(&p->cursor);
}

void plain_step(struct plain *p, uint32_t n, struct buf *out)
{
    struct step step;
    cursor_seek(&p->cursor, p->cursor.branch, n);
    tape_step(p->cursor.tape, p->cursor.branch, n, &step);
    struct scene sc = cursor_scene(&p->cursor);
    buf_printf(out, "%u ", n);
    for (const char *name = event_info(step.kind)->name; *name != '\0'; name++)
        buf_putc(out, (char)toupper((unsigned char)*name));
    buf_putc(out, ' ');
    event_fields(sc, &p->words.said, step.kind, step.arg, out);
    buf_puts(out, "   ");
    event_sentence(sc, &p->words.said, step.kind, step.arg, out);
    buf_putc(out, '\n');
}

/* ---- a moment --------------------------------------------------------------------------------------- */

static void add_bytes(const struct ui_words *words, uint32_t token, struct buf *b)
{
    if (words->bytes != NULL)
        words->bytes(words->ctx, token, b);
    else
        buf_printf(b, "%u ", token);
}

/* The longest beginning of text that fits into `cells`. */
static size_t fitting(const char *text, size_t n, int cells)
{
    size_t used = 0;
    while (used < n) {
        uint32_t code;
        size_t step = utf8_decode(text + used, n - used, &code);
        cells -= code == UTF8_BAD ? 1 : utf8_width(code);
        if (cells < 0)
            break;
        used += step;
    }
    return used;
}

void plain_tokens(const struct ui_words *words, const uint32_t *tokens, uint32_t n, int cells, struct buf *out)
{
    struct buf text = {0};
    for (uint32_t i = 0; i < n && text.len < (size_t)cells * 4 + 16; i++)
        add_bytes(words, tokens[i], &text);
    size_t fits = fitting(buf_text(&text), text.len, cells);
    quote_bytes(buf_text(&text), fits, out);
    if (fits < text.len)
        buf_puts(out, "...");
    buf_free(&text);
}

static void add_counted(struct buf *b, uint32_t n, const char *noun)
{
    buf_printf(b, "%u %s%s", n, noun, n == 1 ? "" : "s");
}

static uint32_t node_level(const struct world *w, uint32_t node)
{
    uint32_t level = 0;
    for (; node != ROOT; node = w->node[node].parent)
        level++;
    return level;
}

static void scene_node(struct scene sc, const struct ui_words *words, uint32_t node, struct buf *out)
{
    const struct node *n = &sc.w->node[node];
    buf_printf(out, "%*s", (int)(2 * node_level(sc.w, node)), "");
    node_call(sc.w, node, out);
    buf_puts(out, "  ");
    add_counted(out, n->len, "token");
    buf_puts(out, "  ");
    plain_tokens(words, node_tokens(sc, node), node_raw_len(sc.w, node), EDGE_CELLS, out);
    buf_printf(out, "  lock %u  hits %u  used at %u", n->lock_ref, n->hit_count, n->last_access);
    if (n->ns != 0)
        buf_printf(out, "  namespace %s", store_name(sc.s, n->ns));
    buf_putc(out, '\n');
}

static void scene_slots(struct scene sc, struct buf *out)
{
    const struct world *w = sc.w;
    uint32_t free = pool_free_slots(w);
    buf_printf(out, "slots: %u in the pool, %u used, %u free", w->head.pool, w->head.pool - free, free);
    if (w->head.page_size > 1)
        buf_printf(out, ", pages of %u", w->head.page_size);
    buf_putc(out, '\n');
    for (uint32_t n = node_preorder(w, ROOT); n != 0; n = node_preorder(w, n)) {
        const uint32_t *slot = node_slots(sc, n);
        uint32_t len = w->node[n].len;
        buf_puts(out, "  ");
        node_call(w, n, out);
        for (uint32_t i = 0; i < len;) {
            uint32_t k = i + 1;
            while (k < len && slot[k] == slot[k - 1] + 1)
                k++;
            buf_printf(out, k - i > 1 ? " %u-%u" : " %u", slot[i], slot[k - 1]);
            i = k;
        }
        buf_putc(out, '\n');
    }
}

static const char *state_text(const struct request *q)
{
    switch (q->state) {
    case REQ_WAITING: return "waiting";
    case REQ_PREFILL: return "prefill";
    case REQ_DECODE: return "generating";
    case REQ_FINISHED: return q->finish_reason == FINISH_NO_SLOTS ? "cut off" : "answered";
    case REQ_REFUSED: return "refused";
    case REQ_ABORTED: return "aborted";
    default: return "unused";
    }
}

static void scene_request(struct scene sc, const struct ui_words *words, uint32_t req, struct buf *out)
{
    const struct request *q = &sc.w->request[req];
    const uint32_t *tokens = sc.w->row_token + q->row_off;
    buf_printf(out, "request %u", q->rid);
    if (q->label != 0)
        buf_printf(out, " (%s)", store_name(sc.s, q->label));
    buf_printf(out, ": %s, ", state_text(q));
    add_counted(out, q->prompt_len, "prompt token");
    buf_printf(out, ", %u cached, %u generated\n  prompt ", q->cached_len, q->total_len - q->prompt_len);
    plain_tokens(words, tokens, q->prompt_len, 2 * EDGE_CELLS, out);
    if (q->total_len > q->prompt_len) {
        buf_puts(out, "\n  answer ");
        plain_tokens(words, tokens + q->prompt_len, q->total_len - q->prompt_len, 2 * EDGE_CELLS, out);
    }
    buf_putc(out, '\n');
}

void plain_scene(struct scene sc, const struct ui_words *words, struct buf *out)
{
    const struct world *w = sc.w;
    buf_puts(out, "tree: ");
    add_counted(out, w->head.node_count - 1, "node");
    buf_puts(out, " below the root, ");
    add_counted(out, w->head.evictable_size + w->head.protected_size, "token");
    buf_printf(out, " (%u evictable, %u protected)\n", w->head.evictable_size, w->head.protected_size);
    for (uint32_t n = node_preorder(w, ROOT); n != 0; n = node_preorder(w, n))
        scene_node(sc, words, n, out);
    scene_slots(sc, out);
    for (uint32_t r = 1; r < w->head.request_top; r++)
        if (w->request[r].state != REQ_FREE)
            scene_request(sc, words, r, out);
}
