/*
 * guard.h - mappings of files that others may cut short, such as rings and clock pages: a process
 * that reads one survives that.
 *
 * Each handle enters its mapping when it makes it, and takes it out before it unmaps it. guard.c
 * says what happens on a fault. Nothing does before tdk_ring_guard() was called.
 */
#ifndef TDK_SHM_GUARD_H
#define TDK_SHM_GUARD_H

#include <stddef.h>

/* If the file is cut, *mark says so from then on. `mark` is borrowed until the mapping is removed;
 * NULL: nobody asks. */
void guard_add(void *base, size_t size, const char **mark);
void guard_remove(const void *base, const char **mark);

#endif
