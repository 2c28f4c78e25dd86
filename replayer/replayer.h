/*
 * replayer.h - serves a tape to clients: what the replayer owns, and the order of its start and
 * stop.
 *
 *   socket -> server -> method -> job on the pool (the tape is read only there) -> answer, stream
 *
 * A method is a row of one of the tables in replayer_open(): lookup.c has those that answer once,
 * query.c the streams, session_methods.c the plays. One thread, the loop's, runs everything except
 * the jobs and the plays. Nothing is ever written to the tape: any number of replayers may run
 * beside a recorder.
 */
#ifndef TDK_REPLAYER_REPLAYER_H
#define TDK_REPLAYER_REPLAYER_H

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/http.h"
#include "daemon/request.h"
#include "daemon/service.h"
#include "replayer/config.h"
#include "replayer/coverage_shelf.h"
#include "replayer/inquiry.h"
#include "replayer/jobs.h"
#include "replayer/lookout.h"
#include "replayer/session.h"
#include "replayer/tally.h"
#include "tapedeck/tape.h"

struct lookup;
struct query_stream;

struct replay_counts {
    uint64_t streams_begun, streams_ended, streams_cancelled, streams_refused;
    uint64_t ticks, bytes, damaged;      /* of streams */
    uint64_t lookups, heartbeats, waits; /* waits: reading that waited for bytes to be taken */
};

struct replayer {
    const struct replay_config *config; /* borrowed */
    struct service service;
    struct server server;
    struct jobs jobs;
    struct lookout lookout;

    struct tdk_tape *tape;      /* read by jobs, several at a time */
    pthread_rwlock_t gate;      /* between a refresh and the opening of a cursor */
    atomic_bool refresh_failed; /* the last one failed, and that was logged */
    atomic_bool stopping;

    struct coverage_shelf coverages; /* for answers that come in parts */
    struct sessions sessions;        /* plays: each with a thread and a tape handle */

    struct lookup *lookups;       /* of lookup.c: those that are not answered */
    struct query_stream *streams; /* of query.c */
    unsigned stream_count;
    uint64_t stream_numbers;
    size_t outstanding;         /* bytes read for streams and not taken yet */
    struct batch_memory *spare; /* of outstanding.c: memory kept for the next batch */
    size_t spare_size;
    uv_timer_t tend;
    bool opened, finished;
    struct replay_counts counts;
    struct tally tally;
    struct http *http; /* ours; NULL: not asked for */
};

/* Everything up to the ready line. */
int replayer_open(struct replayer *replayer, const struct replay_config *config,
                  struct tdk_err *err);

/* Run until told to stop. Returns the exit status. */
int replayer_run(struct replayer *replayer);

/* Call it after run, or when open failed half-way. */
void replayer_close(struct replayer *replayer);

static inline struct replayer *replayer_of(const struct request *request)
{
    return request_context(request);
}

/* On the pool: take in what has been recorded since. */
void replayer_refresh(struct replayer *replayer);

/* On the pool: the same, then open a cursor for the inquiry. */
int replayer_open_cursor(struct replayer *replayer, struct tdk_cursor **cursor,
                         struct inquiry *inquiry, struct tdk_err *err);

#endif
