/*
 * bench_bare.h - the least that a recorder can be: what the machine gives to the best of them.
 *
 * A producer in a process of its own fills a piece of shared memory, round and round, and says how
 * far it is; here what is in it is copied out, summed in passing, and written and synced as
 * bench_disk() does. No ring, no block, no directory, no index, no loop of events: what the
 * recorder has beside this is its own.
 */
#ifndef TDK_CLI_BENCH_BARE_H
#define TDK_CLI_BENCH_BARE_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

/* Until `size` bytes out of `room` bytes of shared memory are durable in a file of `folder`, which
 * is read back and removed again: TDK_ECORRUPT, it is not what was produced. `burst`: bytes that
 * become visible at once. Sizes are multiples of 8. Of a file system that knows no O_DIRECT:
 * -EINVAL. */
int bench_bare(const char *folder, uint64_t size, size_t room, size_t burst, uint64_t *elapsed_ns,
               struct tdk_err *err);

#endif
