#include "script/runner.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/quote.h"
#include "base/xalloc.h"
#include "engine/sched.h"
#include "script/past.h"
#include "engine/poison.h"
#include "engine/told.h"
#include "model/chat.h"
#include "model/lora.h"
#include "script/expect.h"
#include "script/nearest.h"
#include "script/workload.h"

struct message {
    const char *role;
    char *text;                    /* owned */
    size_t len;
    size_t before;                 /* what it was said after: its number from 1, 0: it began there */
    size_t depth;                  /* messages up to it */
};

struct held {                      /* what `lock` holds under a name */
    char *name;                    /* owned */
    uint32_t node;
};

struct sent {                      /* with a schedule: a request that has not ended yet */
    uint32_t req;
    char *text;                    /* owned; the user's */
    size_t len;
};

struct loaded {                    /* by `adapter` */
    struct lora *lora;             /* owned */
};

struct runner {
    struct runner_config cfg;
    struct script_settings settings;
    char *title;                   /* owned; settings.title */
    struct model *model;
    bool own_model;
    struct lexicon *words;
    struct engine *engine;
    struct message *message;       /* (messages) of all conversations, each the system prompt first if it has one */
    size_t messages, messages_cap;
    size_t talk;                   /* the last message of the one that `turn` continues, from 1; 0: there is none */
    char *system;                  /* owned; for the conversations that begin from here on */
    size_t system_len;
    struct held *held;             /* (helds) */
    size_t helds, helds_cap;
    struct loaded *adapter;        /* (adapters) */
    size_t adapters, adapters_cap;
    struct sent *sent;             /* (sents) */
    size_t sents, sents_cap;
    struct ids ids;                /* of the command at hand */
    struct ids told;               /* of its answer, where that is given */
    struct sampling sampling;      /* of the request at hand */
    struct sample_params params;
    struct buf answer;
    struct past past;              /* what ran, for `rest` */
    struct measured last;          /* what the last action did, for expect */
    uint32_t refused;
    atomic_bool cancel;
};

/* ---- making ----------------------------------------------------------------------------------------- */

static int open_model(struct runner *r, struct err *e)
{
    if (r->settings.tokens != TOKENS_MODEL)
        return 0;
    r->model = r->cfg.model;
    if (r->model != NULL)
        return 0;
    r->own_model = true;
    return model_open(r->cfg.model_dir, &r->model, e);
}

static int make_engine(struct runner *r, struct err *e)
{
    const struct script_settings *s = &r->settings;
    struct engine_config cfg = {.world = {.pool = s->pool, .page_size = s->page, .policy = s->policy,
                                          .rules = s->rules, .bug = (uint8_t)s->bug},
                                .model = r->model, .fast = s->fast, .chunk = s->chunk};
    r->engine = engine_new(&cfg, e);
    if (r->engine == NULL)
        return -1;
    if (r->cfg.no_history)
        tape_record(engine_tape(r->engine), false);
    tape_limit(engine_tape(r->engine), r->cfg.history_limit);
    tape_limit_steps(engine_tape(r->engine), r->cfg.step_limit);
    return 0;
}

/* What the clock is reckoned with: this machine, or a device and a model by name or figures. */
static int choose_cost(struct runner *r, struct cost_model *out, struct err *e)
{
    const struct script_schedule *s = &r->settings.schedule;
    *out = cost_default();
    if (s->measured && r->model == NULL) {
        err_set(e, "cost measured needs a model to measure, and none runs here");
        return err_hint(e, "name a GPU and a model: cost gpu=h100 model=llama-3.1-8b");
    }
    if (s->measured && cost_measure(r->model, out, e) != 0)
        return -1;
    if ((s->gpu != NULL && cost_device(s->gpu, &out->device, e) != 0) ||
        (s->model != NULL && cost_shape(s->model, &out->shape, e) != 0))
        return -1;
    if ((s->tflops > 0) != (s->gbps > 0))
        return err_set(e, "a device is given by both of its figures: tflops=… gbps=…");
    if (s->tflops > 0)
        out->device = (struct cost_device){"a device", s->tflops * 1e12, s->gbps * 1e9};
    out->overhead = s->overhead / 1e3;
    return 0;
}

/* Milliseconds as they are written to microseconds. */
static uint64_t microseconds(double ms)
{
    return ms > 0 && ms < 1e12 ? (uint64_t)(ms * 1e3 + 0.5) : 0;
}

static uint32_t limit(double ms)
{
    return microseconds(ms) < UINT32_MAX ? (uint32_t)microseconds(ms) : UINT32_MAX;
}

