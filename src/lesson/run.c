#include "lesson/run.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "lesson/race_scene.h"

/* ---- scenes ------------------------------------------------------------------------------------------- */

/* In the thread that runs the command. */
static void keep_request(void *ctx, const struct runner_report *rep)
{
    struct lesson_scene *s = ctx;
    if (s->text != NULL)
        race_scene_note(s, rep);
    if (rep->request == NULL)
        return;
    void *grown = s->request;
    bool room = xgrow(&grown, &s->requests_cap, s->requests + 1, sizeof *s->request);
    s->request = grown;
    if (!room)
        return; /* its flops cannot be asked for */
    uint32_t rid = tape_world(runner_tape(s->runner))->request[rep->request->request].rid;
    s->request[s->requests++] = (struct lesson_request){.branch = rep->branch, .after = rep->after, .rid = rid,
                                                        .flops = rep->request->flops,
                                                        .logit_diff = rep->request->logit_diff};
}

void scene_free(struct lesson_scene *s)
{
    if (s == NULL)
        return;
    if (s->cursor.w != NULL)
        cursor_done(&s->cursor);
    runner_free(s->runner);
    xfree(s->request);
    xfree(s->served);
    xfree(s->text);
    xfree(s);
}

struct lesson_scene *lesson_scene_new(const struct lesson_run *r, const struct script *script, char *text, struct err *e)
{
    struct lesson_scene *s = xcalloc(1, sizeof *s);
    if (s == NULL) {
        xfree(text);
        err_memory(e, sizeof *s, "a scene");
        return NULL;
    }
    s->text = text;
    s->halt = r->host.halt;
    struct runner_config cfg = {.model_dir = r->host.model_dir, .model = r->host.model, .step_limit = LESSON_STEPS,
                                .report = keep_request, .ctx = s};
    s->runner = runner_new(script, &cfg, e);
    if (s->runner != NULL && cursor_init(&s->cursor, runner_tape(s->runner), e) == 0)
        return s;
    scene_free(s);
    return NULL;
}

static int run_commands(struct lesson_scene *s, const struct script *script, struct err *e)
{
    const struct tape *t = runner_tape(s->runner);
    s->ran = 0;
    for (uint32_t i = 0; i < script->count; i++, s->ran++) {
        enum run_result rc = runner_command(s->runner, script, &script->command[i], e);
        if (tape_length(t, tape_branch(t)) > LESSON_STEPS) { /* a single one may bring many: workload, serve */
            err_clear(e);
            return script_fail(script, &script->command[i], 0, e, "a lesson's engine has more than %d steps by now", LESSON_STEPS);
        }
        if (rc != RUN_DONE)
            return e->set ? -1 : err_set(e, "%s was cancelled", script_info(script->command[i].kind)->name);
    }
    return 0;
}

int lesson_scene_run(struct lesson_scene *s, const struct script *script, struct err *e)
{
    if (!lesson_halt_enter(s->halt, s->runner))
        return err_set(e, "it was cancelled before it began");
    int rc = run_commands(s, script, e);
    lesson_halt_leave(s->halt, s->runner);
    return rc;
}

/* ---- blocks ------------------------------------------------------------------------------------------- */

int lesson_scene_keep(struct lesson_run *r, struct lesson_scene *s, struct err *e)
{
    void *grown = r->scene;
    bool room = xgrow(&grown, &r->scenes_cap, r->scenes + 1, sizeof(struct lesson_scene *));
    r->scene = grown;
    if (!room) {
        scene_free(s);
        return err_memory(e, 64, "a scene");
    }
    r->scene[r->scenes++] = s;
    return 0;
}

static int add_scene(struct lesson_run *r, const struct item *i, struct err *e)
{
    struct lesson_scene *s = lesson_scene_new(r, i->script, NULL, e);
    return s != NULL ? lesson_scene_keep(r, s, e) : -1;
}

static int run_block(struct lesson_run *r, size_t at, struct err *e)
{
    const struct item *i = &r->lesson->item[at];
    struct lesson_moment *m = &r->moment[at];
    if ((i->begins || r->scenes == 0) && add_scene(r, i, e) != 0)
        return -1;
    struct lesson_scene *s = r->scene[r->scenes - 1];
    const struct tape *t = runner_tape(s->runner);
    if (!i->begins && r->scenes > 0 && runner_accepts(s->runner, i->script, e) != 0)
        return -1;
    bool fresh = !m->any || m->scene + 1 != r->scenes;
    uint32_t before = fresh ? 0 : tape_length(t, 0);
    if (lesson_scene_run(s, i->script, e) != 0)
        return -1;
    r->block[at] = (struct lesson_block){(uint32_t)r->scenes - 1, before, tape_length(t, 0)};
    m->scene = (uint32_t)r->scenes - 1;
    m->from = before;
    m->at = tape_length(t, 0);
    m->any = true;
    return 0;
}

