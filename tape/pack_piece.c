/*
 * pack_piece.c - a hundred frames of a group, side by side in the nearest cache.
 *
 * They lie on pack->stage, one span apart, while column after column is put into them: no address
 * has to be looked up, and none is far away. When all is there each is copied to its place in the
 * block, once. What is alike in all frames of a group stays on the stage from piece to piece.
 */
#include "base/bytes.h"
#include "tape/pack_inner.h"
#include "tape/wide.h"
#include "tapedeck/dbn.h"

enum {
    HEAD = sizeof(struct tdk_frame),
    SEQ = offsetof(struct tdk_frame, seq),
    TS = offsetof(struct tdk_frame, ts),
    AHEAD = 12, /* places that are fetched into the cache before a frame's turn */
};

void pack_lay_pattern(struct pack *pack, uint32_t rows, size_t span)
{
    for (uint32_t i = 0; i < rows; i++)
        memcpy(pack->stage + i * span, pack->pattern, span);
}

/* ---- heads ---- */

static unsigned char *row_of(struct pack *pack, const struct pack_piece *piece, uint32_t frame)
{
    return pack->stage + (frame - piece->begin) * piece->span;
}

/* `put` four rows at a time, from `from` on: there is room for three more than there are. */
#define FOR_ROWS(from, end, put)                                                                   \
    for (size_t row = (from), last = (end); row < last; row += 4, at += 4 * span) {                \
        put(at, row);                                                                              \
        put(at + span, row + 1);                                                                   \
        put(at + 2 * span, row + 2);                                                               \
        put(at + 3 * span, row + 3);                                                               \
    }

static void lay_uniform_heads(struct pack *pack, const struct pack_piece *piece,
                              const uint16_t *places, const uint16_t *ranks)
{
    const uint64_t seq = pack->head->first_seq, *stamps = pack->stamps;
    const size_t span = piece->span;
    unsigned char *at = row_of(pack, piece, piece->from);
#define PUT_HEAD(to, frame)                                                                        \
    do {                                                                                           \
        store_u64((to) + SEQ, seq + places[frame]);                                                \
        store_u64((to) + TS, stamps[ranks[frame]]);                                                \
    } while (0)
    FOR_ROWS(piece->from, piece->end, PUT_HEAD)
}

void pack_lay_heads(struct pack *pack, const struct pack_piece *piece, const uint16_t *places,
                    const uint16_t *ranks)
{
    unsigned char *at = row_of(pack, piece, piece->from);
    if (pack->outline.uniform != 0)
        lay_uniform_heads(pack, piece, places, ranks);
    for (uint32_t i = piece->from; pack->outline.uniform == 0 && i < piece->end; i++) {
        memcpy(at + SEQ, pack->frames + pack->offset_of[ranks[i]] + SEQ, HEAD - SEQ);
        at += piece->span;
    }
}

void pack_lay_instruments(struct pack *pack, const struct pack_piece *piece,
                          const struct strand *strand, uint32_t group_first)
{
    enum { AT = HEAD + offsetof(struct tdk_dbn_head, instrument_id) };
    unsigned char *at = row_of(pack, piece, piece->from);
    for (uint32_t i = piece->from; i < piece->end; strand++) {
        uint32_t end = strand->first + strand->count - group_first;
        if (end > piece->end)
            end = piece->end;
        for (; i < end; i++, at += piece->span)
            store_u32(at + AT, strand->instrument);
    }
}

/* ---- values ---- */

void pack_put_values(struct pack *pack, const struct pack_piece *piece,
                     const struct pack_field *field)
{
    const size_t span = piece->span;
    const uint64_t *values = pack->values;
    unsigned char *at = pack->stage + field->offset;
#define PUT_8(to, row) store_u64(to, values[row])
#define PUT_4(to, row) store_u32(to, (uint32_t)values[row])
#define PUT_2(to, row) store_u16(to, (uint16_t)values[row])
#define PUT_1(to, row) *(to) = (unsigned char)values[row]
    if (field->size == 8)
        FOR_ROWS(0, piece->end - piece->begin, PUT_8)
    else if (field->size == 4)
        FOR_ROWS(0, piece->end - piece->begin, PUT_4)
    else if (field->size == 2)
        FOR_ROWS(0, piece->end - piece->begin, PUT_2)
    else
        FOR_ROWS(0, piece->end - piece->begin, PUT_1)
}

