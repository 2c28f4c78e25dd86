/*
 * lease.h - which segments are still needed: locks on ranges of TAPE/leases, one byte for each
 * segment.
 *
 * A running reader holds a shared lock on the numbers that it may still read. To delete a segment,
 * one has to lock its byte exclusively; otherwise the segment is left for the next time. Whoever
 * changes the row of segments (retention, moving, a writer that starts) holds byte 0, one at a
 * time. The locks belong to the open file: they are gone when their holder dies, work across pid
 * namespaces, and a reader needs no permission to write. A tape without the file (which this
 * version always makes), or on a disk that knows no locks, is read without a lease.
 *
 * A struct leases belongs to one tape of one process, and its threads may use it. A forked child
 * opens the file for itself, because through its parent's it would give back what the parent still
 * reads.
 */
#ifndef TDK_TAPE_LEASE_H
#define TDK_TAPE_LEASE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tape/folder.h"

struct lease {
    uint64_t first, last; /* numbers of segments; first 0: none */
    struct lease *next;   /* under leases->lock */
};

struct leases {
    const struct folder *folder; /* borrowed */
    int fd;                      /* -1: leases are not possible */
    pid_t pid;                   /* of the process that opened it */
    pthread_mutex_t lock;
    struct lease
        *all; /* of this process: to give one back must not unlock what others still need */
};

void leases_init(struct leases *leases);
void leases_open(struct leases *leases, const struct folder *folder); /* for reading; never fails */
void leases_close(struct leases *leases);

/* Keep segments first to last from being deleted until lease_give(). The caller owns `lease`, which
 * must stay where it is. */
void lease_take(struct leases *leases, struct lease *lease, uint64_t first, uint64_t last);
void lease_give(struct leases *leases, struct lease *lease); /* fine for one that was never taken */

/* ---- the other side ---- */

/* Get the right to change the row of segments. Waits at most `wait_ms` for another holder.
 * TDK_EBUSY. */
int leases_hold_row(int *fd, const struct folder *folder, unsigned wait_ms, struct tdk_err *err);
void leases_give_row(int fd); /* -1 is fine; also gives back what leases_claim() got */

/* Does somebody read this segment? Takes no lock. */
bool leases_is_taken(const struct leases *leases, uint64_t segment);

/* Claim a segment for deletion. True: nobody reads it, and nobody will begin to before the row is
 * given back. */
bool leases_claim(int fd, uint64_t segment);

#endif
