#include "tape/slice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffers.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "tape/pack.h"
#include "tape/select.h"
#include "tape/slice_inner.h"
#include "tape/sums.h"
#include "tape/tallies.h"

/* Blocks up to this size are read whole: one call costs less than three. */
enum { SMALL_SPAN = 32 << 10 };

/* Where many blocks are read in pieces of at least this size, all of the file is wanted. */
enum { SCAN_MIN = 128 << 10 };

void slice_init(struct slice *slice, struct segments *segments)
{
    *slice = (struct slice){.segments = segments};
}

static void drop_unpacked(struct slice *slice)
{
    if (!slice->is_joined)
        buffers_unmap(slice->unpacked, slice->unpacked_room);
    slice->unpacked = NULL;
    slice->unpacked_room = 0;
    slice->is_joined = false;
}

static void drop_bytes(struct slice *slice)
{
    if (slice->is_joined)
        drop_unpacked(slice);
    if (slice->mapped != 0)
        buffers_unmap(slice->bytes, slice->mapped);
    else
        free(slice->bytes);
    slice->bytes = NULL;
    slice->room = slice->mapped = 0;
}

void slice_close(struct slice *slice)
{
    segments_give(slice->segments, slice->handle);
    drop_bytes(slice);
    drop_unpacked(slice);
    free(slice->chunks);
    pack_close(slice->pack);
    *slice = (struct slice){.segments = slice->segments};
}

/* ---- room ---- */

/* Blocks of a tape have about the same size. With some extra room a buffer is not made anew for
 * each block that is a little larger. The old contents are not kept. */
static size_t roomy(size_t size)
{
    return align_up(size + size / 8, TAPE_ALIGN);
}

/* From this size on a block gets large pages. One costs as much as ten small ones, where a
 * hypervisor has to be asked for each; and copying into it costs half. */
enum { LARGE_MIN = 128 << 10 };

/* `in_parts`: most of it will not be touched. */
static int room_for_bytes(struct slice *slice, size_t size, bool in_parts)
{
    if (slice->room >= size)
        return 0;
    drop_bytes(slice);
    bool is_mapped = !in_parts && (slice->passing || size >= LARGE_MIN);
    slice->bytes = is_mapped ? buffers_map(roomy(size)) : aligned_alloc(TAPE_ALIGN, roomy(size));
    if (slice->bytes == NULL)
        return -ENOMEM;
    slice->room = roomy(size);
    slice->mapped = is_mapped ? roomy(size) : 0;
    return 0;
}

/* Room for a packed block that passes through, followed by room for what comes out of it: pages are
 * large, and each is filled whole. What follows the frames fits into what roomy() adds; if it does
 * not, room_for_unpacked() makes new room. */
static int room_for_both(struct slice *slice, const struct block_ref *ref)
{
    const size_t room = roomy(ref->span), unpacked_room = roomy(ref->frames_size);
    if (slice->room >= ref->span && slice->unpacked_room >= ref->frames_size)
        return 0;
    drop_bytes(slice);
    drop_unpacked(slice);
    slice->bytes = buffers_map(room + unpacked_room);
    if (slice->bytes == NULL)
        return -ENOMEM;
    slice->room = room;
    slice->mapped = room + unpacked_room;
    slice->unpacked = slice->bytes + room;
    slice->unpacked_room = unpacked_room;
    slice->is_joined = true;
    return 0;
}

/* In large pages. */
static int room_for_unpacked(struct slice *slice, size_t size)
{
    if (slice->unpacked_room >= size)
        return 0;
    drop_unpacked(slice);
    slice->unpacked = buffers_map(roomy(size));
    if (slice->unpacked == NULL)
        return -ENOMEM;
    slice->unpacked_room = roomy(size);
    return 0;
}

static size_t chunk_words(size_t frames_size)
{
    return (frames_size / BLOCK_CHUNK + 64) / 64;
}

static int clear_chunks(struct slice *slice, size_t frames_size)
{
    size_t words = chunk_words(frames_size);
    if (slice->chunk_words < words) {
        uint64_t *chunks = realloc(slice->chunks, words * sizeof *chunks);
        if (chunks == NULL)
            return -ENOMEM;
        slice->chunks = chunks;
        slice->chunk_words = words;
    }
    memset(slice->chunks, 0, words * sizeof *slice->chunks);
    return 0;
}

/* A reference comes from an index. That the index is ours is trusted; that it is right is not. */
static bool ref_is_possible(const struct block_ref *ref)
{
    return ref->span <= BLOCK_SPAN_MAX && ref->frames_size <= BLOCK_FRAMES_MAX &&
           ref->span >= sizeof(struct block_head) &&
           ref->stored_size <= ref->span - sizeof(struct block_head);
}

