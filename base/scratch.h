/*
 * scratch.h - memory for what is made anew each time.
 *
 * It grows to the most that was ever needed, and what was in it is not kept when it grows. All
 * zeros is an empty one.
 */
#ifndef TDK_BASE_SCRATCH_H
#define TDK_BASE_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

struct scratch {
    unsigned char *bytes; /* ours */
    size_t room;
};

/* Make room for `size` bytes. False: no memory, and there is no room at all any more. */
bool scratch_need(struct scratch *scratch, size_t size);

/* The same, and what there is begins and ends at a multiple of `align`, a power of two: as O_DIRECT
 * wants it. Ask for one scratch always in the same way. */
bool scratch_need_aligned(struct scratch *scratch, size_t align, size_t size);

void scratch_close(struct scratch *scratch); /* empty again; fine twice */

#endif
