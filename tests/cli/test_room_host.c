/* The presenter's end of a classroom against guests of every kind, over real sockets: those who answer, who change their
 * mind, who leave, who never read, who send rubbish, who are too many; a second presenter, a stale socket. No test
 * depends on how fast anybody is: each waits for what must come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/prng.h"
#include "cli/room_guest.h"
#include "cli/room_host.h"
#include "cli/room_path.h"

enum { PATIENCE_MS = 20000, RUBBISH = 400 };

static const struct room_hello HELLO = {.sum = 77, .id = "test-hall"};
static const struct question NUMBER = {.kind = ASK_NUMBER};

struct hall {
    char dir[64];
    struct room_host *host;
};

static int open_hall(void **state)
{
    static struct hall h;
    struct err e = {0};
    snprintf(h.dir, sizeof h.dir, "/tmp/radixscope-test-XXXXXX");
    if (mkdtemp(h.dir) == NULL || setenv("XDG_RUNTIME_DIR", h.dir, 1) != 0)
        return -1;
    h.host = room_host_open(&HELLO, NULL, &e);
    if (h.host == NULL)
        fail_msg("%s", e.what);
    *state = &h;
    return 0;
}

static int close_hall(void **state)
{
    struct hall *h = *state;
    char command[200];
    room_host_close(h->host);
    snprintf(command, sizeof command, "rm -rf %s", h->dir);
    return system(command);
}

static void stand(struct hall *h, uint32_t round, bool open, bool shown)
{
    struct room_place p;
    memset(&p, 0, sizeof p);
    p.round = round;
    p.open = open;
    p.scene = ROOM_NO_SCENE;
    snprintf(p.chunk, sizeof p.chunk, "one");
    room_host_place(h->host, &p, &NUMBER, shown);
}

/* Until the tally says so. */
static void wait_tally(struct hall *h, uint32_t present, uint32_t answered, struct room_tally *t)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 100) {
        struct pollfd fd = {.fd = room_host_fd(h->host), .events = POLLIN};
        room_host_tally(h->host, t);
        if (t->present == present && t->answered == answered)
            return;
        poll(&fd, 1, 100);
    }
    fail_msg("present %u (want %u), answered %u (want %u)", t->present, present, t->answered, answered);
}

/* ---- a guest made by hand ----------------------------------------------------------------------------- */

static int call_host(const struct hall *h)
{
    struct err e = {0};
    int fd = -1;
    for (int i = 0; fd < 0 && i < PATIENCE_MS / 10; i++) {
        fd = room_connect(room_host_path(h->host), "test-hall", &e);
        if (fd < 0)
            poll(NULL, 0, 10); /* the system holds no more than some that were not taken yet */
    }
    assert_true(fd >= 0);
    return fd;
}

static void say_to(int fd, const char *words)
{
    assert_int_equal(write(fd, words, strlen(words)), strlen(words));
}

/* Read until the text is there, or the other side closes. */
static bool hear_from(int fd, const char *want, struct buf *got)
{
    char bytes[4096];
    for (int waited = 0; waited < PATIENCE_MS && (want == NULL || strstr(buf_text(got), want) == NULL);) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 100) == 0) {
            waited += 100;
            continue;
        }
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n <= 0 && !(n < 0 && errno == EAGAIN))
            return want == NULL;
        buf_add(got, bytes, n > 0 ? (size_t)n : 0);
    }
    return want != NULL && strstr(buf_text(got), want) != NULL;
}

static int follower(const struct hall *h)
{
    struct buf got = {0};
    int fd = call_host(h);
    say_to(fd, "radixscope-room 1 follow\n");
    assert_true(hear_from(fd, "\nat ", &got));
    assert_int_equal(strncmp(buf_text(&got), "radixscope-room 1 ", 18), 0);
    buf_free(&got);
    return fd;
}

/* ---- the tests ---------------------------------------------------------------------------------------- */

