#include "tape/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tape/files.h"

enum { IDLE_MAX = 16, SCANNED_MAX = 8 };

void segments_init(struct segments *segments, const struct folder *folder, const char *lone)
{
    *segments = (struct segments){.folder = folder, .lone = lone};
    pthread_mutex_init(&segments->lock, NULL);
}

static void handle_close(struct handle *handle)
{
    segment_close(handle->segment);
    free(handle);
}

static void close_all(struct handle *handles)
{
    while (handles != NULL) {
        struct handle *next = handles->next;
        handle_close(handles);
        handles = next;
    }
}

void segments_close(struct segments *segments)
{
    close_all(segments->handles);
    segments->handles = NULL;
    pthread_mutex_destroy(&segments->lock);
}

static void drop(struct segments *segments, struct handle *handle)
{
    struct handle **at = &segments->handles;
    while (*at != handle)
        at = &(*at)->next;
    *at = handle->next;
    segments->idle--;
    handle_close(handle);
}

/* The least recently used of those that nobody holds. */
static struct handle *oldest_idle(const struct segments *segments)
{
    struct handle *oldest = NULL;
    for (struct handle *h = segments->handles; h != NULL; h = h->next)
        if (h->holders == 0 && (oldest == NULL || h->used < oldest->used))
            oldest = h;
    return oldest;
}

static int open_file(const struct segments *segments, uint64_t number, unsigned generation,
                     struct segment **segment, struct tdk_err *err)
{
    if (segments->lone != NULL)
        return segment_open(segment, segments->lone, segments->folder->tape_id, err);
    static const enum segment_stage stages[] = {
        SEGMENT_SEALED, SEGMENT_OPEN, SEGMENT_SEALED /* it was sealed between the two tries */
    };
    if (generation != 0)
        return segment_open_number(segment, segments->folder, number, SEGMENT_PACKED, err);
    int rc = -ENOENT;
    for (size_t i = 0; i < array_size(stages) && rc == -ENOENT; i++)
        rc = segment_open_number(segment, segments->folder, number, stages[i], err);
    return rc;
}

/* With the lock held: opening is rare, and two threads must not open one file twice. */
static int open_handle(struct segments *segments, const struct block_ref *ref, uint16_t track,
                       struct handle **handle, struct tdk_err *err)
{
    struct handle *h = calloc(1, sizeof *h);
    if (h == NULL)
        return err_set(err, -ENOMEM, "open segment %llu", (unsigned long long)ref->segment);
    h->number = ref->segment;
    h->generation = block_ref_generation(ref);
    h->track = track;
    int rc = open_file(segments, h->number, h->generation, &h->segment, err);
    if (rc < 0) {
        free(h);
        return rc;
    }
    if (segment_is_away(h->segment)) {
        rc = err_say(err, h->segment->away.code, "%s", h->segment->away.text);
        handle_close(h);
        return rc;
    }
    posix_fadvise(h->segment->fd, 0, 0, POSIX_FADV_RANDOM);
    h->next = segments->handles;
    segments->handles = h;
    segments->idle++; /* until it is held */
    *handle = h;
    return 0;
}

bool handle_is_of(const struct handle *handle, const struct block_ref *ref)
{
    return handle->number == ref->segment && handle->generation == block_ref_generation(ref);
}

bool handle_serves(const struct handle *handle, const struct block_ref *ref, bool scan)
{
    return handle_is_of(handle, ref) && !handle->is_stale &&
           (handle->track == 0 || (scan && handle->track == ref->track));
}

static struct handle *find(const struct segments *segments, const struct block_ref *ref,
                           uint16_t track)
{
    struct handle *h = segments->handles;
    while (h != NULL && (!handle_is_of(h, ref) || h->is_stale || h->track != track))
        h = h->next;
    return h;
}

static unsigned count_scanned(const struct segments *segments)
{
    unsigned count = 0;
    for (const struct handle *h = segments->handles; h != NULL; h = h->next)
        count += h->track != 0 && h->holders > 0;
    return count;
}

