/*
 * verify_report.h - what was found in a segment, and what of it chains to other segments: for
 * verify.c.
 *
 * A report of all zeros is an empty one. It belongs to whoever fills it, one thread at a time.
 */
#ifndef TDK_TAPE_VERIFY_REPORT_H
#define TDK_TAPE_VERIFY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/index.h"

/* ---- seqs ---- */

/* A stretch of seqs without a hole, from consecutive blocks of one track; or all of an epoch of a
 * track. */
struct extent {
    uint64_t epoch;
    uint64_t first_seq, last_seq;
    uint64_t last_counted; /* by a tick or a loss: control frames alone may stand behind; 0: none */
    uint64_t blocks, ticks, bytes, lost;
    uint64_t step_back; /* the largest of its blocks' */
    uint16_t track;
    bool begins;  /* with its epoch's EPOCH frame */
    bool repeats; /* of a whole epoch: part of it is there twice, so its blocks were not counted */
};

struct extents {
    struct extent *items; /* ours */
    size_t count, room;
};

/* The last one of this epoch; NULL: none. Valid until the next extents_add(). */
struct extent *extents_find(const struct extents *extents, uint16_t track, uint64_t epoch);
int extents_add(struct extents *extents, const struct extent *extent); /* -ENOMEM */
void extents_close(struct extents *extents);

/* ---- the report ---- */

struct report_finding {
    uint64_t offset; /* UINT64_MAX: the file as a whole */
    int code;
    char *what; /* ours */
};

struct report {
    uint64_t number; /* of the segment; 0: of the tape as a whole */
    struct report_finding *findings;
    size_t finding_count, finding_room;
    struct extents extents; /* in file order */
    struct segment_ref ref; /* as the index should have it */
    bool is_away;           /* it was moved, and its blocks cannot be looked at now */
    bool has_foot;
    uint32_t digest, previous_digest; /* as its foot says */
    uint32_t blocks_digest;           /* as its blocks say */
    uint32_t bad_blocks;              /* blocks that could not be read */
    uint64_t written_ns;              /* of the last block */
    int failed;                       /* -ENOMEM and such: the findings are not complete */
};

/* Add a finding. `offset` UINT64_MAX: of the whole file. report_say: the text is complete, and
 * names the segment itself. */
void report_say(struct report *report, uint64_t offset, int code, const char *text);
void report_add(struct report *report, uint64_t offset, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Note the seqs of a block: they continue the stretch of its track, or begin another. */
void report_block(struct report *report, const struct block_ref *ref);

void report_close(struct report *report); /* empty again; fine twice */

#endif
