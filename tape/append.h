/*
 * append.h - write a whole tape from one thread: import, tests, tools.
 *
 * Nothing that is written counts as part of the tape until append_close() has returned 0. After
 * append_abort(), a failure or a crash nothing of it stays. Ticks come in file order. Each
 * append_begin() opens an epoch of a track, with seq from 1. Calls block. After a failed call only
 * append_abort() may follow.
 *
 *     append_open(&a, "TAPE", NULL, &err);
 *     append_begin(a, "binance", TDK_KIND_DBN, &err);
 *     append_tick(a, TDK_TYPE_DBN, 0, ts, record, size, &err);  ...
 *     append_close(a, &totals, &err);
 */
#ifndef TDK_TAPE_APPEND_H
#define TDK_TAPE_APPEND_H

#include "tape/recover.h"
#include "tapedeck/tick.h"

struct append;

struct append_options {
    uint64_t segment_size; /* 0: 1 GiB */
    uint32_t block_size;   /* 0: 1 MiB */
    uint32_t payload_max;  /* 0: 1 MiB */
    unsigned writes;       /* in flight at a time, see behind.h; 0: as many as memory allows */
    void (*found)(const char *text, void *context); /* by recovery, in words; may be NULL */
    void *context;
};

struct append_totals {
    uint64_t ticks, bytes; /* bytes: frames with heads */
    uint64_t odd, back,
        invalid; /* flagged: time not trusted, time went back, payload fails its check */
    uint64_t segments;
    uint64_t refused; /* names and parts of properties that were refused: see catalog_refused() */
};

/* Open the tape, and make it if it is not there. It is locked, and recovered if need be. options
 * NULL: the defaults. */
int append_open(struct append **append, const char *path, const struct append_options *options,
                struct tdk_err *err);
const struct recover_report *append_report(const struct append *append);

/* Begin a new epoch of a track, which is made if it is new. The epoch's number comes from the
 * clock, and is above all earlier ones. */
int append_begin(struct append *append, const char *track, enum tdk_kind kind, struct tdk_err *err);
uint64_t append_epoch(const struct append *append);

/* flags: only TDK_FLAG_SOURCE_SEQUENCE is taken over; the others are computed. */
int append_tick(struct append *append, uint8_t type, uint8_t flags, uint64_t ts,
                const void *payload, uint32_t size, struct tdk_err *err);

/* Add INFO, SYMBOL, MARK or CLOCK, before the ticks that need it. */
int append_control(struct append *append, uint8_t type, const void *payload, uint32_t size,
                   struct tdk_err *err);

/* Add a property, in as many INFO frames as it takes. */
int append_info(struct append *append, const char *key, const void *value, size_t size,
                struct tdk_err *err);

/* Record that `count` ticks were lost here, between these times. When no tick follows, `last_ts` is
 * that of the last tick. */
int append_loss(struct append *append, uint64_t count, uint64_t first_ts, uint64_t last_ts,
                struct tdk_err *err);

/* Put everything onto the tape: durable, sealed, and in the index. On failure nothing of it is
 * there. Frees `append`. */
int append_close(struct append *append, struct append_totals *totals, struct tdk_err *err);
void append_abort(struct append *append); /* NULL is fine; frees */

#endif
