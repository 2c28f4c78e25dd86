/*
 * service.h - the life of a daemon: its loop, its signals, the ready line, an orderly stop.
 *
 *   init -> (owner opens what it needs) -> ready -> run -> close
 *
 * SIGTERM and SIGINT ask the owner once to stop; the owner finishes its work and calls
 * service_finish(), which lets run() return. If that takes longer than the deadline, the process
 * ends with 1 then and there: whatever hangs below it (a disk) can only be left behind, and nothing
 * that was promised depends on an orderly end. A second SIGTERM changes nothing.
 *
 * One thread, the loop's. Memory: the caller's struct; it must stay until service_close().
 */
#ifndef TDK_DAEMON_SERVICE_H
#define TDK_DAEMON_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "tapedeck/err.h"

struct service_events {
    void (*stop)(void *context);       /* SIGTERM, SIGINT or service_stop(): once */
    void (*roll)(void *context);       /* SIGHUP; NULL: ignored */
    void (*statistics)(void *context); /* SIGUSR1; NULL: ignored */
};

enum { SERVICE_STOP, SERVICE_INTERRUPT, SERVICE_ROLL, SERVICE_STATISTICS, SERVICE_SIGNALS };

struct service {
    uv_loop_t loop;
    uv_signal_t signals[SERVICE_SIGNALS];
    uv_timer_t deadline;
    uv_timer_t watchdog; /* WATCHDOG=1 to systemd, where it asked for it */
    struct service_events events;
    void *context; /* borrowed, handed to events */
    uint64_t stop_ms;
    bool stopping;
    int exit_code;
};

/* `io_workers`: threads of libuv's pool, which must not have been used before; 0: libuv's own
 * number. `stop_ms`: the deadline of an orderly stop. Also raises the soft limit of open files and
 * ignores SIGPIPE. */
int service_init(struct service *service, const struct service_events *events, void *context,
                 unsigned io_workers, uint64_t stop_ms, struct tdk_err *err);

/* The one line on stderr that others wait for, as it is given and without a time in front; and
 * READY=1 for systemd. */
void service_ready(const char *line);

/* Until service_finish(). Returns the exit status it was given. */
int service_run(struct service *service);

/* As SIGTERM would. */
void service_stop(struct service *service);

/* The owner has ended its work and closed its handles, or is about to: run() returns when the last
 * one is gone. */
void service_finish(struct service *service, int exit_code);

/* Asserts that no handle was forgotten. */
void service_close(struct service *service);

#endif
