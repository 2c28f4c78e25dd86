/*
 * audit.h - who asked for what: one line of JSON a request, appended to a file on the pool.
 *
 *   {"time":"2026-11-27T02:15:00.000000000Z","uid":1000,"client":"tapedeck","method":"roll",
 *    "params":{},"result":"ok"}
 *
 * Lines wait in memory while a write is under way. When AUDIT_ROOM is full, no more requests are
 * taken until there is room: what is not on record is not carried out. The loop's thread.
 */
#ifndef TDK_DAEMON_AUDIT_H
#define TDK_DAEMON_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/text_buffer.h"
#include "tapedeck/err.h"

#define AUDIT_ROOM ((size_t)1 << 20)

struct audit;

/* Append to this file, which is made with mode 0600 if it does not exist. `drained` is called when
 * there is room again. */
int audit_open(struct audit **audit, uv_loop_t *loop, const char *path,
               void (*drained)(void *context), void *context, struct tdk_err *err);

/* Write what still waits. Blocking; after the loop has ended. */
void audit_close(struct audit *audit);

bool audit_is_full(const struct audit *audit);

struct audit_entry {
    long long uid;      /* -1: TCP */
    const char *client; /* the name that it gave itself */
    const char *call;   /* JSON: "method":...,"params":... */
    const char *result; /* "ok", or the name of an error */
};
void audit_add(struct audit *audit, const struct audit_entry *entry);

#endif
