/*
 * listen.h - sockets to be connected to: made so that nobody gets in before the rules are set.
 *
 * At start, before there are other threads: making the Unix socket sets the process's umask for a
 * moment.
 */
#ifndef TDK_DAEMON_LISTEN_H
#define TDK_DAEMON_LISTEN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "tapedeck/err.h"

/* A file in a folder, told from another that takes its name later. */
struct listen_file {
    dev_t device;
    ino_t inode;
};

/* A Unix socket at a path, with this mode from its first instant. One that nobody listens on any
 * more is replaced; TDK_EBUSY: somebody does; -EEXIST: it is something else than a socket. *fd is
 * not blocking. */
int listen_unix(const char *path, mode_t mode, int *fd, struct listen_file *file,
                struct tdk_err *err);

/* Remove it if it still is the one that was made. */
void listen_remove(const char *path, const struct listen_file *file);

/* "HOST:PORT". An address beyond loopback is TDK_EVALUE unless `remote`; check says it without
 * listening. Port 0: the system's choice; *port is what it came to. */
int listen_check(const char *address, bool remote, struct tdk_err *err);
int listen_tcp(const char *address, bool remote, int *fd, unsigned *port, struct tdk_err *err);

#endif
