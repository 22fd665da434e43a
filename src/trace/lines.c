#include "trace/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/xalloc.h"

enum { PACKED = 1 << 16, GZIP_WINDOW = 15 + 16 };
enum packing { PACK_UNKNOWN, PACK_NONE, PACK_ZSTD, PACK_GZIP };

struct lines {
    char *name;
    int fd;                    /* -1: the packed bytes are all there */
    int stop[2];               /* of what may keep us waiting (a FIFO, a terminal): readable once lines_stop was called; -1 */
    atomic_bool stopped;
    uint64_t taken, size;
    enum packing packing;
    ZSTD_DStream *zstd;
    z_stream gzip;
    bool gzip_on, inside;      /* inside: a packed frame has begun and not ended */
    const unsigned char *in;   /* packed bytes not yet unpacked: in[in_at … in_n) */
    size_t in_at, in_n;
    unsigned char *packed;     /* (PACKED) where a file is read to */
    bool ended;                /* nothing more will come from the file */
    char *text;                /* text[at … n) is unpacked and not given out */
    size_t cap, at, n, looked; /* looked: from here on no newline has been looked for */
    unsigned long number;
};

static struct lines *lines_new(const char *name, struct err *e)
{
    struct lines *l = xcalloc(1, sizeof *l);
    if (l != NULL) {
        l->fd = l->stop[0] = l->stop[1] = -1;
        atomic_init(&l->stopped, false);
    }
    if (l == NULL || (l->name = xstrdup(name)) == NULL) {
        err_memory(e, sizeof *l, name);
        lines_close(l);
        return NULL;
    }
    return l;
}

struct lines *lines_of(const char *name, const char *text, size_t len, struct err *e)
{
    struct lines *l = lines_new(name, e);
    if (l == NULL)
        return NULL;
    l->in = (const unsigned char *)text;
    l->in_n = l->size = l->taken = len;
    l->ended = true;
    return l;
}

static int open_input(const char *path, struct err *e)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return err_set(e, "%s cannot be opened: %s", path, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return err_set(e, "%s is a folder", path);
    }
    return fd;
}

static int make_stop(struct lines *l, struct err *e)
{
    if (pipe(l->stop) != 0) {
        l->stop[0] = l->stop[1] = -1;
        return err_set(e, "%s: no pipe could be made: %s", l->name, strerror(errno));
    }
    for (int i = 0; i < 2; i++)
        fcntl(l->stop[i], F_SETFD, FD_CLOEXEC);
    return 0;
}

struct lines *lines_open(const char *path, struct err *e)
{
    int fd = open_input(path, e);
    struct lines *l = fd >= 0 ? lines_new(strcmp(path, "-") == 0 ? "standard input" : path, e) : NULL;
    struct stat st;
    if (l == NULL) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    l->fd = fd;
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    l->size = regular ? (uint64_t)st.st_size : 0;
    if (!regular && make_stop(l, e) != 0) {
        lines_close(l);
        return NULL;
    }
    if ((l->in = l->packed = xmalloc(PACKED)) == NULL) {
        err_memory(e, PACKED, path);
        lines_close(l);
        return NULL;
    }
    return l;
}

void lines_close(struct lines *l)
{
    if (l == NULL)
        return;
    if (l->fd >= 0)
        close(l->fd);
    for (int i = 0; i < 2; i++)
        if (l->stop[i] >= 0)
            close(l->stop[i]);
    if (l->gzip_on)
        inflateEnd(&l->gzip);
    ZSTD_freeDStream(l->zstd);
    xfree(l->packed);
    xfree(l->text);
    xfree(l->name);
    xfree(l);
}

/* Wait where more may be long in coming. */
static void wait_for_bytes(struct lines *l)
{
    struct pollfd p[2] = {{.fd = l->fd, .events = POLLIN}, {.fd = l->stop[0], .events = POLLIN}};
    while (l->stop[0] >= 0 && !atomic_load(&l->stopped) && poll(p, 2, -1) < 0 && errno == EINTR)
        ;
}

