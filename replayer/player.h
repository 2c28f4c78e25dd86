/*
 * player.h - one playback: a cursor, a pace, and one ring, or one ring for each track.
 *
 *   tape -> cursor (merged, in order) -> pace (when) -> lane (ring), and END at the end
 *
 * What goes into a ring:
 *   - before the first tick of a track, and when its epoch changes, a TRACK frame and what is known
 *     of that epoch (INFO, SYMBOL);
 *   - if asked for, the state from before the range, flagged prologue;
 *   - each tick with its own seq, ts, type, flags and payload;
 *   - LOSS, CLOCK, SYMBOL, INFO and MARK frames where they lie;
 *   - JOIN where history ends and live begins;
 *   - at the end, one END.
 * A play drops nothing: while a ring is full the tape stands still for all tracks.
 *
 * A play runs on the caller's thread until it is over, without a loop or threads of its own.
 * Another thread may steer it. Memory: the cursor's, the rings', and 1 MiB.
 */
#ifndef TDK_REPLAYER_PLAYER_H
#define TDK_REPLAYER_PLAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/quantity.h"
#include "tapedeck/err.h"
#include "tapedeck/tape.h"

/*
 *   waiting -> playing <-> paused
 *                 ^  <-> stalled     -> ended or failed, from any
 */
enum player_state {
    PLAYER_WAITING, /* it waits for consumers, or does not run yet */
    PLAYER_PLAYING,
    PLAYER_PAUSED,
    PLAYER_STALLED, /* a ring is full, and its consumer takes nothing */
    PLAYER_ENDED,
    PLAYER_FAILED,
};
const char *player_state_text(enum player_state state); /* "waiting", ... */

/* What somebody who watches wants it to do. */
enum player_order {
    PLAYER_GO_ON,
    PLAYER_TOGGLE, /* pause, or resume when paused */
    PLAYER_PAUSE,
    PLAYER_RESUME,
    PLAYER_STEP, /* pause if need be, then play so many ticks, or so much time of the tape */
    PLAYER_SEEK, /* go on from there, inside the range */
    PLAYER_SPEED,
    PLAYER_FASTER,
    PLAYER_SLOWER,
    PLAYER_QUIT,
};

struct player_command {
    enum player_order order;
    uint64_t ticks, by_ns; /* for a step: one of the two */
    uint64_t to;           /* for a seek */
    struct speed speed;
};

struct player_options {
    const char *into; /* a ring; with per_track the first half of INTO.TRACK */
    bool per_track;
    uint64_t create_size; /* make a ring that does not exist, of so many bytes; 0: it must exist */
    struct speed speed;
    uint64_t max_idle_ns; /* no wait is longer; 0: waits are as long as they were */
    uint64_t rounds;      /* how often to play it; 0: until it is stopped */
    bool rebase;          /* shift all times so that the first tick is stamped rebase_ts */
    uint64_t rebase_ts;   /* UINT64_MAX: the time at which it is played */
    bool paused;          /* begin with a pause */
    bool lockstep;        /* tape time goes on only when all that was put in has been released */
    bool then_live;       /* go on into the present (live.h), until stopped or the query's limit */
    bool prime;           /* first the state that the range begins with (tape/prime.h) */
    uint64_t prime_back_ns; /* look for it no further back than this; 0: no limit */
    bool digest;            /* work out a digest, for the report and for END */
    uint64_t stall_ns;      /* a consumer that takes nothing for so long ends the play */
    /* Called about fifty times a second while waiting, and now and then while not. May be NULL. */
    enum player_order (*ask)(void *context);
    /* Called on the player's thread when it has changed its state. May be NULL. */
    void (*changed)(enum player_state state, void *context);
    /* Called when a part of the tape cannot be read and is passed over. May be NULL. */
    void (*damage)(const struct tdk_err *err, void *context);
    /* Called in the first round with each piece of a run that has LOSS frames. May be NULL. */
    void (*loss)(const struct tdk_run *piece, void *context);
    void *context;
};

struct player_report {
    uint64_t ticks, bytes; /* played, in all rounds; bytes: frames with heads */
    uint64_t rounds;
    uint64_t primed;             /* ticks of the prologue in one round; not in `ticks` */
    uint64_t lost, damaged;      /* met in one round */
    uint64_t stalls, stalled_ns; /* waits for a consumer, in which the tape stood still */
    uint64_t elapsed_ns;
    bool complete;             /* it got to the end, and nothing was lost or damaged */
    bool stopped;              /* an order ended it */
    bool paced;                /* `lateness` has something in it */
    struct histogram lateness; /* how many ns behind the schedule ticks became visible */
    uint8_t digest[16];        /* of one round, with the tape's own times; zeros unless asked for */
    char digest_hex[33];
    uint64_t digest_ticks;
};

struct player;

/* Attach to the rings, and create them if asked to. The tape, the query's lists and options.into
 * are borrowed until close. */
int player_open(struct player **player, struct tdk_tape *tape, const struct tdk_query *query,
                const struct player_options *options, struct tdk_err *err);
void player_close(struct player *player); /* NULL is fine */

/* Wait until `count` consumers and taps in all are attached. -ETIMEDOUT (timeout_ns 0: never).
 * -ECANCELED: an order to quit came. After either of them player_run() only puts the ENDs in. */
int player_wait_consumers(struct player *player, uint64_t count, uint64_t timeout_ns,
                          struct tdk_err *err);

/* Touch the next `size` bytes of the rings' memory, so that no tick is the first to do it (lane.h).
 * True: there is more. If there is time before the play, call it until it is false. The player does
 * so itself while it waits for consumers, or for a tick that is not due for long. */
bool player_warm(struct player *player, size_t size);

/* Play it all. 0: it got to the end, or an order to quit came (see the report). TDK_ESTALLED, and
 * the errors of tape and rings. Whatever it returns, it has put an END into each ring that had
 * room; in that, complete is 0 unless the play is. */
int player_run(struct player *player, struct tdk_err *err);

/* ---- from any thread, between open and close ---- */

/* Give an order. It is carried out within 20 ms, after those before it. -EAGAIN: too many are
 * waiting. -ESRCH: the play is over. */
int player_command(struct player *player, const struct player_command *command);

struct player_status {
    enum player_state state;
    uint64_t at;    /* ts of the last tick played; before the first, where the range begins */
    uint64_t ticks; /* played */
    struct speed speed;
    uint64_t lateness_p99; /* ns, so far; 0: nothing was due yet */
};
void player_status(struct player *player, struct player_status *status);

/* The report, when the run is over. Borrowed until close. */
const struct player_report *player_report(const struct player *player);

#endif
