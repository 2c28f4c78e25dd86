/*
 * coverage_answer.h - is a range whole, as a result: {tracks: [{track, epochs: [{epoch, first_seq,
 * last_seq, ..., lost: [...], damaged: [...]}]}], complete, more, next?}.
 *
 * An answer has at most 1,024 items in a list and COVERAGE_SIZE bytes: what is more comes with the
 * next one, which is asked for with what `next` said. `complete` and the counts are of all, also
 * when the lists are not. On the pool.
 */
#ifndef TDK_REPLAYER_COVERAGE_ANSWER_H
#define TDK_REPLAYER_COVERAGE_ANSWER_H

#include <stdatomic.h>

#include "tapedeck/tape.h"
#include "wire/message.h"

#define COVERAGE_SIZE ((size_t)768 << 10)

/* Up to where an answer told: gaps of this epoch up to `seq`; UINT64_MAX: all of the epoch. */
struct coverage_place {
    char track[TDK_NAME_MAX + 1]; /* "": nothing */
    uint64_t epoch, seq;
};

struct coverage_wish {
    const struct tdk_query *query;
    struct coverage_place after; /* told by the answers before */
    bool unread;                 /* by the index alone: see struct tdk_coverage_walk */
    const atomic_bool *stop;     /* looked at now and then; true ends it with -ECANCELED */
};

/* {after?: {track, epoch, seq}}. TDK_EVALUE. */
int coverage_take_after(struct coverage_place *after, struct wire_map params, struct tdk_err *err);

/* A failure leaves in the result what came before it. */
int coverage_answer(struct tdk_tape *tape, const struct coverage_wish *wish,
                    struct text_buffer *result, struct tdk_err *err);

#endif
