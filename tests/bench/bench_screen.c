/* bench_screen.c: the stepper as a person meets it: the real program on a pseudo-terminal of our own.
 *
 *      start to first screen (warm files)      key to the first byte of the answer      bytes a step, writes a frame
 *      memory of the scenario in the box       CPU while nobody does anything
 *      a recording of a million steps and a tree of 100,000 nodes: every key that looks far
 *
 * The terminal costs nothing here: what is measured is the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "tests/bench/bench.h"

#define SCENARIO "shared-system-prompt"
#define RIGHT "\033[C"

enum { WIDE = 10000, FAR_KEYS = 65000, FAR_PRESSES = 12, STARTS = 15, STEPS = 150, QUIET_MS = 25, IDLE_MS = 3000, FIRST_SCREEN = 1000 };

struct session {
    pid_t pid;
    int fd;
};

/* radixscope COMMAND WHAT */
static struct session session_open(const char *program, const char *command, const char *what, unsigned short w,
                                   unsigned short h)
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
        execl(program, program, command, what, (char *)NULL);
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
    struct session s = session_open(program, "play", SCENARIO, 80, 24);
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

/* ---- what the system tells of the program ------------------------------------------------------------- */

/* A number of /proc/PID/status in kB, or -1 where there is no such file. */
static double status_kb(pid_t pid, const char *name)
{
    char path[64], line[256];
    long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtol(line + strlen(name), NULL, 10);
    if (f != NULL)
        fclose(f);
    return (double)kb;
}

/* Calls of write so far; -1: nobody tells. */
static long write_calls(pid_t pid)
{
    char path[64], line[256];
    long calls = -1;
    snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "syscw:", 6) == 0)
            calls = strtol(line + 6, NULL, 10);
    if (f != NULL)
        fclose(f);
    return calls;
}

/* CPU time in ticks, user and system; -1: nobody tells. */
static long cpu_ticks(pid_t pid)
{
    char path[64], text[1024];
    long user, system, ticks = -1;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    size_t n = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    const char *behind = strrchr(text, ')'); /* the name may hold anything */
    if (behind != NULL && sscanf(behind, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system) == 2)
        ticks = user + system;
    if (f != NULL)
        fclose(f);
    return ticks;
}

/* `keys` come first: they set the scene, and are not measured. */
static void bench_steps(const char *program, const char *scenario, const char *keys, unsigned short w, unsigned short h,
                        const char *press, int *failed)
{
    double latency[STEPS], bytes[STEPS], first;
    struct session s = session_open(program, "play", scenario, w, h);
    int n = 0;
    drain(&s, 500, &first); /* the run has been computed by then */
    for (; *keys != '\0' && write(s.fd, keys, 1) == 1; keys++)
        drain(&s, 3000, &first);
    long writes = write_calls(s.pid);
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
    double each = n > 0 ? (double)(write_calls(s.pid) - writes) / n : 0;
    if (!session_close(&s) || n < STEPS / 2) {
        fprintf(stderr, "bench_screen: %d of %d keys were answered\n", n, STEPS);
        exit(1);
    }
    printf("%ux%u, %d steps\n", w, h, n);
    verdict(failed, "key to first byte, median", median(latency, (size_t)n), "<=", 1, "ms");
    verdict(failed, "key to first byte, worst", latency[n - 1], "<=", 16, "ms");
    verdict(failed, "bytes a step, median", median(bytes, (size_t)n), "<=", 1024, "B");
    verdict(failed, "bytes a step, 99 of 100", bytes[n * 99 / 100], "<=", 6144, "B");
    if (writes >= 0)
        verdict(failed, "writes a frame", each, "<=", 1, "");
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

/* ---- memory and patience ------------------------------------------------------------------------------ */

static void bench_quiet(const char *program, int *failed)
{
    double first;
    struct session s = session_open(program, "play", SCENARIO, 80, 24);
    drain(&s, 1000, &first);
    for (int i = 0; i < 2; i++)
        if (write(s.fd, i == 0 ? "G" : "#", 1) == 1)
            drain(&s, 300, &first);
    double kb = status_kb(s.pid, "RssAnon:"), all = status_kb(s.pid, "VmRSS:");
    long before = cpu_ticks(s.pid);
    drain(&s, IDLE_MS, &first);
    long ticks = cpu_ticks(s.pid) - before;
    if (!session_close(&s))
        exit(1);
    if (kb < 0 || before < 0) {
        printf("memory and CPU when idle: this system does not tell\n");
        return;
    }
    printf("the scenario at its last step (with libraries and mapped files %.1f MB are resident)\n", all / 1024);
    verdict(failed, "memory of its own", kb / 1024, "<=", 20, "MB");
    verdict(failed, "CPU in three seconds of nothing", (double)ticks, "<=", 0, "ticks");
}

/* ---- a million steps ---------------------------------------------------------------------------------- */

/* A script whose run has a million steps and a tree of 100,000 nodes, recorded; 0 and its two files. */
static int far_recording(const char *program, char *script, char *film)
{
    char command[4096];
    int fd = mkstemps(script, 4);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL)
        return -1;
    fprintf(f, "tokens words\npool %d\n", 8 * FAR_KEYS);
    for (int i = 0; i < FAR_KEYS; i++)
        fprintf(f, "insert \"all topic%d part%d w%d end\"\n", i / 4, i / 2, i); /* seven nodes for four keys */
    fclose(f);
    snprintf(film, 64, "%.*s.rxt", (int)strlen(script) - 4, script);
    snprintf(command, sizeof command, "'%s' record '%s' -o '%s' 2>&1", program, script, film);
    return system(command) == 0 ? 0 : -1;
}

