/*
 * sourcing.h - reads a file to its end through a source, for tests, and keeps what it returned.
 */
#ifndef TDK_TESTS_SOURCING_H
#define TDK_TESTS_SOURCING_H

#include "tests/support/files.h"

#include "formats/source.h"

static const struct source_options defaults = {.payload_max = TDK_PAYLOAD_DEFAULT_MAX};

struct told {
    uint64_t ticks, controls, malformed;
    int rc;             /* from the last call, or from source_open() */
    struct tdk_err err; /* the last failure */
};

static inline struct told read_path(const char *path, const struct source_options *options)
{
    struct told told = {0};
    struct source *source;
    struct source_item item;
    told.rc = source_open(&source, path, options, &told.err);
    if (told.rc < 0)
        return told;
    for (;;) {
        told.rc = source_next(source, &item, &told.err);
        if (told.rc == TDK_EVALUE)
            told.malformed++;
        else if (told.rc != 1)
            break;
        else if (tdk_type_is_control(item.type))
            told.controls++;
        else
            told.ticks++;
    }
    assert_int_equal(source_next(source, &item, NULL), 0); /* after the end it stays ended */
    source_close(source);
    return told;
}

static inline struct told read_bytes(const void *bytes, size_t size,
                                     const struct source_options *options)
{
    char path[PATH_SIZE];
    scratch_file(path, bytes, size);
    struct told told = read_path(path, options);
    unlink(path);
    return told;
}

#endif
