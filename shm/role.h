/*
 * role.h - who is at a ring: one producer, one consumer, up to 64 counted taps.
 *
 * A role is a lock on one byte of the ring's file (an "open file description" lock: fcntl
 * F_OFD_SETLK). The lock is gone when its holder dies, however that dies, and it means the same in
 * every container; a pid does neither. A process that forks without exec shares its role with the
 * child.
 *
 *   byte 0   the producer       write lock
 *        1   the consumer       write lock
 *   2..65    a tap each         read lock, because taps open the file for reading only
 */
#ifndef TDK_SHM_ROLE_H
#define TDK_SHM_ROLE_H

#include <stdbool.h>

#include "tapedeck/ring.h"

#define ROLE_TAPS 64

/* Take the role. TDK_EBUSY: a living process has it. -errno. A tap is never refused: if it finds no
 * free byte it is only not counted. */
int role_take(int fd, enum tdk_ring_role role);

/* Does somebody hold the role through another descriptor than this one? */
bool role_is_taken(int fd, enum tdk_ring_role role);

unsigned role_count_taps(int fd);

#endif