static bool is_packed(const struct block_ref *ref)
{
    return ref->stored_size < ref->frames_size;
}

bool slice_holds(const struct slice *slice, const struct block_ref *ref)
{
    return slice->state != SLICE_EMPTY && memcmp(&slice->ref, ref, sizeof *ref) == 0;
}

bool slice_is_near(const struct block_ref *ref, const struct block_ref *before)
{
    enum { NEAR = 4 };
    return is_packed(ref) && ref->segment == before->segment && ref->offset > before->offset &&
           ref->offset - before->offset <= NEAR * (uint64_t)before->span;
}

bool slice_scans(const struct slice *slice, const struct block_ref *ref)
{
    return slice->passing && ref->span >= SCAN_MIN;
}

int slice_change(struct slice *slice, const struct block_ref *ref, bool in_parts,
                 struct tdk_err *err)
{
    slice->state = SLICE_EMPTY;
    slice->view = (struct block_view){0};
    slice->last_ordinal = UINT32_MAX;
    slice->fetched_begin = slice->fetched_end = 0;
    slice->sound_begin = slice->sound_end = 0;
    if (!ref_is_possible(ref))
        return err_say(err, TDK_ECORRUPT, "the index contradicts itself");
    if (slice->handle == NULL || !handle_serves(slice->handle, ref, slice->passing)) {
        segments_give(slice->segments, slice->handle);
        slice->handle = NULL;
        int rc = segments_take(slice->segments, ref, slice->passing, &slice->handle, err);
        if (rc < 0)
            return rc;
    }
    slice->ref = *ref;
    int rc = slice->passing && is_packed(ref) && !in_parts
                 ? room_for_both(slice, ref)
                 : room_for_bytes(slice, ref->span, in_parts);
    return rc < 0 ? err_set(err, rc, "read a block of %u bytes", ref->span) : 0;
}

/* Unless they are there already. */
int slice_read_bytes(struct slice *slice, size_t at, size_t size, struct tdk_err *err)
{
    if (at >= slice->fetched_begin && at + size <= slice->fetched_end)
        return 0;
    slice->bytes_read += size;
    bool is_scan = slice->passing && size >= SCAN_MIN;
    if (is_scan || !slice->is_near) /* reading parts of near blocks does not end a scan */
        handle_scan(slice->handle, slice->ref.offset + at, is_scan);
    return handle_read(slice->handle, slice->ref.offset + at, slice->bytes + at, size, err);
}

static int mismatch(struct tdk_err *err)
{
    return err_say(err, TDK_ECORRUPT, "not the block that the index means");
}

/* ---- whole ---- */

int slice_open_pack(struct slice *slice, enum pack_use use, struct tdk_err *err)
{
    if (slice->pack != NULL && pack_is_for(slice->pack, use))
        return 0;
    pack_close(slice->pack);
    slice->pack = pack_open(use);
    return slice->pack != NULL ? 0 : err_set(err, -ENOMEM, "unpack a block");
}

static int unpack(struct slice *slice, struct tdk_err *err)
{
    const struct block_head *head = (const void *)slice->bytes;
    size_t size = (size_t)head->frames_size + head->directory_size;
    int rc = room_for_unpacked(slice, size);
    if (rc < 0)
        return err_set(err, rc, "unpack a block of %zu bytes", size);
    if (head->codec >= BLOCK_COLUMNS)
        rc = slice_open_pack(slice, PACK_WHOLE_BLOCKS, err);
    return rc < 0 ? rc
                  : block_unpack(slice->bytes, slice->pack, slice->unpacked, slice->unpacked_room,
                                 &slice->view, err);
}

static int read_whole(struct slice *slice, const struct block_ref *ref, struct tdk_err *err)
{
    int rc = slice_change(slice, ref, false, err);
    if (rc == 0)
        rc = slice_read_bytes(slice, 0, ref->span, err);
    if (rc == 0)
        rc = block_check(slice->bytes, ref->span, &slice->view, err);
    if (rc == 0 && !block_is_ref(slice->view.head, ref))
        rc = mismatch(err);
    if (rc == 0 && slice->view.frames == NULL)
        rc = unpack(slice, err);
    return rc;
}

int slice_read(struct slice *slice, const struct block_ref *ref, struct tdk_err *err)
{
    if (slice_holds(slice, ref) && slice->state == SLICE_WHOLE)
        return 0;
    int rc = read_whole(slice, ref, err);
    slice->state = rc == 0 ? SLICE_WHOLE : SLICE_EMPTY;
    return rc;
}

/* ---- in part ---- */

