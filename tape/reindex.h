/*
 * reindex.h - build the index of a tape anew from its segments, on request.
 *
 * Takes the tape's lock. Segments are read, not changed: what a dead writer left unsealed or torn
 * stays for the next writer's recovery. Dying in the middle leaves an index that nobody trusts.
 */
#ifndef TDK_TAPE_REINDEX_H
#define TDK_TAPE_REINDEX_H

#include "tape/rebuild.h"

struct reindex_options {
    void (*found)(const char *text, void *context);                       /* damage, in words */
    void (*progress)(const struct rebuild_totals *totals, void *context); /* after each segment */
    void *context;
};

/* *damaged: the number of things that could not be read from the segments. TDK_EBUSY, TDK_ENOTAPE,
 * -ENOENT ... */
int tape_reindex(const char *path, const struct reindex_options *options,
                 struct rebuild_totals *totals, uint64_t *damaged, struct tdk_err *err);

#endif
