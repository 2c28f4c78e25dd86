/*
 * publisher.h - a command's producing end of a ring: attaches, claims with or without patience,
 * counts.
 *
 * feed and gen publish as a live producer would: an attach is an epoch, with seq from 1. With
 * patience a full ring is a wait, without loss. Without patience the tick is dropped and counted,
 * as with a live feed. Several claims may go out with one flush. The digest is of what was
 * published. One thread.
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

/* Part of the arguments of feed and gen, and the option rows for it. */
struct publisher_options {
    const char *ring;
    uint64_t create_size; /* 0: the ring must exist */
    uint64_t wait_ns;     /* how long to wait for a ring that does not exist yet */
    const char *lend; /* the recorder that a ring in memory is lent to; NULL: a ring with a name */
    bool no_wait, digest, allow_disk;
};

extern const struct option publisher_rows[]; /* `at` is an offset in struct publisher_options */

struct publisher {
    struct tdk_ring *ring;
    struct loan loan;
    struct tdk_digest *digest; /* NULL: not asked for */
    char track[TDK_NAME_MAX + 1];
    uint64_t epoch;
    uint32_t payload_max;
    size_t batch; /* bytes of room to wait for at a time */
    size_t room;  /* bytes of it that are left: claims within it will succeed */
    uint64_t next_seq;
    bool no_wait;
    uint64_t ticks, bytes, dropped, controls_dropped;
    /* What was claimed and not published yet: one run, for the digest. */
    const struct tdk_frame *run;
    size_t run_size;
};

int publisher_open(struct publisher *publisher, const struct publisher_options *options,
                   struct tdk_err *err);
void publisher_close(struct publisher *publisher); /* also after a failed open */

/* Begin another epoch, with seq from 1. TDK_EBUSY: somebody has taken the ring meanwhile. -ENOTSUP:
 * the ring is lent. After a failure it can only be closed. */
int publisher_new_epoch(struct publisher *publisher, struct tdk_err *err);

/* Claim a frame for a tick; the caller sets type, ts and payload. NULL: the tick was dropped and
 * counted, or the publisher has stopped. `size` is at most payload_max. */
struct tdk_frame *publisher_claim(struct publisher *publisher, uint32_t size);

/* Was it interrupted, or does the ring break its own rules? Then no claim will succeed any more. */
bool publisher_stopped(const struct publisher *publisher);

/* The same as an error: 0, -ECANCELED, or TDK_EHOSTILE. */
int publisher_check(const struct publisher *publisher, struct tdk_err *err);

/* Put in a control frame with the next tick's seq. Without patience it may be dropped, and is
 * counted. */
void publisher_control(struct publisher *publisher, uint8_t type, const void *head,
                       size_t head_size, const void *body, size_t body_size);

/* Put in one property of the track (key of at most PUBLISHER_KEY_MAX bytes), in as many frames as
 * the ring's payload limit requires. */
void publisher_info(struct publisher *publisher, const char *key, const void *value, size_t size);

/* Publish what was claimed. */
void publisher_flush(struct publisher *publisher);

/* Report what found no room. CLI_OK or CLI_LOSSY. */
int publisher_verdict(const struct publisher *publisher);

/* Sleep until `due_ns` (monotonic), watching the clock for the last bit. An interrupt ends it. */
void publisher_wait_until(struct publisher *publisher, uint64_t due_ns);

#endif
