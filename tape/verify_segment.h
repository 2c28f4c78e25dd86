/*
 * verify_segment.h - one segment file, every byte of it: for verify.c.
 *
 * What is wrong with it, and what chains to other segments, goes into a report. Blocking; each
 * thread has its own reader.
 */
#ifndef TDK_TAPE_VERIFY_SEGMENT_H
#define TDK_TAPE_VERIFY_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/scratch.h"
#include "tape/folder.h"
#include "tape/segment.h"
#include "tape/verify_report.h"

/* What a segment is read into, and what it is compared with. */
struct verify_reader {
    struct index *index;             /* NULL: no index is compared */
    bool live;                       /* a recorder is running: blocks may not be in the index yet */
    struct scratch stored, unpacked; /* the block that is read: as in the file, and its frames */
    struct pack *pack;               /* ours; NULL until a packed block is met */
    /* The states of its blocks; ours, made when needed. */
    struct states_maker *states;
    _Atomic uint64_t *bytes_done, *blocks_done, *ticks_done; /* shared counters of all readers */
};

void verify_segment(struct verify_reader *reader, const struct segment *segment,
                    enum segment_stage stage, struct report *report);
void verify_reader_close(struct verify_reader *reader);

/* Do the states of its foot match its blocks, and does the index say the same? Call after its
 * blocks were read. */
void verify_states(struct verify_reader *reader, const struct segment *segment,
                   const struct segment_foot *foot, const struct block_ref *refs,
                   struct report *report);

#endif
