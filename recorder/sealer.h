/*
 * sealer.h - the recorder packs its own sealed segments, when it has nothing better to do.
 *
 *   LOOKING -> PACKING (both on a thread of its own) -> PACKED -> SWITCHING (the journal) -> IDLE
 *
 * One segment of its share at a time, the oldest first, on a nice thread: compression never has a
 * thread of the pool that writes. It holds still while the recorder is behind. A segment that
 * cannot be packed stays as it was and is not tried again before somebody asks. Dying at any
 * instant leaves either file, and the next start goes on from there (tape/seal.h). The loop's
 * thread, but for the work.
 */
#ifndef TDK_RECORDER_SEALER_H
#define TDK_RECORDER_SEALER_H

#include <stdatomic.h>

#include "recorder/journal.h"
#include "tape/seal.h"

struct sealer_options {
    bool automatic;    /* else only when it is asked to */
    uint64_t after_ns; /* how long a segment has been sealed before it is packed */
    int level;         /* of zstd */
    /* It has the segments whose number modulo `shares` is `share`. 0 shares: all of them. */
    unsigned share, shares;
};

enum sealer_state { SEALER_IDLE, SEALER_WORKING, SEALER_PACKED, SEALER_SWITCHING };

/* Since the start. */
struct sealer_totals {
    uint64_t segments, failed, ticks, bytes_before, bytes_after;
};

struct sealer {
    uv_loop_t *loop;         /* borrowed */
    struct recovered *tape;  /* borrowed */
    struct journal *journal; /* borrowed */
    struct sealer_options options;
    uv_async_t woken; /* the thread is done with its work */
    uv_thread_t thread;
    enum sealer_state state;
    bool closed;
    uint64_t look_ns; /* not before */
    uint64_t calm_ns; /* since when the recorder is not behind; 0: it is */

    /* ---- what is looked for ---- */
    uint64_t from; /* numbers below had their turn */
    bool asked;    /* somebody wants these packed, whatever their age: */
    uint64_t asked_first, asked_last;
    bool asked_anew, for_asked; /* since the work began; the work is for that */

    /* ---- the work: the thread's until it is done ---- */
    struct sealing sealing;
    uint64_t first, last, older_ns; /* numbers; sealed before this time */
    uint64_t number, size;          /* 0: there was nothing to do */
    int status;
    struct tdk_err err;

    /* ---- between both ---- */
    _Atomic bool paused, stop, returned;
    _Atomic uint64_t segment, read, total; /* being packed; of its bytes. 0: none */
    _Atomic uint64_t left, left_bytes;     /* found by the last look, this one too */

    struct sealer_totals totals;
};

void sealer_init(struct sealer *sealer, uv_loop_t *loop, struct recovered *tape,
                 struct journal *journal, const struct sealer_options *options);

/* A few times a second; `behind`: it is to hold still. */
void sealer_tend(struct sealer *sealer, uint64_t now_ns, bool behind);

/* Pack what is sealed now, numbers first to last (0: to the end), also what failed before. */
void sealer_ask(struct sealer *sealer, uint64_t first, uint64_t last);

/* Give up what is under way; sealer_is_idle() says when that is done. */
void sealer_stop(struct sealer *sealer);
bool sealer_is_idle(const struct sealer *sealer);

/* "off", "idle", "packing", "paused" */
const char *sealer_state_text(const struct sealer *sealer);

/* Its handle closes; then, when the loop has ended, free. A thread that hangs on the disk for
 * seconds ends the process: what it leaves the next start takes up. */
void sealer_close(struct sealer *sealer);
void sealer_free(struct sealer *sealer);

#endif
