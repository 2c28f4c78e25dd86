/*
 * recorder.h - from rings to a tape: what the recorder owns, and the order of its start and its
 * stop.
 *
 *   rings -> pump -> writer -> (pool) -> told -> sync -> watermark -> journal: table, index, seal
 *
 * docs/architecture.md has the picture. One thread runs it all, the loop's. What may block is done
 * on libuv's pool.
 */
#ifndef TDK_RECORDER_RECORDER_H
#define TDK_RECORDER_RECORDER_H

#include "daemon/http.h"
#include "daemon/service.h"
#include "recorder/ack.h"
#include "recorder/canary.h"
#include "recorder/control.h"
#include "recorder/gauges.h"
#include "recorder/pump.h"
#include "recorder/retention.h"
#include "recorder/sealers.h"
#include "recorder/status.h"

struct recorder {
    const struct config *config; /* borrowed */
    struct service service;
    struct recovered tape;
    struct ledger ledger;
    struct rotate rotate;
    struct journal journal;
    struct writer writer;
    struct pump pump;
    struct retention retention;
    struct sealers sealers;
    struct inlet *inlets; /* owned: those of the configuration, and spare ones */
    unsigned inlet_count;
    struct canary canary;
    struct ack ack;
    struct control control;

    uv_idle_t hot;   /* runs while there is work */
    uv_timer_t warm; /* when to look again otherwise */
    uv_timer_t tend; /* ten times a second: rings that come and go, segments, clocks, reports */
    enum pump_pace pace;
    bool stopping, finished;
    unsigned seal_tries; /* while stopping */
    uint64_t tends;

    struct gauges gauges;
    struct http *http;      /* owned; NULL: not wanted */
    struct status reported; /* as of the last report */
    uint64_t reported_ns, ready_ns;
    int64_t clock_offset; /* wall - monotonic */
};

/* Do everything up to the ready line: hold and recover the tape, allocate memory, make the first
 * segment. TDK_EBUSY: another recorder has the tape. */
int recorder_open(struct recorder *recorder, const struct config *config, struct tdk_err *err);

/* Look at the rings, and at what was asked, now. */
void recorder_turn(struct recorder *recorder);

/* Gather what the recorder tells about itself. */
void recorder_status(const struct recorder *recorder, struct status *status);

/* Attach the rings, say that it is ready, and record until it is told to stop or gives up. Returns
 * the exit status. */
int recorder_run(struct recorder *recorder);

/* Close it after recorder_run(), or after an open that failed half-way. Returns the exit status,
 * which is worse than `exit_code` if the end was not clean. */
int recorder_close(struct recorder *recorder, int exit_code);

#endif
