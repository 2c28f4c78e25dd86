/* segment.c - read segments by their foot, and block by block. scan.c reads segments without a
 * foot. */
#include "tape/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/unpack.h"

/* ---- open ---- */

static int check_head(struct segment *s, const uint8_t tape_id[16], struct tdk_err *err)
{
    struct segment_head head = s->head;
    head.crc = 0;
    if (head.magic != SEGMENT_MAGIC)
        return err_say(err, TDK_EFORMAT, "%s is not a segment of a tape", s->path);
    if (crc32c(0, &head, sizeof head) != s->head.crc)
        return err_set(err, TDK_ECORRUPT, "%s: its head fails its checksum", s->path);
    if (head.version != TAPE_VERSION && !head_is_stub(&head))
        return err_say(err, TDK_EVERSION, "%s is a segment of version %u, this program reads %u",
                       s->path, head.version, TAPE_VERSION);
    if (tape_id != NULL && memcmp(tape_id, head.tape_id, sizeof head.tape_id) != 0)
        return err_set(err, TDK_EFOREIGN, "%s", s->path);
    return 0;
}

/* A stub has its head twice. */
static int check_copy(struct segment *s, const uint8_t tape_id[16], int code)
{
    const struct segment_head first = s->head;
    s->head_damaged = files_read(s->fd, &s->head, sizeof s->head, STUB_HEAD_COPY) == 0 &&
                      check_head(s, tape_id, NULL) == 0 && segment_is_moved(s);
    if (s->head_damaged)
        return 0;
    s->head = first;
    return code;
}

static int open_file(struct segment *s, const uint8_t tape_id[16], struct tdk_err *err)
{
    struct file_stat stat;
    s->home_fd = s->fd = files->open(s->path, O_RDONLY | O_NONBLOCK, 0);
    memcpy(s->whole, s->path, sizeof s->whole);
    if (s->fd < 0) {
        err_set(err, s->fd, "open %s", s->path);
        return err_advise(err, s->fd, -EACCES, "give it the owner and the group of its tape");
    }
    int rc = files->fstat(s->fd, &stat);
    if (rc < 0)
        return err_set(err, rc, "stat %s", s->path);
    if (!stat.is_file)
        return err_say(err, TDK_EFORMAT, "%s is not a file", s->path);
    s->size = stat.size;
    if (s->size < sizeof s->head)
        return err_say(err, TDK_ECORRUPT, "%s is cut: it ends inside its head", s->path);
    rc = files_read(s->fd, &s->head, sizeof s->head, 0);
    if (rc < 0)
        return err_set(err, rc, "read %s", s->path);
    rc = check_head(s, tape_id, err);
    return rc == TDK_ECORRUPT || rc == TDK_EFORMAT ? check_copy(s, tape_id, rc) : rc;
}

/* A file without blocks is refused as a segment where it is not known where they are. */
static int refuse_stub(const struct segment *s, struct tdk_err *err)
{
    if (!segment_is_moved(s))
        return 0;
    return err_say(err, TDK_EAWAY,
                   "%s is what remains of a segment that was moved: use its tape, or the file "
                   "where it was moved to",
                   s->path);
}

int segment_open(struct segment **segment, const char *path, const uint8_t tape_id[16],
                 struct tdk_err *err)
{
    struct segment *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "open %s", path);
    s->fd = s->home_fd = -1;
    snprintf(s->path, sizeof s->path, "%s", path);
    int rc = open_file(s, tape_id, err);
    if (rc == 0)
        rc = refuse_stub(s, err);
    if (rc < 0) {
        segment_close(s);
        return rc;
    }
    *segment = s;
    return 0;
}

/* Make the head what it must have been. Blocks and foot each confirm it for themselves. */
static void mend_head(struct segment *s, const struct folder *folder, uint64_t number,
                      enum segment_stage stage)
{
    s->head =
        (struct segment_head){.magic = SEGMENT_MAGIC, .version = TAPE_VERSION, .number = number};
    memcpy(s->head.tape_id, folder->tape_id, sizeof s->head.tape_id);
    s->head.generation = stage == SEGMENT_PACKED ? 1 : 0;
    s->head_damaged = true;
}

