/* rings.h - a rings directory of the test's own under /dev/shm, which is removed completely. */
#ifndef TDK_TESTS_RINGS_H
#define TDK_TESTS_RINGS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tapedeck/ring.h"

#define RINGS_FOLDER_SIZE 40

/* Make the directory and point $TAPEDECK_RINGS at it. 0 or -1. */
static inline int rings_open(char folder[RINGS_FOLDER_SIZE])
{
    snprintf(folder, RINGS_FOLDER_SIZE, "/dev/shm/tapedeck-test-XXXXXX");
    return mkdtemp(folder) != NULL ? setenv("TAPEDECK_RINGS", folder, 1) : -1;
}

static inline int rings_remove_one(const char *name, void *context)
{
    (void)context;
    return tdk_ring_remove(name, true, NULL);
}

/* The next tick or control frame that is not the ring's own EPOCH. */
static inline const struct tdk_frame *rings_next(struct tdk_ring *consumer)
{
    const struct tdk_frame *frame = tdk_ring_next(consumer);
    while (frame != NULL && frame->type == TDK_TYPE_EPOCH)
        frame = tdk_ring_next(consumer);
    return frame;
}

/* Detach everything first. 0 or -1. */
static inline int rings_close(const char *folder)
{
    int rc = tdk_ring_list(rings_remove_one, NULL, NULL);
    return rmdir(folder) == 0 && rc == 0 ? 0 : -1;
}

#endif
