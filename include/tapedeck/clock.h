/*
 * clock.h - what time is it? The same call live and in a replay.
 *
 * A program that reads a ring asks the ring's clock instead of the host's. For a ring that a player
 * plays into, this is the time of the tape. It runs at the speed of the play, stands still while
 * the play is paused or its consumer is slow, and never passes a tick that has not been published
 * yet. A play ends when the ring has taken all of it. From then on its time stands at its last
 * tick, until another producer puts something in. For any other ring, and behind the JOIN of a play
 * that goes on into the present, the clock is CLOCK_REALTIME.
 *
 * Threads: any number may ask. Asking costs little more than clock_gettime(), and no system call.
 * Times are ns since 1970-01-01T00:00:00Z. With --rebase they are the shifted ones, as in frames.
 */
#ifndef TAPEDECK_CLOCK_H
#define TAPEDECK_CLOCK_H

#include "tapedeck/err.h"
#include "tapedeck/tick.h"

#ifdef __cplusplus
extern "C" {
#endif

enum tdk_clock_state {
    TDK_CLOCK_LIVE = 0, /* no tape: the host's clock */
    TDK_CLOCK_WAITING = 1,
    TDK_CLOCK_PLAYING = 2,
    TDK_CLOCK_PAUSED = 3,
    TDK_CLOCK_STALLED = 4, /* a consumer is slow: tape time stands still */
    TDK_CLOCK_ENDED = 5,
};

struct tdk_clock_info {
    enum tdk_clock_state state;
    uint64_t now;                    /* as tdk_clock_now() says */
    uint64_t anchor_ts, anchor_mono; /* this tape time was at that moment of CLOCK_MONOTONIC */
    uint64_t numerator, denominator; /* seconds of tape per second; 0, 0: by ticks, not by time */
    uint64_t generation;             /* grows with each change */
};

struct tdk_clock_page;

/* Attach to the clock of a ring. With --per-track all rings of the play have the same clock. A
 * player makes its page before it puts anything in the ring, and ends with an END frame that has
 * the time. So attach when the first frame has come: then a play is never taken for live, even if
 * it is over by then. A ring without a page is no error. TDK_ENAME, TDK_EVERSION, -ENOMEM; -errno
 * where the page cannot be looked for. */
TDK_API int tdk_clock_attach(struct tdk_clock_page **clock, const char *ring, struct tdk_err *err);
TDK_API void tdk_clock_detach(struct tdk_clock_page *clock); /* NULL is fine */

TDK_API uint64_t tdk_clock_now(const struct tdk_clock_page *clock);
TDK_API void tdk_clock_info(const struct tdk_clock_page *clock, struct tdk_clock_info *info);

#ifdef __cplusplus
}
#endif
#endif
