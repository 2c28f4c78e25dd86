/* scan.c - read a segment without its foot: block after block, and past what is damaged. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/scratch.h"
#include "tape/files.h"
#include "tape/segment.h"

#define WINDOW ((size_t)1 << 20) /* bytes read at once when looking for a block */

struct scanner {
    const struct segment *segment;
    struct segment_scan *scan;
    uint64_t limit; /* end of what is scanned */
    uint64_t at;    /* where the next block should begin */
    size_t room;    /* of refs and head_crcs */
    size_t gap_room;
    struct scratch buffer;
    struct tdk_err *err;
};

/* ---- what is found ---- */

static int fail(const struct scanner *s, int rc)
{
    return err_set(s->err, rc, "scan %s", s->segment->path);
}

static int note_block(struct scanner *s, const struct block_head *head)
{
    struct segment_scan *scan = s->scan;
    if (scan->count == s->room) {
        size_t room = s->room == 0 ? 256 : 2 * s->room;
        struct block_ref *refs = realloc(scan->refs, room * sizeof *refs);
        if (refs == NULL)
            return fail(s, -ENOMEM);
        scan->refs = refs;
        uint32_t *crcs = realloc(scan->head_crcs, room * sizeof *crcs);
        if (crcs == NULL)
            return fail(s, -ENOMEM);
        scan->head_crcs = crcs;
        s->room = room;
    }
    block_ref_of(head, s->at, &scan->refs[scan->count]);
    scan->refs[scan->count].flags |=
        (uint16_t)(s->segment->head.generation << BLOCK_GENERATION_SHIFT);
    scan->head_crcs[scan->count++] = head->head_crc;
    if (head->synced_upto > scan->synced_upto && head->synced_upto <= s->at)
        scan->synced_upto = head->synced_upto;
    if (head->written_ns > scan->written_ns)
        scan->written_ns = head->written_ns;
    if (head->previous_end != 0)
        scan->previous_end = head->previous_end;
    return 0;
}

static int note_gap(struct scanner *s, uint64_t offset, uint64_t end)
{
    struct segment_scan *scan = s->scan;
    struct segment_gap *gaps =
        array_grow(scan->gaps, &s->gap_room, scan->gap_count + 1, sizeof *gaps);
    if (gaps == NULL)
        return fail(s, -ENOMEM);
    scan->gaps = gaps;
    scan->gaps[scan->gap_count++] = (struct segment_gap){offset, end - offset};
    return 0;
}

/* ---- one block ---- */

static int need_buffer(struct scanner *s, size_t size)
{
    return scratch_need(&s->buffer, size) ? 0 : fail(s, -ENOMEM);
}

/* True: the block is of this file, and comes after those before it. Payloads may hold copies of
 * blocks. */
static bool belongs(const struct scanner *s, const struct block_head *head)
{
    const struct segment_scan *scan = s->scan;
    return head->segment == s->segment->head.number &&
           memcmp(head->tape_id, s->segment->head.tape_id, sizeof head->tape_id) == 0 &&
           (scan->count == 0 || head->block > scan->refs[scan->count - 1].block) &&
           head->span <= s->limit - s->at;
}

/* A sector that cannot be read is no block, like any other damage. */
static bool read_some(const struct scanner *s, size_t size)
{
    return size <= s->limit - s->at &&
           files_read(s->segment->fd, s->buffer.bytes, size, s->at) == 0;
}

/* `size` bytes from s->at on are in the buffer. Note how far there is anything but zeros. */
static void note_data(struct scanner *s, size_t size)
{
    while (size > 0 && s->buffer.bytes[size - 1] == 0)
        size--;
    if (size > 0)
        s->scan->data_end = s->at + size;
}

/*
 * Take the block at s->at. 1: it is noted, and s->at is behind it. 0: there is none. *skip is how
 * far away the next one could be: the span of a block whose head is good and whose contents are
 * bad, else 8.
 */
static int take_block(struct scanner *s, uint64_t *skip)
{
    struct block_head head;
    struct block_view view;
    *skip = 8;
    if (!read_some(s, sizeof head)) {
        s->scan->data_end = s->at + 1; /* it cannot be read, so it may not be zeros */
        return 0;
    }
    assert(s->buffer.bytes != NULL);
    memcpy(&head, s->buffer.bytes, sizeof head);
    note_data(s, 8);
    if (block_head_check(s->buffer.bytes, sizeof head, NULL) < 0 || !belongs(s, &head))
        return 0;
    int rc = need_buffer(s, head.span);
    if (rc < 0)
        return rc;
    *skip = head.span;
    s->scan->data_end = s->at + head.span;
    if (!read_some(s, head.span) || block_check(s->buffer.bytes, head.span, &view, NULL) < 0)
        return 0;
    rc = note_block(s, &head);
    if (rc < 0)
        return rc;
    s->at += head.span;
    s->scan->end = s->at;
    return 1;
}

