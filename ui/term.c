/* setcchar, add_wch and get_wch are the wide interface, which must be asked for. */
#ifndef NCURSES_WIDECHAR
#define NCURSES_WIDECHAR 1
#endif

#include "ui/term.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "base/xalloc.h"

enum { MOST_PAIRS = 64, LEAVE_BYTES = 160 };

struct term {
    SCREEN *screen;
    const char *name;
    bool replaced, utf8, colours, repaint;
    struct surface shown;       /* what the terminal shows now */
    const struct theme *theme;  /* of `shown` */
    struct paint pair[MOST_PAIRS]; /* colour pairs made so far; pair 0 is the terminal's own */
    int pairs;
    int mouse_x, mouse_y;
    bool mouse;                 /* it is ours */
    int lost;                   /* reads in a row that promised a key and brought none */
};

/* ---- what signal handlers need ---------------------------------------------------------------------- */

/* Handlers get no argument, so this one piece is global. It is written before the handlers are installed
 * and read by them with async-signal-safe calls alone. */
static struct {
    volatile sig_atomic_t open, interrupted, stopped, continued;
    int pipe[2];                /* wakes the poll */
    int err_was, err_aside;     /* the real stderr; the file that stands in for it */
    struct termios tty;         /* as it was before */
    char leave[LEAVE_BYTES];    /* bytes that leave the screen: end attributes, show the cursor, rmcup */
    size_t leave_n;
} now = {.pipe = {-1, -1}, .err_was = -1, .err_aside = -1};

static const int FATAL[] = {SIGHUP, SIGTERM, SIGQUIT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction fatal_was[ARRAY_LEN(FATAL)], int_was, tstp_was, cont_was;

static void write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(fd, bytes, n);
        if (wrote <= 0)
            return;
        bytes += wrote;
        n -= (size_t)wrote;
    }
}

/* stderr is real again; what was kept aside follows. */
static void stderr_back(void)
{
    char bytes[512];
    if (now.err_was < 0)
        return;
    dup2(now.err_was, STDERR_FILENO);
    if (lseek(now.err_aside, 0, SEEK_SET) == 0)
        for (ssize_t n; (n = read(now.err_aside, bytes, sizeof bytes)) > 0;)
            write_all(STDERR_FILENO, bytes, (size_t)n);
    if (ftruncate(now.err_aside, 0) != 0 || lseek(now.err_aside, 0, SEEK_SET) != 0) {
        /* it would be told twice: better than not at all */
    }
}

/* The terminal as it was, without curses: for handlers. */
static void restore_raw(void)
{
    if (!now.open)
        return;
    now.open = 0;
    write_all(STDOUT_FILENO, now.leave, now.leave_n);
    tcsetattr(STDIN_FILENO, TCSANOW, &now.tty);
    stderr_back();
}

static void poke(void)
{
    int saved = errno;
    if (write(now.pipe[1], "!", 1) < 0) {
        /* full: the poll wakes anyway */
    }
    errno = saved;
}

static void on_fatal(int sig, siginfo_t *info, void *context)
{
    (void)context;
    restore_raw();
    for (size_t i = 0; i < ARRAY_LEN(FATAL); i++)
        if (FATAL[i] == sig)
            sigaction(sig, &fatal_was[i], NULL);
    /* A fault happens again on return and meets whoever handled it before us (a sanitizer, a core dump). */
    bool fault = (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL) && info->si_code > 0;
    if (!fault)
        raise(sig);
}

static void on_interrupt(int sig)
{
    if (now.interrupted) { /* the loop did not take the first one */
        restore_raw();
        sigaction(sig, &int_was, NULL);
        raise(sig);
        return;
    }
    now.interrupted = 1;
    poke();
}

static void on_stop(int sig)
{
    (void)sig;
    now.stopped = 1;
    poke();
}

static void on_continue(int sig)
{
    (void)sig;
    now.continued = 1;
    poke();
}

static void catch(int sig, void (*handler)(int), struct sigaction *was)
{
    struct sigaction act = {.sa_handler = handler};
    sigemptyset(&act.sa_mask);
    sigaction(sig, &act, was);
}

