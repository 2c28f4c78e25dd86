/* pack_write.c - pack a block's frames into columns, or, where that is not possible or not smaller,
 * into one zstd frame. */
#include "tape/pack.h"

#include <stdlib.h>
#include <zstd.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/scratch.h"
#include "tape/column.h"
#include "tape/frame.h"
#include "tape/stamps.h"

enum {
    GROUP_MIN = 1024, /* instruments with fewer ticks share a group */
    CLASS_MIN = 32,   /* frames from which on a class is worth its columns */
    BITS_MORE = 16,   /* columns in bits may take up to 1/16 more than compressed ones */
    REFS_MAX = 10,    /* fields that a column is tried against */
    SHAPES_MAX = 256,
};

struct shape {
    struct pack_class class;
    uint32_t count;
    uint8_t number; /* as a class; see PACK_WHOLE, PACK_CLASSES */
};

struct packer {
    ZSTD_CCtx *zstd;
    int level;
    bool may_have_bits;

    const struct block_view *view; /* of the block that is being packed; borrowed */
    uint32_t frames;
    struct shape shapes[SHAPES_MAX];
    size_t shape_count;
    struct pack_class classes[PACK_CLASSES_MAX];
    uint32_t class_count;
    uint32_t offsets[PACK_FRAMES_MAX]; /* by place in the block */
    uint8_t shape_of[PACK_FRAMES_MAX];
    uint64_t stamps[PACK_FRAMES_MAX];
    uint64_t order[PACK_FRAMES_MAX],
        spare[PACK_FRAMES_MAX]; /* class u8, instrument u32, place u16 */

    struct pack_group groups[PACK_GROUPS_MAX];
    uint32_t group_count, strand_count;
    unsigned char *strands; /* varints */
    size_t strands_size;
    unsigned char *packed; /* all groups */
    size_t packed_size, packed_room;
    struct scratch raw, bits; /* one group; the same, its columns in bits */
    bool has_bits;            /* one of the groups has columns in bits */

    struct column_scratch scratch;
    uint16_t starts[COLUMN_TICKS_MAX];
    uint64_t values[PACK_FIELDS_MAX][COLUMN_TICKS_MAX];
};

/* Class, instrument and place in one number, so that sorting the numbers sorts the frames. */
#define ORDER(class, instrument, place)                                                            \
    ((uint64_t)(class) << 48 | (uint64_t)(instrument) << 16 | (uint64_t)(place))
#define ORDER_STRAND(order) ((order) >> 16)
#define ORDER_CLASS(order)  ((uint8_t)((order) >> 48))
#define ORDER_ID(order)     ((uint32_t)((order) >> 16))
#define ORDER_PLACE(order)  ((uint16_t)(order))

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
    if (i == SHAPES_MAX)
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

static uint32_t strand_end(const struct packer *p, uint32_t begin)
{
    uint32_t i = begin + 1;
    while (i < p->frames && ORDER_STRAND(p->order[i]) == ORDER_STRAND(p->order[begin]))
        i++;
    return i;
}

static void write_strands(struct packer *p)
{
    unsigned char *out = p->strands;
    p->strand_count = 0;
    for (uint32_t i = 0, end; i < p->frames; i = end, p->strand_count++) {
        end = strand_end(p, i);
        *out++ = ORDER_CLASS(p->order[i]);
        out = write_varint(out, ORDER_ID(p->order[i]));
        out = write_varint(out, end - i);
    }
    p->strands_size = (size_t)(out - p->strands);
}

/* ---- groups ---- */

static const struct tdk_frame *frame_at(const struct packer *p, uint32_t i)
{
    return (const void *)(p->view->frames + p->offsets[ORDER_PLACE(p->order[i])]);
}

/* The end of the group that begins at `begin`: whole strands until it is large enough, or a piece
 * of a large strand. */
static uint32_t group_end(const struct packer *p, uint32_t begin)
{
    uint8_t class = ORDER_CLASS(p->order[begin]);
    uint32_t end = begin;
    while (end - begin < GROUP_MIN && end < p->frames && ORDER_CLASS(p->order[end]) == class) {
        uint32_t next = strand_end(p, end);
        if (end > begin && next - begin > COLUMN_TICKS_MAX)
            break;
        end = next;
    }
    return end - begin > COLUMN_TICKS_MAX ? begin + COLUMN_TICKS_MAX : end;
}

/* Find where strands begin in the group, and how far apart their frames lie in the block. */
static struct column_strands find_starts(struct packer *p, uint32_t begin, uint32_t end,
                                         uint64_t *gaps)
{
    struct column_strands strands = {.starts = p->starts};
    for (uint32_t i = begin; i < end; i++) {
        uint16_t place = ORDER_PLACE(p->order[i]);
        bool first = i == begin || ORDER_STRAND(p->order[i]) != ORDER_STRAND(p->order[i - 1]);
        if (first)
            p->starts[strands.count++] = (uint16_t)(i - begin);
        gaps[i - begin] = first ? place : place - ORDER_PLACE(p->order[i - 1]) - 1u;
    }
    return strands;
}

static uint64_t load_field(const unsigned char *at, uint8_t size)
{
    switch (size) {
    case 1:
        return *at;
    case 2:
        return load_u16(at);
    case 4:
        return load_u32(at);
    default:
        return load_u64(at);
    }
}

/* Find earlier fields that this field's values may be close to: those of the same size, the nearest
 * first, and times and seqs. */
