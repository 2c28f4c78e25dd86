/* slice_packed.c - a packed block in part: the list of its instruments, and the ticks of some of
 * them. */
#include "base/err.h"
#include "tape/pack.h"
#include "tape/slice_inner.h"

/* Bytes read with the head: the outline of most blocks ends within them. */
enum { GUESS = 4096 };

static int read_outline(struct slice *slice, size_t have, struct tdk_err *err)
{
    const struct block_head *head = slice->view.head;
    int rc = 0;
    size_t size = have < sizeof(struct pack_head) ? 0 : pack_outline_size(head, head + 1);
    if (size == 0)
        return err_say(err, TDK_ECORRUPT, "packed block is cut");
    if (size > have)
        rc = slice_read_bytes(slice, sizeof *head + have, size - have, err);
    return rc;
}

/* The part before the groups is about as long as in the block before. */
static size_t front_expected(const struct slice *slice)
{
    size_t front = slice->front + slice->front / 16, least = sizeof(struct block_head) + GUESS;
    if (front < least)
        front = least;
    return front < slice->ref.span ? front : slice->ref.span;
}

/*
 * For one of many blocks whose picks are needed, read outline and times by one call, which also
 * shows whether they are in memory. If they are not, read all of the block, as a scan. At least a
 * third of it is needed, its times. Asked for in parts it costs the disk as much, and it would lie
 * in single pages of the page cache, from which the next reader copies at a third of the speed.
 *
 * It stays a scan even where blocks are in memory by now: the kernel reads ahead when a certain
 * page is read, and a reader that skips that page has to wait where the pages end.
 */
static int fetch_front(struct slice *slice, struct tdk_err *err)
{
    if (!slice->passing || !slice->is_near)
        return 0;
    if (!slice->handle->is_scanned && slice_fetch_cached(slice, 0, front_expected(slice)))
        return 0;
    return slice_fetch_bytes(slice, 0, slice->ref.span, err);
}

int slice_begin_packed(struct slice *slice, const struct block_ref *ref, enum packed_need need,
                       struct tdk_err *err)
{
    const size_t more = ref->stored_size < GUESS ? ref->stored_size : GUESS;
    int rc = slice_change(slice, ref, true, err);
    if (rc == 0 && need == PACKED_PICKS)
        rc = fetch_front(slice, err);
    if (rc == 0)
        rc = slice_read_head(slice, more, err);
    if (rc == 0 && slice->view.head->codec < BLOCK_COLUMNS)
        return slice_read(slice, ref, err);
    if (rc == 0)
        rc = read_outline(slice, more, err);
    if (rc == 0)
        rc = slice_open_pack(slice, PACK_IN_PARTS, err);
    if (rc == 0)
        rc = pack_begin(slice->pack, slice->view.head, slice->bytes + sizeof(struct block_head),
                        NULL, &slice->view, err);
    slice->state = rc == 0 ? SLICE_PACKED : SLICE_EMPTY;
    slice->front = rc == 0 ? sizeof(struct block_head) + pack_front_size(slice->pack) : 0;
    return rc;
}

/* Read the rest of what is there in part. */
static int need_stored(void *context, size_t at, size_t size, struct tdk_err *err)
{
    struct slice *slice = context;
    size_t end = sizeof(struct block_head) + at + size;
    at += sizeof(struct block_head);
    if (at >= slice->fetched_begin && at < slice->fetched_end && end > slice->fetched_end)
        at = slice->fetched_end;
    return slice_read_bytes(slice, at, end - at, err);
}

int slice_unpack_picks(struct slice *slice, const struct picks *picks, struct tdk_err *err)
{
    struct pack_picked picked;
    int rc = pack_pick(slice->pack, picks, need_stored, slice, &picked, err);
    if (rc < 0)
        return rc;
    slice->view.frames = picked.frames;
    slice->picked = picked.ticks;
    return 0;
}