static void catch_signals(void)
{
    struct sigaction act = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO};
    sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(FATAL); i++) {
        sigaction(FATAL[i], NULL, &fatal_was[i]);
        bool ignored = !(fatal_was[i].sa_flags & SA_SIGINFO) && fatal_was[i].sa_handler == SIG_IGN;
        if (!ignored) /* nohup means it */
            sigaction(FATAL[i], &act, &fatal_was[i]);
    }
    catch(SIGINT, on_interrupt, &int_was);
    catch(SIGTSTP, on_stop, &tstp_was);
    catch(SIGCONT, on_continue, &cont_was);
}

static void release_signals(void)
{
    for (size_t i = 0; i < ARRAY_LEN(FATAL); i++)
        sigaction(FATAL[i], &fatal_was[i], NULL);
    sigaction(SIGINT, &int_was, NULL);
    sigaction(SIGTSTP, &tstp_was, NULL);
    sigaction(SIGCONT, &cont_was, NULL);
}

/* ---- opening and closing ---------------------------------------------------------------------------- */

static bool usable_name(const char *name)
{
    return name != NULL && name[0] != '\0' && strcmp(name, "dumb") != 0;
}

int term_check(struct err *e)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return err_set(e, "standard input and output are not both a terminal");
    if (!usable_name(getenv("TERM")))
        return err_set(e, "TERM says that this terminal cannot place its cursor");
    return 0;
}

/* An unknown TERM exits the program in initscr; newterm lets us try what most terminals understand. */
static bool open_screen(struct term *t, struct err *e)
{
    const char *const names[] = {getenv("TERM"), "xterm-256color", "xterm"};
    for (size_t i = 0; i < ARRAY_LEN(names) && t->screen == NULL; i++) {
        t->screen = newterm(names[i], stdout, stdin);
        t->name = names[i];
        t->replaced = i > 0;
    }
    if (t->screen == NULL) {
        err_set(e, "the terminal type TERM=%s is unknown here, and so are xterm-256color and xterm",
                names[0]);
        return false;
    }
    const char *cup = tigetstr("cup");
    if (cup != NULL && cup != (const char *)-1)
        return true;
    endwin();
    delscreen(t->screen);
    err_set(e, "the terminal type TERM=%s cannot place its cursor", t->name);
    return false;
}

static void add_leave(const char *capability)
{
    const char *bytes = tigetstr(capability);
    if (bytes == NULL || bytes == (const char *)-1)
        return;
    for (size_t i = 0; bytes[i] != '\0' && now.leave_n < LEAVE_BYTES; i++) {
        if (bytes[i] == '$' && bytes[i + 1] == '<') { /* padding for terminals of old: skip "$<5>" */
            i += strcspn(bytes + i, ">");
            if (bytes[i] == '\0')
                return;
            continue;
        }
        now.leave[now.leave_n++] = bytes[i];
    }
}

static bool knows_mouse(void)
{
    const char *mouse = tigetstr("kmous");
    return mouse != NULL && mouse != (const char *)-1;
}

/* Reports of moves while a button is held: curses asks for presses and releases alone. */
static void report_moves(const struct term *t, bool on)
{
    static const char ON[] = "\033[?1002h", OFF[] = "\033[?1002l";
    if (t->mouse && knows_mouse())
        write_all(STDOUT_FILENO, on ? ON : OFF, sizeof ON - 1);
}

/* What curses does for the mouse in endwin; harmless where it is off. */
static void add_mouse_off(void)
{
    static const char OFF[] = "\033[?1006l\033[?1002l\033[?1000l";
    if (!knows_mouse() || now.leave_n + sizeof OFF > LEAVE_BYTES)
        return;
    memcpy(now.leave + now.leave_n, OFF, sizeof OFF - 1);
    now.leave_n += sizeof OFF - 1;
}

static void prepare_leave(void)
{
    now.leave_n = 0;
    add_leave("sgr0");
    add_leave("op");
    add_leave("cnorm");
    add_mouse_off();
    add_leave("rmkx");
    add_leave("rmcup");
}

