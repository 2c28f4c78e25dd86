/*
 * lock.h - lock a file or folder that others lock for a moment, too.
 *
 * Anybody who may read it may have locked it, even the process that started us and waits for us. So
 * we wait for the lock, but not for ever. Any thread. The lock ends with its descriptor.
 */
#ifndef TDK_BASE_LOCK_H
#define TDK_BASE_LOCK_H

#include <stdint.h>

/* 0: the lock is ours alone. -EWOULDBLOCK: another had it all the time. Another -errno: locks do
 * not work there. */
int lock_wait(int fd, uint64_t patience_ns);

#endif
