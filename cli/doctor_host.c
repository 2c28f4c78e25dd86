/* doctor_host.c - checks shared memory, limits, namespaces and clocks. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/quantity.h"
#include "cli/doctor.h"
#include "shm/rings.h"
#include "tapedeck/err.h"

#define SHM_LEAST      (UINT64_C(128) << 20) /* a ring of 64M, and as much again */
#define FILES_LEAST    1024u
#define CLOCK_DEAR_NS  200u
#define CLOCK_WRONG_US 100000

/* The first line of a small file, without its newline; "" if it cannot be read. */
static const char *read_line(const char *path, char *line, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, room - 1) : 0;
    if (fd >= 0)
        close(fd);
    line[n > 0 ? n : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return line;
}

/* ---- shared memory ---- */

/* The first ring makes the rings directory. Until then, look at the folder that it will be in. */
static void existing_folder(char *path, size_t room)
{
    struct stat st;
    snprintf(path, room, "%s", rings_path());
    for (char *slash; stat(path, &st) < 0 && (slash = strrchr(path, '/')) != NULL && slash != path;)
        *slash = '\0';
}

static void look_at_shm(struct health *h)
{
    struct statfs fs;
    char path[512], size[QUANTITY_TEXT], room[QUANTITY_TEXT];
    existing_folder(path, sizeof path);
    if (statfs(path, &fs) < 0) {
        health_find(h, HEALTH_UNKNOWN, "shm", NULL, "%s: %s", path, tdk_strerror(-errno));
        return;
    }
    if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC)
        health_find(h, HEALTH_CRITICAL, "shm-type",
                    "set TAPEDECK_RINGS to a directory on tmpfs (/dev/shm)",
                    "%s is not on tmpfs: rings there would wait for a disk", path);
    if (access(path, W_OK | X_OK) < 0)
        health_find(h, HEALTH_CRITICAL, "shm-access", "join its group, or set TAPEDECK_RINGS",
                    "%s cannot be written to by this user", path);
    uint64_t total = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
    uint64_t left = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
    enum health_level level = total < SHM_LEAST      ? HEALTH_WARNING
                              : left < SHM_LEAST / 2 ? HEALTH_WARNING
                                                     : HEALTH_OK;
    health_find(h, level, "shm-size",
                "mount -o remount,size=2G /dev/shm; in a container --shm-size or a tmpfs volume; "
                "`tapedeck ring rm` for rings nobody needs",
                "%s has %s, %s free", path, quantity_size_text(size, total),
                quantity_size_text(room, left));
}

/* ---- limits ---- */

static bool swaps(void)
{
    char line[1024] = "";
    int fd = open("/proc/swaps", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, line, sizeof line - 1) : 0;
    if (fd >= 0)
        close(fd);
    line[n > 0 ? n : 0] = '\0';
    const char *end = strchr(line, '\n'); /* after the heading */
    return end != NULL && end[1] != '\0';
}

static void look_at_limits(struct health *h)
{
    struct rlimit limit;
    char text[QUANTITY_TEXT];
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        health_find(h, limit.rlim_max < FILES_LEAST ? HEALTH_WARNING : HEALTH_OK, "open-files",
                    "LimitNOFILE=65536 in the unit, ulimit -n, or --ulimit nofile",
                    "up to %" PRIu64 " open files", (uint64_t)limit.rlim_max);
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return;
    bool pinned = limit.rlim_cur == RLIM_INFINITY;
    health_find(
        h, swaps() ? HEALTH_WARNING : HEALTH_OK, "memlock",
        "swapoff -a, vm.swappiness=0, or MemorySwapMax=0 in the unit: tmpfs and buffers are "
        "not locked",
        "%s; up to %s of memory can be locked",
        swaps() ? "the host swaps: rings and buffers may be paged out" : "no swap",
        pinned ? "all" : quantity_size_text(text, limit.rlim_cur));
}

/* ---- namespaces ---- */

/* "NSpid: 4711 12": our pid as seen from outside, and from here. */
static void look_at_pids(struct health *h)
{
    char line[256] = "";
    unsigned depth = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "NSpid:", 6) == 0)
            for (const char *p = line + 6; *p != '\0' && *p != '\n'; p++)
                depth += p[0] >= '0' && p[0] <= '9' && (p[-1] == '\t' || p[-1] == ' ');
    if (file != NULL)
        fclose(file);
    char init[64];
    read_line("/proc/1/comm", init, sizeof init);
    bool inside = depth > 1 || access("/.dockerenv", F_OK) == 0;
    health_find(h, HEALTH_OK, "pid-namespace", NULL, "%s (pid 1 is %s)",
                inside ? "a container: those that share a tape's index share one pid namespace "
                         "(compose: pid: \"service:recorder\")"
                       : "the host's own",
                init[0] != '\0' ? init : "not seen");
}

/* ---- clocks ---- */

static uint64_t clock_cost(void)
{
    enum { READS = 2000 };
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < 5; round++) {
        uint64_t began = clock_mono(), sum = 0;
        for (int i = 0; i < READS; i++)
            sum += clock_wall() & 1;
        uint64_t took = (clock_mono() - began + (sum & 1)) / READS;
        best = took < best ? took : best;
    }
    return best;
}

static void look_at_clock_source(struct health *h)
{
    char source[64];
    uint64_t cost = clock_cost();
    read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
              sizeof source);
    bool slow = strcmp(source, "hpet") == 0 || strcmp(source, "acpi_pm") == 0 ||
                strcmp(source, "jiffies") == 0 || cost > CLOCK_DEAR_NS;
    health_find(h, slow ? HEALTH_WARNING : HEALTH_OK, "clock-source",
                "boot with tsc=reliable if the hardware is; each stamp of a tick costs this much",
                "%s, %" PRIu64 " ns a reading", source[0] != '\0' ? source : "not told", cost);
}

static void look_at_clock_sync(struct health *h)
{
    struct timex timex = {.modes = 0};
    int state = adjtimex(&timex);
    if (state < 0) {
        health_find(h, HEALTH_UNKNOWN, "clock-sync", NULL, "the kernel does not say: %s",
                    tdk_strerror(-errno));
        return;
    }
    bool synchronised = state != TIME_ERROR && (timex.status & STA_UNSYNC) == 0;
    bool far = timex.maxerror > CLOCK_WRONG_US;
    health_find(h, synchronised && !far ? HEALTH_OK : HEALTH_WARNING, "clock-sync",
                "chronyd or ptp4l with phc2sys; in a container, do it on the host",
                "%s, at most %ld us wrong (estimated %ld us)",
                synchronised ? "synchronised" : "nothing synchronises the clock", timex.maxerror,
                timex.esterror);
}

void doctor_host(struct health *h)
{
    look_at_shm(h);
    look_at_limits(h);
    look_at_pids(h);
    look_at_clock_source(h);
    look_at_clock_sync(h);
}
