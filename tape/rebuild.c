#include "tape/rebuild.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/segment.h"

int retired_load_or_tell(struct retired **retired, const struct folder *folder,
                         struct damage *damage, struct tdk_err *err)
{
    struct tdk_err why;
    int rc = retired_load(retired, folder, &why);
    if (rc == 0 || retired_may_pass(rc))
        return rc < 0 ? err_say(err, rc, "%s", why.text) : 0;
    if (damage != NULL)
        damage->heads++;
    damage_tell(damage, "%s: what was deleted on purpose counts as missing", why.text);
    return retired_empty(retired, err);
}

/* ---- one segment ---- */

static unsigned long long number_of(const struct segment *segment)
{
    return (unsigned long long)segment->head.number;
}

/* Read the foot, the table and the catalogue. TDK_ECORRUPT, TDK_ETRUNCATED ...: the segment cannot
 * be read this way. */
static int read_footer(struct found *found, const struct segment *segment, struct catalog *catalog,
                       struct tdk_err *err)
{
    void *bytes = NULL;
    size_t size;
    int rc = segment_read_foot(segment, &found->foot, err);
    if (rc == 0)
        rc = segment_read_table(segment, &found->foot, &found->refs, err);
    if (rc == 0)
        rc = segment_read_catalog(segment, &found->foot, &bytes, &size, err);
    if (rc == 0)
        rc = catalog_decode(catalog, bytes, size, err);
    free(bytes);
    if (rc < 0) {
        free(found->refs);
        found->refs = NULL;
        return rc;
    }
    found->count = found->foot.blocks;
    found->has_foot = true;
    found->tells_all = rc == 0;
    return 0;
}

/* Read the states, which serve a look back in time. Without them, the blocks are looked through. */
static int read_states(struct found *found, const struct segment *segment, struct damage *damage,
                       struct tdk_err *err)
{
    struct tdk_err why = {0};
    int rc = segment_read_states(segment, &found->foot, &found->states, &why);
    if (rc == 0 || rc == -ENOENT)
        return 0;
    if (rc == -ENOMEM)
        return err_say(err, rc, "%s", why.text);
    if (damage != NULL)
        damage->footers++;
    damage_tell(damage, "segment %llu: the states in its blocks will be searched for: %s",
                number_of(segment), why.text);
    return 0;
}

/* Read a block again, to learn what it says of names and symbols. */
static int learn_block(const struct segment *segment, const struct block_ref *ref,
                       struct catalog *catalog, struct tdk_err *err)
{
    struct block_view view;
    void *buffer = malloc(ref->span);
    if (buffer == NULL)
        return err_set(err, -ENOMEM, "read %s", segment->path);
    int rc = segment_read(segment, ref, buffer, &view, NULL);
    void *unpacked = NULL;
    if (rc == 0 && view.frames == NULL) {
        size_t size = (size_t)view.head->frames_size + view.head->directory_size;
        unpacked = malloc(size);
        rc = unpacked == NULL ? -ENOMEM : block_unpack(buffer, NULL, unpacked, size, &view, NULL);
    }
    if (rc == 0)
        rc = catalog_learn(catalog, &view, NULL);
    free(unpacked);
    free(buffer);
    if (rc == -ENOMEM)
        return err_set(err, rc, "read %s", segment->path);
    return 0; /* nothing is learned from what cannot be read */
}

/* A block that rotted, at this offset: what it begins with may be whole, and in front of a track's
 * first ticks that is its name, which nothing else in an unsealed segment tells. 1: *span is how
 * far it reaches; 0: nothing to be read there. */
