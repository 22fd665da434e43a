#include "lesson/race_scene.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"

/* ---- what the race said ------------------------------------------------------------------------------- */

static const json_t *output_of(const struct lesson_run *r, const char *name)
{
    for (size_t i = 0; i < r->outputs; i++)
        if (strcmp(r->output[i].name, name) == 0)
            return r->output[i].json;
    return NULL;
}

static size_t find_run(const struct lesson *l, const char *name)
{
    size_t i = 0;
    while (i < l->items && (l->item[i].kind != ITEM_RUN || strcmp(l->item[i].name, name) != 0))
        i++;
    return i;
}

/* The first request that an entry served differently from the first entry. */
static uint32_t first_difference(const json_t *entries)
{
    json_int_t first = 0;
    for (size_t i = 1; i < json_array_size(entries); i++) {
        json_int_t at = json_integer_value(json_object_get(json_array_get(entries, i), "differs_at"));
        first = at > 0 && (first == 0 || at < first) ? at : first;
    }
    return (uint32_t)first;
}

/* ---- the same workload, as a script ------------------------------------------------------------------- */

/* A trace: its ids are tokens, and an answer is one token that nobody names. */
static int trace_script(const char *text, struct buf *out, struct err *e)
{
    buf_puts(out, "tokens ids\n");
    for (const char *line = text; *line != '\0'; line += line[strcspn(line, "\n")] == '\n' ? strcspn(line, "\n") + 1 : strcspn(line, "\n")) {
        json_t *one = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        const json_t *ids = json_object_get(one, "hash_ids");
        buf_puts(out, json_array_size(ids) > 0 ? "request \"" : "");
        for (size_t i = 0; i < json_array_size(ids); i++)
            buf_printf(out, "%s%lld", i > 0 ? " " : "", (long long)json_integer_value(json_array_get(ids, i)));
        buf_puts(out, json_array_size(ids) > 0 ? "\" answer=\"0\"\n" : "");
        json_decref(one);
    }
    return out->failed ? err_memory(e, out->len, "a trace") : 0;
}

/* The text of what `race NAME …` runs. */
static int workload_text(const struct lesson_run *r, const struct item *run, struct buf *out, struct err *e)
{
    char name[200] = "";
    const struct lesson *l = r->lesson;
    if (sscanf(run->text, " race %199s", name) != 1)
        return err_set(e, "%s is no race", run->name);
    for (size_t i = 0; i < l->items; i++) {
        const struct item *file = &l->item[i];
        size_t n = strlen(name);
        if (file->kind != ITEM_FILE || strcmp(file->name, name) != 0)
            continue;
        if (n > 6 && strcmp(name + n - 6, ".jsonl") == 0)
            return trace_script(file->text, out, e);
        buf_puts(out, file->text);
        return out->failed ? err_memory(e, out->len, "a workload") : 0;
    }
    if (r->host.workload == NULL)
        return err_set(e, "there is nobody here who knows the workload %s", name);
    return r->host.workload(r->host.ctx, name, out, e);
}

static void add_command(const struct script_command *c, struct buf *out)
{
    script_write(c, out);
    buf_putc(out, '\n');
}

/* The same commands on the tree that the first entry is: its policy, the race's pool and pages. */
static int as_raced(const char *text, const json_t *race, struct buf *out, struct err *e)
{
    const json_t *first = json_array_get(json_object_get(race, "entries"), 0);
    const char *policy = json_string_value(json_object_get(first, "policy"));
    struct script *s = script_parse("", text, strlen(text), 1, e);
    if (s == NULL)
        return -1;
    for (uint32_t i = 0; i < s->count; i++) {
        enum script_kind kind = s->command[i].kind;
        if (script_info(kind)->role == ROLE_SETTING && kind != RXS_POOL && kind != RXS_PAGE && kind != RXS_POLICY)
            add_command(&s->command[i], out);
    }
    buf_printf(out, "pool %lld\npage %lld\npolicy %s\n", (long long)json_integer_value(json_object_get(race, "pool")),
               (long long)json_integer_value(json_object_get(race, "page")), policy != NULL ? policy : "lru");
    for (uint32_t i = 0; i < s->count; i++)
        if (script_info(s->command[i].kind)->role != ROLE_SETTING && s->command[i].kind != RXS_EXPECT)
            add_command(&s->command[i], out);
    script_free(s);
    return out->failed ? err_memory(e, out->len, "a workload") : 0;
}

/* ---- the scene ---------------------------------------------------------------------------------------- */

