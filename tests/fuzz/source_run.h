/* source_run.h - read a whole file through a source, from memory. Fuzzers of file formats share
 * this. */
#ifndef TDK_TESTS_FUZZ_SOURCE_RUN_H
#define TDK_TESTS_FUZZ_SOURCE_RUN_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/source.h"

static inline void ignore(const char *text, bool loss, void *context)
{
    (void)text;
    (void)loss;
    (void)context;
}

static inline void read_source(const char *path, const struct source_options *options)
{
    struct source *source;
    struct source_item item;
    struct tdk_err err;
    if (source_open(&source, path, options, &err) < 0)
        return;
    for (;;) {
        int rc = source_next(source, &item, &err);
        assert(rc <= 1);
        if (rc != 1 && rc != TDK_EVALUE)
            break;
        assert(rc != 1 || item.size <= options->payload_max);
    }
    assert(source_next(source, &item, &err) == 0);
    source_passed_over(source, ignore, NULL);
    source_close(source);
}

/* Read the bytes as each of these kinds. */
static inline void source_run(const uint8_t *bytes, size_t size,
                              const struct source_options *options, size_t count)
{
    char path[64];
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (size_t i = 0; i < count; i++)
        read_source(path, &options[i]);
    close(fd);
}

#endif
