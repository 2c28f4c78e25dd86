/*
 * player_private.h - one playback, as the files that make it up see it.
 *
 *   player.c       open, rounds, END: what happens in which order
 *   player_time.c  orders, pause, waiting until a tick is due
 *   player_put.c   frames into rings
 *   player_weave.c many ticks at once, where tracks take turns
 *   player_live.c  on into the present
 *   player_control.c  what other threads ask for, and are told
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
#define PLAYER_SLICE_NS    (20 * NS_PER_MS) /* orders are asked for in between */
#define PLAYER_WARM_SIZE   (256u << 10)     /* of a ring, touched at a time: milliseconds at most */

#define PLAYER_COMMANDS_MAX 16u

/* What is shared with other threads, under its lock. */
struct player_control {
    pthread_mutex_t lock;
    struct player_command commands[PLAYER_COMMANDS_MAX];
    unsigned first, count;
    bool quit; /* was asked for */
    struct player_status status;
    uint64_t told_ns; /* when the numbers of the status were last worked out */
};

/* A track of the tape, found by its number. */
struct seat {
    struct lane *lane; /* NULL: not asked for */
    const char *track; /* its name; borrowed until the tape is closed; NULL: nothing played yet */
    bool is_passed;    /* it came up late, and there is no ring for it */
    uint64_t epoch;    /* the last announced; 0: none */
    uint64_t shifted;  /* the epoch for which the shift of times was announced */
    uint8_t kind;
};

struct player {
    struct tdk_tape *tape; /* borrowed */
    struct tdk_query query;
    struct player_options options;
    struct tdk_cursor *cursor; /* of the round that is played */
    struct live *live;         /* behind the end of history; NULL: not there, or not asked for */
    struct prime *prime;       /* the state before the range; NULL unless asked for */
    bool prologue_due;         /* it goes into the rings before the next tick */
    struct pace pace;
    struct lane_patience patience;
    struct lane *lanes;
    size_t lane_count, lane_room;
    struct seat *seats;        /* by track number */
    struct tdk_digest *digest; /* of the merged order; NULL unless asked for */
    unsigned char *aside;      /* piece_max of a lane's: where ticks are woven that go into it */
    uint64_t tick;             /* number of the next, over all rounds */
    uint64_t round_began;      /* ticks that had been played then */
    uint64_t shift;            /* added to times, modulo 2^64; known with the first tick */
    uint64_t steps;            /* to take while paused */
    uint64_t step_to;          /* and all that is no later than this; 0: nothing */
    uint64_t seek_to;
    uint64_t at; /* ts of the last tick put in */
    unsigned unasked;
    uint64_t next_ts; /* of the frame that is waited for */
    bool anchored, shifted, quit, joined;
    bool prime_moved;         /* the prologue is of a place that was sought, not of the beginning */
    struct speed speed_asked; /* before JOIN */
    bool sought, skipped;     /* a seek was asked for; one was done */
    /* Ticks in `pending_lane` that wait for one publish, and when they were due. */
    struct lane *pending_lane;
    size_t pending_bytes;
    uint64_t pending_due[PLAYER_PENDING_MAX];
    unsigned pending;
    struct clock_writer *clock; /* what time it is, for whoever reads the rings */
    struct player_report report;
    struct player_control control;
};

/* A seek ended what was going on: neither done nor failed. */
#define PLAYER_SOUGHT 1

/* ---- player_control.c ---- */

void player_control_init(struct player *player);
void player_control_close(struct player *player);

/* The next thing that was asked for; order GO_ON: nothing. */
struct player_command player_next_command(struct player *player);

/* Was it told to, whatever else was asked before? */
bool player_is_to_quit(struct player *player);

/* In this state now; tells whoever wants to know if it is another one. */
void player_move(struct player *player, enum player_state state);

/* Where tape time stands, as the frames in the rings bear it: at the tick put in last, before the
 * first where the range begins. */
uint64_t player_tape_time(const struct player *player);

/* What the clock page says from now on: tape time runs up to `until`, the ts of the next tick, or
 * stands at the last one (0). */
void player_tell_clock(struct player *player, uint64_t until);

/* Keep the numbers of the status fresh. */
void player_tell_status(struct player *player);

/* ---- player_time.c ---- */

/* Ask for an order and do what it says. */
void player_attend(struct player *player);

/* For lane_patience: attend, and is it over? */
bool player_stopped(void *player);

/* The same where a ring is full. */
bool player_stalled(void *player);

/* Until the frame is due, or at once while a step is to be taken. -ECANCELED: an order to quit
 * came; PLAYER_SOUGHT. */
int player_hold(struct player *player, const struct tdk_frame *frame, uint64_t *due);

/* Lockstep: until consumers have released all that was put in. TDK_ESTALLED, -ECANCELED. */
int player_wait_released(struct player *player, struct tdk_err *err);

/* Make what was put in visible, and note by how much that was late. */
void player_show(struct player *player);

void player_sleep_until(uint64_t due_ns);

/* ---- player.c ---- */

/* A track came up after the play began: a ring of its own, as for the others. Where there is none
 * to be had, that is told once, and the track is passed over: the others go on. */
int player_seat_late(struct player *player, const struct tdk_run *run, struct tdk_err *err);

/* JOIN into a ring. */
int player_put_join(struct player *player, struct lane *lane, struct tdk_err *err);

/* A part of the tape that could not be read, if somebody wants to know. */
void player_tell_damage(struct player *player, const struct tdk_err *err);

/* ---- player_live.c ---- */

/* From the end of history on, until an order to quit or the query's limit. */
int player_run_live(struct player *player, struct tdk_err *err);

/* ---- player_weave.c ---- */

/* Bytes that may be woven into the one ring there is, all at once. 0: what comes next is for
 * player_put_run(). */
size_t player_weave_size(const struct player *player);

/* At most so many. -ECANCELED: an order to quit came; PLAYER_SOUGHT. */
int player_put_woven(struct player *player, size_t size, struct tdk_err *err);

/* ---- player_put.c ---- */

/* Played at once, whatever the schedule says: there is none. */
bool player_is_at_max(const struct player *player);

/* Room in a lane's ring. A wait for it moves the schedule: the tape stands still. */
int player_claim(struct player *player, struct lane *lane, size_t bytes, void **room,
                 struct tdk_err *err);

/* `bytes` with so many ticks are in the room: they wait for player_show(). */
void player_note_put(struct player *player, struct lane *lane, size_t bytes, uint64_t ticks);

/* Orders, now and then while nothing waits. 0; -ECANCELED: one to quit came; PLAYER_SOUGHT. */
int player_ask(struct player *player);

/* The prologue, at once, if it is still to come. */
int player_put_prologue(struct player *player, struct tdk_err *err);

/* All of a run, each piece when it is due; `span` as of cursor_run_span(). -ECANCELED: an order to
 * quit came; PLAYER_SOUGHT. */
int player_put_run(struct player *player, const struct tdk_run *run, size_t span,
                   struct tdk_err *err);

#endif