static void answers_are_counted_once(void **state)
{
    struct hall *h = *state;
    struct room_tally t;
    int a, b, c;
    stand(h, 1, true, false);
    a = follower(h);
    b = follower(h);
    c = follower(h);
    say_to(a, "answer 1 3\n");
    say_to(b, "answer 1 11\n");
    say_to(c, "answer 1 03\n");
    wait_tally(h, 3, 3, &t);
    assert_int_equal(t.n, 2);
    assert_string_equal(t.one[0].text, "3");
    assert_int_equal(t.one[0].count, 2);
    say_to(c, "answer 1 11\nanswer 1 12\nanswer 1 11\n"); /* changes its mind */
    for (int i = 0; i < 200 && t.one[0].count != 2 + (strcmp(t.one[0].text, "11") != 0); i++) {
        poll(NULL, 0, 50);
        room_host_tally(h->host, &t);
        if (strcmp(t.one[0].text, "11") == 0 && t.one[0].count == 2)
            break;
    }
    wait_tally(h, 3, 3, &t);
    assert_string_equal(t.one[0].text, "11");
    close(b); /* who leaves takes the answer along */
    wait_tally(h, 2, 2, &t);
    say_to(a, "answer 2 5\n"); /* of another round: too late or too early */
    stand(h, 2, true, false);
    wait_tally(h, 2, 0, &t);
    say_to(a, "answer 2 5\n");
    wait_tally(h, 2, 1, &t);
    stand(h, 2, false, true); /* closed: what was answered stays to be seen */
    say_to(c, "answer 2 5\n");
    struct buf got = {0};
    assert_true(hear_from(a, "votes 2 1 1\nvote 1 5\n", &got));
    room_host_tally(h->host, &t);
    assert_int_equal(t.answered, 1);
    buf_free(&got);
    close(a);
    close(c);
    wait_tally(h, 0, 0, &t);
}

/* The distribution is the presenter's until it is shown; the speaker sees it always. */
static void nobody_sees_the_distribution_early(void **state)
{
    struct hall *h = *state;
    struct room_tally t;
    struct buf got = {0}, notes = {0};
    stand(h, 5, true, false);
    int a = follower(h), speaker = call_host(h);
    say_to(speaker, "radixscope-room 1 notes\n");
    say_to(a, "answer 5 42\n");
    wait_tally(h, 1, 1, &t);
    assert_true(hear_from(speaker, "vote 1 42\n", &notes));
    assert_true(hear_from(a, "votes 1 1 0\nat 5 ", &got));
    assert_null(strstr(buf_text(&got), "vote 1 42"));
    stand(h, 5, true, true);
    assert_true(hear_from(a, "votes 1 1 1\nvote 1 42\n", &got));
    buf_free(&got);
    buf_free(&notes);
    close(a);
    close(speaker);
    wait_tally(h, 0, 0, &t);
}

/* Thousands of places while one guest reads nothing: the others get the newest, and so does it, when it reads. */
static void a_guest_that_sleeps_holds_up_nobody(void **state)
{
    struct hall *h = *state;
    struct room_tally t;
    struct buf got = {0};
    stand(h, 1, true, false);
    int sleeper = follower(h), awake = follower(h);
    for (uint32_t i = 2; i < 20000; i++)
        stand(h, i, true, false);
    say_to(awake, "answer 19999 1\n");
    wait_tally(h, 2, 1, &t);
    assert_true(hear_from(awake, "at 19999 ", &got));
    buf_free(&got);
    assert_true(hear_from(sleeper, "at 19999 ", &got));
    assert_true(got.len < 20000u * 30); /* not every place was kept for it */
    buf_free(&got);
    close(awake);
    close(sleeper);
    wait_tally(h, 0, 0, &t);
}

