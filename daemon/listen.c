#include "daemon/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/lock.h"
#include "wire/address.h"

#define BACKLOG       1024 /* the system reduces it to its own limit */
#define PROBE_TIME_NS NS_PER_S
#define LOCK_TIME_NS  (3 * NS_PER_S) /* another process that starts probes for less */

/* ---- Unix ---- */

static int bind_unix(int fd, const char *path, mode_t mode)
{
    struct sockaddr_un un;
    int folder;
    int rc = address_unix(path, &un, &folder, NULL);
    if (rc < 0)
        return rc;
    mode_t before = umask(~mode & 0777);
    rc = bind(fd, (const struct sockaddr *)&un, sizeof un) < 0 ? -errno : 0;
    umask(before);
    if (folder >= 0)
        close(folder);
    return rc;
}

/* The name is taken. 0: it was a socket that nobody listens on, and it has been removed. */
static int remove_stale(const char *path, struct tdk_err *err)
{
    struct stat info;
    struct address address = {.local = true};
    int fd;
    if (lstat(path, &info) < 0)
        return errno == ENOENT ? 0 : err_set(err, -errno, "socket %s", path);
    if (!S_ISSOCK(info.st_mode))
        return err_say(err, -EEXIST, "socket %s: this name exists and is not a socket", path);
    strncpy(address.path, path, sizeof address.path - 1);
    int rc = address_connect(&address, PROBE_TIME_NS, &fd, NULL);
    if (rc == 0)
        close(fd);
    if (rc != -ECONNREFUSED)
        return err_say(err, TDK_EBUSY, "socket %s: another process listens on it", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_set(err, -errno, "remove the stale socket %s", path);
    return 0;
}

static int open_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash != NULL ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = parent != NULL ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(parent);
    return fd;
}

/* Two processes that start at once must not remove each other's socket, so the folder is locked
 * meanwhile. *lock may be -1: the folder cannot be opened, and bind() will say why. */
static int lock_folder(const char *path, int *lock, struct tdk_err *err)
{
    *lock = open_folder(path);
    if (*lock < 0 || lock_wait(*lock, LOCK_TIME_NS) != -EWOULDBLOCK)
        return 0;
    close(*lock);
    return err_say(err, TDK_EBUSY, "socket %s: another process has locked its directory", path);
}

static int bind_in_place(int fd, const char *path, mode_t mode, struct tdk_err *err)
{
    int lock;
    int rc = lock_folder(path, &lock, err);
    if (rc < 0)
        return rc;
    rc = bind_unix(fd, path, mode);
    if (rc == -EADDRINUSE) {
        rc = remove_stale(path, err);
        if (rc == 0)
            rc = bind_unix(fd, path, mode);
        else
            mode = 0;
    }
    /* This comes before unlocking: a socket that is bound but not listened on looks stale. */
    if (rc == 0 && listen(fd, BACKLOG) < 0)
        rc = -errno;
    if (lock >= 0)
        close(lock);
    if (rc == 0 || mode == 0)
        return rc;
    static const char remedy[] = "name a place where one can be created, with --socket";
    rc = err_set(err, rc, "create the socket %s", path);
    return err_advise(err, err_advise(err, rc, -EROFS, remedy), -EACCES, remedy);
}

int listen_unix(const char *path, mode_t mode, int *out, struct listen_file *file,
                struct tdk_err *err)
{
    struct stat info = {.st_dev = 0};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set(err, -errno, "create the socket %s", path);
    int rc = bind_in_place(fd, path, mode, err);
    if (rc == 0 && lstat(path, &info) < 0)
        rc = err_set(err, -errno, "socket %s", path);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    file->device = info.st_dev;
    file->inode = info.st_ino;
    *out = fd;
    return 0;
}

void listen_remove(const char *path, const struct listen_file *file)
{
    struct stat info;
    if (lstat(path, &info) == 0 && info.st_dev == file->device && info.st_ino == file->inode)
        unlink(path);
}

/* ---- TCP ---- */

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)a;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const void *)a;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static int bind_tcp(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int rc = -errno;
    close(fd);
    return rc;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    memset(&name, 0, sizeof name);
    if (getsockname(fd, (struct sockaddr *)&name, &size) < 0)
        return 0;
    return ntohs(name.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&name)->sin6_port
                                            : ((const struct sockaddr_in *)&name)->sin_port);
}

/* Find the first address that the text stands for. The caller frees the list. */
static int resolve(const char *text, bool remote, struct addrinfo **list, struct tdk_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
    struct address address;
    int rc = address_parse(&address, text, err);
    if (rc < 0)
        return rc;
    if (address.local)
        return err_say(err, TDK_EVALUE, "%.200s is not HOST:PORT; for a Unix socket use --socket",
                       text);
    rc = getaddrinfo(address.host, address.port, &hints, list);
    if (rc != 0)
        return err_say(err, TDK_EVALUE, "%.200s: %s", text, gai_strerror(rc));
    if (remote || is_loopback((*list)->ai_addr))
        return 0;
    freeaddrinfo(*list);
    *list = NULL;
    return err_say(err, TDK_EVALUE,
                   "%.200s can be reached from other hosts, which needs --allow-remote", text);
}

int listen_check(const char *address, bool remote, struct tdk_err *err)
{
    struct addrinfo *list = NULL;
    int rc = resolve(address, remote, &list, err);
    if (list != NULL)
        freeaddrinfo(list);
    return rc;
}

int listen_tcp(const char *address, bool remote, int *fd, unsigned *port, struct tdk_err *err)
{
    struct addrinfo *list = NULL;
    int rc = resolve(address, remote, &list, err);
    if (list == NULL)
        return rc;
    rc = bind_tcp(list);
    freeaddrinfo(list);
    if (rc < 0)
        return err_set(err, rc, "listen on %.200s", address);
    *port = port_of(rc);
    *fd = rc;
    return 0;
}
