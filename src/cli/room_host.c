#include "cli/room_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bell.h"
#include "base/xalloc.h"
#include "cli/room_path.h"

enum { AT_ONCE = 16 }; /* commands that are sent to a guest in one piece; guests that come in together */

struct guest {
    int fd;                    /* -1: nobody */
    bool known;                /* it has said what it is */
    bool stale;                /* something is to be said to it */
    bool ends;                 /* let go when `out` is sent */
    enum room_role role;
    struct room_reader in;
    struct buf out;
    size_t sent;               /* of out */
    size_t told;               /* of ran */
    uint32_t round;            /* of its answer */
    char answer[ROOM_ANSWER];  /* "": none */
};

struct room_host {
    pthread_t thread;
    pthread_mutex_t lock;
    struct room_door door;
    int wake[2], news[2];      /* to the thread; to the screen */
    struct room_hello hello;
    struct room_place place;
    const struct question *question;
    bool shown, ends, placed;
    struct room_ran *ran;      /* (n) owned */
    size_t n, cap;
    struct guest guest[ROOM_GUESTS];
    bool deaf;                 /* no connection can be taken until one ends */
};

/* ---- what guests are told (with the lock held) -------------------------------------------------------- */

static bool counts(const struct room_host *h, const struct guest *g)
{
    return g->fd >= 0 && g->known && !g->ends && g->role == ROOM_FOLLOW && g->answer[0] != '\0' && g->round == h->place.round;
}

static void make_tally(const struct room_host *h, struct room_tally *t)
{
    *t = (struct room_tally){.shown = h->shown};
    for (int i = 0; i < ROOM_GUESTS; i++) {
        const struct guest *g = &h->guest[i];
        t->present += g->fd >= 0 && g->known && !g->ends && g->role == ROOM_FOLLOW;
        if (counts(h, g))
            room_tally_add(t, g->answer);
    }
    room_tally_sort(t);
}

static void say(struct buf *out, const struct room_line *l)
{
    room_write(l, out);
}

static void say_tally(const struct room_host *h, enum room_role to, struct buf *out)
{
    struct room_tally t;
    struct room_line l = {.kind = ROOM_VOTES};
    make_tally(h, &t);
    bool all = t.shown || to == ROOM_NOTES;
    l.u.votes.present = t.present;
    l.u.votes.answered = t.answered;
    l.u.votes.shown = t.shown;
    say(out, &l);
    for (int i = 0; all && i < t.n; i++) {
        l = (struct room_line){.kind = ROOM_VOTE};
        l.u.vote.count = t.one[i].count;
        memcpy(l.u.vote.text, t.one[i].text, ROOM_ANSWER);
        say(out, &l);
    }
    if (all && t.others > 0) {
        l = (struct room_line){.kind = ROOM_VOTE};
        l.u.vote.count = t.others;
        say(out, &l);
    }
}

/* First the commands, a few at a time, then the place that they lead to. */
static void compose(const struct room_host *h, struct guest *g)
{
    struct room_line l = {.kind = ROOM_RAN_LINE};
    buf_clear(&g->out);
    g->sent = 0;
    for (int i = 0; i < AT_ONCE && g->told < h->n; i++) {
        l.u.ran = h->ran[g->told++];
        say(&g->out, &l);
    }
    if (g->told < h->n)
        return;
    g->stale = false;
    say_tally(h, g->role, &g->out);
    if (h->placed) {
        l = (struct room_line){.kind = ROOM_AT, .u.place = h->place};
        say(&g->out, &l);
    }
}

static void everybody_is_stale(struct room_host *h)
{
    for (int i = 0; i < ROOM_GUESTS; i++)
        h->guest[i].stale |= h->guest[i].fd >= 0 && h->guest[i].known;
}

static void tally_changed(struct room_host *h)
{
    everybody_is_stale(h);
    bell_ring(h->news);
}

/* ---- guests ------------------------------------------------------------------------------------------- */

static void let_go(struct room_host *h, struct guest *g)
{
    bool counted = g->known;
    close(g->fd);
    buf_free(&g->out);
    *g = (struct guest){.fd = -1};
    h->deaf = false;
    if (counted)
        tally_changed(h);
}

static void refuse(struct guest *g, const char *why)
{
    struct room_line l = {.kind = ROOM_ERROR};
    snprintf(l.u.error, sizeof l.u.error, "%.500s", why);
    say(&g->out, &l);
    g->ends = true;
}