static int learn_rotten(const struct segment *segment, uint64_t offset, struct catalog *catalog,
                        uint32_t *span, struct tdk_err *err)
{
    struct block_head head;
    if (files_read(segment->fd, &head, sizeof head, offset) < 0 ||
        block_head_check(&head, sizeof head, NULL) < 0 || head.segment != segment->head.number ||
        memcmp(head.tape_id, segment->head.tape_id, sizeof head.tape_id) != 0)
        return 0;
    void *buffer = malloc(head.span);
    if (buffer == NULL)
        return err_set(err, -ENOMEM, "read %s", segment->path);
    const struct tdk_frame *frame = files_read(segment->fd, buffer, head.span, offset) == 0
                                        ? block_first_frame(buffer, head.span)
                                        : NULL;
    int rc = frame != NULL ? catalog_learn_track(catalog, frame, err) : 0;
    free(buffer);
    *span = head.span;
    return rc < 0 ? rc : 1;
}

static int learn_gaps(const struct found *found, const struct segment *segment,
                      struct catalog *catalog, struct tdk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < found->scan.gap_count && rc >= 0; i++) {
        const struct segment_gap *gap = &found->scan.gaps[i];
        uint64_t at = gap->offset;
        for (uint32_t span = 0; at < gap->offset + gap->size; at += span) {
            rc = learn_rotten(segment, at, catalog, &span, err);
            if (rc <= 0)
                break;
        }
    }
    return rc < 0 ? rc : 0;
}

int found_learn(const struct found *found, const struct segment *segment, struct catalog *catalog,
                struct tdk_err *err)
{
    int rc = learn_gaps(found, segment, catalog, err);
    assert(found->count == 0 || found->refs != NULL);
    for (size_t i = 0; i < found->count && rc == 0 && !found->tells_all; i++)
        if ((found->refs[i].flags & (BLOCK_HAS_CONTROL | BLOCK_HAS_SYMBOLS)) != 0)
            rc = learn_block(segment, &found->refs[i], catalog, err);
    return rc;
}

static void tell_gaps(const struct found *found, const struct segment *segment, bool sealed,
                      struct damage *damage)
{
    const struct segment_scan *scan = &found->scan;
    for (size_t i = 0; i < scan->gap_count; i++) {
        if (sealed && scan->gaps[i].offset == scan->end)
            continue; /* what is left of its footer: reported as a bad footer */
        if (damage != NULL)
            damage->blocks++;
        damage_tell(damage, "segment %llu: %llu bytes from offset %llu on are damaged",
                    number_of(segment), (unsigned long long)scan->gaps[i].size,
                    (unsigned long long)scan->gaps[i].offset);
    }
}

static int scan_blocks(struct found *found, const struct segment *segment, bool sealed,
                       struct damage *damage, struct tdk_err *err)
{
    struct segment_scan *scan = &found->scan;
    uint64_t end = sealed && found->foot.magic != 0 ? found->foot.end : UINT64_MAX;
    int rc = segment_scan(segment, end, scan, err);
    if (rc < 0)
        return rc;
    if (!sealed)
        segment_scan_trim(scan);
    found->refs = scan->refs;
    found->count = scan->count;
    tell_gaps(found, segment, sealed, damage);
    if (!sealed && scan->data_end > scan->end && damage != NULL)
        damage->torn += scan->data_end - scan->end;
    return 0;
}

int found_open(struct found *found, const struct segment *segment, bool sealed,
               struct catalog *catalog, struct damage *damage, struct tdk_err *err)
{
    struct tdk_err why = {0};
    *found = (struct found){0};
    if (!sealed) /* a writer that was about to rename it may not have synced its foot */
        return scan_blocks(found, segment, false, damage, err);
    int rc = read_footer(found, segment, catalog, &why);
    if (rc == 0)
        return read_states(found, segment, damage, err);
    if (rc == -ENOMEM || rc == TDK_EVERSION)
        return err_say(err, rc, "%s", why.text);
    if (damage != NULL)
        damage->footers++;
    damage_tell(damage, "segment %llu: its blocks were searched for one by one: %s",
                number_of(segment), why.text);
    return scan_blocks(found, segment, true, damage, err);
}

