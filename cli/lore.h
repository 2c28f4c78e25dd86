/*
 * lore.h - what a ring has said about itself so far.
 *
 * Whoever reads a ring as it runs (drain, tap) learns from the frames that pass: which name and
 * epoch a track's number stands for (TRACK, EPOCH), properties (INFO), symbols (SYMBOL, a DBN
 * file's header, DBN symbol mappings). The frames come from another process, so each is checked,
 * and what is kept is bounded. One thread.
 */
#ifndef TDK_CLI_LORE_H
#define TDK_CLI_LORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/output.h"
#include "tapedeck/tick.h"

struct lore;

/* For a reader that begins in the ring's epoch `epoch`. `track` is the ring's own (ring info): the
 * name of track number 0 until a TRACK frame says otherwise. -ENOMEM. */
int lore_open(struct lore **lore, const char *track, uint64_t epoch);
void lore_close(struct lore *lore);

/* The reader was overtaken, and is now in the ring's epoch `epoch`. */
void lore_begin(struct lore *lore, uint64_t epoch);

/* Learn from a frame. Call it before the frame is put out. For a tick that teaches nothing it only
 * looks at the type. -ENOMEM; TDK_EFULL: the ring announces more tracks than are allowed. */
int lore_learn(struct lore *lore, const struct tdk_frame *frame);

/* The track that a frame with this number belongs to now. Its name is NULL if the ring has not said
 * it; otherwise it is borrowed until close. */
struct lore_track {
    const char *name;
    uint64_t epoch;
    uint64_t shift; /* what a play with --rebase added to its times, modulo 2^64; 0: nothing */
};
struct lore_track lore_track(const struct lore *lore, uint16_t number);

struct output_facts lore_facts(struct lore *lore);

#endif
