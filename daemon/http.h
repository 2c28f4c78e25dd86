/*
 * http.h - GET /metrics, /healthz and /, for monitors.
 *
 * A thread of its own reads the daemon's counters page and answers, so it does while the loop or
 * the disk hangs, and the loop never sees a client. Connections, their memory and their time are
 * limited. Nothing can be changed over it.
 */
#ifndef TDK_DAEMON_HTTP_H
#define TDK_DAEMON_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "tapedeck/err.h"

struct http;

struct http_options {
    const char *address; /* "HOST:PORT", checked with listen_check() */
    bool remote;         /* it may be beyond loopback */
    const char *writer;  /* whose page: "recorder" */
    uint8_t tape_id[16];
};

/* -EADDRINUSE and other codes of the system. NULL is fine for close. */
int http_open(struct http **http, const struct http_options *options, struct tdk_err *err);
void http_close(struct http *http);

#endif
