/* radixscope play [SCENARIO | FILE.rxs], radixscope replay FILE */
#include <string.h>
#include <unistd.h>

#include "cli/imported.h"
#include "cli/places.h"
#include "cli/state.h"
#include "cli/show_trace.h"
#include "cli/state_string.h"

static int open_trace(struct cli *c, struct err *e)
{
    struct trace_options o;
    if (trace_options_of(c, &o, e) != 0 || source_history_limit(c, &o.history_limit, e) != 0)
        return -1;
    int rc = show_trace(c, c->arg[0], &o, e);
    if (rc == 0 && c->left_at != 0) { /* it was on the screen */
        state_trace_opened(c->arg[0]);
        state_remember(c, "replay", c->arg[0]);
    }
    return rc;
}

/* Show what was opened, if it was. */
static int play_source(struct cli *c, struct source *s, int rc, const char *name, struct err *e)
{
    if (rc == 0)
        rc = show_source(c, s, e);
    source_done(s);
    if (rc == 0 && c->place == NULL)
        state_remember(c, "play", name);
    return rc;
}

static int play(struct cli *c, const char *otherwise, struct err *e)
{
    struct source s;
    int rc = source_open(&s, c, false, otherwise, e);
    return play_source(c, &s, rc, c->args > 0 ? c->arg[0] : otherwise, e);
}

/* KV events and conversations: on the screen while they are being read. *rc is the result; false: it is something else. */
static bool play_imported(struct cli *c, int *rc, struct err *e)
{
    enum foreign_format format;
    struct lines *l = c->args == 1 ? imported_open(c->arg[0], &format) : NULL;
    struct source s;
    if (l == NULL)
        return false;
    if (cli_has(c, OPT_CAPACITY) || cli_has(c, OPT_BLOCK) || cli_has(c, OPT_REQUESTS)) {
        lines_close(l);
        err_usage(e, "--capacity, --block and --requests are for traces of hash ids, and %.200s holds %s", c->arg[0],
                  foreign_name(format));
        *rc = err_hint(e, "`radixscope import FILE --requests A-B -o OUT.rxs` cuts a part out");
    } else if (show_choose_way(c) == SHOW_ON_SCREEN) {
        *rc = source_open_stream(&s, c, l, format, e);
        *rc = play_source(c, &s, *rc, c->arg[0], e);
    } else {
        lines_close(l);
        *rc = play(c, NULL, e);
    }
    return true;
}

/* What a state string says takes the place of the command line. */
static int play_state(struct cli *c, struct err *e)
{
    struct scene_string s;
    if (c->args != 1)
        return err_usage(e, "play takes one state string, not %d operands", c->args);
    if (rx_read(c->arg[0], &s, e) != 0)
        return -1;
    for (int i = 0; i < OPT_COUNT; i++)
        if (rx_keeps((enum cli_option)i))
            c->option[i] = s.option[i];
    c->place = &s;
    c->args = s.scene != NULL;
    c->arg[0] = s.scene;
    int rc = play(c, NULL, e);
    rx_done(&s);
    return rc;
}

int cmd_play(struct cli *c, struct err *e)
{
    int rc;
    if (play_imported(c, &rc, e))
        return rc;
    if (c->args == 1 && is_trace_name(c->arg[0]))
        return open_trace(c, e);
    if (c->args > 0 && rx_is(c->arg[0]))
        return play_state(c, e);
    return play(c, "shared-system-prompt", e);
}

int cmd_replay(struct cli *c, struct err *e)
{
    if (c->args != 1) {
        err_usage(e, "replay takes one file, not %d", c->args);
        return err_hint(e, "radixscope help replay");
    }
    size_t n = strlen(c->arg[0]);
    bool script = n > 4 && strcmp(c->arg[0] + n - 4, ".rxs") == 0;
    int rc;
    if (play_imported(c, &rc, e))
        return rc;
    if (script || (access(c->arg[0], F_OK) != 0 && place_is_scenario(c, c->arg[0])))
        return play(c, NULL, e);
    if (is_trace_name(c->arg[0]))
        return open_trace(c, e);
    if (cli_has(c, OPT_CAPACITY) || cli_has(c, OPT_POLICY) || cli_has(c, OPT_BLOCK) || cli_has(c, OPT_REQUESTS))
        return err_usage(e, "--capacity, --policy, --block and --requests are for traces: a recording is what it is");
    if (cli_has(c, OPT_HISTORY))
        return err_usage(e, "--history-mb is for a FILE.rxs: a recording is complete");
    rc = show_recording(c, c->arg[0], e);
    if (rc == 0)
        state_remember(c, "replay", c->arg[0]);
    return rc;
}
