#include "cli/room_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bell.h"
#include "base/xalloc.h"
#include "cli/room_path.h"

enum { ASK_AGAIN_MS = 1000 };

struct room_guest {
    pthread_t thread;
    pthread_mutex_t lock;
    struct room_hello hello;
    const char *path;            /* borrowed; NULL: the person's own places */
    enum room_role role;
    int wake[2], news[2];
    bool ends;
    struct room_news now;
    struct room_tally coming;    /* votes that are being read; they become `now` with the next `at` */
    struct room_ran *ran;        /* (now.ran) owned */
    size_t cap;
    struct room_line answer;     /* the last one; ROOM_UNKNOWN: none */
    bool unsent;                 /* it has to be sent; again, when the presenter was gone in between */
    /* The thread's own. */
    int fd;
    struct room_reader in;
    struct buf out;
    size_t sent;
};

static int64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- coming and going (the lock is held) -------------------------------------------------------------- */

static void hang_up(struct room_guest *g, enum room_link why)
{
    close(g->fd);
    g->fd = -1;
    buf_free(&g->out);
    g->sent = 0;
    g->in = (struct room_reader){0};
    if (g->now.link != ROOM_REFUSED)
        g->now.link = why;
    bell_ring(g->news);
}

static void refused(struct room_guest *g, const char *why)
{
    bool same = g->now.link == ROOM_REFUSED && strcmp(g->now.why, why) == 0;
    g->now.link = ROOM_REFUSED;
    snprintf(g->now.why, sizeof g->now.why, "%.190s", why);
    if (!same)
        bell_ring(g->news);
}

static void call(struct room_guest *g)
{
    struct room_line hello = {.kind = ROOM_GUEST, .u.role = g->role};
    struct err e = {0};
    g->fd = room_connect(g->path, g->hello.id, &e);
    if (e.set)
        refused(g, e.what); /* it is tried again all the same */
    if (g->fd < 0)
        return;
    buf_clear(&g->out);
    g->sent = 0;
    room_write(&hello, &g->out);
}

/* ---- what the presenter says -------------------------------------------------------------------------- */

/* Another session: what was known of the last one is forgotten. */
static bool met(struct room_guest *g, const struct room_hello *h)
{
    if (strcmp(h->id, g->hello.id) != 0 || h->sum != g->hello.sum || h->seed != g->hello.seed) {
        refused(g, strcmp(h->id, g->hello.id) == 0
                       ? "The presenter's file of this lesson, or its --seed, is another one than the one here."
                       : "The presenter gives another lesson.");
        return false;
    }
    if (h->session != g->now.session || g->now.session == 0) {
        g->now = (struct room_news){.session = h->session};
        g->answer.kind = ROOM_UNKNOWN;
    }
    g->unsent = g->answer.kind == ROOM_ANSWERED;
    g->now.link = ROOM_THERE;
    g->now.why[0] = '\0';
    return true;
}

static bool remember_ran(struct room_guest *g, const struct room_ran *r)
{
    void *grown = g->ran;
    if (r->seq <= g->now.ran)
        return true; /* told again, after a break */
    if (r->seq != g->now.ran + 1 || g->now.ran == ROOM_RAN)
        return false;
    bool room = xgrow(&grown, &g->cap, g->now.ran + 1, sizeof *g->ran);
    g->ran = grown;
    if (room)
        g->ran[g->now.ran++] = *r;
    return room;
}

static void remember_vote(struct room_guest *g, uint32_t count, const char *text)
{
    struct room_tally *t = &g->coming;
    if (text[0] == '\0' || t->n == ROOM_DIFFERENT) {
        t->others += count;
        return;
    }
    t->one[t->n].count = count;
    snprintf(t->one[t->n++].text, ROOM_ANSWER, "%s", text);
}

/* false: the connection ends. */
static bool told(struct room_guest *g, const struct room_line *l)
{
    if (l->kind == ROOM_ERROR) {
        refused(g, l->u.error);
        return false;
    }
    if (l->kind == ROOM_HELLO)
        return met(g, &l->u.hello);
    if (g->now.link != ROOM_THERE || l->kind == ROOM_GUEST || l->kind == ROOM_ANSWERED || l->kind == ROOM_BYE)
        return false;
    if (l->kind == ROOM_RAN_LINE)
        return remember_ran(g, &l->u.ran);
    if (l->kind == ROOM_VOTES) {
        g->coming = (struct room_tally){.present = l->u.votes.present, .answered = l->u.votes.answered, .shown = l->u.votes.shown};
    } else if (l->kind == ROOM_VOTE) {
        remember_vote(g, l->u.vote.count, l->u.vote.text);
    } else if (l->kind == ROOM_AT) {
        g->now.place = l->u.place;
        g->now.placed = true;
        g->now.place_ms = monotonic_ms();
        g->now.tally = g->coming;
        bell_ring(g->news);
    }
    return true;
}

