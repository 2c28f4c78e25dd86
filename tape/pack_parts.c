/*
 * pack_parts.c - some instruments' ticks out of a packed block, side by side.
 *
 * All ticks have one span, so a tick's rank among the picked ones gives its place in the result.
 * The groups that have picked ticks are unpacked, and give the places of these in the block. In
 * order, the places give the ranks, and say which times are needed. Then the frames are written: of
 * each group no more than lies between its first and its last picked frame.
 */
#include <errno.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "tape/pack_inner.h"
#include "tape/select.h"

/* ---- which ---- */

/* Mark the strands of these instruments. True: they are not the same as before. */
static bool choose_strands(struct pack *pack, const struct picks *picks)
{
    bool changed = !pack->is_picked;
    pack->picked = pack->wanted_count = 0;
    for (uint32_t at = 0; at < pack->outline.strands; at += 64) {
        uint64_t wanted = 0;
        for (uint32_t i = at; i < pack->outline.strands && i < at + 64; i++)
            if (picks_name(picks, pack->strands[i].instrument)) {
                wanted |= UINT64_C(1) << i % 64;
                pack->wanted_count++;
                pack->picked += pack->strands[i].count;
            }
        changed |= wanted != pack->wanted[at / 64];
        pack->wanted[at / 64] = wanted;
    }
    return changed;
}

/* Find the range of a group's frames that contains those of the marked strands. */
static void choose_frames(const struct pack *pack, struct group *g, uint32_t count)
{
    g->begin = g->end = 0;
    for (uint32_t s = g->strand; s < pack->outline.strands; s++) {
        const struct strand *strand = &pack->strands[s];
        if (strand->first >= g->first + count)
            break;
        if (!has_bit(pack->wanted, s))
            continue;
        uint32_t end = strand->first + strand->count - g->first;
        if (g->begin == g->end)
            g->begin = strand->first > g->first ? strand->first - g->first : 0;
        g->end = end < count ? end : count;
    }
}

/* Do this for each group. Groups that have some will be unpacked one after the other. Returns the
 * bytes that this takes. */
static size_t choose_groups(struct pack *pack)
{
    size_t size = 0;
    for (uint32_t i = 0; i < pack->outline.groups; i++) {
        struct group *g = &pack->groups[i];
        struct pack_group told = group_told(pack, i);
        choose_frames(pack, g, told.count);
        g->raw_at = size;
        size += g->begin < g->end ? told.raw : 0;
        g->raw_end = size;
    }
    return size;
}

/* ---- where ---- */

static int find_places(struct pack *pack, uint32_t group, struct tdk_err *err)
{
    struct group *g = &pack->groups[group];
    const struct pack_group told = group_told(pack, group);
    if (crc32c(0, pack->stored + g->at, told.stored) != told.crc)
        return pack_corrupt(err, "a group fails its checksum");
    int rc = pack_unpack_group(pack, group, pack->raw.bytes + g->raw_at, err);
    if (rc < 0)
        return rc;
    const struct column_strands strands = pack_starts(pack, group, told.count);
    size_t size = pack_read_places(pack, group, pack->raw.bytes + g->raw_at, &strands);
    g->raw_at += size; /* the fields follow */
    return size > 0 ? 0 : pack_contradicts(err);
}

static int find_all_places(struct pack *pack, pack_need_cb *need, void *context,
                           struct tdk_err *err)
{
    int rc = 0;
    size_t size = choose_groups(pack);
    if (!pack_need(&pack->raw, size))
        return err_set(err, -ENOMEM, "unpack a block");
    for (uint32_t i = 0; i < pack->outline.groups && rc == 0; i++) {
        if (pack->groups[i].begin == pack->groups[i].end)
            continue;
        rc = need(context, pack->groups[i].at, group_told(pack, i).stored, err);
        if (rc == 0)
            rc = find_places(pack, i, err);
    }
    return rc;
}

/* One strand: its places are in order. */
static void rank_one(struct pack *pack, const struct strand *strand)
{
    memcpy(pack->picked_place, pack->place_of + strand->first,
           strand->count * sizeof *pack->place_of);
    for (uint32_t i = 0; i < strand->count; i++)
        pack->rank_of[strand->first + i] = (uint16_t)i;
}

/* Frames that only lie between picked ones all go after the picked ones, on top of each other.
 * False: two frames claim the same place. */
