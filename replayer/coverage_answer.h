/*
 * coverage_answer.h - the answer to "is this range whole?": {tracks: [{track, epochs: [{epoch,
 * first_seq, last_seq, ..., lost: [...], damaged: [...]}]}], complete, more, next?}.
 *
 * An answer has at most 1,024 items in a list and COVERAGE_SIZE bytes. The rest comes with the next
 * answer, for which a client asks with what `next` said. `complete` and the counts are about all of
 * it, even where the lists are not. The tape is walked only once: its record waits on a shelf for
 * the next answer, so that all answers are of the same moment. On the pool.
 */
#ifndef TDK_REPLAYER_COVERAGE_ANSWER_H
#define TDK_REPLAYER_COVERAGE_ANSWER_H

#include "replayer/coverage_shelf.h"
#include "wire/message.h"

#define COVERAGE_SIZE ((size_t)768 << 10)

struct coverage_wish {
    const struct tdk_query *query;
    struct coverage_place after;  /* the answers before have told up to here */
    uint64_t walk;                /* the number of the record that waits; 0: none */
    bool unread;                  /* by the index alone: see struct tdk_coverage_walk */
    struct coverage_shelf *shelf; /* NULL: keep nothing for a next answer */
    const atomic_bool *stop;      /* looked at now and then; true ends it with -ECANCELED */
};

/* {after?: {track, epoch, seq, walk?}}. TDK_EVALUE. */
int coverage_take_after(struct coverage_wish *wish, struct wire_map params, struct tdk_err *err);

/* On failure the result has what came before it. */
int coverage_answer(struct tdk_tape *tape, const struct coverage_wish *wish,
                    struct text_buffer *result, struct tdk_err *err);

#endif
