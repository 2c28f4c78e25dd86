/*
 * client.h - the inside of the blocking client: calls with their params and results.
 *
 *     struct text_buffer *params = client_begin(client, "roll");
 *     wire_put_map(params, 0);
 *     rc = client_call(client, &result, err);
 *
 * One thread at a time. A result or a message is borrowed until the next call on the client.
 */
#ifndef TDK_WIRE_CLIENT_H
#define TDK_WIRE_CLIENT_H

#include "tapedeck/client.h"
#include "wire/frame.h"
#include "wire/message.h"

struct tdk_client {
    int fd;
    int file;          /* borrowed: pass it with what is sent next; -1: none */
    char address[128]; /* for errors; cut if it is long */
    uint64_t timeout_ns;
    struct wire_decoder *decoder;
    struct frame frame;
    struct text_buffer out;
    struct text_buffer in; /* begins with the message at hand; then what came behind it */
    size_t used;           /* bytes of `in` that the last message took */
    uint64_t id;           /* of the last request */
    bool streaming;        /* a stream uses it */
    void (*heard)(const void *message, size_t size, void *context); /* see tdk_client_listen() */
    void *context;                                                  /* of `heard` */
};

/* Make a client that speaks over a descriptor to whoever is there. The client owns the descriptor
 * from here on. It counts as greeted, and has no time-out. */
int client_adopt(struct tdk_client **client, int fd, struct tdk_err *err);

/* Begin a request of this method. Put its params, one map, into the buffer that is returned. */
struct text_buffer *client_begin(struct tdk_client *client, const char *method);

/* Send the request and wait for its answer. If that is an error, it is returned. Other messages
 * that come meanwhile are given to `other` (NULL: to whoever listens). */
typedef void client_other_cb(void *context, const struct wire_message *message);
int client_call(struct tdk_client *client, client_other_cb *other, void *context,
                struct wire_map *result, struct tdk_err *err);

/* Begin a notification, and send it, likewise. */
struct text_buffer *client_begin_notification(struct tdk_client *client, const char *method);
int client_send(struct tdk_client *client, struct tdk_err *err);

/* Put the params of a range: {from, to, axis, tracks, symbols, types, limit, reverse, control,
 * written}, and `more` pairs, which the caller puts next. */
void client_put_query(struct text_buffer *out, const struct tdk_client_query *query, uint32_t more);

/* Give the message at hand to whoever listens, if anybody does. */
void client_pass_on(const struct tdk_client *client);

/* Wait for the next message, of any kind. */
int client_next(struct tdk_client *client, struct wire_message *message, struct tdk_err *err);

#endif
