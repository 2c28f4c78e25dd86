/*
 * find_state.h - which segments have state of an instrument, newest first.
 *
 * See index_states(). It takes one seek, then a step for each segment, and looks at nothing else.
 */
#ifndef TDK_INDEX_FIND_STATE_H
#define TDK_INDEX_FIND_STATE_H

#include "index/store.h"

/* Find those of the instrument, track and epoch in `last`, from its segment down. */
int find_states(struct store *store, const struct state_ref *last, struct state_ref *states,
                int room, struct tdk_err *err);

/* Find the first instrument of the track and epoch in `first`, from its instrument on. 1; 0: none.
 */
int find_state_instrument(struct store *store, const struct state_ref *first,
                          uint32_t *instrument_id, struct tdk_err *err);

#endif
