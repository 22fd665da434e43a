/* radixscope compare: cold beside cached. Exit code 1 on any difference. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/quote.h"
#include "base/utf8.h"
#include "cli/interrupt.h"
#include "cli/source.h"
#include "script/compare.h"

#define FAST_TOLERANCE 1e-2 /* of a logit; plain matrix products round differently for other row counts */

/* JSON has no NaN; 0 is written as 0.0, so that every reader sees a real number. */
static void json_number(double v, struct buf *b)
{
    char text[40];
    if (isnan(v) || isinf(v)) {
        buf_puts(b, "null");
        return;
    }
    snprintf(text, sizeof text, "%.9g", v);
    buf_puts(b, text);
    if (strcspn(text, ".e") == strlen(text))
        buf_puts(b, ".0");
}

static void json_side(const char *name, const struct compare_side *s, struct buf *b)
{
    buf_printf(b, ",\"%s\":{\"computed_tokens\":%u,\"seconds\":%.9f,\"flops\":%.0f,\"tokens\":[", name, s->computed,
               s->seconds, s->flops);
    for (uint32_t i = 0; i < s->generated; i++)
        buf_printf(b, "%s%u", i > 0 ? "," : "", s->ids[i]);
    buf_puts(b, "]}");
}

static const char *outcome_word(const struct compare_side *s)
{
    return s->outcome != OUTCOME_DONE ? "refused" : compare_answered(s) ? "answered" : "cut off";
}

static void json_request(const struct compare_request *q, bool first, struct buf *b)
{
    buf_printf(b, "%s{\"prompt_tokens\":%u,\"cached_tokens\":%u,\"generated_tokens\":%u,\"tokens_equal\":%s,"
               "\"max_abs_logit_diff\":", first ? "" : ",", q->prompt_tokens, q->cached_tokens, q->cached.generated,
               q->tokens_equal ? "true" : "false");
    json_number(q->max_diff, b);
    buf_puts(b, ",\"text\":");
    buf_json(b, q->answer, q->answer_len);
    buf_printf(b, ",\"outcome\":\"%s\",\"compared_positions\":%u,\"why\":", outcome_word(&q->cached), q->positions);
    buf_json(b, q->cached.why, strlen(q->cached.why));
    json_side("cached", &q->cached, b);
    json_side("cold", &q->cold, b);
    buf_puts(b, "}");
}

static void json_all(const struct compare *c, const char *mode, bool equal, struct buf *b)
{
    buf_puts(b, "{\"requests\":[");
    for (uint32_t i = 0; i < c->count; i++)
        json_request(&c->request[i], i == 0, b);
    buf_printf(b, "],\"mode\":\"%s\",\"equal\":%s,\"timed_passes\":%u}\n", mode, equal ? "true" : "false", c->passes);
}

/* ---- for people --------------------------------------------------------------------------------------- */

static void put_time(double seconds, struct buf *b)
{
    if (seconds < 0.0995)
        buf_printf(b, "%6.2f ms", seconds * 1e3);
    else if (seconds < 10)
        buf_printf(b, "%6.0f ms", seconds * 1e3);
    else
        buf_printf(b, "%7.1f s", seconds);
}

static void put_flops(double flops, struct buf *b)
{
    if (flops < 1e9)
        buf_printf(b, "%6.1f MF", flops / 1e6);
    else if (flops < 1e12)
        buf_printf(b, "%6.1f GF", flops / 1e9);
    else
        buf_printf(b, "%6.1f TF", flops / 1e12);
}

static void put_quoted(const char *text, size_t n, size_t most, struct buf *b)
{
    size_t used = 0;
    while (used < n && used < most) {
        uint32_t code;
        used += utf8_decode(text + used, n - used, &code);
    }
    quote_bytes(text, used, b);
    if (used < n)
        buf_puts(b, "...");
}

static uint32_t count_answered(const struct compare *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->count; i++)
        n += compare_answered(&c->request[i].cached);
    return n;
}

static void text_request(const struct compare_request *q, uint32_t number, struct buf *b)
{
    buf_printf(b, "request %u  ", number);
    put_quoted(q->prompt, q->prompt_len, 56, b);
    if (q->cached.outcome != OUTCOME_DONE) {
        buf_printf(b, "\n   refused: %s\n", q->cached.why);
        return;
    }
    buf_puts(b, "\n           ");
    put_quoted(q->answer, q->answer_len, 56, b);
    buf_printf(b, "\n   %4u  %4u  %4u of %-4u", q->prompt_tokens, q->cached_tokens, q->cached.computed,
               q->cold.computed);
    put_time(q->cold.seconds, b);
    put_time(q->cached.seconds, b);
    buf_puts(b, "  ");
    put_flops(q->cold.flops, b);
    put_flops(q->cached.flops, b);
    buf_printf(b, "  %-6s  %.3g\n", q->tokens_equal ? "equal" : "DIFFER", q->max_diff);
    if (!compare_answered(&q->cached))
        buf_printf(b, "   cut off: %s\n", q->cached.why);
}

/* What the comparison found. A request that was not answered is no proof of anything. */
/* Another model cuts a scenario's texts into more tokens than its pool was made for. */
static const char *pool_hint(const struct compare *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (c->request[i].cached.reason == FINISH_NO_SLOTS)
            return " Try a larger pool: --pool 1024";
    return "";
}

