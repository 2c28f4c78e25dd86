/* pack_read.c - columns back into frames. Nothing that is stored is believed: a checksum that
 * agrees says that it was written so, not that it makes sense. */
#include "tape/pack.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "tape/column.h"
#include "tape/frame.h"
#include "tape/stamps.h"

struct strand {
    uint32_t instrument;
    uint32_t first; /* its first frame, in order of strands */
    uint32_t count;
    uint16_t entry; /* in the directory; of those that are no control frames */
    uint8_t class;
};

/* What is known of a group before it is unpacked. */
struct group {
    size_t at;     /* in what is stored */
    size_t raw_at; /* of what was not read yet of it in pack->raw, when all are unpacked */
    size_t raw_end;
    uint32_t first;  /* its first frame, in order of strands */
    uint32_t strand; /* that one's */
};

#define STRIDES (PACK_FRAMES_MAX / STAMPS_STRIDE)

struct pack {
    ZSTD_DCtx *zstd;
    const struct block_head *head; /* borrowed, like the two below, until the next pack_begin() */
    const unsigned char *stored;
    unsigned char *frames;
    unsigned char *directory; /* behind the frames */
    struct pack_head outline;
    const unsigned char *classes,
        *groups_told;       /* struct pack_class, struct pack_group; unaligned */
    struct strand *strands; /* outline.strands; ours */
    struct group *groups;   /* outline.groups; ours */
    size_t strand_room, group_room;
    uint32_t entries;
    uint32_t ticks;
    struct pack_layout layout; /* of class layout_of; 0: of none */
    uint8_t layout_of;

    unsigned char *raw; /* unpacked groups; ours */
    size_t raw_room, raw_size;
    struct stamps told_stamps;
    bool stamps_open;

    uint64_t groups_there[PACK_FRAMES_MAX / 64];
    uint64_t frames_there[PACK_FRAMES_MAX / 64]; /* by place; when it is had in parts */
    uint64_t strides_there[STRIDES / 64];
    uint64_t stamps[PACK_FRAMES_MAX];    /* by place */
    uint32_t raw_of[PACK_FRAMES_MAX];    /* by place, of frames that are kept whole: in raw */
    uint16_t strand_of[PACK_FRAMES_MAX]; /* by place */
    uint16_t place_of[PACK_FRAMES_MAX];  /* in order of strands */
    uint32_t
        offset_of[PACK_FRAMES_MAX]; /* by place: of the frame; before that is known: its span */
    uint32_t cursors[BLOCK_ENTRIES_MAX]; /* of the directory's entries */
    uint16_t starts[COLUMN_TICKS_MAX];
    uint64_t values[COLUMN_TICKS_MAX];
};

struct pack *pack_open(void)
{
    struct pack *pack = calloc(1, sizeof *pack);
    if (pack == NULL)
        return NULL;
    pack->zstd = ZSTD_createDCtx();
    if (pack->zstd == NULL) {
        free(pack);
        return NULL;
    }
    return pack;
}

void pack_close(struct pack *pack)
{
    if (pack == NULL)
        return;
    ZSTD_freeDCtx(pack->zstd);
    free(pack->strands);
    free(pack->groups);
    free(pack->raw);
    free(pack);
}

static int corrupt(struct tdk_err *err, const char *what)
{
    return err_set(err, TDK_ECORRUPT, "packed block: %s", what);
}

static bool grow(void **bytes, size_t *room, size_t size)
{
    if (*room >= size)
        return true;
    free(*bytes);
    *room = 0;
    *bytes = malloc(size);
    if (*bytes != NULL)
        *room = size;
    return *bytes != NULL;
}

static bool has_bit(const uint64_t *bits, size_t i)
{
    return (bits[i / 64] >> i % 64 & 1) != 0;
}

static void set_bit(uint64_t *bits, size_t i)
{
    bits[i / 64] |= UINT64_C(1) << i % 64;
}