void lines_stop(struct lines *l)
{
    ssize_t n = 1;
    if (!atomic_exchange(&l->stopped, true) && l->stop[1] >= 0)
        do
            n = write(l->stop[1], "!", 1);
        while (n < 0 && errno == EINTR);
}

/* More packed bytes behind those that are left. */
static int fill(struct lines *l, struct err *e)
{
    if (l->ended || l->fd < 0)
        return 0;
    memmove(l->packed, l->packed + l->in_at, l->in_n - l->in_at);
    l->in_n -= l->in_at;
    l->in_at = 0;
    ssize_t got;
    wait_for_bytes(l);
    if (atomic_load(&l->stopped))
        return err_set(e, "%s: reading was stopped after line %lu", l->name, l->number);
    do
        got = read(l->fd, l->packed + l->in_n, PACKED - l->in_n);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_set(e, "%s cannot be read: %s", l->name, strerror(errno));
    l->ended = got == 0;
    l->in_n += (size_t)got;
    l->taken += (uint64_t)got;
    return 0;
}

static int begin(struct lines *l, struct err *e)
{
    static const unsigned char ZSTD[] = {0x28, 0xb5, 0x2f, 0xfd}, GZIP[] = {0x1f, 0x8b};
    while (l->in_n - l->in_at < sizeof ZSTD && !l->ended)
        if (fill(l, e) != 0)
            return -1;
    size_t n = l->in_n;
    l->packing = n >= sizeof ZSTD && memcmp(l->in, ZSTD, sizeof ZSTD) == 0   ? PACK_ZSTD
                 : n >= sizeof GZIP && memcmp(l->in, GZIP, sizeof GZIP) == 0 ? PACK_GZIP
                                                                             : PACK_NONE;
    if (l->packing == PACK_ZSTD && (l->zstd = ZSTD_createDStream()) == NULL)
        return err_memory(e, PACKED, l->name);
    if (l->packing == PACK_GZIP) {
        if (inflateInit2(&l->gzip, GZIP_WINDOW) != Z_OK)
            return err_memory(e, PACKED, l->name);
        l->gzip_on = true;
    }
    return 0;
}

static int damaged(const struct lines *l, const char *why, struct err *e)
{
    return err_set(e, "%s is damaged after line %lu: %s", l->name, l->number, why);
}

static int unpack_zstd(struct lines *l, struct err *e)
{
    ZSTD_inBuffer in = {l->in, l->in_n, l->in_at};
    ZSTD_outBuffer out = {l->text, l->cap, l->n};
    size_t left = ZSTD_decompressStream(l->zstd, &out, &in);
    if (ZSTD_isError(left))
        return damaged(l, ZSTD_getErrorName(left), e);
    l->inside = left != 0;
    l->in_at = in.pos;
    l->n = out.pos;
    return 0;
}

static int unpack_gzip(struct lines *l, struct err *e)
{
    z_stream *z = &l->gzip;
    z->next_in = (unsigned char *)(uintptr_t)(l->in + l->in_at);
    z->avail_in = (uInt)(l->in_n - l->in_at < PACKED ? l->in_n - l->in_at : PACKED);
    z->next_out = (unsigned char *)l->text + l->n;
    z->avail_out = (uInt)(l->cap - l->n);
    l->inside = true;
    int rc = inflate(z, Z_NO_FLUSH);
    l->in_at = (size_t)(z->next_in - l->in);
    l->n = (size_t)((char *)z->next_out - l->text);
    if (rc == Z_STREAM_END) { /* another member may follow */
        l->inside = false;
        return inflateReset(z) == Z_OK ? 0 : damaged(l, "gzip", e);
    }
    return rc == Z_OK || rc == Z_BUF_ERROR ? 0 : damaged(l, z->msg != NULL ? z->msg : "not gzip", e);
}