static int make_schedule(struct runner *r, struct err *e)
{
    const struct script_schedule *s = &r->settings.schedule;
    if (!s->on)
        return 0;
    struct sched_config cfg = {.policy = (enum sched_policy)s->policy, .priorities = s->priorities, .low_first = s->low_first,
                               .preempt = s->preempt, .max_running = s->batch, .max_prefill = s->prefill,
                               .chunk = r->settings.chunk, .slo_first = limit(s->ttft), .slo_gap = limit(s->itl)};
    return choose_cost(r, &cfg.cost, e) != 0 || sched_begin(r->engine, &cfg, e) != 0 ? -1 : 0;
}

struct runner *runner_new(const struct script *s, const struct runner_config *cfg, struct err *e)
{
    struct runner *r = xcalloc(1, sizeof *r);
    if (r == NULL) {
        err_memory(e, sizeof *r, "a run");
        return NULL;
    }
    r->cfg = *cfg;
    atomic_init(&r->cancel, false);
    if (cfg->settings != NULL)
        r->settings = *cfg->settings;
    else
        script_settings(s, &r->settings);
    r->title = xstrdup(r->settings.title);
    r->settings.title = r->title;
    int rc = r->title == NULL ? err_memory(e, 64, "a title") : script_check(s, &r->settings, e);
    if (rc != 0 || open_model(r, e) != 0 ||
        (r->words = lexicon_new(r->settings.tokens, r->model, e)) == NULL || make_engine(r, e) != 0 || make_schedule(r, e) != 0) {
        runner_free(r);
        return NULL;
    }
    return r;
}

static void forget_sent(struct runner *r);

/* No conversation is under way. With history `rest` may come back to it. */
static void forget_messages(struct runner *r)
{
    while (r->cfg.no_history && r->messages > 0)
        xfree(r->message[--r->messages].text);
    r->talk = 0;
}

void runner_free(struct runner *r)
{
    if (r == NULL)
        return;
    engine_free(r->engine);
    lexicon_free(r->words);
    for (size_t i = 0; i < r->adapters; i++)
        lora_close(r->adapter[i].lora);
    xfree(r->adapter);
    forget_sent(r);
    xfree(r->sent);
    if (r->own_model)
        model_close(r->model);
    while (r->messages > 0)
        xfree(r->message[--r->messages].text);
    xfree(r->message);
    for (size_t i = 0; i < r->helds; i++)
        xfree(r->held[i].name);
    xfree(r->held);
    xfree(r->system);
    past_free(&r->past);
    xfree(r->title);
    ids_free(&r->ids);
    ids_free(&r->told);
    buf_free(&r->answer);
    xfree(r);
}

struct engine *runner_engine(struct runner *r)
{
    return r->engine;
}

struct tape *runner_tape(struct runner *r)
{
    return engine_tape(r->engine);
}

struct model *runner_model(struct runner *r)
{
    return r->model;
}

const struct lexicon *runner_lexicon(const struct runner *r)
{
    return r->words;
}

const struct script_settings *runner_settings(const struct runner *r)
{
    return &r->settings;
}

uint32_t runner_refused(const struct runner *r)
{
    return r->refused;
}

void runner_cancel(struct runner *r)
{
    atomic_store(&r->cancel, true);
    engine_cancel(r->engine);
}

void runner_uncancel(struct runner *r)
{
    atomic_store(&r->cancel, false);
}

/* The last moment up to *at at which nothing is under way: an operation has ended and no request runs. Whoever
 * acted in between would leave slots and locks that nobody gives back. */
static int quiet_moment(const struct tape *t, int branch, uint32_t *at, struct err *e)
{
    struct cursor c;
    if (cursor_init(&c, t, e) != 0)
        return -1;
    for (cursor_seek(&c, branch, *at); c.at > 1; cursor_seek(&c, branch, c.at - 1)) {
        struct step step;
        tape_step(t, branch, c.at, &step);
        if (step.settled && c.w->head.request_count == 0)
            break;
    }
    *at = c.at > 1 ? c.at : 1; /* step 1 says what the world was made with */
    cursor_done(&c);
    return 0;
}

int runner_act_at(struct runner *r, int branch, uint32_t at, struct err *e)
{
    const struct tape *t = runner_tape(r);
    if (branch >= tape_branches(t) || at > tape_length(t, branch))
        return err_set(e, "there is no step %u on branch %d", at, branch);
    if (tape_branch(t) == branch && tape_length(t, branch) == at)
        return 0; /* it goes on where it is, also with scheduled requests under way */
    if (quiet_moment(t, branch, &at, e) != 0)
        return -1;
    if (tape_branch(t) == branch && tape_length(t, branch) == at)
        return 0;
    r->talk = past_talk(&r->past, t, branch, at); /* of that moment */
    forget_sent(r);
    return engine_act_at(r->engine, branch, at, e);
}

int runner_accepts(const struct runner *r, const struct script *s, struct err *e)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct script_command_info *info = script_info(s->command[i].kind);
        if (info->role == ROLE_SETTING) {
            script_fail(s, &s->command[i], 0, e, "%s is a setting of the whole run, which has begun", info->name);
            return err_hint(e, s->command[i].kind == RXS_POLICY ? "use: set policy NAME"
                                                                : "put it into a script's first lines");
        }
    }
    return script_check(s, &r->settings, e);
}

