/*
 * announce.h - what the reader of a replay ring must know before the first tick of an epoch.
 *
 * That is a TRACK frame, which says what track and epoch the track's number stands for, and then
 * the epoch's properties (INFO) and symbols (SYMBOL) as the tape knows them. So a range that begins
 * in the middle of a day can be read like one that begins with the day.
 */
#ifndef TDK_REPLAYER_ANNOUNCE_H
#define TDK_REPLAYER_ANNOUNCE_H

#include "replayer/lane.h"
#include "tapedeck/tape.h"

/* Announce the track and epoch of `run`. Like all control frames, these have the seq and ts of the
 * tick behind them. They become visible with the caller's next publish. */
int announce_track(struct lane *lane, struct tdk_tape *tape, const struct tdk_run *run,
                   uint8_t kind, struct lane_patience *patience, struct tdk_err *err);

/* The key of the property that says how much was added to the times of a rebased play: in ns,
 * decimal, signed. Times in payloads, including those of control frames, stay as on the tape. */
#define ANNOUNCE_REBASE_KEY "tapedeck.rebase"

/* Put that property in, for the track of `run`. */
int announce_rebase(struct lane *lane, const struct tdk_run *run, uint64_t shift,
                    struct lane_patience *patience, struct tdk_err *err);

#endif
