/*
 * session.h - plays that run in the daemon, and what clients ask of them.
 *
 *   play -> a thread: open the tape, attach the rings -> {session}
 *           wait for consumers, play                  -> notifications of its states
 *           over                                      -> the last one, with fidelity and coverage
 *
 * Each play has a thread, a tape handle and a player of its own, so that none is slower for another
 * one's full ring, and the last hop into a ring knows no loop. What a thread has to tell goes
 * through a small queue and wakes the loop. A play ends with its client, unless it was detached.
 *
 * All but the threads is the loop's. Memory: a player's (1 MiB and its cursor's blocks) and up to
 * 32 MiB of blocks kept by its tape, for each of SESSIONS_MAX at most.
 */
#ifndef TDK_REPLAYER_SESSION_H
#define TDK_REPLAYER_SESSION_H

#include <pthread.h>

#include "daemon/connection.h"
#include "replayer/player.h"
#include "replayer/session_params.h"

#define SESSIONS_MAX       64u
#define SESSION_EVENTS_MAX 32u
#define SESSION_OWNER_ROOM 96u

struct sessions;

struct session {
    struct session *next;
    struct sessions *all; /* borrowed */
    uint64_t number;
    struct connection *connection; /* whom to tell; NULL: it is gone, or was let go of */
    struct request *request;       /* the play that is not answered yet */
    char owner[SESSION_OWNER_ROOM];
    struct session_params params;
    pthread_t thread;

    /* Until `opened` the thread's alone. */
    struct tdk_tape *tape;
    struct player *player;
    uint64_t from, to; /* what is played: the tape's own times where nobody said others */
    uint64_t grew_to;  /* of a tape that grows: as far as it went at the beginning; else 0 */
    struct tdk_err err;
    int rc;
    struct text_buffer last; /* pairs of the last notification */
    uint32_t last_pairs;

    pthread_mutex_t lock; /* over all that follows */
    struct player_status events[SESSION_EVENTS_MAX];
    unsigned event_count;
    bool opened, over; /* told by the thread */
    bool is_open;      /* the loop has heard of it */
};

struct sessions {
    struct sessions *next;
    struct server *server; /* borrowed: methods find us by it */
    const char *tape;      /* path; borrowed */
    uv_async_t woken;
    struct session *list;
    unsigned count;
    uint64_t numbers;
    bool is_open, closing;
    bool stopping; /* none is begun any more */
};

/* play, pause, resume, step, seek, speed, stop, sessions: for server_options.tables. */
extern const struct method session_methods[];

/* Beside a server that is open (its methods are asked only while the loop runs). */
int sessions_open(struct sessions *sessions, uv_loop_t *loop, struct server *server,
                  const char *tape, struct tdk_err *err);

/* For server_options.gone. */
void sessions_gone(struct sessions *sessions, struct connection *connection);

/* Tell them all to end, also those that are being opened; no more are begun. */
void sessions_stop(struct sessions *sessions);

/* End them all. The handle is closed when the last one is over: the loop has to turn on. Fine
 * twice.
 */
void sessions_close(struct sessions *sessions);

/* ---- session.c for session_methods.c ---- */

struct sessions *sessions_of(const struct request *request);

/* The thread is started; the request is answered when the play is open, or cannot be. */
int session_start(struct sessions *sessions, struct request *request, struct session_params *params,
                  struct tdk_err *err);
struct session *session_find(const struct sessions *sessions, uint64_t number);

#endif
