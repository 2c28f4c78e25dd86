/*
 * control.h - the recorder's socket: what it can be asked while it records.
 *
 * Methods that wait for the tape (flush, roll, mark, detach) are done in rounds. All that was asked
 * before a round begins is done in it, together.
 *
 *   asked -> what was published is in writes -> (a mark behind it, the next segment) -> safe
 *
 * docs/protocol.md has the methods. The loop's thread.
 */
#ifndef TDK_RECORDER_CONTROL_H
#define TDK_RECORDER_CONTROL_H

#include "daemon/request.h"
#include "tapedeck/tick.h"

struct inlet;
struct recorder;

enum control_kind { CONTROL_FLUSH, CONTROL_ROLL, CONTROL_MARK, CONTROL_DETACH };

/* What is to be done in a round. */
struct control_task {
    struct control_task *next;
    struct request *request; /* borrowed until it is answered; NULL: nobody waits */
    enum control_kind kind;
    char name[TDK_NAME_MAX + 1]; /* of a mark */
    uint64_t ts, back;           /* likewise; ns before it that are to be kept */
    struct inlet *inlet;         /* borrowed: of a detach */
};

struct control {
    struct server server;
    struct recorder *recorder;        /* borrowed */
    struct control_task *asked;       /* ours, in order: for the next round */
    struct control_task *round;       /* ours: of the round that is under way */
    struct control_task **asked_last; /* where to append the next one */
    bool placed;                      /* all that the round waits for is in writes, */
    uint64_t upto;                    /* those below this number */
};

/* Listen. Does nothing if the configuration has no socket. */
int control_open(struct control *control, struct recorder *recorder, struct tdk_err *err);

/* Do as if a client had asked for `roll`. */
void control_roll(struct control *control);

/* Tell those who wait that the recorder ends, and close the handles. Free after the loop has ended.
 */
void control_close(struct control *control);
void control_free(struct control *control);

/* Go on with what was asked. To be called after each turn of the pump. */
void control_turn(struct control *control);

#endif
