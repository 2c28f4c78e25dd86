/*
 * player_private.h - one playback, as the files that implement it see it.
 *
 *   player.c          open, rounds, END: what happens in which order
 *   player_time.c     orders, pause, waiting until a tick is due
 *   player_put.c      frames into rings
 *   player_weave.c    many ticks at once, where tracks alternate
 *   player_live.c     on into the present
 *   player_control.c  orders from other threads, and the status they read
 *
 * Internal to replayer/player*.c.
 */
#ifndef TDK_REPLAYER_PLAYER_PRIVATE_H
#define TDK_REPLAYER_PLAYER_PRIVATE_H

#include <pthread.h>

#include "replayer/lane.h"
#include "replayer/live.h"
#include "replayer/pace.h"
#include "replayer/player.h"
#include "shm/clock_page.h"
#include "tape/prime.h"
#include "tapedeck/digest.h"

#define PLAYER_PENDING_MAX 64u /* paced ticks put in and not yet published */
#define PLAYER_TRACKS_MAX  65536u
#define PLAYER_SLICE_NS    (20 * NS_PER_MS) /* the longest sleep without a look for orders */
#define PLAYER_WARM_SIZE   (256u << 10)     /* of a ring, touched at a time: milliseconds at most */

#define PLAYER_COMMANDS_MAX 16u

/* What is shared with other threads, under its lock. */
struct player_control {
    pthread_mutex_t lock;
    struct player_command commands[PLAYER_COMMANDS_MAX];
    unsigned first, count;
    bool quit; /* somebody asked for it */
    struct player_status status;
    uint64_t told_ns; /* when the numbers of `status` were worked out */
};

/* A track of the tape, found by its number. */
struct seat {
    struct lane *lane; /* NULL: nobody asked for this track */
    const char *track; /* its name, borrowed until the tape is closed; NULL: nothing played yet */
    bool is_passed;    /* the track came up late, and there is no ring for it */
    uint64_t epoch;    /* the last one that was announced; 0: none */
    uint64_t shifted;  /* the epoch for which the shift of times was announced */
    uint8_t kind;
};

struct player {
    struct tdk_tape *tape; /* borrowed */
    struct tdk_query query;
    struct player_options options;
    struct tdk_cursor *cursor; /* of this round */
    struct live *live;   /* behind the end of history; NULL: not there yet, or not asked for */
    struct prime *prime; /* the state before the range; NULL: not asked for */
    bool prologue_due;   /* `prime` goes into the rings before the next tick */
    struct pace pace;
    struct lane_patience patience;
    struct lane *lanes;
    size_t lane_count, lane_room;
    struct seat *seats;        /* by track number */
    struct tdk_digest *digest; /* of the merged order; NULL unless asked for */
    unsigned char *aside;      /* a lane's piece_max: ticks are woven here, for the digest */
    uint64_t tick;             /* number of the next tick, over all rounds */
    uint64_t round_began;      /* ticks played before this round */
    uint64_t shift;            /* added to times, modulo 2^64; known with the first tick */
    uint64_t steps;            /* ticks to play while paused, */
    uint64_t step_to;          /* and those up to this ts; 0: none */
    uint64_t seek_to;
    uint64_t at;      /* ts of the last tick that was put in */
    unsigned unasked; /* pieces since the last look for orders */
    uint64_t next_ts; /* of the frame that is waited for */
    bool anchored, shifted, quit, joined;
    bool prime_moved;         /* the prologue is for the place of a seek, not for the beginning */
    struct speed speed_asked; /* before JOIN */
    bool sought, skipped;     /* a seek was asked for; one was done */
    /* Ticks in `pending_lane` that one publish will show, and when they were due. */
    struct lane *pending_lane;
    size_t pending_bytes;
    uint64_t pending_due[PLAYER_PENDING_MAX];
    unsigned pending;
    struct clock_writer *clock; /* the clock page, for readers of the rings */
    struct player_report report;
    struct player_control control;
};

