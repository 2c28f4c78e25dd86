/*
 * passed.h - files that a peer passes along with its bytes (SCM_RIGHTS).
 *
 * libuv hands descriptors of any kind on as if they were streams. So each is accepted into a pipe
 * handle that is never read, copied out of it, and the handle closed. The loop's thread.
 */
#ifndef TDK_DAEMON_PASSED_H
#define TDK_DAEMON_PASSED_H

#include "daemon/server.h"

/* One that came with what was just read: ours to close. -EAGAIN: there is none. */
int passed_take(struct server *server, uv_pipe_t *from);

#endif
