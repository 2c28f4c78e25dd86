/*
 * coverage_shelf.h - keeps records of coverage for clients that may ask for the next answer.
 *
 * It keeps a few, each under a number with which the client asks on. If a client asks too late, or
 * asks for something else, there is nothing for it here and the tape is walked anew: nothing
 * depends on what is kept. Any thread.
 */
#ifndef TDK_REPLAYER_COVERAGE_SHELF_H
#define TDK_REPLAYER_COVERAGE_SHELF_H

#include <pthread.h>
#include <stdatomic.h>

#include "replayer/coverage_record.h"

#define COVERAGE_SHELF_PLACES 4u
#define COVERAGE_RECORD_SIZE  ((size_t)8 << 20)
#define COVERAGE_KEPT_NS      (UINT64_C(30) * 1000000000) /* after that nobody will ask any more */

struct coverage_shelf {
    atomic_uint_fast64_t walks; /* walks of the tape since the start */
    pthread_mutex_t lock;
    size_t record_size; /* COVERAGE_RECORD_SIZE, except in tests */
    uint64_t numbers;   /* handed out so far */
    struct coverage_kept {
        uint64_t number, since_ns; /* number 0: the place is free */
        struct coverage_record *record;
        char *range; /* the query it is about: see coverage_shelf.c */
        size_t range_size;
    } places[COVERAGE_SHELF_PLACES];
};

void coverage_shelf_init(struct coverage_shelf *shelf);
void coverage_shelf_close(struct coverage_shelf *shelf);

/* Take the record of this number if it is there and is about this query. The caller owns it. Else
 * NULL. */
struct coverage_record *coverage_shelf_take(struct coverage_shelf *shelf, uint64_t number,
                                            const struct tdk_query *query);

/* A new number, for coverage_shelf_put(). */
uint64_t coverage_shelf_number(struct coverage_shelf *shelf);

/* Keep a record, which the shelf owns from here on. When there is no place the oldest goes. */
void coverage_shelf_put(struct coverage_shelf *shelf, uint64_t number,
                        struct coverage_record *record, const struct tdk_query *query);

/* Drop what has been kept for too long. */
void coverage_shelf_tend(struct coverage_shelf *shelf, uint64_t now_ns);

#endif