/* stderr goes to a file without a name until the screen is left: nothing may write over the screen. */
static void stderr_aside(void)
{
    FILE *aside = tmpfile();
    if (aside == NULL)
        return;
    now.err_aside = dup(fileno(aside));
    now.err_was = dup(STDERR_FILENO);
    fclose(aside);
    if (now.err_aside < 0 || now.err_was < 0)
        return;
    fcntl(now.err_aside, F_SETFD, FD_CLOEXEC);
    fcntl(now.err_was, F_SETFD, FD_CLOEXEC);
    fflush(stderr);
    dup2(now.err_aside, STDERR_FILENO);
}

static void stderr_return(void)
{
    fflush(stderr);
    stderr_back();
    if (now.err_aside >= 0)
        close(now.err_aside);
    if (now.err_was >= 0)
        close(now.err_was);
    now.err_aside = now.err_was = -1;
}

/* exit() and failed assertions come here; both may happen with or without an open terminal. */
static void leave_at_exit(void)
{
    restore_raw();
}

static void leave_on_panic(void *arg)
{
    (void)arg;
    restore_raw();
}

static bool open_pipe(void)
{
    if (pipe(now.pipe) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        fcntl(now.pipe[i], F_SETFL, O_NONBLOCK);
        fcntl(now.pipe[i], F_SETFD, FD_CLOEXEC);
    }
    return true;
}

static void start_colours(struct term *t)
{
    t->colours = has_colors() && start_color() == OK;
    if (t->colours)
        use_default_colors();
    t->pair[0] = (struct paint){-1, -1, 0};
    t->pairs = 1;
}

/* Terminals send these with or without the keypad mode that was asked for; TERM knows one of the two. */
static void name_keys(void)
{
    static const struct {
        const char *bytes;
        int code;
    } KEYS[] = {
        {"\033[A", KEY_UP},   {"\033[B", KEY_DOWN}, {"\033[C", KEY_RIGHT}, {"\033[D", KEY_LEFT},
        {"\033OA", KEY_UP},   {"\033OB", KEY_DOWN}, {"\033OC", KEY_RIGHT}, {"\033OD", KEY_LEFT},
        {"\033[H", KEY_HOME}, {"\033[F", KEY_END},  {"\033OH", KEY_HOME},  {"\033OF", KEY_END},
        {"\033[1~", KEY_HOME}, {"\033[4~", KEY_END}, {"\033[7~", KEY_HOME}, {"\033[8~", KEY_END},
    };
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        if (key_defined(KEYS[i].bytes) == 0)
            define_key(KEYS[i].bytes, KEYS[i].code);
}

static void prepare_input(void)
{
    name_keys();
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    typeahead(-1); /* a frame is not cut short, nor the keyboard asked about it at every line */
    curs_set(0);
    /* Until it has left the screen once, ncurses writes at every move of the cursor; after that, once a
     * frame. The first refresh enters the screen again. */
    endwin();
}

/* Handlers come before curses, which puts its own only where there are none: what is found now is what is
 * put back later. */
static bool open_all(struct term *t, struct err *e)
{
    tcgetattr(STDIN_FILENO, &now.tty);
    now.interrupted = now.stopped = now.continued = 0;
    catch_signals();
    if (!open_screen(t, e)) {
        release_signals();
        return false;
    }
    prepare_leave();
    now.open = 1;
    panic_set_hook(leave_on_panic, NULL);
    stderr_aside();
    start_colours(t);
    prepare_input();
    t->repaint = true;
    return true;
}

struct term *term_open(struct err *e)
{
    static bool at_exit_set;
    struct term *t = xcalloc(1, sizeof *t);
    if (t == NULL || surface_init(&t->shown, 1, 1, false, e) != 0 || !open_pipe()) {
        if (t != NULL)
            surface_done(&t->shown);
        xfree(t);
        err_memory(e, sizeof *t, "the terminal");
        return NULL;
    }
    setlocale(LC_CTYPE, "");
    t->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!at_exit_set)
        at_exit_set = atexit(leave_at_exit) == 0;
    if (term_check(e) == 0 && open_all(t, e))
        return t;
    close(now.pipe[0]);
    close(now.pipe[1]);
    surface_done(&t->shown);
    xfree(t);
    return NULL;
}

