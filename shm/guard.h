/*
 * guard.h - which memory others may cut the file of, a ring's or a clock page's: that kills nobody.
 *
 * Mappings are entered when they are made and taken out before they go, once for each handle that
 * looks through them; what happens on a fault is told in guard.c, and only after tdk_ring_guard().
 */
#ifndef TDK_SHM_GUARD_H
#define TDK_SHM_GUARD_H

#include <stddef.h>

/* `mark` (borrowed until it is removed; NULL: nobody asks) then says why: its file was cut. */
void guard_add(void *base, size_t size, const char **mark);
void guard_remove(const void *base, const char **mark);

#endif
