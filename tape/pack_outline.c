/* pack_outline.c - what is in a packed block, and where. */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "tape/pack_inner.h"
#include "tapedeck/dbn.h"

int pack_corrupt(struct tdk_err *err, const char *what)
{
    return err_set(err, TDK_ECORRUPT, "packed block: %s", what);
}

int pack_contradicts(struct tdk_err *err)
{
    return pack_corrupt(err, "its contents contradict themselves");
}

bool pack_need(struct scratch *scratch, size_t size)
{
    return scratch->room >= size + COLUMN_BEHIND ||
           scratch_need(scratch, size + size / 4 + COLUMN_BEHIND);
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

/* Strands must be in order of class and instrument, each pair once, and together have every
 * frame. */
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

/* Each group must be within one class, and together they must have every frame. Their bytes follow
 * each other. */
static bool read_groups(struct pack *pack)
{
    enum { RAW_EXTRA = 8192 }; /* for the heads of columns and for outliers */
    const struct block_head *head = pack->head;
    uint64_t raw_max = 3 * (uint64_t)head->frames_size + pack->outline.groups * (uint64_t)RAW_EXTRA;
    uint64_t at = (uint64_t)pack->outline.outline_size + pack->outline.stamps_size, raw_at = 0;
    uint32_t first = 0, strand = 0;
    for (uint32_t i = 0; i < pack->outline.groups; i++) {
        struct pack_group told = group_told(pack, i);
        pack->groups[i] = (struct group){.at = (size_t)at,
                                         .raw_at = (size_t)raw_at,
                                         .raw_end = (size_t)raw_at + told.raw,
                                         .first = first,
                                         .strand = strand};
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

/* ---- begin ---- */

static int parse(struct pack *pack, struct tdk_err *err)
{
    struct pack_head *o = &pack->outline;
    memcpy(o, pack->stored, sizeof *o);
    if (!outline_is_possible(pack))
        return pack_corrupt(err, "its outline contradicts its head");
    if (!pack_need(&pack->strand_memory, o->strands * sizeof *pack->strands) ||
        !pack_need(&pack->group_memory, o->groups * sizeof *pack->groups))
        return err_set(err, -ENOMEM, "unpack a block");
    pack->strands = (void *)pack->strand_memory.bytes;
    pack->groups = (void *)pack->group_memory.bytes;
    pack->classes = pack->stored + sizeof *o;
    pack->groups_told = pack->classes + o->classes * sizeof(struct pack_class);
    struct input in = {pack->groups_told + o->groups * sizeof(struct pack_group),
                       pack->stored + o->outline_size};
    for (unsigned class = 0; class < o->classes; class ++)
        if (!class_is_possible(pack, (uint8_t)(PACK_CLASSES + class)))
            return pack_corrupt(err, "its outline contradicts itself");
    if (!read_strands(pack, in) || !read_groups(pack))
        return pack_corrupt(err, "its outline contradicts itself");
    return pack_begin_directory(pack, err);
}

int pack_begin(struct pack *pack, const struct block_head *head, const unsigned char *stored,
               unsigned char *buffer, struct block_view *view, struct tdk_err *err)
{
    size_t size = pack_outline_size(head, stored);
    pack->head = head;
    pack->stored = stored;
    pack->frames = buffer;
    pack->directory = buffer != NULL ? buffer + head->frames_size : NULL;
    pack->layout_of = 0;
    pack->stamps_open = false;
    pack->is_picked = false;
    if (size == 0 || head->count == 0 || crc32c(0, stored, size) != head->entries_crc)
        return pack_corrupt(err, "its outline fails its checksum");
    int rc = parse(pack, err);
    if (rc < 0)
        return rc;
    *view = (struct block_view){head, pack->frames, pack->directory};
    return 0;
}

size_t pack_front_size(const struct pack *pack)
{
    return (size_t)pack->outline.outline_size + pack->outline.stamps_size;
}

bool pack_has_parts(const struct pack *pack)
{
    return pack->outline.uniform != 0 && pack->strands[0].class >= PACK_CLASSES;
}
