/*
 * address.h - the address of a daemon, as people write it: "unix:PATH", or "HOST:PORT" with "[::1]"
 * for IPv6.
 *
 * Any thread; connecting blocks.
 */
#ifndef TDK_WIRE_ADDRESS_H
#define TDK_WIRE_ADDRESS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "tapedeck/err.h"

struct address {
    bool local;          /* path is used; otherwise host and port */
    char path[PATH_MAX]; /* of a Unix socket */
    char host[256];
    char port[8];
};

/* Pure. TDK_EVALUE. */
int address_parse(struct address *address, const char *text, struct tdk_err *err);

/* Connect a stream socket to it: close-on-exec, blocking. -ENOENT and -ECONNREFUSED: nobody listens
 * there. */
int address_connect(const struct address *address, uint64_t timeout_ns, int *fd,
                    struct tdk_err *err);

/* Make the address of a path of any length, for bind() or connect(). A path that is too long for a
 * sockaddr_un is reached through its folder. *folder (otherwise -1) holds that open, and must stay
 * open until the call has been made. */
int address_unix(const char *path, struct sockaddr_un *address, int *folder, struct tdk_err *err);

#endif