void term_close(struct term *t)
{
    if (t == NULL)
        return;
    report_moves(t, false);
    endwin();
    now.open = 0;
    release_signals();
    panic_set_hook(NULL, NULL);
    tcsetattr(STDIN_FILENO, TCSANOW, &now.tty); /* endwin restores what newterm saw: the same, to be sure */
    stderr_return();
    delscreen(t->screen);
    close(now.pipe[0]);
    close(now.pipe[1]);
    surface_done(&t->shown);
    xfree(t);
}

void term_size(const struct term *t, int *w, int *h)
{
    (void)t;
    getmaxyx(stdscr, *h, *w);
}

bool term_utf8(const struct term *t)
{
    return t->utf8;
}

const char *term_name(const struct term *t, bool *replaced)
{
    *replaced = t->replaced;
    return t->name;
}

/* ---- drawing ---------------------------------------------------------------------------------------- */

/* The colour pair of a paint; made when first wanted, because terminals have as few as 64. */
static short pair_of(struct term *t, struct paint p)
{
    if (!t->colours)
        return 0;
    for (int i = 0; i < t->pairs; i++)
        if (t->pair[i].fg == p.fg && t->pair[i].bg == p.bg)
            return (short)i;
    if (t->pairs == MOST_PAIRS || t->pairs >= COLOR_PAIRS || init_pair((short)t->pairs, p.fg, p.bg) != OK)
        return 0;
    t->pair[t->pairs] = p;
    return (short)t->pairs++;
}

static attr_t attributes(struct paint p)
{
    return (p.flags & STYLE_BOLD ? A_BOLD : 0) | (p.flags & STYLE_UNDER ? A_UNDERLINE : 0) |
           (p.flags & STYLE_REVERSE ? A_REVERSE : 0);
}

static void draw_cell(struct term *t, const struct cell *c, int x, int y)
{
    wchar_t text[4] = {(wchar_t)c->code, (wchar_t)c->mark[0], (wchar_t)c->mark[1], 0};
    struct paint p = theme_paint(t->theme, c->style);
    cchar_t cell;
    if (setcchar(&cell, text, attributes(p), pair_of(t, p), NULL) == OK)
        mvadd_wch(y, x, &cell);
}

static bool prepare_shown(struct term *t, const struct surface *s, const struct theme *theme)
{
    bool whole = t->repaint || t->theme != theme || t->shown.w != s->w || t->shown.h != s->h;
    if ((t->shown.w != s->w || t->shown.h != s->h) && surface_resize(&t->shown, s->w, s->h, NULL) != 0)
        return false;
    if (whole) {
        erase();
        clearok(stdscr, TRUE); /* curses may not know what the terminal shows */
    }
    t->theme = theme;
    t->repaint = false;
    return whole;
}

void term_draw(struct term *t, const struct surface *s, const struct theme *theme)
{
    bool whole = prepare_shown(t, s, theme);
    if (t->shown.w != s->w || t->shown.h != s->h)
        return; /* no memory for this size: the screen stays empty, the program lives */
    for (int y = 0; y < s->h; y++) {
        for (int x = 0; x < s->w; x++) {
            const struct cell *c = surface_cell(s, x, y);
            if (c->width != 0 && (whole || memcmp(c, surface_cell(&t->shown, x, y), sizeof *c) != 0))
                draw_cell(t, c, x, y);
        }
    }
    memcpy(t->shown.cell, s->cell, (size_t)s->w * (size_t)s->h * sizeof *s->cell);
    move(s->cursor_y, s->cursor_x);
    refresh();
}

/* ---- waiting ---------------------------------------------------------------------------------------- */