static void text_verdict(const struct compare *c, double tolerance, bool equal, struct buf *b)
{
    uint32_t answered = count_answered(c), positions = 0;
    double max = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct compare_request *q = &c->request[i];
        positions += q->positions;
        max = isnan(q->max_diff) || q->max_diff > max ? q->max_diff : max;
    }
    if (!equal)
        buf_puts(b, "NOT EQUAL");
    else if (answered == 0)
        buf_printf(b, "Nothing is proved: no request was answered.%s\n", pool_hint(c));
    else if (answered < c->count)
        buf_printf(b, "Only %u of %u requests answered; in these all is equal", answered, c->count);
    else
        buf_puts(b, "Equal");
    if (equal && answered == 0)
        return;
    buf_printf(b, ": largest difference of a logit %.3g over %u positions", max, positions);
    buf_printf(b, tolerance > 0 ? " (fast mode allows %g).\n" : " (exact mode allows none).\n", tolerance);
}

static void text_sums(const struct compare *c, double tolerance, bool equal, struct buf *b)
{
    uint32_t cold = 0, cached = 0;
    double flops = 0, saved = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct compare_request *q = &c->request[i];
        if (q->cached.outcome != OUTCOME_DONE)
            continue;
        cold += q->cold.computed;
        cached += q->cached.computed;
        flops += q->cold.flops;
        saved += q->cold.flops - q->cached.flops;
    }
    buf_putc(b, '\n');
    if (cold > 0)
        buf_printf(b, "%u of %u prompt tokens were not computed again: %.0f %% of the floating point operations saved.\n",
                   cold - cached, cold, flops > 0 ? 100 * saved / flops : 0.0);
    text_verdict(c, tolerance, equal, b);
    if (c->passes > 0 && cold > 0)
        buf_printf(b, "Times: forward passes by the wall clock, %s of %u after an untimed one.\n",
                   c->passes > 1 ? "median" : "one run", c->passes);
}

static void text_all(const struct compare *c, const struct source *s, double tolerance, bool equal, struct buf *b)
{
    buf_printf(b, "%s, %s mode\n\n", s->settings.title, s->settings.fast ? "fast" : "exact");
    buf_puts(b, " prompt reused   computed    time cold   cached   FLOPs cold   cached  tokens  max|dlogit|\n");
    for (uint32_t i = 0; i < c->count; i++)
        text_request(&c->request[i], i + 1, b);
    text_sums(c, tolerance, equal, b);
}

/* ---- the command ------------------------------------------------------------------------------------------ */

static int read_damage(const struct cli *c, enum compare_damage *out, struct err *e)
{
    const char *what = c->option[OPT_BREAK];
    *out = DAMAGE_NONE;
    if (what == NULL)
        return 0;
    if (strcmp(what, "row") != 0 && strcmp(what, "slot") != 0)
        return err_usage(e, "--break is row or slot, not '%.40s'", what);
    *out = strcmp(what, "row") == 0 ? DAMAGE_ROW : DAMAGE_SLOT;
    return 0;
}

static void cancel(void *ctx)
{
    compare_cancel(ctx);
}

static enum run_result run_cancellable(struct compare *c, const struct source *s, enum compare_damage damage,
                                       int *code, struct err *e)
{
    struct interrupt interrupt;
    if (interrupt_begin(&interrupt, cancel, c, e) != 0)
        return RUN_FAILED;
    enum run_result rc = compare_run(c, s->script, &s->config, damage, e);
    interrupt_end(&interrupt);
    *code = interrupt_code(&interrupt);
    return rc;
}

static int compare_source(struct cli *cli, const struct source *s, enum compare_damage damage, struct err *e)
{
    struct compare c = {0};
    struct buf b = {0};
    double tolerance = s->settings.fast ? FAST_TOLERANCE : 0.0;
    bool equal = true;
    int code = 0;
    enum run_result rc = run_cancellable(&c, s, damage, &code, e);
    if (rc == RUN_CANCELLED)
        fputs("radixscope: interrupted; nothing was compared to its end\n", stderr);
    for (uint32_t i = 0; i < c.count; i++)
        equal = equal && compare_equal(&c.request[i], tolerance);
    if (rc == RUN_DONE && c.count == 0)
        rc = (enum run_result)err_set(e, "%s holds no request: there is nothing to compare", s->settings.title);
    if (rc == RUN_DONE && cli_has(cli, OPT_JSON))
        json_all(&c, s->settings.fast ? "fast" : "exact", equal && count_answered(&c) == c.count, &b);
    else if (rc == RUN_DONE)
        text_all(&c, s, tolerance, equal, &b);
    bool all = count_answered(&c) == c.count;
    compare_done(&c);
    if (cli_print(&b, e) != 0 || rc == RUN_FAILED)
        return -1;
    return rc == RUN_CANCELLED ? code : equal && all ? 0 : 1;
}

int cmd_compare(struct cli *c, struct err *e)
{
    struct source s;
    enum compare_damage damage;
    if (read_damage(c, &damage, e) != 0)
        return -1;
    int rc = source_open(&s, c, true, "shared-system-prompt", e);
    if (rc == 0 && s.settings.tokens != TOKENS_MODEL)
        rc = err_set(e, "%s uses no model: there is nothing to compare", s.settings.title);
    if (rc == 0)
        rc = compare_source(c, &s, damage, e);
    source_done(&s);
    return rc;
}
