/*
 * retire.h - segments are deleted on purpose: tombstone, file, index, in this order.
 *
 *   lease free -> TAPE/retired (durable) -> unlink, folder synced -> index and catalogue
 *
 * Death at any point in it leaves a tape that is whole: what has its tombstone is gone for every
 * reader, whether its file is still there or not, and the next writer, or the next retire, removes
 * it. Beside a recorder the files go at once; who holds the tape takes the segments out of its
 * index and catalogue when it looks (retire_index). Blocking.
 */
#ifndef TDK_TAPE_RETIRE_H
#define TDK_TAPE_RETIRE_H

#include "index/index.h"
#include "tape/retired.h"

enum retire_fate {
    RETIRE_DONE,
    RETIRE_LEASED,     /* a reader is at it: another time */
    RETIRE_HELD,       /* somebody has held it since (holds.h) */
    RETIRE_ABSENT,     /* it is not there, or retired already */
    RETIRE_NOT_SEALED, /* it is being written */
    RETIRE_AWAY,       /* it was moved, and the disk it is on is not there: another time */
    RETIRE_UNREADABLE  /* what is there cannot be opened, or is no segment */
};

struct retire_options {
    /* After each segment; may be NULL. Not 0: stop behind it. */
    int (*each)(uint64_t segment, enum retire_fate fate, uint64_t bytes, void *context);
    void *context;
    unsigned row_wait_ms; /* for another job that changes the row, then TDK_EBUSY; 0: 10 s */
};

/* These segments, as far as nobody reads or holds them; and the files of those that were retired
 * and are still there, also when none is to go now, unless another job changes the row. A file that
 * cannot be removed is an error, but for those of before; its segment is retired all the same, and
 * the others go. */
int retire_segments(const struct folder *folder, const uint64_t *segments, size_t count,
                    const struct retire_options *options, struct tdk_err *err);

/* Files of retired segments that are still there, after a death: removed. How many. */
int retire_leftovers(const struct folder *folder, const struct retired *retired, uint64_t *removed,
                     struct tdk_err *err);

/* Take out of the index what is retired and still in it; `left` (may be NULL) is told what is left
 * of each epoch that lost something, for a catalogue (catalog_recount). For who writes to the
 * index; between two transactions of his. */
int retire_index(struct index *index, const struct retired *retired,
                 void (*left)(const struct epoch_ref *epoch, void *context), void *context,
                 struct tdk_err *err);

#endif
