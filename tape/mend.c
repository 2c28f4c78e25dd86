#include "tape/mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/quarantine.h"
#include "tape/retire.h"
#include "tape/segment.h"

static int remove_segment(const struct folder *folder, const struct segment_name *name,
                          struct tdk_err *err)
{
    int rc = stub_remove(folder, name->number, name->stage, err);
    return rc == TDK_EAWAY ? 0 : rc; /* it no longer counts, and goes when its disk is there */
}

/* ---- packed segments ---- */

/* A packed segment gets its name when it is whole and durable. So one without a good head and foot
 * was not made here: a copy that somebody did not finish, say. */
static bool is_whole_packed(const struct folder *folder, uint64_t number)
{
    struct segment *segment;
    struct segment_foot foot;
    if (segment_open_home(&segment, folder, number, SEGMENT_PACKED, NULL) < 0)
        return false;
    bool whole = !segment->head_damaged && segment_read_foot(segment, &foot, NULL) == 0;
    segment_close(segment);
    return whole;
}

/* What there is besides it is not needed any more, or never was. */
static int mend_leftover(const struct folder *folder, const struct segment_name *name,
                         struct damage *damage, struct recover_report *report, struct tdk_err *err)
{
    const struct segment_name packed = {name->number, SEGMENT_PACKED};
    if (name->stage != SEGMENT_SEALED || is_whole_packed(folder, name->number))
        return remove_segment(folder, name, err);
    damage_tell(damage,
                "segment %llu: its packed file is not whole, and set aside in quarantine/; the one "
                "from before is there",
                (unsigned long long)name->number);
    report->set_aside++;
    return quarantine_segment(folder, &packed, err);
}

