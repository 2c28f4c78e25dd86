/*
 * missing.h - segments that should be in a tape's row and are not.
 *
 * Numbers have no holes but for what was deleted on purpose. What a missing segment held its
 * neighbours' seqs tell only where an epoch goes on behind it; of a whole epoch, as an import is,
 * and of an epoch's end, nothing is left but the number. Not thread-safe.
 */
#ifndef TDK_TAPE_MISSING_H
#define TDK_TAPE_MISSING_H

#include <stddef.h>
#include <stdint.h>

#include "tape/folder.h"
#include "tape/retired.h"

/* Numbers first to last. */
struct missing_range {
    uint64_t first, last;
};

/* Ascending, none touches the next. All zeros: nothing is missing. */
struct missing {
    struct missing_range *items;
    size_t count, room;
};

/* What is missing in front of segment `end`, from `next` on (the number behind the one before it).
 * To be called in order. `retired` may be NULL: nothing was. -ENOMEM. */
int missing_look(struct missing *missing, const struct folder *folder,
                 const struct retired *retired, uint64_t next, uint64_t end);

/* The last sealed file, if nothing of it can be read; 0. Where nobody has marked how far the row
 * went, as behind a crash, this tells. */
uint64_t missing_last(const struct folder *folder);

void missing_close(struct missing *missing);

#endif
