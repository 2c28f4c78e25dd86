/*
 * segment.h - a file of blocks: written front to back, sealed once, read by anyone.
 *
 * There are two halves. A segment_writer creates the file, notes each block that was written, and
 * seals. Its owner writes the blocks themselves, with files->pwrite on writer->fd at offsets of its
 * own (several at a time, each a multiple of TAPE_ALIGN). A segment reads: pread into private
 * memory, never mmap. A handle belongs to one thread at a time, but segment_read() may be called by
 * several.
 */
#ifndef TDK_TAPE_SEGMENT_H
#define TDK_TAPE_SEGMENT_H

#include <stdbool.h>

#include "tape/block.h"
#include "tape/folder.h"
#include "tape/format.h"
#include "tape/states.h"
#include "tape/stub.h"

#define SEGMENT_FIRST_OFFSET ((uint64_t)TAPE_ALIGN) /* of the first block */

/* ---- writing ---- */

struct segment_writer {
    int fd;
    bool direct; /* O_DIRECT: addresses, offsets and sizes are multiples of TAPE_ALIGN */
    uint64_t number;
    uint64_t size;               /* preallocated; writing beyond is allowed */
    uint64_t end;                /* where the last noted block ends */
    const struct folder *folder; /* borrowed */
    enum segment_stage stage;
    uint64_t created_ns;
    uint32_t generation; /* 1: packed; then the next two are those of the recorded segment */
    uint32_t recorded_digest;
    uint64_t recorded_end;
    struct block_ref *refs; /* ours; the noted blocks */
    size_t count, room;
    uint64_t ticks, lost, min_ts, max_ts;
    uint32_t digest;
    struct states_maker *maker; /* ours, until the segment is sealed */
    struct states states;       /* ours, from then on */
    bool unsure; /* a sync failed: only reading can tell, later, what of it is on the disk */
};

/* Create NUMBER.open (or .import), exclusively: allocated, its head written, file and folder
 * synced. */
int segment_create(struct segment_writer **writer, const struct folder *folder, uint64_t number,
                   enum segment_stage stage, uint64_t size, struct tdk_err *err);

/* Open a segment that a dead writer left, to seal it. No blocks are noted yet. */
int segment_adopt(struct segment_writer **writer, const struct folder *folder, uint64_t number,
                  enum segment_stage stage, struct tdk_err *err);

/* The file is about to be written up to `upto`. Allocate more, in steps that grow with the file,
 * because writes beyond a file's end wait for each other. Best effort: when it fails, the write
 * says why. */
void segment_allocate(struct segment_writer *writer, uint64_t upto);

/* Note a block (finished) that lies at `offset`. Blocks come in file order. -ENOMEM. */
int segment_note(struct segment_writer *writer, const struct block_head *head, uint64_t offset,
                 struct tdk_err *err);

/* Note the state in a block, unpacked, for the foot, in the same order. The states are stored only
 * when every block was noted. */
void segment_note_states(struct segment_writer *writer, const struct block_view *view);

/* The same as segment_note(), for a block known by its reference and its head's CRC. */
int segment_note_ref(struct segment_writer *writer, const struct block_ref *ref, uint32_t head_crc,
                     struct tdk_err *err);

/*
 * Write table, catalogue (raw, as catalog_encode() makes it; compressed here) and foot after the
 * blocks; cut the file to size; sync it. Then segment_publish() renames it to .seg and syncs the
 * folder. After a failed sync the file must not be used again. `previous_digest` is foot.digest of
 * the segment before; 0: none. When the folder cannot be synced, both calls may be repeated: a file
 * that has its name is not written again.
 */
int segment_seal(struct segment_writer *writer, const void *catalog, size_t catalog_size,
                 uint32_t previous_digest, struct tdk_err *err);
int segment_publish(struct segment_writer *writer, struct tdk_err *err);

/* Fill in the short form, for the index. */
void segment_ref_of(const struct segment_writer *writer, bool sealed, struct segment_ref *ref);

/* Put a sealed segment and its states into the index, between the index's begin and commit. */
int segment_put(const struct segment_writer *writer, struct index *index, struct tdk_err *err);

/* Remove the file. The writer must still be closed. */
int segment_remove(struct segment_writer *writer, struct tdk_err *err);
void segment_writer_close(struct segment_writer *writer); /* NULL is fine */

/* ---- reading ---- */

struct segment {
    int fd;      /* of the file with its blocks; -1: they are away */
    int home_fd; /* of the file with its head and foot; not fd if it was moved (stub.h) */
    uint64_t size;
    struct segment_head head;
    bool head_damaged; /* then `head` is what it must have been */
    char path[TAPE_PATH_MAX];
    char whole[TAPE_PATH_MAX]; /* path of the file that has all of the segment */
    struct tdk_err away;       /* why its blocks cannot be read: TDK_EAWAY, or the annex lacks it */
};

