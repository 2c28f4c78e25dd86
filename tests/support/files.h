/*
 * files.h - files for tests: real market data, and scratch files.
 *
 * Real market data is in $TDK_SHARED/data, by default in ../shared/data next to the project. Where
 * it does not exist, a test that needs it says so and is skipped.
 */
#ifndef TDK_TESTS_FILES_H
#define TDK_TESTS_FILES_H

#include "tests/support/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096

/* The path of NAME in the real data. If it does not exist, the test ends here as skipped. */
static inline void shared_path(char path[PATH_SIZE], const char *name)
{
    const char *shared = getenv("TDK_SHARED"), *source = getenv("TDK_SOURCE_DIR");
    if (shared != NULL)
        snprintf(path, PATH_SIZE, "%s/data/%s", shared, name);
    else
        snprintf(path, PATH_SIZE, "%s/../shared/data/%s", source != NULL ? source : ".", name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: no %s (set TDK_SHARED)\n", path);
        skip();
    }
}

/* Make a file with these bytes; the caller unlinks it. */
static inline void scratch_file(char path[PATH_SIZE], const void *bytes, size_t size)
{
    snprintf(path, PATH_SIZE, "/tmp/tdk-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

/* Read all of a file; malloc'ed, with a NUL after it. */
static inline char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = NULL;
    size_t room = 0;
    for (*size = 0;;) {
        if (room - *size < 65536) {
            bytes = realloc(bytes, room += 1 << 20);
            assert_non_null(bytes);
        }
        size_t n = fread(bytes + *size, 1, room - *size - 1, file);
        if (n == 0)
            break;
        *size += n;
    }
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

#endif
