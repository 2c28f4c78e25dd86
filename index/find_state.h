/*
 * find_state.h - what segments have of an instrument's state, newest first.
 *
 * See index_states(). One seek, then a step for each segment; nothing else is looked at.
 */
#ifndef TDK_INDEX_FIND_STATE_H
#define TDK_INDEX_FIND_STATE_H

#include "index/store.h"

/* Of the instrument, track and epoch of `last`, from its segment down. */
int find_states(struct store *store, const struct state_ref *last, struct state_ref *states,
                int room, struct tdk_err *err);

/* The first instrument of this track and epoch, not below that of `first`: 1; 0: there is none. */
int find_state_instrument(struct store *store, const struct state_ref *first,
                          uint32_t *instrument_id, struct tdk_err *err);

#endif
