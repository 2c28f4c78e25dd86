/*
 * session_params.h - what a client asked of a play: checked, copied, owned.
 *
 * Pure but for malloc. The words are those of the command line.
 */
#ifndef TDK_REPLAYER_SESSION_PARAMS_H
#define TDK_REPLAYER_SESSION_PARAMS_H

#include "base/clock.h"
#include "base/quantity.h"
#include "replayer/inquiry.h"

#define SESSION_STALL_NS (30 * NS_PER_S) /* unless something else is asked for */

struct session_params {
    struct inquiry inquiry; /* which ticks */
    char into[TDK_NAME_MAX + 1];
    struct speed speed;
    uint64_t loop, max_idle_ns, create_size, rebase_ts;
    uint64_t wait_consumers, wait_timeout_ns; /* how long to wait for them; 0: for ever */
    uint64_t stall_ns, prime_back_ns;
    bool per_track, paused, rebase, prime, then_live, lockstep, detach;
};

/* TDK_EVALUE: a value is not allowed, and err names its key. Params that failed may be closed. */
int session_params_read(struct session_params *params, struct wire_map map, struct tdk_err *err);
void session_params_close(struct session_params *params);

/* Read "max", "2x" or "1000/s" from a map. 1; 0: it is not there; TDK_EVALUE. */
int session_params_speed(struct wire_map map, struct speed *speed, struct tdk_err *err);

#endif