static struct pack_group group_told(const struct pack *pack, uint32_t group)
{
    struct pack_group told;
    memcpy(&told, pack->groups_told + group * sizeof told, sizeof told);
    return told;
}

static struct pack_class class_told(const struct pack *pack, uint8_t class)
{
    struct pack_class told;
    memcpy(&told, pack->classes + (class - PACK_CLASSES) * sizeof told, sizeof told);
    return told;
}

/* ---- the outline ---- */

size_t pack_outline_size(const struct block_head *head, const void *stored)
{
    uint32_t size = load_u32(stored);
    return size >= sizeof(struct pack_head) && size <= head->stored_size && size % 8 == 0 ? size
                                                                                          : 0;
}

static bool outline_is_possible(const struct pack *pack)
{
    const struct pack_head *o = &pack->outline;
    const struct block_head *head = pack->head;
    size_t fixed = sizeof *o + o->classes * sizeof(struct pack_class) +
                   (size_t)o->groups * sizeof(struct pack_group);
    return o->classes <= PACK_CLASSES_MAX && o->frames <= PACK_FRAMES_MAX &&
           o->frames == head->count + head->controls && o->groups >= 1 &&
           o->groups <= PACK_GROUPS_MAX && o->strands >= 1 && o->strands <= o->frames &&
           fixed <= o->outline_size && o->stamps_size % 8 == 0 &&
           o->stamps_size <= head->stored_size - o->outline_size &&
           (o->uniform == 0 || (o->uniform >= sizeof(struct tdk_frame) && o->uniform % 8 == 0 &&
                                (uint64_t)o->uniform * o->frames == head->frames_size &&
                                head->controls == 0 && head->lost == 0));
}

static bool class_is_possible(const struct pack *pack, uint8_t number)
{
    struct pack_class class = class_told(pack, number);
    uint32_t uniform = pack->outline.uniform;
    return class.size <= PACK_SIZE_MAX && class.type != TDK_TYPE_PADDING &&
           !tdk_type_is_control(class.type) && class.record <= 1 && class.zero == 0 &&
           (!class.record || class.size >= sizeof(struct tdk_dbn_head)) &&
           (uniform == 0 || tdk_frame_span(class.size) == uniform);
}

struct input {
    const unsigned char *at, *end;
};

