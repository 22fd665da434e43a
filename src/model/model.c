#include "model/model.h"

#include "base/xalloc.h"
#include "model/json.h"
#include "model/model_parts.h"

static int open_parts(struct model *m, struct err *e)
{
    if (config_read(m->dir, &m->config, e) != 0 || safetensors_open(m->dir, &m->files, e) != 0 ||
        weights_open(&m->weights, &m->config, m->files, e) != 0)
        return -1;
    char *path = json_path(m->dir, "tokenizer.json", e);
    int rc = path == NULL ? -1 : tokenizer_open(path, m->config.vocab, &m->tokenizer, e);
    xfree(path);
    return rc != 0 ? -1 : chat_open(m->dir, m->tokenizer, &m->chat, e);
}

int model_open(const char *dir, struct model **out, struct err *e)
{
    *out = NULL;
    struct model *m = xcalloc(1, sizeof *m);
    if (m == NULL)
        return err_memory(e, sizeof *m, "the model");
    m->dir = xstrdup(dir);
    if (m->dir == NULL)
        err_memory(e, 1, "the model's name");
    if (m->dir == NULL || open_parts(m, e) != 0) {
        model_close(m);
        return err_hint(e, "a model is a folder with config.json, model.safetensors and tokenizer.json");
    }
    *out = m;
    return 0;
}

void model_close(struct model *m)
{
    if (m == NULL)
        return;
    chat_close(&m->chat);
    tokenizer_close(m->tokenizer);
    weights_close(&m->weights);
    safetensors_close(m->files);
    xfree(m->dir);
    xfree(m);
}

const struct model_config *model_get_config(const struct model *m)
{
    return &m->config;
}

const struct tokenizer *model_get_tokenizer(const struct model *m)
{
    return m->tokenizer;
}

const char *model_get_dir(const struct model *m)
{
    return m->dir;
}
