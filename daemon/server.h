/*
 * server.h - the sockets of a daemon: who may connect, what may be asked, within which limits.
 *
 * Both daemons speak the protocol of docs/protocol.md through this: the recorder about rings, the
 * replayer about the tape. A daemon brings a table of methods; the server brings sockets, hello,
 * limits, batch, the audit log, and keeps whoever misbehaves away from the others.
 *
 *   accepted -> (hello) -> greeted -> leaving -> closed
 *
 * Everything a peer sends is walked before it is decoded; what breaks a bound gets an error without
 * id and is closed. A connection's requests are answered in order: while one waits for its answer,
 * the next are not looked at.
 *
 * One thread, the loop's. Memory: connections are allocated at start; each may hold 64 KiB of what
 * it sent and was not looked at yet, and SERVER_OUTPUT_MAX of answers not taken (what streams send
 * is theirs to bound). server_close() before the loop ends.
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
    METHOD_CONTROL = 1, /* counts in the token bucket */
    METHOD_BATCH = 2,   /* may stand in a batch */
    METHOD_GUEST = 4,   /* guests may call it, too */
};

/* A table of these ends with one whose name is NULL. */
struct method {
    const char *name;
    unsigned flags;
    /* A request: answered with request.h, now or later. Params are borrowed until it returns. */
    void (*call)(struct request *request, struct wire_map params);
    /* Or a notification from the client: no answer. */
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
    const char *listen;     /* HOST:PORT; NULL: none. Needs a token */
    const char *token_file; /* its first line is the token */
    bool allow_remote;
    struct uid_list users;  /* that may connect, besides root and our own */
    struct uid_list guests; /* that may, for methods that are METHOD_GUEST */
    const char *audit_file; /* NULL: no audit */
    unsigned connections_max, streams_max;
    unsigned guests_max; /* of the connections, so that users find one whatever guests do */
    uint64_t idle_ns, half_ns, stuck_ns;
    uint64_t control_rate, control_burst;
    bool takes_files;                   /* over the Unix socket: connection_take_file() */
    const struct method *const *tables; /* ends with NULL */
    /* More for the limits that hello tells; NULL: nothing. Puts pairs, returns how many. */
    uint32_t (*limits)(void *context, struct text_buffer *out);
    void (*drained)(void *context,
                    struct connection *c);             /* what was sent is taken; NULL: so what */
    void (*gone)(void *context, struct connection *c); /* it ends: let go of it; NULL likewise */
    void *context;
};

/* The defaults of everything that is a number. */
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
    int reserve;  /* a descriptor kept free to refuse with when there are none left */
    bool starved; /* of descriptors */
    bool full;    /* connections_max are there */

    uv_timer_t tend;
    uv_idle_t hot; /* runs while a connection has input that waits for its turn */
    bool is_hot, closing;
    unsigned handles; /* of ours that are not closed yet */

    struct connection *slots;       /* owned array */
    struct connection *free, *live; /* lists of them */
    struct connection *ready;       /* those with input that waits for its turn */
    unsigned slot_count, live_count, guest_count, batches;
    uint64_t numbers;

    struct wire_decoder *decoder;
    char *scratch;          /* what is read, before it is looked at */
    struct text_buffer out; /* an answer while it is made */
    struct audit *audit;    /* NULL: none */
    struct server_counts counts;
};

/* Listen. Nothing is accepted before the loop runs. */
int server_open(struct server *server, uv_loop_t *loop, const struct server_options *options,
                struct tdk_err *err);

/* Close everything; handles are gone when the loop has turned. Fine for one that was never opened
 * (zeros), and twice. server_free() when the loop has ended. */
void server_close(struct server *server);
void server_free(struct server *server);

/* Its counters as pairs of a map; how many. */
uint32_t server_put_counters(const struct server *server, struct text_buffer *out);

/* A method by name; NULL: there is none. */
const struct method *server_method(const struct server *server, struct wire_text name);

#endif