static void listen_to(struct room_guest *g)
{
    char *to;
    const char *line;
    size_t room = room_reader_room(&g->in, &to), len;
    ssize_t n = read(g->fd, to, room);
    int whole;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(g, ROOM_GONE);
        return;
    }
    room_reader_came(&g->in, (size_t)n);
    while ((whole = room_reader_line(&g->in, &line, &len)) == 1) {
        struct room_line l;
        struct err e = {0};
        bool understood = room_read(line, len, &l, &e) == 0;
        if (!understood)
            refused(g, e.what);
        if (!understood || !told(g, &l)) {
            hang_up(g, ROOM_GONE);
            return;
        }
    }
    if (whole < 0)
        hang_up(g, ROOM_GONE);
}

static void speak(struct room_guest *g)
{
    if (g->sent == g->out.len && g->unsent && g->now.link == ROOM_THERE) {
        buf_clear(&g->out);
        g->sent = 0;
        room_write(&g->answer, &g->out);
        g->unsent = false;
    }
    if (g->sent == g->out.len)
        return;
    ssize_t n = write(g->fd, g->out.data + g->sent, g->out.len - g->sent);
    if (n > 0)
        g->sent += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        hang_up(g, ROOM_GONE);
}

/* ---- the thread --------------------------------------------------------------------------------------- */

static void *guest_thread(void *arg)
{
    struct room_guest *g = arg;
    pthread_mutex_lock(&g->lock);
    while (!g->ends) {
        if (g->fd < 0)
            call(g);
        if (g->fd >= 0)
            speak(g);
        bool more = g->sent < g->out.len;
        struct pollfd fd[2] = {{.fd = g->wake[0], .events = POLLIN},
                               {.fd = g->fd, .events = more ? POLLIN | POLLOUT : POLLIN}};
        int patience = g->fd < 0 ? ASK_AGAIN_MS : -1;
        pthread_mutex_unlock(&g->lock);
        int n = poll(fd, 2, patience);
        pthread_mutex_lock(&g->lock);
        if (n > 0 && fd[0].revents != 0)
            bell_quiet(g->wake);
        if (n > 0 && g->fd >= 0 && fd[1].revents != 0)
            listen_to(g);
    }
    if (g->fd >= 0)
        close(g->fd);
    buf_free(&g->out);
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

static int start_guest(struct room_guest *g, struct err *e)
{
    sigset_t all, before;
    sigfillset(&all); /* also SIGPIPE: a presenter who has left is an error of write */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&g->thread, NULL, guest_thread, g);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : err_set(e, "no thread can be made: %s", strerror(rc));
}

static void free_guest(struct room_guest *g)
{
    for (int i = 0; i < 2; i++) {
        if (g->wake[i] >= 0)
            close(g->wake[i]);
        if (g->news[i] >= 0)
            close(g->news[i]);
    }
    pthread_mutex_destroy(&g->lock);
    xfree(g->ran);
    xfree(g);
}

struct room_guest *room_guest_open(const struct room_hello *hello, const char *path, enum room_role role, struct err *e)
{
    struct room_guest *g = xcalloc(1, sizeof *g);
    if (g == NULL) {
        err_memory(e, sizeof *g, "a classroom");
        return NULL;
    }
    g->hello = *hello;
    g->path = path;
    g->role = role;
    g->fd = g->wake[0] = g->wake[1] = g->news[0] = g->news[1] = -1;
    pthread_mutex_init(&g->lock, NULL);
    if (bell_open(g->wake, e) == 0 && bell_open(g->news, e) == 0 && start_guest(g, e) == 0)
        return g;
    free_guest(g);
    return NULL;
}

void room_guest_close(struct room_guest *g)
{
    if (g == NULL)
        return;
    pthread_mutex_lock(&g->lock);
    g->ends = true;
    pthread_mutex_unlock(&g->lock);
    bell_ring(g->wake);
    pthread_join(g->thread, NULL);
    free_guest(g);
}

int room_guest_fd(const struct room_guest *g)
{
    return g->news[0];
}

void room_guest_news(struct room_guest *g, struct room_news *out)
{
    bell_quiet(g->news);
    pthread_mutex_lock(&g->lock);
    *out = g->now;
    pthread_mutex_unlock(&g->lock);
}

bool room_guest_ran(struct room_guest *g, uint32_t session, size_t i, struct room_ran *out)
{
    pthread_mutex_lock(&g->lock);
    bool there = session == g->now.session && i < g->now.ran;
    if (there)
        *out = g->ran[i];
    pthread_mutex_unlock(&g->lock);
    return there;
}

void room_guest_answer(struct room_guest *g, uint32_t round, const char *text)
{
    pthread_mutex_lock(&g->lock);
    g->answer = (struct room_line){.kind = ROOM_ANSWERED};
    g->answer.u.answer.round = round;
    g->unsent = true;
    snprintf(g->answer.u.answer.text, ROOM_ANSWER, "%s", text);
    pthread_mutex_unlock(&g->lock);
    bell_ring(g->wake);
}
