#include "daemon/passed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/bytes.h"

struct carrier {
    uv_pipe_t pipe;
    struct server *server;
};

static void on_closed(uv_handle_t *handle)
{
    struct carrier *carrier = container_of((uv_pipe_t *)handle, struct carrier, pipe);
    carrier->server->handles--;
    free(carrier);
}

static int copy_of(const struct carrier *carrier)
{
    int fd = -1;
    int rc = uv_fileno((const uv_handle_t *)&carrier->pipe, &fd);
    if (rc < 0)
        return rc;
    fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return fd >= 0 ? fd : -errno;
}

int passed_take(struct server *server, uv_pipe_t *from)
{
    if (uv_pipe_pending_count(from) == 0)
        return -EAGAIN;
    struct carrier *carrier = malloc(sizeof *carrier);
    if (carrier == NULL)
        return -ENOMEM;
    carrier->server = server;
    uv_pipe_init(server->loop, &carrier->pipe, 0);
    server->handles++;
    int rc = uv_accept((uv_stream_t *)from, (uv_stream_t *)&carrier->pipe);
    if (rc == 0)
        rc = copy_of(carrier);
    uv_close((uv_handle_t *)&carrier->pipe, on_closed);
    return rc;
}
