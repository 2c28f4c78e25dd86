/*
 * server.h - the sockets of a daemon: who may connect, what may be asked, within which limits.
 *
 * Both daemons speak the protocol of docs/protocol.md through this: the recorder about rings, the
 * replayer about the tape. A daemon brings a table of methods. The server brings sockets, hello,
 * limits, batch and the audit log, and protects well-behaved peers from the others.
 *
 *   accepted -> (hello) -> greeted -> leaving -> closed
 *
 * All that a peer sends is walked before it is decoded. A peer that breaks a limit gets an error
 * without an id, and its connection is closed. A connection's requests are answered in order: while
 * one waits for its answer, the next ones are not looked at.
 *
 * One thread, the loop's. Memory: connections are allocated at start. Each may hold 64 KiB that its
 * peer sent and that was not looked at yet, and SERVER_OUTPUT_MAX of answers that the peer has not
 * taken (streams limit what they send themselves). Call server_close() before the loop ends.
 */
#ifndef TDK_DAEMON_SERVER_H
#define TDK_DAEMON_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "daemon/listen.h"
#include "wire/message.h"

#define SERVER_PROTOCOL   1u
#define SERVER_UIDS_MAX   32u
#define SERVER_TOKEN_MAX  255u
#define SERVER_OUTPUT_MAX ((size_t)1 << 20)

struct audit;
struct connection;
struct request;
struct server;

enum method_flag {
    METHOD_CONTROL = 1, /* takes a token of the bucket */
    METHOD_BATCH = 2,   /* may be part of a batch */
    METHOD_GUEST = 4,   /* guests may call it, too */
};

/* A method. A table of them ends with one whose name is NULL. */
struct method {
    const char *name;
    unsigned flags;
    /* For a request: answer it with request.h, now or later. Params are borrowed until this
     * returns. */
    void (*call)(struct request *request, struct wire_map params);
    /* For a notification from the client: there is no answer. */
    void (*note)(struct connection *connection, struct wire_map params);
};

struct uid_list {
    uid_t uids[SERVER_UIDS_MAX];
    unsigned count;
};

struct server_options {
    const char *program; /* "tapedeck-recorder" */
    const char *version;
    const char *tape;
    const char *socket;     /* path; NULL: none */
    const char *listen;     /* HOST:PORT; NULL: none. It needs a token */
    const char *token_file; /* its first line is the token */
    bool allow_remote;
    struct uid_list users;  /* who may connect, besides root and our own user */
    struct uid_list guests; /* who may connect for methods that are METHOD_GUEST */
    const char *audit_file; /* NULL: no audit */
    unsigned connections_max, streams_max;
    unsigned guests_max; /* at most so many connections, so that guests cannot take all of them */
    uint64_t idle_ns, half_ns, stuck_ns;
    uint64_t control_rate, control_burst;
    bool takes_files;                   /* over the Unix socket: connection_take_file() */
    const struct method *const *tables; /* ends with NULL */
    /* Put more pairs into the limits that hello tells, and return how many. May be NULL. */
    uint32_t (*limits)(void *context, struct text_buffer *out);
    void (*drained)(void *context,
                    struct connection *c);             /* all it was sent is taken; may be NULL */
    void (*gone)(void *context, struct connection *c); /* it ends: let go of it; may be NULL */
    void *context;
};

/* Set the defaults of all numbers. */
void server_defaults(struct server_options *options);

struct server_counts {
    uint64_t accepted, refused_full, refused_peer, refused_files;
    uint64_t requests, notifications, failed, throttled, malformed;
    uint64_t closed_idle, closed_half, closed_stuck;
};

struct listener {
    uv_poll_t poll;
    int fd;
    bool local, open;
    struct server *server;
};

struct server {
    uv_loop_t *loop; /* borrowed */
    struct server_options options;
    struct listener listeners[2];
    struct listen_file file; /* of the Unix socket */
    unsigned port;           /* of TCP; 0: none */
    char token[SERVER_TOKEN_MAX + 1];
    int reserve;  /* a descriptor kept in reserve, to refuse connections when no other is left */
    bool starved; /* there are no descriptors left */
    bool full;    /* there are connections_max connections */

    uv_timer_t tend;
    uv_idle_t hot; /* runs while a connection has input waiting for its turn */
    bool is_hot, closing;
    unsigned handles; /* that are not closed yet */

    struct connection *slots;       /* owned array */
    struct connection *free, *live; /* lists of them */
    struct connection *ready;       /* those with input waiting for their turn */
    unsigned slot_count, live_count, guest_count, batches;
    uint64_t numbers;

    struct wire_decoder *decoder;
    char *scratch;          /* bytes just read */
    struct text_buffer out; /* the answer that is being made */
    struct audit *audit;    /* NULL: none */
    struct server_counts counts;
};

/* Listen. Nothing is accepted before the loop runs. */
int server_open(struct server *server, uv_loop_t *loop, const struct server_options *options,
                struct tdk_err *err);

/* Close everything. The handles are gone when the loop has run; call server_free() after it has
 * ended. Both are fine for a server that was never opened (zeros), and may be called twice. */
void server_close(struct server *server);
void server_free(struct server *server);

/* Put its counters as pairs of a map. Returns how many. */
uint32_t server_put_counters(const struct server *server, struct text_buffer *out);

/* Find a method by name. NULL: there is none. */
const struct method *server_method(const struct server *server, struct wire_text name);

#endif
