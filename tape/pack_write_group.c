/* pack_write_group.c - frames that stand in order become groups: columns, compressed. */
#include "base/array.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "tape/pack_write.h"

enum {
    GROUP_MIN = 1024, /* instruments with fewer ticks share a group */
    BITS_MORE = 16,   /* columns in bits may take up to 1/16 more than compressed ones */
    REFS_MAX = 10,    /* fields that a column is tried against */
};

/* The end of the group that begins at `begin`: whole strands until it is large enough, or a piece
 * of a large strand. */
static uint32_t group_end(const struct packer *p, uint32_t begin)
{
    uint8_t class = ORDER_CLASS(p->order[begin]);
    uint32_t end = begin;
    while (end - begin < GROUP_MIN && end < p->frames && ORDER_CLASS(p->order[end]) == class) {
        uint32_t next = packer_strand_end(p, end);
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
                (const unsigned char *)packer_frame(p, begin + i) + field->offset, field->size);
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
        const struct tdk_frame *frame = packer_frame(p, i);
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
        size += tdk_frame_span(packer_frame(p, i)->size);
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

bool packer_write_groups(struct packer *p)
{
    p->group_count = 0;
    p->packed_size = 0;
    p->has_bits = false;
    for (uint32_t i = 0, end; i < p->frames; i = end) {
        end = group_end(p, i);
        if (p->group_count == PACK_GROUPS_MAX || !write_group(p, i, end))
            return false;
    }
    return true;
}
