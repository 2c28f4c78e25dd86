#include "shm/role.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static struct flock lock_of(short type, off_t byte)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

static bool bytes_are_locked(int fd, off_t first, off_t count)
{
    struct flock lock = lock_of(F_WRLCK, first); /* conflicts with any other lock */
    lock.l_len = count;
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool byte_is_locked(int fd, off_t byte)
{
    return bytes_are_locked(fd, byte, 1);
}

static int byte_lock(int fd, short type, off_t byte)
{
    struct flock lock = lock_of(type, byte);
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? TDK_EBUSY : -errno;
}

/* Two taps can read-lock one byte at once. Each then sees the other and looks for another byte;
 * they start at different ones, so they do not meet again. */
static void take_tap(int fd)
{
    unsigned start = (unsigned)getpid() * 31u + (unsigned)fd;
    for (unsigned i = 0; i < ROLE_TAPS; i++) {
        off_t byte = 2 + (off_t)((start + i) % ROLE_TAPS);
        if (byte_is_locked(fd, byte) || byte_lock(fd, F_RDLCK, byte) < 0)
            continue;
        if (!byte_is_locked(fd, byte))
            return;
        byte_lock(fd, F_UNLCK, byte);
    }
}

int role_take(int fd, enum tdk_ring_role role)
{
    if (role != TDK_RING_TAP)
        return byte_lock(fd, F_WRLCK, (off_t)role);
    take_tap(fd);
    return 0;
}

bool role_is_taken(int fd, enum tdk_ring_role role)
{
    return byte_is_locked(fd, (off_t)role);
}

unsigned role_count_taps(int fd)
{
    unsigned count = 0;
    if (!bytes_are_locked(fd, 2, ROLE_TAPS)) /* true of most rings: one call instead of 64 */
        return 0;
    for (off_t i = 0; i < ROLE_TAPS; i++)
        count += byte_is_locked(fd, 2 + i);
    return count;
}
