/*
 * bench.h - the frame of `tapedeck bench`: measure a few times, keep the median, show a table.
 *
 * A bench consists of measures, one for each row of its table. Each measure is run once to warm up,
 * which does not count, and then as often as asked. Its row shows the run with the median rate,
 * with all of that run's figures. A measure checks what came through it: the figures of a run that
 * lost or changed a tick are never shown. One thread.
 */
#ifndef TDK_CLI_BENCH_H
#define TDK_CLI_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/option.h"
#include "tapedeck/err.h"

struct bench_options {
    uint64_t runs;
    const char *only;     /* only rows with this in their name; NULL: all */
    const char *baseline; /* path of what an earlier run wrote to a pipe or file; NULL: none */
    bool json;
};

extern const struct option bench_rows[]; /* `at` is an offset in struct bench_options */

/* One run of one measure. */
struct bench_run {
    uint64_t operations, bytes, elapsed_ns;
    uint64_t p50, p99, p99_9, max; /* ns; all 0: not measured */
};

/* When tick number i (from 0) is due, at `rate` ticks a second. */
static inline uint64_t bench_due_ns(uint64_t begin_ns, uint64_t i, uint64_t rate)
{
    return begin_ns + i / rate * NS_PER_S + i % rate * NS_PER_S / rate;
}

void bench_run_latency(struct bench_run *run, const struct histogram *histogram);

struct bench; /* ours; comes by out pointer */

int bench_open(struct bench **bench, const struct bench_options *options, struct tdk_err *err);

/* Measure one row, unless only other rows were asked for. If measure() returns anything but 0, that
 * ends the bench and is returned. `what` is copied. */
int bench_measure(struct bench *bench, const char *what,
                  int (*measure)(void *context, struct bench_run *run, struct tdk_err *err),
                  void *context, struct tdk_err *err);

/* Show the table, unless the bench failed (rc < 0). Frees the bench. Returns the exit status, after
 * printing why. */
int bench_close(struct bench *bench, int rc, const struct tdk_err *err);

#endif
