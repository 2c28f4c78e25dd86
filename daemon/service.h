/*
 * service.h - the life of a daemon: its loop, its signals, the ready line, an orderly stop.
 *
 *   init -> (owner opens what it needs) -> ready -> run -> close
 *
 * SIGTERM and SIGINT ask the owner once to stop. The owner finishes its work and calls
 * service_finish(), which lets service_run() return. If that takes longer than the deadline, the
 * process ends at once with status 1: if something below it hangs (a disk), it can only be left
 * behind, and no promise depends on an orderly end. A second SIGTERM changes nothing.
 *
 * One thread, the loop's. Memory: the caller's struct, which must stay where it is until
 * service_close().
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
    uv_timer_t watchdog; /* sends WATCHDOG=1 to systemd, if that asked for it */
    struct service_events events;
    void *context; /* borrowed; passed to the events */
    uint64_t stop_ms;
    bool stopping;
    int exit_code;
};

/* `io_workers`: threads of libuv's pool, which must not have been used before; 0: libuv's own
 * number. `stop_ms`: the deadline of an orderly stop. This also raises the soft limit of open files
 * and ignores SIGPIPE. */
int service_init(struct service *service, const struct service_events *events, void *context,
                 unsigned io_workers, uint64_t stop_ms, struct tdk_err *err);

/* Write the line on stderr that others wait for, as it is, without a time before it; and send
 * READY=1 to systemd. */
void service_ready(const char *line);

/* Run until service_finish(). Returns the exit status that was given to that. */
int service_run(struct service *service);

/* Do what SIGTERM does. */
void service_stop(struct service *service);

/* The owner has finished its work, and has closed its handles or is about to: service_run() returns
 * when the last one is gone. */
void service_finish(struct service *service, int exit_code);

/* Close the loop. Asserts that no handle was forgotten. */
void service_close(struct service *service);

#endif
