#include "shm/region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/name.h"
#include "base/owner.h"
#include "shm/rings.h"

#define LARGE_PAGE ((size_t)2 << 20)

/* ---- create ---- */

static uint32_t payload_limit(size_t capacity)
{
    return capacity / 4 < TDK_PAYLOAD_HARD_MAX ? (uint32_t)(capacity / 4) : TDK_PAYLOAD_HARD_MAX;
}

int region_head(struct tdk_ring_shared *head, const char *name,
                const struct tdk_ring_options *options, struct tdk_err *err)
{
    size_t capacity = options->capacity ? options->capacity : RING_CAPACITY_DEFAULT;
    if (!is_power_of_two(capacity) || capacity < RING_CAPACITY_MIN || capacity > RING_CAPACITY_MAX)
        return err_say(err, TDK_EVALUE,
                       "ring %s: its size must be a power of two from 64K to 1T, not %zu bytes",
                       name, capacity);
    uint32_t limit = payload_limit(capacity);
    uint32_t payload_max = options->payload_max;
    if (payload_max == 0)
        payload_max = limit < TDK_PAYLOAD_DEFAULT_MAX ? limit : TDK_PAYLOAD_DEFAULT_MAX;
    if (payload_max > limit)
        return err_say(
            err, TDK_EVALUE,
            "ring %s: payloads can have at most %u bytes (a quarter of the ring, at most "
            "16M), not %u",
            name, limit, payload_max);
    const char *track = options->track ? options->track : name;
    if (!name_is_valid(track, strlen(track)))
        return err_say(err, TDK_ENAME, "\"%.80s\" cannot be a track's name", track);

    *head = (struct tdk_ring_shared){
        .magic = TDK_RING_MAGIC,
        .version = TDK_RING_VERSION,
        .header_size = (uint32_t)region_header_size(),
        .capacity = capacity,
        .payload_max = payload_max,
        .on_disk = options->on_disk,
        .created_ns = clock_wall(),
    };
    memcpy(head->track, track, strlen(track));
    if (getrandom(head->uuid, sizeof head->uuid, 0) != (ssize_t)sizeof head->uuid)
        return err_set(err, -EIO, "ask the kernel for random bytes");
    return 0;
}

static int say_no_space(const char *name, int folder, uint64_t size, struct tdk_err *err)
{
    struct statvfs fs = {0};
    uint64_t free_bytes = fstatvfs(folder, &fs) == 0 ? fs.f_bavail * fs.f_frsize : 0;
    return err_say(
        err, -ENOSPC,
        "cannot create ring %s: it needs %llu MiB, and %s has %llu MiB free; make the ring smaller "
        "or the file system larger (Docker gives /dev/shm 64 MiB: --shm-size)",
        name, (unsigned long long)((size + 0xfffff) >> 20), rings_path(),
        (unsigned long long)(free_bytes >> 20));
}

/* Allocate every page now. A file with holes would be filled at the first touch of each page. If
 * there is no memory then, whoever touches it dies of a SIGBUS. */
static int allocate(int fd, int folder, uint64_t size, const char *name, struct tdk_err *err)
{
    int rc;
    do
        rc = posix_fallocate(fd, 0, (off_t)size);
    while (rc == EINTR);
    if (rc == ENOSPC)
        return say_no_space(name, folder, size, err);
    return rc == 0 ? 0 : err_set(err, -rc, "create ring %s: allocate its pages", name);
}

/* The name is given last, and never replaces an existing one. */
static int link_into(int fd, int folder, const char *file, const char *name, struct tdk_err *err)
{
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, folder, file, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    if (errno == EEXIST)
        return err_say(err, -EEXIST, "ring %s exists already in %s", name, rings_path());
    return err_set(err, -errno, "create ring %s: link it into %s", name, rings_path());
}

static int fill_and_link(int fd, int folder, const char *file, const struct tdk_ring_shared *head,
                         const char *name, struct tdk_err *err)
{
    int rc = allocate(fd, folder, head->header_size + head->capacity, name, err);
    if (rc < 0)
        return rc;
    if (pwrite(fd, head, sizeof *head, 0) != (ssize_t)sizeof *head)
        return err_set(err, errno ? -errno : -EIO, "create ring %s: write its header", name);
    owner_give(fd, folder);
    if (fchmod(fd, 0660) < 0) /* whatever the umask was */
        return err_set(err, -errno, "create ring %s: set its mode", name);
    return link_into(fd, folder, file, name, err);
}

int tdk_ring_create(const char *name, const struct tdk_ring_options *options, struct tdk_err *err)
{
    char file[RINGS_FILE_MAX];
    struct tdk_ring_shared head = {0};
    const struct tdk_ring_options defaults = {0};
    if (!options)
        options = &defaults;
    int rc = rings_file(file, name, err);
    if (rc < 0)
        return rc;
    rc = region_head(&head, name, options, err);
    if (rc < 0)
        return rc;
    int folder = rings_open(true, err);
    if (folder < 0)
        return folder;

    int fd = -1;
    rc = options->on_disk ? 0 : rings_check_memory(folder, err);
    if (rc < 0)
        goto out;
    fd = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0660);
    if (fd < 0) {
        rc = rings_advise(err, err_set(err, -errno, "create a file in %s", rings_path()));
        goto out;
    }
    rc = fill_and_link(fd, folder, file, &head, name, err);
out:
    if (fd >= 0)
        close(fd);
    close(folder);
    return rc;
}

/* ---- open ---- */

size_t region_header_size(void)
{
    long page = sysconf(_SC_PAGESIZE);
    return page > 4096 ? (size_t)page : 4096;
}

