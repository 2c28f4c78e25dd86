/* logged.h - what is written to stderr meanwhile, kept for the test to look at. */
#ifndef TDK_TESTS_LOGGED_H
#define TDK_TESTS_LOGGED_H

#include "tests/support/check.h"

#include <sys/mman.h>
#include <unistd.h>

struct logged {
    int stderr_fd, file; /* the one put aside, and what stands in for it */
    char text[8192];
};

static inline void logged_begin(struct logged *logged)
{
    logged->stderr_fd = dup(STDERR_FILENO);
    logged->file = memfd_create("log", MFD_CLOEXEC);
    assert_true(logged->stderr_fd >= 0 && logged->file >= 0);
    dup2(logged->file, STDERR_FILENO);
}

/* All of it, as far as there is room; good until the next begin. */
static inline const char *logged_end(struct logged *logged)
{
    dup2(logged->stderr_fd, STDERR_FILENO);
    close(logged->stderr_fd);
    ssize_t n = pread(logged->file, logged->text, sizeof logged->text - 1, 0);
    close(logged->file);
    assert_true(n >= 0);
    logged->text[n] = '\0';
    return logged->text;
}

#endif
