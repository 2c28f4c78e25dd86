/*
 * rounds.h - what has to wait for the tape when it is asked of a recorder: flush, roll, mark,
 * detach.
 *
 * It is done in rounds. All that was asked before a round begins is done in it, together.
 *
 *   asked -> what was published is in writes -> (a mark behind it, the next segment) -> safe
 *
 * The loop's thread.
 */
#ifndef TDK_RECORDER_ROUNDS_H
#define TDK_RECORDER_ROUNDS_H

#include "daemon/request.h"
#include "tapedeck/tick.h"

struct inlet;
struct recorder;

enum round_kind { ROUND_FLUSH, ROUND_ROLL, ROUND_MARK, ROUND_DETACH };

/* What is to be done in a round. Whoever adds it fills in what its kind needs. */
struct round_task {
    struct round_task *next;
    struct request *request; /* borrowed until it is answered; NULL: nobody waits */
    enum round_kind kind;
    char name[TDK_NAME_MAX + 1]; /* of a mark */
    uint64_t ts, back;           /* likewise; ns before it that are to be kept */
    struct inlet *inlet;         /* borrowed: of a detach */
};

struct rounds {
    struct recorder *recorder;      /* borrowed; NULL: closed */
    struct round_task *asked;       /* ours, in order: for the next round */
    struct round_task *round;       /* ours: of the round that is under way */
    struct round_task **asked_last; /* where to append the next one */
    bool placed;                    /* all that the round waits for is in writes, */
    uint64_t upto;                  /* those below this number */
};

void rounds_init(struct rounds *rounds, struct recorder *recorder);

/* Something is asked for. The request is answered when it is done. NULL: there is no memory. */
struct round_task *rounds_add(struct rounds *rounds, struct request *request, enum round_kind kind);

/* Go on with what was asked. To be called after each turn of the pump. */
void rounds_turn(struct rounds *rounds);

/* Tell those who wait that the recorder ends. Fine for zeros, and twice. */
void rounds_close(struct rounds *rounds);

#endif