/* ---- conversations ----------------------------------------------------------------------------------- */

static int add_message(struct runner *r, const char *role, const char *text, size_t len, struct err *e)
{
    void *grown = r->message;
    bool room = xgrow(&grown, &r->messages_cap, r->messages + 1, sizeof *r->message);
    r->message = grown;
    char *copy = room ? xmalloc(len + 1) : NULL;
    if (copy == NULL)
        return err_memory(e, len, "a message");
    memcpy(copy, text, len);
    copy[len] = '\0';
    r->message[r->messages++] = (struct message){role, copy, len, r->talk, r->talk > 0 ? r->message[r->talk - 1].depth + 1 : 1};
    r->talk = r->messages;
    return 0;
}

static int render_messages(struct runner *r, struct err *e)
{
    size_t n = r->message[r->talk - 1].depth;
    struct chat_message *list = xcalloc(n, sizeof *list);
    if (list == NULL)
        return err_memory(e, n * sizeof *list, "a conversation");
    for (size_t i = n, at = r->talk; i > 0; at = r->message[at - 1].before) {
        const struct message *m = &r->message[at - 1];
        list[--i] = (struct chat_message){m->role, m->text, m->len};
    }
    int rc = chat_render(r->model, list, n, true, &r->ids, e);
    xfree(list);
    return rc;
}

/* The prompt's tokens into r->ids; the message stays at the conversation's end. */
static int make_prompt(struct runner *r, const struct script_command *c, struct err *e)
{
    const struct script_arg *text = script_arg(c, "text");
    ids_clear(&r->ids);
    if (script_arg(c, "ids") != NULL) {
        forget_messages(r);
        return lexicon_encode_ids(text->text, text->len, &r->ids, e);
    }
    if (script_arg(c, "raw") != NULL) {
        forget_messages(r);
        return lexicon_encode(r->words, text->text, text->len, &r->ids, e);
    }
    if (c->kind == RXS_TURN && r->talk == 0) {
        err_set(e, "turn continues a conversation, and none has been answered yet");
        return err_hint(e, "begin one with request");
    }
    if (c->kind == RXS_REQUEST) {
        forget_messages(r);
        if (r->system != NULL && add_message(r, "system", r->system, r->system_len, e) != 0)
            return -1;
    }
    if (add_message(r, "user", text->text, text->len, e) != 0)
        return -1;
    return render_messages(r, e);
}

/* ---- adapters ------------------------------------------------------------------------------------------- */

static struct lora *find_adapter(const struct runner *r, const char *name)
{
    for (size_t i = 0; i < r->adapters; i++)
        if (strcmp(lora_name(r->adapter[i].lora), name) == 0)
            return r->adapter[i].lora;
    return NULL;
}

/* A folder as it is written, or else inside the model's: adapters belong to one model. */
static void adapter_place(const struct runner *r, const char *dir, struct buf *out)
{
    struct stat st;
    buf_printf(out, "%s/%s", model_get_dir(r->model), dir);
    if (dir[0] != '/' && stat(dir, &st) != 0 && !out->failed && stat(buf_text(out), &st) == 0)
        return;
    buf_clear(out);
    buf_puts(out, dir);
}

static int do_adapter(struct runner *r, const struct script_command *c, struct err *e)
{
    const char *name = script_text(c, "name");
    struct buf dir = {0};
    if (find_adapter(r, name) != NULL)
        return err_set(e, "an adapter called %.60s is loaded already", name);
    void *grown = r->adapter;
    bool room = xgrow(&grown, &r->adapters_cap, r->adapters + 1, sizeof *r->adapter);
    r->adapter = grown;
    adapter_place(r, script_text(c, "folder"), &dir);
    int rc = !room || dir.failed ? err_memory(e, 64, "an adapter")
                                 : lora_open(buf_text(&dir), name, r->model, &r->adapter[r->adapters].lora, e);
    r->adapters += rc == 0;
    buf_free(&dir);
    return rc;
}

static int unknown_adapter(const struct runner *r, const char *name, struct err *e)
{
    struct nearest near = {0};
    for (size_t i = 0; i < r->adapters; i++)
        nearest_try(&near, name, lora_name(r->adapter[i].lora));
    err_set(e, "no adapter called %.60s is loaded", name);
    return near.name != NULL ? err_hint(e, "did you mean %s?", near.name)
                             : err_hint(e, "load it with: adapter NAME \"folder\"");
}