static int check_head(struct slice *slice, const struct block_ref *ref, struct tdk_err *err)
{
    int rc = block_head_check(slice->bytes, sizeof(struct block_head), err);
    const struct block_head *head = (const void *)slice->bytes;
    if (rc == 0 && !block_is_ref(head, ref))
        rc = mismatch(err);
    if (rc == 0)
        slice->view.head = head;
    return rc;
}

int slice_read_head(struct slice *slice, size_t more, struct tdk_err *err)
{
    int rc = slice_read_bytes(slice, 0, sizeof(struct block_head) + more, err);
    return rc == 0 ? check_head(slice, &slice->ref, err) : rc;
}

static int begin_parts(struct slice *slice, const struct block_ref *ref, struct tdk_err *err)
{
    int rc = slice_change(slice, ref, is_packed(ref), err);
    return rc == 0 ? slice_read_head(slice, 0, err) : rc;
}

int slice_fetch_bytes(struct slice *slice, size_t at, size_t size, struct tdk_err *err)
{
    int rc = slice_read_bytes(slice, at, size, err);
    if (rc == 0 && size > slice->fetched_end - slice->fetched_begin) {
        slice->fetched_begin = at;
        slice->fetched_end = at + size;
    }
    return rc;
}

bool slice_fetch_cached(struct slice *slice, size_t at, size_t size)
{
    if (!handle_read_cached(slice->handle, slice->ref.offset + at, slice->bytes + at, size))
        return false;
    slice->bytes_read += size;
    slice->fetched_begin = at;
    slice->fetched_end = at + size;
    return true;
}

static bool is_small(const struct block_ref *ref)
{
    return ref->span <= SMALL_SPAN;
}

/* Read the directory and the sums of a raw block whose head is there. */
static int read_tail(struct slice *slice, struct tdk_err *err)
{
    const struct block_head *head = slice->view.head;
    size_t at = sizeof *head + head->frames_size, size = head->stored_size - head->frames_size;
    int rc = slice_read_bytes(slice, at, size, err);
    if (rc < 0)
        return rc;
    if (crc32c(0, slice->bytes + at, size) != head->tail_crc)
        return err_say(err, TDK_ECORRUPT, "directory fails its checksum");
    slice->view.frames = slice->bytes + sizeof *head;
    slice->view.directory = slice->bytes + at;
    if (directory_check_bounds(&slice->view) < 0)
        return err_say(err, TDK_ECORRUPT, "directory contradicts itself");
    rc = clear_chunks(slice, head->frames_size);
    return rc < 0 ? err_set(err, rc, "read a block") : 0;
}

/* Read the head with everything after it. */
static int read_dense_head(struct slice *slice, const struct block_ref *ref, struct tdk_err *err)
{
    int rc = slice_change(slice, ref, false, err);
    if (rc == 0)
        rc = slice_fetch_bytes(slice, 0, ref->span, err);
    return rc == 0 ? check_head(slice, ref, err) : rc;
}

int slice_begin(struct slice *slice, const struct block_ref *ref, bool dense, struct tdk_err *err)
{
    bool holds = slice_holds(slice, ref);
    if (holds && slice->state >= SLICE_PARTS) {
        slice->last_ordinal = UINT32_MAX;
        return 0;
    }
    if (is_packed(ref) || is_small(ref))
        return slice_read(slice, ref, err);
    int rc = 0;
    if (!holds)
        rc = dense ? read_dense_head(slice, ref, err) : begin_parts(slice, ref, err);
    if (rc == 0 && slice->view.head->codec != BLOCK_RAW)
        return slice_read(slice, ref, err);
    if (rc == 0)
        rc = read_tail(slice, err);
    slice->state = rc == 0 ? SLICE_PARTS : SLICE_EMPTY;
    return rc;
}

int slice_begin_picks(struct slice *slice, const struct block_ref *ref, const struct picks *picks,
                      bool dense, struct tdk_err *err)
{
    if (!is_packed(ref) || is_small(ref) ||
        (slice->state == SLICE_WHOLE && slice_holds(slice, ref)))
        return slice_begin(slice, ref, dense, err);
    slice->last_ordinal = UINT32_MAX;
    int rc = slice->state == SLICE_PACKED && slice_holds(slice, ref)
                 ? 0
                 : slice_begin_packed(slice, ref, PACKED_PICKS, err);
    if (rc == 0 && slice->state == SLICE_PACKED && pack_has_parts(slice->pack))
        rc = slice_unpack_picks(slice, picks, err);
    else if (rc == 0)
        rc = slice_read(slice, ref, err);
    if (rc < 0)
        slice->state = SLICE_EMPTY;
    return rc;
}

