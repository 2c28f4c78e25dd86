/*
 * ring_state.h - how a recorder stands to a ring: the values of its counter ring_state.
 *
 * Monitors depend on the numbers (docs/counters.md): a new one is added at the end.
 */
#ifndef TDK_SHM_RING_STATE_H
#define TDK_SHM_RING_STATE_H

enum ring_state {
    RING_WAITING,     /* there is no such ring yet */
    RING_HELD,        /* another process consumes it */
    RING_ATTACHED,    /* it is recorded */
    RING_QUARANTINED, /* it breaks the rules, and is left alone */
    RING_DETACHED,    /* the recorder was told to detach from it */
    RING_REFUSED,     /* it cannot be made or opened: no room, no permission */
};

#endif
