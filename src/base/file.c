#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/xalloc.h"

static int open_regular(const char *path, size_t *len, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would wait for a writer */
    if (fd < 0)
        return err_set(e, "%s cannot be opened: %s", path, strerror(errno));
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(e, "%s is not a regular file", path);
    }
    *len = (size_t)st.st_size;
    return fd;
}

int file_map(const char *path, struct file_map *out, struct err *e)
{
    *out = (struct file_map){0};
    int fd = open_regular(path, &out->len, e);
    if (fd < 0)
        return -1;
    void *data = NULL;
    if (out->len > 0)
        data = mmap(NULL, out->len, PROT_READ, MAP_PRIVATE, fd, 0);
    int why = errno;
    close(fd);
    if (data == MAP_FAILED)
        return err_set(e, "%s cannot be mapped: %s", path, strerror(why));
    out->data = data;
    return 0;
}

void file_rest(const struct file_map *m)
{
#ifdef MADV_DONTNEED
    if (m->data != NULL && m->len > 0) /* read-only and never written: nothing can be lost */
        madvise((void *)(uintptr_t)m->data, m->len, MADV_DONTNEED);
#else
    (void)m;
#endif
}

void file_unmap(struct file_map *m)
{
    if (m->data != NULL)
        munmap((void *)(uintptr_t)m->data, m->len);
    *m = (struct file_map){0};
}

static int unpack(const char *path, const struct file_map *m, size_t limit, struct buf *b, struct err *e)
{
    static const size_t CHUNK = 1 << 16;
    ZSTD_DStream *z = ZSTD_createDStream();
    char *chunk = xmalloc(CHUNK);
    int rc = z == NULL || chunk == NULL ? err_memory(e, CHUNK, path) : 0;
    ZSTD_inBuffer in = {m->data, m->len, 0};
    size_t state = 1;
    while (rc == 0 && in.pos < in.size) {
        ZSTD_outBuffer out = {chunk, CHUNK, 0};
        state = ZSTD_decompressStream(z, &out, &in);
        if (ZSTD_isError(state))
            rc = err_set(e, "%s is damaged: %s near packed byte %zu", path, ZSTD_getErrorName(state), in.pos);
        else if (b->len + out.pos > limit)
            rc = err_set(e, "%s holds more than %zu bytes when unpacked", path, limit);
        else
            buf_add(b, chunk, out.pos);
        /* a full output chunk may hide more output behind consumed input */
        while (rc == 0 && out.pos == CHUNK && in.pos == in.size && state != 0) {
            out.pos = 0;
            state = ZSTD_decompressStream(z, &out, &in);
            if (ZSTD_isError(state) || b->len + out.pos > limit)
                rc = err_set(e, "%s is damaged or larger than %zu bytes when unpacked", path, limit);
            else
                buf_add(b, chunk, out.pos);
        }
    }
    if (rc == 0 && state != 0)
        rc = err_set(e, "%s is cut off: its packed data ends early", path);
    ZSTD_freeDStream(z);
    xfree(chunk);
    return rc;
}

/* By its name, or, renamed, by how a frame begins (0xFD2FB528, little-endian). */
static bool packed(const char *path, const struct file_map *m)
{
    size_t n = strlen(path);
    return (n > 4 && strcmp(path + n - 4, ".zst") == 0) || (m->len >= 4 && memcmp(m->data, "\x28\xb5\x2f\xfd", 4) == 0);
}

int file_read(const char *path, size_t limit, char **bytes, size_t *len, struct err *e)
{
    *bytes = NULL;
    struct file_map m;
    if (file_map(path, &m, e) != 0)
        return -1;
    struct buf b = {0};
    int rc = 0;
    if (packed(path, &m))
        rc = unpack(path, &m, limit, &b, e);
    else if (m.len > limit)
        rc = err_set(e, "%s is larger than %zu bytes", path, limit);
    else
        buf_add(&b, m.data, m.len);
    file_unmap(&m);
    if (rc == 0 && (*bytes = buf_take(&b, len)) == NULL)
        rc = err_memory(e, b.len, path);
    buf_free(&b);
    return rc;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int cannot_write(const char *path, struct err *e)
{
    return err_set(e, "%s cannot be written: %s", path, strerror(errno));
}

/* Close fd and say whether all went well up to here; errno is that of the first failure. */
static bool closed_well(int fd, bool good)
{
    int why = errno;
    if (close(fd) != 0)
        return false;
    errno = why;
    return good;
}

/* A device, a FIFO, a link to a name that is not there yet: there is nothing to put in its place. */
static int write_through(const char *path, const void *bytes, size_t len, struct err *e)
{
    /* O_NONBLOCK: a FIFO that nobody reads is an error, not a wait; from then on writing may wait */
    int fd = open(path, O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0644);
    bool good = fd >= 0 && fcntl(fd, F_SETFL, 0) == 0 && write_all(fd, bytes, len) == 0;
    if (fd >= 0)
        good = closed_well(fd, good);
    return good ? 0 : cannot_write(path, e);
}

static int replace(const char *path, mode_t rights, const void *bytes, size_t len, struct err *e)
{
    struct buf temporary = {0};
    buf_printf(&temporary, "%s.XXXXXX", path);
    if (temporary.failed)
        return err_memory(e, strlen(path), "a file name");
    int rc = 0, fd = mkstemp(temporary.data);
    if (fd < 0) {
        rc = cannot_write(path, e);
    } else {
        bool good = write_all(fd, bytes, len) == 0 && fchmod(fd, rights) == 0 && fsync(fd) == 0;
        good = closed_well(fd, good) && rename(temporary.data, path) == 0;
        if (!good) {
            rc = cannot_write(path, e);
            unlink(temporary.data);
        }
    }
    buf_free(&temporary);
    return rc;
}

int file_write(const char *path, const void *bytes, size_t len, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return replace(path, 0644, bytes, len, e); /* also says why, if there cannot be such a file */
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return write_through(path, bytes, len, e);
    char *target = realpath(path, NULL); /* a link stays: what it names is replaced */
    if (target == NULL)
        return cannot_write(path, e);
    int rc = replace(target, st.st_mode & 0777, bytes, len, e);
    free(target); /* realpath's, not ours */
    return rc;
}