static bool read_varint(struct input *in, uint32_t *x)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35 && in->at < in->end; shift += 7) {
        unsigned char byte = *in->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            *x = (uint32_t)value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

static bool read_strand(const struct pack *pack, struct input *in, uint32_t first,
                        struct strand *strand)
{
    if (in->at == in->end)
        return false;
    *strand = (struct strand){.class = *in->at++, .first = first};
    return read_varint(in, &strand->instrument) && read_varint(in, &strand->count) &&
           strand->count >= 1 && strand->count <= pack->outline.frames - first &&
           strand->class < PACK_CLASSES + pack->outline.classes;
}

/* In order of class and instrument, each once, and together every frame. */
static bool read_strands(struct pack *pack, struct input in)
{
    uint32_t first = 0;
    pack->ticks = 0;
    for (uint32_t i = 0; i < pack->outline.strands; i++) {
        struct strand *s = &pack->strands[i];
        if (!read_strand(pack, &in, first, s))
            return false;
        if (i > 0 && (s->class < s[-1].class ||
                      (s->class == s[-1].class && s->instrument <= s[-1].instrument)))
            return false;
        first += s->count;
        pack->ticks += s->class != PACK_CONTROL ? s->count : 0;
    }
    return first == pack->outline.frames && pack->ticks == pack->head->count;
}

/* Each within one class, and together every frame; their bytes one behind the other. */
static bool read_groups(struct pack *pack)
{
    enum { RAW_EXTRA = 8192 }; /* heads of columns, outliers */
    const struct block_head *head = pack->head;
    uint64_t raw_max = 3 * (uint64_t)head->frames_size + pack->outline.groups * (uint64_t)RAW_EXTRA;
    uint64_t at = (uint64_t)pack->outline.outline_size + pack->outline.stamps_size, raw_at = 0;
    uint32_t first = 0, strand = 0;
    for (uint32_t i = 0; i < pack->outline.groups; i++) {
        struct pack_group told = group_told(pack, i);
        pack->groups[i] =
            (struct group){(size_t)at, (size_t)raw_at, (size_t)raw_at + told.raw, first, strand};
        if (told.count == 0 || told.count > COLUMN_TICKS_MAX ||
            told.count > pack->outline.frames - first || told.stored > head->stored_size - at ||
            told.raw > raw_max - raw_at || told.stored > told.raw)
            return false;
        uint8_t class = pack->strands[strand].class;
        first += told.count;
        while (strand + 1 < pack->outline.strands && pack->strands[strand + 1].first < first)
            if (pack->strands[++strand].class != class)
                return false;
        if (strand + 1 < pack->outline.strands && pack->strands[strand + 1].first == first)
            strand++;
        at += told.stored;
        raw_at += told.raw;
    }
    pack->raw_size = (size_t)raw_at;
    return first == pack->outline.frames;
}

/* ---- the directory ---- */

static int compare_strands(const void *a, const void *b)
{
    const struct strand *const *x = a, *const *y = b;
    return (*x)->instrument < (*y)->instrument ? -1 : (*x)->instrument > (*y)->instrument;
}

static struct directory_entry *entries_of(const struct pack *pack)
{
    return (void *)(pack->directory + sizeof(struct directory_head));
}

/* One for each instrument, whatever classes its ticks are of; cursors[] gets their counts. */
static bool count_entries(struct pack *pack, struct strand **order, uint32_t count)
{
    pack->entries = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || order[i]->instrument != order[i - 1]->instrument) {
            if (pack->entries == BLOCK_ENTRIES_MAX)
                return false;
            pack->cursors[pack->entries++] = 0;
        }
        order[i]->entry = (uint16_t)(pack->entries - 1);
        pack->cursors[pack->entries - 1] += order[i]->count;
    }
    return true;
}

static size_t directory_size(const struct directory_head *d)
{
    return align_up(sizeof *d + d->entries * sizeof(struct directory_entry) +
                        d->anchors * sizeof(uint32_t) + d->ordinals * sizeof(uint16_t),
                    8);
}

/* Head and entries; cursors[] become the places of their first ordinals. */
static bool write_entries(struct pack *pack, struct strand **order, uint32_t count)
{
    struct directory_head d = {
        .entries = pack->entries,
        .ordinals = pack->entries == 1 ? 0 : pack->ticks,
        .uniform = pack->outline.uniform,
    };
    if (d.uniform == 0)
        d.anchors = (pack->ticks + DIRECTORY_STRIDE - 1) / DIRECTORY_STRIDE;
    if (directory_size(&d) != pack->head->directory_size)
        return false;
    memset(pack->directory, 0, pack->head->directory_size);
    memcpy(pack->directory, &d, sizeof d);
    struct directory_entry *entries = entries_of(pack);
    uint32_t place = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t entry = order[i]->entry;
        if (i > 0 && entry == order[i - 1]->entry)
            continue;
        entries[entry] = (struct directory_entry){order[i]->instrument, place};
        uint32_t ticks = pack->cursors[entry];
        pack->cursors[entry] = place;
        place += ticks;
    }
    return true;
}

static int begin_directory(struct pack *pack, struct tdk_err *err)
{
    struct strand **order = malloc(pack->outline.strands * sizeof(struct strand *));
    if (order == NULL)
        return err_set(err, -ENOMEM, "unpack a block");
    uint32_t count = 0;
    for (uint32_t i = 0; i < pack->outline.strands; i++)
        if (pack->strands[i].class != PACK_CONTROL)
            order[count++] = &pack->strands[i];
    if (count > 0 && order[0]->class != order[count - 1]->class)
        qsort(order, count, sizeof(struct strand *), compare_strands);
    bool right = count_entries(pack, order, count) && write_entries(pack, order, count);
    free(order);
    return right ? 0 : corrupt(err, "it tells other instruments than its head");
}