static inline bool segment_is_moved(const struct segment *segment)
{
    return head_is_stub(&segment->head);
}
static inline bool segment_is_away(const struct segment *segment)
{
    return segment->fd < 0;
}

/* Of one that was moved, and is there: TDK_ECORRUPT, when the file there is not as long as it was.
 * The blocks that are left can be read. */
int segment_check_size(const struct segment *segment, struct tdk_err *err);

/* Its file was deleted, packed or moved since: open, it keeps its room on the disk. */
bool segment_is_gone(const struct segment *segment);

/* Open a segment and check its head. tape_id NULL: of any tape. -ENOENT; TDK_ECORRUPT,
 * TDK_EVERSION, TDK_EFOREIGN, TDK_EFORMAT (no segment at all). */
int segment_open(struct segment **segment, const char *path, const uint8_t tape_id[16],
                 struct tdk_err *err);

/* Open a segment of a tape's folder, by number. SEGMENT_SEALED: packed or not. Here a damaged head
 * does no harm: what it said is known. TDK_EFOREIGN is also returned when another segment has this
 * one's name. A moved segment opens with its head and foot, whether or not its annex is there: see
 * segment_is_away(). This works only here: segment_open() does not know where a moved segment's
 * blocks are (TDK_EAWAY). */
int segment_open_number(struct segment **segment, const struct folder *folder, uint64_t number,
                        enum segment_stage stage, struct tdk_err *err);
/* The same, for a caller that needs head and foot alone. The blocks of a moved segment are not
 * looked for, and no other disk is accessed. */
int segment_open_home(struct segment **segment, const struct folder *folder, uint64_t number,
                      enum segment_stage stage, struct tdk_err *err);
void segment_close(struct segment *segment); /* NULL is fine */

/* Read the block that `ref` means into `buffer` (ref->span bytes, 8-aligned), checked and compared
 * with ref. TDK_ECORRUPT names segment, offset, track and time range; TDK_EAWAY. */
int segment_read(const struct segment *segment, const struct block_ref *ref, void *buffer,
                 struct block_view *view, struct tdk_err *err);

/* Read the foot of a sealed segment. TDK_ETRUNCATED: there is none at its end. TDK_ECORRUPT. */
int segment_read_foot(const struct segment *segment, struct segment_foot *foot,
                      struct tdk_err *err);

/* Read what the foot points to, malloc'ed; the catalogue is unpacked. TDK_ECORRUPT. */
int segment_read_table(const struct segment *segment, const struct segment_foot *foot,
                       struct block_ref **refs, struct tdk_err *err);
int segment_read_catalog(const struct segment *segment, const struct segment_foot *foot,
                         void **bytes, size_t *size, struct tdk_err *err);
int segment_read_states(const struct segment *segment, const struct segment_foot *foot,
                        struct states *states, struct tdk_err *err); /* -ENOENT: it has none */

/* ---- without a foot ---- */

/* A stretch between good blocks, or after the last, that should hold blocks and does not. */
struct segment_gap {
    uint64_t offset, size;
};

/* What a scan of the blocks found; segment_scan_close() frees it. */
struct segment_scan {
    struct block_ref *refs; /* of the good blocks, in file order */
    uint32_t *head_crcs;    /* of the same blocks */
    size_t count;
    struct segment_gap *gaps;
    size_t gap_count;
    uint64_t end;          /* where the last good block ends */
    uint64_t data_end;     /* where the last byte that is not zero ends */
    uint64_t synced_upto;  /* the highest that a good block gives */
    uint64_t previous_end; /* as the blocks give it; 0: not known */
    uint64_t written_ns;   /* the latest */
};

/* Walk the blocks up to `end` (UINT64_MAX: the end of the file), and check each wholly. Where no
 * block begins when one should, the scan looks for the next one. */
int segment_scan(const struct segment *segment, uint64_t end, struct segment_scan *scan,
                 struct tdk_err *err);
/* The same up to the end of the file, when the blocks before `from` are known. */
int segment_scan_from(const struct segment *segment, uint64_t from, struct segment_scan *scan,
                      struct tdk_err *err);
void segment_scan_close(struct segment_scan *scan); /* fine twice */

/*
 * Cut off the torn tail: everything from the first gap that no good block behind it says was
 * synced. Gaps before that are damage. Afterwards scan->end is where the tape's part of the file
 * ends, and what lies from there to data_end was never acknowledged.
 */
void segment_scan_trim(struct segment_scan *scan);

#endif