static int check_claim(struct lesson_run *r, size_t at, const struct claim *c, struct err *e)
{
    struct lesson_env env = run_env(r, at);
    struct value left, right;
    struct buf a = {0}, b = {0};
    bool holds;
    if (expr_truth(c->expr, &env, &holds, e) != 0)
        return -1;
    if (holds)
        return 0;
    if (expr_sides(c->expr, &env, &left, &right)) {
        value_show(&left, "", &a);
        value_show(&right, "", &b);
        place_fail(r->lesson->name, expr_place(c->expr), e, "%.120s does not hold: the left side is %.100s, the right side %.100s",
                   expr_text(c->expr), buf_text(&a), buf_text(&b));
    } else {
        place_fail(r->lesson->name, expr_place(c->expr), e, "%.200s does not hold", expr_text(c->expr));
    }
    buf_free(&a);
    buf_free(&b);
    return -1;
}

static int bind_name(struct lesson_run *r, size_t at, const struct claim *c, struct err *e)
{
    struct lesson_env env = run_env(r, at);
    void *grown = r->let;
    bool room = xgrow(&grown, &r->lets_cap, r->lets + 1, sizeof *r->let);
    r->let = grown;
    if (!room)
        return err_memory(e, 64, "a name");
    struct lesson_binding *b = &r->let[r->lets];
    b->name = c->name;
    if (expr_eval(c->expr, &env, &b->value, e) != 0)
        return -1;
    r->moment[at].lets = (uint32_t)++r->lets;
    return 0;
}

static int make_folder(struct lesson_run *r, struct err *e)
{
    char path[] = "/tmp/radixscope-lesson-XXXXXX";
    if (r->folder != NULL)
        return 0;
    if (mkdtemp(path) == NULL)
        return err_set(e, "no folder for the lesson's files can be made in /tmp");
    r->folder = xstrdup(path);
    return r->folder != NULL ? 0 : err_memory(e, sizeof path, "a folder");
}

static int write_file(struct lesson_run *r, const struct item *i, struct err *e)
{
    struct buf path = {0};
    if (make_folder(r, e) != 0)
        return -1;
    buf_printf(&path, "%s/%s", r->folder, i->name);
    int rc = path.failed ? err_memory(e, path.len, "a file name") : file_write(buf_text(&path), i->text, strlen(i->text), e);
    buf_free(&path);
    return rc;
}

/* Commands that a lesson may run: those that only compute and print. */
static bool harmless(const char *line)
{
    static const char *const WORDS[] = {"compare", "conform", "lint", "proof", "race", "run", "sweep"};
    size_t n = strcspn(line, " \t\n");
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        known |= strlen(WORDS[i]) == n && memcmp(line, WORDS[i], n) == 0;
    return known && strstr(line, " -o") == NULL && strstr(line, " --output") == NULL;
}

/* One value, or one a line (sweep): then they are a list. NULL and *why. */
static json_t *read_json(const char *text, size_t len, json_error_t *why)
{
    json_error_t second;
    json_t *one = json_loadb(text, len, 0, why), *all = one == NULL ? json_array() : NULL;
    for (size_t at = 0; all != NULL && at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - text) - at : len - at;
        json_t *v = json_loadb(text + at, n, 0, &second);
        if (v == NULL || json_array_append_new(all, v) != 0) {
            json_decref(all);
            return NULL;
        }
        at += n + 1;
    }
    return one != NULL ? one : all;
}