static uint16_t *ordinals_of(const struct pack *pack)
{
    struct directory_head d;
    memcpy(&d, pack->directory, sizeof d);
    return d.ordinals == 0
               ? NULL
               : (void *)(pack->directory + sizeof d + d.entries * sizeof(struct directory_entry) +
                          d.anchors * sizeof(uint32_t));
}

/* ---- begin ---- */

static int parse(struct pack *pack, struct tdk_err *err)
{
    struct pack_head *o = &pack->outline;
    memcpy(o, pack->stored, sizeof *o);
    if (!outline_is_possible(pack))
        return corrupt(err, "its outline contradicts its head");
    if (!grow((void **)&pack->strands, &pack->strand_room, o->strands * sizeof *pack->strands) ||
        !grow((void **)&pack->groups, &pack->group_room, o->groups * sizeof *pack->groups))
        return err_set(err, -ENOMEM, "unpack a block");
    pack->classes = pack->stored + sizeof *o;
    pack->groups_told = pack->classes + o->classes * sizeof(struct pack_class);
    struct input in = {pack->groups_told + o->groups * sizeof(struct pack_group),
                       pack->stored + o->outline_size};
    for (unsigned class = 0; class < o->classes; class ++)
        if (!class_is_possible(pack, (uint8_t)(PACK_CLASSES + class)))
            return corrupt(err, "its outline contradicts itself");
    if (!read_strands(pack, in) || !read_groups(pack))
        return corrupt(err, "its outline contradicts itself");
    return begin_directory(pack, err);
}

int pack_begin(struct pack *pack, const struct block_head *head, const unsigned char *stored,
               unsigned char *buffer, struct block_view *view, struct tdk_err *err)
{
    size_t size = pack_outline_size(head, stored);
    pack->head = head;
    pack->stored = stored;
    pack->frames = buffer;
    pack->directory = buffer + head->frames_size;
    pack->layout_of = 0;
    pack->stamps_open = false;
    if (size == 0 || head->count == 0 || crc32c(0, stored, size) != head->entries_crc)
        return corrupt(err, "its outline fails its checksum");
    int rc = parse(pack, err);
    if (rc < 0)
        return rc;
    memset(pack->groups_there, 0, (pack->outline.groups + 63) / 64 * sizeof(uint64_t));
    memset(pack->frames_there, 0, (pack->outline.frames + 63) / 64 * sizeof(uint64_t));
    memset(pack->strides_there, 0, sizeof pack->strides_there);
    *view = (struct block_view){head, pack->frames, pack->directory};
    return 0;
}

bool pack_has_parts(const struct pack *pack)
{
    return pack->outline.uniform != 0 && pack->strands[0].class >= PACK_CLASSES;
}

/* ---- times ---- */

static int open_stamps(struct pack *pack, struct tdk_err *err)
{
    const struct pack_head *o = &pack->outline;
    const unsigned char *at = pack->stored + o->outline_size;
    if (pack->stamps_open)
        return 0;
    if (crc32c(0, at, o->stamps_size) != o->stamps_crc)
        return corrupt(err, "its times fail their checksum");
    if (!stamps_open(&pack->told_stamps, at, o->stamps_size, o->frames))
        return corrupt(err, "its times contradict themselves");
    pack->stamps_open = true;
    return 0;
}

/* ---- a group: its bytes, and where its frames lie in the block ---- */

static int unpack_group(struct pack *pack, uint32_t group, unsigned char *raw, struct tdk_err *err)
{
    struct pack_group told = group_told(pack, group);
    const unsigned char *at = pack->stored + pack->groups[group].at;
    if (told.stored == told.raw) {
        memcpy(raw, at, told.raw);
        return 0;
    }
    if (ZSTD_getFrameContentSize(at, told.stored) != told.raw ||
        ZSTD_decompressDCtx(pack->zstd, raw, told.raw, at, told.stored) != told.raw)
        return corrupt(err, "its contents cannot be unpacked");
    return 0;
}

