#include <string.h>

#include "cli/export.h"
#include "cli/plain.h"
#include "ui/moment.h"

/* The tree at one step, with what the step is and what it changed. */
struct picture_of_tree {
    const struct export *x;
    struct cursor cursor;
    struct moment m;
};

static int tree_open(struct picture_of_tree *t, const struct export *x, struct err *e)
{
    *t = (struct picture_of_tree){.x = x};
    if (cursor_init(&t->cursor, x->feed->tape, e) != 0)
        return -1;
    if (moment_init(&t->m, x->feed->tape, &x->feed->words, e) != 0) {
        cursor_done(&t->cursor);
        return -1;
    }
    moment_load(&t->m, &t->cursor, tape_branch(x->feed->tape), x->step);
    return 0;
}

static void tree_close(struct picture_of_tree *t)
{
    moment_done(&t->m);
    cursor_done(&t->cursor);
}

static bool marked(const struct picture_of_tree *t, uint32_t node) /* as on the screen */
{
    return node != ROOT && moment_marked(&t->m, node);
}

static void sentence(const struct picture_of_tree *t, struct buf *out)
{
    event_sentence(t->m.sc, &t->x->feed->words.said, t->m.step.kind, t->m.step.arg, out);
}

/* ---- Graphviz ------------------------------------------------------------------------------------------- */

enum { DOT_CELLS = 32, DOT_LINE = 64 };