static void rubbish_is_told_so_and_let_go(void **state)
{
    static const char *const BAD[] = {
        "hello\nhello\n", "GET / HTTP/1.1\r\n\r\n", "answer 1 3\n", "radixscope-room 2 follow\n", "radixscope-room 1 follow\nat 1\n",
        "radixscope-room 1 follow\nbye\n", "radixscope-room 1 notes\nanswer 1 3\n", "radixscope-room 1 follow\nanswer 1 three\n",
        "radixscope-room 1 follow\nradixscope-room 1 follow\n",
    };
    struct hall *h = *state;
    struct room_tally t;
    stand(h, 1, true, false);
    int good = follower(h);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct buf got = {0};
        int fd = call_host(h);
        say_to(fd, BAD[i]);
        assert_true(hear_from(fd, NULL, &got)); /* closed */
        if (strstr(buf_text(&got), "error ") == NULL)
            fail_msg("case %zu: '%s'", i, buf_text(&got));
        buf_free(&got);
        close(fd);
    }
    struct prng r;
    prng_seed(&r, 65);
    for (int i = 0; i < RUBBISH; i++) {
        char bytes[3000];
        int fd = call_host(h);
        size_t n = 1 + prng_below(&r, sizeof bytes);
        for (size_t k = 0; k < n; k++)
            bytes[k] = (char)prng_below(&r, 256);
        if (prng_below(&r, 2))
            memcpy(bytes, "radixscope-room 1 follow\n", n < 25 ? n : 25);
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        (void)sent;
        close(fd);
    }
    say_to(good, "answer 1 9\n");
    wait_tally(h, 1, 1, &t);
    close(good);
    wait_tally(h, 0, 0, &t);
}

static void a_full_room_refuses(void **state)
{
    struct hall *h = *state;
    struct room_tally t;
    int fd[ROOM_GUESTS];
    struct buf got = {0};
    stand(h, 1, true, false);
    for (int i = 0; i < ROOM_GUESTS; i++)
        fd[i] = follower(h);
    wait_tally(h, ROOM_GUESTS, 0, &t);
    int late = call_host(h);
    assert_true(hear_from(late, "error the classroom is full\n", &got));
    close(late);
    buf_free(&got);
    close(fd[0]);
    wait_tally(h, ROOM_GUESTS - 1, 0, &t);
    fd[0] = follower(h);
    for (int i = 0; i < ROOM_GUESTS; i++)
        close(fd[i]);
    wait_tally(h, 0, 0, &t);
}

/* Commands come whole and in order, also to one who comes late; then the place. */
static void who_comes_late_gets_every_command(void **state)
{
    struct hall *h = *state;
    struct room_tally t;
    struct buf got = {0};
    struct err e = {0};
    for (uint32_t i = 0; i < 100; i++) {
        struct room_ran ran = {.scene = 0, .at = i};
        snprintf(ran.line, sizeof ran.line, "insert \"%u\"", i);
        assert_int_equal(room_host_ran(h->host, &ran, &e), 0);
    }
    stand(h, 3, false, false);
    int fd = call_host(h);
    say_to(fd, "radixscope-room 1 follow\n");
    assert_true(hear_from(fd, "at 3 ", &got));
    for (uint32_t i = 0; i < 100; i++) {
        char want[80];
        snprintf(want, sizeof want, "\nran %u 0 0 0 %u insert \"%u\"\n", i + 1, i, i);
        assert_non_null(strstr(buf_text(&got), want));
    }
    buf_free(&got);
    close(fd);
    wait_tally(h, 0, 0, &t);
}

