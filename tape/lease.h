/*
 * lease.h - who still needs which segments: locks on ranges of TAPE/leases, a byte a segment.
 *
 * A running reader holds a shared lock on the numbers that it may yet read; who deletes a segment
 * takes that byte for itself, or leaves the segment for the next time. Byte 0 is held by whoever
 * changes the row of segments (retention, moving, a writer that starts), one at a time. The locks
 * are the open file's: they die with their holder, work across pid namespaces, and a reader needs
 * no right to write. A tape without the file (none that this version has written) or on a disk that
 * knows no locks is read without a lease.
 *
 * A struct leases belongs to one tape of one process and may be used by its threads. A forked child
 * opens the file for itself: on its parent's it would give back what the parent still reads.
 */
#ifndef TDK_TAPE_LEASE_H
#define TDK_TAPE_LEASE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tape/folder.h"

struct lease {
    uint64_t first, last; /* segments; first 0: none */
    struct lease *next;   /* under leases->lock */
};

struct leases {
    const struct folder *folder; /* borrowed */
    int fd;                      /* -1: there are none to be had */
    pid_t pid;                   /* of the process that opened it */
    pthread_mutex_t lock;
    struct lease *all; /* those of this process: ranges of one open file would else swallow each
                          other */
};

void leases_init(struct leases *leases);
void leases_open(struct leases *leases, const struct folder *folder); /* for reading; never fails */
void leases_close(struct leases *leases);

/* Segments first to last are needed until lease_give(). `lease` is the caller's, and stays. */
void lease_take(struct leases *leases, struct lease *lease, uint64_t first, uint64_t last);
void lease_give(struct leases *leases, struct lease *lease); /* one never taken is fine */

/* ---- the other side ---- */

/* The row of segments is ours to change; waits so long for another. TDK_EBUSY. */
int leases_hold_row(int *fd, const struct folder *folder, unsigned wait_ms, struct tdk_err *err);
void leases_give_row(int fd); /* -1 is fine; what leases_claim() got goes too */

/* Does somebody read this segment? Asked without taking anything. */
bool leases_is_taken(const struct leases *leases, uint64_t segment);

/* Does nobody read this segment? True: nobody will begin to, before the row is given back. */
bool leases_claim(int fd, uint64_t segment);

#endif
