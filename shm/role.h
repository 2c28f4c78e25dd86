/*
 * role.h - who is at a ring: one producer, one consumer, up to 64 counted taps.
 *
 * A role is a lock on one byte of the ring's file (an "open file description" lock: fcntl
 * F_OFD_SETLK). It dies with its holder, however that dies, and means the same in every container;
 * a pid would do neither. A process that forks without exec shares its role with the child.
 *
 *   byte 0   the producer       write lock
 *        1   the consumer       write lock
 *   2..65    a tap each         read lock: taps open the file for reading only
 */
#ifndef TDK_SHM_ROLE_H
#define TDK_SHM_ROLE_H

#include <stdbool.h>

#include "tapedeck/ring.h"

#define ROLE_TAPS 64

/* 0; TDK_EBUSY: a living process has it; -errno. A tap that finds no free byte is not counted, and
 * never refused. */
int role_take(int fd, enum tdk_ring_role role);

/* Does somebody else have it? "Else": not through this very descriptor. */
bool role_is_taken(int fd, enum tdk_ring_role role);

unsigned role_count_taps(int fd);

#endif