/* Inside a quoted string of DOT a quote and a backslash need a backslash. */
static void dot_text(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

/* A long sentence on several lines: Graphviz does not wrap. */
static void dot_lines(const char *text, struct buf *out)
{
    size_t line = 0;
    for (; *text != '\0'; text++, line++) {
        if (*text == ' ' && line + strcspn(text + 1, " ") >= DOT_LINE) {
            buf_puts(out, "\\n");
            line = 0;
            continue;
        }
        if (*text == '"' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

static void dot_label(const struct picture_of_tree *t, uint32_t node, struct buf *out)
{
    const struct node *n = &t->m.sc.w->node[node];
    struct buf text = {0};
    node_call(t->m.sc.w, node, &text);
    buf_puts(&text, marked(t, node) ? " *" : "");
    dot_text(buf_text(&text), out);
    buf_clear(&text);
    if (node != ROOT) {
        plain_tokens(&t->x->feed->words, node_tokens(t->m.sc, node), node_raw_len(t->m.sc.w, node), DOT_CELLS, &text);
        buf_puts(out, "\\n");
        dot_text(buf_text(&text), out);
        buf_printf(out, "\\n%u token%s, lock %u, hits %u, used at %.15g", n->len, n->len == 1 ? "" : "s", n->lock_ref,
                   n->hit_count, node_last_access(t->m.sc.w, node));
    }
    out->failed = out->failed || text.failed;
    buf_free(&text);
}

static void dot_node(const struct picture_of_tree *t, uint32_t node, struct buf *out)
{
    const struct world *w = t->m.sc.w;
    const struct node *n = &w->node[node];
    buf_printf(out, "  n%u [label=\"", n->id);
    dot_label(t, node, out);
    buf_putc(out, '"');
    buf_puts(out, marked(t, node) ? ", penwidth=3" : "");
    buf_puts(out, node != ROOT && n->lock_ref > 0 ? ", peripheries=2" : "");
    buf_puts(out, "];\n");
    if (node != ROOT)
        buf_printf(out, "  n%u -> n%u%s;\n", w->node[n->parent].id, n->id,
                   moment_on_path(&t->m, node) ? " [penwidth=3]" : "");
}

static void dot(const struct picture_of_tree *t, struct buf *out)
{
    const struct world *w = t->m.sc.w;
    struct buf said = {0};
    sentence(t, &said);
    buf_puts(out, "// thick frame and *: this step changed it; two frames: locked; thick edge: the request's path\n"
                  "digraph radix {\n  graph [labelloc=t, fontname=\"sans-serif\", label=\"");
    dot_text(t->x->feed->title, out);
    buf_printf(out, ", step %u of %u\\n", t->m.at, t->m.length);
    dot_lines(buf_text(&said), out);
    buf_puts(out, "\"];\n  node [shape=box, fontname=\"monospace\"];\n");
    for (uint32_t n = ROOT; n != 0; n = node_preorder(w, n))
        dot_node(t, n, out);
    buf_puts(out, "}\n");
    buf_free(&said);
}

/* ---- JSON ----------------------------------------------------------------------------------------------- */

static void json_string(const char *name, const char *text, size_t n, struct buf *out)
{
    buf_printf(out, "\"%s\":", name);
    buf_json(out, text, n);
    buf_putc(out, ',');
}

static void json_list(const char *name, const uint32_t *at, uint32_t n, struct buf *out)
{
    buf_printf(out, ",\"%s\":[", name);
    for (uint32_t i = 0; i < n; i++)
        buf_printf(out, "%s%u", i > 0 ? "," : "", at[i]);
    buf_putc(out, ']');
}

/* Upstream gives the root the lowest priority there is; the world has 32 bits for it. */
static void json_priority(const struct node *n, struct buf *out)
{
    if ((int32_t)n->priority == ROOT_PRIORITY)
        buf_puts(out, ",\"priority\":-9223372036854775807");
    else
        buf_printf(out, ",\"priority\":%d", (int32_t)n->priority);
}

static void json_text(const struct picture_of_tree *t, uint32_t node, struct buf *out)
{
    struct buf text = {0};
    moment_tokens(&t->m, node_tokens(t->m.sc, node), node_raw_len(t->m.sc.w, node), SIZE_MAX, &text);
    buf_puts(out, ",\"text\":");
    buf_json(out, buf_text(&text), text.len);
    out->failed = out->failed || text.failed;
    buf_free(&text);
}

static void json_node(const struct picture_of_tree *t, uint32_t node, struct buf *out)
{
    const struct world *w = t->m.sc.w;
    const struct node *n = &w->node[node];
    buf_printf(out, "%s\n  {\"id\":%u,\"parent\":", node != ROOT ? "," : "", n->id);
    if (node == ROOT)
        buf_puts(out, "null");
    else
        buf_printf(out, "%u", w->node[n->parent].id);
    buf_printf(out, ",\"lock_ref\":%u,\"hit_count\":%u,\"last_access_time\":%.15g,\"creation_time\":%u", n->lock_ref,
               n->hit_count, node_last_access(w, node), n->creation_time);
    json_priority(n, out);
    buf_printf(out, ",\"evictable\":%s,\"changed\":%s,\"namespace\":", node_evictable(w, node) ? "true" : "false",
               marked(t, node) ? "true" : "false");
    if (n->ns != 0)
        buf_json(out, store_name(t->m.sc.s, n->ns), strlen(store_name(t->m.sc.s, n->ns)));
    else
        buf_puts(out, "null");
    json_text(t, node, out);
    json_list("tokens", node_tokens(t->m.sc, node), node_raw_len(w, node), out);
    json_list("slots", node_slots(t->m.sc, node), n->len, out);
    buf_putc(out, '}');
}

/* Who holds a node: running requests, by the number that people see. */
static void json_requests(const struct world *w, struct buf *out)
{
    bool any = false;
    buf_puts(out, "],\n\"requests\":[");
    for (uint32_t r = 1; r < w->head.request_top; r++) {
        const struct request *q = &w->request[r];
        if (!request_running(q))
            continue;
        buf_printf(out, "%s\n  {\"request\":%u,\"node\":", any ? "," : "", q->rid);
        if (q->node != 0)
            buf_printf(out, "%u", w->node[q->node].id);
        else
            buf_puts(out, "null");
        buf_printf(out, ",\"prompt_tokens\":%u,\"cached_tokens\":%u,\"tokens\":%u}", q->prompt_len, q->cached_len,
                   q->total_len);
        any = true;
    }
    buf_puts(out, "]}\n");
}

static void json(const struct picture_of_tree *t, struct buf *out)
{
    const struct world *w = t->m.sc.w;
    struct buf said = {0};
    sentence(t, &said);
    buf_puts(out, "{\"format\":\"radixscope tree\",\"version\":1,\n");
    json_string("title", t->x->feed->title, strlen(t->x->feed->title), out);
    buf_printf(out, "\"step\":%u,\"steps\":%u,\"event\":\"%s\",", t->m.at, t->m.length, event_info(t->m.step.kind)->name);
    json_string("sentence", buf_text(&said), said.len, out);
    buf_printf(out, "\n\"policy\":\"%s\",\"rules\":\"%s\",\"page_size\":%u,\"clock\":%u,\n", policy_name(w->head.policy),
               w->head.rules == RULES_UNIFIED ? "unified" : "classic", w->head.page_size, w->head.clock);
    buf_printf(out, "\"slots\":{\"pool\":%u,\"free\":%u,\"evictable\":%u,\"protected\":%u,\"held\":%u},\n\"nodes\":[",
               w->head.pool, pool_free_slots(w), w->head.evictable_size, w->head.protected_size, moment_held(&t->m));
    for (uint32_t n = ROOT; n != 0; n = node_preorder(w, n))
        json_node(t, n, out);
    json_requests(w, out);
    buf_free(&said);
}

int export_tree(const struct export *x, struct buf *out, struct err *e)
{
    struct picture_of_tree t;
    if (tree_open(&t, x, e) != 0)
        return -1;
    if (strcmp(x->format, "json") == 0)
        json(&t, out);
    else
        dot(&t, out);
    tree_close(&t);
    return 0;
}
