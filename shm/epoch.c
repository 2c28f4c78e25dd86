#include "shm/epoch.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "shm/producer.h"
#include "shm/ring_private.h"
#include "shm/wait.h"

static void store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* ---- producer ---- */

/* Nothing of that epoch is in the ring, not even its EPOCH frame, so nobody has seen it. We carry
 * it on with a number of our own. The claims that it refused are still reported, as if we had
 * refused them. */
static struct tdk_ring_epoch_line *epoch_carry_on(struct tdk_ring *ring,
                                                  struct tdk_ring_epoch_line *line, uint64_t epoch)
{
    ring->seq = ring_line_seq(line);
    ring->more->lost = line->lost;
    store(&line->epoch, epoch);
    __atomic_store_n(&line->pid, (uint32_t)getpid(), __ATOMIC_RELAXED);
    return line;
}

/* The line is written where no reader looks, then made the current one by a single store. If the
 * producer is killed at any point, the page shows either the old epoch whole or the new one
 * whole. */
static struct tdk_ring_epoch_line *epoch_start(struct tdk_ring *ring,
                                               const struct tdk_ring_shared *copy, uint64_t epoch)
{
    const struct tdk_ring_epoch_line *old = ring_epoch_line(copy);
    struct tdk_ring_epoch_line *line = &ring->shared->epochs[(copy->generation + 1) & 1];
    store(&line->epoch, epoch);
    store(&line->at, copy->produced);
    store(&line->previous, old ? old->epoch : 0);
    store(&line->previous_seq, old ? ring_line_seq(old) : 0);
    store(&line->seq, 0);
    store(&line->refused_seq, 0);
    store(&line->lost, 0);
    store(&line->played, 0);
    store(&line->lost_before, old ? old->lost_before + old->lost : 0);
    __atomic_store_n(&line->pid, (uint32_t)getpid(), __ATOMIC_RELAXED);
    __atomic_store_n(&ring->shared->generation, copy->generation + 1, __ATOMIC_RELEASE);
    return line;
}

int epoch_begin(struct tdk_ring *ring, struct tdk_err *err)
{
    struct tdk_ring_private *more = ring->more;
    struct tdk_ring_shared copy;
    ring_copy_shared(ring->shared, &copy);
    const struct tdk_ring_epoch_line *old = ring_epoch_line(&copy);

    uint64_t highest = copy.epoch_floor;
    if (old && old->epoch > highest)
        highest = old->epoch;
    if (highest == UINT64_MAX)
        return err_say(err, TDK_EHOSTILE, "ring %s: no epoch is left above %llu", more->name,
                       (unsigned long long)highest);
    more->attached_ns = clock_wall();
    more->epoch = more->attached_ns > highest ? more->attached_ns : highest + 1;
    if (old && old->at == copy.produced)
        more->line = epoch_carry_on(ring, &ring->shared->epochs[copy.generation & 1], more->epoch);
    else
        more->line = epoch_start(ring, &copy, more->epoch);
    __atomic_store_n(&more->line->wakes, wait_register(), __ATOMIC_RELAXED);
    ring->seq_out = &more->line->seq;
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Convert "1b4e28ba-2fa1-11d2-883f-0016d3cca427\n" to 16 bytes. Zeros if it cannot be read. */
static void read_boot_id(uint8_t id[16])
{
    char text[40] = {0};
    memset(id, 0, 16);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    unsigned digits = 0;
    for (ssize_t i = 0; i < size && digits < 32; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            continue;
        id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | digit);
        digits++;
    }
}

bool epoch_announce(struct tdk_ring *ring)
{
    struct tdk_ring_private *more = ring->more;
    struct tdk_epoch epoch = {
        .epoch = more->epoch,
        .previous = more->line->previous,
        .previous_seq = more->line->previous_seq,
        .ring_epoch = more->epoch,
        .pid = (uint32_t)getpid(),
        .clock = (uint32_t)more->clock,
    };
    size_t span = tdk_frame_span(sizeof epoch);
    if (!producer_make_room(ring, span))
        return false;
    read_boot_id(epoch.boot_id);
    memcpy(epoch.ring_uuid, more->region.head.uuid, sizeof epoch.ring_uuid);

    struct tdk_frame *frame = tdk_ring_take(ring, sizeof epoch, span);
    frame->type = TDK_TYPE_EPOCH;
    frame->seq = ring->seq + 1;
    frame->ts = more->attached_ns;
    memcpy(frame + 1, &epoch, sizeof epoch);
    more->announced = true;
    tdk_ring_publish(ring); /* nothing else has been claimed yet */
    return true;
}

/* ---- consumer ---- */

uint64_t epoch_of_last(const struct tdk_ring_shared *copy)
{
    const struct tdk_ring_epoch_line *line = ring_epoch_line(copy);
    if (!line)
        return 0;
    return copy->produced == line->at ? line->previous : line->epoch;
}

/* Is there an EPOCH frame at `position`? It is copied, because a hostile producer must not change
 * it while we look. */
static bool is_epoch_frame(const struct tdk_ring *ring, uint64_t position, uint64_t left,
                           struct tdk_epoch *epoch)
{
    const struct tdk_frame *frame =
        (const struct tdk_frame *)(const void *)(ring->data + (position & ring->mask));
    if (frame->type != TDK_TYPE_EPOCH || frame->size != sizeof *epoch ||
        left < tdk_frame_span(sizeof *epoch))
        return false;
    memcpy(epoch, frame + 1, sizeof *epoch);
    return true;
}

/* Where the frame after the one at `position` begins. An impossible head ends the walk: the
 * consumer will meet it and report it. */
static uint64_t position_after(const struct tdk_ring *ring, uint64_t position, uint64_t end)
{
    const uint64_t *word = (const uint64_t *)(const void *)(ring->data + (position & ring->mask));
    uint32_t size = (uint32_t)__atomic_load_n(word, __ATOMIC_RELAXED);
    if (size > ring->payload_max || tdk_frame_span(size) > end - position)
        return end;
    return position + tdk_frame_span(size);
}

/* The frames before the current epoch belong to an older one. The first EPOCH frame among them says
 * which epoch it ends. These frames stay where they are, because nobody but us releases them. */
uint64_t epoch_at_cursor(const struct tdk_ring *ring)
{
    struct tdk_ring_shared copy;
    ring_copy_shared(ring->shared, &copy);
    const struct tdk_ring_epoch_line *line = ring_epoch_line(&copy);
    if (!line || ring->cursor >= line->at || copy.produced - ring->cursor > ring->mask + 1)
        return epoch_of_last(&copy);

    struct tdk_epoch epoch;
    for (uint64_t at = ring->cursor; at < copy.produced;
         at = position_after(ring, at, copy.produced))
        if (is_epoch_frame(ring, at, copy.produced - at, &epoch))
            return at == ring->cursor ? epoch.epoch : epoch.previous;
    return line->previous;
}