void found_close(struct found *found)
{
    if (found->has_foot)
        free(found->refs);
    else
        segment_scan_close(&found->scan);
    states_close(&found->states);
    found->refs = NULL;
    found->count = 0;
}

bool rebuild_is_orphan(struct rebuild *rebuild, const struct found *found)
{
    uint64_t told = found->has_foot ? 0 : found->scan.previous_end;
    bool hole = rebuild->previous_end != 0 && told > rebuild->previous_end;
    bool synced = found->has_foot || found->scan.synced_upto > SEGMENT_FIRST_OFFSET;
    if (hole && !synced)
        rebuild->cut = true;
    else if (hole && !rebuild->cut) {
        if (rebuild->damage != NULL)
            rebuild->damage->blocks++;
        damage_tell(rebuild->damage, "segment %llu: its blocks from offset %llu to %llu are lost",
                    (unsigned long long)rebuild->last_number,
                    (unsigned long long)rebuild->previous_end, (unsigned long long)told);
    }
    return rebuild->cut && !synced;
}

/* ---- all of them ---- */

static void put_span(struct segment_ref *ref, const struct block_ref *block)
{
    ref->ticks += block->count;
    if (block->min_ts < ref->min_ts)
        ref->min_ts = block->min_ts;
    if (block->max_ts > ref->max_ts)
        ref->max_ts = block->max_ts;
}

/* Put everything that was found about one segment, in one transaction. */
static int put_found(struct rebuild *r, const struct segment *segment, const struct found *found,
                     uint16_t sealed)
{
    struct segment_ref ref = {.number = segment->head.number,
                              .size = found->has_foot ? segment->size : found->scan.end,
                              .blocks = found->count,
                              .min_ts = UINT64_MAX,
                              .generation = segment->head.generation,
                              .sealed = sealed};
    int rc = index_begin(r->index, r->err);
    for (size_t i = 0; i < found->count && rc == 0; i++) {
        rc = catalog_guess_track(r->catalog, found->refs[i].track, r->err);
        if (rc == 0)
            rc = index_put_block(r->index, &found->refs[i], r->err);
        if (rc == 0)
            rc = catalog_note(r->catalog, &found->refs[i], r->err);
        put_span(&ref, &found->refs[i]);
    }
    if (rc == 0 && found->states.kinds != 0)
        rc = states_put(&found->states, found->refs, r->index, &ref.states, r->err);
    if (rc == 0)
        rc = index_put_segment(r->index, &ref, r->err);
    if (rc == 0)
        rc = catalog_store(r->catalog, r->index, r->err);
    if (rc == 0)
        rc = index_commit(r->index, r->err);
    else
        index_abort(r->index);
    catalog_forget(r->catalog);
    return rc;
}

static void count_found(struct rebuild *r, const struct segment *segment, const struct found *found)
{
    struct rebuild_totals *totals = &r->totals;
    totals->segments++;
    totals->blocks += found->count;
    totals->bytes += segment->size;
    for (size_t i = 0; i < found->count; i++)
        totals->ticks += found->refs[i].count;
    if (r->progress != NULL)
        r->progress(totals, r->context);
}

static void later(uint64_t *latest, uint64_t ns)
{
    if (ns > *latest)
        *latest = ns;
}

/* Where the next segment should say that this one's blocks end. For a packed one without a foot
 * this is not known. */
static uint64_t chain_end(const struct segment *segment, const struct found *found)
{
    if (found->has_foot)
        return segment_chain_end(&found->foot);
    return segment->head.generation == 0 ? align_up(found->scan.end, TAPE_ALIGN) : 0;
}

