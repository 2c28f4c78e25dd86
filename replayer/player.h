/*
 * player.h - one playback: a cursor, a pace, one ring or one a track.
 *
 *   tape -> cursor (merged, in order) -> pace (when) -> lane (ring), and END at the end
 *
 * What goes into a ring: before the first tick of a track, and when its epoch changes, a TRACK
 * frame and what is known of that epoch (INFO, SYMBOL); if asked for, the state from before the
 * range, flagged prologue; each tick with its own seq, ts, type, flags
 * and payload; LOSS, CLOCK, SYMBOL, INFO and MARK where they lie; JOIN where history ends and live
 * begins; at last one END. A play drops nothing: while a ring is full the tape stands still for all
 * tracks.
 *
 * Runs on the caller's thread until it is over; no loop, no threads. Another one may steer it.
 * Memory: the cursor's, the rings', and 1 MiB.
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
    PLAYER_WAITING, /* for consumers, or not run yet */
    PLAYER_PLAYING,
    PLAYER_PAUSED,
    PLAYER_STALLED, /* a ring is full, and its consumer takes nothing */
    PLAYER_ENDED,
    PLAYER_FAILED,
};
const char *player_state_text(enum player_state state); /* "waiting", ... */

/* What whoever watches wants done. */
enum player_order {
    PLAYER_GO_ON,
    PLAYER_TOGGLE, /* pause, or go on after a pause */
    PLAYER_PAUSE,
    PLAYER_RESUME,
    PLAYER_STEP, /* pause if need be, then so many ticks, or so much time of the tape */
    PLAYER_SEEK, /* go on there; inside the range */
    PLAYER_SPEED,
    PLAYER_FASTER,
    PLAYER_SLOWER,
    PLAYER_QUIT,
};

struct player_command {
    enum player_order order;
    uint64_t ticks, by_ns; /* step: one of them */
    uint64_t to;           /* seek */
    struct speed speed;
};

struct player_options {
    const char *into; /* a ring, or with per_track the first half of INTO.TRACK */
    bool per_track;
    uint64_t create_size; /* bytes of a ring that is not there yet; 0: it must be there */
    struct speed speed;
    uint64_t max_idle_ns;   /* 0: idle stretches stay as long as they were */
    uint64_t rounds;        /* how often; 0: until stopped */
    bool rebase;            /* times are shifted so that the first tick is stamped rebase_ts */
    uint64_t rebase_ts;     /* UINT64_MAX: when it is played */
    bool paused;            /* begin with a pause */
    bool lockstep;          /* tape time goes on only when all that was put in has been released */
    bool then_live;         /* on into the present (live.h), until stopped or the query's limit */
    bool prime;             /* first the state that the range begins with (tape/prime.h) */
    uint64_t prime_back_ns; /* looked for no further back than this; 0: no limit */
    bool digest;            /* work one out, also for END */
    uint64_t stall_ns;      /* a consumer that takes nothing for so long ends the play */
    /* Asked about fifty times a second while waiting, and now and then while not; may be NULL. */
    enum player_order (*ask)(void *context);
    /* The player has changed its state; on its thread. May be NULL. */
    void (*changed)(enum player_state state, void *context);
    /* A part of the tape that cannot be read is passed over: told here; may be NULL. */
    void (*damage)(const struct tdk_err *err, void *context);
    /* A piece of a run in which LOSS frames tell of lost ticks, in the first round; may be NULL. */
    void (*loss)(const struct tdk_run *piece, void *context);
    void *context;
};

struct player_report {
    uint64_t ticks, bytes; /* played, in all rounds; bytes: frames with heads */
    uint64_t rounds;
    uint64_t primed;             /* ticks of the prologue in one round; counted nowhere else */
    uint64_t lost, damaged;      /* met in one round */
    uint64_t stalls, stalled_ns; /* waits for a consumer; the tape stood still for them */
    uint64_t elapsed_ns;
    bool complete;             /* to the end, and nothing lost or damaged */
    bool stopped;              /* by an order */
    bool paced;                /* there is a lateness */
    struct histogram lateness; /* ns behind the schedule at which ticks were visible */
    uint8_t digest[16];        /* of the tape's own times, of one round; zeros unless asked for */
    char digest_hex[33];
    uint64_t digest_ticks;
};

struct player;

/* The tape, the query's lists and options.into are borrowed until close. The rings are attached
 * (and created) here. */
int player_open(struct player **player, struct tdk_tape *tape, const struct tdk_query *query,
                const struct player_options *options, struct tdk_err *err);
void player_close(struct player *player); /* NULL is fine */

/* Wait until `count` consumers and taps in all are attached. -ETIMEDOUT (0: no time-out);
 * -ECANCELED: an order to quit came. Behind either player_run() puts the ENDs, and nothing else. */
int player_wait_consumers(struct player *player, uint64_t count, uint64_t timeout_ns,
                          struct tdk_err *err);

/* Touch the next `size` bytes of the rings' memory, so that no tick is the first to (lane.h); true:
 * there is more. Who waits for something before the play calls it until it is false; the player
 * does so itself while it waits for consumers or for a tick that is not due for long. */
bool player_warm(struct player *player, size_t size);

/* Play it all. 0: to the end or to the order to quit (see the report); TDK_ESTALLED; what tape and
 * rings say. Whatever it returns, each ring got an END if there was room, with complete = 0 when it
 * is not. */
int player_run(struct player *player, struct tdk_err *err);

/* ---- from any thread, between open and close ---- */

/* Ask for something; done within 20 ms, in the order in which it was asked. -EAGAIN: too many wait;
 * -ESRCH: it is over. */
int player_command(struct player *player, const struct player_command *command);

struct player_status {
    enum player_state state;
    uint64_t at;    /* ts of the last tick played; before the first: where the range begins */
    uint64_t ticks; /* played */
    struct speed speed;
    uint64_t lateness_p99; /* ns, so far; 0: nothing was due */
};
void player_status(struct player *player, struct player_status *status);

/* Borrowed until close; when the run is over. */
const struct player_report *player_report(const struct player *player);

#endif