/* Which adapter the request runs with, into *spec. */
static int choose_adapter(const struct runner *r, const struct script_command *c, struct request_spec *spec,
                          struct err *e)
{
    const char *name = script_text(c, "adapter");
    spec->shared_namespace = script_arg(c, "shared_namespace") != NULL;
    spec->lora = name != NULL ? find_adapter(r, name) : NULL;
    if (name != NULL && spec->lora == NULL)
        return unknown_adapter(r, name, e);
    if (spec->shared_namespace && name == NULL)
        return err_set(e, "shared_namespace is for a request with an adapter");
    return 0;
}

/* How its tokens are chosen, into r and *spec. */
static int choose_sampling(struct runner *r, const struct script_command *c, struct request_spec *spec, struct err *e)
{
    r->sampling = r->cfg.sampling;
    sampling_read(&r->sampling, c);
    spec->sampling = &r->params;
    spec->stops = r->sampling.stop;
    spec->n_stops = r->sampling.stops;
    return sampling_params(&r->sampling, &r->params, e);
}

static struct request_spec make_spec(const struct runner *r, const struct script_command *c)
{
    uint32_t max = script_count(c, "max", RUNNER_MAX_NEW);
    const struct script_arg *priority = script_arg(c, "priority");
    if (r->cfg.max_new != 0 && max > r->cfg.max_new)
        max = r->cfg.max_new;
    return (struct request_spec){.ids = r->ids.at, .n = (uint32_t)r->ids.len, .max_new = max,
                                 .extra_key = script_text(c, "ns"), .session = script_text(c, "session"),
                                 .label = script_text(c, "label"),
                                 .priority = priority != NULL ? (int32_t)priority->number : 0};
}

/* The generated text without its end token or stop string, into r->answer. */
static void decode_answer(struct runner *r, const struct request_report *out)
{
    uint32_t n;
    const uint32_t *made = engine_generated(r->engine, out->request, &n);
    buf_clear(&r->answer);
    for (uint32_t i = 0; r->model == NULL && i < n; i++)
        lexicon_bytes(r->words, made[i], &r->answer);
    if (r->model == NULL)
        return;
    if (n > 0 && chat_is_end(r->model, made[n - 1]))
        n--;
    tokenizer_decode(model_get_tokenizer(r->model), made, n, &r->answer);
    if (out->reason == FINISH_STOP && out->text_len < r->answer.len) {
        r->answer.len = out->text_len;
        r->answer.data[r->answer.len] = '\0';
    }
}

/* ---- with a schedule -------------------------------------------------------------------------------------- */

/* The tokens of the answer that the script gives: its text, or question marks as many as may be generated. */
static int given_answer(struct runner *r, const struct script_command *c, uint32_t max, struct ids *out, struct err *e)
{
    const struct script_arg *answer = script_arg(c, "answer");
    if (answer != NULL)
        return lexicon_encode(r->words, answer->text, answer->len, out, e);
    struct ids one = {0};
    int rc = lexicon_encode(r->words, "?", 1, &one, e);
    for (uint32_t i = 0; rc == 0 && i < max; i++)
        rc = ids_add(out, one.at[0]) ? 0 : err_memory(e, max * 4, "an answer");
    ids_free(&one);
    return rc;
}

static uint64_t time_of(const struct script_command *c)
{
    const struct script_arg *at = script_arg(c, "at");
    return at != NULL ? microseconds(at->number) : 0;
}

static int remember_sent(struct runner *r, uint32_t req, const struct script_arg *text, struct err *e)
{
    void *grown = r->sent;
    bool room = xgrow(&grown, &r->sents_cap, r->sents + 1, sizeof *r->sent);
    r->sent = grown;
    char *copy = room ? xmemdup(text->text, text->len + 1) : NULL;
    if (copy == NULL)
        return err_memory(e, text->len, "a request");
    r->sent[r->sents++] = (struct sent){req, copy, text->len};
    return 0;
}

static void forget_sent(struct runner *r)
{
    while (r->sents > 0)
        xfree(r->sent[--r->sents].text);
}

/* What became of a request that has ended. Its seconds are the virtual clock's, from arrival to its last token. */
static struct request_report report_of(const struct runner *r, uint32_t req)
{
    const struct world *w = tape_world(engine_tape(r->engine));
    const struct request *q = &w->request[req];
    const struct served *s = &w->served[req];
    bool refused = q->state == REQ_REFUSED;
    struct request_report out = {.request = req, .prompt_tokens = q->prompt_len, .cached_tokens = q->cached_len,
                                 .computed_tokens = refused ? 0 : q->prompt_len - q->cached_len,
                                 .generated_tokens = q->total_len - q->prompt_len, .reason = q->finish_reason,
                                 .text_len = s->text_len};
    out.outcome = refused ? OUTCOME_REFUSED : q->state == REQ_ABORTED ? OUTCOME_CANCELLED : OUTCOME_DONE;
    if (word_time(s->latest) > word_time(s->arrived))
        out.seconds = (double)(word_time(s->latest) - word_time(s->arrived)) / 1e6;
    if (refused)
        snprintf(out.why, sizeof out.why, "%s", finish_reason_text(q->finish_reason));
    return out;
}

