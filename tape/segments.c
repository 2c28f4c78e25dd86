#include "tape/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/err.h"

void segments_init(struct segments *segments, const struct tdk_tape *tape)
{
    *segments = (struct segments){.tape = tape};
}

static void slot_close(struct segments_slot *slot)
{
    segment_close(slot->segment);
    *slot = (struct segments_slot){0};
}

void segments_close(struct segments *segments)
{
    for (size_t i = 0; i < SEGMENTS_OPEN; i++)
        slot_close(&segments->slots[i]);
}

/* Its own slot, or the one that was not used for longest. */
static struct segments_slot *find_slot(struct segments *segments, uint64_t number)
{
    struct segments_slot *oldest = &segments->slots[0];
    for (size_t i = 0; i < SEGMENTS_OPEN; i++) {
        struct segments_slot *slot = &segments->slots[i];
        if (slot->segment != NULL && slot->number == number)
            return slot;
        if (slot->used < oldest->used)
            oldest = slot;
    }
    return oldest;
}

static int open_file(const struct segments *segments, uint64_t number, struct segment **segment,
                     struct tdk_err *err)
{
    const struct tdk_tape *tape = segments->tape;
    if (tape->lone[0] != '\0')
        return segment_open(segment, tape->lone, tape->folder.tape_id, err);
    static const enum segment_stage stages[] = {
        SEGMENT_SEALED, SEGMENT_OPEN, SEGMENT_SEALED /* sealed between the two looks */
    };
    int rc = -ENOENT;
    for (size_t i = 0; i < array_size(stages) && rc == -ENOENT; i++)
        rc = segment_open_number(segment, &tape->folder, number, stages[i], err);
    return rc;
}

int segments_get(struct segments *segments, uint64_t number, const struct segment **segment,
                 struct tdk_err *err)
{
    struct segments_slot *slot = find_slot(segments, number);
    if (slot->segment == NULL || slot->number != number) {
        struct segment *opened;
        int rc = open_file(segments, number, &opened, err);
        if (rc < 0)
            return rc;
        posix_fadvise(opened->fd, 0, 0, POSIX_FADV_RANDOM);
        slot_close(slot);
        slot->segment = opened;
        slot->number = number;
    }
    slot->used = ++segments->clock;
    *segment = slot->segment;
    return 0;
}

void segments_forget(struct segments *segments, uint64_t number)
{
    struct segments_slot *slot = find_slot(segments, number);
    if (slot->segment != NULL && slot->number == number)
        slot_close(slot);
}

int segments_read(struct segments *segments, uint64_t number, uint64_t offset, void *bytes,
                  size_t size, struct tdk_err *err)
{
    const struct segment *segment;
    int rc = segments_get(segments, number, &segment, err);
    if (rc < 0)
        return rc;
    unsigned char *at = bytes;
    while (size > 0) {
        ssize_t n = pread(segment->fd, at, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, -errno, "read %s at %llu", segment->path,
                           (unsigned long long)offset);
        if (n == 0)
            return err_say(err, TDK_ECORRUPT, "%s ends before %llu", segment->path,
                           (unsigned long long)(offset + size));
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
        segments->bytes_read += (uint64_t)n;
    }
    return 0;
}

void segments_expect(struct segments *segments, uint64_t number, uint64_t offset, size_t size)
{
    const struct segment *segment;
    if (segments_get(segments, number, &segment, NULL) == 0)
        posix_fadvise(segment->fd, (off_t)offset, (off_t)size, POSIX_FADV_WILLNEED);
}
