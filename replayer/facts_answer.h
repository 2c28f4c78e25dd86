/*
 * facts_answer.h - what a tape knows about itself besides its ticks, as answers: `info` about the
 * whole tape, the `epochs` of a track, one `property` of an epoch.
 *
 * The params are checked on the loop; the tape is read on the pool.
 */
#ifndef TDK_REPLAYER_FACTS_ANSWER_H
#define TDK_REPLAYER_FACTS_ANSWER_H

#include "tapedeck/tape.h"
#include "wire/message.h"

#define FACTS_KEY_MAX 256u

struct facts_wish {
    char track[TDK_NAME_MAX + 1];
    char key[FACTS_KEY_MAX];
    uint64_t epoch;  /* property: of which epoch; 0: the last */
    uint64_t after;  /* epochs: the last one of the page before; 0: begin with the first */
    uint64_t offset; /* property: where in its value the answer begins */
};

/* {track, after?}, {track, epoch?, key, offset?}. TDK_EVALUE. */
int facts_take_epochs(struct facts_wish *wish, struct wire_map params, struct tdk_err *err);
int facts_take_property(struct facts_wish *wish, struct wire_map params, struct tdk_err *err);

int facts_info(struct tdk_tape *tape, struct text_buffer *out, struct tdk_err *err);
int facts_epochs(struct tdk_tape *tape, const struct facts_wish *wish, struct text_buffer *out,
                 struct tdk_err *err);
int facts_property(struct tdk_tape *tape, const struct facts_wish *wish, struct text_buffer *out,
                   struct tdk_err *err);

#endif