static struct column_strands starts_of(struct pack *pack, uint32_t group, uint32_t count)
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
static size_t read_places(struct pack *pack, uint32_t group, const unsigned char *raw,
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

static int read_fields(struct pack *pack, uint32_t group, const unsigned char *raw, size_t size,
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
            return corrupt(err, "its contents contradict themselves");
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
    return size == 0 ? 0 : corrupt(err, "something is behind its contents");
}

/* ---- everything ---- */

/* Frames that are kept whole: where they are until each is put in its place, and their spans. */
static bool note_whole(struct pack *pack, uint32_t group, const unsigned char *raw, size_t size)
{
    const uint16_t *places = pack->place_of + pack->groups[group].first;
    bool control = pack->strands[pack->groups[group].strand].class == PACK_CONTROL;
    for (uint32_t i = 0; i < group_told(pack, group).count; i++) {
        struct tdk_frame frame;
        if (size < sizeof frame)
            return false;
        memcpy(&frame, raw, sizeof frame);
        if (frame.size > TDK_PAYLOAD_HARD_MAX || tdk_frame_span(frame.size) > size ||
            (tdk_type_is_control(frame.type) != 0) != control || frame.type == TDK_TYPE_PADDING)
            return false;
        size_t span = tdk_frame_span(frame.size);
        pack->offset_of[places[i]] = (uint32_t)span;
        pack->raw_of[places[i]] = (uint32_t)(raw - pack->raw);
        raw += span;
        size -= span;
    }
    return size == 0;
}

static void note_spans(struct pack *pack, uint32_t group)
{
    const struct group *g = &pack->groups[group];
    uint32_t span = (uint32_t)tdk_frame_span(class_told(pack, pack->strands[g->strand].class).size);
    for (uint32_t i = 0; i < group_told(pack, group).count; i++)
        pack->offset_of[pack->place_of[g->first + i]] = span;
}

static bool find_group(struct pack *pack, uint32_t group)
{
    struct pack_group told = group_told(pack, group);
    unsigned char *raw = pack->raw + pack->groups[group].raw_at;
    struct column_strands strands = starts_of(pack, group, told.count);
    size_t size = read_places(pack, group, raw, &strands);
    pack->groups[group].raw_at += size; /* the fields are behind */
    if (size == 0)
        return false;
    if (pack->strands[pack->groups[group].strand].class < PACK_CLASSES)
        return note_whole(pack, group, raw + size, told.raw - size);
    note_spans(pack, group);
    return true;
}

/* Unpack every group, and find the place and span of each frame. */
static int find_all(struct pack *pack, struct tdk_err *err)
{
    if (!grow((void **)&pack->raw, &pack->raw_room, pack->raw_size))
        return err_set(err, -ENOMEM, "unpack a block");
    memset(pack->offset_of, 0, pack->outline.frames * sizeof *pack->offset_of);
    for (uint32_t i = 0; i < pack->outline.groups; i++) {
        int rc = unpack_group(pack, i, pack->raw + pack->groups[i].raw_at, err);
        if (rc < 0)
            return rc;
        if (!find_group(pack, i))
            return corrupt(err, "its contents contradict themselves");
    }
    return 0;
}

static void put_head(struct pack *pack, uint32_t place, const struct pack_class *class,
                     uint64_t seq)
{
    unsigned char *at = pack->frames + pack->offset_of[place];
    struct tdk_frame frame = {.size = class->size,
                              .track = pack->head->track,
                              .type = class->type,
                              .seq = seq,
                              .ts = pack->stamps[place]};
    if (class->size % 8 != 0)
        memset(at + tdk_frame_span(class->size) - 8, 0, 8);
    memcpy(at, &frame, sizeof frame);
}

struct walk {
    size_t at;    /* behind the frame that is being put */
    uint64_t seq; /* of the next tick */
    uint32_t ordinal;
    uint16_t *ordinals;     /* NULL: one instrument */
    unsigned char *anchors; /* NULL: uniform */
};

static void list_tick(struct pack *pack, struct walk *w, const struct strand *strand, uint32_t span)
{
    if (w->ordinals != NULL)
        w->ordinals[pack->cursors[strand->entry]++] = (uint16_t)w->ordinal;
    if (w->anchors != NULL && w->ordinal % DIRECTORY_STRIDE == 0)
        store_u32(w->anchors + w->ordinal / DIRECTORY_STRIDE * sizeof(uint32_t),
                  (uint32_t)(w->at - span));
    w->ordinal++;
    w->seq++;
}

/* A frame that was kept whole, into its place. */
static void put_whole(struct pack *pack, struct walk *w, uint32_t place, uint32_t span)
{
    const unsigned char *raw = pack->raw + pack->raw_of[place];
    struct tdk_frame frame;
    memcpy(&frame, raw, sizeof frame);
    memcpy(pack->frames + pack->offset_of[place], raw, span);
    if (frame.type == TDK_TYPE_LOSS && frame.size == sizeof(struct tdk_loss))
        w->seq += load_u64(raw + sizeof frame + offsetof(struct tdk_loss, count));
}

/* Each frame in the block's order: its head, or the whole of it; the directory's lists. */
static int put_all(struct pack *pack, struct tdk_err *err)
{
    struct walk w = {.seq = pack->head->first_seq, .ordinals = ordinals_of(pack)};
    struct pack_class classes[PACK_CLASSES + PACK_CLASSES_MAX];
    if (pack->outline.uniform == 0)
        w.anchors = pack->directory + sizeof(struct directory_head) +
                    pack->entries * sizeof(struct directory_entry);
    for (unsigned i = 0; i < pack->outline.classes; i++)
        classes[PACK_CLASSES + i] = class_told(pack, (uint8_t)(PACK_CLASSES + i));
    for (uint32_t i = 0; i < pack->outline.frames; i++) {
        uint32_t span = pack->offset_of[i];
        if (span == 0 || span > pack->head->frames_size - w.at) /* 0: no strand has it */
            return corrupt(err, "its frames do not fill it");
        const struct strand *strand = &pack->strands[pack->strand_of[i]];
        pack->offset_of[i] = (uint32_t)w.at;
        w.at += span;
        if (strand->class < PACK_CLASSES)
            put_whole(pack, &w, i, span);
        else
            put_head(pack, i, &classes[strand->class], w.seq);
        if (strand->class != PACK_CONTROL)
            list_tick(pack, &w, strand, span);
    }
    return w.at == pack->head->frames_size ? 0 : corrupt(err, "its frames do not fill it");
}

static int read_all_stamps(struct pack *pack, struct tdk_err *err)
{
    int rc = open_stamps(pack, err);
    for (uint32_t i = 0; rc == 0 && i * STAMPS_STRIDE < pack->outline.frames; i++)
        if (!stamps_read(&pack->told_stamps, i, pack->stamps))
            rc = corrupt(err, "its times contradict themselves");
    return rc;
}

static int read_all_fields(struct pack *pack, struct tdk_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < pack->outline.groups && rc == 0; i++) {
        const struct group *g = &pack->groups[i];
        struct pack_group told = group_told(pack, i);
        if (pack->strands[g->strand].class < PACK_CLASSES)
            continue;
        struct column_strands strands = starts_of(pack, i, told.count);
        rc = read_fields(pack, i, pack->raw + g->raw_at, g->raw_end - g->raw_at, &strands, err);
    }
    return rc;
}

