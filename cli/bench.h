/*
 * bench.h - what `tapedeck bench` is made of: measure a few times, keep the median, show a table.
 *
 * A bench is a row of measures. Each is run once to warm up, which is not counted, then as often as
 * asked; the row shown is the run with the median rate, whole. A measure checks what came through
 * it: figures of a run that lost or changed a tick are never shown. One thread.
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
    const char *only;     /* rows with this in their name; NULL: all */
    const char *baseline; /* path: what an earlier run wrote to a pipe or file; NULL */
    bool json;
};

extern const struct option bench_rows[]; /* `at` is in struct bench_options */

/* One run of one measure. */
struct bench_run {
    uint64_t operations, bytes, elapsed_ns;
    uint64_t p50, p99, p99_9, max; /* ns; all 0: not measured */
};

/* When tick number i (from 0) of so many a second is due. */
static inline uint64_t bench_due_ns(uint64_t begin_ns, uint64_t i, uint64_t rate)
{
    return begin_ns + i / rate * NS_PER_S + i % rate * NS_PER_S / rate;
}

void bench_run_latency(struct bench_run *run, const struct histogram *histogram);

struct bench; /* ours, by out pointer */

int bench_open(struct bench **bench, const struct bench_options *options, struct tdk_err *err);

/* A row, unless it is none of those asked for. Whatever measure() returns other than 0 ends the
 * bench and is returned. `what` is copied. */
int bench_measure(struct bench *bench, const char *what,
                  int (*measure)(void *context, struct bench_run *run, struct tdk_err *err),
                  void *context, struct tdk_err *err);

/* Show the table, unless it failed (rc < 0). Frees. The exit status, after saying why. */
int bench_close(struct bench *bench, int rc, const struct tdk_err *err);

#endif
