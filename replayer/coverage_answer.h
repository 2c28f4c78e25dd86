/*
 * coverage_answer.h - is a range whole, as a result: {tracks: [{track, epochs: [{epoch, first_seq,
 * last_seq, ..., lost: [...], damaged: [...]}]}], complete, more}.
 *
 * Lists have at most 1,024 items; `more` tells that one was cut, the counts are of all. On the
 * pool.
 */
#ifndef TDK_REPLAYER_COVERAGE_ANSWER_H
#define TDK_REPLAYER_COVERAGE_ANSWER_H

#include <stdatomic.h>

#include "tapedeck/tape.h"
#include "wire/message.h"

/* `stop`: looked at now and then; true ends it with -ECANCELED. */
int coverage_answer(struct tdk_tape *tape, const struct tdk_query *query, const atomic_bool *stop,
                    struct text_buffer *result, struct tdk_err *err);

#endif
