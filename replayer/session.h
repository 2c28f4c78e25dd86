/*
 * session.h - plays that run in the daemon, and the methods by which clients steer them.
 *
 *   play -> a thread: open the tape, attach the rings -> {session}
 *           wait for consumers, play                  -> notifications of its states
 *           over                                      -> the last one, with fidelity and coverage
 *
 * Each play has a thread, a tape handle and a player of its own. So the full ring of one play does
 * not slow down another, and the loop has no part in putting ticks into a ring. A thread tells the
 * loop what happens through a small queue, and wakes it. A play ends with its client, unless it was
 * detached.
 *
 * All calls are for the loop's thread. Memory: for each of at most SESSIONS_MAX plays a player's
 * (1 MiB and its cursor's blocks), and up to 32 MiB of blocks that its tape keeps.
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
    struct connection *connection; /* the client to notify; NULL: it is gone, or was detached */
    struct request *request;       /* `play`, until it is answered */
    char owner[SESSION_OWNER_ROOM];
    struct session_params params;
    pthread_t thread;

    /* Until `opened`, these are for the thread alone. */
    struct tdk_tape *tape;
    struct player *player;
    uint64_t from, to; /* the range; where none was given, the tape's own */
    uint64_t grew_to;  /* if the tape grows: where it ended at the beginning; else 0 */
    struct tdk_err err;
    int rc;
    struct text_buffer last; /* pairs of the last notification */
    uint32_t last_pairs;

    pthread_mutex_t lock; /* over all that follows */
    struct player_status events[SESSION_EVENTS_MAX];
    unsigned event_count;
    bool opened, over; /* set by the thread */
    bool is_open;      /* the loop knows that it was opened */
};

struct sessions {
    struct sessions *next;
    struct server *server; /* borrowed: methods find us through it */
    const char *tape;      /* path; borrowed */
    uv_async_t woken;
    struct session *list;
    unsigned count;
    uint64_t numbers;
    bool is_open, closing;
    bool stopping; /* no play is begun any more */
};

/* play, pause, resume, step, seek, speed, stop, sessions: for server_options.tables. */
extern const struct method session_methods[];

/* Open it after its server. (The server calls methods only while the loop runs.) */
int sessions_open(struct sessions *sessions, uv_loop_t *loop, struct server *server,
                  const char *tape, struct tdk_err *err);

/* For server_options.gone. */
void sessions_gone(struct sessions *sessions, struct connection *connection);

/* Tell all plays to end, including those that are being opened, and begin no more. */
void sessions_stop(struct sessions *sessions);

/* End all plays. The loop has to run on, because the handle is closed when the last one is over.
 * May be called twice. */
void sessions_close(struct sessions *sessions);

/* ---- session.c for session_methods.c ---- */

struct sessions *sessions_of(const struct request *request);

/* Start the thread. The request is answered when the play is open, or when it cannot be opened. */
int session_start(struct sessions *sessions, struct request *request, struct session_params *params,
                  struct tdk_err *err);
struct session *session_find(const struct sessions *sessions, uint64_t number);

#endif
