/*
 * publisher.h - a command's end of a ring: attach as producer, claim with or without patience,
 * count.
 *
 * feed and gen publish as a live producer would: an attach is an epoch, seq from 1. With patience
 * a full ring is a wait (no loss); without, the tick is dropped and counted, as a live feed does.
 * Several claims may go out with one flush. The digest is of what was published. One thread.
 */
#ifndef TDK_CLI_PUBLISHER_H
#define TDK_CLI_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/option.h"
#include "cli/loan.h"
#include "tapedeck/digest.h"
#include "tapedeck/err.h"
#include "tapedeck/ring.h"

#define PUBLISHER_KEY_MAX 255u

/* Part of the arguments of feed and gen, and their rows. */
struct publisher_options {
    const char *ring;
    uint64_t create_size; /* 0: the ring must be there */
    uint64_t wait_ns;     /* for a ring that is not there yet */
    const char *lend;     /* the recorder that gets it, as memory; NULL: it has a name */
    bool no_wait, digest, allow_disk;
};

extern const struct option publisher_rows[]; /* `at` is in struct publisher_options */

struct publisher {
    struct tdk_ring *ring;
    struct loan loan;
    struct tdk_digest *digest; /* NULL: not asked for */
    char track[TDK_NAME_MAX + 1];
    uint64_t epoch;
    uint32_t payload_max;
    size_t batch; /* bytes of room that are waited for at a time */
    size_t room;  /* bytes of it that are left: claims of them will succeed */
    uint64_t next_seq;
    bool no_wait;
    uint64_t ticks, bytes, dropped, controls_dropped;
    /* What was claimed and is not published: one run, for the digest. */
    const struct tdk_frame *run;
    size_t run_size;
};

int publisher_open(struct publisher *publisher, const struct publisher_options *options,
                   struct tdk_err *err);
void publisher_close(struct publisher *publisher); /* also what failed to open */

/* What follows is of another epoch, with seq from 1. TDK_EBUSY: somebody took the ring meanwhile;
 * -ENOTSUP: of one that is lent. After a failure it can only be closed. */
int publisher_new_epoch(struct publisher *publisher, struct tdk_err *err);

/* A frame for a tick: the caller sets type, ts and payload. NULL: dropped and counted, or stopped.
 * `size` is at most payload_max. */
struct tdk_frame *publisher_claim(struct publisher *publisher, uint32_t size);

/* Interrupted, or the ring breaks its own rules: no claim will succeed any more. */
bool publisher_stopped(const struct publisher *publisher);

/* The same in words: 0, or -ECANCELED, or TDK_EHOSTILE. */
int publisher_check(const struct publisher *publisher, struct tdk_err *err);

/* A control frame with the next tick's seq. Without patience it may be dropped, and is counted. */
void publisher_control(struct publisher *publisher, uint8_t type, const void *head,
                       size_t head_size, const void *body, size_t body_size);

/* One property of the track (key of at most PUBLISHER_KEY_MAX bytes), in as many frames as the
 * ring's payload limit makes of it. */
void publisher_info(struct publisher *publisher, const char *key, const void *value, size_t size);

/* Make visible what was claimed. */
void publisher_flush(struct publisher *publisher);

/* What found no room is told. CLI_OK or CLI_LOSSY. */
int publisher_verdict(const struct publisher *publisher);

/* Sleep, and for the last bit watch the clock, until `due_ns` (monotonic) or an interrupt. */
void publisher_wait_until(struct publisher *publisher, uint64_t due_ns);

#endif
