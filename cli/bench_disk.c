#include "cli/bench_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffers.h"
#include "base/clock.h"
#include "base/err.h"

#define WRITE_SIZE    ((size_t)1 << 20)
#define IN_FLIGHT     8u
#define SYNC_EACH     16u /* writes */
#define UNSYNCED_MAX  64u
#define RETURNED_ROOM 128u /* more than are ever in flight */

/* Writes by number, as in recorder/writer.h: synced <= told <= begun. */
struct disk {
    int fd;
    const struct bench_source *source;
    uint64_t count, begun, told, synced;
    bool returned[RETURNED_ROOM]; /* of the writes after `told` */
    int status;
    unsigned char *buffers;
    unsigned writers;        /* writers that have taken a buffer */
    unsigned out;            /* writes in flight */
    pthread_mutex_t filling; /* buffers are filled one at a time, in order; taken before `lock` */
    pthread_mutex_t lock;
    pthread_cond_t moved, slot;
};

static void fail(struct disk *d, int status)
{
    pthread_mutex_lock(&d->lock);
    if (d->status == 0)
        d->status = status;
    pthread_cond_broadcast(&d->moved);
    pthread_mutex_unlock(&d->lock);
}

static bool begin_one(struct disk *d, uint64_t *number)
{
    pthread_mutex_lock(&d->lock);
    while (d->status == 0 && d->begun < d->count && d->begun - d->synced >= UNSYNCED_MAX)
        pthread_cond_wait(&d->moved, &d->lock);
    bool more = d->status == 0 && d->begun < d->count;
    if (more)
        *number = d->begun++;
    pthread_mutex_unlock(&d->lock);
    return more;
}

/* Fill a buffer. False: there are no more, or something failed. */
static bool fill_one(struct disk *d, uint64_t *number, unsigned char *bytes)
{
    const struct bench_source *source = d->source;
    pthread_mutex_lock(&d->filling);
    bool more = begin_one(d, number);
    int status = more ? source->fill(source->context, *number * WRITE_SIZE, bytes, WRITE_SIZE) : 0;
    pthread_mutex_unlock(&d->filling);
    if (status < 0)
        fail(d, status);
    return more && status == 0;
}

static void take_slot(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    while (d->out == IN_FLIGHT)
        pthread_cond_wait(&d->slot, &d->lock);
    d->out++;
    pthread_mutex_unlock(&d->lock);
}

static void end_one(struct disk *d, uint64_t number, int status)
{
    pthread_mutex_lock(&d->lock);
    if (d->status == 0)
        d->status = status;
    d->out--;
    pthread_cond_signal(&d->slot);
    d->returned[number % RETURNED_ROOM] = true;
    for (; d->told < d->begun && d->returned[d->told % RETURNED_ROOM]; d->told++)
        d->returned[d->told % RETURNED_ROOM] = false;
    pthread_cond_broadcast(&d->moved);
    pthread_mutex_unlock(&d->lock);
}

static unsigned char *take_buffer(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    unsigned char *bytes = d->buffers + WRITE_SIZE * d->writers++;
    pthread_mutex_unlock(&d->lock);
    return bytes;
}

static void *be_writer(void *context)
{
    struct disk *d = context;
    unsigned char *bytes = take_buffer(d);
    uint64_t number;
    while (fill_one(d, &number, bytes)) {
        take_slot(d);
        ssize_t n = pwrite(d->fd, bytes, WRITE_SIZE, (off_t)(number * WRITE_SIZE));
        end_one(d, number, n == (ssize_t)WRITE_SIZE ? 0 : n < 0 ? -errno : -EIO);
    }
    return NULL;
}

static int sync_all(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    while (d->status == 0 && d->synced < d->count) {
        while (d->status == 0 && d->told - d->synced < SYNC_EACH && d->told < d->count)
            pthread_cond_wait(&d->moved, &d->lock);
        uint64_t upto = d->told;
        pthread_mutex_unlock(&d->lock);
        int status = fdatasync(d->fd) < 0 ? -errno : 0;
        pthread_mutex_lock(&d->lock);
        d->synced = upto;
        d->status = d->status != 0 ? d->status : status;
        pthread_cond_broadcast(&d->moved);
    }
    int status = d->status;
    pthread_mutex_unlock(&d->lock);
    return status;
}

static int write_all(struct disk *d, uint64_t *elapsed_ns)
{
    pthread_t writers[BENCH_DISK_BUFFERS_MAX];
    unsigned started = 0;
    int rc = 0;
    uint64_t begin_ns = clock_mono();
    while (rc == 0 && started < d->source->buffers) {
        rc = -pthread_create(&writers[started], NULL, be_writer, d);
        started += rc == 0;
    }
    if (rc == 0) {
        rc = sync_all(d);
    } else {
        fail(d, rc);
    }
    *elapsed_ns = clock_mono() - begin_ns;
    for (unsigned i = 0; i < started; i++)
        pthread_join(writers[i], NULL);
    return rc;
}

/* ---- the file ---- */

static int check_one(const struct disk *d, uint64_t number)
{
    uint64_t at = number * WRITE_SIZE;
    ssize_t n = pread(d->fd, d->buffers, WRITE_SIZE, (off_t)at);
    if (n != (ssize_t)WRITE_SIZE)
        return n < 0 ? -errno : -EIO;
    return d->source->check(d->source->context, at, d->buffers, WRITE_SIZE);
}

static int write_file(struct disk *d, uint64_t *elapsed_ns)
{
    size_t size = d->source->buffers * WRITE_SIZE;
    int rc = -posix_fallocate(d->fd, 0, (off_t)(d->count * WRITE_SIZE));
    if (rc == 0 && fsync(d->fd) < 0)
        rc = -errno;
    if (rc < 0)
        return rc;
    d->buffers = buffers_map(size);
    if (d->buffers == NULL)
        return -errno;
    memset(d->buffers, 0x5a, size);
    rc = write_all(d, elapsed_ns);
    for (uint64_t i = 0; rc == 0 && d->source->check != NULL && i < d->count; i++)
        rc = check_one(d, i);
    buffers_unmap(d->buffers, size);
    return rc;
}

static int fill_any(void *context, uint64_t at, unsigned char *bytes, size_t size)
{
    (void)context;
    (void)size;
    memcpy(bytes, &at, sizeof at);
    return 0;
}

int bench_disk(const char *folder, uint64_t size, const struct bench_source *source,
               uint64_t *elapsed_ns, struct tdk_err *err)
{
    static const struct bench_source any = {.buffers = IN_FLIGHT, .fill = fill_any};
    char path[PATH_MAX + 8];
    struct disk disk = {.source = source != NULL ? source : &any,
                        .count = (size + WRITE_SIZE - 1) / WRITE_SIZE,
                        .filling = PTHREAD_MUTEX_INITIALIZER,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .moved = PTHREAD_COND_INITIALIZER,
                        .slot = PTHREAD_COND_INITIALIZER};
    snprintf(path, sizeof path, "%s/disk", folder);
    disk.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
    if (disk.fd < 0)
        return err_set(err, -errno, "create %s", path);
    int rc = write_file(&disk, elapsed_ns);
    close(disk.fd);
    unlink(path);
    return rc < 0 ? err_set(err, rc, "write %s", path) : 0;
}
