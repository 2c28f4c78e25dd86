/*
 * listen.h - makes the sockets that clients connect to, such that nobody gets in before the rules
 * are set.
 *
 * To be used at start, before there are other threads: making the Unix socket changes the process's
 * umask for a moment.
 */
#ifndef TDK_DAEMON_LISTEN_H
#define TDK_DAEMON_LISTEN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "tapedeck/err.h"

/* Identifies a file, so that it is not mistaken for one that takes its name later. */
struct listen_file {
    dev_t device;
    ino_t inode;
};

/* Make a Unix socket at a path; it has this mode from the first instant. A socket that nobody
 * listens on any more is replaced. TDK_EBUSY: somebody listens on it. -EEXIST: something that is no
 * socket is there. *fd is non-blocking. */
int listen_unix(const char *path, mode_t mode, int *fd, struct listen_file *file,
                struct tdk_err *err);

/* Remove the socket's file, if it is still the one that was made. */
void listen_remove(const char *path, const struct listen_file *file);

/* Listen on "HOST:PORT". TDK_EVALUE: the address is not loopback, and `remote` is false;
 * listen_check() only checks that. With port 0 the system chooses one. *port: the port in use. */
int listen_check(const char *address, bool remote, struct tdk_err *err);
int listen_tcp(const char *address, bool remote, int *fd, unsigned *port, struct tdk_err *err);

#endif