int region_check(const struct tdk_ring_shared *head, uint64_t file_size, size_t header_size,
                 const char *name, struct tdk_err *err)
{
    if (head->magic != TDK_RING_MAGIC)
        return err_say(err, TDK_EHOSTILE, "%s is not a ring: its file begins with something else",
                       name);
    if (head->version != TDK_RING_VERSION)
        return err_say(err, TDK_EVERSION,
                       "ring %s has layout version %u, this program knows %u: create it again with "
                       "programs of one version",
                       name, head->version, TDK_RING_VERSION);
    if (file_size < header_size + RING_CAPACITY_MIN || !is_power_of_two(file_size - header_size) ||
        file_size - header_size > RING_CAPACITY_MAX)
        return err_say(err, TDK_EHOSTILE, "ring %s: a file of %llu bytes cannot be a ring", name,
                       (unsigned long long)file_size);
    if (head->header_size != header_size || head->capacity != file_size - header_size ||
        head->payload_max == 0 || head->payload_max > payload_limit((size_t)head->capacity))
        return err_say(err, TDK_EHOSTILE, "ring %s: its header and its size contradict each other",
                       name);
    if (!name_is_valid(head->track, strnlen(head->track, sizeof head->track)))
        return err_say(err, TDK_EHOSTILE, "ring %s: its track's name is not valid", name);
    return 0;
}

/* Where open() itself refuses, there may be a link, a directory or a socket in a ring's place. */
static int open_file(const char *name, bool writable, struct tdk_err *err)
{
    char file[RINGS_FILE_MAX];
    int rc = rings_file(file, name, err);
    if (rc < 0)
        return rc;
    struct tdk_err why;
    int folder = rings_open(false, &why);
    if (folder == -ENOENT)
        return err_say(err, TDK_ENORING, "ring %s: there is no rings directory %s", name,
                       rings_path());
    if (folder < 0)
        return err_say(err, folder, "%s", why.text);
    int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (writable ? O_RDWR : O_RDONLY);
    int fd = openat(folder, file, flags);
    rc = fd < 0 ? -errno : fd;
    close(folder);
    if (rc >= 0)
        return rc;
    if (rc == -ENOENT)
        return err_say(err, TDK_ENORING, "there is no ring %s in %s", name, rings_path());
    if (rc == -ELOOP || rc == -EISDIR || rc == -ENXIO)
        return err_say(err, TDK_EHOSTILE, "%s is not a ring but a link, a directory or a device",
                       name);
    err_set(err, rc, "open ring %s in %s", name, rings_path());
    return err_advise(err, rc, -EACCES, "join its group");
}

/* Rings are for their owner and its group. A ring that anybody may write is refused. */
static int check_file(int fd, const char *name, struct tdk_err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_set(err, -errno, "look at ring %s", name);
    if (!S_ISREG(st.st_mode))
        return err_say(err, TDK_EHOSTILE, "%s is not a ring but a special file", name);
    if ((st.st_mode & S_IWOTH) != 0)
        return err_say(err, TDK_EHOSTILE, "ring %s can be written by everybody: chmod o-w it",
                       name);
    return 0;
}

int region_read_head(struct region *region, const char *name, struct tdk_err *err)
{
    struct stat st;
    if (fstat(region->fd, &st) < 0)
        return err_set(err, -errno, "look at ring %s", name);
    /* Read, not mapped: a file that is too short is a short read here, but a SIGBUS in a
     * mapping. */
    memset(&region->head, 0, sizeof region->head);
    if (pread(region->fd, &region->head, sizeof region->head, 0) < 0)
        return err_set(err, -errno, "read ring %s", name);
    region->header_size = region_header_size();
    int rc = region_check(&region->head, (uint64_t)st.st_size, region->header_size, name, err);
    if (rc == 0)
        region->capacity = (size_t)region->head.capacity;
    return rc;
}

int region_open(struct region *region, const char *name, bool writable, struct tdk_err *err)
{
    *region = (struct region){.fd = -1};
    int fd = open_file(name, writable, err);
    if (fd < 0)
        return fd;
    region->fd = fd;
    int rc = check_file(fd, name, err);
    if (rc == 0)
        rc = region_read_head(region, name, err);
    if (rc == 0 && !region->head.on_disk)
        rc = rings_check_memory(fd, err);
    if (rc < 0)
        region_close(region);
    return rc;
}

/* ---- map ---- */

/* Reserve one piece of address space, so that both halves are sure to lie side by side. It is
 * aligned, so that a tmpfs with large pages (mount option huge=) can map them as such. */
static unsigned char *reserve(size_t size)
{
    unsigned char *space = mmap(NULL, size + LARGE_PAGE, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)space & (LARGE_PAGE - 1);
    if (before > 0)
        munmap(space, before);
    munmap(space + before + size, LARGE_PAGE - before);
    return space + before;
}

int region_map(struct region *region, bool writable, struct tdk_err *err)
{
    size_t first = region->header_size + region->capacity;
    size_t size = first + region->capacity;
    int access = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    int flags = MAP_SHARED | MAP_FIXED | (region->lazy ? 0 : MAP_POPULATE);

    unsigned char *base = reserve(size);
    if (base == NULL)
        return err_set(err, -errno, "reserve %zu bytes of address space for a ring", size);
    region->base = base;
    region->mapped = size;
    if (mmap(base, first, access, flags, region->fd, 0) == MAP_FAILED ||
        mmap(region->base + first, region->capacity, access, flags, region->fd,
             (off_t)region->header_size) == MAP_FAILED)
        return err_set(err, -errno, "map a ring of %zu bytes", region->capacity);
    return 0;
}

void region_close(struct region *region)
{
    if (region->base)
        munmap(region->base, region->mapped);
    if (region->fd >= 0)
        close(region->fd);
    region->base = NULL;
    region->fd = -1;
}
