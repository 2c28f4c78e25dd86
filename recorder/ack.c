#include "recorder/ack.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "tapedeck/err.h"

/* O_NONBLOCK would be set for all processes that share the descriptor, so we poll first. A pipe
 * that polls as writable has room for a line. A line is shorter than PIPE_BUF, so it goes whole or
 * not at all. */
static bool has_room(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLOUT};
    return poll(&look, 1, 0) == 1;
}

bool ack_tell(struct ack *a, const char *track, uint64_t epoch, uint64_t seq)
{
    char line[128];
    if (a->fd < 0)
        return true;
    if (!has_room(a->fd))
        return false;
    int size = snprintf(line, sizeof line, "%s %llu %llu\n", track, (unsigned long long)epoch,
                        (unsigned long long)seq);
    if (write(a->fd, line, (size_t)size) == size)
        return true;
    if (errno == EAGAIN || errno == EINTR)
        return false;
    log_warn("ack-fd %d: %s; nothing more is written to it", a->fd, tdk_strerror(-errno));
    a->fd = -1;
    return true;
}
