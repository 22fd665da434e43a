#include "cli/inside.h"

#include <stdlib.h>
#include <string.h>

#include "engine/observe.h"
#include "ui/insight.h"

/* ---- a run on a worker ------------------------------------------------------------------------------------ */

static bool live_observed(void *ctx, struct observed *out)
{
    const struct inside *in = ctx;
    return engine_observed(runner_engine(worker_runner(in->worker)), out);
}

static int live_ask(void *ctx, const struct inquiry *q, struct err *e)
{
    const struct inside *in = ctx;
    if (runner_model(worker_runner(in->worker)) == NULL)
        return err_set(e, "no model runs here");
    int rc = study_ask(in->study, q, e);
    if (rc == 0 && in->wait)
        worker_wait(in->worker);
    return rc;
}

static int live_answer(void *ctx, const struct inquiry *q, struct answer *out)
{
    return study_answer(((const struct inside *)ctx)->study, q, out);
}

struct ui_evidence inside_live(struct inside *in)
{
    return (struct ui_evidence){.observed = live_observed, .ask = live_ask, .answer = live_answer, .ctx = in};
}

/* ---- a recording -------------------------------------------------------------------------------------------- */

static bool recorded(void *ctx, struct observed *out)
{
    return recording_observed(ctx, out);
}

static int recorded_ask(void *ctx, const struct inquiry *q, struct err *e)
{
    return recording_answer(ctx, q) != NULL ? 0 : err_set(e, "not recorded");
}

static int recorded_answer(void *ctx, const struct inquiry *q, struct answer *out)
{
    return answer_copy(out, recording_answer(ctx, q));
}

struct ui_evidence inside_recording(const struct recording *r)
{
    return (struct ui_evidence){.observed = recorded, .ask = recorded_ask, .answer = recorded_answer, .recording = true,
                                .ctx = (void *)(uintptr_t)r}; /* only read */
}

/* ---- the conversation --------------------------------------------------------------------------------------- */

static void print_list(const struct list *l, struct buf *out)
{
    for (int i = 0; i < l->n; i++) {
        const char *text = list_text(l, i);
        size_t n = strlen(text);
        while (n > 0 && text[n - 1] == ' ')
            n--;
        buf_printf(out, "  %.*s", (int)n, text);
        if (l->line[i].step != 0)
            buf_printf(out, "  (step %u)", l->line[i].step);
        buf_putc(out, '\n');
    }
}

struct talk {
    struct insight in;
    struct list list;
    struct look look;
};

static void talk_begin(struct session *s, struct talk *t)
{
    struct cursor *c = &s->plain.cursor;
    insight_load(&t->in, &s->evidence, &s->plain.words, c, c->at);
}

static void talk_end(struct talk *t, struct buf *out)
{
    print_list(&t->list, out);
    list_done(&t->list);
    insight_done(&t->in);
}

/* The next number of `text`, if it is smaller than `end`. */
static int next_number(const char **text, const char *what, uint32_t end, uint32_t *out, struct err *e)
{
    char *behind;
    *text += strspn(*text, " ");
    if (**text == '\0')
        return 0;
    unsigned long n = strtoul(*text, &behind, 10);
    if (**text < '0' || **text > '9' || (*behind != '\0' && *behind != ' ') || n >= end)
        return err_set(e, "%s is a number from 0 to %u, not '%.40s'", what, end - 1, *text);
    *out = (uint32_t)n;
    *text = behind;
    return 0;
}

static int no_more(const char *text, struct err *e)
{
    text += strspn(text, " ");
    return *text == '\0' ? 0 : err_set(e, "'%.40s' is too much", text);
}

/* "LAYER HEAD" into the look; the head only where it is wanted. */
static int read_place(struct talk *t, const char *rest, bool head, struct err *e)
{
    const struct model_shape *s = &t->in.observed.shape;
    if (!t->in.rows)
        return 0; /* the list says why there are none */
    if (next_number(&rest, "the layer", s->layers, &t->look.layer, e) != 0)
        return -1;
    if (head && next_number(&rest, "the head", s->heads, &t->look.head, e) != 0)
        return -1;
    return no_more(rest, e);
}