/* `keys` is what is pressed each time, `back` what brings back to where it was; only the first is measured. */
struct far {
    const char *name, *scene, *keys, *back;
};

static const struct far FAR[] = {
    {"Left", "G", "\033[D", ""},
    {"End and Home", "", "\033[F", "\033[H"},
    {"Home from the end", "G", "\033[H", "\033[F"},
    {"G to the middle", "", "500000G", "\033[H"},
    {"] and [ (no request anywhere)", "500000G", "[", "\177"},
    {"next operation", "500000G", "\033[B", ""},
    {"O and U", "500000G", "O", "U"},
    {"< who wrote this node", "G\t", "<", "\177"},
    {"> from the first step", "G\t\033[B", ">", ""},
    {"/ a text that is nowhere", "", "/zzzz\r", "\033"},
    {"/ a slot", "", "/slot:80000\r", "\177"},
    {"# numbers", "G", "#", "\033"},
    {"l log", "G", "l", "\033"},
    {"r requests and keys", "G", "r", "\033"},
    {"w why", "G", "w", "\033"},
    {"i invariants", "G", "i", "\033"},
    {"K lens", "G", "K", "\033"},
    {"Q queue", "G", "Q", "\033"},
    {"t a node's text", "G", "tw91\r", "\033"},
    {"o order of siblings", "G", "o", ""},
    {"f fold", "G\t", "f", ""},
    {"F one path", "G", "F", ""},
    {"Tab and Down in the tree", "G\t", "\033[B", ""},
    {"p projector", "G", "p", ""},
};

static bool send_keys(const struct session *s, const char *keys)
{
    return write(s->fd, keys, strlen(keys)) == (ssize_t)strlen(keys);
}

static void bench_key(const struct session *s, const struct far *k, double *worst_of_all, double *all, size_t *n)
{
    double latency[FAR_PRESSES], first;
    size_t answered = 0;
    send_keys(s, "\033");
    drain(s, 60, &first);
    send_keys(s, "\033[H");
    drain(s, 100, &first);
    send_keys(s, k->scene);
    drain(s, 400, &first);
    for (int i = 0; i < FAR_PRESSES; i++) {
        double pressed = now_ns();
        send_keys(s, k->keys);
        if (drain(s, QUIET_MS, &first) > 0)
            latency[answered++] = (first - pressed) / 1e6;
        for (const char *b = k->back; *b != '\0';) { /* a key at a time: Esc alone is a key */
            send_keys(s, b);
            drain(s, 60, &first);
            b += strlen(b);
        }
    }
    if (answered == 0) {
        printf("  %-40s not answered\n", k->name);
        return;
    }
    double middle = median(latency, answered), worst = latency[answered - 1];
    printf("  %-40s median %6.2f ms   worst %6.2f ms\n", k->name, middle, worst);
    *worst_of_all = worst > *worst_of_all ? worst : *worst_of_all;
    memcpy(all + *n, latency, answered * sizeof *latency);
    *n += answered;
}

static void bench_far(const char *program, int *failed)
{
    char script[64] = "/tmp/radixscope-bench-XXXXXX.rxs", film[64] = "";
    double first, worst = 0, all[ARRAY_LEN(FAR) * FAR_PRESSES];
    size_t n = 0;
    if (far_recording(program, script, film) != 0) {
        fprintf(stderr, "bench_screen: the long recording could not be made\n");
        exit(1);
    }
    double opened = now_ns();
    struct session s = session_open(program, "replay", film, 80, 24);
    while (drain(&s, 1000, &first) == 0 && now_ns() - opened < 60e9)
        ;
    printf("a million steps, 100,000 nodes: on the screen after %.0f ms\n", (first - opened) / 1e6);
    drain(&s, 2000, &first);
    for (size_t i = 0; i < ARRAY_LEN(FAR); i++)
        bench_key(&s, &FAR[i], &worst, all, &n);
    double anon = status_kb(s.pid, "RssAnon:");
    send_keys(&s, "\033\033");
    drain(&s, 100, &first);
    if (!session_close(&s) || n == 0)
        exit(1);
    verdict(failed, "key to first byte, median", median(all, n), "<=", 1, "ms");
    verdict(failed, "key to first byte, worst", worst, "<=", 16, "ms");
    printf("  memory of its own %.0f MB\n", anon / 1024);
    unlink(script);
    unlink(film);
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
    if (argc > 2) { /* the long recording alone */
        bench_far(program, &failed);
        return failed != 0;
    }
    for (int i = 0; i < STARTS; i++)
        start[i] = first_screen_ms(program);
    median(start, STARTS); /* sorts */
    printf("start to first screen, %d starts (lowest %.1f ms is the least disturbed)\n", STARTS,
           start[0]);
    verdict(&failed, "start to first screen, median", start[STARTS / 2], "<=", 25, "ms");
    bench_steps(program, SCENARIO, "", 80, 24, RIGHT, &failed);
    bench_steps(program, SCENARIO, "", 200, 50, RIGHT, &failed);
    bench_wide(program, &failed);
    bench_quiet(program, &failed);
    bench_far(program, &failed);
    return failed != 0;
}
