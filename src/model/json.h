/* json.h: what the readers of checkpoint files share: parsing with bounds, and errors that name the file.
 * (jansson does the parsing; NULs inside strings are allowed, because tokenizers hold them.) */
#ifndef RADIXSCOPE_MODEL_JSON_H
#define RADIXSCOPE_MODEL_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Parse bytes as a JSON object; `name` stands for the file in errors. The caller json_decrefs. */
json_t *json_from_bytes(const char *name, const char *bytes, size_t len, struct err *e);

/* Read and parse a file of at most `limit` bytes. */
json_t *json_from_file(const char *path, size_t limit, struct err *e);

/* A value as text for an error message: cut after a few dozen bytes. Returns out. */
const char *json_describe(const json_t *value, char *out, size_t size);

/* DIR/NAME in fresh memory (xfree it), or NULL and *e. */
char *json_path(const char *dir, const char *name, struct err *e);

/* Does a regular file of this name stand in the folder? */
bool json_file_exists(const char *dir, const char *name);

/* obj[key] as a string, or NULL when it is absent or something else. */
const char *json_text(const json_t *obj, const char *key);

#endif
