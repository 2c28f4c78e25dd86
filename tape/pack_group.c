/*
 * pack_group.c - a group of a packed block: its columns back into frames.
 *
 * Most fields of most groups tell one value, or what another field tells: these are gathered in a
 * pattern that is laid down as each frame, and only what is left is read value by value, one column
 * after the other. Whatever must hold is asked of a column or a group, not of a tick.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "tape/pack_inner.h"
#include "tapedeck/dbn.h"

enum { HEAD = sizeof(struct tdk_frame), AHEAD = PACK_AHEAD };

/* ---- its bytes ---- */

int pack_unpack_group(struct pack *pack, uint32_t group, unsigned char *raw, struct tdk_err *err)
{
    struct pack_group told = group_told(pack, group);
    const unsigned char *at = pack->stored + pack->groups[group].at;
    if (told.stored == told.raw) {
        memcpy(raw, at, told.raw);
        return 0;
    }
    if (ZSTD_getFrameContentSize(at, told.stored) != told.raw ||
        ZSTD_decompressDCtx(pack->zstd, raw, told.raw, at, told.stored) != told.raw)
        return pack_corrupt(err, "its contents cannot be unpacked");
    return 0;
}

/* ---- where its frames are ---- */

struct column_strands pack_starts(struct pack *pack, uint32_t group, uint32_t count)
{
    const struct group *g = &pack->groups[group];
    struct column_strands strands = {pack->starts, 1};
    pack->starts[0] = 0;
    for (uint32_t s = g->strand + 1;
         s < pack->outline.strands && pack->strands[s].first < g->first + count; s++)
        pack->starts[strands.count++] = (uint16_t)(pack->strands[s].first - g->first);
    return strands;
}

static uint32_t strand_end(const struct column_strands *strands, uint32_t strand, uint32_t count)
{
    return strand + 1 < strands->count ? strands->starts[strand + 1] : count;
}

/* From distances to places, ascending in a strand. */
static bool find_places(struct pack *pack, uint32_t group, uint32_t count,
                        const struct column_strands *strands)
{
    uint16_t *places = pack->place_of + pack->groups[group].first;
    uint64_t any = 0;
    for (uint32_t i = 0; i < count; i++)
        any |= pack->values[i];
    if (any >= PACK_FRAMES_MAX) /* so the sums below do not wrap */
        return false;
    for (uint32_t s = 0; s < strands->count; s++) {
        uint32_t end = strand_end(strands, s, count);
        uint64_t next = 0;
        for (uint32_t i = strands->starts[s]; i < end; i++) {
            next += pack->values[i];
            places[i] = (uint16_t)next++;
        }
        if (next > pack->outline.frames)
            return false;
    }
    return true;
}

size_t pack_read_places(struct pack *pack, uint32_t group, const unsigned char *raw,
                        const struct column_strands *strands)
{
    struct column_head head;
    struct pack_group told = group_told(pack, group);
    size_t size = column_check(raw, told.raw, told.count, &head);
    if (size == 0 || head.ref != COLUMN_NO_REF)
        return 0;
    column_read(raw, &head, told.count, strands, pack->values);
    return find_places(pack, group, told.count, strands) ? size : 0;
}

static void find_spots(struct pack *pack, const struct pack_part *part)
{
    uint32_t uniform = pack->outline.uniform;
    for (uint32_t i = part->begin; uniform != 0 && i < part->end; i++)
        pack->spots[i] = part->ranks[i] * uniform;
    for (uint32_t i = part->begin; uniform == 0 && i < part->end; i++)
        pack->spots[i] = pack->offset_of[part->ranks[i]];
    for (uint32_t i = part->end; i < part->end + AHEAD; i++)
        pack->spots[i] = pack->spots[part->end - 1];
}

/* ---- what its columns tell ---- */

static const struct pack_layout *layout_of(struct pack *pack, uint8_t class)
{
    if (pack->layout_of != class) {
        struct pack_class told = class_told(pack, class);
        pack_layout(&told, &pack->layout);
        pack->layout_of = class;
    }
    return &pack->layout;
}

