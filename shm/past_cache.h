/*
 * past_cache.h - copy into a ring by whole lines that go straight to memory.
 *
 * No line has to be taken away from the other side's processor, which may still have what it read
 * there a lap ago. The other side then reads from memory.
 */
#ifndef TDK_SHM_PAST_CACHE_H
#define TDK_SHM_PAST_CACHE_H

#include <stddef.h>

/* `to` is aligned to 8 bytes. Whoever sees any of these bytes also sees what was stored before, and
 * whoever sees something that is stored afterwards also sees these bytes. On processors without
 * such stores it is an ordinary copy. */
void past_cache_copy(void *to, const void *from, size_t bytes);

#endif