int pack_all(struct pack *pack, struct tdk_err *err)
{
    int rc = read_all_stamps(pack, err);
    if (rc == 0)
        rc = find_all(pack, err);
    if (rc == 0)
        rc = put_all(pack, err);
    return rc == 0 ? read_all_fields(pack, err) : rc;
}

/* ---- in parts ---- */

/* The heads of a group's frames, whose places are known. */
static bool put_heads(struct pack *pack, uint32_t group)
{
    const struct group *g = &pack->groups[group];
    struct pack_class class = class_told(pack, pack->strands[g->strand].class);
    for (uint32_t i = 0; i < group_told(pack, group).count; i++) {
        uint16_t place = pack->place_of[g->first + i];
        uint32_t stride = place / STAMPS_STRIDE;
        if (!has_bit(pack->strides_there, stride) &&
            !stamps_read(&pack->told_stamps, stride, pack->stamps))
            return false;
        set_bit(pack->strides_there, stride);
        pack->offset_of[place] = place * pack->outline.uniform;
        put_head(pack, place, &class, pack->head->first_seq + place);
    }
    return true;
}

static void note_there(struct pack *pack, uint32_t group)
{
    const struct group *g = &pack->groups[group];
    for (uint32_t i = 0; i < group_told(pack, group).count; i++)
        set_bit(pack->frames_there, pack->place_of[g->first + i]);
    set_bit(pack->groups_there, group);
}

