/*
 * http.h - GET /metrics and /healthz for monitors, and a page for people.
 *
 * Threads of its own, one a connection, read the daemon's counters page and answer, so they do
 * while the loop or the disk hangs, and the loop never sees a client. Connections, their memory and
 * their time are limited, and whoever dawdles gives way (callers.h). Nothing can be changed over
 * it. Who asks must call us by an address of ours: a page of somebody else's that had its own name
 * point here learns nothing.
 */
#ifndef TDK_DAEMON_HTTP_H
#define TDK_DAEMON_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text_buffer.h"
#include "tapedeck/err.h"

struct http;

struct http_options {
    const char *address; /* "HOST:PORT", checked with listen_check() */
    bool remote;         /* it may be beyond loopback */
    const char *writer;  /* whose page: "recorder" */
    const char *tape;    /* the tape's folder, for what the page shows of it; NULL: nothing */
    uint8_t tape_id[16];
    const char *replayer; /* the socket at which its plays are asked for; NULL: the tape's own */
};

/* -EADDRINUSE and other codes of the system. NULL is fine for close. */
int http_open(struct http **http, const struct http_options *options, struct tdk_err *err);
void http_close(struct http *http);

/* ---- for what answers ---- */

struct http_request;

/* NULL: it is not there. Borrowed until the answer. */
const char *http_param(const struct http_request *request, const char *name);
const struct http_options *http_options_of(const struct http_request *request);

/* Set when the server is to end: whoever waits looks now and then. */
const atomic_bool *http_stopping(const struct http_request *request);

/* Exactly one of these. Bytes are copied. */
void http_answer(struct http_request *request, unsigned status, const char *type, const void *bytes,
                 size_t size);
void http_answer_words(struct http_request *request, unsigned status, const char *words);

/* Text that does not end: what `next` puts, again and again, with a second between. At most so many
 * at a time, else 503. */
typedef void http_next_cb(const struct http_options *options, const atomic_bool *stopping,
                          struct text_buffer *out);
void http_answer_stream(struct http_request *request, const char *type, http_next_cb *next);

/* What is at a path. */
struct http_route {
    const char *path; /* NULL ends the table */
    void (*call)(struct http_request *request);
    bool foreign; /* any name for us will do, where other hosts may ask */
    bool linked;  /* pages of other sites may lead here */
};

#endif
