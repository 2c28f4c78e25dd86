/*
 * taping.h - small tapes for tests: made by appending, examined through their files.
 *
 * Every failure fails the calling test, so there is no result that a test could forget to check.
 */
#ifndef TDK_TESTS_TAPING_H
#define TDK_TESTS_TAPING_H

#include "tests/support/folder.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "tape/append.h"
#include "tape/rebuild.h"
#include "tape/segment.h"

#define TAPING_NOW UINT64_C(1700000000000000000)

/* Fail with the error's text. */
static inline void taping_ok(int rc, const struct tdk_err *err)
{
    if (rc < 0)
        fail_msg("%d: %s", rc, err->text);
}

static inline struct append *taping_open(const char *path, uint32_t block_size,
                                         uint64_t segment_size)
{
    struct append *append;
    struct tdk_err err;
    const struct append_options options = {
        .block_size = block_size, .segment_size = segment_size, .payload_max = 4096};
    taping_ok(append_open(&append, path, &options, &err), &err);
    return append;
}

/* Append `count` ticks of 40 bytes, each 1 ns after the last. */
static inline void taping_ticks(struct append *append, const char *track, unsigned count)
{
    struct tdk_err err;
    unsigned char payload[40] = {0};
    taping_ok(append_begin(append, track, TDK_KIND_OPAQUE, &err), &err);
    for (unsigned i = 0; i < count; i++) {
        memcpy(payload, &i, sizeof i);
        taping_ok(
            append_tick(append, TDK_TYPE_OPAQUE, 0, TAPING_NOW + i, payload, sizeof payload, &err),
            &err);
    }
}

static inline void taping_close(struct append *append)
{
    struct tdk_err err;
    taping_ok(append_close(append, NULL, &err), &err);
}

/* Make a tape with one track of this many ticks. */
static inline void taping_make(const char *path, unsigned count, uint32_t block_size,
                               uint64_t segment_size)
{
    struct append *append = taping_open(path, block_size, segment_size);
    taping_ticks(append, "t", count);
    taping_close(append);
}

static inline void taping_path(const char *tape, uint64_t number, const char *suffix,
                               char path[128])
{
    snprintf(path, 128, "%s/segments/%010llu%s", tape, (unsigned long long)number, suffix);
}

/* Load all of a file into memory, malloc'ed; or write it back. */
static inline unsigned char *taping_load(const char *path, size_t *size)
{
    struct stat stat_of;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &stat_of), 0);
    *size = (size_t)stat_of.st_size;
    unsigned char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, *size), (ssize_t)*size);
    close(fd);
    return bytes;
}

static inline void taping_store(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

/* Flip a bit of the byte there. */
static inline void taping_flip(const char *path, uint64_t offset)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
}

/* Let the list of states behind a sealed segment's catalogue rot. */
static inline void taping_break_states(const char *tape, uint64_t number)
{
    char path[128];
    size_t size;
    struct segment_foot foot;
    taping_path(tape, number, ".seg", path);
    unsigned char *bytes = taping_load(path, &size);
    memcpy(&foot, bytes + size - sizeof foot, sizeof foot);
    assert_true(foot.states_size > 0);
    bytes[foot.end + foot.table_size + foot.catalog_size] ^= 1;
    taping_store(path, bytes, size);
    free(bytes);
}

#endif