int mend_leftovers(const struct folder *folder, struct damage *damage,
                   struct recover_report *report, struct tdk_err *err)
{
    struct segment_name *names;
    size_t count;
    int rc = folder_leftovers(folder, &names, &count, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = mend_leftover(folder, &names[i], damage, report, err);
    free(names);
    return count > 0 && rc == 0 ? files_sync_folder(folder->segments, err) : rc;
}

/* ---- imports ---- */

/*
 * When all segments of an import are whole and durable, it renames them from the last down to the
 * first. So an import file with a segment of the tape behind it belongs to an import that reached
 * this step; others did not.
 */
static int mend_import(const struct folder *folder, const struct segment_name *name, bool reached,
                       struct recover_report *report, struct tdk_err *err)
{
    char from[TAPE_PATH_MAX], to[TAPE_PATH_MAX];
    if (!reached) {
        report->imports_undone++;
        return remove_segment(folder, name, err);
    }
    folder_segment_path(folder, name->number, SEGMENT_IMPORT, from);
    folder_segment_path(folder, name->number, SEGMENT_SEALED, to);
    int rc = files->rename(from, to);
    return rc < 0 ? err_set(err, rc, "rename %s", from) : 0;
}

int mend_imports(const struct folder *folder, struct recover_report *report, struct tdk_err *err)
{
    struct segment_name *names;
    size_t count;
    bool reached = false, any = false;
    int rc = folder_segments(folder, &names, &count, err);
    if (rc < 0)
        return rc;
    for (size_t i = count; i > 0 && rc == 0; i--) {
        if (names[i - 1].stage != SEGMENT_IMPORT) {
            reached = true;
            continue;
        }
        any = true;
        rc = mend_import(folder, &names[i - 1], reached, report, err);
    }
    free(names);
    return any && rc == 0 ? files_sync_folder(folder->segments, err) : rc;
}

/* ---- what was deleted on purpose ---- */

/* A `retired` that cannot be read says nothing. It is set aside, because a new one must not
 * overwrite it. */
static int set_retired_aside(const struct folder *folder, struct tdk_err *err)
{
    char path[TAPE_PATH_MAX];
    snprintf(path, sizeof path, "%s/retired", folder->path);
    int rc = quarantine_file(folder, path, err);
    return rc == -ENOENT ? 0 : rc;
}

int mend_retired(const struct folder *folder, struct retired **retired, struct damage *damage,
                 struct recover_report *report, struct tdk_err *err)
{
    struct tdk_err why;
    uint64_t removed;
    int rc = retired_load(retired, folder, &why);
    if (rc == 0) {
        rc = retire_leftovers(folder, *retired, &removed, err);
        retired_reserve(*retired, folder);
        return rc;
    }
    if (retired_may_pass(rc))
        return err_say(err, rc, "%s", why.text);
    damage_tell(damage,
                "%s: set aside in quarantine/; what was deleted on purpose counts as missing",
                why.text);
    report->set_aside++;
    rc = set_retired_aside(folder, err);
    return rc == 0 ? retired_empty(retired, err) : rc;
}

/* ---- strangers ---- */

/* A segment whose creation was cut short: it may be allocated, but no block was ever written to
 * it. */
static bool is_blank(const char *path)
{
    int fd = files->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return false;
    struct file_stat stat;
    unsigned char page[TAPE_ALIGN] = {0}, any = 0;
    bool blank = files->fstat(fd, &stat) == 0 && stat.is_file &&
                 (stat.size <= TAPE_ALIGN || files->seek_data(fd, TAPE_ALIGN) == -ENXIO) &&
                 files->pread(fd, page, sizeof page, 0) >= 0;
    files->close(fd);
    /* The head may be there, or half of it. Without a block after it, it says nothing. */
    for (size_t i = sizeof(struct segment_head); i < sizeof page; i++)
        any |= page[i];
    return blank && any == 0;
}

static bool is_stranger(int rc)
{
    return rc == TDK_EFOREIGN || rc == TDK_EFORMAT || rc == TDK_ECORRUPT || rc == -ELOOP ||
           rc == -ENXIO || rc == -EISDIR;
}

/* `spoilt`: it was a sealed segment, so far as can be told, and nothing of it can be read. */
static int mend_stranger(const struct folder *folder, const struct segment_name *name, bool doubled,
                         struct damage *damage, struct recover_report *report, bool *spoilt,
                         struct tdk_err *err)
{
    struct tdk_err why = {0};
    struct segment *segment = NULL;
    char path[TAPE_PATH_MAX];
    folder_segment_path(folder, name->number, name->stage, path);
    if (name->stage == SEGMENT_OPEN && doubled && is_blank(path))
        return remove_segment(folder, name, err);
    int rc = doubled ? err_say(&why, TDK_EFOREIGN, "%s exists twice", path)
                     : segment_open_number(&segment, folder, name->number, name->stage, &why);
    segment_close(segment);
    *spoilt = rc == TDK_ECORRUPT && segment_is_sealed(name->stage);
    if (rc == 0)
        return 0;
    if (!is_stranger(rc))
        return err_say(err, rc, "%s", why.text);
    damage_tell(damage, "%s: set aside in quarantine/", why.text);
    report->set_aside++;
    return quarantine_segment(folder, name, err);
}

/* Remove segments at the end of the sequence that were made ahead of time. None of them was in the
 * row, though a mark that was set beside it counts it. */
static int remove_blanks(const struct folder *folder, const struct segment_name *names,
                         size_t *count, uint64_t *row_end, struct tdk_err *err)
{
    int rc = 0;
    for (; *count > 0 && rc == 0; --*count) {
        const struct segment_name *last = &names[*count - 1];
        char path[TAPE_PATH_MAX];
        folder_segment_path(folder, last->number, last->stage, path);
        if (last->stage != SEGMENT_OPEN || !is_blank(path))
            break;
        rc = remove_segment(folder, last, err);
        if (*row_end == last->number)
            --*row_end;
    }
    return rc;
}

int mend_strangers(const struct folder *folder, struct damage *damage,
                   struct recover_report *report, uint64_t *row_end, struct tdk_err *err)
{
    struct segment_name *names;
    size_t count;
    uint64_t last = 0; /* of the row so far, sealed or not */
    int rc = folder_segments(folder, &names, &count, err);
    if (rc < 0)
        return rc;
    rc = remove_blanks(folder, names, &count, row_end, err);
    for (size_t i = 0; i < count && rc == 0; i++) {
        bool doubled = i > 0 && names[i].number == names[i - 1].number, spoilt = false;
        uint64_t before = report->set_aside;
        rc = mend_stranger(folder, &names[i], doubled, damage, report, &spoilt, err);
        if (report->set_aside != before && !(spoilt && names[i].number == last + 1))
            continue;
        last = names[i].number;
        if (segment_is_sealed(names[i].stage))
            *row_end = max_u64(*row_end, last);
    }
    free(names);
    return rc;
}

/* ---- unsealed segments ---- */

/* Is what follows the blocks the footer that a writer was writing when it died? */
static bool is_own_footer(const struct segment *segment, const struct found *found)
{
    struct block_ref first;
    struct segment_foot foot;
    if (found->count == 0)
        return segment_read_foot(segment, &foot, NULL) == 0 && foot.blocks == 0;
    uint64_t at = align_up(found->scan.end, TAPE_ALIGN);
    return at + sizeof first <= segment->size &&
           files_read(segment->fd, &first, sizeof first, at) == 0 &&
           memcmp(&first, &found->refs[0], sizeof first) == 0;
}

/*
 * Write again, unchanged, what may never have been synced. A sync of the dead writer may have
 * failed. Then the kernel considers those pages clean, returns them to us, and would never write
 * them.
 */
static int write_again(const struct segment *segment, const struct found *found, int fd)
{
    uint64_t from = found->scan.synced_upto;
    if (from < SEGMENT_FIRST_OFFSET)
        from = SEGMENT_FIRST_OFFSET;
    return from < found->scan.end ? files_copy(segment->fd, from, found->scan.end - from, fd, from)
                                  : 0;
}

/* Keep and cut what follows the good blocks. On a full disk, what was allocated ahead of them is
 * the room to keep it in. */
static int cut_tail(struct rebuild *r, const struct segment *segment, const struct found *found,
                    int fd, struct recover_report *report)
{
    uint64_t end = found->scan.end, data_end = found->scan.data_end;
    if (data_end > end && !is_own_footer(segment, found)) {
        (void)files->ftruncate(fd, data_end);
        int rc = quarantine_torn(r->folder, segment, end, data_end, r->err);
        if (rc < 0)
            return rc;
        report->torn_bytes += data_end - end;
        damage_tell(r->damage,
                    "segment %llu: %llu bytes of a write that was never completed cut at offset "
                    "%llu, and kept in quarantine/",
                    (unsigned long long)segment->head.number, (unsigned long long)(data_end - end),
                    (unsigned long long)end);
    }
    int rc = write_again(segment, found, fd);
    if (rc == 0)
        rc = files->ftruncate(fd, end);
    if (rc == 0)
        rc = files->fsync(fd);
    return rc < 0 ? err_set(r->err, rc, "cut %s", segment->path) : 0;
}

static int seal(struct rebuild *r, struct segment_writer *writer, const struct found *found)
{
    void *bytes = NULL;
    size_t size;
    int rc = 0;
    for (size_t i = 0; i < found->count && rc == 0; i++) {
        rc = catalog_guess_track(r->catalog, found->refs[i].track, r->err);
        if (rc == 0)
            rc = segment_note_ref(writer, &found->refs[i], found->scan.head_crcs[i], r->err);
    }
    if (rc == 0)
        rc = catalog_encode(r->catalog, found->refs, found->count, &bytes, &size, r->err);
    if (rc == 0)
        rc = segment_seal(writer, bytes, size, r->digest, r->err);
    free(bytes);
    return rc;
}

/* Note the states of its blocks, which were read a moment ago. If one cannot be read, the list is
 * incomplete, and none is stored. */
static void note_states(struct segment_writer *writer, const struct segment *segment,
                        const struct found *found)
{
    unsigned char *buffer = NULL;
    size_t room = 0;
    for (size_t i = 0; i < found->count; i++) {
        const struct block_ref *ref = &found->refs[i];
        struct block_view view;
        if (ref->span > room) {
            free(buffer);
            buffer = malloc(ref->span);
            room = buffer != NULL ? ref->span : 0;
        }
        if (buffer == NULL || segment_read(segment, ref, buffer, &view, NULL) < 0 ||
            view.frames == NULL)
            break;
        segment_note_states(writer, &view);
    }
    free(buffer);
}

/* Make a sealed segment of its good blocks. */
static int mend_blocks(struct rebuild *r, const struct segment *segment, struct found *found,
                       struct recover_report *report)
{
    struct segment_writer *writer;
    int rc = segment_adopt(&writer, r->folder, segment->head.number, SEGMENT_OPEN, r->err);
    if (rc < 0)
        return rc;
    rc = cut_tail(r, segment, found, writer->fd, report);
    if (rc == 0)
        rc = found_learn(found, segment, r->catalog, r->err);
    if (rc == 0) {
        note_states(writer, segment, found);
        rc = seal(r, writer, found);
    }
    if (rc == 0)
        rc = segment_publish(writer, r->err);
    if (rc == 0) {
        report->sealed_now++;
        found->states = writer->states;
        writer->states = (struct states){.bytes = NULL};
        rc = rebuild_put(r, segment, found, SEGMENT_HAS_FOOTER);
        r->digest = writer->digest;
    }
    segment_writer_close(writer);
    return rc;
}

/* No block of it belongs to the tape, and it is the last segment: keep its bytes, and free its
 * name. */
static int mend_empty(struct rebuild *r, const struct segment *segment, const struct found *found,
                      bool orphan, struct recover_report *report)
{
    struct segment_name name = {segment->head.number, SEGMENT_OPEN};
    uint64_t begin = orphan ? SEGMENT_FIRST_OFFSET : found->scan.end;
    int rc = 0;
    if (found->scan.data_end > begin) {
        uint64_t size = found->scan.data_end - begin;
        report->torn_bytes += size;
        damage_tell(
            r->damage,
            "segment %llu: %llu bytes after a write that was never completed, kept in quarantine/",
            (unsigned long long)name.number, (unsigned long long)size);
        rc = quarantine_torn(r->folder, segment, begin, found->scan.data_end, r->err);
    }
    if (rc == 0)
        rc = remove_segment(r->folder, &name, r->err);
    return rc == 0 ? files_sync_folder(r->folder->segments, r->err) : rc;
}

/* Let no block of it count. */
static void empty(struct found *found)
{
    found->count = 0;
    found->scan.end = SEGMENT_FIRST_OFFSET;
}

int mend_unsealed(struct rebuild *rebuild, uint64_t number, bool last,
                  struct recover_report *report)
{
    struct segment *segment;
    struct found found;
    int rc = segment_open_number(&segment, rebuild->folder, number, SEGMENT_OPEN, rebuild->err);
    if (rc < 0)
        return rc;
    rc = found_open(&found, segment, false, rebuild->catalog, rebuild->damage, rebuild->err);
    if (rc == 0) {
        bool orphan = rebuild_is_orphan(rebuild, &found);
        bool none = orphan || found.count == 0;
        if (none && !last)
            empty(&found);
        rc = none && last ? mend_empty(rebuild, segment, &found, orphan, report)
                          : mend_blocks(rebuild, segment, &found, report);
        found_close(&found);
    }
    segment_close(segment);
    return rc;
}
