#include "model/json.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/xalloc.h"

json_t *json_from_bytes(const char *name, const char *bytes, size_t len, struct err *e)
{
    json_error_t why;
    json_t *root = json_loadb(bytes, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &why);
    if (root == NULL)
        err_set(e, "%s is not valid JSON: line %d, column %d: %s", name, why.line, why.column, why.text);
    else if (!json_is_object(root)) {
        json_decref(root);
        root = NULL;
        err_set(e, "%s holds no JSON object at its top", name);
    }
    return root;
}

json_t *json_from_file(const char *path, size_t limit, struct err *e)
{
    struct file_map m;
    if (file_map(path, &m, e) != 0)
        return NULL;
    json_t *root = NULL;
    if (m.len == 0)
        err_set(e, "%s is empty, a JSON object was expected", path);
    else if (m.len > limit)
        err_set(e, "%s has %zu bytes, more than the %zu that are read", path, m.len, limit);
    else
        root = json_from_bytes(path, m.data, m.len, e);
    file_unmap(&m);
    return root;
}

const char *json_describe(const json_t *value, char *out, size_t size)
{
    if (value == NULL) {
        snprintf(out, size, "nothing");
        return out;
    }
    char text[64];
    size_t n = json_dumpb(value, text, sizeof text, JSON_ENCODE_ANY | JSON_COMPACT);
    if (n <= sizeof text)
        snprintf(out, size, "%.*s", (int)n, text);
    else
        snprintf(out, size, "%s", json_is_object(value) ? "an object" : json_is_array(value) ? "a list" : "a long value");
    return out;
}

char *json_path(const char *dir, const char *name, struct err *e)
{
    struct buf b = {0};
    buf_printf(&b, "%s/%s", dir, name);
    char *path = buf_take(&b, NULL);
    if (path == NULL)
        err_memory(e, strlen(dir) + strlen(name) + 2, "a file name");
    return path;
}

bool json_file_exists(const char *dir, const char *name)
{
    char *path = json_path(dir, name, NULL);
    struct stat st;
    bool there = path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    xfree(path);
    return there;
}

const char *json_text(const json_t *obj, const char *key)
{
    return json_string_value(json_object_get(obj, key));
}
