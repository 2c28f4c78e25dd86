#include "tape/move_inner.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tape/files.h"
#include "tape/lease.h"
#include "tape/segment.h"

enum { ROW_WAIT_MS = 10000 };

static const char *name_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

struct move_suffix move_suffix_of(const struct annex *annex)
{
    struct move_suffix suffix;
    uint64_t id = load_u64(annex->id);
    snprintf(suffix.text, sizeof suffix.text, ".%016llx.moving", (unsigned long long)id);
    return suffix;
}

void move_route(struct route *route, const struct annex *annex, const char *folder,
                const char *name)
{
    snprintf(route->to, sizeof route->to, "%.*s/%.64s", (int)ANNEX_PATH_MAX, folder, name);
    snprintf(route->aside, sizeof route->aside, "%.*s/%.64s%s", (int)ANNEX_PATH_MAX, folder, name,
             move_suffix_of(annex).text);
}

/* ---- the annex ---- */

static int new_annex(const struct folder *folder, const char *path, const struct annexes *annexes,
                     struct annex_meta *meta, struct tdk_err *err)
{
    for (size_t i = 0; i < annexes->count; i++)
        if (strcmp(annexes->items[i].path, path) == 0)
            return err_say(err, TDK_EAWAY,
                           "segments of this tape were moved to %s, and that is not what is there "
                           "now: is its disk mounted?",
                           path);
    if (getrandom(meta->id, sizeof meta->id, 0) != sizeof meta->id)
        return err_set(err, -errno, "make an id for %s", path);
    return annex_write_meta(path, folder, meta->id, err);
}

/* It is an annex. Is it of this tape, and is there no other copy of it? */
static int check_known(const struct folder *folder, const char *path, const struct annexes *annexes,
                       const struct annex_meta *meta, struct tdk_err *err)
{
    if (memcmp(meta->tape_id, folder->tape_id, sizeof meta->tape_id) != 0)
        return err_say(err, TDK_EFOREIGN,
                       "%s has segments of another tape; give each tape a directory of its own",
                       path);
    const struct annex *known = annexes_find(annexes, meta->id);
    if (known == NULL || strcmp(known->path, path) == 0 ||
        annex_check(known, folder->tape_id, NULL) < 0)
        return 0;
    return err_say(err, TDK_EBUSY, "%s is the same as %s, or a copy of it: unmount that first",
                   path, known->path);
}

/* A folder that was made a moment ago is gone in a power cut, and with it what was moved there.
 * That of a mount needs no sync, and its parent may be one that we cannot open or sync. */
static int keep_name(const char *path, struct tdk_err *err)
{
    int rc = files_sync_parent(path, err);
    return rc == -EACCES || rc == -EINVAL ? 0 : rc;
}

static int join(const struct folder *folder, const char *path, struct annexes *annexes,
                struct annex_meta *meta, struct tdk_err *err)
{
    int rc = annex_read_meta(path, meta, err);
    if (rc == -ENOENT)
        rc = new_annex(folder, path, annexes, meta, err);
    else if (rc == 0)
        rc = check_known(folder, path, annexes, meta, err);
    if (rc < 0)
        return rc;
    const struct annex *known = annexes_find(annexes, meta->id);
    if (known != NULL && strcmp(known->path, path) == 0)
        return 0;
    rc = keep_name(path, err);
    if (rc == 0)
        rc = annexes_put(annexes, meta->id, path, err);
    return rc == 0 ? annexes_save(annexes, folder, err) : rc;
}

int move_join(const struct folder *folder, const char *path, struct annex_meta *annex,
              struct tdk_err *err)
{
    struct annexes annexes = {.count = 0};
    struct file_stat stat;
    int row, rc = files->stat(path, &stat);
    if (rc == 0 && !stat.is_folder)
        rc = -ENOTDIR;
    if (rc < 0)
        return err_set(err, rc, "move to %s", path);
    rc = leases_hold_row(&row, folder, ROW_WAIT_MS, err);
    if (rc < 0)
        return rc;
    rc = annexes_load(&annexes, folder, err);
    if (rc == TDK_ECORRUPT) /* a damaged list says nothing: it is made anew, annex by annex */
        rc = 0;
    if (rc == 0)
        rc = join(folder, path, &annexes, annex, err);
    annexes_close(&annexes);
    leases_give_row(row);
    return rc;
}