void race_scene_note(struct lesson_scene *s, const struct runner_report *rep)
{
    enum script_kind kind = rep->command->kind;
    void *grown = s->served;
    if ((kind != RXS_REQUEST && kind != RXS_TURN && kind != RXS_INSERT) || rep->units == 0)
        return; /* what a race counts as a request */
    bool room = xgrow(&grown, &s->serveds_cap, s->serveds + 1, sizeof *s->served);
    s->served = grown;
    if (room)
        s->served[s->serveds++] = (struct lesson_served){rep->before, rep->after,
                                                         rep->request != NULL ? rep->request->cached_tokens : rep->matched};
}

static int same_as_raced(const struct lesson_scene *s, const json_t *race, struct err *e)
{
    const json_t *hits = json_object_get(json_array_get(json_object_get(race, "entries"), 0), "hits");
    if (json_array_size(hits) != s->serveds)
        return err_set(e, "the race has %zu requests, the tree that is shown served %zu", json_array_size(hits), s->serveds);
    for (size_t i = 0; i < s->serveds; i++)
        if (json_integer_value(json_array_get(hits, i)) != s->served[i].hit)
            return err_set(e, "request %zu found %lld tokens in the race, and %u in the tree that is shown", i + 1,
                           (long long)json_integer_value(json_array_get(hits, i)), s->served[i].hit);
    return 0;
}

static int run_raced(struct lesson_run *r, const char *text, const json_t *race, struct err *e)
{
    struct script *script = script_parse("", text, strlen(text), 1, e);
    char *copy = script != NULL ? xstrdup(text) : NULL;
    struct lesson_scene *s = NULL;
    if (script != NULL && copy == NULL)
        err_memory(e, strlen(text), "a race");
    if (copy != NULL)
        s = lesson_scene_new(r, script, copy, e);
    int rc = s != NULL && lesson_scene_run(s, script, e) == 0 ? same_as_raced(s, race, e) : -1;
    script_free(script);
    if (rc == 0)
        return lesson_scene_keep(r, s, e);
    scene_free(s);
    return -1;
}

static int open_race(struct lesson_run *r, size_t item, struct err *e)
{
    const json_t *race = output_of(r, r->lesson->item[item].name), *entries = json_object_get(race, "entries");
    const char *design = json_string_value(json_object_get(json_array_get(entries, 0), "design"));
    struct buf text = {0}, raced = {0};
    void *grown = r->race;
    bool room = xgrow(&grown, &r->races_cap, r->races + 1, sizeof *r->race);
    r->race = grown;
    int rc = room ? 0 : err_memory(e, sizeof *r->race, "a race");
    if (rc == 0 && (design == NULL || strcmp(design, "radix") != 0))
        rc = err_set(e, "the first entry of this race must be the radix tree: only it has steps");
    if (rc == 0 && workload_text(r, &r->lesson->item[item], &text, e) == 0 && as_raced(buf_text(&text), race, &raced, e) == 0)
        rc = run_raced(r, buf_text(&raced), race, e);
    else
        rc = -1;
    buf_free(&text);
    buf_free(&raced);
    if (rc == 0)
        r->race[r->races++] = (struct lesson_race){item, (uint32_t)r->scenes - 1, first_difference(entries)};
    return rc;
}

const struct lesson_race *race_scene_of(const struct lesson_run *r, const struct question *q)
{
    for (size_t i = 0; q->decides_name != NULL && i < r->races; i++)
        if (strcmp(r->lesson->item[r->race[i].item].name, q->decides_name) == 0)
            return &r->race[i];
    return NULL;
}

uint32_t race_scene_request(const struct lesson_race *race, const struct question *q)
{
    return q->decides_request > 0 ? q->decides_request : race->first;
}

int race_scene_open(struct lesson_run *r, const struct question *q, struct err *e)
{
    const struct lesson *l = r->lesson;
    struct err inner = {0};
    bool block = lesson_find_block(l, q->decides_name) < l->items;
    size_t item = find_run(l, q->decides_name);
    if (block && q->decides_request == 0)
        return 0;
    if (block || item == l->items)
        return place_fail(l->name, q->decides_at, e, block ? "%s is no race: its requests have no numbers"
                                                           : "there is no block of commands and no race called %s", q->decides_name);
    if (race_scene_of(r, q) == NULL && open_race(r, item, &inner) != 0)
        return place_fail(l->name, q->decides_at, e, "%s: %.300s", q->decides_name, inner.what);
    const struct lesson_race *race = race_scene_of(r, q);
    uint32_t request = race_scene_request(race, q);
    if (request >= 1 && request <= r->scene[race->scene]->serveds)
        return 0;
    return request == 0 ? place_fail(l->name, q->decides_at, e, "no entry of %s differs from the first one: name a request", q->decides_name)
                        : place_fail(l->name, q->decides_at, e, "%s has no request %u", q->decides_name, request);
}