/* Tell of everybody who has ended since the last time, in the order in which they were sent. */
static void report_ended(struct runner *r, const struct runner_report *of)
{
    const struct world *w = tape_world(engine_tape(r->engine));
    size_t left = 0;
    for (size_t i = 0; i < r->sents; i++) {
        struct sent *s = &r->sent[i];
        uint32_t state = w->request[s->req].state;
        if (state != REQ_FINISHED && state != REQ_REFUSED && state != REQ_ABORTED) {
            r->sent[left++] = *s;
            continue;
        }
        struct request_report out = report_of(r, s->req);
        struct runner_report rep = *of;
        decode_answer(r, &out);
        rep.request = &out;
        rep.prompt = s->text;
        rep.prompt_len = s->len;
        rep.answer = buf_text(&r->answer);
        rep.answer_len = r->answer.len;
        r->refused += out.outcome == OUTCOME_REFUSED;
        if (r->cfg.report != NULL)
            r->cfg.report(r->cfg.ctx, &rep);
        xfree(s->text);
    }
    r->sents = left;
}

/* A request that will arrive. Its answer is somebody's business later: nothing is reported now. */
static int do_enqueue(struct runner *r, const struct script_command *c, struct request_spec *spec, struct err *e)
{
    const struct script_arg *text = script_arg(c, "text");
    struct ids given = {0};
    struct sched_extra extra = {.at = time_of(c), .routing_key = script_text(c, "routing")};
    uint32_t req;
    ids_clear(&r->ids);
    int rc = r->model != NULL ? make_prompt(r, c, e) : lexicon_encode(r->words, text->text, text->len, &r->ids, e);
    forget_messages(r);
    if (rc != 0)
        return -1;
    *spec = make_spec(r, c);
    if (choose_sampling(r, c, spec, e) != 0 || choose_adapter(r, c, spec, e) != 0)
        return -1;
    if (r->model == NULL) {
        rc = given_answer(r, c, script_arg(c, "max") != NULL ? spec->max_new : 1, &given, e);
        extra.given = given.at;
        extra.n_given = (uint32_t)given.len;
        if (script_arg(c, "max") == NULL)
            spec->max_new = extra.n_given > 0 ? extra.n_given : 1;
    }
    rc = rc == 0 ? sched_enqueue(r->engine, spec, &extra, &req, e) : -1;
    ids_free(&given);
    return rc == 0 ? remember_sent(r, req, text, e) : -1;
}

/* The latest request of that label that is still under way. */
static int do_abort(struct runner *r, const struct script_command *c, struct err *e)
{
    struct scene sc = tape_scene(runner_tape(r));
    const char *label = script_text(c, "label");
    uint32_t name = store_find(sc.s, label), found = 0;
    for (uint32_t q = 1; q < sc.w->head.request_top; q++)
        if (name != 0 && sc.w->request[q].label == name && sc.w->request[q].state != REQ_FREE)
            found = q;
    if (found == 0) {
        err_set(e, "no request has the label %.60s", label);
        return err_hint(e, "give it one: request \"text\" label=%.60s", label);
    }
    return sched_abort(r->engine, found, time_of(c), e);
}

static int do_serve(struct runner *r, const struct script_command *c, bool *cancelled, struct err *e)
{
    int rc = sched_serve(r->engine, script_count(c, "passes", 0), e);
    *cancelled = rc > 0;
    return rc < 0 ? -1 : 0;
}

/* ---- one function a command: 0, or -1 and *e ------------------------------------------------------------ */

static int do_request(struct runner *r, const struct script_command *c, struct runner_report *rep, struct request_spec *spec,
                      struct request_report *out, struct err *e)
{
    if (make_prompt(r, c, e) != 0)
        return -1;
    *spec = make_spec(r, c);
    if (choose_sampling(r, c, spec, e) != 0 || choose_adapter(r, c, spec, e) != 0)
        return -1;
    if (r->cfg.prepare != NULL)
        r->cfg.prepare(r->cfg.ctx, spec);
    if (engine_request(r->engine, spec, out, e) != 0)
        return -1;
    decode_answer(r, out);
    rep->spec = spec;
    rep->request = out;
    rep->prompt = script_arg(c, "text")->text;
    rep->prompt_len = script_arg(c, "text")->len;
    rep->answer = buf_text(&r->answer);
    rep->answer_len = r->answer.len;
    if (r->talk > 0 && out->outcome == OUTCOME_DONE)
        return add_message(r, "assistant", rep->answer, rep->answer_len, e);
    forget_messages(r); /* an unanswered message cannot be continued */
    return 0;
}

