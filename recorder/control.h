/*
 * control.h - the recorder's socket: what it can be asked while it records.
 *
 * docs/protocol.md has the methods. The loop's thread.
 */
#ifndef TDK_RECORDER_CONTROL_H
#define TDK_RECORDER_CONTROL_H

#include "daemon/server.h"
#include "recorder/rounds.h"

struct control {
    struct server server;
    struct recorder *recorder; /* borrowed */
    struct rounds rounds;      /* what clients asked that has to wait for the tape */
};

/* Listen. Does nothing if the configuration has no socket. */
int control_open(struct control *control, struct recorder *recorder, struct tdk_err *err);

/* Do as if a client had asked for `roll`. */
void control_roll(struct control *control);

/* Tell those who wait that the recorder ends, and close the handles. Free after the loop has ended.
 */
void control_close(struct control *control);
void control_free(struct control *control);

#endif