/* Eight bytes from the reference on may be read: of the last row they are behind the stage. */
void pack_add_ref(struct pack *pack, const struct pack_piece *piece, const struct pack_field *ref)
{
    const unsigned char *at = pack->stage + ref->offset;
    const uint64_t mask = pack_mask_of(ref->size);
    for (uint32_t i = 0; i < piece->end - piece->begin; i++, at += piece->span)
        pack->values[i] += load_u64(at) & mask;
}

void pack_put_near(struct pack *pack, const struct pack_piece *piece,
                   const struct pack_field *field, const struct pack_field *ref, uint64_t base)
{
    const size_t span = piece->span;
    const ptrdiff_t back = (ptrdiff_t)ref->offset - (ptrdiff_t)field->offset;
    unsigned char *at = pack->stage + field->offset;
#define PUT_NEAR_8(to, row) store_u64(to, load_u64((to) + back) + base)
#define PUT_NEAR_4(to, row) store_u32(to, (uint32_t)(load_u64((to) + back) + base))
    if (ref->size == 8 && field->size == 8) {
        FOR_ROWS(0, piece->end - piece->begin, PUT_NEAR_8)
    } else if (ref->size == 8 && field->size == 4) {
        FOR_ROWS(0, piece->end - piece->begin, PUT_NEAR_4)
    } else {
        for (uint32_t i = 0; i < piece->end - piece->begin; i++)
            pack->values[i] = base;
        pack_add_ref(pack, piece, ref);
        pack_put_values(pack, piece, field);
    }
}

/* ---- to their places ---- */

/* 32 bytes of any alignment, of anything. */
typedef uint64_t words __attribute__((vector_size(32), aligned(1), may_alias));

/* `span` bytes, a multiple of 8. */
ALWAYS_INLINE void copy_frame(unsigned char *to, const unsigned char *from, size_t span)
{
    size_t at = 0;
    for (; at + sizeof(words) <= span; at += sizeof(words))
        *(words *)(to + at) = *(const words *)(from + at);
    if (span % 32 >= 16) {
        memcpy(to + at, from + at, 16);
        at += 16;
    }
    if (span % 16 != 0)
        memcpy(to + at, from + at, 8);
}

ALWAYS_INLINE size_t spot_of(const struct pack *pack, uint16_t rank, size_t uniform)
{
    return uniform != 0 ? rank * uniform : pack->offset_of[rank];
}

ALWAYS_INLINE void copy_frames(const struct pack *pack, const struct pack_piece *piece,
                               const struct pack_part *part, size_t span, size_t uniform)
{
    const uint16_t *ranks = part->ranks;
    const unsigned char *from = pack->stage + (piece->from - piece->begin) * span;
    size_t i = piece->from, ahead = part->end > AHEAD ? part->end - AHEAD : 0;
    const size_t end = piece->end, until = ahead < end ? ahead : end;
    for (; i < until; i++, from += span) {
        __builtin_prefetch(pack->frames + spot_of(pack, ranks[i + AHEAD], uniform), 1);
        copy_frame(pack->frames + spot_of(pack, ranks[i], uniform), from, span);
    }
    for (; i < end; i++, from += span)
        copy_frame(pack->frames + spot_of(pack, ranks[i], uniform), from, span);
}

/* A loop for each of the commonest spans, whose copy is a few moves. */
ALWAYS_INLINE void copy_out(const struct pack *pack, const struct pack_piece *piece,
                            const struct pack_part *part)
{
    const size_t span = piece->span;
    if (pack->outline.uniform == 0)
        copy_frames(pack, piece, part, span, 0);
    else if (span == 72)
        copy_frames(pack, piece, part, 72, 72);
    else if (span == 80)
        copy_frames(pack, piece, part, 80, 80);
    else if (span == 104)
        copy_frames(pack, piece, part, 104, 104);
    else
        copy_frames(pack, piece, part, span, span);
}

static void copy_plain(const struct pack *pack, const struct pack_piece *piece,
                       const struct pack_part *part)
{
    copy_out(pack, piece, part);
}

WIDE static void copy_wide(const struct pack *pack, const struct pack_piece *piece,
                           const struct pack_part *part)
{
    copy_out(pack, piece, part);
}

void pack_copy_out(const struct pack *pack, const struct pack_piece *piece,
                   const struct pack_part *part)
{
    if (wide_is_possible())
        copy_wide(pack, piece, part);
    else
        copy_plain(pack, piece, part);
}