/* Without a model: the answer is given, and the cache does what it would do. */
static int do_told(struct runner *r, const struct script_command *c, struct runner_report *rep,
                   struct request_report *out, struct err *e)
{
    const struct script_arg *text = script_arg(c, "text"), *answer = script_arg(c, "answer");
    ids_clear(&r->ids);
    ids_clear(&r->told);
    if (lexicon_encode(r->words, text->text, text->len, &r->ids, e) != 0 ||
        lexicon_encode(r->words, answer->text, answer->len, &r->told, e) != 0)
        return -1;
    struct request_spec spec = make_spec(r, c);
    struct told_request q = {.prompt = r->ids.at, .n = spec.n, .answer = r->told.at, .out = (uint32_t)r->told.len,
                             .extra_key = spec.extra_key, .label = spec.label, .priority = spec.priority};
    struct told_report said;
    if (told_run(engine_cache(r->engine), &q, &said, e) != 0)
        return -1;
    *out = (struct request_report){.outcome = said.refused ? OUTCOME_REFUSED : OUTCOME_DONE,
                                   .request = said.request, .prompt_tokens = q.n, .cached_tokens = said.cached,
                                   .computed_tokens = said.refused ? 0 : q.n - said.cached,
                                   .generated_tokens = said.refused ? 0 : q.out,
                                   .reason = said.refused ? FINISH_NO_SLOTS : FINISH_LENGTH};
    if (said.refused)
        snprintf(out->why, sizeof out->why, "a request of %u tokens is larger than the pool", q.n + q.out - 1);
    rep->request = out;
    rep->ids = q.prompt;
    rep->units = q.n;
    rep->told = q.answer;
    rep->told_n = q.out;
    rep->prompt = text->text;
    rep->prompt_len = text->len;
    rep->answer = answer->text;
    rep->answer_len = answer->len;
    return 0;
}

/* Sentences quote the key as it was typed. */
static int name_key(struct runner *r, const char *text, size_t len, struct err *e)
{
    struct buf quoted = {0};
    quote_bytes(text, len, &quoted);
    if (quoted.failed)
        return err_memory(e, len, "a key");
    quoted.data[quoted.len - 1] = '\0'; /* the sentence has quotes of its own */
    int rc = engine_name_key(r->engine, quoted.data + 1, e);
    buf_free(&quoted);
    return rc;
}

static int do_key(struct runner *r, const struct script_command *c, struct runner_report *rep, struct err *e)
{
    const struct script_arg *text = script_arg(c, "text"), *priority = script_arg(c, "priority");
    const char *ns = script_text(c, "ns");
    uint32_t node;
    ids_clear(&r->ids);
    if (lexicon_encode(r->words, text->text, text->len, &r->ids, e) != 0)
        return -1;
    rep->units = (uint32_t)r->ids.len;
    rep->ids = r->ids.at;
    if (name_key(r, text->text, text->len, e) != 0)
        return -1;
    if (c->kind == RXS_MATCH)
        return engine_match(r->engine, r->ids.at, rep->units, ns, &rep->matched, &node, e);
    int rc = engine_insert(r->engine, r->ids.at, rep->units, ns, priority != NULL ? (int32_t)priority->number : 0,
                           &rep->matched, &rep->added, e);
    rep->no_slots = rc == 1;
    return rc < 0 ? -1 : 0;
}

static int do_remove(struct runner *r, const struct script_command *c, struct runner_report *rep, struct err *e)
{
    const struct script_arg *text = script_arg(c, "text");
    ids_clear(&r->ids);
    if (lexicon_encode(r->words, text->text, text->len, &r->ids, e) != 0)
        return -1;
    rep->units = (uint32_t)r->ids.len;
    if (name_key(r, text->text, text->len, e) != 0)
        return -1;
    return engine_remove(r->engine, r->ids.at, (uint32_t)r->ids.len, script_count(c, "keep", 0), script_text(c, "ns"),
                         &rep->freed, e);
}

static struct held *find_held(struct runner *r, const char *name)
{
    for (size_t i = 0; i < r->helds; i++)
        if (strcmp(r->held[i].name, name) == 0)
            return &r->held[i];
    return NULL;
}

static int do_lock(struct runner *r, const struct script_command *c, struct err *e)
{
    const char *name = script_text(c, "name");
    const struct script_arg *text = script_arg(c, "text");
    if (find_held(r, name) != NULL)
        return err_set(e, "the name %s holds a lock already: unlock it first", name);
    void *grown = r->held;
    bool room = xgrow(&grown, &r->helds_cap, r->helds + 1, sizeof *r->held);
    r->held = grown;
    struct held held = {room ? xstrdup(name) : NULL, 0};
    if (held.name == NULL)
        return err_memory(e, 64, "the name of a lock");
    ids_clear(&r->ids);
    if (lexicon_encode(r->words, text->text, text->len, &r->ids, e) != 0 ||
        name_key(r, text->text, text->len, e) != 0 || engine_name_holder(r->engine, name, e) != 0 ||
        engine_lock(r->engine, r->ids.at, (uint32_t)r->ids.len, script_text(c, "ns"), &held.node, e) != 0) {
        xfree(held.name);
        return -1;
    }
    r->held[r->helds++] = held;
    return 0;
}

