/*
 * lock.h - a file's or folder's lock that others have for a moment.
 *
 * Anybody who may read it may have locked it, also who started us and waits for us: so it is waited
 * for, and not for ever. Any thread; gone when the descriptor is.
 */
#ifndef TDK_BASE_LOCK_H
#define TDK_BASE_LOCK_H

#include <stdint.h>

/* 0: ours alone. -EWOULDBLOCK: another had it all the time; another -errno: there are no locks. */
int lock_wait(int fd, uint64_t patience_ns);

#endif
