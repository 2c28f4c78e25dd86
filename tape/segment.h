/*
 * segment.h - a file of blocks: written front to back, sealed once, read by anyone.
 *
 * Two halves. A segment_writer creates the file, is told of each block that was written, and seals.
 * The blocks themselves its owner writes, with files->pwrite on writer->fd at offsets of his own
 * (several at a time, each a multiple of TAPE_ALIGN). A segment reads: pread into private memory,
 * never mmap. A handle belongs to one thread at a time, but segment_read() may be called by
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
    uint64_t end;                /* behind the last block noted */
    const struct folder *folder; /* borrowed */
    enum segment_stage stage;
    uint64_t created_ns;
    uint32_t generation; /* 1: as packed; then the next two are as it was recorded */
    uint32_t recorded_digest;
    uint64_t recorded_end;
    struct block_ref *refs; /* ours, of the blocks noted */
    size_t count, room;
    uint64_t ticks, lost, min_ts, max_ts;
    uint32_t digest;
    struct states_maker *maker; /* ours, until it is sealed */
    struct states states;       /* ours, from then on */
    bool unsure; /* its sync failed: what of it is on the disk only reading tells, later */
};

/* Create NUMBER.open (or .import), exclusively: allocated, its head written, file and folder
 * synced. */
int segment_create(struct segment_writer **writer, const struct folder *folder, uint64_t number,
                   enum segment_stage stage, uint64_t size, struct tdk_err *err);

/* One that a dead writer left, to be sealed: no blocks are noted yet. */
int segment_adopt(struct segment_writer **writer, const struct folder *folder, uint64_t number,
                  enum segment_stage stage, struct tdk_err *err);

/* The file is about to be written up to there: more is allocated in steps that grow with it, since
 * writes behind a file's end wait for each other. Only a help: where it fails, the write says why.
 */
void segment_allocate(struct segment_writer *writer, uint64_t upto);

/* A block (finished) lies at `offset`. In file order. -ENOMEM. */
int segment_note(struct segment_writer *writer, const struct block_head *head, uint64_t offset,
                 struct tdk_err *err);

/* What state it has, unpacked, for the foot; in the same order. Where that is not told of each
 * block it is of none. */
void segment_note_states(struct segment_writer *writer, const struct block_view *view);

/* The same, of one known by its reference and its head's CRC. */
int segment_note_ref(struct segment_writer *writer, const struct block_ref *ref, uint32_t head_crc,
                     struct tdk_err *err);

/*
 * Table, catalogue (raw, as catalog_encode() makes it; compressed here) and foot behind the blocks;
 * cut to size; synced. Then segment_publish() renames it to .seg and syncs the folder. After a
 * failed sync the file must not be used again. `previous_digest`: foot.digest of the segment
 * before; 0: none. When that folder cannot be synced both are tried again: what has its name is not
 * written any more.
 */
int segment_seal(struct segment_writer *writer, const void *catalog, size_t catalog_size,
                 uint32_t previous_digest, struct tdk_err *err);
int segment_publish(struct segment_writer *writer, struct tdk_err *err);

/* In short, for the index. */
void segment_ref_of(const struct segment_writer *writer, bool sealed, struct segment_ref *ref);

/* The same of a sealed one, and what state it has, between the index's begin and commit. */
int segment_put(const struct segment_writer *writer, struct index *index, struct tdk_err *err);

int segment_remove(struct segment_writer *writer, struct tdk_err *err); /* the file; then close */
void segment_writer_close(struct segment_writer *writer);               /* NULL is fine */

/* ---- reading ---- */

