/*
 * ring_state.h - what a recorder has of a ring, as its counter ring_state tells.
 *
 * The numbers are what whoever watches goes by (docs/counters.md): new ones come behind the last.
 */
#ifndef TDK_SHM_RING_STATE_H
#define TDK_SHM_RING_STATE_H

enum ring_state {
    RING_WAITING,     /* for it to be there */
    RING_HELD,        /* another process consumes it */
    RING_ATTACHED,    /* it is recorded */
    RING_QUARANTINED, /* it breaks the rules, and is left alone */
    RING_DETACHED,    /* the recorder was told to let go of it */
};

#endif
