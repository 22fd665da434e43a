/* radixscope check-model DIR [--json]: does a checkpoint compute what transformers computed? */
#include "cli/cmd_check_model.h"

#include <stdio.h>
#include <string.h>

#include "model/check.h"

static int usage(const char *problem, const char *what)
{
    fprintf(stderr, "radixscope: check-model %s%s\n  radixscope check-model DIR [--json]\n", problem, what);
    return 2;
}

static int report(const char *dir, bool json, const struct check_result *r)
{
    struct buf out = {0};
    if (json)
        check_json(r, &out);
    else
        check_text(dir, r, &out);
    bool written = !out.failed && fwrite(buf_text(&out), 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_free(&out);
    return written && r->pass ? 0 : 1;
}

int cmd_check_model(int argc, char **argv)
{
    const char *dir = NULL;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (argv[i][0] == '-')
            return usage("has no option ", argv[i]);
        else if (dir != NULL)
            return usage("takes one folder; one too many is ", argv[i]);
        else
            dir = argv[i];
    }
    if (dir == NULL)
        return usage("needs a folder", "");
    struct check_result result;
    struct err e = {0};
    if (model_check(dir, NULL, &result, &e) == 0)
        return report(dir, json, &result);
    fprintf(stderr, "radixscope: %s\n", e.what);
    if (e.hint[0] != '\0')
        fprintf(stderr, "  %s\n", e.hint);
    return 1;
}
