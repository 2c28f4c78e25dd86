/*
 * client.h - ask a recorder or a replayer: connect, call, and be told.
 *
 *     struct tdk_client_query query = {.range = {.from = from, .to = to}};
 *     tdk_client_open(&client, "unix:/data/tape/replayer.sock", NULL, &err);
 *     tdk_client_query(client, &query, &stream, &err);
 *     while ((rc = tdk_stream_read(stream, &run, &err)) == 1)
 *         ... run.frames, as out of a tape or a ring ...
 *     tdk_stream_close(stream);
 *     tdk_client_close(client);
 *
 * Blocking and small: one request at a time, one thread at a time a client. docs/protocol.md has
 * the methods; what has no call of its own here is reached with tdk_client_call(), whose params and
 * result are msgpack maps as bytes. Memory: some 100 KiB a client, or what the largest message
 * takes that came.
 *
 * Errors are those of err.h, also those that the other side tells. After one that is about the
 * connection (-EPIPE, -ECONNRESET, -ETIMEDOUT, TDK_EFORMAT of what came) only close is of use.
 */
#ifndef TAPEDECK_CLIENT_H
#define TAPEDECK_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"
#include "tapedeck/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tdk_client;

struct tdk_client_options {
    const char *name;    /* what the other side calls us in its log; NULL: the library's name */
    const char *token;   /* TCP asks for it; NULL: none */
    uint64_t timeout_ns; /* how long silence is taken for waiting; 0: for ever. Connecting and
                            hello: 10 s, or this if it is less */
};

/* Connect to "unix:PATH" or "HOST:PORT" and say hello. `options` NULL: all zeros.
 * TDK_EVALUE: no address. -ENOENT, -ECONNREFUSED, -ETIMEDOUT...: nobody answers there. -EACCES: the
 * token. TDK_EVERSION: it speaks another protocol. */
TDK_API int tdk_client_open(struct tdk_client **client, const char *address,
                            const struct tdk_client_options *options, struct tdk_err *err);
TDK_API void tdk_client_close(struct tdk_client *client);

/* Has the other side not hung up? Asks the kernel, and waits for nothing. */
TDK_API bool tdk_client_is_open(const struct tdk_client *client);

/* Any method: params and result are maps in msgpack. `params` NULL: an empty one. *result is
 * borrowed until the next call on this client. Notifications that come meanwhile are passed over.
 */
TDK_API int tdk_client_call(struct tdk_client *client, const char *method, const void *params,
                            size_t params_size, const void **result, size_t *result_size,
                            struct tdk_err *err);

/* Have a recorder record a ring in memory: `file` is tdk_ring_file() of one that
 * tdk_ring_create_memory() has made, `ring` what it is called there, `track` (NULL: the ring's own)
 * where it goes. It is recorded until its producer is gone and all of it is durable. A recorder
 * that ends lets go of it: what it had not taken is still there, and the next recorder goes on once
 * the ring is lent to it. Lent twice to one recorder: 0 again. Over a Unix socket only (-EINVAL).
 * -EEXIST: another ring is recorded under that name, or into that track; of a feed that has just
 * ended it may be so for a second. TDK_EHOSTILE: it is no such ring. TDK_EFULL: 64 are recorded. */
TDK_API int tdk_client_lend(struct tdk_client *client, const char *ring, const char *track,
                            int file, struct tdk_err *err);

/* Each track of the replayer's tape, by name bytewise. Not 0 from `each` ends the walk and is
 * returned; `each` must not use the client. */
TDK_API int tdk_client_tracks(struct tdk_client *client,
                              int (*each)(const struct tdk_track_info *track, void *context),
                              void *context, struct tdk_err *err);

/* ---- ranges ---- */

/* Which ticks. Of `range`, types are not looked at: they are asked for in words. All zeros with
 * range.to = UINT64_MAX is everything. Borrowed for the call alone. */
struct tdk_client_query {
    struct tdk_query range;
    const char *const *types; /* "trades", "wide-quote", a name that a track gave, "3" */
    size_t type_count;
    uint64_t credit; /* bytes of frames that may be on their way; 0: 36 MiB, and less than 17 MiB
                        may be too little for the largest frame */
    bool no_digest;  /* stats.digest stays empty: the other side is spared the work */
};

struct tdk_client_count {
    uint64_t ticks, bytes; /* of ticks, frames with heads */
    uint64_t lost;         /* ticks, told lost inside the range */
    uint64_t damaged;      /* blocks that could not be read: their ticks are not in `ticks` */
    uint64_t blocks_read, blocks_skipped;
};

/* How many. With range.count_only the number is out of directories where they suffice: then `bytes`
 * is 0, and damage may go unseen. TDK_ENOTRACK's and TDK_EVALUE's answers come as -ENOENT and
 * -EINVAL. */
TDK_API int tdk_client_count(struct tdk_client *client, const struct tdk_client_query *query,
                             struct tdk_client_count *count, struct tdk_err *err);

/* The ticks themselves. Until the stream is closed the client serves it alone: other calls are
 * -EBUSY. Memory: one message, 1 MiB or the largest frame; the rest waits at the other side. */
struct tdk_stream;
TDK_API int tdk_client_query(struct tdk_client *client, const struct tdk_client_query *query,
                             struct tdk_stream **stream, struct tdk_err *err);

/* 1: *run is the next piece; its frames are 8-aligned, checked to lie inside of it, and borrowed
 * until the next call; its track until close. 0: the end. TDK_ECORRUPT: a part of the tape could
 * not be read (err says which); the next call goes on behind it. Anything else ends the stream:
 * what the other side says, or that the connection broke; then not all of the range has come. */
TDK_API int tdk_stream_read(struct tdk_stream *stream, struct tdk_run *run, struct tdk_err *err);

/* The next runs, copied into one piece: as tdk_cursor_batch() of a tape, and with its codes. Names
 * of its parts are borrowed until the stream is closed; the batch is the caller's,
 * tdk_batch_free(). */
TDK_API int tdk_stream_batch(struct tdk_stream *stream, size_t enough, struct tdk_batch **batch,
                             struct tdk_err *err);

/* What the other side says of the whole, when read has answered 0. */
struct tdk_stream_stats {
    uint64_t ticks, bytes; /* without control frames */
    uint64_t lost;         /* ticks, told lost inside the range */
    uint64_t damaged;      /* parts that could not be read */
    char digest[33];       /* of what was delivered: see digest.h */
    bool complete;         /* nothing lost, nothing damaged */
};
TDK_API void tdk_stream_stats(const struct tdk_stream *stream, struct tdk_stream_stats *stats);

/* NULL is fine. Before its end: it is cancelled, and what is on its way is passed over. */
TDK_API void tdk_stream_close(struct tdk_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