int inside_forward(struct session *s, const char *rest, struct buf *out, struct err *e)
{
    struct talk t = {0};
    talk_begin(s, &t);
    int rc = read_place(&t, rest, false, e);
    if (rc == 0)
        insight_forward(&t.list, &t.in, s->plain.cursor.tape, cursor_scene(&s->plain.cursor), &t.look);
    talk_end(&t, out);
    return rc;
}

int inside_attention(struct session *s, const char *rest, struct buf *out, struct err *e)
{
    struct talk t = {0};
    talk_begin(s, &t);
    int rc = read_place(&t, rest, true, e);
    if (rc == 0)
        insight_attention(&t.list, &t.in, &t.look);
    talk_end(&t, out);
    return rc;
}

int inside_logits(struct session *s, struct buf *out, struct err *e)
{
    struct talk t = {0};
    (void)e;
    talk_begin(s, &t);
    insight_logits(&t.list, &t.in, s->plain.cursor.tape);
    if (t.list.n == 0)
        list_add(&t.list, 0, 0, "No forward pass has run by this step.");
    talk_end(&t, out);
    return 0;
}

int inside_lens(struct session *s, const char *rest, struct buf *out, struct err *e)
{
    const struct head *h = &s->plain.cursor.w->head;
    struct talk t = {0};
    if (*rest == '\0')
        return err_set(e, "lens needs a slot: lens SLOT [LAYER [HEAD]]");
    talk_begin(s, &t);
    int rc = next_number(&rest, "the slot", h->pool + h->page_size, &t.look.slot, e);
    if (rc == 0 && t.look.slot < h->page_size)
        rc = err_set(e, "slots begin at %u", h->page_size);
    if (rc == 0)
        rc = read_place(&t, rest, true, e);
    if (rc == 0)
        insight_lens(&t.list, &t.in, &s->plain.cursor, &t.look);
    talk_end(&t, out);
    return rc;
}

/* "[REQUEST] [exact|fast]" */
static int read_question(const struct session *s, const char *rest, struct inquiry *q, struct err *e)
{
    size_t mode;
    q->fast = s->fast;
    if (*rest >= '0' && *rest <= '9' && next_number(&rest, "the request", UINT32_MAX, &q->rid, e) != 0)
        return -1;
    rest += strspn(rest, " ");
    mode = strcspn(rest, " ");
    if (mode > 0 && strncmp(rest, "fast", mode) != 0 && strncmp(rest, "exact", mode) != 0)
        return err_set(e, "proof is told exact or fast, not '%.40s'", rest);
    if (mode > 0)
        q->fast = *rest == 'f';
    return no_more(rest + mode, e);
}

int inside_proof(struct session *s, const char *rest, struct buf *out, struct err *e)
{
    struct talk t = {0};
    talk_begin(s, &t);
    struct inquiry q = {.about = ASK_PROOF, .branch = s->plain.cursor.branch,
                         .rid = t.in.found == 0 ? t.in.pass.rid : 0};
    int rc = read_question(s, rest, &q, e);
    if (rc == 0 && q.rid == 0)
        rc = err_set(e, "no request has run by this step; proof REQUEST names one");
    if (rc == 0) {
        insight_ask(&t.in, &q);
        insight_proof(&t.list, &t.in, cursor_scene(&s->plain.cursor));
    }
    talk_end(&t, out);
    return rc;
}

int inside_reach(struct session *s, struct buf *out, struct err *e)
{
    struct talk t = {0};
    const struct cursor *c = &s->plain.cursor;
    (void)e;
    talk_begin(s, &t);
    struct inquiry q = {.about = ASK_EFFECT, .branch = c->branch, .step = effect_find(c->tape, c->branch, c->at)};
    if (q.step != 0)
        insight_ask(&t.in, &q);
    insight_effect(&t.list, &t.in, cursor_scene(c), c->branch);
    talk_end(&t, out);
    return 0;
}