static int copy_plain(struct lines *l)
{
    size_t n = l->in_n - l->in_at, room = l->cap - l->n;
    n = n < room ? n : room;
    if (n > 0)
        memcpy(l->text + l->n, l->in + l->in_at, n);
    l->in_at += n;
    l->n += n;
    return 0;
}

/* Room for more text: what is given out goes, then the block grows. One byte is kept for the last NUL. */
static int text_room(struct lines *l, struct err *e)
{
    if (l->at > 0) {
        memmove(l->text, l->text + l->at, l->n - l->at);
        l->n -= l->at;
        l->looked -= l->at;
        l->at = 0;
    }
    if (l->n < l->cap)
        return 0;
    if (l->n >= LINE_LIMIT)
        return err_set(e, "%s:%lu: the line is longer than %d bytes", l->name, l->number + 1, LINE_LIMIT);
    size_t cap = l->cap == 0 ? 4 * PACKED : 2 * l->cap;
    char *text = xrealloc(l->text, cap + 1, 1);
    if (text == NULL)
        return err_memory(e, cap, l->name);
    l->text = text;
    l->cap = cap;
    return 0;
}

/* Unpack some more text. *more: there may be yet more. */
static int refill(struct lines *l, bool *more, struct err *e)
{
    if ((l->packing == PACK_UNKNOWN && begin(l, e) != 0) || text_room(l, e) != 0)
        return -1;
    size_t before = l->n;
    if (l->in_at == l->in_n && fill(l, e) != 0)
        return -1;
    bool tail = l->in_at == l->in_n && l->ended;
    int rc = l->packing == PACK_NONE   ? copy_plain(l)
             : tail && !l->inside      ? 0 /* asked again, the libraries would begin another frame */
             : l->packing == PACK_ZSTD ? unpack_zstd(l, e)
                                       : unpack_gzip(l, e);
    *more = !tail || l->n != before;
    if (rc == 0 && tail && !*more && l->inside)
        return err_set(e, "%s is cut off after line %lu: its packed data ends early", l->name, l->number);
    return rc;
}

int lines_next(struct lines *l, char **line, size_t *len, struct err *e)
{
    bool more = true;
    char *end = NULL;
    for (;;) {
        if (l->n > l->looked)
            end = memchr(l->text + l->looked, '\n', l->n - l->looked);
        l->looked = l->n;
        if (end != NULL || !more)
            break;
        if (refill(l, &more, e) != 0)
            return -1;
    }
    if (end == NULL && l->at == l->n)
        return 0;
    *line = l->text + l->at;
    *len = end != NULL ? (size_t)(end - *line) : l->n - l->at;
    (*line)[*len] = '\0';
    l->at += *len + (end != NULL);
    l->looked = l->at;
    l->number++;
    return 1;
}

int lines_peek(struct lines *l, size_t least, char **bytes, size_t *n, struct err *e)
{
    bool more = true;
    while (l->n - l->at < least && more)
        if (refill(l, &more, e) != 0)
            return -1;
    *bytes = l->text + l->at;
    *n = l->n - l->at;
    return 0;
}

void lines_take(struct lines *l, size_t n)
{
    l->at += n;
    l->looked = l->at;
}

int lines_first(struct lines *l, char **bytes, size_t *n, struct err *e)
{
    for (size_t least = 1;; least = 2 * *n) {
        if (lines_peek(l, least, bytes, n, e) != 0)
            return -1;
        if (*n < least || (unsigned char)**bytes >= 0x80 || memchr(*bytes, '\n', *n) != NULL)
            return 0;
    }
}

const char *lines_name(const struct lines *l)
{
    return l->name;
}

unsigned long lines_number(const struct lines *l)
{
    return l->number;
}

uint64_t lines_taken(const struct lines *l)
{
    return l->taken;
}

uint64_t lines_size(const struct lines *l)
{
    return l->size;
}

uint64_t lines_values(const struct lines *l)
{
    return l->packing == PACK_NONE ? l->size / 2 : 0; /* each takes a digit and a comma */
}