static int open_number(struct segment *s, const struct folder *folder, uint64_t number,
                       enum segment_stage stage, struct tdk_err *err)
{
    folder_segment_path(folder, number, stage, s->path);
    int rc = open_file(s, folder->tape_id, err);
    if (rc == -ENOENT && stage == SEGMENT_SEALED) { /* it was packed, just now or long ago */
        stage = SEGMENT_PACKED;
        folder_segment_path(folder, number, stage, s->path);
        rc = open_file(s, folder->tape_id, err);
    }
    if ((rc == TDK_ECORRUPT || rc == TDK_EFORMAT) && s->size > SEGMENT_FIRST_OFFSET) {
        mend_head(s, folder, number, stage);
        rc = 0;
    }
    if (rc == 0 && s->head.number != number)
        rc = err_say(err, TDK_EFOREIGN, "%s is segment %llu under the name of another", s->path,
                     (unsigned long long)s->head.number);
    if (rc == 0 && segment_is_moved(s))
        s->fd = -1; /* what is open is the stub */
    return rc;
}

int segment_open_home(struct segment **segment, const struct folder *folder, uint64_t number,
                      enum segment_stage stage, struct tdk_err *err)
{
    struct segment *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "open segment %llu", (unsigned long long)number);
    s->fd = s->home_fd = -1;
    int rc = open_number(s, folder, number, stage, err);
    if (rc < 0) {
        segment_close(s);
        return rc;
    }
    *segment = s;
    return 0;
}

/* Open the blocks of a segment that was moved. */
static int open_whole(struct segment *s, const struct folder *folder, struct tdk_err *err)
{
    s->fd = stub_open_whole(folder, &s->head, s->path, s->whole, &s->away);
    if (s->fd == -ENOMEM || s->fd == -EMFILE || s->fd == -ENFILE)
        return err_say(err, s->fd, "%s", s->away.text);
    return 0;
}

static int open_once(struct segment **segment, const struct folder *folder, uint64_t number,
                     enum segment_stage stage, struct tdk_err *err)
{
    struct segment *s = NULL;
    int rc = segment_open_home(&s, folder, number, stage, err);
    if (rc < 0)
        return rc;
    assert(s != NULL);
    if (segment_is_moved(s))
        rc = open_whole(s, folder, err);
    if (rc < 0) {
        segment_close(s);
        return rc;
    }
    *segment = s;
    return 0;
}

int segment_open_number(struct segment **segment, const struct folder *folder, uint64_t number,
                        enum segment_stage stage, struct tdk_err *err)
{
    struct segment *s = NULL;
    int rc = open_once(&s, folder, number, stage, err);
    /* It may have come back between the looks at stub and annex. */
    if (rc == 0 && segment_is_away(s)) {
        segment_close(s);
        rc = open_once(&s, folder, number, stage, err);
    }
    if (rc == 0)
        *segment = s;
    return rc;
}

void segment_close(struct segment *segment)
{
    if (segment == NULL)
        return;
    if (segment->fd >= 0)
        files->close(segment->fd);
    if (segment->home_fd >= 0 && segment->home_fd != segment->fd)
        files->close(segment->home_fd);
    free(segment);
}

int segment_check_size(const struct segment *segment, struct tdk_err *err)
{
    struct file_stat stat;
    int rc = files->fstat(segment->fd, &stat);
    if (rc < 0)
        return err_set(err, rc, "read %s", segment->whole);
    return stat.size == segment->size
               ? 0
               : err_say(err, TDK_ECORRUPT, "%s has %llu bytes, and had %llu when it was moved",
                         segment->whole, (unsigned long long)stat.size,
                         (unsigned long long)segment->size);
}

static bool is_deleted(int fd)
{
    struct file_stat stat;
    return fd >= 0 && files->fstat(fd, &stat) == 0 && stat.links == 0;
}

bool segment_is_gone(const struct segment *segment)
{
    return is_deleted(segment->home_fd) ||
           (segment->fd != segment->home_fd && is_deleted(segment->fd));
}