/* Was this segment written after the one before it? */
static void check_chain(struct rebuild *r, const struct segment *segment, const struct found *found)
{
    if (found->has_foot && found->foot.previous_digest != 0 && r->digest != 0 &&
        found->foot.previous_digest != r->digest && r->last_number + 1 == segment->head.number) {
        if (r->damage != NULL)
            r->damage->segments++;
        damage_tell(r->damage,
                    "segment %llu does not follow the one before it: one of them was replaced",
                    number_of(segment));
    }
    r->digest = found->has_foot ? segment_chain_digest(&found->foot) : 0;
    r->previous_end = chain_end(segment, found);
    r->last_number = segment->head.number;
    later(&r->written_ns, found->has_foot ? found->foot.sealed_ns : found->scan.written_ns);
}

int rebuild_put(struct rebuild *rebuild, const struct segment *segment, const struct found *found,
                uint16_t sealed)
{
    int rc = put_found(rebuild, segment, found, sealed);
    check_chain(rebuild, segment, found);
    count_found(rebuild, segment, found);
    return rc;
}

/* The table lies right after the blocks. If it begins here, no block is missing. */
static bool table_begins(const struct segment *segment, const struct found *found, uint64_t offset)
{
    struct block_ref first;
    assert(found->count == 0 || found->refs != NULL);
    return found->count > 0 && files_read(segment->home_fd, &first, sizeof first, offset) == 0 &&
           memcmp(&first, &found->refs[0], sizeof first) == 0;
}

/* Its foot counts more blocks than up to the last that was found: the last ones are lost. */
static bool lacks_last(const struct found *found)
{
    assert(found->count == 0 || found->refs != NULL);
    return found->count == 0 ? found->foot.blocks > 0
                             : found->refs[found->count - 1].block + 1 < found->foot.blocks;
}

/* A foot that is damaged costs nothing; one that was cut off took what was in front of it along. */
static uint16_t how_sealed(const struct segment *segment, const struct found *found, bool sealed)
{
    if (!sealed)
        return SEGMENT_NOT_SEALED;
    if (found->foot.magic != 0 && lacks_last(found))
        return SEGMENT_LOST_FOOTER;
    if (found->foot.magic != 0 || table_begins(segment, found, found->scan.end) ||
        table_begins(segment, found, align_up(found->scan.end, TAPE_ALIGN)))
        return SEGMENT_HAS_FOOTER;
    return SEGMENT_LOST_FOOTER;
}

static int rebuild_opened(struct rebuild *r, const struct segment *segment, bool sealed)
{
    struct found found;
    if (segment->head_damaged) {
        if (r->damage != NULL)
            r->damage->heads++;
        damage_tell(r->damage, "segment %llu: its head is damaged, its blocks are read without it",
                    number_of(segment));
    }
    int rc = found_open(&found, segment, sealed, r->catalog, r->damage, r->err);
    if (rc < 0)
        return rc;
    if (!rebuild_is_orphan(r, &found)) {
        rc = found_learn(&found, segment, r->catalog, r->err);
        if (rc == 0)
            rc = rebuild_put(r, segment, &found, how_sealed(segment, &found, sealed));
    }
    found_close(&found);
    return rc;
}

static void tell_missing(struct rebuild *r, uint64_t number)
{
    uint64_t next = r->last_number != 0 ? r->last_number + 1 : r->folder->first_segment;
    if (number <= next)
        return;
    damage_tell_absent(r->damage, r->retired, next, number - 1);
    const struct retired_range *gone =
        r->retired != NULL ? retired_find(r->retired, number - 1) : NULL;
    if (gone == NULL)
        return;
    r->last_number = number - 1; /* as if it had been read */
    r->digest = gone->last == number - 1 ? gone->digest : 0;
    r->previous_end = 0;
}

void rebuild_tell_gone(uint64_t last, uint64_t end, struct damage *damage)
{
    if (end > last)
        damage_tell_missing(damage, last + 1, end);
}

/* This is not damage to the tape: the contents cannot be read by us, or not now. If the segment
 * were left out, it would be missing from every answer, and the answers would be called whole. */
static bool is_fatal(int rc)
{
    return rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE || rc == -EACCES || rc == -EPERM;
}

