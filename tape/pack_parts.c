/* pack_parts.c - some instruments' ticks out of a packed block. */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "tape/pack_inner.h"

/* The times of a group's frames, whose places are known. */
static bool need_times(struct pack *pack, uint32_t group)
{
    const uint16_t *places = pack->place_of + pack->groups[group].first;
    for (uint32_t i = 0; i < group_told(pack, group).count; i++) {
        uint32_t stride = places[i] / STAMPS_STRIDE;
        if (has_bit(pack->strides_there, stride))
            continue;
        if (!stamps_read(&pack->told_stamps, stride, pack->stamps + (size_t)stride * STAMPS_STRIDE))
            return false;
        set_bit(pack->strides_there, stride);
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
        return pack_corrupt(err, "a group fails its checksum");
    if (!pack_grow((void **)&pack->raw, &pack->raw_room, told.raw))
        return err_set(err, -ENOMEM, "unpack a block");
    int rc = pack_unpack_group(pack, group, pack->raw, err);
    if (rc < 0)
        return rc;
    struct column_strands strands = pack_starts(pack, group, told.count);
    size_t size = pack_read_places(pack, group, pack->raw, &strands);
    if (size == 0 || !need_times(pack, group))
        return pack_corrupt(err, "its contents contradict themselves");
    rc = pack_read_fields(pack, group, pack->raw + size, told.raw - size, &strands, err);
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
    uint16_t *ordinals = pack_ordinals(pack);
    uint32_t listed = 0, first = 0;
    int rc = pack->stamps_open
                 ? 0
                 : need(context, pack->outline.outline_size, pack->outline.stamps_size, err);
    if (rc == 0)
        rc = pack_open_stamps(pack, err);
    for (uint32_t i = 0; i < pack->outline.strands && rc == 0; i++) {
        const struct strand *strand = &pack->strands[i];
        if (strand->instrument != instrument_id)
            continue;
        rc = need_groups(pack, strand, need, context, err);
        if (rc < 0 || ordinals == NULL)
            continue;
        first = pack_entries(pack)[strand->entry].first;
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
