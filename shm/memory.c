#include "shm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/name.h"
#include "shm/ring_private.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int map_and_open(struct tdk_ring **ring, struct region *region, const char *name,
                        enum tdk_ring_role role, struct tdk_err *err)
{
    int rc = region_map(region, true, err);
    return rc < 0 ? rc : ring_open(ring, region, name, role, err);
}

/* ---- made ---- */

/* Allocate all pages, so that neither side runs out of memory later. After the seal, the size is
 * final. */
static int fill_and_seal(struct region *region, const char *name, struct tdk_err *err)
{
    const struct tdk_ring_shared *head = &region->head;
    size_t size = region->header_size + region->capacity;
    int rc;
    do
        rc = posix_fallocate(region->fd, 0, (off_t)size);
    while (rc == EINTR);
    if (rc != 0)
        return err_set(err, -rc, "create ring %s: %zu MiB of memory", name, size >> 20);
    if (pwrite(region->fd, head, sizeof *head, 0) != (ssize_t)sizeof *head)
        return err_set(err, errno ? -errno : -EIO, "create ring %s: write its header", name);
    if (fcntl(region->fd, F_ADD_SEALS, SEALS) < 0)
        return err_set(err, -errno, "create ring %s: seal it", name);
    return 0;
}

int tdk_ring_create_memory(struct tdk_ring **ring, const char *name,
                           const struct tdk_ring_options *options, struct tdk_err *err)
{
    const struct tdk_ring_options defaults = {0};
    struct region region = {.fd = -1, .header_size = region_header_size()};
    if (!name_is_valid(name, strlen(name)))
        return err_say(err, TDK_ENAME, "\"%.80s\" cannot be a ring's name", name);
    int rc = region_head(&region.head, name, options ? options : &defaults, err);
    if (rc < 0)
        return rc;
    region.capacity = (size_t)region.head.capacity;
    if (region.capacity > MEMORY_CAPACITY_MAX) /* no file system stops it before the memory ends */
        return err_say(err, TDK_EVALUE,
                       "ring %s: a ring in memory can have at most %zu MiB, not %zu: make it "
                       "smaller, or name it in a rings directory",
                       name, MEMORY_CAPACITY_MAX >> 20, region.capacity >> 20);
    region.fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (region.fd < 0)
        return err_set(err, -errno, "create ring %s in memory", name);
    rc = fill_and_seal(&region, name, err);
    if (rc == 0)
        rc = map_and_open(ring, &region, name, TDK_RING_PRODUCER, err);
    if (rc < 0)
        region_close(&region);
    return rc;
}

int tdk_ring_file(const struct tdk_ring *ring)
{
    return ring->more->region.fd;
}

/* ---- passed ---- */

/* Check before reading anything of it. Seals are permanent, so what was checked stays true. */
static int check_file(int fd, const char *name, struct tdk_err *err)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS)
        return err_say(err, TDK_EHOSTILE,
                       "ring %s: what was passed is not memory that is sealed against shrinking",
                       name);
    if (fstat(fd, &st) < 0)
        return err_set(err, -errno, "look at ring %s", name);
    if ((uint64_t)st.st_size > region_header_size() + MEMORY_CAPACITY_MAX)
        return err_say(err, TDK_EHOSTILE,
                       "ring %s: more than the %zu MiB that a ring in memory can have", name,
                       MEMORY_CAPACITY_MAX >> 20);
    if ((uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size)
        return err_say(err, TDK_EHOSTILE, "ring %s: its pages are not all there", name);
    return 0;
}

int memory_attach(struct tdk_ring **ring, int fd, const char *name, enum tdk_ring_role role,
                  struct tdk_err *err)
{
    char self[40];
    struct region region = {.fd = -1, .lazy = true};
    int rc = check_file(fd, name, err);
    if (rc < 0)
        return rc;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    region.fd = open(self, O_RDWR | O_CLOEXEC);
    if (region.fd < 0)
        return err_set(err, -errno, "open ring %s, which was passed to us", name);
    rc = region_read_head(&region, name, err);
    if (rc == 0)
        rc = map_and_open(ring, &region, name, role, err);
    if (rc < 0)
        region_close(&region);
    return rc;
}
