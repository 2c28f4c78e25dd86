/*
 * announce.h - what a reader of a replay ring must know before an epoch's first tick.
 *
 * A TRACK frame with the name and epoch behind the track's number, then the epoch's properties
 * (INFO) and symbols (SYMBOL) as the tape knows them: a range that begins in the middle of a day
 * can be read like one that begins with it.
 */
#ifndef TDK_REPLAYER_ANNOUNCE_H
#define TDK_REPLAYER_ANNOUNCE_H

#include "replayer/lane.h"
#include "tapedeck/tape.h"

/* Announce the track and epoch of `run`; the frames carry the seq and ts of its first tick, as
 * control frames do. Published by the caller's next publish. */
int announce_track(struct lane *lane, struct tdk_tape *tape, const struct tdk_run *run,
                   uint8_t kind, struct lane_patience *patience, struct tdk_err *err);

/* The key of the property that tells how much was added to the times of a rebased play: decimal,
 * ns, signed. Payloads, also those of control frames, keep the times of the tape. */
#define ANNOUNCE_REBASE_KEY "tapedeck.rebase"

/* That property, for the track of `run`. */
int announce_rebase(struct lane *lane, const struct tdk_run *run, uint64_t shift,
                    struct lane_patience *patience, struct tdk_err *err);

#endif