/* ---- a block ---- */

static int damaged(const struct segment *s, const struct block_ref *ref, struct tdk_err *err)
{
    return err_wrap(err, TDK_ECORRUPT,
                    "segment %llu offset %llu: track %u, ticks of %llu to %llu ns cannot be read",
                    (unsigned long long)s->head.number, (unsigned long long)ref->offset, ref->track,
                    (unsigned long long)ref->min_ts, (unsigned long long)ref->max_ts);
}

int segment_read(const struct segment *segment, const struct block_ref *ref, void *buffer,
                 struct block_view *view, struct tdk_err *err)
{
    struct block_view found;
    if (segment_is_away(segment))
        return err_say(err, segment->away.code, "%s", segment->away.text);
    int rc = files_read(segment->fd, buffer, ref->span, ref->offset);
    if (rc < 0)
        err_set(err, TDK_ECORRUPT, "read: %s", tdk_strerror(rc));
    else if ((rc = block_check(buffer, ref->span, &found, err)) == 0 &&
             (!block_is_ref(found.head, ref) ||
              memcmp(found.head->tape_id, segment->head.tape_id, sizeof found.head->tape_id) != 0))
        rc = err_set(err, TDK_ECORRUPT, "block: another one than the index means");
    if (rc < 0)
        return damaged(segment, ref, err);
    *view = found;
    return 0;
}

/* ---- the foot ---- */

static bool foot_is_possible(const struct segment *s, const struct segment_foot *foot)
{
    uint64_t room = s->size - sizeof *foot;
    return foot->end >= SEGMENT_FIRST_OFFSET && foot->end % TAPE_ALIGN == 0 && foot->end <= room &&
           foot->table_size <= room - foot->end &&
           foot->table_size % sizeof(struct block_ref) == 0 &&
           foot->table_size / sizeof(struct block_ref) == foot->blocks &&
           foot->catalog_size <= room - foot->end - foot->table_size &&
           foot->states_size <= room - foot->end - foot->table_size - foot->catalog_size &&
           (foot->states_size == 0) == (foot->states_kinds == 0) &&
           foot->number == s->head.number &&
           memcmp(foot->tape_id, s->head.tape_id, sizeof foot->tape_id) == 0;
}

static int no_foot(const struct segment *segment, struct tdk_err *err)
{
    return err_say(err, TDK_ETRUNCATED, "%s has no foot: it was cut, or never sealed",
                   segment->path);
}

int segment_read_foot(const struct segment *segment, struct segment_foot *foot, struct tdk_err *err)
{
    struct segment_foot f, whole;
    if (segment->size < SEGMENT_FIRST_OFFSET + sizeof f)
        return no_foot(segment, err);
    int rc = files_read(segment->home_fd, &f, sizeof f, segment->size - sizeof f);
    if (rc < 0)
        return err_set(err, rc, "read %s", segment->path);
    if (f.magic != FOOT_MAGIC)
        return no_foot(segment, err);
    whole = f;
    f.crc = 0;
    if (crc32c(0, &f, sizeof f) != whole.crc)
        return err_set(err, TDK_ECORRUPT, "%s: its foot fails its checksum", segment->path);
    if (f.version != TAPE_VERSION)
        return err_set(err, TDK_EVERSION, "%s: its foot", segment->path);
    if (!foot_is_possible(segment, &f))
        return err_set(err, TDK_ECORRUPT, "%s: its foot contradicts itself", segment->path);
    *foot = whole;
    return 0;
}

/* Read bytes that a foot points to, and check their checksum. */
static int read_part(const struct segment *s, uint64_t offset, uint64_t size, uint32_t crc,
                     void **bytes, struct tdk_err *err)
{
    void *part = malloc(size > 0 ? size : 1);
    if (part == NULL)
        return err_set(err, -ENOMEM, "read %s", s->path);
    int rc = files_read(s->home_fd, part, size, offset);
    if (rc < 0)
        err_set(err, rc, "read %s", s->path);
    else if (crc32c(0, part, size) != crc)
        rc = err_set(err, TDK_ECORRUPT, "%s: its footer fails its checksum", s->path);
    if (rc < 0) {
        free(part);
        return rc;
    }
    *bytes = part;
    return 0;
}

