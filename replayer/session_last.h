/*
 * session_last.h - the result of a play, for its last notification.
 *
 * On the play's thread, when the play is over.
 */
#ifndef TDK_REPLAYER_SESSION_LAST_H
#define TDK_REPLAYER_SESSION_LAST_H

#include "base/text_buffer.h"

struct session;

/* Put the pairs of the map: fidelity, coverage, digest, ... Returns how many. */
uint32_t session_put_last(struct session *session, struct text_buffer *out);

#endif
