/*
 * lore.h - what a ring has told about itself so far.
 *
 * Whoever reads a ring as it runs (drain, tap) learns from the frames that pass: which name and
 * epoch stand behind a track's number (TRACK, EPOCH), properties (INFO), symbols (SYMBOL, a DBN
 * file's header, DBN symbol mappings). The frames come from another process: each is checked, and
 * what is kept is bounded. One thread.
 */
#ifndef TDK_CLI_LORE_H
#define TDK_CLI_LORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/output.h"
#include "tapedeck/tick.h"

struct lore;

/* A reader that begins at the ring's epoch `epoch`; `track` is the ring's own (ring info), the name
 * of track number 0 until a TRACK frame says otherwise. -ENOMEM. */
int lore_open(struct lore **lore, const char *track, uint64_t epoch);
void lore_close(struct lore *lore);

/* The reader was overtaken, and stands in the ring's epoch `epoch` now. */
void lore_begin(struct lore *lore, uint64_t epoch);

/* Before the frame is put out. Ticks that teach nothing cost a look at their type. -ENOMEM;
 * TDK_EFULL: the ring tells of more tracks than can be. */
int lore_learn(struct lore *lore, const struct tdk_frame *frame);

/* The track that a frame with this number belongs to now: the name is NULL when nobody has told.
 * Name borrowed until close. */
struct lore_track {
    const char *name;
    uint64_t epoch;
    uint64_t shift; /* was added to its times by a play with --rebase, modulo 2^64; 0: none */
};
struct lore_track lore_track(const struct lore *lore, uint16_t number);

struct output_facts lore_facts(struct lore *lore);

#endif
