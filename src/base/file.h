/* file.h: whole files in and out. Reading maps the file; writing goes to a temporary name in the same
 * folder, is synced and renamed, so that a reader never sees half a file and a crash loses nothing.
 *
 * Only a regular file is replaced. What a symbolic link names is; the link stays. A device or a FIFO is
 * written into. */
#ifndef RADIXSCOPE_BASE_FILE_H
#define RADIXSCOPE_BASE_FILE_H

#include <stddef.h>

#include "base/err.h"

struct file_map {
    const char *data; /* read-only; NULL only for an empty file */
    size_t len;
};

int file_map(const char *path, struct file_map *out, struct err *e);   /* -1 and *e on failure */
void file_unmap(struct file_map *m);
/* Its pages may leave this process; whoever reads one brings it back. For files that were copied elsewhere. */
void file_rest(const struct file_map *m);

/* The whole file as bytes with a NUL behind; a name ending in .zst, or a file that begins as
 * zstd's do, is unpacked. `limit` bounds the unpacked size. The caller frees with xfree. */
int file_read(const char *path, size_t limit, char **bytes, size_t *len, struct err *e);

int file_write(const char *path, const void *bytes, size_t len, struct err *e);

#endif
