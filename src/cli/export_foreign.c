/* export_foreign.c: what `radixscope export` writes for other programs, from src/trace; and the cause of a run. */
#include <string.h>

#include "base/xalloc.h"
#include "cli/export.h"
#include "script/script.h"
#include "trace/export_run.h"
#include "trace/kv_log.h"

int export_metrics(const struct export *x, struct buf *out, struct err *e)
{
    if (strcmp(x->format, "csv") == 0)
        return export_metrics_csv(x->feed->tape, out, e);
    return export_metrics_json(x->feed->tape, x->feed->title, out, e);
}

int export_mooncake(const struct export *x, struct buf *out, struct err *e)
{
    return export_mooncake_trace(x->feed->tape, x->block, out, e);
}

int export_perfetto(const struct export *x, struct buf *out, struct err *e)
{
    return export_perfetto_trace(x->feed->tape, x->feed->title, out, e);
}

int export_kv_events(const struct export *x, struct buf *out, struct err *e)
{
    struct kv_log log;
    int rc = kv_log_of_tape(x->feed->tape, &log, e);
    if (rc == 0 && strcmp(x->format, "msgpack") == 0)
        rc = kv_log_write_msgpack(&log, out, e);
    else if (rc == 0)
        kv_log_write_json(&log, out);
    kv_log_free(&log);
    return rc;
}

/* ---- the cause -------------------------------------------------------------------------------------------- */

/* The settings of the run where they are not the script's own (--pool and so on); `ours`: which kinds of lines are
 * written here. */
static void changed_settings(const struct export *x, const struct script_settings *s, bool ours[RXS_COUNT], struct buf *out)
{
    struct step start;
    tape_step(x->feed->tape, tape_branch(x->feed->tape), 1, &start); /* says what the world was made with */
    bool fast = x->feed->mode != NULL && strcmp(x->feed->mode, "fast") == 0;
    ours[RXS_POOL] = s->pool != start.arg[0];
    ours[RXS_PAGE] = s->page != start.arg[1];
    ours[RXS_POLICY] = s->policy != start.arg[2];
    ours[RXS_RULES] = s->rules != start.arg[3];
    ours[RXS_MODE] = x->feed->mode != NULL && fast != s->fast;
    if (ours[RXS_POOL])
        buf_printf(out, "pool %u\n", start.arg[0]);
    if (ours[RXS_PAGE])
        buf_printf(out, "page %u\n", start.arg[1]);
    if (ours[RXS_POLICY])
        buf_printf(out, "policy %s\n", policy_name(start.arg[2]));
    if (ours[RXS_RULES])
        buf_printf(out, "rules %s\n", start.arg[3] == RULES_UNIFIED ? "unified" : "classic");
    if (ours[RXS_MODE])
        buf_printf(out, "mode %s\n", fast ? "fast" : "exact");
}

/* The script without the lines whose settings were written anew, and, if there are any, without expectations: they were
 * written for other settings. */
static void copy_lines(const struct script *s, const bool ours[RXS_COUNT], bool changed, struct buf *out)
{
    const char *at = s->source, *end = s->source + s->source_len;
    uint32_t next = 0;
    for (uint32_t line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = stop != NULL ? (size_t)(stop - at) + 1 : (size_t)(end - at);
        while (next < s->count && s->command[next].line < line)
            next++;
        bool here = next < s->count && s->command[next].line == line;
        bool drop = here && (ours[s->command[next].kind] || (changed && s->command[next].kind == RXS_EXPECT));
        if (!drop)
            buf_add(out, at, n);
        at += n;
    }
}

int export_rxs(const struct export *x, struct buf *out, struct err *e)
{
    bool ours[RXS_COUNT] = {false};
    struct script_settings settings;
    if (x->script == NULL || *x->script == '\0') {
        err_set(e, "the recording does not hold the script that made it");
        return err_hint(e, "the tree, the metrics and the KV events can be exported from it");
    }
    struct script *s = script_parse("the script of the run", x->script, strlen(x->script), 1, e);
    if (s == NULL)
        return -1;
    script_settings(s, &settings);
    changed_settings(x, &settings, ours, out);
    copy_lines(s, ours, out->len > 0, out);
    script_free(s);
    return 0;
}
