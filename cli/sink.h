/*
 * sink.h - where output goes: stdout, or a file that is there whole or not at all.
 *
 * A file is written beside its place under a temporary name, synced, and renamed; what is not
 * finished is taken away. What is not a regular file (a FIFO, /dev/null) is written to as it is.
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
    bool force;       /* what is there by then is replaced, too */
};

/* PATH NULL or "-": stdout. `binary` to a terminal: TDK_EVALUE. A regular file that is there:
 * -EEXIST unless `force`. A sink that is not open has fd -1. */
int sink_open(struct sink *sink, const char *path, bool binary, bool force, struct tdk_err *err);

/* All of it. -EPIPE: nobody reads any more; err is set for that too, but it is no failure. */
int sink_write(struct sink *sink, const void *bytes, size_t size, struct tdk_err *err);

int sink_finish(struct sink *sink, struct tdk_err *err);
void sink_close(struct sink *sink); /* fine twice */

#endif
