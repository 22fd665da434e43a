/* radixscope doctor: does this machine have what radixscope needs? Each line is one check. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>
#include <zstd.h>

#include "base/utf8.h"
#include "cli/places.h"
#include "cli/version.h"
#include "engine/engine.h"
#include "model/blas.h"
#include "model/chat.h"
#include "model/kvrows.h"
#include "model/model.h"
#include "script/runner.h"
#include "tape/world.h"
#include "ui/app.h"

enum verdict { FINE, NOTE, BAD };

struct checkup {
    struct buf *out;
    bool json;
    uint32_t lines, bad;
};

static void line(struct checkup *k, enum verdict v, const char *what, const char *fmt, ...) PRINTF_LIKE(4, 5);

static void line(struct checkup *k, enum verdict v, const char *what, const char *fmt, ...)
{
    static const char *const WORDS[] = {"ok", "note", "BAD"};
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    k->bad += v == BAD;
    if (k->json) {
        buf_printf(k->out, "%s{\"check\":\"%s\",\"verdict\":\"%s\",\"text\":", k->lines++ > 0 ? "," : "", what, WORDS[v]);
        buf_json(k->out, text, strlen(text));
        buf_putc(k->out, '}');
    } else {
        buf_printf(k->out, "%-5s %-10s %s\n", WORDS[v], what, text);
    }
}

static void check_libraries(struct checkup *k)
{
    line(k, FINE, "program", "radixscope %s, world of %zu MiB address space", RADIXSCOPE_VERSION,
         sizeof(struct world) >> 20);
    line(k, FINE, "blas", "%s", blas_description());
    line(k, FINE, "libraries", "jansson %s, utf8proc %s, zstd %s", JANSSON_VERSION, utf8proc_version(),
         ZSTD_versionString());
}

static void check_memory(struct checkup *k)
{
    struct world_config cfg = {.pool = 64, .page_size = 1};
    struct err e = {0};
    struct world *w = world_new(&cfg, &e);
    if (w == NULL)
        line(k, BAD, "memory", "%s (is there a limit on address space? see ulimit -v)", e.what);
    else
        line(k, FINE, "memory", "address space can be reserved; only what is touched takes memory");
    world_free(w);
}

static void check_model(struct checkup *k, struct cli *c)
{
    struct buf dir = {0};
    struct err e = {0};
    struct model *m = NULL;
    if (place_model(c, &dir, &e) != 0 || model_open(buf_text(&dir), &m, &e) != 0) {
        line(k, BAD, "model", "%s", e.what);
    } else {
        const struct model_config *cfg = model_get_config(m);
        line(k, FINE, "model", "%s: %u layers, width %u, %u heads (%u for keys and values), %u tokens, context %u, "
             "chat form %s%s",
             model_get_dir(m), cfg->layers, cfg->dim, cfg->heads, cfg->kv_heads, cfg->vocab, cfg->context,
             chat_kind_name(chat_get_kind(m)), chat_get_kind(m) == CHAT_UNKNOWN ? ": plain text is used" : "");
        model_close(m);
    }
    buf_free(&dir);
}

/* One request through everything: the cheapest way to know that it all works together. */
static void check_run(struct checkup *k, struct cli *c)
{
    static const char TEXT[] = "pool 512\nrequest \"Hello!\" max=4\nrequest \"Hello!\" max=4\n";
    struct err e = {0};
    struct buf dir = {0};
    struct runner *r = NULL;
    struct script *s = script_parse("doctor", TEXT, sizeof TEXT - 1, 1, &e);
    struct runner_config cfg = {0};
    bool fine = s != NULL && place_model(c, &dir, &e) == 0;
    cfg.model_dir = buf_text(&dir);
    fine = fine && (r = runner_new(s, &cfg, &e)) != NULL && runner_script(r, s, &e) == RUN_DONE;
    if (fine)
        line(k, FINE, "run", "two requests were answered");
    else
        line(k, BAD, "run", "%s", e.what);
    runner_free(r);
    script_free(s);
    buf_free(&dir);
}

static void count_scenario(void *ctx, const char *name)
{
    (void)name;
    ++*(uint32_t *)ctx;
}

static void check_data(struct checkup *k, struct cli *c)
{
    struct buf dir = {0};
    struct err e = {0};
    uint32_t scenarios = 0;
    if (place_data(c, &dir, &e) != 0 || place_scenarios(c, count_scenario, &scenarios, &e) != 0)
        line(k, BAD, "data", "%s", e.what);
    else
        line(k, scenarios > 0 ? FINE : BAD, "data", "%s: %u scenarios", buf_text(&dir), scenarios);
    buf_free(&dir);
}

static void check_terminal(struct checkup *k)
{
    struct err e = {0};
    struct winsize size = {0};
    const char *term = getenv("TERM");
    if (ui_available(&e) != 0) {
        line(k, NOTE, "terminal", "%s: plain text is printed instead", e.what);
        return;
    }
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    line(k, FINE, "terminal", "%s, %u columns, %u lines%s", term != NULL ? term : "?", size.ws_col, size.ws_row,
         size.ws_col < 60 || size.ws_row < 16 ? "; 60 columns and 16 lines show more" : "");
}

int cmd_doctor(struct cli *c, struct err *e)
{
    struct buf b = {0};
    struct checkup k = {.out = &b, .json = cli_has(c, OPT_JSON)};
    if (c->args > 0)
        return err_usage(e, "doctor takes no operands");
    if (k.json)
        buf_puts(&b, "{\"checks\":[");
    check_libraries(&k);
    check_memory(&k);
    check_data(&k, c);
    check_model(&k, c);
    check_run(&k, c);
    check_terminal(&k);
    if (k.json)
        buf_printf(&b, "],\"bad\":%u}\n", k.bad);
    if (cli_print(&b, e) != 0)
        return -1;
    return k.bad > 0 ? 1 : 0;
}
