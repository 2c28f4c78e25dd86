/*
 * bench_disk.h - what the disk itself takes, to hold the recorder against.
 *
 * As the recorder writes and with nothing around it: one file allocated ahead, 1 MiB at a time past
 * the page cache, so many in flight, a sync behind each 16 MiB while writes go on, and at most 64
 * MiB that are not synced.
 */
#ifndef TDK_CLI_BENCH_DISK_H
#define TDK_CLI_BENCH_DISK_H

#include <stdint.h>

#include "tapedeck/err.h"

/* Until `size` bytes are durable in a file of `folder`, which is removed again. Of a file system
 * that knows no O_DIRECT: -EINVAL. */
int bench_disk(const char *folder, uint64_t size, uint64_t *elapsed_ns, struct tdk_err *err);

#endif
