/* design_none.c: nothing is kept. A request takes slots and gives all of them back. */
#include "base/xalloc.h"
#include "trace/design.h"

struct none {
    struct design_config cfg;
};

static void *none_make(const struct design_config *cfg, struct err *e)
{
    struct none *n = xcalloc(1, sizeof *n);
    if (n == NULL)
        err_memory(e, sizeof *n, "a design");
    else
        n->cfg = *cfg;
    return n;
}

static int none_serve(void *self, uint32_t request, struct design_result *out, struct err *e)
{
    const struct none *n = self;
    (void)e;
    *out = (struct design_result){.refused = n->cfg.load->request[request].kv > n->cfg.pool};
    return 0;
}

static size_t none_bytes(const void *self)
{
    (void)self;
    return 0;
}

static uint32_t none_held(const void *self)
{
    (void)self;
    return 0;
}

static const char *none_check(const void *self)
{
    (void)self;
    return NULL;
}

static void none_list(const void *self, struct buf *out)
{
    (void)self;
    buf_puts(out, "  nothing is kept\n");
}

const struct design_class DESIGN_NONE = {"none", "no cache: everything is computed every time", none_make, none_serve,
                                         none_bytes, none_held, none_check, none_list, xfree};

const struct design_class *design_at(unsigned i)
{
    static const struct design_class *const ALL[] = {&DESIGN_RADIX, &DESIGN_CHAIN, &DESIGN_TRIE, &DESIGN_EXACT,
                                                     &DESIGN_NONE};
    return i < ARRAY_LEN(ALL) ? ALL[i] : NULL;
}
