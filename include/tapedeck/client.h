/*
 * client.h - ask a recorder or a replayer: connect, call, and be told.
 *
 *     struct tdk_client *client;
 *     tdk_client_open(&client, "unix:/data/tape/replayer.sock", NULL, &err);
 *     tdk_client_count(client, &query, &count, &err);
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

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

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

/* Any method: params and result are maps in msgpack. `params` NULL: an empty one. *result is
 * borrowed until the next call on this client. Notifications that come meanwhile are passed over.
 */
TDK_API int tdk_client_call(struct tdk_client *client, const char *method, const void *params,
                            size_t params_size, const void **result, size_t *result_size,
                            struct tdk_err *err);

#ifdef __cplusplus
}
#endif
#endif
