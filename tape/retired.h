/*
 * retired.h - what was deleted from a tape on purpose, so that "deleted" and "never recorded" stay
 * different answers.
 *
 *   TAPE/retired       struct retired_head, then its ranges of segments, then its extents of seqs
 *   TAPE/retired.new   room for the next one: when the disk is full, segments must still be
 * deletable
 *
 * `retired` is written under another name, synced and renamed before a segment's file is removed. A
 * file that is still there then is no part of the tape, and the next writer removes it. Neighbours
 * are merged, so the file grows with the epochs that were deleted, not with the segments. What was
 * loaded never changes for its readers: they hold a reference (any thread), and retiring works on a
 * copy of its own.
 */
#ifndef TDK_TAPE_RETIRED_H
#define TDK_TAPE_RETIRED_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/index.h"
#include "tape/folder.h"
#include "tape/kept.h"

#define RETIRED_MAGIC UINT64_C(0x31454e4f474b4454) /* "TDKGONE1" */
#define RETIRED_MAX   (64u << 20)                  /* bytes of the file; a reader refuses more */

struct retired_head {
    struct kept_head kept;
    uint32_t ranges, extents;
    uint8_t zero[24];
};

/* Segments first to last, all of them gone. */
struct retired_range {
    uint64_t first, last;
    uint64_t ticks, bytes; /* of all of them; bytes of their files */
    uint64_t retired_ns;   /* when the last of them went */
    uint32_t digest;       /* of the last one, as in the chain; 0: not known */
    uint32_t zero;
};

/* Seqs of an epoch that went with them, as ticks and as losses. */
struct retired_extent {
    uint64_t epoch;
    uint64_t first_seq, last_seq;
    uint64_t min_ts, max_ts; /* of ticks whose time is trusted; none: UINT64_MAX, 0 */
    uint64_t ticks, lost;
    uint16_t track;
    uint16_t zero[3];
};
static_assert(sizeof(struct retired_head) == 64 && sizeof(struct retired_range) == 48 &&
                  sizeof(struct retired_extent) == 64,
              "on disk");

struct retired {
    struct retired_range *ranges; /* ascending, none touches the next */
    size_t range_count;
    struct retired_extent *extents; /* by track, epoch and seq; none touches the next */
    size_t extent_count;
    unsigned holders; /* atomic */
};

/* Load what the tape has; empty when it has none. TDK_ECORRUPT, TDK_EVERSION, TDK_EFOREIGN. */
int retired_load(struct retired **retired, const struct folder *folder, struct tdk_err *err);

/* True: the error says nothing about the file, which may be readable the next time, or by another
 * build. */
bool retired_may_pass(int rc);
int retired_empty(struct retired **retired, struct tdk_err *err);
int retired_save(const struct retired *retired, const struct folder *folder, struct tdk_err *err);
void retired_reserve(const struct retired *retired, const struct folder *folder);
struct retired *retired_hold(struct retired *retired);
void retired_drop(struct retired *retired); /* NULL is fine */

/* Decode from bytes and encode to bytes, malloc'ed; pure. */
int retired_decode(struct retired **retired, const void *bytes, size_t size,
                   const uint8_t tape_id[16], struct tdk_err *err);
int retired_encode(const struct retired *retired, const uint8_t tape_id[16], void **bytes,
                   size_t *size, struct tdk_err *err);

/* Add a segment that goes, with these blocks. -ENOMEM: it may be added in part, and `retired` is of
 * no more use. */
int retired_add(struct retired *retired, const struct retired_range *segment,
                const struct block_ref *refs, size_t count, struct tdk_err *err);

/* NULL: the segment was not retired. */
const struct retired_range *retired_find(const struct retired *retired, uint64_t segment);

/* The next stretch of segments in [*from, last] that were not retired. *from moves past it. False:
 * no more. */
bool retired_next_missing(const struct retired *retired, uint64_t *from, uint64_t last,
                          uint64_t *missing_first, uint64_t *missing_last);

/* Cut what was retired off both ends of a stretch of seqs. False: nothing is left. */
bool retired_trim(const struct retired *retired, uint16_t track, uint64_t epoch,
                  uint64_t *first_seq, uint64_t *last_seq);

/* The extents of a track, beginning with an epoch: returns the first of them; *end is behind the
 * track's last. */
const struct retired_extent *retired_of(const struct retired *retired, uint16_t track,
                                        uint64_t epoch, const struct retired_extent **end);

#endif
