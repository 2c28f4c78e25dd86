/* doctor_disk.c - checks the disk that a tape is on, or will be on. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/quantity.h"
#include "cli/doctor.h"
#include "tapedeck/err.h"

#define WRITE_SIZE  ((size_t)1 << 20) /* as the recorder writes */
#define ALIGNMENT   4096u
#define SYNC_LATE   (500 * NS_PER_MS)
#define INDEX_LEAST (UINT64_C(64) << 20)
#define SPACE_LEAST (UINT64_C(2) << 30) /* for the segment being written and the next one */

/* ---- the file system ---- */

static const struct {
    unsigned long magic;
    const char *name;
    enum health_level level;
    const char *why, *remedy;
} kinds[] = {
    {0xef53, "ext4", HEALTH_OK, "", NULL},
    {0x58465342, "xfs", HEALTH_OK, "", NULL},
    {0x9123683e, "btrfs", HEALTH_WARNING, ": it copies on write, and checksums what we checksum",
     "chattr +C on the empty directory, or xfs"},
    {0x2fc12fc1, "zfs", HEALTH_WARNING,
     ": it copies on write, and has no O_DIRECT in older versions", "xfs or ext4"},
    {0xf2f52010, "f2fs", HEALTH_OK, "", NULL},
    {0x01021994, "tmpfs", HEALTH_WARNING, ": it is memory, nothing on it survives a power cut",
     "a tape belongs on a disk"},
    {0x794c7630, "overlayfs", HEALTH_WARNING, ": the container's own layer goes with the container",
     "mount a volume at the tape's place"},
    {0x6969, "nfs", HEALTH_CRITICAL, ": network file systems are outside of what a tape promises",
     "a local disk"},
    {0xff534d42, "cifs", HEALTH_CRITICAL,
     ": network file systems are outside of what a tape promises", "a local disk"},
    {0x01021997, "9p", HEALTH_CRITICAL,
     ": network file systems are outside of what a tape promises", "a local disk"},
    {0x65735546, "fuse", HEALTH_WARNING, ": what it promises about syncs is not known",
     "a local disk"},
};

static void look_at_type(struct health *h, const char *folder)
{
    struct statfs fs;
    if (statfs(folder, &fs) < 0) {
        health_find(h, HEALTH_UNKNOWN, "file-system", NULL, "%s: %s", folder, tdk_strerror(-errno));
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].magic == (unsigned long)fs.f_type) {
            health_find(h, kinds[i].level, "file-system", kinds[i].remedy, "%s is on %s%s", folder,
                        kinds[i].name, kinds[i].why);
            return;
        }
    health_find(h, HEALTH_OK, "file-system", NULL, "%s is on a file system of type %#lx", folder,
                (unsigned long)fs.f_type);
}

/* ---- room ---- */

static uint64_t size_of(const char *folder, const char *file)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void look_at_room(struct health *h, const struct doctor_disk *disk, const char *folder)
{
    struct statvfs fs;
    char text[QUANTITY_TEXT], index[QUANTITY_TEXT], left[QUANTITY_TEXT] = "";
    if (statvfs(folder, &fs) < 0)
        return;
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    uint64_t seconds = disk->rate > 0 ? room / disk->rate : 0;
    bool soon = disk->rate > 0 && seconds < 86400;
    if (disk->rate > 0 && seconds < 1000000000)
        quantity_duration_text(left, seconds * NS_PER_S);
    health_find(h, room < SPACE_LEAST || soon ? HEALTH_WARNING : HEALTH_OK, "space",
                "more disk, smaller --segment-size, or `tapedeck retain`", "%s free%s%s",
                quantity_size_text(text, room),
                left[0] != '\0' ? ", at the recorded rate full in " : "", left);
    /* The index grows by doubling its map; its file grows with its contents. */
    uint64_t used = size_of(disk->path, "index/data.mdb");
    bool tight = room < used + INDEX_LEAST;
    if (fs.f_files > 0 && fs.f_favail < 64)
        health_find(h, HEALTH_CRITICAL, "inodes", "remove files", "%" PRIu64 " inodes left",
                    (uint64_t)fs.f_favail);
    health_find(h, tight ? HEALTH_CRITICAL : HEALTH_OK, "index-room",
                "more disk; the index is rebuilt from the segments if it is ever too small",
                "the index has %s and can grow by %s", quantity_size_text(index, used),
                quantity_size_text(text, room));
}

static void look_at_addresses(struct health *h)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        health_find(h, HEALTH_WARNING, "address-space", "LimitAS=infinity, ulimit -v unlimited",
                    "addresses are limited: rings are mapped twice, and the index needs room");
}

/* ---- writing ---- */

static void look_at_fallocate(struct health *h, int fd, uint64_t size)
{
    int rc = fallocate(fd, 0, 0, (off_t)size);
    health_find(h,
                rc == 0           ? HEALTH_OK
                : errno == ENOSPC ? HEALTH_CRITICAL
                                  : HEALTH_WARNING,
                "fallocate",
                errno == ENOSPC ? "free space"
                                : "xfs or ext4: here each write has to find its own space",
                "%s", rc == 0 ? "space is taken ahead of writing" : tdk_strerror(-errno));
}

