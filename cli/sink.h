/*
 * sink.h - where output goes: stdout, or a file that appears whole or not at all.
 *
 * A file is written in its own directory under a temporary name, synced, and renamed. If it is not
 * finished it is removed. What is not a regular file (a FIFO, /dev/null) is written to directly.
 * One thread.
 */
#ifndef TDK_CLI_SINK_H
#define TDK_CLI_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "tapedeck/err.h"

struct sink {
    int fd;
    const char *path; /* borrowed; NULL: stdout */
    char *temporary;  /* what to rename or remove; NULL: nothing */
    bool force;       /* also replaces what has appeared there meanwhile */
};

/* `path` NULL or "-": stdout. TDK_EVALUE: `binary`, and it is a terminal. -EEXIST: a regular file
 * exists, and `force` is false. A sink that is not open has fd -1. */
int sink_open(struct sink *sink, const char *path, bool binary, bool force, struct tdk_err *err);

/* Write all of it. -EPIPE: nobody reads any more. err is set for that, too, but it is no
 * failure. */
int sink_write(struct sink *sink, const void *bytes, size_t size, struct tdk_err *err);

int sink_finish(struct sink *sink, struct tdk_err *err);
void sink_close(struct sink *sink); /* may be called twice */

#endif
