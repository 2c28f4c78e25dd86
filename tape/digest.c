#include "tapedeck/digest.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/bytes.h"

/*
 * What is hashed of a tick before its payload. Name and epoch stay the same for a whole run; the
 * rest is written anew for each tick.
 *
 *   offset            size
 *        0               1   n: length of the track's name
 *        1               n   the name
 *        n + 1           8   epoch
 *        n + 9           8   seq
 *       n + 17           8   ts
 *       n + 25           1   type
 *       n + 26           4   size
 */
enum { PREFIX_MAX = 1 + TDK_NAME_MAX + 8, HEAD_SIZE = 21 };

/* A prefix is copied in one of two fixed sizes, which is cheaper than the exact size. The excess is
 * overwritten by what follows. */
enum { PREFIX_SHORT = 32, PREFIX_LONG = 80 };
static_assert((int)PREFIX_LONG >= (int)PREFIX_MAX, "the longest prefix is copied whole");

/* Ticks are gathered here, so that the hash gets pieces of some size instead of two short ones for
 * each tick. Payloads larger than STAGED_MAX go to it directly. */
enum { STAGE_SIZE = 4096, STAGED_MAX = 1024 }; /* multiples of 8 */
static_assert(PREFIX_LONG + HEAD_SIZE + STAGED_MAX <= STAGE_SIZE, "a tick fits an empty stage");

struct tdk_digest {
    XXH3_state_t *state;
    XXH3_state_t *last; /* a copy of state that tdk_digest_value() finishes */
    uint64_t ticks;
    size_t prefix_size;
    size_t used; /* of stage */
    unsigned char prefix[PREFIX_LONG];
    unsigned char stage[STAGE_SIZE];
};

int tdk_digest_open(struct tdk_digest **digest)
{
    struct tdk_digest *d = calloc(1, sizeof *d);
    if (d == NULL)
        return -ENOMEM;
    d->state = XXH3_createState();
    d->last = XXH3_createState();
    if (d->state == NULL || d->last == NULL) {
        tdk_digest_close(d);
        return -ENOMEM;
    }
    XXH3_128bits_reset(d->state);
    *digest = d;
    return 0;
}

void tdk_digest_close(struct tdk_digest *digest)
{
    if (digest == NULL)
        return;
    XXH3_freeState(digest->state);
    XXH3_freeState(digest->last);
    free(digest);
}

static void prefix_set(struct tdk_digest *d, const char *track, uint64_t epoch)
{
    size_t n = strnlen(track, TDK_NAME_MAX);
    d->prefix[0] = (unsigned char)n;
    memcpy(d->prefix + 1, track, n);
    store_u64(d->prefix + 1 + n, epoch);
    d->prefix_size = 1 + n + 8;
}

static void stage_flush(struct tdk_digest *d)
{
    XXH3_128bits_update(d->state, d->stage, d->used);
    d->used = 0;
}

/* Copies by words, because payloads are padded to them. The last word may be too long; what follows
 * overwrites the excess. A memcpy of a size below STAGED_MAX becomes one `rep movs`, which costs
 * more than everything else here. */
static inline void copy_payload(unsigned char *to, const struct tdk_frame *frame, size_t size)
{
    const unsigned char *from = tdk_frame_payload(frame);
    for (size_t i = 0; i < size; i += 8)
        store_u64(to + i, load_u64(from + i));
}

static inline void tick_add(struct tdk_digest *d, const struct tdk_frame *frame)
{
    size_t staged = frame->size <= STAGED_MAX ? frame->size : 0;
    if (d->used + PREFIX_LONG + HEAD_SIZE + staged > STAGE_SIZE)
        stage_flush(d);

    unsigned char *p = d->stage + d->used;
    if (d->prefix_size <= PREFIX_SHORT)
        memcpy(p, d->prefix, PREFIX_SHORT);
    else
        memcpy(p, d->prefix, PREFIX_LONG);
    p += d->prefix_size;
    store_u64(p, frame->seq);
    store_u64(p + 8, frame->ts);
    p[16] = frame->type;
    store_u32(p + 17, frame->size);
    copy_payload(p + HEAD_SIZE, frame, staged);
    d->used += d->prefix_size + HEAD_SIZE + staged;
    d->ticks++;

    if (staged != frame->size) {
        stage_flush(d);
        XXH3_128bits_update(d->state, tdk_frame_payload(frame), frame->size);
    }
}

static bool is_counted(const struct tdk_frame *frame)
{
    return tdk_frame_is_tick(frame) && (frame->flags & TDK_FLAG_PROLOGUE) == 0;
}

void tdk_digest_add(struct tdk_digest *digest, const char *track, uint64_t epoch,
                    const struct tdk_frame *frame)
{
    tdk_digest_run(digest, track, epoch, frame, tdk_frame_span(frame->size));
}

void tdk_digest_run(struct tdk_digest *digest, const char *track, uint64_t epoch,
                    const struct tdk_frame *frames, size_t size)
{
    prefix_set(digest, track, epoch);
    const unsigned char *end = (const unsigned char *)frames + size;
    for (const struct tdk_frame *f = frames; (const unsigned char *)f < end; f = tdk_frame_after(f))
        if (is_counted(f))
            tick_add(digest, f);
}

void tdk_digest_value(const struct tdk_digest *digest, uint8_t value[16], char hex[33])
{
    /* What is staged belongs to the value. The digest itself may go on. */
    XXH3_copyState(digest->last, digest->state);
    XXH3_128bits_update(digest->last, digest->stage, digest->used);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(digest->last));
    memcpy(value, canonical.digest, 16);
    for (size_t i = 0; i < 16; i++) {
        hex[2 * i] = "0123456789abcdef"[canonical.digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[canonical.digest[i] & 15];
    }
    hex[32] = '\0';
}

uint64_t tdk_digest_ticks(const struct tdk_digest *digest)
{
    return digest->ticks;
}
