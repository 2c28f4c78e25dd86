/*
 * client.h - the blocking client from inside: calls with typed params and results.
 *
 *     struct text_buffer *params = client_begin(client, "roll");
 *     wire_put_map(params, 0);
 *     rc = client_call(client, &result, err);
 *
 * One thread at a time. A result, and a message, is borrowed until the next call on the client.
 */
#ifndef TDK_WIRE_CLIENT_H
#define TDK_WIRE_CLIENT_H

#include "tapedeck/client.h"
#include "wire/frame.h"
#include "wire/message.h"

struct tdk_client {
    int fd;
    int file;          /* borrowed: to be passed with what is sent next; -1: none */
    char address[128]; /* for errors; cut if it is long */
    uint64_t timeout_ns;
    struct wire_decoder *decoder;
    struct frame frame;
    struct text_buffer out;
    struct text_buffer in; /* the message at its beginning, and what came behind it */
    size_t used;           /* bytes of `in` that the last message took */
    uint64_t id;           /* of the last request */
    bool streaming;        /* a stream has it */
};

/* One that speaks over a descriptor, ours from here on, to whoever is there: greeted already, and
 * without a time-out. */
int client_adopt(struct tdk_client **client, int fd, struct tdk_err *err);

/* A request of this method: its params, one map, are to be put into what is returned. */
struct text_buffer *client_begin(struct tdk_client *client, const char *method);

/* Send what was begun and wait for its answer. The error that it answers with is returned. Other
 * messages that come meanwhile are given to `other` (NULL: passed over). */
typedef void client_other_cb(void *context, const struct wire_message *message);
int client_call(struct tdk_client *client, client_other_cb *other, void *context,
                struct wire_map *result, struct tdk_err *err);

/* A notification to send, likewise. */
struct text_buffer *client_begin_notification(struct tdk_client *client, const char *method);
int client_send(struct tdk_client *client, struct tdk_err *err);

/* What a range is in params: {from, to, axis, tracks, symbols, types, limit, reverse, control,
 * written} and `more` pairs, which follow. */
void client_put_query(struct text_buffer *out, const struct tdk_client_query *query, uint32_t more);

/* The next message, whatever it is. */
int client_next(struct tdk_client *client, struct wire_message *message, struct tdk_err *err);

#endif
