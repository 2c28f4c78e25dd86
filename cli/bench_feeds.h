/*
 * bench_feeds.h - producers for benches. Each is a process with its own ring, "bench-PID-N".
 *
 * The payload of each tick contains its number, so a tick can be checked wherever it comes out.
 */
#ifndef TDK_CLI_BENCH_FEEDS_H
#define TDK_CLI_BENCH_FEEDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/histogram.h"
#include "tapedeck/err.h"
#include "tapedeck/tick.h"

#define BENCH_FEEDS_MAX   64u
#define BENCH_FEEDS_BURST 64u /* ticks for each publish */

struct tdk_ring;

struct bench_feeds {
    unsigned rings;         /* and as many producers */
    uint64_t count;         /* ticks for each ring */
    uint32_t size;          /* bytes of a payload, a multiple of 8 */
    uint64_t rate;          /* ticks a second; 0: as fast as there is room */
    struct histogram *cost; /* with a rate: ns of each publish; shared with the producers */
    /* set while running */
    pid_t producers[BENCH_FEEDS_MAX];
    int ready[2], go[2]; /* pipes: each ready producer writes a byte; closing `go` starts them */
};

/* The name of ring `i` of the calling process. Returns `name`. */
char *bench_feed_name(char name[32], unsigned i);

int bench_feeds_make_rings(const struct bench_feeds *feeds, uint64_t capacity, struct tdk_err *err);
void bench_feeds_remove_rings(const struct bench_feeds *feeds);

/* Publish ticks from number `from` on, with one publish, when there is room. False: interrupted, or
 * the ring's consumer breaks the rules. */
bool bench_feeds_publish(struct tdk_ring *ring, const struct bench_feeds *feeds, uint64_t from,
                         uint64_t count);

/* Start the producers. When this returns they are attached, have touched their rings' pages, and
 * have begun at *begin_ns, just before. */
int bench_feeds_start(struct bench_feeds *feeds, uint64_t *begin_ns, struct tdk_err *err);

/* Is every tick in its ring? */
bool bench_feeds_published(const struct bench_feeds *feeds);

/* Wait until they have ended. TDK_EFULL: a tick found no room. */
int bench_feeds_end(struct bench_feeds *feeds, struct tdk_err *err);

/* Is this frame, judging by its number, what was published? */
bool bench_feeds_made(const struct bench_feeds *feeds, const struct tdk_frame *frame);

#endif
