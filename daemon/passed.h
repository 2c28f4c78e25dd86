/*
 * passed.h - files that a peer passes along with its bytes (SCM_RIGHTS).
 *
 * libuv treats descriptors of any kind as streams. So each one is accepted into a pipe handle that
 * is never read, copied out of it, and the handle is closed. The loop's thread.
 */
#ifndef TDK_DAEMON_PASSED_H
#define TDK_DAEMON_PASSED_H

#include "daemon/server.h"

/* Take one that came with what was just read. The caller owns it and closes it. -EAGAIN: there is
 * none. */
int passed_take(struct server *server, uv_pipe_t *from);

#endif
