/*
 * bench_disk.h - what the disk itself takes, to hold the recorder against.
 *
 * As the recorder writes and with nothing around it: one file allocated ahead, 1 MiB at a time past
 * the page cache, so many in flight, a sync behind each 16 MiB while writes go on, and at most 64
 * MiB that are not synced.
 */
#ifndef TDK_CLI_BENCH_DISK_H
#define TDK_CLI_BENCH_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

#define BENCH_DISK_BUFFERS_MAX 64u

/* Where the bytes come from. */
struct bench_source {
    unsigned buffers; /* of 1 MiB, each with a thread of its own; 8 are being written at a time */
    /* Those from `at` on, in order, one call at a time; behind the last ones what it likes. Not 0
     * ends it. */
    int (*fill)(void *context, uint64_t at, unsigned char *bytes, size_t size);
    /* Are they those? NULL: nobody asks. */
    int (*check)(void *context, uint64_t at, const unsigned char *bytes, size_t size);
    void *context;
};

/* Until `size` bytes are durable in a file of `folder`, which is removed again. `source`: NULL, it
 * does not matter what they are. Of a file system that knows no O_DIRECT: -EINVAL. */
int bench_disk(const char *folder, uint64_t size, const struct bench_source *source,
               uint64_t *elapsed_ns, struct tdk_err *err);

#endif
