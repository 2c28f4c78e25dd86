/*
 * connection.h - one peer of a server: bytes in, messages out.
 *
 * The first part is for a daemon's own code, the rest is the server's. The loop's thread.
 */
#ifndef TDK_DAEMON_CONNECTION_H
#define TDK_DAEMON_CONNECTION_H

#include "daemon/bucket.h"
#include "daemon/request.h"
#include "daemon/server.h"
#include "wire/frame.h"

enum connection_state {
    CONNECTION_FREE,
    CONNECTION_NEW, /* has not sent hello yet */
    CONNECTION_GREETED,
    CONNECTION_LEAVING, /* it was told why it ends: what still comes is thrown away */
    CONNECTION_CLOSING,
};

struct connection {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } uv;
    struct server *server;
    struct connection *next, **at; /* in one of the server's lists */
    struct connection *next_ready;
    bool is_ready;
    enum connection_state state;
    uint64_t number; /* for the log */
    bool local;
    uid_t uid; /* of a local connection */
    bool guest;
    char client[64];

    struct frame frame;
    struct text_buffer in; /* bytes that came and were not looked at yet */
    int file;              /* a file that came and was not asked for yet; -1: none */
    bool reading, ended;   /* ended: the peer sends no more */
    struct request request;
    bool asked;        /* `request` waits for its answer */
    bool is_broken;    /* something could not be sent: it is closed at its next turn */
    bool is_taking;    /* messages are being looked at */
    unsigned refs;     /* what keeps the slot: the handle, a request under way, a turn to come */
    unsigned refusals; /* how often its token was refused */
    struct bucket bucket;

    uint64_t since_ns;
    uint64_t heard_ns; /* when something came last */
    uint64_t asked_ns; /* when the request came, or when we last said that it is under way */
    uint64_t begun_ns; /* when the message began that is not whole yet; 0: there is none */
    uint64_t moved_ns; /* when the peer took something last */
    size_t queued;     /* what it had not taken then */
    uint64_t left_ns;

    unsigned streams; /* streams and sessions: see connection_hold() */
    void *context;    /* belongs to the daemon */
};

/* A stream or session of this connection begins: until connection_release() it does not count as
 * idle. TDK_EFULL: it has as many as it may. */
int connection_hold(struct connection *c, struct tdk_err *err);
void connection_release(struct connection *c);

/* Take the file that came with a request; the caller closes it. -1: none came. Only if the server
 * takes files. A second file before the first is taken ends the connection. */
int connection_take_file(struct connection *c);

/* Send a whole message. What cannot go at once is copied. If it cannot be sent at all, the
 * connection ends, but later: the caller is not called back from in here. */
void connection_send(struct connection *c, const struct text_buffer *message);

/* Send bytes without a copy. They are borrowed until `sent` is called: once, on the loop, also if
 * the connection ends first (status < 0). -errno: nothing is sent, `sent` is never called, and
 * nothing can be sent after it. */
struct outgoing {
    uv_write_t write;
    uv_buf_t parts[2];
    unsigned count;
    struct connection *connection;
    void (*sent)(struct outgoing *outgoing, int status);
};
int connection_send_in_place(struct connection *c, struct outgoing *outgoing);

/* Bytes that were sent and that the peer has not taken. */
size_t connection_queued(const struct connection *c);

/* ---- the server's own ---- */

/* A socket was just accepted: let it in, or tell it why not and close it (accept.c). */
void connection_accept(struct server *server, int fd, bool local);

struct peer {
    uid_t uid; /* of a local connection */
    bool guest;
};
void connection_begin(struct server *server, int fd, bool local, struct peer who, uint64_t now_ns);

void connection_tend(struct connection *c, uint64_t now_ns);
void connection_wake(struct connection *c); /* gives it a turn in the next round of the loop */
void connection_turn(struct connection *c); /* looks at its input that waits */
void connection_answered(struct connection *c);
void connection_close(struct connection *c);

/* Send an error without an id, and end the connection. */
void connection_break(struct connection *c, const struct tdk_err *err);

/* Is there nobody left to tell anything? */
static inline bool connection_is_gone(const struct connection *c)
{
    return c->state != CONNECTION_NEW && c->state != CONNECTION_GREETED;
}

/* The peer has not only ended what it says, it hears nothing either. Over TCP both look alike until
 * something is sent to it. */
bool connection_is_deaf(const struct connection *c);

/* ---- what it sends (connection_input.c) ---- */

/* Take the messages at the front of these bytes that may be looked at now. The rest is kept in
 * c->in, where `bytes` may be already. */
void connection_take_input(struct connection *c, const char *bytes, size_t size);

/* Reading goes on while there is room for more, so that the peer's end is noticed. */
void connection_set_reading(struct connection *c);

void server_run_hot(struct server *server);

#endif