int rebuild_segment(struct rebuild *r, const struct segment_name *name)
{
    struct segment *segment;
    struct tdk_err why = {0};
    bool sealed = segment_is_sealed(name->stage);
    int rc = segment_open_number(&segment, r->folder, name->number, name->stage, &why);
    if (rc == -ENOENT && !sealed) { /* it was sealed in the meantime */
        sealed = true;
        rc = segment_open_number(&segment, r->folder, name->number, SEGMENT_SEALED, &why);
    }
    tell_missing(r, name->number);
    if (rc == 0) {
        rc = rebuild_opened(r, segment, sealed);
        segment_close(segment);
        return rc;
    }
    if (is_fatal(rc))
        return err_say(r->err, rc, "%s", why.text);
    if (r->damage != NULL)
        r->damage->segments++;
    damage_tell(r->damage, "%s: it is left out", why.text);
    r->last_number = name->number;
    r->digest = 0;
    return 0;
}

uint64_t rebuild_size(const struct folder *folder, const struct segment_name *names, size_t count)
{
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++) {
        char path[TAPE_PATH_MAX];
        struct file_stat stat;
        folder_segment_path(folder, names[i].number, names[i].stage, path);
        if (files->stat(path, &stat) == 0)
            size += stat.size;
    }
    return size;
}

int rebuild_each(struct rebuild *r)
{
    struct segment_name *names;
    size_t count;
    int rc = folder_segments(r->folder, &names, &count, r->err);
    if (rc < 0)
        return rc;
    if (r->progress != NULL)
        r->totals.bytes_total = rebuild_size(r->folder, names, count);
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (names[i].stage == SEGMENT_IMPORT)
            continue; /* not part of the tape */
        if (i > 0 && names[i].number == names[i - 1].number && names[i - 1].stage != SEGMENT_IMPORT)
            continue; /* an .open beside its .seg: the next writer sets it aside */
        if (r->retired != NULL && retired_find(r->retired, names[i].number) != NULL)
            continue; /* the next writer removes it */
        rc = rebuild_segment(r, &names[i]);
    }
    free(names);
    return rc;
}

int rebuild_complete(struct index *index, struct tdk_err *err)
{
    int rc = index_begin(index, err);
    if (rc == 0)
        rc = index_put_complete(index, err);
    return rc == 0 ? index_commit(index, err) : rc;
}

int rebuild_index(const struct folder *folder, struct index *index, struct catalog *catalog,
                  struct damage *damage, struct tdk_err *err)
{
    struct retired *retired = NULL;
    int rc = retired_load_or_tell(&retired, folder, damage, err);
    struct rebuild r = {.folder = folder,
                        .retired = retired,
                        .index = index,
                        .catalog = catalog,
                        .damage = damage,
                        .err = err};
    if (rc == 0 && catalog == NULL)
        rc = catalog_open(&r.catalog, err);
    if (rc == 0)
        rc = rebuild_each(&r);
    if (rc == 0)
        rc = rebuild_complete(index, err);
    retired_drop(retired);
    if (catalog == NULL)
        catalog_close(r.catalog);
    return rc;
}

int rebuild_lone(const char *path, struct index *index, uint8_t tape_id[16], struct damage *damage,
                 struct tdk_err *err)
{
    struct rebuild r = {.index = index, .damage = damage, .err = err};
    struct segment *segment;
    int rc = segment_open(&segment, path, NULL, err);
    if (rc < 0)
        return rc;
    memcpy(tape_id, segment->head.tape_id, 16);
    rc = catalog_open(&r.catalog, err);
    if (rc == 0) {
        struct segment_foot foot;
        bool sealed = segment_read_foot(segment, &foot, NULL) != TDK_ETRUNCATED;
        rc = rebuild_opened(&r, segment, sealed);
    }
    if (rc == 0)
        rc = rebuild_complete(index, err);
    catalog_close(r.catalog);
    segment_close(segment);
    return rc;
}