static size_t find_refs(struct packer *p, const struct pack_layout *layout, unsigned field,
                        struct column_ref refs[REFS_MAX])
{
    size_t count = 0;
    uint8_t size = layout->fields[field].size;
    if (size < 4)
        return 0;
    for (unsigned f = field; f-- > 0 && count < REFS_MAX - 1;)
        if (layout->fields[f].size == size && (f != PACK_FIELD_SEQ))
            refs[count++] = (struct column_ref){(uint8_t)f, p->values[f]};
    refs[count++] = (struct column_ref){PACK_FIELD_SEQ, p->values[PACK_FIELD_SEQ]};
    return count;
}

static unsigned char *write_columns(struct packer *p, uint32_t begin, uint32_t end,
                                    const struct column_strands *strands, unsigned char *out,
                                    unsigned char **bits)
{
    struct pack_layout layout;
    struct column_ref refs[REFS_MAX];
    uint32_t count = end - begin;
    pack_layout(&p->classes[ORDER_CLASS(p->order[begin]) - PACK_CLASSES], &layout);
    for (unsigned f = 0; f < layout.count; f++) {
        const struct pack_field *field = &layout.fields[f];
        for (uint32_t i = 0; i < count; i++)
            p->values[f][i] = load_field(
                (const unsigned char *)frame_at(p, begin + i) + field->offset, field->size);
        if (field->is_known)
            continue;
        size_t ref_count = find_refs(p, &layout, f, refs);
        struct column_sizes took =
            column_write(&p->scratch, p->values[f], count, field->size, refs, ref_count, strands,
                         out, p->may_have_bits ? *bits : NULL);
        out += took.planes;
        *bits += took.bits;
    }
    return out;
}

static unsigned char *write_whole(const struct packer *p, uint32_t begin, uint32_t end,
                                  unsigned char *out)
{
    for (uint32_t i = begin; i < end; i++) {
        const struct tdk_frame *frame = frame_at(p, i);
        memcpy(out, frame, tdk_frame_span(frame->size));
        out += tdk_frame_span(frame->size);
    }
    return out;
}

/* The most bytes that a group's contents may take before they are compressed. */
static size_t group_bound(const struct packer *p, uint32_t begin, uint32_t end)
{
    uint8_t class = ORDER_CLASS(p->order[begin]);
    size_t size = column_bound(end - begin);
    if (class >= PACK_CLASSES) {
        struct pack_layout layout;
        pack_layout(&p->classes[class - PACK_CLASSES], &layout);
        return size + layout.count * column_bound(end - begin);
    }
    for (uint32_t i = begin; i < end; i++)
        size += tdk_frame_span(frame_at(p, i)->size);
    return size;
}

/* Store what was gathered in p->raw as the next group. If p->bits is hardly larger, store that
 * instead, uncompressed: it is unpacked in half the time. */
static bool put_group(struct packer *p, uint32_t count, size_t raw, size_t bits)
{
    size_t bound = ZSTD_compressBound(raw);
    unsigned char *packed = array_grow(p->packed, &p->packed_room, p->packed_size + bound, 1);
    if (packed == NULL)
        return false;
    p->packed = packed;
    unsigned char *out = p->packed + p->packed_size;
    size_t stored = ZSTD_compressCCtx(p->zstd, out, bound, p->raw.bytes, raw, p->level);
    if (bits != 0 && (ZSTD_isError(stored) || bits <= stored + stored / BITS_MORE) && bits < raw) {
        memcpy(out, p->bits.bytes, bits);
        stored = raw = bits;
        p->has_bits = true;
    } else if (ZSTD_isError(stored) || stored >= raw) {
        memcpy(out, p->raw.bytes, raw);
        stored = raw;
    }
    p->groups[p->group_count++] = (struct pack_group){.count = count,
                                                      .stored = (uint32_t)stored,
                                                      .raw = (uint32_t)raw,
                                                      .crc = crc32c(0, out, stored)};
    p->packed_size += stored;
    return true;
}

static bool write_group(struct packer *p, uint32_t begin, uint32_t end)
{
    const size_t bound = group_bound(p, begin, end);
    if (!scratch_need(&p->raw, bound) || !scratch_need(&p->bits, bound))
        return false;
    uint64_t *gaps = p->values[0];
    struct column_strands strands = find_starts(p, begin, end, gaps);
    unsigned char *out = p->raw.bytes, *bits = p->bits.bytes;
    const bool has_columns = ORDER_CLASS(p->order[begin]) >= PACK_CLASSES;
    const struct column_sizes took =
        column_write(&p->scratch, gaps, end - begin, 4, NULL, 0, &strands, out,
                     has_columns && p->may_have_bits ? bits : NULL);
    out += took.planes;
    bits += took.bits;
    if (has_columns)
        out = write_columns(p, begin, end, &strands, out, &bits);
    else
        out = write_whole(p, begin, end, out);
    return put_group(p, end - begin, (size_t)(out - p->raw.bytes), (size_t)(bits - p->bits.bytes));
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
    p->group_count = 0;
    p->packed_size = 0;
    p->has_bits = false;
    for (uint32_t i = 0, end; i < p->frames; i = end) {
        end = group_end(p, i);
        if (p->group_count == PACK_GROUPS_MAX || !write_group(p, i, end))
            return 0;
    }
    return assemble(p, out, room);
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