/* What the table says must be possible in this file, because reads will rely on it. */
static bool table_is_possible(const struct segment_foot *foot, const struct block_ref *refs)
{
    uint64_t at = SEGMENT_FIRST_OFFSET;
    for (uint64_t i = 0; i < foot->blocks; i++) {
        const struct block_ref *r = &refs[i];
        if (r->offset < at || r->offset % 8 != 0 || r->offset >= foot->end ||
            r->span > foot->end - r->offset || r->span > BLOCK_SPAN_MAX || r->span % 8 != 0 ||
            r->span < sizeof(struct block_head) ||
            r->stored_size > r->span - sizeof(struct block_head) || r->track == 0 ||
            r->segment != foot->number || r->count > BLOCK_TICKS_MAX ||
            r->frames_size > BLOCK_FRAMES_MAX)
            return false;
        at = r->offset + r->span;
    }
    return true;
}

int segment_read_table(const struct segment *segment, const struct segment_foot *foot,
                       struct block_ref **refs, struct tdk_err *err)
{
    void *bytes = NULL;
    int rc = read_part(segment, foot->end, foot->table_size, foot->table_crc, &bytes, err);
    if (rc < 0)
        return rc;
    assert(bytes != NULL);
    if (!table_is_possible(foot, bytes)) {
        free(bytes);
        return err_set(err, TDK_ECORRUPT, "%s: its table contradicts itself", segment->path);
    }
    *refs = bytes;
    return 0;
}

static int unpack_footer(const struct segment *s, const void *packed, size_t packed_size,
                         size_t max, void **bytes, size_t *size, struct tdk_err *err)
{
    unsigned long long claimed = ZSTD_getFrameContentSize(packed, packed_size);
    if (claimed > max) /* also if the size is not known, or this is not zstd */
        return err_set(err, TDK_ECORRUPT, "%s: its footer is not valid", s->path);
    void *plain = malloc(claimed > 0 ? claimed : 1);
    if (plain == NULL)
        return err_set(err, -ENOMEM, "read %s", s->path);
    int rc = unpack(plain, claimed, packed, packed_size);
    if (rc < 0) {
        free(plain);
        return err_set(err, rc, "%s: its footer cannot be unpacked", s->path);
    }
    *bytes = plain;
    *size = claimed;
    return 0;
}

/* The same for a zstd frame. */
static int read_packed(const struct segment *segment, uint64_t offset, uint64_t packed_size,
                       uint32_t crc, size_t max, void **bytes, size_t *size, struct tdk_err *err)
{
    void *packed = NULL;
    int rc = read_part(segment, offset, packed_size, crc, &packed, err);
    if (rc < 0)
        return rc;
    rc = unpack_footer(segment, packed, packed_size, max, bytes, size, err);
    free(packed);
    return rc;
}

int segment_read_catalog(const struct segment *segment, const struct segment_foot *foot,
                         void **bytes, size_t *size, struct tdk_err *err)
{
    return read_packed(segment, foot->end + foot->table_size, foot->catalog_size, foot->catalog_crc,
                       CATALOG_MAX, bytes, size, err);
}

int segment_read_states(const struct segment *segment, const struct segment_foot *foot,
                        struct states *states, struct tdk_err *err)
{
    void *bytes = NULL;
    size_t size = 0;
    if (foot->states_size == 0)
        return err_set(err, -ENOENT, "%s: the states in its blocks", segment->path);
    int rc = read_packed(segment, foot->end + foot->table_size + foot->catalog_size,
                         foot->states_size, foot->states_crc, STATES_MAX, &bytes, &size, err);
    if (rc < 0)
        return rc;
    rc = states_open(states, bytes, size, foot->blocks, foot->states_kinds);
    return rc < 0 ? err_set(err, rc, "%s: the states in its blocks", segment->path) : 0;
}
