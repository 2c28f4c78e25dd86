/*
 * A block as it comes from a disk, and a run of frames as it comes from a ring.
 *
 * Checksums keep a fuzzer out, so they are corrected where the sizes allow it. What is left to find
 * are contents that contradict themselves. A block made of a ring's bytes must pass its own check.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tape/block.h"
#include "tape/catalog.h"
#include "tape/frame.h"
#include "tape/sums.h"

#define UNPACK_MAX ((size_t)1 << 20)

static void mend_contents(unsigned char *bytes, const struct block_head *head)
{
    struct block_head mended = *head;
    unsigned char *stored = bytes + sizeof *head, *tail = stored + head->frames_size;
    size_t tail_size = head->stored_size - head->frames_size;
    if (head->codec != BLOCK_RAW) {
        if (head->codec >= BLOCK_COLUMNS && head->stored_size >= 4 &&
            load_u32(stored) <= head->stored_size)
            mended.entries_crc = crc32c(0, stored, load_u32(stored)); /* of the outline */
        mended.tail_crc = crc32c(0, stored, head->stored_size);
    } else if (head->frames_size + (uint64_t)head->directory_size + sums_size(head->frames_size) ==
               head->stored_size) {
        uint32_t entries = head->directory_size >= 4 ? load_u32(tail) : 0;
        crc32c_chunks(stored, head->frames_size, BLOCK_CHUNK,
                      (uint32_t *)(void *)(tail + head->directory_size));
        if (16 + 8 * (uint64_t)entries <= head->directory_size)
            mended.entries_crc = crc32c(0, tail, 16 + 8 * entries);
        mended.tail_crc = crc32c(0, tail, tail_size);
    }
    memcpy(bytes, &mended, sizeof mended);
}

/* Set magic, version and checksums to what they must be. */
static void mend(unsigned char *bytes, size_t size)
{
    struct block_head head;
    memcpy(&head, bytes, sizeof head);
    head.magic = BLOCK_MAGIC;
    head.version = TAPE_VERSION;
    head.head_size = sizeof head;
    memcpy(bytes, &head, sizeof head);
    if (head.stored_size <= size - sizeof head && head.frames_size <= head.stored_size &&
        head.frames_size % 8 == 0 && head.directory_size % 8 == 0)
        mend_contents(bytes, &head);
    memcpy(&head, bytes, sizeof head);
    head.head_crc = 0;
    head.head_crc = crc32c(0, &head, sizeof head);
    memcpy(bytes, &head, sizeof head);
}

/* Everything that readers do with a block that passed. */
static void use(const struct block_view *view)
{
    struct catalog *catalog;
    struct directory_walk walk;
    uint64_t sum = 0;
    const struct tdk_frame *frame = (const void *)view->frames;
    const void *end = view->frames + view->head->frames_size;
    for (; frame != end; frame = tdk_frame_after(frame)) {
        sum += frame_event_ts(frame) + frame_instrument(frame) + (uint64_t)frame_rtype(frame);
        if (frame->size > 0)
            sum += tdk_frame_payload(frame)[frame->size - 1];
        if (directory_find(view, frame_instrument(frame), &walk) > 0)
            for (int i = 0; i < 20 && directory_next(&walk) >= 0; i++)
                sum++;
    }
    directory_check(view);
    if (catalog_open(&catalog, NULL) < 0)
        return;
    catalog_guess_track(catalog, view->head->track, NULL);
    catalog_learn(catalog, view, NULL);
    catalog_close(catalog);
    *(volatile uint64_t *)&sum = sum;
}

static void check(const unsigned char *bytes, size_t size)
{
    struct block_view view;
    if (block_check(bytes, size, &view, NULL) < 0)
        return;
    unsigned char *unpacked = NULL;
    if (view.frames == NULL) {
        size_t need = (size_t)view.head->frames_size + view.head->directory_size;
        unpacked = need <= UNPACK_MAX ? malloc(need) : NULL;
        if (unpacked == NULL || block_unpack(bytes, NULL, unpacked, need, &view, NULL) < 0) {
            free(unpacked);
            return;
        }
    }
    use(&view);
    free(unpacked);
}

static void add_as_run(const uint8_t *bytes, size_t size)
{
    static struct block_scratch scratch;
    static _Alignas(8) unsigned char buffer[65536];
    struct track_state state = {.track = 1, .payload_max = 8192, .epoch = 1, .next_seq = 1};
    struct block block;
    size_t at = 0;
    for (int blocks = 0; blocks < 4; blocks++) {
        block_begin(&block, buffer, 4096 + (size_t)blocks * 8192, &scratch, &state, 1000);
        enum block_stop stop = BLOCK_TAKEN;
        while (at < size && stop != BLOCK_FULL) {
            size_t taken;
            stop = block_add_run(&block, bytes + at, size - at, &taken);
            assert(taken <= size - at);
            at += taken;
            if (stop == BLOCK_BROKEN || stop == BLOCK_TAKEN)
                break;
            if (stop == BLOCK_SEQ)
                state.next_seq = block_is_empty(&block) ? block.stopped_at->seq : 0;
            if (stop == BLOCK_CONTROL) {
                const struct tdk_frame *frame = block.stopped_at;
                at += tdk_frame_span(frame->size);
                if (frame->type != TDK_TYPE_LOSS &&
                    !block_add_control(&block, frame->type, frame->ts, frame + 1, frame->size))
                    break;
            }
            if (state.next_seq == 0 || state.next_seq > UINT64_MAX / 2)
                return; /* the caller's part: a recorder reports a loss, or sets the ring aside */
            if (block_is_empty(&block))
                block.head.first_seq = state.next_seq;
        }
        if (block_is_empty(&block))
            return;
        struct block_view view;
        struct block_place place = {.span = (uint32_t)block_seal(&block)};
        block_finish(buffer, &place);
        assert(block_check(buffer, place.span, &view, NULL) == 0);
        assert(directory_check(&view) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    unsigned char *copy = aligned_alloc(8, align_up(size, 8) + 8); /* blocks are read aligned */
    if (copy == NULL)
        return 0;
    memcpy(copy, bytes, size);
    check(copy, size);
    if (size >= sizeof(struct block_head)) {
        mend(copy, size);
        check(copy, size);
    }
    add_as_run(bytes, size);
    free(copy);
    return 0;
}
