/*
 * sealer.h - the recorder packs its own sealed segments when it has nothing better to do.
 *
 *   LOOKING -> PACKING (both on a thread of its own) -> PACKED -> SWITCHING (the journal) -> IDLE
 *
 * It packs one segment of its share at a time, the oldest first, on a nice thread of its own, so
 * that compression never takes a thread from the pool that writes. It holds still while the
 * recorder is behind. A segment that cannot be packed stays as it was, and is tried again only when
 * somebody asks for it. If the recorder dies at any instant, one of the two files is there and
 * whole, and the next start goes on from that (tape/seal.h). All calls are for the loop's thread.
 */
#ifndef TDK_RECORDER_SEALER_H
#define TDK_RECORDER_SEALER_H

#include <stdatomic.h>

#include "recorder/journal.h"
#include "tape/seal.h"

struct sealer_options {
    bool automatic;    /* false: only on request */
    uint64_t after_ns; /* how long a segment has been sealed before it is packed */
    int level;         /* of zstd */
    /* It packs the segments whose number modulo `shares` is `share`. 0 shares: all of them. */
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
    uv_async_t woken; /* signals that the thread has finished its work */
    uv_thread_t thread;
    enum sealer_state state;
    bool closed;
    uint64_t look_ns; /* not before */
    uint64_t calm_ns; /* since when the recorder has not been behind; 0: it is */

    /* ---- what is looked for ---- */
    uint64_t from; /* segments below this number had their turn */
    bool asked;    /* somebody wants these segments packed, whatever their age: */
    uint64_t asked_first, asked_last;
    bool asked_anew, for_asked; /* since the work began; the work is for those */

    /* ---- the work: belongs to the thread until it is done ---- */
    struct sealing sealing;
    uint64_t first, last, older_ns; /* numbers; sealed before this time */
    uint64_t number, size;          /* 0: there is nothing to do */
    int status;
    struct tdk_err err;

    /* ---- shared by both ---- */
    _Atomic bool paused, stop, returned;
    _Atomic uint64_t segment, read, total; /* being packed (0: none); bytes read, of so many */
    _Atomic uint64_t left, left_bytes;     /* to be packed by the last look, including this one */

    struct sealer_totals totals;
};

void sealer_init(struct sealer *sealer, uv_loop_t *loop, struct recovered *tape,
                 struct journal *journal, const struct sealer_options *options);

/* To be called a few times a second. `behind`: hold still. */
void sealer_tend(struct sealer *sealer, uint64_t now_ns, bool behind);

/* Pack the segments from first to last (0: to the end) that are sealed now, including those that
 * failed before. */
void sealer_ask(struct sealer *sealer, uint64_t first, uint64_t last);

/* Give up what is under way; sealer_is_idle() says when that is done. */
void sealer_stop(struct sealer *sealer);
bool sealer_is_idle(const struct sealer *sealer);

/* "off", "idle", "packing", "paused" */
const char *sealer_state_text(const struct sealer *sealer);

/* Close the handle; free it after the loop has ended. If the thread hangs on the disk for seconds,
 * the process ends all the same, and the next start goes on with what it leaves. */
void sealer_close(struct sealer *sealer);
void sealer_free(struct sealer *sealer);

#endif
