/*
 * tail.h - the live end of a track: a tap of the ring that the track is recorded from.
 *
 * Tapped frames are changed into what the tape will have: the track's number, flags judged anew, a
 * LOSS frame for a hole in the producer's seqs, and each seq once. The tape says which ring it is:
 * the EPOCH frame of the track's last epoch has the ring's uuid.
 *
 *     LOST -> WAITING (ring found, its oldest frame not reached yet) -> LIVE -> LOST (lapped, gone)
 *
 * One thread at a time. Memory: 1 MiB for frames copied out of the ring, or one frame if it is
 * larger.
 */
#ifndef TDK_REPLAYER_TAIL_H
#define TDK_REPLAYER_TAIL_H

#include "base/scratch.h"
#include "tape/follow.h"
#include "tape/sift.h"
#include "tapedeck/ring.h"

enum tail_state { TAIL_LOST, TAIL_WAITING, TAIL_LIVE };

struct tail {
    const struct track *track; /* borrowed */
    struct tdk_tape *tape;     /* borrowed */
    const struct tdk_query *query;
    enum tail_state state;
    struct tdk_ring *ring;
    char ring_name[TDK_NAME_MAX + 1];
    uint8_t ring_uuid[16];
    uint64_t ring_epoch; /* of the frame at `at`, in the ring */
    uint64_t epoch;      /* the same epoch on the tape */
    uint64_t next_seq;
    uint64_t running_max, last_ts; /* the highest trusted ts of the epoch; the last tick's ts */
    bool after_loss;
    struct scratch frames; /* copied out of the ring; ours */
    size_t size, at;
    uint64_t looked_ns; /* when the ring was last looked for, or looked at */
    struct sift sift;
    struct {
        struct tdk_frame head;
        struct tdk_loss loss;
    } told; /* a LOSS frame that we made */
};

void tail_init(struct tail *tail, const struct track *track, struct tdk_tape *tape,
               const struct tdk_query *query);
void tail_close(struct tail *tail);

/* The tape has been told up to `place`. Does that reach the ring's oldest frame? True: the tail is
 * live, and goes on exactly there. Looks for the ring now and then. */
bool tail_join(struct tail *tail, const struct place *place, uint64_t now_ns);

/* The ts of the next frame of a live tail. False: none waits. If the ring has lapped us or is gone,
 * the tail is lost, and *place is where to go on, on the tape. */
bool tail_peek(struct tail *tail, struct place *place, uint64_t *ts, uint64_t now_ns);

/* Take the next run of frames that pass, up to ts `horizon` and at most `ticks` of them (at least
 * 1). It is borrowed until the next call. False: there is none after all. */
bool tail_take(struct tail *tail, struct place *place, uint64_t horizon, uint64_t ticks,
               struct tdk_run *run);

#endif
