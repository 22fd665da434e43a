#include "trace/load.h"

#include <string.h>

#include "base/xalloc.h"
#include "trace/mooncake.h"

static bool add_tokens(struct load *l, const uint32_t *tok, uint32_t n)
{
    void *grown = l->token;
    bool room = xgrow(&grown, &l->tokens_cap, l->tokens + n + 1, sizeof *l->token);
    l->token = grown;
    if (room && n > 0)
        memcpy(l->token + l->tokens, tok, n * sizeof *tok);
    l->tokens += room ? n : 0;
    return room;
}

int load_add(struct load *l, const uint32_t *prompt, uint32_t n, const uint32_t *answer, uint32_t out, uint32_t ns,
             struct err *e)
{
    static const uint32_t UNNAMED = 0;
    struct load_request q = {.at = l->tokens, .prompt = n, .out = out > 0 ? out : 1, .ns = ns};
    void *grown = l->request;
    bool room = xgrow(&grown, &l->requests_cap, l->requests + 1, sizeof *l->request);
    l->request = grown;
    if (!room || !add_tokens(l, prompt, n) || !add_tokens(l, out > 0 ? answer : &UNNAMED, q.out))
        return err_memory(e, l->tokens * sizeof *l->token, "a workload");
    q.kv = q.prompt + q.out - 1;
    l->request[l->requests++] = q;
    return 0;
}

void load_free(struct load *l)
{
    xfree(l->token);
    xfree(l->request);
    *l = (struct load){0};
}

struct collecting {
    struct load *load;
    struct runner *runner;
    struct err err;
};

static void collect(void *ctx, const struct runner_report *rep)
{
    struct collecting *k = ctx;
    enum script_kind kind = rep->command->kind;
    if (kind != RXS_REQUEST && kind != RXS_TURN && kind != RXS_INSERT)
        return;
    const char *name = script_text(rep->command, "ns");
    struct engine *en = runner_engine(k->runner);
    uint32_t ns = name != NULL ? store_find(tape_store(engine_tape(en)), name) : 0, made = 0;
    const uint32_t *prompt = rep->ids, *answer = rep->told;
    uint32_t n = rep->units, out = rep->told_n;
    if (rep->spec != NULL) { /* on the model */
        prompt = rep->spec->ids;
        n = rep->spec->n;
        answer = engine_generated(en, rep->request->request, &made);
        out = made;
    }
    if (n > 0 && load_add(k->load, prompt, n, answer, out, ns, &k->err) != 0)
        runner_cancel(k->runner);
}

/* Large enough for everything: what requests and answers are does not depend on the pool. */
enum { ROOMY = 1 << 22 };

struct runner *load_script(struct load *l, const struct script *s, const struct runner_config *cfg, struct err *e)
{
    struct collecting k = {.load = l};
    struct script_settings settings = *cfg->settings;
    struct runner_config own = *cfg;
    settings.pool = ROOMY / settings.page * settings.page;
    own.settings = &settings;
    own.no_history = true;
    own.report = collect;
    own.ctx = &k;
    k.runner = runner_new(s, &own, e);
    if (k.runner == NULL)
        return NULL;
    enum run_result rc = runner_script(k.runner, s, e);
    if (rc == RUN_DONE)
        return k.runner;
    if (k.err.set)
        err_set(e, "%s", k.err.what);
    if (rc == RUN_CANCELLED)
        err_set(e, "the workload was interrupted");
    runner_free(k.runner);
    return NULL;
}

int load_trace(struct load *l, struct lines *lines, struct err *e)
{
    struct mooncake *m = mooncake_new(lines, 0, e);
    struct mooncake_request q;
    int more = m != NULL ? 1 : -1;
    while (more > 0 && (more = mooncake_next(m, &q, e)) > 0)
        if (q.n > 0 && load_add(l, q.ids, q.n, NULL, 0, 0, e) != 0)
            more = -1;
    mooncake_free(m);
    return more;
}