static bool rank_many(struct pack *pack)
{
    static_assert(PACK_FRAMES_MAX <= UINT16_MAX + 1, "a rank");
    uint64_t marks[PACK_FRAMES_MAX / 64] = {0};
    uint32_t *rank_at = pack->offset_of, rank = 0;
    for (uint32_t s = 0; s < pack->outline.strands; s++)
        for (uint32_t i = 0; has_bit(pack->wanted, s) && i < pack->strands[s].count; i++)
            set_bit(marks, pack->place_of[pack->strands[s].first + i]);
    for (uint32_t word = 0; word < PACK_FRAMES_MAX / 64; word++)
        for (uint64_t left = marks[word]; left != 0; left &= left - 1) {
            uint32_t place = word * 64 + (uint32_t)__builtin_ctzll(left);
            pack->picked_place[rank] = (uint16_t)place;
            rank_at[place] = rank++;
        }
    if (rank != pack->picked)
        return false;
    for (uint32_t s = 0; s < pack->outline.strands; s++) {
        const struct strand *strand = &pack->strands[s];
        bool wanted = has_bit(pack->wanted, s);
        for (uint32_t i = strand->first; i < strand->first + strand->count; i++)
            pack->rank_of[i] = (uint16_t)(wanted ? rank_at[pack->place_of[i]] : rank);
    }
    return true;
}

static bool rank_all(struct pack *pack)
{
    if (pack->wanted_count > 1)
        return rank_many(pack);
    for (uint32_t s = 0; s < pack->outline.strands; s++)
        if (has_bit(pack->wanted, s))
            rank_one(pack, &pack->strands[s]);
    return true;
}

/* ---- what ---- */

static int read_times(struct pack *pack, pack_need_cb *need, void *context, struct tdk_err *err)
{
    uint64_t stamps[STAMPS_STRIDE];
    uint32_t here = UINT32_MAX;
    int rc = pack->stamps_open
                 ? 0
                 : need(context, pack->outline.outline_size, pack->outline.stamps_size, err);
    if (rc == 0)
        rc = pack_open_stamps(pack, err);
    for (uint32_t i = 0; i < pack->picked && rc == 0; i++) {
        uint32_t place = pack->picked_place[i], stride = place / STAMPS_STRIDE;
        if (stride != here && !stamps_read(&pack->told_stamps, stride, stamps))
            return pack_contradicts(err);
        here = stride;
        pack->stamps[i] = stamps[place % STAMPS_STRIDE];
    }
    return rc;
}

static int read_fields(struct pack *pack, struct tdk_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < pack->outline.groups && rc == 0; i++) {
        const struct group *g = &pack->groups[i];
        if (g->begin == g->end)
            continue;
        const struct column_strands strands = pack_starts(pack, i, group_told(pack, i).count);
        const struct pack_part part = {g->begin, g->end, pack->rank_of + g->first};
        rc = pack_read_fields(pack, i, pack->raw.bytes + g->raw_at, g->raw_end - g->raw_at,
                              &strands, &part, err);
    }
    return rc;
}

static int lay_picked(struct pack *pack, pack_need_cb *need, void *context, struct tdk_err *err)
{
    enum { BEHIND = 8 }; /* as in a whole block, where the directory follows */
    const size_t size = (pack->picked + (size_t)1) * pack->outline.uniform + BEHIND;
    int rc = find_all_places(pack, need, context, err);
    if (rc == 0 && !rank_all(pack))
        rc = pack_contradicts(err);
    if (rc == 0)
        rc = read_times(pack, need, context, err);
    if (rc == 0 && !pack_need(&pack->picked_frames, size))
        rc = err_set(err, -ENOMEM, "unpack a block");
    pack->frames = pack->picked_frames.bytes;
    return rc == 0 ? read_fields(pack, err) : rc;
}

int pack_pick(struct pack *pack, const struct picks *picks, pack_need_cb *need, void *context,
              struct pack_picked *picked, struct tdk_err *err)
{
    if (choose_strands(pack, picks) && pack->picked > 0) {
        pack->is_picked = false;
        int rc = lay_picked(pack, need, context, err);
        if (rc < 0)
            return rc;
        pack->is_picked = true;
    }
    *picked = (struct pack_picked){pack->picked_frames.bytes, pack->picked};
    return 0;
}