static int lock_annex(struct moving *m)
{
    char path[TAPE_PATH_MAX];
    struct tdk_err why;
    if (annex_check(m->annex, m->folder->tape_id, &why) < 0)
        return err_say(m->err, TDK_EAWAY, "it should be at %s", why.text);
    snprintf(path, sizeof path, "%s/annex.meta", m->annex->path);
    m->lock = files->open(path, O_RDWR | O_NOFOLLOW, 0);
    if (m->lock < 0) {
        err_set(m->err, m->lock, "open %s", path);
        return err_advise(m->err, m->lock, -EROFS,
                          "copy the directory to another disk, unmount this one, and say where it "
                          "is: `tapedeck move --relocate DIR`");
    }
    int rc = files->lock(m->lock, 0);
    if (rc == -EAGAIN || rc == -EACCES)
        return err_say(m->err, TDK_EBUSY, "another process moves segments to or from %s now",
                       m->annex->path);
    return rc < 0 ? err_set(m->err, rc, "lock %s", path) : 0;
}

int move_adopt(const struct folder *folder, const struct annex *annex, struct tdk_err *err)
{
    struct moving m = {.folder = folder, .annex = annex, .lock = -1, .err = err};
    int rc = lock_annex(&m);
    if (rc == 0)
        rc = annex_adopt(annex->path, m.lock, folder, err);
    if (m.lock >= 0)
        files->close(m.lock);
    return rc;
}

static int check_ours(struct moving *m)
{
    m->ours = annex_is_ours(m->annex->path, m->folder);
    if (m->ours || m->options->back)
        return 0;
    return err_say(
        m->err, TDK_EFOREIGN,
        "%s has what another copy of this tape moved there; give this copy a directory of its own "
        "or, if the other copy is gone, take over with `tapedeck move --adopt DIR`",
        m->annex->path);
}

/* ---- the two truths change places ---- */

/* Is the file under this name in the tape still the one that was copied? It may have been deleted,
 * packed or moved meanwhile. Checked while the row is held, so that it stays so. */
static int check_home(const struct moving *m, const struct segment *segment)
{
    struct segment_head now = {.magic = 0};
    char packed[TAPE_PATH_MAX];
    struct file_stat stat;
    struct retired *retired = NULL;
    int rc = stub_read_head(segment->path, &now, m->err);
    if (rc == 0 && memcmp(&now, &segment->head, sizeof now) != 0)
        rc = err_say(m->err, -ESTALE, "%s has changed", segment->path);
    else if (rc == -ENOENT)
        rc = -ESTALE;
    if (rc == 0)
        rc = retired_load(&retired, m->folder, m->err);
    if (rc < 0)
        return rc;
    assert(retired != NULL);
    bool gone = retired_find(retired, segment->head.number) != NULL;
    retired_drop(retired);
    folder_segment_path(m->folder, segment->head.number, SEGMENT_PACKED, packed);
    if (!gone && segment->head.generation == 0)
        gone = files->stat(packed, &stat) == 0;
    return gone ? err_say(m->err, -ESTALE, "%s was deleted or packed", segment->path) : 0;
}

/* Rename the file that lies aside to the segment's name. -ESTALE: there is no such segment to move
 * any more. */
static int take_place(const struct moving *m, const struct segment *segment, const char *aside)
{
    int row, rc = leases_hold_row(&row, m->folder, ROW_WAIT_MS, m->err);
    if (rc < 0)
        return rc;
    rc = check_home(m, segment);
    if (rc == 0 && (rc = files->rename(aside, segment->path)) < 0)
        err_set(m->err, rc, "rename %s", aside);
    if (rc == 0)
        rc = files_sync_folder(m->folder->segments, m->err);
    leases_give_row(row);
    return rc;
}

static int remove_whole(const struct moving *m, const char *path)
{
    int rc = files->unlink(path);
    if (rc < 0 && rc != -ENOENT)
        return err_set(m->err, rc, "remove %s", path);
    return files_sync_folder(m->annex->path, m->err);
}

/* A file that an earlier move left under that name is overwritten; any other is not. */
static int check_there(const struct moving *m, const struct segment *segment, const char *path)
{
    struct segment_head there = {.magic = 0};
    int rc = stub_read_head(path, &there, NULL);
    if (rc == -ENOENT || (rc == 0 && memcmp(&there, &segment->head, sizeof there) == 0))
        return 0;
    return err_say(m->err, -EEXIST,
                   "%s is there, and is not this segment; give the tape a directory of its own",
                   path);
}

