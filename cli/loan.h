/*
 * loan.h - a command's ring in memory, lent to a recorder: lent again when that one ends.
 *
 * Between two recorders the ring fills, and nothing is lost: the next one goes on where the last
 * one's tape ends. One thread.
 */
#ifndef TDK_CLI_LOAN_H
#define TDK_CLI_LOAN_H

#include "tapedeck/client.h"
#include "tapedeck/ring.h"

struct loan {
    const char *address; /* borrowed; NULL: nothing is lent */
    const char *name;
    const struct tdk_ring *ring; /* borrowed: it must outlive the loan */
    struct tdk_client *client;   /* NULL: nobody has it */
    uint64_t asked_ns;
};

/* Lend it, waiting `wait_ns` at most for somebody to take it. */
int loan_open(struct loan *loan, const struct tdk_ring *ring, const char *name, const char *address,
              uint64_t wait_ns, struct tdk_err *err);

/* Is somebody still there? To be called whenever there is time: it asks twice a second at most. */
void loan_tend(struct loan *loan);

/* Wait until all that was published is taken, or an interrupt; false: the rest goes with us. */
bool loan_settle(struct loan *loan);

void loan_close(struct loan *loan);

#endif