/* ---- past what is no block ---- */

/* Offset of a block's magic in the window; without one, how much was looked at. */
static size_t find_magic(const unsigned char *bytes, size_t size)
{
    size_t i = 0;
    while (i + 8 <= size && load_u64(bytes + i) != BLOCK_MAGIC)
        i += 8;
    return i + 8 <= size ? i : size;
}

/* Skip what is a hole in the file, and so zeros. */
static void skip_hole(struct scanner *s)
{
    int64_t data = files->seek_data(s->segment->fd, s->at);
    if (data == -ENXIO)
        s->at = s->limit;
    else if (data > 0 && (uint64_t)data > s->at)
        s->at = (uint64_t)data / 8 * 8;
}

/* Go from s->at to where a block may begin, or to the limit. */
static void seek_magic(struct scanner *s)
{
    for (skip_hole(s); s->at < s->limit; skip_hole(s)) {
        /* Read up to the end of a page: a page that was read in part would count as data. */
        size_t window = WINDOW - s->at % TAPE_ALIGN;
        size_t size = s->limit - s->at < window ? s->limit - s->at : window;
        if (!read_some(s, size)) { /* skip the page that the bad sector is in */
            s->at = (s->at / TAPE_ALIGN + 1) * TAPE_ALIGN;
            s->scan->data_end = s->at < s->limit ? s->at : s->limit;
            continue;
        }
        size_t found = find_magic(s->buffer.bytes, size);
        note_data(s, found);
        s->at += found;
        if (found < size)
            return;
    }
}

/* Go from a place without a block to behind the next block, or to the end. */
static int skip_gap(struct scanner *s, uint64_t skip)
{
    uint64_t begin = s->at;
    for (;;) {
        s->at += skip;
        seek_magic(s);
        if (s->at + sizeof(struct block_head) > s->limit) {
            if (s->at < s->limit)
                s->scan->data_end = s->limit; /* a magic without room for what it announces */
            s->at = s->limit;
            return 0;
        }
        uint64_t at = s->at;
        int rc = take_block(s, &skip);
        if (rc != 0)
            return rc < 0 ? rc : note_gap(s, begin, at);
    }
}

static int scan_all(struct scanner *s)
{
    int rc = need_buffer(s, WINDOW);
    while (rc >= 0 && s->at + sizeof(struct block_head) <= s->limit) {
        uint64_t skip;
        rc = take_block(s, &skip);
        if (rc == 0)
            rc = skip_gap(s, skip);
    }
    if (rc >= 0 && s->scan->data_end > s->scan->end)
        rc = note_gap(s, s->scan->end, s->scan->data_end);
    return rc < 0 ? rc : 0;
}

static int scan_between(const struct segment *segment, uint64_t from, uint64_t end,
                        struct segment_scan *scan, struct tdk_err *err)
{
    *scan = (struct segment_scan){.end = from};
    struct scanner s = {.segment = segment,
                        .scan = scan,
                        .limit = end < segment->size ? end : segment->size,
                        .at = from,
                        .err = err};
    int rc = scan_all(&s);
    scratch_close(&s.buffer);
    if (scan->data_end < scan->end)
        scan->data_end = scan->end;
    if (rc < 0)
        segment_scan_close(scan);
    return rc;
}

int segment_scan(const struct segment *segment, uint64_t end, struct segment_scan *scan,
                 struct tdk_err *err)
{
    return scan_between(segment, SEGMENT_FIRST_OFFSET, end, scan, err);
}

int segment_scan_from(const struct segment *segment, uint64_t from, struct segment_scan *scan,
                      struct tdk_err *err)
{
    return scan_between(segment, from > SEGMENT_FIRST_OFFSET ? from : SEGMENT_FIRST_OFFSET,
                        UINT64_MAX, scan, err);
}

void segment_scan_close(struct segment_scan *scan)
{
    free(scan->refs);
    free(scan->head_crcs);
    free(scan->gaps);
    scan->refs = NULL;
    scan->head_crcs = NULL;
    scan->gaps = NULL;
    scan->count = scan->gap_count = 0;
}

void segment_scan_trim(struct segment_scan *scan)
{
    size_t gap = 0;
    while (gap < scan->gap_count && scan->gaps[gap].offset < scan->synced_upto)
        gap++;
    if (gap == scan->gap_count)
        return;
    scan->end = scan->gaps[gap].offset;
    scan->gap_count = gap;
    while (scan->count > 0 && scan->refs[scan->count - 1].offset >= scan->end)
        scan->count--;
}
