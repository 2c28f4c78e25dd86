#include "daemon/host.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_SIZE = 256 };

/* The name in "NAME", "NAME:PORT", "[V6]:PORT", without brackets. False: there is none, or it is
 * too long. */
static bool name_of(const char *host, char name[NAME_MAX_SIZE])
{
    const char *begin = host, *end;
    if (host[0] == '[') {
        begin = host + 1;
        end = strchr(begin, ']');
    } else {
        end = strrchr(host, ':');
        end = end != NULL ? end : host + strlen(host);
    }
    if (end == NULL || end == begin || end - begin >= NAME_MAX_SIZE)
        return false;
    memcpy(name, begin, (size_t)(end - begin));
    name[end - begin] = '\0';
    return true;
}

static bool is_address(const char *name)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

bool host_is_ours(const char *host, const char *address)
{
    char name[NAME_MAX_SIZE], own[NAME_MAX_SIZE];
    if (host == NULL)
        return true;
    if (!name_of(host, name))
        return false;
    return is_address(name) || strcasecmp(name, "localhost") == 0 ||
           (name_of(address, own) && strcasecmp(name, own) == 0);
}