static int copy_out(struct moving *m, const struct segment *segment, const struct route *route)
{
    int rc = check_there(m, segment, route->to);
    if (rc == 0)
        rc = move_copy_file(m, segment->fd, route->aside, segment->size);
    if (rc < 0)
        return rc;
    rc = files->rename(route->aside, route->to);
    if (rc < 0)
        return err_set(m->err, rc, "rename %s", route->aside);
    return files_sync_folder(m->annex->path, m->err);
}

static int move_out(struct moving *m, const struct segment *segment)
{
    struct segment_foot foot;
    struct route out, home;
    move_route(&out, m->annex, m->annex->path, name_of(segment->path));
    move_route(&home, m->annex, m->folder->segments, name_of(segment->path));
    int rc = segment->head_damaged
                 ? err_say(m->err, TDK_ECORRUPT, "%s: its head is damaged", segment->path)
                 : segment_read_foot(segment, &foot, m->err);
    if (rc == 0)
        rc = copy_out(m, segment, &out);
    if (rc < 0)
        return rc;
    rc = stub_make(home.aside, segment->fd, &segment->head, &foot, segment->size, m->annex->id,
                   m->err);
    if (rc == 0)
        rc = take_place(m, segment, home.aside);
    if (rc < 0)
        files->unlink(home.aside);
    if (rc == -ESTALE)
        files->unlink(out.to);
    return rc;
}

/* A recorder that runs at the same time must not find its disk full because of what is brought
 * back. */
static int check_room(const struct moving *m, const struct segment *segment)
{
    struct statvfs disk;
    if (statvfs(m->folder->segments, &disk) < 0)
        return 0;
    if ((uint64_t)disk.f_bavail * disk.f_frsize >= 2 * segment->size)
        return 0;
    return err_say(m->err, -ENOSPC,
                   "segment %llu stays where it is: with it, the disk of %s would be all but full",
                   (unsigned long long)segment->head.number, m->folder->segments);
}

/* The tape has its own copy of what follows the blocks: a good one is not replaced by a bad one. */
static int check_behind_blocks(const struct moving *m, const struct segment *segment)
{
    enum { STEP = 16 << 10 };
    unsigned char here[STEP], there[STEP];
    struct segment_foot foot;
    if (segment_read_foot(segment, &foot, NULL) < 0)
        return 0; /* the copy here is no better */
    for (uint64_t at = foot.end; at < segment->size; at += STEP) {
        const size_t size = segment->size - at < STEP ? (size_t)(segment->size - at) : STEP;
        int rc = files_read(segment->home_fd, here, size, at);
        if (rc == 0)
            rc = files_read(segment->fd, there, size, at);
        if (rc < 0)
            return err_set(m->err, rc, "read %s", segment->whole);
        if (memcmp(here, there, size) != 0)
            return err_say(m->err, TDK_ECORRUPT,
                           "%s: its foot there is damaged, and stays there; the one here is good",
                           segment->whole);
    }
    return 0;
}

static int move_back(struct moving *m, const struct segment *segment)
{
    struct route home;
    move_route(&home, m->annex, m->folder->segments, name_of(segment->path));
    int rc = segment->head_damaged
                 ? err_say(m->err, TDK_ECORRUPT, "%s: its head is damaged", segment->path)
                 : check_room(m, segment);
    if (rc == 0)
        rc = segment_check_size(segment, m->err);
    if (rc == 0)
        rc = check_behind_blocks(m, segment);
    if (rc == 0)
        rc = move_copy_file(m, segment->fd, home.aside, segment->size);
    if (rc < 0)
        return rc;
    rc = take_place(m, segment, home.aside);
    if (rc < 0)
        files->unlink(home.aside);
    m->totals->left += rc == 0 && !m->ours;
    return rc == 0 && m->ours ? remove_whole(m, segment->whole) : rc;
}

/* ---- which ---- */

static bool is_old(const struct moving *m, const struct segment *segment)
{
    struct segment_foot foot;
    if (m->options->before_ts == 0)
        return true;
    if (segment_read_foot(segment, &foot, NULL) < 0)
        return false;
    return (foot.min_ts <= foot.max_ts ? foot.max_ts : foot.sealed_ns) < m->options->before_ts;
}

