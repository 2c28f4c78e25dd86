/*
 * listen.h - a command's reading end of a ring: what drain and tap share.
 *
 * Frames come in one by one; those of one track that lie side by side are put out, and digested, as
 * a run. What control frames tell is learned on the way (lore.h). Loss is found where it can be: in
 * LOSS frames, and in a producer's own ring as a hole in seq. One thread.
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

/* Part of a command's arguments, and the rows that fill it. */
struct listen_options {
    const char *format, *path;
    bool force, pretty, map_symbols, envelope, five, control;
};
extern const struct option listen_rows[];

/* And when it stops, of drain and tap. */
struct listen_stop {
    uint64_t count, timeout_ns, wait_ns; /* 0: never, and no wait */
    bool digest;
};
extern const struct option listen_stop_rows[];

struct listener {
    struct output *output;
    struct lore *lore;
    struct tdk_digest *digest; /* NULL: nobody wants it */
    struct tdk_frame *copy;    /* one frame, for a digest over times that a play shifted */
    uint32_t payload_max;
    uint64_t ticks;
    uint64_t epoch;    /* of track 0 */
    uint64_t next_seq; /* of track 0; 0: not known yet */
    uint64_t lost;     /* LOSS frames told, or seq left out */
    struct tdk_end end;
    bool ended; /* END came */
    bool gone;  /* nobody reads what we put out */
    /* Frames that are still to be put out. */
    const struct tdk_frame *run;
    size_t run_size;
    uint16_t run_number;
};

/* Wrong options are TDK_EVALUE or -EEXIST: exit 2. */
int listener_open(struct listener *listener, const struct listen_options *options,
                  const struct tdk_ring *ring, bool digest, struct tdk_err *err);
void listener_close(struct listener *listener);

/* One frame whose head has been checked; borrowed until the next listener_flush(). */
int listener_take(struct listener *listener, const struct tdk_frame *frame, struct tdk_err *err);

/* Put out what has been taken, out of the program too with `through`. */
int listener_flush(struct listener *listener, bool through, struct tdk_err *err);

/* The reader was overtaken, and what it had taken is flushed: it goes on where it stands now. */
void listener_overtaken(struct listener *listener, const struct tdk_ring *ring);

/* The exit status of the output's failure: wrong usage or failed. Says it. */
int listener_fail(const struct tdk_err *err);

#endif