/* One group of uniform frames, alone. */
static int read_group(struct pack *pack, uint32_t group, struct tdk_err *err)
{
    struct pack_group told = group_told(pack, group);
    if (crc32c(0, pack->stored + pack->groups[group].at, told.stored) != told.crc)
        return corrupt(err, "a group fails its checksum");
    if (!grow((void **)&pack->raw, &pack->raw_room, told.raw))
        return err_set(err, -ENOMEM, "unpack a block");
    int rc = unpack_group(pack, group, pack->raw, err);
    if (rc < 0)
        return rc;
    struct column_strands strands = starts_of(pack, group, told.count);
    size_t size = read_places(pack, group, pack->raw, &strands);
    if (size == 0 || !put_heads(pack, group))
        return corrupt(err, "its contents contradict themselves");
    rc = read_fields(pack, group, pack->raw + size, told.raw - size, &strands, err);
    if (rc == 0)
        note_there(pack, group);
    return rc;
}

static int need_groups(struct pack *pack, const struct strand *strand, pack_need_cb *need,
                       void *context, struct tdk_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < pack->outline.groups && rc == 0; i++) {
        const struct group *g = &pack->groups[i];
        struct pack_group told = group_told(pack, i);
        if (g->first + told.count <= strand->first || g->first >= strand->first + strand->count ||
            has_bit(pack->groups_there, i))
            continue;
        rc = need(context, g->at, told.stored, err);
        if (rc == 0)
            rc = read_group(pack, i, err);
    }
    return rc;
}

static int compare_u16(const void *a, const void *b)
{
    return (int)load_u16(a) - (int)load_u16(b);
}

int pack_instrument(struct pack *pack, uint32_t instrument_id, pack_need_cb *need, void *context,
                    struct tdk_err *err)
{
    uint16_t *ordinals = ordinals_of(pack);
    uint32_t listed = 0, first = 0;
    int rc = pack->stamps_open
                 ? 0
                 : need(context, pack->outline.outline_size, pack->outline.stamps_size, err);
    if (rc == 0)
        rc = open_stamps(pack, err);
    for (uint32_t i = 0; i < pack->outline.strands && rc == 0; i++) {
        const struct strand *strand = &pack->strands[i];
        if (strand->instrument != instrument_id)
            continue;
        rc = need_groups(pack, strand, need, context, err);
        if (rc < 0 || ordinals == NULL)
            continue;
        first = entries_of(pack)[strand->entry].first;
        memcpy(ordinals + first + listed, pack->place_of + strand->first,
               strand->count * sizeof *ordinals);
        listed += strand->count;
        if (listed > strand->count) /* of several classes */
            qsort(ordinals + first, listed, sizeof *ordinals, compare_u16);
    }
    return rc;
}

bool pack_has_frame(const struct pack *pack, size_t offset)
{
    uint32_t uniform = pack->outline.uniform;
    return uniform != 0 && offset % uniform == 0 && has_bit(pack->frames_there, offset / uniform);
}
