/*
 * retire.h - delete segments on purpose: tombstone, file, index, in this order.
 *
 *   lease free -> TAPE/retired (durable) -> unlink, folder synced -> index and catalogue
 *
 * Dying at any point leaves a tape that is whole. A segment with a tombstone is gone for every
 * reader, whether its file is still there or not; the next writer, or the next retire, removes the
 * file. Beside a recorder, the files go at once. The holder of the tape takes the segments out of
 * its index and catalogue the next time it looks (retire_index). Blocking.
 */
#ifndef TDK_TAPE_RETIRE_H
#define TDK_TAPE_RETIRE_H

#include "index/index.h"
#include "tape/retired.h"

enum retire_fate {
    RETIRE_DONE,
    RETIRE_LEASED,     /* a reader needs it: try another time */
    RETIRE_HELD,       /* it has been held in the meantime (holds.h) */
    RETIRE_ABSENT,     /* it is not there, or was retired before */
    RETIRE_NOT_SEALED, /* it is being written */
    RETIRE_AWAY,       /* it was moved, and its disk is not mounted: try another time */
    RETIRE_UNREADABLE  /* the file cannot be opened, or is not a segment */
};

struct retire_options {
    /* Called after each segment; may be NULL. Not 0: stop after it. */
    int (*each)(uint64_t segment, enum retire_fate fate, uint64_t bytes, void *context);
    void *context;
    unsigned row_wait_ms; /* wait for another job that changes the row, then TDK_EBUSY; 0: 10 s */
};

/* Retire these segments, as far as nobody reads or holds them. Also remove the files of segments
 * that were retired before and are still there, even when `segments` is empty, unless another job
 * is changing the row. A file that cannot be removed is an error, except when it was retired
 * before; its segment is retired all the same, and the others go. */
int retire_segments(const struct folder *folder, const uint64_t *segments, size_t count,
                    const struct retire_options *options, struct tdk_err *err);

/* Remove files of retired segments that are still there after a death. *removed: how many. */
int retire_leftovers(const struct folder *folder, const struct retired *retired, uint64_t *removed,
                     struct tdk_err *err);

/* Take what is retired out of the index. `left` (may be NULL) receives what is left of each epoch
 * that lost something, for a catalogue (catalog_recount). For the process that writes to the index,
 * between two of its transactions. */
int retire_index(struct index *index, const struct retired *retired,
                 void (*left)(const struct epoch_ref *epoch, void *context), void *context,
                 struct tdk_err *err);

#endif
