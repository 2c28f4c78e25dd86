/*
 * coverage_record.h - a walk over what a tape has of a range, kept: its answers are read off it.
 *
 * A walk of the tape costs its blocks; a range with many gaps has many answers, and each of them
 * would walk anew. A record holds what one walk told behind a place, as far as its memory goes:
 * then it is cut, in the middle of an epoch's gaps or between two epochs, and the next record
 * begins there. One thread at a time.
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
    bool unread;             /* by the index alone: see struct tdk_coverage_walk */
    size_t size_max;         /* bytes of a record */
    const atomic_bool *stop; /* looked at now and then; true ends it with -ECANCELED */
};

struct coverage_record;

/* Walk the tape. A walk from the beginning goes to its end, cut or not, as what is missing anywhere
 * has to be known; another ends where it is cut. */
int coverage_record_make(struct coverage_record **record, struct tdk_tape *tape,
                         const struct coverage_walk *walk, struct tdk_err *err);
void coverage_record_free(struct coverage_record *record); /* NULL is fine */

/* Tell it as the tape told it, and in the same order. Not 0 from a callback ends it. */
int coverage_record_tell(const struct coverage_record *record,
                         const struct tdk_coverage_walk *walk);

bool coverage_record_is_complete(const struct coverage_record *record); /* nothing was missing */

/* The segments that are lost or cut, the first COVERAGE_LOST_MAX of them. Borrowed. */
const struct tdk_lost_segments *coverage_record_lost(const struct coverage_record *record,
                                                     size_t *count);

/* Where it was cut: what it told last. NULL: it was not; what is behind it is nothing. */
const struct coverage_place *coverage_record_cut(const struct coverage_record *record);

/* Is that told when all up to `place` is? */
bool coverage_place_has(const struct coverage_place *place, const char *track, uint64_t epoch,
                        uint64_t seq);

#endif
