/* pack_write.c - pack a block's frames into columns, or, where that is not possible or not smaller,
 * into one zstd frame. */
#include "tape/pack_write.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "tape/frame.h"
#include "tape/stamps.h"

enum { CLASS_MIN = 32 }; /* frames from which on a class is worth its columns */
enum { VARINTS_MAX = 1 + 5 + 5 };

struct packer *packer_open(int level, enum pack_forms forms)
{
    struct packer *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->level = level;
    p->may_have_bits = forms == PACK_ALL_FORMS;
    p->zstd = ZSTD_createCCtx();
    p->strands = malloc((size_t)PACK_FRAMES_MAX * VARINTS_MAX);
    if (p->zstd == NULL || p->strands == NULL) {
        packer_close(p);
        return NULL;
    }
    return p;
}

void packer_close(struct packer *packer)
{
    if (packer == NULL)
        return;
    ZSTD_freeCCtx(packer->zstd);
    free(packer->strands);
    free(packer->packed);
    scratch_close(&packer->raw);
    scratch_close(&packer->bits);
    free(packer);
}

/* ---- shapes ---- */

static struct pack_class class_of(const struct tdk_frame *frame)
{
    bool record = frame_is_record(frame);
    return (struct pack_class){.size = frame->size,
                               .type = frame->type,
                               .rtype = record ? tdk_frame_payload(frame)[1] : 0,
                               .record = record};
}

/* Control frames have shape 0. Ticks that come when there are already too many shapes have shape
 * 1. */
static uint8_t shape_of(struct packer *p, const struct tdk_frame *frame)
{
    if (tdk_type_is_control(frame->type))
        return PACK_CONTROL;
    struct pack_class class = class_of(frame);
    size_t i = PACK_CLASSES;
    while (i < p->shape_count && memcmp(&p->shapes[i].class, &class, sizeof class) != 0)
        i++;
    if (i == PACK_SHAPES_MAX)
        return PACK_WHOLE;
    if (i == p->shape_count)
        p->shapes[p->shape_count++] = (struct shape){.class = class};
    p->shapes[i].count++;
    return (uint8_t)i;
}

/* Padding is not stored, so it must be zeros. */
static bool is_padded_with_zeros(const struct tdk_frame *frame)
{
    size_t rest = tdk_frame_span(frame->size) - sizeof *frame - frame->size;
    unsigned char any = 0;
    for (size_t i = 0; i < rest; i++)
        any |= tdk_frame_payload(frame)[frame->size + i];
    return any == 0;
}

/* False: there are more frames than a packed block may have. */
static bool look_at_frames(struct packer *p)
{
    const struct block_head *head = p->view->head;
    size_t at = 0;
    p->shape_count = PACK_CLASSES;
    p->frames = head->count + head->controls;
    if (p->frames > PACK_FRAMES_MAX)
        return false;
    for (uint32_t i = 0; i < p->frames; i++) {
        const struct tdk_frame *frame = (const void *)(p->view->frames + at);
        p->offsets[i] = (uint32_t)at;
        p->stamps[i] = frame->ts;
        p->shape_of[i] = frame->size % 8 == 0 || is_padded_with_zeros(frame) ? shape_of(p, frame)
                         : tdk_type_is_control(frame->type)                  ? PACK_CONTROL
                                                                             : PACK_WHOLE;
        at += tdk_frame_span(frame->size);
    }
    return true;
}

static void choose_classes(struct packer *p)
{
    p->class_count = 0;
    p->shapes[PACK_CONTROL].number = PACK_CONTROL;
    p->shapes[PACK_WHOLE].number = PACK_WHOLE;
    for (size_t i = PACK_CLASSES; i < p->shape_count; i++) {
        struct shape *shape = &p->shapes[i];
        bool pays = shape->count >= CLASS_MIN || shape->count == p->frames;
        shape->number = PACK_WHOLE;
        if (!pays || shape->class.size > PACK_SIZE_MAX || p->class_count == PACK_CLASSES_MAX)
            continue;
        shape->number = (uint8_t)(PACK_CLASSES + p->class_count);
        p->classes[p->class_count++] = shape->class;
    }
}

/* Bytes of the frames that are kept whole. */
static size_t whole_size(const struct packer *p)
{
    size_t size = 0;
    for (uint32_t i = 0; i < p->frames; i++)
        if (p->shapes[p->shape_of[i]].number < PACK_CLASSES) {
            uint32_t end = i + 1 < p->frames ? p->offsets[i + 1] : p->view->head->frames_size;
            size += end - p->offsets[i];
        }
    return size;
}

/* ---- order ---- */

/* Stable; sorts by one byte. */
static void sort_by_byte(const uint64_t *from, uint64_t *to, uint32_t count, unsigned shift,
                         uint32_t counts[256])
{
    uint32_t at = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint32_t n = counts[byte];
        counts[byte] = at;
        at += n;
    }
    for (uint32_t i = 0; i < count; i++)
        to[counts[from[i] >> shift & 255]++] = from[i];
}