struct segment {
    int fd;      /* of its blocks; -1: they are away */
    int home_fd; /* of its head and foot; of one that was moved (stub.h) another file */
    uint64_t size;
    struct segment_head head;
    bool head_damaged; /* and `head` is what it must have been */
    char path[TAPE_PATH_MAX];
    char whole[TAPE_PATH_MAX]; /* path of the file that has all of it */
    struct tdk_err away; /* why its blocks cannot be had: TDK_EAWAY, or the annex has it not */
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

/* Opens and checks the head. tape_id NULL: any tape's. -ENOENT; TDK_ECORRUPT, TDK_EVERSION,
 * TDK_EFOREIGN, TDK_EFORMAT (no segment at all). */
int segment_open(struct segment **segment, const char *path, const uint8_t tape_id[16],
                 struct tdk_err *err);

/* The same of a tape's folder, by number; SEGMENT_SEALED: packed or not. Here a damaged head stops
 * nobody: what it told is known. TDK_EFOREIGN also when it is another segment under this one's
 * name. One that was moved opens with its head and foot, whether or not its annex is there:
 * segment_is_away(). Only here: of one alone nobody knows where its blocks are (TDK_EAWAY). */
int segment_open_number(struct segment **segment, const struct folder *folder, uint64_t number,
                        enum segment_stage stage, struct tdk_err *err);
/* The same for who needs head and foot alone: of one that was moved nobody looks for its blocks,
 * and no other disk is asked. */
int segment_open_home(struct segment **segment, const struct folder *folder, uint64_t number,
                      enum segment_stage stage, struct tdk_err *err);
void segment_close(struct segment *segment); /* NULL is fine */

/* The block that `ref` means into `buffer` (ref->span bytes, 8-aligned), checked and compared with
 * ref. TDK_ECORRUPT names segment, offset, track and time range; TDK_EAWAY. */
int segment_read(const struct segment *segment, const struct block_ref *ref, void *buffer,
                 struct block_view *view, struct tdk_err *err);

/* The foot of a sealed one. TDK_ETRUNCATED: there is none at its end; TDK_ECORRUPT. */
int segment_read_foot(const struct segment *segment, struct segment_foot *foot,
                      struct tdk_err *err);

/* What the foot points to, malloc'ed; the catalogue unpacked. TDK_ECORRUPT. */
int segment_read_table(const struct segment *segment, const struct segment_foot *foot,
                       struct block_ref **refs, struct tdk_err *err);
int segment_read_catalog(const struct segment *segment, const struct segment_foot *foot,
                         void **bytes, size_t *size, struct tdk_err *err);
int segment_read_states(const struct segment *segment, const struct segment_foot *foot,
                        struct states *states, struct tdk_err *err); /* -ENOENT: not told */

/* ---- without a foot ---- */

/* A stretch between good blocks, or behind the last, that holds none and should. */
struct segment_gap {
    uint64_t offset, size;
};

/* What a scan of the blocks found; segment_scan_close() frees it. */
struct segment_scan {
    struct block_ref *refs; /* of the good blocks, in file order */
    uint32_t *head_crcs;    /* of the same */
    size_t count;
    struct segment_gap *gaps;
    size_t gap_count;
    uint64_t end;          /* behind the last good block */
    uint64_t data_end;     /* behind the last byte that is not zero */
    uint64_t synced_upto;  /* the highest that a good block tells */
    uint64_t previous_end; /* as the blocks tell; 0: not known */
    uint64_t written_ns;   /* the latest */
};

/* Walk the blocks up to `end` (UINT64_MAX: the file's), each checked wholly. Where the next one
 * should begin and does not, it is looked for. */
int segment_scan(const struct segment *segment, uint64_t end, struct segment_scan *scan,
                 struct tdk_err *err);
/* The same to the end of the file, where the blocks before `from` are known. */
int segment_scan_from(const struct segment *segment, uint64_t from, struct segment_scan *scan,
                      struct tdk_err *err);
void segment_scan_close(struct segment_scan *scan); /* twice is fine */

/*
 * Leave out the torn tail: from the first gap on behind which no good block tells that it was
 * synced. Gaps before that are damage. Afterwards scan->end is where the tape's part of the file
 * ends, and what lies from there to data_end was never acknowledged.
 */
void segment_scan_trim(struct segment_scan *scan);

#endif
