/*
 * http.h - GET /metrics and /healthz for monitors, and a page for people.
 *
 * It has threads of its own, one for each connection. They read the daemon's counters page and
 * answer, so they answer even while the loop or the disk hangs, and the loop never sees a client.
 * Connections, their memory and their time are limited, and a client that dawdles gives way
 * (callers.h). Nothing can be changed over it. A client must call us by an address of ours, so
 * another site's page whose own name points here learns nothing.
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
    bool remote;         /* the address may be beyond loopback */
    const char *writer;  /* whose counters page: "recorder" */
    const char *tape;    /* the tape's folder, which the page shows; NULL: it shows no tape */
    uint8_t tape_id[16];
    const char *replayer; /* socket of the replayer that lists its plays; NULL: the tape's own */
};

/* -EADDRINUSE and other codes of the system. http_close(NULL) is fine. */
int http_open(struct http **http, const struct http_options *options, struct tdk_err *err);
void http_close(struct http *http);

/* ---- for the code that answers ---- */

struct http_request;

/* NULL: there is no such parameter. Borrowed until the answer. */
const char *http_param(const struct http_request *request, const char *name);
const struct http_options *http_options_of(const struct http_request *request);

/* It is set when the server is about to end. Code that waits must check it now and then. */
const atomic_bool *http_stopping(const struct http_request *request);

/* Call exactly one of these. Bytes are copied. */
void http_answer(struct http_request *request, unsigned status, const char *type, const void *bytes,
                 size_t size);
void http_answer_words(struct http_request *request, unsigned status, const char *words);

/* Answer with text that does not end: what `next` puts, again and again, once a second. The number
 * of these at a time is limited; beyond it the answer is 503. */
typedef void http_next_cb(const struct http_options *options, const atomic_bool *stopping,
                          struct text_buffer *out);
void http_answer_stream(struct http_request *request, const char *type, http_next_cb *next);

/* What is at a path. */
struct http_route {
    const char *path; /* NULL ends the table */
    void (*call)(struct http_request *request);
    bool foreign; /* if other hosts may ask, they may use any name for us */
    bool linked;  /* pages of other sites may lead here */
};

#endif
