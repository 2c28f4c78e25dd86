#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/name.h"
#include "shm/epoch.h"
#include "shm/ring_private.h"
#include "shm/rings.h"
#include "shm/role.h"

/* ---- a consistent look at the shared page ---- */

#define COPIES_MAX 100 /* because a hostile producer could change its epoch for ever */

static void copy_once(const struct tdk_ring_shared *shared, struct tdk_ring_shared *copy)
{
    const uint64_t *from = (const uint64_t *)(const void *)shared;
    uint64_t *to = (uint64_t *)(void *)copy;
    for (size_t i = 0; i < sizeof *copy / sizeof *to; i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* An epoch's line is rewritten only after the other one has become current. So if the generation
 * has not changed, the line is whole. The generation is read first, with acquire, so frames up to
 * copy->produced may be looked at. */
void ring_copy_shared(const struct tdk_ring_shared *shared, struct tdk_ring_shared *copy)
{
    for (int i = 0; i < COPIES_MAX; i++) {
        uint64_t generation = __atomic_load_n(&shared->generation, __ATOMIC_ACQUIRE);
        copy_once(shared, copy);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&shared->generation, __ATOMIC_RELAXED) == generation &&
            copy->generation == generation)
            return;
    }
}

/* ---- info ---- */

/* Until the newest epoch has put something in, the ring is still in the epoch before it. That
 * epoch's line is the other one (epoch.c). */
static void info_of_epoch(const struct tdk_ring_shared *copy, struct tdk_ring_info *info)
{
    const struct tdk_ring_epoch_line *line = ring_epoch_line(copy);
    if (!line)
        return;
    info->lost_total = line->lost_before + line->lost;
    info->epoch = epoch_of_last(copy);
    if (info->epoch == 0)
        return;
    if (info->epoch != line->epoch)
        line = &copy->epochs[(copy->generation + 1) & 1];
    info->seq = ring_line_seq(line);
    info->lost = line->lost;
    info->produced = (info->seq > info->lost ? info->seq - info->lost : 0) + line->played;
}

/* `copy` has passed region_check(), but its counters can still have any value. */
static void info_decode(const struct tdk_ring_shared *copy, const char *name,
                        struct tdk_ring_info *info)
{
    *info = (struct tdk_ring_info){
        .capacity = copy->capacity,
        .payload_max = copy->payload_max,
        .version = copy->version,
        .produced_bytes = copy->produced,
        .consumed_bytes = copy->consumed,
        .high_water = copy->high_water,
        .created_ns = copy->created_ns,
    };
    snprintf(info->name, sizeof info->name, "%s", name);
    snprintf(info->track, sizeof info->track, "%.*s", (int)TDK_NAME_MAX, copy->track);
    memcpy(info->uuid, copy->uuid, sizeof info->uuid);
    /* They are read one after the other while both move. The result is kept between 0 and the
     * capacity. */
    if (copy->produced > copy->consumed)
        info->fill = copy->produced - copy->consumed;
    if (info->fill > info->capacity)
        info->fill = info->capacity;
    info_of_epoch(copy, info);
}

/* The lock says who lives; a pid is a comment that its program may have left out. */
static uint32_t living_pid(int fd, enum tdk_ring_role role, uint32_t told)
{
    if (!role_is_taken(fd, role))
        return 0;
    return told != 0 ? told : UINT32_MAX;
}

static void info_roles(const struct tdk_ring_shared *copy, int fd, struct tdk_ring_info *info)
{
    const struct tdk_ring_epoch_line *line = ring_epoch_line(copy);
    info->producer_pid = living_pid(fd, TDK_RING_PRODUCER, line != NULL ? line->pid : 0);
    info->consumer_pid = living_pid(fd, TDK_RING_CONSUMER, copy->consumer_pid);
    info->taps = role_count_taps(fd);
}