/* false: nobody waits at the door. */
static bool take_guest(struct room_host *h)
{
    int fd = accept(h->door.listener, NULL, NULL);
    if (fd < 0) {
        h->deaf = errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ECONNABORTED;
        return false;
    }
    for (int i = 0; i < ROOM_GUESTS; i++) {
        struct guest *g = &h->guest[i];
        if (g->fd >= 0)
            continue;
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
            break;
        *g = (struct guest){.fd = fd};
        return true;
    }
    static const char FULL[] = "error the classroom is full\n";
    ssize_t n = send(fd, FULL, sizeof FULL - 1, MSG_DONTWAIT);
    (void)n;
    close(fd);
    return true;
}

static void answered(struct room_host *h, struct guest *g, const struct room_line *l)
{
    char form[ROOM_ANSWER];
    struct err e = {0};
    if (l->u.answer.round != h->place.round || !h->place.open || h->question == NULL)
        return; /* too late: no fault of the guest */
    if (room_answer(h->question, l->u.answer.text, form, &e) != 0) {
        refuse(g, e.what);
        return;
    }
    g->round = h->place.round;
    memcpy(g->answer, form, sizeof form);
    tally_changed(h);
}

static void heard(struct room_host *h, struct guest *g, const struct room_line *l)
{
    if (l->kind == ROOM_GUEST && !g->known) {
        struct room_line hello = {.kind = ROOM_HELLO, .u.hello = h->hello};
        g->known = true;
        g->role = l->u.role;
        compose(h, g);
        struct buf first = {0};
        say(&first, &hello);
        buf_puts(&first, buf_text(&g->out));
        buf_free(&g->out);
        g->out = first;
        tally_changed(h);
    } else if (!g->known) {
        refuse(g, "a guest says first what it is: radixscope-room 1 follow");
    } else if (l->kind == ROOM_ANSWERED && g->role == ROOM_FOLLOW) {
        answered(h, g, l);
    } else if (l->kind != ROOM_UNKNOWN) {
        refuse(g, "a guest can only answer");
    }
}

/* What it has sent, one buffer at a time: a guest that talks without end does not hold up the others. */
static void hear(struct room_host *h, struct guest *g)
{
    char *to;
    const char *line;
    size_t room = room_reader_room(&g->in, &to), len;
    ssize_t n = read(g->fd, to, room);
    int whole = 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        let_go(h, g);
        return;
    }
    room_reader_came(&g->in, (size_t)n);
    while (!g->ends && (whole = room_reader_line(&g->in, &line, &len)) == 1) {
        struct room_line l;
        struct err e = {0};
        if (room_read(line, len, &l, &e) != 0)
            refuse(g, e.what);
        else
            heard(h, g, &l);
    }
    if (whole < 0)
        refuse(g, "a line of a classroom is too long");
}

/* As much as it takes. */
static void tell(struct room_host *h, struct guest *g)
{
    for (;;) {
        if (g->sent == g->out.len && g->stale && !g->ends)
            compose(h, g);
        if (g->out.failed || (g->sent == g->out.len && g->ends)) {
            let_go(h, g);
            return;
        }
        if (g->sent == g->out.len)
            return;
        ssize_t n = write(g->fd, g->out.data + g->sent, g->out.len - g->sent);
        bool later = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
        if (later && !g->ends)
            return;
        if (n <= 0) {
            let_go(h, g);
            return;
        }
        g->sent += (size_t)n;
    }
}

/* ---- the thread --------------------------------------------------------------------------------------- */

