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

static int play(struct cli *c, const char *otherwise, struct err *e)
{
    struct source s;
    int rc = source_open(&s, c, false, otherwise, e);
    if (rc == 0)
        rc = show_source(c, &s, e);
    source_done(&s);
    if (rc == 0 && c->place == NULL)
        state_remember(c, "play", c->args > 0 ? c->arg[0] : otherwise);
    return rc;
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
    if (c->args == 1 && is_trace_name(c->arg[0]) && !is_imported(c->arg[0]))
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
    if (script || is_imported(c->arg[0]) || (access(c->arg[0], F_OK) != 0 && place_is_scenario(c, c->arg[0])))
        return play(c, NULL, e);
    if (is_trace_name(c->arg[0]))
        return open_trace(c, e);
    if (cli_has(c, OPT_CAPACITY) || cli_has(c, OPT_POLICY) || cli_has(c, OPT_BLOCK) || cli_has(c, OPT_REQUESTS))
        return err_usage(e, "--capacity, --policy, --block and --requests are for traces: a recording is what it is");
    if (cli_has(c, OPT_HISTORY))
        return err_usage(e, "--history-mb is for a FILE.rxs: a recording is complete");
    int rc = show_recording(c, c->arg[0], e);
    if (rc == 0)
        state_remember(c, "replay", c->arg[0]);
    return rc;
}