int segments_take(struct segments *segments, const struct block_ref *ref, bool scan,
                  struct handle **handle, struct tdk_err *err)
{
    pthread_mutex_lock(&segments->lock);
    uint16_t track = scan ? ref->track : 0;
    struct handle *h = find(segments, ref, track);
    if (h == NULL && track != 0 && count_scanned(segments) >= SCANNED_MAX) {
        track = 0;
        h = find(segments, ref, track);
    }
    bool opens = h == NULL;
    int rc = opens ? open_handle(segments, ref, track, &h, err) : 0;
    if (rc == -EMFILE || rc == -ENFILE) { /* slower: use the handle for all, if there is one */
        h = find(segments, ref, 0);
        rc = h != NULL ? 0 : rc;
    }
    if (h != NULL) {
        if (h->holders++ == 0)
            segments->idle--;
        *handle = h;
    }
    pthread_mutex_unlock(&segments->lock);
    /* A reader that runs for long without a refresh must close deleted files, too. */
    if (opens)
        segments_tidy(segments);
    return rc;
}

void segments_give(struct segments *segments, struct handle *handle)
{
    if (handle == NULL)
        return;
    pthread_mutex_lock(&segments->lock);
    handle->used = ++segments->clock;
    if (--handle->holders == 0) {
        segments->idle++;
        if (handle->is_stale)
            drop(segments, handle);
        else if (segments->idle > IDLE_MAX)
            drop(segments, oldest_idle(segments));
    }
    pthread_mutex_unlock(&segments->lock);
}

void segments_forget(struct segments *segments, uint64_t number)
{
    pthread_mutex_lock(&segments->lock);
    for (struct handle *h = segments->handles, *next; h != NULL; h = next) {
        next = h->next;
        if (h->number != number)
            continue;
        if (h->holders > 0)
            h->is_stale = true;
        else
            drop(segments, h);
    }
    pthread_mutex_unlock(&segments->lock);
}

/* Closed without the lock, because freeing the room of a large file takes time. */
void segments_tidy(struct segments *segments)
{
    struct handle *gone = NULL;
    pthread_mutex_lock(&segments->lock);
    for (struct handle **at = &segments->handles, *h; (h = *at) != NULL;) {
        if (h->holders > 0 || !segment_is_gone(h->segment)) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        segments->idle--;
        h->next = gone;
        gone = h;
    }
    pthread_mutex_unlock(&segments->lock);
    close_all(gone);
}

int handle_read(const struct handle *handle, uint64_t offset, void *bytes, size_t size,
                struct tdk_err *err)
{
    const struct segment *segment = handle->segment;
    unsigned char *at = bytes;
    while (size > 0) {
        ssize_t n = files->pread(segment->fd, at, size, offset);
        if (n < 0)
            return err_set(err, (int)n, "read %s at %llu", segment->path,
                           (unsigned long long)offset);
        if (n == 0)
            return err_say(err, TDK_ECORRUPT, "%s ends before %llu", segment->path,
                           (unsigned long long)offset + size);
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

bool handle_read_cached(const struct handle *handle, uint64_t offset, void *bytes, size_t size)
{
    return files->pread_cached != NULL &&
           files->pread_cached(handle->segment->fd, bytes, size, offset) == (ssize_t)size;
}

/*
 * The kernel reads ahead in steps, each in larger pieces than the one before: of 4 KiB, of 16, of
 * 64. How long the first step is depends on the read that triggers it: after a read of one megabyte
 * it is two megabytes. After a page that follows another page it is four pages, so that most of the
 * first block is in large pieces already. This is only a hint: the actual read will report errors.
 */
static void begin_small(const struct handle *handle, uint64_t offset)
{
    enum { PAGE = 4096 };
    for (unsigned i = 0; i < 2; i++) {
        char byte;
        const struct iovec first = {&byte, 1};
        (void)preadv2(handle->segment->fd, &first, 1, (off_t)(offset + (uint64_t)i * PAGE), 0);
    }
}

void handle_scan(struct handle *handle, uint64_t offset, bool scan)
{
    if (atomic_load_explicit(&handle->is_scanned, memory_order_relaxed) == scan)
        return;
    atomic_store_explicit(&handle->is_scanned, scan, memory_order_relaxed);
    posix_fadvise(handle->segment->fd, 0, 0, scan ? POSIX_FADV_SEQUENTIAL : POSIX_FADV_RANDOM);
    if (scan)
        begin_small(handle, offset);
}

bool handle_has(const struct handle *handle, uint64_t offset)
{
    char first;
    const struct iovec byte = {&first, 1};
    return preadv2(handle->segment->fd, &byte, 1, (off_t)offset, RWF_NOWAIT) == 1;
}

void handle_expect(const struct handle *handle, uint64_t offset, size_t size)
{
    posix_fadvise(handle->segment->fd, (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);
}