static uint64_t mask_of(uint8_t size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

/* What has no values of its own: one value, or one more than another field's. */
static void simplify(const struct pack_layout *layout, struct pack_told *told, unsigned f)
{
    struct pack_told *t = &told[f];
    if (t->head.width != 0 || t->head.outliers != 0)
        return;
    t->kind = t->head.ref == COLUMN_NO_REF ? PACK_ALIKE : PACK_NEAR;
    if (t->kind == PACK_ALIKE)
        return;
    const struct pack_told *ref = &told[t->head.ref];
    const struct pack_field *field = &layout->fields[t->head.ref];
    if (ref->kind == PACK_ALIKE) {
        t->kind = PACK_ALIKE;
        t->base += ref->base & mask_of(field->size);
    } else if (ref->kind == PACK_NEAR && field->size == 8) {
        t->head.ref = ref->head.ref;
        t->base += ref->base;
    }
}

/* The head of each column; together they are all there is. */
static bool tell_columns(struct pack *pack, const struct pack_layout *layout,
                         const unsigned char *raw, size_t size, uint32_t count)
{
    pack->told[PACK_FIELD_TS].kind = pack->told[PACK_FIELD_SEQ].kind = PACK_KNOWN;
    for (unsigned f = PACK_FIELD_FLAGS; f < layout->count; f++) {
        struct pack_told *told = &pack->told[f];
        told->kind = PACK_KNOWN;
        if (layout->fields[f].is_known)
            continue;
        size_t column = column_check(raw, size, count, &told->head);
        if (column == 0 || (told->head.ref != COLUMN_NO_REF && told->head.ref >= f))
            return false;
        told->kind = PACK_COLUMN;
        told->bytes = raw;
        told->base = (told->head.mode & COLUMN_BASE) != 0 ? load_u64(raw + sizeof told->head) : 0;
        simplify(layout, pack->told, f);
        raw += column;
        size -= column;
    }
    return size == 0;
}

/* ---- the frames as far as they are alike ---- */

static void make_pattern(struct pack *pack, const struct pack_class *class,
                         const struct pack_layout *layout)
{
    struct tdk_frame frame = {.size = class->size, .track = pack->head->track, .type = class->type};
    memset(pack->pattern, 0, tdk_frame_span(class->size));
    memcpy(pack->pattern, &frame, sizeof frame);
    for (unsigned f = PACK_FIELD_FLAGS; f < layout->count; f++)
        if (pack->told[f].kind == PACK_ALIKE)
            memcpy(pack->pattern + layout->fields[f].offset, &pack->told[f].base,
                   layout->fields[f].size);
}

/* `size` bytes, a multiple of 8. */
static inline void copy_words(unsigned char *to, const unsigned char *from, size_t size)
{
    size_t at = size % 16;
    if (at != 0)
        memcpy(to, from, 8);
    for (; at < size; at += 16)
        memcpy(to + at, from + at, 16);
}

/* Frames [begin, end) of the group. Where all are of one span places and ranks tell seq and time,
 * too; else these are there. */
static inline void lay(const struct pack *pack, const uint16_t *places, const uint16_t *ranks,
                       uint32_t begin, uint32_t end, size_t payload)
{
    const unsigned char *pattern = pack->pattern;
    const uint64_t word = load_u64(pattern), seq = pack->head->first_seq;
    const bool uniform = pack->outline.uniform != 0;
    for (uint32_t i = begin; i < end; i++) {
        unsigned char *at = pack->frames + pack->spots[i];
        __builtin_prefetch(pack->frames + pack->spots[i + AHEAD], 1);
        store_u64(at, word);
        if (uniform) {
            store_u64(at + offsetof(struct tdk_frame, seq), seq + places[i]);
            store_u64(at + offsetof(struct tdk_frame, ts), pack->stamps[ranks[i]]);
        }
        copy_words(at + HEAD, pattern + HEAD, payload);
    }
}

static void lay_frames(struct pack *pack, const struct pack_class *class, uint32_t group,
                       const struct column_strands *strands, const struct pack_part *part)
{
    const uint16_t *places = pack->place_of + pack->groups[group].first, *ranks = part->ranks;
    size_t payload = tdk_frame_span(class->size) - HEAD;
    for (uint32_t s = 0; s < strands->count; s++) {
        uint32_t begin = strands->starts[s], end = strand_end(strands, s, part->end);
        if (begin < part->begin)
            begin = part->begin;
        if (end > part->end)
            end = part->end;
        if (class->record)
            store_u32(pack->pattern + HEAD + offsetof(struct tdk_dbn_head, instrument_id),
                      pack->strands[pack->groups[group].strand + s].instrument);
        if (payload == 48) /* a loop for each of the commonest, whose copy is a few moves */
            lay(pack, places, ranks, begin, end, 48);
        else if (payload == 56)
            lay(pack, places, ranks, begin, end, 56);
        else if (payload == 80)
            lay(pack, places, ranks, begin, end, 80);
        else
            lay(pack, places, ranks, begin, end, payload);
    }
}

/* ---- what differs ---- */

static void put_values(const struct pack *pack, const struct pack_part *part,
                       const struct pack_field *field)
{
    unsigned char *at = pack->frames + field->offset;
    const uint32_t *spots = pack->spots;
    const uint64_t *values = pack->values;
    if (field->size == 8)
        for (uint32_t i = part->begin; i < part->end; i++)
            store_u64(at + spots[i], values[i]);
    else if (field->size == 4)
        for (uint32_t i = part->begin; i < part->end; i++)
            store_u32(at + spots[i], (uint32_t)values[i]);
    else if (field->size == 2)
        for (uint32_t i = part->begin; i < part->end; i++)
            store_u16(at + spots[i], (uint16_t)values[i]);
    else
        for (uint32_t i = part->begin; i < part->end; i++)
            at[spots[i]] = (unsigned char)values[i];
}

/* Add the reference's values, which are in the frames already. Eight bytes from there on may be
 * read: behind the frames is the directory. */
static void add_ref(struct pack *pack, const struct pack_part *part, const struct pack_field *ref)
{
    const unsigned char *at = pack->frames + ref->offset;
    const uint64_t mask = mask_of(ref->size);
    for (uint32_t i = part->begin; i < part->end; i++)
        pack->values[i] += load_u64(at + pack->spots[i]) & mask;
}

/* The reference's values and `base`. */
static void put_near(struct pack *pack, const struct pack_part *part,
                     const struct pack_field *field, const struct pack_field *ref, uint64_t base)
{
    unsigned char *at = pack->frames + field->offset;
    const unsigned char *from = pack->frames + ref->offset;
    const uint32_t *spots = pack->spots;
    if (ref->size == 8 && field->size == 8) {
        for (uint32_t i = part->begin; i < part->end; i++)
            store_u64(at + spots[i], load_u64(from + spots[i]) + base);
    } else if (ref->size == 8 && field->size == 4) {
        for (uint32_t i = part->begin; i < part->end; i++)
            store_u32(at + spots[i], (uint32_t)(load_u64(from + spots[i]) + base));
    } else {
        for (uint32_t i = part->begin; i < part->end; i++)
            pack->values[i] = base;
        add_ref(pack, part, ref);
        put_values(pack, part, field);
    }
}

static void put_columns(struct pack *pack, const struct pack_layout *layout, uint32_t count,
                        const struct column_strands *strands, const struct pack_part *part)
{
    for (unsigned f = PACK_FIELD_FLAGS; f < layout->count; f++) {
        const struct pack_told *told = &pack->told[f];
        const struct pack_field *field = &layout->fields[f];
        if (told->kind == PACK_NEAR) {
            put_near(pack, part, field, &layout->fields[told->head.ref], told->base);
        } else if (told->kind == PACK_COLUMN) {
            column_read(told->bytes, &told->head, count, strands, pack->values);
            if (told->head.ref != COLUMN_NO_REF)
                add_ref(pack, part, &layout->fields[told->head.ref]);
            put_values(pack, part, field);
        }
    }
}

int pack_read_fields(struct pack *pack, uint32_t group, const unsigned char *raw, size_t size,
                     const struct column_strands *strands, const struct pack_part *part,
                     struct tdk_err *err)
{
    const struct group *g = &pack->groups[group];
    uint32_t count = group_told(pack, group).count;
    uint8_t number = pack->strands[g->strand].class;
    struct pack_class class = class_told(pack, number);
    const struct pack_layout *layout = layout_of(pack, number);
    if (!tell_columns(pack, layout, raw, size, count))
        return pack_corrupt(err, "its contents contradict themselves");
    make_pattern(pack, &class, layout);
    find_spots(pack, part);
    lay_frames(pack, &class, group, strands, part);
    put_columns(pack, layout, count, strands, part);
    return 0;
}
