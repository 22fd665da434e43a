#include "base/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int bell_open(int bell[2], struct err *e)
{
    if (pipe(bell) != 0)
        return err_set(e, "no pipe can be made: %s", strerror(errno));
    for (int i = 0; i < 2; i++)
        if (fcntl(bell[i], F_SETFD, FD_CLOEXEC) != 0 || fcntl(bell[i], F_SETFL, O_NONBLOCK) != 0)
            return err_set(e, "a pipe cannot be set up: %s", strerror(errno));
    return 0;
}

void bell_ring(const int bell[2])
{
    ssize_t n = write(bell[1], "", 1);
    (void)n;
}

void bell_quiet(const int bell[2])
{
    char bytes[64];
    while (read(bell[0], bytes, sizeof bytes) > 0)
        ;
}
