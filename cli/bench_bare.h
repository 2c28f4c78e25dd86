/*
 * bench_bare.h - the smallest possible recorder, to show what this machine allows even the best
 * one.
 *
 * A producer in a process of its own fills a piece of shared memory, round and round, and says how
 * far it is. This process copies the bytes out, sums them on the way, and writes and syncs them as
 * bench_disk() does. There is no ring, block, directory, index or event loop: what the recorder
 * needs beyond this is its own cost.
 */
#ifndef TDK_CLI_BENCH_BARE_H
#define TDK_CLI_BENCH_BARE_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

/* Run until `size` bytes, out of `room` bytes of shared memory, are durable in a file in `folder`.
 * The file is read back and removed. TDK_ECORRUPT: it is not what was produced. `burst`: bytes that
 * become visible at once. Sizes are multiples of 8. -EINVAL: a file system without O_DIRECT. */
int bench_bare(const char *folder, uint64_t size, size_t room, size_t burst, uint64_t *elapsed_ns,
               struct tdk_err *err);

#endif