/* Open a segment if it is one of those to be moved. 1: *segment; 0: it is not one. */
static int open_wanted(struct moving *m, const struct segment_name *name, struct segment **segment)
{
    const struct move_options *o = m->options;
    struct segment *s;
    if (!segment_is_sealed(name->stage) || name->number < o->first ||
        (o->last != 0 && name->number > o->last) || retired_find(m->retired, name->number) != NULL)
        return 0;
    int rc = (o->back ? segment_open_number : segment_open_home)(&s, m->folder, name->number,
                                                                 name->stage, m->err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    bool wanted =
        segment_is_moved(s) ? o->back && memcmp(s->head.annex, m->annex->id, 16) == 0 : !o->back;
    if (wanted && is_old(m, s)) {
        *segment = s;
        return 1;
    }
    segment_close(s);
    return 0;
}

/* A full disk, a lack of memory, or a request to stop concerns all segments, not only this one. */
static bool is_final(int rc)
{
    return rc == -ECANCELED || rc == -ENOSPC || rc == -EDQUOT || rc == -ENOMEM || rc == -EROFS ||
           rc == -EMFILE || rc == -ENFILE || rc == TDK_EBUSY || rc == TDK_EAWAY;
}

static int fail(struct moving *m, uint64_t number, int rc)
{
    struct tdk_err *err = m->err;
    if (is_final(rc))
        return rc;
    m->totals->failed++;
    if (m->options->failed != NULL)
        m->options->failed(number, err->text, m->options->context);
    return 0;
}

static int move_one(struct moving *m, const struct segment_name *name)
{
    struct segment *segment = NULL;
    int rc = open_wanted(m, name, &segment);
    if (rc <= 0)
        return rc < 0 ? fail(m, name->number, rc) : 0;
    if (segment_is_away(segment))
        rc = err_say(m->err, segment->away.code, "%s", segment->away.text);
    else
        rc = m->options->back ? move_back(m, segment) : move_out(m, segment);
    if (rc == 0) {
        m->totals->segments++;
        m->totals->bytes += segment->size;
    }
    segment_close(segment);
    return rc < 0 && rc != -ESTALE ? fail(m, name->number, rc) : 0;
}

/* Count what there is to do before it begins, so that progress can be shown. */
static void count(struct moving *m, const struct segment_name *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct segment *segment = NULL;
        if (open_wanted(m, &names[i], &segment) != 1)
            continue;
        m->totals->to_do++;
        m->totals->bytes_total += segment->size;
        segment_close(segment);
    }
}

/* ---- all of them ---- */

static int move_all(struct moving *m)
{
    struct segment_name *names;
    size_t found;
    int rc = folder_segments(m->folder, &names, &found, m->err);
    if (rc < 0)
        return rc;
    count(m, names, found);
    if (!m->options->dry_run)
        move_sweep(m, m->folder->segments);
    if (!m->options->dry_run && m->ours)
        rc = move_sweep_annex(m, names, found);
    for (size_t i = 0; i < found && rc == 0 && !m->options->dry_run; i++)
        rc = move_one(m, &names[i]);
    free(names);
    return rc;
}

int move_segments(const struct folder *folder, const struct annex *annex,
                  const struct move_options *options, struct move_totals *totals,
                  struct tdk_err *err)
{
    struct tdk_err own;
    struct moving m = {.folder = folder,
                       .annex = annex,
                       .options = options,
                       .totals = totals,
                       .lock = -1,
                       .buffer = malloc(MOVE_COPY_SIZE),
                       .digest = XXH3_createState(),
                       .err = err != NULL ? err : &own};
    int rc = m.buffer == NULL || m.digest == NULL ? err_set(err, -ENOMEM, "move segments") : 0;
    if (rc == 0)
        rc = retired_load(&m.retired, folder, m.err);
    if (rc == 0 && !options->dry_run)
        rc = lock_annex(&m);
    if (rc == 0)
        rc = check_ours(&m);
    if (rc == 0)
        rc = move_all(&m);
    if (m.lock >= 0)
        files->close(m.lock);
    retired_drop(m.retired);
    XXH3_freeState(m.digest);
    free(m.buffer);
    return rc;
}
