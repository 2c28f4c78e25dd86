/*
 * coverage_shelf.h - records of coverage whose next answer may yet be asked for.
 *
 * A handful, each by a number that its next answer is asked for with. Who asks too late, or asks
 * something else, finds nothing, and the tape is walked anew: nothing depends on what is here. Any
 * thread.
 */
#ifndef TDK_REPLAYER_COVERAGE_SHELF_H
#define TDK_REPLAYER_COVERAGE_SHELF_H

#include <pthread.h>
#include <stdatomic.h>

#include "replayer/coverage_record.h"

#define COVERAGE_SHELF_PLACES 4u
#define COVERAGE_RECORD_SIZE  ((size_t)8 << 20)
#define COVERAGE_KEPT_NS      (UINT64_C(30) * 1000000000) /* until nobody is believed to ask */

struct coverage_shelf {
    atomic_uint_fast64_t walks; /* of the tape, since the start */
    pthread_mutex_t lock;
    size_t record_size; /* COVERAGE_RECORD_SIZE, unless a test has less */
    uint64_t numbers;   /* given so far */
    struct coverage_kept {
        uint64_t number, since_ns; /* number 0: the place is free */
        struct coverage_record *record;
        char *range; /* of what: see coverage_shelf.c */
        size_t range_size;
    } places[COVERAGE_SHELF_PLACES];
};

void coverage_shelf_init(struct coverage_shelf *shelf);
void coverage_shelf_close(struct coverage_shelf *shelf);

/* The record of this number, if it is there and of this range: the caller's. Else NULL. */
struct coverage_record *coverage_shelf_take(struct coverage_shelf *shelf, uint64_t number,
                                            const struct tdk_query *query);

/* A number for what is put. */
uint64_t coverage_shelf_number(struct coverage_shelf *shelf);

/* The record is the shelf's from here on. The oldest goes when there is no place. */
void coverage_shelf_put(struct coverage_shelf *shelf, uint64_t number,
                        struct coverage_record *record, const struct tdk_query *query);

/* What has been there for too long goes. */
void coverage_shelf_tend(struct coverage_shelf *shelf, uint64_t now_ns);

#endif
