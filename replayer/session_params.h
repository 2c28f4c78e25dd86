/*
 * session_params.h - what a play was asked for: checked, copied, owned.
 *
 * Pure but for malloc. Words are those of the command line.
 */
#ifndef TDK_REPLAYER_SESSION_PARAMS_H
#define TDK_REPLAYER_SESSION_PARAMS_H

#include "base/quantity.h"
#include "tapedeck/tape.h"
#include "wire/message.h"

#define SESSION_WORDS_MAX 1024u /* tracks, symbols, types: what a message can hold */

struct session_words {
    char **items; /* ours */
    size_t count;
};

struct session_params {
    struct tdk_query query; /* its lists point into what follows */
    struct session_words tracks, symbols;
    struct tdk_type_filter *types; /* ours */
    char into[TDK_NAME_MAX + 1];
    struct speed speed;
    uint64_t loop, max_idle_ns, wait_consumers, create_size, rebase_ts;
    bool per_track, paused, rebase, prime, then_live, lockstep, detach;
};

/* TDK_EVALUE: a value that cannot be; err names the key. Params that failed may be closed. */
int session_params_read(struct session_params *params, struct wire_map map, struct tdk_err *err);
void session_params_close(struct session_params *params);

/* "max", "2x", "1000/s"; as a map's value. 1, 0 (not there), TDK_EVALUE. */
int session_params_speed(struct wire_map map, struct speed *speed, struct tdk_err *err);

#endif
