/*
 * pack_group.c - a group of a packed block: its columns back into frames.
 *
 * Most fields of most groups have one value, or repeat another field. These are gathered in a
 * pattern that every frame begins as. Only the rest is read value by value, about a hundred frames
 * at a time (pack_piece.c). What must hold is checked for a column or a group, not for each tick.
 */
#include "base/bytes.h"
#include "base/err.h"
#include "tape/frame.h"
#include "tape/pack_inner.h"
#include "tapedeck/dbn.h"

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

/* A walk from distances to places, which ascend in a strand. */
struct trail {
    uint16_t *places;
    uint32_t strand; /* the next one that begins */
    uint64_t next;   /* the lowest place that the next frame may have */
    uint64_t most;   /* the highest of all `next` */
};

/* Walk frames [begin, end). False: the sums would wrap. */
static bool follow(struct trail *t, const struct column_strands *strands, const uint64_t *gaps,
                   uint32_t begin, uint32_t end)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < end - begin; i++)
        any |= gaps[i];
    for (uint32_t i = begin; any < PACK_FRAMES_MAX && i < end;) {
        if (t->strand < strands->count && strands->starts[t->strand] == i) {
            t->next = 0;
            t->strand++;
        }
        uint32_t stop = t->strand < strands->count && strands->starts[t->strand] < end
                            ? strands->starts[t->strand]
                            : end;
        uint64_t next = t->next;
        for (; i < stop; i++) {
            next += gaps[i - begin];
            t->places[i] = (uint16_t)next++;
        }
        t->next = next;
        t->most = next > t->most ? next : t->most;
    }
    return any < PACK_FRAMES_MAX;
}

size_t pack_read_places(struct pack *pack, uint32_t group, const unsigned char *raw,
                        const struct column_strands *strands)
{
    struct column_head head;
    struct pack_group told = group_told(pack, group);
    size_t size = column_check(raw, told.raw, told.count, &head);
    if (size == 0 || head.ref != COLUMN_NO_REF)
        return 0;
    struct column column;
    struct trail trail = {.places = pack->place_of + pack->groups[group].first};
    column_open(&column, raw, &head, told.count);
    for (uint32_t i = 0, end; i < told.count; i = end) {
        end = told.count - i < COLUMN_ROWS ? told.count : i + COLUMN_ROWS;
        column_read(&column, i, end, strands, pack->values);
        if (!follow(&trail, strands, pack->values, i, end))
            return 0;
    }
    return trail.most <= pack->outline.frames ? size : 0;
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

/* A column without values of its own: every frame has one value, or that of another field plus a
 * constant. */
static void simplify(const struct pack_layout *layout, struct pack_told *told, unsigned f)
{
    struct pack_told *t = &told[f];
    if (!column_is_empty(&t->head))
        return;
    t->kind = t->head.ref == COLUMN_NO_REF ? PACK_ALIKE : PACK_NEAR;
    if (t->kind == PACK_ALIKE)
        return;
    const struct pack_told *ref = &told[t->head.ref];
    const struct pack_field *field = &layout->fields[t->head.ref];
    if (ref->kind == PACK_ALIKE) {
        t->kind = PACK_ALIKE;
        t->base += ref->base & pack_mask_of(field->size);
    } else if (ref->kind == PACK_NEAR && field->size == 8) {
        t->head.ref = ref->head.ref;
        t->base += ref->base;
    }
}

/* Read the head of each column. Together the columns must fill the group. */
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
        column_open(&told->column, raw, &told->head, count);
        told->base = told->column.base;
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
    unsigned char *pattern = (void *)pack->pattern;
    memset(pattern, 0, tdk_frame_span(class->size));
    memcpy(pattern, &frame, sizeof frame);
    for (unsigned f = PACK_FIELD_FLAGS; f < layout->count; f++)
        if (pack->told[f].kind == PACK_ALIKE)
            memcpy(pattern + layout->fields[f].offset, &pack->told[f].base, layout->fields[f].size);
}

/* Fields are in the order in which they lie in a frame, and none crosses a word. */
static void find_varying(struct pack *pack, const struct pack_class *class,
                         const struct pack_layout *layout)
{
    size_t last = SIZE_MAX;
    pack->varying_count = 0;
    pack->instruments_share = false;
    for (unsigned f = PACK_FIELD_FLAGS; f < layout->count; f++) {
        struct pack_told *told = &pack->told[f];
        const size_t word = layout->fields[f].offset / sizeof(uint64_t);
        const bool by_instrument = class->record && word == PACK_INSTRUMENT_AT / sizeof(uint64_t);
        if (told->kind != PACK_NEAR && told->kind != PACK_COLUMN)
            continue;
        pack->varying[pack->varying_count++] = (uint8_t)f;
        pack->instruments_share |= by_instrument;
        told->begins_word = word != last && !by_instrument;
        last = word;
    }
}

/* Does the pattern alone ensure that a tick's head is right? Size, type and track are those of the
 * class, the seq is given by the place. */
static bool pattern_is_right(const struct pack *pack)
{
    struct tdk_frame frame;
    memcpy(&frame, pack->pattern, sizeof frame);
    return pack->told[PACK_FIELD_FLAGS].kind == PACK_ALIKE &&
           (!frame_is_record(&frame) || frame.size >= sizeof(struct tdk_dbn_head));
}

/* ---- what differs ---- */

static void read_pieces(struct pack *pack, uint32_t group, struct pack_piece piece)
{
    const uint32_t begin = piece.part->begin, end = piece.part->end;
    piece.group_first = pack->groups[group].first;
    piece.places = pack->place_of + piece.group_first;
    piece.strand = &pack->strands[pack->groups[group].strand];
    pack_lay_pattern(pack, tdk_frame_span(piece.class->size),
                     end < COLUMN_ROWS ? end : COLUMN_ROWS);
    for (; piece.begin < end; piece.begin = piece.end) {
        piece.end = end - piece.begin < COLUMN_ROWS ? end : piece.begin + COLUMN_ROWS;
        piece.from = piece.begin > begin ? piece.begin : begin < piece.end ? begin : piece.end;
        pack_lay_piece(pack, &piece);
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
        return pack_contradicts(err);
    make_pattern(pack, &class, layout);
    find_varying(pack, &class, layout);
    pack->is_right &= pattern_is_right(pack);
    read_pieces(
        pack, group,
        (struct pack_piece){.class = &class, .layout = layout, .strands = strands, .part = part});
    return 0;
}
