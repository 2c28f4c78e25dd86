/* clock_shim.c - preloaded before the C library: shifts the wall clock by the number of seconds in
 * the file $TDK_CLOCK_APART. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long seconds_apart(void)
{
    char text[32] = "";
    int fd = open(getenv("TDK_CLOCK_APART"), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) < 0)
            text[0] = '\0';
        close(fd);
    }
    return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    if (rc == 0 && id == CLOCK_REALTIME)
        t->tv_sec += seconds_apart();
    return rc;
}