/* Returned by functions that a seek has ended: they are neither done nor failed. */
#define PLAYER_SOUGHT 1

/* ---- player_control.c ---- */

void player_control_init(struct player *player);
void player_control_close(struct player *player);

/* The next order. PLAYER_GO_ON: there is none. */
struct player_command player_next_command(struct player *player);

/* Was there an order to quit, even if others are before it? */
bool player_is_to_quit(struct player *player);

/* Go to this state, and call options.changed if it is another one than before. */
void player_move(struct player *player, enum player_state state);

/* Where tape time stands, as in the frames in the rings: at the last tick that was put in, or,
 * before the first one, where the range begins. */
uint64_t player_tape_time(const struct player *player);

/* Let the clock page say that tape time runs up to `until`, the ts of the next tick; or, with 0,
 * that it stands at the last one. */
void player_tell_clock(struct player *player, uint64_t until);

/* Work out the numbers of the status, if they are old. */
void player_tell_status(struct player *player);

/* ---- player_time.c ---- */

/* Look for orders and carry them out. */
void player_attend(struct player *player);

/* For lane_patience: look for orders; is the play over? */
bool player_stopped(void *player);

/* The same, while a ring is full. */
bool player_stalled(void *player);

/* Wait until the frame is due; return at once if it is part of a step. -ECANCELED: an order to quit
 * came. PLAYER_SOUGHT. */
int player_wait_due(struct player *player, const struct tdk_frame *frame, uint64_t *due);

/* Lockstep: wait until consumers have released all that was put in. TDK_ESTALLED, -ECANCELED. */
int player_wait_released(struct player *player, struct tdk_err *err);

/* Publish what was put in, and note how late it is. */
void player_show(struct player *player);

void player_sleep_until(uint64_t due_ns);

/* ---- player.c ---- */

/* A track came up after the play began: give it a ring, as the others have. If that is not
 * possible, say so once and pass over the track; the others go on. */
int player_seat_late(struct player *player, const struct tdk_run *run, struct tdk_err *err);

/* Put a JOIN frame into a ring. */
int player_put_join(struct player *player, struct lane *lane, struct tdk_err *err);

/* Call options.damage about a part of the tape that cannot be read. */
void player_tell_damage(struct player *player, const struct tdk_err *err);

/* ---- player_live.c ---- */

/* Go on from the end of history, until an order to quit or the query's limit. */
int player_run_live(struct player *player, struct tdk_err *err);

/* ---- player_weave.c ---- */

/* How many bytes can be woven at once into the one ring that there is. 0: what comes next is for
 * player_put_run(). */
size_t player_weave_size(const struct player *player);

/* Weave at most `size` bytes into the ring. -ECANCELED: an order to quit came. PLAYER_SOUGHT. */
int player_put_woven(struct player *player, size_t size, struct tdk_err *err);

/* ---- player_put.c ---- */

/* Is it played as fast as possible, without a schedule? */
bool player_is_at_max(const struct player *player);

/* Claim room in a lane's ring. If that has to wait, the tape stands still: the schedule moves. */
int player_claim(struct player *player, struct lane *lane, size_t bytes, void **room,
                 struct tdk_err *err);

/* `bytes` with so many ticks were put into the room. player_show() will publish them. */
void player_note_put(struct player *player, struct lane *lane, size_t bytes, uint64_t ticks);

/* While nothing waits: look for orders now and then. -ECANCELED: an order to quit came.
 * PLAYER_SOUGHT. */
int player_ask(struct player *player);

/* Put the prologue in, at once, if that is still to be done. */
int player_put_prologue(struct player *player, struct tdk_err *err);

/* Put all of a run in, each piece when it is due. `span`: as cursor_run_span() says. -ECANCELED: an
 * order to quit came. PLAYER_SOUGHT. */
int player_put_run(struct player *player, const struct tdk_run *run, size_t span,
                   struct tdk_err *err);

#endif