void tdk_ring_info(const struct tdk_ring *ring, struct tdk_ring_info *info)
{
    struct tdk_ring_shared copy;
    ring_copy_shared(ring->shared, &copy);
    const struct tdk_ring_shared *head = &ring->more->region.head;
    copy.capacity = head->capacity; /* what was checked, not what is there now */
    copy.payload_max = head->payload_max;
    copy.version = head->version;
    memcpy(copy.track, head->track, sizeof copy.track);
    info_decode(&copy, ring->more->name, info);
    info_roles(&copy, ring->more->region.fd, info);
    /* Our own lock does not conflict with us, so it does not show. */
    if (ring->role == TDK_RING_PRODUCER)
        info->producer_pid = (uint32_t)getpid();
    if (ring->role == TDK_RING_CONSUMER)
        info->consumer_pid = (uint32_t)getpid();
    if (ring->role == TDK_RING_TAP)
        info->taps++;
}

int tdk_ring_stat(const char *name, struct tdk_ring_info *info, struct tdk_err *err)
{
    struct region region;
    int rc = region_open(&region, name, false, err);
    if (rc < 0)
        return rc;
    /* The second of two reads is whole if the generation is the same in both, as above. */
    struct tdk_ring_shared copy = region.head, again;
    for (int i = 0; i < COPIES_MAX; i++) {
        if (pread(region.fd, &again, sizeof again, 0) != (ssize_t)sizeof again)
            break;
        bool same = again.generation == copy.generation;
        memcpy(&copy.produced, &again.produced,
               sizeof copy - offsetof(struct tdk_ring_shared, produced));
        if (same)
            break;
    }
    info_decode(&copy, name, info);
    info_roles(&copy, region.fd, info);
    region_close(&region);
    return 0;
}

void tdk_ring_epoch_floor(struct tdk_ring *ring, uint64_t epoch)
{
    uint64_t *floor = &ring->shared->epoch_floor;
    if (ring->role != TDK_RING_TAP && epoch > __atomic_load_n(floor, __ATOMIC_RELAXED))
        __atomic_store_n(floor, epoch, __ATOMIC_RELAXED);
}

/* ---- the directory ---- */

static int is_ring_file(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return size > 5 && strcmp(entry->d_name + size - 5, ".ring") == 0 &&
           name_is_valid(entry->d_name, size - 5);
}

int tdk_ring_list(int (*each)(const char *name, void *context), void *context, struct tdk_err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(rings_path(), &entries, is_ring_file, alphasort);
    if (count < 0 && errno == ENOENT)
        return 0;
    if (count < 0)
        return rings_advise(err, err_set(err, -errno, "list the rings directory %s", rings_path()));
    int rc = 0;
    for (int i = 0; i < count; i++) {
        entries[i]->d_name[strlen(entries[i]->d_name) - 5] = '\0';
        if (rc == 0)
            rc = each(entries[i]->d_name, context);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

/* Whether a ring is in use can only be seen if its file can be opened. Anything else needs
 * `force`. */
static int check_unused(const char *name, struct tdk_err *err)
{
    struct region region;
    int rc = region_open(&region, name, false, err);
    if (rc < 0)
        return rc;
    bool producer = role_is_taken(region.fd, TDK_RING_PRODUCER);
    bool consumer = role_is_taken(region.fd, TDK_RING_CONSUMER);
    region_close(&region);
    if (!producer && !consumer)
        return 0;
    return err_say(err, TDK_EBUSY, "ring %s has a living %s: stop it first, or use --force", name,
                   producer ? "producer" : "consumer");
}

int tdk_ring_remove(const char *name, bool force, struct tdk_err *err)
{
    char file[RINGS_FILE_MAX];
    int rc = rings_file(file, name, err);
    if (rc == 0 && !force)
        rc = check_unused(name, err);
    if (rc < 0)
        return rc;
    int folder = rings_open(false, err);
    if (folder < 0)
        return folder == -ENOENT
                   ? err_say(err, TDK_ENORING, "ring %s: there is no rings directory %s", name,
                             rings_path())
                   : folder;
    if (unlinkat(folder, file, 0) < 0)
        rc = errno == ENOENT
                 ? err_say(err, TDK_ENORING, "there is no ring %s in %s", name, rings_path())
                 : err_set(err, -errno, "remove ring %s", name);
    close(folder);
    return rc;
}