static void use_direct(struct health *h, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    bool direct = flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
    health_find(h, direct ? HEALTH_OK : HEALTH_WARNING, "o-direct",
                "a file system that has it: buffered writing costs several times the CPU", "%s",
                direct ? "writes go past the page cache" : "not here: writes are buffered");
}

struct measured {
    uint64_t written, took_ns, write_max_ns, sync_ns;
};

static int measure(int fd, uint64_t size, struct measured *m)
{
    void *bytes = NULL;
    if (posix_memalign(&bytes, ALIGNMENT, WRITE_SIZE) != 0)
        return -ENOMEM;
    uint64_t word = 0x9e3779b97f4a7c15u; /* so that no disk can compress it */
    for (size_t i = 0; i < WRITE_SIZE; i += sizeof word) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        memcpy((char *)bytes + i, &word, sizeof word);
    }
    int rc = 0;
    uint64_t began = clock_mono();
    while (rc == 0 && m->written < size) {
        uint64_t before = clock_mono();
        ssize_t n = pwrite(fd, bytes, WRITE_SIZE, (off_t)m->written);
        rc = n == (ssize_t)WRITE_SIZE ? 0 : n < 0 ? -errno : -ENOSPC;
        uint64_t took = clock_mono() - before;
        m->write_max_ns = took > m->write_max_ns ? took : m->write_max_ns;
        m->written += n > 0 ? (uint64_t)n : 0;
    }
    uint64_t before = clock_mono();
    if (rc == 0 && fdatasync(fd) < 0)
        rc = -errno;
    m->sync_ns = clock_mono() - before;
    m->took_ns = clock_mono() - began;
    free(bytes);
    return rc;
}

static void look_at_bandwidth(struct health *h, const struct doctor_disk *disk, int fd)
{
    struct measured m = {.written = 0};
    char text[QUANTITY_TEXT], longest[QUANTITY_TEXT], sync[QUANTITY_TEXT], rate[QUANTITY_TEXT];
    int rc = measure(fd, disk->write_size, &m);
    if (rc < 0) {
        health_find(h, HEALTH_CRITICAL, "bandwidth", "fix that first", "writing failed: %s",
                    tdk_strerror(rc));
        return;
    }
    uint64_t speed = quantity_per_second(m.written, m.took_ns);
    enum health_level level = disk->rate == 0          ? HEALTH_OK
                              : speed < disk->rate     ? HEALTH_CRITICAL
                              : speed / 4 < disk->rate ? HEALTH_WARNING
                                                       : HEALTH_OK;
    health_find(h, level, "bandwidth",
                "a faster disk, or one of the tape's own; four times the rate is comfortable",
                "%s/s written and synced%s%s%s", quantity_size_text(text, speed),
                disk->rate > 0 ? ", " : "",
                disk->rate > 0 ? quantity_size_text(rate, disk->rate) : "",
                disk->rate > 0 ? "/s recorded" : "");
    uint64_t worst = m.sync_ns > m.write_max_ns ? m.sync_ns : m.write_max_ns;
    health_find(h, worst > SYNC_LATE ? HEALTH_WARNING : HEALTH_OK, "latency",
                "rings and --buffer-memory have to hold rate x this", "longest write %s, sync %s",
                quantity_duration_text(longest, m.write_max_ns),
                quantity_duration_text(sync, m.sync_ns));
}

/* The tape's folder, or the nearest existing folder above where it will be. */
static void existing(const char *path, char *folder, size_t room)
{
    struct stat st;
    snprintf(folder, room, "%s", path);
    while (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode)) {
        char *slash = strrchr(folder, '/');
        if (slash == folder)
            slash[1] = '\0';
        else if (slash != NULL)
            *slash = '\0';
        else
            snprintf(folder, room, ".");
    }
}

/* Why the file to measure with could not be made. */
static void tell_unwritable(struct health *h, const char *folder, int code)
{
    static const struct {
        int code;
        const char *remedy;
    } remedies[] = {{-EACCES, "run it as the user that records"},
                    {-EROFS, "mount it for writing"},
                    {-ENOSPC, "free space, or remove files"},
                    {-EDQUOT, "free space, or raise the quota"}};
    for (size_t i = 0; i < array_size(remedies); i++)
        if (remedies[i].code == code) {
            health_find(h, HEALTH_CRITICAL, "write", remedies[i].remedy,
                        "%s cannot be written to: %s", folder, tdk_strerror(code));
            return;
        }
    health_find(h, HEALTH_UNKNOWN, "write", "xfs or ext4",
                "%s is not measured, because no file without a name can be made there: %s", folder,
                tdk_strerror(code));
}

void doctor_disk(struct health *h, const struct doctor_disk *disk)
{
    char folder[4096];
    existing(disk->path, folder, sizeof folder);
    look_at_type(h, folder);
    look_at_room(h, disk, folder);
    look_at_addresses(h);
    /* The file has no name, so nothing of it is left, whatever happens. */
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        tell_unwritable(h, folder, -errno);
        return;
    }
    look_at_fallocate(h, fd, disk->write_size > WRITE_SIZE ? disk->write_size : WRITE_SIZE);
    use_direct(h, fd);
    if (disk->write_size > 0)
        look_at_bandwidth(h, disk, fd);
    close(fd);
}
