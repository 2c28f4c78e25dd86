/* pack_group.c - a group of a packed block: its columns back into frames. */
#include "base/bytes.h"
#include "base/err.h"
#include "tape/pack_inner.h"
#include "tapedeck/tick.h"

/* ---- a group: its bytes, and where its frames lie in the block ---- */

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

/* From distances to places, ascending in a strand. */
static bool find_places(struct pack *pack, uint32_t group, uint32_t count,
                        const struct column_strands *strands)
{
    uint16_t *places = pack->place_of + pack->groups[group].first;
    for (uint32_t s = 0; s < strands->count; s++) {
        uint32_t end = s + 1 < strands->count ? strands->starts[s + 1] : count;
        uint64_t next = 0;
        for (uint32_t i = strands->starts[s]; i < end; i++) {
            if (pack->values[i] >= pack->outline.frames - next)
                return false;
            next += pack->values[i];
            places[i] = (uint16_t)next;
            pack->strand_of[next++] = (uint16_t)(pack->groups[group].strand + s);
        }
    }
    return true;
}

/* Returns how many bytes of the group tell places; 0: they cannot be right. */
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

/* ---- a group: its fields ---- */

static const struct pack_layout *layout_of(struct pack *pack, uint8_t class)
{
    if (pack->layout_of != class) {
        struct pack_class told = class_told(pack, class);
        pack_layout(&told, &pack->layout);
        pack->layout_of = class;
    }
    return &pack->layout;
}

/* Add the reference's values, which are in the frames already. */
static void add_ref(struct pack *pack, const uint16_t *places, uint32_t count,
                    const struct pack_field *ref)
{
    const unsigned char *at = pack->frames + ref->offset;
    const uint32_t *offsets = pack->offset_of;
    uint64_t *values = pack->values;
    if (ref->size == 8)
        for (uint32_t i = 0; i < count; i++)
            values[i] += load_u64(at + offsets[places[i]]);
    else if (ref->size == 4)
        for (uint32_t i = 0; i < count; i++)
            values[i] += load_u32(at + offsets[places[i]]);
    else if (ref->size == 2)
        for (uint32_t i = 0; i < count; i++)
            values[i] += load_u16(at + offsets[places[i]]);
    else
        for (uint32_t i = 0; i < count; i++)
            values[i] += at[offsets[places[i]]];
}

static void put_values(struct pack *pack, const uint16_t *places, uint32_t count,
                       const struct pack_field *field)
{
    unsigned char *at = pack->frames + field->offset;
    const uint32_t *offsets = pack->offset_of;
    const uint64_t *values = pack->values;
    if (field->size == 8)
        for (uint32_t i = 0; i < count; i++)
            store_u64(at + offsets[places[i]], values[i]);
    else if (field->size == 4)
        for (uint32_t i = 0; i < count; i++)
            store_u32(at + offsets[places[i]], (uint32_t)values[i]);
    else if (field->size == 2)
        for (uint32_t i = 0; i < count; i++)
            store_u16(at + offsets[places[i]], (uint16_t)values[i]);
    else
        for (uint32_t i = 0; i < count; i++)
            at[offsets[places[i]]] = (unsigned char)values[i];
}

/* The same value in every frame. */
static void put_constant(struct pack *pack, const uint16_t *places, uint32_t count,
                         const struct pack_field *field, uint64_t value)
{
    unsigned char *at = pack->frames + field->offset;
    const uint32_t *offsets = pack->offset_of;
    if (field->size == 1)
        for (uint32_t i = 0; i < count; i++)
            at[offsets[places[i]]] = (unsigned char)value;
    else if (field->size == 4)
        for (uint32_t i = 0; i < count; i++)
            store_u32(at + offsets[places[i]], (uint32_t)value);
    else
        for (uint32_t i = 0; i < count; i++)
            memcpy(at + offsets[places[i]], &value, field->size);
}

/* Nothing but its base is told. */
static bool is_constant(const struct column_head *head)
{
    return head->width == 0 && head->outliers == 0 && head->ref == COLUMN_NO_REF;
}

/* The instruments of a record class, as the strands tell them. */
static void put_instruments(struct pack *pack, uint32_t group, uint32_t count,
                            const struct column_strands *strands)
{
    for (uint32_t s = 0; s < strands->count; s++) {
        uint32_t end = s + 1 < strands->count ? strands->starts[s + 1] : count;
        uint32_t instrument = pack->strands[pack->groups[group].strand + s].instrument;
        for (uint32_t i = strands->starts[s]; i < end; i++)
            pack->values[i] = instrument;
    }
}

int pack_read_fields(struct pack *pack, uint32_t group, const unsigned char *raw, size_t size,
                     const struct column_strands *strands, struct tdk_err *err)
{
    const struct group *g = &pack->groups[group];
    const uint16_t *places = pack->place_of + g->first;
    uint32_t count = group_told(pack, group).count;
    const struct pack_layout *layout = layout_of(pack, pack->strands[g->strand].class);
    for (unsigned f = PACK_FIELD_FLAGS; f < layout->count; f++) {
        struct column_head head;
        if (layout->fields[f].is_known) {
            put_instruments(pack, group, count, strands);
            put_values(pack, places, count, &layout->fields[f]);
            continue;
        }
        size_t told = column_check(raw, size, count, &head);
        if (told == 0 || (head.ref != COLUMN_NO_REF && head.ref >= f))
            return pack_corrupt(err, "its contents contradict themselves");
        if (is_constant(&head)) {
            uint64_t base = (head.mode & COLUMN_BASE) != 0 ? load_u64(raw + sizeof head) : 0;
            put_constant(pack, places, count, &layout->fields[f], base);
            raw += told;
            size -= told;
            continue;
        }
        column_read(raw, &head, count, strands, pack->values);
        if (head.ref != COLUMN_NO_REF)
            add_ref(pack, places, count, &layout->fields[head.ref]);
        put_values(pack, places, count, &layout->fields[f]);
        raw += told;
        size -= told;
    }
    return size == 0 ? 0 : pack_corrupt(err, "something is behind its contents");
}
