/*
 * verify_segment.h - one segment file, every byte of it: for verify.c.
 *
 * What is wrong with it, and what chains to other segments, is kept in a report, which belongs to
 * the caller. Blocking; each thread has its own reader.
 */
#ifndef TDK_TAPE_VERIFY_SEGMENT_H
#define TDK_TAPE_VERIFY_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "index/index.h"
#include "tape/folder.h"
#include "tape/segment.h"

struct report_finding {
    uint64_t offset; /* UINT64_MAX: the file as a whole */
    int code;
    char *what; /* ours */
};

/* A stretch of seqs without a hole, from consecutive blocks of one track. */
struct extent {
    uint64_t epoch;
    uint64_t first_seq, last_seq;
    uint64_t blocks, ticks, bytes, lost;
    uint64_t step_back; /* the largest of its blocks' */
    uint16_t track;
    bool begins;  /* with its epoch's EPOCH frame */
    bool repeats; /* of a whole track: part of it is there twice, so its blocks were not counted */
};

struct report {
    uint64_t number;
    struct report_finding *findings;
    size_t finding_count, finding_room;
    struct extent *extents; /* in file order */
    size_t extent_count, extent_room;
    struct segment_ref ref; /* as the index should have it */
    bool is_away;           /* it was moved, and its blocks cannot be looked at now */
    bool has_foot;
    uint32_t digest, previous_digest; /* as its foot says */
    uint32_t blocks_digest;           /* as its blocks say */
    uint32_t bad_blocks;              /* blocks that could not be read */
    uint64_t written_ns;              /* of the last block */
    int failed;                       /* -ENOMEM and such: the findings are not complete */
};

/* What a segment is read into, and what it is compared with. */
struct verify_reader {
    struct index *index; /* NULL: no index is compared */
    bool live;           /* a recorder is running: blocks may not be in the index yet */
    unsigned char *bytes, *unpacked;
    size_t room, unpacked_room;
    struct pack *pack; /* ours; NULL until a packed block is met */
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

/* Add a finding. `offset` UINT64_MAX: of the whole file. report_say: the text is complete, and
 * names the segment itself. */
void report_say(struct report *report, uint64_t offset, int code, const char *text);
void report_add(struct report *report, uint64_t offset, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void report_close(struct report *report);

#endif
