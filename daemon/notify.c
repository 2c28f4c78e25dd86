#include "daemon/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* `name` is a path, or an abstract name with '@' in front, whose first byte becomes a zero. 0:
 * neither. */
static socklen_t address_of(struct sockaddr_un *address, const char *name)
{
    size_t size = strlen(name);
    if (size < 2 || size >= sizeof address->sun_path || (name[0] != '/' && name[0] != '@'))
        return 0;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, name, size);
    if (name[0] == '@')
        address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

void notify_send(const char *state)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment any more */
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t size = name != NULL ? address_of(&address, name) : 0;
    if (size == 0)
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    ssize_t ignored =
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
    (void)ignored; /* systemd may be gone: that is not our affair */
    close(fd);
}
