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
 * The client is blocking and small: it makes one request at a time, for one thread at a time.
 * docs/protocol.md has the methods. A method that has no call of its own here is reached with
 * tdk_client_call(), whose params and result are msgpack maps as bytes. Memory: some 100 KiB per
 * client, or the size of the largest message that came.
 *
 * Errors are those of err.h, including those that the other side sends. After an error of the
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
    uint64_t timeout_ns; /* how long silence may last; 0: for ever. While connecting and for hello:
                            10 s, or this if it is less */
};

/* Connect to "unix:PATH" or "HOST:PORT" and say hello. `options` NULL: all zeros.
 * TDK_EVALUE: this is no address. -ENOENT, -ECONNREFUSED, -ETIMEDOUT...: nobody answers there.
 * -EACCES: the token is wrong. TDK_EVERSION: the other side speaks another protocol. */
TDK_API int tdk_client_open(struct tdk_client **client, const char *address,
                            const struct tdk_client_options *options, struct tdk_err *err);
TDK_API void tdk_client_close(struct tdk_client *client);

/* From any thread: from now on nothing is sent or received. A call that is waiting for the other
 * side returns, with the error that the connection was closed. tdk_client_close() is still to be
 * called, once nobody waits. */
TDK_API void tdk_client_hang_up(struct tdk_client *client);

/* False once the other side has hung up. It asks the kernel, and waits for nothing. */
TDK_API bool tdk_client_is_open(const struct tdk_client *client);

/* Call any method. Params and result are maps in msgpack; `params` NULL is an empty one. *result is
 * borrowed until the next call on this client. */
TDK_API int tdk_client_call(struct tdk_client *client, const char *method, const void *params,
                            size_t params_size, const void **result, size_t *result_size,
                            struct tdk_err *err);

/* From now on `heard` gets each notification that comes while the client waits for something else:
 * the message [2, method, params] in msgpack, borrowed until it returns. It must not use the
 * client. NULL, as it is unless this is called: they are passed over. */
TDK_API void tdk_client_listen(struct tdk_client *client,
                               void (*heard)(const void *message, size_t size, void *context),
                               void *context);

/* Have a recorder record a ring in memory. `file` is tdk_ring_file() of a ring that
 * tdk_ring_create_memory() has made, `ring` is its name there, and `track` is where it goes (NULL:
 * the ring's own track). It is recorded until its producer is gone and all of it is durable. A
 * recorder that ends lets go of the ring: what it had not taken is still there, and the next
 * recorder goes on once the ring is lent to it. Lending twice to one recorder returns 0 again. This
 * works over a Unix socket only (-EINVAL). -EEXIST: another ring is recorded under that name, or
 * into that track; that may still be so for a second after its feed has ended. TDK_EHOSTILE: it is
 * no such ring. TDK_EFULL: 64 are recorded. */
TDK_API int tdk_client_lend(struct tdk_client *client, const char *ring, const char *track,
                            int file, struct tdk_err *err);

/* Call `each` for each track of the replayer's tape, by name bytewise. If it returns anything but
 * 0, the walk ends and that is returned. `each` must not use the client. */
TDK_API int tdk_client_tracks(struct tdk_client *client,
                              int (*each)(const struct tdk_track_info *track, void *context),
                              void *context, struct tdk_err *err);

/* ---- ranges ---- */

/* Which ticks. The types in `range` are not used, because here types are words. All zeros with
 * range.to = UINT64_MAX is everything. Borrowed only during the call. */
struct tdk_client_query {
    struct tdk_query range;
    const char *const *types; /* "trades", "wide-quote", a name that a track gave, "3" */
    size_t type_count;
    uint64_t credit; /* bytes of frames that may be on their way; 0: 36 MiB. Less than 17 MiB may be
                        too little for the largest frame */
    bool no_digest;  /* spare the other side the work: stats.digest stays empty */
};

struct tdk_client_count {
    uint64_t ticks, bytes; /* bytes: of the ticks' frames, with heads */
    uint64_t lost;         /* ticks told lost inside the range */
    uint64_t damaged;      /* blocks that could not be read: their ticks are not in `ticks` */
    uint64_t blocks_read, blocks_skipped;
};

/* Count the ticks. With range.count_only the number comes from directories where they suffice: then
 * `bytes` is 0, and damage may go unseen. -ENOENT is returned in place of TDK_ENOTRACK, and -EINVAL
 * in place of TDK_EVALUE. */
TDK_API int tdk_client_count(struct tdk_client *client, const struct tdk_client_query *query,
                             struct tdk_client_count *count, struct tdk_err *err);

/* Ask for the ticks themselves, whatever range.count_only says. Until the stream is closed the
 * client serves only the stream; other calls return -EBUSY. Memory: one message, 1 MiB or the
 * largest frame. The rest waits at the other side. */
struct tdk_stream;
TDK_API int tdk_client_query(struct tdk_client *client, const struct tdk_client_query *query,
                             struct tdk_stream **stream, struct tdk_err *err);

/* Read on. 1: *run is the next piece. Its frames are 8-aligned, checked to lie inside it, and
 * borrowed until the next call; its track is borrowed until close. 0: the end. TDK_ECORRUPT: a part
 * of the tape could not be read (err says which); the next call goes on behind it. Anything else
 * ends the stream before all of the range has come: an error of the other side, or a broken
 * connection. */
TDK_API int tdk_stream_read(struct tdk_stream *stream, struct tdk_run *run, struct tdk_err *err);

/* The next runs, copied into one piece, as by tdk_cursor_batch() of a tape and with its codes. The
 * names of its parts are borrowed until the stream is closed. The batch is the caller's to free
 * with tdk_batch_free(). */
TDK_API int tdk_stream_batch(struct tdk_stream *stream, size_t enough, struct tdk_batch **batch,
                             struct tdk_err *err);

/* What the other side says of the whole answer, once read has returned 0. */
struct tdk_stream_stats {
    uint64_t ticks, bytes; /* without control frames */
    uint64_t lost;         /* ticks told lost inside the range */
    uint64_t damaged;      /* parts that could not be read */
    char digest[33];       /* of what was delivered: see digest.h */
    bool complete;         /* nothing lost, nothing damaged */
};
TDK_API void tdk_stream_stats(const struct tdk_stream *stream, struct tdk_stream_stats *stats);

/* Close a stream. A stream that is not at its end is cancelled, and what is on its way is passed
 * over. If its end does not come within timeout_ns (0: 30 s), the connection is given up. NULL is
 * fine. */
TDK_API void tdk_stream_close(struct tdk_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
