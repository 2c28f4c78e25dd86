/*
 * coverage_answer.h - is a range whole, as a result: {tracks: [{track, epochs: [{epoch, first_seq,
 * last_seq, ..., lost: [...], damaged: [...]}]}], complete, more, next?}.
 *
 * An answer has at most 1,024 items in a list and COVERAGE_SIZE bytes: what is more comes with the
 * next one, which is asked for with what `next` said. `complete` and the counts are of all, also
 * when the lists are not. The tape is walked once: what that walk told waits on a shelf for the
 * next answer, which is of the same moment. On the pool.
 */
#ifndef TDK_REPLAYER_COVERAGE_ANSWER_H
#define TDK_REPLAYER_COVERAGE_ANSWER_H

#include "replayer/coverage_shelf.h"
#include "wire/message.h"

#define COVERAGE_SIZE ((size_t)768 << 10)

struct coverage_wish {
    const struct tdk_query *query;
    struct coverage_place after;  /* told by the answers before */
    uint64_t walk;                /* where the rest of it waits; 0: nowhere */
    bool unread;                  /* by the index alone: see struct tdk_coverage_walk */
    struct coverage_shelf *shelf; /* NULL: nothing is kept for a next answer */
    const atomic_bool *stop;      /* looked at now and then; true ends it with -ECANCELED */
};

/* {after?: {track, epoch, seq, walk?}}. TDK_EVALUE. */
int coverage_take_after(struct coverage_wish *wish, struct wire_map params, struct tdk_err *err);

/* A failure leaves in the result what came before it. */
int coverage_answer(struct tdk_tape *tape, const struct coverage_wish *wish,
                    struct text_buffer *result, struct tdk_err *err);

#endif