static bool has_chunk(const struct slice *slice, size_t chunk)
{
    return (slice->chunks[chunk / 64] >> chunk % 64 & 1) != 0;
}

/* Read the chunks [first, end), none of which is there. */
static int read_chunks(struct slice *slice, size_t first, size_t end, struct tdk_err *err)
{
    const struct block_head *head = slice->view.head;
    size_t at = first * BLOCK_CHUNK, stop = end * BLOCK_CHUNK;
    if (stop > head->frames_size)
        stop = head->frames_size;
    int rc = slice_read_bytes(slice, sizeof *head + at, stop - at, err);
    if (rc < 0)
        return rc;
    if (!sums_check(slice->view.frames + at, stop - at, first,
                    slice->view.directory + head->directory_size))
        return err_say(err, TDK_ECORRUPT, "contents fail their checksum");
    for (size_t chunk = first; chunk < end; chunk++)
        slice->chunks[chunk / 64] |= UINT64_C(1) << chunk % 64;
    return 0;
}

/* What was checked before is read again with the rest, so it counts as not checked. */
int slice_fetch(struct slice *slice, size_t begin, size_t end, struct tdk_err *err)
{
    if (slice->state != SLICE_PARTS)
        return 0;
    const struct block_head *head = slice->view.head;
    size_t stop = align_up(end, BLOCK_CHUNK);
    begin -= begin % BLOCK_CHUNK;
    if (stop > head->frames_size)
        stop = head->frames_size;
    uint64_t bytes_read = slice->bytes_read;
    int rc = slice_fetch_bytes(slice, sizeof *head + begin, stop - begin, err);
    if (slice->bytes_read == bytes_read)
        return rc;
    slice->sound_begin = slice->sound_end = 0;
    memset(slice->chunks, 0, chunk_words(head->frames_size) * sizeof *slice->chunks);
    return rc;
}

int slice_need(struct slice *slice, size_t begin, size_t end, struct tdk_err *err)
{
    if (slice->state == SLICE_WHOLE || slice->state == SLICE_PACKED)
        return 0;
    size_t last = (end + BLOCK_CHUNK - 1) / BLOCK_CHUNK;
    for (size_t chunk = begin / BLOCK_CHUNK; chunk < last;) {
        if (has_chunk(slice, chunk)) {
            chunk++;
            continue;
        }
        size_t first = chunk;
        while (chunk < last && !has_chunk(slice, chunk))
            chunk++;
        int rc = read_chunks(slice, first, chunk, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- counts ---- */

/* Read the directory's head and entries of a raw block to their place, and check their checksum. */
static int read_entries(struct slice *slice, struct tdk_err *err)
{
    enum { GUESS = 2048 };
    const struct block_head *head = slice->view.head;
    size_t at = sizeof *head + head->frames_size, have = head->directory_size;
    if (have > GUESS)
        have = GUESS;
    unsigned char *directory = slice->bytes + at;
    int rc = slice_read_bytes(slice, at, have, err);
    if (rc < 0)
        return rc;
    struct directory_head d;
    memcpy(&d, directory, sizeof d);
    size_t size = sizeof d + (size_t)d.entries * sizeof(struct directory_entry);
    if (head->directory_size < sizeof d || d.entries > BLOCK_ENTRIES_MAX ||
        size > head->directory_size)
        return err_say(err, TDK_ECORRUPT, "directory contradicts itself");
    if (size > have)
        rc = slice_read_bytes(slice, at + have, size - have, err);
    if (rc == 0 && crc32c(0, directory, size) != head->entries_crc)
        rc = err_say(err, TDK_ECORRUPT, "directory fails its checksum");
    slice->view.directory = directory;
    return rc;
}

int slice_entries(struct slice *slice, const struct block_ref *ref, struct tdk_err *err)
{
    if (slice_holds(slice, ref))
        return 0;
    if (is_small(ref))
        return slice_read(slice, ref, err);
    if (is_packed(ref))
        return slice_begin_packed(slice, ref, PACKED_ENTRIES, err);
    int rc = begin_parts(slice, ref, err);
    if (rc == 0 && slice->view.head->codec != BLOCK_RAW)
        return slice_read(slice, ref, err);
    if (rc == 0)
        rc = read_entries(slice, err);
    slice->state = rc == 0 ? SLICE_ENTRIES : SLICE_EMPTY;
    return rc;
}

int slice_count(struct slice *slice, const struct block_ref *ref, const struct picks *picks,
                uint64_t *ticks, struct tdk_err *err)
{
    int rc = slice_entries(slice, ref, err);
    if (rc == 0 && tally_count(&slice->view, picks, ticks) < 0)
        rc = err_say(err, TDK_ECORRUPT, "directory contradicts itself");
    return rc;
}