static int run_other(struct lesson_run *r, const struct item *i, struct err *e)
{
    struct buf out = {0};
    struct err inner = {0};
    const char *line = i->text + strspn(i->text, " \t\n");
    void *grown = r->output;
    bool room = xgrow(&grown, &r->outputs_cap, r->outputs + 1, sizeof *r->output);
    r->output = grown;
    if (!room)
        return err_memory(e, 64, "a command's output");
    if (!harmless(line))
        return place_fail(r->lesson->name, i->at, e, "a lesson may run compare, conform, lint, proof, race, run and sweep, without -o");
    if (r->host.command == NULL)
        return place_fail(r->lesson->name, i->at, e, "there is nobody here who could run a command");
    if (make_folder(r, e) != 0)
        return -1;
    if (r->host.command(r->host.ctx, line, r->folder, &out, &inner) != 0)
        place_fail(r->lesson->name, i->at, e, "the command fails: %s", inner.what);
    json_error_t why;
    r->output[r->outputs++] = (struct lesson_output){i->name, inner.set ? NULL : read_json(buf_text(&out), out.len, &why)};
    if (!inner.set && r->output[r->outputs - 1].json == NULL)
        place_fail(r->lesson->name, i->at, e, "the command did not print JSON (%.120s): give it --json", why.text);
    buf_free(&out);
    return e != NULL && e->set ? -1 : 0;
}

static int run_claims(struct lesson_run *r, size_t at, struct err *e)
{
    const struct item *i = &r->lesson->item[at];
    for (size_t k = 0; k < i->claims; k++)
        if ((i->kind == ITEM_LET ? bind_name(r, at, &i->claim[k], e) : check_claim(r, at, &i->claim[k], e)) != 0)
            return -1;
    return 0;
}

/* Blocks and other commands take the time. */
static void tell_begins(const struct lesson_run *r, size_t at)
{
    const struct lesson *l = r->lesson;
    uint32_t n = 0, all = 0;
    for (size_t i = 0; i < l->items; i++)
        if (l->item[i].kind == ITEM_RXS || l->item[i].kind == ITEM_RUN) {
            all++;
            n += i <= at;
        }
    if (r->host.begins != NULL && (l->item[at].kind == ITEM_RXS || l->item[at].kind == ITEM_RUN))
        r->host.begins(r->host.ctx, n, all);
}

static int run_item(struct lesson_run *r, size_t at, struct err *e)
{
    r->moment[at] = at > 0 ? r->moment[at - 1] : (struct lesson_moment){0};
    tell_begins(r, at);
    switch (r->lesson->item[at].kind) {
    case ITEM_RXS: return run_block(r, at, e);
    case ITEM_EXPECT:
    case ITEM_LET: return run_claims(r, at, e);
    case ITEM_FILE: return write_file(r, &r->lesson->item[at], e);
    case ITEM_RUN: return run_other(r, &r->lesson->item[at], e);
    default: return 0;
    }
}

struct lesson_run *lesson_run_new(const struct lesson *l, const struct lesson_host *host, struct err *e)
{
    struct lesson_run *r = xcalloc(1, sizeof *r);
    struct err inner = {0};
    if (r == NULL || (r->block = xcalloc(l->items + 1, sizeof *r->block)) == NULL ||
        (r->moment = xcalloc(l->items + 1, sizeof *r->moment)) == NULL) {
        err_memory(e, l->items * sizeof *r->block, "a lesson");
        lesson_run_free(r);
        return NULL;
    }
    r->lesson = l;
    r->host = *host;
    for (size_t i = 0; i < l->items && !inner.set; i++)
        run_item(r, i, &inner);
    for (size_t i = 0; i < l->items && !inner.set; i++)
        if (l->item[i].question != NULL && l->item[i].question->decides_name != NULL)
            race_scene_open(r, l->item[i].question, &inner);
    if (!inner.set)
        return r;
    err_set(e, "%s", inner.what);
    err_hint(e, "%s", inner.hint);
    lesson_run_free(r);
    return NULL;
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}

void lesson_run_free(struct lesson_run *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->scenes; i++)
        scene_free(r->scene[i]);
    for (size_t i = 0; i < r->outputs; i++)
        json_decref(r->output[i].json);
    if (r->folder != NULL)
        remove_folder(r->folder);
    xfree(r->folder);
    xfree(r->scene);
    xfree(r->block);
    xfree(r->moment);
    xfree(r->let);
    xfree(r->output);
    xfree(r->race);
    xfree(r);
}

/* ---- moments ------------------------------------------------------------------------------------------ */

static struct lesson_env env_of(const struct lesson_run *r, const struct lesson_moment *m)
{
    return (struct lesson_env){.run = r, .scene = m->any ? r->scene[m->scene] : NULL, .at = m->at, .from = m->from,
                               .lets = m->lets};
}

