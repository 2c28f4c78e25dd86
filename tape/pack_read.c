/* pack_read.c - all of a packed block. */
#include <errno.h>
#include <stdlib.h>

#include "base/buffers.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "tape/pack_inner.h"

static void give_back(struct pack *pack)
{
    if (pack->is_mapped)
        buffers_unmap(pack, sizeof *pack);
    else
        free(pack);
}

struct pack *pack_open(enum pack_use use)
{
    bool whole = use == PACK_WHOLE_BLOCKS;
    struct pack *pack = whole ? buffers_map(sizeof *pack) : calloc(1, sizeof *pack);
    if (pack == NULL)
        return NULL;
    pack->is_mapped = whole;
    pack->zstd = ZSTD_createDCtx();
    if (pack->zstd == NULL) {
        give_back(pack);
        return NULL;
    }
    return pack;
}

bool pack_is_for(const struct pack *pack, enum pack_use use)
{
    return pack->is_mapped || use == PACK_IN_PARTS;
}

void pack_close(struct pack *pack)
{
    if (pack == NULL)
        return;
    ZSTD_freeDCtx(pack->zstd);
    scratch_close(&pack->strand_memory);
    scratch_close(&pack->group_memory);
    scratch_close(&pack->raw);
    scratch_close(&pack->own_directory);
    scratch_close(&pack->picked_frames);
    give_back(pack);
}

/* ---- times ---- */

int pack_open_stamps(struct pack *pack, struct tdk_err *err)
{
    const struct pack_head *o = &pack->outline;
    const unsigned char *at = pack->stored + o->outline_size;
    if (pack->stamps_open)
        return 0;
    if (crc32c(0, at, o->stamps_size) != o->stamps_crc)
        return pack_corrupt(err, "its times fail their checksum");
    if (!stamps_open(&pack->told_stamps, at, o->stamps_size, o->frames))
        return pack_corrupt(err, "its times contradict themselves");
    pack->stamps_open = true;
    return 0;
}

static int read_stamps(struct pack *pack, struct tdk_err *err)
{
    int rc = pack_open_stamps(pack, err);
    for (uint32_t i = 0; rc == 0 && i * STAMPS_STRIDE < pack->outline.frames; i++)
        if (!stamps_read(&pack->told_stamps, i, pack->stamps + (size_t)i * STAMPS_STRIDE))
            rc = pack_corrupt(err, "its times contradict themselves");
    return rc;
}

/* All frames of a group, each going to its own place. */
static struct pack_part all_of(const struct pack *pack, uint32_t group)
{
    return (struct pack_part){0, group_told(pack, group).count,
                              pack->place_of + pack->groups[group].first};
}

/* ---- ticks of one class and one span: group by group ---- */

static bool is_plain(const struct pack *pack)
{
    return pack_has_parts(pack) &&
           pack->strands[0].class == pack->strands[pack->outline.strands - 1].class;
}

static void note_seen(struct pack *pack, uint32_t group)
{
    const uint16_t *places = pack->place_of + pack->groups[group].first;
    const size_t count = group_told(pack, group).count;
    for (size_t i = 0; i < count; i++)
        pack->seen[places[i]] = true;
}

static int read_plain_group(struct pack *pack, uint32_t group, struct tdk_err *err)
{
    struct pack_group told = group_told(pack, group);
    if (!pack_need(&pack->raw, told.raw))
        return err_set(err, -ENOMEM, "unpack a block");
    int rc = pack_unpack_group(pack, group, pack->raw.bytes, err);
    if (rc < 0)
        return rc;
    struct column_strands strands = pack_starts(pack, group, told.count);
    size_t size = pack_read_places(pack, group, pack->raw.bytes, &strands);
    if (size == 0)
        return pack_contradicts(err);
    note_seen(pack, group);
    const struct pack_part all = all_of(pack, group);
    return pack_read_fields(pack, group, pack->raw.bytes + size, told.raw - size, &strands, &all,
                            err);
}

/* The strands are in the order of the directory, and a tick's place is its ordinal. */
static int read_plain(struct pack *pack, struct tdk_err *err)
{
    const uint32_t frames = pack->outline.frames;
    uint16_t *ordinals = pack_ordinals(pack);
    int rc = 0;
    memset(pack->seen, 0, frames);
    for (uint32_t i = 0; i < pack->outline.groups && rc == 0; i++)
        rc = read_plain_group(pack, i, err);
    if (rc == 0 && memchr(pack->seen, 0, frames) != NULL)
        return pack_corrupt(err, "its frames do not fill it");
    if (rc == 0 && ordinals != NULL)
        memcpy(ordinals, pack->place_of, frames * sizeof *ordinals);
    return rc;
}

/* ---- frames of all kinds: first where each is, then what is in it ---- */

/* Note where frames that are kept whole are until each is put in its place, and what their spans
 * are. */
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
        if (pack->outline.uniform != 0 && span != pack->outline.uniform)
            return false;
        pack->offset_of[places[i]] = (uint32_t)span;
        pack->raw_of[places[i]] = (uint32_t)(raw - pack->raw.bytes);
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

