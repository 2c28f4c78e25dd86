/*
 * listen.h - the reading end of a ring in a command: what drain and tap share.
 *
 * Frames come in one by one. Those of one track that lie side by side are put out, and digested, as
 * a run. What control frames say is remembered on the way (lore.h). Loss is found where it can be:
 * in LOSS frames, and in a producer's own ring as a hole in seq. One thread.
 */
#ifndef TDK_CLI_LISTEN_H
#define TDK_CLI_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/option.h"
#include "cli/lore.h"
#include "cli/output.h"
#include "tapedeck/digest.h"
#include "tapedeck/ring.h"

/* Part of a command's arguments, and the option rows that fill it. */
struct listen_options {
    const char *format, *path;
    bool force, pretty, map_symbols, envelope, five, control;
};
extern const struct option listen_rows[];

/* When drain or tap stops, and the option rows for it. */
struct listen_stop {
    uint64_t count, timeout_ns, wait_ns; /* count, timeout: 0: never; wait: 0: none */
    bool digest;
};
extern const struct option listen_stop_rows[];

struct listener {
    struct output *output;
    struct lore *lore;
    struct tdk_digest *digest; /* NULL: not asked for */
    struct tdk_frame *copy;    /* room for one frame, to digest times that a play shifted */
    uint32_t payload_max;
    uint64_t ticks;
    uint64_t epoch;    /* of track number 0 */
    uint64_t next_seq; /* of track number 0; 0: not known yet */
    uint64_t lost;     /* ticks, by LOSS frames or by holes in seq */
    struct tdk_end end;
    bool ended; /* END came */
    bool gone;  /* the reader of our output has gone */
    /* Frames that are still to be put out. */
    const struct tdk_frame *run;
    size_t run_size;
    uint16_t run_number;
};

/* TDK_EVALUE and -EEXIST mean wrong options: exit 2. */
int listener_open(struct listener *listener, const struct listen_options *options,
                  const struct tdk_ring *ring, bool digest, struct tdk_err *err);
void listener_close(struct listener *listener);

/* Take one frame whose head has been checked. It is borrowed until the next listener_flush(). */
int listener_take(struct listener *listener, const struct tdk_frame *frame, struct tdk_err *err);

/* Put out what has been taken, and write it out of this process. */
int listener_flush(struct listener *listener, struct tdk_err *err);

/* The reader was overtaken, and what it had taken is flushed. Go on where it stands now. */
void listener_overtaken(struct listener *listener, const struct tdk_ring *ring);

/* Print the error of an output that failed. Returns the exit status: wrong usage or failed. */
int listener_fail(const struct tdk_err *err);

#endif
