#include "wire/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

/* ---- parsing ---- */

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == '\0' && strtol(text, NULL, 10) <= 65535;
}

/* Parse "host:port", "[::1]:port". A bare IPv6 address has several colons, so its port would be a
 * guess. */
static int parse_inet(struct address *a, const char *text, struct tdk_err *err)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t size = colon != NULL ? (size_t)(colon - text) : 0;
    if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
        host = text + 1;
        size -= 2;
    } else if (size > 0 && memchr(text, ':', size) != NULL) {
        size = 0;
    }
    if (size == 0 || size >= sizeof a->host || !is_port(colon + 1))
        return err_say(err, TDK_EVALUE,
                       "address '%.200s': neither unix:PATH nor HOST:PORT ([::1]:PORT for IPv6)",
                       text);
    memcpy(a->host, host, size);
    a->host[size] = '\0';
    snprintf(a->port, sizeof a->port, "%s", colon + 1);
    return 0;
}

int address_parse(struct address *a, const char *text, struct tdk_err *err)
{
    memset(a, 0, sizeof *a);
    a->local = strncmp(text, "unix:", 5) == 0;
    if (!a->local)
        return parse_inet(a, text, err);
    size_t size = strlen(text + 5);
    if (size == 0 || size >= sizeof a->path)
        return err_say(err, TDK_EVALUE, "address '%.200s': a path follows unix:", text);
    memcpy(a->path, text + 5, size + 1);
    return 0;
}

/* ---- Unix sockets ---- */

/* "/proc/self/fd/N/name" names the same file in few bytes. */
static int by_way_of_folder(const char *path, struct sockaddr_un *un, int *folder,
                            struct tdk_err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    char *parent = slash != NULL ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (parent == NULL)
        return err_set(err, -ENOMEM, "socket %s", path);
    int fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? err_set(err, -errno, "open the directory of socket %s", path) : 0;
    free(parent);
    if (rc < 0)
        return rc;
    int size = snprintf(un->sun_path, sizeof un->sun_path, "/proc/self/fd/%d/%s", fd, name);
    if (size < 0 || (size_t)size >= sizeof un->sun_path) {
        close(fd);
        return err_say(err, -ENAMETOOLONG, "socket %s: its name is too long for a Unix socket",
                       path);
    }
    *folder = fd;
    return 0;
}

int address_unix(const char *path, struct sockaddr_un *un, int *folder, struct tdk_err *err)
{
    size_t size = strlen(path);
    memset(un, 0, sizeof *un);
    un->sun_family = AF_UNIX;
    *folder = -1;
    if (size >= sizeof un->sun_path)
        return by_way_of_folder(path, un, folder, err);
    memcpy(un->sun_path, path, size + 1);
    return 0;
}

/* ---- connecting ---- */

/* On Linux, connect(), too, gives up after the time that is set for sending. */
static void limit_time(int fd, uint64_t left_ns)
{
    struct timeval time = {
        .tv_sec = (time_t)(left_ns / NS_PER_S),
        .tv_usec = (suseconds_t)(left_ns % NS_PER_S / NS_PER_US),
    };
    if (time.tv_sec == 0 && time.tv_usec == 0)
        time.tv_usec = 1; /* 0 would mean for ever */
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

/* A signal is not an answer. What was begun goes on, and the same call waits for it. */
static int connect_within(int fd, const struct sockaddr *to, socklen_t size, uint64_t timeout_ns)
{
    const uint64_t begun_ns = clock_mono();
    for (uint64_t passed = 0; passed < timeout_ns; passed = clock_mono() - begun_ns) {
        limit_time(fd, timeout_ns - passed);
        if (connect(fd, to, size) == 0)
            return 0;
        if (errno != EINTR) /* these three are how the kinds of sockets say: not yet */
            return errno == EAGAIN || errno == EINPROGRESS || errno == EALREADY ? -ETIMEDOUT
                                                                                : -errno;
    }
    return -ETIMEDOUT;
}

static int try_connect(int family, const struct sockaddr *to, socklen_t size, uint64_t timeout_ns)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = connect_within(fd, to, size, timeout_ns);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

static int connect_unix(const char *path, uint64_t timeout_ns, int *fd, struct tdk_err *err)
{
    struct sockaddr_un un;
    int folder;
    int rc = address_unix(path, &un, &folder, err);
    if (rc < 0)
        return rc;
    rc = try_connect(AF_UNIX, (const struct sockaddr *)&un, sizeof un, timeout_ns);
    if (folder >= 0)
        close(folder);
    if (rc == -EACCES)
        return err_say(err, rc,
                       "connect to unix:%s: %s; start the daemon with --allow-uid %u, and add this "
                       "user to the group of the socket's directory",
                       path, tdk_strerror(rc), (unsigned)geteuid());
    if (rc < 0)
        return err_set(err, rc, "connect to unix:%s", path);
    *fd = rc;
    return 0;
}

static int connect_inet(const struct address *a, uint64_t timeout_ns, int *fd, struct tdk_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    int rc = getaddrinfo(a->host, a->port, &hints, &list);
    if (rc != 0)
        return err_say(err, -EHOSTUNREACH, "look up %s: %s", a->host, gai_strerror(rc));
    rc = -EHOSTUNREACH;
    for (const struct addrinfo *i = list; i != NULL && rc < 0; i = i->ai_next)
        rc = try_connect(i->ai_family, i->ai_addr, i->ai_addrlen, timeout_ns);
    freeaddrinfo(list);
    if (rc < 0)
        return err_set(err, rc, "connect to %s:%s", a->host, a->port);
    setsockopt(rc, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    *fd = rc;
    return 0;
}

int address_connect(const struct address *a, uint64_t timeout_ns, int *fd, struct tdk_err *err)
{
    return a->local ? connect_unix(a->path, timeout_ns, fd, err)
                    : connect_inet(a, timeout_ns, fd, err);
}
