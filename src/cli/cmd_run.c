/* radixscope run PROMPT… | FILE.rxs: answers, and what was reused. */
#include <stdio.h>
#include <string.h>

#include "base/quote.h"
#include "cli/interrupt.h"
#include "cli/plain.h"
#include "cli/source.h"

struct run {
    const struct cli *cli;
    struct runner *runner;
    struct plain plain;
    bool events, json;
    uint32_t requests, printed;
    struct err err;        /* of writing */
};

static const char *outcome_word(const struct request_report *q)
{
    if (q->outcome == OUTCOME_REFUSED)
        return "refused";
    if (q->outcome == OUTCOME_CANCELLED)
        return "cancelled";
    return q->reason == FINISH_NO_SLOTS ? "cut off" : "answered";
}

static void json_request(struct run *run, const struct runner_report *rep, struct buf *b)
{
    const struct request_report *q = rep->request;
    buf_printf(b, "%s\n  {\"prompt_tokens\":%u,\"cached_tokens\":%u,\"computed_tokens\":%u,\"generated_tokens\":%u,"
               "\"outcome\":\"%s\",\"finish_reason\":", run->requests > 1 ? "," : "", q->prompt_tokens,
               q->cached_tokens, q->computed_tokens, q->generated_tokens, outcome_word(q));
    buf_json(b, finish_reason_text(q->reason), strlen(finish_reason_text(q->reason)));
    buf_printf(b, ",\"seconds\":%.6f,\"flops\":%.0f,\"text\":", q->seconds, q->flops);
    buf_json(b, rep->answer, rep->answer_len);
    buf_putc(b, '}');
}

static void text_request(struct run *run, const struct runner_report *rep, struct buf *b)
{
    const struct request_report *q = rep->request;
    buf_printf(b, "%srequest %u: ", run->requests > 1 ? "\n" : "", run->requests);
    quote_bytes(rep->prompt, rep->prompt_len, b);
    if (q->outcome == OUTCOME_REFUSED) {
        buf_printf(b, "\n  refused: %s\n", q->why);
        return;
    }
    buf_printf(b, "\n  %u prompt tokens: %u from the cache, %u computed; %u generated in %.1f ms\n  %s\n",
               q->prompt_tokens, q->cached_tokens, q->computed_tokens, q->generated_tokens, q->seconds * 1e3,
               rep->answer);
    if (q->why[0] != '\0')
        buf_printf(b, "  (%s)\n", q->why);
    if (q->outcome == OUTCOME_CANCELLED)
        buf_puts(b, "  (cancelled)\n");
}

static void text_command(const struct runner_report *rep, struct buf *b)
{
    switch (rep->command->kind) {
    case RXS_INSERT:
        if (rep->no_slots)
            buf_printf(b, "insert: %u tokens do not fit into the pool\n", rep->units);
        else
            buf_printf(b, "insert: %u tokens were there, %u are new\n", rep->matched, rep->added);
        break;
    case RXS_MATCH: buf_printf(b, "match: %u of %u tokens\n", rep->matched, rep->units); break;
    case RXS_EVICT: buf_printf(b, "evict: %u slot%s free again\n", rep->freed, rep->freed == 1 ? " is" : "s are"); break;
    case RXS_SAY: buf_printf(b, "# %s\n", script_text(rep->command, "text")); break;
    default: break;
    }
}

static void on_report(void *ctx, const struct runner_report *rep)
{
    struct run *run = ctx;
    struct buf b = {0};
    while (run->events && run->printed < rep->after)
        plain_step(&run->plain, ++run->printed, &b);
    if (rep->request != NULL) {
        run->requests++;
        if (run->json)
            json_request(run, rep, &b);
        else
            text_request(run, rep, &b);
    } else if (!run->json) {
        text_command(rep, &b);
    }
    if (cli_print(&b, &run->err) != 0 || cli_flush(&run->err) != 0)
        runner_cancel(run->runner); /* nobody reads any more */
}

static void cancel_runner(void *ctx)
{
    runner_cancel(ctx);
}

static int run_all(struct run *run, const struct source *s, struct err *e)
{
    struct interrupt interrupt;
    struct buf b = {0};
    if (interrupt_begin(&interrupt, cancel_runner, run->runner, e) != 0)
        return -1;
    if (run->json)
        buf_puts(&b, "{\"requests\":[");
    cli_print(&b, &run->err);
    enum run_result rc = runner_script(run->runner, s->script, e);
    interrupt_end(&interrupt);
    if (run->json)
        buf_puts(&b, run->requests > 0 ? "\n]}\n" : "]}\n");
    cli_print(&b, &run->err);
    if (run->err.set) {
        *e = run->err;
        return -1;
    }
    if (rc == RUN_CANCELLED) {
        fflush(stdout);
        fputs("radixscope: interrupted: the request that ran was given up, the ones above are complete\n", stderr);
        return interrupt_code(&interrupt);
    }
    return rc != RUN_DONE ? -1 : runner_refused(run->runner) > 0 ? 1 : 0;
}

static int run_source(struct run *run, struct source *s, struct err *e)
{
    s->config.report = on_report;
    s->config.ctx = run;
    s->config.no_history = s->prompts && !run->events;
    run->runner = runner_new(s->script, &s->config, e);
    if (run->runner == NULL)
        return -1;
    struct ui_words words = source_words(runner_lexicon(run->runner));
    int rc = plain_init(&run->plain, runner_tape(run->runner), &words, e);
    if (rc == 0)
        rc = run_all(run, s, e);
    plain_done(&run->plain);
    runner_free(run->runner);
    return rc;
}

int cmd_run(struct cli *c, struct err *e)
{
    struct run run = {.cli = c, .events = cli_has(c, OPT_PLAIN), .json = cli_has(c, OPT_JSON)};
    struct source s;
    if (run.events && run.json)
        return err_usage(e, "--plain and --json exclude each other");
    int rc = source_open(&s, c, true, NULL, e);
    if (rc == 0)
        rc = run_source(&run, &s, e);
    source_done(&s);
    return rc;
}
