/*
 * control.h - the recorder's socket: what it is asked while it records.
 *
 * Methods that wait for the tape (flush, roll, mark, detach) are done in rounds: what was asked
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
    struct control_task *round;       /* ours: in hand */
    struct control_task **asked_last; /* where the next one is hung */
    bool placed;                      /* all that the round wants is in writes */
    uint64_t upto;                    /* and these are they */
};

/* Listen. Nothing is done when the configuration has no socket. */
int control_open(struct control *control, struct recorder *recorder, struct tdk_err *err);

/* As if `roll` had been asked. */
void control_roll(struct control *control);

/* Those who wait are told that it is over; handles close. Then, when the loop has ended, free. */
void control_close(struct control *control);
void control_free(struct control *control);

/* After each turn of the pump: go on with what was asked. */
void control_turn(struct control *control);

#endif
