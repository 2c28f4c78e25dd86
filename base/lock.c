#include "base/lock.h"

#include <errno.h>
#include <poll.h>
#include <sys/file.h>

#include "base/clock.h"

enum { NAP_MS = 16 };

int lock_wait(int fd, uint64_t patience_ns)
{
    uint64_t due_ns = clock_mono() + patience_ns;
    int nap_ms = 1;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK || clock_mono() >= due_ns)
            return -errno;
        poll(NULL, 0, nap_ms);
        nap_ms = nap_ms < NAP_MS ? 2 * nap_ms : NAP_MS;
    }
    return 0;
}