struct lesson_env run_env(const struct lesson_run *r, size_t item)
{
    return env_of(r, &r->moment[item]);
}

size_t run_deciding_block(const struct lesson_run *r, size_t item)
{
    const struct lesson *l = r->lesson;
    for (size_t i = item + 1; i < l->items && l->item[i].chunk == l->item[item].chunk; i++)
        if (l->item[i].kind == ITEM_RXS)
            return i;
    return l->items;
}

struct lesson_env run_env_decided(const struct lesson_run *r, size_t item)
{
    size_t block = run_deciding_block(r, item);
    struct lesson_env env = run_env(r, block < r->lesson->items ? block : item);
    env.lets = r->moment[item].lets;
    return env;
}

struct scene env_scene(const struct lesson_env *env)
{
    struct cursor *c = &env->scene->cursor;
    if (c->branch != env->branch || c->at != env->at)
        cursor_seek(c, env->branch, env->at);
    return cursor_scene(c);
}

const struct value *env_let(const struct lesson_env *env, const char *name)
{
    for (uint32_t i = env->lets; i > 0; i--)
        if (strcmp(env->run->let[i - 1].name, name) == 0)
            return &env->run->let[i - 1].value;
    return NULL;
}

int env_at_block(const struct lesson_env *env, const char *name, bool before, struct lesson_env *out, struct err *e)
{
    const struct lesson_run *r = env->run;
    size_t i = lesson_find_block(r->lesson, name);
    if (i == r->lesson->items || !r->moment[i].any) {
        err_set(e, i == r->lesson->items ? "there is no block of commands called %s" : "the block %s has not run yet", name);
        return err_hint(e, "a block's name stands behind ```rxs");
    }
    *out = env_of(r, &r->moment[i]);
    out->lets = env->lets;
    if (before) {
        out->at = r->block[i].before;
        out->from = 0;
    }
    return 0;
}

const struct lesson_request *env_request(const struct lesson_env *env, uint32_t rid)
{
    const struct tape *t = env->scene->cursor.tape;
    for (size_t i = env->scene->requests; i > 0; i--) {
        const struct lesson_request *q = &env->scene->request[i - 1];
        int branch = env->branch;
        uint32_t at = env->at, fork;
        while (branch > q->branch) { /* is it on the way to this moment? */
            branch = tape_parent(t, branch, &fork);
            at = at < fork ? at : fork;
        }
        if (branch == q->branch && q->after <= at && q->rid == rid)
            return q;
    }
    return NULL;
}

/* ---- challenges --------------------------------------------------------------------------------------- */

struct lesson_scene *challenge_new(const struct lesson_run *r, const struct question *q, struct err *e)
{
    struct script *script = script_parse(r->lesson->name, q->start, strlen(q->start), q->start_line, e);
    struct lesson_scene *s = script != NULL ? lesson_scene_new(r, script, NULL, e) : NULL;
    if (s != NULL && lesson_scene_run(s, script, e) != 0) {
        scene_free(s);
        s = NULL;
    }
    script_free(script);
    if (s != NULL)
        s->challenge = true;
    return s;
}

struct lesson_env challenge_env(const struct lesson_run *r, struct lesson_scene *s, size_t item, int branch, uint32_t at)
{
    return (struct lesson_env){.run = r, .scene = s, .branch = branch, .at = at, .lets = r->moment[item].lets};
}

int challenge_allows(const struct question *q, const char *line, uint32_t *commands, struct err *e)
{
    struct script *script = script_parse("", line, strlen(line), 1, e);
    *commands = script != NULL ? script->count : 0;
    int rc = script != NULL ? 0 : -1;
    for (uint32_t i = 0; rc == 0 && i < script->count; i++) {
        const struct script_command_info *info = script_info(script->command[i].kind);
        char word[40];
        snprintf(word, sizeof word, " %s ", info->name);
        if (strstr(q->allow, word) == NULL) {
            rc = err_set(e, "%s is not allowed in this challenge", info->name);
            err_hint(e, "allowed:%s", q->allow);
        }
    }
    script_free(script);
    return rc;
}

int challenge_run(struct lesson_scene *s, const char *line, struct err *e)
{
    struct script *script = script_parse("", line, strlen(line), 1, e);
    s->ran = 0;
    int rc = script == NULL || runner_accepts(s->runner, script, e) != 0 ? -1 : lesson_scene_run(s, script, e);
    script_free(script);
    return rc;
}