static void one_presenter_and_a_stale_socket(void **state)
{
    struct hall *h = *state;
    struct err e = {0};
    struct stat st;
    char path[200];
    int status;
    snprintf(path, sizeof path, "%s", room_host_path(h->host));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    pid_t child = fork(); /* a lock is a process's: a second presenter is another one */
    if (child == 0) {
        struct room_door door;
        struct err inner = {0};
        _exit(room_door_open(&door, "test-hall", NULL, &inner) == -1 && strstr(inner.what, "presented already") != NULL ? 7 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(stat(path, &st), 0); /* and ours is still there */
    child = fork(); /* one that is killed leaves its socket behind */
    if (child == 0) {
        struct room_door door;
        struct err inner = {0};
        _exit(room_door_open(&door, "test-stale", NULL, &inner) == 0 ? 7 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(room_connect(NULL, "test-stale", &e), -1);
    struct room_hello other = {.id = "test-stale"};
    struct room_host *anew = room_host_open(&other, NULL, &e);
    assert_non_null(anew);
    int fd = room_connect(NULL, "test-stale", &e);
    assert_true(fd >= 0);
    close(fd);
    room_host_close(anew);
    assert_int_equal(stat(path, &st), 0);
    snprintf(path, sizeof path, "%s/radixscope/lesson-test-stale", h->dir);
    assert_int_equal(stat(path, &st), -1);
    assert_null(room_host_open(&(struct room_hello){.id = "test-group"}, "no-such-group-anywhere", &e));
    assert_true(e.set);
}

/* A folder that others may write, or that is a link, is not used. */
static void folders_of_others_are_not_used(void **state)
{
    struct hall *h = *state;
    char dir[100], folder[120];
    struct room_door door;
    struct err e = {0};
    snprintf(dir, sizeof dir, "%s/other", h->dir);
    snprintf(folder, sizeof folder, "%s/radixscope", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    setenv("XDG_RUNTIME_DIR", dir, 1);
    assert_int_equal(room_door_open(&door, "test-hall", NULL, &e), -1);
    assert_non_null(strstr(e.what, "somebody else"));
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(symlink(h->dir, folder), 0);
    err_clear(&e);
    assert_int_equal(room_door_open(&door, "test-hall", NULL, &e), -1);
    assert_non_null(strstr(e.what, "not a folder"));
    setenv("XDG_RUNTIME_DIR", h->dir, 1);
}

/* ---- our own guests ----------------------------------------------------------------------------------- */

static void wait_news(struct room_guest *g, bool (*enough)(const struct room_news *n), struct room_news *n)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 100) {
        struct pollfd fd = {.fd = room_guest_fd(g), .events = POLLIN};
        room_guest_news(g, n);
        if (enough(n))
            return;
        poll(&fd, 1, 100);
    }
    fail_msg("the guest waits for ever: link %d, round %u, %u of %u", n->link, n->place.round, n->tally.answered, n->tally.present);
}

static bool is_there(const struct room_news *n)
{
    return n->link == ROOM_THERE && n->placed;
}

static bool is_gone(const struct room_news *n)
{
    return n->link == ROOM_GONE;
}

static bool is_refused(const struct room_news *n)
{
    return n->link == ROOM_REFUSED;
}

static bool one_answered(const struct room_news *n)
{
    return is_there(n) && n->tally.answered == 1;
}

static void guests_wait_for_a_presenter(void **state)
{
    struct hall *h = *state;
    struct room_tally t;
    struct room_news n;
    struct err e = {0};
    stand(h, 1, true, false);
    struct room_guest *g = room_guest_open(&HELLO, NULL, ROOM_FOLLOW, &e);
    struct room_hello changed = HELLO;
    changed.sum++;
    struct room_guest *other = room_guest_open(&changed, NULL, ROOM_FOLLOW, &e);
    assert_true(g != NULL && other != NULL);
    wait_news(other, is_refused, &n); /* not the same file */
    assert_non_null(strstr(n.why, "another one"));
    room_guest_close(other);
    wait_news(g, is_there, &n);
    room_guest_answer(g, 1, "4");
    wait_news(g, one_answered, &n);
    uint32_t session = n.session;
    room_host_close(h->host);
    h->host = NULL;
    wait_news(g, is_gone, &n);
    h->host = room_host_open(&HELLO, NULL, &e);
    assert_non_null(h->host);
    stand(h, 1, true, false);
    wait_news(g, is_there, &n);
    assert_true(n.session != session);
    wait_tally(h, 1, 0, &t); /* what was answered to the one before does not count */
    room_guest_close(g);
    wait_tally(h, 0, 0, &t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_counted_once),
        cmocka_unit_test(nobody_sees_the_distribution_early),
        cmocka_unit_test(a_guest_that_sleeps_holds_up_nobody),
        cmocka_unit_test(rubbish_is_told_so_and_let_go),
        cmocka_unit_test(a_full_room_refuses),
        cmocka_unit_test(who_comes_late_gets_every_command),
        cmocka_unit_test(one_presenter_and_a_stale_socket),
        cmocka_unit_test(folders_of_others_are_not_used),
        cmocka_unit_test(guests_wait_for_a_presenter),
    };
    return cmocka_run_group_tests(tests, open_hall, close_hall);
}
