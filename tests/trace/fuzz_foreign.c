/* Fuzz targets for the importers; fuzz.sh builds and runs them.
 * TARGET: 1 KV events (parsed, made into a script, which must be one, and compared with themselves),
 * 2 conversations, in words and in numbers. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "model/model.h"
#include "script/script.h"
#include "trace/conversations.h"
#include "trace/foreign.h"
#include "trace/kv_diff.h"
#include "trace/kv_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What an importer writes is a script. */
static void check_script(const struct buf *b)
{
    struct err e = {0};
    struct script *s = script_parse("imported", buf_text(b), b->len, 1, &e);
    if (s == NULL)
        abort();
    script_free(s);
}

static void check_error(int rc, const struct err *e)
{
    if ((rc != 0) != e->set || strchr(e->what, '\n') != NULL)
        abort();
}

#if TARGET == 1

static void check_import(const struct kv_log *log)
{
    struct buf script = {0};
    struct kv_summary sum;
    struct err e = {0};
    int rc = kv_import(log, "fuzz", KV_AS_RECORDED, 0, "", &script, &sum, &e);
    check_error(rc, &e);
    if (rc == 0) {
        check_script(&script);
        if (sum.now > sum.peak || sum.peak > sum.stored)
            abort();
    }
    buf_free(&script);
}

static void check_encodings(const struct kv_log *log)
{
    static const char *const names[] = {"a", "b"};
    struct kv_difference d;
    struct err e = {0};
    if (kv_diff(log, log, names, &d, &e) != 0 || d.differs)
        abort();
}

static int parse(const char *bytes, size_t len, struct err *e)
{
    struct kv_log log;
    int rc = kv_log_parse("fuzz", bytes, len, &log, e);
    if (rc == 0) {
        check_import(&log);
        check_encodings(&log);
    }
    kv_log_free(&log);
    return rc;
}

#else

static int parse(const char *bytes, size_t len, struct err *e)
{
    static struct model *model;
    struct conversations how = {.more = "", .hashes_only = len % 2 != 0};
    struct conversations_summary sum;
    struct buf script = {0};
    struct err none = {0};
    if (model == NULL && model_open("data/model", &model, &none) != 0)
        abort();
    int rc = conversations_import("fuzz", bytes, len, model, &how, &script, &sum, e);
    if (rc == 0)
        check_script(&script);
    buf_free(&script);
    return rc;
}

#endif

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct err e = {0}, unseen = {0};
    enum foreign_format format;
    char *exact = xmemdup(bytes, len); /* exactly as long, so that any over-read is seen */
    if (exact == NULL)
        return 0;
    check_error(foreign_detect("fuzz", exact, len, &format, &unseen), &unseen);
    check_error(parse(exact, len, &e), &e);
    xfree(exact);
    return 0;
}
