/* radixscope conform FILE…: replay recordings of the real SGLang and compare after every operation. */
#include "cli/cmd_conform.h"

#include <stdio.h>
#include <string.h>

#include "trace/conform.h"

/* One file. Prints its first difference or why it cannot be replayed; returns false then. */
static bool conform_one(const char *path, const struct conform_options *opt, unsigned long *ops)
{
    struct conform_result r = {0};
    struct err e = {0};
    int rc = conform_file(path, opt, &r, &e);
    *ops += r.ops;
    if (rc != 0)
        fprintf(stderr, "radixscope: %s\n", e.what);
    else if (r.differs)
        printf("%s\n", r.what);
    return rc == 0 && !r.differs;
}

int cmd_conform(int argc, char **argv)
{
    struct conform_options opt = {0};
    unsigned long files = 0, ops = 0, differences = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tape") == 0)
            opt.tape = true;
        else if (strcmp(argv[i], "--check") == 0)
            opt.check = true;
        else if (argv[i][0] == '-') {
            fprintf(stderr, "radixscope: conform has no option %s\n  use --tape, --check, or files\n", argv[i]);
            return 2;
        }
    }
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        files++;
        differences += !conform_one(argv[i], &opt, &ops);
    }
    if (files == 0) {
        fprintf(stderr, "radixscope: conform needs at least one recording\n  radixscope conform [--tape] FILE…\n");
        return 2;
    }
    printf("%lu files, %lu operations, %lu differences\n", files, ops, differences);
    return differences == 0 ? 0 : 1;
}