static void serve_guests(struct room_host *h, const struct pollfd *fd)
{
    for (int i = 0; i < ROOM_GUESTS; i++) {
        struct guest *g = &h->guest[i];
        if (g->fd >= 0 && fd[i].fd == g->fd && (fd[i].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0) {
            if (g->ends)
                let_go(h, g); /* what it still says is of no interest */
            else
                hear(h, g);
        }
    }
    for (int i = 0; i < ROOM_GUESTS; i++)
        if (h->guest[i].fd >= 0)
            tell(h, &h->guest[i]);
}

/* What a guest has not taken by now it will not get: nobody is waited for. */
static void say_bye(struct guest *g)
{
    struct room_line bye = {.kind = ROOM_BYE};
    if (g->fd < 0)
        return;
    if (g->sent == g->out.len && !g->ends) {
        struct buf out = {0};
        room_write(&bye, &out);
        ssize_t n = write(g->fd, buf_text(&out), out.len);
        (void)n;
        buf_free(&out);
    }
    close(g->fd);
    buf_free(&g->out);
}

/* A write to a guest that has left must be an error of write, not a signal: this thread takes no signals. */
static void *host_thread(void *arg)
{
    struct room_host *h = arg;
    struct pollfd fd[ROOM_GUESTS + 2];
    for (;;) {
        pthread_mutex_lock(&h->lock);
        bool ends = h->ends;
        for (int i = 0; i < ROOM_GUESTS; i++) {
            const struct guest *g = &h->guest[i];
            short want = g->sent < g->out.len || g->stale ? POLLIN | POLLOUT : POLLIN;
            fd[i] = (struct pollfd){.fd = g->fd, .events = want};
        }
        fd[ROOM_GUESTS] = (struct pollfd){.fd = h->wake[0], .events = POLLIN};
        fd[ROOM_GUESTS + 1] = (struct pollfd){.fd = h->deaf ? -1 : h->door.listener, .events = POLLIN};
        pthread_mutex_unlock(&h->lock);
        if (ends)
            break;
        if (poll(fd, ARRAY_LEN(fd), -1) < 0)
            continue;
        pthread_mutex_lock(&h->lock);
        if (fd[ROOM_GUESTS].revents != 0)
            bell_quiet(h->wake);
        serve_guests(h, fd);
        if (fd[ROOM_GUESTS + 1].revents != 0)
            for (int i = 0; i < AT_ONCE && take_guest(h); i++)
                ;
        pthread_mutex_unlock(&h->lock);
    }
    for (int i = 0; i < ROOM_GUESTS; i++)
        say_bye(&h->guest[i]);
    return NULL;
}

static int start_thread(struct room_host *h, struct err *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&h->thread, NULL, host_thread, h);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : err_set(e, "no thread can be made: %s", strerror(rc));
}

/* ---- the presenter's side ----------------------------------------------------------------------------- */

static void close_pipes(struct room_host *h)
{
    for (int i = 0; i < 2; i++) {
        if (h->wake[i] >= 0)
            close(h->wake[i]);
        if (h->news[i] >= 0)
            close(h->news[i]);
    }
}

struct room_host *room_host_open(const struct room_hello *hello, const char *group, struct err *e)
{
    struct room_host *h = xcalloc(1, sizeof *h);
    struct timespec now;
    if (h == NULL) {
        err_memory(e, sizeof *h, "a classroom");
        return NULL;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    h->hello = *hello;
    h->hello.session = (uint32_t)now.tv_sec * 1000003u ^ (uint32_t)now.tv_nsec ^ (uint32_t)getpid() << 12;
    h->wake[0] = h->wake[1] = h->news[0] = h->news[1] = -1;
    for (int i = 0; i < ROOM_GUESTS; i++)
        h->guest[i].fd = -1;
    pthread_mutex_init(&h->lock, NULL);
    if (bell_open(h->wake, e) == 0 && bell_open(h->news, e) == 0 && room_door_open(&h->door, hello->id, group, e) == 0) {
        if (start_thread(h, e) == 0)
            return h;
        room_door_close(&h->door);
    }
    close_pipes(h);
    pthread_mutex_destroy(&h->lock);
    xfree(h);
    return NULL;
}

void room_host_close(struct room_host *h)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    h->ends = true;
    pthread_mutex_unlock(&h->lock);
    bell_ring(h->wake);
    pthread_join(h->thread, NULL);
    room_door_close(&h->door);
    close_pipes(h);
    pthread_mutex_destroy(&h->lock);
    xfree(h->ran);
    xfree(h);
}

const char *room_host_path(const struct room_host *h)
{
    return h->door.path;
}

int room_host_fd(const struct room_host *h)
{
    return h->news[0];
}

void room_host_place(struct room_host *h, const struct room_place *place, const struct question *q, bool shown)
{
    pthread_mutex_lock(&h->lock);
    h->place = *place;
    h->placed = true;
    h->question = q;
    h->shown = shown;
    everybody_is_stale(h);
    pthread_mutex_unlock(&h->lock);
    bell_ring(h->wake);
}

int room_host_ran(struct room_host *h, const struct room_ran *ran, struct err *e)
{
    pthread_mutex_lock(&h->lock);
    void *grown = h->ran;
    bool fits = h->n < ROOM_RAN, room = fits && xgrow(&grown, &h->cap, h->n + 1, sizeof *h->ran);
    h->ran = grown;
    if (room) {
        h->ran[h->n] = *ran;
        h->ran[h->n].seq = (uint32_t)h->n + 1;
        h->n++;
    }
    pthread_mutex_unlock(&h->lock);
    if (!fits)
        return err_set(e, "those who follow take at most %d commands in one lesson", ROOM_RAN);
    return room ? 0 : err_memory(e, sizeof *h->ran, "a classroom");
}

void room_host_tally(struct room_host *h, struct room_tally *out)
{
    bell_quiet(h->news);
    pthread_mutex_lock(&h->lock);
    make_tally(h, out);
    pthread_mutex_unlock(&h->lock);
}
