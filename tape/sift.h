/*
 * sift.h - does a tick that is not on the tape yet pass a query?
 *
 * For one epoch of one track, by what the tape knows of its symbols when the sift is opened. One
 * thread at a time.
 */
#ifndef TDK_TAPE_SIFT_H
#define TDK_TAPE_SIFT_H

#include "tape/select.h"

struct sift {
    struct select select;
    struct picks all, here;
};

/* TDK_ENOTRACK, -ENOMEM. A sift that failed to open may be closed. */
int sift_open(struct sift *sift, struct tdk_tape *tape, const struct tdk_query *query,
              const char *track, uint64_t epoch, struct tdk_err *err);
void sift_close(struct sift *sift);

/* For a tick whose payload has been checked: TDK_FLAG_INVALID is set if it is no whole record. */
static inline bool sift_passes(const struct sift *sift, const struct tdk_frame *tick)
{
    return select_passes(&sift->select, sift->select.by_symbol ? &sift->here : NULL, tick);
}

#endif