static void sort_frames(struct packer *p)
{
    uint64_t *from = p->order, *to = p->spare;
    for (uint32_t i = 0; i < p->frames; i++) {
        const struct tdk_frame *frame = (const void *)(p->view->frames + p->offsets[i]);
        uint8_t class = p->shapes[p->shape_of[i]].number;
        from[i] = ORDER(class, class == PACK_CONTROL ? 0 : frame_instrument(frame), i);
    }
    for (unsigned shift = 16; shift < 56; shift += 8) { /* they are in order of place already */
        uint32_t counts[256] = {0};
        for (uint32_t i = 0; i < p->frames; i++)
            counts[from[i] >> shift & 255]++;
        if (counts[from[0] >> shift & 255] == p->frames)
            continue;
        sort_by_byte(from, to, p->frames, shift, counts);
        uint64_t *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != p->order)
        memcpy(p->order, from, p->frames * sizeof *from);
}

static unsigned char *write_varint(unsigned char *out, uint32_t x)
{
    for (; x >= 128; x >>= 7)
        *out++ = (unsigned char)(x | 128);
    *out++ = (unsigned char)x;
    return out;
}

static void write_strands(struct packer *p)
{
    unsigned char *out = p->strands;
    p->strand_count = 0;
    for (uint32_t i = 0, end; i < p->frames; i = end, p->strand_count++) {
        end = packer_strand_end(p, i);
        *out++ = ORDER_CLASS(p->order[i]);
        out = write_varint(out, ORDER_ID(p->order[i]));
        out = write_varint(out, end - i);
    }
    p->strands_size = (size_t)(out - p->strands);
}

/* ---- together ---- */

static size_t outline_size(const struct packer *p)
{
    return align_up(sizeof(struct pack_head) + p->class_count * sizeof(struct pack_class) +
                        p->group_count * sizeof(struct pack_group) + p->strands_size,
                    8);
}

static void write_outline(const struct packer *p, const struct pack_head *head, unsigned char *out)
{
    memset(out, 0, head->outline_size);
    memcpy(out, head, sizeof *head);
    out += sizeof *head;
    memcpy(out, p->classes, p->class_count * sizeof *p->classes);
    out += p->class_count * sizeof *p->classes;
    memcpy(out, p->groups, p->group_count * sizeof *p->groups);
    out += p->group_count * sizeof *p->groups;
    memcpy(out, p->strands, p->strands_size);
}

/* Write the contents after the block's head, if they take at most `room` bytes. Returns how many
 * bytes; 0: they take more. */
static size_t assemble(const struct packer *p, unsigned char *out, size_t room)
{
    struct pack_head head = {
        .outline_size = (uint32_t)outline_size(p),
        .frames = p->frames,
        .uniform = load_u32(p->view->directory + offsetof(struct directory_head, uniform)),
        .strands = p->strand_count,
        .groups = p->group_count,
        .classes = p->class_count};
    if (head.outline_size + stamps_bound(p->frames) + p->packed_size > room)
        return 0;
    unsigned char *at = out + head.outline_size;
    head.stamps_size = (uint32_t)stamps_write(p->stamps, p->frames, at);
    head.stamps_crc = crc32c(0, at, head.stamps_size);
    at += head.stamps_size;
    memcpy(at, p->packed, p->packed_size);
    at += p->packed_size;
    write_outline(p, &head, out);
    size_t used = (size_t)(at - out), size = align_up(used, 8);
    if (size > room)
        return 0;
    memset(at, 0, size - used);
    return size;
}

static size_t by_columns(struct packer *p, unsigned char *out, size_t room)
{
    if (p->view->head->count == 0 || !look_at_frames(p))
        return 0;
    choose_classes(p);
    if (whole_size(p) > p->view->head->frames_size / 2)
        return 0;
    sort_frames(p);
    write_strands(p);
    return packer_write_groups(p) ? assemble(p, out, room) : 0;
}

/* Pack frames and directory into one zstd frame, if there are no columns. */
static size_t by_zstd(struct packer *p, unsigned char *out, size_t room)
{
    const struct block_head *head = p->view->head;
    size_t size = (size_t)head->frames_size + head->directory_size;
    size_t stored = ZSTD_compressCCtx(p->zstd, out, room, p->view->frames, size, p->level);
    if (ZSTD_isError(stored) || align_up(stored, 8) >= room)
        return 0;
    return stored;
}

/* Complete a block that has `stored` bytes of contents. */
static size_t finish(const struct block_head *raw, enum block_codec codec, size_t stored,
                     unsigned char *out)
{
    struct block_head head = *raw;
    unsigned char *at = out + sizeof head;
    size_t size = align_up(stored, 8);
    memset(at + stored, 0, size - stored);
    head.codec = (uint8_t)codec;
    head.stored_size = (uint32_t)stored;
    head.tail_crc = crc32c(0, at, stored);
    head.entries_crc = codec != BLOCK_ZSTD ? crc32c(0, at, load_u32(at)) : 0;
    memcpy(out, &head, sizeof head);
    return sizeof head + size;
}

size_t packer_pack(struct packer *packer, const struct block_view *view, size_t raw_size,
                   unsigned char *out)
{
    size_t room = raw_size - sizeof(struct block_head);
    unsigned char *at = out + sizeof(struct block_head);
    packer->view = view;
    size_t stored = by_columns(packer, at, room);
    if (stored != 0)
        return finish(view->head, packer->has_bits ? BLOCK_BITS : BLOCK_COLUMNS, stored, out);
    stored = by_zstd(packer, at, room);
    if (stored != 0)
        return finish(view->head, BLOCK_ZSTD, stored, out);
    memcpy(out, view->head, raw_size); /* nothing makes the block smaller */
    return raw_size;
}
