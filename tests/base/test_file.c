#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#endif
#include <cmocka.h>

#include "base/file.h"
#include "base/xalloc.h"

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[2][200];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/radixscope-file.XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"plain", "link", "dangling", "made", "fifo", "full", "dir", "loop"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (remove(in_folder(NAMES[i])) != 0 && errno != ENOENT)
            return -1;
    return rmdir(folder); /* fails when a temporary file was left behind */
}

static void write_well(const char *path, const char *text)
{
    struct err e = {0};
    if (file_write(path, text, strlen(text), &e) != 0)
        fail_msg("%s", e.what);
}

static void holds(const char *path, const char *text)
{
    struct err e = {0};
    char *bytes;
    size_t len;
    if (file_read(path, 1000, &bytes, &len, &e) != 0)
        fail_msg("%s", e.what);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(bytes, text, len);
    xfree(bytes);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode;
}

static void a_file_is_replaced_and_keeps_its_rights(void **state)
{
    (void)state;
    write_well(in_folder("plain"), "one");
    assert_int_equal(chmod(in_folder("plain"), 0600), 0);
    write_well(in_folder("plain"), "two");
    holds(in_folder("plain"), "two");
    assert_int_equal(mode_of(in_folder("plain")) & 0777, 0600);
}

static void a_link_stays_and_its_target_is_written(void **state)
{
    (void)state;
    write_well(in_folder("plain"), "one");
    assert_int_equal(symlink("plain", in_folder("link")), 0);
    write_well(in_folder("link"), "two");
    assert_true(S_ISLNK(mode_of(in_folder("link"))));
    holds(in_folder("plain"), "two");
    assert_int_equal(symlink("made", in_folder("dangling")), 0);
    write_well(in_folder("dangling"), "three");
    assert_true(S_ISLNK(mode_of(in_folder("dangling"))));
    holds(in_folder("made"), "three");
}

static void refused_with(const char *path, const char *why)
{
    struct err e = {0};
    assert_int_equal(file_write(path, "x", 1, &e), -1);
    if (strstr(e.what, why) == NULL)
        fail_msg("wanted '%s', got '%s'", why, e.what);
}

static void what_is_no_file_is_never_replaced(void **state)
{
    (void)state;
    char got[8] = "";
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    refused_with(in_folder("fifo"), "cannot be written: ");     /* nobody reads: no waiting */
    int fd = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    write_well(in_folder("fifo"), "hello");
    assert_int_equal(read(fd, got, sizeof got), 5);
    assert_string_equal(got, "hello");
    close(fd);
    assert_true(S_ISFIFO(mode_of(in_folder("fifo"))));
    assert_int_equal(mkdir(in_folder("dir"), 0700), 0);
    refused_with(in_folder("dir"), "Is a directory");
    assert_int_equal(symlink("loop", in_folder("loop")), 0);
    refused_with(in_folder("loop"), "cannot be written: ");
}

/* A device that is always full, in our own folder; only root may make one. */
static void a_full_device_says_so_and_stays(void **state)
{
    (void)state;
#ifdef __linux__
    int fd = -1;
    if (mknod(in_folder("full"), S_IFCHR | 0600, makedev(1, 7)) != 0 || (fd = open(in_folder("full"), O_WRONLY)) < 0)
        skip();
    close(fd);
    refused_with(in_folder("full"), "No space left");
    assert_true(S_ISCHR(mode_of(in_folder("full"))));
#else
    skip();
#endif
}

static void a_fifo_is_not_waited_for(void **state)
{
    (void)state;
    struct err e = {0};
    struct file_map m;
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    alarm(5); /* opening it to read would sleep until somebody writes */
    assert_int_equal(file_map(in_folder("fifo"), &m, &e), -1);
    alarm(0);
    assert_non_null(strstr(e.what, "is not a regular file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_replaced_and_keeps_its_rights, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_link_stays_and_its_target_is_written, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_never_replaced, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_full_device_says_so_and_stays, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_fifo_is_not_waited_for, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
