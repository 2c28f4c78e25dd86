/*
 * bench_disk.h - how fast the disk itself is, to compare the recorder with.
 *
 * It writes as the recorder does, but with nothing around it: one file allocated ahead, 1 MiB at a
 * time past the page cache, several writes in flight, a sync after each 16 MiB while writes go on,
 * and at most 64 MiB that are not synced.
 */
#ifndef TDK_CLI_BENCH_DISK_H
#define TDK_CLI_BENCH_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "tapedeck/err.h"

#define BENCH_DISK_BUFFERS_MAX 64u

/* What fills the buffers. */
struct bench_source {
    unsigned buffers; /* of 1 MiB, each with its own thread; 8 are being written at a time */
    /* Fill in the bytes from `at` on. Called in order, one call at a time. After the last bytes it
     * may fill in anything. Not 0 ends the bench. */
    int (*fill)(void *context, uint64_t at, unsigned char *bytes, size_t size);
    /* Are these the bytes from `at` on? NULL: no check. */
    int (*check)(void *context, uint64_t at, const unsigned char *bytes, size_t size);
    void *context;
};

/* Run until `size` bytes are durable in a file in `folder`, which is removed again. `source` NULL:
 * it does not matter which bytes. -EINVAL: a file system without O_DIRECT. */
int bench_disk(const char *folder, uint64_t size, const struct bench_source *source,
               uint64_t *elapsed_ns, struct tdk_err *err);

#endif
