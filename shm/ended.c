#include "shm/ended.h"

#include <unistd.h>

#include "shm/region.h"
#include "shm/ring_private.h"

/* Read word by word, because a head may lie across the end of the data. */
static bool read_head(const struct region *region, uint64_t position, struct tdk_frame *head)
{
    unsigned char *to = (unsigned char *)head;
    for (size_t at = 0; at < sizeof *head; at += 8) {
        size_t offset = (size_t)((position + at) & (region->capacity - 1));
        if (pread(region->fd, to + at, 8, (off_t)(region->header_size + offset)) != 8)
            return false;
    }
    return true;
}

/* A feed's own ticks may look like anything. Only a ring that a play has played into has an END. */
static bool has_played(const struct tdk_ring_shared *copy)
{
    const struct tdk_ring_epoch_line *line = ring_epoch_line(copy);
    return line != NULL && line->played > 0;
}

static bool is_end(const struct region *region, const struct tdk_ring_shared *copy,
                   struct tdk_frame *head)
{
    const size_t span = tdk_frame_span(sizeof(struct tdk_end));
    return has_played(copy) && copy->produced >= span && (copy->produced & 7) == 0 &&
           read_head(region, copy->produced - span, head) && head->type == TDK_TYPE_END &&
           head->size == sizeof(struct tdk_end);
}

int ring_ended(const char *name, uint64_t *ts, struct tdk_err *err)
{
    struct region region;
    struct tdk_frame head;
    int rc = region_open(&region, name, false, err);
    if (rc < 0) /* a file that is no ring of ours says nothing about a play */
        return rc <= TDK_ECORRUPT ? 0 : rc;
    rc = is_end(&region, &region.head, &head);
    if (rc == 1)
        *ts = head.ts;
    region_close(&region);
    return rc;
}