static int do_unlock(struct runner *r, const struct script_command *c, struct err *e)
{
    struct held *held = find_held(r, script_text(c, "name"));
    if (held == NULL) {
        err_set(e, "nothing is locked under the name %s", script_text(c, "name"));
        return err_hint(e, "lock NAME \"text\" comes first");
    }
    if (engine_name_holder(r->engine, held->name, e) != 0 || engine_unlock(r->engine, held->node, e) != 0)
        return -1;
    xfree(held->name);
    *held = r->held[--r->helds];
    return 0;
}

static bool option(const struct script_command *c, const char *name, uint32_t *out)
{
    *out = script_count(c, name, 0);
    return script_arg(c, name) != NULL;
}

static int do_poison(struct runner *r, const struct script_command *c, struct err *e)
{
    struct poison p = {.slot = script_count(c, "slot", 0), .bit = script_count(c, "bit", 31)};
    p.one_layer = option(c, "layer", &p.layer);
    p.one_head = option(c, "head", &p.head);
    p.one_dim = option(c, "dim", &p.dim);
    const struct script_arg *part = script_arg(c, "part");
    p.keys = part == NULL || part->number < 1;
    p.values = part == NULL || part->number >= 1;
    return engine_poison(r->engine, &p, e);
}

static int do_system(struct runner *r, const struct script_command *c, struct err *e)
{
    char *copy = xmemdup(c->arg[0].text, c->arg[0].len + 1);
    if (copy == NULL)
        return err_memory(e, c->arg[0].len, "a system prompt");
    xfree(r->system);
    r->system = copy;
    r->system_len = c->arg[0].len;
    if (r->system_len == 0) { /* system "": none */
        xfree(r->system);
        r->system = NULL;
    }
    return 0;
}

static int do_action(struct runner *r, const struct script_command *c, struct runner_report *rep, struct request_spec *spec,
                     struct request_report *out, bool *cancelled, struct err *e)
{
    switch (c->kind) {
    case RXS_SERVE: return do_serve(r, c, cancelled, e);
    case RXS_ABORT: return do_abort(r, c, e);
    case RXS_REQUEST:
        if (sched_on(r->engine))
            return do_enqueue(r, c, spec, e);
        if (r->model == NULL)
            return do_told(r, c, rep, out, e);
        return do_request(r, c, rep, spec, out, e);
    case RXS_TURN: return do_request(r, c, rep, spec, out, e);
    case RXS_INSERT:
    case RXS_MATCH: return do_key(r, c, rep, e);
    case RXS_LOCK: return do_lock(r, c, e);
    case RXS_UNLOCK: return do_unlock(r, c, e);
    case RXS_EVICT: return engine_evict(r->engine, script_count(c, "tokens", 0), &rep->freed, e);
    case RXS_REMOVE: return do_remove(r, c, rep, e);
    case RXS_SET: return engine_set_policy(r->engine, script_count(c, "name", 0), e);
    case RXS_RESET: return engine_reset(r->engine, e);
    case RXS_POISON: return do_poison(r, c, e);
    case RXS_SHARE: return engine_share(r->engine, script_count(c, "slot", 0), script_count(c, "other_slot", 0), e);
    case RXS_SAY: return engine_note(r->engine, script_text(c, "text"), e);
    default: return 0;
    }
}

/* ---- running -------------------------------------------------------------------------------------------- */

static void keep_measured(struct runner *r, const struct runner_report *rep)
{
    r->last = (struct measured){.branch = rep->branch, .before = rep->before, .after = rep->after,
                                .matched = rep->matched, .added = rep->added, .freed = rep->freed,
                                .no_slots = rep->no_slots, .answer = rep->answer, .answer_len = rep->answer_len};
    r->last.has_request = rep->request != NULL;
    if (rep->request != NULL)
        r->last.request = *rep->request;
    if (rep->no_slots || (rep->request != NULL && rep->request->outcome == OUTCOME_REFUSED))
        r->refused++;
}

/* Say where in the script it went wrong, unless the sentence does. */
static enum run_result failed_at(const struct script *s, const struct script_command *c, const struct err *inner,
                                 struct err *e)
{
    script_fail(s, c, 0, e, "%.380s", inner->what);
    if (inner->hint[0] != '\0')
        err_hint(e, "%s", inner->hint);
    return RUN_FAILED;
}

/* Without history nobody will act from an earlier moment. */
static int note_past(struct runner *r, const struct script_command *c, int branch, uint32_t before, uint32_t after,
                     struct err *e)
{
    return r->cfg.no_history ? 0 : past_note(&r->past, c, branch, before, after, r->talk, e);
}