static void note_strands(struct pack *pack, uint32_t group, const struct column_strands *strands)
{
    const struct group *g = &pack->groups[group];
    uint32_t next = 0;
    for (uint32_t i = 0, s = 0; i < group_told(pack, group).count; i++) {
        if (next < strands->count && strands->starts[next] == i)
            s = g->strand + next++;
        pack->strand_of[pack->place_of[g->first + i]] = (uint16_t)s;
    }
}

static bool find_group(struct pack *pack, uint32_t group)
{
    struct pack_group told = group_told(pack, group);
    unsigned char *raw = pack->raw.bytes + pack->groups[group].raw_at;
    struct column_strands strands = pack_starts(pack, group, told.count);
    size_t size = pack_read_places(pack, group, raw, &strands);
    pack->groups[group].raw_at += size; /* the fields follow */
    if (size == 0)
        return false;
    note_strands(pack, group, &strands);
    if (pack->strands[pack->groups[group].strand].class < PACK_CLASSES)
        return note_whole(pack, group, raw + size, told.raw - size);
    note_spans(pack, group);
    return true;
}

/* Unpack every group, and find the place and span of each frame. */
static int find_all(struct pack *pack, struct tdk_err *err)
{
    if (!pack_need(&pack->raw, pack->raw_size))
        return err_set(err, -ENOMEM, "unpack a block");
    memset(pack->offset_of, 0, pack->outline.frames * sizeof *pack->offset_of);
    for (uint32_t i = 0; i < pack->outline.groups; i++) {
        int rc = pack_unpack_group(pack, i, pack->raw.bytes + pack->groups[i].raw_at, err);
        if (rc < 0)
            return rc;
        if (!find_group(pack, i))
            return pack_contradicts(err);
    }
    return 0;
}

struct walk {
    size_t at;    /* where the frame that is being put ends */
    uint64_t seq; /* of the next tick */
    uint32_t ordinal;
    uint16_t *ordinals;     /* NULL: there is one instrument */
    unsigned char *anchors; /* NULL: the span is uniform */
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

/* Put a frame that was kept whole into its place. */
static void put_whole(struct pack *pack, struct walk *w, uint32_t place, uint32_t span)
{
    const unsigned char *raw = pack->raw.bytes + pack->raw_of[place];
    struct tdk_frame frame;
    memcpy(&frame, raw, sizeof frame);
    memcpy(pack->frames + pack->offset_of[place], raw, span);
    if (frame.type == TDK_TYPE_LOSS && frame.size == sizeof(struct tdk_loss))
        w->seq += load_u64(raw + sizeof frame + offsetof(struct tdk_loss, count));
}

/* For a frame that is stored by columns, put what the columns do not have. */
static void put_head(struct pack *pack, const struct walk *w, uint32_t place)
{
    unsigned char *at = pack->frames + pack->offset_of[place];
    store_u64(at + offsetof(struct tdk_frame, seq), w->seq);
    store_u64(at + offsetof(struct tdk_frame, ts), pack->stamps[place]);
}

/* Put each frame in the block's order, only its head or all of it, and fill the directory's
 * lists. */
static int put_all(struct pack *pack, struct tdk_err *err)
{
    struct walk w = {.seq = pack->head->first_seq, .ordinals = pack_ordinals(pack)};
    if (pack->outline.uniform == 0)
        w.anchors = pack->directory + sizeof(struct directory_head) +
                    pack->entries * sizeof(struct directory_entry);
    for (uint32_t i = 0; i < pack->outline.frames; i++) {
        uint32_t span = pack->offset_of[i];
        if (span == 0 || span > pack->head->frames_size - w.at) /* 0: it is in no strand */
            return pack_corrupt(err, "its frames do not fill it");
        const struct strand *strand = &pack->strands[pack->strand_of[i]];
        pack->offset_of[i] = (uint32_t)w.at;
        w.at += span;
        if (strand->class < PACK_CLASSES)
            put_whole(pack, &w, i, span);
        else
            put_head(pack, &w, i);
        if (strand->class != PACK_CONTROL)
            list_tick(pack, &w, strand, span);
    }
    return w.at == pack->head->frames_size ? 0 : pack_corrupt(err, "its frames do not fill it");
}

static int read_fields(struct pack *pack, struct tdk_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < pack->outline.groups && rc == 0; i++) {
        const struct group *g = &pack->groups[i];
        struct pack_group told = group_told(pack, i);
        if (pack->strands[g->strand].class < PACK_CLASSES)
            continue;
        const struct column_strands strands = pack_starts(pack, i, told.count);
        const struct pack_part all = all_of(pack, i);
        rc = pack_read_fields(pack, i, pack->raw.bytes + g->raw_at, g->raw_end - g->raw_at,
                              &strands, &all, err);
    }
    return rc;
}

static int read_mixed(struct pack *pack, struct tdk_err *err)
{
    int rc = find_all(pack, err);
    if (rc == 0)
        rc = put_all(pack, err);
    return rc == 0 ? read_fields(pack, err) : rc;
}

int pack_all(struct pack *pack, bool *is_right, struct tdk_err *err)
{
    int rc = read_stamps(pack, err);
    pack->is_right = is_plain(pack);
    if (rc == 0)
        rc = is_plain(pack) ? read_plain(pack, err) : read_mixed(pack, err);
    *is_right = rc == 0 && pack->is_right;
    return rc;
}
