/* bench_screen.c: the stepper as a person meets it: the real program on a pseudo-terminal of our own.
 *
 *      start to first screen (warm files)      key to the first byte of the answer      bytes a step
 *
 * The scenario in the box. The terminal costs nothing here: what is measured is the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define SCENARIO "shared-system-prompt"
#define RIGHT "\033[C"

enum { WIDE = 10000, STARTS = 15, STEPS = 150, QUIET_MS = 25, FIRST_SCREEN = 1000 };

struct session {
    pid_t pid;
    int fd;
};

static struct session session_open(const char *program, const char *scenario, unsigned short w, unsigned short h)
{
    struct session s = {.fd = posix_openpt(O_RDWR | O_NOCTTY)};
    struct winsize size = {.ws_row = h, .ws_col = w};
    if (s.fd < 0 || grantpt(s.fd) != 0 || unlockpt(s.fd) != 0 || ioctl(s.fd, TIOCSWINSZ, &size) != 0) {
        perror("bench_screen: pseudo-terminal");
        exit(1);
    }
    s.pid = fork();
    if (s.pid == 0) {
        setsid(); /* the terminal that is opened next becomes ours */
        int tty = open(ptsname(s.fd), O_RDWR);
        for (int i = 0; i < 3; i++)
            dup2(tty, i);
        close(s.fd);
        setenv("TERM", "xterm-256color", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        execl(program, program, "play", scenario, (char *)NULL);
        _exit(127);
    }
    return s;
}

/* Read until nothing comes for `ms`; *first: when the first byte came, in ns, 0 when none did. */
static size_t drain(const struct session *s, int ms, double *first)
{
    char bytes[1 << 16];
    size_t n = 0;
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    *first = 0;
    while (poll(&p, 1, ms) > 0) {
        ssize_t got = read(s->fd, bytes, sizeof bytes);
        if (got <= 0)
            break;
        if (n == 0)
            *first = now_ns();
        n += (size_t)got;
    }
    return n;
}

static bool session_close(struct session *s)
{
    double first;
    int status = 0;
    bool sent = write(s->fd, "q", 1) == 1;
    drain(s, 200, &first);
    waitpid(s->pid, &status, 0);
    close(s->fd);
    return sent && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static double first_screen_ms(const char *program)
{
    double start = now_ns();
    struct session s = session_open(program, SCENARIO, 80, 24);
    char bytes[1 << 16];
    size_t n = 0;
    while (n < FIRST_SCREEN) {
        ssize_t got = read(s.fd, bytes, sizeof bytes);
        if (got <= 0) {
            fprintf(stderr, "bench_screen: %s did not draw\n", program);
            exit(1);
        }
        n += (size_t)got;
    }
    double ms = (now_ns() - start) / 1e6, first;
    drain(&s, 100, &first);
    if (!session_close(&s))
        exit(1);
    return ms;
}

/* `keys` come first: they set the scene, and are not measured. */
static void bench_steps(const char *program, const char *scenario, const char *keys, unsigned short w, unsigned short h,
                        const char *press, int *failed)
{
    double latency[STEPS], bytes[STEPS], first;
    struct session s = session_open(program, scenario, w, h);
    int n = 0;
    drain(&s, 500, &first); /* the run has been computed by then */
    for (; *keys != '\0' && write(s.fd, keys, 1) == 1; keys++)
        drain(&s, 3000, &first);
    for (int i = 0; i < STEPS; i++) {
        double pressed = now_ns();
        if (write(s.fd, press, strlen(press)) != (ssize_t)strlen(press))
            break;
        size_t got = drain(&s, QUIET_MS, &first);
        if (got == 0)
            continue;
        latency[n] = (first - pressed) / 1e6;
        bytes[n++] = (double)got;
    }
    if (!session_close(&s) || n < STEPS / 2) {
        fprintf(stderr, "bench_screen: %d of %d keys were answered\n", n, STEPS);
        exit(1);
    }
    printf("%ux%u, %d steps\n", w, h, n);
    verdict(failed, "key to first byte, median", median(latency, (size_t)n), "<=", 1, "ms");
    verdict(failed, "key to first byte, worst", latency[n - 1], "<=", 16, "ms");
    verdict(failed, "bytes a step, median", median(bytes, (size_t)n), "<=", 1024, "B");
    verdict(failed, "bytes a step, 99 of 100", bytes[n * 99 / 100], "<=", 6144, "B");
}

/* One node with WIDE children; steps in it, and orders of its children. */
static void bench_wide(const char *program, int *failed)
{
    char path[] = "/tmp/radixscope-bench-XXXXXX.rxs";
    int fd = mkstemps(path, 4);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL) {
        perror("bench_screen: a script");
        exit(1);
    }
    fprintf(f, "tokens words\npool %d\n", 4 * WIDE);
    for (int i = 0; i < WIDE; i++)
        fprintf(f, "insert \"everybody begins like this w%d\"\n", i);
    fclose(f);
    printf("a node with %d children: steps, then its children in another order\n", WIDE);
    bench_steps(program, path, "", 80, 24, RIGHT, failed);
    bench_steps(program, path, "G\t", 80, 24, "o", failed); /* the best of all children, anew */
    unlink(path);
}

int main(int argc, char **argv)
{
    char program[1024];
    double start[STARTS];
    int failed = 0;
    const char *end = strrchr(argv[0], '/');
    /* build/bench/bench_screen stands beside build/radixscope */
    snprintf(program, sizeof program, "%.*s/../radixscope", end != NULL ? (int)(end - argv[0]) : 1,
             end != NULL ? argv[0] : ".");
    if (argc > 1)
        snprintf(program, sizeof program, "%s", argv[1]);
    for (int i = 0; i < STARTS; i++)
        start[i] = first_screen_ms(program);
    median(start, STARTS); /* sorts */
    printf("start to first screen, %d starts (lowest %.1f ms is the least disturbed)\n", STARTS,
           start[0]);
    verdict(&failed, "start to first screen, median", start[STARTS / 2], "<=", 25, "ms");
    bench_steps(program, SCENARIO, "", 80, 24, RIGHT, &failed);
    bench_steps(program, SCENARIO, "", 200, 50, RIGHT, &failed);
    bench_wide(program, &failed);
    return failed != 0;
}