static enum run_result run_action(struct runner *r, const struct script *s, const struct script_command *c, struct err *e)
{
    struct tape *t = runner_tape(r);
    struct request_spec spec;
    struct request_report out = {0};
    struct runner_report rep = {.script = s, .command = c, .branch = tape_branch(t)};
    struct err inner = {0};
    rep.before = tape_length(t, rep.branch);
    size_t talk = r->talk;
    bool cancelled = false;
    int rc = do_action(r, c, &rep, &spec, &out, &cancelled, &inner);
    rep.after = tape_length(t, rep.branch);
    if (rc == 0)
        rc = note_past(r, c, rep.branch, rep.before, rep.after, &inner);
    if (rc != 0) {
        r->talk = talk <= r->messages ? talk : 0; /* it said nothing */
        return failed_at(s, c, &inner, e);
    }
    keep_measured(r, &rep);
    if (r->cfg.report != NULL)
        r->cfg.report(r->cfg.ctx, &rep);
    if (sched_on(r->engine))
        report_ended(r, &rep);
    return cancelled || (rep.request != NULL && out.outcome == OUTCOME_CANCELLED) ? RUN_CANCELLED : RUN_DONE;
}

static enum run_result run_expect(struct runner *r, const struct script *s, const struct script_command *c, struct err *e)
{
    if (!s->unchecked && expect_check(runner_tape(r), &r->last, s, c, e) != 0)
        return RUN_FAILED;
    if (expect_of_refusal(c) && r->refused > 0)
        r->refused--; /* it was meant to be refused */
    return RUN_DONE;
}

/* What followed this moment, once more. The new branch has been begun by runner_act_at. */
static enum run_result run_rest(struct runner *r, const struct script *s, const struct script_command *c, struct err *e)
{
    struct tape *t = runner_tape(r);
    int branch = tape_branch(t);
    struct err inner = {0};
    struct script *rest = past_rest(&r->past, t, branch, tape_length(t, branch), c, &inner);
    if (rest == NULL)
        return failed_at(s, c, &inner, e);
    enum run_result rc = runner_script(r, rest, e);
    script_free(rest);
    return rc;
}

/* The requests of a workload, each run and reported as a command of its own. */
static enum run_result run_workload(struct runner *r, const struct script *s, const struct script_command *c,
                                    struct err *e)
{
    enum workload which;
    struct workload_shape shape;
    struct buf text = {0};
    struct err inner = {0};
    struct script *lines = NULL;
    if (workload_read(c, &which, &shape, &inner) == 0 &&
        workload_write(which, &shape, r->model == NULL, &text, &inner) == 0)
        lines = script_parse("", buf_text(&text), text.len, c->line, &inner);
    buf_free(&text);
    if (lines == NULL)
        return failed_at(s, c, &inner, e);
    for (uint32_t i = 0; i < lines->count; i++) {
        lines->command[i].line = c->line;
        lines->command[i].column = c->column;
    }
    enum run_result rc = runner_script(r, lines, &inner);
    script_free(lines);
    return rc == RUN_FAILED ? failed_at(s, c, &inner, e) : rc;
}

enum run_result runner_command(struct runner *r, const struct script *s, const struct script_command *c, struct err *e)
{
    if (atomic_load(&r->cancel))
        return RUN_CANCELLED;
    if (c->kind == RXS_EXPECT)
        return run_expect(r, s, c, e);
    if (c->kind == RXS_REST)
        return run_rest(r, s, c, e);
    if (c->kind == RXS_RERUN || c->kind == RXS_STATE)
        return script_fail(s, c, 0, e, "%s stands alone on its line", script_info(c->kind)->name) != 0 ? RUN_FAILED : RUN_DONE;
    if (c->kind == RXS_SYSTEM || c->kind == RXS_ADAPTER) {
        struct err inner = {0};
        int rc = c->kind == RXS_SYSTEM ? do_system(r, c, &inner) : do_adapter(r, c, &inner);
        struct tape *t = runner_tape(r);
        uint32_t at = tape_length(t, tape_branch(t));
        rc = rc == 0 ? note_past(r, c, tape_branch(t), at, at, &inner) : rc;
        return rc == 0 ? RUN_DONE : failed_at(s, c, &inner, e);
    }
    if (script_info(c->kind)->role == ROLE_SETTING)
        return RUN_DONE; /* the world was made with it */
    return c->kind == RXS_WORKLOAD ? run_workload(r, s, c, e) : run_action(r, s, c, e);
}

enum run_result runner_script(struct runner *r, const struct script *s, struct err *e)
{
    for (uint32_t i = 0; i < s->count; i++) {
        enum run_result rc = runner_command(r, s, &s->command[i], e);
        if (rc != RUN_DONE)
            return rc;
    }
    return RUN_DONE;
}
