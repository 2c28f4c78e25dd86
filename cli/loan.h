/*
 * loan.h - a command's ring in memory, lent to a recorder, and lent again when that recorder ends.
 *
 * Between two recorders the ring fills, and nothing is lost: the next one goes on where the tape of
 * the last one ends. One thread.
 */
#ifndef TDK_CLI_LOAN_H
#define TDK_CLI_LOAN_H

#include "tapedeck/client.h"
#include "tapedeck/ring.h"

struct loan {
    const char *address; /* borrowed; NULL: nothing is lent */
    const char *name;
    const struct tdk_ring *ring; /* borrowed: it must outlive the loan */
    struct tdk_client *client;   /* NULL: no recorder has the ring */
    uint64_t asked_ns;
};

/* Lend it. Waits at most `wait_ns` for a recorder that takes it. */
int loan_open(struct loan *loan, const struct tdk_ring *ring, const char *name, const char *address,
              uint64_t wait_ns, struct tdk_err *err);

/* Is the recorder still there? If not, lend again. Call it whenever there is time; it asks at most
 * twice a second. */
void loan_tend(struct loan *loan);

/* Wait until all that was published has been taken. False: interrupted; the rest is gone when we
 * exit. */
bool loan_settle(struct loan *loan);

void loan_close(struct loan *loan);

#endif