/* ^Z: stop as if nobody had caught the signal, with the terminal as it was. */
static void stop_here(struct term *t)
{
    struct sigaction ours;
    report_moves(t, false);
    endwin();
    stderr_back();
    sigaction(SIGTSTP, &tstp_was, &ours);
    raise(SIGTSTP);                      /* sleeps here until SIGCONT */
    sigaction(SIGTSTP, &ours, NULL);
    if (now.err_aside >= 0)
        dup2(now.err_aside, STDERR_FILENO);
    t->repaint = true;
    refresh();                           /* enters the screen again */
    report_moves(t, true);
}

static void serve_signals(struct term *t)
{
    char bytes[64];
    while (read(now.pipe[0], bytes, sizeof bytes) > 0)
        ;
    if (now.stopped) {
        now.stopped = 0;
        stop_here(t);
    }
    if (now.continued) {
        now.continued = 0;
        t->repaint = true;
    }
}

int term_wait(struct term *t, int wake_fd, int ms)
{
    struct pollfd fd[3] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = now.pipe[0], .events = POLLIN},
                           {.fd = wake_fd, .events = POLLIN}};
    int n = poll(fd, 3, ms), why = 0;
    if (n < 0)
        return TERM_KEY; /* a signal: a resize is read like a key */
    if (fd[1].revents != 0) {
        serve_signals(t);
        why |= TERM_KEY;
    }
    if (fd[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        why |= TERM_LOST;
    if (fd[0].revents & POLLIN)
        why |= TERM_KEY;
    if (fd[2].revents != 0)
        why |= TERM_WAKE;
    /* A terminal that has gone away may look readable for ever. */
    t->lost = fd[0].revents & POLLIN ? t->lost + 1 : 0;
    return t->lost > 1000 ? why | TERM_LOST : why;
}

void term_mouse(struct term *t, bool on)
{
    mouseinterval(0); /* a press is a click: waiting for its end would delay every click */
    if (!on)
        report_moves(t, false);
    mousemask(on ? BUTTON1_PRESSED | BUTTON1_RELEASED | BUTTON4_PRESSED | BUTTON5_PRESSED | REPORT_MOUSE_POSITION : 0, NULL);
    t->mouse = on;
    report_moves(t, on);
}

void term_mouse_at(const struct term *t, int *x, int *y)
{
    *x = t->mouse_x;
    *y = t->mouse_y;
}

static int mouse_key(struct term *t)
{
    MEVENT e;
    if (getmouse(&e) != OK)
        return K_OTHER;
    t->mouse_x = e.x;
    t->mouse_y = e.y;
    if (e.bstate & BUTTON4_PRESSED)
        return K_WHEEL_UP;
    if (e.bstate & BUTTON5_PRESSED)
        return K_WHEEL_DOWN;
    return e.bstate & BUTTON1_RELEASED ? K_RELEASE : e.bstate & REPORT_MOUSE_POSITION ? K_DRAG : K_CLICK;
}

static int special_key(struct term *t, wint_t code)
{
    switch (code) {
    case KEY_MOUSE: return mouse_key(t);
    case KEY_LEFT: return K_LEFT;
    case KEY_RIGHT: return K_RIGHT;
    case KEY_UP: return K_UP;
    case KEY_DOWN: return K_DOWN;
    case KEY_HOME: return K_HOME;
    case KEY_END: return K_END;
    case KEY_PPAGE: return K_PAGE_UP;
    case KEY_NPAGE: return K_PAGE_DOWN;
    case KEY_BTAB: return K_BACKTAB;
    case KEY_BACKSPACE: return K_BACKSPACE;
    case KEY_ENTER: return K_ENTER;
    case KEY_RESIZE: return K_RESIZE;
    default: return K_OTHER;
    }
}

int term_key(struct term *t)
{
    wint_t code;
    if (now.interrupted) {
        now.interrupted = 0;
        return K_INTERRUPT;
    }
    int rc = get_wch(&code);
    if (rc == ERR)
        return K_NONE;
    t->lost = 0;
    if (rc == KEY_CODE_YES)
        return special_key(t, code);
    return code == 0 || code > 0x10ffff ? K_OTHER : (int)code;
}
