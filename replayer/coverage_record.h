/*
 * coverage_record.h - the kept result of one walk over what a tape has of a range. Answers are read
 * from it.
 *
 * A walk of the tape has to read its blocks. A range with many gaps needs many answers, and without
 * a record each of them would walk anew. A record holds what one walk found after a given place, as
 * far as its memory goes. Then it is cut, in the middle of an epoch's gaps or between two epochs,
 * and the next record begins there. One thread at a time.
 */
#ifndef TDK_REPLAYER_COVERAGE_RECORD_H
#define TDK_REPLAYER_COVERAGE_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/tape.h"

enum { COVERAGE_LOST_MAX = 64 };

/* Up to where an answer told: gaps of this epoch up to `seq`; UINT64_MAX: all of the epoch. */
struct coverage_place {
    char track[TDK_NAME_MAX + 1]; /* "": nothing */
    uint64_t epoch, seq;
};

struct coverage_walk {
    const struct tdk_query *query;
    struct coverage_place after;
    bool unread;             /* use the index alone: see struct tdk_coverage_walk */
    size_t size_max;         /* limit of a record's memory, in bytes */
    const atomic_bool *stop; /* looked at now and then; true ends it with -ECANCELED */
};

struct coverage_record;

/* Walk the tape. A walk from the beginning goes to the range's end even when the record is cut,
 * because it must be known whether anything is missing anywhere. Any other walk ends where it is
 * cut. */
int coverage_record_make(struct coverage_record **record, struct tdk_tape *tape,
                         const struct coverage_walk *walk, struct tdk_err *err);
void coverage_record_close(struct coverage_record *record); /* NULL is fine */

/* Replay the record through the callbacks of `walk`, in the order in which the tape reported it. A
 * callback that does not return 0 ends it. */
int coverage_record_walk(const struct coverage_record *record,
                         const struct tdk_coverage_walk *walk);

bool coverage_record_is_complete(const struct coverage_record *record); /* nothing was missing */

/* The segments that are lost or cut, the first COVERAGE_LOST_MAX of them. Borrowed. */
const struct tdk_lost_segments *coverage_record_lost(const struct coverage_record *record,
                                                     size_t *count);

/* Where it was cut: what it told last. NULL: it was not; what is behind it is nothing. */
const struct coverage_place *coverage_record_cut(const struct coverage_record *record);

/* Is that gap, or that epoch, included in all that was reported up to `place`? */
bool coverage_place_has(const struct coverage_place *place, const char *track, uint64_t epoch,
                        uint64_t seq);

#endif
